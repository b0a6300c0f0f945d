"""What the real WeChat doesn't have: minting codes, tapping, failing on demand, and looking at the phones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Flask, abort, current_app, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from sandbox.state import Fault
from sandbox.wechat import APIS, NAME, demo_phone

blp = Blueprint("control", __name__)

SHANGHAI = ZoneInfo("Asia/Shanghai")
MODES = re.compile(r"-?\d{1,6}|timeout|html200|empty|badjson|close|slow|http[45]\d\d")


class Mistake(Exception):
    """The caller asked for something the sandbox doesn't know; the text says what."""


def _sandbox() -> Any:
    return current_app.extensions["sandbox"]


def _body() -> Mapping[str, Any]:
    body = request.get_json(force=True, silent=True) if request.get_data() else {}
    if not isinstance(body, dict):
        raise Mistake("the body must be a JSON object")
    return body


def _number(body: Mapping[str, Any], name: str, default: float | None) -> float | None:
    value = body.get(name, default)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
        raise Mistake(f"{name} must be a number, not below 0")
    return value


def _person(body: Mapping[str, Any]) -> str:
    name, openid = body.get("name"), body.get("openid")
    if isinstance(name, str) and NAME.fullmatch(name):
        return str(_sandbox().state.meet(name=name, unionid=body.get("unionid")))
    if isinstance(openid, str) and NAME.fullmatch(openid):
        return str(_sandbox().state.meet(openid=openid, unionid=body.get("unionid")))
    raise Mistake("name or openid is needed")


@blp.errorhandler(Mistake)
def _mistake(error: Mistake) -> ResponseReturnValue:
    return jsonify(error=str(error)), 400


@blp.before_app_request
def _only_from_here() -> None:
    """Refuse a web page elsewhere that reaches us through a name it controls (DNS rebinding)."""
    host = request.host.rsplit(":", 1)[0]
    if host not in {"127.0.0.1", "localhost", "[::1]"}:
        abort(403)


@blp.post("/_sandbox/codes")
def mint_code() -> ResponseReturnValue:
    """A single-use code: `{name|openid, kind: login|phone, phone?, unionid?}`.

    A foreign phone is written `+852-51234567`.
    """
    body = _body()
    kind, phone = body.get("kind", "login"), body.get("phone")
    if kind not in {"login", "phone"}:
        raise Mistake("kind must be login or phone")
    openid = _person(body)
    if kind == "phone":
        phone = phone or demo_phone(str(body.get("name") or openid))
        if not isinstance(phone, str) or not re.fullmatch(r"1\d{10}|\+\d{1,4}-\d{4,14}", phone):
            raise Mistake("phone must be 11 digits, or +country-number")
    code = _sandbox().state.mint(kind=kind, openid=openid, phone=phone if kind == "phone" else None)
    return jsonify(code=code, openid=openid)


@blp.post("/_sandbox/subscribe")
def tap_subscribe() -> ResponseReturnValue:
    """The person taps in the subscribe popup: `{name|openid, template_id, result: accept|reject}`.

    `template_id` may be our name for it. `pushed` says whether the software took the event at once.
    """
    body = _body()
    result, template = body.get("result", "accept"), body.get("template_id")
    if result not in {"accept", "reject"}:
        raise Mistake("result must be accept or reject")
    templates = _sandbox().config.templates
    template = templates.get(template, template) if isinstance(template, str) else None
    if template not in templates.values():
        raise Mistake("template_id is not one of WECHAT_TEMPLATES")
    openid = _person(body)
    state, pusher = _sandbox().state, _sandbox().pusher
    credits_left = state.grant(openid, template) if result == "accept" else state.credit(openid, template)
    tapped = {"TemplateId": template, "SubscribeStatusString": result, "PopupScene": "0"}
    pushed = pusher.send(pusher.event("subscribe_msg_popup_event", openid, List=tapped))
    return jsonify(openid=openid, template_id=template, credits=credits_left, pushed=pushed)


@blp.post("/_sandbox/push")
def push_event() -> ResponseReturnValue:
    """Send any event: `{name|openid, event, fields{}}`, or set where events go: `{url}`."""
    body = _body()
    if "url" in body:
        url = body["url"]
        if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://"))):
            raise Mistake("url must start with http:// or https://")
        _sandbox().state.push_url = url
        return jsonify(url=url)
    event, fields = body.get("event"), body.get("fields", {})
    if not isinstance(event, str) or not isinstance(fields, dict):
        raise Mistake("event must be a text and fields an object")
    pusher = _sandbox().pusher
    return jsonify(pushed=pusher.send(pusher.event(event, _person(body)) | fields))


@blp.post("/_sandbox/fail")
def set_fault() -> ResponseReturnValue:
    """Make an API fail: `{api, mode, times?, delay_s?, after?}`; mode null lets it work again.

    `api`: a name such as `subscribe_send`, its path, or `*`. `mode`: any errcode as text, `timeout` (no
    answer for `delay_s`, by default 30), `html200`, `empty`, `badjson`, `close`, `http503` and so on, `slow`
    (the right answer, late). `times` null: for ever. `after` true: the work is done, only the answer fails.
    """
    body = _body()
    wanted = str(body.get("api", ""))
    by_path = {path: api for api, path in APIS.items()}
    api = by_path.get(wanted, wanted)
    if api not in APIS and api != "*":
        raise Mistake(f"api must be one of {', '.join(APIS)}, or *")
    mode = body.get("mode")
    times = _number(body, "times", None)
    delay_s = _number(body, "delay_s", 0)
    if mode is not None and not MODES.fullmatch(str(mode)):
        raise Mistake("mode is unknown")
    if times is not None and int(times) < 1:
        raise Mistake("times must be 1 or more, or null for ever")
    fault = None if mode is None else Fault(str(mode), float(delay_s or 0), bool(body.get("after")))
    _sandbox().state.set_fault(api=api, fault=fault, times=None if times is None else int(times))
    return jsonify(faults=_sandbox().state.faults())


@blp.post("/_sandbox/media")
def set_verdict() -> ResponseReturnValue:
    """What to find in a picture: `{sha256?, suggest: pass|review|risky|none, label?, times?, delay_s?}`.

    Without `sha256` it holds for any picture. `none`: no verdict is ever pushed.
    """
    body = _body()
    suggest, sha256, label = body.get("suggest"), body.get("sha256") or "*", body.get("label")
    if suggest not in {"pass", "review", "risky", "none"}:
        raise Mistake("suggest must be pass, review, risky or none")
    if sha256 != "*" and not re.fullmatch(r"[0-9a-f]{64}", str(sha256)):
        raise Mistake("sha256 must be 64 hex digits")
    times, delay_s = _number(body, "times", None), _number(body, "delay_s", None)
    _sandbox().state.set_verdict(
        sha256=sha256,
        suggest=suggest,
        label=label if isinstance(label, int) else {"review": 21000, "risky": 20002}.get(suggest, 100),
        times=None if times is None else max(1, int(times)),
        delay_s=delay_s,
    )
    return jsonify(sha256=sha256, suggest=suggest)


@blp.post("/_sandbox/reset")
def reset() -> ResponseReturnValue:
    """Forget everything: people, codes, tokens, credits, messages, counts, switches."""
    _sandbox().state.reset()
    _sandbox().hotline.reset()
    return jsonify(reset=True)


@blp.post("/_sandbox/tokens/invalidate")
def invalidate_tokens() -> ResponseReturnValue:
    """Make every access token worthless at once, as another environment on the same appid would."""
    return jsonify(invalidated=_sandbox().state.invalidate_tokens())


@blp.get("/_sandbox/ledger.json")
def ledger() -> ResponseReturnValue:
    """What people received, newest first; `?openid=`, `?name=` and `?phone=` narrow it down."""
    wanted = {key: request.args.get(key) or None for key in ("openid", "name", "phone")}
    state = _sandbox().state
    messages = [row | {"at": _at(row["at"])} for row in state.messages(**wanted)]
    return jsonify(messages=messages, credits=state.credits(openid=wanted["openid"]))


@blp.get("/_sandbox/calls.json")
def calls() -> ResponseReturnValue:
    """How often each API was called, and with which result; `token_fetches` counts both kinds of token."""
    by_result = _sandbox().state.calls()
    totals = {api: sum(results.values()) for api, results in by_result.items()}
    return jsonify(
        calls=totals,
        results=by_result,
        total=sum(totals.values()),
        token_fetches=totals.get("token", 0) + totals.get("stable_token", 0),
        media=[row | {"at": _at(row["at"])} for row in _sandbox().state.media()],
        pushes=[
            row | {"at": _at(row["at"]), "answered": bool(row["answered"])}
            for row in _sandbox().state.pushes()
        ],
    )


@blp.get("/_sandbox/health")
def health() -> ResponseReturnValue:
    """That the sandbox is up."""
    return jsonify(ok=True)


@blp.get("/")
def page() -> ResponseReturnValue:
    """The ledger as a page for people."""
    sandbox = _sandbox()
    titles = {template_id: name for name, template_id in sandbox.config.templates.items()}
    return render_template(
        "ledger.html",
        messages=sandbox.state.messages(limit=200),
        credits=[row for row in sandbox.state.credits() if row["n"]],
        faults=sandbox.state.faults(),
        pushes=sandbox.state.pushes(limit=20),
        media=sandbox.state.media(limit=20),
        hotline=sandbox.hotline.ledger(limit=200),
        titles=titles,
        at=lambda seconds: datetime.fromtimestamp(seconds, SHANGHAI).strftime("%m-%d %H:%M:%S"),
    )


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, SHANGHAI).isoformat(timespec="milliseconds")


def init_app(app: Flask) -> None:
    """Put the control addresses and the page on the app."""
    app.register_blueprint(blp)
