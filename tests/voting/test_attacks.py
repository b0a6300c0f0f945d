"""Somebody with all rights in the database changes a decision's rows; the shipped verifier, a process of its own, is
given what the server then serves, and names what was done.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import insert

from app import clock, db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.voting import deliveries, keys, ledger, queries, tally, verify
from app.voting.ledger_models import BallotLeaf, Ledger, TreeHead
from app.voting.roll_models import DeliveryWay
from app.voting.rules import Rules, Unreturned
from tests.conftest import TOP, Caller, House, Town
from tests.voting import logs

ROWS = (
    "ballot_leaves",
    "ledger_nodes",
    "tree_heads",
    "anchors",
    "ballots",
    "openings",
    "roll_heads",
    "ledgers",
)
WHERE = "community_id = %(c)s AND decision_id = %(d)s"


@dataclass
class Crime:
    """A certified decision, what its voters and its notice board have, and an operator with all rights."""

    house: House
    log: logs.Log
    folder: Path
    auditor: Caller
    anchor: dict[str, Any]
    receipts: list[dict[str, Any]]

    @contextmanager
    def rows(self) -> Iterator[psycopg.Connection[Any]]:
        """The decision's rows, to be rewritten past every trigger; afterwards they are as they were."""
        given = {"c": self.log.ref.community_id, "d": self.log.ref.id}
        tables = (*ROWS, "certified_results")
        with psycopg.connect(self.house.pg.url("superuser", "house"), autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            for table in tables:
                connection.execute(
                    f"CREATE TEMP TABLE kept_{table} AS SELECT * FROM {table} WHERE {WHERE}", given
                )
            connection.execute("CREATE TEMP TABLE kept_signing_keys AS SELECT * FROM signing_keys")
            connection.execute(
                "CREATE TEMP TABLE kept_decisions AS SELECT * FROM decisions WHERE id = %(d)s", given
            )
            try:
                yield connection
            finally:
                for table in tables:
                    connection.execute(f"DELETE FROM {table} WHERE {WHERE}", given)
                    connection.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
                connection.execute(
                    "DELETE FROM signing_keys; INSERT INTO signing_keys SELECT * FROM kept_signing_keys"
                )
                connection.execute("DELETE FROM decisions WHERE id = %(d)s", given)
                connection.execute("INSERT INTO decisions SELECT * FROM kept_decisions")

    def do(self, connection: psycopg.Connection[Any], *statements: str, **given: Any) -> None:
        """Each statement; `WHERE` stands for this decision."""
        for statement in statements:
            values = {"c": self.log.ref.community_id, "d": self.log.ref.id} | given
            changed = connection.execute(statement.replace("WHERE", f"WHERE {WHERE} AND", 1), values)
            assert changed.rowcount, statement

    def served(self) -> dict[str, Any]:
        """The sealed file as everyone gets it."""
        answer = self.house.app.test_client().get(f"/public/v1/decisions/{self.log.id}/file")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def openings(self) -> dict[str, Any]:
        """The openings as the auditor gets them."""
        answer = self.auditor.get(f"/decisions/{self.log.id}/openings")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def verdict(self, *, board: Any = None, **files: Any) -> str:
        """What the verifier prints of these files, each as a process of its own would be given it."""
        named = {"board": board if board is not None else self.served(), **files}
        command = [sys.executable, str(self.folder / "verify.py")]
        for name, value in named.items():
            path = self.folder / f"{name}.json"
            path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
            command += [str(path)] if name == "board" else [f"--{name}", str(path)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.folder, timeout=60
        )
        assert done.stderr == ""
        assert done.returncode == (1 if "✗" in done.stdout else 0), done.stdout
        return done.stdout

    def all(self) -> str:
        """The verdict over everything there is."""
        return self.verdict(openings=self.openings(), anchor=self.anchor, receipt=self.receipts[0])

    def sign(self, size: int, root: bytes, *, at: str | None = None) -> dict[str, Any]:
        """A head that the server's own key signs: whoever has the application has its keys."""
        signer, at = self.log.known.signer, at or clock.rfc3339(clock.now())
        text = verify.head_text(
            key_id=signer.key_id, decision_id=self.log.id, size=size, root=root.hex(), signed_at=at
        )
        return {"root_hash": root, "signed_at": at, "signature": signer.sign(text), "key_id": signer.key_id}


@pytest.fixture(scope="module")
def crime(house: House, make_town: Callable[[], Town], tmp_path_factory: pytest.TempPathFactory) -> Crime:
    """Six owners of whom five vote, one twice; anchored after the third ballot, closed, opened, certified."""
    town = make_town()
    log = logs.open_log(town, areas=[9000, 10000, 11000, 12000, 13000, 8000])
    for head, choice in ((1, "for"), (2, "against"), (3, "for")):
        log.cast(head, choice)
    log.seal()
    with db.transaction():
        assert ledger.anchor(log.ref)
    client = house.app.test_client()
    anchor = client.get(f"/public/v1/decisions/{log.id}/anchor.json").get_json()
    for head, choice in ((4, "for"), (5, "abstain"), (2, "for")):
        log.cast(head, choice)
    log.seal()
    receipts = [log.receipt(n) for n in (1, 2, 3, 4, 5)] + [log.receipt(2, 2)]
    log.close()
    log.certify()
    folder = tmp_path_factory.mktemp("verifier")
    shutil.copy(TOP / "app/voting/verify.py", folder)
    return Crime(house, log, folder, town.staff("auditor"), anchor, receipts)


def test_an_honest_decision_passes_every_check(crime: Crime) -> None:
    said = crime.all()
    assert "全部相符" in said
    assert "议题 1 重新计票与公布一致（passed）" in said
    for receipt in crime.receipts:
        assert "全部相符" in crime.verdict(receipt=receipt)


def test_a_promise_of_another_time_or_that_was_kept_late_is_named(crime: Crime) -> None:
    """The server signs whatever its operator wants; the terms are checked all the same."""

    def promised(n: int, **changes: Any) -> dict[str, Any]:
        receipt = crime.receipts[n]
        promise = receipt["promise"] | changes
        text = verify.promise_text(
            key_id=promise["key_id"],
            decision_id=crime.log.id,
            leaf=receipt["receipt"],
            promised_at=promise["promised_at"],
            within_s=promise["within_s"],
        )
        return receipt | {"promise": promise | {"signature": crime.log.known.signer.sign(text)}}

    assert "全部相符" in crime.verdict(receipt=promised(0))
    for changes in ({"within_s": 6000}, {"within_s": 0}, {"promised_at": "gestern"}):
        assert "[promise_terms]" in crime.verdict(receipt=promised(0, **changes))
    early = clock.rfc3339(clock.now() - timedelta(days=1))
    said = crime.verdict(receipt=promised(4, promised_at=early))
    # Promised before the opening; and an anchor that was signed a day later leaves its leaf out.
    assert "[promise_terms]" in said
    assert "[promise_late]" in said


def test_other_reasons_than_the_numbers_give_are_named(crime: Crime) -> None:
    board = crime.served()
    board["result"]["motions"][0]["why"][-1] = "两项都没有达到，未通过。"
    said = crime.verdict(board=board, openings=crime.openings())
    assert "[result_differs]" in said
    assert "why" in said


def leaf(crime: Crime, index: int, **changes: Any) -> str:
    """The text of a leaf with something else in it."""
    return verify.canonical(json.loads(crime.served()["leaves"][index]) | changes).decode()


def test_a_rewritten_row_is_named(crime: Crime) -> None:
    text = leaf(crime, 2, commitment="ab" * 32)
    with crime.rows() as rows:
        crime.do(
            rows,
            "UPDATE ballot_leaves SET leaf = %(leaf)s, leaf_hash = %(hash)s WHERE leaf_index = 2",
            leaf=text,
            hash=verify.leaf_hash(text.encode()),
        )
        said = crime.verdict()
        assert "[head_root] 前 4 条记录与签名不符：1 号以后" in said
        assert "[anchor_root]" in crime.verdict(anchor=crime.anchor)
        assert "[broken_promise]" in crime.verdict(receipt=crime.receipts[1])


def test_an_opening_said_to_be_on_paper_is_named(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(rows, "UPDATE openings SET channel = 'paper' WHERE rev = 1")

        assert "[opening_wrong]" in crime.verdict(openings=crime.openings())


def test_a_dropped_row_is_named(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(
            rows,
            "DELETE FROM ballot_leaves WHERE leaf_index = 4",
            "UPDATE ballot_leaves SET leaf_index = leaf_index - 100 WHERE leaf_index > 4",
            "UPDATE ballot_leaves SET leaf_index = leaf_index + 99 WHERE leaf_index < 0",
            "UPDATE ledgers SET size = size - 1 WHERE size > 1",
        )
        said = crime.verdict(receipt=crime.receipts[3])
    assert "[head_beyond] 签过 8 条记录，文件里只有 7 条" in said
    assert "[closing_number]" in said
    assert "[broken_promise]" in said


def test_a_dropped_first_ballot_of_two_is_named(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(rows, "DELETE FROM ballot_leaves WHERE leaf_index = 2")
        crime.do(rows, "UPDATE ballot_leaves SET leaf_index = leaf_index - 100 WHERE leaf_index > 2")
        crime.do(rows, "UPDATE ballot_leaves SET leaf_index = leaf_index + 99 WHERE leaf_index < 0")
        crime.do(rows, "UPDATE ledgers SET size = size - 1 WHERE size > 1")
        assert "[order]" in crime.verdict()


def test_an_inserted_row_is_named(crime: Crime) -> None:
    text = leaf(crime, 3, tag="cd" * 32)
    with crime.rows() as rows:
        crime.do(
            rows,
            "UPDATE ballot_leaves SET leaf_index = leaf_index + 100 WHERE leaf_index > 3",
            "UPDATE ballot_leaves SET leaf_index = leaf_index - 99 WHERE leaf_index > 99",
            "UPDATE ledgers SET size = size + 1 WHERE size > 1",
        )
        rows.execute(
            "INSERT INTO ballot_leaves (community_id, decision_id, leaf_index, leaf, leaf_hash, sealed_at)"
            " VALUES (%s, %s, 4, %s, %s, now())",
            (*crime.log.ref, text, verify.leaf_hash(text.encode())),
        )
        said = crime.verdict(openings=crime.openings())
    assert "[head_root] 前 8 条记录与签名不符：4 号以后" in said
    assert "[unsigned_tail]" in said
    assert "[stranger] 第 4 号记录的投票人不在名册上" in said


def test_reordered_rows_are_named(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(
            rows,
            "UPDATE ballot_leaves SET leaf_index = 100 WHERE leaf_index = 1",
            "UPDATE ballot_leaves SET leaf_index = 1 WHERE leaf_index = 2",
            "UPDATE ballot_leaves SET leaf_index = 2 WHERE leaf_index = 100",
        )
        assert "[head_root]" in crime.verdict()


def test_a_ballot_added_after_the_close_is_named(crime: Crime) -> None:
    text = leaf(crime, 3, tag="cd" * 32)
    with crime.rows() as rows:
        _append(crime, rows, [text])
        said = crime.verdict(openings=crime.openings())
    assert "[after_close] 截止之后又加入了第 8 号记录" in said
    assert "[stranger]" in said


def _append(crime: Crime, rows: psycopg.Connection[Any], texts: list[str]) -> None:
    """Leaves at the end with a head over them, signed by the server: the operator runs the application itself."""
    ref = crime.log.ref
    with db.transaction() as session:
        held = session.get(Ledger, ref)
        assert held is not None
        ledger._append(ref, held, [ledger.Leaf(t, verify.leaf_hash(t.encode())) for t in texts])
        session.add(
            TreeHead(
                community_id=ref.community_id,
                decision_id=ref.id,
                size=held.size,
                **crime.sign(held.size, held.root_hash),
            )
        )


def test_a_back_dated_head_is_named(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(rows, "UPDATE tree_heads SET signed_at = '2020-01-01T00:00:00+08:00' WHERE size = 8")
        assert "[head_signature]" in crime.verdict()
        root = bytes.fromhex(crime.served()["heads"][-1]["root"])
        made = crime.sign(8, root, at="2020-01-01T00:00:00+08:00")
        crime.do(rows, "UPDATE tree_heads SET signature = %(s)s WHERE size = 8", s=made["signature"])
        said = crime.verdict()
    assert "[head_time]" in said
    assert "[head_signature]" not in said


def test_a_database_restored_to_before_the_anchor_is_refused(crime: Crime) -> None:
    """The server goes on from an old state and signs everything anew: only what is outside its power tells."""
    with crime.rows() as rows:
        crime.do(
            rows,
            "DELETE FROM ballot_leaves WHERE leaf_index > 1",
            "DELETE FROM tree_heads WHERE size > 1",
            "DELETE FROM anchors WHERE size > 1",
            "DELETE FROM ballots WHERE head_id NOT IN (SELECT head_id FROM ballot_leaves WHERE head_id IS NOT NULL)",
            "DELETE FROM openings WHERE true",
        )
        root = verify.root_of([verify.leaf_hash(t.encode()) for t in _texts(rows, crime)])
        crime.do(
            rows,
            "UPDATE ledgers SET size = 2, root_hash = %(root)s, is_final = false, unsealed_at = NULL WHERE true",
            root=root,
        )
        with db.transaction():
            ledger.finish(crime.log.ref)
        with db.transaction():
            ledger.unseal(crime.log.ref)
        rows.execute("DELETE FROM certified_results WHERE decision_id = %s", (crime.log.ref.id,))
        crime.log.certify()
        assert "全部相符" in crime.verdict(openings=crime.openings())
        assert "[anchor_behind] 公示锚点已有 4 条记录，现在只有 3 条" in crime.verdict(anchor=crime.anchor)
        assert "[broken_promise]" in crime.verdict(receipt=crime.receipts[3])


def _texts(rows: psycopg.Connection[Any], crime: Crime) -> list[str]:
    found = rows.execute(
        "SELECT leaf FROM ballot_leaves WHERE decision_id = %s ORDER BY leaf_index", (crime.log.ref.id,)
    )
    return [text for (text,) in found]


def test_a_restored_database_that_took_other_ballots_since_is_refused(crime: Crime) -> None:
    """Grown again past the size of the anchor, with other ballots."""
    with crime.rows() as rows:
        texts = _texts(rows, crime)
        other = [texts[0], texts[2], texts[1], *texts[3:]]
        _sign_anew(crime, rows, other)
        assert "全部相符" in crime.verdict()
        assert "[anchor_root]" in crime.verdict(anchor=crime.anchor)
        assert "[split_view]" in crime.verdict(receipt=crime.receipts[0])


def _sign_anew(crime: Crime, rows: psycopg.Connection[Any], texts: list[str]) -> None:
    """These leaves instead, and every head signed again by the server's own key."""
    rows.execute("DELETE FROM ballot_leaves WHERE decision_id = %s", (crime.log.ref.id,))
    hashes = [verify.leaf_hash(text.encode()) for text in texts]
    now = clock.now()
    with db.transaction() as session:
        session.execute(
            insert(BallotLeaf),
            [
                {
                    "community_id": crime.log.ref.community_id,
                    "decision_id": crime.log.ref.id,
                    "leaf_index": n,
                    "leaf": text,
                    "leaf_hash": digest,
                    "sealed_at": now,
                }
                for n, (text, digest) in enumerate(zip(texts, hashes, strict=True))
            ],
        )
    sizes = rows.execute("SELECT size, signed_at FROM tree_heads WHERE decision_id = %s", (crime.log.ref.id,))
    for size, at in sizes.fetchall():
        made = crime.sign(size, verify.root_of(hashes[:size]), at=at)
        crime.do(
            rows,
            "UPDATE tree_heads SET root_hash = %(root_hash)s, signature = %(signature)s WHERE size = %(size)s",
            size=size,
            **made,
        )


def test_a_roll_changed_after_the_opening_is_named(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(rows, "UPDATE roll_heads SET area_centi = area_centi + 100 WHERE number = 6")
        said = crime.verdict(openings=crime.openings())
    assert "[roll_root]" in said
    assert "[roll_totals]" in said


def test_an_owner_taken_off_the_roll_is_named(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(rows, "DELETE FROM roll_heads WHERE number = 6")
        assert "[roll_root]" in crime.verdict(openings=crime.openings())


def test_two_owners_shown_one_leaf_are_told(crime: Crime) -> None:
    """Three was shown the leaf of one, who voted the same: her own opening doesn't fit it."""
    one, three = crime.receipts[0], crime.receipts[2]
    shown = copy.deepcopy(one) | {"opening": three["opening"]}
    assert "[receipt_opening]" in crime.verdict(receipt=shown)
    with crime.rows() as rows:
        _clash(crime, rows)
        said = crime.verdict(openings=crime.openings())
    assert "[opening_wrong] 第 3 号记录" in said


def _clash(crime: Crime, rows: psycopg.Connection[Any]) -> None:
    """Three's opening is that of one."""
    heads = crime.log.heads
    rows.execute(
        "UPDATE openings AS mine SET salt = hers.salt, choices = hers.choices FROM openings AS hers"
        " WHERE mine.decision_id = %(d)s AND hers.decision_id = %(d)s AND mine.head_id = %(b)s"
        " AND hers.head_id = %(a)s",
        {"d": crime.log.ref.id, "a": heads[0].id, "b": heads[2].id},
    )


def test_a_changed_choice_is_named(crime: Crime) -> None:
    with crime.rows() as rows:
        said_for = json.dumps({crime.log.motion_id(): "for"})
        crime.do(
            rows,
            "UPDATE openings SET choices = %(c2)s WHERE head_id = %(h)s",
            c2=said_for,
            h=crime.log.heads[4].id,
        )
        said = crime.verdict(openings=crime.openings())
    assert "[opening_wrong] 第 5 号记录" in said


def test_a_ballot_without_an_opening_and_an_opening_without_a_ballot_are_named(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(
            rows,
            "UPDATE openings SET head_id = %(other)s WHERE head_id = %(h)s",
            other=crime.log.heads[5].id,
            h=crime.log.heads[3].id,
        )
        said = crime.verdict(openings=crime.openings())
    assert "[not_opened] 第 4 号记录" in said
    assert "[opening_without_leaf]" in said


def test_an_old_ballot_counted_in_place_of_the_new_one_is_named(crime: Crime) -> None:
    """Two voted against and then for. The first is made to count, in the openings and in the result."""
    with crime.rows() as rows:
        two = crime.log.heads[1].id
        crime.do(rows, "UPDATE openings SET counts = (rev = 1) WHERE head_id = %(h)s", h=two)
        rows.execute("DELETE FROM certified_results WHERE decision_id = %s", (crime.log.ref.id,))
        crime.log.certify()
        said = crime.verdict(openings=crime.openings())
    assert "[result_differs] 议题 1 公布的“for”" in said


def test_a_result_that_the_ballots_dont_give_is_named(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(
            rows,
            """UPDATE certified_results SET result = jsonb_set(result, '{motions,0,outcome}', '"failed"') WHERE true""",
        )
        said = crime.verdict(openings=crime.openings())
    assert "[result_differs] 议题 1 公布的“outcome”与重新计票不同：公布 failed，应为 passed" in said


def test_a_result_cant_be_called_the_authoritys_to_escape_the_recount(crime: Crime) -> None:
    with crime.rows() as rows:
        crime.do(
            rows,
            """UPDATE certified_results SET result = jsonb_set(result, '{motions,0,outcome}', '"failed"')
                || '{"source": "official"}' WHERE true""",
        )
        said = crime.verdict(openings=crime.openings())
    assert "[result_source] 公布结果的来源“official”与开票记录的表决方式“paper_backed”不符" in said
    assert "[result_differs]" in said


def _with_notices(crime: Crime, *before: dict[str, Any], end: dict[str, Any], **zero: Any) -> dict[str, Any]:
    """The honest file with other notices at its end (and another leaf 0), signed by the server's own key."""
    board = copy.deepcopy(_board(crime))
    texts = board["leaves"]
    texts[0] = verify.canonical(json.loads(texts[0]) | zero).decode()
    last = json.loads(texts.pop())
    fixed = {name: last[name] for name in ("decision", "type", "v", "at")}
    closed = {name: last[name] for name in ("ballots", "told", "told_digest")}
    for notice in (*before, end):
        more = closed if notice["what"] == "closed" else {"reason": "雨天"}
        texts.append(verify.canonical(fixed | more | notice).decode())
    hashes = [verify.leaf_hash(text.encode()) for text in texts]
    made = crime.sign(len(texts), verify.root_of(hashes), at="2100-01-01T00:00:00+08:00")
    board["heads"] = [
        board["heads"][-1]
        | {name: made[name] for name in ("signed_at", "signature")}
        | {"size": len(texts), "root": made["root_hash"].hex()}
    ]
    return board


def _days(n: int) -> str:
    return f"2030-01-{n + 1:02d}T09:00:00+08:00"


@pytest.mark.parametrize(
    ("extensions", "closed_at", "rules", "fault"),
    [
        ([], 10, {}, None),
        ([], 9, {}, "closed_early"),
        ([(5, 15)], 15, {}, None),
        ([(5, 15)], 14, {}, "closed_early"),
        ([(5, 15), (6, 20)], 20, {}, "extension"),
        ([(5, 15)], 15, {"may_extend": False}, "extension"),
        ([(5, 15)], 15, {"extension_days_max": 4}, "extension"),
        ([(5, 9)], 10, {}, "extension"),
        ([(11, 15)], 15, {}, "extension"),
    ],
)
def test_a_log_is_ended_and_prolonged_by_the_rules_of_its_opening(
    crime: Crime, extensions: list[tuple[int, int]], closed_at: int, rules: dict[str, Any], fault: str | None
) -> None:
    held = json.loads(_board(crime)["leaves"][0])["rules"] | rules
    longer = [{"what": "extended", "at": _days(at), "closes_at": _days(until)} for at, until in extensions]
    end = {"what": "closed", "at": _days(closed_at)}
    report = verify.Report()
    board = _with_notices(crime, *longer, end=end, closes_at=_days(10), rules=held)
    verify.check_board(board, report)
    assert [found.code for found in report.faults] == ([] if fault is None else [fault])


def test_when_all_have_cast_a_vote_may_end_before_its_time(crime: Crime) -> None:
    report = verify.Report()
    end = {"what": "closed", "at": _days(1)}
    verify.check_board(_with_notices(crime, end=end, closes_at=_days(10), heads=5), report)
    assert report.faults == []


def test_a_cancelled_log_has_an_end_and_no_result(crime: Crime) -> None:
    board = _with_notices(crime, end={"what": "cancelled"})
    assert "[cancelled_result]" in crime.verdict(board=board)
    assert "全部相符" in crime.verdict(board=board | {"result": None}, receipt=crime.receipts[0])


def test_who_was_told_is_fixed_at_the_close(make_town: Callable[[], Town], crime: Crime) -> None:
    """One more who was told after the close is not counted; one more in the list or the row is named."""
    town = make_town()
    log = logs.open_log(town, areas=[5000] * 4, rules=Rules(unreturned=Unreturned.TAKES_PART))
    log.cast(1)
    log.cast(2)

    def tell(head: int) -> None:
        with db.transaction():
            who = [log.heads[head - 1].id]
            deliveries.record(queries.decision(log.ref), who, DeliveryWay.VISIT, SYSTEM)

    tell(3)
    log.close()
    tell(4)
    log.certify()
    told = Crime(crime.house, log, crime.folder, town.staff("auditor"), {}, [])
    openings = told.openings()
    assert len(openings["told"]) == 1
    said = told.verdict(openings=openings)
    assert "全部相符" in said
    assert told.served()["result"]["motions"][0]["participating"]["heads"] == 3
    other = openings | {"told": [openings["told"][0], openings["roll"][3]["head"]]}
    assert "[told]" in told.verdict(openings=other)


def test_a_ballot_that_left_the_log_is_not_counted(crime: Crime) -> None:
    with db.reading():
        assert tally.wholeness(crime.log.ref).is_whole
    with crime.rows() as rows:
        crime.do(rows, "DELETE FROM ballot_leaves WHERE leaf_index = 3")
        with db.reading():
            assert not tally.wholeness(crime.log.ref).is_whole


def test_swapped_keys_are_named(crime: Crime) -> None:
    """A thief without the server's key makes one of his own, signs every head anew and publishes it alone."""
    thief = Ed25519PrivateKey.generate()
    public = thief.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    key_id = verify.key_id_of(public)
    with crime.rows() as rows:
        rows.execute(
            "UPDATE signing_keys SET id = %s, public_key = %s WHERE id = %s",
            (key_id, public, crime.anchor["key_id"]),
        )
        found = rows.execute(
            "SELECT size, root_hash, signed_at FROM tree_heads WHERE decision_id = %s", (crime.log.ref.id,)
        ).fetchall()
        for size, root, at in found:
            text = verify.head_text(
                key_id=key_id, decision_id=crime.log.id, size=size, root=root.hex(), signed_at=at
            )
            crime.do(
                rows,
                "UPDATE tree_heads SET key_id = %(k)s, signature = %(s)s WHERE size = %(size)s",
                k=key_id,
                s=thief.sign(text).hex(),
                size=size,
            )
        assert "全部相符" in crime.verdict()
        assert "[unknown_key] 公示锚点" in crime.verdict(anchor=crime.anchor)
        assert "[unknown_key] 回执" in crime.verdict(receipt=crime.receipts[0])
        rows.execute("UPDATE signing_keys SET id = %s WHERE id = %s", (crime.anchor["key_id"], key_id))
        assert f"[key] 密钥 {crime.anchor['key_id']}" in crime.verdict()


@pytest.mark.parametrize(
    "spelling",
    [
        lambda text: text.replace(":", ": ", 1),
        lambda text: text.replace('{"channel"', '{"channel":"paper","channel"', 1),
        lambda text: text.replace('"rev":1', '"rev":1.0', 1),
        lambda text: text.replace('"online"', '"\\u006fnline"', 1),
        lambda text: text.replace('"v":1', '"v":1,"z":"e\\u0301"', 1),
        lambda text: text.replace('"v":1', '"v":1,"z":1', 1),
        lambda _: "[" * 100_000,
    ],
    ids=["space", "key twice", "float", "escape", "not NFC", "more", "deep"],
)
def test_a_leaf_in_a_second_spelling_is_refused(crime: Crime, spelling: Callable[[str], str]) -> None:
    board = copy.deepcopy(_board(crime))
    board["leaves"][1] = spelling(board["leaves"][1])
    hashes = [verify.leaf_hash(text.encode()) for text in board["leaves"]]
    for head in board["heads"]:
        made = crime.sign(head["size"], verify.root_of(hashes[: head["size"]]), at=head["signed_at"])
        head.update(root=made["root_hash"].hex(), signature=made["signature"])
    said = crime.verdict(board=board)
    assert "[leaf_form] 第 1 号记录" in said
    assert "[head_root]" not in said


_boards: dict[str, Any] = {}


def _board(crime: Crime) -> dict[str, Any]:
    """The honest file, fetched once."""
    if crime.log.id not in _boards:
        _boards[crime.log.id] = crime.served()
    return _boards[crime.log.id]


def test_a_node_is_no_leaf(crime: Crime) -> None:
    """Half as many leaves, each the two hashes below it: the roots would be equal without the prefixes."""
    board = copy.deepcopy(_board(crime))
    hashes = [verify.leaf_hash(text.encode()) for text in board["leaves"]]
    board["leaves"] = [(a + b).decode("latin-1") for a, b in zip(hashes[::2], hashes[1::2], strict=True)]
    board["heads"] = [crime_head | {"size": 4} for crime_head in board["heads"][-1:]]
    said = crime.verdict(board=board)
    assert "[head_root]" in said
    assert "[leaf_zero]" in said


def test_a_receipt_that_names_another_channel_than_the_log_is_told(crime: Crime) -> None:
    other = {"online": "paper", "paper": "online"}[crime.receipts[0]["channel"]]
    assert "[receipt_channel]" in crime.verdict(receipt=crime.receipts[0] | {"channel": other})


def test_a_receipt_whose_head_is_of_another_log_is_told(crime: Crime) -> None:
    """The server showed this voter a log of her own, signed with its own key."""
    shown = copy.deepcopy(crime.receipts[0])
    hashes = [bytes.fromhex(shown["receipt"])]
    made = crime.sign(1, verify.root_of(hashes))
    shown["leaf_index"] = 0
    shown["proof"] = {
        "path": [],
        "head": shown["proof"]["head"]
        | {
            "size": 1,
            "root": made["root_hash"].hex(),
            "signed_at": made["signed_at"],
            "signature": made["signature"],
        },
    }
    said = crime.verdict(receipt=shown)
    assert "[split_view]" in said
    assert "[receipt_place]" in said


@pytest.mark.parametrize("change", ["short", "long", "shifted", "other"])
def test_a_malformed_proof_is_refused(crime: Crime, change: str) -> None:
    receipt = copy.deepcopy(crime.receipts[0])
    path = receipt["proof"]["path"]
    receipt["proof"]["path"] = {
        "short": path[:-1],
        "long": [*path, "00" * 32],
        "shifted": path[1:] + path[:1],
        "other": ["00" * 32, *path[1:]],
    }[change]
    assert "[receipt_place]" in crime.verdict(receipt=receipt)


def test_a_forged_promise_is_refused(crime: Crime) -> None:
    receipt = copy.deepcopy(crime.receipts[0])
    receipt["promise"]["promised_at"] = "2020-01-01T00:00:00+08:00"
    assert "[promise_signature]" in crime.verdict(receipt=receipt)


def test_an_old_file_is_not_the_sealed_one(crime: Crime) -> None:
    """A stale head shown as the last."""
    board = copy.deepcopy(_board(crime))
    board["leaves"], board["heads"] = board["leaves"][:4], [h for h in board["heads"] if h["size"] <= 4]
    said = crime.verdict(board=board, receipt=crime.receipts[4])
    assert "[not_closed]" in said
    assert "[broken_promise]" in said


def test_a_file_that_can_be_read_in_two_ways_is_refused(crime: Crime) -> None:
    text = json.dumps(_board(crime))
    for broken in (
        text[:-1] + ', "leaves": []}',
        text.replace('"v": 1,', '"v": 1.0,', 1),
        text[:-1],
        "[]",
        "{}",
    ):
        assert "✗ 文件 board.json" in crime.verdict(board=broken)


def test_a_choice_cant_be_guessed_from_its_leaf(crime: Crime) -> None:
    """Every possible opening of every head, without a salt and under the salts that others show."""
    leaves = [json.loads(text) for text in _board(crime)["leaves"]]
    commitments = {leaf["commitment"] for leaf in leaves if leaf["type"] == "ballot"}
    assert len(commitments) == 6
    salts = [bytes(32), *(bytes.fromhex(r["opening"]["salt"]) for r in crime.receipts[1:])]
    assert len(set(salts)) == len(salts)
    first = crime.log.heads[0]
    for salt in salts:
        for choice in ("for", "against", "abstain", "invalid"):
            guess = verify.opening_of(
                decision_id=crime.log.id,
                head_id=ids.encode(Kind.HEAD, Ref(crime.log.ref.community_id, first.id)),
                rev=1,
                choices={crime.log.motion_id(): choice},
                area_centi=first.area_centi,
            )
            assert verify.commitment_of(salt, guess) not in commitments


def test_a_row_rewritten_before_it_was_sealed_breaks_its_promise(
    make_town: Callable[[], Town], crime: Crime
) -> None:
    """The log has what the row says by then; nothing is opened, and the voter can prove what she was promised."""
    log = logs.open_log(make_town(), areas=[5000, 5000])
    receipt = log.cast(1)
    log.cast(2)
    with psycopg.connect(crime.house.pg.url("superuser", "house"), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE ballots SET commitment_hash = %s WHERE decision_id = %s AND head_id = %s",
            (b"\x01" * 32, log.ref.id, log.heads[0].id),
        )
    with pytest.raises(ledger.NotAsPromised):
        log.close()
    answer = crime.house.app.test_client().get(f"/public/v1/decisions/{log.id}/file")
    assert "[broken_promise]" in crime.verdict(board=answer.get_json(), receipt=receipt)


def test_the_keys_module_and_the_verifier_sign_and_check_the_same(crime: Crime) -> None:
    with db.reading():
        assert keys.signer(crime.anchor["key_id"]).key_id == verify.key_id_of(crime.anchor["public_key"])
