"""An anonymous reporter stays unknown to property staff: not in suggestions, marks, figures, or reasons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conftest import Caller, Person, Town

WORDS = "三栋楼道灯不亮了很黑"
DONE = ("start", "resolve", "verify", "close")
HERS, OTHER = "13911112222", "13911113333"


def reported(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": "property"} | more))["ticket_id"])


def here(town: Town) -> dict[str, Any]:
    return {"lng": town.a.centre.lng, "lat": town.a.centre.lat, "crs": "wgs84"}


def suggested(who: Caller, ticket_id: str) -> dict[str, Any]:
    """By number, without the number itself: what remains may be compared between two tickets."""
    rows = who.get(f"/tickets/{ticket_id}/suggestions").get_json()
    return {row["ticket_id"]: (row["score"], row["why"]["same_phone"]) for row in rows}


def taken_in(who: Caller, town: Town, phone: str) -> dict[str, Any]:
    body = {"channel": "patrol", "reporter": {"name": "测", "phone": phone}, "estate_id": town.a.estate_id,
            "location": here(town), "text": WORDS, "category": "property"}  # fmt: skip
    answer = who.post("/tickets", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


# --- suggestions ------------------------------------------------------------------------------------------


def test_a_guessed_phone_changes_nothing_that_property_staff_see(
    resident: Callable[..., Person], town: Town
) -> None:
    hidden = reported(resident(), town, text=WORDS, anonymous=True, contact_phone=HERS, location=here(town))
    town.bring(hidden, "accept", "dispatch")
    keeper, desk = town.staff("property"), town.staff("community")
    right, wrong = (taken_in(keeper, town, phone)["ticket_id"] for phone in (HERS, OTHER))
    for ticket_id in (right, wrong):
        town.bring(ticket_id, "accept", "dispatch")
    by_phone = [suggested(keeper, ticket_id)[hidden] for ticket_id in (right, wrong)]
    assert by_phone[0] == by_phone[1]
    assert by_phone[0][1] is False
    assert {phone for _, phone in suggested(keeper, hidden).values()} == {False}
    # The desk knows her: there the phone counts.
    assert suggested(desk, right)[hidden][1] is True
    assert suggested(desk, right)[hidden][0] > suggested(desk, wrong)[hidden][0]


def test_a_number_that_property_staff_cannot_see_is_not_compared_either(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    given = {"text": WORDS, "location": here(town)}
    first, second = reported(wang, town, **given), reported(wang, town, **given, contact_phone=HERS)
    third = reported(wang, town, **given, contact_phone=HERS)
    for ticket_id in (first, second, third):
        town.bring(ticket_id, "accept", "dispatch")
    found = suggested(town.staff("property"), second)
    assert found[third][1] is True  # both left it with reports that she has
    assert found[first][1] is False


# --- repeated ---------------------------------------------------------------------------------------------


def repeats(who: Caller) -> tuple[int, int, list[str]]:
    figures = {f["metric"]: f for f in who.get("/stats/sla").json["total"]}
    items = who.get("/stats/items?metric=repeated&share=numerator").json
    return figures["repeated"]["numerator"], items["count"], [item["ticket_id"] for item in items["items"]]


def test_that_two_reports_come_from_one_person_is_said_only_to_who_may_know_her(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    town.bring(reported(wang, town, contact_phone=HERS), "accept", "dispatch", *DONE)
    again = reported(wang, town, anonymous=True, contact_phone=HERS)
    town.bring(again, "accept", "dispatch")
    keeper, desk, grid = (town.staff(role) for role in ("property", "community", "grid"))
    assert keeper.get(f"/tickets/{again}").json["repeated"] is None
    for who in (desk, grid):
        assert who.get(f"/tickets/{again}").json["repeated"] is True
        assert repeats(who) == (1, 1, [again])
    assert repeats(keeper) == (0, 0, [])
    for path in ("/stats/sla?by=unit", "/stats/units?metric=repeated"):
        rows = keeper.get(path).json["rows"]
        mine = [figure for row in rows for figure in row["figures"] if figure["metric"] == "repeated"]
        assert {(figure["numerator"], figure["percent"]) for figure in mine} <= {(0, None)}
    month = {f["metric"]: f for f in keeper.get("/dashboard").json["month"]["figures"]}
    assert (month["repeated"]["numerator"], month["repeated"]["percent"]) == (0, None)
    assert month["closed"]["numerator"] == 1


def test_a_patrol_report_with_a_guessed_phone_does_not_say_whether_it_repeats(
    resident: Callable[..., Person], town: Town
) -> None:
    town.bring(reported(resident(), town, anonymous=True, contact_phone=HERS), "accept", "dispatch", *DONE)
    keeper = town.staff("property")
    answers = [taken_in(keeper, town, phone) for phone in (HERS, OTHER)]
    assert [answer.get("repeated") for answer in answers] == [None, None]
    desk = town.staff("community")
    assert [desk.get(f"/tickets/{a['ticket_id']}").json["repeated"] for a in answers] == [True, False]


# --- what is written about her ----------------------------------------------------------------------------


def test_why_an_anonymous_complaint_was_left_out_is_not_for_the_company_it_is_about(
    resident: Callable[..., Person], town: Town
) -> None:
    keeper, desk = town.staff("property"), town.staff("community")
    seen = {}
    for anonymous in (True, False):
        ticket_id = reported(resident(), town, anonymous=anonymous)
        town.bring(ticket_id, "accept", "dispatch", *DONE)
        desk.post(f"/tickets/{ticket_id}/exclude", {"reason": "三栋五零二反复投诉"})
        for who, name in ((keeper, "keeper"), (desk, "desk")):
            items = who.get("/stats/items?metric=closed&share=left_out&reason=excluded").json["items"]
            why = next(i["excluded_because"] for i in items if i["ticket_id"] == ticket_id)
            timeline = who.get(f"/tickets/{ticket_id}").json["timeline"]
            said = next(e["text"] for e in timeline if e["kind"] == "exclude")
            seen[anonymous, name] = (why, said)
    told, hidden = ("三栋五零二反复投诉", "三栋五零二反复投诉"), (None, None)
    assert seen == {
        (True, "keeper"): hidden,
        (True, "desk"): told,
        (False, "keeper"): told,
        (False, "desk"): told,
    }


def test_what_an_anonymous_reporter_said_on_the_phone_is_not_for_the_company(
    resident: Callable[..., Person], town: Town
) -> None:
    ticket_id = reported(resident(), town, anonymous=True)
    town.bring(ticket_id, "accept", "dispatch", *DONE)
    desk = town.staff("community")
    said = {"stars": 3, "solved": True, "note": "三栋五零二王女士说还可以"}
    assert desk.post(f"/tickets/{ticket_id}/callback", said).status_code == 200

    def heard(who: Caller) -> Any:
        timeline = who.get(f"/tickets/{ticket_id}").json["timeline"]
        return next(e["text"] for e in timeline if e["kind"] == "callback")

    assert (heard(town.staff("property")), heard(desk)) == (None, "三栋五零二王女士说还可以")


def test_a_company_that_gave_a_ticket_back_sees_nothing_of_what_came_after(
    resident: Callable[..., Person], town: Town
) -> None:
    ticket_id = reported(resident(), town)
    town.bring(ticket_id, "accept", "dispatch", "return")
    keeper, desk = town.staff("property"), town.staff("community")

    def listed(who: Caller) -> dict[str, Any]:
        items = who.get("/stats/items?metric=returned&share=numerator").json["items"]
        return dict(next(item for item in items if item["ticket_id"] == ticket_id))

    assert desk.post(f"/tickets/{ticket_id}/category", {"category": "noise"}).status_code == 200
    assert desk.post(f"/tickets/{ticket_id}/dispatch", {"org_id": town.a.desk_id}).status_code == 200
    assert keeper.get(f"/tickets/{ticket_id}").status_code == 404
    before = listed(keeper)
    assert (before["status"], before["category"], before["category_name"]) == (None, None, None)
    assert desk.post(f"/tickets/{ticket_id}/start").status_code == 200
    assert listed(keeper) == before
    assert (listed(desk)["status"], listed(desk)["category"]) == ("in_progress", "noise")
