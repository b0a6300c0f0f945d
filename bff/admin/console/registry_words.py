"""What the registry, its imports and memberships call things on pages."""

from __future__ import annotations

from datetime import date, datetime

from app import clock
from app.memberships.models import Basis, Level, MembershipStatus, Relation, Review
from app.places.headings import Field
from app.places.registry_models import AreaBasis, HoldingState, HouseKind, ImportState, Source
from bff.admin.console.words import language, say

KINDS = {
    HouseKind.HOME: "住宅",
    HouseKind.SHOP: "商铺",
    HouseKind.GARAGE: "车库",
    HouseKind.PARKING: "车位",
    HouseKind.STORAGE: "储藏室",
}
STATES = {
    HoldingState.OWNED: "已交付业主",
    HoldingState.UNDELIVERED: "已售未交付",
    HoldingState.UNSOLD: "未售",
}
BASES = {
    AreaBasis.REGISTERED: "按产权登记面积",
    AreaBasis.SURVEYED: "按实测面积",
    AreaBasis.CONTRACT: "按合同面积",
}
SOURCES = {
    Source.REGISTRATION: "不动产登记资料",
    Source.STAFF: "窗口核对原件后填写",
    Source.COMMUNITY: "社区台账",
    Source.PROPERTY: "物业台账",
    Source.DEVELOPER: "开发商销售表",
}
IMPORT_STATES = {
    ImportState.READING: "正在读取",
    ImportState.MAPPING: "等您对应列",
    ImportState.PREVIEWED: "等您核对",
    ImportState.APPLYING: "正在写入",
    ImportState.APPLIED: "已写入",
    ImportState.FAILED: "没有成功",
}
FIELDS = {
    Field.ESTATE: "小区名称",
    Field.BUILDING: "楼栋",
    Field.UNIT: "单元",
    Field.NUMBER: "房号",
    Field.KIND: "房屋用途",
    Field.REGISTERED: "产权登记面积",
    Field.SURVEYED: "实测面积",
    Field.CONTRACT: "合同面积",
    Field.NAME: "业主姓名",
    Field.PHONE: "联系电话",
    Field.PHONE2: "备用电话",
    Field.ID_NUMBER: "证件号码",
    Field.STATE: "销售交付状态",
    Field.SINCE: "取得日期",
    Field.IGNORED: "不导入这一列",
}
RELATIONS = {Relation.OWNER: "业主", Relation.FAMILY: "家人", Relation.TENANT: "租户"}
STATUSES = {
    MembershipStatus.PENDING: "待审核",
    MembershipStatus.VERIFIED: "已绑定",
    MembershipStatus.REFUSED: "没有通过",
    MembershipStatus.ENDED: "已解除",
}
REVIEWS = {
    Review.NEW: "新申请，系统没能自动核对上",
    Review.MORE: "补交了材料，申请取得投票资格",
    Review.OBJECTED: "本户有人提出异议",
    Review.PHONE_LOST: "原来核对用的手机号换了人",
    Review.PHONE_REUSED: "手机号近期换过机主",
    Review.OWNERS_CHANGED: "房屋换了业主，家人或租户要重新确认",
    Review.OWNER_PARTED: "登记的业主其实是两个人",
    Review.OWNERS_MERGED: "两个人绑定到了同一位业主",
    Review.PHONE_CHANGED: "登记册里的手机号改了",
}
LEVELS = {Level.STRONG: "可以投票", Level.WEAK: "可报事、看通知，不能投票", "suspended": "投票暂停，等核实"}
BASES_OF_MEMBERS = {
    Basis.PHONE: "微信验证的手机号与登记一致",
    Basis.ID_NUMBER: "姓名和身份证后六位一致",
    Basis.PAPERS: "工作人员看过材料",
    Basis.DOOR_VISIT: "上门登记，本人签字",
    Basis.OWNER: "业主确认",
    Basis.STAFF: "工作人员认识，没有材料",
}
ORIGINS = {
    "kind": "房屋用途",
    "registered_centi": "产权登记面积",
    "surveyed_centi": "实测面积",
    "contract_centi": "合同面积",
    "owners": "业主",
    "valid_to": "注销日期",
    "outline": "位置图",
}
PAST = {"transfer": "过户", "correction": "登记或更正", "import": "导入"}


def area(centi: int | None) -> str:
    """An area in m² with two decimals; a dash for none."""
    return "—" if centi is None else f"{centi / 100:,.2f} m²"


def plain_area(centi: int | None) -> str:
    """The same as it stands in a field."""
    return "" if centi is None else f"{centi / 100:.2f}"


def waited(since: str) -> str:
    """How long something waits by now."""
    minutes = int((clock.now() - datetime.fromisoformat(since)).total_seconds()) // 60
    days, hours = divmod(minutes // 60, 24)
    long = (
        f"{days}{say('天')}{hours}{say('小时')}" if days else f"{hours}{say('小时')}{minutes % 60}{say('分')}"
    )
    return f"{say('已等')} {long}"


def day(at: str | None) -> str:
    """`2026年3月1日`; nothing for none."""
    if not at:
        return ""
    there = date.fromisoformat(at)
    return at if language() == "en" else f"{there.year}年{there.month}月{there.day}日"


WORDS = {
    "kinds": KINDS,
    "states": STATES,
    "bases": BASES,
    "sources": SOURCES,
    "relations": RELATIONS,
    "statuses": STATUSES,
    "reviews": REVIEWS,
    "levels": LEVELS,
    "grounds": BASES_OF_MEMBERS,
    "past_words": PAST,
    "origin_names": ORIGINS,
    "area_of": area,
    "plain_area": plain_area,
    "waited": waited,
    "day": day,
}
