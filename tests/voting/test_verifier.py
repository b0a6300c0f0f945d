"""The verifier by itself: RFC 9162, what it reads, and its own arithmetic beside that of the house."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.voting import verify
from app.voting.counting import HeadWeight, Question, count
from app.voting.matters import Matter
from app.voting.models import DecisionKind
from app.voting.rules import Rules, Unreturned
from app.voting.verdicts import written
from tests.conftest import TOP

# The reference tree of Certificate Transparency (certificate-transparency-go, `testonly/reference.go`).
CT_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = 65
HASHES = [verify.leaf_hash(bytes([n])) for n in range(SIZES)]
ROOTS = [verify.root_of(HASHES[:n]) for n in range(SIZES + 1)]


def test_roots_are_those_of_certificate_transparency() -> None:
    leaves = [verify.leaf_hash(bytes.fromhex(leaf)) for leaf in CT_LEAVES]
    assert [verify.root_of(leaves[:n]).hex() for n in range(1, 9)] == CT_ROOTS
    assert verify.root_of([]) == hashlib.sha256(b"").digest()
    assert {n: root.hex() for n, root in verify.roots_at(leaves, range(1, 9)).items() if n} == dict(
        enumerate(CT_ROOTS, 1)
    )


def _broken(path: list[bytes]) -> list[list[bytes]]:
    """A proof that is too long, too short, shifted, and each step of it changed."""
    worse = [[*path, bytes(32)], [bytes(32), *path]]
    if path:
        worse += [path[:-1], path[1:]]
        worse += [[*path[:n], bytes(32), *path[n + 1 :]] for n in range(len(path))]
    if len(set(path)) > 1:
        worse.append(path[1:] + path[:1])
    return worse


def test_every_inclusion_proof_holds_and_no_other_one() -> None:
    for size in range(1, SIZES + 1):
        for index in range(size):
            path = verify.inclusion_proof(HASHES[:size], index)
            assert verify.is_included(HASHES[index], index, size, path, ROOTS[size])
            for worse in _broken(path):
                assert not verify.is_included(HASHES[index], index, size, worse, ROOTS[size])
            other = (index + 1) % size
            if other != index:
                assert not verify.is_included(HASHES[index], other, size, path, ROOTS[size])
            assert not verify.is_included(HASHES[index], index, size, path, bytes(32))
            assert not verify.is_included(HASHES[index], size, size, path, ROOTS[size])


def test_every_consistency_proof_holds_and_no_other_one() -> None:
    for second in range(1, SIZES + 1):
        for first in range(1, second + 1):
            path = verify.consistency_proof(HASHES[:second], first)
            assert verify.is_consistent(first, second, path, ROOTS[first], ROOTS[second])
            for worse in _broken(path):
                assert not verify.is_consistent(first, second, worse, ROOTS[first], ROOTS[second])
            assert not verify.is_consistent(first, second, path, bytes(32), ROOTS[second])
            assert not verify.is_consistent(first, second, path, ROOTS[first], bytes(32))
    assert not verify.is_consistent(0, 1, [], verify.EMPTY_ROOT, ROOTS[1])
    assert not verify.is_consistent(2, 1, [], ROOTS[2], ROOTS[1])


def test_a_node_is_not_taken_for_a_leaf() -> None:
    node = verify.node_hash(HASHES[0], HASHES[1])
    path = [verify.node_hash(HASHES[2], HASHES[3])]
    assert verify.is_included(node, 0, 2, path, ROOTS[4])  # a hash is a hash …
    assert not verify.is_included(
        verify.leaf_hash(HASHES[0] + HASHES[1]), 0, 2, path, ROOTS[4]
    )  # … no text gives it


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":2}', '{"a":1.0}', '{"a":1e3}', "NaN", '"e\u0301"', '{"a":Infinity}', "", "{", "[" * 100_000],
)
def test_text_with_two_readings_is_refused(text: str) -> None:
    with pytest.raises(verify.Malformed):
        verify.read_json(text)


@pytest.mark.parametrize("value", [1.0, "e\u0301", {1: 2}, "\ud800", b"x", {"\ud800": 1}, {"e\u0301": 1}])
def test_what_has_no_single_spelling_is_not_hashed(value: Any) -> None:
    with pytest.raises(verify.Malformed):
        verify.canonical(value)


def test_the_file_runs_alone_and_says_what_it_lacks(tmp_path: Path) -> None:
    """Copied somewhere, without the project, and without the package that checks signatures."""
    alone = tmp_path / "verify.py"
    alone.write_text((TOP / "app/voting/verify.py").read_text(encoding="utf-8"), encoding="utf-8")
    board = tmp_path / "board.json"
    board.write_text('{"decision":"d","leaves":["{}"],"heads":[],"keys":[]}', encoding="utf-8")
    (tmp_path / "cryptography.py").write_text("raise ImportError", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(alone), str(board)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "缺少 cryptography 软件包" in done.stdout
    assert "from app" not in alone.read_text(encoding="utf-8")


def test_the_short_way_reads_a_ballot_as_the_long_one_does() -> None:
    tag, commitment = "ab" * 32, "cd" * 32
    texts = [
        verify.ballot_leaf(decision_id="dec_1", tag=tag, rev=rev, commitment=commitment, channel=c).decode()
        for rev, c in ((1, "online"), (2, "paper"), (2, "paper"), (4, "online"), (0, "online"), (5, "fax"))
    ]
    texts += [texts[0].replace("dec_1", "dec_2"), texts[0] + "\n", texts[0].replace('"rev":1', '"rev":01')]
    read = []
    for word in ("dec_1", "dec 1"):  # an id that is no plain word goes the long way
        report = verify.Report()
        ballots, _ = verify._read_leaves(word, ["{}", *(t.replace("dec_1", word) for t in texts)], report)
        read.append((ballots, [(fault.code, fault.zh.split("：")[0]) for fault in report.faults]))
    assert read[0] == read[1]
    assert len(read[0][1]) >= 6


# --- the recount ------------------------------------------------------------------------------------------

WORDS = st.sampled_from(["for", "for", "against", "abstain", "invalid"])
CANDIDATES = ["cnd_a", "cnd_b", "cnd_c", "cnd_d"]
CHOICES = st.one_of(st.just("invalid"), st.lists(st.sampled_from(CANDIDATES), unique=True, max_size=2))


@st.composite
def decisions(draw: st.DrawFn) -> dict[str, Any]:
    """A small roll with areas that make ties likely, three kinds of motion, and who cast what."""
    areas = draw(st.lists(st.sampled_from([100, 100, 200, 300, 999]), min_size=1, max_size=9))
    cast = draw(st.lists(st.booleans(), min_size=len(areas), max_size=len(areas)))
    votes = {
        f"h{n}": {"m1": draw(WORDS), "m2": draw(WORDS), "m3": draw(CHOICES)}
        for n, has in enumerate(cast)
        if has
    }
    told = {f"h{n}" for n in range(len(areas)) if draw(st.booleans())}
    mode = draw(st.sampled_from(["paper_backed", "paper_backed", "poll"]))
    rules = Rules(unreturned=draw(st.sampled_from(list(Unreturned))), invalid_takes_part=draw(st.booleans()))
    return {"areas": areas, "votes": votes, "told": told, "rules": rules, "mode": mode}


@settings(max_examples=100, deadline=None)
@given(decisions())
def test_the_verifier_counts_as_the_house_does(case: dict[str, Any]) -> None:
    questions = [
        Question(id="m1", number=1, matter=Matter.PROPERTY_COMPANY),
        Question(id="m2", number=2, matter=None if case["mode"] == "poll" else Matter.REBUILDING),
        Question(
            id="m3", number=3, matter=Matter.COMMITTEE, seats=2, alternates=1, candidates=tuple(CANDIDATES)
        ),
    ]
    roll = [verify.Voter(n + 1, area, f"h{n}") for n, area in enumerate(case["areas"])]
    heads = [HeadWeight(v.head, v.area_centi, v.head in case["told"]) for v in roll]
    mode = case["mode"]
    kind = DecisionKind.POLL if mode == "poll" else DecisionKind.ELECTION
    counted = written(count(questions, heads, case["votes"], case["rules"], kind=kind))
    ours = json.loads(json.dumps(counted | {"source": "ballots", "scope": "buildings", "legal_mode": mode}))
    opening = {
        "rules": case["rules"].as_json(),
        "legal_mode": mode,
        "kind": "election",
        "buildings": ["bld_1"],
        "heads": len(roll),
        "area_centi": sum(case["areas"]),
        "motions": [
            {"id": q.id, "number": q.number, "matter": q.matter and int(q.matter), "seats": q.seats,
             "alternates": q.alternates, "candidates": list(q.candidates)}
            for q in questions
        ],
    }  # fmt: skip
    report = verify.Report()
    board = verify.Board("d", opening, [], [], verify.Keys([], report), is_closed=True, result=ours)
    recounted = verify.recount(opening, roll, case["votes"], case["told"])
    verify.compare(board, recounted, report)
    assert report.faults == []
    for path in _values(ours):
        if path[-1] in {"title", "why"} or "why" in path:
            continue  # a title is in no file, and no number hangs on the sentences
        report = verify.Report()
        verify.compare(board._replace(result=_changed(ours, path)), recounted, report)
        assert {fault.code for fault in report.faults} <= {"result_differs", "result_source"}, path
        assert report.faults, path


def _values(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each single value."""
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _values(item, (*path, name))
    else:
        yield path


def _changed(value: Any, path: tuple[Any, ...]) -> Any:
    """The same with another value at that place."""
    copied = json.loads(json.dumps(value))
    inner = copied
    for name in path[:-1]:
        inner = inner[name]
    old = inner[path[-1]]
    inner[path[-1]] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old}x"
    return copied
