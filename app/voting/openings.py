"""The opened ballots of a closed decision, for whoever may count again: the auditor, and where the rules say so every
verified owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import and_, select, tuple_

from app import audit, db, ids
from app.errors import Conflict, NotFound
from app.ids import Kind, Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.voting import keys, ledger, queries, results, roll
from app.voting.ledger_models import Opening
from app.voting.models import Decision
from app.voting.roll_models import RollHead
from app.voting.rules import Disclosure

PAGE = 5_000


class NotOpened(Conflict):
    """The ballots aren't open: the decision isn't closed, or its ballots are being decrypted."""

    code = "not_opened"
    zh = "表决截止并开票以后才能查看。"
    en = "The ballots are opened after the close."


def for_auditor(staff: StaffActor, ref: Ref) -> dict[str, Any]:
    """What the file of openings says beside roll and ballots, for who audits; leaves an audit row.

    Raises NotFound, Forbidden, NotOpened.
    """
    row = queries.decision_for_staff(staff, ref, Permission.BALLOT_AUDIT)
    found = description(row)
    audit.record(
        staff.actor,
        "ballots.read",
        community_id=ref.community_id,
        object_kind=queries.OBJECT_KIND,
        object_id=ref.id,
    )
    return found


def for_owner(resident_id: UUID, ref: Ref) -> dict[str, Any]:
    """The same, for a verified owner of the roll, once the result is certified and where the rules disclose by room.

    Raises NotFound, NotOpened, NotCertified.
    """
    row = queries.decision_for(resident_id, ref)
    if queries.rules_of(row).disclosure is not Disclosure.BY_ROOM_TO_OWNERS:
        raise NotFound
    if row.frozen_at is None or not roll.entries_of(resident_id, row):
        raise NotFound
    results.result_of(row)
    return description(row)


def description(row: Decision) -> dict[str, Any]:
    """What the file says beside roll and ballots. Raises NotOpened."""
    ref = queries.ref_of(row)
    if row.cancelled_at is not None:  # what was cast stays sealed
        raise NotOpened
    if row.frozen_at is None or (held := ledger.ledger_of(ref)).unsealed_at is None:
        raise NotOpened
    return {
        "v": 1,
        "decision": ids.encode(Kind.DECISION, ref),
        "tag_key": keys.keys_of(ref).tag_key.hex(),
        "told": [ids.encode(Kind.HEAD, Ref(ref.community_id, UUID(head_id))) for head_id in held.told],
    }


def written(ref: Ref, about: dict[str, Any], *, rooms: bool) -> Iterator[bytes]:
    """The file as JSON, a part at a time; what it tells no longer changes. `rooms`: each owner's rooms, no name."""
    yield orjson.dumps(about)[:-1] + b',"roll":['
    yield from _joined(_roll(ref, rooms=rooms))
    yield b'],"openings":['
    yield from _joined(_openings(ref))
    yield b"]}"


def _joined(pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    comma = b""
    for page in pages:
        yield comma + b",".join(orjson.dumps(item) for item in page)
        comma = b","


def _roll(ref: Ref, *, rooms: bool) -> Iterator[list[dict[str, Any]]]:
    # At once: the roll has no index by number, and 100,000 heads are few megabytes.
    with db.reading() as session:
        heads = session.execute(
            select(RollHead.number, RollHead.id, RollHead.area_centi, RollHead.label)
            .where(RollHead.community_id == ref.community_id, RollHead.decision_id == ref.id)
            .order_by(RollHead.number)
        ).all()
    for first in range(0, len(heads), PAGE):
        yield [
            {
                "number": number,
                "head": ids.encode(Kind.HEAD, Ref(ref.community_id, head_id)),
                "area_centi": area,
            }
            | ({"rooms": label} if rooms else {})
            for number, head_id, area, label in heads[first : first + PAGE]
        ]


def _openings(ref: Ref) -> Iterator[list[dict[str, Any]]]:
    after: tuple[UUID, int] = ids.NOBODY, 0
    while True:
        with db.reading() as session:
            page = session.scalars(
                select(Opening)
                .where(
                    and_(Opening.community_id == ref.community_id, Opening.decision_id == ref.id),
                    tuple_(Opening.head_id, Opening.rev) > after,
                )
                .order_by(Opening.head_id, Opening.rev)
                .limit(PAGE)
            ).all()
        if not page:
            return
        after = page[-1].head_id, page[-1].rev
        yield [
            {
                "head": ids.encode(Kind.HEAD, Ref(ref.community_id, row.head_id)),
                "rev": row.rev,
                "salt": row.salt,
                "choices": row.choices,
                "area_centi": row.area_centi,
                "channel": row.channel,
            }
            for row in page
        ]
