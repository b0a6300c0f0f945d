"""What the demonstration street has told its estates: five notices of the last weeks, one of them corrected."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from app import db, outbox
from app.ids import Kind, Ref
from app.notices import queries, reading, service, telling
from app.notices.models import Topic
from tools.demo.town import ESTATES, Town
from tools.demo.travel import Traveller


class Told(NamedTuple):
    """A notice: how long ago, by whom, where, what."""

    days: float
    by: str
    estates: tuple[str, ...]
    kind: Topic
    title: str
    text: str
    minutes: int | None = None


NOTICES = (
    Told(
        20,
        "street",
        tuple(ESTATES),
        Topic.POLICY,
        "老旧小区加装电梯补贴政策",
        "符合条件的单元每台补贴 15 万元。由业主向社区提出，街道协助办理，具体条件请看政策原文或到社区咨询。",
    ),
    Told(
        14,
        "street",
        tuple(ESTATES),
        Topic.STUDY,
        "《民法典》业主共同决定事项学习",
        "第二百七十八条规定了由业主共同决定的事项，以及参与表决和同意的比例。请各位业主学习。",
        2,
    ),
    Told(
        9,
        "community1",
        ("pearl", "works"),
        Topic.OPEN_AFFAIRS,
        "上半年公共收益公示",
        "上半年公共收益收支已在小程序公示，凭证可查。对任何一笔有疑问，可以点这一笔提出。",
    ),
    Told(
        4,
        "community1",
        ("pearl",),
        Topic.OUTAGE,
        "1栋二次供水水箱清洗停水",
        "本周三 9:00 至 12:00 清洗水箱，1栋停水，请提前储水。",
    ),
    Told(
        1,
        "community2",
        ("garden", "resettled"),
        Topic.WORKS,
        "消防通道划线施工",
        "明天起两天划线施工，请勿在消防通道停车。",
    ),
)
CORRECTED = "本周四 9:00 至 12:00 清洗水箱，1栋停水，请提前储水。"
READERS = ("wang", "hu", "ma")  # of the estate where they are bound


def tell_all(here: Town, hands: Traveller, now: datetime) -> None:
    """Each at its time; the works notice is corrected the day after, and three residents have read what is older."""
    for told in NOTICES:
        at = now - timedelta(days=told.days)
        hands.to(at)
        staff = here.staff[told.by]
        row = service.add_draft(
            kind=told.kind,
            title=told.title,
            text=told.text,
            areas=[(Kind.ESTATE, here.estates[name]) for name in told.estates],
            study_minutes=told.minutes,
            acting_user=staff,
        )
        db.session().flush()  # it is read when it is published
        ref = queries.ref_of(row)
        service.publish(ref, version=None, acting_user=staff)
        db.session().flush()
        for home in row.homes:
            telling.tell_page(ref, telling.What.PUBLISHED, revision=1, home=home, after=None)
        if told.title.startswith("1栋"):
            hands.to(at + timedelta(days=1))
            service.change(
                ref,
                changes={"text": CORRECTED, "reason": "日期写错，应为周四"},
                version=None,
                acting_user=staff,
            )
        elif "pearl" in told.estates:
            for minutes, name in enumerate(READERS, 5):
                hands.to(at + timedelta(minutes=minutes))
                reading.read(ref, finished=False, acting_user=here.residents[name])


def tell(promised: outbox.Leased) -> None:
    """Keep a promise to tell residents, as the workers would; who was told isn't told again."""
    said = promised.payload
    telling.tell_page(
        Ref(promised.community_id, UUID(said["notice_id"])),
        telling.What(said["what"]),
        revision=said["revision"],
        home=said["home"],
        after=UUID(said["after"]) if said["after"] else None,
    )
