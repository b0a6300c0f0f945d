"""Who may cast for a head of the roll, and as what: its voter, who bought it since, a proxy, an agent; or why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import exists, select

from app import db
from app.ids import Ref
from app.memberships import queries as memberships
from app.memberships.models import DISPUTED, OPEN, Basis, Membership, MembershipStatus, Relation
from app.people import queries as people
from app.places import households
from app.voting import queries
from app.voting.ballot_models import Ballot, Capacity, Channel, PaperBallot, Proxy, ProxyStatus
from app.voting.models import Decision
from app.voting.roll_models import RollHead, RollHouse, RollOwner
from app.voting.rules import PaperOverOnline, Rules, Transfer

# What a vote may rest on (`memberships`), also where the membership has ended since.
_PROVEN = frozenset({Basis.PHONE, Basis.PAPERS, Basis.DOOR_VISIT})
_AS = {Capacity.VOTER: "voter", Capacity.PROXY: "proxy", Capacity.AGENT: "agent"}


class Standing(NamedTuple):
    """What somebody is to a head. `why_not`: the refusal's code, None where she may cast; `reason`: more closely, in
    one word. `is_hers`: she belongs to it in a way that lets her see that it is there.
    """

    head: RollHead
    capacity: Capacity
    why_not: str | None = None
    reason: str | None = None
    held_until: datetime | None = None
    proxy_id: UUID | None = None
    is_hers: bool = True

    @property
    def may(self) -> bool:
        """May she cast?"""
        return self.why_not is None

    @property
    def as_(self) -> str:
        """As the contract names it: owner, voter, proxy, agent."""
        return _AS.get(self.capacity, "owner")

    def sees(self, ballot: Ballot, resident_id: UUID) -> bool:
        """May she read this ballot before the close: her own, or what was cast for her as the head's own voter?"""
        if ballot.cast_by == resident_id:
            return True
        return self.may and self.capacity in {Capacity.OWNER, Capacity.VOTER, Capacity.AGENT}


class _Roll(NamedTuple):
    """The heads that somebody may have to do with."""

    heads: dict[UUID, RollHead]
    head_of: dict[UUID, dict[UUID, UUID]]  # by decision, then by house
    owners: dict[UUID, set[UUID]]
    voters: dict[UUID, set[UUID]]
    roots: dict[UUID, UUID]


def standings(resident_id: UUID, decision: Decision, *, head_id: UUID | None = None) -> list[Standing]:
    """What this resident is to each head of the frozen roll that she has to do with, or to the one asked about.

    For each the best she has; in the order of the roll. Empty for a stranger.
    """
    return standings_in(resident_id, [decision], head_id=head_id)[queries.ref_of(decision)]


def standings_in(
    resident_id: UUID, decisions: Sequence[Decision], *, head_id: UUID | None = None
) -> dict[Ref, list[Standing]]:
    """The same for several decisions, in as many queries as for one of each community. Only a head that was sold after
    the freeze asks the registry once more.
    """
    found: dict[Ref, list[Standing]] = {queries.ref_of(row): [] for row in decisions}
    by_community: dict[int, list[Decision]] = defaultdict(list)
    for row in decisions:
        by_community[row.community_id].append(row)
    everywhere = memberships.mine(resident_id)
    for community_id, rows in by_community.items():
        mine = [m for m in everywhere if m.community_id == community_id]
        named = [row.id for row in rows]
        proxies = _proxies(resident_id, community_id, named)
        roll = _roll(community_id, named, mine, {p.head_id for p in proxies}, head_id)
        phone = people.phone_held(resident_id) if proxies else None
        for row in rows:
            held = [p for p in proxies if p.decision_id == row.id]
            found[queries.ref_of(row)] = _in_one(row, mine, held, roll, phone, queries.rules_of(row))
    return found


def _in_one(
    decision: Decision,
    mine: Iterable[Membership],
    proxies: Iterable[Proxy],
    roll: _Roll,
    phone: people.HeldPhone | None,
    rules: Rules,
) -> list[Standing]:
    found: dict[UUID, list[Standing]] = defaultdict(list)
    head_of = roll.head_of.get(decision.id, {})
    roots = roll.roots
    for m in mine:
        head_id = head_of.get(m.house_id)
        head = roll.heads.get(head_id) if head_id is not None else None
        if head is None:
            continue
        owners = {roots[owner] for owner in roll.owners[head.id]}
        voters = {roots[owner] for owner in roll.voters[head.id]}
        me = roots[m.owner_id] if m.owner_id is not None else None
        standing = _as_member(m, me, head, owners, voters, rules)
        if standing is not None:
            found[head.id].append(standing)
    for proxy in proxies:
        if (head := roll.heads.get(proxy.head_id)) is None:
            continue
        standing = Standing(head, Capacity(proxy.capacity), proxy_id=proxy.id)
        if proxy.status == ProxyStatus.PENDING:
            standing = standing._replace(why_not="not_the_voter", reason="proxy_pending")
        elif phone is None or phone.hash != proxy.phone_hash:
            standing = standing._replace(why_not="weak_identity", reason="phone_lost")
        elif rules.transfer is Transfer.NEW_OWNER_UNLESS_CAST and _is_sold(head, roll):
            standing = standing._replace(why_not="not_the_voter", reason="sold")
        found[head.id].append(standing)
    return _best(found.values())


def _best(found: Iterable[list[Standing]]) -> list[Standing]:
    """Of each head the best she has, in the order of the roll."""
    best = [min(some, key=_rank) if len(some) > 1 else some[0] for some in found]
    return sorted(best, key=lambda s: s.head.number) if len(best) > 1 else best


def _rank(standing: Standing) -> tuple[bool, bool, bool]:
    return not standing.may, not standing.is_hers, standing.why_not != "weak_identity"


def _proxies(resident_id: UUID, community_id: int, decisions: Collection[UUID]) -> list[Proxy]:
    return list(
        db.session().scalars(
            select(Proxy)
            .where(
                Proxy.community_id == community_id,
                Proxy.decision_id.in_(decisions),
                Proxy.resident_id == resident_id,
                Proxy.status.in_([ProxyStatus.PENDING, ProxyStatus.APPROVED]),
            )
            .order_by(Proxy.id)
        )
    )


def _roll(
    community_id: int,
    decisions: Collection[UUID],
    mine: Collection[Membership],
    by_proxy: set[UUID],
    head_id: UUID | None,
) -> _Roll:
    rows = db.session().execute(
        select(RollHouse.decision_id, RollHouse.house_id, RollHouse.head_id).where(
            RollHouse.community_id == community_id,
            RollHouse.decision_id.in_(decisions),
            RollHouse.house_id.in_({m.house_id for m in mine}),
        )
    )
    head_of: dict[UUID, dict[UUID, UUID]] = defaultdict(dict)
    for row in rows:
        head_of[row.decision_id][row.house_id] = row.head_id
    wanted = {head for some in head_of.values() for head in some.values()} | by_proxy
    if head_id is not None:
        wanted &= {head_id}
    heads = db.session().scalars(
        select(RollHead).where(
            RollHead.community_id == community_id,
            RollHead.decision_id.in_(decisions),
            RollHead.id.in_(wanted),
        )
    )
    owners: dict[UUID, set[UUID]] = defaultdict(set)
    voters: dict[UUID, set[UUID]] = defaultdict(set)
    listed = db.session().execute(
        select(RollOwner.head_id, RollOwner.owner_id, RollOwner.is_voter).where(
            RollOwner.community_id == community_id,
            RollOwner.decision_id.in_(decisions),
            RollOwner.head_id.in_(wanted),
        )
    )
    for head, owner, is_voter in listed:
        owners[head].add(owner)
        if is_voter:
            voters[head].add(owner)
    named = {owner for some in owners.values() for owner in some} | {m.owner_id for m in mine if m.owner_id}
    roots = households.standing_for(community_id, named)
    return _Roll({head.id: head for head in heads}, head_of, owners, voters, roots)


def _as_member(
    m: Membership, me: UUID | None, head: RollHead, owners: Set[UUID], voters: Set[UUID], rules: Rules
) -> Standing | None:
    """`me`: as which owner she is bound; `owners`, `voters`: of the head. Each under the row that stands for her."""
    is_hers = memberships.holds(m) or (m.status == MembershipStatus.PENDING and m.review in DISPUTED)
    here = Standing(head, Capacity.OWNER, is_hers=is_hers)
    if m.relation != Relation.OWNER:
        # Family and tenants live there; the head isn't theirs to look at.
        return here._replace(why_not="not_the_voter", reason=m.relation, is_hers=False)
    if me not in owners:
        return _as_new_owner(m, me, here, owners, rules)
    if me not in voters:
        return here._replace(why_not="not_the_voter", reason="co_owner" if voters else "no_voter")
    voter = here._replace(capacity=Capacity.VOTER if owners != voters else Capacity.OWNER)
    if m.status == MembershipStatus.ENDED:
        if m.end_reason != "transferred":
            return voter._replace(why_not="weak_identity", reason="not_bound")
        if rules.transfer is Transfer.ROLL_HOLDS and _was_proven(m):
            return voter._replace(is_hers=True)
        return voter._replace(why_not="not_the_voter", reason="sold")
    vote = memberships.vote_of(m)
    if vote.may:
        return voter
    return voter._replace(why_not="weak_identity", reason=_reason(m, vote), held_until=vote.held_until)


def _reason(m: Membership, vote: memberships.Vote) -> str:
    if m.status == MembershipStatus.PENDING and m.review in DISPUTED:
        return str(m.review)
    return "id_number" if vote.why_not == "weak_identity" else vote.why_not or "not_verified"


def _was_proven(m: Membership) -> bool:
    """Did it carry a vote when it ended, and is the phone it rests on still hers?"""
    if m.resident_id is None or m.basis not in _PROVEN:
        return False
    if m.basis != Basis.PHONE:
        return True
    held = people.phone_held(m.resident_id)
    return held is not None and held.hash == m.phone_hash


def _as_new_owner(
    m: Membership, me: UUID | None, here: Standing, on_roll: Set[UUID], rules: Rules
) -> Standing | None:
    """Who bought the head's houses after the freeze votes, where the rules say so, when they are all hers."""
    if m.status not in OPEN:
        return None
    no = here._replace(capacity=Capacity.NEW_OWNER, why_not="not_the_voter", reason="not_on_roll")
    vote = memberships.vote_of(m)
    if not vote.may:
        return no._replace(why_not="weak_identity", reason=_reason(m, vote), held_until=vote.held_until)
    if rules.transfer is not Transfer.NEW_OWNER_UNLESS_CAST:
        return no
    community_id = here.head.community_id
    today = households.roots_today(community_id, _houses_of(here.head))
    groups = {frozenset(owners) for owners in today.values()}
    group = next(iter(groups))
    if len(groups) != 1 or group & on_roll or me not in group:
        return no
    if len(group) > 1:
        holding = households.holding_of(Ref(community_id, m.house_id))
        voter = holding.voter_id if holding is not None else None
        if voter is None or households.standing_for(community_id, [voter])[voter] != me:
            return no._replace(reason="no_voter" if voter is None else "co_owner")
    return no._replace(why_not=None, reason=None)


def _houses_of(head: RollHead) -> list[UUID]:
    return list(
        db.session().scalars(
            select(RollHouse.house_id).where(
                RollHouse.community_id == head.community_id,
                RollHouse.decision_id == head.decision_id,
                RollHouse.head_id == head.id,
            )
        )
    )


def _is_sold(head: RollHead, roll: _Roll) -> bool:
    """Does none of the owners on the roll hold any of its houses today?"""
    on_roll = {roll.roots[owner] for owner in roll.owners[head.id]}
    today = households.roots_today(head.community_id, _houses_of(head))
    return bool(on_roll) and not any(owners & on_roll for owners in today.values())


def is_lost_by_sale(head: RollHead, rules: Rules) -> bool:
    """Has the head's vote gone to who bought it, by the rules? Then a proxy of the seller's has none any more."""
    if rules.transfer is not Transfer.NEW_OWNER_UNLESS_CAST:
        return False
    return _is_sold(head, _roll(head.community_id, [head.decision_id], [], {head.id}, head.id))


class OnRoll(NamedTuple):
    """A house on the roll with its head, as one statement of somebody else's found them. `owners`: of the head, each
    with whether she votes; `is_merged`: one of them turned out to be an owner under another row since. `head`: what
    stands for the head's own row, where more than its name is wanted.
    """

    house_id: UUID
    head_id: UUID
    owners: Mapping[UUID, bool]
    is_merged: bool
    head: RollHead | None = None


class LastBallot(NamedTuple):
    """Of the ballot of a head that counts, what decides whether she may cast again."""

    channel: str
    cast_by: UUID | None
    is_void: bool


class _Named(NamedTuple):
    """A head of which only the name is known. A model's own object would take longer than to ask for it."""

    id: UUID
    number: int = 0


def plainly(mine: Iterable[Membership], on_roll: Iterable[OnRoll], rules: Rules) -> list[Standing] | None:
    """The same as `standings`, without a question, of who acts for nobody else: from her memberships in the decision's
    community and what the roll says of their houses. The heads carry what `on_roll` does, or their names alone.

    None where it takes more than that: an owner who isn't on the roll, isn't bound any more or has two rows.
    """
    houses = {one.house_id: one for one in on_roll}
    found: dict[UUID, list[Standing]] = defaultdict(list)
    for m in mine:
        one = houses.get(m.house_id)
        if one is None:
            continue
        owners = one.owners.keys()
        if m.relation == Relation.OWNER and (
            one.is_merged or m.owner_id not in owners or m.status == MembershipStatus.ENDED
        ):
            return None
        voters = {owner for owner, votes in one.owners.items() if votes}
        head = one.head or cast(RollHead, _Named(one.head_id))
        standing = _as_member(m, m.owner_id, head, owners, voters, rules)
        if standing is not None:
            found[one.head_id].append(standing)
    return _best(found.values())


def standing_of(resident_id: UUID, decision: Decision, head_id: UUID) -> Standing | None:
    """What she is to this head; None where she has nothing to do with it, or it isn't on the roll."""
    return next(iter(standings(resident_id, decision, head_id=head_id)), None)


def latest_ballots(ref: Ref, head_ids: Iterable[UUID]) -> dict[UUID, Ballot]:
    """Head → the ballot that counts."""
    rows = db.session().scalars(
        select(Ballot)
        .where(
            Ballot.community_id == ref.community_id,
            Ballot.decision_id == ref.id,
            Ballot.head_id.in_(list(head_ids)),
        )
        .order_by(Ballot.rev)
    )
    return {ballot.head_id: ballot for ballot in rows}


def may_replace(
    standing: Standing, ballot: Ballot | LastBallot, resident_id: UUID, rules: Rules, *, is_void: bool
) -> bool:
    """May she replace the head's ballot by another one online? Never a signed sheet, nor what isn't hers to change;
    always one that can't be counted.
    """
    if is_void:
        return True
    is_own = ballot.cast_by == resident_id or standing.capacity in {Capacity.OWNER, Capacity.VOTER}
    return rules.change_allowed and ballot.channel == Channel.ONLINE and is_own


def void_sheets(community_id: int, ballots: Iterable[Ballot]) -> set[UUID]:
    """Which of these ballots' sheets can't be counted, unsigned ones say; each stands only until its head casts a
    ballot that can.
    """
    sheets = {ballot.paper_id for ballot in ballots if ballot.paper_id is not None}
    if not sheets:
        return set()
    return set(
        db.session().scalars(
            select(PaperBallot.id).where(
                PaperBallot.community_id == community_id,
                PaperBallot.id.in_(sheets),
                PaperBallot.invalid_reason.is_not(None),
            )
        )
    )


def is_void(ballot: Ballot) -> bool:
    """Is it a sheet that can't be counted?"""
    return ballot.paper_id in void_sheets(ballot.community_id, [ballot])


def sheet_replaces(ballot: Ballot, rules: Rules, *, is_valid: bool, by_proxy: bool) -> bool:
    """May a sheet that came before the close take this ballot's place? `is_valid`: signed, and it can be counted; one
    that isn't takes nobody's vote away. `by_proxy`: nor does a proxy's from who gave the authorisation.
    """
    if not is_valid:
        return False
    if is_void(ballot):
        return True
    if by_proxy and ballot.proxy_id is None:
        return False
    if ballot.channel == Channel.PAPER:
        return rules.change_allowed
    return rules.paper_over_online is PaperOverOnline.PAPER


def has_co_owners(head: RollHead) -> bool:
    """Has the head owners beside the one who votes?"""
    return bool(
        db.session().scalar(
            select(
                exists().where(
                    RollOwner.community_id == head.community_id,
                    RollOwner.decision_id == head.decision_id,
                    RollOwner.head_id == head.id,
                    ~RollOwner.is_voter,
                )
            )
        )
    )
