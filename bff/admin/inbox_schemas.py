"""Schemas of the staff inbox."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from bff.schemas import Schema, Time, WireId

f = ma.fields
v = ma.validate


class NoticeOut(Schema):
    id = WireId(Kind.INBOX, required=True)
    kind = f.String(required=True)
    title = f.String(required=True)
    text = f.String(required=True)
    ticket_id = WireId(Kind.TICKET, allow_none=True, metadata={"description": "null: no longer mine to see"})
    number = f.String(allow_none=True)
    created_at = Time(required=True)
    read_at = Time(allow_none=True)


class NoticeList(Schema):
    items = f.List(f.Nested(NoticeOut), required=True)
    unread = f.Integer(required=True)
    next_cursor = f.String(allow_none=True)


class NoticesReadIn(Schema):
    ids = f.List(WireId(Kind.INBOX), validate=v.Length(1, 100))
    all_before = Time()

    @ma.validates_schema
    def _one_of_both(self, data: dict, **_: object) -> None:
        if ("ids" in data) == ("all_before" in data):
            raise ma.ValidationError(
                "ids 与 all_before 须且只须给一个。|Give either ids or all_before.", "ids"
            )


class NoticesReadOut(Schema):
    changed = f.Integer(required=True)
    unread = f.Integer(required=True)
