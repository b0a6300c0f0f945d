"""Limits put on, and made small enough to be met."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from app import rates
from bff import limits
from bff.limits import Row
from tests.conftest import House
from tests.intake.conftest import machine, make_machine

__all__ = ["machine", "make_machine"]


@pytest.fixture(autouse=True)
def limits_on(house: House) -> Iterator[None]:
    """The house's own tests run without limits."""
    rates.configure(house.settings.redis_url)
    yield
    rates.configure(house.settings.redis_url, on=False)


@pytest.fixture
def tighten(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`tighten(at_once=2, every_s=3)`: all limits, or those named."""

    def make(*names: str, at_once: int, every_s: float) -> None:
        def small(row: Row) -> Row:
            if names and row.limit.name not in names:
                return row
            return replace(row, limit=replace(row.limit, at_once=at_once, every_s=every_s))

        for endpoint, row in list(limits.BY_ENDPOINT.items()):
            monkeypatch.setitem(limits.BY_ENDPOINT, endpoint, small(row))
        for key, row in list(limits.REST.items()):
            monkeypatch.setitem(limits.REST, key, small(row))

    return make
