"""Who gets a campaign, once each, who doesn't and why; and how the writing of its messages goes on after a crash."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import pytest

from app import db, ids
from app.ids import Kind, Ref
from app.messaging import audience, expansion
from app.messaging.campaign_models import AudienceType
from app.places import identity
from tests.campaigns.mailroom import Mailroom, key_of, phone
from tests.conftest import Person


def claimed(owner: psycopg.Connection[Any], campaign: str) -> list[bytes]:
    rows = owner.execute(
        "SELECT phone_hash FROM sms_messages WHERE campaign_id = %s ORDER BY phone_hash", [key_of(campaign)]
    )
    return [row[0] for row in rows.fetchall()]


def hashes(*phones: str) -> list[bytes]:
    return sorted(identity.phone_hash(one) for one in phones)


def test_each_number_gets_one_message_across_communities(
    mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    twice, first, second = phone(), phone(), phone()
    mail.flat(twice)
    mail.flat(twice, first)
    mail.flat(twice, where=mail.town.b)
    mail.flat(second, where=mail.town.b)
    estates = [mail.town.a.estate_id, mail.town.b.estate_id]
    campaign = mail.draft(by=mail.street, audience={"type": "estates", "ids": estates})
    found = mail.preview(campaign, by=mail.street)
    assert (found["recipients"], found["excluded"]) == (3, {"twice": 2})
    mail.launched(campaign, by=mail.street)
    assert claimed(owner, campaign) == hashes(twice, first, second)
    shown = mail.progress(campaign, by=mail.street)
    assert (shown["total"], shown["excluded"]) == (3, {"twice": 2})
    batches = owner.execute(
        "SELECT count(DISTINCT community_id), sum(size) FROM sms_batches WHERE campaign_id = %s",
        [key_of(campaign)],
    ).fetchone()
    assert batches == (2, 3)


def test_a_preview_counts_parts_cost_and_seconds(mail: Mailroom) -> None:
    mail.flats(2)
    mail.flat("02367890000")
    mail.flat(None)
    # 【寸滩街道】 and the text are 71 characters: two parts each.
    template = mail.template(text="水" * 65, parameters=[])
    found = mail.preview(mail.draft(template, params={}))
    assert (found["recipients"], found["segments"], found["cost_fen"]) == (2, 4, 18)
    assert found["excluded"] == {"no_phone": 1, "not_mobile": 1}
    assert found["est_seconds"] == {"aliyun": 1, "tencent": 1}
    assert {(s["length"], s["segments"]) for s in found["samples"]} == {(71, 2)}
    assert all("****" in s["phone"] for s in found["samples"])


def test_the_second_number_is_taken_where_the_first_is_a_landline(
    mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    mobile = phone()
    house = mail.flat("02367890000")
    (owner_id,) = owner.execute(
        "SELECT o.owner_id FROM holding_owners o JOIN holdings h ON h.id = o.holding_id WHERE h.house_id = %s",
        [house.id],
    ).fetchone() or (None,)
    assert owner_id is not None
    owner.execute(
        "UPDATE owners SET phone2_hash = %s, phone2_sealed = %s WHERE id = %s",
        [identity.phone_hash(mobile), identity.seal(mobile, "phone2", owner_id), owner_id],
    )
    campaign = mail.launched(mail.draft())
    assert claimed(owner, campaign) == hashes(mobile)


@pytest.mark.parametrize(("kind", "gets_it"), [("notice", False), ("reminder", False), ("emergency", True)])
def test_only_what_must_go_out_reaches_who_opted_out(mail: Mailroom, kind: str, gets_it: bool) -> None:
    (stopped, _) = mail.flats(2)
    mail.clerk.post("/opt-outs", {"phone": stopped})
    found = mail.preview(mail.draft(mail.template(kind=kind)))
    assert found["recipients"] == (2 if gets_it else 1)
    assert found["excluded"] == ({} if gets_it else {"opted_out": 1})


def test_a_number_gets_no_more_in_a_day_than_its_providers_carry(mail: Mailroom) -> None:
    """Tencent's default is two a day; with a template that Alibaba knows as well, there is room for more."""
    mail.flats(1)
    only_tencent = mail.template(providers=("tencent",))
    for _ in range(2):
        mail.launched(mail.draft(only_tencent))
    found = mail.preview(mail.draft(only_tencent))
    assert (found["recipients"], found["excluded"]) == (0, {"capped": 1})
    assert mail.preview(mail.draft())["recipients"] == 1


def test_buildings_and_grids_reach_their_own_owners(mail: Mailroom, owner: psycopg.Connection[Any]) -> None:
    near, far, other = phone(), phone(), phone()
    house = mail.flat(near)
    mail.flat(far, building="2栋")
    mail.flat(other, estate=mail.town.a.second_estate)
    assert house.building_id is not None
    building = ids.encode(Kind.BUILDING, Ref(house.community_id, house.building_id))
    grid = ids.encode(Kind.GRID, mail.town.a.grid)
    for named, who in (
        ({"type": "buildings", "ids": [building]}, [near]),
        ({"type": "grids", "ids": [grid]}, [near, far]),
    ):
        campaign = mail.launched(mail.draft(audience=named))
        assert claimed(owner, campaign) == hashes(*who)
    abroad = mail.town.staff("community", mail.town.b)
    assert abroad.post("/campaigns", mail.body(audience={"type": "grids", "ids": [grid]})).status_code == 404


def test_an_audience_that_no_domain_offers_is_refused(
    mail: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(audience._known, AudienceType.NOTICE_UNREAD)
    answer = mail.clerk.post(
        "/campaigns", mail.body(audience={"type": "notice_unread", "ids": ["not_there"]})
    )
    assert (answer.status_code, answer.json["code"]) == (422, "audience_not_offered")


def test_a_room_stands_in_each_text(mail: Mailroom) -> None:
    mail.flats(2)
    template = mail.template(
        text="{estate}{room}，{what}。",
        parameters=[
            {"name": "estate", "longest": 30, "fill": "estate"},
            {"name": "room", "longest": 20, "fill": "room"},
            {"name": "what", "longest": 20},
        ],
    )
    found = mail.preview(mail.draft(template))
    assert len({s["text"] for s in found["samples"]}) == 2
    assert all("1栋" in s["text"] and "明天停水" in s["text"] for s in found["samples"])


def test_writing_goes_on_where_it_stopped(
    mail: Mailroom, owner: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page; a page that fails at its end leaves nothing, and is written whole the next time."""
    monkeypatch.setattr(expansion, "PAGE", 2)
    phones = mail.flats(5)
    campaign = mail.draft()
    mail.go(campaign, "launch")
    part = Ref(mail.town.a.id, ids.decode_ref(Kind.CAMPAIGN, campaign).id)
    with db.transaction():
        assert expansion.expand(part) is True
    assert len(claimed(owner, campaign)) == 2

    class Killed(Exception):
        pass

    def killed_at_the_end() -> None:
        with db.transaction():
            expansion.expand(part)
            raise Killed

    with pytest.raises(Killed):
        killed_at_the_end()
    assert len(claimed(owner, campaign)) == 2
    assert mail.progress(campaign)["is_expanding"] is True
    mail.work()
    assert claimed(owner, campaign) == hashes(*phones)
    with db.transaction():
        assert expansion.expand(part) is False
    found = mail.progress(campaign)
    assert (found["total"], found["is_expanding"], found["excluded"]) == (5, False, {})


# --- WeChat first ------------------------------------------------------------------------------------------


def bound_phone(mail: Mailroom, house_owner: psycopg.Connection[Any], who: Person) -> str:
    """Her number, bound in the mini-program, which is also that of an owner."""
    number = phone()
    house_owner.execute(
        "INSERT INTO identity_keys (key_hash, kind, person_id, claimed_at) VALUES (%s, 'phone', %s, now())",
        [identity.phone_hash(number), who.id],
    )
    mail.flat(number)
    return number


def test_a_text_message_goes_to_who_has_not_read_it_in_wechat(
    mail: Mailroom,
    owner: psycopg.Connection[Any],
    resident: Callable[..., Person],
    later: Callable[..., datetime],
) -> None:
    reader, sleeper = resident(), resident()
    bound_phone(mail, owner, reader)
    unread = bound_phone(mail, owner, sleeper)
    (elsewhere,) = mail.flats(1)
    campaign = mail.draft(channels=["wechat", "sms"], sms_after_min=30)
    mail.launched(campaign)

    def with_batch() -> list[bytes]:
        rows = owner.execute(
            "SELECT phone_hash FROM sms_messages WHERE campaign_id = %s AND batch_id IS NOT NULL"
            " ORDER BY phone_hash",
            [key_of(campaign)],
        )
        return [row[0] for row in rows.fetchall()]

    assert with_batch() == hashes(elsewhere)
    inbox = reader.get("/inbox").get_json()["items"]
    assert [(m["kind"], m["text"]) for m in inbox] == [("campaign", "您好，明天停水，请留意。")]
    reader.post("/inbox/read", {"ids": [inbox[0]["id"]]})
    mail.work()
    assert with_batch() == hashes(elsewhere)
    later(minutes=31)
    mail.work()
    assert with_batch() == hashes(elsewhere, unread)
    found = mail.progress(campaign)["by_status"]
    assert (found["queued"], found["delivered"]) == (2, 1)


def test_wechat_alone_names_whom_it_does_not_reach(
    mail: Mailroom, owner: psycopg.Connection[Any], resident: Callable[..., Person]
) -> None:
    reader = resident()
    stopped = bound_phone(mail, owner, reader)
    mail.clerk.post("/opt-outs", {"phone": stopped})  # of text messages
    mail.flats(2)
    campaign = mail.draft(mail.template(providers=()), channels=["wechat"])
    assert mail.preview(campaign)["excluded"] == {"not_in_wechat": 2}
    mail.launched(campaign)
    assert [(m["channel"], m["status"]) for m in mail.messages(campaign)] == [("wechat", "accepted")]
    assert mail.tick(campaign)["state"] == "finished"
