"""Smoke steps: a small register is imported, its owners bind, staff approve and refuse, a house is sold."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tools.smoke_contract import Bool, Count, Id, Masked, Maybe, Text, Time, fits, one_of, page
from tools.smoke_desk import Desk
from tools.smoke_http import Answer, Caller, Deviation, check, multipart, same, until
from tools.smoke_world import World, refuses

Status = one_of("pending", "verified", "refused", "ended")
VOTE = {"may": Bool, "why_not": Maybe(Text), "held_until": Maybe(Time)}
MEMBERSHIP = {
    **dict.fromkeys(("membership_id", "house_id", "estate_id"), Id),
    **dict.fromkeys(("estate", "number", "relation", "name_masked"), Text),
    "status": Status,
    "voter_level": Maybe(one_of("strong", "weak", "suspended")),
    "vote": VOTE,
    "created_at": Time,
}
REVIEWED = {
    "membership_id": Id,
    "status": Status,
    "voter_level": Maybe(Text),
    "missing": [{"code": Text, "text": Text}],
    "evidence": [{"file_id": Id, "kind": Text, "by": Text, "attached_at": Time, "url": Text}],
    "told": [{"phone_masked": Maybe(Masked), "reached": Bool}],
    "vote": VOTE,
}
COUNTS = dict.fromkeys(
    ("rows", "new", "changed", "unchanged", "conflicting", "bad", "transfers"),
    Count,
)
OWNERS = dict.fromkeys(("owners", "bound", "weak", "waiting", "unbound", "reachable", "to_visit"), Count)
DEED = b"%PDF-1.7\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _phone() -> str:
    return f"135{secrets.randbelow(10**8):08d}"


def _id_number() -> str:
    """A made-up one of this run, with its check digit (GB 11643)."""
    first = (
        f"500105{1950 + secrets.randbelow(50)}{1 + secrets.randbelow(12):02d}15{secrets.randbelow(1000):03d}"
    )
    return first + "10X98765432"[sum(int(c) * w for c, w in zip(first, WEIGHTS, strict=True)) % 11]


@dataclass
class Registry:
    """What this run put into the registry."""

    clerk: Caller = field(init=False)
    estate_id: str = ""
    building: str = field(default_factory=lambda: f"{100_000 + secrets.randbelow(800_000)}栋")
    phones: list[str] = field(default_factory=lambda: [_phone() for _ in range(4)])
    number: str = field(default_factory=_id_number)
    wang: str = field(
        default_factory=lambda: "王" + "".join(chr(0x4E00 + secrets.randbelow(5000)) for _ in "ab")
    )
    """A name of this run: wrong tries are counted by name, and those of other runs must not lock this one out."""
    houses: dict[str, str] = field(default_factory=dict)
    zhang: Caller = field(init=False)
    li: Caller = field(init=False)
    his: str = ""
    hers: str = ""

    def register(self, owner: str) -> bytes:
        """As the property office has it: 101 is `owner`'s and Li's, 102 Wang's."""
        rows = [
            "楼栋,房号,用途,产权登记面积,业主姓名,联系电话,身份证号",
            f"{self.building},101,住宅,88.50,{owner},{self.phones[0]}、{self.phones[1]},",
            f"{self.building},102,住宅,102.30,{self.wang},{self.phones[2]},{self.number}",
        ]
        return ("\ufeff" + "\r\n".join(rows) + "\r\n").encode()


def person(world: World, who: str, phone: str | None) -> Caller:
    """Somebody of this run who has logged in; WeChat has verified the phone."""
    caller = world.log_in(who)
    if phone is not None:
        minted = world.sandbox.post("/codes", {"name": caller.name, "kind": "phone", "phone": phone})
        caller.post("/session/phone", {"code": minted.ok()["code"]}).ok()
    return caller


def _send(clerk: Caller, data: bytes, estate_id: str) -> dict[str, Any]:
    kind, body = multipart({"source": "community", "estate_id": estate_id}, "台账.csv", data)
    answer = clerk.call("POST", "/registry/imports", raw=body, headers={"Content-Type": kind})
    job = fits(answer.ok(202), {"job_id": Id, "status_url": Text}, answer.where)
    return until(
        lambda: clerk.get(f"/registry/imports/{job['job_id']}").ok(),
        lambda seen: seen["state"] not in {"reading", "applying"},
        "a register that is read",
        60,
    )


def load_file(clerk: Caller, data: bytes, estate_id: str) -> dict[str, Any]:
    """Import a register without mistakes and apply it."""
    seen = _send(clerk, data, estate_id)
    same((seen["state"], seen["problems_total"]), ("previewed", 0), "a register without mistakes")
    clerk.post(f"/registry/imports/{seen['import_id']}/apply", {}).ok(202)
    return until(
        lambda: clerk.get(f"/registry/imports/{seen['import_id']}").ok(),
        lambda now: now["state"] == "applied",
        "a register that is applied",
        60,
    )


def load(world: World, _: Desk, registry: Registry) -> None:
    """A register is previewed, applied, found unchanged; a bad cell is named; houses are found by room and phone."""
    for clerk in world.staff.of("community"):
        if clerk.get(f"/estates/{world.estate['estate_id']}/houses").status == 200:
            registry.clerk, registry.estate_id = clerk, world.estate["estate_id"]
            break
    else:
        raise Deviation("expected a community desk that governs the estate, got none")
    clerk, data = registry.clerk, registry.register("张三、李四")
    bad = _send(clerk, data.replace(registry.number.encode(), b"500105199913990001"), registry.estate_id)
    same(bad["counts"]["bad"], 1, "rows with an ID number that can't be")
    same([(p["row"], p["column"]) for p in bad["problems"]], [(3, "G")], "the cell that is named")
    done = load_file(clerk, data, registry.estate_id)
    fits(done["counts"], COUNTS, "counts of an import")
    same((done["counts"]["rows"], done["counts"]["new"]), (2, 2), "rows, and how many are new")
    again = _send(clerk, data, registry.estate_id)
    same((again["counts"]["unchanged"], again["counts"]["changed"]), (2, 0), "the same register again")
    for room in ("101", "102"):
        path = f"/estates/{registry.estate_id}/houses?building={registry.building}&room={room}"
        found = listed(clerk, path)
        same(len(found), 1, f"houses {room} of the building")
        registry.houses[room] = found[0]["house_id"]
    by_phone = listed(clerk, f"/estates/{registry.estate_id}/houses?phone={registry.phones[1]}")
    same([h["house_id"] for h in by_phone], [registry.houses["101"]], "the house of a phone")
    shown = [o["name_masked"] for o in by_phone[0]["owners"]]
    same(shown, ["张*", "李*"], "owners as the desk sees them")


def listed(clerk: Caller, path: str) -> list[dict[str, Any]]:
    """The items of a list."""
    found: list[dict[str, Any]] = clerk.get(quote(path, safe="/?&=")).ok()["items"]
    return found


def ask_to_bind(who: Caller, house: str, name: str, **more: Any) -> Answer:
    """Ask for a house as its owner."""
    return who.post("/memberships", {"house_id": house, "relation": "owner", "name": name} | more)


def bind(world: World, _: Desk, registry: Registry) -> None:
    """The registered phone gives a vote, name and number information, and all that fails looks the same."""
    registry.zhang = person(world, "zhang", registry.phones[0])
    registry.li = person(world, "li-owner", registry.phones[1])
    home = registry.houses["101"]
    first = ask_to_bind(registry.zhang, home, "张三")
    made = fits(first.ok(201), MEMBERSHIP, first.where)
    registry.his = made["membership_id"]
    same((made["voter_level"], made["vote"]["may"]), ("strong", True), "the owner with her phone")
    same(registry.zhang.get(f"/memberships/{registry.his}").ok(), made, "my membership")
    same(world.newest(registry.li), "membership_new", "what the co-owner is told")
    refuses(lambda who: ask_to_bind(who, home, "张三"), registry.zhang, 409, "already_member")
    wang = person(world, "wang-owner", None)
    weak = ask_to_bind(wang, registry.houses["102"], registry.wang, id_number_last6=registry.number[-6:]).ok(
        201
    )
    same((weak["voter_level"], weak["vote"]["why_not"]), ("weak", "weak_identity"), "name and last six")
    answers = [
        ask_to_bind(world.log_in(f"stranger{at}"), registry.houses["102"], name, id_number_last6=tail)
        for at, (name, tail) in enumerate(((registry.wang, "123456"), ("赵六", registry.number[-6:])))
    ]
    for answer in answers:
        same(answer.ok(202).get("status"), "pending", f"{answer.where}: a match that failed")
    same(len({len(answer.body) for answer in answers}), 1, "sizes of what failed")
    her = ask_to_bind(registry.li, home, "李四").ok(201)
    registry.hers = her["membership_id"]
    refuses(lambda who: who.get(f"/memberships/{registry.his}"), wang, 404)
    homes = registry.zhang.get("/home").ok()["memberships"]
    same([m["membership_id"] for m in homes], [registry.his], "my house on the first screen")
    report = {"text": "楼道灯不亮", "client_token": secrets.token_hex(12)}
    registry.zhang.post("/tickets", report).ok(201)


def review(world: World, _: Desk, registry: Registry) -> None:
    """Papers give a vote, a refusal a reason for staff alone; an objection takes the vote until staff decide."""
    clerk, home = registry.clerk, registry.houses["102"]
    wang = person(world, "wang-papers", None)
    kind, body = multipart({"purpose": "evidence"}, "房产证.pdf", DEED)
    deed = wang.call("POST", "/files", raw=body, headers={"Content-Type": kind}).ok(201)["file_id"]
    asked = ask_to_bind(wang, home, registry.wang, evidence_file_ids=[deed]).ok(202)["membership_id"]
    thief = world.log_in("thief")
    wrong = ask_to_bind(thief, home, registry.wang).ok(202)["membership_id"]
    shown_now = clerk.get(f"/memberships?status=pending&house_id={home}")
    waiting = [
        m["membership_id"]
        for m in fits(shown_now.ok(), page({"membership_id": Id, "status": Status}), shown_now.where)["items"]
    ]
    check({asked, wrong} <= set(waiting), shown_now.where, "both requests", waiting)
    seen = clerk.get(f"/memberships/{asked}")
    shown = fits(seen.ok(), REVIEWED, seen.where)
    paper = clerk.call("POST", shown["evidence"][0]["url"])
    same((paper.status, paper.body), (200, DEED), "the paper as it was uploaded")
    approved = clerk.post(f"/memberships/{asked}/approve", {"voter_level": "strong"}).ok()
    same((approved["status"], approved["voter_level"]), ("verified", "strong"), "with papers")
    refuses(lambda who: who.post(f"/memberships/{wrong}/refuse", {}), clerk, 422, "reason_needed")
    clerk.post(f"/memberships/{wrong}/refuse", {"reason": "冒用他人姓名"}).ok()
    refused = thief.get(f"/memberships/{wrong}")
    same(refused.ok()["status"], "refused", refused.where)
    check("冒用".encode() not in refused.body, refused.where, "no reason for the resident", refused.body)
    refuses(lambda who: who.get(f"/memberships/{asked}"), next(world.staff.of("property")), 403)
    registry.li.post(f"/memberships/{registry.his}/objections", {"text": "不是他本人"}).ok()
    held = registry.zhang.get(f"/memberships/{registry.his}").ok()
    same((held["voter_level"], held["vote"]["may"]), ("suspended", False), "while it is objected to")
    clerk.post(f"/memberships/{registry.his}/approve", {"reason": "已当面核实"}).ok()
    same(world.newest(registry.li), "objection_settled", "what the one who objected is told")


def sell(world: World, _: Desk, registry: Registry) -> None:
    """Co-owners choose who votes; a sale ends the seller's membership; the drive counts who is bound."""
    clerk, home = registry.clerk, registry.houses["101"]
    resident = registry.li.get("/me").ok()["id"]
    path = f"/houses/{home}/voter"
    same(registry.zhang.call("PUT", path, {"resident": resident}).ok()["agreed"], False, "one of two")
    same(registry.li.call("PUT", path, {"resident": resident}).ok()["agreed"], True, "both")
    owners = clerk.get(f"/houses/{home}").ok()["owners"]
    same([o["is_voter"] for o in owners], [False, True], "who votes, at the desk")
    drive = clerk.get(f"/estates/{registry.estate_id}/registration")
    figures = fits(drive.ok(), {"total": OWNERS, "buildings": [{"building": Text, **OWNERS}]}, drive.where)
    mine = next(b for b in figures["buildings"] if b["building"] == registry.building)
    same((mine["owners"], mine["bound"]), (3, 3), "owners of the building, and those bound")
    buyer = {"name": "钱七", "phone": registry.phones[3]}
    clerk.post(f"/houses/{home}/transfer", {"owners": [buyer]}).ok()
    for who, membership in ((registry.zhang, registry.his), (registry.li, registry.hers)):
        same(who.get(f"/memberships/{membership}").ok()["status"], "ended", "the seller's membership")
        same(world.newest(who), "membership_ended", "what the seller is told")
    same(ask_to_bind(registry.zhang, home, "张三").status, 202, "the seller's phone after the sale")
    qian = person(world, "qian", registry.phones[3])
    same(ask_to_bind(qian, home, "钱七").ok(201)["voter_level"], "strong", "the buyer")
