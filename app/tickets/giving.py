"""Where a ticket goes: the rule, the unit, the post, the person, and why. Reads only; the caller writes it down.

With `lock` the post's row is locked before anybody's tickets are counted, so that two dispatches at the same moment
don't both find the same person least loaded. The order of locks is ticket, then post.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select

from app import clock, db
from app.duty import choice
from app.duty import queries as duty
from app.duty.choice import Candidate, Choice, Method, Place
from app.duty.models import Post
from app.ids import Ref
from app.people import queries as people
from app.places import queries as places
from app.places.coordinates import Point, distance_m
from app.places.models import Org, OrgKind
from app.tickets import queries, routing
from app.tickets.clocks import Calendar, DayKind
from app.tickets.models import CalendarDay, CategoryTerm, Ticket, TicketStatus
from app.tickets.routing import Passed, Situation, Why
from app.tickets.routing_models import RoutingRule, RoutingTerm

ON_HAND = (TicketStatus.DISPATCHED, TicketStatus.IN_PROGRESS, TicketStatus.SUSPENDED)
LAST_HANDLER_WITHIN = timedelta(days=90)
BY_RULE = "rule"  # in dispatch_why
BY_HAND = "chosen"


@dataclass(frozen=True)
class Case:
    """What is to be dispatched: a ticket, or one that somebody tries out."""

    community_id: int
    estate_id: UUID | None
    grid_id: UUID | None
    category_code: str | None
    urgent: bool
    at: datetime
    point: Point | None = None
    ticket_id: UUID | None = None


@dataclass(frozen=True)
class Staffed:
    """The post that was asked, who stood there with how much, and whom it fell on."""

    post: Post
    method: Method
    choice: Choice
    candidates: tuple[Candidate, ...] = ()
    unable: tuple[UUID, ...] = ()  # on shift, but their role doesn't reach the place, or ended
    last_handler: UUID | None = None
    places_now: Mapping[UUID, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """Where it goes. `why`: the short word on the ticket; `passed`: the rules that didn't count."""

    org: Org
    why: str
    at: datetime
    rule: RoutingTerm | None = None
    rule_version: int | None = None
    staffed: Staffed | None = None
    staff_id: UUID | None = None
    off_shift: bool = False  # the desk named somebody who isn't on shift
    passed: tuple[Passed, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """As the event of the dispatch keeps it: ids, numbers, words of the office."""
        data: dict[str, Any] = {"why": self.why}
        if self.rule is not None:
            data["rule"] = {
                "id": str(self.rule.rule_id),
                "version": self.rule_version,
                "name": self.rule.name,
            }
        if self.staffed is not None:
            data |= staffed_data(self.staffed)
        if self.staff_id is not None:
            data["staff"] = str(self.staff_id)
        if self.off_shift:
            data["off_shift"] = True
        # Rules that lost because of their unit deserve a look; those about something else don't.
        useless = [
            each for each in self.passed if each.why in {Why.UNIT_ENDED, Why.UNIT_ELSEWHERE, Why.DISPUTE}
        ]
        if useless:
            data["passed"] = [
                {"rule": str(p.term.rule_id), "name": p.term.name, "why": p.why} for p in useless
            ]
        return data


def staffed_data(found: Staffed) -> dict[str, Any]:
    """What an event keeps of a choice at a post."""
    return {
        "post": {"id": str(found.post.id), "name": found.post.name},
        "method": found.method.value,
        "because": found.choice.because.value,
        "on_shift": [{"staff": str(c.staff_id), "open": c.open, "given": c.given} for c in found.candidates],
        "unable": [str(staff) for staff in found.unable],
    }


def case_of(ticket: Ticket) -> Case:
    """The ticket as a case, now."""
    return Case(
        community_id=ticket.community_id,
        estate_id=ticket.estate_id,
        grid_id=ticket.grid_id,
        category_code=ticket.category_code,
        urgent=ticket.is_urgent,
        at=clock.now(),
        point=Point(ticket.lng, ticket.lat) if ticket.lng is not None and ticket.lat is not None else None,
        ticket_id=ticket.id,
    )


# --- the unit --------------------------------------------------------------------------------------------


def find_unit(case: Case) -> Given | None:
    """The unit by the rules, else who answers for class and place, else the community's desk; None without a desk."""
    holding, passed = _sifted(case)
    for rule in holding:
        org = places.org(rule.org_id)
        why = _unusable(org, case)
        if why is not None or org is None:
            passed.append(Passed(rule, why or Why.UNIT_ENDED))
            continue
        later = holding[holding.index(rule) + 1 :]
        passed += [Passed(each, Why.LESS_SPECIFIC) for each in later]
        return Given(org, BY_RULE, case.at, rule, _version_of(rule), passed=tuple(passed))
    answer = queries.who_answers_at(case.community_id, case.estate_id, case.category_code)
    if answer is None:
        return None
    return Given(answer.org, answer.why, case.at, passed=tuple(passed))


def chosen_unit(case: Case, org: Org) -> Given:
    """The unit that the desk named, with the rule that says who there takes it, if one of this unit's holds."""
    holding, passed = _sifted(case)
    own = next((rule for rule in holding if rule.org_id == org.id), None)
    passed += [Passed(rule, Why.OTHER_UNIT) for rule in holding if rule.org_id != org.id]
    version = _version_of(own) if own is not None else None
    return Given(org, BY_HAND, case.at, own, version, passed=tuple(passed))


def _sifted(case: Case) -> tuple[list[RoutingTerm], list[Passed]]:
    terms = rules_on(case.community_id, case.at)
    if not terms:
        return [], []
    situation = Situation(
        estate_id=case.estate_id,
        grid_id=case.grid_id,
        classes=_class_chain(case),
        urgent=case.urgent,
        at=case.at,
        calendar=_calendar_around(case.at),
    )
    return routing.sift(terms, situation)


def rules_on(community_id: int, at: datetime) -> list[RoutingTerm]:
    """What the rules of a community say on the day of that moment."""
    day = clock.in_shanghai(at).date()
    rows = db.session().scalars(
        select(RoutingTerm).where(
            RoutingTerm.community_id == community_id,
            RoutingTerm.valid_from <= day,
            or_(RoutingTerm.valid_to.is_(None), RoutingTerm.valid_to > day),
        )
    )
    return list(rows)


def _version_of(term: RoutingTerm) -> int | None:
    return db.session().scalar(
        select(RoutingRule.version).where(
            RoutingRule.community_id == term.community_id, RoutingRule.id == term.rule_id
        )
    )


def _class_chain(case: Case) -> list[str]:
    """The class and those above it, as the tree stands that day; none without a class."""
    if case.category_code is None:
        return []
    day = clock.in_shanghai(case.at).date()
    parents = dict(
        db.session()
        .execute(
            select(CategoryTerm.code, CategoryTerm.parent_code).where(
                CategoryTerm.valid_from <= day,
                or_(CategoryTerm.valid_to.is_(None), CategoryTerm.valid_to > day),
            )
        )
        .all()
    )
    chain = [case.category_code]
    while (above := parents.get(chain[-1])) is not None:
        chain.append(above)
    return chain


def _calendar_around(at: datetime) -> Calendar:
    today = clock.in_shanghai(at).date()
    rows = db.session().execute(
        select(CalendarDay.day, CalendarDay.is_working, CalendarDay.is_half).where(
            CalendarDay.day.between(today - timedelta(days=1), today)
        )
    )
    return Calendar(
        {day: DayKind.HALF if half else DayKind.WORK if worked else DayKind.OFF for day, worked, half in rows}
    )


def _unusable(org: Org | None, case: Case) -> Why | None:
    if org is None or not org.is_active:
        return Why.UNIT_ENDED
    if org.id not in places.orgs_answering_in(case.community_id):
        return Why.UNIT_ELSEWHERE
    if is_dispute(case.category_code) and not takes_disputes(org, case.community_id):
        return Why.DISPUTE
    return None


def is_dispute(category_code: str | None) -> bool:
    """Does this class ask for a mediator (矛盾纠纷)?"""
    found = queries.class_of(category_code)
    return found is not None and found.org_kind == OrgKind.MEDIATION_POST


def takes_disputes(org: Org, community_id: int) -> bool:
    """Is it a mediation post, or the community's own desk?"""
    if org.kind == OrgKind.MEDIATION_POST:
        return True
    desk = places.desk_of(community_id)
    return desk is not None and desk.id == org.id


# --- the person ------------------------------------------------------------------------------------------


def staff(given: Given, case: Case, *, lock: bool) -> Given:
    """The same with the person whom the rule's post gives it to, if the rule has a post."""
    rule = given.rule
    if rule is None or rule.post_id is None:
        return given
    post = duty.post(Ref(rule.community_id, rule.post_id), lock=lock)
    if post is None:
        return given
    staffed = at_post(post, Method(rule.method), case)
    return Given(
        org=given.org,
        why=given.why,
        at=given.at,
        rule=rule,
        rule_version=given.rule_version,
        staffed=staffed,
        staff_id=staffed.choice.staff_id,
        passed=given.passed,
    )


def at_post(post: Post, method: Method, case: Case, *, but: UUID | None = None) -> Staffed:
    """Whom it falls on at this post at the case's moment, and among whom. `but`: who gives it away."""
    standing = (
        duty.on_duty([post], case.at)[Ref(post.community_id, post.id)]
        if duty.serves(post, case.estate_id)
        else []
    )
    on_shift = {one.staff_id: (one.day, one.since) for one in standing}
    able = people.able_to_handle(post.org_id, on_shift, community_id=case.community_id, grid_id=case.grid_id)
    places_now = choice.placed(on_shift, duty.places_of(post, on_shift))
    held = on_hand(case.community_id, able, but_for=case.ticket_id)
    candidates = tuple(
        Candidate(one, held.get(one, 0), place.score, place.given, place.last_no)
        for one, place in sorted(places_now.items(), key=lambda pair: str(pair[0]))
        if one in able and one != but
    )
    last = _last_handler(case) if method is Method.LAST_HANDLER else None
    return Staffed(
        post=post,
        method=method,
        choice=choice.choose(candidates, method, gap=post.gap, last_handler=last),
        candidates=candidates,
        unable=tuple(one for one in on_shift if one not in able),
        last_handler=last,
        places_now=places_now,
    )


def on_hand(community_id: int, staff_ids: set[UUID], *, but_for: UUID | None = None) -> dict[UUID, int]:
    """How many tickets of the community these people have on their hands: given and not yet fixed."""
    if not staff_ids:
        return {}
    query = (
        select(Ticket.handler_id, func.count())
        .where(
            Ticket.community_id == community_id, Ticket.handler_id.in_(staff_ids), Ticket.status.in_(ON_HAND)
        )
        .group_by(Ticket.handler_id)
    )
    if but_for is not None:
        query = query.where(Ticket.id != but_for)
    return {handler: count for handler, count in db.session().execute(query) if handler is not None}


def _last_handler(case: Case) -> UUID | None:
    """Who handled the same class last in the same estate within 90 days; where both have a position, not farther than
    the 200 m that count as the same place.
    """
    if case.estate_id is None or case.category_code is None:
        return None
    query = (
        select(Ticket.handler_id, Ticket.lng, Ticket.lat)
        .where(
            Ticket.community_id == case.community_id,
            Ticket.estate_id == case.estate_id,
            Ticket.category_code == case.category_code,
            Ticket.handler_id.is_not(None),
            Ticket.reported_at >= case.at - LAST_HANDLER_WITHIN,
        )
        .order_by(Ticket.id.desc())
        .limit(50)
    )
    if case.ticket_id is not None:
        query = query.where(Ticket.id != case.ticket_id)
    for handler, lng, lat in db.session().execute(query):
        if case.point is None or lng is None or lat is None:
            return handler
        if distance_m(case.point, Point(lng, lat)) <= queries.SAME_PLACE_M:
            return handler
    return None


def is_off_shift(staff_id: UUID, org_id: UUID, case: Case) -> bool:
    """Has the unit rosters in the community, and does none of them name this person now?"""
    found = duty.posts_of_unit(case.community_id, org_id)
    standing = duty.on_duty(found, case.at)
    return bool(found) and all(one.staff_id != staff_id for on in standing.values() for one in on)
