"""Pushes of the SMS vendors, applied: what they tell is read by the adapter and written by community."""

from __future__ import annotations

import logging
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

from rq.timeouts import JobTimeoutException
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import db
from app.adapters.sms import DeliveryState, Receipt, Vendor, out_id
from app.adapters.sms.receipts import receipts, replies
from app.messaging import inbound
from app.messaging.inbound import Ended, Push, Report, Tally
from app.messaging.inbound_models import InboundKind
from workers.batches import Shift, committed

log = logging.getLogger(__name__)

ByCommunity = dict[int, list[tuple[int, Report]]]  # community → (number of the push, entry)

PUSHES = 100  # of a transaction: 10,000 receipts as Alibaba sends them
# They come in floods, and the bell rings once a second: who has just applied some looks again before he goes.
LINGERS, LINGER_S = 2, 0.1
HANDS = 2  # while PostgreSQL writes what one has read, the other reads


def apply_waiting(shift: Shift, *, lease_s: int) -> bool:
    """Apply what waits, until nothing does or the shift is over; whether something is left."""
    with ThreadPoolExecutor(HANDS, thread_name_prefix="receipts") as hands:
        at_work = [hands.submit(_apply_waiting, shift, lease_s) for _ in range(HANDS)]
    left = [hand.result() for hand in at_work]
    return any(left)


def _apply_waiting(shift: Shift, lease_s: int) -> bool:
    looks = 1
    while not shift.is_over():
        pushes = committed(inbound.lease, most=PUSHES, seconds=lease_s)
        if pushes:
            with db.uncollected():
                _apply_all(pushes)
            looks = 1 + LINGERS
            continue
        looks -= 1
        if not looks:
            return False
        time.sleep(LINGER_S)
    return True


def _apply_all(pushes: list[Push]) -> None:
    """Together; each by itself where one of them can't be applied, so that it costs the others nothing. That one waits
    for another time, and counts as malformed when there is none left; the vendor is asked for what it told.
    """
    try:
        committed(_apply, pushes)
    except (JobTimeoutException, PoolTimeout):
        raise
    except Exception as e:
        if isinstance(e, DBAPIError) and db.is_passing(e):
            raise
        if len(pushes) > 1:
            for push in pushes:
                _apply_all([push])
            return
        log.exception("a push that can't be applied", extra={"inbound_id": str(pushes[0].id)})
        committed(inbound.finish, [Ended(pushes[0], Tally(unread=1), may_be_early=True)])


def _apply(pushes: list[Push]) -> None:
    """In one transaction: the entries of all pushes, set by set, and the end of each push."""
    of_push: dict[int, Counter[str]] = {n: Counter() for n in range(len(pushes))}
    waiting: ByCommunity = defaultdict(list)
    unnamed: list[tuple[int, Report]] = []
    for n, push in enumerate(pushes):
        if push.kind == InboundKind.REPLY:
            of_push[n] += _answer(push)
            continue
        parsed = receipts(Vendor(push.vendor), push.body)
        of_push[n]["unread"] += len(parsed.malformed)
        for receipt in parsed.items:
            report = _report(receipt)
            if report is None:
                of_push[n]["strange"] += 1
            elif report.batch is not None:
                waiting[report.batch.community_id].append((n, report))
            else:
                unnamed.append((n, report))
    early = _name(unnamed, waiting)
    for n in early.elements():
        of_push[n]["strange"] += 1
    # In the order of the communities, so that two workers never wait for each other's rows.
    for community_id, reports in sorted(waiting.items()):
        by_push: dict[int, list[Report]] = defaultdict(list)
        for n, report in reports:
            by_push[n].append(report)
        if len(by_push) == 1:
            (n,) = by_push
            of_push[n].update(inbound.apply(community_id, by_push[n])._asdict())
            continue
        whole = inbound.apply(community_id, [report for _, report in reports])
        # What was told together is counted with the push that told most of it.
        most = max(by_push, key=lambda n: len(by_push[n]))
        of_push[most].update(whole._asdict())
    inbound.finish([Ended(push, Tally(**of_push[n]), n in early) for n, push in enumerate(pushes)])


def _name(unnamed: list[tuple[int, Report]], waiting: ByCommunity) -> Counter[int]:
    """Put entries that carry the vendor's own number where they belong; how many of each push nobody knows (yet)."""
    known = inbound.batches_of(r.vendor_id for _, r in unnamed if r.vendor_id) if unnamed else {}
    early: Counter[int] = Counter()
    for n, report in unnamed:
        batch = known.get(report.vendor_id or "")
        if batch is None:
            early[n] += 1
        else:
            waiting[batch.community_id].append((n, report._replace(batch=batch)))
    return early


def _report(receipt: Receipt) -> Report | None:
    """The entry for our rows; None when it can't be about a message of ours, or says nothing of its end."""
    batch = out_id.decode(receipt.out_id)
    if receipt.state is DeliveryState.WAITING or (batch is None and receipt.out_id is not None):
        return None
    if batch is None and receipt.vendor_id is None:
        return None
    state = "delivered" if receipt.state is DeliveryState.DELIVERED else "failed"
    return Report(batch, receipt.vendor_id, receipt.phone, state, receipt.code, receipt.segments)


def _answer(push: Push) -> Counter[str]:
    parsed = replies(Vendor(push.vendor), push.body)
    told: Counter[str] = Counter(unread=len(parsed.malformed))
    for reply in parsed.items:
        told["known" if inbound.answered(reply.phone, reply.text) else "again"] += 1
    return told


def waiting() -> bool:
    """Is a push waiting? For the sweeper."""
    with db.reading():
        return inbound.are_due()
