"""A hotline for a town: the source registered over HTTP, the sandbox's 12345 told its secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import clock, ids
from app.ids import Kind
from tests.conftest import Caller, Town


def signature(secret: str, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Written from the contract, apart from the software's own."""
    lines = f"{method}\n{path}\n{timestamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
    return hmac.new(secret.encode(), lines.encode(), hashlib.sha256).hexdigest()


@dataclass
class Machine:
    """Another system with a key. Its test client speaks to the app directly; `hotline` orders go to the sandbox."""

    town: Town
    client: FlaskClient
    code: str
    key_id: str
    secret: str
    api_key_id: str
    version: int

    @property
    def path(self) -> str:
        return f"/callbacks/intake/{self.code}"

    @property
    def office(self) -> Caller:
        return self.town.staff("street")

    def headers(self, body: bytes, *, at: int | None = None, **changes: str) -> dict[str, str]:
        """The headers of a well-signed request; `changes` by header name with _ for -."""
        stamp = str(int(clock.now().timestamp()) if at is None else at)
        nonce = changes.pop("nonce", uuid4().hex)
        signed = signature(self.secret, "POST", changes.pop("path", self.path), stamp, nonce, body)
        found = {
            "Content-Type": "application/json",
            "X-Key-Id": self.key_id,
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Signature": signed,
        }
        return found | {name.replace("_", "-"): value for name, value in changes.items()}

    def post(self, body: bytes, headers: dict[str, str]) -> TestResponse:
        return self.client.post(self.path, data=body, headers=headers)

    def report(self, *, at: int | None = None, **fields: Any) -> TestResponse:
        """Hand something in, well signed."""
        content = {"external_number": uuid4().hex, "text": "楼道灯不亮", **fields}
        body = json.dumps(content, ensure_ascii=False).encode()
        return self.post(body, self.headers(body, at=at))

    def change(self, **fields: Any) -> dict[str, Any]:
        """PATCH the key as the street office; the answer's body."""
        answer = self.office.patch(
            f"/api-keys/{self.api_key_id}", fields, headers={"If-Match": f'"{self.version}"'}
        )
        assert answer.status_code == 200, answer.text
        self.version = answer.json["version"]
        return dict(answer.json or {})

    def shown(self) -> dict[str, Any]:
        answer = self.office.get(f"/api-keys/{self.api_key_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json or {})

    def tickets(self) -> list[dict[str, Any]]:
        """Everything on the street's board."""
        return self.office.get("/tickets?limit=100").json["items"]


@dataclass
class Hotline:
    """The sandbox's 12345, tied to a machine's key."""

    machine: Machine

    def order(self, path: str = "hotline", **body: Any) -> dict[str, Any]:
        return self.machine.town.house.order(path, **body)

    def calls(self, external_number: str, **report: Any) -> dict[str, Any]:
        """Somebody calls 12345; the software's answer."""
        answer = self.order("hotline/intake", report={"external_number": external_number, **report})
        assert answer["http"] == 201, answer
        return answer["answer"]

    def ledger(self, external_number: str) -> dict[str, Any]:
        url = f"{self.machine.town.house.sandbox_url}_sandbox/hotline.json"
        return requests.get(url, params={"external_number": external_number}, timeout=10).json()

    def heard(self, external_number: str) -> list[str]:
        return [status["status"] for status in self.ledger(external_number)["statuses"]]


@pytest.fixture
def make_machine(town: Town) -> Callable[..., Machine]:
    def make(**fields: Any) -> Machine:
        body = {
            "source": f"src-{uuid4().hex[:12]}",
            "name": "12345 热线",
            "channel": "hotline",
            "scope_org_id": ids.encode(Kind.ORG, town.street_office),
            "desk_org_id": town.a.desk_id,
        } | fields
        answer = town.staff("street").post("/api-keys", body)
        assert answer.status_code == 201, answer.text
        made = answer.json
        return Machine(
            town,
            town.house.app.test_client(),
            made["source"],
            made["key_id"],
            made["secret"],
            made["api_key_id"],
            made["version"],
        )

    return make


@pytest.fixture
def machine(make_machine: Callable[..., Machine]) -> Machine:
    return make_machine()


@pytest.fixture
def hotline(town: Town, make_machine: Callable[..., Machine]) -> Iterator[Hotline]:
    machine = make_machine(callback_url=f"{town.house.sandbox_url}hotline/status")
    made = Hotline(machine)
    made.order(
        url=town.house.url + machine.path,
        key_id=machine.key_id,
        secret=machine.secret,
        mode="up",
        skew_s=0,
    )
    yield made
    made.order(mode="up", skew_s=0)


@pytest.fixture
def number() -> str:
    return f"HL-{uuid4().hex[:16]}"
