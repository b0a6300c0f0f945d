"""Stored and reflected scripts (XSS): whatever takes words takes markup too, and shows it as words.

Every text of every JSON body is filled with scripts, attributes, addresses and template syntax, file names and cells of
registers too; then every page of the console that can be reached is read as a browser would read it, and opened in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
from flask.testing import FlaskClient

from app.people.models import Role
from tests.conftest import PASSWORD, House, Town, next_code
from tests.console.eyes import CHROMIUM
from tests.security import doors
from tests.security.poison import PAYLOADS, Page, Poison, payload, ways_in
from tests.security.story import NOT_TOLD, Story, told
from tools import browser

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500), pytest.mark.xdist_group("markup")]
# Who reads the console, from the widest view to the narrowest.
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
# Texts that the story doesn't give, and why.
OF_ALL_TESTS = "one for the whole installation, which other tests read; drawn by the same macros"
NOT_GIVEN = {
    ("POST /admin/api/v1/calendar", "csv"): OF_ALL_TESTS,
    ("POST /admin/api/v1/calendar", "note"): OF_ALL_TESTS,
    ("PATCH /admin/api/v1/providers/<code>", "source"): OF_ALL_TESTS,
    ("PATCH /admin/api/v1/providers/<code>", "caps.*.source"): OF_ALL_TESTS,
    ("POST /admin/api/v1/houses/<ref(hou):ref>/transfer", "owners.*.name"): "OwnerIn, as of POST houses",
    ("POST /admin/api/v1/houses/<ref(hou):ref>/transfer", "owners.*.phone"): "OwnerIn, as of POST houses",
    ("POST /admin/api/v1/houses/<ref(hou):ref>/transfer", "owners.*.phone2"): "OwnerIn, as of POST houses",
    ("POST /admin/api/v1/houses/<ref(hou):ref>/transfer", "owners.*.id_number"): "OwnerIn, as of POST houses",
    ("PATCH /admin/api/v1/patrol/points/<ref(pnt):ref>", "location.address"): "LocationIn, as of POST points",
    ("POST /admin/api/v1/routing-rules/try", "location.address"): "asked and not kept",
    ("POST /admin/api/v1/queues/<name>/retry", "job_ids.*"): "ids of jobs, looked up",
    ("POST /admin/api/v1/campaigns", "params.*"): "the same words as of PATCH campaigns",
    (
        "PUT /admin/api/v1/sms-templates/<ref(tpl):ref>/mappings/<provider>",
        "parameters.*",
    ): "names of blanks, held to a form",
    ("PATCH /bff/v1/me", "consents.*.key"): "a key, looked up",
}
# Hours, codes and ids of the schemas: what they take is a form of letters and digits.
CODES = {"from", "to", "name", "parameters.*", "candidate_id", "ids.*"}
BY_HAND = "POST /callbacks/intake/<string:source>"  # signed: the story itself writes them


class Told(NamedTuple):
    """A house whose every text was written by somebody with bad intentions."""

    story: Story
    poison: Poison
    pages: dict[str, tuple[Role, str, str]]  # by what it is a page of: who read it, its address, its text
    wrong: list[str]


@pytest.fixture(scope="module")
def bad(house: House, make_town: Callable[[], Town]) -> Iterator[Told]:
    poison = Poison(house.app, left_alone=frozenset(NOT_TOLD))
    plain = FlaskClient.open

    def opened(client: FlaskClient, path: Any, *args: Any, **more: Any) -> Any:
        if args or not isinstance(path, str):
            return plain(client, path, *args, **more)
        method = more.pop("method", "GET")
        return poison.opened(lambda *a, **k: plain(client, *a, **k), path, method, more)

    def words(where: str) -> str:
        return payload(poison.number(where), 80) or ""

    patch = pytest.MonkeyPatch()
    patch.setattr(FlaskClient, "open", opened)
    try:
        with told(house, make_town(), words) as story:
            patch.undo()
            found = Told(story, poison, {}, [])
            look_everywhere(found)
            yield found
    finally:
        patch.undo()


def read(story: Story, role: Role, address: str) -> tuple[int, str]:
    """(status, text) of a page; the text is empty where it is none."""
    caller = story.town.staff(role.value)
    headers = {"Authorization": f"Bearer {caller.token}", "Accept": "text/html"}
    answer = caller.client.get(address, headers=headers)
    is_page = (answer.content_type or "").startswith("text/html")
    return answer.status_code, answer.get_data(as_text=True) if is_page else ""


def rule_of(story: Story, address: str) -> str | None:
    """Which page of the console it is; None for what is none."""
    door = doors.door(story.house.app, "GET", urlsplit(address).path)
    rule = door.rule.rule if door is not None else "/admin/api/"
    return None if rule.startswith(("/admin/api/", "/admin/assets/")) else rule


def crawled(story: Story, role: Role) -> Iterator[tuple[str, str]]:
    """(address, text) of the pages of the console that this role gets to from its first one, two of each kind."""
    waiting, met = ["/admin/"], {"/admin/"}
    count: dict[str, int] = {}
    while waiting:
        address = waiting.pop(0)
        rule = rule_of(story, address)
        if rule is None or count.setdefault(rule, 0) == 2:
            continue
        count[rule] += 1
        status, text = read(story, role, address)
        assert status < 500, address
        if text:
            yield address, text
            fresh = [link for link in Page(text).links if link not in met]
            met |= set(fresh)
            waiting += fresh


def of_things(told_: Told, *, most: int = 20) -> Iterator[str]:
    """The address of each page that names one thing, for the things that were made last."""
    for door in doors.all_doors(told_.story.house.app):
        kinds, rule = doors.path_kinds(door.rule), door.rule.rule
        if door.method != "GET" or not rule.startswith("/admin/") or "/api/" in rule:
            continue
        if len(door.rule.arguments) == len(kinds) == 1:
            ((name, kind),) = kinds.items()
            for found in told_.poison.made.get(kind.value, [])[-most:]:
                yield rule.replace(f"<ref({kind}):{name}>", found)


def look_everywhere(told_: Told) -> None:
    """Read every page that can be reached as a browser would."""
    story = told_.story

    def keep(role: Role, address: str, text: str) -> None:
        page = Page(text)
        told_.wrong.extend(f"{role} {address}: {one}" for one in page.wrong)
        told_.poison.seen |= page.seen
        told_.pages.setdefault(rule_of(story, address) or "", (role, address, text))

    for role in READERS:
        for address, text in crawled(story, role):
            keep(role, address, text)
    for address in of_things(told_):
        for role in (Role.COMMUNITY, Role.STREET):
            status, text = read(story, role, address)
            assert status < 500, address
            if status < 400:
                keep(role, address, text)
                break


def test_every_text_of_every_endpoint_was_written_or_refuses_markup(bad: Told) -> None:
    """A new endpoint with a new text is told here, or fails."""
    ways = set(ways_in(bad.story.house.app))
    assert len(ways) > 250
    assert set(NOT_GIVEN) <= ways
    given = bad.poison.kept | bad.poison.refused | set(NOT_GIVEN)
    left = [
        way
        for way in ways - given
        if way[0] not in NOT_TOLD and way[0] != BY_HAND and not way[1].endswith(tuple(f".{c}" for c in CODES))
    ]
    assert not left, "\n".join(" ".join(way) for way in sorted(left))
    assert len(bad.poison.kept) > 150


def test_what_was_written_is_words_on_every_page_of_the_console(bad: Told) -> None:
    assert not bad.wrong, "\n".join(bad.wrong)
    # Most of it is shown to somebody; what isn't is kept for the record, or read by residents.
    shown = {bad.poison.where[number] for number in bad.poison.seen if number in bad.poison.where}
    assert len(shown) > 100
    for way in (
        "POST /bff/v1/tickets text",
        "POST /bff/v1/tickets/<ref(tkt):ref>/comments text",
        "POST /bff/v1/tickets/<ref(tkt):ref>/rating text",
        "POST /admin/api/v1/areas name",
        "POST /admin/api/v1/orgs name",
        "POST /admin/api/v1/decisions title",
        "POST /admin/api/v1/decisions motions.*.text",
        "PATCH /admin/api/v1/campaigns/<ref(cmp):ref> params.*",
        "POST /admin/api/v1/estates/<ref(est):ref>/revenue/entries note",
        "intake text",
        "intake reporter.name",
    ):
        assert way in shown, way
    pages = {
        door.rule.rule
        for door in doors.all_doors(bad.story.house.app)
        if door.method == "GET"
        and door.rule.rule.startswith("/admin/")
        and rule_of(bad.story, door.rule.rule)
    }
    assert len(bad.pages) > len(pages) * 0.8


def test_what_an_address_says_is_words_on_its_page(bad: Told) -> None:
    """Reflected: each filter that a page names, with a script in the place of its value."""
    wrong, asked = [], 0
    for rule, (role, address, text) in bad.pages.items():
        for name in sorted(Page(text).names):
            for written in (PAYLOADS[0], PAYLOADS[3])[asked % 2 :][:1]:
                asked += 1
                query = f"{urlsplit(address).path}?{name}={quote(written.format(n=99))}"
                status, answer = read(bad.story, role, query)
                assert status < 500, (rule, name)
                wrong += [f"{rule} {name}: {one}" for one in Page(answer).wrong]
    assert not wrong, "\n".join(wrong)
    assert asked > 300


@pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: the console's browser tests are skipped")
def test_no_page_runs_what_was_written_in_a_browser(bad: Told) -> None:
    """A page of each kind, by those who read it: no script, no dialog, nothing for the content policy to stop."""
    town, url = bad.story.town, bad.story.house.url
    ran = "window.xss !== undefined || document.querySelector('img[src=x], svg[onload], [onxss], [onx]') !== null"
    found: list[str] = []
    with browser.launched(str(CHROMIUM)) as chromium:
        for role in READERS:
            context, wrong = browser.fresh(chromium, browser.DESKTOP, base=url)
            account = town.staff(role.value).get("/me").get_json()["account"]
            body = {"account": account, "password": PASSWORD, "totp": next_code(account), "mode": "cookie"}
            assert context.request.post("/admin/api/v1/session", data=body).ok
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.add_init_script("window.alert = window.confirm = window.prompt = () => { window.xss = 0; }")
            for reader, address, text in bad.pages.values():
                if reader is role and "<html" in text:
                    page.goto(address)
                    if page.evaluate(ran):
                        found.append(address)
                    found += [f"{address}: {one}" for one in wrong]
                    wrong.clear()
            context.close()
    assert not found, "\n".join(found)
