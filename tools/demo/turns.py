"""The less common turns of a ticket's way, laid into stories that have been told: pauses, more time, pressure, company.

Each turn looks for stories that can bear it and adds its steps; a story takes one turn at most. Like the stories
themselves it touches no database, and the same seed gives the same turns.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from app.tickets.models import Channel
from app.tickets.models import TicketStatus as S
from app.tickets.moves import Move
from tools.demo import words
from tools.demo.cast import RESIDENTS
from tools.demo.stories import OPEN_LATE, Step, Story
from tools.demo.town import EstatePlan

# Classes of which others may be told that something was reported (`is_public` in classes.json).
PUBLIC = frozenset({"lighting", "water", "facility", "road", "greening", "parking", "waste"})


def lay_in(seed: int, stories: list[Story], *, now: datetime, estates: Mapping[str, EstatePlan]) -> None:
    """Add the turns to the stories, in place."""
    turns = _Turns(random.Random(f"{seed} turns"), stories, now, estates)
    turns.merged()
    turns.merged_by_mistake()
    turns.more_time()
    turns.shared_work()
    turns.paused_and_resumed()
    turns.pressure()
    turns.doubtful_proof()
    turns.called_back()
    turns.left_out_of_scores()
    turns.taken_by_somebody()
    turns.joined()
    turns.met()


class _Turns:
    def __init__(
        self, rng: random.Random, stories: list[Story], now: datetime, estates: Mapping[str, EstatePlan]
    ) -> None:
        self.rng, self.stories, self.now, self.estates = rng, stories, now, estates
        self.taken: set[int] = set()

    def _some(self, count: int, fits: Callable[[Story], bool]) -> list[Story]:
        """The first so many that fit and have no turn yet, in an order of chance."""
        order = list(range(len(self.stories)))
        self.rng.shuffle(order)
        found = [at for at in order if at not in self.taken and fits(self.stories[at])][:count]
        self.taken.update(found)
        return [self.stories[at] for at in found]

    def _add(self, story: Story, *steps: Step) -> None:
        story.steps = sorted([*story.steps, *steps], key=lambda step: step.at)

    def _between(self, first: datetime, last: datetime, low: float = 0.1, high: float = 0.9) -> datetime:
        return first + (last - first) * self.rng.uniform(low, high)

    # --- brought together ------------------------------------------------------------------------------------

    def merged(self) -> None:
        """What was reported twice: merged into the one that is under way, or still waiting to be."""
        waiting = (S.RECEIVED, Channel.HOTLINE)
        for place, story in enumerate(self.stories):
            if story.state is not S.MERGED and (story.state, story.channel) != waiting:
                continue
            self.taken.add(place)
            target = self._some(1, self._is_under_way)[0]
            self._tell_again(story, target)
            if story.state is S.MERGED:
                story.twin = target
                reported = self._between(target.reported_at, self.now - timedelta(hours=1), 0.2, 0.8)
                accepted = reported + timedelta(minutes=self.rng.uniform(0.5, 3))
                merged = accepted + timedelta(minutes=self.rng.uniform(2, 40))
                moves = zip((Move.REPORT, Move.ACCEPT, Move.MERGE), (reported, accepted, merged), strict=True)
                story.steps = [Step(at, move, {}) for move, at in moves]

    def _is_under_way(self, story: Story) -> bool:
        # Nothing here may depend on the hour: the words that follow are the same at any time.
        return (
            story.state in (S.IN_PROGRESS, S.RESOLVED)
            and story.channel is Channel.MINI_PROGRAM
            and story.refer_to is None
        )

    def merged_by_mistake(self) -> None:
        """Merged, looked at again, and taken apart: it is another lamp."""
        fitting = [
            place for place, s in enumerate(self.stories) if place not in self.taken and self._was_calm(s)
        ]
        for place in fitting:
            story = self.stories[place]
            found = self._some(1, functools.partial(self._was_there_before, story))
            if not found:
                continue
            self.taken.add(place)
            story.twin = found[0]
            accepted = next(step for step in story.steps if step.move is Move.ACCEPT)
            at = story.steps.index(accepted) + 1
            first = accepted.at + timedelta(minutes=1)
            rest = [step._replace(at=step.at + timedelta(minutes=25)) for step in story.steps[at:]]
            detour = [Step(first, Move.MERGE, {}), Step(first + timedelta(minutes=21), Move.UNMERGE, {})]
            story.steps = [*story.steps[:at], *detour, *rest]
            return

    def _was_calm(self, story: Story) -> bool:
        """On its way, and nothing happened in the last two hours."""
        return (
            story.state in (S.DISPATCHED, S.IN_PROGRESS)
            and story.refer_to is None
            and story.steps[-1].at < self.now - timedelta(hours=2)
        )

    def _was_there_before(self, story: Story, other: Story) -> bool:
        """Was the other one open in the same community when this one came?"""
        return (
            other.state in OPEN_LATE
            and other.refer_to is None
            and other.reported_at < story.reported_at
            and self.estates[other.estate].community == self.estates[story.estate].community
        )

    def _tell_again(self, story: Story, target: Story) -> None:
        """The same trouble in another resident's words, or as the hotline passed it on."""
        others = [who.name for who in RESIDENTS if who.home == target.estate and who.name != target.resident]
        story.estate, story.category, story.variant = target.estate, target.category, target.variant
        story.is_urgent = target.is_urgent
        if story.channel is Channel.HOTLINE:
            story.text = f"市民来电反映：{target.text}要求尽快处理。"
            return
        story.resident = self.rng.choice(others)
        story.text = f"{target.text}{self.rng.choice(words.SAME_TROUBLE)}"

    def joined(self) -> None:
        """我也遇到: neighbours who don't write a report of their own."""
        public = (S.DISPATCHED, S.IN_PROGRESS, S.CLOSED)
        for story in self._some(7, lambda s: s.state in public and s.category in PUBLIC and self._is_long(s)):
            neighbours = [
                who.name for who in RESIDENTS if who.home == story.estate and who.name != story.resident
            ]
            until = story.steps[-1].at if story.state is not S.CLOSED else self._closed_at(story)
            for name in self.rng.sample(neighbours, self.rng.randint(1, 3)):
                self._add(story, Step(self._between(story.reported_at, until), Move.JOIN, {"name": name}))

    def _is_long(self, story: Story) -> bool:
        return story.channel is Channel.MINI_PROGRAM and len(story.steps) > 2

    def _closed_at(self, story: Story) -> datetime:
        return next(step.at for step in story.steps if step.move is Move.CLOSE)

    # --- time ------------------------------------------------------------------------------------------------

    def more_time(self) -> None:
        """延期: granted, refused, and waiting for the desk."""
        asked = self._some(6, lambda s: s.state is S.IN_PROGRESS and self._goes_on(s))
        answers = (Move.EXTEND, None, Move.EXTEND, Move.KEEP_LIMIT, None, None)
        for story, answer in zip(asked, answers, strict=False):
            ask = self._soon(story.steps[-1].at, 0.1, 0.4)
            self._add(
                story,
                Step(
                    ask,
                    Move.ASK_EXTENSION,
                    {"days": self.rng.randint(2, 5), "reason": self._of(words.MORE_TIME)},
                ),
            )
            if answer is not None:
                note = self._of(words.GRANTED if answer is Move.EXTEND else words.NOT_GRANTED)
                self._add(story, Step(self._soon(ask, 0.3, 0.9), answer, {"note": note}))

    def _soon(self, at: datetime, low: float, high: float) -> datetime:
        """A while after `at`, three hours at most and never in the future."""
        return self._between(at, min(at + timedelta(hours=3), self.now - timedelta(minutes=1)), low, high)

    def _goes_on(self, story: Story) -> bool:
        """Started lately, not urgent: its limit is still to come."""
        lately = self.now - story.reported_at < timedelta(hours=60)
        return lately and not story.is_urgent and self._has_started(story)

    def _of(self, phrases: tuple[str, ...]) -> str:
        return self.rng.choice(phrases)

    def paused_and_resumed(self) -> None:
        """A pause in the middle of the work of a ticket that is closed by now."""
        for story in self._some(4, lambda s: s.state is S.CLOSED and not s.is_urgent and bool(self._gap(s))):
            start, end = self._gap(story)[0]
            self._add(
                story,
                Step(
                    self._between(start, end, 0.1, 0.3),
                    Move.SUSPEND,
                    {"reason": self._of(words.PAUSES), "days": 5},
                ),
                Step(self._between(start, end, 0.7, 0.9), Move.RESUME, {}),
            )

    def _gap(self, story: Story) -> list[tuple[datetime, datetime]]:
        """From start to the repair, where nothing else happened for 3 hours to 4 days; begun well before the limit."""
        return [
            (first.at, second.at)
            for first, second in zip(story.steps, story.steps[1:], strict=False)
            if first.move is Move.START
            and second.move is Move.RESOLVE
            and timedelta(hours=3) < second.at - first.at < timedelta(days=4)
            and first.at + (second.at - first.at) * 0.3 < story.reported_at + timedelta(hours=60)
        ]

    # --- pressure --------------------------------------------------------------------------------------------

    def pressure(self) -> None:
        """催办 by reporters of what takes long, once or again and again; 督办 by the street."""
        for times, story in zip(
            (3, 1, 2, 1), self._some(4, lambda s: self._drags(s) and s.resident is not None), strict=False
        ):
            at = story.steps[-1].at + timedelta(hours=self.rng.uniform(20, 30))
            for _ in range(times):
                self._add(story, Step(at, Move.URGE, {}))
                at += timedelta(hours=self.rng.uniform(13, 22))
        for story in self._some(3, self._drags):
            at = self._between(story.steps[-1].at, self.now, 0.5, 0.95)
            self._add(story, Step(at, Move.SUPERVISE, {"note": self._of(words.SUPERVISED)}))

    def _drags(self, story: Story) -> bool:
        return story.state in OPEN_LATE and story.steps[-1].at < self.now - timedelta(hours=96)

    # --- work and its proof ----------------------------------------------------------------------------------

    def shared_work(self) -> None:
        """吹哨报到: a second unit with a task of its own, done or still to be done."""
        for story in self._some(1, lambda s: s.state is S.IN_PROGRESS and self._has_started(s)):
            called = self._soon(story.steps[-1].at, 0.1, 0.5)
            self._add(story, Step(called, Move.PART, {"task": self._of(words.TASKS)}))
        for story in self._some(2, lambda s: s.state is S.CLOSED and bool(self._gap(s))):
            start, end = self._gap(story)[0]
            called, done = self._between(start, end, 0.1, 0.3), self._between(start, end, 0.6, 0.9)
            which = self.rng.randrange(len(words.TASKS))
            self._add(
                story,
                Step(called, Move.PART, {"task": words.TASKS[which]}),
                Step(done, Move.PART_DONE, {"note": words.TASKS_DONE[which]}),
            )

    def met(self) -> None:
        """协调会: what the units agreed on, with a second one called in by it, which has done its part since."""
        for story in self._some(2, lambda s: s.state is S.CLOSED and bool(self._gap(s))):
            start, end = self._gap(story)[0]
            held, done = self._between(start, end, 0.1, 0.3), self._between(start, end, 0.6, 0.9)
            which = self.rng.randrange(len(words.TASKS))
            self._add(
                story,
                Step(held, Move.MEETING, {"plan": words.PLANS[which]}),
                Step(done, Move.PART_DONE, {"note": words.TASKS_DONE[which]}),
            )

    def _has_started(self, story: Story) -> bool:
        return (
            story.steps[-1].move in (Move.START, Move.COMMENT)
            and sum(step.move is Move.START for step in story.steps) == 1
            and story.steps[-1].at < self.now - timedelta(minutes=20)
        )

    def taken_by_somebody(self) -> None:
        """抢单, and 指派 to somebody of the unit."""
        for move, story in zip(
            (Move.GRAB, Move.ASSIGN, Move.GRAB, Move.ASSIGN),
            self._some(4, lambda s: s.state is S.DISPATCHED and s.steps[-1].at < self.now - timedelta(minutes=30)),
            strict=False,
        ):  # fmt: skip
            self._add(story, Step(self._soon(story.steps[-1].at, 0.1, 0.9), move, {}))

    def doubtful_proof(self) -> None:
        """An after-photo that is older than the order: the verifier sees a flag."""
        for story in self._some(2, lambda s: s.state is S.RESOLVED and s.variant is not None):
            last = story.steps[-1]
            story.steps[-1] = last._replace(more=last.more | {"is_old": True})

    # --- afterwards ------------------------------------------------------------------------------------------

    def called_back(self) -> None:
        """回访 of closed tickets."""
        for story in self._some(6, lambda s: self._is_over(s) and s.channel is not Channel.PATROL):
            at = story.steps[-1].at + timedelta(hours=self.rng.uniform(18, 40))
            stars, note = self._call()
            self._add(story, Step(at, Move.CALLBACK, {"stars": stars, "solved": True, "note": note}))

    def _call(self) -> tuple[int, str]:
        stars = self.rng.choices((5, 4, 3), (6, 3, 1))[0]
        return stars, self._of(words.CALLS[stars])

    def _is_over(self, story: Story) -> bool:
        return story.state is S.CLOSED and story.steps[-1].at < self.now - timedelta(days=3)

    def left_out_of_scores(self) -> None:
        """An unreasonable complaint, with the reason that the figures show."""

        def is_bad(story: Story) -> bool:
            last = story.steps[-1]
            return self._is_over(story) and last.move is Move.RATE and last.more["stars"] <= 3

        for story in self._some(2, is_bad):
            at = story.steps[-1].at + timedelta(hours=self.rng.uniform(4, 40))
            self._add(story, Step(at, Move.EXCLUDE, {"reason": self._of(words.EXCLUDED)}))


def linked(stories: Iterable[Story]) -> set[int]:
    """Places of the stories that know of each other; their steps must be played in the order of time."""
    found: set[int] = set()
    by_place = list(stories)
    for place, story in enumerate(by_place):
        if story.twin is not None:
            found |= {place, next(at for at, other in enumerate(by_place) if other is story.twin)}
    return found
