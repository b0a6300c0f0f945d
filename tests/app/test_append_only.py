"""What happened stays: audit rows and events can't be rewritten, and words can be made unreadable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

from app import ids
from app.ids import Kind
from tests.conftest import House, Person, Town

REWRITES = [
    "UPDATE {table} SET community_id = community_id",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "DROP TABLE {table}",
]


@pytest.mark.parametrize("table", ["audit_log", "ticket_events"])
@pytest.mark.parametrize("statement", REWRITES)
def test_the_application_cannot_rewrite_what_happened(
    house: House, resident: Callable[..., Person], town: Town, table: str, statement: str
) -> None:
    resident().report(town.a.estate_id)
    with psycopg.connect(house.pg.url("app", "house")) as connection:
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement.format(table=table))
        connection.rollback()
        count = connection.execute(f"SELECT count(*) FROM {table} WHERE community_id = %s", (town.a.id,))
        assert (count.fetchone() or (0,))[0] > 0


@pytest.mark.parametrize("table", ["audit_log", "ticket_events"])
@pytest.mark.parametrize("statement", REWRITES[:3])
def test_not_even_the_owner_rewrites_it_by_mistake(
    owner: psycopg.Connection[Any], resident: Callable[..., Person], town: Town, table: str, statement: str
) -> None:
    resident().report(town.a.estate_id)
    with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
        owner.execute(statement.format(table=table))


def test_every_move_leaves_its_row_with_who_made_it(
    owner: psycopg.Connection[Any], resident: Callable[..., Person], town: Town
) -> None:
    wang = resident()
    ticket_id = wang.report(town.a.estate_id, category="noise", text="半夜装修")["ticket_id"]
    town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close")
    wang.post(f"/tickets/{ticket_id}/rating", {"stars": 1, "solved": False, "text": "还是很吵"})
    _, key = ids.decode_ref(Kind.TICKET, ticket_id)
    rows = owner.execute(
        "SELECT action, actor_kind, actor_id, a::text FROM audit_log a"
        " WHERE community_id = %s AND object_id = %s ORDER BY id",
        (town.a.id, key),
    ).fetchall()
    assert [row[0] for row in rows] == [
        f"ticket.{move}"
        for move in (
            "report",
            "accept",
            "dispatch",
            "start",
            "resolve",
            "verify",
            "close",
            "rating",
            "reopen",
        )
    ]
    assert [row[1] for row in rows] == ["resident", *["staff"] * 6, "resident", "resident"]
    assert rows[0][2] == wang.id
    assert rows[1][2] == ids.decode_id(Kind.STAFF, town.staff("community").get("/me").json["id"])
    for row in rows:
        assert "半夜装修" not in row[3]
        assert "还是很吵" not in row[3]


def test_a_refused_move_leaves_no_row(
    owner: psycopg.Connection[Any], resident: Callable[..., Person], town: Town
) -> None:
    ticket_id = resident().report(town.a.estate_id)["ticket_id"]
    sql = "SELECT count(*) FROM audit_log WHERE community_id = %s"
    before = owner.execute(sql, (town.a.id,)).fetchone()
    desk = town.staff("community")
    assert desk.post(f"/tickets/{ticket_id}/close").status_code == 409
    assert desk.post(f"/tickets/{ticket_id}/accept", headers={"If-Match": '"9"'}).status_code == 412
    assert owner.execute(sql, (town.a.id,)).fetchone() == before


def test_what_she_wrote_is_sealed_and_unreadable_once_her_key_is_gone(
    owner: psycopg.Connection[Any], resident: Callable[..., Person], town: Town
) -> None:
    wang, desk = resident(), town.staff("community")
    ticket_id = wang.report(town.a.estate_id)["ticket_id"]
    wang.post(f"/tickets/{ticket_id}/comments", {"text": "我是五楼的"})
    desk.post(f"/tickets/{ticket_id}/comment", {"text": "已联系物业", "visibility": "reporter"})

    def words() -> list[str | None]:
        return [e["text"] for e in desk.get(f"/tickets/{ticket_id}").json["timeline"]]

    assert words() == [None, "我是五楼的", "已联系物业"]
    rows = owner.execute(
        "SELECT e::text, words_sealed FROM ticket_events e WHERE community_id = %s", (town.a.id,)
    ).fetchall()
    for text, sealed in rows:
        for word in ("我是五楼的", "已联系物业"):
            assert word not in text
            assert word.encode() not in (sealed or b"")
    owner.execute("DELETE FROM person_keys WHERE person_id = %s", (wang.id,))
    assert words() == [None, None, "已联系物业"]
    assert [e["text"] for e in wang.ticket(ticket_id)["timeline"]] == [None, None, "已联系物业"]


def test_openid_phone_and_nickname_are_nowhere_in_clear(
    house: House, owner: psycopg.Connection[Any], resident: Callable[..., Person]
) -> None:
    wang = resident()
    assert wang.post("/session/phone", {"code": "phone-13987654321"}).status_code == 200
    tag = wang.get("/me").headers["ETag"]
    wang.patch("/me", {"nickname": "五楼老王头"}, headers={"If-Match": tag})
    openid = house.sandbox.state.openid_of(wang.name)
    tables = [
        name
        for (name,) in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    ]
    assert "residents" in tables
    for table in tables:
        for word in (openid, "13987654321", "五楼老王头"):
            hit = owner.execute(
                f'SELECT count(*) FROM "{table}" t WHERE position(%s in t::text) > 0'
                " OR position(encode(convert_to(%s, 'UTF8'), 'hex') in t::text) > 0",
                (word, word),
            ).fetchone()
            assert hit == (0,), (table, word)
