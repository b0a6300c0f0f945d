"""Decisions as the owners whom they bind read them; objections and petitions."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.voting.matters import Matter
from app.voting.own_heads import MyBallot
from bff.schemas import PageQuery, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


class OwnDecisionQuery(PageQuery):
    estate_id = WireId(Kind.ESTATE, load_default=None)


class OwnDecisionRow(Schema):
    decision_id = WireId(Kind.DECISION, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    kind = f.String(required=True)
    title = f.String(required=True)
    status = f.String(required=True)
    legal_mode = f.String(required=True)
    legal_mode_text = f.String(required=True)
    announced_at = Time(required=True)
    opens_at = Time(required=True)
    closes_at = Time(required=True)
    my_ballot = f.String(
        required=True,
        allow_none=True,
        metadata={"description": " | ".join(MyBallot) + " while it is open, else null"},
    )


class OwnDecisionList(Schema):
    items = f.List(f.Nested(OwnDecisionRow), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class ThresholdOut(Schema):
    numerator = f.Integer(required=True)
    denominator = f.Integer(required=True)
    is_strict = f.Boolean(required=True, metadata={"description": "more than, not just as much"})


class StandingCandidateOut(Schema):
    candidate_id = WireId(Kind.CANDIDATE, required=True)
    number = f.Integer(required=True, allow_none=True)
    name = f.String(required=True)
    statement = f.String(required=True, allow_none=True)


class OwnMotionOut(Schema):
    motion_id = WireId(Kind.MOTION, required=True)
    number = f.Integer(required=True)
    matter = f.Integer(required=True, allow_none=True)
    matter_name = f.String(required=True, allow_none=True)
    threshold = f.Nested(
        ThresholdOut,
        required=True,
        allow_none=True,
        metadata={"description": "of those who take part, in area and in heads"},
    )
    title = f.String(required=True)
    text = f.String(required=True)
    seats = f.Integer(required=True, allow_none=True)
    alternates = f.Integer(required=True, allow_none=True)
    candidates = f.List(f.Nested(StandingCandidateOut), required=True)


class RollHouseOut(Schema):
    label = f.String(required=True)
    area_centi = f.Integer(required=True, allow_none=True)
    area_basis = f.String(
        required=True, allow_none=True, metadata={"description": "registered | surveyed | contract"}
    )


class RollEntryOut(Schema):
    head_id = WireId(Kind.HEAD, required=True, allow_none=True, metadata={"description": "once it is frozen"})
    houses = f.List(f.Nested(RollHouseOut), required=True)
    area_centi = f.Integer(required=True)
    is_voter = f.Boolean(required=True, metadata={"description": "she is the one who votes for it"})
    has_voter = f.Boolean(required=True, metadata={"description": "false: the co-owners name one first"})


class MyRollOut(Schema):
    frozen = f.Boolean(required=True)
    objections_until = Time(required=True, allow_none=True)
    entries = f.List(f.Nested(RollEntryOut), required=True)


class BallotStateOut(Schema):
    state = f.String(required=True)
    receipt = f.String(required=True)
    rev = f.Integer(required=True)
    channel = f.String(required=True)
    cast_at = Time(required=True)
    is_valid = f.Boolean(
        required=True, metadata={"description": "false: a sheet that can't be counted; she may cast again"}
    )


class OwnHeadOut(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    label = f.String(required=True)
    area_centi = f.Integer(required=True)
    as_ = f.String(required=True, data_key="as", metadata={"description": "owner | voter | proxy | agent"})
    ballot = f.Nested(BallotStateOut, required=True, allow_none=True)
    may_cast = f.Boolean(required=True)
    why_not = f.String(required=True, allow_none=True)
    reason = f.String(required=True, allow_none=True)
    held_until = Time(required=True, allow_none=True)


class PublicEventOut(Schema):
    kind = f.String(required=True)
    at = Time(required=True)
    details = f.Dict(required=True)


class OwnDecisionOut(OwnDecisionRow):
    text = f.String(required=True)
    rules = f.Dict(required=True)
    motions = f.List(f.Nested(OwnMotionOut), required=True)
    announced_closes_at = Time(required=True, allow_none=True)
    extended_at = Time(required=True, allow_none=True)
    extension_reason = f.String(required=True, allow_none=True)
    cancel_reason = f.String(required=True, allow_none=True)
    posted_until = Time(required=True, allow_none=True, metadata={"description": "objections to the result"})
    previous_id = WireId(Kind.DECISION, required=True, allow_none=True)
    turnout = f.Dict(
        required=True,
        allow_none=True,
        metadata={"description": "null before the freeze and where it is cast elsewhere; never a choice"},
    )
    my_roll_entry = f.Nested(MyRollOut, required=True)
    heads = f.List(f.Nested(OwnHeadOut), required=True)
    texts = f.Dict(
        required=True,
        metadata={
            "description": "what was announced, as leaf 0 of the log fixes it: SHA-256 of its one spelling"
        },
    )
    timeline = f.List(f.Nested(PublicEventOut), required=True)


class RollProofOut(Schema):
    entry = f.Dict(required=True, metadata={"description": "number, tag, area_centi"})
    size = f.Integer(required=True, metadata={"description": "heads on the roll"})
    path = f.List(f.String(), required=True, metadata={"description": "RFC 9162 §2.1.3.1, in hex"})
    root = f.String(required=True, metadata={"description": "roll_root of leaf 0"})


class DecisionObjectionIn(Schema):
    about = f.String(required=True, validate=v.OneOf(["roll", "candidate", "result"]))
    text = Text(most=1000, least=1, required=True)
    head_id = WireId(Kind.HEAD, load_default=None)
    candidate_id = WireId(Kind.CANDIDATE, load_default=None)


class DecisionObjectionOut(Schema):
    about = f.String(required=True)
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    status = f.String(required=True, metadata={"description": "of the ticket"})
    due_at = Time(required=True)
    created_at = Time(required=True)


class DecisionObjectionList(Schema):
    items = f.List(f.Nested(DecisionObjectionOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class PetitionMotionIn(Schema):
    title = Text(most=120, least=1, required=True)
    text = Text(most=5000, load_default="")
    matter = f.Integer(required=True, validate=v.OneOf([int(m) for m in Matter]))


class PetitionIn(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    title = Text(most=120, least=1, required=True)
    text = Text(most=5000, load_default="")
    motions = f.List(f.Nested(PetitionMotionIn), required=True, validate=v.Length(1, 10))


class SupportOut(Schema):
    heads = f.Integer(required=True)
    total_heads = f.Integer(required=True)
    area_centi = f.Integer(required=True)
    total_area_centi = f.Integer(required=True)


class PetitionOut(Schema):
    petition_id = WireId(Kind.PETITION, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    title = f.String(required=True)
    text = f.String(required=True)
    motions = f.List(f.Dict(), required=True)
    status = f.String(required=True, metadata={"description": "open | reached | expired | withdrawn"})
    support = f.Nested(SupportOut, required=True)
    signed = f.Boolean(required=True, metadata={"description": "by her"})
    mine = f.Boolean(required=True, metadata={"description": "she started it"})
    expires_at = Time(required=True)
    created_at = Time(required=True)


class PetitionRow(Schema):
    petition_id = WireId(Kind.PETITION, required=True)
    title = f.String(required=True)
    status = f.String(required=True)
    signed = f.Boolean(required=True)
    expires_at = Time(required=True)
    created_at = Time(required=True)


class PetitionList(Schema):
    items = f.List(f.Nested(PetitionRow), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class EstateQuery(PageQuery):
    estate_id = WireId(Kind.ESTATE, required=True)
