"""Photographs for the smoke test, and reading pictures and positions without any library."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tools.smoke_http import Deviation, check

TOP = Path(__file__).resolve().parent.parent
MAKER = TOP / "tools" / "pictures.py"
NEEDED = (
    "lamp.jpg",
    "lamp.heic",
    "lamp.png",
    "after.jpg",
    "truncated.jpg",
    "bomb.png",
    "empty.jpg",
    "text.jpg",
)

LAMP = (106.61, 29.61)
"""Where the lamp stands, WGS-84 (lng, lat), as the photographs' EXIF has it."""


def make(folder: Path) -> dict[str, bytes]:
    """The photographs by file name; made anew when they are missing or older than the program that makes them."""
    paths = [folder / name for name in NEEDED]
    made_for = folder / "made-for"
    stamp = f"{MAKER.stat().st_mtime_ns} {LAMP}"
    if not all(path.exists() for path in paths) or not made_for.exists() or made_for.read_text() != stamp:
        lng, lat = LAMP
        command = [sys.executable, str(MAKER), "--out", str(folder), "--lng", str(lng), "--lat", str(lat)]
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Deviation(
                f"{MAKER.name}: expected exit code 0, got {done.returncode}: {done.stderr.strip()}"
            )
        made_for.write_text(stamp)
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for name in NEEDED:
        check(name in found, MAKER.name, name, sorted(found))
    size = read_jpeg(found["lamp.jpg"], "lamp.jpg")
    check(size.width * size.height >= 12_000_000, "lamp.jpg", "12 megapixels", f"{size.width}×{size.height}")
    check(b"Exif\0\0" in found["lamp.jpg"][:4096], "lamp.jpg", "EXIF in front", "none")
    check(
        found["lamp.heic"][4:12] in {b"ftypheic", b"ftypmif1"}, "lamp.heic", "HEIC", found["lamp.heic"][:16]
    )
    check(found["lamp.png"].startswith(b"\x89PNG\r\n\x1a\n"), "lamp.png", "PNG", found["lamp.png"][:8])
    return found


class Jpeg(NamedTuple):
    """What the markers of a JPEG say."""

    width: int
    height: int
    markers: tuple[int, ...]


def read_jpeg(data: bytes, where: str) -> Jpeg:
    """Size and markers in front of the picture data (ITU-T T.81 annex B); Deviation when it is no JPEG."""
    check(data[:3] == b"\xff\xd8\xff" and data[-2:] == b"\xff\xd9", where, "a whole JPEG", data[:40])
    at, markers, size = 2, [], (0, 0)
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise Deviation(f"{where}: expected a JPEG marker at byte {at}, got {data[at : at + 4]!r}")
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        markers.append(marker)
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # a start of frame
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            size = (width, height)
        if marker == 0xDA:  # the scan follows
            break
        at += 2 + length
    check(min(size) > 0, where, "a JPEG with a frame", markers)
    return Jpeg(*size, tuple(markers))


def is_clean(data: bytes, where: str) -> Jpeg:
    """Check that a picture anyone can download tells nothing but the picture; its size."""
    picture = read_jpeg(data, where)
    told = [hex(marker) for marker in picture.markers if 0xE1 <= marker <= 0xEF and marker != 0xEE]
    check(not told or told == ["0xe2"], where, "no APP segments but a colour profile", told)
    for word in (b"Exif", b"GPS", b"http://ns.adobe.com/", b"Photoshop", b"Sample Phone", b"2026:09:01"):
        check(word not in data, where, f"no {word!r} in the bytes", "it is there")
    return picture


# --- positions ---------------------------------------------------------------------------------------------

# The published approximation of the GCJ-02 offset. Polynomial in x = lng - 105, y = lat - 35: coefficients of
# 1, x, y, x², xy, y², sqrt|x|; then sine terms: amplitude, argument's factor of pi, and of which coordinate.
_POLYNOMIAL = {"lng": (300.0, 1.0, 2.0, 0.1, 0.1, 0.0, 0.1), "lat": (-100.0, 2.0, 3.0, 0.0, 0.1, 0.2, 0.2)}
_SINES = {
    "lng": (
        (20, 6, "x"),
        (20, 2, "x"),
        (20, 1, "x"),
        (40, 1 / 3, "x"),
        (150, 1 / 12, "x"),
        (300, 1 / 30, "x"),
    ),
    "lat": (
        (20, 6, "x"),
        (20, 2, "x"),
        (20, 1, "y"),
        (40, 1 / 3, "y"),
        (160, 1 / 12, "y"),
        (320, 1 / 30, "y"),
    ),
}
_AXIS, _FLATNESS = 6378245.0, 0.00669342162296594323  # Krasovsky 1940: metres, e²


def gcj02(lng: float, lat: float) -> tuple[float, float]:
    """The GCJ-02 position that WeChat shows for a WGS-84 one."""
    at = {"x": lng - 105.0, "y": lat - 35.0}
    x, y = at["x"], at["y"]
    terms = (1.0, x, y, x * x, x * y, y * y, math.sqrt(abs(x)))
    metres = {
        name: sum(c * t for c, t in zip(_POLYNOMIAL[name], terms, strict=True))
        + sum(height * math.sin(at[of] * factor * math.pi) for height, factor, of in _SINES[name]) * 2 / 3
        for name in ("lng", "lat")
    }
    squeeze = 1 - _FLATNESS * math.sin(math.radians(lat)) ** 2
    east = _AXIS / math.sqrt(squeeze) * math.cos(math.radians(lat))
    north = _AXIS * (1 - _FLATNESS) / squeeze**1.5
    return lng + math.degrees(metres["lng"] / east), lat + math.degrees(metres["lat"] / north)


def metres_between(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two near positions of the same system."""
    east = math.radians(b[0] - a[0]) * math.cos(math.radians((a[1] + b[1]) / 2))
    return 6371008.8 * math.hypot(east, math.radians(b[1] - a[1]))


def stands_at_lamp(location: dict[str, object], where: str, within_m: float = 10.0) -> None:
    """Check that an answered location is the lamp's, in GCJ-02."""
    check(location.get("crs") == "gcj02", where, "crs gcj02", location)
    lng, lat = location.get("lng"), location.get("lat")
    check(isinstance(lng, float) and isinstance(lat, float), where, "lng and lat as numbers", location)
    assert isinstance(lng, float)
    assert isinstance(lat, float)
    away = metres_between(gcj02(*LAMP), (lng, lat))
    check(away <= within_m, where, f"within {within_m:g} m of the lamp", f"{away:.1f} m away: {location}")
