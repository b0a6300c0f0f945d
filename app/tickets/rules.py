"""Writing and reading dispatch rules. A change makes a new term: what held before stays readable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select

from app import audit, clock, db, ids
from app.duty import queries as duty
from app.duty.choice import Method
from app.duty.errors import UnknownUnit
from app.duty.hours import Span
from app.errors import NotFound, StaleVersion
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.models import Region
from app.tickets import giving, queries, routing
from app.tickets.routing_errors import (
    MediatorOnly,
    MethodNeedsPost,
    RuleDates,
    RuleEnded,
    RulePlace,
    RulePost,
    RuleTie,
    RuleTime,
    UnknownClass,
)
from app.tickets.routing_models import DaysKind, RoutingRule, RoutingTerm, TimeKind

OBJECT_KIND = "routing_rule"
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True)
class Says:
    """What a rule says."""

    name: str
    org_id: UUID
    category: str | None = None
    estate: Ref | None = None
    grid: Ref | None = None
    time_kind: TimeKind = TimeKind.ALWAYS
    days: DaysKind = DaysKind.ANY
    weekdays: Sequence[int] = EVERY_DAY
    span: Span | None = None
    urgent: bool | None = None
    post: Ref | None = None
    method: Method = Method.GRAB
    priority: int = 0


# --- reading ---------------------------------------------------------------------------------------------


def _communities(staff: StaffActor) -> frozenset[int]:
    return staff.communities_with(Permission.ROUTING_EDIT)


def may_edit(staff: StaffActor, community_id: int) -> bool:
    """Are the rules of this community hers?"""
    return community_id in _communities(staff)


def rule_for(staff: StaffActor, ref: Ref, *, lock: bool = False) -> RoutingRule:
    """The rule, locked for a change when asked. Raises NotFound outside her communities."""
    found = db.session().get(RoutingRule, ref, with_for_update=True if lock else None, populate_existing=lock)
    if found is None or not may_edit(staff, ref.community_id):
        raise NotFound
    return found


def rules(
    staff: StaffActor,
    *,
    community_id: int | None,
    on: date | None,
    limit: int,
    before: UUID | None = None,
) -> list[RoutingRule]:
    """The rules of her communities that hold on a day, else those that hold or will; newest first."""
    mine = _communities(staff)
    if not mine or (community_id is not None and community_id not in mine):
        return []
    day = on or places.today()
    held = select(RoutingTerm.rule_id).where(
        RoutingTerm.community_id == RoutingRule.community_id,
        RoutingTerm.rule_id == RoutingRule.id,
        or_(RoutingTerm.valid_to.is_(None), RoutingTerm.valid_to > day),
    )
    if on is not None:
        held = held.where(RoutingTerm.valid_from <= day)
    query = select(RoutingRule).where(RoutingRule.community_id.in_(mine), held.exists())
    if community_id is not None:
        query = query.where(RoutingRule.community_id == community_id)
    if before is not None:
        query = query.where(RoutingRule.id < before)
    return list(db.session().scalars(query.order_by(RoutingRule.id.desc()).limit(limit)))


def terms_of(found: Sequence[RoutingRule]) -> dict[Ref, list[RoutingTerm]]:
    """All terms of these rules, the first one first, in one query."""
    sorted_: dict[Ref, list[RoutingTerm]] = {}
    if not found:
        return sorted_
    rows = db.session().scalars(
        select(RoutingTerm)
        .where(
            RoutingTerm.community_id.in_({r.community_id for r in found}),
            RoutingTerm.rule_id.in_({r.id for r in found}),
        )
        .order_by(RoutingTerm.valid_from)
    )
    for row in rows:
        sorted_.setdefault(Ref(row.community_id, row.rule_id), []).append(row)
    return sorted_


def shown(terms: Sequence[RoutingTerm], day: date) -> RoutingTerm:
    """The term in force on a day, else the next one, else the last."""
    running = [t for t in terms if t.valid_from <= day and (t.valid_to is None or day < t.valid_to)]
    coming = [t for t in terms if t.valid_from > day]
    return (running or coming or list(terms)[-1:])[0]


# --- writing ---------------------------------------------------------------------------------------------


def add_rule(
    says: Says, *, community_id: int, valid_from: date, valid_to: date | None, acting_user: StaffActor
) -> RoutingRule:
    """Add a rule from a day on. Raises NotFound, RulePlace, UnknownClass, UnknownUnit, RulePost, MethodNeedsPost,
    RuleTime, RuleDates, MediatorOnly, RuleTie.
    """
    if not may_edit(acting_user, community_id):
        raise NotFound
    _one_at_a_time(community_id)
    now = clock.now()
    rule = RoutingRule(community_id=community_id, id=ids.new_id(), version=1, created_at=now, updated_at=now)
    term = _checked(rule, says, valid_from, valid_to)
    db.session().add(rule)
    db.session().flush()  # the term's foreign key needs the rule
    db.session().add(term)
    _audit(acting_user, "routing.rule_added", rule, term)
    return rule


def change_rule(
    ref: Ref, *, changes: Mapping[str, Any], acting_user: StaffActor, version: int | None
) -> RoutingRule:
    """Change what a rule says (fields of `Says`, `valid_to`) from `valid_from` on, today when nothing is said. Only
    `valid_to`: the rule ends then. Raises as `add_rule`, StaleVersion, RuleEnded.
    """
    rule = rule_for(acting_user, ref, lock=True)
    if version is not None and rule.version != version:
        raise StaleVersion
    _one_at_a_time(ref.community_id)
    rule.version += 1
    rule.updated_at = clock.now()
    terms = terms_of([rule])[ref]
    if set(changes) == {"valid_to"} and changes["valid_to"] is not None:
        _audit(acting_user, "routing.rule_ended", rule, _end(terms, changes["valid_to"]))
        return rule
    since: date = changes.get("valid_from") or max(places.today(), terms[0].valid_from)
    before = shown(terms, since)
    if before.valid_to is not None and before.valid_to <= since:
        raise RuleEnded
    said = says_of(before)
    told = {f.name for f in fields(Says)}
    merged = {name: changes.get(name, getattr(said, name)) for name in told}
    term = _checked(rule, Says(**merged), since, changes.get("valid_to", terms[-1].valid_to))
    _cut(rule, terms, since)
    db.session().add(term)
    _audit(acting_user, "routing.rule_changed", rule, term)
    return rule


def says_of(term: RoutingTerm) -> Says:
    """What a term says."""
    home = term.community_id
    return Says(
        name=term.name,
        org_id=term.org_id,
        category=term.category_code,
        estate=Ref(home, term.estate_id) if term.estate_id else None,
        grid=Ref(home, term.grid_id) if term.grid_id else None,
        time_kind=TimeKind(term.time_kind),
        days=DaysKind(term.days),
        weekdays=term.weekdays,
        span=Span(term.starts, term.ends) if term.starts is not None and term.ends is not None else None,
        urgent=term.urgent,
        post=Ref(home, term.post_id) if term.post_id else None,
        method=Method(term.method),
        priority=term.priority,
    )


def _one_at_a_time(community_id: int) -> None:
    """Two rules made at once must see each other, or neither would find the tie."""
    db.session().execute(select(Region.id).where(Region.id == community_id).with_for_update(key_share=True))


def _end(terms: Sequence[RoutingTerm], day: date) -> RoutingTerm:
    """Let the rule hold until that day; one that begins no earlier is withdrawn. Raises RuleDates, RuleEnded."""
    if day < places.today():
        raise RuleDates(errors={"valid_to": [(RuleDates.zh, RuleDates.en)]})
    last = terms[-1].valid_to
    if last is not None and last <= places.today():
        raise RuleEnded
    kept = [term for term in terms if term.valid_from < day] or [terms[0]]
    for term in terms[len(kept) :]:
        db.session().delete(term)
    kept[-1].valid_to = max(day, kept[-1].valid_from)
    db.session().flush()  # read again for the answer
    return kept[-1]


def _cut(rule: RoutingRule, terms: Sequence[RoutingTerm], since: date) -> None:
    """What was said for that day and later is replaced."""
    for term in terms:
        if term.valid_from < since and (term.valid_to is None or term.valid_to > since):
            term.valid_to = since
    db.session().execute(
        delete(RoutingTerm).where(
            RoutingTerm.community_id == rule.community_id,
            RoutingTerm.rule_id == rule.id,
            RoutingTerm.valid_from >= since,
        )
    )


def _checked(rule: RoutingRule, says: Says, valid_from: date, valid_to: date | None) -> RoutingTerm:
    """The term, once nothing speaks against it."""
    community_id = rule.community_id
    _check_dates(valid_from, valid_to)
    _check_place(says, community_id)
    if says.category is not None:
        known = {term.code for term in queries.classes_on(valid_from)}
        if says.category not in known:
            raise UnknownClass(errors={"category": [(UnknownClass.zh, UnknownClass.en)]})
    _check_unit(says, community_id)
    is_window = says.time_kind is TimeKind.WINDOW
    if is_window is (says.span is None) or (is_window and not says.weekdays):
        raise RuleTime(errors={"time": [(RuleTime.zh, RuleTime.en)]})
    term = RoutingTerm(
        community_id=community_id,
        rule_id=rule.id,
        valid_from=valid_from,
        valid_to=valid_to,
        name=says.name,
        category_code=says.category,
        estate_id=says.estate.id if says.estate else None,
        grid_id=says.grid.id if says.grid else None,
        time_kind=says.time_kind,
        days=says.days if is_window else DaysKind.ANY,
        weekdays=sorted(set(says.weekdays)) if is_window else list(EVERY_DAY),
        starts=says.span.starts if says.span else None,
        ends=says.span.ends if says.span else None,
        urgent=says.urgent,
        org_id=says.org_id,
        post_id=says.post.id if says.post else None,
        method=says.method,
        priority=says.priority,
        created_at=clock.now(),
    )
    _refuse_tie(term)
    return term


def _check_dates(valid_from: date, valid_to: date | None) -> None:
    if valid_from < places.today():
        raise RuleDates(errors={"valid_from": [(RuleDates.zh, RuleDates.en)]})
    if valid_to is not None and valid_to <= valid_from:
        raise RuleDates(errors={"valid_to": [(RuleDates.zh, RuleDates.en)]})


def _check_place(says: Says, community_id: int) -> None:
    wrong = RulePlace(errors={"estate_id": [(RulePlace.zh, RulePlace.en)]})
    if says.estate is not None and says.grid is not None:
        raise wrong
    if says.estate is not None and (
        says.estate.community_id != community_id or says.estate not in places.estates([says.estate])
    ):
        raise wrong
    if says.grid is not None:
        known = {Ref(g.community_id, g.id) for g in places.grids_in([community_id])}
        if says.grid not in known:
            raise RulePlace(errors={"grid_id": [(RulePlace.zh, RulePlace.en)]})


def _check_unit(says: Says, community_id: int) -> None:
    org = places.org(says.org_id)
    if org is None or not org.is_active or org.id not in places.orgs_answering_in(community_id):
        raise UnknownUnit(errors={"org_id": [(UnknownUnit.zh, UnknownUnit.en)]})
    if giving.is_dispute(says.category) and not giving.takes_disputes(org, community_id):
        raise MediatorOnly
    if says.post is None:
        if says.method is not Method.GRAB:
            raise MethodNeedsPost(errors={"method": [(MethodNeedsPost.zh, MethodNeedsPost.en)]})
        return
    post = duty.post(says.post) if says.post.community_id == community_id else None
    if post is None or post.retired_at is not None or post.org_id != says.org_id:
        raise RulePost(errors={"roster_id": [(RulePost.zh, RulePost.en)]})
    if says.estate is not None and not duty.serves(post, says.estate.id):
        raise RulePost(errors={"roster_id": [(RulePost.zh, RulePost.en)]})


def _refuse_tie(term: RoutingTerm) -> None:
    others = db.session().scalars(
        select(RoutingTerm).where(
            RoutingTerm.community_id == term.community_id,
            RoutingTerm.rule_id != term.rule_id,
            or_(RoutingTerm.valid_to.is_(None), RoutingTerm.valid_to > term.valid_from),
        )
    )
    for other in others:
        if routing.tie(term, other):
            named = ids.encode(ids.Kind.ROUTING_RULE, Ref(other.community_id, other.rule_id))
            raise RuleTie(name=other.name, extra={"rule_id": named, "name": other.name})


def _audit(acting_user: StaffActor, action: str, rule: RoutingRule, term: RoutingTerm) -> None:
    kept = (
        "category_code",
        "time_kind",
        "days",
        "weekdays",
        "starts",
        "ends",
        "urgent",
        "method",
        "priority",
    )
    pointing = ("estate_id", "grid_id", "org_id", "post_id", "valid_from", "valid_to")
    said = {name: getattr(term, name) for name in kept}
    said |= {name: str(value) for name in pointing if (value := getattr(term, name)) is not None}
    audit.record(
        acting_user.actor,
        action,
        community_id=rule.community_id,
        object_kind=OBJECT_KIND,
        object_id=rule.id,
        version=rule.version,
        **said,
    )
