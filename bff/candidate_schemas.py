"""Candidates, as staff and the owners whom the election binds see them."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.voting.models import CandidateStatus, NominatedBy
from bff.schemas import Schema, Time, WireId

f = ma.fields


class BackingOut(Schema):
    backed = f.Integer(required=True, metadata={"description": "owners (heads) who nominate her together"})
    needed = f.Integer(required=True)


class CandidateOut(Schema):
    candidate_id = WireId(Kind.CANDIDATE, required=True)
    motion_id = WireId(Kind.MOTION, required=True)
    number = f.Integer(
        required=True, allow_none=True, metadata={"description": "on the ballot, once announced"}
    )
    name = f.String(required=True)
    statement = f.String(required=True, allow_none=True)
    nominated_by = f.String(required=True, metadata={"description": " | ".join(NominatedBy)})
    status = f.String(required=True, metadata={"description": " | ".join(CandidateStatus)})
    posted_until = Time(required=True, allow_none=True, metadata={"description": "objections until then"})
    backing = f.Nested(BackingOut, required=True, allow_none=True)
