"""Campaigns over HTTP, through the pipeline, counted in the gateways' ledger: caps by number, and what is settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.campaigns.mailroom import Mailroom
from tests.conftest import Town
from tests.sms.staging import Gateways

Drain = Callable[[], None]


@pytest.fixture
def mail(town: Town, work: Callable[..., int], gateways: Gateways) -> Mailroom:
    """The mailroom of this test, with gateways behind it."""
    assert gateways
    return Mailroom(town, work)


@pytest.fixture
def two_a_day(mail: Mailroom) -> Iterator[None]:
    """By contract Alibaba takes two messages a day for a number; afterwards as before."""
    rows = mail.street.get("/providers").get_json()["items"]
    before = next(row["caps"] for row in rows if row["code"] == "aliyun")
    anything = {"If-Match": "*"}
    cap = {"scope": "number", "most": 2, "source": "本街道合同", "as_of": "2026-01-01"}
    changed = mail.street.call("PATCH", "/providers/aliyun", json={"caps": [cap]}, headers=anything)
    assert changed.status_code == 200, changed.text
    yield
    mail.street.call("PATCH", "/providers/aliyun", json={"caps": before}, headers=anything)


@pytest.mark.parametrize("provider", ["aliyun", "tencent"])  # Tencent's row says two a day as it comes
@pytest.mark.usefixtures("two_a_day")
def test_a_number_gets_no_more_in_a_day_than_its_provider_takes(
    mail: Mailroom, gateways: Gateways, drain: Drain, provider: str
) -> None:
    phones = mail.flats(2)
    template = mail.template(providers=(provider,))
    for _ in range(2):
        mail.launched(mail.draft(template))
        drain()
    assert gateways.received(phones) == dict.fromkeys(phones, 2)
    new = mail.flats(1)
    third = mail.launched(mail.draft(template))
    drain()
    seen = mail.progress(third)
    assert (seen["total"], seen["excluded"]) == (1, {"capped": 2})
    assert gateways.received([*phones, *new]) == dict.fromkeys(phones, 2) | dict.fromkeys(new, 1)


@pytest.fixture
def tencent_first(mail: Mailroom) -> Iterator[None]:
    """Alibaba carries only what no other can; afterwards as before."""
    rows = mail.street.get("/providers").get_json()["items"]
    before = next(row["weight"] for row in rows if row["code"] == "aliyun")
    for weight in (0, before):
        changed = mail.street.call(
            "PATCH", "/providers/aliyun", json={"weight": weight}, headers={"If-Match": "*"}
        )
        assert changed.status_code == 200, changed.text
        if weight == 0:
            yield


@pytest.mark.usefixtures("tencent_first")
def test_what_is_beyond_the_share_of_one_provider_goes_through_the_other(
    mail: Mailroom, gateways: Gateways, drain: Drain
) -> None:
    phones = mail.flats(2)
    template = mail.template()
    for _ in range(3):
        mail.launched(mail.draft(template))
        drain()
    for one in phones:
        assert sorted(entry["vendor"] for entry in gateways.entries(one)) == ["aliyun", "tencent", "tencent"]


def test_a_campaign_of_which_some_are_open_says_that_it_is_being_settled(
    mail: Mailroom, gateways: Gateways, drain: Drain
) -> None:
    mail.flats(2)
    fault = {"mode": "timeout", "times": 1, "after": True, "action": "SendSms"}
    gateways.behave(tencent={"faults": [fault], "hang_s": 1})
    campaign = mail.launched(mail.draft(mail.template(providers=("tencent",))))
    before = mail.progress(campaign)
    assert (before["is_settling"], before["message"]) == (False, "已发 0 条，共 2 条。")
    drain()
    seen = mail.progress(campaign)
    assert (seen["state"], seen["is_settling"], seen["by_status"]["unknown"]) == ("running", True, 2)
    assert seen["message"] == "已发完，2 条待运营商确认。"
    assert seen["eta"] is None
