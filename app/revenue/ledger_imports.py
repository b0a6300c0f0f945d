"""Imports of ledgers: uploaded, read in a worker, looked at, entered as drafts all or none.

The file lies sealed in the store until it is applied or 30 days old. What comes of it is drafts like any other: they
are handed in, reviewed by a second person and published with their period.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, insert, select

from app import clock, db, ids, outbox
from app.audit import Actor, ActorKind
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places.errors import FileGone, HasBadRows, NotReady, UnknownField
from app.queue import Queue
from app.revenue import ledger_plan, queries
from app.revenue.errors import NothingToApply
from app.revenue.import_models import LedgerState, RevenueImport, RevenueImportProblem
from app.revenue.ledger_file import LedgerFile
from app.revenue.ledger_headings import Field
from app.revenue.ledger_plan import Plan
from app.revenue.models import DraftState, EntryKind, RevenueCategory, RevenueDraft
from app.revenue.service import accounts_of, lock, note

PREVIEW, APPLY, DISCARD = "revenue.preview", "revenue.apply", "revenue.discard_file"
KEPT = timedelta(days=30)  # an uploaded file that nobody applies
MAX_PROBLEMS = 5_000  # listed; the counts and the error sheet know all
KIND = "revenue_import"


# --- reads -----------------------------------------------------------------------------------------------


def import_for(staff: StaffActor, ref: Ref) -> RevenueImport:
    """An import into an estate whose books she keeps. Raises NotFound."""
    return queries.one_for(staff, Permission.REVENUE_EDIT, RevenueImport, ref)


def imports_of(estate: Ref, *, limit: int, before: UUID | None = None) -> list[RevenueImport]:
    """The imports of the estate, the latest first."""
    query = select(RevenueImport).where(
        RevenueImport.community_id == estate.community_id, RevenueImport.estate_id == estate.id
    )
    if before is not None:
        query = query.where(RevenueImport.id < before)
    return list(db.session().scalars(query.order_by(RevenueImport.id.desc()).limit(limit)))


def problems(ref: Ref, *, limit: int, after: int = -1) -> list[RevenueImportProblem]:
    """Bad cells in the order of the file."""
    rows = db.session().scalars(
        select(RevenueImportProblem)
        .where(
            RevenueImportProblem.community_id == ref.community_id,
            RevenueImportProblem.import_id == ref.id,
            RevenueImportProblem.seq > after,
        )
        .order_by(RevenueImportProblem.seq)
        .limit(limit)
    )
    return list(rows)


def waiting(ref: Ref, state: LedgerState, *, round_: int) -> RevenueImport | None:
    """The import when it still waits for just this work; for workers."""
    found = db.session().get(RevenueImport, ref)
    return found if found is not None and found.state == state and found.round == round_ else None


# --- what staff do ---------------------------------------------------------------------------------------


def announce(home: int, import_id: UUID) -> None:
    """Promise that a file about to be stored goes again in 30 days, whatever becomes of it."""
    outbox.put(
        community_id=home,
        kind=DISCARD,
        payload={"import_id": str(import_id)},
        idem=f"{DISCARD}:{import_id}:late",
        on=Queue.IMPORTS,
        not_before=clock.now() + KEPT,
    )


def begin(
    estate: Ref,
    *,
    import_id: UUID,
    file_sha256: bytes,
    file_bytes: int,
    file_kind: str,
    makes_categories: bool,
    acting_user: StaffActor,
) -> RevenueImport:
    """An import of a file that lies in the store; a worker reads it. Raises NotFound."""
    queries.estate_for(acting_user, Permission.REVENUE_EDIT, estate)
    made = RevenueImport(
        community_id=estate.community_id,
        id=import_id,
        estate_id=estate.id,
        state=LedgerState.READING,
        file_sha256=file_sha256,
        file_bytes=file_bytes,
        file_kind=file_kind,
        file_kept=True,
        errors_kept=False,
        makes_categories=makes_categories,
        mapping={},
        done=0,
        total=0,
        round=1,
        created_by=acting_user.id,
        created_at=clock.now(),
    )
    db.session().add(made)
    _promise_preview(made)
    note(
        acting_user.actor,
        "import_uploaded",
        Ref(made.community_id, made.id),
        KIND,
        sha256=file_sha256.hex(),
    )
    return made


def _promise_preview(made: RevenueImport) -> None:
    outbox.put(
        community_id=made.community_id,
        kind=PREVIEW,
        payload={"import_id": str(made.id), "round": made.round},
        idem=f"{PREVIEW}:{made.id}:{made.round}",
        on=Queue.IMPORTS,
    )


def _promise_apply(made: RevenueImport) -> None:
    outbox.put(
        community_id=made.community_id,
        kind=APPLY,
        payload={"import_id": str(made.id), "round": made.round},
        idem=f"{APPLY}:{made.id}:{made.round}",
        on=Queue.IMPORTS,
    )


def remap(ref: Ref, *, mapping: Mapping[str, str], acting_user: StaffActor) -> RevenueImport:
    """Say what headings mean (heading → field, or `ignored`) and read the file again.

    Raises NotFound, UnknownField, NotReady, FileGone.
    """
    found = _for_update(ref, acting_user)
    wrong = [heading for heading, field in mapping.items() if field not in set(Field)]
    if wrong:
        raise UnknownField(errors={heading: [(UnknownField.zh, UnknownField.en)] for heading in wrong[:20]})
    if found.state not in {LedgerState.MAPPING, LedgerState.PREVIEWED}:
        raise NotReady(extra={"state": found.state})
    if not found.file_kept:
        raise FileGone
    found.mapping = dict(mapping)
    found.state = LedgerState.READING
    found.round += 1
    found.done = found.total = 0
    found.problem = None
    _promise_preview(found)
    note(acting_user.actor, "import_mapped", ref, KIND, headings=len(mapping))
    return found


def _for_update(ref: Ref, staff: StaffActor) -> RevenueImport:
    import_for(staff, ref)
    return db.session().get_one(RevenueImport, ref, with_for_update=True, populate_existing=True)


def apply(ref: Ref, *, skip_bad: bool, acting_user: StaffActor) -> RevenueImport:
    """Have what the preview showed entered by a worker, all or none. Applying again changes nothing.

    Raises NotFound, NotReady, HasBadRows (unless they are to be left out), NothingToApply, FileGone.
    """
    found = _for_update(ref, acting_user)
    if found.state in {LedgerState.APPLYING, LedgerState.APPLIED}:
        return found
    if found.state != LedgerState.PREVIEWED or found.counts is None:
        raise NotReady(extra={"state": found.state})
    if not found.file_kept:
        raise FileGone
    if found.counts["bad"] and not skip_bad:
        raise HasBadRows(bad=found.counts["bad"], extra={"bad": found.counts["bad"]})
    if not found.counts["new"]:
        raise NothingToApply
    found.state = LedgerState.APPLYING
    found.round += 1  # a promise of its own, also when an earlier one found the books changed
    found.applied_by = acting_user.id
    found.problem = None
    found.done = 0
    _promise_apply(found)
    note(acting_user.actor, "import_confirmed", ref, KIND, skip_bad=skip_bad)
    return found


# --- what workers do -------------------------------------------------------------------------------------


def progress(ref: Ref, *, done: int) -> None:
    """Say how many rows are read; a hint for who waits."""
    found = db.session().get(RevenueImport, ref)
    if found is not None:
        found.done = done
        found.total = max(found.total, done)


def planned(imported: RevenueImport, file: LedgerFile) -> Plan:
    """What the file would enter into the books as they stand."""
    books = ledger_plan.known(Ref(imported.community_id, imported.estate_id), file)
    return ledger_plan.plan(file, books, makes_categories=imported.makes_categories)


def previewed(ref: Ref, *, round_: int, file: LedgerFile, plan: Plan, errors_kept: bool) -> None:
    """Keep what the preview found; or, where headings are missing, ask for them."""
    found = _locked(ref, LedgerState.READING, round_)
    if found is None:
        return
    _found(found, file, plan)
    found.errors_kept = errors_kept
    if not file.is_mapped:
        found.state, found.problem = LedgerState.MAPPING, "headings_unknown"
        return
    found.state = LedgerState.PREVIEWED
    found.problem = "no_rows" if not file.total else None


def _found(imported: RevenueImport, file: LedgerFile, plan: Plan) -> None:
    imported.headings = file.headings[:500]
    imported.counts = {
        "rows": file.total,
        "new": len(plan.entries),
        "bad": len(file.originals),
        "sums": plan.sums,
        "new_categories": [[kind.value, name] for kind, name in plan.new_categories],
        "missing": file.missing,
        "sheets": file.sheets_taken,
        "sheets_skipped": file.sheets_skipped,
        "problems": len(file.problems),
    }
    imported.sample = plan.sample
    imported.digest = plan.digest
    imported.done = imported.total = file.total
    db.session().execute(
        delete(RevenueImportProblem)
        .where(
            RevenueImportProblem.community_id == imported.community_id,
            RevenueImportProblem.import_id == imported.id,
        )
        .execution_options(synchronize_session=False)
    )
    order = {sheet: at for at, sheet in enumerate(file.sheets_taken)}
    listed = sorted(file.problems, key=lambda p: (order[p.sheet], p.row, p.column or ""))[:MAX_PROBLEMS]
    rows = [
        {
            "community_id": imported.community_id,
            "import_id": imported.id,
            "seq": seq,
            "sheet": problem.sheet[:40],
            "row": problem.row,
            "column": problem.column,
            "field": problem.field,
            "code": problem.code,
        }
        for seq, problem in enumerate(listed)
    ]
    for at in range(0, len(rows), 2000):
        db.session().execute(insert(RevenueImportProblem), rows[at : at + 2000])


def failed(ref: Ref, *, round_: int, code: str) -> None:
    """The file can't be taken; why, as a word of `app.revenue.words`."""
    found = _locked(ref, LedgerState.READING, round_) or _locked(ref, LedgerState.APPLYING, round_)
    if found is not None:
        found.state, found.problem = LedgerState.FAILED, code
        _discard(found)


def _locked(ref: Ref, state: LedgerState, round_: int) -> RevenueImport | None:
    found = db.session().get(RevenueImport, ref, with_for_update=True, populate_existing=True)
    return found if found is not None and found.state == state and found.round == round_ else None


def write(ref: Ref, *, round_: int, file: LedgerFile) -> bool:
    """Enter what the preview showed, in one transaction; True when it was entered.

    May run twice: the second run finds it applied. Where the books have changed since the preview in what this file
    touches, nothing is written and the new preview waits to be looked at.
    """
    seen = db.session().get(RevenueImport, ref)
    if seen is None:
        return False
    lock(Ref(seen.community_id, seen.estate_id))  # the books first, then the import: as everybody else does
    found = _locked(ref, LedgerState.APPLYING, round_)
    if found is None or found.applied_by is None:
        return False
    plan = planned(found, file)
    if plan.digest != found.digest:
        _found(found, file, plan)
        found.state, found.problem = LedgerState.PREVIEWED, "books_changed"
        return False
    made = _categories(found, plan)
    found.state, found.applied_at, found.done = LedgerState.APPLIED, clock.now(), found.total
    db.session().add_all(
        _draft(found, entry, made, found.applied_by, found.applied_at) for entry in plan.entries
    )
    _discard(found)
    note(
        Actor(ActorKind.STAFF, found.applied_by),
        "imported",
        ref,
        KIND,
        sha256=found.file_sha256.hex(),
        drafts=len(plan.entries),
        categories=len(made),
    )
    return True


def _categories(imported: RevenueImport, plan: Plan) -> dict[tuple[EntryKind, str], UUID]:
    made: dict[tuple[EntryKind, str], UUID] = {}
    for kind, name in plan.new_categories:
        made[kind, name] = ids.new_id()
        db.session().add(
            RevenueCategory(
                community_id=imported.community_id,
                id=made[kind, name],
                estate_id=imported.estate_id,
                kind=kind,
                name=name,
            )
        )
    db.session().flush()  # the drafts point to them
    return made


def _draft(
    imported: RevenueImport,
    entry: ledger_plan.Entry,
    made: Mapping[tuple[EntryKind, str], UUID],
    staff_id: UUID,
    at: datetime,
) -> RevenueDraft:
    debit, credit = accounts_of(entry.kind, None, None)
    return RevenueDraft(
        community_id=imported.community_id,
        id=ids.new_id(),
        estate_id=imported.estate_id,
        day=entry.raw.day,
        kind=entry.kind,
        category_id=entry.category_id or made.get((entry.kind, entry.raw.category)),
        debit=debit,
        credit=credit,
        amount_fen=entry.raw.amount_fen,
        counterparty=entry.raw.counterparty or None,
        contract_id=entry.contract_id,
        note=entry.raw.note,
        state=DraftState.OPEN,
        drafted_by=staff_id,
        is_computed=False,
        version=1,
        created_at=at,
        updated_at=at,
    )


def _discard(imported: RevenueImport) -> None:
    imported.file_kept = imported.errors_kept = False
    outbox.put(
        community_id=imported.community_id,
        kind=DISCARD,
        payload={"import_id": str(imported.id)},
        idem=f"{DISCARD}:{imported.id}:now",
        on=Queue.IMPORTS,
    )


def discarded(ref: Ref) -> None:
    """The file is gone from the store; an import that still waited for somebody ends with it."""
    found = db.session().get(RevenueImport, ref, with_for_update=True, populate_existing=True)
    if found is not None:
        found.file_kept = found.errors_kept = False
