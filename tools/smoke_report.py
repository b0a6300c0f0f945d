"""Smoke steps: where I am, photographs, the one-tap report, and everything that must not become one."""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Callable
from typing import Any

from tools.smoke_contract import ESTATE, OPENED, OPTIONS, PHOTO, ROW, TICKET, Maybe, fits, page
from tools.smoke_http import Answer, Caller, check, same, together, until
from tools.smoke_photos import LAMP, gcj02, is_clean, read_jpeg, stands_at_lamp
from tools.smoke_world import Trouble, World, pages, query, refuses, revalidates

FORMATS = {"jpeg": "lamp.jpg", "heic": "lamp.heic", "png": "lamp.png"}


def _here() -> dict[str, Any]:
    """The lamp's position as wx.chooseLocation gives it."""
    lng, lat = gcj02(*LAMP)
    return {"lng": lng, "lat": lat, "crs": "gcj02", "accuracy_m": 15, "address": "路灯旁"}


def _token() -> str:
    return f"tap-{secrets.token_hex(8)}"


# --- places --------------------------------------------------------------------------------------------------


def places(world: World) -> None:
    """The estate at the lamp, by WeChat's position and by the photo's; by name; what can be reported."""
    wang = world.wang
    lng, lat = gcj02(*LAMP)
    answer = wang.get(query("/places/here", lng=lng, lat=lat, crs="gcj02"))
    world.estate = fits(answer.ok(), {"estate": ESTATE}, answer.where)["estate"]
    by_photo = wang.get(query("/places/here", lng=LAMP[0], lat=LAMP[1], crs="wgs84")).ok()
    same(by_photo["estate"], world.estate, "/places/here by the same lamp in WGS-84")
    beijing = wang.get(query("/places/here", lng=116.39, lat=39.9, crs="wgs84"))
    same(
        fits(beijing.ok(), {"estate": Maybe(ESTATE)}, beijing.where)["estate"], None, "/places/here far away"
    )
    for lng_, lat_ in (("NaN", "29.6"), ("Infinity", "29.6"), ("0", "0"), ("2.35", "48.85"), ("x", "29.6")):
        path = query("/places/here", lng=lng_, lat=lat_, crs="gcj02")
        refuses(lambda who, path=path: who.get(path), wang, 422)  # type: ignore[misc]
    refuses(lambda who: who.get(query("/places/here", lng=lng, lat=lat, crs="bd09")), wang, 422)

    name = world.estate["name"]
    found = fits(revalidates(wang, query("/estates", q=name)), page(ESTATE), "GET /bff/v1/estates")
    check(world.estate in found["items"], f"/estates?q={name}", world.estate, found["items"])
    same(wang.get(query("/estates", q="没有这个小区%_")).ok()["items"], [], "/estates of no such name")

    path = f"/report-options?estate_id={world.estate['estate_id']}"
    options = fits(revalidates(wang, path), OPTIONS, f"GET /bff/v1{path}")
    codes = [category["code"] for category in options["categories"]]
    check(len(set(codes)) == len(codes) and codes, path, "categories, each once", codes)
    numbers = {row["phone"] for row in options["emergency_numbers"]}
    check(numbers >= {"110", "119", "120"}, path, "emergency numbers", numbers)
    same(options["max_photos"], 9, f"{path} → max_photos")
    world.trouble = _trouble(options["categories"], path)
    lit = [c for c in options["categories"] if "灯" in c["name"] + c["hint"]]
    check(lit, path, "a category for a broken lamp", codes)
    world.category = lit[0]["code"]


def _trouble(categories: list[dict[str, Any]], path: str) -> Trouble:
    """Something broken, up to a hundred metres from the lamp."""
    fitting = [c for c in categories if "健身" in c["hint"] and c["needs_photo"] and not c["urgent"]]
    check(fitting, path, "a category for broken fitness equipment, with a photo, not urgent", categories)
    lng, lat = gcj02(*(at + (secrets.randbelow(2000) - 1000) * 1e-6 for at in LAMP))
    where = f"{secrets.randbelow(8) + 1}栋{secrets.randbelow(3) + 1}单元门口"
    location = {"lng": lng, "lat": lat, "crs": "gcj02", "accuracy_m": 15}
    return Trouble(fitting[0]["code"], where, location)


# --- photos --------------------------------------------------------------------------------------------------


def photos(world: World) -> None:
    """Three photographs as wx.uploadFile sends them; each link answers at once."""
    for form, name in FORMATS.items():
        world.uploads[form] = upload(world, world.wang, name)
    key = {"Idempotency-Key": f"photo-{secrets.token_hex(8)}"}
    first = world.wang.upload("/photos", "again.png", world.photos["lamp.png"], key)
    first.ok(201)
    again = world.wang.upload("/photos", "again.png", world.photos["lamp.png"], key)
    _same_bytes(first, again)
    other = world.wang.upload("/photos", "again.png", world.photos["lamp.jpg"], key)
    other.refused(422, "idempotency_key_reused")


def upload(world: World, who: Caller, name: str) -> dict[str, Any]:
    """Upload one photograph; its link already shows a picture that tells nothing."""
    answer = who.upload("/photos", name, world.photos[name])
    photo: dict[str, Any] = fits(answer.ok(201), PHOTO, f"{answer.where} of {name}")
    check(photo["status"] in {"processing", "ready"}, answer.where, "processing or ready", photo["status"])
    picture = world.visitor.get(path_of(photo["thumb_url"]))
    same(picture.status, 200, f"thumb_url of {name}, at once")
    same(picture.headers.get("Content-Type"), "image/jpeg", f"Content-Type of the thumb_url of {name}")
    read_jpeg(picture.body, f"thumb_url of {name}, at once")
    return photo


def path_of(url: str) -> str:
    """The path of an absolute URL of the site."""
    return "/" + url.split("/", 3)[3]


def thumbnails(world: World) -> None:
    """Behind the same links, the real pictures appear: upright, 320 px, nothing but pixels."""
    for form, photo in world.uploads.items():
        shown(world, photo["thumb_url"], 320, f"thumbnail of the {form}")


def shown(world: World, url: str, edge: int, what: str) -> bytes:
    """The picture behind a signed link once it is made; checks its size, that it stands upright and is clean."""
    answer = until(
        lambda: world.visitor.get(path_of(url)),
        # The placeholder may not be kept by anybody, the picture may.
        lambda found: found.status == 200 and "no-store" not in (found.headers.get("Cache-Control") or ""),
        f"the real {what}",
    )
    picture = is_clean(answer.body, what)
    same(max(picture.width, picture.height), edge, f"longer edge of the {what}")
    check(
        picture.height > picture.width,
        what,
        "upright (orientation applied)",
        f"{picture.width}×{picture.height}",
    )
    ratio = picture.height / picture.width
    check(abs(ratio - 4 / 3) < 0.02, what, "4:3", f"{picture.width}×{picture.height}")
    return answer.body


def bad_photos(world: World) -> None:
    """What is no photograph is refused with a reason, in both languages."""
    for name in ("truncated.jpg", "bomb.png", "empty.jpg", "text.jpg"):
        refuses(functools.partial(_upload, name=name, data=world.photos[name]), world.wang, (413, 415, 422))
    big = world.photos["lamp.jpg"] + bytes(10 * 1024 * 1024)
    refuses(functools.partial(_upload, name="big.jpg", data=big), world.wang, 413)
    refuses(lambda who: who.post("/photos", {"file": "no multipart"}), world.wang, (400, 415, 422))
    signed = path_of(world.uploads["jpeg"]["thumb_url"])
    for forged in (signed[:-4] + "AAAA", signed + "A", signed[: len(signed) // 2], "/public/v1/photos/x"):
        refuses(lambda who, forged=forged: who.get(forged), world.visitor, 404)  # type: ignore[misc]


def _upload(who: Caller, *, name: str, data: bytes) -> Answer:
    return who.upload("/photos", name, data)


# --- reports -------------------------------------------------------------------------------------------------


def bad_reports(world: World) -> None:
    """Each bad report gets a clear refusal and leaves nothing behind."""
    wang, place = world.wang, {"estate_id": world.estate["estate_id"]}
    photo = world.uploads["jpeg"]["photo_id"]
    foreign = world.li.upload("/photos", "mine.png", world.photos["lamp.png"]).ok(201)["photo_id"]
    cases: list[tuple[dict[str, Any], str | None]] = [
        ({"text": "灯坏了"}, "where"),
        ({"text": "灯坏了", "location": {"lng": 116.39, "lat": 39.9, "crs": "wgs84"}}, "where"),
        ({"text": "灯坏了", "location": {"lng": 2.35, "lat": 48.85, "crs": "wgs84"}}, None),
        ({"text": "灯坏了", "location": {"lng": "east", "lat": 29.6}}, None),
        ({**place}, "nothing_reported"),
        ({**place, "text": " \n "}, "nothing_reported"),
        ({**place, "text": "灯\0坏了"}, None),
        ({**place, "text": "灯" * 20_000}, None),
        ({**place, "text": 5}, None),
        ({**place, "text": "灯坏了", "category": "no-such-thing"}, "unknown_category"),
        ({**place, "text": "灯坏了", "estate_id": "est_nothing"}, None),
        ({**place, "text": "灯坏了", "photo_ids": [foreign]}, "photo_unknown"),
        ({**place, "text": "灯坏了", "photo_ids": [photo, photo]}, "photo_unknown"),
        ({**place, "text": "灯坏了", "photo_ids": ["upl_nothing"]}, None),
        ({**place, "text": "灯坏了", "surprise": 1}, None),
        ({**place, "text": "灯坏了", "contact_phone": "call me"}, None),
    ]
    for body, code in cases:
        said = refuses(_reporting(body), wang, 422, code)
        if code == "where":
            check(isinstance(said.get("estates"), list), "422 where", "her estates to choose from", said)
    refuses(lambda who: who.post("/tickets", {**place, "text": "没有编号"}), wang, 422)
    at = f'"text":"x","client_token":"{_token()}"'
    for raw in (
        f'{{"location":{{"lng":NaN,"lat":29.6}},{at}}}',
        f'{{"location":{{"lng":1e999,"lat":29.6}},{at}}}',
        f'{{"location":{{"lng":106.61,"lat":29.61}},{at}',
        "[]",
        "",
        "\udcff",
    ):
        data = raw.encode("utf-8", "surrogateescape")
        refuses(_sending(data), wang, (400, 422))
    same(wang.get("/tickets").ok()["items"], [], "tickets after nothing but bad reports")
    thumb = world.visitor.get(path_of(world.uploads["jpeg"]["thumb_url"]))
    same(thumb.status, 200, "the photo of a refused report is still there for the next try")


def _reporting(body: dict[str, Any]) -> Callable[[Caller], Answer]:
    return lambda who: who.post("/tickets", {**body, "client_token": _token()})


def _sending(data: bytes) -> Callable[[Caller], Answer]:
    headers = {"Content-Type": "application/json"}
    return lambda who: who.call("POST", "/tickets", raw=data, headers=headers)


def report(world: World) -> None:
    """One tap, felt as two: both get the same ticket; a repeat with its key gets the same bytes."""
    wang = world.wang
    body = {
        "location": _here(),
        "category": world.category,
        "text": f"路灯不亮，晚上看不清台阶（{world.suffix}）",
        "photo_ids": [photo["photo_id"] for photo in world.uploads.values()],
        "client_token": _token(),
    }
    taps = together(lambda: wang.post("/tickets", body), lambda: wang.post("/tickets", body))
    same(sorted(tap.status for tap in taps), [200, 201], "statuses of a double tap")
    opened = [fits(tap.json, OPENED, tap.where) for tap in taps]
    same(opened[0], opened[1], "both answers of a double tap")
    same(opened[0]["status"], "received", "status of a fresh ticket")
    world.ticket_id, world.ticket_number = opened[0]["ticket_id"], opened[0]["number"]
    for tap in taps:
        where = tap.header("Location")
        same(wang.get(path_of(where) if "://" in where else where).status, 200, f"Location {where}")
    times = opened[0]["promised"]
    check(
        times["accept_by"] < times["dispatch_by"] < times["close_by"],
        "promised",
        "one after the other",
        times,
    )

    key = {"Idempotency_Key": f"report-{secrets.token_hex(8)}"}
    first = wang.post("/tickets", body, **key)
    same(first.ok()["ticket_id"], world.ticket_id, "ticket of the same client_token")
    _same_bytes(first, wang.post("/tickets", body, **key))
    wang.post("/tickets", {**body, "text": "别的"}, **key).refused(422, "idempotency_key_reused")
    elsewhere = wang.post("/tickets", {**body, "location": None, "text": "别的", "photo_ids": []})
    same(
        elsewhere.ok()["ticket_id"], world.ticket_id, "ticket of the same client_token, whatever else is said"
    )
    other = {"Idempotency_Key": f"refused-{secrets.token_hex(8)}"}
    refused = wang.post("/tickets", {"text": "哪里", "client_token": _token()}, **other)
    refused.refused(422, "where")
    check(refused.json["estates"], "422 where", "the estate she reported in", refused.json)
    listed = wang.get("/tickets")
    rows = fits(listed.ok(), page(ROW), listed.where)["items"]
    same([row["ticket_id"] for row in rows], [world.ticket_id], "my tickets")
    world.told.append("ticket_received")


def _same_bytes(first: Answer, again: Answer) -> None:
    where = f"{first.where} with the same Idempotency-Key"
    same(again.status, first.status, f"{where}: status")
    same(again.body, first.body, f"{where}: body")
    for name in ("Location", "Content-Type"):
        same(again.headers.get(name), first.headers.get(name), f"{where}: {name}")


def my_ticket(world: World) -> None:
    """The ticket as she sees it: place in GCJ-02, photos before, timeline, clocks."""
    path = f"/tickets/{world.ticket_id}"
    ticket = fits(revalidates(world.wang, path), TICKET, f"GET /bff/v1{path}")
    stands_at_lamp(ticket["location"], f"{path} → location", 1.0)
    same(ticket["location"]["address"], _here()["address"], f"{path} → address")
    same(ticket["estate_name"], world.estate["name"], f"{path} → estate_name")
    same(ticket["category"], world.category, f"{path} → category")
    same(ticket["anonymous"], False, f"{path} → anonymous")
    same([event["kind"] for event in ticket["timeline"]], ["report"], f"{path} → timeline")
    uploaded = [photo["photo_id"] for photo in world.uploads.values()]
    same([photo["photo_id"] for photo in ticket["photos"]], uploaded, f"{path} → photos, in her order")
    same({photo["stage"] for photo in ticket["photos"]}, {"before"}, f"{path} → photos → stage")
    ready = until(
        lambda: world.wang.get(path).ok()["photos"],
        lambda found: all(photo["status"] == "ready" for photo in found),
        "all photos ready",
    )
    for form, photo in zip(FORMATS, ready, strict=True):
        shown(world, photo["url"], 1600, f"picture of the {form}")
        shown(world, photo["thumb_url"], 320, f"thumbnail of the {form} in the ticket")


def strangers(world: World) -> None:
    """Nobody else's ticket is there for her, whatever she does with it; nor one that doesn't exist."""
    ticket = world.ticket_id
    middle = len(ticket) // 2
    unknown = ticket[:middle] + ("a" if ticket[middle] != "a" else "b") + ticket[middle + 1 :]
    asks: list[Callable[[Caller, str], Answer]] = [
        lambda who, t: who.get(f"/tickets/{t}"),
        lambda who, t: who.post(f"/tickets/{t}/comments", {"text": "我看看"}),
        lambda who, t: who.post(f"/tickets/{t}/withdraw"),
        lambda who, t: who.post(f"/tickets/{t}/rating", {"stars": 1, "solved": False}),
        lambda who, t: who.post(f"/tickets/{t}/reopen", {"reason": "没修好"}),
    ]
    for ask in asks:
        refuses(functools.partial(_of, ask, ticket), world.li, 404, "not_found")
        ask(world.wang, unknown).refused(404, "not_found")
        ask(world.visitor_at("/bff/v1"), ticket).refused(401)
    for wrong in ("1", "tkt_", "tkt_" + "a" * 32, "..%2f", ticket.upper(), ticket + "a", world.resident_id):
        world.wang.get(f"/tickets/{wrong}").refused(404)
    same(world.li.get("/tickets").ok()["items"], [], "tickets of somebody else")
    check(
        world.ticket_number not in json.dumps(world.inbox(world.li)),
        "inbox of somebody else",
        "nothing",
        "it",
    )


def _of(ask: Callable[[Caller, str], Answer], ticket: str, who: Caller) -> Answer:
    return ask(who, ticket)


def wrong_ways(world: World) -> None:
    """Wrong methods and addresses, in every face."""
    for method, path, allowed in (
        ("DELETE", "/bff/v1/tickets", {"GET", "POST"}),
        ("GET", "/bff/v1/session/refresh", {"POST"}),
        ("PUT", f"/bff/v1/tickets/{world.ticket_id}", {"GET"}),
        ("PATCH", "/admin/api/v1/session", {"POST", "DELETE"}),
        ("POST", "/public/v1/photos/x", {"GET"}),
    ):
        answer = world.wang.call(method, path)
        answer.refused(405, "method_not_allowed")
        given = {word.strip() for word in answer.header("Allow").split(",")}
        check(given >= allowed, answer.where, f"Allow with {sorted(allowed)}", sorted(given))
    for path in ("/bff/v1/nothing", "/admin/api/v1/nothing", "/public/v1/nothing"):
        refuses(lambda who, path=path: who.get(path), world.wang, 404, "not_found")  # type: ignore[misc]
    world.wang.get("/tickets?status=lost").refused(422)
    world.wang.get("/tickets?cursor=nonsense").refused(422, "bad_cursor")
    world.wang.get("/tickets?limit=101").refused(422)
    world.wang.get("/tickets?limit=-1").refused(422)
    same(len(world.wang.get("/tickets?limit=100").ok()["items"]), 1, "my tickets, a hundred a page")


def withdrawn(world: World) -> None:
    """A report in words only, with an estate and without a position, taken back; then all my tickets by pages."""
    wang = world.wang
    body = {"estate_id": world.estate["estate_id"], "text": "垃圾桶满了", "client_token": _token()}
    ticket = wang.post("/tickets", body).ok(201)["ticket_id"]
    detail = wang.get(f"/tickets/{ticket}").ok()
    same(detail["location"], None, "location of a report without one")
    same(detail["photos"], [], "photos of a report without one")
    check("withdraw" in detail["can"], "can", "withdraw", detail["can"])
    key = {"Idempotency_Key": f"withdraw-{secrets.token_hex(8)}"}
    gone = wang.post(f"/tickets/{ticket}/withdraw", **key)
    same(fits(gone.ok(), TICKET, gone.where)["status"], "withdrawn", "status after withdrawing")
    _same_bytes(gone, wang.post(f"/tickets/{ticket}/withdraw", **key))
    said = refuses(lambda who: who.post(f"/tickets/{ticket}/withdraw"), wang, 409, "illegal_move")
    check(isinstance(said.get("allowed"), list), "409 illegal_move", "the allowed moves", said)
    mine = pages(wang, "/tickets", 1, lambda row: str(row["ticket_id"]))
    same(set(mine), {ticket, world.ticket_id, world.quiet_id}, "my tickets by pages of one")
    same(
        pages(wang, "/tickets?status=withdrawn", 1, lambda r: str(r["ticket_id"])),
        [ticket],
        "those withdrawn",
    )
