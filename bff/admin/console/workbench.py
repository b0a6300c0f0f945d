"""The workbench: what waits for me now, the most urgent first, one click from the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import g

from app import ids
from app.ids import Kind, Ref
from app.memberships import queries as memberships
from app.messaging import campaigns, providers
from app.messaging.campaign_models import CampaignState
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import households
from app.places import queries as places
from app.revenue import queries as revenue
from app.tickets import board as boards
from app.tickets.models import TicketStatus as Status
from app.voting import paper
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.console import areas
from bff.admin.console.face import blp, page
from bff.admin.console.words import say
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


@dataclass(frozen=True)
class Card:
    """Work that is no ticket: what waits for me, where all of it is, and what the button says. `rows`: address, what,
    where.
    """

    key: str
    name: str
    address: str
    button: str
    rows: list[tuple[str, str, str]]

    @property
    def count(self) -> str:
        """How many there are; `30+` where more."""
        return str(len(self.rows)) if len(self.rows) <= COUNTED else f"{COUNTED}+"


@blp.route("/", methods=["GET"])
@requires()
@reads
def workbench() -> str:
    """What waits for me."""
    queues = [_waiting(lane) for lane in LANES if g.staff.may(lane.needs)]
    cards = [card for card in (_requests(), _sheets(), _books(), _texts()) if card.rows]
    return page("workbench.html", here="workbench", queues=queues, cards=cards, shown=SHOWN)


def _requests() -> Card:
    """Residents who wait to be bound to a house, the longest waiting first."""
    rows = []
    if g.staff.may(Allow.MEMBERSHIPS_REVIEW):
        reach = registry_reach(g.staff, Allow.MEMBERSHIPS_REVIEW)
        wanted = memberships.Filter(needs_review=True)
        found = memberships.listed(reach, wanted, limit=COUNTED + 1)
        addresses = households.addresses_of({Ref(row.community_id, row.house_id) for row in found})
        names = places.estate_names({Ref(row.community_id, row.estate_id) for row in found})
        rows = [
            (
                f"/admin/memberships/{ids.encode(Kind.MEMBERSHIP, Ref(row.community_id, row.id))}",
                addresses[Ref(row.community_id, row.house_id)].words,
                names.get(Ref(row.community_id, row.estate_id), ""),
            )
            for row in found
        ]
    return Card("requests", "等您审核的住户", "/admin/memberships", "去审核", rows)


def _sheets() -> Card:
    """Paper ballots that wait for me as the second person, by decision."""
    found = paper.waiting_for(g.staff, limit=COUNTED + 1) if g.staff.may(Allow.PAPER_CONFIRM) else []
    rows = [
        (
            f"/admin/decisions/{ids.encode(Kind.DECISION, Ref(one.decision.community_id, one.decision.id))}/paper",
            one.decision.title,
            f"{one.sheets} {say('张')}",
        )
        for one in found
    ]
    return Card("sheets", "等您复核的纸质票", "/admin/decisions", "去复核", rows)


def _books() -> Card:
    """Books of public revenue that wait for my review, or for me to publish them."""
    found = revenue.waiting_for(g.staff, limit=COUNTED + 1)
    names = places.estate_names({Ref(row.community_id, row.estate_id) for row in found})
    rows = [
        (
            f"/admin/revenue/periods/{ids.encode(Kind.REVENUE_PERIOD, Ref(row.community_id, row.id))}",
            names.get(Ref(row.community_id, row.estate_id), ""),
            say("等审核") if row.reviewed_by is None else say("等公布"),
        )
        for row in found
    ]
    return Card("books", "等您办的公共收益账", "/admin/revenue", "去办理", rows)


def _texts() -> Card:
    """Text messages that wait for me as the second person."""
    rows = []
    if g.staff.may(Allow.CAMPAIGN_APPROVE):
        mine = providers.communities_of(g.staff, Allow.CAMPAIGN_APPROVE)
        rows = [
            (
                f"/admin/campaigns/{ids.encode(Kind.CAMPAIGN, campaigns.ref_of(row))}",
                row.title,
                f"{say('发给')} {row.size} {say('人')}",
            )
            for row in campaigns.listed(g.staff, state=CampaignState.AWAITING_APPROVAL, limit=COUNTED)
            if set(row.communities) <= mine and g.staff.id not in {row.created_by, row.submitted_by}
        ]
    return Card("campaigns", "等您审批的短信", "/admin/campaigns?state=awaiting_approval", "去审批", rows)
