"""The committed OpenAPI files are what the code says, and describe every operation and its refusals."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tools import openapi

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    return openapi_without_boot()


def openapi_without_boot() -> dict[str, str]:
    """`documents()` boots an application of its own; in another process, so that this one keeps its house."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import json, sys; from tools.openapi import documents; json.dump(documents(), sys.stdout)",
        ],
        cwd=openapi.FOLDER.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def checked(
    documents: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Callable[[], int]]:
    """A copy of the files, and the check command over it."""
    copy = tmp_path / "openapi"
    shutil.copytree(openapi.FOLDER, copy)
    monkeypatch.setattr(openapi, "FOLDER", copy)
    monkeypatch.setattr(openapi, "documents", lambda: documents)
    monkeypatch.setattr(sys, "argv", ["openapi", "--check"])
    return copy, openapi.main


def operations(documents: dict[str, str]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for face, text in documents.items():
        spec = json.loads(text)
        for path, item in spec["paths"].items():
            for method, operation in item.items():
                if method in METHODS:
                    yield f"{face}: {method.upper()} {path}", operation, spec


def test_the_files_are_what_the_code_says(checked: tuple[Path, Callable[[], int]]) -> None:
    assert {path.stem for path in openapi.FOLDER.glob("*.json")} == set(openapi.FACES)
    assert checked[1]() == 0


@pytest.mark.parametrize("face", openapi.FACES)
def test_an_edited_file_fails_the_check(
    checked: tuple[Path, Callable[[], int]], face: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checked[0] / f"{face}.json"
    spec = json.loads(path.read_text(encoding="utf-8"))
    spec["info"]["title"] += "!"
    path.write_text(json.dumps(spec, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert checked[1]() == 1
    shown = capsys.readouterr()
    assert f"{face}.json" in shown.out
    assert "make openapi" in shown.err


def test_a_missing_file_fails_the_check(checked: tuple[Path, Callable[[], int]]) -> None:
    (checked[0] / "admin.json").unlink()
    assert checked[1]() == 1


def test_every_operation_says_what_it_does(documents: dict[str, str]) -> None:
    silent = [
        name for name, operation, _ in operations(documents) if not operation.get("summary", "").strip()
    ]
    assert silent == []
    assert sum(1 for _ in operations(documents)) > 30


def test_every_operation_describes_success_and_refusal(documents: dict[str, str]) -> None:
    for name, operation, spec in operations(documents):
        answers = operation["responses"]
        assert any(status.startswith("2") for status in answers), name
        refused = answers.get("default") or answers.get("4XX")
        assert refused is not None, f"{name} says nothing about refusals"
        if "$ref" in refused:
            refused = spec["components"]["responses"][refused["$ref"].rpartition("/")[2]]
        assert "application/problem+json" in refused["content"], name


def test_no_document_names_a_machine(documents: dict[str, str]) -> None:
    for text in documents.values():
        assert "127.0.0.1" not in text
        assert "localhost" not in text
