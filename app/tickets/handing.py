"""Writing who takes a ticket over: the next in turn, or all that somebody left behind when the shift ended."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from app import audit, clock, db
from app.duty import queries as duty
from app.duty import service as duty_service
from app.duty.choice import Method
from app.duty.models import Post
from app.errors import NotFound
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.tickets import giving, queries, steps
from app.tickets.models import Ticket, TicketStatus, Visibility
from app.tickets.moves import Move
from app.tickets.routing_errors import NobodyElse, NoPost, StillOnShift

AT_MOST = 200  # tickets in one hand-over


def rotate(ref: Ref, *, reason: str, acting_user: StaffActor, version: int | None = None) -> Ticket:
    """轮派: to the next on shift at the post through which the ticket came, with a reason for colleagues.

    Raises NoPost for a ticket that came without a post or whose unit has changed since, NobodyElse.
    """
    ticket = steps.staff_ticket(acting_user, ref, Move.ROTATE, version)
    post_id = queries.post_of(ticket)
    post = duty.post(Ref(ref.community_id, post_id), lock=True) if post_id is not None else None
    if post is None or post.org_id != ticket.org_id:
        raise NoPost
    _hand_on(ticket, post, reason, acting_user)
    return ticket


def _hand_on(ticket: Ticket, post: Post, reason: str, acting_user: StaffActor) -> None:
    """Give it to the next one; the post is locked. Raises NobodyElse."""
    from_staff = ticket.handler_id
    found = giving.at_post(post, Method.ROTATE, giving.case_of(ticket), but=from_staff)
    if found.choice.staff_id is None:
        raise NobodyElse
    before = steps.go(ticket, Move.ROTATE)
    ticket.handler_id = found.choice.staff_id
    duty_service.note_given(post, found.choice.staff_id, places_now=found.places_now)
    data = giving.staffed_data(found) | {"staff": str(found.choice.staff_id)}
    if from_staff is not None:
        data["from_staff"] = str(from_staff)
    steps.event(
        ticket,
        Move.ROTATE,
        acting_user.actor,
        from_status=before,
        words=reason,
        org_id=ticket.org_id,
        visibility=Visibility.INTERNAL,
        **data,
    )


def hand_over(ref: Ref, *, staff_id: UUID, reason: str, acting_user: StaffActor) -> list[Ticket]:
    """交班: what somebody was given at this post and hasn't started goes to those on shift, in turn, at most 200.

    Only by somebody of the unit or who keeps the roster; never while she stands there herself; what is under way stays
    with her. Raises NotFound, StillOnShift, NobodyElse (then nothing is moved).
    """
    seen = duty.post_for(acting_user, ref)
    own = seen.org_id in acting_user.org_ids
    if not own and not duty.may(acting_user, seen.community_id, seen.org_id, Permission.DUTY_EDIT):
        raise NotFound
    tickets = list(
        db.session().scalars(
            select(Ticket)
            .where(
                Ticket.community_id == ref.community_id,
                Ticket.org_id == seen.org_id,
                Ticket.status == TicketStatus.DISPATCHED,
                Ticket.handler_id == staff_id,
            )
            .order_by(Ticket.id)
            .limit(AT_MOST)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
    came_here = [ticket for ticket in tickets if queries.post_of(ticket) == ref.id]
    post = duty.post_for(acting_user, ref, lock=True)
    standing = duty.on_duty([post], clock.now())[ref]
    if any(one.staff_id == staff_id for one in standing):
        raise StillOnShift
    for ticket in came_here:
        _hand_on(ticket, post, reason, acting_user)
    audit.record(
        acting_user.actor,
        "duty.handed_over",
        community_id=ref.community_id,
        object_kind=duty.OBJECT_KIND,
        object_id=ref.id,
        staff_id=str(staff_id),
        tickets=len(came_here),
    )
    return came_here
