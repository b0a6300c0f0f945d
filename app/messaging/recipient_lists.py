"""Lists of numbers that staff hand in, and the audience that is made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, text

from app import audit, clock, crypto, db, ids, outbox
from app.audit import Actor
from app.errors import NotFound
from app.ids import Kind, Ref
from app.messaging import audience
from app.messaging.audience import Number, Page, Recipient, Spec
from app.messaging.campaign_models import ListState, RecipientList, RecipientListEntry
from app.messaging.providers import communities_of
from app.messaging.sifting import is_mobile
from app.messaging.sms_errors import EmptyList, ListNotReady, NoCommunity
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import identity
from app.places.identity import BadValue
from app.queue import Queue

READ, DISCARD = "messaging.read_list", "messaging.discard_list_file"  # outbox kinds
KEPT = timedelta(days=1)  # a file; it is gone as soon as it is read
MOST_ROWS = 20_000
MOST_PROBLEMS = 100
_PAGE = 2_000

_INSERT = text(
    "INSERT INTO recipient_list_entries (community_id, list_id, phone_hash, seq, phone_sealed, fields)"
    " SELECT :community, :list, h, n, p, f FROM unnest(CAST(:hashes AS bytea[]), CAST(:seqs AS integer[]),"
    " CAST(:sealed AS bytea[]), CAST(:fields AS jsonb[])) AS new (h, n, p, f)"
)


class Row(NamedTuple):
    """A row as it was handed in; `at`: where it stands, from 1."""

    phone: str
    fields: Mapping[str, str]
    at: int


def hand_in(
    *, name: str, community_id: int | None, rows: Sequence[Row], acting_user: StaffActor
) -> RecipientList:
    """A list of a community (her only one, unless said): each number once; rows that can't be written to are named
    by where they stand with a reason, never with the number.

    Raises NotFound, NoCommunity, EmptyList.
    """
    home = _home(acting_user, community_id)
    good, problems = _sorted_out(rows)
    if not good:
        raise EmptyList(extra={"problems": problems[:MOST_PROBLEMS]})
    made = _new(ids.new_id(), name, home, ListState.READY, acting_user)
    _fill(made, len(rows), good, problems)
    _record(made, acting_user.actor, rows=len(rows), good=len(good))
    return made


def _home(staff: StaffActor, community_id: int | None) -> int:
    mine = communities_of(staff, Permission.CAMPAIGN_EDIT)
    if community_id is None:
        if len(mine) != 1:
            raise NoCommunity(errors={"community_id": [(NoCommunity.zh, NoCommunity.en)]})
        (community_id,) = mine
    if community_id not in mine:
        raise NotFound
    return community_id


def _new(list_id: UUID, name: str, home: int, state: ListState, staff: StaffActor) -> RecipientList:
    made = RecipientList(
        community_id=home,
        id=list_id,
        name=name,
        state=state,
        columns=[],
        total=0,
        good=0,
        problems=[],
        created_by=staff.id,
        created_at=clock.now(),
    )
    db.session().add(made)
    return made


def _fill(
    made: RecipientList, total: int, good: Mapping[str, tuple[int, Row]], problems: Sequence[dict[str, Any]]
) -> None:
    made.columns = sorted({field for _, row in good.values() for field in row.fields})
    made.total, made.good, made.problems = total, len(good), list(problems[:MOST_PROBLEMS])
    db.session().flush()  # its entries point to it
    _write(made, good)


def _record(made: RecipientList, actor: Actor, **more: Any) -> None:
    audit.record(
        actor,
        "recipient_list.handed_in",
        community_id=made.community_id,
        object_kind="recipient_list",
        object_id=made.id,
        **more,
    )


# --- as a file ---------------------------------------------------------------------------------------------


def announce(home: int, list_id: UUID) -> None:
    """Promise that a file about to be stored goes again in a day, whatever becomes of it."""
    outbox.put(
        community_id=home,
        kind=DISCARD,
        payload={"list_id": str(list_id)},
        idem=f"{DISCARD}:{list_id}",
        on=Queue.IMPORTS,
        not_before=clock.now() + KEPT,
    )


def hand_in_file(
    *, list_id: UUID, name: str, community_id: int | None, file_sha256: bytes, acting_user: StaffActor
) -> RecipientList:
    """The same of a file that lies in the store under this id; a worker reads it. Raises NotFound, NoCommunity."""
    made = _new(list_id, name, _home(acting_user, community_id), ListState.READING, acting_user)
    outbox.put(
        community_id=made.community_id,
        kind=READ,
        payload={"list_id": str(list_id)},
        idem=f"{READ}:{list_id}",
        on=Queue.IMPORTS,
    )
    _record(made, acting_user.actor, sha256=file_sha256.hex())
    return made


def is_reading(ref: Ref) -> bool:
    """Does the list still wait for its file to be read? For workers."""
    found = db.session().get(RecipientList, ref)
    return found is not None and found.state == ListState.READING


def filled(ref: Ref, rows: Sequence[Row]) -> None:
    """What was in the file. Without a number that can be written to the list has failed. May run twice."""
    made = db.session().get(RecipientList, ref, with_for_update=True, populate_existing=True)
    if made is None or made.state != ListState.READING:
        return
    good, problems = _sorted_out(rows)
    made.state = ListState.READY if good else ListState.FAILED
    _fill(made, len(rows), good, problems)


def failed(ref: Ref, *, code: str) -> None:
    """The file can't be read; row 0 of the problems says why."""
    made = db.session().get(RecipientList, ref, with_for_update=True, populate_existing=True)
    if made is not None and made.state == ListState.READING:
        made.state, made.problems = ListState.FAILED, [{"row": 0, "code": code}]


def _sorted_out(rows: Sequence[Row]) -> tuple[dict[str, tuple[int, Row]], list[dict[str, Any]]]:
    good: dict[str, tuple[int, Row]] = {}
    problems: list[dict[str, Any]] = []
    for row in rows:
        try:
            phone = identity.phone(row.phone)
        except BadValue as e:
            problems.append({"row": row.at, "code": e.code})
            continue
        if not is_mobile(phone):
            problems.append({"row": row.at, "code": "not_a_mobile"})
        elif phone in good:
            problems.append({"row": row.at, "code": "twice"})
        else:
            good[phone] = (row.at, row)
    return good, problems


def _write(made: RecipientList, good: Mapping[str, tuple[int, Row]]) -> None:
    keys = crypto.keys()
    wanted = list(good.items())
    for at in range(0, len(wanted), _PAGE):
        part = wanted[at : at + _PAGE]
        db.session().execute(
            _INSERT,
            {
                "community": made.community_id,
                "list": made.id,
                "hashes": [identity.phone_hash(phone) for phone, _ in part],
                "seqs": [seq for _, (seq, _) in part],
                "sealed": [keys.encrypt(phone.encode(), _context(made.id, seq)) for phone, (seq, _) in part],
                "fields": [_json(row.fields) for _, (_, row) in part],
            },
        )


def _context(list_id: object, seq: int) -> str:
    return f"list_phone:{list_id}:{seq}"


def _json(fields: Mapping[str, str]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False)


def list_for(staff: StaffActor, ref: Ref, permission: Permission = Permission.CAMPAIGN_VIEW) -> RecipientList:
    """A list of one's communities. Raises NotFound."""
    found = db.session().get(RecipientList, ref)
    if found is None or ref.community_id not in communities_of(staff, permission):
        raise NotFound
    return found


def name_of(ref: Ref) -> str:
    """What a list is called; the caller has made sure that it may be said. Raises NotFound."""
    found = db.session().get(RecipientList, ref)
    if found is None:
        raise NotFound
    return found.name


def listed(staff: StaffActor, *, limit: int, before: UUID | None = None) -> list[RecipientList]:
    """The lists of one's communities, the newest first."""
    mine = sorted(communities_of(staff, Permission.CAMPAIGN_VIEW))
    query = (
        select(RecipientList)
        .where(RecipientList.community_id.in_(mine))
        .order_by(RecipientList.id.desc())
        .limit(limit)
    )
    return list(db.session().scalars(query.where(RecipientList.id < before) if before else query))


class ListAudience(audience.Informal):
    """The numbers of handed-in lists."""

    def resolve(self, staff: StaffActor, ids_: Sequence[str]) -> Spec:
        """See `Audience.resolve`: lists of one's communities. Raises ListNotReady as well."""
        found = audience.refs(Kind.RECIPIENT_LIST, ids_)
        for ref in found:
            if list_for(staff, ref, Permission.CAMPAIGN_EDIT).state != ListState.READY:
                raise ListNotReady
        return {"refs": [[ref.community_id, str(ref.id)] for ref in found]}

    def communities(self, spec: Spec) -> list[int]:
        """See `Audience.communities`."""
        return sorted({community_id for community_id, _ in spec["refs"]})

    def page(self, spec: Spec, community_id: int, *, after: str | None, limit: int, at: datetime) -> Page:  # noqa: ARG002  the Protocol's
        """See `Audience.page`: by list and row, whenever."""
        e = RecipientListEntry
        lists = [list_id for home, list_id in spec["refs"] if home == community_id]
        query = (
            select(e.list_id, e.seq, e.phone_hash, e.phone_sealed, e.fields)
            .where(e.community_id == community_id, e.list_id.in_(lists))
            .order_by(e.list_id, e.seq)
            .limit(limit)
        )
        if after is not None:
            list_id, _, seq = after.partition("/")
            query = query.where((e.list_id > list_id) | ((e.list_id == list_id) & (e.seq > int(seq))))
        rows = db.session().execute(query).all()
        return Page(
            [
                Recipient(
                    (Number(row.phone_hash, row.phone_sealed, _context(row.list_id, row.seq)),), row.fields
                )
                for row in rows
            ],
            f"{rows[-1].list_id}/{rows[-1].seq}" if len(rows) == limit else None,
        )
