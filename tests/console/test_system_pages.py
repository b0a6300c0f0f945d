"""Pages of the system by the client: who may open them, what they show, what they never show."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from app import queue
from app.people.permissions import Permission
from app.queue import Job, Queue
from bff.admin.console import plans, system_words
from tests.conftest import TOP, House, Town
from tests.console.clerk import Clerk

PAGES = {
    "/admin/areas": "community",
    "/admin/grids": "community",
    "/admin/regions": "street",
    "/admin/orgs": "community",
    "/admin/categories": "street",
    "/admin/calendar": "street",
    "/admin/settings": "street",
    "/admin/staff": "security_admin",
    "/admin/roles": "auditor",
    "/admin/providers": "street",
    "/admin/api-keys": "street",
    "/admin/queues": "system_admin",
    "/admin/audit": "auditor",
}


def test_each_page_opens_for_its_role_whole_and_in_part_and_is_refused_to_others(
    clerk: Callable[..., Clerk],
) -> None:
    roles = {role: clerk(role) for role in {*PAGES.values(), "property_worker"}}
    for path, role in PAGES.items():
        answer = roles[role].get(path)
        assert answer.status_code == 200, (path, answer.text[:300])
        assert 'class="side"' in answer.text
        part = roles[role].get(path, part=True)
        assert part.status_code == 200
        if path != "/admin/roles":
            assert "<html" not in part.text, path
        if path != "/admin/calendar":
            assert roles["property_worker"].get(path).status_code == 403, path


def links(text: str) -> list[str]:
    return re.findall(r'href="(/admin/[^"]+)" data-drawer', text)


def test_what_a_list_names_opens_beside_it_and_on_a_page_of_its_own(
    clerk: Callable[..., Clerk], town: Town
) -> None:
    town.staff("community")
    for path in (
        "/admin/areas",
        "/admin/grids",
        "/admin/orgs",
        "/admin/categories",
        "/admin/settings",
        "/admin/staff",
    ):
        who = clerk(PAGES[path])
        found = links(who.get(path).text)
        assert found, path
        for suffix in ("", "/detail"):
            answer = who.get(found[0] + suffix)
            assert answer.status_code == 200, (found[0], answer.text[:300])
            assert ("<html" in answer.text) is (suffix == "")


def test_the_place_pages_of_another_community_are_not_there(clerk: Callable[..., Clerk], town: Town) -> None:
    desk = clerk("community")
    assert desk.get(f"/admin/areas/{town.b.estate_id}").status_code == 404
    assert desk.get(f"/admin/areas/{town.b.estate_id}/now").status_code == 404


def test_the_table_of_roles_names_every_permission(clerk: Callable[..., Clerk]) -> None:
    named = [permission for _, rows in system_words.PERMISSIONS for permission in rows]
    assert sorted(named) == sorted(Permission)
    assert "查看操作记录" in clerk("auditor").get("/admin/roles").text


def acts() -> Iterator[str]:
    """Every act that the code records under a name of its own."""
    for path in (TOP / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "audit.record":
                for given in node.args[1:2]:
                    if isinstance(given, ast.Constant):
                        yield str(given.value)


def test_every_act_of_the_log_has_words() -> None:
    assert {act for act in acts() if not system_words.is_known(act)} == set()


def facts() -> Iterator[str]:
    """Every fact that the code notes beside an act under a name of its own."""
    for path in (TOP / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"audit.record", "_record"}:
                yield from (given.arg for given in node.keywords if given.arg)


def test_every_fact_of_the_log_has_words() -> None:
    assert {name for name in facts() if not system_words.has_word(name)} == set()


def test_a_word_of_the_program_is_said_in_the_log_as_the_pages_say_it(
    clerk: Callable[..., Clerk], town: Town
) -> None:
    desk = town.staff("community")
    draft = {"kind": "outage", "title": "明早停水", "text": "八点到十二点。", "area_ids": [town.a.estate_id]}
    assert desk.post("/notices", draft).status_code == 201
    page = clerk("auditor").get("/admin/audit?action=notice.drafted").text
    assert "停水停电" in page
    assert "outage" not in page


def test_the_log_is_searched_by_person_act_thing_and_day(clerk: Callable[..., Clerk], town: Town) -> None:
    changed = town.staff("community").patch(
        f"/areas/{town.a.estate_id}",
        {"address": "学府路 1 号"},
        headers={"If-Match": town.staff("community").get(f"/areas/{town.a.estate_id}").headers["ETag"]},
    )
    assert changed.status_code == 200
    me = town.staff("community").get("/me").get_json()["id"]
    auditor = clerk("auditor")
    for asked in (
        f"actor={me}&action=estate.changed",
        f"object={town.a.estate_id}",
        f"object={town.a.estate_id}&action=estate.",
        f"object={town.a.estate_id}&first={_today()}&last={_today()}",
    ):
        assert "修改小区</b>" in auditor.get(f"/admin/audit?{asked}").text, asked
    assert "修改小区</b>" not in auditor.get(f"/admin/audit?object={town.a.estate_id}&last=2024-01-01").text
    assert auditor.get("/admin/audit?actor=nobody").status_code == 422
    account = town.staff("community").get("/me").get_json()["account"]
    assert me in auditor.get(f"/admin/pick/staff?q={account}", part=True).text


def _today() -> str:
    from app.places import queries as places

    return places.today().isoformat()


def test_what_the_street_shares_with_all_stands_in_the_log(clerk: Callable[..., Clerk], town: Town) -> None:
    street = town.staff("street")
    rows = street.get("/calendar?year=2026").get_json()["days"]
    if not rows:
        pytest.skip("no calendar is loaded")
    loaded = street.post("/calendar", {"days": [rows[40]], "note": "核对"})
    assert loaded.status_code == 201
    me = street.get("/me").get_json()["id"]
    page = clerk("auditor").get(f"/admin/audit?actor={me}&action=calendar.loaded")
    assert page.status_code == 200


def test_the_settings_name_what_the_server_was_started_with_and_no_secret(
    house: House, clerk: Callable[..., Clerk]
) -> None:
    page = clerk("system_admin").get("/admin/settings").text
    chosen = house.app.config["SETTINGS"]
    assert "STAFF_IDLE_S" in page
    assert "DATABASE_URL" in page
    for secret in (chosen.secret_key, chosen.wechat_secret, chosen.database_url, chosen.redis_url):
        assert secret not in page
    assert "DATABASE_URL" not in clerk("street").get("/admin/settings").text


def test_a_history_that_is_cut_says_so(
    clerk: Callable[..., Clerk], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, said = town.staff("community"), "更早的请审计员在“操作记录”里查"
    page = clerk("community")
    settings = "/admin/settings"
    monkeypatch.setattr("bff.admin.console.system_rules.HISTORY", 2)
    for minutes in (60, 90):
        assert desk.post("/patrol/settings", {"shift_cap_minutes": minutes}).status_code < 300
    whole = page.get(settings, part=True).text
    assert said not in whole
    assert desk.post("/patrol/settings", {"shift_cap_minutes": 120}).status_code < 300
    cut = page.get(settings, part=True).text
    assert "只列最近的 2 条" in cut
    assert said in cut
    assert ("= 60" in whole, "= 60" in cut, "= 90" in cut) == (True, False, True)
    monkeypatch.setattr("bff.admin.console.system_staff.HISTORY", 1)
    me, security = desk.get("/me").get_json()["id"], clerk("security_admin")
    account = f"/admin/staff/{me}/detail"
    assert said not in security.get(account).text
    given = {"staff_id": me, "role": "property", "org_id": town.a.property_id}
    assert town.staff("security_admin").post("/roles", given).status_code == 201
    roles = security.get(account).text
    assert "只列最近的 1 条" in roles
    assert said in roles


def test_work_that_failed_is_named_without_what_it_was_given_and_gets_another_try(
    clerk: Callable[..., Clerk], town: Town
) -> None:
    admin = town.staff("system_admin")
    waiting = queue.rq_queue(Queue.IMPORTS)
    job = waiting.enqueue_call(Job.TIDY.value, args=("13812345678",))
    waiting.remove(job.id)
    waiting.failed_job_registry.add(job, ttl=60, exc_string="ValueError: 13812345678 is no number")
    page = clerk("system_admin").get("/admin/queues").text
    assert job.id in page
    assert "13812345678" not in page
    assert [one["job"] for one in admin.get("/queues/imports/failed").get_json()["items"]] == [Job.TIDY.value]
    retried = admin.post("/queues/imports/retry", {"job_ids": [job.id]})
    assert retried.get_json() == {"retried": 1}
    assert job.id in waiting.job_ids
    waiting.remove(job.id)
    assert town.staff("street").post("/queues/imports/retry", {}).status_code == 403


def test_an_outline_is_drawn_north_up() -> None:
    square = {
        "type": "Polygon",
        "coordinates": [[[121.0, 29.0], [121.01, 29.0], [121.01, 29.02], [121.0, 29.0]]],
    }
    plan = plans.draw([plans.Outline("estate", "甲", square)])
    assert plan is not None
    assert plan.height > plan.width
    first, *_, third = plan.shapes[0].path.strip("MZ").split("L")[:3]
    assert float(first.split(",")[1]) > float(third.split(",")[1])
    assert plans.draw([]) is None


def test_the_authenticator_is_set_up_by_a_picture(house: House, town: Town) -> None:
    from tests.conftest import PASSWORD, next_code

    caller = town.staff("grid")
    account = caller.get("/me").get_json()["account"]
    made = caller.post("/me/totp", {"password": PASSWORD, "totp": next_code(account)}).get_json()
    assert made["qr"].startswith("data:image/svg+xml")
