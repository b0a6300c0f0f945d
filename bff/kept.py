"""Answers that are the same for everybody until an estate publishes again: kept in the process, under the hash of what
was published last.

The hash is read from the database with each request, so an answer is exact from the moment of a publication on, in
every process, and there is nothing to invalidate, to warm up or to lose. Kept in Redis instead, every answer would wait
for a second server, longer than for the question itself.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import ParamSpec, cast

from flask import Response, make_response, request
from flask.typing import ResponseReturnValue

from app import meters
from app.ids import Ref

P = ParamSpec("P")
Key = tuple[Ref, bytes, str]

MOST_BYTES = 32 * 1024 * 1024  # of one process; some thousand answers
MOST_OF_ONE = 256 * 1024


class Answers:
    """Bodies and their ETags, the least recently used go first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._kept: OrderedDict[Key, tuple[bytes, str]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> tuple[bytes, str] | None:
        """The answer, if it is there."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Key, body: bytes, etag: str) -> None:
        """Keep an answer, and let others go where there is no room."""
        if len(body) > MOST_OF_ONE:
            return
        with self._lock:
            before = self._kept.pop(key, None)
            self._held += len(body) - (len(before[0]) if before is not None else 0)
            self._kept[key] = body, etag
            while self._held > self._most:
                _, (gone, _) = self._kept.popitem(last=False)
                self._held -= len(gone)


ANSWERS = Answers()


def until_published(
    head_of: Callable[[Ref], bytes | None],
) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """The entry of a GET of an estate's published figures that depends on nothing else than its address (and `ref`, the
    estate). `head_of` says what is published of it, None for nothing, and refuses whoever may not ask. Stands above
    `revalidated`.
    """

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @functools.wraps(view)
        def entry(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            estate = cast(Ref, kwargs["ref"])
            head = head_of(estate)
            if head is None:
                return view(*args, **kwargs)
            key = estate, head, request.full_path
            found = ANSWERS.get(key)
            meters.add(meters.CACHE, "published", "miss" if found is None else "hit")
            if found is None:
                response = make_response(view(*args, **kwargs))
                etag, _ = response.get_etag()
                if response.status_code == 200 and etag is not None:
                    ANSWERS.put(key, response.get_data(), etag)
                return response
            body, etag = found
            asked = request.headers.get("If-None-Match")
            response = Response(body, content_type="application/json")
            response.headers["ETag"] = f'"{etag}"'
            response.headers["Cache-Control"] = "private, no-cache"
            return response.make_conditional(request) if asked is not None else response

        return cast(Callable[P, ResponseReturnValue], entry)

    return decorate
