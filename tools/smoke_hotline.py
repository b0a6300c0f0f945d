"""Smoke steps: the 12345 hotline hands in what was reported before, and hears of each step, once and in order."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tools.smoke_contract import Bool, Count, Id, Maybe, Number, Text, TicketState, Time, fits, one_of
from tools.smoke_desk import Desk
from tools.smoke_http import Answer, Caller, check, same, until
from tools.smoke_loop import STAFF_LOOP_TICKET, Loop, illegal
from tools.smoke_world import World, query, refuses

SOURCE = {
    "api_key_id": Id,
    "source": Text,
    "name": Text,
    "channel": Text,
    "scope": Text,
    "desk": Text,
    "callback_url": Maybe(Text),
    "active": Bool,
    "valid_from": Text,
    "valid_to": Maybe(Text),
    "keys": [{"key_id": Text, "created_at": Time}],
    "statuses_open": Count,
    "statuses_refused": Count,
    "failures": Count,
    "last_error": Maybe(Text),
    "version": Count,
}
ISSUED = {**SOURCE, "key_id": Text, "secret": Text}
TAKEN_IN = {
    "ticket_id": Id,
    "number": Text,
    "status": TicketState,
    "promised": {"accept_by": Time, "dispatch_by": Time, "close_by": Time},
}
SUGGESTION = {
    "ticket_id": Id,
    "number": Text,
    "score": Number,
    "status": TicketState,
    "why": {
        "distance_m": Maybe(Count),
        "class": one_of("same", "sibling", "other", "unknown"),
        "hours": Number,
        "text": Number,
        "agree": [Text],
        "differ": [Text],
        "same_phone": Bool,
    },
}
PATIENCE_S = 60.0
"""How long the last status may take; while the hotline was away the tries grew rarer."""


def connect(world: World, desk: Desk, loop: Loop) -> None:
    """The street makes a key for the hotline; what isn't signed rightly, or is handed in twice, makes no ticket."""
    code = f"hotline-{world.suffix}"
    asked = {
        "source": code,
        "name": f"12345 热线（{world.suffix}）",
        "channel": "hotline",
        "scope_org_id": _org_of(desk.street, "street"),
        "desk_org_id": _org_of(desk.community, "community"),
        "callback_url": f"http://127.0.0.1:{world.port + 1}/hotline/status",
    }
    refuses(lambda who: who.post("/api-keys", asked), desk.community, 403, "permission_missing")
    refuses(lambda who: who.post("/api-keys", {**asked, "desk_org_id": None}), desk.street, 422)
    refuses(lambda who: who.post("/api-keys", {**asked, "callback_url": "file:///etc"}), desk.street, 422)
    made = desk.street.post("/api-keys", asked)
    issued = fits(made.ok(201), ISSUED, made.where)
    loop.key_path = f"/api-keys/{issued['api_key_id']}"
    shown = desk.street.get(loop.key_path)
    fits(shown.ok(), SOURCE, shown.where)
    check(issued["secret"] not in shown.body.decode(), shown.where, "no secret, ever again", "it")
    refuses(lambda who: who.post("/api-keys", asked), desk.street, 409)

    url = f"http://127.0.0.1:{world.port}/callbacks/intake/{code}"
    world.sandbox.post(
        "/hotline", {"url": url, "key_id": issued["key_id"], "secret": issued["secret"], "mode": "up"}
    ).ok()
    loop.external_number = f"HL-{world.suffix}"
    call = {
        "external_number": loop.external_number,
        "title": "公共设施损坏",
        "text": f"市民来电：{world.trouble.where}健身器材扶手松动，摇晃得厉害，怕老人摔倒",
        "category": world.trouble.category,
        "location": {name: world.trouble.location[name] for name in ("lng", "lat", "crs")},
        "reporter": {"name": "来电市民", "phone": world.phone},
    }
    for tamper, refusal in (
        ("signature", "bad_signature"),
        ("body", "bad_signature"),
        ("unsigned", "bad_signature"),
        ("stale", "stale_timestamp"),
    ):
        http, said = _hand_in(world, call, tamper)
        same((http, said["code"]), (401, refusal), f"intake with a wrong {tamper}")
    http, said = _hand_in(world, {**call, "photo_urls": ["http://127.0.0.1/x"]})
    same(http, 422, "intake with addresses of photos")
    http, said = _hand_in(world, call)
    same(http, 201, "intake of a report")
    first = fits(said, TAKEN_IN, "intake of a report")
    loop.handed_id = first["ticket_id"]
    loop.heard.append("received")
    http, said = _hand_in(world, call, "replay")
    same((http, said["code"]), (401, "replayed"), "intake, replayed")
    http, said = _hand_in(world, call)
    same((http, said["ticket_id"]), (200, loop.handed_id), "the same number again: the same ticket")
    http, said = _hand_in(world, {**call, "text": "另一件事"})
    same((http, said["code"]), (409, "number_reused"), "the same number with other words")
    seen = desk.community.get(f"/tickets/{loop.handed_id}")
    ticket = fits(seen.ok(), STAFF_LOOP_TICKET, seen.where)
    same((ticket["channel"], ticket["status"]), ("hotline", "received"), f"{seen.where} → channel, status")
    same(ticket["source"]["external_number"], loop.external_number, f"{seen.where} → source")
    masked = f"{world.phone[:3]}****{world.phone[-4:]}"
    same(ticket["reporter"]["phone_masked"], masked, f"{seen.where} → reporter → phone_masked")


def _org_of(who: Caller, role: str) -> str:
    return str(next(s["org_id"] for s in who.get("/me").ok()["scopes"] if s["role"] == role))


def _hand_in(world: World, report: dict[str, Any], tamper: str | None = None) -> tuple[int, Any]:
    """What the software answered the hotline: HTTP status and JSON."""
    done = world.sandbox.post("/hotline/intake", {"report": report, "tamper": tamper}).ok()
    return done["http"], done["answer"]


def merge(world: World, desk: Desk, loop: Loop) -> None:
    """The report, the call and the patrol's find are suggested as one problem; the desk merges them by its own hand."""
    found = _suggested(desk, loop.handed_id)
    check(
        [row["ticket_id"] for row in found[:2]].count(loop.ticket_id) == 1,
        "suggestions for what the hotline handed in",
        f"{loop.ticket_id} among the two likeliest",
        found,
    )
    likeliest = next(row for row in found if row["ticket_id"] == loop.ticket_id)
    same((likeliest["number"], likeliest["why"]["class"]), (loop.number, "same"), "suggestion: number, class")
    check(world.found_id in [row["ticket_id"] for row in found], "suggestions", world.found_id, found)

    handed, patrolled = f"/tickets/{loop.handed_id}", f"/tickets/{world.found_id}"
    into = {"into": loop.ticket_id}
    refuses(
        lambda who: who.post(f"{handed}/merge", {"into": loop.handed_id}), desk.community, 422, "bad_merge"
    )
    refuses(lambda who: who.post(f"{handed}/merge", into), desk.grid, 403, "permission_missing")
    outside = next(w for w in world.staff.of("community") if w.get(handed).status == 404)
    refuses(lambda who: who.post(f"{handed}/merge", into), outside, 404, "not_found")
    _merged(desk, handed, loop.ticket_id)
    loop.heard.append("merged")
    illegal(desk.community, f"{handed}/accept", allowed={"unmerge"})
    refuses(
        lambda who: who.post(f"{patrolled}/merge", {"into": loop.handed_id}), desk.community, 422, "bad_merge"
    )
    # Taken apart and brought together again, nothing is lost.
    _merged(desk, patrolled, loop.ticket_id)
    apart = desk.community.post(f"{patrolled}/unmerge")
    same(fits(apart.ok(), STAFF_LOOP_TICKET, apart.where)["status"], "received", f"{apart.where} → status")
    same(apart.json["merged_into"], None, f"{apart.where} → merged_into")
    _merged(desk, patrolled, loop.ticket_id)
    heard(world, loop)


def _merged(desk: Desk, path: str, into: str) -> None:
    answer = desk.community.post(f"{path}/merge", {"into": into})
    ticket = fits(answer.ok(), STAFF_LOOP_TICKET, answer.where)
    same((ticket["status"], ticket["merged_into"]), ("merged", into), f"{answer.where} → status, merged_into")


def _suggested(desk: Desk, ticket_id: str) -> list[dict[str, Any]]:
    answer = desk.community.get(f"/tickets/{ticket_id}/suggestions")
    found: list[dict[str, Any]] = fits(answer.ok(), [SUGGESTION], answer.where)
    scores = [row["score"] for row in found]
    same(scores, sorted(scores, reverse=True), f"{answer.where} → score, best first")
    return found


def missing(world: World, desk: Desk, loop: Loop, meanwhile: Callable[[World, Desk, Loop], None]) -> None:
    """The hotline doesn't answer for a while in which something happens; then it has missed nothing."""
    world.sandbox.post("/hotline", {"mode": "http503"}).ok()
    try:
        meanwhile(world, desk, loop)
    finally:
        world.sandbox.post("/hotline", {"mode": "up"}).ok()


def heard(world: World, loop: Loop) -> list[dict[str, Any]]:
    """Wait until the hotline has heard what was expected; check that it was that, each once and in order."""
    path = query("/hotline.json", external_number=loop.external_number)
    ledger = until(
        lambda: world.sandbox.get(path).ok(),
        lambda found: len(found["statuses"]) >= len(loop.heard),
        f"the hotline hears {loop.heard}",
        PATIENCE_S,
    )
    statuses: list[dict[str, Any]] = ledger["statuses"]
    same([row["status"] for row in statuses], loop.heard, "statuses that the hotline heard")
    same(
        [row["seq"] for row in statuses], list(range(1, len(statuses) + 1)), "their seq: each once, in order"
    )
    same(ledger["oddities"], [], "statuses that should not have come")
    return statuses


def told(world: World, desk: Desk, loop: Loop) -> None:
    """In the end it has heard each status once and in order, then it is switched off."""
    statuses = heard(world, loop)
    same({row["external_number"] for row in statuses}, {loop.external_number}, "statuses → external_number")
    times = [row["at"] for row in statuses]
    same(times, sorted(times), "statuses → at, rising")
    notes = " ".join(row.get("note_for_reporter") or "" for row in statuses)
    check("已重新焊接" in notes, "statuses → note_for_reporter", "the note of the repair", notes)
    for hidden in (loop.inside_note, loop.complaint, world.nickname, world.phone):
        check(
            hidden not in notes,
            "statuses → note_for_reporter",
            "nothing internal, nothing of the reporter",
            hidden,
        )
    # The hotline knows of the last one a moment before it is noted here that it was told.
    shown = until(
        lambda: desk.street.get(loop.key_path),
        lambda answer: answer.ok()["statuses_open"] == 0,
        "no status is left to be told",
    )
    source = fits(shown.ok(), SOURCE, shown.where)
    same(source["statuses_refused"], 0, f"{shown.where} → statuses_refused")
    off = {"active": False}
    desk.street.call("PATCH", loop.key_path, off).refused(428, "version_required")
    tag = shown.header("ETag")
    refuses(functools.partial(_switch_off, path=loop.key_path), desk.community, 403, "permission_missing")
    done = desk.street.call("PATCH", loop.key_path, off, headers={"If-Match": tag})
    same(fits(done.ok(), SOURCE, done.where)["active"], False, f"{done.where} → active")
    http, said = _hand_in(world, {"external_number": f"HX-{world.suffix}", "text": "还有一件事"})
    same((http, said["code"]), (401, "bad_signature"), "intake of a source that is off")


def _switch_off(who: Caller, *, path: str) -> Answer:
    return who.call("PATCH", path, {"active": False}, headers={"If-Match": '"1"'})
