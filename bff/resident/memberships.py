"""My houses: bind, leave, who else belongs to them, who votes for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import g, make_response, url_for

from app.errors import NotFound
from app.ids import Ref
from app.media import papers
from app.media.models import OwnerKind
from app.media.paper_models import Paper
from app.memberships import binding, telling, voting
from app.memberships import members as household
from app.memberships import queries as memberships
from app.memberships.models import Level, Membership, MembershipStatus, Relation
from app.places import households, identity
from app.places import queries as places
from bff.http import reads, versioned, writes
from bff.papers import takes_paper
from bff.resident import membership_schemas as s
from bff.schemas import Blueprint

blp = Blueprint("memberships", __name__, url_prefix="/bff/v1", description="My houses")


# --- papers ----------------------------------------------------------------------------------------------


def _file(paper: Paper) -> dict[str, Any]:
    return {
        "file_id": paper.id,
        "kind": paper.kind,
        "size_bytes": paper.size_bytes,
        "created_at": paper.created_at,
        "attached": paper.attached_community_id is not None,
    }


@blp.route("/files", methods=["POST"])
@takes_paper
@writes
@blp.arguments(s.EvidenceFile, location="files")
@blp.arguments(s.EvidenceForm, location="form")
@blp.response(201, s.EvidenceOut)
def upload_file(_: dict[str, Any], __: dict[str, Any]) -> Any:
    """Upload a paper (picture or PDF, at most 10 MB) that proves something: a deed, an ID card, a lease.

    It lies sealed, is shown only to the staff who decide, and goes after 24 hours when it isn't used.
    """
    taken = g.paper
    paper = papers.receive(
        paper_id=taken.paper_id,
        owner_id=g.resident_id,
        owner_kind=OwnerKind.RESIDENT,
        kind=taken.kind,
        size_bytes=taken.size_bytes,
        sha256=taken.sha256,
    )
    return _file(paper), 201, {"Location": url_for("memberships.file", file_id=paper.id)}


@blp.route("/files/<ref(upl):file_id>", methods=["GET"])
@reads
@blp.response(200, s.EvidenceOut)
def file(file_id: UUID) -> dict[str, Any]:
    """A paper that I uploaded: what it is, and whether it is in use."""
    paper = papers.paper_of(g.resident_id, file_id)
    if paper is None:
        raise NotFound
    return _file(paper)


# --- memberships -----------------------------------------------------------------------------------------


def _may(row: Membership, *, is_mine: bool, as_owner: bool) -> list[str]:
    is_open = memberships.status_of(row) in {MembershipStatus.PENDING, MembershipStatus.VERIFIED}
    if is_mine:
        return ["leave"] if is_open else []
    if row.relation != Relation.OWNER:
        waits = row.status == MembershipStatus.PENDING
        return (["confirm"] if waits else []) + (["remove"] if is_open else []) if as_owner else []
    return ["object"] if row.voter_level == Level.STRONG else []


def _rows(found: Sequence[Membership], *, as_owner: bool = False) -> list[dict[str, Any]]:
    estates = places.estates({Ref(m.community_id, m.estate_id) for m in found})
    addresses: dict[UUID, households.Address] = {}
    for community_id in {m.community_id for m in found}:
        addresses |= households.addresses(
            community_id, [m.house_id for m in found if m.community_id == community_id]
        )
    return [
        {
            "membership_id": Ref(m.community_id, m.id),
            "house_id": Ref(m.community_id, m.house_id),
            "estate_id": (estate := Ref(m.community_id, m.estate_id)),
            "estate": estates[estate].name,
            **addresses[m.house_id]._asdict(),
            "relation": m.relation,
            "name_masked": telling.name_words(m),
            "status": memberships.status_of(m),
            "voter_level": memberships.level_of(m),
            "under_review": m.review is not None,
            "vote": memberships.vote_of(m)._asdict(),
            "valid_to": m.valid_to,
            "is_mine": m.resident_id == g.resident_id,
            "may": _may(m, is_mine=m.resident_id == g.resident_id, as_owner=as_owner),
            "created_at": m.created_at,
            "version": m.version,
            "resident_id": m.resident_id,
        }
        for m in found
    ]


def _seen(ref: Ref) -> dict[str, Any]:
    row = memberships.seen_by(g.resident_id, ref)
    speaks = memberships.acting_owner(g.resident_id, Ref(row.community_id, row.house_id)) is not None
    return _rows([row], as_owner=speaks)[0]


@blp.route("/memberships", methods=["POST"])
@writes
@blp.arguments(s.MembershipIn)
@blp.response(201, s.MembershipOut)
@blp.alt_response(202, schema=s.MembershipPending, description="staff will look at it, whatever the reason")
def bind(body: dict[str, Any]) -> Any:
    """Bind to a house. As owner with the phone that the registry has (verified by WeChat within 30 days): with a vote;
    with name and the last six of the ID number: information and tickets. Everything else waits for staff or, for family
    and tenants, an owner; the answer never says what didn't match.
    """
    bound = binding.bind(
        binding.Request(
            house=body["house_id"],
            resident_id=g.resident_id,
            relation=Relation(body["relation"]),
            name=body["name"],
            id_tail=body["id_number_last6"],
            file_ids=body["evidence_file_ids"],
            valid_to=body["valid_to"],
        )
    )
    row = bound.membership
    ref = Ref(row.community_id, row.id)
    where = {"Location": url_for("memberships.membership", ref=ref)}
    if not bound.is_matched:
        # Not through the schema of the whole membership: nothing of what it was before may show here.
        pending = s.MembershipPending().dump({"membership_id": ref, "status": MembershipStatus.PENDING.value})
        return make_response(pending, 202, where)
    return versioned(_rows([row])[0], 201, **where)


@blp.route("/memberships", methods=["GET"])
@reads
@blp.response(200, s.MembershipList)
def my_memberships() -> dict[str, Any]:
    """My houses and requests, latest change first; what ended is left out."""
    found = [m for m in memberships.mine(g.resident_id) if memberships.status_of(m) != MembershipStatus.ENDED]
    return {"items": _rows(found), "next_cursor": None}


@blp.route("/memberships/<ref(mbr):ref>", methods=["GET"])
@reads
@blp.response(200, s.MembershipOut)
def membership(ref: Ref) -> Any:
    """One of mine, of my house, or one that I was told of."""
    return versioned(_seen(ref))


@blp.route("/memberships/<ref(mbr):ref>", methods=["DELETE"])
@writes
@blp.response(204)
def leave(ref: Ref) -> Any:
    """Leave a house; or, as its owner, remove family or a tenant."""
    household.leave(ref, acting_user=g.resident_id)
    return make_response("", 204)


@blp.route("/memberships/<ref(mbr):ref>/confirm", methods=["POST"])
@writes
@blp.response(200, s.MembershipOut)
def confirm(ref: Ref) -> Any:
    """As owner of the house: she is family, or our tenant."""
    household.vouch(ref, acting_user=g.resident_id)
    return versioned(_seen(ref))


@blp.route("/memberships/<ref(mbr):ref>/objections", methods=["POST"])
@writes
@blp.arguments(s.ObjectionIn)
@blp.response(200, s.MembershipOut)
def object_to(body: dict[str, Any], ref: Ref) -> Any:
    """我有异议: this isn't the owner. It gives no vote until staff have decided."""
    household.object_to(ref, text=body["text"], acting_user=g.resident_id)
    return versioned(_seen(ref))


# --- my house --------------------------------------------------------------------------------------------


@blp.route("/houses/<ref(hou):ref>/members", methods=["GET"])
@reads
@blp.response(200, s.MemberList)
def members(ref: Ref) -> dict[str, Any]:
    """As owner with a vote: who else is bound to my house or asks to be."""
    if memberships.acting_owner(g.resident_id, ref) is None:
        raise NotFound
    return {"items": _rows(memberships.of_house(ref), as_owner=True), "next_cursor": None}


def _voter(view: voting.VoterView) -> dict[str, Any]:
    names = {
        owner.owner.id: identity.masked_name(
            identity.unseal(owner.owner.name_sealed, "name", owner.owner.id) or "", owner.owner.kind
        )
        for owner in households.owners_of(view.house)
    }
    proposed = view.voter or next((c.chosen for c in view.co_owners if c.chosen), None)
    return {
        "house_id": view.house,
        "voter_name_masked": names.get(view.voter) if view.voter else None,
        "agreed": view.is_agreed,
        "co_owners": [
            {
                "name_masked": names[c.owner_id],
                "resident_id": c.membership.resident_id if c.membership else None,
                "is_verified": c.membership is not None,
                "is_voter": c.owner_id == view.voter,
                "confirmed": c.chosen is not None and c.chosen == proposed,
                "chose_name_masked": names.get(c.chosen) if c.chosen else None,
            }
            for c in view.co_owners
        ],
    }


@blp.route("/houses/<ref(hou):ref>/voter", methods=["GET"])
@reads
@blp.response(200, s.VoterOut)
def voter(ref: Ref) -> dict[str, Any]:
    """Who votes for my house, and whom its owners have named."""
    return _voter(voting.voter_of(ref, resident_id=g.resident_id))


@blp.route("/houses/<ref(hou):ref>/voter", methods=["PUT"])
@writes
@blp.arguments(s.VoterIn)
@blp.response(200, s.VoterOut)
def choose_voter(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Name the co-owner who votes for our houses; it holds once all verified co-owners have named the same one."""
    return _voter(voting.choose(ref, resident=body["resident"], acting_user=g.resident_id))
