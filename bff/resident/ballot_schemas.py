"""Casting as residents do it: choices in; receipt, promise and opening out."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from bff.schemas import Choice, Phone, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


class BallotIn(Schema):
    choices = f.Dict(
        keys=f.String(),
        values=Choice(),
        required=True,
        metadata={
            "description": "motion id → for, against, abstain; in an election the ids of candidates ([] abstains)"
        },
    )


class PromiseOut(Schema):
    alg = f.String(required=True)
    key_id = f.String(required=True)
    decision = f.String(required=True)
    leaf = f.String(required=True)
    promised_at = f.String(required=True)
    within_s = f.Integer(
        required=True, metadata={"description": "the leaf is in the log within so many seconds"}
    )
    signature = f.String(required=True, metadata={"description": "Ed25519, in hex"})


class OpeningOut(Schema):
    salt = f.String(required=True, metadata={"description": "32 bytes in hex: keep it to yourself"})
    head_id = f.String(required=True)
    rev = f.Integer(required=True)
    choices = f.Dict(required=True)
    area_centi = f.Integer(required=True)


class TreeHeadOut(Schema):
    alg = f.String(required=True)
    key_id = f.String(required=True)
    decision = f.String(required=True)
    size = f.Integer(required=True)
    root = f.String(required=True)
    signed_at = f.String(required=True)
    signature = f.String(required=True)


class ProofOut(Schema):
    leaf_index = f.Integer(required=True)
    tree_size = f.Integer(required=True)
    path = f.List(f.String(), required=True)
    head = f.Nested(TreeHeadOut, required=True)


class BallotOut(Schema):
    receipt = f.String(
        required=True, metadata={"description": "hash of the ballot's leaf in the log, in hex"}
    )
    decision_id = f.String(required=True)
    tag = f.String(required=True, metadata={"description": "how the log calls this head"})
    promise = f.Nested(PromiseOut, required=True)
    opening = f.Nested(OpeningOut, required=True)
    leaf_index = f.Integer(
        required=True, allow_none=True, metadata={"description": "null: not in the log yet"}
    )
    proof = f.Nested(ProofOut, required=True, allow_none=True)
    cast_at = Time(required=True)
    channel = f.String(required=True, metadata={"description": "online, paper"})
    capacity = f.String(required=True, metadata={"description": "owner voter proxy agent new_owner"})


class ProxyIn(Schema):
    head_id = WireId(Kind.HEAD, load_default=None, allow_none=True)
    capacity = f.String(load_default="proxy", validate=v.OneOf(["proxy", "agent"]))
    name = Text(most=60, least=1, required=True)
    phone = Phone(required=True, metadata={"description": "with which the proxy uses the mini-program"})
    is_property_staff = f.Boolean(
        load_default=False,
        metadata={"description": "does she work for the property company (舟山: not allowed)"},
    )
    file_ids = f.List(
        WireId(Kind.UPLOAD),
        required=True,
        validate=v.Length(min=1, max=9),
        metadata={"description": "the signed authorisation, from POST /files"},
    )


class ProxyOut(Schema):
    proxy_id = WireId(Kind.PROXY, required=True)
    head_id = WireId(Kind.HEAD, required=True)
    capacity = f.String(required=True)
    name_masked = f.String(required=True)
    status = f.String(required=True)
    reason = f.String(required=True, allow_none=True)
    created_at = Time(required=True)
    version = f.Integer(required=True)


class ProxyList(Schema):
    items = f.List(f.Nested(ProxyOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class PaperRequestIn(Schema):
    head_id = WireId(Kind.HEAD, load_default=None, allow_none=True)
    wants = f.String(load_default="paper", validate=v.OneOf(["paper", "visit"]))


class PaperRequestOut(Schema):
    head_id = WireId(Kind.HEAD, required=True)
    wants = f.String(required=True)
    created_at = Time(required=True)
    done_at = Time(required=True, allow_none=True)
