"""Clients that cost next to nothing: one process, one epoll, each a keep-alive connection that asks again at once."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_END = b"\r\n\r\n"


@dataclass
class Answer:
    """One answer, and how long it took from the first byte sent."""

    request: bytes
    status: int
    body: bytes
    seconds: float


@dataclass
class _Client:
    socket: socket.socket
    request: bytes = b""
    began: float = 0.0
    got: bytearray = field(default_factory=bytearray)


@dataclass
class Load:
    """What a drive brought."""

    answers: list[Answer]
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds if self.seconds else 0.0

    def quantile_ms(self, part: float) -> float:
        """The time within which that part of the answers came."""
        times = sorted(answer.seconds for answer in self.answers)
        return times[min(len(times) - 1, int(part * len(times)))] * 1000 if times else float("nan")


class Clients:
    """So many connections to a server on loopback, kept from one drive to the next."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._clients = [_Client(self._connect()) for _ in range(count)]

    def _connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def close(self) -> None:
        """Hang up."""
        for client in self._clients:
            client.socket.close()

    def drive(self, requests: Iterator[bytes], seconds: float | None = None) -> Load:
        """Send until the requests run out or the time is over, and wait for what is under way."""
        answers: list[Answer] = []
        began = time.perf_counter()
        until = began + seconds if seconds is not None else float("inf")
        with selectors.DefaultSelector() as selector:
            busy = 0
            for client in self._clients:
                if self._ask(client, requests):
                    selector.register(client.socket, selectors.EVENT_READ, client)
                    busy += 1
            while busy:
                for key, _ in selector.select(timeout=60):
                    client = key.data
                    client.got += client.socket.recv(65536)
                    answer = _whole(client)
                    if answer is None:
                        continue
                    answers.append(answer)
                    if time.perf_counter() >= until or not self._ask(client, requests):
                        selector.unregister(client.socket)
                        busy -= 1
        return Load(answers, time.perf_counter() - began)

    @staticmethod
    def _ask(client: _Client, requests: Iterator[bytes]) -> bool:
        request = next(requests, None)
        if request is None:
            return False
        client.request, client.began = request, time.perf_counter()
        client.got.clear()
        client.socket.sendall(request)
        return True


def _whole(client: _Client) -> Answer | None:
    end = client.got.find(_END)
    if end < 0:
        if not client.got:
            raise ConnectionError("the server hung up")
        return None
    head = bytes(client.got[:end]).lower()
    at = head.find(b"content-length:")
    length = int(head[at + 15 :].split(b"\r\n", 1)[0])
    body = client.got[end + 4 :]
    if len(body) < length:
        return None
    return Answer(client.request, int(head[9:12]), bytes(body), time.perf_counter() - client.began)


def request_of(method: str, path: str, *, token: str = "", body: bytes = b"") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + _END + body
