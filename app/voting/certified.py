"""Decisions as other domains name them: by id, with what they are called and when their result was certified."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app import db
from app.voting.models import Decision, LegalMode


def decisions(community_id: int, wanted: Collection[UUID]) -> list[tuple[UUID, UUID, str, datetime | None]]:
    """(id, estate, title, when its result was certified) of those that there are; a poll never has a result in law."""
    rows = db.session().execute(
        select(
            Decision.id, Decision.estate_id, Decision.title, Decision.certified_at, Decision.legal_mode
        ).where(Decision.community_id == community_id, Decision.id.in_(list(wanted)))
    )
    return [
        (id_, estate, title, at if mode != LegalMode.POLL else None) for id_, estate, title, at, mode in rows
    ]
