"""Plays the whole story over HTTP against a running `make run`, and fails on any deviation from the contract.

    make smoke [PORT=8000]      or      python tools/smoke.py [--port 8000]

A resident logs in, photographs a broken lamp, reports it with one tap; staff accept, dispatch, handle, verify
and close it; she is told at each step, sees the timeline and rates it. A grid worker walks a round of five points,
one of them with a photographed sign, one left out. What she found, a resident reports and the 12345 hotline hands
in is one problem: merged, urged, supervised, returned, extended, paused, sent back, rated badly, closed at last.
A post with a roster and a rule take the next one and say why; the figures add up to the tickets behind them.
A register is imported, its owners bind to their houses, staff approve and refuse, a house is sold. Owners decide: one
votes online, one on paper, one by proxy; the result is certified, and checked without the server. Five hundred who
haven't voted get a text message each, paused in the middle. A notice goes to two estates; three read it, exactly the
rest gets a text message. An estate's books are imported, published with covered vouchers, read to the fen, doubted
and corrected.
Imports nothing of the software: it speaks HTTP to the web server at PORT, to the WeChat stand-in at PORT + 1 and to
the text-message gateways' stand-in at PORT + 3.
Each run uses new names, so it may be repeated against the same server. Exit code 0 when all is as
promised, 1 after a line that says what is not.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # started by its path, not as a module

from tools import (
    smoke_campaigns,
    smoke_desk,
    smoke_dispatch,
    smoke_figures,
    smoke_hotline,
    smoke_loop,
    smoke_notices,
    smoke_patrol,
    smoke_people,
    smoke_photos,
    smoke_referral,
    smoke_registry,
    smoke_report,
    smoke_revenue,
    smoke_staff,
    smoke_voting,
)
from tools.smoke_campaigns import Mail
from tools.smoke_desk import Desk
from tools.smoke_dispatch import Duty
from tools.smoke_http import Deviation, tally
from tools.smoke_loop import Loop
from tools.smoke_notices import Notices
from tools.smoke_patrol import Patrol
from tools.smoke_photos import TOP
from tools.smoke_registry import Registry
from tools.smoke_revenue import Revenue
from tools.smoke_voting import Voting
from tools.smoke_world import World

VAR = TOP / "var"
Step = tuple[str, Callable[[World], None]]


def make_photos(world: World) -> None:
    """The photographs, made from the public-domain pictures; kept in var/ for the next run when it is there."""
    kept = VAR / "pictures"
    with contextlib.suppress(OSError):
        kept.mkdir(parents=True, exist_ok=True)
        world.photos = smoke_photos.make(kept)
        return
    with tempfile.TemporaryDirectory() as folder:
        world.photos = smoke_photos.make(Path(folder))


def story() -> list[Step]:
    """The steps in their order."""
    desk, patrol, loop, duty, registry = Desk(), Patrol(), Loop(), Duty(), Registry()
    voting, told, revenue, mail = Voting(), Notices(), Revenue(), Mail()

    def by_staff(step: Callable[..., None], *more: object) -> Callable[[World], None]:
        return functools.partial(_with, step=step, more=(desk, *more))

    return [
        ("photographs", make_photos),
        ("ready, documents", smoke_people.ready),
        ("log in", smoke_people.log_in),
        ("refresh, log out", smoke_people.stay_logged_in),
        ("profile, consent", smoke_people.profile),
        ("phone", smoke_people.phone),
        ("subscribe", smoke_people.subscriptions),
        ("places, options", smoke_report.places),
        ("upload photos", smoke_report.photos),
        ("bad photos", smoke_report.bad_photos),
        ("thumbnails", smoke_report.thumbnails),
        ("bad reports", smoke_report.bad_reports),
        ("report, double tap", smoke_report.report),
        ("my ticket", smoke_report.my_ticket),
        ("first screen", smoke_people.first_screen),
        ("strangers", smoke_report.strangers),
        ("wrong ways", smoke_report.wrong_ways),
        ("staff log in", by_staff(smoke_desk.log_in)),
        ("board", by_staff(smoke_desk.board)),
        ("read by the desk", by_staff(smoke_desk.read_by_staff)),
        ("accept", by_staff(smoke_desk.accept)),
        ("dispatch, two at once", by_staff(smoke_desk.dispatch)),
        ("start", by_staff(smoke_desk.start)),
        ("comments", by_staff(smoke_desk.talk)),
        ("resolve, after-photo", by_staff(smoke_desk.resolve)),
        ("verify", by_staff(smoke_desk.verify)),
        ("close", by_staff(smoke_desk.close)),
        ("rate", by_staff(smoke_desk.rate)),
        ("WeChat notices", smoke_people.notices),
        ("inbox", smoke_people.inbox),
        ("anonymous report", by_staff(smoke_desk.anonymous)),
        ("sent back, reopened", by_staff(smoke_desk.sent_back)),
        ("withdrawn, my tickets", smoke_report.withdrawn),
        ("patrol: points, plan", by_staff(smoke_patrol.plan, patrol)),
        ("patrol: shift, way", by_staff(smoke_patrol.set_out, patrol)),
        ("patrol: visits", by_staff(smoke_patrol.visit, patrol)),
        ("patrol: back, gaps", by_staff(smoke_patrol.come_back, patrol)),
        ("heat map, zones", by_staff(smoke_patrol.heat, patrol)),
        ("reported again", by_staff(smoke_loop.report, loop)),
        ("hotline: key, report", by_staff(smoke_hotline.connect, loop)),
        ("duplicates, merge", by_staff(smoke_hotline.merge, loop)),
        ("me too, urge, supervise", by_staff(smoke_loop.share, loop)),
        ("returned once", by_staff(smoke_loop.return_once, loop)),
        ("assist, extension", by_staff(smoke_loop.ask_for_time, loop)),
        ("suspend, resume", by_staff(smoke_hotline.missing, loop, smoke_loop.pause)),
        ("rework, verify, close", by_staff(smoke_loop.verify, loop)),
        ("rated badly, reopened", by_staff(smoke_loop.rate_badly, loop)),
        ("the whole story", by_staff(smoke_loop.whole_story, loop)),
        ("hotline heard each once", by_staff(smoke_hotline.told, loop)),
        ("referred", by_staff(smoke_referral.refer)),
        ("duty roster", by_staff(smoke_dispatch.roster, duty)),
        ("dispatch rule, tried", by_staff(smoke_dispatch.rule, duty)),
        ("why here, passed on", by_staff(smoke_dispatch.give, duty)),
        ("staff inbox", by_staff(smoke_dispatch.told, duty)),
        ("meeting", by_staff(smoke_dispatch.meet, duty)),
        ("rule and post ended", by_staff(smoke_dispatch.end, duty)),
        ("figures, export", by_staff(smoke_figures.figures, duty)),
        ("likely duplicates", by_staff(smoke_dispatch.matches, duty)),
        ("register: import", by_staff(smoke_registry.load, registry)),
        ("bind to a house", by_staff(smoke_registry.bind, registry)),
        ("approve, refuse, object", by_staff(smoke_registry.review, registry)),
        ("voter, sale", by_staff(smoke_registry.sell, registry)),
        ("vote: announce", by_staff(smoke_voting.announce, voting)),
        ("vote: a large one", by_staff(smoke_campaigns.summon, mail, voting)),
        ("vote: open", by_staff(smoke_voting.open_it, voting)),
        ("vote: online, paper, proxy", by_staff(smoke_voting.cast, voting)),
        ("vote: close, certify", by_staff(smoke_voting.certify, voting)),
        ("vote: verify offline", by_staff(smoke_voting.verify, voting)),
        ("campaign: who hasn't voted", by_staff(smoke_campaigns.write, mail)),
        ("campaign: launch, pause", by_staff(smoke_campaigns.pause, mail)),
        ("campaign: resume", by_staff(smoke_campaigns.resume, mail)),
        ("notice: to two estates", by_staff(smoke_notices.publish, told)),
        ("notice: read by three", by_staff(smoke_notices.read, told)),
        ("notice: who has not", by_staff(smoke_notices.unread, told)),
        ("notice: text to the rest", by_staff(smoke_campaigns.tell_the_rest, told)),
        ("notice: corrected, back", by_staff(smoke_notices.correct, told)),
        ("revenue: import", by_staff(smoke_revenue.load, revenue)),
        ("revenue: review, publish", by_staff(smoke_revenue.review, revenue)),
        ("revenue: browse", by_staff(smoke_revenue.browse, revenue)),
        ("revenue: object", by_staff(smoke_revenue.object_to, revenue)),
        ("revenue: correct", by_staff(smoke_revenue.correct, revenue)),
        ("second factor", by_staff(smoke_staff.second_factor)),
        ("new colleague", by_staff(smoke_staff.new_colleague)),
        ("console login", by_staff(smoke_staff.console)),
    ]


def _with(world: World, *, step: Callable[..., None], more: tuple[object, ...]) -> None:
    step(world, *more)


def _said(error: Exception) -> str:
    """What is not as promised, in one line."""
    if isinstance(error, Deviation):
        return str(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"expected something of another shape, got {type(error).__name__}: {error} "
        f"at {Path(at.filename).name}:{at.lineno}: {at.line}"
    )


def _port_of_this_checkout() -> int:
    with contextlib.suppress(OSError, ValueError):
        noted = json.loads((VAR / "run.json").read_text(encoding="utf-8"))
        return int(noted.get("port") or 8000)
    return 8000


def main(arguments: list[str] | None = None) -> int:
    """Play the story; 0 when everything was as promised."""
    reader = argparse.ArgumentParser(
        prog="smoke.py", description="Play the whole story against a running server."
    )
    reader.add_argument(
        "--port", type=int, help="of the web server (default: of the run of this checkout, or 8000)"
    )
    asked = reader.parse_args(arguments)
    world = World(asked.port or _port_of_this_checkout())
    print(f"smoke: http://127.0.0.1:{world.port}, run {world.suffix}", flush=True)
    began = time.perf_counter()
    steps = story()
    for number, (name, step) in enumerate(steps, 1):
        before, started = tally.checks, time.perf_counter()
        try:
            step(world)
        except Exception as error:  # noqa: BLE001 - an answer of a shape nobody thought of is a deviation too
            print(f"  {number:>2}  {name:<24} failed", flush=True)
            print(f"smoke: step {number} ({name}) failed: {_said(error)}", file=sys.stderr, flush=True)
            return 1
        took = (time.perf_counter() - started) * 1000
        print(f"  {number:>2}  {name:<24}{took:8.0f} ms  {tally.checks - before:>5} checks", flush=True)
    seconds = time.perf_counter() - began
    print(f"smoke: all is well: {len(steps)} steps, {tally.checks} checks, {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
