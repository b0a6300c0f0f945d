"""What a wall shows: figures of an area, each with what it is counted of. No person is named."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from bff.admin.figure_schemas import CountOut, FigureOut, PeriodOut, TodayOut
from bff.schemas import Date, Query, Schema, Time, WireId

f = ma.fields
v = ma.validate


class WallQuery(Query):
    area = f.String(
        load_default=None,
        validate=v.Length(max=60),
        metadata={"description": "an estate_id, grid_id or community_id; all of my reach without it"},
    )


class WallOpenOut(Schema):
    count = f.Integer(required=True, metadata={"description": "open tickets: what the others are counted of"})
    overdue = f.Integer(required=True)
    standing = f.Integer(required=True, metadata={"description": "their clock is paused"})
    in_4h = f.Integer(required=True, metadata={"description": "the limit runs out within 4 hours"})
    today = f.Integer(required=True, metadata={"description": "… today, those within 4 hours as well"})
    this_week = f.Integer(required=True, metadata={"description": "… until Sunday, those of today as well"})


class WallAreaOut(WallOpenOut):
    area = f.String(
        allow_none=True, required=True, metadata={"description": "as `area` takes it; null: in none"}
    )
    name = f.String(required=True)
    level = f.String(required=True, metadata={"description": "community, estate or grid"})


class WallGridOut(WallAreaOut):
    outline = f.Dict(
        allow_none=True, required=True, metadata={"description": "GeoJSON, WGS-84; null: not drawn yet"}
    )


class WallDayOut(Schema):
    day = Date(required=True)
    received = f.Integer(required=True)
    closed = f.Integer(required=True)


class WallPartOut(Schema):
    cast = f.Integer(required=True)
    total = f.Integer(required=True)
    needed = f.Integer(allow_none=True, metadata={"description": "still, for the quorum"})
    percent = f.String(allow_none=True)


class WallVoteOut(Schema):
    decision_id = WireId(Kind.DECISION, required=True)
    estate_name = f.String(required=True)
    title = f.String(required=True)
    closes_at = Time(allow_none=True)
    heads = f.Nested(WallPartOut, required=True)
    area = f.Nested(WallPartOut, required=True)
    quorum_reached = f.Boolean(allow_none=True)


class WallBooksOut(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    name = f.String(required=True)
    has_rules = f.Boolean(required=True)
    published_until = Date(allow_none=True)
    due_on = Date(allow_none=True, metadata={"description": "by when the next period has to be published"})
    is_late = f.Boolean(required=True)


class WallOut(Schema):
    as_of = Time(required=True)
    area = f.String(allow_none=True, required=True)
    minimum_sample = f.Integer(required=True, metadata={"description": "a rate of fewer says nothing"})
    open = f.Nested(WallOpenOut, required=True)
    areas = f.List(
        f.Nested(WallAreaOut),
        required=True,
        metadata={"description": "by community; of one community by estate"},
    )
    grids = f.List(f.Nested(WallGridOut), required=True, metadata={"description": "the most overdue first"})
    today = f.Nested(TodayOut, required=True)
    period = f.Nested(
        PeriodOut, required=True, metadata={"description": "of what follows: 30 days until today"}
    )
    days = f.List(f.Nested(WallDayOut), required=True)
    received = f.Integer(required=True, metadata={"description": "in the period, of those that count"})
    closed = f.Integer(required=True, metadata={"description": "closings in the period"})
    classes = f.List(f.Nested(CountOut), required=True, metadata={"description": "received by top class"})
    rates = f.List(
        f.Nested(FigureOut),
        required=True,
        metadata={"description": "accept_on_time, closed_on_time, satisfied, handling_time"},
    )
    decisions = f.List(
        f.Nested(WallVoteOut),
        allow_none=True,
        required=True,
        metadata={"description": "open votes, the soonest to close first; null: not mine to see"},
    )
    revenue = f.List(
        f.Nested(WallBooksOut),
        allow_none=True,
        required=True,
        metadata={"description": "who is late first; null: not mine to see"},
    )
