"""Pictures of troubles and of their repair, drawn with Pillow over the small public-domain textures.

`picture("road", variant=1, repaired=False)` is always the same picture. Without the textures (they lie with the
tests) the grounds are plain grain.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageOps

FIXTURES = Path(__file__).resolve().parent.parent.parent / "tests" / "fixtures"
SIZE = (960, 1280)
SHOWN = (720, 960)
"""Pixels while it is drawn, and of the picture."""
VARIANTS = 2

Colour = tuple[int, int, int]
Painter = Callable[[random.Random, bool], Image.Image]


@cache
def _ground(name: str, dark: Colour, light: Colour, width: int, height: int) -> Image.Image:
    """A texture in two colours; grain where the texture isn't there."""
    found = FIXTURES / f"{name}.jpg"
    grey = Image.open(found).convert("L") if found.exists() else _grain((512, 512))
    return ImageOps.colorize(ImageOps.autocontrast(ImageOps.fit(grey, (width, height))), dark, light)


@cache
def _grain(size: tuple[int, int]) -> Image.Image:
    """Noise over neighbouring pairs of pixels, as a small sensor's looks once it was compressed."""
    width, height = size[0] // 2, size[1] // 2
    grey = Image.frombytes("L", (width, height), random.Random(7).randbytes(width * height))
    return grey.resize(size)


def _slope(top: Colour, bottom: Colour, size: tuple[int, int]) -> Image.Image:
    """A vertical gradient."""
    return ImageOps.colorize(Image.linear_gradient("L").resize(size), top, bottom)


def _outdoors(
    floor: Image.Image, *, sky: tuple[Colour, Colour] = ((176, 196, 214), (226, 230, 228))
) -> Image.Image:
    """Sky, a row of houses, and the ground in front."""
    picture = _slope(*sky, SIZE)
    draw = ImageDraw.Draw(picture)
    shade = sky[0][0] / 255
    for number in range(6):
        left = number * 170 - 40
        top = 150 + (number * 97) % 150
        tone = int((150 + number * 37 % 60) * shade)
        draw.rectangle((left, top, left + 150, 560), fill=(tone, tone - 6, tone - 14))
        for row in range(top + 24, 530, 46):
            for column in range(left + 16, left + 130, 40):
                draw.rectangle((column, row, column + 20, row + 24), fill=(tone - 46, tone - 40, tone - 30))
    picture.paste(floor, (0, SIZE[1] - floor.height))
    return picture


def _floor(name: str, dark: Colour, light: Colour) -> Image.Image:
    return _ground(name, dark, light, SIZE[0], 760).copy()


def _blob(
    picture: Image.Image, rng: random.Random, centre: tuple[int, int], size: tuple[int, int], fill: Colour
) -> None:
    """An irregular flat shape with a soft edge: a puddle, a hole, a patch of soil."""
    # Drawn coarsely and enlarged, which softens the edge at a fraction of a blur's time.
    mask = Image.new("L", (SIZE[0] // 4, SIZE[1] // 4))
    draw = ImageDraw.Draw(mask)
    for _ in range(14):
        x = centre[0] + rng.randint(-size[0] // 2, size[0] // 2)
        y = centre[1] + rng.randint(-size[1] // 2, size[1] // 2)
        w, h = rng.randint(size[0] // 3, size[0] // 2), rng.randint(size[1] // 3, size[1] // 2)
        draw.ellipse([side / 4 for side in (x - w, y - h, x + w, y + h)], fill=225)
    picture.paste(fill, mask=mask.resize(SIZE, Image.Resampling.BICUBIC))


def _lighting(rng: random.Random, repaired: bool) -> Image.Image:
    floor = _floor("brick", (20, 18, 24), (92, 84, 86) if repaired else (58, 54, 62))
    picture = _outdoors(floor, sky=((34, 42, 66), (96, 88, 98)))
    x = rng.randint(300, 660)
    if repaired:
        glow = Image.new("L", (SIZE[0] // 16, SIZE[1] // 16))
        ImageDraw.Draw(glow).ellipse([side / 16 for side in (x - 300, 0, x + 300, 620)], fill=190)
        soft = glow.filter(ImageFilter.BoxBlur(6)).resize(SIZE, Image.Resampling.BICUBIC)
        picture.paste((255, 226, 160), mask=soft)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((x - 9, 320, x + 9, 1010), fill=(74, 76, 84))
    draw.rectangle((x - 30, 985, x + 30, 1030), fill=(64, 66, 72))
    draw.ellipse((x - 66, 230, x + 66, 350), fill=(255, 246, 218) if repaired else (96, 98, 106))
    draw.pieslice((x - 84, 190, x + 84, 340), 180, 360, fill=(26, 28, 32))
    return picture


def _water(rng: random.Random, repaired: bool) -> Image.Image:
    picture = _outdoors(_floor("gravel", (88, 84, 80), (176, 170, 162)))
    x = rng.randint(260, 700)
    if not repaired:
        _blob(picture, rng, (x, 950), (420, 130), (74, 92, 104))
        _blob(picture, rng, (x - 30, 930), (180, 40), (132, 152, 164))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((x - 24, 470, x + 24, 860), fill=(150, 152, 150))
    draw.rectangle((x - 24, 470, x - 12, 860), fill=(182, 184, 182))
    draw.rectangle((x - 34, 640, x + 34, 700), fill=(60, 96, 150) if repaired else (112, 78, 58))
    if not repaired:
        for _ in range(26):
            drop_x, drop_y = x + rng.randint(-70, 70), rng.randint(700, 900)
            draw.line((drop_x, drop_y, drop_x + 2, drop_y + 26), fill=(196, 214, 224), width=3)
    return picture


def _road(rng: random.Random, repaired: bool) -> Image.Image:
    picture = _outdoors(_floor("gravel", (52, 52, 54), (124, 122, 120)))
    draw = ImageDraw.Draw(picture)
    for left in range(-100, 1000, 320):
        draw.polygon(
            ((left, 1280), (left + 60, 1280), (left + 150, 1140), (left + 110, 1140)), fill=(222, 220, 210)
        )
    x, y = rng.randint(330, 640), rng.randint(820, 930)
    if repaired:
        draw.polygon(
            ((x - 190, y + 80), (x + 210, y + 80), (x + 160, y - 70), (x - 150, y - 70)), fill=(46, 46, 48)
        )
        draw.line(((x - 190, y + 80), (x + 210, y + 80)), fill=(30, 30, 32), width=6)
    else:
        _blob(picture, rng, (x, y), (260, 110), (98, 84, 70))
        _blob(picture, rng, (x + 8, y + 12), (190, 70), (34, 30, 28))
    return picture


def _greening(rng: random.Random, repaired: bool) -> Image.Image:
    picture = _outdoors(_floor("grass", (26, 52, 20), (120, 162, 74)))
    draw = ImageDraw.Draw(picture)
    x = rng.randint(300, 640)
    draw.polygon(((x - 34, 1000), (x + 40, 1000), (x + 20, 420), (x - 16, 420)), fill=(86, 66, 48))
    for _ in range(90):
        px, py, r = x + rng.randint(-230, 230), rng.randint(160, 470), rng.randint(26, 66)
        green = rng.randint(70, 130)
        draw.ellipse((px - r, py - r, px + r, py + r), fill=(green // 3, green, green // 4))
    if not repaired:
        draw.line(((x, 560), (x + 220, 720), (x + 270, 980)), fill=(106, 78, 52), width=26)
        for _ in range(60):
            px, py, r = x + rng.randint(120, 380), rng.randint(820, 1080), rng.randint(12, 34)
            green = rng.randint(80, 130)
            draw.ellipse((px - r, py - r // 2, px + r, py + r // 2), fill=(green // 2, green, green // 4))
    return picture


def _waste(rng: random.Random, repaired: bool) -> Image.Image:
    picture = _ground("brick", (92, 66, 54), (178, 148, 128), *SIZE).copy()
    picture.paste(_ground("gravel", (92, 90, 88), (166, 162, 158), SIZE[0], 420), (0, 860))
    draw = ImageDraw.Draw(picture)
    for number, colour in enumerate(((46, 110, 66), (52, 92, 160), (84, 84, 88), (170, 56, 50))):
        left = 70 + number * 215
        draw.polygon(((left, 600), (left + 180, 600), (left + 160, 940), (left + 20, 940)), fill=colour)
        lid = 0 if repaired else rng.randint(0, 60)
        draw.polygon(
            ((left - 12, 600 - lid), (left + 192, 600), (left + 192, 572), (left - 12, 572 - lid)),
            fill=tuple(c // 2 for c in colour),
        )
    if not repaired:
        for _ in range(34):
            px, py, r = rng.randint(40, 920), rng.randint(880, 1120), rng.randint(40, 92)
            tone = rng.choice(((28, 28, 32), (206, 206, 200), (150, 118, 82), (70, 96, 128), (186, 60, 54)))
            draw.ellipse((px - r, py - r * 2 // 3, px + r, py + r * 2 // 3), fill=tone)
            draw.arc(
                (px - r, py - r * 2 // 3, px + r, py + r * 2 // 3), 200, 300, fill=(236, 236, 236), width=3
            )
    return picture


def _facility(rng: random.Random, repaired: bool) -> Image.Image:
    picture = _outdoors(_floor("brick", (104, 84, 72), (190, 168, 150)))
    draw = ImageDraw.Draw(picture)
    left = rng.randint(120, 220)
    for leg in (left + 40, left + 560):
        draw.rectangle((leg, 760, leg + 34, 1000), fill=(58, 60, 64))
    for slat in range(5):
        top = 640 + slat * 44
        colour = (146 - slat * 4, 104 - slat * 3, 66)
        tilt = 120 if slat == 3 and not repaired else 0
        draw.polygon(
            ((left, top), (left + 630, top + tilt), (left + 630, top + tilt + 32), (left, top + 32)),
            fill=colour,
        )
    if not repaired:
        draw.polygon(
            ((left + 380, 830), (left + 470, 800), (left + 520, 1050), (left + 440, 1070)), fill=(120, 86, 54)
        )
    return picture


def _fire(rng: random.Random, repaired: bool) -> Image.Image:
    picture = _slope((212, 212, 206), (158, 156, 150), SIZE)
    draw = ImageDraw.Draw(picture)
    draw.polygon(((0, 1280), (330, 760), (630, 760), (960, 1280)), fill=(118, 114, 108))
    draw.polygon(((0, 0), (330, 300), (330, 760), (0, 1280)), fill=(196, 194, 186))
    draw.polygon(((960, 0), (630, 300), (630, 760), (960, 1280)), fill=(184, 182, 174))
    draw.rectangle((410, 420, 550, 760), fill=(96, 104, 112))
    draw.rectangle((420, 330, 540, 380), fill=(30, 140, 74))
    draw.rectangle((700, 560, 790, 760), fill=(186, 40, 36))
    if repaired:
        draw.polygon(((300, 1280), (420, 800), (440, 800), (340, 1280)), fill=(214, 190, 60))
        draw.polygon(((660, 1280), (540, 800), (520, 800), (620, 1280)), fill=(214, 190, 60))
    else:
        for _ in range(9):
            px, py = rng.randint(170, 560), rng.randint(800, 1080)
            w, h, tone = rng.randint(110, 220), rng.randint(90, 180), rng.randint(112, 176)
            draw.rectangle((px, py, px + w, py + h), fill=(tone, tone * 3 // 4, tone // 2))
            draw.line((px, py + h // 2, px + w, py + h // 2), fill=(tone // 2, tone // 3, tone // 4), width=5)
    return picture


def _parking(rng: random.Random, repaired: bool) -> Image.Image:
    picture = _outdoors(_floor("gravel", (66, 66, 68), (138, 136, 134)))
    draw = ImageDraw.Draw(picture)
    for number in range(7):
        left = number * 160 - 60
        draw.line(((left, 1240), (left + 220, 760)), fill=(226, 190, 60), width=14)
    draw.rectangle((40, 752, 920, 768), fill=(226, 190, 60))
    if not repaired:
        body = rng.choice(((196, 198, 202), (120, 34, 36), (40, 58, 98), (232, 232, 228)))
        x, y = rng.randint(60, 220), rng.randint(760, 850)
        draw.polygon(((x + 130, y), (x + 480, y), (x + 580, y - 140), (x + 240, y - 140)), fill=body)
        draw.polygon(((x + 170, y), (x + 460, y), (x + 540, y - 116), (x + 256, y - 116)), fill=(44, 54, 64))
        draw.rounded_rectangle((x, y - 10, x + 640, y + 180), radius=46, fill=body)
        for wheel in (x + 110, x + 470):
            draw.ellipse((wheel - 10, y + 110, wheel + 110, y + 230), fill=(24, 24, 26))
            draw.ellipse((wheel + 24, y + 144, wheel + 76, y + 196), fill=(150, 150, 152))
    return picture


def _illegal_building(rng: random.Random, repaired: bool) -> Image.Image:
    picture = _ground("brick", (140, 122, 108), (214, 200, 186), *SIZE).copy()
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 940, 960, 1280), fill=(128, 126, 122))
    if not repaired:
        left = rng.randint(140, 260)
        draw.rectangle((left, 560, left + 540, 1000), fill=(198, 202, 204))
        for rib in range(left, left + 540, 36):
            draw.line((rib, 560, rib, 1000), fill=(160, 166, 170), width=5)
        draw.polygon(
            ((left - 60, 580), (left + 600, 580), (left + 540, 440), (left, 440)), fill=(44, 96, 166)
        )
        draw.rectangle((left + 200, 720, left + 340, 1000), fill=(92, 96, 100))
    return picture


def _elevator(rng: random.Random, repaired: bool) -> Image.Image:
    picture = _slope((202, 198, 190), (166, 162, 154), SIZE)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((220, 260, 740, 1160), fill=(120, 122, 126))
    gap = rng.randint(30, 90) if not repaired else 0
    for left, right in ((240, 476 - gap), (484 + gap, 720)):
        draw.rectangle((left, 280, right, 1150), fill=(176, 180, 186))
        draw.rectangle((left, 280, left + 14, 1150), fill=(206, 210, 214))
    if gap:
        draw.rectangle((476 - gap, 280, 484 + gap, 1150), fill=(16, 16, 18))
    draw.rectangle((400, 170, 560, 236), fill=(20, 20, 22))
    draw.rectangle((450, 186, 510, 220), fill=(56, 200, 96) if repaired else (200, 44, 36))
    draw.rectangle((800, 640, 860, 780), fill=(90, 92, 96))
    return picture


PAINTERS: dict[str, Painter] = {
    "lighting": _lighting,
    "water": _water,
    "road": _road,
    "greening": _greening,
    "waste": _waste,
    "facility": _facility,
    "fire": _fire,
    "parking": _parking,
    "illegal_building": _illegal_building,
    "elevator": _elevator,
}


def picture(category: str, *, variant: int, repaired: bool) -> bytes:
    """A JPEG of the trouble, or of its repair, seen from the same place. Raises KeyError for a class without one."""
    rng = random.Random(f"{category} {variant}")
    painted = PAINTERS[category](rng, repaired)
    # A phone's picture is never clean: no edge sharper than its lens, and a little grain.
    grain = Image.merge("RGB", (_grain(SHOWN),) * 3)
    painted = Image.blend(painted.resize(SHOWN, Image.Resampling.BILINEAR), grain, 0.04)
    out = io.BytesIO()
    painted.save(out, "JPEG", quality=85)
    return out.getvalue()
