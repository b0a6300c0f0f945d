"""Opens what WeChat's message push sends: proves the sender first, then decrypts, then reads.

Only safe mode is accepted. In plain mode WeChat's signature doesn't cover the body, and in compatible mode
the clear fields beside `Encrypt` aren't covered either (WeChat, 消息推送).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.adapters.wechat import PushRejected, Suggest

# A push is a few hundred bytes; WeChat documents no limit. Anything near this size is not WeChat.
MAX_BODY = 256 * 1024
MAX_DEPTH = 12
_PAD_BLOCK = 32  # WeChat pads to 32 bytes although the AES block has 16


@dataclass(frozen=True, slots=True)
class PushMessage:
    """One message push, opened. `fields` is the whole clear message; `List` and `detail` in it are lists.

    `dedup_key` is the same for every delivery of the same happening: WeChat repeats a push up to three times,
    and whoever captured one could repeat it within five minutes. The caller acts once per key.
    """

    event: str | None
    msg_type: str
    openid: str = field(repr=False)
    created_at: int
    fields: dict[str, Any] = field(repr=False)
    dedup_key: str


@dataclass(frozen=True, slots=True)
class MediaVerdict:
    """What WeChat found out about a picture.

    `suggest` is None when it couldn't judge; `errcode` then says why (-1008: it could not download it).
    """

    trace_id: str
    suggest: Suggest | None
    label: int | None
    errcode: int


@dataclass(frozen=True, slots=True)
class SubscribeChoice:
    """What a person chose for one template in the popup or in the settings page."""

    template_id: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class SendFailure:
    """A subscribe message that WeChat took and then didn't deliver."""

    template_id: str
    errcode: int


class Push:
    """The door of the message push. `aes_key` is the EncodingAESKey of 43 characters.

    Raises ValueError for a key that is none. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        token: str,
        aes_key: str,
        appid: str,
        *,
        clock: Callable[[], float] = time.time,
        tolerance_s: int = 300,
    ) -> None:
        try:
            key = base64.b64decode(aes_key + "=", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            raise ValueError("the message push key needs 43 characters of base64")
        self._key = key
        self._token = token
        self._appid = appid.encode()
        self._clock = clock
        self._tolerance_s = tolerance_s

    def echo(self, args: Mapping[str, str]) -> str:
        """The text to answer WeChat's GET check of the address with, as text/plain. Raises PushRejected."""
        timestamp, nonce = self._fresh(args)
        self._prove(args, "signature", timestamp, nonce)
        return _arg(args, "echostr")

    def open(self, args: Mapping[str, str], body: bytes) -> PushMessage:
        """The message in a POST. Raises PushRejected for everything that is not a push of WeChat to us."""
        timestamp, nonce = self._fresh(args)
        if len(body) > MAX_BODY:
            raise PushRejected("body too large")
        sealed = _read(body).get("Encrypt")
        if not isinstance(sealed, str) or not sealed:
            raise PushRejected("not in safe mode")
        self._prove(args, "msg_signature", timestamp, nonce, sealed)
        return _message(_read(self._decrypt(sealed)))

    def _fresh(self, args: Mapping[str, str]) -> tuple[str, str]:
        timestamp, nonce = _arg(args, "timestamp"), _arg(args, "nonce")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            raise PushRejected("timestamp is no number")
        if abs(self._clock() - int(timestamp)) > self._tolerance_s:
            raise PushRejected("stale")
        return timestamp, nonce

    def _prove(self, args: Mapping[str, str], name: str, *signed: str) -> None:
        expected = signature(self._token, *signed)
        # Bytes, because compare_digest raises on text beyond ASCII.
        if not hmac.compare_digest(expected.encode(), _arg(args, name).encode("utf-8", "replace")):
            raise PushRejected(f"wrong {name}")

    def _decrypt(self, sealed: str) -> bytes:
        try:
            raw = base64.b64decode(sealed, validate=True)
        except (binascii.Error, ValueError):
            raise PushRejected("not base64") from None
        if not raw or len(raw) % 16:
            raise PushRejected("not whole blocks")
        decryptor = Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16])).decryptor()
        padded = decryptor.update(raw) + decryptor.finalize()
        pad = padded[-1]
        if not 1 <= pad <= _PAD_BLOCK or len(padded) < pad or padded[-pad:] != bytes([pad]) * pad:
            raise PushRejected("wrong padding")
        clear = padded[:-pad]
        # 16 random bytes, 4 bytes length (big endian), the message, and whom it is for.
        if len(clear) < 20:
            raise PushRejected("too short")
        end = 20 + int.from_bytes(clear[16:20], "big")
        if end > len(clear):
            raise PushRejected("wrong length")
        if not hmac.compare_digest(clear[end:], self._appid):
            raise PushRejected("for another appid")
        return clear[20:end]


def signature(token: str, *signed: str) -> str:
    """WeChat's push signature: SHA-1 in hex over the sorted, joined texts."""
    joined = "".join(sorted([token, *signed]))
    return hashlib.sha1(joined.encode("utf-8", "replace")).hexdigest()  # noqa: S324 - WeChat's scheme


def media_verdict(message: PushMessage) -> MediaVerdict:
    """The verdict in a `wxa_media_check` event, of version 2 or of the old form. Raises PushRejected."""
    fields = message.fields
    trace_id = fields.get("trace_id")
    if message.event != "wxa_media_check" or not isinstance(trace_id, str) or not trace_id:
        raise PushRejected("no media verdict")
    result = fields.get("result")
    if isinstance(result, dict) and result.get("suggest") in list(Suggest):
        errcode = _int(fields.get("errcode")) or 0
        if errcode == 0:
            return MediaVerdict(trace_id, Suggest(result["suggest"]), _int(result.get("label")), 0)
        return MediaVerdict(trace_id, None, None, errcode)
    if "isrisky" in fields:
        # The old form has one yes or no; status_code is 0 unless the download failed.
        failed = _int(fields.get("status_code")) or 0
        if failed:
            return MediaVerdict(trace_id, None, None, failed)
        risky = _int(fields["isrisky"]) == 1
        return MediaVerdict(trace_id, Suggest.RISKY if risky else Suggest.PASS, None, 0)
    return MediaVerdict(trace_id, None, None, _int(fields.get("errcode")) or -1)


def subscribe_choices(message: PushMessage) -> list[SubscribeChoice]:
    """The choices in a `subscribe_msg_popup_event` or `_change_event`; other events have none."""
    if message.event not in {"subscribe_msg_popup_event", "subscribe_msg_change_event"}:
        return []
    return [
        SubscribeChoice(row["TemplateId"], row.get("SubscribeStatusString") == "accept")
        for row in message.fields.get("List", [])
        if isinstance(row, dict) and isinstance(row.get("TemplateId"), str)
    ]


def send_failures(message: PushMessage) -> list[SendFailure]:
    """What a `subscribe_msg_sent_event` says was not delivered after all; other events, and successes, are none."""
    if message.event != "subscribe_msg_sent_event":
        return []
    told = [
        (row["TemplateId"], _int(row.get("ErrorCode")), row.get("ErrorStatus"))
        for row in message.fields.get("List", [])
        if isinstance(row, dict) and isinstance(row.get("TemplateId"), str)
    ]
    return [
        SendFailure(name, -1 if code is None else code)
        for name, code, word in told
        if code or (code is None and word != "success")
    ]


def _arg(args: Mapping[str, str], name: str) -> str:
    value = args.get(name)
    if not isinstance(value, str) or not value or len(value) > 512:
        raise PushRejected(f"no {name}")
    return value


def _message(fields: dict[str, Any]) -> PushMessage:
    openid, msg_type = fields.get("FromUserName"), fields.get("MsgType")
    created_at = _int(fields.get("CreateTime"))
    if not isinstance(openid, str) or not isinstance(msg_type, str) or created_at is None:
        raise PushRejected("no sender, type or time in the message")
    event = fields.get("Event")
    if event is not None and not isinstance(event, str):
        raise PushRejected("event is no text")
    # XML nests the list one level deeper, under a name of its own for each event.
    for wrapper in ("SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent"):
        inner = fields.get(wrapper)
        if isinstance(inner, dict) and "List" in inner:
            fields.setdefault("List", inner["List"])
    for name in ("List", "detail"):
        # WeChat sends an object when there is one, an array when there are several.
        if name in fields:
            fields[name] = [row for row in _listed(fields[name]) if row not in (None, "")]
    return PushMessage(
        event, msg_type, openid, created_at, fields, _dedup_key(fields, openid, created_at, event)
    )


def _dedup_key(fields: dict[str, Any], openid: str, created_at: int, event: str | None) -> str:
    # Events have no id; WeChat advises sender and time. That alone would drop one of two verdicts, or of two
    # templates, of the same second, so what tells those apart is part of the key. Messages have a MsgId.
    if fields.get("MsgId") not in (None, ""):
        parts = ["message", openid, str(fields["MsgId"])]
    else:
        rows = [
            [str(row.get(name, "")) for name in ("TemplateId", "SubscribeStatusString", "MsgID")]
            for row in fields.get("List", [])
            if isinstance(row, dict)
        ]
        parts = [
            "event",
            openid,
            str(created_at),
            event or "",
            str(fields.get("trace_id", "")),
            *map(str, sorted(rows)),
        ]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()


def _read(raw: bytes) -> dict[str, Any]:
    """A JSON object or the children of an XML root, whichever the bytes are. Raises PushRejected."""
    try:
        text = raw.decode("utf-8").strip()
        if text.startswith("<"):
            value: Any = _children(fromstring(text, forbid_dtd=True), MAX_DEPTH)
        else:
            value = json.loads(text)
    except (ValueError, ParseError, DefusedXmlException, RecursionError):
        raise PushRejected("neither JSON nor XML") from None
    if not isinstance(value, dict):
        raise PushRejected("no object")
    return value


def _children(element: Element, depth: int) -> Any:
    if depth == 0:
        raise ValueError("nested too deep")
    if len(element) == 0:
        return (element.text or "").strip()
    found: dict[str, Any] = {}
    for child in element:
        value = _children(child, depth - 1)
        if child.tag in found:
            found[child.tag] = [*_listed(found[child.tag]), value]
        else:
            found[child.tag] = value
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _int(value: Any) -> int | None:
    """WeChat writes the same number as number or text; anything else is None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and len(value) <= 18:
        try:
            return int(value)
        except ValueError:
            return None
    return None
