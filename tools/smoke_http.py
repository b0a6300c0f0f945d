"""The smoke test's own HTTP client: every answer is timed, read whole, and shown to the rules of the house.

Standard library only, and nothing of the project: what it says must hold for any client.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

PATIENCE_S = 15.0
"""How long an effect that happens behind the request may take."""

T = TypeVar("T")


class Deviation(Exception):
    """Something is not as the contract says; the text names what was expected and what came."""


class Tally:
    """How many statements have been checked so far, in all threads."""

    def __init__(self) -> None:
        """None yet."""
        self.checks = 0
        self._lock = threading.Lock()

    def one(self) -> None:
        """One more."""
        with self._lock:
            self.checks += 1


tally = Tally()


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 600 else text[:600] + " …"


def check(holds: object, where: str, expected: object, got: object) -> None:
    """Count one statement; Deviation when it does not hold."""
    tally.one()
    if not holds:
        raise Deviation(f"{where}: expected {_short(expected)}, got {_short(got)}")


def same(got: object, expected: object, where: str) -> None:
    """Check that two values are equal."""
    check(got == expected, where, expected, got)


def until(read: Callable[[], T], holds: Callable[[T], object], what: str, seconds: float = PATIENCE_S) -> T:
    """Read until it holds and return what was read; Deviation when `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while True:
        found = read()
        if holds(found):
            tally.one()
            return found
        if time.monotonic() > deadline:
            raise Deviation(f"expected within {seconds:g} s: {what}; got {_short(found)}")
        time.sleep(0.08)


def together(*calls: Callable[[], T]) -> list[T]:
    """Run the calls at the same moment, each in a thread; their results in order, or the first exception."""
    results: list[T | None] = [None] * len(calls)
    failures: list[BaseException] = []
    gate = threading.Barrier(len(calls))

    def run(at: int, call: Callable[[], T]) -> None:
        try:
            gate.wait(5)
            results[at] = call()
        except BaseException as error:  # noqa: BLE001 - it is raised again by who waits
            failures.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [result for result in results if result is not None]


@dataclass
class Answer:
    """One answer, read to its end."""

    method: str
    path: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    ms: float
    sent_id: str

    @property
    def where(self) -> str:
        """What was asked, for messages."""
        return f"{self.method} {self.path}"

    @cached_property
    def json(self) -> Any:
        """The body as JSON (UTF-8); Deviation when it is none."""
        try:
            return json.loads(self.body.decode("utf-8"))
        except ValueError as error:
            raise Deviation(f"{self.where}: expected JSON in UTF-8, got {self.body[:200]!r}") from error

    def header(self, name: str) -> str:
        """A header that must be there."""
        value = self.headers.get(name)
        check(value, self.where, f"a header {name}", dict(self.headers.items()))
        return str(value)

    def ok(self, status: int = 200) -> Any:
        """The JSON body, when the status is this one."""
        check(
            self.status == status,
            self.where,
            status,
            f"{self.status} {self.body[:500].decode(errors='replace')}",
        )
        return self.json if self.body else None

    def refused(self, status: int | tuple[int, ...], code: str | None = None) -> dict[str, Any]:
        """The problem document, when it is this refusal."""
        wanted = status if isinstance(status, tuple) else (status,)
        got = f"{self.status} {self.body[:500].decode(errors='replace')}"
        check(self.status in wanted, self.where, f"a refusal {status} {code or ''}".strip(), got)
        problem: dict[str, Any] = self.json
        if code is not None:
            check(problem.get("code") == code, self.where, f"code {code}", got)
        return problem


class Connection:
    """A kept connection to one host, opened again when the server has closed it between two requests."""

    def __init__(self, port: int) -> None:
        """Nothing is opened before the first request."""
        self._port = port
        self._open: http.client.HTTPConnection | None = None

    def ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """The answer and its body. Raises OSError, http.client.HTTPException."""
        reused = self._open is not None
        try:
            return self._ask(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.close()
            if not reused:
                raise
            return self._ask(method, path, body, headers)
        except Exception:
            self.close()
            raise

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        if self._open is None:
            self._open = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        # A server that refuses a body early may close before all is sent; its answer is there to be read.
        with contextlib.suppress(BrokenPipeError):
            self._open.request(method, path, body=body, headers=dict(headers))
        response = self._open.getresponse()
        data = response.read()
        if response.will_close:
            self.close()
        return response, data

    def close(self) -> None:
        """Close it; the next request opens a new one."""
        if self._open is not None:
            self._open.close()
            self._open = None


@dataclass
class Site:
    """A server on this machine, and what every answer of it must fulfil."""

    port: int
    rules: list[Callable[[Answer], None]] = field(default_factory=list)


@dataclass
class Caller:
    """Somebody who speaks to a site: with a bearer token, in a language."""

    site: Site
    prefix: str = ""
    token: str | None = None
    language: str = "zh-CN"
    name: str = ""

    def __post_init__(self) -> None:
        self._local = threading.local()  # a connection for each thread: together() calls at the same moment

    def call(
        self,
        method: str,
        path: str,
        json_body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; a path that begins with the site's root is taken as it is."""
        body = json.dumps(json_body, ensure_ascii=False).encode() if json_body is not None else raw
        sent_id = f"smoke-{secrets.token_hex(8)}"
        sent = {"X-Request-ID": sent_id, "Accept-Language": self.language}
        if json_body is not None:
            sent["Content-Type"] = "application/json"
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        sent |= headers or {}
        whole = path if path.startswith(("/bff/", "/admin/", "/public/")) else self.prefix + path
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = Connection(self.site.port)
        began = time.perf_counter()
        try:
            response, data = connection.ask(method, whole, body, sent)
        except (OSError, http.client.HTTPException) as error:
            raise Deviation(
                f"{method} {whole}: expected an answer, got {type(error).__name__}: {error}"
            ) from error
        took = (time.perf_counter() - began) * 1000
        answer = Answer(method, whole, response.status, response.headers, data, took, sent_id)
        for rule in self.site.rules:
            rule(answer)
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        """GET; header names are written with `_` for `-`."""
        return self.call(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def post(self, path: str, json_body: Any = None, **headers: str) -> Answer:
        """POST of a JSON body, or of none."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", path, json_body, headers=sent)

    def upload(self, path: str, name: str, data: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """POST of one file as wx.uploadFile sends it: the form fields first, the file in the part `file`."""
        kind, body = multipart(
            {"purpose": "after_photo"} if self.prefix.startswith("/admin") else {}, name, data
        )
        return self.call("POST", path, raw=body, headers={"Content-Type": kind, **(headers or {})})

    def speaking(self, language: str) -> Caller:
        """The same person in another language."""
        return Caller(self.site, self.prefix, self.token, language, self.name)


def multipart(fields: Mapping[str, str], name: str, data: bytes) -> tuple[str, bytes]:
    """(Content-Type, body) of a multipart form with one file."""
    boundary = f"----WechatMiniProgram{secrets.token_hex(12)}"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = b"".join([*parts, head.encode(), data, f"\r\n--{boundary}--\r\n".encode()])
    return f"multipart/form-data; boundary={boundary}", body
