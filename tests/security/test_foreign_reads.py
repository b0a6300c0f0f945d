"""Ids of another community in what staff read (IDOR): in each place of each path, and in each question.

The endpoints come from the map of URLs, the ids of a question from what reads it, so that a new one is asked, or fails
until somebody has said how (`CALLS` and `build_home` of tests/structure/test_permission_matrix.py). What every role
finds abroad stands there; here each thing was read by its own staff before it is refused to others, each id of a path
is another community's while the rest is right, and what a question names is looked for in the answer.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from app import ids
from app.ids import OF_COMMUNITY, Kind, Ref
from app.people import queries as people
from app.people.models import Role
from app.people.permissions import GRANTS
from bff.http import RefConverter
from tests.conftest import Caller, House, Town
from tests.security import doors
from tests.structure.test_permission_matrix import (
    OF_THE_STREET,
    PREFIX,
    Home,
    Homes,
    build_home,
    call_of,
    name_of,
    path_of,
)
from tests.structure.test_routes import Endpoint, staff_endpoints

pytestmark = pytest.mark.xdist_group("foreign reads")
FACES = ("the JSON face", "the console")
# Who is asked to read a thing: the first of them who may and finds it.
READERS = (Role.COMMUNITY, *(role for role in Role if role is not Role.COMMUNITY))
# Words of a query that are ids, or may be.
AS_WORDS = {
    "area": (Kind.ESTATE, Kind.COMMUNITY, Kind.GRID),
    "object": (Kind.TICKET, Kind.HOUSE, Kind.STAFF),
    "actor": (Kind.STAFF,),
    "ids": (Kind.ESTATE,),
}
# What has to be said beside an id.
BESIDE = {("GET /focus-counts", "area"): {"purpose": "visit"}}


class Read(NamedTuple):
    """A page or an answer that somebody reads at home, and a community that she doesn't reach."""

    endpoint: Endpoint
    role: Role
    own: Home
    foreign: Home
    schemas: list[Any]  # what read her request

    @property
    def name(self) -> str:
        return name_of(self.endpoint)

    def by_her(self, *theirs: str, **query: str) -> TestResponse:
        """Her answer with the foreign community's things in these places of the path."""
        home_of = lambda argument: self.foreign if argument in theirs else self.own  # noqa: E731
        return answer_to(self.own.caller(self.role), self.endpoint, self.role, self.own, home_of, query)

    def by_them(self) -> TestResponse:
        """What the foreign community's own staff read there."""
        home_of = lambda _: self.foreign  # noqa: E731
        return answer_to(self.foreign.caller(self.role), self.endpoint, self.role, self.foreign, home_of, {})


def answer_to(
    caller: Caller,
    endpoint: Endpoint,
    role: Role,
    home: Home,
    home_of: Callable[[str], Home],
    query: dict[str, str],
) -> TestResponse:
    make = call_of(endpoint).query
    asked = {} if make is None else make(home, role)
    prefix = PREFIX if endpoint.rule.rule.startswith(PREFIX) else ""
    path = prefix + path_of(endpoint, role, home_of)
    return Caller(caller.client, "", caller.token).get(path, query_string=asked | query)


def named_in(endpoint: Endpoint) -> list[str]:
    """The arguments of its path that are ids."""
    return [name for name, one in endpoint.rule._converters.items() if isinstance(one, RefConverter)]


def is_found(answer: TestResponse) -> bool:
    """Is it there for who asks? 409: it is, and not so far yet."""
    return answer.status_code < 400 or answer.status_code == 409


def said(answer: TestResponse) -> str:
    """Its status, and how it begins where that says something."""
    is_page = (answer.content_type or "").startswith("text/html")
    return f"{answer.status_code} {'a page' if is_page else answer.get_data()[:160].decode(errors='replace')}"


# What two answers to one question differ in by themselves.
_PASSING = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+|\d\d:\d\d(:\d\d)?|\"request_id\":\"[a-z]+\"")


def shown(answer: TestResponse, wire: str) -> tuple[int, str]:
    """What it shows, without the id that it was asked for."""
    return answer.status_code, _PASSING.sub("", answer.get_data().decode(errors="replace").replace(wire, ""))


def of_nothing(kind: Kind, home: Home) -> str:
    """An id of this kind that nothing has."""
    if kind is Kind.COMMUNITY:
        return ids.encode(kind, UUID(int=4_000_000_000))
    name = ids.new_id()
    return ids.encode(kind, Ref(home.where.id, name) if kind in OF_COMMUNITY else name)


@pytest.fixture(scope="module")
def homes(house: House, make_town: Callable[[], Town]) -> Iterator[Homes]:
    town, far = make_town(), make_town()
    with pytest.MonkeyPatch.context() as patch:
        # As for the matrix: who asks is looked up once for each login.
        patch.setattr(people, "staff_by_token", functools.cache(people.staff_by_token))
        yield Homes(*(build_home(house, t, w) for t, w in ((town, town.a), (town, town.b), (far, far.a))))


@pytest.fixture(scope="module")
def reads(house: House, homes: Homes) -> dict[str, list[Read]]:
    """Every GET of staff, by its face, as somebody who gets an answer to it."""
    found: dict[str, list[Read]] = {face: [] for face in FACES}
    unread = []
    for endpoint in staff_endpoints(house.app):
        if endpoint.method != "GET" or not getattr(endpoint.view, "_requires", ()):
            continue  # of one's own login: it names nothing
        read = read_at_home(endpoint, homes)
        if read is None:
            unread.append(name_of(endpoint))
        else:
            found[FACES[not endpoint.rule.rule.startswith(PREFIX)]].append(read)
    assert not unread, (
        "nobody gets an answer at home: say in CALLS or in build_home (tests/structure/test_permission_matrix.py)"
        f" what is read there: {unread}"
    )
    return found


def read_at_home(endpoint: Endpoint, homes: Homes) -> Read | None:
    needed = endpoint.view._requires  # type: ignore[attr-defined]
    for role in READERS:
        if any(permission in GRANTS[role] for permission in needed):
            foreign = homes.far if name_of(endpoint) in OF_THE_STREET else homes.foreign_to(role)
            with doors.noted() as schemas:
                read = Read(endpoint, role, homes.own, foreign, schemas)
                if is_found(read.by_her()):
                    return read
    return None


def test_every_id_in_the_path_of_what_staff_read_is_tried(house: House) -> None:
    """An endpoint that asks for no permission names nothing: whatever names a thing is asked below."""
    endpoints = [one for one in staff_endpoints(house.app) if one.method == "GET" and named_in(one)]
    assert len(endpoints) > 150
    assert not [name_of(one) for one in endpoints if not getattr(one.view, "_requires", ())]


@pytest.mark.parametrize("face", FACES)
def test_no_id_of_another_community_in_a_path_is_read_by_staff(
    reads: dict[str, list[Read]], face: str
) -> None:
    wrong, tried, crossed = [], 0, 0
    for read in reads[face]:
        places_ = named_in(read.endpoint)
        if not places_:
            continue
        if not is_found(theirs := read.by_them()):
            to_them = f"{said(theirs)} to its own staff ({read.role})"
            wrong.append(f"{read.name}: {to_them}, so that a refusal shows nothing")
        for count in range(1, len(places_) + 1):
            for taken in combinations(places_, count):
                answer = read.by_her(*taken)
                tried, crossed = tried + 1, crossed + (count < len(places_))
                if answer.status_code != 404:
                    wrong.append(f"{read.name} {taken} as {read.role}: {said(answer)}")
    assert not wrong, "\n".join(wrong)
    assert tried > 60
    assert crossed > 4


def asked_for(read: Read) -> Iterator[tuple[str, Kind]]:
    """(member, kind) of each id that its question can name."""
    for schema in read.schemas:
        for member in doors.members(schema):
            for kind in doors.kinds_of(member.field) or AS_WORDS.get(member.name, ()):
                yield member.name, kind


@pytest.mark.parametrize("face", FACES)
def test_no_id_of_another_community_in_a_question_is_answered_to_staff(
    reads: dict[str, list[Read]], face: str
) -> None:
    """What isn't hers is answered as what isn't there. The path is her own, where there is one."""
    wrong, tried = [], 0
    for read in reads[face]:
        for name, kind in asked_for(read):
            own, theirs = (home.thing(kind, read.role) for home in (read.own, read.foreign))
            nothing = of_nothing(kind, read.foreign)
            beside = BESIDE.get((read.name, name), {})
            answer, empty = (read.by_her(**beside | {name: wire}) for wire in (theirs, nothing))
            # Where it is refused, it is for the id alone; but patrols aren't asked for by community.
            honest = answer if answer.status_code < 400 else read.by_her(**beside | {name: own})
            tried += honest.status_code < 400
            if honest.status_code >= 400 and not (name in AS_WORDS and honest.status_code == 422):
                wrong.append(f"{read.name}?{name}={kind} of her own: {said(honest)}")
            if shown(answer, theirs) != shown(empty, nothing):
                wrong.append(f"{read.name}?{name}={kind}: {said(answer)}; of nothing: {said(empty)}")
    assert not wrong, "\n".join(wrong)
    assert tried > 20
