"""What a client of the last release trips over: `python -m tools.openapi_changes` compares openapi/*.json with
openapi/released/, and fails on what isn't listed with its reason in openapi/released/accepted.toml.

`--release` makes the present documents the released ones, and empties the list.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.openapi import FACES, FOLDER

RELEASED = FOLDER / "released"
ACCEPTED = RELEASED / "accepted.toml"
HEAD = '# What breaks a client of the last release, and why it has to be: "what the check says" = "the reason".\n'
METHODS = ("get", "post", "put", "patch", "delete")
_LEAST = ("minimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "maxLength", "maxItems", "maxProperties")
_INNER = (("items", "[]"), ("additionalProperties", ".*"))
_COMPARED = frozenset({"anyOf", "allOf", "oneOf", "not"})

Json = dict[str, Any]


def breaking(old: Json, new: Json) -> list[str]:
    """What of `old` a client relies on and `new` doesn't keep, in lines that say the same each time."""
    return list(dict.fromkeys(_Comparison(old, new).all()))


@dataclass(frozen=True)
class _Comparison:
    old: Json
    new: Json

    def all(self) -> Iterator[str]:
        now = dict(_operations(self.new))
        for name, before in _operations(self.old):
            if name not in now:
                yield f"{name}: removed"
                continue
            for line in self._operation(before, now[name]):
                yield f"{name}: {line}"

    # --- operations ---

    def _operation(self, old: Json, new: Json) -> Iterator[str]:
        if (
            old.get("security", self.old.get("security"))
            == []
            != new.get("security", self.new.get("security"))
        ):
            yield "asks for a login now"
        yield from self._parameters(_parameters(old), _parameters(new))
        yield from self._body(old.get("requestBody"), new.get("requestBody"))
        for status, before in old["responses"].items():
            if status not in new["responses"]:
                yield f"answer {status}: removed"
                continue
            yield from self._answer(
                status, self._of(self.old, before), self._of(self.new, new["responses"][status])
            )

    def _parameters(self, old: dict[str, Json], new: dict[str, Json]) -> Iterator[str]:
        for name, said in new.items():
            if said.get("required") and not old.get(name, {}).get("required"):
                yield f"{name}: required now"
        for name, before in old.items():
            if name not in new:
                yield f"{name}: removed"
            else:
                yield from self._taken(name, before["schema"], new[name]["schema"], frozenset())

    def _body(self, old: Json | None, new: Json | None) -> Iterator[str]:
        if new is not None and new.get("required") and not (old or {}).get("required"):
            yield "body: required now"
        if old is None:
            return
        for kind, before in old["content"].items():
            now = (new or {"content": {}})["content"].get(kind)
            if now is None:
                yield f"body {kind}: removed"
            else:
                yield from self._taken("body", before["schema"], now["schema"], frozenset())

    def _answer(self, status: str, old: Json, new: Json) -> Iterator[str]:
        for name in old.get("headers", {}):
            if name not in new.get("headers", {}):
                yield f"answer {status}: header {name} removed"
        for kind, before in old.get("content", {}).items():
            now = new.get("content", {}).get(kind)
            if now is None:
                yield f"answer {status} {kind}: removed"
            elif "schema" in before:
                yield from self._given(
                    f"answer {status}", before["schema"], now.get("schema", {}), frozenset()
                )

    # --- schemas ---

    @staticmethod
    def _of(document: Json, said: Json) -> Json:
        """What a reference leads to; of `anyOf` a thing and null the thing, which may be null."""
        if "$ref" in said:
            *_, place, name = said["$ref"].split("/")
            found: Json = document["components"][place][name]
            return found
        if "anyOf" in said:
            things = [one for one in said["anyOf"] if one != {"type": "null"}]
            if len(things) == 1:
                thing = _Comparison._of(document, things[0])
                return thing | {"type": sorted(_types(thing) | {"null"})}
        return said

    def _pair(self, old: Json, new: Json) -> tuple[Json, Json, tuple[str, str]]:
        return self._of(self.old, old), self._of(self.new, new), (json.dumps(old), json.dumps(new))

    def _taken(self, where: str, old: Json, new: Json, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        """Of what is sent: everything that was right stays right."""
        old, new, pair = self._pair(old, new)
        if pair in seen:
            return
        seen |= {pair}
        yield from _narrowed(where, old, new)
        before, now = old.get("properties", {}), new.get("properties", {})
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{where}.{name}: required now"
        for name, said in before.items():
            if name in now:
                yield from self._taken(f"{where}.{name}", said, now[name], seen)
            elif new.get("additionalProperties") is False:
                yield f"{where}.{name}: refused now"
        if (
            new.get("additionalProperties") is False
            and old.get("additionalProperties") is not False
            and before
        ):
            yield f"{where}: refuses members that it doesn't name now"
        for name, step in _INNER:
            if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
                yield from self._taken(f"{where}{step}", old[name], new[name], seen)

    def _given(self, where: str, old: Json, new: Json, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        """Of what is answered: everything that was there is still there, and of no more kinds than before."""
        old, new, pair = self._pair(old, new)
        if pair in seen:
            return
        seen |= {pair}
        if more := _types(new) - _types(old):
            yield f"{where}: may be {' or '.join(sorted(more))} now"
        if "enum" in old and "enum" not in new:
            yield f"{where}: may be any value now"
        elif "enum" in old and (others := set(map(str, new["enum"])) - set(map(str, old["enum"]))):
            yield f"{where}: has values that it hadn't: {', '.join(sorted(others))}"
        if old.get("format") != new.get("format"):
            yield f"{where}: is written in another way: {new.get('format')}"
        yield from _not_compared(where, old, new)
        now = new.get("properties", {})
        for name, said in old.get("properties", {}).items():
            if name not in now:
                yield f"{where}.{name}: removed"
                continue
            if name in old.get("required", ()) and name not in new.get("required", ()):
                yield f"{where}.{name}: may be missing now"
            yield from self._given(f"{where}.{name}", said, now[name], seen)
        for name, step in _INNER:
            if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
                yield from self._given(f"{where}{step}", old[name], new[name], seen)


def _narrowed(where: str, old: Json, new: Json) -> Iterator[str]:
    if less := _types(old) - _types(new):
        yield f"{where}: can't be {' or '.join(sorted(less))} any more"
    if "enum" in new and (
        gone := set(map(str, old.get("enum", ["another value"]))) - set(map(str, new["enum"]))
    ):
        yield f"{where}: not taken any more: {', '.join(sorted(gone))}"
    for name in (*_LEAST, *_MOST):
        sign = 1 if name in _LEAST else -1
        if name in new and (name not in old or sign * new[name] > sign * old[name]):
            yield f"{where}: {name} {new[name]} now"
    for name in ("pattern", "format"):
        if name in new and new[name] != old.get(name):
            yield f"{where}: {name} {new[name]} now"
    yield from _not_compared(where, old, new)


def _not_compared(where: str, old: Json, new: Json) -> Iterator[str]:
    if any(old.get(name) != new.get(name) for name in _COMPARED):
        yield f"{where}: is put together in another way"


def _types(schema: Json) -> set[str]:
    said = schema.get("type", ["array", "boolean", "integer", "null", "number", "object", "string"])
    types = {said} if isinstance(said, str) else set(said)
    return types | ({"integer"} if "number" in types else set())


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    """By method and path; how a parameter of the path is called is nobody's business."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                said = item[method]
                named = [*item.get("parameters", []), *said.get("parameters", [])]
                yield f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}", said | {"parameters": named}


def _parameters(operation: Json) -> dict[str, Json]:
    """By place and name; those of the path by their place in it."""
    found, steps = {}, 0
    for one in operation["parameters"]:
        if one["in"] == "path":
            steps += 1
        found[f"{one['in']} {steps if one['in'] == 'path' else one['name']}"] = one
    return found


# --- the command -------------------------------------------------------------------------------------------


def accepted() -> dict[str, str]:
    """What may break, with its reason."""
    return tomllib.loads(ACCEPTED.read_text(encoding="utf-8")) if ACCEPTED.exists() else {}


def since_the_release() -> list[str]:
    """What the present documents break of the released ones, each line with its face."""
    return [
        f"{face} {line}"
        for face in FACES
        for line in breaking(_read(RELEASED / f"{face}.json"), _read(FOLDER / f"{face}.json"))
    ]


def _read(path: Path) -> Json:
    document: Json = json.loads(path.read_text(encoding="utf-8"))
    return document


def release() -> None:
    """The present documents become the released ones."""
    RELEASED.mkdir(exist_ok=True)
    for face in FACES:
        shutil.copyfile(FOLDER / f"{face}.json", RELEASED / f"{face}.json")
    ACCEPTED.write_text(HEAD, encoding="utf-8")


def main() -> int:
    """0 when nothing breaks that isn't listed, and nothing is listed that doesn't break."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="store_true")
    if parser.parse_args().release:
        release()
        return 0
    listed, found = accepted(), since_the_release()
    for line in found:
        if line not in listed:
            print(f"openapi: breaks clients of the last release: {line}", file=sys.stderr)
    for line in listed.keys() - set(found):
        print(f"openapi: listed in {ACCEPTED.name}, but doesn't break: {line}", file=sys.stderr)
    return int(set(found) != listed.keys())


if __name__ == "__main__":
    raise SystemExit(main())
