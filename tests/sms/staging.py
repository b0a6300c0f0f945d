"""A campaign that is already expanded, as rows; and the gateways it goes to."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import requests

from app import clock, crypto, db, ids
from app.adapters.sms import Vendor
from app.adapters.sms.aliyun import AliyunSms
from app.adapters.sms.tencent import TencentSms
from app.ids import Ref
from app.messaging.campaign_models import CampaignPart
from app.messaging.sms_models import SmsBatch, SmsMessage, SmsTemplate, SmsTemplateMapping
from app.places import identity
from sandbox.sms.config import SmsConfig
from sandbox.sms.server import SmsSandbox

CONFIG = SmsConfig(
    aliyun_key_id="LTAI-sandbox",
    aliyun_key_secret="aliyun-sandbox-secret",
    tencent_secret_id="AKID-sandbox",
    tencent_secret_key="tencent-sandbox-key",
    tencent_app_id="1400000001",
    clock=lambda: clock.now().timestamp(),
)
TOKENS = ("new-" + "n" * 40, "old-" + "o" * 40)
_numbers = itertools.count(1)


def fresh_phones(count: int) -> list[str]:
    """Numbers that no other test uses."""
    return [f"138{next(_numbers):08}" for _ in range(count)]


@dataclass
class Gateways:
    """Both vendors on loopback, and adapters that don't wait long."""

    url: str
    sandbox: SmsSandbox
    read_s: float = 0.5
    made: dict[Vendor, AliyunSms | TencentSms] = field(default_factory=dict)

    def adapters(self) -> dict[str, Any]:
        if not self.made:
            self.made = {
                Vendor.ALIYUN: AliyunSms(
                    endpoint=self.url,
                    key_id=CONFIG.aliyun_key_id,
                    key_secret=CONFIG.aliyun_key_secret,
                    read_s=self.read_s,
                ),
                Vendor.TENCENT: TencentSms(
                    endpoint=self.url,
                    secret_id=CONFIG.tencent_secret_id,
                    secret_key=CONFIG.tencent_secret_key,
                    app_id=CONFIG.tencent_app_id,
                    read_s=self.read_s,
                ),
            }
        return {vendor.value: adapter for vendor, adapter in self.made.items()}

    def behave(self, **vendors: dict[str, Any]) -> None:
        answer = requests.post(f"{self.url}_sandbox/sms/scenario", json=vendors, timeout=5)
        assert answer.status_code == 200, answer.text

    def reset(self) -> None:
        requests.post(f"{self.url}_sandbox/sms/reset", timeout=5)

    def received(self, phones: Sequence[str]) -> Counter[str]:
        """How many messages each of these numbers receives, by the gateways' own ledger."""
        counts = requests.get(f"{self.url}_sandbox/sms/counts", timeout=5).json()["numbers"]
        return Counter({phone: counts[phone] for phone in phones if phone in counts})

    def entries(self, phone: str) -> list[dict[str, Any]]:
        asked = {"phone": phone}
        return list(
            requests.get(f"{self.url}_sandbox/sms/ledger", params=asked, timeout=5).json()["messages"]
        )

    def calls(self, vendor: str) -> dict[str, int]:
        return dict(requests.get(f"{self.url}_sandbox/sms/calls", timeout=5).json()["calls"][vendor])


@dataclass
class Campaign:
    """One that runs in one community."""

    community_id: int
    id: UUID
    phones: list[str]
    owner: psycopg.Connection[Any]

    def states(self) -> Counter[str]:
        rows = self.owner.execute(
            "SELECT state, count(*) FROM sms_messages WHERE campaign_id = %s GROUP BY state", [self.id]
        )
        return Counter(dict(rows.fetchall()))

    def batches(self) -> Counter[str]:
        rows = self.owner.execute(
            "SELECT state, count(*) FROM sms_batches WHERE campaign_id = %s GROUP BY state", [self.id]
        )
        return Counter(dict(rows.fetchall()))

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Raw, as the owner; `%s` for the campaign comes first."""
        found = self.owner.execute(statement, [self.id, *values])
        return found.fetchall() if found.description else []

    def set_part(self, state: str) -> None:
        self.owner.execute("UPDATE campaign_parts SET state = %s WHERE campaign_id = %s", [state, self.id])

    def hurry(self) -> None:
        """Whatever waits for a later moment is due now."""
        self.sql("UPDATE sms_batches SET not_before = now() - interval '1 hour' WHERE campaign_id = %s")


def lay(
    owner: psycopg.Connection[Any],
    community_id: int,
    phones: Sequence[str],
    *,
    vendors: Sequence[str] = ("aliyun",),
    size: int = 100,
    personal: bool = False,
    priority: int = 5,
) -> Campaign:
    """A campaign to these numbers, in batches of `size`, with a mapping approved at these vendors."""
    now, campaign_id = clock.now(), ids.new_id()
    with db.transaction() as session:
        template = SmsTemplate(
            id=ids.new_id(),
            region_id=community_id,
            name="提醒",
            kind="reminder",
            sign="幸福社区",
            text="您好${name}，请参加投票。",
            parameters=[{"name": "name", "longest": 20, "fill": "estate"}],
            state="approved",
            created_by=ids.new_id(),
            created_at=now,
            approved_by=ids.new_id(),
            approved_at=now,
            updated_at=now,
        )
        session.add(template)
        session.flush()
        for vendor in vendors:
            session.add(
                SmsTemplateMapping(
                    template_id=template.id,
                    provider_code=vendor,
                    vendor_code="SMS_1" if vendor == "aliyun" else "1001",
                    parameters=["name"],
                    state="approved",
                    updated_by=ids.new_id(),
                    updated_at=now,
                )
            )
        session.add(
            CampaignPart(
                community_id=community_id,
                campaign_id=campaign_id,
                home_id=community_id,
                state="running",
                template_id=template.id,
                params=["业主"],
                priority=priority,
                taken=len(phones),
                excluded={},
                started_at=now,
                expanded_at=now,
            )
        )
        session.flush()
        for start in range(0, len(phones), size):
            part = phones[start : start + size]
            batch = SmsBatch(
                community_id=community_id,
                id=ids.new_id(),
                campaign_id=campaign_id,
                priority=priority,
                size=len(part),
                is_personal=personal,
                not_before=now,
                created_at=now,
            )
            session.add(batch)
            session.flush()
            for number, phone in enumerate(part, start):
                id_ = ids.new_id()
                session.add(
                    SmsMessage(
                        community_id=community_id,
                        id=id_,
                        campaign_id=campaign_id,
                        batch_id=batch.id,
                        phone_sealed=crypto.keys().encrypt(phone.encode(), f"sms_phone:{id_}"),
                        phone_hash=identity.phone_hash(phone),
                        params=[f"业主{number}"] if personal else None,
                        created_at=now,
                    )
                )
    return Campaign(community_id, campaign_id, list(phones), owner)


def batch_refs(campaign: Campaign) -> list[Ref]:
    return [
        Ref(campaign.community_id, id_)
        for (id_,) in campaign.sql("SELECT id FROM sms_batches WHERE campaign_id = %s ORDER BY id")
    ]
