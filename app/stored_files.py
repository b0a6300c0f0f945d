"""Which files the store must hold, by the rows that name them: what a backup copies and a restore looks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, select

from app import db, rekey
from app.media import service as media
from app.media.models import Photo, PhotoStatus, Upload
from app.messaging.campaign_models import ListState, RecipientList
from app.places import imports
from app.revenue import public_files
from app.revenue.rendering_models import RenderingState, RevenueRendering


def named() -> set[str]:
    """The keys of every file that a row names, as this session sees the rows."""
    return {*_pictures(), *_lists(), *_pages(), *rekey.kept_files()}


def _pictures() -> Iterator[str]:
    """Photos of things, and uploads that nothing has taken yet; an original only while it waits for its drawing."""
    ready, waiting = PhotoStatus.READY, PhotoStatus.PROCESSING
    free = Upload.attached_community_id.is_(None)
    for query in (
        select(Photo.id).where(Photo.status == ready),
        select(Upload.id).where(Upload.status == ready, free),
    ):
        for (upload_id,) in _rows(query):
            yield from (media.stored_key(upload_id, variant) for variant in media.EDGES)
    for (upload_id,) in _rows(select(Upload.id).where(Upload.status == waiting)):
        yield media.incoming_key(upload_id)


def _lists() -> Iterator[str]:
    for (list_id,) in _rows(select(RecipientList.id).where(RecipientList.state == ListState.READING)):
        yield imports.file_key(list_id)


def _pages() -> Iterator[str]:
    query = select(RevenueRendering.store_id, RevenueRendering.pages).where(
        RevenueRendering.state == RenderingState.READY
    )
    for store_id, pages in _rows(query):
        yield from (public_files.page_key(store_id, number) for number in range(1, len(pages) + 1))


def _rows(query: Select[Any]) -> Iterator[tuple[Any, ...]]:
    yield from db.session().execute(query.execution_options(cross_community="files that rows name")).tuples()
