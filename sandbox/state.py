"""All the sandbox remembers, in one SQLite database: people, codes, tokens, credits, messages, switches."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sandbox.config import Config

CODE_LIVES_S = 300
# stable_token renews in the last five minutes, during which old and new both work.
ROLL_S = 300
FORCE_GAP_S = 30
FORCE_A_DAY = 20

_TABLES = """
CREATE TABLE IF NOT EXISTS people (
    openid TEXT PRIMARY KEY, name TEXT UNIQUE, unionid TEXT, phone TEXT, visited_at REAL);
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY, kind TEXT, openid TEXT, phone TEXT, minted_at REAL, used_at REAL);
CREATE TABLE IF NOT EXISTS tokens (
    value TEXT PRIMARY KEY, kind TEXT, expires_at REAL, is_current INTEGER);
CREATE TABLE IF NOT EXISTS forced (at REAL);
CREATE TABLE IF NOT EXISTS credits (
    openid TEXT, template_id TEXT, n INTEGER, PRIMARY KEY (openid, template_id));
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, channel TEXT, openid TEXT, phone TEXT,
    template_id TEXT, page TEXT, data TEXT, state TEXT, msgid TEXT);
CREATE TABLE IF NOT EXISTS faults (
    api TEXT PRIMARY KEY, mode TEXT, times INTEGER, delay_s REAL, after INTEGER);
CREATE TABLE IF NOT EXISTS verdicts (
    sha256 TEXT PRIMARY KEY, suggest TEXT, label INTEGER, times INTEGER, delay_s REAL);
CREATE TABLE IF NOT EXISTS calls (
    api TEXT, result TEXT, n INTEGER, PRIMARY KEY (api, result));
CREATE TABLE IF NOT EXISTS media (
    trace_id TEXT PRIMARY KEY, at REAL, openid TEXT, url TEXT, sha256 TEXT, suggest TEXT, errcode INTEGER);
CREATE TABLE IF NOT EXISTS pushes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, event TEXT, openid TEXT, tries INTEGER, answered INTEGER);
"""
_ALL = (
    "people",
    "codes",
    "tokens",
    "forced",
    "credits",
    "messages",
    "faults",
    "verdicts",
    "calls",
    "media",
    "pushes",
)


class Refusal(Exception):
    """An errcode of WeChat's; it goes out with HTTP 200."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(errcode, errmsg)
        self.errcode = errcode
        self.errmsg = errmsg


@dataclass(frozen=True)
class Fault:
    """How an API is told to fail. `after` True: it does its work first and then fails all the same."""

    mode: str
    delay_s: float
    after: bool


class State:
    """The memory of one sandbox. Every method is one transaction; safe to share between threads."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.RLock()
        path = ":memory:"
        if config.state_dir is not None:
            config.state_dir.mkdir(parents=True, exist_ok=True)
            path = str(config.state_dir / "sandbox.db")
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        # A kill of the process loses nothing; only a power cut could, and a sandbox may bear that.
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_TABLES)
        self.push_url = config.push_url
        # Set anew at each reset, so that calls held up by a time-out switch are let go.
        self._released = threading.Event()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, args)]

    def now(self) -> float:
        """Seconds since the epoch by the sandbox's clock."""
        return self._config.clock()

    def close(self) -> None:
        """Let go of the database file."""
        self._released.set()
        with self._lock:
            self._db.close()

    def reset(self) -> None:
        """Forget everything, and let go what a switch holds up."""
        with self._change() as db:
            for table in _ALL:
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own table names
        self.push_url = self._config.push_url
        self.release()

    def release(self) -> None:
        """Wake the calls that a switch holds up."""
        self._released.set()
        self._released = threading.Event()

    def hold(self, seconds: float) -> None:
        """Wait as a switch demands, or until `release`."""
        self._released.wait(seconds)

    # People

    def openid_of(self, name: str) -> str:
        """The openid of a demo person: 28 characters, the same in every run and for every state."""
        digest = hashlib.sha256(f"sandbox openid {self._config.appid} {name}".encode()).digest()
        return "o" + base64.urlsafe_b64encode(digest).decode()[:27]

    def meet(self, *, name: str | None = None, openid: str | None = None, unionid: str | None = None) -> str:
        """Make the person known (not yet a visitor) and return the openid."""
        openid = openid or self.openid_of(name or "")
        with self._change() as db:
            db.execute("INSERT OR IGNORE INTO people (openid, name) VALUES (?, ?)", (openid, name))
            if unionid:
                db.execute("UPDATE people SET unionid = ? WHERE openid = ?", (unionid, openid))
        return openid

    def person(self, openid: Any) -> dict[str, Any] | None:
        """The person as known, or None."""
        rows = self._rows("SELECT * FROM people WHERE openid = ?", str(openid))
        return rows[0] if rows else None

    # Codes

    def mint(self, *, kind: str, openid: str, phone: str | None) -> str:
        """A single-use code of five minutes, of kind `login` or `phone`."""
        code = secrets.token_urlsafe(24)
        with self._change() as db:
            db.execute(
                "INSERT INTO codes VALUES (?, ?, ?, ?, ?, NULL)", (code, kind, openid, phone, self.now())
            )
        return code

    def redeem(self, code: str, kind: str) -> dict[str, Any]:
        """The row of a minted code, used up by this. Raises Refusal 40029 or 40163."""
        with self._change() as db:
            row = db.execute("SELECT * FROM codes WHERE code = ? AND kind = ?", (code, kind)).fetchone()
            if row is None:
                raise Refusal(40029, "invalid code")
            if row["used_at"] is not None:
                raise Refusal(40163, "code been used")
            if self.now() - row["minted_at"] > CODE_LIVES_S:
                raise Refusal(40029, "invalid code")
            db.execute("UPDATE codes SET used_at = ? WHERE code = ?", (self.now(), code))
            return dict(row)

    def visit(self, openid: str) -> dict[str, Any]:
        """Note that the person has the mini-program open now; the person's row."""
        with self._change() as db:
            db.execute("UPDATE people SET visited_at = ? WHERE openid = ?", (self.now(), openid))
            return dict(db.execute("SELECT * FROM people WHERE openid = ?", (openid,)).fetchone())

    def learn_phone(self, openid: str, phone: str) -> None:
        """Remember which number the person showed, for the ledger."""
        with self._change() as db:
            db.execute("UPDATE people SET phone = ? WHERE openid = ?", (phone, openid))

    # Tokens

    def stable_token(self, *, force: bool) -> tuple[str, int]:
        """A stable token and its remaining seconds. Raises Refusal 45009 past 20 forced refreshes a day."""
        with self._change() as db:
            now = self.now()
            current = db.execute("SELECT * FROM tokens WHERE kind = 'stable' AND is_current").fetchone()
            if force and current is not None:
                last = db.execute("SELECT max(at) FROM forced").fetchone()[0]
                if last is None or now - last >= FORCE_GAP_S:
                    today = db.execute("SELECT count(*) FROM forced WHERE at > ?", (now - 86400,)).fetchone()[
                        0
                    ]
                    if today >= FORCE_A_DAY:
                        raise Refusal(45009, "reach max api daily quota limit")
                    db.execute("INSERT INTO forced VALUES (?)", (now,))
                    db.execute("DELETE FROM tokens WHERE kind = 'stable'")
                    current = None
            if current is not None and current["expires_at"] - now > ROLL_S:
                return current["value"], int(current["expires_at"] - now)
            # The old one lives on to its own end, five minutes at most.
            return self._issue(db, "stable", now)

    def plain_token(self) -> tuple[str, int]:
        """A token of the old API: each call replaces the one before, which lives on for five minutes."""
        with self._change() as db:
            now = self.now()
            db.execute(
                "UPDATE tokens SET expires_at = min(expires_at, ?) WHERE kind = 'plain'", (now + ROLL_S,)
            )
            return self._issue(db, "plain", now)

    def _issue(self, db: sqlite3.Connection, kind: str, now: float) -> tuple[str, int]:
        value = f"{secrets.randbelow(90) + 10}_{secrets.token_urlsafe(100)}"
        db.execute("UPDATE tokens SET is_current = 0 WHERE kind = ?", (kind,))
        db.execute("INSERT INTO tokens VALUES (?, ?, ?, 1)", (value, kind, now + self._config.token_s))
        return value, self._config.token_s

    def check_token(self, value: str | None) -> None:
        """Raises Refusal 41001 without a token, 42001 with an expired, 40001 with an unknown one."""
        if not value:
            raise Refusal(41001, "access_token missing")
        rows = self._rows("SELECT * FROM tokens WHERE value = ?", value)
        if not rows:
            raise Refusal(40001, "invalid credential, access_token is invalid or not latest")
        if rows[0]["expires_at"] <= self.now():
            raise Refusal(42001, "access_token expired")

    def invalidate_tokens(self) -> int:
        """Make every token worthless at once; returns how many there were."""
        with self._change() as db:
            return db.execute("DELETE FROM tokens").rowcount

    # Subscribe messages

    def grant(self, openid: str, template_id: str) -> int:
        """One more credit, as one tap on 允许 gives; returns how many there are now."""
        with self._change() as db:
            db.execute(
                "INSERT INTO credits VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1",
                (openid, template_id),
            )
            return self._credit(db, openid, template_id)

    def credit(self, openid: str, template_id: str) -> int:
        """How many messages of this template the person still accepts."""
        with self._lock:
            return self._credit(self._db, openid, template_id)

    @staticmethod
    def _credit(db: sqlite3.Connection, openid: str, template_id: str) -> int:
        row = db.execute(
            "SELECT n FROM credits WHERE openid = ? AND template_id = ?", (openid, template_id)
        ).fetchone()
        return row["n"] if row else 0

    def deliver(
        self, *, openid: str, template_id: str, page: str | None, data: dict[str, str], state: str
    ) -> str:
        """Use up one credit and put the message on the person's phone; its msgid. Raises Refusal 43101."""
        with self._change() as db:
            if self._credit(db, openid, template_id) < 1:
                raise Refusal(43101, "user refuse to accept the msg")
            db.execute(
                "UPDATE credits SET n = n - 1 WHERE openid = ? AND template_id = ?", (openid, template_id)
            )
            msgid = str(2_500_000_000_000_000_000 + secrets.randbelow(10**17))
            db.execute(
                "INSERT INTO messages (at, channel, openid, template_id, page, data, state, msgid)"
                " VALUES (?, 'subscribe', ?, ?, ?, ?, ?, ?)",
                (self.now(), openid, template_id, page, json.dumps(data, ensure_ascii=False), state, msgid),
            )
            return msgid

    def messages(
        self,
        *,
        openid: str | None = None,
        name: str | None = None,
        phone: str | None = None,
        limit: int = 1000,
    ) -> list[dict[str, Any]]:
        """What people received, newest first. A phone finds what came by SMS and what its owner got."""
        rows = self._rows(
            "SELECT m.*, p.name, coalesce(m.phone, p.phone) AS known_phone FROM messages m"
            " LEFT JOIN people p USING (openid)"
            " WHERE (? IS NULL OR m.openid = ?) AND (? IS NULL OR p.name = ?)"
            " AND (? IS NULL OR m.phone = ? OR p.phone = ?) ORDER BY m.id DESC LIMIT ?",
            *(openid, openid, name, name, phone, phone, phone, limit),
        )
        for row in rows:
            row["data"] = json.loads(row["data"])
            row["phone"] = row.pop("known_phone")
        return rows

    def credits(self, *, openid: str | None = None) -> list[dict[str, Any]]:
        """Credits left, by person and template."""
        return self._rows(
            "SELECT c.*, p.name FROM credits c LEFT JOIN people p USING (openid)"
            " WHERE ? IS NULL OR c.openid = ? ORDER BY p.name, c.template_id",
            *(openid, openid),
        )

    # Switches and counts

    def set_fault(self, *, api: str, fault: Fault | None, times: int | None) -> None:
        """Make `api` (or `*`) fail as told, `times` times or for ever; None lets it work again."""
        with self._change() as db:
            db.execute("DELETE FROM faults WHERE api = ?", (api,))
            if fault is not None:
                row = (api, fault.mode, times, fault.delay_s, int(fault.after))
                db.execute("INSERT INTO faults VALUES (?, ?, ?, ?, ?)", row)
        if fault is None:
            self.release()

    def take_fault(self, api: str) -> Fault | None:
        """How this very call has to fail, if at all; counts it."""
        with self._change() as db:
            row = db.execute(
                "SELECT * FROM faults WHERE api IN (?, '*') ORDER BY api = '*' LIMIT 1", (api,)
            ).fetchone()
            if row is None:
                return None
            if row["times"] is not None:
                if row["times"] <= 1:
                    db.execute("DELETE FROM faults WHERE api = ?", (row["api"],))
                else:
                    db.execute("UPDATE faults SET times = times - 1 WHERE api = ?", (row["api"],))
            return Fault(row["mode"], row["delay_s"], bool(row["after"]))

    def faults(self) -> list[dict[str, Any]]:
        """The switches as they stand."""
        return self._rows("SELECT * FROM faults ORDER BY api")

    def count(self, api: str, result: str) -> None:
        """One more call of `api` that ended with `result` (an errcode or the mode of a switch)."""
        with self._change() as db:
            db.execute(
                "INSERT INTO calls VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1", (api, result)
            )

    def calls(self) -> dict[str, dict[str, int]]:
        """Counts by API and result."""
        found: dict[str, dict[str, int]] = {}
        for row in self._rows("SELECT * FROM calls ORDER BY api, result"):
            found.setdefault(row["api"], {})[row["result"]] = row["n"]
        return found

    # Pictures

    def set_verdict(
        self, *, sha256: str, suggest: str, label: int, times: int | None, delay_s: float | None
    ) -> None:
        """What to say of the picture with this hash, or of any (`*`); `none` is to say nothing."""
        with self._change() as db:
            db.execute(
                "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?, ?)",
                (sha256, suggest, label, times, delay_s),
            )

    def take_verdict(self, sha256: str) -> dict[str, Any] | None:
        """The verdict that was ordered for this picture, if any; counts it."""
        with self._change() as db:
            row = db.execute(
                "SELECT * FROM verdicts WHERE sha256 IN (?, '*') ORDER BY sha256 = '*' LIMIT 1", (sha256,)
            ).fetchone()
            if row is None:
                return None
            if row["times"] is not None:
                if row["times"] <= 1:
                    db.execute("DELETE FROM verdicts WHERE sha256 = ?", (row["sha256"],))
                else:
                    db.execute("UPDATE verdicts SET times = times - 1 WHERE sha256 = ?", (row["sha256"],))
            return dict(row)

    def ask_media(self, openid: str, url: str) -> str:
        """Note the question; its trace_id."""
        trace_id = trace()
        with self._change() as db:
            db.execute(
                "INSERT INTO media (trace_id, at, openid, url) VALUES (?, ?, ?, ?)",
                (trace_id, self.now(), openid, url),
            )
        return trace_id

    def judge_media(self, trace_id: str, *, sha256: str | None, suggest: str | None, errcode: int) -> None:
        """Note the answer."""
        with self._change() as db:
            db.execute(
                "UPDATE media SET sha256 = ?, suggest = ?, errcode = ? WHERE trace_id = ?",
                (sha256, suggest, errcode, trace_id),
            )

    def media(self, limit: int = 200) -> list[dict[str, Any]]:
        """Pictures asked about, newest first."""
        return self._rows("SELECT * FROM media ORDER BY at DESC LIMIT ?", limit)

    def note_push(self, *, event: str, openid: str, tries: int, answered: bool) -> None:
        """Note how a push to us went."""
        with self._change() as db:
            db.execute(
                "INSERT INTO pushes (at, event, openid, tries, answered) VALUES (?, ?, ?, ?, ?)",
                (self.now(), event, openid, tries, int(answered)),
            )

    def pushes(self, limit: int = 200) -> list[dict[str, Any]]:
        """Pushes sent, newest first."""
        return self._rows("SELECT * FROM pushes ORDER BY id DESC LIMIT ?", limit)


def trace() -> str:
    """A request id in the shape WeChat gives them."""
    digits = uuid.uuid4().hex
    return f"{digits[:8]}-{digits[8:16]}-{digits[16:24]}"
