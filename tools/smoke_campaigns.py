"""Smoke steps: a notice's unread get a text message and nobody else does; five hundred owners who haven't voted get
theirs, paused in the middle and resumed. Who received what is read in the gateways' own ledger.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from tools import smoke_registry, smoke_voting
from tools.smoke_contract import Count, Id, Text, fits
from tools.smoke_desk import Desk
from tools.smoke_http import Caller, Site, check, same, until
from tools.smoke_notices import Notices
from tools.smoke_registry import Registry
from tools.smoke_voting import Voting
from tools.smoke_world import World, refuses

OWNERS = 500
PREVIEW = {"recipients": Count, "segments": Count, "cost_fen": Count, "samples": [{"text": Text}]}
PROGRESS = {
    "state": Text,
    "total": Count,
    "by_status": dict.fromkeys(("queued", "accepted", "delivered"), Count),
}


@dataclass
class Mail:
    """A vote of five hundred and one homes, of whose owners one votes; and the campaign to the others."""

    clerk: Caller = field(init=False)
    street: Caller = field(init=False)
    owners: Registry = field(default_factory=Registry)
    phones: list[str] = field(default_factory=list)
    vote: Voting = field(default_factory=Voting)
    campaign: str = ""

    def register(self) -> bytes:
        """The homes of a building of this run, each with an owner and a number of his own."""
        first = secrets.randbelow(10**8 - OWNERS - 1)
        self.phones = [f"136{first + n:08d}" for n in range(OWNERS + 1)]
        rows = [
            f"{self.owners.building},{101 + n},住宅,80.00,王{chr(0x4E00 + n)},{phone},"
            for n, phone in enumerate(self.phones)
        ]
        head = "楼栋,房号,用途,产权登记面积,业主姓名,联系电话,身份证号"
        return ("\ufeff" + "\r\n".join([head, *rows]) + "\r\n").encode()


def _received(world: World) -> dict[str, int]:
    """How many messages each number has received, by the gateways' ledger."""
    gateways = Caller(Site(world.port + 3), "/_sandbox/sms")
    return dict(gateways.get("/counts").ok()["numbers"])


def _gained(world: World, before: dict[str, int]) -> dict[str, int]:
    return {
        phone: n - before.get(phone, 0) for phone, n in _received(world).items() if n > before.get(phone, 0)
    }


def _template(world: World, vendors: list[str], **more: Any) -> str:
    """An approved template, which these vendors know."""
    writer, second = list(world.staff.of("street"))[:2]
    body = {"name": "冒烟短信", "sign": "寸滩街道", **more}
    made: str = writer.post("/sms-templates", body).ok(201)["template_id"]
    names = [parameter["name"] for parameter in body["parameters"]]
    for vendor in vendors:
        mapped = {"vendor_code": f"SMS_{world.suffix}", "parameters": names, "state": "approved"}
        writer.call("PUT", f"/sms-templates/{made}/mappings/{vendor}", mapped).ok()
    refuses(lambda who: who.post(f"/sms-templates/{made}/approve"), writer, 403, "second_person_needed")
    second.post(f"/sms-templates/{made}/approve").ok()
    return made


def _previewed(clerk: Caller, campaign: str) -> dict[str, Any]:
    clerk.post(f"/campaigns/{campaign}/preview").ok(202)
    seen = until(
        lambda: clerk.get(f"/campaigns/{campaign}/preview").ok(),
        lambda now: now["state"] == "done",
        "a campaign that is looked at",
        60,
    )
    return dict(fits(seen["preview"], PREVIEW, f"/campaigns/{campaign}/preview"))


def _progress(clerk: Caller, campaign: str) -> dict[str, Any]:
    answer = clerk.get(f"/campaigns/{campaign}/progress")
    seen = fits(answer.ok(), PROGRESS, answer.where)
    same(sum(seen["by_status"].values()), seen["total"], f"{answer.where}: the states add up")
    return dict(seen)


def _some(by_status: dict[str, int]) -> dict[str, int]:
    return {state: n for state, n in by_status.items() if n}


def tell_the_rest(world: World, _: Desk, told: Notices) -> None:
    """One key: who hasn't read the notice gets a text message, exactly these, and the receipts come in."""
    vendors = [row["code"] for row in told.clerk.get("/providers").ok()["items"]]
    template = _template(
        world,
        vendors,
        kind="notice",
        text="您好，请看通知：{title}。",
        parameters=[{"name": "title", "longest": 20}],
    )
    audience = {"type": "notice_unread", "ids": [told.notice]}
    body = {"template_id": template, "params": {"title": "停水通知"}, "audience": audience}
    linked = body | {"params": {"title": "http://example.com"}}
    refuses(lambda who: who.post("/campaigns", linked), told.clerk, 422)
    drafted = told.clerk.post("/campaigns", body)
    campaign = fits(drafted.ok(201), {"campaign_id": Id, "state": Text}, drafted.where)["campaign_id"]
    same(_previewed(told.clerk, campaign)["recipients"], 3, "who hasn't read it")
    before = _received(world)
    told.clerk.post(f"/campaigns/{campaign}/launch").ok()
    refuses(lambda who: who.post(f"/campaigns/{campaign}/launch"), told.clerk, 409, "already_launched")
    seen = until(
        lambda: _progress(told.clerk, campaign),
        lambda now: now["by_status"]["delivered"] == 3,
        "three messages with their receipts",
        60,
    )
    same(_some(seen["by_status"]), {"delivered": 3}, "what became of them")
    rest = (told.homes[0].phones[2], told.homes[1].phones[1], told.homes[1].phones[2])
    same(_gained(world, before), dict.fromkeys(rest, 1), "who received a message")


def summon(world: World, _: Desk, mail: Mail, before: Voting) -> None:
    """Five hundred and one homes are imported, and their owners called to a vote of their own."""
    mail.clerk, mail.street = before.clerk, before.street
    estate = world.estate["estate_id"]
    smoke_registry.load_file(mail.clerk, mail.register(), estate)
    mail.vote.clerk, mail.vote.street, mail.vote.owners = mail.clerk, mail.street, mail.owners
    smoke_voting.call(world, mail.vote)
    mail.clerk.post(f"{mail.vote.path}/open", {}).ok(202)


def write(world: World, _: Desk, mail: Mail) -> None:
    """One has voted; a campaign to the five hundred others is looked at, and cleared by a second person."""
    until(
        lambda: mail.clerk.get(mail.vote.path).ok(),
        lambda seen: seen["status"] == "open",
        "a large vote that is open",
        60,
    )
    home = smoke_registry.listed(
        mail.clerk, f"/estates/{world.estate['estate_id']}/houses?building={mail.owners.building}&room=101"
    )[0]["house_id"]
    voter = smoke_registry.person(world, "one-of-many", mail.phones[0])
    smoke_registry.ask_to_bind(voter, home, "王一").ok(201)
    heads = mail.clerk.get(f"{mail.vote.path}/roll?limit=100").ok()["items"]
    head = next(head["head_id"] for head in heads if head["label"].endswith("101"))
    ballot = {"choices": {mail.vote.motion: "for"}}
    voter.call("PUT", f"{mail.vote.path}/heads/{head}/ballot", ballot).ok(201)
    template = _template(
        world,
        ["tencent"],  # with a value for each number it takes one number a call: there is a middle to pause in
        kind="reminder",
        text="{room}的业主您好，请参加投票。",
        parameters=[{"name": "room", "longest": 20, "fill": "room"}],
    )
    audience = {"type": "decision_not_voted", "ids": [mail.vote.decision]}
    made = mail.clerk.post("/campaigns", {"template_id": template, "audience": audience}).ok(201)
    mail.campaign = made["campaign_id"]
    path = f"/campaigns/{mail.campaign}"
    same(_previewed(mail.clerk, mail.campaign)["recipients"], OWNERS, "who hasn't voted")
    same(mail.clerk.post(f"{path}/submit").ok()["state"], "awaiting_approval", "a large campaign")
    refuses(lambda who: who.post(f"{path}/launch"), mail.clerk, 409, "approval_needed")
    refuses(lambda who: who.post(f"{path}/approve"), mail.clerk, 403, "second_person_needed")
    mail.street.post(f"{path}/approve").ok()


def pause(world: World, _: Desk, mail: Mail) -> None:
    """Launched, paused in the middle: what had begun to leave gets its outcome, nothing else leaves."""
    path, before = f"/campaigns/{mail.campaign}", _received(world)
    same(mail.clerk.post(f"{path}/launch").ok()["state"], "running", "a campaign that is let go")
    until(
        lambda: _progress(mail.clerk, mail.campaign),
        lambda now: now["total"] == OWNERS and now["by_status"]["queued"] < OWNERS - 20,
        "a campaign that is under way",
        60,
    )
    same(mail.clerk.post(f"{path}/pause").ok()["state"], "paused", "a paused campaign")
    until(
        lambda: _progress(mail.clerk, mail.campaign)["by_status"],
        lambda now: now["sending"] == 0 and now["unknown"] == 0,
        "an outcome of each call that was under way",
        60,
    )
    sent = _gained(world, before)
    check(0 < len(sent) < OWNERS, path, "a part of the five hundred", len(sent))
    time.sleep(2)
    same(_gained(world, before), sent, "who received a message while it was paused")
    held = _progress(mail.clerk, mail.campaign)["by_status"]
    same(
        (held["queued"], held["accepted"] + held["delivered"]),
        (OWNERS - len(sent), len(sent)),
        "its progress",
    )


def resume(world: World, _: Desk, mail: Mail) -> None:
    """Resumed: each of the five hundred has exactly one message, the voter none; all receipts are in."""
    path = f"/campaigns/{mail.campaign}"
    same(mail.clerk.post(f"{path}/resume").ok()["state"], "running", "a campaign that goes on")
    seen = until(
        lambda: _progress(mail.clerk, mail.campaign),
        lambda now: now["by_status"]["delivered"] == OWNERS,
        "five hundred receipts",
        120,
    )
    same((_some(seen["by_status"]), seen["excluded"]), ({"delivered": OWNERS}, {}), "what became of them")
    received = _received(world)
    per_number = {phone: received.get(phone, 0) for phone in mail.phones}
    expected = dict.fromkeys(mail.phones, 1) | {mail.phones[0]: 0}
    check(per_number == expected, path, "one message each", _some(per_number))
