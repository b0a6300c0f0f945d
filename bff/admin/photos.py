"""Pictures of staff, and the pictures that wait for a person's verdict."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g, url_for

from app.errors import NotFound
from app.ids import Ref
from app.media import links, papers
from app.media import queries as media_queries
from app.media import service as media
from app.media.models import OwnerKind
from app.people.permissions import Permission
from app.tickets import queries as tickets
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.http import read_cursor, reads, write_cursor, writes
from bff.papers import PURPOSE, takes_picture_or_paper
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("staff-photos", __name__, url_prefix="/admin/api/v1", description="Pictures")


@blp.route("/files", methods=["POST"])
@requires(Permission.FILE_UPLOAD)
@takes_picture_or_paper
@writes
@blp.arguments(s.FileIn, location="files")
@blp.arguments(s.FileForm, location="form")
@blp.response(201, s.FileOut)
def upload_file(_: dict[str, Any], form: dict[str, Any]) -> Any:
    """Upload a picture for a ticket, or evidence (picture or PDF); it goes after 24 hours when it isn't used."""
    if form["purpose"] == PURPOSE:
        kept = papers.receive(
            paper_id=g.paper.paper_id,
            owner_id=g.staff.id,
            owner_kind=OwnerKind.STAFF,
            kind=g.paper.kind,
            size_bytes=g.paper.size_bytes,
            sha256=g.paper.sha256,
        )
        where = url_for("staff-photos.paper", file_id=kept.id)
        return {"file_id": kept.id, "status": "ready", "thumb_url": None}, 201, {"Location": where}
    picture = g.picture
    upload = media.receive(
        upload_id=picture.upload_id,
        owner_id=g.staff.id,
        owner_kind=OwnerKind.STAFF,
        info=picture.info,
        size_bytes=picture.size_bytes,
        sha256=picture.sha256,
        # Where she stood is kept of the proof of her work alone, for who verifies it.
        may_keep_position=form["purpose"] == "after_photo",
    )
    thumb = links.to_upload(g.staff.id, upload.id, "thumb")
    return {"file_id": upload.id, "status": upload.status, "thumb_url": thumb}, 201, {"Location": thumb}


@blp.route("/files/<ref(upl):file_id>", methods=["GET"])
@requires(Permission.FILE_UPLOAD)
@reads
@blp.response(200, s.FileOut)
def paper(file_id: UUID) -> dict[str, Any]:
    """A paper that I uploaded."""
    found = papers.paper_of(g.staff.id, file_id)
    if found is None:
        raise NotFound
    return {"file_id": found.id, "status": "ready", "thumb_url": None}


@blp.route("/photos/review", methods=["GET"])
@requires(Permission.PHOTO_REVIEW)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.ReviewPhotoList)
def photos_to_review(args: dict[str, Any]) -> dict[str, Any]:
    """Photos on which WeChat gave no verdict, or asked for a person's; oldest first."""
    return awaiting(args)


def awaiting(args: dict[str, Any]) -> dict[str, Any]:
    """The page of waiting photos that `args` (of PageQuery) ask for. Raises BadCursor."""
    after = read_cursor(args["cursor"], int, UUID)
    homes = {
        home
        for grant in g.staff.grants
        if Permission.PHOTO_REVIEW in grant.permissions
        for home in grant.homes
    }
    rows = media_queries.awaiting_review(
        homes, limit=args["limit"] + 1, after=(after[0], after[1]) if after else None
    )
    page = rows[: args["limit"]]
    found = tickets.tickets_by_ref([Ref(p.community_id, p.object_id) for p in page])
    items = []
    for photo in page:
        ticket = found.get(Ref(photo.community_id, photo.object_id))
        if ticket is None or not tickets.may(g.staff, ticket, Permission.PHOTO_REVIEW):
            continue
        ref = Ref(photo.community_id, photo.id)
        items.append(
            {
                "photo_ref": ref,
                "ticket_id": Ref(photo.community_id, photo.object_id),
                "attached_at": photo.attached_at,
                "thumb_url": links.to_photo(ref, "thumb"),
                "url": links.to_photo(ref, "full"),
            }
        )
    more = len(rows) > len(page)
    return {"items": items, "next_cursor": write_cursor(page[-1].community_id, page[-1].id) if more else None}


@blp.route("/photos/<ref(pho):ref>/verdict", methods=["POST"])
@requires(Permission.PHOTO_REVIEW)
@writes
@blp.arguments(s.VerdictIn)
@blp.response(200, s.VerdictOut)
def give_verdict(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Decide on a photo that waits for a person."""
    photo = media_queries.photo(ref)
    found = tickets.tickets_by_ref([Ref(ref.community_id, photo.object_id)]) if photo else {}
    if not found or not tickets.may(g.staff, next(iter(found.values())), Permission.PHOTO_REVIEW):
        raise NotFound
    reviewed = media.review(ref, passed=body["passed"], acting_user=g.staff.actor)
    return {"photo_ref": ref, "check_state": reviewed.check_state}
