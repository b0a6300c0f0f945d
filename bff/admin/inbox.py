"""The inbox of staff: what waits for me, without anything that I may no longer see."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g

from app.ids import Ref
from app.messaging import staff as messages
from app.tickets import queries as tickets
from bff.admin import inbox_schemas as s
from bff.admin.auth import requires
from bff.admin.inbox_wording import GONE, say
from bff.http import read_cursor, reads, write_cursor, writes
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("staff-inbox", __name__, url_prefix="/admin/api/v1", description="Notices to staff")


@blp.route("/inbox", methods=["GET"])
@requires()
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.NoticeList)
def inbox(args: dict[str, Any]) -> dict[str, Any]:
    """What I was told, newest first. Of a ticket that I may no longer see: only that there was something."""
    return listed(args)


def listed(args: dict[str, Any]) -> dict[str, Any]:
    """The page of my inbox that `args` (of PageQuery) ask for. Raises BadCursor."""
    after = read_cursor(args["cursor"], UUID)
    rows = messages.inbox(g.staff.id, limit=args["limit"] + 1, before=after[0] if after else None)
    page = rows[: args["limit"]]
    seen = tickets.visible_among(g.staff, [Ref(row.community_id, row.object_id) for row in page])
    names = tickets.category_names(ticket.category_code for ticket in seen.values())
    items = []
    for row in page:
        ref = Ref(row.community_id, row.object_id)
        ticket = seen.get(ref)
        words = GONE
        if ticket is not None:
            category = names.get(ticket.category_code or "")
            words = say(row.kind, number=ticket.number, category=category, params=row.params)
        items.append(
            {
                "id": row.id,
                "kind": row.kind,
                "title": words.title,
                "text": words.text,
                "ticket_id": ref if ticket is not None else None,
                "number": ticket.number if ticket is not None else None,
                "created_at": row.created_at,
                "read_at": row.read_at,
            }
        )
    return {
        "items": items,
        "unread": messages.unread(g.staff.id),
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("/inbox/read", methods=["POST"])
@requires()
@writes
@blp.arguments(s.NoticesReadIn)
@blp.response(200, s.NoticesReadOut)
def read(body: dict[str, Any]) -> dict[str, Any]:
    """Mark notices as read: the named ones, or all up to a moment."""
    changed = messages.mark_read(
        acting_user=g.staff.id, notice_ids=body.get("ids"), all_before=body.get("all_before")
    )
    return {"changed": changed, "unread": messages.unread(g.staff.id)}
