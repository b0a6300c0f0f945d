"""Who plays in the demonstration: accounts of staff and names of residents. Needs no database."""

from __future__ import annotations

from typing import NamedTuple

DEMO_PASSWORD = "jiayuan-demo-2026"  # noqa: S105 - of demonstration accounts, printed by `make run`, never elsewhere
# Of the administrators' authenticators, in base32: whoever tries the demonstration can make their codes.
DEMO_TOTP = "JIAYUANDEMONSTRATIONTOTPSECRET27"
SHOWN_RESIDENTS = 6  # how many of them are offered for a login

STREET, STREET_ID = "寸滩街道", 10


class StaffMember(NamedTuple):
    """A demonstration account. `at`: the key of her organisation in the plan of the town. `totp`: logs in with a
    code as well.
    """

    account: str
    name: str
    role: str
    at: str
    where: str
    grid: str | None = None
    totp: bool = False


STAFF = (
    StaffMember("street", "陈志远", "street", "street", f"{STREET}基层治理指挥中心"),
    StaffMember("street2", "罗晓梅", "street", "street", f"{STREET}基层治理指挥中心"),
    StaffMember("community1", "刘敏", "community", "desk1", "江岸社区"),
    StaffMember("community2", "周建平", "community", "desk2", "金渝社区"),
    StaffMember("community3", "吴丽娟", "community", "desk3", "和畅社区"),
    StaffMember("grid1", "何强", "grid", "desk1", "江岸社区第一网格", "pearl"),
    StaffMember("grid2", "邓小红", "grid", "desk1", "江岸社区第二网格", "works"),
    StaffMember("grid3", "唐伟", "grid", "desk2", "金渝社区第一网格", "garden"),
    StaffMember("grid4", "蒋琴", "grid", "desk2", "金渝社区第二网格", "resettled"),
    StaffMember("grid5", "谭勇", "grid", "desk3", "和畅社区第一网格", "court"),
    StaffMember("grid6", "冉小芳", "grid", "desk3", "和畅社区第二网格", "oldtown"),
    StaffMember("property1", "赵刚", "property", "keeper1", "渝邻物业（江岸明珠）"),
    StaffMember("worker1", "马力", "property_worker", "keeper1", "渝邻物业（江岸明珠）"),
    StaffMember("duty1", "田野", "duty_room", "keeper1", "渝邻物业值班室"),
    StaffMember("property2", "孙涛", "property", "keeper2", "安居物业（金渝花园、金渝新居）"),
    StaffMember("property3", "杨静", "property", "keeper3", "和畅物业（和畅雅苑）"),
    StaffMember("department1", "向明", "property", "roads", "街道市政维护队（道路、三个社区）"),
    StaffMember("department2", "秦川", "property", "enforcement", "街道综合行政执法大队"),
    StaffMember("system", "范蓉", "system_admin", "street", STREET, totp=True),
    StaffMember("security", "石磊", "security_admin", "street", STREET, totp=True),
    StaffMember("auditor", "黎明", "auditor", "street", STREET, totp=True),
)


class Demo(NamedTuple):
    """A demonstration resident: the code demo-<name> logs her in. `home`: the key of her estate."""

    name: str
    nickname: str
    home: str


HOMES = {
    "pearl": "江岸明珠小区",
    "works": "老厂家属院",
    "garden": "金渝花园",
    "resettled": "金渝新居",
    "court": "和畅雅苑",
    "oldtown": "老街片区",
}
"""Estates by the key that the plan of the town uses."""
_NAMES = (
    # Wang is the one whose login the printed examples use; she lives where the sample photograph was taken.
    ("wang", "王秀英"),
    ("li", "李师傅"),
    ("zhang", "张伟"),
    ("liu", "刘阿姨"),
    ("chen", "陈先生"),
    ("yang", "杨柳"),
    ("zhao", "赵老师"),
    ("huang", "黄女士"),
    ("zhou", "周爷爷"),
    ("wu", "吴小燕"),
    ("xu", "徐师傅"),
    ("sun", "孙女士"),
    ("hu", "胡先生"),
    ("zhu", "朱婆婆"),
    ("gao", "高远"),
    ("lin", "林小满"),
    ("he", "何先生"),
    ("guo", "郭阿姨"),
    ("ma", "马师傅"),
    ("luo", "罗女士"),
    ("liang", "梁叔"),
    ("song", "宋老师"),
    ("zheng", "郑先生"),
    ("xie", "谢阿姨"),
    ("han", "韩冰"),
    ("tang", "唐妈妈"),
    ("feng", "冯师傅"),
    ("yu", "余女士"),
    ("dong", "董先生"),
    ("xiao", "肖大姐"),
    ("cheng", "程小雨"),
    ("cao", "曹爷爷"),
    ("yuan", "袁先生"),
    ("deng", "邓女士"),
    ("fu", "傅师傅"),
    ("shen", "沈阿姨"),
    ("zeng", "曾先生"),
    ("peng", "彭女士"),
    ("lv", "吕老师"),
    ("su", "苏阿姨"),
)
RESIDENTS = tuple(
    Demo(name, nickname, tuple(HOMES)[place % len(HOMES)]) for place, (name, nickname) in enumerate(_NAMES)
)


def accounts() -> list[dict[str, str]]:
    """Who can log in, as `make run` prints it: staff by account and password (with `totp` also by
    the code of that secret), some residents by WeChat code.
    """
    staff = [
        {"account": who.account, "password": DEMO_PASSWORD, "role": who.role, "where": who.where}
        | ({"totp": DEMO_TOTP} if who.totp else {})
        for who in STAFF
    ]
    residents = [
        {"code": f"demo-{who.name}", "name": who.nickname, "where": HOMES[who.home]}
        for who in RESIDENTS[:SHOWN_RESIDENTS]
    ]
    return staff + residents
