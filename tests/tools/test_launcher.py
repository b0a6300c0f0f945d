"""What `make run` says when it cannot run, and what it does about programs that end."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from tools import development, processes, run
from tools.processes import Identity, ServerError
from tools.program import RESTARTS, Program

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def var(tmp_path: Path) -> Path:
    """A state folder of its own, so that a run in this checkout is not disturbed."""
    folder = tmp_path / "var"
    folder.mkdir()
    return folder


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def make_run(var: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    return subprocess.run(
        [sys.executable, "-m", "tools.run", *arguments],
        cwd=TOP,
        env=kept | {"JIAYUAN_VAR": str(var)} | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def bootstrap(tmp_path: Path, prelude: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the bootstrap in an empty checkout, under a Python that `prelude` has changed."""
    (tmp_path / "tools").mkdir()
    for name in ("tools/bootstrap.py", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(TOP / name, tmp_path / name)
    script = tmp_path / "tools" / "bootstrap.py"
    asked = f"sys.argv = [{str(script)!r}, 'run']; runpy.run_path(sys.argv[0], run_name='__main__')"
    code = f"import sys, runpy; {prelude}; {asked}"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def test_without_ensurepip_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    done = bootstrap(tmp_path, "sys.modules['ensurepip'] = None")
    assert done.returncode == 1
    assert "ensurepip module is missing" in done.stderr
    assert "apt install python3." in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / ".venv").exists()


def test_an_old_python_is_named(tmp_path: Path) -> None:
    done = bootstrap(tmp_path, "sys.version_info = (3, 9, 2)")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_a_port_in_use_is_named(var: Path, busy_port: int) -> None:
    done = make_run(var, "--port", str(busy_port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Port {busy_port} ")
    assert "cannot be used" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_port_of_the_sandbox_counts_as_well(var: Path, busy_port: int) -> None:
    done = make_run(var, "--port", str(busy_port - 1))
    assert done.returncode == 1
    assert str(busy_port) in done.stderr


@pytest.mark.parametrize("port", ["0", "65534", "abc", "-1", "80 81"])
def test_a_port_that_is_none_is_refused(var: Path, port: str) -> None:
    done = make_run(var, f"--port={port}")
    assert done.returncode == 1
    assert "PORT must be a number" in done.stderr


def test_no_free_block_of_ports_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "port_is_free", lambda _port: False)
    with pytest.raises(ServerError, match="No free port from 8000 to"):
        run._choose_port(None)


@pytest.mark.skipif(sys.platform != "linux", reason="claims are the kernel's only on Linux")
def test_the_next_free_block_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    first = 20_000 + os.getpid() % 1000 * 10  # where no other run and no other test is
    monkeypatch.setattr(run, "FIRST_PORT", first)
    monkeypatch.setattr(run, "LAST_PORT", first + 30)
    monkeypatch.setattr(processes, "port_is_free", lambda port: port not in {first, first + 12})
    port, claims = run._choose_port(None)
    assert port == first + 20
    # Another launcher that is starting at the same moment does not get it as well.
    other, more_claims = run._choose_port(None)
    assert other == first + 30
    with pytest.raises(
        ServerError, match=f"Port {first + 21} and {first + 22} and {first + 23} cannot be used"
    ):
        run._choose_port(str(first + 21))
    for claim in claims + more_claims:
        claim.close()


def test_an_unreachable_database_is_named_without_its_password(var: Path) -> None:
    url = f"postgresql://me:geheim@127.0.0.1:{processes.free_port()}/town"
    done = make_run(var, DATABASE_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith("The database of DATABASE_URL (127.0.0.1:")
    assert "refused" in done.stderr
    assert "geheim" not in done.stderr + done.stdout
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_unreachable_redis_is_named_without_its_password() -> None:
    with pytest.raises(ServerError, match=r"The Redis of REDIS_URL \(127\.0\.0\.1:\d+/0\)") as refused:
        development.check_redis("REDIS_URL", f"redis://:geheim@127.0.0.1:{processes.free_port()}/0")
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("check", [development.check_database, development.check_redis])
def test_an_address_that_is_none_is_not_repeated(check: Callable[[str, str], None]) -> None:
    with pytest.raises(ServerError, match="THE_URL must begin with") as refused:
        check("THE_URL", "me:geheim host")
    assert "geheim" not in str(refused.value)


def test_a_second_run_in_one_checkout_is_told_where_the_first_is(var: Path) -> None:
    (var / "run.json").write_text(
        json.dumps({"port": 8123, "launcher": [77, "x"], "state": "running"}), encoding="utf-8"
    )
    with (var / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = make_run(var)
    assert done.returncode == 1
    assert "already runs at http://127.0.0.1:8123 (process 77)" in done.stderr


def test_a_state_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = make_run(tmp_path / "file" / "var")
    assert done.returncode == 1
    assert "cannot be written by this user" in done.stderr


def test_leftovers_are_stopped_and_strangers_are_not(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    noted, marked, stranger = (
        subprocess.Popen(sleeper, env=os.environ | extra)
        for extra in ({}, {run.MARK: "m1"}, {run.MARK: "m2"})
    )
    try:
        left = Identity.of(noted.pid)
        assert left
        state = {
            "mark": "m1",
            "children": {"web": [left.pid, left.started], "workers": [stranger.pid, "other"]},
        }
        monkeypatch.setattr(run, "STATE", var / "run.json")
        run.STATE.write_text(json.dumps(state), encoding="utf-8")
        deadline = time.monotonic() + 5  # the mark shows as soon as the child has become its program
        while not processes.marked(run.MARK, "m1") and time.monotonic() < deadline:
            time.sleep(0.01)
        run._stop_leftovers()
        assert noted.wait(5) == -signal.SIGTERM
        assert marked.wait(5) == -signal.SIGTERM
        assert stranger.poll() is None
    finally:
        for process in (noted, marked, stranger):
            process.kill()
            process.wait()


def test_a_program_that_keeps_ending_is_given_up(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = Program(
        "web",
        [sys.executable, "-I", "-S", "-c", "print('no luck today')"],
        env=dict(os.environ),
        cwd=tmp_path,
        log=log,
        patience_s=1,
    )
    program.start()
    for _ in range(RESTARTS):
        _wait_for_end(program)
        program.start_again()
    _wait_for_end(program)
    with pytest.raises(ServerError, match=r"web ended 6 times in 5 minutes(.|\n)*no luck today"):
        program.start_again()
    assert log.read_text(encoding="utf-8").count("no luck today") == RESTARTS + 1


def _wait_for_end(program: Program) -> None:
    deadline = time.monotonic() + 10
    while program.exit_code() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_stop_takes_what_the_program_started_along(tmp_path: Path) -> None:
    child = (
        "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    )
    log = tmp_path / "log"
    program = Program(
        "workers", [sys.executable, "-c", child], env=dict(os.environ), cwd=tmp_path, log=log, patience_s=1
    )
    program.start()
    deadline = time.monotonic() + 10
    while not log.read_text(encoding="utf-8").strip():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    grandchild = Identity.of(int(log.read_text(encoding="utf-8")))
    assert grandchild
    program.stop()
    assert processes.wait_gone(grandchild, 5)


def test_generated_settings_are_complete_and_stay(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", *development.secrets_of(var / "dev.env")):
        monkeypatch.delenv(name, raising=False)
    urls = {
        "database": "postgresql://a@127.0.0.1/x",
        "owner": "postgresql://b@127.0.0.1/x",
        "redis": "redis://127.0.0.1",
    }
    first = development.environment(var, 8000, **urls)
    second = development.environment(var, 8000, **urls)
    assert first == second
    settings = Settings.from_env(first)
    assert settings.demo
    assert settings.migration_database_url == urls["owner"]
    assert len(settings.wechat_push_aes_key) == 43


def test_what_the_caller_sets_comes_before_what_is_generated(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WECHAT_APPID", "wx0123456789abcdef")
    monkeypatch.setenv("STORAGE_URL", "")
    env = development.environment(var, 8000, database="d", owner="o", redis="r")
    assert env["WECHAT_APPID"] == "wx0123456789abcdef"
    assert env["STORAGE_URL"] == f"folder:{var / 'photos'}"


def test_one_role_for_all_is_noticed() -> None:
    assert development.only_one_role({"DATABASE_URL": "postgresql://a@h/x"})
    assert development.only_one_role(
        {"DATABASE_URL": "postgresql://a@h/x", "MIGRATION_DATABASE_URL": "postgresql://a:p@h/x"}
    )
    assert not development.only_one_role(
        {"DATABASE_URL": "postgresql://a@h/x", "MIGRATION_DATABASE_URL": "postgresql://b@h/x"}
    )
