"""Duty rosters as a week, and the dispatch rules with a box to try them."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from flask import g, request

from app import clock, ids
from app.duty import queries as duty
from app.duty.choice import Method
from app.duty.models import Post
from app.ids import Kind, Ref
from app.people import handlers
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.tickets import rules
from app.tickets.routing_models import DaysKind, TimeKind
from bff.admin import duty_schemas, routing_schemas
from bff.admin.auth import requires
from bff.admin.console import areas
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.lists import next_address
from bff.admin.console.ticket_moves import Option
from bff.admin.console.ticket_pages import classes
from bff.admin.console.words import say
from bff.admin.duty import rosters_out
from bff.admin.places import my_orgs
from bff.admin.routing import page_of as rules_page
from bff.admin.routing import rules_out
from bff.http import reads
from bff.schemas import Date, Query, WireId

WEEK = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
MOST_POSTS = 200
RULES = 50  # of a page


def _communities() -> list[Option]:
    return [Option(area.value, area.name) for area in areas.mine() if area.kind == "社区"] or [
        Option(ids.encode(Kind.COMMUNITY, UUID(int=home)), region.name)
        for home in sorted({home for grant in g.staff.grants for home in grant.homes})
        if (region := places.region(home)) is not None
    ]


def _orgs() -> list[Option]:
    found = [Option(ids.encode(Kind.ORG, org.id), org.name) for org in places.orgs(my_orgs())]
    return sorted(found, key=lambda one: one.text)


def _people(community_id: int, org_id: UUID) -> list[Option]:
    found = handlers.handlers_of(org_id, community_id=community_id, grid_id=None)
    return [Option(ids.encode(Kind.STAFF, one.staff_id), one.name) for one in found]


# --- rosters -----------------------------------------------------------------------------------------------


class DutyPageQuery(Query):
    roster = WireId(Kind.DUTY_ROSTER, load_default=None)
    since = Date(load_default=None)


class Line(NamedTuple):
    """One person's week: by day the turns that begin on it."""

    staff_id: str
    name: str
    days: list[list[dict[str, Any]]]


def _lines(roster: dict[str, Any], people: list[Option], on: str) -> list[Line]:
    holding = [
        t for t in roster["turns"] if t["valid_from"] <= on and (not t["valid_to"] or on < t["valid_to"])
    ]
    names = {one.value: one.text for one in people} | {
        turn["staff_id"]: turn["staff"] or say("已离职") for turn in holding
    }
    lines = []
    for staff_id, name in names.items():
        its = [turn for turn in holding if turn["staff_id"] == staff_id]
        days = [[turn for turn in its if day in turn["weekdays"]] for day in range(1, 8)]
        lines.append(Line(staff_id, name, days))
    return sorted(lines, key=lambda line: (not any(line.days), line.name))


def _posts() -> list[Post]:
    area = areas.chosen(areas.mine())
    home = None
    if area is not None and area.kind == "社区":
        home = ids.decode_id(Kind.COMMUNITY, area.value).int
    return duty.posts(g.staff, community_id=home, limit=MOST_POSTS + 1)


def _roster_values(post: Post, since: date | None) -> dict[str, Any]:
    roster = duty_schemas.DutyRosterOut().dump(rosters_out([post])[0])
    today = places.today().isoformat()
    begins = sorted({turn["valid_from"] for turn in roster["turns"] if turn["valid_from"] > today})
    on = max(since.isoformat() if since else today, today)
    return {
        "roster": roster,
        "on": on,
        "today": today,
        "begins": begins,
        "lines": _lines(roster, people := _people(post.community_id, post.org_id), on),
        "people": people,
        "week": WEEK,
        "may_edit": duty.may(g.staff, post.community_id, post.org_id, Allow.DUTY_EDIT),
        "may_hand_over": g.staff.may(Allow.TICKET_HANDLE) or g.staff.may(Allow.DUTY_EDIT),
    }


@blp.route("/duty", methods=["GET"])
@requires(Allow.DUTY_VIEW)
@reads
def duty_page() -> str:
    """Who is on shift now at each post, and the week of one of them."""
    asked = query(DutyPageQuery)
    if asked["roster"] is not None and is_fragment():
        post = duty.post_for(g.staff, asked["roster"])
        return fragment("duty/_roster.html", **_roster_values(post, asked["since"]))
    posts = _posts()
    more = len(posts) > MOST_POSTS
    shown = duty_schemas.DutyRosterOut(many=True).dump(rosters_out(posts[:MOST_POSTS]))
    chosen = duty.post_for(g.staff, asked["roster"]) if asked["roster"] else next(iter(posts), None)
    values = _roster_values(chosen, asked["since"]) if chosen is not None else {"roster": None}
    return page(
        "duty/page.html",
        here="duty",
        rosters=shown,
        most=MOST_POSTS if more else None,
        may_add=g.staff.may(Allow.DUTY_EDIT),
        **values,
    )


class NewRosterQuery(Query):
    community_id = WireId(Kind.COMMUNITY, load_default=None)
    org_id = WireId(Kind.ORG, load_default=None)


@blp.route("/duty/new", methods=["GET"])
@requires(Allow.DUTY_EDIT)
@reads
def duty_new() -> str:
    """A new post: first whose it is, then its name and who stands there first."""
    asked = query(NewRosterQuery)
    community, org = asked["community_id"], asked["org_id"]
    may = bool(community and org and duty.may(g.staff, community.int, org, Allow.DUTY_EDIT))
    return page(
        "duty/new.html",
        here="duty",
        communities=_communities(),
        orgs=_orgs(),
        community=ids.encode(Kind.COMMUNITY, community) if community else "",
        org=ids.encode(Kind.ORG, org) if org else "",
        people=_people(community.int, org) if may and community and org else None,
        week=WEEK,
    )


# --- dispatch rules ----------------------------------------------------------------------------------------

_METHODS = {
    Method.LEAST_LOADED: "给手上最少的人",
    Method.ROTATE: "按轮次",
    Method.LAST_HANDLER: "给上次处理过的人",
    Method.GRAB: "由单位人员抢单",
}
_TIMES = {
    TimeKind.ALWAYS: "全天",
    TimeKind.WORKING_HOURS: "工作时间",
    TimeKind.OFF_HOURS: "非工作时间",
    TimeKind.WINDOW: "指定时段",
}
_DAYS = {DaysKind.ANY: "不论工作日", DaysKind.WORKING: "只在工作日", DaysKind.OFF: "只在休息日"}


def _when(time: dict[str, Any]) -> str:
    said = say(_TIMES[TimeKind(time["kind"])])
    if time["kind"] == TimeKind.WINDOW:
        said = f"{time['from']}–{time['to']}"
        if time["days"] != DaysKind.ANY:
            said += " " + say(_DAYS[DaysKind(time["days"])])
        if len(time["weekdays"]) < 7:
            said += " " + " ".join(say(WEEK[day - 1]) for day in time["weekdays"])
    return said


def _choices() -> dict[str, Any]:
    """What the fields of a rule can be."""
    mine = areas.mine()
    posts = _posts()
    orgs = places.org_names(post.org_id for post in posts)
    groups = classes()
    return {
        "communities": _communities(),
        "orgs": _orgs(),
        "estates": [Option(area.value, area.name) for area in mine if area.kind == "小区"],
        "grids": [Option(area.value, area.name) for area in mine if area.kind == "网格"],
        "posts": [
            Option(
                ids.encode(Kind.DUTY_ROSTER, Ref(post.community_id, post.id)),
                f"{orgs.get(post.org_id, '')} · {post.name}",
            )
            for post in posts
        ],
        "classes": groups,
        "known": {one.value for _, inside in groups for one in inside},
        "methods": [Option(key.value, name) for key, name in _METHODS.items()],
        "times": [Option(key.value, name) for key, name in _TIMES.items()],
        "days": [Option(key.value, name) for key, name in _DAYS.items()],
        "week": WEEK,
        "today": places.today().isoformat(),
    }


@blp.route("/routing", methods=["GET"])
@requires(Allow.ROUTING_EDIT)
@reads
def routing_page() -> str:
    """The rules by which tickets find their unit, and a box to try them."""
    area = areas.chosen(areas.mine())
    asked = query(routing_schemas.RuleQuery) | {"limit": RULES}
    if asked["community_id"] is None and area is not None and area.kind == "社区":
        asked["community_id"] = ids.decode_id(Kind.COMMUNITY, area.value)
    found = routing_schemas.RuleList().dump(rules_page(asked))
    names = {area.value: area.name for area in areas.mine()}
    values: dict[str, Any] = {
        "rules": [row | {"when": _when(row["time"])} for row in found["items"]],
        "next_address": next_address(found["next_cursor"]),
        "is_first": not asked["cursor"],
        "here_address": request.full_path.rstrip("?"),
        "names": names,
        "method_names": {key.value: name for key, name in _METHODS.items()},
        "now": f"{clock.in_shanghai(clock.now()):%Y-%m-%dT%H:%M}",
        **_choices(),
    }
    if is_fragment():
        return fragment("duty/_rules.html", **values)
    return page("duty/routing.html", here="routing", **values)


def _rule(ref: Ref) -> dict[str, Any]:
    shown = rules_out([rules.rule_for(g.staff, ref)], places.today())[0]
    return {"rule": routing_schemas.RuleOut().dump(shown), **_choices()}


@blp.route("/routing/<ref(rul):ref>", methods=["GET"])
@requires(Allow.ROUTING_EDIT)
@reads
def routing_rule(ref: Ref) -> str:
    """One rule on a page of its own."""
    return page("duty/rule.html", here="routing", **_rule(ref))


@blp.route("/routing/<ref(rul):ref>/detail", methods=["GET"])
@requires(Allow.ROUTING_EDIT)
@reads
def routing_rule_detail(ref: Ref) -> str:
    """The same for the drawer."""
    return fragment("duty/_rule.html", **_rule(ref))
