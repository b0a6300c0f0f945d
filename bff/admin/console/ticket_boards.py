"""The board of tickets by state: columns, and what a card that is dropped somewhere means."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import g, request

from app import ids
from app.errors import AppError
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.tickets import board as boards
from app.tickets import queries as tickets
from app.tickets.errors import NeverPaused, OwnWork, PauseTooLate, TooManyHops
from app.tickets.models import Ticket
from app.tickets.models import TicketStatus as Status
from app.tickets.moves import BY_HOLDER, MOVES, Move
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.console import areas, ticket_moves
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.ticket_pages import class_options, move_values
from bff.admin.console.ticket_words import status_name
from bff.admin.console.words import language, say
from bff.admin.tickets import board_of
from bff.admin.views import rows_out
from bff.http import reads

EACH = 15  # of a state
CLOSED = 5


class Column(NamedTuple):
    """A column of the board. `key` is what a drop names; `states`: what stands in it."""

    key: str
    name: str
    states: tuple[Status, ...]


COLUMNS = (
    Column("received", "待受理", (Status.RECEIVED,)),
    Column("accepted", "待派单", (Status.ACCEPTED, Status.RETURNED)),
    Column("dispatched", "待处理", (Status.DISPATCHED,)),
    Column("in_progress", "处理中", (Status.IN_PROGRESS,)),
    Column("suspended", "已暂停", (Status.SUSPENDED,)),
    Column("resolved", "待核实", (Status.RESOLVED,)),
    Column("verified", "待结案", (Status.VERIFIED,)),
    Column("closed", "已结案", (Status.CLOSED,)),
)
_BY_KEY = {column.key: column for column in COLUMNS}


class Shown(NamedTuple):
    """A column with its cards. `more`: how many of it aren't shown; None where nobody counts them."""

    column: Column
    rows: list[dict[str, Any]]
    more: int | None
    address: str


def _columns(asked: dict[str, Any]) -> list[Shown]:
    wanted = board_of(asked)
    found = boards.columns(g.staff, wanted, each=EACH)
    closed = []
    if not wanted.overdue:
        closed = boards.board(g.staff, wanted._replace(status=frozenset({Status.CLOSED})), limit=CLOSED)
    cards = [*(one for column in found.values() for one in column.tickets), *closed]
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in s.TicketRow(many=True).dump(rows_out(cards)):
        rows.setdefault(row["status"], []).append(row)
    shown = []
    for column in COLUMNS:
        its = [row for state in column.states for row in rows.get(state, [])]
        if len(column.states) > 1:
            its.sort(key=lambda row: str(row["promised"]["close_by"]))
        total = sum(found[state].total for state in column.states if state in found)
        more = None if column.key == "closed" else total - len(its)
        shown.append(Shown(column, its, more, f"/admin/tickets?status={','.join(column.states)}"))
    return shown


@blp.route("/tickets/board", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
def ticket_board() -> str:
    """What is open by state, the most pressing first, and what was closed last."""
    asked = query(s.TicketQuery)
    if asked["area"] is None and (area := areas.chosen(areas.mine())) is not None:
        asked["area"] = area.value
    given = {name: value for name, value in request.args.items() if value.strip()}
    values = {"columns": _columns(asked), "given": given, "here_address": request.full_path.rstrip("?")}
    if is_fragment():
        return fragment("tickets/_board.html", **values)
    return page(
        "tickets/board.html",
        here="board",
        class_options=class_options(given.get("category")),
        me=ids.encode(Kind.STAFF, g.staff.id),
        **values,
    )


# --- what a drop means -------------------------------------------------------------------------------------


@blp.route("/tickets/<ref(tkt):ref>/drop/<key>", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
def ticket_drop(ref: Ref, key: str) -> str:
    """The form of the move that leads to this column, or one sentence that says why there is none."""
    ticket = tickets.ticket_for_staff(g.staff, ref)
    column = _BY_KEY.get(key)
    if column is None:
        return fragment("tickets/_refused.html", why=say("没有这一列。"))
    move = _leading(Status(ticket.status), column)
    if move is None:
        return fragment("tickets/_refused.html", why=_no_way(ticket, column))
    form = Move.VERIFY if move is Move.REWORK else move
    if form not in tickets.moves_open_to(g.staff, ticket):
        return fragment("tickets/_refused.html", why=_not_hers(ticket, form))
    values = move_values(ticket, form)
    if form is Move.VERIFY:
        values["begun"] = {**values["begun"], "passed": "true" if move is Move.VERIFY else "false"}
    return fragment("tickets/_move.html", **values)


def _leading(state: Status, column: Column) -> Move | None:
    """The move of the contract from this state into that column."""
    if state in column.states:
        return None
    return next(
        (
            move
            for move, rule in MOVES.items()
            if rule.target in column.states and state in rule.sources and rule.permission is not None
        ),
        None,
    )


def _no_way(ticket: Ticket, column: Column) -> str:
    state = Status(ticket.status)
    if state in column.states:
        return say("这件工单已经在这一列。")
    said = say("“{a}”的工单不能直接移到“{b}”。").format(a=status_name(state), b=say(column.name))
    onward = [say(other.name) for other in COLUMNS if _leading(state, other) is not None]
    if onward:
        said += say("它可以移到：{c}。").format(c=say("、").join(onward))
    return said


_WHO = {
    Allow.TICKET_ACCEPT: "社区受理人员",
    Allow.TICKET_DISPATCH: "社区派单人员",
    Allow.TICKET_HANDLE: "承办单位",
    Allow.TICKET_VERIFY: "社区或网格的核实人员",
    Allow.TICKET_CLOSE: "社区结案人员",
    Allow.TICKET_REOPEN: "社区受理人员",
}


def _not_hers(ticket: Ticket, move: Move) -> str:
    """Why this move, which the state knows, isn't open to her."""
    permission = MOVES[move].permission
    name = say(ticket_moves.button_of(move))
    if permission is None or not tickets.may(g.staff, ticket, permission):
        who = say(_WHO[permission]) if permission in _WHO else ""
        return say("“{a}”要由{b}来办，您的岗位不能办。").format(a=name, b=who)
    if move in BY_HOLDER and not tickets.holds(g.staff, ticket):
        unit = places.org_names([ticket.org_id]).get(ticket.org_id, "") if ticket.org_id else ""
        return say("这件工单在“{a}”手上，只有他们能办“{b}”。").format(a=unit, b=name)
    refusal: AppError | None = None
    if move is Move.VERIFY:
        refusal = OwnWork()
    elif move is Move.RETURN:
        refusal = TooManyHops()
    elif move is Move.SUSPEND:
        refusal = NeverPaused() if ticket.is_urgent else PauseTooLate()
    return refusal.sentence(language()) if refusal else say("这一步现在不能办。")
