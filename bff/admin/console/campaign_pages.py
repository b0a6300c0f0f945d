"""Pages of campaigns: the list, the wizard, one from its draft to its final account, its messages, whom to visit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import marshmallow as ma
from flask import Response, current_app, g, make_response, request
from flask.typing import ResponseReturnValue

from app import clock, ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.messaging import audience, campaigns, progress, providers, pulse, templates, windows
from app.messaging.campaign_models import AsOf, AudienceType, Campaign, CampaignState
from app.messaging.sms_models import Channel, MessageState, SmsMessage, TemplateState
from app.messaging.templates import Fill
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import queries as places
from app.places import registry_queries as registry
from bff.admin import campaign_schemas as s
from bff.admin import campaigns as campaign_face
from bff.admin.auth import requires
from bff.admin.console import audience_choices as audiences
from bff.admin.console import sms_words as said
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.lists import next_address
from bff.admin.console.words import say
from bff.http import read_cursor, reads, write_cursor
from bff.schemas import PageQuery, Query

PAGE_SIZE = 50
STEPS = ("发给谁", "写内容", "核对人数和费用", "审批和发送")
# In these the progress is worth looking at every other second.
_GOES_ON = frozenset({CampaignState.RUNNING, CampaignState.PAUSED})
_BEGUN = _GOES_ON | {CampaignState.FINISHED, CampaignState.CANCELLED}
# Of these audiences the registry knows who lives behind a number; a handed-in list is nobody's register.
_OF_HOMES = frozenset(AudienceType) - {AudienceType.LIST, AudienceType.FOCUS_GROUP}


# --- the list ----------------------------------------------------------------------------------------------


@blp.route("/campaigns", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def campaign_list() -> str:
    """Campaigns of one's communities, the newest first, with how far each is."""
    found = s.CampaignList().dump(campaign_face.listed(query(s.CampaignQuery)))
    begun = [ids.decode_ref(Kind.CAMPAIGN, row["campaign_id"]) for row in found["items"] if row["started_at"]]
    counted = progress.sent_of([campaigns.campaign_for(g.staff, ref) for ref in begun])
    rows = [
        row | {"sent": counted.get(ids.decode_ref(Kind.CAMPAIGN, row["campaign_id"]).id)}
        for row in found["items"]
    ]
    values = {
        **said.HELPERS,
        "rows": rows,
        "states": said.STATES,
        "state": request.args.get("state", ""),
        "next_address": next_address(found["next_cursor"]),
        "is_later": "cursor" in request.args,
        "is_busy": any(row["state"] == CampaignState.RUNNING for row in rows),
        "may_edit": g.staff.may(Allow.CAMPAIGN_EDIT),
        "may_set_vendors": g.staff.may(Allow.SMS_PROVIDER_EDIT),
        **health(),
    }
    return page("sms/campaigns.html", here="campaigns", **values)


def _gone(by_status: dict[str, int]) -> int:
    stayed = (MessageState.QUEUED, MessageState.SENDING, MessageState.CANCELLED)
    return sum(n for state, n in by_status.items() if state not in stayed)


def health() -> dict[str, Any]:
    """How the vendors do, for every page that shows it."""
    known = providers.listed()
    found = pulse.pulses(row.code for row in known)
    slow_ms = current_app.config["SETTINGS"].sms_slow_s * 1000
    return {
        "vendor_states": [
            {
                "name": said.vendor_name(row.code),
                "is_enabled": row.is_enabled,
                "pulse": found[row.code] if found is not None else None,
                "is_slow": found is not None and (found[row.code].p95_ms or 0) >= slow_ms,
            }
            for row in known
        ],
    }


@blp.route("/providers/health", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def provider_health() -> str:
    """How the vendors do, read anew while one looks."""
    return fragment("sms/_health.html", **health())


# --- the wizard --------------------------------------------------------------------------------------------


class WizardQuery(Query):
    """`type`: whose turn it is; `ids`: chosen beforehand, by the page that leads here; `back`: one's draft."""

    type = ma.fields.String(
        load_default=None, validate=ma.validate.OneOf([kind.value for kind in AudienceType])
    )
    ids = ma.fields.String(load_default="", validate=ma.validate.Length(max=2000))
    title = ma.fields.String(load_default="", validate=ma.validate.Length(max=60))


@blp.route("/campaigns/new", methods=["GET"])
@requires(Allow.CAMPAIGN_EDIT)
@reads
def campaign_new() -> str:
    """First who is meant; then whom of these, with which text, how and when."""
    asked = query(WizardQuery)
    if asked["type"] is None or asked["type"] not in audience.offered():
        return page(
            "sms/new.html", here="campaigns", steps=STEPS, step=0, audiences=_audiences(), campaign=None
        )
    kind = AudienceType(asked["type"])
    chosen = [one for one in asked["ids"].split(",") if one]
    return page("sms/write.html", here="campaigns", **_form(kind, chosen, None, title=asked["title"]))


def _audiences() -> list[tuple[str, str, str]]:
    """The types that she may name, in words."""
    offered = audience.offered()
    return [
        (kind.value, *words)
        for kind, words in said.AUDIENCES.items()
        if kind in offered and audiences.may_ask(g.staff, kind)
    ]


@blp.route("/campaigns/<ref(cmp):ref>/edit", methods=["GET"])
@requires(Allow.CAMPAIGN_EDIT)
@reads
def campaign_edit(ref: Ref) -> str:
    """The same form for what isn't launched yet; `type` puts another audience in the place of its own."""
    row = campaigns.campaign_for(g.staff, ref, Allow.CAMPAIGN_EDIT)
    if row.launched_at is not None or row.state == CampaignState.CANCELLED:
        raise NotFound
    shown = s.CampaignOut().dump(campaign_face.campaign_out(row))
    asked = query(WizardQuery)
    kind = AudienceType(asked["type"] or shown["audience"]["type"])
    chosen = shown["audience"]["ids"] if kind == shown["audience"]["type"] else []
    return page("sms/write.html", here="campaigns", **_form(kind, chosen, shown))


def _form(
    kind: AudienceType, chosen: list[str], campaign: dict[str, Any] | None, *, title: str = ""
) -> dict[str, Any]:
    # What an address names is ticked where it is offered, and shown nowhere else: it may be anybody's.
    asked = audiences.choices(g.staff, kind, chosen if campaign is not None else [])
    usual = AsOf.EACH_PAGE if kind in said.PASSING else AsOf.LAUNCH
    name, hint = said.AUDIENCES[kind]
    # Only the rows of a handed-in list have something for a blank that is filled from a list.
    texts = [
        text
        for text in _texts()
        if kind is AudienceType.LIST or all(one["fill"] != Fill.LIST for one in text["parameters"])
    ]
    now = clock.now()
    return {
        **said.HELPERS,
        "steps": STEPS,
        "step": 1,
        "campaign": campaign,
        "kind": kind.value,
        "kind_name": name,
        "kind_hint": hint,
        "asked": asked,
        "other_kinds": _audiences(),
        "picked": set(chosen),
        "as_of": campaign["audience"]["as_of"] if campaign else usual.value,
        "as_ofs": said.AS_OF,
        "shows_as_of": kind in said.PASSING,
        "texts": texts,
        "texts_json": [text | {"lacks": text["lacks"]} for text in texts],
        "channels": said.CHANNELS,
        "channel": ",".join(sorted(campaign["channels"], reverse=True)) if campaign else "wechat,sms",
        "delays": said.DELAYS,
        "delay": (campaign["sms_after_min"] if campaign else None) or 120,
        "send_at": _local(campaign["send_at"]) if campaign and campaign["send_at"] else "",
        "earliest": _local(clock.rfc3339(now)),
        "title": campaign["title"] if campaign else title,
        "params": campaign["params"] if campaign else {},
        "may_template": g.staff.may(Allow.SMS_TEMPLATE_EDIT),
        "homes": audiences.communities(g.staff),
    }


def _local(at: str) -> str:
    """As the browser's field for a time wants it."""
    return clock.in_shanghai(datetime.fromisoformat(at)).strftime("%Y-%m-%dT%H:%M")


def _texts() -> list[dict[str, Any]]:
    """The templates that may be sent, for the form and its script."""
    found = []
    for row in templates.listed(g.staff, limit=100):
        if row.state != TemplateState.APPROVED:
            continue
        routes = providers.routes(row)
        lacks = not any(route.why_not is None for route in routes)
        why = [f"{said.vendor_name(r.provider.code)}：{said.why_not(r.why_not)}" for r in routes]
        found.append(
            {
                "id": ids.encode(Kind.SMS_TEMPLATE, row.id),
                "name": row.name,
                "kind": say(said.KINDS[row.kind]),  # type: ignore[index]  # a StrEnum's text
                "sign": row.sign,
                "text": row.text,
                "parameters": [
                    {"name": p.name, "longest": p.longest, "fill": p.fill.value, "called": called}
                    for p, called in zip(
                        templates.parameters_of(row), said.blanks_called(row.parameters), strict=True
                    )
                ],
                "lacks": "；".join(why) if lacks else "",
            }
        )
    return found


@blp.route("/campaigns/estates/<ref(est):ref>/buildings", methods=["GET"])
@requires(Allow.CAMPAIGN_EDIT)
@reads
def campaign_buildings(ref: Ref) -> str:
    """The buildings of an estate to choose from: read when its line is opened."""
    return fragment("sms/_buildings.html", buildings=audiences.buildings_of(g.staff, ref))


@blp.route("/campaigns/lists", methods=["GET"])
@requires(Allow.CAMPAIGN_EDIT)
@reads
def campaign_lists() -> str:
    """The handed-in lists to choose from: read anew after an upload."""
    return fragment("sms/_lists.html", asked=audiences.choices(g.staff, AudienceType.LIST, []), picked=set())


# --- one campaign ------------------------------------------------------------------------------------------


def _may(row: Campaign, permission: Allow) -> bool:
    return set(row.communities) <= providers.communities_of(g.staff, permission)


class Approval(NamedTuple):
    """Who wrote it, handed it in, cleared it and let it go, by name."""

    created_by: str
    submitted_by: str
    approved_by: str
    launched_by: str


def _going(row: Campaign) -> dict[str, Any]:
    """What is read anew every other second."""
    shown = s.CampaignOut().dump(campaign_face.campaign_out(row))
    far = s.CampaignProgress().dump(campaign_face.progress_out(row))
    may_edit = _may(row, Allow.CAMPAIGN_EDIT)
    template = templates.template(row.template_id)
    opens = windows.next_open(clock.now(), kind=template.kind)
    waits = row.state == CampaignState.RUNNING and Channel.SMS in row.channels and opens > clock.now()
    eta = datetime.fromisoformat(far["eta"]) if far["eta"] else None
    return {
        **said.HELPERS,
        "campaign": shown,
        "progress": far,
        "gone": _gone(far["by_status"]),
        "mendable": sum(one["count"] for one in far["failures"] if one["is_mendable"]),
        "unreached": sum(
            one["count"]
            for one in far["failures"]
            if one["status"] == MessageState.FAILED
            or (one["status"] == MessageState.REFUSED and one["fault"] == "number")
        ),
        "may_retry": may_edit and "retry-failed" in shown["moves"],
        "goes_on": row.state in _GOES_ON,
        "is_over": row.state in {CampaignState.FINISHED, CampaignState.CANCELLED},
        "opens_at": clock.rfc3339(opens) if waits else None,
        "left": said.duration((eta - clock.now()).total_seconds()) if eta is not None else "",
        "decision": _decision_of(shown),
    }


def _whole(row: Campaign) -> dict[str, Any]:
    shown = s.CampaignOut().dump(campaign_face.campaign_out(row))
    template = templates.template(row.template_id)
    names = people.staff_names([row.created_by, row.submitted_by, row.approved_by, row.launched_by])
    may_edit = _may(row, Allow.CAMPAIGN_EDIT)
    moves = set(shown["moves"])
    above = campaigns.approval_above()
    preview = shown["preview"]
    job = row.preview_job
    is_counting = (
        preview is None and job is not None and job["version"] == row.version and job["state"] == "running"
    )
    is_large = preview is not None and preview["recipients"] > above
    leaves = max(row.send_at or clock.now(), clock.now())
    first = windows.next_open(leaves, kind=template.kind)
    own = {row.created_by, row.submitted_by}
    is_second = _may(row, Allow.CAMPAIGN_APPROVE) and g.staff.id not in own
    begun = row.state in _BEGUN and row.started_at is not None
    can_go = not begun and (
        preview["recipients"] > 0
        and (Channel.SMS not in row.channels or any(one["usable"] for one in preview["providers"]))
        if preview is not None
        else row.size is not None
    )
    return {
        **said.HELPERS,
        "campaign": shown,
        "by": Approval(
            *(
                names.get(one, "") if one is not None else ""
                for one in (row.created_by, row.submitted_by, row.approved_by, row.launched_by)
            )
        ),
        "wording": {
            "name": template.name,
            "id": ids.encode(Kind.SMS_TEMPLATE, template.id),
            "kind": template.kind,
            "text": f"【{template.sign}】{template.text}",
            "parts": _parts_of(template.text, row.params),
            "sign": template.sign,
        },
        "names": audiences.named(row),
        "steps": STEPS,
        "step": _STEP.get(CampaignState(row.state), 4) if preview is not None or row.state != "draft" else 2,
        "may_edit": may_edit,
        "edits": may_edit and row.launched_at is None and row.state in _EDITABLE,
        "moves": moves if may_edit else set(),
        "approves": row.state == CampaignState.AWAITING_APPROVAL and is_second,
        "is_own": row.state == CampaignState.AWAITING_APPROVAL and g.staff.id in own,
        "above": above,
        "launches": "launch" in moves
        and may_edit
        and can_go
        and not (is_large and row.state == CampaignState.DRAFT),
        "submits": "submit" in moves and may_edit and can_go and is_large,
        "later": row.send_at is not None and row.send_at > clock.now(),
        "is_large": is_large,
        "is_counting": is_counting,
        "wants_preview": may_edit
        and row.state in {CampaignState.DRAFT, CampaignState.SCHEDULED}
        and row.launched_at is None
        and preview is None
        and not is_counting,
        "waits_for_hour": clock.rfc3339(first) if first > leaves and Channel.SMS in row.channels else None,
        "has_begun": begun,
        **(_going(row) if begun else {}),
        **health(),
    }


_EDITABLE = frozenset({CampaignState.DRAFT, CampaignState.AWAITING_APPROVAL, CampaignState.SCHEDULED})
_STEP = {CampaignState.DRAFT: 2, CampaignState.AWAITING_APPROVAL: 3, CampaignState.SCHEDULED: 3}


def _parts_of(text: str, params: dict[str, str]) -> list[tuple[str, bool]]:
    """The text cut at its blanks; what fills one is marked. Blanks of each recipient stay open."""
    found: list[tuple[str, bool]] = []
    at = 0
    for begin, end, name in templates.blanks_in(text):
        found += [(text[at:begin], False), (params.get(name, ""), True)]
        at = end
    found.append((text[at:], False))
    return [(piece, is_blank) for piece, is_blank in found if piece or is_blank]


def _decision_of(shown: dict[str, Any]) -> str | None:
    """The decision whose visit list takes up who wasn't reached."""
    of_decision = {AudienceType.DECISION_OWNERS, AudienceType.DECISION_NOT_VOTED}
    return str(shown["audience"]["ids"][0]) if shown["audience"]["type"] in of_decision else None


@blp.route("/campaigns/<ref(cmp):ref>", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def campaign_page(ref: Ref) -> str:
    """A campaign where it stands, with what can be done."""
    values = _whole(campaigns.campaign_for(g.staff, ref))
    if is_fragment():
        return fragment("sms/_campaign.html", **values)
    return page("sms/campaign.html", here="campaigns", **values)


class SeenQuery(Query):
    """`seen`: the state that the page shows."""

    seen = ma.fields.String(load_default="", validate=ma.validate.Length(max=20))


@blp.route("/campaigns/<ref(cmp):ref>/progress", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def campaign_progress_part(ref: Ref) -> ResponseReturnValue:
    """How far it is, read anew while it runs. When its state is another than the page shows, the page is told to read
    the whole anew.
    """
    row = campaigns.campaign_for(g.staff, ref)
    response: Response = make_response(fragment("sms/_progress.html", **_going(row)))
    if query(SeenQuery)["seen"] not in {"", row.state}:
        response.headers["HX-Trigger"] = "moved"
    return response


@blp.route("/campaigns/<ref(cmp):ref>/cancel", methods=["GET"])
@requires(Allow.CAMPAIGN_EDIT)
@reads
def campaign_cancel(ref: Ref) -> str:
    """What cancelling does now: what has left, what never will; and the button."""
    row = campaigns.campaign_for(g.staff, ref, Allow.CAMPAIGN_EDIT)
    shown = s.CampaignOut().dump(campaign_face.campaign_out(row))
    counted = progress.of(row).by_status
    return fragment(
        "sms/_cancel.html",
        campaign=shown,
        gone=_gone(counted) + counted[MessageState.SENDING],
        stays=counted[MessageState.QUEUED],
        has_begun=row.started_at is not None,
    )


@blp.route("/campaigns/<ref(cmp):ref>/now", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def campaign_now(ref: Ref) -> str:
    """How it stands now, in a few lines: for whom a colleague was faster."""
    return fragment("sms/_now.html", **_whole(campaigns.campaign_for(g.staff, ref)))


@blp.route("/campaigns/<ref(cmp):ref>/messages", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def campaign_message_list(ref: Ref) -> str:
    """Its messages by what became of them; numbers masked."""
    row = campaigns.campaign_for(g.staff, ref)
    asked = query(s.SmsMessageQuery) | {"limit": PAGE_SIZE}
    found = s.SmsMessageList().dump(campaign_face.messages_out(asked, row))
    return page(
        "sms/messages.html",
        here="campaigns",
        **said.HELPERS,
        campaign=s.CampaignOut().dump(campaign_face.campaign_out(row)),
        list=found,
        status=request.args.get("status", ""),
        next_address=next_address(found["next_cursor"]),
        is_later="cursor" in request.args,
    )


# --- whom to visit -----------------------------------------------------------------------------------------


class Visit(NamedTuple):
    """A number that gets no text message, and the homes of who holds it, where the registry knows."""

    phone: str
    why: str
    homes: list[str]


@blp.route("/campaigns/<ref(cmp):ref>/visits", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def campaign_visits(ref: Ref) -> str:
    """Whose numbers took no message: a list to go round with."""
    row = campaigns.campaign_for(g.staff, ref)
    shown = s.CampaignOut().dump(campaign_face.campaign_out(row))
    after = read_cursor(query(PageQuery)["cursor"], int, UUID)
    rows = progress.unreached(row, limit=PAGE_SIZE + 1, after=Ref(*after) if after else None)
    listed = rows[:PAGE_SIZE]
    more = write_cursor(listed[-1].community_id, listed[-1].id) if len(rows) > PAGE_SIZE else None
    counted = progress.of(row)
    return page(
        "sms/visits.html",
        here="campaigns",
        **said.HELPERS,
        campaign=shown,
        visits=_visits(listed, with_homes=row.audience["type"] in _OF_HOMES),
        without_phone=sum(counted.excluded.get(reason, 0) for reason in ("no_phone", "not_mobile")),
        decision=_decision_of(shown),
        next_address=next_address(more),
        is_later="cursor" in request.args,
    )


def _visits(rows: list[SmsMessage], *, with_homes: bool) -> list[Visit]:
    reach = registry_reach(g.staff, Allow.REGISTRY_VIEW) if with_homes else frozenset()
    homes: dict[tuple[int, bytes], list[str]] = {}
    for community in {row.community_id for row in rows}:
        hashes = {row.phone_hash for row in rows if row.community_id == community}
        found = registry.homes_of_phones(reach, community, hashes)
        estates = places.estate_names(
            {Ref(community, v.house.estate_id) for views in found.values() for v in views}
        )
        for one, views in found.items():
            homes[community, one] = [
                f"{estates[Ref(community, v.house.estate_id)]} {v.building}{v.unit}{v.house.number}"
                for v in views
            ]
    return [
        Visit(
            people.mask_phone(progress.phone_of(row)),
            said.failure_words({"status": row.state, "fault": row.fault, "code": row.code})[0],
            homes.get((row.community_id, row.phone_hash), []),
        )
        for row in rows
    ]


def wizard_address(kind: AudienceType, *chosen: str, title: str = "") -> str:
    """The wizard with these already chosen, for pages that lead there."""
    asked = {"type": kind.value, "ids": ",".join(chosen)} | ({"title": title[:60]} if title else {})
    return f"/admin/campaigns/new?{urlencode(asked)}"
