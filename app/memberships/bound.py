"""Memberships as a plain statement reads them: what they are judged by, without a model's object for each.

To make a model's object takes longer than to ask for its row.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from app import ids
from app.memberships.models import Membership

# Of the membership `m`, for `json_build_array`, in the order of `of_row`.
COLUMNS = """
    m.community_id, m.id, m.house_id, m.estate_id, m.relation, m.status, m.review, m.voter_level, m.owner_id,
    m.valid_to, m.vote_held_until
"""


class _Bound(NamedTuple):
    community_id: int
    id: UUID
    house_id: UUID
    estate_id: UUID
    resident_id: UUID
    relation: str
    status: str
    review: str | None
    voter_level: str | None
    owner_id: UUID | None
    valid_to: date | None
    vote_held_until: datetime | None


def of_row(row: list[Any], resident_id: UUID) -> Membership:
    """What `COLUMNS` gave of one of hers; more may stand behind it. Stands for the model with what it is judged by."""
    found = _Bound._make(
        [
            row[0],
            ids.of_text(row[1]),
            ids.of_text(row[2]),
            ids.of_text(row[3]),
            resident_id,
            *row[4:8],
            ids.of_text(row[8]) if row[8] is not None else None,
            date.fromisoformat(row[9]) if row[9] is not None else None,
            datetime.fromisoformat(row[10]) if row[10] is not None else None,
        ]
    )
    return cast(Membership, found)
