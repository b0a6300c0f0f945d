"""What each error code of a vendor means for the message: one of the four outcomes, who can help, and who says so.

What isn't listed is *unknown*: a code nobody has read about must not lead to a second message. `unknown` also stands
where the vendor's own text leaves it open whether anything went out (its inner time-outs).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from app.adapters.outcome import Outcome
from app.adapters.sms import Fault


class Source(StrEnum):
    """Who says what a code means."""

    ALIYUN_CODES = "help.aliyun.com, SMS: API error codes (101346) and the lists of its API pages"
    ALIYUN_GATEWAY = "help.aliyun.com, common errors of the API gateway"
    TENCENT_SDK = "tencentcloud-sdk-python-sms, sms/v20210111/errorcodes.py, comment of the code"
    TENCENT_COMMON = "cloud.tencent.com/document/api/382/52068, common error codes"
    ASSUMED = "not documented; read as the careful reading of its name"


class Meaning(NamedTuple):
    """What follows from a code."""

    outcome: Outcome
    fault: Fault | None
    source: Source


NOT_LISTED = Meaning(Outcome.UNKNOWN, Fault.VENDOR, Source.ASSUMED)


def _rows(outcome: Outcome, fault: Fault, source: Source, codes: str) -> Iterable[tuple[str, Meaning]]:
    return ((code, Meaning(outcome, fault, source)) for code in codes.split())


_R, _T, _U = Outcome.REFUSED, Outcome.THROTTLED, Outcome.UNKNOWN

ALIYUN: Mapping[str, Meaning] = dict(
    [
        ("OK", Meaning(Outcome.ACCEPTED, None, Source.ALIYUN_CODES)),
        *_rows(_R, Fault.NUMBER, Source.ALIYUN_CODES, "isv.MOBILE_NUMBER_ILLEGAL"),
        # Minute, hour or day of one number and template; which of them only the message says.
        *_rows(_T, Fault.CAP, Source.ALIYUN_CODES, "isv.BUSINESS_LIMIT_CONTROL"),
        *_rows(
            _R,
            Fault.MESSAGE,
            Source.ALIYUN_CODES,
            """
            isv.MOBILE_COUNT_OVER_LIMIT isv.INVALID_PARAMETERS isv.INVALID_JSON_PARAM isv.TEMPLATE_MISSING_PARAMETERS
            isv.TEMPLATE_PARAMS_ILLEGAL isv.SMS_TEMPLATE_ILLEGAL isv.SMS_SIGNATURE_ILLEGAL isv.SIGN_STATE_ILLEGAL
            isv.SMS_SIGNATURE_SCENE_ILLEGAL isv.PARAM_LENGTH_LIMIT isv.PARAM_NOT_SUPPORT_URL
            isv.BLACK_KEY_CONTROL_LIMIT isv.SMS_CONTENT_ILLEGAL
            """,
        ),
        *_rows(
            _T,
            Fault.ACCOUNT,
            Source.ALIYUN_CODES,
            """
            isv.DAY_LIMIT_CONTROL isv.MONTH_LIMIT_CONTROL isv.AMOUNT_NOT_ENOUGH isv.OUT_OF_SERVICE isv.DENY_IP_RANGE
            isv.PRODUCT_UN_SUBSCRIPT isp.RAM_PERMISSION_DENY
            """,
        ),
        # The page advises to send again; it doesn't say that nothing was sent.
        *_rows(_U, Fault.VENDOR, Source.ALIYUN_CODES, "isp.SYSTEM_ERROR"),
        *_rows(
            _T,
            Fault.ACCOUNT,
            Source.ALIYUN_GATEWAY,
            """
            SignatureDoesNotMatch IncompleteSignature InvalidTimeStamp.Expired InvalidTimeStamp.Format
            InvalidAccessKeyId.NotFound InvalidAccessKeyId.Inactive Forbidden.RAM
            """,
        ),
        # Our nonces don't repeat: something on the way sent the call twice, and the first may have been carried out.
        *_rows(_U, Fault.VENDOR, Source.ASSUMED, "SignatureNonceUsed"),
        *_rows(_T, Fault.RATE, Source.ALIYUN_GATEWAY, "Throttling Throttling.User Throttling.Api"),
    ]
)
_ALIYUN_PREFIXES = dict(_rows(_T, Fault.RATE, Source.ASSUMED, "Throttling."))

TENCENT: Mapping[str, Meaning] = dict(
    [
        ("Ok", Meaning(Outcome.ACCEPTED, None, Source.TENCENT_SDK)),
        *_rows(
            _R,
            Fault.NUMBER,
            Source.TENCENT_SDK,
            """
            FailedOperation.PhoneNumberInBlacklist FailedOperation.PhoneNumberParseFail
            InvalidParameterValue.IncorrectPhoneNumber
            """,
        ),
        *_rows(
            _T,
            Fault.CAP,
            Source.TENCENT_SDK,
            """
            LimitExceeded.DeliveryFrequencyLimit LimitExceeded.PhoneNumberDailyLimit
            LimitExceeded.PhoneNumberOneHourLimit LimitExceeded.PhoneNumberSameContentDailyLimit
            LimitExceeded.PhoneNumberThirtySecondLimit
            """,
        ),
        *_rows(
            _R,
            Fault.MESSAGE,
            Source.TENCENT_SDK,
            """
            FailedOperation.ContainSensitiveWord FailedOperation.FailResolvePacket FailedOperation.JsonParseFail
            FailedOperation.MissingSignature FailedOperation.ParametersOtherError
            FailedOperation.SignatureIncorrectOrUnapproved FailedOperation.TemplateIdNotExist
            FailedOperation.TemplateIncorrectOrUnapproved
            FailedOperation.TemplateParamSetNotMatchApprovedTemplate FailedOperation.TemplateUnapprovedOrNotExist
            InternalError.JsonParseFail LimitExceeded.PhoneNumberCountLimit
            """,
        ),
        # Marketing is sent between 8 and 22: later it works.
        *_rows(_T, Fault.MESSAGE, Source.TENCENT_SDK, "FailedOperation.MarketingSendTimeConstraint"),
        *_rows(
            _T,
            Fault.ACCOUNT,
            Source.TENCENT_SDK,
            """
            FailedOperation.InsufficientBalanceInSmsPackage FailedOperation.NotEnterpriseCertification
            InternalError.RequestTimeException InternalError.RestApiInterfaceNotExist
            InternalError.SigFieldMissing InternalError.SigVerificationFail InvalidParameter.AppidAndBizId
            InvalidParameterValue.SdkAppIdNotExist LimitExceeded.AppCountryOrRegionDailyLimit
            LimitExceeded.AppCountryOrRegionInBlacklist LimitExceeded.AppDailyLimit
            LimitExceeded.AppGlobalDailyLimit LimitExceeded.AppMainlandChinaDailyLimit LimitExceeded.DailyLimit
            """,
        ),
        *_rows(_T, Fault.RATE, Source.TENCENT_SDK, "LimitExceeded.GlobalSmsSendingRateLimit"),
        *_rows(
            _U,
            Fault.VENDOR,
            Source.TENCENT_SDK,
            """
            FailedOperation.OtherError InternalError.OtherError InternalError.ParseBackendResponseFail
            InternalError.SendAndRecvFail InternalError.Timeout InternalError.UnknownError
            """,
        ),
    ]
)
# Asked in this order when the code itself isn't listed. The gateway refuses before anything is done.
_TENCENT_PREFIXES = dict(
    [
        *_rows(_T, Fault.RATE, Source.TENCENT_COMMON, "RequestLimitExceeded"),
        *_rows(_T, Fault.ACCOUNT, Source.TENCENT_COMMON, "AuthFailure UnauthorizedOperation"),
        *_rows(
            _R,
            Fault.MESSAGE,
            Source.TENCENT_COMMON,
            "MissingParameter InvalidParameterValue InvalidParameter UnsupportedOperation UnknownParameter",
        ),
    ]
)


def aliyun(code: str) -> Meaning:
    """What a Code of Alibaba Cloud means; *unknown* for what isn't listed."""
    return _meaning(code, ALIYUN, _ALIYUN_PREFIXES)


def tencent(code: str) -> Meaning:
    """What a Code of Tencent Cloud means, of a number or of a call; *unknown* for what isn't listed."""
    return _meaning(code, TENCENT, _TENCENT_PREFIXES)


def of_call(meaning: Meaning, numbers: int) -> Meaning:
    """The same for each number of a call that was answered by this as a whole.

    What concerns one number of several says nothing of the others, and no page says whether they were sent: unknown,
    to be settled before anything goes out again (ADR 0030).
    """
    if numbers > 1 and meaning.fault in {Fault.NUMBER, Fault.CAP}:
        return meaning._replace(outcome=Outcome.UNKNOWN)
    return meaning


def _meaning(code: str, table: Mapping[str, Meaning], prefixes: Mapping[str, Meaning]) -> Meaning:
    found = table.get(code)
    if found is not None:
        return found
    return next((what for prefix, what in prefixes.items() if code.startswith(prefix)), NOT_LISTED)
