"""Houses as anybody may see them, to choose one's own."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from bff.schemas import PageQuery, Schema, WireId

f = ma.fields


class HouseQuery(PageQuery):
    building = f.String(
        load_default=None, validate=ma.validate.Length(1, 40), metadata={"description": "its name: 1栋"}
    )


class DoorOut(Schema):
    house_id = WireId(Kind.HOUSE, required=True)
    building = f.String(required=True)
    unit = f.String(required=True)
    number = f.String(required=True)
    kind = f.String(required=True)


class HouseList(Schema):
    buildings = f.List(f.String(), required=True)
    items = f.List(f.Nested(DoorOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)
