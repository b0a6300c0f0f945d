"""Focus groups reach nothing else: no list, search, ticket, export, message or role that isn't theirs."""

from __future__ import annotations

import ast
import io
from collections.abc import Callable, Iterator

import pytest
import python_calamine as calamine
from werkzeug.test import TestResponse

from app import ids
from app.ids import Kind
from app.people.models import Role
from app.people.permissions import GRANTS, Permission
from app.places.identity import Party
from app.tables import metadata
from tests.conftest import TOP, House, Person
from tests.focus.conftest import Groups, building_of, wire
from tests.registry.conftest import HEADINGS, Clerk, workbook
from tests.structure.test_routes import staff_endpoints

FOCUS = {permission for permission in Permission if permission.value.startswith("focus.")}
READERS = {Role.COMMUNITY, Role.GRID}


def test_only_community_and_grid_staff_may_read_and_only_the_community_sets() -> None:
    assert {role for role in Role if Permission.FOCUS_READ in GRANTS[role]} == READERS
    assert {role for role in Role if Permission.FOCUS_EDIT in GRANTS[role]} == {Role.COMMUNITY}
    assert {role for role in Role if GRANTS[role] & FOCUS} == READERS | {Role.STREET}


MAY_KNOW = {
    "app/tables.py": {"app.focus.models"},
    "app/retention.py": {"app.focus.models"},
    "bff/admin/console/audience_choices.py": {"app.focus.kinds"},  # their names, for who may text them
    "app/__init__.py": {"app.focus.audiences.FocusGroup"},  # campaigns write to a group without knowing it
}


def test_no_other_part_of_the_application_knows_the_tables_or_the_module() -> None:
    """The import contract keeps the module apart; raw SQL and soft references would go round it."""
    names = [name for name in metadata().tables if name.startswith("focus_")]
    assert len(names) == 4
    admin = TOP / "bff" / "admin"
    for folder in ("app", "bff", "workers", "sandbox"):
        for path in (TOP / folder).rglob("*.py"):
            if path.parent == TOP / "app" / "focus" or (path.parent, path.name[:5]) == (admin, "focus"):
                continue
            text = path.read_text(encoding="utf-8")
            # How long rows are kept is declared for every table in one place.
            if path != TOP / "app" / "retention.py":
                assert not any(name in text for name in names), path
            imported = [module for module in _imports(text) if module.startswith("app.focus")]
            assert set(imported) <= MAY_KNOW.get(path.relative_to(TOP).as_posix(), set()), path
    pointing = [
        f"{table.name}.{column.name}"
        for table in metadata().tables.values()
        for column in table.columns
        if str(column.info.get("soft", "")).startswith("focus_")
    ]
    assert pointing == []


def _imports(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.fixture
def listed(groups: Groups, resident: Callable[..., Person]) -> dict[str, str]:
    """An owner who is in two groups, with a ticket of hers dispatched to the property company."""
    house = groups.door(Party("张三丰", "13812345678"), building="9栋")
    (owner,) = groups.desk.get(f"/houses/{wire(house)}").json["owners"]
    made = groups.tag(house, owner_id=owner["owner_id"])
    groups.tag(house, owner_id=owner["owner_id"], kind=groups.statutory)
    ticket = resident().report(groups.town.a.estate_id)["ticket_id"]
    groups.town.bring(ticket, "accept", "dispatch")
    return {
        "foc": made["person_id"],
        "hou": wire(house),
        "own": owner["owner_id"],
        "tkt": ticket,
        "est": groups.town.a.estate_id,
        "bld": building_of(house),
        "grd": ids.encode(Kind.GRID, groups.town.a.grid),
        "org": groups.town.a.property_id,
    }


def said(answer: TestResponse) -> str:
    """The body as text; workbooks and pictures as far as they are."""
    return answer.get_data().decode("utf-8", "replace")


@pytest.mark.parametrize("role", ["community", "property", "grid", "street"])
def test_no_other_page_of_the_admin_face_shows_who_is_in_a_group(
    house: House, groups: Groups, listed: dict[str, str], role: str
) -> None:
    caller = groups.town.staff(role)
    words = (groups.consented, groups.statutory, groups.name, listed["foc"])
    narrowed = {"kind": groups.consented, "focus": groups.consented, "tag": groups.consented}
    read = 0
    for endpoint in staff_endpoints(house.app):
        rule = endpoint.rule.rule
        if endpoint.method != "GET" or "/focus-" in rule:
            continue
        path = rule.removeprefix("/admin/api/v1")
        for argument in endpoint.rule.arguments:
            kind = path.partition(f":{argument}>")[0].rpartition("<ref(")[2].rstrip(")")
            if kind not in listed:
                break
            path = path.replace(f"<ref({kind}):{argument}>", listed[kind])
        if "<" in path:
            continue
        plain = caller.get(path, query_string={"estate_id": groups.town.a.estate_id})
        if plain.status_code != 200:
            continue
        read += 1
        assert not any(word in said(plain) for word in words), path
        # No parameter of theirs is one: a made-up filter changes nothing, or is no value of that list.
        asked = caller.get(path, query_string={"estate_id": groups.town.a.estate_id} | narrowed)
        assert asked.status_code == 422 or not any(word in said(asked) for word in words), path
    assert read >= 10, read


def test_searches_find_the_same_whether_or_not_somebody_is_in_a_group(
    groups: Groups, listed: dict[str, str]
) -> None:
    keeper = groups.town.staff("property")
    houses = f"/estates/{groups.town.a.estate_id}/houses"
    for word in (groups.consented, groups.name):
        assert groups.desk.get("/tickets", query_string={"q": word}).json["items"] == []
        for caller in (groups.desk, keeper):
            for path in ("/owners", houses):
                found = caller.get(path, query_string={"name": word})
                assert found.status_code == 422 or found.json["items"] == []
    for extra in ("focus", "tag", "tags"):
        query = {"name": "张三丰", extra: groups.statutory}
        assert (
            keeper.get(houses, query_string=query).json
            == keeper.get(houses, query_string={"name": "张三丰"}).json
        )
    before = keeper.get(f"/houses/{listed['hou']}")
    ended = groups.desk.post(f"/focus-persons/{listed['foc']}/end", {"reason": "mistaken"})
    assert ended.json["is_erased"]
    after = keeper.get(f"/houses/{listed['hou']}")
    # Not even the version tells that something was set or taken away.
    assert (before.json, before.headers["ETag"]) == (after.json, after.headers["ETag"])


def test_error_sheets_and_templates_of_imports_know_nothing_of_groups(
    groups: Groups, listed: dict[str, str], work: Callable[..., int]
) -> None:
    clerk = Clerk(groups.desk, work, groups.town.a.estate_id)
    bad = ["9栋", "", "", "住宅", 89.5, "张三丰", "13812345678", ""]
    seen = clerk.preview(workbook([HEADINGS, bad]))
    for path in (f"/registry/imports/{seen['import_id']}/errors", "/registry/imports/template"):
        answer = groups.desk.get(path)
        assert answer.status_code == 200
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.data))
        cells = str([book.get_sheet_by_name(name).to_python() for name in book.sheet_names])
        assert len(cells) > 20
        assert groups.consented not in cells
        assert groups.name not in cells


def test_what_residents_read_and_are_sent_knows_nothing_of_groups(
    groups: Groups, listed: dict[str, str], resident: Callable[..., Person], house: House
) -> None:
    wang = resident()
    for path in ("/me", "/home", "/inbox", f"/estates/{groups.town.a.estate_id}/houses"):
        answer = wang.get(path)
        assert groups.consented not in answer.text
        assert groups.name not in answer.text
    # The faces of residents and the public don't have a path for it either.
    assert not any(
        "focus" in rule.rule for rule in house.app.url_map.iter_rules() if not rule.rule.startswith("/admin/")
    )
