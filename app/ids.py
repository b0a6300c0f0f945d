"""Identifiers: UUIDv7 inside, one opaque string on the wire.

What belongs to a community is named by (community_id, uuid): no view, service or query takes the uuid alone,
so a row can always be found on its shard. The wire form carries its kind, so an id pasted into the wrong
place is not found rather than misread.
"""

from __future__ import annotations

import base64
import os
import struct
import threading
import zlib
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID, SafeUUID

from app import clock


class Kind(StrEnum):
    """What an id names; the value is the prefix on the wire."""

    # Of a community: (community_id, uuid).
    TICKET = "tkt"
    ESTATE = "est"
    BUILDING = "bld"
    GRID = "grd"
    PHOTO = "pho"
    EXTENSION = "ext"
    HOUSE = "hou"
    OWNER = "own"
    IMPORT = "imp"
    PATROL_POINT = "pnt"
    PATROL_PLAN = "pln"
    PATROL_SHIFT = "shf"
    PATROL_VISIT = "vis"
    DUTY_ROSTER = "dut"
    ROUTING_RULE = "rul"
    MEMBERSHIP = "mbr"
    FOCUS_PERSON = "foc"
    DECISION = "dec"
    MOTION = "mot"
    CANDIDATE = "cnd"
    HEAD = "hed"
    PROXY = "prx"
    PAPER_BALLOT = "pbl"
    PETITION = "pet"
    DELIVERY_ENTRY = "dlv"
    REVENUE_ENTRY = "rev"
    REVENUE_CATEGORY = "rct"
    REVENUE_CONTRACT = "rcn"
    REVENUE_PERIOD = "rpd"
    REVENUE_OBJECTION = "rob"
    NOTICE = "ntc"
    CAMPAIGN = "cmp"
    RECIPIENT_LIST = "lst"
    SMS_MESSAGE = "sms"
    REVENUE_BUDGET = "rbg"
    REVENUE_BUDGET_LINE = "rbl"
    REVENUE_IMPORT = "rim"
    REVENUE_CONTRACT_CHANGE = "rcc"
    # Of a person or global: uuid alone.
    RESIDENT = "res"
    STAFF = "stf"
    ORG = "org"
    UPLOAD = "upl"
    INBOX = "msg"
    COMMUNITY = "com"
    SESSION = "ses"
    SOURCE = "src"
    ASSESSMENT = "asm"
    ROLE = "rol"
    SMS_TEMPLATE = "tpl"
    PREVIEW = "pvw"
    DISPLAY = "dsp"


class Ref(NamedTuple):
    """The whole name of a thing that belongs to a community."""

    community_id: int
    id: UUID


class BadId(ValueError):
    """The string names nothing of that kind. Faces answer 404."""


OF_COMMUNITY = frozenset(  # kinds whose whole name is (community_id, uuid)
    {Kind.TICKET, Kind.ESTATE, Kind.BUILDING, Kind.GRID, Kind.PHOTO, Kind.EXTENSION}
    | {Kind.HOUSE, Kind.OWNER, Kind.IMPORT}
    | {Kind.PATROL_POINT, Kind.PATROL_PLAN, Kind.PATROL_SHIFT, Kind.PATROL_VISIT}
    | {Kind.DUTY_ROSTER, Kind.ROUTING_RULE, Kind.MEMBERSHIP, Kind.FOCUS_PERSON}
    | {Kind.DECISION, Kind.MOTION, Kind.CANDIDATE, Kind.HEAD, Kind.PROXY, Kind.PAPER_BALLOT, Kind.PETITION}
    | {Kind.REVENUE_ENTRY, Kind.REVENUE_CATEGORY, Kind.REVENUE_CONTRACT, Kind.REVENUE_PERIOD}
    | {Kind.REVENUE_OBJECTION, Kind.DELIVERY_ENTRY, Kind.NOTICE}
    | {Kind.CAMPAIGN, Kind.RECIPIENT_LIST, Kind.SMS_MESSAGE}
    | {Kind.REVENUE_BUDGET, Kind.REVENUE_BUDGET_LINE, Kind.REVENUE_IMPORT}
    | {Kind.REVENUE_CONTRACT_CHANGE}
)
_LANES = 64
# Stands where a row asks for a person and the house itself acts, or nobody is known any more.
NOBODY = UUID(int=0)


_RANDOM_BITS = 74  # what RFC 9562 §5.7 leaves beside time, version and variant
_making = threading.Lock()
_STEP_BACK_MS = 1000  # by so much a machine's clock is corrected while it runs
_last = (0, 0)  # milliseconds and random bits of the id made last in this process


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then randomness. Sorts by time, and those of one
    process also within a millisecond (§6.2, method 2) and while the clock is set back a little (§6.2, rollback).
    """
    global _last
    bits = int.from_bytes(os.urandom(10), "big") >> 80 - _RANDOM_BITS
    with _making:
        ms = int(clock.now().timestamp() * 1000) & (2**48 - 1)
        last_ms, last_bits = _last
        if (ms == last_ms and bits <= last_bits) or ms < last_ms <= ms + _STEP_BACK_MS:
            ms, bits = last_ms, last_bits + 1 + (bits & (2**32 - 1))
            if bits >> _RANDOM_BITS:  # used up, once in a lifetime: the next millisecond
                ms, bits = ms + 1, bits & (2**32 - 1)
        _last = ms, bits
    return _made(ms, bits)


def new_ids(count: int) -> list[UUID]:
    """So many as `new_id` would make one after the other, for a fraction of its time."""
    global _last
    steps = struct.unpack(f"{count}I", os.urandom(4 * count))
    bits = int.from_bytes(os.urandom(9), "big")  # two bits less than there are: room for all steps
    with _making:
        ms = int(clock.now().timestamp() * 1000) & (2**48 - 1)
        last_ms, last_bits = _last
        if ms <= last_ms:
            ms, bits = (last_ms, last_bits) if not last_bits >> _RANDOM_BITS - 1 else (last_ms + 1, bits)
        made = [_made(ms, bits := bits + 1 + step) for step in steps]
        _last = ms, bits
    return made


def _made(ms: int, bits: int) -> UUID:
    return UUID(int=ms << 80 | 0x7 << 76 | (bits >> 62) << 64 | 0b10 << 62 | bits & (2**62 - 1))


_slots: Any = UUID  # whose attributes are no class variables, as mypy sees it
_set_number, _set_safe = _slots.int.__set__, _slots.is_safe.__set__


def of_text(text: str) -> UUID:
    """The id that the database wrote as text, in the one way it does: `UUID()` looks for all others first, which takes
    longer than everything else that is done with an id. Nothing is looked at: for no text that anybody else wrote.
    """
    made = object.__new__(UUID)
    _set_number(made, int(text.replace("-", ""), 16))
    _set_safe(made, SafeUUID.unknown)
    return made


def lane_of(person_id: UUID) -> int:
    """The negative pseudo-community under which work and audit of a person's own things is kept.

    A resident's photo waits for processing before it has a community. Such rows still need a first key
    that spreads over shards and lets a worker lease a batch on one of them: -1 … -64, fixed for ever by the id.
    """
    return -1 - zlib.crc32(person_id.bytes) % _LANES


def lanes() -> range:
    """All lanes of persons."""
    return range(-_LANES, 0)


def first_of(at: datetime) -> UUID:
    """The lowest id that `new_id` can have made from that moment on: a range of time is a range of ids."""
    return UUID(int=(int(at.timestamp() * 1000) & (2**48 - 1)) << 80)


def encode(kind: Kind, ref: Ref | UUID) -> str:
    """The wire form, e.g. `tkt_…`: lower-case base32 without padding."""
    if kind in OF_COMMUNITY:
        if not isinstance(ref, Ref):
            raise TypeError(f"{kind.name} is named by (community_id, uuid)")
        raw = ref.community_id.to_bytes(4, "big") + ref.id.bytes
    else:
        if not isinstance(ref, UUID):
            raise TypeError(f"{kind.name} is named by a uuid alone")
        raw = ref.bytes
    return f"{kind}_{_spelled(raw)}"


_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 §6, in small letters
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]


def _spelled(raw: bytes) -> str:
    """Base32 without padding. Ids are spelled by the hundred thousand: the library's takes ten times as long."""
    length = (len(raw) * 8 + 4) // 5
    pairs = (length + 1) // 2
    bits = int.from_bytes(raw, "big") << pairs * 10 - len(raw) * 8
    return "".join([_PAIRS[bits >> at & 1023] for at in range(pairs * 10 - 10, -10, -10)])[:length]


def _raw(kind: Kind, text: str) -> bytes:
    prefix, _, body = text.partition("_")
    size = 20 if kind in OF_COMMUNITY else 16
    if prefix != kind or len(body) != (size * 8 + 4) // 5 or body != body.lower():
        raise BadId(text)
    try:
        raw = base64.b32decode(body.upper() + "=" * (-len(body) % 8))
    except ValueError as e:
        raise BadId(text) from e
    if _spelled(raw) != body:
        raise BadId(text)  # two spellings of one id would split caches and idempotency
    return raw


def pattern(kind: Kind) -> str:
    """The regular expression of the kind's wire ids: all that `encode` can make, and nothing else."""
    if kind in OF_COMMUNITY:
        return f"^{kind}_[a-z2-7]{{32}}$"
    last = "[aeimquy4]"  # three bits of the id, and two that are nought
    if kind is Kind.COMMUNITY:  # its number has four bytes; all before is nought
        return f"^{kind}_a{{19}}[a-p][a-z2-7]{{5}}{last}$"
    return f"^{kind}_[a-z2-7]{{25}}{last}$"


def decode_ref(kind: Kind, text: str) -> Ref:
    """(community_id, uuid) of a wire id of that kind. Raises BadId."""
    if kind not in OF_COMMUNITY:
        raise TypeError(f"{kind.name} carries no community")
    raw = _raw(kind, text)
    return Ref(int.from_bytes(raw[:4], "big"), UUID(bytes=raw[4:]))


def decode_id(kind: Kind, text: str) -> UUID:
    """uuid of a wire id of that kind. Raises BadId."""
    if kind in OF_COMMUNITY:
        raise TypeError(f"{kind.name} carries a community")
    return UUID(bytes=_raw(kind, text))
