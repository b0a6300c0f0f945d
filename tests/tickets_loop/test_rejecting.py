"""A report that isn't accepted: the reporter reads on which ground and why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Person, Town


@pytest.mark.parametrize(
    ("ground", "said"),
    [
        ("in_proceedings", "诉讼"),
        ("confidential", "隐私"),
        ("settled", "依法处理完毕"),
        ("not_ours", "不属于受理范围"),
    ],
)
def test_the_reporter_reads_the_ground_beside_the_reason(
    resident: Callable[..., Person], town: Town, ground: str, said: str
) -> None:
    wang = resident("wang")
    ticket_id = wang.report(town.a.estate_id, category="noise")["ticket_id"]
    done = town.staff("community").post(
        f"/tickets/{ticket_id}/reject", {"ground": ground, "reason": "请按原来的程序继续"}
    )
    assert done.json["timeline"][-1]["data"]["ground"] == ground
    line = wang.get(f"/tickets/{ticket_id}").json["timeline"][-1]
    assert said in line["text"]
    assert "请按原来的程序继续" in line["text"]
    assert said in wang.get("/inbox").json["items"][0]["text"]


def test_a_ground_that_the_rules_do_not_know_changes_nothing(
    resident: Callable[..., Person], town: Town
) -> None:
    ticket_id = resident("wang").report(town.a.estate_id)["ticket_id"]
    desk = town.staff("community")
    refused = desk.post(f"/tickets/{ticket_id}/reject", {"ground": "busy", "reason": "忙"})
    assert refused.status_code == 422
    assert "ground" in refused.json["errors"]
    assert desk.get(f"/tickets/{ticket_id}").json["status"] == "received"
