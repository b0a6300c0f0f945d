"""Nominations as staff enter and check them."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.voting.models import NominatedBy
from bff.candidate_schemas import CandidateOut
from bff.schemas import Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


class NominationsIn(Schema):
    until = Time(required=True)


class NominationsOut(Schema):
    decision_id = WireId(Kind.DECISION, required=True)
    nominations_until = Time(required=True)
    version = f.Integer(required=True)


class NomineeIn(Schema):
    motion_id = WireId(Kind.MOTION, required=True)
    nominated_by = f.String(
        required=True, validate=v.OneOf([NominatedBy.PARTY.value, NominatedBy.COMMITTEE.value])
    )
    owner_id = WireId(Kind.OWNER, required=True)
    statement = Text(most=500, load_default="")


class CheckIn(Schema):
    accepted = f.Boolean(required=True)
    reason = Text(required=True, most=200, metadata={"description": "why; needed either way"})
    owner_id = WireId(
        Kind.OWNER, load_default=None, metadata={"description": "who she is, for a joint nomination"}
    )


class WithdrawIn(Schema):
    reason = Text(required=True, most=200)


class CarryIn(Schema):
    motion_id = WireId(Kind.MOTION, required=True)


class StaffCandidate(CandidateOut):
    owner_id = WireId(Kind.OWNER, required=True, allow_none=True)
    reason = f.String(required=True, allow_none=True)
    checker = f.String(required=True, allow_none=True)
    checked_at = Time(required=True, allow_none=True)
    version = f.Integer(required=True)


class StaffCandidateList(Schema):
    items = f.List(f.Nested(StaffCandidate), required=True)
