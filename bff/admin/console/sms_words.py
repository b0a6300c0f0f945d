"""What the pages of text messages say of states, audiences, reasons and vendors' codes, in a clerk's words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.messaging.campaign_models import AsOf, AudienceType, CampaignState, ListState
from app.messaging.sifting import Reason
from app.messaging.sms_models import MappingState, MessageState, OptOutSource, TemplateKind, TemplateState
from app.messaging.templates import Fill
from bff.admin.console.system_words import PROVIDERS
from bff.admin.console.words import say

_BY_ITSELF = {Fill.ESTATE: "小区名", Fill.ROOM: "房号"}
_NUMBERED = re.compile(r"p\d+\Z")

STATES = {
    CampaignState.DRAFT: "草稿",
    CampaignState.AWAITING_APPROVAL: "等待审批",
    CampaignState.SCHEDULED: "可以发送",
    CampaignState.RUNNING: "正在发送",
    CampaignState.PAUSED: "已暂停",
    CampaignState.FINISHED: "已发完",
    CampaignState.CANCELLED: "已取消",
}
LOOKS = {
    CampaignState.DRAFT: "received",
    CampaignState.AWAITING_APPROVAL: "received",
    CampaignState.SCHEDULED: "accepted",
    CampaignState.RUNNING: "in_progress",
    CampaignState.PAUSED: "returned",
    CampaignState.FINISHED: "closed",
    CampaignState.CANCELLED: "",
}
WAITS = "定时发送"  # launched, and not yet due

# The types of an audience: their name, and what a clerk should know of it.
AUDIENCES = {
    AudienceType.ESTATES: ("整个小区的业主", "登记册里这些小区的全部业主。"),
    AudienceType.BUILDINGS: ("几栋楼的业主", "登记册里这些楼栋的业主。"),
    AudienceType.GRIDS: ("网格里的业主", "网格负责范围内的业主。"),
    AudienceType.FOCUS_GROUP: ("重点人群", "您能查看名单的重点人群；会记入操作记录。"),
    AudienceType.DECISION_OWNERS: ("一次表决的业主", "名册上的全部业主；名册没有确定时是登记册里的业主。"),
    AudienceType.DECISION_NOT_VOTED: ("还没有投票的业主", "一次表决的名册上还没有投票的业主。"),
    AudienceType.NOTICE_UNREAD: ("没有读通知的住户", "一份通知没有人读过的户的业主。"),
    AudienceType.LIST: ("自己上传的名单", "一张有手机号的表格，每行可以有自己的内容。"),
}
# Of these people do what is asked of them while the messages leave: who has done it needs none.
PASSING = frozenset({AudienceType.DECISION_NOT_VOTED, AudienceType.NOTICE_UNREAD})
AS_OF = {
    AsOf.LAUNCH: ("开始发送那一刻的名单", "开始以后才投票、才读通知的人也会收到。"),
    AsOf.EACH_PAGE: ("边发边查", "轮到谁时再看：已经投票、已经读过的就不发了。"),
}
CHANNELS = {
    "wechat,sms": ("先发微信，没读的再发短信", "用小程序的业主先收到免费的消息，省短信费。"),
    "sms": ("只发短信", "每人一条短信。"),
    "wechat": ("只发微信", "不花钱；没有用小程序的业主收不到。"),
}
DELAYS = ((30, "半小时"), (60, "1 小时"), (120, "2 小时"), (240, "4 小时"), (720, "12 小时"), (1440, "1 天"))

REASONS = {
    Reason.NO_PHONE: "登记册里没有手机号",
    Reason.NOT_MOBILE: "只有座机，收不到短信",
    Reason.TWICE: "同一个号码已经有一条（几套房或几人共用）",
    Reason.OPTED_OUT: "退订了短信",
    Reason.CAPPED: "这个号码今天收到的已到上限",
    Reason.VALUE_MISSING: "要填的内容是空的",
    Reason.VALUE_TOO_LONG: "要填的内容太长",
    Reason.URL_IN_VALUE: "要填的内容里有网址",
    Reason.NOT_IN_WECHAT: "没有用小程序，收不到微信",
}

MESSAGES = {
    MessageState.QUEUED: "等待发送",
    MessageState.SENDING: "正在交给运营商",
    MessageState.ACCEPTED: "已发出，等回执",
    MessageState.DELIVERED: "已送达",
    MessageState.FAILED: "没有送达",
    MessageState.UNKNOWN: "结果待确认",
    MessageState.REFUSED: "被拒绝",
    MessageState.CANCELLED: "没有发出",
}
MESSAGE_LOOKS = {
    MessageState.QUEUED: "",
    MessageState.SENDING: "in_progress",
    MessageState.ACCEPTED: "accepted",
    MessageState.DELIVERED: "closed",
    MessageState.FAILED: "returned",
    MessageState.UNKNOWN: "received",
    MessageState.REFUSED: "returned",
    MessageState.CANCELLED: "",
}

# What stands in the way, and who can do something about it (app.adapters.sms.Fault).
FAULTS = {
    "number": ("号码有误、停机或已被屏蔽", "请上门或换个号码。"),
    "cap": ("这个号码收得太频繁", "过一天可以再发。"),
    "message": ("服务商没有通过短信内容", "请街道核对模板和签名。"),
    "account": ("短信账户有问题（余额、权限或限额）", "请街道联系服务商，处理好再发。"),
    "rate": ("一时发得太快", "稍后可以再发。"),
    "vendor": ("服务商出了故障", "稍后可以再发。"),
}
# Codes that say more than their fault does.
CODES = {
    "isv.MOBILE_NUMBER_ILLEGAL": "号码不正确",
    "InvalidParameterValue.IncorrectPhoneNumber": "号码不正确",
    "FailedOperation.PhoneNumberParseFail": "号码不正确",
    "FailedOperation.PhoneNumberInBlacklist": "号码在服务商的黑名单里",
    "isv.BUSINESS_LIMIT_CONTROL": "这个号码收得太频繁",
    "isv.DAY_LIMIT_CONTROL": "今天的短信总量已到上限",
    "isv.MONTH_LIMIT_CONTROL": "本月的短信总量已到上限",
    "isv.AMOUNT_NOT_ENOUGH": "短信账户余额不足",
    "isv.OUT_OF_SERVICE": "短信账户已停用",
    "FailedOperation.InsufficientBalanceInSmsPackage": "短信套餐余额不足",
    "isv.SMS_TEMPLATE_ILLEGAL": "服务商处没有这个模板",
    "isv.SMS_SIGNATURE_ILLEGAL": "服务商处没有这个签名",
    "isv.BLACK_KEY_CONTROL_LIMIT": "内容里有不能发的词",
    "isv.SMS_CONTENT_ILLEGAL": "内容里有不能发的词",
    "isv.PARAM_LENGTH_LIMIT": "填写的内容太长",
    "isv.PARAM_NOT_SUPPORT_URL": "填写的内容里有网址",
    "FailedOperation.ContainSensitiveWord": "内容里有不能发的词",
    "FailedOperation.TemplateIncorrectOrUnapproved": "服务商没有通过这个模板",
    "FailedOperation.SignatureIncorrectOrUnapproved": "服务商没有通过这个签名",
    "LimitExceeded.PhoneNumberDailyLimit": "这个号码今天收到的已到上限",
    "LimitExceeded.DailyLimit": "今天的短信总量已到上限",
    "opted_out": "退订了短信",
}
UNTOLD = {
    MessageState.FAILED: ("手机没有收到（关机、停机、空号或不在服务区）", "可以重发一次，再不行请上门。"),
    MessageState.UNKNOWN: ("服务商没有说清是否发出", "正在向服务商查询，先不要重发。"),
    MessageState.REFUSED: ("服务商拒绝发送", "请看服务商代码。"),
    MessageState.CANCELLED: ("任务取消时还没有发出", ""),
}

KINDS = {
    TemplateKind.DECISION_ANNOUNCED: "表决公告",
    TemplateKind.DECISION_OPENED: "表决开始",
    TemplateKind.DECISION_EXTENDED: "表决延期",
    TemplateKind.DECISION_RESULT: "表决结果",
    TemplateKind.EMERGENCY: "紧急情况",
    TemplateKind.REMINDER: "提醒",
    TemplateKind.TICKET: "工单",
    TemplateKind.NOTICE: "通知",
    TemplateKind.REVENUE: "公共收益",
}
TEMPLATE_STATES = {
    TemplateState.DRAFT: "等待审核",
    TemplateState.APPROVED: "可以使用",
    TemplateState.RETIRED: "已停用",
}
TEMPLATE_LOOKS = {
    TemplateState.DRAFT: "received",
    TemplateState.APPROVED: "closed",
    TemplateState.RETIRED: "",
}
FILLS = {
    Fill.CAMPAIGN: "发送时填写，大家一样",
    Fill.ESTATE: "自动填小区名",
    Fill.ROOM: "自动填房号",
    Fill.LIST: "从名单的一列里取",
}
MAPPING_STATES = {
    MappingState.PENDING: "服务商审核中",
    MappingState.APPROVED: "服务商已通过",
    MappingState.REJECTED: "服务商没有通过",
}
WHY_NOT = {
    "disabled": "这家服务商已停用",
    "no_mapping": "没有登记在这家的模板代码",
    "mapping_pending": "这家还在审核模板",
    "mapping_rejected": "这家没有通过模板",
    "other_parameters": "在这家登记的空白与模板不一致",
    "parameters_too_long": "空白比这家允许的长",
}

LIST_STATES = {
    ListState.READING: "正在读取",
    ListState.READY: "可以使用",
    ListState.FAILED: "没有读成",
}
LIST_LOOKS = {ListState.READING: "in_progress", ListState.READY: "closed", ListState.FAILED: "returned"}
# What is wrong with a row, or (row 0) with the file.
ROW_PROBLEMS = {
    "bad_phone": "不是手机号",
    "not_a_mobile": "是座机，收不到短信",
    "masked": "号码有星号，不完整",
    "twice": "号码重复，只发一条",
    "no_phone_column": "没有找到手机号这一列：表头请写“手机号”",
    "too_many_rows": "超过 20000 行，请分成几份",
    "digits_lost": "表格丢了最后几位数字：请把这一列设成文本再填",
    "password": "文件有密码，请去掉密码再传",
    "too_big": "文件太大，请分成几份",
    "too_wide": "列太多，只留手机号和要用的列",
    "unreadable": "文件打不开，请另存为 xlsx 或 csv 再传",
    "unknown_kind": "不是 xlsx、xls 或 csv 表格",
    "bad_encoding": "文字编码认不出，请另存为 xlsx 再传",
    "error": "文件里有写错的公式",
    "gave_up": "文件打不开，请另存为 xlsx 或 csv 再传",
}
SOURCES = {OptOutSource.REPLY: "回复短信退订", OptOutSource.DESK: "在窗口说过不要短信"}


def _named(table: dict[Any, Any], key: str, other: str = "其他原因") -> str:
    found = table.get(key, other)
    return say(found[0] if isinstance(found, tuple) else found)


def state_name(row: dict[str, Any]) -> str:
    """Where a campaign stands. A cleared one that was launched waits for its time."""
    if row["state"] == CampaignState.SCHEDULED and row["launched_at"]:
        return say(WAITS)
    return say(STATES[CampaignState(row["state"])])


def audience_name(kind: str) -> str:
    """Who is meant, in a few words."""
    return _named(AUDIENCES, kind)


def channel_name(channels: list[str]) -> str:
    """How it reaches people."""
    return say(CHANNELS[",".join(sorted(channels, reverse=True))][0])


def reason_name(reason: str) -> str:
    """Why somebody gets none."""
    return _named(REASONS, reason)


def vendor_name(code: str | None) -> str:
    """A vendor's name; nothing for none."""
    return say(PROVIDERS.get(code, code)) if code else ""


def why_not(word: str | None) -> str:
    """What keeps a vendor from a template."""
    return _named(WHY_NOT, word) if word else ""


def failure_words(failure: dict[str, Any]) -> tuple[str, str]:
    """What went wrong with some messages, and what is to be done."""
    by_state = UNTOLD.get(failure["status"], ("其他原因", ""))
    what, then = FAULTS.get(failure["fault"] or "", by_state)
    if failure["status"] in {MessageState.UNKNOWN, MessageState.CANCELLED}:
        what, then = by_state
    return say(CODES.get(failure["code"] or "", what)), say(then) if then else ""


def row_problem(code: str) -> str:
    """What is wrong with a row of a list."""
    return _named(ROW_PROBLEMS, code, "内容不对")


def duration(seconds: float) -> str:
    """About how long, rounded up to what one would say."""
    whole = int(-(-seconds // 1))
    if whole < 60:
        return f"{whole} {say('秒')}"
    minutes = -(-whole // 60)
    if minutes < 60:
        return f"{minutes} {say('分钟')}"
    hours, rest = divmod(minutes, 60)
    return f"{hours} {say('小时')}" + (f" {rest} {say('分钟')}" if rest else "")


def yuan(fen: int) -> str:
    """Fen as yuan."""
    return f"{fen / 100:,.2f}"


def blanks_called(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each blank of a template is called, in the order of the text: as its writer called it, else by its number,
    with the name in the text where that says something (the page itself writes p1, p2, … for a new one). One that is
    filled in by itself is called by what it is filled with.
    """
    called = []
    for number, one in enumerate(parameters, 1):
        own = "" if _NUMBERED.match(one["name"]) else f"（{one['name']}）"
        by_itself = _BY_ITSELF.get(one["fill"])
        called.append(one.get("title") or (say(by_itself) if by_itself else f"{say('空白')} {number}{own}"))
    return called


HELPERS: dict[str, Any] = {
    "state_name": state_name,
    "looks": LOOKS,
    "audience_name": audience_name,
    "channel_name": channel_name,
    "reason_name": reason_name,
    "vendor_name": vendor_name,
    "why_not": why_not,
    "failure_words": failure_words,
    "row_problem": row_problem,
    "duration": duration,
    "yuan": yuan,
    "messages_named": MESSAGES,
    "message_looks": MESSAGE_LOOKS,
    "kinds": KINDS,
    "template_states": TEMPLATE_STATES,
    "template_looks": TEMPLATE_LOOKS,
    "fills": FILLS,
    "mapping_states": MAPPING_STATES,
    "list_states": LIST_STATES,
    "list_looks": LIST_LOOKS,
}
