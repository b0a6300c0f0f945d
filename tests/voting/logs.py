"""A decision with a frozen roll and a log, made by hand: what the log, its sequencer and the verifier are tested on
without a whole meeting around them.
"""

from __future__ import annotations

import copy
import hashlib
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update

from app import clock, db, ids
from app.ids import Kind, Ref
from app.voting import boards, keys, ledger, queries, results, tally, verdicts, verify
from app.voting.ballot_models import Ballot
from app.voting.ledger_models import CertifiedResult
from app.voting.models import Decision, DecisionKind, Motion
from app.voting.roll_models import RollHead
from app.voting.rules import Rules
from tests.conftest import Town


@dataclass
class Head:
    """An owner on the roll."""

    id: UUID
    number: int
    area_centi: int
    tag: str
    revs: int = 0


@dataclass
class Log:
    """A decision of the test's own, its heads, and what was cast."""

    ref: Ref
    motions: list[Motion]
    heads: list[Head]
    known: keys.DecisionKeys
    receipts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return ids.encode(Kind.DECISION, self.ref)

    def motion_id(self, number: int = 1) -> str:
        return ids.encode(Kind.MOTION, Ref(self.ref.community_id, self.motions[number - 1].id))

    def cast(self, head: int, choice: str = "for", *, channel: str = "online") -> dict[str, Any]:
        """Cast for the head with that number, as the hot path would; the receipt."""
        who = self.heads[head - 1]
        who.revs += 1
        opening = verify.opening_of(
            decision_id=self.id,
            head_id=ids.encode(Kind.HEAD, Ref(self.ref.community_id, who.id)),
            rev=who.revs,
            choices={self.motion_id(n): choice for n in range(1, len(self.motions) + 1)},
            area_centi=who.area_centi,
        )
        salt = os.urandom(32)
        commitment = verify.commitment_of(salt, opening)
        leaf = verify.leaf_hash(
            verify.ballot_leaf(
                decision_id=self.id, tag=who.tag, rev=who.revs, commitment=commitment, channel=channel
            )
        )
        promise = self.known.promise(leaf)
        with db.transaction() as session:
            session.execute(
                insert(Ballot),
                [
                    {
                        "community_id": self.ref.community_id,
                        "decision_id": self.ref.id,
                        "head_id": who.id,
                        "rev": who.revs,
                        "leaf_hash": leaf,
                        "commitment_hash": bytes.fromhex(commitment),
                        "opening_sealed": self.known.seal(
                            salt, verify.canonical(opening), head_id=who.id, rev=who.revs
                        ),
                        "channel": channel,
                        "capacity": "owner",
                        "cast_at": clock.now(),
                        "key_id": promise.key_id,
                        "promised_at": promise.promised_at,
                        "within_s": promise.within_s,
                        "signature": promise.signature,
                    }
                ],
            )
        receipt = {
            "receipt": leaf.hex(),
            "promise": promise._asdict(),
            "opening": {"salt": salt.hex(), **opening},
            "channel": channel,
        }
        self.receipts.append(receipt)
        return receipt

    def seal(self, **more: Any) -> int:
        with db.transaction():
            return ledger.seal(self.ref, **more)

    def close(self) -> None:
        """Close it as the clock would, and open its ballots."""
        with db.transaction() as session:
            queries.decision(self.ref, lock=True)
            ledger.finish(self.ref)
            session.execute(
                update(Decision)
                .where(Decision.community_id == self.ref.community_id, Decision.id == self.ref.id)
                .values(status="closed", closed_at=clock.now())
            )
        with db.transaction():
            ledger.unseal(self.ref)

    def certify(self) -> None:
        """Publish the result of the opened ballots, as somebody who certifies would."""
        with db.transaction() as session:
            row = queries.decision(self.ref, lock=True)
            counted = tally.result_of(
                row, results.questions_of(row), queries.rules_of(row), kind=DecisionKind.MEETING
            )
            session.add(
                CertifiedResult(
                    community_id=self.ref.community_id,
                    decision_id=self.ref.id,
                    result=results._with_scope(row, verdicts.written(counted)) | {"source": "ballots"},
                    certified_by=ids.NOBODY,
                    certified_at=clock.now(),
                )
            )
            row.status, row.certified_at = "certified", clock.now()

    def receipt(self, head: int, rev: int = 1) -> dict[str, Any]:
        """A receipt with the proof that its ballot is in the log, as it is now."""
        who = self.heads[head - 1]
        name = ids.encode(Kind.HEAD, Ref(self.ref.community_id, who.id))
        held = next(r for r in self.receipts if r["opening"]["head"] == name and r["opening"]["rev"] == rev)
        with db.reading():
            place = ledger.place_of(self.ref, who.id, rev)
            assert place is not None
            proof = {"path": [p.hex() for p in place.path], "head": boards.head_json(self.ref, place.head)}
        return copy.deepcopy(held) | {"leaf_index": place.leaf_index, "proof": proof}


def open_log(
    town: Town,
    *,
    areas: list[int],
    matters: tuple[int, ...] = (4,),
    rules: Rules | None = None,
    announced: timedelta = timedelta(0),
) -> Log:
    """A decision that is open, with a head for each of `areas` (in 0.01 m²). Leaf 0 has it close when it was made, or
    `announced` later.
    """
    now = clock.now()
    ref = Ref(town.a.id, ids.new_id())
    name = ids.encode(Kind.DECISION, ref)
    held = rules or Rules()
    motions = [
        Motion(
            community_id=ref.community_id,
            id=ids.new_id(),
            decision_id=ref.id,
            number=n,
            matter=matter,
            title=f"议题{n}",
            text="",
        )
        for n, matter in enumerate(matters, 1)
    ]
    with db.transaction() as session:
        new = keys.new_keys(ref)
        heads = []
        for number, area in enumerate(areas, 1):
            head_id = ids.new_id()
            heads.append(Head(head_id, number, area, new.keys.tag(head_id)))
        entries = [verify.roll_entry(number=h.number, tag=h.tag, area_centi=h.area_centi) for h in heads]
        roll_root = verify.root_of([verify.leaf_hash(verify.canonical(entry)) for entry in entries])
        decision = Decision(
            community_id=ref.community_id,
            id=ref.id,
            estate_id=town.a.estate.id,
            kind="meeting",
            title="更换物业公司",
            text="",
            legal_mode="paper_backed",
            status="open",
            rules=held.as_json(),
            texts_nonce=os.urandom(16).hex(),
            announced_at=now - timedelta(days=20),
            opens_at=now - timedelta(hours=1),
            closes_at=now + timedelta(days=10),
            frozen_at=now - timedelta(hours=1),
            heads=len(heads),
            area_centi=sum(areas),
            roll_root_hash=roll_root,
            created_at=now,
            updated_at=now,
        )
        session.add(decision)
        session.flush()  # motions and heads point to it
        session.add_all(motions)
        session.execute(
            insert(RollHead),
            [
                {
                    "community_id": ref.community_id,
                    "decision_id": ref.id,
                    "id": h.id,
                    "number": h.number,
                    "tag_hash": bytes.fromhex(h.tag),
                    "area_centi": h.area_centi,
                    "houses": 1,
                    "label": f"{h.number}室",
                    "voter_id": h.id,
                    "is_developer": False,
                }
                for h in heads
            ],
        )
        leaf0 = {
            "type": "opening",
            "v": 1,
            "decision": name,
            "kind": "meeting",
            "buildings": None,
            "texts": hashlib.sha256(b"texts").hexdigest(),
            "motions": [
                {
                    "id": ids.encode(Kind.MOTION, Ref(ref.community_id, m.id)),
                    "number": m.number,
                    "matter": m.matter,
                    "seats": m.seats,
                    "alternates": m.alternates,
                    "candidates": [],
                }
                for m in motions
            ],
            "rules": held.as_json(),
            "legal_mode": "paper_backed",
            "opens_at": clock.rfc3339(now - timedelta(hours=1)),
            "closes_at": clock.rfc3339(now + announced),
            "heads": len(heads),
            "area_centi": sum(areas),
            "roll_root": roll_root.hex(),
        }
        ledger.open_log(decision, new, leaf0)
    return Log(ref, motions, heads, new.keys)
