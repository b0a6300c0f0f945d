"""What comes next of a decision: each step with what it does, what can't be undone, and who does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flask import g

from app import clock
from app.people.permissions import Permission as Allow
from app.voting import periods, proofs, queries, results, service
from app.voting.models import Decision, DecisionStatus, LegalMode
from app.voting.readiness import Need
from app.voting.rules import Unreturned
from bff.admin.console.clocks import deadline, moment
from bff.admin.console.ticket_moves import Field
from bff.admin.console.words import say

May = Callable[[Allow], bool]


class Step(NamedTuple):
    """A step that she may take now. `does`: what happens; `stays`: what can't be undone; `path`: below the decision in
    the JSON face.
    """

    key: str
    path: str
    button: str
    does: tuple[str, ...]
    stays: str
    done: str
    fields: tuple[Field, ...] = ()
    is_main: bool = True
    is_grave: bool = False
    fixed: tuple[tuple[str, str, str], ...] = ()  # (name, value, type) that are sent along


class Next(NamedTuple):
    """Where it stands, in one sentence, who is to do what, and the steps that are offered."""

    says: str
    waits_for: str
    steps: list[Step]
    edits: bool = False
    is_freezing: bool = False


_REASON = Field("reason", "原因", "area", required=True, hint="业主会看到。", most=200)

SUBMIT = Step(
    "submit",
    "submit",
    "送审",
    ("交给另一位同事审核。审核期间内容不能修改。",),
    "审核人退回后才能再修改。",
    "已送审",
)
PASS = Step(
    "pass",
    "review",
    "审核通过",
    ("通过后就可以公告。您对内容、事项和时间的合法性负责。",),
    "通过后不能再退回修改，只能取消。",
    "审核已通过",
    fixed=(("passed", "true", "bool"),),
)
BACK = Step(
    "back",
    "review",
    "退回修改",
    ("退回给起草人修改，改好后再送审。",),
    "",
    "已退回",
    (Field("reason", "要改什么", "area", required=True, most=200),),
    is_main=False,
    fixed=(("passed", "false", "bool"),),
)
ANNOUNCE = Step(
    "announce",
    "announce",
    "公告",
    ("马上通知本小区（或所选楼栋）的业主，异议期和公告期从现在开始算。",),
    "公告后内容、时间和规则都不能再改；要改只能取消后重新公告。",
    "已公告",
)
FREEZE = Step(
    "freeze",
    "open",
    "现在确定名册",
    ("按登记册生成业主名册。到了公告的开始时间，表决自动开始。",),
    "名册确定后不能再改，登记册后来的变动不影响本次表决。",
    "正在生成名册",
)
EXTEND = Step(
    "extend",
    "extend",
    "延期",
    ("推迟截止时间，通知业主并记入投票日志。",),
    "一次表决只能延期一次。",
    "已延期",
    (Field("closes_at", "新的截止时间", "time", required=True, type="time"), _REASON),
    is_main=False,
)
CLOSE = Step(
    "close",
    "close",
    "提前截止",
    ("名册上每一户都投了票，才能提前截止。",),
    "截止后谁也不能再投票。",
    "已截止",
    is_main=False,
    is_grave=True,
)
CERTIFY = Step(
    "certify",
    "certify",
    "认定结果",
    ("按名册和全部有效票算出结果并固定下来，马上通知业主并开始公示。",),
    "认定后结果不能改，表决也不能再取消；有异议的按异议处理或向法院起诉（民法典第二百八十条）。",
    "结果已认定",
)
FILE = Step(
    "file",
    "file",
    "登记备案",
    ("记下街道给的备案号。",),
    "备案号登记后不能再改。",
    "已登记备案",
    (Field("number", "备案号", "text", required=True, most=60),),
)
CANCEL = Step(
    "cancel",
    "cancel",
    "取消表决",
    ("表决不再进行，或者不算数。已公告的会通知业主，已投的票封存，不计票。",),
    "取消后不能恢复，只能重新发起。",
    "已取消",
    (_REASON,),
    is_main=False,
    is_grave=True,
)


def next_of(row: Decision, may: May) -> Next:
    """What comes next, and which steps of it she may take."""
    found = _NEXT[queries.status_of(row)](row, may)
    if row.status in service.CANCELLABLE and may(Allow.DECISION_EDIT):
        found.steps.append(CANCEL)
    return found


def _draft(_row: Decision, may: May) -> Next:
    is_mine = may(Allow.DECISION_DRAFT)
    return Next(
        say("还在起草，业主看不到。"),
        say("写好以后，对照下面的清单检查，再送审。"),
        [SUBMIT] if is_mine else [],
        edits=is_mine,
    )


def _in_review(row: Decision, may: May) -> Next:
    if service.is_reviewed(row):
        return Next(
            say("审核已经通过，可以公告。"),
            say("公告以后不能再改，请先看一遍下面的清单。"),
            [ANNOUNCE] if may(Allow.DECISION_EDIT) else [],
        )
    wrote = service.has_written(row, g.staff.id)
    if wrote:
        return Next(say("正在审核。"), say("您参与了起草，须由另一位同事审核。"), [])
    return Next(
        say("正在审核。"),
        say("请另一位没有参与起草的同事审核。"),
        [PASS, BACK] if may(Allow.DECISION_REVIEW) else [],
    )


def _announced(row: Decision, may: May) -> Next:
    if row.frozen_at is not None:
        return Next(say("名册已确定，等待开始。"), say("开始时间：") + moment(row.opens_at), [])
    if service.is_freezing(row):
        return Next(say("正在生成业主名册……"), say("可以离开本页，不影响生成。"), [], is_freezing=True)
    over = row.objections_until is not None and clock.now() >= row.objections_until
    can = may(Allow.DECISION_EDIT) and (over or not periods.are_lawful())
    return Next(
        say("已公告，业主可以对名册提出异议。"),
        say("异议期到：")
        + deadline(row.objections_until)
        + "。"
        + say("之后自动确定名册，到时自动开始表决。"),
        [FREEZE] if can else [],
    )


def _open(row: Decision, may: May) -> Next:
    steps = []
    if may(Allow.DECISION_EDIT):
        rules = queries.rules_of(row)
        if rules.may_extend and row.extended_at is None:
            steps.append(EXTEND)
        steps.append(CLOSE)
    return Next(
        say("正在表决。"),
        say("到截止时间自动结束。请录入纸质票、提醒还没有投票的业主。"),
        steps,
    )


def _closed(row: Decision, may: May) -> Next:
    if row.legal_mode == LegalMode.POLL:
        return Next(say("意见征询已结束，正在开票。"), say("开票后自动公示，不需要认定。"), [])
    ref = queries.ref_of(row)
    entered = results.latest_official(ref) if row.legal_mode == LegalMode.OFFICIAL else None
    if row.legal_mode == LegalMode.OFFICIAL and entered is None:
        return Next(say("表决已截止。"), say("等待录入主管部门系统的结果，录入后由另一人认定。"), [])
    if entered is not None and entered.entered_by == g.staff.id:
        return Next(say("表决已截止。"), say("主管部门的结果是您录入的，须由另一位同事认定。"), [])
    announced = queries.latest_event(queries.ref_of(row), "announced")
    if announced is not None and announced.actor_id == g.staff.id:
        return Next(say("表决已截止。"), say("公告是您发的，结果须由另一位同事认定。"), [])
    rules = queries.rules_of(row)
    if rules.unreturned is not Unreturned.NOT_COUNTED and proofs.has_worked_on(
        queries.ref_of(row), g.staff.id
    ):
        return Next(say("表决已截止。"), say("您经手过送达证明，结果须由另一位同事认定。"), [])
    if entered is None and not results.is_counted(ref):
        return Next(
            say("表决已截止，正在开票。"), say("开票一般几分钟，之后可以认定结果。"), [], is_freezing=True
        )
    return Next(
        say("表决已截止。"),
        say("请由没有发公告的人认定结果。"),
        [CERTIFY] if may(Allow.DECISION_CERTIFY) else [],
    )


def _certified(row: Decision, may: May) -> Next:
    steps = [FILE] if row.filed_at is None and may(Allow.DECISION_EDIT) else []
    until = say("公示到：") + deadline(row.posted_until) if row.posted_until else ""
    says = {
        DecisionStatus.CERTIFIED: say("结果已认定，马上开始公示。"),
        DecisionStatus.POSTED: say("结果正在公示。"),
        DecisionStatus.ARCHIVED: say("已归档。"),
    }[queries.status_of(row)]
    if row.legal_mode == LegalMode.POLL:
        return Next(says, until, [])
    if row.filed_at is None and row.filing_due_at is not None:
        until += "　" + say("备案期限：") + deadline(row.filing_due_at)
    return Next(says, until, steps)


def _cancelled(row: Decision, _may: May) -> Next:
    return Next(say("已取消。"), say("原因：") + (row.cancel_reason or ""), [])


_NEXT: dict[DecisionStatus, Callable[[Decision, May], Next]] = {
    DecisionStatus.DRAFT: _draft,
    DecisionStatus.IN_REVIEW: _in_review,
    DecisionStatus.ANNOUNCED: _announced,
    DecisionStatus.OPEN: _open,
    DecisionStatus.CLOSED: _closed,
    DecisionStatus.CERTIFIED: _certified,
    DecisionStatus.POSTED: _certified,
    DecisionStatus.ARCHIVED: _certified,
    DecisionStatus.CANCELLED: _cancelled,
}

_MENDED = {
    Need.TEXT: ("edit#f-text", "去填写"),
    Need.MOTION_TEXT: ("edit#motions", "去填写"),
    Need.TIMES: ("edit#f-opens", "去改时间"),
    Need.NOTICE: ("edit#f-opens", "去改时间"),
    Need.WINDOW: ("edit#f-opens", "去改时间"),
    Need.MODE: ("edit#f-mode", "去选效力"),
    Need.UNCHECKED: ("candidates", "去审核"),
    Need.POSTING: ("candidates", "看公示"),
    Need.CANDIDATES: ("candidates", "去推荐"),
}


def mended_at(need: str, own: str, *, is_draft: bool) -> tuple[str, str] | None:
    """Where what is missing is mended, and what the link says; None: not here, or not now."""
    found = _MENDED.get(Need(need))
    if found is None or (found[0].startswith("edit") and not is_draft):
        return None
    return f"{own}/{found[0]}", say(found[1])
