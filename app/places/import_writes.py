"""Writes a plan into the registry: rows by COPY, changes set by set, in the transaction of the caller.

COPY goes past the ORM, which would need minutes for what takes seconds here. New rows are copied straight into their
tables: the communities' stamps are locked, so nobody else adds any. Changes come as arrays, some thousand at a time,
because the application's role may make no temporary tables.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from app import clock, db, ids
from app.audit import Actor
from app.places import identity
from app.places.import_plan import KnownOwner, Plan
from app.places.register_file import Row
from app.places.registry_models import AreaBasis, HouseKind, ObjectKind, Source, rank_of

SLICE = 5_000  # rows of one UPDATE
_AREAS = ("registered_centi", "surveyed_centi", "contract_centi")
_OWNER_COLUMNS = {"name": "name", "phone": "phone", "phone2": "phone2", "id_number": "id"}
_HASHES = {
    "name": identity.name_hash,
    "phone": identity.phone_hash,
    "phone2": identity.phone_hash,
    "id_number": identity.id_hash,
}


def write(
    plan: Plan, *, import_id: UUID, source: Source, today: date, acting_user: Actor, is_demo: bool = False
) -> None:
    """Write everything the plan says. `import_id`, sheet and row go into the marks."""
    _Writer(plan, import_id, source, today, acting_user, is_demo).write()


class _Writer:
    def __init__(
        self, plan: Plan, import_id: UUID, source: Source, today: date, actor: Actor, is_demo: bool
    ) -> None:
        self.plan, self.import_id, self.source = plan, import_id, source
        self.today, self.actor, self.is_demo = today, actor, is_demo
        self.now: datetime = clock.now()
        driver = db.session().connection().connection.driver_connection
        assert isinstance(driver, Connection)
        self.driver: Connection[Any] = driver

    def write(self) -> None:
        # What the session still holds must be there before the rows that point to it.
        db.session().flush()
        self._places()
        self._owners()
        self._houses()
        self._holdings()
        self._marks()
        db.session().expire_all()  # the rows changed under the session

    # --- how -----------------------------------------------------------------------------------------------

    def _change(
        self, columns: dict[str, str], rows: Iterable[Sequence[Any]], change: str, parameters: dict[str, Any]
    ) -> None:
        """Run `change`, an UPDATE that reads the rows as `given`, for some thousand rows at a time."""
        names = ", ".join(columns)
        arrays = ", ".join(f"%({name})s::{kind}[]" for name, kind in columns.items())
        source = f"unnest({arrays}) AS given ({names})"
        stream = iter(rows)
        with self.driver.cursor() as cursor:
            while slice_ := list(itertools.islice(stream, SLICE)):
                values = dict(zip(columns, map(list, zip(*slice_, strict=True)), strict=True))
                with db.told_when_slow(change):
                    cursor.execute(change.replace("given_rows", source).encode(), values | parameters)

    # --- what ----------------------------------------------------------------------------------------------

    def _places(self) -> None:
        db.copy_rows(
            self.driver,
            "buildings",
            ("community_id", "id", "estate_id", "name", "is_demo"),
            (
                (estate.community_id, building_id, estate.id, name, self.is_demo)
                for estate, building_id, name in self.plan.new_buildings
            ),
        )
        db.copy_rows(self.driver, "units", ("community_id", "id", "building_id", "name"), self.plan.new_units)

    def _owners(self) -> None:
        new = [owner for owner in self.plan.owners if owner.is_new]
        db.copy_rows(
            self.driver,
            "owners",
            (
                "community_id",
                "id",
                "kind",
                *(f"{column}_{part}" for column in _OWNER_COLUMNS.values() for part in ("sealed", "hash")),
                "version",
                "created_at",
                "updated_at",
                "is_demo",
            ),
            (
                (
                    owner.community_id,
                    owner.id,
                    owner.kind,
                    *_sealed(owner),
                    1,
                    self.now,
                    self.now,
                    self.is_demo,
                )
                for owner in new
            ),
        )
        changed = [owner for owner in self.plan.owners if not owner.is_new]
        if not changed:
            return
        parts = [f"{column}_{part}" for column in _OWNER_COLUMNS.values() for part in ("sealed", "hash")]
        sets = ", ".join(f"{part} = coalesce(given.{part}, owners.{part})" for part in parts)
        self._change(
            {"community_id": "bigint", "id": "uuid", "kind": "text", **dict.fromkeys(parts, "bytea")},
            ((owner.community_id, owner.id, owner.kind or None, *_sealed(owner)) for owner in changed),
            f"UPDATE owners SET {sets}, kind = coalesce(given.kind, owners.kind), version = owners.version + 1,"  # noqa: S608  constants of this file
            " updated_at = %(now)s FROM given_rows"
            " WHERE owners.community_id = given.community_id AND owners.id = given.id",
            {"now": self.now},
        )

    def _houses(self) -> None:
        db.copy_rows(
            self.driver,
            "houses",
            (
                "community_id",
                "id",
                "estate_id",
                "building_id",
                "unit_id",
                "kind",
                "number",
                "key",
                *_AREAS,
                "area_centi",
                "area_basis",
                "valid_from",
                "version",
                "created_at",
                "updated_at",
                "is_demo",
            ),
            (
                (
                    row.estate.community_id,
                    house_id,
                    row.estate.id,
                    building_id,
                    unit_id,
                    row.kind or HouseKind.HOME,
                    row.number,
                    row.key,
                    *(areas := [getattr(row, name) for name in _AREAS]),
                    *_counting(areas),
                    self.today,
                    1,
                    self.now,
                    self.now,
                    self.is_demo,
                )
                for row, house_id, building_id, unit_id in self.plan.new_houses
            ),
        )
        if not self.plan.changed_houses:
            return
        self._change(
            {
                "community_id": "bigint",
                "id": "uuid",
                "kind": "text",
                **dict.fromkeys((*_AREAS, "area_centi"), "integer"),
                "area_basis": "text",
            },
            (
                (
                    row.estate.community_id,
                    known.id,
                    _new(row, known, "kind", changed),
                    *(areas := [_new(row, known, name, changed) for name in _AREAS]),
                    *_counting(areas),
                )
                for row, known, changed in self.plan.changed_houses
            ),
            "UPDATE houses SET kind = given.kind, registered_centi = given.registered_centi,"
            " surveyed_centi = given.surveyed_centi, contract_centi = given.contract_centi,"
            " area_centi = given.area_centi, area_basis = given.area_basis,"
            " version = houses.version + 1, updated_at = %(now)s FROM given_rows"
            " WHERE houses.community_id = given.community_id AND houses.id = given.id",
            {"now": self.now},
        )

    def _holdings(self) -> None:
        plan = self.plan
        closing = [h for h in plan.holdings if h.closes is not None]
        if closing:
            self._change(
                {"community_id": "bigint", "id": "uuid", "valid_to": "date"},
                ((h.row.estate.community_id, h.closes, h.closed_on) for h in closing),
                "UPDATE holdings SET valid_to = given.valid_to FROM given_rows"
                " WHERE holdings.community_id = given.community_id AND holdings.id = given.id",
                {},
            )
        opened = [(h, ids.new_id()) for h in plan.holdings]
        db.copy_rows(
            self.driver,
            "holdings",
            (
                "community_id",
                "id",
                "house_id",
                "state",
                "voter_id",
                "valid_from",
                "import_id",
                "reason",
                "created_at",
            ),
            (
                (
                    h.row.estate.community_id,
                    holding_id,
                    h.house_id,
                    h.state,
                    h.owners[0] if len(h.owners) == 1 else None,
                    h.since,
                    self.import_id,
                    "import",
                    self.now,
                )
                for h, holding_id in opened
            ),
        )
        db.copy_rows(
            self.driver,
            "holding_owners",
            ("community_id", "holding_id", "owner_id", "position"),
            (
                (h.row.estate.community_id, holding_id, owner_id, position)
                for h, holding_id in opened
                for position, owner_id in enumerate(h.owners)
            ),
        )

    def _marks(self) -> None:
        held = {h.house_id for h in self.plan.holdings}
        rows: list[tuple[Row, ObjectKind, UUID, list[str]]] = []
        for row, house_id, _, _ in self.plan.new_houses:
            fields = ["number"] + [name for name in ("kind", *_AREAS) if getattr(row, name) is not None]
            rows.append((row, ObjectKind.HOUSE, house_id, fields + (["owners"] if house_id in held else [])))
        rows += [
            (row, ObjectKind.HOUSE, known.id, changed) for row, known, changed in self.plan.changed_houses
        ]
        for owner in self.plan.owners:
            assert owner.first is not None
            rows.append((owner.first, ObjectKind.OWNER, owner.id, list(owner.writes)))
        rows += [
            (said.row, said.kind, object_id, list(said.fields))
            for object_id, said in self.plan.confirmed.items()
        ]
        db.copy_rows(
            self.driver,
            "registry_marks",
            (
                "community_id",
                "id",
                "object_kind",
                "object_id",
                "fields",
                "source",
                "rank",
                "import_id",
                "sheet",
                "row",
                "at",
                "actor_kind",
                "actor_id",
            ),
            (
                (
                    row.estate.community_id,
                    ids.new_id(),
                    kind,
                    object_id,
                    sorted(fields),
                    self.source,
                    int(rank_of(self.source)),
                    self.import_id,
                    row.sheet[:40],
                    row.row,
                    self.now,
                    self.actor.kind,
                    self.actor.id,
                )
                for row, kind, object_id, fields in rows
            ),
        )


def _new(row: Row, known: Any, name: str, changed: list[str]) -> Any:
    return getattr(row, name) if name in changed else getattr(known, name)


def _counting(areas: Sequence[int | None]) -> tuple[int | None, str | None]:
    """解释 8: the area that counts, and which of the three it is."""
    for area, basis in zip(areas, AreaBasis, strict=True):
        if area is not None:
            return area, basis.value
    return None, None


def _sealed(owner: KnownOwner) -> list[bytes | None]:
    """Sealed value and hash of each field that is written, None for the others."""
    values: list[bytes | None] = []
    for name in _OWNER_COLUMNS:
        value = owner.writes.get(name)
        values += (
            [None, None] if value is None else [identity.seal(value, name, owner.id), _HASHES[name](value)]
        )
    return values
