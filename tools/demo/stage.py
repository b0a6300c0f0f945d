"""Plays the stories through the services, each step at its own moment."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import insert

from app import clock, crypto, db, ids, outbox
from app.adapters.storage import Storage
from app.ids import Ref
from app.media import imaging
from app.media import service as media
from app.media.models import CheckState, OwnerKind, PhotoStatus, Upload
from app.messaging import service as messaging
from app.notices import telling
from app.people.scopes import StaffActor
from app.places.coordinates import Point
from app.queue import Queue
from app.revenue import renderings
from app.tickets import duplicates, intake, pressure
from app.tickets import service as tickets
from app.tickets.grounds import Ground
from app.tickets.models import Channel, TextCheck, Ticket, Visibility
from app.tickets.moves import Move
from app.voting import pushing
from tools.demo import acting, books, mail, notices, rounds, shifts, sketches, town, travel, turns, votes
from tools.demo.stories import SPAN, STATES, Step, Story
from tools.demo.town import COMMUNITIES, ESTATES, Town, desk_of


class Picture(NamedTuple):
    """A drawn picture in its finished versions (`full`, `thumb`)."""

    versions: dict[str, bytes]
    size: tuple[int, int]


class Album:
    """The pictures of all stories: each drawn once, and stored under a key of its own each time it is shown."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._pictures: dict[tuple[str, int, bool], Picture] = {}
        self._stored: list[str] = []
        self.count = 0

    def store(self, stories: list[Story], hands: travel.Traveller) -> None:
        """Draw and store what the stories show, and give them the ids under which it lies.

        Before the rows, like a real upload: rows without their files could not be mended by another run.
        """
        shown: list[tuple[UUID, tuple[str, int, bool]]] = []
        for story in stories:
            for step in story.steps if story.variant is not None else ():
                if step.move is Move.RESOLVE or (step.move is Move.REPORT and story.shows_trouble):
                    hands.to(step.at)
                    story.photo_ids.append(ids.new_id())
                    shown.append((story.photo_ids[-1], _name(story, repaired=step.move is Move.RESOLVE)))
        # Pillow and the disk work beside the interpreter.
        with ThreadPoolExecutor(4) as pool:
            names = sorted({name for _, name in shown})
            self._pictures = dict(zip(names, pool.map(_drawn, names), strict=True))
            jobs = [
                (media.stored_key(upload_id, variant), data)
                for upload_id, name in shown
                for variant, data in self._pictures[name].versions.items()
            ]
            self._stored = [key for key, _ in jobs]
            list(pool.map(self._put, jobs))
        self.count = len(shown)

    def _put(self, job: tuple[str, bytes]) -> None:
        self._storage.put(*job, imaging.CONTENT_TYPE)

    def keep(self, key: str, data: bytes, content_type: str) -> None:
        """Store something else that rows are about to name."""
        self._storage.put(key, data, content_type)
        self._stored.append(key)

    def discard(self) -> None:
        """Remove what was stored: no row will name it."""
        for key in self._stored:
            self._storage.delete(key)

    def upload(
        self,
        story: Story,
        *,
        repaired: bool,
        owner: UUID,
        by: OwnerKind,
        taken_where: Point | None,
        taken_at: datetime | None = None,
    ) -> UUID:
        """The story's next picture as an upload of the owner that has been processed and checked; its id."""
        picture, upload_id = self._pictures[_name(story, repaired=repaired)], story.photo_ids.pop(0)
        position = None
        if taken_where is not None:
            words = f"{taken_where.lng:.7f},{taken_where.lat:.7f}"
            position = crypto.keys().encrypt(words.encode(), f"photo_position:{upload_id}")
        full = picture.versions["full"]
        db.session().execute(
            insert(Upload).values(
                owner_id=owner,
                id=upload_id,
                owner_kind=by,
                status=PhotoStatus.READY,
                check_state=CheckState.PASSED,
                kind="jpeg",
                size_bytes=len(full),
                sha256=hashlib.sha256(full).digest(),
                width=picture.size[0],
                height=picture.size[1],
                taken_at=taken_at or clock.now() - timedelta(seconds=40),
                position_sealed=position,
                created_at=clock.now(),
            )
        )
        return upload_id


def _name(story: Story, *, repaired: bool) -> tuple[str, int, bool]:
    assert story.variant is not None
    return story.category, story.variant, repaired


def _drawn(name: tuple[str, int, bool]) -> Picture:
    category, variant, repaired = name
    rendered = imaging.render(sketches.picture(category, variant=variant, repaired=repaired))
    versions = {variant: rendered[edge].data for variant, edge in media.EDGES.items()}
    full = rendered[media.EDGES["full"]]
    return Picture(versions, (full.width, full.height))


class Stage:
    """Plays stories in the town, inside the caller's transaction."""

    def __init__(self, rng: random.Random, here: Town, album: Album, hands: travel.Traveller) -> None:
        self._rng, self._town, self._album, self._hands = rng, here, album, hands
        self._stories: list[Story] = []
        self._tickets: dict[int, Ticket] = {}
        self._handed = 0
        self._phones = {name: town.phone_of(resident_id) for name, resident_id in here.residents.items()}

    def play(self, stories: list[Story], now: datetime) -> None:
        """All first steps in the order of time, which numbers the tickets; then all second ones, and so on.

        Most tickets don't know of each other, so a round leaves what the order of time would leave, and its rows
        travel together: half as many statements. Those that are merged take their later steps in the order of time.
        """
        self._stories = stories
        together = turns.linked(stories)
        rounds = max(len(story.steps) for story in stories)
        for turn in range(rounds):
            self._take(
                (story.steps[turn].at, place, turn)
                for place, story in enumerate(stories)
                if turn < len(story.steps) and (turn == 0 or place not in together)
            )
        for step in sorted(
            (step.at, place, turn)
            for place in together
            for turn, step in enumerate(stories[place].steps)
            if turn
        ):
            self._take([step])
        for place in range(len(stories)):
            self._watch(self._tickets[place], until=now)

    def _take(self, due: Iterable[tuple[datetime, int, int]]) -> None:
        """Take these steps of as many stories: (when, which story, its which step)."""
        with db.session().no_autoflush:
            for at, place, turn in sorted(due):
                story = self._stories[place]
                if turn:
                    self._watch(self._tickets[place], until=at)
                self._hands.to(at)
                self._step(story, place, story.steps[turn])
        db.session().flush()  # the next move of each ticket reads it from the database

    def _watch(self, ticket: Ticket, *, until: datetime) -> None:
        """What the watch over the limits did in the meantime, each at its moment."""
        while ticket.watch_at is not None and ticket.watch_at < until:
            # A limit may have passed while it was merged: the watch finds out once it is taken apart again.
            self._hands.to(max(ticket.watch_at, ticket.updated_at))
            pressure.watch(Ref(ticket.community_id, ticket.id))
            db.session().flush()  # the watch reads the ticket anew

    def _step(self, story: Story, place: int, step: Step) -> None:
        if step.move is Move.REPORT:
            self._tickets[place] = self._report(story)
        elif step.move in acting.TOGETHER:
            twin = next((at for at, other in enumerate(self._stories) if other is story.twin), None)
            self._tickets[place] = acting.bring_together(
                step.move,
                self._tickets[place],
                here=self._town,
                desk=self._desk(story),
                into=self._tickets[twin] if twin is not None else None,
                **step.more,
            )
            story.estate = step.more.get("estate", story.estate)  # where it goes on
        elif step.move in acting.HOLDING:
            ticket = self._tickets[place]
            here, holder, desk = self._town, self._holder(story, ticket), self._desk(story)
            acting.hold(step.move, ticket, here=here, holder=holder, desk=desk, **step.more)
        elif step.move in acting.PRESSING:
            acting.press(
                step.move, self._tickets[place], here=self._town, desk=self._desk(story), **step.more
            )
        else:
            self._move(story, self._tickets[place], step)

    def _report(self, story: Story) -> Ticket:
        estate = self._town.estates[story.estate]
        if story.channel is Channel.HOTLINE:
            return self._hand_in(story)
        point = self._somewhere_in(story.estate)
        photo_ids: list[UUID] = []
        if story.shows_trouble:
            owner = self._reporter(story)
            by = OwnerKind.RESIDENT if story.resident else OwnerKind.STAFF
            where = point if story.resident in self._town.position_consents else None
            photo_ids.append(self._album.upload(story, repaired=False, owner=owner, by=by, taken_where=where))
        report = tickets.Report(
            location=tickets.Location(point, accuracy_m=float(self._rng.randint(5, 40)))
            if story.by_position
            else None,
            estate=None if story.by_position and story.resident else estate,
            category=story.category if story.names_category else None,
            text=story.text,
            photo_ids=photo_ids,
            urgent=story.is_urgent,
            anonymous=story.is_anonymous,
            contact_phone=self._phones[story.resident] if story.resident else None,
        )
        if story.resident:
            opened = tickets.open_ticket(
                report,
                client_token=f"demo-{ids.new_id().hex}",
                acting_user=self._town.residents[story.resident],
            )
            ticket = opened.ticket
        else:
            ticket = self._take_in(story, report)
        ticket.is_demo = True
        return ticket

    def _take_in(self, story: Story, report: tickets.Report) -> Ticket:
        caller = story.channel in (Channel.PHONE, Channel.VISIT)
        surname = self._rng.choice("王李张刘陈杨赵黄周吴")
        return tickets.take_in(
            report,
            channel=story.channel,
            acting_user=self._intake(story),
            reporter_name=f"{surname}{self._rng.choice(('先生', '女士'))}" if caller else None,
            # 1990 numbers are the stand-in's, given to nobody.
            reporter_phone=f"1990{self._rng.randrange(10**7):07d}" if caller else None,
        )

    def _hand_in(self, story: Story) -> Ticket:
        """As the hotline hands it in: under a number of its own, the caller's words as they were taken down."""
        self._handed += 1
        there = clock.in_shanghai(clock.now())
        handed = intake.Handed(
            external_number=f"12345-{there:%Y%m%d}-{self._handed:04d}",
            text=story.text,
            category=story.category if story.names_category else None,
            estate=self._town.estates[story.estate],
            urgent=story.is_urgent,
            reporter_name="市民",
            reporter_phone=f"1990{self._rng.randrange(10**7):07d}",
        )
        assert self._town.hotline is not None
        ticket = intake.receive(self._town.hotline, handed).ticket
        ticket.is_demo = True
        return ticket

    def _intake(self, story: Story) -> StaffActor:
        if story.channel is Channel.PATROL:
            return self._grid_worker(story)
        return self._desk(story)

    def _reporter(self, story: Story) -> UUID:
        return self._town.residents[story.resident] if story.resident else self._intake(story).id

    def _somewhere_in(self, estate: str) -> Point:
        """A point well inside the outline, away from its cut corner."""
        west, south, east, north = ESTATES[estate].corners
        lng = west + (east - west) * self._rng.uniform(0.1, 0.7)
        lat = south + (north - south) * self._rng.uniform(0.1, 0.7)
        return Point(round(lng, 6), round(lat, 6))

    # --- who acts ------------------------------------------------------------------------------------------

    def _desk(self, story: Story) -> StaffActor:
        return self._town.staff[f"community{ESTATES[story.estate].community - 100}"]

    def _centre(self, story: Story) -> StaffActor:
        """Who sits at the desk at this hour: the community by day, the street's command centre at any time."""
        by_day = 8 <= clock.in_shanghai(clock.now()).hour < 18
        if by_day and self._rng.random() < 0.8:
            return self._desk(story)
        return self._town.staff[self._rng.choice(("street", "street2"))]

    def _grid_worker(self, story: Story) -> StaffActor:
        return self._town.staff[f"grid{list(ESTATES).index(story.estate) + 1}"]

    def _holder(self, story: Story, ticket: Ticket) -> StaffActor:
        """Somebody of the organisation that has the ticket."""
        key = next(key for key, org_id in self._town.orgs.items() if org_id == ticket.org_id)
        if key in map(desk_of, COMMUNITIES):
            # What was referred lies in no estate, so in nobody's grid.
            return self._grid_worker(story) if ticket.grid_id is not None else self._desk(story)
        worker = {"roads": "department1", "enforcement": "department2", "street": "street2"}
        return self._town.staff[worker.get(key) or f"property{key.removeprefix('keeper')}"]

    def _checker(self, story: Story, ticket: Ticket) -> StaffActor:
        """Somebody else than who resolved it."""
        if ticket.grid_id is None:
            return self._town.staff["street"]
        grid = self._grid_worker(story)
        return self._desk(story) if ticket.resolver_id == grid.id else grid

    # --- the moves -----------------------------------------------------------------------------------------

    def _move(self, story: Story, ticket: Ticket, step: Step) -> None:  # noqa: C901, PLR0912 - one arm for each of the moves
        ref = Ref(ticket.community_id, ticket.id)
        more = dict(step.more)
        match step.move:
            case Move.ACCEPT:
                tickets.accept(ref, acting_user=self._centre(story))
            case Move.REJECT:
                ground = Ground(more["ground"]) if more["ground"] else None
                tickets.reject(ref, reason=more["reason"], ground=ground, acting_user=self._desk(story))
            case Move.CLASSIFY:
                tickets.classify(ref, acting_user=self._desk(story), **more)
            case Move.DISPATCH:
                self._dispatch(story, ticket, elsewhere=more["elsewhere"], note=more["note"])
            case Move.START:
                tickets.start(ref, acting_user=self._holder(story, ticket))
            case Move.RETURN:
                tickets.return_ticket(ref, acting_user=self._holder(story, ticket), **more)
            case Move.RESOLVE:
                self._resolve(story, ticket, **more)
            case Move.VERIFY:
                tickets.verify(ref, passed=True, acting_user=self._checker(story, ticket), **more)
            case Move.REWORK:
                tickets.verify(ref, passed=False, acting_user=self._checker(story, ticket), **more)
            case Move.CLOSE:
                tickets.close(ref, acting_user=self._desk(story))
            case Move.COMMENT:
                self._comment(story, ticket, **more)
            case Move.REOPEN:
                if story.resident:
                    tickets.reopen_as_resident(ref, acting_user=self._town.residents[story.resident], **more)
                else:
                    tickets.reopen_as_staff(ref, acting_user=self._desk(story), **more)
            case Move.WITHDRAW:
                tickets.withdraw(ref, acting_user=self._reporter(story))
            case Move.RATE:
                tickets.rate(ref, acting_user=self._reporter(story), **more)

    def _dispatch(self, story: Story, ticket: Ticket, *, elsewhere: bool, note: str | None) -> None:
        """By the rules; after a return to somebody else: the department for roads, or the desk itself."""
        org_id = None
        if elsewhere:
            desk = self._town.orgs[desk_of(ticket.community_id)]
            roads = self._town.orgs["roads"]
            org_id = desk if ticket.org_id == roads else self._rng.choice((desk, roads))
        tickets.dispatch(
            Ref(ticket.community_id, ticket.id), acting_user=self._centre(story), org_id=org_id, note=note
        )

    def _resolve(self, story: Story, ticket: Ticket, *, note: str, is_old: bool = False) -> None:
        actor = self._holder(story, ticket)
        photo_ids: list[UUID] = []
        if story.variant is not None:
            # An old photo shows the work of another time: it was taken before anybody was sent.
            taken_at = ticket.reported_at - timedelta(days=2) if is_old else None
            photo_ids.append(
                self._album.upload(
                    story,
                    repaired=True,
                    owner=actor.id,
                    by=OwnerKind.STAFF,
                    taken_where=None,
                    taken_at=taken_at,
                )
            )
        tickets.resolve(
            Ref(ticket.community_id, ticket.id), note=note, photo_ids=photo_ids, acting_user=actor
        )

    def _comment(self, story: Story, ticket: Ticket, *, speaker: str, text: str) -> None:
        ref = Ref(ticket.community_id, ticket.id)
        if speaker == "resident":
            tickets.comment_as_resident(ref, text=text, acting_user=self._reporter(story))
        elif speaker == "staff":
            who = self._holder(story, ticket) if ticket.org_id else self._desk(story)
            tickets.comment_as_staff(ref, text=text, visibility=Visibility.REPORTER, acting_user=who)
        else:
            tickets.comment_as_staff(
                ref, text=text, visibility=Visibility.INTERNAL, acting_user=self._desk(story)
            )

    # --- what the workers would have done ------------------------------------------------------------------

    def settle(self) -> None:
        """Keep the promises of the past 60 days here, instead of having WeChat asked about them all today."""
        for community_id in COMMUNITIES:
            for queue in (Queue.DEFAULT, Queue.MEDIA):
                while rows := outbox.lease(community_id, queue, limit=500, seconds=60):
                    for row in rows:
                        _keep_promise(row)
                        outbox.done(row)
            tickets.erase_photo_positions(community_id=community_id)
        media.expire_uploads()
        for resident_id in self._town.residents.values():
            # The last days' messages are still unread.
            messaging.mark_read(
                resident_id=resident_id, message_ids=None, all_before=clock.now() - timedelta(days=4)
            )


def _keep_promise(row: outbox.Leased) -> None:
    if row.kind == pushing.TELL:
        votes.tell(row)
        return
    if row.kind == telling.TELL:
        notices.tell(row)
        return
    if row.kind == renderings.RENDER:
        return  # drawn before its period was published
    ticket = Ref(row.community_id, UUID(row.payload["ticket_id"]))
    if row.kind == intake.MATCH:
        duplicates.remember(ticket)
    else:
        assert row.kind == tickets.CHECK_TEXT
        tickets.text_checked(ticket, verdict=TextCheck.PASSED)


def fill(seed: int, told: list[Story], album: Album, hands: travel.Traveller, now: datetime) -> str:
    """The rows, inside the caller's transaction; a sentence with what was made."""
    hands.to(now - SPAN - timedelta(days=14))
    here = town.Town()
    town.lay_out(here)
    town.hire(here)
    hands.to(now - SPAN - timedelta(days=2))
    town.settle_residents(here)
    town.connect_hotline(here)
    stage = Stage(random.Random(seed), here, album, hands)
    with travel.one_calendar():
        stage.play(told, now)
    rounds.walk(here, hands, now, seed)
    shifts.keep(here, hands, now)
    votes.hold(here, album, hands, now)
    notices.tell_all(here, hands, now)
    mail.write(here, hands, now)
    books.keep(here, album, hands, now, seed)
    hands.to(now)
    stage.settle()
    return (
        f"Demonstration data: 1 street, {len(town.COMMUNITIES)} communities, {len(here.estates)} estates, "
        f"{len(here.staff)} staff, {len(here.residents)} residents, {sum(STATES.values())} tickets, "
        f"{album.count} photos, 1 open vote, "
        f"{len(notices.NOTICES)} notices, {len(mail.TEXTS)} text templates"
    )
