"""The tokens residents and staff carry.

Residents: a short-lived HS256 access token, whose login must still be open, and a rotating refresh token of
which only the hash is stored. Staff: one random token, hash stored, looked up on every request so that
revoking takes effect at once.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NamedTuple
from uuid import UUID

import jwt
import orjson

from app import clock, ids
from app.ids import BadId, Kind
from app.people.errors import BadToken, RefreshRefused

_AUDIENCE = "jiayuan-resident"


def access_token(resident_id: UUID, session_id: UUID, *, secret: str, seconds: int) -> str:
    """A signed access token of a resident for `seconds`."""
    now = int(clock.now().timestamp())
    claims = {
        "sub": str(resident_id),
        "sid": str(session_id),
        "aud": _AUDIENCE,
        "iat": now,
        "exp": now + seconds,
    }
    return jwt.encode(claims, secret, algorithm="HS256")


class Access(NamedTuple):
    """Who carries the token."""

    resident_id: UUID
    session_id: UUID


def read_access_token(token: str, *, secret: str) -> Access:
    """Who carries it. Raises BadToken for anything not signed by us, for residents, and still valid."""
    try:
        access, ends_at = _signed(token, secret)
    except (jwt.InvalidTokenError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise BadToken from e
    if clock.now().timestamp() >= ends_at:
        raise BadToken
    return access


@functools.lru_cache(maxsize=4096)  # a resident asks with the same token for two hours
def _signed(token: str, secret: str) -> tuple[Access, float]:
    """What a good signature says, and until when: nothing that time or the database could change."""
    signed, _, signature = token.rpartition(".")
    header, _, payload = signed.partition(".")
    if header == _HEADER:
        claims = _claims(signed, payload, signature, secret)
    else:
        claims = jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            audience=_AUDIENCE,
            options={"require": ["exp", "sub", "aud"], "verify_exp": False, "verify_iat": False},
        )
    return Access(UUID(claims["sub"]), UUID(claims["sid"])), float(claims["exp"])


# What every token of ours begins with: the algorithm and nothing that a caller could choose.
_HEADER = jwt.encode({}, "-" * 32, algorithm="HS256").partition(".")[0]


def _claims(signed: str, payload: str, signature: str, secret: str) -> dict[str, Any]:
    """What `jwt.decode` would find below our own header (RFC 7515 §5.2), at an eighth of its cost: it looks at each
    letter by itself, and every resident's first request after a text message brings a token that was never seen.
    """
    good = urlsafe_b64encode(hmac.digest(secret.encode(), signed.encode(), "sha256")).rstrip(b"=")
    if not hmac.compare_digest(good, signature.encode()):
        raise jwt.InvalidSignatureError
    claims: dict[str, Any] = orjson.loads(urlsafe_b64decode(payload + "=="))
    if claims["aud"] != _AUDIENCE:
        raise jwt.InvalidAudienceError
    return claims


class Refresh(NamedTuple):
    """A refresh token taken apart."""

    resident_id: UUID
    session_id: UUID
    secret: str


def new_secret() -> str:
    """256 random bits in base64url."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> bytes:
    """What is stored of a random secret: SHA-256 suffices for 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def same(a: bytes, b: bytes) -> bool:
    """Constant-time comparison."""
    return hmac.compare_digest(a, b)


def write_refresh_token(parts: Refresh) -> str:
    """The form the client stores."""
    return ".".join(
        (
            ids.encode(Kind.RESIDENT, parts.resident_id),
            ids.encode(Kind.SESSION, parts.session_id),
            parts.secret,
        )
    )


def read_refresh_token(token: str) -> Refresh:
    """Its parts. Raises RefreshRefused."""
    try:
        resident, session, secret = token.split(".")
        return Refresh(ids.decode_id(Kind.RESIDENT, resident), ids.decode_id(Kind.SESSION, session), secret)
    except (ValueError, BadId) as e:
        raise RefreshRefused from e
