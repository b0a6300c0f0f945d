"""Public files of vouchers: staff say what is covered, a worker draws the pages anew, residents read those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar
from uuid import UUID

from app import clock, db, ids, outbox
from app.errors import NotFound
from app.ids import Ref
from app.media import papers
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.queue import Queue
from app.revenue import public_files, queries
from app.revenue.errors import DraftFrozen
from app.revenue.models import DraftState, RevenueContract, RevenueDraft, RevenueLine
from app.revenue.rendering_models import RenderingState, RevenueRendering
from app.revenue.service import lock, note

RENDER = "revenue.render"  # outbox kind
P = Permission


class Wanted(NamedTuple):
    """A paper that waits to be drawn."""

    paper: papers.Evidence
    boxes: list[list[int]]


class Page(NamedTuple):
    """A page as it is stored."""

    sha256: bytes
    width: int
    height: int


def _paper(of: Ref, file_id: UUID) -> papers.Evidence:
    found = next((paper for paper in papers.of(queries.PAPERS, of) if paper.id == file_id), None)
    if found is None:
        raise NotFound
    return found


def rendering_for(staff: StaffActor, of: Ref, file_id: UUID) -> RevenueRendering:
    """The public file of a paper of a draft, line or contract. Raises NotFound, also where none was asked for."""
    queries.paper_holder(staff, P.REVENUE_VIEW, of)
    found = db.session().get(RevenueRendering, (of.community_id, file_id), populate_existing=True)
    if found is None or found.object_id != of.id:
        raise NotFound
    return found


def cover_draft(
    draft: Ref, file_id: UUID, *, boxes: Sequence[Sequence[int]], acting_user: StaffActor
) -> RevenueRendering:
    """Have the public file of a draft's voucher made, with these boxes (page, x, y, width, height); none where nothing
    is to be covered. Raises NotFound, DraftFrozen.
    """
    holder = _holder(draft, P.REVENUE_EDIT, RevenueDraft, acting_user)
    if holder.state != DraftState.OPEN:
        raise DraftFrozen
    return _ask(draft, holder.estate_id, file_id, boxes, acting_user, is_public=False)


def cover_line(
    line: Ref, file_id: UUID, *, boxes: Sequence[Sequence[int]], acting_user: StaffActor
) -> RevenueRendering:
    """Cover more of a published voucher, by who reviews: what is covered stays so. Until it is drawn anew nothing of it
    is shown. Raises NotFound.
    """
    holder = _holder(line, P.REVENUE_REVIEW, RevenueLine, acting_user)
    return _ask(line, holder.estate_id, file_id, boxes, acting_user, is_public=True)


def cover_scan(
    contract: Ref, file_id: UUID, *, boxes: Sequence[Sequence[int]], acting_user: StaffActor
) -> RevenueRendering:
    """Have the public file of a contract's scan made; it is public once it is drawn, and boxes are only added.

    Raises NotFound.
    """
    holder = _holder(contract, P.REVENUE_EDIT, RevenueContract, acting_user)
    return _ask(contract, holder.estate_id, file_id, boxes, acting_user, is_public=True)


H = TypeVar("H", RevenueDraft, RevenueLine, RevenueContract)


def _holder(ref: Ref, permission: Permission, model: type[H], staff: StaffActor) -> H:
    found = queries.one_for(staff, permission, model, ref)
    lock(Ref(ref.community_id, found.estate_id))
    return queries.one_for(staff, permission, model, ref)  # as it is now that nobody else writes


def _ask(
    of: Ref,
    estate_id: UUID,
    file_id: UUID,
    boxes: Sequence[Sequence[int]],
    staff: StaffActor,
    *,
    is_public: bool,
) -> RevenueRendering:
    _paper(of, file_id)
    covered = [[int(value) for value in box] for box in boxes]
    row = db.session().get(RevenueRendering, (of.community_id, file_id))
    if row is None:
        row = RevenueRendering(
            community_id=of.community_id, file_id=file_id, estate_id=estate_id, object_id=of.id, version=0
        )
        db.session().add(row)
    else:
        public_files.discard(row.community_id, row.store_id)
        if is_public:
            covered = row.boxes + [box for box in covered if box not in row.boxes]
    row.store_id, row.state, row.boxes, row.pages = ids.new_id(), RenderingState.MAKING, covered, []
    row.problem = row.made_at = None
    row.asked_by, row.asked_at = staff.id, clock.now()
    row.version += 1
    outbox.put(
        community_id=of.community_id,
        kind=RENDER,
        payload={"file_id": str(file_id), "store_id": str(row.store_id)},
        idem=f"{RENDER}:{row.store_id}",
        on=Queue.MEDIA,
    )
    note(staff.actor, "voucher_covered", of, "revenue_paper", file_id=str(file_id), boxes=len(covered))
    return row


def _waiting(file: Ref, store_id: UUID, *, locked: bool) -> RevenueRendering | None:
    row = db.session().get(RevenueRendering, file, with_for_update=locked or None, populate_existing=True)
    is_wanted = row is not None and row.store_id == store_id and row.state == RenderingState.MAKING
    return row if is_wanted else None


def wanted(file: Ref, store_id: UUID) -> Wanted | None:
    """What a worker is to draw; None when it is drawn, or is to be drawn otherwise."""
    row = _waiting(file, store_id, locked=False)
    if row is None:
        return None
    try:
        return Wanted(_paper(Ref(row.community_id, row.object_id), row.file_id), row.boxes)
    except NotFound:
        return None


def made(file: Ref, store_id: UUID, pages: Sequence[Page]) -> bool:
    """The pages lie in the store. False when they aren't wanted any more."""
    row = _waiting(file, store_id, locked=True)
    if row is None:
        return False
    row.state, row.made_at = RenderingState.READY, clock.now()
    row.pages = [[page.sha256.hex(), page.width, page.height] for page in pages]
    return True


def failed(file: Ref, store_id: UUID, code: str) -> None:
    """The paper can't be drawn; why, as a word."""
    row = _waiting(file, store_id, locked=True)
    if row is not None:
        row.state, row.problem = RenderingState.FAILED, code
