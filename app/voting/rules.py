"""The estate's own rules of procedure (议事规则) as far as they decide how a vote runs and how it is counted.

They are settings of the estate, copied into each decision when it is announced; what the estate changes later doesn't
touch it. The defaults are what the law says where it says something, and the careful choice where it leaves it to the
owners (`domain.md` §2.2; 最高法建筑物区分所有权解释, 业主大会和业主委员会指导规则).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

import orjson


class Unreturned(StrEnum):
    """What a ballot paper that was delivered, with proof, and never came back counts as."""

    NOT_COUNTED = "not_counted"
    TAKES_PART = "takes_part"  # participates and abstains
    JOINS_MAJORITY = "joins_majority"  # participates, and goes with the majority of those who voted


class PaperOverOnline(StrEnum):
    """A head that voted online hands in a signed paper before the close, or the other way round."""

    PAPER = "paper"  # the signed sheet holds
    FIRST = "first"  # what came first holds


class Disclosure(StrEnum):
    """What everyone bound by it may see after certification."""

    TOTALS = "totals"
    BY_ROOM_TO_OWNERS = "by_room_to_owners"  # verified owners see room and choice, no name, and can recount


class Transfer(StrEnum):
    """A title passes on between the freeze and the close."""

    NEW_OWNER_UNLESS_CAST = (
        "new_owner_unless_cast"  # a cast ballot stands, else the new owner votes (北京业主)
    )
    ROLL_HOLDS = "roll_holds"  # who was on the roll votes


@dataclass(frozen=True, kw_only=True)
class Rules:
    """One decision's rules. Days are calendar days of Asia/Shanghai."""

    # Who and what counts.
    parking_counted: bool = False  # parking spaces and garages that are exclusive parts (解释 2)
    storage_counted: bool = False
    unreturned: Unreturned = Unreturned.NOT_COUNTED
    invalid_takes_part: bool = False
    # Casting.
    electronic_admitted: bool = False  # the stored 议事规则 admits electronic ballots (file, clause, date)
    paper_over_online: PaperOverOnline = PaperOverOnline.PAPER
    change_allowed: bool = False
    proxies_per_person: int = 3  # 潍坊: at most three for one person
    property_staff_may_proxy: bool = False  # 舟山: they may not
    transfer: Transfer = Transfer.NEW_OWNER_UNLESS_CAST
    # Times.
    notice_days: int = 15  # 物业管理条例 12
    roll_objection_days: int = 7  # from the announcement, and always over before the opening
    window_days_min: int = 5  # 杭州 20
    window_days_max: int = 60
    may_extend: bool = True
    extension_days_max: int = 30
    candidate_posting_days: int = 7  # 杭州
    posting_days: int = 15  # 清远, for an electronic vote
    filing_days: int = 30  # 物业管理条例 16: with the street within 30 days of the election
    # Elections.
    joint_nomination_percent: int = 20  # 聊城
    # Telling.
    disclosure: Disclosure = Disclosure.TOTALS
    login_is_delivery: bool = False
    message_is_delivery: bool = False

    def as_json(self) -> dict[str, Any]:
        """As the decision and leaf 0 of its log keep it: each name with its value."""
        return {name: str(v) if isinstance(v, StrEnum) else v for name, v in asdict(self).items()}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Rules:
        """The rules that were stored; names that a later version of the software added have their default."""
        kinds = {"unreturned": Unreturned, "paper_over_online": PaperOverOnline}
        more = {"disclosure": Disclosure, "transfer": Transfer}
        values = {f.name: stored[f.name] for f in fields(cls) if f.name in stored}
        for name, kind in (kinds | more).items():
            if name in values:
                values[name] = kind(values[name])
        return cls(**values)


@functools.lru_cache(maxsize=1024)  # everybody whom a decision binds asks by the same
def of_text(stored: str) -> Rules:
    """The rules of a decision's row as the database writes them."""
    return Rules.of(orjson.loads(stored))
