"""More than can be done: 503 with the time to come back, instead of a collapse."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from flask import Flask
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart
from werkzeug.wrappers import Response as BaseResponse

from app import db, timeouts
from app.tickets import service as tickets
from bff import errors
from tests.conftest import TOP, House, Person, Town, settings_for, small_jpeg
from tools import processes


def is_busy(answer: BaseResponse | requests.Response) -> None:
    said = answer.text if isinstance(answer, requests.Response) else answer.get_data(as_text=True)
    assert answer.status_code == 503, said
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert 3 <= int(answer.headers["Retry-After"]) <= 9
    assert '"code":"busy"' in said


def test_when_no_connection_is_left_the_answer_is_to_come_back(
    resident: Callable[..., Person], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    wang = resident()
    db.dispose()  # plain statements have none of their own left either
    pool = db.engine().pool
    monkeypatch.setattr(pool, "_timeout", 0.1)
    held: list[Connection] = []
    try:
        with contextlib.suppress(PoolTimeout):
            while len(held) < 100:
                held.append(db.engine().connect())
        body = {"estate_id": town.a.estate_id, "text": "楼道灯不亮", "client_token": "x" * 32}
        refused = [wang.get("/home"), wang.post("/tickets", body)]
        for answer in refused:
            is_busy(answer)
        assert refused[0].json["detail"] == "现在使用的人太多，请过几秒再试。"
    finally:
        for connection in held:
            connection.close()
    assert wang.get("/home").status_code == 200
    assert wang.post("/tickets", body).status_code == 201


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("SET LOCAL statement_timeout = '20ms'", "SELECT pg_sleep(2)"),
        ("SET LOCAL lock_timeout = '20ms'", "SELECT pg_advisory_xact_lock(77001)"),
    ],
    ids=["too slow", "locked too long"],
)
def test_what_the_database_cuts_short_is_no_error_of_ours(
    app: Flask, house: House, short: str, long: str
) -> None:
    with db.engine().connect() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(77001)"))
        with db.transaction() as session:
            session.execute(text(short))
            with pytest.raises(DBAPIError) as cut:
                session.execute(text(long))
            session.rollback()
        other.rollback()
    with app.test_request_context("/bff/v1/home", headers={"Accept-Language": "en"}):
        answer = errors.from_anything(cut.value)
    is_busy(answer)
    assert "try again in a few seconds" in answer.get_data(as_text=True)


def test_what_nobody_waits_for_any_more_is_undone_and_can_be_asked_for_again(
    resident: Callable[..., Person], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    wang = resident()
    body = {"estate_id": town.a.estate_id, "text": "楼道灯不亮", "client_token": "y" * 32}
    key = {"Idempotency-Key": uuid4().hex}
    begun: list[str] = []

    def slowly(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO tickets"):
            begun.append(statement)
            time.sleep(1.2)

    event.listen(db.engine(), "before_cursor_execute", slowly)
    try:
        monkeypatch.setattr(timeouts, "REQUEST_S", 1.0)
        is_busy(wang.post("/tickets", body, headers=key))
    finally:
        event.remove(db.engine(), "before_cursor_execute", slowly)
    assert len(begun) == 1
    assert wang.get("/tickets").json["items"] == []
    made = wang.post("/tickets", body, headers=key)
    assert made.status_code == 201
    assert len(wang.get("/tickets").json["items"]) == 1


def test_what_was_done_in_time_is_not_committed_late(
    resident: Callable[..., Person], town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    wang = resident()
    wang.get("/tickets")
    body = {"estate_id": town.a.estate_id, "text": "楼道灯不亮", "client_token": "z" * 32}
    open_ticket = tickets.open_ticket

    def slowly(*args: Any, **values: Any) -> Any:
        made = open_ticket(*args, **values)
        db.session().flush()
        db.until(time.monotonic() - 1)
        return made

    with monkeypatch.context() as patched:
        patched.setattr(tickets, "open_ticket", slowly)
        is_busy(wang.post("/tickets", body))
    assert wang.get("/tickets").json["items"] == []
    assert wang.post("/tickets", body).status_code == 201


def test_a_plain_statement_is_not_begun_for_nobody_either(
    resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    wang = resident()
    monkeypatch.setattr(timeouts, "REQUEST_S", -1.0)
    is_busy(wang.get("/home"))
    monkeypatch.undo()
    assert wang.get("/home").status_code == 200


def test_a_photo_on_a_slow_line_has_its_time_once_it_is_there(
    house: House, resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    wang = resident()
    wang.get("/home")
    boundary, body = encode_multipart({"file": FileStorage(BytesIO(small_jpeg()), "lamp.jpg")})

    def dripping() -> Iterator[bytes]:
        yield body[:-100]
        time.sleep(1.3)
        yield body[-100:]

    monkeypatch.setattr(timeouts, "REQUEST_S", 1.0)
    sent = requests.post(
        f"{house.url}/bff/v1/photos",
        data=dripping(),
        headers={
            "Authorization": f"Bearer {wang.token}",
            "Content-Type": f'multipart/form-data; boundary="{boundary}"',
        },
        timeout=30,
    )
    assert sent.status_code == 201, sent.text


# --- the web server --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The production server with one process and one thread."""
    port = processes.free_port()
    environment = os.environ | settings_for(
        house.pg,
        "house",
        REDIS_URL=house.settings.redis_url,
        PUBLIC_BASE_URL=f"http://127.0.0.1:{port}",
        STORAGE_URL=house.settings.storage_url,
        WECHAT_API_BASE=house.settings.wechat_api_base,
        PORT=port,
        WEB_WORKERS=1,
        WEB_THREADS=1,
        PYTHONPATH=str(TOP),
    )
    log = tmp_path_factory.mktemp("pressure") / "web.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "-c",
                "tests/limits/gunicorn_impatient.py",
                "tests.limits.slowly:app",
            ],
            cwd=TOP,
            env=environment,
            stdout=out,
            stderr=out,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, server, log)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at and server.poll() is None:
        try:
            if requests.get(f"{url}/healthz", timeout=2).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.1)
    pytest.fail(log.read_text(errors="replace")[-2000:])


def test_what_waited_too_long_for_a_thread_is_refused_unbegun_and_a_write_is_waited_for_longer(
    address: str,
) -> None:
    def ask(method: str, path: str) -> requests.Response:
        return requests.request(method, address + path, json={} if method == "POST" else None, timeout=20)

    with ThreadPoolExecutor(8) as pool:
        slow = pool.submit(ask, "GET", "/slow")
        time.sleep(0.3)
        behind = [pool.submit(ask, "GET", path) for path in ("/openapi/resident.json", "/bff/v1/home")]
        write = pool.submit(ask, "POST", "/bff/v1/inbox/read")
        health = pool.submit(ask, "GET", "/healthz")
        assert slow.result().text == "done"
        for waiting in behind:
            is_busy(waiting.result())
        assert write.result().status_code == 401  # it was begun: there is no token
        assert health.result().status_code == 200
    assert ask("GET", "/openapi/resident.json").status_code == 200


def test_a_client_that_falls_silent_in_the_midst_of_a_request_holds_no_thread_for_ever(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.sendall(b"POST /bff/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n")
        silent.sendall(b'Content-Length: 20\r\n\r\n{"code"')
        time.sleep(0.3)
        began = time.monotonic()
        assert requests.get(f"{address}/healthz", timeout=20).status_code == 200
        assert 0.2 < time.monotonic() - began < 5
    with socket.create_connection((host, int(port))) as silent:
        silent.sendall(b"GET /healthz HTT")
        time.sleep(0.3)
        assert requests.get(f"{address}/healthz", timeout=20).status_code == 200


def test_who_only_connects_holds_no_thread(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(20)]
        time.sleep(0.2)
        began = time.monotonic()
        assert requests.get(f"{address}/healthz", timeout=20).status_code == 200
        assert time.monotonic() - began < 4  # gthread let the first hold the only thread for five seconds
        silent[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert silent[-1].recv(12) == b"HTTP/1.1 200"


def test_who_was_answered_and_does_not_leave_holds_up_nobody(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack:
        staying = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(8)]
        for one in staying:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(0.3)
        began = time.monotonic()
        assert requests.get(f"{address}/healthz", timeout=30).status_code == 200
        assert time.monotonic() - began < 1.5  # gthread waited for two seconds for each
        for one in staying:
            assert one.recv(12) == b"HTTP/1.1 200"
            one.settimeout(10)
            while one.recv(4096):
                pass  # and then it is closed from there


def test_who_comes_while_a_process_ends_is_answered(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    for _ in range(3):
        worker = int(requests.get(f"{address}/process", timeout=20, headers={"Connection": "close"}).text)
        os.kill(worker, signal.SIGSTOP)
        with socket.create_connection((host, int(port)), timeout=20) as late:
            os.kill(worker, signal.SIGTERM)
            os.kill(worker, signal.SIGCONT)
            time.sleep(0.1)
            late.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert late.recv(12) == b"HTTP/1.1 200"
