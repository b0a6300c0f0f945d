"""A stand-in for the 12345 hotline: hands signed reports in, hears what became of them, and is away when told to be.

It keeps its own memory and its own signing, as another organisation would.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import requests
from flask import Blueprint, Flask, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.config import Config

SHANGHAI = ZoneInfo("Asia/Shanghai")
WINDOW_S = 300
KEPT_KEYS = 4  # the last secrets that were told, as two may be valid while they are exchanged
TAMPERINGS = ("signature", "body", "stale", "replay", "unsigned")

_TABLES = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS secrets (key_id TEXT PRIMARY KEY, secret TEXT, at REAL);
CREATE TABLE IF NOT EXISTS sent (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, external_number TEXT, http INTEGER, answer TEXT, headers TEXT,
    body TEXT);
CREATE TABLE IF NOT EXISTS statuses (
    external_number TEXT, seq INTEGER, id INTEGER, at REAL, number TEXT, status TEXT, said TEXT,
    PRIMARY KEY (external_number, seq));
CREATE TABLE IF NOT EXISTS nonces (nonce TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS oddities (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL, what TEXT, said TEXT);
"""
_ALL = ("settings", "secrets", "sent", "statuses", "nonces", "oddities")


def signature(secret: str, *, method: str, path: str, timestamp: str, nonce: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over method, path, timestamp, nonce and the body's SHA-256, one a line."""
    digest = hashlib.sha256(body).hexdigest()
    said = f"{method}\n{path}\n{timestamp}\n{nonce}\n{digest}".encode()
    return hmac.new(secret.encode(), said, "sha256").hexdigest()


class Hotline:
    """The memory and the switches of the hotline. Safe to share between threads."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.RLock()
        path = ":memory:"
        if config.state_dir is not None:
            config.state_dir.mkdir(parents=True, exist_ok=True)
            path = str(config.state_dir / "hotline.db")
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_TABLES)
        self._released = threading.Event()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """What a question gives."""
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, args)]

    def close(self) -> None:
        """Let go of the database file and of whoever waits."""
        self._released.set()
        with self._lock:
            self._db.close()

    def reset(self) -> None:
        """Forget everything."""
        with self.change() as db:
            for table in _ALL:
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own table names
        self.release()

    def release(self) -> None:
        """Wake whoever waits for an answer."""
        self._released.set()
        self._released = threading.Event()

    def hold(self, seconds: float) -> None:
        """Wait, or until the hotline is reset or closed."""
        self._released.wait(seconds)

    # Settings

    def setting(self, name: str, default: Any = None) -> Any:
        """A setting as it was told."""
        found = self.rows("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(found[0]["value"]) if found else default

    def set(self, name: str, value: Any) -> None:
        """Remember a setting."""
        with self.change() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    def learn(self, key_id: str, secret: str) -> None:
        """One more secret that the software gave us; the newest one signs."""
        with self.change() as db:
            db.execute(
                "INSERT OR REPLACE INTO secrets VALUES (?, ?, ?)", (key_id, secret, self._config.clock())
            )
            db.execute(
                "DELETE FROM secrets WHERE key_id NOT IN (SELECT key_id FROM secrets ORDER BY at DESC LIMIT ?)",
                (KEPT_KEYS,),
            )

    def now(self) -> float:
        """Seconds since the epoch by the hotline's clock, which may be told to go wrong."""
        return self._config.clock() + float(self.setting("skew_s", 0))

    # Reports, to the software

    def hand_in(self, report: Mapping[str, Any], tamper: str | None) -> tuple[int, Any]:
        """Send one report, signed; HTTP status and answer (0 and a word when nobody answered)."""
        url = self.setting("url")
        keys = self.rows("SELECT * FROM secrets ORDER BY at DESC LIMIT 1")
        if not url or not keys:
            raise Mistake("the hotline needs url, key_id and secret first")
        body = json.dumps(report, ensure_ascii=False).encode()
        if tamper == "replay":
            last = self.rows(
                "SELECT headers, body FROM sent WHERE headers IS NOT NULL ORDER BY id DESC LIMIT 1"
            )
            if not last:
                raise Mistake("nothing was sent yet that could be replayed")
            headers, body = json.loads(last[0]["headers"]), last[0]["body"].encode()
        else:
            headers = self._headers(keys[0], urlsplit(url).path, body, tamper)
        sent = body.replace(b"}", b', "urgent": true}', 1) if tamper == "body" else body
        status, answer = self._post(url, sent, headers)
        with self.change() as db:
            db.execute(
                "INSERT INTO sent (at, external_number, http, answer, headers, body) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    self.now(),
                    str(report.get("external_number", "")),
                    status,
                    json.dumps(answer, ensure_ascii=False),
                    None if tamper else json.dumps(headers),
                    body.decode(),
                ),
            )
        return status, answer

    def _headers(self, key: Mapping[str, Any], path: str, body: bytes, tamper: str | None) -> dict[str, str]:
        stamp = str(int(self.now()) - (WINDOW_S + 60 if tamper == "stale" else 0))
        nonce = secrets.token_hex(12)
        secret = key["secret"] + ("?" if tamper == "signature" else "")
        headers = {"Content-Type": "application/json"}
        if tamper == "unsigned":
            return headers
        signed = signature(secret, method="POST", path=path, timestamp=stamp, nonce=nonce, body=body)
        return headers | {
            "X-Key-Id": key["key_id"],
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Signature": signed,
        }

    @staticmethod
    def _post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(url, data=body, headers=dict(headers), timeout=15)
        except requests.RequestException as e:
            return 0, type(e).__name__
        try:
            return answer.status_code, answer.json()
        except ValueError:
            return answer.status_code, answer.text[:200]

    # Statuses, from the software

    def check(self, path: str, headers: Mapping[str, str], body: bytes) -> str | None:
        """What is wrong with the signature of a status, or None."""
        key_id, stamp = headers.get("X-Key-Id", ""), headers.get("X-Timestamp", "")
        nonce, given = headers.get("X-Nonce", ""), headers.get("X-Signature", "")
        keys = self.rows("SELECT secret FROM secrets WHERE key_id = ?", key_id)
        if not keys:
            return "unknown key"
        if not stamp.isdigit() or abs(int(stamp) - self.now()) > WINDOW_S:
            return "stale timestamp"
        expected = signature(
            keys[0]["secret"], method="POST", path=path, timestamp=stamp, nonce=nonce, body=body
        )
        if not hmac.compare_digest(given, expected):
            return "bad signature"
        with self.change() as db:
            if not db.execute("INSERT OR IGNORE INTO nonces VALUES (?)", (nonce,)).rowcount:
                return "replayed nonce"
        return None

    def hear(self, said: Mapping[str, Any]) -> str:
        """Record a status: `new`, `duplicate` (the same seq again), or `gap` (one before it never came)."""
        number, seq = str(said["external_number"]), int(said["seq"])
        with self.change() as db:
            last = (
                db.execute("SELECT max(seq) FROM statuses WHERE external_number = ?", (number,)).fetchone()[0]
                or 0
            )
            if seq <= last:
                self.odd("duplicate", said, db)
                return "duplicate"
            if seq != last + 1:
                self.odd("gap", said, db)
            place = db.execute("SELECT count(*) FROM statuses").fetchone()[0] + 1
            db.execute(
                "INSERT INTO statuses VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    seq,
                    place,
                    self.now(),
                    said.get("number"),
                    said.get("status"),
                    json.dumps(said, ensure_ascii=False),
                ),
            )
        return "new" if seq == last + 1 else "gap"

    def odd(self, what: str, said: Any, db: sqlite3.Connection | None = None) -> None:
        """Note something that should not have come."""
        row = (self.now(), what, json.dumps(said, ensure_ascii=False))
        if db is not None:
            db.execute("INSERT INTO oddities (at, what, said) VALUES (?, ?, ?)", row)
            return
        with self.change() as own:
            own.execute("INSERT INTO oddities (at, what, said) VALUES (?, ?, ?)", row)

    def ledger(self, external_number: str | None = None, *, limit: int = 500) -> dict[str, Any]:
        """Everything heard and sent, for people and tests."""
        statuses = self.rows(
            "SELECT * FROM statuses WHERE ? IS NULL OR external_number = ? ORDER BY id LIMIT ?",
            external_number,
            external_number,
            limit,
        )
        heard = [json.loads(row["said"]) | {"heard_at": _at(row["at"])} for row in statuses]
        odd = [
            {"at": _at(row["at"]), "what": row["what"], "said": json.loads(row["said"])}
            for row in self.rows("SELECT * FROM oddities ORDER BY id DESC LIMIT ?", limit)
        ]
        if external_number is not None:
            odd = [
                o
                for o in odd
                if isinstance(o["said"], dict) and o["said"].get("external_number") == external_number
            ]
        sent = [
            {
                "at": _at(row["at"]),
                "external_number": row["external_number"],
                "http": row["http"],
                "answer": json.loads(row["answer"]),
            }
            for row in self.rows(
                "SELECT * FROM sent WHERE ? IS NULL OR external_number = ? ORDER BY id DESC LIMIT ?",
                external_number,
                external_number,
                limit,
            )
        ]
        return {
            "statuses": heard,
            "oddities": odd,
            "sent": sent,
            "mode": self.setting("mode", "up"),
            "url": self.setting("url"),
        }


class Mistake(Exception):
    """The caller asked for something that the hotline doesn't know; the text says what."""


blp = Blueprint("hotline", __name__)


def _hotline() -> Hotline:
    found: Hotline = current_app.extensions["hotline"]
    return found


@blp.errorhandler(Mistake)
def _mistake(error: Mistake) -> ResponseReturnValue:
    return jsonify(error=str(error)), 400


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True) if request.get_data() else {}
    if not isinstance(body, dict):
        raise Mistake("the body must be a JSON object")
    return body


@blp.post("/_sandbox/hotline")
def configure() -> ResponseReturnValue:
    """Tell the hotline: `{url?, key_id? + secret?, mode?, delay_s?, skew_s?}`.

    `url`: the software's intake address. `mode`: `up`, `close` (the connection breaks), `timeout` (no answer for
    `delay_s`, by default 30), `http<status>`, or `late-<one of them>` (it is recorded first, then fails so).
    `skew_s`: how far the hotline's clock is ahead.
    """
    body, hotline = _body(), _hotline()
    if ("key_id" in body) != ("secret" in body):
        raise Mistake("key_id and secret come together")
    mode = str(body.get("mode", "up")).removeprefix("late-")
    if mode not in {"up", "close", "timeout"} and not (mode.startswith("http") and mode[4:].isdigit()):
        raise Mistake("mode must be up, close, timeout or http<status>, perhaps after late-")
    if "key_id" in body:
        hotline.learn(str(body["key_id"]), str(body["secret"]))
    for name in ("url", "mode", "delay_s", "skew_s"):
        if name in body:
            hotline.set(name, body[name])
    return jsonify(mode=hotline.setting("mode", "up"), url=hotline.setting("url"))


@blp.post("/_sandbox/hotline/intake")
def intake() -> ResponseReturnValue:
    """Somebody calls 12345: `{report{external_number, …}, tamper?: signature|body|stale|replay|unsigned}`."""
    body = _body()
    report, tamper = body.get("report"), body.get("tamper")
    if not isinstance(report, dict):
        raise Mistake("report must be an object")
    if tamper is not None and tamper not in TAMPERINGS:
        raise Mistake(f"tamper must be one of {', '.join(TAMPERINGS)}")
    status, answer = _hotline().hand_in(report, tamper)
    return jsonify(http=status, answer=answer)


@blp.post("/hotline/status")
def hear_status() -> ResponseReturnValue:
    """What the software calls back with: signed, each status of a number with its seq."""
    hotline, raw = _hotline(), request.get_data(cache=True)
    mode = str(hotline.setting("mode", "up"))
    if mode != "up" and not mode.startswith("late-"):
        return _fail(hotline, mode)
    wrong = hotline.check(request.path, dict(request.headers), raw)
    if wrong is not None:
        hotline.odd(wrong, {"key_id": request.headers.get("X-Key-Id")})
        return jsonify(error=wrong), 401
    said = request.get_json(force=True, silent=True)
    if not isinstance(said, dict) or not {"external_number", "number", "status", "at", "seq"} <= said.keys():
        hotline.odd("not a status", {"size": len(raw)})
        return jsonify(error="not a status"), 422
    heard = hotline.hear(said)
    if mode.startswith("late-"):
        return _fail(hotline, mode.removeprefix("late-"))
    return jsonify(heard=heard)


def _fail(hotline: Hotline, mode: str) -> ResponseReturnValue:
    if mode == "timeout":
        hotline.hold(float(hotline.setting("delay_s", 30)))
        return Response(status=504)
    if mode == "close":
        connection = request.environ.get("werkzeug.socket")
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
        return Response(b"")
    return Response(status=int(mode[4:]))


@blp.get("/_sandbox/hotline.json")
def ledger() -> ResponseReturnValue:
    """What the hotline heard (in the order of hearing), what was odd, what it sent; `?external_number=` narrows it."""
    return jsonify(_hotline().ledger(request.args.get("external_number") or None))


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, SHANGHAI).isoformat(timespec="milliseconds")


def init_app(app: Flask, config: Config) -> Hotline:
    """Put the hotline on the sandbox; its memory is `app.extensions["hotline"]`."""
    hotline = Hotline(config)
    app.extensions["hotline"] = hotline
    app.register_blueprint(blp)
    return hotline
