"""Closing honestly: repeats are marked, doubtful proofs flagged, calls back sampled, complaints left out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import psycopg
import pytest
from PIL import Image

from app import ids
from app.ids import Kind
from app.media import imaging
from tests.conftest import Person, Town

DONE = ("accept", "dispatch", "start", "resolve", "verify", "close")


def reported(who: Person, town: Town, **more: Any) -> str:
    return str(who.report(town.a.estate_id, **({"category": "noise"} | more))["ticket_id"])


# --- repeated ---------------------------------------------------------------------------------------------


def test_the_same_trouble_within_thirty_days_of_closing_is_marked(
    resident: Callable[..., Person], town: Town, later: Callable[..., datetime]
) -> None:
    wang = resident("wang")
    town.bring(reported(wang, town), *DONE)

    def is_repeated(who: Person, **more: Any) -> bool:
        ticket_id = reported(who, town, **more)
        return bool(town.staff("community").get(f"/tickets/{ticket_id}").json["repeated"])

    assert is_repeated(wang)
    assert not is_repeated(resident("li"))
    assert not is_repeated(wang, category="dogs")
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    assert not is_repeated(wang, estate_id=second)
    unsorted = reported(wang, town, category=None)
    desk = town.staff("community")
    assert desk.get(f"/tickets/{unsorted}").json["repeated"] is False
    assert desk.post(f"/tickets/{unsorted}/category", {"category": "noise"}).json["repeated"] is True
    later(days=29)
    town.a.staff.clear()
    assert is_repeated(resident("wang"))
    later(days=2)
    town.a.staff.clear()
    assert not is_repeated(resident("wang"))


# --- doubtful proof ---------------------------------------------------------------------------------------


def picture(seed: int, *, quality: int = 85, size: int = 400) -> bytes:
    """A picture with structure that survives scaling."""
    digest = hashlib.sha256(str(seed).encode()).digest() * 4
    small = Image.frombytes("L", (9, 8), digest[:72])
    out = BytesIO()
    large = small.resize((size, size * 8 // 9), Image.Resampling.BICUBIC)
    large.convert("RGB").save(out, "JPEG", quality=quality)
    return out.getvalue()


def flags(town: Town, ticket_id: str) -> set[str]:
    seen = town.staff("grid").get(f"/tickets/{ticket_id}").json
    return {flag["code"] for flag in seen["closure_flags"]}


def fixed(
    town: Town, who: Person, after: bytes, work: Callable[..., int], *, before: bytes | None = None
) -> str:
    photo_ids = [who.photo(before)] if before else []
    ticket_id = reported(who, town, photo_ids=photo_ids)
    town.bring(ticket_id, "accept", "dispatch", "start")
    handler = town.staff("property")
    file_id = handler.upload("/files", after).json["file_id"]
    answer = handler.post(f"/tickets/{ticket_id}/resolve", {"note": "好了", "photo_ids": [file_id]})
    assert answer.status_code == 200, answer.text
    work()
    return ticket_id


def test_a_photo_used_twice_is_flagged_for_who_verifies_and_blocks_nothing(
    resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    wang = resident()
    first = fixed(town, wang, picture(1), work)
    other = fixed(town, wang, picture(2), work)
    assert (flags(town, first), flags(town, other)) == (set(), set())
    again = fixed(town, wang, picture(1, quality=40, size=300), work)
    assert flags(town, again) == {"used_elsewhere"}
    seen = town.staff("grid").get(f"/tickets/{again}").json["closure_flags"]
    assert all(flag["text"] for flag in seen)
    assert town.staff("property").get(f"/tickets/{again}").json["closure_flags"] == []
    assert "closure_flags" not in wang.ticket(again)
    assert town.staff("grid").post(f"/tickets/{again}/verify", {"passed": True}).status_code == 200


def test_the_picture_of_the_report_is_no_proof(
    resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    ticket_id = fixed(town, resident(), picture(7, quality=60), work, before=picture(7))
    assert flags(town, ticket_id) == {"same_as_before"}


def test_an_old_photo_is_flagged(
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    owner: psycopg.Connection[Any],
) -> None:
    wang = resident()
    ticket_id = fixed(town, wang, picture(11), work)
    ref = ids.decode_ref(Kind.TICKET, ticket_id)
    for ago, expected in (
        (timedelta(seconds=0), set()),
        (timedelta(hours=2), {"taken_before_dispatch"}),
        (timedelta(days=8), {"taken_before_dispatch", "taken_long_ago"}),
    ):
        owner.execute(
            "UPDATE photos SET taken_at = attached_at - %s WHERE community_id = %s AND object_id = %s",
            (ago, ref.community_id, ref.id),
        )
        assert flags(town, ticket_id) == expected, ago


@pytest.mark.parametrize(("quality", "size"), [(30, 400), (95, 200), (60, 1000)])
def test_the_fingerprint_survives_scaling_and_compression(quality: int, size: int) -> None:
    def bits(data: bytes) -> int:
        return imaging.fingerprint(imaging.render(data, [320])[320].data) & (2**64 - 1)

    whole = bits(picture(3))
    assert (whole ^ bits(picture(3, quality=quality, size=size))).bit_count() <= 6
    assert (whole ^ bits(picture(4))).bit_count() > 12
    assert -(2**63) <= imaging.fingerprint(imaging.render(picture(3), [320])[320].data) < 2**63


# --- what the reporter says -------------------------------------------------------------------------------


def closing_event(town: Town, ticket_id: str, kind: str) -> dict[str, Any]:
    timeline = town.staff("community").get(f"/tickets/{ticket_id}").json["timeline"]
    return dict(next(e for e in reversed(timeline) if e["kind"] == kind)["data"])


def test_a_dissatisfied_reporter_counts_against_who_had_fixed_it(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    for stars, solved, counts in ((5, True, False), (3, True, False), (2, True, True), (4, False, True)):
        ticket_id = reported(wang, town)
        town.bring(ticket_id, *DONE)
        wang.post(f"/tickets/{ticket_id}/rating", {"stars": stars, "solved": solved})
        data = closing_event(town, ticket_id, "rating")
        assert data.get("against") == (town.a.property_id if counts else None), (stars, solved)
        assert wang.ticket(ticket_id)["status"] == ("closed" if solved else "accepted")


def test_a_call_back_that_finds_it_unsolved_reopens(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    ticket_id = reported(wang, town)
    town.bring(ticket_id, *DONE)
    desk = town.staff("community")
    good = {"stars": 5, "solved": True}
    assert town.staff("property").post(f"/tickets/{ticket_id}/callback", good).status_code == 403
    done = desk.post(f"/tickets/{ticket_id}/callback", {"stars": 1, "solved": False, "note": "灯还不亮"})
    assert (done.json["status"], done.json["reopened"]) == ("accepted", 1)
    assert closing_event(town, ticket_id, "callback")["against"] == town.a.property_id
    again = desk.post(f"/tickets/{ticket_id}/callback", good)
    assert (again.status_code, again.json["code"]) == (409, "illegal_move")


def test_urgent_and_badly_rated_ones_are_called_back_and_a_fixed_tenth_of_the_rest(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    wang, desk = resident(), town.staff("community")
    urgent, bad = reported(wang, town, urgent=True), reported(wang, town)
    for ticket_id in (urgent, bad):
        town.bring(ticket_id, *DONE)
    wang.post(f"/tickets/{bad}/rating", {"stars": 1, "solved": True})
    plain = [reported(wang, town) for _ in range(30)]
    # Closed by hand: thirty times six moves would only take time.
    owner.execute(
        "UPDATE tickets SET status = 'closed', closed_at = now() WHERE community_id = %s AND status = 'received'",
        (town.a.id,),
    )
    due = {t["ticket_id"] for t in desk.get("/tickets?callback_due=true&limit=100").json["items"]}

    def sampled(ticket_id: str) -> bool:
        raw = str(ids.decode_ref(Kind.TICKET, ticket_id).id)
        return hashlib.md5(raw.encode()).hexdigest()[:2] < "1a"

    assert due == {urgent, bad, *(t for t in plain if sampled(t))}
    rest = {t["ticket_id"] for t in desk.get("/tickets?callback_due=false&limit=100").json["items"]}
    assert rest == {urgent, bad, *plain} - due
    assert desk.post(f"/tickets/{urgent}/callback", {"stars": 5, "solved": True}).status_code == 200
    due = {t["ticket_id"] for t in desk.get("/tickets?callback_due=true&limit=100").json["items"]}
    assert urgent not in due
    assert bad in due


def test_an_unreasonable_complaint_is_left_out_without_telling_the_resident(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    ticket_id = reported(wang, town)
    body = {"reason": "反复投诉同一已解决事项"}
    early = desk.post(f"/tickets/{ticket_id}/exclude", body)
    assert (early.status_code, early.json["code"]) == (409, "illegal_move")
    town.bring(ticket_id, *DONE)
    told = len(wang.get("/inbox?limit=100").json["items"])
    for role in ("property", "grid"):
        assert town.staff(role).post(f"/tickets/{ticket_id}/exclude", body).status_code == 403
    assert desk.post(f"/tickets/{ticket_id}/exclude", body).json["excluded"] is True
    assert "反复投诉" not in str(wang.ticket(ticket_id))
    assert "exclud" not in str(wang.ticket(ticket_id))
    assert len(wang.get("/inbox?limit=100").json["items"]) == told
