"""协办: the units that the desk calls in together with the dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.people.scopes import StaffActor
from app.tickets import holding, queries, steps
from app.tickets.errors import UnknownOrg
from app.tickets.models import Ticket, Visibility
from app.tickets.moves import Move

TASK = "协助办理"


def call_all_in(
    ticket: Ticket, org_ids: Sequence[UUID], *, task: str | None, acting_user: StaffActor
) -> None:
    """Give each unit a task of its own beside the unit that has the ticket, and tell it, as `holding.call_in` does.

    All or none: raises UnknownOrg that names each of the list which doesn't work there, stands in it twice, leads, or
    assists already.
    """
    if not org_ids:
        return
    working = {ticket.org_id, *(part.org_id for part in queries.parts_of(ticket))}
    wrong: dict[str, list[tuple[str, str]]] = {}
    for index, org_id in enumerate(org_ids):
        if org_id in working:
            wrong[f"co_orgs.{index}"] = [("这个单位已在办理。", "This unit works on it already.")]
        elif not holding.may_be_given(ticket, org_id):
            wrong[f"co_orgs.{index}"] = [(UnknownOrg.zh, UnknownOrg.en)]
        working.add(org_id)
    if wrong:
        raise UnknownOrg(errors=wrong)
    for org_id in org_ids:
        holding.add_part(ticket, org_id, task or TASK)
    holding.set_lead(ticket)
    for org_id in org_ids:
        before = steps.go(ticket, Move.PART)
        steps.event(
            ticket,
            Move.PART,
            acting_user.actor,
            from_status=before,
            words=task or TASK,
            org_id=org_id,
            visibility=Visibility.INTERNAL,
        )
