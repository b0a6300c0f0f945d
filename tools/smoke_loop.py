"""Smoke steps: the complete loop of one ticket, from the report that others share to the second closing."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from tools.smoke_contract import (
    FILE,
    OPENED,
    STAFF_TICKET,
    TICKET,
    Bool,
    Count,
    Id,
    Maybe,
    Number,
    Text,
    TicketState,
    Time,
    fits,
    one_of,
    page,
)
from tools.smoke_desk import Desk
from tools.smoke_http import Answer, Caller, check, same, until
from tools.smoke_report import upload
from tools.smoke_world import World, query, refuses

EXTENSION = {
    "extension_id": Id,
    "until": Time,
    "reason": Text,
    "state": one_of("pending", "approved", "refused", "lapsed"),
    "asked_at": Time,
    "decided_at": Maybe(Time),
    "note": Maybe(Text),
}
PART = {
    "org_id": Id,
    "org": Text,
    "kind": one_of("lead", "assist"),
    "task": Text,
    "added_at": Time,
    "done_at": Maybe(Time),
    "note": Maybe(Text),
}
STAFF_LOOP_TICKET = {
    **STAFF_TICKET,
    "closure_flags": [{"code": Text, "text": Text}],
    "clock": {
        "stage_due_at": Maybe(Time),
        "due_at": Time,
        "confirmed": Bool,
        **dict.fromkeys(("standing_since", "standing_until", "warned_at", "breached_at"), Maybe(Time)),
        **dict.fromkeys(("supervised", "supervise_level", "urged", "returns"), Count),
    },
    "parts": [PART],
    "extensions": [EXTENSION],
    "me_too": Count,
    "repeated": Maybe(Bool),
    "excluded": Bool,
    **dict.fromkeys(("merged_into", "referred_to", "origin"), Maybe(Id)),
    "first_reported_at": Time,
    "source": Maybe({"name": Text, "source": Text, "external_number": Text}),
}
LOOP_TICKET = {
    **TICKET,
    "role": one_of("reporter", "follower"),
    "me_too": Count,
    "supervised": Bool,
    "standing_until": Maybe(Time),
    "merged_into": Maybe(Id),
    "referred_to": Maybe(Id),
}
SIMILAR = {
    "ticket_ref": Id,
    "category": Maybe(Text),
    "category_name": Maybe(Text),
    "distance_m": Number,
    "status": TicketState,
    "reported_at": Time,
    "me_too": Count,
}
JOINED = {"ticket_ref": Id, "status": TicketState, "me_too": Count}


class Loop:
    """The ticket of the complete loop, who shares it, and what was to be heard of it."""

    inside_note = "请注意方式，内部沟通"
    complaint = "第二天又松了，根本没有修好"

    def __init__(self) -> None:
        """Nobody has reported yet."""
        self.reporter: Caller
        self.neighbour: Caller
        self.property: Caller
        self.helper: Caller
        """The assisting unit."""
        self.org_id = self.helper_id = ""
        self.ticket_id = self.number = ""
        self.close_by = ""
        self.key_path = self.external_number = self.handed_id = ""
        self.heard: list[str] = []
        """Statuses that the hotline has to hear."""
        self.told: list[str] = []
        """Kinds of the reporter's messages, in order."""
        self.seen: list[str] = []
        """Kinds of her timeline, in order."""

    @property
    def path(self) -> str:
        """Of the ticket, for either face."""
        return f"/tickets/{self.ticket_id}"

    def moved(
        self,
        answer: Answer,
        status: str,
        *,
        seen: str | None = None,
        told: str | None = None,
        changes: bool = True,
    ) -> dict[str, Any]:
        """Check the answer of a move, and note who has to hear of it."""
        ticket: dict[str, Any] = fits(answer.ok(), STAFF_LOOP_TICKET, answer.where)
        same(ticket["status"], status, f"{answer.where} → status")
        if changes:
            self.heard.append(status)
        self.seen += [seen] if seen else []
        self.told += [told] if told else []
        return ticket

    def hers(self, status: str) -> dict[str, Any]:
        """The ticket as its reporter sees it; checks that nothing she had to be told is missing."""
        answer = self.reporter.get(self.path)
        ticket: dict[str, Any] = fits(answer.ok(), LOOP_TICKET, answer.where)
        same((ticket["status"], ticket["role"]), (status, "reporter"), f"{answer.where} → status, role")
        same([event["kind"] for event in ticket["timeline"]], self.seen, f"{answer.where} → timeline")
        return ticket


def illegal(who: Caller, path: str, body: Any = None, *, allowed: Collection[str]) -> None:
    """Check that this move is refused here, and that the refusal names those that are allowed."""
    said = refuses(lambda caller: caller.post(path, body), who, 409, "illegal_move")
    check(
        set(allowed) <= set(said.get("allowed", ())),
        f"409 of {path}",
        f"allowed with {sorted(allowed)}",
        said,
    )


def report(world: World, _desk: Desk, loop: Loop) -> None:
    """A resident reports with a photo what the patrol has seen as well."""
    loop.reporter, loop.neighbour = world.log_in("mei"), world.log_in("bo")
    photo = upload(world, loop.reporter, "lamp.png")
    body = {
        "location": world.trouble.location,
        "category": world.trouble.category,
        "text": f"{world.trouble.where}健身器材的扶手松了，一摇就晃，老人容易摔倒",
        "photo_ids": [photo["photo_id"]],
        "client_token": f"tap-{secrets.token_hex(8)}",
    }
    answer = loop.reporter.post("/tickets", body)
    opened = fits(answer.ok(201), OPENED, answer.where)
    loop.ticket_id, loop.number = opened["ticket_id"], opened["number"]
    loop.close_by = opened["promised"]["close_by"]
    loop.told.append("ticket_received")
    loop.seen.append("report")
    loop.hers("received")


def share(world: World, desk: Desk, loop: Loop) -> None:
    """A neighbour finds it and joins; the reporter urges once; the street supervises."""
    path, here = loop.path, world.trouble.location
    where = {"lng": here["lng"], "lat": here["lat"], "crs": "gcj02", "category": world.trouble.category}
    near = loop.neighbour.get(query("/tickets/similar", **where))
    found = fits(near.ok(), page(SIMILAR), near.where)["items"]
    check(loop.ticket_id in [row["ticket_ref"] for row in found], near.where, loop.ticket_id, found)
    check("摇" not in near.body.decode(), near.where, "nobody's words", near.body[:300])
    loop.neighbour.get(path).refused(404, "not_found")
    joined = loop.neighbour.post(f"{path}/join")
    same(fits(joined.ok(), JOINED, joined.where)["me_too"], 1, f"{joined.where} → me_too")
    refuses(lambda who: who.post(f"{path}/join"), loop.neighbour, 409, "already_joined")
    refuses(lambda who: who.post(f"{path}/join"), loop.reporter, 409, "already_joined")
    followed = loop.neighbour.get(path)
    shown = fits(followed.ok(), LOOP_TICKET, followed.where)
    same(
        (shown["role"], shown["text"], shown["can"]),
        ("follower", None, []),
        f"{followed.where}: her part only",
    )
    refuses(lambda who: who.post(f"{path}/urge"), loop.neighbour, 404, "not_found")

    seen = loop.hers("received")
    same(seen["me_too"], 1, "me_too, for the reporter")
    check(
        "urge" in seen["can"] and "withdraw" not in seen["can"],
        "can",
        "urge, and no withdraw: others share it",
        seen,
    )
    refuses(lambda who: who.post(f"{path}/withdraw"), loop.reporter, 409, "shared_problem")
    urged = loop.reporter.post(f"{path}/urge")
    fits(urged.ok(), LOOP_TICKET, urged.where)
    loop.seen.append("urge")
    again = loop.reporter.post(f"{path}/urge")
    again.refused((409, 429), "urged_just_now")
    wait = int(again.header("Retry-After"))
    check(
        11.9 * 3600 < wait <= 12 * 3600 + 1,
        f"{again.where} → Retry-After",
        "about 12 hours, in seconds",
        wait,
    )
    check("urge" not in loop.hers("received")["can"], "can after urging", "no urge for 12 hours", "urge")

    note = {"note": loop.inside_note}
    refuses(lambda who: who.post(f"{path}/supervise", note), desk.grid, 403, "permission_missing")
    refuses(lambda who: who.post(f"{path}/supervise", {"note": ""}), desk.street, 422)
    done = desk.street.post(f"{path}/supervise", note)
    ticket = loop.moved(done, "received", told="ticket_supervised", changes=False)
    same(
        (ticket["clock"]["urged"], ticket["clock"]["supervised"]), (1, 1), f"{done.where} → urged, supervised"
    )
    seen = loop.hers("received")
    same(seen["supervised"], True, "supervised, for the reporter")
    check(loop.inside_note not in loop.reporter.get(path).body.decode(), path, "no word among staff", "it")


def return_once(world: World, desk: Desk, loop: Loop) -> None:
    """退单 with a reason, once: the unit that is named again may not send it back a second time."""
    path, community = loop.path, desk.community
    illegal(community, f"{path}/dispatch", {}, allowed={"accept", "reject", "merge", "refer"})
    loop.moved(community.post(f"{path}/accept"), "accepted", seen="accept", told="ticket_accepted")
    loop.org_id = community.get(path).ok()["suggested_org"]["org_id"]
    loop.moved(
        community.post(f"{path}/dispatch", {}), "dispatched", seen="dispatch", told="ticket_dispatched"
    )
    loop.property = world.staff.of_org("property", loop.org_id)
    mine = loop.property.post(f"{path}/grab")
    same(
        loop.moved(mine, "dispatched", changes=False)["handler"] is not None, True, f"{mine.where} → handler"
    )
    illegal(loop.property, f"{path}/resolve", {"note": "好了"}, allowed={"start", "return"})
    illegal(community, f"{path}/merge", {"into": world.quiet_id}, allowed={"start"})
    refuses(lambda who: who.post(f"{path}/return", {}), loop.property, 422)
    reason = {"reason": "器材由街道统一安装，请改派"}
    # Where it came back to is shown to her with the next dispatch; why is a matter among staff.
    loop.moved(loop.property.post(f"{path}/return", reason), "returned")
    check(
        reason["reason"] not in loop.reporter.get(path).body.decode(), path, "no reason of the return", "it"
    )
    named = {"org_id": loop.org_id, "note": "合同约定由物业维护，请处理"}
    done = community.post(f"{path}/dispatch", named)
    ticket = loop.moved(done, "dispatched", seen="dispatch", told="ticket_dispatched")
    same(ticket["clock"]["returns"], 1, f"{done.where} → returns")
    refuses(lambda who: who.post(f"{path}/return", reason), loop.property, 409, "too_many_hops")
    same(loop.hers("dispatched")["handler"], ticket["org"], "handler, for the reporter")


def ask_for_time(world: World, desk: Desk, loop: Loop) -> None:
    """吹哨报到 and 延期: a second unit is called in; more time is asked for, and granted by somebody else."""
    path, community = loop.path, desk.community
    loop.moved(loop.property.post(f"{path}/start"), "in_progress", seen="start", told="ticket_started")
    illegal(community, f"{path}/close", allowed={"resolve", "suspend", "return"})
    orgs = community.get("/orgs").ok()["items"]
    loop.helper_id = next(
        o["org_id"] for o in orgs if o["kind"] == "department" and o["org_id"] != loop.org_id
    )
    loop.helper = world.staff.of_org("property", loop.helper_id)
    loop.helper.get(path).refused(404, "not_found")
    task = {"org_id": loop.helper_id, "task": "协助围挡，检查旁边的器材"}
    refuses(lambda who: who.post(f"{path}/parts", task), loop.property, 403, "permission_missing")
    called = community.post(f"{path}/parts", task)
    parts = fits(called.ok(201), STAFF_LOOP_TICKET, called.where)["parts"]
    same(
        [(p["org_id"], p["kind"]) for p in parts],
        [(loop.org_id, "lead"), (loop.helper_id, "assist")],
        "parts",
    )
    same(loop.helper.get(path).status, 200, "the ticket, for the unit that was called in")

    due = datetime.fromisoformat(loop.close_by)
    ask = functools.partial(_ask, path=path)
    for wrong in (due - timedelta(hours=1), due + timedelta(days=31)):
        refuses(functools.partial(ask, until=wrong), loop.property, 422, "bad_extension")
    wanted = due + timedelta(days=2)
    asked = ask(loop.property, until=wanted)
    extension = fits(asked.ok(201), EXTENSION, asked.where)
    same(extension["state"], "pending", f"{asked.where} → state")
    refuses(functools.partial(ask, until=wanted), loop.property, 409, "extension_pending")
    same(loop.hers("in_progress")["promised"]["close_by"], loop.close_by, "close_by before it is granted")
    decide = f"/extensions/{extension['extension_id']}/approve"
    refuses(lambda who: who.post(decide, {}), loop.property, 403, "permission_missing")
    granted = community.post(decide, {"note": "配件需要定做，同意延期"})
    same(fits(granted.ok(), EXTENSION, granted.where)["state"], "approved", f"{granted.where} → state")
    loop.seen.append("extend")
    loop.told.append("ticket_extended")
    refuses(lambda who: who.post(decide, {}), community, 409, "already_decided")
    seen = loop.hers("in_progress")
    same(datetime.fromisoformat(seen["promised"]["close_by"]), wanted, "close_by after it was granted")
    same(seen["timeline"][-1]["text"], "配件需要定做，同意延期", "why, for the reporter")
    loop.close_by = seen["promised"]["close_by"]


def _ask(who: Caller, *, path: str, until: datetime) -> Answer:
    return who.post(f"{path}/extensions", {"until": until.isoformat(), "reason": "配件需要定做"})


def pause(_world: World, _desk: Desk, loop: Loop) -> None:
    """暂停 with a reason that she reads, within its cap, and on again."""
    path = loop.path
    refuses(lambda who: who.post(f"{path}/suspend", {"days": 2}), loop.property, 422)
    long = {"reason": "等配件", "days": 11}
    refuses(lambda who: who.post(f"{path}/suspend", long), loop.property, 422, "pause_too_long")
    stopped = loop.property.post(f"{path}/suspend", {"reason": "连续下雨，雨停后焊接", "days": 2})
    ticket = loop.moved(stopped, "suspended", seen="suspend", told="ticket_suspended")
    fits(ticket["clock"]["standing_since"], Time, f"{stopped.where} → standing_since")
    illegal(loop.property, f"{path}/resolve", {"note": "好了"}, allowed={"resume"})
    illegal(loop.property, f"{path}/suspend", {"reason": "再停一次"}, allowed={"resume"})
    seen = loop.hers("suspended")
    until_when = datetime.fromisoformat(seen["standing_until"]) - datetime.fromisoformat(seen["updated_at"])
    check(abs(until_when - timedelta(days=2)) < timedelta(minutes=1), "standing_until", "in two days", seen)
    same(seen["timeline"][-1]["text"], "连续下雨，雨停后焊接", "why it stands, for the reporter")
    going = loop.property.post(f"{path}/resume")
    ticket = loop.moved(going, "in_progress", seen="resume", told="ticket_resumed")
    same(ticket["clock"]["standing_since"], None, f"{going.where} → standing_since")
    seen = loop.hers("in_progress")
    same(seen["standing_until"], None, "standing_until, when it goes on")
    moved_on = datetime.fromisoformat(seen["promised"]["close_by"]) - datetime.fromisoformat(loop.close_by)
    check(timedelta(0) <= moved_on < timedelta(minutes=10), "close_by", "later by the pause", str(moved_on))


def verify(world: World, desk: Desk, loop: Loop) -> None:
    """The first proof is the picture of the report: it is flagged and sent back; the second one is verified."""
    path = loop.path
    refuses(functools.partial(_resolve, path=path), loop.property, 409, "parts_open")
    done = {"org_id": loop.helper_id, "note": "已围挡，旁边器材完好"}
    part = loop.helper.post(f"{path}/parts/done", done)
    fits(fits(part.ok(), PART, part.where)["done_at"], Time, f"{part.where} → done_at")
    refuses(lambda who: who.post(f"{path}/parts/done", done), loop.helper, 409, "already_decided")
    refuses(functools.partial(_resolve, path=path), loop.property, 422, "photo_required")
    _fixed(world, loop, "lamp.png", "已重新焊接")
    flags = until(
        lambda: desk.grid.get(path).ok()["closure_flags"],
        lambda found: "same_as_before" in [flag["code"] for flag in found],
        "the flag that the after-photo is the one of the report",
    )
    check(all(flag["text"] for flag in flags), "closure_flags", "a sentence with each", flags)
    same(loop.property.get(path).ok()["closure_flags"], [], "closure_flags for who is checked")
    verdict = {"passed": False, "note": "还在晃，照片是修之前的"}
    refuses(lambda who: who.post(f"{path}/verify", verdict), loop.property, 403, "permission_missing")
    illegal(desk.community, f"{path}/close", allowed={"verify"})
    loop.moved(desk.grid.post(f"{path}/verify", verdict), "in_progress", seen="rework", told="ticket_rework")
    _fixed(world, loop, "after.jpg", "已重新焊接并加固")
    checked = {"passed": True, "note": "现场摇过，稳了"}
    loop.moved(desk.grid.post(f"{path}/verify", checked), "verified", seen="verify", told="ticket_verified")
    illegal(desk.grid, f"{path}/verify", checked, allowed={"close"})
    loop.moved(desk.community.post(f"{path}/close"), "closed", seen="close", told="ticket_closed")
    illegal(loop.property, f"{path}/start", allowed={"reopen", "callback", "exclude"})
    loop.hers("closed")


def _resolve(who: Caller, *, path: str) -> Answer:
    return who.post(f"{path}/resolve", {"note": "好了"})


def _fixed(world: World, loop: Loop, picture: str, note: str) -> None:
    file = loop.property.upload("/files", picture, world.photos[picture])
    proof = fits(file.ok(201), FILE, file.where)["file_id"]
    done = loop.property.post(f"{loop.path}/resolve", {"note": note, "photo_ids": [proof]})
    loop.moved(done, "resolved", seen="resolve", told="ticket_resolved")


def rate_badly(world: World, desk: Desk, loop: Loop) -> None:
    """One star, not solved: it is open again and counts against who had fixed it; the second round ends it."""
    path, community = loop.path, desk.community
    rated = loop.reporter.post(f"{path}/rating", {"stars": 1, "solved": False, "text": loop.complaint})
    same(fits(rated.ok(), LOOP_TICKET, rated.where)["status"], "accepted", f"{rated.where} → status")
    loop.seen += ["rating", "reopen"]
    loop.told.append("ticket_reopened")
    loop.heard.append("accepted")
    ticket = community.get(path).ok()
    same((ticket["reopened"], ticket["clock"]["returns"]), (1, 0), f"{path} → reopened, returns")
    against = next(event for event in ticket["timeline"] if event["kind"] == "rating")["data"]["against"]
    same(against, loop.org_id, "whom the bad rating counts against")
    illegal(loop.reporter, f"{path}/rating", {"stars": 5, "solved": True}, allowed={"comment", "urge"})
    renewed = loop.hers("accepted")["promised"]["close_by"]
    same(renewed, ticket["promised"]["close_by"], "close_by of the second round")
    loop.moved(
        community.post(f"{path}/dispatch", {}), "dispatched", seen="dispatch", told="ticket_dispatched"
    )
    loop.moved(loop.property.post(f"{path}/start"), "in_progress", seen="start", told="ticket_started")
    _fixed(world, loop, "after.jpg", "已更换整个扶手")
    loop.moved(
        desk.grid.post(f"{path}/verify", {"passed": True}), "verified", seen="verify", told="ticket_verified"
    )
    loop.moved(community.post(f"{path}/close"), "closed", seen="close", told="ticket_closed")
    rated = loop.reporter.post(f"{path}/rating", {"stars": 4, "solved": True, "text": "这次好了"})
    fits(rated.ok(), LOOP_TICKET, rated.where)
    loop.seen.append("rating")
    called = community.post(f"{path}/callback", {"stars": 5, "solved": True, "note": "电话回访：满意"})
    loop.moved(called, "closed", changes=False)
    refuses(lambda who: who.post(f"{path}/callback", {"stars": 9, "solved": True}), community, 422)


def whole_story(world: World, desk: Desk, loop: Loop) -> None:
    """She and her neighbour were told of each step; her timeline tells the whole story in order."""
    seen = loop.hers("closed")
    times = [event["at"] for event in seen["timeline"]]
    same(times, sorted(times), "timeline → at, rising")
    same([event["seq"] for event in seen["timeline"]], list(range(1, len(times) + 1)), "timeline → seq")
    same(
        [rating for rating in (seen["rating"] or {}).items() if rating[0] == "stars"],
        [("stars", 4)],
        "rating",
    )
    for hidden in (loop.inside_note, "请改派", "请处理", "电话回访"):
        check(
            hidden not in loop.reporter.get(loop.path).body.decode(), loop.path, "no word among staff", hidden
        )
    about = {loop.ticket_id}
    same(_told(world, loop.reporter, about), loop.told, "messages of the reporter, one for each step")
    same(_told(world, loop.neighbour, about), loop.told[1:], "messages of the neighbour, from her joining on")
    events = desk.community.get(loop.path).ok()["timeline"]
    check(
        all(event["actor_kind"] for event in events), "timeline for staff", "an actor with each event", events
    )
    kinds = {event["kind"] for event in events}
    among = {
        "join",
        "merge",
        "unmerge",
        "supervise",
        "grab",
        "return",
        "ask_extension",
        "part",
        "part_done",
        "callback",
    }
    check(kinds >= among, "timeline for staff", sorted(among), sorted(kinds))


def _told(world: World, who: Caller, about: set[str]) -> list[str]:
    return [m["kind"] for m in world.inbox(who) if m["target"] and m["target"]["id"] in about][::-1]
