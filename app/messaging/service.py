"""Writing messages: tell a resident, spend a credit, record what WeChat said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from app import clock, crypto, db, ids, outbox, queue
from app.messaging.models import (
    InboxMessage,
    NoticeKind,
    NoticeState,
    SubscribeCredit,
    WeChatEvent,
    WeChatNotice,
)
from app.messaging.wording import compose

APPLY_EVENT = "messaging.apply_event"  # outbox kind
# The template that a kind of message uses is chosen by settings (WECHAT_TEMPLATES); all kinds about a ticket
# share one: 编号 character_string1, 状态 phrase2, 说明 thing3, 时间 time4.
TICKET_TEMPLATE = "ticket_progress"
DECISION_TEMPLATE = "decision_notice"  # 表决 thing1, 状态 phrase2, 说明 thing3, 时间 time4
NOTICE_TEMPLATE = "community_notice"  # 通知 thing1, 状态 phrase2, 说明 thing3, 时间 time4
_PAGES = {
    "notice": (NOTICE_TEMPLATE, "pages/notice/detail"),
    "ticket": (TICKET_TEMPLATE, "pages/ticket/detail"),
    "decision": (DECISION_TEMPLATE, "pages/decision/detail"),
}
GIVE_UP_AFTER = timedelta(days=3)
_PAUSES = (5, 15, 60, 300, 900)
_HINT_GRACE = timedelta(seconds=60)
_TAKEN_BEFORE, _CLOCKS_APART = timedelta(minutes=10), timedelta(minutes=2)

_templates: dict[str, str] = {}


def configure(templates: Mapping[str, str]) -> None:
    """The WeChat template ids of this installation, by our name for them (called once by `app.boot`)."""
    _templates.clear()
    _templates.update(templates)


def template_ids() -> dict[str, str]:
    """Our name → WeChat template id."""
    return dict(_templates)


def notify(
    *,
    resident_id: UUID,
    kind: NoticeKind,
    community_id: int,
    idem: str,
    params: Mapping[str, str],
    target: tuple[str, str] | None = None,
) -> None:
    """Tell a resident, once for `idem`: a message in the inbox, and a WeChat notice when there is credit.

    Rows only; they leave after the commit. `community_id`: of the thing it is about, or the person's lane.
    """
    notify_all(
        resident_ids=[resident_id],
        kind=kind,
        community_id=community_id,
        idem=idem,
        params=params,
        target=target,
    )


_TELL = db.Plain(
    """
    INSERT INTO inbox (resident_id, id, kind, title, text, target_type, target_id, created_at, idem)
    SELECT w.resident_id, w.id, :kind, :title, :text, :target_type, :target_id, :created_at, :idem
    FROM unnest(:residents::uuid[], :ids::uuid[]) AS w(resident_id, id)
    ON CONFLICT (resident_id, idem) DO NOTHING
    RETURNING resident_id
    """
)
_CREDITED = db.Plain(
    """
    SELECT s.resident_id FROM subscribe_credits AS s
    WHERE s.resident_id = ANY(:residents) AND s.template_id = :template_id AND s.credits + s.hinted > 0
    """
)


def notify_all(
    *,
    resident_ids: Sequence[UUID],
    kind: NoticeKind,
    community_id: int,
    idem: str,
    params: Mapping[str, str],
    target: tuple[str, str] | None = None,
) -> None:
    """The same words to many, each named once: as `notify`, in two statements and one more for each who has credit."""
    if not resident_ids:
        return
    now = clock.now()
    wording = compose(kind, params)
    added = {
        resident_id
        for (resident_id,) in _TELL.within(
            {
                "residents": list(resident_ids),
                "ids": [ids.new_id() for _ in resident_ids],
                "kind": kind,
                "title": wording.title,
                "text": wording.text,
                "target_type": target[0] if target else None,
                "target_id": target[1] if target else None,
                "created_at": now,
                "idem": idem,
            }
        )
    }
    if not added or target is None or target[0] not in _PAGES:
        return
    template, page = _PAGES[target[0]]
    template_id = _templates.get(template)
    if template_id is None:
        return
    first = {"character_string1": params["number"]} if target[0] == "ticket" else {"thing1": params["title"]}
    for resident_id in _with_credit(added, template_id):
        if not _spend_credit(resident_id, template_id):
            continue  # spent in between
        db.session().add(
            WeChatNotice(
                community_id=community_id,
                id=ids.new_id(),
                resident_id=resident_id,
                template_id=template_id,
                page=f"{page}?id={target[1]}",
                data={
                    **first,
                    "phrase2": wording.phrase,
                    "thing3": wording.title,
                    "time4": clock.in_shanghai(now).strftime("%Y-%m-%d %H:%M"),
                },
                state=NoticeState.QUEUED,
                attempts=0,
                not_before=now,
                created_at=now,
            )
        )
        queue.enqueue_after_commit(queue.Queue.DEFAULT, queue.Job.DRAIN_NOTICES, community_id)


def _with_credit(resident_ids: Iterable[UUID], template_id: str) -> list[UUID]:
    """Those of them who have credit for this template, always in the same order: two jobs lock them alike."""
    rows = _CREDITED.within({"residents": list(resident_ids), "template_id": template_id})
    return sorted(resident_id for (resident_id,) in rows)


def _spend_credit(resident_id: UUID, template_id: str) -> bool:
    row = db.session().scalar(
        select(SubscribeCredit)
        .where(SubscribeCredit.resident_id == resident_id, SubscribeCredit.template_id == template_id)
        .with_for_update()
    )
    if row is None or row.credits + row.hinted <= 0:
        return False
    if row.credits > 0:
        row.credits -= 1
    else:
        row.hinted -= 1
    row.updated_at = clock.now()
    return True


def _credit_row(resident_id: UUID, template_id: str) -> SubscribeCredit:
    db.session().execute(
        insert(SubscribeCredit)
        .values(resident_id=resident_id, template_id=template_id, credits=0, hinted=0, updated_at=clock.now())
        .on_conflict_do_nothing(index_elements=["resident_id", "template_id"])
    )
    return (
        db.session()
        .scalars(
            select(SubscribeCredit)
            .where(SubscribeCredit.resident_id == resident_id, SubscribeCredit.template_id == template_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        .one()
    )


def hint_subscriptions(*, resident_id: UUID, results: Mapping[str, str]) -> None:
    """What the mini-program says was tapped: counts until WeChat's own event arrives. Unknown templates are ignored.

    An accept right after its event is the same tap and isn't counted twice.
    """
    now = clock.now()
    for template_id, result in sorted(results.items()):
        if template_id not in _templates.values():
            continue
        row = _credit_row(resident_id, template_id)
        if result == "accept":
            if row.last_event_at is None or now - row.last_event_at > _HINT_GRACE:
                row.hinted += 1
        else:
            row.credits = row.hinted = 0
        row.updated_at = now


def record_subscription(*, resident_id: UUID, template_id: str, accepted: bool, at: datetime) -> None:
    """WeChat's event: one accept is one more credit (and replaces a hint of the same tap); a reject clears them."""
    row = _credit_row(resident_id, template_id)
    if accepted:
        row.credits += 1
        row.hinted = max(0, row.hinted - 1)
    else:
        row.credits = row.hinted = 0
    row.last_event_at = max(at, row.last_event_at) if row.last_event_at else at
    row.updated_at = clock.now()


def mark_read(*, resident_id: UUID, message_ids: Sequence[UUID] | None, all_before: datetime | None) -> int:
    """Mark messages as read: the named ones, or all created up to a moment. Returns how many changed."""
    query = update(InboxMessage).where(
        InboxMessage.resident_id == resident_id, InboxMessage.read_at.is_(None)
    )
    if message_ids is not None:
        query = query.where(InboxMessage.id.in_(list(message_ids)))
    if all_before is not None:
        query = query.where(InboxMessage.created_at <= all_before)
    result = db.session().execute(
        query.values(read_at=clock.now()).execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult


def mark_read_about(*, resident_id: UUID, target: tuple[str, str]) -> None:
    """What a message was about has been looked at: her messages about it are read."""
    db.session().execute(
        update(InboxMessage)
        .where(
            InboxMessage.resident_id == resident_id,
            InboxMessage.read_at.is_(None),
            InboxMessage.target_type == target[0],
            InboxMessage.target_id == target[1],
        )
        .values(read_at=clock.now())
        .execution_options(synchronize_session=False)
    )


class LeasedNotice(NamedTuple):
    """A notice this worker holds."""

    community_id: int
    id: UUID
    resident_id: UUID
    template_id: str
    page: str
    data: dict[str, str]
    attempts: int
    created_at: datetime


def lease_notices(*, community_id: int, limit: int, seconds: int) -> list[LeasedNotice]:
    """Up to `limit` due notices of a community, oldest first, now held for `seconds`."""
    now = clock.now()
    due = (
        select(WeChatNotice.id)
        .where(
            WeChatNotice.community_id == community_id,
            WeChatNotice.state == NoticeState.QUEUED,
            WeChatNotice.not_before <= now,
            (WeChatNotice.lease_until.is_(None)) | (WeChatNotice.lease_until <= now),
        )
        .order_by(WeChatNotice.not_before)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")  # run once, see outbox.lease
    )
    n = WeChatNotice
    rows = db.session().execute(
        update(n)
        .where(n.community_id == community_id, n.id.in_(select(due.c.id)))
        .values(lease_until=now + timedelta(seconds=seconds), attempts=n.attempts + 1)
        .returning(
            n.community_id, n.id, n.resident_id, n.template_id, n.page, n.data, n.attempts, n.created_at
        )
        .execution_options(synchronize_session=False)
    )
    return [LeasedNotice(*row) for row in rows]


def give_back_notice(notice: LeasedNotice) -> None:
    """Not sent, not tried: anybody may lease it at once."""
    _settle(notice, lease_until=None, attempts=notice.attempts - 1)


_BROUGHT_FORWARD = text(
    "UPDATE wechat_notices SET created_at = least(created_at, :now), not_before = least(not_before, :now),"
    " lease_until = CASE WHEN lease_until > :long THEN CAST(:now AS timestamptz) ELSE lease_until END"
    " WHERE wechat_notices.state = 'queued' AND (created_at > :soon OR lease_until > :long OR not_before > :long)"
)


def bring_forward() -> int:
    """Notices that a clock put off that was ahead are due; how many."""
    result = db.session().execute(
        _BROUGHT_FORWARD.execution_options(cross_community="a clock was set back"), clock.made_ahead()
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult


def settle_notice(notice: LeasedNotice, *, outcome: str, errcode: int | None) -> None:
    """Record what came of a send: `accepted`, `refused`, `unknown`, or `throttled` (again later, up to 3 days).

    WeChat has no idempotency key. An unknown outcome is final: the inbox has the message, and a second notice
    could spend a second credit on the same news.
    """
    now = clock.now()
    values: dict[str, Any] = {"lease_until": None, "errcode": errcode}
    if outcome == "throttled" and now - notice.created_at < GIVE_UP_AFTER:
        pause = _PAUSES[min(notice.attempts, len(_PAUSES)) - 1]
        values |= {"not_before": now + timedelta(seconds=pause)}
    else:
        states = {
            "accepted": NoticeState.SENT,
            "refused": NoticeState.REFUSED,
            "unknown": NoticeState.UNKNOWN,
            "throttled": NoticeState.FAILED,
        }
        values |= {"state": states[outcome], "settled_at": now}
    _settle(notice, **values)


def not_delivered(*, resident_id: UUID, template_id: str, errcode: int, at: datetime) -> bool:
    """WeChat took a notice of this template to her and says at that time that it didn't deliver it; False where none
    is found. The event's number of the message isn't kept, so in doubt none of those taken just before is proof.
    """
    n = WeChatNotice
    rows = db.session().execute(
        update(n)
        .where(
            n.resident_id == resident_id,
            n.template_id == template_id,
            n.state == NoticeState.SENT,
            n.settled_at.between(at - _TAKEN_BEFORE, at + _CLOCKS_APART),
        )
        .values(state=NoticeState.FAILED, errcode=errcode)
        .returning(n.id)
        .execution_options(synchronize_session=False, cross_community="what WeChat didn't deliver")
    )
    return bool(rows.all())


def _settle(notice: LeasedNotice, **values: Any) -> None:
    # `attempts` fences: a worker whose lease ran out must not settle what another one now holds.
    db.session().execute(
        update(WeChatNotice)
        .where(
            WeChatNotice.community_id == notice.community_id,
            WeChatNotice.id == notice.id,
            WeChatNotice.attempts == notice.attempts,
        )
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def store_event(*, dedup_key: str, event: str, body: Mapping[str, Any]) -> bool:
    """Keep a pushed event before it is answered; False when it was here already. Applied by a job."""
    dedup_hash = crypto.keys().keyed_hash(dedup_key, "wechat_event")
    sealed = crypto.keys().encrypt(json.dumps(body, ensure_ascii=False).encode(), "wechat_event")
    fresh = db.session().scalar(
        insert(WeChatEvent)
        .values(dedup_hash=dedup_hash, event=event[:48], sealed=sealed, received_at=clock.now())
        .on_conflict_do_nothing(index_elements=["dedup_hash"])
        .returning(WeChatEvent.dedup_hash)
    )
    if fresh is None:
        return False
    key = dedup_hash.hex()
    lane = ids.lane_of(UUID(bytes=dedup_hash[:16]))
    outbox.put(community_id=lane, kind=APPLY_EVENT, payload={"key": key}, idem=f"event:{key}")
    return True


def take_event(key: str) -> tuple[str, dict[str, Any], datetime] | None:
    """(event, fields, received_at) of a stored event that isn't applied yet, locked; None when it is."""
    row = db.session().get(WeChatEvent, bytes.fromhex(key), with_for_update=True)
    if row is None or row.applied_at is not None:
        return None
    return row.event, json.loads(crypto.keys().decrypt(row.sealed, "wechat_event")), row.received_at


def event_applied(key: str) -> None:
    """The event has had its effect."""
    row = db.session().get_one(WeChatEvent, bytes.fromhex(key))
    row.applied_at = clock.now()
