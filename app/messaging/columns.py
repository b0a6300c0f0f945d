"""A page's columns on their way into a statement: each is bound as one text whose values are parted by the unit
separator, which stands in none of them. The driver's own arrays look for what to escape in each value.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

_PARTED = "\x1f"


def unnested(**types: str) -> str:
    """What stands in `unnest(…)`: the named parameters as arrays of these types; an empty value is NULL."""
    return ", ".join(
        f"CAST(string_to_array(:{name}, chr(31), '') AS {kind}[])" for name, kind in types.items()
    )


def plain(value: str) -> str:
    """A text from outside that must not part a column."""
    return value.replace(_PARTED, " ") if _PARTED in value else value


def texts(values: Iterable[str]) -> str:
    """Values without the unit separator."""
    return _PARTED.join(values)


def uuids(values: Iterable[UUID | None]) -> str:
    """Ids, or nothing."""
    return _PARTED.join(["" if value is None else value.hex for value in values])


def binary(values: Iterable[bytes]) -> str:
    """For `bytea`."""
    said = "\x1f\\x".join([value.hex() for value in values])
    return f"\\x{said}" if said else ""
