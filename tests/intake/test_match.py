"""Are two reports one problem? On 400 labelled pairs, 100 of which no weight has seen; and part by part."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.places.coordinates import Point
from app.tickets import match
from app.tickets.match import Kin, Side

PAIRS = Path(match.__file__).parent / "data" / "pairs.jsonl"
HELD_OUT = 4  # groups of pairs whose number is divisible by this were never tuned on


def _side(row: dict[str, Any]) -> Side:
    return Side(
        text=row["text"],
        category=row["category"],
        at=datetime.fromisoformat(row["at"]),
        point=Point(row["lng"], row["lat"]) if row["lng"] is not None else None,
        accuracy_m=row["accuracy_m"],
        place=row["estate"],
        phone_hash=row["phone"].encode() if row["phone"] else None,
    )


def _pairs(held_out: bool | None = None) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    return [r for r in rows if held_out is None or (r["group"] % HELD_OUT == 0) == held_out]


def _measured(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Precision and recall."""
    said = [(match.score(_side(r["a"]), _side(r["b"])).score >= match.SUGGEST_AT, r["same"]) for r in rows]
    right = sum(yes and same for yes, same in said)
    return right / sum(yes for yes, _ in said), right / sum(same for _, same in said)


def test_there_are_as_many_pairs_as_are_claimed() -> None:
    assert len(_pairs()) == 400
    assert len(_pairs(held_out=True)) == 100
    assert len({(r["a"]["text"], r["b"]["text"]) for r in _pairs()}) >= 398
    assert sum(r["same"] for r in _pairs()) == 160


@pytest.mark.parametrize("held_out", [None, True, False])
def test_nine_of_ten_suggestions_are_right_and_seven_of_ten_duplicates_found(
    held_out: bool | None, record_property: Any
) -> None:
    precision, recall = _measured(_pairs(held_out))
    record_property("precision", round(precision, 3))
    record_property("recall", round(recall, 3))
    assert precision >= 0.9
    assert recall >= 0.7


def _report(text: str, **fields: Any) -> Side:
    return Side(text, "water", fields.pop("at", datetime(2026, 7, 1, tzinfo=UTC)), **fields)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("3栋2单元501漏水", {"building": {"3"}, "unit": {"2"}, "room": {"501"}, "floor": {"5"}}),
        ("三栋二单元五楼", {"building": {"3"}, "unit": {"2"}, "floor": {"5"}}),
        ("十二号楼", {"building": {"12"}}),
        ("3-2-1801", {"building": {"3"}, "unit": {"2"}, "room": {"1801"}, "floor": {"18"}}),
        ("B1车库", {"floor": {"负1"}}),
        ("负二楼C区", {"floor": {"负2"}, "zone": {"c"}}),
        ("地下2层", {"floor": {"负2"}}),
        ("A座", {"building": {"a"}}),
        ("15号灯杆", {"pole": {"15"}}),
        ("东大门", {"gate": {"东"}}),
        ("渝A·12345", {"plate": {"渝a12345"}}),
        ("1栋和2栋之间", {"building": {"1", "2"}}),
        ("3号垃圾房", {"site": {"3"}}),
        ("２号电梯口", {}),
        ("楼顶漏水", {}),
    ],
)
def test_numbers_are_read_as_what_they_stand_for(text: str, numbers: dict[str, set[str]]) -> None:
    assert match.places_in(match.normalised(text)) == {k: frozenset(v) for k, v in numbers.items()}


@pytest.mark.parametrize("other", ["5栋2单元501", "3栋1单元501", "3栋2单元901"])
def test_the_same_sentence_about_another_door_is_another_problem(other: str) -> None:
    here = _report("3栋2单元501厨房下水道堵塞，污水倒灌")
    same = match.score(here, _report("3栋2单元501厨房下水道堵塞，污水倒灌"))
    differs = match.score(here, _report(f"{other}厨房下水道堵塞，污水倒灌"))
    assert same.score > 0.9
    assert differs.score < 0.3
    assert differs.parts.differ


def test_who_drips_and_who_is_dripped_upon_are_one_problem() -> None:
    above, below = _report("7栋2单元1504水管漏水，淹到楼下"), _report("7栋2单元1404，楼上漏水，天花板湿透")
    assert match.compare(above, below).differ == ()


def test_distance_beyond_what_the_positions_are_unsure_of_counts() -> None:
    spot = Point(106.59, 29.61)
    north = Point(106.59, 29.61 + 100 / 111_195)
    near = match.compare(_report("x", point=spot), _report("x", point=north))
    unsure = match.compare(_report("x", point=spot, accuracy_m=80), _report("x", point=north, accuracy_m=120))
    assert near.distance_m == pytest.approx(100, abs=1)
    assert unsure.distance_m == pytest.approx(0, abs=1)
    assert match.compare(_report("x"), _report("x", point=spot)).distance_m is None


def test_classes_are_kin_by_the_tree_or_by_what_people_confuse() -> None:
    tree = {"pipe": "water", "drain": "water", "water": None, "lamp": "light", "light": None}
    assert match.kin_of("pipe", "drain", tree) is Kin.SIBLING
    assert match.kin_of("pipe", "water", tree) is Kin.SIBLING
    assert match.kin_of("pipe", "lamp", tree) is Kin.OTHER
    assert match.kin_of("water", "road") is Kin.SIBLING
    assert match.kin_of("dogs", "elevator") is Kin.OTHER
    assert match.kin_of("water", None) is Kin.UNKNOWN


def test_the_reason_is_given_part_by_part() -> None:
    here = _report("3栋2单元楼下井盖破损", phone_hash=b"1", point=Point(106.59, 29.61))
    there = _report(
        "3号楼2单元门口下水道盖子烂了",
        phone_hash=b"1",
        point=Point(106.59, 29.61),
        at=datetime(2026, 7, 1, tzinfo=UTC) + timedelta(hours=5),
    )
    result = match.score(here, there)
    assert result.score > match.SUGGEST_AT
    assert result.why() == {
        "distance_m": 0,
        "class": "same",
        "hours": 5.0,
        "text": pytest.approx(result.parts.text, abs=0.01),
        "agree": ["building", "unit"],
        "differ": [],
        "same_phone": True,
    }


_WORDS = st.text("栋单元楼0123456789一二三十负东西门号井盖漏水abAB-·，。", max_size=40)


@given(a=_WORDS, b=_WORDS, hours=st.floats(0, 10_000))
def test_any_two_reports_have_a_score_whichever_comes_first(a: str, b: str, hours: float) -> None:
    one = _report(a)
    two = _report(b, at=datetime(2026, 7, 1, tzinfo=UTC) + timedelta(hours=hours))
    there, back = match.score(one, two), match.score(two, one)
    assert 0 <= there.score <= 1
    assert there.score == pytest.approx(back.score)


@given(word=st.text("零〇一二两三四五六七八九十", min_size=1, max_size=6), of=st.sampled_from("栋楼号单#"))
def test_whatever_is_written_in_numerals_can_be_read(word: str, of: str) -> None:
    match.read(word + of)


def test_a_numeral_is_read_as_people_mean_it() -> None:
    said = {"十二栋": "12栋", "二十栋": "20栋", "三十五号": "35号", "一二栋": "12栋", "一一十单": "一一十单"}
    assert {word: match.normalised(word) for word in said} == said


@given(text=_WORDS)
def test_time_apart_never_speaks_for_a_duplicate(text: str) -> None:
    scores = [
        match.score(
            _report(text), _report(text, at=datetime(2026, 7, 1, tzinfo=UTC) + timedelta(days=d))
        ).score
        for d in (0, 1, 3, 7, 14, 60)
    ]
    assert scores == sorted(scores, reverse=True)
