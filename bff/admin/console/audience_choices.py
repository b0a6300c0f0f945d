"""What the wizard of campaigns offers to choose from for each type of audience, and what was chosen in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from app import ids
from app.errors import NotFound
from app.focus import kinds
from app.ids import BadId, Kind, Ref
from app.memberships.audiences import governed
from app.messaging import providers, recipient_lists
from app.messaging.campaign_models import AudienceType, Campaign, ListState
from app.notices import queries as notices
from app.notices.models import NoticeStatus
from app.notices.queries import NoticeFilter
from app.people.permissions import Permission as Allow
from app.people.scopes import StaffActor
from app.places import queries as places
from app.voting import queries as voting
from app.voting.models import DecisionStatus
from bff.admin.console import areas
from bff.admin.console.clocks import moment
from bff.admin.console.words import say

MOST = 50  # of what has no end: decisions, notices, lists


class Choice(NamedTuple):
    """A line to choose. `group`: what it stands below; `opens`: an estate whose buildings follow."""

    value: str
    name: str
    note: str = ""
    group: str = ""
    opens: bool = False


class Asked(NamedTuple):
    """What is offered. `is_one`: only one of these can be meant; `is_reading`: a list is still being read."""

    choices: list[Choice]
    is_one: bool = False
    is_reading: bool = False


def may_ask(staff: StaffActor, kind: AudienceType) -> bool:
    """Is this type of any use to her role?"""
    needs = {
        AudienceType.FOCUS_GROUP: Allow.FOCUS_READ,
        AudienceType.DECISION_OWNERS: Allow.DECISION_VIEW,
        AudienceType.DECISION_NOT_VOTED: Allow.DECISION_VIEW,
        AudienceType.NOTICE_UNREAD: Allow.NOTICE_READERS,
    }
    return staff.may(needs.get(kind, Allow.CAMPAIGN_EDIT))


def choices(staff: StaffActor, kind: AudienceType, chosen: Sequence[str]) -> Asked:
    """What she may choose; what is `chosen` stands there even when it wouldn't be offered any more."""
    if not may_ask(staff, kind):
        raise NotFound
    found = _OFFER[kind](staff)
    known = {one.value for one in found.choices}
    kept = [Choice(one, _name(kind, one)) for one in chosen if one not in known]
    return found._replace(choices=kept + found.choices)


def _estates(staff: StaffActor) -> Asked:
    regions = places.region_names()
    names = places.estate_names(governed(staff))
    ordered = sorted(names.items(), key=lambda one: (regions.get(one[0].community_id, ""), one[1]))
    return Asked(
        [
            Choice(ids.encode(Kind.ESTATE, ref), name, group=regions.get(ref.community_id, ""))
            for ref, name in ordered
        ]
    )


def _buildings(staff: StaffActor) -> Asked:
    return Asked([one._replace(opens=True) for one in _estates(staff).choices])


def buildings_of(staff: StaffActor, estate: Ref) -> list[Choice]:
    """The buildings of an estate to whose owners she may write. Raises NotFound."""
    if estate not in governed(staff):
        raise NotFound
    return [
        Choice(ids.encode(Kind.BUILDING, Ref(b.community_id, b.id)), b.name)
        for b in places.buildings_of(estate)
    ]


def _grids(staff: StaffActor) -> Asked:
    mine = governed(staff)
    found = []
    for area in areas.mine():
        if area.kind != "网格":
            continue
        covers = places.covers_of(ids.decode_ref(Kind.GRID, area.value))
        if covers and {cover.estate for cover in covers} <= mine:
            found.append(Choice(area.value, area.name))
    return Asked(found)


def _groups(_: StaffActor) -> Asked:
    return Asked([Choice(code, group.term.name) for code, group in kinds.groups(on=places.today()).items()])


def _decisions(staff: StaffActor, statuses: Sequence[str], *, frozen: bool) -> Asked:
    rows = voting.decisions_of(
        voting.reach(staff, Allow.DECISION_VIEW),
        statuses=statuses,
        announced_only=True,
        page=voting.Page(MOST),
    )
    mine = providers.communities_of(staff, Allow.CAMPAIGN_EDIT)
    rows = [row for row in rows if row.community_id in mine and (row.frozen_at is not None or not frozen)]
    estates = places.estate_names({voting.estate_of(row) for row in rows})
    return Asked(
        [
            Choice(
                ids.encode(Kind.DECISION, voting.ref_of(row)),
                row.title,
                say("截止") + " " + moment(row.closes_at) if row.closes_at else "",
                estates.get(voting.estate_of(row), ""),
            )
            for row in rows
        ],
        is_one=True,
    )


_LIVE = [status.value for status in DecisionStatus if status is not DecisionStatus.CANCELLED]


def _owners(staff: StaffActor) -> Asked:
    return _decisions(staff, _LIVE, frozen=False)


def _not_voted(staff: StaffActor) -> Asked:
    return _decisions(staff, [DecisionStatus.ANNOUNCED.value, DecisionStatus.OPEN.value], frozen=True)


def _notices(staff: StaffActor) -> Asked:
    rows = notices.listed_for(
        staff, NoticeFilter(frozenset({NoticeStatus.PUBLISHED}), None, None), limit=MOST, after=None
    )
    return Asked(
        [
            Choice(ids.encode(Kind.NOTICE, notices.ref_of(row)), row.title, moment(row.published_at))
            for row in rows
        ],
        is_one=True,
    )


def _lists(staff: StaffActor) -> Asked:
    rows = recipient_lists.listed(staff, limit=MOST)
    mine = providers.communities_of(staff, Allow.CAMPAIGN_EDIT)
    return Asked(
        [
            Choice(
                ids.encode(Kind.RECIPIENT_LIST, Ref(row.community_id, row.id)),
                row.name,
                f"{row.good} " + say("个号码") + f" · {moment(row.created_at)}",
            )
            for row in rows
            if row.state == ListState.READY and row.community_id in mine
        ],
        is_reading=any(row.state == ListState.READING for row in rows),
    )


_OFFER: dict[AudienceType, Callable[[StaffActor], Asked]] = {
    AudienceType.ESTATES: _estates,
    AudienceType.BUILDINGS: _buildings,
    AudienceType.GRIDS: _grids,
    AudienceType.FOCUS_GROUP: _groups,
    AudienceType.DECISION_OWNERS: _owners,
    AudienceType.DECISION_NOT_VOTED: _not_voted,
    AudienceType.NOTICE_UNREAD: _notices,
    AudienceType.LIST: _lists,
}


# --- in words ----------------------------------------------------------------------------------------------


def named(row: Campaign) -> list[str]:
    """The names of what a campaign's audience is, as its writer chose them."""
    kind = AudienceType(row.audience["type"])
    return [_name(kind, one) for one in row.audience["ids"]]


def _name(kind: AudienceType, wire: str) -> str:
    """The name of one chosen thing; what isn't there any more is said to be gone."""
    try:
        return _NAMED[kind](wire)
    except (NotFound, BadId, KeyError):
        return say("已不存在")


def _estate_name(wire: str) -> str:
    ref = ids.decode_ref(Kind.ESTATE, wire)
    return places.estate_names({ref})[ref]


def _building_name(wire: str) -> str:
    building = places.building(ids.decode_ref(Kind.BUILDING, wire))
    estate = Ref(building.community_id, building.estate_id)
    return f"{places.estate_names({estate})[estate]} {building.name}"


def _grid_name(wire: str) -> str:
    ref = ids.decode_ref(Kind.GRID, wire)
    return places.grid_names({ref.community_id})[ref]


def _list_name(wire: str) -> str:
    return recipient_lists.name_of(ids.decode_ref(Kind.RECIPIENT_LIST, wire))


_NAMED: dict[AudienceType, Callable[[str], str]] = {
    AudienceType.ESTATES: _estate_name,
    AudienceType.BUILDINGS: _building_name,
    AudienceType.GRIDS: _grid_name,
    AudienceType.FOCUS_GROUP: lambda code: kinds.groups(on=places.today())[code].term.name,
    AudienceType.DECISION_OWNERS: lambda wire: voting.decision(ids.decode_ref(Kind.DECISION, wire)).title,
    AudienceType.DECISION_NOT_VOTED: lambda wire: voting.decision(ids.decode_ref(Kind.DECISION, wire)).title,
    AudienceType.NOTICE_UNREAD: lambda wire: notices.notice(ids.decode_ref(Kind.NOTICE, wire)).title,
    AudienceType.LIST: _list_name,
}


def communities(staff: StaffActor) -> list[tuple[str, str]]:
    """The communities that a list of numbers may be of: (wire id, name)."""
    names: dict[int, Any] = places.region_names()
    mine = providers.communities_of(staff, Allow.CAMPAIGN_EDIT)
    return [
        (ids.encode(Kind.COMMUNITY, UUID(int=one)), names.get(one, ""))
        for one in sorted(mine, key=lambda c: names.get(c, ""))
    ]
