"""Every refusal as RFC 9457 `application/problem+json`, in Chinese, or in English on `Accept-Language: en`."""

from __future__ import annotations

import logging
import random
from typing import Any

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from app import db
from app.errors import (
    AppError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    StaleVersion,
    TooMany,
    Unauthorized,
    Unavailable,
)
from bff import metrics
from bff.wording import field_message, phrase

log = logging.getLogger(__name__)


class Busy(Unavailable):
    """More came than can be done now; nothing of it was begun, or all of it was undone."""

    code = "busy"
    zh = "现在使用的人太多，请过几秒再试。"
    en = "Too many people are using the service right now; please try again in a few seconds."


def come_back() -> int:
    """Seconds after which to ask again: not the same for all, or all would come back at once."""
    return random.randint(3, 9)


_STATUS: tuple[tuple[type[AppError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (StaleVersion, 412),
    (Forbidden, 403),
    (Unauthorized, 401),
    (TooMany, 429),
    (Unavailable, 503),
    (Invalid, 422),
)
# What HTTP itself refuses: our stable word for it.
_HTTP_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "timeout",
    411: "length_required",
    413: "too_large",
    414: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    428: "version_required",
    429: "too_many",
    431: "too_large",
    503: "unavailable",
}


def language() -> str:
    """`en` when the client prefers English, else `zh`."""
    best = request.accept_languages.best_match(["zh", "zh-CN", "en", "en-US", "en-GB"], default="zh")
    return "en" if best.startswith("en") else "zh"


def status_of(error: AppError) -> int:
    """The HTTP status of a domain's refusal."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: dict[str, Any] | None = None,
    extra: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A problem document; `Content-Language` says which language the sentences are in."""
    body: dict[str, Any] = {
        "type": f"urn:jiayuan:problem:{code}",
        "title": phrase(status, language()),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        body["errors"] = errors
    body = (extra or {}) | body  # what a refusal adds must not hide a standard member
    if request_id := g.get("request_id"):
        body["request_id"] = request_id
    response = Response(orjson.dumps(body), status=status, content_type="application/problem+json")
    response.headers["Content-Language"] = "en" if language() == "en" else "zh-CN"
    response.headers.extend(headers or {})
    if status in {429, 503}:
        response.headers.setdefault("Retry-After", "5")
    if status == 401:
        response.headers.setdefault("WWW-Authenticate", "Bearer")
    return response


def from_app_error(error: AppError) -> Response:
    """The answer to a domain's refusal."""
    lang = language()
    at = 1 if lang == "en" else 0
    errors = {field: [pair[at] for pair in pairs] for field, pairs in error.errors.items()}
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    return problem(
        status_of(error), error.code, error.sentence(lang), errors=errors, extra=error.extra, headers=headers
    )


def from_http(error: HTTPException) -> Response:
    """The answer to what HTTP, routing or a schema refuses. 405 keeps its Allow."""
    status = error.code or 500
    lang = language()
    data = getattr(error, "data", None) or {}
    messages = data.get("messages") or data.get("errors")
    code = data.get("code") or _HTTP_CODES.get(status, "error")
    headers = {
        name: value
        for name, value in error.get_headers(request.environ)
        if name.lower() not in {"content-type", "content-length"}
    }
    headers |= data.get("headers") or {}
    errors = _translated(messages, lang) if isinstance(messages, dict) else None
    return problem(status, code, phrase(status, lang, detail=True), errors=errors, headers=headers)


def _translated(messages: Any, lang: str) -> Any:
    """Field messages in the reader's language; a level for the place (json, query, …) is taken away."""
    if isinstance(messages, dict):
        places = {"json", "query", "form", "files", "headers"}
        if messages.keys() and set(messages) <= places:
            flat: dict[str, Any] = {}
            for inner in messages.values():
                flat |= inner if isinstance(inner, dict) else {"_body": inner}
            messages = flat
        return {str(name): _translated(inner, lang) for name, inner in messages.items()}
    if isinstance(messages, (list, tuple)):
        return [
            _translated(inner, lang) if isinstance(inner, dict) else field_message(inner, lang)
            for inner in messages
        ]
    return [field_message(messages, lang)]


def from_anything(error: Exception) -> Response:
    """The answer to whatever was raised; what nobody expected is logged, and said as 500."""
    if isinstance(error, AppError):
        return from_app_error(error)
    if isinstance(error, HTTPException):
        return from_http(error)
    if type(error).__module__.startswith("gunicorn.http"):
        # A chunked body that breaks its own rules shows only when it is read.
        return problem(400, "bad_request", phrase(400, language(), detail=True))
    if db.is_overloaded(error):
        log.warning("database is overloaded: %s", type(error).__name__)
        metrics.refused("database")
        return from_app_error(Busy(retry_after=come_back()))
    if db.is_passing(error):
        log.warning("database is away: %s", type(error).__name__)
        return problem(503, "unavailable", phrase(503, language(), detail=True))
    if db.cannot_hold(error):
        # The schemas refuse what people may come upon; this is for what only somebody who tries us would send.
        log.warning("a value that no column can hold: %s", request.endpoint)
        if "\0" in request.path:
            return from_app_error(NotFound())
        return problem(422, "invalid", phrase(422, language(), detail=True))
    log.error("unexpected error", exc_info=error)
    return problem(500, "error", phrase(500, language(), detail=True))


def init_app(app: Flask) -> None:
    """One handler for everything that goes wrong in any face."""
    app.register_error_handler(Exception, from_anything)
    app.register_error_handler(HTTPException, from_http)
    app.register_error_handler(AppError, from_app_error)
