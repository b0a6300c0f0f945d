"""A result as it is certified and read: every number with what it is compared with, and sentences that say why.

Holds ids and numbers, no name; percentages are for reading and cut off.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.voting.counting import (
    ABSTAIN,
    AGAINST,
    CHOSE,
    FOR,
    INVALID,
    MotionResult,
    Outcome,
    Result,
    Shares,
    percent,
)
from app.voting.matters import NAMES, Matter, threshold_of
from app.voting.models import DecisionKind
from app.voting.rules import Unreturned
from app.voting.seats import Place, Weight

_NUMERALS = "一二三四五六七八九"
_SHARES = {(1, 2): "过半数", (2, 3): "三分之二以上", (3, 4): "四分之三以上"}
POLL = "本次为意见征询，不是业主大会表决，结果没有法律效力。"
HEADINGS: dict[Outcome, str] = {
    Outcome.PASSED: "通过",
    Outcome.FAILED: "未通过",
    Outcome.NO_QUORUM: "未通过（参与不足）",
    Outcome.ELECTED: "选举成功",
    Outcome.SECOND_ROUND: "当选人数不足，需要第二轮选举",
    Outcome.TIED: "票数相同，需要另行确定",
    Outcome.NO_EFFECT: "意见征询结果（无法律效力）",
}
PLACES: dict[Place, str] = {
    Place.ELECTED: "当选",
    Place.TIED: "票数相同，待定",
    Place.ALTERNATE: "候补",
    Place.ALTERNATE_TIED: "候补票数相同，待定",
    Place.PASSED_OVER: "达到票数，名额已满",
    Place.NOT_ENOUGH: "未当选",
}


def law_of(matter: Matter) -> dict[str, str]:
    """Where the law names the matter, and where its threshold."""
    return {
        "item": f"《民法典》第二百七十八条第一款第（{_NUMERALS[matter - 1]}）项：{NAMES[matter]}",
        "threshold": "《民法典》第二百七十八条第二款",
    }


def square_metres(area_centi: int) -> str:
    """The area for a reader, with its two places."""
    return f"{area_centi // 100}.{area_centi % 100:02d}"


def written(result: Result) -> dict[str, Any]:
    """The result as JSON: what `CertifiedResult.result` keeps."""
    return {
        "kind": result.kind.value,
        "title": "意见征询结果" if result.kind is DecisionKind.POLL else "表决结果",
        "legal_effect": result.kind is not DecisionKind.POLL,
        "totals": _weight(result.totals.roll),
        "rules": {
            "invalid_takes_part": result.rules.invalid_takes_part,
            "unreturned": result.rules.unreturned.value,
        },
        "motions": [_motion(motion) for motion in result.motions],
    }


def _motion(m: MotionResult) -> dict[str, Any]:
    matter = m.question.matter
    words = (CHOSE, ABSTAIN, INVALID) if m.places is not None else (FOR, AGAINST, ABSTAIN, INVALID)
    return {
        "motion_id": m.question.id,
        "number": m.question.number,
        "title": m.question.title,
        "matter": matter.value if matter is not None else None,
        "law": law_of(matter) if matter is not None and m.quorum is not None else None,
        "outcome": m.outcome.value,
        "outcome_text": HEADINGS[m.outcome],
        "passed": m.is_passed,
        "participating": _weight(m.participating),
        "answers": {word: _weight(m.tally.of(word)) for word in words},
        "unreturned": {**_weight(m.totals.unreturned), "counted_as": m.unreturned_as},
        "in_favour": _weight(m.in_favour) if m.places is None else None,
        "quorum": m.quorum.as_json() if m.quorum is not None else None,
        "approval": m.approval.as_json() if m.approval is not None else None,
        "election": _election(m) if m.places is not None else None,
        "why": list(sentences(m)),
    }


def _weight(weight: Weight) -> dict[str, int]:
    return {"area_centi": weight.area_centi, "heads": weight.heads}


def _election(m: MotionResult) -> dict[str, Any]:
    assert m.places is not None
    return {
        "seats": m.places.seats,
        "left_open": m.places.left_open,
        "seats_at_stake": m.places.at_stake,
        "second_round": m.outcome is Outcome.SECOND_ROUND,
        "candidates": [
            {
                "candidate_id": s.candidate,
                "rank": s.rank,
                **_weight(s.votes),
                "percent_area": percent(s.votes.area_centi, m.participating.area_centi),
                "percent_heads": percent(s.votes.heads, m.participating.heads),
                "enough_area": s.enough_area,
                "enough_heads": s.enough_heads,
                "place": s.place.value,
                "place_text": PLACES[s.place],
            }
            for s in m.places.standings
        ],
    }


# --- why ---------------------------------------------------------------------------------------------------


def sentences(m: MotionResult) -> Iterable[str]:
    """Why it came out so, one short sentence after the other."""
    roll, part = m.totals.roll, m.participating
    yield f"业主总人数 {roll.heads} 人，专有部分总面积 {square_metres(roll.area_centi)} 平方米。"
    yield (
        f"参与表决 {part.heads} 人（{_percent(part.heads, roll.heads)}），"
        f"面积 {square_metres(part.area_centi)} 平方米（{_percent(part.area_centi, roll.area_centi)}）。"
    )
    yield from _what_counted(m)
    if m.quorum is None:
        yield POLL
        return
    yield _compared("参与表决", "总", m.quorum)
    if not m.quorum.are_reached:
        yield "参与的业主不够，本事项没有通过。"
        return
    if m.places is not None:
        yield from _seats(m)
        return
    assert m.approval is not None
    yield _compared("同意", "参与", m.approval)
    yield "两项都达到，通过。" if m.approval.are_reached else f"{_missed(m.approval)}没有达到，未通过。"


def _what_counted(m: MotionResult) -> Iterable[str]:
    if (invalid := m.tally.of(INVALID)).heads:
        counted = "按议事规则计入参与人数" if m.invalid_counts else "不计入参与人数"
        yield f"无效票 {invalid.heads} 张，{counted}。"
    silent = m.totals.unreturned
    if not silent.heads:
        return
    said = {
        Unreturned.NOT_COUNTED: "不计入参与人数",
        Unreturned.TAKES_PART: "按议事规则计入参与人数，视为弃权",
        FOR: "按议事规则随多数意见，计入同意",
        AGAINST: "按议事规则随多数意见，计入反对",
        ABSTAIN: "按议事规则随多数意见，计入弃权",
    }[m.unreturned_as]
    yield f"已送达但没有交回 {silent.heads} 张，{said}。"


def _compared(what: str, of: str, shares: Shares) -> str:
    threshold = shares.area.threshold
    needs = _SHARES[threshold.numerator, threshold.denominator]
    return (
        f"{what}的人数占{of}人数 {_percent(shares.heads.part, shares.heads.whole)}，"
        f"面积占{of}面积 {_percent(shares.area.part, shares.area.whole)}；"
        f"法律要求人数和面积都{needs}：人数{_met(shares.heads.is_reached)}，面积{_met(shares.area.is_reached)}。"
    )


def _seats(m: MotionResult) -> Iterable[str]:
    assert m.places is not None
    places = m.places
    needs = _SHARES[threshold_of(Matter.COMMITTEE)[:2]]
    won = len(places.of(Place.ELECTED))
    yield f"应选 {places.seats} 人；得票的人数和面积都{needs}才能当选，按人数、再按面积排序。"
    yield f"当选 {won} 人，候补 {len(places.of(Place.ALTERNATE))} 人。"
    if places.tied:
        yield (
            f"有 {len(places.tied)} 人得票完全相同，争 {places.at_stake} 个名额："
            "系统不作决定，由业主再次投票或公开抽签确定。"
        )
    if places.of(Place.ALTERNATE_TIED):
        yield "候补名额有人得票完全相同，由业主再次投票或公开抽签确定。"
    if places.left_open:
        yield f"还缺 {places.left_open} 人，需要第二轮选举。"


def _missed(shares: Shares) -> str:
    by = {"人数": shares.heads, "面积": shares.area}
    return "和".join(name for name, share in by.items() if not share.is_reached)


def _met(reached: bool) -> str:
    return "达到" if reached else "没有达到"


def _percent(part: int, whole: int) -> str:
    found = percent(part, whole)
    return f"{found}%" if found is not None else "—"
