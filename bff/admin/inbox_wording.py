"""What a notice to staff says. Made when it is read, of the number, what the ticket is about, and when it is due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app import clock
from app.messaging.models import StaffNoticeKind as Kind


class Sentence(NamedTuple):
    """Title and text of a notice."""

    title: str
    text: str


GONE = Sentence("工单已不在您的范围", "这件工单已转给别的单位或社区，您不能再查看。")

_WORDS: dict[Kind, Sentence] = {
    Kind.DISPATCHED: Sentence("新工单", "{what}已派给您的单位，请在 {due} 前办结。"),
    Kind.ASSIGNED: Sentence("工单已指派给您", "{what}由您办理，请在 {due} 前办结。"),
    Kind.RETURNED: Sentence("工单被退回", "{what}被退回，请在 5 分钟内重新派单。"),
    Kind.WARNED: Sentence("工单快到期", "{what}的时限是 {due}，请尽快办结，或在到期前申请延期。"),
    Kind.SUPERVISED: Sentence("工单被督办", "{what}被督办{rung}，请尽快办结。"),
    Kind.TO_DISTRICT: Sentence("须向区里报告", "{what}已超期 7 天，请街道向区里书面报告。"),
    Kind.URGED: Sentence("居民催办", "{what}的上报人催办，请尽快办理并答复。"),
    Kind.EXTENSION_ASKED: Sentence("有延期申请", "{what}申请延期到 {until}，请审核。"),
    Kind.EXTENDED: Sentence("延期已同意", "{what}的时限延到 {until}。"),
    Kind.LIMIT_KEPT: Sentence("延期未同意", "{what}的时限不变，请在 {due} 前办结。"),
    Kind.PART: Sentence("请您的单位协办", "{what}需要您的单位协办，请在 {due} 前完成。"),
    Kind.PART_DONE: Sentence("协办已完成", "{what}的一个协办单位已完成任务。"),
    Kind.MEETING: Sentence("协调会已定分工", "{what}开了协调会，请查看您单位的任务和商定的期限。"),
    Kind.MATCHED: Sentence("可能是重复工单", "{what}可能与别的工单是同一个问题，请核对是否合并。"),
}
_LATE = {
    "accept": Sentence("受理超时", "{what}超过 3 分钟还没有受理"),
    "dispatch": Sentence("派单超时", "{what}受理后超过 5 分钟还没有派单"),
    "dispatch_again": Sentence("退单后派单超时", "{what}退回后超过 5 分钟还没有重新派单"),
}
_LATE_FOR = {1: "，请马上处理。", 2: "，已过 30 分钟，请社区马上处理，街道督促。"}
_RUNGS = {
    1: "（超期，网格督促）",
    2: "（超期 1 天，社区督办）",
    3: "（超期 3 天，街道督办）",
    4: "（超期 7 天，须报区里）",
}


def _day(iso: str | None) -> str:
    """An instant as people say it: a day ends at 24:00."""
    if iso is None:
        return "规定时限"
    there = clock.in_shanghai(datetime.fromisoformat(iso))
    if there.hour == there.minute == 0:
        there -= timedelta(minutes=1)
        return f"{there.month}月{there.day}日24:00"
    return f"{there.month}月{there.day}日{there:%H:%M}"


def say(kind: str, *, number: str, category: str | None, params: dict[str, Any]) -> Sentence:
    """The notice in a clerk's words; `params` are what its row keeps."""
    level = params.get("level", 0)
    if kind == Kind.STAGE_LATE:
        title, text = _LATE[params["stage"]]
        text += _LATE_FOR[level]
    else:
        title, text = _WORDS[Kind(kind)]
    what = f"{number}（{category}）" if category else number
    return Sentence(
        title,
        text.format(
            what=what,
            due=_day(params.get("due_at")),
            until=_day(params.get("until")),
            rung=_RUNGS.get(level, ""),
        ),
    )
