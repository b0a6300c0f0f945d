"""Many decisions played at once: each in an estate of its own, all announced, opened and closed by the same clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from app import clock, db, ids, outbox
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.memberships import steps as membership_steps
from app.memberships.models import Basis, Level, Relation
from app.memberships.queries import INDEX_KIND
from app.messaging import queries as messages
from app.people import service as people
from app.places import households
from app.places import queries as places_queries
from app.places import service as places
from app.places.coordinates import Point
from app.voting import service
from app.voting.models import DecisionKind, LegalMode, ProcedureRules, VotingMode
from app.voting.rules import Rules
from tests.conftest import Caller, House, Person, Town, acting
from tests.voting.conftest import BallotBox, Vote, owner
from workers import jobs

SHEET = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


@dataclass
class Play:
    """One decision on the stage, with its houses in the order of the roll it was given."""

    stage: Stage
    estate: Ref
    flats: list[Ref] = field(default_factory=list)
    vote: Vote | None = None
    candidates: list[str] = field(default_factory=list)
    _heads: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        assert self.vote is not None
        return self.vote.id

    @property
    def motions(self) -> list[str]:
        assert self.vote is not None
        return self.vote.motions

    def head(self, room: str) -> str:
        """The head of a room (1栋101) by its id."""
        if not self._heads:
            assert self.vote is not None
            for label, head in self.vote.heads().items():
                self._heads |= dict.fromkeys(label.split("、"), head)
        return self._heads[room]

    def cast(self, who: Person, room: str, *answers: Any) -> Any:
        """An answer for each motion, cast online for the head of a room."""
        choices = dict(zip(self.motions, answers, strict=True))
        return who.call(
            "PUT", f"/decisions/{self.id}/heads/{self.head(room)}/ballot", json={"choices": choices}
        )

    def sheet(self, room: str, answer: Any, *, signed: bool = True) -> None:
        """A sheet with this answer to each motion, entered by one member of staff and confirmed by another."""
        body = {
            "head_id": self.head(room),
            "choices": dict.fromkeys(self.motions, answer) if signed else None,
            "is_signed": signed,
            "file_ids": [self.stage.paper()],
        }
        entered = self.stage.box.desk.post(f"/decisions/{self.id}/paper-ballots", body)
        assert entered.status_code == 201, entered.text
        path = f"/paper-ballots/{entered.json['paper_id']}/confirm"
        confirmed = self.stage.box.reviewer.post(path, {})
        assert confirmed.status_code == 200, confirmed.text


class Stage:
    """A town whose clock all plays share."""

    def __init__(self, house: House, town: Town, patch: pytest.MonkeyPatch) -> None:
        self.house, self.town, self.patch = house, town, patch
        self.ahead = timedelta()
        self.number = 0
        self.versions: dict[Ref, int] = {}
        self.announcer = town.hire("community", town.a)
        self.announcing_account = acting(self.announcer).account
        self.box = BallotBox(house, town, self.announcer, self.log_in, self.later, self.work)

    # --- the box's own fixtures, for a whole file ---------------------------------------------------------

    def log_in(self, name: str | None = None) -> Person:
        """A resident."""
        who = f"{name or uuid4().hex[:8]}-{uuid4().hex[:8]}"
        client = self.house.app.test_client()
        answer = client.post("/bff/v1/session", json={"code": f"demo-{who}"})
        assert answer.status_code == 201, answer.text
        return Person(who, answer.get_json(), client)

    def later(self, **by: float) -> datetime:
        """Move the clock."""
        self.ahead += timedelta(**by)
        moved = self.ahead
        self.patch.setattr(clock, "now", lambda: datetime.now(UTC) + moved)
        self.patch.setattr(clock, "ahead", lambda: moved)
        return clock.now()

    def work(self, *, rounds: int = 20) -> int:
        """What workers would do."""
        for done in range(rounds):
            with db.reading():
                due, notices = outbox.due_everywhere(), messages.notices_due_everywhere()
            if not due and not notices:
                return done
            for community_id, on in due:
                jobs.drain(community_id, on)
            for community_id in notices:
                jobs.drain_notices(community_id)
        return rounds

    # --- setting a play -----------------------------------------------------------------------------------

    def play(self, *areas: int | None, mode: LegalMode = LegalMode.PAPER_BACKED, **rules: Any) -> Play:
        """An estate with a house of each area (0.01 m², rooms 101, 102, …), each owned by somebody else, with its legal
        mode and its rules; electronic ballots are admitted unless told otherwise.
        """
        self.number += 1
        centre = self.town.a.centre
        with db.transaction() as session:
            estate = places.add_estate(
                community_id=self.town.a.id,
                name=f"第{self.number}小区",
                centre=Point(centre.lng, centre.lat),
                since=places_queries.today(),
                acting_user=SYSTEM,
            )
            ref = Ref(estate.community_id, estate.id)
            session.flush()
            session.add(
                VotingMode(
                    community_id=ref.community_id,
                    id=ids.new_id(),
                    estate_id=ref.id,
                    mode=mode,
                    document="渝建〔2026〕1号",
                    set_by=ids.NOBODY,
                    set_at=clock.now(),
                )
            )
        play = self.again(Play(self, ref), **rules)
        play.flats = [
            self.box.flat(str(101 + n), owner(), area=area, estate=ref) for n, area in enumerate(areas)
        ]
        return play

    def again(self, play: Play, **rules: Any) -> Play:
        """One more decision of the same estate, by these rules."""
        self.versions[play.estate] = self.versions.get(play.estate, 0) + 1
        with db.transaction() as session:
            session.add(
                ProcedureRules(
                    community_id=play.estate.community_id,
                    id=ids.new_id(),
                    estate_id=play.estate.id,
                    version=self.versions[play.estate],
                    rules=Rules(**({"electronic_admitted": True} | rules)).as_json(),
                    document="业主大会议事规则",
                    clause="第十二条",
                    adopted_on=places_queries.today(),
                    set_by=ids.NOBODY,
                    set_at=clock.now(),
                )
            )
        return Play(self, play.estate, play.flats)

    def announce(
        self,
        play: Play,
        *motions: dict[str, Any],
        kind: DecisionKind = DecisionKind.MEETING,
        before: Callable[[Vote], None] | None = None,
        **more: Any,
    ) -> Play:
        """Draft it, do what has to be `before` the review, review it, announce it."""
        estate = ids.encode(Kind.ESTATE, play.estate)
        vote = self.box.draft(*motions, estate_id=estate, kind=kind.value, **more)
        play.vote = vote
        if before is not None:
            before(vote)
        for move, body, who in (
            ("submit", None, self.box.desk),
            ("review", {"passed": True}, self.box.reviewer),
            ("announce", {}, self.box.desk),
        ):
            answer = vote.go(move, body, who)
            assert answer.status_code == 200, answer.text
        return play

    def open(self, plays: Sequence[Play]) -> None:
        """All are frozen, and then open."""
        rows = [play.vote.row for play in plays if play.vote]
        latest = max(row.opens_at for row in rows if row.opens_at)
        self.box.reach(latest - timedelta(minutes=25))
        self._advance(plays)
        self.box.reach(latest)
        self._advance(plays)
        assert {play.vote.row.status for play in plays if play.vote} == {"open"}

    def close(self, plays: Sequence[Play]) -> None:
        """All are closed, and their ballots opened."""
        rows = [play.vote.row for play in plays if play.vote]
        self.box.reach(max(row.closes_at for row in rows if row.closes_at))
        self._advance(plays)
        # A poll that is counted is posted by its clock.
        assert {play.vote.row.status for play in plays if play.vote} <= {"closed", "posted"}

    def _advance(self, plays: Sequence[Play]) -> None:
        for play in plays:
            assert play.vote is not None
            with db.transaction():
                service.advance(play.vote.ref)
        self.work()
        for play in plays:
            assert play.vote is not None
            with db.transaction():
                service.advance(play.vote.ref)

    def certify(self, play: Play, who: Caller | None = None) -> Any:
        """The answer to certifying it, by default by somebody who hasn't announced it."""
        return (who or self.box.desk).post(f"/decisions/{play.id}/certify")

    def paper(self) -> str:
        """The photograph of a sheet, uploaded by the desk."""
        answer = self.box.desk.upload("/files", SHEET, "sheet.pdf", purpose="evidence")
        assert answer.status_code == 201, answer.text
        return str(answer.json["file_id"])

    def voter(self, *flats: Ref) -> Person:
        """Somebody new who is bound to these houses as the first owner of each, and votes for all of them."""
        who, community_id = self.log_in(), flats[0].community_id
        with db.transaction():
            owners = households.roots_today(community_id, [flat.id for flat in flats])
            for flat in flats:
                row = membership_steps.new(households.house(flat), who.id, Relation.OWNER)
                membership_steps.say(row, "业主", Relation.OWNER, None, None)
                row.owner_id = min(owners[flat.id])
                membership_steps.verify(row, Level.STRONG, Basis.PAPERS)
                membership_steps.touch(row)
                people.remember(resident_id=who.id, kind=INDEX_KIND, ref=Ref(community_id, row.id))
        return who


@contextmanager
def staged(house: House, town: Town) -> Iterator[Stage]:
    """The stage of a file, whose clock is set back at its end."""
    with pytest.MonkeyPatch.context() as patch:
        yield Stage(house, town, patch)
