"""The first tree of classes: 部件 and 事件 of GB/T 30428.2 with the names that sources give, and local classes.

National codes stand only where a public source lists them. The limits of 暴露垃圾, 道路不洁 and 积存垃圾渣土 are
samples of other cities' catalogues; all other classes have the general promise.
"""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SINCE = date(2026, 1, 1)
# The classes there were before; the others come with this migration.
KNOWN = (
    "lighting", "water", "elevator", "facility", "road", "greening", "waste", "fire", "parking", "dogs", "noise",
    "illegal_building", "property", "ownership", "dispute", "other",
)  # fmt: skip

SOURCE = "网上公开的事件大类 01 小类表（GB/T 30428.2）"

CLASSES: list[dict[str, Any]] = [
    {"code": "objects", "parent": None, "name": "部件", "hint": "公共的设施、道路、树木坏了"},
    {
        "code": "objects_utilities",
        "parent": "objects",
        "name": "公用设施",
        "hint": "路灯、水管、井盖、门禁、健身器材",
    },
    {
        "code": "lighting",
        "parent": "objects_utilities",
        "name": "路灯照明",
        "hint": "路灯、楼道灯不亮或损坏",
        "needs_photo": True,
        "questions": [
            {
                "key": "where",
                "label": "灯在哪里",
                "type": "choice",
                "options": ["楼道", "小区道路", "地下车库", "市政道路"],
            }
        ],
    },
    {
        "code": "water",
        "parent": "objects_utilities",
        "name": "水管排水",
        "hint": "漏水、堵塞、井盖破损",
        "needs_photo": True,
        "questions": [
            {
                "key": "what",
                "label": "是哪一种",
                "type": "choice",
                "options": ["漏水", "堵塞返水", "停水或水压低", "井盖破损"],
            }
        ],
    },
    {
        "code": "facility",
        "parent": "objects_utilities",
        "name": "公共设施",
        "hint": "门禁、健身器材、座椅等损坏",
        "needs_photo": True,
    },
    {
        "code": "road",
        "parent": "objects",
        "name": "道路路面",
        "hint": "路面坑洼、积水、台阶损坏",
        "needs_photo": True,
    },
    {
        "code": "city_objects",
        "parent": "objects",
        "name": "市容环境设施",
        "hint": "垃圾桶、公厕、宣传栏等损坏或缺少",
        "needs_photo": True,
    },
    {
        "code": "greening",
        "parent": "objects",
        "name": "绿化树木",
        "hint": "树枝折断、草坪损坏",
        "needs_photo": True,
    },
    {
        "code": "objects_other",
        "parent": "objects",
        "name": "其他部件",
        "hint": "以上没有的公共设施",
        "for_residents": False,
    },
    {"code": "events", "parent": None, "name": "事件", "hint": "脏、乱、占道、施工和突发的事"},
    {"code": "events_appearance", "parent": "events", "name": "市容环境", "hint": "垃圾、脏污、私搭乱建"},
    {
        "code": "illegal_building",
        "parent": "events_appearance",
        "name": "违规搭建",
        "hint": "私搭乱建、占用公共区域",
        "needs_photo": True,
        "is_public": False,
        "national_code": "0101",
        "national_source": SOURCE,
        "questions": [
            {
                "key": "state",
                "label": "现在到哪一步",
                "type": "choice",
                "options": ["正在搭建", "已经搭好", "说不清"],
            }
        ],
    },
    {
        "code": "exposed_waste",
        "parent": "events_appearance",
        "name": "暴露垃圾",
        "hint": "垃圾散落、满出来没人收",
        "needs_photo": True,
        "limit_amount": 4,
        "limit_unit": "working_hours",
        "national_code": "0102",
        "national_source": SOURCE,
    },
    {
        "code": "rubble",
        "parent": "events_appearance",
        "name": "积存垃圾渣土",
        "hint": "建筑垃圾、装修渣土、旧家具堆着不清",
        "needs_photo": True,
        "limit_amount": 2,
        "limit_unit": "working_days",
        "national_code": "0103",
        "national_source": SOURCE,
    },
    {
        "code": "dirty_road",
        "parent": "events_appearance",
        "name": "道路不洁",
        "hint": "路面油污、泥浆、遗撒",
        "needs_photo": True,
        "limit_amount": 2,
        "limit_unit": "working_hours",
        "national_code": "0104",
        "national_source": SOURCE,
    },
    {
        "code": "dirty_water",
        "parent": "events_appearance",
        "name": "水域不洁",
        "hint": "河沟、水池发臭、有漂浮物",
        "needs_photo": True,
        "national_code": "0105",
        "national_source": SOURCE,
    },
    {
        "code": "dirty_green",
        "parent": "events_appearance",
        "name": "绿地脏乱",
        "hint": "花坛、草坪里有垃圾、种菜",
        "needs_photo": True,
        "national_code": "0106",
        "national_source": SOURCE,
    },
    {
        "code": "advertising",
        "parent": "events",
        "name": "宣传广告",
        "hint": "小广告、违规招牌、破损横幅",
        "needs_photo": True,
    },
    {
        "code": "construction",
        "parent": "events",
        "name": "施工管理",
        "hint": "工地扬尘、围挡、夜间施工、开挖不恢复",
        "needs_photo": True,
    },
    {
        "code": "emergency",
        "parent": "events",
        "name": "突发事件",
        "hint": "坠物、坍塌、燃气异味、断电；危险时请先打 110、119、120",
        "is_urgent": True,
    },
    {
        "code": "street_order",
        "parent": "events",
        "name": "街面秩序",
        "hint": "占道经营、出店经营、流动摊贩",
        "needs_photo": True,
    },
    {
        "code": "events_other",
        "parent": "events",
        "name": "其他事件",
        "hint": "以上没有的情况",
        "for_residents": False,
    },
    {"code": "local", "parent": None, "name": "小区与邻里", "hint": "电梯、消防、停车、物业和邻里的事"},
    {
        "code": "elevator",
        "parent": "local",
        "name": "电梯故障",
        "hint": "电梯停运、异响；有人被困请先打 119",
        "is_urgent": True,
        "questions": [
            {
                "key": "trapped",
                "label": "现在有人被困吗",
                "type": "choice",
                "options": ["有", "没有", "不知道"],
            },
            {"key": "unit", "label": "几栋几单元的电梯", "type": "text"},
        ],
    },
    {
        "code": "fire",
        "parent": "local",
        "name": "消防安全",
        "hint": "通道堵塞、飞线充电、消防器材缺失；着火请先打 119",
        "needs_photo": True,
        "is_urgent": True,
    },
    {
        "code": "parking",
        "parent": "local",
        "name": "停车秩序",
        "hint": "占用通道、乱停乱放",
        "needs_photo": True,
        "questions": [{"key": "plate", "label": "车牌号（可不填）", "type": "text"}],
    },
    {
        "code": "waste",
        "parent": "local",
        "name": "垃圾分类",
        "hint": "垃圾堆放、分类不规范",
        "needs_photo": True,
    },
    {"code": "dogs", "parent": "local", "name": "文明养犬", "hint": "未牵绳、随地便溺", "is_public": False},
    {
        "code": "noise",
        "parent": "local",
        "name": "噪音扰民",
        "hint": "装修、广场舞、邻里噪音",
        "is_public": False,
        "questions": [
            {
                "key": "when",
                "label": "一般什么时候吵",
                "type": "choice",
                "options": ["白天", "晚上十点前", "晚上十点后", "不固定"],
            }
        ],
    },
    {"code": "property", "parent": "local", "name": "物业服务", "hint": "保洁、保安、收费等服务问题"},
    {"code": "ownership", "parent": "local", "name": "权属不清", "hint": "不知道该由谁管的问题"},
    {
        "code": "dispute",
        "parent": "local",
        "name": "矛盾纠纷",
        "hint": "邻里、家庭、物业纠纷，内容不公开",
        "is_public": False,
        "org_kind": "mediation_post",
        "closing_text": "调解不成或者您不愿调解的，还可以依法通过仲裁、行政途径解决，"
        "或者向人民法院起诉（人民调解法第二十六条）。",
    },
    {"code": "other", "parent": "local", "name": "其他", "hint": "选不到类别时选这里"},
]


def upgrade() -> None:
    categories = sa.table(
        "categories", *(sa.column(name, sa.String) for name in ("code", "national_code", "national_source"))
    )
    new = [row for row in CLASSES if row["code"] not in KNOWN]
    op.bulk_insert(
        categories,
        [
            {
                "code": row["code"],
                "national_code": row.get("national_code"),
                "national_source": row.get("national_source"),
            }
            for row in new
        ],
    )
    for row in CLASSES:
        if row["code"] in KNOWN and "national_code" in row:
            op.execute(
                categories.update()
                .where(categories.c.code == row["code"])
                .values(national_code=row["national_code"], national_source=row["national_source"])
            )
    terms = sa.table(
        "category_terms",
        *(
            sa.column(name, sa.String)
            for name in ("code", "parent_code", "name", "hint", "limit_unit", "org_kind", "closing_text")
        ),
        *(sa.column(name, sa.Boolean) for name in ("needs_photo", "is_public", "is_urgent", "for_residents")),
        *(sa.column(name, sa.SmallInteger) for name in ("limit_amount", "sort")),
        sa.column("valid_from", sa.Date),
        sa.column("questions", postgresql.JSONB),
    )
    # Those that a way back left here are written anew.
    op.execute(terms.delete().where(terms.c.valid_from == SINCE))
    op.bulk_insert(
        terms,
        [
            {
                "code": row["code"],
                "valid_from": SINCE,
                "parent_code": row["parent"],
                "name": row["name"],
                "hint": row["hint"],
                "needs_photo": row.get("needs_photo", False),
                "is_public": row.get("is_public", True),
                "is_urgent": row.get("is_urgent", False),
                "for_residents": row.get("for_residents", True),
                "limit_amount": row.get("limit_amount"),
                "limit_unit": row.get("limit_unit"),
                "org_kind": row.get("org_kind"),
                "closing_text": row.get("closing_text"),
                "sort": place,
            }
            for place, row in enumerate(CLASSES)
        ],
    )
    for row in CLASSES:
        if "questions" in row:
            # As text and cast, because JSON has no literal form for a migration that is printed as SQL.
            questions = sa.literal(json.dumps(row["questions"], ensure_ascii=False), sa.String)
            op.execute(
                terms.update()
                .where(terms.c.code == row["code"], terms.c.valid_from == SINCE)
                .values(questions=sa.cast(questions, postgresql.JSONB))
            )


def downgrade() -> None:
    # The terms of the classes there were before stay until their table goes: their names go back from them.
    gone = [row["code"] for row in CLASSES if row["code"] not in KNOWN]
    op.execute("UPDATE category_terms SET parent_code = NULL")
    for name in ("category_terms", "categories"):
        table = sa.table(name, sa.column("code", sa.String))
        op.execute(table.delete().where(table.c.code.in_(gone)))
