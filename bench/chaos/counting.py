"""What became of what was promised: the ledgers of the people and of the stand-ins against the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

import psycopg

from app import adapters, crypto, ids
from app.adapters.sms import out_id
from app.ids import Kind
from app.media import service as media
from bench import vote
from bench.chaos.house import House, says
from bench.chaos.load import Ledger, Town

_UNSEALED = (
    "SELECT head_id, 'ballot' FROM ballots AS b WHERE NOT EXISTS (SELECT FROM ballot_leaves AS l WHERE"
    " (l.community_id, l.decision_id, l.head_id, l.rev) = (b.community_id, b.decision_id, b.head_id, b.rev))"
)
_PROMISED = (
    "SELECT id, kind FROM outbox WHERE state = 'open' AND kind <> 'media.discard'"
    " AND last_error IS DISTINCT FROM 'trace unknown yet'"
)
# Everything that somebody still waits for. A file that is to be removed in a day is no such thing, nor a verdict on a
# question that was put and, by a killed worker, never written down: it is put again.
_OPEN = (
    _PROMISED,
    "SELECT id, 'notice' FROM wechat_notices WHERE state = 'queued'",
    "SELECT id, 'text ' || state FROM sms_batches WHERE state NOT IN ('done', 'cancelled')",
    "SELECT id, 'receipts' FROM sms_inbound WHERE state = 'waiting'",
    _UNSEALED,
)


def owed(house: House) -> dict[UUID, str]:
    """What is promised and not done yet, and of which kind it is."""
    with psycopg.connect(house.dsn, autocommit=True, connect_timeout=3) as connection:
        return {id_: kind for query in _OPEN for id_, kind in connection.execute(query).fetchall()}


@dataclass
class Found:
    """What was counted. Times: when what was lost had been promised, to find the fault it belongs to."""

    promised: Counter[str] = field(default_factory=Counter)
    lost: dict[str, list[float]] = field(default_factory=dict)
    doubled: Counter[str] = field(default_factory=Counter)
    twice: int = 0  # notices of WeChat that came twice
    unanswered: int = 0  # notices of which WeChat didn't say whether it sent them
    wrong: Counter[str] = field(default_factory=Counter)


def count(house: House, town: Town, ledger: Ledger) -> Found:
    """Everything, when nothing is under way any more."""
    found = Found()
    _tickets(house, ledger, found)
    _photos(house, ledger, found)
    _ballots(house, town, ledger, found)
    _messages(house, town, ledger, found)
    _notices(house, found)
    return found


def _missing(kind: str, promised: dict[str, float], there: Callable[[str], bool], found: Found) -> None:
    found.promised[kind] = len(promised)
    found.lost[kind] = [at for name, at in promised.items() if not there(name)]


def _tickets(house: House, ledger: Ledger, found: Found) -> None:
    rows = {row[0] for row in house.sql("SELECT id FROM tickets")}
    _missing("tickets", ledger.tickets, lambda t: ids.decode_ref(Kind.TICKET, t).id in rows, found)
    found.doubled["tickets"] = max(0, len(rows) - len(ledger.tried))
    accepted = Counter(
        row[0]
        for row in house.sql(
            "SELECT ticket_id FROM ticket_events WHERE to_status = 'accepted' AND from_status = 'received'"
        )
    )
    _missing("moves", ledger.moves, lambda t: accepted[ids.decode_ref(Kind.TICKET, t).id] > 0, found)
    found.doubled["moves"] = sum(n - 1 for n in accepted.values())


def _photos(house: House, ledger: Ledger, found: Found) -> None:
    state = {row[0]: row[1:] for row in house.sql("SELECT id, status, check_state FROM uploads")}
    store = adapters.storage()

    def is_whole(photo: str) -> bool:
        upload_id = ids.decode_id(Kind.UPLOAD, photo)
        return state.get(upload_id, ("", ""))[0] == "ready" and all(
            store.exists(media.stored_key(upload_id, variant)) for variant in media.EDGES
        )

    _missing("photos", ledger.photos, is_whole, found)
    # WeChat tells its verdict three times and no more. When all fell into a fault, it is asked anew after an hour.
    awaited = {row[0] for row in house.sql("SELECT upload_id FROM media_checks WHERE settled_at IS NULL")}
    without = [
        upload_id
        for photo in ledger.photos
        if state.get(upload_id := ids.decode_id(Kind.UPLOAD, photo), ("", ""))[1] != "passed"
    ]
    found.wrong["photos without a verdict"] = sum(upload_id not in awaited for upload_id in without)


def _ballots(house: House, town: Town, ledger: Ledger, found: Found) -> None:
    receipts = Counter(receipt for receipt, _ in ledger.receipts)
    lost, double = vote.recount(house.dsn, town.held.ref, receipts)
    found.promised["ballots"] = len(ledger.receipts)
    found.doubled["ballots"] = double
    leaves = {
        row[0]
        for row in house.sql("SELECT encode(leaf_hash, 'hex') FROM ballot_leaves WHERE head_id IS NOT NULL")
    }
    found.lost["ballots"] = [at for receipt, at in ledger.receipts if receipt not in leaves]
    found.wrong["ballots lost by the recount"] = lost


def _messages(house: House, town: Town, ledger: Ledger, found: Found) -> None:
    """Each recipient of each campaign got one text, by the gateways' own ledger, and we know it."""
    of_batch = dict(house.sql("SELECT id, campaign_id FROM sms_batches"))
    entries = says(house.gateways, "/_sandbox/sms/ledger?limit=10000000")["messages"]
    got: Counter[tuple[UUID, str]] = Counter()
    for entry in entries:
        batch = out_id.decode(entry["out_id"])
        if batch is None or batch.id not in of_batch:
            found.wrong["messages of no campaign"] += 1
        else:
            got[of_batch[batch.id], entry["phone"]] += 1
    keys = crypto.keys()
    rows = house.sql("SELECT id, campaign_id, phone_sealed, state FROM sms_messages")
    lost: list[float] = []
    written: Counter[UUID] = Counter()
    for id_, campaign, sealed, state in rows:
        written[campaign] += 1
        has_come = got[campaign, keys.decrypt(sealed, f"sms_phone:{id_}").decode()] > 0
        if not has_come:
            lost.append(ledger.campaigns.get(campaign, (0.0, None))[0])
        if has_come and state != "delivered":
            found.wrong[f"texts that came and are {state}"] += 1
    for campaign, (at, estate) in ledger.campaigns.items():
        lost += [at] * (town.recipients[estate] - written[campaign])
    found.promised["texts"] = sum(town.recipients[estate] for _, estate in ledger.campaigns.values())
    found.lost["texts"] = lost
    found.doubled["texts"] = sum(n - 1 for n in got.values())


def _notices(house: House, found: Found) -> None:
    """WeChat's notices: each that was taken came once. WeChat has no key by which it would know a repeated one."""
    rows = house.sql("SELECT page, data ->> 'phrase2', state FROM wechat_notices")
    sent = Counter((page, phrase) for page, phrase, state in rows if state == "sent")
    came: Counter[tuple[str, str]] = Counter()
    for page, phrase in _received(house):
        came[page, phrase] += 1
    found.promised["notices"] = len(rows)
    found.lost["notices"] = [0.0] * sum((sent - came).values())
    found.twice = sum(n - 1 for n in came.values() if n > 1)
    found.unanswered = sum(state == "unknown" for _, _, state in rows)
    found.wrong["notices that failed"] = sum(state in {"failed", "queued"} for _, _, state in rows)


def _received(house: House) -> Iterable[tuple[str, str]]:
    people = {row["openid"] for row in says(house.wechat, "/_sandbox/ledger.json")["credits"]}
    for openid in people:
        for message in says(house.wechat, f"/_sandbox/ledger.json?openid={openid}")["messages"]:
            phrase = message["data"]["phrase2"]
            yield message["page"], phrase["value"] if isinstance(phrase, dict) else phrase
