"""What may be sent and through whom: templates, providers, opt-outs, lists of numbers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g, url_for

from app import db
from app.ids import Ref
from app.messaging import opt_outs, providers, recipient_lists, templates
from app.messaging.campaign_models import ListState, RecipientList
from app.messaging.providers import Cap
from app.messaging.recipient_lists import Row
from app.messaging.sifting import is_mobile
from app.messaging.sms_errors import NotMobile
from app.messaging.sms_models import MappingState, SmsProvider, SmsTemplate, TemplateKind
from app.messaging.templates import Fill, Parameter
from app.people.errors import PermissionMissing
from app.people.permissions import Permission as Allow
from app.people.queries import mask_phone
from bff import errors
from bff.admin import campaign_schemas as s
from bff.admin.auth import requires
from bff.admin.registry_schemas import RegisterFile
from bff.http import (
    Versioned,
    asked_version,
    read_cursor,
    reads,
    versioned,
    wanted_version,
    write_cursor,
    writes,
)
from bff.registers import takes_register
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("sms-templates", __name__, url_prefix="/admin/api/v1", description="What may be sent by SMS")


# --- templates ---------------------------------------------------------------------------------------------


def template_out(row: SmsTemplate) -> dict[str, Any]:
    """A template with what vendors call it, for this face and its pages."""
    return {
        "template_id": row.id,
        **{name: getattr(row, name) for name in ("name", "kind", "sign", "text", "state")},
        "parameters": [p._asdict() for p in templates.parameters_of(row)],
        **{name: getattr(row, name) for name in ("version", "created_at", "approved_at")},
        "mappings": [
            {
                "provider": route.provider.code,
                **{n: getattr(route.mapping, n) for n in ("vendor_code", "parameters", "longest", "state")},
                "usable": route.why_not is None,
                "why_not": route.why_not,
            }
            for route in providers.routes(row)
            if route.mapping is not None
        ],
    }


def _parameters(body: list[dict[str, Any]]) -> list[Parameter]:
    return [Parameter(p["name"], p["longest"], Fill(p["fill"]), p["title"]) for p in body]


@blp.route("/sms-templates", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.SmsTemplateList)
def sms_templates(args: dict[str, Any]) -> dict[str, Any]:
    """All templates, the newest first."""
    return listed(args)


def listed(args: dict[str, Any]) -> dict[str, Any]:
    """A page of templates, for this face and its pages."""
    before = read_cursor(args["cursor"], UUID)
    rows = templates.listed(g.staff, limit=args["limit"] + 1, before=before[0] if before else None)
    page = rows[: args["limit"]]
    return {
        "items": [template_out(row) for row in page],
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("/sms-templates/<ref(tpl):ref>", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.response(200, s.SmsTemplateOut)
def sms_template(ref: UUID) -> Versioned:
    """A template, and what it is called at each vendor."""
    return versioned(template_out(templates.template_for(g.staff, ref)))


@blp.route("/sms-templates", methods=["POST"])
@requires(Allow.SMS_TEMPLATE_EDIT)
@writes
@blp.arguments(s.SmsTemplateIn)
@blp.response(201, s.SmsTemplateOut)
def draft_sms_template(body: dict[str, Any]) -> Versioned:
    """Write a template. Its kind stays; it may be sent once a second person has approved it."""
    row = templates.draft(
        name=body["name"],
        kind=TemplateKind(body["kind"]),
        sign=body["sign"],
        text=body["text"],
        parameters=_parameters(body["parameters"]),
        acting_user=g.staff,
    )
    return versioned(template_out(row), 201, Location=url_for("sms-templates.sms_template", ref=row.id))


@blp.route("/sms-templates/<ref(tpl):ref>", methods=["PATCH"])
@requires(Allow.SMS_TEMPLATE_EDIT)
@writes
@blp.arguments(s.SmsTemplateChange)
@blp.response(200, s.SmsTemplateOut)
def change_sms_template(body: dict[str, Any], ref: UUID) -> Versioned:
    """Change a draft; never its kind."""
    parameters = body.pop("parameters", None)
    row = templates.redraft(
        ref,
        changes=body,
        parameters=_parameters(parameters) if parameters is not None else None,
        version=wanted_version(),
        acting_user=g.staff,
    )
    return versioned(template_out(row))


@blp.route("/sms-templates/<ref(tpl):ref>/approve", methods=["POST"])
@requires(Allow.SMS_TEMPLATE_APPROVE)
@writes
@blp.response(200, s.SmsTemplateOut)
def approve_sms_template(ref: UUID) -> Versioned:
    """Approve what somebody else wrote."""
    return versioned(template_out(templates.approve(ref, version=asked_version(), acting_user=g.staff)))


@blp.route("/sms-templates/<ref(tpl):ref>/retire", methods=["POST"])
@requires(Allow.SMS_TEMPLATE_APPROVE)
@writes
@blp.response(200, s.SmsTemplateOut)
def retire_sms_template(ref: UUID) -> Versioned:
    """No new campaign uses it."""
    return versioned(template_out(templates.retire(ref, version=asked_version(), acting_user=g.staff)))


@blp.route("/sms-templates/<ref(tpl):ref>/mappings/<provider>", methods=["PUT"])
@requires(Allow.SMS_TEMPLATE_EDIT)
@writes
@blp.arguments(s.SmsMappingIn)
@blp.response(200, s.SmsTemplateOut)
def map_sms_template(body: dict[str, Any], ref: UUID, provider: str) -> Versioned:
    """What the template is called at a vendor (aliyun, tencent), and whether it is approved there."""
    row = templates.map_to(
        ref,
        provider,
        vendor_code=body["vendor_code"],
        parameters=body["parameters"],
        longest=body["longest"],
        state=MappingState(body["state"]),
        acting_user=g.staff,
    )
    return versioned(template_out(row))


# --- providers ---------------------------------------------------------------------------------------------


def provider_out(row: SmsProvider) -> dict[str, Any]:
    """A vendor with its caps."""
    return {
        **{name: getattr(row, name) for name in ("code", "is_enabled", "weight", "calls_per_s", "source")},
        **{name: getattr(row, name) for name in ("batch_same", "batch_personal", "price_centi", "version")},
        "caps": [
            {"scope": cap.scope, "most": cap.most, "source": cap.source, "as_of": cap.as_of}
            for cap in providers.caps_of(row.code)
        ],
    }


@blp.route("/providers", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.response(200, s.SmsProviderList)
def sms_providers() -> dict[str, Any]:
    """The vendors with their weights, rates, prices and caps, each with where that stands."""
    return {"items": [provider_out(row) for row in providers.listed()]}


@blp.route("/providers/<code>", methods=["PATCH"])
@requires(Allow.SMS_PROVIDER_EDIT)
@writes
@blp.arguments(s.SmsProviderChange)
@blp.response(200, s.SmsProviderOut)
def change_sms_provider(body: dict[str, Any], code: str) -> Versioned:
    """Change a vendor's weight, rate or price, switch it off, or put other caps in the place of its caps."""
    caps = body.pop("caps", None)
    row = providers.change(
        code,
        changes=body,
        caps=[Cap(**cap) for cap in caps] if caps is not None else None,
        version=wanted_version(),
        acting_user=g.staff,
    )
    return versioned(provider_out(row))


# --- opt-outs ----------------------------------------------------------------------------------------------


def _mobile(phone: str) -> str:
    if not is_mobile(phone):
        raise NotMobile(errors={"phone": [(NotMobile.zh, NotMobile.en)]})
    return phone


def _opt_out(phone: str) -> dict[str, Any]:
    found = opt_outs.of(phone)
    return {
        "phone": mask_phone(phone),
        "opted_out": found is not None,
        "source": found.source if found else None,
        "word": found.word if found else None,
        "at": found.at if found else None,
    }


@blp.route("/opt-outs", methods=["GET"])
@requires(Allow.CAMPAIGN_EDIT)
@reads
@blp.arguments(s.OptOutQuery, location="query")
@blp.response(200, s.OptOutOut)
def opt_out(args: dict[str, Any]) -> dict[str, Any]:
    """Does this number want no messages, and since when? There is no list of those who don't."""
    return _opt_out(_mobile(args["phone"]))


@blp.route("/opt-outs", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.arguments(s.OptOutIn)
@blp.response(200, s.OptOutOut)
def enter_opt_out(body: dict[str, Any]) -> dict[str, Any]:
    """Somebody said that she wants no messages. What must reach her by law, and emergencies, still do."""
    opt_outs.enter(_mobile(body["phone"]), acting_user=g.staff)
    return _opt_out(body["phone"])


@blp.route("/opt-outs/withdraw", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.arguments(s.OptOutIn)
@blp.response(200, s.OptOutOut)
def withdraw_opt_out(body: dict[str, Any]) -> dict[str, Any]:
    """She wants messages again."""
    opt_outs.withdraw(_mobile(body["phone"]), acting_user=g.staff)
    return _opt_out(body["phone"])


# --- lists of numbers --------------------------------------------------------------------------------------


def list_out(row: RecipientList) -> dict[str, Any]:
    """A list of numbers, for this face and its pages."""
    english = errors.language() == "en"
    bad = row.total - row.good
    if row.state == ListState.READING:
        said = "The file is being read." if english else "正在读取文件。"
    elif row.state == ListState.FAILED:
        said = "No numbers could be taken from it." if english else "未能读出号码。"
    elif english:
        said = f"{row.good} numbers can be written to, {bad} rows were left out."
    else:
        said = f"{row.good} 个号码可以发送，{bad} 行未收入。"
    return {
        "list_id": Ref(row.community_id, row.id),
        **{name: getattr(row, name) for name in ("name", "state", "total", "good", "problems")},
        "done": row.total,
        "message": said,
        "columns": row.columns,
        "created_at": row.created_at,
    }


@blp.route("/recipient-lists", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.RecipientListList)
def lists_of_numbers(args: dict[str, Any]) -> dict[str, Any]:
    """The lists of one's communities, the newest first."""
    return lists_out(args)


def lists_out(args: dict[str, Any]) -> dict[str, Any]:
    """A page of lists, for this face and its pages."""
    before = read_cursor(args["cursor"], UUID)
    rows = recipient_lists.listed(g.staff, limit=args["limit"] + 1, before=before[0] if before else None)
    page = rows[: args["limit"]]
    return {
        "items": [list_out(row) for row in page],
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("/recipient-lists", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.arguments(s.RecipientListIn)
@blp.response(202, s.ListJobOut)
def hand_in_list(body: dict[str, Any]) -> Any:
    """Hand in a list of numbers (at most 20,000 rows). Rows that can't be written to are named at the status URL."""
    row = recipient_lists.hand_in(
        name=body["name"],
        community_id=body["community_id"].int if body["community_id"] is not None else None,
        rows=[Row(one["phone"], one["values"], at) for at, one in enumerate(body["rows"], 1)],
        acting_user=g.staff,
    )
    return _handed_in(row)


def _handed_in(row: RecipientList) -> Any:
    ref = Ref(row.community_id, row.id)
    where = url_for("sms-templates.recipient_list", ref=ref)
    return {"job_id": ref, "status_url": where}, 202, {"Location": where}


def _files_under() -> int:
    """The first community she may write to; what is promised about her file is kept under it."""
    with db.reading():
        mine = providers.communities_of(g.staff, Allow.CAMPAIGN_EDIT)
    if not mine:
        raise PermissionMissing
    return min(mine)


@blp.route("/recipient-lists/files", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@takes_register(_files_under, recipient_lists.announce)
@writes
@blp.arguments(RegisterFile, location="files")
@blp.arguments(s.RecipientListForm, location="form")
@blp.response(202, s.ListJobOut)
def hand_in_list_file(_: dict[str, Any], form: dict[str, Any]) -> Any:
    """The same as a file (.xlsx, .xls, .csv): numbers under 手机号 or phone, or in the first column where there are no
    headings; columns whose heading is a parameter's name come along. Rows are named by where they stand in the sheet.
    """
    row = recipient_lists.hand_in_file(
        list_id=g.register.import_id,
        name=form["name"],
        community_id=form["community_id"].int if form["community_id"] is not None else None,
        file_sha256=g.register.sha256,
        acting_user=g.staff,
    )
    return _handed_in(row)


@blp.route("/recipient-lists/<ref(lst):ref>", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.response(200, s.RecipientListOut)
def recipient_list(ref: Ref) -> dict[str, Any]:
    """How many of its numbers can be written to, and which rows can't and why; never a number."""
    return list_out(recipient_lists.list_for(g.staff, ref))
