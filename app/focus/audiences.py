"""People of a focus group as an audience of campaigns, for who may read the group's list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app import audit, clock, db
from app.errors import NotFound
from app.focus import kinds, queries
from app.focus.errors import UnknownKind
from app.focus.models import FocusPerson, FocusTag
from app.focus.reach import focus_reach
from app.memberships.audiences import NUMBERS, Places, numbers_of
from app.messaging.audience import Informal, Number, Page, Recipient, Spec
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.models import Estate
from app.places.registry_models import House, Owner


class FocusGroup(Informal):
    """Those who are listed in one of the groups (named by their codes) where the member of staff reads the lists."""

    def resolve(self, staff: StaffActor, ids_: Sequence[str]) -> Spec:
        """See `Audience.resolve`; audited in each community. Raises UnknownKind."""
        wanted = sorted(set(ids_))
        if not set(wanted) <= set(kinds.groups(on=places.today())):
            raise UnknownKind(errors={"audience.ids": [(UnknownKind.zh, UnknownKind.en)]})
        covers = focus_reach(staff, Permission.FOCUS_READ).covers
        if not covers:
            raise NotFound
        for community_id in sorted({cover.estate.community_id for cover in covers}):
            audit.record(
                staff.actor,
                "focus.messaged",
                community_id=community_id,
                object_kind="focus_list",
                object_id=None,
                kinds=wanted,
            )
        whole = sorted({c.estate for c in covers if c.building is None})
        parts = sorted({c.building for c in covers if c.building is not None and c.estate not in set(whole)})
        return {
            "kinds": wanted,
            "estates": [[ref.community_id, str(ref.id)] for ref in whole],
            "buildings": [[ref.community_id, str(ref.id)] for ref in parts],
        }

    def communities(self, spec: Spec) -> list[int]:
        """See `Audience.communities`."""
        return sorted({home for name in ("estates", "buildings") for home, _ in spec[name]})

    def page(self, spec: Spec, community_id: int, *, after: str | None, limit: int, at: datetime) -> Page:
        """See `Audience.page`: by person."""
        mine = {
            name: [UUID(thing) for home, thing in spec[name] if home == community_id]
            for name in ("estates", "buildings")
        }
        where = Places(community_id, mine["estates"], mine["buildings"])
        listed = (
            select(FocusTag.person_id)
            .where(
                FocusTag.community_id == community_id,
                queries.holds_on(clock.in_shanghai(at).date(), spec["kinds"]),
            )
            .distinct()
        )
        query = (
            select(FocusPerson, *NUMBERS, Estate.name)
            .join(House, (House.community_id == community_id) & (House.id == FocusPerson.house_id))
            .join(Estate, (Estate.community_id == community_id) & (Estate.id == House.estate_id))
            .outerjoin(Owner, (Owner.community_id == community_id) & (Owner.id == FocusPerson.owner_id))
            .where(FocusPerson.community_id == community_id, where.houses, FocusPerson.id.in_(listed))
            .order_by(FocusPerson.id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(FocusPerson.id > UUID(after))
        rows = db.session().execute(query).all()
        people = [
            Recipient(_own(person) or numbers_of(of_owner), {"estate": estate})
            for person, *of_owner, estate in rows
        ]
        return Page(people, str(rows[-1][0].id) if len(rows) == limit else None)


def _own(person: FocusPerson) -> tuple[Number, ...]:
    if person.phone_sealed is None or person.phone_hash is None:
        return ()
    return (Number(person.phone_hash, person.phone_sealed, f"focus_phone:{person.id}"),)
