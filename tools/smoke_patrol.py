"""Smoke steps: a patrol from the plan to the gap that is shown, the heat map with its small numbers hidden."""

from __future__ import annotations

import functools
import math
import secrets
from datetime import datetime, timedelta, timezone
from typing import Any

from tools.smoke_contract import (
    FILE,
    LOCATION,
    STAFF_TICKET,
    Bool,
    Count,
    Id,
    Int,
    Maybe,
    Text,
    Time,
    fits,
    one_of,
    page,
)
from tools.smoke_desk import Desk
from tools.smoke_http import Answer, Caller, check, same
from tools.smoke_photos import LAMP, gcj02
from tools.smoke_world import World, pages, query, refuses

SHANGHAI = timezone(timedelta(hours=8))
PROOF = one_of("qr", "position", "both")
GRADE = one_of("key", "regular", "low")

POINT = {
    "point_id": Id,
    "name": Text,
    "estate_id": Maybe(Id),
    "grid_id": Maybe(Id),
    "proof": PROOF,
    "location": Maybe(LOCATION),
    "radius_m": Count,
    "printing": Count,
    "retired_at": Maybe(Time),
    "version": Count,
}
CODE = {"point_id": Id, "name": Text, "printing": Count, "payload": Text}
PLAN = {
    "plan_id": Id,
    "name": Text,
    "estate_id": Maybe(Id),
    "grade": GRADE,
    "org": Maybe(Text),
    "grid_id": Maybe(Id),
    "walkers": [{"staff_id": Id, "name": Text}],
    "weekdays": [Int],
    "windows": [{"from": Text, "to": Text}],
    "valid_from": Text,
    "valid_to": Maybe(Text),
    "stops": [{"seq": Count, "point_id": Id, "name": Text, "proof": PROOF, "radius_m": Count}],
    "version": Count,
}
VISIT = {
    "visit_id": Id,
    "shift_id": Id,
    "point_id": Id,
    "point": Text,
    "at": Time,
    "received_at": Time,
    "code": Bool,
    "distance_m": Maybe(Count),
    "suspect": Bool,
    "reasons": [Text],
    "ticket_id": Maybe(Id),
}
SHIFT = {
    "shift_id": Id,
    "plan_id": Id,
    "plan": Text,
    "staff": Maybe(Text),
    "open": Bool,
    "started_at": Time,
    "cap_at": Time,
    "ended_at": Maybe(Time),
    "end_reason": Maybe(Text),
    "positions": Count,
    "version": Count,
    "stops": [{"seq": Count, "point_id": Id, "name": Text, "state": one_of("visited", "suspect", "open")}],
    "visits": [VISIT],
}
TAKEN = {"shift_id": Id, "received": Count, "kept": Count, "late": Count, "positions": Count}
TRACK = {
    "shift_id": Id,
    "crs": one_of("gcj02"),
    "kept_until": Time,
    "positions": [{"at": Time}],
    "readings": [{"visit_id": Id, "at": Time}],
}
COUNT = {
    **dict.fromkeys(("due", "visited", "suspect", "missed", "open"), Count),
    "visited_rate": {"numerator": Count, "denominator": Count},
}
GAP = {
    "plan_id": Id,
    "plan": Text,
    "grade": GRADE,
    "point_id": Id,
    "point": Text,
    "seq": Count,
    "day": Text,
    "from": Time,
    "to": Time,
    "state": one_of("missed", "suspect"),
    "final": Bool,
    "reasons": [Text],
}
COVERAGE = {
    "from": Text,
    "to": Text,
    "totals": COUNT,
    "visits_beside_plan": Count,
    "plans": [{**COUNT, "plan_id": Id, "plan": Text, "grade": GRADE}],
    **page(GAP),
}
HIDABLE = {"n": Maybe(Count), "hidden": Bool}
HEAT = {
    "from": Text,
    "to": Text,
    "items": [
        {**HIDABLE, "grid_id": Id, "code": Text, "name": Text, "community": Text, "grade": Maybe(GRADE)}
    ],
    "communities": [{**HIDABLE, "community": Text}],
    "totals": HIDABLE,
    "without_grid": HIDABLE,
    "left_out": [Text],
}
ZONE = {
    "grid_id": Id,
    "code": Text,
    "name": Text,
    "homes": Maybe(Count),
    "grade": Maybe(
        {
            "grade": GRADE,
            "graded_at": Time,
            "since": Time,
            "numerator": Count,
            "denominator": Count,
            "basis": Text,
            "per": Count,
            "regular_from": Count,
            "key_from": Count,
        }
    ),
    "version": Count,
}
SMALL = 5
"""Numbers below it are not shown on the heat map."""


class Patrol:
    """One round of five points, as far as it has come."""

    def __init__(self) -> None:
        """Nothing is planned yet."""
        self.points: list[dict[str, Any]] = []
        self.photographed = ""
        """The code of the fourth point before it was printed anew."""
        self.plan: dict[str, Any] = {}
        self.shift: dict[str, Any] = {}
        self.day = ""


def _place(east_m: float, north_m: float = 0.0) -> dict[str, Any]:
    """A place so many metres from the lamp, as WeChat's map names it; a hand's breadth aside in each run."""
    aside = secrets.randbelow(1000) / 1000
    lng = LAMP[0] + (east_m + aside) / (111_195 * math.cos(math.radians(LAMP[1])))
    lng, lat = gcj02(lng, LAMP[1] + north_m / 111_195)
    return {"lng": lng, "lat": lat, "crs": "gcj02", "accuracy_m": 8}


def plan(world: World, desk: Desk, patrol: Patrol) -> None:
    """The desk sets five points and plans a round through them for the grid worker."""
    estate = world.estate["estate_id"]
    nowhere = {"name": "没有位置的点", "estate_id": estate, "proof": "position"}
    refuses(lambda who: who.post("/patrol/points", nowhere), desk.community, 422, "position_needed")
    refuses(lambda who: who.post("/patrol/points", {"name": "没有小区的点"}), desk.community, 422, "where")
    # All five stand close together: the smoke test walks them within a second.
    named = ("大门", "配电房", "消防通道", "车库入口", "楼顶天台")
    for at, (name, proof) in enumerate(zip(named, ("qr", "qr", "position", "qr", "qr"), strict=True)):
        asked = {
            "name": f"{name}（{world.suffix}）",
            "estate_id": estate,
            "proof": proof,
            "location": _place(3.0 * at),
            "radius_m": 50,
        }
        made = desk.community.post("/patrol/points", asked)
        point = fits(made.ok(201), POINT, made.where)
        same((point["name"], point["proof"], point["printing"]), (asked["name"], proof, 1), made.where)
        patrol.points.append(point)
    listed = pages(desk.community, query("/patrol/points", area=estate), 50, lambda row: str(row["point_id"]))
    check({p["point_id"] for p in patrol.points} <= set(listed), "/patrol/points", "the five points", listed)
    refuses(
        lambda who: who.post("/patrol/points", {"name": "越权", "estate_id": estate}), desk.grid, 403,
        "permission_missing",
    )  # fmt: skip

    wanted = _demand(world, desk, patrol)
    for wrong, code in (
        ({"points": [wanted["points"][0]] * 2}, "point_twice"),
        ({"grid_id": None}, "nobody"),
        ({"windows": [{"from": "08:00", "to": "08:00"}]}, "bad_window"),
        ({"valid_to": wanted["valid_from"]}, "dates_reversed"),
        ({"valid_from": "2026-01-01"}, "past_date"),
    ):
        refuses(functools.partial(_add_plan, body={**wanted, **wrong}), desk.community, 422, code)
    made = _add_plan(desk.community, body=wanted)
    patrol.plan = fits(made.ok(201), PLAN, made.where)
    same([stop["point_id"] for stop in patrol.plan["stops"]], wanted["points"], f"{made.where} → stops")
    mine = desk.grid.get(f"/patrol/plans/{patrol.plan['plan_id']}")
    same(fits(mine.ok(), PLAN, mine.where)["name"], wanted["name"], f"{mine.where} → name")
    before = _count(desk.community, world, patrol)
    same((before["open"], before["due"]), (5, 0), "coverage before anybody set out: open, due")


def _demand(world: World, desk: Desk, patrol: Patrol) -> dict[str, Any]:
    # One day only: a plan without an end would leave gaps in the house for ever.
    today = datetime.now(SHANGHAI).date()
    patrol.day = today.isoformat()
    grid = desk.grid.get("/grids").ok()["items"][0]["grid_id"]
    return {
        "name": f"冒烟巡查{world.suffix}",
        "estate_id": world.estate["estate_id"],
        "points": [point["point_id"] for point in patrol.points],
        "windows": [{"from": "00:00", "to": "24:00"}],
        "grade": "key",
        "grid_id": grid,
        "valid_from": patrol.day,
        "valid_to": (today + timedelta(days=1)).isoformat(),
    }


def _add_plan(who: Caller, *, body: dict[str, Any]) -> Answer:
    return who.post("/patrol/plans", body)


def _count(who: Caller, world: World, patrol: Patrol) -> dict[str, Any]:
    """What the coverage of the day says of the plan."""
    path = query("/patrol/coverage", area=world.estate["estate_id"], **{"from": patrol.day, "to": patrol.day})
    answer = who.get(path)
    shown = fits(answer.ok(), COVERAGE, answer.where)
    found = [row for row in shown["plans"] if row["plan_id"] == patrol.plan["plan_id"]]
    same(len(found), 1, f"{answer.where} → plans: the one of this run")
    for row in (found[0], shown["totals"]):
        same(row["due"], row["visited"] + row["suspect"] + row["missed"], f"{answer.where} → due")
        same(
            row["visited_rate"],
            {"numerator": row["visited"], "denominator": row["due"]},
            f"{answer.where} → visited_rate",
        )
    return dict(found[0])


def set_out(world: World, desk: Desk, patrol: Patrol) -> None:
    """The grid worker begins a shift and hands her way in; it is kept thin, and hers."""
    walker = desk.grid
    for left_open in walker.get("/patrol/shifts?open=true").ok()["items"]:
        walker.post(f"/patrol/shifts/{left_open['shift_id']}/end").ok()  # of a run that broke off
    early = walker.post(f"/patrol/points/{patrol.points[0]['point_id']}/visit", {"location": _place(0)})
    early.refused(409, "no_open_shift")
    asked = {"plan_id": patrol.plan["plan_id"]}
    refuses(lambda who: who.post("/patrol/shifts", asked), desk.community, 403, "permission_missing")
    begun = walker.post("/patrol/shifts", asked)
    patrol.shift = fits(begun.ok(201), SHIFT, begun.where)
    same(patrol.shift["open"], True, f"{begun.where} → open")
    same({stop["state"] for stop in patrol.shift["stops"]}, {"open"}, f"{begun.where} → stops → state")
    again = refuses(lambda who: who.post("/patrol/shifts", asked), walker, 409, "shift_already_open")
    same(again["shift_id"], patrol.shift["shift_id"], "shift_already_open → shift_id")

    path = f"/patrol/shifts/{patrol.shift['shift_id']}"
    started = datetime.fromisoformat(patrol.shift["started_at"])
    # A phone may have begun to look a moment before the shift was known.
    way = [
        {**_place(9.0 * step), "at": (started + timedelta(seconds=9 * step - 45)).isoformat()}
        for step in range(6)
    ]
    batch = {"positions": [{name: p[name] for name in ("lng", "lat", "at", "accuracy_m")} for p in way]}
    taken = walker.post(f"{path}/positions", batch)
    first = fits(taken.ok(), TAKEN, taken.where)
    same((first["received"], first["late"]), (6, 0), f"{taken.where} → received, late")
    check(1 <= first["kept"] <= 3, taken.where, "a thinned way: one to three of six", first)
    second = walker.post(f"{path}/positions", batch).ok()
    same((second["kept"], second["late"]), (0, 6), f"{taken.where} twice → kept, late")
    off = {"positions": [{**batch["positions"][0], "at": (started - timedelta(hours=1)).isoformat()}]}
    refuses(lambda who: who.post(f"{path}/positions", off), walker, 422, "off_shift")
    own = walker.get(f"{path}/positions")
    shown = fits(own.ok(), TRACK, own.where)
    check(len(shown["positions"]) >= first["kept"], own.where, "the way as it was kept", shown)
    colleague = next(who for who in world.staff.of("grid") if who.name != walker.name)
    colleague.get(path).refused(404, "not_found")
    colleague.post(f"{path}/positions", batch).refused(404, "not_found")


def visit(world: World, desk: Desk, patrol: Patrol) -> None:
    """Two by QR code, one by position, one with a photograph of an old sign from far away, one not at all."""
    walker, (gate, power, lane, garage, roof) = desk.grid, patrol.points
    codes = {point["point_id"]: _code_of(desk, point) for point in (gate, power, garage, roof)}
    refuses(lambda who: who.get(f"/patrol/points/{gate['point_id']}/code"), walker, 403, "permission_missing")

    scan = {"code": codes[gate["point_id"]], "scan_id": f"scan-{secrets.token_hex(8)}"}
    seen = _visits(walker, gate, scan)
    same((seen["suspect"], seen["reasons"], seen["code"]), (False, [], True), "visit by QR code")
    same(_visits(walker, gate, scan)["visit_id"], seen["visit_id"], "the same scan twice: one visit")

    world.found_id = _found(world, walker)
    seen = _visits(
        walker,
        power,
        {"code": codes[power["point_id"]], "location": _place(3.0), "ticket_id": world.found_id},
    )
    same((seen["suspect"], seen["ticket_id"]), (False, world.found_id), "visit by QR code and position")
    check(seen["distance_m"] <= 50, "distance_m of a visit", "at most 50", seen)

    seen = _visits(walker, lane, {"location": _place(6.0)})
    same((seen["suspect"], seen["code"]), (False, False), "visit by position")

    path = f"/patrol/points/{garage['point_id']}/code"
    renewed = desk.community.post(path, If_Match=f'"{garage["version"]}"')
    same(fits(renewed.ok(), CODE, renewed.where)["printing"], 2, f"{renewed.where} → printing")
    check(renewed.json["payload"] != codes[garage["point_id"]], renewed.where, "another code", renewed.json)
    seen = _visits(walker, garage, {"code": codes[garage["point_id"]], "location": _place(9.0, 800.0)})
    same(seen["suspect"], True, "visit with an old code from 800 m away: suspect")
    same(seen["reasons"], ["old_code", "too_far"], "visit with an old code from 800 m away: reasons")

    forged = codes[roof["point_id"]][:-4] + "aaaa"
    for shown, code in (
        ({"code": codes[gate["point_id"]]}, "unknown_code"),
        ({"code": forged}, "unknown_code"),
        ({}, "nothing_shown"),
        ({"location": {**_place(12.0), "lng": 2.35, "lat": 48.85}}, "bad_position"),
        ({"code": codes[roof["point_id"]], "at": _later(hours=2)}, "future_time"),
    ):
        refuses(functools.partial(_visit, point=roof, shown=shown), walker, 422, code)


def _later(**by: float) -> str:
    return (datetime.now(SHANGHAI) + timedelta(**by)).isoformat()


def _code_of(desk: Desk, point: dict[str, Any]) -> str:
    answer = desk.community.get(f"/patrol/points/{point['point_id']}/code")
    return str(fits(answer.ok(), CODE, answer.where)["payload"])


def _visit(who: Caller, *, point: dict[str, Any], shown: dict[str, Any]) -> Answer:
    return who.post(f"/patrol/points/{point['point_id']}/visit", shown)


def _visits(who: Caller, point: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    answer = _visit(who, point=point, shown=shown)
    made: dict[str, Any] = fits(answer.ok(201), VISIT, answer.where)
    same(made["point_id"], point["point_id"], f"{answer.where} → point_id")
    return made


def _found(world: World, walker: Caller) -> str:
    """What she found on the way becomes a ticket."""
    file = walker.upload("/files", "found.jpg", world.photos["lamp.png"])
    found = {
        "channel": "patrol",
        "estate_id": world.estate["estate_id"],
        "location": world.trouble.location,
        "category": world.trouble.category,
        "text": f"巡查发现{world.trouble.where}健身器材的扶手松动",
        "photo_ids": [fits(file.ok(201), FILE, file.where)["file_id"]],
    }
    answer = walker.post("/tickets", found)
    ticket = fits(answer.ok(201), STAFF_TICKET, answer.where)
    same((ticket["channel"], ticket["status"]), ("patrol", "received"), answer.where)
    return str(ticket["ticket_id"])


def come_back(world: World, desk: Desk, patrol: Patrol) -> None:
    """She ends her shift: the doubted point and the missed one are the gaps, each with its reason."""
    path = f"/patrol/shifts/{patrol.shift['shift_id']}"
    during = _count(desk.community, world, patrol)
    same((during["visited"], during["suspect"], during["open"]), (3, 1, 1), "coverage on the way")
    back = desk.grid.post(f"{path}/end")
    ended = fits(back.ok(), SHIFT, back.where)
    states = [stop["state"] for stop in ended["stops"]]
    same(states, ["visited", "visited", "visited", "suspect", "open"], f"{back.where} → stops")
    same((ended["open"], ended["end_reason"], len(ended["visits"])), (False, "worker", 4), back.where)
    refuses(lambda who: who.post(f"{path}/end"), desk.grid, 409, "shift_not_open")

    for who in (desk.community, desk.street, desk.grid):
        count = _count(who, world, patrol)
        same(
            [count[name] for name in ("due", "visited", "suspect", "missed", "open")],
            [5, 3, 1, 1, 0],
            f"coverage for {who.name}: due, visited, suspect, missed, open",
        )
    gaps = _gaps(desk.community, world, patrol)
    same(
        [(gap["seq"], gap["state"], gap["reasons"]) for gap in gaps],
        [(4, "suspect", ["old_code", "too_far"]), (5, "missed", [])],
        "gaps of the round: which point, what, why",
    )
    estate = world.estate["estate_id"]
    outside = next(
        who
        for who in world.staff.of("community")
        if estate not in {row["estate_id"] for row in who.get("/areas").ok()["items"]}
    )
    refuses(lambda who: who.get(query("/patrol/coverage", area=estate)), outside, 404, "not_found")
    refuses(
        lambda who: who.get(query("/patrol/coverage", **{"from": "2026-01-01", "to": patrol.day})),
        desk.community, 422, "span_too_long",
    )  # fmt: skip
    _way_seen_for_a_purpose(desk, path)
    for point in patrol.points:
        _retire(desk.community, point)


def _gaps(who: Caller, world: World, patrol: Patrol) -> list[dict[str, Any]]:
    """The gaps of the plan on its day, from all pages."""
    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"area": world.estate["estate_id"], "from": patrol.day, "to": patrol.day}
    while True:
        answer = who.get(query("/patrol/coverage", limit=50, **asked))
        shown = fits(answer.ok(), COVERAGE, answer.where)
        found += [gap for gap in shown["items"] if gap["plan_id"] == patrol.plan["plan_id"]]
        if shown["next_cursor"] is None:
            return found
        asked["cursor"] = shown["next_cursor"]


def _way_seen_for_a_purpose(desk: Desk, path: str) -> None:
    """The desk looks at a colleague's way for a stated purpose only."""
    refuses(lambda who: who.post(f"{path}/track", {"purpose": ""}), desk.community, 422)
    desk.community.get(f"{path}/positions").refused(403, "permission_missing")
    looked = desk.community.post(f"{path}/track", {"purpose": "核查漏巡的点位"})
    shown = fits(looked.ok(), TRACK, looked.where)
    same(len(shown["readings"]), 3, f"{looked.where} → readings: of the visits that had one")
    refuses(
        lambda who: who.post(f"{path}/track", {"purpose": "好奇看看"}), desk.grid, 403, "permission_missing"
    )


def _retire(who: Caller, point: dict[str, Any]) -> None:
    path = f"/patrol/points/{point['point_id']}"
    who.call("PATCH", path, {"retired": True}).refused(428, "version_required")
    version = who.get(path).header("ETag")
    changed = who.call("PATCH", path, {"retired": True}, headers={"If-Match": version})
    fits(fits(changed.ok(), POINT, changed.where)["retired_at"], Time, f"{changed.where} → retired_at")


def heat(_world: World, desk: Desk, patrol: Patrol) -> None:
    """Tickets by grid with small numbers hidden, also against subtraction; grades with what they follow from."""
    hidden = 0
    codes = [row["code"] for row in desk.street.get("/categories").ok()["items"]]
    # Of one day and one class there is little anywhere: small numbers are certain to be among these.
    asks: list[dict[str, str]] = [{}, {"from": patrol.day, "to": patrol.day}]
    asks += [{"from": patrol.day, "to": patrol.day, "category": code} for code in codes[-3:]]
    for asked in asks:
        answer = desk.street.get(query("/patrol/heatmap", **asked))
        shown = fits(answer.ok(), HEAT, answer.where)
        hidden += sum(cell["hidden"] for cell in shown["items"])
        hides_small_numbers(shown, answer.where)
    check(hidden, "/patrol/heatmap", "small numbers, hidden", "none in any answer")
    refuses(lambda who: who.get("/patrol/heatmap?from=2026-02-01&to=2026-01-01"), desk.street, 422)

    for path in ("/patrol/zones", "/patrol/zones/grade"):
        answer = desk.community.call("GET" if path == "/patrol/zones" else "POST", path)
        zones = fits(answer.ok(), page(ZONE), answer.where)["items"]
        check(zones, answer.where, "the grids of the community", zones)
    for zone in zones:
        fits(zone["grade"], ZONE["grade"].spec, "a zone that was graded just now")  # type: ignore[attr-defined]
        follows(zone["grade"])
    refuses(lambda who: who.post("/patrol/zones/grade"), desk.grid, 403, "permission_missing")


def hides_small_numbers(shown: dict[str, Any], where: str) -> None:
    """Check that no small number is shown, nor follows from what is shown."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for cell in (*shown["items"], *shown["communities"], shown["totals"], shown["without_grid"]):
        same(cell["hidden"], cell["n"] is None, f"{where}: hidden is null")
    for cell in shown["items"]:
        check(cell["hidden"] or cell["n"] >= SMALL, where, f"no cell below {SMALL}", cell)
        groups.setdefault(cell["community"], []).append(cell)
    for community in shown["communities"]:
        cells = groups[community["community"]]
        unknown = [cell for cell in cells if cell["hidden"]]
        check(
            len(unknown) != 1 or community["hidden"],
            where,
            "no single hidden cell beside a total that gives it away",
            (community, cells),
        )
        if not unknown and not community["hidden"]:
            same(
                sum(cell["n"] for cell in cells), community["n"], f"{where}: sum of {community['community']}"
            )
    if any(community["hidden"] for community in shown["communities"]):
        same(shown["totals"]["hidden"], True, f"{where}: total over a hidden one")


def follows(grade: dict[str, Any]) -> None:
    """Recompute the grade from what it is said to follow from."""
    density = grade["numerator"] * grade["per"]
    expected = "low"
    if density >= grade["regular_from"] * grade["denominator"]:
        expected = "regular"
    if density >= grade["key_from"] * grade["denominator"]:
        expected = "key"
    same(grade["grade"], expected, f"grade of a zone from {grade}")
