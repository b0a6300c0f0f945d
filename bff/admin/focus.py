"""Focus groups (重点人群). Every answer that shows who is in one needs a purpose and leaves an audit row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g, url_for

from app.errors import NotFound
from app.focus import kinds, service
from app.focus.kinds import Group
from app.focus.models import Basis, ConsentBy, EndReason, FocusTag, Purpose
from app.focus.queries import Area, PersonView
from app.focus.service import Consent
from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.places import identity, registry
from app.places import queries as places
from app.places.registry_models import OwnerKind
from bff.admin import focus_schemas as s
from bff.admin.auth import requires
from bff.http import Versioned, read_cursor, reads, versioned, wanted_version, witnessed, write_cursor, writes
from bff.schemas import Blueprint

blp = Blueprint("focus", __name__, url_prefix="/admin/api/v1", description="Focus groups")

_TERM = ("name", "duty", "review_months", "valid_from", "valid_to")


# --- the list of groups ----------------------------------------------------------------------------------


def _group(group: Group) -> dict[str, Any]:
    return {
        "code": group.kind.code,
        "basis": group.kind.basis,
        **{field: getattr(group.term, field) for field in _TERM},
        "version": group.kind.version,
    }


@blp.route("/focus-groups", methods=["GET"])
@requires(Allow.FOCUS_READ, Allow.FOCUS_COUNT)
@reads
@blp.response(200, s.FocusGroupList)
def focus_groups() -> dict[str, Any]:
    """The focus groups of today, on what ground people are listed in them; and the purposes one may look for."""
    return {
        "items": [_group(group) for group in kinds.groups(on=places.today()).values()],
        "purposes": [{"code": purpose.value, "name": name} for purpose, name in s.PURPOSES.items()],
    }


@blp.route("/focus-groups", methods=["POST"])
@requires(Allow.FOCUS_GROUPS)
@writes
@blp.arguments(s.FocusGroupIn)
@blp.response(201, s.FocusGroupOut)
def add_focus_group(body: dict[str, Any]) -> Versioned:
    """Add a focus group: by consent, or by statute with the law that makes it a duty."""
    made = kinds.add(
        code=body["code"],
        name=body["name"],
        basis=Basis(body["basis"]),
        duty=body["duty"],
        review_months=body["review_months"],
        acting_user=g.staff.actor,
    )
    return versioned(_group(made), 201, Location=url_for("focus.focus_groups"))


@blp.route("/focus-groups/<code>", methods=["PATCH"])
@requires(Allow.FOCUS_GROUPS)
@writes
@blp.arguments(s.FocusGroupChange)
@blp.response(200, s.FocusGroupOut)
def change_focus_group(body: dict[str, Any], code: str) -> Versioned:
    """Rename a group, change its law or how often its people are looked at again, or end it. Its ground stays."""
    done = kinds.change(code, version=wanted_version(), changes=body, acting_user=g.staff.actor)
    return versioned(_group(done))


# --- who is in them --------------------------------------------------------------------------------------


def _tag(tag: FocusTag, names: dict[UUID, str]) -> dict[str, Any]:
    return {
        "kind": tag.kind,
        "basis": tag.basis,
        "paper": tag.paper,
        "consented_on": tag.consented_on,
        "consent_by": tag.consent_by,
        "since": tag.valid_from,
        "until": tag.valid_to,
        "review_on": tag.review_on,
        "set_by": names.get(tag.set_by),
        "set_at": tag.set_at,
        "end_reason": tag.end_reason,
    }


def _person(view: PersonView, names: dict[UUID, str]) -> dict[str, Any]:
    person, house = view.person, view.place.house
    return {
        "person_id": Ref(person.community_id, person.id),
        "house_id": Ref(house.community_id, house.id),
        "estate_id": Ref(house.community_id, house.estate_id),
        "building": view.place.building,
        "unit": view.place.unit,
        "number": house.number,
        "is_owner": person.owner_id is not None,
        "name_masked": identity.masked_name(view.name, OwnerKind.PERSON),
        "phone_masked": identity.masked_phone(view.phone) if view.phone else None,
        "tags": [_tag(tag, names) for tag in view.tags],
        "to_check": [doubt.value for doubt in view.doubts],
        "version": person.version,
    }


def _one(view: PersonView) -> dict[str, Any]:
    return _person(view, people.staff_names([tag.set_by for tag in view.tags]))


@blp.route("/focus-persons", methods=["GET"])
@requires(Allow.FOCUS_READ)
@witnessed
@blp.arguments(s.FocusQuery, location="query")
@blp.response(200, s.FocusPersonList)
def focus_persons(args: dict[str, Any]) -> dict[str, Any]:
    """Who in my area is in a focus group, for a stated purpose; masked, and each person shown is in the audit log."""
    after = read_cursor(args["cursor"], int, UUID)
    limit = args["limit"]
    found = service.look(
        kind=args["kind"],
        area=Area(*args["area"]) if args["area"] else None,
        purpose=Purpose(args["purpose"]),
        limit=limit,
        after=Ref(*after) if after else None,
        acting_user=g.staff,
    )
    page = found[:limit]
    names = people.staff_names([tag.set_by for view in page for tag in view.tags])
    last = page[-1].person if len(found) > limit else None
    return {
        "items": [_person(view, names) for view in page],
        "next_cursor": write_cursor(last.community_id, last.id) if last is not None else None,
    }


@blp.route("/focus-persons", methods=["POST"])
@requires(Allow.FOCUS_EDIT)
@writes
@blp.arguments(s.FocusPersonIn)
@blp.response(201, s.FocusPersonOut)
def tag_person(body: dict[str, Any]) -> Versioned:
    """List an owner or a dweller of a house in a group: by her consent, or by the group's law."""
    house, owner, consent = body["house_id"], body["owner_id"], body["consent"]
    if owner is not None and owner.community_id != house.community_id:
        raise NotFound
    dweller = None
    if owner is None:
        dweller = registry.party(name=body["name"], phone=body["phone"], id_number=body["id_number"])
    view = service.tag(
        house=house,
        kind=body["kind"],
        owner=owner.id if owner is not None else None,
        dweller=dweller,
        consent=Consent(consent["paper"], consent["given_on"], ConsentBy(consent["by"])) if consent else None,
        paper=body["paper"],
        since=body["since"],
        until=body["until"],
        review_on=body["review_on"],
        acting_user=g.staff,
    )
    ref = Ref(view.person.community_id, view.person.id)
    return versioned(_one(view), 201, Location=url_for("focus.focus_person", ref=ref))


@blp.route("/focus-persons/<ref(foc):ref>", methods=["GET"])
@requires(Allow.FOCUS_READ)
@witnessed
@blp.arguments(s.FocusOneQuery, location="query")
@blp.response(200, s.FocusPersonDetail)
def focus_person(args: dict[str, Any], ref: Ref) -> Versioned:
    """One person with name and phone, for a stated purpose; audited."""
    view, past = service.look_at(ref, purpose=Purpose(args["purpose"]), acting_user=g.staff)
    names = people.staff_names([tag.set_by for tag in [*view.tags, *past]])
    return versioned(
        _person(view, names)
        | {
            "name": view.name,
            "phone": view.phone,
            "id_number_masked": identity.masked_id(view.id_number) if view.id_number else None,
            "past": [_tag(tag, names) for tag in past],
        }
    )


@blp.route("/focus-persons/<ref(foc):ref>", methods=["PATCH"])
@requires(Allow.FOCUS_EDIT)
@writes
@blp.arguments(s.FocusPersonChange)
@blp.response(200, s.FocusPersonOut)
def change_focus_person(body: dict[str, Any], ref: Ref) -> Versioned:
    """Correct a dweller's name or numbers, or the last day and the next review of one of her groups."""
    return versioned(_one(service.change(ref, version=wanted_version(), changes=body, acting_user=g.staff)))


@blp.route("/focus-persons/<ref(foc):ref>/end", methods=["POST"])
@requires(Allow.FOCUS_EDIT)
@writes
@blp.arguments(s.FocusEndIn)
@blp.response(200, s.FocusEndOut)
def end_focus(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """She is no longer in a group. What rested on a withdrawn consent, or was a mistake, is erased at once."""
    done = service.end(ref, kind=body["kind"], reason=EndReason(body["reason"]), acting_user=g.staff)
    return done._asdict()


# --- numbers ---------------------------------------------------------------------------------------------


@blp.route("/focus-counts", methods=["GET"])
@requires(Allow.FOCUS_COUNT, Allow.FOCUS_READ)
@witnessed
@blp.arguments(s.FocusCountQuery, location="query")
@blp.response(200, s.FocusCounts)
def focus_counts(args: dict[str, Any]) -> dict[str, Any]:
    """How many are in a group. By grid with small numbers hidden; exact and by building for a purpose, audited."""
    by_building = args["by"] == "building"
    found = service.count(
        kind=args["kind"],
        area=Area(*args["area"]) if args["area"] else None,
        by_building=by_building,
        purpose=Purpose(args["purpose"]) if args["purpose"] else None,
        acting_user=g.staff,
    )
    return {
        "kind": args["kind"],
        "is_exact": found.is_exact,
        "items": [
            {
                "community_id": UUID(int=community),
                "grid_id": None if by_building else place,
                "building_id": place if by_building else None,
                "count": n,
            }
            for (community, place), n in found.cells.items()
        ],
        "totals": [{"community_id": UUID(int=c), "count": n} for c, n in found.communities.items()],
    }
