"""What may be sent: templates with their kinds and parameters, providers, opt-outs, lists of numbers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.campaigns.mailroom import Mailroom, phone


def test_a_template_is_approved_by_a_second_person_and_then_fixed(mail: Mailroom) -> None:
    made = mail.street.post("/sms-templates", mail.template_body())
    at, tag = f"/sms-templates/{made.json['template_id']}", made.headers["ETag"]
    unapproved = mail.clerk.post("/campaigns", mail.body(made.json["template_id"]))
    assert (unapproved.status_code, unapproved.json["code"]) == (409, "template_not_approved")
    own = mail.street.post(f"{at}/approve")
    assert (own.status_code, own.json["code"]) == (403, "second_person_needed")
    assert mail.clerk.post(f"{at}/approve").status_code == 403
    kind = mail.street.patch(at, {"kind": "emergency"}, headers={"If-Match": tag})
    assert kind.status_code == 422
    assert mail.other_street.post(f"{at}/approve").json["state"] == "approved"
    late = mail.street.patch(at, {"text": "别的{what}"}, headers={"If-Match": "*"})
    assert (late.status_code, late.json["code"]) == (409, "template_fixed")
    assert mail.street.post(f"{at}/retire").json["state"] == "retired"
    assert mail.clerk.post("/campaigns", mail.body(made.json["template_id"])).status_code == 409


def test_who_rewrites_a_template_cannot_approve_it(mail: Mailroom) -> None:
    made = mail.street.post("/sms-templates", mail.template_body())
    at = f"/sms-templates/{made.json['template_id']}"
    changed = mail.other_street.patch(at, {"name": "停电通知"}, headers={"If-Match": made.headers["ETag"]})
    assert changed.status_code == 200
    assert mail.other_street.post(f"{at}/approve").status_code == 403
    assert mail.street.post(f"{at}/approve").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": "没有参数"},
        {"text": "您好{what}{who}"},
        {"text": "您好{what}{"},
        {"text": "【街道】{what}"},
        {"parameters": [{"name": "what", "longest": 5}, {"name": "what", "longest": 5}]},
        {"text": "{what}" * 20, "parameters": [{"name": "what", "longest": 100}]},
    ],
    ids=["a parameter too many", "one too few", "a stray brace", "a signature", "twice", "too long"],
)
def test_text_and_parameters_of_a_template_fit_together(mail: Mailroom, wrong: dict[str, Any]) -> None:
    answer = mail.street.post("/sms-templates", mail.template_body(**wrong))
    assert (answer.status_code, answer.json["code"]) == (422, "bad_template")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "template_parameter_missing"),
        ({"what": "  "}, "template_parameter_missing"),
        ({"what": "停" * 36}, "template_parameter_too_long"),
        ({"what": "看 https://a.cn/x"}, "url_in_parameter"),
        ({"what": "请上example.com查看"}, "url_in_parameter"),
        ({"what": "停水", "when": "明天"}, "template_parameter_unknown"),
    ],
)
def test_a_bad_parameter_is_named(mail: Mailroom, params: dict[str, str], code: str) -> None:
    answer = mail.clerk.post("/campaigns", mail.body(params=params))
    assert (answer.status_code, answer.json["code"]) == (422, code)
    assert all(field.startswith("params.") for field in answer.json["errors"])


def test_a_provider_is_changed_with_its_caps_and_their_source(mail: Mailroom) -> None:
    shown = {p["code"]: p for p in mail.clerk.get("/providers").get_json()["items"]}
    assert set(shown) == {"aliyun", "tencent"}
    assert all(cap["source"] and cap["as_of"] for p in shown.values() for cap in p["caps"])
    tencent = shown["tencent"]
    tag = {"If-Match": f'"{tencent["version"]}"'}
    assert mail.clerk.patch("/providers/tencent", {"weight": 20}, headers=tag).status_code == 403
    changed = mail.street.patch("/providers/tencent", {"weight": 20, "caps": tencent["caps"]}, headers=tag)
    assert (changed.status_code, changed.json["weight"], changed.json["caps"]) == (200, 20, tencent["caps"])
    assert mail.street.patch("/providers/tencent", {"weight": 30}, headers=tag).status_code == 412
    back = {"weight": tencent["weight"]}
    assert mail.street.patch("/providers/tencent", back, headers={"If-Match": "*"}).status_code == 200
    assert mail.street.patch("/providers/nobody", back, headers={"If-Match": "*"}).status_code == 404


def test_a_number_opts_out_and_in_again(mail: Mailroom) -> None:
    number = phone()
    assert mail.clerk.get("/opt-outs", query_string={"phone": number}).json["opted_out"] is False
    entered = mail.clerk.post("/opt-outs", {"phone": number}).get_json()
    assert (entered["opted_out"], entered["source"], entered["phone"]) == (
        True,
        "desk",
        f"{number[:3]}****{number[-4:]}",
    )
    assert mail.clerk.post("/opt-outs", {"phone": number}).json["at"] == entered["at"]
    assert mail.clerk.post("/opt-outs/withdraw", {"phone": number}).json["opted_out"] is False
    landline = mail.clerk.post("/opt-outs", {"phone": "02367890000"})
    assert (landline.status_code, landline.json["code"]) == (422, "not_a_mobile")


def test_rows_of_a_list_that_cannot_be_written_to_are_named_without_the_number(mail: Mailroom) -> None:
    good, landline = phone(), "02367890000"
    rows = [
        {"phone": good, "values": {"day": "周一"}},
        {"phone": f"+86 {good}"},
        {"phone": "12345"},
        {"phone": landline},
        {"phone": "138****0001"},
    ]
    sent = mail.clerk.post("/recipient-lists", {"name": "志愿者", "rows": rows})
    assert sent.status_code == 202, sent.text
    shown = mail.clerk.get(sent.json["status_url"].removeprefix("/admin/api/v1"))
    assert [(p["row"], p["code"]) for p in shown.json["problems"]] == [
        (2, "twice"),
        (3, "bad_phone"),
        (4, "not_a_mobile"),
        (5, "masked"),
    ]
    assert (shown.json["total"], shown.json["good"], shown.json["columns"]) == (5, 1, ["day"])
    assert good not in shown.text
    assert landline not in shown.text
    other = mail.town.staff("community", mail.town.b)
    assert other.get(f"/recipient-lists/{sent.json['job_id']}").status_code == 404
    nobody = mail.clerk.post("/recipient-lists", {"name": "空名单", "rows": [{"phone": "1"}]})
    assert (nobody.status_code, nobody.json["code"]) == (422, "no_valid_number")
    # The street has several communities, and has to say whose the list is.
    whose = mail.street.post("/recipient-lists", {"name": "志愿者", "rows": rows})
    assert (whose.status_code, whose.json["code"]) == (422, "community_needed")


def test_a_campaign_to_a_list_fills_each_text_from_its_row(mail: Mailroom) -> None:
    first, second, third = phone(), phone(), phone()
    rows = [
        {"phone": first, "values": {"day": "周一"}},
        {"phone": second, "values": {"day": "周二"}},
        {"phone": third},
    ]
    sent = mail.clerk.post("/recipient-lists", {"name": "志愿者", "rows": rows})
    template = mail.template(
        text="{what}安排在{day}。",
        parameters=[{"name": "what", "longest": 10}, {"name": "day", "longest": 4, "fill": "list"}],
    )
    audience = {"type": "list", "ids": [sent.json["job_id"]]}
    campaign = mail.draft(template, audience=audience, params={"what": "巡逻"})
    found = mail.preview(campaign)
    assert (found["recipients"], found["excluded"]) == (2, {"value_missing": 1})
    assert sorted(s["text"] for s in found["samples"]) == [
        "【寸滩街道】巡逻安排在周一。",
        "【寸滩街道】巡逻安排在周二。",
    ]
    # Tencent takes one set of parameters a call.
    calls = {p["code"]: p["numbers_per_call"] for p in found["providers"]}
    assert calls == {"aliyun": 100, "tencent": 1}
    mail.launched(campaign)
    assert mail.progress(campaign)["total"] == 2
