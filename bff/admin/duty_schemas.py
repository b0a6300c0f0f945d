"""What staff send and see of duty rosters. Every field is listed."""

from __future__ import annotations

import marshmallow as ma

from app.duty.service import GAP
from app.ids import Kind
from bff.schemas import Date, PageQuery, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

WEEKDAYS = {"description": "1 Monday … 7 Sunday, on which the turn begins"}
HOURS_FROM = {"description": "HH:MM, Asia/Shanghai"}
HOURS_TO = {"description": "HH:MM; 24:00, or on the next day if not after `from`"}


class DutyTurnIn(Schema):
    staff_id = WireId(Kind.STAFF, required=True)
    weekdays = f.List(
        f.Integer(strict=True, validate=v.Range(1, 7)),
        load_default=lambda: [1, 2, 3, 4, 5, 6, 7],
        validate=v.Length(1, 7),
        metadata=WEEKDAYS,
    )
    from_ = f.String(data_key="from", required=True, metadata=HOURS_FROM)
    to = f.String(required=True, metadata=HOURS_TO)


class DutyDayIn(Schema):
    day = Date(required=True)
    away_id = WireId(Kind.STAFF, allow_none=True, load_default=None)
    comes_id = WireId(Kind.STAFF, allow_none=True, load_default=None)
    from_ = f.String(
        data_key="from",
        allow_none=True,
        load_default=None,
        metadata={"description": "of who comes; without: the hours of who is away"},
    )
    to = f.String(allow_none=True, load_default=None)
    note = Text(most=100, allow_none=True, load_default=None)

    @ma.validates_schema
    def _hours_whole(self, data: dict, **_: object) -> None:
        if (data.get("from_") is None) != (data.get("to") is None):
            raise ma.ValidationError("开始和结束时间须一起填写。|Give both from and to.", "to")


class DutyRosterIn(Schema):
    community_id = WireId(Kind.COMMUNITY, required=True)
    org_id = WireId(Kind.ORG, required=True)
    name = Text(most=40, least=1, required=True)
    estate_ids = f.List(
        WireId(Kind.ESTATE),
        load_default=list,
        validate=v.Length(max=100),
        metadata={"description": "none: the whole community"},
    )
    gap = f.Integer(
        load_default=GAP,
        strict=True,
        validate=v.Range(1, 50),
        metadata={"description": "by how many tickets those on shift together may differ"},
    )
    turns = f.List(f.Nested(DutyTurnIn), required=True, validate=v.Length(max=300))
    valid_from = Date(allow_none=True, load_default=None, metadata={"description": "default: today"})
    valid_to = Date(allow_none=True, load_default=None, metadata={"description": "exclusive"})
    days = f.List(
        f.Nested(DutyDayIn),
        load_default=list,
        validate=v.Length(max=300),
        metadata={"description": "single days that differ: leave, a swap, an extra turn"},
    )


class DutyRosterChange(Schema):
    name = Text(most=40, least=1)
    estate_ids = f.List(WireId(Kind.ESTATE), validate=v.Length(max=100))
    gap = f.Integer(strict=True, validate=v.Range(1, 50))
    active = f.Boolean()
    turns = f.List(
        f.Nested(DutyTurnIn),
        validate=v.Length(max=300),
        metadata={"description": "the whole week, from `valid_from` (today) on; earlier weeks stay"},
    )
    valid_from = Date()
    valid_to = Date(allow_none=True, metadata={"description": "exclusive"})
    days = f.List(
        f.Nested(DutyDayIn),
        validate=v.Length(max=300),
        metadata={"description": "all changes of single days from today on; earlier ones stay"},
    )

    @ma.validates_schema
    def _dates_of_turns(self, data: dict, **_: object) -> None:
        if ("valid_from" in data or "valid_to" in data) and "turns" not in data:
            raise ma.ValidationError(
                "改起止日期时须同时给出班次。|Dates belong to turns; give them too.", "turns"
            )


class DutyQuery(PageQuery):
    community_id = WireId(Kind.COMMUNITY, load_default=None)
    org_id = WireId(Kind.ORG, load_default=None)
    at = Time(load_default=None, metadata={"description": "for on_duty; default: now"})
    retired = f.Boolean(load_default=False, metadata={"description": "also those no longer in use"})


class DutyAtQuery(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE

    at = Time(load_default=None, metadata={"description": "for on_duty; default: now"})


class DutyTurnOut(Schema):
    staff_id = WireId(Kind.STAFF, required=True)
    staff = f.String(allow_none=True)
    weekdays = f.List(f.Integer(), required=True)
    from_ = f.String(data_key="from", required=True)
    to = f.String(required=True)
    valid_from = Date(required=True)
    valid_to = Date(allow_none=True)


class DutyDayOut(Schema):
    day = Date(required=True)
    away_id = WireId(Kind.STAFF, allow_none=True)
    away = f.String(allow_none=True)
    comes_id = WireId(Kind.STAFF, allow_none=True)
    comes = f.String(allow_none=True)
    from_ = f.String(data_key="from", allow_none=True)
    to = f.String(allow_none=True)
    note = f.String(allow_none=True)


class OnDutyOut(Schema):
    staff_id = WireId(Kind.STAFF, required=True)
    staff = f.String(allow_none=True)
    since = Time(required=True)
    until = Time(required=True)


class DutyGapOut(Schema):
    day = Date(required=True)
    from_ = f.String(data_key="from", required=True, metadata=HOURS_FROM)
    to = f.String(required=True, metadata=HOURS_TO)


class DutyRosterOut(Schema):
    roster_id = WireId(Kind.DUTY_ROSTER, required=True)
    community_id = WireId(Kind.COMMUNITY, required=True)
    org_id = WireId(Kind.ORG, required=True)
    org = f.String(allow_none=True)
    name = f.String(required=True)
    estate_ids = f.List(WireId(Kind.ESTATE), required=True)
    gap = f.Integer(required=True)
    active = f.Boolean(required=True)
    turns = f.List(f.Nested(DutyTurnOut), required=True, metadata={"description": "in force today or later"})
    days = f.List(f.Nested(DutyDayOut), required=True, metadata={"description": "from today on"})
    gaps = f.List(
        f.Nested(DutyGapOut),
        required=True,
        metadata={"description": "hours of the week that a single day leaves with nobody, from today on"},
    )
    on_duty = f.List(f.Nested(OnDutyOut), required=True)
    version = f.Integer(required=True)


class DutyRosterList(Schema):
    items = f.List(f.Nested(DutyRosterOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class HandOverIn(Schema):
    staff_id = WireId(Kind.STAFF, required=True, metadata={"description": "whose shift is over"})
    reason = Text(most=500, least=1, required=True)


class HandedTicket(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    handler_id = WireId(Kind.STAFF, required=True)
    handler = f.String(allow_none=True)


class HandedOver(Schema):
    items = f.List(f.Nested(HandedTicket), required=True)
    next_cursor = f.String(allow_none=True, required=True)
