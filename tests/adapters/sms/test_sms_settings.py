"""Which vendors the settings make ready."""

from __future__ import annotations

import base64

import pytest

from app.adapters.sms import Vendor
from app.adapters.sms.http import Endpoint
from app.adapters.sms.vendors import configured
from app.settings import Settings, SettingsError

BARE = {
    "DATABASE_URL": "postgresql://h/d",
    "REDIS_URL": "redis://h/0",
    "STORAGE_URL": "folder:/x",
    "SECRET_KEY": "s" * 40,
    "DATA_KEYS": "1:" + base64.b64encode(bytes(32)).decode(),
    "HASH_KEY": base64.b64encode(bytes(32)).decode(),
    "PUBLIC_BASE_URL": "http://127.0.0.1",
    "WECHAT_APPID": "wx",
    "WECHAT_SECRET": "s",
    "WECHAT_PUSH_TOKEN": "t",
    "WECHAT_PUSH_AES_KEY": "k" * 43,
}
ALIYUN = {"ALIYUN_SMS_KEY_ID": "LTAI-made-up", "ALIYUN_SMS_KEY_SECRET": "aliyun-made-up"}
TENCENT = {
    "TENCENT_SMS_SECRET_ID": "AKID-made-up",
    "TENCENT_SMS_SECRET_KEY": "tencent-made-up",
    "TENCENT_SMS_APP_ID": "1400000001",
}


def test_a_vendor_without_keys_is_not_used() -> None:
    assert configured(Settings.from_env(BARE)) == {}
    assert set(configured(Settings.from_env(BARE | ALIYUN))) == {Vendor.ALIYUN}
    both = configured(Settings.from_env(BARE | ALIYUN | TENCENT))
    assert {vendor: sms.vendor for vendor, sms in both.items()} == {v: v for v in Vendor}


@pytest.mark.parametrize("left_out", [*ALIYUN, *TENCENT])
def test_half_a_vendor_stops_the_start_by_name(left_out: str) -> None:
    given = {name: value for name, value in (ALIYUN | TENCENT).items() if name != left_out}
    with pytest.raises(SettingsError, match=left_out):
        Settings.from_env(BARE | given)


def test_no_key_is_in_the_text_of_the_settings() -> None:
    shown = repr(Settings.from_env(BARE | ALIYUN | TENCENT))
    assert "aliyun-made-up" not in shown
    assert "tencent-made-up" not in shown


@pytest.mark.parametrize("seconds", ["0", "-1", "301", "nan", "soon"])
def test_a_time_out_that_is_none_stops_the_start(seconds: str) -> None:
    with pytest.raises(SettingsError, match="SMS_TIMEOUT_S"):
        Settings.from_env(BARE | {"SMS_TIMEOUT_S": seconds})


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("https://dysmsapi.aliyuncs.com", "dysmsapi.aliyuncs.com"),
        ("https://dysmsapi.aliyuncs.com:443/", "dysmsapi.aliyuncs.com"),
        ("http://127.0.0.1:8003", "127.0.0.1:8003"),
    ],
)
def test_the_host_that_is_signed_is_the_one_that_is_sent(base: str, host: str) -> None:
    assert Endpoint(base, provider="x", connect_s=1, read_s=1, in_flight=1).host == host
    with pytest.raises(ValueError, match="endpoint"):
        Endpoint(base.rstrip("/") + "/path", provider="x", connect_s=1, read_s=1, in_flight=1)
