"""Pages of tickets: the list, one with its moves, the intake of a call or a visit, and what these look things up by."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import g, request
from markupsafe import Markup

from app import ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.places import registry_queries as registry
from app.places import rooms
from app.tickets import board as boards
from app.tickets import queries as tickets
from app.tickets.models import BY_PEOPLE, Channel, ExtensionState, Ticket
from app.tickets.moves import OPEN, Move
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.console import areas, ticket_moves
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.ticket_words import STATES, channel_name, status_name, step_name
from bff.admin.console.words import say
from bff.admin.places import my_estates
from bff.admin.suggestions import SuggestionOfTicketOut, suggested
from bff.admin.ticket_plans import ExportQuery
from bff.admin.tickets import listed
from bff.admin.views import ticket_out
from bff.http import reads
from bff.schemas import Query, Text, WireId

PAGE_SIZE = "20"
_WORDS = {"status_name": status_name, "channel_name": channel_name, "step_name": step_name}


class Choice(NamedTuple):
    """A line of a list to choose from. `value` is what is sent, `more` explains."""

    value: str
    text: str
    more: str = ""


class Batch(NamedTuple):
    """What can be done to many at once: one after another, through the same endpoint as alone. `asks`: for words that
    go with each, the label of their field; they are its `note`.
    """

    path: str
    name: str
    needs: Allow
    asks: str = ""


BATCHES = (
    Batch("accept", "受理", Allow.TICKET_ACCEPT),
    Batch("dispatch", "按规则派单", Allow.TICKET_DISPATCH),
    Batch("start", "开始处理", Allow.TICKET_HANDLE),
    Batch("close", "结案", Allow.TICKET_CLOSE),
    Batch("supervise", "督办", Allow.TICKET_SUPERVISE, asks="督办意见"),
)
EXPORT = "/admin/api/v1/tickets/export"
EXPORTED = frozenset(ExportQuery().fields)
COLUMNS = (
    ("what", "内容"),
    ("place", "地点"),
    ("status", "状态"),
    ("org", "处理单位"),
    ("due", "办结时限"),
    ("reported", "上报时间"),
)


# --- the list ----------------------------------------------------------------------------------------------


@blp.route("/tickets", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
def ticket_list() -> str:
    """The board as a table; its filters are the address."""
    asked = query(s.TicketQuery) | {"limit": int(PAGE_SIZE)}
    if asked["area"] is None and (area := areas.chosen(areas.mine())) is not None:
        asked["area"] = area.value
    found = s.TicketList().dump(listed(asked))
    given = {name: value for name, value in request.args.items() if value.strip()}
    first = {name: value for name, value in given.items() if name != "cursor"}
    taken = {name: value for name, value in first.items() if name in EXPORTED}
    if asked["area"]:
        taken["area"] = asked["area"]
    values: dict[str, Any] = {
        **_WORDS,
        "list": found,
        "given": given,
        "here_address": _address(given),
        "first_address": _address(first),
        "export_address": _address(taken, EXPORT),
        "next_address": _address(first | {"cursor": found["next_cursor"]}) if found["next_cursor"] else None,
        "batches": [batch for batch in BATCHES if g.staff.may(batch.needs)],
        "columns": COLUMNS,
    }
    if is_fragment():
        return fragment("tickets/_list.html", **values)
    return page(
        "tickets/list.html",
        here="tickets",
        states=STATES,
        open_states=",".join(state for state in STATES if state in OPEN),
        class_options=class_options(given.get("category")),
        me=ids.encode(Kind.STAFF, g.staff.id),
        **values,
    )


def _address(given: dict[str, str], path: str = "/admin/tickets") -> str:
    return f"{path}?{urlencode(given)}" if given else path


Classes = tuple[tuple[str, tuple[Choice, ...]], ...]


def classes() -> Classes:
    """Today's classes that a ticket can be given, by their group."""
    groups, inside = tickets.class_names_by_group()
    return tuple(
        (group.name, tuple(Choice(one.code, one.name) for one in inside.get(group.code, ())))
        for group in groups
    )


def class_options(chosen: str | None) -> Markup:
    """The lines of a list of classes to choose from, below 全部. Written once for as long as the tree is the same."""
    found = classes()
    known = any(one.value == chosen for _, inside in found for one in inside)
    return _written(found, chosen if known else None)


@lru_cache(maxsize=256)
def _written(found: Classes, chosen: str | None) -> Markup:
    line, group = Markup('<option value="{}"{}>{}</option>'), Markup('<optgroup label="{}">{}</optgroup>')
    selected = Markup(" selected")
    return Markup("").join(
        group.format(
            name,
            Markup("").join(
                line.format(one.value, selected if one.value == chosen else "", one.text) for one in inside
            ),
        )
        for name, inside in found
    )


# --- one ticket --------------------------------------------------------------------------------------------


def _whole(ticket: Ticket) -> dict[str, Any]:
    moves = tickets.moves_open_to(g.staff, ticket)
    shown = s.TicketOut().dump(ticket_out(ticket, g.staff))
    decides = tickets.may(g.staff, ticket, Allow.TICKET_DISPATCH)
    handles = tickets.may(g.staff, ticket, Allow.TICKET_HANDLE)
    own = {ids.encode(Kind.ORG, org_id) for org_id in g.staff.org_ids}
    at_work = Move.COMMENT in moves and ticket.ended_at is None
    similar = suggested(ticket)
    return {
        **_WORDS,
        "ticket": shown,
        "forms": ticket_moves.offered(moves, is_late=tickets.is_late(ticket)),
        "may_decide": decides and at_work,
        "pending": ExtensionState.PENDING,
        "finishable": [
            part["org_id"]
            for part in shown["parts"]
            if part["kind"] == "assist"
            and part["done_at"] is None
            and at_work
            and (decides or (handles and part["org_id"] in own))
        ],
        "may_unmask": tickets.may(g.staff, ticket, Allow.TICKET_UNMASK) and shown["reporter"]["phone_masked"],
        "similar": SuggestionOfTicketOut(many=True).dump(similar),
        "similar_texts": {one["number"]: one["text"] for one in similar},
    }


@blp.route("/tickets/<ref(tkt):ref>", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
def ticket_page(ref: Ref) -> str:
    """One ticket on a page of its own."""
    ticket = tickets.ticket_for_staff(g.staff, ref)
    return page("tickets/one.html", here="tickets", **_whole(ticket))


@blp.route("/tickets/<ref(tkt):ref>/detail", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
def ticket_detail(ref: Ref) -> str:
    """The same without the frame, for the drawer."""
    return fragment("tickets/_detail.html", **_whole(tickets.ticket_for_staff(g.staff, ref)))


@blp.route("/tickets/<ref(tkt):ref>/now", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
def ticket_now(ref: Ref) -> str:
    """How it stands now, in a few lines: for whom somebody was faster."""
    ticket = tickets.ticket_for_staff(g.staff, ref)
    return fragment("tickets/_now.html", **_WORDS, ticket=s.TicketOut().dump(ticket_out(ticket, g.staff)))


@blp.route("/tickets/<ref(tkt):ref>/moves/<move>", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
def ticket_move(ref: Ref, move: str) -> str:
    """The form of a move that I may make now."""
    ticket = tickets.ticket_for_staff(g.staff, ref)
    wanted = next((one for one in tickets.moves_open_to(g.staff, ticket) if one == move), None)
    if wanted is None:
        return fragment("tickets/_gone.html", step=step_name(move) if move in set(Move) else "")
    return fragment("tickets/_move.html", **move_values(ticket, wanted))


def move_values(ticket: Ticket, move: Move) -> dict[str, Any]:
    """What the form of a move shows."""
    shown = s.TicketOut().dump(ticket_out(ticket, g.staff))
    return {
        "form": ticket_moves.form_of(move, ticket),
        "ticket": shown,
        "begun": ticket_moves.suggestion(move, shown),
        "names": {"category": (shown["suggested_category"] or {}).get("name", "")},
    }


# --- intake ------------------------------------------------------------------------------------------------


@blp.route("/tickets/new", methods=["GET"])
@requires(Allow.TICKET_INTAKE)
@reads
def ticket_intake() -> str:
    """The form for a call, a visit, or what came from the hotline."""
    estates = [area for area in areas.mine() if area.kind == "小区"]
    channels = [Choice(one.value, channel_name(one)) for one in Channel if one in BY_PEOPLE]
    return page(
        "tickets/new.html", here="intake", estates=estates, channels=channels, chosen=areas.chosen(estates)
    )


# --- what typing looks up ----------------------------------------------------------------------------------


class PickQuery(Query):
    q = Text(most=40, load_default="")
    estate_id = WireId(Kind.ESTATE, load_default=None)


MOST_PICKED = 12


def _picked(choices: list[Choice], nothing: str) -> str:
    return fragment("_picked.html", choices=choices[:MOST_PICKED], nothing=nothing)


@blp.route("/pick/categories", methods=["GET"])
@requires(Allow.TICKET_CLASSIFY, Allow.TICKET_INTAKE)
@reads
def pick_category() -> str:
    """Classes whose name, group or hint contains what was typed; then those that its words, or words with it in them,
    speak for.
    """
    q: str = query(PickQuery)["q"]
    groups, inside = tickets.categories_by_group(for_staff=True)
    every = [(group, one) for group in groups for one in inside.get(group.code, [])]
    named = [
        Choice(one.code, one.name, group.name)
        for group, one in every
        if q in one.name or q in group.name or q in (one.hint or "")
    ]
    meant = {one.code: one.why for one in tickets.suggest_categories(q)} | tickets.categories_called(q)
    there = {choice.value for choice in named}
    found = named + [
        Choice(one.code, one.name, "、".join(meant[one.code][:3]))
        for _, one in every
        if one.code in meant and one.code not in there
    ]
    return _picked(found, say("没有这个分类，请换一个词"))


@blp.route("/pick/rooms", methods=["GET"])
@requires(Allow.TICKET_INTAKE)
@reads
def pick_room() -> str:
    """Rooms of an estate in my reach that are spelled as typed: 1栋2单元301, 1-2-301 or 301; no owner is shown."""
    asked = query(PickQuery)
    if asked["estate_id"] is None or not asked["q"]:
        return _picked([], say("请先选小区，再输入房号"))
    if asked["estate_id"] not in my_estates():
        raise NotFound
    room = rooms.split(asked["q"])
    search = registry.HouseSearch(
        building=room.building or None, unit=room.unit or None, room=room.number or None
    )
    found = registry.houses_in(asked["estate_id"], search, limit=MOST_PICKED)
    rows = [
        Choice(
            ids.encode(Kind.HOUSE, Ref(view.house.community_id, view.house.id)),
            f"{view.building}{view.unit}{view.house.number}",
        )
        for view in found
    ]
    return _picked(rows, say("登记册里没有这个房号，照填也可以"))


@blp.route("/pick/tickets", methods=["GET"])
@requires(Allow.TICKET_MERGE)
@reads
def pick_ticket() -> str:
    """Open tickets in my reach by number or words."""
    q: str = query(PickQuery)["q"]
    found = boards.board(g.staff, boards.Board(q=q or None, status=frozenset(OPEN)), limit=MOST_PICKED)
    names = tickets.category_names(one.category_code for one in found)
    choices = [
        Choice(
            ids.encode(Kind.TICKET, Ref(one.community_id, one.id)),
            one.number,
            " ".join(filter(None, [names.get(one.category_code or ""), (one.text or "")[:40]])),
        )
        for one in found
    ]
    return _picked(choices, say("没有找到"))
