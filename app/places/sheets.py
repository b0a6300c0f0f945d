"""Reads a spreadsheet, in a process of its own: `python sheets.py < file`, JSON lines out.

A workbook may be anything: a few kilobytes that unpack to gigabytes, one cell in the farthest corner, a broken record
that crashes a parser. So it is read where nothing else runs, under a limit of memory that the system keeps, and the
one who waits needs only a little. This file imports nothing of the project.

Out: {"sheet", "formulas": [[row, column], …], "merged": [[row, column, last row, last column], …]} and then
[row, [cell, …]] for each row that has anything, from 1; cells are strings as somebody would read them. Merged cells
repeat the first one's value. At the end {"end": true}, or {"error": word}.
"""

from __future__ import annotations

import csv
import io
import posixpath
import re
import resource
import sys
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.parsers import expat

import orjson

MEMORY = 900 * 1024 * 1024  # of address space; what is really used stays below half of it
MAX_UNPACKED = 400 * 1024 * 1024
MAX_PARTS = 3000
MAX_CELLS = 3_000_000
MAX_ROWS = 65_000
MAX_COLUMNS = 100
MAX_TEXT = 2000  # characters of one cell
MAX_MERGED = 100_000
# An .xlsx under a password is an encrypted package in an OLE container, which looks like an .xls (MS-OFFCRYPTO
# 2.3.4.4); an .xls says so right after its first record, or after the one that asks for a password to write (MS-XLS
# 2.4.117).
_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_FILEPASS = re.compile(rb"\x09\x08\x10\x00\x00\x06\x05\x00.{12}(?:\x86\x00\x00\x00)?\x2f\x00", re.DOTALL)


class Unreadable(Exception):
    """Not a spreadsheet we can take; a stable word."""


def kind_of(head: bytes) -> str:
    """xlsx, xls or csv, by the first bytes; the name of a file proves nothing."""
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "xls"
    return "csv"


# --- xlsx: looked through before anything is unpacked into memory ----------------------------------------


class _Scan:
    """Which cells of one sheet are formulas; refuses more cells, rows or columns than any register has."""

    def __init__(self, cells_before: int) -> None:
        self.formulas: list[tuple[int, int]] = []
        self.cells = cells_before
        self._row, self._column = 0, 0
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EntityDeclHandler = _refuse_entity

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "c":
            self.cells += 1
            if self.cells > MAX_CELLS:
                raise Unreadable("too_big")
            reference = attributes.get("r")
            if reference is not None:
                self._row, self._column = _position(reference)
            else:
                self._column += 1
        elif tag == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column = 0
        elif tag in {"v", "is", "f"}:
            if self._column > MAX_COLUMNS:
                raise Unreadable("too_wide")
            if self._row > MAX_ROWS * 2:
                raise Unreadable("too_many_rows")
            if tag == "f":
                self.formulas.append((self._row, self._column))


def _refuse_entity(*_: Any) -> None:
    raise Unreadable("unreadable")


def _position(reference: str) -> tuple[int, int]:
    column = 0
    for at, c in enumerate(reference):
        if c.isdigit():
            return int(reference[at:]), column
        column = column * 26 + ord(c) - 64
    raise Unreadable("unreadable")


def _formulas(data: bytes) -> dict[str, list[tuple[int, int]]]:
    """Sheet name → its formula cells. Raises Unreadable for a file that unpacks to too much."""
    found: dict[str, list[tuple[int, int]]] = {}
    cells = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        names = {part.filename for part in parts}
        if len(parts) > MAX_PARTS or "xl/workbook.xml" not in names:
            raise Unreadable("too_big" if len(parts) > MAX_PARTS else "unknown_kind")
        sheets = _sheet_parts(archive)
        unpacked = 0
        for part in parts:
            name = sheets.get(_plain(part.filename))
            scan = _Scan(cells) if name is not None else None
            with archive.open(part) as stream:
                while block := stream.read(1 << 20):
                    unpacked += len(block)
                    if unpacked > MAX_UNPACKED:
                        raise Unreadable("too_big")
                    if scan is not None:
                        scan.parser.Parse(block, False)
            if scan is not None and name is not None:
                scan.parser.Parse(b"", True)
                cells = scan.cells
                found[name] = scan.formulas
    return found


def _plain(part: str) -> str:
    """One spelling of a part's name, which may have any ending and is found in upper and lower case."""
    return posixpath.normpath(part.replace("\\", "/")).lower()


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Part of the archive → name of the sheet it holds."""
    targets: dict[str, str] = {}
    sheets: dict[str, str] = {}

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == "Relationship":
            target = attributes.get("Target", "").lstrip("/")
            targets[attributes.get("Id", "")] = _plain(target if target.startswith("xl/") else f"xl/{target}")

    def sheet(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == "sheet":
            key = next((value for name, value in attributes.items() if name.endswith(":id")), "")
            sheets[targets.get(key, "")] = attributes.get("name", "")

    for name, handler in (("xl/_rels/workbook.xml.rels", relation), ("xl/workbook.xml", sheet)):
        if archive.getinfo(name).file_size > 10 << 20:
            raise Unreadable("too_big")
        parser = expat.ParserCreate()
        parser.StartElementHandler = handler
        parser.EntityDeclHandler = _refuse_entity
        with archive.open(name) as stream:
            parser.Parse(stream.read(10 << 20), True)
    return sheets


# --- rows ------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    """A cell as somebody would read it. Numbers of 16 and more digits keep their exponent: their end is lost."""
    if isinstance(value, str):
        return value.strip()[:MAX_TEXT]
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else f"{value:e}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta) else ""


def _workbook(data: bytes, kind: str) -> Iterator[Any]:
    import python_calamine as calamine

    formulas = _formulas(data) if kind == "xlsx" else {}
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except calamine.PasswordError as e:
        raise Unreadable("password") from e
    except calamine.CalamineError as e:
        # What is under a password, calamine doesn't recognise at all.
        has_password = _PACKAGE in data or _FILEPASS.search(data) is not None
        raise Unreadable("password" if has_password else "unreadable") from e
    for about in book.sheets_metadata:
        if (
            about.typ != calamine.SheetTypeEnum.WorkSheet
            or about.visible != calamine.SheetVisibleEnum.Visible
        ):
            continue
        try:
            sheet = book.get_sheet_by_name(about.name)
        except calamine.CalamineError as e:
            raise Unreadable("unreadable") from e
        end = sheet.end
        if end is not None and (end[1] >= MAX_COLUMNS or end[0] >= MAX_ROWS * 2):
            raise Unreadable("too_wide" if end[1] >= MAX_COLUMNS else "too_many_rows")
        merged = [(r1 + 1, c1 + 1, r2 + 1, c2 + 1) for (r1, c1), (r2, c2) in sheet.merged_cell_ranges or ()]
        if len(merged) > MAX_MERGED:
            raise Unreadable("too_big")
        yield {"sheet": about.name, "formulas": formulas.get(about.name, []), "merged": merged}
        yield from _filled(sheet, merged)


def _filled(sheet: Any, merged: list[tuple[int, int, int, int]]) -> Iterator[Any]:
    """The rows of a sheet; every cell of a merged range has the first one's value."""
    start = sheet.start
    if start is None:
        return
    # calamine leaves out the columns before the first used one, but not the rows.
    first_column = start[1]
    starts: dict[int, list[tuple[int, int, int, int]]] = {}
    for area in merged:
        starts.setdefault(area[0], []).append(area)
    open_areas: list[tuple[int, int, int, str]] = []  # last row, first and last column, value
    empty = [""] * first_column
    for number, values in enumerate(sheet.iter_rows(), 1):
        cells = empty + [_text(value) for value in values]
        open_areas = [area for area in open_areas if area[0] >= number]
        for _, left, last_row, right in starts.get(number, ()):
            value = cells[left - 1] if left <= len(cells) else ""
            open_areas.append((last_row, left, right, value))
        for _, left, right, value in open_areas:
            cells.extend([""] * (right - len(cells)))
            cells[left - 1 : right] = [value] * (right - left + 1)
        if any(cells):
            yield [number, cells]


def _table(data: bytes) -> Iterator[Any]:
    """The rows of a CSV: UTF-8 with or without its mark, UTF-16 with it, or GB 18030 (and so GBK)."""
    text = _decoded(data)
    if "\x00" in text:
        raise Unreadable("unknown_kind")
    first = text[:10_000].splitlines()[:20]
    counts = {mark: sum(line.count(mark) for line in first) for mark in (",", "\t", ";")}
    delimiter = max(counts, key=lambda mark: counts[mark])
    rows: list[Any] = []
    formulas: list[tuple[int, int]] = []
    try:
        for number, values in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1):
            if len(values) > MAX_COLUMNS and any(values[MAX_COLUMNS:]):
                raise Unreadable("too_wide")
            cells = [value.strip()[:MAX_TEXT] for value in values[:MAX_COLUMNS]]
            for column, value in enumerate(cells, 1):
                if value.startswith("="):
                    # ="0101" is how programs keep the zeros of a text.
                    kept = value[2:-1] if len(value) > 3 and value[1] == '"' and value.endswith('"') else None
                    if kept is None or '"' in kept:
                        formulas.append((number, column))
                    else:
                        cells[column - 1] = kept
            if any(cells):
                rows.append([number, cells])
    except csv.Error as e:
        raise Unreadable("unreadable") from e
    yield {"sheet": "CSV", "formulas": formulas, "merged": []}
    yield from rows


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: Iterable[str] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unreadable("bad_encoding")


def read(data: bytes) -> Iterator[Any]:
    """Everything in the file, as the module says. Raises Unreadable."""
    kind = kind_of(data[:8])
    rows = 0
    try:
        for item in _workbook(data, kind) if kind != "csv" else _table(data):
            if isinstance(item, list):
                rows += 1
                if rows > MAX_ROWS:
                    raise Unreadable("too_many_rows")
            yield item
    except (zipfile.BadZipFile, zipfile.LargeZipFile, expat.ExpatError, KeyError, EOFError) as e:
        raise Unreadable("unreadable") from e


def main() -> int:
    """Reads standard input, writes lines. A death without `end` is for the one who waits to understand."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    out = sys.stdout.buffer
    try:
        for item in read(sys.stdin.buffer.read()):
            out.write(orjson.dumps(item) + b"\n")
    except Unreadable as e:
        out.write(orjson.dumps({"error": str(e)}) + b"\n")
    except (MemoryError, OverflowError, ValueError, zipfile.error):
        out.write(orjson.dumps({"error": "unreadable"}) + b"\n")
    else:
        out.write(b'{"end":true}\n')
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
