"""Which provider carries the next call: by weight, away from one that ails, and slowly back. Pure; no clock, no Redis.

A provider *ails* when of its last calls too many failed or were slow. It then keeps a trickle, by which its recovery
shows; back it comes in steps. Nobody is left for a provider that is no better: when all are slow, the work stays where
it is (a switch would only add a second disturbance).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

WINDOW_S = 15.0
LAST = 24  # calls that tell: of hundreds in the window the good ones from before would hide for long what goes wrong
FEWEST = 3  # calls before anything is concluded
BAD_SHARE = 0.3
STEPS = (0.0, 0.1, 0.3, 1.0)  # of its usual share
STEP_S = 5.0  # at least so long on each step
HOLD_S, LONGEST_HOLD_S = 10.0, 120.0  # on the trickle; twice as long after each relapse
FORGIVEN_S = 300.0  # after so long without a relapse the first hold counts again
CLOCKS_APART_S = 2.0  # between two machines of ours
PROBE_S = 2.0  # on its trickle a provider gets one call in so many


class Call(NamedTuple):
    """One call as it ended, or as it stands: `ms` so far for one that still runs. `at`: when it was begun, seconds."""

    provider: str
    at: float
    ms: float
    failed: bool


class Standing(NamedTuple):
    """Where a provider stands: the step of its share, since when, how often it fell, and its last probe. Seconds."""

    step: int = len(STEPS) - 1
    since: float = 0.0
    falls: int = 0
    fell_at: float = 0.0

    @property
    def share(self) -> float:
        """The part of its weight that it gets."""
        return STEPS[self.step]


class Health(NamedTuple):
    """What the calls of a window say of one provider."""

    calls: int
    bad: int
    p95_ms: float

    @property
    def bad_share(self) -> float:
        """Of its calls, those that failed or were slow."""
        return self.bad / self.calls if self.calls else 0.0


def health(calls: Sequence[Call], provider: str, *, since: float, slow_ms: float) -> Health:
    """Of the last calls begun at or after `since`; slow is what took `slow_ms` or more."""
    lately = sorted((c for c in calls if c.provider == provider and c.at >= since), key=lambda c: -c.at)
    taken = lately[:LAST]
    times = sorted(c.ms for c in taken)
    p95 = times[min(len(times) - 1, int(len(times) * 0.95))] if times else 0.0
    return Health(len(taken), sum(c.failed or c.ms >= slow_ms for c in taken), p95)


def judge(
    standings: Mapping[str, Standing], calls: Sequence[Call], *, now: float, slow_ms: float
) -> dict[str, Standing]:
    """The standings at `now`, from those before and the calls since. A provider that isn't in `calls` is presumed well.

    `standings` names every provider that may be used; with one alone nothing ever changes.
    """
    # A clock that was ahead and has been set back leaves calls and standings of times to come: they would count as the
    # newest until those times are there.
    calls = [call for call in calls if call.at <= now + CLOCKS_APART_S]
    standings = {
        name: one._replace(since=min(one.since, now), fell_at=min(one.fell_at, now))
        for name, one in standings.items()
    }
    decided = dict(standings)
    seen = {
        name: health(calls, name, since=max(now - WINDOW_S, standing.since), slow_ms=slow_ms)
        for name, standing in standings.items()
    }
    lately = {name: health(calls, name, since=now - WINDOW_S, slow_ms=slow_ms) for name in standings}
    for name, standing in standings.items():
        told = seen[name]
        ails = told.calls >= FEWEST and told.bad_share >= BAD_SHARE
        if ails and standing.step == 0:
            # Still ill on its trickle: the time of recovery begins anew.
            decided[name] = standing._replace(since=now)
        elif ails and any(
            decided[other].step == len(STEPS) - 1 and _is_better(lately[other], told)
            for other in standings
            if other != name
        ):
            falls = standing.falls + 1 if now - standing.fell_at < FORGIVEN_S else 1
            decided[name] = Standing(step=0, since=now, falls=falls, fell_at=now)
        elif not ails and standing.step < len(STEPS) - 1 and told.calls >= FEWEST and told.bad == 0:
            hold = _hold(standing) if standing.step == 0 else STEP_S
            patience = now - (standing.fell_at if standing.step == 0 else standing.since)
            if patience >= hold and now - standing.since >= STEP_S:
                decided[name] = standing._replace(step=standing.step + 1, since=now)
    return decided


def _is_better(other: Health, ailing: Health) -> bool:
    """Well for certain, or not heard of; half as bad isn't enough while it ails itself."""
    if other.calls < FEWEST:
        return other.bad == 0
    return other.bad_share < BAD_SHARE and other.bad_share <= ailing.bad_share / 2


def _hold(standing: Standing) -> float:
    return min(HOLD_S * 2.0 ** max(0, standing.falls - 1), LONGEST_HOLD_S)


def shares_of(weights: Mapping[str, float], standings: Mapping[str, Standing]) -> dict[str, float]:
    """The part of all calls that each gets: by weight, an ailing one less, and what it gives up goes to those that are
    well. They sum to 1.
    """
    total = sum(max(weight, 0.0) for weight in weights.values())
    usual = {name: max(w, 0.0) / total if total > 0 else 1 / len(weights) for name, w in weights.items()}
    kept = {name: share * standings.get(name, Standing()).share for name, share in usual.items()}
    well = [name for name in weights if standings.get(name, Standing()).share == 1.0] or list(weights)
    free, heirs = 1 - sum(kept.values()), sum(usual[name] for name in well)
    return {
        name: share + (free * (usual[name] / heirs if heirs > 0 else 1 / len(well)) if name in well else 0.0)
        for name, share in kept.items()
    }


def choose(
    weights: Mapping[str, float],
    standings: Mapping[str, Standing],
    *,
    dice: float,
    last: Mapping[str, float],
    now: float,
) -> str:
    """Who carries the next call. `weights`: of those that may (at least one above 0, or all alike); `dice`: 0 ≤ x < 1;
    `last`: when each was asked last.

    Raises ValueError without any provider.
    """
    if not weights:
        raise ValueError("no provider may carry this")
    shares = shares_of(weights, standings)
    for name, share in shares.items():
        if not share and standings.get(name, Standing()).step == 0 and now - last.get(name, 0.0) >= PROBE_S:
            return name
    point = dice
    for name, share in shares.items():
        point -= share
        if point < 0:
            return name
    return max(shares, key=lambda name: shares[name])
