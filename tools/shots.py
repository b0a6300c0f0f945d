"""`make shots`: a picture of every page of the console, for a person to look at, against a running `make run`.

Writes docs/shots/<page>-<size>.png for a desk (1440) and a phone (375), with the demo data, as the role that uses the
page most. Exit code 1 when a page fails, scrolls sideways or its scripts go wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools import browser
from tools.demo import cast

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "shots"
SIZES = {"desk": browser.DESKTOP, "phone": browser.PHONE}


class Shot(NamedTuple):
    """A page: who looks at it, where, and what is done before the picture is taken."""

    name: str
    account: str
    address: str
    before: Callable[[Any], None] | None = None


def _first_ticket(page: Any) -> None:
    page.locator("[data-rows] a[data-drawer]").first.click()
    page.locator("#drawer .ticket").wait_for()


def _first_move(page: Any) -> None:
    _first_ticket(page)
    page.locator("#drawer .move-buttons button[hx-get]").first.click()
    page.locator(".move-form").wait_for()


def _typed(page: Any) -> None:
    page.get_by_label("问题经过").fill("3 栋 1 单元楼道灯不亮三天了，老人晚上下楼看不见。")
    page.get_by_role("button", name="登记", exact=True).click()
    page.locator("[data-alert]:visible").wait_for()


def _dark(page: Any) -> None:
    page.locator("[data-theme-switch]").click()


def _dark_ticket(page: Any) -> None:
    _dark(page)
    _first_ticket(page)


def _english(page: Any) -> None:
    with page.expect_navigation():
        page.locator("[data-language]").click()


def _own_page(page: Any) -> None:
    address = page.locator("[data-rows] a[data-drawer]").first.get_attribute("href")
    page.goto(address)


def _chosen(page: Any) -> None:
    for place in range(3):
        page.locator("[data-pick-one]").nth(place).check()


def _keys(page: Any) -> None:
    page.locator("main").press("?")


SHOTS: Sequence[Shot] = (
    Shot("login", "", "/admin/login"),
    Shot("workbench-community", "community1", "/admin/"),
    Shot("workbench-property", "property1", "/admin/"),
    Shot("workbench-grid", "grid1", "/admin/"),
    Shot("workbench-street", "street", "/admin/"),
    Shot("workbench-dark", "community1", "/admin/", _dark),
    Shot("tickets", "community1", "/admin/tickets"),
    Shot("tickets-chosen", "community1", "/admin/tickets?status=received", _chosen),
    Shot("tickets-empty", "community1", "/admin/tickets?q=没有这样的工单"),
    Shot("tickets-english", "street", "/admin/tickets", _english),
    Shot("ticket-drawer", "community1", "/admin/tickets?status=closed", _first_ticket),
    Shot("ticket-page", "community1", "/admin/tickets?status=resolved", _own_page),
    Shot("ticket-dispatch", "community1", "/admin/tickets?status=accepted", _first_move),
    Shot("ticket-resolve", "property1", "/admin/tickets?status=in_progress", _first_move),
    Shot("ticket-dark", "community1", "/admin/tickets?status=in_progress", _dark_ticket),
    Shot("intake", "community1", "/admin/tickets/new"),
    Shot("intake-refused", "community1", "/admin/tickets/new", _typed),
    Shot("inbox", "property1", "/admin/inbox"),
    Shot("search", "community1", "/admin/search?q=灯"),
    Shot("search-empty", "community1", "/admin/search?q=没有这样的词"),
    Shot("me", "community1", "/admin/me"),
    Shot("keys", "community1", "/admin/", _keys),
    Shot("not-found", "community1", "/admin/nothing"),
    Shot("forbidden", "property1", "/admin/tickets/new"),
)


def _log_in(context: Any, account: str, password: str) -> None:
    body = {"account": account, "password": password, "mode": "cookie"}
    answer = context.request.post("/admin/api/v1/session", data=body)
    if not answer.ok:
        raise SystemExit(f"{account} could not log in: {answer.status} {answer.text()}")


def main() -> int:
    """0 when every page could be shown well."""
    reader = argparse.ArgumentParser(prog="make shots", description=__doc__)
    reader.add_argument("--port", default="8000")
    reader.add_argument("--only", default="", help="names that begin with this")
    asked = reader.parse_args()
    path = browser.installed()
    if path is None:
        print(
            "shots: no Chromium on this machine (Debian: apt install chromium fonts-noto-cjk)",
            file=sys.stderr,
        )
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    passwords = {who["account"]: who["password"] for who in cast.accounts() if who.get("account")}
    complaints: list[str] = []
    with browser.launched(path) as driven:
        for size_name, size in SIZES.items():
            for shot in SHOTS:
                if shot.name.startswith(asked.only):
                    context, wrong = browser.fresh(driven, size, base=f"http://127.0.0.1:{asked.port}")
                    wrong += _take(context, shot, size_name, passwords)
                    complaints += [f"{shot.name} {size_name}: {one}" for one in wrong]
                    context.close()
    for one in complaints:
        print(one, file=sys.stderr)
    total = sum(file.stat().st_size for file in FOLDER.glob("*.png"))
    print(f"shots: {len(list(FOLDER.glob('*.png')))} pictures, {total / 1e6:.1f} MB in docs/shots")
    return 1 if complaints else 0


def _take(context: Any, shot: Shot, size_name: str, passwords: dict[str, str]) -> list[str]:
    if shot.account:
        _log_in(context, shot.account, passwords[shot.account])
    page = context.new_page()
    page.goto(shot.address)
    try:
        if shot.before is not None:
            shot.before(page)
        page.wait_for_timeout(300)  # what is asked for after loading is there
    except Exception as error:  # noqa: BLE001  what Playwright raises; the picture is taken all the same
        failed = [str(error).splitlines()[0]]
    else:
        failed = []
    page.screenshot(
        path=FOLDER / f"{shot.name}-{size_name}.png", full_page=page.locator("dialog[open]").count() == 0
    )
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        failed.append("scrolls sideways")
    return failed


if __name__ == "__main__":
    sys.exit(main())
