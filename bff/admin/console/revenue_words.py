"""How the books call things on the screens."""

from __future__ import annotations

from datetime import date

from app.revenue.ledger_headings import Field
from app.revenue.spans import MONTHS, Rhythm, first_of, last_of
from bff.admin.console.words import language, say

KINDS = {"income": "收入", "cost": "成本", "use": "支出", "fund": "转入维修资金", "adjustment": "调整"}
STATES = {
    "draft": "记账中",
    "in_review": "等待审核",
    "reviewed": "已审核，等待公布",
    "published": "已公布",
    "posted": "公示中",
    "closed": "公示期满",
}
RHYTHMS = {Rhythm.MONTH: "每月", Rhythm.QUARTER: "每季度", Rhythm.HALF_YEAR: "每半年", Rhythm.YEAR: "每年"}
SPANS = {Rhythm.MONTH: "按月", Rhythm.QUARTER: "按季度", Rhythm.YEAR: "按年"}
ROUNDINGS = {"half_even": "四舍六入五成双", "half_up": "四舍五入", "floor": "不足一分的舍去"}
KEEPERS = {"fund_centre": "区维修资金中心", "committee": "业委会专户", "entrusted": "受托物业专户"}
COLUMNS = {
    Field.DAY: "日期",
    Field.KIND: "类型（收入、成本、支出）",
    Field.CATEGORY: "科目",
    Field.AMOUNT: "金额",
    Field.INCOME: "收入金额",
    Field.OUT: "支出金额",
    Field.COUNTERPARTY: "对方",
    Field.CONTRACT: "合同编号",
    Field.NOTE: "说明",
    Field.IGNORED: "这一列不用",
}
IMPORT_STATES = {
    "reading": "正在读取",
    "mapping": "等您指明各列",
    "previewed": "等您核对",
    "applying": "正在记入",
    "applied": "已记入",
    "failed": "没有成功",
}
CONTRACT_FIELDS = {"number": "合同编号", "party": "对方", "subject": "内容", "ends_on": "结束日期"}


def named(among: dict[str, str], key: str | None) -> str:
    """What a word of the software is called."""
    return say(among[key]) if key in among else key or ""


def kind_name(kind: str | None) -> str:
    """Income, cost, use, to the fund, adjustment."""
    return named(KINDS, kind)


def state_name(state: str) -> str:
    """Where a period stands."""
    return named(STATES, state)


def money(fen: int | None) -> str:
    """`1,234.50`, by digits alone; a dash for none."""
    if fen is None:
        return "—"
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole:,}.{rest:02d}"


def plain_yuan(fen: int) -> str:
    """`1234.50`, as it stands in a field."""
    return money(fen).replace(",", "")


def percent(points: int | None) -> str:
    """Of 7000: `70%`."""
    return "—" if points is None else f"{points / 100:.2f}".rstrip("0").rstrip(".") + "%"


def day(text: str | None) -> str:
    """A day as people write it."""
    if not text:
        return "—"
    if language() == "en":
        return text
    at = date.fromisoformat(text)
    return f"{at.year}年{at.month}月{at.day}日"


def span(first_day: str, last_day: str) -> str:
    """What a period is called: a month, a quarter, a half or a whole year; else its days."""
    first, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
    if language() == "en":
        return f"{first_day} – {last_day}"
    whole = [r for r in Rhythm if (first, last) == (first_of(first, r), last_of(first, r))]
    if not whole:
        return f"{day(first_day)}至{day(last_day)}"
    number = (first.month - 1) // MONTHS[whole[0]] + 1
    halves = (f"{first.year}年上半年", f"{first.year}年下半年")
    called = {
        Rhythm.MONTH: f"{first.year}年{number}月",
        Rhythm.QUARTER: f"{first.year}年第{number}季度",
        Rhythm.HALF_YEAR: halves[min(number, 2) - 1],
        Rhythm.YEAR: f"{first.year}年",
    }
    return called[whole[0]]


def span_label(label: str) -> str:
    """A quarter or half year as figures name it (2025Q1, 2025H1), as people do; anything else as it is."""
    year, part, number = label[:4], label[4:5], label[5:]
    if language() == "en" or part not in {"Q", "H"}:
        return label
    if part == "Q":
        return f"{year}年第{number}季度"
    return f"{year}年上半年" if number == "1" else f"{year}年下半年"


WORDS = {
    "kind_name": kind_name,
    "state_name": state_name,
    "money": money,
    "plain_yuan": plain_yuan,
    "percent": percent,
    "day": day,
    "span": span,
    "span_label": span_label,
    "named": named,
    "RHYTHMS": {str(key): value for key, value in RHYTHMS.items()},
    "ROUNDINGS": ROUNDINGS,
    "KEEPERS": KEEPERS,
    "KINDS": KINDS,
    "COLUMNS": {str(key): value for key, value in COLUMNS.items()},
    "IMPORT_STATES": IMPORT_STATES,
    "CONTRACT_FIELDS": CONTRACT_FIELDS,
}
