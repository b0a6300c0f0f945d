"""Contracts that bring income: entered and corrected by one, changed by two once something is published under them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select

from app import clock, db, ids
from app.ids import Ref
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.revenue import queries
from app.revenue.contract_models import RevenueContractChange
from app.revenue.errors import (
    ContractChangeDecided,
    ContractChangeOpen,
    ContractSecondPerson,
    ContractSpan,
)
from app.revenue.models import DraftState, EntryKind, RevenueContract, RevenueDraft, RevenueLine
from app.revenue.service import attach, category_of, check_version, lock, note

P = Permission


def add_contract(
    estate: Ref,
    *,
    category: Ref,
    facts: Mapping[str, Any],
    file_ids: Sequence[UUID],
    acting_user: StaffActor,
) -> RevenueContract:
    """A contract that brings income, with its scan. Raises NotFound, UnknownCategory, ContractSpan, VoucherRefused."""
    queries.estate_for(acting_user, P.REVENUE_EDIT, estate)
    category_of(estate, category, {EntryKind.INCOME})
    if facts["ends_on"] < facts["starts_on"]:
        raise ContractSpan(errors={"ends_on": [(ContractSpan.zh, ContractSpan.en)]})
    made = RevenueContract(
        community_id=estate.community_id,
        id=ids.new_id(),
        estate_id=estate.id,
        category_id=category.id,
        created_at=clock.now(),
        **facts,
    )
    db.session().add(made)
    db.session().flush()  # a concurrent ending of the category shows here
    ref = Ref(made.community_id, made.id)
    attach(ref, file_ids, acting_user)
    note(acting_user.actor, "contract_added", ref, "revenue_contract")
    return made


def change_contract(
    ref: Ref, *, changes: Mapping[str, Any], version: int | None, acting_user: StaffActor
) -> tuple[RevenueContract, RevenueContractChange | None]:
    """Correct a contract, or end it on another day. Once a line of it is published or in review, that waits for a
    second person (`decide`): the change is answered, and the contract as it stays until then.

    Raises NotFound, StaleVersion, ContractSpan, ContractChangeOpen.
    """
    found = queries.one_for(acting_user, P.REVENUE_EDIT, RevenueContract, ref)
    lock(Ref(ref.community_id, found.estate_id))
    # As it is now that nobody else writes.
    found = queries.one_for(acting_user, P.REVENUE_EDIT, RevenueContract, ref)
    check_version(found.version, version)
    if changes.get("ends_on", found.ends_on) < found.starts_on:
        raise ContractSpan(errors={"ends_on": [(ContractSpan.zh, ContractSpan.en)]})
    if _in_use(ref):
        return found, _ask(found, changes, acting_user)
    for field, value in changes.items():
        setattr(found, field, value)
    found.version += 1
    note(acting_user.actor, "contract_changed", ref, "revenue_contract", fields=sorted(changes))
    return found, None


def _in_use(ref: Ref) -> bool:
    """Has anybody but its clerk seen, or to see, what came in under it?"""
    line, draft = RevenueLine, RevenueDraft
    published = select(line.id).where(line.community_id == ref.community_id, line.contract_id == ref.id)
    in_review = select(draft.id).where(
        draft.community_id == ref.community_id,
        draft.contract_id == ref.id,
        draft.state == DraftState.SUBMITTED,
    )
    return bool(db.session().scalar(select(exists(published) | exists(in_review))))


def _ask(
    contract: RevenueContract, changes: Mapping[str, Any], staff: StaffActor
) -> RevenueContractChange | None:
    fields = {
        field: [_wire(getattr(contract, field)), _wire(value)]
        for field, value in sorted(changes.items())
        if getattr(contract, field) != value
    }
    if not fields:
        return None
    if changes_of(contract.community_id, [contract.id], is_open=True)[contract.id]:
        raise ContractChangeOpen
    made = RevenueContractChange(
        community_id=contract.community_id,
        id=ids.new_id(),
        estate_id=contract.estate_id,
        contract_id=contract.id,
        fields=fields,
        version=contract.version + 1,
        asked_by=staff.id,
        asked_at=clock.now(),
    )
    db.session().add(made)
    where = Ref(made.community_id, contract.id)
    note(staff.actor, "contract_change_asked", where, "revenue_contract", fields=sorted(fields))
    return made


def _wire(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def decide(ref: Ref, *, passed: bool, remark: str | None, acting_user: StaffActor) -> RevenueContractChange:
    """A second person agrees, and the change holds and stays to be seen; or she doesn't, and nothing changes.

    Raises NotFound, ContractChangeDecided, ContractSecondPerson.
    """
    found = queries.one_for(acting_user, P.REVENUE_REVIEW, RevenueContractChange, ref)
    lock(Ref(ref.community_id, found.estate_id))
    # As it is now that nobody else writes.
    found = queries.one_for(acting_user, P.REVENUE_REVIEW, RevenueContractChange, ref)
    if found.decided_at is not None:
        raise ContractChangeDecided
    if found.asked_by == acting_user.id:
        raise ContractSecondPerson
    found.passed, found.note = passed, remark
    found.decided_by, found.decided_at = acting_user.id, clock.now()
    where = Ref(ref.community_id, found.contract_id)
    if passed:
        # The database lets a contract in use change only to what two have agreed on, so that stands first.
        db.session().flush()
        contract = db.session().get_one(RevenueContract, where, populate_existing=True)
        for field, (_, value) in found.fields.items():
            setattr(contract, field, date.fromisoformat(value) if field == "ends_on" else value)
        contract.version = found.version
    note(acting_user.actor, "contract_change_decided", where, "revenue_contract", passed=passed)
    return found


def changes_in(estate: Ref, *, limit: int, before: UUID | None = None) -> list[RevenueContractChange]:
    """What was asked to be changed of the estate's contracts, the latest first."""
    change = RevenueContractChange
    query = select(change).where(change.community_id == estate.community_id, change.estate_id == estate.id)
    if before is not None:
        query = query.where(change.id < before)
    return list(db.session().scalars(query.order_by(change.id.desc()).limit(limit)))


def changes_of(
    community_id: int, contract_ids: Collection[UUID], *, is_open: bool
) -> dict[UUID, list[RevenueContractChange]]:
    """Contract → the change that waits, or those that hold, in their order."""
    change = RevenueContractChange
    found: dict[UUID, list[RevenueContractChange]] = defaultdict(list)
    rows = db.session().scalars(
        select(change)
        .where(
            change.community_id == community_id,
            change.contract_id.in_(list(contract_ids)),
            change.decided_at.is_(None) if is_open else change.passed.is_(True),
        )
        .order_by(change.id)
    )
    for row in rows:
        found[row.contract_id].append(row)
    return found
