"""Messages, subscriptions, and the first screen in one call."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g

from app import db
from app.errors import NotFound
from app.ids import Ref
from app.memberships import queries as memberships
from app.memberships import telling
from app.memberships.models import OPEN
from app.messaging import queries as messages
from app.messaging import service as messaging
from app.people import queries as people
from app.places import queries as places
from app.tickets import queries as tickets
from bff.http import read_cursor, reads, revalidated, write_cursor, writes
from bff.resident import schemas as s
from bff.resident.session import resident_out
from bff.resident.views import OPEN_STATES, community_names, estate_out, rows_out
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("home", __name__, url_prefix="/bff/v1", description="First screen and messages")


@blp.route("/home", methods=["GET"])
@revalidated
@reads
@blp.arguments(s.HomeQuery, location="query")
@blp.response(200, s.HomeOut)
def home(args: dict[str, Any]) -> dict[str, Any]:
    """One call for the first screen: me, my estates and houses, unread messages, my open tickets, quick actions."""
    me = people.resident(g.resident_id)
    if me is None:
        raise NotFound
    refs = tickets.her_estates(g.resident_id)
    if args["estate_id"] is not None:
        chosen = Ref(*args["estate_id"])
        places.estate(chosen)
        refs = [chosen, *(ref for ref in refs if ref != chosen)]
    known = places.estates(refs)
    names = community_names()
    report = "/pages/report/new"
    return {
        "me": resident_out(me),
        "estates": [estate_out(known[ref], names) for ref in refs if ref in known],
        "unread": messages.unread(g.resident_id),
        "memberships": [
            {
                "membership_id": Ref(m.community_id, m.id),
                "house_id": Ref(m.community_id, m.house_id),
                "estate_id": Ref(m.community_id, m.estate_id),
                "house": telling.house_words(m),
                "relation": m.relation,
                "status": memberships.status_of(m),
                "voter_level": memberships.level_of(m),
            }
            for m in memberships.mine(g.resident_id)
            if memberships.status_of(m) in OPEN
        ],
        "open_tickets": rows_out(
            tickets.my_tickets(g.resident_id, limit=5, statuses=OPEN_STATES).tickets, g.resident_id
        ),
        "quick_actions": [
            {"key": "report", "title": "一键上报", "path": report},
            {"key": "my_tickets", "title": "我的上报", "path": "/pages/ticket/list"},
            {"key": "bind_house", "title": "绑定房屋", "path": "/pages/membership/new"},
            {"key": "inbox", "title": "消息", "path": "/pages/inbox/list"},
        ],
    }


@blp.route("/inbox", methods=["GET"])
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.MessageList)
def inbox(args: dict[str, Any]) -> dict[str, Any]:
    """My messages, newest first."""
    after = read_cursor(args["cursor"], UUID)
    rows = messages.inbox(g.resident_id, limit=args["limit"] + 1, before=after[0] if after else None)
    page = rows[: args["limit"]]
    return {
        "items": [
            {
                "id": m.id,
                "kind": m.kind,
                "title": m.title,
                "text": m.text,
                "target": {"type": m.target_type, "id": m.target_id} if m.target_type else None,
                "created_at": m.created_at,
                "read_at": m.read_at,
            }
            for m in page
        ],
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("/inbox/read", methods=["POST"])
@writes
@blp.arguments(s.ReadIn)
@blp.response(200, s.ReadOut)
def read(body: dict[str, Any]) -> dict[str, Any]:
    """Mark messages as read: the named ones, or all up to a moment."""
    changed = messaging.mark_read(
        resident_id=g.resident_id, message_ids=body.get("ids"), all_before=body.get("all_before")
    )
    return {"changed": changed, "unread": messages.unread(g.resident_id)}


def _subscriptions() -> dict[str, Any]:
    credit = messages.credit_of(g.resident_id)
    return {
        "items": [
            {"name": name, "template_id": template_id, "credit": credit.get(template_id, 0)}
            for name, template_id in messaging.template_ids().items()
        ]
    }


@blp.route("/subscriptions", methods=["GET"])
@reads
@blp.response(200, s.SubscriptionList)
def subscriptions() -> dict[str, Any]:
    """The templates that can be allowed, and how many messages of each are still allowed."""
    return _subscriptions()


@blp.route("/subscriptions", methods=["POST"])
@writes
@blp.arguments(s.SubscriptionsIn)
@blp.response(200, s.SubscriptionList)
def subscribe(body: dict[str, Any]) -> dict[str, Any]:
    """What was tapped in wx.requestSubscribeMessage; a hint until WeChat's own event."""
    messaging.hint_subscriptions(resident_id=g.resident_id, results=body["results"])
    db.session().flush()  # the answer counts what was just written
    return _subscriptions()
