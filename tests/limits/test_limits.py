"""How often who may ask: each limit is met, told with its time, kept to it, and met by nobody else."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY
from werkzeug.test import TestResponse

from app import ids, rates
from app.ids import Kind, Ref
from app.settings import Settings, SettingsError
from bff import limits
from bff.limits import ROWS, By
from tests.conftest import TOP, Caller, House, Person, Town, settings_for
from tests.console.clerk import Clerk
from tests.intake.conftest import Machine

DECISION = ids.encode(Kind.DECISION, Ref(1, UUID(int=7)))
HEAD = ids.encode(Kind.HEAD, Ref(1, UUID(int=7)))
TICKET = ids.encode(Kind.TICKET, Ref(1, UUID(int=7)))

# A request of each limit of residents; what is wrong with it counts as well.
ASKS = {
    "reports": ("POST", "/tickets"),
    "comments": ("POST", f"/tickets/{TICKET}/comments"),
    "uploads": ("POST", "/photos"),
    "bindings": ("POST", "/memberships"),
    "petitions": ("POST", "/petitions"),
    "phones": ("POST", "/session/phone"),
    "exports": ("GET", "/me/export"),
    "ballots": ("PUT", f"/decisions/{DECISION}/heads/{HEAD}/ballot"),
    "searches": ("GET", "/estates?q=x"),
    "writes": ("POST", "/inbox/read"),
    "reads": ("GET", "/me"),
}


def is_refused(answer: TestResponse, *, within: int) -> None:
    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json"), answer.text
    assert answer.json["code"] == "rate_limited"
    assert 1 <= int(answer.headers["Retry-After"]) <= within


def ask(person: Person, name: str, **more: Any) -> TestResponse:
    method, path = ASKS[name]
    body: dict[str, Any] = {"json": {}} if method != "GET" else {}
    return person.call(method, path, **body, **more)


def numbers(name: str) -> rates.Limit:
    return next(row.limit for row in ROWS if row.limit.name == name)


def test_each_limit_of_a_resident_is_met_and_kept_by_her_alone(
    tighten: Callable[..., None], resident: Callable[..., Person]
) -> None:
    assert set(ASKS) == {row.limit.name for row in ROWS if row.by is By.RESIDENT}
    tighten(at_once=2, every_s=4)
    wang, li = resident(), resident()
    refused_at = {}
    for name in ASKS:
        assert [ask(wang, name).status_code == 429 for _ in range(2)] == [False, False], name
        is_refused(ask(wang, name), within=4)
        refused_at[name] = time.monotonic()
        assert ask(li, name).status_code != 429, name
    time.sleep(max(0.0, max(refused_at.values()) + 4.0 - time.monotonic()))
    for name in ASKS:
        assert ask(wang, name).status_code != 429, name


def test_a_refusal_says_in_both_languages_when_to_come_back(
    tighten: Callable[..., None], resident: Callable[..., Person]
) -> None:
    tighten("reads", at_once=1, every_s=30)
    tighten("writes", at_once=1, every_s=600)
    wang = resident()
    for name in ("reads", "writes"):
        ask(wang, name)
    chinese = ask(wang, "reads")
    wait = chinese.headers["Retry-After"]
    assert (chinese.json["title"], chinese.json["detail"]) == (
        "操作太频繁",
        f"操作太频繁，请 {wait} 秒后再试。",
    )
    english = ask(wang, "writes", headers={"Accept-Language": "en"})
    assert english.json["detail"] == "That was too often; please try again in 10 minutes."


def test_a_refusal_is_counted_by_the_name_of_its_limit(
    tighten: Callable[..., None], resident: Callable[..., Person]
) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("jiayuan_refused_total", {"limit": "reports"}) or 0.0

    tighten("reports", at_once=1, every_s=60)
    wang, before = resident(), counted()
    for _ in range(3):
        ask(wang, "reports")
    assert counted() == before + 2


def test_every_limit_is_counted_before_it_refuses_anybody(house: House) -> None:
    """Of a count that appears with its first refusal Prometheus sees no increase."""
    for name in [*(row.limit.name for row in ROWS), *limits.SCARCE]:
        assert REGISTRY.get_sample_value("jiayuan_refused_total", {"limit": name}) is not None, name


def test_what_was_refused_can_be_sent_again_with_its_key(
    tighten: Callable[..., None], resident: Callable[..., Person], town: Town
) -> None:
    tighten("reports", at_once=1, every_s=2)
    wang = resident()
    wang.report(town.a.estate_id)
    body = {"estate_id": town.a.estate_id, "text": "楼道灯不亮", "client_token": uuid4().hex}
    key = {"Idempotency-Key": uuid4().hex}
    refused = wang.post("/tickets", body, headers=key)
    is_refused(refused, within=2)
    time.sleep(int(refused.headers["Retry-After"]))
    assert wang.post("/tickets", body, headers=key).status_code == 201


# --- voters ----------------------------------------------------------------------------------------------


def test_nobody_reaches_the_limit_of_ballots_by_voting(resident: Callable[..., Person]) -> None:
    """With the real numbers: a hundred in a second, more than anybody has houses."""
    wang = resident()
    assert 429 not in {ask(wang, "ballots").status_code for _ in range(100)}
    assert 429 in {ask(wang, "ballots").status_code for _ in range(60)}


def test_an_address_is_part_of_no_bucket_of_a_resident(
    house: House, resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[object] = []
    really = rates.take

    def noting(limit: rates.Limit, who: object) -> int:
        taken.append(who)
        return really(limit, who)

    monkeypatch.setattr(rates, "take", noting)
    people = [resident() for _ in range(40)]
    for person in people:  # all from 127.0.0.1
        answers = [person.get("/home"), person.get(f"/decisions/{DECISION}"), ask(person, "ballots")]
        refreshed = person.post("/session/refresh", {"refresh_token": person.session["refresh_token"]})
        assert 429 not in {answer.status_code for answer in answers}
        assert refreshed.status_code == 200
    assert len(taken) >= 3 * len(people)
    assert set(taken) == {person.id for person in people}
    by_address = [row for row in ROWS if row.by is By.ADDRESS]
    assert {row.limit.name for row in by_address} == {"login_failures", "public"}
    for endpoint in (e for row in by_address for e in row.endpoints):
        assert endpoint == "session.log_in" or endpoint.startswith("public-")


def test_five_thousand_voters_behind_one_address_never_meet_a_limit() -> None:
    """At the same moment, with the real numbers: each looks at three pages of the log."""
    address = f"100.64.{uuid4().int % 256}.{uuid4().int % 256}"
    waits = [rates.take(numbers("public"), address) for _ in range(5000 * 3)]
    assert set(waits) == {0}
    # One in a hundred has a code that is used up, and tries again.
    for _ in range(50):
        assert rates.take(numbers("login_failures"), address) == 0
    assert rates.shut(numbers("login_failures"), address) == 0


def test_the_first_screen_and_a_ballot_ask_redis_nothing(
    resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    wang = resident()
    asked: list[str] = []

    def noting(_: rates.Limiter, limit: rates.Limit, *__: object) -> float:
        asked.append(limit.name)
        return 0.0

    monkeypatch.setattr(rates.Limiter, "_asked", noting)
    wang.get("/home")
    wang.get(f"/decisions/{DECISION}")
    ask(wang, "ballots")
    assert asked == []
    ask(wang, "reports")
    assert asked == ["reports"]


# --- others ----------------------------------------------------------------------------------------------


def test_staff_are_limited_one_by_one_and_a_page_says_it_in_chinese(
    tighten: Callable[..., None], town: Town
) -> None:
    desk, street = town.staff("community"), town.staff("street")
    tighten(at_once=2, every_s=60)
    assert [desk.get("/tickets").status_code for _ in range(2)] == [200, 200]
    is_refused(desk.get("/tickets"), within=60)
    assert street.get("/tickets").status_code == 200
    assert desk.post(f"/tickets/{TICKET}/accept").status_code == 404  # writes are counted apart


def test_a_page_of_the_console_that_is_refused_is_a_page(
    tighten: Callable[..., None], house: House, town: Town
) -> None:
    tighten("staff_reads", at_once=4, every_s=60)  # before anything is read: all of it is counted alike
    account = town.staff("community").get("/me").get_json()["account"]
    browser = Clerk(house.app.test_client(), account)
    assert browser.log_in().status_code == 201
    assert browser.get("/admin/tickets").status_code == 200
    for _ in range(3):
        refused = browser.get("/admin/tickets")
    assert (refused.status_code, refused.mimetype) == (429, "text/html")
    assert "操作太频繁" in refused.text
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_a_machine_is_limited_by_its_source_once_it_is_proven(
    tighten: Callable[..., None], make_machine: Callable[..., Machine]
) -> None:
    one, other = make_machine(), make_machine()
    tighten("intake", at_once=2, every_s=60)
    body = b"{}"
    for _ in range(5):  # who can't sign doesn't use up what is another's
        assert one.post(body, one.headers(body) | {"X-Signature": "0" * 64}).status_code == 401
    assert [one.report().status_code for _ in range(2)] == [201, 201]
    is_refused(one.report(), within=60)
    assert other.report().status_code == 201


def test_failed_logins_shut_their_address_and_nobody_who_is_logged_in(
    tighten: Callable[..., None], visitor: Caller, resident: Callable[..., Person]
) -> None:
    tighten("login_failures", at_once=3, every_s=2)
    here = visitor.client.environ_base["REMOTE_ADDR"]
    wang = resident()
    wang.client.environ_base["REMOTE_ADDR"] = here
    guesses = [visitor.post("/bff/v1/session", {"code": "no-such-code"}) for _ in range(5)]
    assert [answer.status_code for answer in guesses] == [422] * 4 + [429]
    is_refused(guesses[4], within=2)
    assert visitor.post("/bff/v1/session", {"code": f"demo-{wang.name}"}).status_code == 429
    # Logged in she goes on, and her token is renewed from there.
    assert wang.get("/me").status_code == 200
    again = wang.post("/session/refresh", {"refresh_token": wang.session["refresh_token"]})
    assert again.status_code == 200
    # Another network is another caller; another address of the same /64 is the same.
    visitor.client.environ_base["REMOTE_ADDR"] = here.rpartition(":")[0] + ":1"
    assert visitor.post("/bff/v1/session", {"code": f"demo-{wang.name}"}).status_code == 429
    visitor.client.environ_base["REMOTE_ADDR"] = "2001:db8:77::1"
    assert visitor.post("/bff/v1/session", {"code": f"demo-{wang.name}"}).status_code == 201
    visitor.client.environ_base["REMOTE_ADDR"] = here
    time.sleep(2)
    assert visitor.post("/bff/v1/session", {"code": f"demo-{wang.name}"}).status_code == 201


def test_logins_that_succeed_are_never_counted(
    tighten: Callable[..., None], house: House, visitor: Caller
) -> None:
    tighten("login_failures", at_once=1, every_s=60)
    for number in range(10):
        answer = visitor.post("/bff/v1/session", {"code": f"demo-{uuid4().hex[:8]}-{number}"})
        assert answer.status_code == 201


def test_the_public_face_is_limited_by_address_and_what_is_signed_is_not(
    tighten: Callable[..., None], visitor: Caller, town: Town, resident: Callable[..., Person]
) -> None:
    tighten("public", at_once=2, every_s=60)
    assert [visitor.get("/public/v1/keys").status_code for _ in range(2)] == [200, 200]
    is_refused(visitor.get("/public/v1/keys"), within=60)
    wang = resident()
    photo = wang.report(town.a.estate_id, photo_ids=[wang.photo()])
    url = wang.ticket(photo["ticket_id"])["photos"][0]["thumb_url"]
    path = re.sub(r"^https?://[^/]+", "", url)
    assert {visitor.get(path).status_code for _ in range(5)} == {200}
    visitor.client.environ_base["REMOTE_ADDR"] = "2001:db8:78::1"
    assert visitor.get("/public/v1/keys").status_code == 200


# --- the address -----------------------------------------------------------------------------------------


def test_who_is_no_trusted_proxy_cannot_choose_the_address(
    tighten: Callable[..., None], visitor: Caller
) -> None:
    tighten("public", at_once=2, every_s=60)
    answers = [
        visitor.get("/public/v1/keys", headers={"X-Forwarded-For": f"198.51.100.{n}"}).status_code
        for n in range(3)
    ]
    assert answers == [200, 200, 429]


def test_behind_trusted_proxies_the_address_they_saw_counts_and_no_other(
    tighten: Callable[..., None], house: House, visitor: Caller
) -> None:
    tighten("public", at_once=2, every_s=60)
    plain = house.app.wsgi_app
    house.app.wsgi_app = limits.seen_by_proxies(plain, 1)  # type: ignore[method-assign, assignment]
    try:

        def seen(forwarded: str) -> int:
            return visitor.get("/public/v1/keys", headers={"X-Forwarded-For": forwarded}).status_code

        mine = f"203.0.113.{uuid4().int % 250}"
        # What a client writes before is not believed: the last entry is the proxy's own.
        assert [seen(f"10.0.0.{n}, {mine}") for n in range(3)] == [200, 200, 429]
        assert seen(f"{mine}, 198.51.100.{uuid4().int % 250}") == 200
    finally:
        house.app.wsgi_app = plain  # type: ignore[method-assign]


@pytest.mark.parametrize("wrong", ["-1", "9", "yes"])
def test_a_number_of_proxies_that_cannot_be_is_refused_at_the_start(house: House, wrong: str) -> None:
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        Settings.from_env(environment(house) | {"TRUSTED_PROXIES": wrong})


# --- the table -------------------------------------------------------------------------------------------


def environment(house: House) -> dict[str, str]:
    return settings_for(
        house.pg,
        "house",
        REDIS_URL="redis://127.0.0.1:1/0",
        STORAGE_URL="folder:/nowhere",
        PUBLIC_BASE_URL="http://127.0.0.1:1",
    )


def test_limits_are_on_unless_somebody_on_this_machine_puts_them_off(house: House) -> None:
    here = environment(house)
    assert Settings.from_env(here).rate_limits
    assert not Settings.from_env(here | {"RATE_LIMITS": "off"}).rate_limits
    away = here | {"PUBLIC_BASE_URL": "https://jiayuan.example", "RATE_LIMITS": "off"}
    for demo in ("0", "1"):
        with pytest.raises(SettingsError, match="RATE_LIMITS"):
            Settings.from_env(away | {"DEMO": demo})


def test_every_limit_is_for_routes_that_there_are(house: House) -> None:
    named = [endpoint for row in ROWS for endpoint in row.endpoints]
    assert len(named) == len(set(named))
    assert set(named) <= set(house.app.view_functions)
    assert len({row.limit.name for row in ROWS}) == len(ROWS)


def test_every_route_of_the_public_face_has_a_limit_or_is_signed(house: House) -> None:
    for rule in house.app.url_map.iter_rules():
        if rule.rule.startswith("/public/v1/") and "<signed>" not in rule.rule:
            assert limits.BY_ENDPOINT[rule.endpoint].by is By.ADDRESS, rule.rule


def test_the_guide_lists_every_limit_with_its_numbers() -> None:
    page = (TOP / "docs/guide/limits.md").read_text(encoding="utf-8")
    listed = {
        name: (by, int(at_once.replace(",", "")), float(every), counted)
        for name, by, at_once, every, counted in re.findall(
            r"^\| `(\w+)` \| (\w+) \|[^|]*\| ([\d,]+) \| ([\d.]+) s \| (\w+) \|", page, re.MULTILINE
        )
    }
    assert listed == {
        row.limit.name: (
            row.by.value,
            row.limit.at_once,
            row.limit.every_s,
            "together" if row.limit.shared else "apart",
        )
        for row in ROWS
    }
