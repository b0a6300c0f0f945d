"""The whole story over HTTP: from a resident's photo to a rated, closed ticket."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import TEMPLATE, Person, Town, small_jpeg


def test_a_report_is_handled_to_its_end_and_the_resident_is_told_at_each_step(
    resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    wang = resident("wang")
    # WeChat tells accepts of one second as one event; the mini-program's own word covers the others.
    for _ in range(7):
        wang.post("/subscriptions", {"results": {TEMPLATE: "accept"}})
    for _ in range(7):
        town.house.order("subscribe", name=wang.name, template_id=TEMPLATE, result="accept")
    photo = wang.photo()
    work()
    opened = wang.report(town.a.estate_id, category="lighting", photo_ids=[photo])
    ticket_id = opened["ticket_id"]
    desk, handler, grid = town.staff("community"), town.staff("property"), town.staff("grid")

    assert desk.post(f"/tickets/{ticket_id}/accept").json["status"] == "accepted"
    assert desk.post(f"/tickets/{ticket_id}/dispatch", {}).json["org"].endswith("物业")
    assert handler.post(f"/tickets/{ticket_id}/start").json["status"] == "in_progress"
    after = handler.upload("/files", small_jpeg(), purpose="after_photo")
    assert after.status_code == 201, after.text
    resolved = handler.post(
        f"/tickets/{ticket_id}/resolve", {"note": "已更换灯泡", "photo_ids": [after.json["file_id"]]}
    )
    assert resolved.json["status"] == "resolved", resolved.text
    assert (
        grid.post(f"/tickets/{ticket_id}/verify", {"passed": True, "note": "灯亮了"}).json["status"]
        == "verified"
    )
    assert desk.post(f"/tickets/{ticket_id}/close").json["status"] == "closed"
    rated = wang.post(f"/tickets/{ticket_id}/rating", {"stars": 5, "solved": True, "text": "很快"})
    assert rated.status_code == 200, rated.text
    work()

    ticket = wang.ticket(ticket_id)
    assert [e["kind"] for e in ticket["timeline"]] == [
        "report", "accept", "dispatch", "start", "resolve", "verify", "close", "rating",
    ]  # fmt: skip
    assert {p["stage"] for p in ticket["photos"]} == {"before", "after"}
    assert ticket["rating"]["stars"] == 5
    kinds = [m["kind"] for m in wang.get("/inbox").json["items"]]
    assert kinds == [
        "ticket_closed", "ticket_verified", "ticket_resolved", "ticket_started", "ticket_dispatched",
        "ticket_accepted", "ticket_received",
    ]  # fmt: skip
    assert len(town.house.ledger(wang.name)) == 7
