"""What staff ask of figures, and what they read. Every field is listed."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.ids import Kind
from app.tickets.figure_rules import TICKET_REASONS, Metric, Share
from app.tickets.figures import By
from app.tickets.models import Channel
from bff.admin.schemas import TicketRow
from bff.schemas import Date, PageQuery, Query, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

NONE = "none"  # of a filter: the tickets that have none


class OrNone(WireId):
    """An id, or `none`: the tickets without one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        return None if value == NONE else super()._deserialize(value, attr, data, **kwargs)


def _filter(kind: Kind, what: str) -> OrNone:
    return OrNone(kind, metadata={"description": f"only this {what}; `none`: without one"})


class FigureFilter(Query):
    """Which days, and only which tickets. Without days: this month until today."""

    first = Date(data_key="from", load_default=None)
    last = Date(data_key="to", load_default=None)
    unit = _filter(Kind.ORG, "unit")
    person = _filter(Kind.STAFF, "member of staff")
    category = f.String(validate=v.Length(1, 32), metadata={"description": "this class; `none`: without one"})
    category_under = f.String(
        validate=v.Length(1, 32), metadata={"description": "this class and all below it; `none`: without one"}
    )
    community = WireId(Kind.COMMUNITY)
    estate = _filter(Kind.ESTATE, "estate")
    grid = _filter(Kind.GRID, "grid")
    channel = f.String(validate=v.OneOf(list(Channel)))


class FigureQuery(FigureFilter):
    by = f.Enum(By, by_value=True, load_default=None)


class RankQuery(FigureFilter):
    of = f.String(load_default="unit", validate=v.OneOf(["unit", "person"]))
    metric = f.Enum(Metric, by_value=True, load_default=Metric.CLOSED_ON_TIME)


_REASONS = [*TICKET_REASONS, "waiting", "not_yet_due", "standing", "reopened"]


class ItemQuery(FigureFilter, PageQuery):
    metric = f.Enum(Metric, by_value=True, required=True)
    share = f.Enum(Share, by_value=True, required=True)
    reason = f.String(load_default=None, validate=v.OneOf(_REASONS))


class PeriodOut(Schema):
    first = Date(data_key="from", required=True)
    last = Date(data_key="to", required=True, metadata={"description": "the last day, whole"})


class LeftOutOut(Schema):
    reason = f.String(required=True)
    name = f.String(required=True)
    count = f.Integer(required=True)


class FigureOut(Schema):
    metric = f.String(required=True)
    name = f.String(required=True)
    definition = f.String(required=True)
    numerator = f.Integer(required=True, metadata={"description": "tickets; of a mean: seconds in all"})
    denominator = f.Integer(required=True)
    left_out = f.List(f.Nested(LeftOutOut), required=True)
    percent = f.String(allow_none=True, metadata={"description": "99.56%; null without a denominator"})
    days = f.String(allow_none=True, metadata={"description": "of a mean: 2.83; null without a denominator"})


class FigureRowOut(Schema):
    key = f.String(
        required=True, metadata={"description": "as the filter takes it; of a period its first day"}
    )
    name = f.String(required=True)
    period = f.Nested(PeriodOut, allow_none=True)
    figures = f.List(f.Nested(FigureOut), required=True)


class _Head(Schema):
    period = f.Nested(PeriodOut, required=True)
    as_of = Time(required=True)


class SlaOut(_Head):
    by = f.String(allow_none=True)
    calendar_version = f.Integer(required=True)
    minimum_sample = f.Integer(required=True)
    rounding = f.String(required=True)
    total = f.List(f.Nested(FigureOut), required=True)
    rows = f.List(f.Nested(FigureRowOut), required=True)


class RankedOut(Schema):
    rank = f.Integer(allow_none=True, metadata={"description": "null: the sample is too small"})
    note = f.String(allow_none=True)
    key = f.String(required=True)
    name = f.String(required=True)
    figure = f.Nested(FigureOut, required=True)
    figures = f.List(f.Nested(FigureOut), required=True)


class RankingOut(_Head):
    metric = f.String(required=True)
    calendar_version = f.Integer(required=True)
    minimum_sample = f.Integer(required=True)
    rounding = f.String(required=True)
    rows = f.List(f.Nested(RankedOut), required=True)
    total = f.Nested(FigureOut, required=True)


class CountOut(Schema):
    key = f.String(required=True)
    name = f.String(required=True)
    count = f.Integer(required=True)


class TallyOut(Schema):
    received = f.Integer(required=True)
    by_status = f.List(f.Nested(CountOut), required=True)
    by_channel = f.List(f.Nested(CountOut), required=True)
    by_class = f.List(f.Nested(CountOut), required=True)
    left_out = f.List(
        f.Nested(LeftOutOut), required=True, metadata={"description": "part of what was received"}
    )


class TallyRowOut(TallyOut):
    key = f.String(required=True)
    name = f.String(required=True)
    period = f.Nested(PeriodOut, allow_none=True)


class CountsOut(_Head):
    by = f.String(allow_none=True)
    total = f.Nested(TallyOut, required=True)
    rows = f.List(f.Nested(TallyRowOut), required=True)


class ItemOut(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    status = f.String(
        required=True, allow_none=True, metadata={"description": "null: no longer mine to see, only my part"}
    )
    channel = f.String(required=True)
    category = f.String(allow_none=True)
    category_name = f.String(allow_none=True)
    estate_name = f.String(allow_none=True)
    unit = f.String(allow_none=True, metadata={"description": "whose stint is counted"})
    person = f.String(allow_none=True)
    received_at = Time(allow_none=True)
    accepted_at = Time(allow_none=True)
    dispatched_at = Time(allow_none=True)
    due_at = Time(allow_none=True)
    checked_at = Time(allow_none=True)
    closed_at = Time(allow_none=True)
    verdict_at = Time(allow_none=True)
    left_out = f.String(allow_none=True, metadata={"description": "why the ticket doesn't count in scores"})
    excluded_because = f.String(allow_none=True, metadata={"description": "the reason that was written down"})


class ItemList(_Head):
    items = f.List(f.Nested(ItemOut), required=True)
    next_cursor = f.String(allow_none=True)
    count = f.Integer(required=True, metadata={"description": "of all pages: what the figure says"})


class AssessmentIn(Schema):
    title = Text(most=80, least=1, required=True)
    period = f.Nested(PeriodOut, required=True)


class AssessmentRowOut(Schema):
    assessment_id = WireId(Kind.ASSESSMENT, required=True)
    title = f.String(required=True)
    period = f.Nested(PeriodOut, required=True)
    communities = f.List(f.String(), required=True)
    calendar_version = f.Integer(required=True)
    as_of = Time(required=True)
    published_by = f.String(allow_none=True)


class AssessmentOut(AssessmentRowOut):
    minimum_sample = f.Integer(required=True)
    rounding = f.String(required=True)
    total = f.List(f.Nested(FigureOut), required=True)
    units = f.List(f.Nested(FigureRowOut), required=True)


class AssessmentList(Schema):
    items = f.List(f.Nested(AssessmentRowOut), required=True)
    next_cursor = f.String(allow_none=True)


class WaitingOut(Schema):
    status = f.String(required=True)
    name = f.String(required=True)
    count = f.Integer(required=True)
    overdue = f.Integer(required=True)
    standing = f.Integer(required=True)
    warned = f.Integer(required=True)


class TodayOut(Schema):
    received = f.Integer(required=True)
    accepted = f.Integer(required=True)
    dispatched = f.Integer(required=True)
    closed = f.Integer(required=True)


class MonthFigureOut(FigureOut):
    month_before = f.Nested(
        FigureOut, required=True, metadata={"description": "环比: the same days a month before"}
    )
    year_before = f.Nested(
        FigureOut, required=True, metadata={"description": "同比: the same days a year before"}
    )
    change_month = f.String(
        allow_none=True, metadata={"description": "percentage points (of a mean: days), with sign"}
    )
    change_year = f.String(allow_none=True)


class MonthOut(Schema):
    period = f.Nested(PeriodOut, required=True)
    month_before = f.Nested(PeriodOut, required=True)
    year_before = f.Nested(PeriodOut, required=True)
    figures = f.List(f.Nested(MonthFigureOut), required=True)


class DashboardOut(Schema):
    as_of = Time(required=True)
    calendar_version = f.Integer(required=True)
    rounding = f.String(required=True)
    waiting = f.List(f.Nested(WaitingOut), required=True)
    today = f.Nested(TodayOut, required=True)
    worst = f.List(f.Nested(TicketRow), required=True)
    month = f.Nested(MonthOut, required=True)
