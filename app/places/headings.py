"""Which column is what: headings as property offices write them, matched by synonyms or as a person mapped them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from app.places.registry_models import Source

LOOK = 20  # rows from the top in which the headings are sought


class Field(StrEnum):
    """What a column of a register can hold."""

    ESTATE = "estate"
    BUILDING = "building"
    UNIT = "unit"
    NUMBER = "number"
    KIND = "kind"
    REGISTERED = "registered_centi"
    SURVEYED = "surveyed_centi"
    CONTRACT = "contract_centi"
    NAME = "name"
    PHONE = "phone"
    PHONE2 = "phone2"
    ID_NUMBER = "id_number"
    STATE = "state"
    SINCE = "since"
    IGNORED = "ignored"  # a person said that this column is nothing for the registry


# The first of each is what the template says.
SYNONYMS: dict[Field, tuple[str, ...]] = {
    Field.ESTATE: ("小区", "小区名称", "项目名称", "物业项目", "楼盘", "所属小区", "物业名称", "住宅小区"),
    Field.BUILDING: ("楼栋", "栋号", "楼号", "幢号", "栋", "幢", "座", "楼栋号", "楼幢", "座落楼栋", "栋座"),
    Field.UNIT: ("单元", "单元号", "单元名称", "梯号"),
    Field.NUMBER: (
        "房号",
        "室号",
        "门牌号",
        "房间号",
        "户号",
        "房屋编号",
        "房产编号",
        "车位号",
        "铺号",
        "商铺号",
        "房屋",
        "房屋坐落",
        "坐落",
        "门牌",
        "房屋地址",
    ),
    Field.KIND: ("房屋用途", "用途", "类型", "房屋类型", "物业类型", "性质", "房屋性质", "规划用途", "业态"),
    Field.REGISTERED: ("产权登记面积", "登记面积", "产权面积", "证载面积", "不动产登记面积", "房产证面积"),
    Field.SURVEYED: ("实测面积", "实测建筑面积", "测绘面积"),
    Field.CONTRACT: ("合同面积", "合同建筑面积", "预测面积", "购房合同面积", "买卖合同面积"),
    Field.NAME: (
        "业主姓名",
        "业主",
        "姓名",
        "产权人",
        "权利人",
        "房主",
        "户主",
        "业主名称",
        "产权人姓名",
        "所有权人",
        "客户名称",
        "买受人",
        "业主及共有人",
    ),
    Field.PHONE: (
        "联系电话",
        "手机号",
        "电话",
        "手机",
        "手机号码",
        "联系方式",
        "业主电话",
        "电话号码",
        "移动电话",
        "联系电话1",
        "电话1",
    ),
    Field.PHONE2: ("备用电话", "联系电话2", "电话2", "其他电话", "第二联系电话", "紧急联系电话", "固定电话"),
    Field.ID_NUMBER: (
        "身份证号",
        "身份证号码",
        "证件号码",
        "证件号",
        "身份证",
        "业主身份证号",
        "统一社会信用代码",
        "证照号码",
        "身份证件号码",
    ),
    Field.STATE: ("销售交付状态", "交付状态", "销售状态", "房屋状态", "交房状态", "状态", "是否交付"),
    Field.SINCE: ("取得日期", "登记日期", "产权登记日期", "过户日期", "登记时间", "产权取得日期"),
}
# An area of which nobody says what it is. It is the least of the three, so that nothing better is ever hidden by it;
# only the registration office means the registered one.
_AREA = ("建筑面积", "面积", "房屋面积", "建面", "产权建筑面积", "收费面积", "计费面积")


class Column(NamedTuple):
    """A column with its heading and what it holds, None while nobody knows."""

    at: int  # from 0
    heading: str
    field: Field | None


def plain(heading: str) -> str:
    """A heading without spaces, brackets with units, stars and other marks."""
    text = unicodedata.normalize("NFKC", heading)
    text = re.sub(
        r"\((?:㎡|m2|m²|平方米|平米|平方|必填|选填)\)|㎡|m2|m²|平方米", "", text, flags=re.IGNORECASE
    )
    return re.sub(r"[\s*:/、,()\[\]【】_\-.]", "", text)


def letter(at: int) -> str:
    """A, B, … Z, AA, …: the column's name in a spreadsheet."""
    name = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        name = chr(65 + rest) + name
    return name


def field_of(heading: str, source: Source, mapped: Mapping[str, str]) -> Field | None:
    """What a heading means: as a person mapped it, else by its synonyms."""
    text = plain(heading)
    for given, field in mapped.items():
        if plain(given) == text:
            return Field(field)
    for known, synonyms in SYNONYMS.items():
        if text in synonyms:
            return known
    if text in _AREA:
        return Field.REGISTERED if source is Source.REGISTRATION else Field.CONTRACT
    return None


def find(
    rows: Sequence[tuple[int, Sequence[str]]], source: Source, mapped: Mapping[str, str]
) -> tuple[int, list[Column]] | None:
    """The row of the headings and its columns: the one of the first rows in which most are known; None when no row has
    two. Under a heading that spans columns the row below says which is which.
    """
    best: tuple[int, list[Column]] | None = None
    most = 1
    above: Sequence[str] = ()
    for number, cells in rows[:LOOK]:
        columns = _columns(cells, above, source, mapped)
        known = len({c.field for c in columns} - {None, Field.IGNORED})
        # The lower one of two rows that know as much: headings that span both. Further down they are repeated.
        if known > most or (best is not None and known == most and number == best[0] + 1):
            best, most = (number, columns), known
        above = cells
    return best


def _columns(
    cells: Sequence[str], above: Sequence[str], source: Source, mapped: Mapping[str, str]
) -> list[Column]:
    columns: list[Column] = []
    taken: set[Field] = set()
    for at, cell in enumerate(cells):
        if not cell:
            continue
        group = above[at] if at < len(above) else ""
        heading = cell
        field = field_of(cell, source, mapped)
        if group and group != cell:
            joined = field_of(group + cell, source, mapped) or field_of(cell + group, source, mapped)
            if joined is not None and (field is None or field in taken):
                heading, field = group + cell, joined
        if field is Field.PHONE and field in taken:
            field = Field.PHONE2
        if field in taken and field is not Field.IGNORED:
            field = None  # the second of two columns of one kind: a person has to say what it is
        if field is not None:
            taken.add(field)
        columns.append(Column(at, heading[:60], field))
    return columns


def likely(rows: Iterable[tuple[int, Sequence[str]]]) -> list[Column]:
    """Where no headings are known: of the first rows the one with the most words, for a person to map."""
    best: list[Column] = []
    for _, cells in list(rows)[:LOOK]:
        words = [
            Column(at, cell[:60], None)
            for at, cell in enumerate(cells)
            if cell and len(cell) <= 20 and not re.search(r"\d{4}", cell)
        ]
        if len({c.heading for c in words}) > len({c.heading for c in best}):
            best = words
    return best
