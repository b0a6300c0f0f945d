"""What others call: WeChat's message push."""

from __future__ import annotations

from flask import Flask

from bff.callbacks import wechat


def init_app(app: Flask) -> None:
    """Add the callbacks."""
    app.register_blueprint(wechat.blp)
