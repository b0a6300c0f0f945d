"""What a caster keeps of her ballot: the receipt, the server's signed promise, the opening, its place in the log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select

from app import clock, db, ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.voting import ballot_form, casting, keys, ledger, queries, standing, verify
from app.voting.ballot_errors import ChooseHead
from app.voting.ballot_models import Ballot, Channel
from app.voting.casting import Cast, Taken


def of_taken(known: keys.DecisionKeys, taken: Taken) -> dict[str, Any]:
    """What she gets at once: nothing is in the log yet."""
    made = taken.sealed
    return _out(
        known,
        made.tag,
        opening=made.opening,
        salt=made.salt,
        leaf=made.leaf,
        promise=made.promise,
        channel=Channel.ONLINE,
        capacity=taken.capacity,
        cast_at=clock.rfc3339(taken.cast_at),
    )


def of_cast(known: keys.DecisionKeys, cast: Cast) -> dict[str, Any]:
    """The same of a ballot that is a row; with its place in the log once it is there."""
    ballot = cast.ballot
    body = _out(
        known,
        known.tag(ballot.head_id),
        opening=cast.opening,
        salt=cast.salt,
        leaf=ballot.leaf_hash,
        promise=keys.Promise(ballot.key_id, ballot.promised_at, ballot.within_s, ballot.signature),
        channel=ballot.channel,
        capacity=ballot.capacity,
        cast_at=clock.rfc3339(ballot.cast_at),
    )
    place = ledger.place_of(known.decision, ballot.head_id, ballot.rev)
    if place is not None:
        body["leaf_index"] = place.leaf_index
        body["proof"] = _proof(known, place)
    return body


def _proof(known: keys.DecisionKeys, place: ledger.Place) -> dict[str, Any]:
    head = place.head
    return {
        "leaf_index": place.leaf_index,
        "tree_size": head.size,
        "path": [node.hex() for node in place.path],
        "head": {
            "alg": verify.ALG,
            "key_id": head.key_id,
            "decision": known.decision_id,
            "size": head.size,
            "root": head.root_hash.hex(),
            "signed_at": head.signed_at,
            "signature": head.signature,
        },
    }


def _out(
    known: keys.DecisionKeys,
    tag: str,
    *,
    opening: dict[str, Any],
    salt: bytes,
    leaf: bytes,
    promise: keys.Promise,
    channel: str,
    capacity: str,
    cast_at: str,
) -> dict[str, Any]:
    return {
        "receipt": leaf.hex(),
        "decision_id": known.decision_id,
        "tag": tag,
        "promise": {
            "alg": verify.ALG,
            "key_id": promise.key_id,
            "decision": known.decision_id,
            "leaf": leaf.hex(),
            "promised_at": promise.promised_at,
            "within_s": promise.within_s,
            "signature": promise.signature,
        },
        "opening": {
            "salt": salt.hex(),
            "head_id": opening["head"],
            "rev": opening["rev"],
            "choices": opening["choices"],
            "area_centi": opening["area_centi"],
        },
        "leaf_index": None,
        "proof": None,
        "cast_at": cast_at,
        "channel": channel,
        "capacity": capacity,
    }


def ballot_for(resident_id: UUID, ref: Ref, head_id: UUID) -> Cast:
    """The latest ballot of a head that she cast, or that was cast for her as its voter. Raises NotFound."""
    decision = queries.decision(ref)
    if decision.frozen_at is None:
        raise NotFound
    here = standing.standing_of(resident_id, decision, head_id)
    rows = db.session().scalars(
        select(Ballot)
        .where(
            Ballot.community_id == ref.community_id,
            Ballot.decision_id == ref.id,
            Ballot.head_id == head_id,
        )
        .order_by(Ballot.rev.desc())
    )
    for ballot in rows:
        if ballot.cast_by == resident_id or (here is not None and here.sees(ballot, resident_id)):
            salt, opening = casting.opened(ballot_form.of(decision).keys, ballot)
            return Cast(ballot, salt, opening, is_new=False)
    raise NotFound


def only_ballot(resident_id: UUID, ref: Ref) -> UUID:
    """The one head whose ballot is hers to read. Raises NotFound (none), ChooseHead."""
    decision = queries.decision(ref)
    cast = set(
        db.session().scalars(
            select(Ballot.head_id).where(
                Ballot.community_id == ref.community_id,
                Ballot.decision_id == ref.id,
                Ballot.cast_by == resident_id,
            )
        )
    )
    if decision.frozen_at is not None:
        cast |= {s.head.id for s in standing.standings(resident_id, decision) if s.may}
    if not cast:
        raise NotFound
    if len(cast) > 1:
        raise ChooseHead(
            extra={"heads": [ids.encode(Kind.HEAD, Ref(ref.community_id, h)) for h in sorted(cast)]}
        )
    return cast.pop()
