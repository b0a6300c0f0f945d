"""What tickets are found by in a search: the letters in them, the pairs of neighbouring letters, and their class.

Most Chinese words have two characters, of which pg_trgm makes nothing. The pieces only find candidates; what is found
is compared with the words themselves.
"""

from __future__ import annotations

import itertools
from uuid import UUID

from sqlalchemy import select

from app import db, outbox
from app.tickets.models import Ticket

FILL = "tickets.fill_letters"  # outbox kind
PAGE = 1000


def _folded(text: str) -> list[str]:
    return [(letter.lower() or letter)[0] for letter in text]


def _in(community_id: int, text: str) -> set[str]:
    letters = _folded(text)
    return {f"{community_id}{piece}" for piece in (*letters, *map("".join, itertools.pairwise(letters)))}


def _class(community_id: int, category: str) -> str:
    # Two letters at most follow the community otherwise, and a code has more.
    return f"{community_id}class {category}"


def wanted(community_id: int, q: str, *, category: str | None = None) -> list[str]:
    """The pieces that a ticket of the community, and of that class, must have to contain `q`; none when `q` can't be
    looked for like that.

    Letters whose capitals PostgreSQL and Python might see differently are left out.
    """
    letters = [c if c.isascii() or c.lower() == c.upper() else None for c in q]
    folded = [None if c is None else _folded(c)[0] for c in letters]
    if len(folded) == 1:
        pieces = set() if folded[0] is None else {f"{community_id}{folded[0]}"}
    else:
        both = itertools.pairwise(folded)
        pieces = {f"{community_id}{a}{b}" for a, b in both if a is not None and b is not None}
    if pieces and category is not None:
        pieces.add(_class(community_id, category))
    return sorted(pieces)


_KEEP = db.Plain(
    """
    INSERT INTO ticket_letters (community_id, ticket_id, pieces) VALUES (:community_id, :ticket_id, :pieces)
    ON CONFLICT (community_id, ticket_id) DO UPDATE SET pieces = excluded.pieces
    """
)


def _row(ticket: Ticket) -> dict[str, object]:
    pieces: set[str] = set()
    for text in (ticket.number, ticket.text, ticket.address):
        pieces |= _in(ticket.community_id, text or "")
    if ticket.category_code is not None:
        pieces.add(_class(ticket.community_id, ticket.category_code))
    return {"community_id": ticket.community_id, "ticket_id": ticket.id, "pieces": sorted(pieces)}


def keep(*tickets: Ticket) -> None:
    """Write what these tickets are found by, as they read now. To be called when number, words, address or class were
    set.
    """
    if not tickets:
        return
    db.session().flush()  # the row points to its ticket
    for ticket in tickets:
        _KEEP.write(_row(ticket))


def fill(community_id: int, *, after: UUID | None, run: str) -> None:
    """Write the letters of a page of a community's tickets, and promise the next page; `run` names the whole of it.

    May run twice, and beside people who work: what it reads of a ticket doesn't change after the report.
    """
    query = select(Ticket).where(Ticket.community_id == community_id).order_by(Ticket.id).limit(PAGE)
    if after is not None:
        query = query.where(Ticket.id > after)
    page = list(db.session().scalars(query))
    keep(*page)
    if len(page) == PAGE:
        last = page[-1].id
        outbox.put(
            community_id=community_id,
            kind=FILL,
            payload={"after": str(last), "run": run},
            idem=f"fill_letters:{run}:{last}",
        )
