"""Writing tickets: the report and every move after it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app import audit, clock, crypto, db, ids, outbox
from app.audit import Actor, ActorKind
from app.errors import NotFound, StaleVersion
from app.ids import Kind, Ref
from app.media import service as media
from app.media.models import Photo
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from app.people import queries as people_queries
from app.people import service as people
from app.people.errors import PermissionMissing
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.coordinates import Point, in_china
from app.sources import service as sources
from app.tickets import clocks, queries
from app.tickets.classes import check_answers
from app.tickets.errors import (
    AlreadyRated,
    BadPosition,
    IllegalMove,
    NoDesk,
    NothingReported,
    OutsideService,
    OwnWork,
    PhotoRequired,
    RatingClosed,
    TooManyPhotos,
    UnknownCategory,
    UnknownEstate,
    UnknownHandler,
    UnknownOrg,
    WhereMissing,
)
from app.tickets.models import (
    FROM_SOURCES,
    CategoryTerm,
    Channel,
    ClientToken,
    NumberCounter,
    TextCheck,
    Ticket,
    TicketEvent,
    TicketStatus,
    Visibility,
)
from app.tickets.moves import BY_HOLDER, MOVES, Move, allowed_from
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


class Opened(NamedTuple):
    """The ticket of a report; `fresh` is False when this tap had made it before."""

    ticket: Ticket
    fresh: bool


# --- the report ------------------------------------------------------------------------------------------


def open_ticket(report: Report, *, client_token: str, acting_user: UUID) -> Opened:
    """The one-tap report (一键上报) of a resident.

    The same `client_token` of the same resident finds the first ticket, whatever else is in the report.
    Raises WhereMissing, OutsideService, BadPosition, UnknownEstate, NothingReported, UnknownCategory, BadAnswers,
    PhotoRequired, TooManyPhotos, PhotoUnknown, PhotoUnusable.
    """
    ticket_id = ids.new_id()
    token = insert(ClientToken).values(
        resident_id=acting_user, token=client_token, ticket_id=ticket_id, created_at=clock.now()
    )
    claimed = db.session().scalar(
        token.on_conflict_do_nothing(index_elements=["resident_id", "token"]).returning(ClientToken.ticket_id)
    )
    row = db.session().get_one(ClientToken, (acting_user, client_token))
    if claimed is None:
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
    row.community_id = ticket.community_id
    if report.text:
        outbox.put(
            community_id=ticket.community_id,
            kind=CHECK_TEXT,
            payload={"ticket_id": str(ticket.id)},
            idem=f"check_text:{ticket.id}",
        )
    _tell(ticket, NoticeKind.TICKET_RECEIVED, accept_by=_clock_words(ticket.accept_by))
    return Opened(ticket, fresh=True)


def take_in(
    report: Report,
    *,
    channel: Channel,
    acting_user: StaffActor,
    reporter_name: str | None = None,
    reporter_phone: str | None = None,
) -> Ticket:
    """Intake on behalf of somebody (代客上报): by phone, visit or patrol. Raises as `open_ticket`, NotFound
    for a place outside her reach.
    """
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
    if not queries.may(acting_user, ticket, Permission.TICKET_INTAKE):
        raise NotFound
    return ticket


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
        raise NothingReported
    if len(report.photo_ids) > MAX_PHOTOS:
        raise TooManyPhotos
    if (
        category is not None
        and category.needs_photo
        and not report.photo_ids
        and channel is Channel.MINI_PROGRAM
    ):
        raise PhotoRequired(errors={"photo_ids": [(PhotoRequired.zh, PhotoRequired.en)]})
    if channel not in FROM_SOURCES:  # another system's extra words are kept as they came
        check_answers(category.questions if category else [], report.answers)
    community_id, estate_id = place if place is not None else _place(report, reporter_id)
    suggested = queries.suggest_categories(report.text, most=1) if report.text and category is None else []
    now = clock.now()
    urgent = report.urgent or (category is not None and category.is_urgent)
    promised = clocks.promise(now, urgent=urgent, is_working=queries.working_days(now))
    grid_id = places.grid_covering(Ref(community_id, estate_id)) if estate_id is not None else None
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
        reporter_name_sealed=_sealed(reporter_name, f"reporter_name:{ticket_id}"),
        contact_phone_sealed=_sealed(contact_phone, f"contact_phone:{ticket_id}"),
        estate_id=estate_id,
        grid_id=grid_id,
        lng=report.location.point.lng if report.location else None,
        lat=report.location.point.lat if report.location else None,
        accuracy_m=report.location.accuracy_m if report.location else None,
        address=report.location.address if report.location else None,
        reported_at=now,
        accept_by=promised.accept_by,
        dispatch_by=promised.dispatch_by,
        due_at=promised.close_by,
        reopened=0,
        version=1,
        last_seq=0,
        updated_at=now,
    )
    db.session().add(ticket)
    db.session().flush()  # photos and events point to it
    photos = _attach(ticket, photo_owner, report.photo_ids, stage="before")
    _event(ticket, Move.REPORT, actor, from_status=None, photos=photos, **said)
    return ticket


def _category(code: str | None) -> CategoryTerm | None:
    if code is None:
        return None
    found = queries.category(code)
    if found is None:
        raise UnknownCategory(errors={"category": [(UnknownCategory.zh, UnknownCategory.en)]})
    return found


def _place(report: Report, reporter_id: UUID | None) -> tuple[int, UUID | None]:
    """The community and estate of a report: the estate she names, else where she stands."""
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
    offered = _offer_estates(reporter_id)
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


def _sealed(value: str | None, context: str) -> bytes | None:
    return crypto.keys().encrypt(value.encode(), context) if value else None


def next_number(community_id: int, now: datetime) -> str:
    """The human number: community, year, running number, e.g. BS0101-26-000042. Gaps don't occur: a rolled-back
    report rolls its number back.
    """
    year = clock.in_shanghai(now).year
    counter = insert(NumberCounter).values(community_id=community_id, year=year, last=1)
    last = db.session().scalar(
        counter.on_conflict_do_update(
            index_elements=["community_id", "year"], set_={"last": NumberCounter.last + 1}
        ).returning(NumberCounter.last)
    )
    return f"BS{community_id:04d}-{year % 100:02d}-{last:06d}"


def _attach(ticket: Ticket, owner: UUID, upload_ids: Sequence[UUID], *, stage: str) -> list[Photo]:
    if not upload_ids:
        return []
    return media.attach(
        owner_id=owner,
        upload_ids=upload_ids,
        community_id=ticket.community_id,
        object_kind=OBJECT_KIND,
        object_id=ticket.id,
        stage=stage,
    )


# --- events, notices, checks common to all moves ---------------------------------------------------------


def _event(
    ticket: Ticket,
    move: Move,
    actor: Actor,
    *,
    from_status: str | None,
    words: str | None = None,
    visibility: Visibility = Visibility.REPORTER,
    org_id: UUID | None = None,
    photos: Sequence[Photo] = (),
    **data: Any,
) -> TicketEvent:
    event_id = ids.new_id()
    sealed, key_of = None, None
    if words:
        context = queries.words_context(event_id)
        if actor.kind is ActorKind.RESIDENT and actor.id is not None:
            sealed, key_of = people.seal_words(person_id=actor.id, words=words, context=context), actor.id
        else:
            sealed = crypto.keys().encrypt(words.encode(), context)
    ticket.last_seq += 1
    ticket.updated_at = clock.now()
    if photos:
        data["photo_ids"] = [str(photo.id) for photo in photos]
    event = TicketEvent(
        community_id=ticket.community_id,
        id=event_id,
        ticket_id=ticket.id,
        seq=ticket.last_seq,
        at=ticket.updated_at,
        kind=move,
        from_status=from_status,
        to_status=ticket.status,
        visibility=visibility,
        actor_kind=actor.kind,
        actor_id=actor.id,
        org_id=org_id,
        words_sealed=sealed,
        words_key_of=key_of,
        data=data,
    )
    db.session().add(event)
    audit.record(
        actor,
        f"ticket.{move.value}",
        community_id=ticket.community_id,
        object_kind=OBJECT_KIND,
        object_id=ticket.id,
    )
    if from_status != ticket.status:
        _tell_source(ticket, event, words)
    if ticket.reporter_id is not None:
        people.remember(
            resident_id=ticket.reporter_id, kind=INDEX_KIND, ref=Ref(ticket.community_id, ticket.id)
        )
    return event


def _tell_source(ticket: Ticket, event: TicketEvent, words: str | None) -> None:
    """Owe the system that handed the ticket in its new status; what is internal stays so."""
    sources.status_changed(
        Ref(ticket.community_id, ticket.id),
        status=ticket.status,
        at=event.at,
        org_id=ticket.org_id,
        note=words if event.visibility == Visibility.REPORTER else None,
    )


def _clock_words(at: datetime) -> str:
    there = clock.in_shanghai(at)
    if there.hour == there.minute == 0:  # a day ends at 24:00, which people read as the day before
        there -= timedelta(minutes=1)
        return f"{there.month}月{there.day}日24:00"
    return f"{there.month}月{there.day}日{there:%H:%M}"


def _tell(ticket: Ticket, kind: NoticeKind, **params: str) -> None:
    if ticket.reporter_id is None:
        return
    messaging.notify(
        resident_id=ticket.reporter_id,
        kind=kind,
        community_id=ticket.community_id,
        idem=f"ticket:{ticket.id}:{ticket.last_seq}",
        params={"number": ticket.number, **params},
        target=("ticket", ids.encode(Kind.TICKET, Ref(ticket.community_id, ticket.id))),
    )


def _refuse_illegal(ticket: Ticket, move: Move) -> None:
    if ticket.status not in MOVES[move].sources:
        raise IllegalMove(extra={"ticket_status": ticket.status, "allowed": allowed_from(ticket.status)})


def _staff_ticket(staff: StaffActor, ref: Ref, move: Move, version: int | None) -> Ticket:
    """The locked ticket, once everything that speaks against the move has been asked."""
    ticket = queries.ticket_for_staff(staff, ref, lock=True)
    permission = MOVES[move].permission
    if permission is None or not queries.may(staff, ticket, permission):
        raise PermissionMissing
    if version is not None and ticket.version != version:
        raise StaleVersion
    _refuse_illegal(ticket, move)
    if move in BY_HOLDER and ticket.org_id not in staff.org_ids:
        raise PermissionMissing
    return ticket


def _resident_ticket(resident_id: UUID, ref: Ref, move: Move, version: int | None = None) -> Ticket:
    ticket = queries.ticket_for(resident_id, ref, lock=True)
    if version is not None and ticket.version != version:
        raise StaleVersion
    _refuse_illegal(ticket, move)
    return ticket


def _go(ticket: Ticket, move: Move) -> str:
    """Set the state that the table names; returns the one before."""
    before = ticket.status
    target = MOVES[move].target
    if target is not None:
        ticket.status = target
    ticket.version += 1
    return before


# --- the desk's moves ------------------------------------------------------------------------------------


def accept(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """受理. From now run 5 minutes to dispatch and the limit to close, which never ends later than was promised."""
    ticket = _staff_ticket(acting_user, ref, Move.ACCEPT, version)
    before = _go(ticket, Move.ACCEPT)
    now = clock.now()
    ticket.accepted_at = now
    ticket.dispatch_by = now + clocks.DISPATCH_WITHIN
    # A slow desk doesn't move what the resident was promised at the report.
    limit = clocks.close_by(now, urgent=ticket.is_urgent, is_working=queries.working_days(now))
    ticket.due_at = min(ticket.due_at, limit)
    _event(ticket, Move.ACCEPT, acting_user.actor, from_status=before)
    _tell(ticket, NoticeKind.TICKET_ACCEPTED)
    return ticket


def reject(ref: Ref, *, reason: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """不予受理, with a reason that the reporter reads."""
    ticket = _staff_ticket(acting_user, ref, Move.REJECT, version)
    before = _go(ticket, Move.REJECT)
    ticket.ended_at = clock.now()
    _event(ticket, Move.REJECT, acting_user.actor, from_status=before, words=reason)
    _tell(ticket, NoticeKind.TICKET_REJECTED, note=reason)
    return ticket


def classify(ref: Ref, *, category: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """Set or correct the category, before the dispatch. Raises UnknownCategory."""
    ticket = _staff_ticket(acting_user, ref, Move.CLASSIFY, version)
    found = _category(category)
    assert found is not None  # a given code is either found or refused
    before = _go(ticket, Move.CLASSIFY)
    old, ticket.category_code = ticket.category_code, found.code
    _event(
        ticket,
        Move.CLASSIFY,
        acting_user.actor,
        from_status=before,
        visibility=Visibility.INTERNAL,
        old=old,
        new=found.code,
    )
    return ticket


def dispatch(
    ref: Ref,
    *,
    acting_user: StaffActor,
    org_id: UUID | None = None,
    staff_id: UUID | None = None,
    note: str | None = None,
    version: int | None = None,
) -> Ticket:
    """派单 to an organisation (and one of its people). Without one: by category and place, else the community's desk.

    Raises UnknownOrg, UnknownHandler, NoDesk.
    """
    ticket = _staff_ticket(acting_user, ref, Move.DISPATCH, version)
    if org_id is None:
        answer = queries.who_answers(ticket)
        if answer is None:
            raise NoDesk
        org, why = answer.org, answer.why
    else:
        chosen = places.org(org_id)
        if (
            chosen is None
            or not chosen.is_active
            or org_id not in places.orgs_answering_in(ticket.community_id)
        ):
            raise UnknownOrg(errors={"org_id": [(UnknownOrg.zh, UnknownOrg.en)]})
        org, why = chosen, "chosen"
    if staff_id is not None and not people_queries.works_for(staff_id, org.id):
        raise UnknownHandler(errors={"staff_id": [(UnknownHandler.zh, UnknownHandler.en)]})
    before = _go(ticket, Move.DISPATCH)
    ticket.org_id, ticket.handler_id, ticket.dispatch_why = org.id, staff_id, why
    ticket.dispatched_at, ticket.started_at = clock.now(), None
    ticket.resolved_at = ticket.resolver_id = None
    _event(
        ticket,
        Move.DISPATCH,
        acting_user.actor,
        from_status=before,
        org_id=org.id,
        why=why,
    )
    if note:
        _note(ticket, acting_user, note)
    _tell(ticket, NoticeKind.TICKET_DISPATCHED, org=org.name, close_by=_clock_words(ticket.due_at))
    return ticket


def _note(ticket: Ticket, staff: StaffActor, note: str) -> None:
    """What colleagues tell each other beside a move; the reporter doesn't read it."""
    _event(
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
    """核实, by somebody else than who resolved it; failed, it goes back to work. Raises OwnWork."""
    move = Move.VERIFY if passed else Move.REWORK
    ticket = _staff_ticket(acting_user, ref, move, version)
    if ticket.resolver_id == acting_user.id:
        raise OwnWork
    before = _go(ticket, move)
    _event(ticket, move, acting_user.actor, from_status=before, words=note, org_id=ticket.org_id)
    if passed:
        ticket.verified_at = clock.now()
        _tell(ticket, NoticeKind.TICKET_VERIFIED)
    else:
        ticket.resolved_at = ticket.resolver_id = None
        _tell(ticket, NoticeKind.TICKET_REWORK, org=_org_name(ticket))
    return ticket


def close(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """结案, with what the class has to say at the end. The reporter may rate it from now on."""
    ticket = _staff_ticket(acting_user, ref, Move.CLOSE, version)
    before = _go(ticket, Move.CLOSE)
    ticket.closed_at = ticket.ended_at = clock.now()
    held = queries.class_of(ticket.category_code)
    closing = held.closing_text if held is not None else None
    _event(ticket, Move.CLOSE, acting_user.actor, from_status=before, words=closing)
    _tell(ticket, NoticeKind.TICKET_CLOSED, closing=closing or "")
    return ticket


# --- the handler's moves ---------------------------------------------------------------------------------


def start(ref: Ref, *, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """开始处理, by somebody of the organisation that has the ticket."""
    ticket = _staff_ticket(acting_user, ref, Move.START, version)
    before = _go(ticket, Move.START)
    ticket.started_at, ticket.handler_id = clock.now(), acting_user.id
    _event(ticket, Move.START, acting_user.actor, from_status=before, org_id=ticket.org_id)
    _tell(ticket, NoticeKind.TICKET_STARTED, org=_org_name(ticket))
    return ticket


def return_ticket(ref: Ref, *, reason: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """退单, with a reason: it goes back to the desk, which the reporter sees without the reason."""
    ticket = _staff_ticket(acting_user, ref, Move.RETURN, version)
    before = _go(ticket, Move.RETURN)
    _event(
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
    ticket = _staff_ticket(acting_user, ref, Move.RESOLVE, version)
    category = queries.class_of(ticket.category_code)
    if not photo_ids and (category is None or category.needs_photo):
        raise PhotoRequired(errors={"photo_ids": [(PhotoRequired.zh, PhotoRequired.en)]})
    if len(photo_ids) > MAX_PHOTOS:
        raise TooManyPhotos
    before = _go(ticket, Move.RESOLVE)
    photos = _attach(ticket, acting_user.id, photo_ids, stage="after")
    ticket.resolved_at, ticket.resolver_id = clock.now(), acting_user.id
    _event(
        ticket,
        Move.RESOLVE,
        acting_user.actor,
        from_status=before,
        words=note,
        org_id=ticket.org_id,
        photos=photos,
    )
    _tell(ticket, NoticeKind.TICKET_RESOLVED, org=_org_name(ticket), note=note)
    return ticket


def _org_name(ticket: Ticket) -> str:
    if ticket.org_id is None:
        return "处理单位"
    return places.org_names([ticket.org_id]).get(ticket.org_id, "处理单位")


# --- comments and reopening, from both sides -------------------------------------------------------------


def comment_as_staff(
    ref: Ref, *, text: str, visibility: Visibility, acting_user: StaffActor, version: int | None = None
) -> Ticket:
    """A word to the reporter, or among colleagues."""
    ticket = _staff_ticket(acting_user, ref, Move.COMMENT, version)
    before = _go(ticket, Move.COMMENT)
    org = next((g.org_id for g in queries.grants_covering(acting_user, ticket)), None)
    _event(
        ticket,
        Move.COMMENT,
        acting_user.actor,
        from_status=before,
        words=text,
        visibility=visibility,
        org_id=org,
    )
    if visibility is Visibility.REPORTER:
        _tell(ticket, NoticeKind.TICKET_COMMENTED, note=text)
    return ticket


def reopen_as_staff(ref: Ref, *, reason: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """重新办理: back to the desk, with a new clock."""
    ticket = _staff_ticket(acting_user, ref, Move.REOPEN, version)
    _reopen(ticket, acting_user.actor, reason)
    return ticket


def comment_as_resident(ref: Ref, *, text: str, acting_user: UUID, version: int | None = None) -> Ticket:
    """A word of the reporter to those who handle it."""
    ticket = _resident_ticket(acting_user, ref, Move.COMMENT, version)
    before = _go(ticket, Move.COMMENT)
    _event(ticket, Move.COMMENT, Actor(ActorKind.RESIDENT, acting_user), from_status=before, words=text)
    return ticket


def withdraw(ref: Ref, *, acting_user: UUID, version: int | None = None) -> Ticket:
    """撤回, as long as nobody has been sent."""
    ticket = _resident_ticket(acting_user, ref, Move.WITHDRAW, version)
    before = _go(ticket, Move.WITHDRAW)
    ticket.ended_at = clock.now()
    _event(ticket, Move.WITHDRAW, Actor(ActorKind.RESIDENT, acting_user), from_status=before)
    _tell(ticket, NoticeKind.TICKET_WITHDRAWN)
    return ticket


def reopen_as_resident(ref: Ref, *, reason: str, acting_user: UUID, version: int | None = None) -> Ticket:
    """Not fixed after all: reopen within 15 days of closing. Raises RatingClosed after that."""
    ticket = _resident_ticket(acting_user, ref, Move.REOPEN, version)
    _within_rating(ticket)
    _reopen(ticket, Actor(ActorKind.RESIDENT, acting_user), reason)
    return ticket


def _within_rating(ticket: Ticket) -> None:
    if ticket.closed_at is None or clock.now() > ticket.closed_at + clocks.RATE_WITHIN:
        raise RatingClosed


def _reopen(ticket: Ticket, actor: Actor, reason: str) -> None:
    before = _go(ticket, Move.REOPEN)
    now = clock.now()
    ticket.reopened += 1
    ticket.accepted_at = now
    ticket.dispatch_by = now + clocks.DISPATCH_WITHIN
    ticket.due_at = clocks.close_by(now, urgent=ticket.is_urgent, is_working=queries.working_days(now))
    ticket.dispatched_at = ticket.started_at = ticket.resolved_at = None
    ticket.verified_at = ticket.closed_at = ticket.ended_at = None
    ticket.handler_id = ticket.resolver_id = None
    _event(ticket, Move.REOPEN, actor, from_status=before, words=reason)
    _tell(ticket, NoticeKind.TICKET_REOPENED)


def rate(
    ref: Ref, *, stars: int, solved: bool, text: str | None, acting_user: UUID, version: int | None = None
) -> Ticket:
    """Rate a closed ticket within 15 days: 5-4 satisfied, 3 basically, 2-1 not. Not solved reopens it.

    Raises RatingClosed, AlreadyRated.
    """
    ticket = _resident_ticket(acting_user, ref, Move.RATE, version)
    _within_rating(ticket)
    if ticket.rated_at is not None and ticket.closed_at is not None and ticket.rated_at >= ticket.closed_at:
        raise AlreadyRated
    before = _go(ticket, Move.RATE)
    ticket.rating_stars, ticket.rating_solved, ticket.rated_at = stars, solved, clock.now()
    actor = Actor(ActorKind.RESIDENT, acting_user)
    _event(ticket, Move.RATE, actor, from_status=before, words=text, stars=stars, solved=solved)
    if not solved:
        _reopen(ticket, actor, text or "居民评价：问题没有解决")
    return ticket


# --- what jobs record ------------------------------------------------------------------------------------


def text_checked(ref: Ref, *, verdict: TextCheck) -> None:
    """WeChat's verdict on the words; a verdict stays. The ticket goes on whatever it says."""
    ticket = db.session().get(Ticket, ref, with_for_update=True)
    if ticket is not None and ticket.text_check == TextCheck.PENDING:
        ticket.text_check = verdict


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
        media.erase_positions(community_id=community_id, object_kind=OBJECT_KIND, object_ids=ticket_ids)


def communities_with_tickets() -> list[int]:
    """Communities that have closed tickets; for periodic jobs."""
    rows = db.session().scalars(
        select(NumberCounter.community_id).distinct().execution_options(cross_community="periodic jobs")
    )
    return list(rows)
