"""What people itself keeps of a resident: profile, consents, logins."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select

from app import db, ids
from app.idempotency import IdempotencyKey
from app.ids import Kind
from app.people import queries
from app.people.dossier import Item, Section, at
from app.people.models import (
    Consent,
    IdentityKey,
    PersonKey,
    Resident,
    ResidentIndex,
    ResidentSession,
)


def _profile(resident_id: UUID) -> list[Item]:
    me = db.session().get_one(Resident, resident_id)
    return [
        {
            "id": ids.encode(Kind.RESIDENT, me.id),
            "openid": queries.openid_of(me),
            "nickname": queries.nickname_of(me),
            "phone": queries.phone_of(me),
            "phone_verified_at": at(me.phone_verified_at),
            "created_at": at(me.created_at),
            "last_seen_at": at(me.last_seen_at),
        }
    ]


def _consents(resident_id: UUID) -> list[Item]:
    return [
        {
            "key": row.key,
            "version": row.version,
            "granted_at": at(row.granted_at),
            "withdrawn_at": at(row.withdrawn_at),
        }
        for _, row in sorted(queries.consents_of(resident_id).items())
    ]


def _logins(resident_id: UUID) -> list[Item]:
    rows = db.session().scalars(
        select(ResidentSession)
        .where(ResidentSession.resident_id == resident_id)
        .order_by(ResidentSession.created_at)
    )
    return [
        {
            "created_at": at(row.created_at),
            "last_used_at": at(row.rotated_at),
            "expires_at": at(row.expires_at),
            "ended_at": at(row.ended_at),
        }
        for row in rows
    ]


def _forget_profile(resident_id: UUID) -> None:
    session = db.session()
    for table, column in (
        (PersonKey, PersonKey.person_id),
        (IdentityKey, IdentityKey.person_id),
        (ResidentIndex, ResidentIndex.resident_id),
        (IdempotencyKey, IdempotencyKey.actor_id),
        (Resident, Resident.id),
    ):
        session.execute(
            delete(table).where(column == resident_id).execution_options(synchronize_session=False)
        )


def _forget_consents(resident_id: UUID) -> None:
    db.session().execute(
        delete(Consent).where(Consent.resident_id == resident_id).execution_options(synchronize_session=False)
    )


def _forget_logins(resident_id: UUID) -> None:
    db.session().execute(
        delete(ResidentSession)
        .where(ResidentSession.resident_id == resident_id)
        .execution_options(synchronize_session=False)
    )


SECTIONS = (
    Section(
        "profile",
        frozenset({"residents", "identity_keys", "person_keys", "resident_index", "idempotency_keys"}),
        _profile,
        _forget_profile,
    ),
    Section("consents", frozenset({"consents"}), _consents, _forget_consents),
    Section("logins", frozenset({"resident_sessions"}), _logins, _forget_logins),
)
