"""How often each caller may ask: all limits in one table, and who is asked which. Written up in docs/guide/limits.md.

A request takes from one bucket: that of its endpoint, else that of all writes or all reads of its caller. Residents and
staff are counted as who they are, machines by their source. An address counts only where nobody is logged in and
nothing else tells callers apart: thousands share the address of a mobile carrier.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flask import Flask, g, request
from flask.globals import app_ctx, request_ctx
from werkzeug.middleware.proxy_fix import ProxyFix

from app import pressure, rates
from app.addresses import network_of
from app.errors import TooMany
from app.rates import Limit
from bff import metrics
from bff.errors import Busy, come_back

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_LOG_IN = "session.log_in"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SlowDown(TooMany):
    """The caller's bucket is empty."""

    code = "rate_limited"
    zh = "操作太频繁，请 {zh_wait}后再试。"
    en = "That was too often; please try again in {en_wait}."


class By(StrEnum):
    """Who a bucket belongs to."""

    RESIDENT = "resident"
    STAFF = "staff"
    SOURCE = "source"  # a system with keys of its own
    ADDRESS = "address"


@dataclass(frozen=True)
class Row:
    """A limit, whose it is, and the endpoints that it is for; none named: all writes, or all reads, without another."""

    limit: Limit
    by: By
    why: str
    endpoints: tuple[str, ...] = ()
    rest: str = ""  # "writes" or "reads"


ROWS = (
    Row(
        Limit("reports", at_once=30, every_s=120),
        By.RESIDENT,
        "each report is work for somebody, and WeChat is asked about its text",
        ("tickets.open_ticket",),
    ),
    Row(
        Limit("comments", at_once=30, every_s=20),
        By.RESIDENT,
        "staff read each one",
        ("tickets.comment",),
    ),
    Row(
        Limit("uploads", at_once=90, every_s=10),
        By.RESIDENT,
        "a picture takes a second of a processor, disk, and a question to WeChat; nine belong to a report",
        ("photos.upload_photo", "memberships.upload_file"),
    ),
    Row(
        Limit("bindings", at_once=20, every_s=300),
        By.RESIDENT,
        "each is read by the desk or tried against the register; wrong ones lock much earlier",
        ("memberships.bind",),
    ),
    Row(
        Limit("petitions", at_once=10, every_s=600),
        By.RESIDENT,
        "petitions, nominations and objections have to be answered in public",
        (
            "decisions.start_petition",
            "decisions.object_to",
            "candidates.nominate",
            "memberships.object_to",
            "revenue.object_to_entry",
        ),
    ),
    Row(
        Limit("phones", at_once=10, every_s=360),
        By.RESIDENT,
        "WeChat charges for each number",
        ("session.bind_phone",),
    ),
    Row(
        Limit("exports", at_once=5, every_s=600),
        By.RESIDENT,
        "a copy of everything reads every table",
        ("me.export_me",),
    ),
    Row(
        Limit("ballots", at_once=120, every_s=1, shared=False),
        By.RESIDENT,
        "nobody fills in a ballot a second; by no address, and without a way to Redis",
        ("ballots.cast_for_head", "ballots.cast_only"),
    ),
    Row(
        Limit("searches", at_once=120, every_s=0.5, shared=False),
        By.RESIDENT,
        "a search looks through many rows; a page asks at each few letters",
        ("places.estates", "places.here", "tickets.similar", "tickets.suggest"),
    ),
    Row(
        Limit("writes", at_once=120, every_s=1),
        By.RESIDENT,
        "all other writes of a resident",
        rest="writes",
    ),
    Row(
        Limit("reads", at_once=600, every_s=0.1, shared=False),
        By.RESIDENT,
        "a page is some five questions; without a way to Redis, as the first screen is what everybody opens",
        rest="reads",
    ),
    Row(
        Limit("staff_writes", at_once=300, every_s=0.2),
        By.STAFF,
        "a clerk's click, and scripts that enter lists line by line",
        rest="writes",
    ),
    Row(
        Limit("staff_reads", at_once=900, every_s=0.05, shared=False),
        By.STAFF,
        "a page asks for its parts by itself, in several windows",
        rest="reads",
    ),
    Row(
        Limit("intake", at_once=1200, every_s=0.05),
        By.SOURCE,
        "a hotline hands in its day at once; twenty a second is more than a city reports",
        ("intake.take_in",),
    ),
    Row(
        Limit("login_failures", at_once=600, every_s=0.5),
        By.ADDRESS,
        "codes that WeChat didn't know; good ones aren't counted, whoever else is behind the address",
        (_LOG_IN,),
    ),
    Row(
        Limit("public", at_once=15_000, every_s=0.02, shared=False),
        By.ADDRESS,
        "5,000 voters behind one address may look at three pages of a log each at the same moment",
        (
            "public-decisions.keys",
            "public-decisions.board",
            "public-decisions.leaves",
            "public-decisions.proof",
            "public-decisions.consistency",
            "public-decisions.file",
            "public-decisions.anchor",
            "public-decisions.anchor_page",
        ),
    ),
)

BY_ENDPOINT = {endpoint: row for row in ROWS for endpoint in row.endpoints}
REST = {(row.by, row.rest): row for row in ROWS if row.rest}


# --- before a request --------------------------------------------------------------------------------------


def by_resident() -> None:
    """Before each request of a resident, once she is known. Raises SlowDown."""
    if (resident_id := app_ctx.g.get("resident_id")) is not None:
        _take(_row(By.RESIDENT), resident_id)


def by_staff() -> None:
    """Before each request of staff, once they are known. Raises SlowDown."""
    if (staff := g.get("staff")) is not None:
        _take(_row(By.STAFF), staff.id)


def by_source() -> None:
    """Before each report by machine, once it is proven: nobody empties another's bucket. Raises SlowDown."""
    _take(BY_ENDPOINT[request.endpoint or ""], g.source_id)


def by_address() -> None:
    """Before a request of the public face; who came with a signed link isn't counted. Raises SlowDown."""
    row = BY_ENDPOINT.get(request.endpoint or "")
    if row is not None and request.remote_addr:
        _take(row, network_of(request.remote_addr))


def _row(by: By) -> Row:
    asked = request_ctx.request
    row = BY_ENDPOINT.get(asked.endpoint or "")
    return row if row is not None else REST[by, "reads" if asked.method in SAFE else "writes"]


def _take(row: Row, who: object) -> None:
    if seconds := rates.take(row.limit, who):
        _refuse(row, seconds)


def _refuse(row: Row, seconds: int) -> None:
    metrics.refused(row.limit.name)
    raise SlowDown(retry_after=seconds, **_words(seconds))


def _words(seconds: int) -> dict[str, Any]:
    if seconds <= 90:
        return {"zh_wait": f"{seconds} 秒", "en_wait": f"{seconds} second{'s' if seconds > 1 else ''}"}
    minutes = -(-seconds // 60)
    return {"zh_wait": f"{minutes} 分钟", "en_wait": f"{minutes} minutes"}


def seen_by_proxies(application: WSGIApplication, proxies: int) -> WSGIApplication:
    """The application with the caller's address and protocol as so many proxies before it saw them. What stands further
    to the left in their headers was written by the caller, and isn't believed.
    """
    return ProxyFix(application, x_for=proxies, x_proto=proxies)


# --- logins that fail --------------------------------------------------------------------------------------


def ensure_may_log_in() -> None:
    """Raises SlowDown where too many logins failed from this address. Knows what this process was told; asks nobody."""
    row = BY_ENDPOINT[_LOG_IN]
    if request.remote_addr and (seconds := rates.shut(row.limit, _caller())):
        _refuse(row, seconds)


def login_failed() -> None:
    """One more login failed from this address."""
    if request.remote_addr:
        rates.take(BY_ENDPOINT[_LOG_IN].limit, _caller())


def _caller() -> str:
    return network_of(request.remote_addr or "")


# --- too much at once --------------------------------------------------------------------------------------

# Who has waited so long for a thread has gone, or asks again: the work would be for nobody, and those behind would wait
# for it as well. What somebody has written is worth more patience than a page.
MOST_WAIT_S = {"reads": 5.0, "writes": 20.0}
# Whether the process lives is asked just then.
_ALWAYS = frozenset({"healthz", "readyz"})


# What there may be too little of, as the count of refusals names it.
SCARCE = ("threads", "database")


def _not_for_nobody() -> None:
    waited = pressure.waited()
    if waited <= MOST_WAIT_S["reads"]:  # the shorter of both
        return
    most = MOST_WAIT_S["reads" if request.method in SAFE else "writes"]
    if waited > most and request.endpoint not in _ALWAYS:
        metrics.refused("threads")
        raise Busy(retry_after=come_back())


def init_app(app: Flask) -> None:
    """Refuse what has waited too long, in all faces, before anything of it is begun."""
    app.before_request(_not_for_nobody)
    metrics.may_refuse([*(row.limit.name for row in ROWS), *SCARCE])
