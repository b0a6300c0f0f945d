"""Whatever text comes, the field WeChat gets is one it takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.wechat.fields import fit
from sandbox.rules import wrong_field

KINDS = [
    "thing",
    "number",
    "letter",
    "symbol",
    "character_string",
    "time",
    "date",
    "amount",
    "phone_number",
    "car_number",
    "name",
    "phrase",
]


@pytest.mark.parametrize(
    ("key", "text", "fitted"),
    [
        ("thing1", "路灯不亮", "路灯不亮"),
        ("thing1", " 第一行\n第二行\t完 ", "第一行 第二行 完"),
        ("thing1", "二" * 21, "二" * 19 + "…"),
        ("thing1", "", "无"),
        ("thing1", "\u200b\x00", "无"),
        ("phrase2", "处理中（外包）", "处理中外包"),
        ("phrase2", "已由物业接单处理", "已由物业接"),
        ("phrase2", "OK", "无"),
        ("name3", "王小明3号", "王小明号"),
        ("name3", "Li  Hua!", "Li Hua"),
        ("character_string4", "编号 CQ-2026/０１", "CQ-2026/01"),
        ("character_string4", "编号", "-"),
        ("number5", "共 3 件", "3"),
        ("number5", "没有", "0"),
        ("time6", "2026-11-21T01:30:00Z", "2026年11月21日 09:30"),
        ("time6", "2026-11-21T09:30:00+08:00", "2026年11月21日 09:30"),
        ("time6", "2026-11-21 09:30:15", "2026年11月21日 09:30"),
        ("time6", "9:05", "09:05"),
        ("time6", "09:00 ~ 10:30", "09:00~10:30"),
        ("date7", "2026-11-21", "2026年11月21日"),
        ("date7", "2026年1月5日 15:01", "2026年1月5日 15:01"),
        ("amount8", "￥1,234.50", "¥1234.50"),
        ("amount8", "12 元", "12元"),
        ("amount8", "免费", "0元"),
        ("phone_number9", "电话：(023) 6789-0000", "(023)6789-0000"),
        ("car_number10", "渝A·12345", "渝A12345"),
        ("unknown_kind1", "x" * 30, "x" * 19 + "…"),
    ],
)
def test_a_value_is_made_to_fit_its_field(key: str, text: str, fitted: str) -> None:
    assert fit(key, text) == fitted


@given(kind=st.sampled_from(KINDS), text=st.text(max_size=80))
def test_any_text_fits_any_field(kind: str, text: str) -> None:
    key = f"{kind}1"
    assert wrong_field({key: {"value": fit(key, text)}}) is None


@given(kind=st.sampled_from(KINDS), text=st.text(alphabet="0123456789-.:~年月日 T+Z¥元,王A路", max_size=30))
def test_any_text_of_digits_and_marks_fits_any_field(kind: str, text: str) -> None:
    key = f"{kind}1"
    assert wrong_field({key: {"value": fit(key, text)}}) is None


@given(kind=st.sampled_from(KINDS), text=st.text(max_size=80))
def test_fitting_twice_changes_nothing_more(kind: str, text: str) -> None:
    once = fit(kind + "1", text)
    # The present, which stands in for unreadable times, may pass the minute between the two.
    assert kind in {"time", "date"} or fit(kind + "1", once) == once


def test_an_unreadable_time_becomes_the_present(caplog: pytest.LogCaptureFixture) -> None:
    assert "年" in fit("time1", "下午三点")
    assert "下午三点" not in caplog.text
    assert "can't be read" in caplog.text
