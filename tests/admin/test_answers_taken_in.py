"""Who takes a report in asks what its class asks; the answers are held to the questions, as a resident's are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Town


def called(town: Town, **more: Any) -> dict[str, Any]:
    return {
        "channel": "phone",
        "estate_id": town.a.estate_id,
        "category": "elevator",
        "text": "3栋2单元电梯停了",
    } | more


def test_answers_to_the_class_are_kept(town: Town) -> None:
    answers = {"trapped": "没有", "unit": "3栋2单元"}
    made = town.staff("community").post("/tickets", called(town, answers=answers))
    assert made.status_code == 201, made.text
    assert made.json["answers"] == answers
    assert town.staff("community").post("/tickets", called(town)).json["answers"] == {}


@pytest.mark.parametrize("channel", ["phone", "hotline", "mailbox"])
def test_answers_that_nobody_asked_for_are_refused(town: Town, channel: str) -> None:
    answers = {"trapped": "可能", "colour": "红"}
    wrong = town.staff("community").post("/tickets", called(town, channel=channel, answers=answers))
    assert (wrong.status_code, wrong.json["code"]) == (422, "bad_answers")
    assert set(wrong.json["errors"]) == {"answers.trapped", "answers.colour"}
