"""The books from the clerk's line to the published page: to the fen, once, and for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import Caller, Person, Town, small_jpeg
from tests.memberships.conftest import paper
from tests.revenue.conftest import COST, EXPECTED, INCOME, OPENING, RULES, USE, Books, contract, fen


def publish_sample(books: Books, years: tuple[int, ...] = (2023, 2024, 2025)) -> list[str]:
    """Enter and publish the sample ledger; the periods."""
    periods = []
    for at, year in enumerate(years):
        first = {"first_day": "2023-01-01", "opening_fen": fen(OPENING), "opening_note": "街道核定"}
        period = books.begin(**first if at == 0 else {})
        month = 0
        for kind, table in (("income", INCOME), ("cost", COST), ("use", USE)):
            for name, amounts in table.items():
                amount = amounts[at]
                if amount is not None:
                    month = month % 12 + 1
                    books.entered(
                        f"{year}-{month:02d}-15", kind, name, fen(amount), counterparty=f"{name}单位"
                    )
        books.go(period)
        periods.append(period)
    return periods


def test_the_sample_ledger_is_read_back_to_the_fen(books: Books) -> None:
    publish_sample(books)
    shown = {item["first_day"][:4]: item for item in books.read("periods")["items"]}
    opening = fen(OPENING)
    for year, (income, cost, net, fund, closing) in EXPECTED.items():
        row = shown[str(year)]
        assert row["opening_fen"] == opening
        assert row["income_fen"] == fen(income)
        assert row["cost_fen"] == fen(cost)
        assert row["net_fen"] == fen(net)
        assert row["fund_fen"] == fen(fund)
        assert row["closing_fen"] == fen(closing)
        opening = fen(closing)
    years = books.read("summary", **{"from": "2023-01-01", "to": "2025-12-31"}, by="year")
    assert [b["label"] for b in years["items"]] == ["2023", "2024", "2025"]
    assert [b["closing_fen"] for b in years["items"]] == [fen(row[4]) for row in EXPECTED.values()]
    assert years["series"]["net_fen"] == [fen(row[2]) for row in EXPECTED.values()]
    assert years["total"]["opening_fen"] == fen(OPENING)
    assert years["total"]["closing_fen"] == fen("115,728.77")
    parking = next(c for c in years["categories"] if c["name"] == "停车")
    assert parking["amount_fen"] == sum(fen(a or "0") for a in INCOME["停车"])
    for kind in ("income", "cost", "use", "fund"):
        assert sum(c["share_bp"] for c in years["categories"] if c["kind"] == kind) == 10_000
    # A range that begins in the middle opens with what the months before left.
    half = books.read("summary", **{"from": "2024-07-01", "to": "2025-06-30"}, by="quarter")
    before = books.read("summary", **{"from": "2023-01-01", "to": "2024-06-30"}, by="month")
    assert half["total"]["opening_fen"] == before["total"]["closing_fen"]
    assert [b["label"] for b in half["items"]] == ["2024Q3", "2024Q4", "2025Q1", "2025Q2"]
    chain = books.read("chain")
    assert (chain["periods"], chain["broken_at"]) == (3, None)


def test_every_total_is_the_sum_of_its_lines_for_every_filter(books: Books) -> None:
    publish_sample(books, (2023,))
    everything = books.lines()
    categories = [None, *{line["category_id"] for line in everything if line["category_id"]}]

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        days=st.tuples(st.dates(), st.dates()).map(sorted)
        | st.tuples(st.integers(1, 12), st.integers(1, 12))
        .map(sorted)
        .map(lambda m: [f"2023-{m[0]:02d}-01", f"2023-{m[1]:02d}-28"]),
        kind=st.sampled_from([None, "income", "cost", "use", "fund", "adjustment"]),
        category=st.sampled_from(categories),
        q=st.sampled_from([None, "停车", "单位", "%", "没有的词"]),
    )
    def check(days: list[Any], kind: str | None, category: str | None, q: str | None) -> None:
        asked = {"from": str(days[0]), "to": str(days[1]), "kind": kind, "category": category, "q": q}
        asked = {name: value for name, value in asked.items() if value is not None}
        if not all("2000" <= str(day)[:4] <= "2100" for day in days):
            return
        total = books.read("entries", limit=1, **asked)["total"]
        lines = books.lines(**asked)
        assert total["lines"] == len(lines)
        for account, name in (
            ("income", "income_fen"),
            ("cost", "cost_fen"),
            ("use", "uses_fen"),
            ("fund", "fund_fen"),
        ):
            assert total[name] == sum(line["signed_fen"] for line in lines if line["account"] == account)

    check()
    by_month = books.read("summary", **{"from": "2023-01-01", "to": "2023-12-31"}, by="month")
    for bucket in by_month["items"]:
        header = books.read("entries", limit=1, **{"from": bucket["first_day"], "to": bucket["last_day"]})[
            "total"
        ]
        assert {name: bucket[name] for name in header} == header
    for slice_ in by_month["categories"]:
        if slice_["category_id"]:
            found = books.lines(category=slice_["category_id"])
            assert sum(line["signed_fen"] for line in found) == slice_["amount_fen"]


@pytest.mark.parametrize("amount", [0, -1, 10**13, 10**12, "1e5", 1e5, "１２３", "100", True, None, 1.5])
def test_an_amount_that_is_none_is_refused_with_its_field(books: Books, amount: Any) -> None:
    answer = books.enter("2023-05-01", "income", "停车", amount)
    assert answer.status_code == 422
    assert "amount_fen" in answer.json["errors"]
    assert books.clerk.get(f"{books.base}/entries").json["items"] == []


def test_a_line_of_another_estate_or_with_an_unfit_category_is_refused(books: Books, town: Town) -> None:
    foreign = town.staff("property", town.b).post(
        f"/estates/{town.b.estate_id}/revenue/categories", {"kind": "income", "name": "停车"}
    )
    for body, code in (
        ({"category_id": foreign.json["category_id"]}, "unknown_revenue_category"),
        ({"category_id": books.category("cost", "税金")}, "unknown_revenue_category"),
        ({}, "revenue_category_missing"),
        ({"category_id": books.category("income", "停车"), "account": "income"}, "adjustment_unclear"),
    ):
        answer = books.enter("2023-05-01", "income", None, 100, **body)
        assert (answer.status_code, answer.json["code"]) == (422, code)
    future = books.enter("2099-01-01", "income", "停车", 100)
    assert future.json["code"] == "day_in_future"
    stranger = town.staff("property", town.b).post(
        f"{books.base}/entries", {"day": "2023-01-01", "kind": "income", "amount_fen": 1}
    )
    assert stranger.status_code == 404
    assert books.clerk.get(f"{books.base}/entries").json["items"] == []


def test_a_draft_is_changed_only_by_who_saw_its_last_version_and_never_seen_by_residents(
    books: Books,
) -> None:
    draft = books.entered("2023-05-01", "income", "停车", 100)
    path = f"/revenue/entries/{draft['entry_id']}"
    assert books.clerk.patch(path, {"amount_fen": 200}).status_code == 428
    assert books.clerk.patch(path, {"amount_fen": 200}, headers={"If-Match": '"9"'}).status_code == 412
    changed = books.clerk.patch(path, {"amount_fen": 200}, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json["amount_fen"], changed.json["version"]) == (200, 200, 2)
    bad = books.clerk.patch(path, {"kind": "cost"}, headers={"If-Match": '"2"'})
    assert bad.json["code"] == "revenue_category_missing"
    assert books.reader.get(path).status_code == 404
    assert books.read("entries")["items"] == []
    assert books.clerk.delete(path, headers={"If-Match": '"2"'}).status_code == 204
    assert books.clerk.get(path).status_code == 404


def test_vouchers_stand_behind_a_line_and_an_executable_is_none(
    books: Books, work: Callable[..., int]
) -> None:
    refused = books.clerk.upload("/files", b"MZ\x90\x00" + b"\0" * 200, "invoice.pdf", purpose="evidence")
    assert refused.status_code == 422
    file_id = paper(books.clerk, small_jpeg())
    draft = books.entered("2023-05-01", "income", "停车", 100, file_ids=[file_id])
    assert [v["file_id"] for v in draft["vouchers"]] == [file_id]
    again = books.enter("2023-05-02", "income", "停车", 100, file_ids=[file_id])
    assert (again.status_code, again.json["code"]) == (422, "voucher_unknown")
    theirs = paper(books.bookkeeper)
    assert (
        books.enter("2023-05-02", "income", "停车", 100, file_ids=[theirs]).json["code"] == "voucher_unknown"
    )
    shown = f"/revenue/entries/{draft['entry_id']}/vouchers/{file_id}/public"
    assert books.clerk.post(shown, {"boxes": []}).status_code == 202
    work()
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    (line,) = books.lines(kind="income")
    assert line["voucher_count"] == 1
    kept = books.desk.get(f"/revenue/lines/{line['entry_id']}").json["vouchers"]
    assert kept == [v | {"kind": "jpeg"} for v in draft["vouchers"]]
    content = books.desk.post(f"/revenue/entries/{line['entry_id']}/vouchers/{file_id}/content")
    assert content.status_code == 200
    assert content.data == small_jpeg()


def test_who_entered_or_handed_in_does_not_review_and_two_reviewers_are_one(books: Books) -> None:
    finance = books.bookkeeper
    body = {
        "day": "2023-02-01",
        "kind": "income",
        "amount_fen": 5,
        "category_id": books.category("income", "停车"),
    }
    assert finance.post(f"{books.base}/entries", body).status_code == 201
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    early = books.desk.post(f"/revenue/periods/{period}/review", {"passed": True})
    assert (early.status_code, early.json["code"]) == (409, "illegal_period_move")
    books.go(period, "submit")
    own = finance.post(f"/revenue/periods/{period}/review", {"passed": True})
    assert (own.status_code, own.json["code"]) == (403, "second_person")
    unread = finance.post(f"/revenue/periods/{period}/publish")
    assert unread.json["code"] == "illegal_period_move"
    street = books.town.staff("street")
    answers: list[int] = []

    def ask(who: Caller) -> None:
        answers.append(who.post(f"/revenue/periods/{period}/review", {"passed": True}).status_code)

    both = [threading.Thread(target=ask, args=(who,)) for who in (books.desk, street)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(answers) == [200, 409]
    books.go(period, "publish")
    twice = finance.post(f"/revenue/periods/{period}/publish")
    assert (twice.status_code, twice.json["code"]) == (409, "already_published")


def test_a_period_is_not_published_with_a_draft_left_over(books: Books) -> None:
    books.entered("2023-02-01", "income", "停车", 1000)
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    books.go(period, "submit", "review")
    frozen = books.clerk.get(f"{books.base}/entries").json["items"]
    assert {d["state"] for d in frozen} == {"submitted"}
    assert [d["amount_fen"] for d in frozen if d["is_computed"]] == [700]
    path = f"/revenue/entries/{frozen[0]['entry_id']}"
    assert (
        books.clerk.patch(path, {"note": "改"}, headers={"If-Match": "*"}).json["code"]
        == "revenue_draft_frozen"
    )
    late = books.entered("2023-03-01", "income", "停车", 500)
    left = books.bookkeeper.post(f"/revenue/periods/{period}/publish")
    assert (left.status_code, left.json["code"], left.json["count"]) == (409, "drafts_left_over", 1)
    assert books.read("periods")["items"] == []
    back = books.desk.post(f"/revenue/periods/{period}/review", {"passed": False, "note": "漏记一笔"})
    assert (back.json["state"], back.json["review_note"]) == ("draft", "漏记一笔")
    done = books.go(period)
    assert (done["income_fen"], done["fund_fen"], done["closing_fen"], done["lines"]) == (1500, 1050, 450, 3)
    closed = books.enter("2023-12-31", "income", "停车", 1)
    assert (closed.status_code, closed.json["code"]) == (422, "period_closed")
    assert late["entry_id"] in {line["entry_id"] for line in books.lines()}


def test_periods_follow_without_gap_and_rules_do_not_reach_back(books: Books) -> None:
    assert books.clerk.post(f"{books.base}/periods", {}).json["code"] == "period_first_day"
    period = books.begin(first_day="2023-05-10", opening_fen=100)
    assert books.clerk.post(f"{books.base}/periods", {}).json["code"] == "period_open"
    # A rule for a period in draft changes how long it is.
    assert books.rules("2023-05-01", rhythm="quarter").status_code == 201
    assert books.clerk.get(f"/revenue/periods/{period}").json["last_day"] == "2023-06-30"
    books.go(period)
    early = books.rules("2023-06-30", split_bp=0)
    assert (early.status_code, early.json["code"]) == (422, "revenue_settings_too_early")
    books.begin()
    shown = books.clerk.get(f"{books.base}/periods").json["items"]
    assert [(p["first_day"], p["last_day"]) for p in shown] == [
        ("2023-07-01", "2023-09-30"),
        ("2023-05-10", "2023-06-30"),
    ]


def test_a_published_period_hangs_for_its_days_and_then_is_closed(
    books: Books, resident: Callable[..., Person], later: Callable[..., Any]
) -> None:
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    states = []
    for days in (0, 1, 14, 1):
        later(days=days)
        books.reader = resident()
        states.append(books.read("periods")["items"][0]["state"])
    assert states == ["published", "posted", "posted", "closed"]


def test_a_correction_is_a_reversal_linked_both_ways_and_the_published_line_stays(books: Books) -> None:
    books.entered("2023-02-01", "income", "停车", 1000)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    before = books.lines()
    wrong = next(line for line in before if line["kind"] == "income")
    nowhere = books.clerk.patch(
        f"/revenue/entries/{wrong['entry_id']}", {"amount_fen": 900}, headers={"If-Match": "*"}
    )
    assert nowhere.status_code == 404
    period = books.begin()
    made = books.clerk.post(
        f"/revenue/periods/{period}/correct",
        {"entry_id": wrong["entry_id"], "reason": "金额记错", "day": "2024-01-05"},
    )
    assert made.status_code == 201, made.text
    assert (made.json["debit"], made.json["credit"], made.json["signed_fen"]) == ("income", "bank", -1000)
    path = f"/revenue/entries/{made.json['entry_id']}"
    tampered = books.clerk.patch(path, {"amount_fen": 1}, headers={"If-Match": "*"})
    assert tampered.json["code"] == "reversal_fixed"
    twice = books.clerk.post(
        f"/revenue/periods/{period}/correct", {"entry_id": wrong["entry_id"], "reason": "再来"}
    )
    assert twice.json["code"] == "reversed_already"
    books.entered("2024-01-05", "income", "停车", 900)
    done = books.go(period)
    assert (done["income_fen"], done["fund_fen"]) == (-100, 0)
    now = {line["entry_id"]: line for line in books.lines()}
    reversal = now[made.json["entry_id"]]
    assert (reversal["reverses"], now[wrong["entry_id"]]["reversed_by"]) == (
        wrong["entry_id"],
        reversal["entry_id"],
    )
    unchanged = [{k: v for k, v in line.items() if k != "reversed_by"} for line in before]
    assert unchanged == [
        {k: v for k, v in now[line["entry_id"]].items() if k != "reversed_by"} for line in before
    ]
    again = books.clerk.post(
        f"/revenue/periods/{books.begin()}/correct", {"entry_id": reversal["entry_id"], "reason": "不行"}
    )
    assert again.json["code"] == "reversal_of_reversal"


def test_nobody_with_the_applications_rights_rewrites_what_is_published(
    books: Books, house: Any, owner: psycopg.Connection[Any]
) -> None:
    books.entered("2023-02-01", "income", "停车", 1000)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    for statement in (
        "UPDATE revenue_lines SET amount_fen = 1",
        "DELETE FROM revenue_lines",
        "TRUNCATE revenue_lines CASCADE",
        "UPDATE revenue_statements SET closing_fen = 1",
        "DELETE FROM revenue_statements",
    ):
        with (
            psycopg.connect(house.pg.url("app", "house"), autocommit=True) as app,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            app.execute(statement)
    # Even the owner of the database meets a trigger, and past that the chain says so.
    line_id = owner.execute(
        "SELECT id FROM revenue_lines WHERE community_id = %s AND kind = 'income'", [books.where.id]
    ).fetchone()
    with pytest.raises(psycopg.Error):
        owner.execute("UPDATE revenue_lines SET amount_fen = 1 WHERE id = %s", line_id)
    with psycopg.connect(house.pg.url("superuser", "house")) as root:
        root.execute("SET LOCAL session_replication_role = replica")
        root.execute("UPDATE revenue_lines SET note = '改' WHERE id = %s", line_id)
    assert books.read("chain")["broken_at"] is not None


def test_an_adjustment_names_its_figure_and_direction(books: Books) -> None:
    unclear = books.enter("2023-01-05", "adjustment", None, 100)
    assert unclear.json["code"] == "adjustment_unclear"
    books.entered("2023-01-05", "adjustment", None, 100, account="cost", is_decrease=True, note="上年多计")
    books.entered("2023-01-06", "income", "停车", 1000)
    done = books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    assert (done["income_fen"], done["cost_fen"], done["net_fen"], done["fund_fen"]) == (
        1000,
        -100,
        1100,
        770,
    )


def test_no_sequence_of_operations_changes_a_published_line(
    books: Books, resident: Callable[..., Person]
) -> None:
    deal = contract(books)
    books.entered("2023-05-05", "income", "电梯广告", 100, contract_id=deal)
    plan = {"category_id": books.category("income", "电梯广告"), "amount_fen": 100}
    body = {"year": 2023, "basis": "业主大会决定", "lines": [plan]}
    budget = books.clerk.post(f"{books.base}/budgets", body).json["budget_id"]
    publish_sample(books, (2023,))
    seen, budgets, contracts = books.lines(), books.read("budgets"), books.read("contracts")
    period = books.read("periods")["items"][0]
    ids = [line["entry_id"] for line in seen]

    def each() -> list[Any]:
        """Every line by itself: the list is kept, and would hide a change."""
        return [books.reader.get(f"/revenue/entries/{i}").get_json() for i in ids]

    one_by_one = each()
    category = seen[0]["category_id"] or books.category("income", "停车")
    everyone = (books.clerk, books.bookkeeper, books.desk, books.town.staff("street"))
    attempts: list[tuple[str, str, Any]] = [
        *(("PATCH", f"/revenue/entries/{i}", {"amount_fen": 1}) for i in ids[:2]),
        *(("DELETE", f"/revenue/entries/{i}", None) for i in ids[:2]),
        *(("POST", f"/revenue/periods/{period['period_id']}/{step}", None) for step in ("submit", "publish")),
        ("POST", f"/revenue/periods/{period['period_id']}/review", {"passed": False}),
        ("POST", f"/revenue/periods/{period['period_id']}/correct", {"entry_id": ids[0], "reason": "改它"}),
        ("PATCH", f"/revenue/categories/{category}", {"is_active": False}),
        ("PATCH", f"/revenue/categories/{category}", {"name": "其他"}),
        ("PATCH", f"/revenue/contracts/{deal}", {"party": "别人", "number": "另号"}),
        ("POST", f"{books.base}/settings", RULES | {"valid_from": "2023-01-01", "split_bp": 0}),
        ("DELETE", f"/revenue/budgets/{budget}", None),
    ]

    @settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.sampled_from(everyone), st.sampled_from(attempts)), min_size=1, max_size=8))
    @example([(who, attempt) for attempt in attempts for who in everyone])
    def check(steps: list[tuple[Caller, tuple[str, str, Any]]]) -> None:
        for who, (method, path, body) in steps:
            more = {"json": body} if body is not None else {}
            answer = who.call(method, path, headers={"If-Match": "*"}, **more)
            assert answer.status_code < 500, answer.text

    check()
    assert books.lines() == seen
    assert each() == one_by_one
    assert (books.read("budgets"), books.read("contracts")) == (budgets, contracts)
    assert books.read("periods")["items"][0] == period
    assert books.read("chain")["broken_at"] is None
