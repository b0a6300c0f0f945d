"""What residents read. Short sentences for a reader of 75: what happened, who has it now, what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from app.messaging.models import NoticeKind


class Wording(NamedTuple):
    """Title and sentence of a message, and the five-character word of the WeChat notice (phrase ≤ 5)."""

    title: str
    text: str
    phrase: str


_K = NoticeKind
WORDINGS: dict[NoticeKind, Wording] = {
    _K.TICKET_RECEIVED: Wording("您的上报已收到", "编号 {number}。社区会在 {accept_by} 前受理。", "已收到"),
    _K.TICKET_ACCEPTED: Wording("您的上报已受理", "编号 {number}。社区已受理，正在安排处理单位。", "已受理"),
    _K.TICKET_REJECTED: Wording("您的上报未被受理", "编号 {number}。原因：{note}", "未受理"),
    _K.TICKET_DISPATCHED: Wording(
        "已派给处理单位", "编号 {number}。已交给{org}处理，预计 {close_by} 前办结。", "已派单"
    ),
    _K.TICKET_STARTED: Wording("工作人员已开始处理", "编号 {number}。{org}已开始处理。", "处理中"),
    _K.TICKET_RESOLVED: Wording("问题已处理，等待核实", "编号 {number}。{org}反馈：{note}", "待核实"),
    _K.TICKET_VERIFIED: Wording("处理结果已核实", "编号 {number}。社区已核实处理结果。", "已核实"),
    _K.TICKET_REWORK: Wording(
        "核实未通过，重新处理", "编号 {number}。核实发现还没有修好，已要求{org}重新处理。", "返工中"
    ),
    _K.TICKET_CLOSED: Wording(
        "您的上报已办结", "编号 {number}。{closing}请为这次处理评分，15 天内有效。", "已办结"
    ),
    _K.TICKET_REOPENED: Wording("您的上报已重新办理", "编号 {number}。社区会重新安排处理。", "重新办理"),
    _K.TICKET_WITHDRAWN: Wording("您已撤回上报", "编号 {number}。如还需要帮助，请重新上报。", "已撤回"),
    _K.TICKET_COMMENTED: Wording("您的上报有新回复", "编号 {number}。{note}", "有回复"),
    _K.TICKET_SUSPENDED: Wording("处理暂停", "编号 {number}。暂停到 {until}，原因：{note}", "已暂停"),
    _K.TICKET_RESUMED: Wording(
        "恢复处理", "编号 {number}。{org}已恢复处理，预计 {close_by} 前办结。", "处理中"
    ),
    _K.TICKET_EXTENDED: Wording(
        "办结时间延后", "编号 {number}。预计 {close_by} 前办结，原因：{note}", "已延期"
    ),
    _K.TICKET_SUPERVISED: Wording("您的上报已督办", "编号 {number}。上级已督促处理单位尽快办理。", "督办中"),
    _K.TICKET_MERGED: Wording(
        "您的上报已合并", "编号 {number}。与 {other} 是同一个问题，已合并办理，进展会继续通知您。", "已合并"
    ),
    _K.TICKET_UNMERGED: Wording(
        "您的上报已单独办理",
        "编号 {number}。经核对是另一个问题，已恢复单独办理，时限不重新计算。",
        "单独办理",
    ),
    _K.TICKET_REFERRED: Wording(
        "您的上报已转给{community}", "编号 {number} 不变。由{community}继续办理，时限不重新计算。", "已转办"
    ),
    _K.PHONE_BOUND: Wording(
        "手机号已绑定", "您的账号已绑定手机号 {phone}。如不是您本人操作，请联系社区。", "已绑定"
    ),
    _K.PHONE_LOST: Wording(
        "手机号已被解除绑定",
        "手机号 {phone} 已由另一位用户通过微信验证并绑定，您的账号不再使用这个号码。如有疑问，请联系社区。",
        "已解绑",
    ),
    _K.MEMBERSHIP_VERIFIED: Wording("房屋绑定成功", "您已绑定{house}。{rights}", "已绑定"),
    _K.MEMBERSHIP_REFUSED: Wording(
        "房屋绑定未通过", "{house}的绑定没有通过。请带身份证和房产证到社区办理。", "未通过"
    ),
    _K.MEMBERSHIP_ENDED: Wording(
        "房屋绑定已解除", "您与{house}的绑定已解除。如有疑问，请联系社区。", "已解除"
    ),
    _K.MEMBERSHIP_REVIEW: Wording(
        "房屋绑定需要重新核实", "您与{house}的绑定需要社区重新核实，核实前不能投票。", "待核实"
    ),
    _K.MEMBERSHIP_ASKED: Wording(
        "有人申请绑定您的房屋", "{name}申请以{relation}身份绑定{house}。请您确认或拒绝。", "待确认"
    ),
    _K.MEMBERSHIP_NEW: Wording(
        "您的房屋有新的业主绑定",
        "{name}已用登记的手机号或证件绑定{house}，可以代表业主投票。如果不是本人，请点“我有异议”。",
        "请核对",
    ),
    _K.OBJECTION_SETTLED: Wording("您的异议已处理", "您对{house}绑定的异议已核实：{outcome}", "已处理"),
    _K.VOTER_CHOSEN: Wording("请确认投票人", "{house}的共有人推选{name}代表投票，请您确认。", "待确认"),
    _K.BIND_REMINDER: Wording(
        "请绑定您的房屋", "社区正在登记业主。请在小程序里绑定您在{estate}的房屋，绑定后可以投票。", "请绑定"
    ),
    _K.DECISION_ANNOUNCED: Wording(
        "业主表决公告",
        "《{title}》将在 {opens_at} 至 {closes_at} 表决。请核对您的房屋和面积，有疑问请在 {objections_until} 前提出。"
        "{mode}",
        "已公告",
    ),
    _K.DECISION_OPENED: Wording(
        "表决已开始",
        "《{title}》可以表决了，{closes_at} 截止。不方便用手机的，可以要纸质表决票或请人上门。{mode}",
        "表决中",
    ),
    _K.DECISION_REMINDER: Wording(
        "请您参加表决", "《{title}》{closes_at} 截止，您还没有表决。{mode}", "请表决"
    ),
    _K.DECISION_EXTENDED: Wording(
        "表决延期", "《{title}》延期到 {closes_at} 截止。原因：{reason}。{mode}", "已延期"
    ),
    _K.DECISION_SHIFTED: Wording(
        "表决时间顺延", "《{title}》改为 {opens_at} 开始，{closes_at} 截止，表决时间不缩短。{mode}", "已顺延"
    ),
    _K.DECISION_CANCELLED: Wording("表决已取消", "《{title}》已取消。原因：{reason}。{mode}", "已取消"),
    _K.DECISION_RESULT: Wording(
        "表决结果已公布", "《{title}》的结果已公布，请查看。有异议可以在公示期内提出。{mode}", "已公布"
    ),
    _K.NOTICE_PUBLISHED: Wording("{topic}", "《{title}》已发布，请打开查看。{todo}", "新通知"),
    _K.NOTICE_CORRECTED: Wording(
        "您看过的通知有更正", "《{title}》已更正，请再看一遍。原因：{reason}", "有更正"
    ),
    _K.NOTICE_WITHDRAWN: Wording("您看过的通知已撤回", "《{title}》已撤回。原因：{reason}", "已撤回"),
    _K.PROXY_ENTERED: Wording(
        "请核对委托",
        "社区为《{title}》登记了您这一户的委托，代理人：{name}。如果不是您委托的，请在代理人投票前撤销；"
        "您自己先投票的，以您的票为准。{mode}",
        "请核对",
    ),
    _K.REVENUE_ANSWERED: Wording(
        "您的账目异议已答复", "您对 {day} 一笔公共收益账目（{amount} 元）的异议已公开答复：{answer}", "已答复"
    ),
    _K.CAMPAIGN: Wording("{title}", "{text}", "新通知"),
}


def compose(kind: NoticeKind, params: Mapping[str, str]) -> Wording:
    """The message of that kind with its blanks filled; long notes are cut to fit (500 characters)."""
    wording = WORDINGS[kind]
    # Only some classes have something to say when a ticket is closed.
    text = wording.text.format(**{"closing": ""} | dict(params))
    title = wording.title.format(**params)
    return Wording(title, text if len(text) <= 500 else text[:499] + "…", wording.phrase)
