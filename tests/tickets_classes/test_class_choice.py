"""What a resident chooses and answers, what the desk sees suggested, and what a class says at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from app import db
from app.audit import SYSTEM
from app.places import queries as places_queries
from app.places import service as places
from app.places.models import OrgKind
from app.tickets import queries
from app.tickets.models import Ticket
from tests.conftest import Person, Town
from tests.tickets_classes.conftest import Classes, in_days

GAS = "楼道里好大一股天然气味道，你们快来人看一下"
QUARREL = "我跟隔壁为了晾衣服的事吵架吵了好几回，想请社区来调解"


def test_the_first_screen_has_few_groups_and_every_choice_stands_in_one(
    resident: Callable[..., Person],
) -> None:
    options = resident().get("/report-options").json
    assert 2 <= len(options["groups"]) <= 8
    in_groups = [code for group in options["groups"] for code in group["categories"]]
    assert in_groups == [c["code"] for c in options["categories"]]
    assert {c["group"] for c in options["categories"]} == {g["code"] for g in options["groups"]}
    assert not {"objects", "events", "objects_other", "events_other"} & set(in_groups)
    elevator = next(c for c in options["categories"] if c["code"] == "elevator")
    assert [q["key"] for q in elevator["questions"]] == ["trapped", "unit"]


def test_answers_are_held_to_the_questions_of_the_class(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()

    def report(**body: Any) -> Any:
        whole = {"estate_id": town.a.estate_id, "text": "电梯停了", "client_token": uuid4().hex} | body
        return wang.post("/tickets", whole)

    good = report(category="elevator", answers={"trapped": "没有", "unit": "3栋2单元"})
    assert good.status_code == 201, good.text
    assert wang.ticket(good.json["ticket_id"])["answers"] == {"trapped": "没有", "unit": "3栋2单元"}
    assert report(category="elevator", answers={}).status_code == 201
    wrong = report(category="elevator", answers={"trapped": "可能", "colour": "红", "unit": "3栋"})
    assert (wrong.status_code, wrong.json["code"]) == (422, "bad_answers")
    assert set(wrong.json["errors"]) == {"answers.trapped", "answers.colour"}
    nothing_asked = report(answers={"trapped": "有"})
    assert set(nothing_asked.json["errors"]) == {"answers.trapped"}


def test_a_group_or_an_ended_class_can_not_be_reported(
    resident: Callable[..., Person], town: Town, classes: Classes, later: Callable[..., Any]
) -> None:
    wang = resident()
    code = classes.add()["code"]
    assert classes.change(code, active=False, valid_from=in_days(2)).status_code == 200
    body = {"estate_id": town.a.estate_id, "text": "看一下"}
    group = wang.post("/tickets", body | {"category": "objects", "client_token": uuid4().hex})
    assert (group.status_code, group.json["code"]) == (422, "unknown_category")
    assert wang.report(town.a.estate_id, category=code)
    later(days=2)
    again = Person(wang.name, wang.session, wang.client)
    again.session = wang.client.post("/bff/v1/session", json={"code": f"demo-{wang.name}"}).json or {}
    ended = again.post("/tickets", body | {"category": code, "client_token": uuid4().hex})
    assert (ended.status_code, ended.json["code"]) == (422, "unknown_category")


def test_a_ticket_of_an_ended_class_stays_readable_and_can_be_finished(
    resident: Callable[..., Person], town: Town, classes: Classes, later: Callable[..., Any]
) -> None:
    code = classes.add(name="临时类别", closing_text="感谢您反映临时问题。")["code"]
    ticket_id = resident().report(town.a.estate_id, category=code)["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start")
    classes.change(code, active=False, valid_from=in_days(1))
    later(days=1, hours=1)
    for staff in (town.a.staff, town.b.staff):
        staff.clear()  # their sessions were made before the clock moved on
    seen = town.staff("community").get(f"/tickets/{ticket_id}").json
    assert (seen["category"], seen["category_name"]) == (code, "临时类别")
    rows = town.staff("community").get("/tickets").json["items"]
    assert next(r for r in rows if r["ticket_id"] == ticket_id)["category_name"] == "临时类别"
    # It needed no photo when it held, and still needs none; and it still says its word at the end.
    finished = town.bring(ticket_id, "resolve", "verify", "close")
    assert finished["status"] == "closed"
    assert finished["timeline"][-1]["text"] == "感谢您反映临时问题。"


def test_words_are_met_with_up_to_three_classes_and_their_reasons(resident: Callable[..., Person]) -> None:
    answer = resident().get("/report-options/suggest", query_string={"text": GAS})
    assert answer.status_code == 200, answer.text
    first = answer.json[0]
    assert (first["code"], first["name"]) == ("emergency", "突发事件")
    assert any("天然气" in word for word in first["why"])
    assert 1 <= len(answer.json or ()) <= 3
    assert resident().get("/report-options/suggest", query_string={"text": "你好"}).json == []
    assert resident().get("/report-options/suggest").status_code == 422


def test_only_what_can_be_chosen_today_is_suggested(town: Town, classes: Classes) -> None:
    with db.reading():
        leaves = {term.code for term in queries.categories()}
        for row in queries.suggest_categories(GAS + QUARREL + "路灯不亮", most=30):
            assert row.code in leaves


def test_a_report_without_a_category_keeps_what_its_words_say(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id, text=GAS)["ticket_id"]
    desk = town.staff("community")
    seen = desk.get(f"/tickets/{ticket_id}").json
    assert seen["category"] is None
    assert seen["suggested_category"]["code"] == "emergency"
    assert seen["suggested_category"]["name"] == "突发事件"
    assert seen["suggested_category"]["why"]
    # It is a hint: accepting takes no class over, and another one may be chosen.
    assert desk.post(f"/tickets/{ticket_id}/accept").json["category"] is None
    changed = desk.post(f"/tickets/{ticket_id}/category", {"category": "water"}).json
    assert (changed["category"], changed["suggested_category"]["code"]) == ("water", "emergency")
    # The reporter's own view says nothing of it.
    assert "suggested" not in wang.get(f"/tickets/{ticket_id}").text


def test_a_report_with_a_category_or_without_words_has_no_suggestion(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    chosen = wang.report(town.a.estate_id, text=GAS, category="other")["ticket_id"]
    assert desk.get(f"/tickets/{chosen}").json["suggested_category"] is None
    only_photo = wang.report(town.a.estate_id, text="", photo_ids=[wang.photo()])["ticket_id"]
    assert desk.get(f"/tickets/{only_photo}").json["suggested_category"] is None


@pytest.mark.parametrize(
    ("category", "public"),
    [("lighting", True), ("dispute", False), ("noise", False), ("dogs", False), (None, False)],
)
def test_only_tickets_of_public_classes_may_be_shown_to_others(
    category: str | None, public: bool, resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    body = {"photo_ids": [wang.photo()]} if category == "lighting" else {}
    number = wang.report(town.a.estate_id, category=category, text=QUARREL, **body)["number"]
    with db.reading() as session:
        found = session.query(Ticket).filter_by(community_id=town.a.id, number=number).one()
        assert queries.is_public(found) is public


def test_a_dispute_goes_to_the_mediators_post_and_never_to_who_looks_after_the_estate(
    resident: Callable[..., Person], town: Town
) -> None:
    desk = town.staff("community")
    first = resident().report(town.a.estate_id, category="dispute", text=QUARREL)["ticket_id"]
    # Without a post the community's own desk takes it, though the property company answers for the estate.
    assert desk.post(f"/tickets/{first}/accept").json["suggested_org"]["org_id"] == town.a.desk_id
    sent = desk.post(f"/tickets/{first}/dispatch", {}).json
    assert (sent["org"], sent["dispatch_why"]) == (f"甲{town.a.id}社区居委会", "desk")

    with db.transaction() as session:
        post = places.add_org(
            kind=OrgKind.MEDIATION_POST, name="橙子调解室", region_id=town.a.id, acting_user=SYSTEM
        )
        session.flush()
        places.make_responsible(
            community_id=town.a.id,
            org_id=post.id,
            category_code="dispute",
            since=places_queries.today(),
            acting_user=SYSTEM,
        )
    second = resident().report(town.a.estate_id, category="dispute", text=QUARREL)["ticket_id"]
    desk.post(f"/tickets/{second}/accept")
    sent = desk.post(f"/tickets/{second}/dispatch", {}).json
    assert (sent["org"], sent["dispatch_why"]) == ("橙子调解室", "category")
    # Other classes still go to the estate's keeper.
    third = resident().report(town.a.estate_id, category="noise")["ticket_id"]
    desk.post(f"/tickets/{third}/accept")
    assert desk.post(f"/tickets/{third}/dispatch", {}).json["org"].endswith("物业")


def test_a_closed_dispute_names_the_other_ways(
    resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id, category="dispute", text=QUARREL)["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start")
    town.bring(ticket_id, "resolve", "verify", "close")
    work()
    closed = wang.ticket(ticket_id)["timeline"][-1]
    told = next(m for m in wang.get("/inbox").json["items"] if m["kind"] == "ticket_closed")
    for text in (closed["text"], told["text"]):
        for way in ("仲裁", "行政", "人民法院", "人民调解法"):
            assert way in text
    assert "评分" in told["text"]


def test_other_classes_close_without_a_word_more(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id, category="noise")["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close")
    assert wang.ticket(ticket_id)["timeline"][-1]["text"] is None
    told = next(m for m in wang.get("/inbox").json["items"] if m["kind"] == "ticket_closed")
    assert told["text"].endswith("请为这次处理评分，15 天内有效。")
    assert "{" not in told["text"]
