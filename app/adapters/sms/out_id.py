"""Our name for a batch at the vendor: it carries the community, so that a receipt finds its shard without asking.

Receipts come from outside and unsigned, so whatever reads them back must take nothing for granted.
"""

from __future__ import annotations

import re
from functools import lru_cache
from uuid import UUID

from app.ids import Ref

_PREFIX = "j1"  # the first form; another one would be told from it by this
_LENGTH = 44
_FORM = re.compile(r"j1-([0-9a-f]{8})-([0-9a-f]{32})")


def encode(batch: Ref) -> str:
    """44 characters that any vendor takes. Raises ValueError for a community beyond 32 bits."""
    if not 0 <= batch.community_id < 1 << 32:
        raise ValueError("a community's number has 32 bits")
    return f"{_PREFIX}-{batch.community_id:08x}-{batch.id.hex}"


def decode(text: object) -> Ref | None:
    """(community_id, batch id), or None for what we never wrote: another system on the account, a console's test."""
    return _read(text) if isinstance(text, str) and len(text) == _LENGTH else None


@lru_cache(maxsize=4096)  # a push names each batch as often as that has numbers
def _read(text: str) -> Ref | None:
    found = _FORM.fullmatch(text)
    return Ref(int(found.group(1), 16), UUID(hex=found.group(2))) if found else None
