"""`make bench NAME=vote_kill`: owners cast while the web server, the sequencer and PostgreSQL are killed with -9.

Every owner asks again until she is answered, as the mini-program does. Afterwards the vote is closed, and every answer
2xx is looked up: its leaf is in the log once, every head has one, and it was there within what the promise says.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg

from app.settings import Settings
from bench import harness, vote, vote_town
from bench.harness import Report, Target
from tools import servers

CLIENTS = 16
PATIENCE_S = 120


class Victim:
    """A program that is started again whenever it was killed."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._command, self._environment, self._log = command, dict(environment), log
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command,
                cwd=harness.ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """With -9, its children with it; then another one."""
        self.end()
        self.process = self._start()

    def end(self) -> None:
        """With -9, its children with it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


def _cast(port: int, request: tuple[str, bytes, str]) -> str:
    """The receipt of an owner who asks until she is answered."""
    path, body, token = request
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    give_up_at = time.monotonic() + PATIENCE_S
    last = ""
    while time.monotonic() < give_up_at:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("PUT", path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status in {200, 201}:
                return str(json.loads(said)["receipt"])
            last = f"{answer.status} {said[:200]!r}"
        except (OSError, http.client.HTTPException) as e:
            last = repr(e)
        finally:
            connection.close()
        time.sleep(0.1)
    print(f"never answered: {last}", flush=True)
    return ""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--owners", type=int, default=harness.scaled(2_000))
    parser.add_argument("--kills", type=int, default=3, help="of each of the three")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with vote.house() as (pg, environment, folder):
        dsn = pg.url("owner", vote.DATABASE)
        estate = vote_town.lay_out()
        everyone = vote_town.people_in(dsn, estate, asked.owners)
        tokens = vote_town.access_tokens(everyone, Settings.from_env(environment).secret_key)
        held = vote_town.open_vote(dsn, estate, everyone)
        port = vote.free_port()
        gunicorn = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.py", "wsgi:app"]
        web = Victim(gunicorn, environment | {"PORT": str(port)}, folder / "web.log")
        sequencer = Victim([sys.executable, "-m", "workers.sequencer"], environment, folder / "sequencer.log")
        try:
            killed, receipts = _under_load(pg, held, tokens, (web, sequencer), port, asked.kills)
            vote.wait_sealed(dsn, held.ref)
        finally:
            web.end()
            sequencer.end()
        lost, double = vote.recount(dsn, held.ref, Counter(r for r in receipts if r))
        report = Report("vote_kill")
        report.figure("ballots", sum(map(bool, receipts)), Target("=", len(everyone)))
        report.figure("kills", killed, Target("=", 3 * asked.kills))
        report.figure("lost", lost, Target("=", 0))
        report.figure("double", double, Target("=", 0))
        report.figure("promises_broken", _broken(dsn, held), Target("=", 0))
        return report.finish()


def _under_load(
    pg: servers.Postgres,
    held: vote_town.Vote,
    tokens: Mapping[Any, str],
    victims: tuple[Victim, Victim],
    port: int,
    kills: int,
) -> tuple[int, list[str]]:
    """(how often something was killed, the receipts): the kills are spread over the casting."""
    web, sequencer = victims
    requests = list(vote.cast_of_each(held, tokens))
    done = threading.Semaphore(0)

    def cast(request: tuple[str, bytes, str]) -> str:
        receipt = _cast(port, request)
        done.release()
        return receipt

    def kill_postgres() -> None:
        pg.kill9()
        pg.start()

    killed, began = 0, time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        results = pool.map(cast, requests)
        every = max(1, len(requests) // (3 * kills + 1))
        for _ in range(kills):
            for kill in (web.kill, sequencer.kill, kill_postgres):
                for _ in range(every):
                    done.acquire(timeout=PATIENCE_S)
                kill()
                killed += 1
                print(f"killed {killed} of {3 * kills} at {time.monotonic() - began:.0f} s", flush=True)
        return killed, list(results)


def _broken(dsn: str, held: vote_town.Vote) -> int:
    """Ballots that were not in the log when their promise was due."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM ballots AS b LEFT JOIN ballot_leaves AS l"
            " USING (community_id, decision_id, head_id, rev)"
            " WHERE b.community_id = %s AND b.decision_id = %s AND (l.leaf_hash IS DISTINCT FROM b.leaf_hash"
            " OR l.sealed_at > b.promised_at::timestamptz + b.within_s * interval '1 second')",
            held.ref,
        ).fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    sys.exit(main())
