"""Photographs as values: what an upload is, and the two pictures made of it. Bytes in, bytes out, no I/O.

`inspect` reads headers only, so that a request pays nothing for a picture it refuses. `render` decodes, in a
job, and what it writes is a new JPEG that carries pixels and nothing else.
"""

from __future__ import annotations

import functools
import io
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from PIL import Image, ImageCms, ImageDraw

from app.media import headers
from app.media.exif import Exif, Position
from app.media.headers import (
    MAX_BYTES,
    MAX_PIXELS,
    PhotoBroken,
    PhotoEmpty,
    PhotoKind,
    PhotoRefused,
    PhotoTooLarge,
    PhotoTooManyPixels,
    PhotoType,
)

__all__ = [
    "CONTENT_TYPE",
    "EDGES",
    "MAX_BYTES",
    "MAX_PIXELS",
    "PhotoBroken",
    "PhotoEmpty",
    "PhotoInfo",
    "PhotoKind",
    "PhotoRefused",
    "PhotoTooLarge",
    "PhotoTooManyPixels",
    "PhotoType",
    "Position",
    "Rendered",
    "as_jpeg",
    "fingerprint",
    "inspect",
    "placeholder",
    "render",
    "shrunk",
    "whole",
]

EDGES = (1600, 320)
CONTENT_TYPE = "image/jpeg"
"""Of everything `render` and `placeholder` return."""

_QUALITY = 82
_MAX_PROFILE_BYTES = 4 * 1024 * 1024
_one_at_a_time = threading.BoundedSemaphore(1)


@dataclass(frozen=True)
class PhotoInfo:
    """What the headers of an upload say. `width` and `height` are as shown, orientation applied."""

    kind: PhotoKind
    width: int
    height: int
    taken_at: datetime | None
    position: Position | None


@dataclass(frozen=True)
class Rendered:
    """A finished JPEG, sRGB, without metadata."""

    data: bytes
    width: int
    height: int


def inspect(data: bytes) -> PhotoInfo:
    """What the upload is, told by its content, without decoding a pixel.

    `taken_at` is aware UTC; a capture time without an offset is Asia/Shanghai's wall clock (EXIF 2.31 has
    OffsetTimeOriginal, older cameras don't). `position` is WGS-84 and None unless complete and possible.
    Raises PhotoEmpty, PhotoTooLarge, PhotoType, PhotoTooManyPixels, PhotoBroken (cut short, or a header that
    contradicts itself). Pixels that turn out undecodable show in `render`.
    """
    header = headers.read(data)
    tags = Exif.read(header.exif)
    # libheif turns the picture itself and reports the turned size; EXIF orientation only repeats it there.
    turned = header.kind != PhotoKind.HEIC and tags.orientation >= 5
    width, height = (header.height, header.width) if turned else (header.width, header.height)
    return PhotoInfo(header.kind, width, height, tags.taken_at, tags.position)


def render(data: bytes, max_edges: Sequence[int] = EDGES) -> dict[int, Rendered]:
    """The picture in each of `max_edges` (pixels of the longer side; never enlarged), keyed by edge.

    Upright, sRGB, opaque on white, the first frame of an animation; no EXIF, GPS, XMP, ICC, comment.
    Raises what `inspect` raises; PhotoBroken when the decoder gives up. A 12 MP JPEG takes about 60 MB and a
    12 MP HEIC about 130; other than JPEG, one at a time is decoded in a process.
    """
    header = headers.read(data)
    largest = max(max_edges)
    try:
        if header.kind == PhotoKind.JPEG:
            picture, profile = _decode_jpeg(data, largest)
            picture = _finish(picture, profile, largest)
        else:
            # These decode whole frames (up to 8 bytes a pixel): two at once would double the peak.
            with _one_at_a_time:
                if header.kind == PhotoKind.HEIC:
                    picture, profile = _decode_heic(data, largest)
                else:
                    picture, profile = _decode_whole(data, header)
                picture = _finish(picture, profile, largest)
        if header.kind != PhotoKind.HEIC:
            picture = _upright(picture, Exif.read(header.exif).orientation)
        rendered: dict[int, Rendered] = {}
        for edge in sorted(set(max_edges), reverse=True):
            picture = _shrink(picture, edge)
            rendered[edge] = Rendered(_jpeg(picture), picture.width, picture.height)
        return rendered
    except PhotoRefused:
        raise
    except Exception as e:
        # Decoders answer hostile bytes with OSError, SyntaxError, ValueError, struct.error, MemoryError and
        # more; whichever it is, the picture can't be shown and trying again would not help.
        raise PhotoBroken from e


def whole(data: bytes) -> Image.Image:
    """The picture in its full size: upright, sRGB or grey, opaque on white, nothing but pixels.

    Raises what `render` raises. Takes up to 8 bytes a pixel: not for a process that others work in.
    """
    header = headers.read(data)
    edge = max(header.width, header.height)
    try:
        if header.kind == PhotoKind.JPEG:
            picture, profile = _decode_jpeg(data, edge)
        elif header.kind == PhotoKind.HEIC:
            picture, profile = _decode_heic(data, edge)
        else:
            picture, profile = _decode_whole(data, header)
        picture = _finish(picture, profile, edge)
        if header.kind != PhotoKind.HEIC:
            picture = _upright(picture, Exif.read(header.exif).orientation)
    except PhotoRefused:
        raise
    except Exception as e:  # as in `render`: whichever it is, trying again would not help
        raise PhotoBroken from e
    picture.info = {}
    return picture


def as_jpeg(picture: Image.Image) -> Rendered:
    """The pixels as a JPEG, and nothing else."""
    return Rendered(_jpeg(picture), picture.width, picture.height)


def shrunk(picture: Image.Image, edge: int) -> Image.Image:
    """Not larger than `edge` on its longer side."""
    return _shrink(picture, edge)


def fingerprint(data: bytes) -> int:
    """What a picture looks like, as 64 bits (dHash: is each pixel of a 9 x 8 thumbnail darker than the next?).

    Pictures that differ in at most 6 bits look the same: scaled, recompressed or slightly brightened. Signed, as
    PostgreSQL's bigint. `data` is one of `render`'s JPEGs.
    """
    picture = Image.open(io.BytesIO(data), formats=["JPEG"]).convert("L")
    small = picture.resize((9, 8), Image.Resampling.BOX)
    grey = small.tobytes()
    bits = 0
    for row in range(8):
        for column in range(8):
            at = row * 9 + column
            bits = bits << 1 | (grey[at] < grey[at + 1])
    return bits - (1 << 64) if bits >> 63 else bits


@functools.lru_cache(maxsize=8)
def placeholder(edge: int) -> bytes:
    """A neutral square JPEG of `edge` pixels with a camera on it: shown until the photo is processed."""
    # Drawn four times larger and scaled down: ImageDraw does not smooth its edges.
    side = max(16, min(edge, 1600)) * 4
    picture = Image.new("L", (side, side), 0xEC)
    draw = ImageDraw.Draw(picture)
    ink, paper = 0xB4, 0xEC

    def at(*share: float) -> list[float]:
        return [side * s for s in share]

    draw.rounded_rectangle(at(0.40, 0.31, 0.60, 0.45), radius=side * 0.025, fill=ink)
    draw.rounded_rectangle(at(0.27, 0.37, 0.73, 0.68), radius=side * 0.04, fill=ink)
    draw.ellipse(at(0.395, 0.415, 0.605, 0.625), fill=paper)
    draw.ellipse(at(0.435, 0.455, 0.565, 0.585), fill=ink)
    return _jpeg(picture.resize((side // 4, side // 4), Image.Resampling.BOX))


_TURNS = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}


def _fit(size: tuple[int, int], edge: int) -> tuple[int, int]:
    """The size whose longer side is `edge`, same shape, never larger than the original."""
    longer = max(size)
    if longer <= edge:
        return size
    return max(1, round(size[0] * edge / longer)), max(1, round(size[1] * edge / longer))


def _decode_jpeg(data: bytes, edge: int) -> tuple[Image.Image, bytes | None]:
    picture = Image.open(io.BytesIO(headers.without_metadata(data)), formats=["JPEG"])
    profile = picture.info.get("icc_profile")
    longer = max(picture.size)
    if longer > edge:
        # libjpeg scales by 1/2, 1/4, 1/8 while it decodes. The box must have the picture's own shape: Pillow
        # takes the smaller ratio of the two sides, so a square box would fetch a larger picture. Rounded
        # down, so that an odd pixel never costs a whole step.
        box = max(1, picture.width * edge // longer), max(1, picture.height * edge // longer)
        picture.draft(None, box)
    picture.load()
    return picture, profile


def _decode_whole(data: bytes, header: headers.Header) -> tuple[Image.Image, bytes | None]:
    picture: Image.Image = Image.open(io.BytesIO(data), formats=[header.kind.upper()])
    if picture.size != (header.width, header.height):
        raise PhotoBroken
    profile = picture.info.get("icc_profile")
    picture.load()
    if picture.mode.startswith("I"):
        picture = _eight_bit_grey(picture)
    elif picture.mode == "P" or "transparency" in picture.info:
        # Palette numbers can't be averaged.
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    return picture, profile


def _decode_heic(data: bytes, edge: int) -> tuple[Image.Image, bytes | None]:
    heif = headers.open_heic(data)
    profile = heif.info.get("icc_profile")
    pixels, stride, mode = heif.data, heif.stride, heif.mode
    width, height = heif.size
    if width * height > MAX_PIXELS:
        raise PhotoTooManyPixels
    # Pillow keeps 4 bytes a pixel: taking the frame in bands, each reduced at once, saves 48 MB of a 12 MP
    # picture's peak, and is to HEIC what draft() is to JPEG.
    factor = max(1, max(width, height) // edge)
    rows = 256 * factor
    grey16 = mode.startswith("I;16")
    picture = Image.new("L" if grey16 else mode, (-(-width // factor), -(-height // factor)))
    view = memoryview(pixels)
    for top in range(0, height, rows):
        count = min(rows, height - top)
        raw = bytes(view[top * stride : (top + count) * stride])
        band = Image.frombytes("I;16" if grey16 else mode, (width, count), raw, "raw", mode, stride)
        if grey16:
            band = _eight_bit_grey(band)
        picture.paste(band.reduce(factor) if factor > 1 else band, (0, top // factor))
    return picture, profile


def _eight_bit_grey(picture: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit: Pillow's own conversion clips at 255 instead of scaling."""
    return picture.convert("F").point(lambda v: v * (1 / 257) + 0.5).convert("L")


def _finish(picture: Image.Image, profile: bytes | None, edge: int) -> Image.Image:
    """Shrunk to `edge`, opaque, in sRGB (or grey)."""
    picture = _shrink(picture, edge)
    if picture.mode in ("LA", "La", "RGBA", "RGBa", "PA"):
        picture = picture.convert("RGBA")
        paper = Image.new("RGB", picture.size, "white")
        paper.paste(picture, mask=picture.getchannel("A"))
        picture = paper
    if profile and len(profile) <= _MAX_PROFILE_BYTES:
        picture = _to_srgb(picture, profile)
    if picture.mode not in ("L", "RGB"):
        picture = picture.convert("RGB")
    return picture


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The same colours in sRGB. iPhones shoot in Display P3, whose numbers look pale when read as sRGB."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (source.profile.profile_description or "").lower():
            return picture
        return (
            ImageCms.profileToProfile(
                picture,
                source,
                _srgb(),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            or picture
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        # A damaged profile, or one for another kind of pixel: slightly wrong colours beat no photo.
        return picture


@functools.lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    for turn in _TURNS.get(orientation, ()):
        picture = picture.transpose(turn)
    return picture


def _shrink(picture: Image.Image, edge: int) -> Image.Image:
    size = _fit(picture.size, edge)
    if size == picture.size:
        return picture
    # Bicubic: behind the scaled decoding at most a factor of two is left, where Lanczos costs half as much
    # again and shows nothing more.
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    # The decoder's leftovers (comment, resolution, profile) live in `info`, and Pillow writes some of them.
    picture.info = {}
    # Not progressive: at 1600 px that took 27 CPU ms more, of 140 in all, for 3 % fewer bytes.
    picture.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()
