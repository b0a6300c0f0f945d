"""Signed links to photos: whoever holds one may look, until the hour after next.

The expiry is rounded to the hour, so the same photo gives the same link, and the same bytes of an answer,
all hour long. The link names the upload of a person or the photo of a community and one of two sizes, or a page of
a paper's public file.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from typing import NamedTuple
from uuid import UUID

from app import clock
from app.ids import Ref

_VARIANTS = ("thumb", "full")
_TAG = 16
_base_url = ""
_key = b""


def configure(*, base_url: str, secret: str) -> None:
    """Where links point and what signs them (called once by `app.boot`)."""
    global _base_url, _key
    _base_url = base_url
    _key = hashlib.sha256(b"photo-links\0" + secret.encode()).digest()


class Target(NamedTuple):
    """What a link shows: an upload (`owner_id` set) or an attached photo (`ref` set)."""

    id: UUID
    owner_id: UUID | None
    ref: Ref | None
    variant: str


def _sign(body: bytes) -> str:
    tag = hmac.digest(_key, body, hashlib.sha256)[:_TAG]
    return base64.urlsafe_b64encode(body + tag).rstrip(b"=").decode()


def _hour() -> int:
    return int(clock.now().timestamp()) // 3600


def to_upload(owner_id: UUID, upload_id: UUID, variant: str) -> str:
    """An absolute URL to one's own upload, valid for one to two hours."""
    body = struct.pack(">BBI", 1, _VARIANTS.index(variant), _hour() + 2) + owner_id.bytes + upload_id.bytes
    return f"{_base_url}/public/v1/photos/{_sign(body)}"


def to_photo(ref: Ref, variant: str) -> str:
    """An absolute URL to an attached photo, valid for one to two hours."""
    body = struct.pack(">BBI", 2, _VARIANTS.index(variant), _hour() + 2)
    body += struct.pack(">I", ref.community_id) + ref.id.bytes
    return f"{_base_url}/public/v1/photos/{_sign(body)}"


def to_page(ref: Ref, page: int) -> str:
    """An absolute URL to a page (from 1) of the public file of a paper, valid for one to two hours."""
    body = struct.pack(">BBI", 3, page, _hour() + 2) + struct.pack(">I", ref.community_id) + ref.id.bytes
    return f"{_base_url}/public/v1/vouchers/{_sign(body)}"


def read(signed: str) -> Target | None:
    """What the link shows; None when it is not ours, altered or expired."""
    opened = _opened(signed)
    if opened is None:
        return None
    kind, variant, rest = opened
    if kind == 1:
        return Target(UUID(bytes=rest[16:]), UUID(bytes=rest[:16]), None, _VARIANTS[variant])
    if kind == 2:
        ref = Ref(struct.unpack(">I", rest[:4])[0], UUID(bytes=rest[4:]))
        return Target(ref.id, None, ref, _VARIANTS[variant])
    return None


def read_page(signed: str) -> tuple[Ref, int] | None:
    """The paper and the page that the link of `to_page` shows; None when it is not ours, altered or expired."""
    opened = _opened(signed)
    if opened is None or opened[0] != 3:
        return None
    _, page, rest = opened
    return Ref(struct.unpack(">I", rest[:4])[0], UUID(bytes=rest[4:])), page


def _opened(signed: str) -> tuple[int, int, bytes] | None:
    """Kind, second byte and the rest of what was signed by us and still holds."""
    try:
        raw = base64.b64decode(signed + "=" * (-len(signed) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    body, tag = raw[:-_TAG], raw[-_TAG:]
    if len(tag) != _TAG or not hmac.compare_digest(hmac.digest(_key, body, hashlib.sha256)[:_TAG], tag):
        return None
    kind, second, expires = struct.unpack(">BBI", body[:6])
    return (kind, second, body[6:]) if _hour() < expires else None
