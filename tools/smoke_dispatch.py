"""Smoke steps: a post with its roster and a rule, a dispatch that explains itself, and what staff are told of it."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from tools.smoke_contract import (
    OPENED,
    STAFF,
    Bool,
    Count,
    Id,
    Int,
    Maybe,
    Number,
    Text,
    TicketState,
    Time,
    fits,
    page,
)
from tools.smoke_desk import Desk
from tools.smoke_http import Answer, Caller, check, same
from tools.smoke_loop import STAFF_LOOP_TICKET
from tools.smoke_patrol import SHANGHAI
from tools.smoke_world import World, pages, query, refuses, revalidates

ON_SHIFT = {"staff_id": Id, "staff": Maybe(Text), "open": Count, "given": Count}
ROSTER = {
    "roster_id": Id,
    "community_id": Id,
    "org_id": Id,
    "org": Maybe(Text),
    "name": Text,
    "estate_ids": [Id],
    "gap": Count,
    "active": Bool,
    "turns": [
        {
            "staff_id": Id,
            "staff": Maybe(Text),
            "weekdays": [Int],
            "from": Text,
            "to": Text,
            "valid_from": Text,
            "valid_to": Maybe(Text),
        }
    ],
    "gaps": [{"day": Text, "from": Text, "to": Text}],
    "on_duty": [{"staff_id": Id, "staff": Maybe(Text), "since": Time, "until": Time}],
    "version": Count,
}
RULE = {
    "rule_id": Id,
    "community_id": Id,
    "name": Text,
    **dict.fromkeys(("category", "category_name"), Maybe(Text)),
    **dict.fromkeys(("estate_id", "grid_id", "roster_id"), Maybe(Id)),
    "time": {"kind": Text, "days": Text, "weekdays": [Int], "from": Maybe(Text), "to": Maybe(Text)},
    "urgent": Maybe(Bool),
    "org_id": Id,
    "method": Text,
    "priority": Int,
    "valid_from": Text,
    "valid_to": Maybe(Text),
    "version": Count,
}
GIVEN = {
    "text": Text,
    **dict.fromkeys(("rule_id", "roster_id", "staff_id"), Maybe(Id)),
    **dict.fromkeys(("rule", "roster", "method", "because", "staff"), Maybe(Text)),
    "rule_version": Maybe(Count),
    "on_shift": [ON_SHIFT],
}
TRIED = {
    **GIVEN,
    "why": Text,
    "org_id": Id,
    "org": Text,
    "passed": [{"rule_id": Id, "name": Text, "why": Text, "text": Text}],
}
EXPLAINED = {**GIVEN, "at": Time, "off_shift": Bool}
NOTICE = {
    "id": Id,
    "kind": Text,
    "title": Text,
    "text": Text,
    "ticket_id": Maybe(Id),
    "number": Maybe(Text),
    "created_at": Time,
    "read_at": Maybe(Time),
}
NOTICES = {**page(NOTICE), "unread": Count}
_MATCHED = {
    "ticket_id": Id,
    "number": Text,
    "status": TicketState,
    "channel": Text,
    "category": Maybe(Text),
    "text": Maybe(Text),
    "estate_name": Maybe(Text),
    "reported_at": Time,
    "version": Count,
}
MATCH = {"ticket": _MATCHED, "other": _MATCHED, "score": Number}
NAMED = "冒烟"
"""How the names of what is made here begin."""
ASIDE = "（停用）"
"""How the names of posts begin that are out of use meanwhile: nobody stands at two posts at once."""


class Duty:
    """The post, its rule, and the ticket that goes there."""

    def __init__(self) -> None:
        """Nobody is on shift yet."""
        self.org_id = self.category = ""
        self.members: dict[str, Caller] = {}
        """The two on shift, by their ids."""
        self.roster: dict[str, Any] = {}
        self.rule: dict[str, Any] = {}
        self.ticket_id = ""

    @property
    def path(self) -> str:
        """Of the ticket."""
        return f"/tickets/{self.ticket_id}"

    def case(self, world: World) -> dict[str, Any]:
        """A report of the class at the place of which the rule speaks."""
        return {"estate_id": world.estate["estate_id"], "category": self.category}


def _change(who: Caller, path: str, body: dict[str, Any]) -> Answer:
    """PATCH as whoever has just read it."""
    tag = who.get(path).header("ETag")
    return who.call("PATCH", path, body, headers={"If-Match": tag})


def _today() -> str:
    return datetime.now(SHANGHAI).date().isoformat()


def _leave_nothing(desk: Caller) -> None:
    """End what a run that failed half-way left behind."""
    for rule in desk.get("/routing-rules?limit=100").ok()["items"]:
        if rule["name"].startswith(NAMED):
            _change(desk, f"/routing-rules/{rule['rule_id']}", {"valid_to": _today()}).ok()
    for roster in desk.get("/duty-rosters?limit=100").ok()["items"]:
        if roster["name"].startswith(NAMED):
            _change(desk, f"/duty-rosters/{roster['roster_id']}", {"active": False}).ok()
    _take_up(desk)


def _take_up(desk: Caller) -> None:
    """Put the posts that were set aside into use again."""
    for roster in desk.get("/duty-rosters?limit=100&retired=true").ok()["items"]:
        if roster["name"].startswith(ASIDE):
            again = {"active": True, "name": roster["name"].removeprefix(ASIDE)}
            _change(desk, f"/duty-rosters/{roster['roster_id']}", again).ok()


def _set_aside(desk: Caller, members: Collection[str]) -> None:
    """Take the posts where these people stand out of use."""
    for roster in desk.get("/duty-rosters?limit=100").ok()["items"]:
        standing = {turn["staff_id"] for turn in roster["turns"]} | {
            day["comes_id"] for day in roster["days"]
        }
        if standing & set(members):
            aside = {"active": False, "name": ASIDE + roster["name"]}
            _change(desk, f"/duty-rosters/{roster['roster_id']}", aside).ok()


# --- the post and the rule -------------------------------------------------------------------------------


def roster(world: World, desk: Desk, duty: Duty) -> None:
    """A post with two people of the community round the clock; nobody, and a stranger, are refused."""
    community = desk.community
    _leave_nothing(community)
    me = fits(community.get("/me").ok(), STAFF, "GET /admin/api/v1/me")
    duty.org_id = next(scope["org_id"] for scope in me["scopes"] if scope["role"] == "community")
    grid_id, stranger = (who.get("/me").ok()["id"] for who in (desk.grid, desk.property))
    duty.members = {me["id"]: community, grid_id: desk.grid}
    areas = community.get("/areas").ok()["items"]
    home = next(a["community_id"] for a in areas if a["estate_id"] == world.estate["estate_id"])
    asked = {
        "community_id": home,
        "org_id": duty.org_id,
        "name": f"{NAMED}值班岗{world.suffix}",
        "estate_ids": [world.estate["estate_id"]],
        "turns": [{"staff_id": who, "from": "00:00", "to": "24:00"} for who in duty.members],
    }
    wrong: list[tuple[list[dict[str, Any]], str]] = [
        ([], "roster_empty"),
        ([{"staff_id": stranger, "from": "08:00", "to": "16:00"}], "not_of_unit"),
    ]
    for turns, code in wrong:
        bad = {**asked, "turns": turns}
        refuses(functools.partial(_post, path="/duty-rosters", body=bad), community, 422, code)
    twice = [{"staff_id": grid_id, "from": start, "to": "16:00"} for start in ("08:00", "12:00")]
    # Names whom, so that there are Chinese words in the English answer.
    community.post("/duty-rosters", {**asked, "turns": twice}).refused(422, "turns_overlap")
    refuses(lambda who: who.post("/duty-rosters", asked), desk.grid, 403, "permission_missing")
    _set_aside(community, duty.members)
    made = community.post("/duty-rosters", asked)
    duty.roster = fits(made.ok(201), ROSTER, made.where)
    path = f"/duty-rosters/{duty.roster['roster_id']}"
    seen = fits(revalidates(community, path), ROSTER, path)
    same({one["staff_id"] for one in seen["on_duty"]}, set(duty.members), f"{path} → on_duty")
    community.call("PATCH", path, {"gap": 2}).refused(428, "version_required")
    community.call("PATCH", path, {"gap": 2}, headers={"If-Match": '"999"'}).refused(412, "stale_version")
    duty.roster = fits(_change(community, path, {"gap": 2}).ok(), ROSTER, path)
    same(duty.roster["gap"], 2, f"{path} → gap")
    listed = pages(community, "/duty-rosters", 50, lambda row: str(row["roster_id"]))
    check(duty.roster["roster_id"] in listed, "/duty-rosters", "the post", listed)
    outside = next(who for who in world.staff.of("community") if who.name != community.name)
    outside.get(path).refused(404, "not_found")


def _post(who: Caller, *, path: str, body: dict[str, Any]) -> Answer:
    return who.post(path, body)


def rule(world: World, desk: Desk, duty: Duty) -> None:
    """A rule that sends a class in the estate to the post; trying it says whom it would fall on and changes nothing."""
    community = desk.community
    options = community.get("/categories").ok()["items"]
    duty.category = next(row["code"] for row in options if "噪" in row["name"])
    asked = {
        "community_id": duty.roster["community_id"],
        "name": f"{NAMED}规则{world.suffix}",
        **duty.case(world),
        "org_id": duty.org_id,
        "roster_id": duty.roster["roster_id"],
        "method": "rotate",
    }
    path = "/routing-rules"
    no_post = {**asked, "roster_id": None}
    refuses(lambda who: who.post(path, no_post), community, 422, "method_needs_post")
    refuses(lambda who: who.post(path, asked), desk.property, 403, "permission_missing")
    made = community.post(path, asked)
    duty.rule = fits(made.ok(201), RULE, made.where)
    tied = community.post(path, asked).refused(409, "rule_tie")
    same(tied["rule_id"], duty.rule["rule_id"], "409 rule_tie → the other rule")
    listed = pages(community, path, 50, lambda row: str(row["rule_id"]))
    check(duty.rule["rule_id"] in listed, path, "the rule", listed)
    first, again = (_tried(world, desk, duty) for _ in range(2))
    _explains(first, duty, f"{path}/try")
    same(again, first, f"{path}/try: nothing is changed by it")
    refuses(lambda who: who.post(f"{path}/try", duty.case(world)), desk.grid, 403, "permission_missing")


def _tried(world: World, desk: Desk, duty: Duty) -> dict[str, Any]:
    answer = desk.community.post("/routing-rules/try", duty.case(world))
    found: dict[str, Any] = fits(answer.ok(), TRIED, answer.where)
    return found


def _explains(said: dict[str, Any], duty: Duty, where: str) -> None:
    """Which rule, which post, who was on shift with how much, and why this one; in words as well."""
    same(
        (said["rule_id"], said["rule_version"], said["roster_id"], said["method"]),
        (duty.rule["rule_id"], duty.rule["version"], duty.roster["roster_id"], "rotate"),
        f"{where} → rule, version, post, method",
    )
    same({one["staff_id"] for one in said["on_shift"]}, set(duty.members), f"{where} → on_shift")
    same(said["because"], "next_in_turn", f"{where} → because")
    check(said["staff_id"] in duty.members, f"{where} → staff_id", "one of those on shift", said)
    for word in (duty.rule["name"], duty.roster["name"], said["staff"]):
        check(word in said["text"], f"{where} → text", word, said["text"])


# --- the dispatch ----------------------------------------------------------------------------------------


def give(world: World, desk: Desk, duty: Duty) -> None:
    """派单 without naming anybody says why here; 轮派 gives it to the next; the last one has to stay where it is."""
    reporter, community = world.log_in("dan"), desk.community
    report = {
        **duty.case(world),
        "text": f"楼上装修从早到晚打墙（{world.suffix}）",
        "client_token": f"tap-{secrets.token_hex(8)}",
    }
    answer = reporter.post("/tickets", report)
    duty.ticket_id = fits(answer.ok(201), OPENED, answer.where)["ticket_id"]
    expected = _tried(world, desk, duty)
    community.post(f"{duty.path}/accept").ok()
    sent = community.post(f"{duty.path}/dispatch", {})
    ticket = fits(sent.ok(), STAFF_LOOP_TICKET, sent.where)
    said = fits(ticket["dispatch_explained"], EXPLAINED, f"{sent.where} → dispatch_explained")
    _explains(said, duty, f"{sent.where} → dispatch_explained")
    same(said["staff_id"], expected["staff_id"], f"{sent.where}: whom trying it named")
    same(ticket["handler"], said["staff"], f"{sent.where} → handler")
    same(ticket["timeline"][-1]["data"]["explained"], said["text"], f"{sent.where} → timeline: why here")
    here = reporter.get(duty.path).body.decode()
    for word in (duty.rule["name"], duty.roster["name"], said["staff"]):
        check(word not in here, duty.path, "the unit only, for the reporter", word)
    desk.property.get(duty.path).refused(404, "not_found")

    first = duty.members[said["staff_id"]]
    refuses(lambda who: who.post(f"{duty.path}/rotate", {}), first, 422)
    reason = "要去开会，请接手"
    passed = first.post(f"{duty.path}/rotate", {"reason": reason})
    ticket = fits(passed.ok(), STAFF_LOOP_TICKET, passed.where)
    now = ticket["dispatch_explained"]
    same({said["staff_id"], now["staff_id"]}, set(duty.members), f"{passed.where}: to the other one")
    same(ticket["timeline"][-1]["text"], reason, f"{passed.where} → timeline: the reason")
    check(reason not in reporter.get(duty.path).body.decode(), duty.path, "no reason of the rotation", reason)
    grid_id = next(staff for staff, who in duty.members.items() if who.name == desk.grid.name)
    if now["staff_id"] != grid_id:
        back = duty.members[now["staff_id"]].post(f"{duty.path}/rotate", {"reason": "请网格员处理"})
        same(back.ok()["dispatch_explained"]["staff_id"], grid_id, f"{back.where}: round")


def told(_world: World, desk: Desk, duty: Duty) -> None:
    """The grid worker finds in her inbox that it is hers, and marks it as read; nobody reads another's notices."""
    grid = desk.grid
    answer = grid.get("/inbox?limit=100")
    box = fits(answer.ok(), NOTICES, answer.where)
    mine = [row for row in box["items"] if row["ticket_id"] == duty.ticket_id and row["kind"] == "assigned"]
    check(mine and mine[0]["read_at"] is None, answer.where, "an unread notice that it is hers", box["items"])
    check(mine[0]["number"] in mine[0]["text"], answer.where, "the number in the words", mine[0])
    read = {"ids": [mine[0]["id"]]}
    refuses(lambda who: who.post("/inbox/read", {}), grid, 422)
    same(desk.property.post("/inbox/read", read).ok()["changed"], 0, "another's notice, marked as read")
    for changed, unread in ((1, box["unread"] - 1), (0, box["unread"] - 1)):
        done = grid.post("/inbox/read", read)
        said = fits(done.ok(), {"changed": Count, "unread": Count}, done.where)
        same((said["changed"], said["unread"]), (changed, unread), f"{done.where} → changed, unread")
    after = next(row for row in grid.get("/inbox?limit=100").ok()["items"] if row["id"] == mine[0]["id"])
    fits(after["read_at"], Time, "/inbox → read_at")


def meet(world: World, desk: Desk, duty: Duty) -> None:
    """协调会: who leads, who assists, until when; the assisting unit is called in and told; then it is done."""
    community, path = desk.community, f"{duty.path}/meetings"
    now = datetime.now(SHANGHAI)
    limit = datetime.fromisoformat(community.get(duty.path).ok()["clock"]["due_at"])
    notes = {
        "held_at": now.replace(second=0, microsecond=0).isoformat(),
        "orgs": [desk.org["org_id"]],
        "plan": "社区劝导，物业张贴装修时间",
        "deadline": (limit - timedelta(hours=1)).isoformat(),
    }
    late = {**notes, "deadline": (limit + timedelta(days=1)).isoformat()}
    refuses(lambda who: who.post(path, late), community, 409, "extension_needed")
    refuses(lambda who: who.post(path, notes), desk.grid, 403, "permission_missing")
    noted = community.post(path, notes)
    ticket = fits(noted.ok(201), STAFF_LOOP_TICKET, noted.where)
    event = ticket["timeline"][-1]
    same((event["kind"], event["visibility"]), ("meeting", "internal"), f"{noted.where} → timeline")
    same(event["text"], notes["plan"], f"{noted.where} → timeline: the plan")
    same(
        {part["org_id"]: part["kind"] for part in ticket["parts"]},
        {duty.org_id: "lead", desk.org["org_id"]: "assist"},
        f"{noted.where} → parts",
    )
    box = fits(desk.property.get("/inbox?limit=20").ok(), NOTICES, "GET /inbox")["items"]
    kinds = [row["kind"] for row in box if row["ticket_id"] == duty.ticket_id]
    check("meeting" in kinds, "/inbox of the assisting unit", "a notice of the meeting", box)

    desk.property.post(f"{duty.path}/parts/done", {"org_id": desk.org["org_id"], "note": "已张贴"}).ok()
    desk.grid.post(f"{duty.path}/start").ok()
    file = desk.grid.upload("/files", "after.jpg", world.photos["after.jpg"]).ok(201)["file_id"]
    desk.grid.post(f"{duty.path}/resolve", {"note": "已劝导，约定时间", "photo_ids": [file]}).ok()
    desk.street.post(f"{duty.path}/verify", {"passed": True}).ok()
    same(community.post(f"{duty.path}/close").ok()["status"], "closed", "the ticket, closed")


def end(world: World, desk: Desk, duty: Duty) -> None:
    """The rule ends today, then the post is closed; nothing goes there any more, and what was is still explained."""
    community = desk.community
    path = f"/routing-rules/{duty.rule['rule_id']}"
    over = {"valid_to": _today()}
    community.call("PATCH", path, over, headers={"If-Match": '"999"'}).refused(412, "stale_version")
    ended = _change(community, path, over)
    same(fits(ended.ok(), RULE, ended.where)["valid_to"], _today(), f"{ended.where} → valid_to")
    check(_tried(world, desk, duty)["rule_id"] != duty.rule["rule_id"], path, "no longer the rule", "it")
    path = f"/duty-rosters/{duty.roster['roster_id']}"
    closed = _change(community, path, {"active": False})
    same(fits(closed.ok(), ROSTER, closed.where)["active"], False, f"{closed.where} → active")
    refuses(functools.partial(_change, path=path, body={"gap": 5}), community, 409, "post_retired")
    shown = pages(community, "/duty-rosters", 50, lambda row: str(row["roster_id"]))
    check(duty.roster["roster_id"] not in shown, "/duty-rosters", "posts in use only", shown)
    said = community.get(duty.path).ok()["dispatch_explained"]
    same(said["roster_id"], duty.roster["roster_id"], f"{duty.path}: still says why it went there")
    _take_up(community)


def matches(_world: World, desk: Desk, _duty: Duty) -> None:
    """Pairs that are likely one problem, the strongest or the newest first, for those who may merge."""
    refuses(lambda who: who.get("/tickets/matches"), desk.property, 403, "permission_missing")
    refuses(lambda who: who.get("/tickets/matches?order=loudest"), desk.community, 422)
    for order in ("strongest", "newest"):
        answer = desk.street.get(query("/tickets/matches", order=order, limit=20))
        items = fits(answer.ok(), page(MATCH), answer.where)["items"]
        pairs = [(row["ticket"]["ticket_id"], row["other"]["ticket_id"]) for row in items]
        same(len({frozenset(pair) for pair in pairs}), len(pairs), f"{answer.where}: each pair once")
        scores = [row["score"] for row in items]
        check(all(0 <= score <= 1 for score in scores), answer.where, "scores from 0 to 1", scores)
        if order == "strongest":
            same(scores, sorted(scores, reverse=True), f"{answer.where}: the strongest first")
