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
