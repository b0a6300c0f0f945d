"""The mini-program's BFF: every URL of the resident face on one page."""

from __future__ import annotations

from flask import Flask

from bff import api, limits
from bff.resident import (
    ballots,
    candidates,
    decisions,
    home,
    inbox,
    me,
    memberships,
    notices,
    openings,
    photos,
    places,
    proxies,
    results,
    revenue,
    session,
    tickets,
)
from bff.resident.auth import authenticate

BLUEPRINTS = (
    session.blp,
    me.blp,
    places.blp,
    photos.blp,
    tickets.blp,
    home.blp,
    inbox.blp,
    memberships.blp,
    revenue.blp,
    ballots.blp,
    results.blp,
    candidates.blp,
    proxies.blp,
    decisions.blp,
    openings.blp,
    notices.blp,
)


def init_app(app: Flask) -> api.Face:
    """Add the resident face; everything but logging in asks for a bearer token."""
    face = api.make(
        app,
        name="resident",
        title="家园 · 居民端 (resident face)",
        security={"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
    )
    for blp in BLUEPRINTS:
        face.register_blueprint(blp)
    return face


for _blp in BLUEPRINTS:
    _blp.before_request(authenticate)
    _blp.before_request(limits.by_resident)
