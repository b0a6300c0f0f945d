"""Staff login for scripts and programs: a bearer token."""

from __future__ import annotations

from typing import Any

from flask import current_app, g, make_response, url_for

from app import db
from app.errors import AppError
from app.people import queries as people_queries
from app.people import service as people
from app.people import tokens
from app.people.scopes import StaffActor
from app.places import queries as places
from bff.admin import schemas as s
from bff.admin.auth import open_to_all, requires
from bff.http import reads
from bff.schemas import Blueprint

blp = Blueprint("staff-session", __name__, url_prefix="/admin/api/v1", description="Login")


def staff_out(staff: StaffActor) -> dict[str, Any]:
    """Who I am and what I may do where."""
    names = places.org_names(staff.org_ids)
    return {
        "id": staff.id,
        "account": staff.account,
        "name": staff.name,
        "scopes": [
            {
                "role": grant.role.value,
                "org_id": grant.org_id,
                "org": names.get(grant.org_id, ""),
                "permissions": sorted(grant.permissions),
            }
            for grant in staff.grants
        ],
    }


@blp.route("/session", methods=["POST"])
@open_to_all
@blp.arguments(s.LoginIn)
@blp.response(201, s.SessionOut)
def log_in(body: dict[str, Any]) -> Any:
    """Log in with account and password. Five wrong passwords lock the account for 15 minutes."""
    with db.transaction():
        # A refusal comes back as a value: the count of failures is committed with it.
        login = people.staff_login(
            account=body["account"],
            password=body["password"],
            session_s=current_app.config["SETTINGS"].staff_session_s,
        )
    if isinstance(login, AppError):
        raise login
    with db.reading():
        staff = people_queries.staff_by_token(tokens.hash_of(login.token))
        answer = {"token": login.token, "expires_in": login.expires_in, "staff": staff_out(staff)}
        return answer, 201, {"Location": url_for("staff-session.me")}


@blp.route("/session", methods=["DELETE"])
@requires()
@blp.response(204)
def log_out() -> Any:
    """Log out."""
    with db.transaction():
        people.staff_logout(token_hash=g.staff.session_hash)
    return make_response("", 204)


@blp.route("/me", methods=["GET"])
@requires()
@reads
@blp.response(200, s.StaffOut)
def me() -> dict[str, Any]:
    """Who I am, my roles, what they permit."""
    return staff_out(g.staff)
