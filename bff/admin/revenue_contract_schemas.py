"""Contracts of public revenue on the wire, for staff."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.revenue.spans import Rhythm
from bff.admin.revenue_schemas import RevenueReviewIn, files
from bff.revenue import RevenueContractOut, RevenueFieldChangeOut
from bff.schemas import Date, Fen, Schema, Text, Time, WireId

__all__ = ["RevenueReviewIn"]

f = ma.fields
v = ma.validate


class RevenueContractIn(Schema):
    category_id = WireId(Kind.REVENUE_CATEGORY, required=True)
    number = Text(most=40, least=1, required=True)
    party = Text(most=80, least=1, required=True)
    subject = Text(most=200, least=1, required=True)
    starts_on = Date(required=True)
    ends_on = Date(required=True, metadata={"description": "the last day"})
    price_fen = Fen(least=1, required=True)
    rhythm = f.String(required=True, validate=v.OneOf([r.value for r in Rhythm]))
    file_ids = files()


class RevenueContractChange(Schema):
    number = Text(most=40, least=1)
    party = Text(most=80, least=1)
    subject = Text(most=200, least=1)
    ends_on = Date()


class RevenueContractChangeOut(Schema):
    change_id = WireId(Kind.REVENUE_CONTRACT_CHANGE, required=True)
    contract_id = WireId(Kind.REVENUE_CONTRACT, required=True)
    changed = f.List(f.Nested(RevenueFieldChangeOut), required=True)
    asked_by = f.String(required=True, allow_none=True)
    asked_at = Time(required=True)
    decided_by = f.String(required=True, allow_none=True)
    decided_at = Time(required=True, allow_none=True, metadata={"description": "none while it waits"})
    passed = f.Boolean(required=True, allow_none=True)
    note = f.String(required=True, allow_none=True)


class RevenueContractChangeList(Schema):
    items = f.List(f.Nested(RevenueContractChangeOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class RevenueStaffContractOut(RevenueContractOut):
    pending = f.Nested(
        RevenueContractChangeOut,
        required=True,
        allow_none=True,
        metadata={"description": "a change that waits for a second person"},
    )


class RevenueStaffContractList(Schema):
    until = Date(required=True, allow_none=True, metadata={"description": "the last published day"})
    items = f.List(f.Nested(RevenueStaffContractOut), required=True)
