"""Displays on a wall: a token that shows one area's figures, and opens nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app import clock, db, ids
from app.audit import AuditRow
from app.displays.models import Display
from app.ids import Kind
from app.people import tokens
from bff.admin.auth import csrf_of
from tests.conftest import Caller, House, Person, Town
from tests.structure.test_routes import SOMETHING, endpoints, is_open

COOKIE, PART = "jiayuan_screen", {"HX-Request": "true"}


def made(who: Caller, area: str, **more: Any) -> dict[str, Any]:
    answer = who.post("/displays", {"name": "大厅", "area": area} | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


@pytest.fixture
def screen(house: House, town: Town) -> Callable[..., FlaskClient]:
    """`screen(token)`: a browser on a wall that was given this token."""

    def pair(token: str) -> FlaskClient:
        client = house.app.test_client()
        assert client.post("/admin/api/v1/display-session", json={"token": token}).status_code == 204
        return client

    return pair


def test_a_display_shows_its_area_until_it_is_revoked(
    town: Town, resident: Callable[..., Person], screen: Callable[..., FlaskClient], later: Callable[..., Any]
) -> None:
    desk = town.staff("community")
    resident().report(town.a.estate_id, text="张三家门口漏水")
    display = made(desk, ids.encode(Kind.COMMUNITY, UUID(int=town.a.id)))
    wall = screen(display["token"])
    page = wall.get("/admin/screen")
    assert page.status_code == 200
    part = wall.get("/admin/screen", headers=PART)
    assert part.status_code == 200
    assert "data-as-of" in part.text
    assert "张三" not in page.text
    # No idle time-out: the next morning it is still there.
    later(hours=14)
    assert wall.get("/admin/screen", headers=PART).status_code == 200
    desk = town.hire("community", town.a)
    shown = desk.get(f"/displays/{display['display_id']}").get_json()
    assert shown["last_used_at"] is not None
    revoked = desk.post(f"/displays/{display['display_id']}/revoke", {})
    assert revoked.get_json()["state"] == "revoked"
    refused = wall.get("/admin/screen", headers=PART)
    assert (refused.status_code, refused.get_json()["code"]) == (401, "display_refused")
    assert "data-as-of" not in wall.get("/admin/screen").text
    again = wall.post("/admin/api/v1/display-session", json={"token": display["token"]})
    assert again.status_code == 401


def test_the_token_is_shown_once_and_only_its_hash_is_kept(town: Town) -> None:
    desk = town.staff("community")
    display = made(desk, town.a.estate_id)
    token = display["token"]
    assert display["address"].endswith(f"/admin/screen#{token}")
    assert token not in desk.get("/displays").text
    with db.reading() as session:
        row = session.get(Display, ids.decode_id(Kind.DISPLAY, display["display_id"]))
        assert row is not None
        assert row.token_hash == tokens.hash_of(token)
        actions = session.scalars(
            select(AuditRow.action).where(AuditRow.community_id == town.a.id, AuditRow.object_id == row.id)
        ).all()
    assert list(actions) == ["display.made"]


def test_a_display_is_made_only_where_all_of_its_area_is_in_reach(town: Town) -> None:
    desk, street = town.staff("community"), town.staff("street")
    whole = ids.encode(Kind.COMMUNITY, UUID(int=town.street))
    assert desk.post("/displays", {"name": "大厅", "area": whole}).status_code == 404
    assert desk.post("/displays", {"name": "大厅", "area": town.b.estate_id}).status_code == 404
    grid = ids.encode(Kind.GRID, town.b.grid)
    assert desk.post("/displays", {"name": "大厅", "area": grid}).status_code == 404
    of_street = made(street, whole)
    assert of_street["display_id"] not in desk.get("/displays").text
    assert desk.post(f"/displays/{of_street['display_id']}/revoke", {}).status_code == 404
    assert town.staff("grid").get("/displays").status_code == 403


def test_a_display_ends_when_its_time_is_over(
    town: Town, screen: Callable[..., FlaskClient], later: Callable[..., Any]
) -> None:
    desk = town.staff("community")
    past = clock.rfc3339(clock.now() - timedelta(minutes=1))
    refused = desk.post("/displays", {"name": "大厅", "area": town.a.estate_id, "expires_at": past})
    assert (refused.status_code, refused.get_json()["code"]) == (422, "bad_expiry")
    ends = clock.rfc3339(clock.now() + timedelta(minutes=10))
    wall = screen(made(desk, town.a.estate_id, expires_at=ends)["token"])
    assert wall.get("/admin/screen", headers=PART).status_code == 200
    later(minutes=11)
    assert wall.get("/admin/screen", headers=PART).status_code == 401


def test_a_display_reads_its_own_area_alone(
    town: Town, resident: Callable[..., Person], screen: Callable[..., FlaskClient]
) -> None:
    wang = resident()
    for _ in range(3):
        wang.report(town.a.estate_id)
    seconds = ids.encode(Kind.ESTATE, town.a.second_estate)
    wang.report(seconds)
    grid = ids.encode(Kind.GRID, town.a.grid)
    desk = town.staff("community")
    for area, count in ((town.a.estate_id, 3), (seconds, 1), (grid, 3)):
        text = screen(made(desk, area)["token"]).get("/admin/screen", headers=PART).text
        assert f"共 {count} 件未办结" in text, area
    beside = made(town.staff("community", town.b), town.b.estate_id)
    assert "共 0 件未办结" in screen(beside["token"]).get("/admin/screen", headers=PART).text


def test_the_token_of_a_display_opens_nothing_but_its_screen(house: House, town: Town) -> None:
    token = made(town.staff("street"), ids.encode(Kind.COMMUNITY, UUID(int=town.street)))["token"]
    client = house.app.test_client()
    for cookie in (COOKIE, "jiayuan_staff", "__Host-jiayuan_staff"):
        client.set_cookie(cookie, token, path="/")
    for headers in ({"X-CSRF-Token": csrf_of(token)}, {"Authorization": f"Bearer {token}"}):
        for endpoint in endpoints(house.app):
            if not is_open(endpoint):
                answer = client.open(endpoint.path(SOMETHING), method=endpoint.method, headers=headers)
                assert answer.status_code == 401, f"{endpoint.method} {endpoint.rule.rule}"


def test_a_login_of_staff_is_no_token_of_a_display(house: House, town: Town) -> None:
    client = house.app.test_client()
    client.set_cookie(COOKIE, town.staff("street").token or "", path="/")
    assert client.get("/admin/screen", headers=PART).status_code == 401
