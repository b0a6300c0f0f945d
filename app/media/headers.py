"""What the headers of an uploaded picture say, read without decoding a pixel.

Hostile input is the normal case: these readers look at lengths and sizes only, so that nothing large is
allocated before the limits hold. Anything they can't follow is refused.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.errors import Invalid

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 50_000_000

# A progressive JPEG of thousands of tiny scans makes libjpeg pass over the whole picture for each of them;
# cameras and encoders write about ten.
_MAX_SCANS = 64
_MAX_CHUNKS = 50_000


class PhotoRefused(Invalid):
    """The upload can't become a photo."""

    code = "photo_refused"
    zh = "这个文件不能作为照片使用，请换一张。"
    en = "This file can't be used as a photo; please choose another."


class PhotoEmpty(PhotoRefused):
    """0 bytes."""

    code = "photo_empty"
    zh = "照片是空文件，请重新拍摄或选择。"
    en = "The photo is an empty file; please take or choose it again."


class PhotoTooLarge(PhotoRefused):
    """More than `MAX_BYTES`."""

    code = "photo_too_large"
    zh = "照片超过 10 MB，请压缩后再上传。"
    en = "The photo is larger than 10 MB; please compress it first."


class PhotoType(PhotoRefused):
    """Not one of the four kinds, whatever its name says."""

    code = "photo_type"
    zh = "只支持 JPEG、PNG、WebP 和 HEIC 照片。"
    en = "Only JPEG, PNG, WebP and HEIC photos are supported."


class PhotoTooManyPixels(PhotoRefused):
    """More than `MAX_PIXELS` by its header."""

    code = "photo_too_many_pixels"
    zh = "照片超过 5000 万像素，请缩小后再上传。"
    en = "The photo has more than 50 megapixels; please scale it down first."


class PhotoBroken(PhotoRefused):
    """Truncated or undecodable."""

    code = "photo_broken"
    zh = "照片不完整或已损坏，请重新拍摄或选择。"
    en = "The photo is incomplete or damaged; please take or choose it again."


class PhotoKind(StrEnum):
    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    HEIC = "heic"


@dataclass(frozen=True)
class Header:
    """`width` and `height` as stored, before EXIF orientation; `exif` starts with its TIFF header."""

    kind: PhotoKind
    width: int
    height: int
    exif: bytes | None


def read(data: bytes) -> Header:
    """Kind by content, size and EXIF block of an upload; raises one of the refusals above."""
    if not data:
        raise PhotoEmpty
    if len(data) > MAX_BYTES:
        raise PhotoTooLarge
    if data.startswith(b"\xff\xd8\xff"):
        reader = _read_jpeg
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        reader = _read_png
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        reader = _read_webp
    elif data[4:8] == b"ftyp":
        reader = _read_heic
    else:
        raise PhotoType
    try:
        header = reader(data)
    except (struct.error, IndexError) as e:  # a field lies beyond the end of the bytes
        raise PhotoBroken from e
    if header.width < 1 or header.height < 1:
        raise PhotoBroken
    if header.width * header.height > MAX_PIXELS:
        raise PhotoTooManyPixels
    return header


def _read_jpeg(data: bytes) -> Header:
    """Segments up to the first scan, then the end marker (ITU-T T.81 annex B)."""
    frame, exif = None, None
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE1 and exif is None and data.startswith(b"Exif\x00", start, end):
            exif = data[start + 6 : end]
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if frame is not None:
                raise PhotoBroken
            frame = marker, *struct.unpack_from(">BHHB", data, start)
    if frame is None:
        raise PhotoBroken
    process, precision, height, width, components = frame
    if process not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA) or precision != 8:
        raise PhotoType  # lossless, hierarchical or 12-bit: no phone and no browser knows them
    # Inside scans every 0xFF of the data is followed by 0x00, so FF D9 behind the first scan means that the
    # picture is whole; phones append a motion clip or a depth map behind it.
    if not data.endswith(b"\xff\xd9") and data.find(b"\xff\xd9", end) < 0:
        raise PhotoBroken
    # The scan's header begins with its number of components: with all of them in it there is no second scan.
    several_scans = process in (0xC2, 0xCA) or data[start] < components
    if several_scans and data.count(b"\xff\xda", end, data.find(b"\xff\xd9", end)) > _MAX_SCANS:
        raise PhotoBroken
    return Header(PhotoKind.JPEG, width, height, exif)


def without_metadata(jpeg: bytes) -> bytes:
    """The JPEG without the segments that describe it; pixels and colours (JFIF, Adobe, ICC) stay.

    So the decoder never looks into EXIF, XMP or a second picture that somebody else wrote.
    """
    kept, described = [jpeg[:2]], (*range(0xE1, 0xEE), 0xEF, 0xFE)
    at = 2
    for marker, start, end in _jpeg_segments(jpeg):
        if marker not in described or jpeg.startswith(b"ICC_PROFILE\x00", start, end):
            kept.append(jpeg[start - 4 : end])
        at = end
    return b"".join([*kept, jpeg[at:]])


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end of body) of each segment; the first start of scan is the last one given."""
    at, marker = 2, 0
    while marker != 0xDA:
        if data[at] != 0xFF:
            raise PhotoBroken
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # stand alone
            at += 2
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            if length < 2 or at + 2 + length > len(data) or marker == 0xD9:
                raise PhotoBroken
            yield marker, at + 4, at + 2 + length
            at += 2 + length


def _read_png(data: bytes) -> Header:
    """Chunks to IEND (W3C PNG, 5.3)."""
    length, name, width, height = struct.unpack_from(">I4sII", data, 8)
    (crc,) = struct.unpack_from(">I", data, 29)
    if length != 13 or name != b"IHDR" or crc != zlib.crc32(data[12:29]):
        raise PhotoBroken
    at, exif, pixels = 33, None, False
    for _ in range(_MAX_CHUNKS):
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            break
        if name == b"IEND":
            if not pixels:
                break
            return Header(PhotoKind.PNG, width, height, exif)
        if name == b"IDAT":
            pixels = True
        elif name == b"eXIf" and exif is None:
            exif = data[at + 8 : at + 8 + length]
        at += 12 + length
    # A picture too large to take is called that even when its pixels are missing.
    if width * height > MAX_PIXELS:
        raise PhotoTooManyPixels
    raise PhotoBroken


def _read_webp(data: bytes) -> Header:
    """RIFF chunks (RFC 9649). The canvas of VP8X is the size when there is one."""
    (riff_length,) = struct.unpack_from("<I", data, 4)
    end = 8 + riff_length
    if end > len(data):
        raise PhotoBroken
    at, size, exif, pixels = 12, None, None, False
    for _ in range(_MAX_CHUNKS):
        if at + 8 > end:
            break
        name, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise PhotoBroken
        body = data[at + 8 : at + 8 + min(length, 16)]
        if name == b"VP8X":
            size = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
        elif name in (b"VP8 ", b"VP8L"):
            size, pixels = size or _webp_frame_size(name, body), True
        elif name == b"ANMF":
            pixels = True
        elif name == b"EXIF" and exif is None:
            exif = data[at + 8 : at + 8 + length].removeprefix(b"Exif\x00\x00")
        at += 8 + length + (length & 1)
    if size is None or not pixels:
        raise PhotoBroken
    return Header(PhotoKind.WEBP, size[0], size[1], exif)


def _webp_frame_size(name: bytes, body: bytes) -> tuple[int, int]:
    if name == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    if name == b"VP8L" and body[0] == 0x2F:
        (bits,) = struct.unpack_from("<I", body, 1)
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    raise PhotoBroken


def _read_heic(data: bytes) -> Header:
    """Box lengths and the size of every coded picture (ISO/IEC 23008-12); the rest by libheif's parser."""
    brands = None
    has_pictures = False
    for name, start, end in _boxes(data, 0, len(data)):
        if name == b"ftyp" and brands is None:
            brands = {data[start : start + 4]} | {data[i : i + 4] for i in range(start + 8, end - 3, 4)}
            if not brands & {b"heic", b"heix", b"heim", b"heis"}:
                raise PhotoType  # MP4, QuickTime, AVIF, JPEG 2000 share the container
        elif name == b"meta":
            has_pictures = True
            for width, height in _heic_sizes(data, start, end):
                if width * height > MAX_PIXELS:
                    raise PhotoTooManyPixels
    if brands is None or not has_pictures:
        raise PhotoBroken
    picture = open_heic(data)
    width, height = picture.size
    exif: bytes | None = picture.info.get("exif")
    return Header(PhotoKind.HEIC, width, height, exif.removeprefix(b"Exif\x00\x00") if exif else None)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end of body) of each ISO-BMFF box; PhotoBroken when one reaches beyond `end`."""
    while at < end:
        length, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        elif length == 0:
            length = end - at
        if length < start - at or at + length > end:
            raise PhotoBroken
        yield name, start, at + length
        at += length


def _heic_sizes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Declared sizes (ispe) and sizes the HEVC streams will really decode to (hvcC), of all items."""
    for name, a, b in _boxes(data, start + 4, end):  # meta is a full box: version and flags first
        if name != b"iprp":
            continue
        for inner, c, d in _boxes(data, a, b):
            if inner != b"ipco":
                continue
            for prop, p, q in _boxes(data, c, d):
                if prop == b"ispe":
                    yield struct.unpack_from(">II", data, p + 4)
                elif prop == b"hvcC":
                    yield from _hevc_sizes(data[p:q])


def _hevc_sizes(config: bytes) -> Iterator[tuple[int, int]]:
    """Picture sizes in the sequence parameter sets of an hvcC box (ISO/IEC 14496-15, 8.3.3.1).

    The decoder allocates what these say, not what ispe says: a tiny ispe over a giant stream is a bomb.
    """
    at = 23
    for _ in range(config[22]):
        kind, count = config[at] & 0x3F, struct.unpack_from(">H", config, at + 1)[0]
        at += 3
        for _ in range(count):
            (length,) = struct.unpack_from(">H", config, at)
            if kind == 33:
                yield _sps_size(config[at + 2 : at + 2 + length])
            at += 2 + length


def _sps_size(unit: bytes) -> tuple[int, int]:
    """Luma width and height of an HEVC sequence parameter set (ITU-T H.265, 7.3.2.2)."""
    # Only the head is needed; without emulation-prevention bytes it is at most some 60 bytes.
    bits = _Bits(unit[2:130].replace(b"\x00\x00\x03", b"\x00\x00"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 88 + 8)  # nesting flag; profile, compatibility, constraints; level
    if layers:
        present = [(bits.take(1), bits.take(1)) for _ in range(8)][:layers]
        for profile, level in present:
            bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.take(1)
    return bits.golomb(), bits.golomb()


class _Bits:
    """Bits of a byte string from the left; IndexError beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), len(data) * 8

    def take(self, count: int) -> int:
        if count > self._left:
            raise IndexError(count)
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def open_heic(data: bytes) -> Any:
    """The primary picture of a HEIC file, not yet decoded; PhotoBroken when libheif can't read it."""
    # Imported on first use: libheif and libde265 cost memory in every process that never sees a HEIC.
    import pi_heif  # type: ignore[import-untyped]  # ships no types

    try:
        container = pi_heif.open_heif(data, convert_hdr_to_8bit=True, remove_stride=False)
        return container[container.primary_index]
    except (OSError, ValueError, SyntaxError, RuntimeError, EOFError, IndexError) as e:
        raise PhotoBroken from e
