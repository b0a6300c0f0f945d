"""Whose hands went over the lines of a period: as the audit log has it, which nobody can change."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import and_, exists, select

from app import db
from app.audit import ActorKind, AuditRow
from app.revenue.import_models import RevenueImport
from app.revenue.models import DraftState, RevenueDraft, RevenuePeriod

# Looking at a voucher is no hand: that is what a reviewer does.
_ON_DRAFTS = (
    "revenue.draft_added",
    "revenue.draft_changed",
    "revenue.correction_prepared",
    "revenue.voucher_covered",
)
_ON_IMPORTS = ("revenue.import_uploaded", "revenue.import_mapped", "revenue.import_confirmed")
_ON_OPENING = ("revenue.period_begun", "revenue.period_changed")


def has_hand_in(period: RevenuePeriod, staff_id: UUID) -> bool:
    """Did she enter, change or correct one of the lines that were handed in, hang or cover a voucher of one, bring
    one in by an import, or enter the balance that the books open with?
    """
    draft, row, imported = RevenueDraft, AuditRow, RevenueImport
    handed_in = (
        draft.community_id == period.community_id,
        draft.estate_id == period.estate_id,
        draft.day <= period.last_day,
        draft.state == DraftState.SUBMITTED,
    )
    hers = (
        row.community_id == period.community_id,
        row.actor_kind == ActorKind.STAFF,
        row.actor_id == staff_id,
    )
    on_lines = (
        select(row.id)
        .join(draft, and_(draft.community_id == row.community_id, draft.id == row.object_id))
        .where(
            *hers,
            *handed_in,
            row.object_kind.in_(("revenue_entry", "revenue_paper")),
            row.action.in_(_ON_DRAFTS),
        )
    )
    on_files = (
        select(row.id)
        .join(imported, and_(imported.community_id == row.community_id, imported.id == row.object_id))
        .join(
            draft,
            and_(
                draft.community_id == imported.community_id,
                draft.estate_id == imported.estate_id,
                draft.drafted_by == imported.applied_by,
                draft.created_at == imported.applied_at,  # of all drafts that came of it
            ),
        )
        .where(*hers, *handed_in, row.object_kind == "revenue_import", row.action.in_(_ON_IMPORTS))
    )
    # The opening balance is a figure that somebody entered as well.
    on_opening = select(row.id).where(
        *hers,
        row.object_kind == "revenue_period",
        row.object_id == period.id,
        row.action.in_(_ON_OPENING if period.opening_fen is not None else ()),
    )
    return bool(db.session().scalar(select(exists(on_lines) | exists(on_files) | exists(on_opening))))
