"""What the clients saw, as tables: by scenario, by what was asked, and what went wrong."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.load.watch import Seen


def quantile(sorted_ms: Sequence[float], part: float) -> float:
    """The time within which that part of the answers came; NaN without any."""
    if not sorted_ms:
        return math.nan
    return sorted_ms[min(len(sorted_ms) - 1, int(part * len(sorted_ms)))]


def show_answers(answers: Sequence[Mapping[str, Any]], seconds: float) -> None:
    """A line for each scenario and one for each thing that was asked in it."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    bad: Counter[tuple[str, str]] = Counter()
    for one in answers:
        for key in ((one["who"], ""), (one["who"], one["what"]), ("all", "")):
            groups[key].append(one["ms"])
            bad[key] += one["why"] is not None
    print(f"\n{'':<32}{'answers':>9}{'/s':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'most':>9}{'errors':>8}")
    for who, what in sorted(groups, key=lambda key: (key[0] == "all", key)):
        times = sorted(groups[who, what])
        quantiles = "".join(f"{quantile(times, part):>9.0f}" for part in (0.5, 0.95, 0.99))
        print(
            f"{f'  {what}' if what else who:<32}{len(times):>9,}{len(times) / seconds:>8.1f}{quantiles}"
            f"{times[-1]:>9.0f}{bad[who, what]:>8}"
        )


def show_errors(answers: Iterable[Mapping[str, Any]]) -> None:
    """What went wrong, by kind."""
    kinds = Counter((one["who"], one["what"], one["why"]) for one in answers if one["why"] is not None)
    print("\nerrors" if kinds else "\nerrors: none")
    for (who, what, why), count in kinds.most_common(20):
        print(f"  {count:>6}  {who}, {what}: {why}")


def show_processes(seen: Iterable[Seen], seconds: float) -> None:
    """Processor and memory of each."""
    print(f"\n{'process':<32}{'CPU %':>8}{'RSS MB':>9}{'most':>9}{'own MB':>9}{'MB/min':>9}")
    for one in seen:
        grows = "" if one.slope is None else f"{one.slope:.2f}"
        print(
            f"{one.name:<32}{100 * one.cpu_s / seconds:>8.1f}{one.rss_mb[-1]:>9.0f}{max(one.rss_mb):>9.0f}"
            f"{one.own_mb[-1][1]:>9.0f}{grows:>9}"
        )
