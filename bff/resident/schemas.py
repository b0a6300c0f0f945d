"""What a resident sends and sees. Every field is listed: a new column is not public by default."""

from __future__ import annotations

import marshmallow as ma
from flask_smorest.fields import Upload

from app.ids import Kind
from app.places.coordinates import Crs
from app.tickets.models import TicketStatus
from bff.schemas import PageQuery, Phone, Query, Schema, Text, Time, WireId
from bff.ticket_objections import TicketObjectionOut

f = ma.fields
v = ma.validate


# --- session and me --------------------------------------------------------------------------------------


class CodeIn(Schema):
    code = f.String(required=True, validate=v.Length(1, 200))


class RefreshIn(Schema):
    refresh_token = f.String(required=True, validate=v.Length(1, 300))


class ResidentOut(Schema):
    id = WireId(Kind.RESIDENT, required=True)
    nickname = f.String(allow_none=True)
    phone_masked = f.String(allow_none=True)
    phone_verified_at = Time(allow_none=True)
    created_at = Time()


class SessionOut(Schema):
    access_token = f.String(required=True)
    refresh_token = f.String(required=True)
    expires_in = f.Integer(required=True, metadata={"description": "seconds"})
    resident = f.Nested(ResidentOut, required=True)


class PhoneOut(Schema):
    phone_masked = f.String(required=True)
    phone_verified_at = Time(required=True)


class ConsentOut(Schema):
    key = f.String(required=True)
    version = f.Integer(required=True)
    text_url = f.String(required=True)
    needed_for = f.String(required=True)
    granted_at = Time(allow_none=True)
    is_sensitive = f.Boolean(
        required=True, metadata={"description": "个人信息保护法 28; agreed to by itself"}
    )
    refused_at = Time(allow_none=True, required=True)
    may_ask = f.Boolean(
        required=True, metadata={"description": "false once she has said no: don't ask again"}
    )


class MeOut(ResidentOut):
    version = f.Integer(required=True)
    consents = f.List(f.Nested(ConsentOut), required=True)


class ConsentIn(Schema):
    key = f.String(required=True, validate=v.Length(1, 32))
    version = f.Integer(required=True, strict=True)
    granted = f.Boolean(required=True)


class MeIn(Schema):
    nickname = Text(most=20)
    consents = f.List(f.Nested(ConsentIn), validate=v.Length(max=10))


# --- places ----------------------------------------------------------------------------------------------


class HereQuery(Query):
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    crs = f.Enum(Crs, by_value=True, load_default=Crs.GCJ02)


class EstateQuery(Query):
    q = Text(most=40, load_default="")
    limit = f.Integer(load_default=20, validate=v.Range(1, 100))


class LocationOut(Schema):
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    crs = f.String(required=True)
    accuracy_m = f.Float(allow_none=True)
    address = f.String(allow_none=True)


class EstateOut(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    name = f.String(required=True)
    address = f.String(allow_none=True)
    community = f.String(required=True)
    location = f.Nested(LocationOut)


class HereOut(Schema):
    estate = f.Nested(EstateOut, allow_none=True, required=True)


class EstateList(Schema):
    items = f.List(f.Nested(EstateOut), required=True)
    next_cursor = f.String(allow_none=True)


# --- photos ----------------------------------------------------------------------------------------------


class PhotoIn(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE  # WeChat's upload may bring fields of its own

    file = Upload(required=True)


class PhotoOut(Schema):
    photo_id = WireId(Kind.UPLOAD, required=True)
    status = f.String(required=True)
    thumb_url = f.String(required=True)


class TicketPhotoOut(PhotoOut):
    url = f.String(required=True)
    stage = f.String(required=True, metadata={"description": "before | after"})


# --- tickets ---------------------------------------------------------------------------------------------


class OptionsQuery(Query):
    estate_id = WireId(Kind.ESTATE, load_default=None)


class CategoryOut(Schema):
    code = f.String(required=True)
    name = f.String(required=True)
    hint = f.String(required=True)
    needs_photo = f.Boolean(required=True)
    urgent = f.Boolean(required=True)
    questions = f.List(f.Dict(), required=True)
    group = f.String(required=True, metadata={"description": "the group of the first screen it stands in"})


class GroupOut(Schema):
    code = f.String(required=True)
    name = f.String(required=True)
    hint = f.String(required=True)
    categories = f.List(f.String(), required=True, metadata={"description": "codes, in order"})


class SuggestQuery(Query):
    text = Text(most=2000, least=1, required=True)


class SuggestedOut(Schema):
    code = f.String(required=True)
    name = f.String(required=True)
    why = f.List(f.String(), required=True, metadata={"description": "the words that spoke for it"})


class EmergencyOut(Schema):
    name = f.String(required=True)
    phone = f.String(required=True)


class ReportOptionsOut(Schema):
    groups = f.List(f.Nested(GroupOut), required=True)
    categories = f.List(f.Nested(CategoryOut), required=True)
    emergency_numbers = f.List(f.Nested(EmergencyOut), required=True)
    max_photos = f.Integer(required=True)


class LocationIn(Schema):
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    crs = f.Enum(Crs, by_value=True, load_default=Crs.GCJ02)
    accuracy_m = f.Float(allow_none=True, load_default=None, validate=v.Range(0, 100_000))
    address = Text(most=200, allow_none=True, load_default=None)


class TicketIn(Schema):
    location = f.Nested(LocationIn, allow_none=True, load_default=None)
    estate_id = WireId(Kind.ESTATE, allow_none=True, load_default=None)
    category = Text(most=32, allow_none=True, load_default=None)
    text = Text(most=2000, allow_none=True, load_default=None)
    answers = f.Dict(
        keys=Text(most=40, least=1),
        values=Text(most=200),
        load_default=dict,
        validate=v.Length(max=20),
    )
    photo_ids = f.List(WireId(Kind.UPLOAD), load_default=list, validate=v.Length(max=50))
    urgent = f.Boolean(load_default=False)
    anonymous = f.Boolean(load_default=False)
    contact_phone = Phone(allow_none=True, load_default=None)
    client_token = f.String(required=True, validate=v.Regexp(r"^[\x21-\x7e]{8,64}\Z"))


class PromisedOut(Schema):
    accept_by = Time(required=True)
    dispatch_by = Time(required=True)
    close_by = Time(required=True)


class TicketOpened(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    status = f.String(required=True)
    promised = f.Nested(PromisedOut, required=True)


class TicketQuery(PageQuery):
    status = f.String(
        load_default=None, validate=v.Length(max=200), metadata={"description": "one or more, by comma"}
    )


class TicketRow(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    status = f.String(required=True, validate=v.OneOf([s.value for s in TicketStatus]))
    category = f.String(allow_none=True)
    category_name = f.String(allow_none=True)
    text = f.String(allow_none=True)
    urgent = f.Boolean()
    estate_name = f.String(allow_none=True)
    reported_at = Time(required=True)
    updated_at = Time(required=True)
    thumb_url = f.String(allow_none=True)
    promised = f.Nested(PromisedOut, required=True)


class TicketList(Schema):
    items = f.List(f.Nested(TicketRow), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class EventOut(Schema):
    seq = f.Integer(required=True)
    at = Time(required=True)
    kind = f.String(required=True)
    title = f.String(required=True)
    from_status = f.String(allow_none=True)
    status = f.String(required=True)
    by = f.String(required=True, metadata={"description": "who acted: me, an organisation, or the system"})
    text = f.String(allow_none=True)
    community = f.String(
        allow_none=True, metadata={"description": "where, when the ticket went through several communities"}
    )


class ClocksOut(PromisedOut):
    accepted_at = Time(allow_none=True)
    dispatched_at = Time(allow_none=True)
    started_at = Time(allow_none=True)
    resolved_at = Time(allow_none=True)
    verified_at = Time(allow_none=True)
    closed_at = Time(allow_none=True)
    overdue = f.Boolean(required=True)


class RatingOut(Schema):
    stars = f.Integer(required=True)
    solved = f.Boolean(required=True)
    rated_at = Time(required=True)


class SimilarQuery(Query):
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    crs = f.Enum(Crs, by_value=True, load_default=Crs.GCJ02)
    category = f.String(load_default=None, validate=v.Length(max=32))


class SimilarOut(Schema):
    ticket_ref = WireId(Kind.TICKET, required=True)
    category = f.String(allow_none=True)
    category_name = f.String(allow_none=True)
    distance_m = f.Float(required=True)
    status = f.String(required=True)
    reported_at = Time(required=True)
    me_too = f.Integer(required=True)
    thumb_url = f.String(allow_none=True)


class SimilarList(Schema):
    items = f.List(f.Nested(SimilarOut), required=True)
    next_cursor = f.String(allow_none=True)


class JoinedOut(Schema):
    ticket_ref = WireId(Kind.TICKET, required=True)
    status = f.String(required=True)
    me_too = f.Integer(required=True)


class TicketOut(TicketRow):
    role = f.String(required=True, metadata={"description": "reporter | follower"})
    me_too = f.Integer(required=True)
    supervised = f.Boolean(required=True)
    standing_until = Time(allow_none=True, metadata={"description": "paused until then"})
    merged_into = WireId(Kind.TICKET, allow_none=True)
    referred_to = WireId(Kind.TICKET, allow_none=True)
    objection = f.Nested(
        TicketObjectionOut,
        allow_none=True,
        metadata={"description": "the decision that it objects to; null for any other ticket"},
    )
    version = f.Integer(required=True)
    anonymous = f.Boolean(required=True)
    answers = f.Dict()
    location = f.Nested(LocationOut, allow_none=True)
    contact_phone_masked = f.String(allow_none=True)
    handler = f.String(allow_none=True, metadata={"description": "the organisation that has it"})
    photos = f.List(f.Nested(TicketPhotoOut), required=True)
    timeline = f.List(f.Nested(EventOut), required=True)
    clocks = f.Nested(ClocksOut, required=True)
    rating = f.Nested(RatingOut, allow_none=True)
    can = f.List(f.String(), required=True, metadata={"description": "what the reporter can do now"})


class CommentIn(Schema):
    text = Text(most=500, least=1, required=True)


class ReasonIn(Schema):
    reason = Text(most=500, least=1, required=True)


class RatingIn(Schema):
    stars = f.Integer(required=True, strict=True, validate=v.Range(1, 5))
    solved = f.Boolean(required=True)
    text = Text(most=500, allow_none=True, load_default=None)


# --- inbox, subscriptions, home --------------------------------------------------------------------------


class TargetOut(Schema):
    type = f.String(required=True)
    id = f.String(required=True)


class MessageOut(Schema):
    id = WireId(Kind.INBOX, required=True)
    kind = f.String(required=True)
    title = f.String(required=True)
    text = f.String(required=True)
    target = f.Nested(TargetOut, allow_none=True)
    created_at = Time(required=True)
    read_at = Time(allow_none=True)


class MessageList(Schema):
    items = f.List(f.Nested(MessageOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class ReadIn(Schema):
    ids = f.List(WireId(Kind.INBOX), validate=v.Length(1, 100))
    all_before = Time()

    @ma.validates_schema
    def _one_of_both(self, data: dict, **_: object) -> None:
        if ("ids" in data) == ("all_before" in data):
            raise ma.ValidationError(
                "ids 与 all_before 须且只须给一个。|Give either ids or all_before.", "ids"
            )


class ReadOut(Schema):
    changed = f.Integer(required=True)
    unread = f.Integer(required=True)


class SubscriptionOut(Schema):
    name = f.String(required=True)
    template_id = f.String(required=True)
    credit = f.Integer(required=True)


class SubscriptionList(Schema):
    items = f.List(f.Nested(SubscriptionOut), required=True)


class SubscriptionsIn(Schema):
    results = f.Dict(
        keys=f.String(validate=v.Length(1, 64)),
        values=f.String(validate=v.OneOf(["accept", "reject", "ban", "filter"])),
        required=True,
        validate=v.Length(1, 10),
    )
