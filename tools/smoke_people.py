"""Smoke steps: logging in, staying logged in, profile, phone, subscriptions, first screen, inbox."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from tools.smoke_contract import (
    HOME,
    ME,
    MESSAGE,
    SESSION,
    SUBSCRIPTIONS,
    Documented,
    Masked,
    Time,
    fits,
    house_rules,
    page,
)
from tools.smoke_http import Caller, Deviation, Site, check, same, until
from tools.smoke_world import World, pages, refuses, revalidates

TAPS = 9
"""How often the resident allows one more WeChat notice: one for each step, and a reply."""


def ready(world: World) -> None:
    """The site answers and its documents are served."""
    plain = Caller(world.site)

    def status() -> int | str:
        try:
            return plain.get("/readyz").status
        except Deviation as nobody:
            return str(nobody)

    until(status, lambda found: found == 200, "/readyz answers 200", 60)
    body = plain.get("/readyz").ok()
    same(body.get("degraded"), [], "/readyz → degraded")
    plain.get("/healthz").ok()
    world.sandbox.get("/health").ok()
    world.site.rules += [house_rules, Documented(world.site).rule]
    page_of_docs = plain.get("/docs")
    same(page_of_docs.status, 200, "/docs")
    text = page_of_docs.body.decode()
    check(
        not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text),
        "/docs",
        "nothing from another site",
        text,
    )
    for path in re.findall(r"""(?:src|href)=["'](/[^"']+)""", text):
        same(plain.get(path).status, 200, path)
    same(plain.get("/metrics").status, 404, "/metrics on the public port")
    metrics = Caller(Site(world.port + 2)).get("/metrics")
    same(metrics.status, 200, "/metrics on its own port")
    check(b"# HELP" in metrics.body, "/metrics", "metrics in Prometheus' text format", metrics.body[:200])


def log_in(world: World) -> None:
    """Two residents log in; a code of nobody is refused."""
    world.wang, world.li = world.log_in("wang"), world.log_in("li")
    me = world.wang.get("/me").ok()
    world.resident_id = me["id"]
    check(world.li.get("/me").ok()["id"] != me["id"], "/me", "two residents", me["id"])
    again = world.visitor.post("/bff/v1/session", {"code": f"demo-{world.wang.name}"}).ok(201)
    same(again["resident"]["id"], me["id"], "resident of a second login")
    refuses(
        lambda who: who.post("/bff/v1/session", {"code": "nonsense"}), world.visitor, 422, "code_rejected"
    )
    refuses(lambda who: who.post("/bff/v1/session", {}), world.visitor, 422)
    refuses(lambda who: who.get("/bff/v1/home"), world.visitor, 401, "bad_token")
    refuses(lambda who: who.get("/home"), Caller(world.site, "/bff/v1", "not-a-token"), 401, "bad_token")


def stay_logged_in(world: World) -> None:
    """Refresh tokens rotate; an old one that comes back ends the login for both who hold it."""
    visitor = world.visitor
    first = visitor.post("/bff/v1/session", {"code": f"demo-smoke-zhao-{world.suffix}"}).ok(201)
    second = visitor.post("/bff/v1/session/refresh", {"refresh_token": first["refresh_token"]})
    fits(second.ok(), SESSION, second.where)
    fresh = second.json
    check(fresh["refresh_token"] != first["refresh_token"], second.where, "another refresh token", "the same")
    holder = Caller(world.site, "/bff/v1", fresh["access_token"])
    same(holder.get("/me").status, 200, "/me with the fresh token")
    refuses(lambda who: who.post("/bff/v1/session/refresh", {"refresh_token": "res_x.ses_y.z"}), visitor, 401)
    same(holder.get("/me").status, 200, "/me after somebody's nonsense")
    visitor.post("/bff/v1/session/refresh", {"refresh_token": first["refresh_token"]}).refused(
        401, "refresh_reused"
    )
    visitor.post("/bff/v1/session/refresh", {"refresh_token": fresh["refresh_token"]}).refused(401)
    holder.get("/me").refused(401, "bad_token")
    another = world.log_in("zhao")
    same(another.call("DELETE", "/session").status, 204, "DELETE /session")
    another.get("/me").refused(401, "bad_token")


def profile(world: World) -> None:
    """Nickname and the consent to keep where photos were taken; If-Match decides."""
    wang = world.wang
    first = wang.get("/me")
    me = fits(first.ok(), ME, first.where)
    tag = first.header("ETag")
    consent = next((c for c in me["consents"] if c["key"] == "photo_position"), None)
    check(consent, first.where, "a consent photo_position", me["consents"])
    assert consent
    same(consent["granted_at"], None, "photo_position before it is given")
    text = world.visitor.get("/" + consent["text_url"].split("/", 3)[3])
    check(text.status == 200 and b"<" in text.body, text.where, "the text to agree to", text.status)
    agreed = {"key": "photo_position", "version": consent["version"], "granted": True}
    change = {"nickname": world.nickname, "consents": [agreed]}
    refuses(lambda who: who.call("PATCH", "/me", change), wang, 428, "version_required")
    stale = {"If-Match": '"999999"'}
    refuses(lambda who: who.call("PATCH", "/me", change, headers=stale), wang, 412, "stale_version")
    changed = wang.call("PATCH", "/me", change, headers={"If-Match": tag})
    mine = fits(changed.ok(), ME, changed.where)
    same(mine["nickname"], world.nickname, "nickname")
    check(mine["version"] > me["version"], changed.where, f"a version after {me['version']}", mine["version"])
    check(changed.header("ETag") != tag, changed.where, "another ETag", tag)
    given = next(c for c in mine["consents"] if c["key"] == "photo_position")
    fits(given["granted_at"], Time, "granted_at of a given consent")
    wang.call("PATCH", "/me", change, headers={"If-Match": tag}).refused(412, "stale_version")
    same(wang.get("/me").ok(), mine, "/me after the change")
    unknown = {"consents": [{**agreed, "version": 99}]}
    tag = changed.header("ETag")
    refuses(lambda who: who.call("PATCH", "/me", unknown, headers={"If-Match": tag}), wang, 422)


def phone(world: World) -> None:
    """The WeChat-verified phone is bound, shown masked; the latest binding wins and both are told."""
    wang, li = world.wang, world.li
    code = {"code": f"phone-demo-{wang.name}"}
    answer = li.post("/session/phone", code)
    bound = fits(answer.ok(), {"phone_masked": Masked, "phone_verified_at": Time}, answer.where)
    same(world.newest(li), "phone_bound", "newest message of who bound a phone")
    same(wang.post("/session/phone", code).ok()["phone_masked"], bound["phone_masked"], "the same phone")
    same(wang.get("/me").ok()["phone_masked"], bound["phone_masked"], "/me → phone_masked")
    same(li.get("/me").ok()["phone_masked"], None, "/me → phone_masked of who lost it")
    same(world.newest(wang), "phone_bound", "newest message of who bound it")
    same(world.newest(li), "phone_lost", "newest message of who lost it")
    refuses(lambda who: who.post("/session/phone", {"code": "nonsense"}), wang, 422, "code_rejected")


def subscriptions(world: World) -> None:
    """She allows notices in WeChat: its event is the truth, the mini-program's word a hint."""
    wang, li = world.wang, world.li
    answer = wang.get("/subscriptions")
    found = fits(answer.ok(), SUBSCRIPTIONS, answer.where)
    progress = next((item for item in found["items"] if item["name"] == "ticket_progress"), None)
    check(progress, answer.where, "a template ticket_progress", found["items"])
    assert progress
    same(progress["credit"], 0, "credit before the first tap")
    world.template_id = progress["template_id"]

    def credit(who: Caller) -> int:
        items = who.get("/subscriptions").ok()["items"]
        return int(next(item["credit"] for item in items if item["template_id"] == world.template_id))

    # WeChat tells the accepts of one second as one event; the mini-program's own word covers the others.
    for number in range(1, TAPS + 1):
        said = wang.post("/subscriptions", {"results": {world.template_id: "accept"}})
        fits(said.ok(), SUBSCRIPTIONS, said.where)
        same(credit(wang), number, f"credit after {number} taps")
    tap = {"name": wang.name, "template_id": world.template_id, "result": "accept"}
    for _ in range(TAPS):
        pushed = world.sandbox.post("/subscribe", tap).ok()
        same(pushed["pushed"], True, "the software takes WeChat's event")
    same(credit(wang), TAPS, "credit: an event and the hint of the same tap count once")
    tap = {"name": li.name, "template_id": world.template_id, "result": "accept"}
    world.sandbox.post("/subscribe", tap).ok()
    until(lambda: credit(li), lambda n: n == 1, "one credit by WeChat's event alone")
    world.sandbox.post("/subscribe", tap | {"result": "reject"}).ok()
    until(lambda: credit(li), lambda n: n == 0, "a reject takes the credit away")
    refuses(lambda who: who.post("/subscriptions", {"results": {world.template_id: "perhaps"}}), wang, 422)


def first_screen(world: World) -> None:
    """Home in one call: me, my estates, unread, my open tickets."""
    wang = world.wang
    home = fits(revalidates(wang, "/home"), HOME, "GET /bff/v1/home")
    same(home["me"]["id"], world.resident_id, "/home → me")
    same(home["me"]["nickname"], world.nickname, "/home → me → nickname")
    open_now = [row["ticket_id"] for row in home["open_tickets"]]
    check(world.ticket_id in open_now, "/home → open_tickets", world.ticket_id, open_now)
    estates = [estate["estate_id"] for estate in home["estates"]]
    check(world.estate["estate_id"] in estates, "/home → estates", world.estate["estate_id"], estates)
    unread = [m for m in world.inbox(wang) if m["read_at"] is None]
    same(home["unread"], len(unread), "/home → unread")
    other = world.li.get(f"/home?estate_id={world.estate['estate_id']}").ok()
    same(other["open_tickets"], [], "/home of somebody else → open_tickets")
    same(other["estates"][0]["estate_id"], world.estate["estate_id"], "/home?estate_id= → estates[0]")
    refuses(lambda who: who.get("/home?estate_id=est_nothing"), wang, (404, 422))


def inbox(world: World) -> None:
    """Messages by pages, newest first; reading them counts down."""
    wang = world.wang
    answer = wang.get("/inbox?limit=100")
    messages = fits(answer.ok(), page(MESSAGE), answer.where)["items"]
    about = [m["kind"] for m in messages if m["target"] and m["target"]["id"] == world.ticket_id]
    same(about[::-1], world.told, "messages about the ticket, one for each step")
    same({m["target"]["type"] for m in messages if m["target"]}, {"ticket"}, "target → type")
    times = [m["created_at"] for m in messages]
    same(times, sorted(times, reverse=True), "messages, newest first")
    same(
        pages(wang, "/inbox", 3, lambda m: str(m["id"])),
        [m["id"] for m in messages],
        "all pages of the inbox",
    )
    unread = sum(m["read_at"] is None for m in messages)
    done = wang.post("/inbox/read", {"ids": [messages[0]["id"]]}).ok()
    same(done["unread"], unread - 1, "unread after reading one")
    same(wang.get("/home").ok()["unread"], unread - 1, "/home → unread after reading one")
    same(
        world.li.post("/inbox/read", {"ids": [messages[1]["id"]]}).ok()["changed"],
        0,
        "reading somebody else's",
    )
    now = datetime.now(timezone(timedelta(hours=8))) + timedelta(seconds=2)
    same(
        wang.post("/inbox/read", {"all_before": now.isoformat()}).ok()["unread"],
        0,
        "unread after reading all",
    )
    same(wang.get("/home").ok()["unread"], 0, "/home → unread after reading all")
    for message in world.inbox(wang):
        fits(message["read_at"], Time, "read_at of a read message")
    refuses(lambda who: who.post("/inbox/read", {}), wang, 422)
    refuses(lambda who: who.get("/inbox?cursor=nonsense"), wang, 422, "bad_cursor")
    refuses(lambda who: who.get("/inbox?limit=101"), wang, 422)
    refuses(lambda who: who.get("/inbox?limit=0"), wang, 422)


def notices(world: World) -> None:
    """Every message about the ticket also reached her WeChat, once, with every field filled."""
    wanted = len(world.told)
    found = until(
        lambda: world.ledger(world.wang), lambda rows: len(rows) >= wanted, f"{wanted} WeChat notices"
    )
    same(len(found), wanted, "WeChat notices, one for each step")
    titles = [
        m["title"] for m in world.inbox(world.wang) if m["target"] and m["target"]["id"] == world.ticket_id
    ]
    # Two lanes may send at the same moment, so the order is not promised.
    same(sorted(row["data"]["thing3"] for row in found), sorted(titles), "titles of the WeChat notices")
    for row in found:
        same(row["template_id"], world.template_id, "template of a notice")
        check(world.ticket_id in row["page"], "page of a notice", world.ticket_id, row["page"])
        same(row["data"]["character_string1"], world.ticket_number, "character_string1 of a notice")
        check(
            row["data"]["phrase2"] and row["data"]["time4"],
            "data of a notice",
            "phrase2 and time4",
            row["data"],
        )
    left = world.wang.get("/subscriptions").ok()["items"]
    same([i["credit"] for i in left if i["template_id"] == world.template_id], [TAPS - wanted], "credit left")
