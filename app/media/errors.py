"""What media's services refuse. The picture's own faults are refused by `imaging`."""

from __future__ import annotations

from app.errors import Conflict, Invalid


class PhotoUnknown(Invalid):
    """No such photo of this person, or it is used already."""

    code = "photo_unknown"
    zh = "照片不存在、已过期或已用于其他上报，请重新拍摄上传。"
    en = "This photo is unknown, expired or already used; please upload it again."


class PhotoUnusable(Invalid):
    """The photo was refused when it was processed."""

    code = "photo_refused"
    zh = "有照片无法打开，请换一张再试。"
    en = "One of the photos can't be opened; please choose another."


class NotInReview(Conflict):
    """The photo isn't waiting for a person's verdict."""

    code = "not_in_review"
    zh = "这张照片已审核过。"
    en = "This photo has already been reviewed."


class PaperUnknown(Invalid):
    """No such paper of this person, or it is used already."""

    code = "file_unknown"
    zh = "材料不存在、已过期或已使用，请重新上传。"
    en = "This file is unknown, expired or already used; please upload it again."


class PaperNotTaken(Invalid):
    """Neither a picture nor a whole PDF."""

    code = "file_not_taken"
    zh = "请上传照片或 PDF 文件，文件可能已损坏。"
    en = "Upload a picture or a PDF; this file may be damaged."


class PaperTooLarge(Invalid):
    """More than 10 MB."""

    code = "file_too_large"
    zh = "文件超过 10 MB，请压缩后再上传。"
    en = "The file is larger than 10 MB."
