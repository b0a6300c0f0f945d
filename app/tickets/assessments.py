"""Publishing assessments (考核结果): figures that stay as they were when they were published."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_

from app import audit, db, ids
from app.errors import NotFound
from app.people.errors import PermissionMissing
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.tickets import figures
from app.tickets.figure_errors import PeriodNotOver
from app.tickets.figure_models import Assessment
from app.tickets.figure_rules import MIN_SAMPLE, Metric
from app.tickets.figures import By, Figure, Figures, Wanted


def publish(*, title: str, first: date, last: date, acting_user: StaffActor) -> Assessment:
    """Keep the figures of a period that is over, for all communities of her desk, in total and by unit.

    Raises PermissionMissing, PeriodNotOver, PeriodReversed, PeriodTooLong.
    """
    communities = _desk(acting_user)
    if not communities:
        raise PermissionMissing
    if last >= places.today():
        raise PeriodNotOver(errors={"to": [(PeriodNotOver.zh, PeriodNotOver.en)]})
    made = figures.metrics(acting_user, Wanted(first, last), by=By.UNIT)
    row = Assessment(
        id=ids.new_id(),
        title=title,
        first_day=first,
        last_day=last,
        communities=sorted(communities),
        calendar_version=made.calendar_version,
        published_at=made.as_of,
        published_by=acting_user.id,
        figures=_as_data(made),
    )
    db.session().add(row)
    audit.record(
        acting_user.actor,
        "assessment.published",
        community_id=0,
        object_kind="assessment",
        object_id=row.id,
        first=first.isoformat(),
        last=last.isoformat(),
    )
    return row


def _desk(staff: StaffActor) -> frozenset[int]:
    """The communities she publishes for, and whose assessments she reads."""
    found: frozenset[int] = frozenset()
    for grant in staff.grants:
        if Permission.STATS_PUBLISH in grant.permissions:
            found |= grant.communities
    return found


def _as_data(made: figures.Made) -> dict[str, Any]:
    names = places.org_names(row.key for row in made.rows)
    return {
        "minimum_sample": MIN_SAMPLE,
        "total": _figures_data(made.total),
        "units": [
            {
                "org_id": None if row.key is None else str(row.key),
                "name": names.get(row.key),  # as it was called then
                "figures": _figures_data(row.figures),
            }
            for row in made.rows
        ],
    }


def _figures_data(found: Figures) -> dict[str, Any]:
    return {
        metric.value: [figure.numerator, figure.denominator, figure.left_out]
        for metric, figure in found.items()
    }


def read_figures(data: Mapping[str, Any]) -> Figures:
    """Figures as they were kept."""
    return {Metric(name): Figure(*kept) for name, kept in data.items()}


def assessment_for(staff: StaffActor, assessment_id: UUID) -> Assessment:
    """One that speaks of a community of her desk. Raises NotFound."""
    found = db.session().get(Assessment, assessment_id)
    if found is None or not _desk(staff) & set(found.communities):
        raise NotFound
    return found


def assessments(staff: StaffActor, *, limit: int, before: tuple[Any, UUID] | None = None) -> list[Assessment]:
    """Those that speak of a community of her desk, the last published first."""
    desk = _desk(staff)
    kept: list[Assessment] = []
    while desk:
        query = select(Assessment).order_by(Assessment.published_at.desc(), Assessment.id.desc()).limit(100)
        if before is not None:
            query = query.where(tuple_(Assessment.published_at, Assessment.id) < before)
        page = list(db.session().scalars(query))
        kept += [row for row in page if desk & set(row.communities)]
        if len(page) < 100 or len(kept) >= limit:
            break
        before = (page[-1].published_at, page[-1].id)
    return kept[:limit]
