"""Workbooks we hand out: the template of a register, and the rows of an import that could not be taken."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Protocol

from app.places.headings import SYNONYMS, Field, letter
from app.places.register_file import Problem
from app.places.words import reason

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_EXAMPLE = {
    Field.ESTATE: "示例小区",
    Field.BUILDING: "1栋",
    Field.UNIT: "1单元",
    Field.NUMBER: "101",
    Field.KIND: "住宅",
    Field.REGISTERED: "89.12",
    Field.NAME: "张三、李四",
    Field.PHONE: "13800000000、13900000000",
    Field.STATE: "已交付",
    Field.SINCE: "2020-03-01",
}
_HELP = (
    "一行填一套房屋。房号必填；一个文件只有一个小区时，小区一列可以不填，在导入时选择。",
    "共有人写在同一格，用顿号分隔；电话和证件号码按姓名的顺序填写。",
    "面积单位为平方米，最多两位小数。三种面积有哪种填哪种：先用登记面积，没有再用实测面积，再没有用合同面积。",
    "用途：住宅、商铺、车库、车位、储藏室。状态：已交付、未交付、未售。",
    "电话和证件号码请保持文本格式，不要让表格软件变成数字。请不要使用公式和合并面积格。",
)
# What a spreadsheet would run when somebody saves the sheet as CSV and opens it again (CSV injection).
_STARTS = ("=", "+", "-", "@", "\t", "\r")


def _said(code: str, other_row: int | None) -> str:
    return reason(code, other_row=other_row)


def harmless(text: str) -> str:
    """The text as it may stand in a cell: what begins like a formula gets an apostrophe before it."""
    return f"'{text}" if text.startswith(_STARTS) else text


def template() -> bytes:
    """An empty register with the headings we know, an example on a sheet of its own, and what to mind."""
    import xlsxwriter  # here, for processes that write no sheet shouldn't carry it

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        bold = book.add_format({"bold": True, "bg_color": "#DDEBF7", "text_wrap": True, "valign": "top"})
        as_text = book.add_format({"num_format": "@"})
        fields: list[Field] = [field for field in Field if field is not Field.IGNORED]
        empty, example = book.add_worksheet("房屋台账"), book.add_worksheet("示例与说明")
        for at, field in enumerate(fields):
            empty.set_column(at, at, 16, as_text)
            empty.write_string(0, at, SYNONYMS[field][0], bold)
            # Downwards, so that an example somebody leaves in is never read as a house.
            example.write_string(at, 0, SYNONYMS[field][0], bold)
            example.write_string(at, 1, _EXAMPLE.get(field, ""))
        empty.freeze_panes(1, 0)
        example.set_column(0, 1, 24)
        for row, text in enumerate(_HELP, len(fields) + 1):
            example.write_string(row, 0, text)
        kinds: dict[Field, list[str]] = {
            Field.KIND: ["住宅", "商铺", "车库", "车位", "储藏室"],
            Field.STATE: ["已交付", "未交付", "未售"],
        }
        for listed, words in kinds.items():
            at = fields.index(listed)
            empty.data_validation(1, at, 65_000, at, {"validate": "list", "source": words})
    return out.getvalue()


class Bad(Protocol):
    """What a file was read into, with the rows that could not be taken."""

    problems: list[Problem]
    sheets_taken: list[str]
    originals: list[tuple[str, int, list[str]]]
    header_cells: dict[str, list[str]]


def error_sheet(
    register: Bad, conflicts: Iterable[Problem], *, say: Callable[[str, int | None], str] = _said
) -> bytes:
    """The rows that could not be taken, as they stand in the file, with the reasons before them, to be corrected and
    uploaded again. What differs from better sources stands on a sheet of its own, by place only.
    """
    of_row: dict[tuple[str, int], list[Problem]] = defaultdict(list)
    for problem in register.problems:
        of_row[problem.sheet, problem.row].append(problem)
    import xlsxwriter  # here, for processes that write no sheet shouldn't carry it

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        bold = book.add_format({"bold": True, "bg_color": "#DDEBF7"})
        wrong = book.add_format({"bg_color": "#FFC7CE", "num_format": "@"})
        plain = book.add_format({"num_format": "@"})
        for name in register.sheets_taken:
            rows = [(row, cells) for sheet, row, cells in register.originals if sheet == name]
            if not rows:
                continue
            sheet = book.add_worksheet(name[:31])
            sheet.set_column(0, 0, 40)
            for at, heading in enumerate(["问题", "原行号", *register.header_cells[name]]):
                sheet.write_string(0, at, harmless(heading), bold)
            for line, (row, cells) in enumerate(sorted(rows), 1):
                found = of_row[name, row]
                bad = {problem.column for problem in found}
                sheet.write_string(line, 0, " ".join(say(p.code, p.other_row) for p in found))
                sheet.write_number(line, 1, row)
                for at, value in enumerate(cells):
                    style = wrong if letter(at) in bad else plain
                    sheet.write_string(line, at + 2, harmless(value), style)
        kept = list(conflicts)
        if kept:
            sheet = book.add_worksheet("与登记册不同")
            for at, heading in enumerate(["工作表", "行", "列", "说明"]):
                sheet.write_string(0, at, heading, bold)
            for line, p in enumerate(kept, 1):
                sheet.write_string(line, 0, harmless(p.sheet))
                sheet.write_number(line, 1, p.row)
                sheet.write_string(line, 2, p.column or "")
                sheet.write_string(line, 3, say(p.code, p.other_row))
        if not book.worksheets():
            book.add_worksheet("没有问题")
    return out.getvalue()
