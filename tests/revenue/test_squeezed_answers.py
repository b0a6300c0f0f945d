"""Long answers of all faces are squeezed for whoever takes gzip; short ones, files and everybody else's are not."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.conftest import Caller, Person, Town
from tests.revenue.conftest import COST, INCOME, Books

PACKET = 1400
GZIP = {"Accept-Encoding": "gzip"}


def opened(answer: TestResponse) -> bytes:
    """What the client reads of it."""
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.headers["Vary"] == "Accept-Encoding"
    return gzip.decompress(answer.data)


def squeezed(who: Caller, path: str) -> TestResponse:
    """The answer for who takes gzip, which says the same as the other, in fewer bytes."""
    plain, short = who.get(path), who.get(path, headers=GZIP)
    assert plain.status_code == short.status_code == 200, plain.text
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == "Accept-Encoding"  # a cache between us must not give one for the other
    assert len(plain.data) > PACKET
    assert opened(short) == plain.data
    assert len(short.data) < len(plain.data) / 2
    return short


def weak(answer: TestResponse) -> str:
    tag = answer.headers["ETag"]
    assert tag.startswith('W/"')  # RFC 9110 §8.8.3: other bytes, the same meaning
    return tag


def test_the_first_screen_and_a_list_of_tickets(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    for _ in range(6):
        wang.report(town.a.estate_id)
    assert "Content-Encoding" not in wang.get("/me", headers=GZIP).headers  # one packet as it is
    squeezed(wang, "/tickets")
    tag = weak(squeezed(wang, "/home"))
    same = wang.get("/home", headers=GZIP | {"If-None-Match": tag})
    assert (same.status_code, same.data) == (304, b"")
    assert same.headers["ETag"] == tag
    assert "Content-Encoding" not in same.headers
    # What somebody got before, strong and whole, is still the same for a client that takes gzip now.
    whole = wang.get("/home").headers["ETag"]
    assert whole == tag.removeprefix("W/")
    assert wang.get("/home", headers=GZIP | {"If-None-Match": whole}).status_code == 304
    wang.report(town.a.estate_id)
    assert wang.get("/home", headers=GZIP | {"If-None-Match": tag}).status_code == 200


def test_published_revenue_also_from_what_is_kept(books: Books) -> None:
    for kind, lines in (("income", INCOME), ("cost", COST)):
        for name, years in lines.items():
            books.entered("2023-06-01", kind, name, int(float(str(years[0]).replace(",", "")) * 100))
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    path = f"{books.base}/summary?day_from=2023-01-01&day_to=2023-12-31&by=month"
    for _ in range(2):
        tag = weak(squeezed(books.reader, path))
        assert books.reader.get(path, headers=GZIP | {"If-None-Match": tag}).status_code == 304


def test_a_list_of_the_desk_and_a_change_by_the_weak_tag_of_what_it_saw(
    town: Town, resident: Callable[..., Person]
) -> None:
    desk = town.staff("community")
    for _ in range(4):
        resident().report(town.a.estate_id)
    squeezed(desk, "/tickets")

    body = {
        "kind": "open_affairs",
        "title": "公示",
        "text": "公共收益。" * 300,
        "area_ids": [town.a.estate_id],
    }
    notice = desk.post("/notices", body).json["notice_id"]
    path = f"/notices/{notice}"
    tag = weak(desk.get(path, headers=GZIP))
    changed = desk.patch(path, {"title": "改过"}, headers=GZIP | {"If-Match": tag})
    assert changed.status_code == 200, changed.text
    opened(changed)
    assert weak(changed) != tag
    stale = desk.patch(path, {"title": "再改"}, headers=GZIP | {"If-Match": tag})
    assert (stale.status_code, stale.json["code"]) == (412, "stale_version")


def test_a_retry_gets_the_first_answer_in_the_encoding_that_it_takes(town: Town) -> None:
    desk = town.staff("community")
    body = {
        "kind": "open_affairs",
        "title": "公示",
        "text": "公共收益。" * 300,
        "area_ids": [town.a.estate_id],
    }
    key = {"Idempotency-Key": "once-and-for-all"}
    first = desk.post("/notices", body, headers=key | GZIP)
    again = desk.post("/notices", body, headers=key)
    assert opened(first) == again.data
    assert opened(desk.post("/notices", body, headers=key | GZIP)) == again.data


@pytest.mark.parametrize(
    ("takes", "is_squeezed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("deflate, br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0, gzip;q=0.5", True),
        ("", False),
        (";;=,", False),
    ],
)
def test_what_a_client_takes_is_what_it_gets(visitor: Caller, takes: str, is_squeezed: bool) -> None:
    answer = visitor.get("/openapi/public.json", headers={"Accept-Encoding": takes})
    assert answer.status_code == 200
    assert ("Content-Encoding" in answer.headers) is is_squeezed
    assert b"openapi" in (opened(answer) if is_squeezed else answer.data)


def test_pictures_and_what_is_squeezed_already_stay_as_they_are(
    visitor: Caller, resident: Callable[..., Person], work: Callable[..., Any], town: Town
) -> None:
    wang = resident()
    photo = wang.photo()
    work()
    ticket = wang.report(town.a.estate_id, photo_ids=[photo])["ticket_id"]
    work()
    picture = visitor.get("/" + wang.ticket(ticket)["photos"][0]["url"].split("/", 3)[3], headers=GZIP)
    assert picture.status_code == 200
    assert picture.mimetype == "image/jpeg"
    assert "Content-Encoding" not in picture.headers


def test_a_page_of_the_console_is_squeezed_once(visitor: Caller) -> None:
    page = visitor.get("/admin/login", headers=GZIP | {"Accept": "text/html"})
    assert {part.strip() for part in page.headers["Vary"].split(",")} == {
        "HX-Request",
        "Cookie",
        "Accept-Encoding",
    }
    assert b"<html" in gzip.decompress(page.data)
