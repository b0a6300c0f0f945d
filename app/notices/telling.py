"""Telling residents of a notice: the members of the houses when it comes out, its readers when it changed or went.

A page of people at a time, one community after another; each is told once.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from sqlalchemy import and_, or_, select

from app import db, ids, outbox, queue
from app.ids import Kind, Ref
from app.memberships.models import Membership, MembershipStatus
from app.messaging import service as messaging
from app.messaging.models import NoticeKind
from app.notices import queries
from app.notices.models import TOPIC_NAMES, Notice, NoticeRead, NoticeStatus, Topic
from app.places import queries as places
from app.places.registry_models import House

TELL = "tell_of_notice"  # outbox kind
PAGE = 200  # residents of one transaction
TARGET = "notice"  # what a message about one leads to


class What(StrEnum):
    """What there is to tell."""

    PUBLISHED = "published"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"


_KINDS = {
    What.PUBLISHED: NoticeKind.NOTICE_PUBLISHED,
    What.CORRECTED: NoticeKind.NOTICE_CORRECTED,
    What.WITHDRAWN: NoticeKind.NOTICE_WITHDRAWN,
}


def promise(row: Notice, what: What) -> None:
    """Tell everybody whom it concerns, once."""
    for home in row.homes:
        _promise_page(row, what, row.revision, home=int(home), after=None)


def _promise_page(row: Notice, what: What, revision: int, *, home: int, after: UUID | None) -> None:
    outbox.put(
        community_id=row.community_id,
        kind=TELL,
        payload={
            "notice_id": str(row.id),
            "what": what.value,
            "revision": revision,
            "home": home,
            "after": str(after) if after is not None else None,
        },
        idem=f"notice:{row.id}:{what.value}:{revision}:{home}:{after or ''}",
        on=queue.Queue.CRITICAL if row.kind == Topic.EMERGENCY else queue.Queue.DEFAULT,
    )


def tell_page(ref: Ref, what: What, *, revision: int, home: int, after: UUID | None) -> None:
    """Tell one page of residents, and promise the next. May run twice: who was told isn't told again. What was
    corrected again, or withdrawn since, isn't told any more.
    """
    row = queries.notice(ref)
    is_withdrawn = row.status == NoticeStatus.WITHDRAWN
    if is_withdrawn != (what is What.WITHDRAWN) or (what is What.CORRECTED and row.revision != revision):
        return
    found, last = _members(row, home, after) if what is What.PUBLISHED else _readers(row, home, after)
    target = (TARGET, ids.encode(Kind.NOTICE, ref))
    messaging.notify_all(
        resident_ids=list(dict.fromkeys(found)),
        kind=_KINDS[what],
        community_id=home,
        idem=f"notice:{row.id}:{what.value}:{revision}",
        params={
            "title": row.title,
            "topic": TOPIC_NAMES[Topic(row.kind)],
            "todo": "请学习并点“完成学习”。" if row.kind == Topic.STUDY else "",
            "reason": row.withdrawal or _last_reason(ref) if what is not What.PUBLISHED else "",
        },
        target=target,
    )
    if last is not None:
        _promise_page(row, what, revision, home=home, after=last)


def _last_reason(ref: Ref) -> str:
    return queries.revisions_of(ref)[-1].reason or ""


def _members(row: Notice, home: int, after: UUID | None) -> tuple[list[UUID], UUID | None]:
    """Verified members of the houses in its places in a community."""
    query = (
        select(Membership.id, Membership.resident_id)
        .join(House, and_(House.community_id == Membership.community_id, House.id == Membership.house_id))
        .where(
            Membership.community_id == home,
            Membership.status == MembershipStatus.VERIFIED,
            Membership.resident_id.is_not(None),
            or_(Membership.valid_to.is_(None), Membership.valid_to > places.today()),
            queries.covers_of(row).houses,
        )
        .order_by(Membership.id)
        .limit(PAGE)
    )
    if after is not None:
        query = query.where(Membership.id > after)
    rows = db.session().execute(query).all()
    return [r for _, r in rows if r is not None], rows[-1][0] if len(rows) == PAGE else None


def _readers(row: Notice, home: int, after: UUID | None) -> tuple[list[UUID], UUID | None]:
    query = (
        select(NoticeRead.resident_id)
        .where(
            NoticeRead.community_id == home,
            NoticeRead.notice_id == row.id,
            NoticeRead.notice_community_id == row.community_id,
        )
        .order_by(NoticeRead.resident_id)
        .limit(PAGE)
    )
    if after is not None:
        query = query.where(NoticeRead.resident_id > after)
    found = list(db.session().scalars(query))
    return found, found[-1] if len(found) == PAGE else None
