"""The first screen in one call: what everybody opens, so dumped by hand.

`HomeOut` is the description, and a test holds both equal.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
from flask import Response
from flask.globals import app_ctx, request_ctx

from app import home as first_screen
from app import ids
from app.clock import rfc3339
from app.home import (
    Herself,
    Home,
    HomeEstate,
    HomeMembership,
    HomeNotice,
    HomeRevenue,
    HomeVote,
    NoticeText,
    OpenDecision,
)
from app.ids import Kind, Ref
from app.notices import rich
from app.notices.models import TOPIC_NAMES, Topic
from app.people import queries as people
from app.people.queries import mask_phone
from app.voting import queries as decisions
from app.voting import words
from app.voting.models import Decision, DecisionStatus
from app.voting.own_heads import MyBallot
from bff.http import dumped, revalidated
from bff.positions import location_out
from bff.resident import home_schemas as s
from bff.resident.auth import asks_itself
from bff.resident.decision_page import in_english
from bff.resident.lines import line_out
from bff.resident.notices import EXCERPT
from bff.schemas import Blueprint

blp = Blueprint("home", __name__, url_prefix="/bff/v1", description="First screen")

_ACTIONS = (
    ("report", "一键上报", "/pages/report/new"),
    ("my_tickets", "我的上报", "/pages/ticket/list"),
    ("decisions", "业主表决", "/pages/decision/list"),
    ("notices", "通知公告", "/pages/notice/list"),
    ("revenue", "公共收益", "/pages/revenue/index"),
    ("bind_house", "绑定房屋", "/pages/membership/new"),
    ("inbox", "消息", "/pages/inbox/list"),
)
_QUICK_ACTIONS = orjson.Fragment(
    orjson.dumps([{"key": key, "title": title, "path": path} for key, title, path in _ACTIONS])
)


@blp.route("/home", methods=["GET"])
@asks_itself
@revalidated
@blp.described(s.HomeOut, query=s.HomeQuery)
def home() -> Response:
    """One call for the first screen: me, my estates and houses, unread messages, my open tickets; of the estate shown
    what is open to vote, the latest notices and the revenue published last; quick actions.
    """
    request, own = request_ctx.request, app_ctx.g
    chosen = blp.query_of(s.HomeQuery)["estate_id"] if "estate_id" in request.args else None
    return dumped(home_out(first_screen.of(own.resident_id, own.session_id, chosen=chosen)))


def home_out(found: Home) -> dict[str, Any]:
    """The screen as `HomeOut` dumps it. What many see alike is dumped once: each is made for as long as it says so."""
    english = in_english()
    return {
        "me": _me(found.me),
        "estates": [_estate(one) for one in found.estates],
        "unread": found.me.unread,
        "memberships": [_membership(one) for one in found.memberships],
        "open_tickets": [line_out(line) for line in found.tickets],
        "open_decisions": [_decision(vote, english=english) for vote in found.votes],
        "notices": [_notice(one) for one in found.notices],
        "revenue": _revenue(found.revenue) if found.revenue is not None else None,
        "quick_actions": _QUICK_ACTIONS,
    }


def _time(at: datetime | None) -> str | None:
    return rfc3339(at) if at is not None else None


@functools.lru_cache(maxsize=16_384)  # all residents of an estate see the same
def _often(kind: Kind, community_id: int, id_: UUID) -> str:
    return ids.encode(kind, Ref(community_id, id_))


def _me(me: Herself) -> dict[str, Any]:
    phone = people.phone_of(me)
    return {
        "id": ids.encode(Kind.RESIDENT, me.id),
        "nickname": people.nickname_of(me),
        "phone_masked": mask_phone(phone) if phone else None,
        "phone_verified_at": _time(me.phone_verified_at),
        "created_at": rfc3339(me.created_at),
    }


@functools.lru_cache(maxsize=1024)
def _estate(one: HomeEstate) -> orjson.Fragment:
    return _dumped(
        {
            "estate_id": _often(Kind.ESTATE, *one.ref),
            "name": one.name,
            "address": one.address,
            "community": one.community,
            "location": location_out(one.point),
        }
    )


def _dumped(part: dict[str, Any]) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(part))


def _membership(one: HomeMembership) -> dict[str, Any]:
    return {
        "membership_id": ids.encode(Kind.MEMBERSHIP, one.ref),
        "house_id": ids.encode(Kind.HOUSE, one.house_id),
        "estate_id": _often(Kind.ESTATE, *one.estate_id),
        "house": one.house,
        "relation": one.relation,
        "status": one.status,
        "voter_level": one.voter_level,
    }


def _decision(vote: HomeVote, *, english: bool) -> orjson.Fragment:
    row = vote.decision
    # A model's object is of this request alone.
    says = _says if isinstance(cast(object, row), OpenDecision) else _says.__wrapped__
    return says(row, decisions.status_of(row), vote.my_ballot, english=english)


@functools.lru_cache(maxsize=1024)
def _says(row: Decision, status: DecisionStatus, my_ballot: MyBallot, *, english: bool) -> orjson.Fragment:
    return _dumped(
        {
            "decision_id": _often(Kind.DECISION, row.community_id, row.id),
            "estate_id": _often(Kind.ESTATE, row.community_id, row.estate_id),
            "kind": row.kind,
            "title": row.title,
            "status": status.value,
            "legal_mode": row.legal_mode,
            "legal_mode_text": words.mode(row.legal_mode, english=english),
            "announced_at": _time(row.announced_at),
            "opens_at": _time(row.opens_at),
            "closes_at": _time(row.closes_at),
            "my_ballot": my_ballot.value if status is DecisionStatus.OPEN else None,
        }
    )


def _notice(one: HomeNotice) -> dict[str, Any] | orjson.Fragment:
    if one.read_at is None and one.finished_at is None:
        return _unread(one.said, for_me=one.for_me)
    return {
        **_told(one.said),
        "for_me": one.for_me,
        "read_at": _time(one.read_at),
        "finished_at": _time(one.finished_at),
    }


@functools.lru_cache(maxsize=1024)
def _unread(said: NoticeText, *, for_me: bool) -> orjson.Fragment:
    return _dumped({**_told(said), "for_me": for_me, "read_at": None, "finished_at": None})


@functools.lru_cache(maxsize=1024)
def _told(said: NoticeText) -> dict[str, Any]:
    return {
        "notice_id": _often(Kind.NOTICE, *said.ref),
        "kind": said.kind,
        "kind_name": TOPIC_NAMES[Topic(said.kind)],
        "title": said.title,
        "excerpt": rich.words(said.text)[:EXCERPT],
        "areas": orjson.Fragment(orjson.dumps(said.areas)),
        "published_at": rfc3339(said.published_at),
        "is_corrected": said.revision > 1,
    }


@functools.lru_cache(maxsize=1024)
def _revenue(one: HomeRevenue) -> orjson.Fragment:
    return _dumped(
        {
            "period_id": _often(Kind.REVENUE_PERIOD, *one.period_id),
            "first_day": one.first_day,
            "last_day": one.last_day,
            "income_fen": one.income_fen,
            "cost_fen": one.cost_fen,
            "uses_fen": one.uses_fen,
            "fund_fen": one.fund_fen,
            "closing_fen": one.closing_fen,
            "published_at": rfc3339(one.published_at),
        }
    )
