"""Campaigns behind the request: looking at what one would be, and writing its messages a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from app.ids import Ref
from app.messaging import campaigns, expansion, previews
from app.outbox import Leased
from workers import config
from workers.batches import Shift, committed


def preview(row: Leased) -> None:
    """Find who would get a campaign, and what that costs."""
    ref = Ref(row.community_id, UUID(row.payload["campaign_id"]))
    committed(previews.look, ref, job=row.payload["job"])


def expand(row: Leased) -> None:
    """Write a community's messages of a campaign; each page is a transaction, the next run goes on after the last."""
    _pages(row, expansion.expand, campaigns.expand_on)


def fall_back(row: Leased) -> None:
    """Text messages to those who haven't read it in WeChat."""
    _pages(row, expansion.fall_back, campaigns.fall_back_on)


def _pages(row: Leased, page: Callable[[Ref], bool], go_on: Callable[..., None]) -> None:
    ref, shift = Ref(row.community_id, UUID(row.payload["campaign_id"])), Shift(config.lease_s())
    while committed(page, ref):
        if shift.is_over():
            committed(go_on, ref, again=str(row.id))  # one promise for each run that had no more time
            return
