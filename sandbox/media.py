"""The slow half of the picture check: download it, judge it, push the verdict."""

from __future__ import annotations

import hashlib
import logging
import threading

import requests

from sandbox.config import Config
from sandbox.push import Pusher
from sandbox.state import State

log = logging.getLogger(__name__)

MAX_BYTES = 10 * 1024 * 1024
# JPEG, PNG, GIF and BMP are what WeChat judges; it says nothing of WebP or HEIC.
_JUDGEABLE = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
_AT_ONCE = threading.BoundedSemaphore(4)


class MediaChecks:
    """Runs checks in the background, four at a time."""

    def __init__(self, config: Config, state: State, pusher: Pusher) -> None:
        self._config = config
        self._state = state
        self._pusher = pusher

    def start(self, *, trace_id: str, openid: str, url: str) -> None:
        """Begin one check; its verdict goes out as a push."""
        threading.Thread(target=self._run, args=(trace_id, openid, url), daemon=True).start()

    def _run(self, trace_id: str, openid: str, url: str) -> None:
        with _AT_ONCE:
            raw = _download(url)
        sha256 = hashlib.sha256(raw).hexdigest() if raw is not None else None
        ordered = self._state.take_verdict(sha256 or "*")
        suggest = ordered["suggest"] if ordered else "pass"
        label = ordered["label"] if ordered else 100
        delay_s = self._config.media_delay_s
        if ordered and ordered["delay_s"] is not None:
            delay_s = ordered["delay_s"]
        self._state.hold(delay_s)
        errcode = 0 if raw is not None else -1008
        self._state.judge_media(
            trace_id, sha256=sha256, suggest=suggest if raw is not None else None, errcode=errcode
        )
        if suggest == "none":
            return  # told to stay silent, as WeChat sometimes does
        message = self._pusher.event(
            "wxa_media_check", openid, appid=self._config.appid, trace_id=trace_id, version=2
        )
        if raw is None:
            message |= {"detail": [], "errcode": errcode, "errmsg": "download failed"}
        else:
            # The label is a text in what developers really receive, though a number in the documentation.
            finding = {
                "strategy": "content_model",
                "errcode": 0,
                "suggest": suggest,
                "label": str(label),
                "prob": 90,
            }
            message |= {
                "errcode": 0,
                "errmsg": "ok",
                "result": {"suggest": suggest, "label": str(label)},
                "detail": [finding],
            }
        self._pusher.send(message)


def _download(url: str) -> bytes | None:
    """The picture's bytes, or None for whatever WeChat would call -1008."""
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(url, timeout=10, stream=True) as answer:
                if answer.status_code != 200:
                    log.info("picture not downloaded: HTTP %s", answer.status_code)
                    return None
                raw = bytearray()
                for chunk in answer.iter_content(65536):
                    raw += chunk
                    if len(raw) > MAX_BYTES:
                        return None
    except (requests.RequestException, ValueError) as e:
        log.info("picture not downloaded: %s", type(e).__name__)
        return None
    return bytes(raw) if bytes(raw[:8]).startswith(_JUDGEABLE) else None
