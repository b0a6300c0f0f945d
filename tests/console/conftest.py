"""What every test of the console begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.conftest import PASSWORD, House, Person, Town, next_code
from tests.console.clerk import Clerk
from tests.console.eyes import CHROMIUM
from tests.voting.conftest import BallotBox
from tools import browser


@pytest.fixture
def clerk(house: House, town: Town) -> Callable[..., Clerk]:
    """`clerk("community")`: a member of staff of the test's town, logged in at a browser."""

    def make(role: str) -> Clerk:
        account = town.staff(role).get("/me").get_json()["account"]
        found = Clerk(house.app.test_client(), account)
        assert found.log_in().status_code == 201
        return found

    return make


@pytest.fixture
def report(town: Town, resident: Callable[..., Person]) -> Callable[..., dict[str, Any]]:
    wang = resident()
    return lambda **more: wang.report(town.a.estate_id, **more)


@pytest.fixture
def box(
    house: House,
    town: Town,
    resident: Callable[..., Person],
    later: Callable[..., datetime],
    work: Callable[..., int],
) -> BallotBox:
    """The ballot box of this test (tests/voting)."""
    return BallotBox(house, town, town.staff("community"), resident, later, work)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    assert CHROMIUM is not None
    with browser.launched(CHROMIUM) as found:
        yield found


@pytest.fixture
def window(house: House, town: Town, chromium: Any) -> Iterator[Callable[..., Any]]:
    """`window("community")`: a page in which that role is logged in. What goes wrong in it fails the test."""
    contexts: list[tuple[Any, list[str]]] = []

    def open_one(role: str | None, size: browser.Size = browser.DESKTOP) -> Any:
        context, wrong = browser.fresh(chromium, size, base=house.url)
        contexts.append((context, wrong))
        if role is not None:
            account = town.staff(role).get("/me").get_json()["account"]
            body = {"account": account, "password": PASSWORD, "totp": next_code(account), "mode": "cookie"}
            assert context.request.post("/admin/api/v1/session", data=body).ok
        page = context.new_page()
        # A machine that stands still for a while is no fault of the page.
        page.set_default_timeout(60_000)
        return page

    yield open_one
    complaints = [one for _, wrong in contexts for one in wrong]
    for context, _ in contexts:
        context.close()
    assert complaints == []
