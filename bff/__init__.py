"""How each audience sees the software: faces over the same domain, and what all of HTTP shares."""

from __future__ import annotations

import math
import os
import re
import time
from typing import Any

import orjson
import structlog
from flask import Flask, Response
from flask.globals import app_ctx, request_ctx
from flask.json.provider import JSONProvider

from app import db, logs, timeouts
from bff import admin, callbacks, docs, errors, health, limits, metrics, public, resident, squeezing
from bff.http import RefConverter, names_of
from bff.uploads import UploadRequest

MAX_BODY = 11 * 1024 * 1024  # a photo of 10 MB in its multipart wrapping
MAX_JSON = 256 * 1024
# Letters only: eighteen digits in a row would look like an ID number to the log's scrubbing.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class OrjsonProvider(JSONProvider):
    """Answers as UTF-8 JSON in the order of the schema."""

    def dumps(self, obj: Any, **_: Any) -> str:
        """JSON text."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """The value of a JSON text."""
        return orjson.loads(s)


def init_app(app: Flask) -> None:
    """Add all faces, their documents, health and the handling of errors to the application."""
    app.json = OrjsonProvider(app)
    app.request_class = UploadRequest
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_PARTS"] = 20
    app.url_map.converters["ref"] = RefConverter
    app.url_map.strict_slashes = True
    errors.init_app(app)
    app.before_request(_begin)
    limits.init_app(app)
    app.after_request(_end)
    faces = {
        "resident": resident.init_app(app),
        "admin": admin.init_app(app),
        "public": public.init_app(app),
    }
    app.extensions["faces"] = faces
    callbacks.init_app(app)
    health.init_app(app)
    docs.init_app(app, faces)
    proxies = app.config["SETTINGS"].trusted_proxies
    if proxies:
        app.wsgi_app = limits.seen_by_proxies(app.wsgi_app, proxies)  # type: ignore[method-assign, assignment]


def _begin() -> None:
    request, own = (
        request_ctx.request,
        app_ctx.g,
    )  # found once: each `request.…` and `g.…` would look for it anew
    given = request.headers.get("X-Request-ID")
    own.request_id = name = (
        given
        if given is not None and _REQUEST_ID.fullmatch(given)
        else os.urandom(16).hex().translate(_LETTERS)
    )
    own.began = time.perf_counter()
    db.until(time.monotonic() + timeouts.REQUEST_S)
    structlog.contextvars.bind_contextvars(request_id=name)  # the only one that is ever bound here
    if "CONTENT_TYPE" not in request.environ or request.mimetype != "multipart/form-data":
        request.max_content_length = MAX_JSON  # also where no Content-Length says how much will come


def _end(response: Response) -> Response:
    request, own, headers = request_ctx.request, app_ctx.g, response.headers
    db.until(math.inf)
    now = time.perf_counter()
    took = now - own.get("began", now)
    name = own.get("request_id", "-")
    endpoint = request.endpoint or "-"
    given = names_of(headers)
    if "x-request-id" in given:
        del headers["X-Request-ID"]
    headers.add("X-Request-ID", name)
    if "x-content-type-options" not in given:
        headers.add("X-Content-Type-Options", "nosniff")
    if "cache-control" not in given and response.content_type == "application/json":
        headers.add("Cache-Control", "no-store")
    squeezing.squeeze(response, request, given)
    metrics.answered(endpoint, response.status_code, took)
    logs.answered(
        method=request.method,
        rule=request.url_rule.rule if request.url_rule else "-",
        endpoint=endpoint,
        status=response.status_code,
        ms=took * 1000,
        request_id=name,
    )
    return response
