"""What `make load` says afterwards: it finds what is missing, what is there twice, and what grows."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import clock
from tests.conftest import TOP, Person, Town
from tests.load import recount, tables, watch
from tests.load.recount import Count

Connection = psycopg.Connection[Any]


class Clients:
    """Lines as the scenarios write them."""

    def __init__(self) -> None:
        self.said: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.owner_of: dict[str, Any] = {}
        self.since = clock.now()

    def tried(self, who: Person, token: str) -> None:
        self.owner_of[who.name] = who.id
        self.said["try"].append({"what": "report", "name": who.name, "token": token})

    def reported(self, who: Person, token: str, ticket: str, photos: list[str]) -> None:
        self.tried(who, token)
        self.said["report"].append({"name": who.name, "ticket": ticket, "token": token, "photos": photos})

    def moved(self, ticket: str, move: str, *, acknowledged: bool = True) -> None:
        self.said["try"].append({"what": "move", "ticket": ticket, "move": move})
        if acknowledged:
            self.said["move"].append({"ticket": ticket, "move": move, "account": "desk"})


@pytest.fixture
def clients() -> Clients:
    return Clients()


def report(who: Person, town: Town, clients: Clients) -> tuple[str, str]:
    """A report with a photo that the clients know of: (token, ticket)."""
    token, photo = uuid4().hex, who.photo()
    opened = who.report(town.a.estate_id, client_token=token, photo_ids=[photo])
    clients.reported(who, token, opened["ticket_id"], [photo])
    return token, opened["ticket_id"]


def test_what_was_acknowledged_and_is_there_is_neither_lost_nor_double(
    resident: Callable[..., Person], town: Town, owner: Connection, clients: Clients
) -> None:
    report(resident(), town, clients)
    assert recount.reports(owner, clients.owner_of, clients.said, clients.since) == Count(1, 0, 0)
    assert recount.photos(owner, clients.said) == Count(1, 0, 0)


def test_a_report_that_was_acknowledged_and_is_not_there_is_lost(
    resident: Callable[..., Person], town: Town, owner: Connection, clients: Clients
) -> None:
    who = resident()
    _, ticket = report(who, town, clients)
    clients.reported(who, uuid4().hex, ticket, [])
    assert recount.reports(owner, clients.owner_of, clients.said, clients.since).lost == 1
    clients.said["report"][0]["photos"].append("another")
    assert recount.photos(owner, clients.said).lost == 1


def test_a_report_that_nobody_tapped_for_is_double(
    resident: Callable[..., Person], town: Town, owner: Connection, clients: Clients
) -> None:
    who = resident()
    report(who, town, clients)
    who.report(town.a.estate_id)
    assert recount.reports(owner, clients.owner_of, clients.said, clients.since).double == 1


def test_moves_are_compared_with_the_timeline(
    resident: Callable[..., Person], town: Town, owner: Connection, clients: Clients
) -> None:
    _, ticket = report(resident(), town, clients)
    town.bring(ticket, "accept")
    clients.moved(ticket, "accept")
    assert recount.moves(owner, clients.said, clients.since) == Count(1, 0, 0)
    clients.moved(ticket, "dispatch")
    assert recount.moves(owner, clients.said, clients.since).lost == 1


def test_a_move_without_an_answer_may_be_there_and_may_not(
    resident: Callable[..., Person], town: Town, owner: Connection, clients: Clients
) -> None:
    _, ticket = report(resident(), town, clients)
    town.bring(ticket, "accept")
    clients.moved(ticket, "accept", acknowledged=False)
    clients.moved(ticket, "dispatch", acknowledged=False)
    assert recount.moves(owner, clients.said, clients.since) == Count(0, 0, 0)


def test_memory_that_grows_is_told_in_mb_a_minute() -> None:
    growing = [(at, 100 + 1.5 * at / 60) for at in range(180, 600, 2)]
    assert watch.slope(growing) == pytest.approx(1.5)
    assert watch.slope(growing[:20]) is None


def test_quantiles_are_of_what_came() -> None:
    assert tables.quantile([float(n) for n in range(1, 101)], 0.99) == 100
    assert tables.quantile([7.0], 0.5) == 7.0


def test_gevent_stays_out_of_the_process_that_knows_the_application() -> None:
    strange = "{'gevent', 'locust'} & {name.partition('.')[0] for name in sys.modules}"
    asked = f"import sys, tests.load.__main__; sys.exit(len({strange}))"
    assert subprocess.run([sys.executable, "-c", asked], cwd=TOP, check=False).returncode == 0
