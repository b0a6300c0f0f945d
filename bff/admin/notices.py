"""Notices: drafts, publishing, corrections, withdrawal; who has read them and whom that leaves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, g, url_for

from app.errors import NotFound
from app.ids import Kind, Ref
from app.memberships import telling as members
from app.notices import coverage, queries, service
from app.notices import reach as reaching
from app.notices.coverage import Count
from app.notices.models import Notice, NoticeStatus, Topic
from app.notices.queries import NoticeFilter
from app.notices.reach import Covers
from app.people.permissions import Permission as Allow
from app.places import households
from app.places import queries as places
from bff.admin import notice_schemas as s
from bff.admin.auth import requires
from bff.admin.registry import owner_out
from bff.http import (
    Versioned,
    asked_version,
    read_cursor,
    reads,
    versioned,
    wanted_version,
    write_cursor,
    writes,
)
from bff.notices import blocks_out, files_out, hand_out, history_out
from bff.schemas import Blueprint

blp = Blueprint("staff-notices", __name__, url_prefix="/admin/api/v1", description="Notices")


def _row(row: Notice, readers: dict[Ref, int]) -> dict[str, Any]:
    same = ("kind", "title", "status", "areas", "publish_at", "published_at", "withdrawn_at", "revision")
    return {name: getattr(row, name) for name in (*same, "updated_at", "version")} | {
        "notice_id": queries.ref_of(row),
        "readers": readers.get(queries.ref_of(row), 0),
    }


def _count(count: Count) -> dict[str, int]:
    return {"houses": count.houses, "bound": count.bound, "read": count.read, "unread": count.unread}


def _reach(row: Notice, told: Covers) -> dict[str, Any]:
    whole = coverage.total(coverage.by_building(row, told))
    people = coverage.people(row, told)
    return _count(whole) | {
        "rate_bp": whole.read * 10_000 // whole.houses if whole.houses else None,
        "readers": people.read,
        "finished": people.finished,
    }


def _audience(told: Covers) -> dict[str, int]:
    found = coverage.audience(told)
    return {"houses": found.houses, "bound": found.bound}


def _seen(row: Notice, permission: Allow) -> Covers:
    """Those of its places where the member of staff has this permission."""
    return queries.covers_of(row).within(reaching.reach(g.staff, permission))


def _detail(row: Notice) -> dict[str, Any]:
    ref = queries.ref_of(row)
    reach = _reach(row, _seen(row, Allow.NOTICE_VIEW)) if row.status in queries.OUT else None
    is_draft = row.status not in queries.OUT
    return _row(row, queries.readers([row])) | {
        "text": row.text,
        "blocks": blocks_out(row.text),
        "audience": _audience(queries.covers_of(row)) if is_draft else None,
        "study_minutes": row.study_minutes,
        "withdrawal": row.withdrawal,
        "author_id": row.created_by,
        "publisher_id": row.published_by,
        "corrections": history_out(row),
        "files": files_out(ref, "staff-notices.staff_notice_file"),
        "reach": reach,
    }


@blp.route("/notices", methods=["GET"])
@requires(Allow.NOTICE_VIEW)
@reads
@blp.arguments(s.NoticeListQuery, location="query")
@blp.response(200, s.StaffNoticeList)
def staff_notices(args: dict[str, Any]) -> dict[str, Any]:
    """Notices of my places, the newest first; drafts of others only where I might publish all of them."""
    return listed(args)


def listed(args: dict[str, Any]) -> dict[str, Any]:
    """The rows of notices, for this face and its pages."""
    after = read_cursor(args["cursor"], int, UUID)
    statuses = frozenset(args["status"].split(",")) & frozenset(NoticeStatus)
    rows = queries.listed_for(
        g.staff,
        NoticeFilter(statuses, args["kind"], Ref(*args["estate_id"]) if args["estate_id"] else None),
        limit=args["limit"] + 1,
        after=(after[0], after[1]) if after else None,
    )
    page = rows[: args["limit"]]
    readers = queries.readers(page)
    last = page[-1] if len(rows) > len(page) else None
    return {
        "items": [_row(row, readers) for row in page],
        "next_cursor": write_cursor(last.community_id, last.id) if last is not None else None,
    }


@blp.route("/notices", methods=["POST"])
@requires(Allow.NOTICE_EDIT)
@writes
@blp.arguments(s.NoticeIn)
@blp.response(201, s.StaffNoticeOut)
def add_notice(body: dict[str, Any]) -> Versioned:
    """Write a draft for areas of mine. With `publish_at` it goes out at that time once it is published."""
    areas = body.pop("area_ids")
    row = service.add_draft(kind=Topic(body.pop("kind")), areas=areas, **body, acting_user=g.staff)
    where = url_for("staff-notices.staff_notice", ref=queries.ref_of(row))
    return versioned(_detail(row), 201, Location=where)


@blp.route("/notices/preview", methods=["POST"])
@requires(Allow.NOTICE_EDIT)
@writes
@blp.arguments(s.NoticePreviewIn)
@blp.response(200, s.NoticePreviewOut)
def preview_notice(body: dict[str, Any]) -> dict[str, Any]:
    """How a text will look, and how many houses its areas are; nothing is kept. A POST, because texts are long."""
    audience = service.reached(body["area_ids"], acting_user=g.staff) if body["area_ids"] else None
    return {
        "blocks": blocks_out(body["text"]),
        "audience": _audience(audience) if audience is not None else None,
    }


@blp.route("/notices/<ref(ntc):ref>", methods=["GET"])
@requires(Allow.NOTICE_VIEW)
@reads
@blp.response(200, s.StaffNoticeOut)
def staff_notice(ref: Ref) -> Versioned:
    """A notice with its files, its versions, and how far it has come in the places I see."""
    return versioned(seen(ref))


def seen(ref: Ref) -> dict[str, Any]:
    """A notice that I may see, for this face and its pages. Raises NotFound."""
    return _detail(queries.notice_for(g.staff, ref))


@blp.route("/notices/<ref(ntc):ref>", methods=["PATCH"])
@requires(Allow.NOTICE_EDIT)
@writes
@blp.arguments(s.NoticeChange)
@blp.response(200, s.StaffNoticeOut)
def change_notice(body: dict[str, Any], ref: Ref) -> Versioned:
    """Change a draft. Of a published notice: correct title or text or add files, with a reason; earlier versions stay
    readable.
    """
    if "area_ids" in body:
        body["areas"] = body.pop("area_ids")
    row = service.change(ref, changes=body, version=wanted_version(), acting_user=g.staff)
    return versioned(_detail(row))


@blp.route("/notices/<ref(ntc):ref>", methods=["DELETE"])
@requires(Allow.NOTICE_EDIT)
@writes
@blp.response(204)
def drop_notice(ref: Ref) -> None:
    """Throw a draft away."""
    service.drop_draft(ref, version=wanted_version(), acting_user=g.staff)


@blp.route("/notices/<ref(ntc):ref>/publish", methods=["POST"])
@requires(Allow.NOTICE_PUBLISH)
@writes
@blp.response(200, s.StaffNoticeOut)
def publish_notice(ref: Ref) -> Versioned:
    """Publish the version that I saw: now, or at its `publish_at`."""
    return versioned(_detail(service.publish(ref, version=wanted_version(), acting_user=g.staff)))


@blp.route("/notices/<ref(ntc):ref>/withdraw", methods=["POST"])
@requires(Allow.NOTICE_PUBLISH)
@writes
@blp.arguments(s.NoticeWithdrawIn)
@blp.response(200, s.StaffNoticeOut)
def withdraw_notice(body: dict[str, Any], ref: Ref) -> Versioned:
    """Take it back, with a reason that residents read; what is only scheduled becomes a draft again."""
    row = service.withdraw(ref, reason=body["reason"], version=asked_version(), acting_user=g.staff)
    return versioned(_detail(row))


@blp.route("/notices/<ref(ntc):ref>/files/<ref(upl):file_id>", methods=["GET"])
@requires(Allow.NOTICE_VIEW)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def staff_notice_file(ref: Ref, file_id: UUID) -> Response:
    """A file of a notice."""
    return hand_out(lambda: queries.notice_for(g.staff, ref), file_id)


@blp.route("/notices/<ref(ntc):ref>/unread", methods=["GET"])
@requires(Allow.NOTICE_READERS)
@reads
@blp.arguments(s.UnreadQuery, location="query")
@blp.response(200, s.UnreadOut)
def unread_of_notice(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """`by=building`: how many houses have read it in each building. `by=house`: the houses in which nobody has, with
    their owners, masked; of an estate or a building where one is named.
    """
    return unread_in(args, ref)


def unread_in(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """How far a notice has come, by building or house, for this face and its pages. Raises NotFound, NotOut."""
    row = queries.out_for(g.staff, ref, Allow.NOTICE_READERS)
    reach = reaching.reach(g.staff, Allow.NOTICE_READERS)
    told = queries.covers_of(row).within(reach)
    for kind, name in ((Kind.ESTATE, "estate_id"), (Kind.BUILDING, "building_id")):
        if args[name] is not None:
            place = reaching.covers_of(reaching.choose([(kind, args[name])]))
            if not reach.within(place):  # as if there were no such place
                raise NotFound
            told = told.within(place)
    found = coverage.by_building(row, told)
    answer: dict[str, Any] = {"total": _count(coverage.total(found)), "next_cursor": None}
    if args["by"] == "building":
        answer["items"] = [
            {
                "estate_id": one.estate,
                "estate": one.estate_name,
                "building_id": one.building,
                "building": one.building_name,
                **_count(one.reach),
            }
            for one in found
        ]
        return answer
    after = read_cursor(args["cursor"], int, UUID)
    waiting = coverage.unread_houses(
        row, told, limit=args["limit"] + 1, after=(after[0], after[1]) if after else None
    )
    page = waiting[: args["limit"]]
    estates = places.estates(told.estates)
    if len(waiting) > len(page):
        last = page[-1].view.house
        answer["next_cursor"] = write_cursor(last.community_id, last.id)
    return answer | {"items": [_waiting(one, estates[_estate(one)].name) for one in page]}


def _estate(one: coverage.Waiting) -> Ref:
    return Ref(one.view.house.community_id, one.view.house.estate_id)


def _waiting(one: coverage.Waiting, estate_name: str) -> dict[str, Any]:
    view, house = one.view, one.view.house
    voter = view.holding.voter_id if view.holding else None
    return {
        "estate_id": _estate(one),
        "estate": estate_name,
        "building_id": Ref(house.community_id, house.building_id) if house.building_id else None,
        "building": view.building,
        "house_id": Ref(house.community_id, house.id),
        "unit": view.unit,
        "number": house.number,
        "kind": house.kind,
        "is_bound": one.is_bound,
        "owners": [owner_out(owner, voter=voter, whole=False) for owner in view.owners],
    }


@blp.route("/notices/<ref(ntc):ref>/learners", methods=["GET"])
@requires(Allow.NOTICE_READERS)
@reads
@blp.arguments(s.LearnerQuery, location="query")
@blp.response(200, s.LearnerList)
def learners_of_notice(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Of a notice to study: each bound resident of its houses, masked, with when she opened and finished it."""
    row = queries.out_for(g.staff, ref, Allow.NOTICE_READERS)
    after = read_cursor(args["cursor"], int, UUID)
    found = coverage.learners(
        row,
        _seen(row, Allow.NOTICE_READERS),
        finished=args["finished"],
        limit=args["limit"] + 1,
        after=(after[0], after[1]) if after else None,
    )
    page = found[: args["limit"]]
    addresses: dict[Ref, households.Address] = {}
    for home in {one.membership.community_id for one in page}:
        here = {one.membership.house_id for one in page if one.membership.community_id == home}
        addresses |= {Ref(home, house): words for house, words in households.addresses(home, here).items()}
    last = page[-1].membership if len(found) > len(page) else None
    return {
        "items": [
            {
                "membership_id": Ref(one.membership.community_id, one.membership.id),
                "house_id": (house := Ref(one.membership.community_id, one.membership.house_id)),
                **addresses[house]._asdict(),
                "relation": one.membership.relation,
                "name_masked": members.name_words(one.membership),
                "read_at": one.read_at,
                "finished_at": one.finished_at,
            }
            for one in page
        ],
        "next_cursor": write_cursor(last.community_id, last.id) if last is not None else None,
    }
