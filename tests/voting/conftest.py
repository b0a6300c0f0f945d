"""A ballot box: an estate with houses and owners, residents who vote for them, and decisions run by its desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app import clock, crypto, db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.memberships import steps as membership_steps
from app.memberships.models import Basis, Level, Membership, Relation
from app.memberships.queries import INDEX_KIND
from app.people import service as people
from app.places import households, identity, registry, voters
from app.places.identity import Party
from app.places.registry_models import HoldingState, HouseKind
from app.voting import roll, service
from app.voting.models import Decision as DecisionRow
from app.voting.models import LegalMode, VotingMode
from app.voting.roll_models import RollHead
from tests.conftest import Caller, House, Person, Town
from tests.memberships.conftest import paper
from tests.voting.parties import company, owner

MOTION = {"title": "更换物业公司", "text": "解聘现有物业，选聘新物业。", "matter": 4}


@dataclass
class Vote:
    """A decision of the box, with what tests ask of it."""

    box: BallotBox
    id: str
    ref: Ref
    motions: list[str]
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def row(self) -> DecisionRow:
        """As it stands in the database."""
        with db.reading() as session:
            found = session.get(DecisionRow, self.ref)
            assert found is not None
            return found

    def heads(self) -> dict[str, str]:
        """Rooms of a head → its id, of the frozen roll."""
        with db.reading():
            rows = roll.heads_on_roll(self.ref, limit=10_000)
        return {row.label: ids.encode(Kind.HEAD, Ref(row.community_id, row.id)) for row in rows}

    def head_rows(self) -> list[RollHead]:
        """The heads of the frozen roll."""
        with db.reading():
            return roll.heads_on_roll(self.ref, limit=10_000)

    def tick(self) -> DecisionRow:
        """What its clock has to do by now: freeze, open, close, post, archive."""
        with db.transaction():
            service.advance(self.ref)
        self.box.work()
        with db.transaction():
            return service.advance(self.ref)

    def freeze(self) -> Vote:
        """Its roll is frozen, half an hour before it opens."""
        row = self.row
        assert row.opens_at is not None
        self.box.reach(row.opens_at - timedelta(minutes=20))
        self.tick()
        assert self.row.frozen_at is not None
        return self

    def open(self) -> Vote:
        """It is open now."""
        self.freeze()
        opens_at = self.row.opens_at
        assert opens_at is not None
        self.box.reach(opens_at)
        assert self.tick().status == "open"
        return self

    def close(self) -> Vote:
        """Its time is over, and it is closed."""
        closes_at = self.row.closes_at
        assert closes_at is not None
        self.box.reach(closes_at)
        assert self.tick().status in {
            "closed",
            "posted",
        }  # one without legal effect is posted once it is counted
        return self

    def see(self, who: Caller | None = None) -> dict[str, Any]:
        """As staff see it."""
        answer = (who or self.box.desk).get(f"/decisions/{self.id}")
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def go(self, move: str, body: dict[str, Any] | None = None, who: Caller | None = None) -> Any:
        """A move by the desk, or by somebody else."""
        return (who or self.box.desk).post(f"/decisions/{self.id}/{move}", body)


@dataclass
class BallotBox:
    """The first estate of community a, its desk, and the owners who live there."""

    house: House
    town: Town
    desk: Caller
    log_in: Callable[..., Person]
    later: Callable[..., datetime]
    work: Callable[..., int]

    # --- the registry -------------------------------------------------------------------------------------

    def flat(
        self,
        number: str,
        *owners: Party,
        area: int | None = 10_000,
        kind: HouseKind = HouseKind.HOME,
        state: HoldingState = HoldingState.OWNED,
        voter: int | None = None,
        building: str = "1栋",
        unit: str = "",
        estate: Ref | None = None,
    ) -> Ref:
        """A house with these owners and this area (0.01 m²); of several owners number `voter` votes."""
        with db.transaction():
            made = registry.add_house(
                estate=estate or self.town.a.estate,
                building=building,
                unit=unit,
                number=number,
                kind=kind,
                registered_centi=area,
                owners=owners,
                state=state,
                acting_user=SYSTEM,
            )
            ref = Ref(made.community_id, made.id)
            if voter is not None:
                named = households.owners_of(ref)[voter].owner.id
                voters.set_voter(made, voter=named, acting_user=SYSTEM)
        return ref

    def owner_of(self, flat: Ref, at: int = 0) -> UUID:
        """The registry's owner of a house."""
        with db.reading():
            return households.owners_of(flat)[at].owner.id

    def resident(self, *flats: Ref, at: int = 0, level: Level | None = Level.STRONG) -> Person:
        """A resident bound as owner number `at` of these houses; without a level as their tenant."""
        who = self.log_in()
        for flat in flats:
            self.bind(who, flat, at=at, level=level)
        return who

    def bind(self, who: Person, flat: Ref, *, at: int = 0, level: Level | None = Level.STRONG) -> Membership:
        """Bind her to the house, as after a review."""
        with db.transaction():
            home = households.house(flat)
            relation = Relation.OWNER if level is not None else Relation.TENANT
            row = membership_steps.new(home, who.id, relation)
            of_her = households.owners_of(flat)[at].owner
            name = identity.unseal(of_her.name_sealed, "name", of_her.id) or ""
            membership_steps.say(row, name, relation, None, None)
            if level is not None:
                row.owner_id = of_her.id
            membership_steps.verify(row, level or Level.WEAK, Basis.PAPERS)
            row.review, row.why = None, []
            membership_steps.touch(row)
            people.remember(resident_id=who.id, kind=INDEX_KIND, ref=Ref(row.community_id, row.id))
        return row

    def houses(self, *areas: int, building: str = "1栋") -> list[Person]:
        """A house of each area (0.01 m²) with an owner of its own, who is bound; rooms 101, 102, …"""
        flats = [
            self.flat(str(101 + n), owner(), area=area, building=building) for n, area in enumerate(areas)
        ]
        return [self.resident(flat) for flat in flats]

    # --- decisions ----------------------------------------------------------------------------------------

    def allow(self, mode: LegalMode = LegalMode.PAPER_BACKED) -> None:
        """The street has given the estate's votes this legal effect."""
        with db.transaction() as session:
            session.add(
                VotingMode(
                    community_id=self.town.a.estate.community_id,
                    id=ids.new_id(),
                    estate_id=self.town.a.estate.id,
                    mode=mode,
                    document="渝建〔2026〕1号",
                    set_by=ids.NOBODY,
                    set_at=clock.now(),
                )
            )

    def rules(self, **changes: Any) -> None:
        """The estate's rules of procedure from now on."""
        street = self.town.staff("street")
        document = {"document": "议事规则", "clause": "第十二条", "adopted_on": "2026-01-01"}
        answer = street.post(
            f"/estates/{self.town.a.estate_id}/procedure-rules",
            {"rules": changes, "file_ids": [paper(street)]} | document,
        )
        assert answer.status_code == 201, answer.text

    def draft(self, *motions: dict[str, Any], **more: Any) -> Vote:
        """A draft that opens in sixteen days for a week."""
        opens_at = clock.now() + timedelta(days=16)
        body = {
            "estate_id": self.town.a.estate_id,
            "kind": "meeting",
            "title": "业主大会",
            "text": "请各位业主表决。",
            "motions": list(motions) or [MOTION],
            "opens_at": clock.rfc3339(opens_at),
            "closes_at": clock.rfc3339(opens_at + timedelta(days=7)),
        } | more
        answer = self.desk.post("/decisions", body)
        assert answer.status_code == 201, answer.text
        made = answer.get_json()
        ref = ids.decode_ref(Kind.DECISION, made["decision_id"])
        return Vote(self, made["decision_id"], ref, [m["motion_id"] for m in made["motions"]], made)

    def reviewed(self, *motions: dict[str, Any], **more: Any) -> Vote:
        """One that the community has reviewed."""
        vote = self.draft(*motions, **more)
        for move, body, who in (
            ("submit", None, self.desk),
            ("review", {"passed": True}, self.reviewer),
        ):
            answer = vote.go(move, body, who)
            assert answer.status_code == 200, answer.text
        return vote

    def announced(self, *motions: dict[str, Any], **more: Any) -> Vote:
        """One that is announced."""
        vote = self.reviewed(*motions, **more)
        answer = vote.go("announce", {})
        assert answer.status_code == 200, answer.text
        vote.body = answer.get_json()
        return vote

    def opened(self, *motions: dict[str, Any], **more: Any) -> Vote:
        """One that is open."""
        return self.announced(*motions, **more).open()

    @property
    def reviewer(self) -> Caller:
        """A second member of staff of the community."""
        staff = self.town.a.staff
        if "reviewer" not in staff:
            staff["reviewer"] = self.town.hire("community", self.town.a)
        return staff["reviewer"]

    def reach(self, at: datetime) -> None:
        """Move the clock to that moment, if it isn't there yet; logins of before may be over then."""
        ahead = at - clock.now()
        if ahead > timedelta():
            self.later(seconds=ahead.total_seconds())
            self.staff_again()

    def staff_again(self) -> None:
        """Log the desk in anew after a jump of the clock."""
        self.town.a.staff.clear()
        self.desk = self.town.staff("community")

    def again(self, *people_: Person) -> None:
        """Log residents in anew: their tokens end while the clock jumps."""
        for who in people_:
            answer = who.client.post("/bff/v1/session", json={"code": f"demo-{who.name}"})
            who.session = answer.get_json()


@pytest.fixture
def box(
    house: House,
    town: Town,
    resident: Callable[..., Person],
    later: Callable[..., datetime],
    work: Callable[..., int],
) -> BallotBox:
    """The ballot box of this test."""
    return BallotBox(house, town, town.staff("community"), resident, later, work)


def candidate(vote: Vote, name: str, *, motion: int = 0, status: str = "accepted") -> str:
    """A candidate whose posting is over, written as a check by the preparation group would."""
    from app.voting.models import Candidate

    at = clock.now()
    candidate_id = ids.new_id()
    motion_id = ids.decode_ref(Kind.MOTION, vote.motions[motion]).id
    with db.transaction() as session:
        session.add(
            Candidate(
                community_id=vote.ref.community_id,
                id=candidate_id,
                decision_id=vote.ref.id,
                motion_id=motion_id,
                name_sealed=crypto.keys().encrypt(name.encode(), f"candidate_name:{candidate_id}"),
                nominated_by="committee",
                status=status,
                posted_until=at - timedelta(days=1),
                created_at=at,
                updated_at=at,
            )
        )
    return ids.encode(Kind.CANDIDATE, Ref(vote.ref.community_id, candidate_id))


__all__ = ["MOTION", "BallotBox", "Vote", "candidate", "company", "owner"]
