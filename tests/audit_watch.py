"""Refuses, in tests, an act of the audit log that the console has no words for: auditors read it, programmers don't."""

from __future__ import annotations

from typing import Any

from app import audit
from bff.admin.console import system_words


class Unworded(AssertionError):
    """The act, or what it was done to, would stand in the log as a name of the program."""


def listen() -> None:
    """Look at every act from here on."""
    record = audit.record

    def worded(actor: audit.Actor, action: str, *, object_kind: str, **more: Any) -> None:
        if action.partition(".")[0] != "test" and not system_words.is_known(action):
            raise Unworded(action)
        if object_kind != "test" and not system_words.is_known_thing(object_kind):
            raise Unworded(object_kind)
        record(actor, action, object_kind=object_kind, **more)

    audit.record = worded
