"""What everybody would see if a period were published as it stands: its lines and figures, and nothing is written."""

from __future__ import annotations

from typing import NamedTuple

from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.revenue import queries
from app.revenue.errors import AlreadyPublished
from app.revenue.models import Account, DraftState, PeriodState, RevenueLine, RevenuePeriod
from app.revenue.periods import as_line, missing_split, split_draft
from app.revenue.queries import Totals


class Preview(NamedTuple):
    """A period's lines, the latest first, as they would be published; and its figures with the balances."""

    period: RevenuePeriod
    opening_fen: int
    totals: Totals
    lines: list[RevenueLine]

    @property
    def closing_fen(self) -> int:
        """The balance at its end."""
        return self.opening_fen + self.totals.change_fen


def preview(staff: StaffActor, ref: Ref) -> Preview:
    """The period as everybody would see it; while it is in draft, with the split that handing it in will add.

    Raises NotFound, AlreadyPublished, NoSettings.
    """
    period = queries.one_for(staff, Permission.REVENUE_VIEW, RevenuePeriod, ref)
    if period.state == PeriodState.PUBLISHED:
        raise AlreadyPublished
    estate = Ref(ref.community_id, period.estate_id)
    drafts = queries.drafts_until(estate, period.last_day)
    if period.state == PeriodState.IN_REVIEW:
        drafts = [draft for draft in drafts if draft.state == DraftState.SUBMITTED]
    elif (missing := missing_split(period, drafts)) > 0:
        drafts.append(split_draft(period, missing, staff))
    vouchers = queries.vouchers_of(ref.community_id, [draft.id for draft in drafts])
    lines = [as_line(draft, period, vouchers[draft.id]) for draft in drafts]
    sums = dict.fromkeys(Account, 0)
    for line in lines:
        sums[line.account] += line.signed_fen
    last = queries.last_statement(estate)
    return Preview(
        period,
        last.closing_fen if last is not None else period.opening_fen or 0,
        Totals(len(lines), sums[Account.INCOME], sums[Account.COST], sums[Account.USE], sums[Account.FUND]),
        sorted(lines, key=lambda line: (line.day, line.id), reverse=True),
    )
