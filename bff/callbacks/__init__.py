"""What others call: WeChat's message push, the SMS vendors' receipts, and other systems with reports."""

from __future__ import annotations

from flask import Flask

from bff.callbacks import intake, sms, wechat


def init_app(app: Flask) -> None:
    """Add the callbacks."""
    app.register_blueprint(wechat.blp)
    app.register_blueprint(intake.blp)
    app.register_blueprint(sms.blp)
