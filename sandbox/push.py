"""Sends events to the software the way WeChat's message push does: safe mode, JSON, up to three tries."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import secrets
import threading
import time
from typing import Any

import requests
from wechatpy.crypto import PrpCrypto

from sandbox.config import Config
from sandbox.state import State

log = logging.getLogger(__name__)

ORIGINAL_ID = "gh_5a6d2b9c0e1f"


class Pusher:
    """Delivers events.

    The sealing is wechatpy's, so that the software's own opening is tested against another hand.
    """

    def __init__(self, config: Config, state: State) -> None:
        self._config = config
        self._state = state

    def seal(self, message: dict[str, Any]) -> tuple[dict[str, str], bytes]:
        """Query and body of one delivery, sealed and signed for this moment."""
        key = base64.b64decode(self._config.push_aes_key + "=")
        clear = json.dumps(message, ensure_ascii=False)
        sealed = PrpCrypto(key).encrypt(clear, self._config.appid)
        sealed = sealed.decode() if isinstance(sealed, bytes) else sealed
        timestamp, nonce = str(int(self._state.now())), str(secrets.randbelow(10**9))
        query = {
            "signature": self._sign(timestamp, nonce),
            "timestamp": timestamp,
            "nonce": nonce,
            "openid": str(message["FromUserName"]),
            "encrypt_type": "aes",
            "msg_signature": self._sign(timestamp, nonce, sealed),
        }
        body = json.dumps({"ToUserName": message["ToUserName"], "Encrypt": sealed}).encode()
        return query, body

    def event(self, name: str, openid: str, **fields: Any) -> dict[str, Any]:
        """An event message as WeChat frames it."""
        return {
            "ToUserName": ORIGINAL_ID,
            "FromUserName": openid,
            "CreateTime": int(self._state.now()),
            "MsgType": "event",
            "Event": name,
            **fields,
        }

    def send(self, message: dict[str, Any]) -> bool:
        """Deliver once and say whether it was taken; what was not is repeated in the background."""
        if not self._state.push_url:
            return False
        if self._try(message):
            self._note(message, 1, True)
            return True
        threading.Thread(target=self._repeat, args=(message,), daemon=True).start()
        return False

    def _repeat(self, message: dict[str, Any]) -> None:
        for number in range(2, self._config.push_tries + 1):
            time.sleep(self._config.push_gap_s)
            if self._try(message):
                self._note(message, number, True)
                return
        self._note(message, self._config.push_tries, False)

    def _try(self, message: dict[str, Any]) -> bool:
        url = self._state.push_url
        if not url:
            return False
        query, body = self.seal(message)
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(
                    url,
                    params=query,
                    data=body,
                    headers={"Content-Type": "application/json"},
                    timeout=self._config.push_timeout_s,
                )
        except requests.RequestException as e:
            log.info("push of %s was not taken: %s", message["Event"], type(e).__name__)
            return False
        taken = answer.status_code == 200 and answer.text.strip() in {"", "success"}
        if not taken:
            log.info("push of %s was not taken: HTTP %s", message["Event"], answer.status_code)
        return taken

    def _note(self, message: dict[str, Any], tries: int, answered: bool) -> None:
        self._state.note_push(
            event=message["Event"], openid=message["FromUserName"], tries=tries, answered=answered
        )

    def _sign(self, *parts: str) -> str:
        joined = "".join(sorted([self._config.push_token, *parts]))
        return hashlib.sha1(joined.encode()).hexdigest()  # noqa: S324 - WeChat's scheme
