"""The doctor: each thing that can be wrong is found, and said in a sentence; what is sound isn't called ill."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from rq import Worker
from rq.cron_scheduler_registry import get_registry_key
from rq.serializers import JSONSerializer
from sqlalchemy import text

from app import adapters, clock, crypto, db, outbox, queue
from app.adapters.sms import Lookup
from app.adapters.storage import from_url
from app.adapters.storage.folder import FolderStorage
from app.audit import SYSTEM
from app.people import service as people
from app.queue import Queue
from app.queue_watch import State
from tests.conftest import PASSWORD, TOP, House, Person, Town, settings_for
from tools import servers
from tools.doctor import database, outside, work
from tools.doctor.finding import Finding, Level


def problems(findings: Iterable[Finding]) -> list[str]:
    return [f.sentence for f in findings if f.level is Level.PROBLEM]


def not_fine(findings: Iterable[Finding]) -> list[str]:
    return [f.sentence for f in findings if f.level is not Level.FINE]


@contextmanager
def connected_as(url: str, back: str) -> Iterator[None]:
    """The application connects so meanwhile."""
    kept = db._engine, db._reading, db._statements, db._prepares
    db._engine = None
    db.configure(url)
    try:
        yield
    finally:
        db.engine().dispose()
        db._engine, db._reading, db._statements, db._prepares = kept


# --- the database ------------------------------------------------------------------------------------------


def test_a_sound_database_has_nothing_wrong(house: House, resident: Callable[..., Person]) -> None:
    resident()
    assert not_fine(database.look()) == []


def test_a_database_that_does_not_answer_is_the_one_finding(house: House) -> None:
    with connected_as("postgresql://nobody:x@127.0.0.1:1/nothing", house.settings.database_url):
        (found,) = problems(database.look())
    assert found.startswith("The database doesn't answer")


def test_an_application_that_may_rewrite_append_only_tables_is_found(house: House) -> None:
    with connected_as(house.settings.migration_database_url, house.settings.database_url):
        (found,) = problems(database.rights())
    assert "may rewrite" in found
    with connected_as(house.pg.url("superuser", "house"), house.settings.database_url):
        assert problems(database.rights()) == [
            "The application connects as a superuser: give it the role jiayuan_app."
        ]


def test_a_database_without_tables_and_one_of_another_version_are_found(
    house: House, pg: servers.Postgres
) -> None:
    pg.create_database("unmigrated")
    with connected_as(pg.url("owner", "unmigrated"), house.settings.database_url):
        assert "has no tables yet" in database.migrations().sentence
        for version, says in (("0001", "this code needs"), ("9999", "which this code doesn't know")):
            with db.engine().begin() as connection:
                connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
                connection.execute(text("CREATE TABLE alembic_version (version_num varchar(32))"))
                connection.execute(text("INSERT INTO alembic_version VALUES (:v)"), {"v": version})
            found = database.migrations()
            assert (found.level, says in found.sentence) == (Level.PROBLEM, True), found


def test_clocks_that_are_apart_are_found() -> None:
    levels = [database.judge_skew(seconds).level for seconds in (0.1, 5, 3600)]
    assert levels == [Level.FINE, Level.WARNING, Level.PROBLEM]


def test_a_clock_that_is_an_hour_off_is_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead:
        @staticmethod
        def now(tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=1)

    assert database.clock_skew().level is Level.FINE
    monkeypatch.setattr(database, "datetime", Ahead)
    monkeypatch.setattr(database, "isinstance", lambda *_: True, raising=False)
    found = database.clock_skew()
    assert (found.level, "3600 s apart" in found.sentence) == (Level.PROBLEM, True)


def test_keys_that_open_nothing_are_found(house: House, resident: Callable[..., Person]) -> None:
    resident()
    settings = house.settings
    try:
        crypto.configure(crypto.Keyring({1: bytes([5]) * 32}, settings.hash_key))
        (found,) = problems(database.keys())
        assert "residents" in found
        crypto.configure(crypto.Keyring(settings.data_keys, bytes([6]) * 32))
        (found,) = problems(database.keys())
        assert found.startswith("HASH_KEY is another one")
    finally:
        crypto.configure(crypto.Keyring(settings.data_keys, settings.hash_key))


# --- work --------------------------------------------------------------------------------------------------


def test_a_queue_that_nobody_serves_is_found_until_somebody_does(house: House) -> None:
    from app import queue_watch

    assert len([f for f in problems(work.queues(queue_watch.states())) if "Nobody works" in f]) == len(Queue)
    worker = Worker(
        [Queue.SMS.value], connection=queue.redis(), serializer=JSONSerializer, name="doctor-test"
    )
    worker.register_birth()
    try:
        found = problems(work.queues(queue_watch.states()))
        assert not [f for f in found if "queue sms" in f and "Nobody works" in f]
    finally:
        worker.register_death()


def test_what_waits_long_and_what_failed_on_a_queue_is_found() -> None:
    now = datetime.now(UTC)
    rest = [State(name, 0, 0, 0, None, 1) for name in Queue]
    assert not_fine(work.queues(rest)) == []
    late = State(Queue.DEFAULT, 7, 0, 0, now - timedelta(minutes=5), 1)
    assert "7 jobs wait" in problems(work.queues([late]))[0]
    failed = State(Queue.MEDIA, 0, 0, 3, None, 1)
    (finding,) = work.queues([failed])
    assert (finding.level, "3 jobs of the queue media failed" in finding.sentence) == (Level.WARNING, True)


def test_a_schedule_that_is_silent_or_there_twice_is_found(house: House) -> None:
    from app import queue_watch

    key = get_registry_key()
    try:
        queue.redis().delete(key)
        assert work.schedule(queue_watch.schedules()).level is Level.PROBLEM
        now = datetime.now(UTC).timestamp()
        queue.redis().zadd(key, {"old": now - 3600})
        assert work.schedule(queue_watch.schedules()).level is Level.PROBLEM
        queue.redis().zadd(key, {"new": now})
        assert work.schedule(queue_watch.schedules()).level is Level.FINE
        queue.redis().zadd(key, {"second": now})
        assert work.schedule(queue_watch.schedules()).level is Level.WARNING
    finally:
        queue.redis().delete(key)


def test_redis_away_is_found_and_the_rest_is_looked_at(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = queue._redis
    queue.configure("redis://127.0.0.1:1/0", ring_bells=False)
    try:
        found = list(work.look())
    finally:
        queue._redis, queue._ring = kept, house.settings.ring_bells
    assert "Redis doesn't answer" in problems(found)[0]
    assert {f.about for f in found} >= {"redis", "outbox", "ballots"}


def test_a_promise_that_nobody_keeps_is_found(
    house: House, town: Town, owner: psycopg.Connection[Any]
) -> None:
    with db.transaction():
        outbox.put(
            community_id=town.a.id,
            kind="media.discard",
            payload={"keys": []},
            idem="doctor",
            not_before=clock.now() - timedelta(minutes=10),
        )
    with db.reading():
        waited = outbox.oldest_due()
    assert waited >= 600
    assert "nobody keeps it" in problems(work.promises(waited, []))[0]
    with db.transaction():
        for row in outbox.lease(town.a.id, Queue.DEFAULT, limit=10, seconds=60):
            outbox.done(row)
    assert "media.process (2)" in problems(work.promises(0, [("media.process", "failed", 2)]))[0]
    assert not_fine(work.promises(0, [("media.discard", "open", 50)])) == []


def test_ballots_that_are_not_sealed_are_found() -> None:
    assert work.ballots(0, 0).level is Level.FINE
    assert work.ballots(3, 5).level is Level.FINE
    assert work.ballots(3, 90).level is Level.PROBLEM


# --- around it ---------------------------------------------------------------------------------------------


def test_settings_that_must_not_face_the_world_are_found(house: House) -> None:
    here = house.settings
    assert problems(outside.settings(here)) == []
    away = replace(
        here,
        public_base_url="http://jiayuan.example",
        demo=True,
        aliyun_sms_endpoint="http://127.0.0.1:8003",
    )
    found = problems(outside.settings(away))
    assert [
        word for word in ("DEMO", "https", "WECHAT_API_BASE", "ALIYUN") if any(word in f for f in found)
    ] == [
        "DEMO",
        "https",
        "WECHAT_API_BASE",
        "ALIYUN",
    ]
    one_role = replace(here, migration_database_url=here.database_url, retention_database_url="")
    assert len(not_fine(outside.settings(one_role))) == 2


def test_accounts_of_the_demonstration_are_found_in_a_production(
    house: House, owner: psycopg.Connection[Any]
) -> None:
    account = f"demo-{uuid4().hex[:8]}"
    with db.transaction():
        staff = people.add_staff(
            account=account, name="演示", password=PASSWORD, acting_user=SYSTEM, is_demo=True
        )
    try:
        (found,) = problems(outside.demo_accounts(house.settings))
        assert account in found
        assert problems(outside.demo_accounts(replace(house.settings, demo=True))) == []
    finally:
        owner.execute("UPDATE staff SET is_demo = false WHERE id = %s", (staff.id,))
    assert problems(outside.demo_accounts(house.settings)) == []


def test_a_disk_that_is_nearly_full_is_found(house: House) -> None:
    gib = 2**30
    assert not_fine(outside.disk(house.settings, lambda _: (100 * gib, 0, 50 * gib))) == []
    for left in (gib, 9 * gib):
        full = problems(outside.disk(house.settings, lambda _, left=left: (100 * gib, 0, left)))  # type: ignore[misc]
        assert any("photos" in sentence for sentence in full)


def test_a_store_that_takes_nothing_is_found(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outside.store().level is Level.FINE
    gone = from_url(f"folder:{tmp_path / 'photos'}")
    assert isinstance(gone, FolderStorage)
    (tmp_path / "photos" / "unfinished").rmdir()
    monkeypatch.setattr(adapters, "storage", lambda: gone)
    assert outside.store().level is Level.PROBLEM


def test_a_wechat_that_does_not_know_us_is_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.adapters.wechat.client import WeChatClientAdapter

    assert outside.wechat().level is Level.FINE
    others: Any = {"appid": house.settings.wechat_appid, "secret": "wrong", "timeout_s": 2.0, "redis": None}
    monkeypatch.setattr(adapters, "wechat", lambda: WeChatClientAdapter(api_base=house.sandbox_url, **others))
    found = outside.wechat()
    assert (found.level, "WeChat refuses us (errcode" in found.sentence) == (Level.PROBLEM, True), found
    assert "wrong" not in found.sentence
    monkeypatch.setattr(
        adapters, "wechat", lambda: WeChatClientAdapter(api_base="http://127.0.0.1:1/", **others)
    )
    assert "doesn't answer" in outside.wechat().sentence


def test_a_vendor_without_keys_or_with_wrong_ones_is_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Vendor:
        value = "aliyun"

    monkeypatch.setattr(adapters, "sms", dict)
    assert [f.level for f in outside.sms()] == [Level.WARNING]
    monkeypatch.setattr(adapters, "sms", lambda: {Vendor: None})
    refused = Lookup(answered=False, is_conclusive=False, receipts=(), code="InvalidAccessKeyId.NotFound")
    found = list(outside.sms({"aliyun": refused}))
    assert [f.level for f in found] == [Level.PROBLEM, Level.WARNING], found
    assert "InvalidAccessKeyId.NotFound" in found[0].sentence
    good = refused._replace(answered=True)
    assert next(iter(outside.sms({"aliyun": good}))).level is Level.FINE


def test_a_year_whose_working_days_nobody_confirmed_is_found(house: House) -> None:
    assert not_fine(outside.calendar(date(2026, 3, 1))) == []
    assert problems(outside.calendar(date(2027, 3, 1)))[0].startswith(
        "The working days of 2027 aren't confirmed"
    )
    december = list(outside.calendar(date(2026, 12, 1)))
    assert [f.level for f in december] == [Level.FINE, Level.WARNING]


# --- the command -------------------------------------------------------------------------------------------


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    names = {"DATABASE_URL", "REDIS_URL", "JIAYUAN_VAR"}
    clean = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-m", "tools.doctor", *arguments],
        cwd=TOP,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.long
def test_the_command_says_what_is_wrong_and_ends_with_1(
    house: House, resident: Callable[..., Person]
) -> None:
    resident()
    environment = settings_for(
        house.pg,
        "house",
        REDIS_URL=house.settings.redis_url,
        STORAGE_URL=house.settings.storage_url,
        PUBLIC_BASE_URL=house.url,
        WECHAT_API_BASE=house.sandbox_url,
    )
    done = run(environment)
    assert done.returncode == 1, done.stderr
    assert "PROBLEM queues      Nobody works on the queue default" in done.stdout
    assert "ok      wechat" in done.stdout
    assert "Traceback" not in done.stderr
    secret = base64.b64encode(house.settings.hash_key).decode()
    assert secret not in done.stdout + done.stderr
    assert "ok  " not in run(environment, "--quiet").stdout
    missing = run(environment | {"HASH_KEY": ""})
    assert (missing.returncode, "settings are missing: HASH_KEY" in missing.stdout) == (1, True)


def test_the_command_says_when_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    done = run({"JIAYUAN_VAR": str(tmp_path)})
    assert done.returncode == 2
    assert "Nothing runs" in done.stderr
