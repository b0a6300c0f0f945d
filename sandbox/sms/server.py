"""Puts the SMS sandbox together, and serves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sandbox.sms import aliyun, tencent
from sandbox.sms.aliyun import Aliyun
from sandbox.sms.config import SmsConfig
from sandbox.sms.control import Control
from sandbox.sms.gateway import ALIYUN, TENCENT, Gateway
from sandbox.sms.http import Answer, Request, Server
from sandbox.sms.ledger import Ledger
from sandbox.sms.push import Pusher
from sandbox.sms.scenario import Scenario, read
from sandbox.sms.tencent import Tencent


class SmsSandbox:
    """Both gateways, their ledger and their pushes."""

    def __init__(self, config: SmsConfig, behaviour: Mapping[str, Any] | None = None) -> None:
        self.ledger = Ledger()
        self.pusher = Pusher(config.clock)
        self.gateways: Mapping[str, Gateway] = {
            vendor: Gateway(vendor, words, self.ledger, self.pusher, config.clock)
            for vendor, words in ((ALIYUN, aliyun.WORDS), (TENCENT, tencent.WORDS))
        }
        for vendor, told in (behaviour or {}).items():
            self.gateways[vendor].behave(read(told))
        self._aliyun = Aliyun(config, self.gateways[ALIYUN])
        self._tencent = Tencent(config, self.gateways[TENCENT])
        self._control = Control(self, config.clock)

    def answer(self, request: Request) -> Answer:
        """The answer of whoever is meant: the vendors are told apart by their headers."""
        if request.path.startswith("/_sandbox/"):
            return self._control.answer(request)
        if "x-acs-action" in request.headers and request.path == "/":
            return self._aliyun.answer(request)
        if "x-tc-action" in request.headers and request.path == "/":
            return self._tencent.answer(request)
        return Answer(404, b"{}")

    def reset(self) -> None:
        """Forget everything, and behave by default."""
        self.ledger.clear()
        self.pusher.reset()
        for gateway in self.gateways.values():
            gateway.calls.clear()
            gateway.behave(Scenario())


@contextmanager
def running(config: SmsConfig, port: int = 0) -> Iterator[tuple[str, SmsSandbox]]:
    """The SMS sandbox served in a thread for as long as the block lasts: its base URL and its parts."""
    sandbox = SmsSandbox(config)
    sandbox.pusher.start()
    try:
        with Server(sandbox.answer, port).in_thread() as url:
            yield url, sandbox
    finally:
        sandbox.pusher.stop()
