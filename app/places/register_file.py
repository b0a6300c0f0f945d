"""The rows of an uploaded register, read into houses and owners; each cell that can't be is named.

What the sheets say comes as lines of `app.places.sheets`; nothing here looks into the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from app.ids import Ref
from app.places import cells, headings, rooms
from app.places.cells import Wrong
from app.places.headings import Field
from app.places.identity import BadValue, Party
from app.places.registry_models import HoldingState, HouseKind, Source

_TOTALS = ("合计", "总计", "小计", "备注", "填表", "制表", "说明", "注:", "注：")
_AREAS = (Field.REGISTERED, Field.SURVEYED, Field.CONTRACT)
_OWNER = (Field.NAME, Field.PHONE, Field.PHONE2, Field.ID_NUMBER)


class UnreadableFile(Exception):
    """The file as a whole can't be taken; a stable word."""


class Problem(NamedTuple):
    """A cell, or a whole row, that can't be taken (`bad`) or differs from what a better source said (`conflict`)."""

    sheet: str
    row: int
    column: str | None
    field: str | None
    code: str
    kind: str = "bad"
    other_row: int | None = None


@dataclass(slots=True)
class Row:
    """One house as the file describes it; None: the file says nothing of it."""

    sheet: str
    row: int
    estate: Ref
    building: str
    unit: str
    number: str
    key: str
    kind: HouseKind | None
    registered_centi: int | None
    surveyed_centi: int | None
    contract_centi: int | None
    state: HoldingState | None
    since: date | None
    owners: list[Party]


@dataclass
class Register:
    """A file as it was read."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    bad_rows: set[tuple[str, int]] = field(default_factory=set)
    headings: list[dict[str, Any]] = field(default_factory=list)
    # (sheet, field) → letter of its column
    letters: dict[tuple[str, str], str] = field(default_factory=dict)
    sheets_taken: list[str] = field(default_factory=list)
    sheets_skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    # The bad rows as they stand in the file, for the error sheet: (sheet, row, cells).
    originals: list[tuple[str, int, list[str]]] = field(default_factory=list)
    header_cells: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_mapped(self) -> bool:
        """Did some sheet have the headings that are needed?"""
        return bool(self.sheets_taken)

    @property
    def total(self) -> int:
        """Houses named in the file, good or bad."""
        return len(self.rows) + len(self.bad_rows)

    def bad(
        self, sheet: str, row: int, field_: Field | None, code: str, other_row: int | None = None
    ) -> None:
        """Note a bad cell of a row, which then is not taken."""
        letter = self.letters.get((sheet, field_)) if field_ is not None else None
        self.problems.append(Problem(sheet, row, letter, field_, code, "bad", other_row))
        self.bad_rows.add((sheet, row))


@dataclass(frozen=True)
class Reading:
    """What reading needs to know beside the file."""

    source: Source
    mapped: Mapping[str, str]
    estates: Mapping[str, Ref]  # spelled name → estate in the importer's reach
    elsewhere: frozenset[str]  # spelled names of estates outside it
    twice: frozenset[str]  # names that several estates in the reach have
    estate: Ref | None  # of a file that has no column for it
    today: date


class Sheet(NamedTuple):
    """What is known of a sheet beside its rows."""

    name: str
    formulas: frozenset[tuple[int, int]]
    tall: list[tuple[int, int, int]]  # merged over rows: first row, last row, column


def estate_name(text: str) -> str:
    """One spelling of an estate's name."""
    return rooms.plain(text).removesuffix("小区")


def read(
    lines: Iterable[Any], about: Reading, *, progress: Callable[[int], None] = lambda _: None
) -> Register:
    """All houses of the file. `progress` is told the rows read so far. Raises UnreadableFile."""
    register = Register()
    ended = False
    for sheet, rows in sheets_in(lines):
        if sheet is None:
            ended = True
            continue
        _read_sheet(register, sheet, rows, about, progress)
    if not ended:
        raise UnreadableFile("unreadable")  # its reader died on the way
    _find_twins(register)
    return register


def sheets_in(lines: Iterable[Any]) -> Iterator[tuple[Sheet | None, Iterator[tuple[int, list[str]]]]]:
    """(sheet, its rows) of what `app.places.sheets` says; a sheet of None at the end of a whole file. Raises
    UnreadableFile.
    """
    stream = iter(lines)
    waiting: list[Any] = []

    def rows() -> Iterator[tuple[int, list[str]]]:
        for item in stream:
            if isinstance(item, dict):
                waiting.append(item)
                return
            yield item[0], item[1]

    head = next(stream, None)
    while head is not None:
        if "error" in head:
            raise UnreadableFile(str(head["error"]))
        if "end" in head:
            yield None, iter(())
            return
        tall = [
            (top, bottom, column)
            for top, left, bottom, right in head["merged"]
            for column in range(left, min(right, left + 100) + 1)
            if bottom > top
        ]
        own = rows()
        yield Sheet(head["sheet"], frozenset((r, c) for r, c in head["formulas"]), tall), own
        for _ in own:
            pass
        head = waiting.pop() if waiting else None


def _read_sheet(
    register: Register,
    sheet: Sheet,
    rows: Iterator[tuple[int, list[str]]],
    about: Reading,
    progress: Callable[[int], None],
) -> None:
    first: list[tuple[int, list[str]]] = []
    for row in rows:
        first.append(row)
        if len(first) == headings.LOOK:
            break
    found = headings.find(first, about.source, about.mapped)
    columns = found[1] if found else headings.likely(first)
    fields = {c.field for c in columns}
    missing = _missing(fields, about)
    register.headings += [
        {"sheet": sheet.name, "column": headings.letter(c.at), "heading": c.heading, "field": c.field}
        for c in columns
    ]
    if found is None or missing:
        register.sheets_skipped.append(sheet.name)
        register.missing += [name for name in missing if name not in register.missing]
        return
    register.sheets_taken.append(sheet.name)
    at = {c.field: c.at for c in columns if c.field not in {None, Field.IGNORED}}
    for c in columns:
        if c.field is not None:
            register.letters[sheet.name, c.field] = headings.letter(c.at)
    header = found[0]
    register.header_cells[sheet.name] = next(list(cells_) for number, cells_ in first if number == header)
    reader = _RowReader(register, sheet, at, about)  # type: ignore[arg-type]  # None was left out above
    for number, values in first:
        if number > header:
            reader.take(number, values)
    for count, (number, values) in enumerate(rows):
        reader.take(number, values)
        if count % 2000 == 0:
            progress(register.total)


def _missing(fields: set[Field | None], about: Reading) -> list[str]:
    missing = [] if Field.NUMBER in fields else [Field.NUMBER.value]
    if Field.ESTATE not in fields and about.estate is None:
        missing.append(Field.ESTATE.value)
    return missing


class _RowReader:
    """Reads the rows of one sheet whose columns are known."""

    def __init__(self, register: Register, sheet: Sheet, at: dict[Field, int], about: Reading) -> None:
        self.register, self.sheet, self.at, self.about = register, sheet, at, about
        self.header = register.header_cells[sheet.name]
        area_columns = {at[f] + 1: f for f in _AREAS if f in at}
        # An area merged over two houses belongs to both together: nobody can say how much to each.
        self.shared: dict[int, list[Field]] = defaultdict(list)
        for top, bottom, column in sheet.tall:
            if column in area_columns:
                for row in range(top, min(bottom, top + 1000) + 1):
                    self.shared[row].append(area_columns[column])

    def take(self, number: int, values: Sequence[str]) -> None:
        """Read one row into the register, or note what is wrong with it."""
        if self._is_no_house(values):
            return
        before = len(self.register.problems)
        row = self._row(number, values)
        if len(self.register.problems) > before:
            self.register.originals.append((self.sheet.name, number, list(values)))
        elif row is not None:
            self.register.rows.append(row)

    def _is_no_house(self, values: Sequence[str]) -> bool:
        first = next((value for value in values if value), "")
        return (
            first.startswith(_TOTALS)
            or list(values) == self.header  # repeated on each printed page
            or not any(self._cell(values, f) for f in self.at)
        )

    def _cell(self, values: Sequence[str], field_: Field) -> str:
        at = self.at.get(field_)
        return values[at] if at is not None and at < len(values) else ""

    def _bad(self, number: int, field_: Field | None, code: str) -> None:
        self.register.bad(self.sheet.name, number, field_, code)

    def _row(self, number: int, values: Sequence[str]) -> Row | None:
        formulas = [f for f, at in self.at.items() if (number, at + 1) in self.sheet.formulas]
        for field_ in formulas:
            self._bad(number, field_, "formula")
        for field_ in self.shared.get(number, ()):
            self._bad(number, field_, "merged_area")
        estate = self._estate(number, values)
        room = self._room(number, values)
        kind = self._read(number, values, Field.KIND, cells.kind)
        if kind is None and room is not None and "车位" in room.number:
            kind = HouseKind.PARKING
        house = kind or HouseKind.HOME
        areas = {
            f: None
            if f in formulas
            else self._read(number, values, f, lambda text: cells.area_centi(text, house))
            for f in _AREAS
        }
        state = self._read(number, values, Field.STATE, cells.state)
        since = self._read(number, values, Field.SINCE, lambda text: cells.day(text, self.about.today))
        owners = self._owners(number, values, set(formulas))
        if estate is None or room is None or owners is None:
            return None
        key = rooms.house_key(house, *room)
        if len(key) > 140 or max(len(part) for part in room) > 40:
            self._bad(number, Field.NUMBER, "too_long")
            return None
        return Row(
            self.sheet.name,
            number,
            estate,
            rooms.plain(room.building),
            rooms.plain(room.unit),
            rooms.plain(room.number),
            key,
            kind,
            areas[Field.REGISTERED],
            areas[Field.SURVEYED],
            areas[Field.CONTRACT],
            state,
            since,
            owners,
        )

    def _estate(self, number: int, values: Sequence[str]) -> Ref | None:
        text = self._cell(values, Field.ESTATE)
        if not text:
            if self.about.estate is None:
                self._bad(number, Field.ESTATE, "estate_missing")
            return self.about.estate
        name = estate_name(text)
        found = self.about.estates.get(name)
        if found is None:
            code = "estate_out_of_scope" if name in self.about.elsewhere else "estate_unknown"
            self._bad(number, Field.ESTATE, "estate_twice" if name in self.about.twice else code)
        elif self.about.estate is not None and found != self.about.estate:
            self._bad(number, Field.ESTATE, "estate_differs")
            return None
        return found

    def _room(self, number: int, values: Sequence[str]) -> rooms.Room | None:
        building = self._cell(values, Field.BUILDING)
        unit = self._cell(values, Field.UNIT)
        room = self._cell(values, Field.NUMBER)
        if not room:
            self._bad(number, Field.NUMBER, "number_missing")
            return None
        if Field.BUILDING not in self.at:
            whole = rooms.split(room)
            return whole._replace(unit=unit or whole.unit)
        if not building and not any(word in room for word in ("车位", "车库")):
            kind = self._cell(values, Field.KIND)
            if not any(word in kind for word in ("车位", "车库", "停车")):
                self._bad(number, Field.BUILDING, "building_missing")
                return None
        return rooms.Room(building, unit, room)

    def _read(self, number: int, values: Sequence[str], field_: Field, reader: Callable[[str], Any]) -> Any:
        text = self._cell(values, field_)
        if not text:
            return None
        try:
            return reader(text)
        except BadValue as e:
            self._bad(number, field_, e.code)
            return None

    def _owners(self, number: int, values: Sequence[str], formulas: set[Field]) -> list[Party] | None:
        if formulas & set(_OWNER):
            return None
        try:
            return cells.owners(*(self._cell(values, f) for f in _OWNER))
        except Wrong as e:
            self._bad(number, Field(e.field), e.code)
            return None


def _find_twins(register: Register) -> None:
    """Two rows for one house: nobody can say which is right, so none of them is taken."""
    by_house: dict[tuple[Ref, str], list[Row]] = defaultdict(list)
    for row in register.rows:
        by_house[row.estate, row.key].append(row)
    twins = {id(row): rows for rows in by_house.values() if len(rows) > 1 for row in rows}
    if not twins:
        return
    for row in register.rows:
        if id(row) in twins:
            other = next(r for r in twins[id(row)] if r is not row)
            register.bad(row.sheet, row.row, Field.NUMBER, "house_twice", other.row)
            register.originals.append((row.sheet, row.row, _as_cells(register, row)))
    register.rows = [row for row in register.rows if id(row) not in twins]


def _as_cells(register: Register, row: Row) -> list[str]:
    """What identifies a row of which the original cells are gone."""
    shown = [""] * len(register.header_cells[row.sheet])
    for field_, value in ((Field.BUILDING, row.building), (Field.UNIT, row.unit), (Field.NUMBER, row.number)):
        letter = register.letters.get((row.sheet, field_))
        if letter is not None:
            at = _index(letter)
            if at < len(shown):
                shown[at] = value
    return shown


def _index(letter: str) -> int:
    at = 0
    for c in letter:
        at = at * 26 + ord(c) - 64
    return at - 1
