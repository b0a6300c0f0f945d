"""Pages of notices: the list, writing one, one with how far it has come, and the houses in which nobody has read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import marshmallow as ma
from flask import g, request

from app import ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.messaging.campaign_models import AudienceType
from app.notices import queries
from app.notices import reach as reaching
from app.notices.models import TOPIC_NAMES, NoticeStatus, Topic
from app.notices.reach import Covers
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.places.queries import Cover
from bff.admin import notice_schemas as s
from bff.admin import notices
from bff.admin.auth import requires
from bff.admin.console import areas
from bff.admin.console.campaign_pages import wizard_address
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.registry_words import KINDS
from bff.http import reads
from bff.schemas import PageQuery, WireId

STATUSES = {
    NoticeStatus.DRAFT: "草稿",
    NoticeStatus.SCHEDULED: "定时发布",
    NoticeStatus.PUBLISHED: "已发布",
    NoticeStatus.WITHDRAWN: "已撤回",
}
LOOKS = {"draft": "received", "scheduled": "in_progress", "published": "closed", "withdrawn": "returned"}
PAGE_SIZE = 50


def percent(basis_points: int | None) -> str:
    """A rate in hundredths of a percent as people read it; a dash where there is nobody to count."""
    return "—" if basis_points is None else f"{basis_points / 100:.1f}%"


def rate(part: int, whole: int) -> str:
    """A share as a rate, rounded down as the face does; a dash of nothing."""
    return percent(part * 10_000 // whole if whole else None)


_WORDS = {
    "topics": TOPIC_NAMES,
    "statuses": STATUSES,
    "looks": LOOKS,
    "percent": percent,
    "rate": rate,
    "kinds": KINDS,
}


# --- the list ----------------------------------------------------------------------------------------------


@blp.route("/notices", methods=["GET"])
@requires(Allow.NOTICE_VIEW)
@reads
def notice_list() -> str:
    """What was written and published in her places, the newest first."""
    asked = query(s.NoticeListQuery)
    area = areas.chosen(areas.mine())
    mine = {cover.estate for cover in reaching.reach(g.staff, Allow.NOTICE_VIEW).covers}
    if asked["estate_id"] is None and area is not None and area.kind == "小区":
        ref = ids.decode_ref(Kind.ESTATE, area.value)
        asked["estate_id"] = ref if ref in mine else None
    found = s.StaffNoticeList().dump(notices.listed(asked))
    given = {name: value for name, value in request.args.items() if value.strip() and name != "cursor"}
    return page(
        "notices/list.html",
        here="notices",
        list=found,
        given=given,
        is_later="cursor" in request.args,
        at=_at,
        may_write=g.staff.may(Allow.NOTICE_EDIT),
        **_WORDS,
    )


def _at(**given: Any) -> str:
    asked = {name: value for name, value in given.items() if value}
    return f"/admin/notices?{urlencode(asked)}" if asked else "/admin/notices"


# --- writing -----------------------------------------------------------------------------------------------


class AreaChoice(NamedTuple):
    """A place that can be told. `level`: 0 community, 1 estate or grid, 2 building; `opens`: its buildings follow."""

    value: str
    name: str
    level: int
    note: str = ""
    opens: bool = False


def _choices(reach: Covers, chosen: Iterable[dict[str, str]]) -> list[AreaChoice]:
    """Where she may tell something, whole; and what is chosen already."""
    found: list[AreaChoice] = []
    for area in areas.mine():
        kind = {"社区": Kind.COMMUNITY, "小区": Kind.ESTATE, "网格": Kind.GRID}[area.kind]
        decode = ids.decode_id if kind is Kind.COMMUNITY else ids.decode_ref
        covers: frozenset[Cover] = reaching.choose([(kind, decode(kind, area.value))])[0].covers
        if covers and reach.holds(Covers(covers)):
            note = area.kind if kind is not Kind.ESTATE else ""
            found.append(AreaChoice(area.value, area.name, area.level, note, kind is Kind.ESTATE))
    parts = sorted((cover.building for cover in reach.covers if cover.building is not None), key=str)
    for ref in parts:
        building = places.building(ref)
        estate = places.estate(Ref(ref.community_id, building.estate_id))
        found.append(AreaChoice(ids.encode(Kind.BUILDING, ref), estate.name + building.name, 1))
    known = {one.value for one in found}
    return [AreaChoice(one["id"], one["name"], 0) for one in chosen if one["id"] not in known] + found


def _writing(shown: dict[str, Any] | None) -> dict[str, Any]:
    picked = shown["areas"] if shown else []
    choices = _choices(reaching.reach(g.staff, Allow.NOTICE_EDIT), picked)
    return {
        **_WORDS,
        "notice": shown,
        "choices": choices,
        "picked": {one["id"] for one in picked} or ({choices[0].value} if len(choices) == 1 else set()),
        "is_out": shown is not None and shown["status"] == NoticeStatus.PUBLISHED,
        "study": Topic.STUDY.value,
        "publish_at": (shown["publish_at"] or "")[:16] if shown else "",
    }


@blp.route("/notices/new", methods=["GET"])
@requires(Allow.NOTICE_EDIT)
@reads
def notice_new() -> str:
    """An empty notice."""
    return page("notices/write.html", here="notices", **_writing(None))


@blp.route("/notices/<ref(ntc):ref>/edit", methods=["GET"])
@requires(Allow.NOTICE_EDIT)
@reads
def notice_edit(ref: Ref) -> str:
    """A draft to go on with, or a published notice to be corrected."""
    return page("notices/write.html", here="notices", **_writing(s.StaffNoticeOut().dump(notices.seen(ref))))


@blp.route("/notices/estates/<ref(est):ref>/buildings", methods=["GET"])
@requires(Allow.NOTICE_EDIT)
@reads
def notice_buildings(ref: Ref) -> str:
    """The buildings of an estate as places to choose: read when its line is opened."""
    reach = reaching.reach(g.staff, Allow.NOTICE_EDIT)
    if not reach.holds(Covers(frozenset({Cover(ref)}))):
        raise NotFound
    found = [(ids.encode(Kind.BUILDING, Ref(b.community_id, b.id)), b.name) for b in places.buildings_of(ref)]
    return fragment("notices/_buildings.html", buildings=found)


# --- one notice --------------------------------------------------------------------------------------------


def _may(row: Any, permission: Allow) -> bool:
    return reaching.reach(g.staff, permission).holds(queries.covers_of(row))


def _whole(ref: Ref) -> dict[str, Any]:
    shown = s.StaffNoticeOut().dump(notices.seen(ref))
    row = queries.notice(ref)
    may_publish = _may(row, Allow.NOTICE_PUBLISH)
    is_mine = row.status == NoticeStatus.DRAFT and row.created_by == g.staff.id
    is_out = row.status in queries.OUT
    sees_readers = is_out and bool(
        queries.covers_of(row).within(reaching.reach(g.staff, Allow.NOTICE_READERS))
    )
    buildings = []
    if sees_readers:
        asked = s.UnreadQuery().load({"by": "building"})
        buildings = s.UnreadOut().dump(notices.unread_in(asked, ref))["items"]
    return {
        **_WORDS,
        **_texting(shown),
        "notice": shown,
        "may_publish": may_publish,
        "may_edit": row.status != NoticeStatus.WITHDRAWN
        and _may(row, Allow.NOTICE_EDIT)
        and (is_mine or may_publish),
        "is_out": is_out,
        "sees_readers": sees_readers,
        "buildings": buildings,
    }


def _texting(shown: dict[str, Any]) -> dict[str, Any]:
    """Where those are texted who haven't read it, for who may."""
    return {
        "may_text": shown["status"] == NoticeStatus.PUBLISHED and g.staff.may(Allow.CAMPAIGN_EDIT),
        "text_address": wizard_address(AudienceType.NOTICE_UNREAD, shown["notice_id"], title=shown["title"]),
    }


@blp.route("/notices/<ref(ntc):ref>", methods=["GET"])
@requires(Allow.NOTICE_VIEW)
@reads
def notice_page(ref: Ref) -> str:
    """A notice as residents see it, with what can be done and how far it has come."""
    values = _whole(ref)
    if is_fragment():
        return fragment("notices/_notice.html", **values)
    return page("notices/one.html", here="notices", **values)


@blp.route("/notices/<ref(ntc):ref>/now", methods=["GET"])
@requires(Allow.NOTICE_VIEW)
@reads
def notice_now(ref: Ref) -> str:
    """How it stands now, in a few lines: for whom a colleague was faster."""
    return fragment("notices/_now.html", **_WORDS, notice=s.StaffNoticeOut().dump(notices.seen(ref)))


class UnreadPageQuery(PageQuery):
    estate_id = WireId(Kind.ESTATE, load_default=None)
    building_id = WireId(Kind.BUILDING, load_default=None)
    name = ma.fields.String(load_default="", validate=ma.validate.Length(max=60))


@blp.route("/notices/<ref(ntc):ref>/unread", methods=["GET"])
@requires(Allow.NOTICE_READERS)
@reads
def notice_unread(ref: Ref) -> str:
    """The houses of a building in which nobody has read it: the list to go round with."""
    asked = query(UnreadPageQuery)
    name = asked.pop("name")
    found = s.UnreadOut().dump(notices.unread_in(asked | {"by": "house", "limit": PAGE_SIZE}, ref))
    given = {key: value for key, value in request.args.items() if value.strip() and key != "cursor"}
    shown = s.StaffNoticeOut().dump(notices.seen(ref))
    return page(
        "notices/unread.html",
        here="notices",
        notice=shown,
        **_texting(shown),
        list=found,
        place=name,
        rest=urlencode(given),
        is_later="cursor" in request.args,
        **_WORDS,
    )
