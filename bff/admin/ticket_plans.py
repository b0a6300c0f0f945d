"""The board in other shapes: as a table to take away, and as places with what is open in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import marshmallow as ma
from flask import Response, g

from app import clock, db, ids
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.coordinates import Crs
from app.tickets import board as boards
from app.tickets import exporting
from app.tickets.models import Channel, Ticket, TicketStatus
from bff.admin import figure_csv, figure_views
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.places import is_my_grid, my_estates
from bff.admin.tickets import board_of
from bff.admin.views import rows_out
from bff.http import reads
from bff.schemas import Blueprint, Schema, WireId

f = ma.fields

blp = Blueprint("staff-ticket-plans", __name__, url_prefix="/admin/api/v1", description="Tickets")

PAGE = 500
MOST_DOTS = 2000  # a street has some hundreds open; what is more is said


# --- a table to take away ----------------------------------------------------------------------------------


class ExportQuery(s.TicketQuery):
    class Meta(s.TicketQuery.Meta):
        exclude = ("limit", "cursor")


_HEAD = (
    *("工单号", "状态", "紧急", "分类", "来源", "小区", "位置", "内容", "处理单位", "经办人"),
    *("上报时间", "办结时限", "是否超期", "最近更新"),
)


@blp.route("/tickets/export", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@blp.arguments(ExportQuery, location="query")
@blp.response(200, {"type": "string", "format": "binary"}, content_type="text/csv")
def export_tickets(args: dict[str, Any]) -> Response:
    """What the filters of the board show as CSV (UTF-8 with a byte order mark), at most 20,000 rows; nothing of who
    reported it. Who takes it away is noted first.
    """
    wanted, by_due = board_of(args), args["sort"] == "due"
    with db.transaction():
        exporting.note(g.staff, wanted, by_due=by_due)
    return Response(
        _lines(g.staff, wanted, by_due=by_due),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="tickets-{places.today():%Y%m%d}.csv"',
            "Cache-Control": "private, no-store",
        },
    )


def _lines(staff: StaffActor, wanted: boards.Board, *, by_due: bool) -> Iterator[bytes]:
    """The table, a page of tickets at a time, each in a session of its own."""
    yield figure_csv.write([_HEAD])
    left = exporting.MOST
    last: Ticket | None = None
    while left:
        size = min(PAGE, left)
        with db.reading():
            if by_due:
                after = boards.Due(last.due_at, last.id) if last else None
                found = boards.soonest(staff, wanted, limit=size, after=after)
            else:
                found = boards.board(staff, wanted, limit=size, before=last.id if last else None)
            rows = [_cells(row) for row in rows_out(found)]
        if rows:
            yield figure_csv.write(rows).removeprefix(figure_csv.MARK)
        if len(found) < size:
            return
        left, last = left - len(found), found[-1]


def _cells(row: dict[str, Any]) -> list[str]:
    def at(moment: Any) -> str:
        return f"{clock.in_shanghai(moment):%Y-%m-%d %H:%M}"

    return [
        row["number"],
        figure_views.STATUSES[TicketStatus(row["status"])],
        "是" if row["urgent"] else "",
        row["category_name"] or "",
        figure_views.CHANNELS[Channel(row["channel"])],
        row["estate_name"] or "",
        row["address"] or "",
        row["text"] or "",
        row["org"] or "",
        row["handler"] or "",
        at(row["reported_at"]),
        at(row["promised"]["close_by"]),
        "是" if row["overdue"] else "",
        at(row["updated_at"]),
    ]


# --- as places ---------------------------------------------------------------------------------------------


class PlanQuery(s.TicketQuery):
    class Meta(s.TicketQuery.Meta):
        exclude = ("limit", "cursor", "sort", "callback_due")


class SpotOut(Schema):
    lng = f.Float(required=True)
    lat = f.Float(required=True)


class PlanAreaOut(Schema):
    id = f.String(required=True, metadata={"description": "an estate_id, grid_id or building_id"})
    kind = f.String(required=True, metadata={"description": "estate | grid | building"})
    name = f.String(required=True)
    outline = f.Dict(allow_none=True, metadata={"description": "GeoJSON, WGS-84; null: not drawn yet"})
    centre = f.Nested(SpotOut, allow_none=True, metadata={"description": "of an estate"})


class PlanTicketOut(s.TicketRow):
    estate_id = WireId(Kind.ESTATE, allow_none=True)
    standing = f.Boolean(required=True, metadata={"description": "its clock stands"})
    spot = f.Nested(SpotOut, allow_none=True, metadata={"description": "null: no position was given"})


class PlanOut(Schema):
    crs = f.String(required=True)
    areas = f.List(f.Nested(PlanAreaOut), required=True)
    items = f.List(f.Nested(PlanTicketOut), required=True, metadata={"description": "most pressing first"})
    more = f.Boolean(required=True, metadata={"description": "there are more open ones than these"})
    total = f.Integer(required=True, metadata={"description": "how many are open, these and the others"})


@blp.route("/tickets/plan", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
@blp.arguments(PlanQuery, location="query")
@blp.response(200, PlanOut)
def plan(args: dict[str, Any]) -> dict[str, Any]:
    """Estates and grids in my reach with their outlines, and the open tickets in them, the most pressing 2,000.

    The buildings as well where `area` is one estate.
    """
    return planned(args)


def planned(args: dict[str, Any]) -> dict[str, Any]:
    """The plan that `args` (of PlanQuery) ask for. Raises BadFilter."""
    wanted = board_of({"callback_due": None, **args})
    found = boards.soonest(g.staff, wanted, limit=MOST_DOTS + 1)
    shown = found[:MOST_DOTS]
    return {
        "crs": Crs.WGS84.value,
        "areas": _areas(wanted),
        "items": [
            {
                **row,
                "estate_id": Ref(ticket.community_id, ticket.estate_id) if ticket.estate_id else None,
                "standing": ticket.standing_since is not None,
                "spot": {"lng": ticket.lng, "lat": ticket.lat} if ticket.lng is not None else None,
            }
            for ticket, row in zip(shown, rows_out(shown), strict=True)
        ],
        "more": (more := len(found) > len(shown)),
        "total": _total(wanted) if more else len(shown),
    }


def _total(wanted: boards.Board) -> int:
    """How many open ones there are."""
    return sum(column.total for column in boards.columns(g.staff, wanted, each=1).values())


def _areas(wanted: boards.Board) -> list[dict[str, Any]]:
    mine = set(my_estates())
    if wanted.estate is not None:
        mine &= {wanted.estate}
    elif wanted.grid is not None:
        mine &= set(places.estates_in_grid(wanted.grid))
    elif wanted.community is not None:
        mine &= set(places.governed_estates([wanted.community]))
    estates = places.estates(mine)
    homes = {ref.community_id for ref in estates}
    grids = [
        grid
        for grid in places.grids_in(homes)
        if is_my_grid(ref := Ref(grid.community_id, grid.id)) and wanted.grid in {None, ref}
    ]
    buildings = places.buildings_of(wanted.estate) if wanted.estate in estates and wanted.estate else []

    def area(kind: Kind, ref: Ref, name: str, outline: Any, centre: Any = None) -> dict[str, Any]:
        words = {Kind.ESTATE: "estate", Kind.GRID: "grid", Kind.BUILDING: "building"}
        return {
            "id": ids.encode(kind, ref),
            "kind": words[kind],
            "name": name,
            "outline": outline,
            "centre": centre,
        }

    return [
        *(area(Kind.GRID, Ref(one.community_id, one.id), one.name, one.outline) for one in grids),
        *(
            area(Kind.ESTATE, ref, one.name, one.outline, {"lng": one.lng, "lat": one.lat})
            for ref, one in sorted(estates.items(), key=lambda pair: pair[1].name)
        ),
        *(area(Kind.BUILDING, Ref(one.community_id, one.id), one.name, one.outline) for one in buildings),
    ]
