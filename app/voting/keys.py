"""The keys of a decision's log: who is called what in it, what hides a ballot until the close, and who signs."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select

from app import clock, crypto, db, ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.voting import verify
from app.voting.ledger_models import Ledger, SigningKey


class Promise(NamedTuple):
    """The server's signed word that a leaf will be in the log (`verify.promise_text`)."""

    key_id: str
    promised_at: str
    within_s: int
    signature: str


class Signer(NamedTuple):
    """A signing key at work."""

    key_id: str
    private: Ed25519PrivateKey

    def sign(self, text: bytes) -> str:
        """The Ed25519 signature (RFC 8032) in hex."""
        return self.private.sign(text).hex()


@dataclass(frozen=True)
class DecisionKeys:
    """What a decision's log needs. The same for its whole life, so a process reads it once."""

    decision: Ref
    tag_key: bytes
    ballot_key: AESGCM
    signer: Signer

    @cached_property
    def decision_id(self) -> str:
        """The decision as leaves, promises and tree heads name it."""
        return ids.encode(Kind.DECISION, self.decision)

    def tag(self, head_id: UUID) -> str:
        """The head's name in the log, in hex."""
        return verify.tag_of(self.tag_key, ids.encode(Kind.HEAD, Ref(self.decision.community_id, head_id)))

    @cached_property
    def _context(self) -> str:
        return f"ballot:{self.decision.id}"

    def seal(self, salt: bytes, opening: bytes, *, head_id: UUID, rev: int) -> bytes:
        """Salt and opening for `Ballot.opening_sealed`; bound to its head and rev."""
        return crypto.seal(self.ballot_key, salt + opening, f"{self._context}:{head_id}:{rev}")

    def unseal(self, sealed: bytes, *, head_id: UUID | str, rev: int) -> tuple[bytes, bytes]:
        """(salt, opening) of a ballot; `head_id` may be its text as well. Raises Undecryptable. Before the close only
        for who cast it.
        """
        plain = crypto.unseal(self.ballot_key, sealed, f"{self._context}:{head_id}:{rev}")
        return plain[:32], plain[32:]

    def promise(self, leaf: bytes) -> Promise:
        """A signed promise that the leaf with this hash is in the log within `verify.WITHIN_S` seconds from now."""
        at = clock.rfc3339(clock.now())
        text = verify.promise_text(
            key_id=self.signer.key_id,
            decision_id=self.decision_id,
            leaf=leaf.hex(),
            promised_at=at,
            within_s=verify.WITHIN_S,
        )
        return Promise(self.signer.key_id, at, verify.WITHIN_S, self.signer.sign(text))


class NewKeys(NamedTuple):
    """Fresh keys of a decision: to work with, and sealed for its `Ledger` row."""

    keys: DecisionKeys
    tag_key_sealed: bytes
    ballot_key_sealed: bytes


def new_keys(decision: Ref) -> NewKeys:
    """Keys for a decision that is about to be frozen. Makes the installation's signing key when there is none."""
    tag_key, ballot_key = os.urandom(32), os.urandom(32)
    ring = crypto.keys()
    return NewKeys(
        DecisionKeys(decision, tag_key, AESGCM(ballot_key), signer()),
        ring.encrypt(tag_key, f"ballot_tags:{decision.id}"),
        ring.encrypt(ballot_key, f"ballot_key:{decision.id}"),
    )


def keys_of(decision: Ref) -> DecisionKeys:
    """The keys of a frozen decision; asks the database once in a process. Raises NotFound before the freeze."""
    known = _cache.get(decision)
    if known is None:
        row = db.session().get(Ledger, (decision.community_id, decision.id))
        if row is None:
            raise NotFound
        ring = crypto.keys()
        known = DecisionKeys(
            decision,
            ring.decrypt(row.tag_key_sealed, f"ballot_tags:{decision.id}"),
            AESGCM(ring.decrypt(row.ballot_key_sealed, f"ballot_key:{decision.id}")),
            signer(row.key_id),
        )
        if len(_cache) >= _KEPT:
            _cache.clear()
        _cache[decision] = known
    return known


_KEPT = 500
_cache: dict[Ref, DecisionKeys] = {}


def signer(key_id: str | None = None) -> Signer:
    """The signing key of that id, or the one in force, which is made when there is none. Raises NotFound."""
    rows = select(SigningKey).where(SigningKey.valid_to.is_(None)).order_by(SigningKey.valid_from.desc())
    if key_id is not None:
        rows = select(SigningKey).where(SigningKey.id == key_id)
    row = db.session().scalar(rows.limit(1))
    if row is None and key_id is not None:
        raise NotFound
    if row is None:
        row = _make_key()
    raw = crypto.keys().decrypt(row.private_sealed, f"signing_key:{row.id}")
    return Signer(row.id, _private(raw))


@lru_cache(maxsize=16)
def _private(raw: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(raw)


def _make_key() -> SigningKey:
    private = Ed25519PrivateKey.generate()
    raw = serialization.Encoding.Raw
    public = private.public_key().public_bytes(raw, serialization.PublicFormat.Raw)
    key_id = hashlib.sha256(public).hexdigest()[:16]
    secret = private.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    row = SigningKey(
        id=key_id,
        alg=verify.ALG,
        public_key=public.hex(),
        private_sealed=crypto.keys().encrypt(secret, f"signing_key:{key_id}"),
        valid_from=clock.now(),
    )
    db.session().add(row)
    db.session().flush()  # leaf 0 and the roll name it in this transaction
    return row
