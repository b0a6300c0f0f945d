"""Both SMS gateways of the sandbox over real HTTP, with an adapter for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
import requests

from app import clock
from app.adapters.sms import Batch, Message, Template
from app.adapters.sms.aliyun import AliyunSms
from app.adapters.sms.tencent import TencentSms
from sandbox.sms.config import SmsConfig
from sandbox.sms.server import SmsSandbox, running

CONFIG = SmsConfig(
    aliyun_key_id="LTAI-sandbox",
    aliyun_key_secret="aliyun-sandbox-secret",
    tencent_secret_id="AKID-sandbox",
    tencent_secret_key="tencent-sandbox-key",
    tencent_app_id="1400000001",
)
TEMPLATE = Template("SMS_1", "幸福社区", ("name",))


def aliyun_at(url: str, *, read_s: float = 30.0) -> AliyunSms:
    return AliyunSms(
        endpoint=url, key_id=CONFIG.aliyun_key_id, key_secret=CONFIG.aliyun_key_secret, read_s=read_s
    )


def tencent_at(url: str, *, read_s: float = 30.0) -> TencentSms:
    return TencentSms(
        endpoint=url,
        secret_id=CONFIG.tencent_secret_id,
        secret_key=CONFIG.tencent_secret_key,
        app_id=CONFIG.tencent_app_id,
        read_s=read_s,
    )


@dataclass
class SmsWorld:
    """The gateways, told how to behave and asked what numbers received."""

    url: str
    sandbox: SmsSandbox
    aliyun: AliyunSms
    tencent: TencentSms

    def adapter(self, vendor: str) -> AliyunSms | TencentSms:
        return self.aliyun if vendor == "aliyun" else self.tencent

    @contextmanager
    def impatient(self, vendor: str) -> Iterator[AliyunSms | TencentSms]:
        """An adapter that waits 0.3 s, for calls that time out."""
        adapter = (aliyun_at if vendor == "aliyun" else tencent_at)(self.url, read_s=0.3)
        yield adapter
        adapter.close()

    def behave(self, **vendors: dict[str, Any]) -> None:
        answer = requests.post(f"{self.url}_sandbox/sms/scenario", json=vendors, timeout=5)
        assert answer.status_code == 200, answer.text

    def get(self, what: str, **asked: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}_sandbox/sms/{what}", params=asked, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def counts(self) -> dict[str, int]:
        return self.get("counts")["numbers"]


@pytest.fixture(scope="module")
def sms_gateways() -> Iterator[SmsWorld]:
    with running(CONFIG) as (url, sandbox):
        world = SmsWorld(url, sandbox, aliyun_at(url), tencent_at(url))
        yield world
        world.aliyun.close()
        world.tencent.close()


@pytest.fixture
def sms(sms_gateways: SmsWorld) -> SmsWorld:
    """The gateways with nothing in their ledger, behaving by default."""
    requests.post(f"{sms_gateways.url}_sandbox/sms/reset", timeout=5)
    return sms_gateways


def phone(n: int) -> str:
    return f"139{n:08}"


def batch(count: int, *, personal: bool = False, out_id: str = "b1", start: int = 0) -> Batch:
    messages = tuple(
        Message(phone(n), (f"业主{n}" if personal else "业主",)) for n in range(start, start + count)
    )
    return Batch(out_id, TEMPLATE, messages)


def today() -> date:
    return clock.in_shanghai(clock.now()).date()
