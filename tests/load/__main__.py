"""`make load`: the worst evening of a street, played by locust against the production server, and counted afterwards.

A throw-away PostgreSQL (with fsync) and Valkey with the full street: 34 estates, 49,800 homes, 78,000 residents,
100,000 tickets, a vote open in each estate, two years of books, a campaign of text messages to every owner that has
gone out. All programs run as in production, limits and second factors on, WeChat and the SMS vendors as stand-ins. At
once: owners wake up by the SMS, log in, read and cast; others report with photos; neighbours browse the books, of which
another month appears meanwhile; desks and companies work in the console; both vendors tell what became of each message.
All of them come from one address. What was acknowledged is looked for in the database afterwards: there, and once.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import re
import signal
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from app import clock
from app.people import tokens
from app.settings import Settings
from bench import bff_town, harness, revenue_town
from bench.harness import Report, Target
from bench.vote import DATABASE
from tests.load import recount, street, tables
from tests.load.street import Street
from tests.load.watch import Seen, Watch
from tests.load.world import World, callback_token, house
from tools import pictures, processes
from tools.processes import Identity
from tools.program import Program
from tools.smoke_staff import STEP_S, code_at

OUT = harness.ROOT / "var" / "load"
SETTLE_S = 240.0
MEMORY_MINUTES = 10.0
# Where programs of ours may grow; each of these processes is shown by itself.
OURS = frozenset({"web", "workers", "sequencer"})
Watched = tuple[list[Seen], float, float]
# The evening's people, as parts of those who are awake.
PARTS = {"voters": 0.7, "reporters": 0.15, "readers": 0.15}


def main() -> int:
    """The exit code: 1 when something was lost, doubled, refused or broken."""
    parser = argparse.ArgumentParser(prog="make load", description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=120, help="people at the same time (default 120)")
    parser.add_argument(
        "--minutes", type=float, default=3.0, help="of load (default 3; memory is judged from 10)"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the street's people (default 1)")
    asked = parser.parse_args()
    if not (20 <= asked.users <= 5000 and 0.2 <= asked.minutes <= 240 and 0.01 <= asked.share <= 1):
        parser.error("users from 20 to 5000, minutes from 0.2 to 240, share from 0.01 to 1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a load that is stopped tidies up as well
    OUT.mkdir(parents=True, exist_ok=True)
    with house() as world:
        try:
            return _run(world, asked)
        finally:
            for log in world.folder.glob("*.log"):
                (OUT / log.name).write_bytes(log.read_bytes())


def _run(world: World, asked: argparse.Namespace) -> int:
    settings = Settings.from_env(world.environment)
    known = street.fill(world.pg, settings.wechat_appid, share=asked.share)
    world.start()
    logging.getLogger().setLevel(logging.ERROR)
    code = code_at(known.office["totp"], int(time.time()) // STEP_S)
    bff_town.tell(world.web, known.town.street, code=code)
    began = time.monotonic()
    sent = street.send_messages(known, world.pg, patience_s=60 + 300 * asked.share)
    print(f"sent: {sent:,} text messages: {time.monotonic() - began:.0f} s", flush=True)
    pushes = street.pushes(world.gateways, chance=random.Random(7))
    environment = _plan(world, known, pushes, asked)
    since = clock.now()
    watched = _play(world, known, environment, asked)
    refusals = world.refusals()
    world.ensure_running()
    said = _said()
    dsn = world.pg.url("owner", DATABASE)
    settled_s, left = recount.wait_settled(dsn, SETTLE_S)
    counts = recount.recount(dsn, known, said, pushes, since)
    stale = _stale_books(world, known, settings.secret_key)
    return _judge(said, watched, asked, counts, (settled_s, left), refusals, stale)


# --- the load ------------------------------------------------------------------------------------------------


def _plan(
    world: World, known: Street, pushes: Sequence[Mapping[str, str]], asked: argparse.Namespace
) -> dict[str, str]:
    """Who plays what, written for locust; its environment, which names nothing of the application's."""
    everyone = [
        {"name": known.name(n), "estate": street.estate_of(estate)}
        for n, (estate, _) in enumerate(known.owners)
    ]
    first = int(PARTS["voters"] * len(everyone))
    second = first + int(PARTS["reporters"] * len(everyone))
    lines = OUT / "pushes.jsonl"
    lines.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in pushes), encoding="utf-8")
    plan = {
        "voters": everyone[:first],
        "reporters": everyone[first:second],
        "readers": everyone[second:],
        "clerks": known.clerks,
        "crews": known.crews,
        "pushes": str(lines),
        "callback_token": callback_token(world),
        "seconds": asked.minutes * 60,
        "photos": [str(path) for path in _photos(world.folder)],
    }
    path, told = OUT / "plan.json", OUT / "said.jsonl"
    processes.write_private(path, json.dumps(plan, ensure_ascii=False))
    told.unlink(missing_ok=True)
    kept = {name: world.environment[name] for name in ("PATH", "HOME", "LANG") if name in world.environment}
    return kept | {"LOAD_PLAN": str(path), "LOAD_SAID": str(told)}


def _photos(folder: Path) -> list[Path]:
    """What phones send: mostly what WeChat has made smaller, now and then a whole picture of 12 MP."""
    found = []
    for name, size in (("small", (1080, 1440)), ("smaller", (900, 1200)), ("large", (3024, 4032))):
        path = folder / f"{name}.jpg"
        path.write_bytes(pictures.jpeg(pictures.scene(lit=False, size=size), pictures.exif()))
        found += [path] if name == "large" else [path, path]
    return found


def _play(world: World, known: Street, environment: dict[str, str], asked: argparse.Namespace) -> Watched:
    """Run locust; what `Watch.end` says. A month of books is published when a quarter has passed."""
    command = [
        *(sys.executable, "-m", "locust", "-f", "tests/load/evening.py", "--headless", "--only-summary"),
        *("--host", world.web, "-u", str(asked.users), "-r", str(max(4, asked.users // 10))),
        *("-t", f"{int(asked.minutes * 60)}s", "--stop-timeout", "30", "--html", str(OUT / "report.html")),
        *("--loglevel", "WARNING"),
    ]
    log = OUT / "locust.log"
    log.unlink(missing_ok=True)
    locust = Program("locust", command, env=environment, cwd=harness.ROOT, log=log, patience_s=40)
    print(f"load: {asked.users} people for {asked.minutes:g} minutes against {world.web}", flush=True)
    locust.start()
    watch = Watch(world.roots | {"locust": _pid(locust.identity)}, OURS)
    began, is_published = time.monotonic(), False
    try:
        while locust.exit_code() is None:
            time.sleep(0.5)
            world.ensure_running()
            passed = time.monotonic() - began
            if not is_published and passed > asked.minutes * 15:
                _publish(world, known)
                is_published = True
            if passed > asked.minutes * 60 + 180:
                raise RuntimeError(f"locust did not end; see {log.name}")
    finally:
        watched = watch.end()
        code = locust.exit_code()
        locust.stop()
    if code not in (0, 1):  # 1: some answers were errors, which we count ourselves
        raise RuntimeError(locust.obituary(f"ended with {code}"))
    return watched


def _pid(who: Identity | None) -> int:
    assert who is not None
    return who.pid


def _publish(world: World, known: Street) -> None:
    """Another month in the books of every estate."""
    chance = random.Random(11)
    with psycopg.connect(world.pg.url("superuser", DATABASE), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        for books in known.town.books:
            with connection.transaction():
                revenue_town.publish(connection, books, chance)


def _said() -> dict[str, list[dict[str, Any]]]:
    """What the clients wrote down, by kind."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with (OUT / "said.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            found[one["kind"]].append(one)
    return found


def _stale_books(world: World, known: Street, secret: str) -> int:
    """In how many estates a resident reads another balance than was published last."""
    first = dict(reversed(known.owners))
    stale = 0
    for books in known.town.books:
        who = first[books.estate]
        token = tokens.access_token(who.resident, who.session, secret=secret, seconds=600)
        address = f"{world.web}/bff/v1/estates/{books.wire}/revenue/summary"
        asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            stale += json.load(answer)["total"]["closing_fen"] != books.closing
    return stale


# --- the verdict ---------------------------------------------------------------------------------------------


def _judge(
    said: Mapping[str, Sequence[Mapping[str, Any]]],
    watched: Watched,
    asked: argparse.Namespace,
    counts: Mapping[str, recount.Count],
    settled: tuple[float, Mapping[str, int]],
    refusals: Mapping[str, float],
    stale: int,
) -> int:
    answers, (seen, seconds, others_cpu) = said["answer"], watched
    lasted = max((one["at"] for one in answers), default=0) - min((one["at"] for one in answers), default=0)
    tables.show_answers(answers, max(1.0, lasted))
    tables.show_errors(answers)
    tables.show_processes(seen, seconds)
    print(f"{'everything else here':<32}{others_cpu:>8.1f}   (100: one processor of {os.cpu_count()})")
    print("\nrefused by limits:", ", ".join(f"{name} {n:g}" for name, n in refusals.items()) or "nobody")
    for name, left in settled[1].items():
        print(f"after {SETTLE_S:.0f} s still open: {left:,} {name}")
    for wrong in said["wrong"]:
        print(f"wrong: {wrong['why']}")
    report = Report("load")
    report.figure("answers", len(answers), Target(">=", 1))
    report.figure("answers_per_s", len(answers) / max(1.0, lasted))
    for part, name in ((0.5, "p50_ms"), (0.95, "p95_ms"), (0.99, "p99_ms")):
        report.figure(name, tables.quantile(sorted(one["ms"] for one in answers), part))
    report.figure("errors_5xx", sum(one["status"] >= 500 for one in answers), Target("=", 0))
    report.figure("of_these_503", sum(one["status"] == 503 for one in answers))
    report.figure("refused_429", sum(one["status"] == 429 for one in answers), Target("=", 0))
    others = [
        one for one in answers if one["why"] is not None and one["status"] < 500 and one["status"] != 429
    ]
    report.figure("errors_other", len(others) + len(said["wrong"]), Target("=", 0))
    for name, count in counts.items():
        report.figure(name, count.acknowledged, Target(">=", 1))
        report.figure(f"{name}_lost", count.lost, Target("=", 0))
        report.figure(f"{name}_double", count.double, Target("=", 0))
    report.figure("books_stale", stale, Target("=", 0))
    report.figure("settled_s", settled[0])
    report.figure(
        "still_open",
        sum(n for what, n in settled[1].items() if not what.startswith("of these")),
        Target("=", 0),
    )
    for name, times in _times_of(answers).items():
        report.figure(f"{name}_p50_ms", tables.quantile(times, 0.5))
        report.figure(f"{name}_p99_ms", tables.quantile(times, 0.99))
    for process in seen:
        key = re.sub(r"[^a-z0-9]+", "_", process.name)
        report.figure(f"cpu_{key}", 100 * process.cpu_s / seconds)
    # The stand-ins keep everybody they met, and Valkey and PostgreSQL what they are given: only programs are judged.
    slopes = [one.slope for one in seen if one.name.partition(":")[0] in OURS and one.slope is not None]
    if asked.minutes >= MEMORY_MINUTES:
        report.figure("memory_mb_per_min", max(slopes, default=float("nan")), Target("<=", 1))
    elif slopes:
        report.figure("memory_mb_per_min", max(slopes))
    report.figure("cpu_others", others_cpu)
    return report.finish()


def _times_of(answers: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Sorted times of what residents, staff and vendors wait for."""
    wanted = {
        "session": ("vote", "POST session"),
        "home": ("vote", "GET home"),
        "decision": ("vote", "GET decision"),
        "ballot": ("vote", "PUT ballot"),
        "photo": ("report", "POST photos"),
        "report": ("report", "POST tickets"),
        "summary": ("revenue", "GET summary"),
        "board": ("staff", "page board"),
        "push": ("receipts", "POST aliyun receipts"),
    }
    by_key: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in answers:
        by_key[one["who"], one["what"]].append(one["ms"])
    return {name: sorted(by_key[key]) for name, key in wanted.items() if key in by_key}


if __name__ == "__main__":
    sys.exit(main())
