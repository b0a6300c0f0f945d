"""Duty rosters: who stands at which post when, and handing over at the end of a shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import g, url_for

from app import clock
from app.duty import hours, queries, service
from app.duty.gaps import gaps
from app.duty.models import Post
from app.duty.service import OneDay, Week, WeeklyTurn
from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.places import queries as places
from app.tickets import handing
from bff.admin import duty_schemas as s
from bff.admin.auth import requires
from bff.http import (
    Versioned,
    read_cursor,
    reads,
    revalidated,
    versioned,
    wanted_version,
    write_cursor,
    writes,
)
from bff.schemas import Blueprint

blp = Blueprint("staff-duty", __name__, url_prefix="/admin/api/v1/duty-rosters", description="Duty rosters")


def rosters_out(posts: Sequence[Post], at: datetime | None = None) -> list[dict[str, Any]]:
    """Posts with their rosters; a fixed number of queries however many there are."""
    moment = at or clock.now()
    today = places.today()
    turns, days = queries.turns_of(posts, since=today), queries.changes_of(posts, since=today)
    on_duty = queries.on_duty(posts, moment)
    orgs = places.org_names(post.org_id for post in posts)
    names = people.staff_names(
        [
            *(turn.staff_id for rows in turns.values() for turn in rows),
            *(who for rows in days.values() for row in rows for who in (row.away_id, row.comes_id)),
            *(one.staff_id for rows in on_duty.values() for one in rows),
        ]
    )
    rows = []
    for post in posts:
        ref = Ref(post.community_id, post.id)
        rows.append(
            {
                "roster_id": ref,
                "community_id": UUID(int=post.community_id),
                "org_id": post.org_id,
                "org": orgs.get(post.org_id),
                "name": post.name,
                "estate_ids": [Ref(post.community_id, UUID(estate)) for estate in post.estates],
                "gap": post.gap,
                "active": post.retired_at is None,
                "turns": [
                    {
                        "staff_id": turn.staff_id,
                        "staff": names.get(turn.staff_id),
                        "weekdays": turn.weekdays,
                        **hours.write(turn.starts, turn.ends),
                        "valid_from": turn.valid_from,
                        "valid_to": turn.valid_to,
                    }
                    for turn in turns.get(ref, ())
                ],
                "days": [
                    {
                        "day": row.day,
                        "away_id": row.away_id,
                        "away": names.get(row.away_id) if row.away_id else None,
                        "comes_id": row.comes_id,
                        "comes": names.get(row.comes_id) if row.comes_id else None,
                        **(
                            hours.write(row.starts, row.ends)
                            if row.starts is not None and row.ends is not None
                            else {"from_": None, "to": None}
                        ),
                        "note": row.note,
                    }
                    for row in days.get(ref, ())
                ],
                "gaps": [
                    {"day": gap.day, **hours.write(*gap.span)}
                    for gap in (
                        gaps(turns.get(ref, ()), days.get(ref, ())) if post.retired_at is None else ()
                    )
                ],
                "on_duty": [
                    {
                        "staff_id": one.staff_id,
                        "staff": names.get(one.staff_id),
                        "since": one.since,
                        "until": one.until,
                    }
                    for one in on_duty[ref]
                ],
                "version": post.version,
            }
        )
    return rows


def _roster(post: Post, status: int = 200, *, at: datetime | None = None, **headers: str) -> Versioned:
    return versioned(rosters_out([post], at)[0], status, **headers)


def _turns(rows: Sequence[Mapping[str, Any]]) -> list[WeeklyTurn]:
    return [WeeklyTurn(row["staff_id"], row["weekdays"], hours.read(row["from_"], row["to"])) for row in rows]


def _days(rows: Sequence[Mapping[str, Any]]) -> list[OneDay]:
    return [
        OneDay(
            row["day"],
            row["away_id"],
            row["comes_id"],
            hours.read(row["from_"], row["to"]) if row["from_"] is not None else None,
            row["note"],
        )
        for row in rows
    ]


@blp.route("", methods=["GET"])
@requires(Allow.DUTY_VIEW)
@reads
@blp.arguments(s.DutyQuery, location="query")
@blp.response(200, s.DutyRosterList)
def rosters(args: dict[str, Any]) -> dict[str, Any]:
    """Rosters in my reach, newest first, each with who is on shift (at `at`, else now)."""
    after = read_cursor(args["cursor"], UUID)
    rows = queries.posts(
        g.staff,
        community_id=args["community_id"].int if args["community_id"] else None,
        org_id=args["org_id"],
        retired=args["retired"],
        limit=args["limit"] + 1,
        before=after[0] if after else None,
    )
    page = rows[: args["limit"]]
    return {
        "items": rosters_out(page, args["at"]),
        "next_cursor": write_cursor(page[-1].id) if len(rows) > len(page) else None,
    }


@blp.route("", methods=["POST"])
@requires(Allow.DUTY_EDIT)
@writes
@blp.arguments(s.DutyRosterIn)
@blp.response(201, s.DutyRosterOut)
def add(body: dict[str, Any]) -> Versioned:
    """Add a post of a unit with its roster: who stands there on which weekdays from when to when."""
    made = service.add_post(
        community_id=body["community_id"].int,
        org_id=body["org_id"],
        name=body["name"],
        estates=body["estate_ids"],
        gap=body["gap"],
        week=Week(_turns(body["turns"]), body["valid_from"] or places.today(), body["valid_to"]),
        days=_days(body["days"]),
        acting_user=g.staff,
    )
    return _roster(made, 201, Location=url_for(".roster", ref=Ref(made.community_id, made.id)))


@blp.route("/<ref(dut):ref>", methods=["GET"])
@requires(Allow.DUTY_VIEW)
@revalidated
@reads
@blp.arguments(s.DutyAtQuery, location="query")
@blp.response(200, s.DutyRosterOut)
def roster(args: dict[str, Any], ref: Ref) -> Versioned:
    """One roster."""
    return _roster(queries.post_for(g.staff, ref), at=args["at"])


@blp.route("/<ref(dut):ref>", methods=["PATCH"])
@requires(Allow.DUTY_EDIT)
@writes
@blp.arguments(s.DutyRosterChange)
@blp.response(200, s.DutyRosterOut)
def change(body: dict[str, Any], ref: Ref) -> Versioned:
    """Change a roster: the week from a day on, single days from today on, or take the post out of use."""
    version = wanted_version()
    changes = dict(body)
    if "turns" in changes:
        since = changes.pop("valid_from", None) or places.today()
        changes["week"] = Week(_turns(changes.pop("turns")), since, changes.pop("valid_to", None))
    if "days" in changes:
        changes["days"] = _days(changes["days"])
    if "estate_ids" in changes:
        changes["estates"] = changes.pop("estate_ids")
    return _roster(service.change_post(ref, changes=changes, acting_user=g.staff, version=version))


@blp.route("/<ref(dut):ref>/hand-over", methods=["POST"])
@requires(Allow.TICKET_HANDLE, Allow.DUTY_EDIT)
@writes
@blp.arguments(s.HandOverIn)
@blp.response(200, s.HandedOver)
def hand_over(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """交班: what somebody was given here and hasn't started goes, in turn, to those on shift now."""
    moved = handing.hand_over(ref, staff_id=body["staff_id"], reason=body["reason"], acting_user=g.staff)
    names = people.staff_names(ticket.handler_id for ticket in moved)
    return {
        "items": [
            {
                "ticket_id": Ref(ticket.community_id, ticket.id),
                "number": ticket.number,
                "handler_id": ticket.handler_id,
                "handler": names.get(ticket.handler_id) if ticket.handler_id else None,
            }
            for ticket in moved
        ],
        "next_cursor": None,
    }
