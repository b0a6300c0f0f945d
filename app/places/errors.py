"""What the registry refuses, in words for the clerk who asked."""

from __future__ import annotations

from app.errors import Conflict, Invalid


class BadCell(Invalid):
    """A name, phone or ID number isn't one; which and why stands in `errors`."""

    code = "bad_value"
    zh = "有内容填写不正确，请按提示修改。"
    en = "Something is not filled in correctly; see the fields."


class HouseTaken(Conflict):
    """The estate has this house already, perhaps spelled otherwise."""

    code = "house_taken"
    zh = "这个小区已有同一房号的房屋。"
    en = "The estate has a house with this number already."


class OwnersMissing(Invalid):
    """A house that is owned needs somebody who owns it."""

    code = "owners_missing"
    zh = "请填写至少一位业主。"
    en = "Name at least one owner."


class UnsoldToAPerson(Invalid):
    """What is unsold belongs to the developer; a person who is named as its owner has bought it."""

    code = "unsold_to_a_person"
    zh = "“未售”房屋的业主只能是开发商（单位）；已售给个人的，请改为“已售”或“未交付”。"
    en = "Only a body can hold an unsold house; one that a person bought is owned or undelivered."


class TooManyOwners(Invalid):
    """More than 20 co-owners is a mistake in the data."""

    code = "too_many_owners"
    zh = "一套房屋最多填写 20 位共有人。"
    en = "At most 20 co-owners for a house."


class BadDay(Invalid):
    """The day lies in the future, or before the present owners came."""

    code = "bad_day"
    zh = "日期不能晚于今天，也不能早于现业主的登记日期。"
    en = "The day lies in the future or before the present owners' day."


class NotAnOwner(Invalid):
    """The voter must be one of the house's owners."""

    code = "not_an_owner"
    zh = "投票人必须是这套房屋的业主之一。"
    en = "The voter must be one of the owners of this house."


class OtherName(Conflict):
    """The registry knows this ID number under another name."""

    code = "other_name"
    zh = "这个证件号码在登记册中属于另一个姓名，请先核对。"
    en = "The registry knows this ID number under another name; check first."


class OtherPerson(Conflict):
    """Two different ID numbers are two persons."""

    code = "other_person"
    zh = "两条记录的证件号码不同，不能合并。"
    en = "The two have different ID numbers and can't be merged."


class SameAlready(Conflict):
    """They are one already."""

    code = "same_already"
    zh = "这两条记录已经是同一位业主。"
    en = "These two are one owner already."


class NothingToSplit(Conflict):
    """The owner was merged with nobody and the houses named are not some of hers."""

    code = "nothing_to_split"
    zh = "没有可以拆分的内容：请选择要分开的房屋，或确认这条记录曾被合并。"
    en = "There is nothing to split: choose the houses to part, or make sure that the owner was merged."


class SearchTooWide(Invalid):
    """A surname alone would list half the town."""

    code = "search_too_wide"
    zh = "只填姓不能查找：请填完整姓名，或同时填房号。"
    en = "A surname alone is not searched: give the whole name, or the room as well."


class UnknownField(Invalid):
    """A heading was mapped to something that no register holds."""

    code = "unknown_field"
    zh = "表头对应的内容不正确。"
    en = "A heading is mapped to an unknown field."


class FileGone(Conflict):
    """The uploaded file was removed (applied, or 30 days old)."""

    code = "file_gone"
    zh = "上传的文件已清除，请重新上传。"
    en = "The uploaded file is gone; upload it again."


class NotReady(Conflict):
    """The import is still being read, or waits for its headings, or is through."""

    code = "not_ready"
    zh = "导入还没有到这一步，请先看当前进度。"
    en = "The import isn't at this step; look at its state."


class HasBadRows(Conflict):
    """All or nothing: rows that can't be taken are left out only when somebody says so."""

    code = "has_bad_rows"
    zh = "有 {bad} 行内容有误。请修改后重新上传，或选择“跳过有误的行”。"
    en = "{bad} rows can't be taken. Correct the file, or choose to leave them out."


class FileTooLarge(Invalid):
    """More than 20 MB."""

    code = "file_too_large"
    zh = "文件超过 20 MB，请拆分后分批导入。"
    en = "The file is larger than 20 MB; split it."


class FileNotTaken(Invalid):
    """Empty, or no spreadsheet."""

    code = "file_not_taken"
    zh = "只能导入 .xlsx、.xls 和 .csv 文件。"
    en = "Only .xlsx, .xls and .csv can be imported."
