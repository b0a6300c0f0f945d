"""Staff login: a cookie for the console, a bearer token for scripts and programs."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, g, make_response, request, url_for

from app import db
from app.errors import AppError
from app.people import logins, roster, tokens
from app.people import queries as people_queries
from app.people.models import SessionMode
from app.people.permissions import ROLE_NAMES
from app.people.policy import StaffPolicy
from app.people.scopes import StaffActor
from app.places import queries as places
from bff.admin import schemas as s
from bff.admin.auth import (
    CSRF_COOKIE,
    cookie_name,
    csrf_of,
    is_https,
    requires,
    while_setting_up,
)
from bff.http import open_to_all, reads
from bff.schemas import Blueprint

blp = Blueprint("staff-session", __name__, url_prefix="/admin/api/v1", description="Login")


def _policy() -> StaffPolicy:
    return StaffPolicy.of(current_app.config["SETTINGS"])


def staff_out(staff: StaffActor) -> dict[str, Any]:
    """Who I am and what I may do where."""
    names = places.org_names(staff.org_ids)
    login = staff.session
    has_totp = login is not None and login.has_totp
    return {
        "id": staff.id,
        "account": staff.account,
        "name": staff.name,
        "needs": [need.value for need in login.needs] if login is not None else [],
        "totp": has_totp,
        "recovery_codes_left": roster.codes_left(staff.id) if has_totp else 0,
        "scopes": [
            {
                "role": grant.role.value,
                "role_name": ROLE_NAMES[grant.role],
                "org_id": grant.org_id,
                "org": names.get(grant.org_id, ""),
                "permissions": sorted(grant.permissions),
            }
            for grant in staff.grants
        ],
    }


def _said(login: logins.StaffLogin) -> dict[str, Any]:
    """Who has logged in, for the answer. Asked before the commit: after it nothing may go wrong, as a code is used up
    and the token before it has ended.
    """
    staff = people_queries.staff_by_token(tokens.hash_of(login.token), _policy())
    return {"expires_in": login.expires_in, "staff": staff_out(staff)}


def _answer(login: logins.StaffLogin, said: dict[str, Any], status: int) -> Response:
    """The login as its mode carries it: in the body, or in a cookie that no script can read."""
    body = dict(said)
    if login.mode is SessionMode.TOKEN:
        body["token"] = login.token
    else:
        body["csrf_token"] = csrf_of(login.token)
    answer = make_response(s.SessionOut().dump(body), status)
    if login.mode is SessionMode.COOKIE:
        answer.set_cookie(
            cookie_name(),
            login.token,
            max_age=login.expires_in,
            secure=is_https(),
            httponly=True,
            samesite="Strict",
        )
        answer.set_cookie(
            CSRF_COOKIE,
            csrf_of(login.token),
            max_age=login.expires_in,
            secure=is_https(),
            samesite="Strict",
        )
    return answer


@blp.route("/session", methods=["POST"])
@open_to_all
@blp.arguments(s.LoginIn)
@blp.response(201, s.SessionOut)
def log_in(body: dict[str, Any]) -> Any:
    """Log in with account, password and, where one is set up, the authenticator's code (`totp`).

    Five wrong passwords or codes lock the account for 15 minutes; 30 from one address in 15 minutes, for whatever
    accounts, shut the address out until these are over. `mode: cookie` is for the console: writes then
    send `X-CSRF-Token`. While `staff.needs` names something, the login opens only `/me`, `/me/password`, `/me/totp`.
    """
    with db.transaction():
        # A refusal comes back as a value: the count of failures is committed with it.
        login = logins.staff_login(
            account=body["account"],
            password=body["password"],
            code=body["totp"],
            mode=body["mode"],
            policy=_policy(),
            client=request.user_agent.string or None,
            address=request.remote_addr,
        )
        said = _said(login) if not isinstance(login, AppError) else {}
    if isinstance(login, AppError):
        raise login
    answer = _answer(login, said, 201)
    answer.headers["Location"] = url_for("staff-session.me")
    return answer


@blp.route("/session/refresh", methods=["POST"])
@requires()
@while_setting_up
@blp.response(200, s.SessionOut)
def refresh() -> Any:
    """Another token in place of this one; the login ends when it would have ended."""
    with db.transaction():
        login = logins.refresh(acting_user=g.staff)
        said = _said(login)
    return _answer(login, said, 200)


@blp.route("/session", methods=["DELETE"])
@requires()
@while_setting_up
@blp.response(204)
def log_out() -> Any:
    """Log out."""
    with db.transaction():
        logins.staff_logout(token_hash=g.staff.session_hash)
    answer = make_response("", 204)
    if g.staff.session.mode is SessionMode.COOKIE:
        answer.delete_cookie(cookie_name(), secure=is_https(), httponly=True, samesite="Strict")
        answer.delete_cookie(CSRF_COOKIE, secure=is_https(), samesite="Strict")
    return answer


@blp.route("/me", methods=["GET"])
@requires()
@while_setting_up
@reads
@blp.response(200, s.StaffOut)
def me() -> dict[str, Any]:
    """Who I am, my roles, what they permit, and what is missing before they count."""
    return staff_out(g.staff)
