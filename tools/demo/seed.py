"""Makes the demonstration data in the database of this process's settings."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import text

import app
from app import adapters, clock, db
from app.settings import Settings
from tools.demo import stories, town
from tools.demo.stage import Album, Stage, Traveller, travelling

ALREADY = "The demonstration data is there already; nothing was done"
_LOCK = 0x6A697961  # advisory; any number that nobody else here uses


class NotHere(Exception):
    """No demonstration data can be put into this database; the text is one sentence."""


def make(seed: int) -> str:
    """Make everything, or find it made; a sentence that says which.

    Raises NotHere for a database with places of its own or with another run at work; SettingsError.
    """
    settings = Settings.from_env()
    # No bells: the work of the past is done here, nothing waits for a worker.
    app.boot(replace(settings, ring_bells=False))
    with db.reading():
        if town.is_there():
            return ALREADY
        _refuse_others()
    rng = random.Random(seed)
    album = Album(adapters.storage())
    now = clock.now()
    told = stories.write_all(rng, now=now, estates=town.ESTATES)
    try:
        with travelling() as hands:
            album.store(told, hands)
            with db.transaction():
                _refuse_others(locking=True)
                return _fill(rng, told, album, hands, now)
    except BaseException:
        album.discard()
        raise


def _refuse_others(*, locking: bool = False) -> None:
    if locking and not db.session().scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}):
        raise NotHere("Another run is making the demonstration data at this moment.")
    if town.is_anything_there():
        raise NotHere("The database has places already; demonstration data needs an empty one.")


def _fill(
    rng: random.Random, told: list[stories.Story], album: Album, hands: Traveller, now: datetime
) -> str:
    """The rows, inside the caller's transaction; a sentence with what was made."""
    hands.to(now - stories.SPAN - timedelta(days=14))
    here = town.Town()
    town.lay_out(here)
    town.hire(here)
    hands.to(now - stories.SPAN - timedelta(days=2))
    town.settle_residents(here)
    stage = Stage(rng, here, album, hands)
    stage.play(told)
    hands.to(now)
    stage.settle()
    return (
        f"Demonstration data: 1 street, {len(town.COMMUNITIES)} communities, {len(here.estates)} estates, "
        f"{len(here.staff)} staff, {len(here.residents)} residents, {len(told)} tickets, {album.count} photos"
    )
