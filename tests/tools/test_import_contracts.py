"""A planted forbidden import breaks the contract that forbids it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]


def contracts(copy: Path, *only: str) -> subprocess.CompletedProcess[str]:
    asked = [part for name in only for part in ("--contract", name)]
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache", *asked],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def clean_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources that contracts are about, elsewhere."""
    copy = tmp_path_factory.mktemp("checkout")
    for package in ("app", "bff", "workers", "sandbox"):
        shutil.copytree(TOP / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", copy)
    return copy


def test_the_sources_keep_every_contract(clean_copy: Path) -> None:
    done = contracts(clean_copy)
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("contract", "module", "planted"),
    [
        ("layers", "app/ids.py", "from app.places import queries"),
        ("layers", "app/places/service.py", "from app.tickets import models"),
        ("layers", "app/duty/service.py", "from app.tickets import models"),
        ("layers", "app/media/queries.py", "from app.messaging import models"),
        ("inside-a-domain", "app/tickets/models.py", "from app.tickets import queries"),
        ("queries-change-nothing", "app/tickets/queries.py", "from app.people import service"),
        ("no-adapters-in-domains", "app/messaging/service.py", "from app.adapters import wechat"),
        ("no-adapters-in-domains", "app/media/service.py", "import requests"),
        ("adapters-are-values", "app/adapters/__init__.py", "import app.people.models"),
        ("adapters-are-values", "app/adapters/__init__.py", "import sqlalchemy.orm"),
        ("no-http-in-domains", "app/tickets/service.py", "from flask import g"),
        ("no-http-in-domains", "app/people/models.py", "import marshmallow"),
        ("domain-is-inside", "app/tickets/service.py", "import bff.errors"),
        ("domain-is-inside", "app/queue.py", "import workers"),
        ("entries-apart", "bff/errors.py", "import workers"),
        ("faces-apart", "bff/resident/tickets.py", "from bff.admin import auth"),
        ("no-sql-in-faces", "bff/admin/tickets.py", "import sqlalchemy"),
        ("sandbox-is-foreign", "sandbox/wechat.py", "from app import clock"),
    ],
)
def test_a_planted_import_breaks_its_contract(
    clean_copy: Path, contract: str, module: str, planted: str
) -> None:
    path = clean_copy / module
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n{planted}\n", encoding="utf-8")
    try:
        done = contracts(clean_copy, contract)
    finally:
        path.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout
    assert " 1 broken" in done.stdout
