"""The roll of a decision, who was told, and at whose door to knock."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.voting.roll_models import EntryStatus
from bff.schemas import PageQuery, Query, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


class RollQuery(PageQuery):
    building_id = WireId(Kind.BUILDING, load_default=None)


class RollSearch(RollQuery):
    q = Text(most=40, load_default="", metadata={"description": "a room: 1-2-301, 1栋2单元301, 301"})
    weak = f.Boolean(
        load_default=False, metadata={"description": "only heads without a voter, or without an area"}
    )


class RollHeadOut(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    number = f.Integer(required=True)
    label = f.String(required=True)
    houses = f.Integer(required=True)
    area_centi = f.Integer(required=True)
    building_id = WireId(Kind.BUILDING, required=True, allow_none=True)
    has_voter = f.Boolean(required=True)
    is_developer = f.Boolean(required=True)


class RollTotals(Schema):
    heads = f.Integer(required=True)
    area_centi = f.Integer(required=True)


class RollList(Schema):
    items = f.List(f.Nested(RollHeadOut), required=True)
    totals = f.Nested(RollTotals, required=True, metadata={"description": "of what the filter finds"})
    next_cursor = f.String(required=True, allow_none=True)


class RoomsQuery(Query):
    building_id = WireId(
        Kind.BUILDING, load_default=None, metadata={"description": "left out: rooms of no building"}
    )


class RoomPartOut(Schema):
    unit = f.String(required=True)
    number = f.String(required=True)
    floor = f.Integer(required=True, allow_none=True, metadata={"description": "as the number says it"})
    label = f.String(required=True)
    head_id = WireId(Kind.HEAD, required=True)
    area_centi = f.Integer(required=True)
    part = f.String(
        required=True,
        metadata={"description": "cast | waiting | unreached: nobody is bound and nothing proves delivery"},
    )


class RoomsOut(Schema):
    building_id = WireId(Kind.BUILDING, required=True, allow_none=True)
    rooms = f.List(f.Nested(RoomPartOut), required=True)


class ReminderOut(Schema):
    heads = f.Integer(required=True, metadata={"description": "haven't voted"})
    area_centi = f.Integer(required=True)
    reached = f.Integer(required=True, metadata={"description": "of these, with somebody bound"})
    people = f.Integer(required=True, metadata={"description": "get the notice"})
    title = f.String(required=True)
    text = f.String(required=True)
    cost_fen = f.Integer(required=True, metadata={"description": "mini-program and WeChat: nothing"})
    is_open = f.Boolean(required=True)
    is_sent_today = f.Boolean(required=True, metadata={"description": "once a day"})


class DeliveryOut(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    label = f.String(required=True)
    way = f.String(required=True, metadata={"description": "wechat | sms | visit | login | posted"})
    at = Time(required=True)
    name = f.String(required=True, allow_none=True, metadata={"description": "who of the staff"})


class DeliveryTotals(Schema):
    wechat = f.Integer(required=True)
    sms = f.Integer(required=True)
    visit = f.Integer(required=True)
    login = f.Integer(required=True)
    posted = f.Integer(required=True)
    any = f.Integer(required=True, metadata={"description": "heads told at all, with proof"})
    none = f.Integer(required=True)


class DeliveryList(Schema):
    items = f.List(f.Nested(DeliveryOut), required=True)
    totals = f.Nested(DeliveryTotals, required=True)
    next_cursor = f.String(required=True, allow_none=True)


class HeadsIn(Schema):
    head_ids = f.List(WireId(Kind.HEAD), required=True, validate=v.Length(1, 500))
    file_ids = f.List(
        WireId(Kind.UPLOAD),
        required=True,
        validate=v.Length(1, 9),
        metadata={
            "description": "the signed receipts, or the notice as it hangs; POST /files, purpose evidence"
        },
    )


class ProofFileOut(Schema):
    file_id = WireId(Kind.UPLOAD, required=True)
    kind = f.String(required=True)
    ready = f.Boolean(required=True)


class DeliveryEntryOut(Schema):
    entry_id = WireId(Kind.DELIVERY_ENTRY, required=True)
    decision_id = WireId(Kind.DECISION, required=True)
    way = f.String(required=True, metadata={"description": "visit | posted"})
    status = f.String(required=True, metadata={"description": "entered | confirmed | refused"})
    heads = f.Integer(required=True)
    entered_by_me = f.Boolean(required=True)
    entered_at = Time(required=True)
    confirmed_at = Time(required=True, allow_none=True, metadata={"description": "or refused"})
    reason = f.String(required=True, allow_none=True, metadata={"description": "why it was refused"})
    files = f.List(f.Nested(ProofFileOut), required=True)
    version = f.Integer(required=True)


class DeliveryEntryDetail(DeliveryEntryOut):
    labels = f.List(f.String(), required=True, metadata={"description": "the heads' rooms"})


class DeliveryEntryQuery(PageQuery):
    status = f.String(load_default=None, validate=v.OneOf([s.value for s in EntryStatus]))


class DeliveryEntryList(Schema):
    items = f.List(f.Nested(DeliveryEntryOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class EntryRefuseIn(Schema):
    reason = Text(most=200, least=1, required=True)


class ProofContentIn(Schema):
    file_id = WireId(
        Kind.UPLOAD, load_default=None, allow_none=True, metadata={"description": "left out: the first"}
    )


class AttemptQuery(PageQuery):
    head_id = WireId(Kind.HEAD, load_default=None)


class AttemptOut(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    label = f.String(required=True, metadata={"description": "the head's rooms"})
    why = f.String(
        required=True,
        metadata={
            "description": "not_the_voter | weak_identity | already_voted | paper_after_ballot | replaced_by_paper"
        },
    )
    rev = f.Integer(required=True, allow_none=True, metadata={"description": "of the ballot it ran against"})
    by_resident = f.Boolean(required=True, metadata={"description": "false: a sheet that staff entered"})
    at = Time(required=True)


class AttemptList(Schema):
    items = f.List(f.Nested(AttemptOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class DoorOut(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    label = f.String(required=True)
    building_id = WireId(Kind.BUILDING, required=True, allow_none=True)
    why = f.List(
        f.String(), required=True, metadata={"description": "paper | visit | unreached | sms_refused"}
    )


class DoorList(Schema):
    items = f.List(f.Nested(DoorOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class StaffObjectionOut(Schema):
    about = f.String(required=True, metadata={"description": "roll | candidate | result"})
    head_id = WireId(Kind.HEAD, required=True, allow_none=True)
    candidate_id = WireId(Kind.CANDIDATE, required=True, allow_none=True)
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    status = f.String(required=True, metadata={"description": "of the ticket"})
    due_at = Time(required=True)
    created_at = Time(required=True)


class StaffObjectionList(Schema):
    items = f.List(f.Nested(StaffObjectionOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)
