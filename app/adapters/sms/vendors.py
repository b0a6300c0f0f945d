"""The vendors that the settings name, ready to send."""

from __future__ import annotations

from typing import Protocol

from app.adapters.sms import Sms, Vendor
from app.adapters.sms.aliyun import AliyunSms
from app.adapters.sms.tencent import TencentSms


class SmsSettings(Protocol):
    """What `configured` reads; each is described in `app/settings.py`."""

    @property
    def aliyun_sms_endpoint(self) -> str:
        """`ALIYUN_SMS_ENDPOINT`."""

    @property
    def aliyun_sms_key_id(self) -> str:
        """`ALIYUN_SMS_KEY_ID`; empty: this vendor isn't used."""

    @property
    def aliyun_sms_key_secret(self) -> str:
        """`ALIYUN_SMS_KEY_SECRET`."""

    @property
    def tencent_sms_endpoint(self) -> str:
        """`TENCENT_SMS_ENDPOINT`."""

    @property
    def tencent_sms_region(self) -> str:
        """`TENCENT_SMS_REGION`."""

    @property
    def tencent_sms_secret_id(self) -> str:
        """`TENCENT_SMS_SECRET_ID`; empty: this vendor isn't used."""

    @property
    def tencent_sms_secret_key(self) -> str:
        """`TENCENT_SMS_SECRET_KEY`."""

    @property
    def tencent_sms_app_id(self) -> str:
        """`TENCENT_SMS_APP_ID`."""

    @property
    def sms_connect_timeout_s(self) -> float:
        """`SMS_CONNECT_TIMEOUT_S`."""

    @property
    def sms_timeout_s(self) -> float:
        """`SMS_TIMEOUT_S`."""


def configured(settings: SmsSettings) -> dict[Vendor, Sms]:
    """Those vendors that have keys; none where no SMS is set up."""
    found: dict[Vendor, Sms] = {}
    if settings.aliyun_sms_key_id:
        found[Vendor.ALIYUN] = AliyunSms(
            endpoint=settings.aliyun_sms_endpoint,
            key_id=settings.aliyun_sms_key_id,
            key_secret=settings.aliyun_sms_key_secret,
            connect_s=settings.sms_connect_timeout_s,
            read_s=settings.sms_timeout_s,
        )
    if settings.tencent_sms_secret_id:
        found[Vendor.TENCENT] = TencentSms(
            endpoint=settings.tencent_sms_endpoint,
            secret_id=settings.tencent_sms_secret_id,
            secret_key=settings.tencent_sms_secret_key,
            app_id=settings.tencent_sms_app_id,
            region=settings.tencent_sms_region,
            connect_s=settings.sms_connect_timeout_s,
            read_s=settings.sms_timeout_s,
        )
    return found
