"""What staff send and see. Every field is listed."""

from __future__ import annotations

import marshmallow as ma
from flask_smorest.fields import Upload

from app.ids import Kind
from app.people.models import SessionMode
from app.places.coordinates import Crs
from app.tickets.clocks import DayKind
from app.tickets.grounds import Ground
from app.tickets.models import BY_PEOPLE, Channel, Visibility
from app.tickets.open_now import Within
from bff.schemas import AnyWireId, Date, PageQuery, Phone, Query, Schema, Text, Time, WireId
from bff.ticket_objections import TicketObjectionOut

f = ma.fields
v = ma.validate


class LoginIn(Schema):
    account = Text(most=40, least=1, required=True)
    password = f.String(required=True, validate=v.Length(1, 200))
    totp = f.String(
        load_default=None,
        allow_none=True,
        validate=v.Length(max=40),
        metadata={"description": "six digits of the authenticator, or a recovery code"},
    )
    mode = f.Enum(SessionMode, by_value=True, load_default=SessionMode.TOKEN)


class ScopeOut(Schema):
    role = f.String(required=True)
    role_name = f.String(required=True)
    org_id = WireId(Kind.ORG, required=True)
    org = f.String(required=True)
    permissions = f.List(f.String(), required=True)


class StaffOut(Schema):
    id = WireId(Kind.STAFF, required=True)
    account = f.String(required=True)
    name = f.String(required=True)
    needs = f.List(
        f.String(),
        required=True,
        metadata={"description": "password | totp: to be set up before the login opens anything else"},
    )
    totp = f.Boolean(required=True, metadata={"description": "is an authenticator set up?"})
    recovery_codes_left = f.Integer(required=True)
    scopes = f.List(f.Nested(ScopeOut), required=True)


class SessionOut(Schema):
    token = f.String(metadata={"description": "mode token: for Authorization: Bearer"})
    csrf_token = f.String(metadata={"description": "mode cookie: for X-CSRF-Token; also in a cookie"})
    expires_in = f.Integer(required=True, metadata={"description": "seconds"})
    staff = f.Nested(StaffOut, required=True)


class FileIn(ma.Schema):
    file = Upload(required=True)


class FileForm(Schema):
    purpose = f.String(
        load_default="after_photo",
        validate=v.OneOf(["after_photo", "report_photo", "evidence"]),
        metadata={"description": "evidence (picture or PDF) lies sealed and has no link"},
    )


class FileOut(Schema):
    file_id = WireId(Kind.UPLOAD, required=True)
    status = f.String(required=True)
    thumb_url = f.String(required=True, allow_none=True)


class OrgOut(Schema):
    org_id = WireId(Kind.ORG, required=True)
    kind = f.String(required=True)
    name = f.String(required=True)
    region = f.String(required=True)
    phone = f.String(allow_none=True)


class OrgList(Schema):
    items = f.List(f.Nested(OrgOut), required=True)
    next_cursor = f.String(allow_none=True)


class AreaOut(Schema):
    community = f.String(required=True)
    community_id = WireId(Kind.COMMUNITY, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    name = f.String(required=True)


class AreaList(Schema):
    items = f.List(f.Nested(AreaOut), required=True)
    next_cursor = f.String(allow_none=True)


class GridOut(Schema):
    grid_id = WireId(Kind.GRID, required=True)
    code = f.String(required=True)
    name = f.String(required=True)


class GridList(Schema):
    items = f.List(f.Nested(GridOut), required=True)
    next_cursor = f.String(allow_none=True)


class BuildingQuery(Query):
    estate_id = WireId(Kind.ESTATE, required=True)


class BuildingOut(Schema):
    building_id = WireId(Kind.BUILDING, required=True)
    name = f.String(required=True)


class BuildingList(Schema):
    items = f.List(f.Nested(BuildingOut), required=True)
    next_cursor = f.String(allow_none=True)


# --- tickets ---------------------------------------------------------------------------------------------


class TicketQuery(PageQuery):
    status = f.String(
        load_default=None, validate=v.Length(max=200), metadata={"description": "one or more, by comma"}
    )
    area = f.String(
        load_default=None,
        validate=v.Length(max=60),
        metadata={"description": "an estate_id, grid_id or community_id"},
    )
    category = Text(most=32, load_default=None)
    overdue = f.Boolean(load_default=None)
    due = f.Enum(
        Within,
        by_value=True,
        load_default=None,
        metadata={
            "description": "open, and the limit runs out within 4 hours, today, or this week until Sunday"
        },
    )
    assigned_to = WireId(Kind.STAFF, load_default=None)
    q = Text(most=40, load_default=None)
    callback_due = f.Boolean(
        load_default=None,
        metadata={"description": "closed lately and to be called back: urgent, rated badly, and one in ten"},
    )
    sort = f.String(
        load_default="newest",
        validate=v.OneOf(["newest", "due"]),
        metadata={"description": "due: the open ones alone, whose limit ends first first"},
    )


class PromisedOut(Schema):
    accept_by = Time(required=True)
    dispatch_by = Time(required=True)
    close_by = Time(required=True)


class TicketRow(Schema):
    ticket_id = WireId(Kind.TICKET, required=True)
    number = f.String(required=True)
    status = f.String(required=True)
    channel = f.String(required=True)
    category = f.String(allow_none=True)
    category_name = f.String(allow_none=True)
    text = f.String(allow_none=True)
    urgent = f.Boolean(required=True)
    estate_name = f.String(allow_none=True)
    address = f.String(allow_none=True)
    org = f.String(allow_none=True)
    handler = f.String(allow_none=True)
    reported_at = Time(required=True)
    updated_at = Time(required=True)
    overdue = f.Boolean(required=True)
    promised = f.Nested(PromisedOut, required=True)
    thumb_url = f.String(allow_none=True)


class TicketList(Schema):
    items = f.List(f.Nested(TicketRow), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class LocationOut(Schema):
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    crs = f.String(required=True)
    accuracy_m = f.Float(allow_none=True)
    address = f.String(allow_none=True)


class ReporterOut(Schema):
    anonymous = f.Boolean(required=True)
    name = f.String(allow_none=True)
    phone_masked = f.String(allow_none=True)


class PhotoOut(Schema):
    photo_id = WireId(Kind.UPLOAD, required=True)
    photo_ref = WireId(Kind.PHOTO, required=True)
    status = f.String(required=True)
    check_state = f.String(required=True)
    stage = f.String(required=True)
    taken_at = Time(allow_none=True)
    position = f.Nested(LocationOut, allow_none=True)
    thumb_url = f.String(required=True)
    url = f.String(required=True)


class EventOut(Schema):
    seq = f.Integer(required=True)
    at = Time(required=True)
    kind = f.String(required=True)
    from_status = f.String(allow_none=True)
    status = f.String(required=True)
    visibility = f.String(required=True)
    actor_kind = f.String(required=True)
    actor = f.String(allow_none=True)
    org = f.String(allow_none=True)
    text = f.String(allow_none=True)
    data = f.Dict()
    community = f.String(
        allow_none=True,
        metadata={"description": "where, when the ticket was referred here by another community"},
    )


class RatingOut(Schema):
    stars = f.Integer(required=True)
    solved = f.Boolean(required=True)
    rated_at = Time(required=True)


class SuggestionOut(Schema):
    org_id = WireId(Kind.ORG, required=True)
    name = f.String(required=True)
    why = f.String(required=True)
    rule = f.String(allow_none=True, metadata={"description": "the dispatch rule that says so"})


class OnShiftOut(Schema):
    staff_id = WireId(Kind.STAFF, required=True)
    staff = f.String(allow_none=True)
    open = f.Integer(required=True, metadata={"description": "tickets on her hands at that moment"})
    given = f.Integer(required=True, metadata={"description": "given to her on that day of duty before"})


class DispatchExplained(Schema):
    text = f.String(required=True, metadata={"description": "why here, in plain words"})
    at = Time(required=True)
    rule_id = WireId(Kind.ROUTING_RULE, allow_none=True)
    rule = f.String(allow_none=True)
    rule_version = f.Integer(allow_none=True)
    roster_id = WireId(Kind.DUTY_ROSTER, allow_none=True)
    roster = f.String(allow_none=True)
    method = f.String(allow_none=True)
    because = f.String(allow_none=True)
    staff_id = WireId(Kind.STAFF, allow_none=True)
    staff = f.String(allow_none=True)
    off_shift = f.Boolean(required=True, metadata={"description": "named by hand, not on shift then"})
    on_shift = f.List(f.Nested(OnShiftOut), required=True)


class ExtensionOut(Schema):
    extension_id = WireId(Kind.EXTENSION, required=True)
    until = Time(required=True)
    reason = f.String(required=True)
    state = f.String(required=True)
    asked_at = Time(required=True)
    decided_at = Time(allow_none=True)
    note = f.String(allow_none=True)


class PartOut(Schema):
    org_id = WireId(Kind.ORG, required=True)
    org = f.String(required=True)
    kind = f.String(required=True, metadata={"description": "lead | assist"})
    task = f.String(required=True)
    added_at = Time(required=True)
    done_at = Time(allow_none=True)
    note = f.String(allow_none=True)


class ClockOut(Schema):
    stage_due_at = Time(allow_none=True, metadata={"description": "of the step that waits"})
    due_at = Time(required=True)
    confirmed = f.Boolean(
        required=True,
        metadata={"description": "every day until due_at has been announced by the State Council"},
    )
    standing_since = Time(allow_none=True)
    standing_until = Time(allow_none=True)
    warned_at = Time(allow_none=True)
    breached_at = Time(allow_none=True)
    stage_breached_at = Time(
        allow_none=True, metadata={"description": "the step at the desk that waits now is late since then"}
    )
    stages_late = f.Integer(
        required=True,
        metadata={"description": "steps at the desk that were late so far: accepted, dispatched"},
    )
    supervised = f.Integer(required=True)
    supervise_level = f.Integer(required=True)
    urged = f.Integer(required=True)
    returns = f.Integer(required=True)


class ClosureFlagOut(Schema):
    code = f.String(required=True)
    text = f.String(required=True)


class SuggestedCategoryOut(Schema):
    code = f.String(required=True)
    name = f.String(required=True)
    why = f.List(f.String(), required=True, metadata={"description": "the words that spoke for it"})


class SourceOfTicketOut(Schema):
    name = f.String(required=True)
    source = f.String(required=True, attribute="code")
    external_number = f.String(required=True)


class TicketOut(TicketRow):
    objection = f.Nested(
        TicketObjectionOut,
        allow_none=True,
        metadata={"description": "the decision that it objects to; null for any other ticket"},
    )
    closure_flags = f.List(
        f.Nested(ClosureFlagOut),
        required=True,
        metadata={"description": "doubts about the after-photos, for who verifies; they never block"},
    )
    clock = f.Nested(ClockOut, required=True)
    parts = f.List(f.Nested(PartOut), required=True)
    extensions = f.List(f.Nested(ExtensionOut), required=True)
    me_too = f.Integer(required=True)
    repeated = f.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "the same person, class and place; null for who may not know her"},
    )
    excluded = f.Boolean(required=True)
    merged_into = WireId(Kind.TICKET, allow_none=True)
    referred_to = WireId(Kind.TICKET, allow_none=True)
    origin = WireId(Kind.TICKET, allow_none=True)
    first_reported_at = Time(required=True)
    version = f.Integer(required=True)
    text_check = f.String(required=True)
    answers = f.Dict()
    location = f.Nested(LocationOut, allow_none=True)
    reporter = f.Nested(ReporterOut, allow_none=True, metadata={"description": "null: unknown to this role"})
    dispatch_why = f.String(allow_none=True)
    dispatch_explained = f.Nested(
        DispatchExplained,
        allow_none=True,
        metadata={"description": "for the desk and the unit; null: not dispatched, or not for this role"},
    )
    suggested_org = f.Nested(SuggestionOut, allow_none=True)
    suggested_category = f.Nested(SuggestedCategoryOut, allow_none=True)
    photos = f.List(f.Nested(PhotoOut), required=True)
    timeline = f.List(f.Nested(EventOut), required=True)
    rating = f.Nested(RatingOut, allow_none=True)
    reopened = f.Integer(required=True)
    source = f.Nested(
        SourceOfTicketOut, allow_none=True, metadata={"description": "the other system that handed it in"}
    )
    moves = f.List(f.String(), required=True, metadata={"description": "what you can do with it now"})


class LocationIn(Schema):
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    crs = f.Enum(Crs, by_value=True, load_default=Crs.GCJ02)
    accuracy_m = f.Float(allow_none=True, load_default=None, validate=v.Range(0, 100_000))
    address = Text(most=200, allow_none=True, load_default=None)


class ReporterIn(Schema):
    name = Text(most=40, load_default=None, allow_none=True)
    phone = Phone(load_default=None, allow_none=True)
    house_id = WireId(
        Kind.HOUSE,
        load_default=None,
        allow_none=True,
        metadata={"description": "where she lives: estate and address of the report where none are given"},
    )


class TicketIn(Schema):
    channel = f.Enum(Channel, by_value=True, required=True, metadata={"enum": sorted(BY_PEOPLE)})
    reporter = f.Nested(ReporterIn, load_default=dict)
    location = f.Nested(LocationIn, allow_none=True, load_default=None)
    estate_id = WireId(Kind.ESTATE, allow_none=True, load_default=None)
    address = Text(
        most=200,
        allow_none=True,
        load_default=None,
        metadata={"description": "where in the estate, in words; `location.address` comes before it"},
    )
    category = Text(most=32, allow_none=True, load_default=None)
    text = Text(most=2000, allow_none=True, load_default=None)
    answers = f.Dict(
        keys=Text(most=40, least=1),
        values=Text(most=200),
        load_default=dict,
        validate=v.Length(max=20),
        metadata={"description": "to the questions of the class"},
    )
    photo_ids = f.List(WireId(Kind.UPLOAD), load_default=list, validate=v.Length(max=50))
    urgent = f.Boolean(load_default=False)
    anonymous = f.Boolean(load_default=False)

    @ma.validates("channel")
    def _by_people(self, value: Channel, **_: object) -> None:
        if value not in BY_PEOPLE:
            raise ma.ValidationError(
                "请选择电话、走访、巡查、热线、信箱或其他。|Choose phone, visit, patrol, hotline, mailbox or other."
            )


class NoteIn(Schema):
    note = Text(most=1000, load_default=None, allow_none=True)


class ReasonIn(Schema):
    reason = Text(most=500, least=1, required=True)


class RejectIn(ReasonIn):
    ground = f.Enum(
        Ground,
        by_value=True,
        load_default=None,
        metadata={"description": "不予受理的情形；居民看到的原因会写明。"},
    )


class CategoryIn(Schema):
    category = Text(most=32, least=1, required=True)


class DispatchIn(Schema):
    org_id = WireId(Kind.ORG, load_default=None, allow_none=True)
    staff_id = WireId(Kind.STAFF, load_default=None, allow_none=True)
    co_orgs = f.List(
        WireId(Kind.ORG),
        load_default=list,
        validate=v.Length(max=20),
        metadata={"description": "协办: units that assist, each with the note as its task"},
    )
    note = Text(most=500, load_default=None, allow_none=True)

    @ma.validates_schema
    def _staff_of_an_org(self, data: dict, **_: object) -> None:
        if data.get("staff_id") is not None and data.get("org_id") is None:
            raise ma.ValidationError(
                "指定处理人时须同时指定处理单位。|A staff_id needs its org_id.", "org_id"
            )


class ResolveIn(Schema):
    note = Text(most=1000, least=1, required=True)
    photo_ids = f.List(WireId(Kind.UPLOAD), load_default=list, validate=v.Length(max=50))


class VerifyIn(Schema):
    passed = f.Boolean(required=True)
    note = Text(most=1000, load_default=None, allow_none=True)


class CommentIn(Schema):
    text = Text(most=1000, least=1, required=True)
    visibility = f.Enum(Visibility, by_value=True, load_default=Visibility.INTERNAL)


class AssignIn(Schema):
    staff_id = WireId(Kind.STAFF, required=True)


class SuspendIn(Schema):
    reason = Text(most=500, least=1, required=True)
    days = f.Integer(load_default=None, allow_none=True, strict=True, validate=v.Range(1, 365))


class SuperviseIn(Schema):
    note = Text(most=500, least=1, required=True)


class ReferIn(Schema):
    community_id = WireId(Kind.COMMUNITY, required=True)
    reason = Text(most=500, least=1, required=True)


class CallbackIn(Schema):
    stars = f.Integer(required=True, strict=True, validate=v.Range(1, 5))
    solved = f.Boolean(required=True)
    note = Text(most=1000, load_default=None, allow_none=True)


class ExtensionIn(Schema):
    until = Time(required=True)
    reason = Text(most=500, least=1, required=True)


class PartIn(Schema):
    org_id = WireId(Kind.ORG, required=True)
    task = Text(most=500, least=1, required=True)


class PartDoneIn(Schema):
    org_id = WireId(Kind.ORG, required=True)
    note = Text(most=1000, least=1, required=True)


class MergeIn(Schema):
    into = WireId(Kind.TICKET, required=True)


class DayIn(Schema):
    day = Date(required=True)
    kind = f.Enum(DayKind, by_value=True, required=True)
    confirmed = f.Boolean(load_default=True)


class CalendarIn(Schema):
    days = f.List(f.Nested(DayIn), validate=v.Length(1, 1500))
    csv = f.String(
        validate=v.Length(1, 60_000),
        metadata={"description": "instead of days: columns day, kind, confirmed"},
    )
    note = Text(most=200, load_default="")

    @ma.validates_schema
    def _one_of_both(self, data: dict, **_: object) -> None:
        if ("days" in data) == ("csv" in data):
            raise ma.ValidationError("days 与 csv 须且只须给一个。|Give either days or csv.", "days")


class CalendarQuery(Query):
    year = f.Integer(required=True, strict=False, validate=v.Range(2020, 2100))


class DayOut(Schema):
    day = Date(required=True)
    kind = f.String(required=True, metadata={"description": "off | work | half"})
    confirmed = f.Boolean(required=True)


class CalendarOut(Schema):
    year = f.Integer(required=True)
    version = f.Integer(required=True)
    days = f.List(
        f.Nested(DayOut),
        required=True,
        metadata={"description": "loaded days; others count as Monday to Friday, unconfirmed"},
    )


class CalendarLoaded(Schema):
    version = f.Integer(required=True)
    changed = f.Integer(required=True, metadata={"description": "days that differ from the version before"})
    communities = f.Integer(
        required=True, metadata={"description": "in which the clocks of open tickets are now read anew"}
    )


class LimitAmount(Schema):
    amount = f.Integer(required=True)
    unit = f.String(required=True, metadata={"description": "minutes | hours | working_hours | working_days"})


class ClassLimit(Schema):
    code = f.String(required=True)
    name = f.String(required=True)
    limit = f.Nested(LimitAmount, required=True)


class LimitsOut(Schema):
    accept = f.Nested(LimitAmount, required=True)
    dispatch = f.Nested(LimitAmount, required=True)
    urgent = f.Nested(LimitAmount, required=True)
    ordinary = f.Nested(LimitAmount, required=True)
    pause_days = f.Integer(required=True)
    extension_days = f.Integer(required=True)
    returns = f.Integer(required=True)
    warn_before = f.Nested(LimitAmount, required=True)
    classes = f.List(
        f.Nested(ClassLimit), required=True, metadata={"description": "classes with a limit of their own"}
    )
    ladder_hours = f.List(
        f.Integer(),
        required=True,
        metadata={"description": "after the limit: grid, community, street, district"},
    )


UNMASKABLE = {
    Kind.TICKET: {"contact_phone"},
    Kind.OWNER: {"name", "phone", "phone2", "id_number"},
    Kind.MEMBERSHIP: {"name", "phone"},
}


class UnmaskIn(Schema):
    object = AnyWireId(Kind.TICKET, Kind.OWNER, Kind.MEMBERSHIP, required=True)
    fields_ = f.List(
        f.String(validate=v.OneOf(["contact_phone", "name", "phone", "phone2", "id_number"])),
        required=True,
        validate=v.Length(1, 5),
        data_key="fields",
    )
    purpose = Text(most=200, least=4, required=True)


class UnmaskOut(Schema):
    contact_phone = f.String(allow_none=True, metadata={"description": "of a ticket"})
    name = f.String(allow_none=True, metadata={"description": "of an owner or a member, as the others"})
    phone = f.String(allow_none=True)
    phone2 = f.String(allow_none=True)
    id_number = f.String(allow_none=True)
    unmasked_today = f.Integer(required=True, metadata={"description": "by you in the last 24 hours"})


class ReviewPhotoOut(Schema):
    photo_ref = WireId(Kind.PHOTO, required=True)
    ticket_id = WireId(Kind.TICKET, required=True)
    attached_at = Time(required=True)
    thumb_url = f.String(required=True)
    url = f.String(required=True)


class ReviewPhotoList(Schema):
    items = f.List(f.Nested(ReviewPhotoOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class VerdictIn(Schema):
    passed = f.Boolean(required=True)


class VerdictOut(Schema):
    photo_ref = WireId(Kind.PHOTO, required=True)
    check_state = f.String(required=True)
