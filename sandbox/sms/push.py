"""Receipts and replies on their way to the software: late, in any order, twice, or never, as the scenario says."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter

from sandbox.sms.ledger import Entry, wall
from sandbox.sms.scenario import Receipts

log = logging.getLogger(__name__)

EVERY_S = 0.05
_SET_S = 5.0  # a clock that differs by so much from one look to the next was set
AT_ONCE = 8
# Alibaba waits 700 ms; Tencent doesn't say.
PATIENCE_S = {"aliyun": 0.7, "tencent": 3.0}


class Pusher:
    """Keeps what is due and posts it from threads of its own."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._heap: list[tuple[float, int, str, Any]] = []
        self._order = itertools.count()
        self._rules: dict[str, Receipts] = {}
        self._random = random.Random()
        self._stopped = threading.Event()
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.mount("http://", HTTPAdapter(pool_maxsize=AT_ONCE))
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="push")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.pushed: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to push."""
        self._thread.start()

    def stop(self) -> None:
        """Push no more; what is left is lost."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(cancel_futures=True)
        self._http.close()

    def reset(self) -> None:
        """Forget what is due."""
        with self._lock:
            self._heap.clear()
            self.pushed.clear()

    def behave(self, vendor: str, rules: Receipts) -> None:
        """How a vendor's pushes go from now on."""
        self._rules[vendor] = rules

    def waiting(self) -> int:
        """How many receipts, replies and repeats are still to go out."""
        with self._lock:
            return len(self._heap)

    def receipts(self, vendor: str, entries: Iterable[Entry]) -> None:
        """Promise a receipt for each, or none, or two."""
        rules = self._rules[vendor]
        if rules.url is None:
            return
        with self._lock:
            for entry in entries:
                if rules.loss and self._random.random() < rules.loss:
                    self.pushed["lost"] += 1
                    continue
                self._put(entry.due, "receipt", entry)
                if rules.duplicates and self._random.random() < rules.duplicates:
                    self._put(entry.due + self._random.uniform(0, 2), "receipt", entry)

    def reply(self, vendor: str, phone: str, text: str, *, at: float) -> None:
        """Somebody answers."""
        with self._lock:
            self._put(at, "reply", (vendor, phone, text))

    def _put(self, due: float, kind: str, what: Any) -> None:
        heapq.heappush(self._heap, (due, next(self._order), kind, what))

    def _run(self) -> None:
        ran_ahead = self._clock() - time.monotonic()
        while not self._stopped.wait(EVERY_S):
            receipts: dict[str, list[Entry]] = {}
            now = self._clock()
            jumped = now - time.monotonic() - ran_ahead
            with self._lock:
                if abs(jumped) > _SET_S:
                    # Somebody set the clock: what was to come in two seconds still does.
                    self._heap = [(due + jumped, *what) for due, *what in self._heap]
                    ran_ahead += jumped
                while self._heap and self._heap[0][0] <= now:
                    due, _, kind, what = heapq.heappop(self._heap)
                    if kind == "receipt":
                        receipts.setdefault(what.vendor, []).append(what)
                    elif kind == "reply":
                        self._pool.submit(self._post_reply, due, *what)
                    else:
                        self._pool.submit(self._post, *what)
            for vendor, entries in receipts.items():
                self._post_receipts(vendor, entries)

    def _post_receipts(self, vendor: str, entries: list[Entry]) -> None:
        rules = self._rules[vendor]
        if rules.url is None:
            return
        if rules.shuffle:
            self._random.shuffle(entries)
        size = rules.batch or len(entries)
        write = _aliyun_receipt if vendor == "aliyun" else _tencent_receipt
        for start in range(0, len(entries), size):
            told = [write(entry, rules) for entry in entries[start : start + size]]
            self._pool.submit(self._post, vendor, rules.url, orjson.dumps(told), "receipts", 0)

    def _post_reply(self, due: float, vendor: str, phone: str, text: str) -> None:
        url = self._rules[vendor].replies_url
        if url is None:
            return
        told: Any
        if vendor == "aliyun":
            number = str(int(due * 1000))
            told = [
                {
                    "phone_number": phone,
                    "content": text,
                    "send_time": wall(due),
                    "dest_code": "10690000",
                    "sequence_id": number,
                }
            ]
        else:
            told = {
                "extend": "",
                "mobile": phone,
                "nationcode": "86",
                "sign": "",
                "text": text,
                "time": int(due),
            }
        self._post(vendor, url, orjson.dumps(told), "replies", 0)

    def _post(self, vendor: str, url: str, body: bytes, kind: str, tries: int) -> None:
        """Post once; what isn't taken comes again after the pauses of the scenario, and then no more."""
        taken = False
        try:
            answer = self._http.post(
                url, data=body, headers={"Content-Type": "application/json"}, timeout=PATIENCE_S[vendor]
            )
            taken = answer.status_code == 200 and _is_acknowledged(vendor, answer.content)
        except requests.RequestException as e:
            log.info("a push of %s was not taken: %s", kind, type(e).__name__)
        pauses = self._rules[vendor].retry_s
        with self._lock:
            self.pushed[f"{kind} {'taken' if taken else 'not taken'}"] += 1
            if not taken and tries < len(pauses):
                again = (vendor, url, body, kind, tries + 1)
                self._put(self._clock() + pauses[tries], "again", again)


def _is_acknowledged(vendor: str, content: bytes) -> bool:
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(told, dict):
        return False
    # Alibaba only looks whether `code` is a number.
    return isinstance(told.get("code"), int) if vendor == "aliyun" else told.get("result") == 0


def _aliyun_receipt(entry: Entry, _: Receipts) -> dict[str, Any]:
    ok = entry.error is None
    told: dict[str, Any] = {
        "phone_number": entry.phone,
        "send_time": wall(entry.at),
        "report_time": wall(entry.due),
        "success": ok,
        "err_code": "DELIVERED" if ok else entry.error,
        "err_msg": "用户接收成功" if ok else "失败",
        "sms_size": str(entry.segments),
        "biz_id": entry.vendor_id,
    }
    return told | ({"out_id": entry.out_id} if entry.out_id else {})


def _tencent_receipt(entry: Entry, rules: Receipts) -> dict[str, Any]:
    ok = entry.error is None
    told = {
        "user_receive_time": wall(entry.due),
        "nationcode": "86",
        "mobile": entry.phone,
        "report_status": "SUCCESS" if ok else "FAIL",
        "errmsg": "DELIVRD" if ok else str(entry.error),
        "description": "用户短信送达成功" if ok else "用户短信送达失败",
        "sid": entry.vendor_id,
    }
    return told | ({"ext": entry.out_id} if rules.with_context else {})
