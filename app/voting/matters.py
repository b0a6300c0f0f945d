"""The nine matters that owners decide together (民法典 278), and the two thresholds that follow from each.

A threshold is never typed in: it follows from the matter. Everything is compared by cross-multiplication of whole
numbers; nothing is ever rounded.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Matter(IntEnum):
    """民法典 278(1), in the order of the law."""

    PROCEDURE = 1  # 制定和修改业主大会议事规则
    COVENANT = 2  # 制定和修改管理规约
    COMMITTEE = 3  # 选举业主委员会或者更换业主委员会成员
    PROPERTY_COMPANY = 4  # 选聘和解聘物业服务企业或者其他管理人
    FUND_USE = 5  # 使用建筑物及其附属设施的维修资金
    FUND_RAISE = 6  # 筹集建筑物及其附属设施的维修资金
    REBUILDING = 7  # 改建、重建建筑物及其附属设施
    COMMON_PARTS = 8  # 改变共有部分的用途或者利用共有部分从事经营活动
    OTHER = 9  # 有关共有和共同管理权利的其他重大事项


NAMES: dict[Matter, str] = {
    Matter.PROCEDURE: "制定和修改业主大会议事规则",
    Matter.COVENANT: "制定和修改管理规约",
    Matter.COMMITTEE: "选举业主委员会或者更换业主委员会成员",
    Matter.PROPERTY_COMPANY: "选聘和解聘物业服务企业或者其他管理人",
    Matter.FUND_USE: "使用建筑物及其附属设施的维修资金",
    Matter.FUND_RAISE: "筹集建筑物及其附属设施的维修资金",
    Matter.REBUILDING: "改建、重建建筑物及其附属设施",
    Matter.COMMON_PARTS: "改变共有部分的用途或者利用共有部分从事经营活动",
    Matter.OTHER: "有关共有和共同管理权利的其他重大事项",
}

# 民法典 278(2): of the participating area and of the participating heads, at least three quarters.
_MAJOR = frozenset({Matter.FUND_RAISE, Matter.REBUILDING, Matter.COMMON_PARTS})


class Threshold(NamedTuple):
    """A share that has to be reached (`is_strict`: exceeded) in area and in heads alike."""

    numerator: int
    denominator: int
    is_strict: bool

    def reached(self, part: int, whole: int) -> bool:
        """Does `part` reach this share of `whole`? Whole numbers only; never of nothing."""
        if whole <= 0:
            return False
        left, right = self.denominator * part, self.numerator * whole
        return left > right if self.is_strict else left >= right


# 民法典 278(2): who takes part has to hold two thirds of the area and be two thirds of the heads.
QUORUM = Threshold(2, 3, is_strict=False)
ORDINARY = Threshold(1, 2, is_strict=True)
MAJOR = Threshold(3, 4, is_strict=False)


def threshold_of(matter: Matter) -> Threshold:
    """What of those who take part has to be for it: more than half, or for matters 6 to 8 three quarters."""
    return MAJOR if matter in _MAJOR else ORDINARY
