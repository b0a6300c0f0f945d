"""Smoke steps: a notice to two estates, read by three; the unread list by building is exactly the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tools import smoke_registry
from tools.smoke_contract import Count, Id, Masked, Maybe, Text, Time, fits
from tools.smoke_desk import Desk
from tools.smoke_http import Caller, Deviation, check, multipart, same, until
from tools.smoke_registry import DEED, Registry
from tools.smoke_world import World, refuses

ROW = {
    "notice_id": Id,
    "title": Text,
    "kind_name": Text,
    "areas": [Text],
    "published_at": Time,
    "read_at": Maybe(Time),
}
COVERAGE = {"houses": Count, "bound": Count, "read": Count, "unread": Count}
WAITING = {
    "house_id": Id,
    "estate": Text,
    "building": Text,
    "number": Text,
    "owners": [{"name_masked": Text, "phone_masked": Maybe(Masked)}],
}
ROOMS = ("101", "102", "103")


@dataclass
class Notices:
    """A building of three homes in each of two estates of this run."""

    clerk: Caller = field(init=False)
    estates: list[str] = field(default_factory=list)
    homes: list[Registry] = field(default_factory=lambda: [Registry(), Registry()])
    houses: dict[tuple[int, str], str] = field(default_factory=dict)
    buildings: list[str] = field(default_factory=list)
    readers: list[Caller] = field(default_factory=list)
    notice: str = ""

    def register(self, at: int) -> bytes:
        """Three homes of three owners in a building of this run."""
        of = self.homes[at]
        people = zip(ROOMS, ("张三", "李四", "王五"), of.phones, strict=False)
        rows = [f"{of.building},{room},住宅,90.00,{name},{phone}," for room, name, phone in people]
        head = "楼栋,房号,用途,产权登记面积,业主姓名,联系电话,身份证号"
        return ("\ufeff" + "\r\n".join([head, *rows]) + "\r\n").encode()


def _told(world: World, who: Caller, kind: str) -> None:
    until(lambda: world.newest(who), lambda newest: newest == kind, f"the message {kind}", 60)


def publish(world: World, _: Desk, told: Notices) -> None:
    """Two estates of one community get homes; a draft is published to a building in each, with a file."""
    first = world.estate["estate_id"]
    for clerk in world.staff.of("community"):
        if clerk.get(f"/estates/{first}/houses").status == 200:
            told.clerk = clerk
            break
    else:
        raise Deviation("expected a community desk that governs the estate, got none")
    clerk = told.clerk
    others = [a["estate_id"] for a in clerk.get("/areas").ok()["items"] if a["estate_id"] != first]
    told.estates = [first, others[0]]
    for at, estate in enumerate(told.estates):
        building = told.homes[at].building
        smoke_registry.load_file(clerk, told.register(at), estate)
        for room in ROOMS:
            path = quote(f"/estates/{estate}/houses?building={building}&room={room}", safe="/?&=")
            told.houses[at, room] = clerk.get(path).ok()["items"][0]["house_id"]
        found = clerk.get(f"/buildings?estate_id={estate}").ok()["items"]
        told.buildings += [b["building_id"] for b in found if b["name"] == building]
    for at, room, name, phone in (
        (0, "101", "张三", told.homes[0].phones[0]),
        (0, "102", "李四", told.homes[0].phones[1]),
        (1, "101", "张三", told.homes[1].phones[0]),
    ):
        who = smoke_registry.person(world, f"reader{at}{room}", phone)
        smoke_registry.ask_to_bind(who, told.houses[at, room], name).ok(201)
        told.readers.append(who)
    kind, body = multipart({"purpose": "evidence"}, "通知.pdf", DEED)
    file = clerk.call("POST", "/files", raw=body, headers={"Content-Type": kind}).ok(201)["file_id"]
    draft = {
        "kind": "works",
        "title": "停水通知",
        "text": "周三停水。",
        "area_ids": told.buildings,
        "file_ids": [file],
    }
    refuses(lambda who: who.post("/notices", draft | {"text": "<b>停水</b>"}), clerk, 422, "not_plain_text")
    made = clerk.post("/notices", draft).ok(201)
    told.notice = made["notice_id"]
    path = f"/notices/{told.notice}"
    refuses(lambda who: who.get(path), told.readers[0], 404)
    out = clerk.call("POST", f"{path}/publish", headers={"If-Match": f'"{made["version"]}"'}).ok()
    same((out["status"], out["reach"]["houses"]), ("published", 6), "a notice to two estates")
    _told(world, told.readers[0], "notice_published")


def read(world: World, _: Desk, told: Notices) -> None:
    """Three read it, once each; a stranger isn't counted; the file is the one that was sent."""
    path = f"/notices/{told.notice}"
    listed = told.readers[0].get(f"/notices?estate_id={told.estates[0]}")
    row = next(r for r in listed.ok()["items"] if r["notice_id"] == told.notice)
    fits(row, ROW, listed.where)
    same((row["for_me"], row["read_at"]), (True, None), "a notice for me, not read")
    for who in told.readers:
        seen = who.get(path).ok()
        same(who.call("GET", seen["files"][0]["url"]).body, DEED, "the file of the notice")
        first = who.post(f"{path}/read", {}).ok()
        same(who.post(f"{path}/read", {}).ok(), first, "reading it twice")
    same(world.log_in("passer-by").post(f"{path}/read", {}).ok()["is_counted"], False, "a stranger's reading")
    home = told.readers[0].get(f"/home?estate_id={told.estates[0]}").ok()
    check(home["notices"][0]["read_at"], "/home", "the latest notice, read", home["notices"][:1])


def unread(_: World, __: Desk, told: Notices) -> None:
    """By building, and the houses in which nobody has read it: exactly the other three."""
    path = f"/notices/{told.notice}/unread"
    counted = told.clerk.get(f"{path}?by=building")
    shown = counted.ok()
    fits(shown["total"], COVERAGE, counted.where)
    same(shown["total"], {"houses": 6, "bound": 3, "read": 3, "unread": 3}, "how far it has come")
    by_building = {row["building_id"]: row["unread"] for row in shown["items"]}
    same([by_building[building] for building in told.buildings], [1, 2], "unread by building")
    waiting: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = told.clerk.get(f"{path}?by=house&limit=2{cursor}")
        waiting += page.ok()["items"]
        if page.ok()["next_cursor"] is None:
            break
        cursor = f"&cursor={page.ok()['next_cursor']}"
    for row in waiting:
        fits(row, WAITING, path)
    rest = {told.houses[key] for key in ((0, "103"), (1, "102"), (1, "103"))}
    same({row["house_id"] for row in waiting}, rest, "the houses in which nobody has read it")


def correct(world: World, _: Desk, told: Notices) -> None:
    """A correction says why and keeps what was read before; a withdrawal leaves the reason."""
    path, anything = f"/notices/{told.notice}", {"If-Match": "*"}
    refused = told.clerk.call("PATCH", path, {"text": "周四停水。"}, headers=anything)
    same((refused.status, refused.json["code"]), (422, "correction_reason_missing"), "without a reason")
    body = {"text": "周四停水。", "reason": "日期写错"}
    told.clerk.call("PATCH", path, body, headers=anything).ok()
    _told(world, told.readers[0], "notice_corrected")
    seen = told.readers[0].get(path).ok()
    same([c["text"] for c in seen["corrections"]], ["周三停水。", "周四停水。"], "both versions")
    told.clerk.post(f"{path}/withdraw", {"reason": "改期，另行通知"}).ok()
    gone = told.readers[0].get(path).ok()
    same(
        (gone["status"], gone["text"], gone["withdrawal"]), ("withdrawn", None, "改期，另行通知"), "withdrawn"
    )
