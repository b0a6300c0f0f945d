"""Pages of accounts and roles: who works here, what each may do and where."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g, request

from app import ids
from app.ids import Kind, Ref
from app.people import roster
from app.people.areas import area_of
from app.people.models import Role, StaffStatus
from app.people.permissions import ADMINISTRATORS, GRANTS, ROLE_NAMES, needs_totp
from app.people.permissions import Permission as Allow
from app.people.scopes import BY_GRID, BY_ORG, BY_REGION
from app.places import queries as places
from bff.admin import staff as face
from bff.admin import staff_schemas as s
from bff.admin.auth import requires
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.lists import next_address
from bff.admin.console.system_frame import Choice, org_groups, region_choices, sheet
from bff.admin.console.system_words import PERMISSIONS
from bff.http import reads

ROLE_CHOICES = [Choice(role.value, ROLE_NAMES[role]) for role in Role]
HISTORY = 100  # roles of one account


# --- accounts ----------------------------------------------------------------------------------------------


@blp.route("/staff", methods=["GET"])
@requires(Allow.STAFF_VIEW)
@reads
def staff_list() -> str:
    """The accounts in my area; its filters are the address."""
    found = s.AccountList().dump(face.listed(query(s.AccountQuery)))
    given = {name: value for name, value in request.args.items() if value.strip()}
    values = {
        "list": found,
        "given": given,
        "here_address": request.full_path.rstrip("?"),
        "next_address": next_address(found["next_cursor"]),
    }
    if is_fragment():
        return fragment("system/_staff_list.html", **values)
    return page(
        "system/staff.html",
        here="staff",
        roles=ROLE_CHOICES,
        statuses=list(StaffStatus),
        orgs=org_groups(_orgs(Allow.STAFF_VIEW)),
        my_orgs=org_groups(_orgs(Allow.STAFF_EDIT)) if g.staff.may(Allow.STAFF_EDIT) else [],
        may_edit=g.staff.may(Allow.STAFF_EDIT),
        **values,
    )


def _orgs(permission: Allow) -> list[Any]:
    return area_of(g.staff, permission).orgs()


@sheet("/staff/<ref(stf):staff_id>", Allow.STAFF_VIEW, here="staff", part="_staff.html")
def staff_one(staff_id: UUID) -> dict[str, Any]:
    """An account with its roles, those that are over as well, and what I may do with it."""
    row = roster.account(g.staff, staff_id, permission=Allow.STAFF_VIEW)
    shown = s.AccountOut().dump(face.account_out(row))
    every = roster.assignments(
        g.staff, limit=HISTORY + 1, staff_id=staff_id
    )  # one more says that there are more
    is_me = staff_id == g.staff.id
    values = {
        "title": shown["name"],
        "account": shown,
        "roles": s.RoleOut(many=True).dump(face.roles_out(every[:HISTORY])),
        "most_roles": HISTORY if len(every) > HISTORY else 0,
        "today": places.today().isoformat(),
        "is_me": is_me,
        "may_edit": g.staff.may(Allow.STAFF_EDIT) and not is_me,
        "may_secure": g.staff.may(Allow.STAFF_SECURE) and not is_me,
        "may_grant": g.staff.may(Allow.ROLE_GRANT) and not is_me and shown["status"] == StaffStatus.ACTIVE,
        "my_orgs": org_groups(_orgs(Allow.STAFF_EDIT)) if g.staff.may(Allow.STAFF_EDIT) else [],
    }
    return values | (_reach() if values["may_grant"] else {})


def _reach() -> dict[str, Any]:
    """What a role can be given over: organisations, communities as a tree, grids by their community."""
    area = area_of(g.staff, Allow.ROLE_GRANT)
    names = places.region_names(area.communities)
    grids: dict[str, list[Choice]] = {}
    for grid in places.grids_in(area.communities):
        wire = ids.encode(Kind.GRID, Ref(grid.community_id, grid.id))
        grids.setdefault(names.get(grid.community_id, ""), []).append(Choice(wire, grid.name))
    return {
        "role_choices": ROLE_CHOICES,
        "by_region": ",".join(role for role in Role if role in BY_REGION),
        "by_grid": ",".join(role for role in Role if role in BY_GRID),
        "by_org": ",".join(role for role in Role if role in BY_ORG),
        "grant_orgs": org_groups(_orgs(Allow.ROLE_GRANT)),
        "communities": region_choices(area.communities),
        "grids": sorted(grids.items()),
    }


@blp.route("/staff/<ref(stf):staff_id>/now", methods=["GET"])
@requires(Allow.STAFF_VIEW)
@reads
def staff_now(staff_id: UUID) -> str:
    """How the account stands now: for whom somebody was faster."""
    row = roster.account(g.staff, staff_id, permission=Allow.STAFF_VIEW)
    return fragment("system/_staff_now.html", account=s.AccountOut().dump(face.account_out(row)))


# --- the table of permissions ------------------------------------------------------------------------------


@blp.route("/roles", methods=["GET"])
@requires(Allow.STAFF_VIEW)
@reads
def role_table() -> str:
    """What each role may do. The table is part of the program: it is read here, and changed with a new version."""
    reach = {
        role: "按区域" if role in BY_REGION else "按网格" if role in BY_GRID else "按单位" for role in Role
    }
    return page(
        "system/roles.html",
        here="roles",
        roles=[(role.value, ROLE_NAMES[role], reach[role], needs_totp(role)) for role in Role],
        alone=[ROLE_NAMES[role] for role in Role if role in ADMINISTRATORS],
        groups=[
            (
                name,
                [
                    (words, [permission in GRANTS[role] for role in Role])
                    for permission, words in rows.items()
                ],
            )
            for name, rows in PERMISSIONS
        ],
    )
