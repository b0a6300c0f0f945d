"""What decisions' states, kinds, steps and rules are called on pages, and the law in plain words."""

from __future__ import annotations

from typing import Any, NamedTuple

from app.voting.matters import MAJOR, NAMES, QUORUM, Matter, Threshold, threshold_of
from app.voting.models import CandidateStatus, DecisionKind, DecisionStatus, LegalMode, NominatedBy
from app.voting.readiness import Need
from app.voting.roll_models import DeliveryWay
from app.voting.verdicts import law_of, square_metres
from bff.admin.console.words import say

KINDS = {
    DecisionKind.MEETING: "业主大会表决",
    DecisionKind.ELECTION: "业委会选举",
    DecisionKind.POLL: "意见征询",
}
STATES = {
    DecisionStatus.DRAFT: "草稿",
    DecisionStatus.IN_REVIEW: "审核中",
    DecisionStatus.ANNOUNCED: "已公告",
    DecisionStatus.OPEN: "表决中",
    DecisionStatus.CLOSED: "已截止",
    DecisionStatus.CERTIFIED: "结果已认定",
    DecisionStatus.POSTED: "公示中",
    DecisionStatus.ARCHIVED: "已归档",
    DecisionStatus.CANCELLED: "已取消",
}
_MODES = {
    LegalMode.POLL: "意见征询，没有法律效力",
    LegalMode.PAPER_BACKED: "正式表决",
    LegalMode.OFFICIAL: "在主管部门系统中表决",
}
_EVENTS = {
    "created": "起草",
    "edited": "修改",
    "submitted": "送审",
    "reviewed": "审核通过",
    "sent_back": "审核退回",
    "announced": "公告",
    "freeze_asked": "要求生成名册",
    "frozen": "名册已确定",
    "shifted": "时间顺延",
    "objected": "收到异议",
    "official_result": "录入主管部门结果",
    "candidate_refused": "候选人审核未通过",
    "candidate_withdrawn": "候选人退出",
    "candidates_carried_over": "沿用上一轮候选人",
    "opened": "开始表决",
    "reminded": "提醒未投票业主",
    "extended": "延期",
    "closed": "截止",
    "certified": "认定结果",
    "filed": "备案",
    "posted": "公示结果",
    "archived": "归档",
    "cancelled": "取消表决",
    "nominations_opened": "开放提名",
}
_WAYS = {
    DeliveryWay.WECHAT: "微信",
    DeliveryWay.SMS: "短信",
    DeliveryWay.VISIT: "上门",
    DeliveryWay.LOGIN: "登录查看",
    DeliveryWay.POSTED: "张贴公告",
}
_DOORS = {
    "paper": "要纸质表决票",
    "visit": "要求上门",
    "unreached": "联系不上",
    "sms_refused": "短信被退订或拒收",
}
_SHEETS = {"entered": "等第二人复核", "confirmed": "已复核，计票", "refused": "已退回"}
_PROXIES = {"pending": "等待审核", "approved": "已认可", "refused": "未认可", "revoked": "业主已收回"}
_ATTEMPTS = {
    "not_the_voter": "不是这一户的表决人",
    "weak_identity": "身份核验不够",
    "already_voted": "这一户已经投过票",
    "paper_after_ballot": "已有有效票，纸质票不能代替",
    "replaced_by_paper": "已有签名纸质票，线上票不能代替",
}
_ABOUT = {"roll": "对名册的异议", "candidate": "对候选人的异议", "result": "对结果的异议"}
_NOMINATED = {
    NominatedBy.PARTY: "党组织推荐",
    NominatedBy.COMMITTEE: "居委会推荐",
    NominatedBy.SELF: "业主自荐",
    NominatedBy.JOINT: "业主联名推荐",
}
_STANDING = {
    CandidateStatus.NOMINATED: "等待审核",
    CandidateStatus.ACCEPTED: "审核通过",
    CandidateStatus.REFUSED: "审核未通过",
    CandidateStatus.WITHDRAWN: "已退出",
}
_PARTS = {"cast": "已投票", "waiting": "未投票", "unreached": "未投票且联系不上"}
_UNRETURNED = {
    "not_counted": "已送达没交回的票，不计入参与",
    "takes_part": "已送达没交回的票，计入参与，视为弃权",
    "joins_majority": "已送达没交回的票，计入参与，随多数意见",
}
_NEEDS = {
    Need.TEXT: ("写明了表决说明", "还没有写表决说明：业主不知道为什么要表决。"),
    Need.MOTION_TEXT: ("每项议题都有说明", "有议题没有说明内容。"),
    Need.TIMES: ("填写了开始和截止时间", "还没有填写开始和截止时间，或开始时间已过。"),
    Need.NOTICE: ("提前公告的天数够", "开始时间太早，提前公告的天数不够。"),
    Need.WINDOW: ("表决天数符合规则", "表决天数不符合规则。"),
    Need.MODE: ("表决效力已由街道批准", "街道没有批准这种表决效力。"),
    Need.UNCHECKED: ("被提名人都审核过", "还有被提名人没有审核。"),
    Need.POSTING: ("候选人公示期已满", "候选人公示期还没有满。"),
    Need.CANDIDATES: ("候选人多于应选人数（差额选举）", "候选人不够：应多于应选人数（差额选举）。"),
    Need.ROLL: ("登记册里有可以表决的房屋", "登记册里没有可以表决的房屋。"),
    Need.AREAS: ("每套房都有面积", "有房屋没有面积，计票时按 0 平方米算。"),
    Need.VOTERS: ("每户都有表决人", "有的户还没有表决人：业主不详，或共有人没有推举一人。"),
    Need.REVIEW: ("社区审核已通过", "还没有通过审核。"),
}


class Rule(NamedTuple):
    """A matter of art. 278 with what it takes, in words. `is_major`: three quarters."""

    matter: int
    name: str
    item: str
    passes: str
    is_major: bool


def rules_of_matters() -> list[Rule]:
    """The nine matters in the order of the law."""
    return [
        Rule(
            matter=int(matter),
            name=NAMES[matter],
            item=law_of(matter)["item"].partition("：")[0],
            passes=passes(matter),
            is_major=threshold_of(matter) is MAJOR,
        )
        for matter in Matter
    ]


def passes(matter: int) -> str:
    """What of those who take part has to be for it."""
    if threshold_of(Matter(matter)) is MAJOR:
        return say("参与表决的人数和面积，都要四分之三以上同意")
    return say("参与表决的人数和面积，都要过半数同意")


def law_in_words() -> str:
    """The quorum, said once for all matters."""
    return say(
        "参与表决的业主，人数和专有部分面积都要达到三分之二以上，表决才有效（民法典第二百七十八条第二款）。"
    )


QUORUM_PERCENT = 100 * QUORUM.numerator / QUORUM.denominator


def least(threshold: Threshold, whole: int) -> int:
    """The least of a whole that reaches the threshold; of heads, or of 0.01 m²."""
    floor = threshold.numerator * whole // threshold.denominator
    if threshold.is_strict:
        return floor + 1
    return floor if threshold.denominator * floor == threshold.numerator * whole else floor + 1


def area(centi: int | None) -> str:
    """`1,234.50 m²`."""
    if centi is None:
        return "—"
    whole, _, places = square_metres(centi).partition(".")
    return f"{int(whole):,}.{places} m²"


def _from(words: Any, value: str | None) -> str:
    return say(words[value]) if value in words else (value or "")


def helpers() -> dict[str, Any]:
    """What the templates of decisions call things with."""
    return {
        "kind_name": lambda value: _from(KINDS, value),
        "state_name": lambda value: _from(STATES, value),
        "mode_name": lambda value: _from(_MODES, value),
        "event_name": lambda value: _from(_EVENTS, value),
        "way_name": lambda value: _from(_WAYS, value),
        "door_name": lambda value: _from(_DOORS, value),
        "sheet_name": lambda value: _from(_SHEETS, value),
        "proxy_name": lambda value: _from(_PROXIES, value),
        "attempt_name": lambda value: _from(_ATTEMPTS, value),
        "about_name": lambda value: _from(_ABOUT, value),
        "nominated_name": lambda value: _from(_NOMINATED, value),
        "standing_name": lambda value: _from(_STANDING, value),
        "part_name": lambda value: _from(_PARTS, value),
        "unreturned_name": lambda value: _from(_UNRETURNED, value),
        "passes": passes,
        "law_in_words": law_in_words,
        "area_of": area,
    }


def need_says(need: str, *, is_met: bool) -> str:
    """What stands in the check list."""
    return say(_NEEDS[Need(need)][0 if is_met else 1])
