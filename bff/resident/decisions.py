"""Decisions of owners as those read them whom they bind; objections; petitions for a meeting."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, g, url_for

from app import db, own_decision
from app.errors import NotFound
from app.ids import Ref
from app.memberships import queries as memberships
from app.voting import (
    deliveries,
    objections,
    own_heads,
    petitions,
    queries,
    roll,
)
from app.voting.drafting import MotionDraft
from app.voting.models import DecisionStatus, Petition
from bff.http import dumped, read_cursor, reads, revalidated, write_cursor, writes
from bff.resident import decision_schemas as s
from bff.resident.auth import asks_itself, ensure_login
from bff.resident.decision_page import detail_out, page_out, row_out
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("decisions", __name__, url_prefix="/bff/v1", description="Decisions")


# --- decisions -----------------------------------------------------------------------------------------------


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
@asks_itself
@revalidated
@blp.described(s.OwnDecisionOut)
def read_decision(ref: Ref) -> Response:
    """A decision with its motions, rules, turnout, my entry of the roll, and the heads for which I vote."""
    page = own_decision.of(g.resident_id, g.session_id, ref)
    if page is not None:
        shown, is_proof = page_out(page), page.login_counts
    else:
        with db.reading() as session:
            ensure_login(session.connection())
            row = queries.decision_for(g.resident_id, ref)
            shown = detail_out(row)
            is_proof = deliveries.login_counts(g.resident_id, row)
    if is_proof:  # the announced rules say that who opened it has been told
        with db.transaction():
            deliveries.note_login(g.resident_id, ref)
    return dumped(shown)


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
    """My objections to this decision, oldest first. 404 where I have none and may not see it."""
    after = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    found = objections.of_decision(
        ref, limit=limit + 1, after=after[0] if after else None, resident_id=g.resident_id
    )
    if not found:
        queries.decision_for(g.resident_id, ref)  # whoever has none is told only of what she may see
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
