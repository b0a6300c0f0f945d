"""The three things an EXIF block is read for: which way is up, when, and where.

A reader of its own, because the block comes from anybody: it follows two links, looks at a dozen tags and
never complains. Damaged metadata is no reason to refuse a photo. (TIFF 6.0, EXIF 2.32.)
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from PIL.ExifTags import GPS, IFD, Base

from app.clock import SHANGHAI

# A value as it stands in the block: text, or numbers (a fraction with the denominator 0 is NaN).
_Value = str | tuple[float, ...]
_Tags = dict[int, _Value]

# Bytes and struct letter of the field types that the wanted tags have.
_ASCII, _RATIONAL, _SRATIONAL = 2, 5, 10
_FIELDS = {_ASCII: (1, ""), 3: (2, "H"), 4: (4, "I"), _RATIONAL: (8, "II"), _SRATIONAL: (8, "ii")}
_MAX_VALUE_BYTES = 256
_WANTED = frozenset({
    Base.Orientation, IFD.Exif, IFD.GPSInfo,
    Base.DateTimeOriginal, Base.DateTimeDigitized,
    Base.OffsetTime, Base.OffsetTimeOriginal, Base.OffsetTimeDigitized,
    GPS.GPSLatitudeRef, GPS.GPSLatitude, GPS.GPSLongitudeRef, GPS.GPSLongitude, GPS.GPSStatus,
})  # fmt: skip


@dataclass(frozen=True)
class Position:
    """Where the camera says it stood: degrees, WGS-84."""

    lng: float
    lat: float


@dataclass(frozen=True)
class Exif:
    """What is usable in an EXIF block."""

    orientation: int = 1
    taken_at: datetime | None = None
    position: Position | None = None

    @classmethod
    def read(cls, raw: bytes | None) -> Exif:
        """The usable part of a block that starts with its TIFF header; the defaults for what is not."""
        if not raw or raw[:4] not in (b"II*\x00", b"MM\x00*"):
            return cls()
        order = "<" if raw[:2] == b"II" else ">"
        picture = _tags_at(raw, order, _offset(raw, order))
        camera = _tags_at(raw, order, _link(picture.get(IFD.Exif)))
        gps = _tags_at(raw, order, _link(picture.get(IFD.GPSInfo)))
        orientation = picture.get(Base.Orientation)
        return cls(
            int(orientation[0]) if isinstance(orientation, tuple) and 1 <= orientation[0] <= 8 else 1,
            _taken_at(camera),
            _position(gps),
        )


def _offset(raw: bytes, order: str) -> int:
    return int(struct.unpack_from(f"{order}I", raw, 4)[0]) if len(raw) >= 8 else 0


def _link(value: _Value | None) -> int:
    return int(value[0]) if isinstance(value, tuple) and math.isfinite(value[0]) else 0


def _tags_at(raw: bytes, order: str, at: int) -> _Tags:
    """The wanted tags of the directory at offset `at`, as far as it can be read; none at 0."""
    found: _Tags = {}
    if at < 8:
        return found
    try:
        (count,) = struct.unpack_from(f"{order}H", raw, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, field, number = struct.unpack_from(f"{order}HHI", raw, entry)
            if tag not in _WANTED or field not in _FIELDS:
                continue
            width, letters = _FIELDS[field]
            size = width * number
            if not 0 < size <= _MAX_VALUE_BYTES:
                continue
            start = entry + 8 if size <= 4 else struct.unpack_from(f"{order}I", raw, entry + 8)[0]
            if start + size > len(raw):
                continue
            if field == _ASCII:
                found[tag] = raw[start : start + size].split(b"\x00")[0].decode("ascii", "replace").strip()
                continue
            numbers = struct.unpack_from(order + letters * number, raw, start)
            if field in (_RATIONAL, _SRATIONAL):
                pairs = zip(numbers[::2], numbers[1::2], strict=True)
                numbers = tuple(a / b if b else math.nan for a, b in pairs)
            found[tag] = tuple(float(n) for n in numbers)
    except struct.error:  # the directory reaches beyond the block: what was read before stands
        pass
    return found


def _taken_at(camera: _Tags) -> datetime | None:
    """The moment of capture; without an offset it is Shanghai's wall clock."""
    for time_tag, offset_tag in (
        (Base.DateTimeOriginal, Base.OffsetTimeOriginal),
        (Base.DateTimeDigitized, Base.OffsetTimeDigitized),
    ):
        try:
            text = str(camera.get(time_tag))[:19]
            wall = datetime.strptime(text, "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - zone below
        except ValueError:  # missing, or the 0000:00:00 of a camera whose clock was never set
            continue
        if not 1990 <= wall.year <= 2100:  # likewise: 1970 and 1980 are clocks at zero
            continue
        zone = _zone(camera.get(offset_tag) or camera.get(Base.OffsetTime))
        return wall.replace(tzinfo=zone or SHANGHAI).astimezone(UTC)
    return None


def _zone(text: _Value | None) -> timezone | None:
    """`+08:00` as a zone; None when it is anything else."""
    try:
        found = datetime.strptime(str(text), "%z").utcoffset()
    except ValueError:
        return None
    return timezone(found) if found is not None and abs(found) <= timedelta(hours=14) else None


def _position(gps: _Tags) -> Position | None:
    if gps.get(GPS.GPSStatus) == "V":  # "void": written without a fix
        return None
    lat = _degrees(gps.get(GPS.GPSLatitude), gps.get(GPS.GPSLatitudeRef), "NS", 90)
    lng = _degrees(gps.get(GPS.GPSLongitude), gps.get(GPS.GPSLongitudeRef), "EW", 180)
    if lat is None or lng is None or (lat == 0 and lng == 0):  # 0, 0 is what a phone without a fix writes
        return None
    return Position(lng=lng, lat=lat)


def _degrees(parts: _Value | None, ref: _Value | None, letters: str, limit: int) -> float | None:
    """Degrees of (degrees, minutes, seconds) with their hemisphere letter, to 1e-7 (1 cm)."""
    if not isinstance(parts, tuple) or len(parts) != 3 or ref not in tuple(letters):
        return None
    d, m, s = parts
    if not all(math.isfinite(part) and part >= 0 for part in parts) or m > 60 or s > 60:
        return None
    value = d + m / 60 + s / 3600
    if value > limit:
        return None
    return round(-value if ref == letters[1] else value, 7)
