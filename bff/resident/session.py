"""Logging in with WeChat, staying logged in, binding the phone, and who I am."""

from __future__ import annotations

from typing import Any

from flask import current_app, g, make_response, url_for

from app import adapters, db, ids
from app.adapters.wechat import CodeRejected, WeChatUnavailable
from app.errors import Invalid, NotFound, Unavailable
from app.memberships import following as memberships
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from app.people import queries as people_queries
from app.people import service as people
from app.people import tokens
from app.people.errors import RefreshReused
from app.people.models import ConsentKey, Resident
from app.people.queries import mask_phone
from app.tickets import service as tickets
from bff import limits
from bff.http import Versioned, open_to_all, reads, versioned, wanted_version, writes
from bff.resident import schemas as s
from bff.schemas import Blueprint

blp = Blueprint("session", __name__, url_prefix="/bff/v1", description="Login and profile")

DEMO_NAMES = "demo-"

CONSENTS = {
    ConsentKey.PHOTO_POSITION: (
        "/public/consents/photo_position/1",
        "保存照片的拍摄位置，帮助街道和社区更快找到现场；物业看不到，办结 30 天后删除。",
    ),
}


# Of the kinds of 个人信息保护法 28, each agreed to by itself: here whereabouts. No consent of the list is needed for
# the service itself: what a resident does without stands in `needed_for`.
SENSITIVE = frozenset({ConsentKey.PHOTO_POSITION})


class CodeRefused(Invalid):
    """WeChat doesn't take the code."""

    code = "code_rejected"
    zh = "微信登录凭证已失效，请重试。"
    en = "The WeChat code is used or expired; please try again."


class WeChatAway(Unavailable):
    """WeChat doesn't answer."""

    code = "wechat_unavailable"
    zh = "微信暂时没有响应，请稍后再试。"
    en = "WeChat doesn't answer at the moment; please try again."


def resident_out(resident: Resident) -> dict[str, Any]:
    """The resident as she sees herself."""
    phone = people_queries.phone_of(resident)
    return {
        "id": resident.id,
        "nickname": people_queries.nickname_of(resident),
        "phone_masked": mask_phone(phone) if phone else None,
        "phone_verified_at": resident.phone_verified_at,
        "created_at": resident.created_at,
    }


def _session_out(opened: people.OpenedSession) -> dict[str, Any]:
    settings = current_app.config["SETTINGS"]
    seconds = settings.access_token_s
    return {
        "access_token": tokens.access_token(
            opened.resident.id, opened.session_id, secret=settings.secret_key, seconds=seconds
        ),
        "refresh_token": opened.refresh_token,
        "expires_in": seconds,
        "resident": resident_out(opened.resident),
    }


def _asked(call: Any, *args: Any, **kwargs: Any) -> Any:
    """A question to WeChat, outside any transaction, with its refusals in our words."""
    try:
        return call(*args, **kwargs)
    except CodeRejected as e:
        raise CodeRefused(errors={"code": [(CodeRefused.zh, CodeRefused.en)]}) from e
    except WeChatUnavailable as e:
        raise WeChatAway(retry_after=5) from e


@blp.route("/session", methods=["POST"])
@open_to_all
@blp.arguments(s.CodeIn)
@blp.response(201, s.SessionOut)
def log_in(body: dict[str, Any]) -> Any:
    """Log in with a wx.login code. The first visit makes the resident."""
    settings = current_app.config["SETTINGS"]
    limits.ensure_may_log_in()
    try:
        wechat = _asked(adapters.wechat().code_to_session, body["code"])
    except CodeRefused:
        limits.login_failed()
        raise
    with db.transaction():
        opened = people.open_session(
            openid=wechat.openid,
            session_key=wechat.session_key,
            refresh_token_s=settings.refresh_token_s,
            is_demo=settings.demo and body["code"].startswith(DEMO_NAMES),
        )
    return _session_out(opened), 201, {"Location": url_for("session.me")}


@blp.route("/session/refresh", methods=["POST"])
@open_to_all
@blp.arguments(s.RefreshIn)
@blp.response(200, s.SessionOut)
def refresh(body: dict[str, Any]) -> dict[str, Any]:
    """Rotate the refresh token. An old one that comes back ends the login for both who hold it."""
    seconds = current_app.config["SETTINGS"].refresh_token_s
    with db.transaction():
        opened = people.rotate(refresh_token=body["refresh_token"], refresh_token_s=seconds)
    if opened is None:
        raise RefreshReused
    return _session_out(opened)


@blp.route("/session", methods=["DELETE"])
@blp.response(204)
def log_out() -> Any:
    """Log out; the access token ends with the login."""
    with db.transaction():
        people.end_session(resident_id=g.resident_id, session_id=g.session_id)
    return make_response("", 204)


@blp.route("/session/phone", methods=["POST"])
@blp.arguments(s.CodeIn)
@blp.response(200, s.PhoneOut)
def bind_phone(body: dict[str, Any]) -> dict[str, Any]:
    """Bind the phone that WeChat verified (getPhoneNumber). The latest binding wins; the former holder is told, and
    what rested on it in her hands waits for staff.
    """
    with db.reading():
        openid = people_queries.openid_of(_me())
    phone = _asked(adapters.wechat().phone_number, body["code"], openid=openid)
    with db.transaction():
        former = people.bind_phone(resident_id=g.resident_id, phone=phone)
        if former is not None:
            memberships.phone_moved(former=former, phone=phone, by=g.resident_id)
        me = _me()
        stamp = me.phone_verified_at
        for resident_id, kind in ((g.resident_id, NoticeKind.PHONE_BOUND), (former, NoticeKind.PHONE_LOST)):
            if resident_id is not None:
                messaging.notify(
                    resident_id=resident_id,
                    kind=kind,
                    community_id=ids.lane_of(resident_id),
                    idem=f"{kind}:{stamp:%Y%m%dT%H%M%S.%f}",
                    params={"phone": mask_phone(phone)},
                )
    return {"phone_masked": mask_phone(phone), "phone_verified_at": stamp}


def _me() -> Resident:
    me = people_queries.resident(g.resident_id)
    if me is None:
        raise NotFound
    return me


def _me_out(me: Resident) -> dict[str, Any]:
    given = people_queries.consents_of(me.id)
    consents = []
    for key, (path, needed_for) in CONSENTS.items():
        row, version = given.get(key), people.CONSENT_VERSIONS[key]
        holds = row is not None and row.version == version
        granted_at = row.granted_at if row is not None and holds else None
        consents.append(
            {
                "key": key.value,
                "version": version,
                "text_url": current_app.config["SETTINGS"].public_base_url + path,
                "needed_for": needed_for,
                "granted_at": granted_at,
                "is_sensitive": key in SENSITIVE,
                "refused_at": row.withdrawn_at if row is not None else None,
                # Who said no isn't asked again, also not for a new wording; she may still say yes by herself.
                "may_ask": granted_at is None and (row is None or row.withdrawn_at is None),
            }
        )
    return {**resident_out(me), "version": me.version, "consents": consents}


@blp.route("/me", methods=["GET"])
@reads
@blp.response(200, s.MeOut)
def me() -> Versioned:
    """My profile and consents. The ETag is the version that PATCH asks for."""
    mine = _me()
    return versioned(_me_out(mine))


@blp.route("/me", methods=["PATCH"])
@writes
@blp.arguments(s.MeIn)
@blp.response(200, s.MeOut)
def change_me(body: dict[str, Any]) -> Versioned:
    """Change my nickname, give or withdraw consents. Needs If-Match with the version."""
    version = wanted_version()
    mine = people.update_me(
        resident_id=g.resident_id,
        version=version,
        nickname=body.get("nickname"),
        consents=[people.ConsentChange(**change) for change in body.get("consents", ())],
    )
    if any(c["key"] == ConsentKey.PHOTO_POSITION and not c["granted"] for c in body.get("consents", ())):
        tickets.forget_positions(acting_user=g.resident_id)
    db.session().flush()  # the answer shows what was just written
    return versioned(_me_out(mine))
