"""Wrong tries to bind, counted by resident, by house and by name, so that nobody finds a neighbour's number by trying.

A resident who is locked is told. A house or a name that is locked is not: the request goes to staff like any other that
matched nothing, and the right number finds nothing either. An owner whose phone WeChat knows needs no guess and is not
held up by what others tried.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app import clock, crypto, db
from app.ids import Ref
from app.memberships.models import BindingTries

WINDOW = timedelta(hours=24)  # tries further apart are not added up


class Limit(NamedTuple):
    """So many wrong tries within the window lock for so long."""

    tries: int
    lock: timedelta


RESIDENT = Limit(5, timedelta(hours=1))
HOUSE = Limit(10, timedelta(hours=24))
NAME = Limit(10, timedelta(hours=24))
KEPT = WINDOW + max(RESIDENT.lock, HOUSE.lock, NAME.lock)


class Keys(NamedTuple):
    """What a try is counted under; hashes, so that the table names nobody."""

    resident: bytes
    house: bytes
    name: bytes


def keys_of(*, openid_hash: bytes, house: Ref, name_hash: bytes) -> Keys:
    """The three counts of a try. A resident's goes by her openid: a new account is no new start.

    A name's within the community, or every 张伟 of a city would share one.
    """
    hashed = crypto.keys().keyed_hash
    return Keys(
        hashed(f"openid:{openid_hash.hex()}", "binding_tries"),
        hashed(f"house:{house.community_id}:{house.id}", "binding_tries"),
        hashed(f"name:{house.community_id}:{name_hash.hex()}", "binding_tries"),
    )


class Locked(NamedTuple):
    """How many seconds the resident has to wait (0: none), and whether guesses at this house or name count."""

    seconds: int
    is_deaf: bool


def look(keys: Keys) -> Locked:
    """The locks that hold now. The three counts are held to the end of the transaction, so that tries at one moment are
    counted one by one.
    """
    now = clock.now()
    db.session().execute(
        insert(BindingTries)
        .values([{"key_hash": key, "failed": 0, "first_at": now, "last_at": now} for key in sorted(keys)])
        .on_conflict_do_nothing(index_elements=["key_hash"])
    )
    rows = {
        row.key_hash: row
        for row in db.session().scalars(
            select(BindingTries)
            .where(BindingTries.key_hash.in_(keys))
            .order_by(BindingTries.key_hash)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }

    def left(key: bytes) -> int:
        until = rows[key].locked_until
        return int((until - now).total_seconds()) + 1 if until is not None and until > now else 0

    return Locked(left(keys.resident), bool(left(keys.house) or left(keys.name)))


def count_wrong(keys: Keys) -> None:
    """Add a wrong try to each; `look` has locked them."""
    now = clock.now()
    for key, limit in ((keys.resident, RESIDENT), (keys.house, HOUSE), (keys.name, NAME)):
        row = db.session().get_one(BindingTries, key)
        if now - row.first_at > WINDOW:
            row.failed, row.first_at = 0, now
        row.failed += 1
        row.last_at = now
        if row.failed >= limit.tries:
            row.failed, row.first_at = 0, now
            row.locked_until = now + limit.lock


def forget(*, before: datetime) -> int:
    """Delete counts that nothing was added to since; how many."""
    result = db.session().execute(
        delete(BindingTries).where(BindingTries.last_at < before).execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
