"""The threat model names its tests, and they are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.conftest import TOP

PAGE = TOP / "docs" / "security.md"
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def rows() -> list[str]:
    """The lines of the tables of threats."""
    text = PAGE.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("| ") and line.count(" | ") == 3]


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = NODE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 60
    lost = [
        f"{path}::{name}"
        for path, name in named
        if not (TOP / path).exists() or name not in names_in(TOP / path)
    ]
    assert lost == []


def test_every_threat_has_a_control_and_a_test() -> None:
    threats = [row for row in rows() if not row.startswith("| Threat |")]
    assert len(threats) > 50
    for row in threats:
        threat, chapter, control, proof = (cell.strip() for cell in row.strip("| ").split(" | "))
        assert threat, row
        assert control, row
        assert re.fullmatch(r"V([1-9]|1[0-7])", chapter), row
        assert NODE.search(proof), row


def test_every_test_against_an_attack_is_named_in_the_threat_model() -> None:
    named = {(path, name) for path, name in NODE.findall(PAGE.read_text(encoding="utf-8"))}
    own = {
        (str(path.relative_to(TOP)), name)
        for path in (TOP / "tests" / "security").glob("test_*.py")
        for name in names_in(path)
    }
    # Beside each refusal stands a test that the honest way is open; these need no threat.
    honest = {
        "test_two_honest_requests_on_one_line_are_answered_twice",
        "test_a_secret_may_lie_in_a_file",
        "test_a_token_of_ours_says_who_carries_it",
        "test_a_file_that_cannot_be_read_is_named_and_nothing_of_it_shown",
        "test_a_secret_that_is_given_twice_is_refused",
        "test_a_production_refuses_one_key_for_two_things",
        "test_what_make_run_made_for_a_demonstration_starts_no_production",
    }
    assert {name for _, name in own - named} == honest
