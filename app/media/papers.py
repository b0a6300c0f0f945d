"""Papers that prove something: taken in sealed, attached to a thing of a community, opened for who may see them.

They stand apart from photos: an ID card must not go to WeChat's picture check, nor lie readable in the store.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, tuple_

from app import clock, crypto, db, ids, outbox, queue
from app.ids import Ref
from app.media import imaging
from app.media import queries as media_queries
from app.media import service as photos
from app.media.errors import PaperNotTaken, PaperTooLarge, PaperUnknown
from app.media.models import OwnerKind, PhotoStatus
from app.media.paper_models import AttachedPaper, Paper

DISCARD = "media.discard_paper"  # outbox kind
PHOTO_STAGE = "evidence"  # of an ordinary photo that is given as a paper

MAX_BYTES = imaging.MAX_BYTES
KEEP_UNATTACHED = timedelta(hours=24)


def kind_of(data: bytes) -> str:
    """`pdf`, or the kind of picture. Raises PaperTooLarge, PaperNotTaken, and what `imaging.inspect` refuses."""
    if len(data) > MAX_BYTES:
        raise PaperTooLarge(errors={"file": [(PaperTooLarge.zh, PaperTooLarge.en)]})
    if data[:5] == b"%PDF-":
        # A file cut off on its way opens nowhere; ISO 32000 puts the mark at the end.
        if b"%%EOF" not in data[-2048:]:
            raise PaperNotTaken(errors={"file": [(PaperNotTaken.zh, PaperNotTaken.en)]})
        return "pdf"
    return str(imaging.inspect(data).kind)


def key(paper_id: UUID) -> str:
    """Where the sealed paper lies."""
    return f"papers/{paper_id.hex[:4]}/{paper_id.hex}"


def seal(data: bytes, paper_id: UUID) -> bytes:
    """As it lies in the store."""
    return crypto.keys().encrypt(data, f"paper:{paper_id}")


def unseal(data: bytes, paper_id: UUID) -> bytes:
    """As it was uploaded."""
    return crypto.keys().decrypt(data, f"paper:{paper_id}")


def announce(*, paper_id: UUID, owner_id: UUID) -> None:
    """Promise, before it is put into the store, that it will be gone after a day unless it is attached."""
    outbox.put(
        community_id=ids.lane_of(owner_id),
        kind=DISCARD,
        payload={"owner_id": str(owner_id), "paper_id": str(paper_id)},
        idem=f"paper:{paper_id}",
        on=queue.Queue.MEDIA,
        not_before=clock.now() + KEEP_UNATTACHED,
    )


def receive(
    *, paper_id: UUID, owner_id: UUID, owner_kind: OwnerKind, kind: str, size_bytes: int, sha256: bytes
) -> Paper:
    """Take in a paper that already lies sealed in the store."""
    paper = Paper(
        owner_id=owner_id,
        id=paper_id,
        owner_kind=owner_kind,
        kind=kind,
        size_bytes=size_bytes,
        sha256=sha256,
        created_at=clock.now(),
    )
    db.session().add(paper)
    return paper


def paper_of(owner_id: UUID, paper_id: UUID) -> Paper | None:
    """One's own paper."""
    return db.session().get(Paper, (owner_id, paper_id))


def forget_unattached(*, owner_id: UUID, paper_id: UUID) -> bool:
    """Is it to go from the store, because nobody attached it? Its row goes now. May run twice."""
    paper = db.session().get(Paper, (owner_id, paper_id), with_for_update=True)
    if paper is not None and paper.attached_community_id is not None:
        return False
    if paper is not None:
        db.session().delete(paper)
    return True


def attach(
    *, owner_id: UUID, file_ids: Sequence[UUID], community_id: int, object_kind: str, object_id: UUID
) -> None:
    """Give one's papers, or ordinary photos that are meant as such, to a thing of a community.

    Raises PaperUnknown (not hers, expired, used already, twice in the list), PhotoUnknown, PhotoUnusable.
    """
    if len(set(file_ids)) != len(file_ids):
        raise PaperUnknown
    found = {
        paper.id: paper
        for paper in db.session().scalars(
            select(Paper)
            .where(Paper.owner_id == owner_id, Paper.id.in_(list(file_ids)))
            .order_by(Paper.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    before = db.session().scalar(
        select(func.count()).where(
            AttachedPaper.community_id == community_id,
            AttachedPaper.object_kind == object_kind,
            AttachedPaper.object_id == object_id,
        )
    )
    for position, file_id in enumerate((i for i in file_ids if i in found), int(before or 0)):
        paper = found[file_id]
        if paper.attached_community_id is not None:
            raise PaperUnknown
        paper.attached_community_id = community_id
        db.session().add(
            AttachedPaper(
                community_id=community_id,
                id=paper.id,
                object_kind=object_kind,
                object_id=object_id,
                position=position,
                owner_kind=paper.owner_kind,
                owner_id=owner_id,
                kind=paper.kind,
                size_bytes=paper.size_bytes,
                sha256=paper.sha256,
                attached_at=clock.now(),
            )
        )
    others = [i for i in file_ids if i not in found]
    if others:
        photos.attach(
            owner_id=owner_id,
            upload_ids=others,
            community_id=community_id,
            object_kind=object_kind,
            object_id=object_id,
            stage=PHOTO_STAGE,
        )
    db.session().flush()  # what is attached decides what may be approved


def throw_away(*, object_kind: str, ref: Ref, only: Collection[UUID] | None = None) -> None:
    """Delete the papers of a thing, or only these, and the photos given as such, with their files."""
    found = db.session().scalars(
        select(AttachedPaper)
        .where(
            AttachedPaper.community_id == ref.community_id,
            AttachedPaper.object_kind == object_kind,
            AttachedPaper.object_id == ref.id,
        )
        .with_for_update()
    )
    for attached in found.all():
        if only is not None and attached.id not in only:
            continue
        db.session().delete(attached)
        # Without its row the promise of `announce` takes the file out of the store.
        paper = db.session().get(Paper, (attached.owner_id, attached.id))
        if paper is not None:
            db.session().delete(paper)
        outbox.put(
            community_id=ids.lane_of(attached.owner_id),
            kind=DISCARD,
            payload={"owner_id": str(attached.owner_id), "paper_id": str(attached.id)},
            idem=f"thrown:{attached.id}",
            on=queue.Queue.MEDIA,
        )
    db.session().flush()  # the worker asks for the row
    pictures = media_queries.photos_of(object_kind, [ref]).get(ref, [])
    photos.delete_photos([Ref(p.community_id, p.id) for p in pictures if only is None or p.id in only])


class Evidence(NamedTuple):
    """A paper of a thing, with where its bytes lie."""

    id: UUID
    kind: str
    owner_kind: str
    size_bytes: int | None
    attached_at: datetime
    store_key: str
    is_sealed: bool
    is_ready: bool

    def opened(self, stored: bytes) -> bytes:
        """Its bytes, of what lies in the store."""
        return unseal(stored, self.id) if self.is_sealed else stored


def of(object_kind: str, ref: Ref) -> list[Evidence]:
    """The papers of a thing in the order they came, and the photos given as such."""
    return of_each(object_kind, [ref])[ref]


def of_each(object_kind: str, refs: Collection[Ref]) -> dict[Ref, list[Evidence]]:
    """The same of several things, in two queries."""
    found: dict[Ref, list[Evidence]] = {ref: [] for ref in refs}
    if not found:
        return found
    papers = db.session().scalars(
        select(AttachedPaper)
        .where(
            AttachedPaper.community_id.in_({ref.community_id for ref in refs}),
            AttachedPaper.object_kind == object_kind,
            tuple_(AttachedPaper.community_id, AttachedPaper.object_id).in_(found),
        )
        .order_by(AttachedPaper.position)
    )
    for p in papers:
        found[Ref(p.community_id, p.object_id)].append(
            Evidence(p.id, p.kind, p.owner_kind, p.size_bytes, p.attached_at, key(p.id), True, True)
        )
    for ref, pictures in media_queries.photos_of(object_kind, found).items():
        found[ref] += [
            Evidence(
                p.id,
                "jpeg",
                p.owner_kind,
                None,
                p.attached_at,
                photos.stored_key(p.id, "full"),
                False,
                p.status == PhotoStatus.READY,
            )
            for p in pictures
        ]
    return found
