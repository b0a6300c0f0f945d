"""The sandbox answers as WeChat's documents say, so that what passes here may pass there."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from sandbox import Config, create_app

APPID, SECRET, TEMPLATE = "wxsandbox0000001", "sandbox-secret", "TEMPLATE-PROGRESS"


class Clock:
    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Phone:
    """The sandbox with the few calls every test needs."""

    http: FlaskClient
    clock: Clock

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        answer = self.http.get(path, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.get_json(force=True)

    def post(self, path: str, body: Any, **query: Any) -> dict[str, Any]:
        answer = self.http.post(path, json=body, query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.get_json(force=True)

    def login(self, code: str) -> dict[str, Any]:
        return self.get(
            "/sns/jscode2session", appid=APPID, secret=SECRET, js_code=code, grant_type="authorization_code"
        )

    def stable_token(self, *, force: bool = False, secret: str = SECRET) -> dict[str, Any]:
        body = {"grant_type": "client_credential", "appid": APPID, "secret": secret, "force_refresh": force}
        return self.post("/cgi-bin/stable_token", body)

    def call(self, path: str, body: Any) -> dict[str, Any]:
        return self.post(path, body, access_token=self.stable_token()["access_token"])

    def send(self, openid: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
        message = {"touser": openid, "template_id": TEMPLATE, "data": data, "page": "pages/home/index"}
        return self.call("/cgi-bin/message/subscribe/send", message | more)


@pytest.fixture
def make_phone() -> Iterator[Callable[..., Phone]]:
    made = []

    def make(**changes: Any) -> Phone:
        clock = Clock()
        config = Config(
            appid=APPID,
            secret=SECRET,
            push_token="push-token",
            push_aes_key="k" * 43,
            templates={"ticket_progress": TEMPLATE},
            clock=clock,
            media_delay_s=0,
            **changes,
        )
        app = create_app(config)
        made.append(app)
        return Phone(app.test_client(), clock)

    yield make
    for app in made:
        app.extensions["sandbox"].state.close()


@pytest.fixture
def phone(make_phone: Callable[..., Phone]) -> Phone:
    return make_phone()


MESSAGE = {"thing1": {"value": "路灯不亮"}, "phrase2": {"value": "已受理"}}


# Logging in


def test_a_demo_code_logs_the_same_person_in_again_and_again(phone: Phone) -> None:
    first, again, other = phone.login("demo-lin"), phone.login("demo-lin"), phone.login("demo-wang")
    assert first["openid"] == again["openid"] != other["openid"]
    assert len(first["openid"]) == 28
    assert first["openid"].startswith("o")
    assert first["session_key"] != again["session_key"]
    assert "errcode" not in first


def test_a_minted_code_works_once(phone: Phone) -> None:
    minted = phone.post("/_sandbox/codes", {"name": "lin", "kind": "login", "unionid": "u-1"})
    first = phone.login(minted["code"])
    assert (first["openid"], first["unionid"]) == (minted["openid"], "u-1")
    assert phone.login(minted["code"])["errcode"] == 40163


def test_a_minted_code_expires_after_five_minutes(phone: Phone) -> None:
    code = phone.post("/_sandbox/codes", {"name": "lin"})["code"]
    phone.clock.now += 301
    assert phone.login(code)["errcode"] == 40029


def test_an_unknown_code_and_a_wrong_app_are_refused(phone: Phone) -> None:
    assert phone.login("nobody-made-this")["errcode"] == 40029
    query = {"js_code": "demo-lin", "grant_type": "authorization_code"}
    assert phone.get("/sns/jscode2session", appid="wxother", secret=SECRET, **query)["errcode"] == 40013
    assert phone.get("/sns/jscode2session", appid=APPID, secret="wrong", **query)["errcode"] == 40125


# Tokens


def test_the_stable_token_stays_the_same_and_rolls_in_its_last_five_minutes(phone: Phone) -> None:
    first = phone.stable_token()
    phone.clock.now += 6800
    later = phone.stable_token()
    assert later["access_token"] == first["access_token"]
    assert later["expires_in"] == 400
    phone.clock.now += 150
    rolled = phone.stable_token()
    assert rolled["access_token"] != first["access_token"]
    assert rolled["expires_in"] == 7200
    for token in (first["access_token"], rolled["access_token"]):
        answer = phone.post("/wxa/msg_sec_check", {}, access_token=token)
        assert answer["errcode"] == 47001, "both tokens work while they roll"
    phone.clock.now += 260
    assert phone.post("/wxa/msg_sec_check", {}, access_token=first["access_token"])["errcode"] == 42001


def test_a_forced_refresh_kills_the_old_token_and_needs_thirty_seconds_between(phone: Phone) -> None:
    first = phone.stable_token()["access_token"]
    second = phone.stable_token(force=True)["access_token"]
    assert second != first
    assert phone.post("/wxa/msg_sec_check", {}, access_token=first)["errcode"] == 40001
    phone.clock.now += 29
    assert phone.stable_token(force=True)["access_token"] == second
    phone.clock.now += 2
    assert phone.stable_token(force=True)["access_token"] != second


def test_a_day_has_twenty_forced_refreshes(phone: Phone) -> None:
    phone.stable_token()
    for _ in range(20):
        phone.clock.now += 31
        assert "access_token" in phone.stable_token(force=True)
    phone.clock.now += 31
    assert phone.stable_token(force=True)["errcode"] == 45009


def test_the_old_token_api_replaces_its_token_at_each_call_and_leaves_the_stable_one_alone(
    phone: Phone,
) -> None:
    def fetch() -> str:
        query = {"grant_type": "client_credential", "appid": APPID, "secret": SECRET}
        return phone.get("/cgi-bin/token", **query)["access_token"]

    stable, first, second = phone.stable_token()["access_token"], fetch(), fetch()
    assert first != second
    phone.clock.now += 301
    assert phone.post("/wxa/msg_sec_check", {}, access_token=first)["errcode"] == 42001
    assert phone.post("/wxa/msg_sec_check", {}, access_token=second)["errcode"] == 47001
    assert phone.stable_token()["access_token"] == stable


def test_every_call_needs_a_good_token(phone: Phone) -> None:
    path = "/cgi-bin/message/subscribe/send"
    assert phone.post(path, {})["errcode"] == 41001
    assert phone.post(path, {}, access_token="made-up")["errcode"] == 40001
    token = phone.stable_token()["access_token"]
    assert phone.post("/_sandbox/tokens/invalidate", {})["invalidated"] == 1
    assert phone.post(path, {}, access_token=token)["errcode"] == 40001
    assert phone.stable_token(secret="wrong")["errcode"] == 40125


# Phone numbers


def test_a_phone_code_gives_the_number_in_the_shape_of_the_documents(phone: Phone) -> None:
    openid = phone.login("demo-lin")["openid"]
    answer = phone.call("/wxa/business/getuserphonenumber", {"code": "phone-13800000001", "openid": openid})
    info = answer["phone_info"]
    assert (info["purePhoneNumber"], info["countryCode"]) == ("13800000001", "86")
    assert info["watermark"]["appid"] == APPID
    first = phone.call("/wxa/business/getuserphonenumber", {"code": "phone-demo-lin"})["phone_info"]
    again = phone.call("/wxa/business/getuserphonenumber", {"code": "phone-demo-lin"})["phone_info"]
    assert first["purePhoneNumber"] == again["purePhoneNumber"]
    assert first["purePhoneNumber"].startswith("1990")
    assert len(first["purePhoneNumber"]) == 11


def test_a_minted_phone_code_works_once_and_is_no_login_code(phone: Phone) -> None:
    minted = phone.post("/_sandbox/codes", {"name": "lin", "kind": "phone", "phone": "13800000002"})
    assert phone.login(minted["code"])["errcode"] == 40029
    body = {"code": minted["code"]}
    answer = phone.call("/wxa/business/getuserphonenumber", body)
    assert answer["phone_info"]["phoneNumber"] == "13800000002"
    assert phone.call("/wxa/business/getuserphonenumber", body)["errcode"] == 40163


# Subscribe messages


def test_one_accept_is_one_message(phone: Phone) -> None:
    openid = phone.login("demo-lin")["openid"]
    assert phone.send(openid, MESSAGE)["errcode"] == 43101
    tapped = phone.post("/_sandbox/subscribe", {"name": "lin", "template_id": "ticket_progress"})
    assert (tapped["openid"], tapped["credits"], tapped["pushed"]) == (openid, 1, False)
    sent = phone.send(openid, MESSAGE)
    assert sent["errcode"] == 0
    assert phone.send(openid, MESSAGE)["errcode"] == 43101
    ledger = phone.get("/_sandbox/ledger.json", openid=openid)
    assert [m["msgid"] for m in ledger["messages"]] == [sent["msgid"]]
    assert ledger["messages"][0]["data"] == {"thing1": "路灯不亮", "phrase2": "已受理"}
    assert ledger["messages"][0]["page"] == "pages/home/index"
    assert ledger["messages"][0]["at"].endswith("+08:00")


def test_a_rejecting_tap_gives_no_credit(phone: Phone) -> None:
    openid = phone.login("demo-lin")["openid"]
    tapped = phone.post(
        "/_sandbox/subscribe", {"openid": openid, "template_id": TEMPLATE, "result": "reject"}
    )
    assert tapped["credits"] == 0
    assert phone.send(openid, MESSAGE)["errcode"] == 43101


def test_a_refused_message_costs_no_credit(phone: Phone) -> None:
    openid = phone.login("demo-lin")["openid"]
    phone.post("/_sandbox/subscribe", {"name": "lin", "template_id": TEMPLATE})
    assert phone.send(openid, {"thing1": {"value": ""}})["errcode"] == 47003
    assert phone.send(openid, MESSAGE)["errcode"] == 0


def test_strangers_foreign_templates_and_wrong_pages_are_refused(phone: Phone) -> None:
    openid = phone.login("demo-lin")["openid"]
    assert phone.send("oStranger", MESSAGE)["errcode"] == 40003
    assert phone.send(openid, MESSAGE, template_id="OTHER-APP")["errcode"] == 40037
    assert phone.send(openid, MESSAGE, page="/pages/home/index")["errcode"] == 41030
    assert phone.send(openid, MESSAGE, miniprogram_state="production")["errcode"] == 47001


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("thing1", "二" * 20, "二" * 21),
        ("thing1", "报事 No.3!", "一行\n两行"),
        ("thing1", "无", "   "),
        ("number2", "1" * 32, "1" * 33),
        ("number2", "-3.5", "三"),
        ("letter3", "ABC", "ABC1"),
        ("symbol4", "#-+", "abc"),
        ("character_string5", "CQ-2026/0001", "编号1"),
        ("time6", "15:01", "下午三点"),
        ("time6", "2026年1月5日 15:01", "2026-01-05T15:01:00+08:00"),
        ("time6", "15:01~16:30", "25:00"),
        ("date7", "2026年1月5日", "1月5日"),
        ("date7", "2026-01-05 15:01", "2026-13-05"),
        ("amount8", "¥1234567.89", "12345678901元"),
        ("amount8", "20元", "二十元"),
        ("phone_number9", "023-67890000", "电话67890000"),
        ("car_number10", "渝A12345", "渝A·12345挂车"),
        ("name11", "王小明", "王小明3"),
        ("name11", "Li Hua", "A" * 21),
        ("phrase12", "已受理", "已经受理了吗"),
        ("phrase12", "处理中", "处理 ing"),
        ("keyword1", None, "旧式键名"),
    ],
)
def test_field_values_obey_the_table_of_parameter_values(
    phone: Phone, key: str, good: str | None, bad: str
) -> None:
    openid = phone.login("demo-lin")["openid"]
    phone.post("/_sandbox/subscribe", {"name": "lin", "template_id": TEMPLATE})
    refused = phone.send(openid, {key: {"value": bad}})
    assert refused["errcode"] == 47003
    assert f"data.{key}.value" in refused["errmsg"]
    if good is not None:
        assert phone.send(openid, {key: {"value": good}})["errcode"] == 0


# Content checks


@pytest.mark.parametrize(
    ("text", "suggest", "label"),
    [("路灯坏了", "pass", 100), ("加微信领奖", "review", 10001), ("网上赌博", "risky", 20006)],
)
def test_texts_are_judged_by_the_listed_words(phone: Phone, text: str, suggest: str, label: int) -> None:
    openid = phone.login("demo-lin")["openid"]
    body = {"version": 2, "openid": openid, "scene": 2, "content": text}
    answer = phone.call("/wxa/msg_sec_check", body)
    assert answer["result"] == {"suggest": suggest, "label": label}
    assert answer["trace_id"]


def test_the_text_check_wants_version_two_a_scene_a_visitor_and_a_bounded_text(phone: Phone) -> None:
    openid = phone.login("demo-lin")["openid"]
    never_here = phone.post("/_sandbox/codes", {"name": "wang"})["openid"]
    good = {"version": 2, "openid": openid, "scene": 2, "content": "好"}

    def errcode(**changes: object) -> int:
        return phone.call("/wxa/msg_sec_check", good | changes)["errcode"]

    assert errcode() == 0
    assert errcode(version=1) == 47001
    assert errcode(scene=9) == 40129
    assert errcode(openid="oStranger") == 40003
    assert errcode(openid=never_here) == 61010
    assert errcode(content="") == 44002
    assert errcode(content="长" * 2500) == 0
    assert errcode(content="长" * 2501) == 45002


def test_wrong_method_and_unreadable_body_are_answered_in_json(phone: Phone) -> None:
    token = phone.stable_token()["access_token"]
    assert phone.get("/wxa/msg_sec_check")["errcode"] == 43302
    assert phone.get("/cgi-bin/message/subscribe/send")["errcode"] == 43002
    answer = phone.http.post("/wxa/msg_sec_check", query_string={"access_token": token}, data=b"{not json")
    assert (answer.status_code, answer.get_json(force=True)["errcode"]) == (200, 47001)
    empty = phone.http.post("/wxa/msg_sec_check", query_string={"access_token": token})
    assert empty.get_json(force=True)["errcode"] == 44002


def test_no_content_type_is_insisted_on(phone: Phone) -> None:
    token = phone.stable_token()["access_token"]
    body = '{"code": "phone-13800000001"}'
    answer = phone.http.post("/wxa/business/getuserphonenumber?access_token=" + token, data=body)
    assert answer.get_json(force=True)["errcode"] == 0


# Switches, counts, memory


def test_an_api_fails_as_often_as_told(phone: Phone) -> None:
    phone.post("/_sandbox/fail", {"api": "jscode2session", "mode": "-1", "times": 2})
    assert [phone.login("demo-lin").get("errcode") for _ in range(3)] == [-1, -1, None]


def test_a_switch_for_ever_holds_until_it_is_lifted(phone: Phone) -> None:
    phone.post("/_sandbox/fail", {"api": "/sns/jscode2session", "mode": "45009", "times": None})
    assert [phone.login("demo-lin").get("errcode") for _ in range(5)] == [45009] * 5
    assert phone.stable_token()["access_token"], "other APIs are not touched"
    phone.post("/_sandbox/fail", {"api": "jscode2session", "mode": None})
    assert "openid" in phone.login("demo-lin")


def test_a_star_stands_for_every_api(phone: Phone) -> None:
    phone.post("/_sandbox/fail", {"api": "*", "mode": "-1"})
    assert phone.login("demo-lin")["errcode"] == -1
    assert phone.stable_token()["errcode"] == -1


def test_html_with_200_and_http_errors_can_be_ordered(phone: Phone) -> None:
    phone.post("/_sandbox/fail", {"api": "stable_token", "mode": "html200", "times": 1})
    answer = phone.http.post("/cgi-bin/stable_token", json={})
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    phone.post("/_sandbox/fail", {"api": "stable_token", "mode": "http503", "times": 1})
    assert phone.http.post("/cgi-bin/stable_token", json={}).status_code == 503


def test_a_switch_may_fail_after_the_work_is_done(phone: Phone) -> None:
    openid = phone.login("demo-lin")["openid"]
    phone.post("/_sandbox/subscribe", {"name": "lin", "template_id": TEMPLATE})
    phone.post("/_sandbox/fail", {"api": "subscribe_send", "mode": "html200", "times": 1, "after": True})
    token = phone.stable_token()["access_token"]
    message = {"touser": openid, "template_id": TEMPLATE, "data": MESSAGE}
    answer = phone.http.post("/cgi-bin/message/subscribe/send?access_token=" + token, json=message)
    assert answer.mimetype == "text/html"
    assert len(phone.get("/_sandbox/ledger.json", name="lin")["messages"]) == 1


@pytest.mark.parametrize(
    "order",
    [
        {"api": "nonsense", "mode": "-1"},
        {"api": "token", "mode": "sometimes"},
        {"api": "token", "mode": "-1", "times": 0},
        {"api": "token", "mode": "-1", "delay_s": "long"},
        ["a list"],
    ],
)
def test_a_senseless_order_is_refused_in_words(phone: Phone, order: object) -> None:
    answer = phone.http.post("/_sandbox/fail", json=order)
    assert answer.status_code == 400
    assert answer.get_json()["error"]


def test_calls_are_counted_by_api_and_result(phone: Phone) -> None:
    phone.login("demo-lin")
    phone.login("nobody-made-this")
    phone.stable_token()
    counts = phone.get("/_sandbox/calls.json")
    assert counts["calls"] == {"jscode2session": 2, "stable_token": 1}
    assert counts["results"]["jscode2session"] == {"0": 1, "40029": 1}
    assert counts["token_fetches"] == 1


def test_the_ledger_is_found_by_openid_name_and_phone(phone: Phone) -> None:
    openid = phone.login("demo-lin")["openid"]
    phone.login("demo-wang")
    for name in ("lin", "wang"):
        phone.post("/_sandbox/subscribe", {"name": name, "template_id": TEMPLATE})
    number = phone.call("/wxa/business/getuserphonenumber", {"code": "phone-demo-lin", "openid": openid})
    wang = phone.login("demo-wang")["openid"]
    phone.send(openid, MESSAGE)
    phone.send(wang, MESSAGE)

    def whose(**query: str) -> list[str]:
        return [m["name"] for m in phone.get("/_sandbox/ledger.json", **query)["messages"]]

    assert whose() == ["wang", "lin"], "newest first"
    assert whose(openid=openid) == whose(name="lin") == ["lin"]
    assert whose(phone=number["phone_info"]["purePhoneNumber"]) == ["lin"]
    assert whose(phone="13900000000") == []


def test_the_page_shows_messages_and_switches_and_escapes_them(phone: Phone) -> None:
    openid = phone.login("demo-<b>lin</b>")["openid"]
    phone.post("/_sandbox/subscribe", {"openid": openid, "template_id": TEMPLATE})
    phone.send(openid, {"thing1": {"value": "<i>路灯</i>"}})
    phone.post("/_sandbox/fail", {"api": "msg_sec_check", "mode": "timeout"})
    page = phone.http.get("/").text
    assert "&lt;i&gt;路灯&lt;/i&gt;" in page
    assert "<b>lin" not in page
    assert "msg_sec_check" in page
    assert "ticket_progress" in page
    assert 'http-equiv="refresh"' in page
    assert not re.search(r"src=|href=|url\(|@import", page), "no asset from elsewhere"


def test_a_page_from_elsewhere_cannot_reach_the_sandbox_by_another_host_name(phone: Phone) -> None:
    assert phone.http.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert phone.http.get("/", headers={"Host": "127.0.0.1:8123"}).status_code == 200


def test_state_survives_a_restart(make_phone: Callable[..., Phone], tmp_path: Path) -> None:
    before = make_phone(state_dir=tmp_path)
    openid = before.login("demo-lin")["openid"]
    token = before.stable_token()["access_token"]
    for _ in range(2):
        before.post("/_sandbox/subscribe", {"name": "lin", "template_id": TEMPLATE})
    before.send(openid, MESSAGE)

    after = make_phone(state_dir=tmp_path)
    assert len(after.get("/_sandbox/ledger.json", name="lin")["messages"]) == 1
    assert after.stable_token()["access_token"] == token
    assert [after.send(openid, MESSAGE)["errcode"] for _ in range(2)] == [0, 43101]


def test_a_reset_forgets_everything(phone: Phone) -> None:
    openid = phone.login("demo-lin")["openid"]
    phone.post("/_sandbox/subscribe", {"name": "lin", "template_id": TEMPLATE})
    phone.send(openid, MESSAGE)
    phone.post("/_sandbox/fail", {"api": "*", "mode": "-1"})
    phone.post("/_sandbox/reset", {})
    assert phone.get("/_sandbox/ledger.json") == {"messages": [], "credits": []}
    assert phone.get("/_sandbox/calls.json")["total"] == 0
    assert phone.send(openid, MESSAGE)["errcode"] == 40003


# The program


def test_the_program_says_in_one_sentence_what_is_missing() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        env={"PYTHONPATH": ".", "WECHAT_APPID": APPID},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "WECHAT_SECRET, WECHAT_PUSH_TOKEN, WECHAT_PUSH_AES_KEY" in ended.stderr


def test_a_taken_port_is_said_in_one_sentence() -> None:
    env = {
        "PYTHONPATH": ".",
        "WECHAT_APPID": APPID,
        "WECHAT_SECRET": SECRET,
        "WECHAT_PUSH_TOKEN": "t",
        "WECHAT_PUSH_AES_KEY": "k" * 43,
    }
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "sandbox", "--port", str(port)]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert str(port) in ended.stderr


def test_the_program_serves_and_ends_on_sigterm(tmp_path: Path) -> None:
    env = {
        "PYTHONPATH": ".",
        "WECHAT_APPID": APPID,
        "WECHAT_SECRET": SECRET,
        "WECHAT_PUSH_TOKEN": "t",
        "WECHAT_PUSH_AES_KEY": "k" * 43,
    }
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--state", str(tmp_path / "state")]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        line = program.stderr.readline()
        assert "http://127.0.0.1:" in line
        started = time.monotonic()
        program.terminate()
        assert program.wait(10) == 0
        assert time.monotonic() - started < 5
    assert (tmp_path / "state" / "sandbox.db").exists()
