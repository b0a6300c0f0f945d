"""Two small desks: pictures that wait for a person's verdict, and what I took in myself."""

from __future__ import annotations

from app.ids import Ref
from app.people.permissions import Permission as Allow
from bff.admin import photos, reports
from bff.admin import schemas as s
from bff.admin.auth import requires
from bff.admin.console.face import blp, page, query
from bff.admin.console.lists import next_address
from bff.admin.console.ticket_words import channel_name, status_name, step_name
from bff.http import reads
from bff.schemas import PageQuery


@blp.route("/photos", methods=["GET"])
@requires(Allow.PHOTO_REVIEW)
@reads
def photo_review() -> str:
    """Pictures of reports that nobody sees until a person has looked at them, the oldest first."""
    found = s.ReviewPhotoList().dump(photos.awaiting(query(PageQuery)))
    return page(
        "tickets/photos.html",
        here="photos",
        photos=found["items"],
        next_address=next_address(found["next_cursor"]),
    )


@blp.route("/reports", methods=["GET"])
@requires(Allow.TICKET_INTAKE, Allow.PATROL_REPORT)
@reads
def my_reports() -> str:
    """What I took in, with where each stands today, whoever has it."""
    found = reports.ReportList().dump(reports.page_of(query(PageQuery)))
    return page(
        "tickets/reports.html",
        here="reports",
        reports=found["items"],
        next_address=next_address(found["next_cursor"]),
        status_name=status_name,
        channel_name=channel_name,
    )


@blp.route("/reports/<ref(tkt):ref>", methods=["GET"])
@requires(Allow.TICKET_INTAKE, Allow.PATROL_REPORT)
@reads
def my_report(ref: Ref) -> str:
    """One of them as its reporter sees it."""
    return page(
        "tickets/report.html",
        here="reports",
        report=reports.ReportOut().dump(reports.report_of(ref)),
        status_name=status_name,
        channel_name=channel_name,
        step_name=step_name,
    )
