"""What stands in a cell: areas, kinds, states, days, several owners. Each reads one spelling or says what is wrong."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from app.places import identity
from app.places.identity import BadValue, Party
from app.places.registry_models import HoldingState, HouseKind

_KINDS = {
    HouseKind.SHOP: ("商铺", "商业", "门面", "店铺", "网点", "铺面", "商用", "办公", "写字楼", "非住宅"),
    HouseKind.GARAGE: ("车库",),
    HouseKind.PARKING: ("车位", "停车位", "停车"),
    HouseKind.STORAGE: ("储藏", "储物", "杂物", "贮藏", "仓库", "地下室"),
    HouseKind.HOME: ("住宅", "住房", "公寓", "居住", "别墅", "洋房", "安置房", "商品房", "成套"),
}
_STATES = {
    HoldingState.UNSOLD: ("未售", "待售", "未出售", "在售", "可售", "预留"),
    HoldingState.UNDELIVERED: (
        "未交付",
        "未交房",
        "已售未交付",
        "已售未交",
        "待交付",
        "未接房",
        "未收房",
        "否",
    ),
    HoldingState.OWNED: (
        "已交付",
        "已交房",
        "已售",
        "已接房",
        "已收房",
        "已入住",
        "入住",
        "自住",
        "出租",
        "空置",
        "已出售",
        "已装修",
        "装修中",
        "是",
    ),
}
# m²: below and above these it is a slip of the pen, a total, or another unit.
_SENSIBLE = {
    HouseKind.HOME: (8, 2_000),
    HouseKind.SHOP: (1, 100_000),
    HouseKind.GARAGE: (4, 20_000),
    HouseKind.PARKING: (4, 200),
    HouseKind.STORAGE: (1, 2_000),
}
_SEVERAL = re.compile(r"[、,，;；/／|\n]+|\s{2,}|(?<=\d{11})\s+(?=1\d{10})")


def kind(text: str) -> HouseKind:
    """What a house is used as. Raises BadValue bad_kind."""
    for known in (
        HouseKind.SHOP,
        HouseKind.PARKING,
        HouseKind.GARAGE,
        HouseKind.STORAGE,
        HouseKind.HOME,
    ):
        if any(word in text for word in _KINDS[known]) and not (
            known is HouseKind.PARKING and "车库" in text and "车位" not in text
        ):
            return known
    raise BadValue("bad_kind")


def state(text: str) -> HoldingState:
    """Sold and handed over, or not. Raises BadValue bad_state."""
    plain = re.sub(r"[\s()（）]", "", text)
    for known, words in _STATES.items():
        if plain in words:
            return known
    raise BadValue("bad_state")


def area_centi(text: str, house: HouseKind) -> int:
    """m² with at most two decimals → 0.01 m². Raises BadValue: bad_area, negative_area, area_precision, absurd_area."""
    plain = re.sub(r"(?:㎡|m2|m²|平方米|平米)$", "", unicodedata.normalize("NFKC", text), flags=re.IGNORECASE)
    plain = plain.replace(",", "").strip()
    try:
        value = Decimal(plain)
    except InvalidOperation as e:
        raise BadValue("bad_area") from e
    if not value.is_finite():
        raise BadValue("bad_area")
    if value <= 0:
        raise BadValue("negative_area")
    exact = round(value, 2)
    # A spreadsheet's own arithmetic leaves 89.12000000001; a third decimal somebody wrote is another thing.
    if abs(value - exact) > Decimal("0.000001"):
        raise BadValue("area_precision")
    least, most = _SENSIBLE[house]
    if not least <= exact <= most:
        raise BadValue("absurd_area")
    return int(exact * 100)


def day(text: str, today: date) -> date:
    """2020-03-01, 2020/3/1, 2020年3月1日, 20200301, or a spreadsheet's day number. Raises BadValue bad_date."""
    plain = unicodedata.normalize("NFKC", text).strip()
    found = re.match(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})", plain) or re.fullmatch(
        r"(\d{4})(\d{2})(\d{2})", plain
    )
    try:
        if found:
            value = date(int(found[1]), int(found[2]), int(found[3]))
        elif re.fullmatch(r"\d{5}", plain):
            value = date(1899, 12, 30) + timedelta(days=int(plain))
        else:
            raise BadValue("bad_date")
    except ValueError as e:
        raise BadValue("bad_date") from e
    if value > today or value.year < 1980:
        raise BadValue("bad_date")
    return value


def parts(text: str) -> list[str]:
    """The values of a cell that holds several: 张三、李四."""
    return [part.strip() for part in _SEVERAL.split(text) if part.strip()]


class Wrong(Exception):
    """A cell of an owner can't be read: which field, and why."""

    def __init__(self, field: str, code: str) -> None:
        super().__init__(code)
        self.field, self.code = field, code


def owners(name: str, phone: str, phone2: str, id_number: str) -> list[Party]:
    """The co-owners of one row: names, phones and ID numbers in the same order, parted by 、 or the like.

    One owner may have two phones. Fewer phones than owners: the first ones have them. Raises Wrong.
    """
    names = [_read("name", part, identity.name) for part in parts(name)]
    phones = [_read("phone", part, identity.phone) for part in parts(phone)]
    more = [_read("phone2", part, identity.phone) for part in parts(phone2)]
    numbers = [_read("id_number", part, identity.id_number) for part in parts(id_number)]
    if not names:
        for field, given in (("phone", phones), ("id_number", numbers)):
            if given:
                raise Wrong(field, "owner_missing")
        return []
    if len(set(names)) != len(names) and len(numbers) != len(names):
        raise Wrong("name", "name_twice")
    if len(numbers) not in {0, len(names)}:
        raise Wrong("id_number", "count_differs")
    if len(names) == 1:
        phones, more = phones[:1], [*phones[1:], *more]
        if len(more) > 1:
            raise Wrong("phone", "too_many_phones")
    elif len(phones) > len(names) or len(more) > len(names):
        raise Wrong("phone", "count_differs")
    return [
        Party(
            name=who,
            phone=phones[at] if at < len(phones) else None,
            phone2=more[at]
            if at < len(more) and more[at] != (phones[at] if at < len(phones) else None)
            else None,
            id_number=numbers[at] if numbers else None,
        )
        for at, who in enumerate(names)
    ]


def _read(field: str, text: str, reader: object) -> str:
    try:
        return str(reader(text))  # type: ignore[operator]  # one of the readers of `identity`
    except BadValue as e:
        raise Wrong(field, e.code) from e
