"""The machines' signature, the same both ways: hex HMAC-SHA256 of method, path, timestamp, nonce and body digest."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

WINDOW_S = 300
_STAMP = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[A-Za-z0-9._~-]{8,64}")
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_KEY_ID = re.compile(r"[A-Za-z0-9_]{1,24}")
CODE = re.compile(r"[a-z0-9][a-z0-9_-]{1,31}")  # a source's name in paths


def sign(secret: str, *, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """64 lower-case hex digits over method, path, timestamp, nonce and the hex SHA-256 of the body, one a line."""
    said = "\n".join([method, path, timestamp, nonce, hashlib.sha256(body).hexdigest()])
    return hmac.new(secret.encode(), said.encode(), hashlib.sha256).hexdigest()


def matches(given: str, expected: str) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(given.lower().encode(), expected.encode())


def well_formed(*, key_id: str, timestamp: str, nonce: str, signature: str) -> bool:
    """Are the headers of the shape they must have? A nonce is 8 to 64 letters, digits and `._~-`."""
    shapes = ((_KEY_ID, key_id), (_STAMP, timestamp), (_NONCE, nonce), (_HEX, signature))
    return all(shape.fullmatch(given) for shape, given in shapes)


def headers(secret: str, *, key_id: str, path: str, now: int, body: bytes) -> dict[str, str]:
    """The headers of a POST signed now (Unix seconds)."""
    nonce = secrets.token_urlsafe(18)
    return {
        "X-Key-Id": key_id,
        "X-Timestamp": str(now),
        "X-Nonce": nonce,
        "X-Signature": sign(secret, method="POST", path=path, timestamp=str(now), nonce=nonce, body=body),
    }
