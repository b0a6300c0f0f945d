"""The demonstration street: its dated place in the city, estates, grids, organisations, staff and residents."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any, NamedTuple
from unittest import mock
from uuid import UUID

from app import db
from app.audit import SYSTEM
from app.ids import Ref
from app.people import logins, passwords
from app.people import queries as people_queries
from app.people import service as people
from app.people.models import ConsentKey, Role
from app.people.scopes import BY_REGION, StaffActor
from app.places import service as places
from app.places.coordinates import Point
from app.places.models import OrgKind, RegionKind, RegionTerm
from app.sources import service as sources
from app.tickets.models import Channel
from sandbox.config import Config
from sandbox.state import State
from sandbox.wechat import demo_phone
from tools.demo.cast import DEMO_PASSWORD, DEMO_TOTP, HOMES, RESIDENTS, STAFF, STREET, STREET_ID

CITY, OLD_DISTRICT, NEW_DISTRICT = 1, 2, 3
RECORDS_BEGIN = date(2020, 1, 1)
# 江北区 was abolished and became part of 两江新区 on this day (design: superior bodies are dated data).
MERGED = date(2025, 11, 6)
COMMUNITIES = {101: "江岸社区", 102: "金渝社区", 103: "和畅社区"}


class EstatePlan(NamedTuple):
    """An estate: its community, south-west and north-east corner (WGS-84), buildings, who keeps it."""

    community: int
    corners: tuple[float, float, float, float]
    address: str
    buildings: int
    keeper: str | None

    @property
    def building_names(self) -> list[str]:
        """Their names: 1栋, 2栋 and so on."""
        return [f"{number}栋" for number in range(1, self.buildings + 1)]


# The lamp of tools/pictures.py (106.6100 E, 29.6100 N) stands in the first one. Estates without a property
# company (弃管) are looked after by the community's desk.
ESTATES = {
    "pearl": EstatePlan(101, (106.6078, 29.6082, 106.6122, 29.6118), "海尔路 88 号", 8, "keeper1"),
    "works": EstatePlan(101, (106.6126, 29.6084, 106.6158, 29.6112), "海尔路 102 号", 5, None),
    "garden": EstatePlan(102, (106.6012, 29.6030, 106.6052, 29.6062), "金渝大道 16 号", 7, "keeper2"),
    "resettled": EstatePlan(102, (106.6056, 29.6028, 106.6098, 29.6058), "金渝大道 30 号", 9, "keeper2"),
    "court": EstatePlan(103, (106.6130, 29.6136, 106.6172, 29.6170), "港城东路 9 号", 6, "keeper3"),
    "oldtown": EstatePlan(103, (106.6088, 29.6138, 106.6124, 29.6166), "寸滩正街 1-79 号", 10, None),
}


class OrgPlan(NamedTuple):
    """An organisation, its seat in the tree, its duty line (numbers that are nobody's)."""

    kind: OrgKind
    name: str
    region: int
    phone: str


ORGS = {
    "street": OrgPlan(OrgKind.STREET_OFFICE, f"{STREET}办事处", STREET_ID, "023-00000010"),
    "desk1": OrgPlan(OrgKind.COMMUNITY_COMMITTEE, "江岸社区居委会", 101, "023-00000101"),
    "desk2": OrgPlan(OrgKind.COMMUNITY_COMMITTEE, "金渝社区居委会", 102, "023-00000102"),
    "desk3": OrgPlan(OrgKind.COMMUNITY_COMMITTEE, "和畅社区居委会", 103, "023-00000103"),
    "keeper1": OrgPlan(OrgKind.PROPERTY_COMPANY, "渝邻物业服务有限公司", STREET_ID, "023-00000201"),
    "keeper2": OrgPlan(OrgKind.PROPERTY_COMPANY, "安居物业管理有限公司", STREET_ID, "023-00000202"),
    "keeper3": OrgPlan(OrgKind.PROPERTY_COMPANY, "和畅物业服务有限公司", STREET_ID, "023-00000203"),
    "roads": OrgPlan(OrgKind.DEPARTMENT, f"{STREET}市政维护队", STREET_ID, "023-00000301"),
    "enforcement": OrgPlan(OrgKind.DEPARTMENT, f"{STREET}综合行政执法大队", STREET_ID, "023-00000302"),
}
# What goes to one organisation wherever in the street it is, before any estate's property company.
BY_CATEGORY = {"road": "roads", "illegal_building": "enforcement", "dogs": "enforcement"}
# Disputes are mediated by the community itself, not by the property company that may be a party.
BY_DESK = ("dispute", "property", "ownership")


@dataclass
class Town:
    """What the tickets need to know of the street, by the keys of the plans above."""

    orgs: dict[str, UUID] = field(default_factory=dict)
    estates: dict[str, Ref] = field(default_factory=dict)
    grids: dict[str, Ref] = field(default_factory=dict)
    staff: dict[str, StaffActor] = field(default_factory=dict)
    residents: dict[str, UUID] = field(default_factory=dict)
    position_consents: set[str] = field(default_factory=set)
    hotline: UUID | None = None


def desk_of(community: int) -> str:
    """The key of a community's own desk."""
    return f"desk{community - 100}"


def lay_out(town: Town) -> None:
    """The tree, the organisations, the estates with their buildings and grids, and who answers for what."""
    _plant_tree()
    for key, org in ORGS.items():
        town.orgs[key] = places.add_org(
            kind=org.kind,
            name=org.name,
            region_id=org.region,
            phone=org.phone,
            acting_user=SYSTEM,
            is_demo=True,
        ).id
    for key, plan in ESTATES.items():
        _build_estate(town, key, plan)
    # Responsibilities point to organisations and estates by id only, so the session can't order them itself.
    db.session().flush()
    for key, plan in ESTATES.items():
        if plan.keeper is not None:
            _answers(town, plan.community, plan.keeper, estate=key)
    _answers(town, 101, "keeper1", estate="pearl", category="lighting")
    for community in COMMUNITIES:
        for category, department in BY_CATEGORY.items():
            _answers(town, community, department, category=category)
        for category in BY_DESK:
            _answers(town, community, desk_of(community), category=category)


def _plant_tree() -> None:
    def grow(
        region: int, kind: RegionKind, name: str, parent_id: int | None, code: str | None = None
    ) -> None:
        places.add_region(
            region_id=region,
            kind=kind,
            name=name,
            parent_id=parent_id,
            since=MERGED if region == NEW_DISTRICT else RECORDS_BEGIN,
            official_code=code,
            acting_user=SYSTEM,
            is_demo=True,
        )

    grow(CITY, RegionKind.CITY, "重庆市", None, "500000")
    grow(OLD_DISTRICT, RegionKind.DISTRICT, "江北区", CITY, "500105")
    grow(NEW_DISTRICT, RegionKind.DISTRICT, "两江新区", CITY)
    grow(STREET_ID, RegionKind.STREET, STREET, OLD_DISTRICT)
    for community, name in COMMUNITIES.items():
        grow(community, RegionKind.COMMUNITY, name, STREET_ID)
    # A merger is an end and a beginning in the dated tree; services for it come with the registry.
    for region in (OLD_DISTRICT, STREET_ID):
        db.session().get_one(RegionTerm, (region, RECORDS_BEGIN)).valid_to = MERGED
    db.session().add(RegionTerm(region_id=STREET_ID, parent_id=NEW_DISTRICT, valid_from=MERGED))


def _build_estate(town: Town, key: str, plan: EstatePlan) -> None:
    west, south, east, north = plan.corners
    # Cut at one corner, as plots are; a box would be its own outline.
    ring = [
        [west, south],
        [east, south],
        [east, round(north - 0.0008, 6)],
        [round(east - 0.0008, 6), north],
        [west, north],
        [west, south],
    ]
    estate = places.add_estate(
        community_id=plan.community,
        name=HOMES[key],
        centre=Point(round((west + east) / 2, 6), round((south + north) / 2, 6)),
        address=f"{STREET}{plan.address}",
        outline={"type": "Polygon", "coordinates": [ring]},
        since=RECORDS_BEGIN,
        acting_user=SYSTEM,
        is_demo=True,
    )
    ref = town.estates[key] = Ref(plan.community, estate.id)
    for name, block in zip(plan.building_names, _blocks(plan), strict=True):
        places.add_building(estate=ref, name=name, is_demo=True).outline = _box(*block)
    number = sum(other.community_id == plan.community for other in town.grids.values()) + 1
    grid = places.add_grid(
        community_id=plan.community,
        code=f"{number:02d}",
        name=f"{COMMUNITIES[plan.community]}第{'一二'[number - 1]}网格",
        covers=[ref],
        since=RECORDS_BEGIN,
        acting_user=SYSTEM,
        is_demo=True,
    )
    grid.outline = _box(west - 0.0003, south - 0.0003, east + 0.0003, north + 0.0003)
    town.grids[key] = Ref(plan.community, grid.id)


def _box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """A rectangle as GeoJSON."""
    corners = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"type": "Polygon", "coordinates": [[[round(x, 6), round(y, 6)] for x, y in corners]]}


def _blocks(plan: EstatePlan) -> list[tuple[float, float, float, float]]:
    """Where its buildings stand: in rows from the south-west, away from the cut corner."""
    west, south, east, north = plan.corners
    across = math.ceil(math.sqrt(plan.buildings))
    rows = math.ceil(plan.buildings / across)
    wide, tall = (east - west - 0.0006) / across, (north - south - 0.0010) / rows
    found = []
    for number in range(plan.buildings):
        left = west + 0.0003 + wide * (number % across)
        low = south + 0.0003 + tall * (number // across)
        found.append((left + wide * 0.12, low + tall * 0.25, left + wide * 0.88, low + tall * 0.75))
    return found


def _answers(
    town: Town, community: int, org: str, *, estate: str | None = None, category: str | None = None
) -> None:
    places.make_responsible(
        community_id=community,
        org_id=town.orgs[org],
        estate_id=town.estates[estate].id if estate else None,
        category_code=category,
        since=RECORDS_BEGIN,
        acting_user=SYSTEM,
    )


@contextmanager
def _one_hash() -> Iterator[None]:
    """All demonstration accounts have one password, so its slow hash is made once."""
    with mock.patch.object(passwords, "hash_password", cache(passwords.hash_password)):
        yield


def hire(town: Town) -> None:
    """The staff with their roles, and what each may do, for the tickets to be played."""
    with _one_hash():
        for who in STAFF:
            role, org = Role(who.role), town.orgs[who.at]
            region = ORGS[who.at].region if role in BY_REGION else None
            grid = town.grids[who.grid] if who.grid else None
            member = people.add_staff(
                account=who.account,
                name=who.name,
                password=DEMO_PASSWORD,
                acting_user=SYSTEM,
                is_demo=True,
            )
            people.grant_role(
                staff_id=member.id,
                role=role,
                org_id=org,
                since=RECORDS_BEGIN,
                acting_user=SYSTEM,
                region_id=region,
                grid=grid,
            )
            if who.totp:
                logins.set_totp(member, base64.b32decode(DEMO_TOTP))
            reach = people_queries.reach(role, org, region_id=region, grid=grid)
            assert reach is not None, who.account
            town.staff[who.account] = StaffActor(
                id=member.id, account=who.account, name=who.name, grants=(reach,)
            )


def connect_hotline(town: Town) -> None:
    """The hotline as a source of reports. Nobody knows its secret, and it wants to hear nothing: no address of the
    stand-in holds from one run to the next.
    """
    town.hotline = sources.add_source(
        code="12345",
        name="12345 政务服务便民热线",
        channel=Channel.HOTLINE,
        scope_org=town.orgs["street"],
        desk_org=town.orgs[desk_of(101)],
        callback_url=None,
        valid_from=None,
        valid_to=None,
        acting_user=town.staff["street"],
        is_demo=True,
    ).source.id


def settle_residents(town: Town) -> None:
    """The residents, under the openids that the WeChat stand-in gives to the codes demo-<name>."""
    wechat = State(Config.from_env(os.environ, None))
    try:
        openids = {who.name: wechat.openid_of(who.name) for who in RESIDENTS}
    finally:
        wechat.close()
    for place, who in enumerate(RESIDENTS):
        session = people.open_session(
            openid=openids[who.name],
            session_key="",
            refresh_token_s=int(timedelta(days=30).total_seconds()),
            is_demo=True,
        )
        resident_id = town.residents[who.name] = session.resident.id
        people.end_session(resident_id=resident_id, session_id=session.session_id)
        consents = []
        if place % 3 == 0:
            town.position_consents.add(who.name)
            key = ConsentKey.PHOTO_POSITION
            consents.append(people.ConsentChange(key, people.CONSENT_VERSIONS[key], granted=True))
        people.update_me(
            resident_id=resident_id,
            version=session.resident.version,
            nickname=who.nickname,
            consents=consents,
        )
        db.session().flush()  # the phone is written past the session, which must not overwrite it
        if place % 4 != 3:
            people.bind_phone(resident_id=resident_id, phone=demo_phone(who.name))


def phone_of(resident_id: UUID) -> str | None:
    """The number a resident leaves with a report, when she has bound one."""
    resident = people_queries.resident(resident_id)
    return people_queries.phone_of(resident) if resident is not None else None
