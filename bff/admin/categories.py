"""The classes of problems: the tree of a day, and its editing by the street."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from flask import g, url_for

from app.errors import NotFound
from app.people.permissions import Permission
from app.places import queries as places
from app.tickets import catalogue
from app.tickets import queries as tickets
from app.tickets.models import Category, CategoryTerm
from bff.admin import category_schemas as s
from bff.admin.auth import requires
from bff.http import Versioned, reads, revalidated, versioned, wanted_version, writes
from bff.schemas import Blueprint

blp = Blueprint(
    "staff-categories", __name__, url_prefix="/admin/api/v1", description="Classes of problems, dated"
)

# What the API calls a field of a term.
_FIELDS = {"parent": "parent_code", "public": "is_public", "urgent": "is_urgent"}


def _term_out(term: CategoryTerm) -> dict[str, Any]:
    return {
        "name": term.name,
        "parent": term.parent_code,
        "hint": term.hint,
        "questions": term.questions,
        "needs_photo": term.needs_photo,
        "public": term.is_public,
        "urgent": term.is_urgent,
        "for_residents": term.for_residents,
        "limit": {"amount": term.limit_amount, "unit": term.limit_unit} if term.limit_unit else None,
        "org_kind": term.org_kind,
        "closing_text": term.closing_text,
        "sort": term.sort,
        "valid_from": term.valid_from,
        "valid_to": term.valid_to,
    }


def rows_out(terms: Sequence[CategoryTerm], numbers: dict[str, Category]) -> list[dict[str, Any]]:
    """The tree of a day, each class with how deep it stands."""
    above = {term.parent_code for term in terms}
    depth: dict[str | None, int] = {None: -1}
    rows = []
    for term in terms:
        depth[term.code] = depth[term.parent_code] + 1
        rows.append(
            {
                **_term_out(term),
                "code": term.code,
                "depth": depth[term.code],
                "leaf": term.code not in above,
                "national_code": numbers[term.code].national_code,
                "national_source": numbers[term.code].national_source,
                "version": numbers[term.code].version,
            }
        )
    return rows


def whole_out(found: Category) -> dict[str, Any]:
    """A class with everything it said and will say."""
    return {
        "code": found.code,
        "national_code": found.national_code,
        "national_source": found.national_source,
        "version": found.version,
        "terms": [_term_out(term) for term in tickets.class_history(found.code)],
    }


def _facts(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a term that a request names, as the domain calls them."""
    facts = {_FIELDS.get(name, name): value for name, value in body.items()}
    if "limit" in facts:
        limit = facts.pop("limit") or {"amount": None, "unit": None}
        facts |= {"limit_amount": limit["amount"], "limit_unit": limit["unit"]}
    return facts


@blp.route("/categories", methods=["GET"])
@requires(Permission.PLACE_VIEW)
@revalidated
@reads
@blp.arguments(s.CategoryQuery, location="query")
@blp.response(200, s.CategoryTree)
def categories(args: dict[str, Any]) -> dict[str, Any]:
    """The tree of today, or of the day `on`, from the top down. A ticket is given a `leaf`."""
    on: date = args["on"] or places.today()
    rows = rows_out(tickets.classes_on(on), tickets.class_numbers())
    return {"items": rows, "on": on, "next_cursor": None}


@blp.route("/categories/<code>", methods=["GET"])
@requires(Permission.PLACE_VIEW)
@revalidated
@reads
@blp.response(200, s.CategoryOut)
def category(code: str) -> Versioned:
    """One class with everything it said and will say, also when it was ended."""
    found = tickets.class_numbers().get(code)
    if found is None:
        raise NotFound
    return versioned(whole_out(found))


@blp.route("/categories", methods=["POST"])
@requires(Permission.CATEGORY_EDIT)
@writes
@blp.arguments(s.CategoryNew)
@blp.response(201, s.CategoryOut)
def add_category(body: dict[str, Any]) -> Versioned:
    """A new class, from `valid_from` on (today when left out)."""
    found = catalogue.add_class(
        body.pop("code"),
        since=body.pop("valid_from", None),
        until=body.pop("valid_to", None),
        national_code=body.pop("national_code", None),
        national_source=body.pop("national_source", None),
        facts=_facts(body),
        acting_user=g.staff.actor,
    )
    return versioned(whole_out(found), 201, Location=url_for("staff-categories.category", code=found.code))


@blp.route("/categories/<code>", methods=["PATCH"])
@requires(Permission.CATEGORY_EDIT)
@writes
@blp.arguments(s.CategoryChange)
@blp.response(200, s.CategoryOut)
def change_category(body: dict[str, Any], code: str) -> Versioned:
    """Change a class from `valid_from` on (today when left out); `active: false` ends it. Needs If-Match."""
    version = wanted_version()
    since = body.pop("valid_from", None)
    if body.pop("active", True):
        found = catalogue.change_class(
            code,
            since=since,
            until=body.pop("valid_to", None),
            changes=_facts(body),
            version=version,
            acting_user=g.staff.actor,
        )
    else:
        found = catalogue.end_class(code, on=since, version=version, acting_user=g.staff.actor)
    return versioned(whole_out(found))
