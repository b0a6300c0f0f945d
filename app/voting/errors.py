"""What votes refuse, in words for the person who asked."""

from __future__ import annotations

from app.errors import Conflict, Forbidden, Invalid, NotFound


class IllegalMove(Conflict):
    """The decision isn't in a state for this move."""

    code = "illegal_move"
    zh = "表决目前的状态不能这样操作，请刷新后再看。"
    en = "Not possible in the decision's present state; refresh and look."


class Announced(Conflict):
    """Texts, dates and rules are what was announced; nobody changes them any more."""

    code = "already_announced"
    zh = "表决已公告，内容、时间和规则不能再改。需要改动请先取消，再重新公告。"
    en = "What was announced can't be changed; cancel it and announce again."


class InReview(Conflict):
    """Who reviews reads what was handed in: it doesn't change meanwhile."""

    code = "in_review"
    zh = "正在审核，不能修改。请审核人退回后再改。"
    en = "Under review; ask for it to be sent back first."


class SecondPersonNeeded(Forbidden):
    """Whoever wrote it doesn't review it."""

    code = "second_person"
    zh = "起草人、修改人或送审人不能自己审核，请另一位同事审核。"
    en = "Who wrote at it or handed it in doesn't review it."


class ReasonNeeded(Invalid):
    """A move against what others expect needs its reason."""

    code = "reason_needed"
    zh = "请填写原因。"
    en = "Give the reason."


class TimesMissing(Invalid):
    """A decision is announced with its window."""

    code = "times_missing"
    zh = "请填写表决的开始时间和结束时间。"
    en = "Give when it opens and when it closes."


class NoticeTooShort(Invalid):
    """物业管理条例 12: fifteen days before."""

    code = "notice_too_short"
    zh = "公告至少提前 {days} 天，请把开始时间推后。"
    en = "It has to be announced {days} days before it opens."


class BadWindow(Invalid):
    """The window is shorter or longer than the rules have it."""

    code = "bad_window"
    zh = "表决时间应为 {least} 至 {most} 天。"
    en = "A vote is open for {least} to {most} days."


class MotionsWrong(Invalid):
    """Motions don't fit the kind of decision."""

    code = "bad_motions"
    zh = "议题有误，请检查。"
    en = "Something in the motions is not right."


class BadBuildings(Invalid):
    """A building that isn't of this estate."""

    code = "bad_buildings"
    zh = "所选楼栋不属于这个小区。"
    en = "Not buildings of this estate."


class BadPrevious(Invalid):
    """The round before isn't one of this estate that has ended."""

    code = "bad_previous"
    zh = "上一轮表决应是本小区已结束的表决。"
    en = "The round before has to be an ended decision of this estate."


class ModeNotAllowed(Conflict):
    """The street hasn't given the estate's votes this legal effect."""

    code = "mode_not_allowed"
    zh = "街道没有为本小区开通这种表决方式。"
    en = "The street has not allowed this kind of vote here."


class DocumentMissing(Invalid):
    """A legal effect rests on a document."""

    code = "document_missing"
    zh = "请填写依据的文件。"
    en = "Name the document that allows it."


class CandidatesMissing(Conflict):
    """差额选举: more candidates than seats."""

    code = "too_few_candidates"
    zh = "候选人应多于应选人数，请先完成提名和审核。"
    en = "There have to be more candidates than seats."


class CandidatesPosted(Conflict):
    """Objections to a candidate are still possible, or nobody has checked one."""

    code = "candidates_not_final"
    zh = "候选人还没有审核完，或公示期未满，不能公告表决。"
    en = "Candidates aren't checked yet, or objections to them are still possible."


class TooEarly(Conflict):
    """Not before its time."""

    code = "too_early"
    zh = "还没到时间，不能这样操作。"
    en = "It is not time yet."


class NothingOnRoll(Conflict):
    """The registry knows no house that could vote."""

    code = "empty_roll"
    zh = "登记里没有可以表决的房屋，请先完善房屋和业主登记。"
    en = "The registry has no house that could vote."


class NoExtension(Conflict):
    """The announced rules allow no extension, or it was extended before."""

    code = "no_extension"
    zh = "公告的规则不允许延期，或已经延期过一次。"
    en = "The announced rules allow no extension, or there was one."


class BadExtension(Invalid):
    """Later than before, and not too late."""

    code = "bad_extension"
    zh = "新的结束时间应晚于原来的时间，最多延长 {days} 天。"
    en = "The new end lies after the old one, by at most {days} days."


class ObjectionsOver(Conflict):
    """Objections to this are possible no longer, or not yet."""

    code = "objections_over"
    zh = "现在不在异议期内。"
    en = "Objections to this are not open now."


class AlreadyObjected(Conflict):
    """She has an open objection to the same."""

    code = "already_objected"
    zh = "您已就此提出异议，请等待处理结果。"
    en = "You have objected to this already."


class NotOnRoll(Conflict):
    """None of the heads of the roll is hers."""

    code = "not_on_roll"
    zh = "您不在这次表决的业主名册上。"
    en = "You are not on the roll of this decision."


class NotFrozen(NotFound):
    """The roll isn't frozen yet."""

    code = "not_frozen"
    zh = "业主名册尚未确定。"
    en = "The roll is not frozen yet."


class PetitionOver(Conflict):
    """It reached its share, ran out or was withdrawn."""

    code = "petition_over"
    zh = "这份联名提议已结束。"
    en = "This petition has ended."


class OwnersOnly(Conflict):
    """Only an owner with a vote asks for a meeting."""

    code = "weak_identity"
    zh = "需要先核实业主身份。"
    en = "Only a verified owner can do this."


class AlreadySigned(Conflict):
    """Her head has signed."""

    code = "already_signed"
    zh = "您已联名。"
    en = "You have signed already."


class BadRules(Invalid):
    """Rules of procedure that contradict themselves."""

    code = "bad_rules"
    zh = "最短表决时间不能长于最长表决时间。"
    en = "The shortest window can't be longer than the longest."


class RemindedToday(Conflict):
    """Once a day is enough."""

    code = "reminded_today"
    zh = "今天已提醒过，请明天再提醒。"
    en = "They were reminded today; once a day is enough."


class ProofMissing(Invalid):
    """What staff enter as told is shown: the signed receipt, or the notice as it hangs."""

    code = "proof_missing"
    zh = "请上传签收单或张贴公告的照片。"
    en = "Upload a photo of the signed receipt, or of the notice that was posted."


class PostedLate(Conflict):
    """A notice hangs for seven days before the close, or it reaches nobody."""

    code = "posted_late"
    zh = "公告送达至少要在截止前 {days} 天张贴。"
    en = "A notice has to be posted {days} days before the close."


class Reached(Conflict):
    """A posted notice is the last way, for whom no other reaches."""

    code = "reached_otherwise"
    zh = "其中 {heads} 户可以用其他方式送达，不能用公告送达。"
    en = "{heads} of them can be reached in another way."
