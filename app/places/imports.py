"""Imports of registers: uploaded, read in a worker, looked at, applied whole or not at all.

Nothing of the registry is written before `apply`. What is between, one row says: state, counts, problems. The file
itself lies sealed in the store until it is applied or 30 days old.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select

from app import audit, clock, crypto, db, outbox
from app.audit import Actor
from app.errors import NotFound
from app.ids import Ref
from app.places import changes, import_plan, import_writes, queries, registry
from app.places.errors import FileGone, HasBadRows, NotReady, UnknownField
from app.places.headings import Field
from app.places.import_plan import Plan
from app.places.models import Estate
from app.places.register_file import Problem, Reading, Register, estate_name
from app.places.registry_models import ImportProblem, ImportState, RegistryImport, Source
from app.places.registry_queries import Reach
from app.queue import Queue

PREVIEW, APPLY, DISCARD = "registry.preview", "registry.apply", "registry.discard"
KEPT = timedelta(days=30)  # an uploaded file that nobody applies
MAX_BYTES = 20 * 1024 * 1024
MAX_PROBLEMS = 20_000  # listed; the counts and the error sheet know all


def file_key(import_id: UUID) -> str:
    """Where the sealed file lies in the store."""
    return f"imports/{import_id.hex}/file"


def errors_key(import_id: UUID) -> str:
    """Where the sealed error sheet lies in the store."""
    return f"imports/{import_id.hex}/errors"


def seal(data: bytes, import_id: UUID) -> bytes:
    """A file with names and ID numbers, as it may lie in a store."""
    return crypto.keys().encrypt(data, f"import:{import_id}")


def unseal(data: bytes, import_id: UUID) -> bytes:
    """What was sealed."""
    return crypto.keys().decrypt(data, f"import:{import_id}")


# --- reads -----------------------------------------------------------------------------------------------


def import_for(reach: Reach, ref: Ref, *, lock: bool = False) -> RegistryImport:
    """An import whose estates are all in one's reach today, whoever uploaded it: who lost an estate no longer sees the
    people of its register. Raises NotFound.
    """
    found = db.session().get(RegistryImport, ref, with_for_update=lock or None, populate_existing=lock)
    if found is None or not _estates(found) <= set(reach):
        raise NotFound
    return found


def recent(reach: Reach, *, limit: int, after: UUID | None = None) -> list[RegistryImport]:
    """The imports whose estates are all in one's reach, whoever uploaded them; the newest first."""
    mine = set(reach)
    found: list[RegistryImport] = []
    while mine and len(found) < limit:
        query = select(RegistryImport).where(
            RegistryImport.community_id.in_({estate.community_id for estate in mine})
        )
        if after is not None:
            query = query.where(RegistryImport.id < after)
        # Those of who reaches more are left out by reading: few, so the page is soon full.
        rows = list(db.session().scalars(query.order_by(RegistryImport.id.desc()).limit(2 * limit)))
        found += [row for row in rows if _estates(row) <= mine]
        if len(rows) < 2 * limit:
            break
        after = rows[-1].id
    return found[:limit]


def _estates(imported: RegistryImport) -> set[Ref]:
    return {Ref(community_id, UUID(estate_id)) for community_id, estate_id in imported.reach}


def problems(ref: Ref, *, limit: int, after: int = -1) -> list[ImportProblem]:
    """Bad and conflicting cells in the order of the file."""
    rows = db.session().scalars(
        select(ImportProblem)
        .where(
            ImportProblem.community_id == ref.community_id,
            ImportProblem.import_id == ref.id,
            ImportProblem.seq > after,
        )
        .order_by(ImportProblem.seq)
        .limit(limit)
    )
    return list(rows)


def waiting(ref: Ref, state: ImportState, *, round_: int) -> RegistryImport | None:
    """The import when it still waits for just this work; for workers."""
    found = db.session().get(RegistryImport, ref)
    return found if found is not None and found.state == state and found.round == round_ else None


def reading_of(imported: RegistryImport) -> Reading:
    """What reading its file needs to know: the estates in the uploader's reach by name, and that there are others."""
    mine = _estates(imported)
    by_name: dict[str, list[Ref]] = {}
    elsewhere = set()
    for community_id, estate_id, name in db.session().execute(
        select(Estate.community_id, Estate.id, Estate.name).execution_options(
            cross_community="find an estate by name"
        )
    ):
        spelled = estate_name(name)
        if (ref := Ref(community_id, estate_id)) in mine:
            by_name.setdefault(spelled, []).append(ref)
        else:
            elsewhere.add(spelled)
    chosen = None
    if imported.estate_id is not None and imported.estate_community_id is not None:
        chosen = Ref(imported.estate_community_id, imported.estate_id)
    return Reading(
        source=Source(imported.source),
        mapped=imported.mapping,
        estates={name: refs[0] for name, refs in by_name.items() if len(refs) == 1},
        elsewhere=frozenset(elsewhere),
        twice=frozenset(name for name, refs in by_name.items() if len(refs) > 1),
        estate=chosen,
        today=queries.today(),
    )


# --- what staff do ---------------------------------------------------------------------------------------


def announce(*, home: int, import_id: UUID) -> None:
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
    *,
    home: int,
    import_id: UUID,
    reach: Reach,
    source: Source,
    file_sha256: bytes,
    file_bytes: int,
    file_kind: str,
    estate: Ref | None,
    staff_id: UUID,
    acting_user: Actor,
) -> RegistryImport:
    """An import of a file that lies in the store; a worker reads it. `estate`: of a file that names none.

    Raises NotFound for an estate out of reach.
    """
    if estate is not None and estate not in reach:
        raise NotFound
    imported = RegistryImport(
        community_id=home,
        id=import_id,
        state=ImportState.READING,
        source=source,
        file_sha256=file_sha256,
        file_bytes=file_bytes,
        file_kind=file_kind,
        file_kept=True,
        errors_kept=False,
        estate_community_id=estate.community_id if estate else None,
        estate_id=estate.id if estate else None,
        reach=[[ref.community_id, str(ref.id)] for ref in sorted(reach)],
        mapping={},
        done=0,
        total=0,
        round=1,
        created_by=staff_id,
        created_at=clock.now(),
    )
    db.session().add(imported)
    _promise_preview(imported)
    _record(imported, "registry.import_uploaded", acting_user, sha256=file_sha256.hex(), source=source.value)
    return imported


def _promise_preview(imported: RegistryImport) -> None:
    outbox.put(
        community_id=imported.community_id,
        kind=PREVIEW,
        payload=_job(imported),
        idem=f"{PREVIEW}:{imported.id}:{imported.round}",
        on=Queue.IMPORTS,
    )


def _promise_apply(imported: RegistryImport) -> None:
    outbox.put(
        community_id=imported.community_id,
        kind=APPLY,
        payload=_job(imported),
        idem=f"{APPLY}:{imported.id}:{imported.round}",
        on=Queue.IMPORTS,
    )


def _job(imported: RegistryImport) -> dict[str, Any]:
    return {"import_id": str(imported.id), "round": imported.round}


def _record(imported: RegistryImport, action: str, actor: Actor, **details: Any) -> None:
    audit.record(
        actor,
        action,
        community_id=imported.community_id,
        object_kind="registry_import",
        object_id=imported.id,
        **details,
    )


def remap(imported: RegistryImport, *, mapping: Mapping[str, str], acting_user: Actor) -> None:
    """Say what headings mean (heading → field, or `ignored`) and read the file again.

    Raises UnknownField, NotReady, FileGone.
    """
    wrong = [heading for heading, field in mapping.items() if field not in set(Field)]
    if wrong:
        raise UnknownField(errors={heading: [(UnknownField.zh, UnknownField.en)] for heading in wrong[:20]})
    if imported.state not in {ImportState.MAPPING, ImportState.PREVIEWED}:
        raise NotReady(extra={"state": imported.state})
    if not imported.file_kept:
        raise FileGone
    imported.mapping = dict(mapping)
    imported.state = ImportState.READING
    imported.round += 1
    imported.done = imported.total = 0
    imported.problem = None
    _promise_preview(imported)
    _record(imported, "registry.import_mapped", acting_user, headings=len(mapping))


def apply(
    imported: RegistryImport, *, skip_bad: bool, reach: Reach, staff_id: UUID, acting_user: Actor
) -> None:
    """Have what the preview showed written by a worker, all or nothing. Applying again changes nothing.

    Raises NotReady, HasBadRows (unless they are to be left out), FileGone, NotFound when the estates aren't in reach.
    """
    if imported.state in {ImportState.APPLYING, ImportState.APPLIED}:
        return
    if imported.state != ImportState.PREVIEWED or imported.counts is None:
        raise NotReady(extra={"state": imported.state})
    if not imported.file_kept:
        raise FileGone
    if imported.counts["bad"] and not skip_bad:
        raise HasBadRows(bad=imported.counts["bad"], extra={"bad": imported.counts["bad"]})
    touched = {Ref(community_id, UUID(estate)) for community_id, estate in imported.counts["estates"]}
    if not touched <= set(reach):
        raise NotFound
    imported.state = ImportState.APPLYING
    imported.round += 1  # a promise of its own, also when an earlier one found the registry changed
    imported.applied_by = staff_id
    imported.problem = None
    imported.done = 0
    _promise_apply(imported)
    _record(imported, "registry.import_confirmed", acting_user, skip_bad=skip_bad)


# --- what workers do -------------------------------------------------------------------------------------


def progress(ref: Ref, *, done: int) -> None:
    """Say how many rows are read; a hint for who waits."""
    imported = db.session().get(RegistryImport, ref)
    if imported is not None:
        imported.done = done
        imported.total = max(imported.total, done)


def planned(imported: RegistryImport, register: Register) -> Plan:
    """What the file would change in the registry as it stands."""
    return import_plan.of(register, source=Source(imported.source), today=queries.today())


def previewed(ref: Ref, *, round_: int, register: Register, plan: Plan, errors_kept: bool) -> None:
    """Keep what the preview found; or, where headings are missing, ask for them."""
    imported = _locked(ref, ImportState.READING, round_)
    if imported is None:
        return
    _found(imported, register, plan)
    imported.errors_kept = errors_kept
    if not register.is_mapped:
        imported.state = ImportState.MAPPING
        imported.problem = "headings_unknown"
        return
    imported.state = ImportState.PREVIEWED
    imported.problem = "no_rows" if not register.total else None


def _found(imported: RegistryImport, register: Register, plan: Plan) -> None:
    session = db.session()
    imported.headings = register.headings[:500]
    imported.counts = plan.counts | {
        "estates": [[ref.community_id, str(ref.id)] for ref in plan.estates],
        "sheets": register.sheets_taken,
        "sheets_skipped": register.sheets_skipped,
        "missing": register.missing,
        "problems": len(register.problems) + len(plan.conflicts),
    }
    imported.digest = plan.digest
    imported.done = imported.total = register.total
    session.execute(
        delete(ImportProblem)
        .where(ImportProblem.community_id == imported.community_id, ImportProblem.import_id == imported.id)
        .execution_options(synchronize_session=False)
    )
    rows = [
        {
            "community_id": imported.community_id,
            "import_id": imported.id,
            "seq": seq,
            "kind": problem.kind,
            "sheet": problem.sheet[:40],
            "row": problem.row,
            "column": problem.column,
            "field": problem.field,
            "code": problem.code,
            "other_row": problem.other_row,
        }
        for seq, problem in enumerate(_ordered(register, plan))
    ]
    for at in range(0, len(rows), 2000):
        session.execute(insert(ImportProblem), rows[at : at + 2000])


def _ordered(register: Register, plan: Plan) -> Iterable[Problem]:
    order = {sheet: at for at, sheet in enumerate(register.sheets_taken)}
    found = sorted(
        [*register.problems, *plan.conflicts], key=lambda p: (order[p.sheet], p.row, p.column or "")
    )
    return found[:MAX_PROBLEMS]


def failed(ref: Ref, *, round_: int, code: str) -> None:
    """The file can't be taken; why, as a word of `app.places.words`."""
    imported = _locked(ref, ImportState.READING, round_) or _locked(ref, ImportState.APPLYING, round_)
    if imported is not None:
        imported.state = ImportState.FAILED
        imported.problem = code
        _discard(imported)


def _locked(ref: Ref, state: ImportState, round_: int) -> RegistryImport | None:
    imported = db.session().get(RegistryImport, ref, with_for_update=True, populate_existing=True)
    return imported if imported is not None and imported.state == state and imported.round == round_ else None


def write(ref: Ref, *, round_: int, register: Register) -> bool:
    """Write what the preview showed, in one transaction; True when it was written.

    May run twice: the second run finds it applied. Where the registry has changed since the preview in what this file
    touches, nothing is written and the new preview waits to be looked at.
    """
    imported = _locked(ref, ImportState.APPLYING, round_)
    if imported is None or imported.applied_by is None:
        return False
    estates = [Ref(community_id, UUID(estate)) for community_id, estate in (imported.counts or {})["estates"]]
    for community_id in sorted({estate.community_id for estate in estates}):
        registry.touch(community_id)
    plan = planned(imported, register)
    if plan.digest != imported.digest:
        _found(imported, register, plan)
        imported.state = ImportState.PREVIEWED
        imported.problem = "registry_changed"
        return False
    actor = Actor(audit.ActorKind.STAFF, imported.applied_by)
    source = Source(imported.source)
    imported.state = ImportState.APPLIED
    imported.applied_at = clock.now()
    imported.done = imported.total
    for community_id in plan.communities:
        audit.record(
            actor,
            "registry.imported",
            community_id=community_id,
            object_kind="registry_import",
            object_id=imported.id,
            sha256=imported.file_sha256.hex(),
            source=source.value,
        )
    _discard(imported)
    import_writes.write(plan, import_id=imported.id, source=source, today=queries.today(), acting_user=actor)
    for community_id in plan.communities:
        sold = [
            h.house_id
            for h in plan.holdings
            if h.closes is not None and h.row.estate.community_id == community_id
        ]
        changes.owners_changed(community_id, sold, acting_user=actor)
    return True


def _discard(imported: RegistryImport) -> None:
    imported.file_kept = False
    imported.errors_kept = False
    outbox.put(
        community_id=imported.community_id,
        kind=DISCARD,
        payload={"import_id": str(imported.id)},
        idem=f"{DISCARD}:{imported.id}:now",
        on=Queue.IMPORTS,
    )


def discarded(ref: Ref) -> None:
    """The file is gone from the store; an import that still waited for somebody ends with it."""
    imported = db.session().get(RegistryImport, ref, with_for_update=True, populate_existing=True)
    if imported is not None:
        imported.file_kept = imported.errors_kept = False
