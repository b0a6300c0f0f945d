"""Somebody who writes another community's ids wherever an id can be written, before each honest request."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.ids import Kind
from tests.security import doors

Send = Callable[..., TestResponse]
# Not hers, not there, not right, or refused for what else is wrong with it.
HIDDEN = {403, 404, 409, 422}


@dataclass
class Intruder:
    """What was tried, and what was not refused.

    `theirs`: ids of another street's things by their kind. A place counts as tried once the request was right but for
    that one id: the honest one, sent right after it, was taken.
    """

    app: Flask
    theirs: dict[Kind, list[str]]
    left_alone: frozenset[str] = frozenset()
    open_to_all: frozenset[tuple[str, str]] = frozenset()  # places that take anybody's id, for a reason
    tried: set[tuple[str, str]] = field(default_factory=set)  # (endpoint, place of the id)
    let_in: list[str] = field(default_factory=list)

    def opened(self, send: Send, path: str, method: str, more: dict[str, Any]) -> TestResponse:
        """The answer to the honest request, after each of its ids was replaced once by a foreign one."""
        door = doors.door(self.app, method, path)
        if door is None or door.name in self.left_alone:
            return send(path, method=method, **more)
        found = [
            one for one in self._replaced(door, path, more) if (door.name, one[0]) not in self.open_to_all
        ]
        answers = [(where, send(other, method=method, **changed)) for where, other, changed in found]
        honest = send(path, method=method, **more)
        for where, answer in answers:
            is_right = honest.status_code < 400
            if is_right:
                self.tried.add((door.name, where))
            if answer.status_code < 400 or (is_right and answer.status_code not in HIDDEN):
                said = answer.get_data(as_text=True)[:160] if answer.is_json else ""
                self.let_in.append(f"{door.name} {where}: {answer.status_code} {said}")
        # Where a foreign id was taken the honest one may come too late; the test fails at the end, with all it found.
        taken = [answer for _, answer in answers if answer.status_code < 400]
        return taken[0] if taken and honest.status_code >= 400 else honest

    def _replaced(
        self, door: doors.Door, path: str, more: dict[str, Any]
    ) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(which id, path, arguments) of each request with one foreign id."""
        if door.method != "GET":
            yield from self._in_path(door, path, more)
        schema = door.body()
        if schema is None or not isinstance(more.get("json"), dict):
            return
        for member in doors.members(schema):
            foreign = self.one(*doors.kinds_of(member.field))
            if foreign is None:
                continue
            # Where the honest request names one: what it doesn't name may be passed over.
            slot = next(
                (s for s in doors.slots(more["json"], member.place) if doors.value_at(more["json"], s)), None
            )
            if slot is not None:
                body = copy.deepcopy(more["json"])
                doors.put(body, slot, foreign)
                yield member.name, path, more | {"json": body}

    def _in_path(
        self, door: doors.Door, path: str, more: dict[str, Any]
    ) -> Iterator[tuple[str, str, dict[str, Any]]]:
        parts = path.split("/")
        shape = door.rule.rule.split("/")
        for at, (part, said) in enumerate(zip(parts, shape, strict=False)):
            for name, kind in doors.path_kinds(door.rule).items():
                if said == f"<ref({kind}):{name}>" and (foreign := self.one(kind)) is not None:
                    assert part
                    yield f"<{name}>", "/".join([*parts[:at], foreign, *parts[at + 1 :]]), more

    def one(self, *kinds: Kind) -> str | None:
        """A foreign id of one of these kinds."""
        for kind in kinds:
            if self.theirs.get(kind):
                return self.theirs[kind][0]
        return None


def ids_in(app: Flask) -> Iterator[tuple[str, str, tuple[Kind, ...]]]:
    """(endpoint, place, kinds) of every id in every path, body and query of every write."""
    for door in doors.all_doors(app):
        if door.method == "GET":
            continue
        for name, kind in doors.path_kinds(door.rule).items():
            yield door.name, f"<{name}>", (kind,)
        for schema in (door.body(), door.query()):
            for member in doors.members(schema) if schema is not None else ():
                if kinds := doors.kinds_of(member.field):
                    yield door.name, member.name, kinds
