"""Stored and reflected scripts (XSS): whatever takes words takes markup too, and shows it as words.

Every text of every JSON body is filled with scripts, attributes, addresses and template syntax, file names and cells of
registers too; then every page of the console that can be reached is read as a browser would read it, and opened in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from flask.testing import FlaskClient

from app.people.models import Role
from tests.conftest import House, Town
from tests.security import doors
from tests.security.poison import PAYLOADS, Page, Poison, ways_in
from tests.security.story import NOT_TOLD, Story, told

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]
READERS = (
    Role.COMMUNITY,
    Role.STREET,
    Role.PROPERTY,
    Role.FINANCE,
    Role.GRID,
    Role.SYSTEM_ADMIN,
    Role.SECURITY_ADMIN,
    Role.AUDITOR,
)
# Texts that this story can't give, and why.
NOT_GIVEN = {
    ("POST /admin/api/v1/calendar", "csv"): "the calendar is every test's",
    ("POST /admin/api/v1/calendar", "note"): "the calendar is every test's",
    ("PATCH /admin/api/v1/providers/<code>", "source"): "the gateways are every test's",
    ("PATCH /admin/api/v1/providers/<code>", "caps.*.source"): "the gateways are every test's",
}


@pytest.fixture
def poisoned(
    house: House,
    make_town: Callable[[], Town],
    work: Callable[..., int],
    owner: psycopg.Connection[Any],
) -> Iterator[tuple[Story, Poison]]:
    """A house whose every text was written by somebody with bad intentions."""
    poison = Poison(house.app, left_alone=frozenset(NOT_TOLD))
    plain = FlaskClient.open

    def opened(client: FlaskClient, path: Any, *args: Any, **more: Any) -> Any:
        if args or not isinstance(path, str):
            return plain(client, path, *args, **more)
        method = more.pop("method", "GET")
        return poison.opened(lambda *a, **k: plain(client, *a, **k), path, method, more)

    patch = pytest.MonkeyPatch()
    patch.setattr(FlaskClient, "open", opened)
    try:
        with told(house, make_town(), work, owner) as story:
            patch.undo()
            yield story, poison
    finally:
        patch.undo()


def read(story: Story, role: Role, address: str) -> tuple[int, str]:
    """(status, text) of a page; the text is empty where it is none."""
    caller = story.town.staff(role.value)
    headers = {"Authorization": f"Bearer {caller.token}", "Accept": "text/html"}
    answer = caller.client.get(address, headers=headers)
    is_page = (answer.content_type or "").startswith("text/html")
    return answer.status_code, answer.get_data(as_text=True) if is_page else ""


def crawled(story: Story, role: Role, *, of_each: int = 2) -> Iterator[tuple[str, str]]:
    """(address, text) of the pages of the console that this role gets to from its first one, a few of each kind."""
    waiting, met = ["/admin/"], {"/admin/"}
    count: dict[str, int] = {}
    while waiting:
        address = waiting.pop(0)
        door = doors.door(story.house.app, "GET", urlsplit(address).path)
        if door is None or door.rule.rule.startswith(("/admin/api/", "/admin/assets/")):
            continue
        count[door.rule.rule] = count.get(door.rule.rule, 0) + 1
        if count[door.rule.rule] > of_each:
            continue
        status, text = read(story, role, address)
        assert status < 500, address
        if text:
            yield address, text
            fresh = [link for link in Page(text).links if link not in met]
            met |= set(fresh)
            waiting += fresh


def pages_of_things(story: Story, poison: Poison, *, most: int = 25) -> Iterator[str]:
    """The address of each page that names one thing, for the things that were made."""
    for door in doors.all_doors(story.house.app):
        kinds = doors.path_kinds(door.rule)
        rule = door.rule.rule
        if door.method == "GET" and len(door.rule.arguments) == len(kinds) == 1 and "/api/" not in rule:
            ((name, kind),) = kinds.items()
            for found in poison.made.get(kind.value, [])[-most:] if rule.startswith("/admin/") else ():
                yield rule.replace(f"<ref({kind}):{name}>", found)


def test_probe(poisoned):
    story, poison = poisoned
    import time

    ways = set(ways_in(story.house.app))
    done = poison.kept | poison.refused
    print("WAYS", len(ways), "kept", len(poison.kept), "refused only", len(poison.refused - poison.kept))
    for w in sorted(ways - done):
        if w[0].replace("<", "<") and w[0] not in NOT_TOLD:
            print("MISSING", *w)
    for w in sorted(poison.refused - poison.kept):
        print("REFUSED", *w)
    seen = set()
    wrong = []
    t = time.time()
    n = 0
    rules = set()
    kept = {}
    for role in READERS:
        k = 0
        for address, text in crawled(story, role):
            n += 1
            k += 1
            page = Page(text)
            seen |= page.seen
            rule = doors.door(story.house.app, "GET", urlsplit(address).path).rule.rule
            rules.add(rule)
            kept.setdefault((rule), (role, address, page.names))
            wrong += [f"{role} {address}: {w}" for w in page.wrong]
        print(role, k, time.time() - t)
    for address in pages_of_things(story, poison):
        status, text = read(story, Role.COMMUNITY, address)
        if status in {403, 404}:
            status, text = read(story, Role.STREET, address)
        assert status < 500, address
        n += 1
        page = Page(text)
        seen |= page.seen
        rules.add(doors.door(story.house.app, "GET", urlsplit(address).path).rule.rule)
        wrong += [f"thing {address}: {w}" for w in page.wrong]
    print("PAGES", n, time.time() - t, len(seen), len(rules))
    m = 0
    for rule, (role, address, names) in kept.items():
        for name in sorted(names):
            m += 1
            bad = quote(PAYLOADS[1].format(n=99) if m % 2 else PAYLOADS[0].format(n=99))
            status, text = read(story, role, f"{urlsplit(address).path}?{name}={bad}")
            if status >= 500:
                print("500", rule, name)
            wrong += [f"reflected {rule} {name}: {w}" for w in Page(text).wrong]
    print("REFLECTED", m, time.time() - t)
    for w in wrong[:60]:
        print("WRONG", w[:300])
    shown = {poison.where.get(i) for i in seen}
    for w in sorted(poison.kept):
        if f"{w[0]} {w[1]}" not in shown:
            print("NEVER", *w)
    allr = {
        d.rule.rule
        for d in doors.all_doors(story.house.app)
        if d.method == "GET"
        and d.rule.rule.startswith("/admin/")
        and not d.rule.rule.startswith(("/admin/api/", "/admin/assets"))
    }
    for r_ in sorted(allr - rules):
        print("NOPAGE", r_)
