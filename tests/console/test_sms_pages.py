"""Pages of text messages by the client: what each step shows, to whom, and what it never shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from app import ids
from app.ids import Kind
from app.messaging import campaigns
from app.messaging.campaign_models import AudienceType
from app.messaging.sifting import Reason
from app.messaging.sms_models import MessageState
from bff.admin.console import sms_words
from tests.campaigns.mailroom import Mailroom, key_of, phone
from tests.conftest import Person, Town
from tests.console.clerk import Clerk


@pytest.fixture
def mail(town: Town, work: Callable[..., int]) -> Mailroom:
    """The mailroom of this test (tests/campaigns)."""
    return Mailroom(town, work)


@pytest.fixture
def desk(clerk: Callable[..., Clerk]) -> Clerk:
    return clerk("community")


def text_of(page: Any) -> str:
    """The words of a page, as one reads them."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def settled(
    owner: psycopg.Connection[Any], campaign: str, *results: tuple[str, str | None, str | None]
) -> None:
    """What became of its messages, one after the other: state, fault, code."""
    rows = owner.execute(
        "SELECT id FROM sms_messages WHERE campaign_id = %s ORDER BY id", [key_of(campaign)]
    ).fetchall()
    for (message,), (state, fault, code) in zip(rows, results, strict=True):
        owner.execute(
            "UPDATE sms_messages SET state = %s, fault = %s, code = %s, provider_code = 'aliyun',"
            " sent_at = now(), settled_at = now() WHERE id = %s",
            [state, fault, code, message],
        )
    owner.execute(
        "UPDATE sms_batches SET state = 'done', provider_code = 'aliyun', sent_at = now() - interval '1 second',"
        " done_at = now() WHERE campaign_id = %s",
        [key_of(campaign)],
    )


# --- words ---------------------------------------------------------------------------------------------------


def test_every_state_reason_and_type_has_words() -> None:
    assert set(sms_words.AUDIENCES) == set(AudienceType)
    assert set(sms_words.REASONS) == set(Reason)
    assert set(sms_words.MESSAGES) == set(MessageState) == set(sms_words.MESSAGE_LOOKS)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "1 秒"), (59, "59 秒"), (61, "2 分钟"), (3600, "1 小时"), (5400, "1 小时 30 分钟")],
)
def test_a_time_is_said_as_one_would_say_it(house: Any, seconds: float, words: str) -> None:
    with house.app.test_request_context():
        assert sms_words.duration(seconds) == words


# --- the wizard ----------------------------------------------------------------------------------------------


def test_each_type_of_audience_has_its_step(desk: Clerk, mail: Mailroom) -> None:
    mail.template()
    start = desk.get("/admin/campaigns/new")
    assert start.status_code == 200
    for kind in AudienceType:
        assert f"/admin/campaigns/new?type={kind}" in start.text
        page = desk.get(f"/admin/campaigns/new?type={kind}")
        assert page.status_code == 200, kind
        assert f'name="audience.type" value="{kind}"' in page.text
    assert desk.get("/admin/campaigns/new?type=everybody").status_code == 422


def test_the_street_is_not_offered_the_lists_that_it_may_not_read(
    clerk: Callable[..., Clerk], mail: Mailroom
) -> None:
    mail.template()
    street = clerk("street")
    assert "type=focus_group" not in street.get("/admin/campaigns/new").text
    assert street.get("/admin/campaigns/new?type=focus_group").status_code == 404


def test_the_form_offers_what_one_may_write_to_and_the_approved_texts(desk: Clerk, mail: Mailroom) -> None:
    known = mail.template(name="停水短信")
    drafted = mail.street.post("/sms-templates", mail.template_body(name="没审的")).json["template_id"]
    page = desk.get("/admin/campaigns/new?type=estates").text
    assert mail.town.a.estate_id in page
    assert mail.town.b.estate_id not in page
    assert known in page
    assert drafted not in page
    buildings = desk.get(f"/admin/campaigns/estates/{mail.town.a.estate_id}/buildings")
    assert buildings.status_code == 200
    assert desk.get(f"/admin/campaigns/estates/{mail.town.b.estate_id}/buildings").status_code == 404


def test_a_text_filled_from_a_list_is_offered_for_lists_alone(desk: Clerk, mail: Mailroom) -> None:
    plain = mail.template(name="停水短信")
    listed = mail.template(
        name="排班短信",
        text="您好，您的巡逻排在{day}。",
        parameters=[{"name": "day", "longest": 20, "fill": "list"}],
    )
    estates = desk.get("/admin/campaigns/new?type=estates").text
    assert plain in estates
    assert listed not in estates
    assert listed in desk.get("/admin/campaigns/new?type=list").text


def test_without_an_approved_text_the_wizard_says_who_writes_one(
    clerk: Callable[..., Clerk], desk: Clerk
) -> None:
    assert "请联系街道" in desk.get("/admin/campaigns/new?type=estates").text
    assert "去短信模板" in clerk("street").get("/admin/campaigns/new?type=estates").text


def test_an_address_names_nothing_that_is_not_hers(desk: Clerk, mail: Mailroom, town: Town) -> None:
    mail.template()
    other = town.staff("community", town.b)
    sent = other.post("/recipient-lists", {"name": "隔壁的志愿者", "rows": [{"phone": phone()}]})
    page = desk.get(f"/admin/campaigns/new?type=list&ids={sent.json['job_id']}")
    assert page.status_code == 200
    assert "隔壁的志愿者" not in page.text


# --- one campaign --------------------------------------------------------------------------------------------


def test_a_draft_asks_to_be_counted_and_then_shows_people_reasons_cost_and_samples(
    desk: Clerk, mail: Mailroom
) -> None:
    phones = mail.flats(2)
    mail.flat("02367890000")
    campaign = mail.draft()
    own = f"/admin/campaigns/{campaign}"
    first = desk.get(own).text
    assert "data-at-once" in first
    assert 'data-opens="launch"' not in first
    assert mail.clerk.post(f"/campaigns/{campaign}/preview").status_code == 202
    counting = desk.get(own, part=True).text
    assert "every 2s" in counting
    assert "data-at-once" not in counting
    mail.work()
    page = desk.get(own)
    assert "<dd data-recipients>2</dd>" in page.text
    words = text_of(page)
    for said in ("只有座机，收不到短信", "1 人", "阿里云短信", "您好，明天停水，请留意。", "0.09"):
        assert said in words, said
    assert 'data-opens="launch"' in page.text
    assert "every 2s" not in page.text
    assert all(one not in page.text for one in phones)
    assert f"{phones[0][:3]}****" in page.text


def test_a_large_one_is_submitted_by_one_and_approved_by_another(
    desk: Clerk, mail: Mailroom, clerk: Callable[..., Clerk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "_approval_above", 1)
    mail.flats(2)
    campaign = mail.draft()
    mail.preview(campaign)
    own = f"/admin/campaigns/{campaign}"
    page = desk.get(own).text
    assert 'data-opens="submit"' in page
    assert 'data-opens="launch"' not in page
    mail.go(campaign, "submit")
    waiting = desk.get(own).text
    assert "须由另一位工作人员审批" in waiting
    assert 'data-opens="approve"' not in waiting
    second = clerk("street")
    assert 'data-opens="approve"' in second.get(own).text
    assert f'href="{own}"' in second.get("/admin/").text
    assert f'href="{own}"' not in desk.get("/admin/").text
    mail.go(campaign, "reject", {"reason": "日期写错了"}, by=mail.street)
    assert "日期写错了" in desk.get(own).text
    assert f'href="{own}"' not in second.get("/admin/").text


def test_what_no_vendor_can_send_says_so_and_is_not_offered_for_sending(desk: Clerk, mail: Mailroom) -> None:
    mail.flats(1)
    campaign = mail.draft(mail.template(providers=()))
    mail.preview(campaign)
    page = desk.get(f"/admin/campaigns/{campaign}")
    assert "没有一家服务商能发这个模板" in page.text
    assert "没有登记在这家的模板代码" in page.text
    assert 'data-opens="launch"' not in page.text


def test_a_running_one_shows_how_far_it_is_and_why_some_did_not_arrive(
    desk: Clerk, mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    phones = mail.flats(4)
    campaign = mail.launched(mail.draft())
    own = f"/admin/campaigns/{campaign}"
    page = desk.get(own).text
    assert f'hx-get="{own}/progress?seen=running"' in page
    assert "every 2s" in page
    settled(
        owner,
        campaign,
        ("delivered", None, "DELIVERED"),
        ("refused", "number", "isv.MOBILE_NUMBER_ILLEGAL"),
        ("refused", "account", "isv.AMOUNT_NOT_ENOUGH"),
        ("failed", None, "UNDELIVERABLE"),
    )
    part = desk.get(f"{own}/progress?seen=running", part=True)
    assert "<html" not in part.text
    counted = dict(re.findall(r'data-count="(\w+)">(?:<a [^>]+>)?(\d+)', part.text))
    assert counted.pop("total") == "4"
    assert {name: n for name, n in counted.items() if n != "0"} == {
        "delivered": "1",
        "refused": "2",
        "failed": "1",
    }
    words = text_of(part)
    for said in ("号码不正确", "短信账户余额不足", "手机没有收到", "阿里云短信", "100.0%"):
        assert said in words, said
    assert "重发（2 条）" in words
    assert "看上门名单（2）" in words
    # The visit list: whose numbers took none, by their homes; masked.
    visits = desk.get(f"{own}/visits")
    assert visits.text.count("1栋") == 2
    assert all(one not in visits.text for one in phones)
    refused = desk.get(f"{own}/messages?status=refused")
    assert refused.text.count("****") == 2
    # The json face says the same.
    failures = mail.progress(campaign)["failures"]
    assert sorted((one["status"], one["fault"], one["count"], one["is_mendable"]) for one in failures) == [
        ("failed", None, 1, True),
        ("refused", "account", 1, True),
        ("refused", "number", 1, False),
    ]


def test_of_a_draft_nothing_has_left(desk: Clerk, mail: Mailroom) -> None:
    part = desk.get(f"/admin/campaigns/{mail.draft()}/progress", part=True)
    assert part.status_code == 200
    assert '<dd data-count="total">0</dd>' in part.text


def test_the_page_is_told_when_the_state_has_moved_on(desk: Clerk, mail: Mailroom) -> None:
    mail.flats(1)
    campaign = mail.launched(mail.draft())
    mail.go(campaign, "pause")
    path = f"/admin/campaigns/{campaign}/progress"
    assert desk.get(f"{path}?seen=running", part=True).headers["HX-Trigger"] == "moved"
    assert "HX-Trigger" not in desk.get(f"{path}?seen=paused", part=True).headers


def test_before_cancelling_one_reads_what_has_left_and_what_never_will(
    desk: Clerk, mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    mail.flats(3)
    campaign = mail.launched(mail.draft())
    owner.execute(
        "UPDATE sms_messages SET state = 'accepted' WHERE id = (SELECT min(id::text)::uuid FROM sms_messages"
        " WHERE campaign_id = %s)",
        [key_of(campaign)],
    )
    asked = desk.get(f"/admin/campaigns/{campaign}/cancel", part=True).text
    assert "<dd data-gone>1 条</dd>" in asked
    assert "<dd data-stays>2 条</dd>" in asked
    mail.go(campaign, "cancel")
    assert "已取消：发出 1 条，没有发出 2 条" in text_of(desk.get(f"/admin/campaigns/{campaign}"))


def test_the_list_says_how_many_left_and_narrows_by_state(
    desk: Clerk, mail: Mailroom, owner: psycopg.Connection[Any]
) -> None:
    assert "还没有发过短信通知" in desk.get("/admin/campaigns").text
    mail.flats(2)
    template = mail.template()
    drafted = mail.draft(template, title="还没发的")
    sent = mail.launched(mail.draft(template, title="正在发的"))
    settled(owner, sent, ("delivered", None, None), ("accepted", None, None))
    page = desk.get("/admin/campaigns").text
    assert "还没发的" in page
    assert "2 / 2" in page
    running = desk.get("/admin/campaigns?state=running").text
    assert sent in running
    assert drafted not in running
    assert desk.get("/admin/campaigns?state=nothing").status_code == 422


def test_a_campaign_of_another_community_is_not_there(desk: Clerk, mail: Mailroom, town: Town) -> None:
    mail.flat(phone(), where=town.b)
    audience = {"type": "estates", "ids": [town.b.estate_id]}
    campaign = mail.draft(by=town.staff("community", town.b), audience=audience)
    for rest in ("", "/edit", "/messages", "/visits", "/now", "/cancel"):
        assert desk.get(f"/admin/campaigns/{campaign}{rest}").status_code == 404, rest
    assert campaign not in desk.get("/admin/campaigns").text


def test_what_is_launched_has_no_form_to_change_it(desk: Clerk, mail: Mailroom) -> None:
    mail.flats(1)
    campaign = mail.draft()
    assert desk.get(f"/admin/campaigns/{campaign}/edit").status_code == 200
    mail.launched(campaign)
    assert desk.get(f"/admin/campaigns/{campaign}/edit").status_code == 404


@pytest.mark.parametrize("path", ["", "/new", "/new?type=estates"])
def test_who_has_nothing_to_do_with_it_is_refused(clerk: Callable[..., Clerk], path: str) -> None:
    assert clerk("property").get(f"/admin/campaigns{path}").status_code == 403


# --- lists of numbers ----------------------------------------------------------------------------------------


def test_a_list_shows_its_rows_that_were_left_out_and_never_a_number(desk: Clerk, mail: Mailroom) -> None:
    assert "还没有名单" in desk.get("/admin/recipient-lists").text
    good = phone()
    rows = [{"phone": good, "values": {"day": "周一"}}, {"phone": "12345"}, {"phone": "02367890000"}]
    sent = mail.clerk.post("/recipient-lists", {"name": "志愿者", "rows": rows}).json["job_id"]
    assert "志愿者" in desk.get("/admin/recipient-lists").text
    assert [one["list_id"] for one in mail.clerk.get("/recipient-lists").json["items"]] == [sent]
    page = desk.get(f"/admin/recipient-lists/{sent}")
    words = text_of(page)
    for said in ("第几行", "2 不是手机号", "3 是座机，收不到短信", "day"):
        assert said in words, said
    assert good not in page.text
    mail.template()
    assert "志愿者" in desk.get(f"/admin/campaigns/new?type=list&ids={sent}").text


def test_a_list_of_another_community_is_not_there(desk: Clerk, town: Town) -> None:
    other = town.staff("community", town.b)
    sent = other.post("/recipient-lists", {"name": "隔壁的", "rows": [{"phone": phone()}]}).json["job_id"]
    assert desk.get(f"/admin/recipient-lists/{sent}").status_code == 404
    assert "隔壁的" not in desk.get("/admin/recipient-lists").text


# --- templates -----------------------------------------------------------------------------------------------


def test_a_template_shows_its_blanks_its_vendors_and_who_may_approve_it(
    clerk: Callable[..., Clerk], mail: Mailroom
) -> None:
    drafted = mail.street.post("/sms-templates", mail.template_body()).json["template_id"]
    street = clerk("street")
    own = f"/admin/sms-templates/{drafted}"
    page = street.get(own)
    assert "<mark>空白 1（what）</mark>" in page.text
    assert "没有登记在这家的模板代码" in page.text
    assert "须由另一位同事审核" in page.text
    assert f"POST /admin/api/v1/sms-templates/{drafted}/approve" not in page.text
    assert mail.other_street.post(f"/sms-templates/{drafted}/approve").status_code == 200
    assert "审核通过" not in street.get(own).text
    desk = clerk("community")
    seen = desk.get(own)
    assert seen.status_code == 200
    assert "/mappings/" not in seen.text
    assert desk.get("/admin/sms-templates/new").status_code == 403


def test_a_blank_is_called_what_its_writer_called_it(clerk: Callable[..., Clerk], mail: Mailroom) -> None:
    named = [{"name": "p1", "longest": 20, "title": "停电时间"}]
    body = mail.template_body(text="您好，{p1}停电。", parameters=named)
    made = mail.street.post("/sms-templates", body).json
    assert made["parameters"] == [{"name": "p1", "longest": 20, "fill": "campaign", "title": "停电时间"}]
    own = f"/admin/sms-templates/{made['template_id']}"
    street = clerk("street")
    assert "您好，<mark>停电时间</mark>停电。" in street.get(own).text
    begun = re.search(r'id="blanks">(.*?)</script>', street.get(f"{own}/edit").text)
    assert begun is not None
    assert json.loads(begun[1]) == made["parameters"]
    # Somebody who changes another word of it doesn't lose the name.
    changed = mail.street.patch(
        own.replace("/admin", "", 1), {"name": "停电的通知"}, headers={"If-Match": '"1"'}
    ).json
    assert changed["parameters"][0]["title"] == "停电时间"
    # One that nobody named is told apart by its number; what the page itself wrote into the text says nothing.
    other = mail.street.post(
        "/sms-templates", mail.template_body(text="您好，{p1}。", parameters=[{"name": "p1", "longest": 20}])
    ).json["template_id"]
    assert "您好，<mark>空白 1</mark>。" in street.get(f"/admin/sms-templates/{other}").text


def test_the_list_of_templates_shows_the_blanks_as_people_call_them(
    clerk: Callable[..., Clerk], mail: Mailroom
) -> None:
    blanks = [
        {"name": "estate", "longest": 20, "fill": "estate"},
        {"name": "p1", "longest": 9, "title": "时间"},
    ]
    mail.street.post("/sms-templates", mail.template_body(text="{estate}{p1}停水。", parameters=blanks))
    page = clerk("street").get("/admin/sms-templates").text
    assert "<mark>小区名</mark><mark>时间</mark>停水。" in page
    assert "{p1}" not in page


def test_blanks_that_a_changed_text_no_longer_has_are_gone(mail: Mailroom) -> None:
    drafted = mail.street.post("/sms-templates", mail.template_body()).get_json()
    path, tag = f"/sms-templates/{drafted['template_id']}", {"If-Match": f'"{drafted["version"]}"'}
    changed = mail.street.patch(path, {"text": "您好，明天停水。", "parameters": []}, headers=tag)
    assert (changed.status_code, changed.json["parameters"]) == (200, [])


def test_what_is_wrong_with_a_template_is_said_in_one_language(mail: Mailroom) -> None:
    answer = mail.street.post("/sms-templates", mail.template_body(text="您好"))
    assert answer.json["detail"] == "模板内容有误：空白与内容不一致。"


# --- how the vendors do --------------------------------------------------------------------------------------


def test_the_pages_say_how_the_vendors_do(
    desk: Clerk, clerk: Callable[..., Clerk], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.messaging import pulse

    states = {
        "aliyun": pulse.Pulse(calls=20, failed=0, p95_ms=300, share=1.0),
        "tencent": pulse.Pulse(calls=20, failed=9, p95_ms=4000, share=0.0),
    }
    monkeypatch.setattr(pulse, "pulses", lambda codes: {code: states[code] for code in codes})
    words = text_of(desk.get("/admin/providers/health", part=True))
    assert "阿里云短信 正常" in words
    assert "腾讯云短信 有故障，已转给别家" in words
    assert "有故障" in desk.get("/admin/campaigns").text
    assert "有故障" in clerk("street").get("/admin/providers").text
    monkeypatch.setattr(pulse, "pulses", lambda _: None)
    assert "暂时看不到" in desk.get("/admin/campaigns").text


def test_a_vendors_last_calls_are_read_from_what_the_workers_noted() -> None:
    from app.messaging import pulse
    from app.queue import redis
    from workers.pace import Pace

    redis().delete(f"{pulse.CALLS}nobody", pulse.STANDINGS)
    pace = Pace()
    for failed in (False, False, True):
        pace.end(pace.begin("nobody"), failed=failed)
    found = pulse.pulses(["nobody"])
    assert found is not None
    assert (found["nobody"].calls, found["nobody"].failed, found["nobody"].share) == (3, 1, 1.0)
    redis().delete(f"{pulse.CALLS}nobody")


# --- from other pages ----------------------------------------------------------------------------------------


def test_the_unread_of_a_notice_lead_to_the_wizard_with_it_chosen(
    desk: Clerk, mail: Mailroom, town: Town, resident: Callable[..., Person]
) -> None:
    mail.flats(1)
    mail.template()
    body = {"kind": "works", "title": "停水通知", "text": "周三停水。", "area_ids": [town.a.estate_id]}
    notice = mail.clerk.post("/notices", body).json["notice_id"]
    assert mail.clerk.post(f"/notices/{notice}/publish", headers={"If-Match": "*"}).status_code == 200
    mail.work()
    page = desk.get(f"/admin/notices/{notice}").text
    link = re.search(r'href="(/admin/campaigns/new\?type=notice_unread[^"]+)"', page)
    assert link is not None
    form = desk.get(link[1].replace("&amp;", "&")).text
    assert re.search(rf'value="{notice}"[^>]*checked', form)
    assert 'value="停水通知"' in form
    assert link[1] in desk.get(f"/admin/notices/{notice}/unread?estate_id={town.a.estate_id}").text


def test_ids_of_pages_are_those_of_the_json_face(mail: Mailroom, desk: Clerk) -> None:
    campaign = mail.draft()
    assert ids.decode_ref(Kind.CAMPAIGN, campaign)
    assert [one["campaign_id"] for one in mail.clerk.get("/campaigns").json["items"]] == re.findall(
        r'href="/admin/campaigns/(cmp_\w+)"', desk.get("/admin/campaigns").text
    )
