"""How staff log in and stay logged in: password, second factor, lock-out, sessions.

What proves a person (password, code) is checked under the lock of the account's count of failures, and a failure
comes back as a value: the entry commits the count and then answers with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from app import audit, clock, crypto, db, ids
from app.addresses import network_of
from app.audit import Actor, ActorKind
from app.errors import AppError, NotFound
from app.people import passwords, tokens, totp
from app.people.errors import (
    InitialPasswordExpired,
    LockedOut,
    LoginRefused,
    NothingToConfirm,
    SamePassword,
    StaffTokenRefused,
    TooManyFailures,
    TotpRefused,
    TotpRequired,
)
from app.people.models import LoginAttempts, RecoveryCode, SessionMode, Staff, StaffSession, StaffStatus
from app.people.policy import INITIAL_PASSWORD_KEPT, StaffPolicy
from app.people.scopes import StaffActor

LOCK_AFTER = 5  # wrong passwords and codes in a row
LOCK_MINUTES = 15
ADDRESS_FAILURES = 30  # wrong passwords and codes from one address, under whatever names, in so many minutes:
ADDRESS_MINUTES = 15
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class StaffLogin:
    """A staff login that succeeded. `token` is told once, in the answer or in the cookie."""

    staff_id: UUID
    token: str
    mode: SessionMode
    expires_in: int


def staff_login(
    *,
    account: str,
    password: str,
    policy: StaffPolicy,
    code: str | None = None,
    mode: SessionMode = SessionMode.TOKEN,
    client: str | None = None,
    address: str | None = None,
) -> StaffLogin | AppError:
    """Check password and second factor and open a session.

    `code`: of the authenticator, or a recovery code. A refusal is returned, not raised (LoginRefused, LockedOut,
    TooManyFailures, TotpRequired, TotpRefused, InitialPasswordExpired): counting the failure must be committed.
    Unknown accounts take as long as known ones, lock like them, and get the same answers.
    """
    if (shut := _shut(address)) is not None:
        return shut
    attempts = _attempts(account)
    if (locked := _locked(attempts)) is not None:
        return locked
    staff = db.session().scalar(select(Staff).where(Staff.account == account).with_for_update())
    active = staff is not None and staff.status == StaffStatus.ACTIVE
    stored = staff.password_hash if staff is not None and active else passwords.nobody()
    if not passwords.matches(stored, password) or staff is None or not active:
        _count(attempts, staff, "password")
        _count_address(address)
        return LoginRefused()
    if staff.must_change and (staff.password_at or staff.created_at) + INITIAL_PASSWORD_KEPT <= clock.now():
        return InitialPasswordExpired()
    if staff.totp_sealed is not None:
        if not code:
            return TotpRequired()  # neither counted nor forgiven: the wrong ones before stay counted
        if not _second_factor(staff, code):
            _count(attempts, staff, "totp")
            _count_address(address)
            return TotpRefused()
    attempts.failed, attempts.locked_until = 0, None
    now = clock.now()
    token = tokens.new_secret()
    session_id = ids.new_id()
    db.session().add(
        StaffSession(
            token_hash=tokens.hash_of(token),
            id=session_id,
            staff_id=staff.id,
            created_at=now,
            expires_at=now + timedelta(seconds=policy.session_s),
            mode=mode,
            seen_at=now,
            client=client[:120] if client else None,
            address=address,
        )
    )
    _record(staff.id, "login.succeeded", "session", session_id)
    return StaffLogin(staff.id, token, mode, policy.session_s)


# --- proofs ----------------------------------------------------------------------------------------------


def _attempts(account: str) -> LoginAttempts:
    """The count of this account name, locked: guesses in parallel are counted one by one."""
    account_hash = crypto.keys().keyed_hash(account, "login_attempts")
    db.session().execute(
        insert(LoginAttempts)
        .values(account_hash=account_hash, failed=0, last_at=clock.now())
        .on_conflict_do_nothing(index_elements=["account_hash"])
    )
    return db.session().get_one(LoginAttempts, account_hash, with_for_update=True)


def _locked(attempts: LoginAttempts) -> LockedOut | None:
    now = clock.now()
    if attempts.locked_until is None or attempts.locked_until <= now:
        attempts.last_at = now
        return None
    left = int((attempts.locked_until - now).total_seconds()) + 1
    return LockedOut(minutes=-(-left // 60), retry_after=left)


def _count(attempts: LoginAttempts, staff: Staff | None, factor: str) -> None:
    attempts.failed += 1
    if attempts.failed >= LOCK_AFTER:
        attempts.failed = 0
        attempts.locked_until = clock.now() + timedelta(minutes=LOCK_MINUTES)
    if staff is not None:
        _record(staff.id, "login.failed", "staff", staff.id, factor=factor)


def _address_hash(address: str) -> bytes:
    return crypto.keys().keyed_hash(network_of(address), "login_addresses")


def _shut(address: str | None) -> TooManyFailures | None:
    """Is nobody let in from there for now? Takes no lock: an office behind one address logs in side by side."""
    if address is None:
        return None
    row = db.session().get(LoginAttempts, _address_hash(address))
    if row is None or row.failed < ADDRESS_FAILURES or row.locked_until is None:
        return None
    left = (row.locked_until - clock.now()).total_seconds()
    return TooManyFailures(minutes=-(-int(left + 1) // 60), retry_after=int(left) + 1) if left > 0 else None


def _count_address(address: str | None) -> None:
    """One more failure from there. `locked_until` ends the quarter of an hour that began with the first; a success
    forgives nothing, or an account of one's own would be a way round. Last in the transaction: its lock is short.
    """
    if address is None:
        return
    now = clock.now()
    ends = now + timedelta(minutes=ADDRESS_MINUTES)
    over = LoginAttempts.locked_until <= now
    db.session().execute(
        insert(LoginAttempts)
        .values(account_hash=_address_hash(address), failed=1, locked_until=ends, last_at=now)
        .on_conflict_do_update(
            index_elements=["account_hash"],
            set_={
                "failed": case((over, 1), else_=func.least(LoginAttempts.failed + 1, ADDRESS_FAILURES)),
                "locked_until": case((over, ends), else_=LoginAttempts.locked_until),
                "last_at": now,
            },
        )
    )


def _second_factor(staff: Staff, code: str) -> bool:
    """Is it a code of now that was not used, or a recovery code that was not used? Uses it up."""
    code = code.replace(" ", "")
    if totp.looks_like_a_code(code):
        step = totp.step_used(_secret(staff), code, at=clock.now(), after=staff.totp_step)
        if step is not None:
            staff.totp_step = step
        return step is not None
    row = db.session().get(RecoveryCode, (staff.id, totp.recovery_hash(code)), with_for_update=True)
    if row is None or row.used_at is not None:
        return False
    row.used_at = clock.now()
    _record(staff.id, "recovery_code.used", "staff", staff.id)
    return True


def _secret(staff: Staff) -> bytes:
    if staff.totp_sealed is None:
        raise RuntimeError("no authenticator is set up")
    return crypto.keys().decrypt(staff.totp_sealed, f"totp:{staff.id}")


def _prove(acting_user: StaffActor, *, password: str, code: str | None) -> tuple[Staff, AppError | None]:
    """The account of who asks, locked, and what is wrong with her proof. Counts as a login does."""
    attempts = _attempts(acting_user.account)
    staff = db.session().get_one(Staff, acting_user.id, with_for_update=True, populate_existing=True)
    if (locked := _locked(attempts)) is not None:
        return staff, locked
    if not passwords.matches(staff.password_hash, password):
        _count(attempts, staff, "password")
        return staff, LoginRefused()
    if staff.totp_sealed is not None:
        if not code:
            return staff, TotpRequired()
        if not _second_factor(staff, code):
            _count(attempts, staff, "totp")
            return staff, TotpRefused()
    attempts.failed = 0
    return staff, None


# --- password and second factor --------------------------------------------------------------------------


def change_password(
    *, old: str, new: str, code: str | None, policy: StaffPolicy, acting_user: StaffActor
) -> AppError | None:
    """Choose another password; all other logins of the account end. Returns what is wrong with the proof.

    Raises WeakPassword, PasswordTooSimple, SamePassword.
    """
    passwords.check(new, account=acting_user.account, classes=policy.password_classes)
    if new == old:
        raise SamePassword
    staff, wrong = _prove(acting_user, password=old, code=code)
    if wrong is not None:
        return wrong
    staff.password_hash = passwords.hash_password(
        new, account=acting_user.account, classes=policy.password_classes
    )
    staff.must_change, staff.password_at = False, clock.now()
    _end_others(acting_user, "password_changed")
    _record(staff.id, "password.changed", "staff", staff.id)
    return None


@dataclass(frozen=True)
class Enrolment:
    """What goes into an authenticator: the secret in base32, and the address behind the QR code."""

    secret: str
    uri: str


def start_totp(*, password: str, code: str | None, acting_user: StaffActor) -> Enrolment | AppError:
    """A fresh secret that waits for its first code; an authenticator in use stays in use until then.

    Who has one proves it (`code`). Returns what is wrong with the proof.
    """
    staff, wrong = _prove(acting_user, password=password, code=code)
    if wrong is not None:
        return wrong
    secret = totp.new_secret()
    staff.totp_pending = crypto.keys().encrypt(secret, f"totp_pending:{staff.id}")
    _record(staff.id, "totp.started", "staff", staff.id)
    return Enrolment(totp.in_base32(secret), totp.uri(secret, staff.account))


def confirm_totp(*, code: str, acting_user: StaffActor) -> list[str] | AppError:
    """The first code of the new authenticator: from now on it is asked for. Ten fresh recovery codes, told once.

    All other logins end: they were opened without it. Raises NothingToConfirm; returns TotpRefused, LockedOut.
    """
    attempts = _attempts(acting_user.account)
    staff = db.session().get_one(Staff, acting_user.id, with_for_update=True, populate_existing=True)
    if (locked := _locked(attempts)) is not None:
        return locked
    if staff.totp_pending is None:
        raise NothingToConfirm
    secret = crypto.keys().decrypt(staff.totp_pending, f"totp_pending:{staff.id}")
    step = totp.step_used(secret, code, at=clock.now(), after=None)
    if step is None:
        _count(attempts, staff, "totp")
        return TotpRefused()
    set_totp(staff, secret, step=step)
    _end_others(acting_user, "totp_set_up")
    _record(staff.id, "totp.set_up", "staff", staff.id)
    return _fresh_codes(staff)


def set_totp(staff: Staff, secret: bytes, *, step: int | None = None) -> None:
    """Let this secret be the account's second factor; `step` is the last that counts as used."""
    staff.totp_sealed = crypto.keys().encrypt(secret, f"totp:{staff.id}")
    staff.totp_pending, staff.totp_step, staff.totp_at = None, step, clock.now()


def new_recovery_codes(*, password: str, code: str | None, acting_user: StaffActor) -> list[str] | AppError:
    """Ten fresh recovery codes in place of the old ones, told once. Returns what is wrong with the proof.

    Raises NothingToConfirm without an authenticator.
    """
    staff, wrong = _prove(acting_user, password=password, code=code)
    if wrong is not None:
        return wrong
    if staff.totp_sealed is None:
        raise NothingToConfirm
    _record(staff.id, "recovery_codes.made", "staff", staff.id)
    return _fresh_codes(staff)


def _fresh_codes(staff: Staff) -> list[str]:
    forget_codes(staff.id)
    made = totp.new_recovery_codes()
    db.session().add_all(
        RecoveryCode(staff_id=staff.id, code_hash=totp.recovery_hash(code), used_at=None) for code in made
    )
    return made


def forget_codes(staff_id: UUID) -> None:
    """Recovery codes go with the authenticator that they stand in for."""
    db.session().execute(
        delete(RecoveryCode)
        .where(RecoveryCode.staff_id == staff_id)
        .execution_options(synchronize_session=False)
    )


# --- sessions --------------------------------------------------------------------------------------------


def refresh(*, acting_user: StaffActor) -> StaffLogin:
    """Another token for this login; the one that asked ends. The login ends when it would have ended."""
    row = _own(acting_user)
    now = clock.now()
    token = tokens.new_secret()
    row.ended_at = now
    db.session().add(
        StaffSession(
            token_hash=tokens.hash_of(token),
            id=row.id,
            staff_id=row.staff_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
            mode=row.mode,
            seen_at=now,
            client=row.client,
            address=row.address,
        )
    )
    _record(row.staff_id, "session.refreshed", "session", row.id)
    left = int((row.expires_at - now).total_seconds())
    return StaffLogin(row.staff_id, token, SessionMode(row.mode), left)


def _own(acting_user: StaffActor) -> StaffSession:
    row = db.session().get(
        StaffSession, acting_user.session_hash, with_for_update=True, populate_existing=True
    )
    if row is None or row.ended_at is not None:
        raise StaffTokenRefused
    return row


def staff_logout(*, token_hash: bytes) -> None:
    """End the staff session. A second time changes nothing."""
    row = db.session().get(StaffSession, token_hash, with_for_update=True)
    if row is not None and row.ended_at is None:
        row.ended_at = clock.now()
        _record(row.staff_id, "logout", "session", row.id)


def seen(*, acting_user: StaffActor) -> None:
    """Note that the login is in use. The moment is kept to the minute: a write for each request would be too many."""
    now = clock.now()
    db.session().execute(
        update(StaffSession)
        .where(StaffSession.token_hash == acting_user.session_hash, StaffSession.seen_at < now)
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )


def is_worth_noting(acting_user: StaffActor) -> bool:
    """Was the login last seen a minute ago or earlier?"""
    return acting_user.session is not None and acting_user.session.seen_at + SEEN_EVERY <= clock.now()


def end_own(*, session_id: UUID, acting_user: StaffActor) -> None:
    """End one of one's own logins. Raises NotFound for any other, and for one that has ended."""
    if not _end(acting_user.id, StaffSession.id == session_id):
        raise NotFound
    _record(acting_user.id, "session.ended", "session", session_id)


def end_others(*, acting_user: StaffActor) -> int:
    """End all one's logins but this one; how many."""
    return _end_others(acting_user, "asked")


def _end_others(acting_user: StaffActor, why: str) -> int:
    ended = _end(acting_user.id, StaffSession.token_hash != acting_user.session_hash)
    if ended:
        _record(acting_user.id, "sessions.ended", "staff", acting_user.id, count=ended, why=why)
    return ended


def end_all(staff_id: UUID) -> int:
    """End every login of the account; how many. The caller's audit row says why."""
    return _end(staff_id)


def _end(staff_id: UUID, *which: object) -> int:
    now: datetime = clock.now()
    result = db.session().execute(
        update(StaffSession)
        .where(
            StaffSession.staff_id == staff_id,
            StaffSession.ended_at.is_(None),
            StaffSession.expires_at > now,
            *which,  # type: ignore[arg-type]  # conditions of this module
        )
        .values(ended_at=now)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult


def _record(staff_id: UUID, action: str, kind: str, object_id: UUID, **details: object) -> None:
    audit.record(
        Actor(ActorKind.STAFF, staff_id),
        action,
        community_id=ids.lane_of(staff_id),
        object_kind=kind,
        object_id=object_id,
        **details,
    )
