"""What was announced, word for word: what leaf 0 of the log fixes by its hash, and what owners check it against."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any
from uuid import UUID

from app import crypto, ids
from app.ids import Kind, Ref
from app.voting import queries, verify
from app.voting.models import Candidate, CandidateStatus, Decision


def name_of(candidate: Candidate) -> str:
    """The name of a candidate, for those whom the election binds."""
    return crypto.keys().decrypt(candidate.name_sealed, f"candidate_name:{candidate.id}").decode()


def statement_of(candidate: Candidate) -> str | None:
    """What she says of herself."""
    if candidate.statement_sealed is None:
        return None
    return crypto.keys().decrypt(candidate.statement_sealed, f"candidate_statement:{candidate.id}").decode()


def document_of(row: Decision) -> dict[str, Any]:
    """Titles, texts and the candidates' names; `nonce` keeps short texts from being guessed from the hash.

    After the freeze it holds who was a candidate then.
    """
    ref = queries.ref_of(row)
    nfc = unicodedata.normalize
    return {
        "nonce": row.texts_nonce,
        "title": nfc("NFC", row.title),
        "text": nfc("NFC", row.text),
        "motions": [
            {
                "id": _wire(Kind.MOTION, row, motion.id),
                "number": motion.number,
                "title": nfc("NFC", motion.title),
                "text": nfc("NFC", motion.text),
            }
            for motion in queries.motions_of(ref)
        ],
        "candidates": [
            {
                "id": _wire(Kind.CANDIDATE, row, candidate.id),
                "motion": _wire(Kind.MOTION, row, candidate.motion_id),
                "number": candidate.number or 0,
                "name": nfc("NFC", name_of(candidate)),
            }
            for candidate in queries.candidates_of(ref, statuses=(CandidateStatus.ACCEPTED,))
        ],
    }


def digest_of(row: Decision) -> str:
    """SHA-256 over the document in its one spelling, in hex: `texts` of leaf 0."""
    return hashlib.sha256(verify.canonical(document_of(row))).hexdigest()


def _wire(kind: Kind, row: Decision, thing: UUID) -> str:
    return ids.encode(kind, Ref(row.community_id, thing))
