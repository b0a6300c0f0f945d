"""Scripts and markup in whatever takes words: put in at the test client, looked for in pages."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from bff.schemas import Text
from tests.security import doors
from tests.security.doors import Member, Place

# `javascript:` for what becomes an address, then out of an attribute, markup, a script, and two languages of templates.
PRODUCT = "36863"
PAYLOADS = (
    (
        "javascript:window.xss={n}//\"'><xss-{n} onxss=1><img src=x onerror=window.xss={n}></script>"
        "<script>window.xss={n}</script><svg onload=window.xss={n}>a{{{{191*193}}}}z${{191*193}}z"
    ),
    "javascript:xss={n}//'\"><img src=x onerror=xss={n}><xss-{n} onx=1>",
    "'\"><img src=x onerror=xss={n}>",
    "'\"><xss-{n} onx=1>",
    '"<xss-{n}>',
    "<xss>",
)
SCRIPT = re.compile(r"\s*(javascript|data|vbscript)\s*:", re.IGNORECASE)
MARK = re.compile(r"xss(?:-|=)(\d+)")
ID = re.compile(r'"([a-z]{3}_[a-z2-7]{26,32})"')
Send = Callable[..., TestResponse]


def payload(number: int, most: int, *, level: int = 0) -> str | None:
    """The worst that fits, from that one on; None when nothing does."""
    fitting = [text for text in (p.format(n=number) for p in PAYLOADS) if len(text) <= most]
    return fitting[level] if level < len(fitting) else None


@dataclass
class Poison:
    """What was put where, and what became of it."""

    app: Flask
    where: dict[int, str] = field(default_factory=dict)  # by the number in a payload
    kept: set[tuple[str, str]] = field(default_factory=set)  # (endpoint, member)
    refused: set[tuple[str, str]] = field(default_factory=set)
    made: dict[str, list[str]] = field(default_factory=dict)  # ids that answers named, by their kind
    seen: set[int] = field(default_factory=set)  # numbers that stood in a page
    left_alone: frozenset[str] = frozenset()

    def number(self, where: str) -> int:
        self.where[len(self.where) + 101] = where
        return len(self.where) + 100

    def opened(self, send: Send, path: str, method: str, more: dict[str, Any]) -> TestResponse:
        """The answer to a request with as many payloads in it as the endpoint takes; to the request as it was meant
        when it takes none.
        """
        door = doors.door(self.app, method, path)
        if door is None or method == "GET" or door.name in self.left_alone:
            return send(path, method=method, **more)
        answer = self._poisoned(send, path, method, more, door)
        for found in ID.findall(answer.get_data(as_text=True) if answer.is_json else ""):
            known = self.made.setdefault(found[:3], [])
            if found not in known:
                known.append(found)
        return answer

    def _poisoned(
        self, send: Send, path: str, method: str, more: dict[str, Any], door: doors.Door
    ) -> TestResponse:
        if isinstance(more.get("json"), dict):
            schema = door.body()
            texts = [m for m in doors.members(schema) if doors.is_text(m)] if schema is not None else []
            return self._with_texts(send, path, method, more, door.name, texts)
        if isinstance(more.get("data"), bytes):
            return self._with_names(send, path, method, more, door.name)
        return send(path, method=method, **more)

    def _with_texts(
        self, send: Send, path: str, method: str, more: dict[str, Any], door: str, texts: list[Member]
    ) -> TestResponse:
        attempt = Attempt(self, send, path, method, more, door, texts)
        return attempt.best() or send(path, method=method, **more)

    def _with_names(
        self, send: Send, path: str, method: str, more: dict[str, Any], door: str
    ) -> TestResponse:
        number = self.number(f"{door} file name")
        name = f"<img src=x onerror=xss={number}><xss-{number}>".encode()
        cell = f"<xss-{self.number(f'{door} cell')} onx=1>".encode()
        data = re.sub(rb'filename="[^".]*', b'filename="' + name, more["data"]).replace("李四".encode(), cell)
        answer = send(path, method=method, **(more | {"data": data}))
        return answer if answer.status_code < 400 else send(path, method=method, **more)


class Attempt:
    """One request, with payloads in as many of its places as it takes."""

    def __init__(
        self,
        poison: Poison,
        send: Send,
        path: str,
        method: str,
        more: dict[str, Any],
        door: str,
        texts: list[Member],
    ) -> None:
        self.poison, self.door, self.meant = poison, door, more["json"]
        self.send = lambda body: send(path, method=method, **(more | {"json": body}))
        self.of = {slot: member for member in texts for slot in doors.slots(self.meant, member.place)}
        self.numbers = {slot: poison.number(f"{door} {member.name}") for slot, member in self.of.items()}
        self.levels = dict.fromkeys(self.of, 0)

    def text_at(self, slot: Place) -> str | None:
        return payload(self.numbers[slot], doors.longest(self.of[slot].field), level=self.levels[slot])

    def names(self, slots: set[Place]) -> set[tuple[str, str]]:
        return {(self.door, self.of[slot].name) for slot in slots}

    def tried(self, slots: set[Place]) -> TestResponse | None:
        """The answer with payloads in these places, where it is a good one."""
        answer = self.asked(slots)
        return answer if answer.status_code < 400 else None

    def asked(self, slots: set[Place]) -> TestResponse:
        body = copy.deepcopy(self.meant)
        for slot in slots:
            doors.put(body, slot, self.text_at(slot))
        answer = self.send(body)
        if answer.status_code < 400:
            self.poison.kept |= self.names(slots)
            self.poison.refused |= self.names(set(self.of) - slots)
        return answer

    def best(self) -> TestResponse | None:
        """The first good answer to as much as possible; None when no payload gets in."""
        slots = {slot for slot in self.of if self.text_at(slot) is not None}
        while slots:
            answer = self.asked(slots)
            if answer.status_code < 400:
                return answer
            if answer.status_code != 422:
                # Not for its words: it isn't its time, or a code names nothing.
                words = {slot for slot in slots if isinstance(self.of[slot].field, Text)}
                return self.tried(words) if words and words != slots else None
            if blamed := {slot for slot in slots if _is_blamed(answer, slot)}:
                self.milder(slots, blamed)
                continue
            # Nobody says which. What is no words goes first, and what wasn't asked for.
            doubtful = sorted(slots, key=self.is_wanted)
            if found := self.one_by_one(slots, doubtful):
                return found
            slots.discard(doubtful[0])
        return None

    def is_wanted(self, slot: Place) -> tuple[bool, bool]:
        return isinstance(self.of[slot].field, Text), doors.value_at(self.meant, slot) is not None

    def milder(self, slots: set[Place], blamed: set[Place]) -> None:
        """The next payload for who was blamed; out of `slots` where there is none left."""
        for slot in blamed:
            self.levels[slot] += 1
            if self.text_at(slot) is None:
                self.poison.refused |= self.names({slot})
                slots.discard(slot)

    def one_by_one(self, slots: set[Place], doubtful: list[Place]) -> TestResponse | None:
        for slot in doubtful:
            self.levels[slot] += 2  # without the braces of templates
            if self.text_at(slot) and (answer := self.tried(slots)):
                return answer
            self.levels[slot] -= 2
            if len(slots) > 1 and (answer := self.tried(slots - {slot})):
                return answer
        return None


def _is_blamed(answer: TestResponse, slot: Place) -> bool:
    """Does the refusal name this very member?"""
    said = (answer.get_json(silent=True) or {}).get("errors", {})
    for key in slot:
        if not isinstance(said, dict) or str(key) not in said:
            return isinstance(said, dict) and "value" in said  # of an object's values
        said = said[str(key)]
    return True


class Page(HTMLParser):
    """What a browser would make of a page: which payloads are text in it, which became something else."""

    ADDRESSES = frozenset({"href", "src", "action", "formaction", "data", "poster", "xlink:href", "srcdoc"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.seen: set[int] = set()
        self.links: list[str] = []
        self.names: set[str] = set()  # of what a filter of the page can say
        self._script: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag.startswith("xss"):
            self.wrong.append(f"<{tag}> is an element")
        for name, value in attrs:
            said = value or ""
            if name.startswith("on") or name == "style":
                self.wrong.append(f"{name}={said!r} on <{tag}>")
            is_address = name in self.ADDRESSES or name.startswith(("hx-", "data-api", "data-pick"))
            if is_address and SCRIPT.match(said) and not said.startswith("data:image/"):
                self.wrong.append(f"{name}={said!r} on <{tag}>")
            if name in {"href", "hx-get"} and said.startswith("/admin/"):
                self.links.append(said)
                self.names |= set(parse_qs(urlsplit(said).query))
            self._look(said)
        if tag in {"input", "select"} and given.get("name"):
            self.names.add(given["name"] or "")
        if tag == "script" and "src" not in given:
            self._script = given.get("type") or "text/javascript"
            if self._script != "application/json":
                self.wrong.append(f"an inline script ({self._script})")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script == "application/json" and data.strip():
            try:
                json.loads(data)
            except ValueError:
                self.wrong.append(f"data of a page that is no JSON: {data[:80]!r}")
        self._look(data)

    def _look(self, text: str) -> None:
        self.seen |= {int(n) for n in MARK.findall(text)}
        if f"a{PRODUCT}z" in text or f"${PRODUCT}z" in text or f"z{PRODUCT}z" in text:
            self.wrong.append(f"a template was run: {text[:120]!r}")


def ways_in(app: Flask) -> Iterator[tuple[str, str]]:
    """(endpoint, member) of every text in every JSON body of the house."""
    for door in doors.all_doors(app):
        schema = door.body()
        for member in doors.members(schema) if schema is not None else ():
            if doors.is_text(member):
                yield door.name, member.name
