"""Published lines as a table: CSV and xlsx with the page's own figures, exact in fen, no cell a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter

from app.revenue.money import yuan
from bff.admin.figure_csv import safe

_KINDS = {"income": "收入", "cost": "成本", "use": "支出", "fund": "转入维修资金", "adjustment": "调整"}
_HEAD = (
    *("日期", "类型", "项目", "科目", "对方", "说明", "凭证数", "冲正"),
    *("金额（元）", "金额（分）", "编号"),
)
_WIDTHS = (12, 10, 12, 18, 24, 40, 8, 8, 16, 16, 40)
Cell = str | int


def table(lines: Sequence[dict[str, Any]], total: dict[str, Any], names: Sequence[str]) -> list[list[Cell]]:
    """The rows of the table: what the list shows of the lines (`names`: their ids on the wire), the totals below."""
    rows: list[list[Cell]] = [list(_HEAD)]
    for line, name in zip(lines, names, strict=True):
        mark = "冲正" if line["reverses"] else "已冲正" if line["reversed_by"] else ""
        rows.append(
            [
                line["day"].isoformat(),
                _KINDS[line["kind"]],
                _KINDS[line["account"]],
                line["category"] or "",
                line["counterparty"] or "",
                line["note"],
                line["voucher_count"],
                mark,
                yuan(line["signed_fen"]),
                line["signed_fen"],
                name,
            ]
        )
    for field, text in (
        ("income_fen", "收入合计"),
        ("cost_fen", "成本合计"),
        ("net_fen", "净收益"),
        ("uses_fen", "支出合计"),
        ("fund_fen", "转入维修资金合计"),
    ):
        rows.append([text, "", "", "", "", "", "", "", yuan(total[field]), total[field], ""])
    return rows


# Made here of digits alone, so no apostrophe has to make it harmless.
_YUAN = 8


def as_csv(rows: Sequence[Sequence[Cell]]) -> bytes:
    """UTF-8 with its mark, so that Excel and WPS read Chinese."""
    out = io.StringIO()
    writer = csv.writer(out)
    for number, row in enumerate(rows):
        is_ours = [isinstance(cell, int) or (number > 0 and at == _YUAN) for at, cell in enumerate(row)]
        writer.writerow([cell if ours else safe(cell) for cell, ours in zip(row, is_ours, strict=True)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def as_xlsx(rows: Sequence[Sequence[Cell]]) -> bytes:
    """A workbook of one sheet; texts are stored as texts, whatever they begin with."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("公共收益")
        bold = book.add_format({"bold": True})
        for at, width in enumerate(_WIDTHS):
            sheet.set_column(at, at, width)
        for number, row in enumerate(rows):
            for at, cell in enumerate(row):
                if isinstance(cell, int):
                    sheet.write_number(number, at, cell)
                else:
                    sheet.write_string(number, at, cell, bold if number == 0 else None)
        sheet.freeze_panes(1, 0)
    return out.getvalue()


WRITERS = {"csv": as_csv, "xlsx": as_xlsx}
