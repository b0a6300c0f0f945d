"""A life in the town: people who leave personal data in every place where the software keeps any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from app import clock, crypto, db, ids
from app.ids import Kind, Ref
from app.messaging import inbound
from app.places import queries as places
from app.places.identity import Party
from app.places.registry_models import House as RegisteredHouse
from app.tables import metadata
from app.voting.ballot_models import Capacity, PaperBallot, PaperStatus, Proxy, ProxyStatus
from app.voting.models import Candidate, CandidateStatus, NominatedBy
from tests.conftest import PASSWORD, TEMPLATE, Caller, House, Person, Town, camera, next_code
from tests.intake.conftest import Hotline, hotline, machine, make_machine
from tests.memberships.conftest import Estate, estate, paper
from tests.patrol.conftest import Round, fix, lay_out
from tests.registry.conftest import Clerk, add_house, clerk, id_number, workbook
from tests.sms import staging
from tests.voting import logs

__all__ = ["add_house", "clerk", "estate", "hotline", "lay_out", "machine", "make_machine"]


def mobile() -> str:
    """A phone number that nobody else has."""
    return "139" + f"{uuid4().int % 10**8:08d}"


@dataclass
class Life:
    """What was left, in clear, and where."""

    wang: Person
    li: Person
    tickets: list[str]
    owner_id: UUID
    house_id: str
    round: Round
    memberships: list[str]
    phones: dict[str, str]
    id_numbers: list[str]
    names: list[str]
    words: list[str]
    hidden: list[str] = field(default_factory=list)

    @property
    def secrets(self) -> list[str]:
        """Everything that may stand nowhere in clear. (What staff write to a resident stands in her inbox.)"""
        return [
            *self.phones.values(),
            *self.id_numbers,
            *self.names,
            self.words[0],
            self.words[2],
            *self.hidden,
        ]


def leave_a_vote(town: Town, *, name: str, phone: str, desk: Caller) -> None:
    """A candidate, a proxy and a sheet of an election, each with what they hold of a person."""
    log = logs.open_log(town, areas=[5000])
    staff_id = ids.decode_id(Kind.STAFF, (desk.get("/me").json or {})["id"])
    ring, now, head_id = crypto.keys(), clock.now(), log.heads[0].id
    of = {"community_id": log.ref.community_id, "decision_id": log.ref.id}
    candidate_id, proxy_id, sheet_id = ids.new_id(), ids.new_id(), ids.new_id()
    with db.transaction() as session:
        session.add_all(
            [
                Candidate(
                    **of,
                    id=candidate_id,
                    motion_id=log.motions[0].id,
                    name_sealed=ring.encrypt(name.encode(), f"candidate_name:{candidate_id}"),
                    statement_sealed=ring.encrypt(name.encode(), f"candidate_statement:{candidate_id}"),
                    nominated_by=NominatedBy.COMMITTEE,
                    status=CandidateStatus.NOMINATED,
                    created_at=now,
                    updated_at=now,
                ),
                Proxy(
                    **of,
                    id=proxy_id,
                    head_id=head_id,
                    capacity=Capacity.PROXY,
                    name_sealed=ring.encrypt(name.encode(), f"proxy_name:{proxy_id}"),
                    phone_sealed=ring.encrypt(phone.encode(), f"proxy_phone:{proxy_id}"),
                    status=ProxyStatus.PENDING,
                    entered_by=staff_id,
                    created_at=now,
                ),
                PaperBallot(
                    **of,
                    id=sheet_id,
                    head_id=head_id,
                    choices_sealed=ring.encrypt(b"{}", f"paper_ballot:{sheet_id}"),
                    is_signed=True,
                    status=PaperStatus.ENTERED,
                    entered_by=staff_id,
                    entered_at=now,
                ),
            ]
        )


def leave_texts(owner: psycopg.Connection[Any], town: Town, *, phone: str, desk: Caller) -> None:
    """A number in a list, in a message, in a reply of its owner, and among those that want no messages."""
    listed = desk.post("/recipient-lists", {"name": "名单", "rows": [{"phone": phone}]})
    assert listed.status_code in {201, 202}, listed.text
    assert desk.post("/opt-outs", {"phone": phone}).status_code in {200, 201}
    staging.lay(owner, town.a.id, [phone])
    inbound.store("aliyun", "reply", f'[{{"phone_number": "{phone}", "content": "TD"}}]'.encode())


@pytest.fixture
def life(
    house: House,
    town: Town,
    resident: Callable[..., Person],
    work: Callable[..., int],
    hotline: Hotline,
    lay_out: Callable[..., Round],
    clerk: Clerk,
    add_house: Callable[..., RegisteredHouse],
    estate: Estate,
) -> Life:
    """Two residents, a caller, the hotline, an owner and a patrol have been here."""
    mark = uuid4().hex[:6]
    phones = {
        who: mobile() for who in ("wang", "li", "left", "caller", "owner", "owner2", "listed", "dweller")
    }
    names = [f"赵{mark}", f"钱{mark}", f"孙{mark}", f"李{mark}"]
    words = [f"我{mark}是五楼的", f"师傅{mark}说明天来", f"热线{mark}备注"]
    numbers = [id_number(uuid4().int % 50_000), id_number(uuid4().int % 50_000)]
    wang, li = resident("wang"), resident("li")
    for who, name in ((wang, "wang"), (li, "li")):
        assert who.post("/session/phone", {"code": f"phone-{phones[name]}"}).status_code == 200
    tag = wang.get("/me").headers["ETag"]
    consents = [{"key": "photo_position", "version": 1, "granted": True}]
    changed = wang.patch("/me", {"nickname": names[0], "consents": consents}, headers={"If-Match": tag})
    assert changed.status_code == 200, changed.text
    for _ in range(3):
        house.order("subscribe", name=wang.name, template_id=TEMPLATE, result="accept")
    wang.post("/subscriptions", {"results": {TEMPLATE: "accept"}})

    first = wang.report(
        town.a.estate_id,
        category="lighting",
        photo_ids=[wang.photo(camera())],
        contact_phone=phones["left"],
        text="楼道灯不亮",
    )["ticket_id"]
    waiting = wang.post("/tickets", {"estate_id": town.b.estate_id, "text": "井盖松动", "client_token": uuid4().hex},
                        headers={"Idempotency-Key": uuid4().hex})  # fmt: skip
    assert waiting.status_code == 201, waiting.text
    wang.photo(camera())  # not attached
    assert li.post(f"/tickets/{first}/join").status_code in {200, 201}
    assert wang.post(f"/tickets/{first}/comments", {"text": words[0]}).status_code in {200, 201}
    desk = town.staff("community")
    desk.post(f"/tickets/{first}/comment", {"text": words[1], "visibility": "reporter"})
    taken_in = desk.post(
        "/tickets",
        {"channel": "phone", "estate_id": town.a.estate_id, "text": "有人来电反映噪声", "category": "noise",
         "reporter": {"name": names[1], "phone": phones["caller"]}},
    )  # fmt: skip
    assert taken_in.status_code == 201, taken_in.text
    account = desk.get("/me").json["account"]
    another = desk.post("/me/totp", {"password": PASSWORD, "totp": next_code(account)})
    assert another.status_code in {200, 201}, another.text
    town.bring(first, "accept", "dispatch", "start")
    handler = town.staff("property")
    proof = handler.upload("/files", camera(), purpose="after_photo").json["file_id"]
    done = handler.post(f"/tickets/{first}/resolve", {"note": "已更换灯泡", "photo_ids": [proof]})
    assert done.status_code == 200, done.text
    town.bring(first, "verify", "close")
    desk.post(f"/tickets/{first}/callback", {"stars": 5, "solved": True, "note": "居民表示满意"})

    external = uuid4().hex
    hotline.calls(
        external,
        text="下水道堵塞",
        estate_id=town.a.estate_id,
        reporter={"name": names[2], "phone": mobile()},
    )
    from_hotline = next(t for t in hotline.machine.tickets() if t["channel"] == "hotline")["ticket_id"]
    town.bring(from_hotline, "accept")
    rejected = desk.post(f"/tickets/{from_hotline}/reject", {"reason": words[2]})
    assert rejected.status_code == 200, rejected.text

    walk = lay_out(2)
    shift = walk.start()
    walk.visit(0)
    now = clock.now()
    steps = [fix(walk.places[i % 2], now - timedelta(seconds=40 - 10 * i), accuracy_m=5.0) for i in range(4)]
    assert walk.walk(shift, steps).status_code in {200, 201}
    assert walk.walker.post(f"/patrol/shifts/{shift}/end").status_code == 200

    made = add_house(
        "101", 9000, Party(names[3], phone=phones["owner"], phone2=phones["owner2"], id_number=numbers[0])
    )
    register: list[list[Any]] = [
        ["楼栋", "单元", "房号", "用途", "产权登记面积(㎡)", "业主姓名", "联系电话", "身份证号"],
        ["1栋", "1单元", "102", "住宅", 88.8, names[3], phones["listed"], numbers[1]],
    ]
    assert clerk.preview(workbook(register))["state"] == "previewed"
    work()
    with psycopg.connect(house.pg.url("owner", "house"), autocommit=True) as connection:
        found = connection.execute(
            "SELECT o.owner_id FROM holding_owners o JOIN holdings h ON h.community_id = o.community_id"
            " AND h.id = o.holding_id WHERE h.community_id = %s AND h.house_id = %s",
            (town.a.id, made.id),
        ).fetchone()
    assert found is not None
    group = f"alone_{mark}"
    begun = {"code": group, "name": f"独居{mark}", "basis": "consent"}
    assert town.staff("street").post("/focus-groups", begun).status_code == 201
    listed = desk.post(
        "/focus-persons",
        {
            "house_id": ids.encode(Kind.HOUSE, Ref(town.a.id, made.id)),
            "kind": group,
            "name": names[2],
            "phone": phones["dweller"],
            "id_number": numbers[1],
            "consent": {"paper": "2026-01", "given_on": places.today().isoformat()},
        },
    )
    assert listed.status_code == 201, listed.text
    flat = estate.flat("201", Party(names[0], phone=phones["wang"], phone2=phones["li"]))
    bound = estate.bound(wang, flat, names[0])
    objected = li.post(f"/memberships/{bound}/objections", {"text": words[0]})
    assert objected.status_code in {200, 201}, objected.text
    leave_a_vote(town, name=names[2], phone=phones["dweller"], desk=desk)
    with psycopg.connect(house.pg.url("owner", "house"), autocommit=True) as connection:
        leave_texts(connection, town, phone=phones["dweller"], desk=desk)
    tail = f"{uuid4().int % 10**6:06d}"
    in_review = estate.waiting(li, flat, names[1], id_number_last6=tail, evidence_file_ids=[paper(li)])
    tickets = [first, waiting.json["ticket_id"], taken_in.json["ticket_id"], from_hotline]
    openids = [str(house.sandbox.state.openid_of(who.name)) for who in (wang, li)]
    return Life(
        wang=wang,
        li=li,
        tickets=tickets,
        owner_id=found[0],
        house_id=ids.encode(Kind.HOUSE, Ref(town.a.id, made.id)),
        round=walk,
        memberships=[bound, in_review],
        phones=phones,
        id_numbers=numbers,
        names=names,
        words=words,
        hidden=openids,
    )


@pytest.fixture
def everywhere(owner: psycopg.Connection[Any]) -> Callable[[str], list[str]]:
    """`everywhere("…")`: the tables in which that text stands, in clear or as the bytes of a column."""
    tables = sorted(metadata().tables)

    def look(text: str) -> list[str]:
        return [
            table
            for table in tables
            if (
                owner.execute(
                    f'SELECT count(*) FROM "{table}" t WHERE position(%s in t::text) > 0'
                    " OR position(encode(convert_to(%s, 'UTF8'), 'hex') in t::text) > 0",
                    (text, text),
                ).fetchone()
                or (0,)
            )[0]
        ]

    return look
