"""Receipts and replies: stored raw before they are acknowledged, applied in a job, many at once.

Nobody signs a push, so it is believed only of messages that are ours, and only forwards: what is final stays final, the
first word counts. A receipt may come before our own record of the call, late, twice, or for what we never sent.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import String

from app import clock, crypto, db, ids, queue
from app.ids import Ref
from app.messaging import columns, opt_outs
from app.messaging.inbound_models import InboundState
from app.messaging.sms_models import OptOutSource
from app.places import identity

log = logging.getLogger(__name__)

# A receipt may be here before our record of the call that it is about.
_PAUSES = (2, 10, 60, 600, 3600)
Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

_tokens: tuple[bytes, ...] = ()
_networks: Networks = ()


class Push(NamedTuple):
    """A stored push, held by the caller until its lease ends."""

    id: UUID
    vendor: str
    kind: str
    body: bytes
    attempts: int


class Report(NamedTuple):
    """One entry of a report. `batch`: ours, where the entry names it; else the vendor's own number has to tell."""

    batch: Ref | None
    vendor_id: str | None
    phone: str
    state: str
    code: str
    segments: int | None


class Tally(NamedTuple):
    """What became of the entries of a push; see `SmsInbound`."""

    known: int = 0
    again: int = 0
    strange: int = 0
    against: int = 0
    unread: int = 0


def configure(tokens: Sequence[str], networks: Networks) -> None:
    """The secrets in the callbacks' addresses (the newest and, while they rotate, the one before), and from which
    networks they may be called; none: from any (called once by `app.boot`).
    """
    global _tokens, _networks
    _tokens, _networks = tuple(token.encode() for token in tokens), tuple(networks)


def is_expected(token: str, address: str | None) -> bool:
    """Does this caller know a secret of ours, and come from where the vendors do? Takes the same time for any guess."""
    given = token.encode("utf-8", "replace")
    knows = False
    for one in _tokens:
        knows = hmac.compare_digest(one, given) or knows
    return knows and _is_allowed(address)


def _is_allowed(address: str | None) -> bool:
    if not _networks:
        return True
    try:
        at = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return any(at in network for network in _networks)


_STORE = db.Plain(
    "INSERT INTO sms_inbound (id, vendor, kind, sealed, not_before, received_at)"
    " VALUES (:id, :vendor, :kind, :sealed, :now, :now) RETURNING id"
)


_BROUGHT_FORWARD = text(
    "UPDATE sms_inbound SET received_at = least(received_at, :now), not_before = least(not_before, :now),"
    " lease_until = CASE WHEN lease_until > :long THEN CAST(:now AS timestamptz) ELSE lease_until END"
    " WHERE sms_inbound.state = 'waiting' AND (received_at > :soon OR lease_until > :long)"
)


def bring_forward() -> int:
    """Pushes that a clock put off that was ahead are due; how many."""
    result = db.session().execute(_BROUGHT_FORWARD, clock.made_ahead())
    return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult


def store(vendor: str, kind: str, body: bytes) -> None:
    """Keep a push before it is acknowledged; whatever it is. One statement, committed by itself.

    The bell is rung for the first push of a second at most: those that follow are applied with it.
    """
    id_, now = ids.new_id(), clock.now()
    sealed = crypto.keys().encrypt(body, f"sms_inbound:{id_}")
    _STORE.row({"id": id_, "vendor": vendor, "kind": kind, "sealed": sealed, "now": now})
    queue.ring_once(queue.Queue.DEFAULT, queue.Job.DRAIN_INBOUND, every_ms=1000)


# Who finds another one at it waits a moment, instead of skipping what that one holds: two who lease at the same time
# would divide the pushes like a shuffled pack, and a later word about a message might be the first to be applied.
_LEASE = text(
    """
    WITH due AS (
        SELECT i.id FROM sms_inbound i
        WHERE i.state = 'waiting' AND i.not_before <= :now AND (i.lease_until IS NULL OR i.lease_until <= :now)
        ORDER BY i.not_before, i.id LIMIT :most FOR UPDATE
    )
    UPDATE sms_inbound AS i SET lease_until = :until, attempts = i.attempts + 1
    FROM due WHERE i.id = due.id
    RETURNING i.id, i.vendor, i.kind, i.sealed, i.attempts
    """
)


def lease(*, most: int, seconds: int) -> list[Push]:
    """Up to `most` pushes that wait, the oldest first, held for `seconds`."""
    now = clock.now()
    rows = db.session().execute(_LEASE, {"now": now, "until": now + timedelta(seconds=seconds), "most": most})
    keys = crypto.keys()
    pushes = [
        Push(id_, vendor, kind, keys.decrypt(sealed, f"sms_inbound:{id_}"), attempts)
        for id_, vendor, kind, sealed, attempts in rows
    ]
    return sorted(pushes, key=lambda push: push.id)


def are_due() -> bool:
    """Is a push waiting? For the sweeper."""
    found = db.session().scalar(
        text(
            "SELECT 1 FROM sms_inbound i WHERE i.state = 'waiting' AND i.not_before <= :now"
            " AND (i.lease_until IS NULL OR i.lease_until <= :now) LIMIT 1"
        ),
        {"now": clock.now()},
    )
    return found is not None


# The entries that changed nothing come back by their place; `told` counts each message once.
_APPLY = text(
    f"""
    WITH told AS (
        SELECT DISTINCT ON (t.batch_id, t.phone_hash) t.*
        FROM unnest({columns.unnested(batches="uuid", hashes="bytea", states="text", codes="text")},
                    {columns.unnested(vendor_ids="text", segments="smallint")})
             WITH ORDINALITY AS t(batch_id, phone_hash, state, code, vendor_id, segments, at)
        ORDER BY t.batch_id, t.phone_hash, t.at
    ), written AS (
        UPDATE sms_messages AS m
        SET state = told.state, code = coalesce(told.code, ''), settled_at = :now,
            fault = CASE WHEN told.state = 'failed' THEN 'number' END,
            vendor_id = coalesce(m.vendor_id, told.vendor_id), segments = coalesce(told.segments, m.segments)
        FROM told
        WHERE m.community_id = :community_id AND m.batch_id = told.batch_id AND m.phone_hash = told.phone_hash
          AND m.batch_id = ANY({columns.unnested(these="uuid")})
          AND m.state IN ('queued', 'sending', 'accepted', 'unknown')
        RETURNING told.at
    )
    SELECT (SELECT count(*) FROM told),
           ARRAY(SELECT told.at FROM told WHERE told.at NOT IN (SELECT written.at FROM written) ORDER BY told.at)
    """  # noqa: S608  columns and types from here
)
_STAND = text(
    f"""
    SELECT t.at, m.id, m.state, m.batch_id = t.batch_id AS is_same
    FROM unnest({columns.unnested(batches="uuid", hashes="bytea")})
         WITH ORDINALITY AS t(batch_id, phone_hash, at)
    JOIN sms_batches AS b ON b.community_id = :community_id AND b.id = t.batch_id
    JOIN sms_messages AS m ON m.community_id = b.community_id AND m.campaign_id = b.campaign_id
                       AND m.phone_hash = t.phone_hash
    WHERE m.community_id = :community_id
    """  # noqa: S608  columns and types from here
)


def apply(community_id: int, reports: Sequence[Report]) -> Tally:
    """Write the fate of messages of one community; all of `reports` name a batch. In the caller's transaction."""
    keyed = [(r, r.batch.id, identity.phone_hash(r.phone)) for r in reports if r.batch is not None]
    if not keyed:
        return Tally()
    asked = {
        "community_id": community_id,
        "now": clock.now(),
        "batches": columns.uuids(batch_id for _, batch_id, _ in keyed),
        "these": columns.uuids({batch_id for _, batch_id, _ in keyed}),
        "hashes": columns.binary(phone_hash for _, _, phone_hash in keyed),
        "states": columns.texts(report.state for report, _, _ in keyed),
        "codes": columns.texts(columns.plain(report.code)[:80] for report, _, _ in keyed),
        "vendor_ids": columns.texts(columns.plain(report.vendor_id or "")[:64] for report, _, _ in keyed),
        "segments": columns.texts(str(report.segments or "") for report, _, _ in keyed),
    }
    # By old statistics a campaign's messages are few, and each receipt would be looked up among all of them.
    with db.in_bulk():
        told, unmoved = db.session().execute(_APPLY, asked).one()
    so_far = Tally(known=told - len(unmoved), again=len(keyed) - told)
    return _stand(community_id, [keyed[at - 1] for at in unmoved], so_far) if unmoved else so_far


def _stand(community_id: int, others: Sequence[tuple[Report, UUID, bytes]], so_far: Tally) -> Tally:
    """What the entries that changed nothing mean: told before, against what is final, about an earlier attempt, or not
    ours at all.
    """
    found = db.session().execute(
        _STAND,
        {
            "community_id": community_id,
            "batches": columns.uuids(batch_id for _, batch_id, _ in others),
            "hashes": columns.binary(phone_hash for _, _, phone_hash in others),
        },
    )
    tally = Counter(so_far._asdict())
    seen: set[int] = set()
    for at, message_id, state, is_same in found:
        seen.add(at)
        report = others[at - 1][0]
        if not is_same and state == "queued" and report.state == "delivered":
            # An attempt that was settled as not sent arrived after all: what was to go out again must not.
            tally["known" if _stop(community_id, message_id, report) else "again"] += 1
        elif state == report.state or (not is_same and report.state == "failed"):
            # Told before; or that an earlier attempt failed, which is why there is another one.
            tally["again"] += 1
        else:
            tally["against"] += 1
            log.warning(
                "a receipt says %s of a message that is %s",
                report.state,
                state,
                extra={"message_id": str(message_id), "community_id": community_id},
            )
    tally["strange"] += len(others) - len(seen)
    return Tally(**tally)


def _stop(community_id: int, message_id: UUID, report: Report) -> bool:
    rows = db.session().execute(
        text(
            "UPDATE sms_messages AS m SET state = :state, code = :code, settled_at = :now"
            " WHERE m.community_id = :community_id AND m.id = :id AND m.state = 'queued' RETURNING m.id"
        ),
        {
            "community_id": community_id,
            "id": message_id,
            "state": report.state,
            "code": report.code[:80],
            "now": clock.now(),
        },
    )
    return rows.first() is not None


# --- the vendor's own numbers ----------------------------------------------------------------------------


def remember(batch: Ref, serials: Iterable[str]) -> None:
    """The vendor's numbers for messages of this batch, so that receipts without our name find it."""
    serials = sorted(set(serials))
    if serials:
        db.session().execute(
            text(
                "INSERT INTO sms_serials (serial, community_id, batch_id, created_at)"
                " SELECT s, :community_id, :batch_id, :now FROM unnest(:serials) AS s ON CONFLICT DO NOTHING"
            ).bindparams(bindparam("serials", type_=ARRAY(String))),
            {
                "community_id": batch.community_id,
                "batch_id": batch.id,
                "serials": serials,
                "now": clock.now(),
            },
        )


def batches_of(serials: Iterable[str]) -> dict[str, Ref]:
    """Which batch these numbers of a vendor's mean; those nobody knows are absent."""
    rows = db.session().execute(
        text(
            "SELECT s.serial, s.community_id, s.batch_id FROM sms_serials s WHERE s.serial = ANY(:serials)"
        ).bindparams(bindparam("serials", type_=ARRAY(String))),
        {"serials": sorted(set(serials))},
    )
    return {serial: Ref(community_id, batch_id) for serial, community_id, batch_id in rows}


# --- replies ---------------------------------------------------------------------------------------------


def answered(phone: str, said: str) -> bool:
    """Somebody answered a message. True when it is the wish for no more, and was not known."""
    if not opt_outs.says_stop(said):
        return False
    return opt_outs.opt_out(phone, source=OptOutSource.REPLY, word=said.strip().upper())


# --- the end of a push -----------------------------------------------------------------------------------


class Ended(NamedTuple):
    """A push that was applied. `may_be_early`: entries named a number nobody knows yet; then it is applied once more,
    a few times, because our own record may be on its way.
    """

    push: Push
    tally: Tally
    may_be_early: bool


_FINISH = text(
    "UPDATE sms_inbound AS i SET state = :state, lease_until = NULL, not_before = :due, applied_at = :now,"
    " known = i.known + :known, again = :again, strange = :strange, against = :against, unread = :unread"
    " WHERE i.id = :id AND i.attempts = :attempts AND i.state = 'waiting'"
)


def finish(ended: Sequence[Ended]) -> None:
    """These pushes are done with, or wait for another time."""
    if ended:
        db.session().execute(_FINISH, [_end(*one, now=clock.now()) for one in ended])


def _end(push: Push, tally: Tally, may_be_early: bool, *, now: datetime) -> dict[str, Any]:
    again = may_be_early and push.attempts <= len(_PAUSES)
    read = tally.known + tally.again + tally.strange + tally.against
    state = InboundState.MALFORMED if tally.unread and not read else InboundState.APPLIED
    return {
        **tally._asdict(),
        "id": push.id,
        "attempts": push.attempts,
        "state": (InboundState.WAITING if again else state).value,
        "due": now + timedelta(seconds=_PAUSES[min(push.attempts, len(_PAUSES)) - 1]),
        "now": now,
    }
