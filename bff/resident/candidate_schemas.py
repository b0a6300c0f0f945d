"""Nominating, and who stands, for owners."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.voting.models import NominatedBy
from bff.candidate_schemas import CandidateOut
from bff.schemas import Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


class SeatsOut(Schema):
    motion_id = WireId(Kind.MOTION, required=True)
    title = f.String(required=True)
    seats = f.Integer(required=True)
    alternates = f.Integer(required=True, allow_none=True)


class NominationOut(Schema):
    decision_id = WireId(Kind.DECISION, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    title = f.String(required=True)
    nominations_until = Time(required=True)
    motions = f.List(f.Nested(SeatsOut), required=True)


class NominationList(Schema):
    items = f.List(f.Nested(NominationOut), required=True)


class NomineeIn(Schema):
    motion_id = WireId(Kind.MOTION, required=True)
    nominated_by = f.String(
        required=True, validate=v.OneOf([NominatedBy.SELF.value, NominatedBy.JOINT.value])
    )
    name = Text(
        most=40,
        load_default="",
        metadata={"description": "whom you propose together; your own comes from the registry"},
    )
    statement = Text(most=500, load_default="")


class MyCandidate(CandidateOut):
    mine = f.Boolean(required=True)
    backed_by_me = f.Boolean(required=True)
    reason = f.String(required=True, allow_none=True, metadata={"description": "to herself alone"})


class MyCandidateList(Schema):
    items = f.List(f.Nested(MyCandidate), required=True)
