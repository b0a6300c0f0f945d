"""All sections of a resident's dossier, in the order of her copy. Who keeps something of residents stands here."""

from __future__ import annotations

from app.media import own_section as media
from app.memberships import own_section as memberships
from app.messaging import own_section as messaging
from app.notices import own_section as notices
from app.people import own_section as people
from app.people.dossier import Section
from app.revenue import own_section as revenue
from app.tickets import own_section as tickets
from app.voting import own_section as voting

SECTIONS: tuple[Section, ...] = (
    *people.SECTIONS,
    *media.SECTIONS,
    *messaging.SECTIONS,
    *memberships.SECTIONS,
    *tickets.SECTIONS,
    *revenue.SECTIONS,
    *notices.SECTIONS,
    *voting.SECTIONS,
)
