"""Two hundred tickets as they could have been: who reported what, when, and what became of it.

Nothing here touches the database: a story is a list of steps with their moments. The same seed gives the
same reports; their moments follow from the present as well, because nothing may lie in the future and people
sleep at night.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from app import clock
from app.tickets.clocks import RATE_WITHIN
from app.tickets.models import Channel
from app.tickets.models import TicketStatus as S
from app.tickets.moves import Move
from tools.demo import words
from tools.demo.cast import HOMES, RESIDENTS
from tools.demo.sketches import PAINTERS, VARIANTS
from tools.demo.town import EstatePlan

SPAN = timedelta(days=60)
STATES = {
    S.RECEIVED: 8,
    S.ACCEPTED: 6,
    S.DISPATCHED: 11,
    S.IN_PROGRESS: 16,
    S.RESOLVED: 9,
    S.VERIFIED: 6,
    S.CLOSED: 108,
    S.RETURNED: 6,
    S.SUSPENDED: 5,
    S.MERGED: 5,
    S.REFERRED: 2,
    S.REJECTED: 10,
    S.WITHDRAWN: 8,
}
# A report that is referred makes two tickets: the one that ended, and the one that goes on elsewhere to this state.
REFERRED_TO = (S.CLOSED, S.IN_PROGRESS)
TOTAL = sum(STATES.values()) - len(REFERRED_TO)
# What came by the hotline, by what became of it; the first one waits beside the report of the same trouble.
BY_HOTLINE = {S.RECEIVED: 1, S.MERGED: 1, S.DISPATCHED: 1, S.CLOSED: 4}
# How old a report in an open state is, in hours; the second pair is of those whose limit has passed.
AGES = {
    S.RECEIVED: ((0.02, 6.0), (0.5, 8.0)),
    S.ACCEPTED: ((0.05, 1.0), (60.0, 130.0)),
    S.DISPATCHED: ((0.2, 16.0), (130.0, 230.0)),
    S.IN_PROGRESS: ((4.0, 48.0), (130.0, 260.0)),
    S.RESOLVED: ((20.0, 60.0), (140.0, 220.0)),
    S.VERIFIED: ((30.0, 72.0), (150.0, 220.0)),
    S.RETURNED: ((4.0, 40.0), (120.0, 200.0)),
    S.SUSPENDED: ((20.0, 60.0), (20.0, 60.0)),
}
OPEN_LATE = frozenset({S.DISPATCHED, S.IN_PROGRESS, S.RESOLVED, S.RETURNED})
LATE = 0.25  # of the open ones
# Reports by category, for a street of blocks of flats; those that need a photo have a picture to show.
WEIGHTS = {
    "lighting": 26,
    "water": 24,
    "elevator": 14,
    "facility": 18,
    "road": 14,
    "greening": 14,
    "waste": 22,
    "fire": 12,
    "parking": 16,
    "dogs": 6,
    "noise": 12,
    "illegal_building": 7,
    "property": 8,
    "ownership": 4,
    "dispute": 5,
    "other": 8,
}
URGENT = frozenset({"elevator", "fire"})
SHY = {"noise": 0.5, "dispute": 0.6, "illegal_building": 0.6, "property": 0.4, "dogs": 0.4, "parking": 0.15}


class Step(NamedTuple):
    """One move: when, which, and what it needs beside the ticket."""

    at: datetime
    move: Move
    more: dict[str, Any]


@dataclass
class Story:
    """One ticket. `pictures` are (category, variant, repaired); `resident` is None for an intake by staff."""

    state: S
    estate: str
    category: str
    text: str
    repair: str
    channel: Channel
    resident: str | None
    is_urgent: bool
    is_anonymous: bool
    by_position: bool  # reported from where she stands, else by choosing the estate
    names_category: bool  # otherwise the desk finds the category
    variant: int | None  # which picture, if one
    refer_to: str | None = None  # the estate of another community where it belongs
    twin: Story | None = None  # the report of the same trouble that this one was merged into
    steps: list[Step] = field(default_factory=list)

    # Where its pictures lie, in the order in which they are shown; filled when they are stored.
    photo_ids: list[UUID] = field(default_factory=list)

    @property
    def shows_trouble(self) -> bool:
        """Is there a picture with the report? Who telephones has none."""
        return self.variant is not None and self.channel in (Channel.MINI_PROGRAM, Channel.PATROL)

    @property
    def reported_at(self) -> datetime:
        """The moment of the report."""
        return self.steps[0].at


def write_all(seed: int, *, now: datetime, estates: Mapping[str, EstatePlan]) -> list[Story]:
    """The stories, none of whose steps lies in the future."""
    teller = _Teller(seed, now, estates)
    referred = list(REFERRED_TO)
    by_hotline = dict(BY_HOTLINE)
    stories = []
    for place, state in enumerate(_states()):
        if state in referred:
            referred.remove(state)
            stories.append(teller.tell(state, place, is_referred=True))
            continue
        left = by_hotline.get(state, 0)
        by_hotline[state] = left - 1
        stories.append(teller.tell(state, place, by_hotline=left > 0))
    teller.give_wang_her_share(stories)
    return stories


def _states() -> list[S]:
    """What becomes of each report in the end, wherever it ends."""
    return [state for state, count in STATES.items() if state is not S.REFERRED for _ in range(count)]


class _Teller:
    def __init__(self, seed: int, now: datetime, estates: Mapping[str, EstatePlan]) -> None:
        self.seed, self.now, self.estates = seed, now, estates
        self.rng = rng = random.Random(f"{seed}")
        self.told: set[str] = set()
        self.closed = 0
        # Each category's troubles in turn, so that none comes twice before all have come.
        self.turns: dict[str, list[words.Trouble]] = {}
        categories = [category for category, weight in WEIGHTS.items() for _ in range(weight)]
        rng.shuffle(categories)
        self.categories = [categories[place % len(categories)] for place in range(TOTAL)]

    # --- what was reported ---------------------------------------------------------------------------------

    def tell(self, state: S, place: int, *, is_referred: bool = False, by_hotline: bool = False) -> Story:
        # Of its own, so that a story doesn't change because another one took another course.
        rng = self.rng = random.Random(f"{self.seed} {place}")
        category = self.categories[place]
        channel = rng.choices(
            [Channel.MINI_PROGRAM, Channel.PHONE, Channel.VISIT, Channel.PATROL], [84, 7, 3, 6]
        )[0]
        if state in (S.WITHDRAWN, S.MERGED) or is_referred:
            channel = Channel.MINI_PROGRAM  # only a reporter withdraws, and is told where it went
        if by_hotline:
            channel = Channel.HOTLINE
        if state is S.SUSPENDED and category in URGENT:
            category = "facility"  # what is urgent never stands
        who = rng.choice(RESIDENTS)
        estate = who.home
        if rng.random() < 0.12:  # seen on the way, not at home
            near = self.estates[who.home].community
            estate = rng.choice([key for key, plan in self.estates.items() if plan.community == near])
        text, repair = self._words(category, estate, channel)
        story = Story(
            state=state,
            estate=estate,
            category=category,
            text=text,
            repair=repair,
            channel=channel,
            resident=who.name if channel is Channel.MINI_PROGRAM else None,
            is_urgent=category in URGENT or (rng.random() < 0.03 and state is not S.SUSPENDED),
            is_anonymous=channel is Channel.MINI_PROGRAM and rng.random() < SHY.get(category, 0.04),
            by_position=rng.random() < 0.6,
            names_category=rng.random() < 0.85,
            variant=rng.randrange(VARIANTS) if category in PAINTERS else None,
        )
        if category == "elevator" and rng.random() < 0.6:
            story.variant = None
        if is_referred:
            self._send_elsewhere(story)
        self._play(story, late=rng.random() < LATE)
        return story

    def _send_elsewhere(self, story: Story) -> None:
        """What she saw lies in another community."""
        home = self.estates[story.estate].community
        others = [key for key, plan in self.estates.items() if plan.community != home]
        story.refer_to = self.rng.choice(others)
        trouble = words.ELSEWHERE[0 if story.state is REFERRED_TO[0] else 1]
        story.text = trouble.report.format(home=HOMES[story.estate], there=HOMES[story.refer_to])
        story.repair = trouble.repair
        story.category, story.variant, story.is_urgent = "other", None, False
        story.names_category, story.by_position = True, False

    def _words(self, category: str, estate: str, channel: Channel) -> words.Trouble:
        for _ in range(100):
            turns = self.turns.get(category)
            if not turns:
                turns = self.turns[category] = list(words.TROUBLES[category])
                self.rng.shuffle(turns)
            trouble = turns.pop()
            if channel is Channel.PATROL and any(word in trouble.report for word in ("我", "家", "睡")):
                continue
            text = words.filled(trouble.report, self.rng, self.estates[estate].building_names)
            if text not in self.told:
                break
        self.told.add(text)
        opening = {
            Channel.PHONE: "居民来电：",
            Channel.VISIT: "居民到社区反映：",
            Channel.PATROL: "巡查发现：",
            Channel.HOTLINE: "市民来电反映：",
        }
        return words.Trouble(opening.get(channel, "") + text, trouble.repair)

    def _say(self, phrases: words.Phrases, story: Story) -> str:
        someone = story.resident is not None or story.channel is not Channel.PATROL
        return self.rng.choice(phrases.fitting(story.category, someone=someone))

    # --- what became of it ---------------------------------------------------------------------------------

    def _play(self, story: Story, *, late: bool) -> None:
        """Fill in the steps: the report as long ago as its state asks, further back while they don't fit."""
        if story.state in AGES:
            low, high = AGES[story.state][late]
            age = timedelta(hours=self.rng.uniform(low, high))
        else:
            age = self._past_age(story.state)
        for _ in range(200):
            story.steps = self._steps(story, self._waking(self.now - age, age), late=late)
            if story.steps[-1].at < self.now - timedelta(seconds=20):
                return
            age = age * 1.15 + timedelta(minutes=3)
        raise RuntimeError(f"no past is long enough for {story.state}")

    def _past_age(self, state: S) -> timedelta:
        """Ended tickets lie all over the span, evenly with some chance, the first at its very beginning."""
        if state is not S.CLOSED:
            return timedelta(hours=self.rng.uniform(5, 1400))
        share = self.closed / (STATES[S.CLOSED] - 1)
        self.closed += 1
        longest = SPAN - timedelta(hours=12)  # an evening before may be as far away
        return longest - share * (longest - timedelta(days=2)) * self.rng.uniform(0.94, 1.0)

    def _waking(self, at: datetime, age: timedelta) -> datetime:
        """Who would lie awake reports the evening before; what has just been reported is taken as it is."""
        hour = clock.in_shanghai(at).hour
        if hour >= 7 or age < timedelta(hours=2):
            return at
        return at - timedelta(hours=hour + self.rng.uniform(1, 4))

    def _working(self, at: datetime) -> datetime:
        """The same moment, or the next morning when nobody works."""
        there = clock.in_shanghai(at)
        if 8 <= there.hour < 18:
            return at
        day = there.date() + timedelta(days=1 if there.hour >= 18 else 0)
        begin = datetime.combine(day, time(8, 30), tzinfo=clock.SHANGHAI)
        return begin.astimezone(at.tzinfo) + timedelta(minutes=self.rng.uniform(0, 150))

    def _after(self, at: datetime, low: float, high: float, *, urgent: bool = False) -> datetime:
        """`low` to `high` minutes later; in working hours unless it is urgent."""
        later = at + timedelta(minutes=self.rng.uniform(low, high))
        return later if urgent else self._working(later)

    def _steps(self, story: Story, at: datetime, *, late: bool) -> list[Step]:
        steps = [Step(at, Move.REPORT, {})]
        if story.state is S.RECEIVED:
            return steps
        rng = self.rng
        if story.state is S.WITHDRAWN and rng.random() < 0.5:
            return [*steps, Step(at + timedelta(minutes=rng.uniform(0.5, 2)), Move.WITHDRAW, {})]
        at += timedelta(minutes=rng.uniform(4, 50) if rng.random() < 0.08 else rng.uniform(0.3, 2.9))
        if story.state is S.REJECTED and rng.random() < 0.6:
            at += timedelta(minutes=rng.uniform(5, 90))
            return [*steps, self._refusal(at)]
        steps.append(Step(at, Move.ACCEPT, {}))
        if story.state in (S.ACCEPTED, S.MERGED):
            return steps
        if story.state is S.REJECTED:
            at = self._after(at, 10, 300)
            return [*steps, self._refusal(at)]
        if story.state is S.WITHDRAWN:
            return [*steps, Step(at + timedelta(minutes=rng.uniform(0.5, 4)), Move.WITHDRAW, {})]
        if not story.names_category:
            at += timedelta(seconds=rng.uniform(20, 90))
            steps.append(Step(at, Move.CLASSIFY, {"category": story.category}))
        if story.refer_to is not None:
            at += timedelta(minutes=rng.uniform(4, 30))
            steps.append(Step(at, Move.REFER, {"estate": story.refer_to, "reason": words.REFERRED}))
            at += timedelta(minutes=rng.uniform(1, 20))
            steps.append(Step(at, Move.ACCEPT, {}))
        return self._work(story, steps, at, late=late)

    def _refusal(self, at: datetime) -> Step:
        reason, ground = self.rng.choice(words.REJECT_REASONS)
        return Step(at, Move.REJECT, {"reason": reason, "ground": ground})

    def _work(self, story: Story, steps: list[Step], at: datetime, *, late: bool) -> list[Step]:
        """From the desk to the end: dispatch, perhaps the wrong one first, work, check, close, and again."""
        rng = self.rng
        at = self._dispatch(story, steps, at)
        if story.state is S.RETURNED or rng.random() < 0.06:
            at = self._after(at, 30, 240, urgent=story.is_urgent)
            steps.append(Step(at, Move.RETURN, {"reason": self._say(words.RETURN_REASONS, story)}))
            if story.state is S.RETURNED:
                return steps
            at = self._dispatch(story, steps, at + timedelta(minutes=rng.uniform(2, 40)), elsewhere=True)
        if story.state is S.DISPATCHED:
            return steps
        # Of those under way a few were closed once and opened again; of the closed ones too.
        rounds = 2 if story.state in (S.IN_PROGRESS, S.CLOSED) and rng.random() < 0.07 else 1
        slow = late if story.state is S.CLOSED else False
        for turn in range(rounds):
            at = self._repair(story, steps, at, slow=slow and rng.random() < 0.35, last=turn == rounds - 1)
            if turn == rounds - 1:
                break
            at = self._closing(steps, at)
            at = self._again(story, steps, at)
            at = self._dispatch(story, steps, at)
        if story.state is S.VERIFIED:
            at = self._verify(steps, at)
        if story.state is S.CLOSED:
            at = self._closing(steps, at)
            self._rate(story, steps, at)
        return steps

    def _dispatch(
        self, story: Story, steps: list[Step], at: datetime, *, elsewhere: bool = False
    ) -> datetime:
        at += timedelta(
            minutes=self.rng.uniform(6, 80) if self.rng.random() < 0.08 else self.rng.uniform(0.4, 4.8)
        )
        note = self._say(words.NOTES_AT_DISPATCH, story) if self.rng.random() < 0.4 else None
        steps.append(Step(at, Move.DISPATCH, {"elsewhere": elsewhere, "note": note}))
        return at

    def _repair(self, story: Story, steps: list[Step], at: datetime, *, slow: bool, last: bool) -> datetime:
        rng, urgent = self.rng, story.is_urgent
        if rng.random() < 0.16:
            self._chat(story, steps, at + timedelta(minutes=rng.uniform(2, 12)))
            at += timedelta(minutes=15)
        at = self._after(at, 8, 40, urgent=True) if urgent else self._after(at, 20, 300)
        steps.append(Step(at, Move.START, {}))
        if story.state is S.SUSPENDED:
            at = self._after(at, 40, 400)
            pause = {"reason": rng.choice(words.PAUSES), "days": rng.randint(5, 8)}
            steps.append(Step(at, Move.SUSPEND, pause))
            return at
        if story.state is S.IN_PROGRESS and last:
            if rng.random() < 0.4:
                self._chat(story, steps, at + timedelta(minutes=rng.uniform(5, 60)))
            return steps[-1].at
        if rng.random() < 0.12:
            self._chat(story, steps, at + timedelta(minutes=rng.uniform(2, 30)))
        at = self._after(at, 40, 360, urgent=True) if urgent else self._after(at, 35, 1100)
        if slow:
            at = self._after(at, 4 * 1440, 7 * 1440)
        again = words.REPAIRED_AGAIN if any(step.move is Move.RESOLVE for step in steps) else ""
        steps.append(Step(at, Move.RESOLVE, {"note": again + story.repair}))
        if rng.random() < 0.07:
            at = self._after(at, 60, 900)
            steps.append(Step(at, Move.REWORK, {"note": self._say(words.REWORK_NOTES, story)}))
            at = self._after(at, 120, 1200)
            steps.append(Step(at, Move.RESOLVE, {"note": words.REPAIRED_AGAIN + story.repair}))
        return at

    def _chat(self, story: Story, steps: list[Step], at: datetime) -> None:
        """A word between the moves: of the reporter, of staff to her, or among colleagues."""
        speaker = self.rng.choice(
            ("resident", "staff", "staff", "colleague") if story.resident else ("colleague",)
        )
        chosen = {
            "resident": words.COMMENTS_OF_RESIDENTS,
            "staff": words.COMMENTS_OF_STAFF,
            "colleague": words.NOTES_AMONG_STAFF,
        }[speaker]
        steps.append(Step(at, Move.COMMENT, {"speaker": speaker, "text": self._say(chosen, story)}))

    def _verify(self, steps: list[Step], at: datetime) -> datetime:
        at = self._after(at, 20, 700)
        steps.append(Step(at, Move.VERIFY, {"note": self.rng.choice(words.VERIFY_NOTES)}))
        return at

    def _closing(self, steps: list[Step], at: datetime) -> datetime:
        at = self._after(self._verify(steps, at), 5, 240)
        steps.append(Step(at, Move.CLOSE, {}))
        return at

    def _again(self, story: Story, steps: list[Step], at: datetime) -> datetime:
        """It was not repaired after all: the reporter says so, with or without a rating, or the desk."""
        at += timedelta(hours=self.rng.uniform(3, 90))
        reason = self._say(words.REOPEN_REASONS, story)
        if story.resident and self.rng.random() < 0.5:
            stars = self.rng.choice((1, 2))
            steps.append(Step(at, Move.RATE, {"stars": stars, "solved": False, "text": reason}))
        else:
            steps.append(Step(at, Move.REOPEN, {"reason": reason}))
        return at

    def _rate(self, story: Story, steps: list[Step], at: datetime) -> None:
        rng = self.rng
        if not story.resident or rng.random() > 0.68:
            return
        at += timedelta(hours=min(rng.expovariate(1 / 14) + 0.1, RATE_WITHIN / timedelta(hours=1) - 1))
        if at < self.now - timedelta(minutes=1):
            stars = rng.choices((5, 4, 3, 2), (58, 26, 11, 5))[0]
            text = rng.choice(words.RATINGS[stars])
            steps.append(Step(at, Move.RATE, {"stars": stars, "solved": True, "text": text}))

    # --- the one whose login is printed --------------------------------------------------------------------

    def give_wang_her_share(self, stories: list[Story]) -> None:
        """Wang has something to see in every stage, and something to rate, in her own estate."""
        wang = RESIDENTS[0]

        def fits(story: Story, state: S, *, rated: bool) -> bool:
            return (
                story.state is state
                and story.resident is not None
                and story.estate == wang.home
                and (story.steps[-1].move is Move.RATE) == rated
            )

        for state, rated in (
            (S.CLOSED, True),
            (S.CLOSED, False),
            (S.IN_PROGRESS, False),
            (S.RESOLVED, False),
            (S.DISPATCHED, False),
            (S.RECEIVED, False),
        ):
            fitting = [story for story in stories if fits(story, state, rated=rated)]
            if fitting:
                max(fitting, key=lambda story: story.reported_at).resident = wang.name
