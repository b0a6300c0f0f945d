"""Published figures are kept, cost one question each, and are exact from the moment anything is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from sqlalchemy import event

from app import db, queue
from app.ids import Ref
from app.revenue import heads
from app.revenue.line_pages import LineRow
from app.revenue.models import Account, RevenueLine
from app.revenue.money import yuan
from bff.revenue import RevenueLineOut
from bff.revenue_lines import line_out
from tests.conftest import House, Person
from tests.memberships.conftest import phone
from tests.revenue.conftest import Books


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that the house sends meanwhile, on whatever way."""
    sent: list[str] = []
    row = db.Plain.row

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    def asked(statement: db.Plain, given: Any) -> Any:
        sent.append(statement.sql)
        return row(statement, given)

    event.listen(db.engine(), "before_cursor_execute", note)
    with monkeypatch.context() as patched:
        patched.setattr(db.Plain, "row", asked)
        try:
            yield sent
        finally:
            event.remove(db.engine(), "before_cursor_execute", note)


def test_a_kept_answer_costs_one_question_and_ends_with_whatever_is_published(
    books: Books, monkeypatch: pytest.MonkeyPatch, resident: Callable[..., Person]
) -> None:
    draft = books.entered("2023-02-01", "income", "停车", 1000)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    asked = {"summary": {"by": "year"}, "entries": {"kind": "income"}}

    def look() -> dict[str, Any]:
        seen = {path: books.read(path, **query) for path, query in asked.items()}
        for path, query in asked.items():  # once more: kept, and the same
            with counted(monkeypatch) as sent:
                assert books.read(path, **query) == seen[path]
            (question,) = sent
            assert "resident_sessions" in question
            assert "own_hash" in question
        return seen

    first = look()
    assert first["summary"]["total"]["income_fen"] == first["entries"]["total"]["income_fen"] == 1000
    with counted(monkeypatch) as sent:
        books.read("entries", kind="income", limit=3)
    assert len(sent) == 2  # and the page with its figures, read in one
    period = books.begin()
    body = {"entry_id": draft["entry_id"], "reason": "记错", "day": "2024-01-05"}
    assert books.clerk.post(f"/revenue/periods/{period}/correct", body).status_code == 201
    assert look() == first  # prepared isn't published
    books.go(period, "submit", "review")
    assert look() == first
    books.go(period, "publish")
    now = look()
    assert now["summary"]["total"]["income_fen"] == -1000
    assert now["entries"]["total"] == first["entries"]["total"] | {"lines": 2, "income_fen": 0, "net_fen": 0}
    reversal, wrong = now["entries"]["items"]
    assert (wrong["reversed_by"], reversal["reverses"]) == (reversal["entry_id"], wrong["entry_id"])
    # Nobody reads what is kept with a login that has ended.
    wang = resident()
    assert wang.get(f"{books.base}/summary?by=year").status_code == 200
    assert wang.delete("/session").status_code == 204
    assert wang.get(f"{books.base}/summary?by=year").status_code == 401


def test_what_closes_or_is_doubted_shows_at_once(
    books: Books, house: House, resident: Callable[..., Person], later: Callable[..., Any]
) -> None:
    from app.places.identity import Party
    from tests.revenue.test_revenue_residents import bind, house_of

    number = phone()
    home = house_of(books, "101", 8912, Party(name="张三", phone=number))
    books.entered("2023-02-01", "income", "停车", 1000)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    line = books.lines(kind="income")[0]
    assert books.read("objections")["items"] == []
    wang = resident()
    bind(house, wang, home, "张三", number)
    made = wang.post(f"/revenue/entries/{line['entry_id']}/objections", {"text": "请说明"})
    assert made.status_code == 201
    assert [o["entry_id"] for o in books.read("objections")["items"]] == [line["entry_id"]]
    assert books.read("periods")["items"][0]["state"] == "published"
    later(days=20)
    books.reader = resident()
    assert books.read("periods")["items"][0]["state"] == "closed"


def test_words_find_a_contract_by_the_number_it_has_now(books: Books) -> None:
    body = {
        "category_id": books.category("income", "电梯广告"),
        "number": "GG-01",
        "party": "某公司",
        "subject": "广告",
        "price_fen": 100,
        "rhythm": "year",
        "starts_on": "2023-01-01",
        "ends_on": "2024-05-31",
    }
    contract = books.clerk.post(f"{books.base}/contracts", body).json["contract_id"]
    books.entered("2023-02-01", "income", "电梯广告", 100, contract_id=contract)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    assert [len(books.read("entries", q=words)["items"]) for words in ("GG-01", "HT-7")] == [1, 0]
    books.agree(contract, {"number": "HT-7"})
    assert [len(books.read("entries", q=words)["items"]) for words in ("GG-01", "HT-7")] == [0, 1]


def test_figures_need_no_redis(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    books.entered("2023-02-01", "income", "停车", 1000)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    monkeypatch.setattr(queue, "_redis", Redis(port=1, socket_connect_timeout=0.1))
    for _ in range(2):
        assert books.read("summary", by="month")["total"]["income_fen"] == 1000
        assert books.read("entries")["total"]["income_fen"] == 1000


ids_ = st.uuids()
words = st.text(max_size=20)


@given(
    st.builds(
        LineRow,
        id=ids_,
        period_id=ids_,
        day=st.dates(date(2000, 1, 1), date(2100, 12, 31)),
        kind=st.sampled_from(["income", "cost", "use", "fund", "adjustment"]),
        category_id=st.none() | ids_,
        category=st.none() | words,
        debit=st.just("bank"),
        credit=st.sampled_from(["income", "cost", "use", "fund"]),
        amount_fen=st.integers(1, 10**12),
        counterparty=st.none() | words,
        contract_id=st.none() | ids_,
        decision_id=st.none() | ids_,
        note=words,
        voucher_count=st.integers(0, 9),
        reverses_id=st.none() | ids_,
        reversed_by_id=st.none() | ids_,
    ),
    st.booleans(),
)
def test_the_dump_by_hand_is_the_schemas(row: LineRow, swapped: bool) -> None:
    if swapped:
        row = row._replace(debit=row.credit, credit=row.debit)
    line = RevenueLine(debit=row.debit, credit=row.credit, amount_fen=row.amount_fen)

    def ref(id_: UUID | None) -> Ref | None:
        return Ref(7, id_) if id_ is not None else None

    said = row._asdict() | {
        "account": line.account,
        "signed_fen": line.signed_fen,
        "amount_text": yuan(line.signed_fen),
        "entry_id": ref(row.id),
        "reverses": ref(row.reverses_id),
        "reversed_by": ref(row.reversed_by_id),
        **{
            name: ref(getattr(row, name))
            for name in ("period_id", "category_id", "contract_id", "decision_id")
        },
    }
    by_schema = RevenueLineOut().dump(said)
    assert list(line_out(7, row)) == list(by_schema)
    assert orjson.dumps(line_out(7, row)) == orjson.dumps(by_schema)
    assert line.account in set(Account)


def test_a_question_is_asked_again_where_its_connection_broke(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_all() -> None:
        with psycopg.connect(house.pg.url("superuser", "house"), autocommit=True) as root:
            root.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = 'house' AND application_name = 'jiayuan'"
            )

    nobody, nowhere = UUID(int=1), Ref(1, UUID(int=1))

    def ask() -> heads.Head:
        return heads.head_for(nobody, nobody, nowhere, has_words=False)

    assert ask() == (False, None)
    break_all()
    assert ask() == (False, None)  # it has just been used: the question itself finds out
    break_all()
    monkeypatch.setattr(db, "RESTS_S", 0.0)
    with db.reading() as session:  # it has rested: found out before anybody uses it
        assert session.connection().exec_driver_sql("SELECT 1").scalar() == 1
    with pytest.raises(RuntimeError, match="unit of work"), db.reading():
        ask()
    db.engine().dispose()  # nobody else meets what broke here
