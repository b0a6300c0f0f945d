"""Budgets, the decisions that allow, what contracts let expect; and answers that are exact from a publication on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app import clock, db, ids
from app.ids import Kind, Ref
from app.revenue.summary import summary
from app.voting.models import Decision
from app.voting.rules import Rules
from tests.conftest import House, Town
from tests.revenue.conftest import Books, fen


def decided(estate: Ref, *, certified: bool = True, mode: str = "paper_backed") -> str:
    """A decision of the estate's owners, straight into the table: the books ask for its result alone."""
    now = clock.now()
    made = Ref(estate.community_id, ids.new_id())
    with db.transaction() as session:
        session.add(
            Decision(
                community_id=made.community_id,
                id=made.id,
                estate_id=estate.id,
                kind="poll" if mode == "poll" else "meeting",
                title="用公共收益更换门禁",
                text="",
                legal_mode=mode,
                status="certified" if certified else "announced",
                rules=Rules().as_json(),
                texts_nonce="00" * 32,
                announced_at=now,
                opens_at=now,
                closes_at=now + timedelta(days=9),
                certified_at=now if certified else None,
                created_at=now,
                updated_at=now,
            )
        )
    return ids.encode(Kind.DECISION, made)


def test_a_line_names_a_decision_that_its_own_owners_have_taken(books: Books, town: Town) -> None:
    nowhere = ids.encode(Kind.DECISION, Ref(books.where.id, ids.new_id()))
    for decision, code in (
        (nowhere, "unknown_decision"),
        (decided(town.b.estate), "unknown_decision"),
        (decided(books.where.estate, certified=False), "decision_not_certified"),
        (decided(books.where.estate, mode="poll"), "decision_not_certified"),
    ):
        refused = books.enter("2023-02-01", "use", "维修", 5000, decision_id=decision)
        assert (refused.status_code, refused.json["code"]) == (422, code)
    assert books.clerk.get(f"{books.base}/entries").json["items"] == []
    good = decided(books.where.estate)
    draft = books.entered("2023-02-01", "use", "维修", 5000, decision_id=good)
    books.entered("2023-02-02", "use", "维修", 700)
    books.entered("2023-02-03", "use", "活动", 300, decision_id=good)
    books.go(books.begin(first_day="2023-01-01", opening_fen=9000))
    shown = books.reader.get(f"/revenue/entries/{draft['entry_id']}").get_json()
    assert shown["decision_id"] == good
    assert (shown["decision"]["decision_id"], shown["decision"]["title"]) == (good, "用公共收益更换门禁")
    # What came of one vote, and of one that allowed nothing.
    spent = books.read("entries", decision=good)
    assert ([line["amount_fen"] for line in spent["items"]], spent["total"]["uses_fen"]) == (
        [300, 5000],
        5300,
    )
    exported = books.desk.get(f"{books.base}/export?format=csv&decision={good}").data.decode("utf-8-sig")
    assert "支出合计,,,,,,,,53.00,5300," in exported
    assert books.read("entries", decision=nowhere)["total"]["lines"] == 0
    elsewhere = ids.encode(Kind.DECISION, Ref(books.where.id + 1, ids.decode_ref(Kind.DECISION, good).id))
    assert books.read("entries", decision=elsewhere)["total"]["lines"] == 0


def test_a_budget_is_compared_with_what_is_published(books: Books) -> None:
    repair, parking = books.category("use", "维修"), books.category("income", "停车")
    body: dict[str, Any] = {
        "year": 2023,
        "basis": "业主大会决定",
        "decision_id": decided(books.where.estate),
        "lines": [
            {"category_id": repair, "amount_fen": 10_000, "note": "门禁"},
            {"category_id": parking, "amount_fen": 50_000},
        ],
    }
    path = f"{books.base}/budgets"
    for bad, code in (
        ({"lines": [body["lines"][0]] * 2}, "budget_line_twice"),
        ({"decision_id": decided(books.where.estate, certified=False)}, "decision_not_certified"),
    ):
        assert books.clerk.post(path, body | bad).json["code"] == code
    for amount in (0, -1, 10**12, "1e5", 1.5):
        wrong = body | {"lines": [{"category_id": repair, "amount_fen": amount}]}
        assert books.clerk.post(path, wrong).status_code == 422
    assert books.desk.post(path, body).status_code == 403
    made = books.clerk.post(path, body)
    assert made.status_code == 201, made.text
    assert books.clerk.post(path, body).json["code"] == "budget_taken"
    assert books.clerk.delete(f"/revenue/budgets/{made.json['budget_id']}").status_code == 204
    made = books.clerk.post(path, body)
    spent = books.entered("2023-03-01", "use", "维修", 4_000)
    books.entered("2023-04-01", "income", "停车", 20_000)
    assert [line["actual_fen"] for line in books.read("budgets")["items"][0]["lines"]] == [0, 0]  # drafts
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    (shown,) = books.read("budgets")["items"]
    assert [(p["name"], p["amount_fen"], p["actual_fen"], p["left_fen"]) for p in shown["lines"]] == [
        ("维修", 10_000, 4_000, 6_000),
        ("停车", 50_000, 20_000, 30_000),
    ]
    assert shown["decision"]["title"] == "用公共收益更换门禁"
    line = books.reader.get(f"/revenue/entries/{spent['entry_id']}").get_json()
    assert line["budget_line_id"] == shown["lines"][0]["budget_line_id"]
    kept = books.clerk.delete(f"/revenue/budgets/{made.json['budget_id']}")
    assert (kept.status_code, kept.json["code"]) == (409, "budget_in_use")


def test_a_refused_budget_names_the_line_that_is_wrong(books: Books) -> None:
    repair, parking = books.category("use", "维修"), books.category("income", "停车")
    nowhere = ids.encode(Kind.REVENUE_CATEGORY, Ref(books.where.id, ids.new_id()))
    for categories, code, wrong in (
        ([repair, parking, repair, repair], "budget_line_twice", [2, 3]),
        ([repair, nowhere], "unknown_revenue_category", [1]),
    ):
        lines = [{"category_id": category, "amount_fen": 10_000} for category in categories]
        body = {"year": 2023, "basis": "业主大会决定", "lines": lines}
        refused = books.clerk.post(f"{books.base}/budgets", body)
        assert (refused.status_code, refused.json["code"]) == (422, code)
        assert sorted(refused.json["errors"]) == [f"lines.{place}.category_id" for place in wrong]


def test_a_contract_lets_expect_its_instalments_and_payments_cover_the_oldest(books: Books) -> None:
    body = {
        "category_id": books.category("income", "电梯广告"),
        "number": "GG-01",
        "party": "某公司",
        "subject": "广告",
        "starts_on": "2023-01-31",
        "ends_on": "2023-12-31",
        "price_fen": 1000,
        "rhythm": "quarter",
    }
    contract = books.clerk.post(f"{books.base}/contracts", body).json["contract_id"]
    books.entered("2023-02-01", "income", "电梯广告", 1500, contract_id=contract)
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    asked = {"from": "2023-04-01", "to": "2024-06-30"}
    shown = books.read("expected", **asked)
    assert [(i["due_on"], i["missing_fen"]) for i in shown["items"]] == [
        ("2023-04-30", 500),
        ("2023-07-31", 1000),
        ("2023-10-31", 1000),
    ]
    assert (shown["expected_fen"], shown["missing_fen"], shown["until"]) == (3000, 2500, "2023-12-31")
    assert books.clerk.get(f"{books.base}/expected", query_string=asked).get_json() == shown
    backwards = books.reader.get(f"{books.base}/expected?from=2024-01-02&to=2024-01-01")
    assert (backwards.status_code, backwards.json["code"]) == (422, "range_backwards")


def test_every_figure_of_a_summary_opens_to_its_lines(books: Books) -> None:
    books.entered("2023-02-01", "income", "停车", 1000, counterparty="张三停车场")
    books.entered("2023-05-01", "income", "租金", 3000)
    books.entered("2023-05-02", "adjustment", None, 40, account="income", is_decrease=True)
    books.entered("2023-08-01", "cost", "税金", 500)
    books.entered("2023-08-02", "use", "维修", 300, note="门禁更换")
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    shown = books.read("summary", by="quarter")
    figures = {"income_fen": "income", "cost_fen": "cost", "uses_fen": "use", "fund_fen": "fund"}
    for span in [shown["total"], *shown["items"]]:
        for name, account in figures.items():
            found = books.lines(**{"from": span["first_day"], "to": span["last_day"]}, account=account)
            assert sum(line["signed_fen"] for line in found) == span[name]
    for slice_ in shown["categories"]:
        where = {"category": slice_["category_id"]} if slice_["category_id"] else {"no_category": "true"}
        found = books.lines(account=slice_["kind"], **where)
        assert sum(line["signed_fen"] for line in found) == slice_["amount_fen"] == sum(slice_["amounts_fen"])
        for span, amount in zip(shown["items"], slice_["amounts_fen"], strict=True):
            part = books.lines(
                account=slice_["kind"], **where, **{"from": span["first_day"], "to": span["last_day"]}
            )
            assert sum(line["signed_fen"] for line in part) == amount
    pies = {pie["kind"]: pie for pie in shown["pies"]}
    assert (pies["cost"]["labels"], pies["cost"]["share_bp"]) == (["税金"], [10_000])
    assert pies["income"]["labels"] == []  # an adjustment below nothing is no slice
    assert shown["series"]["fund_fen"] == [0, 0, 0, shown["total"]["fund_fen"]]
    # By the name of its category, and by the note of the split.
    assert {line["kind"] for line in books.lines(q="维修")} == {"use", "fund"}
    assert len(books.lines(q="停车")) == 1
    assert books.lines(q="门禁")[0]["amount_fen"] == 300


def test_a_kept_answer_ends_with_the_next_publication(books: Books) -> None:
    books.entered("2023-02-01", "income", "停车", fen("10"))
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    path = f"{books.base}/summary"
    first = books.reader.get(path, query_string={"by": "year"})
    again = books.reader.get(path, query_string={"by": "year"})
    assert (again.data, again.headers["ETag"]) == (first.data, first.headers["ETag"])
    same = books.reader.get(
        path, query_string={"by": "year"}, headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (same.status_code, same.data) == (304, b"")
    anonymous = books.reader.client.get(f"/bff/v1{path}?by=year")
    assert anonymous.status_code == 401  # kept, but not for everybody
    books.entered("2024-02-01", "income", "停车", fen("20"))
    assert books.reader.get(path, query_string={"by": "year"}).data == first.data
    books.go(books.begin())
    now = books.reader.get(path, query_string={"by": "year"}).get_json()
    assert now["last_day"] == "2024-12-31"
    assert now["total"]["income_fen"] == fen("20")
    assert now["total"]["opening_fen"] == first.get_json()["total"]["closing_fen"]


def test_one_estates_answer_is_never_anothers(books: Books, town: Town) -> None:
    books.entered("2023-02-01", "income", "停车", fen("10"))
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    assert len(books.lines()) == 2
    other = books.reader.get(f"/estates/{town.b.estate_id}/revenue/entries?limit=7")
    assert other.json["items"] == []


def test_of_all_who_look_after_a_publication_one_has_it_computed(
    books: Books, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.entered("2023-02-01", "income", "停车", fen("10"))
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    computed: list[Ref] = []

    def slowly(estate: Ref, **asked: Any) -> Any:
        computed.append(estate)
        time.sleep(0.3)  # the others come while it is computed
        return summary(estate, **asked)

    monkeypatch.setattr("bff.resident.revenue.summary", slowly)

    def look(_: int) -> tuple[int, bytes]:
        answer = replace(books.reader, client=house.app.test_client()).get(f"{books.base}/summary")
        return answer.status_code, answer.data

    with ThreadPoolExecutor(4) as neighbours:
        answers = set(neighbours.map(look, range(4)))
    assert [status for status, _ in answers] == [200]
    assert len(computed) == 1
    # What is refused is kept for nobody.
    assert [books.reader.get(f"{books.base}/summary?by=week").status_code for _ in range(2)] == [422, 422]


@pytest.mark.parametrize(
    "asked", ["from=2024-13-01", "by=week", "account=bank", "category=abc", "q=" + "长" * 41]
)
def test_a_question_that_makes_no_sense_is_refused(books: Books, asked: str) -> None:
    where = "summary" if asked.startswith(("from", "by")) else "entries"
    assert books.reader.get(f"{books.base}/{where}?{asked}").status_code == 422
