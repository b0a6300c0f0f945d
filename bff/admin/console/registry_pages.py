"""Pages of the registry: estates, buildings, units and houses; one house; one owner; who is perhaps the same person."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import marshmallow as ma
from flask import g, request

from app import ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import queries as places
from app.places import rooms
from bff.admin import membership_schemas, memberships, registry
from bff.admin import registry_schemas as s
from bff.admin.auth import requires
from bff.admin.console import areas
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.registry_words import WORDS
from bff.http import reads
from bff.schemas import PageQuery, Text, WireId

PAGE_SIZE = 50
CO_OWNERS = 4  # rows of the form; more come by a register


class RegistryQuery(PageQuery):
    """The address of the list: a place of the tree, and what is looked for in it."""

    estate_id = WireId(Kind.ESTATE, load_default=None)
    building = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 40))
    unit = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 40))
    room = ma.fields.String(load_default=None, validate=ma.validate.Length(1, 40))
    kind = ma.fields.String(load_default=None, validate=ma.validate.OneOf(s.KINDS))
    owner = Text(most=60, load_default=None)


def estates_of(permission: Allow) -> list[tuple[str, str]]:
    """(wire id, name) of the estates in which she has this permission."""
    found = places.estates(registry_reach(g.staff, permission))
    return sorted(
        ((ids.encode(Kind.ESTATE, ref), estate.name) for ref, estate in found.items()), key=lambda x: x[1]
    )


def chosen_estate(asked: Ref | None, mine: list[tuple[str, str]]) -> str | None:
    """The estate that the address names, else that of the area switcher, else the only one; None: she has to choose.

    Raises NotFound for one that isn't hers.
    """
    if asked is not None:
        wire = ids.encode(Kind.ESTATE, asked)
        if all(wire != one for one, _ in mine):
            raise NotFound
        return wire
    area = areas.chosen(areas.mine())
    if area is not None and any(area.value == one for one, _ in mine):
        return area.value
    return mine[0][0] if len(mine) == 1 else None


def _search(asked: dict[str, Any]) -> dict[str, Any]:
    """As the JSON face asks: a room in any spelling, and whether an owner is a phone, a name or a surname."""
    room = rooms.split(asked["room"]) if asked["room"] else None
    owner: str | None = asked["owner"]
    by = "phone" if owner and owner[-1].isdigit() else "surname" if owner and len(owner) == 1 else "name"
    return s.HouseQuery().load({}) | {
        "limit": PAGE_SIZE,
        "cursor": asked["cursor"],
        "building": (room.building if room else "") or asked["building"],
        "unit": (room.unit if room else "") or asked["unit"],
        "room": room.number if room else None,
        "kind": asked["kind"],
        by: owner,
    }


@blp.route("/registry", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
def registry_list() -> str:
    """Houses of an estate, a building or a unit, or those that a search finds there."""
    asked = query(RegistryQuery)
    mine = estates_of(Allow.REGISTRY_VIEW)
    estate = chosen_estate(asked["estate_id"], mine)
    ref = ids.decode_ref(Kind.ESTATE, estate) if estate else None
    given = {name: value for name, value in request.args.items() if value.strip() and name != "cursor"}
    place = {name: given[name] for name in ("building", "unit") if name in given}
    values: dict[str, Any] = {
        **WORDS,
        "estates": mine,
        "estate": estate,
        "estate_name": dict(mine).get(estate or "", ""),
        "given": given,
        "asked": asked,
        "list": s.HouseList().dump(registry.houses_listed(_search(asked), ref)) if ref else None,
        "tree": s.HouseTree().dump(registry.tree_of(ref))["items"] if ref else [],
        "place": place,
        "at": at,
    }
    if ref is not None and values["list"]["next_cursor"]:
        values["next_address"] = at(**given | {"estate_id": estate, "cursor": values["list"]["next_cursor"]})
    if is_fragment():
        return fragment("registry/_houses.html", **values)
    return page(
        "registry/list.html",
        here="registry",
        may_import=g.staff.may(Allow.REGISTRY_IMPORT),
        may_edit=estate is not None and ref in registry_reach(g.staff, Allow.REGISTRY_EDIT),
        **values,
    )


def at(**given: Any) -> str:
    """The address of a place of the tree."""
    asked = {name: value for name, value in given.items() if value}
    return f"/admin/registry?{urlencode(asked)}" if asked else "/admin/registry"


@blp.route("/registry/<ref(est):ref>/tree", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
def registry_branch(ref: Ref) -> str:
    """The buildings of an estate with their units: read when its branch is opened."""
    found = s.HouseTree().dump(registry.tree_of(ref))["items"]
    return fragment(
        "registry/_branch.html", tree=found, estate=ids.encode(Kind.ESTATE, ref), place={}, at=at, **WORDS
    )


# --- one house ---------------------------------------------------------------------------------------------


def _may(ref: Ref, permission: Allow) -> bool:
    return ref in registry_reach(g.staff, permission)


def _house(ref: Ref) -> dict[str, Any]:
    shown = s.HouseDetail().dump(registry.detail(ref))
    estate = ids.decode_ref(Kind.ESTATE, shown["estate_id"])
    members = None
    if _may(estate, Allow.MEMBERSHIPS_READ):
        asked = membership_schemas.MembershipQuery().load({"house_id": shown["house_id"], "limit": 50})
        members = membership_schemas.MembershipList().dump(memberships.found(asked))["items"]
    words = "".join([shown["building"], shown["unit"], shown["number"]])
    return {
        **WORDS,
        "house": shown,
        "words": words,
        "estate_name": places.estate(estate).name,
        "members": members,
        "may_edit": _may(estate, Allow.REGISTRY_EDIT),
        "may_unmask": _may(estate, Allow.REGISTRY_UNMASK),
        "may_review": _may(estate, Allow.MEMBERSHIPS_REVIEW),
        "tickets": f"/admin/tickets?{urlencode({'q': words, 'area': shown['estate_id']})}"
        if g.staff.may(Allow.TICKET_VIEW)
        else None,
        "co_owners": range(CO_OWNERS),
        "today": places.today().isoformat(),
    }


@blp.route("/houses/<ref(hou):ref>", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
def house_page(ref: Ref) -> str:
    """A house on a page of its own."""
    return page("registry/house.html", here="registry", **_house(ref))


@blp.route("/houses/<ref(hou):ref>/detail", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
def house_detail(ref: Ref) -> str:
    """The same without the frame, for the drawer."""
    return fragment("registry/_house.html", **_house(ref))


@blp.route("/houses/<ref(hou):ref>/now", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
def house_now(ref: Ref) -> str:
    """How the register stands now, in a few lines: for whom somebody was faster."""
    return fragment("registry/_house_now.html", **_house(ref))


# --- owners ------------------------------------------------------------------------------------------------


def _owner(ref: Ref) -> dict[str, Any]:
    shown = s.OwnerDetail().dump(registry.owner_detail(ref))
    homes = {ids.decode_ref(Kind.ESTATE, one["estate_id"]) for one in shown["houses"]}
    names = places.estates(homes)
    return {
        **WORDS,
        "owner": shown,
        "estate_names": {ids.encode(Kind.ESTATE, home): estate.name for home, estate in names.items()},
        "may_edit": any(_may(home, Allow.REGISTRY_EDIT) for home in homes),
        "may_unmask": any(_may(home, Allow.REGISTRY_UNMASK) for home in homes),
    }


@blp.route("/owners/<ref(own):ref>", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
def owner_page(ref: Ref) -> str:
    """An owner on a page of her own."""
    return page("registry/owner.html", here="registry", **_owner(ref))


@blp.route("/owners/<ref(own):ref>/detail", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
def owner_part(ref: Ref) -> str:
    """The same without the frame, for the drawer."""
    return fragment("registry/_owner.html", **_owner(ref))


@blp.route("/owners/<ref(own):ref>/now", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
def owner_now(ref: Ref) -> str:
    """How the register stands now, in a few lines."""
    return fragment("registry/_owner_now.html", **_owner(ref))


@blp.route("/registry/same", methods=["GET"])
@requires(Allow.REGISTRY_EDIT)
@reads
def owners_alike() -> str:
    """Owners of one name who are perhaps one person, to be joined or left as they are."""
    asked = query(PageQuery)
    found = s.OwnerList().dump(registry.owners_listed(s.OwnerQuery().load({"uncertain": True}) | asked))
    groups: dict[frozenset[str], list[dict[str, Any]]] = {}
    for one in found["items"]:
        groups.setdefault(frozenset([one["owner_id"], *one["maybe_same_as"]]), []).append(one)
    return page(
        "registry/same.html",
        here="registry",
        groups=list(groups.values()),
        next_cursor=found["next_cursor"],
        **WORDS,
    )
