"""Every operation of the OpenAPI documents, asked by somebody who may, about things that are there.

schemathesis makes the requests from the documents and judges the answers by them. What it can't know is said here: who
asks, and that an id names something: each well-formed id is put in place of one of its kind in the caller's own town.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import schemathesis
from flask import Flask
from schemathesis.checks import CheckContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import ignored_auth, is_unexpected_http_status_case

from app import clock, ids
from app.idempotency import MAX_KEY
from app.ids import OF_COMMUNITY, BadId, Kind
from app.people.models import Role
from app.people.permissions import GRANTS
from tests.conftest import Caller, House, Person
from tests.structure.test_permission_matrix import Home

FACES = ("public", "resident", "admin")
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
CONFIG = Path(__file__).with_name("schemathesis.toml")
_ID = re.compile(r"([a-z]{3})_[a-z2-7]{26,32}")
# Whoever has asked one of these is somebody else afterwards, or logged out.
ENDS_THE_LOGIN = {
    "DELETE /bff/v1/session",
    "DELETE /bff/v1/me",
    "POST /bff/v1/session/phone",
    "DELETE /admin/api/v1/session",
    "DELETE /admin/api/v1/me/sessions",
    "DELETE /admin/api/v1/me/sessions/{session_id}",
    "POST /admin/api/v1/me/password",
}


def face(app: Flask, name: str) -> BaseSchema:
    """The document of a face as it is served, with what counts as kept."""
    config = SchemathesisConfig.from_path(CONFIG)
    return schemathesis.openapi.from_wsgi(f"/openapi/{name}.json", app, config=config)


@schemathesis.check
def promised_status(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """Every answer has a status that its operation names: `default` is for what is still to come."""
    if is_unexpected_http_status_case(case):
        return True
    if str(response.status_code) not in case.operation.definition.raw["responses"]:
        raise Failure(
            operation=case.operation.label,
            title="Status that the document doesn't name",
            message=f"{response.status_code} isn't among the answers of the operation",
        )
    return None


class Asker:
    """Who asks the operations of a face, and what there is to ask about."""

    def __init__(self, house: House, home: Home, log_in: Callable[[], Person], resident: Person) -> None:
        self.house, self.home, self._log_in, self._resident = house, home, log_in, resident
        self._things: dict[str, list[str]] = defaultdict(list)
        for (kind, _), wire_id in home.things.items():
            self._things[kind.value].append(wire_id)
        self._roles = dict(_roles(house.app))
        self._callers: dict[Role, Caller] = {}
        self._last: tuple[str, str] = ("", "")
        self._closed: set[str] = set()

    # --- who asks ---

    def token(self, operation: APIOperation) -> str | None:
        """The token of somebody who may ask this; None where nobody has to be logged in."""
        spec = operation.definition.raw
        if spec.get("security", operation.schema.raw_schema.get("security")) == []:
            return None
        if operation.label in ENDS_THE_LOGIN or self._last[0] != operation.label:
            self._last = operation.label, self._token(operation)
        return self._last[1]

    def _token(self, operation: APIOperation) -> str:
        if operation.path.startswith("/bff/"):
            return (self._log_in() if operation.label in ENDS_THE_LOGIN else self._resident).token
        role = self._roles[operation.label]
        if operation.label in ENDS_THE_LOGIN:
            return str(self.home.town.hire(role.value, self.home.where).token)
        # What was asked before may have ended the login, or the role.
        caller = self._callers.get(role)
        if caller is None or caller.get("/me").status_code != 200:
            caller = self._callers[role] = self.home.town.hire(role.value, self.home.where)
        return str(caller.token)

    # --- what is asked about ---

    def settle(self, case: Case) -> None:
        """Let what nobody can make up be right: an id names something that is there wherever there is one of its kind,
        a name for a retry is new, a version is any, and a list begins at its beginning.
        """
        for part in (case.path_parameters, case.query, case.body):
            self._settled(part)
        if 0 < len(key := case.headers.get("Idempotency-Key") or "") <= MAX_KEY:
            case.headers["Idempotency-Key"] = uuid4().hex + key[32:]
        if case.headers.get("If-Match"):
            case.headers["If-Match"] = "*"
        if isinstance(case.query, dict) and isinstance(case.query.get("cursor"), str):
            case.query.pop("cursor")

    def _settled(self, value: Any) -> Any:
        if isinstance(value, dict):
            for name, inner in value.items():
                value[name] = self._settled(inner)
        elif isinstance(value, list):
            value[:] = [self._settled(inner) for inner in value]
        elif isinstance(value, str) and (found := _ID.fullmatch(value)) and self._things.get(found[1]):
            known = self._things[found[1]]
            return known[zlib.crc32(value.encode()) % len(known)] if _is_made_up(value) else value
        return value

    def ask(self, case: Case) -> Response:
        """Send it, and hold the answer against the document. Raises a group of failures, with what repeats them."""
        self.settle(case)
        token = self.token(case.operation)
        # In the process schemathesis says that it takes gzip, as `requests` would, and then doesn't open it.
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # Without its login an operation is asked once: that takes three requests.
        known = [ignored_auth] if case.operation.label in self._closed else []
        answer = case.call_and_validate(headers=headers, excluded_checks=known, app=self.house.app)
        if answer.status_code < 300:
            self._closed.add(case.operation.label)
        return answer


def _is_made_up(text: str) -> bool:
    """Whether an id is none that the house has given out: those say when they were made, and that is not long ago."""
    kind = Kind(text[:3])
    try:
        made = ids.decode_ref(kind, text).id if kind in OF_COMMUNITY else ids.decode_id(kind, text)
    except BadId:
        return True
    return abs((made.int >> 80) / 1000 - clock.now().timestamp()) > 24 * 3600


def _roles(app: Flask) -> Iterator[tuple[str, Role]]:
    """By operation of the staff face a role that may ask it."""
    order = [Role.COMMUNITY, Role.STREET, *Role]
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/admin/api/v1/"):
            continue
        needs = getattr(app.view_functions[rule.endpoint], "_requires", ())
        role = next(r for r in order if not needs or any(p in GRANTS[r] for p in needs))
        path = re.sub(r"<(?:[^<>]*:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in rule.methods or ():
            yield f"{method} {path}", role
