"""What the pages of the system share: things beside their list and on a page of their own, choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from uuid import UUID

from app import ids
from app.ids import Kind
from app.people.permissions import Permission
from app.places import queries as places
from app.places.models import Org, RegionKind
from bff.admin.auth import requires
from bff.admin.console.face import blp, fragment, page
from bff.http import reads


class Choice(NamedTuple):
    """A line of a list to choose from."""

    value: str
    text: str
    depth: int = 0


View = Callable[..., dict[str, Any]]


def sheet(rule: str, *permissions: Permission, here: str, part: str) -> Callable[[View], View]:
    """The view gives the values of `part`: shown in the drawer at `rule`/detail, and on a page of its own at `rule`.
    Its `title` is the page's.
    """

    def decorate(view: View) -> View:
        def whole(**path: Any) -> str:
            return page("system/one.html", here=here, part=f"console/system/{part}", **view(**path))

        def alone(**path: Any) -> str:
            return fragment(f"system/{part}", **view(**path))

        for end, shown in (("", whole), ("/detail", alone)):
            blp.add_url_rule(
                rule + end,
                endpoint=f"{view.__name__}{end.replace('/', '_')}",
                view_func=requires(*permissions)(reads(shown)),
                methods=["GET"],
            )
        return view

    return decorate


def wire_region(region_id: int) -> str:
    """A region as the JSON face names it."""
    return ids.encode(Kind.COMMUNITY, UUID(int=region_id))


def region_choices(of: Iterable[int]) -> list[Choice]:
    """These communities below the streets they lie in, as a tree."""
    names = {region.id: region for region in places.regions()}
    found: list[Choice] = []
    by_street: dict[int, list[int]] = {}
    for community in of:
        above = places.regions_above(community)
        street = next((r for r in above if r in names and names[r].kind == RegionKind.STREET), 0)
        by_street.setdefault(street, []).append(community)
    for street, communities in sorted(by_street.items()):
        if street:
            found.append(Choice(wire_region(street), names[street].name))
        ordered = sorted(communities, key=lambda c: names[c].name)
        found += [Choice(wire_region(c), names[c].name, 1) for c in ordered]
    return found


def org_groups(orgs: Iterable[Org]) -> list[tuple[str, list[Choice]]]:
    """Organisations by the region of their seat."""
    names = places.region_names()
    groups: dict[int, list[Choice]] = {}
    for org in orgs:
        groups.setdefault(org.region_id, []).append(Choice(ids.encode(Kind.ORG, org.id), org.name))
    return [(names.get(region, ""), rows) for region, rows in sorted(groups.items())]
