"""`make bench NAME=sms-failover`: two providers, of which the first becomes slow, and then both do.

Not simulated: the sandbox's gateways, real calls, the pipeline's own pace with its state in Redis. No database: what is
chosen for each call is what is measured. Scenario 1: the heavier one takes 3 s a call from t = 20 s to t = 50 s.
Scenario 2: from t = 10 s on both take 3 s.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import requests

from app import queue
from app.adapters.sms import Batch, Message, Sms, Template
from app.adapters.sms.aliyun import AliyunSms
from app.adapters.sms.tencent import TencentSms
from app.messaging import failover
from bench.harness import Report, Target
from bench.sms import IN_FLIGHT, KEYS
from sandbox.sms.config import SmsConfig
from sandbox.sms.server import running
from tools import servers
from workers.pace import Pace

WEIGHTS = {"aliyun": 70.0, "tencent": 30.0}
SLOW_S, FAST_MS, SLOW_MS = 2.0, 50, 3000
Plan = Sequence[tuple[float, dict[str, int]]]  # from that second on, so many ms a call


class Made(NamedTuple):
    """A call: when it was begun, by whom, and who was to get most of them then."""

    at: float
    provider: str
    leader: str


def drive(url: str, vendors: dict[str, Sms], plan: Plan, seconds: float) -> list[Made]:
    """Keep the calls going for so long while the gateways change as planned."""
    queue.redis().flushall()
    pace, made, began = Pace(slow_ms=SLOW_S * 1000), list[Made](), time.monotonic()
    numbers = iter(range(10**9))
    lock = threading.Lock()

    def keep_calling() -> None:
        while (at := time.monotonic() - began) < seconds:
            provider = pace.choose(WEIGHTS)
            shares = failover.shares_of(WEIGHTS, pace.standings())
            with lock:
                number = next(numbers)
                made.append(Made(at, provider, max(shares, key=lambda name: shares[name])))
            call = pace.begin(provider)
            message = Message(f"137{number % 10**8:08}", ("业主",))
            sent = vendors[provider].send(
                Batch(f"b{number}", Template("SMS_1", "社区", ("name",)), (message,))
            )
            pace.end(call, failed=sent[0].fault in {"vendor", "account"})

    def change() -> None:
        for at, latency in plan:
            time.sleep(max(0.0, began + at - time.monotonic()))
            told = {vendor: {"latency_ms": ms} for vendor, ms in latency.items()}
            requests.post(f"{url}_sandbox/sms/scenario", json=told, timeout=10).raise_for_status()

    planner = threading.Thread(target=change)
    planner.start()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for future in [pool.submit(keep_calling) for _ in range(IN_FLIGHT)]:
            future.result()
    planner.join()
    return made


def share(made: Sequence[Made], provider: str, since: float, until: float) -> float:
    """Of the calls begun between these seconds, those of one provider."""
    taken = [m.provider for m in made if since <= m.at < until]
    return taken.count(provider) / len(taken) if taken else float("nan")


def first_second(made: Sequence[Made], since: float, until: float, holds: Callable[[float], bool]) -> float:
    """Seconds after `since` from which on, for 3 s, the first provider's share is as wanted; NaN: never."""
    for second in range(int(until - since) - 2):
        if all(holds(share(made, "aliyun", since + second + n, since + second + n + 1)) for n in range(3)):
            return float(second)
    return float("nan")


def switches(made: Sequence[Made]) -> int:
    """How often the larger share of all calls went over to another provider."""
    return sum(one.leader != other.leader for one, other in pairwise(made))


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--end", type=float, default=120.0, help="of the first scenario, seconds")
    asked = parser.parse_args()
    config = SmsConfig.from_env(KEYS)
    with servers.valkey() as valkey, running(config) as (url, _):
        queue.configure(valkey.url)
        vendors: dict[str, Sms] = {
            "aliyun": AliyunSms(
                endpoint=url, key_id=config.aliyun_key_id, key_secret=config.aliyun_key_secret
            ),
            "tencent": TencentSms(
                endpoint=url,
                secret_id=config.tencent_secret_id,
                secret_key=config.tencent_secret_key,
                app_id=config.tencent_app_id,
            ),
        }
        fast = {"aliyun": FAST_MS, "tencent": FAST_MS}
        one = drive(
            url, vendors, [(0, fast), (20, {"aliyun": SLOW_MS}), (50, {"aliyun": FAST_MS})], asked.end
        )
        both = drive(url, vendors, [(0, fast), (10, {"aliyun": SLOW_MS, "tencent": SLOW_MS})], 90)
    report = Report("sms_failover")
    report.figure("usual_share", share(one, "aliyun", 0, 20))
    report.figure("away_share", share(one, "tencent", 30, 50), Target(">=", 0.95))
    report.figure("away_after_s", first_second(one, 20, 50, lambda part: part <= 0.05), Target("<=", 10))
    report.figure(
        "back_after_s", first_second(one, 50, asked.end, lambda part: part >= 0.6), Target("<=", 60)
    )
    report.figure("switches_both_slow", switches(both), Target("<=", 1))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
