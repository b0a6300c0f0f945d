"""Photographs for demonstration and tests, made from the small public-domain pictures in the fixtures.

    python tools/pictures.py --out DIR [--lng 106.6100 --lat 29.6100] [--taken-at 2026-09-01T20:15:00]

A night scene with a dead street lamp, as a 12 MP phone would hand it over (EXIF GPS in WGS-84, capture time,
stored sideways with Orientation=6), in each accepted format; the same scene repaired; and uploads that must
be refused. The same arguments give the same pixels. Needs Pillow; HEIC needs pillow_heif, and is left out
without it.
"""

from __future__ import annotations

import argparse
import io
import random
import struct
import sys
import zlib
from datetime import datetime
from functools import cache
from pathlib import Path

from PIL import ExifTags, Image, ImageChops, ImageDraw, ImageFilter, ImageOps

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures"
PHONE = (4032, 3024)
"""Pixels of a 12 MP phone camera, as stored."""
LNG, LAT = 106.61, 29.61
"""WGS-84, among the estates of the demonstration street in Chongqing."""
TAKEN_AT = datetime(2026, 9, 1, 20, 15, 0)  # noqa: DTZ001 - EXIF holds a wall clock without a zone

UPRIGHT_TO_STORED = Image.Transpose.ROTATE_90
"""What turns an upright picture into the one a phone stores with Orientation=6."""


def exif(
    *, lng: float | None = LNG, lat: float | None = LAT, taken_at: datetime = TAKEN_AT, orientation: int = 6
) -> Image.Exif:
    """EXIF as a phone writes it; no position when `lng` or `lat` is None. `taken_at` is a wall clock."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Jiayuan"
    tags[ExifTags.Base.Model] = "Sample Phone"
    tags[ExifTags.Base.Orientation] = orientation
    camera = tags.get_ifd(ExifTags.IFD.Exif)
    camera[ExifTags.Base.DateTimeOriginal] = taken_at.strftime("%Y:%m:%d %H:%M:%S")
    if lng is not None and lat is not None:
        gps = tags.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef] = "N" if lat >= 0 else "S"
        gps[ExifTags.GPS.GPSLatitude] = _degrees_minutes_seconds(abs(lat))
        gps[ExifTags.GPS.GPSLongitudeRef] = "E" if lng >= 0 else "W"
        gps[ExifTags.GPS.GPSLongitude] = _degrees_minutes_seconds(abs(lng))
        gps[ExifTags.GPS.GPSMapDatum] = "WGS-84"
    return tags


def _degrees_minutes_seconds(value: float) -> tuple[float, float, float]:
    degrees = int(value)
    minutes = int((value - degrees) * 60)
    # Four decimals of a second are 3 mm, more than any phone writes.
    return float(degrees), float(minutes), round((value - degrees - minutes / 60) * 3600, 4)


def scene(*, lit: bool, size: tuple[int, int] = (3024, 4032)) -> Image.Image:
    """The street lamp before a brick path at dusk, upright, with the noise of a small sensor."""
    width, height = size
    # Everything soft is painted at a quarter and enlarged: a phone's night picture is no sharper.
    small = (width // 4, height // 4)
    horizon = small[1] * 62 // 100
    picture = Image.new("RGB", small)
    sky = _fixture("rocket").crop((0, 40, 180, 260)).resize((small[0], horizon), Image.Resampling.BICUBIC)
    picture.paste(sky, (0, 0))
    picture.paste(_tinted("grass", (8, 14, 8), (96, 116, 70), (small[0], small[1] // 8)), (0, horizon - 12))
    path = _tinted("brick", (22, 18, 20), (150, 128, 112), (small[0], small[1] - horizon))
    picture.paste(path, (0, horizon + small[1] // 10))
    if lit:
        glow = Image.new("L", small)
        ImageDraw.Draw(glow).ellipse(_around(small, 0.60, 0.19, 0.20), fill=200)
        glow = glow.filter(ImageFilter.GaussianBlur(small[0] / 12))
        picture = Image.composite(Image.new("RGB", small, (255, 226, 160)), picture, glow)
    picture = picture.resize(size, Image.Resampling.BICUBIC)
    _draw_lamp(picture, lit=lit)
    return _add_noise(picture)


def _fixture(name: str) -> Image.Image:
    return Image.open(FIXTURES / f"{name}.jpg").convert("RGB")


def _tinted(
    name: str, dark: tuple[int, int, int], light: tuple[int, int, int], size: tuple[int, int]
) -> Image.Image:
    grey = Image.open(FIXTURES / f"{name}.jpg").convert("L")
    return ImageOps.colorize(ImageOps.fit(grey, size), dark, light)


def _around(size: tuple[int, int], x: float, y: float, radius: float) -> list[float]:
    r = radius * size[0]
    return [size[0] * x - r, size[1] * y - r, size[0] * x + r, size[1] * y + r]


def _draw_lamp(picture: Image.Image, *, lit: bool) -> None:
    width, height = picture.size
    draw = ImageDraw.Draw(picture)

    def box(*share: float) -> list[float]:
        return [share[0] * width, share[1] * height, share[2] * width, share[3] * height]

    draw.rectangle(box(0.590, 0.22, 0.610, 0.80), fill=(34, 36, 40))
    draw.rectangle(box(0.570, 0.77, 0.630, 0.81), fill=(28, 30, 34))
    draw.ellipse(box(0.535, 0.155, 0.665, 0.235), fill=(255, 244, 214) if lit else (58, 60, 66))
    draw.pieslice(box(0.515, 0.120, 0.685, 0.235), 180, 360, fill=(30, 32, 36))


@cache
def _noise(side: int) -> Image.Image:
    grain = Image.frombytes("L", (side, side), random.Random(7).randbytes(side * side))
    # The mean of neighbours turns uniform noise into something like a sensor's.
    return grain.filter(ImageFilter.BoxBlur(1))


def _add_noise(picture: Image.Image) -> Image.Image:
    grain = _noise(512)
    sheet = Image.new("L", picture.size)
    for left in range(0, picture.width, grain.width):
        for top in range(0, picture.height, grain.height):
            sheet.paste(grain, (left, top))
    sheet = sheet.point([128 + (v - 128) // 3 for v in range(256)])
    return ImageChops.add(picture, Image.merge("RGB", (sheet, sheet, sheet)), 1, -128)


def jpeg(picture: Image.Image, tags: Image.Exif | None = None, *, quality: int = 88) -> bytes:
    """The picture as a JPEG file, as a camera compresses it."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, **({"exif": tags} if tags else {}))
    return out.getvalue()


def heic(picture: Image.Image, tags: Image.Exif | None = None) -> bytes:
    """The picture as a HEIC file; an Orientation in `tags` becomes HEIC's own rotation.

    ModuleNotFoundError without pillow_heif.
    """
    import pillow_heif

    out = io.BytesIO()
    block = tags.tobytes() if tags else None
    pillow_heif.from_pillow(picture).save(out, quality=60, exif=block, enc_params={"preset": "ultrafast"})
    return out.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of some hundred bytes whose header promises `width` × `height` pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10_000)))
        + chunk(b"IEND", b"")
    )


def bad_files(photo: bytes) -> dict[str, bytes]:
    """Uploads that must be refused, by file name; `photo` is a good JPEG to cut short."""
    gif = io.BytesIO()
    Image.new("P", (64, 64), 3).save(gif, "GIF")
    return {
        "truncated.jpg": photo[: len(photo) * 3 // 5],
        "bomb.png": bomb(),
        "empty.jpg": b"",
        "text.jpg": b"<!doctype html><title>photo</title><script>alert(1)</script>\n" * 20,
        "moving.gif": gif.getvalue(),
    }


def make_all(
    out: Path, *, lng: float = LNG, lat: float = LAT, taken_at: datetime = TAKEN_AT, with_heic: bool = True
) -> list[Path]:
    """Writes lamp.jpg .heic .png .webp, after.jpg and the bad files into `out`; the paths written."""
    out.mkdir(parents=True, exist_ok=True)
    tags = exif(lng=lng, lat=lat, taken_at=taken_at)
    dead = scene(lit=False)
    stored = dead.transpose(UPRIGHT_TO_STORED)
    half = stored.resize((PHONE[0] // 2, PHONE[1] // 2), Image.Resampling.BOX)
    files = {"lamp.jpg": jpeg(stored, tags)}
    if with_heic:
        files["lamp.heic"] = heic(stored, tags)
    for name, options in (("lamp.png", {"compress_level": 1}), ("lamp.webp", {"method": 0, "quality": 85})):
        buffer = io.BytesIO()
        half.save(buffer, name.rpartition(".")[2].upper(), exif=tags, **options)
        files[name] = buffer.getvalue()
    files["after.jpg"] = jpeg(scene(lit=True).transpose(UPRIGHT_TO_STORED), tags)
    files |= bad_files(files["lamp.jpg"])
    for name, data in files.items():
        (out / name).write_bytes(data)
    return [out / name for name in files]


def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 when everything asked for was written."""
    parser = argparse.ArgumentParser(description="Makes photographs for demonstration and tests.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--lng", type=float, default=LNG, help="WGS-84 longitude in EXIF")
    parser.add_argument("--lat", type=float, default=LAT, help="WGS-84 latitude in EXIF")
    parser.add_argument(
        "--taken-at",
        type=datetime.fromisoformat,
        default=TAKEN_AT,
        help="wall clock in EXIF, 2026-09-01T20:15:00",
    )
    asked = parser.parse_args(arguments)
    try:
        import pillow_heif  # noqa: F401
    except ModuleNotFoundError:
        with_heic = False
        print("pillow_heif is not installed: lamp.heic is left out.", file=sys.stderr)
    else:
        with_heic = True
    for path in make_all(
        asked.out, lng=asked.lng, lat=asked.lat, taken_at=asked.taken_at, with_heic=with_heic
    ):
        print(f"{path.stat().st_size:>9,}  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
