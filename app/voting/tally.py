"""Adding up the openings of a closed decision: in the database, so that 100,000 ballots take a fraction of a second."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import text

from app import db, ids
from app.ids import Kind, Ref
from app.voting.counting import ABSTAIN, CHOSE, Question, Result, Tally, Totals, conclude
from app.voting.matters import Matter
from app.voting.models import Candidate, Decision, DecisionKind, Motion
from app.voting.roll_models import DeliveryWay
from app.voting.rules import Rules
from app.voting.seats import Weight

# Alike choices are added up first: a hundred thousand ballots are a few hundred different ones.
_ANSWERS = text("""
    WITH alike AS MATERIALIZED (
        SELECT o.choices, count(*) AS heads, sum(o.area_centi) AS area
        FROM openings AS o
        WHERE o.community_id = :community AND o.decision_id = :decision AND o.counts
        GROUP BY o.choices
    ), answers AS MATERIALIZED (
        SELECT motion.key, motion.value, sum(alike.heads) AS heads, sum(alike.area) AS area
        FROM alike, jsonb_each(alike.choices) AS motion
        GROUP BY motion.key, motion.value
    )
    SELECT key, NULL AS candidate,
           CASE jsonb_typeof(value)
               WHEN 'array' THEN CASE jsonb_array_length(value) WHEN 0 THEN :abstain ELSE :chose END
               ELSE value #>> '{}' END AS answer,
           sum(heads), sum(area)
    FROM answers
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT key, candidate.id, NULL, sum(heads), sum(area)
    FROM answers, LATERAL (SELECT DISTINCT id FROM jsonb_array_elements_text(value) AS id) AS candidate
    WHERE jsonb_typeof(value) = 'array'
    GROUP BY 1, 2
""")
_TOTALS = text("""
    SELECT count(*), coalesce(sum(h.area_centi), 0),
           count(*) FILTER (WHERE told.head_id IS NOT NULL),
           coalesce(sum(h.area_centi) FILTER (WHERE told.head_id IS NOT NULL), 0)
    FROM roll_heads AS h
    LEFT JOIN (
        SELECT t.head_id::uuid AS head_id
        FROM ledgers AS l, jsonb_array_elements_text(l.told) AS t (head_id)
        WHERE l.community_id = :community AND l.decision_id = :decision
          AND NOT EXISTS (
              SELECT FROM openings AS o
              WHERE o.community_id = l.community_id AND o.decision_id = l.decision_id
                AND o.head_id = t.head_id::uuid)
    ) AS told ON told.head_id = h.id
    WHERE h.community_id = :community AND h.decision_id = :decision
""")
# What the roll, the ballots and the openings have to say alike before anything is certified.
_WHOLE = text("""
    SELECT
        (SELECT count(*) FROM ballots AS first
         WHERE first.community_id = :community AND first.decision_id = :decision AND first.rev = 1) AS cast_heads,
        (SELECT count(*) FROM openings AS one
         WHERE one.community_id = :community AND one.decision_id = :decision AND one.counts) AS counted,
        (SELECT count(*) FROM openings AS o
         JOIN roll_heads AS h ON h.community_id = o.community_id AND h.decision_id = o.decision_id
             AND h.id = o.head_id AND h.area_centi = o.area_centi
         JOIN ballots AS b ON b.community_id = o.community_id AND b.decision_id = o.decision_id
             AND b.head_id = o.head_id AND b.rev = o.rev
         WHERE o.community_id = :community AND o.decision_id = :decision AND o.counts
           AND NOT EXISTS (
               SELECT FROM ballots AS later
               WHERE later.community_id = o.community_id AND later.decision_id = o.decision_id
                 AND later.head_id = o.head_id AND later.rev > o.rev)) AS right_ones,
        (SELECT count(*) FROM ballot_leaves AS leaf
         WHERE leaf.community_id = :community AND leaf.decision_id = :decision
           AND leaf.head_id IS NOT NULL) AS sealed,
        (SELECT count(*) FROM (
             SELECT o.head_id, o.rev, o.channel FROM openings AS o
             WHERE o.community_id = :community AND o.decision_id = :decision
             INTERSECT
             SELECT leaf.head_id, leaf.rev, split_part(leaf.leaf, '"', 4)  -- {"channel":"…
             FROM ballot_leaves AS leaf
             WHERE leaf.community_id = :community AND leaf.decision_id = :decision) AS alike) AS alike,
        (SELECT count(*) FROM openings AS o
         WHERE o.community_id = :community AND o.decision_id = :decision) AS opened
""")


class Wholeness(NamedTuple):
    """Heads that cast; ballots counted; of these the ones that are the head's last, with her area. Then ballots in the
    log, those of them that are opened, and all that are opened.
    """

    cast: int
    counted: int
    right: int
    sealed: int
    alike: int
    opened: int

    @property
    def is_whole(self) -> bool:
        """Does each head that cast count once, with her last ballot and the area of the roll; and is what was opened
        what stands in the log?
        """
        return self.cast == self.counted == self.right and self.sealed == self.alike == self.opened


def proving_ways(rules: Rules) -> list[str]:
    """The ways of delivery that prove, by these rules, that a ballot reached its owner."""
    ways = [DeliveryWay.VISIT, DeliveryWay.POSTED]
    if rules.message_is_delivery:
        ways += [DeliveryWay.WECHAT, DeliveryWay.SMS]
    if rules.login_is_delivery:
        ways.append(DeliveryWay.LOGIN)
    return [way.value for way in ways]


def questions(motions: Iterable[Motion], candidates: Iterable[Candidate]) -> list[Question]:
    """Motions as they are counted, under their wire ids; candidates in the order of the ballot."""
    standing = list(candidates)
    return [
        Question(
            id=ids.encode(Kind.MOTION, Ref(motion.community_id, motion.id)),
            number=motion.number,
            title=motion.title,
            matter=Matter(motion.matter) if motion.matter is not None else None,
            seats=motion.seats,
            alternates=motion.alternates or 0,
            candidates=tuple(
                ids.encode(Kind.CANDIDATE, Ref(c.community_id, c.id))
                for c in standing
                if c.motion_id == motion.id
            ),
        )
        for motion in motions
    ]


def totals_of(ref: Ref) -> Totals:
    """The roll, and of it who was told with proof by the close and handed nothing in (none where no rule counts it)."""
    heads, area, silent, silent_area = (
        db.session().execute(_TOTALS, {"community": ref.community_id, "decision": ref.id}).one()
    )
    return Totals(Weight(int(area), heads), Weight(int(silent_area), silent))


def answers_of(ref: Ref) -> dict[str, Tally]:
    """Motion (wire id) → its answers, added up over the openings that count. Only after they were unsealed."""
    rows = db.session().execute(
        _ANSWERS,
        {"community": ref.community_id, "decision": ref.id, "abstain": ABSTAIN, "chose": CHOSE},
    )
    answers: dict[str, dict[str, Weight]] = {}
    candidates: dict[str, dict[str, Weight]] = {}
    for motion, candidate, answer, heads, area in rows:
        into, name = (answers, answer) if candidate is None else (candidates, candidate)
        into.setdefault(motion, {})[name] = Weight(int(area), int(heads))
    return {motion: Tally(words, candidates.get(motion, {})) for motion, words in answers.items()}


def wholeness(ref: Ref) -> Wholeness:
    """Do ballots, openings and roll agree?"""
    row = db.session().execute(_WHOLE, {"community": ref.community_id, "decision": ref.id}).one()
    return Wholeness(*row)


def result_of(row: Decision, asked: Iterable[Question], rules: Rules, *, kind: DecisionKind) -> Result:
    """The result of a closed decision whose ballots were unsealed, counted as one of this kind."""
    ref = Ref(row.community_id, row.id)
    return conclude(list(asked), totals_of(ref), answers_of(ref), rules, kind=kind)
