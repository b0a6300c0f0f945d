"""A result with its arithmetic, and turnout, as every face shows them. Areas in 0.01 m²; percentages are cut off."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.voting.counting import Outcome
from app.voting.seats import Place
from bff.schemas import Schema, Time, WireId

f = ma.fields


class WeightOut(Schema):
    area_centi = f.Integer(required=True)
    heads = f.Integer(required=True)


class ShareOut(Schema):
    part = f.Integer(required=True)
    whole = f.Integer(required=True)
    percent = f.String(required=True, allow_none=True)
    needs = f.String(required=True, metadata={"description": "2/3, 1/2, 3/4"})
    more_than = f.Boolean(required=True, metadata={"description": "it has to be exceeded, not reached"})
    reached = f.Boolean(required=True)


class SharesOut(Schema):
    area = f.Nested(ShareOut, required=True)
    heads = f.Nested(ShareOut, required=True)


class LawOut(Schema):
    item = f.String(required=True)
    threshold = f.String(required=True)


class UnreturnedOut(WeightOut):
    counted_as = f.String(
        required=True, metadata={"description": "not_counted | takes_part | for | against | abstain"}
    )


class CandidateResult(Schema):
    candidate_id = f.String(required=True)
    number = f.Integer(required=True, allow_none=True)
    name = f.String(required=True)
    rank = f.Integer(required=True)
    area_centi = f.Integer(required=True)
    heads = f.Integer(required=True)
    percent_area = f.String(required=True, allow_none=True)
    percent_heads = f.String(required=True, allow_none=True)
    enough_area = f.Boolean(required=True)
    enough_heads = f.Boolean(required=True)
    place = f.String(required=True, metadata={"description": " | ".join(Place)})
    place_text = f.String(required=True)


class ElectionResult(Schema):
    seats = f.Integer(required=True)
    left_open = f.Integer(required=True)
    seats_at_stake = f.Integer(required=True, metadata={"description": "among tied candidates"})
    second_round = f.Boolean(required=True)
    candidates = f.List(f.Nested(CandidateResult), required=True)


class MotionResult(Schema):
    motion_id = f.String(required=True)
    number = f.Integer(required=True)
    title = f.String(required=True)
    matter = f.Integer(required=True, allow_none=True)
    law = f.Nested(LawOut, required=True, allow_none=True)
    outcome = f.String(required=True, metadata={"description": " | ".join(Outcome)})
    outcome_text = f.String(required=True)
    passed = f.Boolean(required=True, allow_none=True, metadata={"description": "null: a poll"})
    participating = f.Nested(WeightOut, required=True)
    answers = f.Dict(
        keys=f.String(),
        values=f.Nested(WeightOut),
        required=True,
        metadata={"description": "for against abstain invalid; in an election chose abstain invalid"},
    )
    unreturned = f.Nested(UnreturnedOut, required=True)
    in_favour = f.Nested(WeightOut, required=True, allow_none=True)
    quorum = f.Nested(SharesOut, required=True, allow_none=True)
    approval = f.Nested(SharesOut, required=True, allow_none=True)
    election = f.Nested(ElectionResult, required=True, allow_none=True)
    why = f.List(f.String(), required=True)


class CountedBy(Schema):
    invalid_takes_part = f.Boolean(required=True)
    unreturned = f.String(required=True)


class ResultOut(Schema):
    decision_id = WireId(Kind.DECISION, required=True)
    title = f.String(required=True)
    heading = f.String(required=True, metadata={"description": "表决结果, or of a poll 意见征询结果"})
    kind = f.String(required=True)
    legal_mode = f.String(required=True)
    legal_mode_text = f.String(required=True)
    legal_effect = f.Boolean(required=True)
    scope = f.String(required=True, metadata={"description": "estate | buildings"})
    source = f.String(required=True, metadata={"description": "ballots | official"})
    reference = f.String(required=True, allow_none=True, metadata={"description": "of the authority"})
    roll_reason = f.String(
        required=True,
        allow_none=True,
        metadata={"description": "why the authority counted other heads or areas than the frozen roll has"},
    )
    certified_at = Time(required=True, allow_none=True, metadata={"description": "null: a poll"})
    log_size = f.Integer(required=True, allow_none=True)
    totals = f.Nested(WeightOut, required=True)
    rules = f.Nested(CountedBy, required=True)
    motions = f.List(f.Nested(MotionResult), required=True)
    rooms_disclosed = f.Boolean(required=True)


class TurnoutPart(Schema):
    cast = f.Integer(required=True)
    total = f.Integer(required=True)
    needed = f.Integer(required=True, allow_none=True, metadata={"description": "still, for the quorum"})
    percent = f.String(required=True, allow_none=True)


class BuildingTurnout(Schema):
    building = f.String(required=True)
    heads = f.Nested(TurnoutPart, required=True)
    area = f.Nested(TurnoutPart, required=True)


class TurnoutOut(Schema):
    heads = f.Nested(TurnoutPart, required=True)
    area = f.Nested(TurnoutPart, required=True)
    quorum_reached = f.Boolean(required=True, allow_none=True, metadata={"description": "null: a poll"})
    buildings = f.List(f.Nested(BuildingTurnout), required=True)
