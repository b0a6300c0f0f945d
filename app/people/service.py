"""Writing people: sessions, phones, consents, staff accounts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from app import audit, clock, crypto, db, ids
from app.audit import Actor, ActorKind
from app.errors import StaleVersion
from app.ids import Ref
from app.people import passwords, queries, tokens
from app.people.errors import (
    AccountTaken,
    RefreshRefused,
    RoleHeld,
    RolesApart,
    UnknownConsent,
)
from app.people.models import (
    Consent,
    ConsentKey,
    IdentityKey,
    IdentityKind,
    IdentityMark,
    LoginAttempts,
    MarkKind,
    PersonKey,
    Resident,
    ResidentSession,
    Role,
    Staff,
    StaffRole,
    StaffStatus,
)
from app.people.permissions import ADMINISTRATORS

_SAME_ROLE = ("role", "org_id", "region_id", "grid_community_id", "grid_id")

# What may be agreed to now, by version; an older version no longer counts and is asked again.
CONSENT_VERSIONS = {ConsentKey.PHOTO_POSITION: 1}


@dataclass(frozen=True)
class OpenedSession:
    """What the client gets at login and at each rotation."""

    resident: Resident
    session_id: UUID
    refresh_token: str


def _openid_hash(openid: str) -> bytes:
    return crypto.keys().keyed_hash(openid, IdentityKind.OPENID)


def open_session(
    *, openid: str, session_key: str, refresh_token_s: int, is_demo: bool = False
) -> OpenedSession:
    """Log the holder of this openid in; a first visit makes the resident. Two first visits at once make one."""
    now = clock.now()
    key_hash = _openid_hash(openid)
    candidate = ids.new_id()
    claimed = db.session().scalar(
        insert(IdentityKey)
        .values(key_hash=key_hash, kind=IdentityKind.OPENID, person_id=candidate, claimed_at=now)
        .on_conflict_do_nothing(index_elements=["key_hash", "kind"])
        .returning(IdentityKey.person_id)
    )
    if claimed is not None:
        resident = _new_resident(candidate, openid, is_demo=is_demo)
    else:
        person_id = db.session().scalar(
            select(IdentityKey.person_id).where(
                IdentityKey.key_hash == key_hash, IdentityKey.kind == IdentityKind.OPENID
            )
        )
        found = db.session().get(Resident, person_id)
        if found is None:
            raise RuntimeError("an openid points to nobody")
        resident = found
        resident.last_seen_at = now
    secret = tokens.new_secret()
    session_id = ids.new_id()
    db.session().add(
        ResidentSession(
            resident_id=resident.id,
            id=session_id,
            refresh_hash=tokens.hash_of(secret),
            session_key_sealed=crypto.keys().encrypt(session_key.encode(), f"session_key:{session_id}"),
            created_at=now,
            rotated_at=now,
            expires_at=now + timedelta(seconds=refresh_token_s),
        )
    )
    audit.record(
        Actor(ActorKind.RESIDENT, resident.id),
        "session.opened",
        community_id=ids.lane_of(resident.id),
        object_kind="session",
        object_id=session_id,
    )
    return OpenedSession(
        resident, session_id, tokens.write_refresh_token(tokens.Refresh(resident.id, session_id, secret))
    )


def _new_resident(resident_id: UUID, openid: str, *, is_demo: bool) -> Resident:
    now = clock.now()
    resident = Resident(
        id=resident_id,
        openid_sealed=crypto.keys().encrypt(openid.encode(), f"openid:{resident_id}"),
        created_at=now,
        last_seen_at=now,
        version=1,
        is_demo=is_demo,
    )
    db.session().add(resident)
    db.session().add(PersonKey(**_wrapped_key(resident_id)))
    db.session().flush()  # the session's foreign key needs the resident
    return resident


def rotate(*, refresh_token: str, refresh_token_s: int) -> OpenedSession | None:
    """A fresh refresh token for this login; the old one is spent.

    None means an old token came back and the family has just been ended: the entry commits and then answers
    RefreshReused. Raises RefreshRefused for unknown, expired and ended logins.
    """
    parts = tokens.read_refresh_token(refresh_token)
    row = db.session().get(ResidentSession, (parts.resident_id, parts.session_id), with_for_update=True)
    now = clock.now()
    if row is None or row.ended_at is not None or row.expires_at <= now:
        raise RefreshRefused
    if not tokens.same(row.refresh_hash, tokens.hash_of(parts.secret)):
        row.ended_at, row.end_reason = now, "reuse"
        audit.record(
            audit.SYSTEM,
            "session.ended_for_reuse",
            community_id=ids.lane_of(row.resident_id),
            object_kind="session",
            object_id=row.id,
        )
        return None
    secret = tokens.new_secret()
    row.refresh_hash, row.rotated_at = tokens.hash_of(secret), now
    row.expires_at = now + timedelta(seconds=refresh_token_s)
    resident = db.session().get_one(Resident, parts.resident_id)
    resident.last_seen_at = now
    return OpenedSession(
        resident, row.id, tokens.write_refresh_token(tokens.Refresh(row.resident_id, row.id, secret))
    )


def end_session(*, resident_id: UUID, session_id: UUID) -> None:
    """Log out. A second time changes nothing."""
    row = db.session().get(ResidentSession, (resident_id, session_id), with_for_update=True)
    if row is not None and row.ended_at is None:
        row.ended_at, row.end_reason = clock.now(), "logout"
        audit.record(
            Actor(ActorKind.RESIDENT, resident_id),
            "session.ended",
            community_id=ids.lane_of(resident_id),
            object_kind="session",
            object_id=session_id,
        )


def bind_phone(*, resident_id: UUID, phone: str) -> UUID | None:
    """Bind a WeChat-verified phone; the latest binding wins. Returns the resident who lost it, if any.

    Numbers are re-used by carriers: whoever proves the number now holds it. Audited for both.
    """
    now = clock.now()
    key_hash = crypto.keys().keyed_hash(phone, IdentityKind.PHONE)
    # Claimed first: who proves the same number at this moment waits here, and then finds its holder.
    db.session().execute(
        insert(IdentityKey)
        .values(
            key_hash=key_hash,
            kind=IdentityKind.PHONE,
            person_id=resident_id,
            claimed_at=now,
            # It was free in between: that it went over from somebody is still known.
            taken_at=queries.marked(MarkKind.TAKEN, [key_hash]),
        )
        .on_conflict_do_nothing(index_elements=["key_hash", "kind"])
    )
    holder = db.session().scalar(
        select(IdentityKey)
        .where(IdentityKey.key_hash == key_hash, IdentityKey.kind == IdentityKind.PHONE)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if holder is None:
        raise RuntimeError("a phone that was just claimed is nobody's")
    former: UUID | None = None
    if holder.person_id != resident_id:
        former, holder.person_id = holder.person_id, resident_id
        holder.taken_at = now
        mark(MarkKind.TAKEN, [key_hash])
        db.session().execute(
            update(Resident)
            .where(Resident.id == former)
            .values(phone_sealed=None, phone_verified_at=None, version=Resident.version + 1)
            .execution_options(synchronize_session=False)
        )
        audit.record(
            Actor(ActorKind.RESIDENT, resident_id),
            "phone.lost",
            community_id=ids.lane_of(former),
            object_kind="resident",
            object_id=former,
        )
    holder.claimed_at = now
    # Whatever number this resident had before is free again.
    db.session().execute(
        delete(IdentityKey)
        .where(
            IdentityKey.person_id == resident_id,
            IdentityKey.kind == IdentityKind.PHONE,
            IdentityKey.key_hash != key_hash,
        )
        .execution_options(synchronize_session=False)
    )
    db.session().execute(
        update(Resident)
        .where(Resident.id == resident_id)
        .values(
            phone_sealed=crypto.keys().encrypt(phone.encode(), f"phone:{resident_id}"),
            phone_verified_at=now,
            version=Resident.version + 1,
        )
        .execution_options(synchronize_session=False)
    )
    audit.record(
        Actor(ActorKind.RESIDENT, resident_id),
        "phone.bound",
        community_id=ids.lane_of(resident_id),
        object_kind="resident",
        object_id=resident_id,
    )
    return former


def mark(kind: MarkKind, hashes: Iterable[bytes]) -> None:
    """Remember this of keyed hashes, from now on; it outlives the account."""
    now = clock.now()
    for key_hash in sorted(set(hashes)):
        db.session().execute(
            insert(IdentityMark)
            .values(key_hash=key_hash, kind=kind, at=now)
            .on_conflict_do_update(index_elements=["key_hash", "kind"], set_={"at": now})
        )


@dataclass(frozen=True)
class ConsentChange:
    """One consent given or withdrawn, in the version the resident saw."""

    key: str
    version: int
    granted: bool


def update_me(
    *,
    resident_id: UUID,
    version: int | None,
    nickname: str | None = None,
    consents: Sequence[ConsentChange] = (),
) -> Resident:
    """Change one's nickname and consents; `version` None takes any. Raises StaleVersion, UnknownConsent."""
    resident = db.session().get_one(Resident, resident_id, with_for_update=True, populate_existing=True)
    if version is not None and resident.version != version:
        raise StaleVersion
    me = Actor(ActorKind.RESIDENT, resident_id)
    if nickname is not None:
        resident.nickname_sealed = (
            crypto.keys().encrypt(nickname.encode(), f"nickname:{resident_id}") if nickname else None
        )
    for change in consents:
        _set_consent(resident_id, change, me)
    resident.version += 1
    audit.record(
        me,
        "resident.updated",
        community_id=ids.lane_of(resident_id),
        object_kind="resident",
        object_id=resident_id,
    )
    return resident


def _set_consent(resident_id: UUID, change: ConsentChange, me: Actor) -> None:
    if change.key not in list(ConsentKey) or CONSENT_VERSIONS[ConsentKey(change.key)] != change.version:
        raise UnknownConsent
    now = clock.now()
    values = {
        "version": change.version,
        "granted_at": now if change.granted else None,
        "withdrawn_at": None if change.granted else now,
    }
    db.session().execute(
        insert(Consent)
        .values(resident_id=resident_id, key=change.key, **values)
        .on_conflict_do_update(index_elements=["resident_id", "key"], set_=values)
    )
    audit.record(
        me,
        "consent.given" if change.granted else "consent.withdrawn",
        community_id=ids.lane_of(resident_id),
        object_kind="consent",
        object_id=resident_id,
        key=change.key,
        version=change.version,
    )


_REMEMBER = db.Plain(
    """
    INSERT INTO resident_index (resident_id, kind, community_id, object_id, updated_at)
    VALUES (:resident_id, :kind, :community_id, :object_id, :now)
    ON CONFLICT (resident_id, kind, community_id, object_id) DO UPDATE SET updated_at = excluded.updated_at
    """
)


def remember(*, resident_id: UUID, kind: str, ref: Ref) -> None:
    """Note in the resident's index that this object is hers and has just changed."""
    _REMEMBER.write(
        {
            "resident_id": resident_id,
            "kind": kind,
            "community_id": ref.community_id,
            "object_id": ref.id,
            "now": clock.now(),
        }
    )


def seal_words(*, actor: Actor, words: str, context: str) -> tuple[bytes, UUID]:
    """Words for an append-only table under the key of who writes, and whose key that is.

    A resident has her key from her first visit on, and once it is destroyed none is made again (RuntimeError); all
    others get one with their first words. Such tables are never rewritten: when `DATA_KEYS` changes, this key is
    sealed anew, and the words stay as they are.
    """
    person_id = actor.id or ids.NOBODY
    cipher = queries.ciphers_of([person_id]).get(person_id)
    if cipher is None and actor.kind is not ActorKind.RESIDENT:
        db.session().execute(
            insert(PersonKey)
            .values(_wrapped_key(person_id))
            .on_conflict_do_nothing(index_elements=["person_id"])
        )
        cipher = queries.ciphers_of([person_id]).get(person_id)
    if cipher is None:
        raise RuntimeError("who writes has no key: the account is closed")
    return crypto.seal(cipher, words.encode(), context), person_id


def _wrapped_key(person_id: UUID) -> dict[str, Any]:
    return {
        "person_id": person_id,
        "wrapped": crypto.keys().encrypt(os.urandom(32), f"person_key:{person_id}"),
    }


# --- staff -----------------------------------------------------------------------------------------------


def add_staff(
    *,
    account: str,
    name: str,
    password: str,
    acting_user: Actor,
    org_id: UUID | None = None,
    is_given_out: bool = False,
    is_demo: bool = False,
) -> Staff:
    """A new staff account of an organisation. `is_given_out`: the password must be changed at the first login.

    Raises WeakPassword, AccountTaken.
    """
    passwords.check(password, account=account)
    staff = Staff(
        id=ids.new_id(),
        account=account,
        name=name,
        password_hash=passwords.hash_password(password),
        status=StaffStatus.ACTIVE,
        created_at=clock.now(),
        is_demo=is_demo,
        org_id=org_id,
        must_change=is_given_out,
        password_at=clock.now(),
        version=1,
    )
    try:
        with db.session().begin_nested():
            db.session().add(staff)
    except IntegrityError as e:
        if db.constraint_of(e) == "uq_staff_account":
            raise AccountTaken from e
        raise
    audit.record(
        acting_user,
        "staff.added",
        community_id=ids.lane_of(staff.id),
        object_kind="staff",
        object_id=staff.id,
    )
    return staff


def grant_role(
    *,
    staff_id: UUID,
    role: Role,
    org_id: UUID,
    since: date,
    acting_user: Actor,
    region_id: int | None = None,
    grid: Ref | None = None,
    until: date | None = None,
) -> StaffRole:
    """Give a role within a region, a grid, or (property) an organisation, from a day on, to the day before `until`.

    Raises RolesApart, RoleHeld. Whether the one who acts may give it is for `app.people.staffing`.
    """
    # The lock keeps two roles that exclude each other from being given at the same moment.
    staff = db.session().get_one(Staff, staff_id, with_for_update=True)
    given = StaffRole(
        id=ids.new_id(),
        staff_id=staff_id,
        role=role,
        region_id=region_id,
        grid_community_id=grid.community_id if grid else None,
        grid_id=grid.id if grid else None,
        org_id=org_id,
        valid_from=since,
        valid_to=until,
        version=1,
    )
    _refuse_clash(given)
    db.session().add(given)
    if staff.org_id is None:
        staff.org_id = org_id
    audit.record(
        acting_user,
        "role.granted",
        community_id=ids.lane_of(staff_id),
        object_kind="staff",
        object_id=staff_id,
        role=role.value,
        role_id=str(given.id),
    )
    return given


def end_role(row: StaffRole, *, until: date | None) -> None:
    """Let a locked role end before that day; a day before its first leaves it without one. Raises as `grant_role`."""
    db.session().get_one(Staff, row.staff_id, with_for_update=True)
    row.valid_to = max(until, row.valid_from) if until is not None else None
    row.version += 1
    _refuse_clash(row)


def _refuse_clash(given: StaffRole) -> None:
    """An administrator or auditor holds that one role (三员分立), and nobody the same role twice."""
    if given.valid_to is not None and given.valid_to <= given.valid_from:
        return
    beside = db.session().scalars(
        select(StaffRole).where(
            StaffRole.staff_id == given.staff_id,
            StaffRole.id != given.id,
            or_(StaffRole.valid_to.is_(None), StaffRole.valid_to > given.valid_from),
            StaffRole.valid_from < given.valid_to if given.valid_to is not None else true(),
        )
    )
    for row in beside:
        if row.role != given.role and {row.role, given.role} & ADMINISTRATORS:
            raise RolesApart
        if all(getattr(row, name) == getattr(given, name) for name in _SAME_ROLE):
            raise RoleHeld


def forget_attempts(*, before: datetime) -> int:
    """Delete counts that nothing was added to since; how many."""
    result = db.session().execute(
        delete(LoginAttempts)
        .where(LoginAttempts.last_at < before)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
