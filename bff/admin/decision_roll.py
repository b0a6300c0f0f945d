"""The roll of a decision, proofs that owners were told, the visit list, reminders and objections."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g

from app.audit import ActorKind
from app.errors import NotFound
from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.voting import attempts, deliveries, objections, participation, pushing, queries, reminding, roll
from bff.admin import decision_roll_schemas as s
from bff.admin.auth import requires
from bff.http import read_cursor, reads, write_cursor, writes
from bff.schemas import Blueprint

blp = Blueprint("decision-roll", __name__, url_prefix="/admin/api/v1", description="Decisions")


def _in(community_id: int, thing: UUID | None) -> Ref | None:
    return Ref(community_id, thing) if thing is not None else None


def _building(ref: Ref, building: Ref | None) -> UUID | None:
    # A building of another community is none of this decision's: nothing is found.
    if building is None:
        return None
    return building.id if building.community_id == ref.community_id else UUID(int=0)


@blp.route("/decisions/<ref(dec):ref>/roll", methods=["GET"])
@requires(Allow.ROLL_VIEW)
@reads
@blp.arguments(s.RollSearch, location="query")
@blp.response(200, s.RollList)
def listed(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The frozen roll by rooms: heads, areas, and whether somebody votes for each. No names."""
    return roll_of(args, ref)


def roll_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The page of the roll that `args` (of RollSearch) ask for. Raises NotFound, Forbidden, BadCursor."""
    queries.decision_for_staff(g.staff, ref, Allow.ROLL_VIEW)
    after = read_cursor(args["cursor"], str, str, UUID)
    wanted = roll.Wanted(_building(ref, args["building_id"]), args["q"] or None, is_weak=args["weak"])
    found = roll.heads_on_roll(
        ref, limit=args["limit"] + 1, after=roll.Place(*after) if after else None, wanted=wanted
    )
    page = found[: args["limit"]]
    heads, area = roll.totals_of(ref, wanted)
    return {
        "items": [
            {
                "head_id": Ref(head.community_id, head.id),
                "number": head.number,
                "label": head.label,
                "houses": head.houses,
                "area_centi": head.area_centi,
                "building_id": _in(head.community_id, head.building_id),
                "has_voter": head.voter_id is not None,
                "is_developer": head.is_developer,
            }
            for head in page
        ],
        "totals": {"heads": heads, "area_centi": area},
        "next_cursor": write_cursor(*roll.place_of(page[-1])) if len(found) > len(page) else None,
    }


@blp.route("/decisions/<ref(dec):ref>/deliveries", methods=["GET"])
@requires(Allow.ROLL_VIEW)
@reads
@blp.arguments(s.RollQuery(only=("limit", "cursor")), location="query")
@blp.response(200, s.DeliveryList)
def delivered(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Proofs of delivery, in the order in which they came, and how many heads have one."""
    return proofs_of(args, ref)


def proofs_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The page of proofs that `args` ask for. Raises NotFound, Forbidden, BadCursor."""
    queries.decision_for_staff(g.staff, ref, Allow.ROLL_VIEW)
    after = read_cursor(args["cursor"], UUID)
    found = deliveries.listed(ref, limit=args["limit"] + 1, after=after[0] if after else None)
    page = found[: args["limit"]]
    names = people.staff_names(row.actor_id for row, _ in page if row.actor_kind == ActorKind.STAFF)
    return {
        "items": [
            {
                "head_id": Ref(row.community_id, row.head_id),
                "label": label,
                "way": row.way,
                "at": row.at,
                "name": names.get(row.actor_id) if row.actor_id is not None else None,
            }
            for row, label in page
        ],
        "totals": deliveries.counts(ref),
        "next_cursor": write_cursor(page[-1][0].id) if len(found) > len(page) else None,
    }


@blp.route("/decisions/<ref(dec):ref>/visit-list", methods=["GET"])
@requires(Allow.ROLL_VIEW)
@reads
@blp.arguments(s.RollQuery, location="query")
@blp.response(200, s.DoorList)
def visit_list(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The heads to go to: those that haven't voted and nobody reached, whose number takes no text message, or that
    asked for paper or a visit.
    """
    return doors_of(args, ref)


def doors_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The page of the visit list that `args` (of RollQuery) ask for. Raises NotFound, Forbidden, BadCursor."""
    queries.decision_for_staff(g.staff, ref, Allow.ROLL_VIEW)
    after = read_cursor(args["cursor"], str, str, UUID)
    found = deliveries.visit_list(
        ref,
        limit=args["limit"] + 1,
        after=roll.Place(*after) if after else None,
        building_id=_building(ref, args["building_id"]),
    )
    page = found[: args["limit"]]
    return {
        "items": [
            {
                "head_id": Ref(door.head.community_id, door.head.id),
                "label": door.head.label,
                "building_id": _in(door.head.community_id, door.head.building_id),
                "why": door.why,
            }
            for door in page
        ],
        "next_cursor": write_cursor(*roll.place_of(page[-1].head)) if len(found) > len(page) else None,
    }


@blp.route("/decisions/<ref(dec):ref>/turnout/rooms", methods=["GET"])
@requires(Allow.PAPER_ENTER)
@reads
@blp.arguments(s.RoomsQuery, location="query")
@blp.response(200, s.RoomsOut)
def rooms_(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The rooms of one building on the frozen roll: who has voted, who hasn't, and whom nothing reaches; for those who
    go to the doors. Never what was chosen, and no name.
    """
    return rooms_of(args, ref)


def rooms_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The rooms of the building that `args` (of RoomsQuery) name. Raises NotFound, Forbidden."""
    row = queries.decision_for_staff(g.staff, ref, Allow.PAPER_ENTER)
    found = participation.rooms_of(row, _building(ref, args["building_id"]))
    return {
        "building_id": args["building_id"],
        "rooms": [room._asdict() | {"head_id": Ref(ref.community_id, room.head_id)} for room in found],
    }


@blp.route("/decisions/<ref(dec):ref>/reminders", methods=["GET"])
@requires(Allow.DECISION_EDIT)
@reads
@blp.response(200, s.ReminderOut)
def reminder(ref: Ref) -> dict[str, Any]:
    """What a reminder would do now: how many haven't voted, how many of them it reaches, what it says and costs."""
    return reminder_of(ref)


def reminder_of(ref: Ref) -> dict[str, Any]:
    """What a reminder would do. Raises NotFound, Forbidden."""
    found = reminding.reminder(g.staff, ref)
    return found._asdict() | {"title": found.said.title, "text": found.said.text, "cost_fen": 0}


@blp.route("/decisions/<ref(dec):ref>/reminders", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.response(204)
def remind(ref: Ref) -> None:
    """Ask the heads that haven't voted to do so; once a day (409 `reminded_today`)."""
    pushing.remind(g.staff, ref)


@blp.route("/decisions/<ref(dec):ref>/objections", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
@blp.arguments(s.RollQuery(only=("limit", "cursor")), location="query")
@blp.response(200, s.StaffObjectionList)
def objected(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The objections with their tickets, oldest first: who objects, and the words, stand there."""
    return objections_of(args, ref)


def objections_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The page of objections that `args` ask for. Raises NotFound, BadCursor."""
    queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    after = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    found = objections.of_decision(ref, limit=limit + 1, after=after[0] if after else None)
    return {
        "items": [
            {
                "about": row.about,
                "head_id": _in(row.community_id, row.head_id),
                "candidate_id": _in(row.community_id, row.candidate_id),
                "ticket_id": Ref(ticket.community_id, ticket.id),
                "number": ticket.number,
                "status": ticket.status,
                "due_at": row.due_at,
                "created_at": row.created_at,
            }
            for row, ticket in found[:limit]
        ],
        "next_cursor": write_cursor(found[limit - 1].row.id) if len(found) > limit else None,
    }


@blp.route("/decisions/<ref(dec):ref>/attempts", methods=["GET"])
@requires(Allow.ROLL_VIEW)
@reads
@blp.arguments(s.AttemptQuery, location="query")
@blp.response(200, s.AttemptList)
def attempted(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Who tried to cast and was refused, by what, oldest first: for disputes. Rooms, no name and no choice."""
    return attempts_of(args, ref)


def attempts_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The page of attempts that `args` (of AttemptQuery) ask for. Raises NotFound, Forbidden, BadCursor."""
    queries.decision_for_staff(g.staff, ref, Allow.ROLL_VIEW)
    after = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    head = args["head_id"]
    if head is not None and head.community_id != ref.community_id:
        raise NotFound
    found = attempts.listed(
        ref,
        limit=limit + 1,
        after=after[0] if after else None,
        head_id=head.id if head is not None else None,
    )
    return {
        "items": [
            {
                "head_id": Ref(row.community_id, row.head_id),
                "label": label,
                "why": row.why,
                "rev": row.rev,
                "by_resident": row.resident_id is not None,
                "at": row.at,
            }
            for row, label in found[:limit]
        ],
        "next_cursor": write_cursor(found[limit - 1].row.id) if len(found) > limit else None,
    }
