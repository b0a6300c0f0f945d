"""A program for the tests of backup and restore: `build` makes a small installation, `look` reads what it holds.

What is looked at is the same before the backup and after the restore. It is a process of its own, because a process
has one database.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

import bff
from app import create_app, db, ids, outbox
from app.ids import Kind
from app.media import service as media
from app.people import queries as people
from app.people.models import Resident
from app.settings import Settings
from app.voting import openings, queries, results, verify
from tests import conftest
from tests.voting import logs
from workers import config as worker_config
from workers import jobs

NICKNAME = "王秀兰"


def main() -> int:
    settings = Settings.from_env()
    app = create_app(settings)
    bff.init_app(app)
    worker_config.adopt(settings)
    said = build(app) if sys.argv[1] == "build" else look(app, json.loads(sys.argv[2]))
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


def build(app: Any) -> dict[str, str]:
    """A decision with five ballots, closed and certified, and a resident with a name and a photo."""
    town = conftest._build_town(None)  # type: ignore[arg-type]
    log = logs.open_log(town, areas=[5000, 6000, 7000, 8000, 9000])
    for head, choice in enumerate(("for", "for", "against", "for", "abstain"), 1):
        log.cast(head, choice)
    log.cast(2, "against")
    log.seal()
    log.close()
    log.certify()
    client = app.test_client()
    answer = client.post("/bff/v1/session", json={"code": "demo-backup"})
    assert answer.status_code == 201, answer.text
    wang = conftest.Person("wang", answer.get_json(), client)
    tag = wang.get("/me").headers["ETag"]
    named = wang.patch("/me", {"nickname": NICKNAME}, headers={"If-Match": tag})
    assert named.status_code == 200, named.text
    photo = wang.photo()
    wang.report(town.a.estate_id, photo_ids=[photo])
    for _ in range(3):
        with db.reading():
            due = outbox.due_everywhere()
        for community_id, on in due:
            with contextlib.suppress(KeyError):
                jobs.drain(community_id, on)
    return {
        "decision": log.id,
        "resident": str(wang.id),
        "photo": photo,
        "stored": media.stored_key(ids.decode_id(Kind.UPLOAD, photo), "full"),
    }


def look(app: Any, made: dict[str, str]) -> dict[str, Any]:
    """What there is: the sealed file checked and counted again, the certified result, the name, the photo's bytes."""
    from app import adapters

    client = app.test_client()
    board = client.get(f"/public/v1/decisions/{made['decision']}/file")
    ref = ids.decode_ref(Kind.DECISION, made["decision"])
    with db.reading():
        about = openings.description(queries.decision(ref))
    opened = b"".join(openings.written(ref, about, rooms=False))
    with tempfile.TemporaryDirectory() as place:
        files = Path(place, "board.json"), Path(place, "openings.json")
        files[0].write_bytes(board.get_data())
        files[1].write_bytes(opened)
        report = verify.check(files[0], openings=files[1])
    with db.reading() as session:
        decision = queries.decision(ref)
        certified = results.result_of(decision).result
        recounted = results.recounted(decision)
        resident = session.scalar(
            select(Resident)
            .where(Resident.id == UUID(made["resident"]))
            .execution_options(cross_community="recount after a restore")
        )
        assert resident is not None
        openid = people.openid_of(resident)
    board_said = json.loads(board.get_data())
    return {
        "faults": [str(fault) for fault in report.faults],
        "roots": [(head["size"], head["root"]) for head in board_said["heads"]],
        "certified": certified,
        "recounted": recounted,
        "openid": hashlib.sha256((openid or "").encode()).hexdigest(),
        "photo": hashlib.sha256(adapters.storage().get(made["stored"])).hexdigest(),
    }


if __name__ == "__main__":
    raise SystemExit(main())
