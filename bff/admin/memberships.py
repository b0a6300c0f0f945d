"""Who is bound to which house: review with papers, entry at the door, the registration drive."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, g, request, url_for

from app import db
from app.ids import Ref
from app.media import papers
from app.memberships import drive, matching, review, telling
from app.memberships import queries as memberships
from app.memberships.models import Level, Membership, MembershipStatus, Review
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import households, identity, rooms
from app.places import registry_queries as registry
from bff.admin import membership_schemas as s
from bff.admin.auth import requires
from bff.admin.registry import owner_out
from bff.http import Versioned, asked_version, read_cursor, reads, versioned, write_cursor, writes
from bff.papers import handed_out
from bff.schemas import Blueprint

blp = Blueprint("staff-memberships", __name__, url_prefix="/admin/api/v1", description="Memberships")


def _reach(permission: Allow = Allow.MEMBERSHIPS_READ) -> frozenset[Ref]:
    return registry_reach(g.staff, permission)


def _words(text: str | None, known: type[MembershipStatus] | type[Review]) -> frozenset[str]:
    return frozenset(part.strip() for part in (text or "").split(",") if part.strip()) & set(known)


def _row(row: Membership, address: households.Address) -> dict[str, Any]:
    ref = Ref(row.community_id, row.id)
    english = request.accept_languages.best_match(["zh-CN", "zh", "en"]) == "en"
    return {
        "membership_id": ref,
        "house_id": Ref(row.community_id, row.house_id),
        "estate_id": Ref(row.community_id, row.estate_id),
        **address._asdict(),
        "relation": row.relation,
        "status": memberships.status_of(row),
        "review": row.review,
        "voter_level": memberships.level_of(row),
        "basis": row.basis,
        "name_masked": telling.name_words(row),
        "missing": [
            {"code": code, "text": matching.WORDS[matching.Why(code)][1 if english else 0]}
            for code in row.why
        ],
        "evidence_count": len(papers.of(memberships.OBJECT_KIND, ref)),
        "objection_count": len(memberships.objections_to(row)),
        "vote": memberships.vote_of(row)._asdict(),
        "valid_to": row.valid_to,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "version": row.version,
    }


def detail(row: Membership) -> dict[str, Any]:
    """A membership with everything that staff see of it, for this face and its pages."""
    ref, house = Ref(row.community_id, row.id), Ref(row.community_id, row.house_id)
    # An owner's number is shown, masked, to those alone who might see it whole.
    whole = Ref(row.community_id, row.estate_id) in _reach(Allow.REGISTRY_UNMASK)
    resident = people.resident(row.resident_id) if row.resident_id else None
    phone = people.phone_of(resident) if resident else None
    alerts = memberships.alerts_of(row)
    named = {row.owner_id} | {alert.owner_id for alert in alerts}
    known = registry.owners_by_id(row.community_id, [owner_id for owner_id in named if owner_id])
    return _row(row, households.addresses(row.community_id, [row.house_id])[row.house_id]) | {
        "owner": owner_out(known[row.owner_id], voter=None, whole=whole) if row.owner_id else None,
        "owners": [owner_out(found.owner, voter=None, whole=whole) for found in households.owners_of(house)],
        "resident": {
            "resident_id": resident.id,
            "nickname": people.nickname_of(resident),
            "phone_masked": people.mask_phone(phone) if phone else None,
            "phone_verified_at": resident.phone_verified_at,
        }
        if resident
        else None,
        "evidence": [
            {
                "file_id": paper.id,
                "kind": paper.kind,
                "by": paper.owner_kind,
                "size_bytes": paper.size_bytes,
                "attached_at": paper.attached_at,
                "ready": paper.is_ready,
                "url": url_for("staff-memberships.evidence", ref=ref, file_id=paper.id),
            }
            for paper in papers.of(memberships.OBJECT_KIND, ref)
        ],
        "objections": [
            {
                "at": objection.created_at,
                "text": memberships.words_of(objection),
                "settled_at": objection.settled_at,
                "outcome": objection.outcome,
            }
            for objection in memberships.objections_to(row)
        ],
        "told": [
            {
                "phone_masked": _masked(getattr(known[a.owner_id], f"{a.field}_sealed"), a.field, a.owner_id),
                "owner_id": Ref(a.community_id, a.owner_id),
                "at": a.created_at,
                "reached": a.resident_id is not None,
            }
            for a in alerts
        ],
        "reason": row.reason,
        "decider": people.staff_names([row.decided_by]).get(row.decided_by) if row.decided_by else None,
        "decided_at": row.decided_at,
        "end_reason": row.end_reason,
    }


def _masked(sealed: bytes | None, field: str, owner_id: UUID) -> str | None:
    number = identity.unseal(sealed, field, owner_id)
    return identity.masked_phone(number) if number else None


# --- review ----------------------------------------------------------------------------------------------


@blp.route("/memberships", methods=["GET"])
@requires(Allow.MEMBERSHIPS_READ)
@reads
@blp.arguments(s.MembershipQuery, location="query")
@blp.response(200, s.MembershipList)
def listed(args: dict[str, Any]) -> dict[str, Any]:
    """Memberships in my area, who waits longest first."""
    return found(args)


def found(args: dict[str, Any]) -> dict[str, Any]:
    """The rows of memberships, for this face and its pages."""
    limit = args["limit"]
    after = read_cursor(args["cursor"], int, UUID)
    rows = memberships.listed(
        _reach(),
        memberships.Filter(
            statuses=_words(args["status"], MembershipStatus),
            reviews=_words(args["review"], Review),
            needs_review=args["needs_review"],
            estate=args["estate_id"],
            house=args["house_id"],
        ),
        limit=limit + 1,
        after=(after[0], after[1]) if after else None,
    )
    page = rows[:limit]
    addresses: dict[UUID, households.Address] = {}
    for community_id in {m.community_id for m in page}:
        addresses |= households.addresses(
            community_id, [m.house_id for m in page if m.community_id == community_id]
        )
    more = len(rows) > limit
    return {
        "items": [_row(m, addresses[m.house_id]) for m in page],
        "next_cursor": write_cursor(page[-1].community_id, page[-1].id) if more else None,
    }


@blp.route("/memberships/<ref(mbr):ref>", methods=["GET"])
@requires(Allow.MEMBERSHIPS_READ)
@reads
@blp.response(200, s.MembershipDetail)
def one(ref: Ref) -> Versioned:
    """A membership with its papers, what is missing, who objected, and which phones were told."""
    return versioned(seen(ref))


def seen(ref: Ref) -> dict[str, Any]:
    """A membership in my area. Raises NotFound."""
    return detail(memberships.for_staff(_reach(), ref))


@blp.route("/memberships/<ref(mbr):ref>/files/<ref(upl):file_id>/content", methods=["POST"])
@requires(Allow.MEMBERSHIPS_REVIEW)
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def evidence(ref: Ref, file_id: UUID) -> Response:
    """A paper of a membership, as it was uploaded; audited, which is why it is a POST."""
    with db.transaction():
        paper = review.open_paper(_reach(Allow.MEMBERSHIPS_REVIEW), ref, file_id, acting_user=g.staff.actor)
    return handed_out(paper)


@blp.route("/memberships/<ref(mbr):ref>/approve", methods=["POST"])
@requires(Allow.MEMBERSHIPS_REVIEW)
@writes
@blp.arguments(s.ApproveIn)
@blp.response(200, s.MembershipDetail)
def approve(body: dict[str, Any], ref: Ref) -> Versioned:
    """It holds, at this level; what was objected to or held is cleared by it."""
    done = review.approve(
        _reach(Allow.MEMBERSHIPS_REVIEW),
        ref,
        level=Level(body["voter_level"]) if body["voter_level"] else None,
        owner=body["owner_id"],
        reason=body["reason"],
        version=asked_version(),
        acting_user=g.staff.actor,
    )
    return versioned(detail(done))


@blp.route("/memberships/<ref(mbr):ref>/refuse", methods=["POST"])
@requires(Allow.MEMBERSHIPS_REVIEW)
@writes
@blp.arguments(s.DecisionIn)
@blp.response(200, s.MembershipDetail)
def refuse(body: dict[str, Any], ref: Ref) -> Versioned:
    """It doesn't hold. The reason is for staff; the resident is asked to come with her papers."""
    done = review.refuse(
        _reach(Allow.MEMBERSHIPS_REVIEW),
        ref,
        reason=body["reason"],
        version=asked_version(),
        acting_user=g.staff.actor,
    )
    return versioned(detail(done))


@blp.route("/memberships/<ref(mbr):ref>/end", methods=["POST"])
@requires(Allow.MEMBERSHIPS_REVIEW)
@writes
@blp.arguments(s.DecisionIn)
@blp.response(200, s.MembershipDetail)
def end(body: dict[str, Any], ref: Ref) -> Versioned:
    """She no longer belongs to the house."""
    done = review.end_by_staff(
        _reach(Allow.MEMBERSHIPS_REVIEW),
        ref,
        reason=body["reason"],
        version=asked_version(),
        acting_user=g.staff.actor,
    )
    return versioned(detail(done))


@blp.route("/memberships", methods=["POST"])
@requires(Allow.MEMBERSHIPS_REVIEW)
@writes
@blp.arguments(s.DoorIn)
@blp.response(201, s.MembershipDetail)
def enter_at_the_door(body: dict[str, Any]) -> Versioned:
    """Enter an owner at the door, with a photo of her signature. Has she no WeChat, it waits for her phone."""
    row = review.enter_at_the_door(
        _reach(Allow.MEMBERSHIPS_REVIEW),
        house=body["house_id"],
        owner=body["owner_id"],
        phone=body["phone"],
        file_ids=body["file_ids"],
        acting_user=g.staff.actor,
    )
    where = url_for("staff-memberships.one", ref=Ref(row.community_id, row.id))
    return versioned(detail(row), 201, Location=where)


# --- the registration drive --------------------------------------------------------------------------------


@blp.route("/estates/<ref(est):ref>/registration", methods=["GET"])
@requires(Allow.MEMBERSHIPS_READ)
@reads
@blp.response(200, s.RegistrationOut)
def registration(ref: Ref) -> dict[str, Any]:
    """How many of the owners are bound, in all and by building; how many of the others a message reaches."""
    return standing_of(ref)


def standing_of(ref: Ref) -> dict[str, Any]:
    """How far the registration of an estate is, for this face and its pages. Raises NotFound."""
    total, buildings = drive.counts(drive.standings(_reach(), ref))
    return {
        "estate_id": ref,
        "total": total._asdict(),
        "buildings": [{"building": name, **count._asdict()} for name, count in buildings.items()],
    }


@blp.route("/estates/<ref(est):ref>/registration/missing", methods=["GET"])
@requires(Allow.MEMBERSHIPS_READ)
@reads
@blp.arguments(s.OwnersQuery, location="query")
@blp.response(200, s.MissingOwnerList)
def missing(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The owners who have no vote in the mini-program yet, in the order of their houses: the list to go round with."""
    return missing_of(args, ref)


def missing_of(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The rows of owners without a vote, for this face and its pages. Raises NotFound."""
    whole = ref in _reach(Allow.REGISTRY_UNMASK)
    building = _spelled(args["building"])
    wanted = [
        standing
        for standing in drive.standings(_reach(), ref)
        if not standing.is_bound
        and (building is None or building in map(rooms.building_key, standing.entry.buildings))
        and (not args["to_visit"] or standing.resident_id is None)
    ]
    after = read_cursor(args["cursor"], str, UUID)
    if after:
        wanted = [x for x in wanted if (x.entry.houses[0][0], x.entry.owner.id) > (after[0], after[1])]
    wanted.sort(key=lambda x: (x.entry.houses[0][0], x.entry.owner.id))
    page = wanted[: args["limit"]]
    addresses = drive.addresses(ref, page)
    last = page[-1].entry if len(wanted) > len(page) else None
    return {
        "items": [
            {
                "owner": owner_out(x.entry.owner, voter=None, whole=whole),
                "houses": [addresses[house_id].words for _, _, house_id in x.entry.houses],
                "level": x.level,
                "reachable": x.resident_id is not None,
                "reminded_on": x.reminded_on,
            }
            for x in page
        ],
        "next_cursor": write_cursor(last.houses[0][0], last.owner.id) if last else None,
    }


def _spelled(building: str | None) -> str | None:
    return rooms.building_key(building) if building else None


@blp.route("/estates/<ref(est):ref>/registration/reminders", methods=["POST"])
@requires(Allow.MEMBERSHIPS_REVIEW)
@writes
@blp.arguments(s.RemindIn)
@blp.response(200, s.RemindedOut)
def remind(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Ask the owners without a vote to bind, where a message reaches them; each once a day."""
    return drive.remind(
        _reach(Allow.MEMBERSHIPS_REVIEW),
        ref,
        building=_spelled(body["building"]),
        acting_user=g.staff.actor,
    )._asdict()
