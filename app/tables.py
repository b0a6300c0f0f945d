"""All tables of the house in one metadata: for migrations, the lint over tables, and the page about them."""

from __future__ import annotations

from sqlalchemy import MetaData

from app import audit, idempotency, outbox
from app.db import Base
from app.displays import models as displays
from app.duty import models as duty
from app.focus import models as focus
from app.media import models as media
from app.media import paper_models as papers
from app.memberships import models as memberships
from app.messaging import campaign_models as campaigns
from app.messaging import inbound_models as inbound
from app.messaging import models as messaging
from app.messaging import sms_models as sms
from app.notices import models as notices
from app.patrol import models as patrol
from app.people import models as people
from app.places import models as places
from app.places import registry_models as registry
from app.revenue import budget_models as budgets
from app.revenue import contract_models as contracts
from app.revenue import import_models as ledger_imports
from app.revenue import models as revenue
from app.revenue import rendering_models as renderings
from app.sources import models as sources
from app.tickets import figure_models as figures
from app.tickets import models as tickets
from app.tickets import routing_models as routing
from app.voting import ballot_models as ballots
from app.voting import ledger_models as ledgers
from app.voting import models as voting
from app.voting import roll_models as rolls

MODULES = (
    audit,
    idempotency,
    outbox,
    places,
    registry,
    people,
    displays,
    duty,
    media,
    papers,
    messaging,
    inbound,
    sms,
    campaigns,
    memberships,
    sources,
    tickets,
    routing,
    figures,
    patrol,
    voting,
    rolls,
    ballots,
    ledgers,
    revenue,
    budgets,
    contracts,
    renderings,
    ledger_imports,
    notices,
    focus,
)


def metadata() -> MetaData:
    """The metadata with every table registered."""
    return Base.metadata
