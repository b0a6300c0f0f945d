"""The first administrators without the demonstration, and a way back in."""

from __future__ import annotations

import os
import subprocess
import sys
from uuid import uuid4

import pytest

from app import ids
from app.ids import Kind
from tests.conftest import TOP, Caller, House, Town, settings_for


def run(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = settings_for(
        house.pg,
        "house",
        REDIS_URL=house.valkey.url,
        PUBLIC_BASE_URL=house.url,
        STORAGE_URL="folder:/nowhere",
    )
    return subprocess.run(
        [sys.executable, "-m", "tools.staff", *arguments],
        cwd=TOP,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
@pytest.mark.timeout(300)  # seven processes one after another, beside busy neighbours
def test_an_administrator_is_made_on_the_server_and_let_back_in(
    house: House, town: Town, visitor: Caller
) -> None:
    street = ids.encode(Kind.ORG, town.street_office)
    account = f"system-{uuid4().hex[:8]}"
    listed = run(house, "orgs")
    assert street in listed.stdout, listed.stderr
    made = run(house, "add", account, "张三", "system_admin", street)
    assert made.returncode == 0, made.stderr
    password = made.stdout.rpartition("one-time password: ")[2].strip()
    first = visitor.post("/admin/api/v1/session", {"account": account, "password": password})
    assert first.status_code == 201, first.text
    assert first.json["staff"]["needs"] == ["password", "totp"]
    (scope,) = first.json["staff"]["scopes"]
    assert (scope["role"], scope["org_id"]) == ("system_admin", street)

    apart = run(house, "add", account, "张三", "auditor", street)
    assert (apart.returncode, "separate accounts" in apart.stderr) == (1, True)
    unfit = run(house, "add", f"{account}x", "李四", "grid", town.a.desk_id)
    assert (unfit.returncode, "another kind of area" in unfit.stderr) == (1, True)
    again = run(house, "reset", account, "--totp")
    assert again.returncode == 0, again.stderr
    fresh = again.stdout.rpartition("one-time password: ")[2].strip()
    assert fresh != password
    asked = {"account": account, "password": fresh}
    assert visitor.post("/admin/api/v1/session", asked).status_code == 201
    assert account in run(house, "list").stdout
