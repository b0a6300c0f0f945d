"""Dispatch rules: class × place × time → unit → post → way of choosing a person; and trying them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from flask import g, url_for

from app import clock
from app.duty import hours
from app.duty import queries as duty
from app.duty.choice import Method
from app.errors import NotFound
from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.places.coordinates import Crs, Point, in_china, to_wgs84
from app.tickets import giving, rules
from app.tickets import queries as tickets
from app.tickets.errors import BadPosition, NoDesk, OutsideService, UnknownCategory, WhereMissing
from app.tickets.giving import Case, Given
from app.tickets.routing_models import DaysKind, RoutingRule, TimeKind
from bff.admin import dispatch_views as views
from bff.admin import routing_schemas as s
from bff.admin.auth import requires
from bff.http import (
    Versioned,
    read_cursor,
    reads,
    revalidated,
    versioned,
    wanted_version,
    write_cursor,
    writes,
)
from bff.schemas import Blueprint

blp = Blueprint(
    "staff-routing", __name__, url_prefix="/admin/api/v1/routing-rules", description="Dispatch rules"
)


def rules_out(found: Sequence[RoutingRule], on: date) -> list[dict[str, Any]]:
    """The rules as they say on a day; a fixed number of queries however many there are."""
    terms = {ref: rules.shown(history, on) for ref, history in rules.terms_of(found).items()}
    names = tickets.category_names(term.category_code for term in terms.values())
    orgs = places.org_names(term.org_id for term in terms.values())
    posts = duty.post_names(Ref(t.community_id, t.post_id) for t in terms.values() if t.post_id is not None)
    rows = []
    for rule in found:
        home = rule.community_id
        term = terms[Ref(home, rule.id)]
        post = Ref(home, term.post_id) if term.post_id else None
        windowed = term.starts is not None and term.ends is not None
        rows.append(
            {
                "rule_id": Ref(home, rule.id),
                "community_id": UUID(int=home),
                "name": term.name,
                "category": term.category_code,
                "category_name": names.get(term.category_code or ""),
                "estate_id": Ref(home, term.estate_id) if term.estate_id else None,
                "grid_id": Ref(home, term.grid_id) if term.grid_id else None,
                "time": {
                    "kind": term.time_kind,
                    "days": term.days,
                    "weekdays": term.weekdays,
                    **(
                        hours.write(term.starts or 0, term.ends or 0)
                        if windowed
                        else {"from_": None, "to": None}
                    ),
                },
                "urgent": term.urgent,
                "org_id": term.org_id,
                "org": orgs.get(term.org_id),
                "roster_id": post,
                "roster": posts.get(post) if post else None,
                "method": term.method,
                "priority": term.priority,
                "valid_from": term.valid_from,
                "valid_to": term.valid_to,
                "version": rule.version,
            }
        )
    return rows


def _rule(rule: RoutingRule, status: int = 200, *, on: date | None = None, **headers: str) -> Versioned:
    return versioned(rules_out([rule], on or places.today())[0], status, **headers)


def _time(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of `rules.Says` about time."""
    if given is None:
        return {
            "time_kind": TimeKind.ALWAYS,
            "days": DaysKind.ANY,
            "weekdays": rules.EVERY_DAY,
            "span": None,
        }
    return {
        "time_kind": given["kind"],
        "days": given["days"],
        "weekdays": given["weekdays"],
        "span": hours.read(given["from_"], given["to"]) if given["from_"] is not None else None,
    }


@blp.route("", methods=["GET"])
@requires(Allow.ROUTING_EDIT)
@reads
@blp.arguments(s.RuleQuery, location="query")
@blp.response(200, s.RuleList)
def rule_list(args: dict[str, Any]) -> dict[str, Any]:
    """The rules of my communities that hold or will (on `on`: that hold on that day), newest first."""
    return page_of(args)


def page_of(args: dict[str, Any]) -> dict[str, Any]:
    """The page of rules that `args` (of RuleQuery) ask for. Raises BadCursor."""
    after = read_cursor(args["cursor"], UUID)
    rows = rules.rules(
        g.staff,
        community_id=args["community_id"].int if args["community_id"] else None,
        on=args["on"],
        limit=args["limit"] + 1,
        before=after[0] if after else None,
    )
    page = rows[: args["limit"]]
    return {
        "items": rules_out(page, args["on"] or places.today()),
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("", methods=["POST"])
@requires(Allow.ROUTING_EDIT)
@writes
@blp.arguments(s.RuleIn)
@blp.response(201, s.RuleOut)
def add(body: dict[str, Any]) -> Versioned:
    """Add a rule. What is left out holds for all: classes, places, times, urgencies."""
    usual = Method.LEAST_LOADED if body["roster_id"] is not None else Method.GRAB
    since = body["valid_from"] or places.today()
    made = rules.add_rule(
        rules.Says(
            name=body["name"],
            org_id=body["org_id"],
            category=body["category"] or None,
            estate=body["estate_id"],
            grid=body["grid_id"],
            **_time(body["time"]),
            urgent=body["urgent"],
            post=body["roster_id"],
            method=body["method"] or usual,
            priority=body["priority"],
        ),
        community_id=body["community_id"].int,
        valid_from=since,
        valid_to=body["valid_to"],
        acting_user=g.staff,
    )
    return _rule(made, 201, on=since, Location=url_for(".rule", ref=Ref(made.community_id, made.id)))


@blp.route("/<ref(rul):ref>", methods=["GET"])
@requires(Allow.ROUTING_EDIT)
@revalidated
@reads
@blp.response(200, s.RuleOut)
def rule(ref: Ref) -> Versioned:
    """One rule: what it says today, else what it will or did."""
    return _rule(rules.rule_for(g.staff, ref))


@blp.route("/<ref(rul):ref>", methods=["PATCH"])
@requires(Allow.ROUTING_EDIT)
@writes
@blp.arguments(s.RuleChange)
@blp.response(200, s.RuleOut)
def change(body: dict[str, Any], ref: Ref) -> Versioned:
    """Change a rule from a day on (today, unless `valid_from` says otherwise); what it said before stays readable."""
    version = wanted_version()
    changes = dict(body)
    for wire, field in (("estate_id", "estate"), ("grid_id", "grid"), ("roster_id", "post")):
        if wire in changes:
            changes[field] = changes.pop(wire)
    if "time" in changes:
        changes |= _time(changes.pop("time"))
    if "category" in changes:
        changes["category"] = changes["category"] or None
    done = rules.change_rule(ref, changes=changes, acting_user=g.staff, version=version)
    return _rule(done, on=changes.get("valid_from"))


# --- trying ----------------------------------------------------------------------------------------------


@blp.route("/try", methods=["POST"])
@requires(Allow.ROUTING_EDIT)
@writes
@blp.arguments(s.TryIn)
@blp.response(200, s.TryOut)
def try_out(body: dict[str, Any]) -> dict[str, Any]:
    """Where a report of this class at this place and time would go, and why; nothing is changed."""
    case = _case(body)
    if not rules.may_edit(g.staff, case.community_id):
        raise NotFound
    found = giving.find_unit(case)
    if found is None:
        raise NoDesk
    return _tried(giving.staff(found, case, lock=False), case.community_id)


def _case(body: Mapping[str, Any]) -> Case:
    point = _point(body["location"])
    if body["estate_id"] is not None:
        estate = places.estate(body["estate_id"])
    elif point is not None:
        here = places.estate_at(point)
        if here is None:
            raise OutsideService
        estate = here
    else:
        raise WhereMissing(errors={"estate_id": [(WhereMissing.zh, WhereMissing.en)]})
    category = body["category"] or None
    if category is not None and tickets.class_of(category) is None:
        raise UnknownCategory(errors={"category": [(UnknownCategory.zh, UnknownCategory.en)]})
    return Case(
        community_id=estate.community_id,
        estate_id=estate.id,
        grid_id=places.grid_covering(Ref(estate.community_id, estate.id)),
        category_code=category,
        urgent=body["urgent"],
        at=body["at"] or clock.now(),
        point=point,
    )


def _point(place: Mapping[str, Any] | None) -> Point | None:
    if place is None:
        return None
    wrong = BadPosition(errors={"location": [(BadPosition.zh, BadPosition.en)]})
    try:
        point = Point(place["lng"], place["lat"])
        point = to_wgs84(point) if place["crs"] is Crs.GCJ02 else point
        if not in_china(point):
            raise wrong
    except (ValueError, OverflowError) as e:
        raise wrong from e
    return point


def _tried(given: Given, community_id: int) -> dict[str, Any]:
    data = given.as_data()
    names = people.staff_names(views.staff_named([data]))
    return {
        **views.facts(data, names, community_id),
        "why": given.why,
        "org_id": given.org.id,
        "org": given.org.name,
        "passed": [
            {
                "rule_id": Ref(community_id, each.term.rule_id),
                "name": each.term.name,
                "why": each.why.value,
                "text": views.PASSED[each.why],
            }
            for each in given.passed
        ],
    }
