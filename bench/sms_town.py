"""The town that `bench.sms` writes to: ten communities, an owner a home, some of whom own in two; and its campaign."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from app import audit, clock, crypto, db, ids
from app.ids import Ref
from app.messaging.campaign_models import Campaign
from app.messaging.sms_models import SmsTemplate, SmsTemplateMapping
from app.places import identity
from app.places import queries as places_queries
from app.places import service as places
from app.places.coordinates import Point
from app.places.models import RegionKind
from bench.vote_town import copy_rows

STREET, FIRST, COMMUNITIES = 30, 301, 10


def phone(number: int) -> str:
    """The number of the owner with that number; invented."""
    return f"139{number:08}"


def lay_out(dsn: str, owners: int, *, twice: int) -> list[Ref]:
    """Ten communities with an estate each, and homes for so many owners, of whom `twice` have a second home in the
    next community under the same number. The estates.
    """
    since = places_queries.today().replace(year=places_queries.today().year - 1, day=1)
    estates = []
    with db.transaction() as session:
        places.add_region(
            region_id=STREET,
            kind=RegionKind.STREET,
            name="街道",
            parent_id=None,
            since=since,
            acting_user=audit.SYSTEM,
        )
        session.flush()
        for n in range(COMMUNITIES):
            places.add_region(
                region_id=FIRST + n,
                kind=RegionKind.COMMUNITY,
                name=f"{n}社区",
                parent_id=STREET,
                since=since,
                acting_user=audit.SYSTEM,
            )
            session.flush()
            made = places.add_estate(
                community_id=FIRST + n,
                name=f"{n}苑",
                centre=Point(106.5, 29.6 + n / 100),
                since=since,
                acting_user=audit.SYSTEM,
            )
            estates.append(Ref(FIRST + n, made.id))
    each = owners // COMMUNITIES
    with psycopg.connect(dsn) as connection:
        for n, estate in enumerate(estates):
            last = owners if n == COMMUNITIES - 1 else (n + 1) * each
            numbers = list(range(n * each, last))
            # The first ones of the community before have a home here as well.
            before = (n - 1) % COMMUNITIES * each
            numbers += range(before, before + twice // COMMUNITIES)
            _people(connection, estate, [phone(number) for number in numbers])
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return estates


def _people(connection: psycopg.Connection[Any], estate: Ref, phones: list[str]) -> None:
    now, since = clock.now(), places_queries.today() - timedelta(days=100)
    home = {"community_id": estate.community_id}
    named = [(ids.new_id(), ids.new_id(), number) for number in phones]
    keys = crypto.keys()

    def houses() -> Iterator[dict[str, Any]]:
        for n, (house, _, _) in enumerate(named):
            yield (
                home
                | {"id": house, "estate_id": estate.id, "kind": "home", "number": f"{n:06}"}
                | {
                    "key": f"{n:06}",
                    "registered_centi": 9000,
                    "area_centi": 9000,
                    "area_basis": "registered",
                    "valid_from": since,
                    "created_at": now,
                    "updated_at": now,
                }
            )

    def owners() -> Iterator[dict[str, Any]]:
        for _, owner, number in named:
            yield (
                home
                | {"id": owner, "kind": "person", "name_sealed": b"-", "name_hash": owner.bytes}
                | {
                    "phone_sealed": keys.encrypt(number.encode(), f"owner_phone:{owner}"),
                    "phone_hash": identity.phone_hash(number),
                    "created_at": now,
                    "updated_at": now,
                }
            )

    copy_rows(connection, "houses", houses())
    copy_rows(connection, "owners", owners())
    copy_rows(
        connection,
        "holdings",
        (
            home
            | {"id": house, "house_id": house, "state": "owned", "voter_id": owner, "valid_from": since}
            | {"reason": "import", "created_at": now}
            for house, owner, _ in named
        ),
    )
    copy_rows(
        connection,
        "holding_owners",
        (home | {"holding_id": house, "owner_id": owner, "position": 0} for house, owner, _ in named),
    )


def template(*, vendors: tuple[str, ...] = ("aliyun",), street: int = STREET) -> UUID:
    """An approved template of the street with a value of each recipient's own, and its approved copies at these
    vendors.
    """
    now = clock.now()
    with db.transaction() as session:
        made = SmsTemplate(
            id=ids.new_id(),
            region_id=street,
            name="投票提醒",
            kind="reminder",
            sign="幸福社区",
            text="您好，${room}的业主，请参加投票。",
            parameters=[{"name": "room", "longest": 20, "fill": "room"}],
            state="approved",
            created_by=ids.new_id(),
            created_at=now,
            approved_by=ids.new_id(),
            approved_at=now,
            updated_at=now,
        )
        session.add(made)
        session.flush()
        for vendor in vendors:
            session.add(
                SmsTemplateMapping(
                    template_id=made.id,
                    provider_code=vendor,
                    vendor_code="SMS_1",
                    parameters=["room"],
                    state="approved",
                    updated_by=ids.new_id(),
                    updated_at=now,
                )
            )
        return made.id


def campaign(template_id: UUID, estates: list[Ref], *, street: int = STREET) -> Ref:
    """A campaign of the street to the owners of these estates that is cleared and due."""
    now = clock.now()
    with db.transaction() as session:
        made = Campaign(
            community_id=street,
            id=ids.new_id(),
            title="投票提醒",
            template_id=template_id,
            params={},
            audience={
                "type": "estates",
                "spec": {"estates": [[e.community_id, str(e.id)] for e in estates], "buildings": []},
            },
            as_of="launch",
            channels=["sms"],
            send_at=now,
            state="scheduled",
            communities=sorted({e.community_id for e in estates}),
            created_by=ids.new_id(),
            created_at=now,
            launched_by=ids.new_id(),
            launched_at=now,
        )
        session.add(made)
        return Ref(street, made.id)
