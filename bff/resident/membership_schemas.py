"""Memberships as residents ask for and see them: of others only a masked name, and never why something didn't match."""

from __future__ import annotations

import marshmallow as ma
from flask_smorest.fields import Upload

from app.ids import Kind
from app.memberships.models import Relation
from bff.schemas import Date, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


class EvidenceFile(ma.Schema):
    file = Upload(required=True)


class EvidenceForm(Schema):
    purpose = f.String(load_default="evidence", validate=v.OneOf(["evidence"]))


class EvidenceOut(Schema):
    file_id = WireId(Kind.UPLOAD, required=True)
    kind = f.String(required=True, metadata={"description": "jpeg png webp heic pdf"})
    size_bytes = f.Integer(required=True)
    created_at = Time(required=True)
    attached = f.Boolean(required=True, metadata={"description": "in use; else it goes after 24 hours"})


class MembershipIn(Schema):
    house_id = WireId(Kind.HOUSE, required=True)
    relation = f.String(required=True, validate=v.OneOf([r.value for r in Relation]))
    name = Text(most=60, least=1, required=True)
    id_number_last6 = f.String(
        load_default=None,
        allow_none=True,
        validate=v.Regexp(r"^\d{5}[0-9Xx]$", error="请填身份证号的后六位。|Give the last six of the number."),
    )
    evidence_file_ids = f.List(
        WireId(Kind.UPLOAD),
        load_default=list,
        validate=v.Length(max=9),
        metadata={"description": "from POST /files; photos from POST /photos are taken as well"},
    )
    valid_to = Date(
        load_default=None,
        allow_none=True,
        metadata={"description": "of a tenant: the first day after the lease"},
    )


class MembershipPending(Schema):
    membership_id = WireId(Kind.MEMBERSHIP, required=True)
    status = f.String(required=True, metadata={"description": "pending"})


class VoteOut(Schema):
    may = f.Boolean(required=True)
    why_not = f.String(
        required=True,
        allow_none=True,
        metadata={"description": "not_verified | not_an_owner | weak_identity | under_review | phone_reused"},
    )
    held_until = Time(required=True, allow_none=True)


class MembershipOut(Schema):
    membership_id = WireId(Kind.MEMBERSHIP, required=True)
    house_id = WireId(Kind.HOUSE, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    estate = f.String(required=True)
    building = f.String(required=True)
    unit = f.String(required=True)
    number = f.String(required=True)
    relation = f.String(required=True)
    name_masked = f.String(required=True)
    status = f.String(required=True, metadata={"description": "pending verified refused ended"})
    voter_level = f.String(
        required=True,
        allow_none=True,
        metadata={"description": "strong (votes) | weak (information, tickets) | suspended | null"},
    )
    under_review = f.Boolean(required=True)
    vote = f.Nested(VoteOut, required=True)
    valid_to = Date(required=True, allow_none=True)
    is_mine = f.Boolean(required=True)
    may = f.List(
        f.String(), required=True, metadata={"description": "what I may do: leave remove confirm object"}
    )
    created_at = Time(required=True)
    version = f.Integer(required=True)


class MembershipList(Schema):
    items = f.List(f.Nested(MembershipOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class ObjectionIn(Schema):
    text = Text(most=500, load_default=None, allow_none=True)


class MemberOut(MembershipOut):
    resident_id = WireId(Kind.RESIDENT, required=True, allow_none=True)


class MemberList(Schema):
    items = f.List(f.Nested(MemberOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class VoterIn(Schema):
    resident = WireId(Kind.RESIDENT, required=True)


class CoOwnerOut(Schema):
    name_masked = f.String(required=True)
    resident_id = WireId(Kind.RESIDENT, required=True, allow_none=True)
    is_verified = f.Boolean(required=True, metadata={"description": "bound with a vote: has to confirm"})
    is_voter = f.Boolean(required=True)
    confirmed = f.Boolean(required=True, metadata={"description": "has named the one who is proposed"})
    chose_name_masked = f.String(required=True, allow_none=True)


class VoterOut(Schema):
    house_id = WireId(Kind.HOUSE, required=True)
    voter_name_masked = f.String(required=True, allow_none=True)
    agreed = f.Boolean(required=True, metadata={"description": "all verified co-owners named the voter"})
    co_owners = f.List(f.Nested(CoOwnerOut), required=True)


class MembershipShort(Schema):
    membership_id = WireId(Kind.MEMBERSHIP, required=True)
    house_id = WireId(Kind.HOUSE, required=True)
    estate_id = WireId(Kind.ESTATE, required=True)
    house = f.String(required=True)
    relation = f.String(required=True)
    status = f.String(required=True)
    voter_level = f.String(required=True, allow_none=True)
