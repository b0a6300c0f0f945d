"""The message push: WeChat's own vectors, what the sandbox sends over HTTP, and all that is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.crypto import PrpCrypto

from app.adapters.wechat import PushRejected, Suggest
from app.adapters.wechat.push import (
    MAX_BODY,
    MediaVerdict,
    Push,
    PushMessage,
    SubscribeChoice,
    media_verdict,
    signature,
    subscribe_choices,
)

# WeChat, 消息推送: the worked examples of the page.
OFFICIAL_TOKEN, OFFICIAL_KEY, OFFICIAL_APPID = "AAAAA", "A" * 43, "wxba5fad812f8e6fb9"
OFFICIAL_SEALED = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv"
    "6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNq"
    "J4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)

TOKEN, KEY, APPID, NOW = "push-token", "k" * 43, "wxsandbox0000001", 1_790_000_000
EVENT = {
    "ToUserName": "gh_1",
    "FromUserName": "oUSER",
    "CreateTime": NOW,
    "MsgType": "event",
    "Event": "subscribe_msg_popup_event",
    "List": {"TemplateId": "T1", "SubscribeStatusString": "accept", "PopupScene": "0"},
}
VERDICT = {
    "ToUserName": "gh_1",
    "FromUserName": "oUSER",
    "CreateTime": NOW,
    "MsgType": "event",
    "Event": "wxa_media_check",
    "appid": APPID,
    "trace_id": "60f9-1",
    "version": 2,
    "errcode": 0,
    "result": {"suggest": "risky", "label": "20002"},
    "detail": [{"strategy": "content_model", "errcode": 0, "suggest": "risky", "label": 20002, "prob": 90}],
}


def push(**changes: Any) -> Push:
    return Push(TOKEN, KEY, APPID, **{"clock": lambda: NOW} | changes)


def seal(
    clear: dict[str, Any] | str, *, appid: str = APPID, key: str = KEY, token: str = TOKEN, at: int = NOW
) -> tuple[dict[str, str], bytes]:
    """A delivery as WeChat would send it; the sealing is wechatpy's."""
    text = clear if isinstance(clear, str) else json.dumps(clear, ensure_ascii=False)
    sealed = PrpCrypto(base64.b64decode(key + "=")).encrypt(text, appid)
    sealed = sealed.decode() if isinstance(sealed, bytes) else sealed
    return sign(sealed, token=token, at=at), json.dumps({"ToUserName": "gh_1", "Encrypt": sealed}).encode()


def sign(sealed: str, *, token: str = TOKEN, at: int = NOW, nonce: str = "n1") -> dict[str, str]:
    joined = "".join(sorted([token, str(at), nonce, sealed]))
    proof = hashlib.sha1(joined.encode()).hexdigest()
    return {"timestamp": str(at), "nonce": nonce, "encrypt_type": "aes", "msg_signature": proof}


def opened(clear: dict[str, Any] | str) -> PushMessage:
    return push().open(*seal(clear))


# WeChat's vectors


def test_wechats_own_address_check_is_answered() -> None:
    door = Push(OFFICIAL_TOKEN, OFFICIAL_KEY, OFFICIAL_APPID, clock=lambda: 1714036504)
    args = {
        "signature": "f464b24fc39322e44b38aa78f5edd27bd1441696",
        "echostr": "4375120948345356249",
        "timestamp": "1714036504",
        "nonce": "1514711492",
    }
    assert door.echo(args) == "4375120948345356249"
    with pytest.raises(PushRejected):
        door.echo(args | {"signature": "f464b24fc39322e44b38aa78f5edd27bd1441697"})


def test_wechats_own_signatures_are_computed() -> None:
    assert signature("AAAAA", "1714037059", "486452656") == "899cf89e464efb63f54ddac96b0a0a235f53aa78"
    assert signature("AAAAA", "1714112445", "415670741") == "6c5c811b55cc85e0e1b54100749188c20beb3f5d"
    sealed_reply = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
    expected = "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"
    assert signature("AAAAA", "1713424427", "415670741", sealed_reply) == expected


def test_wechats_own_sealed_message_is_opened() -> None:
    door = Push(OFFICIAL_TOKEN, OFFICIAL_KEY, OFFICIAL_APPID, clock=lambda: 1714112445)
    args = {
        "signature": "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
        "timestamp": "1714112445",
        "nonce": "415670741",
        "openid": "o9AgO5Kd5ggOC-bXrbNODIiE3bGY",
        "encrypt_type": "aes",
        "msg_signature": "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
    }
    body = json.dumps({"ToUserName": "gh_97417a04a28d", "Encrypt": OFFICIAL_SEALED}).encode()
    message = door.open(args, body)
    assert (message.event, message.msg_type) == ("debug_demo", "event")
    assert message.openid == "o9AgO5Kd5ggOC-bXrbNODIiE3bGY"
    assert message.created_at == 1714112445
    assert message.fields["debug_str"] == "hello world"
    other = Push(OFFICIAL_TOKEN, OFFICIAL_KEY, "wxother", clock=lambda: 1714112445)
    with pytest.raises(PushRejected, match="another appid"):
        other.open(args, body)


# What a push says


def test_one_choice_and_several_read_alike() -> None:
    assert subscribe_choices(opened(EVENT)) == [SubscribeChoice("T1", True)]
    several = EVENT | {
        "Event": "subscribe_msg_change_event",
        "CreateTime": str(NOW),
        "List": [
            {"TemplateId": "T1", "SubscribeStatusString": "reject"},
            {"TemplateId": "T2", "SubscribeStatusString": "accept"},
        ],
    }
    message = opened(several)
    assert message.created_at == NOW
    assert subscribe_choices(message) == [SubscribeChoice("T1", False), SubscribeChoice("T2", True)]


def test_xml_reads_like_json() -> None:
    row = "<List><TemplateId>{}</TemplateId><SubscribeStatusString>accept</SubscribeStatusString></List>"
    frame = (
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oUSER]]></FromUserName>"
        f"<CreateTime>{NOW}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        "<Event><![CDATA[subscribe_msg_popup_event]]></Event>"
        "<SubscribeMsgPopupEvent>{}</SubscribeMsgPopupEvent></xml>"
    )
    one = opened(frame.format(row.format("T1")))
    assert subscribe_choices(one) == [SubscribeChoice("T1", True)]
    assert one.dedup_key == opened(EVENT).dedup_key
    two = opened(frame.format(row.format("T1") + row.format("T2")))
    assert [choice.template_id for choice in subscribe_choices(two)] == ["T1", "T2"]
    assert subscribe_choices(opened(frame.format(""))) == []


def test_an_envelope_in_xml_is_opened_too() -> None:
    args, body = seal(EVENT)
    sealed = json.loads(body)["Encrypt"]
    xml = f"<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    assert push().open(args, xml.encode()).event == "subscribe_msg_popup_event"


def test_an_entity_is_not_expanded_even_to_something_well_sealed() -> None:
    args, body = seal(EVENT)
    sealed = json.loads(body)["Encrypt"]
    xml = f'<!DOCTYPE xml [<!ENTITY s "{sealed}">]><xml><Encrypt>&s;</Encrypt></xml>'
    with pytest.raises(PushRejected, match="XML"):
        push().open(args, xml.encode())


def test_in_compatible_mode_only_the_sealed_part_counts() -> None:
    args, body = seal(EVENT)
    body = json.dumps(json.loads(body) | EVENT | {"FromUserName": "oFORGED"}).encode()
    assert push().open(args, body).openid == "oUSER"


def test_media_verdicts_of_every_shape() -> None:
    assert media_verdict(opened(VERDICT)) == MediaVerdict("60f9-1", Suggest.RISKY, 20002, 0)
    without_errcode = {k: v for k, v in VERDICT.items() if k != "errcode"}
    passed = without_errcode | {"result": {"suggest": "pass", "label": 100}}
    assert media_verdict(opened(passed)) == MediaVerdict("60f9-1", Suggest.PASS, 100, 0)
    no_result = {k: v for k, v in VERDICT.items() if k != "result"} | {"detail": []}
    failed = no_result | {"errcode": -1008, "errmsg": "download failed"}
    assert media_verdict(opened(failed)) == MediaVerdict("60f9-1", None, None, -1008)
    old = no_result | {"isrisky": 1, "status_code": 0}
    assert media_verdict(opened(old)) == MediaVerdict("60f9-1", Suggest.RISKY, None, 0)
    old_pass = no_result | {"isrisky": "0", "status_code": "0"}
    assert media_verdict(opened(old_pass)) == MediaVerdict("60f9-1", Suggest.PASS, None, 0)
    old_failed = no_result | {"isrisky": 0, "status_code": 4294966288}
    assert media_verdict(opened(old_failed)) == MediaVerdict("60f9-1", None, None, 4294966288)
    nothing = media_verdict(opened(no_result))
    assert nothing.suggest is None, "no verdict is not a good verdict"
    new_word = VERDICT | {"result": {"suggest": "maybe", "label": 1}}
    assert media_verdict(opened(new_word)).suggest is None
    for unfit in (EVENT, VERDICT | {"trace_id": 7}, VERDICT | {"trace_id": ""}):
        with pytest.raises(PushRejected):
            media_verdict(opened(unfit))


@pytest.mark.parametrize(
    "result",
    [
        [],
        "risky",
        1,
        {"suggest": []},
        {"suggest": {"a": 1}},
        {"suggest": None},
        {"suggest": "pass", "label": []},
    ],
)
def test_a_verdict_in_a_strange_shape_raises_nothing_unexpected(result: Any) -> None:
    verdict = media_verdict(opened(VERDICT | {"result": result}))
    assert verdict.label is None


def test_one_happening_has_one_key_and_another_has_another() -> None:
    key = opened(EVENT).dedup_key
    assert opened(EVENT).dedup_key == key, "sealed anew, with other random bytes"
    assert "oUSER" not in key
    two = [{"TemplateId": "T1"}, {"TemplateId": "T2"}]
    changes: list[dict[str, Any]] = [
        {"FromUserName": "oOTHER"},
        {"CreateTime": NOW + 1},
        {"Event": "subscribe_msg_sent_event"},
        {"List": {"TemplateId": "T2", "SubscribeStatusString": "accept"}},
        {"List": two},
    ]
    keys = {key} | {opened(EVENT | change).dedup_key for change in changes}
    assert len(keys) == len(changes) + 1
    assert opened(EVENT | {"List": two[::-1]}).dedup_key == opened(EVENT | {"List": two}).dedup_key
    second_photo = VERDICT | {"trace_id": "60f9-2"}
    assert opened(second_photo).dedup_key != opened(VERDICT).dedup_key
    text = {k: EVENT[k] for k in ("ToUserName", "FromUserName", "CreateTime")} | {
        "MsgType": "text",
        "MsgId": 1,
    }
    assert opened(text).dedup_key == opened(text | {"CreateTime": NOW + 5}).dedup_key
    assert opened(text).dedup_key != opened(text | {"MsgId": 2}).dedup_key


def test_nobody_shows_when_a_push_is_printed() -> None:
    assert "oUSER" not in repr(opened(EVENT))


# What is refused


def test_a_key_that_is_none_stops_the_start() -> None:
    for key in ("", "short", "k" * 42, "k" * 44, "!" * 43):
        with pytest.raises(ValueError, match="43 characters"):
            Push(TOKEN, key, APPID)


@pytest.mark.parametrize("shift", [-301, 301, -86400, 10**9])
def test_a_stale_push_is_refused(shift: int) -> None:
    args, body = seal(EVENT, at=NOW + shift)
    with pytest.raises(PushRejected, match="stale"):
        push().open(args, body)


@pytest.mark.parametrize("shift", [-300, 0, 300])
def test_five_minutes_either_way_are_borne(shift: int) -> None:
    assert push().open(*seal(EVENT, at=NOW + shift)).openid == "oUSER"


def test_a_captured_push_cannot_be_given_a_new_time() -> None:
    args, body = seal(EVENT, at=NOW - 3600)
    with pytest.raises(PushRejected, match="msg_signature"):
        push().open(args | {"timestamp": str(NOW)}, body)


def test_a_replay_within_the_five_minutes_has_the_key_of_the_first() -> None:
    args, body = seal(EVENT)
    assert push().open(args, body).dedup_key == push().open(args, body).dedup_key


def test_forged_pushes_are_refused() -> None:
    args, body = seal(EVENT)
    other_args, other_body = seal(VERDICT)
    plain = {"signature": signature(TOKEN, str(NOW), "n1"), "timestamp": str(NOW), "nonce": "n1"}
    for bad_args, bad_body in [
        (args, other_body),
        (other_args, body),
        (args | {"nonce": "n2"}, body),
        (args | {"msg_signature": args["msg_signature"].upper()}, body),
        (args | {"msg_signature": "0" * 40}, body),
        (args | {"msg_signature": "签名"}, body),
        (args | {"timestamp": "１７９０００００００"}, body),
        (plain, json.dumps(EVENT).encode()),
        (plain, body),
        seal(EVENT, token="other-token"),
        seal(EVENT, key="j" * 43),
        seal(EVENT, appid="wxother"),
        seal(EVENT, appid=APPID + "x"),
        seal(EVENT, appid=""),
    ]:
        with pytest.raises(PushRejected):
            push().open(bad_args, bad_body)


@pytest.mark.parametrize("missing", ["timestamp", "nonce", "msg_signature"])
def test_a_push_without_a_part_is_refused(missing: str) -> None:
    args, body = seal(EVENT)
    del args[missing]
    with pytest.raises(PushRejected, match=missing):
        push().open(args, body)


BODIES = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"null",
    b"{}",
    b'{"Encrypt": 7}',
    b'{"Encrypt": ""}',
    b'{"Encrypt": ["a"]}',
    b"<xml/>",
    b"<xml>",
    b"<xml><Encrypt><a>b</a></Encrypt></xml>",
    b"not anything",
    b"[" * 100_000,
    b"<a>" * 50_000,
    b"<a>" * 100 + b"</a>" * 100,
    b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><xml><Encrypt>&e;</Encrypt></xml>',
    b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>',
    b" " * (MAX_BODY + 1),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:24]))
def test_bodies_that_are_no_push_are_refused(body: bytes) -> None:
    args, _ = seal(EVENT)
    with pytest.raises(PushRejected):
        push().open(args, body)


CLEARS = [
    "",
    "[]",
    "7",
    "not json",
    "<xml/>",
    '{"MsgType":"event"}',
    json.dumps(EVENT | {"CreateTime": "soon"}),
    json.dumps(EVENT | {"CreateTime": "9" * 5000}),
    json.dumps(EVENT | {"CreateTime": 1.5}),
    json.dumps(EVENT | {"CreateTime": True}),
    json.dumps(EVENT | {"FromUserName": None}),
    json.dumps(EVENT | {"Event": {"a": 1}}),
    '{"CreateTime": ' + "9" * 5000 + "}",
]


@pytest.mark.parametrize("clear", CLEARS, ids=lambda clear: clear[:40])
def test_a_well_sealed_message_without_sense_is_refused(clear: str) -> None:
    with pytest.raises(PushRejected):
        opened(clear)


@pytest.mark.parametrize(
    "rows", [None, "", 7, ["a", 7, None], [[]], {"TemplateId": 7}, {"TemplateId": ["x"]}]
)
def test_choices_in_a_strange_shape_are_no_choices(rows: Any) -> None:
    message = opened(EVENT | {"List": rows})
    assert isinstance(message.fields["List"], list)
    assert subscribe_choices(message) == []


@pytest.mark.parametrize("sealed", ["!!!", "YQ==", "QUFB", base64.b64encode(b"x" * 32).decode(), "密文"])
def test_sealed_rubbish_with_a_right_signature_is_refused(sealed: str) -> None:
    with pytest.raises(PushRejected):
        push().open(sign(sealed), json.dumps({"Encrypt": sealed}).encode())


@given(
    args=st.dictionaries(
        st.sampled_from(["timestamp", "nonce", "signature", "msg_signature", "echostr"]), st.text(max_size=30)
    ),
    body=st.binary(max_size=200),
)
def test_nothing_but_a_rejection_comes_of_chance(args: dict[str, str], body: bytes) -> None:
    for attempt in (lambda: push().open(args, body), lambda: push().echo(args)):
        with pytest.raises(PushRejected):
            attempt()


@given(blocks=st.binary(min_size=1, max_size=12).map(lambda seed: hashlib.sha256(seed).digest() * 2))
def test_nothing_but_a_rejection_comes_of_chance_behind_a_right_signature(blocks: bytes) -> None:
    sealed = base64.b64encode(blocks).decode()
    with pytest.raises(PushRejected):
        push().open(sign(sealed), json.dumps({"Encrypt": sealed}).encode())


def test_a_stale_or_forged_address_check_is_refused() -> None:
    args = {"timestamp": str(NOW), "nonce": "n", "echostr": "7", "signature": signature(TOKEN, str(NOW), "n")}
    assert push().echo(args) == "7"
    for change in ({"nonce": "m"}, {"echostr": ""}, {"timestamp": str(NOW - 600)}, {"signature": "签"}):
        with pytest.raises(PushRejected):
            push().echo(args | change)


# Over HTTP, from the sandbox


class Door:
    """A small web server that opens what is pushed to it, and serves one picture."""

    def __init__(self) -> None:
        self.push = Push(TOKEN, KEY, APPID)
        self.messages: list[PushMessage] = []
        self.refuse = 0
        self.seen = threading.Condition()
        self.picture = b"\xff\xd8\xff\xe0" + b"picture"
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path == "/lamp.jpg"
                self.answer(200 if known else 404, door.picture if known else b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                message = door.push.open(dict(parse_qsl(urlsplit(self.path).query)), body)
                with door.seen:
                    door.messages.append(message)
                    door.seen.notify_all()
                    door.refuse -= 1
                    refused = door.refuse >= 0
                self.answer(503 if refused else 200, b"busy" if refused else b"success")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def wait(self, count: int, seconds: float = 5) -> list[PushMessage]:
        with self.seen:
            assert self.seen.wait_for(lambda: len(self.messages) >= count, seconds), "no push came"
            return list(self.messages)

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.close()


@pytest.fixture
def pushed_world(make_world: Callable[..., Any], door: Door) -> Any:
    return make_world(push_url=f"{door.url}/callbacks/wechat/push")


def eventually(claim: Callable[[], bool], seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_a_tap_in_the_popup_arrives_as_a_push(pushed_world: Any, door: Door) -> None:
    answer = pushed_world.order("subscribe", name="lin", template_id=pushed_world.template)
    assert answer["pushed"] is True
    message = door.wait(1)[0]
    assert message.openid == answer["openid"]
    assert subscribe_choices(message) == [SubscribeChoice(pushed_world.template, True)]


def test_the_verdict_on_a_picture_arrives_as_a_push(pushed_world: Any, door: Door) -> None:
    wechat = pushed_world.adapter()
    openid = wechat.code_to_session("demo-lin").openid
    trace_id = wechat.check_media(openid=openid, media_url=f"{door.url}/lamp.jpg")
    message = door.wait(1)[0]
    assert message.openid == openid
    assert media_verdict(message) == MediaVerdict(trace_id, Suggest.PASS, 100, 0)


def test_a_picture_can_be_found_risky_by_its_bytes(pushed_world: Any, door: Door) -> None:
    wechat = pushed_world.adapter()
    openid = wechat.code_to_session("demo-lin").openid
    sha256 = hashlib.sha256(door.picture).hexdigest()
    pushed_world.order("media", sha256=sha256, suggest="risky", times=1)
    wechat.check_media(openid=openid, media_url=f"{door.url}/lamp.jpg")
    assert media_verdict(door.wait(1)[0]).suggest is Suggest.RISKY
    wechat.check_media(openid=openid, media_url=f"{door.url}/lamp.jpg")
    assert media_verdict(door.wait(2)[1]).suggest is Suggest.PASS


def test_a_picture_that_cannot_be_downloaded_is_answered_with_minus_1008(
    pushed_world: Any, door: Door
) -> None:
    wechat = pushed_world.adapter()
    openid = wechat.code_to_session("demo-lin").openid
    trace_id = wechat.check_media(openid=openid, media_url=f"{door.url}/gone.jpg")
    assert media_verdict(door.wait(1)[0]) == MediaVerdict(trace_id, None, None, -1008)


def test_the_sandbox_can_keep_silent_about_a_picture(pushed_world: Any, door: Door) -> None:
    wechat = pushed_world.adapter()
    openid = wechat.code_to_session("demo-lin").openid
    pushed_world.order("media", suggest="none")
    wechat.check_media(openid=openid, media_url=f"{door.url}/lamp.jpg")
    assert eventually(lambda: pushed_world.counts()["media"][0]["suggest"] == "none")
    assert door.messages == []


def test_a_push_that_is_not_taken_is_repeated_twice_with_one_key(pushed_world: Any, door: Door) -> None:
    door.refuse = 2
    answer = pushed_world.order("subscribe", name="lin", template_id=pushed_world.template)
    assert answer["pushed"] is False
    tries = door.wait(3)
    assert len({message.dedup_key for message in tries}) == 1
    assert eventually(lambda: pushed_world.counts()["pushes"] != [])
    noted = pushed_world.counts()["pushes"][0]
    assert (noted["tries"], noted["answered"]) == (3, True)


def test_a_push_nobody_takes_is_given_up_after_three_tries(pushed_world: Any, door: Door) -> None:
    door.refuse = 99
    pushed_world.order("subscribe", name="lin", template_id=pushed_world.template)
    assert eventually(lambda: pushed_world.counts()["pushes"] != [])
    assert pushed_world.counts()["pushes"][0]["answered"] is False
    assert len(door.messages) == 3
