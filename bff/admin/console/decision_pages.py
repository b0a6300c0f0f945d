"""Pages of decisions: the list, the wizard that drafts one, and one decision with what comes next."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import g, request
from werkzeug.datastructures import MultiDict

from app import clock, ids
from app.errors import Forbidden
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.voting import periods, queries, turnout
from app.voting.matters import Matter
from app.voting.models import Decision, DecisionKind, DecisionStatus, LegalMode
from app.voting.rules import Rules
from bff import result_schemas
from bff import results as views
from bff.admin import decision_schemas as s
from bff.admin.auth import requires
from bff.admin.console import areas, decision_moves
from bff.admin.console import decision_words as said
from bff.admin.console.face import blp, fragment, page, query
from bff.admin.console.words import say
from bff.admin.decisions import checks_of, detail, page_of
from bff.http import reads

_LIVE = frozenset(
    {DecisionStatus.OPEN, DecisionStatus.CLOSED, DecisionStatus.CERTIFIED, DecisionStatus.POSTED}
)
_DRAFTED = frozenset({DecisionStatus.DRAFT, DecisionStatus.IN_REVIEW})
REVIEW_DAYS = 3  # what the suggested times leave for the review before the announcement


# --- what pages of one decision share ------------------------------------------------------------------------


def may(row: Decision, permission: Allow) -> bool:
    """Has she this permission for this decision, and nothing that keeps her from it?"""
    try:
        queries.decision_for_staff(g.staff, queries.ref_of(row), permission)
    except Forbidden:
        return False
    return True


def takes_official(row: Decision) -> bool:
    """May she enter what the authority's own system counted, or correct it?"""
    return (
        row.legal_mode == LegalMode.OFFICIAL
        and queries.status_of(row) is DecisionStatus.CLOSED
        and may(row, Allow.DECISION_CERTIFY)
    )


class Tab(NamedTuple):
    """A page of one decision. `path`: below its own address."""

    key: str
    name: str
    path: str


def _tabs(row: Decision) -> list[Tab]:
    is_frozen, status = row.frozen_at is not None, queries.status_of(row)
    is_over = status in {DecisionStatus.CERTIFIED, DecisionStatus.POSTED, DecisionStatus.ARCHIVED}
    offered = (
        (Tab("overview", "概况和下一步", ""), True),
        (Tab("turnout", "投票进度", "/turnout"), is_frozen),
        (Tab("roll", "名册", "/roll"), is_frozen and may(row, Allow.ROLL_VIEW)),
        (Tab("candidates", "候选人", "/candidates"), row.kind == DecisionKind.ELECTION),
        (Tab("paper", "纸质票", "/paper"), is_frozen and may(row, Allow.PAPER_ENTER)),
        (Tab("proxies", "委托", "/proxies"), is_frozen and may(row, Allow.PROXY_REVIEW)),
        (Tab("visits", "上门与送达", "/visits"), is_frozen and may(row, Allow.ROLL_VIEW)),
        (Tab("disputes", "异议与争议", "/disputes"), row.announced_at is not None),
        (Tab("official", "主管部门结果", "/official"), takes_official(row)),
        (Tab("result", "结果", "/result"), is_over),
    )
    return [tab for tab, is_offered in offered if is_offered]


def of_one(row: Decision, tab: str) -> dict[str, Any]:
    """What every page of one decision shows: itself, its tabs, and what may be done from any of them."""
    shown = s.DecisionDetail().dump(detail(row))
    estate = places.estate(queries.estate_of(row))
    return {
        **said.helpers(),
        "decision": shown,
        "estate_name": estate.name,
        "own": f"/admin/decisions/{shown['decision_id']}",
        "api": f"/admin/api/v1/decisions/{shown['decision_id']}",
        "tabs": _tabs(row),
        "tab": tab,
        "is_open": queries.status_of(row) is DecisionStatus.OPEN,
        "may_remind": queries.status_of(row) is DecisionStatus.OPEN and may(row, Allow.DECISION_EDIT),
        "buildings": _building_names(row),
    }


def _building_names(row: Decision) -> list[str]:
    names = {str(b.id): b.name for b in places.buildings_of(queries.estate_of(row))}
    return [names.get(str(b), "") for b in row.building_ids or ()]


# --- the list ------------------------------------------------------------------------------------------------


@blp.route("/decisions", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
def decision_list() -> str:
    """Decisions of my estates, the newest first, with where they stand."""
    asked = query(s.DecisionQuery)
    area = areas.chosen(areas.mine())
    if asked["estate_id"] is None and area is not None and area.kind == "小区":
        asked["estate_id"] = ids.decode_ref(Kind.ESTATE, area.value)
    found = s.DecisionList().dump(page_of(asked))
    rows = [row | _standing(row) for row in found["items"]]
    given = {name: value for name, value in request.args.items() if value.strip()}
    more = found["next_cursor"]
    return page(
        "decisions/list.html",
        here="decisions",
        **said.helpers(),
        rows=rows,
        given=given,
        states=list(said.STATES),
        next_address=f"/admin/decisions?{urlencode(given | {'cursor': more})}" if more else None,
        may_draft=g.staff.may(Allow.DECISION_DRAFT),
    )


def _standing(row: dict[str, Any]) -> dict[str, Any]:
    """Beside a row: its estate's name, and its turnout while there is one to look at."""
    ref = ids.decode_ref(Kind.DECISION, row["decision_id"])
    estate = places.estate(ids.decode_ref(Kind.ESTATE, row["estate_id"])).name
    if row["status"] not in _LIVE:
        return {"estate_name": estate, "turnout": None}
    return {"estate_name": estate, "turnout": turnout.of(queries.decision(ref))}


# --- the wizard ----------------------------------------------------------------------------------------------


class Motion(NamedTuple):
    """A motion in the form. `rule`: what the law asks of it."""

    rule: said.Rule | None
    motion_id: str = ""
    title: str = ""
    text: str = ""
    seats: int | None = None
    alternates: int | None = None


@blp.route("/decisions/new", methods=["GET"])
@requires(Allow.DECISION_DRAFT)
@reads
def decision_new() -> str:
    """First what is decided, by which rules; then the texts and times of the draft."""
    estates = _estates()
    chosen = next((one for one in estates if one.value == request.args.get("estate_id")), None)
    kind = next((one for one in DecisionKind if one == request.args.get("kind")), None)
    motions = _asked_motions(kind, request.args) if kind is not None else []
    if chosen is None or kind is None or not motions:
        area = areas.chosen(estates)
        return page(
            "decisions/new.html",
            here="decision-new",
            **said.helpers(),
            estates=estates,
            chosen=chosen or area or (estates[0] if len(estates) == 1 else None),
            kind=kind or DecisionKind.MEETING,
            matters=said.rules_of_matters(),
            is_asked="estate_id" in request.args,
            lacks_estate=chosen is None,
        )
    estate = ids.decode_ref(Kind.ESTATE, chosen.value)
    return page(
        "decisions/write.html",
        here="decision-new",
        estate_name=chosen.name,
        estate_id=chosen.value,
        decision=None,
        **_form(estate, kind, motions),
    )


def _estates() -> list[areas.Area]:
    reach = queries.reach(g.staff, Allow.DECISION_DRAFT)
    return [
        area
        for area in areas.mine()
        if area.kind == "小区" and ids.decode_ref(Kind.ESTATE, area.value) in reach
    ]


def _asked_motions(kind: DecisionKind, given: MultiDict[str, str]) -> list[Motion]:
    if kind is DecisionKind.POLL:
        return [Motion(None)]
    if kind is DecisionKind.ELECTION:
        return [Motion(_rule(Matter.COMMITTEE))]
    numbers = {int(text) for text in given.getlist("matter") if text.isdecimal()}
    return [Motion(rule) for rule in said.rules_of_matters() if rule.matter in numbers]


def _rule(matter: int | None) -> said.Rule | None:
    return next((rule for rule in said.rules_of_matters() if rule.matter == matter), None)


def _form(estate: Ref, kind: DecisionKind, motions: list[Motion]) -> dict[str, Any]:
    """What the form of a draft offers, with the law's minimum for its times."""
    rules, now = queries.rules_for(estate), clock.now()
    mode = queries.mode_of(estate)
    notice = _morning(now, rules.notice_days)
    suggested = _morning(now, rules.notice_days + REVIEW_DAYS)
    return {
        **said.helpers(),
        "kind": kind,
        "motions": motions,
        "matters": said.rules_of_matters(),
        "rules": rules,
        "are_lawful": periods.are_lawful(),
        "first_opening": notice,
        "opens_at": _local(suggested),
        "closes_at": _local(suggested + timedelta(days=max(7, rules.window_days_min))),
        "modes": [mode] if mode is LegalMode.POLL or kind is DecisionKind.POLL else [mode, LegalMode.POLL],
        "mode": LegalMode.POLL if kind is DecisionKind.POLL else mode,
        "basis": basis(rules),
        "houses": [
            (ids.encode(Kind.BUILDING, Ref(b.community_id, b.id)), b.name)
            for b in places.buildings_of(estate)
        ],
        "rounds": _rounds(estate),
    }


def basis(rules: Rules) -> list[str]:
    """Who and what counts on the roll, in words."""
    counted = [say("住宅和商铺")]
    if rules.parking_counted:
        counted.append(say("车库和车位"))
    if rules.storage_counted:
        counted.append(say("储藏室"))
    return [
        say("计入面积的专有部分：") + "、".join(counted),
        say("面积以不动产登记为准；没有登记的以实测为准，再没有的以合同为准（司法解释第八条）。"),
        say("一人有几套算一人；建设单位没有卖出和没有交付的合起来算一人（司法解释第九条）。"),
        say("名册在开始表决前半小时按登记册确定，之后登记的变动不影响本次表决。"),
    ]


def _rounds(estate: Ref) -> list[tuple[str, str]]:
    """Decisions that this one may be the next round of."""
    found = queries.decisions_of(
        {estate},
        statuses=[
            DecisionStatus.CLOSED,
            DecisionStatus.CERTIFIED,
            DecisionStatus.POSTED,
            DecisionStatus.ARCHIVED,
        ],
        announced_only=True,
        page=queries.Page(10),
    )
    return [(ids.encode(Kind.DECISION, queries.ref_of(row)), row.title) for row in found]


def _morning(now: datetime, days: int) -> datetime:
    day = clock.in_shanghai(now).date() + timedelta(days=days)
    return datetime.combine(day, time(9), clock.SHANGHAI)


def _local(at: datetime | None) -> str:
    """As the browser's field for a time wants it."""
    return clock.in_shanghai(at).strftime("%Y-%m-%dT%H:%M") if at is not None else ""


@blp.route("/decisions/<ref(dec):ref>/edit", methods=["GET"])
@requires(Allow.DECISION_DRAFT)
@reads
def decision_edit(ref: Ref) -> str:
    """The form of a draft, filled in."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_DRAFT)
    shown = s.DecisionDetail().dump(detail(row))
    motions = [
        Motion(_rule(m["matter"]), m["motion_id"], m["title"], m["text"], m["seats"], m["alternates"])
        for m in shown["motions"]
    ]
    estate = queries.estate_of(row)
    form = _form(estate, DecisionKind(row.kind), motions)
    times = {name: _local(getattr(row, name)) for name in ("opens_at", "closes_at")}
    return page(
        "decisions/write.html",
        here="decisions",
        estate_name=places.estate(estate).name,
        estate_id=shown["estate_id"],
        decision=shown,
        **form | times | {"mode": LegalMode(row.legal_mode)},
    )


# --- one decision --------------------------------------------------------------------------------------------


@blp.route("/decisions/<ref(dec):ref>", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
def decision_page(ref: Ref) -> str:
    """Where it stands, what comes next and who does it, and what happened to it."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    values = of_one(row, "overview")
    return page(
        "decisions/overview.html",
        here="decisions",
        **values,
        next=decision_moves.next_of(row, lambda permission: may(row, permission)),
        rules=queries.rules_of(row) if row.announced_at else queries.rules_for(queries.estate_of(row)),
        basis=basis(queries.rules_of(row) if row.announced_at else queries.rules_for(queries.estate_of(row))),
        is_drafted=row.status in _DRAFTED,
        turnout=_turnout(row),
    )


def _turnout(row: Decision) -> dict[str, Any] | None:
    if row.frozen_at is None:
        return None
    return dict(result_schemas.TurnoutOut().dump(views.turnout_out(row)))


@blp.route("/decisions/<ref(dec):ref>/checks", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
def decision_checks(ref: Ref) -> str:
    """The check list before the announcement, each with where it is mended."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    shown = s.CheckList().dump(checks_of(ref))["items"]
    own = f"/admin/decisions/{ids.encode(Kind.DECISION, ref)}"
    is_draft = row.status == DecisionStatus.DRAFT
    lines = [
        check
        | {
            "text": said.need_says(check["need"], is_met=check["is_met"]),
            "mend": decision_moves.mended_at(
                check["need"], own, is_draft=is_draft and may(row, Allow.DECISION_DRAFT)
            ),
        }
        for check in shown
    ]
    return fragment("decisions/_checks.html", checks=lines, own=own, is_draft=is_draft)


@blp.route("/decisions/<ref(dec):ref>/now", methods=["GET"])
@requires(Allow.DECISION_VIEW)
@reads
def decision_now(ref: Ref) -> str:
    """How it stands now, in a few lines: for whom somebody was faster."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    shown = s.DecisionDetail().dump(detail(row))
    return fragment("decisions/_now.html", **said.helpers(), decision=shown)
