"""Smoke steps: staff take the ticket from the desk to its end, and an anonymous one past the property company."""

from __future__ import annotations

import functools
import json
import secrets
from dataclasses import dataclass
from typing import Any

from tools.smoke_contract import (
    FILE,
    RATING,
    STAFF,
    STAFF_ROW,
    STAFF_TICKET,
    TICKET,
    Id,
    Maybe,
    Text,
    fits,
    page,
)
from tools.smoke_http import Answer, Caller, check, same, together, until
from tools.smoke_photos import LAMP, stands_at_lamp
from tools.smoke_report import path_of, shown, upload
from tools.smoke_world import World, pages, query, refuses, revalidates

LISTS = {
    "/areas": {"community": Text, "estate_id": Id, "name": Text},
    "/grids": {"grid_id": Id, "code": Text, "name": Text},
    "/orgs": {"org_id": Id, "kind": Text, "name": Text, "region": Text, "phone": Maybe(Text)},
    "/categories": {"code": Text, "name": Text},
}


@dataclass
class Office:
    """The three administrators."""

    system: Caller
    security: Caller
    auditor: Caller


class Desk:
    """Who handles the first ticket; found by asking, not by knowing the demonstration's names."""

    def __init__(self) -> None:
        """Nobody is known before `log_in`."""
        self.community: Caller
        self.street: Caller
        self.grid: Caller
        self.property: Caller
        self.org: dict[str, Any] = {}
        self.office: Office


def log_in(world: World, desk: Desk) -> None:
    """Staff log in with a bearer token; who may see the ticket is found by asking."""
    world.staff.learn()
    wrong = {"account": f"nobody-{world.suffix}", "password": secrets.token_hex(8), "mode": "token"}
    refuses(lambda who: who.post("/admin/api/v1/session", wrong), world.visitor, 401, "login_refused")
    refuses(lambda who: who.get("/admin/api/v1/tickets"), world.visitor, 401)
    refuses(lambda who: who.get("/admin/api/v1/tickets"), world.wang, 401)
    desk.community = world.staff.who_sees("community", world.ticket_id)
    desk.street = world.staff.who_sees("street", world.ticket_id)
    desk.grid = world.staff.who_sees("grid", world.ticket_id)
    me = fits(desk.community.get("/me").ok(), STAFF, "GET /admin/api/v1/me")
    same(me["account"], desk.community.name, "/me → account")
    for path, item in LISTS.items():
        found = fits(revalidates(desk.community, path), page(item), f"GET /admin/api/v1{path}")["items"]
        check(found, path, "at least one", found)
    areas = [row["estate_id"] for row in desk.community.get("/areas").ok()["items"]]
    check(world.estate["estate_id"] in areas, "/areas", world.estate["estate_id"], areas)
    buildings = desk.community.get(query("/buildings", estate_id=world.estate["estate_id"]))
    fits(buildings.ok(), page({"building_id": Id, "name": Text}), buildings.where)
    world.wang.get(f"/admin/api/v1/tickets/{world.ticket_id}").refused(401)
    same(
        Caller(world.site, "/bff/v1", desk.community.token).get("/home").status,
        401,
        "a staff token as a resident",
    )


def board(world: World, desk: Desk) -> None:
    """The ticket stands on the boards of those who may see it and on no other."""
    path = query("/tickets", status="received", area=world.estate["estate_id"], limit=100)
    rows = fits(desk.community.get(path).ok(), page(STAFF_ROW), path)["items"]
    check(world.ticket_id in [row["ticket_id"] for row in rows], path, world.ticket_id, "it is not there")
    path = query("/tickets", q=world.ticket_number)
    same([r["ticket_id"] for r in desk.community.get(path).ok()["items"]], [world.ticket_id], path)
    path = query("/tickets", q=world.suffix, category=world.category, overdue="false")
    same([r["ticket_id"] for r in desk.street.get(path).ok()["items"]], [world.ticket_id], path)
    pages(desk.community, "/tickets", 50, lambda row: str(row["ticket_id"]))
    for bad in ("status=lost", "area=nowhere", "assigned_to=nobody", "limit=1000", "cursor=%00"):
        refuses(functools.partial(_get, path=f"/tickets?{bad}"), desk.community, 422)
    here = f"/tickets/{world.ticket_id}"
    outside = [who for who in world.staff.of("community") if who.get(here).status == 404]
    check(outside, "staff of other communities", "at least one who doesn't see the ticket", "none")
    for who in (*outside, *world.staff.of("property")):
        who.get(here).refused(404, "not_found")
        who.post(f"{here}/start").refused(404, "not_found")
        same(who.get(query("/tickets", q=world.ticket_number)).ok()["items"], [], f"search of {who.name}")
    for who in outside:
        refuses(lambda caller: caller.post(f"{here}/accept"), who, 404, "not_found")


def _get(who: Caller, *, path: str) -> Answer:
    return who.get(path)


def read_by_staff(world: World, desk: Desk) -> None:
    """What the desk sees: reporter, photos with time and position, WeChat's verdict on words and pictures."""
    path = f"/tickets/{world.ticket_id}"
    ticket = fits(revalidates(desk.community, path), STAFF_TICKET, f"GET /admin/api/v1{path}")
    stands_at_lamp(ticket["location"], f"{path} → location", 1.0)
    same(ticket["channel"], "mini_program", f"{path} → channel")
    same(ticket["reporter"]["anonymous"], False, f"{path} → reporter → anonymous")
    same(ticket["reporter"]["name"], world.nickname, f"{path} → reporter → name")
    for photo in ticket["photos"]:
        same(photo["taken_at"], "2026-09-01T20:15:00+08:00", f"{path} → photos → taken_at")
    _positions(desk.community, world.ticket_id, shown_to="community")
    _positions(desk.street, world.ticket_id, shown_to="street")
    check("accept" in ticket["moves"], f"{path} → moves", "accept", ticket["moves"])
    until(
        lambda: desk.community.get(path).ok()["text_check"],
        lambda s: s == "passed",
        "the text passes WeChat's check",
    )
    until(
        lambda: [photo["check_state"] for photo in desk.community.get(path).ok()["photos"]],
        lambda found: set(found) == {"passed"},
        "the photos pass WeChat's check",
    )
    shown(world, ticket["photos"][0]["url"], 1600, "picture as the desk sees it")
    review = desk.community.get("/photos/review")
    review.ok()


def _positions(who: Caller, ticket: str, *, shown_to: str | None) -> None:
    """Where the photos were taken is there for street and community, and for nobody else."""
    for photo in who.get(f"/tickets/{ticket}").ok()["photos"]:
        if photo["stage"] == "before" and shown_to:
            check(photo["position"], f"photos → position for {shown_to}", "the lamp", photo)
            stands_at_lamp(photo["position"], f"photos → position for {shown_to}")
        else:
            same(photo["position"], None, f"photos → position for {who.name}")


# --- one move, and what everybody sees after it ---------------------------------------------------------------


def _moved(answer: Answer, status: str) -> dict[str, Any]:
    """The whole object, in its new state."""
    ticket: dict[str, Any] = fits(answer.ok(), STAFF_TICKET, answer.where)
    same(ticket["status"], status, f"{answer.where} → status")
    return ticket


def _after(
    world: World, *, status: str, event: str, told: str | None, clock: str | None = None
) -> dict[str, Any]:
    """What the resident sees after a step: state, timeline, one message, one more unread on her first screen."""
    path = f"/tickets/{world.ticket_id}"
    ticket: dict[str, Any] = fits(world.wang.get(path).ok(), TICKET, f"GET /bff/v1{path}")
    same(ticket["status"], status, f"{path} after {event} → status")
    events = ticket["timeline"]
    same(events[-1]["kind"], event, f"{path} after {event} → last of the timeline")
    same(events[-1]["status"], status, f"{path} after {event} → status of the event")
    numbers = [entry["seq"] for entry in events]
    same(numbers, sorted(set(numbers)), f"{path} → timeline → seq, rising")
    if clock:
        check(ticket["clocks"][clock], f"{path} after {event} → clocks", clock, ticket["clocks"])
    if told:
        world.told.append(told)
    messages = [m for m in world.inbox(world.wang) if m["target"] and m["target"]["id"] == world.ticket_id]
    same([m["kind"] for m in messages][::-1], world.told, f"messages after {event}")
    unread = sum(m["read_at"] is None for m in world.inbox(world.wang))
    same(world.wang.get("/home").ok()["unread"], unread, f"/home → unread after {event}")
    return ticket


def accept(world: World, desk: Desk) -> None:
    """受理, once, by the version that was read."""
    path = f"/tickets/{world.ticket_id}"
    version = desk.community.get(path).ok()["version"]
    refuses(lambda who: who.post(f"{path}/accept", If_Match='"999"'), desk.community, 412, "stale_version")
    _moved(desk.community.post(f"{path}/accept", If_Match=f'"{version}"'), "accepted")
    said = refuses(lambda who: who.post(f"{path}/accept"), desk.community, 409, "illegal_move")
    check("dispatch" in said.get("allowed", []), "409 illegal_move", "allowed with dispatch", said)
    _after(world, status="accepted", event="accept", told="ticket_accepted", clock="accepted_at")


def dispatch(world: World, desk: Desk) -> None:
    """派单 by category and place; of two dispatchers at once one wins and the other is told."""
    path = f"/tickets/{world.ticket_id}"
    desk.org = desk.community.get(path).ok()["suggested_org"]
    check(desk.org, path, "a suggested_org", desk.org)
    refuses(lambda who: who.post(f"{path}/dispatch", {"org_id": "org_nothing"}), desk.community, 422)
    refuses(lambda who: who.post(f"{path}/dispatch", {"org_id": None, "note": "灯" * 5000}), desk.street, 422)
    both = together(
        lambda: desk.community.post(f"{path}/dispatch", {}), lambda: desk.street.post(f"{path}/dispatch", {})
    )
    same(sorted(answer.status for answer in both), [200, 409], "statuses of two dispatchers at once")
    won, lost = sorted(both, key=lambda answer: answer.status)
    ticket = _moved(won, "dispatched")
    same(ticket["org"], desk.org["name"], "the organisation it went to")
    said = lost.refused(409, "illegal_move")
    check("start" in said.get("allowed", []), "409 illegal_move", "allowed with start", said)
    seen = _after(
        world, status="dispatched", event="dispatch", told="ticket_dispatched", clock="dispatched_at"
    )
    same(seen["handler"], desk.org["name"], f"{path} → handler")
    desk.property = world.staff.of_org("property", desk.org["org_id"])


def start(world: World, desk: Desk) -> None:
    """开始处理, by the property company, which sees neither where a photo was taken nor more than its part."""
    path = f"/tickets/{world.ticket_id}"
    fits(desk.property.get(path).ok(), STAFF_TICKET, f"GET /admin/api/v1{path} by the property company")
    _positions(desk.property, world.ticket_id, shown_to=None)
    refuses(lambda who: who.post(f"{path}/accept"), desk.property, 403, "permission_missing")
    refuses(lambda who: who.post(f"{path}/close"), desk.property, 403, "permission_missing")
    refuses(lambda who: who.post(f"{path}/resolve", {"note": "好了"}), desk.property, 409, "illegal_move")
    _moved(desk.property.post(f"{path}/start"), "in_progress")
    _after(world, status="in_progress", event="start", told="ticket_started", clock="started_at")


def talk(world: World, desk: Desk) -> None:
    """A word to the reporter reaches her, a word among colleagues does not; she answers."""
    path, secret = f"/tickets/{world.ticket_id}", f"内部{world.suffix}"
    inside = desk.property.post(f"{path}/comment", {"text": secret, "visibility": "internal"})
    _moved(inside, "in_progress")
    same(inside.json["timeline"][-1]["text"], secret, "the internal comment, for staff")
    same(inside.json["timeline"][-1]["visibility"], "internal", "its visibility")
    check(secret not in world.wang.get(path).body.decode(), f"GET /bff/v1{path}", "no internal comment", "it")
    said = {"text": "今晚八点来换灯泡", "visibility": "reporter"}
    _moved(desk.property.post(f"{path}/comment", said), "in_progress")
    ticket = _after(world, status="in_progress", event="comment", told="ticket_commented")
    same(ticket["timeline"][-1]["text"], said["text"], "the comment, for her")
    check(
        secret not in json.dumps(world.inbox(world.wang), ensure_ascii=False),
        "/inbox",
        "no internal comment",
        "it",
    )
    key = {"Idempotency_Key": f"comment-{secrets.token_hex(8)}"}
    for _ in range(2):
        answer = world.wang.post(f"{path}/comments", {"text": "好的，谢谢"}, **key)
        fits(answer.ok(), TICKET, answer.where)
    kinds = [event["kind"] for event in world.wang.get(path).ok()["timeline"]]
    same(kinds.count("comment"), 2, "comments: a repeat with its key is the same one")
    refuses(lambda who: who.post(f"{path}/comments", {"text": ""}), world.wang, 422)
    refuses(lambda who: who.post(f"{path}/comments", {"text": "a\0b"}), world.wang, 422)


def resolve(world: World, desk: Desk) -> None:
    """处理完毕, with a note and a photo of the work."""
    path = f"/tickets/{world.ticket_id}"
    refuses(lambda who: who.post(f"{path}/resolve", {"note": "好了"}), desk.property, 422, "photo_required")
    hers = world.uploads["jpeg"]["photo_id"]
    stolen = {"note": "好了", "photo_ids": [hers]}
    refuses(lambda who: who.post(f"{path}/resolve", stolen), desk.property, 422, "photo_unknown")
    refuses(functools.partial(_upload_text, world=world), desk.property, (415, 422))
    file = desk.property.upload("/files", "after.jpg", world.photos["after.jpg"])
    after = fits(file.ok(201), FILE, file.where)
    done = desk.property.post(f"{path}/resolve", {"note": "已更换灯泡", "photo_ids": [after["file_id"]]})
    ticket = _moved(done, "resolved")
    same([p["stage"] for p in ticket["photos"]].count("after"), 1, "after-photos")
    seen = _after(world, status="resolved", event="resolve", told="ticket_resolved", clock="resolved_at")
    last = [photo for photo in seen["photos"] if photo["stage"] == "after"]
    same(len(last), 1, f"{path} → photos after")
    shown(world, last[0]["url"], 1600, "picture of the repaired lamp")
    same(seen["timeline"][-1]["text"], "已更换灯泡", f"{path} → timeline → text")


def _upload_text(who: Caller, *, world: World) -> Answer:
    return who.upload("/files", "after.jpg", world.photos["text.jpg"])


def verify(world: World, desk: Desk) -> None:
    """核实 on the spot by the grid worker."""
    path = f"/tickets/{world.ticket_id}"
    checked = {"passed": True, "note": "灯亮了"}
    refuses(lambda who: who.post(f"{path}/verify", checked), desk.property, 403, "permission_missing")
    refuses(lambda who: who.post(f"{path}/verify", {"note": "灯亮了"}), desk.grid, 422)
    _moved(desk.grid.post(f"{path}/verify", checked), "verified")
    _after(world, status="verified", event="verify", told="ticket_verified", clock="verified_at")


def close(world: World, desk: Desk) -> None:
    """结案; only then can it be rated."""
    path = f"/tickets/{world.ticket_id}"
    early = {"stars": 5, "solved": True}
    refuses(lambda who: who.post(f"{path}/rating", early), world.wang, 409, "illegal_move")
    refuses(lambda who: who.post(f"{path}/close"), desk.grid, 403, "permission_missing")
    _moved(desk.community.post(f"{path}/close"), "closed")
    ticket = _after(world, status="closed", event="close", told="ticket_closed", clock="closed_at")
    check({"rating", "reopen"} <= set(ticket["can"]), f"{path} → can", "rating and reopen", ticket["can"])
    home = world.wang.get("/home").ok()["open_tickets"]
    check(
        world.ticket_id not in [row["ticket_id"] for row in home],
        "/home → open_tickets",
        "no closed one",
        home,
    )


def rate(world: World, desk: Desk) -> None:
    """The resident rates it, once."""
    path = f"/tickets/{world.ticket_id}"
    for stars in (0, 6, 4.5, "5", None):
        refuses(functools.partial(_rate, path=path, stars=stars), world.wang, 422)
    refuses(functools.partial(_rate, path=path, stars=5), world.li, 404, "not_found")
    rated = world.wang.post(f"{path}/rating", {"stars": 5, "solved": True, "text": "很快"})
    ticket = fits(rated.ok(), {**TICKET, "rating": RATING}, rated.where)
    same((ticket["rating"]["stars"], ticket["rating"]["solved"]), (5, True), f"{path} → rating")
    refuses(functools.partial(_rate, path=path, stars=1), world.wang, 409, "already_rated")
    seen = _after(world, status="closed", event="rating", told=None)
    check("rating" not in seen["can"], f"{path} → can", "no rating any more", seen["can"])
    kinds = [event["kind"] for event in seen["timeline"]]
    before, after = ["report", "accept", "dispatch", "start"], ["resolve", "verify", "close", "rating"]
    same(kinds, [*before, "comment", "comment", *after], f"{path} → the whole timeline")
    at = [event["at"] for event in seen["timeline"]]
    same(at, sorted(at), f"{path} → timeline → at, rising")
    same(desk.community.get(path).ok()["rating"]["stars"], 5, "the rating, for staff")


def _rate(who: Caller, *, path: str, stars: object) -> Answer:
    return who.post(f"{path}/rating", {"stars": stars, "solved": True})


# --- the anonymous report ---------------------------------------------------------------------------------------


def anonymous(world: World, desk: Desk) -> None:
    """Anonymous: street and community know who reported, the property company doesn't, wherever it looks."""
    photo = upload(world, world.wang, "lamp.jpg")
    body = {
        "location": {"lng": LAMP[0], "lat": LAMP[1], "crs": "wgs84"},
        "category": world.category,
        "text": f"又一盏路灯不亮（{world.suffix}）",
        "photo_ids": [photo["photo_id"]],
        "anonymous": True,
        "contact_phone": world.phone,
        "client_token": f"tap-{secrets.token_hex(8)}",
    }
    world.quiet_id = ticket = world.wang.post("/tickets", body).ok(201)["ticket_id"]
    path = f"/tickets/{ticket}"
    hers = world.wang.get(path).ok()
    stands_at_lamp(hers["location"], f"{path} → location of a WGS-84 report")
    same(hers["anonymous"], True, f"{path} → anonymous")
    masked = f"{world.phone[:3]}****{world.phone[-4:]}"
    same(hers["contact_phone_masked"], masked, f"{path} → contact_phone_masked")
    world.wang.post(f"{path}/comments", {"text": "在三号楼后面"}).ok()
    desk.community.post(f"{path}/accept").ok()
    _moved(desk.community.post(f"{path}/dispatch", {"org_id": desk.org["org_id"]}), "dispatched")
    for who in (desk.community, desk.street):
        reporter = who.get(path).ok()["reporter"]
        same(
            reporter,
            {"anonymous": True, "name": world.nickname, "phone_masked": masked},
            f"reporter for {who.name}",
        )
        _positions(who, ticket, shown_to=who.name)
    unmask = {"object": ticket, "fields": ["contact_phone"], "purpose": "回访上报人"}
    same(desk.community.post("/unmask", unmask).ok()["contact_phone"], world.phone, "unmasked phone")
    refuses(lambda who: who.post("/unmask", unmask), desk.property, (403, 404))
    refuses(lambda who: who.post("/unmask", {**unmask, "purpose": ""}), desk.community, 422)

    keeper = desk.property
    seen = _hides(world, keeper.get(path))
    check(
        not (seen["reporter"] or {}).get("name"),
        f"{path} → reporter for the property company",
        "no name",
        seen,
    )
    check(
        not (seen["reporter"] or {}).get("phone_masked"), f"{path} → reporter", "no phone", seen["reporter"]
    )
    _positions(keeper, ticket, shown_to=None)
    listed = _hides(world, keeper.get(query("/tickets", q=world.suffix, limit=100)))
    found = [row["ticket_id"] for row in listed["items"]]
    check(ticket in found, "list of the property company", ticket, found)
    for words in (world.nickname, world.phone, world.phone[-4:], masked):
        rows = _hides(world, keeper.get(query("/tickets", q=words))).get("items", ())
        check(
            ticket not in [row["ticket_id"] for row in rows],
            f"search for {words}",
            "not the anonymous one",
            rows,
        )
    started = _hides(world, keeper.post(f"{path}/start"))
    same(started["status"], "in_progress", "an anonymous ticket, started")
    _hides(world, keeper.post(f"{path}/comment", {"text": "在看", "visibility": "internal"}))
    world.li.get(path).refused(404, "not_found")


def _hides(world: World, answer: Answer) -> dict[str, Any]:
    """Check that the bytes of an answer don't tell who reported; its JSON."""
    body: dict[str, Any] = answer.ok()
    text = answer.body.decode()
    bound = world.wang.get("/me").ok()["phone_masked"]
    masked = f"{world.phone[:3]}****{world.phone[-4:]}"
    for word in (world.nickname, world.phone, masked, bound, world.resident_id, world.wang.name):
        check(word not in text, f"{answer.where} for the property company", "nothing of the reporter", word)
    return body


def sent_back(world: World, desk: Desk) -> None:
    """退单, again to the desk, handled there; nobody confirms her own work; not solved reopens it."""
    path, keeper, community = f"/tickets/{world.quiet_id}", desk.property, desk.community
    refuses(lambda who: who.post(f"{path}/return", {"reason": ""}), keeper, 422)
    _hides(world, keeper.post(f"{path}/return", {"reason": "灯杆归市政管理"}))
    same(world.wang.get(path).ok()["status"], "returned", "status after being sent back")
    own = community.get("/me").ok()["scopes"][0]["org_id"]
    _moved(community.post(f"{path}/dispatch", {"org_id": own, "note": "社区处理"}), "dispatched")
    keeper.get(path).refused(404, "not_found")
    _moved(community.post(f"{path}/start"), "in_progress")
    file = community.upload("/files", "after.jpg", world.photos["after.jpg"]).ok(201)["file_id"]
    _moved(community.post(f"{path}/resolve", {"note": "已报市政并修好", "photo_ids": [file]}), "resolved")
    refuses(lambda who: who.post(f"{path}/verify", {"passed": True}), community, 409, "own_work")
    _moved(desk.street.post(f"{path}/verify", {"passed": False, "note": "还是不亮"}), "in_progress")
    file = community.upload("/files", "after.jpg", world.photos["after.jpg"]).ok(201)["file_id"]
    _moved(community.post(f"{path}/resolve", {"note": "这次亮了", "photo_ids": [file]}), "resolved")
    _moved(desk.street.post(f"{path}/verify", {"passed": True}), "verified")
    _moved(community.post(f"{path}/close"), "closed")
    rated = world.wang.post(f"{path}/rating", {"stars": 2, "solved": False, "text": "又坏了"})
    check(
        rated.ok()["status"] in {"received", "accepted"},
        "rated as not solved",
        "open again",
        rated.json["status"],
    )
    same(community.get(path).ok()["reopened"], 1, "reopened")
    picture = world.visitor.get(path_of(community.get(path).ok()["photos"][0]["url"]))
    same(picture.status, 200, "the photo of the anonymous report, for the desk")
