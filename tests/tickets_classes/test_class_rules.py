"""The rules of the tree by themselves: every day of it is looked at."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from app.tickets.classes import DEFAULTS, Span, check_answers, check_facts, check_tree
from app.tickets.errors import BadAnswers, BadClass, ClassCycle, UnknownParent

JAN, FEB, MAR = date(2027, 1, 1), date(2027, 2, 1), date(2027, 3, 1)
QUESTIONS: list[dict[str, Any]] = [
    {"key": "where", "label": "在哪里", "type": "choice", "options": ["楼道", "车库"]},
    {"key": "more", "label": "补充", "type": "text"},
]


def test_a_tree_that_is_whole_on_every_day_passes() -> None:
    check_tree(
        [
            Span("top", None, JAN, None),
            Span("low", "top", JAN, FEB),
            Span("low", "other", FEB, None),
            Span("other", None, FEB, None),
        ]
    )


def test_a_parent_has_to_hold_on_every_day_of_its_child() -> None:
    with pytest.raises(UnknownParent) as refused:
        check_tree([Span("top", None, JAN, FEB), Span("low", "top", JAN, None)])
    assert refused.value.extra["on"] == "2027-02-01"
    with pytest.raises(UnknownParent):
        check_tree([Span("top", None, FEB, None), Span("low", "top", JAN, None)])
    with pytest.raises(UnknownParent):
        check_tree(
            [Span("old", None, JAN, None), Span("low", "top", FEB, None), Span("top", None, MAR, None)]
        )
    check_tree([Span("top", None, JAN, FEB), Span("low", "top", JAN, FEB)])


def test_two_classes_may_change_places_but_not_stand_above_each_other() -> None:
    changing = [
        Span("a", None, JAN, FEB), Span("b", "a", JAN, FEB), Span("b", None, FEB, None), Span("a", "b", FEB, None),
    ]  # fmt: skip
    check_tree(changing)
    with pytest.raises(ClassCycle):
        check_tree([Span("a", None, JAN, FEB), Span("b", "a", JAN, MAR), Span("a", "b", FEB, None)])


def test_no_answer_is_demanded_and_each_given_one_is_looked_at() -> None:
    check_answers(QUESTIONS, {})
    check_answers(QUESTIONS, {"where": "车库", "more": "说" * 200})
    with pytest.raises(BadAnswers) as refused:
        check_answers(QUESTIONS, {"where": "楼顶", "more": "说" * 201, "who": "我"})
    assert set(refused.value.errors) == {"answers.where", "answers.more", "answers.who"}


def test_every_field_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(BadClass) as refused:
        check_facts(
            {**DEFAULTS, "name": "", "hint": "长" * 121, "limit_unit": "working_days", "org_kind": "nobody"}
        )
    assert set(refused.value.errors) == {"name", "hint", "limit", "org_kind"}
