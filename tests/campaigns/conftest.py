"""Campaigns in a town of the test's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.campaigns.mailroom import Mailroom
from tests.conftest import Town


@pytest.fixture
def mail(town: Town, work: Callable[..., int]) -> Mailroom:
    """The mailroom of this test."""
    return Mailroom(town, work)
