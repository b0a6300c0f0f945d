"""Photos: what is taken and refused, what nobody may see in them, and how WeChat's verdict comes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from PIL import Image

from app import adapters, db, ids, outbox
from app.adapters.storage import ObjectMissing
from app.ids import Kind
from app.media import queries as media_queries
from app.media import service as media
from app.media.models import MediaCheck
from app.people import queries as people
from app.places.coordinates import Point, distance_m, to_gcj02, to_wgs84
from tests.conftest import Caller, Person, Town, camera, small_jpeg
from tools import pictures
from workers import jobs

LAMP = Point(pictures.LNG, pictures.LAT)


def fetch(caller: Caller, url: str) -> Any:
    return caller.client.get(urlsplit(url).path)


def files_of(photo_id: str) -> list[str]:
    """Which files of an upload lie in storage."""
    key = ids.decode_id(Kind.UPLOAD, photo_id)
    names = [media.incoming_key(key), *(media.stored_key(key, v) for v in media.EDGES)]
    found = []
    for name in names:
        try:
            adapters.storage().get(name)
        except ObjectMissing:
            continue
        found.append(name)
    return found


def staff_photo(town: Town, role: str, ticket_id: str) -> dict[str, Any]:
    answer = town.staff(role).get(f"/tickets/{ticket_id}")
    assert answer.status_code == 200, answer.text
    return answer.json["photos"][0]


# --- what is taken ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIC"])
def test_each_accepted_format_becomes_two_clean_jpegs(
    resident: Callable[..., Person], work: Callable[..., int], kind: str
) -> None:
    wang = resident()
    sent = wang.upload("/photos", camera(kind=kind), name="tmp.bin")
    assert sent.status_code == 201, sent.text
    assert sent.json["status"] == "processing"
    waiting = fetch(wang, sent.json["thumb_url"])
    assert (waiting.status_code, waiting.content_type) == (200, "image/jpeg")
    assert waiting.headers["Cache-Control"] == "no-store"
    work()
    ready = fetch(wang, sent.json["thumb_url"])
    assert ready.data != waiting.data
    with Image.open(BytesIO(ready.data)) as shown:
        assert shown.format == "JPEG"
        assert shown.size == (240, 320)  # stored sideways, shown upright
        assert not shown.getexif()
        assert not shown.info.get("exif")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("truncated.jpg", "photo_broken"),
        ("bomb.png", "photo_too_many_pixels"),
        ("empty.jpg", "photo_empty"),
        ("text.jpg", "photo_type"),
        ("moving.gif", "photo_type"),
    ],
)
def test_what_is_no_usable_photo_is_refused_at_once(
    resident: Callable[..., Person], name: str, code: str, owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    answer = wang.upload("/photos", pictures.bad_files(camera())[name], name="ok.jpg")
    assert (answer.status_code, answer.json["code"]) == (422, code)
    assert owner.execute("SELECT count(*) FROM uploads WHERE owner_id = %s", (wang.id,)).fetchone() == (0,)


def test_a_photo_above_ten_megabytes_is_refused(resident: Callable[..., Person]) -> None:
    answer = resident().upload("/photos", camera() + bytes(10 * 1024 * 1024))
    assert (answer.status_code, answer.json["code"]) == (422, "photo_too_large")


def test_a_photo_that_comes_in_lies_in_no_temporary_file(
    resident: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a picture with its position was written to a temporary file")

    monkeypatch.setattr("werkzeug.formparser.default_stream_factory", refuse)
    monkeypatch.setattr("werkzeug.wrappers.request.default_stream_factory", refuse)
    large = pictures.jpeg(pictures.scene(lit=False), pictures.exif())
    assert len(large) > 1_000_000

    taken = resident().upload("/photos", large)
    assert taken.status_code == 201, taken.text


def test_a_post_without_a_file_says_so(resident: Callable[..., Person]) -> None:
    wang = resident()
    for answer in (
        wang.post("/photos"),
        wang.post("/photos", data={"photo": (BytesIO(small_jpeg()), "x.jpg")}),
        wang.post("/photos", data={"file": "text"}),
    ):
        assert (answer.status_code, answer.json["code"]) == (422, "file_missing")


def test_a_picture_that_turns_out_broken_is_refused_later(
    resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    wang = resident()
    good = bytearray(camera(kind="PNG"))
    middle = len(good) // 2
    good[middle : middle + 40] = bytes(40)  # the header is right, the pixels are not
    sent = wang.upload("/photos", bytes(good))
    assert sent.status_code == 201, sent.text
    work()
    assert fetch(wang, sent.json["thumb_url"]).status_code == 404
    body = {"estate_id": town.a.estate_id, "photo_ids": [sent.json["photo_id"]], "client_token": uuid4().hex}
    answer = wang.post("/tickets", body)
    assert (answer.status_code, answer.json["code"]) == (422, "photo_refused")
    assert files_of(sent.json["photo_id"]) == []


# --- whose they are, and how long -----------------------------------------------------------------------


def test_a_photo_serves_its_owner_once(resident: Callable[..., Person], town: Town) -> None:
    wang, li = resident(), resident()
    photo, other = wang.photo(), wang.photo(camera())

    def report(person: Person, *photo_ids: str) -> Any:
        body = {"estate_id": town.a.estate_id, "photo_ids": list(photo_ids), "client_token": uuid4().hex}
        return person.post("/tickets", body)

    def is_unknown(answer: Any) -> bool:
        return (answer.status_code, answer.json["code"]) == (422, "photo_unknown")

    assert is_unknown(report(li, photo))
    assert is_unknown(report(wang, photo, photo))
    assert is_unknown(report(wang, photo, ids.encode(Kind.UPLOAD, uuid4())))
    assert report(wang, photo).status_code == 201  # nothing of the refused ones had taken it
    assert is_unknown(report(wang, photo))
    assert is_unknown(report(wang, other, photo))
    assert report(wang, other).status_code == 201


def test_a_ticket_takes_nine_photos_in_their_order(resident: Callable[..., Person], town: Town) -> None:
    wang = resident()
    photos = [wang.photo() for _ in range(10)]
    body = {"estate_id": town.a.estate_id, "photo_ids": photos, "client_token": uuid4().hex}
    answer = wang.post("/tickets", body)
    assert (answer.status_code, answer.json["code"]) == (422, "too_many_photos")
    opened = wang.report(town.a.estate_id, photo_ids=photos[8::-1])
    assert [p["photo_id"] for p in wang.ticket(opened["ticket_id"])["photos"]] == photos[8::-1]


def test_a_photo_that_nobody_attached_goes_after_a_day_with_its_files(
    resident: Callable[..., Person], town: Town, work: Callable[..., int], later: Callable[..., Any]
) -> None:
    wang = resident("wang")
    alone, used = wang.photo(), wang.photo()
    work()
    opened = wang.report(town.a.estate_id, photo_ids=[used])
    assert len(files_of(alone)) == 2  # the original has gone already
    later(hours=23)
    jobs.expire_uploads()
    work()
    assert len(files_of(alone)) == 2
    later(hours=2)
    jobs.expire_uploads()
    work()
    assert files_of(alone) == []
    assert len(files_of(used)) == 2
    wang = resident("wang")
    body = {"estate_id": town.a.estate_id, "photo_ids": [alone], "client_token": uuid4().hex}
    assert wang.post("/tickets", body).json["code"] == "photo_unknown"
    assert fetch(wang, wang.ticket(opened["ticket_id"])["photos"][0]["url"]).status_code == 200


# --- what nobody may see in them ------------------------------------------------------------------------


def test_nothing_that_can_be_downloaded_holds_where_or_with_what_it_was_taken(
    resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    wang = resident()
    wang.consent()
    for kind in ("JPEG", "PNG", "WEBP", "HEIC"):
        raw = camera(kind=kind)
        assert b"Sample Phone" in raw
        sent = wang.upload("/photos", raw)
        work()
        opened = wang.report(town.a.estate_id, photo_ids=[sent.json["photo_id"]])
        shown = wang.ticket(opened["ticket_id"])["photos"][0]
        for url in (sent.json["thumb_url"], shown["thumb_url"], shown["url"]):
            data = fetch(wang, url).data
            assert data.startswith(b"\xff\xd8\xff")
            for trace in (
                b"Exif",
                b"Sample Phone",
                b"Jiayuan",
                b"WGS-84",
                b"http://ns.adobe.com",
                b"2026:09:01",
            ):
                assert trace not in data
        original = media.incoming_key(ids.decode_id(Kind.UPLOAD, sent.json["photo_id"]))
        assert original not in files_of(sent.json["photo_id"])


def test_staff_see_when_it_was_taken_and_with_consent_street_and_community_see_where(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    wang.consent()
    opened = wang.report(town.a.estate_id, category="lighting", photo_ids=[wang.photo(camera())])
    ticket_id = opened["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch")
    for role in ("street", "community"):
        seen = staff_photo(town, role, ticket_id)
        assert seen["taken_at"] == "2026-09-01T20:15:00+08:00"
        there = to_wgs84(Point(seen["position"]["lng"], seen["position"]["lat"]))
        assert distance_m(there, LAMP) < 1
    for role in ("grid", "property"):
        seen = staff_photo(town, role, ticket_id)
        assert seen["taken_at"] == "2026-09-01T20:15:00+08:00"
        assert seen["position"] is None
    assert "position" not in wang.ticket(ticket_id)["photos"][0]


def test_without_consent_the_position_is_never_kept(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    opened = wang.report(town.a.estate_id, photo_ids=[wang.photo(camera())])
    assert staff_photo(town, "street", opened["ticket_id"])["position"] is None
    for table in ("uploads", "photos"):
        row = owner.execute(f"SELECT position_sealed FROM {table} WHERE owner_id = %s", (wang.id,)).fetchone()
        assert row == (None,)


def test_the_lamp_lies_at_one_place_by_its_picture_and_by_the_map(
    resident: Callable[..., Person], town: Town
) -> None:
    wang, lamp = resident(), town.a.centre
    wang.consent()
    chosen = to_gcj02(lamp)  # what wx.chooseLocation gives
    opened = wang.report(
        town.a.estate_id,
        photo_ids=[wang.photo(camera(lng=lamp.lng, lat=lamp.lat))],
        location={"lng": chosen.lng, "lat": chosen.lat, "crs": "gcj02"},
    )
    seen = town.staff("community").get(f"/tickets/{opened['ticket_id']}").json
    by_map, by_picture = (
        Point(p["lng"], p["lat"]) for p in (seen["location"], seen["photos"][0]["position"])
    )
    assert distance_m(by_map, by_picture) < 10
    assert distance_m(by_map, lamp) > 100  # or the test would not notice a forgotten conversion


@pytest.mark.parametrize("end", ["close", "reject", "withdraw"])
def test_where_it_was_taken_is_erased_thirty_days_after_the_end(
    resident: Callable[..., Person], town: Town, later: Callable[..., Any], end: str
) -> None:
    wang = resident("wang")
    wang.consent()
    photo = wang.photo(camera())
    ticket_id = wang.report(town.a.estate_id, category="noise", photo_ids=[photo])["ticket_id"]
    if end == "close":
        town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close")
    elif end == "reject":
        town.bring(ticket_id, "reject")
    else:
        assert wang.post(f"/tickets/{ticket_id}/withdraw").status_code == 200
    still_open = resident("wang").report(town.a.estate_id, photo_ids=[wang.photo(camera())])["ticket_id"]
    later(days=29)
    jobs.erase_positions()
    town.a.staff.clear()
    assert staff_photo(town, "street", ticket_id)["position"]
    later(days=2)
    jobs.erase_positions()
    town.a.staff.clear()
    assert staff_photo(town, "street", ticket_id)["position"] is None
    assert staff_photo(town, "street", still_open)["position"]


def test_a_reopened_ticket_keeps_where_it_was_taken(
    resident: Callable[..., Person], town: Town, later: Callable[..., Any]
) -> None:
    wang = resident("wang")
    wang.consent()
    ticket_id = wang.report(town.a.estate_id, category="noise", photo_ids=[wang.photo(camera())])["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close", "reopen")
    later(days=31)
    jobs.erase_positions()
    town.a.staff.clear()
    assert staff_photo(town, "street", ticket_id)["position"]


# --- links -----------------------------------------------------------------------------------------------


def test_a_link_is_the_same_all_hour_and_ends_after_two(
    resident: Callable[..., Person], town: Town, work: Callable[..., int], later: Callable[..., Any]
) -> None:
    wang = resident("wang")
    ticket_id = wang.report(town.a.estate_id, photo_ids=[wang.photo()])["ticket_id"]
    work()
    to_the_hour = 3600 - int(datetime.now().timestamp()) % 3600  # noqa: DTZ005
    later(seconds=to_the_hour + 5)
    wang = resident("wang")
    first = wang.ticket(ticket_id)["photos"][0]["url"]
    later(minutes=25)
    assert wang.ticket(ticket_id)["photos"][0]["url"] == first
    later(minutes=60)
    wang = resident("wang")
    assert wang.ticket(ticket_id)["photos"][0]["url"] != first
    assert fetch(wang, first).status_code == 200
    later(minutes=40)
    assert fetch(wang, first).status_code == 404


def test_a_link_that_was_altered_shows_nothing(
    resident: Callable[..., Person], visitor: Caller, town: Town, work: Callable[..., int]
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id, photo_ids=[wang.photo()])["ticket_id"]
    work()
    shown = wang.ticket(ticket_id)["photos"][0]
    prefix, _, signed = urlsplit(shown["thumb_url"]).path.rpartition("/")
    raw = base64.urlsafe_b64decode(signed + "=" * (-len(signed) % 4))
    assert visitor.get(f"{prefix}/{signed}").status_code == 200
    for n in range(len(raw)):
        bent = raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :]
        text = base64.urlsafe_b64encode(bent).rstrip(b"=").decode()
        assert visitor.get(f"{prefix}/{text}").status_code == 404, n
    for wrong in ("", "A", "A" * 64, signed[:-4], "%E4%B8%AD", "..%2f..%2fetc%2fpasswd"):
        assert visitor.get(f"{prefix}/{wrong}").status_code == 404


# --- WeChat's verdict ------------------------------------------------------------------------------------


def order_verdict(town: Town, suggest: str) -> None:
    town.house.order("media", suggest=suggest)


@pytest.fixture
def usual_verdict(town: Town) -> Any:
    yield
    order_verdict(town, "pass")


def state(town: Town, ticket_id: str) -> str:
    return str(staff_photo(town, "community", ticket_id)["check_state"])


@pytest.mark.parametrize(
    ("suggest", "becomes"), [("pass", "passed"), ("risky", "risky"), ("review", "review")]
)
@pytest.mark.usefixtures("usual_verdict")
def test_wechats_verdict_reaches_the_photo(
    resident: Callable[..., Person],
    town: Town,
    eventually: Callable[..., Any],
    suggest: str,
    becomes: str,
) -> None:
    order_verdict(town, suggest)
    wang = resident()
    ticket_id = wang.report(town.a.estate_id, photo_ids=[wang.photo(camera())])["ticket_id"]
    assert state(town, ticket_id) == "pending"
    eventually(lambda: state(town, ticket_id) != "pending")
    assert state(town, ticket_id) == becomes
    seen = town.staff("community").get(f"/tickets/{ticket_id}").json["photos"][0]
    if suggest == "risky":
        assert wang.ticket(ticket_id)["photos"] == []
        assert fetch(wang, seen["url"]).status_code == 404
    else:
        assert fetch(wang, wang.ticket(ticket_id)["photos"][0]["url"]).status_code == 200


@pytest.mark.usefixtures("usual_verdict")
def test_a_verdict_before_attaching_holds_for_the_ticket(
    resident: Callable[..., Person],
    town: Town,
    eventually: Callable[..., Any],
    owner: psycopg.Connection[Any],
) -> None:
    order_verdict(town, "risky")
    wang = resident()
    photo = wang.photo(camera())
    sql = "SELECT check_state FROM uploads WHERE owner_id = %s AND check_state <> 'pending'"
    assert eventually(lambda: owner.execute(sql, (wang.id,)).fetchone()) == ("risky",)
    ticket_id = wang.report(town.a.estate_id, photo_ids=[photo])["ticket_id"]
    assert state(town, ticket_id) == "risky"
    assert wang.ticket(ticket_id)["photos"] == []


@pytest.mark.usefixtures("usual_verdict")
def test_a_verdict_that_comes_before_its_question_is_recorded_still_counts(
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    eventually: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order_verdict(town, "none")
    wang = resident()
    asked: dict[str, str] = {}
    real = adapters.wechat().check_media

    def is_hers(openid: str) -> bool:  # another test may have left a question that is due as well
        with db.reading():
            holder = people.resident_id_by_openid(openid)
        return holder == ids.decode_id(Kind.RESIDENT, wang.get("/me").json["id"])

    def check_media(*, openid: str, media_url: str) -> str:
        trace_id = real(openid=openid, media_url=media_url)
        if not asked and is_hers(openid):
            asked["trace"] = trace_id
            fields = {
                "appid": "wxsandbox0000001",
                "trace_id": trace_id,
                "version": 2,
                "errcode": 0,
                "result": {"suggest": "risky", "label": "20002"},
            }
            town.house.order("push", name=wang.name, event="wxa_media_check", fields=fields)
            apply_now()
        return trace_id

    def apply_now() -> None:
        with db.reading():
            due = outbox.due_everywhere()
        for community_id, on in due:
            jobs.drain(community_id, on)

    monkeypatch.setattr(adapters.wechat(), "check_media", check_media)
    ticket_id = wang.report(town.a.estate_id, photo_ids=[wang.photo(camera())])["ticket_id"]
    eventually(lambda: state(town, ticket_id) == "risky")
    assert asked


@pytest.mark.usefixtures("usual_verdict")
def test_without_a_verdict_for_an_hour_wechat_is_asked_again_and_then_a_person(
    resident: Callable[..., Person],
    town: Town,
    work: Callable[..., int],
    later: Callable[..., Any],
    owner: psycopg.Connection[Any],
) -> None:
    order_verdict(town, "none")
    wang = resident("wang")
    ticket_id = wang.report(town.a.estate_id, photo_ids=[wang.photo(camera())])["ticket_id"]
    elsewhere = town.staff("community", town.b)

    def rounds() -> list[int]:
        rows = owner.execute("SELECT round FROM media_checks WHERE owner_id = %s ORDER BY 1", (wang.id,))
        return [n for (n,) in rows]

    def queue(staff: Caller) -> list[dict[str, Any]]:
        answer = staff.get("/photos/review")
        assert answer.status_code == 200, answer.text
        return answer.json["items"]

    work()
    assert rounds() == [1]
    later(minutes=59)
    jobs.ask_verdicts()
    work()
    assert rounds() == [1]
    later(minutes=2)
    jobs.ask_verdicts()
    work()
    assert rounds() == [1, 2]
    assert state(town, ticket_id) == "pending"
    later(minutes=61)
    jobs.ask_verdicts()
    work()
    assert rounds() == [1, 2]
    assert state(town, ticket_id) == "review"

    desk = town.staff("community")
    (waiting,) = queue(desk)
    assert waiting["ticket_id"] == ticket_id
    assert queue(elsewhere) == []
    path = f"/photos/{waiting['photo_ref']}/verdict"
    assert elsewhere.post(path, {"passed": True}).status_code == 404
    assert town.staff("property").post(path, {"passed": True}).status_code == 403
    assert desk.post(path, {"passed": False}).json["check_state"] == "risky"
    again = desk.post(path, {"passed": True})
    assert (again.status_code, again.json["code"]) == (409, "not_in_review")
    assert queue(desk) == []
    wang = resident("wang")
    assert wang.ticket(ticket_id)["photos"] == []


def test_after_photos_of_staff_need_no_verdict(resident: Callable[..., Person], town: Town) -> None:
    ticket_id = resident().report(town.a.estate_id, category="noise")["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start")
    handler = town.staff("property")
    file_id = handler.upload("/files", camera()).json["file_id"]
    body = {"note": "已处理", "photo_ids": [file_id]}
    resolved = handler.post(f"/tickets/{ticket_id}/resolve", body).json
    (photo,) = resolved["photos"]
    assert (photo["stage"], photo["check_state"], photo["position"]) == ("after", "passed", None)
    # Where a repair was photographed is for those who check it.
    assert staff_photo(town, "street", ticket_id)["position"] is not None


def test_withdrawing_the_consent_erases_the_positions_kept_so_far(
    resident: Callable[..., Person], town: Town, owner: psycopg.Connection[Any]
) -> None:
    wang = resident()
    wang.consent()
    opened = wang.report(town.a.estate_id, photo_ids=[wang.photo(camera())])
    wang.photo(camera())
    assert staff_photo(town, "street", opened["ticket_id"])["position"] is not None
    me = wang.get("/me").json
    withdrawn = {"key": "photo_position", "version": 1, "granted": False}
    answer = wang.patch("/me", {"consents": [withdrawn]}, headers={"If-Match": f'"{me["version"]}"'})
    assert answer.status_code == 200
    assert staff_photo(town, "street", opened["ticket_id"])["position"] is None
    for table in ("uploads", "photos"):
        rows = owner.execute(
            f"SELECT position_sealed FROM {table} WHERE owner_id = %s", (wang.id,)
        ).fetchall()
        assert rows
        assert set(rows) == {(None,)}


def test_a_verdict_after_its_hour_still_counts_while_nobody_has_decided(
    resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    upload_id = ids.decode_id(Kind.UPLOAD, wang.photo())
    trace = uuid4().hex
    with db.transaction():
        media.check_asked(owner_id=wang.id, upload_id=upload_id, trace_id=trace, nth=2)
    with db.transaction() as session:
        check = session.get_one(MediaCheck, trace)
        check.settled_at, check.suggest = check.asked_at, "none"
    with db.transaction():
        media.verdict(trace_id=trace, suggest="risky")
    with db.reading():
        upload = media_queries.upload_of(wang.id, upload_id)
    assert upload is not None
    assert upload.check_state == "risky"
