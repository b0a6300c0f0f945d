"""The workbook that a property office fills in."""

from __future__ import annotations

import io

from app.revenue.ledger_headings import SYNONYMS, Field

_FIELDS = (
    *(Field.DAY, Field.KIND, Field.CATEGORY, Field.AMOUNT),
    *(Field.COUNTERPARTY, Field.CONTRACT, Field.NOTE),
)
_EXAMPLE = {
    Field.DAY: "2025-03-05",
    Field.KIND: "收入",
    Field.CATEGORY: "电梯广告",
    Field.AMOUNT: "6600.00",
    Field.COUNTERPARTY: "某广告公司",
    Field.CONTRACT: "GG-2025-01",
    Field.NOTE: "一季度广告费",
}
_HELP = (
    "一行填一笔账。日期、科目、金额必填；金额单位为元，最多两位小数，不填负数。",
    "类型：收入、成本、支出、转入维修资金。也可以不填类型，用“收入金额”“支出金额”两列分别填写。",
    "科目须与系统中的科目一致；上传时选择“自动添加科目”，没有的科目会按类型添加。",
    "有合同的填合同编号。退款、冲减和更正请在系统里用“调整”或“冲正”，不要填负数。",
    "请不要使用公式；从其他表复制时用“选择性粘贴—数值”。",
)


def template() -> bytes:
    """An empty ledger with the headings we know, an example on a sheet of its own, and what to mind."""
    import xlsxwriter  # here, for processes that write no sheet shouldn't carry it

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        bold = book.add_format({"bold": True, "bg_color": "#DDEBF7"})
        empty, example = book.add_worksheet("收支明细"), book.add_worksheet("示例与说明")
        for at, field in enumerate(_FIELDS):
            empty.set_column(at, at, 18)
            empty.write_string(0, at, SYNONYMS[field][0], bold)
            # Downwards, so that an example somebody leaves in is never read as an entry.
            example.write_string(at, 0, SYNONYMS[field][0], bold)
            example.write_string(at, 1, _EXAMPLE[field])
        empty.freeze_panes(1, 0)
        words = ["收入", "成本", "支出", "转入维修资金"]
        empty.data_validation(1, 1, 65_000, 1, {"validate": "list", "source": words})
        example.set_column(0, 1, 24)
        for row, text in enumerate(_HELP, len(_FIELDS) + 1):
            example.write_string(row, 0, text)
    return out.getvalue()
