"""The WeChat adapter against the sandbox over real HTTP, with a real Valkey for the token."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from app.adapters.outcome import Outcome
from app.adapters.wechat import (
    CodeRejected,
    NotCheckable,
    SendResult,
    Suggest,
    WeChat,
    WeChatSession,
    WeChatUnavailable,
)
from app.adapters.wechat import tokens as tokens_module
from app.adapters.wechat.client import WeChatClientAdapter
from tools.valkey_server import Valkey

TOKEN_KEY = "wechat:wxsandbox0000001:token"
DATA = {"thing1": "路灯不亮", "phrase2": "已受理", "time3": "2026-11-21T09:30:00+08:00"}


def login(wechat: WeChat, name: str = "lin") -> str:
    return wechat.code_to_session(f"demo-{name}").openid


def send(wechat: WeChat, world: Any, openid: str, **changes: Any) -> SendResult:
    message = {
        "openid": openid,
        "template_id": world.template,
        "page": "pages/ticket/index?id=1",
        "data": DATA,
    }
    return wechat.send_subscribe(**message | changes)


def allow(world: Any, name: str = "lin", times: int = 1) -> None:
    for _ in range(times):
        world.order("subscribe", name=name, template_id=world.template)


@contextmanager
def answering(raw: bytes) -> Iterator[str]:
    """A server that reads one request a connection and answers with these bytes, whatever was asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(1)
                    connection.recv(65536)
                    connection.sendall(raw)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        done.set()
        thread.join()


def json_answer(body: str) -> bytes:
    raw = body.encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(raw), raw)


# Sessions and phones


def test_a_login_code_becomes_a_session_without_fetching_a_token(world: Any) -> None:
    wechat = world.adapter()
    session = wechat.code_to_session("demo-lin")
    assert len(session.openid) == 28
    assert session.unionid is None
    assert session.session_key
    assert world.counts()["token_fetches"] == 0


def test_a_bound_account_has_a_unionid(world: Any) -> None:
    code = world.order("codes", name="lin", kind="login", unionid="union-1")["code"]
    assert world.adapter().code_to_session(code).unionid == "union-1"


def test_nothing_of_a_session_shows_when_it_is_printed() -> None:
    shown = repr(WeChatSession("oOPENID", "uUNION", "KEY"))
    assert not any(secret in shown for secret in ("oOPENID", "uUNION", "KEY"))


def test_a_used_or_unknown_login_code_is_rejected(world: Any) -> None:
    wechat = world.adapter()
    code = world.order("codes", name="lin", kind="login")["code"]
    wechat.code_to_session(code)
    with pytest.raises(CodeRejected) as used:
        wechat.code_to_session(code)
    assert used.value.errcode == 40163
    with pytest.raises(CodeRejected) as unknown:
        wechat.code_to_session("nobody-made-this")
    assert unknown.value.errcode == 40029


@pytest.mark.parametrize("code", ["", "with blank", "new\nline", "nul\x00", "x" * 513, "half\ud83d"])
def test_a_text_that_is_no_code_never_reaches_wechat(world: Any, code: str) -> None:
    wechat = world.adapter()
    with pytest.raises(CodeRejected):
        wechat.code_to_session(code)
    with pytest.raises(CodeRejected):
        wechat.phone_number(code, openid="o1")
    assert world.counts()["total"] == 0


def test_a_person_blocked_by_wechat_is_rejected_and_wrong_credentials_are_our_fault(world: Any) -> None:
    wechat = world.adapter()
    world.fail("jscode2session", "40226", times=1)
    with pytest.raises(CodeRejected):
        wechat.code_to_session("demo-lin")
    world.fail("jscode2session", "40125", times=1)
    with pytest.raises(WeChatUnavailable):
        wechat.code_to_session("demo-lin")


FAILURES = ["-1", "45009", "45011", "html200", "empty", "badjson", "http500", "http404", "close", "timeout"]


@pytest.mark.parametrize("mode", FAILURES)
def test_no_session_and_no_phone_while_wechat_is_unavailable(world: Any, mode: str) -> None:
    wechat = world.adapter(timeout_s=0.4)
    openid = login(wechat)
    world.fail("jscode2session", mode, delay_s=3 if mode == "timeout" else 0)
    with pytest.raises(WeChatUnavailable):
        wechat.code_to_session("demo-lin")
    world.fail("getuserphonenumber", mode, delay_s=3 if mode == "timeout" else 0)
    with pytest.raises(WeChatUnavailable):
        wechat.phone_number("phone-demo-lin", openid=openid)
    world.fail("jscode2session", None)
    world.fail("getuserphonenumber", None)
    assert login(wechat) == openid
    assert wechat.phone_number("phone-demo-lin", openid=openid).startswith("1990")


def test_a_refused_connection_is_unavailability_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    wechat = WeChatClientAdapter(
        api_base=f"http://127.0.0.1:{port}", appid="wx1", secret="app-secret", timeout_s=1, redis=None
    )
    with pytest.raises(WeChatUnavailable) as refused:
        wechat.code_to_session("demo-lin")
    assert "app-secret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
    assert send(wechat, SimpleNamespace(template="T"), "o1") == SendResult(Outcome.THROTTLED)
    wechat.close()


def test_phone_numbers_come_bare_in_the_mainland_and_with_their_country_elsewhere(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    assert wechat.phone_number("phone-13800000001", openid=openid) == "13800000001"
    code = world.order("codes", name="lin", kind="phone", phone="+852-51234567")["code"]
    assert wechat.phone_number(code, openid=openid) == "+85251234567"
    with pytest.raises(CodeRejected):
        wechat.phone_number(code, openid=openid)


def test_a_phone_code_of_somebody_else_is_rejected(world: Any) -> None:
    wechat = world.adapter()
    login(wechat, "lin")
    wang = login(wechat, "wang")
    code = world.order("codes", name="lin", kind="phone")["code"]
    with pytest.raises(CodeRejected):
        wechat.phone_number(code, openid=wang)


# The token


def test_sixteen_cold_threads_over_several_clients_fetch_one_token(world: Any) -> None:
    openid = login(world.adapter())
    world.fail("stable_token", "slow", delay_s=0.3)
    adapters = [world.adapter() for _ in range(8)]
    start = threading.Barrier(16)

    def call(number: int) -> str:
        start.wait()
        return adapters[number % 8].phone_number("phone-demo-lin", openid=openid)

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(call, range(16)))) == 1
    assert world.counts()["token_fetches"] == 1


def test_a_token_fetched_by_one_process_serves_the_next(world: Any) -> None:
    openid = login(world.adapter())
    world.adapter().phone_number("phone-demo-lin", openid=openid)
    # Another process: what this one keeps for itself is gone, Redis is not.
    tokens_module._locals.clear()
    world.adapter().phone_number("phone-demo-lin", openid=openid)
    assert world.counts()["token_fetches"] == 1


def test_the_token_expires_in_redis_some_minutes_before_it_does_at_wechat(
    world: Any, adapter_redis: Redis
) -> None:
    wechat = world.adapter()
    wechat.phone_number("phone-demo-lin", openid=login(wechat))
    assert 6900 < int(adapter_redis.ttl(TOKEN_KEY)) <= 7200 - tokens_module.REFRESH_EARLY_S
    adapter_redis.delete(TOKEN_KEY)
    wechat.phone_number("phone-demo-lin", openid=login(wechat))
    assert world.counts()["token_fetches"] == 2


def test_sixteen_threads_share_one_failure_to_fetch(world: Any) -> None:
    world.fail("stable_token", "http500")
    wechat = world.adapter()
    start = threading.Barrier(16)

    def call(_: int) -> Outcome:
        start.wait()
        return send(wechat, world, "o1").outcome

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(call, range(16))) == {Outcome.THROTTLED}
    assert world.counts()["token_fetches"] <= 2


def test_an_invalidated_token_costs_one_fetch_and_one_retry(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    wechat.phone_number("phone-demo-lin", openid=openid)
    world.order("tokens/invalidate")
    assert wechat.phone_number("phone-demo-lin", openid=openid).startswith("1990")
    counts = world.counts()
    assert counts["results"]["getuserphonenumber"] == {"0": 2, "40001": 1}
    assert counts["token_fetches"] == 2


def test_sixteen_threads_with_an_invalidated_token_fetch_one_other(world: Any) -> None:
    adapters = [world.adapter() for _ in range(4)]
    openid = login(adapters[0])
    adapters[0].phone_number("phone-demo-lin", openid=openid)
    world.order("tokens/invalidate")
    start = threading.Barrier(16)

    def call(number: int) -> str:
        start.wait()
        return adapters[number % 4].phone_number("phone-demo-lin", openid=openid)

    with ThreadPoolExecutor(16) as pool:
        assert len(list(pool.map(call, range(16)))) == 16
    assert world.counts()["token_fetches"] == 2


def test_a_token_wechat_itself_still_hands_out_is_renewed_by_force(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    wechat.phone_number("phone-demo-lin", openid=openid)
    world.fail("getuserphonenumber", "40001", times=1)
    assert wechat.phone_number("phone-demo-lin", openid=openid).startswith("1990")
    # The first fetch, then a plain one that gave the refused token again, then the forced one.
    assert world.counts()["token_fetches"] == 3


@pytest.mark.parametrize("code", ["40001", "40014", "42001"])
def test_a_token_refused_for_ever_ends_after_a_bounded_number_of_requests(world: Any, code: str) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    world.fail("getuserphonenumber", code)
    world.fail("subscribe_send", code)
    world.fail("msg_sec_check", code)
    with pytest.raises(WeChatUnavailable):
        wechat.phone_number("phone-demo-lin", openid=openid)
    assert send(wechat, world, openid) == SendResult(Outcome.THROTTLED, int(code))
    with pytest.raises(WeChatUnavailable):
        wechat.check_text(openid=openid, content="路灯坏了")
    counts = world.counts()
    for api in ("getuserphonenumber", "subscribe_send", "msg_sec_check"):
        assert counts["calls"][api] <= 2
    assert counts["token_fetches"] <= 5
    forced = world.sandbox.state._rows("SELECT count(*) AS n FROM forced")[0]["n"]
    assert forced <= 1, "forced refreshes keep their 30 seconds apart"


def test_the_token_is_kept_in_this_process_while_redis_is_away(
    make_world: Callable[..., Any], adapter_valkey: Valkey
) -> None:
    world = make_world()
    wechat = world.adapter()
    openid = login(wechat)
    wechat.phone_number("phone-demo-lin", openid=openid)
    adapter_valkey.kill9()
    tokens_module._locals[world.url, "wxsandbox0000001"].redis_rests_until = 0
    assert wechat.phone_number("phone-demo-lin", openid=openid).startswith("1990")
    assert world.counts()["token_fetches"] == 1, "what came by Redis serves on"


def test_sixteen_cold_threads_without_redis_fetch_one_token(world: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = Redis.from_url(f"redis://127.0.0.1:{taken.getsockname()[1]}", socket_connect_timeout=0.2)
    adapters = [world.adapter(redis=nobody) for _ in range(4)]
    openid = login(adapters[0])
    start = threading.Barrier(16)

    def call(number: int) -> str:
        start.wait()
        return adapters[number % 4].phone_number("phone-demo-lin", openid=openid)

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(call, range(16)))) == 1
    assert world.counts()["token_fetches"] == 1
    world.order("tokens/invalidate")
    assert adapters[0].phone_number("phone-demo-lin", openid=openid)
    assert world.counts()["token_fetches"] == 2
    nobody.close()


def test_what_others_wrote_under_the_key_does_no_harm(world: Any, adapter_redis: Redis) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    for rubbish in (b"\xff\xfe", "[]", '{"token": 3, "fresh_until": 9e9}', '{"token": "x"}', "null"):
        adapter_redis.set(TOKEN_KEY, rubbish)
        assert wechat.phone_number("phone-demo-lin", openid=openid).startswith("1990")


# Subscribe messages


def test_a_message_arrives_with_its_fields_made_to_fit(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    allow(world)
    long = "小区东门的路灯连续三天晚上都不亮，老人小孩走路很危险"
    sent = send(wechat, world, openid, data=DATA | {"thing1": long, "thing4": ""})
    assert sent.outcome is Outcome.ACCEPTED
    assert sent.errcode == 0
    message = world.received("lin")[0]
    assert message["msgid"] == sent.msgid
    assert message["page"] == "pages/ticket/index?id=1"
    assert message["data"] == {
        "thing1": long[:19] + "…",
        "phrase2": "已受理",
        "time3": "2026年11月21日 09:30",
        "thing4": "无",
    }


def test_without_credit_a_message_is_refused(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    allow(world, times=2)
    results = [send(wechat, world, openid) for _ in range(3)]
    assert [r.outcome for r in results] == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REFUSED]
    assert results[2].errcode == 43101
    assert len(world.received("lin")) == 2


def test_a_stranger_a_foreign_template_and_a_wrong_page_are_refused_with_their_code(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    assert send(wechat, world, "oStranger") == SendResult(Outcome.REFUSED, 40003)
    assert send(wechat, world, openid, template_id="OTHER") == SendResult(Outcome.REFUSED, 40037)
    assert send(wechat, world, openid, page="/pages/x") == SendResult(Outcome.REFUSED, 41030)


@pytest.mark.parametrize(
    ("mode", "outcome", "errcode"),
    [
        ("-1", Outcome.THROTTLED, -1),
        ("45009", Outcome.THROTTLED, 45009),
        ("45011", Outcome.THROTTLED, 45011),
        ("43108", Outcome.THROTTLED, 43108),
        ("43107", Outcome.REFUSED, 43107),
        ("45168", Outcome.REFUSED, 45168),
        ("47003", Outcome.REFUSED, 47003),
        ("http429", Outcome.THROTTLED, None),
        ("http502", Outcome.UNKNOWN, None),
        ("html200", Outcome.UNKNOWN, None),
        ("empty", Outcome.UNKNOWN, None),
        ("badjson", Outcome.UNKNOWN, None),
        ("close", Outcome.UNKNOWN, None),
        ("timeout", Outcome.UNKNOWN, None),
    ],
)
def test_every_failure_of_a_sending_says_what_to_do_next(
    world: Any, mode: str, outcome: Outcome, errcode: int | None
) -> None:
    wechat = world.adapter(timeout_s=0.4)
    openid = login(wechat)
    allow(world)
    world.fail("subscribe_send", mode, delay_s=3 if mode == "timeout" else 0)
    assert send(wechat, world, openid) == SendResult(outcome, errcode)
    assert world.received("lin") == []


def test_a_message_sent_although_the_answer_was_lost_is_unknown_and_not_sent_twice(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    allow(world, times=2)
    world.fail("subscribe_send", "html200", after=True)
    assert send(wechat, world, openid).outcome is Outcome.UNKNOWN
    assert len(world.received("lin")) == 1


def test_a_call_ends_in_time_when_wechat_says_nothing(world: Any) -> None:
    wechat = world.adapter(timeout_s=0.4)
    openid = login(wechat)
    allow(world)
    assert send(wechat, world, openid).outcome is Outcome.ACCEPTED
    world.fail("subscribe_send", "timeout", delay_s=5)
    began = time.monotonic()
    assert send(wechat, world, openid).outcome is Outcome.UNKNOWN
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("body", ["[]", "{}", "null", '"ok"', '{"errcode": "many"}', '{"errcode": null}'])
def test_an_answer_in_a_strange_shape_is_unknown(world: Any, body: str) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    token = wechat._tokens.get()
    with answering(json_answer(body)) as url:
        odd = WeChatClientAdapter(
            api_base=url, appid="wxsandbox0000001", secret="s", timeout_s=1, redis=world.redis
        )
        assert odd._tokens.get() == token
        assert send(odd, world, openid).outcome is Outcome.UNKNOWN
        with pytest.raises(WeChatUnavailable):
            odd.code_to_session("demo-lin")
        odd.close()


def test_a_redirect_is_not_followed_with_our_secret(world: Any) -> None:
    config = world.sandbox.config
    query = f"appid={config.appid}&secret={config.secret}&js_code=demo-lin&grant_type=authorization_code"
    target = f"{world.url}sns/jscode2session?{query}"
    raw = f"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: {target}\r\n\r\n"
    with answering(raw.encode()) as url:
        odd = WeChatClientAdapter(api_base=url, appid="wx1", secret="s", timeout_s=1, redis=None)
        with pytest.raises(WeChatUnavailable):
            odd.code_to_session("demo-lin")
        odd.close()


def test_a_message_that_found_no_connection_was_certainly_not_sent(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    wechat._tokens.get()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    gone = WeChatClientAdapter(
        api_base=nowhere, appid="wxsandbox0000001", secret="s", timeout_s=1, redis=world.redis
    )
    assert gone._tokens.get() == wechat._tokens.get(), "it has a token and gets as far as the sending"
    assert send(gone, world, openid) == SendResult(Outcome.THROTTLED)
    gone.close()


# Content checks


def test_texts_get_wechats_verdict(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    fine = wechat.check_text(openid=openid, content="小区路灯坏了")
    assert (fine.suggest, fine.label) == (Suggest.PASS, 100)
    assert fine.trace_id
    assert wechat.check_text(openid=openid, content="加微信").suggest is Suggest.REVIEW
    risky = wechat.check_text(openid=openid, content="网上赌博")
    assert (risky.suggest, risky.label) == (Suggest.RISKY, 20006)
    assert wechat.check_text(openid=openid, content="好", title="代开发票").suggest is Suggest.RISKY


def test_an_empty_text_is_harmless_and_costs_no_call(world: Any) -> None:
    verdict = world.adapter().check_text(openid="o1", content=" \n")
    assert verdict.suggest is Suggest.PASS
    assert world.counts()["total"] == 0


def test_a_long_text_is_checked_in_pieces_and_the_worst_counts(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    assert wechat.check_text(openid=openid, content="好" * 2500).suggest is Suggest.PASS
    assert world.counts()["calls"]["msg_sec_check"] == 1
    text = "加微信" + "好" * 6000 + "赌博"
    assert wechat.check_text(openid=openid, content=text).suggest is Suggest.RISKY
    review_first = "加微信" + "好" * 6000
    assert wechat.check_text(openid=openid, content=review_first).suggest is Suggest.REVIEW


@pytest.mark.parametrize("before", range(2494, 2502))
def test_no_word_hides_on_the_seam_between_two_pieces(world: Any, before: int) -> None:
    wechat = world.adapter()
    text = "好" * before + "代开发票" + "好" * 3000
    assert wechat.check_text(openid=login(wechat), content=text).suggest is Suggest.RISKY


def test_who_did_not_visit_cannot_be_checked(world: Any) -> None:
    wechat = world.adapter()
    never_here = world.order("codes", name="wang")["openid"]
    with pytest.raises(NotCheckable) as away:
        wechat.check_text(openid=never_here, content="路灯坏了")
    assert away.value.errcode == 61010
    with pytest.raises(NotCheckable) as stranger:
        wechat.check_media(openid="oStranger", media_url="http://127.0.0.1:1/a.jpg")
    assert stranger.value.errcode == 40003


@pytest.mark.parametrize("mode", FAILURES)
def test_no_verdict_is_not_a_good_verdict(world: Any, mode: str) -> None:
    wechat = world.adapter(timeout_s=0.4)
    openid = login(wechat)
    for api in ("msg_sec_check", "media_check_async"):
        world.fail(api, mode, delay_s=3 if mode == "timeout" else 0)
    with pytest.raises(WeChatUnavailable):
        wechat.check_text(openid=openid, content="网上赌博")
    with pytest.raises(WeChatUnavailable):
        wechat.check_media(openid=openid, media_url="http://127.0.0.1:1/a.jpg")


def test_half_an_emoji_in_a_text_does_not_break_the_call(world: Any) -> None:
    wechat = world.adapter()
    openid = login(wechat)
    allow(world)
    assert wechat.check_text(openid=openid, content="路灯\ud83d坏了").suggest is Suggest.PASS
    assert send(wechat, world, openid, data={"thing1": "路灯\ud83d坏了"}).outcome is Outcome.ACCEPTED


# Logs


def test_neither_secrets_nor_people_reach_the_log(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wechat = world.adapter(timeout_s=0.4)
    session = wechat.code_to_session("demo-lin")
    allow(world)
    send(wechat, world, session.openid)
    token = wechat._tokens.get()
    for mode in ("html200", "-1", "40001", "close", "47003"):
        world.fail("subscribe_send", mode)
        send(wechat, world, session.openid)
    world.fail("stable_token", "http500")
    world.order("tokens/invalidate")
    world.fail("subscribe_send", None)
    send(wechat, world, session.openid)
    told = caplog.text
    assert "wechat" in told
    for private in (session.openid, session.session_key, token, world.sandbox.config.secret, "路灯不亮"):
        assert private not in told


def test_the_adapter_is_made_from_settings(world: Any) -> None:
    config = world.sandbox.config
    settings = SimpleNamespace(
        wechat_api_base=world.url,
        wechat_appid=config.appid,
        wechat_secret=config.secret,
        wechat_timeout_s=2.0,
    )
    wechat: WeChat = WeChatClientAdapter.from_settings(settings, world.redis)
    assert login(wechat)
