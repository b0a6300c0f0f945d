"""What staff send and see of dispatch rules. Every field is listed."""

from __future__ import annotations

import marshmallow as ma

from app.duty.choice import Method
from app.ids import Kind
from app.tickets.routing_models import DaysKind, TimeKind
from bff.admin.schemas import LocationIn, OnShiftOut
from bff.schemas import Date, PageQuery, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

METHOD = {"description": "how the post's person is chosen; grab: nobody, the unit's people take it"}


class RuleTimeIn(Schema):
    kind = f.Enum(TimeKind, by_value=True, required=True)
    days = f.Enum(
        DaysKind,
        by_value=True,
        load_default=DaysKind.ANY,
        metadata={"description": "of a window: on which days of the working calendar it begins"},
    )
    weekdays = f.List(
        f.Integer(strict=True, validate=v.Range(1, 7)),
        load_default=lambda: [1, 2, 3, 4, 5, 6, 7],
        validate=v.Length(1, 7),
        metadata={"description": "of a window: 1 Monday … 7 Sunday"},
    )
    from_ = f.String(data_key="from", allow_none=True, load_default=None, metadata={"description": "HH:MM"})
    to = f.String(
        allow_none=True,
        load_default=None,
        metadata={"description": "HH:MM; 24:00, or on the next day if not after `from`"},
    )

    @ma.validates_schema
    def _hours_whole(self, data: dict, **_: object) -> None:
        if (data.get("from_") is None) != (data.get("to") is None):
            raise ma.ValidationError("开始和结束时间须一起填写。|Give both from and to.", "to")


class RuleIn(Schema):
    community_id = WireId(Kind.COMMUNITY, required=True)
    name = Text(most=60, least=1, required=True)
    category = Text(
        most=32,
        allow_none=True,
        load_default=None,
        metadata={"description": "a class or one above it; none: all"},
    )
    estate_id = WireId(Kind.ESTATE, allow_none=True, load_default=None)
    grid_id = WireId(Kind.GRID, allow_none=True, load_default=None)
    time = f.Nested(RuleTimeIn, load_default=None, allow_none=True, metadata={"description": "none: always"})
    urgent = f.Boolean(allow_none=True, load_default=None, metadata={"description": "none: both"})
    org_id = WireId(Kind.ORG, required=True)
    roster_id = WireId(Kind.DUTY_ROSTER, allow_none=True, load_default=None)
    method = f.Enum(
        Method,
        by_value=True,
        load_default=None,
        allow_none=True,
        metadata={"description": METHOD["description"] + "; default: least_loaded with a roster, else grab"},
    )
    priority = f.Integer(
        load_default=0,
        strict=True,
        validate=v.Range(-100, 100),
        metadata={"description": "between rules that are equally specific; the higher one counts"},
    )
    valid_from = Date(allow_none=True, load_default=None, metadata={"description": "default: today"})
    valid_to = Date(allow_none=True, load_default=None, metadata={"description": "exclusive"})


class RuleChange(Schema):
    name = Text(most=60, least=1)
    category = Text(most=32, allow_none=True)
    estate_id = WireId(Kind.ESTATE, allow_none=True)
    grid_id = WireId(Kind.GRID, allow_none=True)
    time = f.Nested(RuleTimeIn, allow_none=True)
    urgent = f.Boolean(allow_none=True)
    org_id = WireId(Kind.ORG)
    roster_id = WireId(Kind.DUTY_ROSTER, allow_none=True)
    method = f.Enum(Method, by_value=True, metadata=METHOD)
    priority = f.Integer(strict=True, validate=v.Range(-100, 100))
    valid_from = Date(metadata={"description": "from when the change holds; default: today"})
    valid_to = Date(
        allow_none=True, metadata={"description": "exclusive; alone: the rule ends, today included at once"}
    )


class RuleTimeOut(Schema):
    kind = f.String(required=True)
    days = f.String(required=True)
    weekdays = f.List(f.Integer(), required=True)
    from_ = f.String(data_key="from", allow_none=True)
    to = f.String(allow_none=True)


class RuleOut(Schema):
    rule_id = WireId(Kind.ROUTING_RULE, required=True)
    community_id = WireId(Kind.COMMUNITY, required=True)
    name = f.String(required=True)
    category = f.String(allow_none=True)
    category_name = f.String(allow_none=True)
    estate_id = WireId(Kind.ESTATE, allow_none=True)
    grid_id = WireId(Kind.GRID, allow_none=True)
    time = f.Nested(RuleTimeOut, required=True)
    urgent = f.Boolean(allow_none=True)
    org_id = WireId(Kind.ORG, required=True)
    org = f.String(allow_none=True)
    roster_id = WireId(Kind.DUTY_ROSTER, allow_none=True)
    roster = f.String(allow_none=True)
    method = f.String(required=True)
    priority = f.Integer(required=True)
    valid_from = Date(required=True, metadata={"description": "of what is shown"})
    valid_to = Date(allow_none=True)
    version = f.Integer(required=True)


class RuleQuery(PageQuery):
    community_id = WireId(Kind.COMMUNITY, load_default=None)
    on = Date(load_default=None, metadata={"description": "rules in force on that day"})


class RuleList(Schema):
    items = f.List(f.Nested(RuleOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class TryIn(Schema):
    estate_id = WireId(Kind.ESTATE, allow_none=True, load_default=None)
    location = f.Nested(LocationIn, allow_none=True, load_default=None)
    category = Text(most=32, allow_none=True, load_default=None)
    urgent = f.Boolean(load_default=False)
    at = Time(load_default=None, allow_none=True, metadata={"description": "default: now"})


class PassedOut(Schema):
    rule_id = WireId(Kind.ROUTING_RULE, required=True)
    name = f.String(required=True)
    why = f.String(required=True)
    text = f.String(required=True)


class TryOut(Schema):
    text = f.String(required=True, metadata={"description": "why here, as the ticket would say it"})
    why = f.String(required=True)
    org_id = WireId(Kind.ORG, required=True)
    org = f.String(required=True)
    rule_id = WireId(Kind.ROUTING_RULE, allow_none=True)
    rule = f.String(allow_none=True)
    rule_version = f.Integer(allow_none=True)
    roster_id = WireId(Kind.DUTY_ROSTER, allow_none=True)
    roster = f.String(allow_none=True)
    method = f.String(allow_none=True)
    because = f.String(allow_none=True)
    staff_id = WireId(Kind.STAFF, allow_none=True)
    staff = f.String(allow_none=True)
    on_shift = f.List(f.Nested(OnShiftOut), required=True)
    passed = f.List(f.Nested(PassedOut), required=True)
