"""The rows of an uploaded ledger as they stand in the file; each cell that can't be read is named.

What the sheets say comes as lines of `app.places.sheets`; nothing here looks into the database.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from app.places import cells, headings
from app.places.identity import BadValue
from app.places.register_file import Problem, Sheet, UnreadableFile, sheets_in
from app.revenue import ledger_headings
from app.revenue.ledger_headings import Field
from app.revenue.models import MOST_FEN, EntryKind

_TOTALS = ("合计", "总计", "小计", "本月合计", "本年累计", "累计", "填表", "制表", "审核", "说明:", "说明：")
_ENTRY = (Field.DAY, Field.KIND, Field.AMOUNT, Field.INCOME, Field.OUT)  # without these a row is no entry
_MOST = {Field.CATEGORY: 40, Field.COUNTERPARTY: 80, Field.NOTE: 500, Field.CONTRACT: 40}
# 支出 says which way the money went; whether it was a cost or a use, its category does.
_KINDS = {
    "收入": {EntryKind.INCOME},
    "收益": {EntryKind.INCOME},
    "收": {EntryKind.INCOME},
    "成本": {EntryKind.COST},
    "费用": {EntryKind.COST},
    "成本费用": {EntryKind.COST},
    "使用": {EntryKind.USE},
    "支出": {EntryKind.USE, EntryKind.COST},
    "支": {EntryKind.USE, EntryKind.COST},
    "转入维修资金": {EntryKind.FUND},
    "维修资金": {EntryKind.FUND},
    "提取维修资金": {EntryKind.FUND},
}
_EVERY = frozenset({EntryKind.INCOME, EntryKind.COST, EntryKind.USE})
_AMOUNT = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d{1,2}))?", re.ASCII)


class RawRow(NamedTuple):
    """One row that can be read. `kinds`: what it may be, as far as the file says; `new_as`: what a new category of it
    becomes, where several are possible.
    """

    sheet: str
    row: int
    day: date
    kinds: frozenset[EntryKind]
    new_as: EntryKind | None
    category: str
    amount_fen: int
    counterparty: str
    contract: str
    note: str
    cells: list[str]


@dataclass
class LedgerFile:
    """A file as it was read."""

    rows: list[RawRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    headings: list[dict[str, Any]] = field(default_factory=list)
    letters: dict[tuple[str, str], str] = field(default_factory=dict)
    sheets_taken: list[str] = field(default_factory=list)
    sheets_skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    originals: list[tuple[str, int, list[str]]] = field(default_factory=list)
    header_cells: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_mapped(self) -> bool:
        """Did some sheet have the headings that are needed?"""
        return bool(self.sheets_taken)

    @property
    def total(self) -> int:
        """Rows of the file, good or bad."""
        return len(self.rows) + len(self.originals)

    def bad(self, sheet: str, row: int, field_: Field | None, code: str) -> None:
        """Note a bad cell of a row."""
        letter = self.letters.get((sheet, field_)) if field_ is not None else None
        self.problems.append(Problem(sheet, row, letter, field_, code))


def amount_fen(text: str) -> int:
    """Of `312,600.00`, `¥1234.5`, `12元`: fen, by digits alone. Raises BadValue."""
    plain = text.strip().removeprefix("¥").removeprefix("￥").removesuffix("元").strip()
    found = _AMOUNT.fullmatch(plain)
    if found is None:
        if re.fullmatch(r"[-−－(（].*\d.*", plain):
            raise BadValue("amount_negative")
        if re.fullmatch(r"[\d,]+\.\d{3,}", plain, re.ASCII):
            raise BadValue("amount_precision")
        raise BadValue("bad_amount")
    fen = int(found[1].replace(",", "")) * 100 + int(((found[2] or "") + "00")[:2])
    if fen == 0:
        raise BadValue("amount_zero")
    if fen >= MOST_FEN:
        raise BadValue("amount_too_large")
    return fen


def read(
    lines: Iterable[Any],
    mapped: Mapping[str, str],
    today: date,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> LedgerFile:
    """All rows of the file. `progress` is told the rows read so far. Raises UnreadableFile."""
    found = LedgerFile()
    ended = False
    for sheet, rows in sheets_in(lines):
        if sheet is None:
            ended = True
        else:
            _read_sheet(found, sheet, rows, mapped, today, progress)
    if not ended:
        raise UnreadableFile("unreadable")  # its reader died on the way
    return found


def _read_sheet(
    found: LedgerFile,
    sheet: Sheet,
    rows: Iterator[tuple[int, list[str]]],
    mapped: Mapping[str, str],
    today: date,
    progress: Callable[[int], None],
) -> None:
    first: list[tuple[int, list[str]]] = []
    for row in rows:
        first.append(row)
        if len(first) == headings.LOOK:
            break
    header = ledger_headings.find(first, mapped)
    if header is None:
        likely = headings.likely(first)
        found.headings += [_heading(sheet.name, c.at, c.heading, None) for c in likely]
        fields: set[Field | None] = set()
    else:
        found.headings += [_heading(sheet.name, *column) for column in header[1]]
        fields = {column.field for column in header[1]}
    lacking = ledger_headings.missing(fields)
    if header is None or lacking:
        found.sheets_skipped.append(sheet.name)
        found.missing += [name for name in lacking if name not in found.missing]
        return
    found.sheets_taken.append(sheet.name)
    at: dict[Field, int] = {}
    for column in header[1]:
        if column.field is not None and column.field is not Field.IGNORED:
            at[column.field] = column.at
            found.letters[sheet.name, column.field] = headings.letter(column.at)
    found.header_cells[sheet.name] = next(list(cells_) for number, cells_ in first if number == header[0])
    reader = _RowReader(found, sheet, at, today)
    for number, values in first:
        if number > header[0]:
            reader.take(number, values)
    for count, (number, values) in enumerate(rows):
        reader.take(number, values)
        if count % 2000 == 0:
            progress(found.total)


def _heading(sheet: str, at: int, heading: str, field_: Field | None) -> dict[str, Any]:
    return {"sheet": sheet, "column": headings.letter(at), "heading": heading, "field": field_}


class _RowReader:
    """Reads the rows of one sheet whose columns are known."""

    def __init__(self, found: LedgerFile, sheet: Sheet, at: Mapping[Field, int], today: date) -> None:
        self.found, self.sheet, self.at, self.today = found, sheet, at, today
        self.header = found.header_cells[sheet.name]

    def take(self, number: int, values: Sequence[str]) -> None:
        """Read one row, or note what is wrong with it."""
        is_none = list(values) == self.header  # repeated on each printed page
        if is_none or not any(self._cell(values, field_) for field_ in self.at):
            return
        before = len(self.found.problems)
        row = self._row(number, values)
        if self._is_remark(values, self.found.problems[before:]):
            del self.found.problems[before:]
        elif len(self.found.problems) > before:
            self.found.originals.append((self.sheet.name, number, list(values)))
        elif row is not None:
            self.found.rows.append(row)

    def _is_remark(self, values: Sequence[str], problems: Sequence[Problem]) -> bool:
        """A total, or who made the table: not an entry whose first word is such a one (审核费, 累计折旧)."""
        first = next((value for value in values if value), "")
        if not first.startswith(_TOTALS):
            return False
        # Which column the sum of a column stands in says nothing of its kind.
        is_said = bool(self._cell(values, Field.KIND)) or first not in _TOTALS
        return not is_said or any(p.code == "formula" or p.field in _ENTRY for p in problems)

    def _cell(self, values: Sequence[str], field_: Field) -> str:
        at = self.at.get(field_)
        return values[at] if at is not None and at < len(values) else ""

    def _bad(self, number: int, field_: Field, code: str) -> None:
        self.found.bad(self.sheet.name, number, field_, code)

    def _row(self, number: int, values: Sequence[str]) -> RawRow | None:
        # A table of plain text keeps a formula as it was typed.
        formulas = [
            field_
            for field_, at in self.at.items()
            if (number, at + 1) in self.sheet.formulas or self._cell(values, field_).startswith("=")
        ]
        for field_ in formulas:
            self._bad(number, field_, "formula")
        if formulas:
            return None  # what it shows is nothing that anybody entered
        for field_, most in _MOST.items():
            if len(self._cell(values, field_)) > most:
                self._bad(number, field_, "text_too_long")
        kinds = self._kinds(number, values)
        day = self._day(number, values)
        fen, kinds = self._amount(number, values, kinds)
        category = self._cell(values, Field.CATEGORY)
        if not category and kinds != {EntryKind.FUND}:
            self._bad(number, Field.CATEGORY, "category_missing")
        if day is None or fen is None or not kinds:
            return None
        return RawRow(
            self.sheet.name,
            number,
            day,
            kinds,
            # The template's word for a use; a cost has one of its own.
            EntryKind.USE if headings.plain(self._cell(values, Field.KIND)) in {"支出", "支"} else None,
            category if kinds != {EntryKind.FUND} else "",
            fen,
            self._cell(values, Field.COUNTERPARTY),
            self._cell(values, Field.CONTRACT),
            self._cell(values, Field.NOTE),
            list(values),
        )

    def _kinds(self, number: int, values: Sequence[str]) -> frozenset[EntryKind]:
        text = headings.plain(self._cell(values, Field.KIND))
        if not text:
            return _EVERY
        if text not in _KINDS:
            self._bad(number, Field.KIND, "bad_entry_kind")
            return frozenset()
        return frozenset(_KINDS[text])

    def _day(self, number: int, values: Sequence[str]) -> date | None:
        text = self._cell(values, Field.DAY)
        if not text:
            self._bad(number, Field.DAY, "day_missing")
            return None
        try:
            return cells.day(text, self.today)
        except BadValue as e:
            self._bad(number, Field.DAY, e.code)
            return None

    def _amount(
        self, number: int, values: Sequence[str], kinds: frozenset[EntryKind]
    ) -> tuple[int | None, frozenset[EntryKind]]:
        given = [f for f in (Field.AMOUNT, Field.INCOME, Field.OUT) if self._is_given(values, f)]
        if len(given) != 1:
            where = (
                given[1]
                if given
                else next(f for f in (Field.AMOUNT, Field.INCOME, Field.OUT) if f in self.at)
            )
            self._bad(number, where, "two_amounts" if given else "amount_missing")
            return None, kinds
        side = {
            Field.INCOME: frozenset({EntryKind.INCOME}),
            Field.OUT: frozenset({EntryKind.COST, EntryKind.USE, EntryKind.FUND}),
        }.get(given[0], kinds)
        if kinds and not kinds & side:
            self._bad(number, given[0], "amount_on_wrong_side")
        try:
            return amount_fen(self._cell(values, given[0])), kinds & side
        except BadValue as e:
            self._bad(number, given[0], e.code)
            return None, kinds & side

    def _is_given(self, values: Sequence[str], field_: Field) -> bool:
        text = self._cell(values, field_)
        # Of two columns the other one is often filled with a nought or a dash.
        return bool(text) and (field_ is Field.AMOUNT or text not in {"0", "0.00", "-", "—"})
