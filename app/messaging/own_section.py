"""Messages of a resident, and what she allows WeChat to bring her."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update

from app import db, ids
from app.ids import Kind, Ref
from app.messaging.models import InboxMessage, SubscribeCredit, WeChatNotice
from app.messaging.sms_models import SmsMessage
from app.people import queries as people
from app.people.dossier import Item, Section, at


def _messages(resident_id: UUID) -> list[Item]:
    rows = db.session().scalars(
        select(InboxMessage).where(InboxMessage.resident_id == resident_id).order_by(InboxMessage.id)
    )
    return [
        {
            "id": ids.encode(Kind.INBOX, row.id),
            "kind": row.kind,
            "title": row.title,
            "text": row.text,
            "created_at": at(row.created_at),
            "read_at": at(row.read_at),
        }
        for row in rows
    ]


def _subscriptions(resident_id: UUID) -> list[Item]:
    rows = db.session().scalars(
        select(SubscribeCredit)
        .where(SubscribeCredit.resident_id == resident_id)
        .order_by(SubscribeCredit.template_id)
    )
    return [
        {
            "template_id": row.template_id,
            "credits": row.credits + row.hinted,
            "updated_at": at(row.updated_at),
        }
        for row in rows
    ]


def _forget_messages(resident_id: UUID) -> None:
    where = {*people.communities_of(resident_id), ids.lane_of(resident_id)}
    for query in (
        delete(InboxMessage).where(InboxMessage.resident_id == resident_id),
        delete(WeChatNotice).where(
            WeChatNotice.community_id.in_(where), WeChatNotice.resident_id == resident_id
        ),
    ):
        db.session().execute(query.execution_options(synchronize_session=False))


def _forget_subscriptions(resident_id: UUID) -> None:
    db.session().execute(
        delete(SubscribeCredit)
        .where(SubscribeCredit.resident_id == resident_id)
        .execution_options(synchronize_session=False)
    )


def _texted(resident_id: UUID) -> ColumnElement[bool]:
    """Campaigns that were brought to her in the mini-program; a text message to a number names no account."""
    return SmsMessage.resident_id == resident_id


def _campaigns(resident_id: UUID) -> list[Item]:
    rows = db.session().scalars(
        select(SmsMessage)
        .where(_texted(resident_id))
        .order_by(SmsMessage.id)
        .execution_options(cross_community="closing an account")
    )
    return [
        {
            "id": ids.encode(Kind.SMS_MESSAGE, Ref(row.community_id, row.id)),
            "channel": row.channel,
            "status": row.state,
            "created_at": at(row.created_at),
            "sent_at": at(row.sent_at),
        }
        for row in rows
    ]


def _forget_campaigns(resident_id: UUID) -> None:
    db.session().execute(
        update(SmsMessage)
        .where(_texted(resident_id))
        .values(resident_id=None)
        .execution_options(synchronize_session=False, cross_community="closing an account")
    )


SECTIONS = (
    Section("messages", frozenset({"inbox", "wechat_notices"}), _messages, _forget_messages),
    Section("campaigns", frozenset({"sms_messages"}), _campaigns, _forget_campaigns),
    Section("subscriptions", frozenset({"subscribe_credits"}), _subscriptions, _forget_subscriptions),
)
