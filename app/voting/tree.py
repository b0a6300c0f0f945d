"""The tree of a decision's log as it is stored: leaf hashes, and the root of each full block of 32, of 1,024 and so on.

A proof or a new root then needs at most 62 hashes of each level, however long the log is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select, tuple_

from app import db
from app.ids import Ref
from app.voting import verify
from app.voting.ledger_models import BallotLeaf, LedgerNode

STEP = 5  # levels between two that are stored
BLOCK = 1 << STEP


class Node(NamedTuple):
    """The root of a complete block: 2^level leaves, the block with this number."""

    level: int
    position: int
    digest: bytes


class Tip:
    """The right edge of a log: of each stored level what isn't part of a complete block yet."""

    def __init__(self, size: int = 0, edges: Sequence[Sequence[bytes]] = ()) -> None:
        """A log of `size` leaves; `edges`: hashes of each level, from the leaves up."""
        self.size = size
        self._edges = [list(edge) for edge in edges]

    def append(self, leaf: bytes) -> list[Node]:
        """Add a leaf hash; the blocks it completed."""
        done: list[Node] = []
        digest, level = leaf, 0
        self.size += 1
        while True:
            if level == len(self._edges):
                self._edges.append([])
            edge = self._edges[level]
            edge.append(digest)
            if len(edge) < BLOCK:
                return done
            digest = verify.root_of(edge)
            edge.clear()
            level += 1
            done.append(Node(level * STEP, (self.size >> level * STEP) - 1, digest))

    def root(self) -> bytes:
        """The root over all leaves."""
        tail: list[bytes] = []
        for edge in self._edges:
            # What is left of a level stands at the right of the next one, smaller than its neighbours.
            if edge or tail:
                tail = [verify.root_of([*edge, *tail])]
        return tail[0] if tail else verify.EMPTY_ROOT


def tip_of(ref: Ref, size: int) -> Tip:
    """The right edge of the stored log of that size."""
    blocks: list[list[tuple[int, int]]] = []
    level = 0
    while level == 0 or size >> level:
        whole = size >> level
        blocks.append([(level, n) for n in range(whole - whole % BLOCK, whole)])
        level += STEP
    stored = _stored(ref, {key for edge in blocks for key in edge})
    return Tip(size, [[stored[key] for key in edge] for edge in blocks])


def inclusion(ref: Ref, index: int, size: int) -> list[bytes]:
    """The proof that leaf `index` is among the first `size` leaves (RFC 9162 §2.1.3.1)."""
    return _roots(ref, verify.inclusion_ranges(index, size))


def consistency(ref: Ref, first: int, second: int) -> list[bytes]:
    """The proof that the log of `second` leaves begins with that of `first` (RFC 9162 §2.1.4.1)."""
    return _roots(ref, verify.consistency_ranges(first, second))


def root(ref: Ref, size: int) -> bytes:
    """The root over the first `size` leaves."""
    return _roots(ref, [(0, size)])[0]


def _roots(ref: Ref, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """The root over each of these ranges of leaves, each of which is a subtree."""
    blocks = [_blocks(a, b) for a, b in ranges]
    stored = _stored(ref, {key for keys in blocks for key in keys})
    return [_combine(keys, stored) for keys in blocks]


def _blocks(low: int, high: int) -> list[tuple[int, int]]:
    """A subtree as the largest stored blocks that make it up, from left to right."""
    found: list[tuple[int, int]] = []
    while low < high:
        level = 0
        while not low % (BLOCK << level) and low + (BLOCK << level) <= high:
            level += STEP
        found.append((level, low >> level))
        low += 1 << level
    return found


def _combine(keys: Sequence[tuple[int, int]], stored: dict[tuple[int, int], bytes]) -> bytes:
    tail: list[bytes] = []
    for level in sorted({level for level, _ in keys}):
        tail = [verify.root_of([*(stored[key] for key in keys if key[0] == level), *tail])]
    return tail[0]


def _stored(ref: Ref, keys: Collection[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    leaves = [n for level, n in keys if level == 0]
    nodes = [key for key in keys if key[0] > 0]
    found: dict[tuple[int, int], bytes] = {}
    if leaves:
        rows = db.session().execute(
            select(BallotLeaf.leaf_index, BallotLeaf.leaf_hash).where(
                BallotLeaf.community_id == ref.community_id,
                BallotLeaf.decision_id == ref.id,
                BallotLeaf.leaf_index.in_(leaves),
            )
        )
        found |= {(0, n): digest for n, digest in rows}
    if nodes:
        above = db.session().execute(
            select(LedgerNode.level, LedgerNode.position, LedgerNode.node_hash).where(
                LedgerNode.community_id == ref.community_id,
                LedgerNode.decision_id == ref.id,
                tuple_(LedgerNode.level, LedgerNode.position).in_(nodes),
            )
        )
        found |= {(level, n): digest for level, n, digest in above}
    return found
