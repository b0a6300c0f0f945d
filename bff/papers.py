"""Taking in a paper (picture or PDF) that proves something, the same for every face: checked, sealed, stored outside
any transaction, recorded; and handing one out to who may read it.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from flask import Response, g, request

from app import adapters, db, ids
from app.adapters.storage import ObjectMissing, StorageUnavailable
from app.errors import NotFound
from app.media import papers
from bff.pictures import FileMissing, StorageAway, takes_picture

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

PURPOSE = "evidence"


class PaperUpload(NamedTuple):
    """A paper that lies sealed in the store and waits to be recorded."""

    paper_id: UUID
    kind: str
    size_bytes: int
    sha256: bytes


def takes_paper(view: Callable[P, R]) -> Callable[P, R]:
    """Before the write: read the part `file`, refuse what is neither picture nor PDF, store it sealed. Sets g.paper.

    Raises FileMissing, StorageAway and the refusals of `papers.kind_of`.
    """

    @functools.wraps(view)
    def entry(*args: P.args, **kwargs: P.kwargs) -> R:
        file = request.files.get("file")
        if file is None:
            raise FileMissing(errors={"file": [(FileMissing.zh, FileMissing.en)]})
        data = file.stream.read(papers.MAX_BYTES + 1)
        file.stream.seek(0)
        paper = PaperUpload(ids.new_id(), papers.kind_of(data), len(data), hashlib.sha256(data).digest())
        with db.transaction():
            papers.announce(paper_id=paper.paper_id, owner_id=g.actor_id)
        try:
            adapters.storage().put(
                papers.key(paper.paper_id), papers.seal(data, paper.paper_id), "application/octet-stream"
            )
        except StorageUnavailable as e:
            log.warning("a paper could not be stored: %s", type(e).__name__)
            raise StorageAway(retry_after=10) from e
        g.paper = paper
        return view(*args, **kwargs)

    return entry


def takes_picture_or_paper(view: Callable[P, R]) -> Callable[P, R]:
    """By the form's `purpose`: evidence is a paper (g.paper), everything else a picture (g.picture)."""
    as_paper, as_picture = takes_paper(view), takes_picture(view)

    @functools.wraps(view)
    def entry(*args: P.args, **kwargs: P.kwargs) -> R:
        return (as_paper if request.form.get("purpose") == PURPOSE else as_picture)(*args, **kwargs)

    return entry


def handed_out(paper: papers.Evidence) -> Response:
    """The paper's bytes, to be saved: no browser opens it by itself, nothing keeps it on the way."""
    try:
        data = paper.opened(adapters.storage().get(paper.store_key))
    except ObjectMissing as e:
        raise NotFound from e
    except StorageUnavailable as e:
        raise StorageAway(retry_after=10) from e
    answer = Response(data, content_type="application/octet-stream")
    answer.headers["Content-Disposition"] = f'attachment; filename="{paper.id.hex[-8:]}.{paper.kind}"'
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Security-Policy"] = "sandbox"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
