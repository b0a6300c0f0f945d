"""What is written to the log of a whole story, and of failures, names nobody."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import structlog

from app import logs
from tests.conftest import TEMPLATE, Caller, House, Person, Town

TEXT = "三栋二单元五楼漏水"
PHONE = "13" + str(uuid4().int)[:9]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """All that reaches the log meanwhile, at the most talkative level, before anything is scrubbed."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(exc_text)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_line_that_isn_t_text_is_written_all_the_same() -> None:
    event = {"event": "name \udcff", "big": 2**70, "of": {1: 2}}

    written = logs.as_json(event, default=str)

    assert json.loads(written) == event | {"of": {"1": 2}}


def tell_a_story(
    house: House, resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> list[str]:
    """A report from login to rating, with failures between; all that must not be in a log."""
    wang = resident()
    house.order("subscribe", name=wang.name, template_id=TEMPLATE)
    assert wang.post("/session/phone", {"code": f"phone-{PHONE}"}).status_code == 200
    opened = wang.report(
        town.a.estate_id, category="noise", text=TEXT, contact_phone=PHONE, photo_ids=[wang.photo()]
    )
    work()
    ticket_id = opened["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close")
    wang.post(f"/tickets/{ticket_id}/rating", {"stars": 5, "solved": True, "text": TEXT})
    wang.post("/tickets", {"text": TEXT, "contact_phone": "1" + PHONE, "client_token": TEXT})
    desk = town.staff("community")
    desk.post("/unmask", {"object": ticket_id, "fields": ["contact_phone"], "purpose": TEXT})
    desk.get("/tickets", query_string={"q": PHONE})
    photo = wang.ticket(ticket_id)["photos"][0]["url"]
    wang.client.get("/public" + photo.partition("/public")[2])
    house.order("fail", api="subscribe_send", mode="html200", times=1)
    wang.post(f"/tickets/{ticket_id}/reopen", {"reason": TEXT})
    work()
    house.order("fail", api="subscribe_send", mode=None)
    openid = house.sandbox.state.openid_of(wang.name)
    return [
        TEXT,
        PHONE,
        openid,
        wang.token,
        wang.session["refresh_token"],
        str(desk.token),
        house.settings.wechat_secret,
        photo.rpartition("/")[2],
    ]


def test_a_whole_story_is_logged_without_a_name_a_phone_a_token_or_a_word(
    house: House,
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    lines: io.StringIO,
) -> None:
    secrets = tell_a_story(house, resident, town, work)
    written = lines.getvalue()
    assert "POST /bff/v1/tickets 201" in written  # or nothing was listened to
    for secret in secrets:
        assert secret not in written, secret


def test_an_unexpected_failure_of_the_database_quotes_nobodys_words(
    resident: Callable[..., Person], town: Town, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.tickets import service

    wang = resident()
    # A number longer than its column: PostgreSQL refuses the row that holds the text.
    monkeypatch.setattr(service, "next_number", lambda *_: "BS" + "9" * 60)
    body = {"estate_id": town.a.estate_id, "text": TEXT, "client_token": uuid4().hex}
    answer = wang.post("/tickets", body)
    assert answer.status_code == 500
    assert TEXT not in answer.text
    written = lines.getvalue()
    assert "unexpected error" in written
    assert "StringDataRightTruncation" in written
    assert TEXT not in written


def test_each_line_is_json_with_the_id_of_its_request(visitor: Caller) -> None:
    out = io.StringIO()
    root = logging.getLogger()
    (ours,) = [h for h in root.handlers if type(h) is logging.StreamHandler and _is_ours(h)][:1]
    before = ours.setStream(out)
    try:
        visitor.get("/bff/v1/me?phone=13912345678", headers={"X-Request-ID": "trace-4711-abc"})
        visitor.get("/bff/v1/me", headers={"X-Request-ID": "of-13912345678"})
    finally:
        ours.setStream(before)
    line, other = [json.loads(text) for text in out.getvalue().splitlines()]
    assert line["request_id"] == "trace-4711-abc"
    assert (line["status"], line["endpoint"]) == (401, "session.me")
    assert (line["event"], line["logger"], line["level"]) == ("GET /bff/v1/me 401", "access", "info")
    assert other["request_id"] == "of-[phone]"
    assert "13912345678" not in out.getvalue()


def _is_ours(handler: logging.Handler) -> bool:
    return isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("call 13912345678 now", "call [phone] now"),
        ("id 510213199001011234.", "id [id-number]."),
        ("Bearer eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "Bearer [token]"),
        ("openid o" + "A" * 27, "openid [openid]"),
        ("order 20261121123456789012 and 1391234567", "order 20261121123456789012 and 1391234567"),
    ],
)
def test_what_slips_into_a_line_is_cut_out(said: str, written: str) -> None:
    assert logs.scrub(said) == written


def test_an_exception_that_slips_through_is_scrubbed_too(house: House) -> None:
    out = io.StringIO()
    (ours,) = [h for h in logging.getLogger().handlers if _is_ours(h)][:1]
    before: Any = ours.setStream(out)  # type: ignore[attr-defined]
    try:
        raise ValueError("phone 13912345678")
    except ValueError:
        logging.getLogger("x").exception("failed for %s", "13912345678", extra={"who": "13912345678"})
    finally:
        ours.setStream(before)  # type: ignore[attr-defined]
    assert "13912345678" not in out.getvalue()
    assert "[phone]" in out.getvalue()
