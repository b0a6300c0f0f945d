"""The list of focus groups: short, dated, kept by the street."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from app import audit, clock, db, ids
from app.audit import Actor
from app.errors import NotFound, StaleVersion
from app.focus.errors import BadFocusDay, DutyMissing, KindTaken
from app.focus.models import Basis, FocusKind, FocusKindTerm
from app.places import queries as places


class Group(NamedTuple):
    """A focus group as it is on a day."""

    kind: FocusKind
    term: FocusKindTerm


def groups(*, on: date) -> dict[str, Group]:
    """The focus groups of a day by code, in the order of their codes."""
    rows = db.session().execute(
        select(FocusKind, FocusKindTerm)
        .join(FocusKindTerm, FocusKindTerm.code == FocusKind.code)
        .where(
            FocusKindTerm.valid_from <= on,
            or_(FocusKindTerm.valid_to.is_(None), FocusKindTerm.valid_to > on),
        )
        .order_by(FocusKind.code)
    )
    return {kind.code: Group(kind, term) for kind, term in rows}


def _check_duty(basis: str, duty: str | None) -> None:
    if (basis == Basis.STATUTE) is not bool(duty):
        raise DutyMissing(errors={"duty": [(DutyMissing.zh, DutyMissing.en)]})


def add(
    *, code: str, name: str, basis: Basis, duty: str | None, review_months: int, acting_user: Actor
) -> Group:
    """A new focus group from today on. Raises KindTaken, DutyMissing."""
    _check_duty(basis, duty)
    kind = FocusKind(code=code, basis=basis, version=1, created_at=clock.now())
    try:
        with db.session().begin_nested():
            db.session().add(kind)
    except IntegrityError as e:
        raise KindTaken(errors={"code": [(KindTaken.zh, KindTaken.en)]}) from e
    term = FocusKindTerm(
        code=code, valid_from=places.today(), name=name, duty=duty, review_months=review_months
    )
    db.session().add(term)
    _record(acting_user, "focus.group_added", code)
    return Group(kind, term)


def change(code: str, *, version: int | None, changes: dict[str, Any], acting_user: Actor) -> Group:
    """Change name, duty or review_months from today on; or `valid_to`: from that day on nobody is listed in it.

    What held before stays readable in the terms. Raises NotFound, StaleVersion, DutyMissing, BadFocusDay.
    """
    kind = db.session().get(FocusKind, code, with_for_update=True, populate_existing=True)
    today = places.today()
    group = groups(on=today).get(code)
    if kind is None or group is None:
        raise NotFound
    if version is not None and kind.version != version:
        raise StaleVersion
    term = group.term
    facts = {field: changes.get(field, getattr(term, field)) for field in ("name", "duty", "review_months")}
    _check_duty(kind.basis, facts["duty"])
    until = changes.get("valid_to", term.valid_to)
    if until is not None and until < today:
        raise BadFocusDay(errors={"valid_to": [(BadFocusDay.zh, BadFocusDay.en)]})
    if any(facts[field] != getattr(term, field) for field in facts):
        if term.valid_from < today:
            term.valid_to = today
            term = FocusKindTerm(code=code, valid_from=today, **facts)
            db.session().add(term)
        else:
            for field, value in facts.items():
                setattr(term, field, value)
    term.valid_to = until
    kind.version += 1
    _record(acting_user, "focus.group_changed", code, fields=sorted(changes))
    return Group(kind, term)


def _record(actor: Actor, action: str, code: str, **details: Any) -> None:
    # The list belongs to no community: the row lies in the lane of whoever changed it.
    lane = ids.lane_of(actor.id if actor.id is not None else UUID(int=0))
    audit.record(
        actor, action, community_id=lane, object_kind="focus_kind", object_id=None, code=code, **details
    )
