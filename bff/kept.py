"""Answers that are the same for everybody until an estate publishes again: kept in the process, under the hash of what
was published last.

The hash is read from the database with each request, so an answer is exact from the moment of a publication on, in
every process, and there is nothing to invalidate, to warm up or to lose. Kept in Redis instead, every answer would wait
for a second server, longer than for the question itself.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, cast

from flask import make_response, request
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue

from app.ids import Ref
from app.once import Once
from bff.http import Answer, etag_of, revalidated

P = ParamSpec("P")


class _Answer(NamedTuple):
    body: bytes
    etag: str


MOST_BYTES = 32 * 1024 * 1024  # of one process; some thousand answers
MOST_OF_ONE = 256 * 1024

# The key says all that an answer depends on: it is good for as long as it is asked for.
_ANSWERS: Once[tuple[Ref, bytes, str], _Answer] = Once(
    "published",
    good_for_s=math.inf,
    most=MOST_BYTES,
    weigh=lambda one: len(one.body) if len(one.body) <= MOST_OF_ONE else MOST_BYTES + 1,
)


def until_published(
    head_of: Callable[[Ref], bytes | None],
) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """The entry of a GET of an estate's published figures that depends on nothing else than its address (and `ref`, the
    estate): with an ETag, as `revalidated` makes it. `head_of` says what is published of it, None for nothing, and
    refuses whoever may not ask. Of many who ask for the same in one process one makes it.
    """

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        unpublished = revalidated(view)

        @functools.wraps(unpublished)
        def entry(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            estate = cast(Ref, kwargs["ref"])
            head = head_of(estate)
            if head is None:
                return unpublished(*args, **kwargs)

            def make() -> _Answer:
                body = make_response(view(*args, **kwargs)).get_data()
                return _Answer(body, etag_of(body))

            body, etag = _ANSWERS.get((estate, head, request.full_path), make)
            response, asked = Answer(body, content_type="application/json"), request_ctx.request
            response.headers.add("ETag", f'"{etag}"')
            response.headers.add("Cache-Control", "private, no-cache")
            return response.make_conditional(asked) if "HTTP_IF_NONE_MATCH" in asked.environ else response

        return cast(Callable[P, ResponseReturnValue], entry)

    return decorate
