"""Every operation of every face does what its document says: a little of each, in the time that a change may take.

`make fuzz` (tests/contract/fuzz.py) asks all of it. Both are deterministic with CI=1, or with the seed they print.
"""

from __future__ import annotations

import zlib
from collections import Counter, deque
from collections.abc import Iterator
from itertools import groupby, islice

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation

from tests.contract import asking
from tests.contract.asking import Asker

pytestmark = pytest.mark.timeout(900)  # neighbours may be slow
EACH = 2  # systematic requests of an operation, of those that must work and of those that mustn't
WINDOW = 24  # where the second begin, differs from one operation to the next
RANDOM = 4  # one operation of so many is asked something at random as well


def systematic(operation: APIOperation) -> Iterator[Case]:
    """What must work, and some of what mustn't."""
    generation = operation.schema.config.generation_for(operation=operation, phase="coverage")

    def cases(mode: GenerationMode) -> Iterator[Case]:
        found: Iterator[Case] = operation.schema.iter_coverage_cases(
            operation, generation_modes=[mode], generation_config=generation
        )
        return found

    yield from islice(cases(GenerationMode.POSITIVE), EACH)
    passed_by = zlib.crc32(operation.label.encode()) % WINDOW
    yield from deque(islice(cases(GenerationMode.NEGATIVE), passed_by + EACH), EACH)


@pytest.mark.filterwarnings("ignore::UserWarning:schemathesis")
@pytest.mark.parametrize("face", asking.FACES)
def test_every_operation_keeps_what_its_document_promises(asker: Asker, face: str) -> None:
    document = asking.face(asker.house.app, face)
    found: list[tuple[str, str]] = []
    answered: Counter[int] = Counter()
    asked = 0

    def ask(case: Case) -> None:
        try:
            answered[asker.ask(case).status_code // 100] += 1
        except FailureGroup as failures:
            found.append((case.operation.label, str(failures)))

    for one in document.get_all_operations():
        operation: APIOperation = one.ok()  # type: ignore[union-attr]  # of a document that can't be read: raises
        asked += 1
        for case in systematic(operation):
            ask(case)
        if zlib.crc32(operation.path.encode()) % RANDOM:
            continue
        anything = st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode])
        settings(
            max_examples=1,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(anything)(ask))()
    told = [f"{label}\n{next(messages)[1]}" for label, messages in groupby(found, key=lambda one: one[0])]
    assert not told, f"{len(told)} operations\n\n" + "\n\n".join(told[:10])
    assert asked == sum(len(item.keys() & asking.METHODS) for item in document.raw_schema["paths"].values())
    # Neither a town that is empty nor a login that has ended: a good part of it was answered.
    assert answered[2] > asked / 4
