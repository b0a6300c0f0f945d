"""The objections of a resident: her copy, and what is left of them when she goes. The public answers stay."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from app import db, ids
from app.ids import Kind, Ref
from app.people import queries as people
from app.people.dossier import Item, Section, at
from app.revenue.models import RevenueObjection


def _hers(resident_id: UUID) -> list[RevenueObjection]:
    # Each came with a ticket, which the index of her things names.
    where = people.communities_of(resident_id)
    if not where:
        return []
    rows = db.session().scalars(
        select(RevenueObjection)
        .where(RevenueObjection.community_id.in_(where), RevenueObjection.resident_id == resident_id)
        .order_by(RevenueObjection.id)
    )
    return list(rows)


def _copy(resident_id: UUID) -> list[Item]:
    return [
        {
            "objection_id": ids.encode(Kind.REVENUE_OBJECTION, Ref(row.community_id, row.id)),
            "entry_id": ids.encode(Kind.REVENUE_ENTRY, Ref(row.community_id, row.line_id)),
            "text": row.text,
            "answer": row.answer,
            "created_at": at(row.created_at),
        }
        for row in _hers(resident_id)
    ]


def _forget(resident_id: UUID) -> None:
    for row in _hers(resident_id):
        row.resident_id = row.text = None
    db.session().flush()


SECTIONS = (Section("revenue_objections", frozenset({"revenue_objections"}), _copy, _forget),)
