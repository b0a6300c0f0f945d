"""Everything about a resident, wherever it lies: the copy that she may have, and what is left when she goes.

A domain that keeps something of residents adds its `Section`; `app.dossiers` lists them all. Who copies or closes asks
the list and knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from app import audit, clock, db, ids
from app.audit import Actor, ActorKind
from app.people import queries
from app.people.errors import BadToken

Item = dict[str, Any]


class Section(NamedTuple):
    """What one domain keeps of residents.

    `copy(resident_id)`: all of it in clear, values that JSON knows, ids as on the wire. `forget(resident_id)`: take the
    person out of it, in the transaction of the closing; finds nothing the second time. `tables`: where it lies.
    """

    name: str
    tables: frozenset[str]
    copy: Callable[[UUID], list[Item]]
    forget: Callable[[UUID], None]


_sections: list[Section] = []


def configure(sections: Sequence[Section]) -> None:
    """Make these the sections, in the order of the copy (called once by `app.boot`)."""
    _sections[:] = sections


def sections() -> list[Section]:
    """All sections."""
    return list(_sections)


def copy(*, resident_id: UUID) -> dict[str, list[Item]]:
    """A copy of everything about the resident (个人信息保护法 45), by section; audited. Raises BadToken."""
    if queries.resident(resident_id) is None:
        raise BadToken
    found = {section.name: section.copy(resident_id) for section in _sections}
    audit.record(
        Actor(ActorKind.RESIDENT, resident_id),
        "resident.exported",
        community_id=ids.lane_of(resident_id),
        object_kind="resident",
        object_id=resident_id,
        sections={name: len(items) for name, items in found.items()},
    )
    return found


def close(*, resident_id: UUID, actor: Actor) -> bool:
    """Close the account (个人信息保护法 47): what is only hers goes, what the street has to keep loses the person.

    Her phone and openid are free, her logins end, her key is destroyed. False when that was done before.
    """
    if queries.resident(resident_id, lock=True) is None:
        return False
    # From the last to the first: the domains above point to what those below hold.
    for section in reversed(_sections):
        section.forget(resident_id)
    audit.record(
        actor,
        "resident.closed",
        community_id=ids.lane_of(resident_id),
        object_kind="resident",
        object_id=resident_id,
    )
    db.session().flush()
    return True


def at(moment: Any) -> str | None:
    """A moment as the copy writes it."""
    return clock.rfc3339(moment) if moment is not None else None
