"""From an audience to messages and batches: a page a transaction, which goes on where the last one stopped.

A phone is claimed in `campaign_recipients` in the same transaction, so that who has houses in two communities gets one
message, and a page that is run again finds its people claimed. Whole pages are written by one statement a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select, text, update

from app import clock, crypto, db, ids, queue
from app.ids import Ref
from app.messaging import audience, columns, opt_outs, providers, service, templates, windows
from app.messaging import queries as messages
from app.messaging.campaign_models import AsOf, Campaign, CampaignPart, PartState
from app.messaging.models import NoticeKind
from app.messaging.providers import Route
from app.messaging.sifting import Chosen, Reason, Sieve
from app.messaging.sms_errors import NoProvider
from app.messaging.sms_models import Channel, MessageState, SmsMessage, SmsTemplate
from app.people import queries as people

PAGE = 5_000
PAGE_WITH_WECHAT = 200  # each is told by statements of her own
_OVER = frozenset({PartState.CANCELLED, PartState.FINISHED})


_CLAIM = text(
    "INSERT INTO campaign_recipients (campaign_id, phone_hash, community_id, message_id)"  # noqa: S608  columns and types from here
    " SELECT :campaign, h, :community, m"
    " FROM unnest(" + columns.unnested(hashes="bytea", ids="uuid") + ") AS new (h, m)"
    " ON CONFLICT (campaign_id, phone_hash) DO NOTHING RETURNING phone_hash"
)
_COUNT_DAY = text(
    "INSERT INTO sms_number_days (phone_hash, day, count)"  # noqa: S608  columns and types from here
    " SELECT h, :day, 1 FROM unnest(" + columns.unnested(hashes="bytea") + ") AS new (h)"
    " ON CONFLICT (phone_hash, day) DO UPDATE SET count = sms_number_days.count + 1"
)
_UNCOUNT_DAY = text(
    "WITH held AS (SELECT d.phone_hash FROM unnest(" + columns.unnested(hashes="bytea") + ") AS gone (h)"  # noqa: S608  columns and types from here
    " JOIN sms_number_days AS d ON d.phone_hash = h AND d.day = :day ORDER BY d.phone_hash FOR UPDATE OF d)"
    " UPDATE sms_number_days AS d SET count = d.count - 1 FROM held"
    " WHERE d.phone_hash = held.phone_hash AND d.day = :day AND d.count > 0"
)
_BATCHES = text(
    "INSERT INTO sms_batches (community_id, id, campaign_id, state, priority, size, is_personal, attempts,"  # noqa: S608  columns and types from here
    " not_before, created_at)"
    " SELECT :community, i, :campaign, 'queued', :priority, s, :personal, 0, :not_before, :now"
    " FROM unnest(" + columns.unnested(ids="uuid", sizes="smallint") + ") AS new (i, s)"
)
_MESSAGES = text(
    "INSERT INTO sms_messages (community_id, id, campaign_id, batch_id, phone_sealed, phone_hash, params,"  # noqa: S608  columns and types from here
    " channel, resident_id, state, attempts, created_at, sent_at)"
    " SELECT :community, i, :campaign, b, p, h, v, c, r, s, 0, :now,"
    " CASE WHEN s = 'accepted' THEN CAST(:now AS timestamptz) END"
    " FROM unnest("
    + columns.unnested(ids="uuid", batches="uuid", sealed="bytea", hashes="bytea", params="jsonb")
    + ", "
    + columns.unnested(channels="text", residents="uuid", states="text")
    + ") AS new (i, b, p, h, v, c, r, s)"
)
_PUT_INTO = text(
    "UPDATE sms_messages SET batch_id = new.b, channel = 'sms', state = 'queued', provider_code = NULL,"  # noqa: S608  columns and types from here
    " vendor_id = NULL, code = NULL, fault = NULL, segments = NULL, sent_at = NULL, settled_at = NULL"
    " FROM unnest(" + columns.unnested(ids="uuid", batches="uuid") + ") AS new (i, b)"
    " WHERE sms_messages.community_id = :community AND sms_messages.id = new.i"
)


def sieve_of(row: Campaign, template: SmsTemplate, *, usable: Sequence[Route], at: datetime) -> Sieve:
    """What decides who of this campaign's audience gets a message."""
    spec = row.audience["spec"]
    must_reach = audience.of(row.audience["type"]).must_reach(spec)
    leaves = windows.next_open(at, kind=template.kind)
    return Sieve(
        template=template,
        params=row.params,
        despite_opt_out=opt_outs.must_go_out(template.kind, must_reach=must_reach),
        most=providers.most_a_day(usable),
        day=clock.in_shanghai(leaves).date(),
        with_sms=Channel.SMS in row.channels,
        with_wechat=Channel.WECHAT in row.channels,
    )


def page_size(row: Campaign) -> int:
    """How many recipients a transaction takes on."""
    return PAGE_WITH_WECHAT if Channel.WECHAT in row.channels else PAGE


def holders_of(row: Campaign, chosen: Sequence[Chosen]) -> dict[bytes, UUID]:
    """Number → the resident of the mini-program who holds it, where the campaign goes there."""
    return people.holders_of(c.phone_hash for c in chosen) if Channel.WECHAT in row.channels else {}


def reachable(
    row: Campaign, chosen: Sequence[Chosen], left_out: Counter[str], holders: dict[bytes, UUID] | None = None
) -> list[Chosen]:
    """Those whom one of the campaign's channels reaches; counts the others into `left_out`."""
    if all(c.no_sms is None for c in chosen):
        return list(chosen)
    known = holders if holders is not None else holders_of(row, chosen)
    found = []
    for c in chosen:
        if c.no_sms is None or c.phone_hash in known:
            found.append(c)
        else:
            left_out[c.no_sms] += 1
    return found


def batch_size(usable: Sequence[Route], *, personal: bool) -> int:
    """Numbers of a batch: what the heaviest provider takes in a call."""
    provider = usable[0].provider
    return provider.batch_personal if personal else provider.batch_same


def parts_of(campaign_id: UUID, *, beside: Ref) -> list[Ref]:
    """The communities of the campaign of which `beside` is a part, those that come after its community first."""
    part = db.session().get(CampaignPart, beside)
    if part is None:
        return []
    row = db.session().get_one(Campaign, (part.home_id, campaign_id))
    homes = sorted(row.communities, key=lambda home: (home <= beside.community_id, home))
    return [Ref(home, campaign_id) for home in homes]


def expand(ref: Ref, *, patient: bool = True) -> bool:
    """Write one page of a part; False when nothing is left to do. May run twice.

    `ref`: community and campaign. `patient`: wait for somebody who works on it just now; else that is no work left.
    Raises NoProvider: somebody has to see to that first.
    """
    lock: Any = True if patient else {"skip_locked": True}
    part = db.session().get(CampaignPart, ref, with_for_update=lock, populate_existing=True)
    if part is None or part.expanded_at is not None or part.state in _OVER:
        return False
    row = db.session().get_one(Campaign, (part.home_id, part.campaign_id))
    now = clock.now()
    template = templates.template(part.template_id)
    usable = providers.usable(template)
    if Channel.SMS in row.channels and not usable:
        raise NoProvider
    with db.uncollected():
        page = audience.of(row.audience["type"]).page(
            row.audience["spec"],
            ref.community_id,
            after=part.cursor,
            limit=page_size(row),
            at=now if row.as_of == AsOf.EACH_PAGE else part.started_at,
        )
        chosen, left_out = sieve_of(row, template, usable=usable, at=now).sift(page.recipients)
        writing = _Writing(part, row, template, usable, now)
        part.taken += writing.write(chosen, left_out)
    part.excluded = dict(Counter(part.excluded) + left_out)
    part.cursor = page.cursor
    if page.cursor is None:
        part.expanded_at = now
    return page.cursor is not None


@dataclass(frozen=True)
class _Writing:
    """One page on its way into the tables."""

    part: CampaignPart
    row: Campaign
    template: SmsTemplate
    usable: Sequence[Route]
    now: datetime

    def write(self, chosen: Sequence[Chosen], left_out: Counter[str]) -> int:
        """Claim the numbers and write their messages; how many. Counts into `left_out` who got none."""
        holders = holders_of(self.row, chosen)
        to_write = reachable(self.row, chosen, left_out, holders)
        mine = self._claim(to_write)
        left_out[Reason.TWICE] += len(to_write) - len(mine)
        if not mine:
            return 0
        if any(c.no_sms is None for _, c in mine):
            hashes = sorted(c.phone_hash for _, c in mine if c.no_sms is None)
            day = clock.in_shanghai(self._not_before).date()
            db.session().execute(_COUNT_DAY, {"hashes": columns.binary(hashes), "day": day})
        told = [(i, c) for i, c in mine if c.phone_hash in holders]
        by_sms = [i for i, c in mine if c.phone_hash not in holders]
        batch_of = make_batches(
            self.part, by_sms, usable=self.usable, personal=templates.is_personal(self.template), now=self.now
        )
        # The check of each message's batch is planned once for the connection, maybe while there are hardly any
        # batches: reading through all of them would be kept as its way.
        db.session().execute(text("SET LOCAL enable_seqscan = off"))
        self._insert(mine, batch_of, holders)
        db.session().execute(text("SET LOCAL enable_seqscan TO DEFAULT"))
        for _, c in told:
            self._tell(holders[c.phone_hash], c)
        return len(mine)

    @property
    def _not_before(self) -> datetime:
        return windows.next_open(self.now, kind=self.template.kind)

    def _claim(self, chosen: Sequence[Chosen]) -> list[tuple[UUID, Chosen]]:
        # In one order everywhere: two communities' pages that share numbers wait for each other, never in a circle.
        ordered = sorted(chosen, key=lambda c: c.phone_hash)
        names = dict(zip((c.phone_hash for c in ordered), ids.new_ids(len(ordered)), strict=True))
        won = set(
            db.session()
            .scalars(
                _CLAIM,
                {
                    "campaign": self.part.campaign_id,
                    "community": self.part.community_id,
                    "hashes": columns.binary(names),
                    "ids": columns.uuids(names.values()),
                },
            )
            .all()
        )
        return [(names[c.phone_hash], c) for c in ordered if c.phone_hash in won]

    def _insert(
        self, mine: Sequence[tuple[UUID, Chosen]], batch_of: dict[UUID, UUID], holders: dict[bytes, UUID]
    ) -> None:
        keys = crypto.keys()
        personal = templates.is_personal(self.template)
        residents = [holders.get(c.phone_hash) for _, c in mine]
        db.session().execute(
            _MESSAGES,
            {
                "community": self.part.community_id,
                "campaign": self.part.campaign_id,
                "now": self.now,
                "ids": columns.uuids(i for i, _ in mine),
                "batches": columns.uuids(batch_of.get(i) for i, _ in mine),
                "sealed": columns.binary(keys.encrypt(c.phone.encode(), f"sms_phone:{i}") for i, c in mine),
                "hashes": columns.binary(c.phone_hash for _, c in mine),
                "params": columns.texts(orjson.dumps(c.values).decode() if personal else "" for _, c in mine),
                "channels": columns.texts(Channel.SMS if r is None else Channel.WECHAT for r in residents),
                "residents": columns.uuids(residents),
                # Told in WeChat alone: that is all that will be done. Else it waits whether she reads it.
                "states": columns.texts(
                    MessageState.ACCEPTED if r is not None and c.no_sms is not None else MessageState.QUEUED
                    for r, (_, c) in zip(residents, mine, strict=True)
                ),
            },
        )

    def _tell(self, resident_id: UUID, chosen: Chosen) -> None:
        target = audience.of(self.row.audience["type"]).target(self.row.audience["spec"])
        service.notify(
            resident_id=resident_id,
            kind=NoticeKind.CAMPAIGN,
            community_id=self.part.community_id,
            idem=inbox_key(self.part.campaign_id),
            params={"title": self.row.title, "text": templates.rendered(self.template, chosen.values)},
            target=target,
        )


def uncount(written: Iterable[tuple[bytes, datetime]], *, kind: str) -> None:
    """Messages (number, when it was written) that never went to a vendor take nobody's share of the day."""
    by_day: dict[date, set[bytes]] = {}
    for phone_hash, at in written:
        day = clock.in_shanghai(windows.next_open(at, kind=kind)).date()
        by_day.setdefault(day, set()).add(phone_hash)
    for day, hashes in sorted(by_day.items()):
        db.session().execute(_UNCOUNT_DAY, {"hashes": columns.binary(hashes), "day": day})


def inbox_key(campaign_id: UUID) -> str:
    """What a campaign's message is called in an inbox."""
    return f"campaign:{campaign_id}"


def make_batches(
    part: CampaignPart, message_ids: Sequence[UUID], *, usable: Sequence[Route], personal: bool, now: datetime
) -> dict[UUID, UUID]:
    """Batches for these messages; message → batch. The messages themselves are written by the caller."""
    if not message_ids:
        return {}
    kind = templates.template(part.template_id).kind
    size = batch_size(usable, personal=personal)
    cut = [message_ids[at : at + size] for at in range(0, len(message_ids), size)]
    named = [(ids.new_id(), group) for group in cut]
    db.session().execute(
        _BATCHES,
        {
            "community": part.community_id,
            "campaign": part.campaign_id,
            "priority": part.priority,
            "personal": personal,
            "not_before": windows.next_open(now, kind=kind),
            "now": now,
            "ids": columns.uuids(batch for batch, _ in named),
            "sizes": columns.texts(str(len(group)) for _, group in named),
        },
    )
    # One bell a second is enough for whatever is written meanwhile.
    db.after_commit(lambda: queue.ring_once(queue.Queue.SMS, queue.Job.DRAIN_SMS, every_ms=1000))
    return {message: batch for batch, group in named for message in group}


# --- WeChat first ------------------------------------------------------------------------------------------


def waits_for_wechat(part: CampaignPart) -> bool:
    """Is there anybody of whom it isn't decided yet whether she gets a text message?"""
    found = db.session().scalar(
        select(SmsMessage.id)
        .where(
            SmsMessage.community_id == part.community_id,
            SmsMessage.campaign_id == part.campaign_id,
            SmsMessage.batch_id.is_(None),
            SmsMessage.state == MessageState.QUEUED,
        )
        .limit(1)
    )
    return found is not None


def fall_back(ref: Ref) -> bool:
    """Of a page of those told in WeChat: who has read it is done, the others get a text message. False when nobody is
    left. May run twice. Raises NoProvider.
    """
    part = db.session().get(CampaignPart, ref, with_for_update=True, populate_existing=True)
    if part is None or part.state in _OVER:
        return False
    now = clock.now()
    waiting = dict(
        db.session()
        .execute(
            select(SmsMessage.id, SmsMessage.resident_id)
            .where(
                SmsMessage.community_id == ref.community_id,
                SmsMessage.campaign_id == ref.id,
                SmsMessage.batch_id.is_(None),
                SmsMessage.state == MessageState.QUEUED,
            )
            .order_by(SmsMessage.id)
            .limit(PAGE)
        )
        .all()
    )
    if not waiting:
        return False
    residents = {resident for resident in waiting.values() if resident is not None}
    read = messages.read_at(residents, idem=inbox_key(ref.id))
    done = [i for i, resident in waiting.items() if resident in read]
    unread = [i for i in waiting if i not in set(done)]
    of_these = update(SmsMessage).where(SmsMessage.community_id == ref.community_id)
    if done:
        db.session().execute(
            of_these.where(SmsMessage.id.in_(done))
            .values(state=MessageState.DELIVERED, code="read", sent_at=part.started_at, settled_at=now)
            .execution_options(synchronize_session=False)
        )
    if unread:
        template = templates.template(part.template_id)
        usable = providers.usable(template)
        if not usable:
            raise NoProvider
        batch_of = make_batches(
            part, unread, usable=usable, personal=templates.is_personal(template), now=now
        )
        put_into(ref.community_id, batch_of)
    return len(waiting) == PAGE


def put_into(community_id: int, batch_of: dict[UUID, UUID]) -> None:
    """Queue these messages in their (new) batches; what an earlier try said is wiped out."""
    db.session().execute(
        _PUT_INTO,
        {
            "community": community_id,
            "ids": columns.uuids(batch_of),
            "batches": columns.uuids(batch_of.values()),
        },
    )
