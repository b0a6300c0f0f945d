"""The registry by hand: houses, owners, transfers, who is whom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import g, url_for

from app.errors import NotFound
from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import identity, registry
from app.places import registry_queries as reading
from app.places.registry_models import HoldingState, HouseKind, Owner, Source
from app.places.registry_queries import HouseSearch, HouseView, Origin, OwnerView
from bff.admin import registry_schemas as s
from bff.admin.auth import requires
from bff.http import Versioned, read_cursor, reads, versioned, wanted_version, write_cursor, writes
from bff.schemas import Blueprint

blp = Blueprint("registry", __name__, url_prefix="/admin/api/v1", description="Houses and owners")

_AREAS = {
    "registered_area_centi": "registered_centi",
    "surveyed_area_centi": "surveyed_centi",
    "contract_area_centi": "contract_centi",
}


def _reach(permission: Allow = Allow.REGISTRY_VIEW) -> frozenset[Ref]:
    return registry_reach(g.staff, permission)


def owner_out(owner: Owner, *, voter: UUID | None, whole: bool) -> dict[str, Any]:
    """An owner, masked. `whole`: the one who asks might unmask her; others don't even see that there is a number."""
    name = identity.unseal(owner.name_sealed, "name", owner.id) or ""
    phone = identity.unseal(owner.phone_sealed, "phone", owner.id)
    phone2 = identity.unseal(owner.phone2_sealed, "phone2", owner.id)
    number = identity.unseal(owner.id_sealed, "id_number", owner.id) if whole else None
    return {
        "owner_id": Ref(owner.community_id, owner.id),
        "kind": owner.kind,
        "name_masked": identity.masked_name(name, owner.kind),
        "phone_masked": identity.masked_phone(phone) if phone else None,
        "phone2_masked": identity.masked_phone(phone2) if phone2 else None,
        "id_number_masked": identity.masked_id(number) if number else None,
        "is_voter": owner.id == voter,
    }


def house_out(view: HouseView, *, whole: bool) -> dict[str, Any]:
    """A house with its owners of today."""
    house, holding = view.house, view.holding
    voter = holding.voter_id if holding else None
    return {
        "house_id": Ref(house.community_id, house.id),
        "estate_id": Ref(house.community_id, house.estate_id),
        "building": view.building,
        "unit": view.unit,
        "number": house.number,
        "kind": house.kind,
        **{shown: getattr(house, column) for shown, column in _AREAS.items()},
        "area_centi": house.area_centi,
        "area_basis": house.area_basis,
        "state": holding.state if holding else None,
        "held_since": holding.valid_from if holding else None,
        "owners": [owner_out(owner, voter=voter, whole=whole) for owner in view.owners],
        "valid_to": house.valid_to,
        "version": house.version,
    }


def detail(ref: Ref) -> dict[str, Any]:
    """A house with its owners, its history and the origin of its fields. Raises NotFound."""
    house = reading.house_for(_reach(), ref)
    whole = Ref(house.community_id, house.estate_id) in _reach(Allow.REGISTRY_UNMASK)
    return house_out(reading.view_of(house), whole=whole) | {
        "outline": house.outline,
        "history": [
            {
                "since": past.holding.valid_from,
                "until": past.holding.valid_to,
                "state": past.holding.state,
                "reason": past.holding.reason,
                "owners": [owner_out(o, voter=past.holding.voter_id, whole=whole) for o in past.owners],
            }
            for past in reading.history(house)
        ],
        "origins": _origins(reading.origins(house.community_id, house.id)),
    }


def _origins(origins: dict[str, Origin]) -> dict[str, Any]:
    names = people.staff_names([o.by for o in origins.values()])
    return {
        field: {
            "source": origin.source,
            "at": origin.at,
            "by": names.get(origin.by) if origin.by else None,
            "import_id": origin.import_ref,
            "file_sha256": origin.file_sha256.hex() if origin.file_sha256 else None,
            "sheet": origin.sheet,
            "row": origin.row,
        }
        for field, origin in origins.items()
    }


def _search(args: dict[str, Any]) -> HouseSearch:
    given = {name: args[name] for name in HouseSearch._fields if args.get(name)}
    if "phone" in given:
        given["phone"] = registry.spelled("phone", given["phone"])
    if "name" in given:
        given["name"] = registry.spelled("name", given["name"])
    return HouseSearch(**given)


# --- houses ----------------------------------------------------------------------------------------------


@blp.route("/estates/<ref(est):ref>/houses", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
@blp.arguments(s.HouseQuery, location="query")
@blp.response(200, s.HouseList)
def houses(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Houses of an estate. Owners are found by phone, exact name, or surname and room; never by a part of a name."""
    return houses_listed(args, ref)


def houses_listed(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """The rows of an estate's houses, for this face and its pages. Raises NotFound."""
    if ref not in _reach():
        raise NotFound
    after = read_cursor(args["cursor"], str, UUID)
    limit = args["limit"]
    views = reading.houses_in(
        ref, _search(args), limit=limit + 1, after=(after[0], after[1]) if after else None
    )
    page = views[:limit]
    whole = ref in _reach(Allow.REGISTRY_UNMASK)
    more = len(views) > limit
    return {
        "items": [house_out(view, whole=whole) for view in page],
        "next_cursor": write_cursor(page[-1].house.key, page[-1].house.id) if more else None,
    }


@blp.route("/estates/<ref(est):ref>/houses/tree", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
@blp.response(200, s.HouseTree)
def house_tree(ref: Ref) -> dict[str, Any]:
    """The buildings and units of an estate, with how many houses each has."""
    return tree_of(ref)


def tree_of(ref: Ref) -> dict[str, Any]:
    """The buildings of an estate with their units, for this face and its pages. Raises NotFound."""
    if ref not in _reach():
        raise NotFound
    items: list[dict[str, Any]] = []
    for building, unit, houses in reading.staircases(ref):
        if not items or items[-1]["building"] != building:
            items.append({"building": building, "houses": 0, "units": []})
        items[-1]["houses"] += houses
        items[-1]["units"].append({"unit": unit, "houses": houses})
    return {"items": items, "next_cursor": None}


@blp.route("/estates/<ref(est):ref>/houses", methods=["POST"])
@requires(Allow.REGISTRY_EDIT)
@writes
@blp.arguments(s.HouseIn)
@blp.response(201, s.HouseDetail)
def add_house(body: dict[str, Any], ref: Ref) -> Versioned:
    """Add a house, with its owners when they are known."""
    if ref not in _reach(Allow.REGISTRY_EDIT):
        raise NotFound
    house = registry.add_house(
        estate=ref,
        building=body["building"],
        unit=body["unit"],
        number=body["number"],
        kind=HouseKind(body["kind"]),
        **{column: body[shown] for shown, column in _AREAS.items()},
        owners=_parties(body["owners"]),
        state=HoldingState(body["state"]),
        since=body["since"],
        source=Source(body["source"]),
        acting_user=g.staff.actor,
    )
    made = Ref(house.community_id, house.id)
    return versioned(detail(made), 201, Location=url_for("registry.house", ref=made))


def _parties(given: Iterable[dict[str, Any]]) -> list[identity.Party]:
    return [registry.party(**party) for party in given]


@blp.route("/houses/<ref(hou):ref>", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
@blp.response(200, s.HouseDetail)
def house(ref: Ref) -> Versioned:
    """A house with its owners, its history, and where each field came from."""
    return versioned(detail(ref))


@blp.route("/houses/<ref(hou):ref>", methods=["PATCH"])
@requires(Allow.REGISTRY_EDIT)
@writes
@blp.arguments(s.HouseChange)
@blp.response(200, s.HouseDetail)
def change_house(body: dict[str, Any], ref: Ref) -> Versioned:
    """Correct kind, areas or outline, or end the house. A value set here is overwritten only by better sources."""
    changes = {_AREAS.get(name, name): value for name, value in body.items() if name != "source"}
    registry.change_house(
        _reach(Allow.REGISTRY_EDIT),
        ref,
        version=wanted_version(),
        changes=changes,
        source=Source(body["source"]),
        acting_user=g.staff.actor,
    )
    return versioned(detail(ref))


@blp.route("/houses/<ref(hou):ref>/transfer", methods=["POST"])
@requires(Allow.REGISTRY_EDIT)
@writes
@blp.arguments(s.TransferIn)
@blp.response(200, s.HouseDetail)
def transfer(body: dict[str, Any], ref: Ref) -> Versioned:
    """From a day on the house has other owners; or correct who owned it all along."""
    registry.transfer(
        _reach(Allow.REGISTRY_EDIT),
        ref,
        owners=_parties(body["owners"]),
        since=body["since"],
        state=HoldingState(body["state"]),
        correction=body["correction"],
        source=Source(body["source"]),
        acting_user=g.staff.actor,
    )
    return versioned(detail(ref))


@blp.route("/houses/<ref(hou):ref>/voter", methods=["POST"])
@requires(Allow.REGISTRY_EDIT)
@writes
@blp.arguments(s.VoterIn)
@blp.response(200, s.HouseDetail)
def register_voter(body: dict[str, Any], ref: Ref) -> Versioned:
    """The one of the co-owners who votes, as they signed on paper; for all houses that the same owners hold."""
    owner_id: Ref = body["owner_id"]
    if owner_id.community_id != ref.community_id:
        raise NotFound
    registry.register_voter(_reach(Allow.REGISTRY_EDIT), ref, owner_id=owner_id.id, acting_user=g.staff.actor)
    return versioned(detail(ref))


# --- owners ----------------------------------------------------------------------------------------------


def _owner(view: OwnerView, maybe: Iterable[Owner] = ()) -> dict[str, Any]:
    owner = view.owner
    estates = {Ref(h.house.community_id, h.house.estate_id) for h in view.houses}
    whole = bool(estates & _reach(Allow.REGISTRY_UNMASK)) or (
        not estates and g.staff.may(Allow.REGISTRY_UNMASK)
    )
    shown = owner_out(owner, voter=None, whole=whole)
    del shown["is_voter"]
    return shown | {
        "same_as": Ref(owner.community_id, owner.same_as) if owner.same_as else None,
        "merged": [Ref(other.community_id, other.id) for other in view.merged if other.same_as is not None],
        "houses": [
            {
                "house_id": Ref(h.house.community_id, h.house.id),
                "estate_id": Ref(h.house.community_id, h.house.estate_id),
                "building": h.building,
                "unit": h.unit,
                "number": h.house.number,
                "kind": h.house.kind,
                "area_centi": h.house.area_centi,
            }
            for h in view.houses
        ],
        "maybe_same_as": [Ref(other.community_id, other.id) for other in maybe if other.id != owner.id],
        "version": owner.version,
    }


@blp.route("/owners", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
@blp.arguments(s.OwnerQuery, location="query")
@blp.response(200, s.OwnerList)
def owners(args: dict[str, Any]) -> dict[str, Any]:
    """Owners by phone or exact name; or, with `uncertain`, those of one name that are perhaps the same person."""
    return owners_listed(args)


def owners_listed(args: dict[str, Any]) -> dict[str, Any]:
    """The rows of owners, for this face and its pages."""
    reach = _reach()
    if args["uncertain"]:
        return _uncertain(reach, args)
    phone = registry.spelled("phone", args["phone"]) if args["phone"] else None
    name = registry.spelled("name", args["name"]) if args["name"] else None
    found = reading.owners_found(reach, phone=phone, name=name) if phone or name else []
    return {"items": [_owner(reading.owner_view(reach, o)) for o in found], "next_cursor": None}


def _uncertain(reach: frozenset[Ref], args: dict[str, Any]) -> dict[str, Any]:
    after = read_cursor(args["cursor"], int, bytes.fromhex)
    groups = reading.uncertain(reach, limit=args["limit"] + 1, after=(after[0], after[1]) if after else None)
    page = groups[: args["limit"]]
    more = len(groups) > len(page)
    return {
        "items": [_owner(reading.owner_view(reach, owner), group) for _, _, group in page for owner in group],
        "next_cursor": write_cursor(page[-1][0], page[-1][1].hex()) if more else None,
    }


def owner_detail(ref: Ref) -> dict[str, Any]:
    """An owner with her houses in my reach. Raises NotFound."""
    reach = _reach()
    found = reading.owner_for(reach, ref)
    origins = _origins(reading.origins(found.community_id, found.id))
    return _owner(reading.owner_view(reach, found)) | {"origins": origins}


@blp.route("/owners/<ref(own):ref>", methods=["GET"])
@requires(Allow.REGISTRY_VIEW)
@reads
@blp.response(200, s.OwnerDetail)
def owner(ref: Ref) -> Versioned:
    """An owner with her houses in my reach."""
    return versioned(owner_detail(ref))


@blp.route("/owners/<ref(own):ref>", methods=["PATCH"])
@requires(Allow.REGISTRY_EDIT)
@writes
@blp.arguments(s.OwnerChange)
@blp.response(200, s.OwnerDetail)
def change_owner(body: dict[str, Any], ref: Ref) -> Versioned:
    """Correct an owner's name, phones or ID number."""
    registry.change_owner(
        _reach(Allow.REGISTRY_EDIT),
        ref,
        version=wanted_version(),
        changes={name: value for name, value in body.items() if name != "source"},
        source=Source(body["source"]),
        acting_user=g.staff.actor,
    )
    return versioned(owner_detail(ref))


@blp.route("/owners/<ref(own):ref>/merge", methods=["POST"])
@requires(Allow.REGISTRY_EDIT)
@writes
@blp.arguments(s.MergeOwnersIn)
@blp.response(200, s.OwnerDetail)
def merge_owners(body: dict[str, Any], ref: Ref) -> Versioned:
    """Two rows are one person: one head from now on. The answer is the one that stands for both."""
    into: Ref = body["into"]
    if into.community_id != ref.community_id:
        raise NotFound
    kept = registry.merge(_reach(Allow.REGISTRY_EDIT), ref, into=into.id, acting_user=g.staff.actor)
    return versioned(owner_detail(Ref(kept.community_id, kept.id)))


@blp.route("/owners/<ref(own):ref>/split", methods=["POST"])
@requires(Allow.REGISTRY_EDIT)
@writes
@blp.arguments(s.SplitIn)
@blp.response(200, s.OwnerDetail)
def split_owner(body: dict[str, Any], ref: Ref) -> Versioned:
    """Undo a merge, or part houses that belong to another person of her name. The answer is the parted one."""
    if any(house.community_id != ref.community_id for house in body["house_ids"]):
        raise NotFound
    parted = registry.split(
        _reach(Allow.REGISTRY_EDIT),
        ref,
        houses=[house.id for house in body["house_ids"]],
        acting_user=g.staff.actor,
    )
    return versioned(owner_detail(Ref(parted.community_id, parted.id)))
