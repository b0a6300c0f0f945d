"""Writing photos: take an upload in, process it, have it checked, attach it, erase what must not stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, delete, or_, select, update

from app import audit, clock, crypto, db, ids, outbox, queue
from app.audit import Actor
from app.errors import NotFound
from app.ids import Ref
from app.media.errors import NotInReview, PhotoUnknown, PhotoUnusable
from app.media.imaging import PhotoInfo
from app.media.models import CheckState, MediaCheck, OwnerKind, Photo, PhotoStatus, Upload

PROCESS = "media.process"  # outbox kinds
CHECK = "media.check"
DISCARD = "media.discard"

KEEP_UNATTACHED = timedelta(hours=24)
VERDICT_WITHIN = timedelta(minutes=60)
ROUNDS = 2  # asked this often before a person decides

PROOF = "after"  # the stage of a photo that shows what was done
EDGES = {"full": 1600, "thumb": 320}


def incoming_key(upload_id: UUID) -> str:
    """Where the original waits for processing; nothing links there."""
    return f"incoming/{upload_id.hex}"


def stored_key(upload_id: UUID, variant: str) -> str:
    """Where the cleaned version `full` (1600 px) or `thumb` (320 px) lies."""
    return f"photos/{upload_id.hex[:4]}/{upload_id.hex}-{EDGES[variant]}.jpg"


def announce(*, upload_id: UUID, owner_id: UUID) -> None:
    """Promise, in a transaction of its own and before the original is put into storage, that it will be gone within a
    day whatever happens.

    A process that dies between storing and recording would otherwise leave a picture, perhaps with the place
    where it was taken, that no row knows of.
    """
    outbox.put_alone(
        community_id=ids.lane_of(owner_id),
        kind=DISCARD,
        payload={
            "keys": [incoming_key(upload_id)],
            "unless_waiting": {"owner_id": str(owner_id), "upload_id": str(upload_id)},
        },
        idem=f"announced:{upload_id}",
        on=queue.Queue.MEDIA,
        not_before=clock.now() + KEEP_UNATTACHED,
    )


def receive(
    *,
    upload_id: UUID,
    owner_id: UUID,
    owner_kind: OwnerKind,
    info: PhotoInfo,
    size_bytes: int,
    sha256: bytes,
    may_keep_position: bool,
) -> Upload:
    """Take in a picture whose original already lies in storage; processing is promised.

    Its capture position is kept (sealed) only where that is allowed: a resident's with her consent, staff's of the
    proof of their work. Otherwise it is never stored.
    """
    position = None
    if may_keep_position and info.position is not None:
        words = f"{info.position.lng:.7f},{info.position.lat:.7f}"
        position = crypto.keys().encrypt(words.encode(), f"photo_position:{upload_id}")
    upload = Upload(
        owner_id=owner_id,
        id=upload_id,
        owner_kind=owner_kind,
        status=PhotoStatus.PROCESSING,
        # Staff pictures are official acts; WeChat's check needs an openid and is for what residents publish.
        check_state=CheckState.PENDING if owner_kind is OwnerKind.RESIDENT else CheckState.PASSED,
        kind=info.kind,
        size_bytes=size_bytes,
        sha256=sha256,
        width=info.width,
        height=info.height,
        taken_at=info.taken_at,
        position_sealed=position,
        created_at=clock.now(),
    )
    db.session().add(upload)
    outbox.put(
        community_id=ids.lane_of(owner_id),
        kind=PROCESS,
        payload={"owner_id": str(owner_id), "upload_id": str(upload_id)},
        idem=f"process:{upload_id}",
        on=queue.Queue.MEDIA,
    )
    return upload


def _locked(owner_id: UUID, upload_id: UUID) -> Upload | None:
    return db.session().get(Upload, (owner_id, upload_id), with_for_update=True, populate_existing=True)


def _mirror(upload: Upload) -> None:
    """Bring the attached copies in line with the upload, in the same transaction."""
    if upload.attached_community_id is None:
        return
    for copy in _copies(Ref(upload.attached_community_id, upload.id)):
        copy.status, copy.check_state, copy.dhash = upload.status, upload.check_state, upload.dhash
        copy.width, copy.height = upload.width, upload.height


def _copies(photo: Ref) -> list[Photo]:
    """The photo and the same picture in the communities it was carried over to, locked.

    Each is locked before it says where it was carried: `carry_over`, which holds that lock, is waited for.
    """
    found: dict[int, Photo] = {}
    frontier: list[int | None] = [photo.community_id]
    while frontier:
        community_id = frontier.pop()
        if community_id is None or community_id in found:
            continue
        row = db.session().get(Photo, (community_id, photo.id), with_for_update=True, populate_existing=True)
        if row is not None:
            found[community_id] = row
            frontier += [row.carried_from, row.carried_to]
    return list(found.values())


def processed(*, owner_id: UUID, upload_id: UUID, width: int, height: int, dhash: int | None = None) -> None:
    """The cleaned versions lie in storage; a resident's picture now goes to WeChat's check. May run twice."""
    upload = _locked(owner_id, upload_id)
    if upload is None or upload.status == PhotoStatus.READY:
        return
    upload.status, upload.width, upload.height = PhotoStatus.READY, width, height
    upload.dhash = dhash
    _mirror(upload)
    if upload.check_state == CheckState.PENDING:
        _ask(owner_id, upload_id, nth=1)
    _discard_original(upload)


def undecodable(*, owner_id: UUID, upload_id: UUID) -> None:
    """The picture turned out to be broken; it is never shown. May run twice."""
    upload = _locked(owner_id, upload_id)
    if upload is None or upload.status != PhotoStatus.PROCESSING:
        return
    upload.status = PhotoStatus.REFUSED
    _mirror(upload)
    _discard_original(upload)


def _discard_original(upload: Upload) -> None:
    # The original may hold EXIF and GPS: it goes as soon as nothing needs it, through the outbox, so that a
    # crash between commit and deletion leaves nothing behind.
    outbox.put(
        community_id=ids.lane_of(upload.owner_id),
        kind=DISCARD,
        payload={"keys": [incoming_key(upload.id)]},
        idem=f"discard:{upload.id}",
        on=queue.Queue.MEDIA,
    )


def _ask(owner_id: UUID, upload_id: UUID, *, nth: int) -> None:
    outbox.put(
        community_id=ids.lane_of(owner_id),
        kind=CHECK,
        payload={"owner_id": str(owner_id), "upload_id": str(upload_id), "round": nth},
        idem=f"check:{upload_id}:{nth}",
    )


def check_asked(*, owner_id: UUID, upload_id: UUID, trace_id: str, nth: int) -> None:
    """WeChat took the question; its verdict will name this trace."""
    if db.session().get(MediaCheck, trace_id) is None:
        db.session().add(
            MediaCheck(
                trace_id=trace_id, owner_id=owner_id, upload_id=upload_id, round=nth, asked_at=clock.now()
            )
        )


def check_impossible(*, owner_id: UUID, upload_id: UUID) -> None:
    """WeChat will not check it (the person hasn't visited lately, …): a person decides."""
    _set_check(owner_id, upload_id, CheckState.REVIEW)


def verdict(*, trace_id: str, suggest: str) -> bool:
    """Apply WeChat's verdict (`pass`, `review`, `risky`, or `error` when it could not fetch the picture).

    False when the trace isn't known (yet): the event may come before our own record of the question.
    """
    check = db.session().get(MediaCheck, trace_id, with_for_update=True)
    if check is None:
        return False
    # A verdict after its 60 minutes still counts, unless a person or a later question has decided.
    if check.settled_at is None or check.suggest == "none":
        check.settled_at, check.suggest = clock.now(), suggest[:8]
        if suggest == "error" and check.round < ROUNDS:
            _ask(check.owner_id, check.upload_id, nth=check.round + 1)
        else:
            states = {"pass": CheckState.PASSED, "risky": CheckState.RISKY}
            _set_check(check.owner_id, check.upload_id, states.get(suggest, CheckState.REVIEW))
    return True


def _set_check(owner_id: UUID, upload_id: UUID, state: CheckState) -> None:
    upload = _locked(owner_id, upload_id)
    if upload is None or upload.check_state in (CheckState.PASSED, CheckState.RISKY):
        return  # a verdict stays
    upload.check_state = state
    _mirror(upload)


def ask_overdue_verdicts(*, limit: int = 500) -> int:
    """Questions without a verdict for 60 minutes: asked again, then handed to staff. Returns how many."""
    late = (
        db.session()
        .scalars(
            select(MediaCheck)
            .where(MediaCheck.settled_at.is_(None), MediaCheck.asked_at <= clock.now() - VERDICT_WITHIN)
            .order_by(MediaCheck.asked_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        .all()
    )
    for check in late:
        check.settled_at, check.suggest = clock.now(), "none"
        if check.round < ROUNDS:
            _ask(check.owner_id, check.upload_id, nth=check.round + 1)
        else:
            _set_check(check.owner_id, check.upload_id, CheckState.REVIEW)
    return len(late)


def review(photo: Ref, *, passed: bool, acting_user: Actor) -> Photo:
    """A person's verdict on a photo that waits for one. Raises NotFound, NotInReview."""
    row = db.session().get(Photo, photo, with_for_update=True)
    if row is None:
        raise NotFound
    if row.check_state != CheckState.REVIEW:
        raise NotInReview
    state = CheckState.PASSED if passed else CheckState.RISKY
    for copy in _copies(photo):
        copy.check_state = state
    db.session().execute(
        update(Upload)
        .where(Upload.owner_id == row.owner_id, Upload.id == row.id)
        .values(check_state=state)
        .execution_options(synchronize_session=False)
    )
    audit.record(
        acting_user,
        "photo.reviewed",
        community_id=photo.community_id,
        object_kind="photo",
        object_id=photo.id,
        verdict=state.value,
    )
    return row


def attach(
    *,
    owner_id: UUID,
    upload_ids: Sequence[UUID],
    community_id: int,
    object_kind: str,
    object_id: UUID,
    stage: str,
) -> list[Photo]:
    """Give one's uploads to a thing of a community, in this order.

    Raises PhotoUnknown (not hers, expired, used already, twice in the list), PhotoUnusable.
    """
    if len(set(upload_ids)) != len(upload_ids):
        raise PhotoUnknown
    found = {
        u.id: u
        for u in db.session().scalars(
            select(Upload)
            .where(Upload.owner_id == owner_id, Upload.id.in_(list(upload_ids)))
            .order_by(Upload.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    photos = []
    for position, upload_id in enumerate(upload_ids):
        upload = found.get(upload_id)
        if upload is None or upload.attached_community_id is not None:
            raise PhotoUnknown
        if upload.status == PhotoStatus.REFUSED:
            raise PhotoUnusable
        upload.attached_community_id = community_id
        photo = Photo(
            community_id=community_id,
            id=upload.id,
            object_kind=object_kind,
            object_id=object_id,
            stage=stage,
            position=position,
            owner_kind=upload.owner_kind,
            owner_id=owner_id,
            status=upload.status,
            check_state=upload.check_state,
            sha256=upload.sha256,
            width=upload.width,
            height=upload.height,
            taken_at=upload.taken_at,
            # Staff's is kept for one purpose: to see whether the proof was taken where the problem was.
            position_sealed=upload.position_sealed
            if upload.owner_kind != OwnerKind.STAFF or stage == PROOF
            else None,
            dhash=upload.dhash,
            attached_at=clock.now(),
        )
        upload.position_sealed = None
        photos.append(photo)
    db.session().add_all(photos)
    return photos


class Expired(NamedTuple):
    """How many uploads went."""

    unattached: int
    settled: int


def expire_uploads(*, limit: int = 1000) -> Expired:
    """Uploads that nobody attached within 24 hours go with their files; attached ones, once settled, lose only
    the row that steered their processing.
    """
    # The others are left out here rather than skipped below: enough of them would fill every batch.
    settled_ones = and_(
        Upload.status != PhotoStatus.PROCESSING,
        or_(
            Upload.check_state.in_([CheckState.PASSED, CheckState.RISKY]),
            Upload.status == PhotoStatus.REFUSED,
        ),
    )
    old = (
        db.session()
        .scalars(
            select(Upload)
            .where(
                Upload.created_at <= clock.now() - KEEP_UNATTACHED,
                or_(Upload.attached_community_id.is_(None), settled_ones),
            )
            .order_by(Upload.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(cross_community="retention")
        )
        .all()
    )
    unattached = settled = 0
    for upload in old:
        if upload.attached_community_id is None:
            keys = [incoming_key(upload.id), *(stored_key(upload.id, variant) for variant in EDGES)]
            outbox.put(
                community_id=ids.lane_of(upload.owner_id),
                kind=DISCARD,
                payload={"keys": keys},
                idem=f"expire:{upload.id}",
                on=queue.Queue.MEDIA,
            )
            unattached += 1
        else:
            settled += 1
        db.session().execute(
            delete(Upload)
            .where(Upload.owner_id == upload.owner_id, Upload.id == upload.id)
            .execution_options(synchronize_session=False)
        )
    return Expired(unattached, settled)


def erase_positions(
    *, community_id: int, object_kind: str, object_ids: Sequence[UUID], owner_id: UUID | None = None
) -> int:
    """Erase where the photos of these things (of one owner, if named) were taken. Returns how many had it."""
    whose = [Photo.owner_id == owner_id] if owner_id is not None else []
    result = db.session().execute(
        update(Photo)
        .where(
            Photo.community_id == community_id,
            Photo.object_kind == object_kind,
            Photo.object_id.in_(list(object_ids)),
            Photo.position_sealed.is_not(None),
            *whose,
        )
        .values(position_sealed=None)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]  # an UPDATE gives a CursorResult


def carry_over(*, community_id: int, object_kind: str, object_id: UUID, to: Ref) -> None:
    """Show the photos of a thing with its successor in another community as well: new rows, the same files.

    In a community that had the thing before, its rows there go over to the successor.
    """
    rows = (
        db.session()
        .scalars(
            select(Photo)
            .where(
                Photo.community_id == community_id,
                Photo.object_kind == object_kind,
                Photo.object_id == object_id,
            )
            .order_by(Photo.id)
            .with_for_update()  # what is being processed now must find the copy, see `_copies`
            .execution_options(populate_existing=True)
        )
        .all()
    )
    for row in rows:
        row.carried_to = to.community_id
        copy = db.session().get(Photo, (to.community_id, row.id), with_for_update=True)
        if copy is not None:
            copy.object_id = to.id
            continue
        db.session().add(
            Photo(
                community_id=to.community_id,
                id=row.id,
                object_kind=object_kind,
                object_id=to.id,
                stage=row.stage,
                position=row.position,
                owner_kind=row.owner_kind,
                owner_id=row.owner_id,
                status=row.status,
                check_state=row.check_state,
                sha256=row.sha256,
                width=row.width,
                height=row.height,
                taken_at=row.taken_at,
                position_sealed=row.position_sealed,
                dhash=row.dhash,
                attached_at=row.attached_at,
                carried_from=community_id,
            )
        )


def delete_photos(refs: Sequence[Ref]) -> None:
    """Delete these pictures; their files go as well, unless a thing in another community shows the same ones."""
    for ref in refs:
        gone = db.session().execute(
            delete(Photo)
            .where(Photo.community_id == ref.community_id, Photo.id == ref.id)
            .execution_options(synchronize_session=False)
        )
        shown = db.session().scalar(
            select(Photo.id).where(Photo.id == ref.id).execution_options(cross_community="retention").limit(1)
        )
        if int(gone.rowcount) and shown is None:  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
            outbox.put(
                community_id=ref.community_id,
                kind=DISCARD,
                payload={"keys": [stored_key(ref.id, variant) for variant in EDGES]},
                idem=f"retention:{ref.id}",
                on=queue.Queue.MEDIA,
            )


def forget_waiting_positions(*, owner_id: UUID) -> None:
    """Erase where a person's pictures were taken that she hasn't attached yet."""
    db.session().execute(
        update(Upload)
        .where(Upload.owner_id == owner_id, Upload.position_sealed.is_not(None))
        .values(position_sealed=None)
        .execution_options(synchronize_session=False)
    )
