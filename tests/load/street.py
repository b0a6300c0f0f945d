"""The full street of the load: `bench.bff_town`, whose people log in as they do, with WeChat or an authenticator."""

from __future__ import annotations

import base64
import json
import random
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import select

from app import audit, clock, crypto, db, ids
from app.ids import Kind, Ref
from app.people import logins, totp
from app.people import service as people
from app.people.models import IdentityKind, Role, Staff
from app.places import identity
from app.places import queries as places_queries
from app.places.models import Org, OrgKind
from bench import bff_town, sms_town, tickets_town, vote_town
from bench.bff_town import Town
from bench.vote import DATABASE
from bench.vote_town import Owner
from sandbox.config import Config
from sandbox.state import State
from tools import servers

NUMBERS_A_PUSH = 100  # receipts that Alibaba puts into one push at most


@dataclass
class Street:
    """What the scenarios and the recount need to know."""

    town: Town
    owners: list[tuple[Ref, Owner]]
    clerks: list[dict[str, str]] = field(default_factory=list)
    crews: list[dict[str, str]] = field(default_factory=list)
    office: dict[str, str] = field(default_factory=dict)
    campaign: Ref | None = None

    def name(self, number: int) -> str:
        """What the WeChat stand-in calls the owner with that number."""
        return f"owner-{number}"


def fill(pg: servers.Postgres, appid: str, *, share: float) -> Street:
    """The street with `share` of its people, all of them with their logins; this process is booted on the database."""
    dsn = pg.url("owner", DATABASE)
    town = bff_town.fill(pg, DATABASE, share=share)
    street = Street(town, town.everyone)
    began = time.monotonic()
    _accounts_of_owners(dsn, street, appid)
    _staff(street)
    print(
        f"generated: logins and numbers of {len(street.owners):,} owners: {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return street


# --- owners --------------------------------------------------------------------------------------------------


def _accounts_of_owners(dsn: str, street: Street, appid: str) -> None:
    """Their WeChat accounts, the keys their words are sealed under, and their phones in the register."""
    keys, now = crypto.keys(), clock.now()
    wechat = State(Config(appid=appid, secret="-", push_token="-", push_aes_key="-"))
    openids = [wechat.openid_of(street.name(n)) for n in range(len(street.owners))]
    wechat.close()

    def claims() -> Iterator[dict[str, Any]]:
        for openid, (_, who) in zip(openids, street.owners, strict=True):
            key_hash = keys.keyed_hash(openid, IdentityKind.OPENID)
            yield {"key_hash": key_hash, "kind": "openid", "person_id": who.resident, "claimed_at": now}

    def sealed() -> Iterator[dict[str, Any]]:
        for openid, (_, who) in zip(openids, street.owners, strict=True):
            yield {
                "id": who.resident,
                "openid_sealed": keys.encrypt(openid.encode(), f"openid:{who.resident}"),
            }

    def own_keys() -> Iterator[dict[str, Any]]:
        for _, who in street.owners:
            wrapped = keys.encrypt(random.randbytes(32), f"person_key:{who.resident}")
            yield {"person_id": who.resident, "wrapped": wrapped}

    def phones() -> Iterator[dict[str, Any]]:
        for n, (estate, who) in enumerate(street.owners):
            number = sms_town.phone(n)
            yield {
                "community_id": estate.community_id,
                "id": who.owner,
                "phone_sealed": keys.encrypt(number.encode(), f"owner_phone:{who.owner}"),
                "phone_hash": identity.phone_hash(number),
            }

    with psycopg.connect(dsn) as connection:
        vote_town.copy_rows(connection, "identity_keys", claims())
        vote_town.copy_rows(connection, "person_keys", own_keys())
        connection.execute("CREATE TEMP TABLE told (id uuid, openid_sealed bytea)")
        vote_town.copy_rows(connection, "told", sealed())
        connection.execute(
            "UPDATE residents r SET openid_sealed = t.openid_sealed FROM told t WHERE t.id = r.id"
        )
        connection.execute(
            "CREATE TEMP TABLE called (community_id bigint, id uuid, phone_sealed bytea, phone_hash bytea)"
        )
        vote_town.copy_rows(connection, "called", phones())
        connection.execute(
            "UPDATE owners o SET phone_sealed = c.phone_sealed, phone_hash = c.phone_hash FROM called c"
            " WHERE c.community_id = o.community_id AND c.id = o.id"
        )
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) residents, owners, identity_keys, person_keys")


# --- staff ---------------------------------------------------------------------------------------------------


def _staff(street: Street) -> None:
    """A clerk at the desk of each community; everybody with an authenticator, as production asks for it."""
    desks = list(tickets_town.COMMUNITIES)
    since = places_queries.today().replace(year=places_queries.today().year - 1, day=1)
    with db.transaction() as session:
        committees = session.scalars(select(Org).where(Org.kind == OrgKind.COMMUNITY_COMMITTEE))
        desk_of = {one.region_id: one.id for one in committees}
        for community in desks:
            made = people.add_staff(
                account=f"desk-{community}",
                name=f"{community}受理",
                password=tickets_town.PASSWORD,
                acting_user=audit.SYSTEM,
                org_id=desk_of[community],
            )
            people.grant_role(
                staff_id=made.id,
                role=Role.COMMUNITY,
                org_id=desk_of[community],
                since=since,
                acting_user=audit.SYSTEM,
                region_id=community,
            )
        session.flush()
        accounts = {}
        for staff in session.scalars(select(Staff)):
            secret = totp.new_secret()
            logins.set_totp(staff, secret)
            accounts[staff.account] = {
                "account": staff.account,
                "password": tickets_town.PASSWORD,
                "totp": base64.b32encode(secret).decode(),
            }
    street.office = accounts[street.town.street.accounts["street"]]
    street.clerks = [accounts[f"desk-{community}"] for community in desks]
    # One of each company: which tickets there are to work on, all of a company see.
    crews = sorted(
        (name for name in accounts if name.startswith("property-")), key=lambda n: int(n.split("-")[1])
    )
    street.crews = [accounts[name] for name in crews[:: len(crews) // tickets_town.KEEPERS]]


# --- text messages -------------------------------------------------------------------------------------------


def send_messages(street: Street, pg: servers.Postgres, *, patience_s: float) -> int:
    """A campaign to all owners, sent by the workers that run to both vendors' stand-ins; how many messages."""
    dsn = pg.url("owner", DATABASE)
    with psycopg.connect(dsn, autocommit=True) as connection:
        # Tencent takes one number a call where each text is another: half of the street would be 25,000 calls.
        connection.execute(
            "UPDATE sms_providers SET calls_per_s = 5000, batch_personal = CASE code WHEN 'aliyun' THEN 100 ELSE 1 END,"
            " weight = CASE code WHEN 'aliyun' THEN 98 ELSE 2 END"
        )
        template = sms_town.template(vendors=("aliyun", "tencent"), street=tickets_town.STREET)
        ref = sms_town.campaign(template, street.town.street.estates, street=tickets_town.STREET)
        street.campaign = ref
        give_up_at = time.monotonic() + patience_s
        while time.monotonic() < give_up_at:
            time.sleep(0.5)
            row = connection.execute(
                "SELECT (SELECT count(*) FROM campaign_parts WHERE campaign_id = %(id)s),"
                " (SELECT count(*) FROM campaign_parts WHERE campaign_id = %(id)s AND expanded_at IS NULL),"
                " (SELECT count(*) FROM sms_batches WHERE campaign_id = %(id)s AND state <> 'done'),"
                " (SELECT count(*) FROM sms_messages WHERE campaign_id = %(id)s)",
                {"id": ref.id},
            ).fetchone()
            assert row is not None
            parts, unread, unsent, messages = row
            if parts and not unread and not unsent and messages:
                return int(messages)
    raise RuntimeError(f"the campaign was not sent within {patience_s:.0f} s: {row}")


def pushes(gateways: str, *, chance: random.Random) -> list[dict[str, str]]:
    """A receipt for each message, as the vendors push them: out of order, and every tenth push comes again.

    Each is `{vendor, body}`. `gateways`: the stand-in's address; it knows what it took.
    """
    with urllib.request.urlopen(f"{gateways}/_sandbox/sms/ledger?limit=10000000", timeout=120) as answer:
        taken = json.load(answer)["messages"]
    chance.shuffle(taken)
    found = []
    for vendor, write in (("aliyun", _aliyun), ("tencent", _tencent)):
        entries = [write(entry) for entry in taken if entry["vendor"] == vendor]
        for start in range(0, len(entries), NUMBERS_A_PUSH):
            body = json.dumps(entries[start : start + NUMBERS_A_PUSH], ensure_ascii=False)
            found.append({"vendor": vendor, "body": body})
    found += found[::10]
    chance.shuffle(found)
    return found


def _aliyun(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "phone_number": entry["phone"],
        "send_time": "2026-11-22 10:00:00",
        "report_time": "2026-11-22 10:00:07",
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": entry["vendor_id"],
        "out_id": entry["out_id"],
    }


def _tencent(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "user_receive_time": "2026-11-22 10:00:07",
        "nationcode": "86",
        "mobile": entry["phone"],
        "report_status": "SUCCESS",
        "errmsg": "DELIVRD",
        "description": "用户短信送达成功",
        "sid": entry["vendor_id"],
    }


def estate_of(estate: Ref) -> str:
    """Its id on the wire."""
    return ids.encode(Kind.ESTATE, estate)
