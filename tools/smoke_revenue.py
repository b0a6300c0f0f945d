"""Smoke steps: an estate's ledger is imported, a voucher covered, a year published, read, doubted, corrected."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from tools import smoke_registry
from tools.smoke_contract import Bool, Count, Id, Int, Maybe, Text, Url, fits
from tools.smoke_desk import Desk
from tools.smoke_http import Caller, Deviation, check, multipart, same, until
from tools.smoke_world import World, refuses

PERIOD = {
    "period_id": Id,
    "state": Text,
    "closing_fen": Maybe(Int),
    "hash": Maybe(Text),
    "lines": Maybe(Count),
}
BUCKET = {
    "label": Text,
    "opening_fen": Int,
    "income_fen": Int,
    "cost_fen": Int,
    "net_fen": Int,
    "closing_fen": Int,
}
PUBLIC = {
    "file_id": Id,
    "is_shown": Bool,
    "pages": [{"page": Count, "width": Count, "height": Count, "url": Url}],
}
YEAR = date.today().year - 2  # noqa: DTZ011 - a whole year that is over, wherever the clock stands


@dataclass
class Revenue:
    """The books of an estate of this run."""

    clerk: Caller = field(init=False)
    desk: Caller = field(init=False)
    street: Caller = field(init=False)
    owner: Caller = field(init=False)
    register: smoke_registry.Registry = field(default_factory=smoke_registry.Registry)
    estate: str = ""
    period: str = ""
    voucher: str = ""
    entry: str = ""

    @property
    def base(self) -> str:
        """Of the estate's books."""
        return f"/estates/{self.estate}/revenue"


def _estate(world: World, desk: Desk, books: Revenue) -> None:
    """An estate of this run, kept by a property company of the demonstration, with one house and its owner."""
    for clerk in world.staff.of("community"):
        if clerk.get(f"/estates/{world.estate['estate_id']}/houses").status == 200:
            books.desk = clerk
            break
    else:
        raise Deviation("expected a community desk that governs the estate, got none")
    books.street = desk.street
    where = books.desk.get(f"/areas/{world.estate['estate_id']}").ok()
    for clerk in world.staff.of("property"):
        scopes = clerk.get("/me").ok()["scopes"]
        if clerk.get(f"/estates/{world.estate['estate_id']}/revenue/settings").status == 200:
            books.clerk, org = clerk, scopes[0]["org_id"]
            break
    else:
        raise Deviation("expected a property company that keeps the estate, got none")
    body = {
        "community_id": where["governed_by"],
        "name": f"账目小区{world.suffix}",
        "location": {name: where["location"][name] for name in ("lng", "lat", "crs")},
    }
    books.estate = books.desk.post("/areas", body).ok(201)["estate_id"]
    keeps = {"community_id": where["governed_by"], "estate_id": books.estate}
    books.desk.post(f"/orgs/{org}/responsibilities", keeps).ok()
    smoke_registry.load_file(books.desk, books.register.register("张三"), books.estate)
    books.owner = smoke_registry.person(world, "books-owner", books.register.phones[0])
    path = f"/estates/{books.estate}/houses?building={books.register.building}&room=101"
    home = smoke_registry.listed(books.desk, path)[0]["house_id"]
    smoke_registry.ask_to_bind(books.owner, home, "张三").ok(201)


def _ledger() -> bytes:
    rows = [
        "日期,类型,科目,金额（元）,对方单位,摘要",
        f'{YEAR}-01-20,收入,停车,"312,600.00",停车场,一年停车费',
        f"{YEAR}年6月30日,收入,电梯广告,86400,某广告公司,",
        f"{YEAR}-12-31,成本,税金,17225.70,税务局,",
    ]
    return ("\r\n".join(rows) + "\r\n").encode("gb18030")


def _import(books: Revenue, data: bytes) -> dict[str, Any]:
    kind, body = multipart({"makes_categories": "true"}, "台账.csv", data)
    answer = books.clerk.call("POST", f"{books.base}/imports", raw=body, headers={"Content-Type": kind})
    job = fits(answer.ok(202), {"job_id": Id, "status_url": Text}, answer.where)
    return until(
        lambda: books.clerk.get(f"/revenue/imports/{job['job_id']}").ok(),
        lambda seen: seen["state"] not in {"reading", "applying"},
        "a ledger that is read",
        60,
    )


def load(world: World, desk: Desk, books: Revenue) -> None:
    """Rules, then a ledger: a formula is named and nothing is entered, a good one is entered, and only once."""
    _estate(world, desk, books)
    rules = {
        "valid_from": f"{YEAR}-01-01",
        "split_bp": 7000,
        "rounding": "half_even",
        "rhythm": "year",
        "keeper": "committee",
        "keeper_name": "业委会专户",
        "basis": "业主大会决定",
    }
    refuses(lambda who: who.post(f"{books.base}/settings", rules), books.clerk, 403)
    books.street.post(f"{books.base}/settings", rules).ok(201)
    bad = _import(books, _ledger().replace(b"17225.70", b"=A1*2"))
    same([(p["row"], p["column"], p["code"]) for p in bad["problems"]], [(4, "D", "formula")], "a formula")
    seen = _import(books, _ledger())
    sums = {"income": 39_900_000, "cost": 1_722_570, "use": 0, "fund": 0}
    same((seen["state"], seen["new"], seen["sums_fen"]), ("previewed", 3, sums), "the preview")
    path = f"/revenue/imports/{seen['import_id']}"
    books.clerk.post(f"{path}/apply", {}).ok(202)
    until(
        lambda: books.clerk.get(path).ok(),
        lambda now: now["state"] == "applied",
        "a ledger that is entered",
        60,
    )
    again = _import(books, _ledger())
    same((again["new"], again["bad"]), (0, 3), "the same ledger again")


def review(world: World, _: Desk, books: Revenue) -> None:
    """A voucher with something personal is covered and drawn anew; a second person reviews; the street publishes."""
    first = {"first_day": f"{YEAR}-01-01", "opening_fen": 4_825_030, "opening_note": "街道核定"}
    books.period = books.clerk.post(f"{books.base}/periods", first).ok(201)["period_id"]
    kind, body = multipart({"purpose": "evidence"}, "发票.jpg", next(iter(world.photos.values())))
    file_id = books.clerk.call("POST", "/files", raw=body, headers={"Content-Type": kind}).ok(201)["file_id"]
    category = next(
        c["category_id"]
        for c in books.clerk.get(f"{books.base}/categories").ok()["items"]
        if c["name"] == "税金"
    )
    entry = {"day": f"{YEAR}-12-30", "kind": "cost", "amount_fen": 1_000, "category_id": category}
    for wrong in (0, -1, "1e5", 10**13):
        refuses(
            lambda who, wrong=wrong: who.post(f"{books.base}/entries", entry | {"amount_fen": wrong}),  # type: ignore[misc]
            books.clerk,
            422,
        )
    made = books.clerk.post(f"{books.base}/entries", entry | {"file_ids": [file_id]}).ok(201)
    books.entry, books.voucher = made["entry_id"], file_id
    step = f"/revenue/periods/{books.period}"
    refuses(lambda who: who.post(f"{step}/submit"), books.clerk, 409, "vouchers_not_ready")
    public = f"/revenue/entries/{books.entry}/vouchers/{file_id}/public"
    box = {"page": 1, "x": 1000, "y": 1000, "width": 3000, "height": 1000}
    books.clerk.post(public, {"boxes": [box]}).ok(202)
    until(
        lambda: books.clerk.get(public).ok(),
        lambda now: now["state"] == "ready",
        "a voucher that is drawn",
        120,
    )
    books.clerk.post(f"{step}/submit").ok()
    refuses(lambda who: who.post(f"{step}/review", {"passed": True}), books.clerk, 403)
    refuses(lambda who: who.post(f"{step}/publish"), books.street, 409, "illegal_period_move")
    books.desk.post(f"{step}/review", {"passed": True}).ok()
    published = books.street.post(f"{step}/publish")
    done = fits(published.ok(), PERIOD, published.where)
    same((done["state"], done["lines"]), ("published", 5), "the published year")
    refuses(lambda who: who.post(f"{step}/publish"), books.street, 409, "already_published")


def browse(world: World, _: Desk, books: Revenue) -> None:
    """Anybody reads the figures to the fen, every total opens to its lines and every line to its vouchers."""
    reader = world.log_in("books-reader")
    asked = reader.get(f"{books.base}/summary?from={YEAR}-01-01&to={YEAR}-12-31&by=quarter")
    shown = asked.ok()
    total = fits(shown["total"], BUCKET, asked.where)
    net = 39_900_000 - 1_723_570
    fund = net * 7 // 10
    same((total["income_fen"], total["net_fen"]), (39_900_000, net), "income and net")
    same(total["closing_fen"], 4_825_030 + net - fund, "the closing balance")
    same(sum(shown["series"]["income_fen"]), 39_900_000, "the series for charts")
    for item in shown["categories"]:
        where = f"category={item['category_id']}" if item["category_id"] else "no_category=true"
        lines = reader.get(f"{books.base}/entries?account={item['kind']}&{where}&limit=100").ok()["items"]
        same(sum(line["signed_fen"] for line in lines), item["amount_fen"], f"lines of {item['name']}")
    answer = reader.get(f"/revenue/entries/{books.entry}")
    (public,) = answer.ok()["public_files"]
    fits(public, PUBLIC, answer.where)
    page = world.visitor.get(urlsplit(public["pages"][0]["url"]).path)
    same((page.status, page.headers.get("Content-Type")), (200, "image/jpeg"), "the voucher's page")
    check(b"Exif" not in page.body[:4096], page.where, "no tags in a public voucher", page.body[:40])
    csv = books.street.get(f"{books.base}/export?format=csv")
    check(b"399000.00" in csv.body, csv.where, "the page's income in the export", csv.body[-300:])
    share = books.owner.get(f"{books.base}/my-share")
    same(share.status in {200, 409}, True, f"{share.where}: my share, or that no area was known then")
    same(reader.get(f"{books.base}/chain").ok()["broken_at"], None, "the chain")
    mine = next(
        item
        for item in books.street.get("/revenue/overview").ok()["items"]
        if item["estate_id"] == books.estate
    )
    same(
        (mine["published_until"], mine["open_objections"]), (f"{YEAR}-12-31", 0), "the estate in the overview"
    )


def object_to(world: World, _: Desk, books: Revenue) -> None:
    """An owner doubts a line, strangers can't; the answer is public."""
    path = f"/revenue/entries/{books.entry}/objections"
    refuses(lambda who: who.post(path, {"text": "这笔是什么？"}), world.log_in("books-stranger"), 403)
    made = books.owner.post(path, {"text": "这笔是什么？"}).ok(201)
    books.owner.get(f"/tickets/{made['ticket_id']}").ok()
    answer = f"/revenue/objections/{made['objection_id']}/answer"
    books.desk.post(answer, {"text": "重复记账，将冲正。"}).ok()
    public = world.log_in("books-reader").get(f"{books.base}/objections").ok()["items"][0]
    same((public["answer"], public["text"]), ("重复记账，将冲正。", None), "the public answer")


def correct(world: World, _: Desk, books: Revenue) -> None:
    """What is published stays: a reversal in the next period, linked both ways, and figures that are exact at once."""
    reader = world.log_in("books-reader")
    closed = {"day": f"{YEAR}-05-01", "kind": "income", "amount_fen": 1}
    refuses(lambda who: who.post(f"{books.base}/entries", closed), books.clerk, 422, "period_closed")
    before = reader.get(f"{books.base}/summary?by=year").ok()["total"]
    period = books.clerk.post(f"{books.base}/periods", {}).ok(201)["period_id"]
    body = {"entry_id": books.entry, "reason": "重复记账", "day": f"{YEAR + 1}-01-05"}
    reversal = books.clerk.post(f"/revenue/periods/{period}/correct", body).ok(201)["entry_id"]
    books.clerk.post(f"/revenue/periods/{period}/submit").ok()
    books.desk.post(f"/revenue/periods/{period}/review", {"passed": True}).ok()
    books.street.post(f"/revenue/periods/{period}/publish").ok()
    after = reader.get(f"{books.base}/summary?by=year").ok()["total"]
    same((after["opening_fen"], after["cost_fen"]), (before["closing_fen"], -1_000), "the year after")
    line = reader.get(f"/revenue/entries/{books.entry}").ok()
    other = reader.get(f"/revenue/entries/{reversal}").ok()
    same((line["reversed_by"], other["reverses"]), (reversal, books.entry), "both ends of a correction")
    same((line["amount_fen"], line["signed_fen"]), (1_000, 1_000), "the line that was published")
