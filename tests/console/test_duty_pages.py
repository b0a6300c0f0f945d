"""Rosters and dispatch rules by the test client."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from app import ids
from app.ids import Kind
from tests.conftest import Town
from tests.console.clerk import Clerk


def a_post(town: Town, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(a post of the property company whose one worker always stands there, that worker)."""
    worker: Any = town.staff("property").get("/me").json
    body = {
        "community_id": ids.encode(Kind.COMMUNITY, UUID(int=town.a.id)),
        "org_id": town.a.property_id,
        "name": "工程班",
        "turns": [{"staff_id": worker["id"], "from": "00:00", "to": "24:00"} | more],
    }
    answer: Any = town.staff("community").post("/duty-rosters", body)
    assert answer.status_code == 201, answer.text
    return answer.json, worker


def test_the_page_of_duty_says_who_is_there_now_and_shows_the_week(
    town: Town, clerk: Callable[..., Clerk]
) -> None:
    desk = clerk("community")
    assert "还没有值班岗" in desk.get("/admin/duty").text
    post, worker = a_post(town)
    page = desk.get("/admin/duty").text
    assert f"在岗：{worker['name']}" in page
    assert page.count('data-from="00:00" data-to="24:00"') == 7
    assert "data-turn-new" in page
    part = desk.get(f"/admin/duty?roster={post['roster_id']}", part=True).text
    assert "<html" not in part
    assert clerk("grid").get("/admin/duty").text.count("data-week") == 0, "who may only look has no form"
    beside = f"/admin/duty?roster={post['roster_id']}"
    town.staff("community", town.b)
    assert clerk("committee").get(beside).status_code in {403, 404}


def test_a_new_post_offers_the_people_of_its_unit(town: Town, clerk: Callable[..., Clerk]) -> None:
    worker: Any = town.staff("property").get("/me").json
    desk = clerk("community")
    community = ids.encode(Kind.COMMUNITY, UUID(int=town.a.id))
    first = desk.get("/admin/duty/new").text
    assert town.a.property_id in first
    second = desk.get(f"/admin/duty/new?community_id={community}&org_id={town.a.property_id}").text
    assert f'value="{worker["id"]}"' in second


def test_rules_are_listed_in_words_and_each_opens(town: Town, clerk: Callable[..., Clerk]) -> None:
    desk = clerk("community")
    assert "还没有派单规则" in desk.get("/admin/routing").text
    post, _ = a_post(town)
    body = {
        "community_id": post["community_id"],
        "name": "夜间漏水",
        "category": "water",
        "urgent": True,
        "time": {"kind": "window", "from": "18:00", "to": "09:00", "days": "off"},
        "org_id": town.a.property_id,
        "roster_id": post["roster_id"],
    }
    rule = town.staff("community").post("/routing-rules", body).json
    page = desk.get("/admin/routing", part=True).text
    for words in ("夜间漏水", "只限紧急", "18:00–09:00", "只在休息日", "给手上最少的人", "工程班"):
        assert words in page
    one = desk.get(f"/admin/routing/{rule['rule_id']}/detail").text
    assert 'value="18:00"' in one
    assert desk.get(f"/admin/routing/{rule['rule_id']}").status_code == 200
    assert clerk("property").get("/admin/routing").status_code == 403


def test_pages_of_rules_follow_each_other(
    town: Town, clerk: Callable[..., Clerk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bff.admin.console.duty_pages.RULES", 2)
    made = []
    for number in range(3):
        body = {
            "community_id": ids.encode(Kind.COMMUNITY, UUID(int=town.a.id)),
            "name": f"规则{number}",
            "org_id": town.a.property_id,
            "priority": number,
        }
        answer: Any = town.staff("community").post("/routing-rules", body)
        assert answer.status_code == 201, answer.text
        made.append(answer.json["rule_id"])
    desk = clerk("community")
    first = desk.get("/admin/routing").text
    assert re.findall(r'data-row="(rul_\w+)"', first) == [made[2], made[1]]
    following = re.search(r'href="(/admin/routing\?cursor=[^"]+)" rel="next"', first)
    assert following is not None
    second = desk.get(following[1]).text
    assert re.findall(r'data-row="(rul_\w+)"', second) == [made[0]]
    assert f'hx-get="{following[1]}"' in second
    assert "回到第一页" in second


def test_a_page_of_duty_that_is_cut_says_so(
    town: Town, clerk: Callable[..., Clerk], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, worker = a_post(town, to="08:00")
    second = {
        "community_id": ids.encode(Kind.COMMUNITY, UUID(int=town.a.id)),
        "org_id": town.a.property_id,
        "name": "保洁班",
        "turns": [{"staff_id": worker["id"], "from": "08:00", "to": "18:00"}],
    }
    answer = town.staff("community").post("/duty-rosters", second)
    assert answer.status_code == 201, answer.text
    desk = clerk("community")
    assert "只列出最新的" not in desk.get("/admin/duty").text
    monkeypatch.setattr("bff.admin.console.duty_pages.MOST_POSTS", 1)
    page = desk.get("/admin/duty").text
    assert "只列出最新的 1 个值班岗" in page
    assert page.count('duty-post"') == 1
