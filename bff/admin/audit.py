"""The audit log, for the auditor."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g

from app import ids
from app.audit import ActorKind, AuditRow
from app.errors import Invalid
from app.ids import OF_COMMUNITY, BadId, Kind, Ref
from app.people import queries as people
from app.people import trail
from app.people.permissions import Permission as Allow
from app.places import queries as places
from bff.admin import staff_schemas as s
from bff.admin.auth import requires
from bff.http import read_cursor, reads, write_cursor
from bff.schemas import Blueprint

blp = Blueprint("staff-audit", __name__, url_prefix="/admin/api/v1", description="Who did what, who saw what")

_ACTORS = {
    ActorKind.STAFF: Kind.STAFF,
    ActorKind.RESIDENT: Kind.RESIDENT,
    ActorKind.MACHINE: Kind.SOURCE,
}
# What rows call an object, where that isn't the word of its id.
_OBJECTS = {kind.name.lower(): kind for kind in Kind}


class UnknownId(Invalid):
    """The id names nothing of any kind."""

    code = "unknown_id"
    zh = "编号不正确。"
    en = "Not a valid id."


def _named(field: str, text: str | None) -> Ref | UUID | None:
    if not text:
        return None
    try:
        kind = Kind(text.partition("_")[0])
        return ids.decode_ref(kind, text) if kind in OF_COMMUNITY else ids.decode_id(kind, text)
    except (ValueError, BadId) as e:
        raise UnknownId(errors={field: [(UnknownId.zh, UnknownId.en)]}) from e


def _object_id(row: AuditRow) -> str | None:
    if row.object_id is None:
        return None
    kind = _OBJECTS.get(row.object_kind)
    if kind is None or (kind in OF_COMMUNITY and row.community_id < 0):
        return str(row.object_id)  # no name on the wire: a part of something, or not yet of a community
    return ids.encode(kind, Ref(row.community_id, row.object_id) if kind in OF_COMMUNITY else row.object_id)


def _details(row: AuditRow) -> dict[str, Any]:
    """The details with ids as they are on the wire; what names no kind of ours stays as it is."""
    return {name: _detail(row, name, value) for name, value in row.details.items()}


def _detail(row: AuditRow, name: str, value: Any) -> Any:
    kind = _OBJECTS.get(name.removesuffix("_id"))
    if kind is None or not isinstance(value, str) or (kind in OF_COMMUNITY and row.community_id < 0):
        return value
    try:
        found = UUID(value)
    except ValueError:
        return value
    return ids.encode(kind, Ref(row.community_id, found) if kind in OF_COMMUNITY else found)


def _actor_id(row: AuditRow) -> str | None:
    kind = _ACTORS.get(ActorKind(row.actor_kind))
    return ids.encode(kind, row.actor_id) if kind is not None and row.actor_id is not None else None


@blp.route("/audit", methods=["GET"])
@requires(Allow.AUDIT_VIEW)
@reads
@blp.arguments(s.AuditQuery, location="query")
@blp.response(200, s.AuditList)
def audit(args: dict[str, Any]) -> dict[str, Any]:
    """Who did what and who saw what in my area, the newest first. Ids and words only: no name of a resident."""
    return listed(args)


def listed(args: dict[str, Any]) -> dict[str, Any]:
    """The page of the log that these arguments ask for."""
    before = read_cursor(args["cursor"], UUID)
    actor = _named("actor", args["actor"])
    wanted = trail.Wanted(
        actor_id=actor.id if isinstance(actor, Ref) else actor,
        action=args["action"] or None,
        object=_named("object", args["object"]),
        since=args["since"],
        until=args["until"],
    )
    rows = trail.entries(g.staff, wanted, limit=args["limit"] + 1, before=before[0] if before else None)
    page = rows[: args["limit"]]
    names = people.staff_names(row.actor_id for row in page if row.actor_kind == ActorKind.STAFF)
    regions = places.region_names(row.community_id for row in page)
    return {
        "items": [
            {
                "at": row.at,
                "actor": {
                    "kind": row.actor_kind,
                    "id": _actor_id(row),
                    "name": names.get(row.actor_id) if row.actor_id is not None else None,
                },
                "action": row.action,
                "object": {"kind": row.object_kind, "id": _object_id(row)},
                "community": regions.get(row.community_id),
                "details": _details(row),
            }
            for row in page
        ],
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }
