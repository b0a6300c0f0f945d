"""What people do on the worst evening of a street, for locust; `python -m tests.load` starts it.

A stranger's clients: nothing of the application is imported, tokens come from logging in, and what is asked is what the
mini-program, the console and the vendors ask. `LOAD_PLAN` names a file with who they are, `LOAD_SAID` one that gets a
line for each answer and each thing that was promised.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from locust import FastHttpUser, between, constant_pacing, events, task
from locust.exception import StopUser

from tools.smoke_http import multipart
from tools.smoke_staff import STEP_S, code_at

PLAN = json.loads(Path(os.environ["LOAD_PLAN"]).read_text(encoding="utf-8"))
SAID = Path(os.environ["LOAD_SAID"]).open("a", encoding="utf-8")  # noqa: SIM115  closed when locust ends
PHOTOS = [(Path(path).name, Path(path).read_bytes()) for path in PLAN["photos"]]
PUSHES = [json.loads(line) for line in Path(PLAN["pushes"]).read_text(encoding="utf-8").splitlines()]

TROUBLES = (
    "路灯不亮",
    "垃圾桶满了没人清",
    "电梯有异响",
    "消防通道停了车",
    "水管漏水",
    "井盖松动",
    "健身器材扶手松了",
    "门禁坏了",
)
_TICKET = re.compile(r"/admin/tickets/(tkt_[a-z0-9]+)")
_VERSION = re.compile(r'data-version="(\d+)"')
_MOVE = re.compile(r"/tickets/tkt_[a-z0-9]+/(?:moves/)?([a-z_]+)")


def note(kind: str, **told: Any) -> None:
    """One more line for the recount."""
    SAID.write(json.dumps({"kind": kind, **told}, ensure_ascii=False) + "\n")


@events.request.add_listener
def _answered(
    request_type: str,
    name: str,
    response_time: float,
    response: Any,
    exception: Exception | None,
    context: dict[str, Any],
    **_: Any,
) -> None:
    status = response.status_code if response is not None else 0
    why = str(exception)[:200] if exception is not None else None
    note(
        "answer",
        at=time.time(),
        who=context.get("who", "?"),
        what=name,
        status=status,
        ms=round(response_time, 2),
        why=why,
    )


@events.quitting.add_listener
def _end(**_: Any) -> None:
    SAID.close()


def pause(least: float, most: float) -> None:
    """She reads, thinks, types."""
    time.sleep(random.uniform(least, most))  # locust has made it gevent's


class Person(FastHttpUser):
    """Somebody with a device of her own. `who`: the scenario that her requests are counted for."""

    abstract = True
    who = "?"
    connection_timeout = 30.0
    network_timeout = 60.0

    def context(self) -> dict[str, Any]:
        """What the listener is told."""
        return {"who": self.who}

    def ask(
        self,
        method: str,
        path: str,
        what: str,
        *,
        good: tuple[int, ...] = (200,),
        late: tuple[int, ...] = (),
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> Any:
        """The answer where its status is one of `good`, else None. `late`: somebody else was faster; no fault.

        Who is sent away for the moment (429, 503) comes again when she was told to, as every client has to; each time
        counts as an error all the same.
        """
        for again in (True, True, False):
            asked = self.client.request(method, path, name=what, catch_response=True, headers=headers, **body)
            with asked as answer:
                status = answer.status_code
                if status in good:
                    answer.success()
                    return answer
                if status in late:
                    answer.success()
                    return None
                answer.failure(f"{status} {_code(answer)}".strip())
            if not again or status not in {429, 503}:
                break
            time.sleep(min(20.0, float(answer.headers.get("Retry-After") or 1)))
        return None


def _code(answer: Any) -> str:
    try:
        return str(json.loads(answer.text or "")["code"])
    except (ValueError, TypeError, KeyError):
        return "" if answer.status_code else type(getattr(answer, "error", None)).__name__


class Resident(Person):
    """Somebody with the mini-program on her phone."""

    abstract = True
    token = ""

    def log_in(self, who: dict[str, str]) -> bool:
        """wx.login, and its code to us."""
        answer = self.ask(
            "POST", "/bff/v1/session", "POST session", good=(201,), json={"code": f"demo-{who['name']}"}
        )
        if answer is None:
            return False
        self.token = answer.json()["access_token"]
        return True

    def mine(self, method: str, path: str, what: str, **more: Any) -> Any:
        """Asked with her token."""
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return self.ask(method, path, what, headers=headers, **more)

    def home(self) -> Any:
        """The first screen."""
        answer = self.mine("GET", "/bff/v1/home", "GET home")
        return answer.json() if answer is not None else None


_voters: Iterator[dict[str, str]] = iter(PLAN["voters"])
_reporters: Iterator[dict[str, str]] = itertools.cycle(PLAN["reporters"])
_readers: Iterator[dict[str, str]] = itertools.cycle(PLAN["readers"])


class Voter(Resident):
    """The SMS wakes her: she opens the mini-program, logs in, sees the vote, reads it, casts. Then the next owner."""

    who = "vote"
    weight = 70
    wait_time = between(0.2, 1.5)

    @task
    def vote(self) -> None:
        """One owner's evening."""
        owner = next(_voters, None)
        if owner is None:
            raise StopUser
        if not self.log_in(owner):
            return
        home = self.home()
        if home is None:
            return
        waiting = [one["decision_id"] for one in home["open_decisions"] if one["my_ballot"] == "to_cast"]
        pause(0.5, 2)
        for decision in waiting:
            page = self.mine("GET", f"/bff/v1/decisions/{decision}", "GET decision")
            if page is None:
                continue
            shown = page.json()
            pause(1, 4)
            for head in shown["heads"]:
                if head["may_cast"]:
                    self._cast(decision, head["head_id"], shown["motions"])
        # Her phone goes back into the pocket: the next owner is another phone with another connection.
        self.client.client.clientpool.close()

    def _cast(self, decision: str, head: str, motions: list[dict[str, Any]]) -> None:
        choices = {one["motion_id"]: random.choice(("for", "against", "abstain")) for one in motions}
        path = f"/bff/v1/decisions/{decision}/heads/{head}/ballot"
        note("try", what="ballot", decision=decision, head=head)
        cast = self.mine("PUT", path, "PUT ballot", good=(201,), json={"choices": choices})
        if cast is None:
            return
        receipt = cast.json()["receipt"]
        note("ballot", decision=decision, head=head, receipt=receipt)
        if random.random() < 0.05:  # the answer was lost on its way: the phone sends the same again
            again = self.mine("PUT", path, "PUT ballot again", json={"choices": choices})
            if again is not None and again.json()["receipt"] != receipt:
                note("wrong", why="the same ballot sent again got another receipt")
        if random.random() < 0.2:
            self.mine("GET", path, "GET ballot")


class Reporter(Resident):
    """Something is broken, and everybody reports it: photo, report, a look at what became of it."""

    who = "report"
    weight = 12
    wait_time = between(3, 9)

    @task
    def report(self) -> None:
        """One report."""
        me = next(_reporters)
        if not self.log_in(me) or self.home() is None:
            return
        estate = me["estate"]
        self.mine("GET", f"/bff/v1/report-options?estate_id={estate}", "GET report-options")
        photos = [self._upload() for _ in range(random.choice((1, 1, 1, 2)))]
        body = {
            "estate_id": estate,
            "text": f"{random.randint(1, 20)}栋{random.randint(1, 4)}单元，{random.choice(TROUBLES)}",
            "photo_ids": [photo for photo in photos if photo],
            "client_token": f"tap-{secrets.token_hex(8)}",
        }
        pause(1, 4)
        self._send(me, body)

    def _upload(self) -> str | None:
        name, data = random.choice(PHOTOS)
        kind, body = multipart({}, name, data)
        headers = {"Content-Type": kind, "Idempotency-Key": f"photo-{secrets.token_hex(8)}"}
        kept = self.mine("POST", "/bff/v1/photos", "POST photos", good=(201,), headers=headers, data=body)
        if kept is None:
            return None
        shown = kept.json()
        self.ask("GET", "/" + shown["thumb_url"].split("/", 3)[3], "GET thumbnail")
        return str(shown["photo_id"])

    def _send(self, me: dict[str, str], body: dict[str, Any]) -> None:
        key = {"Idempotency-Key": f"report-{secrets.token_hex(8)}"}
        note("try", what="report", name=me["name"], token=body["client_token"])
        opened = self.mine("POST", "/bff/v1/tickets", "POST tickets", good=(201,), headers=key, json=body)
        if opened is None:
            return
        ticket = opened.json()["ticket_id"]
        note("report", name=me["name"], ticket=ticket, token=body["client_token"], photos=body["photo_ids"])
        if random.random() < 0.1:  # an impatient second tap
            again = self.mine(
                "POST", "/bff/v1/tickets", "POST tickets again", good=(200, 201), headers=key, json=body
            )
            if again is not None and again.json()["ticket_id"] != ticket:
                note("wrong", why="the same report sent again became another ticket")
        self.mine("GET", f"/bff/v1/tickets/{ticket}", "GET ticket")
        self.mine("GET", "/bff/v1/tickets?limit=20", "GET tickets")


class Reader(Resident):
    """The books are published, and neighbours look: the year, the lines, one of them, the periods."""

    who = "revenue"
    weight = 18
    wait_time = between(0.5, 3)

    @task
    def browse(self) -> None:
        """One reader."""
        me = next(_readers)
        if not self.log_in(me):
            return
        self.home()
        pause(0.5, 2)
        books = f"/bff/v1/estates/{me['estate']}/revenue"
        summary = self.mine("GET", f"{books}/summary?by={random.choice(('month', 'quarter'))}", "GET summary")
        pause(1, 3)
        cursor, lines = "", []
        for _ in range(random.choice((1, 2, 3))):
            page = self.mine("GET", f"{books}/entries?limit=20{cursor}", "GET entries")
            if page is None:
                return
            shown = page.json()
            lines = shown["items"]
            pause(0.5, 2)
            if not shown["next_cursor"]:
                break
            cursor = f"&cursor={shown['next_cursor']}"
        if lines:
            self.mine("GET", f"/bff/v1/revenue/entries/{random.choice(lines)['entry_id']}", "GET entry")
        self.mine("GET", f"{books}/periods", "GET periods")
        if summary is not None and (tag := summary.headers.get("ETag")):
            again = {"If-None-Match": tag}
            path = summary.url.partition("/bff/")[2]
            self.mine("GET", f"/bff/{path}", "GET summary again", good=(200, 304), headers=again)


# --- staff ---------------------------------------------------------------------------------------------------


class Member(Person):
    """Somebody at work in the console: pages by the server, moves by its script with the cookie and its token."""

    abstract = True
    accounts: Iterator[dict[str, str]]
    csrf = ""
    since = ""
    mine: dict[str, str]

    def on_start(self) -> None:
        """The login page, password and code."""
        account = next(self.accounts, None)
        if account is None:
            raise StopUser
        self.mine = account
        self.ask("GET", "/admin/login", "page login")
        body = {
            "account": account["account"],
            "password": account["password"],
            "totp": code_at(account["totp"], int(time.time()) // STEP_S),
            "mode": "cookie",
        }
        answer = self.ask("POST", "/admin/api/v1/session", "POST session", good=(201,), json=body)
        if answer is None:
            raise StopUser
        self.csrf = answer.json()["csrf_token"]
        self.ask("GET", "/admin/", "page workbench")

    @task(3)
    def look(self) -> None:
        """The board, which asks by itself what is new."""
        self.ask("GET", "/admin/tickets/board", "page board")
        for _ in range(3):
            pause(2, 4)
            since = f"?since={self.since}" if self.since else ""
            answer = self.ask(
                "GET", f"/admin/api/v1/events{since}", "GET events", headers={"X-Background": "1"}
            )
            if answer is not None:
                self.since = answer.json()["next"]

    @task(1)
    def begin_again(self) -> None:
        """The workbench."""
        self.ask("GET", "/admin/", "page workbench")

    def one_of(self, status: str) -> str | None:
        """Some ticket of her list in this state."""
        page = self.ask("GET", f"/admin/tickets?status={status}", "page list")
        found = sorted(set(_TICKET.findall(page.text))) if page is not None else []
        return random.choice(found) if found else None

    def opened(self, ticket: str, move: str) -> str | None:
        """Its page; the version that her move will name, where the page still offers it."""
        page = self.ask("GET", f"/admin/tickets/{ticket}", "page ticket", late=(404,))
        if page is None or move not in _MOVE.findall(page.text):
            return None
        found = _VERSION.search(page.text)
        return found[1] if found else None

    def move(self, ticket: str, version: str, move: str, body: Any = None) -> str | None:
        """One move, as the console's script sends it; the version after it."""
        headers = {
            "X-CSRF-Token": self.csrf,
            "Idempotency-Key": f"move-{secrets.token_hex(8)}",
            "If-Match": f'"{version}"',
        }
        sent = {"json": body} if body is not None else {"data": ""}
        note("try", what="move", ticket=ticket, move=move)
        path = f"/admin/api/v1/tickets/{ticket}/{move}"
        done = self.ask("POST", path, f"POST {move}", late=(404, 409, 412), headers=headers, **sent)
        if done is None:
            return None
        note("move", ticket=ticket, move=move, account=self.mine["account"])
        return str(done.json()["version"])


class Clerk(Member):
    """The desk of a community: accepts and dispatches, verifies and closes."""

    who = "staff"
    fixed_count = len(PLAN["clerks"])
    wait_time = between(1, 4)
    accounts = iter(PLAN["clerks"])

    @task(6)
    def take_in(self) -> None:
        """受理, 派单."""
        ticket = self.one_of("received")
        if ticket is None:
            return
        version = self.opened(ticket, "accept")
        pause(1, 4)
        if version is not None and (version := self.move(ticket, version, "accept")) is not None:
            pause(1, 3)
            self.ask("GET", f"/admin/tickets/{ticket}/moves/dispatch", "part dispatch")
            self.move(ticket, version, "dispatch", {})

    @task(4)
    def finish(self) -> None:
        """核实, 结案."""
        ticket = self.one_of("resolved")
        if ticket is None:
            return
        version = self.opened(ticket, "verify")
        pause(1, 4)
        if version is None:
            return
        version = self.move(ticket, version, "verify", {"passed": True, "note": "已现场核实"})
        if version is not None:
            pause(0.5, 2)
            self.move(ticket, version, "close")


class Crew(Member):
    """A property company: takes on what it was given, and repairs it."""

    who = "staff"
    fixed_count = len(PLAN["crews"])
    wait_time = between(1, 4)
    accounts = iter(PLAN["crews"])

    @task(6)
    def repair(self) -> None:
        """开始处理, 处理完毕."""
        ticket = self.one_of("dispatched")
        if ticket is None:
            return
        version = self.opened(ticket, "start")
        pause(0.5, 2)
        if version is not None and (version := self.move(ticket, version, "start")) is not None:
            pause(1, 4)
            photo = self._after_photo()
            if photo is not None:
                self.move(ticket, version, "resolve", {"note": "已修复，请查看", "photo_ids": [photo]})

    def _after_photo(self) -> str | None:
        name, data = random.choice(PHOTOS)
        kind, body = multipart({"purpose": "after_photo"}, name, data)
        headers = {
            "Content-Type": kind,
            "X-CSRF-Token": self.csrf,
            "Idempotency-Key": f"photo-{secrets.token_hex(8)}",
        }
        kept = self.ask("POST", "/admin/api/v1/files", "POST files", good=(201,), headers=headers, data=body)
        return str(kept.json()["file_id"]) if kept is not None else None


# --- vendors -------------------------------------------------------------------------------------------------

VENDORS = 2
_pushes: Iterator[tuple[int, dict[str, str]]] = iter(enumerate(PUSHES))


class Vendor(Person):
    """A gateway that tells the fate of a hundred messages at a time, evenly over four fifths of the load."""

    who = "receipts"
    fixed_count = VENDORS
    wait_time = constant_pacing(PLAN["seconds"] * 0.8 * VENDORS / max(1, len(PUSHES)))

    @task
    def push(self) -> None:
        """One push."""
        number, one = next(_pushes, (0, None))
        if one is None:
            raise StopUser
        path = f"/callbacks/sms/{one['vendor']}/{PLAN['callback_token']}/report"
        taken = self.ask(
            "POST",
            path,
            f"POST {one['vendor']} receipts",
            headers={"Content-Type": "application/json"},
            data=one["body"].encode(),
        )
        if taken is not None:
            note("receipts", number=number)
