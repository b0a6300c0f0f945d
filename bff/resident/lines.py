"""Tickets in a list as everybody opens it: dumped by hand.

A schema's dump takes longer than the database needs. `TicketRow` is the description, and a test holds both equal.
"""

from __future__ import annotations

from typing import Any

from app import ids
from app.clock import rfc3339
from app.ids import Kind, Ref
from app.media import links
from app.tickets.lines import Line


def line_out(line: Line) -> dict[str, Any]:
    """A line as `TicketRow` dumps it; of a ticket she only follows nothing that another person wrote or photographed,
    and what it is about only where others may be told of it.
    """
    is_told = line.is_own or line.is_public
    photo = line.photo_id if line.is_own else None
    return {
        "ticket_id": ids.encode(Kind.TICKET, line.ref),
        "number": line.number,
        "status": line.status,
        "category": line.category if is_told else None,
        "category_name": line.category_name if is_told else None,
        "text": line.text if line.is_own else None,
        "urgent": line.is_urgent,
        "estate_name": line.estate_name if is_told else None,
        "reported_at": rfc3339(line.reported_at),
        "updated_at": rfc3339(line.updated_at),
        "thumb_url": links.to_photo(Ref(line.ref.community_id, photo), "thumb")
        if photo is not None
        else None,
        "promised": {
            "accept_by": rfc3339(line.accept_by),
            "dispatch_by": rfc3339(line.dispatch_by),
            "close_by": rfc3339(line.due_at),
        },
    }
