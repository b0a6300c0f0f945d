"""What an adapter says of a sending: what to do next, not what went wrong inside an SDK."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The four ends of one attempt to send something to a person."""

    ACCEPTED = "accepted"
    """The provider took it over; it may still fail to arrive."""

    REFUSED = "refused"
    """The provider will never take this one; sending it again unchanged is useless."""

    THROTTLED = "throttled"
    """Nothing was sent, and later it may well be: try again."""

    UNKNOWN = "unknown"
    """It may have been sent (no answer, or none that can be read). Never resend blindly."""
