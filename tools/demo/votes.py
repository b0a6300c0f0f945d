"""An open vote of the first estate's first building: its homes and owners, the owners' rules, two ballots cast."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from app import db, ids, outbox
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.media import papers
from app.media.models import OwnerKind
from app.memberships import binding
from app.memberships import queries as memberships
from app.memberships.models import Relation
from app.people.scopes import StaffActor
from app.places import households, registry, voters
from app.places import queries as places
from app.places.identity import Party
from app.voting import bylaws, casting, drafting, pushing, queries, service
from app.voting.drafting import MotionDraft
from app.voting.models import Decision, DecisionKind, LegalMode
from app.voting.pushing import What
from sandbox.wechat import demo_phone
from tools.demo.town import RECORDS_BEGIN, Town
from tools.demo.travel import Traveller

if TYPE_CHECKING:
    from tools.demo.stage import Album

ESTATE, BUILDING = "pearl", "1栋"
BOUND_BEFORE = timedelta(days=50)  # soon after they settled: WeChat's word for a phone is good for 30 days
ANNOUNCED_BEFORE = timedelta(days=17)
OPEN_SINCE, OPEN_FOR = timedelta(days=1), timedelta(days=14)
FILE = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


class Home(NamedTuple):
    """A home and who owns it: residents by their name, others by what the papers call them."""

    room: str
    area_centi: int
    owners: tuple[str, ...]


# Wang owns two homes, which is one head; the couple of 201 has named who votes for them.
HOMES = (
    Home("101", 8_850, ("wang",)),
    Home("102", 10_230, ("wang",)),
    Home("201", 8_850, ("zhao", "钱桂芳")),
    Home("202", 10_230, ("hu",)),
    Home("301", 8_850, ("ma",)),
    Home("302", 10_230, ("han",)),
    Home("401", 8_850, ("cheng",)),
    Home("402", 10_230, ("zeng",)),
    Home("501", 8_850, ("秦明远",)),
    Home("502", 10_230, ("江岸置业有限公司",)),
)
CAST = {"hu": ("for", "for"), "ma": ("for", "against")}
# As the papers call the residents among them.
_NAMES = {
    "wang": "王秀英",
    "zhao": "赵明德",
    "hu": "胡建国",
    "ma": "马长林",
    "han": "韩冰",
    "cheng": "程小雨",
    "zeng": "曾凡平",
}
# Who waits for the desk's review: whose home, as what she asks, the name that she gives, whether with a paper.
ASKED = (
    ("liu", "秦明远", Relation.OWNER, "秦晓玲", True),
    ("yang", "ma", Relation.FAMILY, "杨柳", False),
)
ASKED_BEFORE = timedelta(hours=5)
# 1990 numbers are the stand-in's, given to nobody.
_PHONES = {"钱桂芳": "19900000201", "秦明远": "19900000501", "江岸置业有限公司": "19900000502"}


def hold(here: Town, album: Album, hands: Traveller, now: datetime) -> None:
    """The homes and their owners since long; the vote announced in time, frozen, open since yesterday."""
    estate, desk, street = here.estates[ESTATE], here.staff["community1"], here.staff["street"]
    hands.to(now - BOUND_BEFORE)
    homes = _homes(estate)
    _bind(here, homes)
    hands.to(now - ANNOUNCED_BEFORE - timedelta(days=3))
    bylaws.set_rules(
        street,
        estate,
        changes={"electronic_admitted": True, "disclosure": "by_room_to_owners"},
        document="江岸明珠小区业主大会议事规则",
        clause="第二十一条",
        adopted_on=date(2025, 6, 1),
        file_ids=[_paper(album, street.id)],
    )
    bylaws.set_mode(
        street,
        estate,
        mode=LegalMode.PAPER_BACKED,
        document="寸滩街道〔2026〕18号",
        file_ids=[_paper(album, street.id)],
    )
    row = _announce(estate, desk, street, hands, now)
    ref = queries.ref_of(row)
    assert row.opens_at is not None
    hands.to(row.opens_at - timedelta(minutes=29))
    service.freeze(ref)
    hands.to(row.opens_at + timedelta(seconds=2))
    service.advance(ref)
    db.session().flush()  # casting reads the decision anew
    hands.to(now)
    motions = [ids.encode(Kind.MOTION, Ref(ref.community_id, m.id)) for m in queries.motions_of(ref)]
    for name, answers in CAST.items():
        resident_id = here.residents[name]
        head_id = casting.only_head(ref, resident_id)
        casting.cast(ref, head_id, dict(zip(motions, answers, strict=True)), acting_user=resident_id)
    _ask(here, album, homes, hands, now)


def _homes(estate: Ref) -> dict[str, list[Ref]]:
    """Somebody's name → her homes."""
    found: dict[str, list[Ref]] = {}
    for home in HOMES:
        made = registry.add_house(
            estate=estate,
            building=BUILDING,
            number=home.room,
            registered_centi=home.area_centi,
            owners=[_party(name) for name in home.owners],
            since=RECORDS_BEGIN,
            is_demo=True,
            acting_user=SYSTEM,
        )
        db.session().flush()  # the next house finds its owners
        for name in home.owners:
            found.setdefault(name, []).append(Ref(made.community_id, made.id))
    return found


def _party(name: str) -> Party:
    return Party(_NAMES.get(name, name), demo_phone(name) if name in _NAMES else _PHONES[name])


def _bind(here: Town, homes: dict[str, list[Ref]]) -> None:
    """The residents among them bind with their phones; the couple says who votes."""
    for name, said in _NAMES.items():
        for home in homes[name]:
            request = binding.Request(home, here.residents[name], Relation.OWNER, said)
            assert binding.bind(request).is_matched, name
    (shared,) = homes["zhao"]
    bound = memberships.of_house(shared)
    voters.set_voter(households.house(shared, lock=True), voter=bound[0].owner_id, acting_user=SYSTEM)


def _ask(here: Town, album: Album, homes: dict[str, list[Ref]], hands: Traveller, now: datetime) -> None:
    """Two wait to be bound: a daughter whom the registry doesn't know, with a paper, and one of a family."""
    for at, (name, owner, relation, said, with_paper) in enumerate(ASKED):
        hands.to(now - ASKED_BEFORE + timedelta(hours=at))
        resident_id = here.residents[name]
        files = [_paper(album, resident_id, OwnerKind.RESIDENT)] if with_paper else []
        asked = binding.Request(homes[owner][0], resident_id, relation, said, file_ids=files)
        assert not binding.bind(asked).is_matched, name
    hands.to(now)


def _announce(estate: Ref, desk: StaffActor, street: StaffActor, hands: Traveller, now: datetime) -> Decision:
    """Drafted by the desk, reviewed by the street, announced and told to the owners."""
    building = next(b for b in places.buildings_of(estate) if b.name == BUILDING)
    hands.to(now - ANNOUNCED_BEFORE)
    row = drafting.create(
        desk,
        estate=estate,
        kind=DecisionKind.MEETING,
        title="1栋电梯更新改造",
        text="1栋两部电梯使用已满十五年，请本楼业主就更新改造和资金来源表决。",
        motions=[
            MotionDraft(
                title="使用维修资金更新两部电梯", text="总价 68 万元，从本楼维修资金列支。", matter=5
            ),
            MotionDraft(title="电梯轿厢广告收入归本楼", text="委托物业公司经营，收入每季度公示。", matter=8),
        ],
        building_ids=[Ref(estate.community_id, building.id)],
        opens_at=now - OPEN_SINCE,
        closes_at=now - OPEN_SINCE + OPEN_FOR,
    )
    db.session().flush()
    ref = queries.ref_of(row)
    service.submit(desk, ref)
    service.review(street, ref, passed=True)
    service.announce(desk, ref)
    db.session().flush()
    pushing.tell_page(ref, What.ANNOUNCED, run="1", after=None)
    return row


def _paper(album: Album, owner_id: UUID, owner_kind: OwnerKind = OwnerKind.STAFF) -> UUID:
    """A file that somebody has uploaded."""
    paper_id = ids.new_id()
    album.keep(papers.key(paper_id), papers.seal(FILE, paper_id), "application/octet-stream")
    papers.receive(
        paper_id=paper_id,
        owner_id=owner_id,
        owner_kind=owner_kind,
        kind="pdf",
        size_bytes=len(FILE),
        sha256=hashlib.sha256(FILE).digest(),
    )
    db.session().flush()  # it is looked for when it is attached
    return paper_id


def tell(promised: outbox.Leased) -> None:
    """Keep a promise to tell owners, as the workers would; who was told isn't told again."""
    said = promised.payload
    after = UUID(said["after"]) if said["after"] else None
    ref = Ref(promised.community_id, UUID(said["decision_id"]))
    pushing.tell_page(ref, What(said["what"]), run=said["run"], after=after)
