"""The pipeline with both gateways of the sandbox behind it, at any hour of the day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import time
from typing import Any

import psycopg
import pytest

from app.messaging import inbound, windows
from app.queue import redis
from sandbox.sms.server import running
from tests.conftest import House, Town
from tests.sms.staging import CONFIG, TOKENS, Campaign, Gateways, lay
from workers import config as worker_config
from workers import jobs, sms


@pytest.fixture(scope="session")
def running_gateways(house: House) -> Iterator[Gateways]:
    with running(CONFIG) as (url, sandbox):
        world = Gateways(url, sandbox)
        yield world
        for adapter in world.made.values():
            adapter.close()


@pytest.fixture
def gateways(
    running_gateways: Gateways, owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gateways]:
    """The gateways with an empty ledger, behaving by default; SMS may leave at any hour."""
    running_gateways.reset()
    # What an earlier test left lying would be sent with this one's, and meet its faults first.
    owner.execute("UPDATE campaign_parts SET state = 'finished' WHERE state = 'running'")
    owner.execute("UPDATE sms_batches SET state = 'done' WHERE state IN ('queued', 'sending', 'unknown')")
    owner.execute(
        "UPDATE sms_messages SET state = 'delivered' WHERE state = 'accepted'"
    )  # or they are asked about
    owner.execute("DELETE FROM sms_inbound")  # a test whose clock ran ahead left pushes of the future
    for key in redis().scan_iter("sms:*"):
        redis().delete(key)
    monkeypatch.setattr(sms, "vendors", running_gateways.adapters)
    monkeypatch.setattr(windows, "_window", (time(0), time.max))
    monkeypatch.setattr(inbound, "_tokens", tuple(token.encode() for token in TOKENS))
    yield running_gateways
    running_gateways.reset()


@pytest.fixture
def campaign(gateways: Gateways, town: Town, owner: psycopg.Connection[Any]) -> Callable[..., Campaign]:
    """`campaign(phones, …)`: one that runs in the town's first community (see `staging.lay`)."""
    return lambda phones, **more: lay(owner, more.pop("community_id", town.a.id), phones, **more)


@pytest.fixture
def drain(gateways: Gateways) -> Callable[[], None]:
    """What is due now is sent or settled."""
    assert worker_config.settings()
    return jobs.drain_sms
