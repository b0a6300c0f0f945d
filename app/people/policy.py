"""What the installation asks of staff logins beyond the law of the house; read from the settings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from app import clock
from app.people.models import Role, SessionMode, Staff, StaffSession
from app.people.permissions import needs_totp
from app.people.scopes import Need
from app.settings import Settings

INITIAL_PASSWORD_KEPT = timedelta(days=7)  # one that was given out and never used is worth nothing after


@dataclass(frozen=True)
class StaffPolicy:
    """Durations in seconds and days; 0 days: no rotation (NIST SP 800-63B 3.1.1.2), 0 classes: no composition."""

    session_s: int
    idle_s: int
    totp_required: bool = True
    password_days: int = 0
    password_classes: int = 0

    @classmethod
    def of(cls, settings: Settings) -> StaffPolicy:
        """The policy of these settings."""
        return cls(
            session_s=settings.staff_session_s,
            idle_s=settings.staff_idle_s,
            totp_required=settings.staff_totp == "required",
            password_days=settings.staff_password_days,
            password_classes=settings.staff_password_classes,
        )

    def is_open(self, session: StaffSession) -> bool:
        """Does the login still count? A screen that was left does not; a script has none to leave."""
        now = clock.now()
        if session.ended_at is not None or session.expires_at <= now:
            return False
        seen = session.seen_at or session.created_at
        return session.mode == SessionMode.TOKEN or seen + timedelta(seconds=self.idle_s) > now

    def needs(self, staff: Staff, roles: Iterable[Role]) -> tuple[Need, ...]:
        """What has to be done before this account opens anything."""
        found = []
        if staff.must_change or self._is_old(staff):
            found.append(Need.PASSWORD)
        if self.totp_required and staff.totp_sealed is None and any(needs_totp(role) for role in roles):
            found.append(Need.TOTP)
        return tuple(found)

    def _is_old(self, staff: Staff) -> bool:
        if self.password_days == 0:
            return False
        return (staff.password_at or staff.created_at) + timedelta(days=self.password_days) <= clock.now()
