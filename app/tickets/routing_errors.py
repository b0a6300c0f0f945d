"""What dispatch rules and the choice of a person refuse."""

from __future__ import annotations

from app.errors import Conflict, Invalid


class RuleTie(Conflict):
    """Another rule is as specific and has the same priority; `rule_id` and `name` say which."""

    code = "rule_tie"
    zh = "与规则「{name}」完全同级，系统无法判断先后；请改条件，或设不同的优先级。"
    en = "This rule and “{name}” are equally specific; change one, or give them different priorities."


class MediatorOnly(Conflict):
    """A dispute goes to a mediator's post or to the community's desk only."""

    code = "mediator_only"
    zh = "矛盾纠纷只能派给调解室或社区，不能派给其他单位。"
    en = "Disputes go to a mediation post or the community's desk only."


class UnknownClass(Invalid):
    """There is no such class on the day from which the rule holds."""

    code = "unknown_category"
    zh = "没有这个问题类别，或它在这段时间没有启用。"
    en = "There is no such category on that day."


class RulePlace(Invalid):
    """A rule lies in one community: its estate or grid, or the whole of it."""

    code = "bad_rule_place"
    zh = "请选择规则所在的社区，小区和网格只能选一个，并须属于这个社区。"
    en = "Name the community; of estate and grid only one, of that community."


class RulePost(Invalid):
    """The post doesn't exist, is retired, belongs to another unit, or doesn't serve the rule's estate."""

    code = "bad_rule_post"
    zh = "这个岗位不存在、已停用、不属于这个单位，或不负责这个小区。"
    en = "This post doesn't exist, is retired, belongs to another unit, or doesn't serve that estate."


class MethodNeedsPost(Invalid):
    """Only a post with a roster says who is on shift."""

    code = "method_needs_post"
    zh = "按人派单需要选择岗位；没有岗位时只能由单位人员抢单。"
    en = "Choosing a person needs a post; without one the unit's people grab."


class RuleTime(Invalid):
    """A window has hours and weekdays; other times have none."""

    code = "bad_rule_time"
    zh = "时段规则须写开始和结束时间；其他时间类型不写。"
    en = "A window needs hours; other kinds of time have none."


class RuleDates(Invalid):
    """A change begins today or later, and ends after it begins."""

    code = "bad_rule_dates"
    zh = "只能从今天或以后起变更，结束日期须晚于开始日期。"
    en = "A change begins today or later and ends after it begins."


class RuleEnded(Conflict):
    """The rule no longer holds."""

    code = "rule_ended"
    zh = "这条规则已经结束，请新建一条。"
    en = "This rule has ended; make a new one."


class NoPost(Conflict):
    """The ticket wasn't given through a post, so there is no next in turn."""

    code = "no_post"
    zh = "这个工单不是按岗位派的，没有下一个值班人，请用指派。"
    en = "This ticket wasn't given through a post; assign it to somebody instead."


class NobodyElse(Conflict):
    """Nobody else is on shift at the post who could take it."""

    code = "nobody_else_on_shift"
    zh = "岗位上现在没有其他值班人可以接手。"
    en = "Nobody else is on shift at this post who could take it."


class StillOnShift(Conflict):
    """Whose tickets are to be handed over stands at the post right now."""

    code = "still_on_shift"
    zh = "这位工作人员现在正在值班，不需要交班；单个工单请用轮派。"
    en = "This person is on shift right now; pass single tickets on instead."
