"""What a reminder would do, before anybody sends it: how many haven't voted, whom it reaches, and what it says."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import and_, func, select, union

from app import clock, db
from app.ids import Ref
from app.memberships.models import Membership, MembershipStatus, Relation
from app.messaging.wording import Wording
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.voting import pushing, queries
from app.voting.ballot_models import Proxy, ProxyStatus
from app.voting.models import Decision, DecisionStatus
from app.voting.roll_models import RollHead, RollOwner


class Reminder(NamedTuple):
    """`heads`: haven't voted; `reached`: of these, who has somebody bound in the mini-program; `people`: who gets the
    notice. `is_open`: only then it is sent; `is_sent_today`: once a day. Area in 0.01 m².
    """

    heads: int
    area_centi: int
    reached: int
    people: int
    said: Wording
    is_open: bool
    is_sent_today: bool


def reminder(staff: StaffActor, ref: Ref) -> Reminder:
    """What `pushing.remind` would do now. Raises NotFound, Forbidden."""
    row = queries.decision_for_staff(staff, ref, Permission.DECISION_EDIT)
    before = queries.latest_event(ref, "reminded")
    heads, area, reached = _waiting(row)
    return Reminder(
        heads=heads,
        area_centi=area,
        reached=reached,
        people=_people(row),
        said=pushing.wording(row, pushing.What.REMINDER),
        is_open=queries.status_of(row) is DecisionStatus.OPEN,
        is_sent_today=before is not None and clock.in_shanghai(before.at).date() == places.today(),
    )


def _waiting(row: Decision) -> tuple[int, int, int]:
    found = db.session().execute(
        select(
            func.count(),
            func.coalesce(func.sum(RollHead.area_centi), 0),
            func.count().filter(pushing.is_bound()),
        ).where(
            RollHead.community_id == row.community_id,
            RollHead.decision_id == row.id,
            ~pushing.has_cast(queries.rules_of(row)),
        )
    )
    heads, area, reached = found.one()
    return int(heads), int(area), int(reached)


def _people(row: Decision) -> int:
    """Residents who are bound as an owner of a waiting head, or act for it: as `pushing.residents_of` finds them."""
    waiting = and_(
        RollHead.community_id == row.community_id,
        RollHead.decision_id == row.id,
        ~pushing.has_cast(queries.rules_of(row)),
    )
    owners = (
        select(Membership.resident_id)
        .select_from(RollHead)
        .join(
            RollOwner,
            and_(
                RollOwner.community_id == RollHead.community_id,
                RollOwner.decision_id == RollHead.decision_id,
                RollOwner.head_id == RollHead.id,
            ),
        )
        .join(
            Membership,
            and_(
                Membership.community_id == RollOwner.community_id,
                Membership.owner_id == RollOwner.owner_id,
                Membership.status == MembershipStatus.VERIFIED,
                Membership.relation == Relation.OWNER,
                Membership.resident_id.is_not(None),
            ),
        )
        .where(waiting)
    )
    proxies = (
        select(Proxy.resident_id)
        .select_from(RollHead)
        .join(
            Proxy,
            and_(
                Proxy.community_id == RollHead.community_id,
                Proxy.decision_id == RollHead.decision_id,
                Proxy.head_id == RollHead.id,
                Proxy.status == ProxyStatus.APPROVED,
                Proxy.resident_id.is_not(None),
            ),
        )
        .where(waiting)
    )
    people = union(owners, proxies).subquery()
    return int(db.session().scalar(select(func.count()).select_from(people)) or 0)
