"""The demonstration data: what it promises, on a database of its own, and who may make it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from PIL import Image

from app.places.coordinates import Point, contains
from app.tickets.models import TicketStatus
from app.tickets.moves import Move
from sandbox.config import Config
from sandbox.web import running
from tests.conftest import TOP, migrate, settings_for
from tools import pictures, servers
from tools.demo import cast, rounds, shifts, stories, town, turns

STATES = {state.value: count for state, count in stories.STATES.items()}
# Somebody who opens the door as a client would: the demonstration resident, then each member of staff.
VISIT = """
import json, sys
from datetime import timedelta
import bff
from app import create_app, db
from app.places import queries as places
from app.settings import Settings
from app.tickets import calendar
from tools.demo import cast, rounds, town

app = create_app(Settings.from_env())
bff.init_app(app)
client = app.test_client()
session = client.post("/bff/v1/session", json={"code": "demo-wang"}).json
bearer = {"Authorization": "Bearer " + session["access_token"]}
mine = client.get("/bff/v1/tickets?limit=50", headers=bearer).json["items"]
inbox = client.get("/bff/v1/inbox", headers=bearer).json["items"]
first = client.get("/bff/v1/tickets/" + mine[0]["ticket_id"], headers=bearer).json
seen = {}
for who in json.load(sys.stdin):
    if "account" in who and "totp" not in who:
        body = {"account": who["account"], "password": who["password"]}
        token = client.post("/admin/api/v1/session", json=body).json["token"]
        board = client.get("/admin/api/v1/tickets?limit=100", headers={"Authorization": "Bearer " + token})
        seen[who["account"]] = len(board.json["items"])

def staff(account, path, body=None):
    who = {"account": account, "password": cast.DEMO_PASSWORD}
    bearer = {"Authorization": "Bearer " + client.post("/admin/api/v1/session", json=who).json["token"]}
    path = "/admin/api/v1" + path
    answer = client.post(path, json=body, headers=bearer) if body else client.get(path, headers=bearer)
    assert answer.status_code == 200, answer.text
    return answer.json

today = places.today()
days = f"from={today - timedelta(days=rounds.DAYS)}&to={today - timedelta(days=1)}"
gaps = {c: staff(c, f"/patrol/coverage?{days}") for c in ("community1", "community2", "community3")}
waiting = staff("street", "/tickets?callback_due=true&limit=100")["items"]
resolved = staff("street", "/tickets?status=resolved&limit=100")["items"]
flags = [staff("street", "/tickets/" + row["ticket_id"])["closure_flags"] for row in resolved]
called = [row for row in staff("street", "/tickets?status=received&limit=100")["items"] if row["channel"] == "hotline"]
alike = [staff("street", "/tickets/" + row["ticket_id"] + "/suggestions") for row in called]
zones = staff("community1", "/patrol/zones")["items"]
at = f"{today + timedelta(days=1)}T03:00:00+08:00"
pearl = next(a["estate_id"] for a in staff("community1", "/areas")["items"] if a["name"] == cast.HOMES["pearl"])
night = [
    [t["category"], tried["rule"], tried["roster"], len(tried["on_shift"]), tried["because"]]
    for t in ({"category": "water"}, {"category": "dogs"}, {"category": "greening"})
    for tried in [staff("community1", "/routing-rules/try", t | {"estate_id": pearl, "at": at})]
]
vote = client.get("/bff/v1/decisions", headers=bearer).json["items"][0]
path = "/bff/v1/decisions/" + vote["decision_id"]
shown = client.get(path, headers=bearer).json
choices = {m["motion_id"]: "for" for m in shown["motions"]}
cast_by_wang = client.put(path + "/ballot", json={"choices": choices}, headers=bearer).status_code
vote |= {"turnout": shown["turnout"]["heads"], "rooms": [h["label"] for h in shown["heads"]], "cast": cast_by_wang}
costs = client.get(f"/bff/v1/estates/{pearl}/revenue/entries?kind=cost&limit=100", headers=bearer).json["items"]
behind = [line["entry_id"] for line in costs if line["voucher_count"] == 1]
files = client.get("/bff/v1/revenue/entries/" + behind[0], headers=bearer).json["public_files"]
page = client.get("/" + files[0]["pages"][0]["url"].split("/", 3)[3])
books = {"costs": len(costs), "behind": len(behind), "type": page.content_type, "head": page.data[:2].hex()}
rosters = {c: len(staff(c, "/duty-rosters")["items"]) for c in gaps}
rules = {c: len(staff(c, "/routing-rules?limit=100")["items"]) for c in gaps}
with db.reading():
    differing = [d for c in town.COMMUNITIES for d in calendar.drift(c)[0].differing]
print(json.dumps({
    "me": session["resident"], "mine": mine, "inbox": inbox, "first": first, "seen": seen, "gaps": gaps,
    "waiting": waiting, "flags": flags, "alike": alike, "zones": zones, "differing": len(differing),
    "night": night, "rosters": rosters, "rules": rules, "vote": vote, "books": books,
}))
"""


def run(environment: dict[str, str], *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=TOP,
        env={k: v for k, v in os.environ.items() if k != "DEMO"} | environment,
        capture_output=True,
        text=True,
        check=False,
        **more,
    )


def make(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run(environment, "-m", "tools.demo", "--seed", "7")


# --- the whole, once -------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.timeout(600)  # half a minute of computing, which neighbours can stretch
def test_a_street_with_two_hundred_tickets_is_made_once(pg: servers.Postgres, tmp_path: Path) -> None:
    pg.create_database("demonstration")
    environment = settings_for(
        pg,
        "demonstration",
        REDIS_URL="redis://127.0.0.1:1/0",  # nobody listens: nothing may be rung for
        PUBLIC_BASE_URL="http://127.0.0.1:1",
        STORAGE_URL=f"folder:{tmp_path}",
        DEMO=1,
        STAFF_TOTP="optional",
    )
    early = make(environment)
    assert (early.returncode, early.stderr) == (
        2,
        "The database has no tables yet: run `python -m alembic upgrade head` first.\n",
    )
    migrate(environment)
    begin = datetime.now(UTC)
    made = make(environment)
    assert made.returncode == 0, made.stderr
    assert "200 tickets" in made.stdout
    assert len(made.stdout.splitlines()) == 1

    with psycopg.connect(pg.url("owner", "demonstration"), autocommit=True) as db:
        the_tree_knows_the_merger(db)
        places_and_people_are_complete(db)
        tickets_are_in_all_states(db, begin)
        the_loop_can_be_seen(db)
        nothing_waits_for_a_worker(db, begin)
        photos_lie_in_storage(db, tmp_path)
        before = rows(db)
        again = make(environment)
        assert (again.returncode, again.stdout[:41]) == (0, "The demonstration data is there already; ")
        assert rows(db) == before
    the_printed_accounts_open_doors(environment)


def all_of(db: psycopg.Connection, query: str) -> list[tuple]:
    return db.execute(query).fetchall()


def rows(db: psycopg.Connection) -> dict[str, int]:
    names = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    return {name: all_of(db, f"SELECT count(*) FROM {name}")[0][0] for (name,) in all_of(db, names)}


def the_tree_knows_the_merger(db: psycopg.Connection) -> None:
    terms = all_of(
        db,
        "SELECT r.name, p.name, t.valid_from, t.valid_to FROM region_terms t JOIN regions r"
        " ON r.id = t.region_id JOIN regions p ON p.id = t.parent_id ORDER BY t.valid_from",
    )
    merged = date(2025, 11, 6)
    of_street = [term[1:] for term in terms if term[0] == "寸滩街道"]
    assert of_street == [("江北区", date(2020, 1, 1), merged), ("两江新区", merged, None)]
    assert [term[1:] for term in terms if term[0] == "江北区"] == [("重庆市", date(2020, 1, 1), merged)]
    assert [term[1:] for term in terms if term[0] == "两江新区"] == [("重庆市", merged, None)]
    assert sum(term[1] == "寸滩街道" for term in terms) == 3


def places_and_people_are_complete(db: psycopg.Connection) -> None:
    for table in ("regions", "orgs", "estates", "buildings", "grids", "staff", "residents", "tickets"):
        assert all_of(db, f"SELECT count(*) FROM {table} WHERE NOT is_demo") == [(0,)], table
    estates = {name: (community, outline) for name, community, outline in all_of(
        db, "SELECT name, community_id, outline FROM estates"
    )}  # fmt: skip
    assert len(estates) == 6
    lamp = Point(pictures.LNG, pictures.LAT)
    assert [name for name, (_, outline) in estates.items() if contains(outline, lamp)] == ["江岸明珠小区"]
    assert all_of(
        db,
        "SELECT o.kind FROM responsibilities r JOIN orgs o ON o.id = r.org_id JOIN estates e"
        " ON (e.community_id, e.id) = (r.community_id, r.estate_id)"
        " WHERE e.name = '江岸明珠小区' AND r.category_code = 'lighting'",
    ) == [("property_company",)]
    uncovered = (
        "SELECT count(*) FROM estates e WHERE NOT EXISTS (SELECT FROM grid_covers g WHERE g.estate_id = e.id)"
    )
    assert all_of(db, uncovered) == [(0,)]
    roles = Counter(all_of(db, "SELECT role, coalesce(region_id, grid_community_id) FROM staff_roles"))
    for community in (101, 102, 103):
        assert roles["community", community] >= 1
        assert roles["grid", community] >= 1
        keepers = (
            "SELECT count(DISTINCT s.staff_id) FROM staff_roles s JOIN responsibilities r USING (org_id)"
            f" WHERE s.role = 'property' AND r.community_id = {community} AND r.estate_id IS NOT NULL"
        )
        assert all_of(db, keepers)[0][0] >= 1
    assert all_of(db, "SELECT count(*) FROM residents") == [(40,)]


def tickets_are_in_all_states(db: psycopg.Connection, begin: datetime) -> None:
    assert dict(all_of(db, "SELECT status, count(*) FROM tickets GROUP BY status")) == STATES
    ((first, last),) = all_of(db, "SELECT min(reported_at), max(reported_at) FROM tickets")
    assert timedelta(days=58) < begin - first < timedelta(days=60, minutes=5)
    assert begin - last < timedelta(hours=12)
    ((rated, reopened, anonymous, urgent, overdue, texts),) = all_of(
        db,
        "SELECT count(rating_stars), count(*) FILTER (WHERE reopened > 0), count(*) FILTER (WHERE is_anonymous),"
        " count(*) FILTER (WHERE is_urgent), count(*) FILTER (WHERE due_at < now() AND status NOT IN"
        " ('closed', 'rejected', 'withdrawn')), count(DISTINCT text) FROM tickets",
    )
    assert rated > 50
    assert min(reopened, anonymous, urgent, overdue) >= 3
    assert texts == 200 - len(stories.REFERRED_TO)  # what was referred stands there twice
    # The cached columns, the events and the numbers tell the same story, none of it in the future.
    assert all_of(
        db,
        "SELECT count(*) FROM tickets t WHERE (updated_at, last_seq) <>"
        " (SELECT max(at), count(*) FROM ticket_events e WHERE e.ticket_id = t.id)",
    ) == [(0,)]
    assert all_of(db, "SELECT count(*) FROM ticket_events WHERE at > now()") == [(0,)]
    kinds = {kind for (kind,) in all_of(db, "SELECT DISTINCT kind FROM ticket_events")}
    # Passing on needs two people on shift, and who is depends on the hour at which the data is made.
    assert kinds == set(Move) - {Move.ROTATE}
    assert all_of(
        db,
        "SELECT count(*) FROM ticket_events a JOIN ticket_events b USING (community_id, ticket_id)"
        " WHERE a.seq < b.seq AND a.at > b.at",
    ) == [(0,)]
    disorder = (
        "SELECT count(*) FROM tickets a JOIN tickets b USING (community_id)"
        " WHERE left(a.number, 9) = left(b.number, 9) AND a.number < b.number AND a.reported_at > b.reported_at"
    )
    assert all_of(db, disorder) == [(0,)]


def the_loop_can_be_seen(db: psycopg.Connection) -> None:
    """A new user finds each state of the loop somewhere, not only in the history of what is closed."""
    assert all_of(
        db, "SELECT count(*) FROM tickets WHERE status = 'suspended' AND standing_until > now()"
    ) == [(5,)]
    states = Counter(state for (state,) in all_of(db, "SELECT state FROM ticket_extensions"))
    assert states.keys() >= {"pending", "approved", "refused"}
    ((pressed, climbed, merged, followed, excluded),) = all_of(
        db,
        "SELECT count(*) FILTER (WHERE urged > 0 AND supervised > 0), count(*) FILTER (WHERE supervise_level > 1 AND"
        " ended_at IS NULL), count(merged_into), count(*) FILTER (WHERE me_too > 0), count(*) FILTER (WHERE"
        " is_excluded) FROM tickets",
    )
    assert pressed >= 1
    assert climbed >= 3
    assert (merged, excluded) == (5, 2)
    assert followed >= 7
    assert all_of(
        db,
        "SELECT count(*) FROM tickets a JOIN tickets b ON (b.community_id, b.id) = (a.referred_community,"
        " a.referred_to) WHERE a.number = b.number AND b.reported_at = a.reported_at",
    ) == [(len(stories.REFERRED_TO),)]
    parts = all_of(db, "SELECT done_at IS NULL, count(*) FROM ticket_parts WHERE kind = 'assist' GROUP BY 1")
    assert dict(parts).keys() == {True, False}
    assert all_of(db, "SELECT count(*) FROM ticket_callbacks") == [(6,)]
    by_hotline = (
        "SELECT count(*) FROM source_tickets JOIN tickets t ON t.id = ticket_id WHERE t.channel = 'hotline'"
    )
    assert all_of(db, by_hotline) == [(sum(stories.BY_HOTLINE.values()),)]
    ((walks, points, doubted),) = all_of(
        db,
        "SELECT count(DISTINCT shift_id), count(DISTINCT point_id), count(*) FILTER (WHERE reasons <> '[]')"
        " FROM patrol_visits",
    )
    assert walks >= rounds.DAYS * len(rounds.ROUTES)
    assert (points, doubted) == (len(rounds.ROUTES) * len(rounds.POINTS), 1)
    assert all_of(db, "SELECT count(*) FROM patrol_shifts WHERE ended_at IS NULL") == [(0,)]


def nothing_waits_for_a_worker(db: psycopg.Connection, begin: datetime) -> None:
    late = db.execute("SELECT count(*) FROM tickets WHERE watch_at < %s", [begin]).fetchall()
    assert late == [(0,)]
    assert all_of(db, "SELECT count(*) FROM source_statuses") == [(0,)]
    assert {s for (s,) in all_of(db, "SELECT DISTINCT state FROM outbox WHERE not_before <= now()")} == {
        "done"
    }
    assert all_of(db, "SELECT count(*) FROM wechat_notices") == [(0,)]
    assert dict(all_of(db, "SELECT text_check, count(*) FROM tickets GROUP BY 1")).keys() == {
        "none",
        "passed",
    }


def photos_lie_in_storage(db: psycopg.Connection, folder: Path) -> None:
    photos = all_of(db, "SELECT id, status, check_state, width, height FROM photos")
    assert len(photos) > 100
    assert {photo[1:3] for photo in photos} == {("ready", "passed")}
    files = {path.name: path for path in folder.rglob("photos+*.jpg")}
    assert len(files) == 2 * len(photos)
    for photo_id, _, _, width, height in photos[:5]:
        name = f"photos+{photo_id.hex[:4]}+{photo_id.hex}"
        full = Image.open(io.BytesIO(files[f"{name}-1600.jpg"].read_bytes()))
        assert full.size == (width, height)
        assert max(Image.open(io.BytesIO(files[f"{name}-320.jpg"].read_bytes())).size) == 320
    unseen = (
        "SELECT count(*) FROM tickets t JOIN category_terms c ON c.code = t.category_code"
        " WHERE c.needs_photo AND c.valid_to IS NULL"
        " AND channel = 'mini_program' AND NOT EXISTS (SELECT FROM photos p WHERE p.object_id = t.id)"
    )
    assert all_of(db, unseen) == [(0,)]


def the_printed_accounts_open_doors(environment: dict[str, str]) -> None:
    config = Config(
        appid=environment["WECHAT_APPID"],
        secret=environment["WECHAT_SECRET"],
        push_token=environment["WECHAT_PUSH_TOKEN"],
        push_aes_key=environment["WECHAT_PUSH_AES_KEY"],
    )
    with running(config) as (url, _):
        visit = run(
            environment | {"WECHAT_API_BASE": url}, "-c", VISIT, input=json.dumps(cast.accounts()), timeout=60
        )
    assert visit.returncode == 0, visit.stderr
    found = json.loads(visit.stdout)
    assert found["me"]["nickname"] == "王秀英"
    assert len({ticket["status"] for ticket in found["mine"]}) >= 3
    assert found["inbox"]
    assert found["first"]["timeline"]
    assert found["seen"].keys() == {who.account for who in cast.STAFF if not who.totp}
    assert min(found["seen"].values()) > 0
    assert found["seen"]["street"] == 100
    # An open vote in which she has two homes, one head, and two of nine have cast.
    vote = found["vote"]
    assert (vote["status"], vote["legal_mode"], vote["my_ballot"]) == ("open", "paper_backed", "to_cast")
    assert (vote["turnout"]["cast"], vote["turnout"]["total"]) == (2, 9)
    assert (vote["rooms"], vote["cast"]) == (["1栋101、1栋102"], 201)
    # Five quarters of books; behind each cost of the last two an invoice that anybody opens.
    assert found["books"] == {"costs": 25, "behind": 10, "type": "image/jpeg", "head": "ffd8"}
    # One point left out and one scanned from elsewhere; everything else was visited.
    gaps = {who: [gap["state"] for gap in shown["items"]] for who, shown in found["gaps"].items()}
    assert gaps == {"community1": ["missed"], "community2": ["suspect"], "community3": []}
    assert {shown["totals"]["due"] for shown in found["gaps"].values()} == {rounds.DAYS * len(rounds.POINTS)}
    assert all(zone["homes"] and zone["grade"] for zone in found["zones"])
    assert found["waiting"]
    assert [flag["code"] for flags in found["flags"] for flag in flags].count("taken_before_dispatch") == 2
    assert [len(suggested) > 0 for suggested in found["alike"]] == [True]
    assert found["differing"] == 0
    duty_room, grids = found["night"][0], found["night"][1]
    assert duty_room[:3] == ["water", "下班后漏水→社区值班室", shifts.DUTY_ROOM]
    assert duty_room[3] == 1
    assert duty_room[4] == "only_one"
    assert grids == ["dogs", "养犬→网格", shifts.GRIDS, 0, "nobody_on_shift"]
    assert found["night"][2] == ["greening", None, None, 0, None]
    assert found["rosters"] == dict.fromkeys(("community1", "community2", "community3"), 3)
    # Its company keeps both estates of the second community.
    assert found["rules"] == {"community1": 9, "community2": 12, "community3": 9}


# --- the rest, quickly -----------------------------------------------------------------------------------


@pytest.mark.parametrize("demo", [{}, {"DEMO": "0"}, {"DEMO": ""}])
def test_it_refuses_where_it_is_not_said_to_be_for_demonstration(demo: dict[str, str]) -> None:
    refused = make(demo)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "DEMO=1" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_missing_settings_are_named_in_one_sentence() -> None:
    refused = run({"DEMO": "1", "DATABASE_URL": ""}, "-m", "tools.demo")
    assert refused.returncode == 2
    assert "DATABASE_URL" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_accounts_are_json_and_need_nothing() -> None:
    printed = run({}, "-m", "tools.demo", "--accounts")
    assert printed.returncode == 0, printed.stderr
    accounts = json.loads(printed.stdout)
    staff = [who for who in accounts if "account" in who]
    assert {who["role"] for who in staff} == {
        *("street", "community", "grid", "property", "property_worker", "duty_room"),
        *("system_admin", "security_admin", "auditor"),
    }
    assert {who["role"] for who in staff if "totp" in who} == {"system_admin", "security_admin", "auditor"}
    assert all(len(who["password"]) >= 12 and who["where"] for who in staff)
    residents = [who for who in accounts if "code" in who]
    assert residents[0] == {"code": "demo-wang", "name": "王秀英", "where": "江岸明珠小区"}


def tell(seed: int, now: datetime) -> list[stories.Story]:
    told = stories.write_all(seed, now=now, estates=town.ESTATES)
    turns.lay_in(seed, told, now=now, estates=town.ESTATES)
    return told


@pytest.mark.parametrize("hour", [0, 9, 20])  # of UTC; people sleep at different times
@pytest.mark.parametrize("seed", [1, 7, 2026])
def test_stories_fit_into_the_past_whatever_the_seed_and_the_hour(seed: int, hour: int) -> None:
    now = datetime(2026, 11, 21, hour, 7, tzinfo=UTC)
    told = tell(seed, now)
    assert set(STATES) == {state.value for state in TicketStatus}
    referred = sum(story.refer_to is not None for story in told)
    assert Counter(story.state.value for story in told) + Counter(referred=referred) == STATES
    assert len({story.text for story in told}) == len(told)
    assert not [story.text for story in told if "{" in story.text or len(story.text) < 8]
    for story in told:
        moments = [step.at for step in story.steps]
        assert moments == sorted(moments)
        assert moments[-1] < now
        assert now - stories.SPAN <= moments[0]
    of_wang = {story.state for story in told if story.resident == "wang"}
    assert {TicketStatus.CLOSED, TicketStatus.IN_PROGRESS} <= of_wang


def test_the_same_seed_tells_the_same_reports_at_another_time() -> None:
    def texts(now: datetime, seed: int = 7) -> list[str]:
        return [story.text for story in tell(seed, now)]

    now = datetime(2026, 11, 21, 20, tzinfo=UTC)
    assert texts(now) == texts(now + timedelta(days=3, hours=5))
    assert texts(now) != texts(now, seed=8)
