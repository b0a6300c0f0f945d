"""Two people prove the same phone at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from app import db
from app.people import service as people
from tests.conftest import Person


def test_of_two_who_prove_a_phone_at_once_only_the_later_holds_it_and_knows_whom_to_tell(
    resident: Callable[..., Person], held_up: Callable[[int], None]
) -> None:
    wang, li = resident(), resident()
    number = "139" + str(uuid4().int)[:8]
    bound = threading.Event()
    second_waits = threading.Event()

    def first() -> UUID | None:
        with db.transaction():
            former = people.bind_phone(resident_id=wang.id, phone=number)
            bound.set()
            assert second_waits.wait(15)
        return former

    def second() -> UUID | None:
        assert bound.wait(15)
        with db.transaction():
            return people.bind_phone(resident_id=li.id, phone=number)

    with ThreadPoolExecutor(2) as pool:
        earlier, latest = pool.submit(first), pool.submit(second)
        bound.wait(15)
        held_up(1)
        second_waits.set()
        assert (earlier.result(), latest.result()) == (None, wang.id)
    assert li.get("/me").json["phone_masked"][-4:] == number[-4:]
    assert wang.get("/me").json["phone_masked"] is None
