"""Logins, accounts, roles and the audit log, as staff send and see them. Every field is listed."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.people.models import Role, StaffStatus
from bff.schemas import PageQuery, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate


def _password(**kwargs: object) -> f.String:
    return f.String(validate=v.Length(1, 200), **kwargs)  # type: ignore[arg-type]  # marshmallow's own keywords


def _code(**kwargs: object) -> f.String:
    about = {"description": "six digits of the authenticator, or a recovery code"}
    return f.String(validate=v.Length(1, 40), metadata=about, **kwargs)  # type: ignore[arg-type]


class ProofIn(Schema):
    password = _password(required=True)
    totp = _code(load_default=None, allow_none=True)


class PasswordIn(ProofIn):
    new_password = _password(required=True)


class CodeIn(Schema):
    totp = f.String(required=True, validate=v.Regexp(r"^\d{3} ?\d{3}$"))


class EnrolmentOut(Schema):
    secret = f.String(required=True, metadata={"description": "base32, to be typed"})
    uri = f.String(required=True, metadata={"description": "otpauth://, behind the QR code"})
    qr = f.String(required=True, metadata={"description": "the QR code, an SVG picture as a data: address"})


class CodesOut(Schema):
    recovery_codes = f.List(
        f.String(), required=True, metadata={"description": "each works once; shown in this answer only"}
    )


class MySessionOut(Schema):
    session_id = WireId(Kind.SESSION, required=True)
    current = f.Boolean(required=True)
    mode = f.String(required=True, metadata={"description": "cookie | token"})
    created_at = Time(required=True)
    seen_at = Time(required=True)
    expires_at = Time(required=True)
    client = f.String(allow_none=True, required=True)
    address = f.String(allow_none=True, required=True)


class MySessionList(Schema):
    items = f.List(f.Nested(MySessionOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


# --- accounts and roles ----------------------------------------------------------------------------------


class RoleOut(Schema):
    role_id = WireId(Kind.ROLE, required=True)
    staff_id = WireId(Kind.STAFF, required=True)
    staff = f.String(required=True)
    role = f.String(required=True)
    role_name = f.String(required=True)
    org_id = WireId(Kind.ORG, required=True)
    org = f.String(required=True)
    area = f.String(required=True, metadata={"description": "what it reaches over, in words"})
    valid_from = f.Date(required=True)
    valid_to = f.Date(allow_none=True, required=True, metadata={"description": "the first day without it"})
    version = f.Integer(required=True)


class RoleList(Schema):
    items = f.List(f.Nested(RoleOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class RoleQuery(PageQuery):
    staff_id = WireId(Kind.STAFF, load_default=None)
    org_id = WireId(Kind.ORG, load_default=None)
    role = f.Enum(Role, by_value=True, load_default=None)
    on = f.Date(load_default=None)


class RoleIn(Schema):
    staff_id = WireId(Kind.STAFF, required=True)
    role = f.Enum(Role, by_value=True, required=True)
    org_id = WireId(Kind.ORG, required=True)
    community_id = WireId(
        Kind.COMMUNITY,
        load_default=None,
        allow_none=True,
        metadata={"description": "roles by region: only this community of the organisation's region"},
    )
    grid_id = WireId(Kind.GRID, load_default=None, allow_none=True)
    valid_from = f.Date(load_default=None, allow_none=True, metadata={"description": "today, when left out"})
    valid_to = f.Date(load_default=None, allow_none=True)


class RoleChange(Schema):
    valid_to = f.Date(required=True, allow_none=True, metadata={"description": "today: ends at once"})


class AccountOut(Schema):
    staff_id = WireId(Kind.STAFF, required=True)
    account = f.String(required=True)
    name = f.String(required=True)
    status = f.String(required=True)
    org_id = WireId(Kind.ORG, allow_none=True, required=True)
    org = f.String(allow_none=True, required=True)
    totp = f.Boolean(required=True, metadata={"description": "is an authenticator set up?"})
    must_change_password = f.Boolean(required=True)
    created_at = Time(required=True)
    roles = f.List(f.Nested(RoleOut), required=True, metadata={"description": "that count today or will"})
    version = f.Integer(required=True)


class AccountMadeOut(AccountOut):
    initial_password = f.String(
        required=True,
        metadata={"description": "for one first login within 7 days; shown in this answer only"},
    )


class AccountList(Schema):
    items = f.List(f.Nested(AccountOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)


class AccountQuery(PageQuery):
    q = Text(most=40, load_default=None, metadata={"description": "beginning of the account, or the name"})
    org_id = WireId(Kind.ORG, load_default=None)
    role = f.Enum(Role, by_value=True, load_default=None)
    status = f.Enum(StaffStatus, by_value=True, load_default=None)


class AccountIn(Schema):
    account = f.String(
        required=True,
        validate=v.Regexp(
            r"^[a-z][a-z0-9._-]{2,39}$",
            error="账号须为 3-40 个小写字母、数字或 . _ -，以字母开头。"
            "|An account is 3-40 small letters, digits or . _ -, beginning with a letter.",
        ),
    )
    name = Text(most=40, least=1, required=True)
    org_id = WireId(Kind.ORG, required=True)


class AccountChange(Schema):
    name = Text(most=40, least=1)
    org_id = WireId(Kind.ORG)
    status = f.Enum(StaffStatus, by_value=True)


# --- the audit log ---------------------------------------------------------------------------------------


class AuditQuery(PageQuery):
    limit = f.Integer(load_default=50, validate=v.Range(1, 100))
    actor = f.String(load_default=None, metadata={"description": "id of staff, a resident or a source"})
    action = Text(
        most=64, load_default=None, metadata={"description": "exact, or a beginning that ends in a dot"}
    )
    object = f.String(load_default=None, metadata={"description": "id of what it was done to"})
    since = Time(load_default=None, metadata={"description": "without it: the last 31 days"})
    until = Time(load_default=None)


class AuditActorOut(Schema):
    kind = f.String(required=True)
    id = f.String(allow_none=True, required=True)
    name = f.String(allow_none=True, required=True, metadata={"description": "of staff only"})


class AuditObjectOut(Schema):
    kind = f.String(required=True)
    id = f.String(allow_none=True, required=True)


class AuditOut(Schema):
    at = Time(required=True)
    actor = f.Nested(AuditActorOut, required=True)
    action = f.String(required=True)
    object = f.Nested(AuditObjectOut, required=True)
    community = f.String(allow_none=True, required=True)
    details = f.Dict(required=True)


class AuditList(Schema):
    items = f.List(f.Nested(AuditOut), required=True)
    next_cursor = f.String(allow_none=True, required=True)
