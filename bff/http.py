"""What all faces share of HTTP: entries that commit, ids in paths, keyset pages, ETags, versions."""

from __future__ import annotations

import base64
import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from uuid import UUID

import orjson
from flask import Response, g, make_response, request
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, ValidationError

from app import clock, db, idempotency, ids
from app.errors import AppError, Invalid
from app.idempotency import MAX_KEY
from app.ids import BadId, Kind
from bff import errors

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

P = ParamSpec("P")
View = TypeVar("View", bound=Callable[..., Any])
Versioned = tuple[dict[str, Any], int, dict[str, str]]


class VersionRequired(HTTPException):
    """A change of an editable object without If-Match (RFC 6585 §3)."""

    code = 428


class BadCursor(Invalid):
    """The cursor isn't one of ours."""

    code = "bad_cursor"
    zh = "翻页位置已失效，请从第一页重新查看。"
    en = "This page cursor is not valid; start from the first page."


class BadKey(Invalid):
    """The Idempotency-Key is empty or longer than 255 characters."""

    code = "bad_idempotency_key"
    zh = "提交编号不正确。"
    en = "Idempotency-Key needs 1 to 255 characters."


# --- logins ----------------------------------------------------------------------------------------------


def open_to_all(view: View) -> View:
    """Mark a view that needs no login: for `authenticate` of its face, and in the OpenAPI document."""
    said = dict(getattr(view, "_apidoc", {}))
    said["manual_doc"] = said.get("manual_doc", {}) | {"security": []}
    view._apidoc = said  # type: ignore[attr-defined]  # flask-smorest's
    view._open_to_all = True  # type: ignore[attr-defined]  # read by `authenticate` and by the structure tests
    return view


# --- entries ---------------------------------------------------------------------------------------------


def _take(entry: Callable[..., Any], **headers: bool) -> None:
    """Note for the OpenAPI document which headers an entry takes, and whether they are required."""
    said = dict(getattr(entry, "_apidoc", {}))
    named = {name.replace("_", "-"): required for name, required in headers.items()}
    said["headers"] = said.get("headers", {}) | named
    entry._apidoc = said  # type: ignore[attr-defined]  # flask-smorest's


def _if_match(view: Callable[..., Any]) -> dict[str, bool]:
    """Whether a view asks for If-Match is what its own code says."""
    names = inspect.unwrap(view).__code__.co_names
    if wanted_version.__name__ in names:
        return {"If_Match": True}
    return {"If_Match": False} if asked_version.__name__ in names else {}


def _fingerprint() -> bytes:
    """What makes two requests the same: method, path, query, and the body. A multipart body is taken by its
    parts, because a retry gets another boundary.
    """
    digest = hashlib.sha256(f"{request.method}\0{request.full_path}\0".encode())
    if request.mimetype == "multipart/form-data":
        for name, value in sorted(request.form.items(multi=True)):
            digest.update(f"{name}\0{value}\0".encode())
        for name, file in sorted(request.files.items(multi=True), key=lambda pair: pair[0]):
            digest.update(f"{name}\0".encode() + hashlib.sha256(file.stream.read()).digest())
            file.stream.seek(0)
    else:
        digest.update(request.get_data(cache=True))
    return digest.digest()


def writes(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """The entry of a write: one transaction around the view and its answer, and the Idempotency-Key.

    Stands outermost (below `route`), so that the stored answer is what the client got, byte for byte. A
    refusal of the domain is an answer too; what the schema refuses was never begun.
    """

    @functools.wraps(view)
    def entry(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method != "POST":
            with db.transaction():
                return make_response(view(*args, **kwargs))
        if not 0 < len(key) <= MAX_KEY:
            raise BadKey
        actor_id: UUID = g.actor_id
        fingerprint = _fingerprint()
        with db.transaction() as session:
            first = idempotency.begin(actor_id=actor_id, key=key, fingerprint=fingerprint)
            if first is not None:
                return Response(first.body, status=first.status, headers=first.headers)
            try:
                with session.begin_nested():
                    response = make_response(view(*args, **kwargs))
            except AppError as refusal:
                session.info.pop("bells", None)
                session.info.pop("after_commit", None)
                response = errors.from_app_error(refusal)
            kept = {
                name: value
                for name, value in response.headers.items()
                if name in {"Content-Type", "Location", "ETag", "Content-Language", "Retry-After"}
            }
            idempotency.finish(
                actor_id=actor_id,
                key=key,
                status=response.status_code,
                headers=kept,
                body=response.get_data(),
            )
            return response

    _take(entry, Idempotency_Key=False, **_if_match(view))
    return cast(Callable[P, ResponseReturnValue], entry)


def reads(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """The entry of a read: one read-only session around the view and its answer."""

    @functools.wraps(view)
    def entry(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        with db.reading():
            return make_response(view(*args, **kwargs))

    return cast(Callable[P, ResponseReturnValue], entry)


def witnessed(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """The entry of a read that leaves behind who saw what: one transaction around the view and its answer, so that
    nothing is shown without its audit row. No cache keeps the answer.
    """

    @functools.wraps(view)
    def entry(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        with db.transaction():
            response = make_response(view(*args, **kwargs))
        response.headers["Cache-Control"] = "no-store"
        return response

    return cast(Callable[P, ResponseReturnValue], entry)


def etag_of(body: bytes) -> str:
    """The ETag of these bytes, without its quotes."""
    return hashlib.sha256(body).hexdigest()[:32]


def revalidated(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """A GET with an ETag over its bytes; 304 when the client has them (RFC 9110 §13.1.2).

    The ETag of a versioned object begins with its version, so it also serves as If-Match: the bytes change
    every hour with their signed links, the version only with the object.
    """

    @functools.wraps(view)
    def entry(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        response = make_response(view(*args, **kwargs))
        if response.status_code == 200:
            headers, asked = response.headers, request_ctx.request
            given = names_of(headers)
            digest = etag_of(response.get_data())
            if "etag" in given:
                version, _ = response.get_etag()
                response.set_etag(f"{version}-{digest}")
            else:
                headers.add("ETag", f'"{digest}"')
            if "cache-control" not in given:
                headers.add("Cache-Control", "private, no-cache")
            if "HTTP_IF_NONE_MATCH" in asked.environ:
                response.make_conditional(asked)
        return response

    _take(entry, If_None_Match=False)
    return cast(Callable[P, ResponseReturnValue], entry)


def names_of(headers: Headers) -> set[str]:
    """The names of these headers in small letters: found once, as each `in headers` goes through them anew."""
    return {name.lower() for name, _ in headers}


class Answer(Response):
    """An answer of which all bytes are there when it is made, for what is asked for by the thousand."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """Its headers as they are. Others' are copied one by one, to correct a Location or a length that these have
        from the start.
        """
        return self.headers if self.status_code == 200 else super().get_wsgi_headers(environ)


def dumped(body: dict[str, Any], status: int = 200) -> Response:
    """The answer of a view that knows its schema's dump by heart; times as the contract writes them. No cache keeps it,
    unless the entry says otherwise.
    """
    text = orjson.dumps(body, default=_time, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Answer(text, status, content_type="application/json")


def _time(value: object) -> str:
    if isinstance(value, datetime):
        return clock.rfc3339(value)
    raise TypeError(f"an answer holds no {type(value).__name__}")


# --- versions --------------------------------------------------------------------------------------------


def _version(required: bool) -> int | None:
    tags = request.if_match
    if not tags and "If-Match" not in request.headers:
        if required:
            raise VersionRequired
        return None
    if tags.star_tag:
        return None
    # Weak tags as well: a proxy that compresses weakens ours, and the version in it is what counts. Where a
    # client names several, the newest is the one it has seen last.
    versions = [(tag or "").partition("-")[0] for tag in tags.as_set(include_weak=True)]
    numbers = [int(v) for v in versions if v.isascii() and v.isdigit() and len(v) < 10]
    return max(numbers, default=-1)  # a tag of another kind never matches


def versioned(body: dict[str, Any], status: int = 200, **headers: str) -> Versioned:
    """The answer with an object that carries `version`, which its ETag names."""
    return body, status, {"ETag": f'"{body["version"]}"', **headers}


def wanted_version() -> int | None:
    """The version that If-Match names, None for `*` (any); 428 without it. -1 never matches."""
    return _version(required=True)


def asked_version() -> int | None:
    """The version that If-Match names, or None when the client doesn't say."""
    return _version(required=False)


# --- ids in paths ----------------------------------------------------------------------------------------


class RefConverter(BaseConverter):
    """`<ref(tkt):ref>`: the wire id of a thing; a string that names nothing is no path of ours (404)."""

    part_isolating = True
    regex = r"[a-z]{3}_[a-z2-7]{26,32}"

    def __init__(self, map: Any, kind: str) -> None:  # noqa: A002  werkzeug's name
        super().__init__(map)
        self.kind = Kind(kind)

    def to_python(self, value: str) -> Any:
        """(community_id, uuid), or the uuid of a person's or global thing."""
        try:
            if self.kind in ids.OF_COMMUNITY:
                return ids.decode_ref(self.kind, value)
            return ids.decode_id(self.kind, value)
        except BadId as e:
            raise ValidationError from e

    def to_url(self, value: Any) -> str:
        """The wire id."""
        return ids.encode(self.kind, value)


# --- pages -----------------------------------------------------------------------------------------------


def write_cursor(*parts: Any) -> str:
    """An opaque cursor of datetimes, UUIDs, numbers and strings."""
    raw = [p.isoformat() if isinstance(p, datetime) else str(p) if isinstance(p, UUID) else p for p in parts]
    return base64.urlsafe_b64encode(orjson.dumps(raw)).rstrip(b"=").decode()


@contextmanager
def _as_bad_cursor() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, AttributeError) as e:
        # AttributeError is what UUID() says of a number.
        raise BadCursor from e


def read_cursor(text: str | None, *kinds: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """The parts of a cursor, each through its kind (`datetime.fromisoformat`, `UUID`, `int`); None without one.

    Raises BadCursor.
    """
    if not text:
        return None
    with _as_bad_cursor():
        raw = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        return tuple(kind(_held(part)) for kind, part in zip(kinds, raw, strict=True))


def _held(part: Any) -> Any:
    # What no column holds came from nobody's page.
    if (isinstance(part, int) and not -(2**63) <= part < 2**63) or (isinstance(part, str) and "\0" in part):
        raise ValueError
    return part
