"""What the street, the community and the property company tell: open affairs, policy, works, emergencies, study."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, g

from app.ids import Ref
from app.notices import queries, reading, rich
from app.notices.models import TOPIC_NAMES, Notice, NoticeStatus, Topic
from app.notices.queries import Listed, MyRead, Standing
from app.places import queries as places
from bff.http import read_cursor, reads, revalidated, write_cursor, writes
from bff.notices import blocks_out, files_out, hand_out, history_out
from bff.resident import notice_schemas as s
from bff.schemas import Blueprint

blp = Blueprint("notices", __name__, url_prefix="/bff/v1", description="Notices")
EXCERPT = 60  # characters of the text in a list


def _common(row: Notice, mine: MyRead | None) -> dict[str, Any]:
    return {
        "notice_id": queries.ref_of(row),
        "kind": row.kind,
        "kind_name": TOPIC_NAMES[Topic(row.kind)],
        "title": row.title,
        "areas": [area["name"] for area in row.areas],
        "published_at": row.published_at,
        "read_at": mine.read_at if mine else None,
        "finished_at": mine.finished_at if mine else None,
    }


def row_out(listed: Listed, mine: MyRead | None, standing: Standing) -> dict[str, Any]:
    """A line of the list."""
    row = listed.notice
    return _common(row, mine) | {
        "excerpt": rich.words(row.text[: 4 * EXCERPT])[:EXCERPT],
        "is_corrected": row.revision > 1,
        "for_me": bool(standing.lives_in(listed.covers)),
    }


@blp.route("/notices", methods=["GET"])
@revalidated
@reads
@blp.arguments(s.NoticeQuery, location="query")
@blp.response(200, s.NoticeList)
def notices(args: dict[str, Any]) -> dict[str, Any]:
    """What is published in an estate, the latest first."""
    estate = Ref(*args["estate_id"])
    places.estate(estate)
    after = read_cursor(args["cursor"], datetime.fromisoformat, UUID)
    rows = queries.of_estate(
        estate,
        kind=args["kind"],
        limit=args["limit"] + 1,
        after=(after[0], after[1]) if after else None,
    )
    page = rows[: args["limit"]]
    read = queries.my_reads(g.resident_id, [listed.notice for listed in page])
    standing = queries.standing_of(g.resident_id)
    last = page[-1].notice if len(rows) > len(page) else None
    return {
        "items": [row_out(one, read.get(queries.ref_of(one.notice)), standing) for one in page],
        "next_cursor": write_cursor(last.published_at, last.id) if last is not None else None,
    }


@blp.route("/notices/<ref(ntc):ref>", methods=["GET"])
@revalidated
@reads
@blp.response(200, s.NoticeOut)
def notice(ref: Ref) -> dict[str, Any]:
    """A notice with its files and earlier versions. Of one that was withdrawn, title and reason are left."""
    row = queries.public(ref)
    mine = queries.my_reads(g.resident_id, [row]).get(ref)
    is_out = row.status == NoticeStatus.PUBLISHED
    standing = queries.standing_of(g.resident_id)
    return _common(row, mine) | {
        "status": row.status,
        "text": row.text if is_out else None,
        "blocks": blocks_out(row.text) if is_out else [],
        "withdrawn_at": row.withdrawn_at,
        "withdrawal": row.withdrawal,
        "study_minutes": row.study_minutes,
        "corrections": history_out(row) if is_out else [],
        "files": files_out(ref, "notices.notice_file") if is_out else [],
        "for_me": bool(standing.lives_in(queries.covers_of(row))),
    }


@blp.route("/notices/<ref(ntc):ref>/files/<ref(upl):file_id>", methods=["GET"])
@blp.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def notice_file(ref: Ref, file_id: UUID) -> Response:
    """A file of a notice."""
    return hand_out(lambda: queries.readable(ref), file_id)


@blp.route("/notices/<ref(ntc):ref>/read", methods=["POST"])
@writes
@blp.arguments(s.NoticeReadIn)
@blp.response(200, s.NoticeReadOut)
def read_notice(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """I have read it; with `finished`, studied it. The first time counts; again is no error."""
    done = reading.read(ref, finished=body["finished"], acting_user=g.resident_id)
    return {
        "is_counted": done.is_counted,
        "read_at": done.read.read_at if done.read else None,
        "finished_at": done.read.finished_at if done.read else None,
    }
