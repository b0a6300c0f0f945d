"""What a member of staff does with her own login: password, authenticator, sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import segno
from flask import current_app, g, make_response, url_for

from app import db
from app.errors import AppError
from app.people import logins
from app.people import queries as people
from app.people.policy import StaffPolicy
from bff.admin import staff_schemas as s
from bff.admin.auth import requires, while_setting_up
from bff.http import reads, writes
from bff.schemas import Blueprint

blp = Blueprint("staff-me", __name__, url_prefix="/admin/api/v1", description="My own login")

# A refusal comes back as a value in these views: the count of failures is committed with it.


@blp.route("/me/password", methods=["POST"])
@requires()
@while_setting_up
@blp.arguments(s.PasswordIn)
@blp.response(204)
def change_password(body: dict[str, Any]) -> Any:
    """Choose another password, at least 12 characters. All my other logins end."""
    with db.transaction():
        wrong = logins.change_password(
            old=body["password"],
            new=body["new_password"],
            code=body["totp"],
            policy=StaffPolicy.of(current_app.config["SETTINGS"]),
            acting_user=g.staff,
        )
    if wrong is not None:
        raise wrong
    return make_response("", 204)


@blp.route("/me/totp", methods=["POST"])
@requires()
@while_setting_up
@blp.arguments(s.ProofIn)
@blp.response(201, s.EnrolmentOut)
def start_totp(body: dict[str, Any]) -> Any:
    """A new secret for an authenticator. It counts once `/me/totp/confirm` has seen a code of it."""
    with db.transaction():
        made = logins.start_totp(password=body["password"], code=body["totp"], acting_user=g.staff)
    if isinstance(made, AppError):
        raise made
    drawn = segno.make(made.uri, error="m").svg_data_uri(scale=5, border=4, light="#fff")
    return (
        {"secret": made.secret, "uri": made.uri, "qr": drawn},
        201,
        {"Location": url_for("staff-session.me")},
    )


@blp.route("/me/totp/confirm", methods=["POST"])
@requires()
@while_setting_up
@blp.arguments(s.CodeIn)
@blp.response(200, s.CodesOut)
def confirm_totp(body: dict[str, Any]) -> Any:
    """The first code of the new authenticator; gives ten recovery codes. All my other logins end."""
    with db.transaction():
        made = logins.confirm_totp(code=body["totp"].replace(" ", ""), acting_user=g.staff)
    if isinstance(made, AppError):
        raise made
    return {"recovery_codes": made}


@blp.route("/me/totp/recovery-codes", methods=["POST"])
@requires()
@blp.arguments(s.ProofIn)
@blp.response(200, s.CodesOut)
def new_recovery_codes(body: dict[str, Any]) -> Any:
    """Ten fresh recovery codes; the old ones no longer count."""
    with db.transaction():
        made = logins.new_recovery_codes(password=body["password"], code=body["totp"], acting_user=g.staff)
    if isinstance(made, AppError):
        raise made
    return {"recovery_codes": made}


@blp.route("/me/sessions", methods=["GET"])
@requires()
@reads
@blp.response(200, s.MySessionList)
def my_sessions() -> dict[str, Any]:
    """Where I am logged in, the latest first."""
    return {"items": sessions_out(), "next_cursor": None}


def sessions_out() -> list[dict[str, Any]]:
    """My open logins."""
    rows = people.open_sessions_of(g.staff.id, StaffPolicy.of(current_app.config["SETTINGS"]))
    return [
        {
            "session_id": row.id,
            "current": row.token_hash == g.staff.session_hash,
            "mode": row.mode,
            "created_at": row.created_at,
            "seen_at": row.seen_at or row.created_at,
            "expires_at": row.expires_at,
            "client": row.client,
            "address": row.address,
        }
        for row in rows
    ]


@blp.route("/me/sessions/<ref(ses):session_id>", methods=["DELETE"])
@requires()
@writes
@blp.response(204)
def end_session(session_id: UUID) -> Any:
    """End one of my logins."""
    logins.end_own(session_id=session_id, acting_user=g.staff)
    return make_response("", 204)


@blp.route("/me/sessions", methods=["DELETE"])
@requires()
@writes
@blp.response(204)
def end_other_sessions() -> Any:
    """End all my logins but this one."""
    logins.end_others(acting_user=g.staff)
    return make_response("", 204)
