"""Campaigns: one text to many people, from the draft to the last receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import g, url_for

from app.ids import Ref
from app.messaging import campaigns, previews, progress, templates
from app.messaging.campaign_models import AsOf, Campaign, CampaignState
from app.messaging.progress import Progress
from app.messaging.sms_models import Channel, MessageState, SmsMessage
from app.people.permissions import Permission as Allow
from app.people.queries import mask_phone
from bff import errors
from bff.admin import campaign_schemas as s
from bff.admin.auth import requires
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
from bff.schemas import Blueprint

blp = Blueprint("campaigns", __name__, url_prefix="/admin/api/v1", description="SMS push")


def campaign_out(row: Campaign) -> dict[str, Any]:
    """A campaign, for this face and its pages."""
    return {
        "campaign_id": campaigns.ref_of(row),
        **{name: getattr(row, name) for name in ("title", "state", "template_id", "params", "channels")},
        **{name: getattr(row, name) for name in ("sms_after_min", "send_at", "size", "note", "version")},
        **{name: getattr(row, name) for name in ("created_at", "submitted_at", "approved_at")},
        **{name: getattr(row, name) for name in ("launched_at", "started_at", "ended_at")},
        "audience": {"type": row.audience["type"], "ids": row.audience["ids"], "as_of": row.as_of},
        "preview": row.preview,
        "moves": campaigns.moves_of(row),
    }


@blp.route("/campaigns", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.arguments(s.CampaignQuery, location="query")
@blp.response(200, s.CampaignList)
def list_campaigns(args: dict[str, Any]) -> dict[str, Any]:
    """The campaigns of one's communities, the newest first."""
    return listed(args)


def listed(args: dict[str, Any]) -> dict[str, Any]:
    """A page of campaigns, for this face and its pages."""
    before = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    rows = campaigns.listed(
        g.staff, state=args["state"], limit=limit + 1, before=before[0] if before else None
    )
    page = rows[:limit]
    return {
        "items": [campaign_out(row) for row in page],
        "next_cursor": write_cursor(page[-1].id) if len(rows) > limit else None,
    }


@blp.route("/campaigns", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.arguments(s.CampaignIn)
@blp.response(201, s.CampaignOut)
def draft_campaign(body: dict[str, Any]) -> Versioned:
    """Write a campaign: an approved template with its values, and to whom. Nothing leaves before it is launched."""
    asked = body["audience"]
    row = campaigns.draft(
        title=body["title"] or templates.template_for(g.staff, body["template_id"]).name,
        template_id=body["template_id"],
        params=body.get("params", {}),
        audience_type=asked["type"],
        audience_ids=asked["ids"],
        as_of=AsOf(asked["as_of"]),
        channels=[Channel(c) for c in body.get("channels", [Channel.SMS.value])],
        sms_after_min=body.get("sms_after_min"),
        send_at=body.get("send_at"),
        acting_user=g.staff,
    )
    where = url_for("campaigns.campaign", ref=campaigns.ref_of(row))
    return versioned(campaign_out(row), 201, Location=where)


@blp.route("/campaigns/<ref(cmp):ref>", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.response(200, s.CampaignOut)
def campaign(ref: Ref) -> Versioned:
    """A campaign with its last preview."""
    return versioned(campaign_out(campaigns.campaign_for(g.staff, ref)))


@blp.route("/campaigns/<ref(cmp):ref>", methods=["PATCH"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.arguments(s.CampaignChange)
@blp.response(200, s.CampaignOut)
def change_campaign(body: dict[str, Any], ref: Ref) -> Versioned:
    """Change what isn't launched. An approval it had is gone."""
    asked = body.pop("audience", None)
    if asked is not None:
        body["as_of"] = asked["as_of"]
    row = campaigns.redraft(
        ref,
        changes=body,
        audience_type=asked["type"] if asked is not None else None,
        audience_ids=asked["ids"] if asked is not None else (),
        version=wanted_version(),
        acting_user=g.staff,
    )
    return versioned(campaign_out(row))


@blp.route("/campaigns/<ref(cmp):ref>/preview", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.response(202, s.CampaignPreviewJob)
def ask_preview(ref: Ref) -> Any:
    """Find out who would get it, who wouldn't and why, the segments, the cost, and how long each provider takes."""
    row = campaigns.campaign_for(g.staff, ref, Allow.CAMPAIGN_EDIT, lock=True)
    job = previews.ask(row)
    where = url_for("campaigns.preview", ref=ref)
    return {"job_id": job, "status_url": where}, 202, {"Location": where}


@blp.route("/campaigns/<ref(cmp):ref>/preview", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.response(200, s.CampaignPreviewState)
def preview(ref: Ref) -> dict[str, Any]:
    """How far the preview is, and what it found. 404 when nobody has asked for one."""
    row = campaigns.campaign_for(g.staff, ref)
    job = previews.job_of(row)
    english = errors.language() == "en"
    done = row.preview is not None
    said = ("已完成。", "Done.") if done else ("正在计算，请稍候。", "Being counted.")
    return {
        "job_id": UUID(job["id"]),
        "state": job["state"],
        "done": int(done),
        "total": 1,
        "message": said[1 if english else 0],
        "preview": row.preview,
    }


def _moved(move: Callable[..., Campaign], ref: Ref, version: int | None, **more: Any) -> Versioned:
    return versioned(campaign_out(move(ref, version=version, acting_user=g.staff, **more)))


@blp.route("/campaigns/<ref(cmp):ref>/submit", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.response(200, s.CampaignOut)
def submit_campaign(ref: Ref) -> Versioned:
    """Hand it in: a small one may then be launched, a larger one waits for a second person."""
    return _moved(campaigns.submit, ref, asked_version())


@blp.route("/campaigns/<ref(cmp):ref>/approve", methods=["POST"])
@requires(Allow.CAMPAIGN_APPROVE)
@writes
@blp.response(200, s.CampaignOut)
def approve_campaign(ref: Ref) -> Versioned:
    """Clear it to go, as somebody who neither wrote nor submitted it."""
    return _moved(campaigns.approve, ref, asked_version())


@blp.route("/campaigns/<ref(cmp):ref>/reject", methods=["POST"])
@requires(Allow.CAMPAIGN_APPROVE)
@writes
@blp.arguments(s.CampaignReasonIn)
@blp.response(200, s.CampaignOut)
def reject_campaign(body: dict[str, Any], ref: Ref) -> Versioned:
    """Send it back to be written anew, with a reason."""
    return _moved(campaigns.reject, ref, asked_version(), reason=body["reason"])


@blp.route("/campaigns/<ref(cmp):ref>/launch", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.response(200, s.CampaignOut)
def launch_campaign(ref: Ref) -> Versioned:
    """Let it go, now or at its `send_at`; once."""
    return _moved(campaigns.launch, ref, asked_version())


@blp.route("/campaigns/<ref(cmp):ref>/pause", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.response(200, s.CampaignOut)
def pause_campaign(ref: Ref) -> Versioned:
    """No further call to a provider begins."""
    return _moved(campaigns.pause, ref, asked_version())


@blp.route("/campaigns/<ref(cmp):ref>/resume", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.response(200, s.CampaignOut)
def resume_campaign(ref: Ref) -> Versioned:
    """Go on where it was paused."""
    return _moved(campaigns.resume, ref, asked_version())


@blp.route("/campaigns/<ref(cmp):ref>/cancel", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.response(200, s.CampaignOut)
def cancel_campaign(ref: Ref) -> Versioned:
    """End it for good. What is on its way to a provider still gets its outcome; nothing else leaves."""
    return _moved(campaigns.cancel, ref, asked_version())


@blp.route("/campaigns/<ref(cmp):ref>/retry-failed", methods=["POST"])
@requires(Allow.CAMPAIGN_EDIT)
@writes
@blp.response(200, s.RetriedOut)
def retry_failed(ref: Ref) -> Versioned:
    """Send once more what failed or was refused for a reason that can be mended. Unknown ones are settled first."""
    row, count = campaigns.retry_failed(ref, version=asked_version(), acting_user=g.staff)
    return versioned(campaign_out(row) | {"retried": count})


@blp.route("/campaigns/<ref(cmp):ref>/progress", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.response(200, s.CampaignProgress)
def campaign_progress(ref: Ref) -> dict[str, Any]:
    """How far it is: the states add up to the total at any moment."""
    return progress_out(campaigns.campaign_for(g.staff, ref))


def progress_out(row: Campaign) -> dict[str, Any]:
    """How far a campaign is, for this face and its pages."""
    found = progress.of(row)
    return found._asdict() | {
        "state": row.state,
        "message": _where_it_stands(row, found),
        "providers": [p._asdict() for p in found.providers],
        "failures": [f._asdict() for f in found.failures],
    }


def _where_it_stands(row: Campaign, found: Progress) -> str:
    unknown = found.by_status[MessageState.UNKNOWN]
    left = found.by_status[MessageState.QUEUED] + found.by_status[MessageState.SENDING]
    gone = found.total - left - found.by_status[MessageState.CANCELLED]
    english = errors.language() == "en"
    if row.state == CampaignState.RUNNING and found.is_settling:
        return f"Sent; {unknown} being settled." if english else f"已发完，{unknown} 条待运营商确认。"
    return f"{gone} of {found.total} sent." if english else f"已发 {gone} 条，共 {found.total} 条。"


def _message(row: SmsMessage) -> dict[str, Any]:
    return {
        "message_id": Ref(row.community_id, row.id),
        "phone": mask_phone(progress.phone_of(row)),
        "status": row.state,
        "provider": row.provider_code,
        **{name: getattr(row, name) for name in ("channel", "code", "fault", "segments")},
        **{name: getattr(row, name) for name in ("sent_at", "settled_at")},
    }


@blp.route("/campaigns/<ref(cmp):ref>/messages", methods=["GET"])
@requires(Allow.CAMPAIGN_VIEW)
@reads
@blp.arguments(s.SmsMessageQuery, location="query")
@blp.response(200, s.SmsMessageList)
def campaign_messages(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Its messages with their results; numbers masked."""
    return messages_out(args, campaigns.campaign_for(g.staff, ref))


def messages_out(args: dict[str, Any], row: Campaign) -> dict[str, Any]:
    """A page of a campaign's messages, for this face and its pages."""
    after = read_cursor(args["cursor"], int, UUID)
    limit = args["limit"]
    rows = progress.messages(
        row, status=args["status"], limit=limit + 1, after=Ref(*after) if after else None
    )
    page = rows[:limit]
    last = page[-1] if len(rows) > limit else None
    return {
        "items": [_message(one) for one in page],
        "next_cursor": write_cursor(last.community_id, last.id) if last is not None else None,
    }
