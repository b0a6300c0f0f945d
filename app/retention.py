"""How long each table keeps its rows: one declaration for every table, and the work that makes it true.

A rule says which rows are overdue at a moment. The periodic queue deletes them, or empties their personal fields, a
batch at a time. What may never be rewritten (`append_only`) is deleted by the retention role alone. docs/tables.md
shows these rules; a structure test refuses a table without one; another moves the clock five years and compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    NullPool,
    Select,
    Table,
    and_,
    create_engine,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)

from app import audit, clock, db, idempotency, ids, outbox
from app.displays import models as displays
from app.duty import models as duty
from app.focus import models as focus
from app.media import models as media
from app.media import paper_models, papers
from app.media import service as media_service
from app.memberships import binding, following, locks
from app.memberships import models as memberships
from app.messaging import campaign_models as campaigns
from app.messaging import inbound_models as inbound
from app.messaging import models as messaging
from app.messaging import sms_models as sms
from app.messaging import staff as staff_inbox
from app.notices import models as notices
from app.patrol import models as patrol
from app.patrol import walking
from app.people import dossier
from app.people import models as people
from app.places import registry_models as registry
from app.queue import Job
from app.revenue import import_models as ledger_imports
from app.revenue import models as revenue
from app.sources import models as sources
from app.sources import service as sources_service
from app.tables import metadata
from app.tickets import models as tickets
from app.tickets import own_section
from app.voting import ballot_models as ballots
from app.voting import ledger_models as ledgers
from app.voting import models as voting
from app.voting import roll_models as rolls

YEAR = timedelta(days=365)
MONTH = timedelta(days=30)
PERSON_KEPT = 3 * YEAR  # of a ticket, after its end: as long as a claim can be brought (民法典 188)
FILE_KEPT = 5 * YEAR  # what was said, seen and done about it
# More than the 6 months of 网络安全法 21; records of sharing are kept so long (网数条例 12).
LOG_KEPT = 3 * YEAR
ACCOUNT_KEPT = 3 * YEAR  # without a login
UNDECIDED_KEPT = timedelta(days=180)  # a request to bind on which staff never decided
_CAMPAIGN_KEPT = FILE_KEPT + MONTH  # longer than its messages, which name it
BATCH = 500
MEMBERSHIP = "membership"  # what papers hang at

Overdue = Callable[[datetime], ColumnElement[bool]]


@dataclass(frozen=True)
class Rule:
    """One rule of a table. `says`: for the page. `overdue`: the rows it is about, none when everything is kept.

    `blanks`: these columns are emptied instead of the row being deleted. `by`: the job that does it. `step`: a function
    of its own that takes a batch and says how many rows it dealt with. `elsewhere`: other work takes the rows away.
    A row that another one points to waits for that one.
    """

    says: str
    overdue: Overdue | None = None
    blanks: dict[str, Any] = field(default_factory=dict)
    by: Job = Job.RETAIN
    step: Callable[[datetime, int], int] | None = None
    elsewhere: bool = False


def kept(why: str) -> tuple[Rule, ...]:
    """Kept as long as what it describes exists."""
    return (Rule(why),)


def _older(column: Any, after: timedelta, says: str, *where: Any, **more: Any) -> Rule:
    return Rule(says, lambda now: and_(column < now - after, *where), **more)


def _before_day(column: Any, after: timedelta, says: str) -> Rule:
    return Rule(says, lambda now: column < clock.in_shanghai(now - after).date())


def _ended(now: datetime, after: timedelta) -> ColumnElement[bool]:
    return tickets.Ticket.ended_at < now - after


def _of_ticket(community: Any, ticket: Any, after: timedelta = FILE_KEPT) -> Overdue:
    """Belongs to a ticket that ended so long ago."""
    t = tickets.Ticket
    return lambda now: exists().where(t.community_id == community, t.id == ticket, _ended(now, after))


def _file(model: Any, says: str = "5 years after the end of its ticket", **more: Any) -> tuple[Rule, ...]:
    column = model.ticket_id
    return (Rule(says, _of_ticket(model.community_id, column), **more),)


# --- what needs more than a statement --------------------------------------------------------------------


def _forget_people(now: datetime, limit: int) -> int:
    """Tickets whose time with their people is over."""
    t = tickets.Ticket
    rows = (
        db.session()
        .execute(
            select(t.community_id, t.id)
            .where(_names_somebody(now))
            .limit(limit)
            .execution_options(cross_community="retention")
        )
        .all()
    )
    for community_id, ticket_id in rows:
        own_section.unname(ids.Ref(community_id, ticket_id))
    return len(rows)


def _names_somebody(now: datetime) -> ColumnElement[bool]:
    t = tickets.Ticket
    named = (t.reporter_id, t.reporter_name_sealed, t.contact_phone_sealed, t.contact_hash)
    return and_(_ended(now, PERSON_KEPT), or_(*(column.is_not(None) for column in named)))


def _close_accounts(now: datetime, limit: int) -> int:
    """Accounts that nobody has used for three years."""
    rows = (
        db.session()
        .scalars(
            select(people.Resident.id)
            .where(people.Resident.last_seen_at < now - ACCOUNT_KEPT)
            .limit(max(1, limit // 10))
            .execution_options(cross_community="retention")
        )
        .all()
    )
    for resident_id in rows:
        dossier.close(resident_id=resident_id, actor=audit.SYSTEM)
    return len(rows)


def _end_undecided(now: datetime, limit: int) -> int:
    """Requests to bind that nobody decided on."""
    return following.end_undecided(before=now - UNDECIDED_KEPT, limit=limit)


def _membership_is_old(now: datetime) -> ColumnElement[bool]:
    m = memberships.Membership
    return and_(m.status.not_in([*memberships.OPEN]), m.updated_at < now - PERSON_KEPT)


def _of_one_that_is_over() -> ColumnElement[bool]:
    """An objection to a membership that has ended or was refused."""
    m, o = memberships.Membership, memberships.Objection
    return exists().where(
        m.community_id == o.community_id, m.id == o.membership_id, m.status.not_in([*memberships.OPEN])
    )


def _paper_is_old(now: datetime) -> ColumnElement[bool]:
    paper, m = paper_models.AttachedPaper, memberships.Membership
    of_membership = exists().where(
        paper.object_kind == MEMBERSHIP,
        m.community_id == paper.community_id,
        m.id == paper.object_id,
        _membership_is_old(now),
    )
    return or_(
        of_membership, _paper_of_vote_is_old(paper.object_kind, paper.community_id, paper.object_id, now)
    )


def _decision_is_old(now: datetime) -> ColumnElement[bool]:
    """Nothing has happened to it for five years: it is archived, cancelled, or was never announced."""
    return voting.Decision.updated_at < now - FILE_KEPT


def _of_decision(community: Any, decision: Any) -> Overdue:
    """Belongs to the file of a decision that is that old."""
    d = voting.Decision
    return lambda now: exists().where(d.community_id == community, d.id == decision, _decision_is_old(now))


def _decision_file(*models: Any) -> dict[str, tuple[Rule, ...]]:
    says = "5 years after the last thing that happened to its decision"
    return {
        model.__tablename__: (Rule(says, _of_decision(model.community_id, model.decision_id)),)
        for model in models
    }


def _petition_is_old(now: datetime) -> ColumnElement[bool]:
    return voting.Petition.expires_at < now - FILE_KEPT


def _of_petition(now: datetime) -> ColumnElement[bool]:
    p, signature = voting.Petition, voting.PetitionSignature
    return exists().where(
        p.community_id == signature.community_id, p.id == signature.petition_id, _petition_is_old(now)
    )


def _paper_of_vote_is_old(kind: Any, community: Any, object_id: Any, now: datetime) -> ColumnElement[bool]:
    """A sheet, an authorisation or an authority's result whose decision is that old."""
    d = voting.Decision
    return or_(
        *(
            and_(
                kind == name,
                exists().where(
                    model.community_id == community,
                    model.id == object_id,
                    d.community_id == model.community_id,
                    d.id == model.decision_id,
                    _decision_is_old(now),
                ),
            )
            for name, model in _VOTE_PAPERS.items()
        )
    )


_VOTE_PAPERS: dict[str, Any] = {
    "paper_ballot": ballots.PaperBallot,
    "proxy": ballots.Proxy,
    "official_result": ledgers.OfficialResult,
    "delivery": voting.DecisionEvent,
}


def _throw_papers_away(now: datetime, limit: int) -> int:
    """What proved a membership that has long ended, or a vote that was long ago."""
    paper = paper_models.AttachedPaper
    rows = (
        db.session()
        .execute(
            select(paper.object_kind, paper.community_id, paper.object_id)
            .where(_paper_is_old(now))
            .distinct()
            .limit(limit)
            .execution_options(cross_community="retention")
        )
        .all()
    )
    for kind, community_id, object_id in rows:
        papers.throw_away(object_kind=kind, ref=ids.Ref(community_id, object_id))
    return len(rows)


def _photo_is_old(now: datetime) -> ColumnElement[bool]:
    p = media.Photo
    m = memberships.Membership
    of_ticket = and_(
        p.object_kind == own_section.OBJECT_KIND, _of_ticket(p.community_id, p.object_id, FILE_KEPT)(now)
    )
    of_membership = and_(
        p.object_kind == MEMBERSHIP,
        exists().where(m.community_id == p.community_id, m.id == p.object_id, _membership_is_old(now)),
    )
    return or_(
        of_ticket, of_membership, _paper_of_vote_is_old(p.object_kind, p.community_id, p.object_id, now)
    )


def _delete_photos(now: datetime, limit: int) -> int:
    """Pictures of old tickets, with their files."""
    rows = (
        db.session()
        .execute(
            select(media.Photo.community_id, media.Photo.id)
            .where(_photo_is_old(now))
            .limit(limit)
            .execution_options(cross_community="retention")
        )
        .all()
    )
    media_service.delete_photos([ids.Ref(*row) for row in rows])
    return len(rows)


# --- the rules -------------------------------------------------------------------------------------------

_T = tickets.Ticket
_PLACE = "as long as the place, house or organisation; history is dated. Names nobody"
_RULE = "as long as the street: what held when. Names nobody"
_ACCOUNT = "as long as the account"

_PLACES = (
    *("regions", "region_terms", "orgs", "estates", "estate_terms", "buildings", "units", "houses"),
    *("grids", "grid_covers", "responsibilities", "registry_stamps", "number_counters"),
)
_RULEBOOK = (
    *("calendar_days", "calendar_versions", "categories", "category_terms", "routing_rules"),
    *(
        "routing_rule_terms",
        "assessments",
        "duty_posts",
        "patrol_points",
        "patrol_plans",
        "patrol_plan_terms",
    ),
    *("focus_kinds", "focus_kind_terms"),
    *("sms_providers", "sms_provider_caps", "sms_templates", "sms_template_mappings"),
    *("revenue_settings", "revenue_categories", "revenue_contracts", "revenue_drafts", "revenue_periods"),
    *("revenue_budgets", "revenue_budget_lines"),
    *("patrol_stops", "patrol_settings", "patrol_zones", "patrol_zone_grades", "sources", "source_lanes"),
)


def _no_account(column: Any) -> Overdue:
    return lambda _: ~exists().where(people.Resident.id == column)


def _holding_is_old(now: datetime) -> ColumnElement[bool]:
    return registry.Holding.valid_to < clock.in_shanghai(now - FILE_KEPT).date()


def _of_holding(community: Any, holding: Any) -> Overdue:
    """Belongs to a holding that is no longer kept."""
    h = registry.Holding
    return lambda now: exists().where(h.community_id == community, h.id == holding, _holding_is_old(now))


def _tag_is_old(now: datetime) -> ColumnElement[bool]:
    """Nobody has been listed by it for a year: it ended, its last day is over, or its group is no longer kept."""
    tag, term = focus.FocusTag, focus.FocusKindTerm
    day = clock.in_shanghai(now - YEAR).date()
    in_force = exists().where(term.code == tag.kind, or_(term.valid_to.is_(None), term.valid_to >= day))
    return or_(tag.ended_at < now - YEAR, tag.valid_to < day, ~in_force)


def _owns_nothing(now: datetime) -> ColumnElement[bool]:
    """Named by no holding, membership, choice of a voter or focus group that is kept, and by nobody who is the same."""
    o, twin = registry.Owner, registry.Owner.__table__.alias()
    h, member = registry.Holding, registry.HoldingOwner
    m, choice = memberships.Membership, memberships.VoterChoice
    person, tag = focus.FocusPerson, focus.FocusTag
    kept_holding = or_(h.valid_to.is_(None), ~_holding_is_old(now))
    holds = exists().where(
        member.community_id == o.community_id,
        member.owner_id == o.id,
        h.community_id == member.community_id,
        h.id == member.holding_id,
        kept_holding,
    )
    bound = exists().where(m.community_id == o.community_id, m.owner_id == o.id, ~_membership_is_old(now))
    chosen = exists().where(
        choice.community_id == o.community_id,
        or_(choice.owner_id == o.id, choice.chosen_id == o.id),
        h.community_id == choice.community_id,
        h.id == choice.holding_id,
        kept_holding,
    )
    listed = exists().where(
        person.community_id == o.community_id,
        person.owner_id == o.id,
        tag.community_id == person.community_id,
        tag.person_id == person.id,
        ~_tag_is_old(now),
    )
    same = exists().where(twin.c.community_id == o.community_id, twin.c.same_as == o.id)
    # What a vote's file names goes with that file.
    in_votes = or_(
        *(
            exists().where(model.community_id == o.community_id, model.owner_id == o.id)
            for model in (
                rolls.RollOwner,
                voting.Candidate,
                voting.CandidateBacker,
                voting.PetitionSignature,
            )
        )
    )
    return and_(o.updated_at < now - FILE_KEPT, ~holds, ~bound, ~chosen, ~listed, ~same, ~in_votes)


def _no_proof(now: datetime) -> ColumnElement[bool]:
    m, part, template = sms.SmsMessage, campaigns.CampaignPart, sms.SmsTemplate
    of_decision = exists().where(
        part.community_id == m.community_id,
        part.campaign_id == m.campaign_id,
        template.id == part.template_id,
        template.kind.startswith("decision_"),
    )
    return and_(m.created_at < now - YEAR, or_(m.created_at < now - FILE_KEPT, ~of_decision))


def _untagged(_: datetime) -> ColumnElement[bool]:
    person, tag = focus.FocusPerson, focus.FocusTag
    return ~exists().where(tag.community_id == person.community_id, tag.person_id == person.id)


RULES: dict[str, tuple[Rule, ...]] = {
    # Places and their rules.
    **dict.fromkeys(_PLACES, kept(_PLACE)),
    **dict.fromkeys(_RULEBOOK, kept(_RULE)),
    "registry_marks": kept(
        "as long as the house or owner: names of fields and where they came from, no value"
    ),
    "registry_imports": kept(
        "for ever, because marks point here; the file itself 30 days, or until it is applied"
    ),
    "registry_problems": (
        Rule(
            "1 year after the import; no value is in it",
            lambda now: exists().where(
                registry.RegistryImport.community_id == registry.ImportProblem.community_id,
                registry.RegistryImport.id == registry.ImportProblem.import_id,
                registry.RegistryImport.created_at < now - YEAR,
            ),
        ),
    ),
    "holdings": (Rule("5 years after the house changed hands", _holding_is_old),),
    "holding_owners": (
        Rule(
            "with their holding",
            _of_holding(registry.HoldingOwner.community_id, registry.HoldingOwner.holding_id),
        ),
    ),
    "owners": (
        Rule(
            "5 years after the last change, once nothing that is kept names them",
            _owns_nothing,
        ),
    ),
    "holding_voters": (
        Rule(
            "with their holding",
            _of_holding(registry.HoldingVoter.community_id, registry.HoldingVoter.holding_id),
        ),
    ),
    "voter_choices": (
        Rule(
            "with their holding",
            _of_holding(memberships.VoterChoice.community_id, memberships.VoterChoice.holding_id),
        ),
    ),
    "memberships": (
        Rule("3 years after it ended or was refused", _membership_is_old),
        _older(
            memberships.Membership.updated_at,
            UNDECIDED_KEPT,
            "a request without a decision ends after 180 days, and its papers go",
            memberships.Membership.status == memberships.MembershipStatus.PENDING,
            step=_end_undecided,
        ),
    ),
    "membership_alerts": (_older(memberships.MembershipAlert.created_at, YEAR, "1 year"),),
    "membership_objections": (
        _older(
            memberships.Objection.created_at,
            PERSON_KEPT,
            "3 years, once it is settled or its membership is over",
            or_(memberships.Objection.settled_at.is_not(None), _of_one_that_is_over()),
        ),
    ),
    "registration_reminders": (_older(memberships.RegistrationReminder.at, YEAR, "1 year"),),
    "binding_tries": (
        _older(memberships.BindingTries.last_at, locks.KEPT, "a day after the last one", by=Job.TIDY),
    ),
    "papers": (
        _older(
            paper_models.Paper.created_at,
            papers.KEEP_UNATTACHED,
            "attached to nothing: 24 hours; else with what it proves",
            paper_models.Paper.attached_community_id.is_(None),
            elsewhere=True,
        ),
    ),
    "attached_papers": (
        Rule(
            "3 years after the end of what it proves, with the file; of a notice: for ever",
            _paper_is_old,
            step=_throw_papers_away,
        ),
    ),
    "focus_tags": (
        Rule("1 year after it ended; one without consent, or a mistake, goes at once", _tag_is_old),
    ),
    "focus_persons": (Rule("with the last of their tags", _untagged),),
    # People.
    "residents": (
        Rule(
            "as long as the account; closed by itself after 3 years without a login",
            lambda now: people.Resident.last_seen_at < now - ACCOUNT_KEPT,
            step=_close_accounts,
        ),
    ),
    "identity_keys": (Rule(_ACCOUNT, _no_account(people.IdentityKey.person_id), elsewhere=True),),
    "identity_marks": (
        _older(
            people.IdentityMark.at,
            binding.HOLD,
            "that a phone went over: 7 days",
            people.IdentityMark.kind == people.MarkKind.TAKEN,
        ),
        _older(
            people.IdentityMark.at,
            YEAR,
            "a refusal at a house: 1 year",
            people.IdentityMark.kind == people.MarkKind.REFUSED,
        ),
    ),
    "person_keys": kept("a resident's as long as the account; others' as long as their words are kept"),
    "consents": (Rule(_ACCOUNT, _no_account(people.Consent.resident_id), elsewhere=True),),
    "subscribe_credits": (
        Rule(_ACCOUNT, _no_account(messaging.SubscribeCredit.resident_id), elsewhere=True),
    ),
    "resident_index": (
        Rule(
            _ACCOUNT + ", and until 3 years after the end of the ticket",
            _of_ticket(people.ResidentIndex.community_id, people.ResidentIndex.object_id, PERSON_KEPT),
        ),
    ),
    "resident_sessions": (
        Rule(
            "30 days after the login ended",
            lambda now: (
                func.coalesce(people.ResidentSession.ended_at, people.ResidentSession.expires_at)
                < now - MONTH
            ),
        ),
    ),
    "client_tokens": (
        _older(tickets.ClientToken.created_at, MONTH, "30 days: a tap isn't tried again later"),
    ),
    "idempotency_keys": (
        _older(idempotency.IdempotencyKey.created_at, idempotency.KEPT, "24 hours", by=Job.TIDY),
    ),
    "login_attempts": (
        _older(people.LoginAttempts.last_at, timedelta(days=1), "1 day after the last one", by=Job.TIDY),
    ),
    "staff": kept("as long as anything names who did it: official acts have names (政府信息公开)"),
    "staff_recovery_codes": (
        Rule(
            "until another set is made; used ones 1 year",
            lambda now: people.RecoveryCode.used_at < now - YEAR,
        ),
    ),
    "staff_roles": kept("as long as the account: who could see what, when"),
    "staff_sessions": (
        Rule(
            "30 days after the login ended",
            lambda now: (
                func.coalesce(people.StaffSession.ended_at, people.StaffSession.expires_at) < now - MONTH
            ),
        ),
    ),
    "displays": (
        Rule(
            "3 years after it was revoked or its time was over",
            lambda now: func.least(displays.Display.revoked_at, displays.Display.expires_at) < now - LOG_KEPT,
        ),
    ),
    "audit_log": (_older(audit.AuditRow.at, LOG_KEPT, "3 years (at least 6 months: 网络安全法 21)"),),
    # Messages.
    "inbox": (_older(messaging.InboxMessage.created_at, YEAR, "1 year"),),
    "staff_inbox": (_older(messaging.StaffNotice.created_at, staff_inbox.KEPT, "180 days", by=Job.TIDY),),
    "wechat_notices": (_older(messaging.WeChatNotice.created_at, 3 * MONTH, "90 days"),),
    "wechat_events": (_older(messaging.WeChatEvent.received_at, MONTH, "30 days"),),
    "sms_inbound": (_older(inbound.SmsInbound.received_at, MONTH, "30 days"),),
    "sms_serials": (_older(inbound.SmsSerial.created_at, MONTH, "30 days: receipts come within days"),),
    "campaigns": (_older(campaigns.Campaign.created_at, _CAMPAIGN_KEPT, "5 years and a month"),),
    "campaign_parts": (_older(campaigns.CampaignPart.started_at, FILE_KEPT, "5 years"),),
    "campaign_recipients": (
        Rule(
            "with the campaign",
            lambda _: ~exists().where(campaigns.Campaign.id == campaigns.CampaignRecipient.campaign_id),
        ),
    ),
    "sms_batches": (_older(sms.SmsBatch.created_at, FILE_KEPT, "5 years"),),
    "sms_messages": (Rule("1 year; of a decision 5 years: proof of who was told", _no_proof),),
    "recipient_lists": (_older(campaigns.RecipientList.created_at, YEAR, "1 year"),),
    "recipient_list_entries": (
        Rule(
            "1 year",
            lambda now: exists().where(
                campaigns.RecipientList.community_id == campaigns.RecipientListEntry.community_id,
                campaigns.RecipientList.id == campaigns.RecipientListEntry.list_id,
                campaigns.RecipientList.created_at < now - YEAR,
            ),
        ),
    ),
    "sms_number_days": (_before_day(sms.SmsNumberDay.day, MONTH, "30 days"),),
    "opt_outs": kept("until she wants messages again"),
    "outbox": (
        _older(
            outbox.Outbox.created_at,
            timedelta(days=7),
            "done: 7 days",
            outbox.Outbox.state == outbox.OutboxState.DONE,
            by=Job.TIDY,
        ),
        _older(
            outbox.Outbox.created_at,
            3 * MONTH,
            "failed: 90 days",
            outbox.Outbox.state == outbox.OutboxState.FAILED,
        ),
    ),
    # Tickets.
    "tickets": (
        Rule(
            "who reported it, and the phone left: 3 years after the end",
            _names_somebody,
            step=_forget_people,
        ),
        Rule(
            "words, answers and position: 5 years after the end; number, class, times and units stay for the figures",
            lambda now: and_(
                _ended(now, FILE_KEPT),
                or_(_T.text.is_not(None), _T.address.is_not(None), _T.lng.is_not(None), _T.answers != {}),
            ),
            blanks={
                "text": None,
                "answers": {},
                "address": None,
                "lng": None,
                "lat": None,
                "accuracy_m": None,
                "suggested_why": None,
            },
        ),
    ),
    "ticket_events": _file(tickets.TicketEvent),
    "ticket_extensions": _file(tickets.Extension),
    "ticket_parts": _file(tickets.Part),
    "ticket_callbacks": _file(tickets.Callback),
    "ticket_letters": _file(tickets.TicketLetters),
    "ticket_matches": _file(tickets.TicketMatch),
    "ticket_match_dismissals": (
        Rule(
            "5 years after the end of its ticket",
            _of_ticket(tickets.MatchDismissal.community_id, tickets.MatchDismissal.one_id),
        ),
    ),
    "ticket_followers": (
        Rule(
            "3 years after the end of the ticket",
            _of_ticket(tickets.Follower.community_id, tickets.Follower.ticket_id, PERSON_KEPT),
        ),
    ),
    "ticket_stints": kept("for ever, for the figures: units and times, no person who reported"),
    "photos": (
        Rule(
            "5 years after the end of its ticket, 3 after that of its membership",
            _photo_is_old,
            step=_delete_photos,
        ),
        Rule(
            "where it was taken: 30 days after the end of the ticket",
            lambda now: and_(
                media.Photo.position_sealed.is_not(None),
                _of_ticket(media.Photo.community_id, media.Photo.object_id, MONTH)(now),
            ),
            blanks={"position_sealed": None},
        ),
    ),
    "uploads": (
        _older(
            media.Upload.created_at,
            media_service.KEEP_UNATTACHED,
            "attached to nothing: 24 hours",
            media.Upload.attached_community_id.is_(None),
            by=Job.EXPIRE_UPLOADS,
        ),
        _older(
            media.Upload.created_at,
            3 * MONTH,
            "attached: until it is settled, 90 days at most",
            media.Upload.attached_community_id.is_not(None),
        ),
    ),
    "media_checks": (_older(media.MediaCheck.asked_at, MONTH, "30 days"),),
    # Votes. What was decided stays for ever; who was on the roll and voted, five years.
    **dict.fromkeys(
        ("procedure_rules", "voting_modes"), kept("as long as the estate: what held when. Names nobody")
    ),
    **dict.fromkeys(
        ("decisions", "motions", "certified_results", "poll_results"),
        kept("for ever: what the owners decided, by which majority. Names nobody"),
    ),
    "signing_keys": kept("for ever: old receipts and heads are checked by them"),
    **_decision_file(
        voting.Candidate,
        voting.DecisionEvent,
        voting.DecisionObjection,
        rolls.RollHead,
        rolls.RollHouse,
        rolls.RollOwner,
        rolls.Delivery,
        rolls.DeliveryEntry,
        rolls.DeliveryEntryHead,
        rolls.PaperRequest,
        rolls.VoteAttempt,
        ballots.Ballot,
        ballots.PaperBallot,
        ballots.Proxy,
        ledgers.Ledger,
        ledgers.BallotLeaf,
        ledgers.LedgerNode,
        ledgers.TreeHead,
        ledgers.Anchor,
        ledgers.Opening,
        ledgers.OfficialResult,
    ),
    "candidate_backers": (
        Rule(
            "with their candidate",
            lambda now: exists().where(
                voting.Candidate.community_id == voting.CandidateBacker.community_id,
                voting.Candidate.id == voting.CandidateBacker.candidate_id,
                _of_decision(voting.Candidate.community_id, voting.Candidate.decision_id)(now),
            ),
        ),
    ),
    "petitions": (Rule("5 years after it ran out", _petition_is_old),),
    "petition_signatures": (Rule("with their petition", _of_petition),),
    # Other systems.
    "source_keys": (Rule("1 year after they ended", lambda now: sources.SourceKey.ended_at < now - YEAR),),
    "source_nonces": (
        _older(sources.SourceNonce.seen_at, sources_service.NONCE_KEPT, "1 hour", by=Job.TIDY),
    ),
    "source_claims": (
        _older(sources.SourceClaim.received_at, FILE_KEPT, "5 years: a number is handed in once"),
    ),
    "source_tickets": (
        Rule(
            "5 years after the end of its ticket",
            _of_ticket(sources.SourceTicket.community_id, sources.SourceTicket.ticket_id),
        ),
    ),
    "source_statuses": (
        _older(
            sources.SourceStatus.queued_at,
            sources_service.STATUS_KEPT,
            "told: 90 days",
            sources.SourceStatus.state != sources.StatusState.OPEN,
            by=Job.TIDY,
        ),
    ),
    # Public revenue: what was published stays, because every later balance rests on it.
    "revenue_lines": kept("for ever: published figures. Whom money came from or went to, as published"),
    "revenue_statements": kept("for ever: published figures, in a chain of hashes"),
    "revenue_renderings": kept("as long as what it shows: what is covered, and hashes of pages"),
    "revenue_contract_changes": kept("for ever: what of a contract was changed, and which two agreed"),
    "revenue_imports": kept(
        "for ever: who entered what from which file; the file 30 days, or until it is applied"
    ),
    "revenue_import_problems": (
        Rule(
            "1 year after the import; no value is in it",
            lambda now: exists().where(
                ledger_imports.RevenueImport.community_id == ledger_imports.RevenueImportProblem.community_id,
                ledger_imports.RevenueImport.id == ledger_imports.RevenueImportProblem.import_id,
                ledger_imports.RevenueImport.created_at < now - YEAR,
            ),
        ),
    ),
    "revenue_objections": (
        Rule(
            "the answer for ever; who objected and her words 3 years after it",
            lambda now: and_(
                revenue.RevenueObjection.answered_at < now - PERSON_KEPT,
                or_(
                    revenue.RevenueObjection.resident_id.is_not(None),
                    revenue.RevenueObjection.text.is_not(None),
                ),
            ),
            blanks={"resident_id": None, "text": None},
        ),
    ),
    # Notices: what was told to whom, and when, is public.
    **dict.fromkeys(
        ("notices", "notice_revisions", "notice_places"), kept("for ever: what was published. Names nobody")
    ),
    "notice_reads": (_older(notices.NoticeRead.read_at, PERSON_KEPT, "3 years"),),
    # Staff at work.
    "duty_turns": (_before_day(duty.Turn.valid_to, YEAR, "1 year after they ended"),),
    "duty_day_changes": (_before_day(duty.DayChange.day, YEAR, "1 year"),),
    "duty_standings": (_before_day(duty.Standing.day, YEAR, "1 year after the last turn"),),
    "patrol_open_shifts": kept("until the shift ends"),
    "patrol_visits": (_older(patrol.Visit.at, PERSON_KEPT, "3 years"),),
    "patrol_shifts": (
        _older(
            patrol.Shift.started_at,
            PERSON_KEPT,
            "3 years",
            patrol.Shift.ended_at.is_not(None),
        ),
        Rule(
            "where the track stands: 30 days after the end",
            lambda now: and_(
                patrol.Shift.head_sealed.is_not(None),
                func.coalesce(patrol.Shift.ended_at, patrol.Shift.cap_at) < now - walking.KEPT,
            ),
            by=Job.ERASE_TRACKS,
        ),
    ),
    "patrol_tracks": (_older(patrol.Track.to_at, walking.KEPT, "30 days", by=Job.ERASE_TRACKS),),
    "patrol_readings": (_older(patrol.Reading.at, walking.KEPT, "30 days", by=Job.ERASE_TRACKS),),
}


# --- the work --------------------------------------------------------------------------------------------


def in_order() -> list[tuple[Table, Rule]]:
    """What the retention job does itself: first what closes and unnames, then children before their parents."""
    tables = [(table, rule) for table in reversed(metadata().sorted_tables) for rule in RULES[table.name]]
    own = [(t, r) for t, r in tables if r.by is Job.RETAIN and r.overdue is not None and not r.elsewhere]
    return [pair for pair in own if pair[1].step] + [pair for pair in own if not pair[1].step]


def overdue(table: Table, rule: Rule, now: datetime) -> Select[Any]:
    """The keys of the rows of this table that the rule is about at that moment."""
    assert rule.overdue is not None
    return (
        select(*table.primary_key.columns)
        .select_from(table)
        .where(rule.overdue(now))
        .execution_options(cross_community="retention")
    )


def _free(table: Table) -> Iterator[ColumnElement[bool]]:
    """No row of another table points to it by a foreign key."""
    for other in metadata().tables.values():
        child = other.alias() if other is table else other
        for key in other.foreign_key_constraints:
            if key.referred_table is table:
                pairs = [child.c[e.parent.name] == e.column for e in key.elements]
                yield ~exists().select_from(child).where(*pairs)


def batch(table: Table, rule: Rule, *, now: datetime, limit: int = BATCH) -> int:
    """Deal with up to `limit` overdue rows, in this transaction; how many. Not for append-only tables.

    Rows that somebody holds are left for the next time. May run twice; the second run finds nothing.
    """
    if rule.step is not None:
        done = rule.step(now, limit)
    else:
        found = overdue(table, rule, now).limit(limit).with_for_update(skip_locked=True, of=table)
        if not rule.blanks:
            found = found.where(*_free(table))
        rows = [tuple(row) for row in db.session().execute(found)]
        done = len(rows)
        if rows:
            where = tuple_(*table.primary_key.columns).in_(rows)
            query: Any = update(table).values(**rule.blanks) if rule.blanks else delete(table)
            db.session().execute(query.where(where).execution_options(cross_community="retention"))
    if done:
        _record(table, done)
    return done


def batch_of_append_only(table: Table, rule: Rule, *, now: datetime, url: str, limit: int = BATCH) -> int:
    """Delete up to `limit` overdue rows of an append-only table as the retention role (`url`); how many.

    The role may read and delete there and nothing else: which rows, is asked with the application's rights. Opens its
    own transactions.
    """
    with db.reading() as session:
        found = overdue(table, rule, now).where(*_free(table)).limit(limit)
        rows = [tuple(row) for row in session.execute(found)]
    if not rows:
        return 0
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    with engine.begin() as connection:
        gone = connection.execute(delete(table).where(tuple_(*table.primary_key.columns).in_(rows)))
        done = cast(CursorResult[Any], gone).rowcount
    with db.transaction():
        _record(table, done)
    return int(done)


def _record(table: Table, rows: int) -> None:
    audit.record(
        audit.SYSTEM,
        "retention.applied",
        community_id=ids.lane_of(ids.NOBODY),
        object_kind="table",
        object_id=None,
        table=table.name,
        rows=rows,
    )


def says(name: str) -> str:
    """The rules of a table in one sentence, for the page of tables."""
    return "; ".join(rule.says for rule in RULES[name])
