"""What needs no login shows nobody's data."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from app import ids
from app.ids import Ref
from app.media import links
from tests.conftest import Caller, Person, Town


def test_the_text_of_a_consent_can_be_read_before_logging_in(visitor: Caller) -> None:
    answer = visitor.get("/public/consents/photo_position/1")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert "30 天" in answer.text
    assert visitor.get("/public/consents/photo_position/2").status_code == 404


def test_a_link_to_a_photo_that_is_gone_or_never_was_shows_nothing(visitor: Caller, town: Town) -> None:
    for url in (
        links.to_photo(Ref(town.a.id, ids.new_id()), "full"),
        links.to_photo(Ref(2**32 - 1, uuid4()), "thumb"),
        links.to_upload(uuid4(), uuid4(), "full"),
    ):
        answer = visitor.get("/public" + url.partition("/public")[2])
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_the_placeholder_is_not_kept_by_anybody_and_the_picture_is(
    visitor: Caller, resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id, photo_ids=[wang.photo()])["ticket_id"]
    path = "/public" + wang.ticket(ticket_id)["photos"][0]["url"].partition("/public")[2]
    assert visitor.get(path).headers["Cache-Control"] == "no-store"
    work()
    shown = visitor.get(path)
    assert shown.headers["Cache-Control"] == "private, max-age=3600"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.content_type == "image/jpeg"
