"""Texts that may be sent: written by one person, approved by another, and never changed after that."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from app import audit, clock, db, ids
from app.errors import NotFound, StaleVersion
from app.messaging.providers import communities_of
from app.messaging.sms_errors import (
    BadTemplate,
    ParameterMissing,
    ParameterTooLong,
    ParameterUnknown,
    SecondPersonNeeded,
    TemplateFixed,
    TemplateNotApproved,
    UrlInParameter,
)
from app.messaging.sms_models import (
    MappingState,
    SmsProvider,
    SmsTemplate,
    SmsTemplateMapping,
    TemplateKind,
    TemplateState,
)
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places

LONGEST = 500  # characters with the signature, of either vendor
_BLANK = re.compile(r"\{([a-z][a-z0-9_]{0,19})\}")
# Whatever a phone would make a link of. Vendors refuse it in a variable (isv.PARAM_NOT_SUPPORT_URL).
_URL = re.compile(
    r"https?:|www\.|weixin://|[a-z0-9-]+\.(?:com|cn|net|org|gov|edu|cc|top|xyz|vip|club|shop|site|link|ltd|me|io)(?![a-z0-9-])",
    re.IGNORECASE,
)


class Fill(StrEnum):
    """Where a parameter's value comes from."""

    CAMPAIGN = "campaign"
    ESTATE = "estate"
    ROOM = "room"
    LIST = "list"


class Parameter(NamedTuple):
    """A blank of a template: at most `longest` characters. `title`: what people call it, if anything."""

    name: str
    longest: int
    fill: Fill
    title: str | None = None


# --- reading -----------------------------------------------------------------------------------------------


def template(template_id: UUID, *, lock: bool = False) -> SmsTemplate:
    """A template. Raises NotFound."""
    found = db.session().get(SmsTemplate, template_id, with_for_update=lock or None, populate_existing=lock)
    if found is None:
        raise NotFound
    return found


def _regions(staff: StaffActor, permission: Permission) -> set[int]:
    """Whose templates the member of staff may use: of the regions she works for, and of those above them."""
    own = {g.region_id for g in staff.grants if permission in g.permissions and g.region_id is not None}
    return own | {above for region_id in own for above in places.regions_above(region_id)}


def template_for(
    staff: StaffActor,
    template_id: UUID,
    permission: Permission = Permission.CAMPAIGN_VIEW,
    *,
    lock: bool = False,
) -> SmsTemplate:
    """A template of one's street. Raises NotFound."""
    found = template(template_id, lock=lock)
    if found.region_id not in _regions(staff, permission):
        raise NotFound
    return found


def listed(staff: StaffActor, *, limit: int, before: UUID | None = None) -> list[SmsTemplate]:
    """The templates of one's street, the newest first."""
    mine = _regions(staff, Permission.CAMPAIGN_VIEW)
    query = (
        select(SmsTemplate)
        .where(SmsTemplate.region_id.in_(mine))
        .order_by(SmsTemplate.id.desc())
        .limit(limit)
    )
    return list(db.session().scalars(query.where(SmsTemplate.id < before) if before else query))


def mappings_of(template_id: UUID) -> list[SmsTemplateMapping]:
    """What the template is called at each vendor."""
    return list(
        db.session().scalars(
            select(SmsTemplateMapping)
            .where(SmsTemplateMapping.template_id == template_id)
            .order_by(SmsTemplateMapping.provider_code)
        )
    )


def parameters_of(row: SmsTemplate) -> list[Parameter]:
    """Its parameters in the order of the text."""
    return [Parameter(p["name"], p["longest"], Fill(p["fill"]), p.get("title")) for p in row.parameters]


def blanks_in(text: str) -> list[tuple[int, int, str]]:
    """The blanks of a text in their order: from where to where each stands, and its name."""
    return [(found.start(), found.end(), found[1]) for found in _BLANK.finditer(text)]


def is_personal(row: SmsTemplate) -> bool:
    """Do recipients get different texts?"""
    return any(p.fill is not Fill.CAMPAIGN for p in parameters_of(row))


def rendered(row: SmsTemplate, values: Sequence[str]) -> str:
    """The text with its blanks filled, `values` in the order of the parameters."""
    by_name = {p.name: value for p, value in zip(parameters_of(row), values, strict=True)}
    return _BLANK.sub(lambda found: by_name[found[1]], row.text)


def check_params(row: SmsTemplate, params: Mapping[str, str]) -> None:
    """Are these values of a campaign all that the template asks of it, short enough, and without links?

    Raises ParameterMissing, ParameterUnknown, ParameterTooLong, UrlInParameter; each names its fields.
    """
    asked = {p.name: p for p in parameters_of(row) if p.fill is Fill.CAMPAIGN}
    for refusal, fields in (
        (ParameterUnknown, [name for name in params if name not in asked]),
        (ParameterMissing, [name for name in asked if not params.get(name, "").strip()]),
        (ParameterTooLong, [name for name, p in asked.items() if len(params.get(name, "")) > p.longest]),
        (UrlInParameter, [name for name in asked if has_url(params.get(name, ""))]),
    ):
        if fields:
            raise refusal(errors={f"params.{name}": [(refusal.zh, refusal.en)] for name in fields})


def has_url(text: str) -> bool:
    """Would a phone make a link of it?"""
    return _URL.search(text) is not None


# --- writing -----------------------------------------------------------------------------------------------


def draft(
    *,
    name: str,
    kind: TemplateKind,
    sign: str,
    text: str,
    parameters: Sequence[Parameter],
    acting_user: StaffActor,
) -> SmsTemplate:
    """A new template; its kind stays. Raises BadTemplate."""
    now = clock.now()
    offices = {
        g.region_id
        for g in acting_user.grants
        if Permission.SMS_TEMPLATE_EDIT in g.permissions and g.region_id is not None
    }
    made = SmsTemplate(
        id=ids.new_id(),
        region_id=min(offices),
        name=name,
        kind=kind,
        sign=sign,
        text=text,
        parameters=_in_order(sign, text, parameters),
        state=TemplateState.DRAFT,
        version=1,
        created_by=acting_user.id,
        created_at=now,
        updated_at=now,
    )
    db.session().add(made)
    _record(made, "sms.template_drafted", acting_user, kind=kind.value)
    return made


def redraft(
    template_id: UUID,
    *,
    changes: Mapping[str, Any],
    parameters: Sequence[Parameter] | None,
    version: int | None,
    acting_user: StaffActor,
) -> SmsTemplate:
    """Change name, signature, text or parameters of a draft; never its kind.

    Raises NotFound, StaleVersion, TemplateFixed, BadTemplate.
    """
    row = template_for(acting_user, template_id, Permission.SMS_TEMPLATE_EDIT, lock=True)
    _expect(row, version)
    if row.state != TemplateState.DRAFT:
        raise TemplateFixed
    for field, value in changes.items():
        setattr(row, field, value)
    row.parameters = _in_order(
        row.sign, row.text, parameters if parameters is not None else parameters_of(row)
    )
    # Who rewrote it wrote it: the second person is somebody else.
    row.created_by = acting_user.id
    _touch(row)
    _record(row, "sms.template_changed", acting_user)
    return row


def approve(template_id: UUID, *, version: int | None, acting_user: StaffActor) -> SmsTemplate:
    """Approve what somebody else wrote. Raises NotFound, StaleVersion, TemplateFixed, SecondPersonNeeded."""
    row = template_for(acting_user, template_id, Permission.SMS_TEMPLATE_APPROVE, lock=True)
    _expect(row, version)
    if row.state != TemplateState.DRAFT:
        raise TemplateFixed
    if row.created_by == acting_user.id:
        raise SecondPersonNeeded
    row.state, row.approved_by, row.approved_at = TemplateState.APPROVED, acting_user.id, clock.now()
    _touch(row)
    _record(row, "sms.template_approved", acting_user)
    return row


def retire(template_id: UUID, *, version: int | None, acting_user: StaffActor) -> SmsTemplate:
    """No new campaign uses it. Raises NotFound, StaleVersion, TemplateNotApproved."""
    row = template_for(acting_user, template_id, Permission.SMS_TEMPLATE_APPROVE, lock=True)
    _expect(row, version)
    if row.state != TemplateState.APPROVED:
        raise TemplateNotApproved
    row.state = TemplateState.RETIRED
    _touch(row)
    _record(row, "sms.template_retired", acting_user)
    return row


def map_to(
    template_id: UUID,
    provider_code: str,
    *,
    vendor_code: str,
    parameters: Sequence[str],
    longest: int | None,
    state: MappingState,
    acting_user: StaffActor,
) -> SmsTemplate:
    """What the template is called at a vendor, in which order it takes the parameters, and whether it was approved
    there. Raises NotFound, ParameterUnknown.
    """
    row = template_for(acting_user, template_id, Permission.SMS_TEMPLATE_EDIT, lock=True)
    if db.session().get(SmsProvider, provider_code) is None:
        raise NotFound
    names = {p.name for p in parameters_of(row)}
    if not set(parameters) <= names or len(set(parameters)) != len(parameters):
        raise ParameterUnknown(errors={"parameters": [(ParameterUnknown.zh, ParameterUnknown.en)]})
    found = db.session().get(SmsTemplateMapping, (template_id, provider_code))
    if found is None:
        found = SmsTemplateMapping(template_id=template_id, provider_code=provider_code)
        db.session().add(found)
    found.vendor_code, found.parameters = vendor_code, list(parameters)
    found.longest, found.state = longest, state
    found.updated_by, found.updated_at = acting_user.id, clock.now()
    _touch(row)
    _record(row, "sms.template_mapped", acting_user, provider=provider_code, state=state.value)
    db.session().flush()  # the answer reads the mappings from the table
    return row


def _expect(row: SmsTemplate, version: int | None) -> None:
    if version is not None and version != row.version:
        raise StaleVersion


def _touch(row: SmsTemplate) -> None:
    row.version += 1
    row.updated_at = clock.now()


def _in_order(sign: str, text: str, parameters: Sequence[Parameter]) -> list[Any]:
    """The parameters in the order of the text. Raises BadTemplate."""
    blanks = Counter(_BLANK.findall(text))
    by_name = {p.name: p for p in parameters}
    longest = len(sign) + 2 + len(_BLANK.sub("", text)) + sum(blanks[p.name] * p.longest for p in parameters)
    for wrong, why in (
        (
            "{" in _BLANK.sub("", text) or "}" in _BLANK.sub("", text),
            ("花括号只用于空白", "braces only for parameters"),
        ),
        (
            "【" in text + sign or "】" in text + sign,
            ("【】只用于签名，由系统添加", "【】 is added by itself"),
        ),
        (len(by_name) != len(parameters), ("空白重名", "a parameter twice")),
        (set(blanks) != set(by_name), ("空白与内容不一致", "text and parameters differ")),
        (longest > LONGEST, (f"填满以后超过 {LONGEST} 字", f"longer than {LONGEST} characters")),
    ):
        if wrong:
            raise BadTemplate(zh_why=why[0], en_why=why[1])
    return [by_name[name]._asdict() | {"fill": by_name[name].fill.value} for name in blanks]


def _record(row: SmsTemplate, action: str, staff: StaffActor, **details: Any) -> None:
    audit.record(
        staff.actor,
        action,
        community_id=min(communities_of(staff, Permission.SMS_TEMPLATE_EDIT), default=ids.lane_of(staff.id)),
        object_kind="sms_template",
        object_id=row.id,
        **details,
    )
