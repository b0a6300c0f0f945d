"""The production server, its workers and the sequencer behind a real PgBouncer that lends each transaction another of a
few connections: a story through all of them, and many at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from werkzeug.wrappers import Response

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind
from app.voting import roll
from bench import vote_town
from tests import pooler
from tests.conftest import TOP, Caller, House, Town, settings_for
from tests.pooler import Pooler
from tests.revenue.conftest import Books
from tests.voting.conftest import BallotBox, owner
from tools import processes

PROGRAM = pooler.installed()
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(PROGRAM is None, reason="no pgbouncer on this machine: apt-get install pgbouncer"),
]


class Answer(Response):
    """What the test client's answers can do, of one that came over the wire."""

    @property
    def text(self) -> str:
        return self.get_data(as_text=True)


class Wire:
    """A client of the production server, as callers know the test client."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def open(self, path: str, *, method: str, headers: dict[str, str], **body: Any) -> Answer:
        if "content_type" in body:
            headers = headers | {"Content-Type": body.pop("content_type")}
        if "query_string" in body:
            body["params"] = body.pop("query_string")
        got = self.session.request(method, self.url + path, headers=headers, timeout=30, **body)
        return Answer(got.content, got.status_code, content_type=got.headers.get("Content-Type"))


@pytest.fixture
def served(house: House, tmp_path: Path) -> Iterator[str]:
    """The address of the web server; workers and sequencer run beside it, all behind PgBouncer."""
    assert PROGRAM is not None
    bouncer = Pooler(PROGRAM, house.pg).start()
    port = processes.free_port()
    environment = os.environ | settings_for(
        house.pg,
        "house",
        REDIS_URL=house.settings.redis_url,
        PUBLIC_BASE_URL=f"http://127.0.0.1:{port}",
        STORAGE_URL=house.settings.storage_url,
        WECHAT_API_BASE=house.settings.wechat_api_base,
        STAFF_PASSWORD_HASH="cheap",
        RATE_LIMITS="off",
        SWEEP_S=1,
        PORT=port,
        **pooler.through(bouncer, "house"),
    )
    programs = {
        "web": ["gunicorn", "-c", "deploy/gunicorn.py", "wsgi:app"],
        "workers": ["workers"],
        "sequencer": ["workers.sequencer"],
    }
    running = []
    try:
        for name, module in programs.items():
            with (tmp_path / f"{name}.log").open("wb") as log:
                command = [sys.executable, "-m", *module]
                running.append(
                    processes.start(command, log=log, env=environment, cwd=TOP, death_signal=signal.SIGTERM)
                )
        url = f"http://127.0.0.1:{port}"
        until(lambda: requests.get(f"{url}/readyz", timeout=10).status_code == 200, of="web is ready")
        yield url
    finally:
        for process in running:
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(40)
            process.kill()
        bouncer.stop()
    wrong = []
    for name in programs:
        for line in (tmp_path / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines():
            said = json.loads(line) if line.startswith("{") else {"event": line}
            if said.get("level") in {"error", "critical"} or "prepared statement" in line:
                wrong.append(f"{name}: {said['event']} {said.get('exception', '')[-400:]}")
    assert wrong == []


def until(what: Callable[[], Any], *, of: str, within: float = 60) -> Any:
    """What it gives, once it gives something."""
    give_up_at = time.monotonic() + within
    while time.monotonic() < give_up_at:
        with contextlib.suppress(requests.RequestException):
            if found := what():
                return found
        time.sleep(0.1)
    pytest.fail(f"not within {within} s: {of}")


def test_a_story_and_many_at_once_behind_a_pooler(
    served: str, house: House, town: Town, box: BallotBox, owner_sql: psycopg.Connection[Any]
) -> None:
    flat = box.flat("101", owner())
    wang = box.resident(flat)
    ref, (motion,) = vote_town.announced(town.a.estate, motions=1)
    with db.transaction():
        roll.freeze(ref, acting_user=SYSTEM)
    books = Books(town, town.a, wang)
    staff = [town.staff(role) for role in ("community", "property", "grid", "finance")]
    for who in (wang, *staff):
        who.client = Wire(served)  # type: ignore[assignment]

    # She reports; a worker makes the pictures and has the words checked.
    ticket = wang.report(town.a.estate_id, photo_ids=[wang.photo()])["ticket_id"]
    assert ticket in wang.get("/home").text
    town.bring(ticket, "accept", "dispatch", "start")
    assert wang.ticket(ticket)["status"] == town.staff("community").get(f"/tickets/{ticket}").json["status"]

    def pictured() -> bool:
        photos = wang.ticket(ticket)["photos"]
        return bool(photos and photos[0].get("url"))

    until(pictured, of="a worker made the picture")
    picture = requests.get(
        served + "/" + wang.ticket(ticket)["photos"][0]["url"].split("/", 3)[3], timeout=10
    )
    assert (picture.status_code, picture.headers["Content-Type"]) == (200, "image/jpeg")
    until(lambda: not open_promises(owner_sql, town.a.id), of="every promise is kept")

    # She votes; the sequencer seals it.
    ballot = f"/decisions/{ids.encode(Kind.DECISION, ref)}/ballot"
    choice = {"choices": {ids.encode(Kind.MOTION, type(ref)(ref.community_id, motion.id)): "for"}}
    cast = wang.call("PUT", ballot, json=choice)
    assert cast.status_code == 201, cast.text
    sealed = until(lambda: wang.get(ballot).get_json().get("leaf_index"), of="the ballot is in the log")
    assert sealed == 1
    assert wang.get(ballot).json["receipt"] == cast.json["receipt"]

    # The books of a year are kept, published and read.
    assert books.rules().status_code == 201
    books.entered("2023-06-01", "income", "停车", 100_000)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    summary = f"{books.base}/summary?day_from=2023-01-01&day_to=2023-12-31&by=year"
    assert "100000" in wang.get(summary).text

    # Many at once, on few connections.
    asked: list[tuple[Caller, str]] = [
        (wang, "/home"),
        (wang, f"/decisions/{ids.encode(Kind.DECISION, ref)}"),
        (wang, summary),
        (wang, "/tickets"),
        (staff[0], "/tickets"),
        (staff[0], f"/tickets/{ticket}"),
    ]

    def browse(number: int) -> Counter[int]:
        return Counter(
            who.get(path).status_code
            for who, path in asked[number % 3 :] + asked[: number % 3]
            for _ in range(8)
        )

    def report(_: int) -> Counter[int]:
        return Counter({201: len({wang.report(town.a.estate_id)["ticket_id"] for _ in range(15)})})

    with ThreadPoolExecutor(12) as pool:
        found = sum([*pool.map(browse, range(8)), *pool.map(report, range(4))], Counter())
    assert found == {200: 8 * 6 * 8, 201: 60}
    tickets = owner_sql.execute(
        "SELECT count(*) FROM tickets WHERE community_id = %s", [town.a.id]
    ).fetchone()
    assert tickets == (61,)
    until(lambda: not open_promises(owner_sql, town.a.id), of="every promise is kept")


def open_promises(sql: psycopg.Connection[Any], community: int) -> int:
    (left,) = sql.execute(
        "SELECT count(*) FROM outbox WHERE community_id = %s AND state <> 'done' AND not_before < now()",
        [community],
    ).fetchone() or (0,)
    return int(left)


@pytest.fixture
def owner_sql(house: House) -> Iterator[psycopg.Connection[Any]]:
    """Raw SQL, past the pooler."""
    with psycopg.connect(house.pg.url("owner", "house"), autocommit=True) as connection:
        yield connection
