"""A patrol over HTTP: from the plan to the gap that is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from app import clock
from tests.conftest import Town
from tests.patrol.conftest import Round, fix


def test_a_round_of_five_points_with_one_spoofed_and_one_left_out_shows_both_gaps(
    town: Town, lay_out: Callable[..., Round], later: Callable[..., datetime]
) -> None:
    round_ = lay_out(5)
    shift = round_.start()
    assert round_.coverage()["totals"]["open"] == 5

    for n in (0, 1, 2):
        later(minutes=3)
        walked = round_.walk(shift, [fix(round_.places[n], clock.now())])
        assert walked.json["kept"] == 1, walked.text
        # At the third point she is half a kilometre away, with a photograph of its sign.
        seen = round_.visit(n, off=0.0045 if n == 2 else 0.0)
        assert seen.status_code == 201, seen.text
        assert seen.json["reasons"] == (["too_far"] if n == 2 else [])
    later(minutes=6)
    found = round_.walker.post(
        "/tickets", {"channel": "patrol", "estate_id": town.a.estate_id, "text": "消防通道被占"}
    )
    assert found.status_code == 201, found.text
    ticket = found.json["ticket_id"]
    assert round_.visit(4, ticket_id=ticket).json["ticket_id"] == ticket

    done = round_.walker.post(f"/patrol/shifts/{shift}/end")
    assert [stop["state"] for stop in done.json["stops"]] == [
        "visited", "visited", "suspect", "open", "visited",
    ]  # fmt: skip
    shown = round_.coverage()
    assert shown["totals"] == {
        "due": 5, "visited": 3, "suspect": 1, "missed": 1, "open": 0,
        "visited_rate": {"numerator": 3, "denominator": 5},
    }  # fmt: skip
    gaps = [(gap["point_id"], gap["state"], gap["reasons"], gap["final"]) for gap in shown["items"]]
    assert gaps == [
        (round_.points[2], "suspect", ["too_far"], False),
        (round_.points[3], "missed", [], False),
    ]
    track = round_.desk.post(f"/patrol/shifts/{shift}/track", {"purpose": "核查漏巡"}).json
    assert len(track["positions"]) == 3
    assert len(track["readings"]) == 4
