"""A house for each test process: real PostgreSQL, real Valkey, the sandbox WeChat, the application served on
loopback. Tests speak HTTP to it and let its jobs run; each makes a town of its own, so none meets another's rows.
"""

from __future__ import annotations

import base64
import gc
import itertools
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from io import BytesIO
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse, encode_multipart

import bff
from app import clock, create_app, db, ids, outbox
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.messaging import queries as messages
from app.people import logins, queries, staffing, tokens, totp
from app.people import service as people
from app.people.models import Role
from app.people.policy import StaffPolicy
from app.people.scopes import BY_GRID, BY_ORG, BY_REGION, StaffActor
from app.places import queries as places_queries
from app.places import service as places
from app.places.coordinates import Point
from app.places.models import OrgKind, RegionKind
from app.settings import Settings
from app.sources import queries as sources
from sandbox.config import Config
from sandbox.web import Sandbox, running
from tests import audit_watch, guard, log_watch, page_watch, pooler
from tests.log_watch import pytest_sessionfinish, pytest_terminal_summary
from tools import pictures, servers
from workers import config as worker_config
from workers import jobs, sequencer

TOP = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery"
TOTP_SECRET = b"of all test accounts"
TEMPLATE = "TEMPLATE-PROGRESS-0001"


# --- the house -------------------------------------------------------------------------------------------


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@dataclass
class House:
    """Everything of one test process."""

    settings: Settings
    app: Flask
    url: str
    sandbox_url: str
    sandbox: Sandbox
    pg: servers.Postgres
    valkey: servers.Valkey

    def order(self, path: str, **body: Any) -> dict[str, Any]:
        """Tell the sandbox something."""
        answer = requests.post(f"{self.sandbox_url}_sandbox/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ledger(self, name: str) -> list[dict[str, Any]]:
        """What the sandbox's person received, newest first."""
        answer = requests.get(f"{self.sandbox_url}_sandbox/ledger.json", params={"name": name}, timeout=10)
        return answer.json()["messages"]


def settings_for(pg: servers.Postgres, database: str, **changes: Any) -> dict[str, str]:
    """The environment of a process of the house; `changes` by environment name."""
    key = base64.b64encode(bytes(range(32))).decode()
    return {
        **pooler.settings(pg, database),
        "SECRET_KEY": "s" * 40,
        "DATA_KEYS": f"1:{key}",
        "HASH_KEY": base64.b64encode(bytes(32)).decode(),
        "WECHAT_APPID": "wxsandbox0000001",
        "WECHAT_SECRET": "sandbox-secret",
        "WECHAT_PUSH_TOKEN": "push-token",
        "WECHAT_PUSH_AES_KEY": "k" * 43,
        "WECHAT_TEMPLATES": f'{{"ticket_progress": "{TEMPLATE}"}}',
        "WECHAT_TIMEOUT_S": "2",
        "LOG_LEVEL": "INFO",
        **{name: str(value) for name, value in changes.items()},
    }


def real_secrets() -> dict[str, str]:
    """Secrets as a production has them, which `settings_for` has not: nobody can know them."""
    return {
        "DATABASE_URL": f"postgresql://jiayuan_app:{secrets.token_urlsafe(24)}@db/jiayuan",
        "MIGRATION_DATABASE_URL": f"postgresql://jiayuan_owner:{secrets.token_urlsafe(24)}@db/jiayuan",
        "RETENTION_DATABASE_URL": f"postgresql://jiayuan_retention:{secrets.token_urlsafe(24)}@db/jiayuan",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "DATA_KEYS": f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "HASH_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "WECHAT_SECRET": secrets.token_hex(16),
        "WECHAT_PUSH_TOKEN": secrets.token_hex(16),
        "WECHAT_PUSH_AES_KEY": base64.b64encode(secrets.token_bytes(33)).decode()[:43],
    }


def migrate(environment: dict[str, str]) -> None:
    """Bring the database of this environment to head."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=TOP,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def pg() -> Iterator[servers.Postgres]:
    with servers.postgres(fast=True) as server:
        yield server


@pytest.fixture(scope="session")
def house(pg: servers.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    pg.create_database("house")
    placeholder = Flask("not yet")
    web = make_server("127.0.0.1", 0, placeholder, threaded=True, request_handler=_Quiet)
    url = f"http://127.0.0.1:{web.server_port}"
    with servers.valkey() as valkey:
        environment = settings_for(
            pg,
            "house",
            REDIS_URL=valkey.url,
            PUBLIC_BASE_URL=url,
            STORAGE_URL=f"folder:{tmp_path_factory.mktemp('photos')}",
            STAFF_PASSWORD_HASH="cheap",  # tests log in hundreds of times
            RATE_LIMITS="off",  # and do in seconds what people do in weeks; tests/limits puts them on
        )
        migrate(environment)
        with running(
            Config(
                appid=environment["WECHAT_APPID"],
                secret=environment["WECHAT_SECRET"],
                push_token=environment["WECHAT_PUSH_TOKEN"],
                push_aes_key=environment["WECHAT_PUSH_AES_KEY"],
                templates={"ticket_progress": TEMPLATE},
                push_url=f"{url}/callbacks/wechat/push",
                media_delay_s=0.0,
                push_gap_s=0.2,
            )
        ) as (sandbox_url, sandbox):
            settings = Settings.from_env(environment | {"WECHAT_API_BASE": sandbox_url})
            app = create_app(settings)
            bff.init_app(app)
            worker_config.adopt(settings)
            guard.install(db.engine())
            audit_watch.listen()
            page_watch.listen()
            log_watch.listen(tmp_path_factory.getbasetemp())
            web.app = app
            thread = threading.Thread(target=web.serve_forever, daemon=True)
            thread.start()
            # All that is there by now stays to the end: the collector needn't look through it again and again.
            gc.collect()
            gc.freeze()
            yield House(settings, app, url, sandbox_url, sandbox, pg, valkey)
            web.shutdown()
            thread.join()
            web.server_close()
            db.dispose()


@pytest.fixture
def app(house: House) -> Flask:
    return house.app


@pytest.fixture
def work(house: House) -> Callable[..., int]:
    """Run everything that is due now, as the workers would, until nothing is; how many rounds it took."""

    def run(*, rounds: int = 20) -> int:
        sequencer.seal_all(thoroughly=True)  # the sequencer's work; what follows never casts
        for done in range(rounds):
            with db.reading():
                due = outbox.due_everywhere()
                notices = messages.notices_due_everywhere()
                lanes = sources.due_lanes()
            if not due and not notices and not lanes:
                return done
            for community_id, on in due:
                jobs.drain(community_id, on)
            for community_id in notices:
                jobs.drain_notices(community_id)
            for community_id, source_id in lanes:
                jobs.drain_statuses(community_id, str(source_id))
        return rounds

    return run


@pytest.fixture
def eventually(work: Callable[..., int]) -> Callable[[Callable[[], Any]], Any]:
    """`eventually(look)`: works and looks again until the look gives something true, which it returns.

    For what WeChat does in its own time; fails after a minute.
    """

    def wait(look: Callable[[], Any]) -> Any:
        give_up_at = time.monotonic() + 60
        while True:
            work()
            if found := look():
                return found
            assert time.monotonic() < give_up_at, "it never came about"
            time.sleep(0.05)

    return wait


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[..., datetime]:
    """`later(days=30)`: moves the house's clock on by that much, from wherever it stands; the new time."""
    ahead = timedelta()

    def move(**by: float) -> datetime:
        nonlocal ahead
        ahead += timedelta(**by)
        moved = ahead
        monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + moved)
        monkeypatch.setattr(clock, "ahead", lambda: moved)
        return clock.now()

    return move


@pytest.fixture
def owner(house: House) -> Iterator[psycopg.Connection[Any]]:
    """Raw SQL as the owner of the database, each statement by itself."""
    with psycopg.connect(house.pg.url("owner", "house"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def held_up(house: House) -> Callable[[int], None]:
    """`held_up(2)`: returns once so many of the house's transactions wait for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'house' AND wait_event_type = 'Lock'"
        " AND application_name = 'jiayuan'"
    )

    def wait(count: int) -> None:
        give_up_at = time.monotonic() + 10
        # Only the superuser sees what others wait for.
        with psycopg.connect(house.pg.url("superuser", "house"), autocommit=True) as watcher:
            while (watcher.execute(waiting).fetchone() or (0,))[0] < count:
                assert time.monotonic() < give_up_at, "nobody waits for the lock"
                time.sleep(0.01)

    return wait


# --- callers ---------------------------------------------------------------------------------------------


class Caller:
    """Somebody who speaks HTTP with a bearer token."""

    def __init__(self, client: FlaskClient, prefix: str, token: str | None = None) -> None:
        self.client, self.prefix, self.token = client, prefix, token

    def call(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        headers = dict(kwargs.pop("headers", {}))
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return self.client.open(self.prefix + path, method=method, headers=headers, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, json: Any = None, **kwargs: Any) -> TestResponse:
        if json is not None:
            kwargs["json"] = json
        return self.call("POST", path, **kwargs)

    def patch(self, path: str, json: Any, **kwargs: Any) -> TestResponse:
        return self.call("PATCH", path, json=json, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("DELETE", path, **kwargs)

    def upload(self, path: str, data: bytes, name: str = "photo.jpg", **fields: str) -> TestResponse:
        # Encoded here, because the client's own way leaves a temporary file open for a large picture.
        boundary, body = encode_multipart({"file": FileStorage(BytesIO(data), name), **fields})
        kind = f'multipart/form-data; boundary="{boundary}"'
        return self.call("POST", path, data=body, content_type=kind)


@dataclass
class Person(Caller):
    """A resident who is logged in."""

    name: str
    session: dict[str, Any]
    client: FlaskClient
    prefix: str = "/bff/v1"

    @property
    def token(self) -> str:  # type: ignore[override]
        return str(self.session["access_token"])

    @cached_property
    def id(self) -> UUID:
        return ids.decode_id(Kind.RESIDENT, self.session["resident"]["id"])

    def photo(self, data: bytes | None = None) -> str:
        """Upload a photo; its id."""
        answer = self.upload("/photos", data if data is not None else small_jpeg())
        assert answer.status_code == 201, answer.text
        return str(answer.json["photo_id"])

    def report(self, estate: str, **more: Any) -> dict[str, Any]:
        """Report something; the answer's body."""
        body = {"estate_id": estate, "text": "楼道灯不亮", "client_token": uuid4().hex} | more
        answer = self.post("/tickets", body)
        assert answer.status_code == 201, answer.text
        return answer.get_json()

    def consent(self) -> None:
        """Agree that the position of her photos is kept."""
        choice = {"key": "photo_position", "version": 1, "granted": True}
        tag = self.get("/me").headers["ETag"]
        answer = self.patch("/me", {"consents": [choice]}, headers={"If-Match": tag})
        assert answer.status_code == 200, answer.text

    def ticket(self, ticket_id: str) -> dict[str, Any]:
        answer = self.get(f"/tickets/{ticket_id}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()


@pytest.fixture
def visitor(house: House) -> Caller:
    """Somebody without a login, at the root of the site, at an address that no other test guesses passwords from."""
    client = house.app.test_client()
    client.environ_base["REMOTE_ADDR"] = str(IPv6Address(uuid4().int))
    return Caller(client, "")


@pytest.fixture
def resident(house: House) -> Callable[..., Person]:
    """`resident()` logs somebody new in; `resident("wang")` always the same person within the test."""
    suffix = uuid4().hex[:12]

    def make(name: str | None = None) -> Person:
        who = f"{name or uuid4().hex[:8]}-{suffix}"
        client = house.app.test_client()
        answer = client.post("/bff/v1/session", json={"code": f"demo-{who}"})
        assert answer.status_code == 201, answer.text
        return Person(who, answer.get_json(), client)

    return make


# --- a town ----------------------------------------------------------------------------------------------

_numbers = itertools.count(1)


@dataclass
class Community:
    """One community of a test's town, with an estate, a grid and its organisations."""

    id: int
    estate: Ref
    second_estate: Ref
    grid: Ref
    centre: Point
    desk: UUID
    keeper: UUID
    staff: dict[str, Caller] = field(default_factory=dict)

    @property
    def estate_id(self) -> str:
        return ids.encode(Kind.ESTATE, self.estate)

    @property
    def property_id(self) -> str:
        return ids.encode(Kind.ORG, self.keeper)

    @property
    def desk_id(self) -> str:
        return ids.encode(Kind.ORG, self.desk)


@dataclass
class Town:
    """A street with two communities that have nothing in common but the street."""

    house: House
    street: int
    street_office: UUID
    a: Community
    b: Community

    def staff(self, role: str, community: Community | None = None) -> Caller:
        """A member of staff, logged in: street, community, grid, property, or another of `Role`."""
        where = community or self.a
        if role not in where.staff:
            where.staff[role] = self.hire(role, where)
        return where.staff[role]

    def hire(self, role: str, where: Community) -> Caller:
        """One more member of staff with that role there, logged in."""
        account = f"{role}-{uuid4().hex[:12]}"
        kind = Role(role)
        org = where.keeper if kind in BY_ORG else self.street_office if role == "street" else where.desk
        with db.transaction():
            staff = people.add_staff(
                account=account, name=f"员工{account[-4:]}", password=PASSWORD, acting_user=SYSTEM
            )
            people.grant_role(
                staff_id=staff.id,
                role=kind,
                org_id=org,
                since=places_queries.today(),
                acting_user=SYSTEM,
                region_id=(self.street if role == "street" else where.id) if kind in BY_REGION else None,
                grid=where.grid if kind in BY_GRID else None,
            )
        return self.log_in(account)

    def bring(self, ticket_id: str, *moves: str) -> dict[str, Any]:
        """Make staff of community a move a ticket that needs no photo; the last answer's body.

        `moves`: "accept", "dispatch" (to the property company), "start", "resolve", "verify", "close", …
        """
        by = {"start": "property", "resolve": "property", "return": "property", "verify": "grid"}
        bodies: dict[str, Any] = {
            "dispatch": {"org_id": self.a.property_id},
            "resolve": {"note": "已处理"},
            "verify": {"passed": True},
            "return": {"reason": "不属于本单位"},
            "reject": {"reason": "不在受理范围"},
            "reopen": {"reason": "又坏了"},
        }
        answer: dict[str, Any] = {}
        for move in moves:
            who = self.staff(by.get(move, "community"))
            got = who.post(f"/tickets/{ticket_id}/{move}", bodies.get(move))
            assert got.status_code == 200, got.text
            answer = got.get_json()
        return answer

    def log_in(self, account: str, password: str = PASSWORD) -> Caller:
        """Log in with both factors; the authenticator is set up when the account has none."""
        client = self.house.app.test_client()
        body = {"account": account, "password": password, "totp": next_code(account)}
        answer = client.post("/admin/api/v1/session", json=body)
        assert answer.status_code == 201, answer.text
        return Caller(client, "/admin/api/v1", answer.json["token"])


def acting(caller: Caller) -> StaffActor:
    """The member of staff behind a caller, for services and queries that are asked without HTTP."""
    with db.reading():
        return queries.staff_by_token(
            tokens.hash_of(caller.token or ""), StaffPolicy(session_s=43200, idle_s=1800)
        )


def next_code(account: str) -> str:
    """A code that the account will take now. Its authenticator holds TOTP_SECRET, and no step counts as used: tests
    log in more often than every 30 seconds.
    """
    with db.transaction():
        staff = staffing.named(account)
        assert staff is not None, account
        logins.set_totp(staff, TOTP_SECRET)
    return totp.code_at(TOTP_SECRET, totp.step_of(clock.now()))


def _community(street: int, street_org: UUID, number: int, name: str) -> Community:
    since = places_queries.today()
    # Far apart, so that no test's position lies in another test's estate.
    centre = Point(90.0 + (number % 3000) * 0.01, 25.0 + (number // 3000) * 0.1)
    places.add_region(
        region_id=number,
        kind=RegionKind.COMMUNITY,
        name=name,
        parent_id=street,
        since=since,
        acting_user=SYSTEM,
    )
    desk = places.add_org(
        kind=OrgKind.COMMUNITY_COMMITTEE, name=f"{name}居委会", region_id=number, acting_user=SYSTEM
    )
    keeper = places.add_org(
        kind=OrgKind.PROPERTY_COMPANY, name=f"{name}物业", region_id=street, acting_user=SYSTEM
    )
    square = 0.002
    ring = [
        [centre.lng - square, centre.lat - square],
        [centre.lng + square, centre.lat - square],
        [centre.lng + square, centre.lat + square],
        [centre.lng - square, centre.lat + square],
        [centre.lng - square, centre.lat - square],
    ]
    estate = places.add_estate(
        community_id=number,
        name=f"{name}一期",
        centre=centre,
        since=since,
        acting_user=SYSTEM,
        outline={"type": "Polygon", "coordinates": [ring]},
    )
    second = places.add_estate(
        community_id=number,
        name=f"{name}二期",
        centre=Point(centre.lng + 0.005, centre.lat),
        since=since,
        acting_user=SYSTEM,
    )
    refs = Ref(number, estate.id), Ref(number, second.id)
    grid = places.add_grid(
        community_id=number, code="01", name="第一网格", covers=[refs[0]], since=since, acting_user=SYSTEM
    )
    db.session().flush()  # responsibilities point to orgs and estates
    places.make_responsible(
        community_id=number, org_id=keeper.id, estate_id=estate.id, since=since, acting_user=SYSTEM
    )
    return Community(number, refs[0], refs[1], Ref(number, grid.id), centre, desk.id, keeper.id)


@pytest.fixture
def town(house: House) -> Town:
    """A town of the test's own."""
    return _build_town(house)


@pytest.fixture(scope="session")
def make_town(house: House) -> Callable[[], Town]:
    """`make_town()`: one more town, whose staff are strangers to the first."""
    return lambda: _build_town(house)


def _build_town(house: House) -> Town:
    street = 10_000_000 + next(_numbers)
    since = places_queries.today()
    with db.transaction():
        places.add_region(
            region_id=street,
            kind=RegionKind.STREET,
            name=f"街道{street}",
            parent_id=None,
            since=since,
            acting_user=SYSTEM,
        )
        office = places.add_org(
            kind=OrgKind.STREET_OFFICE, name="街道办", region_id=street, acting_user=SYSTEM
        )
        first, second = next(_numbers), next(_numbers)
        a = _community(street, office.id, first, f"甲{first}社区")
        b = _community(street, office.id, second, f"乙{second}社区")
    return Town(house, street, office.id, a, b)


# --- pictures --------------------------------------------------------------------------------------------

_small: bytes | None = None


def small_jpeg() -> bytes:
    """A small real JPEG, made once."""
    global _small
    if _small is None:
        buffer = BytesIO()
        from PIL import Image

        Image.effect_noise((640, 480), 40).convert("RGB").save(buffer, "JPEG", quality=80)
        _small = buffer.getvalue()
    return _small


def camera(
    *, lng: float | None = pictures.LNG, lat: float | None = pictures.LAT, kind: str = "JPEG"
) -> bytes:
    """A small picture, stored sideways, with all that a phone writes into it; each call another one."""
    from PIL import Image

    tags = pictures.exif(lng=lng, lat=lat)
    picture = Image.effect_noise((400, 300), 60).convert("RGB")
    if kind == "HEIC":
        return pictures.heic(picture, tags)
    out = BytesIO()
    picture.save(out, kind, exif=tags)
    return out.getvalue()


__all__ = [
    "Caller",
    "Community",
    "House",
    "Person",
    "Town",
    "acting",
    "camera",
    "migrate",
    "next_code",
    "pictures",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "real_secrets",
    "settings_for",
    "small_jpeg",
]
