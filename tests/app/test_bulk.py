"""Bulk work: joined as wholes for as long as it lasts, and nothing of that stays behind."""

from __future__ import annotations

import gc

import pytest
from sqlalchemy import text

from app import db
from tests.conftest import House


def nested_loops() -> str:
    return str(db.session().scalar(text("SHOW enable_nestloop")))


@pytest.mark.usefixtures("house")
def test_bulk_work_is_joined_as_wholes_and_leaves_no_setting_behind() -> None:
    assert gc.isenabled()
    with db.transaction():
        with db.in_bulk():
            assert nested_loops() == "off"
            assert not gc.isenabled()
        assert nested_loops() == "on"
    assert gc.isenabled()


def test_bulk_work_that_fails_leaves_nothing_behind_either(house: House) -> None:
    assert house
    with pytest.raises(ZeroDivisionError), db.transaction(), db.in_bulk():
        raise ZeroDivisionError
    assert gc.isenabled()
    with db.transaction():
        assert nested_loops() == "on"
