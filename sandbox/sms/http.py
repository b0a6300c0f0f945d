"""As much of HTTP/1.1 as the gateways need, on asyncio: kept connections, late answers, and none at all."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

# 1,000 numbers in a query are 14 kB.
MOST_HEAD, MOST_BODY = 64 * 1024, 4 * 1024 * 1024
HOST = "127.0.0.1"


class Request(NamedTuple):
    """One request; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """What is answered after `delay_s`; `drop`: nothing is, and the connection ends. `drip_s`: the body comes byte by
    byte, with so long between them.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    delay_s: float = 0.0
    drop: bool = False
    drip_s: float = 0.0


_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


def form(text: str) -> list[tuple[str, str]]:
    """Names and values of a query or a form, as `parse_qsl` reads them: that one takes a third of a call's time."""
    pairs = (part.partition("=") for part in text.split("&") if part)
    return [(_unescaped(name), _unescaped(value)) for name, _, value in pairs]


def _unescaped(text: str) -> str:
    return _ESCAPES.sub(_read, text.replace("+", " "))


def _read(found: re.Match[str]) -> str:
    return _text_of(found.group())


@lru_cache(maxsize=4096)  # quotes, commas and the words of a template come again and again
def _text_of(escapes: str) -> str:
    return bytes.fromhex(escapes.replace("%", "")).decode("utf-8", "replace")


class BadRequest(Exception):
    """Not to be understood as HTTP."""


Handler = Callable[[Request], Answer]


class Connection(asyncio.Protocol):
    """One client. A request waits until the one before it is answered."""

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop, clients: set[Connection]) -> None:
        self._handler = handler
        self._loop = loop
        self._clients = clients
        self._buffer = bytearray()
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._clients.add(self)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, _: Exception | None) -> None:
        """The client is gone; a late answer goes nowhere."""
        self._transport = None
        self._clients.discard(self)

    def hang_up(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        self._buffer += data
        self._next()

    def _next(self) -> None:
        if self._busy or self._transport is None:
            return
        try:
            request = self._take()
        except BadRequest:
            self._answer(Answer(400, b""), keep=False)
            return
        if request is None:
            return
        self._busy = True
        answer = self._handler(request)
        keep = request.headers.get("connection", "").lower() != "close"
        if answer.delay_s > 0:
            self._loop.call_later(answer.delay_s, self._answer, answer, keep)
        else:
            self._answer(answer, keep)

    def _take(self) -> Request | None:
        """The next whole request, or None. Raises BadRequest."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MOST_HEAD:
                raise BadRequest
            return None
        try:
            first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {}
            for line in lines:
                name, colon, value = line.partition(":")
                if not colon:
                    raise BadRequest
                headers[name.lower()] = value.strip()
            size = int(headers.get("content-length", "0"))
        except ValueError as e:
            raise BadRequest from e
        if not 0 <= size <= MOST_BODY or "transfer-encoding" in headers:
            raise BadRequest
        start = end + 4
        if len(self._buffer) < start + size:
            return None
        body = bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        path, _, query = target.partition("?")
        return Request(method, path, query, headers, body)

    def _answer(self, answer: Answer, keep: bool) -> None:
        self._busy = bool(answer.drip_s)
        if self._transport is None:
            return
        if answer.drop:
            self._transport.abort()
            return
        phrase = HTTPStatus(answer.status).phrase
        head = (
            f"HTTP/1.1 {answer.status} {phrase}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\n{'' if keep else 'Connection: close' + chr(13) + chr(10)}\r\n"
        )
        if answer.drip_s:
            self._transport.write(head.encode())
            self._drip(answer.body, answer.drip_s)
            return
        self._transport.write(head.encode() + answer.body)
        if not keep:
            self._transport.close()
        elif self._buffer:
            self._loop.call_soon(self._next)

    def _drip(self, left: bytes, pause_s: float) -> None:
        if self._transport is None:
            return
        self._transport.write(left[:1])
        if left[1:]:
            self._loop.call_later(pause_s, self._drip, left[1:], pause_s)
        else:
            self._transport.close()


class Server:
    """Serves one handler on loopback; port 0 takes any free one. Raises OSError when the port is taken."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._socket = socket.create_server((HOST, port), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()

    @property
    def url(self) -> str:
        """Where it is, with a slash at the end."""
        return f"http://{HOST}:{self.port}/"

    def serve(self) -> None:
        """Serve until `stop`, or until an exception (Ctrl-C) ends it."""
        clients: set[Connection] = set()
        listening = self._loop.run_until_complete(
            self._loop.create_server(
                lambda: Connection(self._handler, self._loop, clients), sock=self._socket
            )
        )
        try:
            self._loop.run_forever()
        finally:
            listening.close()
            for client in list(clients):
                client.hang_up()
            self._loop.run_until_complete(asyncio.sleep(0.01))  # in which they notice
            self._loop.close()

    def stop(self) -> None:
        """End `serve`, from any thread."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._loop.stop)

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[str]:
        """Serve in a thread for as long as the block lasts; gives the URL."""
        thread = threading.Thread(target=self.serve, daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            self.stop()
            thread.join()
