"""Decisions as staff draft, announce and run them."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.voting.matters import Matter
from app.voting.models import DecisionKind, DecisionStatus, LegalMode
from app.voting.readiness import Need
from bff.schemas import PageQuery, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

WRITTEN = 20_000  # characters of a text that is announced


class DecisionQuery(PageQuery):
    estate_id = WireId(Kind.ESTATE, load_default=None)
    status = f.String(
        load_default=None,
        validate=v.Length(max=120),
        metadata={"description": f"any of {' '.join(DecisionStatus)}, with commas"},
    )


class MotionIn(Schema):
    motion_id = WireId(
        Kind.MOTION,
        load_default=None,
        metadata={"description": "of a motion that is there: keeps its candidates"},
    )
    title = Text(most=120, least=1, required=True)
    text = Text(most=WRITTEN, load_default="")
    matter = f.Integer(
        load_default=None,
        allow_none=True,
        validate=v.OneOf([int(m) for m in Matter]),
        metadata={"description": "民法典 278: 1 to 9; the threshold follows from it. None in a poll"},
    )
    seats = f.Integer(load_default=None, allow_none=True, validate=v.Range(1, 30))
    alternates = f.Integer(load_default=None, allow_none=True, validate=v.Range(0, 30))


class _Draft(Schema):
    legal_mode = f.String(
        validate=v.OneOf(list(LegalMode)),
        metadata={"description": "the estate's, unless it is to be `poll`"},
    )
    building_ids = f.List(
        WireId(Kind.BUILDING),
        allow_none=True,
        validate=v.Length(1, 200),
        metadata={"description": "null: the whole estate"},
    )
    opens_at = Time(allow_none=True)
    closes_at = Time(allow_none=True)
    previous_id = WireId(Kind.DECISION, allow_none=True, metadata={"description": "the round before"})


class DecisionDraftIn(_Draft):
    estate_id = WireId(Kind.ESTATE, required=True)
    kind = f.String(required=True, validate=v.OneOf(list(DecisionKind)))
    title = Text(most=120, least=1, required=True)
    text = Text(most=WRITTEN, load_default="")
    motions = f.List(f.Nested(MotionIn), required=True, validate=v.Length(1, 20))


class DecisionPatch(_Draft):
    title = Text(most=120, least=1)
    text = Text(most=WRITTEN)
    motions = f.List(f.Nested(MotionIn), validate=v.Length(1, 20))


class DecisionReviewIn(Schema):
    passed = f.Boolean(required=True)
    reason = Text(most=200, load_default="")


class AnnounceIn(Schema):
    opens_at = Time(load_default=None)
    closes_at = Time(load_default=None)


class ExtendIn(Schema):
    closes_at = Time(required=True)
    reason = Text(most=200, load_default="")


class DecisionReasonIn(Schema):
    reason = Text(most=200, load_default="")


class FilingIn(Schema):
    number = Text(most=60, least=1, required=True)


class MotionOut(Schema):
    motion_id = WireId(Kind.MOTION, required=True)
    number = f.Integer(required=True)
    matter = f.Integer(required=True, allow_none=True)
    matter_name = f.String(required=True, allow_none=True)
    title = f.String(required=True)
    text = f.String(required=True)
    seats = f.Integer(required=True, allow_none=True)
    alternates = f.Integer(required=True, allow_none=True)


class DecisionEventOut(Schema):
    kind = f.String(required=True)
    at = Time(required=True)
    by = f.String(required=True, metadata={"description": "resident | staff | system"})
    name = f.String(required=True, allow_none=True, metadata={"description": "of the member of staff"})
    is_public = f.Boolean(required=True)
    details = f.Dict(required=True)


class DecisionRow(Schema):
    decision_id = WireId(Kind.DECISION, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    kind = f.String(required=True)
    title = f.String(required=True)
    status = f.String(required=True)
    legal_mode = f.String(required=True)
    legal_mode_text = f.String(required=True)
    opens_at = Time(required=True, allow_none=True)
    closes_at = Time(required=True, allow_none=True)
    heads = f.Integer(required=True, allow_none=True)
    area_centi = f.Integer(required=True, allow_none=True)
    created_at = Time(required=True)
    version = f.Integer(required=True)


class DecisionList(Schema):
    items = f.List(f.Nested(DecisionRow), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class DecisionDetail(DecisionRow):
    text = f.String(required=True)
    building_ids = f.List(WireId(Kind.BUILDING), required=True, allow_none=True)
    motions = f.List(f.Nested(MotionOut), required=True)
    rules = f.Dict(required=True, metadata={"description": "the estate's; as announced, once it is"})
    previous_id = WireId(Kind.DECISION, required=True, allow_none=True)
    petition_id = WireId(Kind.PETITION, required=True, allow_none=True)
    reviewed = f.Boolean(required=True, metadata={"description": "may be announced"})
    announced_at = Time(required=True, allow_none=True)
    objections_until = Time(required=True, allow_none=True, metadata={"description": "to the roll"})
    announced_closes_at = Time(required=True, allow_none=True)
    extended_at = Time(required=True, allow_none=True)
    extension_reason = f.String(required=True, allow_none=True)
    frozen_at = Time(required=True, allow_none=True)
    roll_root = f.String(required=True, allow_none=True)
    closed_at = Time(required=True, allow_none=True)
    certified_at = Time(required=True, allow_none=True)
    filing_due_at = Time(required=True, allow_none=True)
    filed_at = Time(required=True, allow_none=True)
    filing_number = f.String(required=True, allow_none=True)
    filing_overdue = f.Boolean(required=True)
    posted_at = Time(required=True, allow_none=True)
    posted_until = Time(required=True, allow_none=True)
    archived_at = Time(required=True, allow_none=True)
    cancelled_at = Time(required=True, allow_none=True)
    cancel_reason = f.String(required=True, allow_none=True)
    timeline = f.List(f.Nested(DecisionEventOut), required=True)


class CheckOut(Schema):
    need = f.String(required=True, metadata={"description": " | ".join(Need)})
    is_met = f.Boolean(required=True)
    blocks = f.Boolean(required=True, metadata={"description": "it can't be announced without"})
    amount = f.Integer(
        required=True, allow_none=True, metadata={"description": "how many are missing, or days"}
    )
    of = f.Integer(required=True, allow_none=True)


class CheckList(Schema):
    items = f.List(f.Nested(CheckOut), required=True)


class OpeningJob(Schema):
    job_id = WireId(Kind.DECISION, required=True)
    status_url = f.String(required=True)


class OpeningState(Schema):
    state = f.String(required=True, metadata={"description": "waiting | working | done"})
    done = f.Integer(required=True, metadata={"description": "heads on the roll"})
    total = f.Integer(required=True)
    message = f.String(required=True)
