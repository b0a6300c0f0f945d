"""The board asks in lanes and by indexes; what it shows is what a look at every single ticket would."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app import clock, db
from app.audit import SYSTEM
from app.people import service as people_service
from app.people.models import Role
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.tickets import board as boards
from app.tickets import letters, queries
from app.tickets.board import Board
from app.tickets.models import Callback, Ticket, TicketStatus
from app.tickets.moves import ENDED
from tests.conftest import Person, Town, acting

WORDS = ("楼道灯不亮", "Lamp 坏了 100%", "井盖_松动", "夜里吵闹，灯也不亮", "İ一 ß", "水管漏水了\n很急")
CLASSES = ("noise", "dogs", "lighting")


def _fill(town: Town, resident: Callable[..., Person], owner: psycopg.Connection[Any]) -> list[UUID]:
    """Forty tickets of all states at places of both communities, spread by a fixed chance; their handlers."""
    chance = random.Random(7)
    wang = resident()
    for n in range(40):
        where = chance.choice([town.a.estate, town.a.estate, town.a.second_estate, town.b.estate])
        wang.report(
            town.a.estate_id if where == town.a.estate else _est(where),
            category="noise",
            text=chance.choice(WORDS) if n % 7 else f"第{n}张",
        )
    now = clock.now()
    handlers = [uuid4(), uuid4()]
    units = [town.a.keeper, town.b.keeper, town.a.desk]
    rows = owner.execute(
        "SELECT community_id, id FROM tickets WHERE community_id = ANY(%s) ORDER BY id",
        [[town.a.id, town.b.id]],
    ).fetchall()
    for community_id, ticket_id in rows:
        status = chance.choice(list(TicketStatus))
        ended_at = now - timedelta(days=chance.choice([1, 14, 16])) if status in ENDED else None
        closed_at = ended_at if status == TicketStatus.CLOSED else None
        due_at = now + timedelta(hours=chance.choice([-30, -2, 40]))
        org = chance.choice([*units, None])
        owner.execute(
            """
            UPDATE tickets SET status = %s, ended_at = %s, closed_at = %s, due_at = %s, standing_since = %s,
                   org_id = %s, handler_id = %s, category_code = %s, is_urgent = %s, rating_stars = %s,
                   rated_at = %s, address = %s, estate_id = CASE WHEN %s THEN NULL ELSE estate_id END
             WHERE community_id = %s AND id = %s
            """,
            [
                status,
                ended_at,
                closed_at,
                due_at,
                due_at + timedelta(hours=chance.choice([-1, 1])) if status == "suspended" else None,
                org,
                chance.choice([*handlers, None]),
                chance.choice([*CLASSES, None]),
                chance.random() < 0.3,
                stars := chance.choice([None, 1, 5]),
                (closed_at or now) + timedelta(minutes=chance.choice([-5, 5])) if stars else None,
                chance.choice([None, "海尔路 88 号", "LAMP 街"]),
                chance.random() < 0.15,
                community_id,
                ticket_id,
            ],
        )
        if chance.random() < 0.3:
            owner.execute(
                "INSERT INTO ticket_parts (community_id, id, ticket_id, org_id, kind, task, added_at)"
                " VALUES (%s, %s, %s, %s, 'assist', '-', now())",
                [community_id, uuid4(), ticket_id, chance.choice(units)],
            )
        if closed_at is not None and chance.random() < 0.4:
            owner.execute(
                "INSERT INTO ticket_callbacks (community_id, id, ticket_id, stars, solved, by, at)"
                " VALUES (%s, %s, %s, 4, true, %s, %s)",
                [
                    community_id,
                    uuid4(),
                    ticket_id,
                    uuid4(),
                    closed_at + timedelta(hours=chance.choice([-1, 1])),
                ],
            )
    with db.transaction() as session:
        letters.keep(*session.scalars(select(Ticket).where(Ticket.community_id.in_([town.a.id, town.b.id]))))
    # One estate is governed from the other community since yesterday; its rows stay where they are.
    yesterday = places.today() - timedelta(days=1)
    owner.execute(
        "UPDATE estate_terms SET governed_by = %s, valid_from = %s WHERE community_id = %s AND estate_id = %s",
        [town.b.id, yesterday, town.a.id, town.a.second_estate.id],
    )
    return handlers


def _est(ref: Any) -> str:
    from app import ids

    return ids.encode(ids.Kind.ESTATE, ref)


def _two_roles(town: Town) -> StaffActor:
    """Somebody of the property company who also walks the grid: what she sees by both is shown once."""
    caller = town.hire("property", town.a)
    staff_id = acting(caller).id
    with db.transaction():
        people_service.grant_role(
            staff_id=staff_id,
            role=Role.GRID,
            org_id=town.a.desk,
            since=places.today(),
            acting_user=SYSTEM,
            grid=town.a.grid,
        )
    return acting(caller)


def _matches(ticket: Ticket, wanted: Board, called: dict[UUID, list[Any]]) -> bool:
    """The filters of the contract, one ticket at a time."""
    now = clock.now()
    late = (
        ticket.status not in ENDED
        and ticket.due_at < now
        and (ticket.standing_since is None or ticket.due_at < ticket.standing_since)
    )
    closed_at = ticket.closed_at
    to_call = (
        ticket.status == TicketStatus.CLOSED
        and closed_at is not None
        and closed_at >= now - timedelta(days=15)
        and (
            ticket.is_urgent
            or (
                ticket.rating_stars is not None
                and ticket.rating_stars <= 2
                and ticket.rated_at is not None
                and ticket.rated_at >= closed_at
            )
            or hashlib.md5(str(ticket.id).encode(), usedforsecurity=False).hexdigest()[:2] < "1a"
        )
        and not any(at >= closed_at for at in called.get(ticket.id, ()))
    )
    said = [part.lower() for part in (ticket.number, ticket.text, ticket.address) if part is not None]
    return (
        (wanted.status is None or ticket.status in wanted.status)
        and (wanted.estate is None or (ticket.community_id, ticket.estate_id) == wanted.estate)
        and (wanted.category is None or ticket.category_code == wanted.category)
        and (wanted.overdue is None or late is wanted.overdue)
        and (wanted.assigned_to is None or ticket.handler_id == wanted.assigned_to)
        and (wanted.callback_due is None or to_call is wanted.callback_due)
        and (wanted.q is None or any(wanted.q.lower() in part for part in said))
    )


def test_the_board_shows_what_a_look_at_every_ticket_would(
    town: Town, resident: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    handlers = _fill(town, resident, owner)
    actors = {
        "street": acting(town.staff("street")),
        "a": acting(town.hire("community", town.a)),
        "b": acting(town.hire("community", town.b)),
        "grid": acting(town.staff("grid")),
        "property": acting(town.staff("property")),
        "two roles": _two_roles(town),
    }
    with db.reading() as session:
        communities = [town.a.id, town.b.id]
        tickets = session.scalars(select(Ticket).where(Ticket.community_id.in_(communities))).all()
        called: dict[UUID, list[Any]] = {}
        for row in session.scalars(select(Callback).where(Callback.community_id.in_(communities))):
            called.setdefault(row.ticket_id, []).append(row.at)
        seen = {
            name: [t for t in tickets if queries.may(actor, t, Permission.TICKET_VIEW)]
            for name, actor in actors.items()
        }
    assert all(seen.values())
    at_random = clock.now()
    pieces = sorted(
        {
            text[a:b]
            for ticket in tickets
            for text in (ticket.number, ticket.text or "", ticket.address or "")
            for a in range(0, len(text), 3)
            for b in (a + 1, a + 2, a + 4, len(text))
            if text[a:b]
        }
    )
    shown = 0

    @settings(max_examples=100, deadline=None)
    @given(
        who=st.sampled_from(sorted(actors)),
        wanted=st.builds(
            Board,
            status=st.none() | st.frozensets(st.sampled_from(TicketStatus), min_size=1),
            estate=st.none() | st.sampled_from([town.a.estate, town.a.second_estate, town.b.estate]),
            category=st.none() | st.none() | st.sampled_from([*CLASSES, "no-such"]),
            overdue=st.none() | st.none() | st.booleans(),
            assigned_to=st.none() | st.none() | st.sampled_from(handlers),
            q=st.none()
            | st.none()
            | st.sampled_from([*pieces, "lamp", "LAMP", "%", "_", "0%", "灯也", "独角兽"]),
            callback_due=st.none() | st.none() | st.booleans(),
            grid=st.none(),  # these three have tests of their own
            community=st.none(),
            due=st.none(),
        ),
        limit=st.sampled_from([1, 3, 100]),
        before=st.none() | st.sampled_from([t.id for t in tickets]),
        window=st.sampled_from([1, 12, 3000]),
    )
    def check(who: str, wanted: Board, limit: int, before: UUID | None, window: int) -> None:
        nonlocal shown
        expected = [
            ticket.id
            for ticket in sorted(seen[who], key=lambda t: t.id, reverse=True)
            if _matches(ticket, wanted, called) and (before is None or ticket.id < before)
        ][:limit]
        with (
            mock.patch.object(boards, "WINDOW", window),
            mock.patch.object(boards, "WIDER", 2 * window),
            db.reading(),
        ):
            found = [t.id for t in boards.board(actors[who], wanted, limit=limit, before=before)]
        assert found == expected, (who, wanted)
        shown += len(found)

    with mock.patch.object(clock, "now", return_value=at_random):
        check()
    assert shown  # the examples are not all of empty pages


def test_words_within_a_class_find_a_ticket_that_was_put_there_later(
    town: Town, resident: Callable[..., Person]
) -> None:
    """However deep it lies, and no longer in the class it had."""
    wang = resident()
    ticket = wang.report(town.a.estate_id, category="noise", text="夜里遛狗，狗叫很吵")["ticket_id"]
    for _ in range(4):
        wang.report(town.a.estate_id, category="noise", text="半夜有人唱歌")
    desk = town.hire("community", town.a)
    assert desk.post(f"/tickets/{ticket}/category", json={"category": "dogs"}).status_code == 200

    def found(category: str) -> list[str]:
        rows = desk.get("/tickets", query_string={"q": "遛狗", "category": category}).get_json()["items"]
        return [row["ticket_id"] for row in rows]

    with mock.patch.object(boards, "WINDOW", 1), mock.patch.object(boards, "WIDER", 2):
        assert found("dogs") == [ticket]
        assert found("noise") == []
