"""The property office's spreadsheet: previewed, mapped, each bad cell named, entered all or none."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from app.places.identity import BadValue
from app.revenue.ledger_file import amount_fen
from app.revenue.money import yuan
from tests.conftest import Caller, Town
from tests.revenue.conftest import COST, EXPECTED, INCOME, OPENING, USE, Books, fen

HEADINGS = ["日期", "类型", "科目", "金额（元）", "对方单位", "合同编号", "摘要"]


def workbook(
    rows: Sequence[Sequence[Any]],
    *,
    titles: Sequence[str] = (),
    formulas: dict[tuple[int, int], str] | None = None,
) -> bytes:
    """An .xlsx with these rows (the first are the headings) below its titles."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        page = book.add_worksheet("收支明细")
        for at, title in enumerate(titles):
            page.write_string(at, 0, title)
        for at, row in enumerate(rows, len(titles)):
            page.write_row(at, 0, list(row))
        for (r, c), text in (formulas or {}).items():
            page.write_formula(r + len(titles), c, text, None, 12)
    return out.getvalue()


class Office:
    """The property clerk of an estate who imports her ledger."""

    def __init__(self, books: Books, work: Callable[..., int]) -> None:
        self.books, self.work = books, work

    @property
    def caller(self) -> Caller:
        return self.books.clerk

    def upload(self, data: bytes, name: str = "台账.xlsx", *, make: bool = True) -> Any:
        more = {"makes_categories": "true"} if make else {}
        return self.caller.upload(f"{self.books.base}/imports", data, name, **more)

    def look(self, import_id: str) -> dict[str, Any]:
        answer = self.caller.get(f"/revenue/imports/{import_id}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def preview(self, data: bytes, name: str = "台账.xlsx", *, make: bool = True) -> dict[str, Any]:
        answer = self.upload(data, name, make=make)
        assert answer.status_code == 202, answer.text
        self.work()
        return self.look(answer.json["job_id"])

    def apply(self, import_id: str, **body: Any) -> dict[str, Any]:
        answer = self.caller.post(f"/revenue/imports/{import_id}/apply", body)
        assert answer.status_code == 202, answer.text
        self.work()
        return self.look(import_id)

    def drafts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.caller.get(f"{self.books.base}/entries?limit=100{cursor}").get_json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"


@pytest.fixture
def office(books: Books, work: Callable[..., int]) -> Office:
    return Office(books, work)


def sample_rows(year: int) -> list[list[Any]]:
    """A year of the sample ledger as a property office writes it: numbers as numbers, one row an item and month."""
    rows: list[list[Any]] = []
    for kind, table in (("收入", INCOME), ("成本", COST), ("支出", USE)):
        for name, amounts in table.items():
            amount = amounts[year - 2023]
            if amount is None:
                continue
            # Over the months, the rest in December: as many rows as a ledger has, and still the same sums.
            month, rest = divmod(fen(amount), 12)
            for number in range(1, 13):
                part = month + (rest if number == 12 else 0)
                day = f"{year}年{number}月20日" if number % 2 else f"{year}-{number:02d}-20"
                cell: Any = yuan(part) if number % 3 else part / 100
                rows.append([day, kind, name, cell, f"{name}单位", "", ""])
    return rows


def test_the_sample_ledger_imported_and_published_is_read_back_to_the_fen(
    books: Books, office: Office
) -> None:
    opening = fen(OPENING)
    for year, (income, cost, net, fund, closing) in EXPECTED.items():
        rows = [HEADINGS, *sample_rows(year), ["合计", "", "", 1, "", "", ""]]
        seen = office.preview(workbook(rows, titles=[f"{year} 年公共收益台账"]))
        assert (seen["state"], seen["bad"], seen["problems_total"]) == ("previewed", 0, 0), seen["problems"]
        assert seen["new"] == len(rows) - 2
        uses = sum(fen(amounts[year - 2023]) for amounts in USE.values())
        assert seen["sums_fen"] == {"income": fen(income), "cost": fen(cost), "use": uses, "fund": 0}
        first = {"first_day": "2023-01-01", "opening_fen": opening, "opening_note": "街道核定"}
        period = books.begin(**first if year == 2023 else {})
        applied = office.apply(seen["import_id"])
        assert (applied["state"], applied["problems_total"]) == ("applied", 0)
        done = books.go(period)
        assert done["lines"] == len(rows) - 2 + 1  # and the split to the fund
        assert (done["opening_fen"], done["closing_fen"]) == (opening, fen(closing))
        assert (done["income_fen"], done["cost_fen"]) == (fen(income), fen(cost))
        assert (done["net_fen"], done["fund_fen"], done["uses_fen"]) == (fen(net), fen(fund), uses)
        opening = fen(closing)
    years = books.read("summary", **{"from": "2023-01-01", "to": "2025-12-31"}, by="year")
    tables: tuple[tuple[str, dict[str, Any]], ...] = (("income", INCOME), ("cost", COST), ("use", USE))
    for kind, table in tables:
        shown = {c["name"]: c["amounts_fen"] for c in years["categories"] if c["kind"] == kind}
        assert shown == {name: [fen(a) if a else 0 for a in amounts] for name, amounts in table.items()}
    exported = books.desk.get(f"{books.base}/export?format=xlsx&from=2024-01-01&to=2024-12-31").data
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(exported)).get_sheet_by_index(0).to_python()
    totals = {row[0]: float(str(row[9])) for row in sheet[-5:]}
    assert totals["净收益"] == fen(EXPECTED[2024][2])
    chain = books.read("chain")
    assert (chain["periods"], chain["broken_at"]) == (3, None)


def test_each_bad_cell_is_named_and_nothing_is_entered(books: Books, office: Office, town: Town) -> None:
    books.category("income", "停车")
    ended = books.clerk.post(f"{books.base}/categories", {"kind": "cost", "name": "旧科目"}).get_json()
    path = f"/revenue/categories/{ended['category_id']}"
    assert books.clerk.patch(path, {"is_active": False}, headers={"If-Match": "*"}).status_code == 200
    # Another estate's category is none of this one's.
    town.staff("property", town.b).post(
        f"/estates/{town.b.estate_id}/revenue/categories", {"kind": "income", "name": "别处的"}
    )
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    good = ["2024-03-01", "收入", "停车", "100.00", "", "", ""]
    bad: list[tuple[list[Any], str, str]] = [
        (["2024-03-01", "收入", "停车", 0, "", "", ""], "D", "amount_zero"),
        (["2024-03-01", "收入", "停车", -5, "", "", ""], "D", "amount_negative"),
        (["2024-03-01", "收入", "停车", "1e5", "", "", ""], "D", "bad_amount"),
        (["2024-03-01", "收入", "停车", "１２３", "", "", ""], "D", "bad_amount"),
        (["2024-03-01", "收入", "停车", "1.005", "", "", ""], "D", "amount_precision"),
        (["2024-03-01", "收入", "停车", 10**13, "", "", ""], "D", "amount_too_large"),
        (["2024-03-01", "收入", "停车", "", "", "", ""], "D", "amount_missing"),
        (["2023-12-31", "收入", "停车", "1", "", "", ""], "A", "period_closed"),
        (["2099-01-01", "收入", "停车", "1", "", "", ""], "A", "bad_date"),
        (["", "收入", "停车", "1", "", "", ""], "A", "day_missing"),
        (["2024-03-01", "进项", "停车", "1", "", "", ""], "B", "bad_entry_kind"),
        (["2024-03-01", "收入", "别处的", "1", "", "", ""], "C", "category_unknown"),
        (["2024-03-01", "成本", "旧科目", "1", "", "", ""], "C", "category_ended"),
        (["2024-03-01", "收入", "停车", "1", "", "没有的", ""], "F", "contract_unknown"),
        (["2024-03-01", "收入", "停车", "1", "", "", "字" * 501], "G", "text_too_long"),
    ]
    data = workbook(
        [HEADINGS, good, *(row for row, _, _ in bad), good], formulas={(len(bad) + 2, 3): "=A1*2"}
    )
    seen = office.preview(data, make=False)
    assert seen["state"] == "previewed"
    found = {(p["row"], p["column"], p["code"]) for p in seen["problems"]}
    assert found == {(at, column, code) for at, (_, column, code) in enumerate(bad, 3)} | {
        (len(bad) + 3, "D", "formula")
    }
    assert all(problem["reason"] for problem in seen["problems"])
    assert (seen["new"], seen["bad"]) == (1, len(bad) + 1)
    refused = books.clerk.post(f"/revenue/imports/{seen['import_id']}/apply", {})
    assert (refused.status_code, refused.json["code"], refused.json["bad"]) == (
        409,
        "has_bad_rows",
        len(bad) + 1,
    )
    assert office.drafts() == []
    sheet = books.clerk.get(f"/revenue/imports/{seen['import_id']}/errors")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(sheet.data)).get_sheet_by_index(0).to_python()
    assert len(rows) == len(bad) + 2
    pages = books.clerk.get(f"/revenue/imports/{seen['import_id']}/problems?limit=5").get_json()
    assert len(pages["items"]) == 5
    assert pages["next_cursor"] is not None
    applied = office.apply(seen["import_id"], skip_bad=True)
    assert applied["state"] == "applied"
    assert [d["amount_fen"] for d in office.drafts()] == [10_000]


def test_headings_nobody_knows_are_mapped_by_a_person(books: Books, office: Office) -> None:
    books.category("income", "停车")
    rows = [["哪天", "做什么", "多少"], ["2023-03-01", "停车", "12.34"]]
    seen = office.preview(workbook(rows))
    assert (seen["state"], seen["code"]) == ("mapping", "headings_unknown")
    assert set(seen["missing"]) == {"day", "category", "amount"}
    early = books.clerk.post(f"/revenue/imports/{seen['import_id']}/apply", {})
    assert (early.status_code, early.json["code"]) == (409, "not_ready")
    path = f"/revenue/imports/{seen['import_id']}/mapping"
    assert books.clerk.post(path, {"mapping": {"哪天": "birthday"}}).status_code == 422
    mapping = {"哪天": "day", "做什么": "category", "多少": "amount"}
    assert books.clerk.post(path, {"mapping": mapping}).status_code == 202
    office.work()
    again = office.look(seen["import_id"])
    assert (again["state"], again["new"], again["sums_fen"]["income"]) == ("previewed", 1, 1234)
    assert [row["kind"] for row in again["rows"]] == ["income"]  # of the only category of that name


def test_two_columns_of_amounts_a_csv_and_new_categories(books: Books, office: Office) -> None:
    text = '日期,项目,收入金额,支出金额,摘要\n2023-01-05,停车,"1,200.50",0,一月\n20230106,维修,,300,门禁\n'
    refused = office.preview(text.encode("gb18030"), "台账.csv")
    assert [p["code"] for p in refused["problems"]] == ["kind_unclear"]  # a cost or a use?
    books.category("use", "维修")
    seen = office.preview(text.encode("gb18030"), "台账.csv")
    assert (seen["bad"], seen["new_categories"]) == (0, [{"kind": "income", "name": "停车"}])
    assert seen["sums_fen"] == {"income": 120_050, "cost": 0, "use": 30_000, "fund": 0}
    office.apply(seen["import_id"])
    listed = books.clerk.get(f"{books.base}/categories").json["items"]
    assert {(c["kind"], c["name"]) for c in listed} == {("income", "停车"), ("use", "维修")}
    assert [(d["kind"], d["amount_fen"], d["note"]) for d in office.drafts()] == [
        ("income", 120_050, "一月"),
        ("use", 30_000, "门禁"),
    ]
    listed = books.desk.get(f"{books.base}/imports").json["items"]
    assert [one["state"] for one in listed] == ["applied", "previewed"]


def test_the_same_file_again_enters_nothing(books: Books, office: Office) -> None:
    twice = ["2023-03-01", "收入", "停车", "5.00", "", "", ""]
    data = workbook([HEADINGS, twice, twice])
    first, second = office.preview(data), office.preview(data)
    assert (first["new"], second["new"]) == (2, 2)  # two equal rows of one file are two entries
    assert office.apply(first["import_id"])["state"] == "applied"
    again = office.caller.post(f"/revenue/imports/{first['import_id']}/apply", {})
    assert again.status_code == 202
    # The books have changed since the second preview: it is looked at anew, nothing is entered.
    moved = office.apply(second["import_id"])
    assert (moved["state"], moved["code"]) == ("previewed", "books_changed")
    assert [p["code"] for p in moved["problems"]] == ["entered_already"] * 2
    nothing = office.caller.post(f"/revenue/imports/{second['import_id']}/apply", {"skip_bad": True})
    assert (nothing.status_code, nothing.json["code"]) == (409, "nothing_to_apply")
    assert len(office.drafts()) == 2


def test_what_is_no_ledger_is_refused_and_strangers_see_none(
    books: Books, office: Office, town: Town
) -> None:
    executable = office.upload(b"MZ\x90\x00\0\0" + b"\0" * 200, "台账.xlsx")
    assert executable.status_code == 422
    assert office.upload(b"  ").status_code == 422
    broken = office.preview(b"PK\x03\x04" + b"nonsense" * 20)
    assert (broken["state"], broken["code"]) == ("failed", "unreadable")
    seen = office.preview(workbook([HEADINGS]))
    assert (seen["state"], seen["code"], seen["new"]) == ("previewed", "no_rows", 0)
    stranger = town.staff("property", town.b)
    assert stranger.get(f"/revenue/imports/{seen['import_id']}").status_code == 404
    assert stranger.upload(f"{books.base}/imports", workbook([HEADINGS])).status_code == 404
    assert books.desk.upload(f"{books.base}/imports", workbook([HEADINGS])).status_code == 403
    template = books.clerk.get("/revenue/imports/template")
    headings = CalamineWorkbook.from_filelike(io.BytesIO(template.data)).get_sheet_by_index(0).to_python()
    assert headings[0][:4] == ["日期", "类型", "科目", "金额"]


@given(
    st.integers(1, 10**12 - 1), st.sampled_from(["", "¥", "￥"]), st.sampled_from(["", "元"]), st.booleans()
)
def test_an_amount_as_it_is_written_is_read_to_the_fen(
    fen_: int, before: str, after: str, grouped: bool
) -> None:
    whole, _, rest = yuan(fen_).partition(".")
    text = f"{int(whole):,}.{rest}" if grouped else f"{whole}.{rest}"
    assert amount_fen(f"{before}{text}{after}") == fen_


@given(st.text(max_size=12))
def test_what_is_no_amount_is_refused_with_a_word(text: str) -> None:
    code, found = "", 0
    try:
        found = amount_fen(text)
    except BadValue as e:
        code = e.code
    if code:
        assert code.startswith(("amount_", "bad_amount"))
    else:
        digits = "".join(c for c in text if c in "0123456789.")
        assert float(digits) * 100 == pytest.approx(found)
        assert found > 0
