"""The one table of moves: what can be done to a ticket, from which states, to which, and who may.

A move that is not allowed where the ticket stands raises IllegalMove and names those that are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from app.people.permissions import Permission
from app.tickets.models import TicketStatus


class Move(StrEnum):
    """What can be done to a ticket; also the kind of the event it leaves."""

    REPORT = "report"
    ACCEPT = "accept"
    REJECT = "reject"
    CLASSIFY = "category"
    DISPATCH = "dispatch"
    START = "start"
    RETURN = "return"
    RESOLVE = "resolve"
    VERIFY = "verify"
    REWORK = "rework"  # verify with passed: false
    CLOSE = "close"
    REOPEN = "reopen"
    COMMENT = "comment"
    WITHDRAW = "withdraw"
    RATE = "rating"


class Rule(NamedTuple):
    """From where, to where (None: it stays), by which staff permission, and whether the reporter may."""

    sources: frozenset[TicketStatus]
    target: TicketStatus | None
    permission: Permission | None
    reporter: bool = False


_S = TicketStatus
_OPEN = frozenset(_S) - {_S.CLOSED, _S.REJECTED, _S.WITHDRAWN}

MOVES: dict[Move, Rule] = {
    Move.ACCEPT: Rule(frozenset({_S.RECEIVED}), _S.ACCEPTED, Permission.TICKET_ACCEPT),
    Move.REJECT: Rule(
        frozenset({_S.RECEIVED, _S.ACCEPTED, _S.RETURNED}), _S.REJECTED, Permission.TICKET_REJECT
    ),
    Move.CLASSIFY: Rule(frozenset({_S.RECEIVED, _S.ACCEPTED, _S.RETURNED}), None, Permission.TICKET_CLASSIFY),
    Move.DISPATCH: Rule(frozenset({_S.ACCEPTED, _S.RETURNED}), _S.DISPATCHED, Permission.TICKET_DISPATCH),
    Move.START: Rule(frozenset({_S.DISPATCHED}), _S.IN_PROGRESS, Permission.TICKET_HANDLE),
    Move.RETURN: Rule(frozenset({_S.DISPATCHED, _S.IN_PROGRESS}), _S.RETURNED, Permission.TICKET_HANDLE),
    Move.RESOLVE: Rule(frozenset({_S.IN_PROGRESS}), _S.RESOLVED, Permission.TICKET_HANDLE),
    Move.VERIFY: Rule(frozenset({_S.RESOLVED}), _S.VERIFIED, Permission.TICKET_VERIFY),
    Move.REWORK: Rule(frozenset({_S.RESOLVED}), _S.IN_PROGRESS, Permission.TICKET_VERIFY),
    Move.CLOSE: Rule(frozenset({_S.VERIFIED}), _S.CLOSED, Permission.TICKET_CLOSE),
    Move.REOPEN: Rule(frozenset({_S.CLOSED}), _S.ACCEPTED, Permission.TICKET_REOPEN, reporter=True),
    Move.COMMENT: Rule(_OPEN | {_S.CLOSED}, None, Permission.TICKET_COMMENT, reporter=True),
    Move.WITHDRAW: Rule(
        frozenset({_S.RECEIVED, _S.ACCEPTED, _S.RETURNED}), _S.WITHDRAWN, None, reporter=True
    ),
    Move.RATE: Rule(frozenset({_S.CLOSED}), None, None, reporter=True),
}

# What only the organisation that has the ticket may do.
BY_HOLDER = frozenset({Move.START, Move.RETURN, Move.RESOLVE})


def allowed_from(status: str) -> list[str]:
    """The moves that this state knows, whoever makes them; for the answer to an illegal one."""
    return [move.value for move, rule in MOVES.items() if status in rule.sources and move is not Move.REWORK]
