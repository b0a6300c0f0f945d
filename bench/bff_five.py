"""What `bench.bff` measures the first screen against: five requests, each by the ORM and marshmallow.

As a first version of such a face is written, and frozen: an engine that pings before each use, a session a request,
the login looked up as an object, rows loaded whole, marshmallow for the answer. It reads the same rows and answers
with what the first screen needs of them.
"""

from __future__ import annotations

import os
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Flask, g, jsonify, request
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from app import clock, ids
from app.ids import Kind, Ref
from app.memberships.models import Membership
from app.messaging.models import InboxMessage
from app.notices.models import Notice, NoticePlace, NoticeRead
from app.people import tokens
from app.people.models import Resident, ResidentIndex, ResidentSession
from app.places.models import Estate
from app.revenue.models import RevenueStatement
from app.tickets.models import CategoryTerm, Ticket
from app.voting.ballot_models import Ballot
from app.voting.models import Decision
from app.voting.roll_models import RollHead, RollOwner

app = Flask("five")
_engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgres://", "postgresql://"), pool_pre_ping=True
)


class EstateOut(ma.Schema):
    """An estate of mine."""

    estate_id = ma.fields.Method("named")
    name = ma.fields.String()

    def named(self, row: Estate) -> str:
        """Its id on the wire."""
        return ids.encode(Kind.ESTATE, Ref(row.community_id, row.id))


class MeOut(ma.Schema):
    """Who I am."""

    resident_id = ma.fields.UUID()
    unread = ma.fields.Integer()
    estates = ma.fields.List(ma.fields.Nested(EstateOut))
    memberships = ma.fields.List(ma.fields.Dict())


class TicketOut(ma.Schema):
    """A line of my list."""

    ticket_id = ma.fields.Method("named")
    number = ma.fields.String()
    status = ma.fields.String()
    category_name = ma.fields.String()
    text = ma.fields.String()
    reported_at = ma.fields.AwareDateTime()
    updated_at = ma.fields.AwareDateTime()

    def named(self, row: Ticket) -> str:
        """Its id on the wire."""
        return ids.encode(Kind.TICKET, Ref(row.community_id, row.id))


class DecisionOut(ma.Schema):
    """An open decision with how far I am."""

    decision_id = ma.fields.String()
    title = ma.fields.String()
    opens_at = ma.fields.AwareDateTime()
    closes_at = ma.fields.AwareDateTime()
    my_ballot = ma.fields.String()


class NoticeOut(ma.Schema):
    """A notice with when I read it."""

    notice_id = ma.fields.String()
    title = ma.fields.String()
    published_at = ma.fields.AwareDateTime()
    read_at = ma.fields.AwareDateTime(allow_none=True)


class RevenueOut(ma.Schema):
    """The period published last."""

    first_day = ma.fields.Date()
    last_day = ma.fields.Date()
    income_fen = ma.fields.Integer()
    cost_fen = ma.fields.Integer()
    uses_fen = ma.fields.Integer()
    closing_fen = ma.fields.Integer()


@app.before_request
def _log_in() -> Any:
    if request.path == "/":
        return None
    g.db = Session(_engine)
    token = request.headers["Authorization"].removeprefix("Bearer ")
    access = tokens.read_access_token(token, secret=os.environ["SECRET_KEY"])
    g.me = g.db.get(Resident, access.resident_id)
    login = g.db.get(ResidentSession, (access.resident_id, access.session_id))
    if g.me is None or login is None or login.ended_at is not None or login.expires_at < clock.now():
        return jsonify(code="bad_token"), 401
    return None


@app.teardown_request
def _close(_: BaseException | None) -> None:
    found = g.pop("db", None)
    if found is not None:
        found.close()


@app.get("/")
def ready() -> Any:
    """It is there."""
    return {"ok": True}


def _memberships() -> list[Membership]:
    index = g.db.scalars(
        select(ResidentIndex).where(ResidentIndex.resident_id == g.me.id, ResidentIndex.kind == "membership")
    )
    return [g.db.get(Membership, (one.community_id, one.object_id)) for one in index]


def _estate() -> Ref:
    mine = _memberships()[0]
    return Ref(mine.community_id, mine.estate_id)


@app.get("/me")
def me() -> Any:
    """Who I am, where I live, what waits to be read."""
    mine = _memberships()
    unread = g.db.scalars(
        select(InboxMessage).where(InboxMessage.resident_id == g.me.id, InboxMessage.read_at.is_(None))
    ).all()
    estates = [g.db.get(Estate, (one.community_id, one.estate_id)) for one in mine]
    return MeOut().dump(
        {
            "resident_id": g.me.id,
            "unread": len(unread),
            "estates": estates,
            "memberships": [{"relation": one.relation, "status": one.status} for one in mine],
        }
    )


@app.get("/tickets")
def tickets() -> Any:
    """My open tickets."""
    index = g.db.scalars(
        select(ResidentIndex).where(ResidentIndex.resident_id == g.me.id, ResidentIndex.kind == "ticket")
    ).all()
    found = [g.db.get(Ticket, (one.community_id, one.object_id)) for one in index]
    shown = sorted((one for one in found if one.ended_at is None), key=lambda t: t.updated_at, reverse=True)[
        :5
    ]
    for one in shown:
        term = g.db.scalars(select(CategoryTerm).where(CategoryTerm.code == one.category_code)).first()
        one.category_name = term.name if term else None
    return jsonify(TicketOut(many=True).dump(shown))


@app.get("/decisions")
def decisions() -> Any:
    """What is open to vote in my estate, and how far I am."""
    estate, now = _estate(), clock.now()
    rows = g.db.scalars(
        select(Decision).where(
            Decision.community_id == estate.community_id,
            Decision.estate_id == estate.id,
            Decision.opens_at <= now,
            Decision.closes_at > now,
        )
    ).all()
    owners: list[UUID] = [one.owner_id for one in _memberships() if one.owner_id is not None]
    found = []
    for row in rows:
        heads = g.db.scalars(
            select(RollHead)
            .join(
                RollOwner,
                (RollOwner.community_id == RollHead.community_id)
                & (RollOwner.decision_id == RollHead.decision_id)
                & (RollOwner.head_id == RollHead.id),
            )
            .where(
                RollOwner.community_id == row.community_id,
                RollOwner.decision_id == row.id,
                RollOwner.owner_id.in_(owners),
            )
        ).all()
        cast = [
            g.db.scalars(
                select(Ballot).where(
                    Ballot.community_id == row.community_id,
                    Ballot.decision_id == row.id,
                    Ballot.head_id == head.id,
                )
            ).first()
            for head in heads
        ]
        found.append(
            {
                "decision_id": ids.encode(Kind.DECISION, Ref(row.community_id, row.id)),
                "title": row.title,
                "opens_at": row.opens_at,
                "closes_at": row.closes_at,
                "my_ballot": "not_mine" if not heads else "cast" if all(cast) else "to_cast",
            }
        )
    return jsonify(DecisionOut(many=True).dump(found))


@app.get("/notices")
def notices() -> Any:
    """The latest notices of my estate."""
    estate = _estate()
    places = g.db.scalars(
        select(NoticePlace)
        .where(
            NoticePlace.community_id == estate.community_id,
            NoticePlace.estate_id == estate.id,
            NoticePlace.listed_at.is_not(None),
        )
        .order_by(NoticePlace.listed_at.desc())
        .limit(3)
    ).all()
    found = []
    for place in places:
        row = g.db.get(Notice, (place.notice_community_id, place.notice_id))
        read = g.db.scalars(
            select(NoticeRead).where(
                NoticeRead.community_id == estate.community_id,
                NoticeRead.notice_id == row.id,
                NoticeRead.resident_id == g.me.id,
            )
        ).first()
        found.append(
            {
                "notice_id": ids.encode(Kind.NOTICE, Ref(row.community_id, row.id)),
                "title": row.title,
                "published_at": row.published_at,
                "read_at": read.read_at if read else None,
            }
        )
    return jsonify(NoticeOut(many=True).dump(found))


@app.get("/revenue")
def revenue() -> Any:
    """The period of my estate that was published last."""
    estate = _estate()
    row = g.db.scalars(
        select(RevenueStatement)
        .where(RevenueStatement.community_id == estate.community_id, RevenueStatement.estate_id == estate.id)
        .order_by(RevenueStatement.seq.desc())
        .limit(1)
    ).first()
    return jsonify(RevenueOut().dump(row) if row else None)
