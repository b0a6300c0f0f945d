"""Which public files there are, and where their pages lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select

from app import db, outbox
from app.ids import Ref
from app.queue import Queue
from app.revenue.rendering_models import RenderingState, RevenueRendering

DISCARD = "revenue.discard_pages"  # outbox kind
MAX_PAGES = 20


def page_key(store_id: UUID, page: int) -> str:
    """Where a page (from 1) lies in the store."""
    return f"vouchers/{store_id.hex[:4]}/{store_id.hex}-{page}.jpg"


def of(community_id: int, object_ids: Collection[UUID]) -> dict[UUID, list[RevenueRendering]]:
    """Line, draft or contract → the public files of its papers, whatever their state."""
    found: dict[UUID, list[RevenueRendering]] = defaultdict(list)
    rows = db.session().scalars(
        select(RevenueRendering)
        .where(
            RevenueRendering.community_id == community_id, RevenueRendering.object_id.in_(list(object_ids))
        )
        .order_by(RevenueRendering.file_id)
    )
    for row in rows:
        found[row.object_id].append(row)
    return found


def page_of(file: Ref, page: int) -> str | None:
    """Where a page of a paper's public file lies; None while there is none."""
    row = db.session().get(RevenueRendering, file)
    if row is None or row.state != RenderingState.READY or not 1 <= page <= len(row.pages):
        return None
    return page_key(row.store_id, page)


def discard(community_id: int, store_id: UUID) -> None:
    """Promise that these pages go from the store."""
    outbox.put(
        community_id=community_id,
        kind=DISCARD,
        payload={"store_id": str(store_id)},
        idem=f"{DISCARD}:{store_id}",
        on=Queue.MEDIA,
    )


def forget(ref: Ref) -> None:
    """Delete the public files of a draft's papers."""
    for row in of(ref.community_id, [ref.id])[ref.id]:
        discard(row.community_id, row.store_id)
        db.session().delete(row)
