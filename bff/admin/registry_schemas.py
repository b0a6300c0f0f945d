"""The registry as staff send and see it: personal data masked; who may see them whole asks `/unmask`."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask_smorest.fields import Upload

from app.ids import Kind
from app.places.headings import Field
from app.places.registry_models import HoldingState, HouseKind, Source
from bff.schemas import Date, PageQuery, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate

KINDS = [kind.value for kind in HouseKind]
STATES = [state.value for state in HoldingState]
# By hand: what the desk saw itself, or an extract of the registration office.
BY_HAND = [Source.STAFF.value, Source.REGISTRATION.value]
SEARCH = "按房号、手机号、完整姓名查找；只记得姓时，请同时填房号；不能按名字的一部分查找"
OWNER_SEARCH = "按手机号或完整姓名查找，不能按名字的一部分查找；按房号、姓加房号，请在小区的房屋中查找"


def hint(text: str) -> f.Constant:
    """What the search finds people by, for the screen that shows an answer, above all an empty one."""
    return f.Constant(text, metadata={"type": "string", "description": "shown beside the search field"})


def area(**more: Any) -> f.Integer:
    """An area in 0.01 m²."""
    return f.Integer(
        strict=True,
        validate=v.Range(1, 100_000_000),
        metadata={"description": "0.01 m²: 9000 is 90.00 m²"},
        **more,
    )


class HouseQuery(PageQuery):
    building = f.String(load_default=None, validate=v.Length(1, 40))
    unit = f.String(load_default=None, validate=v.Length(1, 40))
    room = f.String(load_default=None, validate=v.Length(1, 40), metadata={"description": f"房号。{SEARCH}"})
    kind = f.String(load_default=None, validate=v.OneOf(KINDS))
    phone = f.String(
        load_default=None, validate=v.Length(1, 30), metadata={"description": f"完整手机号。{SEARCH}"}
    )
    name = f.String(
        load_default=None, validate=v.Length(1, 60), metadata={"description": f"完整姓名。{SEARCH}"}
    )
    surname = f.String(
        load_default=None, validate=v.Length(1, 4), metadata={"description": f"姓，同时要填房号。{SEARCH}"}
    )


class OwnerShort(Schema):
    owner_id = WireId(Kind.OWNER, required=True)
    kind = f.String(required=True)
    name_masked = f.String(required=True)
    phone_masked = f.String(required=True, allow_none=True)
    phone2_masked = f.String(required=True, allow_none=True)
    id_number_masked = f.String(
        required=True, allow_none=True, metadata={"description": "never for a property company"}
    )
    is_voter = f.Boolean(required=True, metadata={"description": "the one of the co-owners who votes"})


class HouseOut(Schema):
    house_id = WireId(Kind.HOUSE, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    building = f.String(required=True)
    unit = f.String(required=True)
    number = f.String(required=True)
    kind = f.String(required=True)
    registered_area_centi = f.Integer(required=True, allow_none=True)
    surveyed_area_centi = f.Integer(required=True, allow_none=True)
    contract_area_centi = f.Integer(required=True, allow_none=True)
    area_centi = f.Integer(required=True, allow_none=True, metadata={"description": "the one that counts"})
    area_basis = f.String(
        required=True,
        allow_none=True,
        metadata={"description": "which it is: registered, else surveyed, else contract"},
    )
    state = f.String(
        required=True, allow_none=True, metadata={"description": "null: nobody knows who owns it"}
    )
    held_since = Date(required=True, allow_none=True)
    owners = f.List(f.Nested(OwnerShort), required=True)
    valid_to = Date(required=True, allow_none=True)
    version = f.Integer(required=True)


class HouseList(Schema):
    items = f.List(f.Nested(HouseOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)
    hint = hint(SEARCH)


class UnitCount(Schema):
    unit = f.String(required=True, metadata={"description": "empty: houses that stand in no unit"})
    houses = f.Integer(required=True)


class BuildingUnits(Schema):
    building = f.String(required=True, metadata={"description": "empty: houses that stand in no building"})
    houses = f.Integer(required=True)
    units = f.List(f.Nested(UnitCount), required=True)


class HouseTree(Schema):
    items = f.List(f.Nested(BuildingUnits), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class PastOut(Schema):
    since = Date(required=True)
    until = Date(required=True, allow_none=True, metadata={"description": "the first day after"})
    state = f.String(required=True)
    reason = f.String(required=True)
    owners = f.List(f.Nested(OwnerShort), required=True)


class OriginOut(Schema):
    source = f.String(required=True)
    at = Time(required=True)
    by = f.String(required=True, allow_none=True)
    import_id = WireId(Kind.IMPORT, required=True, allow_none=True)
    file_sha256 = f.String(required=True, allow_none=True)
    sheet = f.String(required=True, allow_none=True)
    row = f.Integer(required=True, allow_none=True)


class HouseDetail(HouseOut):
    outline = f.Dict(required=True, allow_none=True, metadata={"description": "GeoJSON, WGS-84"})
    history = f.List(f.Nested(PastOut), required=True)
    origins = f.Dict(
        keys=f.String(), values=f.Nested(OriginOut), required=True, metadata={"description": "by field"}
    )


class PartyIn(Schema):
    name = Text(most=60, least=1, required=True)
    phone = f.String(load_default=None, allow_none=True, validate=v.Length(max=30))
    phone2 = f.String(load_default=None, allow_none=True, validate=v.Length(max=30))
    id_number = f.String(load_default=None, allow_none=True, validate=v.Length(max=30))


class HouseIn(Schema):
    building = Text(most=40, load_default="")
    unit = Text(most=40, load_default="")
    number = Text(most=40, least=1, required=True)
    kind = f.String(load_default=HouseKind.HOME.value, validate=v.OneOf(KINDS))
    registered_area_centi = area(load_default=None, allow_none=True)
    surveyed_area_centi = area(load_default=None, allow_none=True)
    contract_area_centi = area(load_default=None, allow_none=True)
    state = f.String(load_default=HoldingState.OWNED.value, validate=v.OneOf(STATES))
    owners = f.List(f.Nested(PartyIn), load_default=list, validate=v.Length(max=20))
    since = Date(load_default=None, allow_none=True)
    source = f.String(load_default=Source.STAFF.value, validate=v.OneOf(BY_HAND))


class HouseChange(Schema):
    kind = f.String(validate=v.OneOf(KINDS))
    registered_area_centi = area(allow_none=True)
    surveyed_area_centi = area(allow_none=True)
    contract_area_centi = area(allow_none=True)
    outline = f.Dict(allow_none=True)
    valid_to = Date(allow_none=True, metadata={"description": "from this day the house no longer exists"})
    source = f.String(load_default=Source.STAFF.value, validate=v.OneOf(BY_HAND))


class TransferIn(Schema):
    owners = f.List(f.Nested(PartyIn), required=True, validate=v.Length(max=20))
    since = Date(
        load_default=None, allow_none=True, metadata={"description": "the new owners' first day; today"}
    )
    state = f.String(load_default=HoldingState.OWNED.value, validate=v.OneOf(STATES))
    correction = f.Boolean(
        load_default=False, metadata={"description": "the entry before was wrong and never held"}
    )
    source = f.String(load_default=Source.STAFF.value, validate=v.OneOf(BY_HAND))


class VoterIn(Schema):
    owner_id = WireId(Kind.OWNER, required=True)


class OwnerQuery(PageQuery):
    uncertain = f.Boolean(load_default=False, metadata={"description": "who is perhaps the same person"})
    phone = f.String(
        load_default=None, validate=v.Length(1, 30), metadata={"description": f"完整手机号。{OWNER_SEARCH}"}
    )
    name = f.String(
        load_default=None, validate=v.Length(1, 60), metadata={"description": f"完整姓名。{OWNER_SEARCH}"}
    )


class OwnedHouse(Schema):
    house_id = WireId(Kind.HOUSE, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    building = f.String(required=True)
    unit = f.String(required=True)
    number = f.String(required=True)
    kind = f.String(required=True)
    area_centi = f.Integer(required=True, allow_none=True)


class OwnerOut(OwnerShort):
    is_voter = f.Boolean(dump_only=True)
    same_as = WireId(Kind.OWNER, required=True, allow_none=True)
    merged = f.List(WireId(Kind.OWNER), required=True, metadata={"description": "rows that are she as well"})
    houses = f.List(f.Nested(OwnedHouse), required=True)
    maybe_same_as = f.List(
        WireId(Kind.OWNER), required=True, metadata={"description": "with ?uncertain: others of her name"}
    )
    version = f.Integer(required=True)


class OwnerList(Schema):
    items = f.List(f.Nested(OwnerOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)
    hint = hint(OWNER_SEARCH)


class OwnerDetail(OwnerOut):
    origins = f.Dict(keys=f.String(), values=f.Nested(OriginOut), required=True)


class OwnerChange(Schema):
    name = Text(most=60, least=1)
    phone = f.String(allow_none=True, validate=v.Length(max=30))
    phone2 = f.String(allow_none=True, validate=v.Length(max=30))
    id_number = f.String(allow_none=True, validate=v.Length(max=30))
    source = f.String(load_default=Source.STAFF.value, validate=v.OneOf(BY_HAND))


class MergeOwnersIn(Schema):
    into = WireId(Kind.OWNER, required=True)


class SplitIn(Schema):
    house_ids = f.List(
        WireId(Kind.HOUSE),
        load_default=list,
        validate=v.Length(max=100),
        metadata={"description": "hers that belong to another person of her name; none: undo a merge"},
    )


# --- imports ---------------------------------------------------------------------------------------------


class RegisterFile(ma.Schema):
    file = Upload(required=True)


class ImportForm(Schema):
    source = f.String(
        required=True,
        validate=v.OneOf([s.value for s in Source if s is not Source.STAFF]),
        metadata={"description": "who keeps this register: it decides what may overwrite what"},
    )
    estate_id = WireId(
        Kind.ESTATE, load_default=None, metadata={"description": "where the file names no estate"}
    )


class JobOut(Schema):
    job_id = WireId(Kind.IMPORT, required=True)
    status_url = f.String(required=True)


class ProblemCell(Schema):
    kind = f.String(required=True, metadata={"description": "bad | conflict"})
    sheet = f.String(required=True)
    row = f.Integer(required=True)
    column = f.String(required=True, allow_none=True, metadata={"description": "its letter"})
    field = f.String(required=True, allow_none=True)
    code = f.String(required=True)
    reason = f.String(required=True)


class HeadingOut(Schema):
    sheet = f.String(required=True)
    column = f.String(required=True)
    heading = f.String(required=True)
    field = f.String(
        required=True, allow_none=True, metadata={"description": "null: to be mapped or left out"}
    )


class ImportCountsOut(Schema):
    rows = f.Integer(required=True)
    new = f.Integer(required=True)
    changed = f.Integer(required=True)
    unchanged = f.Integer(required=True)
    conflicting = f.Integer(required=True)
    bad = f.Integer(required=True)
    new_buildings = f.Integer(required=True)
    new_owners = f.Integer(required=True)
    changed_owners = f.Integer(required=True)
    transfers = f.Integer(required=True)


class ImportOut(Schema):
    import_id = WireId(Kind.IMPORT, required=True)
    state = f.String(
        required=True, metadata={"description": "reading mapping previewed applying applied failed"}
    )
    done = f.Integer(required=True)
    total = f.Integer(required=True)
    message = f.String(required=True)
    code = f.String(required=True, allow_none=True, metadata={"description": "why it failed or waits"})
    source = f.String(required=True)
    file_sha256 = f.String(required=True)
    created_at = Time(required=True)
    applied_at = Time(required=True, allow_none=True)
    headings = f.List(f.Nested(HeadingOut), required=True)
    fields_ = f.List(f.String(), required=True, data_key="fields", metadata={"description": "to map to"})
    missing = f.List(f.String(), required=True, metadata={"description": "fields without a column"})
    sheets = f.List(f.String(), required=True)
    sheets_skipped = f.List(f.String(), required=True)
    counts = f.Nested(ImportCountsOut, required=True, allow_none=True)
    problems = f.List(f.Nested(ProblemCell), required=True, metadata={"description": "the first 100"})
    problems_total = f.Integer(required=True)
    error_sheet_url = f.String(required=True, allow_none=True)


class ImportRow(Schema):
    import_id = WireId(Kind.IMPORT, required=True)
    state = f.String(required=True)
    message = f.String(required=True)
    source = f.String(required=True)
    rows = f.Integer(required=True, allow_none=True)
    problems_total = f.Integer(required=True)
    by = f.String(required=True, allow_none=True, metadata={"description": "who uploaded it"})
    created_at = Time(required=True)
    applied_at = Time(required=True, allow_none=True)


class ImportList(Schema):
    items = f.List(f.Nested(ImportRow), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class ProblemList(Schema):
    items = f.List(f.Nested(ProblemCell), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class MappingIn(Schema):
    mapping = f.Dict(
        keys=f.String(validate=v.Length(1, 60)),
        values=f.String(validate=v.OneOf([x.value for x in Field])),
        required=True,
        validate=v.Length(max=200),
        metadata={"description": "heading → field"},
    )


class ApplyIn(Schema):
    skip_bad = f.Boolean(
        load_default=False, metadata={"description": "leave the bad rows out; else they stop the whole"}
    )
