"""What each kind of outbox row means. A handler may run twice; the network stands between two transactions.

A handler returns when the promise is kept and raises `Later` when it must be tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from rq.timeouts import JobTimeoutException

from app import adapters, clock, db, outbox
from app.adapters.outcome import Outcome
from app.adapters.storage import ObjectMissing, StorageUnavailable
from app.adapters.wechat import NotCheckable, WeChatUnavailable
from app.adapters.wechat.fields import fit
from app.adapters.wechat.push import PushMessage, media_verdict, send_failures, subscribe_choices
from app.ids import Ref
from app.media import imaging, links, papers
from app.media import queries as media_queries
from app.media import service as media
from app.media.models import CheckState, PhotoStatus
from app.messaging import campaigns, previews, recipient_lists
from app.messaging import service as messaging
from app.messaging.service import LeasedNotice
from app.messaging.sms_errors import NoProvider
from app.notices import telling as notices
from app.outbox import Leased
from app.people import queries as people
from app.places import imports as registry_imports
from app.revenue import ledger_imports, public_files, renderings
from app.tickets import calendar, duplicates, intake, letters, stints
from app.tickets import queries as tickets_queries
from app.tickets import service as tickets
from app.tickets.models import TextCheck
from app.voting import deliveries, ledger, pushing, results
from app.voting import service as voting
from app.voting.errors import NothingOnRoll
from workers import config, drawings, imports, ledgers, mailing, number_lists

log = logging.getLogger(__name__)

ASK_FOR = timedelta(hours=2)  # WeChat not reached for so long: a person looks at the picture
UNKNOWN_TRACE_FOR = timedelta(hours=2)
UNKNOWN_NOTICE_FOR = timedelta(minutes=10)  # an event may come before our own record of the sending
FREEZE_HOLD_S = 300  # a roll of 100,000 heads on a busy machine


class Later(Exception):
    """Not kept yet: try again; the word is for operators."""


def process_photo(row: Leased) -> None:
    """Make the cleaned versions of an upload."""
    owner_id, upload_id = UUID(row.payload["owner_id"]), UUID(row.payload["upload_id"])
    with db.reading():
        upload = media_queries.upload_of(owner_id, upload_id)
    if upload is None or upload.status != PhotoStatus.PROCESSING:
        return
    storage = adapters.storage()
    try:
        original = storage.get(media.incoming_key(upload_id))
        made = imaging.render(original)
        for variant, edge in media.EDGES.items():
            storage.put(media.stored_key(upload_id, variant), made[edge].data, imaging.CONTENT_TYPE)
    except StorageUnavailable as e:
        raise Later("storage away") from e
    except (ObjectMissing, imaging.PhotoRefused) as e:
        log.info("upload can't be shown: %s", type(e).__name__)
        with db.transaction():
            media.undecodable(owner_id=owner_id, upload_id=upload_id)
        return
    full = made[media.EDGES["full"]]
    with db.transaction():
        media.processed(
            owner_id=owner_id,
            upload_id=upload_id,
            width=full.width,
            height=full.height,
            dhash=imaging.fingerprint(made[media.EDGES["thumb"]].data),
        )


def check_photo(row: Leased) -> None:
    """Ask WeChat about a picture; the verdict comes as an event."""
    owner_id, upload_id = UUID(row.payload["owner_id"]), UUID(row.payload["upload_id"])
    with db.reading():
        upload = media_queries.upload_of(owner_id, upload_id)
        resident = people.resident(owner_id)
        openid = people.openid_of(resident) if resident is not None else None
    if upload is None or upload.check_state != CheckState.PENDING:
        return
    if openid is None:
        with db.transaction():
            media.check_impossible(owner_id=owner_id, upload_id=upload_id)
        return
    try:
        trace_id = adapters.wechat().check_media(
            openid=openid, media_url=links.to_upload(owner_id, upload_id, "full")
        )
    except WeChatUnavailable as e:
        if clock.now() - row.created_at < ASK_FOR:
            raise Later("wechat away") from e
        with db.transaction():
            media.check_impossible(owner_id=owner_id, upload_id=upload_id)
        return
    except NotCheckable:
        with db.transaction():
            media.check_impossible(owner_id=owner_id, upload_id=upload_id)
        return
    with db.transaction():
        media.check_asked(owner_id=owner_id, upload_id=upload_id, trace_id=trace_id, nth=row.payload["round"])


def discard(row: Leased) -> None:
    """Delete files that nothing needs any more.

    An original that was announced a day ago and still waits for processing (the queue stood still) is needed.
    """
    waiting = row.payload.get("unless_waiting")
    if waiting is not None:
        with db.reading():
            upload = media_queries.upload_of(UUID(waiting["owner_id"]), UUID(waiting["upload_id"]))
        if upload is not None and upload.status == PhotoStatus.PROCESSING:
            raise Later("still to be processed")
    try:
        for key in row.payload["keys"]:
            adapters.storage().delete(key)
    except StorageUnavailable as e:
        raise Later("storage away") from e


def discard_paper(row: Leased) -> None:
    """Remove a paper that nobody attached within a day."""
    owner_id, paper_id = UUID(row.payload["owner_id"]), UUID(row.payload["paper_id"])
    with db.transaction():
        gone = papers.forget_unattached(owner_id=owner_id, paper_id=paper_id)
    if not gone:
        return
    try:
        adapters.storage().delete(papers.key(paper_id))
    except StorageUnavailable as e:
        raise Later("storage away") from e


def check_text(row: Leased) -> None:
    """Ask WeChat about the words of a report; whatever it says, the report goes on."""
    ref = Ref(row.community_id, UUID(row.payload["ticket_id"]))
    with db.reading():
        ticket = tickets_queries.tickets_by_ref([ref]).get(ref)
        resident = people.resident(ticket.reporter_id) if ticket and ticket.reporter_id else None
        openid = people.openid_of(resident) if resident is not None else None
    if ticket is None or ticket.text_check != TextCheck.PENDING or not ticket.text:
        return
    verdict = TextCheck.UNCHECKED
    if openid is not None:
        try:
            answer = adapters.wechat().check_text(openid=openid, content=ticket.text)
            words = {"pass": TextCheck.PASSED, "review": TextCheck.REVIEW, "risky": TextCheck.RISKY}
            verdict = words[answer.suggest.value]
        except WeChatUnavailable as e:
            if clock.now() - row.created_at < ASK_FOR:
                raise Later("wechat away") from e
        except NotCheckable:
            verdict = TextCheck.UNCHECKED
    with db.transaction():
        tickets.text_checked(ref, verdict=verdict)


def apply_event(row: Leased) -> None:
    """Give a pushed WeChat event its effect, once."""
    key = row.payload["key"]
    with db.transaction():
        stored = messaging.take_event(key)
        if stored is None:
            return
        event, body, received_at = stored
        message = PushMessage(event, "event", body["openid"], body["created_at"], body["fields"], key)
        if event == "wxa_media_check":
            verdict = media_verdict(message)
            suggest = verdict.suggest.value if verdict.suggest is not None else "error"
            known = media.verdict(trace_id=verdict.trace_id, suggest=suggest)
            if not known and clock.now() - received_at < UNKNOWN_TRACE_FOR:
                raise Later("trace unknown yet")
        elif choices := subscribe_choices(message):
            resident_id = people.resident_id_by_openid(body["openid"])
            if resident_id is not None:
                at = clock.from_timestamp(body["created_at"])
                for choice in choices:
                    messaging.record_subscription(
                        resident_id=resident_id,
                        template_id=choice.template_id,
                        accepted=choice.accepted,
                        at=at,
                    )
        elif failures := send_failures(message):
            resident_id = people.resident_id_by_openid(body["openid"])
            if resident_id is not None:
                found = [
                    messaging.not_delivered(
                        resident_id=resident_id,
                        template_id=failure.template_id,
                        errcode=failure.errcode,
                        at=clock.from_timestamp(body["created_at"]),
                    )
                    for failure in failures
                ]
                if not all(found) and clock.now() - received_at < UNKNOWN_NOTICE_FOR:
                    raise Later("notice unknown yet")
        messaging.event_applied(key)


def reclock(row: Leased) -> None:
    """Read the clocks of a page of open tickets anew after the calendar has changed."""
    after = row.payload["after"]
    with db.transaction():
        calendar.reclock_page(
            row.community_id, version=row.payload["version"], after=UUID(after) if after else None
        )


def fill_stints(row: Leased) -> None:
    """Count a page of tickets anew for the figures."""
    after = row.payload["after"]
    with db.transaction():
        stints.fill(row.community_id, after=UUID(after) if after else None, run=row.payload["run"])


def fill_letters(row: Leased) -> None:
    """Write what a page of tickets is found by in a search."""
    after = row.payload["after"]
    with db.transaction():
        letters.fill(row.community_id, after=UUID(after) if after else None, run=row.payload["run"])


def send_notice(notice: LeasedNotice) -> tuple[Outcome, int | None]:
    """Send one WeChat notice; what came of it, and WeChat's errcode. Never raises for a single bad notice."""
    with db.reading():
        resident = people.resident(notice.resident_id)
        try:
            openid = people.openid_of(resident) if resident is not None else None
        except Exception:
            log.exception("the address of a notice can't be read")
            return Outcome.THROTTLED, None
    if openid is None:
        return Outcome.REFUSED, None
    try:
        result = adapters.wechat().send_subscribe(
            openid=openid,
            template_id=notice.template_id,
            page=notice.page,
            data={key: fit(key, value) for key, value in notice.data.items()},
            state=config.settings().wechat_state,
        )
    except JobTimeoutException:
        raise
    except Exception:
        # The adapter gives an outcome for whatever WeChat does, so this is a mistake of ours. Whether it came
        # before or after the sending isn't known.
        log.exception("a notice failed")
        return Outcome.UNKNOWN, None
    return result.outcome, result.errcode


def match_ticket(row: Leased) -> None:
    """Store what a report by machine is perhaps a duplicate of."""
    with db.transaction():
        duplicates.remember(Ref(row.community_id, UUID(row.payload["ticket_id"])))


def unseal_ballots(row: Leased) -> None:
    """Open the ballots of a decision that has closed; a poll's are counted at once."""
    ref = Ref(row.community_id, UUID(row.payload["decision_id"]))
    with db.transaction():
        ledger.unseal(ref)
        results.keep_poll(ref)


def freeze_roll(row: Leased) -> None:
    """Write the roll of a decision; a registry without a house is left for staff to fill."""
    with db.transaction():
        outbox.hold(row, seconds=FREEZE_HOLD_S)
    try:
        with db.transaction():
            voting.freeze(Ref(row.community_id, UUID(row.payload["decision_id"])))
    except NothingOnRoll:
        raise Later("the registry is empty") from None


def tell_owners(row: Leased) -> None:
    """Tell a page of owners of a vote."""
    after = row.payload["after"]
    with db.transaction():
        pushing.tell_page(
            Ref(row.community_id, UUID(row.payload["decision_id"])),
            pushing.What(row.payload["what"]),
            run=row.payload["run"],
            after=UUID(after) if after else None,
        )


def collect_receipts(row: Leased) -> None:
    """Note whom WeChat has reached with a vote's notices."""
    after = row.payload["after"]
    with db.transaction():
        deliveries.collect(
            Ref(row.community_id, UUID(row.payload["decision_id"])), after=UUID(after) if after else None
        )


def tell_of_notice(row: Leased) -> None:
    """Tell a page of residents of a notice."""
    payload = row.payload
    with db.transaction():
        notices.tell_page(
            Ref(row.community_id, UUID(payload["notice_id"])),
            notices.What(payload["what"]),
            revision=int(payload["revision"]),
            home=int(payload["home"]),
            after=UUID(payload["after"]) if payload["after"] is not None else None,
        )


def expand_campaign(row: Leased) -> None:
    """Write the messages of a campaign in one community; it waits for a provider that can carry them."""
    try:
        mailing.expand(row)
    except NoProvider as e:
        raise Later("no provider") from e


def fall_back_to_sms(row: Leased) -> None:
    """Text messages to those whom WeChat didn't reach in time."""
    try:
        mailing.fall_back(row)
    except NoProvider as e:
        raise Later("no provider") from e


HANDLERS: dict[str, Callable[[Leased], None]] = {
    media.PROCESS: process_photo,
    media.CHECK: check_photo,
    media.DISCARD: discard,
    papers.DISCARD: discard_paper,
    tickets.CHECK_TEXT: check_text,
    messaging.APPLY_EVENT: apply_event,
    calendar.RECLOCK: reclock,
    intake.MATCH: match_ticket,
    registry_imports.PREVIEW: imports.preview,
    registry_imports.APPLY: imports.apply,
    registry_imports.DISCARD: imports.discard,
    ledger_imports.PREVIEW: ledgers.preview,
    ledger_imports.APPLY: ledgers.apply,
    ledger_imports.DISCARD: ledgers.discard,
    renderings.RENDER: drawings.draw,
    public_files.DISCARD: drawings.discard,
    stints.FILL: fill_stints,
    letters.FILL: fill_letters,
    ledger.UNSEAL: unseal_ballots,
    voting.FREEZE: freeze_roll,
    pushing.TELL: tell_owners,
    deliveries.COLLECT: collect_receipts,
    notices.TELL: tell_of_notice,
    previews.PREVIEW: mailing.preview,
    recipient_lists.READ: number_lists.read,
    recipient_lists.DISCARD: number_lists.discard,
    campaigns.EXPAND: expand_campaign,
    campaigns.FALL_BACK: fall_back_to_sms,
}
