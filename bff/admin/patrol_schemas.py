"""What staff send and see of patrols. Every field is listed."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.patrol.models import Grade, Proof
from app.patrol.queries import SETTINGS
from app.places.coordinates import Crs
from bff.admin.schemas import LocationIn, LocationOut
from bff.schemas import Date, PageQuery, Query, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

AREA = {"description": "an estate_id or a grid_id"}


# --- points ----------------------------------------------------------------------------------------------


class PatrolPointQuery(PageQuery):
    area = f.String(load_default=None, validate=v.Length(max=60), metadata=AREA)
    retired = f.Boolean(load_default=False, metadata={"description": "also those no longer in use"})


class PatrolPointIn(Schema):
    name = Text(most=80, least=1, required=True)
    estate_id = WireId(Kind.ESTATE, allow_none=True, load_default=None)
    grid_id = WireId(Kind.GRID, allow_none=True, load_default=None)
    proof = f.Enum(Proof, by_value=True, load_default=Proof.QR)
    location = f.Nested(LocationIn, allow_none=True, load_default=None)
    radius_m = f.Integer(load_default=50, validate=v.Range(5, 500), metadata={"description": "metres"})


class PatrolPointChange(Schema):
    name = Text(most=80, least=1)
    proof = f.Enum(Proof, by_value=True)
    location = f.Nested(LocationIn, allow_none=True)
    radius_m = f.Integer(validate=v.Range(5, 500))
    retired = f.Boolean()


class PatrolPointOut(Schema):
    point_id = WireId(Kind.PATROL_POINT, required=True)
    name = f.String(required=True)
    estate_id = WireId(Kind.ESTATE, allow_none=True)
    grid_id = WireId(Kind.GRID, allow_none=True)
    proof = f.String(required=True)
    location = f.Nested(LocationOut, allow_none=True)
    radius_m = f.Integer(required=True)
    printing = f.Integer(required=True, metadata={"description": "which printing of its code is valid"})
    retired_at = Time(allow_none=True)
    version = f.Integer(required=True)


class PatrolPointList(Schema):
    items = f.List(f.Nested(PatrolPointOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class PatrolCodeOut(Schema):
    point_id = WireId(Kind.PATROL_POINT, required=True)
    name = f.String(required=True)
    printing = f.Integer(required=True)
    payload = f.String(required=True, metadata={"description": "the text of the QR code to print"})


# --- plans -----------------------------------------------------------------------------------------------


class PatrolWindow(Schema):
    from_ = f.String(data_key="from", required=True, metadata={"description": "HH:MM, Asia/Shanghai"})
    to = f.String(required=True, metadata={"description": "HH:MM; 24:00, or after midnight if before `from`"})


class PatrolPlanQuery(PageQuery):
    area = f.String(load_default=None, validate=v.Length(max=60), metadata=AREA)
    on = Date(load_default=None, metadata={"description": "only plans in force on that day"})


class PatrolPlanIn(Schema):
    name = Text(most=80, least=1, required=True)
    estate_id = WireId(Kind.ESTATE, allow_none=True, load_default=None)
    points = f.List(WireId(Kind.PATROL_POINT), required=True, validate=v.Length(1, 100))
    weekdays = f.List(
        f.Integer(validate=v.Range(1, 7)), load_default=lambda: [1, 2, 3, 4, 5, 6, 7], validate=v.Length(1, 7)
    )
    windows = f.List(f.Nested(PatrolWindow), required=True, validate=v.Length(1, 24))
    grade = f.Enum(Grade, by_value=True, load_default=Grade.REGULAR)
    org_id = WireId(Kind.ORG, allow_none=True, load_default=None)
    grid_id = WireId(Kind.GRID, allow_none=True, load_default=None)
    walker_ids = f.List(WireId(Kind.STAFF), load_default=list, validate=v.Length(max=100))
    valid_from = Date(allow_none=True, load_default=None, metadata={"description": "default: today"})
    valid_to = Date(allow_none=True, load_default=None, metadata={"description": "exclusive"})


class PatrolPlanChange(Schema):
    name = Text(most=80, least=1)
    points = f.List(WireId(Kind.PATROL_POINT), validate=v.Length(1, 100))
    weekdays = f.List(f.Integer(validate=v.Range(1, 7)), validate=v.Length(1, 7))
    windows = f.List(f.Nested(PatrolWindow), validate=v.Length(1, 24))
    grade = f.Enum(Grade, by_value=True)
    org_id = WireId(Kind.ORG, allow_none=True)
    grid_id = WireId(Kind.GRID, allow_none=True)
    walker_ids = f.List(WireId(Kind.STAFF), validate=v.Length(max=100))
    valid_from = Date(metadata={"description": "from when the change holds; default: tomorrow"})
    valid_to = Date(allow_none=True, metadata={"description": "exclusive"})


class PatrolStopOut(Schema):
    seq = f.Integer(required=True)
    point_id = WireId(Kind.PATROL_POINT, required=True)
    name = f.String(required=True)
    proof = f.String(required=True)
    location = f.Nested(LocationOut, allow_none=True)
    radius_m = f.Integer(required=True)


class PatrolWalkerOut(Schema):
    staff_id = WireId(Kind.STAFF, required=True)
    name = f.String(required=True)


class PatrolPlanOut(Schema):
    plan_id = WireId(Kind.PATROL_PLAN, required=True)
    name = f.String(required=True)
    estate_id = WireId(Kind.ESTATE, allow_none=True)
    grade = f.String(required=True)
    org_id = WireId(Kind.ORG, allow_none=True)
    org = f.String(allow_none=True)
    grid_id = WireId(Kind.GRID, allow_none=True)
    walkers = f.List(f.Nested(PatrolWalkerOut), required=True)
    weekdays = f.List(f.Integer(), required=True)
    windows = f.List(f.Nested(PatrolWindow), required=True)
    valid_from = Date(required=True, metadata={"description": "of the term that is shown"})
    valid_to = Date(allow_none=True)
    stops = f.List(f.Nested(PatrolStopOut), required=True)
    version = f.Integer(required=True)


class PatrolPlanList(Schema):
    items = f.List(f.Nested(PatrolPlanOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


# --- shifts, tracks, visits ------------------------------------------------------------------------------


class PatrolShiftQuery(PageQuery):
    plan_id = WireId(Kind.PATROL_PLAN, load_default=None)
    open = f.Boolean(load_default=False, metadata={"description": "only those under way"})


class PatrolShiftIn(Schema):
    plan_id = WireId(Kind.PATROL_PLAN, required=True)


class PatrolShiftRow(Schema):
    shift_id = WireId(Kind.PATROL_SHIFT, required=True)
    plan_id = WireId(Kind.PATROL_PLAN, required=True)
    plan = f.String(required=True)
    staff_id = WireId(Kind.STAFF, required=True)
    staff = f.String(allow_none=True)
    org = f.String(allow_none=True)
    open = f.Boolean(required=True)
    started_at = Time(required=True)
    cap_at = Time(required=True, metadata={"description": "when it ends if nobody ends it"})
    ended_at = Time(allow_none=True)
    end_reason = f.String(allow_none=True)
    positions = f.Integer(required=True, metadata={"description": "kept of the way"})
    version = f.Integer(required=True)


class PatrolVisitOut(Schema):
    visit_id = WireId(Kind.PATROL_VISIT, required=True)
    shift_id = WireId(Kind.PATROL_SHIFT, required=True)
    point_id = WireId(Kind.PATROL_POINT, required=True)
    point = f.String(required=True)
    at = Time(required=True)
    received_at = Time(required=True)
    code = f.Boolean(required=True)
    distance_m = f.Integer(allow_none=True)
    suspect = f.Boolean(required=True)
    reasons = f.List(f.String(), required=True)
    ticket_id = WireId(Kind.TICKET, allow_none=True)


class PatrolShiftStop(Schema):
    seq = f.Integer(required=True)
    point_id = WireId(Kind.PATROL_POINT, required=True)
    name = f.String(required=True)
    state = f.String(required=True, metadata={"description": "visited, suspect or open"})


class PatrolShiftOut(PatrolShiftRow):
    stops = f.List(f.Nested(PatrolShiftStop), required=True)
    visits = f.List(f.Nested(PatrolVisitOut), required=True)


class PatrolShiftList(Schema):
    items = f.List(f.Nested(PatrolShiftRow), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class PatrolPositionIn(Schema):
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    at = Time(required=True)
    accuracy_m = f.Float(allow_none=True, load_default=None, validate=v.Range(0, 100_000))


class PatrolPositionsIn(Schema):
    crs = f.Enum(Crs, by_value=True, load_default=Crs.GCJ02)
    positions = f.List(
        f.Nested(PatrolPositionIn), required=True, metadata={"description": "in order, at most 500"}
    )


class PatrolTakenOut(Schema):
    shift_id = WireId(Kind.PATROL_SHIFT, required=True)
    received = f.Integer(required=True)
    kept = f.Integer(required=True, metadata={"description": "of this batch, by the thinning"})
    late = f.Integer(required=True, metadata={"description": "not later than what was received before"})
    positions = f.Integer(required=True, metadata={"description": "kept of the whole way"})


class PatrolPositionOut(Schema):
    at = Time(required=True)
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    accuracy_m = f.Float(allow_none=True)


class PatrolReadingOut(PatrolPositionOut):
    visit_id = WireId(Kind.PATROL_VISIT, required=True)


class PatrolTrackIn(Schema):
    purpose = Text(most=200, least=4, required=True)


class PatrolTrackOut(Schema):
    shift_id = WireId(Kind.PATROL_SHIFT, required=True)
    crs = f.String(required=True)
    kept_until = Time(required=True, metadata={"description": "then the way is erased"})
    positions = f.List(f.Nested(PatrolPositionOut), required=True)
    readings = f.List(f.Nested(PatrolReadingOut), required=True)


class PatrolVisitIn(Schema):
    shift_id = WireId(Kind.PATROL_SHIFT, allow_none=True, load_default=None)
    code = f.String(allow_none=True, load_default=None, validate=v.Length(max=200))
    location = f.Nested(LocationIn, allow_none=True, load_default=None)
    at = Time(allow_none=True, load_default=None, metadata={"description": "of the scan; default: now"})
    scan_id = Text(most=64, least=8, allow_none=True, load_default=None)
    ticket_id = WireId(Kind.TICKET, allow_none=True, load_default=None)


# --- figures ---------------------------------------------------------------------------------------------


class PatrolCoverageQuery(PageQuery):
    area = f.String(load_default=None, validate=v.Length(max=60), metadata=AREA)
    from_ = Date(data_key="from", load_default=None, metadata={"description": "default: today"})
    to = Date(load_default=None, metadata={"description": "inclusive; default: `from`"})


class PatrolRate(Schema):
    numerator = f.Integer(required=True)
    denominator = f.Integer(required=True)


class PatrolCount(Schema):
    due = f.Integer(required=True, metadata={"description": "visited + suspect + missed"})
    visited = f.Integer(required=True)
    suspect = f.Integer(required=True)
    missed = f.Integer(required=True)
    open = f.Integer(required=True, metadata={"description": "left out: there is still time"})
    visited_rate = f.Nested(PatrolRate, required=True)


class PatrolPlanCount(PatrolCount):
    plan_id = WireId(Kind.PATROL_PLAN, required=True)
    plan = f.String(required=True)
    grade = f.String(required=True)


class PatrolGapOut(Schema):
    plan_id = WireId(Kind.PATROL_PLAN, required=True)
    plan = f.String(required=True)
    grade = f.String(required=True)
    org = f.String(allow_none=True)
    point_id = WireId(Kind.PATROL_POINT, required=True)
    point = f.String(required=True)
    seq = f.Integer(required=True)
    day = Date(required=True)
    from_ = Time(data_key="from", required=True)
    to = Time(required=True)
    state = f.String(required=True, metadata={"description": "missed or suspect"})
    final = f.Boolean(required=True, metadata={"description": "the hours are over"})
    reasons = f.List(f.String(), required=True)


class PatrolCoverageOut(Schema):
    from_ = Date(data_key="from", required=True)
    to = Date(required=True)
    totals = f.Nested(PatrolCount, required=True)
    visits_beside_plan = f.Integer(required=True)
    plans = f.List(f.Nested(PatrolPlanCount), required=True)
    items = f.List(f.Nested(PatrolGapOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class PatrolHeatQuery(Query):
    from_ = Date(data_key="from", load_default=None, metadata={"description": "default: 29 days before"})
    to = Date(load_default=None, metadata={"description": "inclusive; default: today"})
    category = Text(most=32, load_default=None)


class PatrolHidable(Schema):
    n = f.Integer(allow_none=True, metadata={"description": "null: hidden"})
    hidden = f.Boolean(required=True)


class PatrolHeatCell(PatrolHidable):
    grid_id = WireId(Kind.GRID, required=True)
    code = f.String(required=True)
    name = f.String(required=True)
    community = f.String(required=True)
    grade = f.String(allow_none=True)
    middle = f.Nested(LocationOut, allow_none=True)


class PatrolHeatCommunity(PatrolHidable):
    community = f.String(required=True)


class PatrolHeatOut(Schema):
    from_ = Date(data_key="from", required=True)
    to = Date(required=True)
    category = f.String(allow_none=True)
    items = f.List(f.Nested(PatrolHeatCell), required=True)
    communities = f.List(f.Nested(PatrolHeatCommunity), required=True)
    totals = f.Nested(PatrolHidable, required=True)
    without_grid = f.Nested(PatrolHidable, required=True, metadata={"description": "not in the totals"})
    left_out = f.List(f.String(), required=True, metadata={"description": "states that are not counted"})
    next_cursor = f.String(allow_none=True, required=True)


class PatrolGradeOut(Schema):
    grade = f.String(required=True)
    graded_at = Time(required=True)
    since = Time(required=True, metadata={"description": "tickets reported from then to graded_at"})
    numerator = f.Integer(required=True, metadata={"description": "tickets"})
    denominator = f.Integer(required=True, metadata={"description": "homes or estates"})
    basis = f.String(required=True)
    per = f.Integer(required=True, metadata={"description": "the thresholds are tickets per so many"})
    regular_from = f.Integer(required=True)
    key_from = f.Integer(required=True)


class PatrolZoneOut(Schema):
    grid_id = WireId(Kind.GRID, required=True)
    code = f.String(required=True)
    name = f.String(required=True)
    homes = f.Integer(allow_none=True)
    grade = f.Nested(PatrolGradeOut, allow_none=True)
    version = f.Integer(required=True)


class PatrolZoneList(Schema):
    items = f.List(f.Nested(PatrolZoneOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class PatrolHomesIn(Schema):
    homes = f.Integer(allow_none=True, validate=v.Range(1, 100_000))


PatrolSettingsIn = Schema.from_dict(
    {key: f.Integer(validate=v.Range(least, most)) for key, (_, least, most) in SETTINGS.items()},
    name="PatrolSettingsIn",
)


class PatrolSettingsOut(Schema):
    community = f.String(required=True)
    values = f.Dict(keys=f.String(), values=f.Integer(), required=True)


class PatrolSettingsList(Schema):
    items = f.List(f.Nested(PatrolSettingsOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)
