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


class EstateMissing(Invalid):
    """Staff take a report in without saying where."""

    code = "where"
    zh = "请选择小区，才知道派给谁。"
    en = "Please choose the estate, so that it is known who should come."


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
    """Who reports it fixed, or works for the property company that fixed it, can't also be who confirms it."""

    code = "own_work"
    zh = "处理人和处理物业的员工不能核实自己的处理结果，请由其他人员核实。"
    en = "Who fixed it, or works for the company that did, can't confirm it; someone else must check."


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


class TooManyHops(Conflict):
    """Returned three times already, or by this very unit before: 首接负责, it stays here."""

    code = "too_many_hops"
    zh = "这个工单已多次退单或本单位已退过一次，不能再退，请处理或联系社区协调。"
    en = "This ticket can't be returned again; handle it or ask the desk to coordinate."


class PartsOpen(Conflict):
    """An assisting unit hasn't finished its task."""

    code = "parts_open"
    zh = "还有协办单位的任务没有完成，不能提交办结。"
    en = "An assisting unit hasn't finished its task yet."


class NeverPaused(Conflict):
    """Urgent tickets have no pause."""

    code = "never_paused"
    zh = "紧急工单不能暂停计时。"
    en = "An urgent ticket's clock never stands."


class PauseTooLate(Conflict):
    """The limit is over: standing still now would only stop the ladder."""

    code = "pause_too_late"
    zh = "已超过办结时限，不能再暂停计时，请尽快办理。"
    en = "The limit is over, so the clock can't be stopped any more; please go on with the work."


class PauseTooLong(Invalid):
    """Longer than the cap of a pause."""

    code = "pause_too_long"
    zh = "一个工单累计最多暂停 {days} 天，还可暂停 {left} 天。"
    en = "A ticket stands for at most {days} days in all; {left} are left."


class ExtensionTooLate(Conflict):
    """The limit is over: time is neither asked for nor granted afterwards."""

    code = "extension_too_late"
    zh = "已超过办结时限，不能再申请或批准延期。"
    en = "The limit is over; an extension has to be asked for and granted before."


class ExtensionPending(Conflict):
    """One request at a time."""

    code = "extension_pending"
    zh = "已有一个延期申请在等待审批。"
    en = "An extension is already waiting for a decision."


class BadExtension(Invalid):
    """Not after the present limit, or more than 30 days after it."""

    code = "bad_extension"
    zh = "延期时间应晚于现在的办结时限，且最多延长 30 天。"
    en = "The new limit must lie after the present one, by at most 30 days."


class AlreadyDecided(Conflict):
    """The request has its answer."""

    code = "already_decided"
    zh = "这个申请已经处理过了。"
    en = "This request has been decided already."


class AlreadyTaken(Conflict):
    """Somebody else was faster."""

    code = "already_taken"
    zh = "这个工单已被其他人员接单。"
    en = "Somebody else has taken this ticket."


class UrgedJustNow(Conflict):
    """Once in 12 hours."""

    code = "urged_just_now"
    zh = "您刚催办过，工作人员已收到。12 小时后可以再次催办。"
    en = "You have urged it just now; you can do so again after 12 hours."


class BadMerge(Invalid):
    """Into itself, into an ended or merged one, or into a ticket of another community."""

    code = "bad_merge"
    zh = "不能合并到这个工单：须是本社区另一个未办结的工单。"
    en = "A ticket merges only into another open one of the same community."


class BadReferral(Invalid):
    """To the same community, or to one that doesn't exist or has no desk."""

    code = "bad_referral"
    zh = "不能转到这个社区。"
    en = "The ticket can't be referred to that community."


class AlreadyJoined(Conflict):
    """It is hers, or she has joined it before."""

    code = "already_joined"
    zh = "您已关注这个问题，处理进展会通知您。"
    en = "You are following this already."


class NotJoinable(Conflict):
    """Private classes and ended tickets can't be joined."""

    code = "not_joinable"
    zh = "这个问题不能加入，请单独上报。"
    en = "This one can't be joined; please report it yourself."


class BeyondCalendar(Conflict):
    """No end of a limit in sight: the calendar has too few working days for more than a year."""

    code = "beyond_calendar"
    zh = "工作日历里一年多都没有足够的工作日，无法计算时限，请联系街道检查日历。"
    en = "The calendar has too few working days for more than a year; the street office must correct it."


class SharedProblem(Conflict):
    """Others have joined the ticket, or theirs were merged into it: it is no longer hers alone to withdraw."""

    code = "shared_problem"
    zh = "其他居民也遇到了这个问题，不能撤回，处理会继续进行。"
    en = "Others have the same problem, so it can't be withdrawn; the work goes on."


class TooManyReferrals(Conflict):
    """Referred three times already."""

    code = "too_many_referrals"
    zh = "这个工单已多次转办，不能再转，请联系街道协调。"
    en = "This ticket has been referred three times; ask the street office to coordinate."


class BadCalendar(Invalid):
    """Days with a gap or twice, of several years, or a year without working days."""

    code = "bad_calendar"
    zh = "日历不正确：日期应连续、不重复，并且每年都有工作日。"
    en = "The days must follow each other without gap or repetition, and every year needs working days."


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


class BadMeeting(Invalid):
    """The meeting lies in the future or before the report, or names a unit that can't be given work here."""

    code = "bad_meeting"
    zh = "协调会的时间或单位不正确。"
    en = "The meeting's time or its units are not valid."


class LeadElsewhere(Conflict):
    """Another unit has the ticket: who leads is decided by sending it there, not by minutes."""

    code = "lead_elsewhere"
    zh = "工单正由别的单位办理，要换主办单位，请先退回再派单。"
    en = "Another unit has the ticket; to change the lead, have it returned and dispatch it anew."


class BeyondLimit(Conflict):
    """The agreed deadline lies after the ticket's limit (`due_at`): that needs an approved extension first."""

    code = "extension_needed"
    zh = "商定的期限晚于工单的办结时限，请先由办理单位申请延期。"
    en = "The agreed deadline lies after the ticket's limit; an extension has to be approved first."


class NotAPair(Invalid):
    """A ticket and itself, or tickets of two communities."""

    code = "not_a_pair"
    zh = "请选择同一社区的两件工单。"
    en = "Choose two tickets of one community."
