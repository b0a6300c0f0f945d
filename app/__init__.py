"""What the software knows. `boot` makes a process ready; `create_app` adds the web application's frame.

The imports stand inside the functions: importing one module of the domain must not cost the whole application.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.settings import Settings


def boot(settings: Settings) -> None:
    """Make this process ready: logs, keys, database, Redis, the outside. Connects to nothing yet."""
    from app import adapters, crypto, db, dossiers, logs, queue
    from app.media import links
    from app.memberships import following
    from app.messaging import service as messaging
    from app.people import dossier, passwords
    from app.places import changes
    from app.voting import periods

    logs.configure(settings.log_level)
    if settings.database_url == settings.migration_database_url:
        logging.getLogger(__name__).warning(
            "one database role for everything: nothing but a trigger keeps the application from rewriting "
            "append-only tables (set MIGRATION_DATABASE_URL to the owner's role)"
        )
    crypto.configure(crypto.Keyring(settings.data_keys, settings.hash_key))
    db.configure(settings.database_url)
    redis = queue.configure(settings.redis_url, ring_bells=settings.ring_bells)
    adapters.configure(settings, redis)
    links.configure(base_url=settings.public_base_url, secret=settings.secret_key)
    messaging.configure(settings.wechat_templates)
    dossier.configure(dossiers.SECTIONS)
    changes.configure(following.owners_changed)
    passwords.configure(settings.staff_password_hash)
    periods.configure(settings.vote_periods)


def create_app(settings: Settings) -> Flask:
    """The web application without its faces; `bff.init_app` adds them."""
    from flask import Flask

    boot(settings)
    flask = Flask("jiayuan", static_folder=None)
    flask.config["SETTINGS"] = settings
    return flask
