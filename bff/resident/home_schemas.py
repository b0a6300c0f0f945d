"""The first screen."""

from __future__ import annotations

from marshmallow import fields as f

from app.ids import Kind
from bff.resident.decision_schemas import OwnDecisionRow
from bff.resident.membership_schemas import MembershipShort
from bff.resident.notice_schemas import NoticeRowOut
from bff.resident.schemas import EstateOut, ResidentOut, TicketRow
from bff.schemas import Query, Schema, Time, WireId


class HomeQuery(Query):
    estate_id = WireId(
        Kind.ESTATE,
        load_default=None,
        metadata={"description": "which estate's decisions, notices and revenue; without it: my first one's"},
    )


class QuickAction(Schema):
    key = f.String(required=True)
    title = f.String(required=True)
    path = f.String(required=True)


class HomeRevenue(Schema):
    period_id = WireId(Kind.REVENUE_PERIOD, required=True)
    first_day = f.Date(required=True)
    last_day = f.Date(required=True)
    income_fen = f.Integer(required=True)
    cost_fen = f.Integer(required=True)
    uses_fen = f.Integer(required=True)
    fund_fen = f.Integer(required=True)
    closing_fen = f.Integer(required=True)
    published_at = Time(required=True)


class HomeOut(Schema):
    me = f.Nested(ResidentOut, required=True)
    estates = f.List(
        f.Nested(EstateOut), required=True, metadata={"description": "the first one is the one shown"}
    )
    unread = f.Integer(required=True, metadata={"description": "messages that wait to be read"})
    memberships = f.List(f.Nested(MembershipShort), required=True)
    open_tickets = f.List(f.Nested(TicketRow), required=True)
    open_decisions = f.List(
        f.Nested(OwnDecisionRow),
        required=True,
        metadata={"description": "of the estate shown; what waits for me first, then what closes first"},
    )
    notices = f.List(
        f.Nested(NoticeRowOut), required=True, metadata={"description": "the latest of the estate shown"}
    )
    revenue = f.Nested(
        HomeRevenue,
        required=True,
        allow_none=True,
        metadata={"description": "the period of the estate shown that was published last"},
    )
    quick_actions = f.List(f.Nested(QuickAction), required=True)
