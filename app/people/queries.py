"""Reading people: who is this, what may she see, what did she agree to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol, cast
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, tuple_

from app import clock, crypto, db
from app.ids import Ref
from app.people.errors import StaffTokenRefused
from app.people.models import (
    Consent,
    ConsentKey,
    IdentityKey,
    IdentityKind,
    IdentityMark,
    MarkKind,
    PersonKey,
    Resident,
    ResidentIndex,
    Role,
    SessionMode,
    Staff,
    StaffRole,
    StaffSession,
    StaffStatus,
)
from app.people.permissions import GRANTS, Permission
from app.people.policy import StaffPolicy
from app.people.scopes import BY_GRID, BY_ORG, BY_REGION, Grant, Login, StaffActor
from app.places import queries as places

HANDLING = frozenset(role for role in Role if Permission.TICKET_HANDLE in GRANTS[role])
# Who gives out a unit's work, and is told of what comes in; the others are told of what they are given.
UNIT = frozenset(role for role in BY_ORG if Permission.TICKET_ASSIGN in GRANTS[role])


def mask_phone(phone: str) -> str:
    """138****1234: enough to recognise one's own number, too little to call it."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 8 else "****"


def resident(resident_id: UUID, *, lock: bool = False) -> Resident | None:
    """The resident, or None when the account is gone; `lock` for who is about to change her."""
    return db.session().get(Resident, resident_id, with_for_update=lock, populate_existing=lock)


def openid_of(resident: Resident) -> str:
    """The openid in clear, for a call to WeChat."""
    return crypto.keys().decrypt(resident.openid_sealed, f"openid:{resident.id}").decode()


class Sealed(Protocol):
    """What a resident's row keeps sealed of her."""

    @property
    def id(self) -> UUID:
        """Whose it is."""

    @property
    def nickname_sealed(self) -> bytes | None:
        """What she calls herself."""

    @property
    def phone_sealed(self) -> bytes | None:
        """Her bound phone."""


def phone_of(resident: Resident | Sealed) -> str | None:
    """The bound phone in clear, or None."""
    if resident.phone_sealed is None:
        return None
    return crypto.keys().decrypt(resident.phone_sealed, f"phone:{resident.id}").decode()


class HeldPhone(NamedTuple):
    """The phone a resident holds, by hash; when WeChat verified it, and when it came over from somebody else."""

    hash: bytes
    verified_at: datetime
    taken_at: datetime | None


def phone_held(resident_id: UUID) -> HeldPhone | None:
    """The phone this resident holds, by its hash."""
    row = db.session().scalar(
        select(IdentityKey).where(
            IdentityKey.person_id == resident_id, IdentityKey.kind == IdentityKind.PHONE
        )
    )
    return HeldPhone(row.key_hash, row.claimed_at, row.taken_at) if row is not None else None


def identities_of(resident_id: UUID) -> dict[IdentityKind, bytes]:
    """The keyed hashes of her openid and, if she has one, her phone."""
    rows = db.session().execute(
        select(IdentityKey.kind, IdentityKey.key_hash).where(IdentityKey.person_id == resident_id)
    )
    return {IdentityKind(kind): key_hash for kind, key_hash in rows}


def marked(kind: MarkKind, hashes: Iterable[bytes]) -> datetime | None:
    """When this was last remembered of any of these keyed hashes, or None."""
    return db.session().scalar(
        select(func.max(IdentityMark.at)).where(
            IdentityMark.kind == kind, IdentityMark.key_hash.in_(list(hashes))
        )
    )


def holders_of(phone_hashes: Iterable[bytes]) -> dict[bytes, UUID]:
    """Phone hash → the resident who holds it by WeChat's word, for those that anybody holds."""
    wanted = sorted(set(phone_hashes))
    found: dict[bytes, UUID] = {}
    for at in range(0, len(wanted), 5000):
        found |= dict(
            db.session()
            .execute(
                select(IdentityKey.key_hash, IdentityKey.person_id).where(
                    IdentityKey.key_hash.in_(wanted[at : at + 5000]), IdentityKey.kind == IdentityKind.PHONE
                )
            )
            .all()
        )
    return found


def names_of_staff(org_ids: Iterable[UUID]) -> set[str]:
    """The names of those who have or had a role in these organisations."""
    return set(
        db.session().scalars(
            select(Staff.name)
            .join(StaffRole, StaffRole.staff_id == Staff.id)
            .where(StaffRole.org_id.in_(list(org_ids)))
        )
    )


def has_held(staff_id: UUID, roles: Collection[Role], *, since: date) -> bool:
    """Has this member of staff had one of these roles on that day or later, ended ones as well?"""
    found = db.session().scalar(
        select(StaffRole.id)
        .where(
            StaffRole.staff_id == staff_id,
            StaffRole.role.in_([role.value for role in roles]),
            or_(StaffRole.valid_to.is_(None), StaffRole.valid_to > since),
        )
        .limit(1)
    )
    return found is not None


def nickname_of(resident: Resident | Sealed) -> str | None:
    """What the resident calls herself, or None."""
    if resident.nickname_sealed is None:
        return None
    return crypto.keys().decrypt(resident.nickname_sealed, f"nickname:{resident.id}").decode()


def residents(resident_ids: Iterable[UUID | None]) -> dict[UUID, Resident]:
    """Those residents that exist, in one query."""
    wanted = {r for r in resident_ids if r is not None}
    if not wanted:
        return {}
    return {r.id: r for r in db.session().scalars(select(Resident).where(Resident.id.in_(wanted)))}


def consents_of(resident_id: UUID) -> dict[str, Consent]:
    """The resident's consents by key, given or withdrawn."""
    rows = db.session().scalars(select(Consent).where(Consent.resident_id == resident_id))
    return {row.key: row for row in rows}


_CONSENTED = db.Plain(
    """
    SELECT 1 FROM consents AS c
    WHERE c.resident_id = :resident_id AND c.key = :key AND c.version = :version AND c.granted_at IS NOT NULL
    """
)


def has_consent(resident_id: UUID, key: ConsentKey, version: int) -> bool:
    """Does this consent hold now, in its present version?"""
    return bool(_CONSENTED.within({"resident_id": resident_id, "key": key, "version": version}))


def ciphers_of(person_ids: Iterable[UUID]) -> dict[UUID, AESGCM]:
    """The ciphers of those persons whose keys still exist, in one query."""
    wanted = set(person_ids)
    if not wanted:
        return {}
    rows = db.session().execute(
        select(PersonKey.person_id, PersonKey.wrapped).where(PersonKey.person_id.in_(wanted))
    )
    return _ciphers(rows)


_KEYS = db.Plain("SELECT k.person_id, k.wrapped FROM person_keys AS k WHERE k.person_id = ANY(:persons)")


def ciphers_alone(person_ids: Collection[UUID]) -> dict[UUID, AESGCM]:
    """The same outside of a unit of work."""
    return _ciphers(_KEYS.rows({"persons": list(person_ids)})) if person_ids else {}


def _ciphers(rows: Iterable[Sequence[Any]]) -> dict[UUID, AESGCM]:
    return {
        person_id: AESGCM(crypto.keys().decrypt(wrapped, f"person_key:{person_id}"))
        for person_id, wrapped in rows
    }


class IndexEntry(NamedTuple):
    """One object of mine, with its place in the list."""

    ref: Ref
    updated_at: datetime


def mine(
    resident_id: UUID, kind: str, *, limit: int, before: tuple[datetime, UUID] | None = None
) -> list[IndexEntry]:
    """My objects of a kind, latest change first; `before` continues after that entry."""
    query = select(ResidentIndex).where(ResidentIndex.resident_id == resident_id, ResidentIndex.kind == kind)
    if before is not None:
        query = query.where(tuple_(ResidentIndex.updated_at, ResidentIndex.object_id) < before)
    rows = db.session().scalars(
        query.order_by(ResidentIndex.updated_at.desc(), ResidentIndex.object_id.desc()).limit(limit)
    )
    return [IndexEntry(Ref(r.community_id, r.object_id), r.updated_at) for r in rows]


def all_mine(resident_id: UUID, kind: str) -> list[Ref]:
    """All my objects of a kind, in no order."""
    rows = db.session().execute(
        select(ResidentIndex.community_id, ResidentIndex.object_id).where(
            ResidentIndex.resident_id == resident_id, ResidentIndex.kind == kind
        )
    )
    return [Ref(community_id, object_id) for community_id, object_id in rows]


def communities_of(resident_id: UUID) -> set[int]:
    """The communities in which anything of hers lies."""
    rows = db.session().scalars(
        select(ResidentIndex.community_id).where(ResidentIndex.resident_id == resident_id).distinct()
    )
    return set(rows)


# The account behind a login, and its roles of today with the communities that a region holds.
_WHO = db.Plain(
    f"""
    SELECT s.id, s.mode, s.created_at, s.expires_at, s.ended_at, s.seen_at,
        a.id, a.account, a.name, a.status, a.created_at, a.must_change, a.password_at, a.totp_sealed,
        (SELECT json_agg(
             json_build_array(
                 g.role, g.org_id, g.region_id, g.grid_community_id, g.grid_id,
                 CASE WHEN g.region_id IS NOT NULL THEN {places.under_as_sql("g.region_id")} END
             ) ORDER BY g.valid_from, g.id)
         FROM staff_roles AS g
         WHERE g.staff_id = a.id AND g.valid_from <= :today AND (g.valid_to IS NULL OR g.valid_to > :today))::text
    FROM staff_sessions AS s
    JOIN staff AS a ON a.id = s.staff_id
    WHERE s.token_hash = :token_hash
    """  # noqa: S608  names of this program alone
)


class _Session(NamedTuple):
    """Of a login what it is judged by; stands for its model."""

    id: UUID
    mode: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    seen_at: datetime | None


class _Account(NamedTuple):
    """Of an account what it is judged by; stands for its model."""

    id: UUID
    account: str
    name: str
    status: str
    created_at: datetime
    must_change: bool
    password_at: datetime | None
    totp_sealed: bytes | None


def staff_by_token(token_hash: bytes, policy: StaffPolicy) -> StaffActor:
    """Who carries this staff token, with roles and reach as of today, and what the policy asks for before they
    count. Raises StaffTokenRefused.
    """
    found = _WHO.within({"token_hash": token_hash, "today": places.today()})
    if not found:
        raise StaffTokenRefused
    row = found[0]
    cut = len(_Session._fields)
    session, staff = _Session(*row[:cut]), _Account(*row[cut:-1])
    if not policy.is_open(cast(StaffSession, session)) or staff.status != StaffStatus.ACTIVE:
        raise StaffTokenRefused
    grants = tuple(grant for role in orjson.loads(row[-1] or "[]") if (grant := _granted(*role)) is not None)
    return StaffActor(
        id=staff.id,
        account=staff.account,
        name=staff.name,
        session_hash=token_hash,
        grants=grants,
        session=Login(
            id=session.id,
            mode=SessionMode(session.mode),
            expires_at=session.expires_at,
            seen_at=session.seen_at or session.created_at,
            has_totp=staff.totp_sealed is not None,
            needs=policy.needs(cast(Staff, staff), [grant.role for grant in grants]),
        ),
    )


def _granted(
    role: str, org_id: str, region: int | None, grid_in: int | None, grid: str | None, under: list[int] | None
) -> Grant | None:
    return reach(
        Role(role),
        UUID(org_id),
        region_id=region,
        grid=Ref(grid_in, UUID(grid)) if grid_in and grid else None,
        communities=under,
    )


def holds_today(on: date) -> ColumnElement[bool]:
    """The condition under which a role counts on that day."""
    return and_(StaffRole.valid_from <= on, or_(StaffRole.valid_to.is_(None), StaffRole.valid_to > on))


def reach(
    role: Role,
    org_id: UUID,
    *,
    region_id: int | None = None,
    grid: Ref | None = None,
    communities: Collection[int] | None = None,
) -> Grant | None:
    """How far the role reaches today; None where what it would reach over isn't named. `communities`: those under the
    region, for who knows them already.
    """
    if role in BY_REGION and region_id is not None:
        under = frozenset(places.communities_under(region_id) if communities is None else communities)
        return Grant(
            role,
            org_id,
            communities=under,
            estates=frozenset(places.governed_estates(under)),
            region_id=region_id,
        )
    if role in BY_GRID and grid is not None:
        return Grant(role, org_id, grid=grid)
    if role in BY_ORG:
        return Grant(role, org_id, communities=frozenset(places.communities_of_org(org_id)))
    return None


def open_sessions_of(staff_id: UUID, policy: StaffPolicy) -> list[StaffSession]:
    """The logins of the account that still count, the latest first."""
    rows = db.session().scalars(
        select(StaffSession)
        .where(
            StaffSession.staff_id == staff_id,
            StaffSession.ended_at.is_(None),
            StaffSession.expires_at > clock.now(),
        )
        .order_by(StaffSession.created_at.desc(), StaffSession.id.desc())
    )
    return [row for row in rows if policy.is_open(row)]


_STAFF_NAMES = db.Plain("SELECT id, name FROM staff WHERE id = ANY(:ids)")


def staff_names(staff_ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Names of staff, for colleagues, in one query."""
    wanted = {s for s in staff_ids if s is not None}
    if not wanted:
        return {}
    return dict(_STAFF_NAMES.within({"ids": list(wanted)}))


class Post(NamedTuple):
    """A role that a member of staff holds today."""

    staff_id: UUID
    role: Role
    org_id: UUID


MOST_POSTS = 500


def posts_reaching(*, regions: Collection[int], grid: Ref | None, org_ids: Collection[UUID]) -> list[Post]:
    """Who may be told of a thing: desk and street of these regions, the workers of its grid, and the property staff
    of these organisations; active today, by id, at most 500.
    """
    on = places.today()
    ways = [
        and_(StaffRole.role.in_([Role.COMMUNITY, Role.STREET]), StaffRole.region_id.in_(regions)),
        and_(StaffRole.role.in_(UNIT), StaffRole.org_id.in_(org_ids)),
    ]
    if grid is not None:
        ways.append(
            and_(
                StaffRole.role == Role.GRID,
                StaffRole.grid_community_id == grid.community_id,
                StaffRole.grid_id == grid.id,
            )
        )
    rows = db.session().execute(
        select(StaffRole.staff_id, StaffRole.role, StaffRole.org_id)
        .join(Staff, Staff.id == StaffRole.staff_id)
        .where(
            Staff.status == StaffStatus.ACTIVE,
            StaffRole.valid_from <= on,
            or_(StaffRole.valid_to.is_(None), StaffRole.valid_to > on),
            or_(*ways),
        )
        .order_by(StaffRole.staff_id)
        .limit(MOST_POSTS)
    )
    return [Post(staff_id, Role(role), org_id) for staff_id, role, org_id in rows]


def works_for(staff_id: UUID, org_id: UUID) -> bool:
    """Does this member of staff handle tickets for that organisation today?"""
    return (
        db.session().scalar(
            select(StaffRole.id)
            .where(
                StaffRole.staff_id == staff_id,
                StaffRole.org_id == org_id,
                StaffRole.role.in_(HANDLING),
                holds_today(places.today()),
            )
            .limit(1)
        )
        is not None
    )


def workers_of(org_id: UUID, staff_ids: Iterable[UUID], *, on: date) -> set[UUID]:
    """Those of these people who may log in and handle tickets for that organisation on that day, in one query."""
    rows = db.session().scalars(
        select(StaffRole.staff_id)
        .join(Staff, Staff.id == StaffRole.staff_id)
        .where(
            StaffRole.staff_id.in_(set(staff_ids)),
            StaffRole.org_id == org_id,
            StaffRole.role.in_(HANDLING),
            StaffRole.valid_from <= on,
            or_(StaffRole.valid_to.is_(None), StaffRole.valid_to > on),
            Staff.status == StaffStatus.ACTIVE,
        )
    )
    return set(rows)


def able_to_handle(
    org_id: UUID, staff_ids: Iterable[UUID], *, community_id: int, grid_id: UUID | None
) -> set[UUID]:
    """Those of these people whose role in that organisation reaches a ticket there today, in one query.

    A grid worker only in her own grid; the desk where its region lies; everybody else wherever the organisation works.
    """
    on = places.today()
    above = {community_id, *places.regions_above(community_id)}
    rows = db.session().execute(
        select(StaffRole.staff_id, StaffRole.role, StaffRole.region_id, StaffRole.grid_id)
        .join(Staff, Staff.id == StaffRole.staff_id)
        .where(
            StaffRole.staff_id.in_(set(staff_ids)),
            StaffRole.org_id == org_id,
            StaffRole.valid_from <= on,
            or_(StaffRole.valid_to.is_(None), StaffRole.valid_to > on),
            Staff.status == StaffStatus.ACTIVE,
        )
    )
    return {
        staff_id
        for staff_id, role, region_id, grid in rows
        if role in BY_ORG & HANDLING
        or (role == Role.GRID and grid is not None and grid == grid_id)
        or (role in {Role.STREET, Role.COMMUNITY} and region_id in above)
    }


# Whether a login is still open, for those statements that ask it on their way.
LOGIN_HOLDS = (
    "EXISTS (SELECT FROM resident_sessions AS s"
    " WHERE s.resident_id = :resident_id AND s.id = :session_id AND s.ended_at IS NULL)"
)
_LOGIN = text(f"SELECT {LOGIN_HOLDS}")
_LOGIN_ALONE = db.Plain(f"SELECT {LOGIN_HOLDS}")


def login_holds(resident_id: UUID, session_id: UUID, connection: Connection | None = None) -> bool:
    """Is this login still open (not logged out, not ended for reuse)? Asked at every request, so as bare SQL: on the
    connection of a unit of work, or by itself.
    """
    who = {"resident_id": resident_id, "session_id": session_id}
    if connection is not None:
        return bool(connection.execute(_LOGIN, who).scalar())
    return _LOGIN_ALONE.ask(who) == (True,)


def resident_id_by_openid(openid: str) -> UUID | None:
    """Who holds this openid, or None."""
    key_hash = crypto.keys().keyed_hash(openid, IdentityKind.OPENID)
    return db.session().scalar(
        select(IdentityKey.person_id).where(
            IdentityKey.key_hash == key_hash, IdentityKey.kind == IdentityKind.OPENID
        )
    )
