"""Pages of who is bound to which house: the queue of requests, one beside the register, how far an estate is."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import g, redirect, request
from flask.typing import ResponseReturnValue

from app import ids
from app.ids import Kind, Ref
from app.memberships.models import DISPUTED, MembershipStatus, Relation
from app.people.permissions import Permission as Allow
from app.people.registry_scope import registry_reach
from app.places import queries as places
from bff.admin import membership_schemas as s
from bff.admin import memberships
from bff.admin.auth import requires
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.registry_pages import chosen_estate, estates_of
from bff.admin.console.registry_words import REVIEWS, WORDS
from bff.http import reads, write_cursor
from bff.schemas import PageQuery, Query, WireId

TABS = (
    ("waiting", "等审核"),
    (MembershipStatus.VERIFIED.value, "已绑定"),
    (MembershipStatus.REFUSED.value, "没有通过"),
    (MembershipStatus.ENDED.value, "已解除"),
)
DECIDED = {"approved": "上一件已通过。", "refused": "上一件已退回，申请人会收到通知。"}


class QueueQuery(PageQuery):
    """The address of the list."""

    tab = ma.fields.String(load_default="waiting", validate=ma.validate.OneOf([key for key, _ in TABS]))
    review = ma.fields.String(load_default=None, validate=ma.validate.OneOf([one.value for one in REVIEWS]))
    estate_id = WireId(Kind.ESTATE, load_default=None)


class NextQuery(Query):
    after = WireId(Kind.MEMBERSHIP, load_default=None)
    decided = ma.fields.String(load_default=None, validate=ma.validate.OneOf(list(DECIDED)))


def _rows(*, limit: int, tab: str = "waiting", **asked: Any) -> dict[str, Any]:
    wanted = {"needs_review": True} if tab == "waiting" else {"status": tab}
    return s.MembershipList().dump(
        memberships.found(s.MembershipQuery().load({}) | wanted | asked | {"limit": limit})
    )


@blp.route("/memberships", methods=["GET"])
@requires(Allow.MEMBERSHIPS_READ)
@reads
def membership_list() -> str:
    """Who waits for a decision, the longest first; and who is bound, was refused, has gone."""
    asked = query(QueueQuery)
    mine = estates_of(Allow.MEMBERSHIPS_READ)
    estate = chosen_estate(asked["estate_id"], mine) if asked["estate_id"] or len(mine) > 1 else None
    ref = ids.decode_ref(Kind.ESTATE, estate) if estate else None
    found = _rows(limit=20, tab=asked["tab"], review=asked["review"], estate_id=ref, cursor=asked["cursor"])
    values: dict[str, Any] = {
        **WORDS,
        "list": found,
        "tabs": TABS,
        "tab": asked["tab"],
        "asked": asked,
        "estates": mine,
        "estate": estate or "",
        "estate_names": dict(mine),
        "may_review": g.staff.may(Allow.MEMBERSHIPS_REVIEW),
        "decided": DECIDED.get(request.args.get("decided", "")),
    }
    return page("registry/memberships.html", here="memberships", **values)


@blp.route("/memberships/next", methods=["GET"])
@requires(Allow.MEMBERSHIPS_REVIEW)
@reads
def membership_next() -> ResponseReturnValue:
    """Leads to the next request that waits; round again to those that were passed over, and to the list at last."""
    asked = query(NextQuery)
    after: Ref | None = asked["after"]
    rows = _rows(limit=1, cursor=write_cursor(after.community_id, after.id))["items"] if after else []
    rows = rows or _rows(limit=1)["items"]
    said = f"?decided={asked['decided']}" if asked["decided"] else ""
    own = ids.encode(Kind.MEMBERSHIP, after) if after else ""
    if not rows or (not asked["decided"] and rows[0]["membership_id"] == own):
        return redirect(f"/admin/memberships{said}", 303)
    return redirect(f"/admin/memberships/{rows[0]['membership_id']}{said}", 303)


@blp.route("/memberships/<ref(mbr):ref>", methods=["GET"])
@requires(Allow.MEMBERSHIPS_READ)
@reads
def membership_page(ref: Ref) -> str:
    """What a person says beside what the register says, her papers, and the decision."""
    shown = s.MembershipDetail().dump(memberships.seen(ref))
    estate = ids.decode_ref(Kind.ESTATE, shown["estate_id"])
    is_open = shown["status"] in {MembershipStatus.PENDING, MembershipStatus.VERIFIED}
    may_review = estate in registry_reach(g.staff, Allow.MEMBERSHIPS_REVIEW)
    waits = shown["status"] == MembershipStatus.PENDING or shown["review"] is not None
    values: dict[str, Any] = {
        **WORDS,
        "one": shown,
        "words": "".join([shown["building"], shown["unit"], shown["number"]]),
        "estate_name": places.estate(estate).name,
        "may_review": may_review,
        "may_approve": may_review and is_open and waits,
        "may_refuse": may_review and waits,
        "may_end": may_review and shown["status"] == MembershipStatus.VERIFIED,
        "is_disputed": shown["review"] in DISPUTED,
        "is_owner": shown["relation"] == Relation.OWNER,
        "decided": DECIDED.get(request.args.get("decided", "")),
    }
    if is_fragment():
        return fragment("registry/_membership.html", **values)
    return page("registry/membership.html", here="memberships", **values)


@blp.route("/memberships/<ref(mbr):ref>/now", methods=["GET"])
@requires(Allow.MEMBERSHIPS_READ)
@reads
def membership_now(ref: Ref) -> str:
    """How it stands now, in a few lines: for whom a colleague was faster."""
    shown = s.MembershipDetail().dump(memberships.seen(ref))
    return fragment("registry/_membership_now.html", **WORDS, one=shown)


# --- how far an estate is ----------------------------------------------------------------------------------


class RegistrationQuery(s.OwnersQuery):
    """The address of the page: an estate, and which of the missing owners."""

    estate_id = WireId(Kind.ESTATE, load_default=None)


@blp.route("/registration", methods=["GET"])
@requires(Allow.MEMBERSHIPS_READ)
@reads
def registration_page() -> str:
    """How many owners of an estate can vote in the mini-program, by building; and who can't yet."""
    asked = query(RegistrationQuery)
    mine = estates_of(Allow.MEMBERSHIPS_READ)
    estate = chosen_estate(asked["estate_id"], mine) or (mine[0][0] if mine else None)
    values: dict[str, Any] = {**WORDS, "estates": mine, "estate": estate, "asked": asked, "done": None}
    if estate is not None:
        ref = ids.decode_ref(Kind.ESTATE, estate)
        values["done"] = s.RegistrationOut().dump(memberships.standing_of(ref))
        values["missing"] = s.MissingOwnerList().dump(memberships.missing_of(asked, ref))
        values["may_remind"] = ref in registry_reach(g.staff, Allow.MEMBERSHIPS_REVIEW)
    if is_fragment():
        return fragment("registry/_registration.html", **values)
    return page("registry/registration.html", here="registration", **values)
