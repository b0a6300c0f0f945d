"""Reading sources: who may see them, whose number a ticket has, what is still owed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select

from app import clock, crypto, db
from app.errors import NotFound
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.sources.models import Source, SourceKey, SourceLane, SourceStatus, SourceTicket, StatusState


def reach(staff: StaffActor) -> frozenset[int]:
    """The communities whose sources this member of staff administers."""
    return staff.communities_with(Permission.API_KEY_EDIT)


def communities_of(source: Source) -> list[int]:
    """The communities in the source's scope, as the tree stands today."""
    return places.communities_under(source.region_id)


def sources_for(staff: StaffActor) -> list[Source]:
    """The sources whose whole scope lies in her reach, by code."""
    mine = reach(staff)
    tree = places.region_tree()
    rows = db.session().scalars(select(Source).where(Source.desk_id.in_(mine)).order_by(Source.code))
    return [source for source in rows if mine.issuperset(tree.communities_under(source.region_id))]


def source_for(staff: StaffActor, source_id: UUID, *, lock: bool = False) -> Source:
    """One source, locked for a change when asked. Raises NotFound outside her reach."""
    found = db.session().get(
        Source, source_id, with_for_update=True if lock else None, populate_existing=lock
    )
    mine = reach(staff)
    if found is None or found.desk_id not in mine or not mine.issuperset(communities_of(found)):
        raise NotFound
    return found


def source(source_id: UUID) -> Source:
    """One source, for the software itself."""
    return db.session().get_one(Source, source_id)


def by_code(code: str) -> Source | None:
    """The source of that name in paths."""
    return db.session().scalar(select(Source).where(Source.code == code))


def keys_of(source_ids: Iterable[UUID]) -> dict[UUID, list[SourceKey]]:
    """The valid keys of each source, oldest first."""
    found: dict[UUID, list[SourceKey]] = {}
    rows = db.session().scalars(
        select(SourceKey)
        .where(SourceKey.source_id.in_(set(source_ids)), SourceKey.ended_at.is_(None))
        .order_by(SourceKey.created_at, SourceKey.key_id)
    )
    for key in rows:
        found.setdefault(key.source_id, []).append(key)
    return found


def secret_of(key: SourceKey) -> str:
    """The secret in clear, for signing and checking only."""
    return crypto.keys().decrypt(key.secret_sealed, f"source_key:{key.key_id}").decode()


class Told(NamedTuple):
    """How far a source has been told."""

    open: int
    refused: int
    failures: int
    last_error: str | None


def told(source: Source) -> Told:
    """Statuses waiting and refused, and the worst trouble of its lanes."""
    communities = set(communities_of(source)) | {source.desk_id}
    states = dict(
        db.session()
        .execute(
            select(SourceStatus.state, func.count())
            .where(
                SourceStatus.community_id.in_(communities),
                SourceStatus.source_id == source.id,
                SourceStatus.state != StatusState.SENT,
            )
            .group_by(SourceStatus.state)
        )
        .all()
    )
    worst = (
        db.session()
        .execute(
            select(SourceLane.failures, SourceLane.last_error)
            .where(SourceLane.community_id.in_(communities), SourceLane.source_id == source.id)
            .order_by(SourceLane.failures.desc())
            .limit(1)
        )
        .one_or_none()
    )
    failures, error = worst or (0, None)
    return Told(states.get(StatusState.OPEN, 0), states.get(StatusState.REFUSED, 0), failures, error)


class Origin(NamedTuple):
    """Where a ticket came from."""

    name: str
    code: str
    external_number: str


def origin_of(ref: Ref) -> Origin | None:
    """The source and its own number of a ticket, or None when no machine handed it in."""
    row = (
        db.session()
        .execute(
            select(Source.name, Source.code, SourceTicket.external_number)
            .join(Source, Source.id == SourceTicket.source_id)
            .where(SourceTicket.community_id == ref.community_id, SourceTicket.ticket_id == ref.id)
        )
        .one_or_none()
    )
    return Origin(*row) if row else None


def due_lanes() -> Sequence[tuple[int, UUID]]:
    """(community_id, source_id) of every lane with something to tell that may be tried now; for the sweeper."""
    now = clock.now()
    waiting = exists().where(
        and_(
            SourceStatus.community_id == SourceLane.community_id,
            SourceStatus.source_id == SourceLane.source_id,
            SourceStatus.state == StatusState.OPEN,
        )
    )
    rows = db.session().execute(
        select(SourceLane.community_id, SourceLane.source_id)
        .where(
            SourceLane.not_before <= now,
            or_(SourceLane.lease_until.is_(None), SourceLane.lease_until <= now),
            waiting,
        )
        .execution_options(cross_community="sweeper")
    )
    return [(community_id, source_id) for community_id, source_id in rows]


def backlog() -> list[tuple[str, int]]:
    """(state, rows) of every status that is open or was refused; for /metrics."""
    rows = db.session().execute(
        select(SourceStatus.state, func.count())
        .where(SourceStatus.state != StatusState.SENT)
        .group_by(SourceStatus.state)
        .execution_options(cross_community="metrics")
    )
    return [(state, count) for state, count in rows]


class Due(NamedTuple):
    """One status to be told, with everything its message says."""

    ref: Ref
    seq: int
    external_number: str
    number: str
    status: str
    at: datetime
    org: str | None
    note: str | None


def waiting(community_id: int, source_id: UUID, *, limit: int) -> list[Due]:
    """What a source is owed, each ticket's statuses in their order and whole: what is cut off is a tail."""
    rows = (
        db.session()
        .execute(
            select(SourceStatus, SourceTicket.external_number, SourceTicket.number)
            .join(
                SourceTicket,
                and_(
                    SourceTicket.community_id == SourceStatus.community_id,
                    SourceTicket.ticket_id == SourceStatus.ticket_id,
                ),
            )
            .where(
                SourceStatus.community_id == community_id,
                SourceStatus.source_id == source_id,
                SourceStatus.state == StatusState.OPEN,
            )
            .order_by(SourceStatus.ticket_id, SourceStatus.seq)
            .limit(limit)
        )
        .all()
    )
    names = places.org_names(status.org_id for status, _, _ in rows)
    return [
        Due(
            ref=Ref(community_id, status.ticket_id),
            seq=status.seq,
            external_number=external_number,
            number=number,
            status=status.status,
            at=status.at,
            org=names.get(status.org_id) if status.org_id else None,
            note=_opened(status),
        )
        for status, external_number, number in rows
    ]


def note_context(ref: Ref, seq: int) -> str:
    """What the sealed note of a status is bound to."""
    return f"source_status:{ref.id}:{seq}"


def _opened(status: SourceStatus) -> str | None:
    if status.note_sealed is None:
        return None
    context = note_context(Ref(status.community_id, status.ticket_id), status.seq)
    return crypto.keys().decrypt(status.note_sealed, context).decode()
