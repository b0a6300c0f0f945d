"""Contracts that bring income, and their changes: once something is published under one, two people change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import g, url_for

from app import db
from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission as Allow
from app.revenue import contracts, queries
from app.revenue.contract_models import RevenueContractChange
from app.revenue.models import RevenueContract
from bff import revenue as shown
from bff.admin import revenue_contract_schemas as s
from bff.admin.auth import requires
from bff.http import Versioned, read_cursor, reads, versioned, wanted_version, write_cursor, writes
from bff.schemas import Blueprint, PageQuery

blp = Blueprint("staff-revenue-contracts", __name__, url_prefix="/admin/api/v1", description="Public revenue")


def _changes(rows: Sequence[RevenueContractChange]) -> list[dict[str, Any]]:
    names = people.staff_names(by for row in rows for by in (row.asked_by, row.decided_by))
    return [
        {
            "change_id": Ref(row.community_id, row.id),
            "contract_id": Ref(row.community_id, row.contract_id),
            "changed": shown.changed_fields(row),
            "asked_by": names.get(row.asked_by),
            "decided_by": names.get(row.decided_by) if row.decided_by else None,
            **{name: getattr(row, name) for name in ("asked_at", "decided_at", "passed", "note")},
        }
        for row in rows
    ]


def contracts_of_estate(estate: Ref) -> dict[str, Any]:
    """The estate's contracts with what waits for a second person."""
    found = shown.contracts_out(estate)
    home = estate.community_id
    waiting = contracts.changes_of(home, [c["contract_id"].id for c in found["items"]], is_open=True)
    open_changes = {
        change["contract_id"]: change
        for change in _changes([row for rows in waiting.values() for row in rows])
    }
    for item in found["items"]:
        item["pending"] = open_changes.get(item["contract_id"])
    return found


def _contract(row: RevenueContract) -> dict[str, Any]:
    db.session().flush()  # the answer is read from the table
    found = contracts_of_estate(Ref(row.community_id, row.estate_id))["items"]
    return next(item for item in found if item["contract_id"] == Ref(row.community_id, row.id))


@blp.route("/estates/<ref(est):ref>/revenue/contracts", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.response(200, s.RevenueStaffContractList)
def staff_contracts(ref: Ref) -> dict[str, Any]:
    """The estate's contracts with what fell due and what is missing at the last published day, and what waits for a
    second person.
    """
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    return contracts_of_estate(ref)


@blp.route("/estates/<ref(est):ref>/revenue/contracts", methods=["POST"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueContractIn)
@blp.response(201, s.RevenueStaffContractOut)
def add_revenue_contract(body: dict[str, Any], ref: Ref) -> Versioned:
    """A contract that brings income: with whom, for how long, at what price, paid how often; with its scan."""
    names = ("number", "party", "subject", "starts_on", "ends_on", "price_fen", "rhythm")
    made = contracts.add_contract(
        ref,
        category=body["category_id"],
        facts={name: body[name] for name in names},
        file_ids=body["file_ids"],
        acting_user=g.staff,
    )
    return versioned(
        _contract(made), 201, Location=url_for("staff-revenue-contracts.staff_contracts", ref=ref)
    )


@blp.route("/revenue/contracts/<ref(rcn):ref>", methods=["PATCH"])
@requires(Allow.REVENUE_EDIT)
@writes
@blp.arguments(s.RevenueContractChange)
@blp.response(200, s.RevenueStaffContractOut)
@blp.alt_response(202, schema=s.RevenueStaffContractOut, description="waits for a second person: `pending`")
def change_revenue_contract(body: dict[str, Any], ref: Ref) -> Versioned:
    """Correct a contract's words, or end it on another day. Another price is another contract. Once a line of it is
    published or in review, the contract stays as it is until a second person agrees (202).
    """
    done, waits = contracts.change_contract(ref, changes=body, version=wanted_version(), acting_user=g.staff)
    return versioned(_contract(done), 200 if waits is None else 202)


@blp.route("/estates/<ref(est):ref>/revenue/contract-changes", methods=["GET"])
@requires(Allow.REVENUE_VIEW)
@reads
@blp.arguments(PageQuery, location="query")
@blp.response(200, s.RevenueContractChangeList)
def contract_changes(args: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """What was asked to be changed of contracts in use, by whom, and who agreed or didn't; the latest first."""
    queries.estate_for(g.staff, Allow.REVENUE_VIEW, ref)
    before = read_cursor(args["cursor"], UUID)
    limit = args["limit"]
    rows = contracts.changes_in(ref, limit=limit + 1, before=before[0] if before else None)
    page = rows[:limit]
    return {
        "items": _changes(page),
        "next_cursor": write_cursor(page[-1].id) if len(rows) > limit else None,
    }


@blp.route("/revenue/contract-changes/<ref(rcc):ref>/review", methods=["POST"])
@requires(Allow.REVENUE_REVIEW)
@writes
@blp.arguments(s.RevenueReviewIn)
@blp.response(200, s.RevenueContractChangeOut)
def review_contract_change(body: dict[str, Any], ref: Ref) -> dict[str, Any]:
    """Agree to a change that somebody else asked for: it holds from now on, and everybody sees what was before. Or
    don't: the contract stays as it is.
    """
    done = contracts.decide(ref, passed=body["passed"], remark=body["note"], acting_user=g.staff)
    return _changes([done])[0]
