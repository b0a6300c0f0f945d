"""What the menu offers: only what exists, and to each only what her roles may open."""

from __future__ import annotations

from typing import NamedTuple

from app.people.permissions import Permission as Allow
from app.people.scopes import StaffActor


class Entry(NamedTuple):
    """A line of the menu. `needs`: one of these permissions somewhere; none: any member of staff.

    `group`: the heading that it stands below; none: at the top of the menu.
    """

    key: str
    name: str
    address: str
    icon: str
    needs: frozenset[Allow] = frozenset()
    group: str = ""


# The order of the headings; one that nobody's line stands below isn't shown.
GROUPS = ("", "办件", "小区与住户", "业主决定", "公开与通知", "数据", "系统")

ENTRIES = (
    Entry("workbench", "工作台", "/admin/", "home"),
    Entry("tickets", "工单", "/admin/tickets", "list", frozenset({Allow.TICKET_VIEW}), "办件"),
    Entry("board", "工单看板", "/admin/tickets/board", "board", frozenset({Allow.TICKET_VIEW}), "办件"),
    Entry("map", "工单地图", "/admin/tickets/map", "map", frozenset({Allow.TICKET_VIEW}), "办件"),
    Entry("intake", "登记诉求", "/admin/tickets/new", "plus", frozenset({Allow.TICKET_INTAKE}), "办件"),
    Entry(
        "reports",
        "我登记的",
        "/admin/reports",
        "user",
        frozenset({Allow.TICKET_INTAKE, Allow.PATROL_REPORT}),
        "办件",
    ),
    Entry("photos", "照片审核", "/admin/photos", "camera", frozenset({Allow.PHOTO_REVIEW}), "办件"),
    Entry(
        "registry",
        "房屋与业主",
        "/admin/registry",
        "building",
        frozenset({Allow.REGISTRY_VIEW}),
        "小区与住户",
    ),
    Entry(
        "imports",
        "导入登记册",
        "/admin/registry/imports",
        "upload",
        frozenset({Allow.REGISTRY_IMPORT}),
        "小区与住户",
    ),
    Entry(
        "memberships",
        "住户审核",
        "/admin/memberships",
        "check",
        frozenset({Allow.MEMBERSHIPS_READ}),
        "小区与住户",
    ),
    Entry(
        "registration",
        "业主登记进度",
        "/admin/registration",
        "people",
        frozenset({Allow.MEMBERSHIPS_READ}),
        "小区与住户",
    ),
    Entry("notices", "通知公告", "/admin/notices", "notice", frozenset({Allow.NOTICE_VIEW}), "公开与通知"),
    Entry(
        "campaigns", "短信通知", "/admin/campaigns", "message", frozenset({Allow.CAMPAIGN_VIEW}), "公开与通知"
    ),
    Entry(
        "recipient-lists",
        "短信名单",
        "/admin/recipient-lists",
        "sheet",
        frozenset({Allow.CAMPAIGN_VIEW}),
        "公开与通知",
    ),
    Entry(
        "sms-templates",
        "短信模板",
        "/admin/sms-templates",
        "text",
        frozenset({Allow.CAMPAIGN_VIEW}),
        "公开与通知",
    ),
    Entry("opt-outs", "短信退订", "/admin/opt-outs", "mute", frozenset({Allow.CAMPAIGN_EDIT}), "公开与通知"),
    Entry("decisions", "业主表决", "/admin/decisions", "vote", frozenset({Allow.DECISION_VIEW}), "业主决定"),
    Entry(
        "decision-new",
        "发起表决",
        "/admin/decisions/new",
        "plus",
        frozenset({Allow.DECISION_DRAFT}),
        "业主决定",
    ),
    Entry("revenue", "公共收益", "/admin/revenue", "coins", frozenset({Allow.REVENUE_VIEW}), "公开与通知"),
    Entry("dashboard", "数据看板", "/admin/dashboard", "chart", frozenset({Allow.STATS_VIEW}), "数据"),
    Entry("assessment", "考核", "/admin/assessment", "rank", frozenset({Allow.STATS_VIEW}), "数据"),
    Entry("screens", "大屏管理", "/admin/screens", "screen", frozenset({Allow.SCREEN_EDIT}), "数据"),
    Entry("duty", "值班", "/admin/duty", "duty", frozenset({Allow.DUTY_VIEW}), "办件"),
    Entry("routing", "派单规则", "/admin/routing", "route", frozenset({Allow.ROUTING_EDIT}), "办件"),
    Entry("areas", "小区、网格和区划", "/admin/areas", "place", frozenset({Allow.PLACE_EDIT}), "系统"),
    Entry("orgs", "单位与职责", "/admin/orgs", "office", frozenset({Allow.PLACE_EDIT}), "系统"),
    Entry(
        "categories",
        "问题分类",
        "/admin/categories",
        "tree",
        frozenset({Allow.PLACE_EDIT, Allow.CATEGORY_EDIT}),
        "系统",
    ),
    Entry("calendar", "工作日历", "/admin/calendar", "calendar", frozenset({Allow.PLACE_VIEW}), "系统"),
    Entry(
        "settings",
        "运行设置",
        "/admin/settings",
        "sliders",
        frozenset({Allow.PATROL_PLAN, Allow.STAFF_EDIT}),
        "系统",
    ),
    Entry("staff", "账号与岗位", "/admin/staff", "users", frozenset({Allow.STAFF_VIEW}), "系统"),
    Entry("roles", "岗位权限表", "/admin/roles", "grid", frozenset({Allow.STAFF_VIEW}), "系统"),
    Entry(
        "providers", "短信服务商", "/admin/providers", "signal", frozenset({Allow.SMS_PROVIDER_EDIT}), "系统"
    ),
    Entry("api-keys", "接入系统与密钥", "/admin/api-keys", "key", frozenset({Allow.API_KEY_EDIT}), "系统"),
    Entry("queues", "后台任务", "/admin/queues", "clock", frozenset({Allow.QUEUE_VIEW}), "系统"),
    Entry("audit", "操作记录", "/admin/audit", "book", frozenset({Allow.AUDIT_VIEW}), "系统"),
    Entry("inbox", "消息", "/admin/inbox", "bell"),
    Entry("me", "我的账号", "/admin/me", "user"),
)


def entries_for(staff: StaffActor) -> list[tuple[str, list[Entry]]]:
    """The lines that this member of staff may open, by their heading."""
    mine = [entry for entry in ENTRIES if not entry.needs or any(staff.may(p) for p in entry.needs)]
    groups = [(group, [entry for entry in mine if entry.group == group]) for group in GROUPS]
    return [(group, entries) for group, entries in groups if entries]
