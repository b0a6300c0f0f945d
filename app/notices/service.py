"""Writing, publishing, correcting and withdrawing notices. What was published is never silently another text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, update

from app import audit, clock, db, ids
from app.audit import SYSTEM, Actor
from app.errors import Forbidden, NotFound, StaleVersion
from app.ids import Ref
from app.media import papers
from app.notices import queries, telling
from app.notices import reach as reaching
from app.notices.errors import (
    AreaEmpty,
    BadPublishTime,
    NotADraft,
    NoticeIsOut,
    NotOut,
    NotPlainText,
    ReasonMissing,
    StudyTimeNotHere,
    TooManyFiles,
    UnknownFile,
)
from app.notices.models import Notice, NoticePlace, NoticeRevision, NoticeStatus, Topic
from app.notices.queries import PAPERS
from app.notices.reach import Area, Chosen, Covers
from app.people.permissions import Permission
from app.people.scopes import StaffActor

MOST_FILES = 9  # what a phone shows on one screen
_FARTHEST = timedelta(days=366)
_MARKUP = re.compile(r"<\s*/?\s*[a-zA-Z!][^<>]*>")


def _touch(row: Notice) -> None:
    row.updated_at = clock.now()
    row.version = (row.version or 1) + 1


def _record(row: Notice, action: str, actor: Actor, **details: Any) -> None:
    audit.record(
        actor,
        action,
        community_id=row.community_id,
        object_kind="notice",
        object_id=row.id,
        **details,
    )


def _ensure_plain(changes: Mapping[str, Any]) -> None:
    for field in ("title", "text"):
        if _MARKUP.search(changes.get(field) or ""):
            raise NotPlainText(errors={field: [(NotPlainText.zh, NotPlainText.en)]})


def _ensure_ahead(changes: Mapping[str, Any]) -> None:
    at = changes.get("publish_at")
    if at is not None and not clock.now() < at <= clock.now() + _FARTHEST:
        raise BadPublishTime(errors={"publish_at": [(BadPublishTime.zh, BadPublishTime.en)]})


def _ensure_study(kind: str, minutes: int | None) -> None:
    if minutes is not None and kind != Topic.STUDY:
        raise StudyTimeNotHere(errors={"study_minutes": [(StudyTimeNotHere.zh, StudyTimeNotHere.en)]})


# --- drafts ----------------------------------------------------------------------------------------------


def _choose(areas: Sequence[Area], staff: StaffActor) -> tuple[list[Chosen], Covers]:
    """Raises NotFound (not there, or outside where she writes notices), AreaEmpty."""
    chosen = reaching.choose(areas)
    covers = reaching.covers_of(chosen)
    if not reaching.reach(staff, Permission.NOTICE_EDIT).holds(covers):
        raise NotFound
    return chosen, covers


def reached(areas: Sequence[Area], *, acting_user: StaffActor) -> Covers:
    """What a notice for these areas would cover today. Raises NotFound (not there, or not hers), AreaEmpty."""
    return _choose(areas, acting_user)[1]


def _unplace(row: Notice) -> None:
    db.session().execute(
        delete(NoticePlace)
        .where(
            NoticePlace.community_id.in_(row.homes),
            NoticePlace.notice_community_id == row.community_id,
            NoticePlace.notice_id == row.id,
        )
        .execution_options(synchronize_session=False)
    )


def _place(row: Notice, covers: Covers) -> None:
    """Write down where the notice is told, instead of what was written before."""
    _unplace(row)
    row.homes = sorted(covers.communities)
    db.session().add_all(
        NoticePlace(
            community_id=cover.estate.community_id,
            id=ids.new_id(),
            notice_community_id=row.community_id,
            notice_id=row.id,
            estate_id=cover.estate.id,
            building_id=cover.building.id if cover.building is not None else None,
            kind=row.kind,
            listed_at=row.published_at,
        )
        for cover in sorted(covers.covers, key=str)
    )


def _add_files(row: Notice, file_ids: Sequence[UUID], staff: StaffActor) -> None:
    """Raises TooManyFiles, PaperUnknown, PhotoUnknown, PhotoUnusable."""
    if not file_ids:
        return
    if len(papers.of(PAPERS, queries.ref_of(row))) + len(file_ids) > MOST_FILES:
        raise TooManyFiles(most=MOST_FILES)
    papers.attach(
        owner_id=staff.id,
        file_ids=file_ids,
        community_id=row.community_id,
        object_kind=PAPERS,
        object_id=row.id,
    )


def add_draft(
    *,
    kind: Topic,
    title: str,
    text: str,
    areas: Sequence[Area],
    study_minutes: int | None = None,
    publish_at: Any = None,
    file_ids: Sequence[UUID] = (),
    acting_user: StaffActor,
) -> Notice:
    """A draft for these areas; nobody is told anything.

    Raises NotFound (an area that isn't there or not hers), AreaEmpty, NotPlainText, BadPublishTime, StudyTimeNotHere,
    TooManyFiles, and what `papers.attach` raises.
    """
    _ensure_plain({"title": title, "text": text})
    _ensure_ahead({"publish_at": publish_at})
    _ensure_study(kind, study_minutes)
    chosen, covers = _choose(areas, acting_user)
    now = clock.now()
    row = Notice(
        community_id=min(covers.communities),
        id=ids.new_id(),
        kind=kind.value,
        title=title,
        text=text,
        areas=reaching.write(chosen),
        homes=[],
        status=NoticeStatus.DRAFT.value,
        study_minutes=study_minutes,
        publish_at=publish_at,
        revision=0,
        created_by=acting_user.id,
        created_at=now,
        updated_at=now,
        version=1,
    )
    db.session().add(row)
    _place(row, covers)
    db.session().flush()  # files hang at it
    _add_files(row, file_ids, acting_user)
    _record(row, "notice.drafted", acting_user.actor, kind=row.kind, places=len(covers.covers))
    return row


def _to_change(ref: Ref, staff: StaffActor, version: int | None) -> Notice:
    """A notice that she may change as it stands: her own draft, or whatever she might publish.

    Raises NotFound, Forbidden, StaleVersion, NotOut (withdrawn).
    """
    row = queries.notice_for(staff, ref, Permission.NOTICE_EDIT, lock=True)
    is_own_draft = row.status == NoticeStatus.DRAFT and row.created_by == staff.id
    if not is_own_draft and not _may_publish(row, staff):
        raise Forbidden
    if version is not None and version != row.version:
        raise StaleVersion
    if row.status == NoticeStatus.WITHDRAWN:
        raise NotOut
    return row


def _may_publish(row: Notice, staff: StaffActor) -> bool:
    return reaching.reach(staff, Permission.NOTICE_PUBLISH).holds(queries.covers_of(row))


def change(ref: Ref, *, changes: Mapping[str, Any], version: int | None, acting_user: StaffActor) -> Notice:
    """Change a draft or a scheduled notice, or correct a published one.

    `changes`: kind, title, text, areas, study_minutes, publish_at, file_ids (to add), drop_file_ids, reason. Of a
    published one title and text change and files are added, with the reason; the version before stays in its history,
    and who had read it is told. A scheduled one without its time is a draft again.

    Raises NotFound, Forbidden, StaleVersion, NoticeIsOut, ReasonMissing, NotOut, and what `add_draft` raises.
    """
    row = _to_change(ref, acting_user, version)
    _ensure_plain(changes)
    if row.status == NoticeStatus.PUBLISHED:
        return _correct(row, changes, acting_user)
    _ensure_ahead(changes)
    if "areas" in changes:
        chosen, covers = _choose(changes["areas"], acting_user)
        row.areas = reaching.write(chosen)
    else:
        covers = queries.covers_of(row)
    for field in ("title", "text", "study_minutes", "publish_at"):
        if field in changes:
            setattr(row, field, changes[field])
    if "kind" in changes:
        row.kind = Topic(changes["kind"]).value
        if row.kind != Topic.STUDY and "study_minutes" not in changes:
            row.study_minutes = None
    _ensure_study(row.kind, row.study_minutes)
    if row.status == NoticeStatus.SCHEDULED and row.publish_at is None:
        row.status = NoticeStatus.DRAFT.value
        row.published_by = None
    if {"areas", "kind"} & changes.keys():
        _place(row, covers)
    _drop_files(row, changes.get("drop_file_ids") or ())
    _add_files(row, changes.get("file_ids") or (), acting_user)
    _touch(row)
    _record(row, "notice.changed", acting_user.actor, fields=sorted(changes))
    return row


def _drop_files(row: Notice, file_ids: Collection[UUID]) -> None:
    if not file_ids:
        return
    ref = queries.ref_of(row)
    if not set(file_ids) <= {paper.id for paper in papers.of(PAPERS, ref)}:
        raise UnknownFile(errors={"drop_file_ids": [(UnknownFile.zh, UnknownFile.en)]})
    papers.throw_away(object_kind=PAPERS, ref=ref, only=file_ids)


_CORRECTED = frozenset({"title", "text", "file_ids", "reason"})


def _correct(row: Notice, changes: Mapping[str, Any], staff: StaffActor) -> Notice:
    if changes.keys() - _CORRECTED:
        raise NoticeIsOut
    file_ids = changes.get("file_ids") or ()
    texts = {
        name: changes[name]
        for name in ("title", "text")
        if name in changes and changes[name] != getattr(row, name)
    }
    if not texts and not file_ids:
        return row
    if not changes.get("reason"):
        raise ReasonMissing(errors={"reason": [(ReasonMissing.zh, ReasonMissing.en)]})
    for name, value in texts.items():
        setattr(row, name, value)
    _add_files(row, file_ids, staff)
    row.revision += 1
    _touch(row)
    _keep_revision(row, staff.actor, reason=changes["reason"])
    telling.promise(row, telling.What.CORRECTED)
    _record(row, "notice.corrected", staff.actor, revision=row.revision)
    return row


def _keep_revision(row: Notice, actor: Actor, *, reason: str | None = None) -> None:
    db.session().add(
        NoticeRevision(
            community_id=row.community_id,
            notice_id=row.id,
            number=row.revision,
            title=row.title,
            text=row.text,
            file_ids=[str(paper.id) for paper in papers.of(PAPERS, queries.ref_of(row))],
            reason=reason,
            at=clock.now(),
            staff_id=actor.id,
        )
    )


def drop_draft(ref: Ref, *, version: int | None, acting_user: StaffActor) -> None:
    """Throw a draft away, with its files. Raises NotFound, Forbidden, StaleVersion, NotADraft."""
    row = _to_change(ref, acting_user, version)
    if row.status != NoticeStatus.DRAFT:
        raise NotADraft
    _record(row, "notice.dropped", acting_user.actor)
    papers.throw_away(object_kind=PAPERS, ref=ref)
    _unplace(row)
    db.session().delete(row)


# --- out -------------------------------------------------------------------------------------------------


def publish(ref: Ref, *, version: int | None, acting_user: StaffActor) -> Notice:
    """Publish a draft, as she saw it: now, or at its time where that lies ahead.

    Raises NotFound, Forbidden, StaleVersion, NotADraft, AreaEmpty (nothing lies in its areas any more).
    """
    row = queries.notice_for(acting_user, ref, Permission.NOTICE_PUBLISH, lock=True)
    if version is not None and version != row.version:
        raise StaleVersion
    if row.status != NoticeStatus.DRAFT:
        raise NotADraft
    covers = reaching.covers_of(reaching.choose(reaching.read(row.areas)))
    if not reaching.reach(acting_user, Permission.NOTICE_PUBLISH).holds(covers):
        raise Forbidden
    row.published_by = acting_user.id
    _touch(row)
    if row.publish_at is not None and row.publish_at > clock.now():
        row.status = NoticeStatus.SCHEDULED.value
        _record(row, "notice.scheduled", acting_user.actor, at=clock.rfc3339(row.publish_at))
        return row
    _go_out(row, covers, acting_user.actor)
    return row


def _go_out(row: Notice, covers: Covers, actor: Actor) -> None:
    row.status = NoticeStatus.PUBLISHED.value
    row.published_at = clock.now()
    row.revision = 1
    _place(row, covers)
    _keep_revision(row, actor)
    telling.promise(row, telling.What.PUBLISHED)
    _record(row, "notice.published", actor, kind=row.kind, places=len(covers.covers))


def publish_due(ref: Ref) -> None:
    """Publish a scheduled notice whose time has come, to what its areas are now. Where nothing lies in them any more it
    is a draft again. May run twice.
    """
    row = queries.notice(ref, lock=True)
    if row.status != NoticeStatus.SCHEDULED or row.publish_at is None or row.publish_at > clock.now():
        return
    _touch(row)
    try:
        covers = reaching.covers_of(reaching.choose(reaching.read(row.areas)))
    except (AreaEmpty, NotFound):
        row.status = NoticeStatus.DRAFT.value
        row.published_by = None
        _record(row, "notice.not_published", SYSTEM, reason="area_empty")
        return
    _go_out(row, covers, SYSTEM)


def withdraw(ref: Ref, *, reason: str, version: int | None, acting_user: StaffActor) -> Notice:
    """Take back what is scheduled, which is a draft again, or what is published: residents read why, and nothing else
    of it; who had read it is told. Raises NotFound, Forbidden, StaleVersion, NotOut.
    """
    row = queries.notice_for(acting_user, ref, Permission.NOTICE_PUBLISH, lock=True)
    if version is not None and version != row.version:
        raise StaleVersion
    if row.status == NoticeStatus.SCHEDULED:
        row.status = NoticeStatus.DRAFT.value
        row.published_by = None
        _touch(row)
        _record(row, "notice.unscheduled", acting_user.actor)
        return row
    if row.status != NoticeStatus.PUBLISHED:
        raise NotOut
    row.status = NoticeStatus.WITHDRAWN.value
    row.withdrawn_at = clock.now()
    row.withdrawn_by = acting_user.id
    row.withdrawal = reason
    _touch(row)
    db.session().execute(
        update(NoticePlace)
        .where(
            NoticePlace.community_id.in_(row.homes),
            NoticePlace.notice_community_id == row.community_id,
            NoticePlace.notice_id == row.id,
        )
        .values(listed_at=None)
        .execution_options(synchronize_session=False)
    )
    telling.promise(row, telling.What.WITHDRAWN)
    _record(row, "notice.withdrawn", acting_user.actor)
    return row
