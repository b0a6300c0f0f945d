"""Fail-over as arithmetic: a simulated clock, two or three providers, whatever they do."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from app.messaging import failover
from app.messaging.failover import STEPS, Call, Standing
from workers.pace import KEPT_CALLS

SLOW_MS = 2000.0
IN_FLIGHT = 8
NO_SHRINKING = (Phase.explicit, Phase.generate)  # a simulated campaign is no small thing
Latency = Callable[[str, float], float]


class Run:
    """A campaign of `seconds` with so many calls in flight; `latency(provider, at)` in seconds, below 0: fails."""

    def __init__(self, latency: Latency, *, seconds: float, weights: dict[str, float], seed: int = 0) -> None:
        self.begun: list[tuple[float, str]] = []
        self.leaders: list[str] = []
        dice = random.Random(seed)
        standings = {name: Standing() for name in weights}
        running: list[tuple[float, float, str, bool]] = []
        ended: dict[str, deque[Call]] = {name: deque(maxlen=KEPT_CALLS) for name in weights}
        last: dict[str, float] = {}
        now, looked = 1000.0, 0.0
        start = now
        while now < start + seconds:
            while running and running[0][0] <= now:
                ends, at, name, failed = heapq.heappop(running)
                ended[name].append(Call(name, at, (ends - at) * 1000, failed))
            if now - looked >= 0.5:
                looked = now
                slow = [Call(n, at, (now - at) * 1000, False) for _, at, n, _ in running]
                seen = [c for calls in ended.values() for c in calls] + [c for c in slow if c.ms >= SLOW_MS]
                standings = failover.judge(standings, seen, now=now, slow_ms=SLOW_MS)
                shares = failover.shares_of(weights, standings)
                leader = max(shares, key=lambda n: shares[n])
                if not self.leaders or self.leaders[-1] != leader:
                    self.leaders.append(leader)
                assert any(s.step == len(STEPS) - 1 for s in standings.values()), "somebody carries all"
            while len(running) < IN_FLIGHT:
                name = failover.choose(weights, standings, dice=dice.random(), last=last, now=now)
                last[name] = now
                took = latency(name, now - start)
                self.begun.append((now - start, name))
                heapq.heappush(running, (now + abs(took), now, name, took < 0))
            now = min(running[0][0], looked + 0.5)

    def share(self, name: str, since: float, until: float) -> float:
        """Of the calls begun between these seconds, those of `name`."""
        taken = [n for at, n in self.begun if since <= at < until]
        return taken.count(name) / len(taken)

    @property
    def switches(self) -> int:
        return len(self.leaders) - 1


TWO = {"a": 100.0, "b": 1.0}


@given(seed=st.integers(0, 10**6), slow_s=st.floats(2.1, 10.0))
@settings(max_examples=15, deadline=None, phases=NO_SHRINKING)
def test_a_slow_provider_is_left_within_ten_seconds(seed: int, slow_s: float) -> None:
    run = Run(
        lambda name, at: slow_s if name == "a" and at >= 20 else 0.05,
        seconds=60,
        weights=TWO,
        seed=seed,
    )
    assert run.share("a", 0, 20) > 0.9
    assert run.share("b", 30, 60) >= 0.95
    assert run.switches == 1


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None, phases=NO_SHRINKING)
def test_it_comes_back_within_a_minute_of_its_recovery(seed: int) -> None:
    run = Run(
        lambda name, at: 3.0 if name == "a" and 20 <= at < 60 else 0.2, seconds=130, weights=TWO, seed=seed
    )
    assert run.share("a", 120, 130) > 0.9
    assert run.switches == 2


@given(seed=st.integers(0, 10**6), spread=st.floats(0.0, 2.0))
@settings(max_examples=15, deadline=None, phases=NO_SHRINKING)
def test_when_both_are_slow_the_work_stays_or_moves_once(seed: int, spread: float) -> None:
    noise = random.Random(seed)
    run = Run(
        lambda _, at: 0.2 if at < 20 else 2.5 + noise.random() * spread,
        seconds=180,
        weights={"a": 2.0, "b": 1.0},
        seed=seed,
    )
    assert run.switches <= 1


def test_a_provider_that_fails_is_left_as_one_that_is_slow() -> None:
    run = Run(lambda name, at: -0.2 if name == "a" and at >= 20 else 0.05, seconds=60, weights=TWO)
    assert run.share("b", 30, 60) >= 0.95


@given(period=st.floats(8.0, 40.0), seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None, phases=NO_SHRINKING)
def test_one_that_ails_again_and_again_is_trusted_ever_later(period: float, seed: int) -> None:
    run = Run(
        lambda name, at: 3.0 if name == "a" and at % period < period / 2 else 0.2,
        seconds=300,
        weights=TWO,
        seed=seed,
    )
    assert run.switches <= 9


def test_what_a_clock_saw_that_was_an_hour_ahead_is_no_longer_believed() -> None:
    ahead = 10_000.0
    bad = [Call("a", ahead - n / 10, 3000.0, True) for n in range(20)]
    well = [Call("b", ahead - n / 10, 50.0, False) for n in range(20)]
    fallen = failover.judge({"a": Standing(), "b": Standing()}, bad + well, now=ahead, slow_ms=2000)
    assert fallen["a"].share == 0
    standings, calls, now = fallen, bad + well, ahead - 3600
    for _ in range(120):
        now += 1
        calls += [Call("a", now, 50.0, False), Call("b", now, 50.0, False)]
        standings = failover.judge(standings, calls, now=now, slow_ms=2000)
    assert standings["a"].share == 1


def test_one_alone_is_never_left() -> None:
    run = Run(lambda *_: -0.1, seconds=60, weights={"a": 1.0})
    assert run.switches == 0


@given(
    weights=st.dictionaries(st.sampled_from("abc"), st.floats(0, 10), min_size=1),
    dice=st.floats(0, 1, exclude_max=True),
)
def test_who_is_chosen_is_one_of_those_named(weights: dict[str, float], dice: float) -> None:
    ill = {"a": Standing(step=0)}
    assert sum(failover.shares_of(weights, ill).values()) == pytest.approx(1.0)
    assert failover.choose(weights, ill, dice=dice, last={"a": 9.9}, now=10.0) in weights


def test_weights_are_kept_while_all_are_well() -> None:
    dice = random.Random(3)
    got = [
        failover.choose({"a": 3.0, "b": 1.0}, {}, dice=dice.random(), last={}, now=0.0) for _ in range(4000)
    ]
    assert 0.70 < got.count("a") / len(got) < 0.80


def test_without_a_provider_there_is_nothing_to_choose() -> None:
    with pytest.raises(ValueError, match="no provider"):
        failover.choose({}, {}, dice=0.5, last={}, now=0.0)
