"""Accounts of staff and their dated roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import g, make_response, url_for

from app.ids import Ref
from app.people import queries as people
from app.people import roster, staffing
from app.people.models import Role, Staff, StaffRole
from app.people.permissions import ROLE_NAMES
from app.people.permissions import Permission as Allow
from app.places import queries as places
from bff.admin import staff_schemas as s
from bff.admin.auth import requires
from bff.http import Versioned, read_cursor, reads, versioned, wanted_version, write_cursor, writes
from bff.schemas import Blueprint

blp = Blueprint("staff-staff", __name__, url_prefix="/admin/api/v1", description="Accounts and roles")


def roles_out(rows: Sequence[StaffRole]) -> list[dict[str, Any]]:
    """Roles with what they reach over in words."""
    staff = people.staff_names(row.staff_id for row in rows)
    orgs = places.org_names(row.org_id for row in rows)
    regions = places.region_names()
    grids = {
        Ref(grid.community_id, grid.id): grid.name
        for grid in places.grids_in({r.grid_community_id for r in rows if r.grid_community_id is not None})
    }
    return [
        {
            "role_id": row.id,
            "staff_id": row.staff_id,
            "staff": staff.get(row.staff_id, ""),
            "role": row.role,
            "role_name": ROLE_NAMES[Role(row.role)],
            "org_id": row.org_id,
            "org": orgs.get(row.org_id, ""),
            "area": _area(row, regions, grids, orgs),
            "valid_from": row.valid_from,
            "valid_to": row.valid_to,
            "version": row.version,
        }
        for row in rows
    ]


def _area(row: StaffRole, regions: dict[int, str], grids: dict[Ref, str], orgs: dict[UUID, str]) -> str:
    if row.grid_community_id is not None and row.grid_id is not None:
        grid = grids.get(Ref(row.grid_community_id, row.grid_id), "")
        return regions.get(row.grid_community_id, "") + grid
    return regions.get(row.region_id, "") if row.region_id is not None else orgs.get(row.org_id, "")


def _accounts_out(rows: Sequence[Staff]) -> list[dict[str, Any]]:
    orgs = places.org_names(row.org_id for row in rows)
    roles = roster.roles_of([row.id for row in rows], since=places.today())
    shown = {row["role_id"]: row for row in roles_out([role for found in roles.values() for role in found])}
    return [
        {
            "staff_id": row.id,
            "account": row.account,
            "name": row.name,
            "status": row.status,
            "org_id": row.org_id,
            "org": orgs.get(row.org_id) if row.org_id is not None else None,
            "totp": row.totp_sealed is not None,
            "must_change_password": row.must_change,
            "created_at": row.created_at,
            "roles": [shown[role.id] for role in roles[row.id]],
            "version": row.version,
        }
        for row in rows
    ]


def account_out(row: Staff, **more: Any) -> dict[str, Any]:
    """An account with the roles that count today or will."""
    return _accounts_out([row])[0] | more


# --- accounts --------------------------------------------------------------------------------------------


@blp.route("/staff", methods=["GET"])
@requires(Allow.STAFF_VIEW)
@reads
@blp.arguments(s.AccountQuery, location="query")
@blp.response(200, s.AccountList)
def accounts(args: dict[str, Any]) -> dict[str, Any]:
    """The accounts of the organisations in my area, by account."""
    return listed(args)


def listed(args: dict[str, Any]) -> dict[str, Any]:
    """The page of accounts that these arguments ask for."""
    after = read_cursor(args["cursor"], str)
    rows = roster.accounts(
        g.staff,
        limit=args["limit"] + 1,
        after=after[0] if after else None,
        q=args["q"],
        org_id=args["org_id"],
        role=args["role"],
        status=args["status"],
        on=places.today(),
    )
    page = rows[: args["limit"]]
    return {
        "items": _accounts_out(page),
        "next_cursor": write_cursor(page[-1].account) if len(rows) > len(page) else None,
    }


@blp.route("/staff/<ref(stf):staff_id>", methods=["GET"])
@requires(Allow.STAFF_VIEW)
@reads
@blp.response(200, s.AccountOut)
def account(staff_id: UUID) -> Versioned:
    """One account with its roles."""
    return versioned(account_out(roster.account(g.staff, staff_id, permission=Allow.STAFF_VIEW)))


@blp.route("/staff", methods=["POST"])
@requires(Allow.STAFF_EDIT)
@writes
@blp.arguments(s.AccountIn)
@blp.response(201, s.AccountMadeOut)
def add_account(body: dict[str, Any]) -> Versioned:
    """A new account, without roles yet. Its one-time password is in this answer and in no other."""
    made = staffing.add_account(
        account=body["account"], name=body["name"], org_id=body["org_id"], acting_user=g.staff
    )
    where = url_for("staff-staff.account", staff_id=made.staff.id)
    return versioned(account_out(made.staff, initial_password=made.password), 201, Location=where)


@blp.route("/staff/<ref(stf):staff_id>", methods=["PATCH"])
@requires(Allow.STAFF_EDIT)
@writes
@blp.arguments(s.AccountChange)
@blp.response(200, s.AccountOut)
def change_account(body: dict[str, Any], staff_id: UUID) -> Versioned:
    """Rename, move to another organisation, disable (all logins end at once) or enable."""
    changed = staffing.change_account(staff_id, changes=body, version=wanted_version(), acting_user=g.staff)
    return versioned(account_out(changed))


@blp.route("/staff/<ref(stf):staff_id>/password", methods=["POST"])
@requires(Allow.STAFF_EDIT)
@writes
@blp.response(200, s.AccountMadeOut)
def give_password(staff_id: UUID) -> Versioned:
    """A new one-time password, in this answer only. All logins end; the second factor stays."""
    made = staffing.give_password(staff_id, acting_user=g.staff)
    return versioned(account_out(made.staff, initial_password=made.password))


@blp.route("/staff/<ref(stf):staff_id>/totp", methods=["DELETE"])
@requires(Allow.STAFF_SECURE)
@writes
@blp.response(204)
def take_totp(staff_id: UUID) -> Any:
    """Take a lost authenticator away with its recovery codes; the next login sets up another."""
    staffing.take_totp(staff_id, acting_user=g.staff)
    return make_response("", 204)


@blp.route("/staff/<ref(stf):staff_id>/sessions", methods=["DELETE"])
@requires(Allow.STAFF_SECURE)
@writes
@blp.response(204)
def end_logins(staff_id: UUID) -> Any:
    """End all logins of an account."""
    staffing.end_logins(staff_id, acting_user=g.staff)
    return make_response("", 204)


# --- roles -----------------------------------------------------------------------------------------------


@blp.route("/roles", methods=["GET"])
@requires(Allow.STAFF_VIEW)
@reads
@blp.arguments(s.RoleQuery, location="query")
@blp.response(200, s.RoleList)
def roles(args: dict[str, Any]) -> dict[str, Any]:
    """Who has or had which role, the latest given first; `on`: as of a day."""
    before = read_cursor(args["cursor"], UUID)
    rows = roster.assignments(
        g.staff,
        limit=args["limit"] + 1,
        before=before[0] if before else None,
        staff_id=args["staff_id"],
        org_id=args["org_id"],
        role=args["role"],
        on=args["on"],
    )
    page = rows[: args["limit"]]
    return {
        "items": roles_out(page),
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("/roles/<ref(rol):role_id>", methods=["GET"])
@requires(Allow.STAFF_VIEW)
@reads
@blp.response(200, s.RoleOut)
def role(role_id: UUID) -> Versioned:
    """One role."""
    found = roster.role_for(g.staff, role_id, permission=Allow.STAFF_VIEW)
    return versioned(roles_out([found])[0])


@blp.route("/roles", methods=["POST"])
@requires(Allow.ROLE_GRANT)
@writes
@blp.arguments(s.RoleIn)
@blp.response(201, s.RoleOut)
def give_role(body: dict[str, Any]) -> Versioned:
    """Give a role from a day on: over the organisation's region, a grid, or what the organisation answers for."""
    given = staffing.give_role(
        staff_id=body["staff_id"],
        role=body["role"],
        org_id=body["org_id"],
        community_id=body["community_id"].int if body["community_id"] else None,
        grid=body["grid_id"],
        since=body["valid_from"] or places.today(),
        until=body["valid_to"],
        acting_user=g.staff,
    )
    where = url_for("staff-staff.role", role_id=given.id)
    return versioned(roles_out([given])[0], 201, Location=where)


@blp.route("/roles/<ref(rol):role_id>", methods=["PATCH"])
@requires(Allow.ROLE_GRANT)
@writes
@blp.arguments(s.RoleChange)
@blp.response(200, s.RoleOut)
def end_role(body: dict[str, Any], role_id: UUID) -> Versioned:
    """Let a role end before a day (today: at once), or take a later end back (null)."""
    changed = staffing.end_role(
        role_id, until=body["valid_to"], version=wanted_version(), acting_user=g.staff
    )
    return versioned(roles_out([changed])[0])
