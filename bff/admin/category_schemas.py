"""What staff send and see of the classes of problems."""

from __future__ import annotations

import marshmallow as ma

from app.places.models import OrgKind
from app.tickets.classes import MAX_OPTIONS, MAX_QUESTIONS
from app.tickets.models import LimitUnit
from bff.schemas import Date, Query, Schema, Text

f = ma.fields
v = ma.validate


class CategoryQuery(Query):
    on = Date(load_default=None, metadata={"description": "the tree of that day; today when left out"})


class Question(Schema):
    key = f.String(required=True, validate=v.Length(1, 32))
    label = Text(most=60, least=1, required=True)
    type = f.String(required=True, validate=v.OneOf(["text", "choice"]))
    options = f.List(Text(most=40, least=1), validate=v.Length(max=MAX_OPTIONS))


class Limit(Schema):
    amount = f.Integer(required=True, strict=True, validate=v.Range(1, 1000))
    unit = f.String(required=True, validate=v.OneOf([unit.value for unit in LimitUnit]))


class _Facts(Schema):
    parent = f.String(allow_none=True, validate=v.Length(max=32))
    hint = Text(most=120)
    questions = f.List(f.Nested(Question), validate=v.Length(max=MAX_QUESTIONS))
    needs_photo = f.Boolean()
    public = f.Boolean(metadata={"description": "may others be told that it was reported"})
    urgent = f.Boolean()
    for_residents = f.Boolean(metadata={"description": "offered to residents, or to staff alone"})
    limit = f.Nested(Limit, allow_none=True, metadata={"description": "null: the general promise"})
    org_kind = f.String(allow_none=True, validate=v.OneOf([kind.value for kind in OrgKind]))
    closing_text = Text(most=300, least=1, allow_none=True)
    sort = f.Integer(strict=True, validate=v.Range(0, 30_000))
    valid_from = Date(metadata={"description": "today or later; today when left out"})
    valid_to = Date(metadata={"description": "exclusive"})


class CategoryNew(_Facts):
    code = f.String(required=True, validate=v.Length(2, 32))
    name = Text(most=40, least=1, required=True)
    national_code = f.String(validate=v.Regexp(r"^\d{2,8}\Z"))
    national_source = Text(most=200, least=1)


class CategoryChange(_Facts):
    name = Text(most=40, least=1)
    active = f.Boolean(metadata={"description": "false ends the category on valid_from"})

    @ma.validates_schema
    def _ends_or_changes(self, data: dict, **_: object) -> None:
        if data.get("active") is False and set(data) - {"active", "valid_from"}:
            raise ma.ValidationError(
                "停用时不能同时修改其他内容。|Ending a category changes nothing else.", "active"
            )


class TermOut(Schema):
    name = f.String(required=True)
    parent = f.String(allow_none=True, required=True)
    hint = f.String(required=True)
    questions = f.List(f.Dict(), required=True)
    needs_photo = f.Boolean(required=True)
    public = f.Boolean(required=True)
    urgent = f.Boolean(required=True)
    for_residents = f.Boolean(required=True)
    limit = f.Nested(Limit, allow_none=True, required=True)
    org_kind = f.String(allow_none=True, required=True)
    closing_text = f.String(allow_none=True, required=True)
    sort = f.Integer(required=True)
    valid_from = Date(required=True)
    valid_to = Date(allow_none=True, required=True)


class CategoryRow(TermOut):
    code = f.String(required=True)
    depth = f.Integer(required=True)
    leaf = f.Boolean(required=True)
    national_code = f.String(allow_none=True, required=True)
    national_source = f.String(allow_none=True, required=True)
    version = f.Integer(required=True)


class CategoryTree(Schema):
    items = f.List(f.Nested(CategoryRow), required=True)
    on = Date(required=True)
    next_cursor = f.String(allow_none=True)


class CategoryOut(Schema):
    code = f.String(required=True)
    national_code = f.String(allow_none=True, required=True)
    national_source = f.String(allow_none=True, required=True)
    version = f.Integer(required=True)
    terms = f.List(f.Nested(TermOut), required=True, metadata={"description": "first to last"})
