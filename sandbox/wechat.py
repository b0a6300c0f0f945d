"""The mini-program server API as WeChat answers it: HTTP 200 always, errcode in the body."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

from sandbox.rules import wrong_field
from sandbox.state import Fault, Refusal, State, trace

blp = Blueprint("wechat", __name__)

APIS = {
    "jscode2session": "/sns/jscode2session",
    "token": "/cgi-bin/token",
    "stable_token": "/cgi-bin/stable_token",
    "getuserphonenumber": "/wxa/business/getuserphonenumber",
    "subscribe_send": "/cgi-bin/message/subscribe/send",
    "msg_sec_check": "/wxa/msg_sec_check",
    "media_check_async": "/wxa/media_check_async",
}
HTML = "<html><head><title>系统繁忙</title></head><body><h1>系统繁忙，请稍后再试</h1></body></html>"
NAME = re.compile(r"[^\s\x00-\x1f]{1,40}")
_MAX_CONTENT = 2500

Handler = Callable[[], dict[str, Any]]


def _state() -> State:
    return current_app.extensions["sandbox"].state


def endpoint(api: str, *, needs: str, wrong_method: int = 43002) -> Callable[[Handler], Handler]:
    """Serve a function at the address of `api`. The rest is the same for all of them.

    A wrong method gets `wrong_method`, an errcode goes out with HTTP 200, and the switches of
    `/_sandbox/fail` are played. Both methods are routed, because WeChat too answers the wrong one in JSON.
    """

    def register(handler: Handler) -> Handler:
        def checked() -> dict[str, Any]:
            if request.method != needs:
                raise Refusal(wrong_method, f"require {needs} method")
            return handler()

        def view() -> Response:
            # Read now: an answer before the body is read would spoil the connection for the next call.
            request.get_data(cache=True)
            fault = _state().take_fault(api)
            if fault is None or fault.mode == "slow":
                if fault is not None:
                    _state().hold(fault.delay_s)
                return _answer(api, checked)
            if fault.after:
                _answer(api, checked)
            else:
                _state().count(api, fault.mode)
            return _play(fault)

        blp.add_url_rule(APIS[api], endpoint=api, view_func=view, methods=["GET", "POST"])
        return handler

    return register


def _answer(api: str, handler: Handler) -> Response:
    try:
        answer = handler()
    except Refusal as e:
        answer = {"errcode": e.errcode, "errmsg": f"{e.errmsg} rid: {trace()}"}
    _state().count(api, str(answer.get("errcode", 0)))
    # Login codes are answered as text/plain by the real one.
    return _json(answer, "text/plain" if api == "jscode2session" else "application/json; encoding=utf-8")


def _json(answer: dict[str, Any], content_type: str = "application/json; encoding=utf-8") -> Response:
    return Response(json.dumps(answer, ensure_ascii=False), content_type=content_type)


def _play(fault: Fault) -> Response:
    """What a call gets that was told to fail."""
    if fault.mode == "timeout":
        _state().hold(fault.delay_s or 30)
        return Response(HTML, status=504, content_type="text/html; charset=utf-8")
    _state().hold(fault.delay_s)
    if fault.mode == "html200":
        return Response(HTML, content_type="text/html; charset=utf-8")
    if fault.mode == "empty":
        return Response(b"", content_type="application/json")
    if fault.mode == "badjson":
        return Response(b'{"errcode":0,"errmsg"', content_type="application/json")
    if fault.mode.startswith("http"):
        return Response(HTML, status=int(fault.mode[4:]), content_type="text/html; charset=utf-8")
    if fault.mode == "close":
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return Response(b"")
    messages = {
        "-1": "system error",
        "40001": "invalid credential",
        "45009": "reach max api daily quota limit",
    }
    message = messages.get(fault.mode, "told to fail")
    return _json({"errcode": int(fault.mode), "errmsg": f"{message} rid: {trace()}"})


def _body() -> dict[str, Any]:
    """The JSON object in the body, whatever the Content-Type says. Raises Refusal."""
    raw = request.get_data(cache=True)
    if not raw:
        raise Refusal(44002, "empty post data")
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refusal(47001, "data format error") from None
    if not isinstance(body, dict):
        raise Refusal(47001, "data format error")
    return body


def _check_app(appid: Any, secret: Any) -> None:
    config = current_app.extensions["sandbox"].config
    if appid != config.appid:
        raise Refusal(40013, "invalid appid")
    if secret != config.secret:
        raise Refusal(40125, "invalid appsecret")


def demo_phone(name: str) -> str:
    """The number of a demo person: stable, and in 1990xxxxxxx."""
    return "1990" + str(int(hashlib.sha256(f"sandbox phone {name}".encode()).hexdigest(), 16) % 10**7).zfill(
        7
    )


@endpoint("jscode2session", needs="GET", wrong_method=43001)
def jscode2session() -> dict[str, Any]:
    """Login code to person. `demo-<name>` works as often as one likes; minted codes work once."""
    _check_app(request.args.get("appid"), request.args.get("secret"))
    if request.args.get("grant_type") != "authorization_code":
        raise Refusal(40002, "invalid grant_type")
    code = request.args.get("js_code", "")
    if not code:
        raise Refusal(41008, "missing code")
    state = _state()
    if code.startswith("demo-"):
        name = code.removeprefix("demo-")
        if not NAME.fullmatch(name):
            raise Refusal(40029, "invalid code")
        openid = state.meet(name=name)
    else:
        openid = state.redeem(code, "login")["openid"]
    person = state.visit(openid)
    answer = {"session_key": base64.b64encode(secrets.token_bytes(16)).decode(), "openid": openid}
    return answer | ({"unionid": person["unionid"]} if person["unionid"] else {})


@endpoint("token", needs="GET", wrong_method=43001)
def token() -> dict[str, Any]:
    """The old access token: each call replaces the last."""
    if request.args.get("grant_type") != "client_credential":
        raise Refusal(40002, "invalid grant_type")
    _check_app(request.args.get("appid"), request.args.get("secret"))
    value, expires_in = _state().plain_token()
    return {"access_token": value, "expires_in": expires_in}


@endpoint("stable_token", needs="POST")
def stable_token() -> dict[str, Any]:
    """The stable access token: the same for all who ask."""
    body = _body()
    if body.get("grant_type") != "client_credential":
        raise Refusal(40002, "invalid grant_type")
    _check_app(body.get("appid"), body.get("secret"))
    value, expires_in = _state().stable_token(force=body.get("force_refresh") is True)
    return {"access_token": value, "expires_in": expires_in}


def _authorized_body() -> dict[str, Any]:
    _state().check_token(request.args.get("access_token"))
    return _body()


@endpoint("getuserphonenumber", needs="POST")
def getuserphonenumber() -> dict[str, Any]:
    """Phone code to number: minted codes, `phone-<11 digits>`, or `phone-demo-<name>`."""
    body = _authorized_body()
    state, code, openid = _state(), str(body.get("code", "")), body.get("openid")
    if openid and state.person(openid) is None:
        raise Refusal(40003, "invalid openid")
    if matched := re.fullmatch(r"phone-(1\d{10})", code):
        phone = matched.group(1)
    elif code.startswith("phone-demo-") and NAME.fullmatch(code.removeprefix("phone-demo-")):
        phone = demo_phone(code.removeprefix("phone-demo-"))
    else:
        row = state.redeem(code, "phone")
        if openid and row["openid"] != openid:
            raise Refusal(40029, "invalid code")
        openid, phone = row["openid"], row["phone"]
    if openid:
        state.learn_phone(str(openid), phone)
    country, number = "86", phone
    if phone.startswith("+"):
        country, _, number = phone[1:].partition("-")
    watermark = {"timestamp": int(state.now()), "appid": current_app.extensions["sandbox"].config.appid}
    info = {
        "phoneNumber": number if country == "86" else f"+{country}{number}",
        "purePhoneNumber": number,
        "countryCode": country,
        "watermark": watermark,
    }
    return {"errcode": 0, "errmsg": "ok", "phone_info": info}


@endpoint("subscribe_send", needs="POST")
def subscribe_send() -> dict[str, Any]:
    """Put a subscribe message on somebody's phone, if every field is right and there is a credit."""
    body = _authorized_body()
    state = _state()
    if state.person(body.get("touser")) is None:
        raise Refusal(40003, "invalid openid")
    template_id = body.get("template_id")
    if template_id not in current_app.extensions["sandbox"].config.templates.values():
        raise Refusal(40037, "invalid template_id")
    if body.get("miniprogram_state", "formal") not in {"formal", "trial", "developer"}:
        raise Refusal(47001, "invalid miniprogram_state")
    if body.get("lang", "zh_CN") not in {"zh_CN", "en_US", "zh_HK", "zh_TW"}:
        raise Refusal(47001, "invalid lang")
    page = body.get("page")
    if page is not None and (not isinstance(page, str) or page.startswith("/") or len(page) > 1024):
        raise Refusal(41030, "invalid page")
    wrong = wrong_field(body.get("data"))
    if wrong is not None:
        raise Refusal(47003, f"argument invalid! {wrong} invalid")
    msgid = state.deliver(
        openid=str(body["touser"]),
        template_id=str(template_id),
        page=page,
        data={key: cell["value"] for key, cell in body["data"].items()},
        state=body.get("miniprogram_state", "formal"),
    )
    return {"errcode": 0, "errmsg": "ok", "msgid": msgid}


def _check_version_and_person(body: dict[str, Any]) -> str:
    """What both content checks demand first; the openid."""
    if body.get("version") != 2:
        raise Refusal(47001, "version must be 2")
    if body.get("scene") not in {1, 2, 3, 4}:
        raise Refusal(40129, "invalid scene")
    person = _state().person(body.get("openid"))
    if person is None:
        raise Refusal(40003, "invalid openid")
    if person["visited_at"] is None:
        raise Refusal(61010, "code is expired")
    return str(person["openid"])


@endpoint("msg_sec_check", needs="POST", wrong_method=43302)
def msg_sec_check() -> dict[str, Any]:
    """Judge a text by the words in the configuration."""
    body = _authorized_body()
    _check_version_and_person(body)
    content = body.get("content")
    if not isinstance(content, str) or not content:
        raise Refusal(44002, "empty content")
    if len(content) > _MAX_CONTENT:
        raise Refusal(45002, "content size out of limit")
    text = "\n".join([content, str(body.get("title", "")), str(body.get("nickname", ""))])
    config = current_app.extensions["sandbox"].config
    suggest, label, hit = "pass", 100, None
    for words, verdict in ((config.risky_words, "risky"), (config.review_words, "review")):
        hit = next((word for word in words if word in text), None)
        if hit is not None:
            suggest, label = verdict, words[hit]
            break
    # One item has neither suggest nor label, as developers see it with the real one.
    detail: list[dict[str, Any]] = [
        {"strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90},
        {"strategy": "keyword", "errcode": 0},
    ]
    if hit is not None:
        detail[1] |= {"suggest": suggest, "label": label, "keyword": hit, "level": 90}
    result = {"suggest": suggest, "label": label}
    return {"errcode": 0, "errmsg": "ok", "detail": detail, "trace_id": trace(), "result": result}


@endpoint("media_check_async", needs="POST")
def media_check_async() -> dict[str, Any]:
    """Take a picture's address; the verdict is pushed later."""
    body = _authorized_body()
    openid = _check_version_and_person(body)
    url = body.get("media_url")
    if body.get("media_type") not in {1, 2} or not isinstance(url, str):
        raise Refusal(47001, "data format error")
    if not url.startswith(("http://", "https://")):
        raise Refusal(47001, "invalid media_url")
    sandbox = current_app.extensions["sandbox"]
    trace_id = sandbox.state.ask_media(openid, url)
    sandbox.media.start(trace_id=trace_id, openid=openid, url=url)
    return {"errcode": 0, "errmsg": "ok", "trace_id": trace_id}


def init_app(app: Flask) -> None:
    """Put WeChat's addresses on the app."""
    app.register_blueprint(blp)
