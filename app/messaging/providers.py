"""The vendors that carry text messages: their weights, rates, prices, and what a number may get in a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select

from app import audit, clock, db
from app.errors import NotFound, StaleVersion
from app.messaging.sms_errors import BadWeights
from app.messaging.sms_models import (
    MappingState,
    SmsProvider,
    SmsProviderCap,
    SmsTemplate,
    SmsTemplateMapping,
)
from app.people.permissions import Permission
from app.people.scopes import StaffActor


class Cap(NamedTuple):
    """A rule: at most so many a day, and where that stands."""

    scope: str
    most: int
    source: str
    as_of: date


class Route(NamedTuple):
    """A provider as a template meets it. `why_not`: what keeps it from carrying it, or None."""

    provider: SmsProvider
    mapping: SmsTemplateMapping | None
    why_not: str | None


def listed() -> list[SmsProvider]:
    """All providers, the heaviest first."""
    return list(
        db.session().scalars(select(SmsProvider).order_by(SmsProvider.weight.desc(), SmsProvider.code))
    )


def caps_of(code: str) -> list[SmsProviderCap]:
    """Its caps."""
    return list(
        db.session().scalars(
            select(SmsProviderCap).where(SmsProviderCap.provider_code == code).order_by(SmsProviderCap.scope)
        )
    )


def routes(template: SmsTemplate) -> list[Route]:
    """Which providers can carry a template, the heaviest first, and why the others can't."""
    mappings = {
        row.provider_code: row
        for row in db.session().scalars(
            select(SmsTemplateMapping).where(SmsTemplateMapping.template_id == template.id)
        )
    }
    return [
        Route(row, mappings.get(row.code), _why_not(row, mappings.get(row.code), template))
        for row in listed()
    ]


def usable(template: SmsTemplate) -> list[Route]:
    """The providers that can carry it, the heaviest first."""
    return [route for route in routes(template) if route.why_not is None]


def _why_not(provider: SmsProvider, mapping: SmsTemplateMapping | None, template: SmsTemplate) -> str | None:
    if not provider.is_enabled:
        return "disabled"
    if mapping is None:
        return "no_mapping"
    if mapping.state != MappingState.APPROVED:
        return f"mapping_{mapping.state}"
    names = [p["name"] for p in template.parameters]
    if sorted(mapping.parameters) != sorted(names):
        return "other_parameters"
    if mapping.longest is not None and any(p["longest"] > mapping.longest for p in template.parameters):
        return "parameters_too_long"
    return None


def most_a_day(usable_: Sequence[Route]) -> int:
    """How many messages a number may get from us in a day while any of these providers can still carry one more."""
    return max(each_a_day(usable_).values(), default=0)


def each_a_day(usable_: Sequence[Route]) -> dict[str, int]:
    """The same of each of these providers, by its code."""
    codes = [route.provider.code for route in usable_]
    rows = db.session().execute(
        select(SmsProviderCap.provider_code, func.min(SmsProviderCap.most))
        .where(SmsProviderCap.provider_code.in_(codes))
        .group_by(SmsProviderCap.provider_code)
    )
    found: dict[str, int] = dict(rows.all())
    return {code: found.get(code, 1000) for code in codes}


def change(
    code: str,
    *,
    changes: Mapping[str, Any],
    caps: Sequence[Cap] | None,
    version: int | None,
    acting_user: StaffActor,
) -> SmsProvider:
    """Change weight, rate, sizes or price, or put other caps in the place of its caps; audited.

    Raises NotFound, StaleVersion, BadWeights (no other one is enabled).
    """
    found = db.session().get(SmsProvider, code, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    if version is not None and version != found.version:
        raise StaleVersion
    for name, value in changes.items():
        setattr(found, name, value)
    if not found.is_enabled and not any(row.is_enabled for row in listed() if row.code != code):
        raise BadWeights
    if caps is not None:
        db.session().execute(delete(SmsProviderCap).where(SmsProviderCap.provider_code == code))
        for cap in caps:
            db.session().add(SmsProviderCap(provider_code=code, **cap._asdict()))
    found.version += 1
    found.updated_at = clock.now()
    audit.record(
        acting_user.actor,
        "sms.provider_changed",
        community_id=min(communities_of(acting_user, Permission.SMS_PROVIDER_EDIT), default=0),
        object_kind="sms_provider",
        object_id=None,
        provider=code,
        fields=sorted([*changes, *(["caps"] if caps is not None else [])]),
    )
    return found


def communities_of(staff: StaffActor, permission: Permission) -> frozenset[int]:
    """The communities in which the member of staff has this permission, also as homes of estates."""
    return frozenset(
        home for grant in staff.grants if permission in grant.permissions for home in grant.homes
    )
