"""Who was told of a vote, with proof (送达), and at whose door somebody still has to knock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Exists, and_, exists, false, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from app import clock, db, ids, outbox
from app.audit import SYSTEM, Actor, ActorKind
from app.ids import Kind, Ref
from app.messaging import progress as texted
from app.messaging import queries as messages
from app.places.registry_models import Owner
from app.voting import pushing, queries, roll
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import (
    Delivery,
    DeliveryEntry,
    DeliveryEntryHead,
    DeliveryWay,
    EntryStatus,
    PaperRequest,
    RollHead,
    RollOwner,
)

COLLECT = "collect_receipts"  # outbox kind
MOST = 500  # heads of one entry


def record(
    row: Decision, head_ids: Iterable[UUID], way: DeliveryWay, actor: Actor, *, at: datetime | None = None
) -> int:
    """Proof that these heads were told (now, or at that time), the first of each way; how many are new."""
    at = at or clock.now()
    values = [
        {
            "community_id": row.community_id,
            "id": ids.new_id(),
            "decision_id": row.id,
            "head_id": head_id,
            "way": way.value,
            "at": at,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
        }
        for head_id in dict.fromkeys(head_ids)
    ]
    if not values:
        return 0
    added = db.session().scalars(
        insert(Delivery)
        .values(values)
        .on_conflict_do_nothing(index_elements=["community_id", "decision_id", "head_id", "way"])
        .returning(Delivery.id)
    )
    return len(added.all())


def note_login(resident_id: UUID, ref: Ref) -> None:
    """She has opened the decision: proof for her heads, where the announced rules take a login for it."""
    row = queries.decision(ref)
    mine = [entry.head.id for entry in roll.entries_of(resident_id, row)]
    record(row, mine, DeliveryWay.LOGIN, Actor(ActorKind.RESIDENT, resident_id))


def login_counts(resident_id: UUID, row: Decision) -> bool:
    """Is there a head of hers whose login would be proof and isn't noted yet?"""
    if (
        not queries.rules_of(row).login_is_delivery
        or queries.status_of(row) is not DecisionStatus.OPEN
        or row.frozen_at is None
    ):
        return False
    mine = {entry.head.id for entry in roll.entries_of(resident_id, row)}
    noted = set(
        db.session().scalars(
            select(Delivery.head_id).where(
                Delivery.community_id == row.community_id,
                Delivery.decision_id == row.id,
                Delivery.head_id.in_(mine),
                Delivery.way == DeliveryWay.LOGIN,
            )
        )
    )
    return bool(mine - noted)


# --- what WeChat and the carriers say ------------------------------------------------------------------------


def promise_receipts(row: Decision, at: datetime) -> None:
    """Look at that time which notices WeChat has taken; nothing where the rules don't take a message for proof."""
    if queries.rules_of(row).message_is_delivery:
        outbox.put(
            community_id=row.community_id,
            kind=COLLECT,
            payload={"decision_id": str(row.id), "after": None},
            idem=f"receipts:{row.id}:{at:%Y%m%d%H%M}",
            not_before=at,
        )


def collect(ref: Ref, *, after: UUID | None = None) -> None:
    """Note for a page of heads that WeChat has taken a notice to one of their people, or that a text message was
    delivered to an owner, and promise the next page.

    While the vote is open: what is told after the close proves nothing.
    """
    row = queries.decision(ref)
    query = (
        select(RollHead.id)
        .where(RollHead.community_id == ref.community_id, RollHead.decision_id == ref.id)
        .order_by(RollHead.id)
        .limit(MOST)
    )
    if after is not None:
        query = query.where(RollHead.id > after)
    heads = list(db.session().scalars(query))
    people = pushing.residents_of(ref, heads)
    told = messages.told_of(
        ref.community_id,
        [resident for those in people.values() for resident in those],
        target=("decision", ids.encode(Kind.DECISION, ref)),
        before=row.closes_at,
    )
    record(row, [head for head in heads if people.get(head, set()) & told], DeliveryWay.WECHAT, SYSTEM)
    record(row, _texted(row, heads), DeliveryWay.SMS, SYSTEM)
    if len(heads) == MOST:
        outbox.put(
            community_id=ref.community_id,
            kind=COLLECT,
            payload={"decision_id": str(ref.id), "after": str(heads[-1])},
            idem=f"receipts:{ref.id}:{heads[-1]}:{clock.now():%Y%m%d%H%M}",
        )


def _texted(row: Decision, heads: Sequence[UUID]) -> list[UUID]:
    """Those of these heads of which an owner's number got a text message of this decision. One message to a number is
    proof for each head that it belongs to.
    """
    told = texted.told_of_decision(row.community_id, row.id, before=row.closes_at)
    if not told:
        return []
    rows = db.session().execute(
        select(RollOwner.head_id, Owner.phone_hash, Owner.phone2_hash)
        .join(Owner, (Owner.community_id == row.community_id) & (Owner.id == RollOwner.owner_id))
        .where(
            RollOwner.community_id == row.community_id,
            RollOwner.decision_id == row.id,
            RollOwner.head_id.in_(heads),
        )
        .order_by(RollOwner.head_id)
    )
    return list(dict.fromkeys(head for head, *numbers in rows if told.intersection(numbers)))


# --- reading -------------------------------------------------------------------------------------------------


def has_proof(*, but: DeliveryWay | None = None) -> Exists:
    """Of a `RollHead` in a query: there is proof that it was told; in another way than `but`."""
    proof = exists().where(
        Delivery.community_id == RollHead.community_id,
        Delivery.decision_id == RollHead.decision_id,
        Delivery.head_id == RollHead.id,
    )
    return proof if but is None else proof.where(Delivery.way != but)


def is_entered(*, but: DeliveryWay | None = None) -> Exists:
    """Of a `RollHead` in a query: somebody was there, or posted a notice, and a second person has still to read it."""
    entered = exists().where(
        DeliveryEntryHead.community_id == RollHead.community_id,
        DeliveryEntryHead.decision_id == RollHead.decision_id,
        DeliveryEntryHead.head_id == RollHead.id,
        DeliveryEntry.community_id == DeliveryEntryHead.community_id,
        DeliveryEntry.id == DeliveryEntryHead.entry_id,
        DeliveryEntry.status == EntryStatus.ENTERED,
    )
    return entered if but is None else entered.where(DeliveryEntry.way != but)


def counts(ref: Ref) -> dict[str, int]:
    """Way → heads told by it; `any`: told at all; `none`: nobody has told them."""
    rows = db.session().execute(
        select(Delivery.way, func.count())
        .where(Delivery.community_id == ref.community_id, Delivery.decision_id == ref.id)
        .group_by(Delivery.way)
    )
    found = dict.fromkeys([way.value for way in DeliveryWay], 0) | {str(way): int(n) for way, n in rows}
    reached = db.session().scalar(
        select(func.count(Delivery.head_id.distinct())).where(
            Delivery.community_id == ref.community_id, Delivery.decision_id == ref.id
        )
    )
    return found | {"any": int(reached or 0), "none": roll.totals_of(ref)[0] - int(reached or 0)}


def listed(ref: Ref, *, limit: int, after: UUID | None = None) -> list[tuple[Delivery, str]]:
    """Proofs in the order in which they came, each with its head's rooms."""
    query = (
        select(Delivery, RollHead.label)
        .join(
            RollHead,
            (RollHead.community_id == Delivery.community_id)
            & (RollHead.decision_id == Delivery.decision_id)
            & (RollHead.id == Delivery.head_id),
        )
        .where(Delivery.community_id == ref.community_id, Delivery.decision_id == ref.id)
        .order_by(Delivery.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(Delivery.id > after)
    return [(row, label) for row, label in db.session().execute(query)]


class Door(NamedTuple):
    """A head to go to, and why: asked for `paper` or a `visit`, `unreached`, or `sms_refused`."""

    head: RollHead
    why: list[str]


def visit_list(
    ref: Ref, *, limit: int, after: roll.Place | None = None, building_id: UUID | None = None
) -> list[Door]:
    """The heads that haven't voted and that nobody reached in WeChat or by a proof, whose number takes no text message,
    or that asked for paper or a visit; by their rooms.
    """
    asked = exists().where(
        PaperRequest.community_id == RollHead.community_id,
        PaperRequest.decision_id == RollHead.decision_id,
        PaperRequest.head_id == RollHead.id,
        PaperRequest.done_at.is_(None),
    )
    rules = queries.rules_of(queries.decision(ref))
    to_be_told = ~or_(has_proof(), is_entered())
    unreached = and_(to_be_told, ~pushing.is_bound())
    refused = and_(to_be_told, _is_of(texted.refused_of_decision(ref.community_id, ref.id)))
    query = (
        select(RollHead, unreached, refused)
        .where(
            RollHead.community_id == ref.community_id,
            RollHead.decision_id == ref.id,
            ~pushing.has_cast(rules),
            or_(asked, unreached, refused),
        )
        .order_by(*roll.BY_ROOMS)
        .limit(limit)
    )
    if building_id is not None:
        query = query.where(RollHead.building_id == building_id)
    if after is not None:
        query = query.where(tuple_(*roll.BY_ROOMS) > after)
    rows = db.session().execute(query).all()
    wants: dict[UUID, set[str]] = {}
    for request in db.session().scalars(
        select(PaperRequest).where(
            PaperRequest.community_id == ref.community_id,
            PaperRequest.decision_id == ref.id,
            PaperRequest.head_id.in_([head.id for head, *_ in rows]),
            PaperRequest.done_at.is_(None),
        )
    ):
        wants.setdefault(request.head_id, set()).add(request.wants)
    return [
        Door(
            head,
            [
                *sorted(wants.get(head.id, ())),
                *(["unreached"] if is_unreached else []),
                *(["sms_refused"] if is_refused else []),
            ],
        )
        for head, is_unreached, is_refused in rows
    ]


def _is_of(numbers: Collection[bytes]) -> ColumnElement[bool]:
    """Of a `RollHead` in a query: one of these numbers (hashes) is an owner's."""
    if not numbers:
        return false()
    return exists().where(
        RollOwner.community_id == RollHead.community_id,
        RollOwner.decision_id == RollHead.decision_id,
        RollOwner.head_id == RollHead.id,
        Owner.community_id == RollOwner.community_id,
        Owner.id == RollOwner.owner_id,
        or_(Owner.phone_hash.in_(numbers), Owner.phone2_hash.in_(numbers)),
    )
