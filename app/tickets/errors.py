"""What the ticket services refuse."""

from __future__ import annotations

from app.errors import Conflict, Invalid


class IllegalMove(Conflict):
    """The ticket is not in a state from which this can be done; `allowed` names what can."""

    code = "illegal_move"
    zh = "工单目前的状态不能进行这项操作，可能已被别人处理，请刷新后查看。"
    en = "Not possible in the ticket's present state; someone may have acted before you. Refresh and look."


class WhereMissing(Invalid):
    """A report needs a place: position, estate or membership. `estates` offers those known of the resident."""

    code = "where"
    zh = "请选择小区，或允许获取位置，我们才知道派给谁。"
    en = "Please choose your estate or allow your position, so that we know who should come."


class OutsideService(Invalid):
    """The position lies in China but in no place that is served."""

    code = "where"
    zh = "您的位置不在服务范围内，请选择小区后再上报。"
    en = "Your position is outside the area served; please choose the estate."


class BadPosition(Invalid):
    """NaN, infinite, or outside China."""

    code = "bad_position"
    zh = "位置不正确，请重新定位或直接选择小区。"
    en = "The position is not valid; locate again or choose the estate."


class NothingReported(Invalid):
    """Neither photo nor text."""

    code = "nothing_reported"
    zh = "请拍一张照片，或写一句话说明问题。"
    en = "Please add a photo or say in a sentence what is wrong."


class UnknownCategory(Invalid):
    """There is no such category."""

    code = "unknown_category"
    zh = "没有这个问题类别，请重新选择。"
    en = "There is no such category; please choose again."


class UnknownEstate(Invalid):
    """There is no such estate."""

    code = "unknown_estate"
    zh = "没有找到这个小区，请重新选择。"
    en = "There is no such estate; please choose again."


class PhotoRequired(Invalid):
    """The category, or the proof of a repair, needs a photo."""

    code = "photo_required"
    zh = "这类问题需要至少一张照片。"
    en = "At least one photo is needed here."


class TooManyPhotos(Invalid):
    """More than nine photos for one ticket."""

    code = "too_many_photos"
    zh = "每个工单最多 9 张照片。"
    en = "A ticket takes at most 9 photos."


class NoDesk(Conflict):
    """No organisation answers here, not even the community's desk."""

    code = "no_desk"
    zh = "这个社区还没有设置受理单位，请联系街道。"
    en = "No organisation is set up for this community; please contact the street office."


class UnknownOrg(Invalid):
    """The organisation doesn't exist or doesn't work in this community."""

    code = "unknown_org"
    zh = "处理单位不存在，或不负责这个社区。"
    en = "This organisation doesn't exist or doesn't work in this community."


class UnknownHandler(Invalid):
    """The member of staff doesn't work for that organisation."""

    code = "unknown_handler"
    zh = "这位工作人员不属于该处理单位。"
    en = "This member of staff doesn't work for that organisation."


class OwnWork(Conflict):
    """Who reports it fixed can't also be who confirms it."""

    code = "own_work"
    zh = "处理人不能核实自己的处理结果，请由其他人员核实。"
    en = "Who fixed it can't confirm it; someone else must check."


class RatingClosed(Conflict):
    """More than 15 days since the ticket was closed."""

    code = "rating_closed"
    zh = "评分已截止（办结后 15 天内可评分）。"
    en = "Rating is no longer possible (15 days after closing)."


class AlreadyRated(Conflict):
    """The ticket has its rating."""

    code = "already_rated"
    zh = "您已评过分。"
    en = "You have rated this already."


class BadAnswers(Invalid):
    """An answer to a question that the category doesn't ask, or outside its options; `errors` names each."""

    code = "bad_answers"
    zh = "有回答不符合这个类别的问题，请检查。"
    en = "An answer doesn't fit this category's questions; please check."


class BadClass(Invalid):
    """What a category is called, asks or promises isn't usable; `errors` names each field."""

    code = "bad_category"
    zh = "类别的内容不正确，请检查。"
    en = "Something about this category is not right; please check."


class UnknownParent(Invalid):
    """There is no such parent, or not on every day of the term."""

    code = "unknown_parent"
    zh = "上级类别不存在，或在这段时间内没有启用。"
    en = "There is no such parent category on every day of this term."


class ClassCycle(Conflict):
    """The category would be among its own ancestors."""

    code = "category_cycle"
    zh = "类别不能归到自己的下级之下。"
    en = "A category can't stand below itself."


class ClassExists(Conflict):
    """The code is taken, also by a category that was ended: old tickets still carry it."""

    code = "category_exists"
    zh = "这个类别编码已被使用。"
    en = "This category code is taken."


class PastDate(Invalid):
    """What held yesterday stays: a change begins today or later."""

    code = "past_date"
    zh = "只能从今天或以后的日期起变更，历史不能改写。"
    en = "A change begins today or later; history stays."


class DatesGap(Conflict):
    """The change would leave days on which nobody knows what holds."""

    code = "dates_gap"
    zh = "变更前后的日期之间有空缺。"
    en = "The dates would leave a gap."


class DatesOverlap(Conflict):
    """The change runs into the next one that is already planned, or ends a term before it began."""

    code = "dates_overlap"
    zh = "日期与已有的安排重叠。"
    en = "The dates overlap with what is already planned."


class HasSubclasses(Conflict):
    """Categories below it still hold; `subclasses` names them."""

    code = "has_subclasses"
    zh = "这个类别下面还有启用的类别，请先停用或移走它们。"
    en = "There are active categories below this one; end or move them first."
