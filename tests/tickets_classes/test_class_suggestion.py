"""The suggestion of a class from words: its figures on sentences it never saw, its reasons, its pace."""

from __future__ import annotations

from collections import Counter

import pytest

from app.tickets import suggest
from app.tickets.suggest import Sentence

TRAINING, HELD_OUT = suggest.split(suggest.sentences())


def trigrams(text: str) -> frozenset[str]:
    cleaned = suggest.clean(text)
    return frozenset(cleaned[i : i + 3] for i in range(len(cleaned) - 2))


def test_four_hundred_sentences_are_spread_evenly_over_the_classes() -> None:
    rows = suggest.sentences()
    assert (len(rows), len(TRAINING), len(HELD_OUT)) == (400, 300, 100)
    assert set(Counter(row.label for row in rows).values()) == {16}
    assert set(Counter(row.label for row in HELD_OUT).values()) == {4}
    assert len({row.text for row in rows}) == 400


def test_which_sentences_are_held_out_depends_on_their_words_alone() -> None:
    turned = suggest.split(reversed(suggest.sentences()))
    assert [set(part) for part in turned] == [set(TRAINING), set(HELD_OUT)]


def test_no_sentence_is_nearly_a_copy_of_another() -> None:
    sets = [(row.text, trigrams(row.text)) for row in suggest.sentences()]
    near = max(
        (len(a & b) / len(a | b), one, other)
        for place, (one, a) in enumerate(sets)
        for other, b in sets[place + 1 :]
    )
    assert near[0] < 0.6, near


def test_three_in_four_are_right_at_once_and_nearly_all_among_three() -> None:
    found = [(row.label, [s.code for s in suggest.suggest(row.text)]) for row in HELD_OUT]
    first = sum(codes[:1] == [label] for label, codes in found)
    among_three = sum(label in codes for label, codes in found)
    assert first >= 75
    assert among_three >= 92


def test_the_model_knows_nothing_of_the_held_out_sentences() -> None:
    taught = suggest.learn(TRAINING)
    assert suggest.model() == taught
    assert suggest.learn(suggest.sentences()) != taught


def test_the_same_words_always_get_the_same_answer() -> None:
    text = "电梯门口有一堆垃圾，灯也不亮"
    again = suggest.learn(list(reversed(TRAINING)))
    assert suggest.suggest(text) == suggest.suggest(text) == again.suggest(text)
    assert len({s.code for s in suggest.suggest(text)}) == 3


def test_the_reasons_are_in_the_text_and_never_a_name_or_a_number() -> None:
    text = "我是三栋的欧阳翠花13800138000，楼道路灯不亮，欧阳翠花说了好多次"
    for found in suggest.suggest(text):
        assert 1 <= len(found.why) <= 3
        for word in found.why:
            parts = word.split(suggest.PAIR)
            assert all(part in suggest.clean(text) for part in parts)
            assert not any(char in word for char in "欧阳翠13800")
    assert suggest.suggest(text)[0].code == "lighting"


def test_a_pair_counts_in_its_order_and_near_by_only() -> None:
    model = suggest.learn([Sentence("没有别的", "other")])
    assert "灯…暗" in model.weigh("这个灯有点暗")["lighting"]
    assert "灯…暗" not in model.weigh("暗处有灯")["lighting"]
    assert "灯…暗" not in model.weigh("灯" + "好" * 9 + "暗")["lighting"]


def test_a_longer_word_hides_the_shorter_ones_in_it() -> None:
    model = suggest.learn([Sentence("没有别的", "other")])
    weighed = model.weigh("广场舞")
    assert "广场舞" in weighed["noise"]
    assert {word for words in model.weigh("垃圾分类").values() for word in words} == {"垃圾分类"}


@pytest.mark.parametrize("text", ["", " ", "。。。", "hello", "😀" * 50, "\u0000", "你好"])
def test_words_that_say_nothing_suggest_nothing(text: str) -> None:
    assert suggest.suggest(text) == []


def test_full_width_spaces_and_capitals_make_no_difference() -> None:
    assert suggest.suggest("楼上　Ｋ歌，吵 得 睡不着") == suggest.suggest("楼上k歌吵得睡不着")


def test_only_the_classes_asked_for_are_suggested() -> None:
    text = "楼上漏水把我家泡了，他不赔还骂人"
    assert suggest.suggest(text)[0].code == "dispute"
    assert [s.code for s in suggest.suggest(text, among={"water"})] == ["water"]
    assert suggest.suggest(text, among=()) == []
