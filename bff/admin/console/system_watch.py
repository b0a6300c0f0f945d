"""Pages for who looks after the house: the audit log, and the work behind the requests."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from flask import g, request

from app import clock, ids, queue_watch
from app.ids import Kind
from app.notices.models import TOPIC_NAMES
from app.people import roster
from app.people.permissions import ROLE_NAMES
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.queue import Queue
from bff.admin import audit as audit_face
from bff.admin import queues as queue_face
from bff.admin import staff_schemas
from bff.admin.auth import requires
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.lists import next_address
from bff.admin.console.sms_words import AUDIENCES, KINDS
from bff.admin.console.system_words import (
    ACTORS,
    JOBS,
    QUEUES,
    about_name,
    act_name,
    acts_by_topic,
    detail_name,
)
from bff.admin.console.words import say
from bff.http import reads
from bff.schemas import Date, PageQuery, Query, Text

MOST_PICKED = 12
# What stands beside an act as a word of the program, by what it is called there.
_VALUES: dict[str, dict[str, str]] = {
    "audience": {str(kind): words[0] for kind, words in AUDIENCES.items()},
    "kind": {str(key): words for key, words in (KINDS | TOPIC_NAMES).items()},
    "role": {str(role): words for role, words in ROLE_NAMES.items()},
}


# --- the audit log -----------------------------------------------------------------------------------------


class LogQuery(PageQuery):
    """As the JSON face's, by whole days."""

    actor = Text(most=60, load_default=None)
    action = Text(most=64, load_default=None)
    object = Text(most=60, load_default=None)
    first = Date(load_default=None)
    last = Date(load_default=None)
    who = Text(most=40, load_default=None)  # what the actor's field shows


@blp.route("/audit", methods=["GET"])
@requires(Allow.AUDIT_VIEW)
@reads
def audit_log() -> str:
    """Who did what, the newest first."""
    asked = query(LogQuery)
    wanted = {name: asked[name] for name in ("limit", "cursor", "actor", "action", "object")}
    wanted |= {"since": _midnight(asked["first"]), "until": _midnight(asked["last"], days=1)}
    found = staff_schemas.AuditList().dump(audit_face.listed(wanted))
    given = {name: value for name, value in request.args.items() if value.strip()}
    values: dict[str, Any] = {
        "rows": [_line(row) for row in found["items"]],
        "given": given,
        "next_address": next_address(found["next_cursor"]),
    }
    if is_fragment():
        return fragment("system/_audit_list.html", **values)
    return page("system/audit.html", here="audit", groups=acts_by_topic(), **values)


def _midnight(day: Any, *, days: int = 0) -> datetime | None:
    return datetime.combine(day + timedelta(days=days), time(), clock.SHANGHAI) if day is not None else None


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the log in words; ids stay as they are, to be searched for."""
    actor, kind = row["actor"], row["object"]["kind"]
    return row | {
        "what": act_name(row["action"]),
        "who": actor["name"] or say(ACTORS[actor["kind"]]),
        "about": about_name(kind),
        "facts": [(detail_name(name), _plain(value, name)) for name, value in sorted(row["details"].items())],
    }


def _plain(value: Any, name: str = "") -> str:
    if value is None:
        return "—"
    if isinstance(value, bool):
        return say("是") if value else say("否")
    if isinstance(value, list):
        return "、".join(detail_name(str(one)) for one in value) or "—"
    if isinstance(value, dict):
        return (
            "；".join(
                ": ".join([detail_name(inner), _plain(one, inner)]) for inner, one in sorted(value.items())
            )
            or "—"
        )
    named = _VALUES.get(name, {}).get(str(value))
    return say(named) if named is not None else str(value)


class PickQuery(Query):
    q = Text(most=40, load_default="")


@blp.route("/pick/staff", methods=["GET"])
@requires(Allow.AUDIT_VIEW)
@reads
def pick_staff() -> str:
    """Accounts in my area by the beginning of the account, or the name."""
    rows = roster.accounts(g.staff, limit=MOST_PICKED, q=query(PickQuery)["q"] or None, on=places.today())
    choices = [
        {"value": ids.encode(Kind.STAFF, row.id), "text": row.name, "more": row.account} for row in rows
    ]
    return fragment("_picked.html", choices=choices, nothing=say("没有这个账号；请输入完整姓名或账号开头"))


# --- work behind the requests ------------------------------------------------------------------------------


@blp.route("/queues", methods=["GET"])
@requires(Allow.QUEUE_VIEW)
@reads
def queues() -> str:
    """What waits, goes on and has failed."""
    states = queue_face.QueueOut(many=True).dump(queue_face.queues_out())
    values = {
        "queues": [
            row
            | {
                "said": QUEUES[Queue(row["name"])],
                "jobs": queue_face.FailedJobOut(many=True).dump(queue_watch.failed(Queue(row["name"])))
                if row["failed"]
                else [],
            }
            for row in states
        ],
        "job_names": JOBS,
        "may_retry": g.staff.may(Allow.QUEUE_RETRY),
    }
    if is_fragment():
        return fragment("system/_queues.html", **values)
    return page("system/queues.html", here="queues", **values)
