"""What everyone may read of a decision's log (公示板): leaves, signed heads, proofs, the sealed file, anchors.

No room, no name, no text of a motion; no result before it is certified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import select

from app import clock, db, ids
from app.errors import Conflict, Invalid, NotFound
from app.ids import Kind, Ref
from app.voting import ledger, queries, results, tree, verify
from app.voting.ledger_models import Anchor, BallotLeaf, Ledger, SigningKey, TreeHead
from app.voting.result_errors import NotCertified

PAGE = 1_000
_OWNERS_ONLY = frozenset({"title", "text"})  # what was voted on is told to those whom it binds


class NotSealed(Conflict):
    """The decision is open: the file is there after the close."""

    code = "not_closed"
    zh = "表决还没有截止，截止后才能下载完整记录。"
    en = "The decision is not closed yet; the sealed file is there after the close."


class NoSuchLeaves(Invalid):
    """The log has no such leaves, or more were asked for than a page holds."""

    code = "no_such_leaves"
    zh = "没有这个范围的记录，一次最多 1000 条。"
    en = "There are no such leaves; at most 1,000 at a time."


def key_json(key: SigningKey) -> dict[str, Any]:
    """A public key with the time in which it signs."""
    return {
        "key_id": key.id,
        "alg": key.alg,
        "public_key": key.public_key,
        "valid_from": clock.rfc3339(key.valid_from),
        "valid_to": clock.rfc3339(key.valid_to) if key.valid_to else None,
    }


def keys() -> list[dict[str, Any]]:
    """Every key that ever signed here, the newest first."""
    rows = db.session().scalars(select(SigningKey).order_by(SigningKey.valid_from.desc(), SigningKey.id))
    return [key_json(row) for row in rows]


def head_json(ref: Ref, head: TreeHead) -> dict[str, Any]:
    """A signed tree head as everyone checks it (`verify.head_text`)."""
    return {
        "alg": verify.ALG,
        "key_id": head.key_id,
        "decision": ids.encode(Kind.DECISION, ref),
        "size": head.size,
        "root": head.root_hash.hex(),
        "signed_at": head.signed_at,
        "signature": head.signature,
    }


def board(ref: Ref) -> dict[str, Any]:
    """Leaf 0, the signed heads that were anchored and the latest, totals, the keys, and the result once certified.

    Raises NotFound before the roll is frozen.
    """
    held = ledger.ledger_of(ref)
    return {
        "decision": ids.encode(Kind.DECISION, ref),
        "opening": leaves(ref, 0, 0)[0],
        "heads": _heads(ref, held),
        "totals": _totals(ref, held),
        "is_final": held.is_final,
        "keys": keys(),
        "cancelled_at": _cancelled_at(ref),
        "result": result(ref),
    }


def _cancelled_at(ref: Ref) -> str | None:
    """A decision that is cancelled after its close has a whole log, and no result."""
    at = queries.decision(ref).cancelled_at
    return clock.rfc3339(at) if at is not None else None


def _totals(ref: Ref, held: Ledger) -> dict[str, Any]:
    row = queries.decision(ref)
    return {"leaves": held.size, "heads": row.heads, "area_centi": row.area_centi}


def _heads(ref: Ref, held: Ledger) -> list[dict[str, Any]]:
    """Anchored heads and the latest, in the order of their size."""
    anchored = select(Anchor.size).where(
        Anchor.community_id == ref.community_id, Anchor.decision_id == ref.id
    )
    rows = db.session().scalars(
        select(TreeHead)
        .where(
            TreeHead.community_id == ref.community_id,
            TreeHead.decision_id == ref.id,
            TreeHead.size.in_(anchored) | (TreeHead.size == held.size),
        )
        .order_by(TreeHead.size)
    )
    return [head_json(ref, row) for row in rows]


def result(ref: Ref) -> dict[str, Any] | None:
    """The certified result, or that of a poll that is over, in numbers and ids; None before."""
    try:
        published = results.result_of(queries.decision(ref))
    except NotCertified:
        return None
    return {name: _without_texts(item) for name, item in published.result.items() if name not in _OWNERS_ONLY}


def _without_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_texts(item) for name, item in value.items() if name not in _OWNERS_ONLY}
    if isinstance(value, list):
        return [_without_texts(item) for item in value]
    return value


def leaves(ref: Ref, first: int, last: int) -> list[str]:
    """The texts of the leaves from `first` to `last`, both included, at most PAGE. Raises NotFound, NoSuchLeaves."""
    held = ledger.ledger_of(ref)
    if not 0 <= first <= last < held.size or last - first >= PAGE:
        raise NoSuchLeaves
    return list(_texts(ref, first, last))


def _texts(ref: Ref, first: int, last: int) -> Sequence[str]:
    return (
        db.session()
        .scalars(
            select(BallotLeaf.leaf)
            .where(
                BallotLeaf.community_id == ref.community_id,
                BallotLeaf.decision_id == ref.id,
                BallotLeaf.leaf_index.between(first, last),
            )
            .order_by(BallotLeaf.leaf_index)
        )
        .all()
    )


def proof(ref: Ref, index: int, size: int | None) -> dict[str, Any]:
    """That leaf `index` is among the first `size` leaves (the latest head's without it), with that signed head.

    Raises NotFound, also where no head of that size was signed; NoSuchLeaves.
    """
    head = _head(ref, size)
    if not 0 <= index < head.size:
        raise NoSuchLeaves
    return {
        "leaf_index": index,
        "tree_size": head.size,
        "path": [step.hex() for step in tree.inclusion(ref, index, head.size)],
        "head": head_json(ref, head),
    }


def consistency(ref: Ref, first: int, second: int | None) -> dict[str, Any]:
    """That the log of `second` leaves (the latest without it) is the one of `first`, grown; with both signed heads.

    Raises NotFound, NoSuchLeaves.
    """
    old, new = _head(ref, first), _head(ref, second)
    if old.size > new.size:
        raise NoSuchLeaves
    return {
        "from": head_json(ref, old),
        "to": head_json(ref, new),
        "path": [step.hex() for step in tree.consistency(ref, old.size, new.size)],
    }


def _head(ref: Ref, size: int | None) -> TreeHead:
    found = ledger.head_of(ref, ledger.ledger_of(ref).size if size is None else size)
    if found is None:
        raise NotFound
    return found


# --- the sealed file -------------------------------------------------------------------------------------


def sealed_file(ref: Ref) -> tuple[dict[str, Any], int]:
    """What the sealed file says beside its leaves, and how many leaves there are. Raises NotFound, NotSealed."""
    held = ledger.ledger_of(ref)
    if not held.is_final:
        raise NotSealed
    about = {
        "v": 1,
        "decision": ids.encode(Kind.DECISION, ref),
        "heads": _heads(ref, held),
        "keys": keys(),
        "cancelled_at": _cancelled_at(ref),
        "result": result(ref),
    }
    return about, held.size


def written(ref: Ref, about: dict[str, Any], size: int) -> Iterator[bytes]:
    """The sealed file as JSON, a part at a time: 100,000 ballots are 30 MB. Each part is read by itself, which is safe
    because a final log no longer changes.
    """
    yield orjson.dumps(about)[:-1] + b',"leaves":['
    for first in range(0, size, 5 * PAGE):
        with db.reading():
            texts = _texts(ref, first, min(first + 5 * PAGE, size) - 1)
        yield (b"," if first else b"") + b",".join(orjson.dumps(text) for text in texts)
    yield b"]}"


# --- anchors ---------------------------------------------------------------------------------------------


def anchor(ref: Ref, size: int | None = None) -> dict[str, Any]:
    """An anchored head (the newest one without `size`) with its public key: all that `verify --anchor` needs.

    Raises NotFound where nothing was anchored.
    """
    wanted = select(Anchor.size).where(Anchor.community_id == ref.community_id, Anchor.decision_id == ref.id)
    if size is not None:
        wanted = wanted.where(Anchor.size == size)
    found = db.session().scalar(wanted.order_by(Anchor.size.desc()).limit(1))
    head = ledger.head_of(ref, found) if found is not None else None
    key = db.session().get(SigningKey, head.key_id) if head is not None else None
    if head is None or key is None:
        raise NotFound
    return head_json(ref, head) | {"public_key": key.public_key}
