"""What the demonstration street may text: templates known to both vendors, a list of volunteers, a draft to a building,
and a campaign that waits for a second person.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from app import db, ids
from app.ids import Kind, Ref
from app.messaging import campaigns, recipient_lists, templates
from app.messaging.campaign_models import AsOf, AudienceType
from app.messaging.recipient_lists import Row
from app.messaging.sms_models import Channel, MappingState, SmsTemplate, TemplateKind
from app.messaging.templates import Fill, Parameter
from app.places import queries as places
from tools.demo.town import Town
from tools.demo.travel import Traveller

SIGN = "寸滩街道"


class Text(NamedTuple):
    """A template: its name, what it is for, its words and its blanks."""

    name: str
    kind: TemplateKind
    text: str
    blanks: tuple[Parameter, ...] = ()


TEXTS = (
    Text(
        "停水停电通知",
        TemplateKind.NOTICE,
        "您好，{where}{when}{what}，请提前做好准备。",
        (
            Parameter("where", 12, Fill.CAMPAIGN, "哪里"),
            Parameter("when", 20, Fill.CAMPAIGN, "什么时候"),
            Parameter("what", 10, Fill.CAMPAIGN, "停水还是停电"),
        ),
    ),
    Text(
        "请参加业主表决",
        TemplateKind.REMINDER,
        "{estate}业主您好，“{title}”正在表决，请打开小程序或到社区投票。",
        (Parameter("estate", 20, Fill.ESTATE), Parameter("title", 20, Fill.CAMPAIGN, "表决的名称")),
    ),
    Text("请看小区通知", TemplateKind.NOTICE, "您好，小区有新通知“{title}”，请打开小程序查看。",
         (Parameter("title", 20, Fill.CAMPAIGN, "通知的标题"),)),
    Text("志愿者排班", TemplateKind.NOTICE, "您好，您的志愿巡逻排在{day}，请准时到岗。",
         (Parameter("day", 12, Fill.LIST, "哪天值班"),)),
)  # fmt: skip
WAITING = Text(
    "暴雨紧急通知",
    TemplateKind.EMERGENCY,
    "暴雨{level}预警：请不要外出，低洼处住户按社区安排转移。",
    (Parameter("level", 4, Fill.CAMPAIGN, "预警级别"),),
)
VOLUNTEERS = 240  # more than one person may write to alone
DAYS = ("周一晚上", "周三晚上", "周六上午")


def write(here: Town, hands: Traveller, now: datetime) -> None:
    """Each at its time, by those whose business it is."""
    desk, street, second = (here.staff[name] for name in ("community1", "street", "street2"))
    hands.to(now - timedelta(days=12))
    known = {}
    for text in TEXTS:
        row = known[text.name] = _draft(text, here)
        for vendor, code in (("aliyun", "SMS_4690"), ("tencent", "21938")):
            templates.map_to(
                row.id,
                vendor,
                vendor_code=f"{code}{len(known):02d}",
                parameters=[blank.name for blank in text.blanks],
                longest=None,
                state=MappingState.APPROVED,
                acting_user=street,
            )
        templates.approve(row.id, version=None, acting_user=second)
    hands.to(now - timedelta(days=2))
    _draft(WAITING, here)
    # Numbers of the demonstration: nobody has them, and only the stand-ins carry them.
    rows = [Row(f"1990001{n:04d}", {"day": DAYS[n % 3]}, n + 2) for n in range(VOLUNTEERS)]
    numbers = recipient_lists.hand_in(
        name="夜间巡逻志愿者",
        community_id=None,
        rows=[*rows, Row("6789", {}, VOLUNTEERS + 2), Row("02367890000", {}, VOLUNTEERS + 3)],
        acting_user=desk,
    )
    db.session().flush()
    hands.to(now - timedelta(hours=3))
    building = next(b for b in places.buildings_of(here.estates["pearl"]) if b.name == "1栋")
    campaigns.draft(
        title="1栋清洗水箱停水",
        template_id=known["停水停电通知"].id,
        params={"where": "1栋", "when": "周四9:00至12:00", "what": "停水"},
        audience_type=AudienceType.BUILDINGS,
        audience_ids=[ids.encode(Kind.BUILDING, Ref(building.community_id, building.id))],
        as_of=AsOf.LAUNCH,
        channels=[Channel.SMS],
        sms_after_min=None,
        send_at=None,
        acting_user=desk,
    )
    large = campaigns.draft(
        title="本月志愿巡逻排班",
        template_id=known["志愿者排班"].id,
        params={},
        audience_type=AudienceType.LIST,
        audience_ids=[ids.encode(Kind.RECIPIENT_LIST, Ref(numbers.community_id, numbers.id))],
        as_of=AsOf.LAUNCH,
        channels=[Channel.SMS],
        sms_after_min=None,
        send_at=None,
        acting_user=desk,
    )
    db.session().flush()
    campaigns.submit(campaigns.ref_of(large), version=None, acting_user=desk)


def _draft(text: Text, here: Town) -> SmsTemplate:
    row = templates.draft(
        name=text.name,
        kind=text.kind,
        sign=SIGN,
        text=text.text,
        parameters=text.blanks,
        acting_user=here.staff["street"],
    )
    db.session().flush()  # it is read when it is mapped and approved
    return row
