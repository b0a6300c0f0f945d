"""Registers as property offices write them, and what a test asks of an import."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import xlsxwriter

from app import db
from app.audit import SYSTEM
from app.places import registry
from app.places.identity import Party
from app.places.registry_models import House
from tests.conftest import Caller, Town

HEADINGS = ["楼栋", "单元", "房号", "用途", "产权登记面积(㎡)", "业主姓名", "联系电话", "身份证号"]
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def id_number(n: int) -> str:
    """A made-up ID number with the right check digit."""
    first = f"50010519{n // 1000 % 60 + 20:02d}0101{n % 1000:03d}"
    return first + "10X98765432"[sum(int(c) * w for c, w in zip(first, _WEIGHTS, strict=True)) % 11]


def workbook(
    rows: Sequence[Sequence[Any]],
    *,
    sheet: str = "台账",
    titles: Sequence[str] = (),
    merge: Sequence[tuple[int, int, int, int, Any]] = (),
    formulas: dict[tuple[int, int], str] | None = None,
) -> bytes:
    """An .xlsx with these rows (the first are the headings) below title rows that span the table."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        page = book.add_worksheet(sheet)
        for at, title in enumerate(titles):
            page.merge_range(at, 0, at, len(rows[0]) - 1, title)
        for at, row in enumerate(rows, len(titles)):
            page.write_row(at, 0, [None if v is None else v for v in row])
        for r1, c1, r2, c2, value in merge:
            page.merge_range(r1 + len(titles), c1, r2 + len(titles), c2, value)
        for (r, c), text in (formulas or {}).items():
            page.write_formula(r + len(titles), c, text, None, 89.5)
    return out.getvalue()


@dataclass
class Clerk:
    """Somebody at a desk who imports registers."""

    caller: Caller
    work: Callable[..., int]
    estate_id: str
    seen: list[str] = field(default_factory=list)

    def upload(self, data: bytes, name: str = "台账.xlsx", *, source: str = "property", **form: str) -> Any:
        form = {"source": source, "estate_id": self.estate_id} | form
        return self.caller.upload("/registry/imports", data, name, **{k: v for k, v in form.items() if v})

    def preview(self, data: bytes, name: str = "台账.xlsx", **form: str) -> dict[str, Any]:
        """Upload and wait for the preview."""
        answer = self.upload(data, name, **form)
        assert answer.status_code == 202, answer.text
        self.work()
        return self.look(answer.json["job_id"])

    def look(self, import_id: str) -> dict[str, Any]:
        answer = self.caller.get(f"/registry/imports/{import_id}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def apply(self, import_id: str, **body: Any) -> dict[str, Any]:
        answer = self.caller.post(f"/registry/imports/{import_id}/apply", body)
        assert answer.status_code == 202, answer.text
        self.work()
        return self.look(import_id)

    def load(self, data: bytes, **form: str) -> dict[str, Any]:
        """Upload, preview, apply."""
        seen = self.preview(data, **form)
        assert seen["state"] == "previewed", seen
        return self.apply(seen["import_id"])

    def houses(self, **query: str) -> list[dict[str, Any]]:
        answer = self.caller.get(f"/estates/{self.estate_id}/houses", query_string={"limit": 100} | query)
        assert answer.status_code == 200, answer.text
        return answer.get_json()["items"]

    def house(self, number: str, **query: str) -> dict[str, Any]:
        """The one house of that number, with everything."""
        (found,) = self.houses(room=number, **query)
        answer = self.caller.get(f"/houses/{found['house_id']}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()


@pytest.fixture
def clerk(town: Town, work: Callable[..., int]) -> Clerk:
    """The clerk of community a, with its first estate."""
    return Clerk(town.staff("community"), work, town.a.estate_id)


@pytest.fixture
def add_house(town: Town) -> Callable[..., House]:
    """`add_house("101", 9000, Party("张三"))`: a house of the first estate of community a."""

    def add(number: str, area: int | None, *owners: Party, **more: Any) -> House:
        with db.transaction():
            return registry.add_house(
                estate=town.a.estate,
                building=more.pop("building", "1栋"),
                number=number,
                registered_centi=area,
                owners=owners,
                acting_user=SYSTEM,
                **more,
            )

    return add
