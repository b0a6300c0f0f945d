"""Every route asks who is there unless it is on the list; every staff view says which permission it asks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app import db, ids
from app.ids import OF_COMMUNITY, Kind, Ref
from app.people.models import Role
from app.people.permissions import GRANTS, Permission
from bff.http import RefConverter
from tests.conftest import TOP, House, Person, Town
from tools.permissions import OPEN, OPEN_METHODS

# One good body for each staff view that names a thing (test_permission_matrix.py): a foreign thing must be 404
# although the rest is right.
BODIES: dict[str, Any] = {
    "reject": {"reason": "不属于受理范围"},
    "category": {"category": "lighting"},
    "dispatch": {},
    "return": {"reason": "不归我们管"},
    "resolve": {"note": "已修好"},
    "verify": {"passed": True, "note": "看过了"},
    "reopen": {"reason": "又坏了"},
    "comment": {"text": "请尽快", "visibility": "internal"},
    "verdict": {"passed": True},
    "accept": None,
    "start": None,
    "close": None,
    "grab": None,
    "assign": {"staff_id": ids.encode(Kind.STAFF, UUID(int=7))},
    "rotate": {"reason": "下班了"},
    "hand-over": {"staff_id": ids.encode(Kind.STAFF, UUID(int=7)), "reason": "交班"},
    "suspend": {"reason": "等配件"},
    "resume": None,
    "extensions": {"until": "2026-12-31T12:00:00+08:00", "reason": "等配件"},
    "approve": {},
    "refuse": {},
    "parts": {"org_id": ids.encode(Kind.ORG, UUID(int=7)), "task": "劝导"},
    "done": {"org_id": ids.encode(Kind.ORG, UUID(int=7)), "note": "已劝导"},
    "meetings": {
        "held_at": "2026-01-05T09:00:00+08:00",
        "orgs": [ids.encode(Kind.ORG, UUID(int=7))],
        "plan": "三家单位分工办理",
    },
    "supervise": {"note": "请尽快"},
    "callback": {"stars": 5, "solved": True},
    "exclude": {"reason": "重复投诉"},
    "merge": {"into": ids.encode(Kind.TICKET, Ref(1, UUID(int=7)))},
    "unmerge": None,
    "refer": {"community_id": ids.encode(Kind.COMMUNITY, UUID(int=7)), "reason": "属于邻社区"},
    "code": None,
    "end": None,
    "positions": {"positions": []},
    "track": {"purpose": "核查漏巡"},
    "visit": {"code": "JY1"},
    "houses": {"number": "101"},
    "transfer": {"owners": [{"name": "张三"}]},
    "split": {},
    "mapping": {"mapping": {}},
    "apply": {},
    "content": None,
    "voter": None,
    "reminders": {},
    "move": {"parent_id": ids.encode(Kind.COMMUNITY, UUID(int=7))},
    "outlines": {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": []}}],
    },
    "responsibilities": {"community_id": ids.encode(Kind.COMMUNITY, UUID(int=7))},
}
# Writes that open their own transactions, because a call to WeChat or a counted failure stands between two.
# `_cast` beside them opens it: a statement of its own, or a transaction. `hand_out` reads, and then asks the store. A
# page of published lines is one statement.
IN_A_HELPER = {"cast_for_head", "cast_only", "notice_file", "staff_notice_file", "revenue_entries"}
OWN_TRANSACTIONS = {
    "log_in",
    "refresh",
    "log_out",
    "pair_display",
    "bind_phone",
    "push",
    "evidence",
    "export_me",
    "read_decision",
    "audited_openings",
    "export_tickets",
} | {
    "revenue_voucher",
    "contract_scan",
    "change_password",
    "start_totp",
    "confirm_totp",
    "new_recovery_codes",
}
# Reads that write: that somebody took a copy of her data, or a table of tickets; that an owner opened a vote, where
# that is proof.
RECORDED_READS = {"export_me", "read_decision", "audited_openings", "export_tickets"}
# Plain questions, each a transaction by itself and read-only by what it says; what is rare is asked in `db.reading()`.
# That they write nothing, and let nobody in whose login has ended, is shown below by asking them.
PLAIN_READS = {
    ("resident/home.py", "home"),
    ("resident/tickets.py", "my_tickets"),
    ("resident/tickets.py", "ticket"),
}
# Pages that ask the database nothing.
OF_FILES = {"login", "asset"}
# What is checked first is read on its own, and then written page by page while it is sent.
STREAMED = {"owners_openings"}


class Endpoint(NamedTuple):
    """One rule with one of its methods."""

    rule: Rule
    method: str
    view: Callable[..., Any]

    def path(self, ref: Ref) -> str:
        """The address with `ref` (or its uuid) wherever a thing is named."""
        text = ""
        for is_dynamic, part in self.rule._trace:
            if not is_dynamic:
                text += part
                continue
            converter = self.rule._converters.get(part)
            if isinstance(converter, RefConverter):
                text += ids.encode(converter.kind, ref if converter.kind in OF_COMMUNITY else ref.id)
            else:
                text += "x"
        return text.lstrip("|")


def endpoints(app: Flask) -> Iterator[Endpoint]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield Endpoint(rule, method, app.view_functions[rule.endpoint])


def is_open(endpoint: Endpoint) -> bool:
    rule = endpoint.rule.rule
    return rule in OPEN and endpoint.method in OPEN_METHODS.get(rule, {endpoint.method})


def staff_endpoints(app: Flask) -> list[Endpoint]:
    return [e for e in endpoints(app) if e.rule.rule.startswith("/admin/")]


SOMETHING = Ref(1, UUID(int=7))


# --- who is there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Bearer ", "Basic YTpi"])
def test_every_route_asks_who_is_there_unless_it_is_on_the_list(house: House, header: str | None) -> None:
    client = house.app.test_client()
    headers = {"Authorization": header} if header else {}
    for endpoint in endpoints(house.app):
        answer = client.open(endpoint.path(SOMETHING), method=endpoint.method, headers=headers)
        where = f"{endpoint.method} {endpoint.rule.rule}: {answer.status_code}"
        assert (answer.status_code == 401) is not is_open(endpoint), where


def test_the_list_of_open_routes_names_no_route_that_is_not_there(house: House) -> None:
    assert set(OPEN) <= {rule.rule for rule in house.app.url_map.iter_rules()}


def test_a_token_of_one_face_opens_nothing_of_the_other(
    house: House, town: Town, resident: Callable[..., Person]
) -> None:
    wang, desk = resident(), town.staff("community")
    client = house.app.test_client()
    for token, other in ((wang.token, "/admin/"), (desk.token, "/bff/")):
        for endpoint in endpoints(house.app):
            if endpoint.rule.rule.startswith(other) and not is_open(endpoint):
                headers = {"Authorization": f"Bearer {token}"}
                answer = client.open(endpoint.path(SOMETHING), method=endpoint.method, headers=headers)
                assert answer.status_code == 401, f"{endpoint.method} {endpoint.rule.rule}"


def test_a_login_that_has_ended_opens_nothing(house: House, resident: Callable[..., Person]) -> None:
    """Also where the view asks by itself whether the login holds, on the connection that it needs anyway."""
    wang = resident()
    assert wang.delete("/session").status_code == 204
    themselves = 0
    for endpoint in endpoints(house.app):
        if endpoint.rule.rule.startswith("/bff/") and not is_open(endpoint):
            themselves += getattr(endpoint.view, "_asks_itself", False)
            path = endpoint.path(SOMETHING).removeprefix("/bff/v1")
            good: dict[str, Any] = {"json": {"choices": {}}} if endpoint.method == "PUT" else {}
            answer = wang.call(endpoint.method, path, **good)
            assert answer.status_code == 401, f"{endpoint.method} {endpoint.rule.rule}: {answer.status_code}"
    assert themselves >= len(PLAIN_READS)


# --- what they may do ------------------------------------------------------------------------------------


def test_every_staff_view_says_what_it_asks_for(house: House) -> None:
    for endpoint in staff_endpoints(house.app):
        if not is_open(endpoint):
            assert hasattr(endpoint.view, "_requires"), f"{endpoint.method} {endpoint.rule.rule}"


def test_every_permission_is_asked_for_or_looked_up_and_every_role_has_its_row() -> None:
    assert set(GRANTS) == set(Role)
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("app", "bff")
        for path in (TOP / folder).rglob("*.py")
        if path.name != "permissions.py"
    ]
    for permission in Permission:
        assert any(
            f"Permission.{permission.name}" in text or f"Allow.{permission.name}" in text for text in sources
        ), permission


# --- how views are made ----------------------------------------------------------------------------------


def views() -> Iterator[tuple[str, ast.FunctionDef, list[str]]]:
    """(file, function, its decorators as text) of every view of the faces."""
    for path in sorted((TOP / "bff").glob("*/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                decorators = [ast.unparse(d) for d in node.decorator_list]
                if any(d.startswith(("blp.route(", "blp.get(", "blp.post(")) for d in decorators):
                    yield path.relative_to(TOP / "bff").as_posix(), node, decorators


def test_every_write_is_one_transaction_and_every_read_is_read_only() -> None:
    seen = 0
    for where, view, decorators in views():
        seen += 1
        route = decorators[0]
        reading = "['GET']" in route or route.startswith("blp.get(")
        if view.name in OWN_TRANSACTIONS and (not reading or view.name in RECORDED_READS):
            assert any(
                isinstance(node, ast.withitem) and ast.unparse(node.context_expr) == "db.transaction()"
                for node in ast.walk(view)
            ), f"{where}: {view.name}"
            continue
        if where.startswith(("public/", "callbacks/")) or view.name in STREAMED | IN_A_HELPER | OF_FILES:
            continue
        if (where, view.name) in PLAIN_READS:
            assert reading, f"{where}: {view.name}"
            assert "asks_itself" in decorators, f"{where}: {view.name}"
            continue
        # A witnessed read writes its audit row in the same transaction.
        entries = {"reads", "witnessed"} if reading else {"writes"}
        assert entries & set(decorators), f"{where}: {view.name}"
    assert seen > 35


WRITES = re.compile(r"\b(insert|update|delete|merge|truncate|nextval|setval|lock)\b", re.IGNORECASE)


def test_what_asks_plain_questions_writes_nothing(
    town: Town, resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    wang, li = resident(), resident()
    own, other = (str(one.report(town.a.estate_id)["ticket_id"]) for one in (wang, li))
    asked: list[str] = []
    rows = db.Plain.rows

    def recorded(self: db.Plain, values: Any) -> Any:
        asked.append(self.sql)
        return rows(self, values)

    def no_transaction() -> None:
        raise AssertionError("a read that opens a transaction")

    monkeypatch.setattr(db.Plain, "rows", recorded)
    monkeypatch.setattr(db, "transaction", no_transaction)
    said = [
        wang.get(path).status_code for path in ("/home", "/tickets", f"/tickets/{own}", f"/tickets/{other}")
    ]
    assert said == [200, 200, 200, 404]
    assert len(asked) >= len(PLAIN_READS)
    assert [sql for sql in asked if not re.match(r"\s*(SELECT|WITH)\b", sql) or WRITES.search(sql)] == []


def test_views_hold_no_sql() -> None:
    for path in (TOP / "bff").glob("*/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {"sqlalchemy", "psycopg"} & {name.split(".")[0] for name in names}, path
