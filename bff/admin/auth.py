"""Who the member of staff is, and what the endpoint asks of her."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

from flask import current_app, g, request

from app import db
from app.ids import Ref
from app.people import queries as people
from app.people import tokens
from app.people.errors import PermissionMissing, StaffTokenRefused
from app.people.permissions import Permission
from app.tickets import queries as tickets

P = ParamSpec("P")
R = TypeVar("R")
View = TypeVar("View", bound=Callable[..., object])


def open_to_all(view: View) -> View:
    """Mark a view that needs no login."""
    view._open_to_all = True  # type: ignore[attr-defined]  # read by `authenticate` and by the structure tests
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


def authenticate() -> None:
    """Before every request of this face: sets g.staff with roles and reach, or raises StaffTokenRefused."""
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, "_open_to_all", False):
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise StaffTokenRefused
    with db.reading():
        g.staff = people.staff_by_token(tokens.hash_of(token.strip()))
    g.actor_id = g.staff.id
