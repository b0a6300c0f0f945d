"""The owners' decision that allowed a line or a budget: is there one, and what is it called?

Votes stand in another domain of the same row; `app.boot` says who answers, so that neither knows the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from app.ids import Ref
from app.revenue.errors import DecisionNotCertified, UnknownDecision


class Decided(NamedTuple):
    """What the books need to know of a decision. `certified_at`: None while no result is certified, and of polls."""

    id: UUID
    estate_id: UUID
    title: str
    certified_at: datetime | None


# community and ids → (id, estate, title, when its result was certified), of those that there are
Lookup = Callable[[int, Collection[UUID]], Collection[tuple[UUID, UUID, str, datetime | None]]]
_lookup: Lookup | None = None


def configure(lookup: Lookup) -> None:
    """Who knows decisions (called once by `app.boot`)."""
    global _lookup
    _lookup = lookup


def decisions(community_id: int, wanted: Collection[UUID]) -> dict[UUID, Decided]:
    """Decision → what is known of it; of those that there are."""
    if _lookup is None:
        raise RuntimeError("app.boot() has not run")
    return {row[0]: Decided(*row) for row in _lookup(community_id, wanted)} if wanted else {}


def check(estate: Ref, decision: Ref) -> UUID:
    """The decision's id, when the owners of this estate took it. Raises UnknownDecision, DecisionNotCertified."""
    found = None
    if decision.community_id == estate.community_id:
        found = decisions(estate.community_id, [decision.id]).get(decision.id)
    if found is None or found.estate_id != estate.id:
        raise UnknownDecision(errors={"decision_id": [(UnknownDecision.zh, UnknownDecision.en)]})
    if found.certified_at is None:
        raise DecisionNotCertified(
            errors={"decision_id": [(DecisionNotCertified.zh, DecisionNotCertified.en)]}
        )
    return found.id
