"""Months, quarters, half-years and years on the calendar."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum


class Rhythm(StrEnum):
    """How often something comes round; also how figures are grouped."""

    MONTH = "month"
    QUARTER = "quarter"
    HALF_YEAR = "half_year"
    YEAR = "year"


MONTHS = {Rhythm.MONTH: 1, Rhythm.QUARTER: 3, Rhythm.HALF_YEAR: 6, Rhythm.YEAR: 12}


def first_of(day: date, rhythm: Rhythm) -> date:
    """The first day of the calendar span that the day lies in."""
    step = MONTHS[rhythm]
    return date(day.year, (day.month - 1) // step * step + 1, 1)


def last_of(day: date, rhythm: Rhythm) -> date:
    """The last day of the calendar span that the day lies in."""
    return months_after(first_of(day, rhythm), MONTHS[rhythm]) - timedelta(days=1)


def months_after(day: date, months: int) -> date:
    """The same day so many months later; the last of the month where there is no such day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    for number in (day.day, 30, 29):
        try:
            return date(year, month + 1, number)
        except ValueError:
            continue
    return date(year, month + 1, 28)


def label(first: date, rhythm: Rhythm) -> str:
    """How a span is called: 2025-03, 2025Q1, 2025H1, 2025."""
    if rhythm is Rhythm.MONTH:
        return f"{first.year}-{first.month:02d}"
    if rhythm is Rhythm.QUARTER:
        return f"{first.year}Q{(first.month + 2) // 3}"
    if rhythm is Rhythm.HALF_YEAR:
        return f"{first.year}H{1 if first.month < 7 else 2}"
    return str(first.year)
