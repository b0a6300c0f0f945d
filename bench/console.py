"""`make bench NAME=console`: the staff console's ticket list over 100,000 tickets, and the dashboard.

The production server over a migrated PostgreSQL and the street of `bench.tickets_town`. Server time is what one client
waits for a page on a kept connection, as several roles ask for it: the list by state, class, place, lateness and page
(`list_…`), looking for words (`words_…`, without a target: what is rare among 100,000 takes longer), and the
dashboard (`dashboard_…`). Then Chromium opens the list with an empty cache, at full speed, at 10 Mbit with the CPU at
a quarter and at 2 Mbit with the CPU at a sixth: how long until the table is painted, and how long the same bytes take
from a server that only holds them. `paint_…_ratio` is ours by theirs, the median of the rounds' own.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import itertools
import json
import re
import signal
import statistics
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import quote

from app import ids
from app.ids import Kind
from app.places import queries as places
from bench import harness, load, tickets_town
from bench.harness import Report, Target
from bench.load import Clients
from bench.vote import DATABASE, house, serving
from tools import browser

LIST = "/admin/tickets"
DASHBOARD = "/admin/dashboard"
ROLES = ("street", "community", "grid", "property")
OPENINGS = 3  # of each page at each speed in a round
# What Chromium waits until: a row of the table has a size, and a frame with it has been shown.
WATCH = """
(() => {
  const look = () => {
    const row = document.querySelector("table.tickets tbody tr");
    if (!row || !row.getBoundingClientRect().height) return requestAnimationFrame(look);
    const said = document.documentElement.dataset;
    requestAnimationFrame(() => requestAnimationFrame(() => { said.tableAt = performance.now(); }));
  };
  requestAnimationFrame(look);
})();
"""


class Speed(NamedTuple):
    """A line and a machine: bits a second (none: as it is), and how many times slower the processor is."""

    bits: int | None
    slower: int


SPEEDS = {"lan": Speed(None, 1), "10mbit": Speed(10_000_000, 4), "2mbit": Speed(2_000_000, 6)}


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tickets", type=int, default=harness.scaled(100_000))
    parser.add_argument("--rounds", type=int, default=harness.ROUNDS)
    asked = parser.parse_args()
    chromium = browser.installed()
    if chromium is None:
        sys.exit("console: no Chromium on this machine (Debian: apt install chromium fonts-noto-cjk)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with house() as (pg, environment, folder):
        street = tickets_town.lay_out()
        rows = tickets_town.fill(pg.url("owner", DATABASE), street, asked.tickets)
        print("generated: " + ", ".join(f"{number:,} {name}" for name, number in rows.items()), flush=True)
        yardstick = harness.bare_view_yardstick()
        yardstick.show()
        with serving("wsgi:app", environment, folder) as server, browser.launched(chromium) as driven:
            base = f"http://127.0.0.1:{server.port}"
            tokens = {role: _token(base, street.accounts[role]) for role in ROLES}
            clients = Clients(server.port, 1)
            turns: dict[str, Callable[[], harness.Sample]] = {
                name: lambda requests=requests: _timed(clients, requests)  # type: ignore[misc]
                for name, requests in _requests(street, tokens).items()
            }
            for turn in turns.values():
                turn()  # once before anything is timed: connections, prepared statements, templates
            cookies = _cookies(driven, base, street.accounts["community"])
            kept, sent = _kept(base, cookies)
            with _holding(kept) as still:
                for name, speed in SPEEDS.items():
                    turns[f"{name} ours"] = lambda speed=speed: _opened(driven, base, cookies, speed)  # type: ignore[misc]
                    turns[f"{name} still"] = lambda speed=speed: _opened(driven, still, cookies, speed)  # type: ignore[misc]
                taken = harness.rounds(turns, count=asked.rounds)
            clients.close()
    return _judged(taken, yardstick.slowdown, sent, rows["tickets"])


def _judged(taken: Mapping[str, Mapping[str, list[float]]], slowdown: float, sent: int, tickets: int) -> int:
    report = Report("console")
    for name in ("list", "words", "dashboard"):
        if name not in taken:
            continue
        target = Target("<=", 60, slowdown) if name == "list" else None
        report.figure(f"{name}_p99_ms", statistics.median(taken[name]["p99_ms"]), target)
        report.figure(f"{name}_p50_ms", statistics.median(taken[name]["p50_ms"]))
        report.figure(f"{name}_kb", statistics.median(taken[name]["kb"]))
    for name in SPEEDS:
        ours, still = taken[f"{name} ours"]["painted_s"], taken[f"{name} still"]["painted_s"]
        report.figure(f"paint_{name}_ratio", harness.ratio(ours, still), Target("<=", 1.3))
        report.figure(f"paint_{name}_s", statistics.median(ours))
        report.figure(f"still_{name}_s", statistics.median(still))
    report.figure("sent_kb", sent / 1000, Target("<=", 200))
    report.figure("tickets", tickets)
    report.figure("bad", sum(sum(one["bad"]) for one in taken.values() if "bad" in one), Target("=", 0))
    return report.finish()


# --- the server's time -----------------------------------------------------------------------------------


def _token(base: str, account: str) -> str:
    body = json.dumps({"account": account, "password": tickets_town.PASSWORD}).encode()
    asked = urllib.request.Request(
        f"{base}/admin/api/v1/session", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        token: str = json.load(answer)["token"]
    return token


def _requests(street: tickets_town.Street, tokens: Mapping[str, str]) -> dict[str, list[bytes]]:
    """What is asked, by what it measures."""
    estates = [ids.encode(Kind.ESTATE, ref) for ref in street.estates]
    week = (places.today() - timedelta(days=7)).isoformat()
    states = "received,accepted,dispatched,in_progress"
    filters = (
        "",
        f"?status={states}",
        "?status=received",
        "?status=closed",
        "?overdue=true",
        f"?status={states}&overdue=true",
        "?callback_due=true",
        f"?from={week}",
    )
    of_places = [
        f"?area={estate}&status={state}" for estate in estates[::3] for state in ("received", "closed")
    ]
    words = [f"?q={quote(word)}" for word in ("电梯", "漏水", "垃圾", "路灯", "停车")]
    return {
        "list": [_page(LIST + one, tokens[role]) for role in ROLES for one in filters]
        + [_page(LIST + one, tokens["street"]) for one in of_places],
        "words": [_page(LIST + one, tokens[role]) for role in ROLES for one in words],
        "dashboard": [_page(DASHBOARD, tokens[role]) for role in ("street", "community") for _ in range(5)],
    }


def _page(path: str, token: str) -> bytes:
    request = load.request_of("GET", path, token=token)
    return request.removesuffix(b"\r\n\r\n") + b"\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\n\r\n"


def _timed(clients: Clients, requests: Sequence[bytes]) -> harness.Sample:
    """p50 and p99 in ms of what one client waits, three times over; kB of a page."""
    drive = clients.drive(itertools.chain.from_iterable(itertools.repeat(requests, 3)))
    return {
        "p50_ms": drive.quantile_ms(0.5),
        "p99_ms": drive.quantile_ms(0.99),
        "kb": statistics.median(len(answer.body) for answer in drive.answers) / 1000,
        "bad": sum(answer.status != 200 for answer in drive.answers),
    }


# --- the browser -----------------------------------------------------------------------------------------


def _cookies(driven: Any, base: str, account: str) -> list[dict[str, Any]]:
    """Of a login in a browser."""
    context = driven.new_context(base_url=base)
    body = {"account": account, "password": tickets_town.PASSWORD, "mode": "cookie"}
    if not context.request.post("/admin/api/v1/session", data=body).ok:
        raise RuntimeError("the browser could not log in")
    cookies: list[dict[str, Any]] = context.cookies()
    context.close()
    return [{**one, "url": None} | {"domain": "127.0.0.1"} for one in cookies]


def _opened(driven: Any, base: str, cookies: list[dict[str, Any]], speed: Speed) -> harness.Sample:
    """Seconds from the click until the table is painted, with an empty cache: the median of a few openings. The first
    one isn't timed: it would wake a browser that has slept while the others had their turn.
    """
    taken = []
    for _ in range(1 + OPENINGS):
        context = driven.new_context(
            base_url=base, viewport=browser.DESKTOP._asdict(), locale="zh-CN", timezone_id="Asia/Shanghai"
        )
        context.add_cookies(
            [{name: value for name, value in one.items() if value is not None} for one in cookies]
        )
        context.add_init_script(WATCH)
        page = context.new_page()
        protocol = context.new_cdp_session(page)
        protocol.send("Emulation.setCPUThrottlingRate", {"rate": speed.slower})
        if speed.bits is not None:
            protocol.send("Network.enable")
            bytes_s = speed.bits / 8
            protocol.send(
                "Network.emulateNetworkConditions",
                {"offline": False, "latency": 20, "downloadThroughput": bytes_s, "uploadThroughput": bytes_s},
            )
        page.goto(LIST, wait_until="commit")
        page.locator("html[data-table-at]").wait_for(state="attached", timeout=60_000)
        taken.append(float(page.locator("html").get_attribute("data-table-at")) / 1000)
        context.close()
    return {"painted_s": statistics.median(taken[1:])}


# --- the same bytes from a server that only holds them ----------------------------------------------------


class _Kept(NamedTuple):
    kind: str
    encoding: str | None
    body: bytes


def _kept(base: str, cookies: list[dict[str, Any]]) -> tuple[dict[str, _Kept], int]:
    """(what the page and everything that it names are, by path; how many bytes that is in all)."""
    jar = "; ".join(f"{one['name']}={one['value']}" for one in cookies)
    found = {LIST: _fetched(base + LIST, jar)}
    page = found[LIST]
    text = (gzip.decompress(page.body) if page.encoding == "gzip" else page.body).decode()
    for path in sorted(set(re.findall(r'(?:src|href)="(/admin/assets/[^"]+)"', text))):
        found[path] = _fetched(base + path, jar)
    return found, sum(len(one.body) for one in found.values())


def _fetched(address: str, cookies: str) -> _Kept:
    asked = urllib.request.Request(
        address, headers={"Accept": "text/html,*/*", "Accept-Encoding": "gzip", "Cookie": cookies}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return _Kept(answer.headers["Content-Type"], answer.headers.get("Content-Encoding"), answer.read())


@contextmanager
def _holding(kept: Mapping[str, _Kept]) -> Iterator[str]:
    """The address of a server that answers with these bytes and does nothing else."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            one = kept.get(self.path)
            body = one.body if one else b""
            self.send_response(200 if one else 204)
            if one:
                self.send_header("Content-Type", one.kind)
                if one.encoding:
                    self.send_header("Content-Encoding", one.encoding)
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a browser that has what it wants hangs up
                super().handle()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
