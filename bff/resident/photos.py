"""Photos as `wx.uploadFile` sends them: one multipart file a call."""

from __future__ import annotations

from typing import Any

from flask import g

from app.media import links
from app.media import service as media
from app.media.models import OwnerKind
from app.people import queries as people
from app.people.models import ConsentKey
from app.people.service import CONSENT_VERSIONS
from bff.http import writes
from bff.pictures import takes_picture
from bff.resident import schemas as s
from bff.schemas import Blueprint

blp = Blueprint("photos", __name__, url_prefix="/bff/v1", description="Photos")


@blp.route("/photos", methods=["POST"])
@takes_picture
@writes
@blp.arguments(s.PhotoIn, location="files")
@blp.response(201, s.PhotoOut)
def upload_photo(_: dict[str, Any]) -> Any:
    """Upload one photo (JPEG, PNG, WebP, HEIC; at most 10 MB and 50 megapixels); attach it to a ticket within 24 h.

    The link answers at once, with a placeholder until the picture is ready.
    """
    picture = g.picture
    upload = media.receive(
        upload_id=picture.upload_id,
        owner_id=g.resident_id,
        owner_kind=OwnerKind.RESIDENT,
        info=picture.info,
        size_bytes=picture.size_bytes,
        sha256=picture.sha256,
        may_keep_position=people.has_consent(
            g.resident_id, ConsentKey.PHOTO_POSITION, CONSENT_VERSIONS[ConsentKey.PHOTO_POSITION]
        ),
    )
    thumb = links.to_upload(g.resident_id, upload.id, "thumb")
    return {"photo_id": upload.id, "status": upload.status, "thumb_url": thumb}, 201, {"Location": thumb}
