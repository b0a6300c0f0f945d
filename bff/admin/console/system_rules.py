"""Pages of what the house goes by: classes of problems, the working calendar, what is set."""

from __future__ import annotations

import calendar as months
from collections.abc import Sequence
from dataclasses import fields
from datetime import date, timedelta
from typing import Any, NamedTuple

import marshmallow as ma
from flask import current_app, g

from app import ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.patrol import queries as patrols
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.places.models import OrgKind
from app.revenue import queries as revenue
from app.tickets import queries as tickets
from app.tickets.clocks import DayKind
from app.tickets.models import LimitUnit
from app.voting import queries as votes
from app.voting import words as vote_words
from app.voting.models import LegalMode
from bff import revenue as books
from bff.admin import calendar as calendar_face
from bff.admin import categories as category_face
from bff.admin import category_schemas, patrol_schemas, patrol_views
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.console import words
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.system_frame import Choice, sheet
from bff.admin.console.system_words import ENVIRONMENT, ORG_KINDS, PATROL_NUMBERS, RULES, UNITS, span
from bff.admin.console.words import say
from bff.http import reads
from bff.schemas import Date, Query

HISTORY = 30  # lines


# --- classes -----------------------------------------------------------------------------------------------


class TreeQuery(Query):
    on = Date(load_default=None)


@blp.route("/categories", methods=["GET"])
@requires(Allow.PLACE_EDIT, Allow.CATEGORY_EDIT)
@reads
def category_tree() -> str:
    """The tree of today, or of another day."""
    today = places.today()
    on: date = query(TreeQuery)["on"] or today
    rows = category_schemas.CategoryRow(many=True).dump(
        category_face.rows_out(tickets.classes_on(on), tickets.class_numbers())
    )
    values = {"rows": rows, "on": on.isoformat(), "span": span, "org_kinds": _org_kinds()}
    if is_fragment():
        return fragment("system/_categories_list.html", **values)
    return page(
        "system/categories.html",
        here="categories",
        may_edit=g.staff.may(Allow.CATEGORY_EDIT),
        today=today.isoformat(),
        **values,
        **_choices(),
    )


def _org_kinds() -> dict[str, str]:
    return {kind.value: name for kind, name in ORG_KINDS.items()}


def _choices() -> dict[str, Any]:
    """What the form of a class offers."""
    rows = category_face.rows_out(tickets.classes_on(places.today()), tickets.class_numbers())
    return {
        "parents": [Choice(row["code"], row["name"], row["depth"]) for row in rows],
        "units": [Choice(unit.value, UNITS[unit.value]) for unit in LimitUnit],
        "kinds": [Choice(kind.value, ORG_KINDS[kind]) for kind in OrgKind],
    }


@sheet("/categories/<code>", Allow.PLACE_EDIT, Allow.CATEGORY_EDIT, here="categories", part="_category.html")
def category_one(code: str) -> dict[str, Any]:
    """A class with everything it said and will say."""
    shown = _class(code)
    today = places.today().isoformat()
    now = next((one for one in shown["terms"] if not one["valid_to"] or one["valid_to"] > today), None)
    return {
        "title": (now or shown["terms"][-1])["name"],
        "one": shown,
        "now": now,
        "today": today,
        "span": span,
        "org_kinds": _org_kinds(),
        "may_edit": g.staff.may(Allow.CATEGORY_EDIT),
        **_choices(),
    }


def _class(code: str) -> dict[str, Any]:
    found = tickets.class_numbers().get(code)
    if found is None:
        raise NotFound
    return dict(category_schemas.CategoryOut().dump(category_face.whole_out(found)))


@blp.route("/categories/<code>/now", methods=["GET"])
@requires(Allow.PLACE_EDIT, Allow.CATEGORY_EDIT)
@reads
def category_now(code: str) -> str:
    """How the class stands now: for whom somebody was faster."""
    shown = _class(code)
    last = shown["terms"][-1]
    return fragment("system/_area_now.html", one=shown | {"name": last["name"]}, more=last["hint"])


# --- the calendar ------------------------------------------------------------------------------------------


class YearQuery(Query):
    year = ma.fields.Integer(load_default=None, strict=False, validate=ma.validate.Range(2020, 2100))


class Cell(NamedTuple):
    """A day of the picture. `moved`: another kind than its day of the week says; `known`: is it loaded?"""

    day: str
    number: int
    kind: str
    confirmed: bool
    known: bool
    moved: bool
    today: bool


@blp.route("/calendar", methods=["GET"])
@requires(Allow.PLACE_VIEW)
@reads
def year() -> str:
    """Working days and holidays of a year, as a picture of the year."""
    today = places.today()
    chosen: int = query(YearQuery)["year"] or today.year
    found = s.CalendarOut().dump(calendar_face.year_out(chosen))
    known = {date.fromisoformat(one["day"]): one for one in found["days"]}
    values = {
        "year": chosen,
        "months": [_month(chosen, month, known, today) for month in range(1, 13)],
        "found": found,
        "unconfirmed": sum(not one["confirmed"] for one in found["days"]),
        "may_edit": g.staff.may(Allow.CALENDAR_EDIT),
        "history": _loaded(),
        "most": HISTORY,
    }
    if is_fragment():
        return fragment("system/_year.html", **values)
    return page(
        "system/calendar.html",
        here="calendar",
        limits=s.LimitsOut().dump(calendar_face.limits_out()),
        span=span,
        **values,
    )


def _month(year: int, month: int, known: dict[date, dict[str, Any]], today: date) -> list[list[Cell | None]]:
    return [
        [_cell(day, known.get(day), today) if day.month == month else None for day in week]
        for week in months.Calendar().monthdatescalendar(year, month)
    ]


def _cell(day: date, row: dict[str, Any] | None, today: date) -> Cell:
    usual = DayKind.OFF if day.weekday() >= 5 else DayKind.WORK
    kind = row["kind"] if row is not None else usual
    confirmed = row is not None and bool(row["confirmed"])
    return Cell(day.isoformat(), day.day, kind, confirmed, row is not None, kind != usual, day == today)


def _loaded() -> list[dict[str, Any]]:
    rows = tickets.calendar_versions(limit=HISTORY + 1)  # one more says that there are more
    names = people.staff_names(row.loaded_by for row in rows)
    return [
        {"at": row.loaded_at, "by": names.get(row.loaded_by) if row.loaded_by else None, "note": row.note}
        for row in rows
    ]


# --- what is set -------------------------------------------------------------------------------------------


@blp.route("/settings", methods=["GET"])
@requires(Allow.PATROL_PLAN, Allow.STAFF_EDIT)
@reads
def settings() -> str:
    """What is in force: limits, the numbers of patrols, each estate's rules, what the server was started with."""
    plans = g.staff.may(Allow.PATROL_PLAN)
    values: dict[str, Any] = {
        "limits": s.LimitsOut().dump(calendar_face.limits_out()),
        "span": span,
        "patrol": _patrol() if plans else None,
        "estates": _estates() if g.staff.may(Allow.DECISION_VIEW) else [],
        "environment": _environment() if g.staff.may(Allow.STAFF_EDIT) else [],
    }
    if is_fragment():
        return fragment("system/_patrol_settings.html", **values)
    return page("system/settings.html", here="settings", **values)


def _patrol() -> dict[str, Any]:
    communities = g.staff.communities_with(Allow.PATROL_PLAN)
    names = places.region_names()
    rows = patrols.choices_of(communities, limit=HISTORY + 1)  # one more says that there are more
    by = people.staff_names(row.actor_id for row in rows)
    return {
        "words": PATROL_NUMBERS,
        "spans": patrols.SETTINGS,
        "most": HISTORY,
        "items": patrol_schemas.PatrolSettingsOut(many=True).dump(patrol_views.settings_out(g.staff)),
        "history": [
            {
                "at": row.at,
                "by": by.get(row.actor_id) if row.actor_id else None,
                "community": names.get(row.community_id, ""),
                "changes": [(PATROL_NUMBERS[key], value) for key, value in sorted(row.details.items())],
            }
            for row in rows
        ],
    }


def _estates() -> list[dict[str, Any]]:
    reach = votes.reach(g.staff, Allow.DECISION_VIEW)
    found = places.estates(reach)
    rows = []
    for ref, estate in sorted(found.items(), key=lambda one: one[1].name):
        procedure = votes.procedure_of(ref)
        today = revenue.setting_on(ref, places.today()) if g.staff.may(Allow.REVENUE_VIEW) else None
        rows.append(
            {
                "estate_id": ids.encode(Kind.ESTATE, ref),
                "name": estate.name,
                "mode": LegalMode(votes.mode_of(ref)).value,
                "version": procedure.version if procedure is not None else 0,
                "split": today.split_bp if today is not None else None,
            }
        )
    return rows


@sheet("/settings/<ref(est):ref>", Allow.DECISION_VIEW, here="settings", part="_estate_settings.html")
def estate_settings(ref: Ref) -> dict[str, Any]:
    """What holds in an estate: legal effect and rules of its votes, how its revenue is kept; each with its history."""
    votes.estate_for_staff(g.staff, ref, Allow.DECISION_VIEW)
    modes, procedures = votes.modes_of(ref), votes.procedures_of(ref)
    names = people.staff_names([row.set_by for row in modes] + [row.set_by for row in procedures])
    english = words.language() == "en"
    return {
        "title": places.estate(ref).name,
        "estate_id": ids.encode(Kind.ESTATE, ref),
        "mode": votes.mode_of(ref).value,
        "mode_text": vote_words.mode(votes.mode_of(ref), english=english),
        "mode_texts": [(mode.value, vote_words.mode(mode, english=english)) for mode in LegalMode],
        "modes": [
            {
                "at": row.set_at,
                "by": names.get(row.set_by),
                "text": vote_words.mode(row.mode, english=english),
                "document": row.document,
            }
            for row in modes
        ],
        "rules": _rules(votes.rules_for(ref).as_json()),
        "procedures": [
            {
                "at": row.set_at,
                "by": names.get(row.set_by),
                "version": row.version,
                "document": row.document,
                "clause": row.clause,
            }
            for row in procedures
        ],
        "books": _books(ref) if g.staff.may(Allow.REVENUE_VIEW) else None,
        "may_mode": g.staff.may(Allow.DECISION_MODE),
        "may_books": g.staff.may(Allow.REVENUE_SETTINGS),
        "tomorrow": (places.today() + timedelta(days=1)).isoformat(),
    }


def _books(ref: Ref) -> list[dict[str, Any]]:
    """How the estate's revenue was and will be kept, the latest rules first."""
    rows = revenue.settings_of(ref)
    names = people.staff_names(row.set_by for row in rows)
    shown = books.RevenueRulesOut()
    return [
        shown.dump(books.rules_out(row)) | {"by": names.get(row.set_by), "at": row.set_at} for row in rows
    ]


def _rules(held: dict[str, Any]) -> list[dict[str, Any]]:
    """Every rule of procedure with its words, what holds, and what it could be."""
    return [
        {
            "key": key,
            "name": rule.name,
            "value": held[key],
            "said": _said(rule.options, held[key]),
            "options": rule.options,
        }
        for key, rule in RULES.items()
    ]


def _said(options: Sequence[tuple[str, str]], value: Any) -> str:
    if isinstance(value, bool):
        return say("是") if value else say("否")
    return next((say(text) for one, text in options if one == value), str(value))


# Names that a value of must not be read on a screen even where it opens nothing by itself.
_TELLING = ("KEY", "SECRET", "TOKEN", "PASSWORD", "URL")


def _environment() -> list[dict[str, str]]:
    """What the process was started with, by the names of the environment; never a secret."""
    chosen = current_app.config["SETTINGS"]
    shown = []
    for row in fields(chosen):
        name: str = row.metadata["env"]
        value = getattr(chosen, row.name)
        hidden = not row.repr or (name != "PUBLIC_BASE_URL" and any(word in name for word in _TELLING))
        text = (say("已设置，不显示") if value else say("没有设置")) if hidden else _plain(value)
        shown.append({"name": name, "about": ENVIRONMENT.get(name, ""), "value": text})
    return shown


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return say("是") if value else say("否")
    if not value and value != 0:
        return say("没有设置")
    if isinstance(value, dict):
        return "、".join(sorted(value))
    if isinstance(value, tuple):
        return " – ".join(f"{one:%H:%M}" if hasattr(one, "hour") else str(one) for one in value)
    return str(value)
