"""docs/permissions.md is what the code says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.people.models import Role
from app.people.permissions import ADMINISTRATORS, GRANTS, HARMLESS, ROLE_NAMES, Permission, needs_totp
from app.people.scopes import BY_GRID, BY_ORG, BY_REGION
from tests.conftest import TOP


@pytest.mark.long  # `make check` asks the same
def test_the_page_of_permissions_is_up_to_date() -> None:
    # In another process: it boots an application of its own.
    done = subprocess.run(
        [sys.executable, "-m", "tools.permissions", "--check"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_role_has_a_name_a_reach_and_its_permissions() -> None:
    assert set(ROLE_NAMES) == set(GRANTS) == set(Role) == BY_REGION | BY_GRID | BY_ORG
    assert len(BY_REGION) + len(BY_GRID) + len(BY_ORG) == len(Role)


def test_who_sees_people_or_administers_needs_a_second_factor() -> None:
    assert {role for role in Role if not needs_totp(role)} == set()
    assert not HARMLESS & {
        p for p in Permission if p.startswith(("ticket.", "photo.", "staff.", "audit.", "role."))
    }
    assert all(needs_totp(role) for role in ADMINISTRATORS)
