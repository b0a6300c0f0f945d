"""Memberships as staff review them: names and phones masked, what is missing in words, papers by permission."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.memberships.models import Level, MembershipStatus, Review
from bff.admin.registry_schemas import OwnerShort
from bff.schemas import Date, PageQuery, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


class MembershipQuery(PageQuery):
    status = f.String(
        load_default=None,
        validate=v.Length(max=60),
        metadata={"description": f"any of {' '.join(MembershipStatus)}, with commas"},
    )
    review = f.String(
        load_default=None,
        validate=v.Length(max=120),
        metadata={"description": f"any of {' '.join(Review)}, with commas"},
    )
    needs_review = f.Boolean(
        load_default=False, metadata={"description": "everything that staff have to look at"}
    )
    estate_id = WireId(Kind.ESTATE, load_default=None)
    house_id = WireId(Kind.HOUSE, load_default=None)


class MissingOut(Schema):
    code = f.String(required=True)
    text = f.String(required=True)


class VoteOut(Schema):
    may = f.Boolean(required=True)
    why_not = f.String(required=True, allow_none=True)
    held_until = Time(required=True, allow_none=True)


class MembershipRow(Schema):
    membership_id = WireId(Kind.MEMBERSHIP, required=True)
    house_id = WireId(Kind.HOUSE, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    building = f.String(required=True)
    unit = f.String(required=True)
    number = f.String(required=True)
    relation = f.String(required=True)
    status = f.String(required=True)
    review = f.String(required=True, allow_none=True, metadata={"description": "why it has to be looked at"})
    voter_level = f.String(required=True, allow_none=True)
    basis = f.String(required=True, allow_none=True, metadata={"description": "what it rests on"})
    name_masked = f.String(required=True)
    missing = f.List(f.Nested(MissingOut), required=True, metadata={"description": "what didn't match"})
    evidence_count = f.Integer(required=True)
    objection_count = f.Integer(required=True)
    vote = f.Nested(VoteOut, required=True)
    valid_to = Date(required=True, allow_none=True)
    created_at = Time(required=True)
    updated_at = Time(required=True)
    version = f.Integer(required=True)


class MembershipList(Schema):
    items = f.List(f.Nested(MembershipRow), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class EvidenceOut(Schema):
    file_id = WireId(Kind.UPLOAD, required=True)
    kind = f.String(required=True)
    by = f.String(required=True, metadata={"description": "resident | staff"})
    size_bytes = f.Integer(required=True, allow_none=True)
    attached_at = Time(required=True)
    ready = f.Boolean(required=True)
    url = f.String(required=True, metadata={"description": "needs the permission to review; audited"})


class ObjectionOut(Schema):
    at = Time(required=True)
    text = f.String(required=True, allow_none=True)
    settled_at = Time(required=True, allow_none=True)
    outcome = f.String(required=True, allow_none=True)


class ToldOut(Schema):
    phone_masked = f.String(required=True, allow_none=True)
    owner_id = WireId(Kind.OWNER, required=True)
    at = Time(required=True)
    reached = f.Boolean(required=True, metadata={"description": "false: nobody holds this phone in WeChat"})


class MemberResident(Schema):
    resident_id = WireId(Kind.RESIDENT, required=True)
    nickname = f.String(required=True, allow_none=True)
    phone_masked = f.String(required=True, allow_none=True)
    phone_verified_at = Time(required=True, allow_none=True)


class MembershipDetail(MembershipRow):
    owner = f.Nested(OwnerShort, required=True, allow_none=True, metadata={"description": "of the registry"})
    owners = f.List(f.Nested(OwnerShort), required=True, metadata={"description": "of the house today"})
    resident = f.Nested(
        MemberResident, required=True, allow_none=True, metadata={"description": "null: entered at the door"}
    )
    evidence = f.List(f.Nested(EvidenceOut), required=True)
    objections = f.List(f.Nested(ObjectionOut), required=True)
    told = f.List(f.Nested(ToldOut), required=True, metadata={"description": "phones that had to hear of it"})
    reason = f.String(required=True, allow_none=True)
    decider = f.String(required=True, allow_none=True)
    decided_at = Time(required=True, allow_none=True)
    end_reason = f.String(required=True, allow_none=True)


class ApproveIn(Schema):
    voter_level = f.String(
        load_default=None,
        allow_none=True,
        validate=v.OneOf([level.value for level in Level]),
        metadata={"description": "default: strong for an owner with papers, else weak"},
    )
    owner_id = WireId(Kind.OWNER, load_default=None, metadata={"description": "which owner of the registry"})
    reason = Text(most=200, load_default="")


class DecisionIn(Schema):
    reason = Text(most=200, load_default="", metadata={"description": "needed; for staff only"})


class DoorIn(Schema):
    house_id = WireId(Kind.HOUSE, required=True)
    owner_id = WireId(Kind.OWNER, required=True)
    phone = f.String(
        load_default=None,
        allow_none=True,
        validate=v.Length(max=30),
        metadata={"description": "the owner's; the registry learns it"},
    )
    file_ids = f.List(
        WireId(Kind.UPLOAD),
        required=True,
        validate=v.Length(1, 9),
        metadata={"description": "a photo of the signature at least; POST /files with purpose evidence"},
    )


class OwnersCount(Schema):
    owners = f.Integer(required=True)
    bound = f.Integer(required=True, metadata={"description": "with a vote, or signed at the door"})
    weak = f.Integer(required=True)
    waiting = f.Integer(required=True, metadata={"description": "for staff"})
    unbound = f.Integer(required=True)
    reachable = f.Integer(required=True, metadata={"description": "of those without a vote"})
    to_visit = f.Integer(required=True, metadata={"description": "of those without a vote"})


class BuildingCount(OwnersCount):
    building = f.String(required=True)


class RegistrationOut(Schema):
    estate_id = WireId(Kind.ESTATE, required=True)
    total = f.Nested(OwnersCount, required=True)
    buildings = f.List(f.Nested(BuildingCount), required=True)


class OwnersQuery(PageQuery):
    building = f.String(load_default=None, validate=v.Length(1, 40))
    to_visit = f.Boolean(load_default=False, metadata={"description": "only whom no message reaches"})


class MissingOwner(Schema):
    owner = f.Nested(OwnerShort, required=True)
    houses = f.List(f.String(), required=True)
    level = f.String(required=True, allow_none=True, metadata={"description": "weak | pending | null"})
    reachable = f.Boolean(required=True)
    reminded_on = Date(required=True, allow_none=True)


class MissingOwnerList(Schema):
    items = f.List(f.Nested(MissingOwner), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class RemindIn(Schema):
    building = f.String(load_default=None, allow_none=True, validate=v.Length(1, 40))


class RemindedOut(Schema):
    reminded = f.Integer(required=True)
    already_today = f.Integer(required=True)
    to_visit = f.Integer(required=True)
    left = f.Integer(required=True, metadata={"description": "call again"})
