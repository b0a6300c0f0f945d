"""What both faces show of a notice: its files and its history."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, url_for

from app import db
from app.errors import NotFound
from app.ids import Ref
from app.media import papers
from app.notices import queries, rich
from app.notices.models import Notice
from bff.papers import handed_out


def files_out(ref: Ref, endpoint: str) -> list[dict[str, Any]]:
    """The files of a notice, in their order, with where this face answers with them."""
    return [
        {
            "file_id": paper.id,
            "kind": paper.kind,
            "size_bytes": paper.size_bytes,
            "is_ready": paper.is_ready,
            "url": url_for(endpoint, ref=ref, file_id=paper.id),
        }
        for paper in papers.of(queries.PAPERS, ref)
    ]


def blocks_out(text: str) -> list[dict[str, Any]]:
    """The text of a notice as a screen shows it."""
    return [
        {"kind": block.kind, "lines": [[span._asdict() for span in line] for line in block.lines]}
        for block in rich.blocks(text)
    ]


def history_out(row: Notice) -> list[dict[str, Any]]:
    """What could be read of it, the first version first; empty while it is no more than published."""
    if row.revision < 2:
        return []
    return [
        {"number": r.number, "at": r.at, "reason": r.reason, "title": r.title, "text": r.text}
        for r in queries.revisions_of(queries.ref_of(row))
    ]


def file_of(row: Notice, file_id: UUID) -> papers.Evidence:
    """One of its files. Raises NotFound."""
    found = papers.of(queries.PAPERS, queries.ref_of(row))
    paper = next((p for p in found if p.id == file_id and p.is_ready), None)
    if paper is None:
        raise NotFound
    return paper


def hand_out(row_of: Any, file_id: UUID) -> Response:
    """A file of the notice that `row_of()` finds for who asks; the store is asked outside the transaction."""
    with db.reading():
        paper = file_of(row_of(), file_id)
    return handed_out(paper)
