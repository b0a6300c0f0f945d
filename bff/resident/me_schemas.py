"""The copy of a resident's data as she gets it."""

from __future__ import annotations

import marshmallow as ma

from bff.schemas import Schema, Time

f = ma.fields


class CopyOut(Schema):
    made_at = Time(required=True)
    sections = f.Dict(
        keys=f.String(),
        values=f.List(f.Dict()),
        required=True,
        metadata={
            "description": "profile, consents, logins, waiting_photos, messages, subscriptions, tickets, "
            "joined_tickets; everything in clear"
        },
    )
