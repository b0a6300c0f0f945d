"""The registry (一数一源): houses, who owns them and since when, where each field came from, and the imports.

An owner lives in one community's shard: who owns houses in two communities has a row in each. Heads are counted
within an estate, so nothing is lost by it.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class HouseKind(StrEnum):
    """住宅 · 商铺 · 车库 · 车位 · 储藏室."""

    HOME = "home"
    SHOP = "shop"
    GARAGE = "garage"
    PARKING = "parking"
    STORAGE = "storage"


class AreaBasis(StrEnum):
    """Which area counts (最高法建筑物区分所有权解释 8): registered, else surveyed, else contract."""

    REGISTERED = "registered"
    SURVEYED = "surveyed"
    CONTRACT = "contract"


class HoldingState(StrEnum):
    """What the owner may count for (解释 9): what is unsold or not yet handed over counts with the developer."""

    OWNED = "owned"
    UNSOLD = "unsold"
    UNDELIVERED = "undelivered"  # sold, the keys not handed over


class OwnerKind(StrEnum):
    """A person, or a body with a unified social credit code."""

    PERSON = "person"
    ORGANISATION = "organisation"


class Source(StrEnum):
    """Where a value was taken from."""

    REGISTRATION = "registration"  # 不动产登记
    STAFF = "staff"  # entered at the desk, with the papers seen
    COMMUNITY = "community"  # 社区台账
    PROPERTY = "property"  # 物业台账
    DEVELOPER = "developer"  # 开发商销售表


class Rank(IntEnum):
    """How far a source is believed: a lower one never overwrites what a higher one said."""

    DEVELOPER = 10
    PROPERTY = 20
    COMMUNITY = 30
    STAFF = 40
    REGISTRATION = 50


class ImportState(StrEnum):
    """Where an import stands."""

    READING = "reading"
    MAPPING = "mapping"  # headings that nobody recognised: a person maps them
    PREVIEWED = "previewed"
    APPLYING = "applying"
    APPLIED = "applied"
    FAILED = "failed"


def rank_of(source: str) -> Rank:
    """How far this source is believed."""
    return Rank[Source(source).name]


class Unit(db.Base):
    """单元: a staircase of a building."""

    __tablename__ = "units"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "building_id"], ["buildings.community_id", "buildings.id"]),
        UniqueConstraint("community_id", "building_id", "name"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    building_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(40))
    outline: Mapped[dict[str, Any] | None]


class House(db.Base):
    """户: a home, shop, garage, parking space or storage room. Areas in 0.01 m².

    `key` is building, unit and number in one spelling: what makes "1栋", "1号楼" and "01幢" the same house.
    """

    __tablename__ = "houses"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["community_id", "building_id"], ["buildings.community_id", "buildings.id"]),
        ForeignKeyConstraint(["community_id", "unit_id"], ["units.community_id", "units.id"]),
        UniqueConstraint("community_id", "estate_id", "key"),
        Index("ix_houses_building", "community_id", "building_id"),
        Index("ix_houses_number", "community_id", "number"),
        CheckConstraint("registered_centi > 0", name="registered_positive"),
        CheckConstraint("surveyed_centi > 0", name="surveyed_positive"),
        CheckConstraint("contract_centi > 0", name="contract_positive"),
        # 解释 8, kept by the database: nobody can write an area that isn't the one that counts.
        CheckConstraint(
            "area_centi IS NOT DISTINCT FROM coalesce(registered_centi, surveyed_centi, contract_centi)",
            name="area_counts",
        ),
        CheckConstraint(
            "area_basis IS NOT DISTINCT FROM CASE WHEN registered_centi IS NOT NULL THEN 'registered'"
            " WHEN surveyed_centi IS NOT NULL THEN 'surveyed'"
            " WHEN contract_centi IS NOT NULL THEN 'contract' END",
            name="basis_counts",
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    building_id: Mapped[UUID | None]
    unit_id: Mapped[UUID | None]
    kind: Mapped[str] = mapped_column(String(8))
    number: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(140))
    registered_centi: Mapped[int | None] = mapped_column(Integer)
    surveyed_centi: Mapped[int | None] = mapped_column(Integer)
    contract_centi: Mapped[int | None] = mapped_column(Integer)
    area_centi: Mapped[int | None] = mapped_column(Integer)
    area_basis: Mapped[str | None] = mapped_column(String(10))
    outline: Mapped[dict[str, Any] | None]
    # The house exists for votes from valid_from to before valid_to (torn down, joined with another).
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # exclusive
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")


class Owner(db.Base):
    """An owner (业主). Name, phones and ID number are sealed; the hashes find them.

    `same_as`: another row that is the same person, found later; splitting takes it away again. `is_apart`: a person
    said that this row is nobody else, so no import joins it to another one by name and phone.
    """

    __tablename__ = "owners"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "same_as"], ["owners.community_id", "owners.id"]),
        Index("ix_owners_id_hash", "community_id", "id_hash"),
        Index("ix_owners_name_hash", "community_id", "name_hash"),
        Index("ix_owners_phone_hash", "community_id", "phone_hash"),
        Index("ix_owners_phone2_hash", "community_id", "phone2_hash"),
        Index("ix_owners_same_as", "community_id", "same_as"),
        CheckConstraint("same_as <> id", name="not_own_twin"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    name_sealed: Mapped[bytes] = mapped_column(info=db.sealed("owner_name:{id}"))
    name_hash: Mapped[bytes]
    phone_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("owner_phone:{id}"))
    phone_hash: Mapped[bytes | None]
    phone2_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("owner_phone2:{id}"))
    phone2_hash: Mapped[bytes | None]
    id_sealed: Mapped[bytes | None] = mapped_column(info=db.sealed("owner_id_number:{id}"))
    id_hash: Mapped[bytes | None]
    same_as: Mapped[UUID | None]
    is_apart: Mapped[bool] = mapped_column(Boolean, server_default="false")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")


class Holding(db.Base):
    """The owner group of a house from a day to before another: its co-owners are one head with one voter.

    At most one is open for a house; a transfer closes it and opens the next one.
    """

    __tablename__ = "holdings"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "house_id"], ["houses.community_id", "houses.id"]),
        ForeignKeyConstraint(["community_id", "voter_id"], ["owners.community_id", "owners.id"]),
        Index("ix_holdings_house", "community_id", "house_id", "valid_from"),
        Index(
            "uq_holdings_open",
            "community_id",
            "house_id",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="span"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    house_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(String(12))
    voter_id: Mapped[UUID | None]  # one of its owners; a sole owner is her own
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # exclusive; equal to valid_from: corrected, never held
    import_id: Mapped[UUID | None] = mapped_column(info=db.soft("registry_imports.id"))
    reason: Mapped[str] = mapped_column(String(12))  # import | transfer | correction
    created_at: Mapped[datetime]


class HoldingOwner(db.Base):
    """One co-owner of a holding, in the order of the papers."""

    __tablename__ = "holding_owners"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "holding_id"], ["holdings.community_id", "holdings.id"]),
        ForeignKeyConstraint(["community_id", "owner_id"], ["owners.community_id", "owners.id"]),
        Index("ix_holding_owners_owner", "community_id", "owner_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    holding_id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger)


class HoldingVoter(db.Base):
    """Who was registered to vote for a holding, from a moment on; no voter: the co-owners don't agree any more."""

    __tablename__ = "holding_voters"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "holding_id"], ["holdings.community_id", "holdings.id"]),
        ForeignKeyConstraint(["community_id", "voter_id"], ["owners.community_id", "owners.id"]),
        Index("ix_holding_voters_holding", "community_id", "holding_id", "at"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    holding_id: Mapped[UUID]
    voter_id: Mapped[UUID | None]
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(12))
    actor_id: Mapped[UUID | None]


class ObjectKind(StrEnum):
    """What a mark is about."""

    HOUSE = "house"
    OWNER = "owner"


class Mark(db.Base):
    """Where fields of a house or owner came from: these fields, from this row of this file or by this hand, then.

    The newest mark that names a field is its provenance. The file's hash stands at the import.
    """

    __tablename__ = "registry_marks"
    __table_args__ = (
        Index("ix_registry_marks_object", "community_id", "object_id", "at"),
        {"info": db.distributed(append_only=True)},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    object_kind: Mapped[str] = mapped_column(String(8))
    object_id: Mapped[UUID]
    fields: Mapped[list[str]] = mapped_column(ARRAY(String(16)))
    source: Mapped[str] = mapped_column(String(12))
    rank: Mapped[int] = mapped_column(SmallInteger)
    import_id: Mapped[UUID | None] = mapped_column(info=db.soft("registry_imports.id"))
    sheet: Mapped[str | None] = mapped_column(String(40))
    row: Mapped[int | None] = mapped_column(Integer)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(12))
    actor_id: Mapped[UUID | None]


class Stamp(db.Base):
    """Counts the writes to a community's registry. Each locks it first, so they come one after another."""

    __tablename__ = "registry_stamps"
    __table_args__ = {"info": db.distributed()}  # noqa: RUF012

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(db.BigInt)


class RegistryImport(db.Base):
    """One uploaded file on its way into the registry. `community_id`: where its uploader works (a community or street).

    Kept for ever, because marks point here; the file itself goes when it is applied, or after 30 days.
    """

    __tablename__ = "registry_imports"
    __table_args__ = (
        Index("ix_registry_imports_latest", "community_id", "created_at"),
        Index("ix_registry_imports_files", "created_at", postgresql_where=text("file_kept")),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(String(12))
    source: Mapped[str] = mapped_column(String(12))
    file_sha256: Mapped[bytes]
    file_bytes: Mapped[int] = mapped_column(Integer)
    file_kind: Mapped[str] = mapped_column(String(8))  # xlsx | xls | csv
    file_kept: Mapped[bool] = mapped_column(Boolean)
    errors_kept: Mapped[bool] = mapped_column(Boolean, server_default="false")  # its error sheet
    # The estate of a file that names none, by its home.
    estate_community_id: Mapped[int | None] = mapped_column(db.BigInt)
    estate_id: Mapped[UUID | None] = mapped_column(info=db.soft("estates.id"))
    # [[community_id, estate_id], …] the uploader could import into when she uploaded it.
    reach: Mapped[list[Any]]
    mapping: Mapped[dict[str, Any]]  # heading → field, by a person; wins over what is recognised
    headings: Mapped[
        list[Any] | None
    ]  # [{"sheet", "column": "A", "heading": "房号", "field": "number"|null}, …]
    counts: Mapped[dict[str, Any] | None]  # new, changed, unchanged, conflicting, bad, owners, buildings, …
    digest: Mapped[bytes | None]  # of everything the preview would write
    done: Mapped[int] = mapped_column(Integer, server_default="0")
    total: Mapped[int] = mapped_column(Integer, server_default="0")
    problem: Mapped[str | None] = mapped_column(
        String(40)
    )  # why it failed, or why it is to be looked at again
    round: Mapped[int] = mapped_column(
        Integer, server_default="1"
    )  # counts what workers were asked to do with it
    created_by: Mapped[UUID] = mapped_column(info=db.soft("staff.id"))
    created_at: Mapped[datetime]
    applied_by: Mapped[UUID | None] = mapped_column(info=db.soft("staff.id"))
    applied_at: Mapped[datetime | None]


class ImportProblem(db.Base):
    """A cell of an import that can't be taken, or differs from what a better source said. No value of it is kept."""

    __tablename__ = "registry_problems"
    __table_args__ = (
        ForeignKeyConstraint(
            ["community_id", "import_id"], ["registry_imports.community_id", "registry_imports.id"]
        ),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    import_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(8))  # bad | conflict
    sheet: Mapped[str] = mapped_column(String(40))
    row: Mapped[int] = mapped_column(Integer)
    column: Mapped[str | None] = mapped_column(String(4))  # the letter; None: the row as a whole
    field: Mapped[str | None] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(32))
    other_row: Mapped[int | None] = mapped_column(Integer)  # the row it stands in conflict with
