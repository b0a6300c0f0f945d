"""`make fuzz`: schemathesis with all its phases over the faces, for as long as MINUTES says.

Not collected by `make test`, which asks every operation too, but only a little of each.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator

import pytest
import schemathesis
from schemathesis.auths import AuthContext
from schemathesis.cli import schemathesis as command_line
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext

from tests.contract.asking import CONFIG, FACES, Asker

MINUTES = float(os.environ.get("FUZZ_MINUTES") or 10)
SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
SHARES = {"public": 0.05, "resident": 0.3, "admin": 0.65}  # of the time: as large as they are
# schemathesis and its libraries warn of much that is theirs alone.
pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def hooked(asker: Asker) -> Iterator[Asker]:
    """All that schemathesis sends goes out as the asker would send it."""

    class Login:
        def get(self, case: Case, context: AuthContext) -> str | None:
            return asker.token(case.operation)

        def set(self, case: Case, token: str | None, context: AuthContext) -> None:
            if token is not None:
                case.headers["Authorization"] = f"Bearer {token}"

    def before_call(context: HookContext, case: Case, kwargs: dict[str, object]) -> None:
        asker.settle(case)

    schemathesis.auth(refresh_interval=None)(Login)
    schemathesis.hook("before_call")(before_call)
    logging.disable(logging.WARNING)  # a line for each request would bury the report
    yield asker
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("face", FACES)
def test_fuzz(hooked: Asker, face: str, capfd: pytest.CaptureFixture[str]) -> None:
    words = [
        *("--config-file", str(CONFIG), "run", f"{hooked.house.url}/openapi/{face}.json"),
        *("--max-time", str(max(int(MINUTES * 60 * SHARES[face]), 5)), "--seed", str(SEED)),
        *(
            "--phases",
            "examples,coverage,fuzzing,stateful",
            "--continue-on-failure",
            "--request-timeout",
            "60",
        ),
        *("--suppress-health-check", "all", "--warnings", "off", "--generation-database", "none"),
    ]
    with capfd.disabled(), pytest.raises(SystemExit) as ended:
        command_line.main(args=words, standalone_mode=False)
    assert not ended.value.code, f"the same again: make fuzz MINUTES={MINUTES:g} SEED={SEED}"
