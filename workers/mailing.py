"""Campaigns behind the request: looking at what one would be, and writing its messages a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from app import db
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
    """Write a community's messages of a campaign; each page is a transaction, the next run goes on after the last.

    A second thread writes those of the other communities meanwhile, and this one helps when its own are done: while
    PostgreSQL writes a page, Python makes the next. Whoever comes to one that is written finds nothing to do.
    """
    ref, shift = Ref(row.community_id, UUID(row.payload["campaign_id"])), Shift(config.lease_s())
    with db.reading():
        others = expansion.parts_of(ref.id, beside=ref)[:-1]  # the last one is this
    # Neighbours share the most numbers, and who shares numbers waits for the other: the two keep far apart.
    half = len(others) // 2
    with ThreadPoolExecutor(1, thread_name_prefix="expand") as pool:
        helping = pool.submit(_help, others[half:] + others[:half], shift)
        _pages(row, expansion.expand, campaigns.expand_on, shift)
        _help(others, shift)
        helping.result()


def _help(parts: Sequence[Ref], shift: Shift) -> None:
    for ref in parts:
        while not shift.is_over() and committed(expansion.expand, ref, patient=False):
            pass


def fall_back(row: Leased) -> None:
    """Text messages to those who haven't read it in WeChat."""
    _pages(row, expansion.fall_back, campaigns.fall_back_on, Shift(config.lease_s()))


def _pages(row: Leased, page: Callable[[Ref], bool], go_on: Callable[..., None], shift: Shift) -> None:
    ref = Ref(row.community_id, UUID(row.payload["campaign_id"]))
    while committed(page, ref):
        if shift.is_over():
            committed(go_on, ref, again=str(row.id))  # one promise for each run that had no more time
            return
