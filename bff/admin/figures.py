"""Figures of tickets, the tickets behind them, their export, published assessments, and the first screen."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, g, url_for

from app.people.permissions import Permission as Allow
from app.people.scopes import StaffActor
from app.places import queries as places
from app.tickets import assessments, figure_counts, figure_items, figures
from app.tickets import dashboard as screen
from app.tickets import queries as tickets
from app.tickets.figure_rules import MIN_SAMPLE
from app.tickets.figures import By, Wanted
from bff.admin import figure_csv, figure_views
from bff.admin import figure_schemas as s
from bff.admin.auth import requires
from bff.http import read_cursor, reads, write_cursor, writes
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("staff-figures", __name__, url_prefix="/admin/api/v1", description="Figures of tickets")

_FILTERS = {
    "unit": (By.UNIT, "单位"),
    "person": (By.PERSON, "人员"),
    "category": (By.CLASS, "类别"),
    "category_under": (By.TOP_CLASS, "类别及下级"),
    "community": (By.COMMUNITY, "社区"),
    "estate": (By.ESTATE, "小区"),
    "grid": (By.GRID, "网格"),
    "channel": (By.CHANNEL, "渠道"),
}


def wanted_of(args: dict[str, Any]) -> Wanted:
    """What `args` (of FigureFilter) ask for; without days this month until today."""
    last = args["last"] or places.today()
    only: dict[By, Any] = {}
    for name, (by, _) in _FILTERS.items():
        if name in args:
            value = args[name]
            if by is By.COMMUNITY:
                value = value.int
            only[by] = None if value == s.NONE else value
    return Wanted(args["first"] or last.replace(day=1), last, only)


@blp.route("/dashboard", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
@blp.response(200, s.DashboardOut)
def dashboard() -> dict[str, Any]:
    """The first screen: what waits, today, what is latest, the month beside the month and the year before."""
    return figure_views.dashboard_out(screen.dashboard(g.staff))


@blp.route("/stats/tickets", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
@blp.arguments(s.FigureQuery, location="query")
@blp.response(200, s.CountsOut)
def received(args: dict[str, Any]) -> dict[str, Any]:
    """How many tickets were received, by what they are now, by channel and class; all of them."""
    by, wanted = args["by"], wanted_of(args)
    found = figure_counts.received(g.staff, wanted, by=by)
    names = tickets.category_names(found.total.by_class)
    return {
        **figure_views.head(wanted),
        "as_of": found.as_of,
        "by": by.value if by is not None else None,
        "total": figure_views.tally_out(found.total, names),
        "rows": figure_views.tally_rows_out(by, found.rows, names) if by is not None else [],
    }


@blp.route("/stats/sla", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
@blp.arguments(s.FigureQuery, location="query")
@blp.response(200, s.SlaOut)
def sla(args: dict[str, Any]) -> dict[str, Any]:
    """Every metric with numerator, denominator and what was left out; in total and by one dimension or period."""
    return figure_views.made_out(figures.metrics(g.staff, wanted_of(args), by=args["by"]))


@blp.route("/stats/units", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
@blp.arguments(s.RankQuery, location="query")
@blp.response(200, s.RankingOut)
def units(args: dict[str, Any]) -> dict[str, Any]:
    """Units, or people, ranked by one metric; those with too small a sample have no rank."""
    by, metric = By(args["of"]), args["metric"]
    made = figures.metrics(g.staff, wanted_of(args), by=by)
    rows = [row for row in made.rows if row.key is not None]
    names = figure_views.names_of(by, (row.key for row in rows))
    return {
        **figure_views.head(made.wanted),
        "as_of": made.as_of,
        "metric": metric.value,
        "calendar_version": made.calendar_version,
        "minimum_sample": MIN_SAMPLE,
        "rounding": figure_views.ROUNDING,
        "total": figure_views.figure_out(metric, made.total[metric]),
        "rows": [
            {
                "rank": rank,
                "note": figure_views.TOO_FEW if rank is None else None,
                "key": figure_views.key_out(by, row.key),
                "name": names.get(row.key, ""),
                "figure": figure_views.figure_out(metric, row.figures[metric]),
                "figures": figure_views.figures_out(row.figures),
            }
            for row, rank in figures.ranked(rows, metric)
        ],
    }


@blp.route("/stats/items", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
@blp.arguments(s.ItemQuery, location="query")
@blp.response(200, s.ItemList)
def items(args: dict[str, Any]) -> dict[str, Any]:
    """The very tickets that a figure counts: its numerator, its denominator, or what it leaves out.

    `missed`: those of the denominator that aren't in the numerator; none of a mean, nor of repeated reports.
    """
    return listed(args, wanted_of(args), g.staff)


def listed(args: dict[str, Any], wanted: Wanted, staff: StaffActor) -> dict[str, Any]:
    """The page of tickets that `args` (of ItemQuery) ask for, of what `staff` reaches."""
    after = read_cursor(args["cursor"], UUID, int)
    found = figure_items.items(
        staff,
        wanted,
        args["metric"],
        args["share"],
        reason=args["reason"],
        limit=args["limit"] + 1,
        before=(after[0], after[1]) if after else None,
    )
    page = found.stints[: args["limit"]]
    more = len(found.stints) > len(page)
    return {
        **figure_views.head(wanted),
        "as_of": found.as_of,
        "items": figure_views.items_out(page, figure_items.excluded_because(staff, page), staff),
        "next_cursor": write_cursor(page[-1].ticket_id, page[-1].seq) if more else None,
        "count": found.total,
    }


@blp.route("/stats/export", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
@blp.arguments(s.FigureQuery, location="query")
@blp.response(200, {"type": "string", "format": "binary"}, content_type="text/csv")
def export(args: dict[str, Any]) -> Response:
    """The figures as CSV (UTF-8 with a byte order mark), with what was asked for on top."""
    wanted = wanted_of(args)
    shown = figure_views.made_out(figures.metrics(g.staff, wanted, by=args["by"]))
    names = figure_views.names_asked(g.staff, wanted.only)
    filters = [
        (zh, names.get(by) or figure_views.key_out(by, wanted.only[by]))
        for by, zh in _FILTERS.values()
        if by in wanted.only
    ]
    name = f"figures-{wanted.first:%Y%m%d}-{wanted.last:%Y%m%d}.csv"
    return Response(
        figure_csv.of_figures(shown, filters=filters),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


@blp.route("/stats/assessments", methods=["POST"])
@requires(Allow.STATS_PUBLISH)
@writes
@blp.arguments(s.AssessmentIn)
@blp.response(201, s.AssessmentOut)
def publish(body: dict[str, Any]) -> Any:
    """Publish the figures of a period that is over: they stay as they are, whatever is corrected afterwards."""
    period = body["period"]
    row = assessments.publish(
        title=body["title"], first=period["first"], last=period["last"], acting_user=g.staff
    )
    where = url_for("staff-figures.assessment", assessment_id=row.id)
    return figure_views.assessment_out(row), 201, {"Location": where}


@blp.route("/stats/assessments", methods=["GET"])
@requires(Allow.STATS_PUBLISH)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.AssessmentList)
def published(args: dict[str, Any]) -> dict[str, Any]:
    """Published assessments that speak of my communities, the last one first."""
    return page_of(args)


def page_of(args: dict[str, Any]) -> dict[str, Any]:
    """The page of assessments that `args` (of PageQuery) ask for. Raises BadCursor."""
    after = read_cursor(args["cursor"], datetime.fromisoformat, UUID)
    rows = assessments.assessments(
        g.staff, limit=args["limit"] + 1, before=(after[0], after[1]) if after else None
    )
    page = rows[: args["limit"]]
    more = len(rows) > len(page)
    return {
        "items": figure_views.assessment_rows_out(page),
        "next_cursor": write_cursor(page[-1].published_at, page[-1].id) if more else None,
    }


@blp.route("/stats/assessments/<ref(asm):assessment_id>", methods=["GET"])
@requires(Allow.STATS_PUBLISH)
@reads
@blp.response(200, s.AssessmentOut)
def assessment(assessment_id: UUID) -> dict[str, Any]:
    """The figures as they were published, with the version of the calendar that they rest on."""
    return figure_views.assessment_out(assessments.assessment_for(g.staff, assessment_id))
