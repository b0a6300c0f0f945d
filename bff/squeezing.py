"""Long answers for slow lines: gzip for whoever takes it, of JSON and pages; files go as they are.

What is sent is encrypted above us, and the length of an encrypted answer tells something of what was squeezed with it
(BREACH): only to somebody who can make the victim's client ask, again and again. The JSON faces want a bearer token,
which no browser adds by itself, and the console's cookie is SameSite=Strict.
"""

from __future__ import annotations

import gzip
from collections.abc import Set
from functools import lru_cache

from flask import Request, Response
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

# What fits into one packet arrives as soon whole.
PACKET = 1400
_KINDS = frozenset({"application/json", "application/problem+json", "text/html"})
# A page of 40 KB in half a millisecond; 6, the usual, takes twice as long for a twentieth less.
_LEVEL = 4


@lru_cache(maxsize=64)
def _takes_gzip(header: str) -> bool:
    """What `Accept-Encoding` says (RFC 9110 §12.5.3): of gzip itself, or else of all that it doesn't name."""
    said = {name.lower(): quality for name, quality in parse_accept_header(header, Accept)}
    wanted = said.get("gzip", said.get("*", 0))
    return wanted > 0 and wanted >= said.get("identity", 0)


def squeeze(response: Response, request: Request, given: Set[str]) -> None:
    """Squeeze an answer that is worth it, and say of it that another client gets other bytes.

    `given`: the names of its headers, in small letters. An ETag becomes weak: it names what is said, no longer these
    bytes (RFC 9110 §8.8.3).
    """
    if (response.content_type or "").partition(";")[0] not in _KINDS:
        return
    takes = request.environ.get("HTTP_ACCEPT_ENCODING")
    if response.status_code == 304:
        # The tag that was sent, as the answer would have it that the client has.
        tag = response.headers.get("ETag")
        if tag is not None and f"W/{tag}" in request.headers.get("If-None-Match", ""):
            response.headers["ETag"] = f"W/{tag}"
        _varies(response)
        return
    length = response.calculate_content_length()
    if length is None or length <= PACKET or "content-encoding" in given:
        return
    if "vary" in given:
        _varies(response)
    else:
        response.headers.add("Vary", "Accept-Encoding")
    if not takes or not _takes_gzip(takes):
        return
    response.set_data(gzip.compress(response.get_data(), _LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    tag = response.headers.get("ETag")
    if tag is not None and not tag.startswith("W/"):
        response.headers["ETag"] = f"W/{tag}"


def _varies(response: Response) -> None:
    others = response.headers.get("Vary")
    response.headers["Vary"] = f"{others}, Accept-Encoding" if others else "Accept-Encoding"
