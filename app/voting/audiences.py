"""Owners of a decision, and those of them who haven't voted, as audiences of campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Uuid, any_, exists, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from app import db, ids
from app.errors import NotFound
from app.ids import Kind, Ref
from app.memberships.audiences import NUMBERS, Places, day_of, numbers_of, owners_page
from app.messaging import audience
from app.messaging.audience import Page, Recipient, Spec
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.places import queries as places
from app.places.registry_models import Owner
from app.voting import queries
from app.voting.ballot_models import Ballot
from app.voting.errors import NotFrozen
from app.voting.models import Decision, LegalMode
from app.voting.roll_models import RollHead, RollOwner


class DecisionOwners:
    """The owners on the roll; before the freeze, those of its estate or buildings."""

    def resolve(self, staff: StaffActor, ids_: Sequence[str]) -> Spec:
        """See `Audience.resolve`: one decision of one's reach."""
        found = audience.refs(Kind.DECISION, ids_)
        if len(found) != 1:
            raise NotFound
        (ref,) = found
        self._check(queries.decision_for_staff(staff, ref, Permission.DECISION_VIEW))
        return {"decision": [ref.community_id, str(ref.id)]}

    def _check(self, row: Decision) -> None:
        """Any decision will do."""

    def communities(self, spec: Spec) -> list[int]:
        """See `Audience.communities`."""
        return [_ref(spec).community_id]

    def page(self, spec: Spec, community_id: int, *, after: str | None, limit: int, at: datetime) -> Page:
        """See `Audience.page`: by head."""
        row = queries.decision(_ref(spec))
        if row.frozen_at is None:
            where = Places(
                community_id,
                [] if row.building_ids else [row.estate_id],
                [UUID(building) for building in row.building_ids or ()],
            )
            return owners_page(where, after=after, limit=limit, on=day_of(at))
        return _of_roll(row, after=after, limit=limit, not_voted_by=None)

    def must_reach(self, spec: Spec) -> bool:
        """See `Audience.must_reach`: a vote with effect in law; a poll has none."""
        return queries.decision(_ref(spec)).legal_mode != LegalMode.POLL

    def target(self, spec: Spec) -> tuple[str, str] | None:
        """See `Audience.target`."""
        return "decision", ids.encode(Kind.DECISION, _ref(spec))


class DecisionNotVoted(DecisionOwners):
    """The owners on the roll whose head has no ballot; `each_page`: up to the moment at which its page is taken."""

    def _check(self, row: Decision) -> None:
        """Only on a frozen roll can anybody have failed to vote. Raises NotFrozen."""
        if row.frozen_at is None:
            raise NotFrozen

    def page(self, spec: Spec, community_id: int, *, after: str | None, limit: int, at: datetime) -> Page:
        """See `Audience.page`: by head."""
        row = queries.decision(Ref(community_id, _ref(spec).id))
        return _of_roll(row, after=after, limit=limit, not_voted_by=at)


def _ref(spec: Spec) -> Ref:
    community_id, decision_id = spec["decision"]
    return Ref(community_id, UUID(decision_id))


def _of_roll(row: Decision, *, after: str | None, limit: int, not_voted_by: datetime | None) -> Page:
    home = row.community_id
    wanted = (
        select(RollHead.id, RollHead.label)
        .where(RollHead.community_id == home, RollHead.decision_id == row.id)
        .order_by(RollHead.id)
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(RollHead.id > UUID(after))
    if not_voted_by is not None:
        wanted = wanted.where(
            ~exists().where(
                Ballot.community_id == home,
                Ballot.decision_id == row.id,
                Ballot.head_id == RollHead.id,
                Ballot.cast_at <= not_voted_by,
            )
        )
    heads = dict(db.session().execute(wanted).all())
    if not heads:
        return Page([], None)
    estate = places.estate(queries.estate_of(row)).name
    rows = db.session().execute(
        select(RollOwner.head_id, *NUMBERS)
        .join(Owner, (Owner.community_id == home) & (Owner.id == RollOwner.owner_id))
        .where(
            RollOwner.community_id == home,
            RollOwner.decision_id == row.id,
            RollOwner.head_id == any_(literal(list(heads), ARRAY(Uuid))),
        )
        .order_by(RollOwner.head_id, RollOwner.owner_id)
    )
    people = [
        Recipient(numbers_of(of_owner), {"estate": estate, "room": heads[head_id]})
        for head_id, *of_owner in rows
    ]
    return Page(people, str(list(heads)[-1]) if len(heads) == limit else None)
