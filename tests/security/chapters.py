"""Chapters of the story (tests/security/story.py) in which a request names everything that it can name."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from app import clock, ids
from app.ids import Kind
from app.places import queries as places
from app.places.identity import Party
from app.voting.models import DecisionKind
from tests.conftest import Caller, Person, acting
from tests.memberships.conftest import paper, phone
from tests.structure import test_permission_matrix as matrix
from tests.voting.conftest import MOTION, Vote
from tests.voting.staging import Play, Stage
from tests.voting.test_elections import ELECTION

if TYPE_CHECKING:
    from tests.security.story import Story

ANY = {"If-Match": "*"}


def good(answer: Any) -> dict[str, Any]:
    """The body of an answer that must be good."""
    assert answer.status_code < 400, answer.get_data(as_text=True)
    return answer.get_json(silent=True) or {}


def _tomorrow() -> str:
    return (places.today() + timedelta(days=1)).isoformat()


def _who(caller: Caller) -> str:
    return ids.encode(Kind.STAFF, acting(caller).id)


def grounds(story: Story) -> None:
    """Regions, estates, grids and organisations that are moved about."""
    desk, street, town = story.desk, story.street, story.town
    second = ids.encode(Kind.ESTATE, town.a.second_estate)
    home = {"community_id": matrix.community_id(story.home)}
    new = good(
        desk.post("/areas", home | {"name": f"苑{uuid4().hex[:6]}", "location": matrix.centre(story.home)})
    )
    estate = new["estate_id"]
    building = good(desk.post("/buildings", {"estate_id": estate, "name": "1栋"}))["building_id"]
    covers = [{"estate_id": estate, "building_id": building}]
    grid = {"code": uuid4().hex[:8], "name": "第十网格", "covers": covers}
    made = good(desk.post("/grids", home | grid))["grid_id"]
    good(desk.patch(f"/grids/{made}", {"covers": covers, "since": _tomorrow()}, headers=ANY))
    own = story.home.things[Kind.ORG, ""]
    good(desk.post(f"/orgs/{own}/responsibilities", home | {"estate_id": second}))
    street_id = ids.encode(Kind.COMMUNITY, UUID(int=town.street))
    region = {"kind": "community", "name": f"社区{uuid4().hex[:6]}", "parent_id": street_id}
    good(street.post("/regions", region))
    beside = {"governed_by": ids.encode(Kind.COMMUNITY, UUID(int=town.b.id)), "since": _tomorrow()}
    good(street.patch(f"/areas/{estate}", beside, headers=ANY))


def colleagues(story: Story) -> None:
    """Somebody gets an account, and roles over a community and a grid."""
    town = story.town
    admin, guard = town.staff("system_admin"), town.staff("security_admin")
    account = {"account": f"clerk-{uuid4().hex[:12]}", "name": "张敏", "org_id": town.a.desk_id}
    who = good(admin.post("/staff", account))["staff_id"]
    good(admin.patch(f"/staff/{who}", {"org_id": town.a.desk_id}, headers=ANY))
    given = {"staff_id": who, "org_id": town.a.desk_id}
    home = {"role": "community", "community_id": matrix.community_id(story.home)}
    good(guard.post("/roles", given | home))
    good(guard.post("/roles", given | {"role": "grid", "grid_id": story.home.things[Kind.GRID, ""]}))


def words(story: Story) -> None:
    """A notice whose area and files change, and a campaign that gets another template."""
    desk, estate = story.desk, story.town.a.estate_id
    first, second = paper(desk), paper(desk)
    notice = good(desk.post("/notices", matrix.notice_body(estate) | {"file_ids": [first]}))["notice_id"]
    change = {"area_ids": [estate], "file_ids": [second]}
    good(desk.patch(f"/notices/{notice}", change, headers=ANY))
    good(desk.patch(f"/notices/{notice}", {"drop_file_ids": [first]}, headers=ANY))
    body = matrix.campaign_body(story.home, estate)
    campaign = good(desk.post("/campaigns", body))["campaign_id"]
    good(desk.patch(f"/campaigns/{campaign}", {"template_id": body["template_id"]}, headers=ANY))


def shifts(story: Story) -> None:
    """Who stands in for whom, which rule holds for a grid, and a ticket that is given to one person."""
    town, desk = story.town, story.desk
    one, other = (_who(town.hire("property_worker", town.a)) for _ in range(2))
    turns = [{"staff_id": one, "from": "00:00", "to": "24:00"}]
    days = [{"day": _tomorrow(), "away_id": one, "comes_id": other, "note": "调班"}]
    place = {"community_id": matrix.community_id(story.home), "org_id": town.a.property_id}
    roster = {"name": f"岗{uuid4().hex[:6]}", "turns": turns, "days": days}
    made = good(desk.post("/duty-rosters", place | roster))["roster_id"]
    good(desk.patch(f"/duty-rosters/{made}", {"turns": turns, "days": days}, headers=ANY))
    grid = story.home.things[Kind.GRID, ""]
    rule = good(desk.post("/routing-rules", matrix.rule_body(story.home) | {"grid_id": grid}))["rule_id"]
    good(desk.patch(f"/routing-rules/{rule}", {"grid_id": grid}, headers=ANY))
    ticket = story.report(story.resident())
    good(desk.post(f"/tickets/{ticket}/accept"))
    good(desk.post(f"/tickets/{ticket}/dispatch", {"org_id": town.a.property_id, "staff_id": one}))
    plan = {
        "name": "晨巡",
        "estate_id": town.a.estate_id,
        "points": [story.home.things[Kind.PATROL_POINT, ""]],
        "windows": [{"from": "00:00", "to": "24:00"}],
        "org_id": town.a.property_id,
    }
    walked = good(desk.post("/patrol/plans", plan))["plan_id"]
    good(desk.patch(f"/patrol/plans/{walked}", {"org_id": town.a.property_id}, headers=ANY))


def namesakes(story: Story) -> None:
    """One owner of two houses who turns out to be two."""
    same = Party("周八", phone())
    first, second = (story.estate.flat(number, same) for number in ("911", "912"))
    owner = story.estate.owner_id(first)
    good(story.desk.post(f"/owners/{owner}/split", {"house_ids": [second]}))


def bylaws(story: Story) -> None:
    """An estate's rules of procedure and the legal effect of its votes, with their papers."""
    street, estate = story.street, ids.encode(Kind.ESTATE, story.town.a.second_estate)
    text = {"document": "议事规则", "clause": "第十二条", "adopted_on": "2026-01-01"}
    rules = {"rules": {"electronic_admitted": True}, "file_ids": [paper(street)]}
    good(street.post(f"/estates/{estate}/procedure-rules", text | rules))
    mode = {"mode": "paper_backed", "document": "渝建〔2026〕1号", "file_ids": [paper(street)]}
    good(street.post(f"/estates/{estate}/voting-mode", mode))


def proofs(story: Story, stage: Stage, play: Play, rooms: tuple[str, str, str]) -> None:
    """While it is open: a proxy's sheet, a receipt, and a notice for whom nothing else reaches (the last room)."""
    desk, reviewer = stage.box.desk, stage.box.reviewer
    by_proxy, visited, unreached = (play.head(room) for room in rooms)
    number, scan = phone(), stage.paper()
    story.estate.person(number)
    given = {"name": "钱七", "phone": number, "file_ids": [scan], "is_property_staff": False}
    path = f"/decisions/{play.id}"
    proxy = good(desk.post(f"{path}/proxies", given | {"head_id": by_proxy}))["proxy_id"]
    good(reviewer.post(f"/proxies/{proxy}/content", {"file_id": scan}))
    good(reviewer.post(f"/proxies/{proxy}/approve", {}))
    choices = dict.fromkeys(play.motions, "for")
    sheet = {"head_id": by_proxy, "choices": choices, "proxy_id": proxy, "file_ids": [stage.paper()]}
    entered = good(desk.post(f"{path}/paper-ballots", sheet))["paper_id"]
    good(reviewer.post(f"/paper-ballots/{entered}/confirm", {}))
    receipt = stage.paper()
    entry = good(desk.post(f"{path}/visits", {"head_ids": [visited], "file_ids": [receipt]}))["entry_id"]
    good(reviewer.post(f"/delivery-entries/{entry}/content", {"file_id": receipt}))
    good(desk.post(f"{path}/posted-notices", {"head_ids": [unreached], "file_ids": [stage.paper()]}))


def second_round(story: Story, stage: Stage) -> None:
    """Three of six for each of two, and their estate votes again."""

    def stand(vote: Vote) -> None:
        play.vote = vote
        until = clock.rfc3339(clock.now() + timedelta(days=3))
        good(stage.box.desk.post(f"/decisions/{vote.id}/nominations", {"until": until}))
        for flat in play.flats[:2]:
            body = {"motion_id": play.motions[0], "nominated_by": "self", "statement": "热心公益"}
            made = good(stage.voter(flat).post(f"/decisions/{vote.id}/candidates", body))["candidate_id"]
            check = {"accepted": True, "reason": "符合条件"}
            good(stage.box.desk.post(f"/decisions/{vote.id}/candidates/{made}/check", check))
            play.candidates.append(made)
        # Objections to them are possible for seven days, and only then the election is announced.
        stage.box.reach(clock.now() + timedelta(days=9))

    play = stage.play(*(10_000,) * 6)
    far = clock.now() + timedelta(days=30)
    window = {"opens_at": clock.rfc3339(far), "closes_at": clock.rfc3339(far + timedelta(days=7))}
    stage.announce(play, ELECTION, kind=DecisionKind.ELECTION, before=stand, **window)
    stage.open([play])
    voter = stage.voter(*play.flats)
    for n in range(6):
        good(play.cast(voter, f"1栋{101 + n}", [play.candidates[n % 2]]))
    stage.close([play])
    assert good(stage.certify(play))["motions"][0]["outcome"] == "second_round"
    estate = {"estate_id": ids.encode(Kind.ESTATE, play.estate), "kind": "election"}
    again = stage.box.draft(ELECTION, previous_id=play.id, **estate)
    good(stage.box.desk.patch(f"/decisions/{again.id}", {"previous_id": play.id}, headers=ANY))
    carried = f"/decisions/{again.id}/candidates/carry-over"
    good(stage.box.desk.post(carried, {"motion_id": again.motions[0]}))
    doubted(play, stage.voter(play.flats[0]))
    allowed(story, play)


def doubted(play: Play, who: Person) -> None:
    """Somebody has doubts about how her house was counted, once the result hangs out."""
    head = play.head("1栋101")
    assert play.vote is not None
    assert play.vote.tick().status == "posted"
    good(
        who.post(f"/decisions/{play.id}/objections", {"about": "result", "text": "票数不对", "head_id": head})
    )


def allowed(story: Story, play: Play) -> None:
    """The books of that estate, in which a line and a budget rest on what its owners have decided."""
    base, clerk = f"/estates/{ids.encode(Kind.ESTATE, play.estate)}/revenue", story.town.staff("finance")
    good(story.desk.post(f"{base}/settings", matrix.revenue_rules("2024-01-01")))
    kind = good(clerk.post(f"{base}/categories", {"kind": "income", "name": "快递柜"}))["category_id"]
    contract = {
        "category_id": kind,
        "number": "K-2",
        "party": "快递公司",
        "subject": "快递柜",
        "price_fen": 1,
        "starts_on": "2024-01-01",
        "ends_on": "2099-12-31",
        "rhythm": "year",
    }
    signed = good(clerk.post(f"{base}/contracts", contract))["contract_id"]
    rests = {"category_id": kind, "contract_id": signed, "decision_id": play.id}
    line = {"day": places.today().isoformat(), "kind": "income", "amount_fen": 1, "file_ids": [paper(clerk)]}
    entry = good(clerk.post(f"{base}/entries", line | rests))["entry_id"]
    good(clerk.patch(f"/revenue/entries/{entry}", rests | {"file_ids": [paper(clerk)]}, headers=ANY))
    budget = {"year": 2031, "basis": "业主大会决定", "decision_id": play.id}
    good(clerk.post(f"{base}/budgets", budget | {"lines": [{"category_id": kind, "amount_fen": 100}]}))


def petitioned(stage: Stage) -> str:
    """The id of a petition that one owner has opened."""
    play = stage.play(*(10_000,) * 6)
    asked = {"estate_id": ids.encode(Kind.ESTATE, play.estate), "title": "召开业主大会", "text": "讨论"}
    opened = stage.voter(play.flats[0]).post("/petitions", asked | {"motions": [MOTION]})
    return str(good(opened)["petition_id"])
