"""Pages of everybody: logging in, setting up, the inbox, one's own account, finding."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import g, render_template
from flask.typing import ResponseReturnValue

from app import ids
from app.ids import Kind, Ref
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import queries as places
from app.places import registry_queries as registry
from app.tickets import board as boards
from app.tickets import callers
from app.tickets.models import Ticket
from bff.admin import inbox, me
from bff.admin import inbox_schemas as notices
from bff.admin import schemas as s
from bff.admin import staff_schemas as logins
from bff.admin.auth import requires, while_setting_up
from bff.admin.console.face import blp, page, query
from bff.admin.console.ticket_words import status_name
from bff.admin.session import staff_out
from bff.admin.views import rows_out
from bff.http import open_to_all, reads
from bff.schemas import PageQuery, Query, Text

MOST_FOUND = 20


@blp.route("/login", methods=["GET"])
@open_to_all
def login() -> str:
    """The page to log in on."""
    return render_template("console/login.html", next="/admin/")


@blp.route("/setup", methods=["GET"])
@requires()
@while_setting_up
@reads
def setup() -> ResponseReturnValue:
    """What has to be done before a login opens anything: another password, an authenticator."""
    mine = s.StaffOut().dump(staff_out(g.staff))
    return render_template("console/setup.html", me=mine, setting_up=True)


@blp.route("/me", methods=["GET"])
@requires()
@reads
def account() -> str:
    """My roles, my password, my authenticator, my logins."""
    return page(
        "me.html",
        here="me",
        me=s.StaffOut().dump(staff_out(g.staff)),
        sessions=logins.MySessionList().dump({"items": me.sessions_out()})["items"],
        setting_up=False,
    )


@blp.route("/inbox", methods=["GET"])
@requires()
@reads
def messages() -> str:
    """What I was told."""
    found = notices.NoticeList().dump(inbox.listed(query(PageQuery)))
    return page("inbox.html", here="inbox", list=found)


class FindQuery(Query):
    q = Text(most=40, load_default="")


class Found(NamedTuple):
    """Tickets that were found in one way."""

    name: str
    rows: list[dict[str, Any]]
    more: bool


def _found(name: str, tickets: list[Ticket]) -> list[Found]:
    if not tickets:
        return []
    rows = [s.TicketRow().dump(row) for row in rows_out(tickets[:MOST_FOUND])]
    return [Found(name, rows, len(tickets) > MOST_FOUND)]


@blp.route("/search", methods=["GET"])
@requires(Allow.TICKET_VIEW)
@reads
def find() -> str:
    """Tickets in my reach by number, words or address; by a caller's number for who may know callers; rooms of the
    register.
    """
    q: str = query(FindQuery)["q"]
    groups: list[Found] = []
    if q:
        phone = callers.phone_in(q)
        if phone is not None and g.staff.may(Allow.TICKET_IDENTITY):
            groups += _found("这个号码报过的", callers.reported_from(g.staff, phone, limit=MOST_FOUND + 1))
        wanted = boards.Board(q=q)
        groups += _found("工单", boards.board(g.staff, wanted, limit=MOST_FOUND + 1))
    return page(
        "search.html",
        here="search",
        q=q,
        groups=groups,
        homes=_homes(q) if q else [],
        status_name=status_name,
    )


class Home(NamedTuple):
    """A room of the register, its card, and where its tickets are listed; no owner is shown."""

    estate: str
    room: str
    address: str
    tickets: str


def _homes(q: str) -> list[Home]:
    if not g.staff.may(Allow.REGISTRY_VIEW):
        return []
    reach = registry_reach(g.staff, Allow.REGISTRY_VIEW)
    found = registry.houses_called(reach, q, limit=MOST_FOUND)
    estates = places.estates(Ref(view.house.community_id, view.house.estate_id) for view in found)
    homes = []
    for view in found:
        ref = Ref(view.house.community_id, view.house.estate_id)
        room = f"{view.building}{view.unit}{view.house.number}"
        house = Ref(view.house.community_id, view.house.id)
        query = urlencode({"area": ids.encode(Kind.ESTATE, ref), "q": room})
        homes.append(
            Home(
                estates[ref].name,
                room,
                f"/admin/houses/{ids.encode(Kind.HOUSE, house)}",
                f"/admin/tickets?{query}",
            )
        )
    return homes
