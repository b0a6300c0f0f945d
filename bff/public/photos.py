"""Photos behind signed links."""

from __future__ import annotations

from flask import Response
from werkzeug.exceptions import NotFound as HttpNotFound

from app import adapters, db
from app.adapters.storage import ObjectMissing, StorageUnavailable
from app.errors import NotFound, Unavailable
from app.media import imaging, links
from app.media import queries as media
from app.media import service as keys
from app.media.models import Photo, PhotoStatus, Upload
from bff.schemas import Blueprint

blp = Blueprint("public-photos", __name__, url_prefix="/public/v1", description="Photos behind signed links")


class PhotosAway(Unavailable):
    """The storage doesn't answer."""

    code = "storage_unavailable"
    zh = "照片暂时无法显示，请稍后再试。"
    en = "Photos can't be shown at the moment."


@blp.route("/photos/<signed>", methods=["GET"])
@blp.response(200, {"type": "string", "format": "binary"}, content_type="image/jpeg")
def photo(signed: str) -> Response:
    """A photo (at most 1600 px) or its thumbnail (320 px) as JPEG; a placeholder while it is being made."""
    target = links.read(signed)
    if target is None:
        raise NotFound
    with db.reading():
        row: Photo | Upload | None
        if target.ref is not None:
            row = media.photo(target.ref)
        elif target.owner_id is not None:
            row = media.upload_of(target.owner_id, target.id)
        else:
            raise HttpNotFound
        if row is None or not media.is_shown(row):
            raise NotFound
        ready = row.status == PhotoStatus.READY
    if not ready:
        answer = Response(imaging.placeholder(keys.EDGES[target.variant]), content_type=imaging.CONTENT_TYPE)
        answer.headers["Cache-Control"] = "no-store"
        return answer
    try:
        data = adapters.storage().get(keys.stored_key(target.id, target.variant))
    except ObjectMissing as e:
        raise NotFound from e
    except StorageUnavailable as e:
        raise PhotosAway(retry_after=10) from e
    answer = Response(data, content_type=imaging.CONTENT_TYPE)
    answer.headers["Cache-Control"] = "private, max-age=3600"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
