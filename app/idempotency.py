"""Idempotency-Key: the first answer to a write, kept in the same transaction as what was written.

(actor, key) is claimed at the start; a second request with it gets the first answer, byte for byte, for 24
hours. Answers may hold personal data: they are sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Index, SmallInteger, delete, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, mapped_column

from app import clock, crypto, db
from app.errors import Conflict, Invalid

KEPT = timedelta(hours=24)
MAX_KEY = 255


class KeyReused(Invalid):
    """The key came before with another request (draft-ietf-httpapi-idempotency-key-header)."""

    code = "idempotency_key_reused"
    zh = "这个提交编号已用于另一次提交，请刷新后重试。"
    en = "This Idempotency-Key was used for a different request."


class InFlight(Conflict):
    """The first request with this key is still running."""

    code = "in_flight"
    zh = "上一次提交正在处理，请稍候。"
    en = "The first request with this key is still being processed."


class IdempotencyKey(db.Base):
    """One claimed key and, when the request is through, its answer."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("ix_idempotency_keys_created_at", "created_at"),
        {"info": db.distributed("actor_id")},
    )

    actor_id: Mapped[UUID] = mapped_column(primary_key=True)
    key_hash: Mapped[bytes] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any]]
    body_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("idempotency:{actor_id}"))
    created_at: Mapped[datetime]


class Answer(NamedTuple):
    """A stored answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def _hash(key: str) -> bytes:
    return crypto.keys().keyed_hash(key, "idempotency")


def _context(actor_id: UUID) -> str:
    return f"idempotency:{actor_id}"


def begin(*, actor_id: UUID, key: str, fingerprint: bytes) -> Answer | None:
    """Claim the key for this request; the first answer when there is one.

    Must be the first statement of the transaction. Raises KeyReused, InFlight.
    """
    now = clock.now()
    key_hash = _hash(key)
    session = db.session()
    # A twin that is still running holds the row: don't wait for it longer than a moment.
    session.execute(text("SET LOCAL lock_timeout = '150ms'"))
    try:
        session.execute(
            delete(IdempotencyKey)
            .where(
                IdempotencyKey.actor_id == actor_id,
                IdempotencyKey.key_hash == key_hash,
                IdempotencyKey.created_at < now - KEPT,
            )
            .execution_options(synchronize_session=False)
        )
        claimed = session.scalar(
            insert(IdempotencyKey)
            .values(actor_id=actor_id, key_hash=key_hash, fingerprint=fingerprint, headers={}, created_at=now)
            .on_conflict_do_nothing(index_elements=["actor_id", "key_hash"])
            .returning(IdempotencyKey.key_hash)
        )
    except OperationalError as e:
        if getattr(e.orig, "sqlstate", None) == "55P03":
            raise InFlight(retry_after=1) from e
        raise
    session.execute(text("SET LOCAL lock_timeout = '10s'"))
    if claimed is not None:
        return None
    row = session.get(IdempotencyKey, (actor_id, key_hash))
    if row is None or row.status is None or row.body_sealed is None:
        raise InFlight(retry_after=1)
    if row.fingerprint != fingerprint:
        raise KeyReused
    return Answer(row.status, row.headers, crypto.keys().decrypt(row.body_sealed, _context(actor_id)))


def finish(*, actor_id: UUID, key: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Keep the answer of this request, in its own transaction."""
    db.session().execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.actor_id == actor_id, IdempotencyKey.key_hash == _hash(key))
        .values(
            status=status,
            headers=dict(headers),
            body_sealed=crypto.keys().encrypt(body, _context(actor_id)),
        )
        .execution_options(synchronize_session=False)
    )


def forget(*, before: datetime) -> int:
    """Delete keys that are older; how many."""
    result = db.session().execute(
        delete(IdempotencyKey)
        .where(IdempotencyKey.created_at < before)
        .execution_options(synchronize_session=False, cross_community="retention")
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
