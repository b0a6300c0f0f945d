"""What an uploaded ledger would put into the books as they stand: drafts, new categories, and rows that don't fit."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import select

from app import db
from app.ids import Ref
from app.revenue import queries
from app.revenue.ledger_file import LedgerFile, RawRow
from app.revenue.ledger_headings import Field
from app.revenue.models import Account, EntryKind, RevenueContract, RevenueDraft, RevenueLine
from app.revenue.service import open_period

SHOWN = 50  # rows of the preview
_Same = tuple[date, str, UUID | None, int, str, str]


class Known(NamedTuple):
    """The books as far as a file has to fit them."""

    categories: Mapping[tuple[str, str], tuple[UUID, bool]]  # (kind, name) → (id, is it in use?)
    contracts: Mapping[str, list[UUID]]
    closed_until: date | None
    begin_on: date | None  # the first day of books of which nothing is published yet
    entered: Counter[_Same]


@dataclass(frozen=True)
class Entry:
    """A row as it would be entered. `category_id`: None where the category is new, and of a transfer to the fund."""

    raw: RawRow
    kind: EntryKind
    category_id: UUID | None
    contract_id: UUID | None


@dataclass
class Plan:
    """Everything the file would write."""

    entries: list[Entry] = field(default_factory=list)
    new_categories: list[tuple[EntryKind, str]] = field(default_factory=list)

    @property
    def sums(self) -> dict[str, int]:
        """By figure, in fen."""
        found = dict.fromkeys((account.value for account in queries.FIGURES), 0)
        for entry in self.entries:
            found[Account(entry.kind).value] += entry.raw.amount_fen
        return found

    @property
    def digest(self) -> bytes:
        """Of what would be written: another one means another preview."""
        facts = [
            [
                *(e.raw.day.isoformat(), e.kind, e.category_id.hex if e.category_id else e.raw.category),
                *(e.raw.amount_fen, e.raw.counterparty, e.raw.note),
                e.contract_id.hex if e.contract_id else None,
            ]
            for e in self.entries
        ]
        return hashlib.sha256(orjson.dumps([facts, self.new_categories])).digest()

    @property
    def sample(self) -> list[dict[str, Any]]:
        """The first rows, for the preview."""
        return [
            {
                "sheet": e.raw.sheet,
                "row": e.raw.row,
                "day": e.raw.day.isoformat(),
                "kind": e.kind.value,
                "category": e.raw.category,
                "is_new_category": e.kind is not EntryKind.FUND and e.category_id is None,
                "amount_fen": e.raw.amount_fen,
                "counterparty": e.raw.counterparty,
                "note": e.raw.note,
            }
            for e in self.entries[:SHOWN]
        ]


def known(estate: Ref, file: LedgerFile) -> Known:
    """The estate's categories and contracts, how far it is published, and what is entered on the file's days."""
    contracts: dict[str, list[UUID]] = {}
    for number, id_ in db.session().execute(
        select(RevenueContract.number, RevenueContract.id).where(
            RevenueContract.community_id == estate.community_id, RevenueContract.estate_id == estate.id
        )
    ):
        contracts.setdefault(number, []).append(id_)
    last = queries.last_statement(estate)
    begun = open_period(estate) if last is None else None
    return Known(
        {(c.kind, c.name): (c.id, c.is_active) for c in queries.categories_of(estate)},
        contracts,
        last.last_day if last is not None else None,
        begun.first_day if begun is not None else None,
        _entered(estate, file),
    )


def _entered(estate: Ref, file: LedgerFile) -> Counter[_Same]:
    found: Counter[_Same] = Counter()
    if not file.rows:
        return found
    first, last = min(row.day for row in file.rows), max(row.day for row in file.rows)
    for model in (RevenueDraft, RevenueLine):
        rows = db.session().execute(
            select(
                model.day, model.kind, model.category_id, model.amount_fen, model.counterparty, model.note
            ).where(
                model.community_id == estate.community_id,
                model.estate_id == estate.id,
                model.day >= first,
                model.day <= last,
                model.reverses_id.is_(None),
            )
        )
        found.update(
            (day, kind, category, fen, party or "", note) for day, kind, category, fen, party, note in rows
        )
    return found


def plan(file: LedgerFile, books: Known, *, makes_categories: bool) -> Plan:
    """The file against the books; rows that don't fit join the file's problems and leave its rows."""
    made = Plan()
    entered = Counter(books.entered)
    new: dict[tuple[EntryKind, str], None] = {}
    kept: list[RawRow] = []
    for raw in file.rows:
        entry, where, code = _fit(raw, books, makes_categories=makes_categories)
        if entry is not None:
            same = (raw.day, entry.kind.value, entry.category_id, raw.amount_fen, raw.counterparty, raw.note)
            if entered[same] > 0:
                entered[same] -= 1
                entry, where, code = None, None, "entered_already"
        if entry is None:
            file.bad(raw.sheet, raw.row, where, code)
            file.originals.append((raw.sheet, raw.row, raw.cells))
            continue
        kept.append(raw)
        made.entries.append(entry)
        if entry.category_id is None and entry.kind is not EntryKind.FUND:
            new[entry.kind, raw.category] = None
    file.rows = kept
    made.new_categories = list(new)
    return made


def _fit(raw: RawRow, books: Known, *, makes_categories: bool) -> tuple[Entry | None, Field | None, str]:
    if books.closed_until is not None and raw.day <= books.closed_until:
        return None, Field.DAY, "period_closed"
    if books.begin_on is not None and raw.day < books.begin_on:
        return None, Field.DAY, "day_before_books"
    contract_id = None
    if raw.contract:
        found = books.contracts.get(raw.contract, [])
        if len(found) != 1:
            return None, Field.CONTRACT, "contract_twice" if found else "contract_unknown"
        contract_id = found[0]
    if raw.kinds == {EntryKind.FUND}:
        return Entry(raw, EntryKind.FUND, None, contract_id), None, ""
    kinds = [kind for kind in EntryKind if kind in raw.kinds and kind is not EntryKind.FUND]
    fit = [kind for kind in kinds if (kind.value, raw.category) in books.categories]
    if len(fit) > 1:
        return None, Field.KIND, "kind_unclear"
    if fit:
        category_id, is_active = books.categories[fit[0].value, raw.category]
        if not is_active:
            return None, Field.CATEGORY, "category_ended"
        return Entry(raw, fit[0], category_id, contract_id), None, ""
    if not makes_categories:
        return None, Field.CATEGORY, "category_unknown"
    kind = raw.new_as if raw.new_as in kinds else kinds[0] if len(kinds) == 1 else None
    if kind is None:
        return None, Field.KIND, "kind_unclear"
    return Entry(raw, kind, None, contract_id), None, ""
