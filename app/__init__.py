"""What the software knows. `boot` makes a process ready; `create_app` adds the web application's frame.

The imports stand inside the functions: importing one module of the domain must not cost the whole application.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from flask import Flask

    from app.settings import Settings


def boot(settings: Settings) -> None:
    """Make this process ready: logs, keys, database, Redis, the outside. Connects to nothing yet."""
    from app import adapters, crypto, db, dossiers, logs, meters, queue, rates
    from app.focus.audiences import FocusGroup
    from app.media import links
    from app.memberships import following
    from app.memberships.audiences import BuildingOwners, EstateOwners, GridOwners
    from app.messaging import audience, campaigns, inbound, windows
    from app.messaging import service as messaging
    from app.messaging.campaign_models import AudienceType
    from app.messaging.recipient_lists import ListAudience
    from app.notices.audiences import NoticeUnread
    from app.people import dossier, passwords
    from app.places import changes
    from app.revenue import allowed
    from app.voting import certified, periods
    from app.voting.audiences import DecisionNotVoted, DecisionOwners

    logs.configure(settings.log_level)
    if settings.database_url == settings.migration_database_url:
        logging.getLogger(__name__).warning(
            "one database role for everything: nothing but a trigger keeps the application from rewriting "
            "append-only tables (set MIGRATION_DATABASE_URL to the owner's role)"
        )
    crypto.configure(crypto.Keyring(settings.data_keys, settings.hash_key))
    db.configure(settings.database_url, slow_ms=settings.slow_query_ms, pooler=settings.database_pooler)
    redis = queue.configure(settings.redis_url, ring_bells=settings.ring_bells)
    meters.configure(redis)
    rates.configure(settings.redis_url, on=settings.rate_limits)
    adapters.configure(settings, redis)
    links.configure(base_url=settings.public_base_url, secret=settings.secret_key)
    messaging.configure(settings.wechat_templates)
    inbound.configure(settings.sms_callback_tokens, settings.sms_callback_networks)
    windows.configure(settings.sms_window)
    campaigns.configure(approval_above=settings.sms_approval_above)
    audience.configure(
        {
            AudienceType.ESTATES: EstateOwners(),
            AudienceType.BUILDINGS: BuildingOwners(),
            AudienceType.GRIDS: GridOwners(),
            AudienceType.FOCUS_GROUP: FocusGroup(),
            AudienceType.DECISION_OWNERS: DecisionOwners(),
            AudienceType.DECISION_NOT_VOTED: DecisionNotVoted(),
            AudienceType.NOTICE_UNREAD: NoticeUnread(),
            AudienceType.LIST: ListAudience(),
        }
    )
    dossier.configure(dossiers.SECTIONS)
    changes.configure(following.owners_changed)
    allowed.configure(certified.decisions)
    passwords.configure(settings.staff_password_hash, demo=settings.demo)
    periods.configure(settings.vote_periods)


def warm_up() -> None:
    """Make what a process would make at its first request, before it is forked off: how the models hang together (a
    third of a second), what the words of reports speak for.
    """
    from sqlalchemy.orm import configure_mappers

    from app.tickets import suggest

    configure_mappers()
    suggest.suggest("路灯不亮")


def create_app(settings: Settings) -> Flask:
    """The web application without its faces; `bff.init_app` adds them."""
    from flask import Flask

    class Plainly(Flask):
        """Flask that asks of no view whether it is a coroutine, at each request six times: none is."""

        def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
            """The view itself."""
            return func

    boot(settings)
    flask = Plainly("jiayuan", static_folder=None)
    flask.config["SETTINGS"] = settings
    return flask
