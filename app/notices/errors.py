"""What notices refuse, in words for the clerk or the resident who asked."""

from __future__ import annotations

from app.errors import Conflict, Invalid


class AreaEmpty(Invalid):
    """No estate lies in what was chosen today."""

    code = "notice_area_empty"
    zh = "所选范围内没有小区，请重新选择发布范围。"
    en = "No estate lies in the chosen areas; choose others."


class NotPlainText(Invalid):
    """Marks of a web page: residents would read them as they stand."""

    code = "not_plain_text"
    zh = "正文是纯文字，不支持网页代码。请从网页或文档中“只粘贴文字”。"
    en = "The text is plain text; paste it without HTML."


class BadPublishTime(Invalid):
    """A time that has passed, or lies more than a year ahead."""

    code = "bad_publish_time"
    zh = "定时发布的时间须在现在之后、一年之内；要立即发布请不填时间。"
    en = "The time must lie ahead and within a year; leave it out to publish at once."


class StudyTimeNotHere(Invalid):
    """Only what is to be studied has a least time."""

    code = "study_time_not_here"
    zh = "只有学习（普法）类通知可以设置学习时长。"
    en = "Only a notice of the kind study has a least time."


class TooManyFiles(Invalid):
    """More than a phone shows."""

    code = "too_many_files"
    zh = "附件最多 {most} 个。"
    en = "At most {most} files."


class UnknownFile(Invalid):
    """A file that isn't one of the notice."""

    code = "unknown_notice_file"
    zh = "要删除的附件不在这份通知里。"
    en = "The file to drop isn't one of this notice."


class NoticeIsOut(Conflict):
    """What residents have been told isn't another thing afterwards."""

    code = "notice_is_out"
    zh = "通知已发布：可以更正标题和正文、补充附件；类型、范围、时间和原有附件不能改，请撤回后重新发布。"
    en = (
        "It is published: title and text can be corrected and files added; for another kind, area or time, "
        "or to take a file away, withdraw it and publish another."
    )


class ReasonMissing(Invalid):
    """A correction says why."""

    code = "correction_reason_missing"
    zh = "通知已发布，更正时请写明原因，居民会看到。"
    en = "It is published; say why it is corrected, residents will read it."


class NotADraft(Conflict):
    """Already published, or on its way."""

    code = "notice_not_a_draft"
    zh = "只有草稿可以发布或删除；已定时的请先撤回。"
    en = "Only a draft can be published or deleted; take back what is scheduled first."


class NotOut(Conflict):
    """Nothing there to take back."""

    code = "notice_not_out"
    zh = "通知还没有发布，或者已经撤回。"
    en = "It isn't published, or was withdrawn already."


class NoticeWithdrawn(Conflict):
    """The notice doesn't hold any more."""

    code = "notice_withdrawn"
    zh = "这份通知已撤回，不用再看了。"
    en = "This notice was withdrawn."


class NotToStudy(Conflict):
    """Finishing is for what is studied."""

    code = "notice_not_to_study"
    zh = "这份通知只需阅读，不需要完成学习。"
    en = "This notice is only to be read."


class StudiedTooShortly(Conflict):
    """Less than the least time since it was opened."""

    code = "studied_too_shortly"
    zh = "学习时间还不够，请再看 {minutes} 分钟。"
    en = "Please study it for {minutes} more minutes."
