"""What tickets' states, channels and steps are called on pages."""

from __future__ import annotations

from app.tickets.models import Channel, TicketStatus
from app.tickets.moves import Move
from bff.admin.console.words import say

_STATUS = {
    TicketStatus.RECEIVED: "待受理",
    TicketStatus.ACCEPTED: "待派单",
    TicketStatus.DISPATCHED: "待处理",
    TicketStatus.IN_PROGRESS: "处理中",
    TicketStatus.RESOLVED: "待核实",
    TicketStatus.VERIFIED: "待结案",
    TicketStatus.CLOSED: "已结案",
    TicketStatus.RETURNED: "退单待重派",
    TicketStatus.REJECTED: "不予受理",
    TicketStatus.SUSPENDED: "已暂停",
    TicketStatus.WITHDRAWN: "居民撤回",
    TicketStatus.MERGED: "已合并",
    TicketStatus.REFERRED: "已转办",
}
_CHANNEL = {
    Channel.MINI_PROGRAM: "小程序",
    Channel.PHONE: "来电",
    Channel.VISIT: "来访",
    Channel.PATROL: "巡查",
    Channel.HOTLINE: "12345热线",
    Channel.MAILBOX: "信箱",
    Channel.CAMERA: "摄像头",
    Channel.SENSOR: "传感器",
    Channel.DRONE: "无人机",
    Channel.OTHER: "其他",
}
_STEP = {
    Move.REPORT: "上报",
    Move.ACCEPT: "受理",
    Move.REJECT: "不予受理",
    Move.CLASSIFY: "改分类",
    Move.DISPATCH: "派单",
    Move.GRAB: "抢单",
    Move.ASSIGN: "指派",
    Move.ROTATE: "轮派",
    Move.START: "开始处理",
    Move.RETURN: "退单",
    Move.SUSPEND: "暂停",
    Move.RESUME: "恢复办理",
    Move.ASK_EXTENSION: "申请延期",
    Move.EXTEND: "同意延期",
    Move.KEEP_LIMIT: "不同意延期",
    Move.PART: "请单位协办",
    Move.PART_DONE: "协办完成",
    Move.RESOLVE: "处理完毕",
    Move.VERIFY: "核实",
    Move.REWORK: "核实未通过",
    Move.CLOSE: "结案",
    Move.REOPEN: "重新办理",
    Move.COMMENT: "留言",
    Move.WITHDRAW: "居民撤回",
    Move.RATE: "居民评价",
    Move.URGE: "居民催办",
    Move.SUPERVISE: "督办",
    Move.WARN: "快到期提醒",
    Move.STAGE_LATE: "环节超时",
    Move.MEETING: "开协调会",
    Move.CALLBACK: "回访",
    Move.EXCLUDE: "不计入考核",
    Move.JOIN: "居民附议",
    Move.MERGE: "合并",
    Move.UNMERGE: "取消合并",
    Move.REFER: "转给别的社区",
    Move.REFERRED_IN: "由别的社区转来",
}
STATES = tuple(_STATUS)
STEPS = frozenset(_STEP)


def status_name(value: str) -> str:
    """What the state is called: after what it waits for."""
    return say(_STATUS[TicketStatus(value)])


def channel_name(value: str) -> str:
    """How the report came."""
    return say(_CHANNEL[Channel(value)])


def step_name(value: str) -> str:
    """What was done, or can be done."""
    return say(_STEP[Move(value)])
