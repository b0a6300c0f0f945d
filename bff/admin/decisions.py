"""Decisions of owners: drafted, reviewed, announced, opened, closed, filed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g, request, url_for

from app import clock
from app.audit import ActorKind
from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.voting import drafting, queries, readiness, service, words
from app.voting.drafting import MotionDraft
from app.voting.matters import NAMES, Matter
from app.voting.models import Decision, DecisionEvent, DecisionKind, DecisionStatus, LegalMode
from bff.admin import decision_schemas as s
from bff.admin.auth import requires
from bff.http import (
    Versioned,
    asked_version,
    read_cursor,
    reads,
    revalidated,
    versioned,
    wanted_version,
    write_cursor,
    writes,
)
from bff.schemas import Blueprint

blp = Blueprint("staff-decisions", __name__, url_prefix="/admin/api/v1", description="Decisions")


def _english() -> bool:
    return request.accept_languages.best_match(["zh-CN", "zh", "en"]) == "en"


def _row(row: Decision) -> dict[str, Any]:
    return {
        "decision_id": queries.ref_of(row),
        "estate_id": queries.estate_of(row),
        "kind": row.kind,
        "title": row.title,
        "status": queries.status_of(row),
        "legal_mode": row.legal_mode,
        "legal_mode_text": words.mode(row.legal_mode, english=_english()),
        "opens_at": row.opens_at,
        "closes_at": row.closes_at,
        "heads": row.heads,
        "area_centi": row.area_centi,
        "created_at": row.created_at,
        "version": row.version,
    }


def _in(community_id: int, thing: UUID | None) -> Ref | None:
    return Ref(community_id, thing) if thing is not None else None


def motions_out(row: Decision) -> list[dict[str, Any]]:
    """The motions of a decision, as every face shows them."""
    return [
        {
            "motion_id": Ref(motion.community_id, motion.id),
            "number": motion.number,
            "matter": motion.matter,
            "matter_name": NAMES[Matter(motion.matter)] if motion.matter is not None else None,
            "title": motion.title,
            "text": motion.text,
            "seats": motion.seats,
            "alternates": motion.alternates,
        }
        for motion in queries.motions_of(queries.ref_of(row))
    ]


def _timeline(events: list[DecisionEvent]) -> list[dict[str, Any]]:
    names = people.staff_names(e.actor_id for e in events if e.actor_kind == ActorKind.STAFF)
    return [
        {
            "kind": event.kind,
            "at": event.at,
            "by": event.actor_kind,
            "name": names.get(event.actor_id) if event.actor_id is not None else None,
            "is_public": event.is_public,
            "details": event.details,
        }
        for event in events
    ]


def detail(row: Decision) -> dict[str, Any]:
    """A decision as `DecisionDetail` shows it."""
    due = row.filing_due_at
    same = (
        "text announced_at objections_until announced_closes_at extended_at extension_reason frozen_at closed_at"
        " certified_at filing_due_at filed_at filing_number posted_at posted_until archived_at cancelled_at"
        " cancel_reason"
    )
    # A draft shows the rules that it would be announced with.
    rules = queries.rules_of(row) if row.announced_at else queries.rules_for(queries.estate_of(row))
    return (
        _row(row)
        | {name: getattr(row, name) for name in same.split()}
        | {
            "building_ids": None
            if row.building_ids is None
            else [Ref(row.community_id, UUID(str(b))) for b in row.building_ids],
            "motions": motions_out(row),
            "rules": rules.as_json(),
            "previous_id": _in(row.community_id, row.previous_id),
            "petition_id": _in(row.community_id, row.petition_id),
            "reviewed": service.is_reviewed(row),
            "roll_root": row.roll_root_hash.hex() if row.roll_root_hash else None,
            "filing_overdue": due is not None and row.filed_at is None and clock.now() > due,
            "timeline": _timeline(queries.timeline(queries.ref_of(row), public_only=False)),
        }
    )


def _answer(row: Decision) -> Versioned:
    return versioned(detail(row))


def _motions(body: list[dict[str, Any]]) -> list[MotionDraft]:
    return [
        MotionDraft(
            id=motion["motion_id"].id if motion["motion_id"] is not None else None,
            title=motion["title"],
            text=motion["text"],
            matter=motion["matter"],
            seats=motion["seats"],
            alternates=motion["alternates"],
        )
        for motion in body
    ]


# --- reading -----------------------------------------------------------------------------------------------


@blp.route("/decisions", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
@blp.arguments(s.DecisionQuery, location="query")
@blp.response(200, s.DecisionList)
def listed(args: dict[str, Any]) -> dict[str, Any]:
    """Decisions of my estates, the newest first."""
    return page_of(args)


def page_of(args: dict[str, Any]) -> dict[str, Any]:
    """The page of decisions that `args` (of DecisionQuery) ask for. Raises BadCursor."""
    reach = queries.reach(g.staff, Allow.DECISION_VIEW)
    wanted = reach if args["estate_id"] is None else reach & {args["estate_id"]}
    words_ = frozenset((args["status"] or "").split(",")) & set(DecisionStatus)
    after = read_cursor(args["cursor"], int, UUID)
    found = queries.decisions_of(
        wanted,
        statuses=words_,
        announced_only=False,
        page=queries.Page(args["limit"] + 1, (after[0], after[1]) if after else None),
    )
    page = found[: args["limit"]]
    more = len(found) > len(page)
    return {
        "items": [_row(row) for row in page],
        "next_cursor": write_cursor(page[-1].community_id, page[-1].id) if more else None,
    }


@blp.route("/decisions/<ref(dec):ref>", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@revalidated
@reads
@blp.response(200, s.DecisionDetail)
def one(ref: Ref) -> Versioned:
    """A decision with its motions, rules, clocks and timeline."""
    return _answer(queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW))


@blp.route("/decisions/<ref(dec):ref>/checks", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
@blp.response(200, s.CheckList)
def checks(ref: Ref) -> dict[str, Any]:
    """What it still needs before it can be announced, of a draft or what is in review; nothing afterwards."""
    return checks_of(ref)


def checks_of(ref: Ref) -> dict[str, Any]:
    """What it still needs. Raises NotFound."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    found = readiness.checks(row) if row.status in {DecisionStatus.DRAFT, DecisionStatus.IN_REVIEW} else []
    return {"items": [check._asdict() for check in found]}


# --- drafting ----------------------------------------------------------------------------------------------


@blp.route("/decisions", methods=["POST"])
@requires(Allow.DECISION_DRAFT)
@writes
@blp.arguments(s.DecisionDraftIn)
@blp.response(201, s.DecisionDetail)
def create(body: dict[str, Any]) -> Versioned:
    """Start a draft. Each motion names its matter of art. 278; its threshold follows from that."""
    row = drafting.create(
        g.staff,
        estate=body["estate_id"],
        kind=DecisionKind(body["kind"]),
        title=body["title"],
        text=body["text"],
        motions=_motions(body["motions"]),
        legal_mode=LegalMode(body["legal_mode"]) if body.get("legal_mode") else None,
        building_ids=body.get("building_ids"),
        opens_at=body.get("opens_at"),
        closes_at=body.get("closes_at"),
        previous=body.get("previous_id"),
    )
    where = url_for("staff-decisions.one", ref=queries.ref_of(row))
    return versioned(detail(row), 201, Location=where)


@blp.route("/decisions/<ref(dec):ref>", methods=["PATCH"])
@requires(Allow.DECISION_DRAFT)
@writes
@blp.arguments(s.DecisionPatch)
@blp.response(200, s.DecisionDetail)
def edit(body: dict[str, Any], ref: Ref) -> Versioned:
    """Change a draft. What was announced is fixed: 409 `already_announced`. `motions` replaces them all."""
    motions = body.pop("motions", None)
    changes = {("previous" if name == "previous_id" else name): value for name, value in body.items()}
    return _answer(
        drafting.edit(
            g.staff,
            ref,
            version=wanted_version(),
            changes=changes,
            motions=_motions(motions) if motions is not None else None,
        )
    )


# --- moves ---------------------------------------------------------------------------------------------------


@blp.route("/decisions/<ref(dec):ref>/submit", methods=["POST"])
@requires(Allow.DECISION_DRAFT)
@writes
@blp.response(200, s.DecisionDetail)
def submit(ref: Ref) -> Versioned:
    """Hand it in for the community's review."""
    return _answer(service.submit(g.staff, ref, version=asked_version()))


@blp.route("/decisions/<ref(dec):ref>/review", methods=["POST"])
@requires(Allow.DECISION_REVIEW)
@writes
@blp.arguments(s.DecisionReviewIn)
@blp.response(200, s.DecisionDetail)
def review(body: dict[str, Any], ref: Ref) -> Versioned:
    """选举审核, by somebody who didn't draft it: passed, or back with the reason."""
    return _answer(
        service.review(
            g.staff, ref, passed=body["passed"], reason=body["reason"] or None, version=asked_version()
        )
    )


@blp.route("/decisions/<ref(dec):ref>/announce", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.arguments(s.AnnounceIn)
@blp.response(200, s.DecisionDetail)
def announce(body: dict[str, Any], ref: Ref) -> Versioned:
    """Announce what was reviewed. From here on texts, times and rules are fixed; the notice period runs."""
    return _answer(service.announce(g.staff, ref, **body, version=asked_version()))


@blp.route("/decisions/<ref(dec):ref>/open", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.response(202, s.OpeningJob)
def open_(ref: Ref) -> Any:
    """Freeze the roll now, when objections to it are over; voting opens at its announced time."""
    service.promise_freeze(g.staff, ref)
    where = url_for("staff-decisions.opening", ref=ref)
    return {"job_id": ref, "status_url": where}, 202, {"Location": where}


@blp.route("/decisions/<ref(dec):ref>/opening", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
@blp.response(200, s.OpeningState)
def opening(ref: Ref) -> dict[str, Any]:
    """How far the freeze of the roll is."""
    return opening_of(ref)


def opening_of(ref: Ref) -> dict[str, Any]:
    """How far the freeze of its roll is. Raises NotFound."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    state = "done" if row.frozen_at else "working" if service.is_freezing(row) else "waiting"
    return {
        "state": state,
        "done": row.heads or 0,
        "total": row.heads or 0,
        "message": words.opening(state, english=_english()),
    }


@blp.route("/decisions/<ref(dec):ref>/extend", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.arguments(s.ExtendIn)
@blp.response(200, s.DecisionDetail)
def extend(body: dict[str, Any], ref: Ref) -> Versioned:
    """Keep it open longer, once, where the announced rules allow it; posted, pushed and in the log."""
    return _answer(service.extend(g.staff, ref, **body, version=asked_version()))


@blp.route("/decisions/<ref(dec):ref>/close", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.response(200, s.DecisionDetail)
def close(ref: Ref) -> Versioned:
    """Close it before its time, when every head has cast; else 409 `too_early`. At its time it closes by itself."""
    return _answer(service.close(g.staff, ref, version=asked_version()))


@blp.route("/decisions/<ref(dec):ref>/file", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.arguments(s.FilingIn)
@blp.response(200, s.DecisionDetail)
def file(body: dict[str, Any], ref: Ref) -> Versioned:
    """备案: it was filed with the street, under this number."""
    return _answer(service.file(g.staff, ref, number=body["number"], version=asked_version()))


@blp.route("/decisions/<ref(dec):ref>/cancel", methods=["POST"])
@requires(Allow.DECISION_EDIT)
@writes
@blp.arguments(s.DecisionReasonIn)
@blp.response(200, s.DecisionDetail)
def cancel(body: dict[str, Any], ref: Ref) -> Versioned:
    """It doesn't take place, or doesn't count; what was cast stays sealed."""
    return _answer(service.cancel(g.staff, ref, reason=body["reason"], version=asked_version()))
