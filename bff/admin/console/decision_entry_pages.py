"""What staff enter of a decision that happened elsewhere: whom the Party organisation or committee nominated, and what
the authority's own system counted.
"""

from __future__ import annotations

from typing import Any

from flask import g

from app.ids import Ref
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import registry_queries as registry
from app.voting import queries, results
from app.voting.ledger_models import OfficialResult
from bff.admin import result_schemas as s
from bff.admin.auth import requires
from bff.admin.console.decision_pages import of_one, takes_official
from bff.admin.console.decision_paper_pages import questions_of
from bff.admin.console.face import blp, fragment, page, query
from bff.admin.console.ticket_pages import MOST_PICKED, Choice, PickQuery
from bff.admin.console.words import say
from bff.admin.registry import owner_out
from bff.admin.registry_schemas import OwnerShort
from bff.http import reads

# What may be answered to a motion; of an election only who chose anybody, and who didn't.
ANSWERS = (("for", "同意票"), ("against", "反对票"), ("abstain", "弃权票"), ("invalid", "废票"))
CHOICES = (("chose", "选了人的票"), ("abstain", "弃权票"), ("invalid", "废票"))


@blp.route("/decisions/<ref(dec):ref>/pick/owners", methods=["GET"])
@requires(Allow.DECISION_EDIT)
@reads
def pick_owner(ref: Ref) -> str:
    """Owners of this decision's estate by a room, their names masked; nothing for who may not read the registry."""
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_EDIT)
    q: str = query(PickQuery)["q"]
    estate = queries.estate_of(row)
    reach = registry_reach(g.staff, Allow.REGISTRY_VIEW) & {estate}
    choices = [
        Choice(owner["owner_id"], f"{view.building}{view.unit}{view.house.number} {owner['name_masked']}")
        for view in registry.houses_called(reach, q, limit=MOST_PICKED)
        for owner in (OwnerShort().dump(owner_out(one, voter=None, whole=False)) for one in view.owners)
    ]
    nothing = say("登记册里没有这个房号，或没有登记业主") if q else say("输入房号，例如 301 或 1-301")
    return fragment("_picked.html", choices=choices[:MOST_PICKED], nothing=nothing)


@blp.route("/decisions/<ref(dec):ref>/official", methods=["GET"])
@requires(Allow.DECISION_CERTIFY)
@reads
def decision_official(ref: Ref) -> str:
    """The form for what the authority's system counted, begun with the roll that was frozen here; before the vote is
    closed, and where it is cast here, a word instead.
    """
    row = queries.decision_for_staff(g.staff, ref, Allow.DECISION_CERTIFY)
    entered = results.latest_official(ref)
    return page(
        "decisions/official.html",
        here="decisions",
        **of_one(row, "official"),
        questions=[one | {"answers": CHOICES if one["seats"] else ANSWERS} for one in questions_of(row)],
        takes=takes_official(row),
        entered=_entered(ref, entered) if entered is not None else None,
        frozen_area=f"{(row.area_centi or 0) // 100}.{(row.area_centi or 0) % 100:02d}",
    )


def _entered(ref: Ref, entered: OfficialResult) -> dict[str, Any]:
    shown = s.OfficialOut().dump({"decision_id": ref, "reference": entered.reference, "at": entered.at})
    return dict(shown)
