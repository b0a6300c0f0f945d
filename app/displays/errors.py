"""What is refused of displays."""

from __future__ import annotations

from app.errors import Invalid, Unauthorized


class DisplayRefused(Unauthorized):
    """No such token, or it was revoked, or its time is over: which of them isn't told."""

    code = "display_refused"
    zh = "本屏的授权已失效。请联系街道或社区工作人员重新授权。"
    en = "This screen is no longer authorised; ask the street or community office for a new address."


class BadExpiry(Invalid):
    """The end of a display lies in the past."""

    code = "bad_expiry"
    zh = "到期时间应晚于现在。"
    en = "The end must lie in the future."
