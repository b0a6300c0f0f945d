"""Who the member of staff is, and what the endpoint asks of her."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

from flask import current_app, g, request

from app import db
from app.ids import Ref
from app.people import logins, tokens
from app.people import queries as people
from app.people.errors import CsrfRefused, PermissionMissing, SetUpFirst, StaffTokenRefused
from app.people.models import SessionMode
from app.people.permissions import Permission
from app.people.policy import StaffPolicy
from app.tickets import queries as tickets

P = ParamSpec("P")
R = TypeVar("R")
View = TypeVar("View", bound=Callable[..., object])


COOKIE = "jiayuan_staff"
CSRF_COOKIE = "jiayuan_csrf"  # readable by the page, which sends it back in the header
CSRF_HEADER = "X-CSRF-Token"
BACKGROUND_HEADER = "X-Background"  # a page asks by itself: nobody may sit in front of it
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def while_setting_up(view: View) -> View:
    """Mark a view that a login may use before its password is changed and its authenticator set up."""
    view._while_setting_up = True  # type: ignore[attr-defined]  # read by `authenticate`
    return view


def requires(*permissions: Permission) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The endpoint needs one of these permissions somewhere; the service asks again for the very object.

    No permission named: any member of staff. What she may not even see is not found rather than forbidden.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if permissions and not any(g.staff.may(permission) for permission in permissions):
                _refuse(kwargs.get("ref"))
            return view(*args, **kwargs)

        checked._requires = permissions  # type: ignore[attr-defined]  # read by the permission matrix test
        return checked

    return decorate


def _refuse(ref: object) -> NoReturn:
    if isinstance(ref, Ref) and request.url_rule is not None and "<ref(tkt):" in request.url_rule.rule:
        with db.reading():
            tickets.ticket_for_staff(g.staff, ref)
    raise PermissionMissing


def cookie_name() -> str:
    """Of the session cookie; behind https it is bound to this host and path (RFC 6265bis §4.1.3.2)."""
    return f"__Host-{COOKIE}" if is_https() else COOKIE


def is_https() -> bool:
    """Does the world reach us by https?"""
    return str(current_app.config["SETTINGS"].public_base_url).startswith("https://")


def csrf_of(token: str) -> str:
    """The CSRF token of a login: only who has the cookie's value, or was told by us, knows it."""
    digest = hmac.digest(token.encode(), b"csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _carried() -> tuple[str, SessionMode]:
    """The token of this request and how it came. Raises StaffTokenRefused, CsrfRefused."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        if scheme.lower() != "bearer" or not token:
            raise StaffTokenRefused
        return token.strip(), SessionMode.TOKEN
    token = request.cookies.get(cookie_name(), "")
    if not token:
        raise StaffTokenRefused
    if request.method not in SAFE:
        # A page of another site can make the browser send the cookie; it can't read or set this header.
        given = request.headers.get(CSRF_HEADER, "")
        if not tokens.same(given.encode(), csrf_of(token).encode()):
            raise CsrfRefused
    return token, SessionMode.COOKIE


def authenticate() -> None:
    """Before every request of this face: sets g.staff with roles and reach.

    Raises StaffTokenRefused, CsrfRefused, and SetUpFirst where the login opens nothing yet.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, "_open_to_all", False):
        return
    token, mode = _carried()
    with db.reading():
        staff = people.staff_by_token(tokens.hash_of(token), StaffPolicy.of(current_app.config["SETTINGS"]))
    # What was given out as a cookie is no bearer token, and the other way round.
    if staff.session is None or staff.session.mode is not mode:
        raise StaffTokenRefused
    if staff.session.needs and not getattr(view, "_while_setting_up", False):
        raise SetUpFirst(extra={"needs": [need.value for need in staff.session.needs]})
    if logins.is_worth_noting(staff) and BACKGROUND_HEADER not in request.headers:
        with db.transaction():
            logins.seen(acting_user=staff)
    g.staff = staff
    g.actor_id = staff.id
