"""The people: each does what somebody does, again and again, and writes down what was promised to her.

Who gets no answer, or one that says later, asks again with the same token, as the mini-program does; what was answered
2xx once is a promise.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import json
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import requests
from PIL import Image
from sqlalchemy.exc import SQLAlchemyError

from app import db, ids
from app.ids import Kind, Ref
from app.messaging import campaigns
from bench import sms_town, tickets_town, vote, vote_town
from bench.chaos.house import House
from tools.smoke_http import multipart

VOTERS, RECIPIENTS = 4_000, 300
RESIDENTS = 4
PATIENCE_S = 50.0  # of somebody who looks at a screen that doesn't change; longer than the longest fault
PAUSE_S = 0.4  # before she asks again
KINDS = ("report", "photo", "ballot", "move", "read")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `status` 0: no answer came. Times by the machine's monotonic clock."""

    kind: str
    began: float
    ended: float
    status: int
    detail: str = ""


@dataclass
class Ledger:
    """What was asked, what was promised and when. Lists are appended to by many threads."""

    asked: list[Asked] = field(default_factory=list)
    tickets: dict[str, float] = field(default_factory=dict)  # ticket id → when it was promised
    tried: set[str] = field(default_factory=set)  # client tokens
    photos: dict[str, float] = field(default_factory=dict)
    receipts: list[tuple[str, float]] = field(default_factory=list)  # of ballots
    moves: dict[str, float] = field(default_factory=dict)  # tickets that were accepted
    campaigns: dict[UUID, tuple[float, Ref]] = field(default_factory=dict)

    def since(self, began: float) -> Iterator[Asked]:
        """Requests that began then or later, newest first."""
        return itertools.takewhile(lambda one: one.ended >= began, reversed(self.asked))


@dataclass
class Town:
    """Who lives there."""

    street: tickets_town.Street
    estate: Ref
    held: vote_town.Vote
    tokens: dict[UUID, str]
    template: UUID
    estates: list[Ref]  # whose owners are texted
    recipients: dict[Ref, int]


def lay_out(house: House) -> Town:
    """The street, an estate that votes, and ten that are texted. This process is booted."""
    street = tickets_town.lay_out()
    estate = street.estates[0]
    everyone = vote_town.people_in(house.dsn, estate, VOTERS)
    tokens = vote_town.access_tokens(everyone, house.environment["SECRET_KEY"])
    held = vote_town.open_vote(house.dsn, estate, everyone)
    estates = sms_town.lay_out(house.dsn, RECIPIENTS, twice=0)
    template = sms_town.template(vendors=("aliyun", "tencent"))
    # The day's limits of a number are no matter here, and the gateways are to be asked often.
    house.sql("UPDATE sms_provider_caps SET most = 1000")
    house.sql("UPDATE sms_providers SET batch_personal = 5, calls_per_s = 100 WHERE code = 'aliyun'")
    of = dict.fromkeys(estates, RECIPIENTS // sms_town.COMMUNITIES)
    return Town(street, estate, held, tokens, template, estates, of)


def picture() -> bytes:
    """A small photograph, each another one."""
    buffer = io.BytesIO()
    Image.effect_noise((400, 300), random.uniform(20, 60)).convert("RGB").save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


class Client:
    """Somebody's phone or desk: one connection, kept."""

    def __init__(self, house: House, ledger: Ledger, stop: threading.Event) -> None:
        self._port = house.port
        self._ledger = ledger
        self._stop = stop
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self, kind: str, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        """(status, JSON), or (0, None) when no answer came; written down."""
        began = time.monotonic()
        try:
            status, said = self._ask(method, path, body, headers)
        except (OSError, http.client.HTTPException) as e:
            self.hang_up()
            self._ledger.asked.append(Asked(kind, began, time.monotonic(), 0, type(e).__name__))
            return 0, None
        found = json.loads(said) if said else None
        detail = f"{method} {path}: {found.get('code')}" if status >= 400 and isinstance(found, dict) else ""
        self._ledger.asked.append(Asked(kind, began, time.monotonic(), status, detail))
        return status, found

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.will_close:
            self.hang_up()
        if answer.status == 503 and not answer.headers.get("Retry-After"):
            return 500, b'{"code": "503 without Retry-After"}'
        return answer.status, said

    def hang_up(self) -> None:
        """The next request opens a new connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def until_answered(
        self, kind: str, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        """Ask until there is an answer that isn't "later"; (0, None) when it is time to stop."""
        while not self._stop.is_set():
            status, said = self.ask(kind, method, path, body, headers)
            if status not in {0, 429, 500, 502, 503, 504}:
                return status, said
            self._stop.wait(PAUSE_S)
        return 0, None


class Resident(Client):
    """A resident with a real login, who reports. Every other report has a photo."""

    def __init__(self, house: House, town: Town, ledger: Ledger, stop: threading.Event) -> None:
        super().__init__(house, ledger, stop)
        self._house, self._town = house, town
        self._names = [f"chaos{secrets.token_hex(5)}" for _ in range(RESIDENTS // 2)]
        self._tokens: dict[str, str] = {}

    def run(self) -> None:
        """Until told to stop."""
        for number in itertools.count():
            if self._stop.is_set():
                return
            name = self._names[number % len(self._names)]
            if number % 4 == 2:  # not when she sends a photo, by which it is seen that all works again
                self._tokens.pop(name, None)  # she logs in anew
            self._report(name, number)
            self._stop.wait(2.5)

    def _as(self, name: str, kind: str, path: str, body: bytes, content: str, **more: str) -> tuple[int, Any]:
        """Her request; she logs in first, and again when her login is over."""
        for _ in range(3):
            if name not in self._tokens:
                told = json.dumps({"code": f"demo-{name}"}).encode()
                status, said = self.until_answered(
                    "login", "POST", "/bff/v1/session", told, {"Content-Type": "application/json"}
                )
                if status != 201:
                    return status, None
                self._tokens[name] = said["access_token"]
            headers = {"Authorization": f"Bearer {self._tokens[name]}", "Content-Type": content} | more
            status, said = self.until_answered(kind, "POST", path, body, headers)
            if status != 401:
                return status, said
            del self._tokens[name]
        return status, None

    def _report(self, name: str, number: int) -> None:
        photos = []
        if number % 2:
            content, body = multipart({}, "lamp.jpg", picture())
            # Who can't send the picture now reports without it, and doesn't wait.
            status, said = self._photo(name, body, content)
            if status == 201:
                self._ledger.photos[said["photo_id"]] = time.monotonic()
                photos = [said["photo_id"]]
        token = secrets.token_hex(16)
        told = {
            "estate_id": ids.encode(Kind.ESTATE, self._town.estate),
            "text": "3栋路灯不亮",
            "photo_ids": photos,
            "client_token": token,
        }
        self._ledger.tried.add(token)
        status, said = self._as(
            name, "report", "/bff/v1/tickets", json.dumps(told).encode(), "application/json"
        )
        if status in {200, 201}:
            self._ledger.tickets[said["ticket_id"]] = time.monotonic()
            if number % 4 < 2:
                self._taps_allow(name)

    def _photo(self, name: str, body: bytes, content: str) -> tuple[int, Any]:
        if name not in self._tokens:
            return 0, None
        headers = {"Authorization": f"Bearer {self._tokens[name]}", "Content-Type": content}
        key = secrets.token_hex(16)
        for _ in range(3):
            status, said = self.ask(
                "photo", "POST", "/bff/v1/photos", body, headers | {"Idempotency-Key": key}
            )
            if status not in {0, 503} or self._stop.wait(PAUSE_S):
                break
        return status, said

    def _taps_allow(self, name: str) -> None:
        with contextlib.suppress(requests.RequestException):
            requests.post(
                f"{self._house.wechat}/_sandbox/subscribe",
                json={"name": name, "template_id": "ticket_progress", "result": "accept"},
                timeout=10,
            )


class Voters(Client):
    """Owners who cast, one after the other."""

    def __init__(
        self, house: House, ledger: Ledger, stop: threading.Event, casts: Iterator[tuple[str, bytes, str]]
    ) -> None:
        super().__init__(house, ledger, stop)
        self._casts = casts

    def run(self) -> None:
        """Until told to stop, or until everybody has cast."""
        for path, body, token in self._casts:
            if self._stop.is_set():
                return
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            status, said = self.until_answered("ballot", "PUT", path, body, headers)
            if status in {200, 201}:
                self._ledger.receipts.append((said["receipt"], time.monotonic()))
            self._stop.wait(0.6)


class Readers(Client):
    """Owners who look at their first screen, and at the vote."""

    def __init__(self, house: House, town: Town, ledger: Ledger, stop: threading.Event) -> None:
        super().__init__(house, ledger, stop)
        self._town = town

    def run(self) -> None:
        """Until told to stop."""
        decision = f"/bff/v1/decisions/{ids.encode(Kind.DECISION, self._town.held.ref)}"
        everyone = itertools.cycle(random.sample(list(self._town.tokens.values()), 500))
        for path in itertools.cycle(("/bff/v1/home", "/bff/v1/tickets?limit=20", decision)):
            if self._stop.is_set():
                return
            self.ask("read", "GET", path, None, {"Authorization": f"Bearer {next(everyone)}"})
            self._stop.wait(0.3)


class Desk(Client):
    """The community's desk: accepts what was reported."""

    def __init__(self, house: House, town: Town, ledger: Ledger, stop: threading.Event) -> None:
        super().__init__(house, ledger, stop)
        self._account = town.street.accounts["community"]
        self._token = ""

    def run(self) -> None:
        """Until told to stop."""
        while not self._stop.is_set():
            status, said = self._call("GET", "/admin/api/v1/tickets?status=received&limit=10", "board")
            for row in said["items"] if status == 200 else ():
                if self._stop.is_set():
                    return
                self._accept(row["ticket_id"])
                self._stop.wait(0.6)
            self._stop.wait(0.5)

    def _accept(self, ticket: str) -> None:
        path = f"/admin/api/v1/tickets/{ticket}/accept"
        status, _ = self._call("POST", path, "move", **{"Idempotency-Key": secrets.token_hex(16)})
        if status == 200:
            self._ledger.moves[ticket] = time.monotonic()

    def _call(self, method: str, path: str, kind: str, **more: str) -> tuple[int, Any]:
        for _ in range(3):
            if not self._token:
                told = {"account": self._account, "password": tickets_town.PASSWORD}
                status, said = self.until_answered(
                    "login",
                    "POST",
                    "/admin/api/v1/session",
                    json.dumps(told).encode(),
                    {"Content-Type": "application/json"},
                )
                if status != 201:
                    return status, None
                self._token = said["token"]
            headers = {"Authorization": f"Bearer {self._token}"} | more
            body = b"" if method == "POST" else None
            status, said = self.until_answered(kind, method, path, body, headers)
            if status != 401:
                return status, said
            self._token = ""
        return status, None


class Office:
    """The street's office: starts one campaign of text messages after the other."""

    def __init__(self, town: Town, ledger: Ledger, stop: threading.Event) -> None:
        self._town, self._ledger, self._stop = town, ledger, stop

    def run(self) -> None:
        """Until told to stop."""
        for estate in itertools.cycle(self._town.estates):
            if self._stop.wait(7):
                return
            with contextlib.suppress(SQLAlchemyError, psycopg.Error):
                ref = sms_town.campaign(self._town.template, [estate])
                self._ledger.campaigns[ref.id] = (time.monotonic(), estate)
                with db.transaction():
                    campaigns.advance(ref)


class Load:
    """All of them, each in a thread."""

    def __init__(self, house: House, town: Town) -> None:
        self.ledger = Ledger()
        self._stop = threading.Event()
        casts = iter(_Shared(vote.cast_of_each(town.held, town.tokens)))
        people: list[Any] = [
            *(Resident(house, town, self.ledger, self._stop) for _ in range(2)),
            *(Voters(house, self.ledger, self._stop, casts) for _ in range(2)),
            *(Readers(house, town, self.ledger, self._stop) for _ in range(2)),
            Desk(house, town, self.ledger, self._stop),
            Office(town, self.ledger, self._stop),
        ]
        self._threads = [threading.Thread(target=one.run, daemon=True) for one in people]
        for thread in self._threads:
            thread.start()

    def broken(self) -> int:
        """How many ended by a mistake of ours; they end by themselves only when told to."""
        return sum(not thread.is_alive() for thread in self._threads)

    def end(self) -> None:
        """Everybody goes home; what is under way is waited for."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 10)

    def lately(self, seconds: float) -> Counter[str]:
        """What succeeded, by kind."""
        since = time.monotonic() - seconds
        return Counter(one.kind for one in self.ledger.since(since) if 200 <= one.status < 300)


class _Shared:
    """An iterator that several threads may draw from."""

    def __init__(self, inner: Iterator[Any]) -> None:
        self._inner, self._lock = inner, threading.Lock()

    def __iter__(self) -> _Shared:
        return self

    def __next__(self) -> Any:
        with self._lock:
            return next(self._inner)
