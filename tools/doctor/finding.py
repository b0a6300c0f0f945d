"""What the doctor says."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """A problem makes the exit code 1; a warning is for when there is time."""

    FINE = "fine"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """One sentence about one thing; it names no person and repeats no secret."""

    level: Level
    about: str
    sentence: str


def fine(about: str, sentence: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.FINE, about, sentence)


def warning(about: str, sentence: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(Level.WARNING, about, sentence)


def problem(about: str, sentence: str) -> Finding:
    """It doesn't work, or harms."""
    return Finding(Level.PROBLEM, about, sentence)
