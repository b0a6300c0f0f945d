"""What a document says of a field is what the field takes."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import ids
from app.ids import OF_COMMUNITY, Kind, Ref
from bff.schemas import MOST_COMMUNITIES, AnyWireId, Fen, Phone, Text, WireId

kinds = st.sampled_from(sorted(Kind))


def wire_id(kind: Kind, number: int, community: int) -> str:
    if kind is Kind.COMMUNITY:
        return ids.encode(kind, UUID(int=community))
    return ids.encode(kind, Ref(community, UUID(int=number)) if kind in OF_COMMUNITY else UUID(int=number))


def loads(field: ma.fields.Field, value: Any) -> bool:
    try:
        field.deserialize(value)
    except ma.ValidationError:
        return False
    return True


@given(kinds, st.integers(0, 2**128 - 1), st.integers(0, MOST_COMMUNITIES))
def test_each_id_looks_as_its_kind_is_said_to(kind: Kind, number: int, community: int) -> None:
    assert re.search(WireId(kind).metadata["pattern"], wire_id(kind, number, community))


@given(st.data(), kinds)
def test_what_looks_like_an_id_is_read_as_one(data: st.DataObject, kind: Kind) -> None:
    pattern = WireId(kind).metadata["pattern"]
    text = data.draw(st.from_regex(pattern.replace("$", r"\Z"), alphabet=st.characters(codec="ascii")))
    assert loads(WireId(kind), text)


@given(st.text("abcdefgh234567_tktesorg", max_size=40))
def test_what_does_not_is_refused(text: str) -> None:
    field = AnyWireId(Kind.TICKET, Kind.ORG)
    assert loads(field, text) == bool(re.search(field.metadata["pattern"], text))


@pytest.mark.parametrize("least", [1, 2, 5])
@given(text=st.text(st.sampled_from("ab \n　中"), max_size=9))
def test_spaces_do_not_make_a_text_long_enough(least: int, text: str) -> None:
    field = Text(most=9, least=least)
    said = field.metadata
    assert loads(field, text) == bool(len(text) >= said["minLength"] and re.search(said["pattern"], text))


@given(st.from_regex(Phone().metadata["pattern"].replace("$", r"\Z"), alphabet=st.characters(codec="ascii")))
def test_what_looks_like_a_phone_number_is_read_as_one(text: str) -> None:
    # Without the country's code a number may not begin as if it had one.
    digits = re.sub(r"[ ()-]", "", text)
    assert loads(Phone(), text) or len(digits.removeprefix("0086")) < 7


def test_a_description_does_not_take_the_place_of_the_bounds() -> None:
    """It did: a text that had a description was said to be of any length."""
    more = {"metadata": {"description": "why"}}
    assert Text(most=9, least=2, **more).metadata.keys() == {
        "description",
        "minLength",
        "maxLength",
        "pattern",
    }
    assert Fen(least=1, **more).metadata.keys() == {"description", "minimum", "maximum"}
    assert WireId(Kind.TICKET, **more).metadata == {"description": "why", "pattern": ids.pattern(Kind.TICKET)}
