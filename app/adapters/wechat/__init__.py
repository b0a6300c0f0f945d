"""WeChat as the rest of the software sees it: a Protocol, plain values, and four errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from app.adapters.outcome import Outcome

__all__ = [
    "CodeRejected",
    "NotCheckable",
    "Outcome",
    "PushRejected",
    "SendResult",
    "Suggest",
    "TextVerdict",
    "WeChat",
    "WeChatError",
    "WeChatSession",
    "WeChatUnavailable",
]


class WeChatError(Exception):
    """Anything the WeChat adapter raises. `errcode` is WeChat's number, or None where it gave none."""

    def __init__(self, errcode: int | None = None) -> None:
        super().__init__(errcode)
        self.errcode = errcode

    def __str__(self) -> str:
        # WeChat's errmsg is left out on purpose: it quotes request ids and, for some APIs, our input.
        return f"{type(self).__name__}: " + (
            "no errcode" if self.errcode is None else f"errcode {self.errcode}"
        )


class CodeRejected(WeChatError):
    """The code of wx.login or of the phone button is used, expired or not ours: ask for a new one."""


class WeChatUnavailable(WeChatError):
    """WeChat is busy, over quota, unreachable, or answered something unreadable: try again later."""


class NotCheckable(WeChatError):
    """WeChat will not judge this content for this person (61010: no visit within two hours)."""


class PushRejected(WeChatError):
    """What claims to be a message push is forged, stale, meant for somebody else, or unreadable.

    `reason` is for the log; the caller answers 403 and nothing else.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(None)
        self.reason = reason

    def __str__(self) -> str:
        return f"PushRejected: {self.reason}"


class Suggest(StrEnum):
    """What WeChat's content check advises; `worst` compares them in this order."""

    PASS = "pass"  # noqa: S105 - WeChat's word for harmless content, no password
    REVIEW = "review"
    RISKY = "risky"

    @property
    def severity(self) -> int:
        """0 for pass, 1 for review, 2 for risky."""
        return list(Suggest).index(self)


@dataclass(frozen=True, slots=True)
class WeChatSession:
    """Who a login code belongs to. `session_key` never leaves the server, nor reaches a log."""

    openid: str = field(repr=False)
    unionid: str | None = field(repr=False)
    session_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one subscribe message. `errcode` is None where WeChat gave no number."""

    outcome: Outcome
    errcode: int | None = None
    msgid: str | None = None


@dataclass(frozen=True, slots=True)
class TextVerdict:
    """WeChat's opinion of a text. `label` 100 is harmless, 20001 politics, 20002 porn, and so on."""

    suggest: Suggest
    label: int
    trace_id: str


class WeChat(Protocol):
    """The calls this software makes to the mini-program server API. All of them end within seconds."""

    def check_credentials(self) -> None:
        """Ask for an access token, which leaves the one in use as it is. Raises WeChatUnavailable with the errcode."""

    def code_to_session(self, code: str) -> WeChatSession:
        """The person behind a wx.login code (single use, five minutes).

        Raises CodeRejected or WeChatUnavailable.
        """

    def phone_number(self, code: str, *, openid: str) -> str:
        """The number behind a getPhoneNumber code: 11 digits in the mainland, else `+` country and number.

        Raises CodeRejected or WeChatUnavailable.
        """

    def send_subscribe(
        self,
        *,
        openid: str,
        template_id: str,
        page: str,
        data: Mapping[str, str],
        state: str = "formal",
        lang: str = "zh_CN",
    ) -> SendResult:
        """Send one subscribe message; uses up one credit when accepted. Never raises for WeChat's sake.

        Values are first made to fit their field (`fields.fit`), so none is refused with 47003.
        """

    def check_text(
        self,
        *,
        openid: str,
        content: str,
        scene: int = 2,
        title: str | None = None,
        nickname: str | None = None,
    ) -> TextVerdict:
        """The worst verdict over the whole text. Raises WeChatUnavailable or NotCheckable."""

    def check_media(self, *, openid: str, media_url: str, scene: int = 2) -> str:
        """Ask for a verdict on a picture WeChat downloads itself; returns the trace_id of the later push.

        Raises WeChatUnavailable or NotCheckable.
        """
