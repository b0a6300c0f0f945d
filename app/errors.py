"""What the domains refuse, in words for the person who asked. Faces turn it into RFC 9457 answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AppError(Exception):
    """A refusal with a stable word (`code`) and a sentence in Chinese and English.

    `params` fill the sentences; `extra` members appear in the problem document; `errors` name fields:
    {"field": [code, …]} or {"field": [(zh, en), …]}.
    """

    code = "error"
    zh = "操作没有成功。"
    en = "The operation did not succeed."

    def __init__(
        self,
        *,
        extra: Mapping[str, Any] | None = None,
        errors: Mapping[str, list[tuple[str, str]]] | None = None,
        retry_after: int | None = None,
        **params: Any,
    ) -> None:
        super().__init__(self.code)
        self.extra = dict(extra or {})
        self.errors = dict(errors or {})
        self.retry_after = retry_after
        self.params = params

    def sentence(self, language: str) -> str:
        """The sentence in `zh` or `en`."""
        return (self.en if language == "en" else self.zh).format(**self.params)


class Invalid(AppError):
    """The request can't be understood or breaks a rule of its own (422)."""

    code = "invalid"
    zh = "填写的内容有误，请检查后再提交。"
    en = "Something in the request is not right; please check it."


class NotFound(AppError):
    """There is nothing there for the one who asks (404); what you may not see is the same."""

    code = "not_found"
    zh = "没有找到，可能已删除或您无权查看。"
    en = "Not found, or not visible to you."


class Forbidden(AppError):
    """The actor may see the thing but not do this with it (403)."""

    code = "forbidden"
    zh = "您没有权限做这项操作。"
    en = "You are not allowed to do this."


class Unauthorized(AppError):
    """The one who asks isn't known (401)."""

    code = "unauthorized"
    zh = "请先登录。"
    en = "Please log in first."


class Conflict(AppError):
    """Right in itself, but not in the present state (409)."""

    code = "conflict"
    zh = "当前状态不允许这样操作，请刷新后再试。"
    en = "Not possible in the present state; refresh and try again."


class StaleVersion(AppError):
    """If-Match names an older version (412)."""

    code = "stale_version"
    zh = "内容已被别人更新，请刷新后再试。"
    en = "Someone else has changed this; refresh and try again."


class TooMany(AppError):
    """Slow down (429); `retry_after` seconds."""

    code = "too_many"
    zh = "操作太频繁，请稍后再试。"
    en = "Too many requests; please wait a little."


class Unavailable(AppError):
    """Something we depend on is away (503); `retry_after` seconds."""

    code = "unavailable"
    zh = "服务暂时繁忙，请稍后再试。"
    en = "The service is busy; please try again soon."
