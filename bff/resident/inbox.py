"""Messages and subscriptions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g

from app import db
from app.messaging import queries as messages
from app.messaging import service as messaging
from bff.http import read_cursor, reads, write_cursor, writes
from bff.resident import schemas as s
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("inbox", __name__, url_prefix="/bff/v1", description="Messages")


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
