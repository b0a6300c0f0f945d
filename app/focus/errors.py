"""What the focus groups refuse, in words for the member of staff who asked."""

from __future__ import annotations

from app.errors import Conflict, Invalid


class UnknownKind(Invalid):
    """There is no such focus group today."""

    code = "unknown_focus_group"
    zh = "没有这个人群类别，或已停用。"
    en = "There is no such focus group, or it is no longer used."


class KindTaken(Conflict):
    """The code stands for another focus group."""

    code = "focus_group_taken"
    zh = "这个代码已用于另一个人群类别。"
    en = "This code stands for another focus group."


class DutyMissing(Invalid):
    """A group by statute names the law that makes it a duty; a group by consent has none."""

    code = "duty_missing"
    zh = "依法定职责设立的类别须写明法律条款；以同意为依据的类别不填。"
    en = "A group by statute names its law; a group by consent names none."


class ConsentMissing(Invalid):
    """The group rests on consent, and there is none."""

    code = "consent_missing"
    zh = "这一类别须本人（或监护人）单独同意：请填写同意书编号和日期。"
    en = "This group needs the person's own consent: give the paper's number and its day."


class ConsentNotNeeded(Invalid):
    """The group rests on a law; a consent that can't be refused is none."""

    code = "consent_not_needed"
    zh = "这一类别以法定职责为依据，不征求同意，请不要填写同意书。"
    en = "This group rests on a legal duty; no consent is asked for."


class TaggedAlready(Conflict):
    """She is in this group already."""

    code = "tagged_already"
    zh = "这位居民已在这个人群类别中。"
    en = "This person is in this group already."


class NotListed(Conflict):
    """She isn't in this group."""

    code = "not_listed"
    zh = "这位居民不在这个人群类别中。"
    en = "This person is not in this group."


class OwnerNotHere(Invalid):
    """The owner named doesn't hold this house today, or isn't a person."""

    code = "owner_not_here"
    zh = "这位业主不是该房屋现在的业主。"
    en = "This is not an owner of the house today."


class BadFocusDay(Invalid):
    """A consent or a beginning in the future, an end before the beginning, a review in the past."""

    code = "bad_focus_day"
    zh = "日期不正确：同意和开始日期不能晚于今天，结束日期不能早于开始日期，复核日期不能早于今天。"
    en = "A day is not right: consent and beginning not after today, end after the beginning, review not before today."


class NotADweller(Conflict):
    """An owner's name and phones are corrected in the registry, where they stand."""

    code = "not_a_dweller"
    zh = "这位居民是业主，姓名和电话请在房屋登记中修改。"
    en = "This person is an owner: name and phone are corrected in the registry."


class PurposeMissing(Invalid):
    """Numbers of an area, a building or one's own grid point at doors: for who may read the list, and says why."""

    code = "purpose_missing"
    zh = "按楼栋、小区或本网格统计须说明用途。"
    en = "Counts by building, estate or one's own grid need a purpose."
