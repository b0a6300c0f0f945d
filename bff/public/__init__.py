"""What needs no login: photos and vouchers behind signed links, logs of decisions, the texts people agree to."""

from __future__ import annotations

from flask import Flask, Response

from bff import api, limits
from bff.public import decisions, photos, vouchers

BLUEPRINTS = (photos.blp, vouchers.blp, decisions.blp)

PHOTO_POSITION_1 = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>照片拍摄位置授权</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>body{font:20px/1.8 sans-serif;max-width:40em;margin:1em auto;padding:0 1em}</style></head><body>
<h1>照片拍摄位置授权（第 1 版）</h1>
<p>手机拍照时，照片里可能记录了拍摄地点。您同意后，我们会保存这个地点，帮助街道和社区更快找到现场。</p>
<ul><li>只有街道和社区工作人员可以看到，物业和其他居民看不到。</li>
<li>工单办结 30 天后自动删除。</li>
<li>不同意也可以正常上报；同意后可以随时在“我的”里取消。</li></ul>
</body></html>
"""


def init_app(app: Flask) -> api.Face:
    """Add the public face."""
    face = api.make(app, name="public", title="家园 · 公开端 (public face)", security={})
    for blp in BLUEPRINTS:
        face.register_blueprint(blp)

    @app.get("/public/consents/photo_position/1")
    def photo_position_consent() -> Response:
        """The text a resident agrees to; a new version gets a new address."""
        return Response(PHOTO_POSITION_1, content_type="text/html; charset=utf-8")

    return face


for _blp in BLUEPRINTS:
    _blp.before_request(limits.by_address)
