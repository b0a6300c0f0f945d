"""Voting without a phone: sheets typed in by one and read by another, requests for paper, proxies; and candidates."""

from __future__ import annotations

from typing import Any

from flask import g

from app import ids
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.voting import queries, roll, texts
from app.voting.ballot_models import PaperStatus
from app.voting.models import Decision, DecisionStatus
from app.voting.verdicts import square_metres
from bff.admin import candidate_schemas, paper_schemas
from bff.admin.auth import requires
from bff.admin.candidates import candidates_of
from bff.admin.console.decision_pages import may, of_one
from bff.admin.console.face import blp, fragment, page, query
from bff.admin.console.lists import next_address
from bff.admin.console.ticket_pages import MOST_PICKED, Choice, PickQuery
from bff.admin.console.words import say
from bff.admin.paper_ballots import proxies_of, requests_of, sheets_of
from bff.http import reads
from bff.schemas import PageQuery

MANY = 100  # rows of a list that has no pages of its own: the oldest, which wait longest
_BEFORE = frozenset({DecisionStatus.DRAFT, DecisionStatus.IN_REVIEW})


# --- sheets ----------------------------------------------------------------------------------------------------


@blp.route("/decisions/<ref(dec):ref>/paper", methods=["GET"])
@requires(Allow.PAPER_ENTER)
@reads
def decision_paper(ref: Ref) -> str:
    """The form for a signed sheet, those that wait for a second person, and who asked for paper or a visit."""
    row = queries.decision_for_staff(g.staff, ref, Allow.PAPER_ENTER)
    first = {"limit": MANY, "cursor": None}
    found = {
        status.value: paper_schemas.SheetList().dump(sheets_of(first | {"status": status.value}, ref))
        for status in PaperStatus
    }
    asked = paper_schemas.PaperRequestList().dump(requests_of(first | {"open": True}, ref))
    is_open = queries.status_of(row) is DecisionStatus.OPEN
    proxies = (
        paper_schemas.ProxyList().dump(proxies_of(first | {"status": "approved"}, ref))["items"]
        if may(row, Allow.PROXY_REVIEW)
        else []
    )
    return page(
        "decisions/paper.html",
        here="decisions",
        **of_one(row, "paper"),
        enters=is_open,
        confirms=is_open and may(row, Allow.PAPER_CONFIRM),
        lists={status: one["items"] for status, one in found.items()},
        is_cut={status: one["next_cursor"] is not None for status, one in found.items()},
        asked=asked["items"],
        asked_is_cut=asked["next_cursor"] is not None,
        proxies=proxies,
        questions=questions_of(row),
        most=MANY,
    )


def questions_of(row: Decision) -> list[dict[str, Any]]:
    """The ballot's questions: of an election with its candidates and how many may be chosen."""
    ref = queries.ref_of(row)
    standing: dict[Any, list[Choice]] = {}
    for candidate in queries.candidates_of(ref):
        wire = ids.encode(Kind.CANDIDATE, Ref(ref.community_id, candidate.id))
        number = f"{candidate.number}. " if candidate.number else ""
        standing.setdefault(candidate.motion_id, []).append(Choice(wire, number + texts.name_of(candidate)))
    return [
        {
            "id": ids.encode(Kind.MOTION, Ref(ref.community_id, motion.id)),
            "number": motion.number,
            "title": motion.title,
            "seats": motion.seats,
            "candidates": standing.get(motion.id, []),
        }
        for motion in queries.motions_of(ref)
    ]


@blp.route("/decisions/<ref(dec):ref>/pick/heads", methods=["GET"])
@requires(Allow.ROLL_VIEW)
@reads
def pick_head(ref: Ref) -> str:
    """Heads of the frozen roll by a room; no name."""
    queries.decision_for_staff(g.staff, ref, Allow.ROLL_VIEW)
    q: str = query(PickQuery)["q"]
    found = roll.heads_on_roll(ref, limit=MOST_PICKED, wanted=roll.Wanted(room=q)) if q else []
    choices = [
        Choice(
            ids.encode(Kind.HEAD, Ref(head.community_id, head.id)),
            head.label,
            f"{square_metres(head.area_centi)} m²",
        )
        for head in found
    ]
    nothing = say("名册上没有这个房号") if q else say("输入房号，例如 301 或 1-301")
    return fragment("_picked.html", choices=choices, nothing=nothing)


# --- authorisations ----------------------------------------------------------------------------------------------


@blp.route("/decisions/<ref(dec):ref>/proxies", methods=["GET"])
@requires(Allow.PROXY_REVIEW)
@reads
def decision_proxies(ref: Ref) -> str:
    """Authorisations that wait, and those that were decided; the form for one that was brought on paper."""
    row = queries.decision_for_staff(g.staff, ref, Allow.PROXY_REVIEW)
    asked = query(PageQuery) | {"limit": MANY}
    every = paper_schemas.ProxyList().dump(proxies_of(asked | {"status": None}, ref))
    waiting = paper_schemas.ProxyList().dump(
        proxies_of({"limit": MANY, "cursor": None, "status": "pending"}, ref)
    )
    return page(
        "decisions/proxies.html",
        here="decisions",
        **of_one(row, "proxies"),
        waiting=waiting["items"],
        waiting_is_cut=waiting["next_cursor"] is not None,
        most=MANY,
        decided=[one for one in every["items"] if one["status"] != "pending"],
        is_first=not asked["cursor"],
        next_address=next_address(every["next_cursor"]),
        enters=queries.status_of(row) in {DecisionStatus.ANNOUNCED, DecisionStatus.OPEN},
        rules=queries.rules_of(row),
    )


# --- candidates ----------------------------------------------------------------------------------------------------


@blp.route("/decisions/<ref(dec):ref>/candidates", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
def decision_candidates(ref: Ref) -> str:
    """Everybody who was nominated, with the checks that wait, and the time in which owners nominate."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    shown = candidate_schemas.StaffCandidateList().dump({"items": candidates_of(ref)["items"]})["items"]
    return page(
        "decisions/candidates.html",
        here="decisions",
        **of_one(row, "candidates"),
        candidates=shown,
        is_before=row.status in _BEFORE,
        edits=may(row, Allow.DECISION_EDIT),
        nominations_until=row.nominations_until,
        is_frozen=row.frozen_at is not None,
    )
