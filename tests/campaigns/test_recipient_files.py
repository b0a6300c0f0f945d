"""Lists of numbers as files, as offices keep them."""

from __future__ import annotations

import io
from typing import Any

import pytest
import xlsxwriter

from tests.campaigns.mailroom import Mailroom, phone
from tests.conftest import Caller


def sent_by(who: Caller, data: bytes, file_name: str = "名单.csv") -> Any:
    form = {"file": (io.BytesIO(data), file_name), "name": "志愿者"}
    return who.call("POST", "/recipient-lists/files", data=form, content_type="multipart/form-data")


def handed_in(mail: Mailroom, data: bytes, file_name: str = "名单.csv") -> Any:
    """The list once a worker has read its file."""
    sent = sent_by(mail.clerk, data, file_name)
    assert sent.status_code == 202, sent.text
    waiting = mail.clerk.get(f"/recipient-lists/{sent.json['job_id']}").get_json()
    assert (waiting["state"], waiting["total"]) == ("reading", 0)
    mail.work()
    return mail.clerk.get(f"/recipient-lists/{sent.json['job_id']}")


def workbook(rows: list[list[Any]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        page = book.add_worksheet("名单")
        for at, row in enumerate(rows):
            page.write_row(at, 0, row)
    return out.getvalue()


def test_rows_of_a_file_that_cannot_be_written_to_are_named_by_their_row(mail: Mailroom) -> None:
    good = phone()
    rows = [["二〇二六年志愿者名单"], ["姓名", "手机号", "day"], ["甲", good, "周一"], []]
    rows += [["乙", "12345", "周二"], ["丙", f"+86 {good}", "周三"], ["丁", "02367890000", ""]]
    shown = handed_in(mail, workbook(rows), "名单.xlsx")
    said = shown.get_json()
    assert [(p["row"], p["code"]) for p in said["problems"]] == [
        (5, "bad_phone"),
        (6, "twice"),
        (7, "not_a_mobile"),
    ]
    assert (said["state"], said["total"], said["good"], said["columns"]) == ("ready", 4, 1, ["day"])
    assert good not in shown.text


def test_a_file_of_bare_numbers_is_a_list_to_write_to(mail: Mailroom) -> None:
    phones = [phone() for _ in range(3)]
    said = handed_in(mail, "\r\n".join(phones).encode()).get_json()
    assert (said["state"], said["good"]) == ("ready", 3)
    campaign = mail.draft(audience={"type": "list", "ids": [said["list_id"]]})
    assert mail.preview(campaign)["recipients"] == 3


@pytest.mark.parametrize(
    ("data", "row", "code"),
    [
        ("姓名,房号\n甲,101\n".encode(), 0, "no_phone_column"),
        ("手机号\n12345\n".encode(), 2, "bad_phone"),
        (b"\n".join(b"13900000000" for _ in range(20_001)), 0, "too_many_rows"),
    ],
)
def test_a_file_without_numbers_fails_and_says_why(mail: Mailroom, data: bytes, row: int, code: str) -> None:
    said = handed_in(mail, data).get_json()
    assert (said["state"], said["good"], said["problems"][0]) == ("failed", 0, {"row": row, "code": code})
    body = mail.body(audience={"type": "list", "ids": [said["list_id"]]})
    refused = mail.clerk.post("/campaigns", body)
    assert (refused.status_code, refused.json["code"]) == (409, "list_not_ready")


def test_what_is_no_spreadsheet_or_nobodys_community_is_refused(mail: Mailroom) -> None:
    picture = sent_by(mail.clerk, b"\x89PNG\r\n\x1a\n\0\0")
    assert (picture.status_code, picture.json["code"]) == (422, "file_not_taken")
    whose = sent_by(mail.street, phone().encode())
    assert (whose.status_code, whose.json["code"]) == (422, "community_needed")
