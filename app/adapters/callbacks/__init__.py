"""Telling other systems what became of what they handed in."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from app.adapters.outcome import Outcome


class Reply(NamedTuple):
    """What became of one message. UNKNOWN may be sent again here: the message carries a `seq` that the receiver
    drops repeats by. `word` is short and for operators.
    """

    outcome: Outcome
    word: str


class Callbacks(Protocol):
    """Posts signed messages to the addresses that sources left."""

    def post(self, url: str, *, body: bytes, headers: dict[str, str]) -> Reply:
        """Send once. Never raises for what the other side does or doesn't do."""
