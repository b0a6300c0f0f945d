"""Pictures of a resident that hang at nothing yet; those of her reports come with the tickets."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select

from app import db, ids, outbox, queue
from app.ids import Kind
from app.media import links
from app.media.models import Upload
from app.media.paper_models import Paper
from app.media.papers import DISCARD as DISCARD_PAPER
from app.media.service import DISCARD, EDGES, incoming_key, stored_key
from app.people.dossier import Item, Section, at


def _waiting(resident_id: UUID) -> list[Upload]:
    rows = db.session().scalars(
        select(Upload)
        .where(Upload.owner_id == resident_id, Upload.attached_community_id.is_(None))
        .order_by(Upload.id)
    )
    return list(rows)


def _copy(resident_id: UUID) -> list[Item]:
    return [
        {
            "photo_id": ids.encode(Kind.UPLOAD, row.id),
            "taken_at": at(row.taken_at),
            "uploaded_at": at(row.created_at),
            "url": links.to_upload(resident_id, row.id, "full"),
        }
        for row in _waiting(resident_id)
    ]


def _forget(resident_id: UUID) -> None:
    for row in _waiting(resident_id):
        outbox.put(
            community_id=ids.lane_of(resident_id),
            kind=DISCARD,
            payload={"keys": [incoming_key(row.id), *(stored_key(row.id, variant) for variant in EDGES)]},
            idem=f"closed:{row.id}",
            on=queue.Queue.MEDIA,
        )
    # What hangs at a ticket steers its processing and is tidied away as soon as that is settled.
    db.session().execute(
        delete(Upload)
        .where(Upload.owner_id == resident_id, Upload.attached_community_id.is_(None))
        .execution_options(synchronize_session=False)
    )


def _waiting_papers(resident_id: UUID) -> list[Paper]:
    rows = db.session().scalars(
        select(Paper)
        .where(Paper.owner_id == resident_id, Paper.attached_community_id.is_(None))
        .order_by(Paper.id)
    )
    return list(rows)


def _copy_papers(resident_id: UUID) -> list[Item]:
    return [{"kind": row.kind, "uploaded_at": at(row.created_at)} for row in _waiting_papers(resident_id)]


def _forget_papers(resident_id: UUID) -> None:
    for row in _waiting_papers(resident_id):
        outbox.put(
            community_id=ids.lane_of(resident_id),
            kind=DISCARD_PAPER,
            payload={"owner_id": str(resident_id), "paper_id": str(row.id)},
            idem=f"closed:{row.id}",
            on=queue.Queue.MEDIA,
        )


SECTIONS = (
    Section("waiting_photos", frozenset({"uploads"}), _copy, _forget),
    Section("waiting_papers", frozenset({"papers"}), _copy_papers, _forget_papers),
)
