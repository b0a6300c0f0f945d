"""Smoke steps: owners decide: announced, opened, voted online, on paper and by proxy, certified, verified offline."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tools import smoke_registry
from tools.smoke_contract import Count, Id, Text, Time, fits
from tools.smoke_desk import Desk
from tools.smoke_http import Caller, Deviation, check, multipart, same, until
from tools.smoke_photos import TOP
from tools.smoke_registry import DEED, Registry
from tools.smoke_world import World, refuses

DECISION = {"decision_id": Id, "status": Text, "legal_mode": Text, "opens_at": Time, "closes_at": Time}
BALLOT = {"receipt": Text, "promise": {"key_id": Text, "signature": Text}, "opening": {"rev": Count}}
TURNOUT = {"heads": {"cast": Count, "total": Count, "needed": Count}, "area": {"cast": Count, "total": Count}}


@dataclass
class Voting:
    """One vote of a building of three homes."""

    clerk: Caller = field(init=False)
    street: Caller = field(init=False)
    owners: Registry = field(default_factory=Registry)
    zhang: Caller = field(init=False)
    friend: Caller = field(init=False)
    stranger: Caller = field(init=False)
    decision: str = ""
    motion: str = ""
    heads: dict[str, str] = field(default_factory=dict)
    receipt: dict[str, Any] = field(default_factory=dict)

    def register(self) -> bytes:
        """Three homes of three owners in a building of this run."""
        people = zip(("101", "102", "103"), ("张三", "李四", "王五"), self.owners.phones, strict=False)
        rows = [f"{self.owners.building},{room},住宅,100.00,{name},{phone}," for room, name, phone in people]
        head = "楼栋,房号,用途,产权登记面积,业主姓名,联系电话,身份证号"
        return ("\ufeff" + "\r\n".join([head, *rows]) + "\r\n").encode()

    @property
    def path(self) -> str:
        """Of the decision."""
        return f"/decisions/{self.decision}"


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def _file(who: Caller) -> str:
    kind, body = multipart({"purpose": "evidence"}, "书面表决票.pdf", DEED)
    return str(who.call("POST", "/files", raw=body, headers={"Content-Type": kind}).ok(201)["file_id"])


def announce(world: World, desk: Desk, vote: Voting) -> None:
    """The street admits electronic ballots; the desk drafts, a second person reviews, the desk announces."""
    estate = world.estate["estate_id"]
    vote.street = desk.street
    for clerk in world.staff.of("community"):
        if clerk.get(f"/estates/{estate}/houses").status == 200:
            vote.clerk = clerk
            break
    else:
        raise Deviation("expected a community desk that governs the estate, got none")
    smoke_registry.load_file(vote.clerk, vote.register(), estate)
    document = {"document": "业主大会议事规则", "clause": "第十二条", "adopted_on": "2026-01-01"}
    rules = {"electronic_admitted": True, "disclosure": "by_room_to_owners"}
    adopted = document | {"rules": rules, "file_ids": [_file(vote.street)]}
    vote.street.post(f"/estates/{estate}/procedure-rules", adopted).ok(201)
    mode = {"mode": "paper_backed", "document": "街道〔2026〕1号", "file_ids": [_file(vote.street)]}
    vote.street.post(f"/estates/{estate}/voting-mode", mode).ok(201)
    call(world, vote)


def call(world: World, vote: Voting) -> None:
    """The owners of the vote's building are called to it."""
    estate = world.estate["estate_id"]
    buildings = vote.clerk.get(f"/buildings?estate_id={estate}").ok()["items"]
    mine = [b["building_id"] for b in buildings if b["name"] == vote.owners.building]
    body = {
        "estate_id": estate,
        "kind": "meeting",
        "title": "维修单元门",
        "text": "请本楼业主表决。",
        "motions": [{"title": "使用维修资金", "text": "更换单元门。", "matter": 5}],
        "building_ids": mine,
        "opens_at": _in(25),
        "closes_at": _in(3600),
    }
    drafted = vote.clerk.post("/decisions", body)
    made = fits(drafted.ok(201), DECISION, drafted.where)
    vote.decision = made["decision_id"]
    vote.motion = made["motions"][0]["motion_id"]
    vote.clerk.post(f"{vote.path}/submit", {}).ok()
    refuses(lambda who: who.post(f"{vote.path}/review", {"passed": True}), vote.clerk, 403, "second_person")
    vote.street.post(f"{vote.path}/review", {"passed": True}).ok()
    same(vote.clerk.post(f"{vote.path}/announce", {}).ok()["status"], "announced", "an announced vote")


def open_it(world: World, _: Desk, vote: Voting) -> None:
    """The roll is frozen and the vote opens by its clock; owners bind meanwhile, and nobody votes before it."""
    vote.clerk.post(f"{vote.path}/open", {}).ok(202)
    vote.zhang = smoke_registry.person(world, "zhang-voter", vote.owners.phones[0])
    home = smoke_registry.listed(
        vote.clerk,
        f"/estates/{world.estate['estate_id']}/houses?building={vote.owners.building}&room=101",
    )[0]["house_id"]
    bound = smoke_registry.ask_to_bind(vote.zhang, home, "张三").ok(201)
    same(bound["voter_level"], "strong", "the owner with her phone")
    vote.stranger = world.log_in("no-owner")
    until(
        lambda: vote.clerk.get(vote.path).ok(),
        lambda seen: seen["status"] == "open",
        "a vote that is open",
        60,
    )
    roll = vote.clerk.get(f"{vote.path}/roll").ok()["items"]
    same(len(roll), 3, "heads on the roll")
    vote.heads = {head["label"][-3:]: head["head_id"] for head in roll}


def cast(world: World, _: Desk, vote: Voting) -> None:
    """One votes online, one signs a sheet that two people read, one sends a friend with an authorisation."""
    choices = {"choices": {vote.motion: "for"}}
    mine = f"{vote.path}/heads/{vote.heads['101']}/ballot"
    first = vote.zhang.call("PUT", mine, choices)
    fits(first.ok(201), BALLOT, first.where)
    same(vote.zhang.call("PUT", mine, choices).status, 200, "the same ballot again")
    other = {"choices": {vote.motion: "against"}}
    refuses(lambda who: who.call("PUT", mine, other), vote.zhang, 409, "already_voted")
    check(
        vote.stranger.call("PUT", mine, choices).status in {404, 409}, mine, "no ballot of a stranger", "one"
    )

    sheet = {"head_id": vote.heads["102"], "file_ids": [_file(vote.clerk)]} | other
    entered = vote.clerk.post(f"{vote.path}/paper-ballots", sheet).ok(201)["paper_id"]
    confirm = f"/paper-ballots/{entered}/confirm"
    refuses(lambda who: who.post(confirm, {}), vote.clerk, (403, 409), "second_person")
    same(vote.street.post(confirm, {}).ok()["status"], "confirmed", "a sheet that two people read")

    phone = vote.owners.phones[3]
    vote.friend = smoke_registry.person(world, "friend", phone)
    authorised = {
        "head_id": vote.heads["103"],
        "name": "赵六",
        "phone": phone,
        "file_ids": [_file(vote.clerk)],
    }
    proxy = vote.clerk.post(f"{vote.path}/proxies", authorised).ok(201)["proxy_id"]
    vote.street.post(f"/proxies/{proxy}/approve", {}).ok()
    for_him = f"{vote.path}/heads/{vote.heads['103']}/ballot"
    vote.friend.call("PUT", for_him, choices).ok(201)

    turnout = vote.clerk.get(f"{vote.path}/turnout")
    shown = fits(turnout.ok(), TURNOUT, turnout.where)
    same((shown["heads"]["cast"], shown["heads"]["needed"]), (3, 0), "how many have voted")
    refuses(lambda who: who.get(f"{vote.path}/result"), vote.zhang, 404, "not_certified")


def certify(_: World, __: Desk, vote: Voting) -> None:
    """All have voted, so it may be closed; who announced it doesn't certify it; the owner reads the arithmetic."""
    same(vote.clerk.post(f"{vote.path}/close", {}).ok()["status"], "closed", "a closed vote")
    refuses(lambda who: who.post(f"{vote.path}/certify"), vote.clerk, 403, "second_person")
    done = until(
        lambda: vote.street.post(f"{vote.path}/certify"),
        lambda answer: answer.status != 409,
        "ballots that are opened",
        60,
    ).ok()
    motion = done["motions"][0]
    same((motion["outcome"], motion["in_favour"]["heads"]), ("passed", 2), "two of three for it")
    read = vote.zhang.get(f"{vote.path}/result").ok()
    same(read["motions"], done["motions"], "the result as the owner reads it")
    rooms = vote.zhang.get(f"{vote.path}/result/rooms").ok()["items"]
    same([room["channel"] for room in rooms], ["online", "paper", "online"], "how each room voted")
    exported = vote.clerk.get(f"{vote.path}/export?format=xlsx")
    same(exported.body[:2], b"PK", "a workbook for filing")


def verify(world: World, _: Desk, vote: Voting) -> None:
    """The log, her receipt and the opened ballots are checked by the shipped verifier, without the server."""
    files = {
        "board.json": world.visitor_at("/public/v1").get(f"{vote.path}/file").body,
        "receipt.json": vote.zhang.get(f"{vote.path}/heads/{vote.heads['101']}/ballot").body,
        "openings.json": vote.zhang.get(f"{vote.path}/openings").body,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        good = _verifier(folder)
        same(good.returncode, 0, f"the verifier, which says {good.stdout[-400:]}{good.stderr[-400:]}")
        board = json.loads(files["board.json"])
        board["leaves"] = board["leaves"][:1] + board["leaves"][2:]
        (Path(folder) / "board.json").write_text(json.dumps(board, ensure_ascii=False), encoding="utf-8")
        check(_verifier(folder).returncode != 0, "verify", "a dropped ballot to be noticed", "nothing")


def _verifier(folder: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(TOP / "app" / "voting" / "verify.py"), "board.json"]
    more = ["--receipt", "receipt.json", "--openings", "openings.json"]
    return subprocess.run(command + more, cwd=folder, capture_output=True, text=True, check=False)
