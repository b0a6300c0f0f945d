"""The houses a resident belongs to: her copy, and what is left of it when she goes."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select, update

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.media import papers
from app.memberships import queries, steps
from app.memberships.models import (
    OPEN,
    Membership,
    MembershipAlert,
    Objection,
    RegistrationReminder,
)
from app.memberships.queries import OBJECT_KIND
from app.people.dossier import Item, Section, at


def _copy(resident_id: UUID) -> list[Item]:
    return [
        {
            "membership_id": ids.encode(Kind.MEMBERSHIP, Ref(row.community_id, row.id)),
            "house_id": ids.encode(Kind.HOUSE, Ref(row.community_id, row.house_id)),
            "relation": row.relation,
            "status": row.status,
            "voter_level": row.voter_level,
            "basis": row.basis,
            "name": queries.name_of(row),
            "valid_to": row.valid_to.isoformat() if row.valid_to is not None else None,
            "created_at": at(row.created_at),
            "decided_at": at(row.decided_at),
            "papers": [
                {"kind": paper.kind, "given_at": at(paper.attached_at)}
                for paper in papers.of(OBJECT_KIND, Ref(row.community_id, row.id))
            ],
        }
        for row in queries.mine(resident_id)
        if row.resident_id == resident_id
    ]


def _copy_objections(resident_id: UUID) -> list[Item]:
    rows = db.session().scalars(
        select(Objection)
        .where(Objection.resident_id == resident_id)
        .order_by(Objection.created_at)
        .execution_options(cross_community="closing an account")
    )
    return [
        {"text": queries.words_of(row), "created_at": at(row.created_at), "outcome": row.outcome}
        for row in rows
    ]


def _forget(resident_id: UUID) -> None:
    """Her memberships end; what is left of each says that somebody belonged to the house, and when."""
    rows = db.session().scalars(
        select(Membership)
        .where(Membership.resident_id == resident_id)
        .order_by(Membership.community_id, Membership.id)
        .with_for_update()
        .execution_options(cross_community="closing an account", populate_existing=True)
    )
    for row in rows.all():
        if row.status in OPEN:
            steps.end(row, reason="account_closed", acting_user=SYSTEM)
        elif steps.is_refusal(row):
            steps.mark_refused(row)  # under the phone she has now, too
        steps.say_nothing(row)
        papers.throw_away(object_kind=OBJECT_KIND, ref=Ref(row.community_id, row.id))
    for query in (
        update(MembershipAlert).where(MembershipAlert.resident_id == resident_id).values(resident_id=None),
        delete(RegistrationReminder).where(RegistrationReminder.resident_id == resident_id),
    ):
        db.session().execute(
            query.execution_options(synchronize_session=False, cross_community="closing an account")
        )


def _forget_objections(resident_id: UUID) -> None:
    db.session().execute(
        delete(Objection)
        .where(Objection.resident_id == resident_id)
        .execution_options(synchronize_session=False, cross_community="closing an account")
    )


SECTIONS = (
    Section(
        "memberships",
        # What she chose as a voter stands in an append-only table, under a number that leads nowhere then.
        frozenset({"memberships", "membership_alerts", "registration_reminders", "voter_choices"}),
        _copy,
        _forget,
    ),
    Section("objections", frozenset({"membership_objections"}), _copy_objections, _forget_objections),
)
