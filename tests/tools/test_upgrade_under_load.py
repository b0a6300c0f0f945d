"""The next version's migrations while this one serves; `make upgrade-test` does the same on a full street."""

from __future__ import annotations

import pytest

from tests.tools.benches import figures_of

# A migration waits a second for its lock, and who comes meanwhile waits behind it. The rest is for a machine that runs
# other long tests as well; a lock time-out of four seconds would still be noticed.
LONGER_S = 3.0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_next_migrations_run_while_this_version_serves() -> None:
    """Expand, contract, and one migration that a transaction holds up: nobody waits for as long as that one lasts. How
    much less is the measurement's to say.
    """
    figures = figures_of("bench.upgrade")
    for name in ("answers", "failed", "ready_throughout", "waited_in_vain"):
        assert figures[name]["ok"], (name, figures)
    peace, longest = (figures[name]["value"] for name in ("longest_in_peace_s", "longest_request_s"))
    assert longest <= peace + LONGER_S, figures
