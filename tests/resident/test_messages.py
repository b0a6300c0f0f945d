"""What reaches the resident: the inbox, WeChat notices with their credits, and WeChat failing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.conftest import TEMPLATE, House, Person, Town


def credit(person: Person) -> int:
    (row,) = person.get("/subscriptions").json["items"]
    assert row["template_id"] == TEMPLATE
    return int(row["credit"])


def tap(house: House, person: Person, result: str = "accept") -> None:
    """WeChat's event of a tap in the popup."""
    assert house.order("subscribe", name=person.name, template_id=TEMPLATE, result=result)["pushed"]


def hint(person: Person, result: str = "accept") -> Any:
    return person.post("/subscriptions", {"results": {TEMPLATE: result}})


def notices(owner: psycopg.Connection[Any], person: Person) -> list[tuple[str, int | None]]:
    return owner.execute(
        "SELECT state, errcode FROM wechat_notices WHERE resident_id = %s ORDER BY id", (person.id,)
    ).fetchall()


@pytest.fixture
def failing(house: House) -> Iterator[Callable[..., None]]:
    """`failing("subscribe_send", "-1")`; everything works again after the test."""
    apis: list[str] = []

    def order(api: str, mode: str | None, **more: Any) -> None:
        apis.append(api)
        house.order("fail", api=api, mode=mode, **more)

    yield order
    for api in apis:
        house.order("fail", api=api, mode=None)


# --- the inbox -------------------------------------------------------------------------------------------


def test_a_message_names_its_ticket_and_is_read(resident: Callable[..., Person], town: Town) -> None:
    wang, li = resident(), resident()
    opened = wang.report(town.a.estate_id)
    town.bring(opened["ticket_id"], "accept")
    newest, oldest = wang.get("/inbox").json["items"]
    assert newest["target"] == {"type": "ticket", "id": opened["ticket_id"]}
    assert opened["number"] in newest["text"]
    assert newest["read_at"] is None
    assert li.post("/inbox/read", {"ids": [newest["id"]]}).json == {"changed": 0, "unread": 0}
    assert wang.post("/inbox/read", {"ids": [newest["id"]]}).json == {"changed": 1, "unread": 1}
    assert wang.post("/inbox/read", {"ids": [newest["id"]]}).json == {"changed": 0, "unread": 1}
    assert wang.post("/inbox/read", {"all_before": oldest["created_at"]}).status_code == 200
    assert wang.post("/inbox/read", {"all_before": "2099-01-01T00:00:00+08:00"}).json["unread"] == 0
    wrong: Any
    for wrong in ({}, {"ids": []}, {"ids": [newest["id"]], "all_before": newest["created_at"]}):
        assert wang.post("/inbox/read", wrong).status_code == 422
    assert wang.post("/inbox/read", {"all_before": "2026-01-01T00:00:00"}).status_code == 422


def test_what_staff_write_reaches_the_inbox_whole_or_cut_to_its_size(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id)["ticket_id"]
    desk = town.staff("community")
    long = "{" + "很长的说明" * 199 + "}"
    desk.post(f"/tickets/{ticket_id}/comment", {"text": long, "visibility": "reporter"})
    text = wang.get("/inbox").json["items"][0]["text"]
    assert len(text) == 500
    assert text.endswith("…")
    assert wang.ticket(ticket_id)["timeline"][-1]["text"] == long


# --- credits ---------------------------------------------------------------------------------------------


def test_wechats_event_is_a_credit_and_a_rejection_takes_all_away(
    house: House, resident: Callable[..., Person], work: Callable[..., int]
) -> None:
    wang = resident()
    assert credit(wang) == 0
    tap(house, wang)
    work()
    assert credit(wang) == 1
    tap(house, wang, "reject")
    work()
    assert credit(wang) == 0


def test_switched_off_in_the_settings_of_wechat_takes_all_away(
    house: House, resident: Callable[..., Person], work: Callable[..., int]
) -> None:
    wang = resident()
    tap(house, wang)
    hint(wang)
    work()
    fields = {"List": [{"TemplateId": TEMPLATE, "SubscribeStatusString": "reject"}]}
    assert house.order("push", name=wang.name, event="subscribe_msg_change_event", fields=fields)["pushed"]
    work()
    assert credit(wang) == 0


@pytest.mark.parametrize("order", ["hint first", "event first"])
def test_the_hint_and_the_event_of_one_tap_count_once(
    house: House, resident: Callable[..., Person], work: Callable[..., int], order: str
) -> None:
    wang = resident()
    if order == "hint first":
        assert hint(wang).json["items"][0]["credit"] == 1
        tap(house, wang)
        work()
    else:
        tap(house, wang)
        work()
        hint(wang)
    assert credit(wang) == 1


def test_a_hint_alone_counts_until_it_is_taken_back(
    resident: Callable[..., Person], later: Callable[..., Any]
) -> None:
    wang = resident()
    hint(wang)
    hint(wang)
    assert credit(wang) == 2
    hint(wang, "reject")
    assert credit(wang) == 0
    assert wang.post("/subscriptions", {"results": {"OTHER-TEMPLATE": "accept"}}).status_code == 200
    assert credit(wang) == 0
    wrong: Any
    for wrong in ({}, {TEMPLATE: "maybe"}, [], {TEMPLATE: 1}):
        assert wang.post("/subscriptions", {"results": wrong}).status_code == 422


def test_each_notice_spends_a_credit_and_without_one_only_the_inbox_is_told(
    house: House,
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    owner: psycopg.Connection[Any],
) -> None:
    wang = resident()
    tap(house, wang)
    work()
    opened = wang.report(town.a.estate_id)
    town.bring(opened["ticket_id"], "accept", "dispatch")
    work()
    assert credit(wang) == 0
    assert notices(owner, wang) == [("sent", 0)]
    (got,) = house.ledger(wang.name)
    assert opened["number"] in str(got["data"])
    assert opened["ticket_id"] in got["page"]
    assert len(wang.get("/inbox").json["items"]) == 3


# --- WeChat failing --------------------------------------------------------------------------------------


def test_a_notice_that_the_person_refuses_is_refused_and_the_inbox_has_it(
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    owner: psycopg.Connection[Any],
) -> None:
    wang = resident()
    hint(wang)  # WeChat knows of no such tap: 43101
    wang.report(town.a.estate_id)
    work()
    assert notices(owner, wang) == [("refused", 43101)]
    assert town.house.ledger(wang.name) == []
    assert [m["kind"] for m in wang.get("/inbox").json["items"]] == ["ticket_received"]


@pytest.mark.parametrize("mode", ["-1", "45009"])
def test_while_wechat_is_down_the_ticket_is_accepted_and_the_notice_goes_later(
    house: House,
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    later: Callable[..., Any],
    owner: psycopg.Connection[Any],
    failing: Callable[..., None],
    mode: str,
) -> None:
    wang = resident("wang")
    tap(house, wang)
    work()
    for api in ("subscribe_send", "msg_sec_check", "media_check_async"):
        failing(api, mode)
    opened = wang.report(town.a.estate_id, photo_ids=[wang.photo()])
    work()
    assert notices(owner, wang)[0][0] == "queued"
    assert wang.ticket(opened["ticket_id"])["status"] == "received"
    town.bring(opened["ticket_id"], "accept")
    for api in ("subscribe_send", "msg_sec_check", "media_check_async"):
        failing(api, None)
    later(minutes=10)
    work()
    assert notices(owner, wang) == [("sent", 0)]
    assert len(house.ledger(wang.name)) == 1
    assert (
        town.hire("community", town.a).get(f"/tickets/{opened['ticket_id']}").json["text_check"] == "passed"
    )


def test_an_answer_that_never_came_is_not_sent_again_blindly(
    house: House,
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    later: Callable[..., Any],
    owner: psycopg.Connection[Any],
    failing: Callable[..., None],
) -> None:
    wang = resident()
    tap(house, wang)
    tap(house, wang)
    work()
    failing("subscribe_send", "html200", after=True, times=1)
    wang.report(town.a.estate_id)
    work()
    later(minutes=30)
    work()
    assert notices(owner, wang) == [("unknown", None)]
    assert len(house.ledger(wang.name)) == 1


def test_a_notice_is_given_up_after_three_days(
    house: House,
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    later: Callable[..., Any],
    owner: psycopg.Connection[Any],
    failing: Callable[..., None],
) -> None:
    wang = resident()
    tap(house, wang)
    work()
    failing("subscribe_send", "-1")
    wang.report(town.a.estate_id)
    work()
    later(days=3, minutes=1)
    work()
    assert notices(owner, wang)[0][0] == "failed"


# --- the check of words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verdict"), [("楼道灯不亮", "passed"), ("有人赌博", "risky"), ("加微信领取", "review")]
)
def test_whatever_wechat_says_of_the_words_the_report_goes_on(
    resident: Callable[..., Person], town: Town, work: Callable[..., int], text: str, verdict: str
) -> None:
    wang, desk = resident(), town.staff("community")
    ticket_id = wang.report(town.a.estate_id, text=text)["ticket_id"]
    assert desk.get(f"/tickets/{ticket_id}").json["text_check"] == "pending"
    work()
    seen = desk.get(f"/tickets/{ticket_id}").json
    assert (seen["text_check"], seen["text"], seen["status"]) == (verdict, text, "received")
    assert desk.post(f"/tickets/{ticket_id}/accept").status_code == 200
    assert wang.ticket(ticket_id)["text"] == text
