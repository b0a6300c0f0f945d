"""Templates of the console: what every form and every part that HTMX reads must say for itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bff.admin.console import words

TEMPLATES = Path(words.__file__).parent / "templates"
_TAGS = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_VALUES = re.compile(r"\{\{.*?\}\}", re.DOTALL)

Element = tuple[str, dict[str, str | None]]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements() -> Iterator[tuple[str, str, dict[str, str | None]]]:
    """Every element of every template, in all branches, with its file."""
    for path in sorted(TEMPLATES.rglob("*.html")):
        reader = _Reader()
        reader.feed(_TAGS.sub(" ", _VALUES.sub("x", path.read_text(encoding="utf-8"))))
        yield from ((path.relative_to(TEMPLATES).as_posix(), tag, given) for tag, given in reader.found)


def test_no_form_that_writes_puts_what_was_typed_into_an_address() -> None:
    """Before the script that sends forms has come, a browser sends them by itself."""
    writing = [
        (file, given)
        for file, tag, given in elements()
        if tag == "form" and ("data-api" in given or given.get("method") != "get")
    ]
    assert len(writing) > 100
    assert [file for file, given in writing if given.get("method") not in {"post", "dialog"}] == []
    assert [file for file, given in writing if "data-api" in given and given["method"] != "post"] == []


def test_a_form_that_reads_says_so_and_where() -> None:
    reading = [
        (file, given) for file, tag, given in elements() if tag == "form" and given.get("method") == "get"
    ]
    assert len(reading) > 10
    assert [file for file, given in reading if not given.get("action")] == []


def test_nothing_of_htmx_is_inherited() -> None:
    (config,) = re.findall(
        r"name=\"htmx-config\" content='([^']+)'",
        (TEMPLATES / "console/layout.html").read_text(encoding="utf-8"),
    )
    assert json.loads(config)["disableInheritance"] is True
    inherited = {"hx-inherit", "hx-disinherit"}
    assert [(file, tag) for file, tag, given in elements() if inherited & set(given)] == []


@pytest.mark.parametrize("tag", ["a", "button", "form"])
def test_what_asks_for_another_part_names_it(tag: str) -> None:
    asking = [(file, given) for file, name, given in elements() if name == tag and "hx-get" in given]
    assert [file for file, given in asking if "hx-target" not in given or "hx-swap" not in given] == []


def test_a_part_that_is_read_anew_says_when_and_how() -> None:
    parts = [
        (file, given)
        for file, tag, given in elements()
        if "hx-get" in given and tag not in {"a", "button", "form"}
    ]
    assert len(parts) > 30
    assert [file for file, given in parts if "hx-trigger" not in given or "hx-swap" not in given] == []
    alone = [
        file
        for file, _, given in elements()
        if "hx-get" not in given and any(name.startswith("hx-") for name in given)
    ]
    assert alone == []
