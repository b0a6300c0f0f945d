"""Who must hear, in the same transaction, that houses have other owners: domains above, which this one can't call."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from app.audit import Actor


class Change(StrEnum):
    """What happened to the owners of some houses."""

    TRANSFERRED = "transferred"  # they are others
    PARTED = "parted"  # a row turned out to be two people
    CORRECTED = "corrected"  # the same ones: another phone, or two rows turned out to be one person


class OwnersListener(Protocol):
    """Follows a change of owners; raises nothing that the change should survive."""

    def __call__(
        self, community_id: int, house_ids: Collection[UUID], *, change: Change, acting_user: Actor
    ) -> None:
        """The owners of these houses of a community have changed in this way."""


_listener: OwnersListener | None = None


def configure(listener: OwnersListener) -> None:
    """Who follows (called once by `app.boot`)."""
    global _listener
    _listener = listener


def owners_changed(
    community_id: int,
    house_ids: Collection[UUID],
    *,
    acting_user: Actor,
    change: Change = Change.TRANSFERRED,
) -> None:
    """Tell that these houses have other owners, or that more is known of the same ones."""
    if house_ids and _listener is not None:
        _listener(community_id, house_ids, change=change, acting_user=acting_user)
