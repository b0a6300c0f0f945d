"""On which ground a report isn't accepted (不予受理的情形)."""

from __future__ import annotations

from enum import StrEnum


class Ground(StrEnum):
    """What 12345 rules let a desk refuse, each with its reason told (潍坊市 12345 条例 19), and what isn't for it."""

    IN_PROCEEDINGS = "in_proceedings"  # court, arbitration, discipline or petition under way
    CONFIDENTIAL = "confidential"
    SETTLED = "settled"
    NOT_OURS = "not_ours"


WORDS = {
    Ground.IN_PROCEEDINGS: "已进入诉讼、仲裁、纪检监察或信访等法定程序",
    Ground.CONFIDENTIAL: "涉及国家秘密、商业秘密或者个人隐私",
    Ground.SETTLED: "已经依法处理完毕",
    Ground.NOT_OURS: "不属于受理范围",
}


def told(ground: Ground | None, reason: str) -> str:
    """What the reporter reads: the ground, where one was named, and the desk's own words."""
    return reason if ground is None else f"{WORDS[ground]}。{reason}"
