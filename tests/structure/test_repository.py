"""What may be in the repository, how migrations are named, which settings there are, what services may not do."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.settings import Settings, SettingsError
from tests.conftest import TOP, House, settings_for

SECRET = "a-value-nobody-may-see"


def committed() -> list[Path]:
    """The files of the repository; of the folder when there is no git (an exported archive)."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=False)
    if done.returncode == 0 and done.stdout:
        paths = [TOP / os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
        return [path for path in paths if path.is_file()]
    hidden = {".venv", "var", "__pycache__"}
    return [p for p in TOP.rglob("*") if p.is_file() and not hidden & set(p.relative_to(TOP).parts)]


def texts() -> Iterator[tuple[str, str]]:
    for path in committed():
        try:
            yield str(path.relative_to(TOP)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_file_that_somebody_writes_is_larger_than_400_kb() -> None:
    # The documents of the faces are generated, and grow with them.
    assert [
        str(p) for p in committed() if p.stat().st_size > 400_000 and TOP / "openapi" not in p.parents
    ] == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    home = re.compile(r"(?<![\w.])/(?:work|root|home/(?!\w+/\.)|Users)/\w")
    found = {
        name: match.group()
        for name, text in texts()
        if name != "tests/structure/test_repository.py" and (match := home.search(text))
    }
    assert found == {}


def test_locks_hold_hashes_and_no_address() -> None:
    # npm writes down whom to give money as well (`funding`): taken out by hand, it isn't missed.
    assert "://" not in (TOP / "package-lock.json").read_text(encoding="utf-8")
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-node.lock"):
        text = (TOP / name).read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert not re.search(
            r"^\s*(-i|--index-url|--extra-index-url|--find-links|-f|--trusted-host)\b", text, re.MULTILINE
        )
        pinned = re.findall(r"^[A-Za-z0-9_.\[\]-]+==", text, re.MULTILINE)
        assert len(pinned) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE))


def test_no_private_key_or_password_is_committed() -> None:
    secret = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*\n[A-Za-z0-9+/=]{30}|AKIA[0-9A-Z]{16}")
    assert [name for name, text in texts() if secret.search(text)] == []


# --- migrations ------------------------------------------------------------------------------------------


def test_migrations_have_one_head_and_numbered_names_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(TOP / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert len(script.get_heads()) == 1
    revisions = list(reversed(list(script.walk_revisions())))
    for number, revision in enumerate(revisions, start=1):
        assert revision.revision == f"{number:04d}"
        assert re.fullmatch(rf"{number:04d}_[a-z0-9_]+\.py", Path(revision.path).name)


# --- services --------------------------------------------------------------------------------------------


def calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


# Files of 100,000 ballots, written while they are sent: each page is a reading of its own, after the view has ended.
READ_WHILE_SENT = {"boards.py", "openings.py"}


def test_services_neither_commit_nor_open_transactions_nor_wait() -> None:
    domain = [
        p
        for p in (TOP / "app").rglob("*.py")
        if p.parent.name not in {"app", "adapters", "wechat", "storage"}
    ]
    assert any(path.name == "service.py" for path in domain)
    for path in domain:
        for name in calls(path):
            last = name.rpartition(".")[2]
            assert last not in {"commit", "rollback", "begin", "sleep"}, f"{path}: {name}()"
            if name == "db.reading" and path.name in READ_WHILE_SENT:
                continue
            assert name not in {"db.transaction", "db.reading", "transaction", "reading"}, f"{path}: {name}()"


def test_only_the_floor_commits() -> None:
    committing = {
        str(path.relative_to(TOP))
        for folder in ("app", "bff", "workers")
        for path in (TOP / folder).rglob("*.py")
        if any(name.endswith(".commit") for name in calls(path))
    }
    assert committing == {"app/db.py"}


def test_services_and_models_import_no_network() -> None:
    network = {"requests", "urllib", "urllib3", "http", "socket", "ssl", "smtplib", "redis", "boto3", "httpx"}
    for path in (TOP / "app").glob("*/*.py"):
        if path.parent.name == "adapters":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            names = [name for name in names if name != "urllib.parse"]  # it only reads and writes addresses
            assert not network & {name.split(".")[0] for name in names}, path


# --- settings --------------------------------------------------------------------------------------------


def required() -> set[str]:
    return {row.metadata["env"] for row in fields(Settings) if row.metadata["required"]}


def test_all_missing_settings_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({})
    for name in required():
        assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unreadable_setting_is_named_and_its_value_is_not_shown(house: House) -> None:
    good = settings_for(
        house.pg,
        "house",
        REDIS_URL="redis://127.0.0.1:1/0",
        PUBLIC_BASE_URL="http://127.0.0.1",
        STORAGE_URL="folder:/x",
    )
    Settings.from_env(good)
    refusals = 0
    for row in fields(Settings):
        name = row.metadata["env"]
        try:
            row.metadata["read"](SECRET)
        except (ValueError, TypeError):
            with pytest.raises(SettingsError) as refused:
                Settings.from_env(good | {name: SECRET})
            refusals += 1
            assert name in str(refused.value)
            assert SECRET not in str(refused.value)
    assert refusals > 8


def test_a_data_key_without_its_version_is_not_repeated(house: House) -> None:
    lost = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"DATA_KEYS": lost, "HASH_KEY": lost[:-5], "LEASE_S": "sixty"})
    assert "DATA_KEYS" in str(refused.value)
    assert lost[:10] not in str(refused.value)
    assert "sixty" not in str(refused.value)


def test_no_secret_is_in_the_text_of_the_settings(house: House) -> None:
    settings = Settings.from_env(
        settings_for(
            house.pg,
            "house",
            REDIS_URL="redis://:pass@h/0",
            PUBLIC_BASE_URL="http://127.0.0.1",
            STORAGE_URL="s3://k:s@h/b",
        )
    )
    for name in (
        "secret_key",
        "wechat_secret",
        "database_url",
        "redis_url",
        "storage_url",
        "wechat_push_token",
    ):
        assert str(getattr(settings, name)) not in repr(settings)


# Read by the programs that start others, not by the application.
OUTSIDE = {
    "HOST", "PORT", "WEB_WORKERS", "WEB_THREADS", "WEB_AT_ONCE", "WEB_MAX_REQUESTS",
    "PROMETHEUS_MULTIPROC_DIR", "PUSH_URL", "JIAYUAN_VAR", "JIAYUAN_LAUNCH",
}  # fmt: skip


def test_the_development_run_gives_every_required_setting_and_none_that_nobody_reads(tmp_path: Path) -> None:
    from tools import development

    clean = {name: os.environ.pop(name) for name in list(os.environ) if name in known()}
    try:
        given = development.environment(
            tmp_path, 8000, database="postgresql://a@h/d", owner="postgresql://o@h/d", redis="redis://h"
        )
    finally:
        os.environ.update(clean)
    Settings.from_env(given)
    assert required() <= set(given)
    ours = {name for name in given if name not in os.environ} - {"PYTHONUNBUFFERED"}
    assert ours <= known() | OUTSIDE


def known() -> set[str]:
    return {row.metadata["env"] for row in fields(Settings)}


def test_every_setting_that_deployment_names_is_one_or_is_described() -> None:
    named = set()
    for path in [p for p in committed() if p.relative_to(TOP).parts[0] == "deploy"]:
        text = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"environ(?:\.get\(|\[)\s*[\"']([A-Z][A-Z0-9_]+)", text))
    assert named
    assert named <= known() | OUTSIDE
    described = "\n".join(text for name, text in texts() if name.startswith(("deploy/", "docs/", "README")))
    for name in named - known():
        assert name in described


def test_a_migration_that_has_landed_is_never_edited() -> None:
    # A database that has run it would never see the change: write a new migration, and add its line when it lands.
    folder = TOP / "migrations"
    for line in (folder / "landed.txt").read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, f"{name} was edited"
