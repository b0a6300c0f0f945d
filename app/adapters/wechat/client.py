"""The mini-program server API over wechatpy: one token cache, one retry, time-outs always."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from redis import Redis
from urllib3 import exceptions as urllib3_errors
from wechatpy.client.base import BaseWeChatClient
from wechatpy.exceptions import WeChatException

from app.adapters import observed
from app.adapters.outcome import Outcome
from app.adapters.patience import PatientAdapter
from app.adapters.wechat import (
    CodeRejected,
    NotCheckable,
    SendResult,
    Suggest,
    TextVerdict,
    WeChatSession,
    WeChatUnavailable,
)
from app.adapters.wechat.fields import fit
from app.adapters.wechat.tokens import FetchedToken, TokenCache

log = logging.getLogger(__name__)

# At DEBUG it writes whole URLs, and ours carry the app secret and access tokens.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

# The token is no longer good: 40001 not the latest, 40014 malformed, 42001 expired.
STALE_TOKEN = frozenset({40001, 40014, 42001})
# Busy, over the day's or the minute's quota: the same call may succeed later.
BUSY = frozenset({-1, 45009, 45011})
# 40029 bad or expired, 40163 used, 40226 person blocked, 40003 code of another person, 41008 missing.
BAD_CODE = frozenset({40029, 40163, 40226, 40003, 41008})
# A further call for the same person was under way (43108): nothing was sent, later works.
SEND_LATER = BUSY | STALE_TOKEN | {43108}

# msg_sec_check takes 2,500 characters. The pieces overlap, so that no word hides on a seam.
PIECE = 2500
OVERLAP = 30

# Blanks, control characters and halves of surrogate pairs are in no code.
_CODE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,512}")


class WeChatSettings(Protocol):
    """What `from_settings` reads."""

    @property
    def wechat_api_base(self) -> str:
        """Where the API is, `https://api.weixin.qq.com/` but for tests and development."""

    @property
    def wechat_appid(self) -> str:
        """The mini-program's id."""

    @property
    def wechat_secret(self) -> str:
        """Its secret; travels only to `wechat_api_base`."""

    @property
    def wechat_timeout_s(self) -> float:
        """Seconds one call may wait for WeChat's answer."""


class _CallFailed(Exception):
    """A call without a usable answer. `sent` False: WeChat certainly did nothing with it."""

    def __init__(self, errcode: int | None, *, sent: bool, why: str) -> None:
        super().__init__(why)
        self.errcode = errcode
        self.sent = sent
        self.why = why


class _Http(BaseWeChatClient):  # type: ignore[misc]  # wechatpy carries no types
    """wechatpy's request and error handling, without its token keeping and its unbounded retry."""

    def __init__(self, appid: str, timeout: tuple[float, float], *, loopback: bool) -> None:
        super().__init__(appid, timeout=timeout, auto_retry=False)
        pool = PatientAdapter(pool_maxsize=32, max_retries=0)
        self._http.mount("http://", pool)
        self._http.mount("https://", pool)
        # A proxy from the environment has no business between us and a server on this machine.
        self._http.trust_env = not loopback

    def fetch_access_token(self) -> None:
        raise AssertionError("every call brings its token along")

    def close(self) -> None:
        self._http.close()


class WeChatClientAdapter:
    """The real WeChat. Made once per process; safe to share between threads."""

    def __init__(
        self, *, api_base: str, appid: str, secret: str, timeout_s: float, redis: Redis | None
    ) -> None:
        self._base = api_base.rstrip("/") + "/"
        self._appid = appid
        self._secret = secret
        host = urlsplit(self._base).hostname
        connect_s = min(3.0, timeout_s)
        self._http = _Http(appid, (connect_s, timeout_s), loopback=host in {"127.0.0.1", "localhost", "::1"})
        self._tokens = TokenCache(
            appid=appid,
            authority=self._base,
            fetch=self._fetch_token,
            redis=redis,
            fetch_timeout_s=connect_s + timeout_s,
        )

    @classmethod
    def from_settings(cls, settings: WeChatSettings, redis: Redis | None) -> WeChatClientAdapter:
        """The adapter as the settings describe it; `redis` None keeps the token in this process only."""
        return cls(
            api_base=settings.wechat_api_base,
            appid=settings.wechat_appid,
            secret=settings.wechat_secret,
            timeout_s=settings.wechat_timeout_s,
            redis=redis,
        )

    def close(self) -> None:
        """Give the connections back; the adapter may still be used afterwards."""
        self._http.close()

    def check_credentials(self) -> None:
        """See `WeChat.check_credentials`."""
        self._fetch_token(False)

    def code_to_session(self, code: str) -> WeChatSession:
        """See `WeChat.code_to_session`. wechatpy's own method would fetch an access token first."""
        if not _CODE.fullmatch(code):
            raise CodeRejected(None)
        query = {
            "appid": self._appid,
            "secret": self._secret,
            "js_code": code,
            "grant_type": "authorization_code",
            # Given and empty, or wechatpy adds an access token of its own; requests leaves None out.
            "access_token": None,
        }
        try:
            answer = self._exchange("get", "sns/jscode2session", params=query)
        except _CallFailed as e:
            raise self._for_code(e) from None
        openid, key, unionid = answer.get("openid"), answer.get("session_key"), answer.get("unionid")
        if not isinstance(openid, str) or not openid or not isinstance(key, str) or not key:
            raise WeChatUnavailable(None)
        return WeChatSession(openid, unionid if isinstance(unionid, str) and unionid else None, key)

    def phone_number(self, code: str, *, openid: str) -> str:
        """See `WeChat.phone_number`."""
        if not _CODE.fullmatch(code):
            raise CodeRejected(None)
        try:
            answer = self._call("wxa/business/getuserphonenumber", {"code": code, "openid": openid})
        except _CallFailed as e:
            raise self._for_code(e) from None
        info = answer.get("phone_info")
        info = info if isinstance(info, dict) else {}
        number, country = str(info.get("purePhoneNumber", "")), str(info.get("countryCode", "")).lstrip("+")
        watermark = info.get("watermark")
        if isinstance(watermark, dict) and watermark.get("appid", self._appid) != self._appid:
            log.error("wechat answered a phone number of another appid")
            raise WeChatUnavailable(None)
        if country in {"", "86"} and re.fullmatch(r"1[0-9]{10}", number):
            return number
        if re.fullmatch(r"[0-9]{1,4}", country) and re.fullmatch(r"[0-9]{4,15}", number):
            return f"+{country}{number}"
        raise WeChatUnavailable(None)

    def send_subscribe(
        self,
        *,
        openid: str,
        template_id: str,
        page: str,
        data: Mapping[str, str],
        state: str = "formal",
        lang: str = "zh_CN",
    ) -> SendResult:
        """See `WeChat.send_subscribe`."""
        message = {
            "touser": openid,
            "template_id": template_id,
            "page": page,
            "data": {key: {"value": fit(key, value)} for key, value in data.items()},
            "miniprogram_state": state,
            "lang": lang,
        }
        try:
            answer = self._call("cgi-bin/message/subscribe/send", message)
        except _CallFailed as e:
            return SendResult(_outcome(e), e.errcode)
        except WeChatUnavailable as e:
            return SendResult(Outcome.THROTTLED, e.errcode)
        if "errcode" not in answer:
            # An answer that says neither yes nor no, such as {} from something in between.
            return SendResult(Outcome.UNKNOWN)
        msgid = answer.get("msgid")
        return SendResult(Outcome.ACCEPTED, 0, None if msgid in (None, "") else str(msgid))

    def check_text(
        self,
        *,
        openid: str,
        content: str,
        scene: int = 2,
        title: str | None = None,
        nickname: str | None = None,
    ) -> TextVerdict:
        """See `WeChat.check_text`. A long text costs one call per 2,500 characters, until one is risky."""
        worst = TextVerdict(Suggest.PASS, 100, "")
        for number, piece in enumerate(_pieces(content)):
            body: dict[str, Any] = {"version": 2, "openid": openid, "scene": scene, "content": piece}
            if number == 0:
                body |= {k: v for k, v in (("title", title), ("nickname", nickname)) if v}
            verdict = _text_verdict(self._check("wxa/msg_sec_check", body))
            if number == 0 or verdict.suggest.severity > worst.suggest.severity:
                worst = verdict
            if worst.suggest is Suggest.RISKY:
                break
        return worst

    def check_media(self, *, openid: str, media_url: str, scene: int = 2) -> str:
        """See `WeChat.check_media`. WeChat takes JPEG, PNG, BMP and GIF up to 10 MB."""
        body = {"version": 2, "openid": openid, "scene": scene, "media_type": 2, "media_url": media_url}
        trace_id = self._check("wxa/media_check_async", body).get("trace_id")
        if not isinstance(trace_id, str) or not trace_id:
            raise WeChatUnavailable(None)
        return trace_id

    def _check(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._call(path, body)
        except _CallFailed as e:
            if e.errcode is None or e.errcode in BUSY | STALE_TOKEN:
                raise WeChatUnavailable(e.errcode) from None
            raise NotCheckable(e.errcode) from None

    def _for_code(self, failed: _CallFailed) -> CodeRejected | WeChatUnavailable:
        if failed.errcode in BAD_CODE:
            return CodeRejected(failed.errcode)
        if failed.errcode is not None and failed.errcode not in BUSY:
            # 40013, 40125 and the like: our own settings are wrong, and no resident can help it.
            log.error("wechat refuses our credentials or call: errcode %s", failed.errcode)
        return WeChatUnavailable(failed.errcode)

    def _call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST with a token; when that has gone stale, once more with another one, and never a third time."""
        token = self._tokens.get()
        try:
            return self._exchange("post", path, token=token, body=body)
        except _CallFailed as e:
            if e.errcode not in STALE_TOKEN:
                raise
            log.info("wechat no longer takes our token (errcode %s)", e.errcode)
            renewed = self._tokens.renew(token)
            if renewed is None:
                raise
        return self._exchange("post", path, token=renewed, body=body)

    def _fetch_token(self, force: bool) -> FetchedToken:
        body = {
            "grant_type": "client_credential",
            "appid": self._appid,
            "secret": self._secret,
            "force_refresh": force,
        }
        try:
            answer = self._exchange("post", "cgi-bin/stable_token", body=body)
        except _CallFailed as e:
            log.error("no wechat token: %s", e.why)
            raise WeChatUnavailable(e.errcode) from None
        token, expires_in = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(expires_in, int) or expires_in <= 0:
            log.error("no wechat token: the answer has none")
            raise WeChatUnavailable(None)
        return FetchedToken(token, expires_in)

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str | None] | None = None,
        token: str | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """One request, one JSON object with errcode 0 or none. Raises _CallFailed for everything else.

        Raised `from None` throughout: texts of requests' errors quote the URL, and with it secret and token.
        """
        kwargs: dict[str, Any] = {"params": params or {"access_token": token}, "api_base_url": self._base}
        # WeChat's API never redirects, and whoever does must not be handed the secret.
        kwargs["allow_redirects"] = False
        if body is not None:
            # A lone surrogate in a text must not end in UnicodeEncodeError.
            kwargs["data"] = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
            kwargs["headers"] = {"Content-Type": "application/json"}
        call = self._http.get if method == "get" else self._http.post
        with observed.call("wechat", path.rpartition("/")[2]) as made:
            answer = self._answer(call, path, kwargs, made)
        if not isinstance(answer, dict):
            # HTML with HTTP 200 comes back from wechatpy as a Response, without any exception.
            raise _CallFailed(None, sent=True, why=f"{path}: no JSON object")
        return answer

    @staticmethod
    def _answer(call: Callable[..., Any], path: str, kwargs: dict[str, Any], made: observed.Call) -> Any:
        try:
            answer = call(path, **kwargs)
        except WeChatException as e:
            made.outcome = observed.REFUSED
            # errcode None is wechatpy's word for HTTP 400 and above.
            status = getattr(getattr(e, "response", None), "status_code", None)
            if e.errcode is None:
                refused_by_http = status is not None and status < 500
                raise _CallFailed(None, sent=not refused_by_http, why=f"{path}: HTTP {status}") from None
            raise _CallFailed(e.errcode, sent=False, why=f"{path}: errcode {e.errcode}") from None
        except requests.RequestException as e:
            raise _CallFailed(None, sent=_may_be_sent(e), why=f"{path}: {type(e).__name__}") from None
        except (ValueError, TypeError, OverflowError):
            raise _CallFailed(None, sent=True, why=f"{path}: errcode is no number") from None
        if isinstance(answer, dict):
            made.outcome = observed.OK
        return answer


def _outcome(failed: _CallFailed) -> Outcome:
    if failed.errcode is None:
        return Outcome.UNKNOWN if failed.sent else Outcome.THROTTLED
    if failed.errcode in SEND_LATER:
        return Outcome.THROTTLED
    if failed.errcode != 43101:
        # 43101 (refused, or the credit used up) is daily bread; the others mean a template or page is wrong.
        log.warning("wechat refused a subscribe message: errcode %s", failed.errcode)
    return Outcome.REFUSED


def _may_be_sent(error: requests.RequestException) -> bool:
    """False only when no connection came about, so that WeChat can't have read anything."""
    if isinstance(error, requests.ConnectTimeout):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(reason, urllib3_errors.NewConnectionError | urllib3_errors.ProxyError)


def _pieces(content: str) -> Iterator[str]:
    if not content.strip():
        return
    yield content[:PIECE]
    at = PIECE
    while at < len(content):
        start = at - OVERLAP
        yield content[start : start + PIECE]
        at = start + PIECE


def _text_verdict(answer: Mapping[str, Any]) -> TextVerdict:
    result = answer.get("result")
    try:
        result = dict(result or {})
        return TextVerdict(Suggest(result["suggest"]), int(result["label"]), str(answer.get("trace_id", "")))
    except (KeyError, TypeError, ValueError):
        # No verdict is not a good verdict.
        raise WeChatUnavailable(None) from None
