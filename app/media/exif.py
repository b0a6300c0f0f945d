"""The three things an EXIF block is read for: which way is up, when, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from PIL import ExifTags, Image

from app.clock import SHANGHAI


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
        """What is usable in an EXIF block (TIFF header first). Damaged metadata is no reason to refuse."""
        if not raw:
            return cls()
        try:
            exif = Image.Exif()
            exif.load(raw)
            orientation = exif.get(ExifTags.Base.Orientation)
            camera = exif.get_ifd(ExifTags.IFD.Exif)
            gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        except Exception:  # noqa: BLE001 - Pillow raises SyntaxError, struct.error, KeyError, TypeError, … here
            return cls()
        if not isinstance(orientation, int) or not 1 <= orientation <= 8:
            orientation = 1
        return cls(orientation, _taken_at(camera), _position(gps))


def _taken_at(camera: dict[int, Any]) -> datetime | None:
    for time_tag, offset_tag in (
        (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
        (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
    ):
        try:
            text = str(camera.get(time_tag)).strip(" \x00")
            wall = datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - zone below
        except ValueError:  # missing, or the 0000:00:00 of a camera whose clock was never set
            continue
        if wall.year < 1990:  # likewise: 1970 and 1980 are clocks at zero
            continue
        zone = _offset(camera.get(offset_tag) or camera.get(ExifTags.Base.OffsetTime))
        try:
            return wall.replace(tzinfo=zone or SHANGHAI).astimezone(UTC)
        except OverflowError:
            continue
    return None


def _offset(text: object) -> timezone | None:
    """`+08:00` as a zone; None when it is anything else."""
    try:
        found = datetime.strptime(str(text).strip(" \x00"), "%z").utcoffset()
    except ValueError:
        return None
    return timezone(found) if found is not None and abs(found) <= timedelta(hours=14) else None


def _position(gps: dict[int, Any]) -> Position | None:
    if gps.get(ExifTags.GPS.GPSStatus) == "V":  # "void": measured without a fix
        return None
    lat = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "NS", 90)
    lng = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "EW", 180)
    if lat is None or lng is None or (lat == 0 and lng == 0):  # 0/0 is what a phone without a fix writes
        return None
    return Position(lng=lng, lat=lat)


def _degrees(parts: object, ref: object, letters: str, limit: int) -> float | None:
    """Degrees of an EXIF (degrees, minutes, seconds) with its hemisphere letter, to 1e-7 (1 cm)."""
    letter = str(ref).strip(" \x00").upper()
    if not isinstance(parts, tuple) or len(parts) != 3 or letter not in tuple(letters):
        return None
    try:
        d, m, s = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not all(math.isfinite(part) and part >= 0 for part in (d, m, s)) or m > 60 or s > 60:
        return None
    value = d + m / 60 + s / 3600
    if value > limit:
        return None
    return round(-value if letter == letters[1] else value, 7)
