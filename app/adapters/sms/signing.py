"""The vendors' request signatures, by hand. Checked byte for byte against their SDKs (tests/adapters/test_sms_signing).

ACS3-HMAC-SHA256: help.aliyun.com, "V3 request structure and signature". TC3-HMAC-SHA256: cloud.tencent.com/document/
api/382/52071.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote


def acs3(
    *,
    key_id: str,
    key_secret: str,
    query: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    method: str = "POST",
    path: str = "/",
) -> str:
    """The Authorization header of a call to Alibaba Cloud.

    `headers` are those that are signed, by lower-case name; `x-acs-content-sha256` (hex, of the body) is among them.
    """
    pairs = sorted((_percent(name), _percent(value)) for name, value in query)
    names = sorted(headers)
    signed = ";".join(names)
    canonical = "\n".join(
        [
            method,
            path,
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            signed,
            headers["x-acs-content-sha256"],
        ]
    )
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.new(key_secret.encode(), to_sign.encode(), "sha256").hexdigest()
    return f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={signed},Signature={signature}"


def tc3(
    *,
    secret_id: str,
    secret_key: str,
    service: str,
    host: str,
    timestamp: int,
    body: bytes,
    content_type: str = "application/json",
) -> str:
    """The Authorization header of a POST to Tencent Cloud; `timestamp` is that of X-TC-Timestamp, in seconds."""
    day = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    scope = f"{day}/{service}/tc3_request"
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\ncontent-type:{content_type}\nhost:{host}\n\ncontent-type;host\n{digest}"
    to_sign = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _tc3_key(secret_key, day, service)
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    return (
        f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders=content-type;host, "
        f"Signature={signature}"
    )


@lru_cache(maxsize=8)
def _tc3_key(secret_key: str, day: str, service: str) -> bytes:
    """The key of the day; the same for every call until midnight UTC."""
    key = f"TC3{secret_key}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key


def _percent(text: str) -> str:
    return quote(text, safe="~", errors="replace")
