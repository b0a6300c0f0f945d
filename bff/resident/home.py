"""The first screen in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import g

from app.errors import NotFound
from app.ids import Ref
from app.memberships import queries as memberships
from app.memberships.models import OPEN, Membership
from app.messaging import queries as messages
from app.notices import queries as notices
from app.people import queries as people
from app.places import households
from app.places import queries as places
from app.places.models import Estate
from app.revenue import queries as revenue
from app.tickets import queries as tickets
from app.voting import own_heads
from bff.http import reads, revalidated
from bff.resident import decisions as decided
from bff.resident import home_schemas as s
from bff.resident import notices as told
from bff.resident.session import resident_out
from bff.resident.views import community_names, estate_out, rows_out
from bff.schemas import Blueprint

blp = Blueprint("home", __name__, url_prefix="/bff/v1", description="First screen")
_TICKETS, _DECISIONS, _NOTICES = 5, 5, 3  # what fits without scrolling

_ACTIONS = (
    ("report", "一键上报", "/pages/report/new"),
    ("my_tickets", "我的上报", "/pages/ticket/list"),
    ("decisions", "业主表决", "/pages/decision/list"),
    ("notices", "通知公告", "/pages/notice/list"),
    ("revenue", "公共收益", "/pages/revenue/index"),
    ("bind_house", "绑定房屋", "/pages/membership/new"),
    ("inbox", "消息", "/pages/inbox/list"),
)


@blp.route("/home", methods=["GET"])
@revalidated
@reads
@blp.arguments(s.HomeQuery, location="query")
@blp.response(200, s.HomeOut)
def home(args: dict[str, Any]) -> dict[str, Any]:
    """One call for the first screen: me, my estates and houses, unread messages, my open tickets; of the estate shown
    what is open to vote, the latest notices and the revenue published last; quick actions.
    """
    me = people.resident(g.resident_id)
    if me is None:
        raise NotFound
    mine = memberships.mine(g.resident_id)
    held = [m for m in mine if memberships.holds(m)]
    lives_in = list(dict.fromkeys(Ref(m.community_id, m.estate_id) for m in held))
    refs = tickets.her_estates(g.resident_id, lives_in=lives_in)
    if args["estate_id"] is not None:
        chosen = Ref(*args["estate_id"])
        places.estate(chosen)
        refs = [chosen, *(ref for ref in refs if ref != chosen)]
    shown = refs[0] if refs else None
    listed = [m for m in mine if memberships.status_of(m) in OPEN]
    # A refused or waiting house lies perhaps in an estate that is none of hers yet; its name is asked with the others.
    known = places.estates([*refs, *(Ref(m.community_id, m.estate_id) for m in listed)])
    names = community_names()
    return {
        "me": resident_out(me),
        "estates": [estate_out(known[ref], names) for ref in refs if ref in known],
        "unread": messages.unread(g.resident_id),
        "memberships": _memberships(listed, known),
        "open_tickets": rows_out(tickets.my_open_tickets(g.resident_id, limit=_TICKETS), g.resident_id),
        "open_decisions": _decisions(shown),
        "notices": _notices(shown, held),
        "revenue": _revenue(shown),
        "quick_actions": [{"key": key, "title": title, "path": path} for key, title, path in _ACTIONS],
    }


def _memberships(rows: Sequence[Membership], known: dict[Ref, Estate]) -> list[dict[str, Any]]:
    addresses = households.addresses_of({Ref(m.community_id, m.house_id) for m in rows})
    return [
        {
            "membership_id": Ref(m.community_id, m.id),
            "house_id": (house := Ref(m.community_id, m.house_id)),
            "estate_id": (estate := Ref(m.community_id, m.estate_id)),
            "house": f"{known[estate].name} {addresses[house].words}",
            "relation": m.relation,
            "status": memberships.status_of(m),
            "voter_level": memberships.level_of(m),
        }
        for m in rows
    ]


def _decisions(estate: Ref | None) -> list[dict[str, Any]]:
    if estate is None:
        return []
    found = own_heads.open_for(g.resident_id, estate)[:_DECISIONS]
    return [decided.row_out(vote.decision, vote.heads) for vote in found]


def _notices(estate: Ref | None, held: Sequence[Membership]) -> list[dict[str, Any]]:
    if estate is None:
        return []
    found = notices.of_estate(estate, kind=None, limit=_NOTICES)
    read = notices.my_reads(g.resident_id, [one.notice for one in found])
    standing = notices.Standing(notices.doors_of(held), frozenset())
    return [told.row_out(one, read.get(notices.ref_of(one.notice)), standing) for one in found]


def _revenue(estate: Ref | None) -> dict[str, Any] | None:
    last = revenue.last_statement(estate) if estate is not None else None
    if last is None:
        return None
    same = "first_day last_day income_fen cost_fen uses_fen fund_fen closing_fen published_at"
    return {
        "period_id": Ref(last.community_id, last.period_id),
        **{name: getattr(last, name) for name in same.split()},
    }
