"""What the real gateways don't have: setting their behaviour and reading what every number received.

| Call | Does |
|---|---|
| `GET /_sandbox/sms/health` | says that it is up |
| `POST /_sandbox/sms/scenario` `{vendor: {…}}` | a vendor behaves like this from now on (`scenario.Scenario`) |
| `GET /_sandbox/sms/ledger?vendor=&phone=&out_id=&limit=` | what was taken, newest first |
| `GET /_sandbox/sms/counts` | messages each number receives, and how many were taken |
| `GET /_sandbox/sms/calls` | calls by vendor, action and result; pushes; what still waits |
| `POST /_sandbox/sms/reply` `{vendor, phone, text}` | somebody answers |
| `POST /_sandbox/sms/reset` | forgets everything, and behaves by default |
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

import orjson

from sandbox.sms.gateway import Gateway
from sandbox.sms.http import Answer, Request
from sandbox.sms.ledger import Ledger
from sandbox.sms.push import Pusher
from sandbox.sms.scenario import Mistake, Scenario, read


class Controlled(Protocol):
    """What the control calls work on."""

    ledger: Ledger
    pusher: Pusher
    gateways: Mapping[str, Gateway]

    def reset(self) -> None:
        """Forget everything."""


class Control:
    """The control calls."""

    def __init__(self, sandbox: Controlled, clock: Callable[[], float]) -> None:
        self._sandbox = sandbox
        self._clock = clock
        self._routes: Mapping[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "health"): lambda _: {"ok": True},
            ("POST", "scenario"): self._scenario,
            ("GET", "ledger"): self._ledger,
            ("GET", "counts"): self._counts,
            ("GET", "calls"): self._calls,
            ("POST", "reply"): self._reply,
            ("POST", "reset"): self._reset,
        }

    def answer(self, request: Request) -> Answer:
        """The answer to one control call."""
        host = request.headers.get("host", "").rsplit(":", 1)[0]
        if host not in {"127.0.0.1", "localhost"}:
            return Answer(403, b"{}")  # a web page that reaches us through a name it controls
        route = self._routes.get((request.method, request.path.removeprefix("/_sandbox/sms/")))
        if route is None:
            return Answer(404, b"{}")
        try:
            return Answer(200, orjson.dumps(route(request)))
        except Mistake as e:
            return Answer(400, orjson.dumps({"error": str(e)}))

    def _scenario(self, request: Request) -> Any:
        told = _object(request.body)
        if not told or not set(told) <= set(self._sandbox.gateways):
            raise Mistake(f"name one of {', '.join(self._sandbox.gateways)}")
        wanted: dict[str, Scenario] = {vendor: read(behaviour) for vendor, behaviour in told.items()}
        for vendor, scenario in wanted.items():
            self._sandbox.gateways[vendor].behave(scenario)
        return {"set": list(wanted)}

    def _ledger(self, request: Request) -> Any:
        asked = {k: v[0] for k, v in parse_qs(request.query).items()}
        limit = asked.pop("limit", "1000")
        if not limit.isdecimal() or not set(asked) <= {"vendor", "phone", "out_id"}:
            raise Mistake("ask by vendor, phone, out_id and limit")
        now = self._clock()
        found = itertools.islice(self._sandbox.ledger.find(**asked), int(limit))
        return {"messages": [entry.told(now) for entry in found]}

    def _counts(self, _: Request) -> Any:
        return {"numbers": self._sandbox.ledger.counts(), "taken": len(self._sandbox.ledger)}

    def _calls(self, _: Request) -> Any:
        return {
            "calls": {vendor: dict(gateway.calls) for vendor, gateway in self._sandbox.gateways.items()},
            "pushed": dict(self._sandbox.pusher.pushed),
            "waiting": self._sandbox.pusher.waiting(),
        }

    def _reply(self, request: Request) -> Any:
        told = _object(request.body)
        vendor, phone, text = (told.get(name) for name in ("vendor", "phone", "text"))
        if vendor not in self._sandbox.gateways or not isinstance(phone, str) or not isinstance(text, str):
            raise Mistake("a reply needs vendor, phone and text")
        self._sandbox.pusher.reply(str(vendor), phone, text, at=self._clock())
        return {"replied": True}

    def _reset(self, _: Request) -> Any:
        self._sandbox.reset()
        return {"reset": True}


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        raise Mistake("the body must be a JSON object")
    return told
