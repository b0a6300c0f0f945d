"""Notices as staff and residents read them alike."""

from __future__ import annotations

from marshmallow import fields as f

from app.ids import Kind
from bff.schemas import Schema, Time, WireId


class SpanOut(Schema):
    text = f.String(required=True)
    strong = f.Boolean(required=True)
    link = f.Boolean(required=True, metadata={"description": "the text is an http(s) address"})


class BlockOut(Schema):
    kind = f.String(required=True, metadata={"description": "heading | paragraph | list"})
    lines = f.List(
        f.List(f.Nested(SpanOut)), required=True, metadata={"description": "of a list: its points"}
    )


class NoticeFileOut(Schema):
    file_id = WireId(Kind.UPLOAD, required=True)
    kind = f.String(required=True, metadata={"description": "jpeg, png, webp, heic or pdf"})
    size_bytes = f.Integer(required=True, allow_none=True)
    is_ready = f.Boolean(required=True)
    url = f.String(required=True, metadata={"description": "answers with the file, to who is logged in"})


class NoticeCorrectionOut(Schema):
    number = f.Integer(required=True)
    at = Time(required=True)
    reason = f.String(required=True, allow_none=True, metadata={"description": "null: as first published"})
    title = f.String(required=True)
    text = f.String(required=True)
