"""What every answer must be: the rules of the HTTP contract, its named fields, and the served OpenAPI files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tools.smoke_http import Answer, Caller, Site, check, same

FACES = {"resident": "/bff/v1", "admin": "/admin/api/v1", "public": "/public/v1"}


class Kind(NamedTuple):
    """What a value has to be, and how that is said."""

    name: str
    holds: Callable[[Any], Any]


class Maybe(NamedTuple):
    """A value that may be null, but must be there."""

    spec: Any


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
_ID = re.compile(r"[A-Za-z0-9_-]{16,80}")
_BARE_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or not (match := _TIME.fullmatch(value)) or match.group(1) != "+08:00":
        return False
    return datetime.fromisoformat(value).utcoffset() == timedelta(hours=8)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(_ID.fullmatch(value)) and not _BARE_UUID.fullmatch(value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def one_of(*words: str) -> Kind:
    """One of these words."""
    return Kind(" | ".join(words), lambda value: value in words)


Text = Kind("a text that is not empty", lambda value: isinstance(value, str) and value.strip())
Time = Kind("a time, RFC 3339 with +08:00", _is_time)
Id = Kind("an opaque id", _is_id)
Int = Kind("an integer", _is_int)
Count = Kind("an integer, not below 0", lambda value: _is_int(value) and value >= 0)
Bool = Kind("true or false", lambda value: isinstance(value, bool))
Number = Kind("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool))
Url = Kind(
    "an absolute URL", lambda value: isinstance(value, str) and re.match(r"https?://[^/\s]+/\S+", value)
)
Masked = Kind(
    "a masked phone", lambda value: isinstance(value, str) and re.fullmatch(r"1\d\d\*{4}\d{4}", value)
)
Object = Kind("an object", lambda value: isinstance(value, dict))
Nothing = Kind("null", lambda value: value is None)
Cursor = Maybe(Text)

# The states that api.md names.
TicketState = one_of(
    *("received", "accepted", "dispatched", "in_progress", "resolved", "verified", "closed"),
    *("returned", "suspended", "rejected", "withdrawn", "merged", "referred"),
)
PhotoState = one_of("processing", "ready", "refused")

LOCATION = {
    "lng": Number,
    "lat": Number,
    "crs": one_of("gcj02"),
    "accuracy_m": Maybe(Number),
    "address": Maybe(Text),
}
RESIDENT = {
    "id": Id,
    "nickname": Maybe(Text),
    "phone_masked": Maybe(Masked),
    "phone_verified_at": Maybe(Time),
    "created_at": Time,
}
SESSION = {"access_token": Text, "refresh_token": Text, "expires_in": Count, "resident": RESIDENT}
ME = {
    **RESIDENT,
    "version": Count,
    "consents": [
        {"key": Text, "version": Int, "text_url": Url, "needed_for": Text, "granted_at": Maybe(Time)}
    ],
}
ESTATE = {"estate_id": Id, "name": Text, "address": Maybe(Text), "community": Text, "location": LOCATION}
PROMISED = {"accept_by": Time, "dispatch_by": Time, "close_by": Time}
OPENED = {"ticket_id": Id, "number": Text, "status": TicketState, "promised": PROMISED}
PHOTO = {"photo_id": Id, "status": PhotoState, "thumb_url": Url}
OPTIONS = {
    "groups": [{"code": Text, "name": Text, "hint": Text, "categories": [Text]}],
    "categories": [
        {
            "code": Text,
            "name": Text,
            "hint": Text,
            "needs_photo": Bool,
            "urgent": Bool,
            "questions": [Object],
            "group": Text,
        }
    ],
    "emergency_numbers": [{"name": Text, "phone": Text}],
    "max_photos": Count,
}
ROW = {
    "ticket_id": Id,
    "number": Text,
    "status": TicketState,
    "category": Maybe(Text),
    "category_name": Maybe(Text),
    "text": Maybe(Text),
    "urgent": Bool,
    "estate_name": Maybe(Text),
    "reported_at": Time,
    "updated_at": Time,
    "thumb_url": Maybe(Url),
    "promised": PROMISED,
}
CLOCKS = {
    **PROMISED,
    **dict.fromkeys(
        ("accepted_at", "dispatched_at", "started_at", "resolved_at", "verified_at", "closed_at"), Maybe(Time)
    ),
    "overdue": Bool,
}
RATING = {"stars": Int, "solved": Bool, "rated_at": Time}
TICKET = {
    **ROW,
    "version": Count,
    "anonymous": Bool,
    "answers": Object,
    "location": Maybe(LOCATION),
    "contact_phone_masked": Maybe(Masked),
    "handler": Maybe(Text),
    "photos": [{**PHOTO, "url": Url, "stage": one_of("before", "after")}],
    "timeline": [
        {
            "seq": Count,
            "at": Time,
            "kind": Text,
            "title": Text,
            "from_status": Maybe(TicketState),
            "status": TicketState,
            "by": Text,
            "text": Maybe(Text),
        }
    ],
    "clocks": CLOCKS,
    "rating": Maybe(RATING),
    "can": [Text],
}
MESSAGE = {
    "id": Id,
    "kind": Text,
    "title": Text,
    "text": Text,
    "target": Maybe({"type": Text, "id": Id}),
    "created_at": Time,
    "read_at": Maybe(Time),
}
SUBSCRIPTIONS = {"items": [{"name": Text, "template_id": Text, "credit": Count}]}
HOME = {
    "me": RESIDENT,
    "estates": [ESTATE],
    "unread": Count,
    "open_tickets": [ROW],
    "open_decisions": [{"decision_id": Id, "title": Text, "my_ballot": Maybe(Text), "closes_at": Time}],
    "notices": [{"notice_id": Id, "title": Text, "published_at": Time, "read_at": Maybe(Time)}],
    "revenue": Maybe({"period_id": Id, "closing_fen": Count}),
    "quick_actions": [{"key": Text, "title": Text, "path": Text}],
}
STAFF = {
    "id": Id,
    "account": Text,
    "name": Text,
    "scopes": [{"role": Text, "org_id": Id, "org": Text, "permissions": [Text]}],
    "needs": [Text],
    "totp": Bool,
}
STAFF_SESSION = {"token": Text, "expires_in": Count, "staff": STAFF}
STAFF_ROW = {
    **ROW,
    "channel": Text,
    "address": Maybe(Text),
    "org": Maybe(Text),
    "handler": Maybe(Text),
    "overdue": Bool,
}
STAFF_TICKET = {
    **STAFF_ROW,
    "version": Count,
    "text_check": Text,
    "answers": Object,
    "location": Maybe(LOCATION),
    "reporter": Maybe({"anonymous": Bool, "name": Maybe(Text), "phone_masked": Maybe(Masked)}),
    "suggested_org": Maybe({"org_id": Id, "name": Text, "why": Text}),
    "suggested_category": Maybe({"code": Text, "name": Text, "why": [Text]}),
    "photos": [
        {
            **PHOTO,
            "photo_ref": Id,
            "check_state": Text,
            "stage": one_of("before", "after"),
            "taken_at": Maybe(Time),
            "position": Maybe(LOCATION),
            "url": Url,
        }
    ],
    "timeline": [
        {
            "seq": Count,
            "at": Time,
            "kind": Text,
            "from_status": Maybe(TicketState),
            "status": TicketState,
            "visibility": one_of("reporter", "internal"),
            "actor_kind": Text,
            "actor": Maybe(Text),
            "org": Maybe(Text),
            "text": Maybe(Text),
            "data": Object,
        }
    ],
    "rating": Maybe(RATING),
    "reopened": Count,
    "moves": [Text],
}
FILE = {"file_id": Id, "status": PhotoState, "thumb_url": Url}


def page(of: Any) -> dict[str, Any]:
    """A keyset page of such items."""
    return {"items": [of], "next_cursor": Cursor}


def fits(value: Any, spec: Any, where: str) -> Any:
    """Check a value against named fields; other fields may be there. Returns the value."""
    if isinstance(spec, Maybe):
        if value is not None:
            fits(value, spec.spec, where)
    elif isinstance(spec, dict):
        check(isinstance(value, dict), where, "an object", value)
        for name, inner in spec.items():
            check(name in value, where, f"a field {name}", sorted(value))
            fits(value[name], inner, f"{where} → {name}")
    elif isinstance(spec, list):
        check(isinstance(value, list), where, "a list", value)
        for at, item in enumerate(value):
            fits(item, spec[0], f"{where}[{at}]")
    else:
        check(spec.holds(value), where, spec.name, value)
    return value


# --- what holds for every answer ---------------------------------------------------------------------------


def house_rules(answer: Answer) -> None:
    """Trace, form, times, ids, errors: what api.md says of every face."""
    where = answer.where
    same(answer.headers.get("X-Request-ID"), answer.sent_id, f"{where}: X-Request-ID")
    kind = (answer.headers.get("Content-Type") or "").split(";")[0].strip()
    for word in (b"Traceback (most recent", b"sqlalchemy", b"psycopg"):
        check(word not in answer.body, where, "no inside of the program", answer.body[:300])
    if answer.status >= 400:
        _is_problem(answer, kind)
    elif kind == "application/json":
        for path, key, value in _walk(answer.json, ""):
            _is_well_said(f"{where}{path}", key, value)
    if answer.status == 201:
        check(answer.headers.get("Location"), where, "201 with Location", dict(answer.headers.items()))
    if answer.status == 405:
        check(answer.headers.get("Allow"), where, "405 with Allow", dict(answer.headers.items()))
    if answer.status == 304:
        check(
            answer.body == b"" and answer.headers.get("ETag"), where, "304 with ETag and no body", answer.body
        )
    if answer.status in {429, 503}:
        check((answer.headers.get("Retry-After") or "").isdigit(), where, "Retry-After", answer.status)
    if answer.status == 401:
        check(answer.headers.get("WWW-Authenticate"), where, "401 with WWW-Authenticate", answer.status)


def _is_problem(answer: Answer, kind: str) -> None:
    where = answer.where
    check(
        answer.status < 500 or answer.status == 503,
        where,
        "no internal error",
        f"{answer.status} {answer.body!r}",
    )
    same(kind, "application/problem+json", f"{where}: Content-Type of {answer.status}")
    problem = fits(
        answer.json, {"type": Text, "title": Text, "status": Int, "detail": Text, "code": Text}, where
    )
    same(problem["status"], answer.status, f"{where}: status in the problem")
    check(re.fullmatch(r"[a-z][a-z0-9_]*", problem["code"]), where, "code as a stable word", problem["code"])
    if "errors" in problem:
        check(
            isinstance(problem["errors"], dict) and problem["errors"],
            where,
            "errors by field",
            problem["errors"],
        )


def _walk(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{path}.{key}", key, inner
            yield from _walk(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{at}]")


_NO_TIME = {
    "needed_by",
    "set_by",
    "nominated_by",
    "governed_by",
    "submitted_by",
    "reviewed_by",
    "answered_by",
    "published_by",
} | {
    "reversed_by",  # a line
    "answer_by",  # a day
}
_NOT_OURS = {"template_id", "request_id", "key_id"}


def _is_well_said(where: str, key: str, value: Any) -> None:
    check(re.fullmatch(r"[a-z0-9_]+", key) or "." in where.partition(".answers")[2], where, "snake_case", key)
    if isinstance(value, str) and _TIME.match(value):
        check(_is_time(value), where, Time.name, value)
    if key.endswith(("_at", "_by")) and key not in _NO_TIME:
        check(value is None or _is_time(value), where, Time.name, value)
    if (key == "id" or key.endswith(("_id", "_ref"))) and key not in _NOT_OURS:
        check(value is None or _is_id(value), where, Id.name, value)


# --- the served OpenAPI files --------------------------------------------------------------------------------

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": _is_int,
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


class Documented:
    """The OpenAPI files as the running site serves them; every answer has to be what they say."""

    def __init__(self, site: Site) -> None:
        """Reads the three files."""
        caller = Caller(site)
        self.documents = {face: caller.get(f"/openapi/{face}.json").ok() for face in FACES}
        self._routes: list[tuple[re.Pattern[str], Mapping[str, Any], dict[str, Any]]] = []
        for face, document in self.documents.items():
            version = str(document.get("openapi"))
            check(version.startswith("3."), f"/openapi/{face}.json", "OpenAPI 3", version)
            for path, item in document["paths"].items():
                check(path.startswith(FACES[face]), f"/openapi/{face}.json", f"paths of {FACES[face]}", path)
                pattern = re.sub(r"\\\{[^/]+\\\}", "[^/]+", re.escape(path))
                self._routes.append((re.compile(pattern), item, document))
        # As OpenAPI has it: a path that is written out comes before one with a parameter in its place.
        self._routes.sort(key=lambda route: route[0].pattern.count("[^/]+"))

    def rule(self, answer: Answer) -> None:
        """Check one answer; what isn't of a face is not described."""
        path = answer.path.partition("?")[0]
        for pattern, item, document in self._routes:
            if pattern.fullmatch(path) and (operation := item.get(answer.method.lower())):
                self._conforms(answer, operation["responses"], document)
                return
        known = answer.status in {404, 405} or not path.startswith(tuple(FACES.values()))
        check(
            known or path.startswith("/public/"),
            answer.where,
            "an operation in the OpenAPI file",
            answer.status,
        )

    def _conforms(self, answer: Answer, responses: Mapping[str, Any], document: dict[str, Any]) -> None:
        if answer.status == 304:
            return
        described = responses.get(str(answer.status)) or (
            responses.get("default") if answer.status >= 400 else None
        )
        check(described, answer.where, f"one of the described answers {sorted(responses)}", answer.status)
        described = _resolve(described, document)
        kind = (answer.headers.get("Content-Type") or "").split(";")[0].strip()
        content = described.get("content", {})
        if not answer.body:
            check(not content, answer.where, f"a body of {sorted(content)}", "none")
            return
        check(kind in content, answer.where, f"Content-Type {sorted(content)}", kind)
        if kind.endswith("json"):
            _valid(answer.json, content[kind]["schema"], document, f"{answer.where} (OpenAPI)")


def _resolve(node: Any, document: Any) -> Any:
    while "$ref" in node:
        found = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def _valid(value: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> None:
    schema = _resolve(schema, document)
    for part in schema.get("allOf", ()):
        _valid(value, part, document, where)
    choices = [_resolve(choice, document) for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))]
    if choices:
        fitting = [choice for choice in choices if _has_type(value, choice)]
        check(fitting, where, f"one of {choices}", value)
        _valid(value, fitting[0], document, where)
    check(_has_type(value, schema), where, schema.get("type"), value)
    if value is None:
        return
    if "enum" in schema:
        check(value in schema["enum"], where, schema["enum"], value)
    if schema.get("format") == "date-time":
        check(_is_time(value), where, Time.name, value)
    if isinstance(value, list) and "items" in schema:
        for at, item in enumerate(value):
            _valid(item, schema["items"], document, f"{where}[{at}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", ()):
            check(name in value, where, f"a field {name}", sorted(value))
        if schema.get("additionalProperties") is False:
            check(set(value) <= set(properties), where, f"no field but {sorted(properties)}", sorted(value))
        for name in value.keys() & properties.keys():
            _valid(value[name], properties[name], document, f"{where} → {name}")


def _has_type(value: Any, schema: Mapping[str, Any]) -> bool:
    types = schema.get("type")
    names = [types] if isinstance(types, str) else types or list(_TYPES)
    return any(_TYPES[name](value) for name in names)
