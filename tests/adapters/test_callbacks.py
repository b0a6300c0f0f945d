"""What an answer of another system means for the message: taken, never to be taken, or later."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.adapters.callbacks import client
from app.adapters.callbacks.client import HttpCallbacks
from app.adapters.outcome import Outcome


class _Counterpart(BaseHTTPRequestHandler):
    """Answers with the status in its path."""

    seen: list[str] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(self.path)
        self.send_response(int(self.path.rsplit("/", 1)[1]))
        self.send_header("Location", "/elsewhere/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def there() -> Iterator[str]:
    _Counterpart.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counterpart)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, Outcome.ACCEPTED), (204, Outcome.ACCEPTED)]
    + [(status, Outcome.REFUSED) for status in (400, 409, 413, 415, 422)]
    + [(status, Outcome.THROTTLED) for status in (301, 302, 307, 401, 403, 404, 408, 410, 429, 500, 503)],
)
def test_an_answer_says_what_to_do_next_and_a_redirect_is_not_followed(
    there: str, status: int, outcome: Outcome
) -> None:
    reply = HttpCallbacks().post(f"{there}/{status}", body=b"{}", headers={})
    assert reply.outcome is outcome
    assert str(status) in reply.word
    assert _Counterpart.seen == [f"/{status}"]


def test_nobody_at_home_is_tried_again(there: str) -> None:
    port = there.rsplit(":", 1)[1]
    closed = there.replace(port, "1")
    assert HttpCallbacks().post(f"{closed}/200", body=b"{}", headers={}).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "//x/200",
        "http://0.0.0.0/",
        "http://0/",
        "http://169.254.169.254/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://169.254.43518/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
    ],
)
def test_other_kinds_of_address_are_never_called(url: str) -> None:
    assert HttpCallbacks().post(url, body=b"{}", headers={}).outcome is Outcome.REFUSED


def test_a_name_that_leads_to_such_an_address_is_not_called(
    there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        where = "169.254.169.254" if host == "hotline.example" else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (where, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    reply = HttpCallbacks().post(there.replace("127.0.0.1", "hotline.example"), body=b"{}", headers={})
    assert reply.outcome is Outcome.REFUSED
    assert reply.word == "bad address"


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 70 + ".example", "a..example"])
def test_a_name_that_nobody_has_is_tried_again(host: str) -> None:
    assert HttpCallbacks().post(f"http://{host}/200", body=b"{}", headers={}).outcome is Outcome.UNKNOWN


def test_a_proxy_from_the_environment_is_not_asked(there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert HttpCallbacks().post(f"{there}/200", body=b"{}", headers={}).outcome is Outcome.ACCEPTED


def test_time_outs_are_set() -> None:
    assert all(0 < seconds <= 10 for seconds in client.TIMEOUT_S)
