"""Writing what a patrol does: she sets out, her way, the points she visits, she comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app import audit, clock, crypto, db, ids
from app.audit import SYSTEM, Actor
from app.errors import NotFound, StaleVersion
from app.ids import Ref
from app.patrol import codes, doubts, queries, windows
from app.patrol.errors import (
    FutureTime,
    NoOpenShift,
    NothingShown,
    NotYourPlan,
    OffShift,
    PlanNotInForce,
    ShiftAlreadyOpen,
    ShiftNotOpen,
    TooManyPositions,
    UnknownCode,
    UnknownTicket,
)
from app.patrol.models import (
    EndReason,
    OpenShift,
    Point,
    Proof,
    Reading,
    Shift,
    Suspicion,
    Track,
    Visit,
)
from app.patrol.queries import OBJECT_KIND
from app.patrol.service import checked
from app.patrol.thinning import Fix, in_order, thin
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.coordinates import Point as Position
from app.tickets import queries as tickets

MOST_POSITIONS = 500  # of one batch: at a position each second, eight minutes without network
KEPT = timedelta(days=30)  # whereabouts are erased so long after they were walked
LATE_VISITS = timedelta(hours=24)  # after its end a shift takes visits that waited for network


# --- shifts ----------------------------------------------------------------------------------------------


def start_shift(plan_ref: Ref, *, acting_user: StaffActor) -> Shift:
    """Set out on a plan. One person has one shift open, wherever.

    Raises NotFound, PlanNotInForce, NotYourPlan, ShiftAlreadyOpen (with `shift_id`).
    """
    plan = queries.plan_for(acting_user, plan_ref)
    term = queries.term_on(plan.community_id, plan.id, places.today())
    if term is None:
        raise PlanNotInForce
    grant = next((g for g in acting_user.grants if queries.walks(g, term)), None)
    if grant is None or (term.walkers and str(acting_user.id) not in term.walkers):
        raise NotYourPlan
    now = clock.now()
    ref = Ref(plan.community_id, ids.new_id())
    _claim(acting_user.id, ref, now)
    cap = queries.settings_of([plan.community_id])[plan.community_id]["shift_cap_minutes"]
    shift = Shift(
        community_id=plan.community_id,
        id=ref.id,
        plan_id=plan.id,
        estate_id=plan.estate_id,
        staff_id=acting_user.id,
        org_id=grant.org_id,
        role=grant.role,
        started_at=now,
        cap_at=now + timedelta(minutes=cap),
        kept=0,
        version=1,
    )
    db.session().add(shift)
    _audit(acting_user.actor, "patrol.shift_started", ref, plan_id=str(plan.id))
    return shift


def _claim(staff_id: UUID, ref: Ref, now: datetime) -> None:
    """Make this the one open shift of a person. Two starts at once: the second waits here, and is refused."""
    claimed = db.session().scalar(
        insert(OpenShift)
        .values(staff_id=staff_id, community_id=ref.community_id, shift_id=ref.id)
        .on_conflict_do_nothing(index_elements=["staff_id"])
        .returning(OpenShift.shift_id)
    )
    if claimed is not None:
        return
    held = db.session().get_one(OpenShift, staff_id, with_for_update=True, populate_existing=True)
    other = _locked(Ref(held.community_id, held.shift_id))
    if other.is_open(now):
        raise ShiftAlreadyOpen(
            extra={"shift_id": ids.encode(ids.Kind.PATROL_SHIFT, Ref(other.community_id, other.id))}
        )
    _end(other, other.cap_at, EndReason.CAP, SYSTEM)
    held.community_id, held.shift_id = ref


def _locked(ref: Ref) -> Shift:
    return db.session().get_one(Shift, ref, with_for_update=True, populate_existing=True)


def _own(ref: Ref, staff: StaffActor) -> Shift:
    """Her own shift, locked. Raises NotFound for anybody else's: the desk looks, but doesn't walk."""
    shift = queries.shift_for(staff, ref, lock=True)
    if shift.staff_id != staff.id:
        raise NotFound
    return shift


def end_shift(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Shift:
    """Come back. Raises NotFound, ShiftNotOpen."""
    # The claim is locked before the shift, as when starting one.
    held = db.session().get(OpenShift, acting_user.id, with_for_update=True, populate_existing=True)
    shift = _own(ref, acting_user)
    if version is not None and shift.version != version:
        raise StaleVersion
    now = clock.now()
    if not shift.is_open(now):
        raise ShiftNotOpen
    _end(shift, now, EndReason.WORKER, acting_user.actor)
    if held is not None:
        db.session().delete(held)
    return shift


def _end(shift: Shift, at: datetime, reason: EndReason, actor: Actor) -> None:
    if shift.ended_at is not None:
        return
    shift.ended_at, shift.end_reason = at, reason
    shift.version += 1
    _audit(actor, "patrol.shift_ended", Ref(shift.community_id, shift.id), reason=reason.value)


def end_overdue(ref: Ref, *, staff_id: UUID) -> None:
    """End a shift that has run past its cap. May run twice; the second run finds it ended."""
    held = db.session().get(OpenShift, staff_id, with_for_update=True, populate_existing=True)
    shift = _locked(ref)
    if shift.ended_at is None and shift.cap_at <= clock.now():
        _end(shift, shift.cap_at, EndReason.CAP, SYSTEM)
    if held is not None and held.shift_id == ref.id and shift.ended_at is not None:
        db.session().delete(held)


# --- the way ---------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """What became of a batch: positions received, kept by the thinning, and received before (or out of order)."""

    shift: Shift
    received: int
    kept: int
    late: int


def take_positions(ref: Ref, *, fixes: Sequence[Fix], acting_user: StaffActor) -> Taken:
    """Add a batch of positions (WGS-84) to the way of her open shift, thinned and sealed.

    Batches come in order; a repeated one adds nothing. Raises NotFound, ShiftNotOpen, TooManyPositions,
    BadPosition, OffShift: then nothing of the batch is kept.
    """
    if len(fixes) > MOST_POSITIONS:
        raise TooManyPositions(most=MOST_POSITIONS)
    shift = _own(ref, acting_user)
    now = clock.now()
    if not shift.is_open(now):
        raise ShiftNotOpen
    for number, fix in enumerate(fixes):
        checked(fix.point)
        if not shift.started_at - doubts.CLOCK_SLACK <= fix.at <= now + doubts.CLOCK_SLACK:
            raise OffShift(errors={f"positions.{number}.at": [(OffShift.zh, OffShift.en)]})
    head = queries.head_of(shift)
    fresh = in_order(
        (Fix(_to_millisecond(f.at), f.point, f.accuracy_m) for f in fixes),
        after=head.last.at if head.last else None,
    )
    kept = thin(fresh, after=head.kept)
    if kept:
        db.session().add(
            Track(
                community_id=shift.community_id,
                shift_id=shift.id,
                from_at=kept[0].at,
                to_at=kept[-1].at,
                sealed=queries.seal_fixes(kept, queries.track_context(shift.id, kept[0].at)),
            )
        )
    if fresh:
        last_kept = kept[-1] if kept else head.kept
        assert last_kept is not None  # the first position of a way is always kept
        shift.head_sealed = queries.seal_fixes([last_kept, fresh[-1]], queries.head_context(shift.id))
        shift.kept += len(kept)
        shift.version += 1
    return Taken(shift, len(fixes), len(kept), len(fixes) - len(fresh))


def _to_millisecond(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def look_at_way(ref: Ref, *, purpose: str, acting_user: StaffActor) -> Shift:
    """The shift whose way the desk of its area looks at, for a stated purpose; audited. Raises NotFound."""
    shift = queries.shift_for(acting_user, ref)
    if not queries.looks_after(acting_user, shift.community_id, shift.estate_id, Permission.PATROL_TRACK):
        raise NotFound
    _audit(acting_user.actor, "patrol.track_seen", ref, purpose=purpose)
    return shift


# --- visits ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """What she shows for a visit: the code on the wall, a reading (WGS-84), when it was, the app's own number of
    the scan, and the ticket she made of what she found.
    """

    code: str | None = None
    position: Position | None = None
    accuracy_m: float | None = None
    at: datetime | None = None
    scan_id: str | None = None
    ticket: Ref | None = None


def visit(point_ref: Ref, *, shift_ref: Ref | None, shown: Shown, acting_user: StaffActor) -> Visit:
    """Record that she was at a point, with what speaks against it. Her open shift, unless an own one that ended in
    the last 24 hours is named (visits that waited for network). The same scan of the same visit finds the first.

    Raises NotFound, NoOpenShift, NothingShown, UnknownCode, BadPosition, FutureTime, UnknownTicket.
    """
    queries.point_for(acting_user, point_ref)  # what she may not see isn't there, whether she walks or not
    shift_ref = shift_ref or queries.open_shift_of(acting_user.id)
    if shift_ref is None:
        raise NoOpenShift
    shift = _own(shift_ref, acting_user)
    now = clock.now()
    if not shift.is_open(now) and now > (shift.ended_at or shift.cap_at) + LATE_VISITS:
        raise NoOpenShift
    point = _point_on(shift, point_ref, acting_user)
    again = _same_scan(shift, point, shown.scan_id)
    if again is not None:
        return again
    if shown.code is None and shown.position is None:
        raise NothingShown
    code = codes.read(shown.code) if shown.code is not None else None
    if shown.code is not None and (code is None or code.point != point_ref or code.printing > point.code_no):
        raise UnknownCode(errors={"code": [(UnknownCode.zh, UnknownCode.en)]})
    if shown.position is not None:
        checked(shown.position)
    at = shown.at or now
    if at > now + doubts.CLOCK_SLACK:
        raise FutureTime(errors={"at": [(FutureTime.zh, FutureTime.en)]})
    visit_id = ids.new_id()
    distance = _distance(point, shown.position)
    row = Visit(
        community_id=shift.community_id,
        id=visit_id,
        shift_id=shift.id,
        plan_id=shift.plan_id,
        point_id=point.id,
        staff_id=acting_user.id,
        at=at,
        received_at=now,
        scan_id=shown.scan_id,
        has_code=code is not None,
        distance_m=round(distance) if distance is not None else None,
        reasons=[],
        ticket_id=_ticket(shown.ticket, shift, acting_user),
    )
    fingerprint = _fingerprint(shown)
    row.reasons = sorted(_doubts(row, shift, point, shown, code, fingerprint, distance))
    db.session().add(row)
    if shown.position is not None and fingerprint is not None:
        fix = Fix(at, shown.position, shown.accuracy_m)
        db.session().add(
            Reading(
                community_id=shift.community_id,
                visit_id=visit_id,
                shift_id=shift.id,
                staff_id=acting_user.id,
                at=at,
                fingerprint=fingerprint,
                sealed=queries.seal_fixes([fix], queries.reading_context(visit_id)),
            )
        )
    _audit(
        acting_user.actor,
        "patrol.visited",
        Ref(shift.community_id, visit_id),
        point_id=str(point.id),
        reasons=row.reasons,
    )
    return row


def _point_on(shift: Shift, ref: Ref, staff: StaffActor) -> Point:
    """A point on the route of the shift, or another one she may see in the same community. Raises NotFound."""
    if ref.community_id != shift.community_id:
        raise NotFound
    return queries.point_for(staff, ref)


def _same_scan(shift: Shift, point: Point, scan_id: str | None) -> Visit | None:
    if scan_id is None:
        return None
    return db.session().scalar(
        select(Visit).where(
            Visit.community_id == shift.community_id,
            Visit.staff_id == shift.staff_id,
            Visit.scan_id == scan_id,
            Visit.shift_id == shift.id,
            Visit.point_id == point.id,
        )
    )


def _distance(point: Point, reading: Position | None) -> float | None:
    if point.lng is None or point.lat is None:
        return None
    return doubts.off_by_m(Position(point.lng, point.lat), reading)


def _fingerprint(shown: Shown) -> bytes | None:
    """Of the very numbers: a phone that moves never reads the same seven digits on another day, a program does."""
    if shown.position is None:
        return None
    numbers = f"{shown.position.lng!r},{shown.position.lat!r},{shown.accuracy_m!r}"
    return crypto.keys().keyed_hash(numbers, "patrol_reading")


def _ticket(ref: Ref | None, shift: Shift, staff: StaffActor) -> UUID | None:
    if ref is None:
        return None
    try:
        if ref.community_id != shift.community_id:
            raise NotFound
        return tickets.ticket_for_staff(staff, ref).id
    except NotFound as e:
        raise UnknownTicket(errors={"ticket_id": [(UnknownTicket.zh, UnknownTicket.en)]}) from e


def _doubts(
    row: Visit,
    shift: Shift,
    point: Point,
    shown: Shown,
    code: codes.Code | None,
    fingerprint: bytes | None,
    distance: float | None,
) -> set[Suspicion]:
    chosen = queries.settings_of([shift.community_id])[shift.community_id]
    found = doubts.of_place(
        proof=Proof(point.proof),
        radius_m=point.radius_m,
        has_code=code is not None,
        # Without a position of its own the point has nothing that a reading could be far from.
        distance=distance,
        accuracy_m=shown.accuracy_m,
    )
    found += doubts.of_time(at=row.at, started_at=shift.started_at, ended_at=shift.ended_at or _capped(shift))
    found += doubts.of_speed(
        _seen(row.at, point, has_code=row.has_code), _neighbours(row), max_kmh=chosen["max_speed_kmh"]
    )
    if code is not None and code.printing < point.code_no:
        found.append(Suspicion.OLD_CODE)
    if point.retired_at is not None:
        found.append(Suspicion.RETIRED_POINT)
    if row.scan_id is not None and _used(row, row.scan_id):
        found.append(Suspicion.REUSED_SCAN)
    if fingerprint is not None and _read_before(row, fingerprint):
        found.append(Suspicion.REUSED_READING)
    return {*found, *_beside_the_plan(row, timedelta(minutes=chosen["grace_minutes"]))}


def _capped(shift: Shift) -> datetime | None:
    return shift.cap_at if shift.cap_at <= clock.now() else None


def _seen(at: datetime, point: Point, *, has_code: bool) -> doubts.Seen:
    place = Position(point.lng, point.lat) if point.lng is not None and point.lat is not None else None
    # With the code she stood before the sign; without, anywhere within the radius.
    return doubts.Seen(at, place, doubts.SURVEY_M if has_code else float(point.radius_m))


def _neighbours(row: Visit) -> list[doubts.Seen | None]:
    """The visits of the same person just before and just after, on whatever shift."""
    hers = and_(Visit.community_id == row.community_id, Visit.staff_id == row.staff_id, Visit.id != row.id)
    near = timedelta(hours=2)
    query = (
        select(Visit, Point)
        .join(Point, and_(Point.community_id == Visit.community_id, Point.id == Visit.point_id))
        .where(hers)
    )
    before = query.where(Visit.at <= row.at, Visit.at > row.at - near).order_by(
        Visit.at.desc(), Visit.id.desc()
    )
    after = query.where(Visit.at > row.at, Visit.at < row.at + near).order_by(Visit.at, Visit.id)
    found: list[doubts.Seen | None] = []
    for one in (before, after):
        pair = db.session().execute(one.limit(1)).one_or_none()
        found.append(_seen(pair[0].at, pair[1], has_code=pair[0].has_code) if pair is not None else None)
    return found


def _used(row: Visit, scan_id: str) -> bool:
    """Was this scan handed in before, at another point or on another shift?"""
    return (
        db.session().scalar(
            select(Visit.id)
            .where(
                Visit.community_id == row.community_id,
                Visit.staff_id == row.staff_id,
                Visit.scan_id == scan_id,
            )
            .limit(1)
        )
        is not None
    )


def _read_before(row: Visit, fingerprint: bytes) -> bool:
    """Did the same person hand in the very same reading on another shift?"""
    return (
        db.session().scalar(
            select(Reading.visit_id)
            .where(
                Reading.community_id == row.community_id,
                Reading.staff_id == row.staff_id,
                Reading.fingerprint == fingerprint,
                Reading.shift_id != row.shift_id,
            )
            .limit(1)
        )
        is not None
    )


def _beside_the_plan(row: Visit, grace: timedelta) -> list[Suspicion]:
    """Is it a point of the route, at an hour of the plan? Hours that began the day before count too."""
    today = clock.in_shanghai(row.at).date()
    hours, on_route = [], False
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        term = queries.term_on(row.community_id, row.plan_id, day)
        if term is None:
            continue
        if day.isoweekday() in term.weekdays:
            hours += windows.on(day, term.windows)
        if day == today or windows.holding(row.at, windows.on(day, term.windows), grace=grace):
            on_route = on_route or row.point_id in {stop.point_id for stop in queries.stops_of(term)}
    found = []
    if windows.holding(row.at, hours, grace=grace) is None:
        found.append(Suspicion.OUTSIDE_PLAN)
    if not on_route:
        found.append(Suspicion.NOT_IN_PLAN)
    return found


# --- what doesn't stay -----------------------------------------------------------------------------------


def erase_whereabouts(*, community_id: int) -> int:
    """Erase tracks and readings of a community that are older than 30 days. How many rows it took.

    May run twice; the second run finds nothing. The visits stay, without where she stood.
    """
    edge = clock.now() - KEPT
    tracks = db.session().execute(delete(Track).where(Track.community_id == community_id, Track.to_at < edge))
    readings = db.session().execute(
        delete(Reading).where(Reading.community_id == community_id, Reading.at < edge)
    )
    heads = db.session().execute(
        update(Shift)
        .where(
            Shift.community_id == community_id,
            Shift.head_sealed.is_not(None),
            func.coalesce(Shift.ended_at, Shift.cap_at) < edge,
        )
        .values(head_sealed=None)
        .execution_options(synchronize_session=False)
    )
    gone = 0
    for done in (tracks, readings, heads):
        gone += int(done.rowcount)  # type: ignore[attr-defined]  # an UPDATE or DELETE gives a CursorResult
    if gone:
        audit.record(
            SYSTEM,
            "patrol.whereabouts_erased",
            community_id=community_id,
            object_kind=OBJECT_KIND,
            object_id=None,
            rows=gone,
        )
    return gone


def _audit(actor: Actor, action: str, ref: Ref, **details: object) -> None:
    audit.record(
        actor,
        action,
        community_id=ref.community_id,
        object_kind=OBJECT_KIND,
        object_id=ref.id,
        **details,
    )
