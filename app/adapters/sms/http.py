"""One POST to a vendor: pooled, with time-outs, never repeated, and honest about whether it may have arrived."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
import requests
from urllib3 import exceptions as urllib3_errors

from app.adapters import observed
from app.adapters.patience import PatientAdapter

# At DEBUG it writes whole URLs, and Alibaba's carry phone numbers.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Answer(NamedTuple):
    """What the vendor said; `body` is None when it is no JSON object."""

    status: int
    body: dict[str, Any] | None


class NoAnswer(NamedTuple):
    """No answer at all. `may_have_arrived` False: no connection came about, so nothing was done."""

    may_have_arrived: bool
    why: str


class Endpoint:
    """A vendor's address with a pool of connections; safe to share between threads."""

    def __init__(self, base: str, *, provider: str, connect_s: float, read_s: float, in_flight: int) -> None:
        self._provider = provider
        parts = urlsplit(base)
        if parts.path not in {"", "/"} or parts.query or not parts.hostname:
            raise ValueError("the endpoint must be a scheme and a host alone")
        self._base = f"{parts.scheme}://{parts.netloc}"
        # As http.client writes it, because it is signed: without the port where that is the scheme's own.
        own_port = {"http": 80, "https": 443}.get(parts.scheme)
        self.host = parts.hostname if parts.port in {None, own_port} else f"{parts.hostname}:{parts.port}"
        self._timeout = (connect_s, read_s)
        self._http = requests.Session()
        # Idle connections go round last in, first out; a vendor that closes one is noticed before it is used again.
        pool = PatientAdapter(pool_maxsize=in_flight, max_retries=0)
        self._http.mount("http://", pool)
        self._http.mount("https://", pool)
        # A proxy from the environment has no business between us and a server on this machine.
        self._http.trust_env = parts.hostname not in _LOOPBACK
        # A jar that nothing can be put into is safe to share between threads.
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def post(self, target: str, *, what: str, headers: Mapping[str, str], body: bytes) -> Answer | NoAnswer:
        """Send once. `target` is path and query as they were signed; `what` is the vendor's word for the call."""
        with observed.call(self._provider, what) as made:
            answer = self._post(target, headers, body)
            if isinstance(answer, Answer):
                made.outcome = observed.OK if _is_taken(answer) else observed.REFUSED
        return answer

    def _post(self, target: str, headers: Mapping[str, str], body: bytes) -> Answer | NoAnswer:
        try:
            answer = self._http.post(
                self._base + target,
                data=body,
                headers=dict(headers),
                timeout=self._timeout,
                allow_redirects=False,
            )
        except requests.RequestException as e:
            return NoAnswer(_may_have_arrived(e), f"no answer ({type(e).__name__})")
        try:
            read = orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            read = None
        return Answer(answer.status_code, read if isinstance(read, dict) else None)

    def close(self) -> None:
        """Give the connections back; the endpoint may still be used afterwards."""
        self._http.close()


def _is_taken(answer: Answer) -> bool:
    """Did the vendor take the call? Alibaba says `Code`, Tencent `Response.Error`, both mostly with HTTP 200."""
    said = answer.body or {}
    inner = said.get("Response")
    refused = isinstance(inner, dict) and "Error" in inner
    return answer.status == 200 and said.get("Code", "OK") == "OK" and not refused


def _may_have_arrived(failed: requests.RequestException) -> bool:
    """False only when no connection came about, so that nobody can have read anything."""
    if isinstance(failed, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return False
    reason = failed.args[0] if failed.args else None
    reason = getattr(reason, "reason", reason)
    if isinstance(reason, urllib3_errors.SSLError):
        # A certificate that isn't theirs ends the greeting; any other trouble of TLS may come while reading the answer.
        return not (reason.args and isinstance(reason.args[0], ssl.SSLCertVerificationError))
    return not isinstance(reason, urllib3_errors.NewConnectionError)
