"""Setting, changing, ending and looking at focus groups. Who looks says why, and leaves a row for each person seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, exists, select

from app import audit, clock, db, ids
from app.audit import Actor
from app.errors import NotFound, StaleVersion
from app.focus import kinds, queries
from app.focus.errors import (
    BadFocusDay,
    ConsentMissing,
    ConsentNotNeeded,
    NotADweller,
    NotListed,
    OwnerNotHere,
    PurposeMissing,
    TaggedAlready,
    UnknownKind,
)
from app.focus.models import Basis, ConsentBy, EndReason, FocusPerson, FocusTag, Purpose
from app.focus.queries import Area, PersonView, Where
from app.focus.reach import Reach, focus_reach
from app.ids import Ref
from app.patrol import hiding
from app.people.errors import PermissionMissing
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import heads, identity, registry
from app.places import queries as places
from app.places import registry_queries as reading
from app.places.identity import Party
from app.places.registry_models import House, Owner, OwnerKind

# A withdrawn consent leaves nothing behind, nor does a mistake (个人信息保护法 47); other ends are kept for a time.
_ERASED = frozenset({EndReason.CONSENT_WITHDRAWN, EndReason.MISTAKEN})
_MONTH = timedelta(days=30)


class Consent(NamedTuple):
    """The proof of a separate consent: the number of the signed paper, its day, and who signed."""

    paper: str
    given_on: date
    by: ConsentBy


def _live(kind: str | None = None) -> set[str]:
    """The codes of today's groups, or just this one. Raises UnknownKind."""
    known = set(kinds.groups(on=places.today()))
    if kind is None:
        return known
    if kind not in known:
        raise UnknownKind(errors={"kind": [(UnknownKind.zh, UnknownKind.en)]})
    return {kind}


def _record(actor: Actor, action: str, ref: Ref, **details: Any) -> None:
    audit.record(
        actor,
        action,
        community_id=ref.community_id,
        object_kind="focus_person",
        object_id=ref.id,
        **details,
    )


def _bad_day(field: str) -> BadFocusDay:
    return BadFocusDay(errors={field: [(BadFocusDay.zh, BadFocusDay.en)]})


# --- looking ---------------------------------------------------------------------------------------------


def look(
    *,
    kind: str | None,
    area: Area | None,
    purpose: Purpose,
    limit: int,
    after: Ref | None,
    acting_user: StaffActor,
) -> list[PersonView]:
    """Who of the member of staff's area is in a group (or any), at most `limit` + 1; audited: the question, and each
    person shown. The one more, which only says that there is a next page, isn't shown.

    Raises UnknownKind, NotFound.
    """
    reach = queries.within(focus_reach(acting_user, Permission.FOCUS_READ), area)
    found = queries.persons(reach, kinds=_live(kind), on=places.today(), limit=limit + 1, after=after)
    shown = found[:limit]
    # Also who finds nobody has learnt something.
    for community_id in reach.communities:
        audit.record(
            acting_user.actor,
            "focus.listed",
            community_id=community_id,
            object_kind="focus_list",
            object_id=None,
            purpose=purpose.value,
            kind=kind,
            shown=sum(1 for view in shown if view.person.community_id == community_id),
        )
    for view in shown:
        _seen(view, purpose, acting_user)
    return found


def look_at(ref: Ref, *, purpose: Purpose, acting_user: StaffActor) -> tuple[PersonView, list[FocusTag]]:
    """One person with her groups of today; when she herself asks, also with those she was in. Audited.

    Raises NotFound, also when there is nothing of that.
    """
    person = queries.person_for(focus_reach(acting_user, Permission.FOCUS_READ), ref)
    (view,) = queries.views([person], kinds=_live(), on=places.today())
    past = queries.past_tags(ref) if purpose is Purpose.OWN_REQUEST else []
    if not view.tags and not past:
        raise NotFound
    _seen(view, purpose, acting_user)
    return view, past


def _seen(view: PersonView, purpose: Purpose, staff: StaffActor) -> None:
    _record(
        staff.actor,
        "focus.seen",
        Ref(view.person.community_id, view.person.id),
        purpose=purpose.value,
        kinds=[tag.kind for tag in view.tags],
    )


@dataclass(frozen=True)
class Counted:
    """How many, by grid or building. None: the number is small and hidden. `place` None: outside every grid, or in no
    building.
    """

    cells: dict[tuple[int, Ref | None], int | None]
    communities: dict[int, int | None]
    is_exact: bool


def count(
    *, kind: str, area: Area | None, by_building: bool, purpose: Purpose | None, acting_user: StaffActor
) -> Counted:
    """How many persons are in a group, by grid or by building.

    Without a purpose: by grid of whole communities, small numbers hidden as on the heat map. Only this one cut is
    published, because two cuts of the same people could be subtracted. With a purpose, for who may read the list:
    exact, also of an area and by building; audited. Raises UnknownKind, PurposeMissing, PermissionMissing, NotFound.
    """
    if purpose is None:
        if by_building or area is not None or not acting_user.may(Permission.FOCUS_COUNT):
            raise PurposeMissing(errors={"purpose": [(PurposeMissing.zh, PurposeMissing.en)]})
        needed = Permission.FOCUS_COUNT
    else:
        needed = Permission.FOCUS_READ
    if not acting_user.may(needed):
        raise PermissionMissing
    reach = queries.within(focus_reach(acting_user, needed), area)
    found = queries.counted(reach, kinds=_live(kind), on=places.today())
    groups = _by_building(found) if by_building else _by_grid(found, reach)
    if purpose is None:
        published = {community: hiding.publish(cells) for community, cells in groups.items()}
        return Counted(
            {(c, place): n for c, shown in published.items() for place, n in shown.cells.items()},
            {c: shown.total for c, shown in published.items()},
            is_exact=False,
        )
    for community_id in reach.communities:
        audit.record(
            acting_user.actor,
            "focus.counted",
            community_id=community_id,
            object_kind="focus_list",
            object_id=None,
            purpose=purpose.value,
            kind=kind,
        )
    return Counted(
        {(c, place): n for c, cells in groups.items() for place, n in cells.items()},
        {c: sum(cells.values()) for c, cells in groups.items()},
        is_exact=True,
    )


def _by_building(found: dict[Where, int]) -> dict[int, dict[Ref | None, int]]:
    groups: dict[int, dict[Ref | None, int]] = {}
    for where, n in found.items():
        home = where.estate.community_id
        place = Ref(home, where.building) if where.building is not None else None
        cells = groups.setdefault(home, {})
        cells[place] = cells.get(place, 0) + n
    return groups


def _by_grid(found: dict[Where, int], reach: Reach) -> dict[int, dict[Ref | None, int]]:
    """Every grid of the reach has its cell, also when there is nobody: a missing cell would be a number."""
    grid_of = queries.grid_of(reach.communities)
    mine = {where.estate for where in found} | reach.estates
    groups: dict[int, dict[Ref | None, int]] = {home: {} for home in reach.communities}
    for where, grid in grid_of.items():
        if where.estate in mine:
            groups[grid.community_id].setdefault(grid, 0)
    for where, n in found.items():
        cell = grid_of.get(where) or grid_of.get(Where(where.estate, None))
        cells = groups[where.estate.community_id]
        cells[cell] = cells.get(cell, 0) + n
    return groups


# --- setting ---------------------------------------------------------------------------------------------


def tag(
    *,
    house: Ref,
    kind: str,
    owner: UUID | None = None,
    dweller: Party | None = None,
    consent: Consent | None = None,
    paper: str | None = None,
    since: date | None = None,
    until: date | None = None,
    review_on: date | None = None,
    acting_user: StaffActor,
) -> PersonView:
    """List somebody who lives in this house, one of its owners or a dweller, in a group from a day on (today).

    `consent`: for a group that rests on it, and for no other. `paper`: number of a certificate, for a group by
    statute. `review_on`: the group's months from today, unless said. A dweller whose ID number, or name and phone, are
    an owner's of the house is that owner. Raises NotFound, UnknownKind, ConsentMissing, ConsentNotNeeded, BadFocusDay,
    OwnerNotHere, TaggedAlready.
    """
    reach = focus_reach(acting_user, Permission.FOCUS_EDIT)
    found = db.session().get(House, house, with_for_update=True, populate_existing=True)
    if found is None or not reach.holds(found):
        raise NotFound
    (code,) = _live(kind)
    group = kinds.groups(on=places.today())[code]
    today = places.today()
    _check_ground(group.kind.basis, consent, today)
    since = since or today
    review_on = review_on or today + group.term.review_months * _MONTH
    for field, wrong in (
        ("since", since > today),
        ("until", until is not None and until < max(since, today)),
        ("review_on", review_on < today),
    ):
        if wrong:
            raise _bad_day(field)
    person = _person(found, owner, dweller)
    ref = Ref(person.community_id, person.id)
    _make_room(ref, code, today, acting_user)
    made = FocusTag(
        community_id=ref.community_id,
        id=ids.new_id(),
        person_id=ref.id,
        kind=code,
        basis=group.kind.basis,
        paper=consent.paper if consent is not None else paper,
        consented_on=consent.given_on if consent is not None else None,
        consent_by=consent.by if consent is not None else None,
        valid_from=since,
        valid_to=until,
        review_on=review_on,
        set_by=acting_user.id,
        set_at=clock.now(),
    )
    db.session().add(made)
    person.version += 1
    person.updated_at = clock.now()
    db.session().flush()  # what is shown is read from the table
    _record(acting_user.actor, "focus.tagged", ref, kind=code, basis=made.basis, tag_id=str(made.id))
    return _shown(person)


def _check_ground(basis: str, consent: Consent | None, today: date) -> None:
    if basis == Basis.CONSENT:
        if consent is None:
            raise ConsentMissing(errors={"consent": [(ConsentMissing.zh, ConsentMissing.en)]})
        if consent.given_on > today:
            raise _bad_day("consent")
    elif consent is not None:
        raise ConsentNotNeeded(errors={"consent": [(ConsentNotNeeded.zh, ConsentNotNeeded.en)]})


def _make_room(ref: Ref, kind: str, today: date, staff: StaffActor) -> None:
    """Close what is over by its own last day. Raises TaggedAlready for what isn't."""
    before = db.session().scalar(
        select(FocusTag).where(
            FocusTag.community_id == ref.community_id,
            FocusTag.person_id == ref.id,
            FocusTag.kind == kind,
            FocusTag.ended_at.is_(None),
        )
    )
    if before is None:
        return
    if before.valid_to is None or before.valid_to > today:
        raise TaggedAlready
    before.ended_at, before.ended_by, before.end_reason = clock.now(), staff.id, EndReason.EXPIRED
    db.session().flush()  # only one may be open: the next one comes after


def _person(house: House, owner_id: UUID | None, dweller: Party | None) -> FocusPerson:
    """Her row, found or made. The house is locked, so two clerks don't make two."""
    owners = reading.view_of(house).owners
    same = heads.same_owners(house.community_id)
    known = None
    if owner_id is not None:
        known = next((o for o in owners if o.id == same.get(owner_id, owner_id)), None)
        if known is None or known.kind != OwnerKind.PERSON:
            raise OwnerNotHere(errors={"owner_id": [(OwnerNotHere.zh, OwnerNotHere.en)]})
    elif dweller is not None:
        known = next((o for o in owners if _is(o, dweller)), None)
    rows = list(
        db.session().scalars(
            select(FocusPerson)
            .where(FocusPerson.community_id == house.community_id, FocusPerson.house_id == house.id)
            .with_for_update()
        )
    )
    for row in rows:
        if known is not None:
            if row.owner_id is not None and same.get(row.owner_id, row.owner_id) == known.id:
                return row
        elif dweller is not None and _is_dweller(row, dweller):
            return row
    now = clock.now()
    made = FocusPerson(
        community_id=house.community_id,
        id=ids.new_id(),
        house_id=house.id,
        owner_id=known.id if known is not None else None,
        version=0,
        created_at=now,
        updated_at=now,
    )
    if known is None and dweller is not None:
        _write(made, {field: getattr(dweller, field) for field in _HASHES})
    db.session().add(made)
    db.session().flush()  # her tag names it
    return made


def _is(owner: Owner, dweller: Party) -> bool:
    if dweller.id_number is not None and owner.id_hash is not None:
        return owner.id_hash == identity.id_hash(dweller.id_number)
    if dweller.phone is None or owner.name_hash != identity.name_hash(dweller.name):
        return False
    return identity.phone_hash(dweller.phone) in {owner.phone_hash, owner.phone2_hash}


def _is_dweller(row: FocusPerson, dweller: Party) -> bool:
    """The same ID number; else, within one house, the same name, unless their ID numbers or phones differ."""
    if row.owner_id is not None:
        return False
    id_hash = identity.id_hash(dweller.id_number) if dweller.id_number else None
    if id_hash is not None and row.id_hash is not None:
        return id_hash == row.id_hash
    phone_hash = identity.phone_hash(dweller.phone) if dweller.phone else None
    phones_differ = None not in {phone_hash, row.phone_hash} and phone_hash != row.phone_hash
    return row.name_hash == identity.name_hash(dweller.name) and not phones_differ


_HASHES: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "name": ("name", identity.name_hash),
    "phone": ("phone", identity.phone_hash),
    "id_number": ("id", identity.id_hash),
}


def _write(person: FocusPerson, facts: dict[str, str | None]) -> None:
    for field, value in facts.items():
        column, hashed = _HASHES[field]
        setattr(person, f"{column}_sealed", queries.seal(value, field, person.id) if value else None)
        setattr(person, f"{column}_hash", hashed(value) if value else None)


def _shown(person: FocusPerson) -> PersonView:
    (view,) = queries.views([person], kinds=_live(), on=places.today())
    return view


def change(
    ref: Ref,
    *,
    version: int | None,
    changes: dict[str, Any],
    acting_user: StaffActor,
) -> PersonView:
    """Correct a dweller's name, phone or ID number; or, of the group named in `kind`, its last day (`until`) or the day
    of its next review (`review_on`).

    Raises NotFound, StaleVersion, NotADweller, NotListed, BadFocusDay, BadCell.
    """
    person = _hers(ref, version, acting_user)
    facts = {field: changes[field] for field in _HASHES if field in changes}
    if facts:
        if person.owner_id is not None:
            raise NotADweller
        _correct(person, facts)
    if "kind" in changes:
        _redate(ref, changes)
    person.version += 1
    person.updated_at = clock.now()
    db.session().flush()  # what is shown is read from the table
    _record(acting_user.actor, "focus.changed", ref, fields=sorted(changes), kind=changes.get("kind"))
    return _shown(person)


def _hers(ref: Ref, version: int | None, staff: StaffActor) -> FocusPerson:
    person = queries.person_for(focus_reach(staff, Permission.FOCUS_EDIT), ref, lock=True)
    if version is not None and person.version != version:
        raise StaleVersion
    return person


def _correct(person: FocusPerson, facts: dict[str, str | None]) -> None:
    (view,) = queries.views([person], kinds=(), on=places.today())
    known = {"name": view.name, "phone": view.phone, "id_number": view.id_number} | facts
    read = registry.party(name=known["name"] or "", phone=known["phone"], id_number=known["id_number"])
    _write(person, {field: getattr(read, field) for field in facts})


def _redate(ref: Ref, changes: dict[str, Any]) -> None:
    today = places.today()
    tag_row = _listed(ref, {changes["kind"]})[0]
    until, review_on = changes.get("until", tag_row.valid_to), changes.get("review_on", tag_row.review_on)
    if "until" in changes and until is not None and until < max(tag_row.valid_from, today):
        raise _bad_day("until")
    if "review_on" in changes and review_on < today:
        raise _bad_day("review_on")
    tag_row.valid_to, tag_row.review_on = until, review_on


def _listed(ref: Ref, codes: Collection[str]) -> list[FocusTag]:
    found = queries.open_tags(ref, kinds=codes, on=places.today())
    if not found:
        raise NotListed
    return found


class Ended(NamedTuple):
    """What is left of somebody's groups."""

    kinds_left: list[str]
    is_erased: bool  # nothing is kept of her any more


def end(ref: Ref, *, kind: str | None, reason: EndReason, acting_user: StaffActor) -> Ended:
    """She is no longer in the group (or in none), from today on.

    What rested on a withdrawn consent or was a mistake is erased at once, and she with it when nothing else is kept of
    her. A withdrawn consent ends only what rests on consent. Raises NotFound, NotListed.
    """
    person = _hers(ref, None, acting_user)
    today = places.today()
    over = _listed(ref, {kind} if kind is not None else _live())
    if reason is EndReason.CONSENT_WITHDRAWN:
        over = [row for row in over if row.basis == Basis.CONSENT]
        if not over:
            raise NotListed
    for row in over:
        _record(acting_user.actor, "focus.ended", ref, kind=row.kind, reason=reason.value, tag_id=str(row.id))
    if reason in _ERASED:
        _erase(ref, [row.id for row in over])
    else:
        for row in over:
            row.valid_to = today
            row.end_reason, row.ended_by, row.ended_at = reason, acting_user.id, clock.now()
    person.version += 1
    person.updated_at = clock.now()
    db.session().flush()  # what is left is read from the table
    left = [row.kind for row in queries.open_tags(ref, kinds=_live(), on=today)]
    return Ended(left, is_erased=reason in _ERASED and _forget(person))


def _erase(ref: Ref, tag_ids: Iterable[UUID]) -> None:
    db.session().execute(
        delete(FocusTag)
        .where(FocusTag.community_id == ref.community_id, FocusTag.id.in_(list(tag_ids)))
        .execution_options(synchronize_session="fetch")
    )


def _forget(person: FocusPerson) -> bool:
    """Remove her row when no group, past or present, names it."""
    named = db.session().scalar(
        select(exists().where(FocusTag.community_id == person.community_id, FocusTag.person_id == person.id))
    )
    if named:
        return False
    db.session().delete(person)
    return True
