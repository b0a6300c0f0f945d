"""Taking in an uploaded picture, the same for every face: checked, stored outside any transaction, recorded."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from flask import g, request

from app import adapters, ids
from app.adapters.storage import StorageUnavailable
from app.errors import Invalid, Unavailable
from app.media import imaging
from app.media import service as media
from bff.uploads import whole

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


class FileMissing(Invalid):
    """There is no part `file` in the multipart body."""

    code = "file_missing"
    zh = "没有收到照片文件，请重新选择。"
    en = "There is no file in the request."


class StorageAway(Unavailable):
    """Photos can't be stored at the moment."""

    code = "storage_unavailable"
    zh = "照片暂时无法保存，请稍后再试，或先用文字上报。"
    en = "Photos can't be stored at the moment; try again, or report in words."


class Picture(NamedTuple):
    """An original that lies in storage and waits to be recorded."""

    upload_id: UUID
    info: imaging.PhotoInfo
    size_bytes: int
    sha256: bytes


def takes_picture(view: Callable[P, R]) -> Callable[P, R]:
    """Before the write: read the part `file`, refuse what is no photo, store the original. Sets g.picture.

    Stands outside `writes`, because storing may be a network call. Raises FileMissing, StorageAway and the
    refusals of `imaging.inspect`.
    """

    @functools.wraps(view)
    def entry(*args: P.args, **kwargs: P.kwargs) -> R:
        file = request.files.get("file")
        if file is None:
            raise FileMissing(errors={"file": [(FileMissing.zh, FileMissing.en)]})
        data = whole(file)  # the body's own limit is a megabyte above a picture's
        picture = Picture(ids.new_id(), imaging.inspect(data), len(data), hashlib.sha256(data).digest())
        media.announce(upload_id=picture.upload_id, owner_id=g.actor_id)
        try:
            adapters.storage().put(media.incoming_key(picture.upload_id), data, f"image/{picture.info.kind}")
        except StorageUnavailable as e:
            log.warning("a photo could not be stored: %s", type(e).__name__)
            raise StorageAway(retry_after=10) from e
        g.picture = picture
        return view(*args, **kwargs)

    return entry
