"""Properties of the choice of a person: only who is there, and no more than the gap apart for the same hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.duty.choice import Because, Candidate, Method, Place, choose, placed

DAY = date(2026, 9, 17)
DAWN = datetime(2026, 9, 17, tzinfo=UTC)
WORKERS = [UUID(int=n) for n in range(1, 6)]

candidates = st.lists(
    st.builds(
        Candidate,
        staff_id=st.sampled_from(WORKERS),
        open=st.integers(0, 6),
        score=st.integers(0, 6),
        given=st.integers(0, 6),
        last_no=st.integers(0, 9),
    ),
    max_size=5,
    unique_by=lambda c: c.staff_id,
)


@given(candidates, st.sampled_from(list(Method)), st.integers(1, 5), st.sampled_from([None, *WORKERS]))
def test_only_somebody_there_is_chosen_and_nobody_is_passed_over_without_a_word(
    there: list[Candidate], method: Method, gap: int, last: UUID | None
) -> None:
    choice = choose(there, method, gap=gap, last_handler=last)
    assert choice == choose(there[::-1], method, gap=gap, last_handler=last)
    if method is Method.GRAB:
        assert choice == (None, Because.TO_GRAB)
        return
    assert (choice.staff_id is None) is (there == [])
    if choice.staff_id is None:
        assert choice.because is Because.NOBODY_ON_SHIFT
        return
    chosen = next(c for c in there if c.staff_id == choice.staff_id)
    if method is Method.ROTATE:
        assert chosen.last_no == min(c.last_no for c in there)
        return
    assert chosen.score - min(c.score for c in there) < gap
    less = [c for c in there if c.open < chosen.open]
    if choice.because in {Because.LEAST_LOADED, Because.LONGEST_AGO, Because.ONLY_ONE}:
        assert less == []
    elif choice.because is Because.EVENED_OUT:
        assert all(c.score - min(x.score for x in there) >= gap for c in less)
    else:
        assert (choice.because, choice.staff_id) == (Because.LAST_HANDLER, last)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=60),
    st.integers(1, 4),
    st.sets(st.integers(0, 59)),
)
def test_two_who_came_together_are_never_more_than_the_gap_apart(
    steps: list[tuple[int, int]], gap: int, third_there: set[int]
) -> None:
    """The first two stand all day; others come and go; whoever is fast fixes what she has at once."""
    known: dict[UUID, Place] = {}
    held = dict.fromkeys(WORKERS, 0)
    given_to = dict.fromkeys(WORKERS, 0)
    for n, (fixed, who_fixed) in enumerate(steps):
        on_shift = {WORKERS[0]: (DAY, DAWN), WORKERS[1]: (DAY, DAWN)}
        if n in third_there:
            # She goes and comes: a second and third turn of the same day.
            on_shift[WORKERS[2]] = (DAY, DAWN + timedelta(hours=n // 7))
        now = placed(on_shift, known)
        held[WORKERS[who_fixed]] = max(0, held[WORKERS[who_fixed]] - fixed)
        there = [Candidate(who, held[who], p.score, p.given, p.last_no) for who, p in now.items()]
        chosen = choose(there, Method.LEAST_LOADED, gap=gap).staff_id
        assert chosen is not None
        known |= now
        mine = known[chosen]
        known[chosen] = mine._replace(score=mine.score + 1, given=mine.given + 1, last_no=n + 1)
        held[chosen] += 1
        given_to[chosen] += 1
        assert abs(given_to[WORKERS[0]] - given_to[WORKERS[1]]) <= gap
    assert {who: known[who].given for who in known} == {who: given_to[who] for who in known}
