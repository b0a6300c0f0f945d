"""How far a campaign is: counted in one statement each time, so that the states always add up to the total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, case, extract, func, or_, select, true

from app import clock, crypto, db
from app.ids import Ref
from app.messaging.campaign_models import Campaign
from app.messaging.campaigns import is_mendable, parts_of
from app.messaging.sms_models import Channel, MessageState, SmsBatch, SmsMessage, SmsTemplate

_MINUTE = timedelta(minutes=1)
_BAD = (MessageState.REFUSED, MessageState.FAILED, MessageState.UNKNOWN)
_ENDED_BADLY = (*_BAD, MessageState.CANCELLED)


class Share(NamedTuple):
    """What a provider did for a campaign. `share`: of the messages that left; `p95_ms`: of its calls."""

    name: str
    share: float
    p95_ms: int | None
    errors: int


class Failure(NamedTuple):
    """A `number` of messages that didn't get through for one reason. `code`: the vendor's word; `is_mendable`:
    `retry_failed` would send them again.
    """

    status: str
    fault: str | None
    code: str | None
    number: int
    is_mendable: bool


class Progress(NamedTuple):
    """How far it is. `is_expanding`: more messages are still being written; `excluded`: who gets none, by reason;
    `is_settling`: all have left, and of some it isn't known yet whether they were taken (at Tencent for days).
    """

    total: int
    by_status: dict[str, int]
    excluded: dict[str, int]
    is_expanding: bool
    is_settling: bool
    rate_per_s: float
    eta: datetime | None
    providers: list[Share]
    failures: list[Failure]


def of(row: Campaign) -> Progress:
    """How far a campaign is at this moment."""
    now = clock.now()
    m = SmsMessage
    counted = dict.fromkeys((state.value for state in MessageState), 0)
    failures: list[Failure] = []
    lately = 0
    for state, why, word, channel, n, last_minute in db.session().execute(
        select(
            m.state,
            m.fault,
            m.code,
            m.channel,
            func.count(),
            func.count().filter(m.sent_at > now - _MINUTE),
        )
        .where(m.community_id.in_(row.communities), m.campaign_id == row.id)
        .group_by(m.state, m.fault, m.code, m.channel)
    ):
        counted[state] += n
        lately += last_minute
        if state in _ENDED_BADLY:
            again = channel == Channel.SMS and is_mendable(state, why)
            failures.append(Failure(state, why, word, n, again))
    parts = parts_of(row)
    began = max(row.started_at or now, now - _MINUTE)
    rate = lately / max((now - began).total_seconds(), 1.0)
    left = counted[MessageState.QUEUED] + counted[MessageState.SENDING]
    is_expanding = any(part.expanded_at is None for part in parts)
    return Progress(
        total=sum(counted.values()),
        by_status=counted,
        excluded=dict(sum((Counter(part.excluded) for part in parts), Counter[str]())),
        is_expanding=is_expanding,
        is_settling=not is_expanding and not left and counted[MessageState.UNKNOWN] > 0,
        rate_per_s=round(rate, 2),
        eta=now + timedelta(seconds=left / rate) if left and rate else None,
        providers=_shares(row),
        failures=sorted(failures, key=lambda one: (-one.number, one.status, one.code or "")),
    )


def sent_of(rows: Sequence[Campaign]) -> dict[UUID, tuple[int, int]]:
    """Campaign → how many of its messages have left, and how many there are; in one statement for a list."""
    m = SmsMessage
    stayed = (MessageState.QUEUED, MessageState.SENDING, MessageState.CANCELLED)
    found = db.session().execute(
        select(m.campaign_id, func.count().filter(m.state.not_in(stayed)), func.count())
        .where(
            m.community_id.in_({home for row in rows for home in row.communities}),
            m.campaign_id.in_([row.id for row in rows]),
        )
        .group_by(m.campaign_id)
    )
    return {campaign_id: (sent, total) for campaign_id, sent, total in found}


def _shares(row: Campaign) -> list[Share]:
    m, b = SmsMessage, SmsBatch
    rows = db.session().execute(
        select(m.provider_code, func.count(), func.sum(case((m.state.in_(_BAD), 1), else_=0)))
        .where(m.community_id.in_(row.communities), m.campaign_id == row.id, m.provider_code.is_not(None))
        .group_by(m.provider_code)
        .order_by(m.provider_code)
    )
    found = [(code, int(n), int(bad)) for code, n, bad in rows]
    took = extract("epoch", b.done_at - b.sent_at)
    slow: dict[str | None, float] = dict(
        db.session()
        .execute(
            select(b.provider_code, func.percentile_disc(0.95).within_group(took))
            .where(
                b.community_id.in_(row.communities),
                b.campaign_id == row.id,
                b.sent_at.is_not(None),
                b.done_at.is_not(None),
            )
            .group_by(b.provider_code)
        )
        .all()
    )
    total = sum(n for _, n, _ in found)
    return [
        Share(
            code,
            round(n / total, 4),
            round(float(slow[code]) * 1000) if slow.get(code) is not None else None,
            bad,
        )
        for code, n, bad in found
    ]


def messages(row: Campaign, *, status: str | None, limit: int, after: Ref | None = None) -> list[SmsMessage]:
    """Its messages by community, in the order in which they were written."""
    m = SmsMessage
    return _page(row, m.state == status if status is not None else true(), limit=limit, after=after)


def unreached(row: Campaign, *, limit: int, after: Ref | None = None) -> list[SmsMessage]:
    """Its text messages that won't arrive: the number takes none, or the receipt says that it failed. Somebody has to
    go there.
    """
    m = SmsMessage
    lost = or_(m.state == MessageState.FAILED, (m.state == MessageState.REFUSED) & (m.fault == "number"))
    return _page(row, lost & (m.channel == Channel.SMS), limit=limit, after=after)


def _page(row: Campaign, wanted: ColumnElement[bool], *, limit: int, after: Ref | None) -> list[SmsMessage]:
    m = SmsMessage
    query = (
        select(m)
        .where(m.community_id.in_(row.communities), m.campaign_id == row.id, wanted)
        .order_by(m.community_id, m.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(
            or_(
                m.community_id > after.community_id,
                (m.community_id == after.community_id) & (m.id > after.id),
            )
        )
    return list(db.session().scalars(query))


def phone_of(message: SmsMessage) -> str:
    """The number in clear; faces show it masked."""
    return crypto.keys().decrypt(message.phone_sealed, f"sms_phone:{message.id}").decode()


def refused_of_decision(community_id: int, decision_id: UUID) -> set[bytes]:
    """Hashes of the numbers to which a vendor let no text message about this decision through (wrong, blocked), and
    which none reached: somebody has to go there.
    """
    m, c = SmsMessage, Campaign
    rows = db.session().execute(
        select(m.phone_hash, m.state)
        .join(c, (c.community_id == community_id) & (c.id == m.campaign_id))
        .where(
            m.community_id == community_id,
            c.audience["spec"]["decision"][1].astext == str(decision_id),
            m.channel == Channel.SMS,
            or_(
                m.state == MessageState.DELIVERED,
                (m.state == MessageState.REFUSED) & (m.fault == "number"),
            ),
        )
    )
    refused: set[bytes] = set()
    reached: set[bytes] = set()
    for phone_hash, state in rows:
        (reached if state == MessageState.DELIVERED else refused).add(phone_hash)
    return refused - reached


def told_of_decision(community_id: int, decision_id: UUID, *, before: datetime | None) -> set[bytes]:
    """Hashes of the numbers to which a text message of this decision (announced, opened, extended, result) was
    delivered before that time: proof that who holds them was told.
    """
    m, c, t = SmsMessage, Campaign, SmsTemplate
    query = (
        select(m.phone_hash)
        .join(c, (c.community_id == community_id) & (c.id == m.campaign_id))
        .join(t, t.id == c.template_id)
        .where(
            m.community_id == community_id,
            c.audience["spec"]["decision"][1].astext == str(decision_id),
            t.kind.startswith("decision_"),
            m.channel == Channel.SMS,
            m.state == MessageState.DELIVERED,
        )
    )
    if before is not None:
        query = query.where(m.settled_at < before)
    return set(db.session().scalars(query))
