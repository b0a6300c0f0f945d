"""Pages of the periods of an estate's books: hand in, review by a second person, preview, publish."""

from __future__ import annotations

from typing import Any

from flask import g

from app import ids
from app.ids import Kind, Ref
from app.places import queries as places
from app.revenue import queries
from app.revenue.hands import has_hand_in
from app.revenue.models import PeriodState, RevenuePeriod
from app.revenue.preview import preview
from bff import revenue as shown
from bff.admin import revenue_schemas as s
from bff.admin.auth import requires
from bff.admin.console.face import blp, fragment, page
from bff.admin.console.revenue_pages import HERE, V, book, of_estate
from bff.admin.revenue_periods import periods_out
from bff.http import reads

_STEPS = ("draft", "in_review", "reviewed", "published")


@blp.route("/revenue/<ref(est):ref>", methods=["GET"])
@requires(V)
@reads
def revenue_periods_page(ref: Ref) -> str:
    """The periods of an estate, and what is to be done now."""
    known = book(ref, "periods")
    found = s.RevenueStaffPeriodList().dump(
        {"items": periods_out(*queries.periods_of(ref, published_only=False))}
    )["items"]
    return page(
        "revenue/periods.html",
        here=HERE,
        **known,
        periods=[one | {"stands": _stands(one)} for one in found],
        has_rules=bool(queries.settings_of(ref)),
        is_first=not any(one["state"] not in {"draft", "in_review"} for one in found),
    )


def _stands(period: dict[str, Any]) -> str:
    """Its state, and whether the second person has said yes."""
    return "reviewed" if period["state"] == "in_review" and period["reviewed_at"] else str(period["state"])


def _period(ref: Ref) -> dict[str, Any]:
    row = queries.one_for(g.staff, V, RevenuePeriod, ref)
    estate = of_estate(row)
    period = s.RevenueStaffPeriodOut().dump(periods_out(queries.period_view(row))[0])
    stands = _stands(period)
    if row.state == PeriodState.PUBLISHED:
        lines = shown.line_details(queries.lines_of_period(ref))
        found = shown.RevenuePreviewOut().dump({"period": {}, "total": {}, "items": lines[::-1]})
        found["period"] = period
    else:
        found = shown.RevenuePreviewOut().dump(shown.preview_out(preview(g.staff, ref)))
    there = {line["entry_id"] for line in found["items"]}
    if row.state == PeriodState.DRAFT:  # the split is shown before there is a line of it
        drafts = queries.drafts_until(estate, row.last_day)
        there = {ids.encode(Kind.REVENUE_ENTRY, Ref(row.community_id, draft.id)) for draft in drafts}
    rule = queries.setting_on(estate, row.first_day)
    return {
        **book(estate, "periods"),
        "period": period,
        "stands": stands,
        "steps": _STEPS,
        "at": min(_STEPS.index(stands), 3) if stands in _STEPS else 3,
        "seen": found,
        "there": there,
        "bare": [line for line in found["items"] if any(not one["is_shown"] for one in line["public_files"])],
        "has_vouchers": any(line["voucher_count"] for line in found["items"]),
        "rule": s.RevenueRulesList().dump({"items": [shown.rules_out(rule)]})["items"][0] if rule else None,
        "is_mine": row.submitted_by == g.staff.id or has_hand_in(row, g.staff.id),
        "is_over": row.last_day < places.today(),
        "is_first": queries.last_statement(estate) is None,
    }


@blp.route("/revenue/periods/<ref(rpd):ref>", methods=["GET"])
@requires(V)
@reads
def revenue_period_page(ref: Ref) -> str:
    """A period: its figures, what is still missing, and its next step."""
    return page("revenue/period.html", here=HERE, **_period(ref))


@blp.route("/revenue/periods/<ref(rpd):ref>/now", methods=["GET"])
@requires(V)
@reads
def revenue_period_now(ref: Ref) -> str:
    """How it stands now: for whom somebody was faster."""
    return fragment("revenue/_period_now.html", **_period(ref))


@blp.route("/revenue/periods/<ref(rpd):ref>/preview", methods=["GET"])
@requires(V)
@reads
def revenue_preview_page(ref: Ref) -> str:
    """The period as everybody sees it, or would."""
    return page("revenue/preview.html", here=HERE, **_period(ref))
