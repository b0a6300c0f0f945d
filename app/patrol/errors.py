"""What the patrol services refuse. A doubtful visit isn't refused: it is kept with its reasons."""

from __future__ import annotations

from app.errors import Conflict, Forbidden, Invalid


class ShiftAlreadyOpen(Conflict):
    """One person walks one patrol at a time; `shift_id` names the open one."""

    code = "shift_already_open"
    zh = "您还有一次巡查没有结束，请先结束再开始新的。"
    en = "You have a patrol under way; end it before you start another."


class ShiftNotOpen(Conflict):
    """The shift has ended, by its worker or at the cap."""

    code = "shift_not_open"
    zh = "这次巡查已结束，不再接收位置。"
    en = "This patrol has ended; it takes no more positions."


class NoOpenShift(Conflict):
    """A visit needs a shift."""

    code = "no_open_shift"
    zh = "请先开始巡查，再打卡。"
    en = "Start the patrol first, then check in at its points."


class OffShift(Invalid):
    """A position was taken before the shift began or lies in the future; none of the batch is kept."""

    code = "off_shift"
    zh = "有位置不在本次巡查的时间内，整批未保存。"
    en = "Some positions were not taken during this patrol; none of them was kept."


class BadPosition(Invalid):
    """NaN, infinite, or outside China."""

    code = "bad_position"
    zh = "位置不正确（须为国内的经纬度）。"
    en = "The position is not valid (it must be a longitude and latitude in China)."


class TooManyPositions(Invalid):
    """More positions in one batch than it takes."""

    code = "too_many_positions"
    zh = "一次最多上传 {most} 个位置，请分批上传。"
    en = "A batch takes at most {most} positions; please send several."


class UnknownCode(Invalid):
    """The code is none of ours, or hangs at another point."""

    code = "unknown_code"
    zh = "这个二维码不是本点位的巡查码，请核对后重新扫码。"
    en = "This is not the code of this patrol point; check and scan again."


class NothingShown(Invalid):
    """Neither a code nor a position."""

    code = "nothing_shown"
    zh = "请扫描点位二维码，或允许获取位置。"
    en = "Scan the code of the point, or allow your position."


class FutureTime(Invalid):
    """Scanned in the future."""

    code = "future_time"
    zh = "打卡时间晚于现在，请校准手机时间。"
    en = "The time of the visit lies in the future; set your phone's clock."


class UnknownTicket(Invalid):
    """The ticket isn't there for the one who names it, or belongs to another community."""

    code = "unknown_ticket"
    zh = "没有找到这个工单，或它不属于这个社区。"
    en = "There is no such ticket in this community for you."


class Nobody(Invalid):
    """A plan needs somebody who walks it."""

    code = "nobody"
    zh = "请指定由哪个单位或网格巡查。"
    en = "Say which organisation or grid walks this plan."


class RosterEmpty(Invalid):
    """Nobody who may walk works for that organisation or grid, or the named ones don't."""

    code = "roster_empty"
    zh = "指定的单位或网格目前没有可以巡查的人员，或所选人员不在其中。"
    en = "Nobody who may patrol works there today, or the people named don't."


class UnknownOrg(Invalid):
    """The organisation doesn't exist or doesn't work in this community."""

    code = "unknown_org"
    zh = "巡查单位不存在，或不负责这个社区。"
    en = "This organisation doesn't exist or doesn't work in this community."


class UnknownGrid(Invalid):
    """The grid doesn't exist in this community."""

    code = "unknown_grid"
    zh = "这个社区没有这个网格。"
    en = "There is no such grid in this community."


class UnknownPoint(Invalid):
    """A point of the route doesn't exist, is retired, or lies in another community or estate."""

    code = "unknown_point"
    zh = "路线中有点位不存在、已停用，或不在同一社区（小区）。"
    en = "A point of the route doesn't exist, is retired, or lies elsewhere."


class PointTwice(Invalid):
    """A route visits a point once a window."""

    code = "point_twice"
    zh = "同一点位在路线中只能出现一次，多次巡查请设置多个时段。"
    en = "A point stands once in a route; to see it more often, add hours."


class WhereMissing(Invalid):
    """A point lies in an estate or a grid."""

    code = "where"
    zh = "请选择点位所在的小区或网格（须属同一社区）。"
    en = "Say in which estate or grid the point lies (of one community)."


class PositionNeeded(Invalid):
    """A point that is proved by position has one."""

    code = "position_needed"
    zh = "按位置打卡的点位必须设置位置。"
    en = "A point that is proved by position needs one."


class DatesReversed(Invalid):
    """The end lies before the beginning."""

    code = "dates_reversed"
    zh = "结束日期不能早于开始日期。"
    en = "The end must not lie before the beginning."


class PastDate(Invalid):
    """What was asked for in the past is not rewritten."""

    code = "past_date"
    zh = "不能改变已经过去的日期的计划。"
    en = "A plan can't be changed for days gone by."


class SpanTooLong(Invalid):
    """More days than one answer covers."""

    code = "span_too_long"
    zh = "一次最多查询 {most} 天。"
    en = "One question covers at most {most} days."


class BadWindow(Invalid):
    """The hours of a plan are unreadable, empty or overlap."""

    code = "bad_window"
    zh = "巡查时段不正确：应为 HH:MM，开始与结束不能相同，时段之间不能重叠。"
    en = "The hours are not valid: HH:MM, not empty, and without overlap."


class PlanUnderWay(Conflict):
    """The plan was walked today: a change can start tomorrow."""

    code = "plan_under_way"
    zh = "这个计划今天已有人巡查，修改最早从明天起生效。"
    en = "This plan has been walked today; a change can take effect from tomorrow."


class PlanNotInForce(Conflict):
    """The plan asks for nothing today."""

    code = "plan_not_in_force"
    zh = "这个巡查计划今天不生效。"
    en = "This plan is not in force today."


class NotYourPlan(Forbidden):
    """She sees the plan, but others walk it."""

    code = "not_your_plan"
    zh = "您不在这个巡查计划的人员之中。"
    en = "This plan is walked by others."


class ThresholdsReversed(Invalid):
    """The threshold of the key grade lies above that of the regular one."""

    code = "thresholds_reversed"
    zh = "重点区域的阈值必须高于常规区域的阈值。"
    en = "The threshold of a key zone must lie above that of a regular one."
