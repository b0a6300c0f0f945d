"""What comes in through each endpoint, read from the schemas that read it: texts, and ids of things."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from app.ids import Kind
from bff.http import RefConverter
from bff.schemas import AnyWireId, Phone, Text, WireId

EACH = "*"  # in the place of a member: each element of a list, each value of an object
Place = tuple[str | int, ...]  # a number: which of a list


@dataclass(frozen=True)
class Member:
    """A member of a body or a query that takes one value: where it stands, and what reads it."""

    place: Place
    field: ma.fields.Field[Any]

    @property
    def name(self) -> str:
        return ".".join(str(key) for key in self.place)


def schema_of(view: Callable[..., Any], location: str) -> ma.Schema | None:
    """The schema by which webargs reads this part of the request (json, query, form) of a view; None without."""
    inner: Any = view
    while inner is not None:
        cells = zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True)
        held = {name: cell.cell_contents for name, cell in cells}
        if "argmap" in held and held.get("location") == location:
            found = held["argmap"]
            return found() if isinstance(found, type) else found
        inner = getattr(inner, "__wrapped__", None)
    return None


@contextmanager
def noted() -> Iterator[list[ma.Schema]]:
    """The schemas by which requests are read meanwhile: a page of the console reads its query by itself, where
    `schema_of` doesn't see it.
    """
    found: list[ma.Schema] = []
    load = ma.Schema.load

    def noting(schema: ma.Schema, *args: Any, **more: Any) -> Any:
        found.append(schema)
        return load(schema, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ma.Schema, "load", noting)
        yield found


def members(schema: ma.Schema) -> Iterator[Member]:
    """Everything that a client can fill in, however deep."""
    for name, field in schema.fields.items():
        if not field.dump_only:
            yield from _below((field.data_key or name,), field)


def _below(place: Place, field: ma.fields.Field[Any]) -> Iterator[Member]:
    if isinstance(field, ma.fields.Nested):
        within = (*place, EACH) if field.many else place
        for member in members(field.schema):
            yield Member((*within, *member.place), member.field)
    elif isinstance(field, ma.fields.List):
        yield from _below((*place, EACH), field.inner)
    elif isinstance(field, ma.fields.Dict) and field.value_field is not None:
        yield from _below((*place, EACH), field.value_field)
    else:
        yield Member(place, field)


def is_text(member: Member) -> bool:
    """Does it take words? Phones, dates, ids and one word out of a list don't."""
    field = member.field
    return (
        isinstance(field, ma.fields.String)
        and not isinstance(field, Phone)
        and not any(isinstance(v, ma.validate.OneOf | ma.validate.Equal) for v in field.validators)
    )


def kinds_of(field: ma.fields.Field[Any]) -> tuple[Kind, ...]:
    """The kinds of things whose id the field takes; empty for other fields."""
    if isinstance(field, WireId):
        return (field.kind,)
    return tuple(field.kinds) if isinstance(field, AnyWireId) else ()


def longest(field: ma.fields.Field[Any]) -> int:
    """How many characters it takes, as far as it says."""
    if isinstance(field, Text):
        return field.most
    found = [v.max for v in field.validators if isinstance(v, ma.validate.Length) and v.max is not None]
    return min(found, default=200)


def slots(body: Any, place: Place) -> Iterator[Place]:
    """The places of a body that this place means: with the numbers of lists and the keys of objects for `*`. A member
    that isn't there counts where what would hold it is.
    """
    yield from _slots(body, place, ())


def _slots(body: Any, place: Place, before: Place) -> Iterator[Place]:
    first, rest = place[0], place[1:]
    keys: Iterable[str | int]
    if first == EACH:
        keys = range(len(body)) if isinstance(body, list) else list(body) if isinstance(body, dict) else ()
    else:
        keys = [first] if isinstance(body, dict) else ()
    for key in keys:
        here: Place = (*before, key)
        if not rest:
            yield here
        elif isinstance(body, list) or key in body:
            yield from _slots(body[key], rest, here)


def put(body: Any, slot: Place, value: Any) -> None:
    """Write into a body; its holder must be there."""
    for key in slot[:-1]:
        body = body[key]
    body[slot[-1]] = value


def value_at(body: Any, slot: Place) -> Any:
    """What stands there; None when nothing does."""
    for key in slot:
        if isinstance(body, Mapping):
            body = body.get(key)
        elif isinstance(body, list) and isinstance(key, int) and key < len(body):
            body = body[key]
        else:
            return None
    return body


@dataclass(frozen=True)
class Door:
    """An endpoint as a request meets it."""

    rule: Rule
    method: str
    view: Callable[..., Any]
    found: Mapping[str, Any]  # the ids and words in the path

    @property
    def name(self) -> str:
        """`POST /admin/api/v1/tickets/<ref(tkt):ref>/merge`."""
        return f"{self.method} {self.rule.rule}"

    def body(self) -> ma.Schema | None:
        return schema_of(self.view, "json")

    def query(self) -> ma.Schema | None:
        return schema_of(self.view, "query")


def door(app: Flask, method: str, path: str) -> Door | None:
    """The endpoint that answers this request; None where nothing does."""
    try:
        rule, found = app.url_map.bind("127.0.0.1").match(
            path.partition("?")[0], method=method, return_rule=True
        )
    except HTTPException:
        return None
    return Door(rule, method, app.view_functions[rule.endpoint], found)


def all_doors(app: Flask) -> Iterator[Door]:
    """Every endpoint of the house."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield Door(rule, method, app.view_functions[rule.endpoint], {})


def path_kinds(rule: Rule) -> dict[str, Kind]:
    """The ids in a path by the name of their argument."""
    return {
        name: converter.kind
        for name, converter in rule._converters.items()
        if isinstance(converter, RefConverter)
    }
