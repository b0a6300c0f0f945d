"""The web server as shipped: a process that has answered enough makes room for a new one, and nobody notices."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from bff import metrics

ROOT = Path(__file__).resolve().parents[2]
WHO = """
import os, time
def app(environ, start_response):
    sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    time.sleep(0.6 if environ["PATH_INFO"] == "/slow" else 0.002)
    body = b"%d %d" % (os.getpid(), len(sent))
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
# Connections that say nothing are put aside after a tenth of a second, where gunicorn takes five.
QUICKER = f"""
from gunicorn.workers import gthread
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.1
exec(compile(open({str(ROOT / "deploy/gunicorn.py")!r}).read(), "deploy/gunicorn.py", "exec"))
"""
MOST = 40


@contextlib.contextmanager
def server(folder: Path, **environment: str) -> Iterator[int]:
    """The production server around an application that tells which process answered; its port."""
    (folder / "who.py").write_text(WHO, encoding="utf-8")
    (folder / "quicker.py").write_text(QUICKER, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", str(folder / "quicker.py"), "who:app"],
            cwd=ROOT,
            env={**os.environ, **environment, "PORT": str(port), "PYTHONPATH": f"{folder}:{ROOT}"},
            stdout=log,
            stderr=log,
        )
    try:
        give_up_at = time.monotonic() + 60
        while time.monotonic() < give_up_at:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


class Client:
    """Somebody with one connection, kept for as long as the server lets it be. What was never answered on a connection
    that had rested is asked again on a new one, as RFC 9112 §9.3.1 allows for a GET; nothing else is.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.has_rested = False
        self.told_to_close = 0

    def ask(self, method: str, path: str, body: bytes = b"") -> int:
        """The process that answered; raises OSError or HTTPException where the answer is lost."""
        try:
            return self._once(method, path, body)
        except (ConnectionError, http.client.RemoteDisconnected):
            if not self.has_rested or method != "GET":
                raise
        self.connection.close()
        self.has_rested = False
        return self._once(method, path, body)

    def _once(self, method: str, path: str, body: bytes) -> int:
        self.connection.request(method, path, body)
        answer = self.connection.getresponse()
        process, length = answer.read().split()
        assert answer.status == 200
        assert int(length) == len(body)
        self.has_rested = not answer.will_close
        self.told_to_close += answer.will_close
        return int(process)


def test_processes_that_have_answered_enough_are_replaced_and_no_client_sees_an_error(tmp_path: Path) -> None:
    answered: Counter[int] = Counter()
    wrong: list[BaseException] = []
    told_to_close = []

    def visit(port: int, number: int) -> None:
        client = Client(port)
        try:
            for turn in range(100):
                # A body now and then: nobody sends a POST twice, so none may get lost.
                is_post = turn % 5 == number and not client.has_rested
                body = b"x" * 20_000 if is_post else b""
                answered[client.ask("POST" if is_post else "GET", "/slow" if turn == 50 else "/", body)] += 1
        except (OSError, http.client.HTTPException, AssertionError) as e:
            wrong.append(e)
        told_to_close.append(client.told_to_close)
        client.connection.close()

    with server(tmp_path, WEB_WORKERS="2", WEB_MAX_REQUESTS=str(MOST)) as port:
        visitors = [threading.Thread(target=visit, args=(port, number)) for number in range(5)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
    assert wrong == []
    assert answered.total() == 500
    assert len(answered) >= 4  # the two it began with, and two after them
    assert sum(told_to_close) >= 2  # a client hears that its connection ends instead of finding out
    # A tenth more by chance, and what was on its way when it was enough.
    assert max(answered.values()) <= MOST * 1.1 + 5 * 2


def test_a_process_makes_room_although_somebody_keeps_a_connection_and_says_nothing(tmp_path: Path) -> None:
    with server(tmp_path, WEB_WORKERS="1", WEB_MAX_REQUESTS="5") as port:
        client = Client(port)
        first = client.ask("GET", "/")
        with socket.create_connection(("127.0.0.1", port)):  # a browser does so, in case it needs one
            time.sleep(0.5)
            began = time.monotonic()
            while client.ask("GET", "/") == first:
                assert time.monotonic() - began < 30
            assert time.monotonic() - began < 8  # not the 20 s that a stop waits for the slowest
        client.connection.close()


def test_without_a_most_a_process_stays(tmp_path: Path) -> None:
    with server(tmp_path, WEB_WORKERS="1", WEB_MAX_REQUESTS="0") as port:
        client = Client(port)
        assert len({client.ask("GET", "/") for _ in range(100)}) == 1
        client.connection.close()


def test_what_processes_counted_that_are_gone_lies_in_one_file_and_is_still_in_the_sums(
    tmp_path: Path,
) -> None:
    def count(process: int, kind: str, name: str, value: float) -> None:
        kept = MmapedDict(str(tmp_path / f"{kind}_{process}.db"))
        kept.write_value(f'["{name}", "{name}_total", {{}}, "said"]', value, 0)
        kept.close()

    def sums() -> dict[str, float]:
        collector = MultiProcessCollector(None, path=str(tmp_path))
        return {sample.name: sample.value for metric in collector.collect() for sample in metric.samples}

    for process in (11, 12, 13):
        count(process, "counter", "asked", process)
        count(process, "counter", f"only_{process}", 1)
        count(process, "gauge_livesum", "held", 1)
    before = sums()
    for process in (11, 12):
        metrics.process_ended(process, tmp_path)

    assert sums() == before | {"held_total": 1.0}
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "counter_13.db",
        "counter_ended.db",
        "gauge_livesum_13.db",
    ]
