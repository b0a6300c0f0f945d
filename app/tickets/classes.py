"""The rules of the class tree: what a class may ask, what may be answered, and what makes a tree whole.

Nothing here reads the database: spans and questions come in as values, problems are raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, TypeVar

from app.places.models import OrgKind
from app.tickets.errors import BadAnswers, BadClass, ClassCycle, UnknownParent
from app.tickets.models import CategoryTerm, LimitUnit

# What a term says, and what a class is when a file or a request leaves it out.
DEFAULTS: Mapping[str, Any] = {
    "parent_code": None,
    "hint": "",
    "questions": [],
    "needs_photo": False,
    "is_public": True,
    "is_urgent": False,
    "for_residents": True,
    "limit_amount": None,
    "limit_unit": None,
    "org_kind": None,
    "closing_text": None,
    "sort": 0,
}
FIELDS = ("name", *DEFAULTS)
CODE = re.compile(r"[a-z][a-z0-9_]{1,31}\Z")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_LENGTHS = {"name": 40, "hint": 120, "closing_text": 300}
MAX_QUESTIONS = 6
MAX_OPTIONS = 12
MAX_ANSWER = 200  # characters


class Span(NamedTuple):
    """Under which parent a class stood, and when (`until` exclusive, None: still)."""

    code: str
    parent: str | None
    since: date
    until: date | None

    def holds_on(self, day: date) -> bool:
        """Does it hold on that day?"""
        return self.since <= day and (self.until is None or day < self.until)


def facts_of(term: CategoryTerm) -> dict[str, Any]:
    """What a term says, by field."""
    return {name: getattr(term, name) for name in FIELDS}


# --- what a class says -----------------------------------------------------------------------------------


def check_facts(facts: Mapping[str, Any]) -> None:
    """Refuses a class that can't be shown or asked: raises BadClass with a sentence for each field."""
    wrong: dict[str, list[tuple[str, str]]] = {}
    for name, most in _LENGTHS.items():
        value = facts.get(name)
        if (name == "name" and not value) or (value is not None and len(value) > most):
            wrong[name] = [(f"须为 1 到 {most} 个字。", f"Needs 1 to {most} characters.")]
    if facts["limit_unit"] is not None and facts["limit_unit"] not in set(LimitUnit):
        wrong["limit"] = [("时限单位不正确。", "No such unit of time.")]
    if (facts["limit_unit"] is None) != (facts["limit_amount"] is None) or (
        facts["limit_amount"] is not None and not 0 < facts["limit_amount"] <= 1000
    ):
        wrong["limit"] = [
            ("时限须同时有数值（1 到 1000）和单位。", "A limit needs an amount (1 to 1000) and a unit.")
        ]
    if facts["org_kind"] is not None and facts["org_kind"] not in set(OrgKind):
        wrong["org_kind"] = [("没有这种单位。", "No such kind of organisation.")]
    if problems := _question_problems(facts["questions"]):
        wrong["questions"] = problems
    if wrong:
        raise BadClass(errors=wrong)


def _question_problems(questions: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    problems = []
    if len(questions) > MAX_QUESTIONS:
        problems.append((f"最多 {MAX_QUESTIONS} 个问题。", f"At most {MAX_QUESTIONS} questions."))
    keys = [question.get("key") for question in questions]
    if len(set(keys)) != len(keys):
        problems.append(("问题的 key 不能重复。", "Each question needs a key of its own."))
    for question in questions:
        key, label, options = question.get("key"), question.get("label"), question.get("options", [])
        if not isinstance(key, str) or not _KEY.match(key):
            problems.append(
                (
                    "key 须以小写字母开头，只含小写字母、数字和下划线。",
                    "A key is a small letter, then small letters, digits, _.",
                )
            )
        if not isinstance(label, str) or not 0 < len(label) <= 60:
            problems.append(
                (f"{key}：问题须为 1 到 60 个字。", f"{key}: the label needs 1 to 60 characters.")
            )
        if question.get("type") == "choice":
            whole = isinstance(options, list) and all(
                isinstance(o, str) and 0 < len(o) <= 40 for o in options
            )
            if not whole or not 2 <= len(set(options)) == len(options) <= MAX_OPTIONS:
                problems.append(
                    (
                        f"{key}：须有 2 到 {MAX_OPTIONS} 个不同的选项。",
                        f"{key}: needs 2 to {MAX_OPTIONS} different options.",
                    )
                )
        elif question.get("type") != "text" or options:
            problems.append(
                (f"{key}：类型须为 text 或 choice。", f"{key}: the type is text, or choice with options.")
            )
    return problems


def check_answers(questions: Sequence[Mapping[str, Any]], answers: Mapping[str, Any]) -> None:
    """Refuses an answer to a question that the class doesn't ask, or that isn't one of its options.

    No answer is demanded: a report must not fail because somebody couldn't say. Raises BadAnswers, by field.
    """
    asked = {question["key"]: question for question in questions}
    wrong: dict[str, list[tuple[str, str]]] = {}
    for key, answer in answers.items():
        question = asked.get(key)
        if question is None:
            wrong[f"answers.{key}"] = [("这个类别没有这个问题。", "This category doesn't ask that.")]
        elif question["type"] == "choice" and answer not in question["options"]:
            options = "、".join(question["options"])
            wrong[f"answers.{key}"] = [(f"只能是：{options}。", f"Must be one of: {options}.")]
        elif not isinstance(answer, str) or len(answer) > MAX_ANSWER:
            wrong[f"answers.{key}"] = [(f"最多 {MAX_ANSWER} 个字。", f"At most {MAX_ANSWER} characters.")]
    if wrong:
        raise BadAnswers(errors=wrong)


# --- the tree --------------------------------------------------------------------------------------------


def check_tree(spans: Iterable[Span]) -> None:
    """Refuses a tree in which, on any day, a class has no such parent or is among its own ancestors.

    Only days on which something begins or ends need a look: between them nothing changes. Raises UnknownParent,
    ClassCycle.
    """
    spans = list(spans)
    for day in sorted(
        {span.since for span in spans} | {span.until for span in spans if span.until is not None}
    ):
        parents = {span.code: span.parent for span in spans if span.holds_on(day)}
        for code, parent in parents.items():
            if parent is not None and parent not in parents:
                raise UnknownParent(
                    extra={"category": code, "parent": parent, "on": day.isoformat()},
                    errors={"parent": [(UnknownParent.zh, UnknownParent.en)]},
                )
            _refuse_cycle(code, parents)


def _refuse_cycle(code: str, parents: Mapping[str, str | None]) -> None:
    seen = [code]
    above = parents.get(code)
    while above is not None:
        if above in seen:
            raise ClassCycle(
                extra={"cycle": [*seen, above]}, errors={"parent": [(ClassCycle.zh, ClassCycle.en)]}
            )
        seen.append(above)
        above = parents.get(above)


class ClassName(NamedTuple):
    """What a list to choose from shows of a class; stands for its term."""

    code: str
    parent_code: str | None
    sort: int
    name: str
    for_residents: bool


C = TypeVar("C", CategoryTerm, ClassName)


def in_order(terms: Iterable[C]) -> list[C]:
    """The terms of one day from the top down, each class before those below it."""
    below: dict[str | None, list[C]] = {}
    for term in sorted(terms, key=lambda t: (t.sort, t.code)):
        below.setdefault(term.parent_code, []).append(term)
    found: list[C] = []

    def walk(parent: str | None) -> None:
        for term in below.get(parent, ()):
            found.append(term)
            walk(term.code)

    walk(None)
    return found
