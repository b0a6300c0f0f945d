"""Where things are: the dated tree of regions, estates, buildings, grids, and the organisations that look after them.

The registry of homes and owners comes on top of this; here is what a report needs to find its people.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app import db


class RegionKind(StrEnum):
    """城市 > 区县 > 街道 > 社区."""

    CITY = "city"
    DISTRICT = "district"
    STREET = "street"
    COMMUNITY = "community"


class OrgKind(StrEnum):
    """街道办 · 社区居委会 · 物业公司 · 业委会 · 职能部门 · 人民调解室."""

    STREET_OFFICE = "street_office"
    COMMUNITY_COMMITTEE = "community_committee"
    PROPERTY_COMPANY = "property_company"
    OWNERS_COMMITTEE = "owners_committee"
    DEPARTMENT = "department"
    MEDIATION_POST = "mediation_post"


class Region(db.Base):
    """A node of the administrative tree. The id of a community is the `community_id` of all its rows."""

    __tablename__ = "regions"
    __table_args__ = (
        CheckConstraint("id > 0 AND id < 4294967296", name="id_fits_wire"),
        {"info": db.reference()},
    )

    id: Mapped[int] = mapped_column(db.BigInt, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(80))
    official_code: Mapped[str | None] = mapped_column(String(12))
    outline: Mapped[dict[str, Any] | None]  # GeoJSON, WGS-84
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")


class RegionTerm(db.Base):
    """Who was the parent of a region, and when. A district that merges is a new row here, nothing else."""

    __tablename__ = "region_terms"
    __table_args__ = (Index("ix_region_terms_parent", "parent_id", "region_id"), {"info": db.reference()})

    region_id: Mapped[int] = mapped_column(db.BigInt, ForeignKey("regions.id"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(db.BigInt, ForeignKey("regions.id"))
    valid_to: Mapped[date | None]  # exclusive


class Org(db.Base):
    """An organisation that handles tickets."""

    __tablename__ = "orgs"
    __table_args__ = {"info": db.reference()}  # noqa: RUF012

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    name: Mapped[str] = mapped_column(String(80))
    region_id: Mapped[int] = mapped_column(db.BigInt, ForeignKey("regions.id"))
    phone: Mapped[str | None] = mapped_column(String(20))  # the duty line of an office, public by nature
    is_active: Mapped[bool] = mapped_column(Boolean, server_default="true")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")


class Estate(db.Base):
    """小区. Position and outline are WGS-84."""

    __tablename__ = "estates"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["regions.id"]),
        UniqueConstraint("community_id", "name"),
        Index("ix_estates_box", "min_lng", "max_lng", "min_lat", "max_lat"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    address: Mapped[str | None] = mapped_column(String(160))
    lng: Mapped[float]
    lat: Mapped[float]
    outline: Mapped[dict[str, Any] | None]  # GeoJSON Polygon or MultiPolygon (RFC 7946)
    # The box around the outline, or 300 m around the centre where none is drawn; narrows "which estate is here".
    min_lng: Mapped[float]
    max_lng: Mapped[float]
    min_lat: Mapped[float]
    max_lat: Mapped[float]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")


class EstateTerm(db.Base):
    """Which community governs an estate, and when; the row's own community_id is only its home shard."""

    __tablename__ = "estate_terms"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["governed_by"], ["regions.id"]),
        Index("ix_estate_terms_governed_by", "governed_by"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    estate_id: Mapped[UUID] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    governed_by: Mapped[int] = mapped_column(db.BigInt)
    valid_to: Mapped[date | None]  # exclusive


class Building(db.Base):
    """楼栋."""

    __tablename__ = "buildings"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        UniqueConstraint("community_id", "estate_id", "name"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    estate_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(40))
    outline: Mapped[dict[str, Any] | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")


class Grid(db.Base):
    """网格: 300-500 homes looked after by one grid worker."""

    __tablename__ = "grids"
    __table_args__ = (
        ForeignKeyConstraint(["community_id"], ["regions.id"]),
        UniqueConstraint("community_id", "code"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(80))
    outline: Mapped[dict[str, Any] | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    is_demo: Mapped[bool] = mapped_column(Boolean, server_default="false")


class GridCover(db.Base):
    """A grid covers an estate, or one building of it, from a day on."""

    __tablename__ = "grid_covers"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "grid_id"], ["grids.community_id", "grids.id"]),
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["community_id", "building_id"], ["buildings.community_id", "buildings.id"]),
        Index("ix_grid_covers_estate", "community_id", "estate_id"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    grid_id: Mapped[UUID]
    estate_id: Mapped[UUID]
    building_id: Mapped[UUID | None]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # exclusive


class Responsibility(db.Base):
    """An organisation answers for a category at a place, dated. Empty estate: the whole community; empty category: all.

    The most specific row wins: estate and category, then category, then estate.
    """

    __tablename__ = "responsibilities"
    __table_args__ = (
        ForeignKeyConstraint(["community_id", "estate_id"], ["estates.community_id", "estates.id"]),
        ForeignKeyConstraint(["org_id"], ["orgs.id"]),
        Index("ix_responsibilities_place", "community_id", "estate_id", "category_code"),
        {"info": db.distributed()},
    )

    community_id: Mapped[int] = mapped_column(db.BigInt, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    org_id: Mapped[UUID]
    estate_id: Mapped[UUID | None]
    category_code: Mapped[str | None] = mapped_column(String(32))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]  # exclusive
    created_at: Mapped[datetime]
