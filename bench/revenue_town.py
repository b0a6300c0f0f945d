"""Ten years of books for a street: 34 estates, 200 lines a month, each month published."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from app import clock, db, ids
from app.ids import Kind, Ref
from app.people import tokens
from app.people.models import Resident, ResidentSession
from app.revenue.spans import Rhythm, last_of, months_after
from bench import tickets_town

FIRST_YEAR, YEARS = 2016, 10
LINES_A_MONTH = 200
CATEGORIES = {
    "income": (
        "停车",
        "电梯广告",
        "道闸灯箱",
        "租金",
        "通信基站",
        "快递柜",
        "充电桩",
        "场地",
        "售货回收",
        "利息",
    ),
    "cost": ("停车人工", "道闸维护", "能耗", "税金", "管理费"),
    "use": ("维修", "业委会", "审计", "活动"),
}
_WEIGHTS = {"income": 14, "cost": 4, "use": 1}
_LINE = (
    "community_id, id, estate_id, period_id, day, kind, category_id, debit, credit, amount_fen, counterparty, note,"
    " vouchers, drafted_by, posted_at"
)
_STATEMENT = (
    "community_id, period_id, estate_id, seq, first_day, last_day, opening_fen, income_fen, cost_fen, uses_fen,"
    " fund_fen, closing_fen, line_count, split_bp, rounding, posted_from, closed_from, submitted_by, reviewed_by,"
    " published_by, published_at, prev_hash, own_hash"
)


@dataclass
class Books:
    """What the measurements need to know of an estate. `heads`: hash and closing balance of the last month."""

    estate: Ref
    categories: dict[str, list[UUID]] = field(default_factory=dict)
    seq: int = 0
    closing: int = 1_000_000
    head: bytes = bytes(32)
    until: date = date(FIRST_YEAR - 1, 12, 31)

    @property
    def wire(self) -> str:
        """The estate's id in an address."""
        return ids.encode(Kind.ESTATE, self.estate)


def fill(dsn: str, months: int, street: tickets_town.Street | None = None) -> list[Books]:
    """The street (made, unless it is given) with its books, `months` of them for each estate, as the database's
    superuser (without its checks).
    """
    street = street or tickets_town.lay_out()
    chance = random.Random(7)
    found = [Books(estate) for estate in street.estates]
    with psycopg.connect(dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        for books in found:
            _categories(connection, books)
            for _ in range(months):
                publish(connection, books, chance)
        connection.commit()
        connection.autocommit = True
        for table in ("revenue_lines", "revenue_statements", "revenue_categories", "revenue_periods"):
            connection.execute(f"VACUUM (ANALYZE) {table}")
    return found


def _categories(connection: psycopg.Connection[Any], books: Books) -> None:
    for kind, names in CATEGORIES.items():
        books.categories[kind] = [ids.new_id() for _ in names]
        for id_, name in zip(books.categories[kind], names, strict=True):
            connection.execute(
                "INSERT INTO revenue_categories (community_id, id, estate_id, kind, name) VALUES (%s, %s, %s, %s, %s)",
                (books.estate.community_id, id_, books.estate.id, kind, name),
            )


def publish(connection: psycopg.Connection[Any], books: Books, chance: random.Random) -> None:
    """One more month with its statement, chained by a hash of figures (nobody checks the lines here)."""
    first = books.until + timedelta(days=1)
    last, period, at, nobody = last_of(first, Rhythm.MONTH), ids.new_id(), datetime.now(UTC), ids.NOBODY
    home, estate = books.estate
    rows = list(_lines(books, first, last, chance))
    sums = {kind: sum(row[2] for row in rows if row[1] == kind) for kind in (*CATEGORIES, "fund")}
    connection.execute(
        "INSERT INTO revenue_periods (community_id, id, estate_id, first_day, last_day, state, created_at)"
        " VALUES (%s, %s, %s, %s, %s, 'published', %s)",
        (home, period, estate, first, last, at),
    )
    with connection.cursor().copy(f"COPY revenue_lines ({_LINE}) FROM STDIN") as copy:
        for day, kind, fen, category, note in rows:
            debit, credit = ("bank", "income") if kind == "income" else (kind, "bank")
            party = "某广告有限公司" if fen % 3 else "物业服务中心"
            said = (day, kind, category, debit, credit, fen, party, note, "[]", nobody, at)
            copy.write_row((home, ids.new_id(), estate, period, *said))
    closing = books.closing + sums["income"] - sums["cost"] - sums["use"] - sums["fund"]
    own = hashlib.sha256(books.head + period.bytes + str(closing).encode()).digest()
    books.seq += 1
    values = (
        *(home, period, estate, books.seq, first, last, books.closing),
        *(sums["income"], sums["cost"], sums["use"], sums["fund"], closing),
        *(len(rows), 7000, "half_even", last, last, nobody, nobody, nobody, at, books.head, own),
    )
    marks = ", ".join(["%s"] * len(values))
    connection.execute(f"INSERT INTO revenue_statements ({_STATEMENT}) VALUES ({marks})", values)
    books.closing, books.head, books.until = closing, own, last


def _lines(
    books: Books, first: date, last: date, chance: random.Random
) -> Iterator[tuple[date, str, int, UUID | None, str]]:
    kinds = list(_WEIGHTS)
    days = (last - first).days
    for number in range(LINES_A_MONTH - 1):
        kind = chance.choices(kinds, weights=list(_WEIGHTS.values()))[0]
        category = chance.choice(books.categories[kind])
        day = first + timedelta(days=number * days // LINES_A_MONTH)
        yield day, kind, chance.randint(1_000, 900_000), category, f"{first.month}月收支，第{number}笔"
    yield last, "fund", chance.randint(1_000, 90_000), None, "按规则提取转入维修资金"


def last_full_year(months: int) -> tuple[date, date]:
    """The year that the residents look at: the last twelve months of the books."""
    end = months_after(date(FIRST_YEAR, 1, 1), months)
    return months_after(end, -12), end - timedelta(days=1)


def residents(count: int, secret: str) -> list[str]:
    """Access tokens of so many residents who are logged in."""
    now = clock.now()
    found = []
    with db.transaction() as session:
        for _ in range(count):
            resident, login = ids.new_id(), ids.new_id()
            session.add(Resident(id=resident, openid_sealed=b"-", created_at=now, last_seen_at=now))
            session.flush()  # the login points to her
            session.add(
                ResidentSession(
                    resident_id=resident,
                    id=login,
                    refresh_hash=b"-",
                    session_key_sealed=b"-",
                    created_at=now,
                    rotated_at=now,
                    expires_at=now + timedelta(days=30),
                )
            )
            found.append(tokens.access_token(resident, login, secret=secret, seconds=7200))
    return found
