"""Backup and restore by their commands: what comes back is what was there, and nothing half-true is called done."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import TOP, House, migrate, settings_for
from tools import servers
from tools.backup import keys, manifest

# A dozen programs one after the other, beside busy neighbours.
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
NAMES = {"DATABASE_URL", "MIGRATION_DATABASE_URL", "RETENTION_DATABASE_URL", "STORAGE_URL"}


class Kept(NamedTuple):
    """A small installation, what it holds, and its backup."""

    environment: dict[str, str]
    made: dict[str, str]
    seen: dict[str, Any]
    data: Path
    keys: Path
    said: str

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`tools.backup` in this environment, without a key of its own."""
        own = {name: value for name, value in self.environment.items() if name not in keys.names()}
        return _run("-m", "tools.backup", *arguments, environment=own | environment)


def _run(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=TOP,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _program(what: str, environment: dict[str, str], *arguments: str) -> Any:
    done = _run("-m", "tests.tools.backed_up", what, *arguments, environment=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def kept(house: House, pg: servers.Postgres, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    pg.create_database("backed_up")
    place = tmp_path_factory.mktemp("backed_up")
    environment = settings_for(
        pg,
        "backed_up",
        REDIS_URL=house.settings.redis_url,
        PUBLIC_BASE_URL="http://127.0.0.1:9",
        STORAGE_URL=f"folder:{place / 'photos'}",
        WECHAT_API_BASE=house.sandbox_url,
        STAFF_PASSWORD_HASH="cheap",
        RING_BELLS="0",
        SECRET_KEY=secrets.token_urlsafe(32),
        DATA_KEYS=f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        HASH_KEY=base64.b64encode(secrets.token_bytes(32)).decode(),
    )
    migrate(environment)
    made = _program("build", environment)
    seen = _program("look", environment, json.dumps(made))
    done = _run(
        *("-m", "tools.backup", "make", "--to", str(place / "data"), "--keys", str(place / "keys")),
        environment=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Kept(environment, made, seen, place / "data", place / "keys", done.stdout)


@pytest.fixture
def fresh(pg: servers.Postgres, tmp_path: Path) -> Callable[[], dict[str, str]]:
    """The environment of an empty place: a new database, a new store."""

    def make() -> dict[str, str]:
        name = f"fresh_{secrets.token_hex(4)}"
        pg.create_database(name)
        found = settings_for(pg, name, STORAGE_URL=f"folder:{tmp_path / name}")
        return {key: value for key, value in found.items() if key in NAMES}

    return make


def tables_in(pg: servers.Postgres, environment: dict[str, str]) -> str:
    name = environment["DATABASE_URL"].rpartition("/")[2]
    return pg.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database=name)


def test_a_decision_a_photo_and_a_name_come_back_and_the_decision_counts_the_same(
    kept: Kept, fresh: Callable[[], dict[str, str]], pg: servers.Postgres
) -> None:
    there = fresh()
    done = kept.command("restore", "--from", str(kept.data), "--keys", str(kept.keys), **there)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 logs" in done.stdout
    assert "1 counted again" in done.stdout
    seen = _program("look", kept.environment | there, json.dumps(kept.made))
    assert seen == kept.seen
    assert seen["faults"] == []
    assert seen["certified"] == seen["recounted"]
    # The rights are there as well: nobody rewrites a leaf of the log.
    with pytest.raises(servers.ServerError, match="permission denied"):
        pg.sql("DELETE FROM ballot_leaves", role="app", database=there["DATABASE_URL"].rpartition("/")[2])
    # And the place is no longer an empty one.
    again = kept.command("restore", "--from", str(kept.data), "--keys", str(kept.keys), **there)
    assert again.returncode == 1
    assert "isn't empty" in again.stderr


def test_the_keys_are_in_no_file_of_the_data(kept: Kept) -> None:
    held = keys.read(kept.keys)
    assert {"DATA_KEYS", "HASH_KEY", "SECRET_KEY", "WECHAT_SECRET"} <= held.keys()
    data_key = held["DATA_KEYS"].partition(":")[2]
    secret = [held["SECRET_KEY"].encode(), held["HASH_KEY"].encode(), data_key.encode()]
    secret += [base64.b64decode(held["HASH_KEY"]), base64.b64decode(data_key)]
    for path in (p for p in kept.data.rglob("*") if p.is_file()):
        content = path.read_bytes()
        assert not any(word in content for word in secret), path
    for path in (kept.data, kept.keys, kept.keys / keys.FILE, kept.data / manifest.DATABASE):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_keys_are_never_put_below_the_data_or_the_other_way_round(kept: Kept, tmp_path: Path) -> None:
    for to, apart in (("a", "a"), ("a", "a/keys"), ("b/data", "b")):
        done = _run(
            *("-m", "tools.backup", "make", "--to", str(tmp_path / to), "--keys", str(tmp_path / apart)),
            environment=kept.environment,
        )
        assert done.returncode == 1
        assert "must lie apart" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_backup_never_goes_into_a_folder_that_holds_something(kept: Kept, tmp_path: Path) -> None:
    done = _run(
        *("-m", "tools.backup", "make", "--to", str(kept.data), "--keys", str(tmp_path / "k")),
        environment=kept.environment,
    )
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert not (tmp_path / "k").exists()


def test_without_the_keys_or_with_others_nothing_is_restored_and_a_sentence_says_so(
    kept: Kept, fresh: Callable[[], dict[str, str]], tmp_path: Path, pg: servers.Postgres
) -> None:
    there = fresh()
    without = kept.command("restore", "--from", str(kept.data), **there)
    assert (without.returncode, "The keys are missing" in without.stderr) == (1, True), without.stderr
    others = dict(line.split("=", 1) for line in (kept.keys / keys.FILE).read_text().splitlines())
    others["DATA_KEYS"] = f"1:{base64.b64encode(bytes(range(32))).decode()}"
    manifest.new_folder(tmp_path / "others", "x")
    (tmp_path / "others" / keys.FILE).write_text("".join(f"{k}={v}\n" for k, v in others.items()))
    wrong = kept.command("restore", "--from", str(kept.data), "--keys", str(tmp_path / "others"), **there)
    assert wrong.returncode == 1
    assert "These aren't the keys of this backup: version 1 of DATA_KEYS" in wrong.stderr
    assert others["DATA_KEYS"] not in wrong.stderr + wrong.stdout
    assert tables_in(pg, there) == "0"


@pytest.mark.parametrize("damaged", ["database", "photo", "list", "manifest", "gone"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(
    kept: Kept, fresh: Callable[[], dict[str, str]], tmp_path: Path, pg: servers.Postgres, damaged: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(kept.data, data)
    photo = next(path for path in (data / "files").rglob("*") if path.is_file())
    path = {
        "database": data / manifest.DATABASE,
        "photo": photo,
        "list": data / manifest.LIST,
        "manifest": data / manifest.MANIFEST,
        "gone": photo,
    }[damaged]
    if damaged == "gone":
        path.unlink()
    elif damaged == "manifest":
        text = json.loads(path.read_text())
        path.write_text(json.dumps(text | {"absent": ["photos/aaaa/aaaa-1600.jpg"]}))
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    there = fresh()
    done = kept.command("restore", "--from", str(data), "--keys", str(kept.keys), **there)
    assert done.returncode == 1
    assert path.name in done.stderr
    assert "Traceback" not in done.stderr
    assert tables_in(pg, there) == "0"


def test_a_backup_that_broke_off_is_none(kept: Kept, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(kept.data, data)
    (data / manifest.MANIFEST).unlink()
    done = kept.command("check", "--from", str(data), "--keys", str(kept.keys))
    assert done.returncode == 1
    assert "holds no whole backup" in done.stderr


def test_the_manifest_says_when_and_of_which_version(kept: Kept) -> None:
    held = manifest.read(kept.data)
    newest = max(p.name[:4] for p in (TOP / "migrations" / "versions").glob("0*.py"))
    assert held.migration == newest
    assert held.began_at <= held.snapshot_at <= held.finished_at
    assert held.rows["ballots"] == 6
    assert held.database_sha256 == manifest.sha256_of(kept.data / manifest.DATABASE)
    assert held.files == len([p for p in (kept.data / "files").rglob("*") if p.is_file()]) > 0
    assert held.absent == []


def test_a_file_that_a_row_names_and_the_store_lacks_is_said(
    kept: Kept, fresh: Callable[[], dict[str, str]], tmp_path: Path
) -> None:
    store = Path(kept.environment["STORAGE_URL"].removeprefix("folder:"))
    shutil.copytree(store, tmp_path / "photos")
    lost = next(p for p in (tmp_path / "photos" / "objects").rglob("*-1600.jpg"))
    lost.unlink()
    environment = kept.environment | {"STORAGE_URL": f"folder:{tmp_path / 'photos'}"}
    done = _run(
        *("-m", "tools.backup", "make", "--to", str(tmp_path / "d"), "--keys", "none"),
        environment=environment,
    )
    assert done.returncode == 3, done.stderr
    assert "1 files that rows name weren't in the store" in done.stderr
    assert manifest.read(tmp_path / "d").absent == [lost.name.replace("+", "/")]


def test_what_make_run_keeps_goes_into_another_checkout_and_comes_back(kept: Kept) -> None:
    """The embedded servers: the backup of a database of somebody's own becomes one that `make run` can start on."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="jiayuan-test-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        bare = dict.fromkeys((*NAMES, *keys.names(), "REDIS_URL"), "")
        var = {**bare, "JIAYUAN_VAR": str(place / "var")}
        restored = _run(
            *("-m", "tools.backup", "restore", "--from", str(kept.data), "--keys", str(kept.keys)),
            environment=var,
        )
        assert restored.returncode == 0, restored.stdout + restored.stderr
        assert (
            keys.read(kept.keys).items()
            <= dict(
                line.split("=", 1) for line in (place / "var" / "dev.env").read_text().splitlines()
            ).items()
        )
        made = _run(*("-m", "tools.backup", "make"), environment=var)
        assert made.returncode == 0, made.stdout + made.stderr
        (data,) = (place / "var" / "backup").iterdir()
        (apart,) = (place / "var" / "backup-keys").iterdir()
        assert manifest.read(data).rows == manifest.read(kept.data).rows
        checked = _run(
            *("-m", "tools.backup", "check", "--from", str(data), "--keys", str(apart)), environment=var
        )
        assert checked.returncode == 0, checked.stderr
