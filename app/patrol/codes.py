"""The code on the wall: `JY1.<point>.<printing>.<signature>`.

Signed with the installation's hash key, so nothing has to be kept secret in the database and nobody makes a
code for a point without having seen its sign. A new printing makes the old sign, and photographs of it,
recognisable. A photograph of the present sign can't be told from the sign: that is what positions, hours and
speed are looked at for.
"""

from __future__ import annotations

import base64
import hmac
from typing import NamedTuple

from app import crypto, ids
from app.ids import BadId, Kind, Ref

PREFIX = "JY1"


class Code(NamedTuple):
    """What a genuine code says."""

    point: Ref
    printing: int


def payload(point: Ref, printing: int) -> str:
    """The text that the sign of a point carries as a QR code."""
    body = f"{PREFIX}.{ids.encode(Kind.PATROL_POINT, point)}.{printing}"
    return f"{body}.{_signature(body)}"


def read(text: str) -> Code | None:
    """The point and printing of a genuine code; None for anything else."""
    body, _, signature = text.rpartition(".")
    # Compared as bytes: a foreign code may hold any character.
    if not hmac.compare_digest(signature.encode(), _signature(body).encode()):
        return None
    try:
        _, point, printing = body.split(".")
        return Code(ids.decode_ref(Kind.PATROL_POINT, point), int(printing))
    except (ValueError, BadId):
        return None


def _signature(body: str) -> str:
    digest = crypto.keys().keyed_hash(body, "patrol_code")[:15]
    return base64.b32encode(digest).decode().lower()
