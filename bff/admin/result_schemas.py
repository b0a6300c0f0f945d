"""Certifying, the authority's result, and the export, as staff send and get them."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from bff.schemas import Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

MOST_CENTI = 10**11  # a thousand square kilometres; nobody's estate is as large


class WeightIn(Schema):
    area_centi = f.Integer(required=True, strict=True, validate=v.Range(0, MOST_CENTI))
    heads = f.Integer(required=True, strict=True, validate=v.Range(0, 1_000_000))


class AnswersIn(Schema):
    """What was answered; in an election `chose` is who voted for anybody at all."""

    for_ = f.Nested(WeightIn, data_key="for", load_default=None)
    against = f.Nested(WeightIn, load_default=None)
    chose = f.Nested(WeightIn, load_default=None)
    abstain = f.Nested(WeightIn, load_default=None)
    invalid = f.Nested(WeightIn, load_default=None)


class CandidateVotesIn(WeightIn):
    candidate_id = f.String(required=True, validate=v.Length(1, 60))


class OfficialMotionIn(Schema):
    motion_id = f.String(required=True, validate=v.Length(1, 60))
    answers = f.Nested(AnswersIn, required=True)
    candidates = f.List(f.Nested(CandidateVotesIn), load_default=list, validate=v.Length(max=100))


class OfficialIn(Schema):
    roll = f.Nested(WeightIn, required=True, metadata={"description": "owners and area as they counted them"})
    roll_reason = Text(
        most=200,
        load_default=None,
        allow_none=True,
        metadata={"description": "why `roll` isn't what was frozen here; needed where it differs"},
    )
    motions = f.List(f.Nested(OfficialMotionIn), required=True, validate=v.Length(1, 50))
    reference = Text(required=True, least=1, most=100, metadata={"description": "its number there"})
    file_ids = f.List(
        WireId(Kind.UPLOAD),
        required=True,
        validate=v.Length(1, 9),
        metadata={"description": "the result's file; POST /files with purpose evidence"},
    )


class OfficialOut(Schema):
    decision_id = WireId(Kind.DECISION, required=True)
    reference = f.String(required=True)
    at = Time(required=True)


class ExportQuery(Schema):
    format = f.String(load_default="xlsx", validate=v.OneOf(["xlsx", "csv"]))
