"""The ballot log of a decision (RFC 9162): leaf 0 at the freeze, ballots in batches, a signed head for each batch.

Who appends holds the lock of the decision's `Ledger` row, after a `FOR KEY SHARE` of the decision: voters, who read the
decision `FOR SHARE`, never wait for it, and the close, which takes it `FOR UPDATE`, waits for one batch at most.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Row, exists, func, select, text

from app import clock, db, ids, outbox
from app.errors import NotFound
from app.ids import Kind, Ref
from app.voting import keys, queries, tally, tree, verify
from app.voting.ballot_models import Ballot
from app.voting.ledger_models import Anchor, BallotLeaf, Ledger, LedgerNode, Opening, TreeHead
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import Delivery, RollHead
from app.voting.rules import Unreturned

log = logging.getLogger(__name__)

UNSEAL = "unseal_ballots"
BATCH = 5_000  # leaves of one round: what is held in memory, and what a close may have to wait for
# A cast can't be longer under way: no statement may take more than 30 s, no transaction rest more than 60 s.
LATEST = timedelta(minutes=5)
RECENT = timedelta(seconds=10)  # nearly all are


class Pending(NamedTuple):
    """A ballot that isn't in the log yet."""

    head_id: UUID
    rev: int
    leaf_hash: bytes
    commitment: bytes
    channel: str
    cast_at: datetime


class Leaf(NamedTuple):
    """What is appended: the text, its hash, and whose ballot it is."""

    text: str
    digest: bytes
    head_id: UUID | None = None
    rev: int | None = None


class Place(NamedTuple):
    """Where a ballot stands in the log: its leaf, and the proof that it is below a signed head."""

    leaf_index: int
    path: list[bytes]
    head: TreeHead


# --- writing ---------------------------------------------------------------------------------------------


def open_log(decision: Decision, new: keys.NewKeys, leaf0: dict[str, Any]) -> None:
    """Start the log with leaf 0 and its signed head, in the transaction that freezes the roll.

    Raises verify.Malformed for a leaf 0 that has no canonical form.
    """
    ref = Ref(decision.community_id, decision.id)
    first = verify.canonical(leaf0)
    now = clock.now()
    ledger = Ledger(
        community_id=ref.community_id,
        decision_id=ref.id,
        tag_key_sealed=new.tag_key_sealed,
        ballot_key_sealed=new.ballot_key_sealed,
        key_id=new.keys.signer.key_id,
        size=1,
        root_hash=verify.leaf_hash(first),
    )
    db.session().add(ledger)
    _insert_leaves(ref, 0, [Leaf(first.decode(), ledger.root_hash)], now)
    _sign(ref, ledger, new.keys)
    _anchor(ref, ledger)


def announce(decision: Decision, what: dict[str, Any]) -> None:
    """Put what was announced since (an extension, …) into the log as a leaf of type `notice`, with a signed head.

    The caller holds the decision. Without a log (not frozen yet) there is nothing to tell: leaf 0 will say it.
    """
    ref = Ref(decision.community_id, decision.id)
    ledger = _locked(ref)
    if ledger is None:
        return
    _append(ref, ledger, [_notice(ref, what)])
    _sign(ref, ledger, keys.keys_of(ref))


def seal(ref: Ref, *, limit: int = BATCH, within: timedelta = LATEST) -> int:
    """Append up to `limit` ballots that aren't in the log, sign a head; how many. 0 while somebody else does.

    Looks at ballots cast since `within` before the latest one in the log. Safe to run twice or to be killed: a batch is
    there with its head, or not at all.
    """
    free = db.session().scalar(
        select(Decision.id)
        .where(Decision.community_id == ref.community_id, Decision.id == ref.id)
        .with_for_update(key_share=True, read=True, skip_locked=True)
    )
    ledger = free and _locked(ref, skip=True)
    if not ledger or ledger.is_final:
        return 0
    since = ledger.sealed_until and ledger.sealed_until - within
    with db.in_bulk():
        batch = _pending(ref, limit=limit, since=since)
        if not batch:
            return 0
        _append_ballots(ref, ledger, batch)
    _sign(ref, ledger, keys.keys_of(ref))
    return len(batch)


def finish(ref: Ref) -> None:
    """Append every ballot that isn't in the log and the leaf that ends it, sign the final head, promise the openings.

    The caller holds the decision FOR UPDATE, so no cast is under way. The second run finds it done. A decision without
    a log has nothing to finish.
    """
    ledger = _locked(ref)
    if ledger is None or ledger.is_final:
        return
    _append_all(ref, ledger)
    ballots = db.session().scalar(
        select(func.count()).where(
            BallotLeaf.community_id == ref.community_id,
            BallotLeaf.decision_id == ref.id,
            BallotLeaf.head_id.is_not(None),
        )
    )
    told = _told(ref)
    ledger.told = [str(head_id) for head_id in told]
    fixed = {"told": len(told), "told_digest": verify.told_digest(tag.hex() for tag in told.values())}
    _end(ref, ledger, fixed | {"ballots": ballots, "what": "closed"})
    outbox.put(
        community_id=ref.community_id,
        kind=UNSEAL,
        payload={"decision_id": str(ref.id)},
        idem=f"unseal:{ref.id}",
    )


def cancel(decision: Decision, reason: str) -> None:
    """End the log of a decision that doesn't take place: every ballot that was promised, and a notice as the last leaf.

    The caller holds the decision FOR UPDATE. A log that is closed stays as it is: nothing comes after its final head.
    """
    ref = Ref(decision.community_id, decision.id)
    ledger = _locked(ref)
    if ledger is None or ledger.is_final:
        return
    _append_all(ref, ledger)
    _end(ref, ledger, {"what": "cancelled", "reason": reason})


def _append_all(ref: Ref, ledger: Ledger) -> None:
    with db.in_bulk():
        while batch := _pending(ref, limit=BATCH, since=None):
            _append_ballots(ref, ledger, batch)


def _end(ref: Ref, ledger: Ledger, what: dict[str, Any]) -> None:
    _append(ref, ledger, [_notice(ref, what)])
    ledger.is_final = True
    _sign(ref, ledger, keys.keys_of(ref))
    _anchor(ref, ledger)


def _told(ref: Ref) -> dict[UUID, bytes]:
    """Heads (with their tags) that the ballot reached with proof, where the rules count what never came back. No proof
    is on its way: a row of it waits for the decision, which is held. Whose owners haven't agreed on a voter could hand
    nothing in.
    """
    rules = queries.rules_of(queries.decision(ref))
    if rules.unreturned is Unreturned.NOT_COUNTED:
        return {}
    rows = db.session().execute(
        select(RollHead.id, RollHead.tag_hash)
        .where(
            RollHead.community_id == ref.community_id,
            RollHead.decision_id == ref.id,
            RollHead.voter_id.is_not(None),
            exists().where(
                Delivery.community_id == RollHead.community_id,
                Delivery.decision_id == RollHead.decision_id,
                Delivery.head_id == RollHead.id,
                Delivery.way.in_(tally.proving_ways(rules)),
            ),
        )
        .order_by(RollHead.number)
    )
    return {row.id: row.tag_hash for row in rows}


def anchor(ref: Ref) -> bool:
    """Make the present head an anchor, to be printed and kept outside our power; False when it already is one."""
    ledger = _locked(ref, skip=True)
    if ledger is None:
        return False
    latest = db.session().scalar(
        select(func.max(Anchor.size)).where(
            Anchor.community_id == ref.community_id, Anchor.decision_id == ref.id
        )
    )
    if latest == ledger.size:
        return False
    _anchor(ref, ledger)
    return True


def _anchor(ref: Ref, ledger: Ledger) -> None:
    ledger.anchored_at = clock.now()
    db.session().add(
        Anchor(community_id=ref.community_id, decision_id=ref.id, at=ledger.anchored_at, size=ledger.size)
    )


def _locked(ref: Ref, *, skip: bool = False) -> Ledger | None:
    return db.session().scalar(
        select(Ledger)
        .where(Ledger.community_id == ref.community_id, Ledger.decision_id == ref.id)
        .with_for_update(skip_locked=skip)
        .execution_options(populate_existing=True)
    )


def _without_leaf() -> ColumnElement[bool]:
    return ~exists().where(
        BallotLeaf.community_id == Ballot.community_id,
        BallotLeaf.decision_id == Ballot.decision_id,
        BallotLeaf.head_id == Ballot.head_id,
        BallotLeaf.rev == Ballot.rev,
    )


def _pending(ref: Ref, *, limit: int, since: datetime | None) -> list[Pending]:
    """Ballots without a leaf in the order in which they were cast; those only whose row is what was promised."""
    wanted = select(
        Ballot.head_id,
        Ballot.rev,
        Ballot.leaf_hash,
        Ballot.commitment_hash,
        Ballot.channel,
        Ballot.cast_at,
    ).where(Ballot.community_id == ref.community_id, Ballot.decision_id == ref.id, _without_leaf())
    windowed = wanted.order_by(Ballot.cast_at, Ballot.head_id, Ballot.rev).limit(limit)
    if since is not None:
        windowed = windowed.where(Ballot.cast_at >= since)
    batch = [Pending(*row) for row in db.session().execute(windowed)]
    newest: dict[UUID, int] = {}
    for ballot in batch:
        if ballot.rev > 1:
            newest[ballot.head_id] = max(ballot.rev, newest.get(ballot.head_id, 0))
    if newest:
        # Earlier ballots of these heads that a look or the limit has missed go with them: a log has them in order.
        there = {(ballot.head_id, ballot.rev) for ballot in batch}
        earlier = wanted.where(Ballot.head_id.in_(newest), Ballot.rev < max(newest.values()))
        batch += [
            ballot
            for ballot in (Pending(*row) for row in db.session().execute(earlier))
            if ballot.rev < newest[ballot.head_id] and (ballot.head_id, ballot.rev) not in there
        ]
    return _in_order(batch)


def _in_order(batch: Iterable[Pending]) -> list[Pending]:
    """As they were cast, and a head's always in the order of their numbers, whatever the clock did between them."""
    latest: dict[UUID, datetime] = {}
    placed: list[tuple[datetime, UUID, int, Pending]] = []
    for ballot in sorted(batch, key=lambda b: b.rev):
        at = latest[ballot.head_id] = max(ballot.cast_at, latest.get(ballot.head_id, ballot.cast_at))
        placed.append((at, ballot.head_id, ballot.rev, ballot))
    return [ballot for *_, ballot in sorted(placed)]


def _append_ballots(ref: Ref, ledger: Ledger, batch: Sequence[Pending]) -> None:
    known = keys.keys_of(ref)
    name = known.decision_id
    leaves: list[Leaf] = []
    for ballot in batch:
        leaf = verify.ballot_leaf(
            decision_id=name,
            tag=known.tag(ballot.head_id),
            rev=ballot.rev,
            commitment=ballot.commitment.hex(),
            channel=ballot.channel,
        )
        digest = verify.leaf_hash(leaf)
        if digest != ballot.leaf_hash:
            # Somebody rewrote the row. It stands in the log as it is now, and whoever holds the promise can prove it.
            log.error("a ballot isn't the one that was promised: decision %s", ref.id)
        leaves.append(Leaf(leaf.decode(), digest, ballot.head_id, ballot.rev))
    _append(ref, ledger, leaves)
    latest = max(ballot.cast_at for ballot in batch)
    ledger.sealed_until = max(latest, ledger.sealed_until or latest)


def _notice(ref: Ref, what: dict[str, Any]) -> Leaf:
    # By the database's clock, which decides whether it is time.
    fixed = {"at": clock.rfc3339(queries.database_now()), "decision": ids.encode(Kind.DECISION, ref), "v": 1}
    leaf = verify.canonical(what | fixed | {"type": "notice"})
    return Leaf(leaf.decode(), verify.leaf_hash(leaf))


def _append(ref: Ref, ledger: Ledger, leaves: Sequence[Leaf]) -> None:
    tip = tree.tip_of(ref, ledger.size)
    nodes = [node for leaf in leaves for node in tip.append(leaf.digest)]
    _insert_leaves(ref, ledger.size, leaves, clock.now())
    if nodes:
        rows = [(*ref, node.level, node.position, node.digest) for node in nodes]
        db.copy_in(LedgerNode, (*_DECISION, "level", "position", "node_hash"), rows)
    ledger.size, ledger.root_hash = tip.size, tip.root()


def _insert_leaves(ref: Ref, first: int, leaves: Iterable[Leaf], now: datetime) -> None:
    rows = (
        (*ref, first + n, leaf.text, leaf.digest, leaf.head_id, leaf.rev, now)
        for n, leaf in enumerate(leaves)
    )
    columns = ("leaf_index", "leaf", "leaf_hash", "head_id", "rev", "sealed_at")
    db.copy_in(BallotLeaf, (*_DECISION, *columns), rows)


_DECISION = ("community_id", "decision_id")


def _name(ref: Ref) -> dict[str, Any]:
    return {"community_id": ref.community_id, "decision_id": ref.id}


def _sign(ref: Ref, ledger: Ledger, known: keys.DecisionKeys) -> None:
    at = clock.rfc3339(clock.now())
    signed = verify.head_text(
        key_id=known.signer.key_id,
        decision_id=known.decision_id,
        size=ledger.size,
        root=ledger.root_hash.hex(),
        signed_at=at,
    )
    db.session().add(
        TreeHead(
            size=ledger.size,
            root_hash=ledger.root_hash,
            signed_at=at,
            key_id=known.signer.key_id,
            signature=known.signer.sign(signed),
            **_name(ref),
        )
    )


# --- opening ---------------------------------------------------------------------------------------------


class NotAsPromised(Exception):
    """A ballot isn't what was promised, or what is in the log: nothing is counted before a person has looked."""


_TO_OPEN = text("""
    SELECT b.head_id::text, b.rev, b.opening_sealed, b.leaf_hash, b.commitment_hash, b.channel,
           lead(b.rev) OVER (PARTITION BY b.head_id ORDER BY b.rev) IS NULL AS counts, leaf.leaf_hash
    FROM ballots AS b
    LEFT JOIN ballot_leaves AS leaf ON leaf.community_id = b.community_id AND leaf.decision_id = b.decision_id
        AND leaf.head_id = b.head_id AND leaf.rev = b.rev
    WHERE b.community_id = :community AND b.decision_id = :decision AND (b.head_id, b.rev) > (CAST(:head AS uuid), :rev)
    ORDER BY b.head_id, b.rev
    LIMIT :limit
""")
_CLOSED = frozenset(
    {DecisionStatus.CLOSED, DecisionStatus.CERTIFIED, DecisionStatus.POSTED, DecisionStatus.ARCHIVED}
)


def unseal(ref: Ref) -> None:
    """Decrypt every ballot of a closed decision into its opening, once. The second run finds it done; of a decision
    that isn't closed nothing is ever opened. Raises NotAsPromised, Undecryptable: then nothing is opened.
    """
    decision = db.session().get(Decision, (ref.community_id, ref.id))
    ledger = _locked(ref)
    if decision is None or decision.status not in _CLOSED or ledger is None or not ledger.is_final:
        return
    if ledger.unsealed_at is not None:
        return
    known = keys.keys_of(ref)
    after = str(ids.NOBODY), 0
    name = ref.community_id, str(ref.id)  # spelled once: as an object it would be for every row
    with db.in_bulk():
        while rows := _to_open(ref, after):
            db.copy_in(Opening, _OPENING, ((*name, *_open(known, row)) for row in rows))
            after = rows[-1].head_id, rows[-1].rev
    ledger.unsealed_at = clock.now()


def _to_open(ref: Ref, after: tuple[str, int]) -> Sequence[Row[Any]]:
    given = {"community": ref.community_id, "decision": ref.id, "head": after[0], "rev": after[1]}
    return db.session().execute(_TO_OPEN, given | {"limit": 4 * BATCH}).all()


_OPENING = (*_DECISION, "head_id", "rev", "salt", "channel", "choices", "area_centi", "counts")


def _open(known: keys.DecisionKeys, row: Sequence[Any]) -> tuple[Any, ...]:
    """What of an opening's row comes after the decision's name."""
    head_id, rev, sealed, promised, commitment, channel, counts, leaf = row
    salt, opening = known.unseal(sealed, head_id=head_id, rev=rev)
    # The bytes were canonical when they were sealed, so they are hashed as they are.
    if leaf != promised or verify.sealed_as(salt, opening) != commitment:
        raise NotAsPromised(f"head {head_id}, ballot {rev}")
    said: dict[str, Any] = orjson.loads(opening)
    choices = orjson.dumps(said["choices"]).decode()
    return head_id, rev, salt.hex(), channel, choices, said["area_centi"], counts


# --- reading ---------------------------------------------------------------------------------------------


def ledger_of(ref: Ref) -> Ledger:
    """Where the log stands. Raises NotFound before the freeze."""
    found = db.session().get(Ledger, (ref.community_id, ref.id))
    if found is None:
        raise NotFound
    return found


def head_of(ref: Ref, size: int) -> TreeHead | None:
    """The signed head of that size."""
    return db.session().get(TreeHead, (ref.community_id, ref.id, size))


def place_of(ref: Ref, head_id: UUID, rev: int) -> Place | None:
    """Where the ballot stands in the log as it is now; None before it is sealed."""
    index = db.session().scalar(
        select(BallotLeaf.leaf_index).where(
            BallotLeaf.community_id == ref.community_id,
            BallotLeaf.decision_id == ref.id,
            BallotLeaf.head_id == head_id,
            BallotLeaf.rev == rev,
        )
    )
    if index is None:
        return None
    # The newest head, and not what the ledger's row says: both are read by themselves, and only a head is signed.
    head = db.session().scalar(
        select(TreeHead)
        .where(TreeHead.community_id == ref.community_id, TreeHead.decision_id == ref.id)
        .order_by(TreeHead.size.desc())
        .limit(1)
    )
    assert head is not None, "a leaf comes with its head"
    return Place(index, tree.inclusion(ref, index, head.size), head)


def to_anchor() -> list[Ref]:
    """Decisions whose log has grown since its last anchor; for the hourly job, across communities."""
    newest = (
        select(func.max(Anchor.size))
        .where(Anchor.community_id == Ledger.community_id, Anchor.decision_id == Ledger.decision_id)
        .scalar_subquery()
    )
    rows = db.session().execute(
        select(Ledger.community_id, Ledger.decision_id)
        .where(~Ledger.is_final, Ledger.size > newest)
        .execution_options(cross_community="periodic jobs")
    )
    return [Ref(community_id, decision_id) for community_id, decision_id in rows]


def backlog() -> tuple[int, float]:
    """Ballots that aren't in their log yet, and for how many seconds the oldest has waited; for /metrics."""
    waiting, oldest = 0, None
    with db.in_bulk():
        for ref, sealed_until in _open_logs():
            rows, first = _behind(ref, sealed_until and sealed_until - LATEST)
            waiting += rows
            oldest = min(filter(None, (oldest, first)), default=None)
    return waiting, (clock.now() - oldest).total_seconds() if oldest else 0.0


def _behind(ref: Ref, since: datetime | None) -> tuple[int, datetime | None]:
    query = select(func.count(), func.min(Ballot.cast_at)).where(
        Ballot.community_id == ref.community_id, Ballot.decision_id == ref.id, _without_leaf()
    )
    rows, first = db.session().execute(query if since is None else query.where(Ballot.cast_at >= since)).one()
    return rows, first


# Each log by itself (OFFSET 0 keeps the planner from joining all ballots that there ever were), and in one question.
_WAITING = text("""
    SELECT l.community_id, l.decision_id FROM ledgers AS l
    WHERE NOT l.is_final AND EXISTS (
        SELECT FROM ballots AS b
        WHERE b.community_id = l.community_id AND b.decision_id = l.decision_id
          AND (l.sealed_until IS NULL OR b.cast_at >= l.sealed_until - :within)
          AND NOT EXISTS (
              SELECT FROM ballot_leaves AS f
              WHERE f.community_id = b.community_id AND f.decision_id = b.decision_id
                AND f.head_id = b.head_id AND f.rev = b.rev)
        OFFSET 0)
""")


def waiting(*, within: timedelta = LATEST) -> list[Ref]:
    """Decisions that may have ballots outside their log; for the sequencer, across communities, without locks.

    With the short look (RECENT) only those in which somebody has cast since the log's last ballot, or just now.
    """
    if within > RECENT:
        with db.in_bulk():
            rows = db.session().execute(
                _WAITING.execution_options(cross_community="sweeper"), {"within": within}
            )
            return [Ref(community_id, decision_id) for community_id, decision_id in rows]
    logs = _open_logs()
    just_now = queries.database_now() - within
    return [
        ref
        for ref, until in logs
        if (cast := _last_cast(ref)) is not None and (until is None or cast > until or cast > just_now)
    ]


def _open_logs() -> list[tuple[Ref, datetime | None]]:
    rows = db.session().execute(
        select(Ledger.community_id, Ledger.decision_id, Ledger.sealed_until)
        .where(~Ledger.is_final)
        .execution_options(cross_community="sweeper")
    )
    return [(Ref(community_id, decision_id), until) for community_id, decision_id, until in rows]


def _last_cast(ref: Ref) -> datetime | None:
    return db.session().scalar(
        select(Ballot.cast_at)
        .where(Ballot.community_id == ref.community_id, Ballot.decision_id == ref.id)
        .order_by(Ballot.cast_at.desc())
        .limit(1)
    )
