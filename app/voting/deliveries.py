"""Who was told of a vote, with proof (送达), and at whose door somebody still has to knock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Exists, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app import clock, db, ids, outbox
from app.audit import SYSTEM, Actor, ActorKind
from app.errors import NotFound
from app.ids import Kind, Ref
from app.media import papers
from app.messaging import queries as messages
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.voting import events, periods, pushing, queries, roll, steps
from app.voting.errors import IllegalMove, PostedLate, ProofMissing, Reached
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import Delivery, DeliveryWay, PaperRequest, RollHead

COLLECT = "collect_receipts"  # outbox kind
PROOF_PAPER = "delivery"  # receipts and photos of notices hang at the timeline's entry
MOST = 500  # heads of one entry
POSTED_FOR = timedelta(days=7)  # 舟山


def record(row: Decision, head_ids: Iterable[UUID], way: DeliveryWay, actor: Actor) -> int:
    """Proof that these heads were told, the first of each way; how many are new."""
    now = clock.now()
    values = [
        {
            "community_id": row.community_id,
            "id": ids.new_id(),
            "decision_id": row.id,
            "head_id": head_id,
            "way": way.value,
            "at": now,
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


def enter(
    staff: StaffActor, ref: Ref, *, heads: Collection[Ref], way: DeliveryWay, file_ids: Sequence[UUID]
) -> int:
    """Staff were at these doors, with the signed receipts, or posted a notice for whom nothing else reaches, with its
    photo; how many are new. A request for a visit is done by it.

    Raises NotFound, Forbidden, IllegalMove (not frozen, or over), ProofMissing, PostedLate, Reached, and what
    `papers.attach` raises.
    """
    row = queries.decision_for_staff(staff, ref, Permission.PAPER_ENTER)
    if row.frozen_at is None or queries.status_of(row) not in {
        DecisionStatus.ANNOUNCED,
        DecisionStatus.OPEN,
    }:
        raise IllegalMove(extra={"status": row.status})
    wanted = {head.id for head in heads if head.community_id == ref.community_id}
    known = set(
        db.session().scalars(
            select(RollHead.id).where(
                RollHead.community_id == ref.community_id,
                RollHead.decision_id == ref.id,
                RollHead.id.in_(wanted),
            )
        )
    )
    if len(wanted) != len(set(heads)) or known != wanted:
        raise NotFound
    if not file_ids:
        raise ProofMissing(errors={"file_ids": [(ProofMissing.zh, ProofMissing.en)]})
    if way is DeliveryWay.POSTED:
        _ensure_last_way(row, known)
    added = record(row, sorted(known), way, staff.actor)
    if way is DeliveryWay.VISIT:
        db.session().execute(
            update(PaperRequest)
            .where(
                PaperRequest.community_id == ref.community_id,
                PaperRequest.decision_id == ref.id,
                PaperRequest.head_id.in_(known),
                PaperRequest.wants == "visit",
                PaperRequest.done_at.is_(None),
            )
            .values(done_at=clock.now(), done_by=staff.id)
            .execution_options(synchronize_session=False)
        )
    entry = events.add(row, f"delivered_{way}", staff.actor, is_public=False, heads=len(known), new=added)
    papers.attach(
        owner_id=staff.id,
        file_ids=file_ids,
        community_id=ref.community_id,
        object_kind=PROOF_PAPER,
        object_id=entry.id,
    )
    steps.audited(
        row, "decision.delivered", staff.actor, way=way.value, heads=len(known), proof=str(entry.id)
    )
    return added


def _ensure_last_way(row: Decision, head_ids: Collection[UUID]) -> None:
    """舟山: a posted notice is for whom nothing else reaches, and hangs for seven days. Raises PostedLate, Reached."""
    assert row.closes_at is not None
    hangs = clock.in_shanghai(row.closes_at).date() - places.today()
    if periods.are_lawful() and hangs < POSTED_FOR:
        raise PostedLate(days=POSTED_FOR.days)
    reached = db.session().scalar(
        select(func.count()).where(
            RollHead.community_id == row.community_id,
            RollHead.decision_id == row.id,
            RollHead.id.in_(head_ids),
            or_(pushing.is_bound(), _has_proof(but=DeliveryWay.POSTED)),
        )
    )
    if reached:
        raise Reached(heads=reached, extra={"heads": reached})


def _has_proof(*, but: DeliveryWay) -> Exists:
    """Of a `RollHead` in a query: it was told in another way than this."""
    return exists().where(
        Delivery.community_id == RollHead.community_id,
        Delivery.decision_id == RollHead.decision_id,
        Delivery.head_id == RollHead.id,
        Delivery.way != but,
    )


def has_entered(ref: Ref, staff_id: UUID) -> bool:
    """Has this member of staff entered a proof of this decision?"""
    return bool(
        db.session().scalar(
            select(
                exists().where(
                    Delivery.community_id == ref.community_id,
                    Delivery.decision_id == ref.id,
                    Delivery.actor_kind == ActorKind.STAFF,
                    Delivery.actor_id == staff_id,
                )
            )
        )
    )


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


# --- what WeChat says ----------------------------------------------------------------------------------------


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
    """Note for a page of heads that WeChat has taken a notice to one of their people, and promise the next page.

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
    if len(heads) == MOST:
        outbox.put(
            community_id=ref.community_id,
            kind=COLLECT,
            payload={"decision_id": str(ref.id), "after": str(heads[-1])},
            idem=f"receipts:{ref.id}:{heads[-1]}:{clock.now():%Y%m%d%H%M}",
        )


# --- reading -------------------------------------------------------------------------------------------------


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
    """A head to go to, and why: asked for `paper` or a `visit`, or `unreached`."""

    head: RollHead
    why: list[str]


def visit_list(
    ref: Ref, *, limit: int, after: tuple[str, UUID] | None = None, building_id: UUID | None = None
) -> list[Door]:
    """The heads that haven't voted and that nobody reached in WeChat or by a proof, or that asked for paper or a visit;
    by their rooms.
    """
    asked = exists().where(
        PaperRequest.community_id == RollHead.community_id,
        PaperRequest.decision_id == RollHead.decision_id,
        PaperRequest.head_id == RollHead.id,
        PaperRequest.done_at.is_(None),
    )
    proof = exists().where(
        Delivery.community_id == RollHead.community_id,
        Delivery.decision_id == RollHead.decision_id,
        Delivery.head_id == RollHead.id,
    )
    unreached = ~or_(proof, pushing.is_bound())
    query = (
        select(RollHead, unreached)
        .where(
            RollHead.community_id == ref.community_id,
            RollHead.decision_id == ref.id,
            ~pushing.has_cast(),
            or_(asked, unreached),
        )
        .order_by(RollHead.label, RollHead.id)
        .limit(limit)
    )
    if building_id is not None:
        query = query.where(RollHead.building_id == building_id)
    if after is not None:
        query = query.where(
            or_(RollHead.label > after[0], (RollHead.label == after[0]) & (RollHead.id > after[1]))
        )
    rows = db.session().execute(query).all()
    wants: dict[UUID, set[str]] = {}
    for request in db.session().scalars(
        select(PaperRequest).where(
            PaperRequest.community_id == ref.community_id,
            PaperRequest.decision_id == ref.id,
            PaperRequest.head_id.in_([head.id for head, _ in rows]),
            PaperRequest.done_at.is_(None),
        )
    ):
        wants.setdefault(request.head_id, set()).add(request.wants)
    return [
        Door(head, [*sorted(wants.get(head.id, ())), *(["unreached"] if is_unreached else [])])
        for head, is_unreached in rows
    ]
