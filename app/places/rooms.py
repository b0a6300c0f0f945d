"""How houses are spelled. Each office writes 1栋, 1号楼, 01幢 or 一栋; one key finds the house under all of them."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from app.places.registry_models import HouseKind

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_CHINESE = re.compile("[零〇一二两三四五六七八九]?十[一二三四五六七八九]?|[零〇一二两三四五六七八九]+")
_NUMERAL = re.compile(r"\d+")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_BUILDING = re.compile(r"^第?(.+?)(?:号楼|号栋|栋楼|楼栋|栋|幢|座|楼|#)?$")
_UNIT = re.compile(r"^第?(.+?)(?:单元|梯|门)?$")
_NUMBER = re.compile(r"^(.+?)(?:号房|室|号|房|户|车位)?$")
_WHOLE = re.compile(r"^(?:(?P<b>.{1,20}?)(?:号楼|栋|幢|座|#))?(?:(?P<u>.{1,10}?)单元)?(?P<n>[^栋幢]{1,40})$")
# Kinds whose numbers run beside those of the homes: parking space 12 isn't flat 12.
_PREFIX = {HouseKind.GARAGE: "g:", HouseKind.PARKING: "p:", HouseKind.STORAGE: "s:"}


class Room(NamedTuple):
    """Building, unit and number as they are shown; building and unit are empty where there is none."""

    building: str
    unit: str
    number: str


def plain(text: str) -> str:
    """Half-width, upper case, without spaces."""
    return "".join(unicodedata.normalize("NFKC", text).split()).upper().replace("—", "-").replace("–", "-")


def _arabic(found: re.Match[str]) -> str:
    text = found[0]
    if "十" in text:
        tens, _, ones = text.partition("十")
        return str((_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0))
    return "".join(str(_DIGITS[c]) for c in text)


def _spelled(text: str, form: re.Pattern[str]) -> str:
    text = plain(text)
    found = form.match(text)
    core = found[1] if found else text
    return _ZEROS.sub("", _CHINESE.sub(_arabic, core))


def building_key(name: str) -> str:
    """One spelling of a building's name: 1栋, 01幢, 1号楼, 一栋 and 1# are all `1`."""
    return _spelled(name, _BUILDING)


def unit_key(name: str) -> str:
    """One spelling of a unit's name: 1单元, 一单元 and 01 are all `1`."""
    return _spelled(name, _UNIT)


def number_key(number: str) -> str:
    """One spelling of a door number: 101, 0101 and 101室 are all `101`."""
    return _spelled(number, _NUMBER)


def house_key(kind: str, building: str, unit: str, number: str) -> str:
    """What is unique within an estate."""
    prefix = _PREFIX.get(HouseKind(kind), "")
    return f"{prefix}{building_key(building)}|{unit_key(unit)}|{number_key(number)}"


def natural_key(text: str) -> str:
    """What sorts rooms as people read them: numbers by their value, 2栋 before 10栋 and 一栋 before 二栋."""
    return _NUMERAL.sub(lambda found: found[0].zfill(6), _CHINESE.sub(_arabic, plain(text)))


def split(text: str) -> Room:
    """The parts of a room written in one cell: 1栋2单元301, 1-2-301, 1-301. What has no parts is a number alone."""
    text = plain(text)
    parts = [part for part in text.split("-") if part]
    if len(parts) == 3 and not re.search("[栋幢座#]", text):
        return Room(parts[0], parts[1], parts[2])
    if len(parts) == 2 and not re.search("[栋幢座#单]", text):
        return Room(parts[0], "", parts[1])
    found = _WHOLE.match(text)
    if found is None:
        return Room("", "", text)
    building = f"{found['b']}栋" if found["b"] else ""
    unit = f"{found['u']}单元" if found["u"] else ""
    return Room(building, unit, found["n"].lstrip("-"))
