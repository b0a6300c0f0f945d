"""Other systems that may hand reports in, and their secrets."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import g, url_for

from app.ids import Kind
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.sources import queries as sources
from app.sources import service
from app.sources.models import Source
from app.sources.service import Issued
from app.sources.signing import CODE
from app.tickets.models import FROM_SOURCES
from bff.admin.auth import requires
from bff.http import Versioned, reads, versioned, wanted_version, writes
from bff.schemas import Blueprint, Date, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

blp = Blueprint("api-keys", __name__, url_prefix="/admin/api/v1", description="Sources and their keys")


class KeyOut(Schema):
    key_id = f.String(required=True)
    created_at = Time(required=True)


class SourceOut(Schema):
    api_key_id = WireId(Kind.SOURCE, required=True)
    source = f.String(required=True, metadata={"description": "its name in /callbacks/intake/{source}"})
    name = f.String(required=True)
    channel = f.String(required=True)
    scope = f.String(required=True, metadata={"description": "the street or community it covers"})
    desk = f.String(required=True, metadata={"description": "the community that gets what can't be located"})
    callback_url = f.String(allow_none=True, required=True)
    active = f.Boolean(required=True)
    valid_from = Date(required=True)
    valid_to = Date(allow_none=True, required=True)
    keys = f.List(f.Nested(KeyOut), required=True, metadata={"description": "valid now, oldest first"})
    statuses_open = f.Integer(required=True, metadata={"description": "statuses it is still to be told"})
    statuses_refused = f.Integer(required=True)
    failures = f.Integer(required=True, metadata={"description": "vain tries in a row to tell it"})
    last_error = f.String(allow_none=True, required=True)
    version = f.Integer(required=True)


class SourceIssuedOut(SourceOut):
    key_id = f.String(metadata={"description": "of the secret in this answer"})
    secret = f.String(metadata={"description": "shown in this answer only"})


class SourceList(Schema):
    items = f.List(f.Nested(SourceOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class SourceIn(Schema):
    source = f.String(required=True, validate=v.Regexp(f"^{CODE.pattern}$"))
    name = Text(most=80, least=1, required=True)
    channel = f.String(required=True, validate=v.OneOf(sorted(FROM_SOURCES)))
    scope_org_id = WireId(Kind.ORG, required=True)
    desk_org_id = WireId(Kind.ORG, load_default=None, allow_none=True)
    callback_url = f.String(load_default=None, allow_none=True, validate=v.Length(max=300))
    valid_from = Date(load_default=None, allow_none=True)
    valid_to = Date(load_default=None, allow_none=True)


class SourceChange(Schema):
    name = Text(most=80, least=1)
    callback_url = f.String(allow_none=True, validate=v.Length(max=300))
    active = f.Boolean()
    valid_to = Date(allow_none=True)
    rotate = f.String(validate=v.OneOf(["start", "finish"]))


def source_out(source: Source) -> dict[str, Any]:
    """A source with its keys, never their secrets."""
    told = sources.told(source)
    scope, desk = places.region(source.region_id), places.region(source.desk_id)
    return {
        "api_key_id": source.id,
        "source": source.code,
        "name": source.name,
        "channel": source.channel,
        "scope": scope.name if scope else "",
        "desk": desk.name if desk else "",
        "callback_url": source.callback_url,
        "active": source.is_active,
        "valid_from": source.valid_from,
        "valid_to": source.valid_to,
        "keys": sources.keys_of([source.id]).get(source.id, []),
        "statuses_open": told.open,
        "statuses_refused": told.refused,
        "failures": told.failures,
        "last_error": told.last_error,
        "version": source.version,
    }


def _issued(issued: Issued) -> dict[str, Any]:
    shown = {"key_id": issued.key_id, "secret": issued.secret} if issued.secret else {}
    return source_out(issued.source) | shown


@blp.route("/api-keys", methods=["GET"])
@requires(Allow.API_KEY_EDIT)
@reads
@blp.response(200, SourceList)
def api_keys() -> dict[str, Any]:
    """The sources in my reach; secrets are never shown again."""
    return {"items": [source_out(source) for source in sources.sources_for(g.staff)], "next_cursor": None}


@blp.route("/api-keys/<ref(src):source_id>", methods=["GET"])
@requires(Allow.API_KEY_EDIT)
@reads
@blp.response(200, SourceOut)
def api_key(source_id: UUID) -> Versioned:
    """One source."""
    return versioned(source_out(sources.source_for(g.staff, source_id)))


@blp.route("/api-keys", methods=["POST"])
@requires(Allow.API_KEY_EDIT)
@writes
@blp.arguments(SourceIn)
@blp.response(201, SourceIssuedOut)
def add_api_key(body: dict[str, Any]) -> Versioned:
    """Let another system hand reports in. Its secret is in this answer and in no other."""
    issued = service.add_source(
        code=body["source"],
        name=body["name"],
        channel=body["channel"],
        scope_org=body["scope_org_id"],
        desk_org=body["desk_org_id"],
        callback_url=body["callback_url"] or None,
        valid_from=body["valid_from"],
        valid_to=body["valid_to"],
        acting_user=g.staff,
    )
    where = url_for("api-keys.api_key", source_id=issued.source.id)
    return versioned(_issued(issued), 201, Location=where)


@blp.route("/api-keys/<ref(src):source_id>", methods=["PATCH"])
@requires(Allow.API_KEY_EDIT)
@writes
@blp.arguments(SourceChange)
@blp.response(200, SourceIssuedOut)
def change_api_key(body: dict[str, Any], source_id: UUID) -> Versioned:
    """Rename, switch off or on, change the callback; `rotate: start` gives a second secret, `finish` ends the first."""
    issued = service.change_source(source_id, version=wanted_version(), changes=body, acting_user=g.staff)
    return versioned(_issued(issued))
