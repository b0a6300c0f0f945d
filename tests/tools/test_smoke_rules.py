"""The smoke test stands on its own feet, and notices what is not as the contract says."""

from __future__ import annotations

import ast
import sys
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import Any

import orjson
import pytest

from tools import smoke_contract as contract
from tools import smoke_figures, smoke_patrol
from tools.smoke_http import Answer, Deviation, multipart
from tools.smoke_photos import LAMP, gcj02, is_clean, metres_between

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def test_it_imports_nothing_but_the_standard_library_and_its_own_parts() -> None:
    files = sorted(TOOLS.glob("smoke*.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                parts = [f"tools.{alias.name}" for alias in node.names]
                names = parts if node.module == "tools" else [node.module or ""]
            for name in names:
                own = name.startswith("tools.smoke_")
                assert own or name.split(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"


def _answer(status: int = 200, body: Any = None, **headers: str) -> Answer:
    message = HTTPMessage()
    sent = {"Content-Type": "application/json", "X-Request-ID": "smoke-1"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in sent.items():
        Message.__setitem__(message, name, value)
    return Answer(
        "GET", "/bff/v1/x", status, message, orjson.dumps({} if body is None else body), 1.0, "smoke-1"
    )


PROBLEM = {"type": "about:blank", "title": "没有", "status": 404, "detail": "没有找到。", "code": "not_found"}
AS_PROBLEM = {"Content_Type": "application/problem+json"}


def test_what_keeps_the_rules_passes() -> None:
    contract.house_rules(
        _answer(body={"id": "tkt_" + "a" * 32, "read_at": None, "at": "2026-11-21T09:30:00+08:00"})
    )
    contract.house_rules(_answer(404, PROBLEM, **AS_PROBLEM))
    contract.house_rules(_answer(405, PROBLEM | {"status": 405}, Allow="GET", **AS_PROBLEM))


@pytest.mark.parametrize(
    "answer",
    [
        _answer(X_Request_ID="another"),
        _answer(body={"at": "2026-11-21T01:30:00Z"}),
        _answer(body={"items": [{"read_at": "2026-11-21T09:30:00"}]}),
        _answer(body={"ticket_id": 7}),
        _answer(body={"id": "0193502b-7b6d-7d31-a1b2-0123456789ab"}),
        _answer(body={"camelCase": 1}),
        _answer(201),
        _answer(404, PROBLEM),
        _answer(409, PROBLEM, **AS_PROBLEM),
        _answer(404, PROBLEM | {"code": ""}, **AS_PROBLEM),
        _answer(404, {name: PROBLEM[name] for name in PROBLEM if name != "detail"}, **AS_PROBLEM),
        _answer(405, PROBLEM | {"status": 405}, **AS_PROBLEM),
        _answer(503, PROBLEM | {"status": 503}, **AS_PROBLEM),
        _answer(500, PROBLEM | {"status": 500}, **AS_PROBLEM),
        _answer(304, {"x": 1}, ETag='"1"'),
    ],
    ids=lambda answer: f"{answer.status} {answer.body.decode()[:40]}",
)
def test_what_breaks_a_rule_is_noticed(answer: Answer) -> None:
    with pytest.raises(Deviation):
        contract.house_rules(answer)


@pytest.mark.parametrize("missing", ["number", "promised"])
def test_a_named_field_that_is_missing_is_noticed(missing: str) -> None:
    at = "2026-11-21T09:30:00+08:00"
    promised = dict.fromkeys(("accept_by", "dispatch_by", "close_by"), at)
    opened = {"ticket_id": "tkt_" + "a" * 32, "number": "1", "status": "received", "promised": promised}
    contract.fits(opened, contract.OPENED, "POST /tickets")
    del opened[missing]
    with pytest.raises(Deviation, match=missing):
        contract.fits(opened, contract.OPENED, "POST /tickets")


def test_a_picture_that_still_tells_where_it_was_taken_is_noticed() -> None:
    clean = bytes.fromhex("ffd8 ffc0000b080002000101011100 ffda00080101003f00 00 ffd9")
    assert is_clean(clean, "photo")[:2] == (1, 2)
    with pytest.raises(Deviation):
        is_clean(clean[:2] + b"\xff\xe1\x00\x08Exif\0\0" + clean[2:], "photo")


def test_the_lamp_lies_480_m_away_on_wechats_map() -> None:
    # Shared anchor of the contract: the two systems are 480 m apart in Chongqing.
    assert metres_between(LAMP, gcj02(*LAMP)) == pytest.approx(480, abs=1)


def test_a_file_is_sent_as_one_part_named_file() -> None:
    kind, body = multipart({"purpose": "after_photo"}, "a.jpg", b"\xff\xd8")
    boundary = kind.partition("boundary=")[2].encode()
    assert body.count(b"--" + boundary) == 3
    assert b'name="file"; filename="a.jpg"' in body
    assert body.endswith(b"\r\n--" + boundary + b"--\r\n")


def _heat(cells: list[int | None], total: int | None) -> dict[str, Any]:
    def said(n: int | None) -> dict[str, Any]:
        return {"n": n, "hidden": n is None, "community": "江岸社区"}

    shown = [said(n) for n in cells]
    return {"items": shown, "communities": [said(total)], "totals": said(total), "without_grid": said(None)}


def test_a_heat_map_that_hides_its_small_numbers_passes() -> None:
    table: list[tuple[list[int | None], int | None]] = [
        ([7, 9], 16),
        ([None, None, 9], 15),
        ([None], None),
        ([None, 8], None),
    ]
    for cells, total in table:
        smoke_patrol.hides_small_numbers(_heat(cells, total), "heat map")


@pytest.mark.parametrize(
    ("cells", "total"),
    [([4, 9], 13), ([None, 9], 12), ([7, 9], 17)],
    ids=["a small number", "one hidden that the total gives away", "another sum"],
)
def test_a_heat_map_that_gives_a_small_number_away_is_noticed(cells: list[int | None], total: int) -> None:
    with pytest.raises(Deviation):
        smoke_patrol.hides_small_numbers(_heat(cells, total), "heat map")


def test_a_grade_that_does_not_follow_from_its_numbers_is_noticed() -> None:
    grade = {"numerator": 6, "per": 100, "denominator": 100, "regular_from": 2, "key_from": 6}
    smoke_patrol.follows({**grade, "grade": "key"})
    with pytest.raises(Deviation):
        smoke_patrol.follows({**grade, "grade": "regular"})


def _figure(numerator: int, denominator: int, left: int = 0, **shown: str | None) -> dict[str, Any]:
    out = [{"reason": "merged", "name": "已合并", "count": left}] if left else []
    figure = {"metric": "closed", "numerator": numerator, "denominator": denominator, "left_out": out}
    return figure | {"percent": None, "days": None} | shown


def test_a_figure_that_is_not_what_it_is_made_of_is_noticed() -> None:
    for right in (
        _figure(1, 3, percent="33.33%"),
        _figure(1, 800, percent="0.13%"),
        _figure(129_600, 1, days="1.50"),
        _figure(0, 0),
    ):
        smoke_figures.holds(right, "closed")
    for wrong in (_figure(1, 3, percent="33.34%"), _figure(0, 0, percent="0.00%"), _figure(1, 2)):
        with pytest.raises(Deviation):
            smoke_figures.holds(wrong, "closed")


def test_groups_that_do_not_make_the_total_are_noticed() -> None:
    rows = [
        {"name": "一", "figures": [_figure(1, 2, 1, percent="50.00%")]},
        {"name": "二", "figures": [_figure(1, 1, percent="100.00%")]},
    ]
    smoke_figures.adds_up({"total": [_figure(2, 3, 1, percent="66.67%")], "rows": rows}, "sla")
    for total in (_figure(2, 3, percent="66.67%"), _figure(2, 4, 1, percent="50.00%")):
        with pytest.raises(Deviation):
            smoke_figures.adds_up({"total": [total], "rows": rows}, "sla")
