"""Secrets come from the environment or from files, and a production never starts with one that everybody can know."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from app import settings as floor
from app.people import passwords
from app.people.errors import WeakPassword
from app.settings import Settings, SettingsError
from tests.conftest import TOP, House, real_secrets, settings_for
from tools import development
from tools.demo import cast


@pytest.fixture
def production(house: House) -> dict[str, str]:
    """The environment of a production: no demonstration, reached from outside, with secrets of its own."""
    return (
        settings_for(
            house.pg,
            "house",
            REDIS_URL="redis://redis/0",
            STORAGE_URL="folder:/srv/photos",
            PUBLIC_BASE_URL="https://jiayuan.example",
        )
        | real_secrets()
    )


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


MADE_UP = {
    "SECRET_KEY": ["s" * 40, "0123456" * 6, "abcabcabc" * 5, "demo-" + "xK9_fQ2w" * 6],
    "DATA_KEYS": [f"1:{b64(bytes(32))}", f"1:{b64(bytes(range(32)))}", f"2:{b64(bytes([7]) * 32)}"],
    "HASH_KEY": [b64(bytes(32)), b64(bytes(range(32)))],
    "WECHAT_SECRET": ["sandbox-secret", "x" * 32],
    "WECHAT_PUSH_TOKEN": ["push-token"],
    "WECHAT_PUSH_AES_KEY": ["k" * 43],
    "SMS_CALLBACK_TOKENS": ["t" * 32, "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA," + "u" * 32],
    "DATABASE_URL": [
        "postgresql://jiayuan_app:postgres@db/jiayuan",
        "postgresql://jiayuan_app:changeme@db/jiayuan",
        "postgresql://jiayuan_app@db/jiayuan?password=postgres",
    ],
    "REDIS_URL": ["redis://:password@redis/0"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in MADE_UP.items() for value in values]
)
def test_a_production_refuses_a_secret_that_anybody_can_know(
    production: dict[str, str], name: str, value: str
) -> None:
    Settings.from_env(production)
    with pytest.raises(SettingsError, match="come from a demonstration or can be guessed") as refused:
        Settings.from_env(production | {name: value})
    assert name in str(refused.value)
    assert value not in str(refused.value)
    # A demonstration may, and so may tests on loopback.
    Settings.from_env(production | {name: value, "DEMO": "1"})
    Settings.from_env(production | {name: value, "PUBLIC_BASE_URL": "http://127.0.0.1:8000"})


def test_a_production_refuses_one_key_for_two_things(production: dict[str, str]) -> None:
    key = production["HASH_KEY"]
    with pytest.raises(SettingsError, match="the same as a data key"):
        Settings.from_env(production | {"DATA_KEYS": f"1:{key}"})


def test_what_make_run_made_for_a_demonstration_starts_no_production(
    production: dict[str, str], tmp_path: Path
) -> None:
    made = development.secrets_of(tmp_path / "dev.env")
    assert development.DEMO_MARK == floor.DEMO_MARK
    with pytest.raises(SettingsError, match="make your own: SECRET_KEY"):
        Settings.from_env(production | made)


def test_no_secret_has_a_default() -> None:
    for row in fields(Settings):
        if not row.repr and not row.metadata["required"]:
            assert row.default in ("", ()), row.name


@pytest.mark.parametrize("program", ["web", "workers", "sequencer"])
def test_no_program_of_a_production_starts_with_one(production: dict[str, str], program: str) -> None:
    command = {
        "web": ["-c", "import wsgi"],
        "workers": ["-m", "workers"],
        "sequencer": ["-m", "workers.sequencer"],
    }
    done = subprocess.run(
        [sys.executable, *command[program]],
        cwd=TOP,
        env={"PATH": os.environ["PATH"]} | production | {"SECRET_KEY": "s" * 40},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert (
        "these secrets come from a demonstration or can be guessed, make your own: SECRET_KEY" in done.stderr
    )


def test_the_password_of_the_readme_opens_nothing_outside_a_demonstration(house: House) -> None:
    assert passwords.DEMO_PASSWORD == cast.DEMO_PASSWORD
    try:
        passwords.configure("cheap", demo=True)
        stored = passwords.hash_password(passwords.DEMO_PASSWORD)
        assert passwords.matches(stored, passwords.DEMO_PASSWORD)
        passwords.configure("cheap")
        assert not passwords.matches(stored, passwords.DEMO_PASSWORD)
        with pytest.raises(WeakPassword):
            passwords.check(passwords.DEMO_PASSWORD)
    finally:
        passwords.configure(house.settings.staff_password_hash, demo=house.settings.demo)


# --- files -------------------------------------------------------------------------------------------------


def test_a_secret_may_lie_in_a_file(production: dict[str, str], tmp_path: Path) -> None:
    wanted = Settings.from_env(production)
    for name in ("SECRET_KEY", "DATA_KEYS", "HASH_KEY", "DATABASE_URL", "WECHAT_SECRET"):
        (tmp_path / name).write_text(production.pop(name) + "\n", encoding="utf-8")
        production[f"{name}_FILE"] = str(tmp_path / name)
    assert Settings.from_env(production) == wanted


def test_a_file_that_cannot_be_read_is_named_and_nothing_of_it_shown(
    production: dict[str, str], tmp_path: Path
) -> None:
    production.pop("HASH_KEY")
    with pytest.raises(SettingsError, match=r"HASH_KEY_FILE \(the file can't be read\)"):
        Settings.from_env(production | {"HASH_KEY_FILE": str(tmp_path / "nothing")})
    (tmp_path / "short").write_text("a-value-nobody-may-see", encoding="utf-8")
    with pytest.raises(SettingsError, match="HASH_KEY") as refused:
        Settings.from_env(production | {"HASH_KEY_FILE": str(tmp_path / "short")})
    assert "a-value-nobody-may-see" not in str(refused.value)


def test_a_secret_that_is_given_twice_is_refused(production: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key").write_text(production["SECRET_KEY"], encoding="utf-8")
    with pytest.raises(SettingsError, match="given twice"):
        Settings.from_env(production | {"SECRET_KEY_FILE": str(tmp_path / "key")})
