"""Pages of the places: estates with buildings and outlines, grids, the tree of regions, organisations and what they
answer for.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g

from app import ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.places import regions, tree
from app.places.models import OrgKind, RegionKind
from app.tickets import queries as tickets
from bff.admin import place_edits as face
from bff.admin import region_edits
from bff.admin.auth import requires
from bff.admin.console.face import blp, fragment, is_fragment, page
from bff.admin.console.plans import Outline, draw
from bff.admin.console.system_frame import Choice, region_choices, sheet, wire_region
from bff.admin.console.system_words import ORG_KINDS, REGION_KINDS
from bff.admin.places import my_estates, my_orgs
from bff.http import reads

KEEPERS = (Allow.PLACE_EDIT,)


def _mine() -> frozenset[int]:
    return g.staff.communities_with(Allow.PLACE_EDIT)


def _names() -> dict[str, str]:
    """Regions by their wire id."""
    return {wire_region(region): name for region, name in places.region_names().items()}


# --- estates -----------------------------------------------------------------------------------------------


@blp.route("/areas", methods=["GET"])
@requires(*KEEPERS)
@reads
def area_list() -> str:
    """The estates of my communities."""
    found = places.estates(places.governed_estates(_mine()))
    names = places.region_names()
    rows = [
        {
            "estate_id": ids.encode(Kind.ESTATE, ref),
            "name": estate.name,
            "address": estate.address,
            "community": names.get(places.governing(ref), ""),
            "drawn": estate.outline is not None,
        }
        for ref, estate in found.items()
    ]
    values = {"rows": sorted(rows, key=lambda row: (str(row["community"]), str(row["name"])))}
    if is_fragment():
        return fragment("system/_areas_list.html", **values)
    return page("system/areas.html", here="areas", tab="areas", communities=region_choices(_mine()), **values)


@sheet("/areas/<ref(est):ref>", *KEEPERS, here="areas", part="_area.html")
def area_one(ref: Ref) -> dict[str, Any]:
    """An estate with its buildings and its outlines drawn."""
    estate = _governed(ref)
    shown = face.AreaDetail().dump(face.area_out(estate))
    buildings = face.BuildingDetail(many=True).dump(map(face.building_out, places.buildings_of(ref)))
    outlines = [Outline("estate", estate.name, estate.outline)] if estate.outline else []
    outlines += [Outline("building", one["name"], one["outline"]) for one in buildings if one["outline"]]
    return {
        "title": estate.name,
        "estate": shown,
        "buildings": buildings,
        "undrawn": [one["name"] for one in buildings if not one["outline"]],
        "plan": draw(outlines),
        "names": _names(),
        "communities": region_choices(_mine()),
        "today": places.today().isoformat(),
    }


def _governed(ref: Ref) -> Any:
    if ref not in my_estates():
        raise NotFound
    return places.governed_estate(_mine(), ref)


@blp.route("/areas/<ref(est):ref>/now", methods=["GET"])
@requires(*KEEPERS)
@reads
def area_now(ref: Ref) -> str:
    """How the estate stands now: for whom somebody was faster."""
    shown = face.AreaDetail().dump(face.area_out(_governed(ref)))
    return fragment("system/_area_now.html", one=shown, more=shown["address"])


# --- grids -------------------------------------------------------------------------------------------------


def _estates() -> dict[str, str]:
    found = places.estates(places.governed_estates(_mine()))
    return {ids.encode(Kind.ESTATE, ref): estate.name for ref, estate in found.items()}


@blp.route("/grids", methods=["GET"])
@requires(*KEEPERS)
@reads
def grid_list() -> str:
    """The grids of my communities with what they cover."""
    regions_by_id = places.region_names()
    rows = [
        {
            **face.GridDetail().dump(face.grid_out(grid)),
            "community": regions_by_id.get(grid.community_id, ""),
        }
        for grid in places.grids_in(_mine())
    ]
    values = {"rows": rows, "estates": _estates()}
    if is_fragment():
        return fragment("system/_grids_list.html", **values)
    return page("system/grids.html", here="areas", tab="grids", communities=region_choices(_mine()), **values)


@sheet("/grids/<ref(grd):ref>", *KEEPERS, here="areas", part="_grid.html")
def grid_one(ref: Ref) -> dict[str, Any]:
    """A grid with what it covers and could cover."""
    grid = tree.grid_for(_mine(), ref)
    shown = face.GridDetail().dump(face.grid_out(grid))
    covered = {(one["estate_id"], one["building_id"]) for one in shown["covers"]}
    offered = []
    for estate_ref, estate in places.estates(places.governed_estates([ref.community_id])).items():
        if estate_ref.community_id != ref.community_id:
            continue  # a grid lies with what it covers
        wire = ids.encode(Kind.ESTATE, estate_ref)
        lines = [{"value": {"estate_id": wire}, "name": "", "on": (wire, None) in covered}]
        for building in places.buildings_of(estate_ref):
            inner = ids.encode(Kind.BUILDING, Ref(building.community_id, building.id))
            value = {"estate_id": wire, "building_id": inner}
            lines.append({"value": value, "name": building.name, "on": (wire, inner) in covered})
        offered.append({"name": estate.name, "lines": lines})
    outline = [Outline("estate", grid.name, grid.outline)] if grid.outline else []
    return {
        "title": grid.name,
        "grid": shown,
        "offered": offered,
        "plan": draw(outline),
        "today": places.today().isoformat(),
    }


@blp.route("/grids/<ref(grd):ref>/now", methods=["GET"])
@requires(*KEEPERS)
@reads
def grid_now(ref: Ref) -> str:
    """How the grid stands now."""
    shown = face.GridDetail().dump(face.grid_out(tree.grid_for(_mine(), ref)))
    return fragment("system/_area_now.html", one=shown, more=shown["code"])


# --- regions -----------------------------------------------------------------------------------------------


@blp.route("/regions", methods=["GET"])
@requires(*KEEPERS)
@reads
def region_list() -> str:
    """City, districts, streets and communities as they lie in one another today."""
    placed = regions.tree_on(places.today())
    rows = region_edits.RegionOut(many=True).dump(region_edits.region_out(*one) for one in placed)
    below: dict[str | None, list[dict[str, Any]]] = {}
    for row in rows:
        below.setdefault(row["parent_id"], []).append(row)
    ordered: list[dict[str, Any]] = []

    def walk(parent: str | None, depth: int) -> None:
        for row in sorted(below.get(parent, []), key=lambda one: str(one["name"])):
            ordered.append(row | {"depth": depth, "kind_name": REGION_KINDS[RegionKind(row["kind"])]})
            walk(row["region_id"], depth + 1)

    walk(None, 0)
    values = {
        "rows": ordered,
        "may_edit": g.staff.may(Allow.REGION_EDIT),
        "parents": [
            Choice(row["region_id"], row["name"], row["depth"])
            for row in ordered
            if row["kind"] != "community"
        ],
    }
    if is_fragment():
        return fragment("system/_regions_list.html", **values)
    kinds = [Choice(kind.value, name) for kind, name in REGION_KINDS.items()]
    today = places.today().isoformat()
    return page("system/regions.html", here="areas", tab="regions", kinds=kinds, today=today, **values)


# --- organisations -----------------------------------------------------------------------------------------


@blp.route("/orgs", methods=["GET"])
@requires(*KEEPERS)
@reads
def org_list() -> str:
    """The organisations seated in my communities, and those that work there; switched-off ones as well."""
    names = places.region_names()
    mine = my_orgs()
    rows = [
        {
            "org_id": ids.encode(Kind.ORG, org.id),
            "name": org.name,
            "kind": ORG_KINDS[OrgKind(org.kind)],
            "region": names.get(org.region_id, ""),
            "phone": org.phone,
            "is_active": org.is_active,
        }
        for org in tree.orgs_for(_mine(), mine)
    ]
    values = {"rows": rows}
    if is_fragment():
        return fragment("system/_orgs_list.html", **values)
    return page("system/orgs.html", here="orgs", kinds=_org_kinds(), seats=region_choices(_mine()), **values)


def _org_kinds() -> list[Choice]:
    return [Choice(kind.value, name) for kind, name in ORG_KINDS.items()]


@sheet("/orgs/<ref(org):org_id>", *KEEPERS, here="orgs", part="_org.html")
def org_one(org_id: UUID) -> dict[str, Any]:
    """An organisation with what it answers for in my communities."""
    shown = face.OrgDetail().dump(face.org_out(_org(org_id)))
    groups, inside = tickets.categories_by_group()
    return {
        "title": shown["name"],
        "org": shown,
        "kind": ORG_KINDS[OrgKind(shown["kind"])],
        "names": _names(),
        "estates": _estates(),
        "communities": region_choices(_mine()),
        "by_community": _by_community(),
        "may_edit": _is_seated(org_id),
        "classes": [
            (group.name, [Choice(one.code, one.name) for one in inside.get(group.code, [])])
            for group in groups
        ],
        "class_names": {term.code: term.name for term in tickets.classes_on(places.today())},
        "today": places.today().isoformat(),
    }


def _by_community() -> list[tuple[str, list[Choice]]]:
    """The estates by the community whose rows they are."""
    names = places.region_names()
    groups: dict[str, list[Choice]] = {}
    for ref, estate in places.estates(places.governed_estates(_mine())).items():
        line = Choice(ids.encode(Kind.ESTATE, ref), estate.name)
        groups.setdefault(names.get(ref.community_id, ""), []).append(line)
    return sorted(groups.items())


def _org(org_id: UUID) -> Any:
    return places.org(org_id) if org_id in my_orgs() else tree.org_for(_mine(), org_id)


def _is_seated(org_id: UUID) -> bool:
    try:
        tree.org_for(_mine(), org_id)
    except NotFound:
        return False
    return True


@blp.route("/orgs/<ref(org):org_id>/now", methods=["GET"])
@requires(*KEEPERS)
@reads
def org_now(org_id: UUID) -> str:
    """How the organisation stands now."""
    shown = face.OrgDetail().dump(face.org_out(_org(org_id)))
    return fragment("system/_area_now.html", one=shown, more=shown["phone"])
