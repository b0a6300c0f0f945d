"""A member of the estate doubts a line: it becomes a ticket with its clocks, and gets a public answer by a day."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app import clock, db, ids
from app.audit import Actor, ActorKind
from app.ids import Kind, Ref
from app.memberships import queries as memberships
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.revenue import queries
from app.revenue.errors import AnsweredAlready, NotAMember, ObjectedAlready
from app.revenue.models import RevenueObjection
from app.revenue.money import yuan
from app.revenue.service import lock, note
from app.tickets import service as tickets
from app.tickets.service import Report

DEFAULT_DAYS = 7


def object_to(line: Ref, *, text: str, acting_user: UUID) -> RevenueObjection:
    """Doubt a published line. Raises NotFound, NotAMember, ObjectedAlready."""
    found = queries.line(line)
    estate = Ref(found.community_id, found.estate_id)
    if not any(
        memberships.holds(m) and Ref(m.community_id, m.estate_id) == estate
        for m in memberships.mine(acting_user)
    ):
        raise NotAMember
    lock(estate)
    before = db.session().scalars(
        select(RevenueObjection.answered_at).where(
            RevenueObjection.community_id == line.community_id,
            RevenueObjection.line_id == line.id,
            RevenueObjection.resident_id == acting_user,
        )
    )
    answers = before.all()
    if None in answers:
        raise ObjectedAlready
    rule = queries.setting_on(estate, places.today())
    days = rule.answer_days if rule is not None else DEFAULT_DAYS
    told = f"对公共收益账目的异议：{found.day.isoformat()}，{yuan(found.amount_fen)} 元。{text}"
    opened = tickets.open_ticket(
        Report(estate=estate, text=told),
        client_token=f"rev:{line.id.hex}:{len(answers)}",
        acting_user=acting_user,
    )
    made = RevenueObjection(
        community_id=line.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        line_id=line.id,
        resident_id=acting_user,
        ticket_id=opened.ticket.id,
        text=text,
        answer_by=places.today() + timedelta(days=days),  # the day itself isn't counted (民法典 201)
        created_at=clock.now(),
    )
    db.session().add(made)
    actor = Actor(ActorKind.RESIDENT, acting_user)
    note(actor, "objected", Ref(made.community_id, made.id), "revenue_objection", line_id=str(line.id))
    return made


def answer(ref: Ref, *, text: str, acting_user: StaffActor) -> RevenueObjection:
    """Answer it in public, once, in the name of one's organisation; who objected is told.

    Raises NotFound, AnsweredAlready.
    """
    found = queries.one_for(acting_user, Permission.REVENUE_REVIEW, RevenueObjection, ref)
    lock(Ref(ref.community_id, found.estate_id))
    found = queries.one_for(acting_user, Permission.REVENUE_REVIEW, RevenueObjection, ref)
    if found.answered_at is not None:
        raise AnsweredAlready
    found.answer, found.answered_by, found.answered_at = text, acting_user.id, clock.now()
    estate = Ref(ref.community_id, found.estate_id)
    here = (
        g for g in acting_user.grants if Permission.REVENUE_REVIEW in g.permissions and estate in g.estates
    )
    found.answered_org_id = next((grant.org_id for grant in here), None)
    note(acting_user.actor, "objection_answered", ref, "revenue_objection")
    if found.resident_id is not None:
        _tell(found, found.resident_id, text)
    return found


def _tell(objection: RevenueObjection, resident_id: UUID, answer: str) -> None:
    home = objection.community_id
    doubted = queries.line(Ref(home, objection.line_id))
    messaging.notify(
        resident_id=resident_id,
        kind=NoticeKind.REVENUE_ANSWERED,
        community_id=home,
        idem=f"revenue_answered:{objection.id}",
        params={"day": doubted.day.isoformat(), "amount": yuan(doubted.amount_fen), "answer": answer},
        target=("revenue_entry", ids.encode(Kind.REVENUE_ENTRY, Ref(home, objection.line_id))),
    )
