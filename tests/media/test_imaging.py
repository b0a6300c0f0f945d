"""What an upload is taken for, what is refused, and what the two renditions look like and contain."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageDraw

from app.media import headers, imaging
from app.media.imaging import PhotoInfo, PhotoKind, PhotoRefused
from tools import pictures

RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 160, 60), (40, 60, 200), (220, 200, 40)
FORMATS = ("jpeg", "png", "webp", "heic")


def corners(size: tuple[int, int] = (400, 300)) -> Image.Image:
    """A picture whose four corners tell which way it was turned: red, green / blue, yellow."""
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    w, h = size
    for colour, box in (
        (RED, (0, 0, w // 2, h // 2)),
        (GREEN, (w // 2, 0, w, h // 2)),
        (BLUE, (0, h // 2, w // 2, h)),
        (YELLOW, (w // 2, h // 2, w, h)),
    ):
        draw.rectangle(box, fill=colour)
    return picture


def encoded(picture: Image.Image, kind: str, tags: Image.Exif | None = None, **options: Any) -> bytes:
    if kind == "heic":
        return pictures.heic(picture, tags)
    out = io.BytesIO()
    if tags is not None:
        options["exif"] = tags
    picture.save(out, kind.upper(), **options)
    return out.getvalue()


@cache
def photo(kind: str) -> bytes:
    """A small photograph with everything a phone writes into it."""
    scene = pictures.scene(lit=False, size=(480, 640)).transpose(pictures.UPRIGHT_TO_STORED)
    return encoded(scene, kind, pictures.exif())


@cache
def large_jpeg() -> bytes:
    scene = pictures.scene(lit=False).transpose(pictures.UPRIGHT_TO_STORED)
    return pictures.jpeg(scene, pictures.exif())


def opened(rendered: imaging.Rendered) -> Image.Image:
    picture = Image.open(io.BytesIO(rendered.data))
    picture.load()
    assert picture.format == "JPEG"
    assert picture.size == (rendered.width, rendered.height)
    return picture.convert("RGB")


def near(seen: Any, expected: tuple[int, int, int], within: int = 12) -> bool:
    return all(abs(a - b) <= within for a, b in zip(seen, expected, strict=True))


def refusal_of(data: bytes, call: Callable[[bytes], object] = imaging.inspect) -> str:
    with pytest.raises(PhotoRefused) as refused:
        call(data)
    return refused.value.code


# What it is


@pytest.mark.parametrize("kind", FORMATS)
def test_kind_size_time_and_place_are_read_from_the_content(kind: str) -> None:
    info = imaging.inspect(photo(kind))
    assert (info.kind, info.width, info.height) == (kind, 480, 640)
    assert info.taken_at == datetime(2026, 9, 1, 12, 15, tzinfo=UTC)
    assert info.position is not None
    assert info.position.lng == pytest.approx(106.61, abs=1e-6)
    assert info.position.lat == pytest.approx(29.61, abs=1e-6)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_without_metadata_has_no_time_and_no_place(kind: str) -> None:
    assert imaging.inspect(encoded(corners(), kind)) == PhotoInfo(PhotoKind(kind), 400, 300, None, None)


def with_tags(**changes: Any) -> PhotoInfo:
    """What is read when the phone's EXIF has these tags changed; None removes one."""
    tags = pictures.exif()
    for name, value in changes.items():
        of_gps = name.startswith("GPS")
        ifd = tags.get_ifd(ExifTags.IFD.GPSInfo if of_gps else ExifTags.IFD.Exif)
        tag = ExifTags.GPS[name] if of_gps else ExifTags.Base[name]
        if value is None:
            ifd.pop(tag, None)
        else:
            ifd[tag] = value
    return imaging.inspect(encoded(corners(), "jpeg", tags))


def test_an_offset_in_exif_wins_over_shanghai() -> None:
    assert with_tags(OffsetTimeOriginal="+05:30").taken_at == datetime(2026, 9, 1, 14, 45, tzinfo=UTC)
    assert with_tags(OffsetTime="+00:00").taken_at == datetime(2026, 9, 1, 20, 15, tzinfo=UTC)
    assert with_tags(OffsetTimeOriginal="nonsense").taken_at == datetime(2026, 9, 1, 12, 15, tzinfo=UTC)
    assert with_tags(OffsetTimeOriginal="+23:00").taken_at == datetime(2026, 9, 1, 12, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["0000:00:00 00:00:00", "1970:01:01 00:00:00", "2026:13:01 00:00:00", "", "yesterday"]
)
def test_an_impossible_time_is_no_time(text: str) -> None:
    assert with_tags(DateTimeOriginal=text).taken_at is None


def test_the_time_of_digitising_serves_when_there_is_no_other() -> None:
    info = with_tags(DateTimeOriginal=None, DateTimeDigitized="2026:09:02 08:00:00")
    assert info.taken_at == datetime(2026, 9, 2, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"GPSLatitude": None},
        {"GPSLatitudeRef": None},
        {"GPSLatitudeRef": "X"},
        {"GPSLatitude": (91.0, 0.0, 0.0)},
        {"GPSLongitude": (181.0, 0.0, 0.0)},
        {"GPSLongitude": (106.0, 75.0, 0.0)},
        {"GPSLatitude": (0.0, 0.0, 0.0), "GPSLongitude": (0.0, 0.0, 0.0)},
        {"GPSStatus": "V"},
    ],
)
def test_an_incomplete_or_impossible_position_is_none(changes: dict[str, Any]) -> None:
    assert with_tags(GPSDOP=1.0).position is not None
    assert with_tags(**changes).position is None


def test_zero_over_zero_is_no_position() -> None:
    data = encoded(corners(), "jpeg", pictures.exif())
    # The seconds of the latitude, 36/1, as the fraction that phones without a fix write.
    seconds = struct.pack("<II", 36, 1) if b"II*\x00" in data else struct.pack(">II", 36, 1)
    assert seconds in data
    assert imaging.inspect(data.replace(seconds, bytes(8))).position is None


def test_south_and_west_are_negative() -> None:
    position = with_tags(GPSLatitudeRef="S", GPSLongitudeRef="W").position
    assert position == imaging.Position(lng=-106.61, lat=-29.61)


def test_damaged_metadata_is_no_reason_to_refuse() -> None:
    for block in (b"", b"II*\x00", b"MM\x00*\xff\xff\xff\xff", b"garbage" * 50):
        data = encoded(corners(), "jpeg", exif=b"Exif\x00\x00" + block)
        info = imaging.inspect(data)
        assert (info.width, info.taken_at, info.position) == (400, None, None)
        assert imaging.render(data)[320].width == 320


# What is refused


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("truncated.jpg", "photo_broken"),
        ("bomb.png", "photo_too_many_pixels"),
        ("empty.jpg", "photo_empty"),
        ("text.jpg", "photo_type"),
        ("moving.gif", "photo_type"),
    ],
)
def test_bad_files_are_refused_by_both(name: str, code: str) -> None:
    data = pictures.bad_files(photo("jpeg"))[name]
    assert refusal_of(data) == code
    assert refusal_of(data, imaging.render) == code


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n\xff\xd8\xff\xe0",
        b"GIF89a\x01\x00\x01\x00\xff\xd8\xff\xe0",
        b"BM" + bytes(60),
        b"II*\x00" + bytes(60),
        b"RIFF\x10\x00\x00\x00WAVEfmt " + bytes(8),
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(40),
        b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf" + bytes(40),
        b"x",
    ],
    ids=["svg", "pdf", "gif", "bmp", "tiff", "wav", "mp4", "avif", "one byte"],
)
def test_other_kinds_are_refused_whatever_they_hold(data: bytes) -> None:
    assert refusal_of(data) == "photo_type"


@pytest.mark.parametrize("kind", FORMATS)
def test_more_than_ten_megabytes_is_refused(kind: str) -> None:
    data = photo(kind)
    assert refusal_of(data + bytes(imaging.MAX_BYTES + 1 - len(data))) == "photo_too_large"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_file_cut_short_is_refused_without_decoding(kind: str, share: float) -> None:
    data = photo(kind)
    assert refusal_of(data[: int(len(data) * share)]) == "photo_broken"


def jpeg_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(corners((64, 64)), "jpeg"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_that_claims(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    frame = encoded(corners((64, 64)), "webp")[12:]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x00\x00\x00\x00" + size + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def heic_that_claims(width: int, height: int) -> bytes:
    data = bytearray(encoded(corners((64, 64)), "heic"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", width, height)
    return bytes(data)


@pytest.mark.parametrize("claims", [jpeg_that_claims, pictures.bomb, webp_that_claims, heic_that_claims])
def test_more_than_fifty_megapixels_is_refused_by_the_header(claims: Callable[[int, int], bytes]) -> None:
    assert refusal_of(claims(10_001, 5_000)) == "photo_too_many_pixels"


@pytest.mark.parametrize("claims", [jpeg_that_claims, pictures.bomb, webp_that_claims])
def test_fifty_megapixels_are_let_in(claims: Callable[[int, int], bytes]) -> None:
    info = imaging.inspect(claims(10_000, 5_000))
    assert (info.width, info.height) == (10_000, 5_000)


def test_a_heic_whose_stream_is_larger_than_it_says_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder allocates what the stream says; a tiny declared size must not hide it."""
    data = encoded(corners((640, 480)), "heic")
    real = struct.pack(">II", 640, 480)
    assert data.count(real) == 1
    tiny_by_its_word = data.replace(real, struct.pack(">II", 80, 64))
    # Encoding 50 megapixels would take seconds: the limit comes down instead.
    monkeypatch.setattr(headers, "MAX_PIXELS", 640 * 480)
    assert imaging.inspect(data).width == 640
    monkeypatch.setattr(headers, "MAX_PIXELS", 640 * 480 - 1)
    assert refusal_of(tiny_by_its_word) == "photo_too_many_pixels"


def test_a_jpeg_of_countless_scans_is_refused() -> None:
    data = encoded(corners(), "jpeg", progressive=True)
    assert imaging.inspect(data)
    last = data.rindex(b"\xff\xda")
    scan = data[last : data.rindex(b"\xff\xd9")]
    assert refusal_of(data[:last] + scan * 500 + b"\xff\xd9") == "photo_broken"


def test_what_phones_append_to_a_jpeg_is_ignored() -> None:
    data = photo("jpeg") + b"\x00\x00\x00\x18ftypmp42" + b"\xff\xda" * 500
    assert imaging.inspect(data).width == 480
    assert imaging.render(data)[320].height == 320


def test_a_twelve_bit_jpeg_is_not_supported() -> None:
    data = bytearray(encoded(corners(), "jpeg"))
    data[data.index(b"\xff\xc0") + 4] = 12
    assert refusal_of(bytes(data)) == "photo_type"


def test_pixels_that_cannot_be_decoded_show_in_render() -> None:
    broken = bytearray(encoded(corners(), "png"))
    at = broken.index(b"IDAT") + 4
    broken[at : at + 40] = b"\xff" * 40
    assert imaging.inspect(bytes(broken)).width == 400
    assert refusal_of(bytes(broken), imaging.render) == "photo_broken"


def test_a_refusal_speaks_chinese_and_english() -> None:
    with pytest.raises(PhotoRefused) as refused:
        imaging.inspect(b"")
    assert refused.value.sentence("zh") == "照片是空文件，请重新拍摄或选择。"
    assert "empty" in refused.value.sentence("en")


# What is made of it


@pytest.mark.parametrize("kind", FORMATS)
def test_two_jpegs_come_out_of_each_kind(kind: str) -> None:
    data = large_jpeg() if kind == "jpeg" else encoded(corners((2000, 1500)), kind)
    rendered = imaging.render(data)
    shapes = {edge: (r.width, r.height) for edge, r in rendered.items()}
    if kind == "jpeg":  # stored sideways
        assert shapes == {1600: (1200, 1600), 320: (240, 320)}
    else:
        assert shapes == {1600: (1600, 1200), 320: (320, 240)}
    for each in rendered.values():
        opened(each)
    assert len(rendered[320].data) < 40_000


def test_nothing_is_enlarged() -> None:
    rendered = imaging.render(encoded(corners((200, 100)), "png"))
    assert {(r.width, r.height) for r in rendered.values()} == {(200, 100)}


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (4001, 3), (1601, 1600)])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_odd_shapes_survive(kind: str, size: tuple[int, int]) -> None:
    for edge, each in imaging.render(encoded(Image.new("RGB", size, RED), kind)).items():
        assert max(each.width, each.height) == min(edge, max(size))
        assert near(opened(each).getpixel((0, 0)), RED)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_shown_upright(kind: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = corners()
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    data = encoded(stored, kind, pictures.exif(orientation=orientation))
    info = imaging.inspect(data)
    assert (info.width, info.height) == (400, 300)
    for each in imaging.render(data).values():
        seen = opened(each)
        w, h = seen.size
        assert (w > h) is True
        for colour, at in ((RED, (9, 9)), (GREEN, (w - 9, 9)), (BLUE, (9, h - 9)), (YELLOW, (w - 9, h - 9))):
            assert near(seen.getpixel(at), colour, 20), (orientation, at, seen.getpixel(at), colour)


def segments_of(data: bytes) -> list[int]:
    found, at = [], 2
    while data[at + 1] != 0xDA:
        found.append(data[at + 1])
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return found


XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF>secret place</rdf:RDF></x:xmpmeta>"


@pytest.mark.parametrize("kind", FORMATS)
def test_the_output_carries_pixels_and_nothing_else(kind: str) -> None:
    tags = pictures.exif()
    tags[ExifTags.Base.Artist] = "Zhang San"
    scene = corners()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options: dict[str, Any] = {} if kind == "heic" else {"icc_profile": profile}
    if kind == "jpeg":
        options |= {"comment": b"Zhang San was here", "xmp": XMP}
    if kind == "webp":
        options |= {"xmp": XMP}
    data = encoded(scene, kind, tags, **options)
    assert b"Zhang San" in data
    for each in imaging.render(data).values():
        assert set(segments_of(each.data)) <= {0xE0, 0xDB, 0xC0, 0xC4}
        for trace in (
            b"Exif",
            b"GPS",
            b"http",
            b"xmp",
            b"ICC",
            b"Zhang",
            b"secret",
            b"Sample Phone",
            b"2026",
        ):
            assert trace not in each.data
        seen = Image.open(io.BytesIO(each.data))
        assert not seen.getexif()
        assert set(seen.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_transparent_parts_become_white() -> None:
    picture = Image.new("RGBA", (400, 300), (255, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((0, 0, 199, 299), fill=(*BLUE, 255))
    for kind in ("png", "webp"):
        seen = opened(imaging.render(encoded(picture, kind))[320])
        assert near(seen.getpixel((60, 100)), BLUE)
        assert near(seen.getpixel((260, 100)), (255, 255, 255))


@pytest.mark.parametrize("transparent", [False, True])
def test_palette_pictures_keep_their_colours(transparent: bool) -> None:
    picture = corners().quantize(16)
    options: dict[str, Any] = {"transparency": picture.getpixel((0, 0))} if transparent else {}
    seen = opened(imaging.render(encoded(picture, "png", **options))[320])
    assert near(seen.getpixel((10, 10)), (255, 255, 255) if transparent else RED)
    assert near(seen.getpixel((310, 230)), YELLOW)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_grey_pictures_of_any_depth_keep_their_brightness(mode: str) -> None:
    level = {"1": 255, "L": 128, "LA": (128, 255), "I;16": 128 * 257}[mode]
    seen = opened(imaging.render(encoded(Image.new(mode, (400, 300), level), "png"))[320])  # type: ignore[arg-type]
    expected = 255 if mode == "1" else 128
    assert near(seen.getpixel((100, 100)), (expected,) * 3, 3)


def test_cmyk_is_shown_in_its_colours() -> None:
    seen = opened(imaging.render(encoded(corners().convert("CMYK"), "jpeg"))[320])
    assert near(seen.getpixel((10, 10)), RED)
    assert near(seen.getpixel((310, 230)), YELLOW)


def display_p3() -> bytes:
    """A profile with the primaries of Display P3, made from lcms' own pieces: sRGB with a stronger red."""
    return _profile_with_primaries(
        ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
    )


def _profile_with_primaries(columns: tuple[tuple[float, float, float], ...]) -> bytes:
    """A minimal ICC v2 matrix profile (ICC.1:2001): three primaries in D50 XYZ, gamma 2.2."""

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \x00\x00\x00\x00" + b"".join(number(v) for v in values)

    gamma = b"curv\x00\x00\x00\x00" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\x00\x00"
    text = b"desc\x00\x00\x00\x00" + struct.pack(">I", 8) + b"Test P3\x00" + bytes(78)
    bodies = {
        b"desc": text + bytes(-len(text) % 4),
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        **dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), (xyz(c) for c in columns), strict=True)),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma),
    }
    at = 128 + 4 + 12 * len(bodies)
    table, blob = struct.pack(">I", len(bodies)), b""
    for name, body in bodies.items():
        table += name + struct.pack(">II", at + len(blob), len(body))
        blob += body
    head = struct.pack(">I4sI4s4s4s", at + len(blob), b"test", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += b"".join(number(v) for v in (0.9642, 1.0, 0.8249))
    return head.ljust(128, b"\x00") + table + blob


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_colours_of_a_wide_profile_are_converted(kind: str) -> None:
    """(200, 80, 80) in P3 is a stronger red than the same numbers in sRGB; grey stays grey."""
    picture = Image.new("RGB", (400, 300), (200, 80, 80))
    ImageDraw.Draw(picture).rectangle((200, 0, 400, 300), fill=(128, 128, 128))
    plain = opened(imaging.render(encoded(picture, kind))[320])
    wide = opened(imaging.render(encoded(picture, kind, icc_profile=display_p3()))[320])
    assert near(plain.getpixel((60, 100)), (200, 80, 80), 6)
    assert near(wide.getpixel((60, 100)), (216, 70, 74), 6)
    assert near(wide.getpixel((260, 100)), (128, 128, 128), 4)


@pytest.mark.parametrize("profile", [b"garbage", b"\x00" * 200, display_p3()[:300]])
def test_a_damaged_profile_is_ignored(profile: bytes) -> None:
    seen = opened(imaging.render(encoded(corners(), "jpeg", icc_profile=profile))[320])
    assert near(seen.getpixel((10, 10)), RED)


def test_a_profile_of_another_colour_space_is_ignored() -> None:
    picture = corners().convert("L")
    seen = opened(imaging.render(encoded(picture, "jpeg", icc_profile=display_p3()))[320])
    assert near(seen.getpixel((10, 10)), (picture.getpixel((10, 10)),) * 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_the_first_frame_of_an_animation_is_shown(kind: str) -> None:
    frames = [Image.new("RGB", (400, 300), colour) for colour in (RED, GREEN, BLUE)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert near(opened(imaging.render(data)[320]).getpixel((100, 100)), RED)


def test_one_edge_may_be_asked_for() -> None:
    rendered = imaging.render(photo("jpeg"), max_edges=(100,))
    assert {edge: (r.width, r.height) for edge, r in rendered.items()} == {100: (75, 100)}


def test_the_same_bytes_give_the_same_pictures() -> None:
    assert imaging.render(photo("jpeg")) == imaging.render(photo("jpeg"))


def test_global_switches_of_the_decoders_stay_as_they_are() -> None:
    from PIL import ImageFile

    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    for kind in FORMATS:
        imaging.render(photo(kind))
    after = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    assert after == before


def test_the_placeholder_is_a_small_jpeg_of_the_size_asked_for() -> None:
    for edge in (320, 1600):
        data = imaging.placeholder(edge)
        picture = Image.open(io.BytesIO(data))
        assert (picture.format, picture.size) == ("JPEG", (edge, edge))
        assert len(data) < 40_000
        assert imaging.placeholder(edge) is data


# Anything at all


def only_refusals(data: bytes) -> None:
    """inspect and render answer or refuse; they raise nothing else, and agree."""
    try:
        imaging.inspect(data)
    except PhotoRefused:
        with pytest.raises(PhotoRefused):
            imaging.render(data)
        return
    try:
        rendered = imaging.render(data)
    except PhotoRefused:
        return
    for each in rendered.values():
        opened(each)


@cache
def tiny(kind: str) -> bytes:
    return encoded(
        corners((96, 64)), kind, pictures.exif(), **({"progressive": True} if kind == "jpeg" else {})
    )


CORRUPTION = settings(
    max_examples=120, deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("kind", FORMATS)
@CORRUPTION
@given(data=st.data())
def test_corrupted_bytes_are_shown_or_refused(kind: str, data: st.DataObject) -> None:
    broken = bytearray(tiny(kind))
    for _ in range(data.draw(st.integers(1, 6))):
        # Most of the sense is in the first bytes; most of the bytes are further back.
        limit = data.draw(st.sampled_from([64, 400, len(broken)]))
        at = data.draw(st.integers(0, min(limit, len(broken)) - 1))
        broken[at : at + data.draw(st.integers(1, 4))] = data.draw(st.binary(min_size=0, max_size=8))
    only_refusals(bytes(broken))


@CORRUPTION
@given(
    head=st.sampled_from(
        [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\x00\x00\x00WEBP", b"\x00\x00\x00\x14ftypheic"]
    ),
    rest=st.binary(max_size=300),
)
def test_garbage_behind_a_magic_number_is_refused(head: bytes, rest: bytes) -> None:
    only_refusals(head + rest)


@CORRUPTION
@given(
    chunk=st.binary(max_size=120),
    name=st.sampled_from([b"eXIf", b"iCCP", b"zTXt", b"tRNS", b"PLTE", b"acTL"]),
)
def test_hostile_png_chunks_are_shown_or_refused(chunk: bytes, name: bytes) -> None:
    data = tiny("png")
    extra = struct.pack(">I", len(chunk)) + name + chunk + struct.pack(">I", zlib.crc32(name + chunk))
    only_refusals(data[:33] + extra + data[33:])
