"""What the duty rosters refuse."""

from __future__ import annotations

from app.errors import Conflict, Invalid


class RosterEmpty(Invalid):
    """A roster in which nobody ever stands."""

    code = "roster_empty"
    zh = "值班表里没有人，请至少排一个人。"
    en = "The roster has nobody; put at least one person in."


class TurnsOverlap(Invalid):
    """The same person stands twice at the same time."""

    code = "turns_overlap"
    zh = "{name} 的班次有重叠，请检查。"
    en = "Two turns of {name} overlap."


class StandsElsewhere(TurnsOverlap):
    """The same person stands at another post of the community at the same time."""

    zh = "{name} 在 {at} 已排在岗位“{post}”，班次重叠，请检查。"
    en = "{name} already stands at the post “{post}” on {at}; the turns overlap."


class NotOfUnit(Invalid):
    """Somebody in the roster doesn't work for the unit on that day."""

    code = "not_of_unit"
    zh = "值班表里有人不属于这个单位，请检查。"
    en = "Somebody in the roster doesn't work for this unit on that day."


class BadHours(Invalid):
    """Hours that can't be read, are empty, or longer than a day."""

    code = "bad_hours"
    zh = "班次时间不正确：写成 08:00 到 16:00；跨夜写成 22:00 到 06:00；一个班次最长 24 小时。"
    en = "Write hours as 08:00 to 16:00, over midnight as 22:00 to 06:00; a turn lasts at most 24 hours."


class BadChange(Invalid):
    """A change of a day that changes nobody's hours, or somebody's who doesn't stand there."""

    code = "bad_change"
    zh = "临时调班不正确：当天没有这个人的班，或没有写清谁来值、几点到几点。"
    en = "This change of a day isn't complete: who is away has no turn that day, or who comes has no hours."


class DatesReversed(Invalid):
    """The end isn't after the beginning."""

    code = "dates_reversed"
    zh = "结束日期应晚于开始日期。"
    en = "The end must lie after the beginning."


class PastDate(Invalid):
    """What stood in the roster yesterday stays."""

    code = "past_date"
    zh = "只能从今天或以后的日期起变更，历史不能改写。"
    en = "A change begins today or later; history stays."


class UnknownUnit(Invalid):
    """The organisation doesn't exist or doesn't work in this community."""

    code = "unknown_org"
    zh = "这个单位不存在、已停用，或不负责这个社区。"
    en = "This organisation doesn't exist, is no longer active, or doesn't work in this community."


class UnknownPlace(Invalid):
    """An estate that the community hasn't."""

    code = "unknown_estate"
    zh = "这个社区没有这个小区。"
    en = "There is no such estate in this community."


class PostExists(Conflict):
    """The unit has a post of that name in the community."""

    code = "post_exists"
    zh = "这个单位已有同名的岗位。"
    en = "This unit has a post of that name."


class PostRetired(Conflict):
    """The post is no longer in use."""

    code = "post_retired"
    zh = "这个岗位已停用，请先启用。"
    en = "This post is no longer in use; take it up again first."
