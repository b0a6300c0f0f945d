"""The statement guard of the tests refuses what would ask every shard, whoever wrote the statement."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Executable, and_, delete, exists, insert, select, text, update
from sqlalchemy.orm import aliased

from app import db
from app.media.models import Upload
from app.outbox import Outbox
from app.tables import metadata
from app.tickets.models import Category, Ticket, TicketEvent
from tests import guard
from tests.conftest import TOP, House

E = aliased(TicketEvent)

UNSCOPED: dict[str, Executable] = {
    "ORM select": select(Ticket),
    "ORM select by id alone": select(Ticket).where(Ticket.id == uuid4()),
    "ORM select of another distribution": select(Upload).where(Upload.id == uuid4()),
    "ORM update": update(Outbox).where(Outbox.id == uuid4()).values(attempts=0),
    "ORM delete": delete(Outbox).where(Outbox.id == uuid4()),
    "Core select": select(Ticket.__table__.c.id),
    "Core update": update(metadata().tables["tickets"]).values(version=1),
    "Core insert": insert(Ticket).values(id=uuid4()),
    "joined table without it": select(Ticket.id)
    .join(TicketEvent, TicketEvent.ticket_id == Ticket.id)
    .where(Ticket.community_id == 1),
    "joined alias without it": select(Ticket.id)
    .join(E, E.ticket_id == Ticket.id)
    .where(Ticket.community_id == 1),
    "second table after a comma": select(Ticket.id, Outbox.id).where(Ticket.community_id == 1),
    "subquery": select(Category.code).where(exists().where(Ticket.category_code == Category.code)),
    "text select": text("SELECT id FROM tickets WHERE id = '00000000-0000-0000-0000-000000000000'"),
    "text update": text("UPDATE outbox SET attempts = 0"),
    "text insert": text("INSERT INTO outbox (id) VALUES ('00000000-0000-0000-0000-000000000000')"),
    "text delete": text("DELETE FROM outbox WHERE state = 'done'"),
    "both sides joined, neither named": select(Ticket.id).join(
        TicketEvent,
        and_(TicketEvent.community_id == Ticket.community_id, TicketEvent.ticket_id == Ticket.id),
    ),
}


SCOPED: dict[str, Executable] = {
    "ORM select": select(Ticket).where(Ticket.community_id == 1),
    "ORM select in some": select(Ticket).where(Ticket.community_id.in_([1, 2])),
    "join": select(Ticket.id)
    .join(
        TicketEvent, and_(TicketEvent.community_id == Ticket.community_id, TicketEvent.ticket_id == Ticket.id)
    )
    .where(Ticket.community_id == 1),
    "alias": select(E).where(E.community_id == 1),
    "reference table": select(Category),
    "another distribution": select(Upload).where(Upload.owner_id == uuid4()),
    "text": text("SELECT id FROM tickets WHERE tickets.community_id = 1"),
    "excused": select(Ticket).execution_options(cross_community="metrics"),
}


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("case", sorted(UNSCOPED))
def test_a_statement_that_names_no_community_is_refused(house: House, case: str) -> None:
    with pytest.raises(guard.Unscoped), db.reading() as session:
        session.execute(UNSCOPED[case])


@pytest.mark.parametrize("case", sorted(SCOPED))
def test_a_statement_that_names_it_passes(house: House, case: str) -> None:
    with db.reading() as session:
        session.execute(SCOPED[case])


def test_session_get_and_add_pass_because_the_key_holds_it(house: House) -> None:
    with db.reading() as session:
        assert session.get(Ticket, (1, uuid4())) is None


def test_an_excuse_that_nobody_reviewed_is_refused(house: House) -> None:
    with pytest.raises(guard.Unscoped, match="isn't on the list"), db.reading() as session:
        session.execute(select(Ticket).execution_options(cross_community="because"))


def excuses() -> dict[str, list[str]]:
    """Reason → files that give it."""
    found: dict[str, list[str]] = {}

    def note(path: Path, value: Any) -> None:
        found.setdefault(ast.literal_eval(value), []).append(path.name)

    for folder in ("app", "bff", "workers", "tools"):
        for path in sorted((TOP / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.keyword) and node.arg == "cross_community":
                    note(path, node.value)
                elif isinstance(node, ast.Dict):
                    for key, value in zip(node.keys, node.values, strict=True):
                        if isinstance(key, ast.Constant) and key.value == "cross_community":
                            note(path, value)
    return found


def test_every_excuse_on_the_list_is_used_and_every_used_one_is_on_the_list() -> None:
    assert set(excuses()) == set(guard.ALLOWED)


@pytest.mark.parametrize("face", ["bff"])
def test_no_face_looks_across_communities(face: str) -> None:
    assert not any(
        "cross_community" in path.read_text(encoding="utf-8") for path in (TOP / face).rglob("*.py")
    )


def test_plain_statements_name_their_community_too() -> None:
    """They go past the guard's listener, so they are read here."""
    importlib.import_module("bff")
    tables = guard.distributed_tables()

    wrong = {statement.sql: guard.complaint(statement.sql, tables) for statement in db.Plain.made}

    assert len(wrong) >= 2
    assert not [said for said in wrong.values() if said]
