"""Our requests are the vendors' own, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
import time_machine
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sms.v20210111 import models
from tencentcloud.sms.v20210111.sms_client import SmsClient

from app.adapters.sms import Batch, Message, Template
from app.adapters.sms.aliyun import AliyunSms
from app.adapters.sms.signing import acs3
from app.adapters.sms.tencent import TencentSms
from sandbox.sms.http import Answer, Request, Server

RECORDED = json.loads((Path(__file__).parents[2] / "fixtures" / "aliyun_requests.json").read_text("utf-8"))
BY_ACTION = {request["action"]: request for request in RECORDED["requests"]}
UNHEARD = b'{"Code": "isv.OUT_OF_SERVICE", "Response": {"SendStatusSet": [], "PullSmsSendStatusSet": []}}'


@pytest.fixture
def noted() -> Iterator[tuple[str, list[Request]]]:
    """A server that notes requests."""
    seen: list[Request] = []

    def note(request: Request) -> Answer:
        seen.append(request)
        return Answer(200, UNHEARD)

    with Server(note).in_thread() as url:
        yield url, seen


@pytest.mark.parametrize("action", BY_ACTION)
def test_the_signature_is_that_of_alibabas_sdk(action: str) -> None:
    request = BY_ACTION[action]
    signed = request["headers"]["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    ours = acs3(
        key_id=RECORDED["key_id"],
        key_secret=RECORDED["key_secret"],
        query=parse_qsl(request["target"].partition("?")[2], keep_blank_values=True),
        headers={name: request["headers"][name] for name in signed},
    )
    assert ours == request["headers"]["authorization"]


def _like_the_recording(aliyun: AliyunSms, action: str) -> None:
    params: dict[str, Any] = BY_ACTION[action]["params"]
    if action == "QuerySendDetails":
        aliyun.look_up(params["phone_number"], day=date(2026, 1, 1))
        return
    if action == "SendSms":
        phones = params["phone_numbers"].split(",")
        values = [json.loads(params["template_param"])] * len(phones)
    else:
        phones, values = json.loads(params["phone_number_json"]), json.loads(params["template_param_json"])
    template = Template(params["template_code"], "幸福社区", tuple(values[0]))
    messages = (Message(phone, tuple(v.values())) for phone, v in zip(phones, values, strict=True))
    aliyun.send(Batch(params["out_id"], template, tuple(messages)))


@pytest.mark.parametrize("action", BY_ACTION)
def test_query_and_body_are_those_of_alibabas_sdk(action: str, noted: tuple[str, list[Request]]) -> None:
    url, seen = noted
    aliyun = AliyunSms(endpoint=url, key_id="k", key_secret="s")
    _like_the_recording(aliyun, action)
    aliyun.close()
    recorded = BY_ACTION[action]
    assert f"{seen[0].path}?{seen[0].query}" == recorded["target"]
    assert seen[0].body.decode() == recorded["body"]
    ours = {name for name in seen[0].headers if name.startswith("x-acs-") or name == "content-type"}
    theirs = {name for name in recorded["headers"] if name.startswith("x-acs-") or name == "content-type"}
    # Which kind of key it holds is for the vendor's statistics.
    assert ours == theirs - {"x-acs-credentials-provider"}


def _sdk(url: str) -> SmsClient:
    profile = ClientProfile(
        httpProfile=HttpProfile(protocol="http", endpoint=url.split("//")[1].rstrip("/"), reqTimeout=5)
    )
    profile.language = None
    return SmsClient(Credential("AKID-made-up", "made-up-key"), "ap-guangzhou", profile)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp")
@pytest.mark.parametrize("values", [(), ("3号楼", "周日 9:00 & <a>~*"), ("😀",)])
def test_a_sending_is_that_of_tencents_sdk(values: tuple[str, ...], noted: tuple[str, list[Request]]) -> None:
    url, seen = noted
    request = models.SendSmsRequest()
    request.PhoneNumberSet = ["+8613900000001", "+8613900000002"]
    request.SmsSdkAppId, request.TemplateId, request.SignName = "1400000001", "449739", "幸福社区"
    request.TemplateParamSet, request.SessionContext = list(values), "b-1"
    tencent = TencentSms(
        endpoint=url, secret_id="AKID-made-up", secret_key="made-up-key", app_id="1400000001"
    )
    template = Template("449739", "幸福社区", tuple(f"p{n}" for n in range(len(values))))
    with time_machine.travel(datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC), tick=False):
        _sdk(url).SendSms(request)
        tencent.send(Batch("b-1", template, (Message("13900000001", values), Message("13900000002", values))))
    tencent.close()
    theirs, ours = seen
    assert ours.body == theirs.body
    for name in ("authorization", "content-type", "host", "x-tc-timestamp", "x-tc-version", "x-tc-region"):
        assert ours.headers[name] == theirs.headers[name]
    assert ours.headers["x-tc-action"] == theirs.headers["x-tc-action"] == "SendSms"


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp")
def test_a_question_is_that_of_tencents_sdk(noted: tuple[str, list[Request]]) -> None:
    url, seen = noted
    tencent = TencentSms(
        endpoint=url, secret_id="AKID-made-up", secret_key="made-up-key", app_id="1400000001"
    )
    with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False):
        tencent.look_up("13900000001", day=date(2026, 1, 1))
        request = models.PullSmsSendStatusByPhoneNumberRequest()
        request._deserialize(orjson.loads(seen[0].body))
        _sdk(url).PullSmsSendStatusByPhoneNumber(request)
    tencent.close()
    assert seen[0].body == seen[1].body
    assert seen[0].headers["authorization"] == seen[1].headers["authorization"]
    assert request.BeginTime == int(datetime(2025, 12, 31, 16, tzinfo=UTC).timestamp())
