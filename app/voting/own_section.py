"""What a resident did in votes: her copy of it, and what is left when she goes.

What was decided by her ballot stays decided: ballots, attempts and the roll are never rewritten, and name her by a
number that leads nowhere then. Everything else that pointed to her account points nowhere as well.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app import db, ids
from app.ids import Kind, Ref
from app.people.dossier import Item, Section, at
from app.voting import casting, keys
from app.voting.ballot_models import Ballot, Proxy
from app.voting.models import Candidate, DecisionObjection, Petition, PetitionSignature
from app.voting.roll_models import PaperRequest

_HERS = {"cross_community": "closing an account"}


def _ballots(resident_id: UUID) -> list[Item]:
    rows = db.session().scalars(
        select(Ballot)
        .where(Ballot.cast_by == resident_id)
        .order_by(Ballot.cast_at)
        .execution_options(**_HERS)
    )
    found = []
    for row in rows:
        decision = Ref(row.community_id, row.decision_id)
        _, opening = casting.opened(keys.keys_of(decision), row)
        found.append(
            {
                "decision_id": ids.encode(Kind.DECISION, decision),
                "head_id": ids.encode(Kind.HEAD, Ref(row.community_id, row.head_id)),
                "rev": row.rev,
                "choices": opening["choices"],
                "receipt": row.leaf_hash.hex(),
                "capacity": row.capacity,
                "cast_at": at(row.cast_at),
            }
        )
    return found


def _acts(resident_id: UUID) -> list[Item]:
    found: list[Item] = []
    acts: tuple[tuple[Any, str, Any], ...] = (
        (DecisionObjection, "objection", DecisionObjection.resident_id),
        (Candidate, "candidate", Candidate.resident_id),
        (PaperRequest, "paper_request", PaperRequest.resident_id),
        (Proxy, "authorisation_given", Proxy.given_by),
        (Proxy, "authorisation_held", Proxy.resident_id),
    )
    for model, what, column in acts:
        rows = db.session().scalars(select(model).where(column == resident_id).execution_options(**_HERS))
        found += [
            {
                "what": what,
                "decision_id": ids.encode(Kind.DECISION, Ref(row.community_id, row.decision_id)),
                "at": at(row.created_at),
            }
            for row in rows
        ]
    signatures = db.session().scalars(
        select(PetitionSignature)
        .where(PetitionSignature.resident_id == resident_id)
        .execution_options(**_HERS)
    )
    return found + [
        {
            "what": "petition",
            "petition_id": ids.encode(Kind.PETITION, Ref(row.community_id, row.petition_id)),
            "at": at(row.at),
        }
        for row in signatures
    ]


def _forget_nothing(_: UUID) -> None:
    """Ballots are never rewritten: who cast one is a number that leads nowhere once the account is gone."""


def _forget_acts(resident_id: UUID) -> None:
    for query in (
        update(DecisionObjection)
        .where(DecisionObjection.resident_id == resident_id)
        .values(resident_id=None),
        update(Candidate).where(Candidate.resident_id == resident_id).values(resident_id=None),
        update(PaperRequest).where(PaperRequest.resident_id == resident_id).values(resident_id=None),
        update(Proxy).where(Proxy.given_by == resident_id).values(given_by=None),
        update(Proxy)
        .where(Proxy.resident_id == resident_id)
        .values(resident_id=None, phone_sealed=None, phone_hash=None),
        update(Petition).where(Petition.started_by == resident_id).values(started_by=None),
        update(PetitionSignature)
        .where(PetitionSignature.resident_id == resident_id)
        .values(resident_id=None),
    ):
        db.session().execute(query.execution_options(synchronize_session=False, **_HERS))


SECTIONS = (
    Section("ballots", frozenset({"ballots", "vote_attempts"}), _ballots, _forget_nothing),
    Section(
        "votes",
        frozenset({"decision_objections", "candidates", "paper_requests", "proxies"})
        | {"petitions", "petition_signatures"},
        _acts,
        _forget_acts,
    ),
)
