"""Writing tickets: the report and every move after it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import audit, clock, crypto, db, ids, outbox
from app.audit import Actor, ActorKind
from app.duty import service as duty
from app.errors import NotFound
from app.ids import Kind, Ref
from app.media import service as media
from app.memberships import queries as memberships
from app.messaging.models import NoticeKind
from app.people import queries as people_queries
from app.people.errors import PermissionMissing
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places import registry_queries as registry
from app.places.coordinates import Point, in_china
from app.tickets import assisting, clocks, giving, holding, letters, queries, steps
from app.tickets.classes import check_answers
from app.tickets.errors import (
    AlreadyRated,
    BadPosition,
    EstateMissing,
    NoDesk,
    NothingReported,
    OutsideService,
    OwnWork,
    PartsOpen,
    PhotoRequired,
    RatingClosed,
    SharedProblem,
    TooManyHops,
    TooManyPhotos,
    UnknownCategory,
    UnknownEstate,
    UnknownHandler,
    UnknownOrg,
    WhereMissing,
)
from app.tickets.grounds import Ground, told
from app.tickets.models import (
    CategoryTerm,
    Channel,
    ClientToken,
    NumberCounter,
    PartKind,
    TextCheck,
    Ticket,
    TicketStatus,
    Visibility,
)
from app.tickets.moves import Move
from app.tickets.queries import INDEX_KIND, OBJECT_KIND

CHECK_TEXT = "tickets.check_text"  # outbox kind
MAX_PHOTOS = 9
POSITION_KEPT = timedelta(days=30)  # where a photo was taken is erased so long after the ticket closed


@dataclass(frozen=True)
class Location:
    """Where the problem is: WGS-84, accuracy in metres."""

    point: Point
    accuracy_m: float | None = None
    address: str | None = None


@dataclass(frozen=True)
class Report:
    """What was reported. Photos are uploads of whoever reports."""

    location: Location | None = None
    estate: Ref | None = None
    category: str | None = None
    text: str | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)
    photo_ids: Sequence[UUID] = ()
    urgent: bool = False
    anonymous: bool = False
    contact_phone: str | None = None
    address: str | None = None  # where in the estate, in words, when no position says it


class Opened(NamedTuple):
    """The ticket of a report; `fresh` is False when this tap had made it before."""

    ticket: Ticket
    fresh: bool


# --- the report ------------------------------------------------------------------------------------------


_CLAIM = db.Plain(
    """
    INSERT INTO client_tokens (resident_id, token, ticket_id, created_at)
    VALUES (:resident_id, :token, :ticket_id, :created_at)
    ON CONFLICT (resident_id, token) DO NOTHING RETURNING ticket_id
    """
)
_CLAIMED_FOR = db.Plain(
    """
    UPDATE client_tokens AS c SET community_id = :community_id
    WHERE c.resident_id = :resident_id AND c.token = :token
    """
)
_NEXT_NUMBER = db.Plain(
    """
    INSERT INTO number_counters AS c (community_id, year, last) VALUES (:community_id, :year, 1)
    ON CONFLICT (community_id, year) DO UPDATE SET last = c.last + 1 RETURNING last
    """
)


def open_ticket(report: Report, *, client_token: str, acting_user: UUID) -> Opened:
    """The one-tap report (一键上报) of a resident.

    The same `client_token` of the same resident finds the first ticket, whatever else is in the report.
    Raises WhereMissing, OutsideService, BadPosition, UnknownEstate, NothingReported, UnknownCategory, BadAnswers,
    PhotoRequired, TooManyPhotos, PhotoUnknown, PhotoUnusable.
    """
    ticket_id = ids.new_id()
    tap = {"resident_id": acting_user, "token": client_token}
    if not _CLAIM.within(tap | {"ticket_id": ticket_id, "created_at": clock.now()}):
        row = db.session().get_one(ClientToken, (acting_user, client_token))
        if row.community_id is None:
            raise RuntimeError("a client token points to no ticket")
        return Opened(queries.ticket_for(acting_user, Ref(row.community_id, row.ticket_id)), fresh=False)
    ticket = _register(
        report,
        ticket_id=ticket_id,
        channel=Channel.MINI_PROGRAM,
        actor=Actor(ActorKind.RESIDENT, acting_user),
        reporter_id=acting_user,
        text_check=TextCheck.PENDING if report.text else TextCheck.NONE,
        photo_owner=acting_user,
    )
    _CLAIMED_FOR.write(tap | {"community_id": ticket.community_id})
    if report.text:
        outbox.put(
            community_id=ticket.community_id,
            kind=CHECK_TEXT,
            payload={"ticket_id": str(ticket.id)},
            idem=f"check_text:{ticket.id}",
        )
    steps.tell(ticket, NoticeKind.TICKET_RECEIVED, accept_by=steps.clock_words(ticket.accept_by))
    return Opened(ticket, fresh=True)


def take_in(
    report: Report,
    *,
    channel: Channel,
    acting_user: StaffActor,
    reporter_name: str | None = None,
    reporter_phone: str | None = None,
    reporter_house: Ref | None = None,
) -> Ticket:
    """Intake on behalf of somebody (代客上报): by phone, visit or patrol. Raises as `open_ticket`, NotFound
    for a place outside her reach.

    `reporter_house` is the place where the report names none. Property staff take in what they see on patrol, in the
    estates that their company serves, and nothing else (PermissionMissing).
    """
    if channel is not Channel.PATROL and not acting_user.may(Permission.TICKET_INTAKE):
        raise PermissionMissing
    if reporter_house is not None:
        report = _at_home(report, reporter_house, acting_user)
    ticket = _register(
        report,
        ticket_id=ids.new_id(),
        channel=channel,
        actor=acting_user.actor,
        reporter_id=None,
        text_check=TextCheck.NONE,
        photo_owner=acting_user.id,
        reporter_name=reporter_name,
        contact_phone=reporter_phone or report.contact_phone,
    )
    if not queries.may(acting_user, ticket, Permission.TICKET_INTAKE) and not (
        channel is Channel.PATROL and queries.patrols_at(acting_user, ticket)
    ):
        raise NotFound
    return ticket


def _at_home(report: Report, house: Ref, staff: StaffActor) -> Report:
    """The report with the estate and the room of this house where it names no place of its own."""
    homes = {community for grant in staff.grants for community in grant.homes}
    if not staff.may(Permission.TICKET_INTAKE) or house.community_id not in homes:
        raise NotFound
    view = registry.view_of(registry.house_for(places.estates_at_home([house.community_id]), house))
    estate = Ref(house.community_id, view.house.estate_id)
    if report.location is not None or report.estate not in {None, estate}:
        return report
    room = f"{view.building}{view.unit}{view.house.number}"
    return replace(report, estate=estate, address=report.address or room)


def take_in_from_source(
    report: Report,
    *,
    ticket_id: UUID,
    number: str,
    channel: Channel,
    source_id: UUID,
    place: tuple[int, UUID | None],
    place_why: str,
    reporter_name: str | None,
    reporter_phone: str | None,
) -> Ticket:
    """Intake by machine, at a place that `app.tickets.intake` has found. Raises BadPosition, NothingReported."""
    return _register(
        report,
        ticket_id=ticket_id,
        channel=channel,
        actor=Actor(ActorKind.MACHINE, source_id),
        reporter_id=None,
        text_check=TextCheck.NONE,
        photo_owner=source_id,
        reporter_name=reporter_name,
        contact_phone=reporter_phone,
        place=place,
        number=number,
        why=place_why,
    )


def _register(
    report: Report,
    *,
    ticket_id: UUID,
    channel: Channel,
    actor: Actor,
    reporter_id: UUID | None,
    text_check: TextCheck,
    photo_owner: UUID,
    reporter_name: str | None = None,
    contact_phone: str | None = None,
    place: tuple[int, UUID | None] | None = None,
    number: str | None = None,
    **said: Any,
) -> Ticket:
    category = _category(report.category)
    contact_phone = contact_phone or report.contact_phone
    if not report.text and not report.photo_ids:
        raise NothingReported(errors={"text": [(NothingReported.zh, NothingReported.en)]})
    if len(report.photo_ids) > MAX_PHOTOS:
        raise TooManyPhotos
    if (
        category is not None
        and category.needs_photo
        and not report.photo_ids
        and channel is Channel.MINI_PROGRAM
    ):
        raise PhotoRequired(errors={"photo_ids": [(PhotoRequired.zh, PhotoRequired.en)]})
    if actor.kind is not ActorKind.MACHINE:  # another system's extra words are kept as they came
        check_answers(category.questions if category else [], report.answers)
    community_id, estate_id = place if place is not None else _place(report, reporter_id)
    suggested = queries.suggest_categories(report.text, most=1) if report.text and category is None else []
    now = clock.now()
    urgent = report.urgent or (category is not None and category.is_urgent)
    limit = steps.limit_for(category, urgent=urgent)
    promised = clocks.promise(now, limit=limit, calendar=queries.calendar_from(now))
    grid_id = places.grid_covering(Ref(community_id, estate_id)) if estate_id is not None else None
    contact_hash = crypto.keys().keyed_hash(contact_phone, "ticket_contact") if contact_phone else None
    ticket = Ticket(
        community_id=community_id,
        id=ticket_id,
        number=number or next_number(community_id, now),
        status=TicketStatus.RECEIVED,
        channel=channel,
        category_code=category.code if category else None,
        suggested_category=suggested[0].code if suggested else None,
        suggested_why=list(suggested[0].why) if suggested else None,
        is_urgent=urgent,
        text=report.text,
        text_check=text_check,
        answers=dict(report.answers),
        reporter_id=reporter_id,
        is_anonymous=report.anonymous,
        reporter_name_sealed=steps.sealed(reporter_name, f"reporter_name:{ticket_id}"),
        contact_phone_sealed=steps.sealed(contact_phone, f"contact_phone:{ticket_id}"),
        contact_hash=contact_hash,
        taken_in_by=actor.id if actor.kind is ActorKind.STAFF else None,
        estate_id=estate_id,
        grid_id=grid_id,
        lng=report.location.point.lng if report.location else None,
        lat=report.location.point.lat if report.location else None,
        accuracy_m=report.location.accuracy_m if report.location else None,
        address=(report.location.address if report.location else None) or report.address,
        reported_at=now,
        accept_by=promised.accept_by,
        dispatch_by=promised.dispatch_by,
        due_at=promised.close_by,
        stage_due_at=promised.accept_by,
        watch_at=min(promised.accept_by, promised.close_by - clocks.WARN_BEFORE),
        stages_late=0,
        stage_level=0,
        me_too=0,
        is_repeated=queries.is_repeat(
            reporter_id=reporter_id,
            contact_hash=contact_hash,
            community_id=community_id,
            estate_id=estate_id,
            point=report.location.point if report.location else None,
            category=category.code if category else None,
        ),
        reopened=0,
        version=1,
        last_seq=1,
        updated_at=now,
    )
    db.session().add(ticket)
    letters.keep(ticket)
    photos = steps.attach(ticket, photo_owner, report.photo_ids, stage="before")
    steps.event(
        ticket,
        Move.REPORT,
        actor,
        from_status=None,
        photos=photos,
        at=now,
        is_first=True,
        limit=limit.as_data(),
        urgent=urgent,
        called_urgent=report.urgent,
        **said,
    )
    return ticket


def _category(code: str | None) -> CategoryTerm | None:
    if code is None:
        return None
    found = queries.category(code)
    if found is None:
        raise UnknownCategory(errors={"category": [(UnknownCategory.zh, UnknownCategory.en)]})
    return found


def _place(report: Report, reporter_id: UUID | None) -> tuple[int, UUID | None]:
    """The community and estate of a report: the estate she names, else where she stands, else where she lives. Who is a
    member in several estates has to say which.
    """
    if report.location is not None:
        point = report.location.point
        if not (math.isfinite(point.lng) and math.isfinite(point.lat) and in_china(point)):
            raise BadPosition(errors={"location": [(BadPosition.zh, BadPosition.en)]})
    if report.estate is not None:
        try:
            estate = places.estate(report.estate)
        except NotFound as e:
            raise UnknownEstate(errors={"estate_id": [(UnknownEstate.zh, UnknownEstate.en)]}) from e
        return estate.community_id, estate.id
    if report.location is None and reporter_id is not None:
        homes = memberships.my_estates(reporter_id)
        if len(homes) == 1:
            return homes[0].community_id, homes[0].id
    offered = _offer_estates(reporter_id)
    if report.location is None and reporter_id is None:
        raise EstateMissing(errors={"estate_id": [(EstateMissing.zh, EstateMissing.en)]})
    if report.location is None:
        raise WhereMissing(extra={"estates": offered})
    here = places.estate_at(report.location.point)
    if here is None:
        raise OutsideService(extra={"estates": offered})
    return here.community_id, here.id


def _offer_estates(reporter_id: UUID | None) -> list[dict[str, str]]:
    if reporter_id is None:
        return []
    refs = queries.her_estates(reporter_id)
    known = places.estates(refs)
    return [
        {"estate_id": ids.encode(Kind.ESTATE, ref), "name": known[ref].name} for ref in refs if ref in known
    ]


def next_number(community_id: int, now: datetime) -> str:
    """The human number: community, year, running number, e.g. BS0101-26-000042. Gaps don't occur: a rolled-back
    report rolls its number back.
    """
    year = clock.in_shanghai(now).year
    ((last,),) = _NEXT_NUMBER.within({"community_id": community_id, "year": year})
    return f"BS{community_id:04d}-{year % 100:02d}-{last:06d}"


def open_counter(community_id: int) -> None:
    """Periodic jobs know by its counter that a community has tickets, also when all came from elsewhere."""
    db.session().execute(
        insert(NumberCounter)
        .values(community_id=community_id, year=clock.in_shanghai(clock.now()).year, last=0)
        .on_conflict_do_nothing(index_elements=["community_id", "year"])
    )


# --- the desk's moves ------------------------------------------------------------------------------------


def accept(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """受理. From now run 5 minutes to dispatch and the limit to close, which never ends later than was promised."""
    ticket = steps.staff_ticket(acting_user, ref, Move.ACCEPT, version)
    limit = steps.limit_of(ticket)
    before = steps.go(ticket, Move.ACCEPT)
    now = clock.now()
    ticket.accepted_at = now
    ticket.dispatch_by = now + clocks.DISPATCH_WITHIN
    steps.event(ticket, Move.ACCEPT, acting_user.actor, from_status=before, at=now, limit=limit.as_data())
    steps.tell(ticket, NoticeKind.TICKET_ACCEPTED)
    return ticket


def reject(
    ref: Ref,
    *,
    reason: str,
    ground: Ground | None = None,
    acting_user: StaffActor,
    version: int | None = None,
) -> Ticket:
    """不予受理, on a ground of the rules where one is named, with a reason; the reporter reads both."""
    ticket = steps.staff_ticket(acting_user, ref, Move.REJECT, version)
    before = steps.go(ticket, Move.REJECT)
    ticket.ended_at = clock.now()
    words = told(ground, reason)
    said: dict[str, Any] = {"ground": ground.value} if ground is not None else {}
    steps.event(ticket, Move.REJECT, acting_user.actor, from_status=before, words=words, **said)
    steps.tell(ticket, NoticeKind.TICKET_REJECTED, note=words)
    return ticket


def classify(ref: Ref, *, category: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """Set or correct the category, before the dispatch. Raises UnknownCategory.

    An urgent class makes the ticket urgent: 24 hours from the report, however long it has waited, and no pause. A
    later class that isn't urgent takes back what only the class had made urgent; what the reporter called urgent, and
    what an urgent ticket was merged into, stays so.
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.CLASSIFY, version)
    found = _category(category)
    assert found is not None  # a given code is either found or refused
    before = steps.go(ticket, Move.CLASSIFY)
    called_urgent = steps.is_called_urgent(ticket)
    old, ticket.category_code = ticket.category_code, found.code
    letters.keep(ticket)
    ticket.is_urgent = called_urgent or found.is_urgent
    ticket.is_repeated = queries.is_repeat(
        reporter_id=ticket.reporter_id,
        contact_hash=ticket.contact_hash,
        community_id=ticket.community_id,
        estate_id=ticket.estate_id,
        point=Point(ticket.lng, ticket.lat) if ticket.lng is not None and ticket.lat is not None else None,
        category=found.code,
        before=ticket.reported_at,
    )
    steps.event(
        ticket,
        Move.CLASSIFY,
        acting_user.actor,
        from_status=before,
        visibility=Visibility.INTERNAL,
        old=old,
        new=found.code,
        **steps.urgency(ticket),
    )
    return ticket


def dispatch(
    ref: Ref,
    *,
    acting_user: StaffActor,
    org_id: UUID | None = None,
    staff_id: UUID | None = None,
    co_orgs: Sequence[UUID] = (),
    note: str | None = None,
    version: int | None = None,
) -> Ticket:
    """派单 to an organisation (and one of its people). Without one: by the dispatch rules, else by who answers for
    class and place, else the community's desk; the person by the rule's post. What led there stands in the event.
    `co_orgs` assist (协办): each gets a task of its own, with the note as its words.

    Raises UnknownOrg, UnknownHandler, NoDesk.
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.DISPATCH, version)
    given = _give(ticket, org_id, staff_id)
    org = given.org
    before = steps.go(ticket, Move.DISPATCH)
    ticket.org_id, ticket.handler_id, ticket.dispatch_why = org.id, given.staff_id, given.why
    ticket.dispatched_at, ticket.started_at = clock.now(), None
    ticket.resolved_at = ticket.resolver_id = None
    holding.set_lead(ticket)
    steps.event(
        ticket,
        Move.DISPATCH,
        acting_user.actor,
        from_status=before,
        org_id=org.id,
        **given.as_data(),
    )
    if given.staffed is not None and given.staff_id is not None:
        duty.note_given(given.staffed.post, given.staff_id, places_now=given.staffed.places_now)
    assisting.call_all_in(ticket, co_orgs, task=note, acting_user=acting_user)
    if note:
        _note(ticket, acting_user, note)
    steps.tell(ticket, NoticeKind.TICKET_DISPATCHED, org=org.name, close_by=steps.clock_words(ticket.due_at))
    return ticket


def _give(ticket: Ticket, org_id: UUID | None, staff_id: UUID | None) -> giving.Given:
    """Where it goes. Somebody whom the desk names gets it, on shift or not: then the event says so."""
    case = giving.case_of(ticket)
    if org_id is None:
        found = giving.find_unit(case)
        if found is None:
            raise NoDesk
    else:
        chosen = places.org(org_id)
        if (
            chosen is None
            or not chosen.is_active
            or org_id not in places.orgs_answering_in(ticket.community_id)
        ):
            raise UnknownOrg(errors={"org_id": [(UnknownOrg.zh, UnknownOrg.en)]})
        found = giving.chosen_unit(case, chosen)
    if staff_id is None:
        return giving.staff(found, case, lock=True)
    if not people_queries.works_for(staff_id, found.org.id):
        raise UnknownHandler(errors={"staff_id": [(UnknownHandler.zh, UnknownHandler.en)]})
    off_shift = giving.is_off_shift(staff_id, found.org.id, case)
    return giving.Given(found.org, found.why, case.at, staff_id=staff_id, off_shift=off_shift)


def _note(ticket: Ticket, staff: StaffActor, note: str) -> None:
    """What colleagues tell each other beside a move; the reporter doesn't read it."""
    steps.event(
        ticket,
        Move.COMMENT,
        staff.actor,
        from_status=ticket.status,
        words=note,
        visibility=Visibility.INTERNAL,
    )


def verify(
    ref: Ref, *, passed: bool, note: str | None = None, acting_user: StaffActor, version: int | None = None
) -> Ticket:
    """核实, by somebody else than who resolved it, and nobody of the property company that did; failed, it goes back
    to work. Raises OwnWork.
    """
    move = Move.VERIFY if passed else Move.REWORK
    ticket = steps.staff_ticket(acting_user, ref, move, version)
    if queries.is_own_work(acting_user, ticket):
        raise OwnWork
    before = steps.go(ticket, move)
    steps.event(ticket, move, acting_user.actor, from_status=before, words=note, org_id=ticket.org_id)
    if passed:
        ticket.verified_at = clock.now()
        steps.tell(ticket, NoticeKind.TICKET_VERIFIED)
    else:
        ticket.resolved_at = ticket.resolver_id = None
        steps.tell(ticket, NoticeKind.TICKET_REWORK, org=steps.org_name(ticket))
    return ticket


def close(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """结案, with what the class has to say at the end. The reporter may rate it from now on."""
    ticket = steps.staff_ticket(acting_user, ref, Move.CLOSE, version)
    before = steps.go(ticket, Move.CLOSE)
    ticket.closed_at = ticket.ended_at = clock.now()
    ticket.closer_org_id = ticket.org_id
    held = queries.class_of(ticket.category_code)
    closing = held.closing_text if held is not None else None
    steps.event(
        ticket,
        Move.CLOSE,
        acting_user.actor,
        from_status=before,
        words=closing,
        due_at=ticket.due_at.isoformat(),
    )
    steps.tell(ticket, NoticeKind.TICKET_CLOSED, closing=closing or "")
    return ticket


# --- the handler's moves ---------------------------------------------------------------------------------


def start(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """开始处理, by somebody of the organisation that has the ticket."""
    ticket = steps.staff_ticket(acting_user, ref, Move.START, version)
    before = steps.go(ticket, Move.START)
    ticket.started_at, ticket.handler_id = clock.now(), acting_user.id
    steps.event(ticket, Move.START, acting_user.actor, from_status=before, org_id=ticket.org_id)
    steps.tell(ticket, NoticeKind.TICKET_STARTED, org=steps.org_name(ticket))
    return ticket


def return_ticket(ref: Ref, *, reason: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """退单, with a reason: it goes back to the desk, which the reporter sees without the reason.

    首接负责: until another unit has taken it, it stays with this one. Raises TooManyHops after three returns
    and when this unit has returned it before (a unit that was designated again may not return it twice).
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.RETURN, version)
    if not queries.may_be_returned(ticket):
        raise TooManyHops
    before = steps.go(ticket, Move.RETURN)
    holding.lapse_extensions(ticket)
    ticket.returns += 1
    steps.event(
        ticket,
        Move.RETURN,
        acting_user.actor,
        from_status=before,
        words=reason,
        org_id=ticket.org_id,
        visibility=Visibility.INTERNAL,
    )
    return ticket


def resolve(
    ref: Ref,
    *,
    note: str,
    photo_ids: Sequence[UUID],
    acting_user: StaffActor,
    version: int | None = None,
) -> Ticket:
    """处理完毕, with a note and after-photos (which are needed where the category needs photos).

    Raises PhotoRequired, TooManyPhotos, PhotoUnknown, PhotoUnusable.
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.RESOLVE, version)
    category = queries.class_of(ticket.category_code)
    if any(part.done_at is None and part.kind == PartKind.ASSIST for part in queries.parts_of(ticket)):
        raise PartsOpen
    if not photo_ids and (category is None or category.needs_photo):
        raise PhotoRequired(errors={"photo_ids": [(PhotoRequired.zh, PhotoRequired.en)]})
    if len(photo_ids) > MAX_PHOTOS:
        raise TooManyPhotos
    before = steps.go(ticket, Move.RESOLVE)
    holding.lapse_extensions(ticket)
    photos = steps.attach(ticket, acting_user.id, photo_ids, stage="after")
    ticket.resolved_at, ticket.resolver_id = clock.now(), acting_user.id
    ticket.first_resolved_at = ticket.first_resolved_at or ticket.resolved_at
    steps.event(
        ticket,
        Move.RESOLVE,
        acting_user.actor,
        from_status=before,
        words=note,
        org_id=ticket.org_id,
        photos=photos,
    )
    steps.tell(ticket, NoticeKind.TICKET_RESOLVED, org=steps.org_name(ticket), note=note)
    return ticket


# --- comments and reopening, from both sides -------------------------------------------------------------


def comment_as_staff(
    ref: Ref, *, text: str, visibility: Visibility, acting_user: StaffActor, version: int | None = None
) -> Ticket:
    """A word to the reporter, or among colleagues."""
    ticket = steps.staff_ticket(acting_user, ref, Move.COMMENT, version)
    before = steps.go(ticket, Move.COMMENT)
    org = next((g.org_id for g in queries.grants_covering(acting_user, ticket)), None)
    steps.event(
        ticket,
        Move.COMMENT,
        acting_user.actor,
        from_status=before,
        words=text,
        visibility=visibility,
        org_id=org,
    )
    if visibility is Visibility.REPORTER:
        # What is said to the reporter isn't for those who joined.
        steps.tell(ticket, NoticeKind.TICKET_COMMENTED, only_reporter=True, note=text)
    return ticket


def reopen_as_staff(ref: Ref, *, reason: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """重新办理: back to the desk, with a new clock."""
    ticket = steps.staff_ticket(acting_user, ref, Move.REOPEN, version)
    _reopen(ticket, acting_user.actor, reason)
    return ticket


def comment_as_resident(ref: Ref, *, text: str, acting_user: UUID, version: int | None = None) -> Ticket:
    """A word of the reporter to those who handle it."""
    ticket = steps.resident_ticket(acting_user, ref, Move.COMMENT, version)
    before = steps.go(ticket, Move.COMMENT)
    steps.event(ticket, Move.COMMENT, Actor(ActorKind.RESIDENT, acting_user), from_status=before, words=text)
    return ticket


def withdraw(ref: Ref, *, acting_user: UUID, version: int | None = None) -> Ticket:
    """撤回, as long as nobody has been sent and nobody else has the same problem. Raises SharedProblem."""
    ticket = steps.resident_ticket(acting_user, ref, Move.WITHDRAW, version)
    if queries.audience(ticket):
        raise SharedProblem
    before = steps.go(ticket, Move.WITHDRAW)
    ticket.ended_at = clock.now()
    steps.event(ticket, Move.WITHDRAW, Actor(ActorKind.RESIDENT, acting_user), from_status=before)
    steps.tell(ticket, NoticeKind.TICKET_WITHDRAWN)
    return ticket


def reopen_as_resident(ref: Ref, *, reason: str, acting_user: UUID, version: int | None = None) -> Ticket:
    """Not fixed after all: reopen within 15 days of closing. Raises RatingClosed after that."""
    ticket = steps.resident_ticket(acting_user, ref, Move.REOPEN, version)
    _within_rating(ticket)
    _reopen(ticket, Actor(ActorKind.RESIDENT, acting_user), reason)
    return ticket


def _within_rating(ticket: Ticket) -> None:
    if ticket.closed_at is None or clock.now() > ticket.closed_at + clocks.RATE_WITHIN:
        raise RatingClosed


def _reopen(ticket: Ticket, actor: Actor, reason: str) -> None:
    before = steps.go(ticket, Move.REOPEN)
    now = clock.now()
    ticket.reopened += 1
    ticket.accepted_at = now
    ticket.dispatch_by = now + clocks.DISPATCH_WITHIN
    ticket.dispatched_at = ticket.started_at = ticket.resolved_at = None
    ticket.verified_at = ticket.closed_at = ticket.ended_at = None
    ticket.handler_id = ticket.resolver_id = None
    ticket.warned_at = ticket.breached_at = None
    ticket.supervise_level = ticket.returns = 0
    # The new run counts; the desk may leave it out again once it is closed.
    lifted: dict[str, Any] = {"exclusion_lifted": True} if ticket.is_excluded else {}
    ticket.is_excluded = False
    limit = steps.limit_of(ticket)
    steps.event(
        ticket,
        Move.REOPEN,
        actor,
        from_status=before,
        words=reason,
        at=now,
        limit=limit.as_data(),
        **lifted,
    )
    steps.tell(ticket, NoticeKind.TICKET_REOPENED)


def against(ticket: Ticket, *, stars: int, solved: bool) -> dict[str, Any]:
    """For the event of a rating or a callback: whom a dissatisfied reporter counts against, who had fixed it."""
    if ticket.closer_org_id is None or (solved and stars > 2):
        return {}
    return {"against": str(ticket.closer_org_id)}


def reopen_after_callback(ticket: Ticket, *, actor: Actor, reason: str) -> None:
    """The reporter said on the phone that it isn't solved."""
    _reopen(ticket, actor, reason)


def rate(
    ref: Ref, *, stars: int, solved: bool, text: str | None, acting_user: UUID, version: int | None = None
) -> Ticket:
    """Rate a closed ticket within 15 days: 5-4 satisfied, 3 basically, 2-1 not. Not solved reopens it.

    Raises RatingClosed, AlreadyRated.
    """
    ticket = steps.resident_ticket(acting_user, ref, Move.RATE, version)
    _within_rating(ticket)
    if ticket.rated_at is not None and ticket.closed_at is not None and ticket.rated_at >= ticket.closed_at:
        raise AlreadyRated
    before = steps.go(ticket, Move.RATE)
    ticket.rating_stars, ticket.rating_solved, ticket.rated_at = stars, solved, clock.now()
    actor = Actor(ActorKind.RESIDENT, acting_user)
    steps.event(
        ticket,
        Move.RATE,
        actor,
        from_status=before,
        words=text,
        stars=stars,
        solved=solved,
        **against(ticket, stars=stars, solved=solved),
    )
    if not solved:
        _reopen(ticket, actor, text or "居民评价：问题没有解决")
    return ticket


# --- what jobs record ------------------------------------------------------------------------------------


def text_checked(ref: Ref, *, verdict: TextCheck) -> None:
    """WeChat's verdict on the words; a verdict stays. The ticket goes on whatever it says.

    Where the ticket has been referred in the meantime, its successor shows the verdict too.
    """
    where: Ref | None = ref
    while where is not None:
        ticket = db.session().get(Ticket, where, with_for_update=True)
        if ticket is None:
            return
        if ticket.text_check == TextCheck.PENDING:
            ticket.text_check = verdict
        where = None
        if ticket.referred_community is not None and ticket.referred_to is not None:
            where = Ref(ticket.referred_community, ticket.referred_to)


def unmask_phone(ref: Ref, *, purpose: str, acting_user: StaffActor) -> str | None:
    """The whole phone left with the report, for a stated purpose; audited. Raises PermissionMissing.

    Where none was left: the reporter's bound one, for those who may know her (the desk, her grid worker); a
    property company gets only what she left for it.
    """
    ticket = queries.ticket_for_staff(acting_user, ref)
    if not queries.may(acting_user, ticket, Permission.TICKET_UNMASK) or not queries.knows_reporter(
        acting_user, ticket
    ):
        raise PermissionMissing
    audit.record(
        acting_user.actor,
        "ticket.phone_unmasked",
        community_id=ticket.community_id,
        object_kind=OBJECT_KIND,
        object_id=ticket.id,
        purpose=purpose,
    )
    phone = queries.contact_phone(ticket)
    may_know_her = queries.may(acting_user, ticket, Permission.TICKET_IDENTITY)
    if phone is None and may_know_her and ticket.reporter_id is not None:
        reporter = people_queries.resident(ticket.reporter_id)
        phone = people_queries.phone_of(reporter) if reporter is not None else None
    return phone


def erase_photo_positions(*, community_id: int) -> int:
    """Erase where photos were taken of tickets that ended more than 30 days ago. Returns how many photos had it."""
    edge = clock.now() - POSITION_KEPT
    # A year back covers any stopped scheduler without reading all of history every night.
    ticket_ids = queries.ended_before(community_id, edge, after=edge - timedelta(days=365))
    return media.erase_positions(community_id=community_id, object_kind=OBJECT_KIND, object_ids=ticket_ids)


def forget_positions(*, acting_user: UUID) -> None:
    """Consent withdrawn (个人信息保护法 15, 47): erase where all her photos were taken, attached or not."""
    media.forget_waiting_positions(owner_id=acting_user)
    by_community: dict[int, list[UUID]] = {}
    for ref in people_queries.all_mine(acting_user, INDEX_KIND):
        by_community.setdefault(ref.community_id, []).append(ref.id)
    for community_id, ticket_ids in by_community.items():
        # Among them are tickets she only joined, whose pictures are another's.
        media.erase_positions(
            community_id=community_id, object_kind=OBJECT_KIND, object_ids=ticket_ids, owner_id=acting_user
        )


def communities_with_tickets() -> list[int]:
    """Communities that have closed tickets; for periodic jobs."""
    rows = db.session().scalars(
        select(NumberCounter.community_id).distinct().execution_options(cross_community="periodic jobs")
    )
    return list(rows)
