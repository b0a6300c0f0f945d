"""How long things are kept: every table has its rule, and the clock moved on shows that the rules are true."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import Table, func, select

from app import clock, db, ids, retention
from app.ids import Kind
from app.queue import Job
from app.tables import metadata
from tests.conftest import House, Person, Town
from tests.personal.conftest import Life
from workers import jobs

FIVE_YEARS = 5 * 365 + 2
FROM_MIGRATIONS = {
    "calendar_days",
    "calendar_versions",
    "categories",
    "category_terms",
    "focus_kinds",
    "focus_kind_terms",
    "sms_providers",
    "sms_provider_caps",
}
# Gone with the account, which its own rule can't see beforehand; by the column that names the person.
WITH_THE_ACCOUNT = {
    "identity_keys": "person_id",
    "person_keys": "person_id",
    "consents": "resident_id",
    "subscribe_credits": "resident_id",
    "resident_index": "resident_id",
    "papers": "owner_id",
    "attached_papers": "owner_id",
    "membership_objections": "resident_id",
    "registration_reminders": "resident_id",
    "ticket_followers": "resident_id",
    "inbox": "resident_id",
    "wechat_notices": "resident_id",
    "resident_sessions": "resident_id",
    "client_tokens": "resident_id",
    "uploads": "owner_id",
}


@pytest.fixture(autouse=True)
def nobody_else(house: House) -> None:
    """What hundreds of other tests left in this database is gone: years later all of it would be due at once."""
    left_by_tests = ", ".join(sorted(set(metadata().tables) - FROM_MIGRATIONS))
    with psycopg.connect(house.pg.url("superuser", "house"), autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")  # or append-only tables refuse
        superuser.execute(f"TRUNCATE {left_by_tests}")


def test_every_table_has_a_rule_and_every_rule_a_table() -> None:
    assert set(retention.RULES) == set(metadata().tables)


def test_a_rule_says_in_words_what_it_does() -> None:
    for name, rules in retention.RULES.items():
        assert rules, name
        for rule in rules:
            assert len(rule.says) > 5, name
            assert set(rule.blanks) <= set(metadata().tables[name].columns.keys()), name


def test_every_job_that_a_rule_names_is_in_the_schedule() -> None:
    assert {rule.by for rules in retention.RULES.values() for rule in rules} <= {
        Job.RETAIN,
        Job.TIDY,
        Job.ERASE_TRACKS,
        Job.EXPIRE_UPLOADS,
    }


def keys(query: Any) -> set[tuple[Any, ...]]:
    with db.reading() as session:
        return {tuple(row) for row in session.execute(query.execution_options(cross_community="retention"))}


def all_keys(table: Table) -> set[tuple[Any, ...]]:
    return keys(select(*table.primary_key.columns))


def to_go(table: Table, now: datetime) -> set[tuple[Any, ...]]:
    """The rows that have to be gone."""
    gone: set[tuple[Any, ...]] = set()
    for rule in retention.RULES[table.name]:
        if rule.overdue is not None and not rule.blanks and not rule.elsewhere and rule.step is not _UNNAMES:
            if rule.by is Job.ERASE_TRACKS and table.name == "patrol_shifts":
                continue  # empties a column
            gone |= keys(retention.overdue(table, rule, now))
    return gone


_UNNAMES = retention.RULES["tickets"][0].step


Keys = set[tuple[Any, ...]]


def of(town: Town, *residents: Person) -> Callable[[Table, Keys], Keys]:
    """Of this test's communities and residents: what others left in this database is their own story."""
    people, communities = {person.id for person in residents}, {town.a.id, town.b.id}

    def mine(table: Table, rows: Keys) -> Keys:
        for at, column in enumerate(table.primary_key.columns.keys()):
            if column in {"community_id", "resident_id", "person_id", "owner_id"}:
                wanted = communities if column == "community_id" else people
                return {row for row in rows if row[at] in wanted}
        return rows

    return mine


def run_everything(now: datetime, whose: Callable[[Table, Keys], Keys]) -> None:
    """The jobs of a night, until no rule finds anything of those who are asked about."""
    jobs.expire_uploads()
    jobs.erase_positions()
    jobs.erase_tracks()
    jobs.tidy()
    for _ in range(40):
        jobs.retain()
        if not any(
            whose(table, keys(retention.overdue(table, rule, now))) for table, rule in retention.in_order()
        ):
            return
    left = {
        table.name
        for table, rule in retention.in_order()
        if whose(table, keys(retention.overdue(table, rule, now)))
    }
    pytest.fail(f"the retention job comes to no end: {left}")


def test_five_years_later_each_table_holds_exactly_what_its_rule_says(
    life: Life,
    town: Town,
    resident: Callable[..., Person],
    later: Callable[..., datetime],
    work: Callable[..., int],
    owner: psycopg.Connection[Any],
    everywhere: Callable[[str], list[str]],
) -> None:
    desk, house_id = town.staff("community"), life.house_id
    sold = desk.post(f"/houses/{house_id}/transfer", {"owners": [{"name": "新业主"}]})
    assert sold.status_code == 200, sold.text
    later(days=FIVE_YEARS)
    work()
    fresh = resident("fresh")
    town.a.staff.clear()
    new_ticket = fresh.report(town.a.estate_id)["ticket_id"]
    work()
    tables = metadata().tables
    now = clock.now()
    old_people = {key[0] for key in to_go(tables["residents"], now)}
    assert life.wang.id in old_people
    assert fresh.id not in old_people
    mine = of(town, life.wang, life.li, fresh)

    expected = {name: mine(table, all_keys(table) - to_go(table, now)) for name, table in tables.items()}
    overdue_before = {name for name, table in tables.items() if to_go(table, now)}
    assert {
        "audit_log",
        "ticket_events",
        "residents",
        "patrol_visits",
        "patrol_tracks",
        "inbox",
        "photos",
    } <= (overdue_before)
    for name, column in WITH_THE_ACCOUNT.items():
        key = [c.name for c in tables[name].primary_key.columns]
        if column in key:
            expected[name] = {k for k in expected[name] if k[key.index(column)] not in old_people}
        else:
            t = tables[name]
            theirs = keys(select(*t.primary_key.columns).where(t.c[column].in_(old_people)))
            expected[name] -= theirs

    run_everything(now, mine)

    for name, table in tables.items():
        for rule in retention.RULES[name]:
            if rule.overdue is not None:
                assert not mine(table, keys(retention.overdue(table, rule, now))), f"{name}: {rule.says}"
        missing = expected[name] - all_keys(table)
        assert not missing, f"{name} lost {len(missing)} rows that its rule keeps: {list(missing)[:3]}"
    # What that means: the matters are still counted, and nobody is in them.
    _, first = ids.decode_ref(Kind.TICKET, life.tickets[0])
    row = owner.execute(
        "SELECT status, number IS NOT NULL, text, reporter_id, contact_phone_sealed, lng FROM tickets WHERE id = %s",
        (first,),
    ).fetchone()
    assert row == ("closed", True, None, None, None, None)
    # An open matter keeps its events, and that her account was closed is recorded today.
    assert set(everywhere(str(life.wang.id))) <= {"outbox", "audit_log", "ticket_events"}
    assert fresh.ticket(new_ticket)["status"] == "received"
    # Who sold five years ago is forgotten, who owns isn't.
    assert owner.execute("SELECT count(*) FROM owners WHERE id = %s", (life.owner_id,)).fetchone() == (0,)
    sql = "SELECT count(*) FROM holding_owners WHERE community_id = %s"
    assert owner.execute(sql, (town.a.id,)).fetchone() == (2,)
    told = owner.execute(
        "SELECT DISTINCT details->>'table' FROM audit_log WHERE action = 'retention.applied'"
    )
    assert {"audit_log", "ticket_events", "residents", "tickets"} <= {name for (name,) in told}


def test_three_years_after_its_end_a_ticket_keeps_its_file_and_loses_its_people(
    life: Life, town: Town, later: Callable[..., datetime], owner: psycopg.Connection[Any]
) -> None:
    later(days=3 * 365 - 1)
    jobs.retain()
    assert life.wang.id in {key[0] for key in all_keys(metadata().tables["residents"])}
    _, first = ids.decode_ref(Kind.TICKET, life.tickets[0])
    sql = "SELECT text, reporter_id, contact_phone_sealed FROM tickets WHERE id = %s"
    text, reporter_id, contact = owner.execute(sql, (first,)).fetchone() or (None,) * 3
    assert (text, reporter_id) == ("楼道灯不亮", life.wang.id)
    assert contact is not None

    later(days=2)
    run_everything(clock.now(), of(town, life.wang, life.li))
    assert owner.execute(sql, (first,)).fetchone() == ("楼道灯不亮", None, None)
    count = owner.execute("SELECT count(*) FROM ticket_events WHERE ticket_id = %s", (first,)).fetchone()
    assert (count or (0,))[0] > 5
    assert owner.execute("SELECT count(*) FROM photos WHERE object_id = %s", (first,)).fetchone() == (2,)


def test_half_a_year_of_audit_is_never_touched(
    life: Life, town: Town, later: Callable[..., datetime], owner: psycopg.Connection[Any]
) -> None:
    assert retention.LOG_KEPT.days >= 184
    sql = "SELECT count(*) FROM audit_log WHERE actor_id = %s"
    before = owner.execute(sql, (life.wang.id,)).fetchone()
    later(days=2 * 365)
    run_everything(clock.now(), of(town, life.wang, life.li))
    assert owner.execute(sql, (life.wang.id,)).fetchone() == before


def test_a_second_run_finds_nothing_and_a_small_batch_comes_to_the_same(
    life: Life, later: Callable[..., datetime]
) -> None:
    later(days=FIVE_YEARS)
    now = clock.now()
    inbox = metadata().tables["inbox"]
    (rule,) = retention.RULES["inbox"]
    waiting = len(to_go(inbox, now))
    assert waiting > 3
    done = 0
    while True:
        with db.transaction():
            got = retention.batch(inbox, rule, now=now, limit=3)
        assert got <= 3
        done += got
        if not got:
            break
    assert done == waiting
    with db.reading() as session:
        query = select(func.count()).select_from(inbox).where(inbox.c.resident_id == life.wang.id)
        assert session.scalar(query) == 0


def test_without_the_retention_role_append_only_tables_stay_and_it_is_said(
    house: House,
    life: Life,
    later: Callable[..., datetime],
    owner: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from dataclasses import replace

    from workers import config

    monkeypatch.setattr(config, "_settings", replace(house.settings, retention_database_url=""))
    sql = "SELECT count(*) FROM audit_log WHERE actor_id = %s"
    before = owner.execute(sql, (life.wang.id,)).fetchone()
    later(days=FIVE_YEARS)
    with caplog.at_level(logging.WARNING):
        jobs.retain()
    assert owner.execute(sql, (life.wang.id,)).fetchone() == before
    assert "audit_log is not shortened" in caplog.text
