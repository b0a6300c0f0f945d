"""What staff send and read of displays. The token is in one answer and in no other."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from bff.schemas import AnyWireId, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


class DisplayIn(Schema):
    name = Text(most=80, least=1, required=True, metadata={"description": "where it hangs"})
    area = AnyWireId(Kind.COMMUNITY, Kind.ESTATE, Kind.GRID, required=True)
    expires_at = Time(load_default=None, allow_none=True)


class DisplayOut(Schema):
    display_id = WireId(Kind.DISPLAY, required=True)
    name = f.String(required=True)
    area = f.String(required=True, metadata={"description": "as `area` of /dashboard/wall takes it"})
    area_name = f.String(required=True)
    state = f.String(required=True, metadata={"description": "open, over or revoked"})
    created_at = Time(required=True)
    created_by = f.String(allow_none=True, required=True)
    expires_at = Time(allow_none=True, required=True)
    last_used_at = Time(allow_none=True, required=True, metadata={"description": "to five minutes"})
    revoked_at = Time(allow_none=True, required=True)
    revoked_by = f.String(allow_none=True, required=True)


class DisplayMade(DisplayOut):
    token = f.String(required=True, metadata={"description": "shown in this answer only"})
    address = f.String(required=True, metadata={"description": "open it on the screen; holds the token"})


class DisplayList(Schema):
    items = f.List(f.Nested(DisplayOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class PairIn(Schema):
    token = f.String(required=True, validate=v.Length(min=1, max=100))
