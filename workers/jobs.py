"""The jobs, about ten lines each. All take ids, may run twice, and find nothing to do the second time."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from rq.timeouts import JobTimeoutException

from app import clock, db, idempotency, logs, orphans, outbox, queue, retention
from app.ids import Ref
from app.media import service as media
from app.memberships import following as memberships
from app.memberships import locks as binding_tries
from app.messaging import campaigns, inbound, pipeline, windows
from app.messaging import queries as messages
from app.messaging import service as messaging
from app.messaging import staff as staff_inbox
from app.notices import queries as notices
from app.notices import service as noticing
from app.patrol import queries as patrols
from app.patrol import walking, zones
from app.people import service as people
from app.queue import Job, Queue
from app.sources import queries as owed
from app.sources import service as sources
from app.tickets import calendar, intake, pressure, stints
from app.tickets import service as tickets
from app.voting import ledger
from app.voting import queries as decisions
from app.voting import service as voting
from workers import config, receipts, sequencer, sms, telling
from workers.batches import Shift, committed, committed_alone, in_turn
from workers.handlers import HANDLERS, Later, send_notice
from workers.pace import Pace

log = logging.getLogger(__name__)

BATCH = 20  # rows of one drain; what is left rings again


def drain(community_id: int, on: str) -> None:
    """Do what is due of one community on one queue, a batch at a time."""
    queue.heard(Queue(on), Job.DRAIN, community_id, on)
    shift = Shift(config.lease_s())
    rows = committed(outbox.lease, community_id, on, limit=BATCH, seconds=config.lease_s())
    for row in in_turn(rows):
        if shift.is_over():
            committed(outbox.give_back, row)
            continue
        try:
            with logs.of_request(row.request_id):
                HANDLERS[row.kind](row)
        except Later as later:
            committed(outbox.again, row, error=str(later))
        except JobTimeoutException:
            committed(outbox.again, row, error="took too long")
            raise  # the alarm rings once: nothing would stop the next row
        except Exception as e:
            # One bad row must not hold up the others; the row keeps its type, the log its trace.
            log.exception("outbox row failed: %s", row.kind)
            committed(outbox.again, row, error=type(e).__name__)
        else:
            committed(outbox.done, row)
    if len(rows) == BATCH or shift.is_over():
        queue.ring(Queue(on), Job.DRAIN, community_id, on)


def drain_notices(community_id: int) -> None:
    """Send the WeChat notices that a community owes, a batch at a time."""
    queue.heard(Queue.DEFAULT, Job.DRAIN_NOTICES, community_id)
    shift = Shift(config.lease_s())
    notices = committed(
        messaging.lease_notices, community_id=community_id, limit=BATCH, seconds=config.lease_s()
    )
    for notice in in_turn(notices):
        if shift.is_over():
            committed(messaging.give_back_notice, notice)
            continue
        outcome, errcode = send_notice(notice)
        committed(messaging.settle_notice, notice, outcome=outcome, errcode=errcode)
    if len(notices) == BATCH or shift.is_over():
        queue.ring(Queue.DEFAULT, Job.DRAIN_NOTICES, community_id)


def drain_statuses(community_id: int, source_id: str) -> None:
    """Tell a source what it is owed of a community, in order, until nothing is left, it is away, or time is up."""
    queue.heard(Queue.DEFAULT, Job.DRAIN_STATUSES, community_id, source_id)
    shift = Shift(config.lease_s())
    lane = committed(sources.lease_lane, community_id, UUID(source_id), seconds=config.lease_s())
    if lane is None:
        return
    error = telling.tell(lane, shift)
    committed(sources.release_lane, lane, error=error)
    with db.reading():
        left = error is None and owed.waiting(community_id, lane.source_id, limit=1)
    if left:
        queue.ring(Queue.DEFAULT, Job.DRAIN_STATUSES, community_id, source_id)


def drain_sms() -> None:
    """Send the text messages that may leave, and settle those whose fate is unknown, wherever they are."""
    queue.heard(Queue.SMS, Job.DRAIN_SMS)
    settings = config.settings()
    pace = Pace(slow_ms=settings.sms_slow_s * 1000)
    if sms.Drain(sms.vendors(), pace, lease_s=settings.lease_s).run():
        queue.ring(Queue.SMS, Job.DRAIN_SMS)


def drain_inbound() -> None:
    """Apply what the SMS vendors pushed."""
    queue.heard(Queue.DEFAULT, Job.DRAIN_INBOUND)
    if receipts.apply_waiting(Shift(config.lease_s()), lease_s=config.lease_s()):
        queue.ring(Queue.DEFAULT, Job.DRAIN_INBOUND)


def mend_sms() -> None:
    """Messages of running campaigns that no batch would carry to an end get one."""
    with db.reading():
        communities = pipeline.communities_in_campaigns()
    for community_id in communities:
        touched = committed(pipeline.mend, community_id)
        if touched:
            log.error("gaps in a campaign were mended: %s batches", touched)


def reconcile_sms() -> None:
    """Ask the vendors about messages whose receipts never came."""
    sms.reconcile(sms.vendors(), Pace(), Shift(config.lease_s()))


def sweep() -> None:
    """Ring for everything that is due: what a crash, a lost Redis or a killed worker left behind."""
    with db.reading():
        due = outbox.due_everywhere()
        notices = messages.notices_due_everywhere()
        lanes = owed.due_lanes()
        has_sms = bool(pipeline.due_communities(is_open=windows.is_open(clock.now())))
    if has_sms:
        queue.remind([(Queue.SMS, Job.DRAIN_SMS)])
    if receipts.waiting():
        queue.remind([(Queue.DEFAULT, Job.DRAIN_INBOUND)])
    queue.remind((Queue(on), Job.DRAIN, community_id, on) for community_id, on in due)
    queue.remind((Queue.DEFAULT, Job.DRAIN_NOTICES, community_id) for community_id in notices)
    queue.remind(
        (Queue.DEFAULT, Job.DRAIN_STATUSES, community_id, str(source_id)) for community_id, source_id in lanes
    )
    # What the sequencer has left lying goes into its log, so that nothing depends on that one process.
    sequencer.seal_all(thoroughly=True)


def bring_forward() -> None:
    """What a clock that was ahead promised, put off or leased is due now, and not when the others' clocks get there."""
    for unit in (
        outbox.bring_forward,
        messaging.bring_forward,
        pipeline.bring_forward,
        inbound.bring_forward,
    ):
        if rows := committed(unit):
            log.warning("a clock was ahead: %s rows of %s brought forward", rows, unit.__module__)


def anchor_logs() -> None:
    """An anchor for every log that has grown since its last one."""
    with db.reading():
        grown = ledger.to_anchor()
    for ref in grown:
        committed_alone(ledger.anchor, ref)


def expire_uploads() -> None:
    """Photos that nobody attached within 24 hours go."""
    with db.transaction():
        media.expire_uploads()


def ask_verdicts() -> None:
    """Pictures without a verdict for 60 minutes: ask again, then a person."""
    with db.transaction():
        media.ask_overdue_verdicts()


def erase_positions() -> None:
    """Where photos were taken goes 30 days after closing."""
    with db.reading():
        communities = tickets.communities_with_tickets()
    for community_id in communities:
        with db.transaction():
            tickets.erase_photo_positions(community_id=community_id)


def tidy() -> None:
    """Forget spent Idempotency-Keys and nonces, counts of wrong passwords and of wrong tries to bind, done outbox rows,
    statuses told and notices to staff written long ago; end memberships whose lease is over.
    """
    now = clock.now()
    with db.transaction():
        idempotency.forget(before=now - idempotency.KEPT)
        people.forget_attempts(before=now - timedelta(days=1))
        outbox.forget_done(before=now - timedelta(days=7))
        sources.forget_nonces(before=now - sources.NONCE_KEPT)
        sources.forget_told(before=now - sources.STATUS_KEPT)
        staff_inbox.forget(before=now - staff_inbox.KEPT)
        binding_tries.forget(before=now - binding_tries.KEPT)
    with db.transaction():
        memberships.end_leases()


def retain() -> None:
    """Delete what no table may keep any longer, a batch at a time; what a run doesn't reach is left to the next."""
    shift, now = Shift(config.lease_s()), clock.now()
    url = config.settings().retention_database_url
    for table, rule in retention.in_order():
        closed = table.info.get("append_only", False)
        if closed and not url:
            log.warning("%s is not shortened: RETENTION_DATABASE_URL isn't set", table.name)
            continue
        while not shift.is_over():
            if closed:
                done = retention.batch_of_append_only(table, rule, now=now, url=url)
            else:
                done = committed(retention.batch, table, rule, now=now)
            if not done:
                break


def match_open() -> None:
    """Promise to match what other systems handed in against everything that is open, as it stands today."""
    with db.reading():
        communities = tickets.communities_with_tickets()
    for community_id in communities:
        with db.transaction():
            intake.match_again(community_id)


def check_orphans() -> None:
    """Count references to rows that aren't there; a person has to look at any."""
    with db.reading():
        found = orphans.count()
    for reference, rows in found.items():
        if rows:
            log.error("orphans: %s points nowhere in %s rows", reference, rows)


def watch_limits() -> None:
    """Warn before limits, note breaches, supervise up the ladder, end pauses; each once."""
    with db.reading():
        communities = pressure.communities_to_watch()
    for community_id in communities:
        with db.reading():
            due = pressure.to_watch(community_id)
        for ticket_id in due:
            try:
                committed(pressure.watch, Ref(community_id, ticket_id))
            except JobTimeoutException:
                raise
            except Exception:
                # One ticket that can't be moved must not hold up the others; the next round tries again.
                log.exception("the watch over limits failed for a ticket")


def check_clocks() -> None:
    """Compare the clocks of all open tickets with their events; a person has to look at any that differ."""
    with db.reading():
        communities = calendar.communities()
    compared, differing = 0, 0
    for community_id in communities:
        after = None
        while True:
            with db.reading():
                found, after = calendar.drift(community_id, after=after)
            compared += found.compared
            differing += len(found.differing)
            for ticket_id in found.differing:
                log.error("clock differs from its events: community %s, ticket %s", community_id, ticket_id)
            if after is None:
                break
    log.info("clocks compared: %s open tickets, %s differ", compared, differing)


def check_stints() -> None:
    """Compare what the figures count with the events, for tickets open or lately ended."""
    with db.reading():
        communities = calendar.communities()
    since = clock.now() - timedelta(days=2)
    compared, differing = 0, 0
    for community_id in communities:
        after = None
        while True:
            with db.reading():
                found, after = stints.drift(community_id, since=since, after=after)
            compared += found.compared
            differing += len(found.differing)
            for ticket_id in found.differing:
                log.error("stints differ from the events: community %s, ticket %s", community_id, ticket_id)
            if after is None:
                break
    log.info("stints compared: %s tickets, %s differ", compared, differing)


def end_patrols() -> None:
    """Shifts that nobody ended end at their cap."""
    with db.reading():
        overdue = patrols.overdue_shifts()
    for shift, staff_id in overdue:
        with db.transaction():
            walking.end_overdue(shift, staff_id=staff_id)


def run_decisions() -> None:
    """Have rolls frozen, open and close votes, post and archive results, each at its time."""
    with db.reading():
        due = decisions.due_everywhere()
    for ref in due:
        committed_alone(voting.advance, ref)


def publish_notices() -> None:
    """Publish what was scheduled, at its time."""
    with db.reading():
        due = notices.due_everywhere()
    for ref in due:
        committed_alone(noticing.publish_due, ref)


def run_campaigns() -> None:
    """Start campaigns at their time, see that they are expanded, end those that are over."""
    with db.reading():
        going = campaigns.going_everywhere()
    for ref in going:
        committed_alone(campaigns.advance, ref)


def erase_tracks() -> None:
    """Where members of staff walked goes after 30 days."""
    with db.reading():
        communities = patrols.communities_with_tracks(clock.now() - walking.KEPT)
    for community_id in communities:
        with db.transaction():
            walking.erase_whereabouts(community_id=community_id)


def grade_zones() -> None:
    """Grade the patrol zones by the cases of the last 90 days; runs again for what an earlier run didn't reach."""
    with db.reading():
        communities = patrols.communities_to_grade(since=clock.now() - timedelta(hours=12))
    for community_id in communities:
        with db.transaction():
            zones.grade_community(community_id)
