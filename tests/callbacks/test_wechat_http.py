"""WeChat's message push at our door: who isn't WeChat is refused, what comes twice has one effect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.conftest import TEMPLATE, Caller, House, Person

PATH = "/callbacks/wechat/push"


def sealed(house: House, name: str, event: str, **fields: Any) -> tuple[dict[str, str], bytes]:
    """Query and body of an event of that person, as WeChat seals it."""
    pusher = house.sandbox.pusher
    openid = house.sandbox.state.meet(name=name)
    return pusher.seal(pusher.event(event, openid, **fields))


def accept(house: House, name: str) -> tuple[dict[str, str], bytes]:
    tapped = {"TemplateId": TEMPLATE, "SubscribeStatusString": "accept", "PopupScene": "0"}
    return sealed(house, name, "subscribe_msg_popup_event", List=tapped)


def send(visitor: Caller, query: dict[str, str], body: bytes) -> Any:
    return visitor.post(PATH, query_string=query, data=body, content_type="application/json")


def credit(person: Person) -> int:
    return int(person.get("/subscriptions").json["items"][0]["credit"])


def stored(owner: psycopg.Connection[Any]) -> int:
    # Verdicts on other tests' pictures may still come in meanwhile.
    sql = "SELECT count(*) FROM wechat_events WHERE event <> 'wxa_media_check'"
    return int((owner.execute(sql).fetchone() or (0,))[0])


def test_an_event_of_wechat_is_taken_and_has_its_effect_once_however_often_it_comes(
    house: House, visitor: Caller, resident: Callable[..., Person], work: Callable[..., int]
) -> None:
    wang = resident()
    query, body = accept(house, wang.name)
    for _ in range(3):
        answer = send(visitor, query, body)
        assert (answer.status_code, answer.text) == (200, "success")
        work()
    # The same event sealed anew, as WeChat's own repetition is.
    assert send(visitor, *_again(house, query, body)).status_code == 200
    work()
    assert credit(wang) == 1


def _again(house: House, query: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    from app import adapters

    message = adapters.wechat_push().open(query, body)
    return house.sandbox.pusher.seal(dict(message.fields))


@pytest.mark.parametrize("wrong", ["msg_signature", "timestamp", "nonce"])
@pytest.mark.parametrize("how", ["altered", "missing", "empty"])
def test_a_delivery_that_is_not_proven_is_refused_and_leaves_nothing(
    house: House,
    visitor: Caller,
    resident: Callable[..., Person],
    owner: psycopg.Connection[Any],
    work: Callable[..., int],
    wrong: str,
    how: str,
) -> None:
    wang = resident()
    query, body = accept(house, wang.name)
    before = stored(owner)
    if how == "missing":
        del query[wrong]
    else:
        query[wrong] = "" if how == "empty" else query[wrong][:-1] + ("0" if query[wrong][-1] != "0" else "1")
    assert send(visitor, query, body).status_code == 403
    work()
    assert stored(owner) == before
    assert credit(wang) == 0


def test_an_altered_or_foreign_body_is_refused(
    house: House, visitor: Caller, resident: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    query, body = accept(house, wang.name)
    before = stored(owner)
    envelope = json.loads(body)
    plain = house.sandbox.pusher.event("subscribe_msg_popup_event", "o" * 28)
    another = "B" if envelope["Encrypt"][0] == "A" else "A"
    bodies = {
        "altered": json.dumps(envelope | {"Encrypt": another + envelope["Encrypt"][1:]}).encode(),
        "plain": json.dumps(plain).encode(),
        "empty": b"",
        "no json": b"\xff\xfe",
        "a list": b"[]",
        "xml bomb": b'<!DOCTYPE x [<!ENTITY a "a">]><xml><Encrypt>&a;</Encrypt></xml>',
    }
    for what, raw in bodies.items():
        assert send(visitor, query, raw).status_code == 403, what
    assert send(visitor, query, b"x" * 300_000).status_code in {403, 413}
    assert stored(owner) == before


def test_an_old_delivery_cannot_be_played_again(
    house: House, visitor: Caller, resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = house.sandbox.state
    now = state.now()
    monkeypatch.setattr(state, "now", lambda: now - 3600)
    query, body = accept(house, resident().name)
    assert send(visitor, query, body).status_code == 403


def test_wechats_own_check_gets_its_echo_only_under_the_right_signature(
    visitor: Caller, house: House
) -> None:
    timestamp = str(int(house.sandbox.state.now()))
    parts = sorted([house.settings.wechat_push_token, timestamp, "777"])
    signature = hashlib.sha1("".join(parts).encode()).hexdigest()
    query = {"signature": signature, "timestamp": timestamp, "nonce": "777", "echostr": "<b>4711</b>"}
    answer = visitor.get(PATH, query_string=query)
    assert (answer.status_code, answer.text) == (200, "<b>4711</b>")
    assert answer.content_type.startswith("text/plain")  # what is echoed must not run in a browser
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for wrong in ({"signature": "0" * 40}, {"nonce": "778"}, {"timestamp": "1"}, {"signature": "é"}):
        refused = visitor.get(PATH, query_string=query | wrong)
        assert (refused.status_code, refused.text) == (403, "")
    assert visitor.get(PATH).status_code == 403


def test_an_event_about_somebody_unknown_or_of_an_unknown_kind_is_taken_and_does_nothing(
    house: House, visitor: Caller, work: Callable[..., int], owner: psycopg.Connection[Any]
) -> None:
    for query, body in (
        accept(house, "stranger-nobody-knows"),
        sealed(house, "stranger-nobody-knows", "weapp_audit_success", Reason="ok"),
        sealed(house, "stranger-nobody-knows", "subscribe_msg_popup_event", List=[]),
    ):
        assert send(visitor, query, body).status_code == 200
    work()
    sql = "SELECT count(*) FROM wechat_events WHERE applied_at IS NULL AND event <> 'wxa_media_check'"
    assert owner.execute(sql).fetchone() == (0,)


def test_what_wechat_told_is_kept_sealed(
    house: House, visitor: Caller, resident: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    query, body = accept(house, wang.name)
    assert send(visitor, query, body).status_code == 200
    openid = house.sandbox.state.openid_of(wang.name).encode()
    rows = owner.execute("SELECT e::text, sealed FROM wechat_events e ORDER BY received_at DESC LIMIT 5")
    for text, raw in rows:
        assert openid not in raw
        assert openid.decode() not in text
    waiting = owner.execute("SELECT payload::text FROM outbox WHERE kind = 'messaging.apply_event'")
    assert all(openid.decode() not in payload for (payload,) in waiting)
