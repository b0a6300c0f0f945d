"""Which column of a property office's ledger is what: by headings as they are written, or as a person mapped them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from app.places.headings import LOOK, plain


class Field(StrEnum):
    """What a column of a ledger can hold."""

    DAY = "day"
    KIND = "kind"
    CATEGORY = "category"
    AMOUNT = "amount"
    INCOME = "income"  # of two columns, one for each direction
    OUT = "out"
    COUNTERPARTY = "counterparty"
    CONTRACT = "contract"
    NOTE = "note"
    IGNORED = "ignored"  # a person said that this column is nothing for the books


# The first of each is what the template says.
SYNONYMS: dict[Field, tuple[str, ...]] = {
    Field.DAY: (
        "日期",
        "记账日期",
        "收支日期",
        "发生日期",
        "入账日期",
        "收款日期",
        "付款日期",
        "时间",
        "年月日",
    ),
    Field.KIND: ("类型", "收支类型", "类别", "收支", "收支类别", "收或支", "性质"),
    Field.CATEGORY: (
        "科目",
        "项目",
        "收支项目",
        "科目名称",
        "明细科目",
        "收益项目",
        "费用项目",
        "收入项目",
        "项目名称",
    ),
    Field.AMOUNT: ("金额", "收支金额", "发生额", "发生金额", "合计金额", "实收金额", "人民币"),
    Field.INCOME: ("收入金额", "收入", "贷方金额", "贷方", "收方", "进账"),
    Field.OUT: ("支出金额", "支出", "借方金额", "借方", "付方", "出账"),
    Field.COUNTERPARTY: (
        "对方单位",
        "对方",
        "往来单位",
        "付款单位",
        "收款单位",
        "单位",
        "客户",
        "对方名称",
        "交易对方",
    ),
    Field.CONTRACT: ("合同编号", "合同号", "合同"),
    Field.NOTE: ("说明", "摘要", "备注", "用途", "事由", "内容"),
}


class Column(NamedTuple):
    """A column with its heading and what it holds, None while nobody knows."""

    at: int  # from 0
    heading: str
    field: Field | None


def field_of(heading: str, mapped: Mapping[str, str]) -> Field | None:
    """What a heading means: as a person mapped it, else by its synonyms."""
    text = plain(heading).removesuffix("(元)").removesuffix("元")
    for given, field in mapped.items():
        if plain(given) == plain(heading):
            return Field(field)
    return next((known for known, synonyms in SYNONYMS.items() if text in synonyms), None)


def columns_of(cells: Sequence[str], mapped: Mapping[str, str]) -> list[Column]:
    """The columns of a row of headings. The second of two of one kind is for a person to say."""
    columns: list[Column] = []
    taken: set[Field] = set()
    for at, cell in enumerate(cells):
        if cell:
            field = field_of(cell, mapped)
            if field in taken and field is not Field.IGNORED:
                field = None
            if field is not None:
                taken.add(field)
            columns.append(Column(at, cell[:60], field))
    return columns


def find(
    rows: Sequence[tuple[int, Sequence[str]]], mapped: Mapping[str, str]
) -> tuple[int, list[Column]] | None:
    """The row of the headings and its columns: of the first rows the one in which most are known; None when no row has
    two.
    """
    best: tuple[int, list[Column]] | None = None
    most = 1
    for number, cells in rows[:LOOK]:
        columns = columns_of(cells, mapped)
        known = len({column.field for column in columns} - {None, Field.IGNORED})
        if known > most:
            best, most = (number, columns), known
    return best


def missing(fields: set[Field | None]) -> list[str]:
    """What a ledger can't do without."""
    found = [field.value for field in (Field.DAY, Field.CATEGORY) if field not in fields]
    if not fields & {Field.AMOUNT, Field.INCOME, Field.OUT}:
        found.append(Field.AMOUNT.value)
    return found
