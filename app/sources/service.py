"""Writing about sources: their keys, the proof of a request, the claim of a number, and what they are told."""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app import addresses, audit, clock, crypto, db, ids, queue
from app.errors import StaleVersion
from app.ids import Ref
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.models import Org, OrgKind
from app.queue import Job, Queue
from app.sources import queries, signing
from app.sources.errors import (
    AlreadyRotating,
    BadAddress,
    BadScope,
    BadSpan,
    DeskNeeded,
    NotProven,
    NotRotating,
    NumberReused,
    Replayed,
    SourceTaken,
    StaleRequest,
)
from app.sources.models import (
    Source,
    SourceClaim,
    SourceKey,
    SourceLane,
    SourceNonce,
    SourceStatus,
    SourceTicket,
    StatusState,
)

# A nonce is refused as stale 300 s after its timestamp, which may lie 300 s ahead of us: 10 minutes, and a margin.
NONCE_KEPT = timedelta(hours=1)
STATUS_KEPT = timedelta(days=90)
# Seconds before a lane is tried again. The last one is the longest that a source, once back, waits for its news.
_BACKOFF = (2, 5, 15, 30, 60, 120, 300)
_CLOSED_S = 300  # a source that is switched off is looked at so often


# --- keys ------------------------------------------------------------------------------------------------


class Issued(NamedTuple):
    """A source with a secret that is shown once; None when no secret was made."""

    source: Source
    key_id: str | None
    secret: str | None


def add_source(
    *,
    code: str,
    name: str,
    channel: str,
    scope_org: UUID,
    desk_org: UUID | None,
    callback_url: str | None,
    valid_from: date | None,
    valid_to: date | None,
    acting_user: StaffActor,
    is_demo: bool = False,
) -> Issued:
    """A new source with its first key. `scope_org`: the street office or community committee whose area it covers.

    Raises BadScope, DeskNeeded, BadAddress, BadSpan, SourceTaken.
    """
    region_id, desk_id = _scope(scope_org, desk_org, acting_user)
    _check_address(callback_url)
    valid_from = valid_from or places.today()
    _check_span(valid_from, valid_to)
    now = clock.now()
    source = Source(
        id=ids.new_id(),
        code=code,
        name=name,
        channel=channel,
        region_id=region_id,
        desk_id=desk_id,
        callback_url=callback_url,
        is_active=True,
        valid_from=valid_from,
        valid_to=valid_to,
        version=1,
        created_at=now,
        updated_at=now,
        is_demo=is_demo,
    )
    try:
        with db.session().begin_nested():
            db.session().add(source)
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_sources_code":
            raise SourceTaken(errors={"source": [(SourceTaken.zh, SourceTaken.en)]}) from e
        raise
    _record(source, "source.added", acting_user)
    return _issue(source)


def _scope(scope_org: UUID, desk_org: UUID | None, staff: StaffActor) -> tuple[int, int]:
    mine = queries.reach(staff)
    scope = _office(scope_org, "scope_org_id")
    if not mine.issuperset(places.communities_under(scope.region_id)):
        raise BadScope(errors={"scope_org_id": [(BadScope.zh, BadScope.en)]})
    if scope.kind == OrgKind.COMMUNITY_COMMITTEE:
        return scope.region_id, scope.region_id
    if desk_org is None:
        raise DeskNeeded(errors={"desk_org_id": [(DeskNeeded.zh, DeskNeeded.en)]})
    desk = _office(desk_org, "desk_org_id")
    if desk.kind != OrgKind.COMMUNITY_COMMITTEE or desk.region_id not in places.communities_under(
        scope.region_id
    ):
        raise BadScope(errors={"desk_org_id": [(BadScope.zh, BadScope.en)]})
    return scope.region_id, desk.region_id


def _office(org_id: UUID, name: str) -> Org:
    org = places.org(org_id)
    if (
        org is None
        or not org.is_active
        or org.kind not in {OrgKind.STREET_OFFICE, OrgKind.COMMUNITY_COMMITTEE}
    ):
        raise BadScope(errors={name: [(BadScope.zh, BadScope.en)]})
    return org


def _check_address(url: str | None) -> None:
    if url is not None and not addresses.may_be_called(url):
        raise BadAddress(errors={"callback_url": [(BadAddress.zh, BadAddress.en)]})


def _check_span(valid_from: date, valid_to: date | None) -> None:
    if valid_to is not None and valid_to <= valid_from:
        raise BadSpan(errors={"valid_to": [(BadSpan.zh, BadSpan.en)]})


def _record(source: Source, action: str, staff: StaffActor, **details: Any) -> None:
    audit.record(
        staff.actor,
        action,
        community_id=source.desk_id,
        object_kind="source",
        object_id=source.id,
        **details,
    )


def _issue(source: Source) -> Issued:
    key_id, secret = f"jk_{secrets.token_hex(8)}", secrets.token_urlsafe(32)
    db.session().add(
        SourceKey(
            key_id=key_id,
            source_id=source.id,
            secret_sealed=crypto.keys().encrypt(secret.encode(), f"source_key:{key_id}"),
            created_at=clock.now(),
        )
    )
    return Issued(source, key_id, secret)


def change_source(
    source_id: UUID, *, version: int | None, changes: dict[str, Any], acting_user: StaffActor
) -> Issued:
    """Change name, callback_url, active, valid_to; `rotate`: "start" makes a second secret, "finish" ends the first.

    Raises NotFound, StaleVersion, BadAddress, BadSpan, AlreadyRotating, NotRotating.
    """
    source = queries.source_for(acting_user, source_id, lock=True)
    if version is not None and source.version != version:
        raise StaleVersion
    if "callback_url" in changes:
        _check_address(changes["callback_url"])
    if "valid_to" in changes:
        _check_span(source.valid_from, changes["valid_to"])
    columns = {"name": "name", "callback_url": "callback_url", "active": "is_active", "valid_to": "valid_to"}
    changed = [
        name for name in columns if name in changes and getattr(source, columns[name]) != changes[name]
    ]
    for name in changed:
        setattr(source, columns[name], changes[name])
    source.version += 1
    source.updated_at = clock.now()
    if changed:
        _record(source, "source.changed", acting_user, fields=changed)
    keys = queries.keys_of([source.id]).get(source.id, [])
    match changes.get("rotate"):
        case "start":
            if len(keys) > 1:
                raise AlreadyRotating
            issued = _issue(source)
            _record(source, "source.rotation_started", acting_user, key_id=issued.key_id)
            return issued
        case "finish":
            if len(keys) < 2:
                raise NotRotating
            for key in keys[:-1]:
                key.ended_at = clock.now()
                _record(source, "source.key_ended", acting_user, key_id=key.key_id)
    return Issued(source, None, None)


# --- a machine proves itself -----------------------------------------------------------------------------


def prove(
    code: str,
    *,
    method: str,
    path: str,
    key_id: str,
    timestamp: str,
    nonce: str,
    signature: str,
    body: bytes,
) -> UUID:
    """The id of the source that signed this request (api.md, Machines). Uses up its nonce.

    Raises StaleRequest, NotProven, Replayed. Unknown source, unknown key and wrong signature look the same and take
    the same steps.
    """
    if not signing.CODE.fullmatch(code) or not signing.well_formed(
        key_id=key_id, timestamp=timestamp, nonce=nonce, signature=signature
    ):
        raise NotProven
    now = clock.now()
    if abs(int(timestamp) - int(now.timestamp())) > signing.WINDOW_S:
        raise StaleRequest(extra={"now": clock.rfc3339(now)})
    source = queries.by_code(code)
    key = db.session().get(SourceKey, key_id)
    known = (
        key is not None
        and source is not None
        and key.source_id == source.id
        and key.ended_at is None
        and source.is_open(places.today())
    )
    secret = queries.secret_of(key) if key is not None else "nobody's secret, for the time that it takes"
    expected = signing.sign(secret, method=method, path=path, timestamp=timestamp, nonce=nonce, body=body)
    if not signing.matches(signature, expected) or not known or source is None:
        raise NotProven
    fresh = db.session().scalar(
        insert(SourceNonce)
        .values(nonce_hash=crypto.keys().keyed_hash(f"{key_id}\0{nonce}", "source_nonce"), seen_at=now)
        .on_conflict_do_nothing(index_elements=["nonce_hash"])
        .returning(SourceNonce.nonce_hash)
    )
    if fresh is None:
        raise Replayed
    return source.id


def forget_nonces(*, before: datetime) -> int:
    """Delete nonces that were seen before that time; how many."""
    result = db.session().execute(
        delete(SourceNonce).where(SourceNonce.seen_at < before).execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult


# --- a number becomes a ticket ---------------------------------------------------------------------------


def claim_number(
    source: Source, external_number: str, *, body_hash: bytes, ticket_id: UUID
) -> SourceClaim | None:
    """Claim the source's own number for a ticket that is being made. None: claimed; else the claim that came first,
    whose ticket is complete.

    Waits for a twin that is still running. Raises NumberReused for another body under the same number.
    """
    number_hash = _number_hash(source.id, external_number)
    claimed = db.session().scalar(
        insert(SourceClaim)
        .values(number_hash=number_hash, body_hash=body_hash, ticket_id=ticket_id, received_at=clock.now())
        .on_conflict_do_nothing(index_elements=["number_hash"])
        .returning(SourceClaim.ticket_id)
    )
    if claimed is not None:
        return None
    first = db.session().get_one(SourceClaim, number_hash)
    if first.body_hash != body_hash:
        raise NumberReused
    return first


def _number_hash(source_id: UUID, external_number: str) -> bytes:
    return crypto.keys().keyed_hash(f"{source_id}\0{external_number}", "external_number")


def tie(source: Source, external_number: str, ref: Ref, *, number: str) -> None:
    """Tie a new ticket to the number it came under: from now on the source is told of each of its states."""
    claim = db.session().get_one(SourceClaim, _number_hash(source.id, external_number))
    claim.community_id, claim.ticket_id = ref.community_id, ref.id
    db.session().add(
        SourceTicket(
            community_id=ref.community_id,
            ticket_id=ref.id,
            source_id=source.id,
            external_number=external_number,
            number=number,
            last_seq=0,
        )
    )
    db.session().flush()  # `status_changed` reads it with its lock


def hand_over(old: Ref, new: Ref) -> None:
    """A ticket is referred: its successor in another community takes the tie, the numbering and what is still owed."""
    session = db.session()
    tied = session.get(SourceTicket, old, with_for_update=True)
    if tied is None:
        return
    session.execute(
        update(SourceClaim)
        .where(SourceClaim.number_hash == _number_hash(tied.source_id, tied.external_number))
        .values(community_id=new.community_id, ticket_id=new.id)
        .execution_options(synchronize_session=False)
    )
    owed = list(
        session.scalars(
            select(SourceStatus)
            .where(
                SourceStatus.community_id == old.community_id,
                SourceStatus.ticket_id == old.id,
                SourceStatus.state == StatusState.OPEN,
            )
            .order_by(SourceStatus.seq)
        )
    )
    # Distribution columns never change: the rows are written anew on the other shard.
    for status in owed:
        note = (
            crypto.keys().decrypt(status.note_sealed, queries.note_context(old, status.seq))
            if (status.note_sealed is not None)
            else None
        )
        session.add(
            SourceStatus(
                community_id=new.community_id,
                ticket_id=new.id,
                seq=status.seq,
                source_id=status.source_id,
                status=status.status,
                at=status.at,
                org_id=status.org_id,
                note_sealed=crypto.keys().encrypt(note, queries.note_context(new, status.seq))
                if note is not None
                else None,
                state=StatusState.OPEN,
                queued_at=status.queued_at,
            )
        )
        session.delete(status)
    session.add(
        SourceTicket(
            community_id=new.community_id,
            ticket_id=new.id,
            source_id=tied.source_id,
            external_number=tied.external_number,
            number=tied.number,
            last_seq=tied.last_seq,
        )
    )
    session.delete(tied)
    session.flush()  # the successor's first event looks for the tie
    if owed:
        _open_lane(new.community_id, tied.source_id)


# --- the source is told ----------------------------------------------------------------------------------


_TIED = db.Plain(
    "SELECT 1 FROM source_tickets AS t WHERE t.community_id = :community_id AND t.ticket_id = :ticket_id"
)


def status_changed(
    ref: Ref, *, status: str, at: datetime, org_id: UUID | None = None, note: str | None = None
) -> None:
    """Owe the ticket's source this status. Nothing happens for a ticket that no machine handed in, or whose source
    doesn't want to be told. Called by everything that changes a ticket's state, in its transaction.
    """
    if not _TIED.within({"community_id": ref.community_id, "ticket_id": ref.id}):  # nearly all
        return
    tied = db.session().get_one(SourceTicket, ref, with_for_update=True)
    source = queries.source(tied.source_id)
    if source.callback_url is None:
        return
    tied.last_seq += 1
    db.session().add(
        SourceStatus(
            community_id=ref.community_id,
            ticket_id=ref.id,
            seq=tied.last_seq,
            source_id=source.id,
            status=status,
            at=at,
            org_id=org_id,
            note_sealed=crypto.keys().encrypt(note.encode(), queries.note_context(ref, tied.last_seq))
            if note
            else None,
            state=StatusState.OPEN,
            queued_at=clock.now(),
        )
    )
    _open_lane(ref.community_id, source.id)


def _open_lane(community_id: int, source_id: UUID) -> None:
    db.session().execute(
        insert(SourceLane)
        .values(community_id=community_id, source_id=source_id, not_before=clock.now())
        .on_conflict_do_nothing(index_elements=["community_id", "source_id"])
    )
    queue.enqueue_after_commit(Queue.DEFAULT, Job.DRAIN_STATUSES, community_id, str(source_id))


class Lane(NamedTuple):
    """A lane that this worker holds; `hold` fences. The key is the one to sign with."""

    community_id: int
    source_id: UUID
    hold: int
    failures: int
    url: str
    key_id: str
    secret: str


def lease_lane(community_id: int, source_id: UUID, *, seconds: int) -> Lane | None:
    """Hold the lane for `seconds`, when it is due and nobody holds it and its source can be told.

    Signs with the oldest valid key: while secrets are exchanged it is the one that both sides surely have.
    """
    now = clock.now()
    held = (
        db.session()
        .execute(
            update(SourceLane)
            .where(
                SourceLane.community_id == community_id,
                SourceLane.source_id == source_id,
                SourceLane.not_before <= now,
                (SourceLane.lease_until.is_(None)) | (SourceLane.lease_until <= now),
            )
            .values(lease_until=now + timedelta(seconds=seconds), hold=SourceLane.hold + 1)
            .returning(SourceLane.hold, SourceLane.failures)
            .execution_options(synchronize_session=False)
        )
        .one_or_none()
    )
    if held is None:
        return None
    source = queries.source(source_id)
    keys = queries.keys_of([source_id]).get(source_id)
    if not keys or source.callback_url is None or not source.is_open(places.today()):
        _release(
            community_id,
            source_id,
            held.hold,
            not_before=now + timedelta(seconds=_CLOSED_S),
            failures=held.failures,
            last_error="source is off",
        )
        return None
    return Lane(
        community_id,
        source_id,
        held.hold,
        held.failures,
        source.callback_url,
        keys[0].key_id,
        queries.secret_of(keys[0]),
    )


def settle(due: queries.Due, *, state: StatusState, error: str | None = None) -> None:
    """The other side took the status, or will never take it. A status that is settled stays so."""
    db.session().execute(
        update(SourceStatus)
        .where(
            SourceStatus.community_id == due.ref.community_id,
            SourceStatus.ticket_id == due.ref.id,
            SourceStatus.seq == due.seq,
            SourceStatus.state == StatusState.OPEN,
        )
        .values(state=state, last_error=error, settled_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def release_lane(lane: Lane, *, error: str | None = None) -> None:
    """Let the lane go: free at once, or after a growing pause (2 s to 5 min, for ever) when `error` says why."""
    failures = 0 if error is None else min(lane.failures + 1, 10_000)
    pause = 0 if error is None else _BACKOFF[min(failures, len(_BACKOFF)) - 1]
    _release(
        lane.community_id,
        lane.source_id,
        lane.hold,
        not_before=clock.now() + timedelta(seconds=pause),
        failures=failures,
        last_error=error,
    )


def _release(community_id: int, source_id: UUID, hold: int, **values: Any) -> None:
    db.session().execute(
        update(SourceLane)
        .where(
            SourceLane.community_id == community_id,
            SourceLane.source_id == source_id,
            SourceLane.hold == hold,
        )
        .values(lease_until=None, **values)
        .execution_options(synchronize_session=False)
    )


def forget_told(*, before: datetime) -> int:
    """Delete statuses that were settled and queued before that time; how many."""
    result = db.session().execute(
        delete(SourceStatus)
        .where(SourceStatus.state != StatusState.OPEN, SourceStatus.queued_at < before)
        .execution_options(synchronize_session=False, cross_community="retention")
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
