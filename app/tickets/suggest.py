"""Which class a resident's words speak for, and which of her words say so.

Two witnesses are added up. A word list (`data/lexicon.json`) gives each word a weight for the classes it names;
where words overlap the longest one counts, so that 垃圾桶盖 is no word about 垃圾, and 灯…暗 is both words in this
order and close together. Beside it, pieces of two and
three characters, weighed by how much oftener they occur in one class's training sentences than in the others'
(naive Bayes, learned at the first use in a few milliseconds): they carry dialect and typing errors that nobody
would put on a list. Nothing is downloaded and nothing is random: the same words always get the same answer.

Every reason given is an entry of the committed word list or of the training sentences: a name or a number that a
resident writes can't turn up among the reasons.

`other` is never suggested: it is what remains when nothing else speaks.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).with_name("data")
HELD_OUT = 4  # sentences of each class that the figures are measured on
GAP = 8  # characters between the two words of a pair such as 灯…暗
READ = 200  # characters that are looked at; a longer text has said by then what it is about
WHY = 3  # words given as reasons
PAIR = "…"

# Chosen by cross-validation on the training sentences alone (`make bench NAME=classes`).
LEXICON_WEIGHT = 2.4
SMOOTHING = 0.3
PIECE_LIMIT = 2.5
PIECE_WEIGHT = 0.3
CLEARLY = 2.0  # a piece speaks for a class in which it is at least so many times as frequent as elsewhere
# Below this a class has no more to show than a stray syllable.
ENOUGH = 1.0


class Sentence(NamedTuple):
    """A resident's sentence and the class it belongs to."""

    text: str
    label: str


class Suggestion(NamedTuple):
    """A class, how strongly the words speak for it, and which of them do, the strongest first."""

    code: str
    score: float
    why: tuple[str, ...]


@cache
def sentences() -> tuple[Sentence, ...]:
    """All labelled sentences, in the order of the file."""
    lines = (DATA / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return tuple(Sentence(row["text"], row["label"]) for row in rows)


def split(rows: Iterable[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """(training, held out): of each class the four sentences with the smallest SHA-256 are held out.

    The rule looks at nothing that anybody chose, and a sentence that is added moves at most one other.
    """
    by_class: dict[str, list[Sentence]] = defaultdict(list)
    for row in rows:
        by_class[row.label].append(row)
    training: list[Sentence] = []
    held_out: list[Sentence] = []
    for found in by_class.values():
        found.sort(key=lambda row: hashlib.sha256(row.text.encode()).digest())
        held_out += found[:HELD_OUT]
        training += found[HELD_OUT:]
    return training, held_out


@cache
def lexicon() -> dict[str, dict[str, float]]:
    """Word, or pair of words (灯…暗), → class → weight: 1 hints, 4 names it."""
    table: dict[str, dict[str, list[str]]] = json.loads((DATA / "lexicon.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, float]] = {}
    for code, by_weight in table.items():
        for weight, words in by_weight.items():
            for word in words:
                found.setdefault(PAIR.join(map(clean, word.split(PAIR))), {})[code] = float(weight)
    return found


def clean(text: str) -> str:
    """Letters, digits and characters alone, half-width and small: people write without punctuation, or with much."""
    return "".join(c for c in unicodedata.normalize("NFKC", text[: READ * 2]).lower() if c.isalnum())[:READ]


def pieces(text: str) -> Iterable[str]:
    """All runs of two and of three characters of a cleaned text."""
    for size in (2, 3):
        for start in range(len(text) - size + 1):
            yield text[start : start + size]


@dataclass(frozen=True)
class Model:
    """What was learned: for each piece, how much it speaks for each class that knows it (log odds)."""

    words: Mapping[str, Mapping[str, float]]
    pairs: Mapping[str, Mapping[str, float]]
    begun: Mapping[str, tuple[tuple[str, ...], ...]]  # a pair's first word → the pairs that begin with it
    sizes: Mapping[str, tuple[int, ...]]  # a first character → the lengths of its entries, longest first
    odds: Mapping[str, Mapping[str, float]]
    lexicon_weight: float = LEXICON_WEIGHT

    def weigh(self, text: str) -> dict[str, dict[str, float]]:
        """Class → the words and pieces of this text that speak for it, each with its weight."""
        found: dict[str, dict[str, float]] = defaultdict(dict)
        cleaned = clean(text)
        for word, of in self._listed(cleaned):
            for code, weight in of.items():
                found[code][word] = self.lexicon_weight * weight
        for piece in dict.fromkeys(pieces(cleaned)):
            for code, weight in self.odds.get(piece, {}).items():
                seen = found[code]
                seen[piece] = seen.get(piece, 0.0) + weight
        return found

    def _listed(self, text: str) -> Iterable[tuple[str, Mapping[str, float]]]:
        """The entries of the word list in this text: the longest word at each place, and all pairs."""
        free = 0  # words before this place are already part of a longer one
        paired: set[str] = set()
        for start in range(len(text)):
            for size in self.sizes.get(text[start], ()):
                word = text[start : start + size]
                for parts in self.begun.get(word, ()):
                    pair = PAIR.join(parts)
                    if pair not in paired and _follow(text, start + size, parts[1:]):
                        paired.add(pair)
                        yield pair, self.pairs[pair]
                if start >= free and word in self.words:
                    free = start + size
                    yield word, self.words[word]

    def suggest(self, text: str, *, among: Collection[str] | None = None, most: int = 3) -> list[Suggestion]:
        """The classes these words speak for, the strongest first; none when they speak for none."""
        said = self.weigh(text)
        scores = {code: sum(said[code].values()) for code in said if among is None or code in among}
        best = sorted((code for code in scores if scores[code] >= ENOUGH), key=lambda c: (-scores[c], c))
        return [Suggestion(code, round(scores[code], 2), _why(said[code])) for code in best[:most]]


def _follow(text: str, start: int, parts: Sequence[str]) -> bool:
    """Do these words follow one after the other, each within a few characters of the one before?"""
    for part in parts:
        at = text.find(part, start, start + GAP + len(part))
        if at < 0:
            return False
        start = at + len(part)
    return True


def _why(said: Mapping[str, float]) -> tuple[str, ...]:
    """The strongest words, without pieces of words already named."""
    named: list[str] = []
    for word in sorted(said, key=lambda word: (-said[word], -len(word), word)):
        if len(named) == WHY:
            break
        if not any(word in other or other in word for other in named):
            named.append(word)
    return tuple(named)


def learn(
    training: Sequence[Sentence],
    *,
    lexicon_weight: float = LEXICON_WEIGHT,
    smoothing: float = SMOOTHING,
    limit: float = PIECE_LIMIT,
    weight: float = PIECE_WEIGHT,
) -> Model:
    """A model of these sentences and the word list."""
    inside: dict[str, Counter[str]] = defaultdict(Counter)
    everywhere: Counter[str] = Counter()
    for row in training:
        own = set(pieces(clean(row.text)))
        inside[row.label].update(own)
        everywhere.update(own)
    of_class = {code: sum(counts.values()) for code, counts in inside.items()}
    everything, kinds = sum(of_class.values()), len(everywhere)
    odds: dict[str, dict[str, float]] = defaultdict(dict)
    for code, counts in inside.items():
        own_size = of_class[code] + smoothing * kinds
        other_size = everything - of_class[code] + smoothing * kinds
        for piece, count in counts.items():
            here = (count + smoothing) / own_size
            elsewhere = (everywhere[piece] - count + smoothing) / other_size
            if here > CLEARLY * elsewhere:
                odds[piece][code] = weight * min(limit, math.log(here / elsewhere))
    listed = lexicon()
    words = {word: of for word, of in listed.items() if PAIR not in word}
    pairs = {word: of for word, of in listed.items() if PAIR in word}
    begun: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for pair in pairs:
        begun[pair.split(PAIR)[0]].append(tuple(pair.split(PAIR)))
    sizes: dict[str, set[int]] = defaultdict(set)
    for entry in (*words, *begun):
        sizes[entry[0]].add(len(entry))
    return Model(
        words=words,
        pairs=pairs,
        begun={first: tuple(found) for first, found in begun.items()},
        sizes={head: tuple(sorted(found, reverse=True)) for head, found in sizes.items()},
        odds=dict(odds),
        lexicon_weight=lexicon_weight,
    )


@cache
def model() -> Model:
    """The model of the training sentences; the held-out ones stay out of it, so the figures are about what runs."""
    return learn(split(sentences())[0])


def suggest(text: str, *, among: Collection[str] | None = None, most: int = 3) -> list[Suggestion]:
    """At most `most` classes for a resident's words, of those `among`; the strongest first, maybe none."""
    return model().suggest(text, among=among, most=most)
