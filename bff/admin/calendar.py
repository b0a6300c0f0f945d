"""The working calendar, and what limits hold."""

from __future__ import annotations

from typing import Any

from flask import g, url_for

from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.tickets import calendar, clocks, holding, queries, steps
from app.tickets.clocks import DayKind, Limit, Unit
from app.tickets.models import CalendarDay
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.http import reads, revalidated, writes
from bff.schemas import Blueprint

blp = Blueprint(
    "staff-calendar", __name__, url_prefix="/admin/api/v1", description="Working calendar and limits"
)


def _day(row: CalendarDay) -> dict[str, Any]:
    kind = DayKind.HALF if row.is_half else DayKind.WORK if row.is_working else DayKind.OFF
    return {"day": row.day, "kind": kind, "confirmed": row.is_confirmed}


@blp.route("/calendar", methods=["GET"])
@requires(Allow.PLACE_VIEW)
@revalidated
@reads
@blp.arguments(s.CalendarQuery, location="query")
@blp.response(200, s.CalendarOut)
def days(args: dict[str, Any]) -> dict[str, Any]:
    """The days of a year: off, work or half (the morning only)."""
    return year_out(args["year"])


def year_out(year: int) -> dict[str, Any]:
    """The loaded days of a year."""
    found = queries.calendar_of(year)
    return {"year": year, "version": found.version, "days": [_day(row) for row in found.days]}


@blp.route("/calendar", methods=["POST"])
@requires(Allow.CALENDAR_EDIT)
@writes
@blp.arguments(s.CalendarIn)
@blp.response(201, s.CalendarLoaded)
def load(body: dict[str, Any]) -> Any:
    """Load days (a year, or a correction) without a gap; the clocks of open tickets are then read anew."""
    given = (
        calendar.from_csv(body["csv"])
        if "csv" in body
        else [calendar.Day(row["day"], row["kind"], row["confirmed"]) for row in body["days"]]
    )
    loaded = calendar.load(given, note=body["note"], acting_user=g.staff)
    return loaded._asdict(), 201, {"Location": url_for("staff-calendar.days", year=given[0].day.year)}


@blp.route("/limits", methods=["GET"])
@requires(Allow.PLACE_VIEW)
@revalidated
@reads
@blp.response(200, s.LimitsOut)
def limits() -> dict[str, Any]:
    """What limits hold."""
    return limits_out()


def limits_out() -> dict[str, Any]:
    """The limits in force today."""

    def minutes(span: Any) -> dict[str, Any]:
        return Limit(int(span.total_seconds() // 60), Unit.MINUTES).as_data()

    return {
        "accept": minutes(clocks.ACCEPT_WITHIN),
        "dispatch": minutes(clocks.DISPATCH_WITHIN),
        "urgent": clocks.URGENT.as_data(),
        "ordinary": clocks.ORDINARY.as_data(),
        "pause_days": holding.MAX_PAUSE_DAYS,
        "extension_days": holding.MAX_EXTENSION.days,
        "returns": queries.MAX_RETURNS,
        "warn_before": minutes(clocks.WARN_BEFORE),
        "classes": [
            {"code": term.code, "name": term.name, "limit": steps.limit_for(term, urgent=False).as_data()}
            for term in queries.classes_on(places.today())
            if term.limit_amount is not None
        ],
        "ladder_hours": [int(wait.total_seconds() // 3600) for wait in clocks.LADDER],
    }
