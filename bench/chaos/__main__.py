"""`make chaos`: everything a production runs on is broken on purpose while people use it, and then it is counted.

A throw-away PostgreSQL (with fsync), Valkey, gunicorn with two workers, the RQ workers with their schedule, the
sequencer, the stand-ins for WeChat and the SMS vendors: real processes. A dozen clients report with photos, cast, read,
accept reports at a desk and send text messages without a pause, and keep a ledger of what was acknowledged. The faults
come one after the other; each has to end with everything working again by itself. Then the ledgers are compared.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import psycopg

from bench.chaos import counting, load
from bench.chaos.counting import Found
from bench.chaos.faults import FAULTS, Fault, Skip
from bench.chaos.house import House, Stuck, open_doors, running
from bench.chaos.load import KINDS, Asked, Ledger, Load
from bench.harness import Report, Target

STEADY_S, QUIET_S = 4.0, 2.0
PATIENCE_S, LONGEST_PATIENCE_S = 90.0, 240.0
SETTLED_S = 100.0
LONGEST_S = 17 * 60.0  # then no further fault is begun, and the run has failed


@dataclass
class Span:
    """What was seen of one fault. Times by the machine's monotonic clock."""

    fault: Fault
    began: float
    ended: float = 0.0
    until: float = 0.0  # when the next one may begin
    back: dict[str, float] = field(default_factory=dict)  # kind → seconds until it worked again
    owed_s: float = float("nan")
    slowdown: float = 1.0
    left: Counter[str] = field(default_factory=Counter)

    @property
    def back_s(self) -> float:
        """Seconds until the last of all kinds worked again."""
        return max(self.back.values()) if len(self.back) == len(KINDS) else float("nan")

    def allows(self, one: Asked) -> bool:
        """Was this answer declared?"""
        is_in = one.ended >= self.began and one.began <= self.ended + self.fault.after_s
        if not is_in:
            return False
        if one.status == 0:
            return self.fault.drops
        return (
            one.status == 503
            and self.fault.refuses
            and (not self.fault.kinds or one.kind in self.fault.kinds)
        )


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.partition("\n")[0])
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--only", help=f"these alone, with commas between ({', '.join(names)})")
    parser.add_argument("--logs", type=Path, help="copy the programs' logs into this folder afterwards")
    asked = parser.parse_args()
    chosen = asked.only.split(",") if asked.only else names
    if unknown := set(chosen) - set(names):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with running() as house:
        try:
            return _run(house, [fault for fault in FAULTS if fault.name in chosen])
        finally:
            if asked.logs:
                _keep_logs(house, asked.logs)


def _keep_logs(house: House, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    for log in (*house.folder.glob("*.log"), house.data.folder / "server.log"):
        shutil.copyfile(log, to / log.name)


def _run(house: House, faults: Sequence[Fault]) -> int:
    began = time.monotonic()
    town = load.lay_out(house)
    open_doors(house)
    print(f"everything runs after {time.monotonic() - began:.0f} s", flush=True)
    people = Load(house, town)
    spans, skipped, failed = [], {}, 0
    try:
        for fault in faults:
            if time.monotonic() - began > LONGEST_S:
                raise Stuck(f"there was no time left for {fault.name} and what comes after it")
            _wait_steady(people)
            try:
                spans.append(_suffer(house, people.ledger, fault))
            except Skip as why:
                skipped[fault.name] = str(why)
                print(f"{fault.name:<15} skipped: {why}", flush=True)
        _wait_steady(people)
    except Stuck as why:  # what was seen until then is told nevertheless
        failed = 1
        print(why, flush=True)
    finally:
        broken = people.broken()
        people.end()
    settled_s = _settle(house)
    found = counting.count(house, town, people.ledger)
    return _report(people.ledger, spans, skipped, found, settled_s, time.monotonic() - began, failed, broken)


def _slowdown() -> float:
    """How many times longer than alone something takes here now, because others use the machine as well."""
    wall, cpu = time.perf_counter(), time.process_time()
    while time.process_time() - cpu < 0.5:
        sum(range(10_000))
    return max(1.0, (time.perf_counter() - wall) / (time.process_time() - cpu))


def _wait_steady(people: Load) -> None:
    """Until everybody gets on as usual."""
    give_up_at = time.monotonic() + PATIENCE_S
    time.sleep(STEADY_S)
    while set(KINDS) - set(people.lately(STEADY_S)):
        if time.monotonic() > give_up_at:
            left = set(KINDS) - set(people.lately(STEADY_S))
            last = [one for one in people.ledger.asked[-200:] if one.kind in left][-5:]
            raise Stuck(f"it doesn't go on as usual: nothing of {left}; {last}")
        time.sleep(0.2)


def _suffer(house: House, ledger: Ledger, fault: Fault) -> Span:
    slowdown = _slowdown()
    span = Span(fault, time.monotonic(), slowdown=slowdown)
    try:
        fault.begin(house)
        time.sleep(fault.lasts_s)
    finally:
        fault.end(house)
    span.ended = time.monotonic()
    _recover(house, ledger, span)
    time.sleep(QUIET_S)
    span.until = time.monotonic()
    back = max(span.back, key=lambda kind: span.back[kind], default="")
    print(
        f"{fault.name:<15} lasted {span.ended - span.began:5.1f} s;"
        f" all works again after {span.back_s:5.1f} s ({back});"
        f" what was owed is done after {span.owed_s:5.1f} s {dict(span.left) or ''}"
        f" (slowdown {span.slowdown:.1f})",
        flush=True,
    )
    return span


def _recover(house: House, ledger: Ledger, span: Span) -> None:
    """Watch until everything works and what was owed is done, or patience is over."""
    owed: set[UUID] | None = None
    patience_s = min(LONGEST_PATIENCE_S, max(PATIENCE_S, span.fault.owed_s * span.slowdown))
    while time.monotonic() < span.ended + patience_s:
        for one in ledger.since(span.ended):
            if one.kind in KINDS and 200 <= one.status < 300 and one.began >= span.ended:
                span.back[one.kind] = min(one.ended - span.ended, span.back.get(one.kind, float("inf")))
        try:
            now = counting.owed(house)
        except psycopg.Error:
            now = None
        if now is not None:
            owed = set(now) if owed is None else owed & set(now)
            span.left = Counter(now[one] for one in owed)
            if not owed:
                span.owed_s = time.monotonic() - span.ended
                if len(span.back) == len(KINDS):
                    return
        time.sleep(0.25)


def _settle(house: House) -> float:
    """Seconds until nothing is owed any more, with nobody asking for more."""
    began = time.monotonic()
    while left := counting.owed(house):
        if time.monotonic() - began > SETTLED_S:
            print(f"never done: {Counter(left.values())}", flush=True)
            for row in house.sql(
                "SELECT kind, attempts, last_error, not_before - now(), created_at - now()"
                " FROM outbox WHERE state = 'open' AND kind <> 'media.discard' LIMIT 20"
            ):
                print(*row, flush=True)
            return float("nan")
        time.sleep(0.5)
    took = time.monotonic() - began
    time.sleep(8)  # the last receipts come
    return took


def _report(
    ledger: Ledger,
    spans: Sequence[Span],
    skipped: dict[str, str],
    found: Found,
    settled_s: float,
    seconds: float,
    failed: int,
    broken: int,
) -> int:
    bad = [one for one in ledger.asked if one.status == 0 or one.status >= 500]
    outside = [one for one in bad if not any(span.allows(one) for span in spans)]
    _table(ledger, spans, skipped, found)
    for one in outside[:20]:
        print(f"not declared: {one.kind} {one.status} {one.detail} at {_where(one, spans)}", flush=True)
    report = Report("chaos")
    for kind, number in found.promised.items():
        report.figure(f"{kind}", number, Target(">=", 1))
    for kind, times in found.lost.items():
        report.figure(f"{kind}_lost", len(times), Target("=", 0))
    for kind, number in found.doubled.items():
        report.figure(f"{kind}_doubled", number, Target("=", 0))
    report.figure("notices_twice", found.twice, Target("<=", sum(span.fault.kills for span in spans)))
    report.figure("notices_unanswered", found.unanswered)
    for what, number in found.wrong.items():
        report.figure(what.replace(" ", "_"), number, Target("=", 0))
    report.figure("requests", len(ledger.asked))
    report.figure(
        "refused_as_declared", sum(one.status == 503 for one in bad) - sum(o.status == 503 for o in outside)
    )
    report.figure("not_declared", len(outside), Target("=", 0))
    # Nobody here asks for what isn't hers, or in the wrong words. 401: a clock ended her login; 409 and 412: another
    # desk was quicker, or her own first try, whose answer she didn't get.
    odd = [one for one in ledger.asked if 400 <= one.status < 500 and one.status not in {401, 409, 412}]
    for one in odd[:20]:
        print(f"not expected: {one.kind} {one.status} {one.detail} at {_where(one, spans)}", flush=True)
    report.figure("not_expected", len(odd), Target("=", 0))
    report.figure("who_stopped_by_themselves", broken, Target("=", 0))
    for span in spans:
        name = span.fault.name.replace("-", "_")
        report.figure(f"{name}_back_s", span.back_s, Target("<=", span.fault.back_s, span.slowdown))
        report.figure(f"{name}_owed_s", span.owed_s, Target("<=", span.fault.owed_s, span.slowdown))
    report.figure("came_to_an_end", 1 - failed, Target("=", 1))
    report.figure("settled_s", settled_s, Target("<=", SETTLED_S))
    report.figure("skipped", len(skipped), None if os.environ.get("ALLOW_SKIP") == "1" else Target("=", 0))
    report.figure("seconds", seconds, Target("<=", 1200))
    return report.finish()


def _where(one: Asked, spans: Sequence[Span]) -> str:
    last = next((span for span in reversed(spans) if span.began <= one.ended), None)
    if last is None:
        return "the beginning"
    return f"{last.fault.name} {one.ended - last.began:+.1f} s (it ended at {last.ended - last.began:.1f} s)"


def _table(ledger: Ledger, spans: Sequence[Span], skipped: dict[str, str], found: Found) -> None:
    print(
        f"\n{'fault':<15}{'answers':>8}{'503':>6}{'none':>6}{'other':>6}{'longest':>9}{'lost':>6}{'back':>7}{'done':>7}"
        "   promise"
    )
    for span in spans:
        during = [one for one in ledger.asked if span.began <= one.ended <= span.until]
        status = Counter(one.status for one in during)
        other = sum(n for code, n in status.items() if code >= 500 and code != 503)
        lost = sum(span.began <= at < span.until for times in found.lost.values() for at in times)
        longest = max((one.ended - one.began for one in during), default=0.0)
        print(
            f"{span.fault.name:<15}{len(during):>8}{status[503]:>6}{status[0]:>6}{other:>6}{longest:>8.1f}s{lost:>6}"
            f"{span.back_s:>6.1f}s{span.owed_s:>6.1f}s   {span.fault.promise}"
        )
    for name, why in skipped.items():
        print(f"{name:<15} skipped: {why}")


if __name__ == "__main__":
    sys.exit(main())
