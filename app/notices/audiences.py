"""The owners of the houses in which nobody has read a notice, as the audience of a campaign (一键通)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from app import ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.memberships.audiences import NUMBERS, numbers_of
from app.messaging import audience
from app.messaging.audience import Page, Recipient, Spec
from app.notices import coverage, queries
from app.notices import reach as reaching
from app.notices.reach import Covers
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.queries import Cover

HOUSES = 500  # of a page


class NoticeUnread(audience.Informal):
    """Who hasn't read a notice, where the member of staff may write to owners; `each_page`: by the moment at which its
    page is taken.
    """

    def resolve(self, staff: StaffActor, ids_: Sequence[str]) -> Spec:
        """See `Audience.resolve`: one published notice, in those of its places that one governs. Raises NotOut."""
        found = audience.refs(Kind.NOTICE, ids_)
        if len(found) != 1:
            raise NotFound
        (ref,) = found
        row = queries.out_for(staff, ref, Permission.NOTICE_READERS)
        told = queries.covers_of(row)
        for permission in (Permission.NOTICE_READERS, Permission.CAMPAIGN_EDIT):
            told = told.within(reaching.reach(staff, permission))
        if not told:
            raise NotFound
        return {"notice": [ref.community_id, str(ref.id)], "covers": _written(told)}

    def communities(self, spec: Spec) -> list[int]:
        """See `Audience.communities`."""
        return sorted({home for home, _, _ in spec["covers"]})

    def page(self, spec: Spec, community_id: int, *, after: str | None, limit: int, at: datetime) -> Page:
        """See `Audience.page`: by house. Nobody is asked to read what was withdrawn."""
        row = queries.notice(_ref(spec))
        if row.status not in queries.READABLE:
            return Page([], None)
        limit = min(limit, HOUSES)
        found = coverage.unread_houses(
            row,
            _read(spec, community_id),
            limit=limit,
            after=(community_id, UUID(after)) if after is not None else None,
            by=at,
        )
        estates = places.estates(Ref(community_id, one.view.house.estate_id) for one in found)
        people = [
            Recipient(
                numbers_of([getattr(owner, column.key) for column in NUMBERS]),
                {
                    "estate": estates[Ref(community_id, one.view.house.estate_id)].name,
                    "room": f"{one.view.building}{one.view.unit}{one.view.house.number}",
                },
            )
            for one in found
            for owner in one.view.owners
        ]
        return Page(people, str(found[-1].view.house.id) if len(found) == limit else None)

    def target(self, spec: Spec) -> tuple[str, str] | None:
        """See `Audience.target`."""
        return "notice", ids.encode(Kind.NOTICE, _ref(spec))


def _ref(spec: Spec) -> Ref:
    community_id, notice_id = spec["notice"]
    return Ref(community_id, UUID(notice_id))


def _written(told: Covers) -> list[list[int | str | None]]:
    return [
        [c.estate.community_id, str(c.estate.id), str(c.building.id) if c.building is not None else None]
        for c in sorted(told.covers, key=str)
    ]


def _read(spec: Spec, community_id: int) -> Covers:
    return Covers(
        frozenset(
            Cover(Ref(home, UUID(estate)), Ref(home, UUID(building)) if building is not None else None)
            for home, estate, building in spec["covers"]
            if home == community_id
        )
    )
