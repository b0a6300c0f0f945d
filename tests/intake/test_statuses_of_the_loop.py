"""What a source is told when its ticket is merged into another or goes to another community."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from app import ids
from app.ids import Kind
from tests.conftest import Person, Town
from tests.intake.conftest import Hotline

REST = ("dispatch", "start", "resolve", "verify", "close")


def _handed_in(hotline: Hotline, number: str) -> str:
    town = hotline.machine.town
    report = {"text": "楼道灯不亮", "category": "property", "estate_id": town.a.estate_id}
    return str(hotline.calls(number, **report)["ticket_id"])


def test_a_source_whose_ticket_was_merged_hears_how_the_other_ends(
    hotline: Hotline,
    town: Town,
    resident: Callable[..., Person],
    work: Callable[..., int],
    number: str,
) -> None:
    wang, desk = resident(), town.staff("community")
    mine = str(wang.report(town.a.estate_id, category="property")["ticket_id"])
    ticket = _handed_in(hotline, number)
    assert desk.post(f"/tickets/{ticket}/merge", {"into": mine}).status_code == 200
    town.bring(mine, "accept", *REST)
    wang.post(f"/tickets/{mine}/reopen", {"reason": "我家还是不亮"})
    work()
    heard: dict[str, Any] = hotline.ledger(number)
    assert [s["status"] for s in heard["statuses"]] == [
        "received", "merged", "accepted", "dispatched", "in_progress", "resolved", "verified", "closed", "accepted",
    ]  # fmt: skip
    assert [s["seq"] for s in heard["statuses"]] == list(range(1, 10))
    assert heard["statuses"][5]["note_for_reporter"] == "已处理"
    assert "我家" not in str(heard["statuses"])
    assert heard["oddities"] == []
    # Taken out again, it hears of its own ticket only.
    assert desk.post(f"/tickets/{ticket}/unmerge").json["status"] == "received"
    town.bring(mine, "dispatch")
    town.bring(ticket, "reject")
    work()
    assert hotline.heard(number)[9:] == ["received", "rejected"]


def test_a_source_whose_ticket_was_referred_goes_on_hearing(
    hotline: Hotline, town: Town, work: Callable[..., int], number: str
) -> None:
    ticket = _handed_in(hotline, number)
    town.bring(ticket, "accept")
    there = ids.encode(Kind.COMMUNITY, UUID(int=town.b.id))
    gone = town.staff("community").post(
        f"/tickets/{ticket}/refer", {"community_id": there, "reason": "属于乙社区"}
    )
    successor = gone.json["referred_to"]
    desk = town.staff("community", town.b)
    assert desk.get(f"/tickets/{successor}").json["source"]["external_number"] == number
    desk.post(f"/tickets/{successor}/accept")
    work()
    heard = hotline.ledger(number)
    assert [s["status"] for s in heard["statuses"]] == [
        "received", "accepted", "referred", "received", "accepted",
    ]  # fmt: skip
    assert [s["seq"] for s in heard["statuses"]] == [1, 2, 3, 4, 5]
    assert len({s["number"] for s in heard["statuses"]}) == 1
    assert heard["oddities"] == []
