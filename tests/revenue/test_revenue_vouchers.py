"""Behind every line its voucher: what is personal covered for good, and nothing but pixels in the public file."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from PIL import Image, ImageDraw

from tests.conftest import House, pictures, small_jpeg
from tests.memberships.conftest import paper
from tests.revenue.conftest import Books
from workers import drawings
from workers.drawings import Undrawable

BOX = {"page": 1, "x": 2500, "y": 2500, "width": 2500, "height": 1250}
RED, BLUE = (255, 0, 0), (0, 0, 255)


def scan(secret: tuple[int, int, int], *, kind: str = "JPEG", tags: bool = True) -> bytes:
    """A page with something personal in the middle of it, of a phone that tells where it was taken."""
    size = (1601, 1203)
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for at in range(0, size[0], 40):
        draw.line((at, 0, at, size[1]), fill=(200, 200, 200))
    # As far inside the box as a JPEG smears: 16 pixels.
    draw.rectangle((size[0] * 0.28, size[1] * 0.28, size[0] * 0.47, size[1] * 0.345), fill=secret)
    out = io.BytesIO()
    more: dict[str, Any] = {"exif": pictures.exif()} if tags and kind != "PDF" else {}
    page.save(out, kind, **more)
    return out.getvalue()


def brightest(picture: Image.Image) -> int:
    """Of its grey pixels."""
    return max(picture.convert("L").tobytes())


def cover(books: Books, draft: dict[str, Any], file_id: str, *boxes: dict[str, Any]) -> Any:
    return books.clerk.post(
        f"/revenue/entries/{draft['entry_id']}/vouchers/{file_id}/public", {"boxes": list(boxes)}
    )


def fetch(house: House, url: str) -> Any:
    return house.app.test_client().get(urlsplit(url).path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "PDF"])
def test_no_pixel_under_a_box_gets_into_the_public_file(kind: str) -> None:
    # Two papers that differ under the box alone become one and the same file, byte for byte: nothing is left to be
    # read from it, in no pixel, no ringing beside the box, no thumbnail and no tag.
    boxes = [[1, 2500, 2500, 2500, 1250]]
    papers = [scan(colour, kind=kind, tags=False) for colour in (RED, BLUE)]
    one, other = (drawings.pages(data, kind.lower(), boxes)[0].data for data in papers)
    assert one == other
    bare, also = (drawings.pages(data, kind.lower(), [])[0].data for data in papers)
    assert bare != also


def test_the_public_file_is_pixels_and_nothing_else() -> None:
    (page,) = drawings.pages(scan(RED), "jpeg", [[1, 2500, 2500, 2500, 1250]])
    assert (page.width, page.height) == (1203, 1601) or (page.width, page.height) == (1601, 1203)
    assert b"Exif" not in page.data
    assert b"http" not in page.data
    picture = Image.open(io.BytesIO(page.data))
    assert not picture.getexif()
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("kind", ["PNG", "PDF"])
def test_what_a_box_covers_is_dark_and_the_rest_stays(kind: str) -> None:
    (page,) = drawings.pages(scan(RED, kind=kind), kind.lower(), [[1, 2500, 2500, 2500, 1250]])
    picture = Image.open(io.BytesIO(page.data)).convert("RGB")
    width, height = picture.size
    turned = width < height  # the phone held it sideways
    assert not turned or kind == "PNG"
    box = (width // 4 + 1, height // 4 + 1, width // 2 - 1, height * 3 // 8 - 1)
    covered = picture.crop(box)
    assert brightest(covered) < 64
    assert brightest(picture.crop((width - 60, height - 60, width, height))) > 200


def test_a_page_that_cannot_be_drawn_is_told_apart() -> None:
    for data in (b"%PDF-1.7\n%%EOF\n", b"%PDF-1.4\n" + b"A" * 5000 + b"\n%%EOF\n"):
        with pytest.raises(Undrawable, match="unreadable"):
            drawings.pages(data, "pdf", [])
    with pytest.raises(Undrawable, match="unreadable"):
        drawings.pages(small_jpeg()[:400], "jpeg", [])
    many = io.BytesIO()
    Image.new("L", (20, 20)).save(
        many, "PDF", save_all=True, append_images=[Image.new("L", (20, 20)) for _ in range(20)]
    )
    with pytest.raises(Undrawable, match="too_many_pages"):
        drawings.pages(many.getvalue(), "pdf", [])
    with pytest.raises(Undrawable, match="too_slow"):
        drawings.pages(small_jpeg(), "jpeg", [], patience_s=0.0)


def test_every_line_opens_to_its_vouchers(books: Books, house: House, work: Callable[..., int]) -> None:
    file_id = paper(books.clerk, scan(RED, kind="PDF"))
    draft = books.entered("2023-02-01", "cost", "停车人工", 960_000, file_ids=[file_id])
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    early = books.clerk.post(f"/revenue/periods/{period}/submit")
    assert (early.status_code, early.json["code"]) == (409, "vouchers_not_ready")
    assert early.json["entries"] == [draft["entry_id"]]
    path = f"/revenue/entries/{draft['entry_id']}/vouchers/{file_id}/public"
    assert books.clerk.get(path).status_code == 404
    for bad in ({**BOX, "x": 9000}, {**BOX, "page": 0}, {**BOX, "width": 1.5}):
        assert cover(books, draft, file_id, bad).status_code == 422
    assert books.desk.post(path, {"boxes": []}).status_code == 403
    asked = cover(books, draft, file_id, BOX)
    assert (asked.status_code, asked.json["state"], asked.json["pages"]) == (202, "making", [])
    books.go(period, "submit", "review")
    unmade = books.bookkeeper.post(f"/revenue/periods/{period}/publish")
    assert unmade.json["code"] == "vouchers_not_ready"
    work()
    assert books.clerk.get(path).json["state"] == "ready"
    frozen = cover(books, draft, file_id)
    assert frozen.json["code"] == "revenue_draft_frozen"
    books.go(period, "publish")
    shown = books.reader.get(f"/revenue/entries/{draft['entry_id']}").get_json()
    (public,) = shown["public_files"]
    assert (public["file_id"], public["is_shown"]) == (file_id, True)
    page = fetch(house, public["pages"][0]["url"])
    assert (page.status_code, page.content_type) == (200, "image/jpeg")
    picture = Image.open(io.BytesIO(page.data)).convert("RGB")
    assert picture.size == (public["pages"][0]["width"], public["pages"][0]["height"])
    red, green, _ = picture.resize((200, 150)).split()
    assert not any(r > 150 and g < 90 for r, g in zip(red.tobytes(), green.tobytes(), strict=True))
    forged = public["pages"][0]["url"][:-2] + "AA"
    assert fetch(house, forged).status_code == 404


def test_more_is_covered_after_publication_and_never_less(
    books: Books, house: House, work: Callable[..., int], owner: psycopg.Connection[Any]
) -> None:
    file_id = paper(books.clerk, scan(RED, kind="PNG"))
    draft = books.entered("2023-02-01", "cost", "停车人工", 960_000, file_ids=[file_id])
    cover(books, draft, file_id, BOX)
    work()
    books.go(books.begin(first_day="2023-01-01", opening_fen=0))
    line = f"/revenue/lines/{draft['entry_id']}/vouchers/{file_id}/public"
    assert books.clerk.post(line, {"boxes": []}).status_code == 403
    before = books.reader.get(f"/revenue/entries/{draft['entry_id']}").json["public_files"][0]["pages"][0]
    more = {"page": 1, "x": 0, "y": 0, "width": 1000, "height": 1000}
    again = books.desk.post(line, {"boxes": [more]})
    assert again.json["boxes"] == [BOX, more]
    hidden = books.reader.get(f"/revenue/entries/{draft['entry_id']}").json["public_files"]
    assert hidden == [{"file_id": file_id, "is_shown": False, "pages": []}]
    assert fetch(house, before["url"]).status_code == 404  # an old link doesn't show the old page
    work()
    page = fetch(house, before["url"])
    assert brightest(Image.open(io.BytesIO(page.data)).crop((0, 0, 40, 40))) < 64
    assert books.read("chain")["broken_at"] is None


def test_a_scan_of_a_contract_is_public_once_it_is_drawn(
    books: Books, house: House, work: Callable[..., int]
) -> None:
    file_id = paper(books.clerk, scan(RED, kind="PDF"))
    body = {
        "category_id": books.category("income", "电梯广告"),
        "number": "GG-01",
        "party": "某公司",
        "subject": "广告",
        "starts_on": "2023-01-01",
        "ends_on": "2023-12-31",
        "price_fen": 1000,
        "rhythm": "year",
        "file_ids": [file_id],
    }
    contract = books.clerk.post(f"{books.base}/contracts", body).json["contract_id"]
    assert books.read("contracts")["items"][0]["scans"] == []
    kept = books.clerk.get(f"/revenue/contracts/{contract}/scans").json["items"]
    assert [one["file_id"] for one in kept] == [file_id]
    path = f"/revenue/contracts/{contract}/scans/{file_id}/public"
    assert books.clerk.post(path, {"boxes": [BOX]}).status_code == 202
    work()
    assert books.clerk.get(path).json["state"] == "ready"
    (shown,) = books.read("contracts")["items"][0]["scans"]
    assert fetch(house, shown["pages"][0]["url"]).status_code == 200


def test_a_dropped_draft_takes_its_public_file_along(
    books: Books, house: House, work: Callable[..., int]
) -> None:
    file_id = paper(books.clerk, scan(RED, kind="PNG"))
    draft = books.entered("2023-02-01", "cost", "停车人工", 960_000, file_ids=[file_id])
    cover(books, draft, file_id)
    work()
    path = f"/revenue/entries/{draft['entry_id']}"
    url = books.clerk.get(f"{path}/vouchers/{file_id}/public").json["pages"][0]["url"]
    assert fetch(house, url).status_code == 200
    assert books.clerk.delete(path, headers={"If-Match": "*"}).status_code == 204
    work()
    assert fetch(house, url).status_code == 404


def test_a_paper_that_cannot_be_drawn_says_why(books: Books, work: Callable[..., int]) -> None:
    file_id = paper(books.clerk)  # a PDF without a page
    draft = books.entered("2023-02-01", "income", "停车", 100, file_ids=[file_id])
    cover(books, draft, file_id)
    work()
    said = books.clerk.get(f"/revenue/entries/{draft['entry_id']}/vouchers/{file_id}/public").get_json()
    assert (said["state"], said["problem"]) == ("failed", "unreadable")
    assert said["reason"]
    period = books.begin(first_day="2023-01-01", opening_fen=0)
    assert books.clerk.post(f"/revenue/periods/{period}/submit").json["code"] == "vouchers_not_ready"
