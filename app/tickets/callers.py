"""What somebody has reported by phone: found through the keyed hash of the number, never by the number itself."""

from __future__ import annotations

from sqlalchemy import select

from app import crypto, db
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.tickets import queries
from app.tickets.models import Ticket


def phone_in(text: str) -> str | None:
    """The phone number that somebody typed, as it is kept; None when it isn't one."""
    digits = "".join(c for c in text if c not in " -()")
    for prefix in ("+86", "0086"):
        digits = digits.removeprefix(prefix)
    return digits if digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 12 else None


def reported_from(staff: StaffActor, phone: str, *, limit: int) -> list[Ticket]:
    """Tickets that this number was left with, newest first, where she may know who reported."""
    homes = {
        home
        for grant in staff.grants
        if Permission.TICKET_IDENTITY in grant.permissions
        for home in grant.homes
    }
    query = (
        select(Ticket)
        .where(
            Ticket.community_id.in_(homes),
            Ticket.contact_hash == crypto.keys().keyed_hash(phone, "ticket_contact"),
            queries.visible_to(staff, Permission.TICKET_IDENTITY),
        )
        .order_by(Ticket.id.desc())
        .limit(limit)
    )
    return list(db.session().scalars(query))
