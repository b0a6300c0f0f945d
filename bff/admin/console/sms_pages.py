"""Pages of what campaigns are made of: lists of numbers, who wants no messages, and the texts that may be sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import g, request

from app.ids import Ref
from app.messaging import providers, recipient_lists, templates
from app.messaging.campaign_models import ListState
from app.messaging.sms_models import SmsTemplate, TemplateState
from app.people import queries as people
from app.people.permissions import Permission as Allow
from bff.admin import campaign_schemas as s
from bff.admin import sms_templates as face
from bff.admin.auth import requires
from bff.admin.console import audience_choices as audiences
from bff.admin.console import sms_words as said
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.lists import next_address
from bff.admin.console.words import say
from bff.http import reads
from bff.schemas import PageQuery

# --- lists of numbers --------------------------------------------------------------------------------------


@blp.route("/recipient-lists", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def recipient_lists_page() -> str:
    """The lists of one's communities, the newest first, and the way to hand one in."""
    found = s.RecipientListList().dump(face.lists_out(query(PageQuery)))
    return page(
        "sms/lists.html",
        here="recipient-lists",
        **said.HELPERS,
        list=found,
        is_later="cursor" in request.args,
        is_busy=any(row["state"] == ListState.READING for row in found["items"]),
        next_address=next_address(found["next_cursor"]),
        may_edit=g.staff.may(Allow.CAMPAIGN_EDIT),
        homes=audiences.communities(g.staff),
    )


@blp.route("/recipient-lists/<ref(lst):ref>", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def recipient_list_page(ref: Ref) -> str:
    """How many of its numbers can be written to, and which rows can't and why; never a number."""
    row = recipient_lists.list_for(g.staff, ref)
    values = {
        **said.HELPERS,
        "one": s.RecipientListOut().dump(face.list_out(row)),
        "by": people.staff_names([row.created_by]).get(row.created_by, ""),
        "is_busy": row.state == ListState.READING,
        "most": recipient_lists.MOST_PROBLEMS,
        "may_edit": g.staff.may(Allow.CAMPAIGN_EDIT),
    }
    if is_fragment():
        return fragment("sms/_list.html", **values)
    return page("sms/list.html", here="recipient-lists", **values)


# --- opt-outs ----------------------------------------------------------------------------------------------


@blp.route("/opt-outs", methods=["GET"])
@requires(Allow.CAMPAIGN_EDIT)
@reads
def opt_outs_page() -> str:
    """Look whether a number wants no messages, enter it, or take it back. There is no list of who wants none."""
    return page("sms/opt_outs.html", here="opt-outs")


# --- templates ---------------------------------------------------------------------------------------------


@blp.route("/sms-templates", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def sms_template_list() -> str:
    """The texts of one's street, the newest first, and whether a vendor carries them."""
    found = s.SmsTemplateList().dump(face.listed(query(PageQuery)))
    for row in found["items"]:
        row["parts"] = _parts(row["text"], said.blanks_called(row["parameters"]))
    return page(
        "sms/templates.html",
        here="sms-templates",
        **said.HELPERS,
        list=found,
        is_later="cursor" in request.args,
        next_address=next_address(found["next_cursor"]),
        may_edit=g.staff.may(Allow.SMS_TEMPLATE_EDIT),
    )


def _fill_names() -> list[tuple[str, str]]:
    return [(key.value, say(name)) for key, name in said.FILLS.items()]


@blp.route("/sms-templates/new", methods=["GET"])
@requires(Allow.SMS_TEMPLATE_EDIT)
@reads
def sms_template_new() -> str:
    """An empty template."""
    return page(
        "sms/template_write.html", here="sms-templates", **said.HELPERS, one=None, fill_names=_fill_names()
    )


@blp.route("/sms-templates/<ref(tpl):ref>/edit", methods=["GET"])
@requires(Allow.SMS_TEMPLATE_EDIT)
@reads
def sms_template_edit(ref: UUID) -> str:
    """The form of one that nobody has approved yet."""
    row = templates.template_for(g.staff, ref, Allow.SMS_TEMPLATE_EDIT)
    one = s.SmsTemplateOut().dump(face.template_out(row))
    return page(
        "sms/template_write.html", here="sms-templates", **said.HELPERS, one=one, fill_names=_fill_names()
    )


def _template(row: SmsTemplate) -> dict[str, Any]:
    shown = s.SmsTemplateOut().dump(face.template_out(row))
    by_code = {mapping["provider"]: mapping for mapping in shown["mappings"]}
    routes = providers.routes(row)
    names = people.staff_names([row.created_by, row.approved_by])
    may_approve = g.staff.may(Allow.SMS_TEMPLATE_APPROVE)
    return {
        **said.HELPERS,
        "one": shown,
        "parts": _parts(row.text, called := said.blanks_called(row.parameters)),
        "called": called,
        "routes": [
            {
                "code": route.provider.code,
                "why_not": route.why_not,
                "mapping": by_code.get(route.provider.code),
            }
            for route in routes
        ],
        "is_carried": any(route.why_not is None for route in routes),
        "created_by": names.get(row.created_by, ""),
        "approved_by": names.get(row.approved_by, "") if row.approved_by else "",
        "may_edit": g.staff.may(Allow.SMS_TEMPLATE_EDIT),
        "is_draft": row.state == TemplateState.DRAFT,
        "approves": row.state == TemplateState.DRAFT and may_approve and row.created_by != g.staff.id,
        "is_own": row.state == TemplateState.DRAFT and row.created_by == g.staff.id,
        "retires": row.state == TemplateState.APPROVED and may_approve,
        "may_send": g.staff.may(Allow.CAMPAIGN_EDIT) and row.state == TemplateState.APPROVED,
    }


def _parts(text: str, called: Sequence[str]) -> list[tuple[str, bool]]:
    """The text cut at its blanks, and whether a piece is one. `called`: what they are called, in their order."""
    found: list[tuple[str, bool]] = []
    at, names = 0, []
    for begin, end, name in templates.blanks_in(text):
        if name not in names:
            names.append(name)
        found += [(text[at:begin], False), (called[names.index(name)], True)]
        at = end
    found.append((text[at:], False))
    return [(piece, is_blank) for piece, is_blank in found if piece]


@blp.route("/sms-templates/<ref(tpl):ref>", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def sms_template_page(ref: UUID) -> str:
    """A template with its blanks, who wrote and approved it, and what each vendor calls it."""
    values = _template(templates.template_for(g.staff, ref))
    if is_fragment():
        return fragment("sms/_template.html", **values)
    return page("sms/template.html", here="sms-templates", **values)


@blp.route("/sms-templates/<ref(tpl):ref>/now", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
def sms_template_now(ref: UUID) -> str:
    """How it stands now, in a few lines: for whom a colleague was faster."""
    return fragment("sms/_template_now.html", **_template(templates.template_for(g.staff, ref)))
