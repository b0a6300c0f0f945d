"""Notices as residents read them."""

from __future__ import annotations

from marshmallow import fields as f
from marshmallow import validate as v

from app.ids import Kind
from app.notices.models import Topic
from bff.notice_schemas import BlockOut, NoticeCorrectionOut, NoticeFileOut
from bff.schemas import PageQuery, Schema, Time, WireId


class NoticeQuery(PageQuery):
    estate_id = WireId(Kind.ESTATE, required=True)
    kind = f.String(load_default=None, validate=v.OneOf([t.value for t in Topic]))


class NoticeRowOut(Schema):
    notice_id = WireId(Kind.NOTICE, required=True)
    kind = f.String(required=True)
    kind_name = f.String(required=True)
    title = f.String(required=True)
    excerpt = f.String(required=True, metadata={"description": "the first 60 characters of the text"})
    areas = f.List(f.String(), required=True, metadata={"description": "names of the places it is for"})
    published_at = Time(required=True)
    is_corrected = f.Boolean(required=True)
    for_me = f.Boolean(required=True, metadata={"description": "one of my houses lies in its places"})
    read_at = Time(required=True, allow_none=True)
    finished_at = Time(required=True, allow_none=True)


class NoticeList(Schema):
    items = f.List(f.Nested(NoticeRowOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class NoticeOut(Schema):
    notice_id = WireId(Kind.NOTICE, required=True)
    kind = f.String(required=True)
    kind_name = f.String(required=True)
    status = f.String(required=True, validate=v.OneOf(["published", "withdrawn"]))
    title = f.String(required=True)
    text = f.String(
        required=True, allow_none=True, metadata={"description": "plain text; null when it was withdrawn"}
    )
    blocks = f.List(
        f.Nested(BlockOut),
        required=True,
        metadata={"description": "the same text as a screen shows it: headings, lists, strong words, links"},
    )
    areas = f.List(f.String(), required=True)
    published_at = Time(required=True)
    withdrawn_at = Time(required=True, allow_none=True)
    withdrawal = f.String(required=True, allow_none=True, metadata={"description": "why it was withdrawn"})
    study_minutes = f.Integer(required=True, allow_none=True)
    corrections = f.List(f.Nested(NoticeCorrectionOut), required=True)
    files = f.List(f.Nested(NoticeFileOut), required=True)
    for_me = f.Boolean(required=True)
    read_at = Time(required=True, allow_none=True)
    finished_at = Time(required=True, allow_none=True)


class NoticeReadIn(Schema):
    finished = f.Boolean(
        load_default=False, metadata={"description": "of a notice to study: I have studied it"}
    )


class NoticeReadOut(Schema):
    is_counted = f.Boolean(
        required=True, metadata={"description": "false: I neither live there nor follow that estate"}
    )
    read_at = Time(required=True, allow_none=True)
    finished_at = Time(required=True, allow_none=True)
