"""Reports by machine (12345, mailboxes, cameras, other systems): proven, taken in once for each of their numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import marshmallow as ma
from flask import Response, g, jsonify, request

from app import clock, db, ids
from app.ids import Kind, Ref
from app.places.coordinates import Crs
from app.sources import service as sources
from app.tickets import intake
from app.tickets.models import Ticket
from bff import limits
from bff.positions import location_in
from bff.schemas import Blueprint, Phone, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

blp = Blueprint("intake", __name__, url_prefix="/callbacks", description="Reports by machine")
AHEAD = timedelta(minutes=10)  # how far another system's clock may be before ours in `occurred_at`


class PositionIn(Schema):
    lng = f.Float(required=True)
    lat = f.Float(required=True)
    crs = f.Enum(Crs, by_value=True, required=True)
    accuracy_m = f.Float(allow_none=True, load_default=None, validate=v.Range(0, 100_000))
    address = Text(most=200, allow_none=True, load_default=None)


class PersonIn(Schema):
    name = Text(most=40, load_default=None, allow_none=True)
    phone = Phone(load_default=None, allow_none=True)


class IntakeIn(Schema):
    external_number = Text(most=64, least=1, required=True)
    title = Text(most=120, load_default=None, allow_none=True)
    text = Text(most=4000, load_default=None, allow_none=True)
    category = Text(most=32, load_default=None, allow_none=True)
    location = f.Nested(PositionIn, load_default=None, allow_none=True)
    address = Text(most=200, load_default=None, allow_none=True)
    estate_id = WireId(Kind.ESTATE, load_default=None, allow_none=True)
    estate = Text(most=80, load_default=None, allow_none=True)
    community = Text(most=80, load_default=None, allow_none=True)
    reporter = f.Nested(PersonIn, load_default=dict)
    urgent = f.Boolean(load_default=False)
    anonymous = f.Boolean(load_default=False)
    occurred_at = Time(load_default=None, allow_none=True)
    photo_urls = f.Raw(load_default=None)

    @ma.validates("photo_urls")
    def _not_fetched(self, value: object, **_: object) -> None:
        if value is not None:
            # Fetching an address that a stranger chose would let him look around in our network.
            raise ma.ValidationError("暂不支持按网址取图。|Photos are not fetched from addresses.")

    @ma.validates("occurred_at")
    def _not_to_come(self, value: Any, **_: object) -> None:
        if value is not None and value > clock.now() + AHEAD:
            raise ma.ValidationError("发生时间不能晚于现在。|It can't have occurred in the future.")


@blp.before_request
def authenticate() -> None:
    """Before anything of the body is read: who signed it? Sets g.source_id; raises 401 with an unchanged state.

    In a transaction of its own, so that a nonce is used up whatever becomes of the request.
    """
    said = request.headers
    with db.transaction():
        g.source_id = sources.prove(
            (request.view_args or {}).get("source", ""),
            method=request.method,
            path=request.path,
            key_id=said.get("X-Key-Id", ""),
            timestamp=said.get("X-Timestamp", ""),
            nonce=said.get("X-Nonce", ""),
            signature=said.get("X-Signature", ""),
            body=request.get_data(cache=True),
        )
    limits.by_source()


@blp.route("/intake/<string:source>", methods=["POST"])
@blp.arguments(IntakeIn)
def take_in(body: dict[str, Any], source: str) -> tuple[Response, int]:  # noqa: ARG001  proven by its signature
    """A report: 201 with its ticket; 200 with the same ticket when the number came before with the same content."""
    handed = intake.Handed(
        external_number=body["external_number"],
        title=body["title"] or None,
        text=body["text"] or None,
        category=body["category"] or None,
        location=location_in(body["location"]),
        address=body["address"] or None,
        estate=body["estate_id"] or body["estate"] or None,
        community=body["community"] or None,
        reporter_name=body["reporter"].get("name"),
        reporter_phone=body["reporter"].get("phone"),
        urgent=body["urgent"],
        occurred_at=body["occurred_at"],
        anonymous=body["anonymous"],
    )
    with db.transaction():
        ticket, fresh = intake.receive(g.source_id, handed)
        answer = jsonify(_out(ticket))
    return answer, 201 if fresh else 200


def _out(ticket: Ticket) -> dict[str, Any]:
    return {
        "ticket_id": ids.encode(Kind.TICKET, Ref(ticket.community_id, ticket.id)),
        "number": ticket.number,
        "status": ticket.status,
        "promised": {
            "accept_by": clock.rfc3339(ticket.accept_by),
            "dispatch_by": clock.rfc3339(ticket.dispatch_by),
            "close_by": clock.rfc3339(ticket.due_at),
        },
    }
