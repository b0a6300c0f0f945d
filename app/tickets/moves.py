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
    GRAB = "grab"
    ASSIGN = "assign"
    ROTATE = "rotate"  # to the next on shift
    START = "start"
    RETURN = "return"
    SUSPEND = "suspend"
    RESUME = "resume"
    ASK_EXTENSION = "ask_extension"
    EXTEND = "extend"  # an approved extension
    KEEP_LIMIT = "keep_limit"  # a refused one
    PART = "part"  # a unit is called in (吹哨报到)
    PART_DONE = "part_done"
    RESOLVE = "resolve"
    VERIFY = "verify"
    REWORK = "rework"  # verify with passed: false
    CLOSE = "close"
    REOPEN = "reopen"
    COMMENT = "comment"
    WITHDRAW = "withdraw"
    RATE = "rating"
    URGE = "urge"
    SUPERVISE = "supervise"
    WARN = "warn"  # by the clock
    STAGE_LATE = "stage_late"  # by the clock: accepted, dispatched or dispatched anew too late
    MEETING = "meeting"  # a coordination meeting's notes (工单协调会)
    CALLBACK = "callback"
    EXCLUDE = "exclude"
    JOIN = "join"
    MERGE = "merge"
    UNMERGE = "unmerge"
    REFER = "refer"
    REFERRED_IN = "referred_in"  # the first event of the successor


class Rule(NamedTuple):
    """From where, to where (None: it stays), by which staff permission, and whether the reporter may."""

    sources: frozenset[TicketStatus]
    target: TicketStatus | None
    permission: Permission | None
    reporter: bool = False
    by_clock: bool = False


_S = TicketStatus
ENDED = frozenset({_S.CLOSED, _S.REJECTED, _S.WITHDRAWN, _S.MERGED, _S.REFERRED})
OPEN = frozenset(_S) - ENDED
AT_DESK = frozenset({_S.RECEIVED, _S.ACCEPTED, _S.RETURNED})
_AT_WORK = frozenset({_S.DISPATCHED, _S.IN_PROGRESS})
_P = Permission

MOVES: dict[Move, Rule] = {
    Move.ACCEPT: Rule(frozenset({_S.RECEIVED}), _S.ACCEPTED, _P.TICKET_ACCEPT),
    Move.REJECT: Rule(AT_DESK, _S.REJECTED, _P.TICKET_REJECT),
    Move.CLASSIFY: Rule(AT_DESK, None, _P.TICKET_CLASSIFY),
    Move.DISPATCH: Rule(frozenset({_S.ACCEPTED, _S.RETURNED}), _S.DISPATCHED, _P.TICKET_DISPATCH),
    Move.GRAB: Rule(frozenset({_S.DISPATCHED}), None, _P.TICKET_HANDLE),
    Move.ASSIGN: Rule(_AT_WORK, None, _P.TICKET_ASSIGN),
    Move.ROTATE: Rule(_AT_WORK, None, _P.TICKET_HANDLE),
    Move.START: Rule(frozenset({_S.DISPATCHED}), _S.IN_PROGRESS, _P.TICKET_HANDLE),
    Move.RETURN: Rule(_AT_WORK, _S.RETURNED, _P.TICKET_HANDLE),
    Move.SUSPEND: Rule(frozenset({_S.IN_PROGRESS}), _S.SUSPENDED, _P.TICKET_HANDLE),
    Move.RESUME: Rule(frozenset({_S.SUSPENDED}), _S.IN_PROGRESS, _P.TICKET_HANDLE, by_clock=True),
    Move.ASK_EXTENSION: Rule(_AT_WORK, None, _P.TICKET_HANDLE),
    Move.EXTEND: Rule(_AT_WORK | {_S.SUSPENDED}, None, _P.TICKET_DISPATCH),
    Move.KEEP_LIMIT: Rule(_AT_WORK | {_S.SUSPENDED}, None, _P.TICKET_DISPATCH),
    Move.PART: Rule(_AT_WORK, None, _P.TICKET_DISPATCH),
    Move.PART_DONE: Rule(_AT_WORK, None, _P.TICKET_HANDLE),
    Move.RESOLVE: Rule(frozenset({_S.IN_PROGRESS}), _S.RESOLVED, _P.TICKET_HANDLE),
    Move.VERIFY: Rule(frozenset({_S.RESOLVED}), _S.VERIFIED, _P.TICKET_VERIFY),
    Move.REWORK: Rule(frozenset({_S.RESOLVED}), _S.IN_PROGRESS, _P.TICKET_VERIFY),
    Move.CLOSE: Rule(frozenset({_S.VERIFIED}), _S.CLOSED, _P.TICKET_CLOSE),
    Move.REOPEN: Rule(frozenset({_S.CLOSED}), _S.ACCEPTED, _P.TICKET_REOPEN, reporter=True),
    Move.COMMENT: Rule(OPEN | {_S.CLOSED}, None, _P.TICKET_COMMENT, reporter=True),
    Move.WITHDRAW: Rule(AT_DESK, _S.WITHDRAWN, None, reporter=True),
    Move.RATE: Rule(frozenset({_S.CLOSED}), None, None, reporter=True),
    Move.URGE: Rule(OPEN, None, None, reporter=True),
    Move.SUPERVISE: Rule(OPEN, None, _P.TICKET_SUPERVISE, by_clock=True),
    Move.WARN: Rule(OPEN, None, None, by_clock=True),
    Move.STAGE_LATE: Rule(AT_DESK, None, None, by_clock=True),
    Move.MEETING: Rule(_AT_WORK | {_S.RETURNED}, None, _P.TICKET_DISPATCH),
    Move.CALLBACK: Rule(frozenset({_S.CLOSED}), None, _P.TICKET_CALLBACK),
    Move.EXCLUDE: Rule(frozenset({_S.CLOSED}), None, _P.TICKET_EXCLUDE),
    Move.MERGE: Rule(AT_DESK, _S.MERGED, _P.TICKET_MERGE),
    Move.UNMERGE: Rule(frozenset({_S.MERGED}), None, _P.TICKET_MERGE),  # back to where it came from
    Move.REFER: Rule(AT_DESK, _S.REFERRED, _P.TICKET_REFER),
}

# What only the organisation that has the ticket may do.
BY_HOLDER = frozenset(
    {
        Move.GRAB,
        Move.ASSIGN,
        Move.ROTATE,
        Move.START,
        Move.RETURN,
        Move.SUSPEND,
        Move.RESUME,
        Move.ASK_EXTENSION,
        Move.RESOLVE,
    }
)
# Not a button by themselves: the other answer to one, or the answer to a request.
_NOT_OFFERED = frozenset(
    {Move.REWORK, Move.EXTEND, Move.KEEP_LIMIT, Move.PART_DONE, Move.WARN, Move.STAGE_LATE}
)


def is_offered(move: Move) -> bool:
    """Is this a move of its own on a page?"""
    return move not in _NOT_OFFERED


def allowed_from(status: str, *, reporter: bool = False) -> list[str]:
    """The moves that this state knows, whoever of the staff makes them, or the `reporter`; for the answer to an illegal
    one.
    """
    return [
        move.value
        for move, rule in MOVES.items()
        if status in rule.sources and is_offered(move) and (rule.reporter or not reporter)
    ]
