"""The head of an estate's chain: who knows it knows which figures are published."""

from __future__ import annotations

from sqlalchemy import Connection, text

from app.ids import Ref

_HEAD = text(
    "SELECT s.own_hash FROM revenue_statements AS s"
    " WHERE s.community_id = :community_id AND s.estate_id = :estate_id ORDER BY s.seq DESC LIMIT 1"
)


def head_of(connection: Connection, estate: Ref) -> bytes | None:
    """The hash of the period published last; None before the first."""
    found = connection.execute(_HEAD, {"community_id": estate.community_id, "estate_id": estate.id}).scalar()
    return bytes(found) if found is not None else None
