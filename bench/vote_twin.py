"""The twin that `bench.vote` measures against: the real application, without a database behind casting.

Same server, same routes, token, reading of the body, rules of the ballot, commitment, signed promise and answer. What
is left out is the statement that takes the ballot. The decision
comes from the environment, read once.
"""

from __future__ import annotations

import json
import os
from typing import Any
from uuid import UUID

from app import clock, db, ids
from app.ids import Kind
from app.voting import ballot_form, casting, queries
from app.voting.ballot_form import Choices, Form
from app.voting.ballot_models import Capacity, Channel
from bench.vote_town import AREA
from wsgi import app

__all__ = ["app"]


def _no_database(form: Form, head_id: UUID, choices: Choices, **_: Any) -> casting.Taken:
    area = form.areas.of(head_id) or AREA
    made = casting.prepare(
        form.keys, head_id=head_id, rev=1, choices=choices, area_centi=area, channel=Channel.ONLINE
    )
    return casting.Taken(made, clock.now(), Capacity.OWNER)


def _remember(name: str) -> None:
    with db.reading():
        ballot_form.of(queries.decision(ids.decode_ref(Kind.DECISION, name)))


for _name in json.loads(os.environ["BENCH_DECISIONS"]):
    _remember(_name)
casting.take = _no_database
