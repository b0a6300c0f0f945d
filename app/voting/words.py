"""What is said of a vote's legal effect, wherever it is shown, and how far something is."""

from __future__ import annotations

from app.voting.models import LegalMode

# (Chinese, English). The Chinese is what screens, messages, printed pages and exports carry.
_MODES = {
    LegalMode.POLL: (
        "意见征询，不具有法律效力。",
        "An opinion poll without legal effect.",
    ),
    LegalMode.PAPER_BACKED: (
        "正式表决：以本人签名的书面表决票，或议事规则认可的电子表决票为准。",
        "A formal vote: signed papers count, and electronic ballots where the rules of procedure admit them.",
    ),
    LegalMode.OFFICIAL: (
        "正式投票在主管部门的系统中进行；这里只作公告、提醒和结果公示。",
        "Ballots are cast in the authority's own system; here it is announced and its result is shown.",
    ),
}
_OPENING = {
    "waiting": ("等待异议期结束。", "Waiting until objections are over."),
    "working": ("正在生成业主名册。", "The roll is being written."),
    "done": ("业主名册已确定。", "The roll is frozen."),
}


def mode(legal_mode: str, *, english: bool = False) -> str:
    """What effect the ballots have in law, in one sentence."""
    return _MODES[LegalMode(legal_mode)][1 if english else 0]


def opening(state: str, *, english: bool = False) -> str:
    """How far the freeze of the roll is."""
    return _OPENING[state][1 if english else 0]
