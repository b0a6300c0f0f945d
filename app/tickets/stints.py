"""Reading the stints of a ticket from its events, and keeping the rows that cache them.

The figures count stints. `read` says what they are, from the events and what the ticket's own clock says; `keep`
writes that with each event, in its transaction; `fill_page` writes it for a page of tickets at once, and `drift`
compares. So a figure is exact at any moment, and can be made anew from the events at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, insert, inspect, or_, select

from app import clock, db, outbox
from app.tickets import clocks, queries, story
from app.tickets.clocks import Beat, Calendar
from app.tickets.figure_models import Out, Stint, Verdict
from app.tickets.figure_rules import outcome
from app.tickets.models import Ticket, TicketEvent, TicketStatus
from app.tickets.moves import ENDED, Move
from app.tickets.story import Happened

FILL = "tickets.fill_stints"  # outbox kind
PAGE = 500

_OUT = {
    TicketStatus.WITHDRAWN: Out.WITHDRAWN,
    TicketStatus.REJECTED: Out.REJECTED,
    TicketStatus.MERGED: Out.MERGED,
    TicketStatus.REFERRED: Out.REFERRED,
}
# After these nothing is counted otherwise than before.
UNCOUNTED = frozenset(
    {
        Move.COMMENT,
        Move.URGE,
        Move.WARN,
        Move.JOIN,
        Move.PART,
        Move.PART_DONE,
        Move.ASK_EXTENSION,
        Move.KEEP_LIMIT,
        Move.STAGE_LATE,
        Move.MEETING,
    }
)
_MOMENTS = ("received_at", "accepted_at", "dispatched_at", "due_at", "checked_at", "closed_at", "verdict_at")


@dataclass
class Draft:
    """A stint that is being read. The names are those of the row's columns."""

    seq: int
    org_id: UUID | None = None
    handler_id: UUID | None = None
    received_at: datetime | None = None
    accepted_at: datetime | None = None
    accepter_id: UUID | None = None
    is_accepted_in_time: bool = False
    dispatched_at: datetime | None = None
    dispatcher_id: UUID | None = None
    is_dispatched_in_time: bool = False
    is_returned: bool = False
    is_supervised: bool = False
    due_at: datetime | None = None
    is_closed_in_time: bool = False
    is_standing: bool = False
    checked_at: datetime | None = None
    is_failed: bool = False
    closed_at: datetime | None = None
    total_s: int | None = None
    first_s: int | None = None
    is_reopened: bool = False
    is_rated: bool = False
    is_called_back: bool = False
    verdict_at: datetime | None = None
    verdict: int | None = None
    is_repeated: bool = False


def verdict(*, stars: int, solved: bool) -> Verdict:
    """5-4 satisfied, 3 basically, 2-1 not; whatever isn't solved is not."""
    if not solved or stars <= 2:
        return Verdict.DISSATISFIED
    return Verdict.SATISFIED if stars >= 4 else Verdict.BASICALLY


class _Reading:
    """The walk over a ticket's events."""

    def __init__(self, ticket: Ticket, calendar: Calendar | None) -> None:
        self.ticket, self.calendar = ticket, calendar
        self.drafts: list[Draft] = []
        self.beats: list[Beat] = []
        self.leg: Draft | None = None  # the stint that began with the dispatch to whom works on it now
        self.desk_since: datetime | None = None
        self.received_at: datetime | None = None
        self.first_accepted_at: datetime | None = None  # here or, of a referred one, where it came from
        self.accepted: tuple[datetime, UUID | None] | None = None  # here
        self.first_resolved_at = ticket.first_resolved_at

    @property
    def now(self) -> Draft:
        return self.drafts[-1]

    def open_stint(self, seq: int, **known: Any) -> None:
        self.drafts.append(Draft(seq, **known))

    def take(self, event: Happened) -> None:
        for kind, at, data in event.data.get("carried", ()):
            self.beats.append(Beat(kind, datetime.fromisoformat(at), data))
            if kind == Move.ACCEPT and self.first_accepted_at is None:
                self.first_accepted_at = self.beats[-1].at
        self.beats.append(Beat(event.kind, event.at, event.data))
        if not self.drafts:
            self.open_stint(event.seq)
            self.received_at = event.at
        step = _STEPS.get(event.kind)
        if step is not None:
            step(self, event)

    def accept(self, event: Happened) -> None:
        self.desk_since = event.at
        self.first_accepted_at = self.first_accepted_at or event.at
        if self.accepted is None:
            self.accepted = event.at, event.actor_id

    def dispatch(self, event: Happened) -> None:
        if self.now.dispatched_at is not None or self.now.checked_at is not None:
            self.open_stint(event.seq)
        now = self.leg = self.now
        now.org_id, now.dispatched_at, now.dispatcher_id = event.org_id, event.at, event.actor_id
        now.handler_id = UUID(event.data["staff"]) if event.data.get("staff") else None
        since = self.desk_since or self.received_at
        now.is_dispatched_in_time = since is not None and event.at <= since + clocks.DISPATCH_WITHIN

    def assign(self, event: Happened) -> None:
        self.now.handler_id = UUID(event.data["to"])

    def rotate(self, event: Happened) -> None:
        self.now.handler_id = UUID(event.data["staff"])

    def handle(self, event: Happened) -> None:
        self.now.handler_id = event.actor_id

    def hand_back(self, event: Happened) -> None:
        self.desk_since = event.at
        if self.leg is not None:
            self.leg.is_returned = True
            self.leg.handler_id = self.leg.handler_id or event.actor_id
        self.now.handler_id = self.now.handler_id or event.actor_id
        self.leg = None

    def supervise(self, _: Happened) -> None:
        if self.leg is not None:
            self.leg.is_supervised = True

    def resolve(self, event: Happened) -> None:
        self.handle(event)
        self.first_resolved_at = self.first_resolved_at or event.at

    def verify(self, event: Happened) -> None:
        self.now.checked_at = event.at

    def rework(self, event: Happened) -> None:
        self.now.checked_at, self.now.is_failed = event.at, True
        self.open_stint(event.seq, org_id=self.now.org_id, handler_id=self.now.handler_id)

    def close(self, event: Happened) -> None:
        now = self.now
        now.closed_at = event.at
        now.due_at = self.due_of(event)
        now.is_closed_in_time = event.at <= now.due_at
        since = self.first_accepted_at or self.beats[0].at
        now.total_s = int((event.at - since).total_seconds())
        now.first_s = max(0, int(((self.first_resolved_at or event.at) - since).total_seconds()))

    def due_of(self, closing: Happened) -> datetime:
        """The limit that this closing was measured by. Tickets closed before events named it are read again."""
        if closing.data.get("due_at"):
            return datetime.fromisoformat(closing.data["due_at"]).astimezone(UTC)
        if self.calendar is None:
            self.calendar = queries.calendar_from(self.beats[0].at)
        limit = clocks.limit_for(urgent=self.ticket.is_urgent)
        return clocks.read(self.beats, self.calendar, status=TicketStatus.VERIFIED, limit=limit).due_at

    def reopen(self, event: Happened) -> None:
        """Until it is sent elsewhere, the new run of the clock is measured against who had closed it."""
        self.now.is_reopened = True
        self.desk_since, self.leg = event.at, None
        self.open_stint(event.seq, org_id=self.now.org_id)

    def rate(self, event: Happened) -> None:
        self.now.is_rated = True
        self.judge(event)

    def call_back(self, event: Happened) -> None:
        self.now.is_called_back = True
        self.judge(event)

    def judge(self, event: Happened) -> None:
        self.now.verdict_at = event.at
        self.now.verdict = verdict(stars=event.data["stars"], solved=event.data["solved"])

    def finish(self) -> None:
        """What is said of the whole ticket stands in its last stint."""
        now, ticket = self.now, self.ticket
        now.received_at, now.is_repeated = self.received_at, ticket.is_repeated
        if self.accepted is not None:
            now.accepted_at, now.accepter_id = self.accepted
            assert self.received_at is not None  # whatever was accepted had been received
            now.is_accepted_in_time = now.accepted_at <= self.received_at + clocks.ACCEPT_WITHIN
        if now.closed_at is None:
            now.due_at = ticket.due_at
            # A clock that was stopped after the limit is over it, whatever happens.
            now.is_standing = ticket.standing_since is not None and ticket.standing_since <= ticket.due_at


_STEPS: Mapping[str, Callable[[_Reading, Happened], None]] = {
    Move.ACCEPT: _Reading.accept,
    Move.DISPATCH: _Reading.dispatch,
    Move.ASSIGN: _Reading.assign,
    Move.ROTATE: _Reading.rotate,
    Move.GRAB: _Reading.handle,
    Move.START: _Reading.handle,
    Move.RETURN: _Reading.hand_back,
    Move.SUPERVISE: _Reading.supervise,
    Move.RESOLVE: _Reading.resolve,
    Move.VERIFY: _Reading.verify,
    Move.REWORK: _Reading.rework,
    Move.CLOSE: _Reading.close,
    Move.REOPEN: _Reading.reopen,
    Move.RATE: _Reading.rate,
    Move.CALLBACK: _Reading.call_back,
}


def read(
    ticket: Ticket, events: Iterable[Happened], *, calendar: Calendar | None = None
) -> list[dict[str, Any]]:
    """The stints of a ticket as rows, from its events in order.

    `calendar` serves many old tickets in turn; without it, it is read where a closing doesn't name its limit.
    """
    reading = _Reading(ticket, calendar)
    for event in events:
        reading.take(event)
    if not reading.drafts:
        return []
    reading.finish()
    of_status = _OUT.get(TicketStatus(ticket.status), Out.COUNTED)
    out = Out.EXCLUDED if ticket.is_excluded else of_status
    shared = {
        "community_id": ticket.community_id,
        "ticket_id": ticket.id,
        "out": out.value,
        "estate_id": ticket.estate_id,
        "grid_id": ticket.grid_id,
        "category_code": ticket.category_code,
        "channel": str(ticket.channel),
        "status": str(ticket.status),
    }
    rows = []
    for draft in reading.drafts:
        own = dict(draft.__dict__)
        own["verdict"] = None if draft.verdict is None else int(draft.verdict)
        moments = [own[name] for name in _MOMENTS if own[name] is not None]
        row = shared | own | {"first_at": min(moments), "touched_at": max(moments)}
        rows.append(row | {"outcome": outcome(row)})
    return rows


_SEEN = [move.value for move in Move if move not in UNCOUNTED]


def keep_first(ticket: Ticket, first: TicketEvent) -> None:
    """Write the stints of a ticket that has no event but this one."""
    happened = Happened(first.seq, first.at, first.kind, first.actor_id, first.org_id, first.data)
    for row in read(ticket, [happened] if first.kind in _SEEN else []):
        db.session().add(Stint(**row))


def keep(ticket: Ticket) -> None:
    """Write the stints of a ticket as its events say; rows that are right stay untouched."""
    session = db.session()
    if any(isinstance(row, Stint) and row.ticket_id == ticket.id for row in (*session.new, *session.deleted)):
        session.flush()  # of a move before this one in the same transaction: below they are read
    wanted = {row["seq"]: row for row in read(ticket, story.of(ticket, _SEEN))}
    stored = session.scalars(
        select(Stint).where(Stint.community_id == ticket.community_id, Stint.ticket_id == ticket.id)
    )
    for stint in stored.all():
        row = wanted.pop(stint.seq, None)
        if row is None:
            session.delete(stint)
            continue
        for name, value in row.items():
            if getattr(stint, name) != value:
                setattr(stint, name, value)
    for row in wanted.values():
        session.add(Stint(**row))


# --- many at once ----------------------------------------------------------------------------------------


def _events_of(community_id: int, ticket_ids: Sequence[UUID]) -> dict[UUID, list[Happened]]:
    rows = db.session().execute(
        select(TicketEvent.ticket_id, *story.COLUMNS)
        .where(
            TicketEvent.community_id == community_id,
            TicketEvent.ticket_id.in_(ticket_ids),
            TicketEvent.kind.in_(_SEEN),
        )
        .order_by(TicketEvent.ticket_id, TicketEvent.seq)
    )
    found: dict[UUID, list[Happened]] = {}
    for ticket_id, *event in rows:
        found.setdefault(ticket_id, []).append(Happened(*event))
    return found


def _read_all(community_id: int, page: Sequence[Ticket]) -> list[dict[str, Any]]:
    events = _events_of(community_id, [ticket.id for ticket in page])
    oldest = min((found[0].at for found in events.values()), default=clock.now())
    for found in events.values():
        for _, at, __ in found[0].data.get("carried", ()):
            oldest = min(oldest, datetime.fromisoformat(at))
    calendar = queries.calendar_from(oldest)
    rows: list[dict[str, Any]] = []
    for ticket in page:
        rows += read(ticket, events.get(ticket.id, ()), calendar=calendar)
    return rows


def fill_page(community_id: int, *, after: UUID | None, size: int | None = None) -> UUID | None:
    """Write the stints of a page of a community's tickets anew; where the next page starts (None: that was the last).

    May run twice, and beside people who work: the tickets are locked.
    """
    size = size or PAGE
    query = select(Ticket).where(Ticket.community_id == community_id).order_by(Ticket.id).limit(size)
    if after is not None:
        query = query.where(Ticket.id > after)
    page = list(db.session().scalars(query.with_for_update().execution_options(populate_existing=True)))
    if page:
        db.session().execute(
            delete(Stint).where(
                Stint.community_id == community_id, Stint.ticket_id.in_([ticket.id for ticket in page])
            )
        )
        rows = _read_all(community_id, page)
        if rows:
            db.session().execute(insert(Stint), rows)
    return page[-1].id if len(page) == size else None


def fill(community_id: int, *, after: UUID | None, run: str) -> None:
    """Fill a page and promise the next one. `run` names the whole of it: the same run fills a page once."""
    last = fill_page(community_id, after=after)
    if last is not None:
        outbox.put(
            community_id=community_id,
            kind=FILL,
            payload={"after": str(last), "run": run},
            idem=f"fill_stints:{run}:{last}",
        )


class Drift(NamedTuple):
    """How many tickets were compared, and the ids of those whose stints differ from their events."""

    compared: int
    differing: list[UUID]


def drift(community_id: int, *, since: datetime, after: UUID | None = None) -> tuple[Drift, UUID | None]:
    """Compare a page of the tickets that are open or ended since then with what their events say. Changes nothing.

    Returns what it found and where the next page starts (None: that was the last).
    """
    query = (
        select(Ticket)
        .where(
            Ticket.community_id == community_id,
            or_(Ticket.status.not_in(list(ENDED)), Ticket.ended_at >= since),
        )
        .order_by(Ticket.id)
        .limit(PAGE)
    )
    if after is not None:
        query = query.where(Ticket.id > after)
    page = list(db.session().scalars(query))
    if not page:
        return Drift(0, []), None
    names = [column.key for column in inspect(Stint).columns]
    stored: dict[tuple[UUID, int], dict[str, Any]] = {}
    for stint in db.session().scalars(
        select(Stint).where(
            Stint.community_id == community_id, Stint.ticket_id.in_([ticket.id for ticket in page])
        )
    ):
        stored[stint.ticket_id, stint.seq] = {name: getattr(stint, name) for name in names}
    wanted = {(row["ticket_id"], row["seq"]): row for row in _read_all(community_id, page)}
    differing = {
        ticket_id
        for ticket_id, seq in wanted.keys() | stored.keys()
        if wanted.get((ticket_id, seq)) != stored.get((ticket_id, seq))
    }
    return Drift(len(page), sorted(differing)), page[-1].id if len(page) == PAGE else None
