"""Voting by somebody else, or on paper: as a head's own voter."""

from __future__ import annotations

from typing import Any

from flask import g, url_for

from app.errors import NotFound
from app.ids import Ref
from app.places import identity
from app.places.registry_models import OwnerKind
from app.voting import casting, paper, proxies
from app.voting.ballot_models import Capacity, Proxy
from bff.http import Versioned, reads, versioned, writes
from bff.resident import ballot_schemas as s
from bff.schemas import Blueprint

blp = Blueprint("proxies", __name__, url_prefix="/bff/v1", description="Proxies and paper")


def _out(row: Proxy) -> dict[str, Any]:
    return {
        "proxy_id": Ref(row.community_id, row.id),
        "head_id": Ref(row.community_id, row.head_id),
        "capacity": row.capacity,
        "name_masked": identity.masked_name(proxies.name_of(row), OwnerKind.PERSON),
        "status": row.status,
        "reason": row.reason if row.given_by == g.resident_id else None,
        "created_at": row.created_at,
        "version": row.version,
    }


def _head(ref: Ref, named: Ref | None) -> Any:
    if named is None:
        return casting.only_head(ref, g.resident_id)
    if named.community_id != ref.community_id:
        raise NotFound
    return named.id


@blp.route("/decisions/<ref(dec):ref>/proxies", methods=["POST"])
@writes
@blp.arguments(s.ProxyIn)
@blp.response(201, s.ProxyOut)
def give(body: dict[str, Any], ref: Ref) -> Versioned:
    """Authorise somebody to cast for my head, with the signed paper; staff decide. Without `head_id`: my only one."""
    row = proxies.give(
        ref,
        proxies.Wanted(
            head_id=_head(ref, body["head_id"]),
            capacity=Capacity(body["capacity"]),
            name=body["name"],
            phone=body["phone"],
            is_property_staff=body["is_property_staff"],
            file_ids=body["file_ids"],
        ),
        acting_user=g.resident_id,
    )
    return versioned(_out(row), 201, Location=url_for("proxies.given", ref=ref))


@blp.route("/decisions/<ref(dec):ref>/proxies", methods=["GET"])
@reads
@blp.response(200, s.ProxyList)
def given(ref: Ref) -> dict[str, Any]:
    """The authorisations that I gave, by which I cast, or that were entered for a head of mine."""
    return {"items": [_out(row) for row in proxies.given_or_held(g.resident_id, ref)], "next_cursor": None}


@blp.route("/proxies/<ref(prx):ref>/revoke", methods=["POST"])
@writes
@blp.response(200, s.ProxyOut)
def revoke(ref: Ref) -> Versioned:
    """Take it back, before the proxy has cast (then 409 `already_voted`)."""
    return versioned(_out(proxies.revoke(ref, acting_user=g.resident_id)))


@blp.route("/decisions/<ref(dec):ref>/paper-request", methods=["POST"])
@writes
@blp.arguments(s.PaperRequestIn)
@blp.response(201, s.PaperRequestOut)
def ask_for_paper(body: dict[str, Any], ref: Ref) -> Any:
    """I would like a paper ballot, or a visit. Without `head_id`: for my only head."""
    head_id = _head(ref, body["head_id"])
    row = paper.ask(ref, head_id, wants=body["wants"], acting_user=g.resident_id)
    out = {"head_id": Ref(row.community_id, row.head_id), "wants": row.wants, "created_at": row.created_at}
    return out | {"done_at": None}, 201, {"Location": url_for("ballots.my_only_ballot", ref=ref)}
