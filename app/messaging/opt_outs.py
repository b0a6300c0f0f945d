"""Numbers whose owners want no messages (回复 R 或 TD 退订). What must reach them is said in `must_go_out`."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert

from app import audit, clock, crypto, db, ids
from app.messaging import columns
from app.messaging.sms_models import OptOut, OptOutSource, TemplateKind
from app.people.scopes import StaffActor
from app.places import identity

# Of these every owner is told, whatever she wishes, when the decision has effect in law.
_OF_DECISIONS = frozenset(
    {
        TemplateKind.DECISION_ANNOUNCED,
        TemplateKind.DECISION_OPENED,
        TemplateKind.DECISION_EXTENDED,
        TemplateKind.DECISION_RESULT,
    }
)
WORDS = frozenset({"R", "TD", "T", "N", "退订"})
_OPTED_OUT = text(
    "SELECT o.phone_hash FROM unnest(" + columns.unnested(hashes="bytea") + ") AS asked (h)"  # noqa: S608  columns and types from here
    " JOIN opt_outs AS o ON o.phone_hash = h"
)
_STOPPED = db.Plain(
    "SELECT array_agg(o.phone_hash) FROM opt_outs AS o"  # noqa: S608  columns and types from here
    " WHERE o.phone_hash = ANY(" + columns.unnested(hashes="bytea") + ")"
)


def must_go_out(kind: str, *, must_reach: bool) -> bool:
    """Does a message of this kind go also to who opted out? `must_reach`: its audience are the owners of a decision
    above `poll`. Reminders, tickets, notices and revenue never do.
    """
    return kind == TemplateKind.EMERGENCY or (kind in _OF_DECISIONS and must_reach)


def says_stop(text: str) -> bool:
    """Is an answer to a message the wish for no more? However a Chinese keyboard writes it: full width, with a full
    stop, or the whole of 回复TD退订.
    """
    letters = "".join(ch for ch in unicodedata.normalize("NFKC", text).upper() if ch.isalnum())
    word = letters.removeprefix("回复")
    return word in WORDS or word.replace("退订", "", 1) in WORDS


def opted_out(phone_hashes: Collection[bytes]) -> set[bytes]:
    """Those of these numbers that opted out."""
    if not phone_hashes:
        return set()
    return set(db.session().scalars(_OPTED_OUT, {"hashes": columns.binary(phone_hashes)}))


def opted_out_now(phone_hashes: Collection[bytes]) -> set[bytes]:
    """The same outside a unit of work, at little cost: asked for each batch on its way out."""
    row = _STOPPED.ask({"hashes": columns.binary(phone_hashes)}) if phone_hashes else None
    return set(row[0] or ()) if row is not None else set()


def of(phone: str) -> OptOut | None:
    """The opt-out of a number."""
    return db.session().get(OptOut, identity.phone_hash(phone))


def opt_out(
    phone: str, *, source: OptOutSource, word: str | None = None, entered_by: UUID | None = None
) -> bool:
    """No more messages to this number (11 digits); False when that was known already."""
    added = db.session().scalar(
        insert(OptOut)
        .values(
            phone_hash=identity.phone_hash(phone),
            phone_sealed=crypto.keys().encrypt(phone.encode(), "opt_out"),
            source=source,
            word=word[:8] if word is not None else None,
            entered_by=entered_by,
            at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["phone_hash"])
        .returning(OptOut.at)
    )
    return added is not None


def enter(phone: str, *, acting_user: StaffActor) -> bool:
    """Somebody said at the desk that she wants no messages; audited. False when that was known already."""
    added = opt_out(phone, source=OptOutSource.DESK, entered_by=acting_user.id)
    _record("sms.opted_out", acting_user)
    return added


def withdraw(phone: str, *, acting_user: StaffActor) -> bool:
    """She wants messages again; audited. False when she had not opted out."""
    gone = db.session().scalar(
        delete(OptOut).where(OptOut.phone_hash == identity.phone_hash(phone)).returning(OptOut.at)
    )
    _record("sms.opted_in", acting_user)
    return gone is not None


def _record(action: str, staff: StaffActor) -> None:
    # The number itself never stands in the log; who entered what, and when, is enough to ask about it.
    audit.record(
        staff.actor,
        action,
        community_id=ids.lane_of(staff.id),
        object_kind="opt_out",
        object_id=None,
    )
