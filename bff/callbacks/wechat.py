"""WeChat's message push (safe mode): proven, stored raw, answered; applied in a job."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, request

from app import adapters, db
from app.adapters.wechat import PushRejected
from app.messaging import service as messaging

log = logging.getLogger(__name__)
blp = Blueprint("wechat", __name__, url_prefix="/callbacks")


@blp.get("/wechat/push")
def check() -> Response:
    """WeChat checks the address: the echo comes back only under its signature."""
    try:
        return Response(adapters.wechat_push().echo(request.args), content_type="text/plain")
    except PushRejected as e:
        log.warning("wechat push check refused: %s", e.reason)
        return Response(status=403)


@blp.post("/wechat/push")
def push() -> Response:
    """An event. Answered within moments; WeChat repeats what isn't answered in 5 s, and the key drops repeats."""
    try:
        message = adapters.wechat_push().open(request.args, request.get_data())
    except PushRejected as e:
        log.warning("wechat push refused: %s", e.reason)
        return Response(status=403)
    if message.event is not None:
        body = {"openid": message.openid, "created_at": message.created_at, "fields": dict(message.fields)}
        with db.transaction():
            messaging.store_event(dedup_key=message.dedup_key, event=message.event, body=body)
    return Response("success", content_type="text/plain")
