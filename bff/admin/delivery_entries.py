"""Proofs of delivery that staff bring: visits and posted notices with their papers, read by a second person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, g, url_for

from app import audit
from app.errors import NotFound
from app.ids import Ref
from app.media import papers
from app.people.permissions import Permission as Allow
from app.voting import proofs
from app.voting.ballot_errors import Decided
from app.voting.roll_models import DeliveryEntry, DeliveryWay, EntryStatus
from bff.admin import decision_roll_schemas as s
from bff.admin.auth import requires
from bff.http import Versioned, asked_version, read_cursor, reads, versioned, write_cursor, writes
from bff.papers import handed_out
from bff.schemas import Blueprint

blp = Blueprint("delivery-entries", __name__, url_prefix="/admin/api/v1", description="Decisions")


def _row(row: DeliveryEntry) -> dict[str, Any]:
    ref = Ref(row.community_id, row.id)
    return {
        "entry_id": ref,
        "decision_id": Ref(row.community_id, row.decision_id),
        "way": row.way,
        "status": row.status,
        "heads": row.heads,
        "entered_by_me": row.entered_by == g.staff.id,
        "entered_at": row.entered_at,
        "confirmed_at": row.confirmed_at,
        "reason": row.reason,
        "files": [
            {"file_id": p.id, "kind": p.kind, "ready": p.is_ready} for p in papers.of(proofs.OBJECT_KIND, ref)
        ],
        "version": row.version,
    }


def _answer(row: DeliveryEntry, status: int = 200, **headers: str) -> Versioned:
    labels = proofs.labels_of(Ref(row.community_id, row.id))
    return versioned(_row(row) | {"labels": labels}, status, **headers)


def _entered(ref: Ref, way: DeliveryWay, body: dict[str, Any]) -> Versioned:
    row = proofs.enter(g.staff, ref, heads=body["head_ids"], way=way, file_ids=body["file_ids"])
    where = url_for("delivery-entries.entry", ref=Ref(row.community_id, row.id))
    return _answer(row, 201, Location=where)


@blp.route("/decisions/<ref(dec):ref>/visits", methods=["POST"])
@requires(Allow.PAPER_ENTER)
@writes
@blp.arguments(s.HeadsIn)
@blp.response(201, s.DeliveryEntryDetail)
def visited(body: dict[str, Any], ref: Ref) -> Versioned:
    """I was at these doors and they signed for it; their requests for a visit are done. Proof of delivery once a second
    person has confirmed it.
    """
    return _entered(ref, DeliveryWay.VISIT, body)


@blp.route("/decisions/<ref(dec):ref>/posted-notices", methods=["POST"])
@requires(Allow.PAPER_ENTER)
@writes
@blp.arguments(s.HeadsIn)
@blp.response(201, s.DeliveryEntryDetail)
def posted(body: dict[str, Any], ref: Ref) -> Versioned:
    """A notice hangs in the area for these heads, whom nothing else reaches (公告送达; else 409 `reached_otherwise`),
    at least seven days before the close (else 409 `posted_late`). Proof once a second person has confirmed it.
    """
    return _entered(ref, DeliveryWay.POSTED, body)


@blp.route("/decisions/<ref(dec):ref>/delivery-entries", methods=["GET"])
@requires(Allow.PAPER_ENTER)
@reads
@blp.arguments(s.DeliveryEntryQuery, location="query")
@blp.response(200, s.DeliveryEntryList)
def entries(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """What was entered of visits and posted notices, oldest first; those `entered` wait for a second person."""
    return entries_of(args, ref)


def entries_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The page of entries that `args` (of DeliveryEntryQuery) ask for. Raises NotFound, Forbidden, BadCursor."""
    after = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    found = proofs.listed(
        g.staff, ref, status=args["status"], limit=limit + 1, after=after[0] if after else None
    )
    more = write_cursor(found[limit - 1].id) if len(found) > limit else None
    return {"items": [_row(row) for row in found[:limit]], "next_cursor": more}


@blp.route("/delivery-entries/<ref(dlv):ref>", methods=["GET"])
@requires(Allow.PAPER_ENTER)
@reads
@blp.response(200, s.DeliveryEntryDetail)
def entry(ref: Ref) -> Versioned:
    """One of them, with the rooms it is for."""
    return _answer(proofs.seen_by_staff(g.staff, ref, permission=Allow.PAPER_ENTER))


@blp.route("/delivery-entries/<ref(dlv):ref>/confirm", methods=["POST"])
@requires(Allow.PAPER_CONFIRM)
@writes
@blp.response(200, s.DeliveryEntryDetail)
def confirm(ref: Ref) -> Versioned:
    """As the second person: the papers show it, so these heads were told. Before the close."""
    return _answer(proofs.confirm(g.staff, ref, version=asked_version()))


@blp.route("/delivery-entries/<ref(dlv):ref>/refuse", methods=["POST"])
@requires(Allow.PAPER_CONFIRM)
@writes
@blp.arguments(s.EntryRefuseIn)
@blp.response(200, s.DeliveryEntryDetail)
def refuse(body: dict[str, Any], ref: Ref) -> Versioned:
    """The papers don't show it: it proves nothing, and can be entered again."""
    return _answer(proofs.refuse(g.staff, ref, reason=body["reason"], version=asked_version()))


@blp.route("/delivery-entries/<ref(dlv):ref>/content", methods=["POST"])
@requires(Allow.PAPER_CONFIRM)
@writes
@blp.arguments(s.ProofContentIn)
@blp.response(200)
@blp.alt_response(409, description="confirmed or refused already")
def content(body: dict[str, Any], ref: Ref) -> Response:
    """The receipt, or the notice as it hangs, for the second person while it waits; audited."""
    row = proofs.seen_by_staff(g.staff, ref, permission=Allow.PAPER_CONFIRM)
    if row.status != EntryStatus.ENTERED:
        raise Decided
    file_id = body["file_id"]
    ready = [p for p in papers.of(proofs.OBJECT_KIND, ref) if p.is_ready]
    found = next((p for p in ready if file_id in {p.id, None}), None)
    if found is None:
        raise NotFound
    audit.record(
        g.staff.actor,
        "delivery.paper_read",
        community_id=ref.community_id,
        object_kind=proofs.OBJECT_KIND,
        object_id=ref.id,
    )
    return handed_out(found)
