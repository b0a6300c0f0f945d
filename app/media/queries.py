"""Reading photos."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Uuid, and_, cast, column, func, literal, select
from sqlalchemy.dialects.postgresql import BIT

from app import crypto, db
from app.ids import Ref
from app.media.models import CheckState, Photo, PhotoStatus, Upload
from app.places.coordinates import Point


def upload_of(owner_id: UUID, upload_id: UUID) -> Upload | None:
    """One's own upload."""
    return db.session().get(Upload, (owner_id, upload_id))


def photo(ref: Ref) -> Photo | None:
    """A photo of a thing of a community."""
    return db.session().get(Photo, ref)


def photos_of(object_kind: str, refs: Collection[Ref]) -> dict[Ref, list[Photo]]:
    """The photos of these things by their whole names, each list in its order, in one query."""
    if not refs:
        return {}
    wanted = (
        func.unnest(
            literal([r.community_id for r in refs], ARRAY(BigInteger)),
            literal([r.id for r in refs], ARRAY(Uuid)),
        )
        .table_valued(column("community_id", BigInteger), column("object_id", Uuid))
        .render_derived(name="wanted")
    )
    rows = db.session().scalars(
        select(Photo)
        .join(
            wanted, and_(Photo.community_id == wanted.c.community_id, Photo.object_id == wanted.c.object_id)
        )
        .where(Photo.object_kind == object_kind)
        .order_by(Photo.stage.desc(), Photo.attached_at, Photo.position)
    )
    found: dict[Ref, list[Photo]] = {}
    for row in rows:
        found.setdefault(Ref(row.community_id, row.object_id), []).append(row)
    return found


def awaiting_review(
    community_ids: Iterable[int], *, limit: int, after: tuple[int, UUID] | None = None
) -> list[Photo]:
    """Photos that wait for a person's verdict, oldest first."""
    query = select(Photo).where(
        Photo.community_id.in_(set(community_ids)), Photo.check_state == CheckState.REVIEW
    )
    if after is not None:
        query = query.where(Photo.id > after[1])
    return list(db.session().scalars(query.order_by(Photo.id).limit(limit)))


def position_of(photo: Photo) -> Point | None:
    """Where the picture was taken (WGS-84), if that was kept."""
    if photo.position_sealed is None:
        return None
    lng, _, lat = (
        crypto.keys().decrypt(photo.position_sealed, f"photo_position:{photo.id}").decode().partition(",")
    )
    return Point(float(lng), float(lat))


def is_shown(row: Photo | Upload) -> bool:
    """Can a picture be shown at all? A refused or risky one can't; one in processing is a placeholder."""
    return row.status != PhotoStatus.REFUSED and row.check_state != CheckState.RISKY


def is_public(row: Photo) -> bool:
    """May people other than the reporter and staff see it? Only a finished picture that passed its check."""
    return row.status == PhotoStatus.READY and row.check_state == CheckState.PASSED


LOOKS_ALIKE_BITS = 6
_FEATURELESS = frozenset({0, -1})


def look_alike(one: Photo, other: Photo) -> bool:
    """Do the two pictures look the same?"""
    if one.dhash is None or other.dhash is None or one.dhash in _FEATURELESS:
        return False
    return ((one.dhash ^ other.dhash) & (2**64 - 1)).bit_count() <= LOOKS_ALIKE_BITS


def look_alikes(photos: Sequence[Photo], *, since: datetime) -> dict[UUID, list[Photo]]:
    """For each photo of one community: those of other things there, attached as proof since then, that look like it.

    A picture without a single edge (all sky, all black) looks like any other such and is left out.
    """
    found: dict[UUID, list[Photo]] = {}
    for photo in photos:
        if photo.dhash is None or photo.dhash in _FEATURELESS:
            continue
        differs = func.bit_count(cast(Photo.dhash.op("#")(photo.dhash), BIT(64)))
        rows = db.session().scalars(
            select(Photo)
            .where(
                Photo.community_id == photo.community_id,
                Photo.stage == "after",
                Photo.attached_at >= since,
                Photo.object_id != photo.object_id,
                Photo.dhash.is_not(None),
                differs <= LOOKS_ALIKE_BITS,
            )
            .limit(20)
        )
        found[photo.id] = list(rows)
    return found
