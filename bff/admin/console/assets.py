"""The files that pages name: our own and a few of npm packages, under names that change with their content."""

from __future__ import annotations

import gzip
import hashlib
import logging
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from flask import Response, request

from app.errors import NotFound

log = logging.getLogger(__name__)

_OWN = Path(__file__).parent / "static"
_PACKAGES = Path(__file__).resolve().parents[3] / "node_modules"

# What a page may name, and where it lies. A page with charts adds its file here and names it itself.
FILES: dict[str, Path] = {
    "tabler.css": _PACKAGES / "@tabler" / "core" / "dist" / "css" / "tabler.min.css",
    "htmx.js": _PACKAGES / "htmx.org" / "dist" / "htmx.min.js",
    "echarts.js": _PACKAGES / "echarts" / "dist" / "echarts.common.min.js",
    "sortable.js": _PACKAGES / "@tabler" / "core" / "dist" / "libs" / "sortablejs" / "Sortable.min.js",
    **{path.name: path for path in sorted(_OWN.iterdir()) if path.suffix in {".css", ".js", ".svg"}},
}
_YEAR = 365 * 24 * 3600


class Asset(NamedTuple):
    """A file in memory, plain and squeezed. `name` carries the digest of its bytes: it never changes."""

    name: str
    kind: str
    plain: bytes
    squeezed: bytes


@lru_cache
def _asset(logical: str) -> Asset | None:
    path = FILES[logical]
    try:
        plain = path.read_bytes()
    except OSError:
        log.warning("%s of the console is not installed; `python3 tools/bootstrap.py run` says why", logical)
        return None
    digest = hashlib.sha256(plain).hexdigest()[:12]
    kind = mimetypes.types_map.get(path.suffix, "application/octet-stream")
    name = f"{Path(logical).stem}.{digest}{path.suffix}"
    return Asset(name, f"{kind}; charset=utf-8", plain, gzip.compress(plain, 9, mtime=0))


def address(logical: str) -> str | None:
    """Where a page finds this file; None when its package isn't installed. KeyError for a file that isn't listed."""
    found = _asset(logical)
    return f"/admin/assets/{found.name}" if found else None


def are_installed() -> bool:
    """Is everything there that pages name?"""
    return all(_asset(logical) for logical in FILES)


def answer(name: str) -> Response:
    """The file of that name, for a year. Raises NotFound for any other name, also of an older version."""
    stem, _, rest = name.partition(".")
    found = _asset(logical) if (logical := f"{stem}.{rest.rpartition('.')[2]}") in FILES else None
    if found is None or found.name != name:
        raise NotFound
    squeezes = request.accept_encodings["gzip"] > 0
    response = Response(found.squeezed if squeezes else found.plain, content_type=found.kind)
    if squeezes:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    return response
