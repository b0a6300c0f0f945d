"""What came of a decision, for those whom it binds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g, request

from app.ids import Ref
from app.voting import disclosure, queries, results, roll
from bff import result_schemas as shown
from bff import results as views
from bff.http import read_cursor, reads, revalidated, write_cursor
from bff.resident import result_schemas as s
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("results", __name__, url_prefix="/bff/v1", description="Results of decisions")


@blp.route("/decisions/<ref(dec):ref>/result", methods=["GET"])
@revalidated
@reads
@blp.response(200, shown.ResultOut)
def result(ref: Ref) -> dict[str, Any]:
    """The certified result with its arithmetic and why it came out so; of a poll its 意见征询结果. Before: 404
    `not_certified`, and nothing in any state tells how it stands.
    """
    english = request.accept_languages.best_match(["zh-CN", "zh", "en"]) == "en"
    return views.result_out(results.result_for(g.resident_id, ref), english=english)


@blp.route("/decisions/<ref(dec):ref>/turnout", methods=["GET"])
@reads
@blp.response(200, shown.TurnoutOut)
def turnout(ref: Ref) -> dict[str, object]:
    """How many have voted, and how many are still needed; never what they chose."""
    return views.turnout_out(queries.decision_for(g.resident_id, ref))


@blp.route("/decisions/<ref(dec):ref>/result/rooms", methods=["GET"])
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.RoomList)
def rooms(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Rooms with their choices, without names, for owners on the roll where the announced rules say
    `by_room_to_owners`; else 404 `not_disclosed`.
    """
    limit = args["limit"]
    after = read_cursor(args["cursor"], str, str, UUID)
    found = disclosure.rooms_for(
        g.resident_id, ref, limit=limit + 1, after=roll.Place(*after) if after else None
    )
    page = found[:limit]
    return {
        "items": [
            {
                "number": room.number,
                "label": room.label,
                "area_centi": room.area_centi,
                "cast": room.has_cast,
                "channel": room.channel,
                "choices": room.choices,
            }
            for room in page
        ],
        "next_cursor": write_cursor(*page[-1].place) if len(found) > limit else None,
    }
