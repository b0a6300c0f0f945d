"""Owners ask for a meeting (物业管理条例 13): at 20 % of the heads and of the area a draft is made of it.

Who signs is counted as heads are: every house of hers, co-owners together once. A signature adds its own heads to what
was counted; the whole estate is counted anew once an hour, and before a draft is made. The registry isn't locked for
it: only those who sign the same petition wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from app import audit, clock, db, ids
from app.audit import SYSTEM, Actor, ActorKind
from app.errors import NotFound
from app.ids import Ref
from app.memberships import queries as memberships
from app.places import heads
from app.places import queries as places
from app.places.registry_models import HouseKind
from app.voting import drafting, queries, roll
from app.voting.drafting import MotionDraft
from app.voting.errors import AlreadySigned, OwnersOnly, PetitionOver
from app.voting.models import DecisionKind, Petition, PetitionSignature, PetitionStatus

SHARE = (1, 5)  # 20 % of both
RUNS = timedelta(days=60)
COUNT_AGAIN = timedelta(hours=1)  # houses are sold, owners found to be one


class Support(NamedTuple):
    """How many stand behind it, of how many; area in 0.01 m²."""

    heads: int
    total_heads: int
    area_centi: int
    total_area_centi: int

    @property
    def is_enough(self) -> bool:
        """20 % of the heads and 20 % of the area."""
        part, whole = SHARE
        return (
            self.total_heads > 0
            and whole * self.heads >= part * self.total_heads
            and whole * self.area_centi >= part * self.total_area_centi
        )


def start(
    resident_id: UUID, *, estate: Ref, title: str, text: str, motions: Sequence[MotionDraft]
) -> Petition:
    """Ask for a meeting about these motions, and sign it. Raises NotFound, OwnersOnly, MotionsWrong."""
    _owner_rows(resident_id, estate)
    drafting.check_motions(DecisionKind.MEETING, motions)
    now = clock.now()
    row = Petition(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        title=title,
        text=text,
        motions=[{k: v for k, v in asdict(m).items() if k in _KEPT} for m in motions],
        status=PetitionStatus.OPEN,
        started_by=resident_id,
        expires_at=now + RUNS,
        created_at=now,
    )
    db.session().add(row)
    db.session().flush()  # the signature's foreign key needs it
    _audit(row, "petition.started", Actor(ActorKind.RESIDENT, resident_id))
    return sign(resident_id, Ref(row.community_id, row.id))


_KEPT = frozenset({"title", "text", "matter"})


def sign(resident_id: UUID, ref: Ref) -> Petition:
    """Ask for it too; with enough behind it a draft is made, once.

    Raises NotFound, OwnersOnly, PetitionOver, AlreadySigned (she has, or a co-owner of all her houses).
    """
    row = _petition(ref, lock=True)
    estate = Ref(row.community_id, row.estate_id)
    mine = _owner_rows(resident_id, estate)
    if row.status != PetitionStatus.OPEN or row.expires_at <= clock.now():
        raise PetitionOver
    signed = signed_by(ref)
    if mine & signed:
        raise AlreadySigned
    now = clock.now()
    db.session().add_all(
        PetitionSignature(
            community_id=ref.community_id, petition_id=ref.id, owner_id=owner, resident_id=resident_id, at=now
        )
        for owner in sorted(mine, key=str)
    )
    db.session().flush()  # it is counted with the others'
    _audit(row, "petition.signed", Actor(ActorKind.RESIDENT, resident_id))
    if _add(row, mine, signed):
        made = drafting.draft(
            estate,
            kind=DecisionKind.MEETING,
            title=row.title,
            text=row.text,
            motions=[MotionDraft(**motion) for motion in row.motions],
            petition_id=row.id,
            acting_user=SYSTEM,
        )
        row.status, row.decision_id = PetitionStatus.REACHED, made.id
        _audit(row, "petition.reached", SYSTEM)
    return row


def _add(row: Petition, mine: set[UUID], before: set[UUID]) -> bool:
    """Count her in. Is it enough now? That is said by a count of the whole estate, never by sums alone."""
    now = clock.now()
    if row.counted_at is not None and now - row.counted_at < COUNT_AGAIN:
        more = _heads_of(row, mine, but=before)
        row.heads += len(more)
        row.area_centi += sum(head.area_centi for head in more)
        if not support_of(row).is_enough:
            return False
    counted = _count(row)
    row.heads, row.total_heads = counted.heads, counted.total_heads
    row.area_centi, row.total_area_centi = counted.area_centi, counted.total_area_centi
    row.counted_at = now
    return counted.is_enough


def _heads_of(row: Petition, mine: set[UUID], *, but: set[UUID]) -> list[heads.Head]:
    """The heads of these owners, without those that stand behind it already by a co-owner. A developer's houses are one
    head only in the count of all.
    """
    estate, today = Ref(row.community_id, row.estate_id), places.today()
    house_ids = heads.houses_held_by(row.community_id, mine, as_of=today)
    held = heads.houses_on(estate, as_of=today, kinds=_kinds(estate), house_ids=house_ids)
    same = heads.same_owners(row.community_id)
    signed = {same.get(owner, owner) for owner in but}
    return [head for head in heads.count(held) if not head.owners & signed]


def withdraw(resident_id: UUID, ref: Ref) -> Petition:
    """Who started it takes it back. Raises NotFound, PetitionOver."""
    row = _petition(ref, lock=True)
    if row.started_by != resident_id:
        raise NotFound
    if status_of(row) is not PetitionStatus.OPEN:
        raise PetitionOver
    row.status = PetitionStatus.WITHDRAWN
    _audit(row, "petition.withdrawn", Actor(ActorKind.RESIDENT, resident_id))
    return row


def _owner_rows(resident_id: UUID, estate: Ref) -> set[UUID]:
    """Which owners of the registry she is in this estate, with a vote. Raises NotFound, OwnersOnly."""
    mine = [m for m in memberships.mine(resident_id) if Ref(m.community_id, m.estate_id) == estate]
    if not any(memberships.holds(m) for m in mine):
        raise NotFound
    rows = {m.owner_id for m in mine if m.owner_id is not None and memberships.vote_of(m).may}
    if not rows:
        raise OwnersOnly
    return rows


def _petition(ref: Ref, *, lock: bool = False) -> Petition:
    found = db.session().get(Petition, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound
    return found


def _audit(row: Petition, action: str, actor: Actor) -> None:
    audit.record(actor, action, community_id=row.community_id, object_kind="petition", object_id=row.id)


# --- reading -------------------------------------------------------------------------------------------------


def petition_for(resident_id: UUID, ref: Ref) -> Petition:
    """A petition of an estate where she is bound. Raises NotFound."""
    row = _petition(ref)
    if Ref(row.community_id, row.estate_id) not in memberships.my_estates(resident_id):
        raise NotFound
    return row


def of_estate(estate: Ref, *, limit: int, after: UUID | None = None) -> list[Petition]:
    """A page of the petitions of an estate, the newest first."""
    query = (
        select(Petition)
        .where(Petition.community_id == estate.community_id, Petition.estate_id == estate.id)
        .order_by(Petition.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(Petition.id < after)
    return list(db.session().scalars(query))


def status_of(row: Petition) -> PetitionStatus:
    """Where it stands; one that ran out has expired."""
    if row.status == PetitionStatus.OPEN and row.expires_at <= clock.now():
        return PetitionStatus.EXPIRED
    return PetitionStatus(row.status)


def signed_by(ref: Ref) -> set[UUID]:
    """The owners who have signed it."""
    return set(
        db.session().scalars(
            select(PetitionSignature.owner_id).where(
                PetitionSignature.community_id == ref.community_id,
                PetitionSignature.petition_id == ref.id,
            )
        )
    )


def signed_of(resident_id: UUID, community_id: int, petitions: Collection[UUID]) -> set[UUID]:
    """Those of these petitions that she has signed."""
    return set(
        db.session().scalars(
            select(PetitionSignature.petition_id).where(
                PetitionSignature.community_id == community_id,
                PetitionSignature.petition_id.in_(petitions),
                PetitionSignature.resident_id == resident_id,
            )
        )
    )


def support_of(row: Petition) -> Support:
    """How many heads stand behind it, of how many, as counted within the last hour and added to since."""
    if row.counted_at is None:
        return _count(row)
    return Support(row.heads, row.total_heads, row.area_centi, row.total_area_centi)


def _kinds(estate: Ref) -> tuple[HouseKind, ...]:
    return roll.kinds_of(queries.rules_for(estate))


def _count(row: Petition) -> Support:
    """How many heads of the estate stand behind it today: those of which an owner has signed."""
    estate = Ref(row.community_id, row.estate_id)
    found = heads.heads_of(estate, as_of=places.today(), kinds=_kinds(estate))
    same = heads.same_owners(estate.community_id)
    signed = {same.get(owner, owner) for owner in signed_by(Ref(row.community_id, row.id))}
    behind = [head for head in found if head.owners & signed]
    return Support(
        len(behind),
        len(found),
        sum(head.area_centi for head in behind),
        sum(head.area_centi for head in found),
    )
