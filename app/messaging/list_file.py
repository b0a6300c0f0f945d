"""A list of numbers as a file: which column holds them, and what stands beside them. Looks into no database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from app.messaging.recipient_lists import MOST_ROWS, Row
from app.places import identity
from app.places.identity import BadValue
from app.places.register_file import UnreadableFile, sheets_in

LOOK = 10  # rows in which the headings may stand
MOST_COLUMNS, LONGEST = 10, 100
_PHONE = frozenset({"phone", "mobile", "电话", "手机", "手机号", "手机号码", "电话号码", "联系电话"})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,19}")  # of a template's parameter
_Line = tuple[int, list[str]]


class _Columns(NamedTuple):
    phone: int
    values: dict[str, int]
    begins: int  # the first row that isn't headings


def read(lines: Iterable[Any]) -> list[Row]:
    """The rows of the first sheet that has a column of numbers: under a heading (手机号, 联系电话, phone, …), or the
    first column where there are no headings. Columns whose heading is a parameter's name come along.

    `lines`: what `app.places.sheets` says. Raises UnreadableFile: unreadable, no_phone_column, too_many_rows, or the
    reader's own word.
    """
    found: list[Row] | None = None
    ended = False
    for sheet, rows in sheets_in(lines):
        if sheet is None:
            ended = True
        elif found is None:
            found = _rows_of(rows)
    if not ended:
        raise UnreadableFile("unreadable")  # its reader died on the way
    if found is None:
        raise UnreadableFile("no_phone_column")
    return found


def _rows_of(rows: Iterator[_Line]) -> list[Row] | None:
    first: list[_Line] = []
    for line in rows:
        first.append(line)
        if len(first) == LOOK:
            break
    columns = _columns(first)
    if columns is None:
        return None
    found: list[Row] = []
    for many in (first, rows):
        for number, cells in many:
            if number < columns.begins or not any(cell.strip() for cell in cells):
                continue
            if len(found) == MOST_ROWS:
                raise UnreadableFile("too_many_rows")
            values = {name: _cell(cells, at)[:LONGEST] for name, at in columns.values.items()}
            given = {name: value for name, value in values.items() if value}
            found.append(Row(_cell(cells, columns.phone), given, number))
    return found


def _columns(first: list[_Line]) -> _Columns | None:
    for number, cells in first:
        headings = [cell.strip().lower() for cell in cells]
        at = next((at for at, heading in enumerate(headings) if heading in _PHONE), None)
        if at is not None:
            named = {h: n for n, h in enumerate(headings) if n != at and _NAME.fullmatch(h)}
            return _Columns(at, dict(list(named.items())[:MOST_COLUMNS]), number + 1)
    if first and _is_phone(_cell(first[0][1], 0)):
        return _Columns(0, {}, first[0][0])
    return None


def _cell(cells: list[str], at: int) -> str:
    return cells[at].strip() if at < len(cells) else ""


def _is_phone(value: str) -> bool:
    try:
        identity.phone(value)
    except BadValue:
        return False
    return True
