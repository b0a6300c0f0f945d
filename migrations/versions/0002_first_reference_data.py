"""The first reference data: categories of problems, and the calendar of 2026 and 2027.

Calendar of 2026: 国务院办公厅关于 2026 年部分节假日安排的通知. 2027 isn't announced yet: its statutory days
(全国年节及纪念日放假办法) are in as unconfirmed, without make-up days, to be replaced by an import.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OFF_2026 = (
    ("2026-01-01", "2026-01-03"),
    ("2026-02-15", "2026-02-23"),
    ("2026-04-04", "2026-04-06"),
    ("2026-05-01", "2026-05-05"),
    ("2026-06-19", "2026-06-21"),
    ("2026-09-25", "2026-09-27"),
    ("2026-10-01", "2026-10-07"),
)
WORK_2026 = ("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10")
# New Year; Spring Festival (eve and three days); Qingming; Labour Day; Dragon Boat; Mid-Autumn; National Day.
OFF_2027 = (
    ("2027-01-01", "2027-01-01"),
    ("2027-02-05", "2027-02-08"),
    ("2027-04-05", "2027-04-05"),
    ("2027-05-01", "2027-05-02"),
    ("2027-06-09", "2027-06-09"),
    ("2027-09-15", "2027-09-15"),
    ("2027-10-01", "2027-10-03"),
)

# code, name, hint, needs a photo, may be public, urgent
CATEGORIES = (
    ("lighting", "路灯照明", "路灯、楼道灯不亮或损坏", True, True, False),
    ("water", "水管排水", "漏水、堵塞、井盖破损", True, True, False),
    ("elevator", "电梯故障", "电梯停运、异响；有人被困请先打 119", False, True, True),
    ("facility", "公共设施", "门禁、健身器材、座椅等损坏", True, True, False),
    ("road", "道路路面", "路面坑洼、积水、台阶损坏", True, True, False),
    ("greening", "绿化树木", "树枝折断、草坪损坏", True, True, False),
    ("waste", "垃圾分类", "垃圾堆放、分类不规范", True, True, False),
    ("fire", "消防安全", "通道堵塞、飞线充电、消防器材缺失；着火请先打 119", True, True, True),
    ("parking", "停车秩序", "占用通道、乱停乱放", True, True, False),
    ("dogs", "文明养犬", "未牵绳、随地便溺", False, False, False),
    ("noise", "噪音扰民", "装修、广场舞、邻里噪音", False, False, False),
    ("illegal_building", "违规搭建", "私搭乱建、占用公共区域", True, False, False),
    ("property", "物业服务", "保洁、保安、收费等服务问题", False, True, False),
    ("ownership", "权属不清", "不知道该由谁管的问题", False, True, False),
    ("dispute", "矛盾纠纷", "邻里、家庭、物业纠纷，内容不公开", False, False, False),
    ("other", "其他", "选不到类别时选这里", False, True, False),
)


def _span(first: str, last: str) -> Iterator[date]:
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        yield day
        day += timedelta(days=1)


def _calendar() -> list[dict[str, object]]:
    off = {day for pair in (*OFF_2026, *OFF_2027) for day in _span(*pair)}
    work = {date.fromisoformat(day) for day in WORK_2026}
    return [
        {
            "day": day,
            "is_working": day in work or (day not in off and day.weekday() < 5),
            "is_confirmed": day.year == 2026,
        }
        for day in _span("2026-01-01", "2027-12-31")
    ]


def upgrade() -> None:
    days = sa.table(
        "calendar_days",
        sa.column("day", sa.Date),
        sa.column("is_working", sa.Boolean),
        sa.column("is_confirmed", sa.Boolean),
    )
    op.bulk_insert(days, _calendar())
    categories = sa.table(
        "categories",
        *(sa.column(name, sa.String) for name in ("code", "name", "hint")),
        *(sa.column(name, sa.Boolean) for name in ("needs_photo", "is_public", "is_urgent", "is_active")),
        sa.column("sort", sa.SmallInteger),
    )
    op.bulk_insert(
        categories,
        [
            {
                "code": code,
                "name": name,
                "hint": hint,
                "needs_photo": needs_photo,
                "is_public": is_public,
                "is_urgent": is_urgent,
                "is_active": True,
                "sort": place,
            }
            for place, (code, name, hint, needs_photo, is_public, is_urgent) in enumerate(CATEGORIES)
        ],
    )


def downgrade() -> None:
    op.execute("DELETE FROM categories")
    op.execute("DELETE FROM calendar_days")
