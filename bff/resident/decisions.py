"""Decisions of owners as those read them whom they bind; objections; petitions for a meeting."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g, request, url_for

from app import db
from app.errors import NotFound
from app.ids import Ref
from app.memberships import queries as memberships
from app.places import queries as places
from app.voting import (
    deliveries,
    objections,
    own_heads,
    petitions,
    queries,
    roll,
    texts,
    turnout,
    words,
)
from app.voting.drafting import MotionDraft
from app.voting.matters import NAMES, Matter, threshold_of
from app.voting.models import Candidate, Decision, DecisionStatus, LegalMode, Motion, Petition
from app.voting.roll_models import RollHouse
from bff.http import read_cursor, reads, revalidated, write_cursor, writes
from bff.resident import decision_schemas as s
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("decisions", __name__, url_prefix="/bff/v1", description="Decisions")


def in_english() -> bool:
    """Does who asks read English rather than Chinese?"""
    return request.accept_languages.best_match(["zh-CN", "zh", "en"]) == "en"


# --- decisions -----------------------------------------------------------------------------------------------


def row_out(row: Decision, heads: list[own_heads.HeadView]) -> dict[str, Any]:
    """A line of a list, with how far I am where it is open."""
    status = queries.status_of(row)
    return {
        "decision_id": queries.ref_of(row),
        "estate_id": queries.estate_of(row),
        "kind": row.kind,
        "title": row.title,
        "status": status,
        "legal_mode": row.legal_mode,
        "legal_mode_text": words.mode(row.legal_mode, english=in_english()),
        "announced_at": row.announced_at,
        "opens_at": row.opens_at,
        "closes_at": row.closes_at,
        "my_ballot": own_heads.my_ballot(row, heads) if status is DecisionStatus.OPEN else None,
    }


def _motion(motion: Motion, candidates: list[Candidate]) -> dict[str, Any]:
    matter = Matter(motion.matter) if motion.matter is not None else None
    return {
        "motion_id": Ref(motion.community_id, motion.id),
        "number": motion.number,
        "matter": motion.matter,
        "matter_name": NAMES[matter] if matter is not None else None,
        "threshold": threshold_of(matter)._asdict() if matter is not None else None,
        "title": motion.title,
        "text": motion.text,
        "seats": motion.seats,
        "alternates": motion.alternates,
        "candidates": [
            {
                "candidate_id": Ref(c.community_id, c.id),
                "number": c.number,
                "name": texts.name_of(c),
                "statement": texts.statement_of(c),
            }
            for c in candidates
            if c.motion_id == motion.id
        ],
    }


def _house(house: RollHouse) -> dict[str, Any]:
    return {"label": house.label, "area_centi": house.area_centi, "area_basis": house.area_basis}


def _my_roll(row: Decision) -> dict[str, Any]:
    if row.frozen_at is not None:
        entries = [
            {
                "head_id": Ref(entry.head.community_id, entry.head.id),
                "houses": [_house(house) for house in entry.houses],
                "area_centi": entry.head.area_centi,
                "is_voter": entry.is_voter,
                "has_voter": entry.head.voter_id is not None,
            }
            for entry in roll.entries_of(g.resident_id, row, with_vote=False)
        ]
    elif row.cancelled_at is None:
        entries = [
            {
                "head_id": None,
                "houses": [_house(house) for house in preview.houses],
                "area_centi": preview.area_centi,
                "is_voter": preview.is_voter,
                "has_voter": preview.has_voter,
            }
            for preview in roll.preview_of(g.resident_id, row)
        ]
    else:
        entries = []
    return {
        "frozen": row.frozen_at is not None,
        "objections_until": row.objections_until,
        "entries": entries,
    }


def _turnout(row: Decision) -> dict[str, Any] | None:
    if row.frozen_at is None or row.legal_mode == LegalMode.OFFICIAL:  # nothing is cast here
        return None
    names = {building.id: building.name for building in places.buildings_of(queries.estate_of(row))}
    return turnout.as_json(turnout.of(row), names)


def _detail(row: Decision) -> dict[str, Any]:
    ref = queries.ref_of(row)
    candidates = queries.candidates_of(ref)
    heads = own_heads.heads_for(g.resident_id, row)
    same = "text rules announced_closes_at extended_at extension_reason cancel_reason posted_until"
    return (
        row_out(row, heads)
        | {name: getattr(row, name) for name in same.split()}
        | {
            "motions": [_motion(motion, candidates) for motion in queries.motions_of(ref)],
            "previous_id": Ref(row.community_id, row.previous_id) if row.previous_id else None,
            "turnout": _turnout(row),
            "my_roll_entry": _my_roll(row),
            "heads": [
                head._asdict() | {"ballot": head.ballot._asdict() if head.ballot else None} for head in heads
            ],
            "texts": texts.document_of(row),
            "timeline": [
                {"kind": event.kind, "at": event.at, "details": event.details}
                for event in queries.timeline(ref, public_only=True)
            ],
        }
    )


@blp.route("/decisions", methods=["GET"])
@reads
@blp.arguments(s.OwnDecisionQuery, location="query")
@blp.response(200, s.OwnDecisionList)
def listed(args: dict[str, Any]) -> dict[str, Any]:
    """What was announced in my estates, the newest first."""
    mine = memberships.my_estates(g.resident_id)
    wanted = mine if args["estate_id"] is None else [e for e in mine if e == args["estate_id"]]
    after = read_cursor(args["cursor"], int, UUID)
    found = queries.decisions_of(
        wanted,
        announced_only=True,
        page=queries.Page(args["limit"] + 1, (after[0], after[1]) if after else None),
    )
    page = found[: args["limit"]]
    more = len(found) > len(page)
    running = [row for row in page if queries.status_of(row) is DecisionStatus.OPEN]
    heads = own_heads.heads_in(g.resident_id, running)
    return {
        "items": [row_out(row, heads.get(queries.ref_of(row), [])) for row in page],
        "next_cursor": write_cursor(page[-1].community_id, page[-1].id) if more else None,
    }


@blp.route("/decisions/<ref(dec):ref>", methods=["GET"])
@revalidated
@blp.response(200, s.OwnDecisionOut)
def read_decision(ref: Ref) -> dict[str, Any]:
    """A decision with its motions, rules, turnout, my entry of the roll, and the heads for which I vote."""
    with db.reading():
        row = queries.decision_for(g.resident_id, ref)
        shown: dict[str, Any] = _detail(row)
        is_proof = deliveries.login_counts(g.resident_id, row)
    if is_proof:  # the announced rules say that who opened it has been told
        with db.transaction():
            deliveries.note_login(g.resident_id, ref)
    return shown


@blp.route("/decisions/<ref(dec):ref>/heads/<ref(hed):head>/roll-entry", methods=["GET"])
@revalidated
@reads
@blp.response(200, s.RollProofOut)
def roll_entry(ref: Ref, head: Ref) -> dict[str, Any]:
    """My entry of the frozen roll, with the proof that it is under the root that leaf 0 of the log fixes."""
    row = queries.decision_for(g.resident_id, ref)
    mine = {entry.head.id for entry in roll.entries_of(g.resident_id, row, with_vote=False)}
    acting = {view.head_id.id for view in own_heads.heads_for(g.resident_id, row)}
    if head.community_id != ref.community_id or head.id not in mine | acting:
        raise NotFound
    return roll.entry_of(ref, head.id)


# --- objections ------------------------------------------------------------------------------------------------


def _objection(made: objections.Objected) -> dict[str, Any]:
    return {
        "about": made.row.about,
        "ticket_id": Ref(made.ticket.community_id, made.ticket.id),
        "number": made.ticket.number,
        "status": made.ticket.status,
        "due_at": made.row.due_at,
        "created_at": made.row.created_at,
    }


@blp.route("/decisions/<ref(dec):ref>/objections", methods=["POST"])
@writes
@blp.arguments(s.DecisionObjectionIn)
@blp.response(201, s.DecisionObjectionOut)
def object_to(body: dict[str, Any], ref: Ref) -> Any:
    """Object to the roll, a candidate or the result, within its days. It becomes a ticket, which has the answer."""
    made = objections.object_to(
        g.resident_id,
        ref,
        about=body["about"],
        text=body["text"],
        head=body["head_id"],
        candidate=body["candidate_id"],
    )
    where = url_for("tickets.ticket", ref=Ref(made.ticket.community_id, made.ticket.id))
    return _objection(made), 201, {"Location": where}


@blp.route("/decisions/<ref(dec):ref>/objections", methods=["GET"])
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.DecisionObjectionList)
def my_objections(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """My objections to this decision, oldest first."""
    after = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    found = objections.of_decision(
        ref, limit=limit + 1, after=after[0] if after else None, resident_id=g.resident_id
    )
    more = write_cursor(found[limit - 1].row.id) if len(found) > limit else None
    return {"items": [_objection(o) for o in found[:limit]], "next_cursor": more}


# --- petitions ---------------------------------------------------------------------------------------------------


def _petition(row: Petition) -> dict[str, Any]:
    ref = Ref(row.community_id, row.id)
    return {
        "petition_id": ref,
        "estate_id": Ref(row.community_id, row.estate_id),
        "title": row.title,
        "text": row.text,
        "motions": row.motions,
        "status": petitions.status_of(row),
        "support": petitions.support_of(row)._asdict(),
        "signed": row.id in petitions.signed_of(g.resident_id, row.community_id, [row.id]),
        "mine": row.started_by == g.resident_id,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
    }


@blp.route("/petitions", methods=["POST"])
@writes
@blp.arguments(s.PetitionIn)
@blp.response(201, s.PetitionOut)
def start_petition(body: dict[str, Any]) -> Any:
    """Ask for a meeting. With 20 % of heads and area behind it, a draft is made of it."""
    row = petitions.start(
        g.resident_id,
        estate=body["estate_id"],
        title=body["title"],
        text=body["text"],
        motions=[MotionDraft(**motion) for motion in body["motions"]],
    )
    return _petition(row), 201, {"Location": url_for("decisions.petition", ref=Ref(row.community_id, row.id))}


@blp.route("/petitions", methods=["GET"])
@reads
@blp.arguments(s.EstateQuery, location="query")
@blp.response(200, s.PetitionList)
def petition_list(args: dict[str, Any]) -> dict[str, Any]:
    """The petitions of an estate where I am bound, the newest first."""
    if args["estate_id"] not in memberships.my_estates(g.resident_id):
        raise NotFound
    after = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    found = petitions.of_estate(args["estate_id"], limit=limit + 1, after=after[0] if after else None)
    page = found[:limit]
    signed = petitions.signed_of(g.resident_id, args["estate_id"].community_id, [row.id for row in page])
    return {
        "items": [
            {
                "petition_id": Ref(row.community_id, row.id),
                "title": row.title,
                "status": petitions.status_of(row),
                "signed": row.id in signed,
                "expires_at": row.expires_at,
                "created_at": row.created_at,
            }
            for row in page
        ],
        "next_cursor": write_cursor(page[-1].id) if len(found) > limit else None,
    }


@blp.route("/petitions/<ref(pet):ref>", methods=["GET"])
@reads
@blp.response(200, s.PetitionOut)
def petition(ref: Ref) -> dict[str, Any]:
    """A petition, with how many stand behind it today."""
    return _petition(petitions.petition_for(g.resident_id, ref))


@blp.route("/petitions/<ref(pet):ref>/sign", methods=["POST"])
@writes
@blp.response(200, s.PetitionOut)
def sign(ref: Ref) -> dict[str, Any]:
    """Stand behind it, with all my houses."""
    return _petition(petitions.sign(g.resident_id, ref))


@blp.route("/petitions/<ref(pet):ref>/withdraw", methods=["POST"])
@writes
@blp.response(200, s.PetitionOut)
def withdraw_petition(ref: Ref) -> dict[str, Any]:
    """Take back the petition that I started."""
    return _petition(petitions.withdraw(g.resident_id, ref))
