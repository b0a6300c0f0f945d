"""How files come in: read in large pieces, and kept in memory, never in a temporary file.

What is uploaded is at most `MAX_BODY`, and whoever takes it reads it whole. A temporary file would be written and read
back for nothing, and would hold a picture with the place where it was taken until it is deleted.
"""

from __future__ import annotations

import io
import time
from typing import IO

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser, MultiPartParser

from app import db, timeouts

_PIECE = 256 * 1024  # bytes a read: each costs the server some 50 µs, whatever its size


# Both are told what they don't need: their arguments are the library's.
# ruff: noqa: ARG002


class _Parser(FormDataParser):
    """Werkzeug's, with larger pieces."""

    def _parse_multipart(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        boundary = options.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("no boundary")
        parser = MultiPartParser(
            stream_factory=self.stream_factory,
            max_form_memory_size=self.max_form_memory_size,
            max_form_parts=self.max_form_parts,
            cls=self.cls,
            buffer_size=_PIECE,
        )
        form, files = parser.parse(stream, boundary, content_length)
        db.until(time.monotonic() + timeouts.REQUEST_S)  # a slow line is no slow request
        return stream, form, files


def whole(file: FileStorage) -> bytes:
    """The file. What lies in memory already isn't copied."""
    stream = file.stream
    if isinstance(stream, io.BytesIO):
        return stream.getvalue()
    stream.seek(0)
    data = stream.read()
    stream.seek(0)
    return data


class UploadRequest(Request):
    """A request whose files lie in memory."""

    form_data_parser_class = _Parser

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()
