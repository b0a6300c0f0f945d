"""What lists share: the address of their next page."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import request


def next_address(cursor: str | None) -> str | None:
    """Where the next page is: the same filters, with its cursor; None on the last page."""
    if cursor is None:
        return None
    given = {name: value for name, value in request.args.items() if value.strip()}
    return f"{request.path}?{urlencode(given | {'cursor': cursor})}"
