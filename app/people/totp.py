"""Time-based one-time passwords (RFC 6238) and recovery codes: values in, values out."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from app.people import tokens

STEP_S = 30
DIGITS = 6
DRIFT = 1  # steps that a clock may be ahead or behind
RECOVERY_CODES = 10
ISSUER = "家园 Jiayuan"


def new_secret() -> bytes:
    """160 random bits, as RFC 4226 §4 recommends."""
    return os.urandom(20)


def in_base32(secret: bytes) -> str:
    """The form that is typed into an authenticator."""
    return base64.b32encode(secret).decode()


def uri(secret: bytes, account: str) -> str:
    """The address behind the QR code (otpauth://)."""
    # What authenticators take for granted is named too: some read it.
    asked = {
        "secret": in_base32(secret),
        "issuer": ISSUER,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_S,
    }
    return f"otpauth://totp/{quote(f'{ISSUER}:{account}')}?{urlencode(asked, quote_via=quote)}"


def code_at(secret: bytes, step: int) -> str:
    """The code of a time step (seconds since 1970, divided by 30)."""
    # SHA-1 is what authenticator apps know; HMAC needs no collision resistance (RFC 6238 §1.2).
    return TOTP(secret, DIGITS, SHA1(), STEP_S).generate(step * STEP_S).decode()  # noqa: S303


def step_of(at: datetime) -> int:
    """The time step of a moment."""
    return int(at.timestamp()) // STEP_S


def step_used(secret: bytes, code: str, *, at: datetime, after: int | None) -> int | None:
    """The time step that the code belongs to, at most one away from `at` and later than `after`; None if there
    is none. A step that was used doesn't come again (RFC 6238 §5.2).
    """
    now = step_of(at)
    found = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        same = tokens.same(code_at(secret, step).encode(), code.encode())
        if same and (after is None or step > after):
            found = step
    return found


def looks_like_a_code(text: str) -> bool:
    """Six digits? Everything else that is entered in its place is tried as a recovery code."""
    return len(text) == DIGITS and text.isascii() and text.isdigit()


def new_recovery_codes() -> list[str]:
    """Ten codes of 120 random bits in groups of six letters and digits."""
    return [
        _grouped(base64.b32encode(secrets.token_bytes(15)).decode().lower()) for _ in range(RECOVERY_CODES)
    ]


def _grouped(text: str) -> str:
    return "-".join(text[i : i + 6] for i in range(0, len(text), 6))


def recovery_hash(code: str) -> bytes:
    """What is stored: SHA-256 suffices from 112 random bits on (ASVS 5.0 6.5.2). Spaces, dashes, case don't count."""
    plain = "".join(c for c in code.lower() if c.isalnum())
    return hashlib.sha256(plain.encode()).digest()
