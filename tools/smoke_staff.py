"""Smoke steps: administrators log in with their authenticators, make an account, and each keeps to his own part."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from typing import Any

from tools.smoke_contract import STAFF_SESSION, Count, Id, Maybe, Text, Time, fits, page
from tools.smoke_desk import Desk, Office
from tools.smoke_http import Answer, Caller, Deviation, check, same
from tools.smoke_world import World, query, refuses

SESSION = "/admin/api/v1/session"
STEP_S = 30
AUDIT = {
    "at": Time,
    "actor": {"kind": Text, "id": Maybe(Id), "name": Maybe(Text)},
    "action": Text,
    "object": {"kind": Text, "id": Maybe(Text)},
}
ACCOUNT = {"staff_id": Id, "account": Text, "name": Text, "status": Text, "version": Count}


def code_at(secret: str, step: int) -> str:
    """The six digits of a time step (RFC 6238 over HMAC-SHA-1), made here by another hand than the server's."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1)
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def logged_in(world: World, body: dict[str, Any], secret: str) -> tuple[Caller, str]:
    """Log in with the next code that was not used; who is logged in, and the code."""
    used = -1
    for _ in range(4):
        step = max(int(time.time()) // STEP_S, used + 1)
        while step > int(time.time()) // STEP_S + 1:  # at most one step ahead is taken
            time.sleep(1)
        used, code = step, code_at(secret, step)
        answer = world.visitor.post(SESSION, {**body, "totp": code})
        if answer.status == 201:
            session = fits(answer.json, STAFF_SESSION, answer.where)
            return Caller(world.site, "/admin/api/v1", session["token"], name=body["account"]), code
        answer.refused(401, "totp_refused")  # another run has used this step
    raise Deviation(
        f"expected {body['account']} to log in with a code of its authenticator, got {answer.status}"
    )


def second_factor(world: World, desk: Desk) -> None:
    """Without a code an administrator is asked for it; a code works once; one factor alone opens nothing."""
    found: dict[str, Caller] = {}
    for row in world.staff.accounts:
        if not row.get("totp"):
            continue
        body = {"account": row["account"], "password": row["password"]}
        same(
            world.visitor.post(SESSION, body).refused(401)["code"],
            "totp_required",
            f"{row['account']} without code",
        )
        found[row["role"]], code = logged_in(world, body, row["totp"])
        world.visitor.post(SESSION, {**body, "totp": code}).refused(401, "totp_refused")
    check(
        {"system_admin", "security_admin", "auditor"} <= set(found),
        "demo accounts",
        "three administrators",
        found,
    )
    desk.office = Office(found["system_admin"], found["security_admin"], found["auditor"])
    for who in found.values():
        who.get("/tickets").refused(403, "permission_missing")
        who.get(f"/tickets/{world.ticket_id}").refused(404)
    desk.community.get("/staff").refused(403)
    desk.office.security.get("/audit").refused(403)


def new_colleague(world: World, desk: Desk) -> None:
    """An account is made by one, its role given by another; its owner sets password and authenticator up."""
    office = desk.office
    org = desk.community.get("/me").ok()["scopes"][0]["org_id"]
    name = f"smoke{world.suffix}"
    made = fits(
        office.system.post("/staff", {"account": name, "name": "新同事", "org_id": org}).ok(201),
        ACCOUNT,
        "made",
    )
    office.security.post("/staff", {"account": f"{name}x", "name": "某", "org_id": org}).refused(403)
    asked = {"staff_id": made["staff_id"], "role": "community", "org_id": org}
    office.system.post("/roles", asked).refused(403)
    role = office.security.post("/roles", asked).ok(201)
    refuses(lambda who: who.post("/roles", {**asked, "role": "auditor"}), office.security, 409, "roles_apart")

    login = {"account": name, "password": made["initial_password"]}
    first = fits(world.visitor.post(SESSION, login).ok(201), STAFF_SESSION, "first login")
    check("password" in first["staff"]["needs"], "first login → needs", "password", first["staff"]["needs"])
    me = Caller(world.site, "/admin/api/v1", first["token"], name=name)
    refuses(lambda who: who.get("/tickets"), me, 403, "set_up_first")
    weak = {"password": login["password"], "new_password": "password1234"}
    refuses(lambda who: who.post("/me/password", weak), me, 422, "weak_password")
    chosen = f"{world.suffix} takes the stairs"
    same(
        me.post("/me/password", {"password": login["password"], "new_password": chosen}).status,
        204,
        "new password",
    )
    login["password"] = chosen
    secret = me.post("/me/totp", {"password": chosen}).ok(201)["secret"]
    now = code_at(secret, int(time.time()) // STEP_S)
    codes = me.post("/me/totp/confirm", {"totp": now}).ok()["recovery_codes"]
    same(len(codes), 10, "recovery codes")
    same(me.get("/tickets?limit=1").status, 200, "the board, now")
    world.visitor.post(SESSION, login).refused(401, "totp_required")
    again = world.visitor.post(SESSION, {**login, "totp": codes[0]}).ok(201)
    world.visitor.post(SESSION, {**login, "totp": codes[0]}).refused(401, "totp_refused")
    other = Caller(world.site, "/admin/api/v1", again["token"], name=name)
    same(len(other.get("/me/sessions").ok()["items"]), 2, "my logins")
    same(other.call("DELETE", "/me/sessions").status, 204, "end the others")
    me.get("/me").refused(401)

    row = fits(office.auditor.get(query("/audit", object=made["staff_id"])).ok(), page(AUDIT), "/audit")[
        "items"
    ]
    check(
        {"staff.added", "role.granted"} <= {r["action"] for r in row},
        "/audit",
        "who made it, who gave it",
        row,
    )
    version = office.security.get(f"/roles/{role['role_id']}").header("ETag")
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))
    ended = office.security.call(
        "PATCH", f"/roles/{role['role_id']}", {"valid_to": today}, headers={"If-Match": version}
    )
    same(ended.status, 200, "the role ends today")
    other.get("/tickets").refused(403)
    tag = office.system.get(f"/staff/{made['staff_id']}").header("ETag")
    off = office.system.call(
        "PATCH", f"/staff/{made['staff_id']}", {"status": "disabled"}, headers={"If-Match": tag}
    )
    same(off.ok()["status"], "disabled", "the account")
    other.get("/me").refused(401)


def console(world: World, desk: Desk) -> None:
    """The console's cookie: no script reads it, and no write goes without the token that belongs to it."""
    row = next(r for r in world.staff.accounts if r["account"] == desk.community.name)
    asked = {"account": row["account"], "password": row["password"], "mode": "cookie"}
    answer = world.visitor.post(SESSION, asked)
    body = answer.ok(201)
    check("token" not in body, answer.where, "no token in the body", sorted(body))
    cookie = _cookie(answer, "jiayuan_staff")
    who = Caller(world.site, "/admin/api/v1", name=row["account"])
    sent = {"Cookie": cookie}
    same(who.call("GET", "/me", headers=sent).ok()["account"], row["account"], "by cookie")
    path = f"/tickets/{world.ticket_id}/comment"
    words = {"text": "来自网页", "visibility": "internal"}
    who.call("POST", path, words, headers=sent).refused(403, "csrf_refused")
    sent["X-CSRF-Token"] = body["csrf_token"]
    same(who.call("POST", path, words, headers=sent).status, 200, "a write with the token")
    same(who.call("DELETE", "/session", headers=sent).status, 204, "log out")
    who.call("GET", "/me", headers={"Cookie": cookie}).refused(401)


def _cookie(answer: Answer, name: str) -> str:
    for header in answer.headers.get_all("Set-Cookie") or []:
        if name in header.partition("=")[0]:
            check(
                "HttpOnly" in header and "SameSite=Strict" in header, answer.where, "HttpOnly, Strict", header
            )
            return str(header.partition(";")[0])
    raise Deviation(f"{answer.where}: expected a cookie {name}, got none")
