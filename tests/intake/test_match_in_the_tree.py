"""The pairs again, with the classes standing to each other as in the tree that the software asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.tickets import match
from tests.intake.test_match import _pairs, _side

TREE = Path(match.__file__).parent / "data" / "classes.json"


@pytest.mark.parametrize("held_out", [None, True, False])
def test_with_the_tree_nine_of_ten_suggestions_are_right_and_seven_of_ten_duplicates_found(
    held_out: bool | None,
) -> None:
    parents = {c["code"]: c["parent"] for c in json.loads(TREE.read_text(encoding="utf-8"))["classes"]}
    said = []
    for row in _pairs(held_out):
        one, other = _side(row["a"]), _side(row["b"])
        kin = match.kin_of(one.category, other.category, parents)
        said.append((match.score(one, other, kin=kin).score >= match.SUGGEST_AT, row["same"]))
    right = sum(yes and same for yes, same in said)
    assert right / sum(yes for yes, _ in said) >= 0.9
    assert right / sum(same for _, same in said) >= 0.7
