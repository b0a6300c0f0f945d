"""An estate's rules of procedure and the legal effect of its votes."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.voting.models import LegalMode
from app.voting.rules import Disclosure, PaperOverOnline, Transfer, Unreturned
from bff.schemas import Date, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


def _words(kind: type[Unreturned] | type[PaperOverOnline] | type[Disclosure] | type[Transfer]) -> f.String:
    return f.String(validate=v.OneOf(list(kind)))


def _days(least: int, most: int) -> f.Integer:
    return f.Integer(validate=v.Range(least, most))


class RulesIn(Schema):
    parking_counted = f.Boolean()
    storage_counted = f.Boolean()
    unreturned = _words(Unreturned)
    invalid_takes_part = f.Boolean()
    electronic_admitted = f.Boolean()
    paper_over_online = _words(PaperOverOnline)
    change_allowed = f.Boolean()
    proxies_per_person = f.Integer(validate=v.Range(0, 100))
    property_staff_may_proxy = f.Boolean()
    transfer = _words(Transfer)
    notice_days = _days(7, 60)  # 杭州: at least 7, for an extraordinary meeting
    roll_objection_days = _days(1, 30)
    window_days_min = _days(1, 60)
    window_days_max = _days(1, 90)
    may_extend = f.Boolean()
    extension_days_max = _days(1, 60)
    candidate_posting_days = _days(1, 60)
    posting_days = _days(1, 60)
    filing_days = _days(1, 30)
    joint_nomination_percent = f.Integer(validate=v.Range(1, 100))
    disclosure = _words(Disclosure)
    login_is_delivery = f.Boolean()
    message_is_delivery = f.Boolean()


class ProcedureRulesIn(Schema):
    rules = f.Nested(RulesIn, required=True, metadata={"description": "what isn't named stays as it was"})
    document = Text(most=200, load_default=None, allow_none=True)
    clause = Text(most=200, load_default=None, allow_none=True)
    adopted_on = Date(load_default=None, allow_none=True)
    file_ids = f.List(WireId(Kind.UPLOAD), load_default=list, validate=v.Length(max=9))


class ProcedureRulesOut(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    version = f.Integer(required=True, metadata={"description": "0: the law's defaults"})
    rules = f.Dict(required=True)
    document = f.String(required=True, allow_none=True)
    clause = f.String(required=True, allow_none=True)
    adopted_on = Date(required=True, allow_none=True)
    set_by = f.String(required=True, allow_none=True)
    set_at = Time(required=True, allow_none=True)


class VotingModeIn(Schema):
    mode = f.String(required=True, validate=v.OneOf(list(LegalMode)))
    document = Text(
        most=200, load_default=None, allow_none=True, metadata={"description": "by which it is allowed"}
    )
    system = Text(most=100, load_default=None, allow_none=True, metadata={"description": "the authority's"})
    file_ids = f.List(WireId(Kind.UPLOAD), load_default=list, validate=v.Length(max=9))


class VotingModeOut(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    mode = f.String(required=True)
    mode_text = f.String(required=True)
    document = f.String(required=True, allow_none=True)
    system = f.String(required=True, allow_none=True)
    set_by = f.String(required=True, allow_none=True)
    set_at = Time(required=True, allow_none=True)
