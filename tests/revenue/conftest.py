"""The books of one estate: who keeps them, who reviews, and the sample ledger of three years."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import Caller, Community, House, Person, Town


def fen(yuan: str) -> int:
    """Of `312,600.00`: 31260000, by digits."""
    whole, _, rest = yuan.replace(",", "").partition(".")
    return int(whole) * 100 + int((rest + "00")[:2])


RULES = {
    "split_bp": 7000,
    "rounding": "half_even",
    "rhythm": "year",
    "posting_days": 15,
    "keeper": "committee",
    "keeper_name": "业委会专户",
    "basis": "业主大会决定",
}


@dataclass
class Books:
    """The first estate of community a with its clerk (property), bookkeeper (finance) and desk (community)."""

    town: Town
    where: Community
    reader: Person
    categories: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"/estates/{self.where.estate_id}/revenue"

    @property
    def clerk(self) -> Caller:
        return self.town.staff("property", self.where)

    @property
    def bookkeeper(self) -> Caller:
        return self.town.staff("finance", self.where)

    @property
    def desk(self) -> Caller:
        return self.town.staff("community", self.where)

    def rules(self, since: str = "2023-01-01", **more: Any) -> Any:
        return self.desk.post(f"{self.base}/settings", {"valid_from": since} | RULES | more)

    def category(self, kind: str, name: str) -> str:
        if (kind, name) not in self.categories:
            made = self.clerk.post(f"{self.base}/categories", {"kind": kind, "name": name})
            assert made.status_code == 201, made.text
            self.categories[kind, name] = made.json["category_id"]
        return self.categories[kind, name]

    def enter(self, day: str, kind: str, name: str | None, amount_fen: Any, **more: Any) -> Any:
        body = {"day": day, "kind": kind, "amount_fen": amount_fen} | more
        if name is not None:
            body["category_id"] = self.category(kind, name)
        return self.clerk.post(f"{self.base}/entries", body)

    def entered(self, *args: Any, **more: Any) -> dict[str, Any]:
        answer = self.enter(*args, **more)
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def begin(self, **body: Any) -> str:
        answer = self.clerk.post(f"{self.base}/periods", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json["period_id"])

    def go(self, period: str, *steps: str) -> dict[str, Any]:
        """submit by the clerk, review by the desk, publish by the bookkeeper."""
        answer: dict[str, Any] = {}
        for step in steps or ("submit", "review", "publish"):
            who = {"submit": self.clerk, "review": self.desk, "publish": self.bookkeeper}[step]
            body = {"passed": True} if step == "review" else None
            got = who.post(f"/revenue/periods/{period}/{step}", body)
            assert got.status_code == 200, got.text
            answer = got.get_json()
        return answer

    def agree(self, contract: str, changes: dict[str, Any]) -> None:
        """The clerk asks for a change of a contract in use, and the desk agrees."""
        asked = self.clerk.patch(f"/revenue/contracts/{contract}", changes, headers={"If-Match": "*"})
        assert asked.status_code == 202, asked.text
        change = asked.json["pending"]["change_id"]
        done = self.desk.post(f"/revenue/contract-changes/{change}/review", {"passed": True})
        assert done.status_code == 200, done.text

    def read(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.reader.get(f"{self.base}/{path}", query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def lines(self, **query: Any) -> list[dict[str, Any]]:
        """All published lines of a filter, through all pages."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.read("entries", limit=7, **query, **({"cursor": cursor} if cursor else {}))
            found += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found


def contract(books: Books, **more: Any) -> str:
    """A contract of 2023 over 100 fen a year, unless said otherwise; its id."""
    body = {
        "category_id": books.category("income", "电梯广告"),
        "number": "GG-01",
        "party": "某公司",
        "subject": "广告",
        "price_fen": 100,
        "rhythm": "year",
        "starts_on": "2023-01-01",
        "ends_on": "2023-12-31",
    }
    made = books.clerk.post(f"{books.base}/contracts", body | more)
    assert made.status_code == 201, made.text
    return str(made.json["contract_id"])


@pytest.fixture
def books(house: House, town: Town, resident: Callable[..., Person]) -> Books:
    """An estate whose rules are set: yearly, 70 % to the fund."""
    made = Books(town, town.a, resident())
    answer = made.rules()
    assert answer.status_code == 201, answer.text
    return made


# docs of the trade: 1,500 homes, 150,000 m², synthetic, sums checked. Yuan by year.
INCOME = {
    "停车": ("312,600.00", "336,480.00", "348,900.00"),
    "电梯广告": ("86,400.00", "86,400.00", "79,200.00"),
    "道闸灯箱": ("24,000.00", "26,400.00", "26,400.00"),
    "租金": ("72,000.00", "75,600.00", "75,600.00"),
    "通信基站": ("36,000.00", "36,000.00", "36,000.00"),
    "快递柜": ("12,000.00", "12,000.00", "14,400.00"),
    "充电桩": ("9,850.00", "18,260.00", "31,540.00"),
    "场地": ("15,300.00", "17,850.00", "16,200.00"),
    "售货回收": ("4,800.00", "4,800.00", "4,800.00"),
    "赔偿": ("1,200.00", None, "3,600.00"),
    "利息": ("2,136.45", "3,418.92", "4,207.18"),
}
COST = {
    "停车人工": ("96,000", "98,400", "98,400"),
    "道闸维护": ("12,600", "8,900", "14,300"),
    "能耗": ("14,280", "16,920", "19,860"),
    "税金": ("17,225.70", "18,413.70", "19,099.20"),
    "管理费": ("45,836.00", "49,103.20", "50,643.20"),
}
USE = {
    "维修": ("38,600", "52,750", "61,480"),
    "业委会": ("30,000", "30,000", "30,000"),
    "审计": ("8,000", "8,000", "8,000"),
    "活动": ("12,000", "15,000", "15,000"),
}
OPENING = "48,250.30"
EXPECTED = {
    2023: ("576,286.45", "185,941.70", "390,344.75", "273,241.32", "76,753.73"),
    2024: ("617,208.92", "191,736.90", "425,472.02", "297,830.41", "98,645.34"),
    2025: ("640,847.18", "202,302.40", "438,544.78", "306,981.35", "115,728.77"),
}
