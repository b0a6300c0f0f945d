"""Tickets that leave the house as a table: who took which ones away is noted before the first row goes."""

from __future__ import annotations

from app import audit, ids
from app.people.scopes import StaffActor
from app.tickets.board import Board

MOST = 20_000  # rows of one table; who needs more narrows the filter and takes several


def note(staff: StaffActor, wanted: Board, *, by_due: bool) -> None:
    """The audit row of a table of the tickets in her reach that `wanted` narrows; words are only said to be there."""
    audit.record(
        staff.actor,
        "tickets.exported",
        community_id=ids.lane_of(staff.id),
        object_kind="staff",
        object_id=staff.id,
        most=MOST,
        by_due=by_due,
        status=sorted(wanted.status) if wanted.status is not None else None,
        community=wanted.community,
        estate=str(wanted.estate.id) if wanted.estate is not None else None,
        grid=str(wanted.grid.id) if wanted.grid is not None else None,
        category=wanted.category,
        overdue=wanted.overdue,
        assigned_to=str(wanted.assigned_to) if wanted.assigned_to is not None else None,
        callback_due=wanted.callback_due,
        with_words=bool(wanted.q),
    )
