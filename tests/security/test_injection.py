"""What people write stays data: in SQL, in spreadsheets, in XML, in headers, and in fields that aren't theirs."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from bff.admin import figure_csv
from tests.conftest import TOP, House, Person, Town
from tests.registry.conftest import HEADINGS, workbook
from tools import openapi

DOCUMENTS = {face: openapi.committed(face) for face in openapi.FACES}
PAYLOADS = [
    "' OR '1'='1",
    "'; DROP TABLE tickets; --",
    "1) UNION SELECT account, password_hash FROM staff --",
    "%' AND pg_sleep(5) --",
    "\\'; SELECT 1/0 --",
    "{{7*7}}${7*7}",
    "../../../../etc/passwd",
    "%00",
    "\u202e\u0000x",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_search_takes_whatever_is_written_as_words(
    town: Town, resident: Callable[..., Person], payload: str
) -> None:
    wang = resident()
    wang.report(town.a.estate_id)
    desk = town.staff("community")
    answer = desk.get("/tickets", query_string={"q": payload})
    assert answer.status_code in {200, 422}
    if answer.status_code == 200:
        assert answer.get_json()["items"] == []
    # Everything is still there, and the whole list isn't empty.
    assert desk.get("/tickets").get_json()["items"]


# Whoever writes one of these into a statement gets a statement that can't be read, and an answer of 500.
BREAKERS = ("'", '"', "\\'", "%", "a\0b", "1) UNION SELECT 1/0 --", "'; SELECT 1/0 --", "$1 :x %s %(x)s")


@pytest.mark.parametrize("face", ["admin", "resident"])
def test_no_parameter_of_any_question_becomes_part_of_a_statement(
    town: Town, resident: Callable[..., Person], face: str
) -> None:
    known = {"estate_id": town.a.estate_id}
    get = {"resident": resident().get, "admin": town.staff("street").get}[face]
    begins = {"resident": "/bff/v1", "admin": "/admin/api/v1"}[face]
    answered = 0
    for path, methods in DOCUMENTS[face]["paths"].items():
        here = re.sub(r"{(\w+)}", lambda named: known.get(named[1], named[0]), path).removeprefix(begins)
        if "get" not in methods or "{" in here:
            continue
        said = [one for one in methods["get"].get("parameters", []) if one.get("in") == "query"]
        needed = {one["name"]: _some(one["schema"]) for one in said if one.get("required")}
        for one in said:
            for breaker in BREAKERS if "string" in one["schema"].get("type", "") else BREAKERS[:1]:
                answer = get(here, query_string=needed | {one["name"]: breaker})
                assert answer.status_code < 500, (path, one["name"], breaker, answer.text)
                answered += answer.status_code == 200
    assert answered > {"admin": 80, "resident": 10}[face], (
        "the rest is refused by form: dates, ids, words of a list"
    )


def _some(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "date":
        return "2026-01-01"
    return {"integer": 1, "number": 1, "boolean": "true"}.get(str(schema.get("type")), "2026")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_stands_in_the_place_of_an_id_finds_nothing(town: Town, payload: str) -> None:
    desk = town.staff("community")
    for path in ("/tickets/{}", "/staff/{}", "/decisions/{}", "/notices/{}"):
        answer = desk.get(path.format(payload.replace("/", "%2F").replace("%00", "%2500")))
        assert answer.status_code in {404, 403, 405}, (path, answer.status_code)


# --- tables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", " =1+1", "\n=1"]
)
def test_no_cell_of_an_export_is_a_formula(cell: str) -> None:
    (row,) = csv.reader(io.StringIO(figure_csv.write([[cell, "数"]]).removeprefix(figure_csv.MARK).decode()))
    assert row[0].startswith("'")
    assert row == ["'" + cell, "数"]


def test_every_table_that_leaves_as_csv_goes_through_the_one_writer() -> None:
    """A second `csv.writer` in the faces would be a way past the guard."""
    found = {
        str(path.relative_to(TOP))
        for folder in ("app", "bff")
        for path in (TOP / folder).rglob("*.py")
        if "csv.writer(" in path.read_text(encoding="utf-8")
    }
    assert found <= {"bff/admin/figure_csv.py", "bff/admin/revenue_sheets.py", "bff/admin/result_export.py"}
    for name in found - {"bff/admin/figure_csv.py"}:
        text = (TOP / name).read_text(encoding="utf-8")
        assert re.search(r"from bff.admin.figure_csv import .*\bsafe\b", text), name
        assert "safe(cell)" in text, name


# --- XML ---------------------------------------------------------------------------------------------------

BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">]>"""
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("head", [BOMB, OUTSIDE], ids=["bomb", "file"])
def test_an_entity_in_a_workbook_is_never_expanded(town: Town, work: Callable[..., int], head: str) -> None:
    """XXE: the strings of an .xlsx are XML. Whatever the reader makes of it, no file of ours comes back."""
    row = ["1栋", "1单元", "101", "住宅", 89.5, "SIGN", "13900000000", None]
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook([HEADINGS, row]))) as book, zipfile.ZipFile(changed, "w") as out:
        for part in book.namelist():
            content = book.read(part).decode("utf-8", errors="surrogateescape")
            if part == "xl/sharedStrings.xml":
                content = head + content.partition("?>")[2].replace("SIGN", "&e;")
            out.writestr(part, content.encode("utf-8", errors="surrogateescape"))
    desk = town.staff("community")
    answer = desk.upload(
        "/registry/imports",
        changed.getvalue(),
        name="register.xlsx",
        estate_id=town.a.estate_id,
        source="property",
    )
    assert answer.status_code == 202, answer.text
    work()
    job = desk.get(f"/registry/imports/{answer.get_json()['job_id']}")
    assert job.get_json()["state"] == "failed"
    said = answer.get_data(as_text=True) + job.get_data(as_text=True)
    assert "root:" not in said
    assert "a" * 1000 not in said


# --- fields that aren't hers -------------------------------------------------------------------------------


def test_a_field_that_is_not_offered_is_refused_and_changes_nothing(
    resident: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    sql = "SELECT row_to_json(r)::text FROM residents r WHERE id = %s"
    before = owner.execute(sql, (wang.id,)).fetchone()
    for more in (
        {"is_demo": True},
        {"id": "res_1"},
        {"phone_hash": "x"},
        {"phone_masked": "1"},
        {"role": "street"},
    ):
        tag = wang.get("/me").headers["ETag"]
        answer = wang.patch("/me", {"nickname": "别人", **more}, headers={"If-Match": tag})
        assert answer.status_code == 422, more
    assert owner.execute(sql, (wang.id,)).fetchone() == before


def test_a_report_cannot_bring_its_own_state_or_reporter(town: Town, resident: Callable[..., Person]) -> None:
    wang, li = resident("wang"), resident("li")
    body = {"estate_id": town.a.estate_id, "text": "楼道灯不亮", "client_token": "m" * 32}
    for more in (
        {"status": "closed"},
        {"reporter_id": str(li.id)},
        {"community_id": town.b.id},
        {"number": "X-1"},
    ):
        assert wang.post("/tickets", body | more).status_code == 422, more
    assert wang.get("/tickets").get_json()["items"] == []


# GeoJSON (RFC 7946 section 6.1): members that a reader doesn't know are to be ignored, and so they are.
IGNORES = {"/admin/api/v1/areas/{ref}/outlines"}


def test_no_body_of_any_endpoint_takes_members_it_does_not_name(house: House) -> None:
    """Mass assignment: every schema that reads a JSON body refuses what it doesn't know."""
    seen = 0
    for name, face in house.app.extensions["faces"].items():
        for path, methods in face.spec.to_dict()["paths"].items():
            for method, operation in methods.items():
                body = operation.get("requestBody") if isinstance(operation, dict) else None
                schema = (body or {}).get("content", {}).get("application/json", {}).get("schema")
                if schema is None or path in IGNORES:
                    continue
                seen += 1
                reference = schema.get("$ref") or schema.get("items", {}).get("$ref")
                assert reference or schema.get("additionalProperties") is False, (name, method, path)
                if reference:
                    found = face.spec.to_dict()["components"]["schemas"][reference.rpartition("/")[2]]
                    assert found.get("additionalProperties") is False, (name, method, path)
    assert seen > 50


# --- headers -----------------------------------------------------------------------------------------------

ECHO = """
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The web server as shipped, with an application that gives back what it got."""
    folder = tmp_path_factory.mktemp("echo")
    (folder / "echo.py").write_text(ECHO, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    with (folder / "web.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(TOP / "deploy/gunicorn.py"), "echo:app"],
            cwd=TOP,
            env={**os.environ, "PORT": str(number), "WEB_WORKERS": "1", "PYTHONPATH": f"{folder}:{TOP}"},
            stdout=log,
            stderr=log,
        )
    try:
        yield number
    finally:
        server.terminate()
        server.wait(30)


def exchange(port: int, raw: bytes) -> bytes:
    """Everything that comes back until the server closes or falls silent."""
    import time

    give_up_at = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=3) as line:
                line.sendall(raw)
                said = b""
                with contextlib.suppress(TimeoutError, ConnectionError):
                    while more := line.recv(65536):
                        said += more
                return said
        except ConnectionRefusedError:
            assert time.monotonic() < give_up_at
            time.sleep(0.1)


SECOND = b"GET /admin/ HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 40\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length : 4\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: y\r\n Transfer-Encoding: chunked\r\n",
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_answered_once_at_most(port: int, headers: bytes) -> None:
    """Request smuggling: what a proxy takes for a body must never be a second request here."""
    said = exchange(port, b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n0\r\n\r\n" + SECOND)
    assert said.count(b"HTTP/1.1 200") == 0, said
    assert said.count(b"HTTP/1.1 ") <= 1, said


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 200,
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000 + b"\r\n",
        b"GET /?" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Fold: a\r\n" + b" b\r\n" * 500,
    ],
    ids=["many", "long", "address", "folded"],
)
def test_a_flood_of_headers_is_refused_before_the_application_sees_it(port: int, head: bytes) -> None:
    said = exchange(port, head + b"\r\n")
    assert not said.startswith(b"HTTP/1.1 200"), said[:200]
    assert said.startswith(b"HTTP/1.1 4") or said == b"", said[:200]


def test_two_honest_requests_on_one_line_are_answered_twice(port: int) -> None:
    said = exchange(port, SECOND + SECOND)
    assert said.count(b"HTTP/1.1 200") == 2, said
