"""Whether a request was signed by the account's owner, just now, and for the first time. The gateway's own reading of
the vendors' pages; it shares nothing with the software's.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from sandbox.sms.http import Request

ALIYUN_WINDOW_S, TENCENT_WINDOW_S = 15 * 60, 5 * 60
_ACS3 = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([a-z0-9;-]+),Signature=([0-9a-f]{64})"
)
_TC3 = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/,]+)/(\d{4}-\d\d-\d\d)/sms/tc3_request, "
    r"SignedHeaders=content-type;host, Signature=([0-9a-f]{64})"
)


class NotSigned(Exception):
    """The request isn't let in; `code` is the vendor's word for it, `status` the HTTP status it comes with."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


class Nonces:
    """Nonces of the last quarter of an hour."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, float] = OrderedDict()

    def use(self, nonce: str, now: float) -> bool:
        """Whether it is new."""
        while self._seen and next(iter(self._seen.values())) < now - 2 * ALIYUN_WINDOW_S:
            self._seen.popitem(last=False)
        if nonce in self._seen:
            return False
        self._seen[nonce] = now
        return True


def check_acs3(
    request: Request,
    query: Sequence[tuple[str, str]],
    *,
    key_id: str,
    secret: str,
    now: float,
    nonces: Nonces,
) -> None:
    """ACS3-HMAC-SHA256. Raises NotSigned."""
    said = _ACS3.fullmatch(request.headers.get("authorization", ""))
    if said is None:
        raise NotSigned("IncompleteSignature")
    if said.group(1) != key_id:
        raise NotSigned("InvalidAccessKeyId.NotFound", 404)
    names = said.group(2).split(";")
    needed = {n for n in request.headers if n.startswith("x-acs-")} | {"host"}
    if request.headers.get("content-type"):
        needed.add("content-type")
    if not needed <= set(names) or names != sorted(names):
        raise NotSigned("IncompleteSignature")
    try:
        at = datetime.strptime(request.headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        nonce, digest = request.headers["x-acs-signature-nonce"], request.headers["x-acs-content-sha256"]
        signed_headers = [f"{name}:{request.headers[name].strip()}" for name in names]
    except KeyError as e:
        raise NotSigned("IncompleteSignature") from e
    except ValueError as e:
        raise NotSigned("InvalidTimeStamp.Format") from e
    if abs(at.timestamp() - now) > ALIYUN_WINDOW_S:
        raise NotSigned("InvalidTimeStamp.Expired")
    if digest != hashlib.sha256(request.body).hexdigest():
        raise NotSigned("SignatureDoesNotMatch")
    pairs = sorted((quote(k, safe="~"), quote(v, safe="~")) for k, v in query)
    encoded = [f"{name}={value}" for name, value in pairs]
    canonical = "\n".join(
        [request.method, request.path, "&".join(encoded), *signed_headers, "", said.group(2), digest]
    )
    wanted = _hmac(secret.encode(), f"ACS3-HMAC-SHA256\n{_sha256(canonical)}").hex()
    if not hmac.compare_digest(wanted, said.group(3)):
        raise NotSigned("SignatureDoesNotMatch")
    if not nonces.use(nonce, now):
        raise NotSigned("SignatureNonceUsed")


def check_tc3(request: Request, *, secret_id: str, secret: str, now: float) -> None:
    """TC3-HMAC-SHA256. Raises NotSigned. It has no nonce: within five minutes the real one takes a request again."""
    said = _TC3.fullmatch(request.headers.get("authorization", ""))
    stamp = request.headers.get("x-tc-timestamp", "")
    if said is None or not re.fullmatch(r"\d{1,12}", stamp):
        raise NotSigned("AuthFailure.SignatureFailure")
    if said.group(1) != secret_id:
        raise NotSigned("AuthFailure.SecretIdNotFound")
    day = time.strftime("%Y-%m-%d", time.gmtime(int(stamp)))
    if abs(int(stamp) - now) > TENCENT_WINDOW_S or day != said.group(2):
        raise NotSigned("AuthFailure.SignatureExpire")
    headers = (
        f"content-type:{request.headers.get('content-type', '')}\nhost:{request.headers.get('host', '')}\n"
    )
    canonical = f"POST\n/\n\n{headers}\ncontent-type;host\n{hashlib.sha256(request.body).hexdigest()}"
    key = f"TC3{secret}".encode()
    for part in (day, "sms", "tc3_request"):
        key = _hmac(key, part)
    wanted = _hmac(key, f"TC3-HMAC-SHA256\n{stamp}\n{day}/sms/tc3_request\n{_sha256(canonical)}").hex()
    if not hmac.compare_digest(wanted, said.group(3)):
        raise NotSigned("AuthFailure.SignatureFailure")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
