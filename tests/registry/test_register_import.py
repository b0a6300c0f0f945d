"""A register is uploaded, previewed, applied, imported again: what a clerk is told and what the registry then says."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
import python_calamine as calamine
from sqlalchemy import update

from app import db, ids
from app.ids import Kind
from app.outbox import Outbox
from app.places import import_writes, imports
from tests.conftest import Caller, Town
from tests.registry.conftest import HEADINGS, Clerk, id_number, workbook

ROWS: list[list[Any]] = [
    ["1栋", "1单元", "101", "住宅", 89.5, "张三", "13800000001", id_number(1)],
    ["1栋", "1单元", "102", "住宅", 101.25, "李四、王五", "13800000002、13800000003", ""],
    ["1栋", "", "商1", "商铺", 45, "某某商贸有限公司", "023-67890123", ""],
    ["", "", "车位12", "车位", 12.5, "张三", "13800000001", id_number(1)],
]
COUNTED = ("rows", "new", "changed", "unchanged", "conflicting", "bad")


def counts(seen: dict[str, Any]) -> tuple[int, ...]:
    return tuple(seen["counts"][name] for name in COUNTED)


def test_nothing_is_written_before_apply_and_everything_after(clerk: Clerk) -> None:
    seen = clerk.preview(workbook([HEADINGS, *ROWS], titles=["某某小区房屋台账", "填报单位：某某物业"]))
    assert seen["state"] == "previewed", seen
    assert counts(seen) == (4, 4, 0, 0, 0, 0)
    assert clerk.houses() == []
    done = clerk.apply(seen["import_id"])
    assert (done["state"], done["done"], done["total"]) == ("applied", 4, 4)
    home = clerk.house("101")
    assert (home["building"], home["unit"], home["area_centi"], home["area_basis"]) == (
        "1栋",
        "1单元",
        8950,
        "registered",
    )
    assert [o["name_masked"] for o in home["owners"]] == ["张*"]
    assert home["owners"][0]["is_voter"]
    couple = clerk.house("102")
    assert [o["name_masked"] for o in couple["owners"]] == ["李*", "王*"]
    assert not any(o["is_voter"] for o in couple["owners"])
    assert clerk.house("车位12")["owners"][0]["owner_id"] == home["owners"][0]["owner_id"]


def test_the_same_file_again_changes_nothing(clerk: Clerk) -> None:
    file = workbook([HEADINGS, *ROWS])
    clerk.load(file)
    before = clerk.house("101")
    again = clerk.preview(file)
    assert counts(again) == (4, 0, 0, 4, 0, 0)
    clerk.apply(again["import_id"])
    assert clerk.house("101") == before


def test_applying_twice_writes_once(clerk: Clerk) -> None:
    seen = clerk.preview(workbook([HEADINGS, *ROWS]))
    for _ in range(2):
        assert clerk.caller.post(f"/registry/imports/{seen['import_id']}/apply", {}).status_code == 202
    clerk.work()
    assert clerk.apply(seen["import_id"])["state"] == "applied"
    assert len(clerk.houses()) == 4


def test_each_field_says_which_file_row_and_person_it_came_from(clerk: Clerk) -> None:
    done = clerk.load(workbook([HEADINGS, *ROWS], titles=["标题"]))
    origin = clerk.house("102")["origins"]["registered_centi"]
    assert origin["file_sha256"] == done["file_sha256"]
    assert (origin["sheet"], origin["row"], origin["source"]) == ("台账", 4, "property")
    assert origin["by"].startswith("员工")


def test_a_changed_file_shows_what_it_changes_and_keeps_who_owned_before(clerk: Clerk) -> None:
    clerk.load(workbook([HEADINGS, *ROWS]))
    sold = [list(row) for row in ROWS]
    sold[0][5:] = ["赵六", "13900000009", id_number(9)]
    sold[1][4] = 101.3
    seen = clerk.preview(workbook([HEADINGS, *sold]))
    assert counts(seen) == (4, 0, 2, 2, 0, 0)
    assert seen["counts"]["transfers"] == 1
    clerk.apply(seen["import_id"])
    assert clerk.house("102")["area_centi"] == 10130
    assert [o["name_masked"] for o in clerk.house("101")["owners"]] == ["赵*"]


def test_a_lesser_source_never_overwrites_a_better_one_silently(clerk: Clerk) -> None:
    clerk.load(workbook([HEADINGS, *ROWS]), source="registration")
    other = [list(row) for row in ROWS]
    other[0][4], other[1][5] = 95, "陈七"
    seen = clerk.preview(workbook([HEADINGS, *other]))
    assert counts(seen) == (4, 0, 0, 2, 2, 0)
    found = {(p["row"], p["column"], p["code"], p["kind"]) for p in seen["problems"]}
    assert found == {(2, "E", "better_source", "conflict"), (3, "F", "better_source", "conflict")}
    clerk.apply(seen["import_id"])
    assert clerk.house("101")["area_centi"] == 8950
    assert [o["name_masked"] for o in clerk.house("102")["owners"]] == ["李*", "王*"]


def test_a_better_source_overwrites_a_lesser_one(clerk: Clerk) -> None:
    clerk.load(workbook([HEADINGS, *ROWS]))
    other = [list(row) for row in ROWS]
    other[0][4] = 95
    assert counts(clerk.load(workbook([HEADINGS, *other]), source="registration"))[2] == 1
    assert clerk.house("101")["area_centi"] == 9500


def test_what_changed_since_the_preview_is_looked_at_again(clerk: Clerk) -> None:
    clerk.load(workbook([HEADINGS, *ROWS]))
    other = [list(row) for row in ROWS]
    other[0][4] = 95
    seen = clerk.preview(workbook([HEADINGS, *other]))
    house = clerk.house("101")
    by_hand = clerk.caller.patch(
        f"/houses/{house['house_id']}",
        {"registered_area_centi": 9000},
        headers={"If-Match": f'"{house["version"]}"'},
    )
    assert by_hand.status_code == 200, by_hand.text
    again = clerk.apply(seen["import_id"])
    assert (again["state"], again["code"]) == ("previewed", "registry_changed")
    assert counts(again) == (4, 0, 0, 3, 1, 0)
    assert clerk.house("101")["area_centi"] == 9000
    assert clerk.apply(seen["import_id"])["state"] == "applied"
    assert clerk.house("101")["area_centi"] == 9000


def test_a_worker_killed_while_it_writes_leaves_nothing_and_the_next_one_writes_all(
    clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = clerk.preview(workbook([HEADINGS, *ROWS]))

    def dies(*_: Any, **__: Any) -> None:
        real(*_, **__)
        raise KeyboardInterrupt

    real = import_writes.write
    monkeypatch.setattr(import_writes, "write", dies)
    clerk.caller.post(f"/registry/imports/{seen['import_id']}/apply", {})
    with pytest.raises(KeyboardInterrupt):
        clerk.work()
    assert clerk.houses() == []
    monkeypatch.setattr(import_writes, "write", real)
    ref = ids.decode_ref(Kind.IMPORT, seen["import_id"])
    with db.transaction() as session:
        session.execute(
            update(Outbox)
            .where(
                Outbox.community_id == ref.community_id,
                Outbox.kind == imports.APPLY,
            )
            .values(lease_until=None)
        )
    clerk.work()
    assert clerk.look(seen["import_id"])["state"] == "applied"
    assert len(clerk.houses()) == 4


# --- the files that offices really have ------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_csv_is_read_whatever_wrote_it(clerk: Clerk, encoding: str) -> None:
    lines = [",".join(str(v) for v in row) for row in [HEADINGS, *ROWS]]
    seen = clerk.preview("\r\n".join(lines).encode(encoding), "台账.csv")
    assert counts(seen) == (4, 4, 0, 0, 0, 0), seen["problems"]
    assert seen["sheets"] == ["CSV"]


def test_an_old_workbook_is_read(clerk: Clerk) -> None:
    file = Path(__file__).with_name("files") / "register.xls"
    seen = clerk.preview(file.read_bytes(), "台账.xls")
    assert (seen["state"], seen["sheets"]) == ("previewed", ["台账"]), seen
    assert counts(seen) == (3, 3, 0, 0, 0, 0)
    clerk.apply(seen["import_id"])
    # A number without a fraction is a room number, and the merged building holds for both rows.
    couple = clerk.house("102", building="1栋", unit="1单元")
    assert ([o["name_masked"] for o in couple["owners"]], couple["area_centi"]) == (["李*", "王*"], 12000)
    assert clerk.house("商铺1", kind="shop")["area_centi"] == 4525


def test_merged_cells_title_rows_totals_and_repeated_headings_are_survived(clerk: Clerk) -> None:
    rows: list[list[Any]] = [
        ["楼栋", "房号", "面积", "", "业主", "电话"],
        ["", "", "实测面积", "登记面积", "", ""],
        ["", "101", 88, 89.5, "张三", "138 0000 0001"],
        ["", "102", 88, 90.5, "李四", "+86-13800000002"],
        ["楼栋", "房号", "实测面积", "登记面积", "业主", "电话"],
        ["2栋", "101", 88, 91.5, "王五", "１３８０００００００３"],
        ["合计", "", 264, 271.5, "", ""],
    ]
    file = workbook(
        rows,
        titles=["某某小区房屋及业主信息表"],
        merge=[
            (0, 0, 1, 0, "楼栋"),
            (0, 1, 1, 1, "房号"),
            (0, 2, 0, 3, "面积"),
            (0, 4, 1, 4, "业主"),
            (0, 5, 1, 5, "电话"),
            (2, 0, 3, 0, "1栋"),
        ],
    )
    seen = clerk.preview(file)
    assert counts(seen) == (3, 3, 0, 0, 0, 0), seen
    assert {h["heading"]: h["field"] for h in seen["headings"]}["登记面积"] == "registered_centi"
    clerk.apply(seen["import_id"])
    home = clerk.house("102", building="1栋")
    assert (home["registered_area_centi"], home["surveyed_area_centi"]) == (9050, 8800)
    assert clerk.house("101", building="2")["owners"][0]["phone_masked"] == "138****0003"


def test_several_sheets_are_one_register_and_one_without_houses_is_named(clerk: Clerk) -> None:
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        for at, name in enumerate(["1栋", "2栋"]):
            page = book.add_worksheet(name)
            page.write_row(0, 0, HEADINGS)
            page.write_row(1, 0, [name, *ROWS[at][1:]])
        book.add_worksheet("说明").write(0, 0, "本表由物业填报")
    seen = clerk.preview(out.getvalue())
    assert (seen["sheets"], seen["sheets_skipped"]) == (["1栋", "2栋"], ["说明"])
    assert counts(seen) == (2, 2, 0, 0, 0, 0)


def test_unknown_headings_are_mapped_by_a_person(clerk: Clerk) -> None:
    rows: list[list[Any]] = [["栋", "编码", "大小", "主人"], ["1栋", "101", 88.5, "张三"]]
    seen = clerk.preview(workbook(rows))
    assert (seen["state"], seen["code"], seen["missing"]) == ("mapping", "headings_unknown", ["number"])
    assert [h["heading"] for h in seen["headings"]] == rows[0]
    early = clerk.caller.post(f"/registry/imports/{seen['import_id']}/apply", {})
    assert (early.status_code, early.json["code"]) == (409, "not_ready")
    mapping = {"编码": "number", "大小": "registered_centi", "主人": "name"}
    answer = clerk.caller.post(f"/registry/imports/{seen['import_id']}/mapping", {"mapping": mapping})
    assert answer.status_code == 202, answer.text
    clerk.work()
    seen = clerk.look(seen["import_id"])
    assert (seen["state"], counts(seen)) == ("previewed", (1, 1, 0, 0, 0, 0))
    clerk.apply(seen["import_id"])
    assert clerk.house("101")["registered_area_centi"] == 8850


def test_an_area_of_unknown_kind_is_the_least_of_the_three(clerk: Clerk) -> None:
    clerk.load(workbook([["楼栋", "房号", "建筑面积"], ["1栋", "101", 88.5]]))
    assert clerk.house("101")["area_basis"] == "contract"
    clerk.load(workbook([["楼栋", "房号", "建筑面积"], ["1栋", "101", 89]]), source="registration")
    home = clerk.house("101")
    assert (home["area_basis"], home["area_centi"], home["contract_area_centi"]) == ("registered", 8900, 8850)


def test_a_street_imports_all_its_estates_from_one_workbook(
    town: Town, work: Callable[..., int], owner: psycopg.Connection[Any]
) -> None:
    names = [
        owner.execute("SELECT name FROM estates WHERE id = %s", (ref.id,)).fetchone()
        for ref in (town.a.estate, town.b.estate)
    ]
    rows: list[list[Any]] = [["小区", *HEADINGS]] + [
        [name[0], *row] for name in names for row in ROWS if name
    ]
    street = Clerk(town.staff("street"), work, "")
    seen = street.preview(workbook(rows))
    assert counts(seen) == (8, 8, 0, 0, 0, 0), seen["problems"]
    street.apply(seen["import_id"])
    for community in (town.a, town.b):
        desk = Clerk(town.staff("community", community), work, community.estate_id)
        assert len(desk.houses()) == 4


def test_the_template_and_the_error_sheet_can_be_used(clerk: Clerk) -> None:
    answer = clerk.caller.get("/registry/imports/template")
    assert answer.status_code == 200
    book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.data))
    headings = book.get_sheet_by_name("房屋台账").to_python()[0]
    seen = clerk.preview(answer.data)
    assert (seen["state"], seen["code"]) == ("previewed", "no_rows")
    assert {h["heading"] for h in seen["headings"] if h["field"]} >= set(headings)

    bad = [list(row) for row in ROWS]
    bad[0][4], bad[1][5] = -5, "=cmd|' /C calc'!A0"
    seen = clerk.preview(workbook([HEADINGS, *bad]))
    sheet = clerk.caller.get(seen["error_sheet_url"].removeprefix("/admin/api/v1"))
    assert sheet.status_code == 200, sheet.text
    rows = calamine.CalamineWorkbook.from_filelike(io.BytesIO(sheet.data)).get_sheet_by_index(0).to_python()
    assert rows[0][:4] == ["问题", "原行号", "楼栋", "单元"]
    assert rows[1][:5] == ["面积必须大于 0。", 2.0, "1栋", "1单元", "101"]
    assert rows[1][6] == "'-5"


def test_who_lost_an_estate_no_longer_opens_its_import_nor_its_error_sheet(
    clerk: Clerk, town: Town, owner: psycopg.Connection[Any]
) -> None:
    seen = clerk.preview(workbook([HEADINGS, *ROWS, ["1栋", "", "", "住宅", 9, "张三", "", ""]]))
    paths = [f"/registry/imports/{seen['import_id']}{end}" for end in ("", "/problems", "/errors")]
    assert [clerk.caller.get(path).status_code for path in paths] == [200, 200, 200]
    # As if another community had governed it since today; moving it over HTTP holds from tomorrow, and logins don't.
    owner.execute(
        "UPDATE estate_terms SET governed_by = %s WHERE community_id = %s AND estate_id = %s",
        (town.b.id, *town.a.estate),
    )
    assert [clerk.caller.get(path).status_code for path in paths] == [404, 404, 404]
    assert clerk.caller.post(f"{paths[0]}/apply", {"skip_bad": True}).status_code == 404
    # Her street has both communities, and sees it.
    assert [town.hire("street", town.a).get(path).status_code for path in paths] == [200, 200, 200]


def test_only_who_may_import_sees_imports(town: Town, clerk: Clerk) -> None:
    seen = clerk.preview(workbook([HEADINGS, *ROWS]))
    path = f"/registry/imports/{seen['import_id']}"
    assert town.staff("community", town.b).get(path).status_code == 404
    assert town.staff("street").get(path).status_code == 200
    for role in ("property", "grid"):
        someone: Caller = town.staff(role)
        assert someone.get(path).status_code == 403
        assert someone.upload("/registry/imports", b"x", source="property").status_code == 403
