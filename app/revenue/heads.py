"""The head of an estate's chain: who knows it knows which figures are published."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from app import db
from app.ids import Ref
from app.people.queries import LOGIN_HOLDS

# The head's hash covers every published line. What a search for words finds hangs on the contracts' numbers as well,
# and those can be corrected: their versions only grow.
_HEAD = db.Plain(
    f"SELECT {LOGIN_HOLDS},"  # noqa: S608  names of this program alone
    " (SELECT s.own_hash FROM revenue_statements AS s"
    " WHERE s.community_id = :community_id AND s.estate_id = :estate_id ORDER BY s.seq DESC LIMIT 1),"
    " (SELECT sum(c.version) FROM revenue_contracts AS c"
    " WHERE :has_words AND c.community_id = :community_id AND c.estate_id = :estate_id)"
)


class Head(NamedTuple):
    """What is published of an estate. `login_holds`: of the resident who asks."""

    login_holds: bool
    version: bytes | None  # None before the first publication


def head_for(resident_id: UUID, session_id: UUID, estate: Ref, *, has_words: bool) -> Head:
    """The estate's head, and whether the login of whoever asks holds, in one statement. `has_words`: the answer
    depends on what contracts are called.
    """
    row = _HEAD.ask(
        {
            "resident_id": resident_id,
            "session_id": session_id,
            "community_id": estate.community_id,
            "estate_id": estate.id,
            "has_words": has_words,
        },
    )
    assert row is not None  # a SELECT without FROM
    holds, own_hash, contracts = row
    if own_hash is None:
        return Head(holds, None)
    return Head(holds, bytes(own_hash) + (str(contracts).encode() if has_words else b""))
