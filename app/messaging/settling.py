"""What became of messages whose fate is unknown: the vendor's own record is asked, or its receipt awaited.

Nothing goes out again before that. "Not listed" counts only once the settle time has passed since the call, and only
where the vendor lists what it took; then the message is queued anew, in a batch with a name of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.types import SmallInteger, String

from app import clock, crypto, db
from app.ids import Ref
from app.messaging import pipeline

# A call may have reached the vendor after midnight although it began before.
_OVER_MIDNIGHT = timedelta(minutes=2)
# Seconds between two questions about a batch, growing; the vendor's record lags by seconds to minutes.
_PAUSES = (5, 10, 20, 40, 60, 120, 300, 600, 1800, 3600)
# A text that nobody takes, halved again and again: ten halvings of 1,000, and some for calls that failed otherwise.
MOST_TRIES = 16
# How far back the vendors' records go, in days: after that nothing more will be learnt.
RECORD_DAYS = {"aliyun": 30, "tencent": 7}


class UnknownBatch(NamedTuple):
    """A batch to be asked about, held until its lease ends. `asked`: how often it was before."""

    ref: Ref
    provider: str
    asked: int
    sent_at: datetime
    settle_after: datetime
    who: str


class Question(NamedTuple):
    """A number of it whose fate isn't known."""

    id: UUID
    phone: str
    attempts: int
    fault: str | None
    vendor_id: str | None


class Finding(NamedTuple):
    """What the vendor's record says of a message: `accepted`, `delivered` or `failed`."""

    id: UUID
    state: str
    code: str
    vendor_id: str | None = None
    segments: int | None = None


_EXPIRE = text(
    """
    WITH stuck AS (
        SELECT b.id FROM sms_batches AS b
        WHERE b.community_id = :community_id AND b.state = 'sending' AND b.lease_until <= :now
        FOR UPDATE SKIP LOCKED
    ), turned AS (
        UPDATE sms_messages AS m SET state = 'unknown', code = 'no outcome recorded', fault = 'vendor'
        FROM stuck WHERE m.community_id = :community_id AND m.batch_id = stuck.id AND m.state = 'sending'
        RETURNING m.id
    )
    UPDATE sms_batches AS b
    SET state = 'unknown', lease_until = NULL, leased_by = NULL, not_before = :now, code = 'no outcome recorded'
    FROM stuck
    WHERE b.community_id = :community_id AND b.id = stuck.id AND (SELECT count(*) FROM turned) >= 0
    RETURNING b.id
    """
)


def expire(community_id: int) -> int:
    """Batches that were begun and whose worker never came back are unknown from now on; how many."""
    rows = db.session().execute(_EXPIRE, {"community_id": community_id, "now": clock.now()})
    return len(rows.all())


_LEASE = text(
    """
    WITH due AS (
        SELECT b.id FROM sms_batches AS b
        WHERE b.community_id = :community_id AND b.state = 'unknown' AND b.not_before <= :now
          AND (b.lease_until IS NULL OR b.lease_until <= :now)
        ORDER BY b.not_before LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE sms_batches AS b SET lease_until = :until, leased_by = :who
    FROM due WHERE b.community_id = :community_id AND b.id = due.id
    RETURNING b.id, b.provider_code, b.sent_at, b.settle_after
    """
)


def lease(community_id: int, *, most: int, seconds: int, who: str) -> list[UnknownBatch]:
    """Up to `most` batches to be asked about now, held for `seconds` by `who`."""
    now = clock.now()
    until = now + timedelta(seconds=seconds)
    given = {"community_id": community_id, "now": now, "until": until, "who": who, "most": most}
    return [
        UnknownBatch(
            Ref(community_id, id_), provider or "", _asked(now - sent_at), sent_at, settle_after or now, who
        )
        for id_, provider, sent_at, settle_after in db.session().execute(_LEASE, given)
    ]


def _asked(age: timedelta) -> int:
    """How many questions the pauses make of that time."""
    passed, seconds = 0, age.total_seconds()
    for pause in _PAUSES:
        seconds -= pause
        if seconds < 0:
            return passed
        passed += 1
    return passed


def questions(batch: UnknownBatch) -> list[Question]:
    """Its messages whose fate is open."""
    rows = db.session().execute(
        text(
            "SELECT m.id, m.phone_sealed, m.attempts, m.fault, m.vendor_id FROM sms_messages AS m"
            " WHERE m.community_id = :community_id AND m.batch_id = :id AND m.state IN ('unknown', 'sending')"
            " ORDER BY m.id"
        ),
        {"community_id": batch.ref.community_id, "id": batch.ref.id},
    )
    keys = crypto.keys()
    return [
        Question(id_, keys.decrypt(sealed, f"sms_phone:{id_}").decode(), attempts, fault, vendor_id)
        for id_, sealed, attempts, fault, vendor_id in rows
    ]


def days(sent_at: datetime) -> list[date]:
    """The days in Shanghai on which the vendor may have listed what was sent then."""
    first = clock.in_shanghai(sent_at).date()
    last = clock.in_shanghai(sent_at + _OVER_MIDNIGHT).date()
    return [first] if first == last else [first, last]


_FOUND = text(
    """
    WITH told AS (
        SELECT * FROM unnest(:ids, :states, :codes, :vendor_ids, :segments) AS t(id, state, code, vendor_id, segments)
    )
    UPDATE sms_messages AS m
    SET state = told.state, code = told.code, fault = NULL, vendor_id = coalesce(m.vendor_id, told.vendor_id),
        segments = coalesce(m.segments, told.segments),
        settled_at = CASE WHEN told.state IN ('delivered', 'failed') THEN :now ELSE m.settled_at END
    FROM told
    WHERE m.community_id = :community_id AND m.id = told.id AND m.state IN ('sending', 'unknown', 'accepted')
    RETURNING m.id
    """
).bindparams(
    bindparam("ids", type_=ARRAY(PG_UUID(as_uuid=True))),
    bindparam("states", type_=ARRAY(String)),
    bindparam("codes", type_=ARRAY(String)),
    bindparam("vendor_ids", type_=ARRAY(String)),
    bindparam("segments", type_=ARRAY(SmallInteger)),
)


def found(community_id: int, findings: Sequence[Finding]) -> int:
    """Write what the vendor's record says; how many messages it changed. Final states stay."""
    if not findings:
        return 0
    rows = db.session().execute(
        _FOUND,
        {
            "community_id": community_id,
            "now": clock.now(),
            "ids": [f.id for f in findings],
            "states": [f.state for f in findings],
            "codes": [f.code[:80] for f in findings],
            "vendor_ids": [f.vendor_id for f in findings],
            "segments": [f.segments for f in findings],
        },
    )
    return len(rows.all())


def settle(
    batch: UnknownBatch,
    findings: Sequence[Finding],
    absent: Sequence[Question],
    *,
    asked_at: datetime,
    is_whole: bool = True,
) -> None:
    """Write what was found; send again what surely never left; ask again later about the rest.

    `absent`: what the vendor's record doesn't list although it would by now. `asked_at`: when the first of the
    questions was put; before the settle time "not listed" means nothing. `is_whole` False: there was no time for
    all of them: the others are due at once.
    """
    now = clock.now()
    if not _hold(batch):
        return
    found(batch.ref.community_id, findings)
    if absent and asked_at >= batch.settle_after:
        _again(batch, absent)
    left = db.session().scalar(
        text(
            "SELECT count(*) FROM sms_messages AS m WHERE m.community_id = :community_id AND m.batch_id = :id"
            " AND m.state IN ('unknown', 'sending')"
        ),
        {"community_id": batch.ref.community_id, "id": batch.ref.id},
    )
    is_over = not left or now - batch.sent_at > timedelta(days=RECORD_DAYS.get(batch.provider, 7))
    pause = timedelta(seconds=_PAUSES[min(batch.asked, len(_PAUSES) - 1)])
    # The question that counts is put as soon as it does.
    due = batch.settle_after if now < batch.settle_after < now + pause else now + pause
    due = due if is_whole else now
    db.session().execute(
        text(
            "UPDATE sms_batches AS b SET lease_until = NULL, leased_by = NULL, not_before = :due,"
            " state = CASE WHEN :is_over THEN 'done' ELSE 'unknown' END,"
            " done_at = CASE WHEN :is_over THEN :now ELSE b.done_at END"
            " WHERE b.community_id = :community_id AND b.id = :id AND b.state = 'unknown'"
        ),
        {
            "community_id": batch.ref.community_id,
            "id": batch.ref.id,
            "is_over": is_over,
            "now": now,
            "due": due,
        },
    )


def _hold(batch: UnknownBatch) -> bool:
    """Is the batch still ours? Locks it, so that two who settle it don't both send it again."""
    held = db.session().scalar(
        text(
            "SELECT b.id FROM sms_batches AS b WHERE b.community_id = :community_id AND b.id = :id"
            " AND b.state = 'unknown' AND b.leased_by = :who FOR UPDATE"
        ),
        {"community_id": batch.ref.community_id, "id": batch.ref.id, "who": batch.who},
    )
    return held is not None


def _again(batch: UnknownBatch, absent: Sequence[Question]) -> None:
    """Queue what never left. What one number may have spoilt for all goes out in halves; what has been tried too often
    has failed; of a campaign that was cancelled meanwhile nothing goes out.
    """
    now = clock.now()
    state = db.session().scalar(
        text(
            "SELECT p.state FROM campaign_parts AS p JOIN sms_batches AS b"
            " ON b.community_id = p.community_id AND b.campaign_id = p.campaign_id"
            " WHERE p.community_id = :community_id AND b.community_id = :community_id AND b.id = :id"
            " FOR SHARE OF p"  # who cancels it waits, and then finds the new batch
        ),
        {"community_id": batch.ref.community_id, "id": batch.ref.id},
    )
    if state == "cancelled":
        _end(batch, [q.id for q in absent], "cancelled", now)
        return
    _end(batch, [q.id for q in absent if q.attempts >= MOST_TRIES], "failed", now)
    fresh = [q for q in absent if q.attempts < MOST_TRIES]
    spoilt = any(q.fault in {"number", "cap"} for q in fresh)
    size = (len(fresh) + 1) // 2 if spoilt and len(fresh) > 1 else len(fresh)
    for start in range(0, len(fresh), max(1, size)):
        pipeline.new_batch(
            batch.ref, [q.id for q in fresh[start : start + size]], was=("unknown", "sending"), not_before=now
        )


def _end(batch: UnknownBatch, messages: Sequence[UUID], state: str, now: datetime) -> None:
    if not messages:
        return
    db.session().execute(
        text(
            "UPDATE sms_messages AS m SET state = :state, settled_at = :now WHERE m.community_id = :community_id"
            " AND m.batch_id = :id AND m.id = ANY(:ids) AND m.state IN ('unknown', 'sending')"
        ).bindparams(bindparam("ids", type_=ARRAY(PG_UUID(as_uuid=True)))),
        {
            "community_id": batch.ref.community_id,
            "id": batch.ref.id,
            "ids": list(messages),
            "state": state,
            "now": now,
        },
    )


# --- receipts that never came ----------------------------------------------------------------------------

# How long a receipt may take before the vendor's record is asked; then again after as long as has passed.
PATIENCE = timedelta(hours=1)
_UNREPORTED = text(
    """
    SELECT b.community_id, b.id, b.provider_code, b.sent_at FROM sms_batches AS b
    WHERE b.state = 'done' AND b.not_before <= :now AND b.sent_at BETWEEN :oldest AND :patient
      AND EXISTS (SELECT FROM sms_messages AS m
                  WHERE m.community_id = b.community_id AND m.batch_id = b.id AND m.state = 'accepted')
    ORDER BY b.not_before LIMIT :most
    """
)


def unreported(*, most: int) -> list[UnknownBatch]:
    """Batches of which receipts are missing and whose vendor can still be asked; across communities."""
    now = clock.now()
    rows = db.session().execute(
        _UNREPORTED.execution_options(cross_community="periodic jobs"),
        {
            "now": now,
            "oldest": now - timedelta(days=max(RECORD_DAYS.values())),
            "patient": now - PATIENCE,
            "most": most,
        },
    )
    return [
        UnknownBatch(Ref(community_id, id_), provider, 0, sent_at, now, "")
        for community_id, id_, provider, sent_at in rows
        if now - sent_at < timedelta(days=RECORD_DAYS.get(provider, 7))
    ]


def unreported_of(batch: UnknownBatch) -> list[Question]:
    """Its messages without a receipt."""
    rows = db.session().execute(
        text(
            "SELECT m.id, m.phone_sealed, m.attempts, m.fault, m.vendor_id FROM sms_messages AS m"
            " WHERE m.community_id = :community_id AND m.batch_id = :id AND m.state = 'accepted' ORDER BY m.id"
        ),
        {"community_id": batch.ref.community_id, "id": batch.ref.id},
    )
    keys = crypto.keys()
    return [
        Question(id_, keys.decrypt(sealed, f"sms_phone:{id_}").decode(), attempts, fault, vendor_id)
        for id_, sealed, attempts, fault, vendor_id in rows
    ]


def reconciled(batch: UnknownBatch, findings: Sequence[Finding]) -> None:
    """Write what the record says; ask again after as long as has passed since the sending."""
    now = clock.now()
    found(batch.ref.community_id, [f for f in findings if f.state != "accepted"])
    db.session().execute(
        text(
            "UPDATE sms_batches AS b SET not_before = :due"
            " WHERE b.community_id = :community_id AND b.id = :id AND b.state = 'done'"
        ),
        {
            "community_id": batch.ref.community_id,
            "id": batch.ref.id,
            "due": now + max(PATIENCE, now - batch.sent_at),
        },
    )
