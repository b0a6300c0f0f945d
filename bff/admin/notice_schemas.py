"""Notices as staff write them, and how far they have come."""

from __future__ import annotations

from marshmallow import fields as f
from marshmallow import validate as v

from app.ids import Kind
from app.notices.models import NoticeStatus, Topic
from app.notices.reach import AREA_KINDS
from app.notices.service import MOST_FILES
from bff.admin.registry_schemas import OwnerShort
from bff.notice_schemas import BlockOut, NoticeCorrectionOut, NoticeFileOut
from bff.schemas import AnyWireId, PageQuery, Schema, Text, Time, WireId

_KIND = v.OneOf([t.value for t in Topic])
_FILES = v.Length(max=MOST_FILES)


class NoticeIn(Schema):
    kind = f.String(required=True, validate=_KIND)
    title = Text(most=60, least=2, required=True)
    text = Text(most=5000, least=1, required=True, metadata={"description": "plain text, no HTML"})
    area_ids = f.List(
        AnyWireId(*AREA_KINDS),
        required=True,
        validate=v.Length(1, 200),
        metadata={"description": "communities (or the street), estates, grids, buildings"},
    )
    publish_at = Time(load_default=None, allow_none=True)
    study_minutes = f.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        validate=v.Range(1, 120),
        metadata={"description": "of kind study: least time between opening and finishing"},
    )
    file_ids = f.List(WireId(Kind.UPLOAD), load_default=list, validate=_FILES)


class NoticeChange(Schema):
    kind = f.String(validate=_KIND)
    title = Text(most=60, least=2)
    text = Text(most=5000, least=1)
    area_ids = f.List(AnyWireId(*AREA_KINDS), validate=v.Length(1, 200))
    publish_at = Time(allow_none=True)
    study_minutes = f.Integer(allow_none=True, strict=True, validate=v.Range(1, 120))
    file_ids = f.List(WireId(Kind.UPLOAD), validate=_FILES, metadata={"description": "to add"})
    drop_file_ids = f.List(WireId(Kind.UPLOAD), validate=_FILES)
    reason = Text(
        most=200, least=2, metadata={"description": "of a correction after publishing; residents read it"}
    )


class NoticeWithdrawIn(Schema):
    reason = Text(most=200, least=2, required=True)


class NoticeListQuery(PageQuery):
    status = f.String(
        load_default="", metadata={"description": "comma-separated: " + ", ".join(NoticeStatus)}
    )
    kind = f.String(load_default=None, validate=_KIND)
    estate_id = WireId(Kind.ESTATE, load_default=None)


class NoticeAreaOut(Schema):
    id = f.String(required=True)
    name = f.String(required=True)


class StaffNoticeRow(Schema):
    notice_id = WireId(Kind.NOTICE, required=True)
    kind = f.String(required=True)
    title = f.String(required=True)
    status = f.String(required=True)
    areas = f.List(f.Nested(NoticeAreaOut), required=True)
    publish_at = Time(required=True, allow_none=True)
    published_at = Time(required=True, allow_none=True)
    withdrawn_at = Time(required=True, allow_none=True)
    revision = f.Integer(required=True)
    readers = f.Integer(required=True)
    updated_at = Time(required=True)
    version = f.Integer(required=True)


class StaffNoticeList(Schema):
    items = f.List(f.Nested(StaffNoticeRow), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class CoverageOut(Schema):
    houses = f.Integer(required=True, metadata={"description": "homes and shops in its places"})
    bound = f.Integer(required=True, metadata={"description": "of them: somebody is bound in WeChat"})
    read = f.Integer(required=True, metadata={"description": "of them: somebody of the house has read it"})
    unread = f.Integer(required=True)


class NoticeReachOut(CoverageOut):
    rate_bp = f.Integer(
        required=True, allow_none=True, metadata={"description": "read of houses, in 0.01 %, rounded down"}
    )
    readers = f.Integer(required=True, metadata={"description": "residents, also who only follow"})
    finished = f.Integer(required=True)


class NoticeAudienceOut(Schema):
    houses = f.Integer(required=True, metadata={"description": "homes and shops in its places"})
    bound = f.Integer(required=True, metadata={"description": "of them: somebody is bound in WeChat"})


class NoticePreviewIn(Schema):
    text = Text(most=5000, load_default="")
    area_ids = f.List(AnyWireId(*AREA_KINDS), load_default=list, validate=v.Length(max=200))


class NoticePreviewOut(Schema):
    blocks = f.List(f.Nested(BlockOut), required=True, metadata={"description": "as residents will see it"})
    audience = f.Nested(
        NoticeAudienceOut, required=True, allow_none=True, metadata={"description": "null: no area yet"}
    )


class StaffNoticeOut(StaffNoticeRow):
    text = f.String(required=True)
    blocks = f.List(f.Nested(BlockOut), required=True, metadata={"description": "as residents see it"})
    audience = f.Nested(
        NoticeAudienceOut,
        required=True,
        allow_none=True,
        metadata={"description": "whom it would reach today; null once it is published"},
    )
    study_minutes = f.Integer(required=True, allow_none=True)
    withdrawal = f.String(required=True, allow_none=True)
    author_id = WireId(Kind.STAFF, required=True)
    publisher_id = WireId(
        Kind.STAFF, required=True, allow_none=True, metadata={"description": "who published or scheduled it"}
    )
    corrections = f.List(f.Nested(NoticeCorrectionOut), required=True)
    files = f.List(f.Nested(NoticeFileOut), required=True)
    reach = f.Nested(
        NoticeReachOut,
        required=True,
        allow_none=True,
        metadata={"description": "in the places you see; null until it is published"},
    )


class UnreadQuery(PageQuery):
    by = f.String(load_default="building", validate=v.OneOf(["building", "house"]))
    estate_id = WireId(Kind.ESTATE, load_default=None)
    building_id = WireId(Kind.BUILDING, load_default=None)


class UnreadRow(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    estate = f.String(required=True)
    building_id = WireId(Kind.BUILDING, required=True, allow_none=True)
    building = f.String(required=True)
    houses = f.Integer(metadata={"description": "by=building"})
    bound = f.Integer(metadata={"description": "by=building"})
    read = f.Integer(metadata={"description": "by=building"})
    unread = f.Integer(metadata={"description": "by=building"})
    house_id = WireId(Kind.HOUSE, metadata={"description": "by=house, as all that follows"})
    unit = f.String()
    number = f.String()
    kind = f.String()
    is_bound = f.Boolean()
    owners = f.List(f.Nested(OwnerShort))


class UnreadOut(Schema):
    total = f.Nested(CoverageOut, required=True)
    items = f.List(f.Nested(UnreadRow), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class LearnerQuery(PageQuery):
    finished = f.Boolean(load_default=None)


class LearnerOut(Schema):
    membership_id = WireId(Kind.MEMBERSHIP, required=True)
    house_id = WireId(Kind.HOUSE, required=True)
    building = f.String(required=True)
    unit = f.String(required=True)
    number = f.String(required=True)
    relation = f.String(required=True)
    name_masked = f.String(required=True)
    read_at = Time(required=True, allow_none=True)
    finished_at = Time(required=True, allow_none=True)


class LearnerList(Schema):
    items = f.List(f.Nested(LearnerOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)
