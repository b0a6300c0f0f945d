"""Makes the demonstration data in the database of this process's settings."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import text

import app
from app import adapters, clock, db
from app.places import queries as places
from app.settings import Settings
from tools.demo.cast import STREET_ID

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
        street = places.region(STREET_ID)
        if street is not None and street.is_demo:
            return ALREADY
        _refuse_others()
    # Only now: every start of a development machine comes as far as here.
    from tools.demo import stage, stories, town, travel, turns

    album = stage.Album(adapters.storage())
    now = clock.now()
    told = stories.write_all(seed, now=now, estates=town.ESTATES)
    turns.lay_in(seed, told, now=now, estates=town.ESTATES)
    try:
        with travel.travelling() as hands:
            album.store(told, hands)
            with db.transaction():
                _refuse_others(locking=True)
                return stage.fill(seed, told, album, hands, now)
    except BaseException:
        album.discard()
        raise


def _refuse_others(*, locking: bool = False) -> None:
    if locking and not db.session().scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}):
        raise NotHere("Another run is making the demonstration data at this moment.")
    if places.regions():
        raise NotHere("The database has places already; demonstration data needs an empty one.")
