"""A Chromium that is on the machine, as the browser tests and `make shots` drive it: it reaches our loopback alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


class Size(NamedTuple):
    """Of the window, in CSS pixels."""

    width: int
    height: int


DESKTOP = Size(1440, 900)
PHONE = Size(375, 812)
SCREEN = Size(1920, 1080)
LARGE_SCREEN = Size(3840, 2160)


def installed() -> str | None:
    """Where a Chromium is; None when there is none. Playwright never downloads one of its own."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def launched(path: str) -> Iterator[Any]:
    """A browser of Playwright's sync API."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def fresh(browser: Any, size: Size, *, base: str) -> tuple[Any, list[str]]:
    """(a context as a clerk's in China, what went wrong in it).

    Requests off the loopback are aborted and counted as wrong, as are page errors, refusals of the content policy and
    errors on the console.
    """
    context = browser.new_context(
        base_url=base, viewport=size._asdict(), locale="zh-CN", timezone_id="Asia/Shanghai"
    )
    wrong: list[str] = []

    def guard(route: Any) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            wrong.append(f"asked for {route.request.url}")
            route.abort()

    def watch(page: Any) -> None:
        page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
        page.on("console", lambda said: wrong.append(said.text) if _is_wrong(said) else None)

    context.route("**/*", guard)
    context.on("page", watch)
    return context, wrong


def _is_wrong(said: Any) -> bool:
    if said.type != "error":
        return False
    # A refusal of ours (401, 409, 412, 422) is an answer, and a connection that is cut on purpose is a test's.
    return not said.text.startswith("Failed to load resource")
