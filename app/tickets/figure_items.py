"""Drill-down: the very tickets that a figure counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_

from app import clock, db
from app.ids import Ref
from app.people.scopes import StaffActor
from app.tickets import queries
from app.tickets.figure_errors import NoSuchGroup
from app.tickets.figure_models import Out, Stint
from app.tickets.figure_rules import MOMENTS, RULES, TICKET_REASONS, Metric, Share, codes, outcomes_of
from app.tickets.figures import Wanted, concerning, reader_of, within
from app.tickets.models import TicketEvent
from app.tickets.moves import Move


class Listed(NamedTuple):
    """A page of stints, and how many there are on all pages (`total`)."""

    stints: list[Stint]
    total: int
    as_of: datetime


def items(
    staff: StaffActor,
    wanted: Wanted,
    metric: Metric,
    share: Share,
    *,
    reason: str | None = None,
    limit: int,
    before: tuple[UUID, int] | None = None,
) -> Listed:
    """The very stints that a figure counts, newest ticket first; `before` continues after that one.

    As many as the figure says of the same `wanted`. `reason` narrows what was left out. Raises NoSuchGroup,
    PeriodReversed, PeriodTooLong.
    """
    rule, now, staff = RULES[metric], clock.now(), reader_of(staff, metric)
    start, end = wanted.span
    part = rule.apart if rule.apart is not None and share is Share.NUMERATOR else rule.part
    outcome = codes(now)[part]
    if share is Share.LEFT_OUT:
        chosen = _left_out(outcome, rule.left, reason)
    else:
        chosen = and_(Stint.out == Out.COUNTED.value, outcome.in_(sorted(outcomes_of(rule, share))))
    if not staff.grants:
        return Listed([], 0, now)
    condition = and_(
        concerning(staff, wanted, rule.person, start, end), within(MOMENTS[part], start, end), chosen
    )
    count = db.session().scalar(select(func.count()).select_from(Stint).where(condition)) or 0
    query = select(Stint).where(condition)
    if before is not None:
        query = query.where(tuple_(Stint.ticket_id, Stint.seq) < before)
    page = db.session().scalars(query.order_by(Stint.ticket_id.desc(), Stint.seq.desc()).limit(limit))
    return Listed(list(page), count, now)


def _left_out(
    outcome: ColumnElement[int], left: Mapping[str, frozenset[int]], reason: str | None
) -> ColumnElement[bool]:
    groups: dict[str, ColumnElement[bool]] = {
        name: Stint.out == out.value for name, out in TICKET_REASONS.items()
    }
    for name, wants in left.items():
        groups[name] = and_(Stint.out == Out.COUNTED.value, outcome.in_(sorted(wants)))
    if reason is None:
        return or_(*groups.values())
    if reason not in groups:
        raise NoSuchGroup(errors={"reason": [(NoSuchGroup.zh, NoSuchGroup.en)]})
    return groups[reason]


def excluded_because(staff: StaffActor, stints: Sequence[Stint]) -> dict[Ref, str | None]:
    """The reasons that were written down where complaints were left out of scores, in three queries.

    They speak of who complained: none of a ticket whose reporter she may not know, or that she may no longer see.
    """
    left_out = {Ref(s.community_id, s.ticket_id) for s in stints if s.out == Out.EXCLUDED}
    seen = queries.visible_among(staff, left_out)
    refs = {ref for ref, ticket in seen.items() if queries.knows_reporter(staff, ticket)}
    if not refs:
        return {}
    rows = db.session().scalars(
        select(TicketEvent)
        .where(
            TicketEvent.community_id.in_({ref.community_id for ref in refs}),
            TicketEvent.ticket_id.in_({ref.id for ref in refs}),
            TicketEvent.kind == Move.EXCLUDE,
        )
        .order_by(TicketEvent.seq)  # the last one wins
    )
    return {
        Ref(event.row.community_id, event.row.ticket_id): event.words
        for event in queries.opened(rows.all())
        if event.words is not None
    }
