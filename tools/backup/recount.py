"""Is what was restored what it was? Files, sealed values, ballot logs and results, each looked at anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select, text

from app import adapters, crypto, db, ids, rekey, stored_files
from app.adapters.storage import ObjectMissing, StorageUnavailable
from app.ids import Kind, Ref
from app.voting import results as counted
from app.voting import verify
from app.voting.ledger_models import BallotLeaf, CertifiedResult, Ledger, PollResult, SigningKey, TreeHead
from app.voting.models import Decision
from tools.backup.manifest import BackupError, Entry

_WHY = {"cross_community": "recount after a restore"}
_BATCH = 1000


def files(held: Iterable[Entry], absent: frozenset[str]) -> str:
    """Every file that a row names lies in the store as it was, but for those that were missing before."""
    storage = adapters.storage()
    found: set[str] = set()
    for entry in held:
        try:
            data = storage.get(entry.key)
        except (ObjectMissing, StorageUnavailable) as error:
            raise BackupError(f"A restored file can't be read again: {entry.key}.") from error
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise BackupError(f"A restored file isn't what it was: {entry.key}.")
        found.add(entry.key)
    with db.reading():
        _at_leisure()
        named = stored_files.named()
        kept = rekey.kept_files()
    if lost := named - found - absent:
        raise BackupError(
            f"{len(lost)} files that rows name are in neither backup nor store, the first: {min(lost)}."
        )
    for key, context in kept.items():
        if key in found:
            _open(storage.get(key), context, key)
    return f"{len(found)} read again"


def sealed() -> str:
    """Every sealed value of every table opens with the keys at hand."""
    values = 0
    with db.reading() as session:
        _at_leisure()
        for table, columns in rekey.sealed_tables():
            rows = session.execute(select(table).execution_options(yield_per=_BATCH, **_WHY)).mappings()
            for row in rows:
                for name, template in columns.items():
                    if row[name] is not None:
                        _open(
                            row[name],
                            crypto.context_of(template, {str(key): row[key] for key in row}),
                            f"{table.name}.{name}",
                        )
                        values += 1
    return f"{values} values open"


def _open(value: bytes, context: str, where: str) -> None:
    try:
        crypto.keys().decrypt(value, context)
    except crypto.Undecryptable as error:
        raise BackupError(f"A value of {where} doesn't open with these keys.") from error


def logs() -> str:
    """Every ballot log has the root that was signed, at every size that was signed."""
    with db.reading() as session:
        _at_leisure()
        ledgers = session.scalars(select(Ledger).execution_options(**_WHY)).all()
        signers = {key.id: key.public_key for key in session.scalars(select(SigningKey))}
        heads = sum(_log(ledger, signers) for ledger in ledgers)
    return f"{len(ledgers)} logs, {heads} signed heads"


def _log(ledger: Ledger, signers: dict[str, str]) -> int:
    session = db.session()
    community_id, decision_id = ledger.community_id, ledger.decision_id
    name = ids.encode(Kind.DECISION, Ref(community_id, decision_id))
    leaves = session.execute(
        select(BallotLeaf.leaf, BallotLeaf.leaf_hash)
        .where(BallotLeaf.community_id == community_id, BallotLeaf.decision_id == decision_id)
        .order_by(BallotLeaf.leaf_index)
    ).all()
    hashes = [verify.leaf_hash(leaf.encode()) for leaf, _ in leaves]
    if hashes != [stored for _, stored in leaves] or len(hashes) != ledger.size:
        raise BackupError(f"The ballot log of {name} isn't what it was.")
    heads = session.scalars(
        select(TreeHead).where(TreeHead.community_id == community_id, TreeHead.decision_id == decision_id)
    ).all()
    roots = verify.roots_at(hashes, [ledger.size, *(head.size for head in heads)])
    if roots.get(ledger.size) != ledger.root_hash:
        raise BackupError(f"The root of the ballot log of {name} isn't what it was.")
    for head in heads:
        signed = verify.head_text(
            key_id=head.key_id,
            decision_id=name,
            size=head.size,
            root=head.root_hash.hex(),
            signed_at=head.signed_at,
        )
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signers[head.key_id]))
            public.verify(bytes.fromhex(head.signature), signed)
        except (KeyError, ValueError, InvalidSignature) as error:
            raise BackupError(f"A signature over the ballot log of {name} doesn't hold.") from error
        if roots.get(head.size) != head.root_hash:
            raise BackupError(
                f"The ballot log of {name} isn't the one that was signed at {head.size} leaves."
            )
    return len(heads)


def results() -> str:
    """Every result that was counted from ballots comes out the same when it is counted again."""
    again = 0
    with db.reading() as session:
        _at_leisure()
        kept: list[CertifiedResult | PollResult] = [
            *session.scalars(select(CertifiedResult).execution_options(**_WHY)),
            *session.scalars(select(PollResult).execution_options(**_WHY)),
        ]
        for one in kept:
            if one.result.get("source") != "ballots":
                continue  # the authority's own figures
            ref = Ref(one.community_id, one.decision_id)
            decision = session.get(Decision, ref)
            if decision is None or counted.recounted(decision) != one.result:
                raise BackupError(
                    f"The result of {ids.encode(Kind.DECISION, ref)} comes out differently when it is counted again."
                )
            again += 1
    return f"{again} counted again"


def _at_leisure() -> None:
    db.session().execute(text("SET LOCAL statement_timeout = 0"))
