"""Sheets, authorisations and requests for paper as staff see them: never what a ballot says."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.voting.ballot_models import PaperStatus, ProxyStatus
from bff.schemas import Choice, Date, PageQuery, Phone, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


def _choices() -> f.Dict:
    return f.Dict(keys=f.String(), values=Choice(), load_default=None, allow_none=True)


def _papers(what: str) -> f.List:
    return f.List(
        WireId(Kind.UPLOAD),
        required=True,
        validate=v.Length(min=1, max=9),
        metadata={"description": f"{what}; POST /files with purpose evidence"},
    )


class SheetIn(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    choices = _choices()
    is_signed = f.Boolean(load_default=True)
    invalid_reason = Text(most=100, least=1, load_default=None, allow_none=True)
    signed_on = Date(load_default=None, allow_none=True)
    proxy_id = WireId(Kind.PROXY, load_default=None, allow_none=True)
    file_ids = _papers("photos or a PDF of the sheet")


class SheetConfirmIn(Schema):
    choices = _choices()


class PaperRefuseIn(Schema):
    reason = Text(most=200, least=1, required=True)


class ContentIn(Schema):
    file_id = WireId(
        Kind.UPLOAD, load_default=None, allow_none=True, metadata={"description": "left out: the first"}
    )


class PaperFileOut(Schema):
    file_id = WireId(Kind.UPLOAD, required=True)
    kind = f.String(required=True)
    ready = f.Boolean(required=True)


class SheetOut(Schema):
    paper_id = WireId(Kind.PAPER_BALLOT, required=True)
    decision_id = WireId(Kind.DECISION, required=True)
    head_id = WireId(Kind.HEAD, required=True)
    label = f.String(required=True, metadata={"description": "the head's rooms"})
    status = f.String(required=True, metadata={"description": "entered, confirmed, refused"})
    is_signed = f.Boolean(required=True)
    invalid_reason = f.String(required=True, allow_none=True)
    signed_on = f.Date(required=True, allow_none=True)
    by_proxy = f.Boolean(required=True)
    reason = f.String(required=True, allow_none=True)
    entered_by_me = f.Boolean(required=True)
    entered_at = Time(required=True)
    confirmed_at = Time(required=True, allow_none=True)
    rev = f.Integer(required=True, allow_none=True, metadata={"description": "of the ballot it became"})
    files = f.List(f.Nested(PaperFileOut), required=True)
    version = f.Integer(required=True)


class SheetQuery(PageQuery):
    status = f.String(load_default=None, validate=v.OneOf([s.value for s in PaperStatus]))


class SheetList(Schema):
    items = f.List(f.Nested(SheetOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class ProxyIn(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    capacity = f.String(load_default="proxy", validate=v.OneOf(["proxy", "agent"]))
    name = Text(most=60, least=1, required=True)
    phone = Phone(required=True)
    is_property_staff = f.Boolean(load_default=False)
    file_ids = _papers("the signed authorisation")


class ProxyApproveIn(Schema):
    is_somebody_else = f.Boolean(
        load_default=False,
        metadata={"description": "not the member of the property company's staff who has the same name"},
    )


class ProxyOut(Schema):
    proxy_id = WireId(Kind.PROXY, required=True)
    decision_id = WireId(Kind.DECISION, required=True)
    head_id = WireId(Kind.HEAD, required=True)
    label = f.String(required=True)
    capacity = f.String(required=True, metadata={"description": "proxy, agent"})
    name = f.String(required=True)
    status = f.String(required=True, metadata={"description": "pending approved refused revoked"})
    reason = f.String(required=True, allow_none=True)
    is_known = f.Boolean(required=True, metadata={"description": "somebody has logged in with the phone"})
    same_name_as_property_staff = f.Boolean(required=True)
    entered_by_me = f.Boolean(required=True)
    created_at = Time(required=True)
    decided_at = Time(required=True, allow_none=True)
    files = f.List(f.Nested(PaperFileOut), required=True)
    version = f.Integer(required=True)


class ProxyQuery(PageQuery):
    status = f.String(load_default=None, validate=v.OneOf([s.value for s in ProxyStatus]))


class ProxyList(Schema):
    items = f.List(f.Nested(ProxyOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class PaperRequestIn(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    wants = f.String(required=True, validate=v.OneOf(["paper", "visit"]))


class PaperRequestOut(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    label = f.String(required=True)
    wants = f.String(required=True)
    by_resident = f.Boolean(required=True)
    created_at = Time(required=True)
    done_at = Time(required=True, allow_none=True)


class PaperRequestQuery(PageQuery):
    open = f.Boolean(load_default=None)


class PaperRequestList(Schema):
    items = f.List(f.Nested(PaperRequestOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)
