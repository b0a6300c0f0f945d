"""Who the resident is: a bearer access token, and her login not ended since."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import g
from flask.globals import app_ctx, request_ctx

from app import db
from app.people import queries as people
from app.people import tokens
from app.people.errors import BadToken

View = TypeVar("View", bound=Callable[..., object])


def asks_itself(view: View) -> View:
    """Mark a view that asks by itself whether the login still holds, on the connection it needs anyway."""
    view._asks_itself = True  # type: ignore[attr-defined]  # read by `authenticate`
    return view


def ensure_login(connection: db.Bare | None = None) -> None:
    """Raises BadToken where the login of this request has ended since its token was signed. Asked on the connection of
    a unit of work, or outside of one by itself.
    """
    if not people.login_holds(g.resident_id, g.session_id, connection):
        raise BadToken


def authenticate() -> None:
    """Before every request of this face: sets g.resident_id and g.session_id, or raises BadToken."""
    request, app, own = request_ctx.request, app_ctx.app, app_ctx.g
    view = app.view_functions.get(request.endpoint or "")
    if getattr(view, "_open_to_all", False):
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise BadToken
    access = tokens.read_access_token(token.strip(), secret=app.config["SETTINGS"].secret_key)
    own.resident_id = own.actor_id = access.resident_id
    own.session_id = access.session_id
    if not getattr(view, "_asks_itself", False):
        ensure_login()
