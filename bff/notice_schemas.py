"""Notices as staff and residents read them alike."""

from __future__ import annotations

from marshmallow import fields as f

from app.ids import Kind
from bff.schemas import Schema, Time, WireId


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
