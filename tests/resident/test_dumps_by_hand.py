"""What everybody opens is dumped by hand: field for field what its schema says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import db, ids
from app.home import Herself, Home, HomeEstate, HomeMembership, HomeNotice, HomeRevenue, HomeVote, NoticeText
from app.ids import Kind, Ref
from app.memberships.models import Relation
from app.notices.models import Topic
from app.own_ticket import OwnTicket
from app.places.coordinates import Point
from app.tickets import queries as tickets
from app.tickets.lines import Line
from app.tickets.models import TicketStatus
from app.tickets.moves import Move
from app.tickets.queries import Event
from app.voting.models import Decision, DecisionKind, DecisionStatus, LegalMode
from app.voting.own_heads import MyBallot
from bff.http import dumped
from bff.resident.home import home_out
from bff.resident.home_schemas import HomeOut
from bff.resident.lines import line_out
from bff.resident.schemas import TicketList, TicketOut, TicketRow
from bff.resident.views import _Whole, _whole_out, own_ticket_out, ticket_out
from tests.conftest import House, Person, Town
from tests.resident.test_following import closed, rate

refs = st.builds(Ref, st.integers(1, 2**32 - 1), st.uuids())
times = st.datetimes(datetime(2000, 1, 2), datetime(2100, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
words = st.text(max_size=4)
some = st.none() | words
fen = st.integers(-(10**12), 10**12)
numbers = st.integers(1, 9)
points = st.builds(Point, st.floats(100, 110), st.floats(20, 30))
days = st.dates().map(str)

lines = st.builds(
    Line,
    ref=refs,
    number=words,
    status=st.sampled_from([s.value for s in TicketStatus]),
    category=some,
    category_name=some,
    text=some,
    is_urgent=st.booleans(),
    estate_name=some,
    reported_at=times,
    updated_at=times,
    accept_by=times,
    dispatch_by=times,
    due_at=times,
    photo_id=st.none() | st.uuids(),
    is_own=st.booleans(),
    is_public=st.booleans(),
)


def same(by_hand: dict[str, Any], by_schema: dict[str, Any]) -> None:
    assert list(by_hand) == list(by_schema)
    assert dumped(by_hand).get_data() == orjson.dumps(by_schema)


def shallow(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}


def line_said(line: Line) -> dict[str, Any]:
    """What the schema is given of a line; the link is the face's own."""
    told = line.is_own or line.is_public
    return line._asdict() | {
        "ticket_id": line.ref,
        "urgent": line.is_urgent,
        "category": line.category if told else None,
        "category_name": line.category_name if told else None,
        "estate_name": line.estate_name if told else None,
        "text": line.text if line.is_own else None,
        "thumb_url": line_out(line)["thumb_url"],
        "promised": {
            "accept_by": line.accept_by,
            "dispatch_by": line.dispatch_by,
            "close_by": line.due_at,
        },
    }


@given(lines)
def test_a_line_of_a_list(line: Line) -> None:
    same(line_out(line), TicketRow().dump(line_said(line)))
    assert (line_out(line)["thumb_url"] is None) == (line.photo_id is None or not line.is_own)


def vote(community_id: int, **said: Any) -> HomeVote:
    state = said.pop("my_ballot")
    return HomeVote(Decision(community_id=community_id, frozen_at=said["opens_at"], **said), state)


votes = st.builds(
    vote,
    st.integers(1, 2**32 - 1),
    id=st.uuids(),
    estate_id=st.uuids(),
    kind=st.sampled_from([k.value for k in DecisionKind]),
    title=words,
    status=st.sampled_from([DecisionStatus.ANNOUNCED.value, DecisionStatus.OPEN.value]),
    legal_mode=st.sampled_from([m.value for m in LegalMode]),
    announced_at=times,
    opens_at=times,
    closes_at=times,
    my_ballot=st.sampled_from(MyBallot),
)
homes = st.builds(
    Home,
    me=st.builds(
        Herself,
        id=st.uuids(),
        nickname_sealed=st.none(),
        phone_sealed=st.none(),
        phone_verified_at=st.none() | times,
        created_at=times,
        unread=numbers,
    ),
    estates=st.lists(
        st.builds(HomeEstate, ref=refs, name=words, address=some, point=points, community=words), max_size=1
    ),
    memberships=st.lists(
        st.builds(
            HomeMembership,
            ref=refs,
            house_id=refs,
            estate_id=refs,
            house=words,
            relation=st.sampled_from([r.value for r in Relation]),
            status=words,
            voter_level=some,
        ),
        max_size=1,
    ),
    tickets=st.lists(lines, max_size=1),
    votes=st.lists(votes, max_size=1),
    notices=st.lists(
        st.builds(
            HomeNotice,
            said=st.builds(
                NoticeText,
                ref=refs,
                version=numbers,
                kind=st.sampled_from([t.value for t in Topic]),
                title=words,
                text=words,
                areas=st.lists(words, max_size=1).map(tuple),
                published_at=times,
                revision=numbers,
            ),
            for_me=st.booleans(),
            read_at=st.none() | times,
            finished_at=st.none() | times,
        ),
        max_size=1,
    ),
    revenue=st.none()
    | st.builds(
        HomeRevenue,
        period_id=refs,
        first_day=days,
        last_day=days,
        income_fen=fen,
        cost_fen=fen,
        uses_fen=fen,
        fund_fen=fen,
        closing_fen=fen,
        published_at=times,
    ),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(homes)
def test_the_first_screen(house: House, home: Home) -> None:
    with house.app.test_request_context():
        # As it is sent: parts of it lie ready as bytes.
        by_hand = orjson.loads(dumped(home_out(home)).get_data())
    said = {
        "me": by_hand["me"] | home.me._asdict(),
        "estates": [
            shallow(one) | {"estate_id": one.ref, "location": hand["location"]}
            for one, hand in zip(home.estates, by_hand["estates"], strict=True)
        ],
        "unread": home.me.unread,
        "memberships": [one._asdict() | {"membership_id": one.ref} for one in home.memberships],
        "open_tickets": [line_said(line) for line in home.tickets],
        "open_decisions": [
            hand
            | {name: getattr(one.decision, name) for name in ("announced_at", "opens_at", "closes_at")}
            | {
                "decision_id": Ref(one.decision.community_id, one.decision.id),
                "estate_id": Ref(one.decision.community_id, one.decision.estate_id),
            }
            for one, hand in zip(home.votes, by_hand["open_decisions"], strict=True)
        ],
        "notices": [
            hand
            | {name: getattr(one, name) for name in ("read_at", "finished_at")}
            | {"notice_id": one.said.ref, "published_at": one.said.published_at, "areas": one.said.areas}
            for one, hand in zip(home.notices, by_hand["notices"], strict=True)
        ],
        "revenue": home.revenue
        and shallow(home.revenue)
        | {n: datetime.fromisoformat(getattr(home.revenue, n)).date() for n in ("first_day", "last_day")},
        "quick_actions": by_hand["quick_actions"],
    }
    by_schema = HomeOut().dump(said)
    same(by_hand, by_schema)
    for part in ("estates", "memberships", "open_tickets", "open_decisions", "notices"):
        for hand, schema in zip(by_hand[part], by_schema[part], strict=True):
            same(hand, schema)


@given(st.lists(lines, max_size=3), some)
def test_a_page_of_a_list(found: list[Line], after: str | None) -> None:
    by_hand = {"items": [line_out(line) for line in found], "next_cursor": after}
    said = {"items": [line_said(line) for line in found], "next_cursor": after}
    same(by_hand, TicketList().dump(said))


def own_ticket(line: Line, events: list[Event], photos: list[Any], **said: Any) -> OwnTicket:
    """As it is read: what the line says as well is the same."""
    ticket: Any = SimpleNamespace(
        community_id=line.ref.community_id,
        id=line.ref.id,
        status=line.status,
        accept_by=line.accept_by,
        dispatch_by=line.dispatch_by,
        due_at=line.due_at,
        contact_phone_sealed=None,
        referred_community=None,
        referred_to=None,
        **said,
    )
    for event in events:
        event.row.community_id = ticket.community_id
    for photo in photos:
        photo.community_id = ticket.community_id
    named = {e.row.org_id for e in events} | {ticket.org_id}
    orgs = {org_id: f"单位{org_id.hex[:3]}" for org_id in named if org_id is not None}
    return OwnTicket(ticket, line, events, photos, orgs)


moments = st.none() | times
MOMENTS = (
    *("accepted_at", "dispatched_at", "started_at", "resolved_at", "verified_at", "closed_at", "ended_at"),
    *("rated_at", "last_urged_at", "standing_since", "standing_until"),
)
orgs = st.none() | st.sampled_from([UUID(int=1), UUID(int=2)])
reporter = UUID(int=3)
moves = st.sampled_from([m.value for m in Move])
states = st.sampled_from([s.value for s in TicketStatus])
events = st.builds(
    Event,
    st.builds(
        SimpleNamespace,
        seq=numbers,
        at=times,
        kind=moves,
        from_status=st.none() | states,
        to_status=states,
        actor_kind=st.sampled_from(["resident", "staff", "system"]),
        actor_id=st.sampled_from([None, reporter, UUID(int=4)]),
        org_id=orgs,
    ),
    some,
)
photos = st.builds(
    SimpleNamespace,
    id=st.uuids(),
    status=st.sampled_from(["processing", "ready"]),
    stage=st.sampled_from(["before", "after"]),
)
own_tickets = st.builds(
    own_ticket,
    lines.map(lambda line: line._replace(is_own=True)),
    st.lists(events, max_size=2),
    st.lists(photos, max_size=2),
    reporter_id=st.just(reporter),
    me_too=st.integers(0, 2),
    supervised=st.integers(0, 2),
    version=numbers,
    is_anonymous=st.booleans(),
    answers=st.dictionaries(words, st.booleans() | words, max_size=2),
    lng=st.none() | st.floats(100, 110),
    lat=st.none() | st.floats(20, 30),
    accuracy_m=st.none() | st.floats(0, 100),
    address=some,
    rating_stars=st.none() | st.integers(1, 5),
    rating_solved=st.none() | st.booleans(),
    merged_into=st.none() | st.uuids(),
    org_id=orgs,
    **dict.fromkeys(MOMENTS, moments),
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(own_tickets)
def test_her_own_ticket_whatever_stands_in_it(house: House, own: OwnTicket) -> None:
    line = own.line
    row = {name: value for name, value in line_said(line).items() if name in TicketRow().fields}
    whole = _Whole(own.ticket, row, own.events, own.orgs, own.photos, objection=None)
    with house.app.test_request_context():
        same(own_ticket_out(own), TicketOut().dump(_whole_out(whole)))


def test_her_own_ticket_at_every_step(resident: Callable[..., Person], town: Town, house: House) -> None:
    wang = resident()
    fresh = str(wang.report(town.a.estate_id, contact_phone="13800138000", text="灯不亮")["ticket_id"])
    rated = closed(wang, town)
    assert rate(wang, rated, text="谢谢").status_code == 200
    assert wang.post(f"/tickets/{fresh}/comments", {"text": "还是不亮"}).status_code == 200
    merged = str(wang.report(town.a.estate_id, category="noise")["ticket_id"])
    for ticket_id in (fresh, rated, merged):
        answer = wang.get(f"/tickets/{ticket_id}")
        with house.app.test_request_context(), db.reading():
            row = tickets.ticket_for(
                ids.decode_id(Kind.RESIDENT, wang.session["resident"]["id"]),
                ids.decode_ref(Kind.TICKET, ticket_id),
            )
            by_schema = TicketOut().dump(ticket_out(row))
        assert answer.get_data() == orjson.dumps(by_schema)
        assert str(answer.get_etag()[0]).startswith(f"{by_schema['version']}-")
