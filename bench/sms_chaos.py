"""`make bench NAME=sms-chaos`: a campaign while everything it runs on is killed, and nobody is texted twice.

Workers are killed with -9 ten times, Valkey comes back empty twice, PostgreSQL falls once; the gateway throttles, so
that sending lasts, its record lags by up to 20 s, and of its calls 2 % are carried out and never answered. Nobody
helps: supervisor, schedule and sweep are the house's own. It ends by itself, and then the gateway's ledger is counted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import requests

from app import crypto, db
from app.ids import Ref
from app.messaging import campaigns
from bench import harness, sms, sms_town
from bench.harness import Report, Target
from bench.sms import World
from bench.vote_kill import Victim

SECONDS = 95  # of sending, by the gateway's limit
CALLS = 400  # that take all messages, where none is repeated
KILLS, EMPTIED = 10, 2
SETTLE_S = 40
PATIENCE_S = 420
LEASE_S = 25


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipients", type=int, default=harness.scaled(40_000))
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings = {
        "SMS_SETTLE_S": str(SETTLE_S),
        "SMS_TIMEOUT_S": "4",
        "SMS_CONNECT_TIMEOUT_S": "2",
        "LEASE_S": str(LEASE_S),
    }
    with sms.world(**settings) as at:
        estates = sms_town.lay_out(at.dsn, asked.recipients, twice=asked.recipients // 40)
        # Our own pace is no limit: what comes too fast is refused by the gateway, and goes out again.
        at.sql(
            "UPDATE sms_providers SET calls_per_s = 5000, batch_personal = %s WHERE code = 'aliyun'",
            max(1, min(sms.NUMBERS, asked.recipients // CALLS)),
        )
        at.behave(
            latency_ms=[50, 600],
            qps_of={"SendBatchSms": CALLS / SECONDS},
            query_lag_s=[0, 20],
            hang_s=30,
            faults=[{"mode": "timeout", "rate": 0.02, "after": True, "action": "SendBatchSms"}],
        )
        template = sms_town.template()
        workers = Victim([sys.executable, "-m", "workers"], at.environment, at.folder / "workers.log")
        try:
            sms.wait_for_workers(at, 5)
            ref = sms_town.campaign(template, estates)
            with db.transaction():
                campaigns.advance(ref)
            return _report(at, ref, *_havoc(at, ref, workers))
        finally:
            workers.end()


def _havoc(at: World, ref: Ref, workers: Victim) -> tuple[int, int, float]:
    """(kills, kills that left batches under way, seconds until it was over)."""
    began = time.monotonic()
    _wait(at, ref, "state <> 'queued'", lambda count: count > 0)
    step = SECONDS / (KILLS + 1)
    kills = in_flight = emptied = 0
    dead: set[str] = set()
    for number in range(1, KILLS + 1):
        time.sleep(step)
        if number % 5 == 0:
            workers.kill()
        else:
            _kill_senders(workers.process)
        kills += 1
        # What the one that died held when it died; earlier ones' leases may still be running.
        left = [
            (who, count)
            for who, count in at.sql(
                "SELECT leased_by, count(*) FROM sms_batches WHERE campaign_id = %s AND leased_by IS NOT NULL"
                " AND state IN ('queued', 'sending') AND lease_until > now() GROUP BY 1",
                ref.id,
            )
            if who not in dead
        ]
        dead |= {who for who, _ in left}
        in_flight += bool(left)
        print(
            f"killed {kills} of {KILLS} at {time.monotonic() - began:.0f} s,"
            f" {sum(count for _, count in left)} batches under way",
            flush=True,
        )
        if number in {3, 7}:
            at.valkey.kill9()
            at.valkey.start()
            emptied += 1
        if number == 5:
            at.pg.kill9()
            at.pg.start()
    print(f"Valkey came back empty {emptied} times, PostgreSQL fell once", flush=True)
    _wait(at, ref, "state NOT IN ('done', 'cancelled')", lambda count: count == 0)
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        if at.sql("SELECT state FROM campaigns WHERE id = %s", ref.id) == [("finished",)]:
            break
        time.sleep(0.5)
    return kills, in_flight, time.monotonic() - began


def _kill_senders(supervisor: subprocess.Popen[bytes]) -> None:
    """The worker of the queue `sms` and the process in which its job runs, both at once."""
    give_up_at = time.monotonic() + 60
    while not (found := [pid for pid in harness.tree_of(supervisor.pid) if _name_of(pid) == "jiayuan-sms"]):
        if time.monotonic() > give_up_at:
            raise RuntimeError("the worker of text messages isn't there")
        time.sleep(0.1)
    for pid in {one for worker in found for one in harness.tree_of(worker)}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _counted(at: World, ref: Ref, where: str) -> int:
    found = at.sql(f"SELECT count(*) FROM sms_batches WHERE campaign_id = %s AND {where}", ref.id)
    return int(found[0][0])


def _wait(at: World, ref: Ref, where: str, enough: Callable[[int], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while not enough(_counted(at, ref, where)):
        if time.monotonic() > give_up_at:
            states = at.sql(
                "SELECT state, code, count(*) FROM sms_batches WHERE campaign_id = %s GROUP BY 1, 2", ref.id
            )
            print(f"it didn't end by itself: {states}", flush=True)
            return
        time.sleep(0.5)


def _states(at: World, ref: Ref) -> dict[str, str]:
    """Number → our state of its message."""
    rows = at.sql("SELECT id, phone_sealed, state FROM sms_messages WHERE campaign_id = %s", ref.id)
    keys = crypto.keys()
    return {keys.decrypt(sealed, f"sms_phone:{id_}").decode(): str(state) for id_, sealed, state in rows}


def _report(at: World, ref: Ref, kills: int, in_flight: int, seconds: float) -> int:
    ours, theirs = _states(at, ref), Counter(at.counts())
    wrong = sum((state in {"accepted", "delivered"}) != (theirs[phone] > 0) for phone, state in ours.items())
    sent = requests.get(f"{at.url}_sandbox/sms/calls", timeout=30).json()["calls"]["aliyun"]
    report = Report("sms_chaos")
    report.figure("messages", len(ours))
    report.figure("lost", sum(theirs[phone] == 0 for phone in ours), Target("=", 0))
    report.figure("duplicates", sum(n - 1 for n in theirs.values()), Target("=", 0))
    report.figure("unsettled", sum(state == "unknown" for state in ours.values()), Target("=", 0))
    report.figure("states_wrong", wrong, Target("=", 0))
    report.figure("kills", kills, Target("=", KILLS))
    report.figure("kills_in_flight", in_flight, Target(">=", 8))
    report.figure("timeouts_after_accepting", sent.get("SendBatchSms timeout", 0))
    report.figure("calls_to_send", sum(n for name, n in sent.items() if name.startswith("SendBatchSms")))
    report.figure("calls_to_ask", sum(n for name, n in sent.items() if name.startswith("QuerySendDetails")))
    report.figure(
        "finished",
        at.sql("SELECT state FROM campaigns WHERE id = %s", ref.id) == [("finished",)],
        Target("=", 1),
    )
    lasted = "SELECT extract(epoch FROM max(sent_at) - min(sent_at)) FROM sms_batches WHERE campaign_id = %s"
    report.figure("sending_s", float(at.sql(lasted, ref.id)[0][0]), Target(">=", 90))
    report.figure("seconds", seconds)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
