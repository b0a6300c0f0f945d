"""Campaigns: written, cleared by their size or by a second person, launched once, watched and steered to their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, update

from app import audit, clock, db, ids, outbox
from app.audit import SYSTEM, Actor
from app.errors import Forbidden, NotFound, StaleVersion
from app.ids import Ref
from app.messaging import audience, expansion, opt_outs, previews, providers, templates
from app.messaging.campaign_models import AsOf, AudienceType, Campaign, CampaignPart, CampaignState, PartState
from app.messaging.expansion import make_batches, put_into
from app.messaging.sms_errors import (
    AlreadyLaunched,
    ApprovalNeeded,
    IllegalCampaignMove,
    NoAudience,
    NoProvider,
    NothingToRetry,
    SecondPersonNeeded,
    TemplateNotApproved,
)
from app.messaging.sms_models import (
    BatchState,
    Channel,
    MessageState,
    SmsBatch,
    SmsMessage,
    TemplateKind,
    TemplateState,
)
from app.messaging.templates import Fill
from app.people.permissions import Permission
from app.people.scopes import StaffActor

EXPAND = "messaging.expand"  # outbox kinds
FALL_BACK = "messaging.fall_back"
OBJECT_KIND = "campaign"
_GROWS_BY = 1.1  # since it was approved: somebody moved in; beyond that it is another campaign
EMERGENCY, OTHERS = 0, 5  # whose batches go first
SMS_AFTER = timedelta(hours=2)  # unless the campaign says otherwise

_S = CampaignState
_EDITABLE = frozenset({_S.DRAFT, _S.AWAITING_APPROVAL, _S.SCHEDULED})
_GOING = frozenset({_S.RUNNING, _S.PAUSED})
# What a refusal for the number is not: another try may go through once somebody has mended it.
_MENDABLE = ("cap", "message", "account", "rate", "vendor")

_approval_above = 200


def configure(*, approval_above: int) -> None:
    """From how many recipients on a second person approves (called once by `app.boot`)."""
    global _approval_above
    _approval_above = approval_above


def approval_above() -> int:
    """Above so many recipients a second person approves."""
    return _approval_above


def is_mendable(state: str, fault: str | None) -> bool:
    """Would `retry_failed` send a text message in that state again?"""
    return state == MessageState.FAILED or (state == MessageState.REFUSED and fault in _MENDABLE)


# --- reading -----------------------------------------------------------------------------------------------


def campaign_for(
    staff: StaffActor, ref: Ref, permission: Permission = Permission.CAMPAIGN_VIEW, *, lock: bool = False
) -> Campaign:
    """A campaign of which every community is in the reach of the member of staff. One to a focus group is seen by
    those who may read the group's list.

    Raises NotFound (she may not see it), Forbidden (she may, but not do this).
    """
    found = db.session().get(Campaign, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None or not set(found.communities) <= providers.communities_of(
        staff, Permission.CAMPAIGN_VIEW
    ):
        raise NotFound
    if found.audience["type"] == AudienceType.FOCUS_GROUP and not set(
        found.communities
    ) <= providers.communities_of(staff, Permission.FOCUS_READ):
        raise NotFound
    if not set(found.communities) <= providers.communities_of(staff, permission):
        raise Forbidden
    return found


def listed(staff: StaffActor, *, state: str | None, limit: int, before: UUID | None = None) -> list[Campaign]:
    """The campaigns within the reach of a member of staff, the newest first."""
    mine = sorted(providers.communities_of(staff, Permission.CAMPAIGN_VIEW))
    query = (
        select(Campaign)
        .where(Campaign.community_id.in_(mine), Campaign.communities.contained_by(mine))
        .order_by(Campaign.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(Campaign.state == state)
    reads = sorted(providers.communities_of(staff, Permission.FOCUS_READ))
    query = query.where(
        or_(
            Campaign.audience["type"].astext != AudienceType.FOCUS_GROUP,
            Campaign.communities.contained_by(reads),
        )
    )
    return list(db.session().scalars(query.where(Campaign.id < before) if before else query))


def ref_of(row: Campaign) -> Ref:
    """Its whole name."""
    return Ref(row.community_id, row.id)


def moves_of(row: Campaign) -> list[str]:
    """What may be done with it where it stands."""
    open_moves = {
        _S.DRAFT: ["submit", "launch", "cancel"],
        _S.AWAITING_APPROVAL: ["approve", "reject", "cancel"],
        _S.SCHEDULED: ["cancel"] if row.launched_at else ["launch", "cancel"],
        _S.RUNNING: ["pause", "cancel", "retry-failed"],
        _S.PAUSED: ["resume", "cancel"],
        _S.FINISHED: ["retry-failed"],
        _S.CANCELLED: [],
    }
    return open_moves[CampaignState(row.state)]


# --- writing it --------------------------------------------------------------------------------------------


def draft(
    *,
    title: str,
    template_id: UUID,
    params: Mapping[str, str],
    audience_type: str,
    audience_ids: Sequence[str],
    as_of: AsOf,
    channels: Sequence[Channel],
    sms_after_min: int | None,
    send_at: datetime | None,
    acting_user: StaffActor,
) -> Campaign:
    """A new campaign, kept in the first community of its audience.

    Raises NotFound (a template or an audience that isn't hers), AudienceNotOffered, NoAudience, TemplateNotApproved,
    and what `templates.check_params` raises.
    """
    spec, communities = _resolved(acting_user, audience_type, audience_ids)
    now = clock.now()
    row = Campaign(
        community_id=communities[0],
        id=ids.new_id(),
        title=title,
        template_id=template_id,
        params=dict(params),
        audience={"type": audience_type, "ids": list(audience_ids), "spec": spec},
        as_of=as_of,
        channels=[],
        state=_S.DRAFT,
        version=1,
        communities=communities,
        created_by=acting_user.id,
        created_at=now,
        send_at=send_at,
    )
    _set_channels(row, channels, sms_after_min)
    _check_template(row, acting_user)
    db.session().add(row)
    _record(row, "campaign.drafted", acting_user.actor, audience=audience_type)
    return row


def redraft(
    ref: Ref,
    *,
    changes: Mapping[str, Any],
    audience_type: str | None,
    audience_ids: Sequence[str],
    version: int | None,
    acting_user: StaffActor,
) -> Campaign:
    """Change a campaign that isn't launched; whoever approved it before has to look again.

    Raises NotFound, Forbidden, StaleVersion, AlreadyLaunched, IllegalCampaignMove, and what `draft` raises.
    """
    row = _locked(ref, acting_user, Permission.CAMPAIGN_EDIT, version)
    _ensure_not_launched(row)
    if row.state not in _EDITABLE:
        raise _illegal(row)
    if audience_type is not None:
        spec, communities = _resolved(acting_user, audience_type, audience_ids)
        row.audience = {"type": audience_type, "ids": list(audience_ids), "spec": spec}
        row.communities = communities
    for field in ("title", "template_id", "as_of", "send_at"):
        if field in changes:
            setattr(row, field, changes[field])
    if "params" in changes:
        row.params = dict(changes["params"])
    if "channels" in changes or "sms_after_min" in changes:
        _set_channels(
            row, changes.get("channels", row.channels), changes.get("sms_after_min", row.sms_after_min)
        )
    _check_template(row, acting_user)
    _back_to_draft(row)
    _touch(row)
    _record(row, "campaign.changed", acting_user.actor, fields=sorted(changes))
    return row


def _resolved(staff: StaffActor, kind: str, ids_: Sequence[str]) -> tuple[dict[str, Any], list[int]]:
    chosen = audience.of(kind)
    spec = chosen.resolve(staff, ids_)
    communities = chosen.communities(spec)
    if not communities:
        raise NoAudience
    # Whoever may look at these people need not be allowed to write to them.
    if not set(communities) <= providers.communities_of(staff, Permission.CAMPAIGN_EDIT):
        raise NotFound
    return spec, communities


def _set_channels(row: Campaign, channels: Sequence[str], sms_after_min: int | None) -> None:
    row.channels = [channel.value for channel in Channel if channel in channels]
    both = len(row.channels) == len(Channel)
    row.sms_after_min = (sms_after_min or int(SMS_AFTER.total_seconds() // 60)) if both else None


def _check_template(row: Campaign, staff: StaffActor) -> None:
    template = templates.template_for(staff, row.template_id, Permission.CAMPAIGN_EDIT)
    if template.state != TemplateState.APPROVED:
        raise TemplateNotApproved
    templates.check_params(template, row.params)


def _back_to_draft(row: Campaign) -> None:
    row.state = _S.DRAFT
    row.preview = row.size = None
    row.submitted_by = row.submitted_at = row.approved_by = row.approved_at = None


# --- clearing it -------------------------------------------------------------------------------------------


def submit(ref: Ref, *, version: int | None, acting_user: StaffActor) -> Campaign:
    """Hand it in. A small one is cleared to go by that; a larger one waits for a second person.

    Raises NotFound, Forbidden, StaleVersion, IllegalCampaignMove, NoAudience, NoProvider, TemplateNotApproved.
    """
    row = _locked(ref, acting_user, Permission.CAMPAIGN_EDIT, version)
    if row.state != _S.DRAFT:
        raise _illegal(row)
    _count(row)
    row.submitted_by, row.submitted_at, row.note = acting_user.id, clock.now(), None
    row.state = _S.AWAITING_APPROVAL if _is_large(row) else _S.SCHEDULED
    _touch(row)
    _record(row, "campaign.submitted", acting_user.actor, size=row.size)
    return row


def _count(row: Campaign) -> None:
    template = templates.template(row.template_id)
    if template.state != TemplateState.APPROVED:
        raise TemplateNotApproved
    if Channel.SMS in row.channels and not providers.usable(template):
        raise NoProvider(
            extra={"providers": {r.provider.code: r.why_not for r in providers.routes(template)}}
        )
    row.size = previews.size_of(row)
    if row.size == 0:
        raise NoAudience


def _is_large(row: Campaign) -> bool:
    return row.size is None or row.size > _approval_above


def approve(ref: Ref, *, version: int | None, acting_user: StaffActor) -> Campaign:
    """Clear it to go, as somebody who neither wrote nor submitted it.

    Raises NotFound, Forbidden, StaleVersion, IllegalCampaignMove, SecondPersonNeeded.
    """
    row = _locked(ref, acting_user, Permission.CAMPAIGN_APPROVE, version)
    if row.state != _S.AWAITING_APPROVAL:
        raise _illegal(row)
    if acting_user.id in {row.created_by, row.submitted_by}:
        raise SecondPersonNeeded
    row.approved_by, row.approved_at, row.state = acting_user.id, clock.now(), _S.SCHEDULED
    _touch(row)
    _record(row, "campaign.approved", acting_user.actor, size=row.size)
    return row


def reject(ref: Ref, *, reason: str, version: int | None, acting_user: StaffActor) -> Campaign:
    """Send it back with a reason. Raises NotFound, Forbidden, StaleVersion, IllegalCampaignMove, SecondPersonNeeded."""
    row = _locked(ref, acting_user, Permission.CAMPAIGN_APPROVE, version)
    if row.state != _S.AWAITING_APPROVAL:
        raise _illegal(row)
    if acting_user.id == row.submitted_by:
        raise SecondPersonNeeded
    _back_to_draft(row)
    row.note = reason
    _touch(row)
    _record(row, "campaign.rejected", acting_user.actor)
    return row


# --- running it --------------------------------------------------------------------------------------------


def launch(ref: Ref, *, version: int | None, acting_user: StaffActor) -> Campaign:
    """Let it go: now, or at its `send_at`. Once. An approval holds for as many as it was given for, and a tenth more.

    Raises NotFound, Forbidden, StaleVersion, ApprovalNeeded, AlreadyLaunched, IllegalCampaignMove, NoAudience,
    NoProvider, TemplateNotApproved.
    """
    row = _locked(ref, acting_user, Permission.CAMPAIGN_EDIT, version)
    _ensure_not_launched(row)
    if row.state == _S.AWAITING_APPROVAL:
        raise ApprovalNeeded(extra={"size": row.size})
    if row.state not in {_S.DRAFT, _S.SCHEDULED}:
        raise _illegal(row)
    now = clock.now()
    approved = (row.size or 0) if row.approved_by is not None else 0
    _count(row)
    if _is_large(row) and (row.size or 0) > approved * _GROWS_BY:
        raise ApprovalNeeded(extra={"size": row.size, "approved": approved})
    if row.submitted_at is None:
        row.submitted_by, row.submitted_at = acting_user.id, now
    row.launched_by, row.launched_at = acting_user.id, now
    if row.send_at is not None and row.send_at > now:
        row.state = _S.SCHEDULED
    else:
        _start(row)
    _touch(row)
    _record(row, "campaign.launched", acting_user.actor, size=row.size)
    return row


def _ensure_not_launched(row: Campaign) -> None:
    if row.launched_at is not None and row.state != _S.CANCELLED:
        raise AlreadyLaunched


def _start(row: Campaign) -> None:
    now = clock.now()
    row.state, row.started_at = _S.RUNNING, now
    template = templates.template(row.template_id)
    values = [
        row.params[p.name] if p.fill is Fill.CAMPAIGN else None for p in templates.parameters_of(template)
    ]
    after = timedelta(minutes=row.sms_after_min) if row.sms_after_min is not None else None
    for community_id in row.communities:
        db.session().add(
            CampaignPart(
                community_id=community_id,
                campaign_id=row.id,
                home_id=row.community_id,
                state=PartState.RUNNING,
                template_id=row.template_id,
                params=values,
                priority=EMERGENCY if template.kind == TemplateKind.EMERGENCY else OTHERS,
                taken=0,
                excluded={},
                sms_from=now + after if after is not None else None,
                started_at=now,
            )
        )
        expand_on(Ref(community_id, row.id))
        if after is not None:
            fall_back_on(Ref(community_id, row.id), at=now + after)


def expand_on(part: Ref, *, again: str = "") -> None:
    """Promise to write what is left of a part; `again` names this time among others."""
    outbox.put(
        community_id=part.community_id,
        kind=EXPAND,
        payload={"campaign_id": str(part.id)},
        idem=f"{EXPAND}:{part.id}:{again}",
    )


def fall_back_on(part: Ref, *, again: str = "", at: datetime | None = None) -> None:
    """Promise text messages to those of a part whom WeChat hasn't reached, from `at` on."""
    outbox.put(
        community_id=part.community_id,
        kind=FALL_BACK,
        payload={"campaign_id": str(part.id)},
        idem=f"{FALL_BACK}:{part.id}:{again}",
        not_before=at,
    )


def pause(ref: Ref, *, version: int | None, acting_user: StaffActor) -> Campaign:
    """No further call begins. Raises NotFound, Forbidden, StaleVersion, IllegalCampaignMove."""
    row = _locked(ref, acting_user, Permission.CAMPAIGN_EDIT, version)
    if row.state != _S.RUNNING:
        raise _illegal(row)
    _move(row, _S.PAUSED, PartState.PAUSED)
    _record(row, "campaign.paused", acting_user.actor)
    return row


def resume(ref: Ref, *, version: int | None, acting_user: StaffActor) -> Campaign:
    """Go on. Raises NotFound, Forbidden, StaleVersion, IllegalCampaignMove."""
    row = _locked(ref, acting_user, Permission.CAMPAIGN_EDIT, version)
    if row.state != _S.PAUSED:
        raise _illegal(row)
    _move(row, _S.RUNNING, PartState.RUNNING)
    _record(row, "campaign.resumed", acting_user.actor)
    return row


def cancel(ref: Ref, *, version: int | None, acting_user: StaffActor) -> Campaign:
    """End it. What hasn't begun to leave never will; what is on its way to a vendor gets its outcome.

    Raises NotFound, Forbidden, StaleVersion, IllegalCampaignMove (finished, or cancelled already).
    """
    row = _locked(ref, acting_user, Permission.CAMPAIGN_EDIT, version)
    if row.state in {_S.FINISHED, _S.CANCELLED}:
        raise _illegal(row)
    _move(row, _S.CANCELLED, PartState.CANCELLED)
    now = clock.now()
    row.ended_at = now
    db.session().execute(
        update(SmsBatch)
        .where(
            SmsBatch.community_id.in_(row.communities),
            SmsBatch.campaign_id == row.id,
            SmsBatch.state == BatchState.QUEUED,
        )
        .values(state=BatchState.CANCELLED, done_at=now, lease_until=None)
        .execution_options(synchronize_session=False)
    )
    dropped = select(SmsBatch.id).where(
        SmsBatch.community_id == SmsMessage.community_id,
        SmsBatch.campaign_id == row.id,
        SmsBatch.state == BatchState.CANCELLED,
    )
    gone = (
        db.session()
        .execute(
            update(SmsMessage)
            .where(
                SmsMessage.community_id.in_(row.communities),
                SmsMessage.campaign_id == row.id,
                SmsMessage.state == MessageState.QUEUED,
                or_(SmsMessage.batch_id.is_(None), SmsMessage.batch_id.in_(dropped)),
            )
            .values(state=MessageState.CANCELLED, settled_at=now)
            .returning(SmsMessage.phone_hash, SmsMessage.created_at, SmsMessage.attempts)
            .execution_options(synchronize_session=False)
        )
        .all()
    )
    never_tried = [(phone_hash, written_at) for phone_hash, written_at, attempts in gone if not attempts]
    expansion.uncount(never_tried, kind=templates.template(row.template_id).kind)
    _record(row, "campaign.cancelled", acting_user.actor)
    return row


def _move(row: Campaign, state: CampaignState, of_parts: PartState) -> None:
    """The campaign, and its parts in the order of their communities: whoever locks several does it so."""
    row.state = state
    for part in db.session().scalars(
        select(CampaignPart)
        .where(CampaignPart.community_id.in_(row.communities), CampaignPart.campaign_id == row.id)
        .order_by(CampaignPart.community_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ):
        part.state = of_parts
    _touch(row)


def retry_failed(ref: Ref, *, version: int | None, acting_user: StaffActor) -> tuple[Campaign, int]:
    """Send once more what failed to arrive, or was refused for a reason that can be mended; how many. In new batches,
    so that a late receipt of the first try changes nothing. What is unknown is settled first, and not touched here.

    Raises NotFound, Forbidden, StaleVersion, IllegalCampaignMove, NothingToRetry, NoProvider.
    """
    row = _locked(ref, acting_user, Permission.CAMPAIGN_EDIT, version)
    if row.state not in {_S.RUNNING, _S.FINISHED}:
        raise _illegal(row)
    template = templates.template(row.template_id)
    usable = providers.usable(template)
    if not usable:
        raise NoProvider
    despite = opt_outs.must_go_out(
        template.kind, must_reach=audience.of(row.audience["type"]).must_reach(row.audience["spec"])
    )
    now, count = clock.now(), 0
    for part in parts_of(row, lock=True):
        failed = dict(
            db.session()
            .execute(
                select(SmsMessage.id, SmsMessage.phone_hash)
                .where(
                    SmsMessage.community_id == part.community_id,
                    SmsMessage.campaign_id == row.id,
                    SmsMessage.channel == Channel.SMS,
                    or_(
                        SmsMessage.state == MessageState.FAILED,
                        (SmsMessage.state == MessageState.REFUSED) & SmsMessage.fault.in_(_MENDABLE),
                    ),
                )
                .order_by(SmsMessage.id)
                .with_for_update()
            )
            .all()
        )
        stopped = set() if despite else opt_outs.opted_out(set(failed.values()))
        again = [message for message, phone_hash in failed.items() if phone_hash not in stopped]
        if again:
            personal = templates.is_personal(template)
            put_into(part.community_id, make_batches(part, again, usable=usable, personal=personal, now=now))
            part.state = PartState.RUNNING
        count += len(again)
    if not count:
        raise NothingToRetry
    row.state, row.ended_at = _S.RUNNING, None
    _touch(row)
    _record(row, "campaign.retried", acting_user.actor, messages=count)
    return row, count


def parts_of(row: Campaign, *, lock: bool = False) -> list[CampaignPart]:
    """Its parts, by community; none before it starts."""
    query = (
        select(CampaignPart)
        .where(CampaignPart.community_id.in_(row.communities), CampaignPart.campaign_id == row.id)
        .order_by(CampaignPart.community_id)
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return list(db.session().scalars(query))


# --- by the clock ------------------------------------------------------------------------------------------


def going_everywhere() -> list[Ref]:
    """Campaigns that may have to be started, or may have come to their end; for the periodic job."""
    rows = db.session().execute(
        select(Campaign.community_id, Campaign.id)
        .where(
            or_(
                Campaign.state == _S.RUNNING,
                (Campaign.state == _S.SCHEDULED)
                & Campaign.launched_at.is_not(None)
                & (Campaign.send_at <= clock.now()),
            )
        )
        .execution_options(cross_community="periodic jobs")
    )
    return [Ref(*row) for row in rows]


def advance(ref: Ref) -> None:
    """Start what is due, promise again to expand what nobody expands, end what is over. May run at any time."""
    row = db.session().get(Campaign, ref, with_for_update=True, populate_existing=True)
    if row is None:
        return
    now = clock.now()
    if row.state == _S.SCHEDULED and row.launched_at is not None:
        if row.send_at is None or row.send_at <= now:
            _start(row)
            _touch(row)
            _record(row, "campaign.started", SYSTEM)
        return
    if row.state != _S.RUNNING:
        return
    parts = parts_of(row, lock=True)
    left = [part for part in parts if part.expanded_at is None]
    for part in left:
        expand_on(Ref(part.community_id, row.id), again=f"{now:%Y%m%d%H}")
    for part in parts:
        if part.sms_from is not None and part.sms_from <= now and expansion.waits_for_wechat(part):
            fall_back_on(Ref(part.community_id, row.id), again=f"{now:%Y%m%d%H}")
    if left or _is_going(row):
        return
    for part in parts:
        part.state = PartState.FINISHED
    row.state, row.ended_at = _S.FINISHED, now
    _touch(row)
    _record(row, "campaign.finished", SYSTEM)


def _is_going(row: Campaign) -> bool:
    """Is there a batch that may still leave or whose fate is open, or anybody whose WeChat is waited for?"""
    batch = db.session().scalar(
        select(SmsBatch.id)
        .where(
            SmsBatch.community_id.in_(row.communities),
            SmsBatch.campaign_id == row.id,
            SmsBatch.state.in_((BatchState.QUEUED, BatchState.SENDING, BatchState.UNKNOWN)),
        )
        .limit(1)
    )
    if batch is not None:
        return True
    waiting = db.session().scalar(
        select(SmsMessage.id)
        .where(
            SmsMessage.community_id.in_(row.communities),
            SmsMessage.campaign_id == row.id,
            SmsMessage.state.in_((MessageState.QUEUED, MessageState.SENDING)),
        )
        .limit(1)
    )
    return waiting is not None


# --- what they share ---------------------------------------------------------------------------------------


def _locked(ref: Ref, staff: StaffActor, permission: Permission, version: int | None) -> Campaign:
    row = campaign_for(staff, ref, permission, lock=True)
    if version is not None and version != row.version:
        raise StaleVersion
    return row


def _illegal(row: Campaign) -> IllegalCampaignMove:
    return IllegalCampaignMove(extra={"state": row.state, "allowed": moves_of(row)})


def _touch(row: Campaign) -> None:
    row.version += 1


def _record(row: Campaign, action: str, actor: Actor, **details: Any) -> None:
    audit.record(
        actor,
        action,
        community_id=row.community_id,
        object_kind=OBJECT_KIND,
        object_id=row.id,
        **details,
    )
