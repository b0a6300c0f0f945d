"""What a street sets for an estate: which legal effect its votes may have, and the owners' rules of procedure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from app import audit, clock, db, ids
from app.ids import Ref
from app.media import papers
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places import registry
from app.voting import queries
from app.voting.errors import BadRules, DocumentMissing
from app.voting.models import LegalMode, ProcedureRules, VotingMode
from app.voting.rules import Rules, Unreturned

MODE_PAPER, RULES_PAPER = "voting_mode", "procedure_rules"  # what the documents hang at


def set_mode(
    staff: StaffActor,
    estate: Ref,
    *,
    mode: LegalMode,
    document: str | None,
    system: str | None = None,
    file_ids: Sequence[UUID] = (),
) -> VotingMode:
    """From now on the estate's votes may have this legal effect, by this document, with its file. What is announced
    keeps its own.

    Raises NotFound, Forbidden, DocumentMissing, PaperUnknown.
    """
    queries.estate_for_staff(staff, estate, Permission.DECISION_MODE)
    places.estate(estate)
    if mode is not LegalMode.POLL and not document:
        raise DocumentMissing(errors={"document": [(DocumentMissing.zh, DocumentMissing.en)]})
    if mode is not LegalMode.POLL and not file_ids:
        raise _file_missing()
    if mode is LegalMode.OFFICIAL and not system:
        raise DocumentMissing(errors={"system": [("请填写主管部门的系统。", "Name the authority's system.")]})
    row = VotingMode(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        mode=mode,
        document=document or None,
        system=system or None,
        set_by=staff.id,
        set_at=clock.now(),
    )
    db.session().add(row)
    _keep(staff, estate, MODE_PAPER, row.id, file_ids)
    _audited(staff, estate, "estate.voting_mode_set", mode=mode.value)
    return row


def set_rules(
    staff: StaffActor,
    estate: Ref,
    *,
    changes: Mapping[str, Any],
    document: str | None,
    clause: str | None,
    adopted_on: date | None,
    file_ids: Sequence[UUID] = (),
) -> ProcedureRules:
    """A new version of the estate's rules of procedure: what `changes` doesn't name stays as it was. Decisions that are
    announced run by their copy.

    Raises NotFound, Forbidden, BadRules, DocumentMissing (what the law leaves to the owners' own text rests on it).
    """
    queries.estate_for_staff(staff, estate, Permission.DECISION_MODE)
    places.estate(estate)
    registry.touch(estate.community_id)  # versions come one after another
    before = queries.procedure_of(estate)
    rules = Rules.of((before.rules if before is not None else {}) | dict(changes))
    if rules.window_days_min > rules.window_days_max:
        raise BadRules(errors={"window_days_min": [(BadRules.zh, BadRules.en)]})
    rests_on_text = rules.electronic_admitted or rules.unreturned is not Unreturned.NOT_COUNTED
    if rests_on_text and not (document and clause and adopted_on):
        raise DocumentMissing(errors={"document": [(DocumentMissing.zh, DocumentMissing.en)]})
    if rests_on_text and not file_ids:
        raise _file_missing()
    row = ProcedureRules(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        version=before.version + 1 if before is not None else 1,
        rules=rules.as_json(),
        document=document or None,
        clause=clause or None,
        adopted_on=adopted_on,
        set_by=staff.id,
        set_at=clock.now(),
    )
    db.session().add(row)
    _keep(staff, estate, RULES_PAPER, row.id, file_ids)
    _audited(staff, estate, "estate.procedure_rules_set", version=row.version)
    return row


def _file_missing() -> DocumentMissing:
    said = ("请上传文件的照片或 PDF。", "Upload a photo or PDF of the document.")
    return DocumentMissing(errors={"file_ids": [said]})


def _keep(staff: StaffActor, estate: Ref, kind: str, object_id: UUID, file_ids: Sequence[UUID]) -> None:
    if file_ids:
        papers.attach(
            owner_id=staff.id,
            file_ids=file_ids,
            community_id=estate.community_id,
            object_kind=kind,
            object_id=object_id,
        )


def _audited(staff: StaffActor, estate: Ref, action: str, **details: Any) -> None:
    audit.record(
        staff.actor,
        action,
        community_id=estate.community_id,
        object_kind="estate",
        object_id=estate.id,
        **details,
    )
