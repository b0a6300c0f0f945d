"""What the faces' schemas have in common: strict input, wire ids, times in +08:00, clean text."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

import marshmallow as ma
import orjson
from flask import request
from flask_smorest import Blueprint as SmorestBlueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app import clock, ids
from app.idempotency import MAX_KEY
from app.ids import BadId, Kind, Ref

View = TypeVar("View", bound=Callable[..., Any])


class StrictParser(FlaskParser):
    """JSON as RFC 8259 means it (no NaN, no lone surrogates); unknown members of a body are refused."""

    DEFAULT_VALIDATION_STATUS = 422

    def _raw_load_json(self, req: Any) -> Any:
        raw = req.get_data(cache=True)
        if not raw:
            return ma.missing
        if not req.is_json:
            raise UnsupportedMediaType
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise BadRequest from None


def _read(schema: type[ma.Schema]) -> dict[str, Any]:
    parsed: dict[str, Any] = Blueprint.ARGUMENTS_PARSER.parse(schema(), request, location="query")
    return parsed


_SHORT = 64  # bytes of a query that many send: without a cursor or an id


@functools.lru_cache(maxsize=1024)
def _read_often(schema: type[ma.Schema], _: bytes) -> dict[str, Any]:
    return _read(schema)


_HEADERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {
        "description": "a name of the sender's own for this write: a retry with it gets the first answer again",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
    },
    "If-Match": {
        "description": "the ETag of the version that was seen; 412 when there is a newer one",
        "schema": {"type": "string", "minLength": 1},
    },
    "If-None-Match": {
        "description": "the ETag of the answer that is at hand; 304 while it is still the same",
        "schema": {"type": "string"},
    },
}


@functools.cache
def _together(file: type[ma.Schema], form: type[ma.Schema]) -> type[ma.Schema]:
    """The schema of both in one body, under one name."""
    return type(f"{form.__name__}With{file.__name__}", (form, file), {})


class Blueprint(SmorestBlueprint):
    """flask-smorest's blueprint with our parser, and the headers that `bff.http` says a view takes."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(self._prepare_headers_doc)

    def described(
        self, answer: type[ma.Schema], *, query: type[ma.Schema] | None = None
    ) -> Callable[[View], View]:
        """What `arguments` and `response` would say of a view in the OpenAPI document, and nothing of it at run time:
        for the few that thousands open a minute, which read and dump by hand.
        """

        def decorate(view: View) -> View:
            said: Any = view if query is None else self.arguments(query, location="query")(view)
            view._apidoc = self.response(200, answer)(said)._apidoc  # type: ignore[attr-defined]  # flask-smorest's
            return view

        return decorate

    def query_of(self, schema: type[ma.Schema]) -> dict[str, Any]:
        """The request's query string as the schema reads it; 422 for what it refuses. Not to be changed: the same text
        reads the same.
        """
        text = request.query_string
        return _read_often(schema, text) if len(text) <= _SHORT else _read(schema)

    def _prepare_arguments_doc(
        self, doc: dict[str, Any], doc_info: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        """A file and the fields sent with it are one body in OpenAPI 3; flask-smorest would describe one of them."""
        said = doc_info.get("arguments", {}).get("parameters", [])
        by_place = {one["in"]: one for one in said}
        if {"files", "form"} <= by_place.keys():
            said.remove(by_place["form"])
            by_place["files"]["schema"] = _together(by_place["files"]["schema"], by_place["form"]["schema"])
        described: dict[str, Any] = super()._prepare_arguments_doc(doc, doc_info, **kwargs)
        return described

    @staticmethod
    def _prepare_headers_doc(
        doc: dict[str, Any], doc_info: dict[str, Any], *, method: str, **_: Any
    ) -> dict[str, Any]:
        for name, required in doc_info.get("headers", {}).items():
            if name == "Idempotency-Key" and method != "post":
                continue
            said = {"in": "header", "name": name, "required": required, **_HEADERS[name]}
            doc.setdefault("parameters", []).append(said)
            if name == "If-None-Match":
                doc.setdefault("responses", {})[304] = {"description": "Not modified"}
        return doc


class _Told(frozenset[Any]):
    """`true` or `false`, as JSON and forms say it. To Python 0 and 1 are these as well."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (bool, str)) and super().__contains__(value)


_TRUE, _FALSE = _Told({True, "true"}), _Told({False, "false"})


class Schema(ma.Schema):
    """Input refuses what it doesn't know; output keeps the order of its fields."""

    class Meta:
        unknown = ma.RAISE

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """marshmallow takes `0`, `"y"` and `"On"` for a yes or no, which no document of ours says."""
        if isinstance(field_obj, ma.fields.Boolean):
            field_obj.truthy, field_obj.falsy = _TRUE, _FALSE  # type: ignore[assignment]  # asked by `in` alone


class Query(ma.Schema):
    """Query strings: parameters that a proxy or a tracker adds are ignored."""

    class Meta:
        unknown = ma.EXCLUDE


class PageQuery(Query):
    """`limit` (1-100) and `cursor` of a list."""

    limit = ma.fields.Integer(load_default=20, validate=ma.validate.Range(1, 100))
    cursor = ma.fields.String(load_default=None, validate=ma.validate.Length(max=300))


MOST_COMMUNITIES = 2**32 - 1  # a community's number is four bytes of each id within it


class WireId(ma.fields.Field):
    """An opaque id of one kind."""

    def __init__(self, kind: Kind, **kwargs: Any) -> None:
        said = {"description": f"opaque id ({kind.name.lower()})", "pattern": ids.pattern(kind)}
        kwargs["metadata"] = said | kwargs.get("metadata", {})
        super().__init__(**kwargs)
        self.kind = kind

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else ids.encode(self.kind, value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Ref | Any:
        if not isinstance(value, str):
            raise ma.ValidationError("Not a valid string.")
        try:
            if self.kind in ids.OF_COMMUNITY:
                return ids.decode_ref(self.kind, value)
            found = ids.decode_id(self.kind, value)
            if self.kind is Kind.COMMUNITY and found.int > MOST_COMMUNITIES:
                raise BadId(value)
            return found
        except BadId as e:
            raise ma.ValidationError("编号不正确。|Not a valid id.") from e


class AnyWireId(ma.fields.Field):
    """An opaque id of one of several kinds; loads as (kind, id)."""

    def __init__(self, *kinds: Kind, **kwargs: Any) -> None:
        names = ", ".join(kind.name.lower() for kind in kinds)
        said = {
            "description": f"opaque id ({names})",
            "pattern": "|".join(ids.pattern(kind) for kind in kinds),
        }
        kwargs["metadata"] = said | kwargs.get("metadata", {})
        super().__init__(**kwargs)
        self.kinds = kinds

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> tuple[Kind, Any]:
        for kind in self.kinds:
            if isinstance(value, str) and value.startswith(f"{kind}_"):
                return kind, WireId(kind).deserialize(value)
        raise ma.ValidationError("编号不正确。|Not a valid id.")


# No date of ours lies outside. What is computed from one (the day before, a limit of months, another zone) still
# fits into a datetime and into what PostgreSQL keeps.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)


def _refuse_far(year: int) -> None:
    if not FIRST_DAY.year <= year <= LAST_DAY.year:
        raise ma.ValidationError(
            "日期须在 2000 年到 2100 年之间。|The date must lie between 2000-01-01 and 2100-12-31."
        )


class Date(ma.fields.Date):
    """A day between 2000-01-01 and 2100-12-31, YYYY-MM-DD."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> date:
        day: date = super()._deserialize(value, attr, data, **kwargs)
        _refuse_far(day.year)
        return day


class Time(ma.fields.Field):
    """An instant, RFC 3339 with +08:00; as written it lies between 2000-01-01 and 2100-12-31."""

    def _serialize(self, value: datetime | None, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else clock.rfc3339(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        try:
            at = datetime.fromisoformat(value)
        except (TypeError, ValueError) as e:
            raise ma.ValidationError("Not a valid datetime.") from e
        if at.tzinfo is None:
            raise ma.ValidationError("时间须带时区，如 +08:00。|The time needs an offset such as +08:00.")
        _refuse_far(at.year)
        return at


class Text(ma.fields.String):
    """What a person wrote: trimmed, NFC, without NUL and control characters, at most `most` characters."""

    def __init__(self, *, most: int, least: int = 0, **kwargs: Any) -> None:
        said: dict[str, Any] = {"minLength": least, "maxLength": most}
        if least:  # of spaces alone nothing is left
            said["pattern"] = r"\S" if least == 1 else rf"\S[\s\S]{{{least - 2},}}\S"
        kwargs["metadata"] = said | kwargs.get("metadata", {})
        super().__init__(**kwargs)
        self.most, self.least = most, least

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        text = unicodedata.normalize("NFC", text).strip()
        if any(
            (ord(c) < 32 and c not in "\n\t\r") or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000
            for c in text
        ):
            raise ma.ValidationError("包含无法保存的字符。|It contains characters that can't be kept.")
        if len(text) > self.most:
            raise ma.ValidationError(f"Longer than maximum length {self.most}.")
        if len(text) < self.least:
            raise ma.ValidationError(f"Shorter than minimum length {self.least}.")
        return text


MOST_FEN = 10**12 - 1  # nearly ten thousand million yuan: what is more is a slip of the hand


class Fen(ma.fields.Integer):
    """An amount in fen: a plain JSON integer. Text, 1e5 and 1.0 are not rounded or guessed but refused."""

    def __init__(self, *, least: int, **kwargs: Any) -> None:
        kwargs["metadata"] = {"minimum": least, "maximum": MOST_FEN} | kwargs.get("metadata", {})
        super().__init__(strict=True, **kwargs)
        self.least = least

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ma.ValidationError(
                "金额以分为单位，须是整数（半角数字，不带引号、小数点或指数）。"
                "|The amount is in fen: a whole JSON number, no text, point or exponent."
            )
        if value < self.least:
            raise ma.ValidationError(
                f"金额不能小于 {self.least} 分，也不用负数。|The amount is at least {self.least} fen."
            )
        if value > MOST_FEN:
            raise ma.ValidationError("金额过大，请核对单位是否为分。|The amount is too large; is it in fen?")
        return value


class Phone(ma.fields.String):
    """A mainland mobile or landline number, spaces and +86 taken away."""

    def __init__(self, **kwargs: Any) -> None:
        said = {"pattern": r"^[ ()-]*(\+86|0086)?[ ()-]*([0-9][ ()-]*){7,12}$"}
        kwargs["metadata"] = said | kwargs.get("metadata", {})
        super().__init__(**kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        digits = "".join(c for c in text if c not in " -()")
        for prefix in ("+86", "0086"):
            digits = digits.removeprefix(prefix)
        if not (digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 12):
            raise ma.ValidationError("电话号码不正确。|Not a valid phone number.")
        return digits


class Choice(ma.fields.Field):
    """`for`, `against`, `abstain`; in an election the ids of candidates. Which of them fits, the decision says."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(c, str) for c in value)):
            return value
        raise ma.ValidationError(
            "请选择同意、反对、弃权，或候选人。|Give for, against, abstain or candidates."
        )


class Problem(ma.Schema):
    """RFC 9457 problem document; a refusal may add members of its own (`allowed`, `estates`)."""

    class Meta:
        unknown = ma.INCLUDE

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    code = ma.fields.String(required=True, metadata={"description": "stable word for programs"})
    errors = ma.fields.Dict(metadata={"description": "messages by field"})
    request_id = ma.fields.String()
