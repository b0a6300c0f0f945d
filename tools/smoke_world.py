"""What the steps of the smoke test share: the servers, the people, and what has been made so far."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from tools.smoke_contract import MESSAGE, SESSION, STAFF_SESSION, fits, page
from tools.smoke_http import Answer, Caller, Deviation, Site, check, same
from tools.smoke_photos import TOP

HAN = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Trouble:
    """A problem that several people notice: its class, and where it is, elsewhere in the estate in each run."""

    category: str
    where: str
    """As people say it."""
    location: dict[str, Any]
    """As wx.chooseLocation gives it."""


@dataclass
class World:
    """One run. Names are new in each, so that runs against the same server don't meet."""

    port: int
    site: Site = field(init=False)
    sandbox: Caller = field(init=False)
    visitor: Caller = field(init=False)
    suffix: str = field(default_factory=lambda: secrets.token_hex(5))
    nickname: str = ""
    phone: str = "13" + "".join(str(secrets.randbelow(10)) for _ in range(9))
    photos: dict[str, bytes] = field(default_factory=dict)
    wang: Caller = field(init=False)
    li: Caller = field(init=False)
    resident_id: str = ""
    template_id: str = ""
    estate: dict[str, Any] = field(default_factory=dict)
    category: str = ""
    uploads: dict[str, dict[str, Any]] = field(default_factory=dict)
    ticket_id: str = ""
    ticket_number: str = ""
    quiet_id: str = ""
    """The anonymous ticket."""
    trouble: Trouble = field(init=False)
    found_id: str = ""
    """The ticket of the same trouble that the patrol made."""
    told: list[str] = field(default_factory=list)
    """Kinds of the messages about the first ticket, in order."""
    staff: Staff = field(init=False)

    def __post_init__(self) -> None:
        self.site = Site(self.port)
        self.sandbox = Caller(Site(self.port + 1), "/_sandbox")
        self.visitor = Caller(self.site)
        self.nickname = f"冒烟{self.suffix}"
        self.staff = Staff(self.site)

    def log_in(self, who: str) -> Caller:
        """A resident of this run, logged in with a wx.login code."""
        name = f"smoke-{who}-{self.suffix}"
        answer = self.visitor.post("/bff/v1/session", {"code": f"demo-{name}"})
        session = fits(answer.ok(201), SESSION, answer.where)
        return Caller(self.site, "/bff/v1", session["access_token"], name=name)

    def visitor_at(self, prefix: str) -> Caller:
        """Nobody, at a face."""
        return Caller(self.site, prefix)

    def ledger(self, who: Caller) -> list[dict[str, Any]]:
        """What the WeChat of this person shows, oldest first."""
        found: list[dict[str, Any]] = self.sandbox.get(f"/ledger.json?name={quote(who.name)}").ok()[
            "messages"
        ]
        return found[::-1]

    def inbox(self, who: Caller) -> list[dict[str, Any]]:
        """Up to a hundred messages of a resident, newest first."""
        answer = who.get("/inbox?limit=100")
        found: list[dict[str, Any]] = fits(answer.ok(), page(MESSAGE), answer.where)["items"]
        return found

    def newest(self, who: Caller) -> str:
        """The kind of her newest message."""
        return str(self.inbox(who)[0]["kind"])


def query(path: str, **values: Any) -> str:
    """The path with these query parameters."""
    return f"{path}?{urlencode(values)}"


def pages(who: Caller, path: str, limit: int, of: Callable[[Any], str]) -> list[str]:
    """The keys of all items of a list, page by page; checks the envelope, the limit and that none comes twice."""
    found: list[str] = []
    cursor: str | None = None
    for number in range(60):
        more = {"cursor": cursor} if cursor else {}
        joiner = "&" if "?" in path else "?"
        answer = who.get(path + joiner + urlencode({"limit": limit, **more}))
        body = answer.ok()
        check(set(body) >= {"items", "next_cursor"}, answer.where, "items and next_cursor", sorted(body))
        check(len(body["items"]) <= limit, answer.where, f"at most {limit} items", len(body["items"]))
        if body["next_cursor"] is not None:
            same(len(body["items"]), limit, f"{answer.where}: items of a page that is not the last")
        found += [of(item) for item in body["items"]]
        cursor = body["next_cursor"]
        if cursor is None:
            break
        check(isinstance(cursor, str) and cursor, answer.where, "an opaque cursor", cursor)
        check(number < 59, answer.where, "an end of the list", f"page {number}")
    check(len(set(found)) == len(found), path, "no item twice", found)
    return found


def refuses(
    ask: Callable[[Caller], Answer], who: Caller, status: int | tuple[int, ...], code: str | None = None
) -> dict[str, Any]:
    """Ask in Chinese and in English; check the refusal, its code and both languages. The Chinese one."""
    zh, en = (ask(who.speaking(language)) for language in ("zh-CN", "en"))
    said, also = zh.refused(status, code), en.refused(status, code)
    same(also["code"], said["code"], f"{zh.where}: code in English")
    for name in ("title", "detail"):
        check(HAN.search(said[name]), zh.where, f"a Chinese {name}", said[name])
        check(not HAN.search(also[name]), en.where, f"an English {name}", also[name])
    for field_name, messages in also.get("errors", {}).items():
        check(not HAN.search(json.dumps(messages)), en.where, f"English words on {field_name}", messages)
    same(zh.headers.get("Content-Language"), "zh-CN", f"{zh.where}: Content-Language")
    same(en.headers.get("Content-Language"), "en", f"{en.where}: Content-Language")
    return said


def revalidates(who: Caller, path: str) -> Any:
    """GET with an ETag, then 304 with it, then 200 with another one; the body."""
    first = who.get(path)
    body = first.ok()
    tag = first.header("ETag")
    same(who.get(path, If_None_Match=tag).status, 304, f"{first.where} with If-None-Match: {tag}")
    again = who.get(path, If_None_Match='"another"')
    again.ok()
    same(again.headers.get("ETag"), tag, f"{first.where}: ETag of the same object")
    same(again.body, first.body, f"{first.where}: bytes of the same object")
    return body


@dataclass
class Staff:
    """The demonstration's staff; each is logged in once, when first needed."""

    site: Site
    accounts: list[Mapping[str, str]] = field(default_factory=list)
    _known: dict[str, Caller] = field(default_factory=dict)

    def learn(self) -> None:
        """Ask the demonstration data for its accounts, as its command prints them."""
        command = [sys.executable, "-m", "tools.demo", "--accounts"]
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Deviation(f"{' '.join(command[1:])}: expected accounts, got {done.stderr.strip()[-600:]}")
        printed = json.loads(done.stdout)
        rows = printed["staff"] if isinstance(printed, dict) else printed
        self.accounts = [row for row in rows if row.get("account")]
        for row in self.accounts:
            for name in ("account", "password", "role", "where"):
                check(row.get(name), "demo accounts", f"a field {name}", sorted(row))
        roles = {row["role"] for row in self.accounts}
        check(
            roles >= {"street", "community", "grid", "property"}, "demo accounts", "every role", sorted(roles)
        )

    def log_in(self, row: Mapping[str, str]) -> Caller:
        """Somebody of the staff, logged in with a bearer token as scripts do."""
        account = row["account"]
        if account not in self._known:
            asked = {"account": account, "password": row["password"], "mode": "token"}
            answer = Caller(self.site).post("/admin/api/v1/session", asked)
            session = fits(answer.ok(201), STAFF_SESSION, answer.where)
            roles = [scope["role"] for scope in session["staff"]["scopes"]]
            check(row["role"] in roles, f"session of {account}", f"the role {row['role']}", roles)
            same(session["staff"]["account"], account, "account of the session")
            self._known[account] = Caller(self.site, "/admin/api/v1", session["token"], name=account)
        return self._known[account]

    def of(self, role: str) -> Iterator[Caller]:
        """Everybody of a role."""
        for row in self.accounts:
            if row["role"] == role:
                yield self.log_in(row)

    def who_sees(self, role: str, ticket_id: str, *, but: Caller | None = None) -> Caller:
        """Somebody of this role to whom the ticket is visible; Deviation when nobody is."""
        for caller in self.of(role):
            if (but is None or caller.name != but.name) and caller.get(f"/tickets/{ticket_id}").status == 200:
                return caller
        raise Deviation(f"expected somebody of role {role} who sees ticket {ticket_id}, got nobody")

    def of_org(self, role: str, org_id: str) -> Caller:
        """Somebody of this role who works for the organisation; Deviation when nobody does."""
        for caller in self.of(role):
            scopes = caller.get("/me").ok()["scopes"]
            if any(scope["org_id"] == org_id and scope["role"] == role for scope in scopes):
                return caller
        raise Deviation(f"expected somebody of role {role} at {org_id}, got nobody")
