"""What the browser tests of the console need, and what holds for each of its pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from bff.admin.console import assets
from tests.conftest import TOP
from tools import browser

CHROMIUM = browser.installed()
AXE = TOP / "node_modules" / "axe-core" / "axe.min.js"
NEEDS_A_BROWSER = [
    pytest.mark.skipif(CHROMIUM is None, reason="NO CHROMIUM: the console's browser tests are skipped"),
    pytest.mark.skipif(not assets.are_installed(), reason="npm packages are not installed"),
]
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"


def violations(page: Any) -> list[str]:
    """What axe-core calls serious or critical in the page as it stands."""
    # By the protocol, which the content policy of the page doesn't concern.
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(r => r.violations)")
    return [
        f"{page.url}: {one['id']} {one['nodes'][0]['html'][:160]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


def is_drawn(page: Any, chart: Any) -> bool:
    """Has this chart's canvas pixels of more than one colour?"""
    chart.locator("canvas").first.wait_for()
    return bool(
        chart.locator("canvas").first.evaluate(
            """canvas => {
              const found = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
              const seen = new Set();
              for (let at = 0; at < found.length; at += 4)
                if (found[at + 3]) seen.add(found.slice(at, at + 3).join());
              return seen.size > 3;
            }"""
        )
    )


def all_is_well(window: Callable[..., Any], role: str, *paths: str) -> None:
    """Each of these pages can be used by everybody (axe) and fits a desk and a phone without scrolling sideways."""
    serious: list[str] = []
    page = window(role)
    for path in paths:
        page.set_viewport_size(browser.DESKTOP._asdict())
        answer = page.goto(path)
        wanted = 404 if path.endswith("/nothing") else 200
        assert answer.status == wanted, f"{path} answers {answer.status}"
        serious += violations(page)
        for size in (browser.DESKTOP, browser.PHONE):
            page.set_viewport_size(size._asdict())
            try:
                page.wait_for_function(FITS, timeout=3000)  # a chart is drawn anew a moment later
            except sync_api.TimeoutError as e:
                raise AssertionError(f"{path} scrolls sideways at {size.width}") from e
    assert not serious, "\n".join(serious)
