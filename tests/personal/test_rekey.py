"""A new data key: everything is sealed anew while the house works, also when the work is killed half way."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from app import adapters, crypto, db, ids, rekey
from app.ids import Kind, Ref
from tests.conftest import TOP, House, Town
from tests.personal.conftest import Life
from tools import rekey as command

SECOND = bytes([9]) * 32


class Backwards(crypto.Keyring):
    """Knows both keys, and seals under the first one again: the other tests of this process know no second."""

    def __init__(self, data_keys: dict[int, bytes], hash_key: bytes) -> None:
        super().__init__(data_keys, hash_key)
        self._newest = min(data_keys)


@pytest.fixture
def both(house: House) -> Iterator[dict[int, bytes]]:
    """The application knows both keys; afterwards everything lies under the first one again."""
    settings = house.settings
    keys = {**settings.data_keys, 2: SECOND}
    crypto.configure(crypto.Keyring(keys, settings.hash_key))
    yield keys
    crypto.configure(Backwards(keys, settings.hash_key))
    command.seal_all()
    crypto.configure(crypto.Keyring(settings.data_keys, settings.hash_key))


def environment(house: House) -> dict[str, str]:
    first = base64.b64encode(house.settings.data_keys[1]).decode()
    s = house.settings
    return os.environ | {
        "DATABASE_URL": s.database_url,
        "DATABASE_POOLER": s.database_pooler,
        "REDIS_URL": s.redis_url,
        "STORAGE_URL": s.storage_url,
        "SECRET_KEY": s.secret_key,
        "DATA_KEYS": f"1:{first},2:{base64.b64encode(SECOND).decode()}",
        "HASH_KEY": base64.b64encode(s.hash_key).decode(),
        "PUBLIC_BASE_URL": s.public_base_url,
        "WECHAT_API_BASE": s.wechat_api_base,
        "WECHAT_APPID": s.wechat_appid,
        "WECHAT_SECRET": s.wechat_secret,
        "WECHAT_PUSH_TOKEN": s.wechat_push_token,
        "WECHAT_PUSH_AES_KEY": s.wechat_push_aes_key,
    }


def run(house: House, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.rekey", *arguments],
        cwd=TOP,
        env=environment(house),
        capture_output=True,
        text=True,
        check=False,
    )


def under(connection: psycopg.Connection[Any], version: int) -> dict[str, int]:
    """Table → rows with a sealed value under that key (of those that have any)."""
    prefix = bytes([0, crypto.AES_256_GCM, version])
    found = {}
    for table, columns in rekey.sealed_tables():
        where = " OR ".join(f"substring({column} for 3) = %s" for column in columns)
        row = connection.execute(f"SELECT count(*) FROM {table.name} WHERE {where}", [prefix] * len(columns))
        found[table.name] = (row.fetchone() or (0,))[0]
    return {name: rows for name, rows in found.items() if rows}


def everything_is_readable(life: Life, town: Town) -> None:
    me = life.wang.get("/me").json
    assert (me["nickname"], me["phone_masked"][-4:]) == (life.names[0], life.phones["wang"][-4:])
    said = [e["text"] for e in life.wang.ticket(life.tickets[0])["timeline"]]
    assert {life.words[0], life.words[1]} <= set(said)
    desk = town.staff("community")
    for ticket, phone in ((life.tickets[0], "left"), (life.tickets[2], "caller")):
        body = {"object": ticket, "fields": ["contact_phone"], "purpose": "核对联系方式"}
        assert desk.post("/unmask", body).json["contact_phone"] == life.phones[phone]
    owner_id = ids.encode(Kind.OWNER, Ref(town.a.id, life.owner_id))
    body = {"object": owner_id, "fields": ["phone", "id_number"], "purpose": "核对业主身份"}
    shown = desk.post("/unmask", body).json
    assert (shown["phone"], shown["id_number"]) == (life.phones["owner"], life.id_numbers[0])


@pytest.mark.long
def test_a_run_that_was_killed_goes_on_and_the_house_is_readable_at_every_moment(
    house: House,
    life: Life,
    town: Town,
    both: dict[int, bytes],
    owner: psycopg.Connection[Any],
) -> None:
    before = under(owner, 1)
    assert {"residents", "owners", "tickets", "person_keys", "patrol_tracks", "source_keys"} <= set(before)
    with psycopg.connect(house.pg.url("owner", "house")) as blocker:
        # What it comes to late in the alphabet waits, so that it is killed in the middle for certain.
        blocker.execute("LOCK TABLE residents IN EXCLUSIVE MODE")
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.rekey", "--batch", "3"],
            cwd=TOP,
            env=environment(house),
            stdout=subprocess.DEVNULL,
        )
        give_up_at = time.monotonic() + 60
        while "person_keys" not in under(owner, 2):
            assert time.monotonic() < give_up_at, "it never began"
            assert process.poll() is None
            everything_is_readable(life, town)
        process.kill()
        process.wait()
    assert under(owner, 1), "it was killed too late to show anything"
    assert under(owner, 2)
    everything_is_readable(life, town)
    assert run(house, "--check").returncode == 1
    life.wang.report(town.a.estate_id)

    done = run(house)
    assert done.returncode == 0, done.stdout + done.stderr
    assert under(owner, 1) == {}
    everything_is_readable(life, town)
    # Nothing needs the first key any more.
    crypto.configure(crypto.Keyring({2: SECOND}, house.settings.hash_key))
    everything_is_readable(life, town)
    with owner.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT details FROM audit_log WHERE action = 'data.rekeyed'")
        tables = {row["details"]["table"] for row in cursor}
    assert {"owners", "residents"} <= tables
    again = run(house)
    assert (again.returncode, again.stdout.splitlines()) == (0, ["everything lies under key 2"])


def test_what_somebody_is_writing_is_passed_over_and_told(
    house: House, life: Life, both: dict[int, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(house.pg.url("owner", "house")) as writer:
        writer.execute("SELECT 1 FROM residents WHERE id = %s FOR UPDATE", (life.wang.id,))
        command.seal_all()
        assert command.report() == 1
        assert "residents: 1 rows need an older key" in capsys.readouterr().out
    command.seal_all()
    assert command.report() == 0


def test_a_kept_file_under_an_older_key_or_out_of_reach_is_told(
    house: House, life: Life, both: dict[int, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    command.seal_all()
    assert command.report() == 0
    with db.reading():
        key, context = next((k, c) for k, c in rekey.kept_files().items() if c.startswith("paper:"))
    store = adapters.storage()
    sealed = store.get(key)
    first = crypto.Keyring(house.settings.data_keys, house.settings.hash_key)
    try:
        store.put(key, first.encrypt(crypto.keys().decrypt(sealed, context), context), "application/pdf")
        capsys.readouterr()
        assert command.report() == 1
        said = capsys.readouterr().out.splitlines()
        assert said == ["files in the store: 1 need an older key", "an older key is still needed"]
        store.delete(key)
        assert command.report() == 1
        said = capsys.readouterr().out.splitlines()
        assert [line.partition(";")[0] for line in said] == [
            "files in the store: 1 could not be read",
            "an older key may still be needed",
        ]
    finally:
        store.put(key, sealed, "application/pdf")
    assert command.report() == 0


def test_a_value_that_no_key_opens_stops_the_run_with_a_sentence(
    house: House, life: Life, both: dict[int, bytes], owner: psycopg.Connection[Any]
) -> None:
    (good,) = owner.execute("SELECT phone_sealed FROM residents WHERE id = %s", (life.li.id,)).fetchone() or (
        b"",
    )
    owner.execute("UPDATE residents SET phone_sealed = %s WHERE id = %s", (b"\x05" + good[1:], life.li.id))
    try:
        done = run(house)
    finally:
        owner.execute("UPDATE residents SET phone_sealed = %s WHERE id = %s", (good, life.li.id))
    assert done.returncode == 1
    assert "no key of DATA_KEYS opens a value (phone)" in done.stderr
    assert "Traceback" not in done.stderr
