"""Nobody stands at two posts of a community at the same time, whichever units the posts belong to."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from app import clock, db
from app.duty import queries
from app.duty.errors import StandsElsewhere
from app.duty.models import DayChange, Post, Turn
from app.ids import Ref
from app.people import queries as people
from app.people.models import Staff

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


class _Roster(NamedTuple):
    """What is written for a post, from yesterday on: its last night may run into today."""

    post: Post
    turns: Sequence[Turn]
    changes: Sequence[DayChange]

    def people(self) -> set[UUID]:
        """Who stands there at all."""
        comes = {change.comes_id for change in self.changes if change.comes_id is not None}
        return comes | {turn.staff_id for turn in self.turns}

    def around(self, day: date, staff: Iterable[UUID]) -> list[tuple[UUID, date, datetime, datetime]]:
        """Whose turn begins on that day or one beside it: (who, the day, from, until)."""
        wanted = set(staff)
        return [
            (who, near, *span.on(near))
            for near in (day - _DAY, day, day + _DAY)
            for who, span in queries.spans_on(near, self.turns, self.changes)
            if who in wanted
        ]


def refuse_overlaps(post: Post, *, today: date) -> None:
    """Raises StandsElsewhere, with the other post's name, when somebody at this post has a turn at another one that
    overlaps, today or later. What is written for the post has been flushed.
    """
    if post.retired_at is not None:
        return
    yesterday = today - _DAY
    here = _rosters([post], yesterday)[0]
    everybody = here.people()
    # Two posts written at the same moment wait for each other over whom they share.
    db.session().execute(
        select(Staff.id).where(Staff.id.in_(everybody)).order_by(Staff.id).with_for_update(key_share=True)
    )
    others = db.session().scalars(
        select(Post)
        .where(Post.community_id == post.community_id, Post.id != post.id, Post.retired_at.is_(None))
        .order_by(Post.id)
    )
    for there in _rosters(others.all(), yesterday):
        shared = everybody & there.people()
        if shared:
            _compare(here, there, shared, today)


def _rosters(posts: Sequence[Post], since: date) -> list[_Roster]:
    turns, changes = queries.turns_of(posts, since=since), queries.changes_of(posts, since=since)
    refs = [Ref(post.community_id, post.id) for post in posts]
    return [
        _Roster(post, turns.get(ref, []), changes.get(ref, [])) for post, ref in zip(posts, refs, strict=True)
    ]


def _compare(here: _Roster, there: _Roster, shared: set[UUID], today: date) -> None:
    for day in _days_that_tell(here, there, today):
        mine, others = here.around(day, shared), there.around(day, shared)
        for (who, one, since, until), (other, two, begins, ends) in itertools.product(mine, others):
            if who == other and max(one, two) >= today and since < ends and begins < until:
                raise StandsElsewhere(
                    name=people.staff_names([who]).get(who, "—"),
                    post=there.post.name,
                    at=clock.in_shanghai(max(since, begins)).strftime("%Y-%m-%d %H:%M"),
                )


def _days_that_tell(here: _Roster, there: _Roster, today: date) -> list[date]:
    """Days of which one shows an overlap if there is any: weeks repeat from where a turn begins to hold, but for
    single days that differ, and those a week after.
    """
    days = set()
    for roster in (here, there):
        for first in {max(today, turn.valid_from) for turn in roster.turns}:
            days |= {first + n * _DAY for n in range(8)}
        for change in roster.changes:
            days |= {change.day, change.day + _WEEK}
    return sorted(days)
