"""What staff read of a ticket that was referred to them: also what happened before, while they have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from app import ids
from app.ids import Kind
from tests.conftest import Caller, Person, Town


def refer(who: Caller, ticket_id: str, community: int) -> str:
    body = {"community_id": ids.encode(Kind.COMMUNITY, UUID(int=community)), "reason": "属于邻社区"}
    answer = who.post(f"/tickets/{ticket_id}/refer", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json["referred_to"])


def timeline(who: Caller, ticket_id: str) -> list[dict[str, Any]]:
    answer = who.get(f"/tickets/{ticket_id}")
    assert answer.status_code == 200, answer.text
    return list(answer.json["timeline"])


def test_the_successors_staff_read_what_happened_before(resident: Callable[..., Person], town: Town) -> None:
    wang, here, there = resident(), town.staff("community"), town.staff("community", town.b)
    ticket_id = str(wang.report(town.a.estate_id, category="noise", anonymous=True)["ticket_id"])
    town.bring(ticket_id, "accept", "dispatch")
    town.staff("property").post(f"/tickets/{ticket_id}/return", {"reason": "施工方在对面社区"})
    here.post(f"/tickets/{ticket_id}/comment", {"text": "已电话核实", "visibility": "internal"})
    wang.post(f"/tickets/{ticket_id}/comments", {"text": "每晚十点以后"})
    before = timeline(here, ticket_id)
    successor = refer(here, ticket_id, town.b.id)
    seen = timeline(there, successor)
    assert [e["kind"] for e in seen] == [*(e["kind"] for e in before), "refer", "referred_in"]
    assert [e["seq"] for e in seen] == list(range(1, len(seen) + 1))
    assert [e["text"] for e in seen][3:6] == ["施工方在对面社区", "已电话核实", "每晚十点以后"]
    names = [e["community"] for e in seen]
    assert len(set(names[:-1])) == 1
    assert names[-1] not in names[:-1]
    assert [e["actor"] for e in seen if e["actor_kind"] == "resident"] == ["上报人"] * 2
    # A unit there reads it as well, but not who reported.
    for move, body in (("accept", None), ("dispatch", {"org_id": town.b.property_id})):
        assert there.post(f"/tickets/{successor}/{move}", body).status_code == 200
    unit = timeline(town.staff("property", town.b), successor)
    assert [e["text"] for e in unit][3:5] == ["施工方在对面社区", "已电话核实"]
    assert {e["actor"] for e in unit if e["actor_kind"] == "resident"} == {"匿名居民"}
    # The old community reads its own end and nothing of what goes on there.
    assert [e["kind"] for e in timeline(here, ticket_id)] == [*(e["kind"] for e in before), "refer"]


def test_once_it_is_referred_on_only_its_own_part_is_left(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, here, there = resident(), town.staff("community"), town.staff("community", town.b)
    first = str(wang.report(town.a.estate_id, category="noise")["ticket_id"])
    second = refer(here, first, town.b.id)
    third = refer(there, second, town.a.id)
    assert [e["kind"] for e in timeline(there, second)] == ["referred_in", "refer"]
    assert [e["kind"] for e in timeline(here, third)] == [
        "report",
        "refer",
        "referred_in",
        "refer",
        "referred_in",
    ]
    assert [e["kind"] for e in timeline(here, first)] == ["report", "refer"]
    town.staff("community").post(f"/tickets/{third}/reject", {"reason": "不属于受理范围"})
    assert len(timeline(here, third)) == 6, "an ended ticket is still theirs"


def test_what_other_communities_wrote_is_read_by_nobody_else(
    resident: Callable[..., Person], town: Town, make_town: Callable[[], Town]
) -> None:
    ticket_id = str(resident().report(town.a.estate_id, category="noise")["ticket_id"])
    successor = refer(town.staff("community"), ticket_id, town.b.id)
    strangers = make_town()
    for role in ("community", "street"):
        assert strangers.staff(role).get(f"/tickets/{successor}").status_code == 404
    for role in ("community", "grid", "property"):
        assert town.staff(role).get(f"/tickets/{successor}").status_code == 404
    assert "community" not in timeline(town.staff("community"), ticket_id)[0]
