"""How often somebody has personal data shown in full. Each time is audited by itself; here the number is looked at."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import func, select

from app import audit, clock, db, ids
from app.audit import AuditRow
from app.people.scopes import StaffActor

log = logging.getLogger(__name__)

WITHIN = timedelta(hours=24)
MANY = 50  # in 24 hours; a desk that calls back its closed tickets of a day stays below


def note_rate(staff: StaffActor) -> int:
    """How often she has unmasked in the last 24 hours, this time included.

    At every 50th an audit row of its own says so, for the auditor to look at; nothing is refused, because a night with
    a burst main has many calls.
    """
    homes = {home for grant in staff.grants for home in grant.homes}
    db.session().flush()  # this time's row is counted
    times = int(
        db.session().scalar(
            select(func.count())
            .select_from(AuditRow)
            .where(
                AuditRow.community_id.in_(homes),
                AuditRow.actor_id == staff.id,
                AuditRow.at > clock.now() - WITHIN,
                AuditRow.action.like("%unmasked"),
            )
        )
        or 0
    )
    if times and times % MANY == 0:
        audit.record(
            staff.actor,
            "unmask.many",
            community_id=ids.lane_of(staff.id),
            object_kind="staff",
            object_id=staff.id,
            times=times,
            hours=int(WITHIN.total_seconds() // 3600),
        )
        log.warning("a member of staff has unmasked %s times in 24 hours", times)
    return times
