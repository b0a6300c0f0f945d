"""Which room chose what, where the rules disclose it."""

from __future__ import annotations

import marshmallow as ma

from bff.schemas import Schema

f = ma.fields


class RoomOut(Schema):
    number = f.Integer(required=True, metadata={"description": "on the roll"})
    label = f.String(required=True)
    area_centi = f.Integer(required=True)
    cast = f.Boolean(required=True)
    channel = f.String(required=True, allow_none=True)
    choices = f.Dict(
        required=True,
        allow_none=True,
        metadata={"description": "motion id → for, against, abstain, invalid, or candidate ids"},
    )


class RoomList(Schema):
    items = f.List(f.Nested(RoomOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)
