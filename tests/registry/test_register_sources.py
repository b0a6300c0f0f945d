"""Registers of several sources one after another: which word stands, what a stale preview may not do, whose days are
kept.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from app.places import queries
from app.places.identity import Party
from app.places.registry_models import House
from tests.conftest import Town
from tests.registry.conftest import HEADINGS, Clerk, id_number, workbook

ROW: list[Any] = ["1栋", "1单元", "101", "住宅", 90, "张三", "13800000001", id_number(1)]
OTHER: list[Any] = ["1栋", "1单元", "101", "住宅", 70, "李四", "13800000002", ""]
SINCE = [*HEADINGS, "取得日期"]


def file(*rows: list[Any], headings: list[str] = HEADINGS) -> bytes:
    return workbook([headings, *rows])


def counted(seen: dict[str, Any], *names: str) -> tuple[int, ...]:
    return tuple(seen["counts"][name] for name in names)


@pytest.fixture
def written(owner: psycopg.Connection[Any], town: Town) -> Callable[[], dict[str, int]]:
    """How many rows the registry of community a has in each table."""

    def count() -> dict[str, int]:
        tables = ("houses", "owners", "holdings", "holding_owners", "registry_marks")
        return {
            table: owner.execute(
                f"SELECT count(*) FROM {table} WHERE community_id = %s", (town.a.id,)
            ).fetchall()[0][0]
            for table in tables
        }

    return count


# --- what a better source confirmed ----------------------------------------------------------------------


def test_what_a_better_source_confirmed_is_not_overwritten_by_a_lesser_one(clerk: Clerk) -> None:
    clerk.load(file(ROW))
    same = clerk.load(file(ROW), source="registration")
    assert counted(same, "unchanged", "changed", "conflicting") == (1, 0, 0)
    origins = clerk.house("101")["origins"]
    fields = ("kind", "registered_centi", "owners")
    assert {origins[name]["source"] for name in fields} == {"registration"}
    assert origins["registered_centi"]["file_sha256"] == same["file_sha256"]
    lesser = clerk.preview(file(OTHER))
    assert counted(lesser, "changed", "conflicting", "transfers") == (0, 1, 0)
    found = {(p["column"], p["code"]) for p in lesser["problems"]}
    assert found == {("E", "better_source"), ("F", "better_source")}
    clerk.apply(lesser["import_id"])
    house = clerk.house("101")
    assert house["area_centi"] == 9000
    assert [o["name_masked"] for o in house["owners"]] == ["张*"]


def test_a_lesser_source_that_says_the_same_takes_nothing_from_the_better_one(clerk: Clerk) -> None:
    clerk.load(file(ROW), source="registration")
    assert counted(clerk.load(file(ROW)), "unchanged") == (1,)
    assert clerk.house("101")["origins"]["registered_centi"]["source"] == "registration"
    assert counted(clerk.preview(file(OTHER)), "conflicting") == (1,)


def test_a_phone_that_a_better_source_confirmed_is_kept(clerk: Clerk) -> None:
    clerk.load(file(ROW))
    clerk.load(file(ROW), source="registration")
    lesser = clerk.preview(file([*ROW[:6], "13900000000", ROW[7]]))
    assert [(p["column"], p["code"]) for p in lesser["problems"]] == [("G", "better_source")]


def test_a_value_that_a_file_does_not_name_is_not_confirmed_by_it(clerk: Clerk) -> None:
    clerk.load(file(ROW))
    clerk.load(file([*ROW[:3], "", "", *ROW[5:]]), source="registration")
    assert clerk.house("101")["origins"]["registered_centi"]["source"] == "property"
    clerk.load(file([*ROW[:4], 95, *ROW[5:]]))
    assert clerk.house("101")["area_centi"] == 9500


@pytest.mark.parametrize("source", ["property", "registration"])
def test_a_file_that_was_confirmed_writes_nothing_when_it_comes_again(
    clerk: Clerk, written: Callable[[], dict[str, int]], source: str
) -> None:
    clerk.load(file(ROW))
    first = written()
    clerk.load(file(ROW), source="registration")
    confirmed = written()
    assert confirmed.pop("registry_marks") == first.pop("registry_marks") + 2  # the house and the owner
    assert confirmed == first
    before = written()
    again = clerk.load(file(ROW), source=source)
    assert counted(again, "unchanged", "changed", "new_owners", "changed_owners") == (1, 0, 0, 0)
    assert written() == before


# --- what happened after the preview ---------------------------------------------------------------------


def test_a_preview_of_another_owner_is_not_applied_over_a_later_sale(clerk: Clerk) -> None:
    clerk.load(file(ROW))
    stale = clerk.preview(file([*ROW[:5], "赵六", "13900000009", id_number(9)]))
    assert counted(stale, "transfers") == (1,)
    clerk.load(file([*ROW[:5], "李四", "13900000004", id_number(4)]))
    again = clerk.apply(stale["import_id"])
    assert (again["state"], again["code"]) == ("previewed", "registry_changed")
    assert [o["name_masked"] for o in clerk.house("101")["owners"]] == ["李*"]
    assert clerk.apply(stale["import_id"])["state"] == "applied"
    assert [o["name_masked"] for o in clerk.house("101")["owners"]] == ["赵*"]


def test_a_preview_of_a_better_source_is_not_applied_over_a_later_transfer_by_hand(clerk: Clerk) -> None:
    clerk.load(file(ROW))
    stale = clerk.preview(file([*ROW[:5], "赵六", "13900000009", id_number(9)]), source="registration")
    path = f"/houses/{clerk.house('101')['house_id']}/transfer"
    sold = clerk.caller.post(path, {"owners": [{"name": "钱七"}], "since": queries.today().isoformat()})
    assert sold.status_code == 200, sold.text
    again = clerk.apply(stale["import_id"])
    assert (again["state"], again["code"]) == ("previewed", "registry_changed")
    assert [o["name_masked"] for o in clerk.house("101")["owners"]] == ["钱*"]


def test_a_preview_of_an_area_or_a_phone_is_not_applied_over_a_later_one(clerk: Clerk) -> None:
    clerk.load(file(ROW))
    for column, first, later in ((4, 95, 96), (6, "13800000008", "13800000009")):
        stale_row, later_row = list(ROW), list(ROW)
        stale_row[column], later_row[column] = first, later
        stale = clerk.preview(file(stale_row))
        assert clerk.load(file(later_row))["state"] == "applied"
        again = clerk.apply(stale["import_id"])
        assert (again["state"], again["code"]) == ("previewed", "registry_changed"), column


def test_a_preview_is_applied_when_what_changed_since_is_elsewhere(clerk: Clerk) -> None:
    clerk.load(file(ROW, [*OTHER[:2], "102", *OTHER[3:]]))
    seen = clerk.preview(
        file([*ROW[:4], 95, "王五、赵六", "", ""], [*OTHER[:2], "103", "住宅", 80, "孙八", "", ""])
    )
    clerk.load(file([*OTHER[:2], "102", "住宅", 71, *OTHER[5:]]))
    assert clerk.apply(seen["import_id"])["state"] == "applied"


# --- days ------------------------------------------------------------------------------------------------


def days(house: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(p["owners"][0]["name_masked"], p["since"], p["until"]) for p in house["history"]]


def test_an_owner_since_before_the_owners_before_is_a_conflict_and_no_days_overlap(
    clerk: Clerk, written: Callable[[], dict[str, int]]
) -> None:
    clerk.load(file([*ROW, "2019-05-01"], headings=SINCE))
    clerk.load(file([*OTHER, "2022-05-01"], headings=SINCE))
    kept, rows = days(clerk.house("101")), written()
    third = [*ROW[:4], 70, "王五", "13800000003", ""]
    seen = clerk.preview(file([*third, "2020-05-01"], headings=SINCE))
    assert counted(seen, "conflicting", "changed", "transfers", "new_owners") == (1, 0, 0, 0)
    (problem,) = seen["problems"]
    assert (problem["column"], problem["code"], problem["kind"]) == ("I", "since_too_early", "conflict")
    assert "取得日期" in problem["reason"]
    assert clerk.apply(seen["import_id"])["state"] == "applied"
    assert (days(clerk.house("101")), written()) == (kept, rows)
    # From the day the owner before her left, it can be: the one in between never held.
    clerk.load(file([*third, "2022-05-01"], headings=SINCE))
    names = [(name, since, until) for name, since, until in days(clerk.house("101")) if since != until]
    assert names == [("王*", "2022-05-01", None), ("张*", "2019-05-01", "2022-05-01")]


def test_an_owner_since_before_the_only_one_known_is_a_correction(
    clerk: Clerk, add_house: Callable[..., House]
) -> None:
    today: date = queries.today()
    add_house("101", 9000, Party("张三"), since=today - timedelta(days=30))
    early = (today - timedelta(days=60)).isoformat()
    done = clerk.load(
        file([*ROW[:2], "101", "住宅", 90, "李四", "", "", early], headings=SINCE), source="registration"
    )
    assert counted(done, "conflicting") == (0,)


# --- a row that conflicts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "named",
    [("李四", "13800000002", id_number(2)), ("张三、王五", "13900000000、13900000001", "")],
    ids=["somebody new", "one more, and a new phone of hers"],
)
def test_owners_that_a_row_may_not_set_are_not_written_at_all(
    clerk: Clerk, written: Callable[[], dict[str, int]], named: tuple[str, str, str]
) -> None:
    clerk.load(file([*ROW[:6], "", ""]), source="registration")
    before, rows = clerk.house("101"), written()
    seen = clerk.preview(file([*ROW[:5], *named]))
    assert counted(seen, "conflicting", "new_owners", "changed_owners") == (1, 0, 0)
    assert [(p["column"], p["code"]) for p in seen["problems"]] == [("F", "better_source")]
    assert clerk.apply(seen["import_id"])["state"] == "applied"
    assert (clerk.house("101"), written()) == (before, rows)
