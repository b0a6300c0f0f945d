"""Periods of the books: begin, hand in, review by a second person, publish, correct; and how many estates stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import g, url_for

from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.revenue import periods, queries
from app.revenue.models import RevenuePeriod
from app.revenue.overview import EstateView, overview
from app.revenue.preview import preview
from app.revenue.queries import PeriodView
from bff import revenue as shown
from bff.admin import revenue_schemas as s
from bff.admin.auth import requires
from bff.admin.revenue import draft_out
from bff.http import Versioned, asked_version, reads, versioned, wanted_version, writes
from bff.schemas import Blueprint

blp = Blueprint("staff-revenue-periods", __name__, url_prefix="/admin/api/v1", description="Public revenue")


def periods_out(*views: PeriodView) -> list[dict[str, Any]]:
    """Periods with who handed in and who reviewed."""
    hands = [by for view in views for by in (view.period.submitted_by, view.period.reviewed_by) if by]
    names = people.staff_names(hands)
    return [
        shown.period_out(view)
        | {name: getattr(view.period, name) for name in ("submitted_at", "reviewed_at", "review_note")}
        | {
            "opening_note": view.period.opening_note,
            "submitted_by": names.get(view.period.submitted_by) if view.period.submitted_by else None,
            "reviewed_by": names.get(view.period.reviewed_by) if view.period.reviewed_by else None,
            "version": view.period.version,
        }
        for view in views
    ]


@blp.route("/estates/<ref(est):ref>/revenue/periods", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueStaffPeriodList)
def staff_periods(ref: Ref) -> dict[str, Any]:
    """The periods of the estate, the latest first, with who handed in and who reviewed."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    return {"items": periods_out(*queries.periods_of(ref, published_only=False))}


@blp.route("/estates/<ref(est):ref>/revenue/periods", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenuePeriodIn)
@blp.response(201, s.RevenueStaffPeriodOut)
def begin_period(body: dict[str, Any], ref: Ref) -> Versioned:
    """Begin the next period by the estate's rhythm; the first one names its day and the checked opening balance."""
    view = periods.begin(ref, **body, acting_user=g.staff)
    where = url_for("staff-revenue-periods.period", ref=Ref(view.period.community_id, view.period.id))
    return versioned(periods_out(view)[0], 201, Location=where)


@blp.route("/revenue/periods/<ref(rpd):ref>", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueStaffPeriodOut)
def period(ref: Ref) -> Versioned:
    """One period."""
    found = queries.one_for(g.staff, Allow.REVENUE_VIEW, RevenuePeriod, ref)
    return versioned(periods_out(queries.period_view(found))[0])


@blp.route("/revenue/periods/<ref(rpd):ref>", methods=["PATCH"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenuePeriodChange)
@blp.response(200, s.RevenueStaffPeriodOut)
def change_first_period(body: dict[str, Any], ref: Ref) -> Versioned:
    """Correct the first day and the opening balance of the estate's first period while it is in draft."""
    view = periods.change_first(ref, **body, version=wanted_version(), acting_user=g.staff)
    return versioned(periods_out(view)[0])


@blp.route("/revenue/periods/<ref(rpd):ref>/preview", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, shown.RevenuePreviewOut)
def preview_period(ref: Ref) -> dict[str, Any]:
    """The period as everybody would see it if it were published as it stands: the same figures, lines and vouchers."""
    return shown.preview_out(preview(g.staff, ref))


@blp.route("/revenue/periods/<ref(rpd):ref>/submit", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.response(200, s.RevenueStaffPeriodOut)
def submit_period(ref: Ref) -> Versioned:
    """Hand it in: its lines are frozen, the split to the fund is computed and added."""
    return versioned(periods_out(periods.submit(ref, version=asked_version(), acting_user=g.staff))[0])


@blp.route("/revenue/periods/<ref(rpd):ref>/review", methods=["POST"])
@requires(Allow.REVENUE_REVIEW)
@writes
@blp.arguments(s.RevenueReviewIn)
@blp.response(200, s.RevenueStaffPeriodOut)
def review_period(body: dict[str, Any], ref: Ref) -> Versioned:
    """As a second person: the lines are right, or go back to be corrected."""
    view = periods.review(
        ref, passed=body["passed"], remark=body["note"], version=asked_version(), acting_user=g.staff
    )
    return versioned(periods_out(view)[0])


@blp.route("/revenue/periods/<ref(rpd):ref>/publish", methods=["POST"])
@requires(Allow.REVENUE_PUBLISH)
@writes
@blp.response(200, s.RevenueStaffPeriodOut)
def publish_period(ref: Ref) -> Versioned:
    """Publish what was reviewed, for ever; posting begins on the next day."""
    return versioned(periods_out(periods.publish(ref, version=asked_version(), acting_user=g.staff))[0])


@blp.route("/revenue/periods/<ref(rpd):ref>/correct", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueCorrectIn)
@blp.response(201, s.RevenueDraftOut)
def correct_line(body: dict[str, Any], ref: Ref) -> Versioned:
    """Prepare in this open period the reversal of a published line; the two are linked when it is published."""
    made = periods.correct(
        ref, entry=body["entry_id"], day=body["day"], reason=body["reason"], acting_user=g.staff
    )
    where = url_for("staff-revenue.revenue_entry", ref=Ref(made.community_id, made.id))
    return versioned(draft_out(made), 201, Location=where)


def _begun(period: RevenuePeriod) -> dict[str, Any]:
    return {
        "period_id": Ref(period.community_id, period.id),
        "is_reviewed": period.reviewed_by is not None,
        **{name: getattr(period, name) for name in ("first_day", "last_day", "state")},
    }


def _estate(view: EstateView, names: Mapping[UUID, str]) -> dict[str, Any]:
    home = view.estate.community_id
    return {
        "estate_id": view.estate,
        "published_until": view.last.last_day if view.last is not None else None,
        "published_at": view.last.published_at if view.last is not None else None,
        "published_by": names.get(view.last.published_by) if view.last is not None else None,
        "closing_fen": view.last.closing_fen if view.last is not None else None,
        "open_period": _begun(view.begun) if view.begun is not None else None,
        "oddities": [
            {
                "flag": odd.flag,
                "reason": odd.reason,
                "entry_id": Ref(home, odd.line_id) if odd.line_id else None,
                "contract_id": Ref(home, odd.contract_id) if odd.contract_id else None,
            }
            for odd in view.oddities
        ],
        **{name: getattr(view, name) for name in ("name", "has_rules", "due_on", "is_late")},
        **{name: getattr(view, name) for name in ("open_objections", "late_objections")},
    }


@blp.route("/revenue/overview", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueOverviewOut)
def revenue_overview() -> dict[str, Any]:
    """The estates of my area: what is published, who is late, open objections, and what looks odd, with the reason."""
    return estates_out()


def estates_out() -> dict[str, Any]:
    """How the estates of my area stand."""
    views = overview(registry_reach(g.staff, Allow.REVENUE_VIEW))
    names = people.staff_names({view.last.published_by for view in views if view.last is not None})
    return {"items": [_estate(view, names) for view in views]}
