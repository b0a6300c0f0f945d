"""Random histories of tickets, written straight into the tables, and their figures by a naive reading of the events.

The naive reading knows nothing of stints: it looks at each event and asks what came before and after it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from app import db, ids
from app.tickets.models import Ticket, TicketEvent
from app.tickets.moves import ENDED, MOVES, Move

WALKED = (
    [Move.ACCEPT, Move.DISPATCH, Move.START, Move.RESOLVE, Move.VERIFY, Move.CLOSE] * 6
    + [Move.REWORK, Move.RETURN, Move.REOPEN, Move.RATE, Move.CALLBACK, Move.SUPERVISE, Move.GRAB] * 2
    + [Move.SUSPEND, Move.RESUME, Move.EXCLUDE, Move.REJECT, Move.WITHDRAW, Move.MERGE, Move.UNMERGE]
    + [Move.REFER, Move.COMMENT, Move.ASSIGN]
)


@dataclass
class History:
    """One ticket as it stands, and what happened to it."""

    ticket: Ticket
    events: list[TicketEvent] = field(default_factory=list)


class _Walk:
    def __init__(self, rng: random.Random, community_id: int, estate_id: UUID, orgs: list[UUID]) -> None:
        self.rng, self.orgs = rng, orgs
        self.people = [UUID(int=rng.getrandbits(128)) for _ in range(3)]
        self.ticket = Ticket(
            community_id=community_id,
            id=ids.new_id(),
            number=f"X{rng.getrandbits(60)}",
            status="received",
            channel=rng.choice(["mini_program", "phone", "hotline"]),
            category_code=rng.choice(["noise", "dogs", None]),
            is_urgent=False,
            text_check="none",
            answers={},
            is_anonymous=False,
            estate_id=rng.choice([estate_id, None]),
            is_repeated=rng.random() < 0.3,
            is_excluded=False,
            returns=0,
            reopened=0,
            me_too=0,
            version=1,
            last_seq=0,
        )
        self.history = History(self.ticket)

    def walk(self, at: datetime, now: datetime) -> History:
        ticket, rng = self.ticket, self.rng
        ticket.reported_at = ticket.updated_at = at
        ticket.accept_by = ticket.dispatch_by = at
        ticket.due_at = at + timedelta(hours=rng.randint(1, 200))
        self.event(Move.REPORT, at, None)
        before_merge = "received"
        for _ in range(rng.randint(0, 60)):
            at += timedelta(minutes=rng.choice([1, 2, 3, 4, 5, 6, 60, 700, 3000]))
            if at > now:
                break
            moves = [m for m in WALKED if m in MOVES and ticket.status in MOVES[m].sources]
            if not moves:
                break
            move, before = rng.choice(moves), ticket.status
            if move is Move.MERGE:
                before_merge = before
            ticket.status = MOVES[move].target or (before_merge if move is Move.UNMERGE else before)
            self.change(move, at, before)
        return self.history

    def change(self, move: Move, at: datetime, before: str) -> None:
        ticket, rng = self.ticket, self.rng
        data: dict[str, Any] = {}
        org, actor = ticket.org_id, rng.choice(self.people)
        ticket.ended_at = at if ticket.status in ENDED and before not in ENDED else ticket.ended_at
        if move is Move.DISPATCH:
            org = ticket.org_id = rng.choice(self.orgs)
            if rng.random() < 0.3:
                data["staff"] = str(rng.choice(self.people))
        elif move is Move.ROTATE:
            data["staff"] = str(rng.choice(self.people))
        elif move is Move.ASSIGN:
            data["to"] = str(rng.choice(self.people))
        elif move is Move.RESOLVE:
            ticket.first_resolved_at = ticket.first_resolved_at or at
        elif move is Move.CLOSE:
            data["due_at"] = ticket.due_at.isoformat()
            ticket.closed_at = at
        elif move is Move.REOPEN:
            ticket.closed_at = ticket.ended_at = None
            ticket.is_excluded = False
            ticket.due_at = at + timedelta(hours=rng.randint(1, 200))
        elif move in (Move.RATE, Move.CALLBACK):
            data |= {"stars": rng.randint(1, 5), "solved": rng.random() < 0.8}
        elif move is Move.EXCLUDE:
            ticket.is_excluded = True
        elif move is Move.UNMERGE:
            ticket.ended_at = None
        ticket.standing_since = at if move is Move.SUSPEND else ticket.standing_since
        if ticket.status != "suspended":
            ticket.standing_since = None
        self.event(move, at, before, org=org, actor=actor, **data)

    def event(
        self,
        move: Move,
        at: datetime,
        before: str | None,
        *,
        org: UUID | None = None,
        actor: UUID | None = None,
        **data: Any,
    ) -> None:
        ticket = self.ticket
        ticket.last_seq += 1
        ticket.updated_at = at
        self.history.events.append(
            TicketEvent(
                community_id=ticket.community_id,
                id=ids.new_id(),
                ticket_id=ticket.id,
                seq=ticket.last_seq,
                at=at,
                kind=move.value,
                from_status=before,
                to_status=ticket.status,
                visibility="internal",
                actor_kind="staff",
                actor_id=actor,
                org_id=org,
                data=data,
            )
        )


def write(
    rng: random.Random,
    *,
    community_id: int,
    estate_id: UUID,
    orgs: list[UUID],
    start: datetime,
    now: datetime,
    n: int,
) -> list[History]:
    """So many tickets with what happened to them between two moments; in the tables, without stints."""
    minutes = int((now - start).total_seconds() // 60)
    made = [
        _Walk(rng, community_id, estate_id, orgs).walk(
            start + timedelta(minutes=rng.choice([rng.randint(0, minutes), minutes - rng.randint(0, 6)])), now
        )
        for _ in range(n)
    ]
    with db.transaction() as session:
        session.add_all(history.ticket for history in made)
        session.flush()  # events point to tickets
        session.add_all(event for history in made for event in history.events)
    return made


# --- the naive reading ------------------------------------------------------------------------------------


class Counted(NamedTuple):
    """One thing that a metric counts, for the unit that had the ticket."""

    metric: str
    unit: UUID | None
    numerator: int = 0
    denominator: int = 0
    left: str | None = None


def naive(  # noqa: C901  one paragraph for each definition reads best in one piece
    history: History, *, start: datetime, end: datetime, now: datetime
) -> Iterable[Counted]:
    """Everything of a ticket that any metric counts in the period, by the definitions of the guide."""
    ticket, events = history.ticket, history.events
    outs = ("withdrawn", "rejected", "merged", "referred")
    out = "excluded" if ticket.is_excluded else ticket.status if ticket.status in outs else None

    def unit_at(place: int) -> UUID | None:
        sent = [e for e in events[: place + 1] if e.kind == "dispatch"]
        return sent[-1].org_id if sent else None

    def count(metric: str, at: datetime, place: int, good: int, left: str | None = None) -> Iterable[Counted]:
        if start <= at < end:
            if out or left:
                yield Counted(metric, unit_at(place), left=out or left)
            else:
                yield Counted(metric, unit_at(place), good, 1)

    last = len(events) - 1
    received, minutes = events[0].at, timedelta(minutes=1)
    accepted = next((e.at for e in events if e.kind == "accept"), None)
    waits = accepted is None and now - received <= 3 * minutes
    in_time = accepted is not None and accepted - received <= 3 * minutes
    yield from count("accept_on_time", received, last, int(in_time), "waiting" if waits else None)
    if accepted is not None:
        yield from count("closed", accepted, last, int(ticket.status == "closed"))
    if ticket.is_repeated and out is None and start <= received < end:
        yield Counted("repeated", unit_at(last), 1, 0)

    for place, event in enumerate(events):
        after = events[place + 1 :]
        if event.kind == "dispatch":
            desk = [e.at for e in events[:place] if e.kind in ("accept", "return", "reopen")][-1]
            spell = []
            for e in after:
                if e.kind in ("return", "reopen"):
                    break
                spell.append(e.kind)
            ends = after[len(spell)].kind if len(spell) < len(after) else None
            yield from count("dispatch_on_time", event.at, place, int(event.at - desk <= 5 * minutes))
            yield from count("returned", event.at, place, int(ends == "return"))
            yield from count("supervised", event.at, place, int("supervise" in spell))
        if event.kind in ("verify", "rework"):
            yield from count("rework", event.at, place, int(event.kind == "rework"))
        if event.kind == "close":
            yield from _closing(history, place, count, accepted)
    if not any(e.kind == "close" for e in events[_last_reopening(events) :]):
        yield from _due(count, ticket.due_at, last, None, now, ticket.standing_since)
    for place, event in enumerate(events):
        if event.kind == "close":
            due = datetime.fromisoformat(event.data["due_at"])
            yield from _due(count, due, place, event.at, now, None)


def _last_reopening(events: list[TicketEvent]) -> int:
    return max((place for place, e in enumerate(events) if e.kind == "reopen"), default=0)


def _due(
    count: Any, due: datetime, place: int, closed: datetime | None, now: datetime, stands: datetime | None
) -> Iterable[Counted]:
    left = None
    if due > now:
        left = "not_yet_due"
    elif closed is None and stands is not None and stands <= due:
        left = "standing"
    kept = closed is not None and closed <= due
    yield from count("closed_on_time", due, place, int(kept), left)
    yield from count("overdue", due, place, int(not kept), left)


def _closing(history: History, place: int, count: Any, accepted: datetime | None) -> Iterable[Counted]:
    event, after = history.events[place], history.events[place + 1 :]
    until = next((i for i, e in enumerate(after) if e.kind == "reopen"), len(after))
    said = [e for e in after[:until] if e.kind in ("rating", "callback")]
    yield from count("rated", event.at, place, int(any(e.kind == "rating" for e in said)))
    yield from count("called_back", event.at, place, int(any(e.kind == "callback" for e in said)))
    if said:
        pleased = said[-1].data["solved"] and said[-1].data["stars"] >= 3
        yield from count("satisfied", said[-1].at, place, int(pleased))
    yield from count("repeated", event.at, place, 0)
    assert accepted is not None
    first = next((e.at for e in history.events if e.kind == "resolve"), event.at)
    left = "reopened" if until < len(after) else None
    yield from count("handling_time", event.at, place, int((event.at - accepted).total_seconds()), left)
    yield from count("first_resolution", event.at, place, int((first - accepted).total_seconds()), left)


Sums = dict[str, tuple[int, int, dict[str, int]]]


def summed(found: Iterable[Counted]) -> Sums:
    """metric → numerator, denominator, left out by reason."""
    sums: dict[str, list[int]] = {}
    left: dict[str, Counter[str]] = {}
    for one in found:
        sums.setdefault(one.metric, [0, 0])
        left.setdefault(one.metric, Counter())
        sums[one.metric][0] += one.numerator
        sums[one.metric][1] += one.denominator
        if one.left:
            left[one.metric][one.left] += 1
    return {metric: (n, d, dict(left[metric])) for metric, (n, d) in sums.items()}
