"""Editing the classes of problems: a change begins on a day, and what held before stays.

Every write locks the whole tree (some forty rows), so that two changes can't together make what each alone
would be refused. The locks don't hinder reports, which only point to classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from app import audit, db, ids
from app.audit import Actor
from app.errors import NotFound, StaleVersion
from app.places import queries as places
from app.tickets import queries
from app.tickets.classes import CODE, DEFAULTS, FIELDS, Span, check_facts, check_tree, facts_of
from app.tickets.errors import BadClass, ClassExists, DatesGap, DatesOverlap, HasSubclasses, PastDate
from app.tickets.models import Category, CategoryTerm

OBJECT_KIND = "category"  # in audit


class Change(NamedTuple):
    """What loading a file did to a class: `added`, `changed` (and which fields)."""

    code: str
    what: str
    fields: tuple[str, ...] = ()


def add_class(
    code: str,
    *,
    facts: Mapping[str, Any],
    acting_user: Actor,
    since: date | None = None,
    until: date | None = None,
    national_code: str | None = None,
    national_source: str | None = None,
) -> Category:
    """A new class from a day on (today when not given), up to `until` (exclusive) when it is known.

    Raises ClassExists, BadClass, PastDate, UnknownParent, DatesOverlap.
    """
    return _add(
        code,
        facts=facts,
        acting_user=acting_user,
        since=_not_past(since),
        until=until,
        national_code=national_code,
        national_source=national_source,
    )


def _add(
    code: str,
    *,
    facts: Mapping[str, Any],
    acting_user: Actor,
    since: date,
    until: date | None = None,
    national_code: str | None = None,
    national_source: str | None = None,
) -> Category:
    _lock_tree()
    wrong = {}
    if not CODE.match(code):
        wrong["code"] = [
            ("编码须为 2 到 32 个小写字母、数字或下划线。", "A code is 2 to 32 small letters, digits or _.")
        ]
    if national_code is not None and not national_source:
        wrong["national_source"] = [("国标编码须注明出处。", "A national code needs its source.")]
    if wrong:
        raise BadClass(errors=wrong)
    if until is not None and until <= since:
        raise DatesOverlap(errors={"valid_to": [(DatesOverlap.zh, DatesOverlap.en)]})
    if db.session().get(Category, code) is not None:
        raise ClassExists(errors={"code": [(ClassExists.zh, ClassExists.en)]})
    last = max((term.sort for term in _all_terms()), default=0)
    whole = {**DEFAULTS, "sort": last + 1, **facts}
    check_facts(whole)
    _known_parent(code, whole["parent_code"])
    found = Category(code=code, national_code=national_code, national_source=national_source, version=1)
    db.session().add(found)
    db.session().flush()  # the term's foreign key needs the class
    db.session().add(CategoryTerm(code=code, valid_from=since, valid_to=until, **whole))
    _check_whole()
    _record(acting_user, "category.added", code, since=since.isoformat(), after=_plain(whole))
    return found


def change_class(
    code: str,
    *,
    changes: Mapping[str, Any],
    version: int | None,
    acting_user: Actor,
    since: date | None = None,
    until: date | None = None,
) -> Category:
    """From a day on (today when not given) the class says something else; what it said before stays on record.

    It holds until the next change that is already planned. `until`, when given, must be that day (else DatesGap,
    DatesOverlap), or it ends the class. A class that was ended goes on only from the very day of its end.
    Raises NotFound, StaleVersion, PastDate, BadClass, UnknownParent, ClassCycle.
    """
    since = _not_past(since)
    found = _locked(code, version)
    terms = queries.class_history(code)
    following = next((term for term in terms if term.valid_from > since), None)
    covering = next((term for term in terms if _span(term).holds_on(since)), None)
    base = covering or next((term for term in terms if term.valid_to == since), None)
    if base is None:
        raise DatesGap(errors={"valid_from": [(DatesGap.zh, DatesGap.en)]})
    end = _end(since, until, covering, following)
    facts = facts_of(base) | dict(changes)
    changed = {name for name in FIELDS if facts[name] != getattr(base, name)}
    if covering is not None and not changed and end == covering.valid_to:
        return found
    check_facts(facts)
    _known_parent(code, facts["parent_code"])
    before = {name: getattr(base, name) for name in changed}
    if covering is not None and covering.valid_from == since:
        for name in changed:
            setattr(covering, name, facts[name])
        covering.valid_to = end
    else:
        if covering is not None:
            covering.valid_to = since
            db.session().flush()  # or the new term would be the second one without an end
        db.session().add(CategoryTerm(code=code, valid_from=since, valid_to=end, **facts))
    found.version += 1
    _check_whole()
    _record(
        acting_user,
        "category.changed",
        code,
        since=since.isoformat(),
        until=end.isoformat() if end else None,
        before=_plain(before),
        after=_plain({name: facts[name] for name in changed}),
    )
    return found


def _end(
    since: date, until: date | None, covering: CategoryTerm | None, following: CategoryTerm | None
) -> date | None:
    """When the new term ends: with the next one, with the class, or on the day asked for."""
    planned = following.valid_from if following is not None else None
    if until is None:
        return covering.valid_to if covering is not None else planned
    if until <= since or (planned is not None and until > planned):
        raise DatesOverlap(errors={"valid_to": [(DatesOverlap.zh, DatesOverlap.en)]})
    if planned is not None and until < planned:
        raise DatesGap(errors={"valid_to": [(DatesGap.zh, DatesGap.en)]})
    return until


def end_class(code: str, *, version: int | None, acting_user: Actor, on: date | None = None) -> Category:
    """From that day on (today when not given) nobody can choose the class; tickets that carry it stay readable.

    Changes that were planned after it are dropped. Raises NotFound, StaleVersion, PastDate, HasSubclasses;
    DatesOverlap for a day on which the class hadn't begun yet or began.
    """
    on = _not_past(on)
    found = _locked(code, version)
    terms = queries.class_history(code)
    if terms[0].valid_from >= on:
        raise DatesOverlap(errors={"valid_from": [(DatesOverlap.zh, DatesOverlap.en)]})
    last = terms[-1]
    if last.valid_to is not None and last.valid_to <= on:
        return found
    below = {
        term.code
        for term in _all_terms()
        if term.parent_code == code and (term.valid_to is None or term.valid_to > on)
    }
    if below:
        raise HasSubclasses(extra={"subclasses": sorted(below)})
    for term in terms:
        if term.valid_from >= on:
            db.session().delete(term)
        elif term.valid_to is None or term.valid_to > on:
            term.valid_to = on
    found.version += 1
    _check_whole()
    _record(acting_user, "category.ended", code, since=on.isoformat())
    return found


def load(rows: Sequence[Mapping[str, Any]], *, since: date, acting_user: Actor) -> list[Change]:
    """Make the classes say what the rows of a file say, from that day on; what changed, in the file's order.

    Run again it finds nothing to change. Classes that the file doesn't name stay as they are: an office may have
    added its own. Rows as in `data/classes.json`: code, parent, name, hint, … Raises as `add_class` and
    `change_class`; then nothing is changed at all.
    """
    since = _not_past(since)
    known = queries.class_numbers()
    changes = []
    for place, row in enumerate(rows):
        facts = facts_of_row(row, place)
        code = row["code"]
        if code not in known:
            _add(
                code,
                facts=facts,
                acting_user=acting_user,
                since=since,
                national_code=row.get("national_code"),
                national_source=row.get("national_source"),
            )
            changes.append(Change(code, "added"))
            continue
        held = queries.class_of(code, on=since)
        if held is None or (held.valid_to is not None and held.valid_to <= since):
            fields: tuple[str, ...] = ("valid_from",)
        else:
            fields = tuple(name for name in FIELDS if facts[name] != getattr(held, name))
        if fields:
            change_class(
                code, changes=facts, version=known[code].version, acting_user=acting_user, since=since
            )
            changes.append(Change(code, "changed", fields))
    return changes


def facts_of_row(row: Mapping[str, Any], place: int) -> dict[str, Any]:
    """What a row of a file says, by field, with the defaults of what it leaves out. Raises BadClass."""
    outside = {"code", "parent", "limit", "national_code", "national_source"}
    unknown = set(row) - outside - set(FIELDS)
    if unknown or "code" not in row or "name" not in row:
        missing = {"code", "name"} - set(row)
        raise BadClass(
            errors={name: [("不认识或缺少。", "Unknown or missing.")] for name in unknown | missing}
        )
    limit = row.get("limit") or {}
    return {
        **DEFAULTS,
        **{name: row[name] for name in FIELDS if name in row},
        "parent_code": row.get("parent"),
        "limit_amount": limit.get("amount"),
        "limit_unit": limit.get("unit"),
        "sort": place,
    }


# --- what all writes share -------------------------------------------------------------------------------


def _not_past(day: date | None) -> date:
    today = places.today()
    if day is not None and day < today:
        raise PastDate(errors={"valid_from": [(PastDate.zh, PastDate.en)]})
    return day or today


def _lock_tree() -> None:
    # NO KEY UPDATE: reports, whose foreign key locks a class's key, go on.
    db.session().execute(select(Category.code).order_by(Category.code).with_for_update(key_share=True))


def _locked(code: str, version: int | None) -> Category:
    _lock_tree()
    found = db.session().get(Category, code, populate_existing=True)
    if found is None:
        raise NotFound
    if version is not None and found.version != version:
        raise StaleVersion
    return found


def _all_terms() -> Iterable[CategoryTerm]:
    return db.session().scalars(select(CategoryTerm))


def _span(term: CategoryTerm) -> Span:
    return Span(term.code, term.parent_code, term.valid_from, term.valid_to)


def _known_parent(code: str, parent: str | None) -> None:
    """Ask before the database's own constraints do, whose refusal no reader would understand."""
    if parent is not None and (parent == code or db.session().get(Category, parent) is None):
        check_tree([Span(code, parent, date.min, None)])


def _check_whole() -> None:
    db.session().flush()  # the whole tree is read back with what has just been written
    check_tree(_span(term) for term in _all_terms())


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in sorted(facts)}


def _record(actor: Actor, action: str, code: str, **details: Any) -> None:
    # A class belongs to no community: the row lies in the lane of whoever changed it.
    lane = ids.lane_of(actor.id if actor.id is not None else UUID(int=0))
    audit.record(
        actor, action, community_id=lane, object_kind=OBJECT_KIND, object_id=None, code=code, **details
    )
