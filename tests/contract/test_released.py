"""A client of the last release goes on working, or the list says why it can't."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools import openapi, openapi_changes
from tools.openapi_changes import breaking

OLD: dict[str, Any] = {
    "security": [{"bearer": []}],
    "components": {
        "responses": {"NotFound": {"description": "not there", "headers": {"X": {}}}},
        "schemas": {
            "In": {
                "type": "object",
                "additionalProperties": False,
                "required": ["text"],
                "properties": {
                    "text": {"type": "string", "maxLength": 9},
                    "kind": {"type": "string", "enum": ["a", "b"]},
                    "more": {"type": ["integer", "null"], "minimum": 1},
                    "inner": {"$ref": "#/components/schemas/In"},
                },
            },
            "Out": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string"},
                    "state": {"type": "string", "enum": ["open"]},
                    "at": {"type": "string", "format": "date-time"},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Out"}},
                    "place": {"anyOf": [{"$ref": "#/components/schemas/Out"}, {"type": "null"}]},
                },
            },
        },
    },
    "paths": {
        "/things/{ref}": {
            "parameters": [{"in": "path", "name": "ref", "required": True, "schema": {"type": "string"}}],
            "post": {
                "security": [],
                "parameters": [{"in": "query", "name": "q", "required": False, "schema": {"type": "string"}}],
                "requestBody": {
                    "required": False,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/In"}}},
                },
                "responses": {
                    "200": {
                        "description": "OK",
                        "headers": {"ETag": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Out"}}},
                    },
                    "404": {"$ref": "#/components/responses/NotFound"},
                },
            },
        }
    },
}
Change = Callable[[dict[str, Any]], Any]


def post(new: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = new["paths"]["/things/{ref}"]["post"]
    return said


def taken(new: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = new["components"]["schemas"]["In"]
    return said


def given(new: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = new["components"]["schemas"]["Out"]
    return said


BREAKS: dict[str, Change] = {
    "POST /things/{}: removed": lambda n: n["paths"].clear(),
    "POST /things/{}: asks for a login now": lambda n: post(n).pop("security"),
    "POST /things/{}: query q: removed": lambda n: post(n)["parameters"].clear(),
    "POST /things/{}: query q: required now": lambda n: post(n)["parameters"][0].update(required=True),
    "POST /things/{}: query q: pattern ^x now": lambda n: post(n)["parameters"][0]["schema"].update(
        pattern="^x"
    ),
    "POST /things/{}: header If-Match: required now": lambda n: post(n)["parameters"].append(
        {"in": "header", "name": "If-Match", "required": True, "schema": {"type": "string"}}
    ),
    "POST /things/{}: body: required now": lambda n: post(n)["requestBody"].update(required=True),
    "POST /things/{}: body.kind: required now": lambda n: taken(n)["required"].append("kind"),
    "POST /things/{}: body.text: maxLength 8 now": lambda n: taken(n)["properties"]["text"].update(
        maxLength=8
    ),
    "POST /things/{}: body.kind: not taken any more: b": lambda n: taken(n)["properties"]["kind"].update(
        enum=["a"]
    ),
    "POST /things/{}: body.more: can't be null any more": lambda n: taken(n)["properties"]["more"].update(
        type="integer"
    ),
    "POST /things/{}: body.more: minimum 2 now": lambda n: taken(n)["properties"]["more"].update(minimum=2),
    "POST /things/{}: body.more: refused now": lambda n: taken(n)["properties"].pop("more"),
    "POST /things/{}: answer 404: removed": lambda n: post(n)["responses"].pop("404"),
    "POST /things/{}: answer 404: header X removed": lambda n: n["components"]["responses"]["NotFound"].pop(
        "headers"
    ),
    "POST /things/{}: answer 200: header ETag removed": lambda n: post(n)["responses"]["200"].pop("headers"),
    "POST /things/{}: answer 200 application/json: removed": lambda n: post(n)["responses"]["200"][
        "content"
    ].clear(),
    "POST /things/{}: answer 200.state: removed": lambda n: given(n)["properties"].pop("state"),
    "POST /things/{}: answer 200.id: may be missing now": lambda n: given(n)["required"].clear(),
    "POST /things/{}: answer 200.id: may be null now": lambda n: given(n)["properties"]["id"].update(
        type=["string", "null"]
    ),
    "POST /things/{}: answer 200.state: has values that it hadn't: shut": lambda n: given(n)["properties"][
        "state"
    ].update(enum=["open", "shut"]),
    "POST /things/{}: answer 200.state: may be any value now": lambda n: given(n)["properties"]["state"].pop(
        "enum"
    ),
    "POST /things/{}: answer 200.at: is written in another way: date": lambda n: given(n)["properties"][
        "at"
    ].update(format="date"),
    "POST /things/{}: answer 200.parts[]: may be null now": lambda n: given(n)["properties"]["parts"].update(
        items={"anyOf": [{"$ref": "#/components/schemas/Out"}, {"type": "null"}]}
    ),
}


@pytest.mark.parametrize("line", BREAKS)
def test_what_a_client_relies_on_is_not_taken_away_unseen(line: str) -> None:
    new = copy.deepcopy(OLD)
    BREAKS[line](new)
    assert line in breaking(OLD, new)


KEEPS: dict[str, Change] = {
    "nothing": lambda n: n.update(info={"title": "another title"}),
    "a new operation": lambda n: n["paths"].update({"/more": {"get": {"responses": {}}}}),
    "another name for what the path names": lambda n: n["paths"].update(
        {"/things/{thing}": n["paths"].pop("/things/{ref}")}
    ),
    "a login that isn't asked for": lambda n: n.update(security=[]),
    "a parameter that may be left out": lambda n: post(n)["parameters"].append(
        {"in": "query", "name": "more", "required": False, "schema": {"type": "string"}}
    ),
    "longer texts": lambda n: taken(n)["properties"]["text"].update(maxLength=10),
    "more values to send": lambda n: taken(n)["properties"]["kind"].update(enum=["a", "b", "c"]),
    "what needn't be sent any more": lambda n: taken(n)["required"].clear(),
    "a member more in the answer": lambda n: given(n)["properties"].update(more={"type": "string"}),
    "an answer that is always there": lambda n: given(n)["required"].append("state"),
    "a new refusal": lambda n: post(n)["responses"].update({"409": {"description": "not now"}}),
}


@pytest.mark.parametrize("name", KEEPS)
def test_what_is_added_breaks_nobody(name: str) -> None:
    new = copy.deepcopy(OLD)
    KEEPS[name](new)
    assert breaking(OLD, new) == []


def test_the_present_documents_break_nothing_of_the_release_that_is_not_listed() -> None:
    assert openapi_changes.since_the_release() == list(openapi_changes.accepted())


def test_each_listed_break_has_its_reason() -> None:
    assert [line for line, reason in openapi_changes.accepted().items() if len(reason) < 10] == []


def test_the_command_tells_what_breaks_and_what_is_listed_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(openapi_changes, "FOLDER", tmp_path)
    monkeypatch.setattr(openapi_changes, "RELEASED", tmp_path / "released")
    monkeypatch.setattr(openapi_changes, "ACCEPTED", tmp_path / "released/accepted.toml")
    monkeypatch.setattr("sys.argv", ["openapi_changes"])
    for face in openapi.FACES:
        (tmp_path / f"{face}.json").write_text(json.dumps(OLD), encoding="utf-8")
    openapi_changes.release()
    assert openapi_changes.main() == 0
    new = copy.deepcopy(OLD)
    new["paths"].clear()
    (tmp_path / "public.json").write_text(json.dumps(new), encoding="utf-8")
    assert openapi_changes.main() == 1
    assert "public POST /things/{}: removed" in capsys.readouterr().err
    listed = tmp_path / "released/accepted.toml"
    listed.write_text('"public POST /things/{}: removed" = "nobody has used it"\n', encoding="utf-8")
    assert openapi_changes.main() == 0
    (tmp_path / "public.json").write_text(json.dumps(OLD), encoding="utf-8")
    assert openapi_changes.main() == 1
    assert "doesn't break: public POST /things/{}: removed" in capsys.readouterr().err
