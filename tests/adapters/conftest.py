"""What the adapter tests talk to: a sandbox WeChat over real HTTP, and a real Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from redis import Redis

from app.adapters.wechat.client import WeChatClientAdapter
from sandbox.config import Config
from sandbox.web import Sandbox, running
from tools.valkey_server import Valkey


@dataclass
class WeChatWorld:
    """One sandbox with the adapters and switches of a test. Every adapter is closed with it."""

    url: str
    sandbox: Sandbox
    redis: Redis
    template: str = "TEMPLATE-PROGRESS"
    _made: list[WeChatClientAdapter] = field(default_factory=list)

    def adapter(self, *, redis: Redis | str | None = "", timeout_s: float = 2.0) -> WeChatClientAdapter:
        config = self.sandbox.config
        made = WeChatClientAdapter(
            api_base=self.url,
            appid=config.appid,
            secret=config.secret,
            timeout_s=timeout_s,
            redis=self.redis if isinstance(redis, str) else redis,
        )
        self._made.append(made)
        return made

    def order(self, path: str, **body: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}_sandbox/{path}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fail(self, api: str, mode: str | None, **more: Any) -> None:
        self.order("fail", api=api, mode=mode, **more)

    def counts(self) -> dict[str, Any]:
        return requests.get(f"{self.url}_sandbox/calls.json", timeout=10).json()

    def received(self, name: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}_sandbox/ledger.json", params={"name": name}, timeout=10)
        return answer.json()["messages"]

    def close(self) -> None:
        for made in self._made:
            made.close()


@pytest.fixture(scope="session")
def adapter_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Valkey of this test process's own, so that a test may kill it."""
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def adapter_redis(adapter_valkey: Valkey) -> Iterator[Redis]:
    """A client of an empty database."""
    if not adapter_valkey.is_running():
        adapter_valkey.start()
    with Redis.from_url(adapter_valkey.url, socket_timeout=2) as client:
        client.flushdb()
        yield client


@pytest.fixture
def make_world(adapter_redis: Redis) -> Iterator[Callable[..., WeChatWorld]]:
    with ExitStack() as stack:

        def make(**changes: Any) -> WeChatWorld:
            settings: dict[str, Any] = {
                "appid": "wxsandbox0000001",
                "secret": "sandbox-secret",
                "push_token": "push-token",
                "push_aes_key": "k" * 43,
                "templates": {"ticket_progress": "TEMPLATE-PROGRESS"},
                "media_delay_s": 0.0,
                "push_gap_s": 0.1,
            }
            url, sandbox = stack.enter_context(running(Config(**settings | changes)))
            world = WeChatWorld(url, sandbox, adapter_redis)
            stack.callback(world.close)
            return world

        yield make


@pytest.fixture
def world(make_world: Callable[..., WeChatWorld]) -> WeChatWorld:
    """A sandbox WeChat that works."""
    return make_world()
