"""Assessment (考核): every metric by unit and person, the very tickets behind a figure, and what was published."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import marshmallow as ma
from flask import g, request

from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.tickets import assessments, figures
from app.tickets.figure_rules import MIN_SAMPLE, RULES, Metric, Share, has_missed
from app.tickets.figures import By, Made, Wanted
from bff.admin import figure_schemas as s
from bff.admin import figure_views, wall
from bff.admin import figures as face
from bff.admin.auth import requires
from bff.admin.console import areas, lists
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.ticket_words import channel_name, status_name
from bff.admin.console.words import say
from bff.http import reads
from bff.schemas import PageQuery

f = ma.fields
v = ma.validate

MOST_BARS = 12
# What is shown of each unit before all metrics are asked for: what the street is measured by first.
CHIEF = (
    Metric.CLOSED_ON_TIME,
    Metric.CLOSED,
    Metric.SATISFIED,
    Metric.HANDLING_TIME,
    Metric.OVERDUE,
    Metric.RETURNED,
    Metric.REWORK,
)


def missed_called(metric: Metric) -> str:
    """What is said of those in the denominator and not in the numerator; "" where there are none by its nature."""
    if not has_missed(RULES[metric]):
        return ""
    return "没做到的" if RULES[metric].more_is_better else "没有这种情况的"


class AssessmentQuery(s.RankQuery):
    """The ranking, and the area; `all`: every metric as a column."""

    area = f.String(load_default=None, validate=v.Length(max=60))
    all = f.Boolean(load_default=False)


class ItemsQuery(s.ItemQuery):
    area = f.String(load_default=None, validate=v.Length(max=60))


class Period(NamedTuple):
    """A choice of days."""

    name: str
    first: date
    last: date


def _month(day: date) -> tuple[date, date]:
    return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])


def periods(today: date) -> list[Period]:
    """What people ask for: what is over first."""
    before = _month(today.replace(day=1) - timedelta(days=1))
    quarter = date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
    ended = quarter - timedelta(days=1)
    last_quarter = date(ended.year, (ended.month - 1) // 3 * 3 + 1, 1)
    return [
        Period("本月", today.replace(day=1), today),
        Period("上月", *before),
        Period("本季度", quarter, today),
        Period("上季度", last_quarter, ended),
        Period("本年", date(today.year, 1, 1), today),
        Period("近 30 天", today - timedelta(days=29), today),
    ]


def _asked(area: str | None) -> wall.Asked:
    chosen = areas.chosen(areas.mine())
    return wall.asked_of(g.staff, area or (chosen.value if chosen is not None else None))


def _address(path: str, **given: Any) -> str:
    return f"{path}?{urlencode({name: value for name, value in given.items() if value})}"


@blp.route("/assessment", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
def assessment_board() -> str:
    """The metrics of a period, in total and by unit or person."""
    args = query(AssessmentQuery)
    asked, by = _asked(args["area"]), By(args["of"])
    wanted = face.wanted_of(args)
    wanted = Wanted(wanted.first, wanted.last, {**asked.only, **wanted.only})
    made = figures.metrics(asked.staff, wanted, by=by)
    shown = s.SlaOut().dump(figure_views.made_out(made))
    metric: Metric = args["metric"]
    days = {"from": wanted.first.isoformat(), "to": wanted.last.isoformat()}

    def items(metric: str, share: str, key: str | None = None, reason: str | None = None) -> str:
        whose = {by.value: key} if key is not None else {}
        return _address(
            "/admin/assessment/items",
            metric=metric,
            share=share,
            reason=reason,
            **days,
            area=asked.area,
            **whose,
        )

    def here(**changes: Any) -> str:
        given = {"of": by.value, "metric": metric.value, "all": args["all"] and "true", **days} | changes
        return _address("/admin/assessment", **given)

    place = {}
    if asked.area is not None:
        level = "community" if asked.community is not None else "estate" if asked.estate else "grid"
        place = {level: asked.area}
    return page(
        "assessment/board.html",
        here="assessment",
        shown=shown,
        rows=_ranked(shown, made, metric),
        bars=_bars(shown, made, metric),
        by=by.value,
        metric=metric.value,
        metrics=[(one.value, figure_views.METRICS[one][0]) for one in Metric],
        columns=[one.value for one in (Metric if args["all"] else CHIEF)],
        with_all=args["all"],
        missed={one.value: missed_called(one) for one in Metric},
        periods=[(one.name, here(**_days(one)), _days(one) == days) for one in periods(places.today())],
        items=items,
        here_address=here,
        export=_address("/admin/api/v1/stats/export", by=by.value, **days, **place),
        publishes=g.staff.may(Allow.STATS_PUBLISH),
        is_over=wanted.last < places.today(),
    )


def _days(period: Period) -> dict[str, str]:
    return {"from": period.first.isoformat(), "to": period.last.isoformat()}


def _ranked(shown: dict[str, Any], made: Made, metric: Metric) -> list[dict[str, Any]]:
    """The rows in the order of their rank, those with too small a sample behind, who has none last."""
    by_key = {row["key"]: row for row in shown["rows"]}
    assert made.by is not None
    named = [row for row in made.rows if row.key is not None]
    found = [
        by_key.pop(figure_views.key_out(made.by, row.key)) | {"rank": rank}
        for row, rank in figures.ranked(named, metric)
    ]
    return found + [row | {"rank": None} for row in by_key.values()]


def _bars(shown: dict[str, Any], made: Made, metric: Metric) -> dict[str, Any] | None:
    """The ranking as a picture, of those with enough tickets; None where nobody has."""
    rows = [row for row in _ranked(shown, made, metric) if row["rank"] is not None][:MOST_BARS]
    if not rows:
        return None
    is_mean = RULES[metric].seconds is not None
    figures_ = [next(one for one in row["figures"] if one["metric"] == metric) for row in rows]
    values = [float(one["days"] if is_mean else one["percent"].rstrip("%")) for one in figures_]
    name = say(figure_views.METRICS[metric][0])
    return {
        "title": name,
        "given": {
            "kind": "bar",
            "across": True,
            "unit": say("天") if is_mean else "%",
            "labels": [row["name"] for row in rows],
            "series": [{"name": name, "values": values}],
        },
        "texts": [
            [row["name"], one["days"] or one["percent"], one["denominator"]]
            for row, one in zip(rows, figures_, strict=True)
        ],
    }


# --- the tickets behind a figure ---------------------------------------------------------------------------


@blp.route("/assessment/items", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
def assessment_items() -> str:
    """The very tickets that a figure counts, or that it leaves out with the reason."""
    args = query(ItemsQuery) | {"limit": 50}
    asked = _asked(args["area"])
    wanted = face.wanted_of(args)
    wanted = Wanted(wanted.first, wanted.last, {**asked.only, **wanted.only})
    found = s.ItemList().dump(face.listed(args, wanted, asked.staff))
    given = {name: value for name, value in request.args.items() if value.strip()}
    share: Share = args["share"]
    values: dict[str, Any] = {
        "list": found,
        "metric": figure_views.METRICS[args["metric"]],
        "share": share.value,
        "shares": [
            (one.value, _address("/admin/assessment/items", **(given | {"share": one.value, "cursor": ""})))
            for one in Share
            if one is not Share.MISSED or missed_called(args["metric"])
        ],
        "missed": missed_called(args["metric"]),
        "reason": figure_views.REASONS.get(args["reason"] or ""),
        "reasons": figure_views.REASONS,
        "whose": list(figure_views.names_asked(asked.staff, wanted.only).values()),
        "next_address": _address("/admin/assessment/items", **(given | {"cursor": found["next_cursor"]}))
        if found["next_cursor"]
        else None,
        "status_name": status_name,
        "channel_name": channel_name,
    }
    if is_fragment():
        return fragment("assessment/_items.html", **values)
    return page("assessment/items.html", here="assessment", **values)


# --- published ---------------------------------------------------------------------------------------------


@blp.route("/assessment/published", methods=["GET"])
@requires(Allow.STATS_PUBLISH)
@reads
def published_assessments() -> str:
    """Assessments that were published, the last one first."""
    asked = query(PageQuery)
    shown = s.AssessmentList().dump(face.page_of(asked))
    return page(
        "assessment/published.html",
        here="assessment",
        list=shown["items"],
        is_first=not asked["cursor"],
        next_address=lists.next_address(shown["next_cursor"]),
    )


@blp.route("/assessment/published/<ref(asm):assessment_id>", methods=["GET"])
@requires(Allow.STATS_PUBLISH)
@reads
def published_assessment(assessment_id: UUID) -> str:
    """One, as it was published."""
    row = assessments.assessment_for(g.staff, assessment_id)
    shown = s.AssessmentOut().dump(figure_views.assessment_out(row))
    return page("assessment/one.html", here="assessment", shown=shown, minimum=MIN_SAMPLE)
