"""How a decision goes on: turnout as a picture of the building, the reminder, the roll, visits and proofs, disputes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple
from urllib.parse import urlencode

import marshmallow as ma
from flask import g, request

from app import ids
from app.ids import Kind, Ref
from app.messaging.campaign_models import AudienceType
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.voting import queries
from app.voting.matters import QUORUM
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import EntryStatus
from bff import result_schemas
from bff import results as views
from bff.admin import decision_roll_schemas as s
from bff.admin.auth import requires
from bff.admin.console import decision_words as said
from bff.admin.console.campaign_pages import wizard_address
from bff.admin.console.decision_pages import may, of_one
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.ticket_words import status_name
from bff.admin.decision_roll import (
    attempts_of,
    doors_of,
    objections_of,
    proofs_of,
    reminder_of,
    roll_of,
    rooms_of,
)
from bff.admin.delivery_entries import entries_of
from bff.http import reads
from bff.schemas import Query, WireId

MANY = 100  # rows of a list that has no pages of its own


class DisputeQuery(Query):
    """A page of each of the two lists."""

    objections = ma.fields.String(load_default=None, validate=ma.validate.Length(max=300))
    attempts = ma.fields.String(load_default=None, validate=ma.validate.Length(max=300))


class BuildingQuery(Query):
    building = WireId(Kind.BUILDING, load_default=None)
    cursor = ma.fields.String(load_default=None, validate=ma.validate.Length(max=300))


# --- turnout -------------------------------------------------------------------------------------------------


class Gauge(NamedTuple):
    """One measure of the turnout as a bar 100 wide. `line`: where the quorum stands, None in a poll; `least`: what it
    takes.
    """

    name: str
    cast: str
    total: str
    percent: str
    width: float
    line: float | None
    least: str
    needed: str
    is_reached: bool


class Floor(NamedTuple):
    """A floor of a unit, from left to right. `name`: empty where no number says it."""

    floor: int | None
    rooms: list[dict[str, Any]]


class Stack(NamedTuple):
    """A unit of a building, the highest floor first."""

    unit: str
    floors: list[Floor]


@blp.route("/decisions/<ref(dec):ref>/turnout", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
def decision_turnout(ref: Ref) -> str:
    """Who has voted by heads and area, and one building room by room; never what was chosen."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    values = _turnout_of(row)
    if is_fragment():
        return fragment("decisions/_turnout.html", **said.helpers(), **values)
    return page("decisions/turnout.html", here="decisions", **of_one(row, "turnout"), **values)


def _turnout_of(row: Decision) -> dict[str, Any]:
    ref = queries.ref_of(row)
    shown = result_schemas.TurnoutOut().dump(views.turnout_out(row))
    named = _buildings_of(row)
    chosen = query(BuildingQuery)["building"]
    building = chosen or next((Ref(ref.community_id, ref_.id) for ref_, _ in named), None)
    sees_rooms = row.frozen_at is not None and may(row, Allow.PAPER_ENTER)
    picture = _picture(ref, building) if sees_rooms and named else None
    wire = ids.encode(Kind.BUILDING, building) if building is not None else None
    own = f"/admin/decisions/{ids.encode(Kind.DECISION, ref)}"
    return {
        "turnout": shown,
        "gauges": [_gauge("人数", shown["heads"], "{:,}".format), _gauge("面积", shown["area"], said.area)],
        "named": [(ids.encode(Kind.BUILDING, one), name) for one, name in named],
        "building": wire,
        "building_name": next((name for one, name in named if ids.encode(Kind.BUILDING, one) == wire), ""),
        "picture": picture,
        "counted": _counted(picture) if picture is not None else {},
        "sees_rooms": sees_rooms,
        "goes_on": queries.status_of(row) is DecisionStatus.OPEN,
        "turnout_address": f"{own}/turnout" + (f"?{urlencode({'building': wire})}" if wire else ""),
        "own_turnout": f"{own}/turnout",
    }


def _buildings_of(row: Decision) -> list[tuple[Ref, str]]:
    wanted = row.building_ids
    found = places.buildings_of(queries.estate_of(row))
    return [(Ref(b.community_id, b.id), b.name) for b in found if wanted is None or str(b.id) in set(wanted)]


def _gauge(name: str, part: dict[str, Any], worded: Any) -> Gauge:
    whole, cast, needed = part["total"], part["cast"], part["needed"]
    return Gauge(
        name,
        worded(cast),
        worded(whole),
        part["percent"] or "0.00",
        round(100 * cast / whole, 2) if whole else 0,
        None if needed is None else round(said.QUORUM_PERCENT, 2),
        worded(said.least(QUORUM, whole)),
        "" if needed is None else worded(needed),
        needed == 0 and whole > 0,
    )


def _picture(ref: Ref, building: Ref | None) -> list[Stack]:
    shown = s.RoomsOut().dump(rooms_of({"building_id": building}, ref))["rooms"]
    units: dict[str, dict[int | None, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for room in shown:
        units[room["unit"]][room["floor"]].append(room)
    return [
        Stack(
            unit,
            [
                Floor(floor, floors[floor])
                for floor in sorted(floors, key=lambda one: (one is not None, one or 0), reverse=True)
            ],
        )
        for unit, floors in units.items()
    ]


def _counted(picture: list[Stack]) -> dict[str, int]:
    found = dict.fromkeys(("cast", "waiting", "unreached"), 0)
    for room in (room for stack in picture for floor in stack.floors for room in floor.rooms):
        found[room["part"]] += 1
    return found


# --- the reminder --------------------------------------------------------------------------------------------


@blp.route("/decisions/<ref(dec):ref>/reminder", methods=["GET"])
@requires(Allow.DECISION_EDIT)
@reads
def decision_reminder(ref: Ref) -> str:
    """What the reminder will do: how many, whom it doesn't reach, what it says, what it costs; and the button."""
    shown = s.ReminderOut().dump(reminder_of(ref))
    wire = ids.encode(Kind.DECISION, ref)
    return fragment(
        "decisions/_reminder.html",
        **said.helpers(),
        reminder=shown,
        text_address=_texting(ref),
        own=f"/admin/decisions/{wire}",
        api=f"/admin/api/v1/decisions/{wire}",
    )


def _texting(ref: Ref) -> str | None:
    """Where those who haven't voted are texted, once there is a roll and for who may."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_EDIT)
    if row.frozen_at is None or not may(row, Allow.CAMPAIGN_EDIT):
        return None
    wire = ids.encode(Kind.DECISION, ref)
    return wizard_address(AudienceType.DECISION_NOT_VOTED, wire, title=row.title)


# --- the roll ------------------------------------------------------------------------------------------------


@blp.route("/decisions/<ref(dec):ref>/roll", methods=["GET"])
@requires(Allow.ROLL_VIEW)
@reads
def decision_roll_page(ref: Ref) -> str:
    """The frozen heads by their rooms: searched, by building, or only those with something missing."""
    row = queries.decision_for_staff(g.staff, ref, Allow.ROLL_VIEW)
    asked = query(s.RollSearch)
    found = s.RollList().dump(roll_of(asked, ref))
    weak = s.RollList().dump(roll_of(s.RollSearch().load({"weak": "true", "limit": "1"}), ref))["totals"]
    given = {name: value for name, value in request.args.items() if value.strip()}
    own = f"/admin/decisions/{ids.encode(Kind.DECISION, ref)}/roll"
    return page(
        "decisions/roll.html",
        here="decisions",
        **of_one(row, "roll"),
        list=found,
        weak=weak,
        given=given,
        named=[(ids.encode(Kind.BUILDING, one), name) for one, name in _buildings_of(row)],
        next_address=_further(own, given, found["next_cursor"]),
    )


def _further(own: str, given: dict[str, str], cursor: str | None) -> str | None:
    return f"{own}?{urlencode(given | {'cursor': cursor})}" if cursor else None


# --- visits and proofs ---------------------------------------------------------------------------------------


@blp.route("/decisions/<ref(dec):ref>/visits", methods=["GET"])
@requires(Allow.ROLL_VIEW)
@reads
def decision_visits(ref: Ref) -> str:
    """At whose doors to knock, what was brought back and waits for a second person, and who was told at all."""
    row = queries.decision_for_staff(g.staff, ref, Allow.ROLL_VIEW)
    asked = query(BuildingQuery)
    doors = s.DoorList().dump(
        doors_of({"limit": MANY, "cursor": asked["cursor"], "building_id": asked["building"]}, ref)
    )
    told = s.DeliveryList().dump(proofs_of({"limit": 1, "cursor": None}, ref))["totals"]
    enters = may(row, Allow.PAPER_ENTER)
    waiting = (
        s.DeliveryEntryList().dump(
            entries_of({"limit": MANY, "cursor": None, "status": EntryStatus.ENTERED.value}, ref)
        )
        if enters
        else {"items": [], "next_cursor": None}
    )
    given = {name: value for name, value in request.args.items() if value.strip()}
    own = f"/admin/decisions/{ids.encode(Kind.DECISION, ref)}/visits"
    return page(
        "decisions/visits.html",
        here="decisions",
        **of_one(row, "visits"),
        doors=doors["items"],
        told=told,
        waiting=waiting["items"],
        waiting_is_cut=waiting["next_cursor"] is not None,
        most=MANY,
        enters=enters and queries.status_of(row) in {DecisionStatus.ANNOUNCED, DecisionStatus.OPEN},
        confirms=may(row, Allow.PAPER_CONFIRM),
        named=[(ids.encode(Kind.BUILDING, one), name) for one, name in _buildings_of(row)],
        given=given,
        next_address=_further(own, given, doors["next_cursor"]),
    )


# --- disputes ------------------------------------------------------------------------------------------------


@blp.route("/decisions/<ref(dec):ref>/disputes", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
def decision_disputes(ref: Ref) -> str:
    """Objections with their tickets, and who tried to cast and was refused."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    asked = query(DisputeQuery)
    objections = s.StaffObjectionList().dump(
        objections_of({"limit": MANY, "cursor": asked["objections"]}, ref)
    )
    sees_rooms = row.frozen_at is not None and may(row, Allow.ROLL_VIEW)
    attempts = (
        s.AttemptList().dump(attempts_of({"limit": MANY, "cursor": asked["attempts"], "head_id": None}, ref))
        if sees_rooms
        else {"items": None, "next_cursor": None}
    )
    own = f"/admin/decisions/{ids.encode(Kind.DECISION, ref)}/disputes"
    following = {"objections": objections["next_cursor"], "attempts": attempts["next_cursor"]}
    return page(
        "decisions/disputes.html",
        here="decisions",
        **of_one(row, "disputes"),
        objections=objections["items"],
        attempts=attempts["items"],
        is_later={name: asked[name] is not None for name in following},
        further={name: f"{own}?{urlencode({name: at})}" if at else None for name, at in following.items()},
        status_name=status_name,
        opens_tickets=g.staff.may(Allow.TICKET_VIEW),
    )
