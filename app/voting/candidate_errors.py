"""What nominations refuse."""

from __future__ import annotations

from app.errors import Conflict, Invalid


class NotAnElection(Conflict):
    """Only an election has candidates."""

    code = "not_an_election"
    zh = "这不是选举，没有候选人。"
    en = "This is no election; it has no candidates."


class NominationsOver(Conflict):
    """Nobody can be nominated now."""

    code = "nominations_closed"
    zh = "现在不在提名时间内。"
    en = "Nominations are not open now."


class AlreadyNominated(Conflict):
    """The same owner stands already."""

    code = "already_nominated"
    zh = "这位业主已经被提名。"
    en = "This owner is nominated already."


class AlreadyBacked(Conflict):
    """An owner backs a candidate once."""

    code = "already_backed"
    zh = "您已经联名推荐过这位候选人。"
    en = "You have backed this candidate already."


class NotForBacking(Conflict):
    """Only joint nominations that wait for backers can be backed."""

    code = "not_for_backing"
    zh = "这位候选人不需要联名推荐。"
    en = "This candidate is not waiting for backers."


class TooFewBackers(Conflict):
    """The rules ask for a share of the owners."""

    code = "too_few_backers"
    zh = "联名推荐的业主不够：已有 {backed} 人，需要 {needed} 人。"
    en = "{backed} owners back this nomination; {needed} are needed."


class NotHerOwner(Invalid):
    """A candidate is an owner of the estate."""

    code = "owner_needed"
    zh = "候选人应是本小区业主，请选择登记中的业主。"
    en = "A candidate is an owner of the estate; choose her in the registry."


class CheckedAlready(Conflict):
    """She was checked or has withdrawn."""

    code = "already_checked"
    zh = "这位候选人已审核或已退出。"
    en = "This candidate was checked already, or has withdrawn."


class RollIsFrozen(Conflict):
    """The ballot paper is fixed with the roll."""

    code = "roll_frozen"
    zh = "业主名册和候选人名单已确定，不能再退出。"
    en = "Roll and ballot are fixed; nobody can withdraw any more."


class NoFirstRound(Conflict):
    """Nobody to take over from the round before."""

    code = "no_first_round"
    zh = "没有需要第二轮的上一轮选举。"
    en = "There is no round before that needs a second one."


class NameMissing(Invalid):
    """A joint nomination says whom."""

    code = "name_missing"
    zh = "请填写被推荐人的姓名。"
    en = "Name whom you propose."


class TooFewLeft(Conflict):
    """An announced election keeps more candidates than seats; else it is cancelled and announced again."""

    code = "too_few_candidates"
    zh = "退出后只剩 {left} 名候选人，应选 {seats} 人，达不到差额选举。确需退出的，请先取消本次选举再重新公告。"
    en = "Only {left} candidates would be left for {seats} seats; cancel the election and announce it again."


class OtherSeats(Conflict):
    """A second round fills what the first left open, no more and no less."""

    code = "other_seats"
    zh = "上一轮空缺 {left} 人，第二轮的应选人数应为 {left} 人。"
    en = "The round before left {left} seats open; the second one is about just these."
