"""What the faces' schemas have in common: strict input, wire ids, times in +08:00, clean text."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any

import marshmallow as ma
import orjson
from flask_smorest import Blueprint as SmorestBlueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from app import clock, ids
from app.ids import BadId, Kind, Ref


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


class Blueprint(SmorestBlueprint):
    """flask-smorest's blueprint with our parser."""

    ARGUMENTS_PARSER = StrictParser()


class Schema(ma.Schema):
    """Input refuses what it doesn't know; output keeps the order of its fields."""

    class Meta:
        unknown = ma.RAISE


class Query(ma.Schema):
    """Query strings: parameters that a proxy or a tracker adds are ignored."""

    class Meta:
        unknown = ma.EXCLUDE


class PageQuery(Query):
    """`limit` (1-100) and `cursor` of a list."""

    limit = ma.fields.Integer(load_default=20, validate=ma.validate.Range(1, 100))
    cursor = ma.fields.String(load_default=None, validate=ma.validate.Length(max=300))


class WireId(ma.fields.Field):
    """An opaque id of one kind."""

    def __init__(self, kind: Kind, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {"description": f"opaque id ({kind.name.lower()})"})
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
            return ids.decode_id(self.kind, value)
        except BadId as e:
            raise ma.ValidationError("编号不正确。|Not a valid id.") from e


class Time(ma.fields.Field):
    """An instant, RFC 3339 with +08:00."""

    def _serialize(self, value: datetime | None, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else clock.rfc3339(value)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        try:
            at = datetime.fromisoformat(value)
        except (TypeError, ValueError) as e:
            raise ma.ValidationError("Not a valid datetime.") from e
        if at.tzinfo is None:
            raise ma.ValidationError("时间须带时区，如 +08:00。|The time needs an offset such as +08:00.")
        return at


class Text(ma.fields.String):
    """What a person wrote: trimmed, NFC, without NUL and control characters, at most `most` characters."""

    def __init__(self, *, most: int, least: int = 0, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {"minLength": least, "maxLength": most})
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


class Phone(ma.fields.String):
    """A mainland mobile or landline number, spaces and +86 taken away."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        digits = "".join(c for c in text if c not in " -()")
        for prefix in ("+86", "0086"):
            digits = digits.removeprefix(prefix)
        if not (digits.isascii() and digits.isdigit() and 7 <= len(digits) <= 12):
            raise ma.ValidationError("电话号码不正确。|Not a valid phone number.")
        return digits


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
