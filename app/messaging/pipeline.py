"""Sending: batches are leased, begun just before their call, and their outcome is written the moment it is known.

A batch that was leased and not begun has surely not left, so whoever comes next may take it. One that was begun and has
no outcome may have left: it is *unknown* (`app.messaging.settling`) and never sent again before that is settled.
Every change of a message is fenced by its state, every change of a batch by its `attempts`: a worker that slept too
long changes nothing that another one did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.types import String

from app import clock, crypto, db, ids
from app.ids import Ref
from app.messaging import audience, columns, opt_outs, providers
from app.messaging.campaign_models import Campaign
from app.messaging.sms_models import SmsTemplate

# What the vendor puts off again and again is tried for so long, and at least so often; after that many tries slowly.
GIVE_UP_AFTER = timedelta(days=3)
MOST_TRIES = 40
_SLOW_S = 600
# Seconds until the next try of what was surely not sent, by who could help; twice as long each time, up to the second.
_PAUSES = {
    "rate": (1, 10),
    "vendor": (2, 60),
    "account": (60, 600),
    "cap": (600, 21_600),
    "message": (3600, 3600),
}


class LeasedBatch(NamedTuple):
    """A batch this worker holds until its lease ends."""

    ref: Ref
    campaign_id: UUID
    attempts: int
    size: int
    is_personal: bool
    priority: int
    who: str
    created_at: datetime


class Route(NamedTuple):
    """How a campaign's text goes through one provider: values are put in the order of `order`."""

    provider: str
    weight: int
    calls_per_s: int
    most_same: int
    most_personal: int
    vendor_code: str
    sign: str
    names: tuple[str, ...]
    order: tuple[int, ...]
    most_a_day: int


class Part(NamedTuple):
    """What the batches of a campaign in one community have in common."""

    values: tuple[str | None, ...]
    routes: tuple[Route, ...]
    despite_opt_out: bool


class Outgoing(NamedTuple):
    """One message of a batch that was begun."""

    id: UUID
    phone: str
    values: tuple[str, ...]


class Result(NamedTuple):
    """What became of one message, in the words of `app.adapters.outcome`."""

    id: UUID
    outcome: str
    code: str
    fault: str | None = None
    vendor_id: str | None = None
    segments: int | None = None


# --- what is due -----------------------------------------------------------------------------------------

_DUE = text(
    """
    SELECT b.community_id, min(b.priority) AS first, bool_or(b.state = 'queued'), bool_or(b.state <> 'queued')
    FROM sms_batches AS b JOIN campaign_parts AS p USING (community_id, campaign_id)
    WHERE (b.lease_until IS NULL OR b.lease_until <= :now)
      AND ((b.state = 'queued' AND b.not_before <= :now AND p.state = 'running' AND (b.priority = 0 OR :is_open))
           OR (b.state = 'unknown' AND b.not_before <= :now)
           OR b.state = 'sending')
    GROUP BY b.community_id ORDER BY first, b.community_id
    """
)


class Due(NamedTuple):
    """A community in which something is due: to leave, to be settled, or both."""

    community_id: int
    to_send: bool
    to_settle: bool


def due_communities(*, is_open: bool) -> list[Due]:
    """Communities with something to send or to settle, the most urgent first. `is_open`: the hour allows more than
    emergencies. For the sweeper and the drain; across communities, without locks.
    """
    rows = db.session().execute(
        _DUE.execution_options(cross_community="sweeper"), {"now": clock.now(), "is_open": is_open}
    )
    return [Due(int(community_id), to_send, to_settle) for community_id, _, to_send, to_settle in rows]


def backlog() -> list[tuple[str, int]]:
    """(state, batches) of everything that isn't over; for /metrics."""
    rows = db.session().execute(
        text(
            "SELECT state, count(*) FROM sms_batches WHERE state IN ('queued', 'sending', 'unknown') GROUP BY state"
        ).execution_options(cross_community="metrics")
    )
    return [(state, batches) for state, batches in rows]


_LEASE = text(
    """
    WITH due AS (
        SELECT b.id
        FROM sms_batches AS b
        JOIN campaign_parts AS p ON p.community_id = b.community_id AND p.campaign_id = b.campaign_id
        WHERE b.community_id = :community_id AND b.state = 'queued' AND b.not_before <= :now
          AND (b.lease_until IS NULL OR b.lease_until <= :now)
          AND p.state = 'running' AND (b.priority = 0 OR :is_open)
        ORDER BY b.priority, b.not_before, b.id
        LIMIT :most FOR UPDATE OF b SKIP LOCKED
    )
    UPDATE sms_batches AS b SET lease_until = :until, leased_by = :who, attempts = b.attempts + 1
    FROM due WHERE b.community_id = :community_id AND b.id = due.id
    RETURNING b.id, b.campaign_id, b.attempts, b.size, b.is_personal, b.priority, b.created_at
    """
)


def lease(community_id: int, *, most: int, seconds: int, who: str, is_open: bool) -> list[LeasedBatch]:
    """Up to `most` batches of a community that may leave now, held for `seconds` by `who`; the urgent first."""
    now = clock.now()
    rows = db.session().execute(
        _LEASE,
        {
            "community_id": community_id,
            "now": now,
            "until": now + timedelta(seconds=seconds),
            "who": who,
            "most": most,
            "is_open": is_open,
        },
    )
    leased = [
        LeasedBatch(
            Ref(community_id, id_), campaign_id, attempts, size, is_personal, priority, who, created_at
        )
        for id_, campaign_id, attempts, size, is_personal, priority, created_at in rows
    ]
    return sorted(leased, key=lambda batch: (batch.priority, batch.ref.id))


_GIVE_BACK = text(
    """
    UPDATE sms_batches AS b SET lease_until = NULL, leased_by = NULL, attempts = b.attempts - 1
    WHERE b.community_id = :community_id AND b.id = ANY(:ids) AND b.state = 'queued' AND b.leased_by = :who
    """
).bindparams(bindparam("ids", type_=ARRAY(PG_UUID(as_uuid=True))))


def give_back(batches: Sequence[LeasedBatch]) -> None:
    """Not begun: anybody may lease them at once."""
    by_holder: dict[tuple[int, str], list[UUID]] = {}
    for batch in batches:
        by_holder.setdefault((batch.ref.community_id, batch.who), []).append(batch.ref.id)
    for (community_id, who), held in by_holder.items():
        db.session().execute(_GIVE_BACK, {"community_id": community_id, "ids": held, "who": who})


_BROUGHT_FORWARD = text(
    "UPDATE sms_batches SET created_at = least(created_at, :now),"
    " sent_at = CASE WHEN sent_at > :now THEN CAST(:now AS timestamptz) ELSE sent_at END,"
    # What waits for the hours in which texts may leave goes on waiting for them.
    " not_before = CASE WHEN state = 'unknown' OR not_before < created_at + interval '30 minutes'"
    " THEN least(not_before, :now) ELSE not_before END,"
    " lease_until = CASE WHEN lease_until > :long THEN CAST(:now AS timestamptz) ELSE lease_until END"
    " WHERE sms_batches.state IN ('queued', 'sending', 'unknown')"
    " AND (created_at > :soon OR sent_at > :soon OR lease_until > :long)"
)


def bring_forward() -> int:
    """Batches that a clock put off that was ahead are due; how many."""
    result = db.session().execute(
        _BROUGHT_FORWARD.execution_options(cross_community="a clock was set back"), clock.made_ahead()
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult


def part_of(batch: LeasedBatch) -> Part:
    """Values and routes of the batch's campaign: providers that are enabled and have an approved mapping.

    A mapping that doesn't fit the template's parameters, by name or by length, isn't a route.
    """
    row = (
        db.session()
        .execute(
            text(
                "SELECT p.template_id, p.params, p.home_id FROM campaign_parts AS p"
                " WHERE p.community_id = :community_id AND p.campaign_id = :campaign_id"
            ),
            {"community_id": batch.ref.community_id, "campaign_id": batch.campaign_id},
        )
        .one()
    )
    template = db.session().get_one(SmsTemplate, row.template_id)
    own = [str(parameter["name"]) for parameter in template.parameters]
    routes = []
    usable = providers.usable(template)
    most = providers.each_a_day(usable)
    for provider, mapping, _ in usable:
        assert mapping is not None
        names = tuple(map(str, mapping.parameters))
        routes.append(
            Route(
                provider=provider.code,
                weight=provider.weight,
                calls_per_s=provider.calls_per_s,
                most_same=provider.batch_same,
                most_personal=provider.batch_personal,
                vendor_code=mapping.vendor_code,
                sign=template.sign,
                names=names,
                order=tuple(own.index(name) for name in names),
                most_a_day=most[provider.code],
            )
        )
    campaign = db.session().get(Campaign, (row.home_id, batch.campaign_id))
    must_reach = campaign is not None and audience.of(campaign.audience["type"]).must_reach(
        campaign.audience["spec"]
    )
    despite = opt_outs.must_go_out(template.kind, must_reach=must_reach)
    return Part(tuple(row.params), tuple(routes), despite)


_QUEUED = text(
    "SELECT m.phone_hash FROM sms_messages AS m"
    " WHERE m.community_id = :community_id AND m.batch_id = :id AND m.state = 'queued'"
)
_MOST_OF_DAY = text(
    "SELECT max(d.count) FROM unnest(" + columns.unnested(hashes="bytea") + ") AS asked (h)"  # noqa: S608  columns and types from here
    " JOIN sms_number_days AS d ON d.phone_hash = h AND d.day = :day"
)


def with_room(batch: LeasedBatch, routes: Sequence[Route]) -> Sequence[Route]:
    """Of these routes those whose provider takes as many messages a day as any number of the batch gets today, this one
    included; all of them where none does. In a transaction.
    """
    if len({route.most_a_day for route in routes}) < 2:
        return routes
    given = {"community_id": batch.ref.community_id, "id": batch.ref.id}
    hashes = columns.binary(db.session().scalars(_QUEUED, given))
    day = clock.in_shanghai(clock.now()).date()
    most = db.session().scalar(_MOST_OF_DAY, {"hashes": hashes, "day": day}) or 0
    return [route for route in routes if route.most_a_day >= most] or routes


# --- one call --------------------------------------------------------------------------------------------

_BEGIN = db.Plain(
    """
    WITH begun AS (
        UPDATE sms_batches AS b
        SET state = 'sending', provider_code = :provider, sent_at = :now, settle_after = :settle_after, code = NULL
        WHERE b.community_id = :community_id AND b.id = :id AND b.state = 'queued'
          AND b.leased_by = :who AND b.attempts = :attempts AND b.lease_until >= :long_enough
          AND (b.priority = 0 OR :is_open)
          AND EXISTS (SELECT FROM campaign_parts AS p WHERE p.community_id = :community_id
                      AND p.campaign_id = b.campaign_id AND p.state = 'running')
        RETURNING b.id
    )
    UPDATE sms_messages AS m
    SET state = 'sending', provider_code = :provider, sent_at = :now, attempts = m.attempts + 1,
        code = NULL, fault = NULL, vendor_id = NULL
    FROM begun WHERE m.community_id = :community_id AND m.batch_id = begun.id AND m.state = 'queued'
    RETURNING m.id, m.phone_sealed, m.params, m.phone_hash
    """
)
# Nothing of it was handed to the vendor yet.
_SPARE = text(
    """
    UPDATE sms_messages AS m SET state = 'cancelled', code = 'opted_out', settled_at = :now
    WHERE m.community_id = :community_id AND m.batch_id = :id AND m.id = ANY(:ids) AND m.state = 'sending'
    """
).bindparams(bindparam("ids", type_=ARRAY(PG_UUID(as_uuid=True))))


def begin(
    batch: LeasedBatch, part: Part, route: Route, *, needs_s: float, settle_s: float, is_open: bool
) -> list[Outgoing]:
    """The messages to hand to the provider now; empty when the batch mustn't leave: the campaign doesn't run any more,
    the hour is over, or too little is left of the lease (`needs_s` is what a call may take).

    From here on it counts as sent until an outcome says otherwise. Who opted out since the message was written doesn't
    get it, unless it must go out. Commits by itself.
    """
    now = clock.now()
    rows = _BEGIN.rows(
        {
            "community_id": batch.ref.community_id,
            "id": batch.ref.id,
            "provider": route.provider,
            "now": now,
            "settle_after": now + timedelta(seconds=settle_s),
            "who": batch.who,
            "attempts": batch.attempts,
            "long_enough": now + timedelta(seconds=needs_s),
            "is_open": is_open,
        }
    )
    stopped = set() if part.despite_opt_out else opt_outs.opted_out_now([hash_ for *_, hash_ in rows])
    if stopped:
        spared = [id_ for id_, *_, hash_ in rows if hash_ in stopped]
        given = {"community_id": batch.ref.community_id, "id": batch.ref.id, "now": now}
        with db.statements() as connection:
            connection.execute(_SPARE, given | {"ids": spared})
    keys = crypto.keys()
    common = [(at, part.values[at] or "") for at in route.order]
    return [
        Outgoing(
            id=id_,
            phone=keys.decrypt(sealed, f"sms_phone:{id_}").decode(),
            values=_values(common, params),
        )
        for id_, sealed, params, phone_hash in rows
        if phone_hash not in stopped
    ]


def _values(common: Sequence[tuple[int, str]], own: Sequence[str | None] | None) -> tuple[str, ...]:
    """The values in the vendor's order; the message's own before those for everybody (place in `own`, value)."""
    if own is None:
        return tuple([value for _, value in common])
    return tuple([value if (mine := own[at]) is None else mine for at, value in common])


_RECORD = db.Plain(
    f"""
    WITH told AS (
        SELECT *
        FROM unnest({columns.unnested(ids="uuid", states="text", codes="text")},
                    {columns.unnested(faults="text", vendor_ids="text", segments="smallint")})
            AS t(id, state, code, fault, vendor_id, segments)
    ), written AS (
        UPDATE sms_messages AS m
        SET state = CASE WHEN m.state IN ('sending', 'unknown') THEN told.state ELSE m.state END,
            code = CASE WHEN m.state IN ('sending', 'unknown') THEN told.code ELSE m.code END,
            fault = CASE WHEN m.state IN ('sending', 'unknown') THEN told.fault ELSE m.fault END,
            settled_at = CASE WHEN m.state IN ('sending', 'unknown') AND told.state IN ('refused', 'failed')
                              THEN :now ELSE m.settled_at END,
            vendor_id = coalesce(told.vendor_id, m.vendor_id),
            segments = coalesce(m.segments, told.segments)
        FROM told
        WHERE m.community_id = :community_id AND m.id = told.id AND m.batch_id = :id
        RETURNING m.id
    )
    UPDATE sms_batches AS b
    SET state = :state, code = :code, lease_until = NULL, leased_by = NULL, not_before = :not_before,
        done_at = :done_at
    WHERE b.community_id = :community_id AND b.id = :id AND b.attempts = :attempts
      AND b.state IN ('sending', 'unknown') AND (SELECT count(*) FROM written) >= 0
    RETURNING b.id
    """  # noqa: S608  columns and types from here
)


def record(batch: LeasedBatch, results: Sequence[Result], *, first_question_s: float) -> None:
    """Write what became of each message of a batch that was begun. Not inside a transaction: commits by itself.

    What was surely not sent is queued again, after a pause; where that is only a part of the batch, `put_off` comes
    first. What is unknown waits to be settled, for the first time in `first_question_s`.
    """
    now = clock.now()
    outcomes = {result.outcome for result in results}
    worst = _word_of(results)
    states = {"accepted": "accepted", "refused": "refused", "unknown": "unknown", "throttled": "queued"}
    if outcomes == {"throttled"} and batch.attempts >= MOST_TRIES and now - batch.created_at >= GIVE_UP_AFTER:
        states["throttled"] = "failed"
    state = (
        "unknown"
        if "unknown" in outcomes
        else "queued"
        if "queued" in {states[o] for o in outcomes}
        else "done"
    )
    pause = _pause(results, batch.attempts) if state == "queued" else first_question_s
    _RECORD.row(
        {
            "community_id": batch.ref.community_id,
            "id": batch.ref.id,
            "attempts": batch.attempts,
            "now": now,
            "state": state,
            "done_at": now if state == "done" else None,
            "code": worst[:80],
            "not_before": now + timedelta(seconds=pause),
            "ids": columns.uuids(r.id for r in results),
            "states": columns.texts(states[r.outcome] for r in results),
            "codes": columns.texts(columns.plain(r.code)[:80] for r in results),
            "faults": columns.texts(r.fault or "" for r in results),
            "vendor_ids": columns.texts(columns.plain(r.vendor_id or "")[:64] for r in results),
            "segments": columns.texts(str(r.segments or "") for r in results),
        }
    )


def put_off(batch: LeasedBatch, results: Sequence[Result]) -> None:
    """Where only a part of a batch was surely not sent, that part gets a batch of its own, due after a pause: the
    vendor knows the name of this one. A second time there is nothing to do.
    """
    later = [r for r in results if r.outcome == "throttled"]
    if later and len(later) < len(results):
        _move(batch, later, clock.now())


def _word_of(results: Sequence[Result]) -> str:
    """What most of a batch's messages were answered, trouble before success."""
    trouble = Counter(r.code for r in results if r.outcome != "accepted")
    return (trouble or Counter(r.code for r in results)).most_common(1)[0][0]


def _pause(results: Sequence[Result], attempts: int) -> float:
    faults = {r.fault or "vendor" for r in results if r.outcome == "throttled"} or {"vendor"}
    pause = max(
        min(first * 2.0 ** min(attempts - 1, 12), longest)
        for first, longest in (_PAUSES.get(fault, _PAUSES["vendor"]) for fault in faults)
    )
    return pause if attempts < MOST_TRIES else max(pause, _SLOW_S)


def _move(batch: LeasedBatch, later: Sequence[Result], now: datetime) -> None:
    """The messages that were surely not sent leave this batch for one of their own. A second time there are none."""
    still = db.session().scalars(
        text(
            "SELECT m.id FROM sms_messages AS m WHERE m.community_id = :community_id AND m.batch_id = :id"
            " AND m.id = ANY(:ids) AND m.state = 'sending' FOR UPDATE"
        ).bindparams(bindparam("ids", type_=ARRAY(PG_UUID(as_uuid=True)))),
        {"community_id": batch.ref.community_id, "id": batch.ref.id, "ids": [r.id for r in later]},
    )
    messages = list(still)
    if not messages:
        return
    new_batch(
        batch.ref,
        messages,
        was=("sending",),
        not_before=now + timedelta(seconds=_pause(later, batch.attempts)),
        tried=batch.attempts,
    )


_NEW_BATCH = text(
    """
    WITH made AS (
        INSERT INTO sms_batches
            (community_id, id, campaign_id, state, priority, size, is_personal, attempts, not_before, created_at)
        SELECT b.community_id, :new_id, b.campaign_id, 'queued', b.priority, :size, b.is_personal, :tried,
               :not_before, b.created_at
        FROM sms_batches AS b WHERE b.community_id = :community_id AND b.id = :id
        RETURNING id
    )
    SELECT id FROM made
    """
)
_MOVE = text(
    """
    UPDATE sms_messages AS m SET batch_id = :new_id, state = 'queued'
    WHERE m.community_id = :community_id AND m.batch_id = :id AND m.id = ANY(:ids) AND m.state = ANY(:was)
    """
).bindparams(
    bindparam("ids", type_=ARRAY(PG_UUID(as_uuid=True))),
    bindparam("was", type_=ARRAY(String)),
)


def new_batch(
    old: Ref, messages: Sequence[UUID], *, was: Sequence[str], not_before: datetime, tried: int = 0
) -> UUID:
    """A batch of their own, as old as `old` and under a name the vendor hasn't heard, for those of its messages that
    are in one of the states `was`.
    """
    new_id = ids.new_id()
    given = {"community_id": old.community_id, "id": old.id, "new_id": new_id}
    made = {"size": len(messages), "tried": tried, "not_before": not_before}
    db.session().execute(_NEW_BATCH, given | made)
    db.session().execute(_MOVE, given | {"ids": list(messages), "was": list(was)})
    return new_id


def cut(batch: LeasedBatch, most: int) -> None:
    """Batches of at most `most` messages in the place of one that its provider doesn't take whole; all may be leased
    at once. The batch itself keeps the first ones.
    """
    rows = db.session().execute(
        text(
            "SELECT m.id FROM sms_messages AS m WHERE m.community_id = :community_id AND m.batch_id = :id"
            " AND m.state = 'queued' ORDER BY m.id"
        ),
        {"community_id": batch.ref.community_id, "id": batch.ref.id},
    )
    messages = [id_ for (id_,) in rows]
    now = clock.now()
    for start in range(most, len(messages), most):
        new_batch(batch.ref, messages[start : start + most], was=("queued",), not_before=now)
    db.session().execute(
        text(
            "UPDATE sms_batches AS b SET size = :size, lease_until = NULL, leased_by = NULL,"
            " attempts = b.attempts - 1 WHERE b.community_id = :community_id AND b.id = :id"
            " AND b.state = 'queued' AND b.leased_by = :who"
        ),
        {
            "community_id": batch.ref.community_id,
            "id": batch.ref.id,
            "who": batch.who,
            "size": min(most, len(messages)),
        },
    )


def not_begun(batch: LeasedBatch, *, why: str, pause_s: float) -> None:
    """It couldn't be begun (no provider, nothing left in it): due again after a pause, or done when it is empty.

    A batch whose campaign doesn't run keeps its turn and its count.
    """
    now = clock.now()
    left = db.session().scalar(
        text(
            "SELECT count(*) FROM sms_messages AS m WHERE m.community_id = :community_id AND m.batch_id = :id"
            " AND m.state IN ('queued', 'sending', 'unknown')"
        ),
        {"community_id": batch.ref.community_id, "id": batch.ref.id},
    )
    db.session().execute(
        text(
            "UPDATE sms_batches AS b SET lease_until = NULL, leased_by = NULL, attempts = b.attempts - 1,"
            " not_before = :not_before, code = :code,"
            " state = CASE WHEN :left = 0 THEN 'done' ELSE 'queued' END,"
            " done_at = CASE WHEN :left = 0 THEN :now ELSE b.done_at END"
            " WHERE b.community_id = :community_id AND b.id = :id AND b.attempts = :attempts"
            " AND (b.state = 'queued' OR (b.state = 'sending' AND :left = 0)) AND b.leased_by = :who"
        ),
        {
            "community_id": batch.ref.community_id,
            "id": batch.ref.id,
            "attempts": batch.attempts,
            "who": batch.who,
            "left": left,
            "now": now,
            "not_before": now + timedelta(seconds=pause_s),
            "code": why[:80],
        },
    )


def weights(routes: Sequence[Route], able: Mapping[str, Any]) -> dict[str, float]:
    """Provider → weight, of the routes whose vendor this process can speak to."""
    return {route.provider: float(route.weight) for route in routes if route.provider in able}


def drop_cancelled(batch: LeasedBatch) -> None:
    """What came back to be sent again although its campaign was cancelled meanwhile never will be."""
    given = {
        "community_id": batch.ref.community_id,
        "campaign_id": batch.campaign_id,
        "now": clock.now(),
    }
    db.session().execute(
        text(
            "WITH dropped AS ("
            " UPDATE sms_batches AS b SET state = 'cancelled', done_at = :now, lease_until = NULL"
            " WHERE b.community_id = :community_id AND b.campaign_id = :campaign_id AND b.state = 'queued'"
            " AND EXISTS (SELECT FROM campaign_parts AS p WHERE p.community_id = :community_id"
            " AND p.campaign_id = :campaign_id AND p.state = 'cancelled') RETURNING b.id)"
            " UPDATE sms_messages AS m SET state = 'cancelled', settled_at = :now FROM dropped"
            " WHERE m.community_id = :community_id AND m.batch_id = dropped.id AND m.state = 'queued'"
        ),
        given,
    )


# --- gaps ------------------------------------------------------------------------------------------------


def mend(community_id: int) -> int:
    """Messages of running campaigns that no batch would ever carry to an end: those still queued get a batch, those
    being sent are unknown. No step leaves such a thing behind; this finds it if one does. How many batches it touched.
    """
    gaps = (
        db.session()
        .execute(
            text(
                "SELECT m.batch_id, m.state, array_agg(m.id) FROM campaign_parts AS p"
                " JOIN sms_batches AS b ON b.community_id = p.community_id AND b.campaign_id = p.campaign_id"
                " JOIN sms_messages AS m ON m.community_id = b.community_id AND m.batch_id = b.id"
                " WHERE p.community_id = :community_id AND p.state = 'running' AND b.state = 'done'"
                " AND m.state IN ('queued', 'sending') GROUP BY m.batch_id, m.state"
            ),
            {"community_id": community_id},
        )
        .all()
    )
    for batch_id, state, messages in gaps:
        ref = Ref(community_id, batch_id)
        if state == "queued":
            new_batch(ref, messages, was=("queued",), not_before=clock.now())
            continue
        db.session().execute(
            text(
                "UPDATE sms_batches AS b SET state = 'unknown', done_at = NULL, not_before = :now,"
                " settle_after = coalesce(b.settle_after, :now)"
                " WHERE b.community_id = :community_id AND b.id = :id AND b.state = 'done'"
            ),
            {"community_id": community_id, "id": batch_id, "now": clock.now()},
        )
    return len(gaps)


def communities_in_campaigns() -> list[int]:
    """Where a campaign runs; for the periodic look for gaps."""
    rows = db.session().scalars(
        text(
            "SELECT DISTINCT p.community_id FROM campaign_parts AS p WHERE p.state = 'running'"
        ).execution_options(cross_community="periodic jobs")
    )
    return [int(community_id) for community_id in rows]
