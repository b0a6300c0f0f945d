"""The file of classes: what it says is what the database holds, and loading it twice changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import db
from app.audit import SYSTEM
from app.places import queries as places
from app.tickets import catalogue, queries, suggest
from app.tickets.errors import BadClass, PastDate
from tests.conftest import TOP, House, settings_for
from tests.tickets_classes.conftest import Classes, in_days

FILE = TOP / "app" / "tickets" / "data" / "classes.json"


def rows() -> list[dict[str, Any]]:
    return list(json.loads(FILE.read_text(encoding="utf-8"))["classes"])


def test_the_migrations_hold_what_the_file_says(house: House) -> None:
    with db.transaction() as session:
        assert catalogue.load(rows(), since=places.today(), acting_user=SYSTEM) == []
        numbers = queries.class_numbers()
        for row in rows():
            assert numbers[row["code"]].national_code == row.get("national_code")
            assert numbers[row["code"]].national_source == row.get("national_source")
        session.rollback()


def test_every_class_that_can_be_suggested_is_one_a_resident_can_choose(house: House) -> None:
    with db.reading():
        leaves = {term.code for term in queries.categories()} & {row["code"] for row in rows()}
    taught = {row.label for row in suggest.sentences()}
    assert taught == leaves - {"other"}
    assert {code for of in suggest.lexicon().values() for code in of} == taught


def test_loading_adds_changes_and_leaves_the_rest(classes: Classes) -> None:
    mine = classes.add(name="社区自己加的")["code"]
    code = classes.code()
    row = {"code": code, "parent": "local", "name": "文件里的", "for_residents": False}
    day = places.today() + timedelta(days=3)
    with db.transaction():
        first = catalogue.load([*rows(), row], since=places.today(), acting_user=SYSTEM)
        again = catalogue.load([*rows(), row], since=places.today(), acting_user=SYSTEM)
        changed = catalogue.load([*rows(), row | {"hint": "新提示"}], since=day, acting_user=SYSTEM)
    assert first == [catalogue.Change(code, "added")]
    assert again == []
    assert changed == [catalogue.Change(code, "changed", ("hint",))]
    assert classes.on()[code]["hint"] == ""
    assert classes.on(in_days(3))[code]["hint"] == "新提示"
    assert classes.on()[mine]["name"] == "社区自己加的"


@pytest.mark.parametrize(
    "row",
    [
        {"name": "没有编码"},
        {"code": "no_name"},
        {"code": "odd", "name": "多了", "colour": "red"},
        {"code": "Odd Code", "name": "编码不对"},
        {"code": "coded", "name": "没有出处", "national_code": "0199"},
        {"code": "half", "name": "半个时限", "limit": {"amount": 3}},
    ],
)
def test_a_file_with_a_bad_row_changes_nothing(row: dict[str, Any], house: House, classes: Classes) -> None:
    good = {"code": classes.code(), "name": "好的", "for_residents": False}
    with pytest.raises(BadClass), db.transaction():
        catalogue.load([good, row], since=places.today(), acting_user=SYSTEM)
    assert good["code"] not in classes.on()


def test_a_file_is_not_loaded_into_the_past(house: House) -> None:
    with pytest.raises(PastDate), db.transaction():
        catalogue.load(rows(), since=places.today() - timedelta(days=1), acting_user=SYSTEM)


@pytest.mark.long
def test_the_command_says_what_it_changed(house: House, tmp_path: Path, classes: Classes) -> None:
    environment = os.environ | settings_for(
        house.pg,
        "house",
        REDIS_URL=house.valkey.url,
        PUBLIC_BASE_URL="http://127.0.0.1",
        STORAGE_URL=f"folder:{tmp_path}",
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tools.classes", *arguments],
            cwd=TOP,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    code = classes.code()
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"classes": [{"code": code, "name": "命令", "for_residents": False}]}))
    tried = run("load", str(file), "--dry-run")
    assert (tried.returncode, tried.stdout.splitlines()[0]) == (0, f"added    {code}"), tried.stderr
    assert code not in classes.on()
    done = run("load", str(file))
    assert done.stdout.splitlines()[0] == f"added    {code}"
    assert "left as they are: " in done.stdout
    assert run("load", str(file)).stdout.startswith("nothing to change")
    assert f"{code}  命令" in run("show").stdout
    file.write_text(json.dumps({"classes": [{"code": code, "name": "命令", "parent": "nowhere"}]}))
    refused = run("load", str(file))
    assert refused.returncode == 1
    assert "nothing is changed" in refused.stderr
    assert run("load", str(tmp_path / "none.json")).returncode == 2
