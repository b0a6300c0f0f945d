"""Focus groups as staff see them: lists masked; one person, for a purpose, with name and phone."""

from __future__ import annotations

from typing import Any

import marshmallow as ma

from app.focus.models import Basis, ConsentBy, EndReason, Purpose
from app.ids import Kind
from bff.schemas import AnyWireId, Date, PageQuery, Query, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

PURPOSES = {
    Purpose.VISIT: "走访看望",
    Purpose.CARE: "安排服务",
    Purpose.EMERGENCY: "应急救助",
    Purpose.BENEFIT: "救助核对",
    Purpose.REVIEW: "定期复核",
    Purpose.OWN_REQUEST: "本人查询、复制",
}
_SAID = {"description": "查看用途，必填，记入审计：" + "、".join(f"{p} {zh}" for p, zh in PURPOSES.items())}
# What an operator types when ending; "expired" is said by the house itself.
_REASONS = [reason.value for reason in EndReason if reason is not EndReason.EXPIRED]
_CODE = v.Regexp(r"\A[a-z][a-z0-9_]{1,23}\Z")


def _purpose(**more: Any) -> f.String:
    return f.String(validate=v.OneOf([p.value for p in Purpose]), metadata=_SAID, **more)


class FocusGroupIn(Schema):
    code = f.String(required=True, validate=_CODE)
    name = Text(most=20, least=2, required=True)
    basis = f.String(required=True, validate=v.OneOf([b.value for b in Basis]))
    duty = Text(
        most=200,
        least=4,
        load_default=None,
        allow_none=True,
        metadata={"description": "the law and article, for a group by statute"},
    )
    review_months = f.Integer(load_default=12, validate=v.Range(1, 36))


class FocusGroupChange(Schema):
    name = Text(most=20, least=2)
    duty = Text(most=200, least=4, allow_none=True)
    review_months = f.Integer(validate=v.Range(1, 36))
    valid_to = Date(allow_none=True, metadata={"description": "from this day on it lists nobody"})


class FocusGroupOut(Schema):
    code = f.String(required=True)
    name = f.String(required=True)
    basis = f.String(required=True, metadata={"description": "consent | statute"})
    duty = f.String(required=True, allow_none=True)
    review_months = f.Integer(required=True)
    valid_from = Date(required=True)
    valid_to = Date(required=True, allow_none=True)
    version = f.Integer(required=True)


class FocusPurposeOut(Schema):
    code = f.String(required=True)
    name = f.String(required=True)


class FocusGroupList(Schema):
    items = f.List(f.Nested(FocusGroupOut), required=True)
    purposes = f.List(f.Nested(FocusPurposeOut), required=True)


class FocusQuery(PageQuery):
    kind = f.String(load_default=None, validate=_CODE)
    area = AnyWireId(Kind.ESTATE, Kind.BUILDING, Kind.GRID, load_default=None)
    purpose = _purpose(required=True)


class FocusOneQuery(Query):
    purpose = _purpose(required=True)


class FocusCountQuery(Query):
    kind = f.String(required=True, validate=_CODE)
    by = f.String(load_default="grid", validate=v.OneOf(["grid", "building"]))
    area = AnyWireId(Kind.ESTATE, Kind.BUILDING, Kind.GRID, load_default=None)
    purpose = _purpose(load_default=None)


class FocusConsentIn(Schema):
    paper = Text(most=40, least=1, required=True, metadata={"description": "number of the signed consent"})
    given_on = Date(required=True)
    by = f.String(load_default=ConsentBy.SELF.value, validate=v.OneOf([b.value for b in ConsentBy]))


class FocusPersonIn(Schema):
    house_id = WireId(Kind.HOUSE, required=True)
    kind = f.String(required=True, validate=_CODE)
    owner_id = WireId(Kind.OWNER, load_default=None, metadata={"description": "an owner of this house, or"})
    name = Text(most=60, least=1, load_default=None, metadata={"description": "a dweller"})
    phone = f.String(load_default=None, allow_none=True, validate=v.Length(max=30))
    id_number = f.String(load_default=None, allow_none=True, validate=v.Length(max=30))
    consent = f.Nested(FocusConsentIn, load_default=None)
    paper = Text(most=40, load_default=None, metadata={"description": "number of a certificate (by statute)"})
    since = Date(load_default=None)
    until = Date(load_default=None, metadata={"description": "the first day after"})
    review_on = Date(load_default=None)

    @ma.validates_schema
    def _one_person(self, data: dict[str, object], **_: object) -> None:
        if (data.get("owner_id") is None) is (data.get("name") is None):
            raise ma.ValidationError("请选择业主，或填写住户姓名。|Name an owner, or a dweller.", "owner_id")
        if data.get("owner_id") is not None and (data.get("phone") or data.get("id_number")):
            raise ma.ValidationError(
                "业主的电话和证件号码在房屋登记中。|An owner's numbers stand in the registry.", "owner_id"
            )


class FocusPersonChange(Schema):
    name = Text(most=60, least=1)
    phone = f.String(allow_none=True, validate=v.Length(max=30))
    id_number = f.String(allow_none=True, validate=v.Length(max=30))
    kind = f.String(validate=_CODE, metadata={"description": "the group that `until` and `review_on` are of"})
    until = Date(allow_none=True)
    review_on = Date()

    @ma.validates_schema
    def _of_a_group(self, data: dict[str, object], **_: object) -> None:
        if ("until" in data or "review_on" in data) is not ("kind" in data):
            raise ma.ValidationError("请说明是哪一个类别。|Say which group the days are of.", "kind")


class FocusEndIn(Schema):
    kind = f.String(load_default=None, validate=_CODE, metadata={"description": "none: every group"})
    reason = f.String(required=True, validate=v.OneOf(_REASONS))


class FocusTagOut(Schema):
    kind = f.String(required=True)
    basis = f.String(required=True)
    paper = f.String(required=True, allow_none=True)
    consented_on = Date(required=True, allow_none=True)
    consent_by = f.String(required=True, allow_none=True)
    since = Date(required=True)
    until = Date(required=True, allow_none=True)
    review_on = Date(required=True)
    set_by = f.String(required=True, allow_none=True)
    set_at = Time(required=True)
    end_reason = f.String(required=True, allow_none=True)


class FocusPersonOut(Schema):
    person_id = WireId(Kind.FOCUS_PERSON, required=True)
    house_id = WireId(Kind.HOUSE, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    building = f.String(required=True)
    unit = f.String(required=True)
    number = f.String(required=True)
    is_owner = f.Boolean(required=True)
    name_masked = f.String(required=True)
    phone_masked = f.String(required=True, allow_none=True)
    tags = f.List(f.Nested(FocusTagOut), required=True)
    to_check = f.List(
        f.String(), required=True, metadata={"description": "review_due, owner_changed, house_ended"}
    )
    version = f.Integer(required=True)


class FocusPersonList(Schema):
    items = f.List(f.Nested(FocusPersonOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class FocusPersonDetail(FocusPersonOut):
    name = f.String(required=True)
    phone = f.String(required=True, allow_none=True)
    id_number_masked = f.String(required=True, allow_none=True)
    past = f.List(
        f.Nested(FocusTagOut),
        required=True,
        metadata={"description": "groups she was in, for the purpose own_request"},
    )


class FocusEndOut(Schema):
    kinds_left = f.List(f.String(), required=True)
    is_erased = f.Boolean(required=True, metadata={"description": "nothing is kept of her any more"})


class FocusCell(Schema):
    community_id = WireId(Kind.COMMUNITY, required=True)
    grid_id = WireId(Kind.GRID, required=True, allow_none=True)
    building_id = WireId(Kind.BUILDING, required=True, allow_none=True)
    count = f.Integer(required=True, allow_none=True, metadata={"description": "null: small, hidden"})


class FocusTotal(Schema):
    community_id = WireId(Kind.COMMUNITY, required=True)
    count = f.Integer(required=True, allow_none=True)


class FocusCounts(Schema):
    kind = f.String(required=True)
    is_exact = f.Boolean(required=True)
    items = f.List(f.Nested(FocusCell), required=True)
    totals = f.List(f.Nested(FocusTotal), required=True)
