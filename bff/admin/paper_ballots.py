"""Voting without a phone: signed sheets read by two, authorisations, and who would like a sheet or a visit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from flask import Response, g, url_for

from app import audit
from app.errors import AppError, NotFound
from app.ids import Ref
from app.media import papers
from app.people.permissions import Permission as Allow
from app.voting import paper, proxies, queries
from app.voting.ballot_errors import Decided
from app.voting.ballot_models import Capacity, PaperBallot, PaperStatus, Proxy
from app.voting.roll_models import PaperRequest
from bff import errors
from bff.admin import paper_schemas as s
from bff.admin.auth import requires
from bff.http import Versioned, asked_version, read_cursor, reads, versioned, write_cursor, writes
from bff.papers import handed_out
from bff.schemas import Blueprint

blp = Blueprint(
    "staff-paper", __name__, url_prefix="/admin/api/v1", description="Voting on paper and by proxy"
)


class _Beside(NamedTuple):
    """What is shown beside rows of one decision, looked up for all of them at once."""

    labels: dict[UUID, str]
    files: dict[Ref, list[dict[str, Any]]]


def _beside(rows: Sequence[PaperBallot | Proxy | PaperRequest], kind: str | None = None) -> _Beside:
    if not rows:
        return _Beside({}, {})
    labels = queries.labels_of(Ref(rows[0].community_id, rows[0].decision_id), [row.head_id for row in rows])
    refs = [Ref(row.community_id, row.id) for row in rows] if kind is not None else []
    found = papers.of_each(kind or "", refs)
    files = {
        ref: [{"file_id": p.id, "kind": p.kind, "ready": p.is_ready} for p in some]
        for ref, some in found.items()
    }
    return _Beside(labels, files)


def _of_decision(ref: Ref, named: Ref | None) -> UUID | None:
    """The uuid of something that has to be of the decision's community. Raises NotFound."""
    if named is not None and named.community_id != ref.community_id:
        raise NotFound
    return named.id if named is not None else None


def _head(ref: Ref, named: Ref) -> UUID:
    head_id = _of_decision(ref, named)
    assert head_id is not None
    return head_id


# --- sheets ------------------------------------------------------------------------------------------------


def _sheet(row: PaperBallot) -> dict[str, Any]:
    return _sheets([row])[0]


def _sheets(rows: Sequence[PaperBallot]) -> list[dict[str, Any]]:
    beside = _beside(rows, paper.OBJECT_KIND)
    return [_sheet_with(row, beside) for row in rows]


def _sheet_with(row: PaperBallot, beside: _Beside) -> dict[str, Any]:
    ref = Ref(row.community_id, row.id)
    return {
        "paper_id": ref,
        "decision_id": Ref(row.community_id, row.decision_id),
        "head_id": Ref(row.community_id, row.head_id),
        "label": beside.labels[row.head_id],
        "status": row.status,
        "is_signed": row.is_signed,
        "invalid_reason": row.invalid_reason,
        "signed_on": row.signed_on,
        "by_proxy": row.proxy_id is not None,
        "reason": row.reason,
        "entered_by_me": row.entered_by == g.staff.id,
        "entered_at": row.entered_at,
        "confirmed_at": row.confirmed_at,
        "rev": row.ballot_rev,
        "files": beside.files[ref],
        "version": row.version,
    }


@blp.route("/decisions/<ref(dec):ref>/paper-ballots", methods=["POST"])
@requires(Allow.PAPER_ENTER)
@writes
@blp.arguments(s.SheetIn)
@blp.response(201, s.SheetOut)
def enter_sheet(body: dict[str, Any], ref: Ref) -> Any:
    """Enter a signed sheet with its photo; it is a ballot once a second person has confirmed it, before the close.
    Unsigned, or with `invalid_reason`: it counts as invalid in every motion. Where the head has cast what a sheet
    doesn't replace: 409 `already_voted`, and the attempt is recorded.
    """
    sheet = paper.Sheet(
        head_id=_head(ref, body["head_id"]),
        choices=body["choices"],
        is_signed=body["is_signed"],
        invalid_reason=body["invalid_reason"],
        signed_on=body["signed_on"],
        proxy_id=_of_decision(ref, body["proxy_id"]),
        file_ids=body["file_ids"],
    )
    done = paper.enter(ref, sheet, acting_user=g.staff)
    # A refusal that is recorded is an answer, not an exception: what was written down is committed.
    return errors.from_app_error(done) if isinstance(done, AppError) else _entered(done)


def _entered(row: PaperBallot) -> Versioned:
    where = url_for("staff-paper.sheet", ref=Ref(row.community_id, row.id))
    return versioned(_sheet(row), 201, Location=where)


@blp.route("/decisions/<ref(dec):ref>/paper-ballots", methods=["GET"])
@requires(Allow.PAPER_ENTER)
@reads
@blp.arguments(s.SheetQuery, location="query")
@blp.response(200, s.SheetList)
def sheets(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The sheets of a decision, oldest first; after the close those `entered` came too late to be confirmed."""
    return sheets_of(args, ref)


def sheets_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The page of sheets that `args` (of SheetQuery) ask for. Raises NotFound, Forbidden, BadCursor."""
    after = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    found = paper.listed(
        ref,
        status=args["status"],
        limit=limit + 1,
        after=after[0] if after else None,
        acting_user=g.staff,
    )
    more = write_cursor(found[limit - 1].id) if len(found) > limit else None
    return {"items": _sheets(found[:limit]), "next_cursor": more}


@blp.route("/paper-ballots/<ref(pbl):ref>", methods=["GET"])
@requires(Allow.PAPER_ENTER)
@reads
@blp.response(200, s.SheetOut)
def sheet(ref: Ref) -> Versioned:
    """One sheet: whose, how far it is; not what it says."""
    return versioned(_sheet(paper.seen_by_staff(ref, permission=Allow.PAPER_ENTER, acting_user=g.staff)))


@blp.route("/paper-ballots/<ref(pbl):ref>/confirm", methods=["POST"])
@requires(Allow.PAPER_CONFIRM)
@writes
@blp.arguments(s.SheetConfirmIn)
@blp.response(200, s.SheetOut)
def confirm_sheet(body: dict[str, Any], ref: Ref) -> Any:
    """As the second person: the sheet is a ballot now. `choices`: what I read, compared with what was entered (409
    `sheet_differs`).
    """
    done = paper.confirm(ref, choices=body["choices"], version=asked_version(), acting_user=g.staff)
    return errors.from_app_error(done) if isinstance(done, AppError) else versioned(_sheet(done))


@blp.route("/paper-ballots/<ref(pbl):ref>/refuse", methods=["POST"])
@requires(Allow.PAPER_CONFIRM)
@writes
@blp.arguments(s.PaperRefuseIn)
@blp.response(200, s.SheetOut)
def refuse_sheet(body: dict[str, Any], ref: Ref) -> Versioned:
    """It isn't what was entered, or not this head's; the sheet can be entered again."""
    return versioned(
        _sheet(paper.refuse(ref, reason=body["reason"], version=asked_version(), acting_user=g.staff))
    )


@blp.route("/paper-ballots/<ref(pbl):ref>/content", methods=["POST"])
@requires(Allow.PAPER_CONFIRM)
@writes
@blp.arguments(s.ContentIn)
@blp.response(200)
@blp.alt_response(409, description="confirmed or refused: nobody looks at it before the close")
def sheet_content(body: dict[str, Any], ref: Ref) -> Response:
    """The photo, for the second person while the sheet waits; audited."""
    row = paper.seen_by_staff(ref, permission=Allow.PAPER_CONFIRM, acting_user=g.staff)
    if row.status != PaperStatus.ENTERED:
        raise Decided
    return _content(paper.OBJECT_KIND, ref, body["file_id"], "paper.sheet_read")


def _content(kind: str, ref: Ref, file_id: UUID | None, action: str) -> Response:
    found = next((p for p in papers.of(kind, ref) if file_id in {p.id, None} and p.is_ready), None)
    if found is None:
        raise NotFound
    audit.record(g.staff.actor, action, community_id=ref.community_id, object_kind=kind, object_id=ref.id)
    return handed_out(found)


# --- authorisations ------------------------------------------------------------------------------------------


def _proxy(row: Proxy) -> dict[str, Any]:
    return _proxies([row])[0]


def _proxies(rows: Sequence[Proxy]) -> list[dict[str, Any]]:
    beside, known = _beside(rows, proxies.OBJECT_KIND), proxies.known_of(rows)
    staff = proxies.names_of_property_staff(rows[0].community_id) if rows else ()
    return [_proxy_with(row, beside, is_known=row.id in known, staff=staff) for row in rows]


def _proxy_with(row: Proxy, beside: _Beside, *, is_known: bool, staff: Collection[str]) -> dict[str, Any]:
    name = proxies.name_of(row)
    ref = Ref(row.community_id, row.id)
    return {
        "proxy_id": ref,
        "decision_id": Ref(row.community_id, row.decision_id),
        "head_id": Ref(row.community_id, row.head_id),
        "label": beside.labels[row.head_id],
        "capacity": row.capacity,
        "name": name,
        "status": row.status,
        "reason": row.reason,
        "is_known": is_known,
        "same_name_as_property_staff": name in staff,
        "entered_by_me": row.entered_by == g.staff.id,
        "created_at": row.created_at,
        "decided_at": row.decided_at,
        "files": beside.files[ref],
        "version": row.version,
    }


@blp.route("/decisions/<ref(dec):ref>/proxies", methods=["POST"])
@requires(Allow.PROXY_REVIEW)
@writes
@blp.arguments(s.ProxyIn)
@blp.response(201, s.ProxyOut)
def enter_proxy(body: dict[str, Any], ref: Ref) -> Versioned:
    """Enter an authorisation that was brought on paper; a colleague approves it."""
    row = proxies.enter(ref, wanted(ref, body), acting_user=g.staff)
    where = url_for("staff-paper.proxy", ref=Ref(row.community_id, row.id))
    return versioned(_proxy(row), 201, Location=where)


def wanted(ref: Ref, body: dict[str, Any]) -> proxies.Wanted:
    """What an authorisation's body asks for."""
    return proxies.Wanted(
        head_id=_head(ref, body["head_id"]),
        capacity=Capacity(body["capacity"]),
        name=body["name"],
        phone=body["phone"],
        is_property_staff=body["is_property_staff"],
        file_ids=body["file_ids"],
    )


@blp.route("/decisions/<ref(dec):ref>/proxies", methods=["GET"])
@requires(Allow.PROXY_REVIEW)
@reads
@blp.arguments(s.ProxyQuery, location="query")
@blp.response(200, s.ProxyList)
def proxy_list(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The authorisations of a decision, oldest first."""
    return proxies_of(args, ref)


def proxies_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The page of authorisations that `args` (of ProxyQuery) ask for. Raises NotFound, Forbidden, BadCursor."""
    after = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    found = proxies.listed(
        ref,
        status=args["status"],
        limit=limit + 1,
        after=after[0] if after else None,
        acting_user=g.staff,
    )
    more = write_cursor(found[limit - 1].id) if len(found) > limit else None
    return {"items": _proxies(found[:limit]), "next_cursor": more}


@blp.route("/proxies/<ref(prx):ref>", methods=["GET"])
@requires(Allow.PROXY_REVIEW)
@reads
@blp.response(200, s.ProxyOut)
def proxy(ref: Ref) -> Versioned:
    """One authorisation."""
    return versioned(_proxy(proxies.seen_by_staff(ref, acting_user=g.staff)))


@blp.route("/proxies/<ref(prx):ref>/approve", methods=["POST"])
@requires(Allow.PROXY_REVIEW)
@writes
@blp.arguments(s.ProxyApproveIn)
@blp.response(200, s.ProxyOut)
def approve_proxy(body: dict[str, Any], ref: Ref) -> Versioned:
    """The paper holds: she casts for the head from now on."""
    done = proxies.approve(
        ref, is_somebody_else=body["is_somebody_else"], version=asked_version(), acting_user=g.staff
    )
    return versioned(_proxy(done))


@blp.route("/proxies/<ref(prx):ref>/refuse", methods=["POST"])
@requires(Allow.PROXY_REVIEW)
@writes
@blp.arguments(s.PaperRefuseIn)
@blp.response(200, s.ProxyOut)
def refuse_proxy(body: dict[str, Any], ref: Ref) -> Versioned:
    """It doesn't hold."""
    return versioned(
        _proxy(proxies.refuse(ref, reason=body["reason"], version=asked_version(), acting_user=g.staff))
    )


@blp.route("/proxies/<ref(prx):ref>/content", methods=["POST"])
@requires(Allow.PROXY_REVIEW)
@writes
@blp.arguments(s.ContentIn)
@blp.response(200)
def proxy_content(body: dict[str, Any], ref: Ref) -> Response:
    """The signed authorisation; audited."""
    proxies.seen_by_staff(ref, acting_user=g.staff)
    return _content(proxies.OBJECT_KIND, ref, body["file_id"], "proxy.paper_read")


# --- requests ------------------------------------------------------------------------------------------------


def _request(row: PaperRequest) -> dict[str, Any]:
    return _requests([row])[0]


def _requests(rows: Sequence[PaperRequest]) -> list[dict[str, Any]]:
    labels = _beside(rows).labels
    return [_request_with(row, labels[row.head_id]) for row in rows]


def _request_with(row: PaperRequest, label: str) -> dict[str, Any]:
    return {
        "head_id": Ref(row.community_id, row.head_id),
        "label": label,
        "wants": row.wants,
        "by_resident": row.resident_id is not None,
        "created_at": row.created_at,
        "done_at": row.done_at,
    }


@blp.route("/decisions/<ref(dec):ref>/paper-requests", methods=["POST"])
@requires(Allow.PAPER_ENTER)
@writes
@blp.arguments(s.PaperRequestIn)
@blp.response(201, s.PaperRequestOut)
def note_request(body: dict[str, Any], ref: Ref) -> Any:
    """Somebody without a phone wants a sheet, or a visit."""
    row = paper.note(ref, _head(ref, body["head_id"]), wants=body["wants"], acting_user=g.staff)
    return _request(row), 201, {"Location": url_for("staff-paper.requests", ref=ref)}


@blp.route("/decisions/<ref(dec):ref>/paper-requests", methods=["GET"])
@requires(Allow.PAPER_ENTER)
@reads
@blp.arguments(s.PaperRequestQuery, location="query")
@blp.response(200, s.PaperRequestList)
def requests(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Who wants a sheet or a visit, oldest first."""
    return requests_of(args, ref)


def requests_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The page of requests that `args` (of PaperRequestQuery) ask for. Raises NotFound, Forbidden, BadCursor."""
    after = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    found = paper.requests_of(
        ref,
        is_open=args["open"],
        limit=limit + 1,
        after=after[0] if after else None,
        acting_user=g.staff,
    )
    more = write_cursor(found[limit - 1].id) if len(found) > limit else None
    return {"items": _requests(found[:limit]), "next_cursor": more}


@blp.route("/decisions/<ref(dec):ref>/heads/<ref(hed):head>/paper-request/done", methods=["POST"])
@requires(Allow.PAPER_ENTER)
@writes
@blp.response(200, s.PaperRequestOut)
def request_done(ref: Ref, head: Ref) -> dict[str, Any]:
    """The sheet was brought, or the visit made."""
    return _request(paper.brought(ref, _head(ref, head), acting_user=g.staff))
