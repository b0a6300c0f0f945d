"""Text messages as staff handle them: templates, providers, lists of numbers, campaigns."""

from __future__ import annotations

import marshmallow as ma

from app.ids import Kind
from app.messaging.campaign_models import AsOf, AudienceType, CampaignState
from app.messaging.recipient_lists import MOST_ROWS
from app.messaging.sms_models import Channel, MappingState, MessageState, TemplateKind
from app.messaging.templates import Fill
from bff.schemas import Date, PageQuery, Phone, Query, Schema, Text, Time, WireId

f = ma.fields
v = ma.validate
_NAME = v.Regexp(r"\A[a-z][a-z0-9_]{0,19}\Z")


class SmsParameter(Schema):
    name = f.String(required=True, validate=_NAME)
    longest = f.Integer(required=True, strict=True, validate=v.Range(1, 100))
    fill = f.String(
        load_default=Fill.CAMPAIGN.value,
        validate=v.OneOf([x.value for x in Fill]),
        metadata={"description": "campaign: one value for all; estate, room, list: of each recipient"},
    )
    title = Text(
        most=12,
        load_default=None,
        allow_none=True,
        metadata={"description": "what people call it, as whoever fills it in reads it"},
    )


def _parameters(**more: object) -> f.List:
    return f.List(f.Nested(SmsParameter), validate=v.Length(max=10), **more)  # type: ignore[arg-type]


class SmsTemplateIn(Schema):
    name = Text(most=40, least=2, required=True)
    kind = f.String(required=True, validate=v.OneOf([k.value for k in TemplateKind]))
    sign = Text(most=12, least=2, required=True, metadata={"description": "the signature without its 【】"})
    text = Text(
        most=490, least=2, required=True, metadata={"description": "parameters as {name}, in lower case"}
    )
    parameters = _parameters(load_default=list)


class SmsTemplateChange(Schema):
    name = Text(most=40, least=2)
    sign = Text(most=12, least=2)
    text = Text(most=490, least=2)
    parameters = _parameters()


class SmsMappingIn(Schema):
    vendor_code = Text(most=40, least=1, required=True)
    parameters = f.List(
        f.String(validate=_NAME),
        load_default=list,
        validate=v.Length(max=10),
        metadata={"description": "our names in the order of the vendor's variables"},
    )
    longest = f.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        validate=v.Range(1, 100),
        metadata={"description": "what the vendor allows in any variable, where it is stricter"},
    )
    state = f.String(required=True, validate=v.OneOf([s.value for s in MappingState]))


class SmsMappingOut(Schema):
    provider = f.String(required=True)
    vendor_code = f.String(required=True)
    parameters = f.List(f.String(), required=True)
    longest = f.Integer(required=True, allow_none=True)
    state = f.String(required=True)
    usable = f.Boolean(required=True)
    why_not = f.String(required=True, allow_none=True)


class SmsTemplateOut(Schema):
    template_id = WireId(Kind.SMS_TEMPLATE, required=True)
    name = f.String(required=True)
    kind = f.String(required=True)
    sign = f.String(required=True)
    text = f.String(required=True)
    parameters = f.List(f.Nested(SmsParameter), required=True)
    state = f.String(required=True)
    version = f.Integer(required=True)
    created_at = Time(required=True)
    approved_at = Time(required=True, allow_none=True)
    mappings = f.List(f.Nested(SmsMappingOut), required=True)


class SmsTemplateList(Schema):
    items = f.List(f.Nested(SmsTemplateOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class SmsCap(Schema):
    scope = f.String(required=True, validate=v.OneOf(["number", "template"]))
    most = f.Integer(required=True, strict=True, validate=v.Range(1, 1000))
    source = Text(most=200, least=2, required=True)
    as_of = Date(required=True)


class SmsProviderChange(Schema):
    is_enabled = f.Boolean(truthy={True}, falsy={False})
    weight = f.Integer(strict=True, validate=v.Range(0, 100))
    calls_per_s = f.Integer(strict=True, validate=v.Range(1, 5000))
    batch_same = f.Integer(strict=True, validate=v.Range(1, 1000))
    batch_personal = f.Integer(strict=True, validate=v.Range(1, 100))
    price_centi = f.Integer(
        strict=True, validate=v.Range(0, 100_000), metadata={"description": "a part, in 0.01 fen"}
    )
    source = Text(most=200, least=2)
    caps = f.List(f.Nested(SmsCap), validate=v.Length(max=2))


class SmsProviderOut(Schema):
    code = f.String(required=True)
    is_enabled = f.Boolean(required=True)
    weight = f.Integer(required=True)
    calls_per_s = f.Integer(required=True)
    batch_same = f.Integer(required=True)
    batch_personal = f.Integer(required=True)
    price_centi = f.Integer(required=True)
    source = f.String(required=True)
    caps = f.List(f.Nested(SmsCap), required=True)
    version = f.Integer(required=True)


class SmsProviderList(Schema):
    items = f.List(f.Nested(SmsProviderOut), required=True)


class OptOutQuery(Query):
    phone = Phone(required=True)


class OptOutIn(Schema):
    phone = Phone(required=True)


class OptOutOut(Schema):
    phone = f.String(required=True, metadata={"description": "masked"})
    opted_out = f.Boolean(required=True)
    source = f.String(required=True, allow_none=True)
    word = f.String(required=True, allow_none=True)
    at = Time(required=True, allow_none=True)


class ListRow(Schema):
    phone = f.String(required=True, validate=v.Length(max=40))
    values = f.Dict(
        keys=f.String(validate=_NAME), values=Text(most=100), load_default=dict, validate=v.Length(max=10)
    )


class RecipientListIn(Schema):
    name = Text(most=60, least=2, required=True)
    community_id = WireId(Kind.COMMUNITY, load_default=None, allow_none=True)
    rows = f.List(f.Nested(ListRow), required=True, validate=v.Length(min=1, max=MOST_ROWS))


class RecipientListForm(Schema):
    name = Text(most=60, least=2, required=True)
    community_id = WireId(Kind.COMMUNITY, load_default=None, allow_none=True)


class ListProblem(Schema):
    row = f.Integer(
        required=True, metadata={"description": "of the list or of the sheet, from 1; 0: the file"}
    )
    code = f.String(required=True)


class RecipientListOut(Schema):
    list_id = WireId(Kind.RECIPIENT_LIST, required=True)
    name = f.String(required=True)
    state = f.String(required=True)
    done = f.Integer(required=True)
    total = f.Integer(required=True)
    good = f.Integer(required=True)
    message = f.String(required=True)
    columns = f.List(f.String(), required=True)
    problems = f.List(f.Nested(ListProblem), required=True)
    created_at = Time(required=True)


class RecipientListList(Schema):
    items = f.List(f.Nested(RecipientListOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class ListJobOut(Schema):
    job_id = WireId(Kind.RECIPIENT_LIST, required=True)
    status_url = f.String(required=True)


class AudienceIn(Schema):
    type = f.String(required=True, validate=v.OneOf([t.value for t in AudienceType]))
    ids = f.List(
        f.String(validate=v.Length(min=1, max=60)),
        required=True,
        validate=v.Length(min=1, max=500),
        metadata={"description": "opaque ids of that type; of a focus group its code"},
    )
    as_of = f.String(load_default=AsOf.LAUNCH.value, validate=v.OneOf([a.value for a in AsOf]))


class AudienceOut(Schema):
    type = f.String(required=True)
    ids = f.List(f.String(), required=True)
    as_of = f.String(required=True)


class _CampaignFields(Schema):
    params = f.Dict(keys=f.String(validate=_NAME), values=Text(most=100), validate=v.Length(max=10))
    channels = f.List(f.String(validate=v.OneOf([c.value for c in Channel])), validate=v.Length(min=1, max=2))
    sms_after_min = f.Integer(
        strict=True,
        allow_none=True,
        validate=v.Range(1, 7 * 24 * 60),
        metadata={"description": "with both channels: SMS to who hasn't read WeChat after so many minutes"},
    )
    send_at = Time(allow_none=True)


class CampaignIn(_CampaignFields):
    title = Text(most=60, least=2, load_default=None, allow_none=True)
    template_id = WireId(Kind.SMS_TEMPLATE, required=True)
    audience = f.Nested(AudienceIn, required=True)


class CampaignChange(_CampaignFields):
    title = Text(most=60, least=2)
    template_id = WireId(Kind.SMS_TEMPLATE)
    audience = f.Nested(AudienceIn)


class CampaignReasonIn(Schema):
    reason = Text(most=200, least=2, required=True)


class SmsSample(Schema):
    phone = f.String(required=True)
    text = f.String(required=True)
    length = f.Integer(required=True)
    segments = f.Integer(required=True)


class SmsRoute(Schema):
    code = f.String(required=True)
    usable = f.Boolean(required=True)
    why_not = f.String(required=True, allow_none=True)
    weight = f.Integer(required=True)
    numbers_per_call = f.Integer(required=True)
    calls_per_s = f.Integer(required=True)


class CampaignPreview(Schema):
    recipients = f.Integer(required=True)
    excluded = f.Dict(keys=f.String(), values=f.Integer(), required=True)
    segments = f.Integer(required=True)
    cost_fen = f.Integer(required=True)
    samples = f.List(f.Nested(SmsSample), required=True)
    est_seconds = f.Dict(keys=f.String(), values=f.Integer(), required=True)
    providers = f.List(f.Nested(SmsRoute), required=True)
    at = f.String(required=True)


class CampaignPreviewJob(Schema):
    job_id = WireId(Kind.PREVIEW, required=True)
    status_url = f.String(required=True)


class CampaignPreviewState(Schema):
    job_id = WireId(Kind.PREVIEW, required=True)
    state = f.String(required=True, metadata={"description": "running or done"})
    done = f.Integer(required=True)
    total = f.Integer(required=True)
    message = f.String(required=True)
    preview = f.Nested(CampaignPreview, required=True, allow_none=True)


class CampaignOut(Schema):
    campaign_id = WireId(Kind.CAMPAIGN, required=True)
    title = f.String(required=True)
    state = f.String(required=True)
    template_id = WireId(Kind.SMS_TEMPLATE, required=True)
    params = f.Dict(keys=f.String(), values=f.String(), required=True)
    audience = f.Nested(AudienceOut, required=True)
    channels = f.List(f.String(), required=True)
    sms_after_min = f.Integer(required=True, allow_none=True)
    send_at = Time(required=True, allow_none=True)
    size = f.Integer(required=True, allow_none=True)
    note = f.String(required=True, allow_none=True)
    preview = f.Nested(CampaignPreview, required=True, allow_none=True)
    moves = f.List(f.String(), required=True)
    version = f.Integer(required=True)
    created_at = Time(required=True)
    submitted_at = Time(required=True, allow_none=True)
    approved_at = Time(required=True, allow_none=True)
    launched_at = Time(required=True, allow_none=True)
    started_at = Time(required=True, allow_none=True)
    ended_at = Time(required=True, allow_none=True)


class CampaignQuery(PageQuery):
    state = f.String(load_default=None, validate=v.OneOf([s.value for s in CampaignState]))


class CampaignList(Schema):
    items = f.List(f.Nested(CampaignOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class ProviderShare(Schema):
    name = f.String(required=True)
    share = f.Float(required=True)
    p95_ms = f.Integer(required=True, allow_none=True)
    errors = f.Integer(required=True)


class CampaignFailure(Schema):
    status = f.String(required=True, metadata={"description": "refused, failed, unknown or cancelled"})
    fault = f.String(required=True, allow_none=True)
    code = f.String(required=True, allow_none=True, metadata={"description": "the vendor's word, or ours"})
    count = f.Integer(required=True, attribute="number")
    is_mendable = f.Boolean(
        required=True, metadata={"description": "`retry-failed` sends these again, once the cause is mended"}
    )


class CampaignProgress(Schema):
    state = f.String(required=True)
    total = f.Integer(required=True)
    by_status = f.Dict(keys=f.String(), values=f.Integer(), required=True)
    excluded = f.Dict(keys=f.String(), values=f.Integer(), required=True)
    is_expanding = f.Boolean(required=True)
    is_settling = f.Boolean(
        required=True,
        metadata={
            "description": "all have left; of those that are `unknown` the vendor's word is waited for"
        },
    )
    message = f.String(required=True, metadata={"description": "where it stands, in a sentence"})
    rate_per_s = f.Float(required=True)
    eta = Time(required=True, allow_none=True)
    providers = f.List(f.Nested(ProviderShare), required=True)
    failures = f.List(f.Nested(CampaignFailure), required=True)


class SmsMessageQuery(PageQuery):
    status = f.String(load_default=None, validate=v.OneOf([s.value for s in MessageState]))


class SmsMessageOut(Schema):
    message_id = WireId(Kind.SMS_MESSAGE, required=True)
    phone = f.String(required=True, metadata={"description": "masked"})
    status = f.String(required=True)
    channel = f.String(required=True)
    provider = f.String(required=True, allow_none=True)
    code = f.String(required=True, allow_none=True)
    fault = f.String(required=True, allow_none=True)
    segments = f.Integer(required=True, allow_none=True)
    sent_at = Time(required=True, allow_none=True)
    settled_at = Time(required=True, allow_none=True)


class SmsMessageList(Schema):
    items = f.List(f.Nested(SmsMessageOut), required=True)
    next_cursor = f.String(required=True, allow_none=True)


class RetriedOut(CampaignOut):
    retried = f.Integer(required=True)
