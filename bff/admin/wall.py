"""The figures of the dashboard and of displays on a wall: one answer, whoever asks, of one area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from flask import g

from app import clock, ids
from app.ids import Kind, Ref
from app.people import narrowing
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.people.scopes import StaffActor
from app.places import queries as places
from app.revenue.overview import overview
from app.tickets import figures, open_now
from app.tickets.figure_rules import MIN_SAMPLE, Metric
from app.tickets.figures import By, Figures, Wanted
from app.tickets.open_now import Open
from app.voting import queries as voting
from app.voting import turnout
from app.voting.models import DecisionStatus, LegalMode
from bff.admin import figure_views
from bff.admin import wall_schemas as s
from bff.admin.auth import requires
from bff.admin.tickets import area_of
from bff.http import reads
from bff.schemas import Blueprint

blp = Blueprint("staff-wall", __name__, url_prefix="/admin/api/v1", description="Figures of tickets")

DAYS = 30
MOST_DECISIONS = 12
RATES = (Metric.ACCEPT_ON_TIME, Metric.CLOSED_ON_TIME, Metric.SATISFIED, Metric.HANDLING_TIME)


class Asked(NamedTuple):
    """Who asks, already narrowed to a community; and the estate or grid that is looked at."""

    staff: StaffActor
    estate: Ref | None = None
    grid: Ref | None = None
    community: int | None = None
    area: str | None = None

    @property
    def only(self) -> dict[By, Any]:
        """The place as figures take it."""
        found: dict[By, Any] = {}
        if self.estate is not None:
            found[By.ESTATE] = self.estate
        if self.grid is not None:
            found[By.GRID] = self.grid
        return found

    def estates(self, reach: frozenset[Ref]) -> frozenset[Ref]:
        """Those of these estates that are looked at."""
        if self.estate is not None:
            return reach & {self.estate}
        if self.grid is not None:
            return reach & frozenset(places.estates_in_grid(self.grid))
        if self.community is not None:
            return reach & frozenset(places.governed_estates([self.community]))
        return reach


def asked_of(staff: StaffActor, area: str | None) -> Asked:
    """What she asks of this area (a wire id), within her reach. Raises BadFilter."""
    place = area_of(area)
    if (community := place.get("community")) is not None:
        return Asked(narrowing.within_community(staff, community), community=community, area=area)
    return Asked(staff, place.get("estate"), place.get("grid"), area=area)


@blp.route("/dashboard/wall", methods=["GET"])
@requires(Allow.STATS_VIEW)
@reads
@blp.arguments(s.WallQuery, location="query")
@blp.response(200, s.WallOut)
def wall(args: dict[str, Any]) -> dict[str, Any]:
    """What a wall shows of my area: open and overdue, limits, 30 days in and out, classes, votes, published books."""
    return shown(asked_of(g.staff, args["area"]))


def shown(asked: Asked) -> dict[str, Any]:
    """All figures of what is asked, at this moment."""
    spots = open_now.open_now(asked.staff, estate=asked.estate, grid=asked.grid)
    total = Open()
    for counted in spots.values():
        total = total.plus(counted)
    today = places.today()
    span = Wanted(today - timedelta(days=DAYS - 1), today, asked.only)
    by_day = figures.metrics(asked.staff, span, by=By.DAY)
    by_class = figures.metrics(asked.staff, span, by=By.TOP_CLASS)
    moments = figures.moments(asked.staff, replace(span, first=today))
    return {
        "as_of": clock.now(),
        "area": asked.area,
        "minimum_sample": MIN_SAMPLE,
        "open": _open(total),
        "areas": _areas(asked, spots),
        "grids": _grids(asked, spots),
        "today": {part.value: n for part, n in moments.items()},
        **figure_views.head(span),
        "days": [
            {"day": row.key[0], "received": _received(row.figures), "closed": _closed(row.figures)}
            for row in by_day.rows
        ],
        "received": _received(by_day.total),
        "closed": _closed(by_day.total),
        "classes": _classes({row.key: _received(row.figures) for row in by_class.rows}),
        "rates": [figure_views.figure_out(metric, by_day.total[metric]) for metric in RATES],
        "decisions": _decisions(asked),
        "revenue": _revenue(asked),
    }


def _received(found: Figures) -> int:
    """As the list behind it counts."""
    return found[Metric.ACCEPT_ON_TIME].denominator


def _closed(found: Figures) -> int:
    return found[Metric.RATED].denominator


def _open(counted: Open) -> dict[str, int]:
    found = counted._asdict()
    return {"count": found.pop("n"), **found}


def _row(level: str, area: str | None, name: str, counted: Open) -> dict[str, Any]:
    return {"level": level, "area": area, "name": name, **_open(counted)}


def _areas(asked: Asked, spots: Mapping[open_now.Spot, Open]) -> list[dict[str, Any]]:
    """The communities of her reach, also where nothing is open; where there is only one, its estates."""
    reach = {c for grant in asked.staff.grants if Allow.STATS_VIEW in grant.permissions for c in grant.homes}
    counted = open_now.by_community(dict(spots))
    inside = counted.keys() | (reach if not asked.only else set())
    if len(inside) > 1:
        names = places.region_names(inside)
        rows = [
            _row(
                "community",
                ids.encode(Kind.COMMUNITY, UUID(int=community)),
                names.get(community, ""),
                counted.get(community, Open()),
            )
            for community in inside
        ]
    else:
        estates = open_now.by_estate(dict(spots))
        of_reach = {ref for grant in asked.staff.grants for ref in grant.estates}
        wanted = {ref for ref in estates if ref is not None} | (asked.estates(frozenset(of_reach)))
        known = places.estates(wanted)
        rows = [
            _row("estate", ids.encode(Kind.ESTATE, ref), one.name, estates.get(ref, Open()))
            for ref, one in known.items()
        ]
        if None in estates:
            rows.append(_row("estate", None, "不在小区内", estates[None]))
    return sorted(rows, key=lambda row: (row["area"] is None, -row["overdue"], -row["count"], row["name"]))


def _grids(asked: Asked, spots: Mapping[open_now.Spot, Open]) -> list[dict[str, Any]]:
    counted = open_now.by_grid(dict(spots))
    communities = {c for grant in asked.staff.grants for c in grant.homes}
    for at in (asked.estate, asked.grid):
        communities = communities & {at.community_id} if at is not None else communities
    covers = places.covers_in(communities) if asked.estate is not None else {}

    def is_here(ref: Ref) -> bool:
        if asked.grid is not None:
            return ref == asked.grid
        if asked.estate is not None:
            return any(cover.estate == asked.estate for cover in covers.get(ref, []))
        return any(grant.grid in (None, ref) for grant in asked.staff.grants)

    rows = [
        _row("grid", ids.encode(Kind.GRID, ref), grid.name, counted.get(ref, Open()))
        | {"outline": grid.outline}
        for grid in places.grids_in(communities)
        if (ref := Ref(grid.community_id, grid.id)) in counted or is_here(ref)
    ]
    if None in counted:
        rows.append(_row("grid", None, "不在网格内", counted[None]) | {"outline": None})
    return sorted(rows, key=lambda row: (row["area"] is None, -row["overdue"], -row["count"], row["name"]))


def _classes(counted: Mapping[Any, int]) -> list[dict[str, Any]]:
    names = figure_views.names_of(By.TOP_CLASS, counted)
    rows = [
        {"key": figure_views.key_out(By.TOP_CLASS, key), "name": names.get(key, "未分类"), "count": n}
        for key, n in counted.items()
        if n
    ]
    return sorted(rows, key=lambda row: (-row["count"], row["key"]))


def _decisions(asked: Asked) -> list[dict[str, Any]] | None:
    if not asked.staff.may(Allow.DECISION_VIEW):
        return None
    reach = asked.estates(voting.reach(asked.staff, Allow.DECISION_VIEW))
    wanted = frozenset({DecisionStatus.ANNOUNCED, DecisionStatus.OPEN})
    found = voting.decisions_of(reach, statuses=wanted, announced_only=True, page=voting.Page(100, None))
    running = [
        row
        for row in found
        # Where the authority's own system runs the vote nothing is cast here.
        if voting.status_of(row) is DecisionStatus.OPEN and row.legal_mode != LegalMode.OFFICIAL
    ]
    running.sort(key=lambda row: (row.closes_at is None, row.closes_at, row.id))
    names = places.estates(voting.estate_of(row) for row in running)
    return [
        {
            "decision_id": voting.ref_of(row),
            "estate_name": names[voting.estate_of(row)].name,
            "title": row.title,
            "closes_at": row.closes_at,
            **turnout.as_json(turnout.of(row), {}),
        }
        for row in running[:MOST_DECISIONS]
    ]


def _revenue(asked: Asked) -> list[dict[str, Any]] | None:
    if not asked.staff.may(Allow.REVENUE_VIEW):
        return None
    views = overview(asked.estates(registry_reach(asked.staff, Allow.REVENUE_VIEW)))
    rows = [
        {
            "estate_id": view.estate,
            "name": view.name,
            "has_rules": view.has_rules,
            "published_until": view.last.last_day if view.last is not None else None,
            "due_on": view.due_on,
            "is_late": view.is_late,
        }
        for view in views
    ]
    return sorted(rows, key=lambda row: (not row["is_late"], not row["has_rules"]))
