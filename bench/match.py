"""How good the likely duplicates are: precision and recall on the labelled pairs, by threshold, and the time of one
comparison. `make bench NAME=match`.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from app.places.coordinates import Point
from app.tickets import match

PAIRS = Path(match.__file__).parent / "data" / "pairs.jsonl"
HELD_OUT = 4  # groups divisible by this were not tuned on
PRECISION, RECALL = 0.9, 0.7  # what is asked at match.SUGGEST_AT


def _side(row: dict[str, Any]) -> match.Side:
    point = Point(row["lng"], row["lat"]) if row["lng"] is not None else None
    phone = row["phone"].encode() if row["phone"] else None
    at = datetime.fromisoformat(row["at"])
    return match.Side(row["text"], row["category"], at, point, row["accuracy_m"], row["estate"], phone)


class Shares(NamedTuple):
    """How good what is said at a threshold is, of some of the pairs."""

    part: str
    pairs: int
    threshold: float
    precision: float
    recall: float


def measured() -> tuple[list[Shares], float]:
    """(shares of all pairs, of those tuned on and of those held out by threshold, seconds of one comparison)."""
    rows = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    began = time.process_time()
    scored = [
        (row["group"], row["same"], match.score(_side(row["a"]), _side(row["b"])).score) for row in rows
    ]
    took = (time.process_time() - began) / len(rows)
    parts = {
        "all": scored,
        "tuned on": [s for s in scored if s[0] % HELD_OUT],
        "held out": [s for s in scored if s[0] % HELD_OUT == 0],
    }
    shares = []
    for name, part in parts.items():
        for threshold in (0.4, 0.5, match.SUGGEST_AT, 0.7):
            said = [same for _, same, score in part if score >= threshold]
            precision, recall = sum(said) / len(said), sum(said) / sum(same for _, same, _ in part)
            shares.append(Shares(name, len(part), threshold, precision, recall))
    return shares, took


def main() -> int:
    """0 when precision and recall are met on all pairs and on those held out."""
    met = True
    print(f"{'pairs':<10} {'n':>4} {'at':>5} {'precision':>10} {'recall':>7}")
    shares, took = measured()
    for name, pairs, threshold, precision, recall in shares:
        chosen = threshold == match.SUGGEST_AT
        met &= not chosen or (precision >= PRECISION and recall >= RECALL)
        mark = "  <- suggested" if chosen else ""
        print(f"{name:<10} {pairs:>4} {threshold:>5} {precision:>10.3f} {recall:>7.3f}{mark}")
    print(f"one comparison: {took * 1e6:.0f} µs")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
