"""Staff accounts from the command line: the first administrators, and a way back in for one who is locked out.

    python -m tools.staff orgs                                           the organisations with their ids
    python -m tools.staff add ACCOUNT NAME ROLE ORG [--grid GRID] [--community ID]
    python -m tools.staff reset ACCOUNT [--totp]                         a new one-time password
    python -m tools.staff list                                           accounts with their roles

`add` makes the account when there is none of that name, gives it the role from today on, and prints a password for
one first login within 7 days. ORG: an id that `orgs` prints. GRID: an id of `/grids`. Administrators (system_admin,
security_admin, auditor) are three accounts; once they are there, everything else is done by them at `/staff` and
`/roles`. `reset --totp` also takes the second factor away. Settings come from the environment, as for every process;
whoever may read them may do anything, so keep them to those who run the servers.

Exit codes: 1 when it is refused, 2 when a setting is missing.
"""

from __future__ import annotations

import argparse
import sys
from uuid import UUID

from app import boot, db, ids
from app.audit import SYSTEM
from app.errors import AppError, NotFound
from app.ids import BadId, Kind, Ref
from app.people import passwords, roster, staffing
from app.people import service as people
from app.people.models import Role
from app.people.permissions import ROLE_NAMES
from app.places import queries as places
from app.settings import Settings, SettingsError


def main(arguments: list[str] | None = None) -> int:
    """0 when done."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.staff",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("orgs")
    commands.add_parser("list")
    adding = commands.add_parser("add")
    adding.add_argument("account")
    adding.add_argument("name")
    adding.add_argument("role", type=Role, choices=list(Role))
    adding.add_argument("org")
    adding.add_argument("--grid")
    adding.add_argument("--community", type=int)
    resetting = commands.add_parser("reset")
    resetting.add_argument("account")
    resetting.add_argument("--totp", action="store_true")
    asked = parser.parse_args(arguments)
    try:
        boot(Settings.from_env())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        if asked.command == "orgs":
            return orgs()
        if asked.command == "list":
            return accounts()
        if asked.command == "reset":
            return reset(asked.account, totp=asked.totp)
        grid = ids.decode_ref(Kind.GRID, asked.grid) if asked.grid else None
        org = ids.decode_id(Kind.ORG, asked.org)
        return add(asked.account, asked.name, asked.role, org, grid=grid, community=asked.community)
    except AppError as refusal:
        print(refusal.sentence("en"), file=sys.stderr)
    except BadId as wrong:
        print(f"Not a valid id: {wrong}", file=sys.stderr)
    return 1


def orgs() -> int:
    """Print every organisation: id, region, kind, name."""
    with db.reading():
        regions = {region.id: region.name for region in places.regions()}
        for org in places.orgs():
            print(ids.encode(Kind.ORG, org.id), regions[org.region_id], org.kind, org.name, sep="  ")
    return 0


def accounts() -> int:
    """Print every account with the roles that count today or will."""
    with db.reading():
        rows = roster.everybody()
        roles = roster.roles_of([row.id for row in rows], since=places.today())
        for row in rows:
            held = ", ".join(role.role for role in roles[row.id])
            print(row.account, row.status, "totp" if row.totp_sealed else "-", held or "-", sep="  ")
    return 0


def add(account: str, name: str, role: Role, org_id: UUID, *, grid: Ref | None, community: int | None) -> int:
    """Make the account unless it is there, give the role, print the password of a new one."""
    with db.transaction():
        org = places.org(org_id)
        if org is None:
            raise NotFound
        staff, password = staffing.named(account), None
        if staff is None:
            password = passwords.given_out()
            staff = people.add_staff(
                account=account,
                name=name,
                password=password,
                org_id=org_id,
                is_given_out=True,
                acting_user=SYSTEM,
            )
        people.grant_role(
            staff_id=staff.id,
            role=role,
            org_id=org_id,
            region_id=staffing.region_of(role, org.region_id, community, grid),
            grid=grid,
            since=places.today(),
            acting_user=SYSTEM,
        )
    print(f"{account}: {role} ({ROLE_NAMES[role]}), from today on")
    if password is not None:
        print(f"one-time password: {password}")
    return 0


def reset(account: str, *, totp: bool) -> int:
    """Print a new one-time password; all logins of the account end."""
    with db.transaction():
        staff = staffing.named(account)
        if staff is None:
            raise NotFound
        made = staffing.renew_password(staff, acting_user=SYSTEM)
        if totp:
            staffing.drop_totp(staff, acting_user=SYSTEM)
    print(f"one-time password: {made.password}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
