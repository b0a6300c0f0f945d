"""Smoke step: a ticket goes to another community and is followed there under the same number."""

from __future__ import annotations

import secrets

from tools.smoke_contract import fits
from tools.smoke_desk import Desk
from tools.smoke_http import check, same
from tools.smoke_loop import LOOP_TICKET, STAFF_LOOP_TICKET, illegal
from tools.smoke_world import World, pages, refuses


def refer(world: World, desk: Desk) -> None:
    """转办: closed here as referred, opened there; one number, one timeline, one running clock for the reporter."""
    reporter = world.log_in("chen")
    body = {
        "estate_id": world.estate["estate_id"],
        "category": "other",
        "text": f"隔壁小区外墙边的公告栏倒了，没有人管（{world.suffix}）",
        "client_token": f"tap-{secrets.token_hex(8)}",
    }
    opened = reporter.post("/tickets", body).ok(201)
    path = f"/tickets/{opened['ticket_id']}"
    there = next(who for who in world.staff.of("community") if who.get(path).status == 404)
    home = desk.community.get("/areas").ok()["items"][0]["community_id"]
    other = there.get("/areas").ok()["items"][0]
    why = "位置在相邻社区，由他们办理"
    refuses(
        lambda who: who.post(f"{path}/refer", {"community_id": home, "reason": why}),
        desk.community, 422, "bad_referral",
    )  # fmt: skip
    to = {"community_id": other["community_id"], "reason": why}
    refuses(lambda who: who.post(f"{path}/refer", to), desk.grid, 403, "permission_missing")
    referred = desk.community.post(f"{path}/refer", to)
    here = fits(referred.ok(), STAFF_LOOP_TICKET, referred.where)
    same(
        (here["status"], here["number"]), ("referred", opened["number"]), f"{referred.where} → status, number"
    )
    illegal(desk.community, f"{path}/accept", allowed=())

    on = f"/tickets/{here['referred_to']}"
    seen = there.get(on)
    successor = fits(seen.ok(), STAFF_LOOP_TICKET, seen.where)
    same(
        (successor["status"], successor["number"]),
        ("received", opened["number"]),
        f"{seen.where} → status, number",
    )
    same(successor["origin"], opened["ticket_id"], f"{seen.where} → origin")
    same(successor["first_reported_at"], here["reported_at"], f"{seen.where} → first_reported_at")
    same(successor["promised"]["close_by"], here["promised"]["close_by"], f"{seen.where}: the clock runs on")
    desk.community.get(on).refused(404, "not_found")

    there.post(f"{on}/accept").ok()
    own = next(s["org_id"] for s in there.get("/me").ok()["scopes"] if s["role"] == "community")
    there.post(f"{on}/dispatch", {"org_id": own}).ok()
    there.post(f"{on}/start").ok()
    file = there.upload("/files", "after.jpg", world.photos["after.jpg"]).ok(201)["file_id"]
    there.post(f"{on}/resolve", {"note": "公告栏已扶正固定", "photo_ids": [file]}).ok()
    refuses(lambda who: who.post(f"{on}/verify", {"passed": True}), there, 409, "own_work")
    desk.street.post(f"{on}/verify", {"passed": True}).ok()
    same(there.post(f"{on}/close").ok()["status"], "closed", "the successor, closed")

    steps = ["report", "refer", "referred_in", "accept", "dispatch", "start", "resolve", "verify", "close"]
    for whose in (path, on):
        answer = reporter.get(whose)
        ticket = fits(answer.ok(), LOOP_TICKET, answer.where)
        same(ticket["number"], opened["number"], f"{answer.where} → number")
        same([event["kind"] for event in ticket["timeline"]], steps, f"{answer.where}: one timeline")
        places = {event["community"] for event in ticket["timeline"]}
        check(other["community"] in places and len(places) == 2, answer.where, "where each step was", places)
    same(
        reporter.get(path).ok()["referred_to"], here["referred_to"], f"{path} → referred_to, for the reporter"
    )
    check("rating" in reporter.get(on).ok()["can"], f"{on} → can", "rating, of where it ended", "not there")
    mine = pages(reporter, "/tickets", 5, lambda row: f"{row['number']} {row['status']}")
    check(f"{opened['number']} closed" in mine, "my tickets", "the number with its end", mine)
