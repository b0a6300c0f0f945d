"""The separate face of grid, property, community and street staff: every blueprint on one page."""

from __future__ import annotations

from flask import Flask

from bff import api, limits
from bff.admin import (
    api_keys,
    audit,
    bylaws,
    calendar,
    campaigns,
    candidates,
    categories,
    decision_roll,
    decisions,
    delivery_entries,
    displays,
    duty,
    events,
    figures,
    focus,
    inbox,
    loop,
    matches,
    me,
    meetings,
    memberships,
    notices,
    openings,
    paper_ballots,
    patrol,
    photos,
    place_edits,
    places,
    queues,
    region_edits,
    registry,
    registry_imports,
    reports,
    results,
    revenue,
    revenue_contracts,
    revenue_imports,
    revenue_papers,
    revenue_periods,
    routing,
    session,
    sms_templates,
    staff,
    suggestions,
    ticket_plans,
    tickets,
    wall,
)
from bff.admin.auth import COOKIE, authenticate
from bff.admin.console import pages

BLUEPRINTS = (
    session.blp,
    paper_ballots.blp,
    me.blp,
    staff.blp,
    audit.blp,
    queues.blp,
    places.blp,
    categories.blp,
    photos.blp,
    tickets.blp,
    ticket_plans.blp,
    loop.blp,
    inbox.blp,
    events.blp,
    meetings.blp,
    reports.blp,
    calendar.blp,
    suggestions.blp,
    matches.blp,
    api_keys.blp,
    patrol.blp,
    place_edits.blp,
    region_edits.blp,
    registry.blp,
    registry_imports.blp,
    memberships.blp,
    duty.blp,
    routing.blp,
    focus.blp,
    figures.blp,
    wall.blp,
    displays.blp,
    revenue.blp,
    revenue_contracts.blp,
    revenue_periods.blp,
    revenue_papers.blp,
    revenue_imports.blp,
    decisions.blp,
    results.blp,
    candidates.blp,
    decision_roll.blp,
    delivery_entries.blp,
    bylaws.blp,
    openings.blp,
    notices.blp,
    sms_templates.blp,
    campaigns.blp,
)


def init_app(app: Flask) -> api.Face:
    """Add the admin face; everything but logging in asks for a login."""
    face = api.make(
        app,
        name="admin",
        title="家园 · 工作端 (admin face)",
        security={
            "bearer": {"type": "http", "scheme": "bearer"},
            "cookie": {
                "type": "apiKey",
                "in": "cookie",
                "name": COOKIE,
                "description": "of `mode: cookie`, `__Host-` before it behind https; writes send X-CSRF-Token",
            },
        },
    )
    for blp in BLUEPRINTS:
        face.register_blueprint(blp)
    pages.init_app(app)
    return face


for _blp in BLUEPRINTS:
    _blp.before_request(authenticate)
    _blp.before_request(limits.by_staff)
