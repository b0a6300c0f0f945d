"""The workbench: what waits for me now, the most urgent first, one click from the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import g

from app import ids
from app.ids import Kind
from app.messaging import campaigns, providers
from app.messaging.campaign_models import CampaignState
from app.people.permissions import Permission as Allow
from app.tickets import board as boards
from app.tickets.models import TicketStatus as Status
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.console import areas
from bff.admin.console.face import blp, page
from bff.admin.tickets import board_of
from bff.admin.views import rows_out
from bff.http import reads

SHOWN = 6
COUNTED = 30


@dataclass(frozen=True)
class Lane:
    """A kind of work that waits. `needs`: who does it; `filters`: as the ticket list takes them; `limit`: which of the
    promises runs down, if any.
    """

    key: str
    name: str
    tone: str
    needs: Allow
    filters: dict[str, str]
    limit: str = "close_by"
    mine: bool = False  # only what is on my own hands


LANES = (
    Lane("accept", "等您受理", "first", Allow.TICKET_ACCEPT, {"status": Status.RECEIVED}, "accept_by"),
    Lane(
        "dispatch",
        "等您派单",
        "first",
        Allow.TICKET_DISPATCH,
        {"status": f"{Status.ACCEPTED},{Status.RETURNED}"},
        "dispatch_by",
    ),
    Lane(
        "mine",
        "在您手上",
        "work",
        Allow.TICKET_HANDLE,
        {"status": f"{Status.DISPATCHED},{Status.IN_PROGRESS}"},
        mine=True,
    ),
    Lane("verify", "等您核实", "check", Allow.TICKET_VERIFY, {"status": Status.RESOLVED}),
    Lane("close", "等您结案", "check", Allow.TICKET_CLOSE, {"status": Status.VERIFIED}),
    Lane("call", "等您回访", "check", Allow.TICKET_CALLBACK, {"callback_due": "true"}, ""),
    Lane("start", "单位待办", "work", Allow.TICKET_HANDLE, {"status": Status.DISPATCHED}),
    Lane("late", "已经超期", "late", Allow.TICKET_VIEW, {"overdue": "true", "sort": "due"}),
)


@dataclass(frozen=True)
class Queue:
    """A lane with what waits in it."""

    key: str
    name: str
    tone: str
    address: str
    rows: list[dict[str, Any]]
    count: str  # `30+` where there are more


def _waiting(lane: Lane) -> Queue:
    filters = dict(lane.filters)
    if lane.mine:
        filters["assigned_to"] = s.TicketQuery().fields["assigned_to"].serialize("x", {"x": g.staff.id})
    area = areas.chosen(areas.mine())
    if area is not None:
        filters["area"] = area.value
    wanted = board_of(s.TicketQuery().load(filters))
    # What ended is called back in the order in which it ended; of all else the most pressing comes first.
    list_of = boards.board if wanted.callback_due else boards.soonest
    found = list_of(g.staff, wanted, limit=COUNTED + 1)
    rows = [s.TicketRow().dump(row) for row in rows_out(found)]
    rows = [row | {"waits_until": row["promised"].get(lane.limit)} for row in rows]
    rows.sort(key=lambda row: (not row["urgent"], row["waits_until"] or row["reported_at"]))
    address = f"/admin/tickets?{urlencode(filters)}"
    count = str(len(rows)) if len(rows) <= COUNTED else f"{COUNTED}+"
    return Queue(lane.key, lane.name, lane.tone, address, rows[:SHOWN], count)


@blp.route("/", methods=["GET"])
@requires()
@reads
def workbench() -> str:
    """What waits for me."""
    queues = [_waiting(lane) for lane in LANES if g.staff.may(lane.needs)]
    return page("workbench.html", here="workbench", queues=queues, approvals=_approvals())


def _approvals() -> list[dict[str, Any]]:
    """Text messages that wait for me as the second person."""
    if not g.staff.may(Allow.CAMPAIGN_APPROVE):
        return []
    rows = campaigns.listed(g.staff, state=CampaignState.AWAITING_APPROVAL, limit=COUNTED)
    mine = providers.communities_of(g.staff, Allow.CAMPAIGN_APPROVE)
    return [
        {
            "campaign_id": ids.encode(Kind.CAMPAIGN, campaigns.ref_of(row)),
            "title": row.title,
            "size": row.size,
        }
        for row in rows
        if set(row.communities) <= mine and g.staff.id not in {row.created_by, row.submitted_by}
    ]
