"""Ids of what isn't hers in what a resident reads (IDOR): asked by the owner next door, by one of another estate of the
same community, by one of another street, and by somebody who is bound nowhere.

The endpoints come from the map of URLs. `FOR` says who may read what; a new one fails until it stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import combinations
from typing import Any

import psycopg
import pytest
from werkzeug.test import TestResponse

from app import ids
from app.ids import Kind
from app.voting.models import DecisionKind
from tests.conftest import House, Person, Town, small_jpeg
from tests.memberships.conftest import phone
from tests.security import doors
from tests.security.chapters import good
from tests.structure.test_permission_matrix import Home, build_home
from tests.voting.conftest import MOTION, Vote, candidate
from tests.voting.staging import Play, Stage, staged
from tests.voting.test_elections import ELECTION

pytestmark = pytest.mark.xdist_group("foreign residents")
FACE = "/bff/v1"


class Reach(Enum):
    """For whom an answer is."""

    HER = auto()  # who wrote it, or whose house it is
    PARTS = auto()  # whoever votes there, and to each her own part
    OWNERS = auto()  # the verified owners of the estate
    ESTATE = auto()  # whoever is bound in the estate
    EVERYBODY = auto()


FOR = {
    "/decisions/<ref(dec):ref>": Reach.ESTATE,
    "/decisions/<ref(dec):ref>/ballot": Reach.PARTS,
    "/decisions/<ref(dec):ref>/candidates": Reach.ESTATE,
    "/decisions/<ref(dec):ref>/heads/<ref(hed):head>/ballot": Reach.HER,
    "/decisions/<ref(dec):ref>/heads/<ref(hed):head>/roll-entry": Reach.HER,
    "/decisions/<ref(dec):ref>/objections": Reach.PARTS,
    "/decisions/<ref(dec):ref>/openings": Reach.OWNERS,
    "/decisions/<ref(dec):ref>/proxies": Reach.PARTS,
    "/decisions/<ref(dec):ref>/result": Reach.ESTATE,
    "/decisions/<ref(dec):ref>/result/rooms": Reach.OWNERS,
    "/decisions/<ref(dec):ref>/turnout": Reach.ESTATE,
    "/files/<ref(upl):file_id>": Reach.HER,
    "/houses/<ref(hou):ref>/members": Reach.HER,
    "/houses/<ref(hou):ref>/voter": Reach.HER,
    "/memberships/<ref(mbr):ref>": Reach.HER,
    "/petitions/<ref(pet):ref>": Reach.ESTATE,
    "/tickets/<ref(tkt):ref>": Reach.HER,
}
ACCOUNTS = "the accounts of an estate's common parts are published: nothing in them is of a person"
# What every resident reads, and why.
FOR_EVERYBODY = {
    "/estates/<ref(est):ref>/houses": "who binds herself to a house chooses it first; doors without people",
    "/estates/<ref(est):ref>/revenue/budgets": ACCOUNTS,
    "/estates/<ref(est):ref>/revenue/chain": ACCOUNTS,
    "/estates/<ref(est):ref>/revenue/contracts": ACCOUNTS,
    "/estates/<ref(est):ref>/revenue/entries": ACCOUNTS,
    "/estates/<ref(est):ref>/revenue/expected": ACCOUNTS,
    "/estates/<ref(est):ref>/revenue/my-share": "the estate's sum is published; the houses in it are the reader's",
    "/estates/<ref(est):ref>/revenue/objections": "that a line was doubted, and the answer; words to their author",
    "/estates/<ref(est):ref>/revenue/periods": ACCOUNTS,
    "/estates/<ref(est):ref>/revenue/summary": ACCOUNTS,
    "/notices/<ref(ntc):ref>": "what is published anybody reads",
    "/notices/<ref(ntc):ref>/files/<ref(upl):file_id>": "the files of what is published",
    "/revenue/entries/<ref(rev):ref>": ACCOUNTS,
}
# What the other street has no example of: nobody has cast there yet, and its rules show totals.
NOT_THERE = {
    "/decisions/<ref(dec):ref>/ballot",
    "/decisions/<ref(dec):ref>/candidates",
    "/decisions/<ref(dec):ref>/heads/<ref(hed):head>/ballot",
    "/decisions/<ref(dec):ref>/openings",
    "/decisions/<ref(dec):ref>/result/rooms",
}


@dataclass
class Life:
    """A resident and what is hers, or of her estate; `secrets` are for her alone."""

    who: Person
    things: dict[Kind, str]
    file: str  # of the notice
    secrets: set[str] = field(default_factory=set)

    def read(self, door: doors.Door, *others: tuple[Life, str], **query: str) -> TestResponse:
        """Her answer, with another one's things in some places of the path."""
        path = door.rule.rule.removeprefix(FACE)
        for name, kind in doors.path_kinds(door.rule).items():
            whose = next((life for life, place in others if place == name), self)
            path = path.replace(f"<ref({kind}):{name}>", whose.thing(kind, path))
        return self.who.get(path, query_string=question_of(door) | query)

    def thing(self, kind: Kind, path: str) -> str:
        if kind is Kind.UPLOAD and path.startswith("/notices/"):
            return self.file
        assert kind in self.things, f"say in this file what a resident has of the kind {kind.name}"
        return self.things[kind]

    def of(self, other: Life, door: doors.Door, **query: str) -> TestResponse:
        """Her answer about what is another one's."""
        return self.read(door, *((other, name) for name in doors.path_kinds(door.rule)), **query)


@dataclass
class World:
    """`she` and `beside` live in two estates of one community, each with a decision that is over; `they` in another
    street.
    """

    she: Life
    beside: Life
    they: Life
    next_door: Person
    tenant: Person  # of the same estate
    nobody: Person
    drafts: dict[Kind, str]  # what her community hasn't published


def doors_of_residents(house: House) -> list[doors.Door]:
    """Every GET of the resident face with an id in its path."""
    return [
        door
        for door in doors.all_doors(house.app)
        if door.method == "GET" and door.rule.rule.startswith(FACE) and doors.path_kinds(door.rule)
    ]


def reach_of(door: doors.Door) -> Reach:
    rule = door.rule.rule.removeprefix(FACE)
    if rule in FOR_EVERYBODY:
        return Reach.EVERYBODY
    assert rule in FOR, f"who may read {rule}? Say so in FOR or FOR_EVERYBODY of this file"
    return FOR[rule]


def elected(stage: Stage) -> Play:
    """An election that is announced, in an estate of four whose rules show choices by room."""

    def stand(vote: Vote) -> None:
        stands.extend(candidate(vote, name) for name in ("赵六", "孙八"))

    stands: list[str] = []
    play = stage.play(*(10_000,) * 4, disclosure="by_room_to_owners")
    stage.announce(play, ELECTION, kind=DecisionKind.ELECTION, before=stand)
    play.candidates = stands
    return play


def life_of(stage: Stage, play: Play, home: Home, who: Person) -> Life:
    """The first owner of an estate, who does there what an owner can."""
    box, estate = stage.box, ids.encode(Kind.ESTATE, play.estate)
    membership = good(who.get("/memberships"))["items"][0]
    words = [f"{said}{who.name}" for said in ("面积不对", "为什么这么多")]
    doubt = good(who.post(f"/decisions/{play.id}/objections", {"about": "roll", "text": words[0]}))
    asked = {"estate_id": estate, "title": "召开业主大会", "text": "讨论", "motions": [MOTION]}
    petition = good(who.post("/petitions", asked))["petition_id"]
    ticket = who.report(estate)["ticket_id"]
    line = home.things[Kind.REVENUE_ENTRY, "line"]
    box.bind(who, ids.decode_ref(Kind.HOUSE, home.things[Kind.HOUSE, ""]))
    doubted = good(who.post(f"/revenue/entries/{line}/objections", {"text": words[1]}))
    return Life(
        who,
        {
            **public(who, home),
            Kind.DECISION: play.id,
            Kind.PETITION: petition,
            Kind.TICKET: ticket,
            Kind.MEMBERSHIP: membership["membership_id"],
            Kind.HOUSE: membership["house_id"],
        },
        home.things[Kind.UPLOAD, "out"],
        {doubt["ticket_id"], doubted["ticket_id"], ticket, membership["membership_id"]}
        | {who.session["resident"]["id"], *words},
    )


def public(who: Person, home: Home) -> dict[Kind, str]:
    """What is published of a home, in accounts and notices."""
    periods = good(who.get(f"/estates/{home.where.estate_id}/revenue/periods"))["items"]
    return {
        Kind.ESTATE: home.where.estate_id,
        Kind.REVENUE_PERIOD: periods[0]["period_id"],
        Kind.NOTICE: home.things[Kind.NOTICE, "out"],
        Kind.REVENUE_ENTRY: home.things[Kind.REVENUE_ENTRY, "line"],
        Kind.REVENUE_CATEGORY: home.things[Kind.REVENUE_CATEGORY, ""],
        Kind.REVENUE_CONTRACT: home.things[Kind.REVENUE_CONTRACT, "scan"],
    }


def cast(stage: Stage, play: Play, life: Life) -> None:
    """While it is open: a proxy is named and sent home again, and she casts herself."""
    who, head = life.who, play.head("1栋101")
    life.things[Kind.HEAD] = head
    scan = good(who.upload("/files", small_jpeg(), purpose="evidence"))["file_id"]
    named = {"name": "钱七", "phone": phone(), "file_ids": [scan], "is_property_staff": False}
    proxy = good(who.post(f"/decisions/{play.id}/proxies", named | {"head_id": head}))["proxy_id"]
    good(who.post(f"/proxies/{proxy}/revoke"))
    receipt = good(play.cast(who, "1栋101", play.candidates[:1]))["receipt"]
    life.secrets |= {proxy, scan, receipt}


def their_life(stage: Stage, home: Home) -> Life:
    """An owner of another street, whose house is on the roll of a decision there."""
    who, house_id = stage.log_in(), home.things[Kind.HOUSE, ""]
    stage.box.bind(who, ids.decode_ref(Kind.HOUSE, house_id))
    asked = {"estate_id": home.where.estate_id, "title": "召开业主大会", "text": "讨论", "motions": [MOTION]}
    petition = good(who.post("/petitions", asked))["petition_id"]
    membership = good(who.get("/memberships"))["items"][0]["membership_id"]
    ticket = who.report(home.where.estate_id)["ticket_id"]
    own = {Kind.PETITION: petition, Kind.TICKET: ticket, Kind.MEMBERSHIP: membership}
    voted = {kind: home.things[kind, ""] for kind in (Kind.DECISION, Kind.HEAD)}
    return Life(
        who,
        public(who, home) | own | voted | {Kind.HOUSE: house_id},
        home.things[Kind.UPLOAD, "out"],
        set(own.values()) | {who.session["resident"]["id"]},
    )


@pytest.fixture(scope="module")
def world(house: House, make_town: Callable[[], Town]) -> Iterator[World]:
    town, far = make_town(), make_town()
    home, theirs = build_home(house, town, town.a), build_home(house, far, far.a)
    # The register begins today, and the accounts of an earlier year are shared among houses.
    with psycopg.connect(house.pg.url("owner", "house"), autocommit=True) as owner:
        for table in ("houses", "holdings"):
            owner.execute(
                f"UPDATE {table} SET valid_from = '2020-01-01' WHERE community_id = ANY(%s)",
                [[town.a.id, far.a.id]],
            )
    with staged(house, far) as there, staged(house, town) as stage:
        they = their_life(there, theirs)
        plays = [elected(stage) for _ in range(2)]
        she, beside = (life_of(stage, play, home, stage.voter(play.flats[0])) for play in plays)
        next_door = stage.voter(plays[0].flats[1])
        tenant = stage.box.resident(plays[0].flats[2], level=None)
        stage.open(plays)
        stage.box.again(she.who, beside.who, next_door)
        for play, life in zip(plays, (she, beside), strict=True):
            cast(stage, play, life)
        good(plays[0].cast(next_door, "1栋102", plays[0].candidates[:1]))
        stage.close(plays)
        for play in plays:
            good(stage.certify(play))
        nobody = stage.log_in()
        stage.box.again(she.who, beside.who, they.who, next_door, tenant)
        for life in (she, beside, they):
            # At last: what nobody needs goes after a day.
            sent = good(life.who.upload("/files", small_jpeg(), purpose="evidence"))
            life.things[Kind.UPLOAD] = sent["file_id"]
            life.secrets.add(sent["file_id"])
        drafts = {Kind.NOTICE: home.things[Kind.NOTICE, "grid"]}
        drafts[Kind.REVENUE_ENTRY] = home.things[Kind.REVENUE_ENTRY, "draft"]
        yield World(she, beside, they, next_door, tenant, nobody, drafts)


def question_of(door: doors.Door) -> dict[str, str]:
    """What must be asked: a year, where it is of days."""
    schema = door.query()
    needed = [] if schema is None else [name for name, one in schema.fields.items() if one.required]
    days = {"day_from": ("from", "2026-01-01"), "day_to": ("to", "2026-12-31")}
    return dict(days[name] for name in needed)


def test_of_every_read_of_residents_it_is_said_for_whom_it_is(house: House) -> None:
    rules = {door.rule.rule.removeprefix(FACE) for door in doors_of_residents(house)}
    for door in doors_of_residents(house):
        reach_of(door)
    assert FOR.keys() | FOR_EVERYBODY.keys() == rules, "lines for endpoints that are not there"
    assert not FOR.keys() & FOR_EVERYBODY.keys()


def test_what_a_resident_reads_is_refused_to_whom_it_is_not_for(house: House, world: World) -> None:
    wrong = []
    she = world.she
    others = {
        "next door": world.next_door,
        "a tenant": world.tenant,
        "another estate": world.beside.who,
        "another street": world.they.who,
        "bound nowhere": world.nobody,
    }
    within = {
        Reach.HER: set[str](),
        Reach.PARTS: {"next door", "a tenant"},
        Reach.OWNERS: {"next door"},
        Reach.ESTATE: {"next door", "a tenant"},
        Reach.EVERYBODY: set(others),
    }
    for door in doors_of_residents(house):
        reach = reach_of(door)
        honest = she.read(door)
        if honest.status_code != 200:
            wrong.append(f"{door.name} to her: {honest.status_code} {honest.text[:160]}")
        for name, who in others.items():
            answer = Life(who, {}, "").of(she, door)
            shown = answer.get_data().decode(errors="replace")
            fits = {200, 404} if reach is Reach.PARTS else {200}
            if answer.status_code not in (fits if name in within[reach] else {404}):
                wrong.append(f"{door.name} to {name}: {answer.status_code} {shown[:160]}")
            wrong += [f"{door.name} shows {one} to {name}" for one in she.secrets if one in shown]
    assert not wrong, "\n".join(wrong)


def test_her_own_part_is_there_to_be_hidden(house: House, world: World) -> None:
    """Of what others are shown without her part, her own answer has it."""
    doors_ = {door.rule.rule.removeprefix(FACE): door for door in doors_of_residents(house)}
    parts = [rule for rule, reach in FOR.items() if reach is Reach.PARTS]
    for rule in [*parts, "/estates/<ref(est):ref>/revenue/objections"]:
        shown = world.she.read(doors_[rule]).text
        assert any(secret in shown for secret in world.she.secrets), rule
    share = doors_["/estates/<ref(est):ref>/revenue/my-share"]
    assert world.she.read(share).json["mine"]
    assert Life(world.nobody, {}, "").of(world.she, share).json["mine"] == []


@pytest.mark.parametrize("whose", ["of another estate", "of another street"])
def test_no_id_in_the_path_of_a_read_is_taken_beside_her_own(house: House, world: World, whose: str) -> None:
    """Each id, and each of two while the other one is right, is of something that is read by its own people."""
    wrong, crossed = [], 0
    she, other = world.she, world.beside if whose == "of another estate" else world.they
    for door in doors_of_residents(house):
        rule, names = door.rule.rule.removeprefix(FACE), list(doors.path_kinds(door.rule))
        theirs = other.read(door)
        if theirs.status_code != 200 and not (other is world.they and rule in NOT_THERE):
            wrong.append(f"{door.name} to its own people: {theirs.status_code} {theirs.text[:160]}")
        for count in range(1, len(names) + 1):
            if reach_of(door) is Reach.EVERYBODY and count == len(names):
                continue
            for taken in combinations(names, count):
                answer = she.read(door, *((other, name) for name in taken))
                crossed += count < len(names)
                # Notices and accounts of one community are the same for both.
                is_same = all(she.thing(k, rule) == other.thing(k, rule) for k in kinds(door, taken))
                if answer.status_code != 404 and not is_same:
                    wrong.append(f"{door.name} {taken}: {answer.status_code} {answer.text[:160]}")
    assert not wrong, "\n".join(wrong)
    assert crossed >= 6


def kinds(door: doors.Door, names: tuple[str, ...]) -> list[Kind]:
    found = doors.path_kinds(door.rule)
    return [found[name] for name in names]


def test_no_foreign_id_in_the_question_of_a_read_with_a_path_is_answered(house: House, world: World) -> None:
    wrong: list[str] = []
    tried: list[Any] = []
    she, they = world.she, world.they
    for door in doors_of_residents(house):
        schema = door.query()
        for member in doors.members(schema) if schema is not None else ():
            for kind in doors.kinds_of(member.field):
                name = f"{door.name}?{member.name}="
                honest = she.read(door, **{member.name: she.thing(kind, "")})
                answer = she.read(door, **{member.name: they.thing(kind, "")})
                tried.append(name)
                if honest.status_code != 200:
                    wrong.append(f"{name} of her own: {honest.status_code} {honest.text[:160]}")
                is_empty = answer.status_code == 200 and good(answer).get("items") == []
                if not is_empty and answer.status_code not in {404, 422}:
                    wrong.append(f"{name}: {answer.status_code} {answer.text[:160]}")
    assert not wrong, "\n".join(wrong)
    assert len(tried) > 3


def test_what_is_not_published_is_read_by_no_resident(house: House, world: World) -> None:
    """The endpoints that everybody reads, with the id of a draft of one's own community."""
    she = world.she
    draft = Life(she.who, she.things | world.drafts, she.file)
    asked = 0
    for door in doors_of_residents(house):
        if reach_of(door) is Reach.EVERYBODY and set(doors.path_kinds(door.rule).values()) & set(
            world.drafts
        ):
            asked += 1
            assert draft.read(door).status_code == 404, door.name
    assert asked == 3
