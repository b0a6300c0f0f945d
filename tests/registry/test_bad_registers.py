"""Bad registers: each gets a clear word, names its cell, writes nothing, and the service stays up."""

from __future__ import annotations

import io
import resource
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app.places import sheets
from tests.conftest import Town
from tests.registry.conftest import HEADINGS, Clerk, id_number, workbook
from workers.sheets import lines

GOOD = ["1栋", "1单元", "101", "住宅", 89.5, "张三", "13800000001", id_number(1)]


def changed(**by_column: Any) -> list[Any]:
    row = list(GOOD)
    for column, value in by_column.items():
        row[ord(column) - 65] = value
    return row


BAD_CELLS = {
    "no number": (changed(C=""), "C", "number_missing"),
    "no building": (changed(A=""), "A", "building_missing"),
    "an unknown kind": (changed(D="飞船"), "D", "bad_kind"),
    "words for an area": (changed(E="约九十"), "E", "bad_area"),
    "a negative area": (changed(E=-89.5), "E", "negative_area"),
    "no area at all, as a number": (changed(E=0), "E", "negative_area"),
    "an absurd area": (changed(E=895000), "E", "absurd_area"),
    "three decimals": (changed(E=89.123), "E", "area_precision"),
    "a masked name": (changed(F="张*"), "F", "masked"),
    "a number for a name": (changed(F="12345"), "F", "bad_name"),
    "a formula as a name": (changed(F="@SUM(A1)"), "F", "bad_name"),
    "a phone too short": (changed(G="1380000"), "G", "bad_phone"),
    "a masked phone": (changed(G="138****0001"), "G", "masked"),
    "a wrong check digit": (
        changed(H=id_number(1)[:17] + ("1" if id_number(1)[17] != "1" else "2")),
        "H",
        "bad_check_digit",
    ),
    "a birthday that is none": (changed(H="500105199002301239"), "H", "bad_birth_date"),
    "an ID number that became a number": (changed(H=500105199001010011), "H", "digits_lost"),
    "a masked ID number": (changed(H="5001**********0011"), "H", "masked"),
    "an ID number without its owner": (changed(F="", G=""), "H", "owner_missing"),
    "two ID numbers for one owner": (changed(H=f"{id_number(1)}、{id_number(2)}"), "H", "count_differs"),
}


@pytest.mark.parametrize("case", sorted(BAD_CELLS))
def test_a_bad_cell_is_named_by_sheet_row_column_and_reason(clerk: Clerk, case: str) -> None:
    row, column, code = BAD_CELLS[case]
    rows: list[list[Any]] = [HEADINGS, changed(C="100"), row]
    if code == "bad_birth_date":
        from app.places.identity import _check_digit

        row[7] = (first := "50010519900230123") + _check_digit(first)
    seen = clerk.preview(workbook(rows, titles=["标题"]))
    assert (seen["counts"]["new"], seen["counts"]["bad"]) == (1, 1), seen
    (problem,) = seen["problems"]
    assert (problem["sheet"], problem["row"], problem["column"], problem["code"]) == ("台账", 4, column, code)
    assert len(problem["reason"]) > 4
    refused = clerk.caller.post(f"/registry/imports/{seen['import_id']}/apply", {})
    assert (refused.status_code, refused.json["code"], refused.json["bad"]) == (409, "has_bad_rows", 1)
    assert clerk.houses() == []
    clerk.apply(seen["import_id"], skip_bad=True)
    assert [h["number"] for h in clerk.houses()] == ["100"]


@pytest.mark.parametrize("written", ["138 0000 0001", "+86 138-0000-0001", "1380000 0001", "8613800000001"])
def test_a_phone_in_another_format_is_the_same_phone(clerk: Clerk, written: str) -> None:
    clerk.load(workbook([HEADINGS, GOOD]))
    seen = clerk.preview(workbook([HEADINGS, changed(G=written)]))
    assert (seen["counts"]["unchanged"], seen["counts"]["bad"]) == (1, 0)


def test_two_rows_for_one_house_are_both_refused_and_name_each_other(clerk: Clerk) -> None:
    rows: list[list[Any]] = [HEADINGS, GOOD, changed(A="1号楼", B="一单元", C="0101", F="李四", H="")]
    seen = clerk.preview(workbook(rows))
    assert seen["counts"]["bad"] == 2
    assert [(p["row"], p["code"]) for p in seen["problems"]] == [(2, "house_twice"), (3, "house_twice")]
    assert "第 3 行" in seen["problems"][0]["reason"]


def test_a_formula_cell_is_named(clerk: Clerk) -> None:
    seen = clerk.preview(workbook([HEADINGS, changed(E=None)], formulas={(1, 4): "=80+9.5"}))
    assert [(p["row"], p["column"], p["code"]) for p in seen["problems"]] == [(2, "E", "formula")]


@pytest.mark.parametrize(
    ("part", "target"),
    [
        ("sheet1", "sheet1"),
        ("sheet1.dat", "sheet1.dat"),
        ("Sheet1.XML", "sheet1.xml"),
        ("./s.xml", "./s.xml"),
    ],
)
def test_a_formula_is_found_whatever_the_part_of_its_sheet_is_called(part: str, target: str) -> None:
    made = renamed_sheet(workbook([HEADINGS, GOOD], formulas={(1, 4): "=80+9.5"}), part, target)
    heading, *rows = sheets.read(made)
    assert (len(rows), heading["formulas"]) == (2, [(2, 5)])


def test_a_sheet_that_unpacks_to_too_much_is_refused_whatever_its_part_is_called() -> None:
    made = renamed_sheet(workbook([HEADINGS, GOOD]), "sheet1.dat", "sheet1.dat", spaces=500 << 20)
    with pytest.raises(sheets.Unreadable, match="too_big"):
        list(sheets.read(made))


def test_a_formula_in_a_csv_is_named_and_a_text_kept_by_a_formula_is_read(clerk: Clerk) -> None:
    text = '楼栋,房号,登记面积,业主\n1栋,="0101",89.5,张三\n1栋,102,=1+1,李四\n'
    seen = clerk.preview(text.encode(), "a.csv")
    assert [(p["row"], p["column"], p["code"]) for p in seen["problems"]] == [(3, "C", "formula")]
    assert seen["counts"]["new"] == 1


def test_an_area_merged_over_two_houses_is_nobodys(clerk: Clerk) -> None:
    rows = [HEADINGS, changed(E=None), changed(C="102", E=None)]
    seen = clerk.preview(workbook(rows, merge=[(1, 4, 2, 4, 200)]))
    assert [(p["row"], p["code"]) for p in seen["problems"]] == [(2, "merged_area"), (3, "merged_area")]


def test_houses_of_a_community_outside_the_importers_scope_are_refused(clerk: Clerk, town: Town) -> None:
    outside = town.staff("community", town.b).get("/areas").json["items"][0]["name"]
    mine = clerk.caller.get("/areas").json["items"]
    name = next(row["name"] for row in mine if row["estate_id"] == town.a.estate_id)
    rows = [["小区", *HEADINGS], [name, *GOOD], [outside, *GOOD], ["没有的小区", *GOOD]]
    seen = clerk.preview(workbook(rows), estate_id="")
    assert [(p["row"], p["column"], p["code"]) for p in seen["problems"]] == [
        (3, "A", "estate_out_of_scope"),
        (4, "A", "estate_unknown"),
    ]
    assert seen["counts"]["new"] == 1
    foreign = clerk.upload(workbook([HEADINGS, GOOD]), estate_id=town.b.estate_id)
    assert foreign.status_code == 404


def test_a_wrong_sheet_asks_what_its_columns_are(clerk: Clerk) -> None:
    seen = clerk.preview(workbook([["商品", "价格"], ["苹果", 5]]))
    assert (seen["state"], seen["missing"]) == ("mapping", ["number"])


def test_one_id_number_under_two_names_keeps_the_first(clerk: Clerk) -> None:
    seen = clerk.preview(workbook([HEADINGS, GOOD, changed(C="102", F="李四")]))
    assert [(p["row"], p["code"]) for p in seen["problems"]] == [(3, "other_name")]
    assert seen["counts"]["conflicting"] == 1


# --- files -----------------------------------------------------------------------------------------------


def bomb(part: str, size: int) -> bytes:
    """A good workbook in which one part unpacks to `size` bytes."""
    good = zipfile.ZipFile(io.BytesIO(workbook([HEADINGS, GOOD])))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in good.namelist():
            if name != part:
                made.writestr(name, good.read(name))
        with made.open(part, "w") as stream:
            for _ in range(size >> 20):
                stream.write(b" " * (1 << 20))
    return out.getvalue()


def renamed_sheet(data: bytes, part: str, target: str, *, spaces: int = 0) -> bytes:
    """The workbook with its first sheet in a part of this name, which the workbook calls `target`."""
    good = zipfile.ZipFile(io.BytesIO(data))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in good.namelist():
            text = good.read(name)
            if name == "xl/worksheets/sheet1.xml":
                with made.open(f"xl/worksheets/{part}", "w") as stream:
                    stream.write(text)
                    for _ in range(spaces >> 20):
                        stream.write(b" " * (1 << 20))
            else:
                made.writestr(name, text.replace(b"worksheets/sheet1.xml", f"worksheets/{target}".encode()))
    return out.getvalue()


def far_cell(reference: str) -> bytes:
    """A workbook with one cell far away, for which a reader would make room up to there."""
    good = zipfile.ZipFile(io.BytesIO(workbook([["a"]])))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in good.namelist():
            data = good.read(name)
            if name == "xl/worksheets/sheet1.xml":
                data = data.replace(b'r="A1"', f'r="{reference}"'.encode())
            made.writestr(name, data)
    return out.getvalue()


def entities() -> bytes:
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    good = zipfile.ZipFile(io.BytesIO(workbook([["a"]])))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in good.namelist():
            data = good.read(name)
            if name == "xl/worksheets/sheet1.xml":
                data = data.replace(b"<worksheet", laughs.encode() + b"<worksheet", 1)
            made.writestr(name, data)
    return out.getvalue()


FILES = Path(__file__).with_name("files")


def under_a_password() -> bytes:
    """An .xls whose second record says that what follows is encrypted (FILEPASS, MS-XLS 2.4.117)."""
    data = bytearray((FILES / "register.xls").read_bytes())
    globals_ = data.index(b"\x09\x08\x10\x00\x00\x06\x05\x00")
    data[globals_ + 20 : globals_ + 22] = b"\x2f\x00"
    return bytes(data)


BAD_FILES = {
    "a workbook under a password": ((FILES / "password.xlsx").read_bytes, "password"),
    "an old workbook under a password": (under_a_password, "password"),
    "a bomb in a sheet": (lambda: bomb("xl/worksheets/sheet1.xml", 500 << 20), "too_big"),
    "a bomb in the texts": (lambda: bomb("xl/sharedStrings.xml", 500 << 20), "too_big"),
    "a cell in the last column": (lambda: far_cell("XFD1"), "too_wide"),
    "a cell in the last row": (lambda: far_cell("A1048576"), "too_many_rows"),
    "entities": (entities, "unreadable"),
    "a zip that is no workbook": (lambda: b"PK\x03\x04" + b"x" * 200, "unreadable"),
    "half a workbook": (lambda: workbook([HEADINGS, GOOD])[:3000], "unreadable"),
    "an old workbook that is broken": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000,
        "unreadable",
    ),
    "no encoding": (lambda: b"\xff\xff\xff\x81\x20" * 10, "bad_encoding"),
}


@pytest.mark.parametrize("case", sorted(BAD_FILES))
def test_a_bad_file_fails_with_a_clear_word_and_the_next_one_is_read(clerk: Clerk, case: str) -> None:
    make, code = BAD_FILES[case]
    seen = clerk.preview(make())
    assert (seen["state"], seen["code"]) == ("failed", code)
    assert len(seen["message"]) > 5
    assert (code == "password") is ("密码" in seen["message"])
    assert clerk.preview(workbook([HEADINGS, GOOD]))["state"] == "previewed"


def test_a_file_of_200_mb_is_refused_before_it_is_read(clerk: Clerk) -> None:
    # What counts is the announced length: nobody has to send it all to be refused.
    answer = clerk.caller.call(
        "POST",
        "/registry/imports",
        data=b"--x\r\n",
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(200 << 20)},
    )
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")
    large = clerk.upload(b"a,b\n" * (5 << 20) + b"x" * (1 << 19))
    assert (large.status_code, large.json["code"]) == (422, "file_too_large")


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"%PDF-1.7\n\0\0"])
def test_what_is_no_spreadsheet_is_refused_at_once(clerk: Clerk, data: bytes) -> None:
    answer = clerk.upload(data)
    assert (answer.status_code, answer.json["code"]) == (422, "file_not_taken")


def test_a_reader_that_dies_or_hangs_is_noticed() -> None:
    file = workbook([HEADINGS, *[GOOD] * 20])
    assert list(lines(file))[-1] == {"end": True}
    assert {"end": True} not in list(lines(file, patience_s=0.01))


def test_the_reader_works_under_a_limit_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[Any] = []
    monkeypatch.setattr(resource, "setrlimit", lambda kind, pair: limits.append((kind, pair)))

    class Empty:
        buffer = io.BytesIO(b"a,b\n1,2\n")

    class Out:
        buffer = io.BytesIO()

    monkeypatch.setattr(sys, "stdin", Empty)
    monkeypatch.setattr(sys, "stdout", Out)
    assert sheets.main() == 0
    assert limits == [(resource.RLIMIT_AS, (sheets.MEMORY, sheets.MEMORY))]
    assert Out.buffer.getvalue().endswith(b'{"end":true}\n')
