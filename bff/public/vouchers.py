"""Pages of vouchers and contracts as everybody may see them, behind signed links."""

from __future__ import annotations

from flask import Response

from app import adapters, db
from app.adapters.storage import ObjectMissing, StorageUnavailable
from app.errors import NotFound
from app.media import imaging, links
from app.revenue import public_files
from bff.pictures import StorageAway
from bff.schemas import Blueprint

blp = Blueprint(
    "public-vouchers", __name__, url_prefix="/public/v1", description="Public vouchers behind signed links"
)


@blp.route("/vouchers/<signed>", methods=["GET"])
@blp.response(200, {"type": "string", "format": "binary"}, content_type="image/jpeg")
def voucher_page(signed: str) -> Response:
    """A page of a voucher (at most 2000 px) as JPEG, drawn anew with what is personal covered."""
    target = links.read_page(signed)
    if target is None:
        raise NotFound
    with db.reading():
        key = public_files.page_of(*target)
    if key is None:
        raise NotFound
    try:
        data = adapters.storage().get(key)
    except ObjectMissing as e:
        raise NotFound from e
    except StorageUnavailable as e:
        raise StorageAway(retry_after=10) from e
    answer = Response(data, content_type=imaging.CONTENT_TYPE)
    # Short: with another box over it the old page has to be gone soon.
    answer.headers["Cache-Control"] = "private, max-age=60"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
