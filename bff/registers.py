"""Taking in an uploaded register: its size is bounded, it is sealed and stored outside any transaction."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from flask import g, request

from app import adapters, db, ids
from app.adapters.storage import StorageUnavailable
from app.errors import Unavailable
from app.places import imports, sheets
from app.places.errors import FileNotTaken, FileTooLarge

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

MAX_BODY = imports.MAX_BYTES + (1 << 20)  # the file in its multipart wrapping


class StorageAway(Unavailable):
    """Files can't be stored at the moment."""

    code = "storage_unavailable"
    zh = "文件暂时无法保存，请稍后再试。"
    en = "Files can't be stored at the moment; try again soon."


class RegisterUpload(NamedTuple):
    """A register that lies in the store and waits for its import to begin."""

    import_id: UUID
    home: int
    kind: str
    size_bytes: int
    sha256: bytes


def _announce(home: int, import_id: UUID) -> None:
    imports.announce(home=home, import_id=import_id)


def takes_register(
    home: Callable[[], int], announce: Callable[[int, UUID], None] = _announce
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Before the write: read the part `file`, refuse what is too large or no spreadsheet, store it. Sets g.register.

    `home`: the community that the import is kept under. `announce`: promises that the file will be gone in time. Stands
    outside `writes`, because storing may be a network call. Raises FileTooLarge, FileNotTaken, StorageAway.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def entry(*args: P.args, **kwargs: P.kwargs) -> R:
            where = home()  # first: whose place it isn't learns nothing about her file
            request.max_content_length = MAX_BODY
            file = request.files.get("file")
            data = file.stream.read(imports.MAX_BYTES + 1) if file is not None else b""
            if len(data) > imports.MAX_BYTES:
                raise FileTooLarge(errors={"file": [(FileTooLarge.zh, FileTooLarge.en)]})
            kind = sheets.kind_of(data[:8])
            # What begins like no workbook must at least be text; zeros are none in any encoding but UTF-16.
            binary = b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff"))
            if not data.strip() or (kind == "csv" and binary):
                raise FileNotTaken(errors={"file": [(FileNotTaken.zh, FileNotTaken.en)]})
            assert file is not None
            file.stream.seek(0)
            taken = RegisterUpload(ids.new_id(), where, kind, len(data), hashlib.sha256(data).digest())
            with db.transaction():
                announce(taken.home, taken.import_id)
            try:
                adapters.storage().put(
                    imports.file_key(taken.import_id),
                    imports.seal(data, taken.import_id),
                    "application/octet-stream",
                )
            except StorageUnavailable as e:
                log.warning("a register could not be stored: %s", type(e).__name__)
                raise StorageAway(retry_after=10) from e
            g.register = taken
            return view(*args, **kwargs)

        return entry

    return decorate


def error_sheet(import_id: UUID) -> bytes:
    """The error sheet of an import, from the store. Raises StorageAway."""
    try:
        sealed = adapters.storage().get(imports.errors_key(import_id))
    except StorageUnavailable as e:
        raise StorageAway(retry_after=10) from e
    return imports.unseal(sealed, import_id)
