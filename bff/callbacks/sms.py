"""Receipts and replies of the SMS vendors: who knows the secret in the address is heard, stored, and answered at once.

Nothing else is looked at before the answer: Alibaba waits 700 ms. What can't be read is kept and acknowledged as well,
because a refusal would cost the whole series of repeats. When we can't keep it, the answer is a 5xx: it comes again.
"""

from __future__ import annotations

import logging

import orjson
from flask import Blueprint, Response, abort, request

from app.adapters.sms import Vendor
from app.adapters.sms.receipts import ACKNOWLEDGEMENTS
from app.messaging import inbound
from app.messaging.inbound_models import InboundKind

log = logging.getLogger(__name__)
blp = Blueprint("sms_callbacks", __name__, url_prefix="/callbacks/sms")

MAX_BODY = 1024 * 1024
MAX_ITEMS = 1000


@blp.post("/<any(aliyun, tencent):vendor>/<token>/<any(report, reply):kind>")
def take(vendor: str, token: str, kind: str) -> Response:
    """A push. 404 for who doesn't know the address, without a word that a vendor would take for an answer; 413 for
    more than 1 MiB or 1,000 entries.
    """
    if not inbound.is_expected(token, request.remote_addr):
        log.warning("sms callback refused")
        abort(404)
    request.max_content_length = MAX_BODY
    body = request.get_data(cache=False)
    if _entries(body) > MAX_ITEMS:
        abort(413)
    inbound.store(vendor, InboundKind(kind), body)
    return Response(ACKNOWLEDGEMENTS[Vendor(vendor)], content_type="application/json")


def _entries(body: bytes) -> int:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 0
    return len(told) if isinstance(told, list) else 1
