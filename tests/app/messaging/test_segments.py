"""How many parts a text message has."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.messaging.segments import length, segments


@pytest.mark.parametrize(
    ("characters", "parts"), [(0, 1), (64, 1), (65, 2), (128, 2), (129, 3), (195, 3), (196, 4), (494, 8)]
)
def test_the_signature_with_its_brackets_counts(characters: int, parts: int) -> None:
    # 【幸福社区】 is six: 64 more are the first part's 70.
    assert segments("幸福社区", "投" * characters) == parts
    assert segments("幸福社区", "a" * characters) == parts


def test_a_rare_character_counts_two() -> None:
    assert length("社", "𠮷") == 5


@settings(deadline=None)
@given(st.text(min_size=2, max_size=12), st.text(max_size=500))
def test_parts_hold_the_text_and_no_part_is_empty(sign: str, text: str) -> None:
    parts, size = segments(sign, text), length(sign, text)
    assert parts >= 1
    assert size == len(f"【{sign}】{text}".encode("utf-16-le", "surrogatepass")) // 2
    if size <= 70:
        assert parts == 1
    else:
        assert 67 * (parts - 1) < size <= 67 * parts


@settings(deadline=None)
@given(st.text(max_size=300), st.text(max_size=20))
def test_more_text_never_costs_less(text: str, more: str) -> None:
    assert segments("社区", text + more) >= segments("社区", text)
