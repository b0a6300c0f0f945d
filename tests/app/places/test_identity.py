"""Whether an ID number is a person's or a body's, and so whether a name is masked."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.places import identity
from app.places.identity import BadValue, Party
from app.places.registry_models import OwnerKind

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def of_person(region: int, born: date, serial: int) -> str:
    first = f"{region}{born:%Y%m%d}{serial:03d}"
    return first + "10X98765432"[sum(int(c) * w for c, w in zip(first, _WEIGHTS, strict=True)) % 11]


def of_body(first: str) -> str:
    total = sum(_CREDIT.index(c) * pow(3, i, 31) for i, c in enumerate(first))
    return first + _CREDIT[-total % 31]


def shown(number: str, name: str = "张三丰") -> str:
    who = Party(identity.name(name), id_number=identity.id_number(number))
    return identity.masked_name(who.name, who.kind)


def test_a_person_whose_number_happens_to_pass_as_a_credit_code_is_masked() -> None:
    number = "500105198310080299"
    assert number == of_person(500105, date(1983, 10, 8), 29) == of_body(number[:17])
    assert shown(number) == "张**"


@given(
    region=st.integers(110000, 839999),
    born=st.dates(date(1900, 1, 1), date(2025, 12, 31)),
    serial=st.integers(0, 999),
)
def test_who_has_an_id_number_is_a_person_and_masked(region: int, born: date, serial: int) -> None:
    number = of_person(region, born, serial)
    assert Party("张三丰", id_number=number).kind == OwnerKind.PERSON
    assert shown(number) == "张**"
    # A firm's name beside a person's number doesn't make her a firm.
    assert Party("某某商贸有限公司", id_number=number).kind == OwnerKind.PERSON


@given(st.text(_CREDIT, min_size=16, max_size=16))
def test_who_has_a_credit_code_with_letters_is_a_body(tail: str) -> None:
    number = of_body("9" + tail[:7] + "M" + tail[8:])
    assert Party("某某", id_number=identity.id_number(number)).kind == OwnerKind.ORGANISATION


def test_a_credit_code_of_digits_only_is_a_body_also_when_the_check_digit_of_persons_fits() -> None:
    # 91500105…: no day is 9999-99, so it can't be a person's.
    numbers = (of_body(f"91500199{n:09d}") for n in range(999_000_000, 999_100_000))
    number = next(n for n in numbers if n.isdigit() and identity._check_digit(n[:17]) == n[17])
    assert Party("某某", id_number=identity.id_number(number)).kind == OwnerKind.ORGANISATION


def test_a_day_that_is_none_is_refused() -> None:
    first = "50010519900230123"
    number = first + identity._check_digit(first)
    assert of_body(first) != number
    with pytest.raises(BadValue, match="bad_birth_date"):
        identity.id_number(number)
