"""Ids of another street's things (IDOR), in every place where an id can be written: each is refused, and nothing is
written.

The places are read from the schemas and paths of the endpoints, so that a new one is tried or named here. The ids in
the paths of the staff face are asked as every role in tests/structure/test_permission_matrix.py as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from flask.testing import FlaskClient

from app import ids
from app.ids import OF_COMMUNITY, Kind
from tests.conftest import Caller, House, Person, Town, acting
from tests.security import doors
from tests.security.chapters import good, petitioned
from tests.security.intruder import Intruder, ids_in
from tests.security.story import NOT_TOLD, Story, told
from tests.structure.test_permission_matrix import Home, build_home
from tests.voting.conftest import MOTION
from tests.voting.staging import staged

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200), pytest.mark.xdist_group("foreign")]
# Places that take the id of anything in the city, and why.
OPEN_TO_ALL = {
    (
        "POST /bff/v1/notices/<ref(ntc):ref>/read",
        "<ref>",
    ): "what is published anybody reads; a stranger isn't counted",
    (
        "POST /admin/api/v1/tickets/<ref(tkt):ref>/refer",
        "community_id",
    ): "a report that belongs elsewhere goes to where it belongs, in whichever street",
    ("POST /bff/v1/tickets", "estate_id"): "who stands before a broken lamp reports it, wherever she lives",
    ("POST /bff/v1/tickets/<ref(tkt):ref>/join", "<ref>"): "who sees the same joins a report that is public",
    ("POST /bff/v1/memberships", "house_id"): "who says that she lives there is matched, or looked at there",
    (
        "POST /admin/api/v1/duty-rosters/<ref(dut):ref>/hand-over",
        "staff_id",
    ): "what she was given at this very post moves: of a stranger, nothing",
    (
        "POST /admin/api/v1/orgs/<ref(org):org_id>/responsibilities",
        "<org_id>",
    ): "a company works for many communities: the desk of each names it, and shares its own tickets alone",
}
# Lists that residents of every estate read.
FOR_EVERYBODY = {
    ("/bff/v1/notices", "estate_id"): "what an estate publishes, everybody may read",
}
# Places where the answer to a foreign id is a yes that means nothing; each has a test of its own below.
PASSED_OVER = {
    ("POST /admin/api/v1/inbox/read", "ids.*"): "what isn't in one's own inbox isn't marked",
    ("POST /bff/v1/inbox/read", "ids.*"): "what isn't in one's own inbox isn't marked",
    ("POST /callbacks/intake/<string:source>", "estate_id"): "a report of a machine lands at its own desk",
    (
        "POST /admin/api/v1/decisions",
        "motions.*.motion_id",
    ): "a new draft has no motions yet, so none is taken",
}

# Tables whose rows change while the clock of the story runs: WeChat's verdict on a photo, and files of imports that
# are thrown away when their days are over.
IN_ITS_OWN_TIME = {"photos", "registry_imports", "revenue_imports", "outbox"}


def ids_of(home: Home) -> dict[Kind, list[str]]:
    """Every id of a home by its kind."""
    found: dict[Kind, list[str]] = {}
    for (kind, _), text in home.things.items():
        found.setdefault(kind, []).append(text)
    return found


def rows_of(owner: psycopg.Connection[Any], community_id: int) -> dict[str, str]:
    """A digest of the rows of a community by table."""
    tables = owner.execute(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'community_id'"
    ).fetchall()
    found = {}
    for (table,) in tables:
        sql = (
            f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM \"{table}\" t WHERE community_id = %s"
        )
        (found[table],) = owner.execute(sql, [community_id]).fetchone() or ("",)
    return found


def naming(owner: psycopg.Connection[Any], community_id: int, words: str) -> list[str]:
    """The tables in which a row of the community holds one of these words (a pattern)."""
    return [
        table
        for table in rows_of(owner, community_id)
        if owner.execute(
            f'SELECT 1 FROM "{table}" t WHERE community_id = %s AND t::text ~ %s LIMIT 1',
            [community_id, words],
        ).fetchone()
    ]


class Tried(NamedTuple):
    """A street in which an intruder went before every honest request, and the street whose ids it wrote."""

    story: Story
    intruder: Intruder
    theirs: Home
    owner: psycopg.Connection[Any]
    before: dict[str, str]  # their rows
    they: Person  # somebody who lives there
    keeper: str  # the account of their property company


@pytest.fixture(scope="module")
def tried(house: House, make_town: Callable[[], Town]) -> Iterator[Tried]:
    far = make_town()
    theirs = build_home(house, far, far.a)
    with staged(house, far) as stage:
        theirs.things[Kind.PETITION, ""] = petitioned(stage)
        they = stage.log_in()
        theirs.things[Kind.RESIDENT, ""] = they.session["resident"]["id"]
        ticket = they.report(far.a.estate_id)["ticket_id"]
        far.bring(ticket, "accept", "dispatch")
        stage.work()  # what workers still owe them isn't the intruder's doing
        theirs.things[Kind.INBOX, ""] = they.get("/inbox").json["items"][0]["id"]
        keeper = acting(far.staff("property")).account
        theirs.things[Kind.INBOX, "staff"] = far.staff("property").get("/inbox").json["items"][0]["id"]
    intruder = Intruder(
        house.app,
        ids_of(theirs),
        left_alone=frozenset(NOT_TOLD),
        open_to_all=frozenset(OPEN_TO_ALL) | frozenset(PASSED_OVER),
    )
    plain = FlaskClient.open

    def opened(client: FlaskClient, path: Any, *args: Any, **more: Any) -> Any:
        if args or not isinstance(path, str):
            return plain(client, path, *args, **more)
        method = more.pop("method", "GET")
        return intruder.opened(lambda *a, **k: plain(client, *a, **k), path, method, more)

    patch = pytest.MonkeyPatch()
    with psycopg.connect(house.pg.url("owner", "house"), autocommit=True) as owner:
        before = rows_of(owner, far.a.id)
        patch.setattr(FlaskClient, "open", opened)
        try:
            with told(house, make_town(), to_the_end=True) as story:
                patch.undo()
                yield Tried(story, intruder, theirs, owner, before, they, keeper)
        finally:
            patch.undo()


def test_a_foreign_id_is_refused_in_every_place_and_nothing_is_written(tried: Tried) -> None:
    assert not tried.intruder.let_in, "\n".join(sorted(set(tried.intruder.let_in)))
    after = rows_of(tried.owner, tried.theirs.where.id)
    changed = [t for t, rows in after.items() if rows != tried.before[t] and t not in IN_ITS_OWN_TIME]
    assert not changed, changed
    named = [
        word
        for kind, texts in tried.intruder.theirs.items()
        for text in texts
        for word in (
            text,
            str(ids.decode_ref(kind, text).id if kind in OF_COMMUNITY else ids.decode_id(kind, text)),
        )
        # A community's own number is too short to look for.
        if kind is not Kind.COMMUNITY
    ]
    town = tried.story.town
    for community in (town.a, town.b):
        found = naming(tried.owner, community.id, "|".join(named))
        assert not found, found


def test_every_place_for_an_id_was_tried_or_is_named_here(tried: Tried) -> None:
    places = {(door, place) for door, place, _ in ids_in(tried.story.house.app) if door not in NOT_TOLD}
    assert len(places) > 200
    named = OPEN_TO_ALL.keys() | PASSED_OVER.keys()
    assert named <= places, "lines for places that are not there"
    left = places - tried.intruder.tried - named
    # Those in a path of the staff face are asked, with everything else right, by the matrix.
    left = {one for one in left if not (one[0].split()[1].startswith("/admin/") and one[1].startswith("<"))}
    assert not left, "\n".join(f"{door} {place}" for door, place in sorted(left))


def test_a_foreign_id_in_a_query_shows_nothing_of_theirs(tried: Tried) -> None:
    """Each id that a list or a page can be asked for, by the desk and by a resident."""
    story, wrong, asked = tried.story, [], 0
    secrets = tried.theirs.named()
    resident = story.resident()
    for door in doors.all_doors(story.house.app):
        schema = door.query()
        rule = door.rule.rule
        if door.method != "GET" or schema is None or door.rule.arguments:
            continue
        caller: Caller = story.desk if rule.startswith("/admin/") else resident
        for member in doors.members(schema):
            kinds = doors.kinds_of(member.field) or (
                (Kind.ESTATE, Kind.COMMUNITY) if member.name == "area" else ()
            )
            for kind in kinds:
                if (foreign := tried.intruder.one(kind)) is None:
                    continue
                asked += 1
                answer = Caller(caller.client, "", caller.token).get(
                    rule, query_string={member.name: foreign}
                )
                shown = answer.get_data().decode(errors="replace").replace(foreign, "")
                is_told = answer.status_code >= 500 or any(secret in shown for secret in secrets)
                if is_told and (rule, member.name) not in FOR_EVERYBODY:
                    wrong.append(f"{rule}?{member.name}=: {answer.status_code} {shown[:120]}")
    assert not wrong, "\n".join(wrong)
    assert asked > 40


def unread(who: Caller) -> set[str]:
    """The messages that she hasn't read."""
    return {one["id"] for one in who.get("/inbox").json["items"] if one["read_at"] is None}


def test_nobody_marks_anothers_message_as_read(tried: Tried) -> None:
    things, far = tried.theirs.things, tried.theirs.town
    # The clock has run ahead since they logged in.
    tried.story.stage.box.again(tried.they)
    for intruder, victim, key in (
        (tried.story.resident(), tried.they, ""),
        (tried.story.desk, far.log_in(tried.keeper), "staff"),
    ):
        message = things[Kind.INBOX, key]
        before = unread(victim)
        assert message in before
        answer = good(intruder.post("/inbox/read", {"ids": [message]}))
        assert answer["changed"] == 0
        assert unread(victim) == before


def test_a_machine_that_names_an_estate_of_another_street_reports_to_its_own_desk(tried: Tried) -> None:
    desk = tried.theirs.town.hire("community", tried.theirs.where)
    before = desk.get("/tickets?limit=100").json["items"]
    made = tried.story.reported_by_a_machine(estate_id=tried.theirs.where.estate_id, estate="")

    assert ids.decode_ref(Kind.TICKET, made["ticket_id"]).community_id == tried.story.town.a.id
    assert desk.get("/tickets?limit=100").json["items"] == before


def test_a_new_draft_takes_nobodys_motion(tried: Tried) -> None:
    motion = {**MOTION, "motion_id": tried.theirs.things[Kind.MOTION, ""]}
    draft = {"estate_id": tried.story.town.a.estate_id, "kind": "meeting", "title": "业主大会"}
    answer = tried.story.desk.post("/decisions", draft | {"motions": [motion]})

    assert (answer.status_code, answer.json["code"]) == (422, "bad_motions")
