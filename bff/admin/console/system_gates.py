"""Pages of what connects us with others: vendors of text messages, and systems that hand reports in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g

from app.errors import NotFound
from app.messaging import providers
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.places.models import OrgKind
from app.sources import queries as sources
from app.tickets.models import FROM_SOURCES
from bff.admin import api_keys as key_face
from bff.admin import campaign_schemas, sms_templates
from bff.admin.auth import requires
from bff.admin.console.campaign_pages import health
from bff.admin.console.face import blp, fragment, is_fragment, page
from bff.admin.console.system_frame import Choice, org_groups, sheet
from bff.admin.console.system_words import PROVIDERS
from bff.admin.console.ticket_words import channel_name
from bff.http import reads

# --- vendors of text messages ------------------------------------------------------------------------------


def _provider(code: str) -> dict[str, Any]:
    row = next((one for one in providers.listed() if one.code == code), None)
    if row is None:
        raise NotFound
    return dict(campaign_schemas.SmsProviderOut().dump(sms_templates.provider_out(row)))


@blp.route("/providers", methods=["GET"])
@requires(Allow.SMS_PROVIDER_EDIT)
@reads
def provider_list() -> str:
    """The vendors with their shares, rates, prices and caps."""
    rows = campaign_schemas.SmsProviderOut(many=True).dump(
        map(sms_templates.provider_out, providers.listed())
    )
    enabled = sum(row["weight"] for row in rows if row["is_enabled"])
    for row in rows:
        row["share"] = 100 * row["weight"] / enabled if enabled and row["is_enabled"] else 0
    values = {"rows": rows, "vendors": PROVIDERS, "today": places.today().isoformat()}
    if is_fragment():
        return fragment("system/_providers.html", **values)
    return page("system/providers.html", here="providers", **values, **health())


@blp.route("/providers/<code>/now", methods=["GET"])
@requires(Allow.SMS_PROVIDER_EDIT)
@reads
def provider_now(code: str) -> str:
    """How the vendor stands now: for whom somebody was faster."""
    return fragment("system/_provider_now.html", one=_provider(code))


# --- other systems -----------------------------------------------------------------------------------------


@blp.route("/api-keys", methods=["GET"])
@requires(Allow.API_KEY_EDIT)
@reads
def key_list() -> str:
    """The systems that may hand reports in."""
    found = key_face.SourceOut(many=True).dump(map(key_face.source_out, sources.sources_for(g.staff)))
    values = {"rows": found, "channel_name": channel_name}
    if is_fragment():
        return fragment("system/_api_keys_list.html", **values)
    mine, tree = sources.reach(g.staff), places.region_tree()
    offices = [
        org
        for org in places.orgs()
        if org.kind in {OrgKind.STREET_OFFICE, OrgKind.COMMUNITY_COMMITTEE}
        and (under := tree.communities_under(org.region_id))
        and mine.issuperset(under)
    ]
    return page(
        "system/api_keys.html",
        here="api-keys",
        channels=[Choice(channel.value, channel_name(channel.value)) for channel in sorted(FROM_SOURCES)],
        offices=org_groups(offices),
        desks=org_groups(org for org in offices if org.kind == OrgKind.COMMUNITY_COMMITTEE),
        today=places.today().isoformat(),
        **values,
    )


@sheet("/api-keys/<ref(src):source_id>", Allow.API_KEY_EDIT, here="api-keys", part="_api_key.html")
def key_one(source_id: UUID) -> dict[str, Any]:
    """A system with its keys, never their secrets."""
    shown = key_face.SourceOut().dump(key_face.source_out(sources.source_for(g.staff, source_id)))
    return {"title": shown["name"], "source": shown, "channel_name": channel_name}


@blp.route("/api-keys/<ref(src):source_id>/now", methods=["GET"])
@requires(Allow.API_KEY_EDIT)
@reads
def key_now(source_id: UUID) -> str:
    """How the system stands now."""
    shown = key_face.SourceOut().dump(key_face.source_out(sources.source_for(g.staff, source_id)))
    return fragment("system/_area_now.html", one=shown, more=shown["callback_url"])
