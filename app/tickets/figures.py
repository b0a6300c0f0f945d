"""Figures of tickets: every rate with its numerator, its denominator, and what was left out by reason.

Counted from `ticket_stints` in one statement, whatever the period; the rules (`figure_rules`) are applied to what came
out alike. Always exact and of this moment; only what the asker may see.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Executable,
    Label,
    Select,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    join,
    literal,
    not_,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from app import clock, db
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import Grant, StaffActor
from app.places import queries as places
from app.tickets import clocks, queries
from app.tickets.figure_errors import PeriodReversed, PeriodTooLong
from app.tickets.figure_models import Out, Stint
from app.tickets.figure_rules import (
    BITS,
    MIN_SAMPLE,
    MOMENTS,
    OUT_SHIFT,
    PARTS,
    RULES,
    Metric,
    Part,
    Person,
    codes,
)
from app.tickets.models import CalendarVersion

MOST_DAYS = 1098  # three years
MOST_PERIODS = 93


class By(StrEnum):
    """What figures are grouped and narrowed by."""

    UNIT = "unit"
    PERSON = "person"
    CLASS = "class"
    TOP_CLASS = "top_class"  # the class above all others
    COMMUNITY = "community"
    ESTATE = "estate"
    GRID = "grid"
    CHANNEL = "channel"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


PERIODS = frozenset({By.DAY, By.WEEK, By.MONTH, By.QUARTER, By.YEAR})
_COLUMNS: Mapping[By, tuple[InstrumentedAttribute[Any], ...]] = {
    By.UNIT: (Stint.org_id,),
    By.CLASS: (Stint.category_code,),
    By.TOP_CLASS: (Stint.category_code,),
    By.COMMUNITY: (Stint.community_id,),
    By.ESTATE: (Stint.community_id, Stint.estate_id),
    By.GRID: (Stint.community_id, Stint.grid_id),
    By.CHANNEL: (Stint.channel,),
}


@dataclass(frozen=True)
class Wanted:
    """From which day to which (both whole, Asia/Shanghai), and only these.

    `only` by dimension: an org's, person's id, a class's code, a community's number, the Ref of an estate or grid, a
    channel; None stands for tickets that have none. TOP_CLASS takes any class and means all below it, too.
    """

    first: date
    last: date
    only: Mapping[By, Any] = field(default_factory=dict)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The first moment, and the first moment after. Raises PeriodReversed, PeriodTooLong."""
        if self.last < self.first:
            raise PeriodReversed(errors={"to": [(PeriodReversed.zh, PeriodReversed.en)]})
        if (self.last - self.first).days >= MOST_DAYS:
            raise PeriodTooLong(most=MOST_DAYS)
        return midnight(self.first), midnight(self.last + timedelta(days=1))


@dataclass
class Figure:
    """One metric. `numerator` of a mean is a sum of seconds. `left_out` by reason; none with 0."""

    numerator: int = 0
    denominator: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str, n: int) -> None:
        """So many more are not counted, because of this."""
        self.left_out[reason] = self.left_out.get(reason, 0) + n

    def add(self, other: Figure) -> None:
        """Count the other's, too."""
        self.numerator += other.numerator
        self.denominator += other.denominator
        for reason, n in other.left_out.items():
            self.leave_out(reason, n)


Figures = dict[Metric, Figure]


@dataclass
class Row:
    """The figures of one group. `key` as `Wanted.only` takes it; of a period its (first, last) day."""

    key: Any
    figures: Figures


@dataclass
class Made:
    """Figures as they are at `as_of`, under the newest calendar."""

    wanted: Wanted
    by: By | None
    as_of: datetime
    calendar_version: int
    total: Figures
    rows: list[Row]


def midnight(day: date) -> datetime:
    """The beginning of a day in Asia/Shanghai, in UTC."""
    return datetime.combine(day, time(), tzinfo=clock.SHANGHAI).astimezone(UTC)


# --- who may see what, and what is asked for ------------------------------------------------------------


def _reach(grant: Grant, homes: Collection[Ref]) -> ColumnElement[bool]:
    """A property company: what was given to it, also what it has handed back. Others: their places.

    `homes`: all estates by their home shard. Where a desk governs every one of a shard, they needn't be compared.
    """
    if grant.of_org:
        return and_(Stint.community_id.in_(grant.communities), Stint.org_id == grant.org_id)
    if grant.grid is not None:
        return and_(Stint.community_id == grant.grid.community_id, Stint.grid_id == grant.grid.id)
    elsewhere = {ref.community_id for ref in homes if ref not in grant.estates}
    in_parts = grant.homes - (grant.communities - elsewhere)
    if not in_parts:
        return Stint.community_id.in_(grant.communities)
    return and_(
        Stint.community_id.in_(grant.homes),
        or_(
            Stint.community_id.in_(grant.communities - elsewhere),
            Stint.estate_id.in_({e.id for e in grant.estates}),
            and_(Stint.estate_id.is_(None), Stint.community_id.in_(grant.communities)),
        ),
    )


def _visible_to(staff: StaffActor) -> ColumnElement[bool]:
    grants = [grant for grant in staff.grants if Permission.STATS_VIEW in grant.permissions]
    homes = places.estates_at_home(frozenset().union(*(grant.homes for grant in grants)))
    return or_(false(), *(_reach(grant, homes) for grant in grants))


def reader_of(staff: StaffActor, metric: Metric) -> StaffActor:
    """Her, with those of her roles that may read this metric.

    That a report repeats another says that both come from one person: only for who may know reporters.
    """
    known = tuple(grant for grant in staff.grants if Permission.TICKET_IDENTITY in grant.permissions)
    return staff if metric is not Metric.REPEATED or known == staff.grants else replace(staff, grants=known)


def _readers(staff: StaffActor) -> list[tuple[StaffActor, set[Metric]]]:
    """Which metrics she reads with which of her roles; nearly always all with all."""
    found = [(staff, {metric for metric in Metric if reader_of(staff, metric) is staff})]
    found += [(r, {metric}) for metric in Metric if (r := reader_of(staff, metric)) is not staff]
    return [(reader, those) for reader, those in found if reader.grants]


def _narrowed(wanted: Wanted, person: Person) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for by, value in wanted.only.items():
        if by is By.PERSON:
            found.append(getattr(Stint, person.value) == value)
        elif by is By.TOP_CLASS and value is not None:
            found.append(Stint.category_code.in_(_class_and_below(value)))
        elif by in (By.ESTATE, By.GRID) and value is not None:
            found.append(and_(Stint.community_id == value.community_id, _COLUMNS[by][1] == value.id))
        else:
            found.append(_COLUMNS[by][-1] == value)
    return found


def _class_and_below(code: str) -> list[str]:
    tops = queries.class_parents()
    below = {code}
    while more := {child for child, parent in tops.items() if parent in below} - below:
        below |= more
    return sorted(below)


def _top_of(code: str | None, parents: Mapping[str, str | None]) -> str | None:
    seen: set[str] = set()
    while code is not None and (parent := parents.get(code)) is not None and code not in seen:
        seen.add(code)
        code = parent
    return code


def reaches(staff: StaffActor, by: By, key: Any) -> bool:
    """Is there anything of this group in her reach, whenever it was?"""
    of_it = or_(*(and_(*_narrowed(Wanted(date.min, date.max, {by: key}), person)) for person in Person))
    return bool(db.session().scalar(select(exists().where(_visible_to(staff), of_it))))


def concerning(staff: StaffActor, wanted: Wanted, person: Person, start: datetime, end: datetime) -> Any:
    """The stints in her reach, narrowed as wanted, that have a moment in or around the span."""
    return and_(
        _visible_to(staff), Stint.first_at < end, Stint.touched_at >= start, *_narrowed(wanted, person)
    )


def within(moment: InstrumentedAttribute[Any], start: datetime, end: datetime) -> ColumnElement[bool]:
    """From `start` on and before `end`."""
    return and_(moment >= start, moment < end)


# --- periods ----------------------------------------------------------------------------------------------


def _next(day: date, by: By) -> date:
    if by is By.DAY:
        return day + timedelta(days=1)
    if by is By.WEEK:
        return day + timedelta(days=7 - day.weekday())
    months = {By.MONTH: 1, By.QUARTER: 3, By.YEAR: 12}[by]
    month = (day.month - 1) // months * months + months
    return date(day.year + month // 12, month % 12 + 1, 1)


def periods(first: date, last: date, by: By) -> list[tuple[date, date]]:
    """The days, weeks (from Monday), months … of a span, the outer ones cut to it. Raises PeriodTooLong."""
    found: list[tuple[date, date]] = []
    day = first
    while day <= last:
        after = _next(day, by)
        found.append((day, min(last, after - timedelta(days=1))))
        day = after
    if len(found) > MOST_PERIODS:
        raise PeriodTooLong(most=MOST_PERIODS)
    return found


# --- counting ---------------------------------------------------------------------------------------------


class _Cell(NamedTuple):
    """So many stints of a group whose moment lies in a period and came out alike."""

    group: tuple[Any, ...]
    part: Part
    period: int
    code: int
    out: int
    n: int
    seconds: dict[str, int]


def _cells(
    staff: StaffActor, wanted: Wanted, *, by: By | None, person: Person, now: datetime
) -> Iterable[_Cell]:
    """Two ways at once. What lies in one period as a whole, and can't change by waiting, is counted by the outcome
    that is stored with it; what reaches over an edge is taken apart.
    """
    start, end = wanted.span
    spans = periods(wanted.first, wanted.last, by) if by is not None and by in PERIODS else []
    edges = [midnight(first) for first, _ in spans]

    def period(moment: Any) -> ColumnElement[int]:
        return func.width_bucket(moment, times(edges)) - 1 if spans else literal(0)

    settled = and_(
        Stint.first_at >= start,
        Stint.touched_at < min(end, now - clocks.ACCEPT_WITHIN),
        *([period(Stint.first_at) == period(Stint.touched_at)] if spans else []),
    )
    asked = concerning(staff, wanted, person, start, end)
    columns = [column.label(f"g{place}") for place, column in enumerate(columns_of(by, person))]
    query = union_all(
        _whole(asked, settled, columns, period), _edges(asked, settled, columns, period, start, end, now)
    )
    for *group, part, number, code, out, n, total_s, first_s in run(query):
        seconds = {"total_s": int(total_s or 0), "first_s": int(first_s or 0)}
        yield _Cell(tuple(group), PARTS[part], number, code, out, int(n), seconds)


# The places of the parts, 0 and on, as a table: each row of another is taken apart by it.
_PARTS = func.generate_series(0, len(PARTS) - 1).table_valued("part", name="parts").render_derived()


def _whole(
    asked: ColumnElement[bool],
    settled: ColumnElement[bool],
    columns: Sequence[Label[Any]],
    period: Callable[[Any], ColumnElement[int]],
) -> Select[Any]:
    alike = (
        select(
            *columns,
            period(Stint.first_at).label("period"),
            Stint.outcome.label("outcome"),
            func.count().label("n"),
            func.sum(Stint.total_s).label("total_s"),
            func.sum(Stint.first_s).label("first_s"),
        )
        .where(asked, settled)
        .group_by(*(column.name for column in columns), sql("period"), sql("outcome"))
        .subquery()
    )
    part = _PARTS.c.part
    code = alike.c.outcome.op(">>")(part * BITS).op("&")(2**BITS - 1)
    out = alike.c.outcome.op(">>")(OUT_SHIFT)
    keys = [*(alike.c[column.name] for column in columns), part, alike.c.period, code]
    return (
        select(
            *keys, out.label("out"), func.sum(alike.c.n), func.sum(alike.c.total_s), func.sum(alike.c.first_s)
        )
        .select_from(join(alike, _PARTS, true()))
        .where(code > 0)
        .group_by(*keys, out)
    )


def _edges(
    asked: ColumnElement[bool],
    settled: ColumnElement[bool],
    columns: Sequence[Label[Any]],
    period: Callable[[Any], ColumnElement[int]],
    start: datetime,
    end: datetime,
    now: datetime,
) -> Select[Any]:
    outcomes, part = codes(now), _PARTS.c.part
    moment = case({place: MOMENTS[one] for place, one in enumerate(PARTS)}, value=part)
    code = case({place: outcomes[one] for place, one in enumerate(PARTS)}, value=part)
    inner = (
        select(
            *columns,
            part.label("part"),
            period(moment).label("period"),
            code.label("code"),
            Stint.out.label("out"),
            Stint.total_s.label("total_s"),
            Stint.first_s.label("first_s"),
        )
        .select_from(join(Stint, _PARTS, true()))
        .where(asked, not_(settled), moment >= start, moment < end)
        .subquery()
    )
    keys = [
        *(inner.c[column.name] for column in columns),
        inner.c.part,
        inner.c.period,
        inner.c.code,
        inner.c.out,
    ]
    return select(*keys, func.count(), func.sum(inner.c.total_s), func.sum(inner.c.first_s)).group_by(*keys)


def moments(staff: StaffActor, wanted: Wanted) -> dict[Part, int]:
    """How many stints have each moment in the span, whatever became of them."""
    found = dict.fromkeys(Part, 0)
    if staff.grants:
        for cell in _cells(staff, wanted, by=None, person=Person.HANDLER, now=clock.now()):
            found[cell.part] += cell.n
    return found


def times(edges: Sequence[datetime]) -> ColumnElement[Any]:
    """Moments as an array for SQL."""
    return cast(list(edges), ARRAY(DateTime(timezone=True)))


def columns_of(by: By | None, person: Person) -> tuple[Any, ...]:
    """What the rows are grouped by; nothing for periods."""
    if by is None or by in PERIODS:
        return ()
    if by is By.PERSON:
        return (getattr(Stint, person.value),)
    return _COLUMNS[by]


def run(query: Executable) -> Iterable[Any]:
    """The rows of an aggregate."""
    # Compiling such a statement would take longer than running it.
    db.session().execute(sql("SET LOCAL jit = off"))
    return db.session().execute(query)


# Which metrics a part concerns.
_CONCERNED: Mapping[Part, tuple[Metric, ...]] = {
    part: tuple(metric for metric in Metric if part in (RULES[metric].part, RULES[metric].apart))
    for part in Part
}


def _count(cell: _Cell, metric: Metric) -> Figure | None:
    """What a cell adds to a metric; None: nothing."""
    rule, is_counted = RULES[metric], cell.out == Out.COUNTED
    if rule.apart is cell.part:
        return Figure(numerator=cell.n) if is_counted and cell.code in rule.numerator else None
    if rule.part is not cell.part:
        return None
    made = Figure()
    reason = next((name for name, left in rule.left.items() if cell.code in left), None)
    if not is_counted:
        made.leave_out(Out(cell.out).name.lower(), cell.n)
    elif reason is not None:
        made.leave_out(reason, cell.n)
    else:
        made.denominator = cell.n
        if rule.apart is None and cell.code in rule.numerator:
            made.numerator = cell.n if rule.seconds is None else cell.seconds[rule.seconds]
    return made


def _empty() -> Figures:
    return {metric: Figure() for metric in Metric}


def metrics(staff: StaffActor, wanted: Wanted, *, by: By | None = None) -> Made:
    """All metrics of what she may see, in the order of the enumeration, in total and by group.

    The groups add up to the total. A metric is counted by the moment that its rule names; who answers for it when
    counted by person is its rule's, too. Raises PeriodReversed, PeriodTooLong.
    """
    now = clock.now()
    wanted.span  # noqa: B018  refuses a wrong period also for somebody who sees nothing
    rows: dict[Any, Figures] = {}
    spans: list[tuple[date, date]] = []
    if by in PERIODS:
        assert by is not None
        spans = periods(wanted.first, wanted.last, by)
        rows = {span: _empty() for span in spans}
    parents = queries.class_parents() if by is By.TOP_CLASS else {}
    asks_people = by is By.PERSON or By.PERSON in wanted.only
    people = tuple(Person) if asks_people else (Person.HANDLER,)
    for (reader, those), person in product(_readers(staff), people):
        of_person = {m for m in those if not asks_people or RULES[m].person is person}
        for cell in _cells(reader, wanted, by=by, person=person, now=now):
            key = spans[cell.period] if spans else key_of(by, cell.group, parents)
            figures = rows.setdefault(key, _empty())
            for metric in _CONCERNED[cell.part]:
                if metric in of_person and (figure := _count(cell, metric)) is not None:
                    figures[metric].add(figure)
    total = _empty()
    for figures in rows.values():
        for metric in Metric:
            total[metric].add(figures[metric])
    return Made(
        wanted,
        by,
        now,
        calendar_version(),
        total,
        [] if by is None else [Row(key, figures) for key, figures in rows.items()],
    )


def key_of(by: By | None, group: tuple[Any, ...], parents: Mapping[str, str | None]) -> Any:
    """The key of a group from its columns, as `Wanted.only` takes it."""
    if by is None:
        return None
    if by is By.TOP_CLASS:
        return _top_of(group[0], parents)
    if by in (By.ESTATE, By.GRID):
        community_id, found = group
        return None if found is None else Ref(community_id, found)
    return group[0]


def calendar_version() -> int:
    """The newest version of the calendar."""
    return db.session().scalar(select(func.max(CalendarVersion.version))) or 0


# --- ranking ----------------------------------------------------------------------------------------------


class Ranked(NamedTuple):
    """A row with its rank, None below the smallest sample. Equal figures share a rank."""

    row: Row
    rank: int | None


def ranked(rows: Iterable[Row], metric: Metric) -> list[Ranked]:
    """The rows by this metric, the best first; those with too small a sample behind, unranked, by their size.

    Fractions are compared by cross-multiplication: nothing is rounded before it is ranked.
    """
    rule = RULES[metric]
    enough: list[Row] = []
    few: list[Row] = []
    for row in rows:
        (enough if row.figures[metric].denominator >= MIN_SAMPLE else few).append(row)
    enough.sort(
        key=lambda row: Fraction(row.figures[metric].numerator, row.figures[metric].denominator),
        reverse=rule.more_is_better,
    )
    found: list[Ranked] = []
    for place, row in enumerate(enough, start=1):
        mine, before = row.figures[metric], found[-1].row.figures[metric] if found else None
        is_equal = (
            before is not None and mine.numerator * before.denominator == before.numerator * mine.denominator
        )
        found.append(Ranked(row, found[-1].rank if is_equal else place))
    few.sort(key=lambda row: -row.figures[metric].denominator)
    return found + [Ranked(row, None) for row in few]
