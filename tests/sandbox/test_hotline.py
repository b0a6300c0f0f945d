"""The sandbox's 12345: it checks signatures, counts, remembers, and is away when told to be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.config import Config
from sandbox.hotline import signature
from sandbox.web import running


def _config(state: Path | None = None) -> Config:
    return Config(appid="wx1", secret="s", push_token="t", push_aes_key="k" * 43, state_dir=state)


@pytest.fixture
def url() -> Iterator[str]:
    with running(_config()) as (base, _):
        requests.post(f"{base}_sandbox/hotline", json={"key_id": "k1", "secret": "top"}, timeout=5)
        yield base


def _tell(
    base: str, said: dict[str, Any], *, secret: str = "top", ago: int = 0, nonce: str | None = None
) -> int:
    body = json.dumps(said).encode()
    stamp = str(int(time.time()) - ago)
    nonce = nonce or f"n{time.perf_counter_ns()}"
    signed = signature(secret, method="POST", path="/hotline/status", timestamp=stamp, nonce=nonce, body=body)
    headers = {"X-Key-Id": "k1", "X-Timestamp": stamp, "X-Nonce": nonce, "X-Signature": signed}
    return requests.post(f"{base}hotline/status", data=body, headers=headers, timeout=5).status_code


def _status(seq: int, status: str = "accepted", number: str = "H1") -> dict[str, Any]:
    return {"external_number": number, "number": "BS", "status": status, "at": "2026-01-01", "seq": seq}


def _ledger(base: str) -> dict[str, Any]:
    return requests.get(f"{base}_sandbox/hotline.json", timeout=5).json()


def test_it_remembers_in_order_and_names_duplicates_and_gaps(url: str) -> None:
    for seq in (1, 2, 2, 4):
        assert _tell(url, _status(seq)) == 200
    ledger = _ledger(url)
    assert [s["seq"] for s in ledger["statuses"]] == [1, 2, 4]
    assert sorted(o["what"] for o in ledger["oddities"]) == ["duplicate", "gap"]


def test_it_refuses_what_is_not_signed_for_it(url: str) -> None:
    assert _tell(url, _status(1), secret="other") == 401
    assert _tell(url, _status(1), ago=301) == 401
    assert _tell(url, _status(1), nonce="again") == 200
    assert _tell(url, _status(2), nonce="again") == 401
    assert _tell(url, {"seq": 2}) == 422
    assert [s["seq"] for s in _ledger(url)["statuses"]] == [1]


def test_it_is_away_when_told_and_works_late_when_told(url: str) -> None:
    requests.post(f"{url}_sandbox/hotline", json={"mode": "http503"}, timeout=5)
    assert _tell(url, _status(1)) == 503
    requests.post(f"{url}_sandbox/hotline", json={"mode": "close"}, timeout=5)
    with pytest.raises(requests.ConnectionError):
        _tell(url, _status(1))
    assert _ledger(url)["statuses"] == []
    requests.post(f"{url}_sandbox/hotline", json={"mode": "late-http500"}, timeout=5)
    assert _tell(url, _status(1)) == 500
    assert [s["seq"] for s in _ledger(url)["statuses"]] == [1]


@pytest.mark.parametrize("body", [{"mode": "away"}, {"key_id": "k"}, {"mode": "httpx"}, {"mode": "late-"}])
def test_an_order_it_doesn_t_know_is_a_400(url: str, body: dict[str, Any]) -> None:
    assert requests.post(f"{url}_sandbox/hotline", json=body, timeout=5).status_code == 400


def test_it_needs_an_address_before_it_hands_in(url: str) -> None:
    answer = requests.post(
        f"{url}_sandbox/hotline/intake", json={"report": {"external_number": "1"}}, timeout=5
    )
    assert answer.status_code == 400


def test_the_page_shows_what_it_heard_and_a_reset_forgets(url: str) -> None:
    _tell(url, _status(1, number="<b>H7</b>"))
    page = requests.get(url, timeout=5).text
    assert "&lt;b&gt;H7&lt;/b&gt;" in page
    requests.post(f"{url}_sandbox/reset", timeout=5)
    assert _ledger(url)["statuses"] == []


def test_it_keeps_what_it_heard_between_runs(tmp_path: Path) -> None:
    with running(_config(tmp_path)) as (base, _):
        requests.post(f"{base}_sandbox/hotline", json={"key_id": "k1", "secret": "top"}, timeout=5)
        _tell(base, _status(1))
    with running(_config(tmp_path)) as (base, _):
        assert [s["seq"] for s in _ledger(base)["statuses"]] == [1]
