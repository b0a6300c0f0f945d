"""The SMS sandbox: it lets in whom it should, does what it was told, and pushes what became of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111 import models
from tencentcloud.sms.v20210111.sms_client import SmsClient

from app.adapters.sms import Vendor
from app.adapters.sms.receipts import ACKNOWLEDGEMENTS, receipts, replies
from sandbox.sms.config import SmsConfig
from sandbox.sms.http import Answer, Request, Server
from sandbox.sms.scenario import Mistake, read
from sandbox.sms.server import SmsSandbox, running
from sandbox.sms.signatures import Nonces, NotSigned, check_acs3, check_tc3
from tests.adapters.sms.conftest import CONFIG, aliyun_at, batch, phone, tencent_at, today
from tests.conftest import TOP

RECORDED = json.loads((TOP / "tests" / "fixtures" / "aliyun_requests.json").read_text("utf-8"))
RECORDED_BATCH = next(r for r in RECORDED["requests"] if r["action"] == "SendBatchSms")
VENDORS = pytest.mark.parametrize("vendor", ["aliyun", "tencent"])


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[str, SmsSandbox]]:
    with running(CONFIG) as found:
        yield found


@pytest.fixture
def url(world: tuple[str, SmsSandbox]) -> str:
    requests.post(f"{world[0]}_sandbox/sms/reset", timeout=10)
    return world[0]


def _behave(url: str, **vendors: Any) -> None:
    answer = requests.post(f"{url}_sandbox/sms/scenario", json=vendors, timeout=10)
    assert answer.status_code == 200, answer.text


def _get(url: str, what: str, **asked: str) -> dict[str, Any]:
    return requests.get(f"{url}_sandbox/sms/{what}", params=asked, timeout=10).json()


def _until(there: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not there():
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(0.02)


# --- who is let in ---------------------------------------------------------------------------------------


def _recorded(**changed: str) -> tuple[Request, float]:
    """What Alibaba's SDK sent, with headers changed, and the time it was sent."""
    headers = {**RECORDED_BATCH["headers"], **changed}
    sent = datetime.strptime(RECORDED_BATCH["headers"]["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=UTC
    )
    query = RECORDED_BATCH["target"].partition("?")[2]
    return Request("POST", "/", query, headers, RECORDED_BATCH["body"].encode()), sent.timestamp()


def _check(request: Request, now: float, nonces: Nonces, **keys: str) -> None:
    query = [tuple(pair.split("=")) for pair in request.query.split("&")]
    account = {"key_id": RECORDED["key_id"], "secret": RECORDED["key_secret"], **keys}
    check_acs3(request, query, now=now, nonces=nonces, **account)  # type: ignore[arg-type]


def test_alibabas_own_request_is_let_in_once() -> None:
    request, sent = _recorded()
    nonces = Nonces()
    _check(request, sent, nonces)
    with pytest.raises(NotSigned, match="SignatureNonceUsed"):
        _check(request, sent + 60, nonces)
    for later in (901, -901):
        with pytest.raises(NotSigned, match=r"InvalidTimeStamp\.Expired"):
            _check(request, sent + later, Nonces())


def test_whoever_changes_a_request_is_not_let_in() -> None:
    request, sent = _recorded()
    for forged in (
        request._replace(body=request.body + b"&a=b"),
        request._replace(query=request.query.replace("SMS_100000001", "SMS_2")),
        _recorded(**{"x-acs-action": "SendSms"})[0],
        _recorded(**{"x-acs-date": "2020-01-01"})[0],
        _recorded(authorization="")[0],
        _recorded(**{"x-acs-extra": "1"})[0],
    ):
        with pytest.raises(NotSigned):
            _check(forged, sent, Nonces())
    with pytest.raises(NotSigned, match="SignatureDoesNotMatch"):
        _check(request, sent, Nonces(), secret="another")
    with pytest.raises(NotSigned, match=r"InvalidAccessKeyId\.NotFound"):
        _check(request, sent, Nonces(), key_id="another")


def test_an_old_request_of_tencents_is_not_let_in() -> None:
    noted: list[Request] = []

    def note(request: Request) -> Answer:
        noted.append(request)
        return Answer(200, b"{}")

    with Server(note).in_thread() as url:
        adapter = tencent_at(url)
        adapter.send(batch(1))
        adapter.close()
    now = float(noted[0].headers["x-tc-timestamp"])
    account = {"secret_id": CONFIG.tencent_secret_id, "secret": CONFIG.tencent_secret_key}
    check_tc3(noted[0], now=now, **account)
    for later in (301, -301):
        with pytest.raises(NotSigned, match="SignatureExpire"):
            check_tc3(noted[0], now=now + later, **account)
    with pytest.raises(NotSigned, match="SignatureFailure"):
        check_tc3(noted[0]._replace(body=b"{}"), now=now, **account)


# --- the vendor's own client -----------------------------------------------------------------------------


def _sdk(url: str, key: str = CONFIG.tencent_secret_key) -> SmsClient:
    profile = HttpProfile(protocol="http", endpoint=url.split("//")[1].rstrip("/"), reqTimeout=30)
    return SmsClient(
        Credential(CONFIG.tencent_secret_id, key), "ap-guangzhou", ClientProfile(httpProfile=profile)
    )


def _sending(*numbers: str, values: list[str] | None = None) -> models.SendSmsRequest:
    request = models.SendSmsRequest()
    request.PhoneNumberSet = list(numbers)
    request.SmsSdkAppId, request.TemplateId = CONFIG.tencent_app_id, "449739"
    request.SignName, request.SessionContext = "幸福社区", "b-1"
    request.TemplateParamSet = values or []
    return request


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp")
def test_tencents_sdk_sends_asks_and_is_refused(url: str) -> None:
    _behave(
        url,
        tencent={
            "numbers": {phone(2): "FailedOperation.PhoneNumberInBlacklist"},
            "templates": {"449739": "{1}您好，{2}投票。"},
            "receipts": {"delay_s": 0},
        },
    )
    sdk, values = _sdk(url), ["王女士", "周日"]
    sent = sdk.SendSms(_sending(f"+86{phone(1)}", phone(2), "12345", values=values)).SendStatusSet
    assert [s.Code for s in sent] == [
        "Ok",
        "FailedOperation.PhoneNumberInBlacklist",
        "InvalidParameterValue.IncorrectPhoneNumber",
    ]
    assert _get(url, "counts")["numbers"] == {phone(1): 1}
    assert _get(url, "ledger")["messages"][0]["text"] == "王女士您好，周日投票。"

    asked = models.PullSmsSendStatusByPhoneNumberRequest()
    asked.BeginTime, asked.EndTime = int(time.time()) - 60, int(time.time()) + 60
    asked.Offset, asked.Limit = 0, 10
    asked.PhoneNumber, asked.SmsSdkAppId = f"+86{phone(1)}", CONFIG.tencent_app_id
    status = sdk.PullSmsSendStatusByPhoneNumber(asked).PullSmsSendStatusSet
    assert [(s.ReportStatus, s.SerialNo) for s in status] == [("SUCCESS", sent[0].SerialNo)]

    refusals = [
        (_sdk(url, key="another"), _sending(phone(1), values=values), "AuthFailure.SignatureFailure"),
        (sdk, _sending(phone(1)), "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
        (sdk, _sending(*[phone(n) for n in range(201)]), "LimitExceeded.PhoneNumberCountLimit"),
    ]
    for client, request, code in refusals:
        with pytest.raises(TencentCloudSDKException) as refused:
            client.SendSms(request)
        assert refused.value.code == code


# --- what is pushed --------------------------------------------------------------------------------------


class Inbox:
    """Takes pushes, and refuses the first `deaf` of them."""

    def __init__(self, vendor: Vendor, deaf: int = 0) -> None:
        self.vendor = vendor
        self.bodies: list[tuple[str, bytes]] = []
        self.deaf = deaf

    def answer(self, request: Request) -> Answer:
        if self.deaf:
            self.deaf -= 1
            return Answer(503, b"")
        self.bodies.append((request.path, request.body))
        return Answer(200, ACKNOWLEDGEMENTS[self.vendor])

    def receipts(self) -> list[Any]:
        parsed = [receipts(self.vendor, body) for path, body in self.bodies if path == "/receipts"]
        assert not any(p.malformed for p in parsed)
        return [item for p in parsed for item in p.items]

    def replies(self) -> list[Any]:
        return [
            r for path, body in self.bodies if path == "/replies" for r in replies(self.vendor, body).items
        ]


def _send(url: str, vendor: str, count: int) -> None:
    adapter = aliyun_at(url) if vendor == "aliyun" else tencent_at(url)
    assert len(adapter.send(batch(count))) == count
    adapter.close()


@VENDORS
def test_receipts_come_for_all_in_callbacks_of_a_hundred(url: str, vendor: str) -> None:
    inbox = Inbox(Vendor(vendor))
    with Server(inbox.answer).in_thread() as ours:
        told = {"url": f"{ours}receipts", "delay_s": 0, "with_context": True, "fail": 0.5}
        _behave(url, **{vendor: {"receipts": told, "seed": 7}})
        _send(url, vendor, 200)
        _until(lambda: len(inbox.receipts()) == 200, "the receipts")
    assert max(len(json.loads(body)) for _, body in inbox.bodies) == 100
    assert {r.out_id for r in inbox.receipts()} == {"b1"}
    assert {r.phone for r in inbox.receipts()} == {phone(n) for n in range(200)}
    delivered = {r.phone for r in inbox.receipts() if r.state == "delivered"}
    assert delivered == set(_get(url, "counts")["numbers"])
    assert 40 < len(delivered) < 160
    by_number = {m["phone"]: m["vendor_id"] for m in _get(url, "ledger")["messages"]}
    assert {r.phone: r.vendor_id for r in inbox.receipts()} == by_number


@VENDORS
def test_receipts_get_lost_come_twice_and_in_any_order(url: str, vendor: str) -> None:
    inbox = Inbox(Vendor(vendor))
    with Server(inbox.answer).in_thread() as ours:
        told = {
            "url": f"{ours}receipts",
            "delay_s": [0, 0.3],
            "loss": 0.3,
            "duplicates": 0.3,
            "shuffle": True,
        }
        _behave(url, **{vendor: {"receipts": told}})
        _send(url, vendor, 200)
        _until(lambda: bool(inbox.bodies) and _get(url, "calls")["waiting"] == 0, "the last receipt")
        lost = _get(url, "calls")["pushed"]["lost"]
        _until(lambda: len({r.phone for r in inbox.receipts()}) == 200 - lost, "the last push")
    times = Counter(r.phone for r in inbox.receipts())
    assert 0 < lost < 200
    assert set(times.values()) == {1, 2}
    assert list(dict.fromkeys(r.phone for r in inbox.receipts())) != sorted(times)


def test_a_push_that_was_not_taken_comes_again(url: str) -> None:
    inbox = Inbox(Vendor.ALIYUN, deaf=2)
    with Server(inbox.answer).in_thread() as ours:
        _behave(url, aliyun={"receipts": {"url": f"{ours}receipts", "delay_s": 0, "retry_s": [0, 0, 0]}})
        _send(url, "aliyun", 3)
        _until(lambda: len(inbox.receipts()) == 3, "the third try")
    assert _get(url, "calls")["pushed"]["receipts not taken"] >= 2


def test_a_clock_set_back_or_ahead_changes_nothing_of_when_receipts_come() -> None:
    inbox, set_by = Inbox(Vendor.ALIYUN), [0]
    with (
        Server(inbox.answer).in_thread() as ours,
        running(replace(CONFIG, clock=lambda: time.time() + set_by[0])) as (url, _),
    ):
        told = {"url": f"{ours}receipts", "delay_s": 1}
        _behave(url, aliyun={"receipts": told})
        _send(url, "aliyun", 3)
        set_by[0] = -3600
        _until(lambda: len(inbox.receipts()) == 3, "what was due in a second")

        set_by[0] = 0
        _behave(url, aliyun={"receipts": told | {"delay_s": 60}})
        _send(url, "aliyun", 3)
        set_by[0] = 3600
        time.sleep(1)  # twenty looks at what is due
        assert _get(url, "calls")["waiting"] == 3


@VENDORS
def test_people_reply_by_themselves_and_when_told(url: str, vendor: str) -> None:
    inbox = Inbox(Vendor(vendor))
    with Server(inbox.answer).in_thread() as ours:
        told = {"replies_url": f"{ours}replies", "delay_s": 0}
        _behave(url, **{vendor: {"receipts": told, "replies": {phone(1): "TD"}}})
        _send(url, vendor, 3)
        requests.post(
            f"{url}_sandbox/sms/reply", json={"vendor": vendor, "phone": phone(2), "text": "R"}, timeout=10
        )
        _until(lambda: len(inbox.replies()) == 2, "the replies")
    assert {(r.phone, r.text) for r in inbox.replies()} == {(phone(1), "TD"), (phone(2), "R")}


# --- as told ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency": 5},
        {"latency_ms": [5, 1]},
        {"qps": -1},
        {"faults": {"mode": "close"}},
        {"faults": [{"mode": "what ever"}]},
        {"faults": [{"mode": "close", "times": 0}]},
        {"faults": [{"mode": "close", "rate": 2}]},
        {"bad_number": "all"},
        {"numbers": {"1": 2}},
        {"receipts": {"url": "http://example.org/"}},
        {"receipts": {"loss": 1.5}},
        {"seed": "x"},
        [],
    ],
)
def test_a_scenario_that_makes_no_sense_changes_nothing(url: str, wrong: Any) -> None:
    with pytest.raises(Mistake):
        read(wrong)
    answer = requests.post(
        f"{url}_sandbox/sms/scenario", json={"tencent": {"qps": 1}, "aliyun": wrong}, timeout=10
    )
    assert answer.status_code == 400
    assert answer.json()["error"]
    adapter = tencent_at(url)
    assert [adapter.send(batch(1))[0].outcome for _ in range(3)] == ["accepted"] * 3
    adapter.close()


def test_it_does_what_a_web_page_elsewhere_asks_of_nobody(url: str) -> None:
    answer = requests.get(f"{url}_sandbox/sms/counts", headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 403
    assert requests.get(f"{url}_sandbox/sms/nothing", timeout=10).status_code == 404
    assert requests.post(url, timeout=10).status_code == 404


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"a" * 70_000]
)
def test_what_is_no_http_ends_the_connection(url: str, sent: bytes) -> None:
    port = int(url.rstrip("/").rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(sent)
        assert client.recv(100).startswith(b"HTTP/1.1 400")
    assert _get(url, "health") == {"ok": True}


def test_it_runs_as_a_process_with_a_scenario_file(tmp_path: Path) -> None:
    names = {
        "ALIYUN_SMS_KEY_ID": CONFIG.aliyun_key_id,
        "ALIYUN_SMS_KEY_SECRET": CONFIG.aliyun_key_secret,
        "TENCENT_SMS_SECRET_ID": CONFIG.tencent_secret_id,
        "TENCENT_SMS_SECRET_KEY": CONFIG.tencent_secret_key,
        "TENCENT_SMS_APP_ID": CONFIG.tencent_app_id,
    }
    assert SmsConfig.from_env(names) == CONFIG
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps({"aliyun": {"number_cap": 1}}), "utf-8")
    command = [sys.executable, "-m", "sandbox.sms", "--port", "0", "--scenario", str(scenario)]
    refused = subprocess.run(
        command, cwd=TOP, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "ALIYUN_SMS_KEY_ID" in refused.stderr
    env = {**os.environ, **names, "LOG_LEVEL": "INFO"}
    with subprocess.Popen(command, cwd=TOP, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().rsplit(" ", 1)[1].strip()
        adapter = aliyun_at(url)
        assert [adapter.send(batch(1))[0].outcome for _ in range(2)] == ["accepted", "throttled"]
        assert len(adapter.look_up(phone(0), day=today()).receipts) == 1
        adapter.close()
        process.terminate()
        assert process.wait(30) == 0
