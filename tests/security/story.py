"""A house in which every write succeeds at least once, told over HTTP: what a test wants to try at every endpoint it
does in between, by standing at the test client.

The permission matrix builds a thing of each kind; each of its calls is made once as somebody who may; and what needs a
life of its own (a ticket, a membership, a vote, an election, a campaign) is played here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from werkzeug.test import TestResponse

from app import clock, ids
from app.ids import Kind
from app.messaging import campaigns
from app.people.models import Role
from app.people.permissions import GRANTS
from app.places import queries as places
from app.places.identity import Party
from app.queue import Queue
from app.voting.models import LegalMode
from tests.conftest import Caller, House, Person, Town, acting, small_jpeg
from tests.intake.conftest import Machine
from tests.memberships.conftest import Estate, phone
from tests.security import chapters
from tests.structure import test_permission_matrix as matrix
from tests.structure.test_permission_matrix import build_home, centre
from tests.structure.test_routes import Endpoint
from tests.voting.conftest import MOTION
from tests.voting.staging import Stage, staged
from tests.voting.test_elections import ELECTION
from workers import jobs

ANY = {"If-Match": "*"}
# Of one's own login, or of machines: nothing of them is shown, and no id of theirs names another's thing.
NOT_TOLD = {
    "POST /bff/v1/session",
    "POST /bff/v1/session/refresh",
    "POST /bff/v1/session/phone",
    "POST /admin/api/v1/session",
    "POST /admin/api/v1/display-session",
    "POST /admin/api/v1/me/password",
    "POST /admin/api/v1/me/totp",
    "POST /admin/api/v1/me/totp/confirm",
    "POST /admin/api/v1/me/totp/recovery-codes",
}
# What comes last, because it ends a thing that others still need.
ENDINGS = frozenset(
    {
        "apply",
        "cancel",
        "close",
        "end",
        "merge",
        "move",
        "publish",
        "refer",
        "refuse",
        "reject",
        "reopen",
        "retire",
        "retry",
        "return",
        "revoke",
        "split",
        "transfer",
        "unmerge",
        "withdraw",
    }
)


def done(answer: TestResponse) -> dict[str, Any]:
    """The body of an answer that must be good."""
    assert answer.status_code < 400, answer.get_data(as_text=True)
    return answer.get_json(silent=True) or {}


class Story:
    """The first community of a town, in which everything happens."""

    def __init__(
        self, house: House, town: Town, stage: Stage, words: Callable[[str], str] | None = None
    ) -> None:
        self.house, self.town, self.stage, self.work = house, town, stage, stage.work
        self.home = build_home(house, town, town.a, whole=True)
        self.estate = Estate(house, town, self.desk, self.resident)
        self.classes: list[str] = []
        self.to_the_end = False
        # What a machine writes instead of its words, by where it stands.
        self.words: Callable[[str], str] = words or (lambda _: "")

    @property
    def desk(self) -> Caller:
        return self.town.staff("community")

    @property
    def keeper(self) -> Caller:
        return self.town.staff("property")

    @property
    def street(self) -> Caller:
        return self.town.staff("street")

    def resident(self, name: str | None = None) -> Person:
        """Somebody new who is logged in."""
        who = name or uuid4().hex
        client = self.house.app.test_client()
        return Person(who, done(client.post("/bff/v1/session", json={"code": f"demo-{who}"})), client)

    def tell(self) -> None:
        """All of it."""
        self.rules_of_the_house()
        self.tickets()
        self.patrol()
        self.books()
        self.members()
        self.messages()
        self.everything_named()
        self.sweep()
        self.reported_by_a_machine()
        self.votes(self.stage)

    def everything_named(self) -> None:
        """What the other chapters leave out of their requests."""
        for chapter in (
            chapters.grounds,
            chapters.colleagues,
            chapters.words,
            chapters.shifts,
            chapters.namesakes,
            chapters.bylaws,
        ):
            chapter(self)

    # --- each call of the matrix -----------------------------------------------------------------------------

    def sweep(self) -> None:
        """Each write of the staff face as the first role that gets through; many can't, in this state."""

        def when(endpoint: Endpoint) -> tuple[bool, bool]:
            return endpoint.method == "DELETE", endpoint.rule.rule.rpartition("/")[2] in ENDINGS

        asked = [e for e in matrix.asked_with_a_permission(self.house) if e.method != "GET"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(matrix, "NO_VERSION", ANY)
            for endpoint in sorted(asked, key=when):
                if endpoint.rule.rule.startswith(
                    (f"{matrix.PREFIX}/providers", f"{matrix.PREFIX}/categories")
                ):
                    continue  # of the whole house: other tests read them
                for role in Role:
                    if not any(p in GRANTS[role] for p in endpoint.view._requires):  # type: ignore[attr-defined]
                        continue
                    if matrix.ask(self.home.caller(role), endpoint, self.home, role).status_code < 400:
                        break

    # --- what needs a life of its own ------------------------------------------------------------------------

    def rules_of_the_house(self) -> None:
        """Classes, regions, outlines, grids."""
        code = f"t{uuid4().hex[:8]}"
        self.classes.append(code)
        asked = [{"key": "which", "label": "哪一个", "type": "choice", "options": ["左", "右"]}]
        body = {"code": code, "name": "试用类别", "for_residents": False, "questions": asked}
        more = {"national_code": "0107", "national_source": "国标", "hint": "", "closing_text": "已办"}
        done(self.street.post("/categories", body | more))
        done(self.street.patch(f"/categories/{code}", {"name": "改名", "questions": asked}, headers=ANY))
        done(self.street.post("/regions", {"kind": "district", "name": f"区{uuid4().hex[:6]}"}))
        ring = [[0.0, 0.0], [0.001, 0.0], [0.001, 0.001], [0.0, 0.0]]
        here = self.town.a.centre
        ring = [[here.lng + x, here.lat + y] for x, y in ring]
        outline = {"type": "Polygon", "coordinates": [ring]}
        drawn = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": outline}]}
        path = f"/areas/{ids.encode(Kind.ESTATE, self.town.a.second_estate)}/outlines"
        done(self.desk.post(path, drawn | {"crs": "wgs84"}))
        grid = {"community_id": matrix.community_id(self.home), "code": uuid4().hex[:8], "name": "第九网格"}
        second = ids.encode(Kind.ESTATE, self.town.a.second_estate)
        done(self.desk.post("/grids", grid | {"covers": [{"estate_id": second}]}))

    def report(self, who: Person, **more: Any) -> str:
        return str(who.report(self.town.a.estate_id, **more)["ticket_id"])

    def tickets(self) -> None:
        """Every move of a ticket."""
        desk, keeper, town = self.desk, self.keeper, self.town
        wang, li = self.resident(), self.resident()
        here = {"location": centre(self.home) | {"address": "三栋"}}
        lift = self.report(
            wang,
            category="elevator",
            answers={"trapped": "没有", "unit": "3栋2单元"},
            contact_phone=phone(),
            **here,
        )
        taken = {"channel": "phone", "category": "elevator", "answers": {"trapped": "没有", "unit": "3栋"}}
        person = {"name": "王先生", "phone": phone(), "house_id": self.home.things[Kind.HOUSE, ""]}
        said = {"text": "电梯坏了", "estate_id": town.a.estate_id, "address": "3栋", "reporter": person}
        photo = done(desk.upload("/files", small_jpeg(), purpose="report_photo"))["file_id"]
        done(desk.post("/tickets", taken | said | here))
        done(
            desk.post(
                "/tickets",
                {
                    "channel": "phone",
                    "text": "照片",
                    "estate_id": town.a.estate_id,
                    "reporter": {},
                    "photo_ids": [photo],
                },
            )
        )
        done(wang.post(f"/tickets/{lift}/comments", {"text": "请快一点"}))
        done(li.post(f"/tickets/{lift}/join"))
        done(wang.post(f"/tickets/{lift}/urge"))
        done(wang.post(f"/tickets/{self.report(wang)}/withdraw"))
        done(desk.post(f"/tickets/{self.report(wang)}/reject", {"reason": "不属于受理范围"}))

        ticket = self.report(wang)
        go = lambda who, move, body=None: done(who.post(f"/tickets/{ticket}/{move}", body))  # noqa: E731
        go(desk, "accept")
        go(desk, "category", {"category": "dogs"})
        given = {"org_id": town.a.property_id, "note": "请处理", "co_orgs": [town.a.desk_id]}
        go(desk, "dispatch", given)
        go(keeper, "return", {"reason": "不归我们管"})
        go(desk, "dispatch", {"org_id": town.a.property_id})
        go(keeper, "start")
        worker = ids.encode(Kind.STAFF, acting(town.staff("property_worker")).id)
        go(keeper, "assign", {"staff_id": worker})
        held = clock.rfc3339(clock.now())
        orgs = [town.a.property_id, town.a.desk_id]
        go(desk, "meetings", {"held_at": held, "orgs": orgs, "plan": "分工办理", "lead_org_id": orgs[0]})
        go(desk, "comment", {"text": "请尽快", "visibility": "internal"})
        go(desk, "supervise", {"note": "请尽快"})
        go(keeper, "suspend", {"reason": "等配件", "days": 2})
        go(keeper, "resume")
        for verdict in ("refuse", "approve"):
            until = matrix.in_a_while(desk, ticket)
            asked = go(keeper, "extensions", {"until": until, "reason": "等配件"})["extension_id"]
            done(desk.post(f"/extensions/{asked}/{verdict}", {"note": "知道了"}))
        office = self.home.org("street")
        go(desk, "parts", {"org_id": office, "task": "劝导"})
        go(self.street, "parts/done", {"org_id": office, "note": "已劝导"})
        go(desk, "parts/done", {"org_id": town.a.desk_id, "note": "已劝导"})
        after = done(keeper.upload("/files", small_jpeg(), purpose="after_photo"))["file_id"]
        go(keeper, "resolve", {"note": "修好了", "photo_ids": [after]})
        go(town.staff("grid"), "verify", {"passed": True, "note": "看过了"})
        go(desk, "close")
        go(desk, "callback", {"stars": 4, "solved": True, "note": "满意"})
        go(desk, "exclude", {"reason": "重复投诉"})
        go(desk, "reopen", {"reason": "又坏了"})
        for move, body in (
            ("rating", {"stars": 2, "solved": True, "text": "太慢"}),
            ("reopen", {"reason": "又坏了"}),
        ):
            closed = self.report(wang, category="noise")
            town.bring(closed, "accept", "dispatch", "start", "resolve", "verify", "close")
            done(wang.post(f"/tickets/{closed}/{move}", body))
        spare, other = self.report(wang), self.report(li)
        done(desk.post(f"/tickets/{spare}/merge", {"into": other}))
        self.rotated(wang)
        self.told_of(wang)

    def rotated(self, wang: Person) -> None:
        """From one who is on duty to the next."""
        town = self.town
        workers = [town.hire("property_worker", town.a) for _ in range(2)]
        turns = [
            {"staff_id": ids.encode(Kind.STAFF, acting(w).id), "from": "00:00", "to": "24:00"}
            for w in workers
        ]
        place = {"community_id": matrix.community_id(self.home), "org_id": town.a.property_id}
        roster = {"name": f"岗{uuid4().hex[:6]}", "turns": turns, "estate_ids": [town.a.estate_id]}
        today = places.today()
        days = [
            {"day": (today + timedelta(days=3)).isoformat(), "away_id": turns[0]["staff_id"], "note": "请假"}
        ]
        made = done(self.desk.post("/duty-rosters", place | roster | {"days": days}))["roster_id"]
        rule = {
            "name": f"规则{uuid4().hex[:6]}",
            "estate_id": town.a.estate_id,
            "roster_id": made,
            "time": {"kind": "window", "from": "00:00", "to": "24:00"},
        }
        ruled = done(self.desk.post("/routing-rules", place | rule))["rule_id"]
        change = {"estate_id": town.a.estate_id, "roster_id": made, "org_id": town.a.property_id}
        done(self.desk.patch(f"/routing-rules/{ruled}", change, headers=ANY))
        ticket = self.report(wang)
        done(self.desk.post(f"/tickets/{ticket}/accept"))
        done(self.desk.post(f"/tickets/{ticket}/dispatch", {}))
        holder = done(self.desk.get(f"/tickets/{ticket}"))
        assert holder.get("post") or holder, holder
        for worker in workers:
            if worker.post(f"/tickets/{ticket}/rotate", {"reason": "有事"}).status_code == 200:
                break
        done(
            self.desk.patch(
                f"/duty-rosters/{made}", {"days": days, "estate_ids": [town.a.estate_id]}, headers=ANY
            )
        )

    def told_of(self, wang: Person) -> None:
        """What residents read of it, and what staff read of theirs."""
        items = done(wang.get("/inbox"))["items"]
        done(wang.post("/inbox/read", {"ids": [items[0]["id"]]}))
        done(wang.patch("/me", {"nickname": "老王"}, headers={"If-Match": wang.get("/me").headers["ETag"]}))
        items = done(self.keeper.get("/inbox"))["items"]
        done(self.keeper.post("/inbox/read", {"ids": [items[0]["id"]]}))

    def patrol(self) -> None:
        """A point that is visited."""
        desk, walker = self.desk, self.town.hire("grid", self.town.a)
        grid = self.home.things[Kind.GRID, ""]
        body = {
            "name": "后门",
            "estate_id": self.town.a.estate_id,
            "grid_id": grid,
            "location": centre(self.home),
        }
        point = done(desk.post("/patrol/points", body))["point_id"]
        code = done(desk.get(f"/patrol/points/{point}/code"))["payload"]
        who = ids.encode(Kind.STAFF, acting(walker).id)
        plan = {
            "name": "日巡",
            "estate_id": self.town.a.estate_id,
            "points": [point],
            "windows": [{"from": "00:00", "to": "24:00"}],
            "grid_id": grid,
            "walker_ids": [who],
        }
        made = done(desk.post("/patrol/plans", plan))["plan_id"]
        done(
            desk.patch(
                f"/patrol/plans/{made}",
                {"points": [point], "grid_id": grid, "walker_ids": [who]},
                headers=ANY,
            )
        )
        shift = done(walker.post("/patrol/shifts", {"plan_id": made}))["shift_id"]
        seen = {
            "code": code,
            "location": centre(self.home) | {"accuracy_m": 10, "address": "后门"},
            "scan_id": uuid4().hex,
            "shift_id": shift,
            "ticket_id": self.home.things[Kind.TICKET, "keeper"],
        }
        done(walker.post(f"/patrol/points/{point}/visit", seen))

    def books(self) -> None:
        """The books of the second estate, before their first period is published; a doubt of a resident's."""
        base = f"/estates/{ids.encode(Kind.ESTATE, self.town.a.second_estate)}/revenue"
        done(self.desk.post(f"{base}/settings", matrix.revenue_rules("2024-01-01")))
        clerk = self.town.staff("finance")
        kind = done(clerk.post(f"{base}/categories", {"kind": "income", "name": "快递柜"}))["category_id"]
        first = {"first_day": "2024-01-01", "opening_fen": 0, "opening_note": "会计已核"}
        period = done(clerk.post(f"{base}/periods", first))["period_id"]
        done(
            clerk.patch(f"/revenue/periods/{period}", {"opening_fen": 1, "opening_note": "再核"}, headers=ANY)
        )
        contract = {
            "category_id": kind,
            "number": "K-1",
            "party": "快递公司",
            "subject": "快递柜",
            "price_fen": 1,
        }
        contract |= {"starts_on": "2024-01-01", "ends_on": "2024-12-31", "rhythm": "year"}
        made = done(clerk.post(f"{base}/contracts", contract))["contract_id"]
        entry = {
            "day": "2024-05-01",
            "kind": "income",
            "amount_fen": 1,
            "category_id": kind,
            "contract_id": made,
        }
        done(clerk.post(f"{base}/entries", entry | {"note": "一季度", "counterparty": "快递公司"}))

    def members(self) -> None:
        """Who is bound, refused, ended, doubted."""
        estate, desk = self.estate, self.desk
        estate.desk = desk
        his, hers = phone(), phone()
        flat = estate.flat("901", Party("张三", his), Party("李四", hers))
        zhang, li, wife = estate.person(his), estate.person(hers), estate.person()
        done(estate.bind(zhang, flat, "张三"))
        paper = done(wife.upload("/files", small_jpeg(), purpose="evidence"))["file_id"]
        family = done(estate.bind(wife, flat, "王芳", relation="family", evidence_file_ids=[paper]))[
            "membership_id"
        ]
        done(zhang.post(f"/memberships/{family}/confirm"))
        mine = done(zhang.get("/memberships"))["items"][0]["membership_id"]
        chosen = {"resident": zhang.session["resident"]["id"]}
        done(zhang.call("PUT", f"/houses/{flat}/voter", json=chosen))
        done(li.post(f"/memberships/{mine}/objections", {"text": "不是他本人"}))
        done(desk.post(f"/memberships/{family}/end", {"reason": "moved_out"}))
        stranger = estate.person()
        claim = {"relation": "owner", "evidence_file_ids": []}
        for verdict in ("approve", "refuse"):
            other = estate.flat(f"90{2 if verdict == 'approve' else 3}", Party("赵六", phone()))
            asked = done(estate.bind(stranger, other, "赵六", **claim))["membership_id"]
            body: dict[str, Any] = {"reason": "已当面核实"}
            if verdict == "approve":
                body |= {"voter_level": "weak", "owner_id": estate.owner_id(other)}
            done(desk.post(f"/memberships/{asked}/{verdict}", body))
        by_hand = estate.flat("904", Party("孙七", phone()))
        number = phone()
        estate.person(number)
        scan = done(desk.upload("/files", small_jpeg(), purpose="evidence"))["file_id"]
        bound = {
            "house_id": by_hand,
            "owner_id": estate.owner_id(by_hand),
            "file_ids": [scan],
            "phone": number,
        }
        done(desk.post("/memberships", bound))
        notice = self.home.things[Kind.NOTICE, "out"]
        done(zhang.post(f"/notices/{notice}/read"))
        line = self.home.things[Kind.REVENUE_ENTRY, "line"]
        done(zhang.post(f"/revenue/entries/{line}/objections", {"text": "为什么这么多"}))
        done(zhang.delete(f"/memberships/{mine}"))
        group = self.home.group
        consent = {"paper": "2026-02", "given_on": places.today().isoformat()}
        old = {"house_id": by_hand, "kind": group, "consent": consent}
        person = done(desk.post("/focus-persons", old | {"owner_id": estate.owner_id(by_hand)}))["person_id"]
        done(desk.post(f"/focus-persons/{person}/end", {"reason": "moved", "kind": group}))

    def messages(self) -> None:
        """A template that is still a draft, and a campaign that is turned down."""
        text = {"name": "停气通知", "kind": "notice", "sign": "街道", "text": "您好，{when}停气"}
        parts = {"parameters": [{"name": "when", "longest": 30}]}
        named = done(self.street.post("/sms-templates", text | parts))["template_id"]
        done(self.street.patch(f"/sms-templates/{named}", {"name": "停气检修"} | parts, headers=ANY))
        second = self.town.hire("street", self.town.a)
        done(second.post(f"/sms-templates/{named}/approve"))
        filled = matrix.campaign_body(self.home, self.town.a.estate_id) | {"template_id": named}
        filled = done(self.desk.post("/campaigns", filled | {"params": {"when": "明天"}}))["campaign_id"]
        change = {"params": {"when": "后天"}}
        done(self.desk.patch(f"/campaigns/{filled}", change, headers=ANY))
        done(self.desk.post(f"/campaigns/{filled}/preview"))
        body = matrix.campaign_body(self.home, self.town.a.estate_id)
        mapping = f"/sms-templates/{body['template_id']}/mappings/aliyun"
        done(self.street.call("PUT", mapping, json={"vendor_code": "SMS_1", "state": "approved"}))
        campaign = done(self.desk.post("/campaigns", body | {"title": "停水通知"}))["campaign_id"]
        done(self.desk.post(f"/campaigns/{campaign}/preview"))
        self.work()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(campaigns, "_approval_above", 0)
            done(self.desk.post(f"/campaigns/{campaign}/submit"))
        second = self.town.hire("community", self.town.a)
        done(second.post(f"/campaigns/{campaign}/reject", {"reason": "写错了"}))
        rows = [{"phone": phone(), "values": {"姓名": "张"}}]
        self.desk.post(
            "/recipient-lists", {"name": "名单", "community_id": matrix.community_id(self.home), "rows": rows}
        )
        jobs.drain(self.town.a.id, Queue.IMPORTS)

    def reported_by_a_machine(self, **said: Any) -> dict[str, Any]:
        """A report of another system, with what it said; a signature leaves no room to change it on its way: see
        `self.words`.
        """
        body = {"source": f"src-{uuid4().hex[:12]}", "name": "热线", "channel": "hotline"}
        body |= {"scope_org_id": self.home.org("street"), "desk_org_id": self.town.a.desk_id}
        made = done(self.street.post("/api-keys", body))
        client = self.house.app.test_client()
        machine = Machine(
            self.town,
            client,
            made["source"],
            made["key_id"],
            made["secret"],
            made["api_key_id"],
            made["version"],
        )
        place = centre(self.home) | {"address": self.words("intake location.address") or "三栋"}
        fields: dict[str, Any] = {
            "external_number": self.words("intake external_number")[:60] or uuid4().hex,
            "category": "noise",
            "estate_id": self.town.a.estate_id,
            "location": place,
            "reporter": {"name": self.words("intake reporter.name")[:40] or "王"},
        }
        for name in ("title", "text", "address", "estate", "community"):
            fields[name] = self.words(f"intake {name}") or "热线"
        return done(machine.report(**fields | said))

    def votes(self, stage: Stage) -> None:
        """Petition, decision, election and the authority's result; the clock runs ahead."""
        box = stage.box
        box.desk = self.desk
        play = stage.play(*(10_000,) * 12)
        place = ids.encode(Kind.ESTATE, play.estate)
        # Nothing but a notice on the wall reaches whoever owns the last one.
        people = [stage.voter(flat) for flat in play.flats[:-1]]
        asked = {"estate_id": place, "title": "召开业主大会", "text": "讨论", "motions": [MOTION]}
        petition = done(people[0].post("/petitions", asked))["petition_id"]
        done(people[1].post(f"/petitions/{petition}/sign"))
        done(people[0].post(f"/petitions/{petition}/withdraw"))

        building = done(self.desk.get("/buildings", query_string={"estate_id": place}))["items"][0][
            "building_id"
        ]
        for end in ("cancel", "review"):
            vote = box.draft(estate_id=place, building_ids=[building])
            change = {"title": "改过的表决", "text": "新的内容", "building_ids": [building]}
            motions = [{**MOTION, "motion_id": vote.motions[0], "title": "改过的议题"}]
            done(self.desk.patch(f"/decisions/{vote.id}", change | {"motions": motions}, headers=ANY))
            if end == "review":
                done(vote.go("submit"))
                done(vote.go("review", {"passed": False, "reason": "议题不清"}, box.reviewer))
            done(vote.go("cancel", {"reason": "条件不成熟"}))
        self.elected(stage)
        official = stage.play(10_000, 15_000, 20_000, 20_000, mode=LegalMode.OFFICIAL)
        stage.announce(official)
        stage.announce(play)
        done(people[0].post(f"/decisions/{play.id}/objections", {"about": "roll", "text": "面积不对"}))
        stage.open([play, official])
        box.again(*people)
        self.home.things[Kind.DECISION, "open"] = play.id
        wang, li = people[0], people[1]
        choices = {play.motions[0]: "for"}
        done(wang.call("PUT", f"/decisions/{play.id}/ballot", json={"choices": choices}))
        head = play.head("1栋102")
        done(li.call("PUT", f"/decisions/{play.id}/heads/{head}/ballot", json={"choices": choices}))
        done(
            people[2].post(
                f"/decisions/{play.id}/paper-request", {"wants": "visit", "head_id": play.head("1栋103")}
            )
        )
        done(
            self.desk.post(
                f"/decisions/{play.id}/paper-requests", {"wants": "paper", "head_id": play.head("1栋104")}
            )
        )
        scan = done(people[4].upload("/files", small_jpeg(), purpose="evidence"))["file_id"]
        proxy = {"name": "赵六", "phone": phone(), "file_ids": [scan], "is_property_staff": False}
        named = done(
            people[4].post(f"/decisions/{play.id}/proxies", proxy | {"head_id": play.head("1栋105")})
        )
        done(people[4].post(f"/proxies/{named['proxy_id']}/revoke"))
        sheets = [stage.paper() for _ in range(4)]
        given = {"name": "钱七", "phone": phone(), "file_ids": [sheets[0]], "is_property_staff": False}
        given |= {"head_id": play.head("1栋106")}
        done(self.desk.post(f"/decisions/{play.id}/proxies", given))
        entered = {
            "head_id": play.head("1栋107"),
            "file_ids": [sheets[1]],
            "choices": None,
            "invalid_reason": "涂改",
        }
        paper = done(self.desk.post(f"/decisions/{play.id}/paper-ballots", entered))
        read = {"file_id": paper["files"][0]["file_id"]}
        done(box.reviewer.post(f"/paper-ballots/{paper['paper_id']}/content", read))
        done(box.reviewer.post(f"/paper-ballots/{paper['paper_id']}/refuse", {"reason": "看不清"}))
        visited = {"head_ids": [play.head("1栋108")], "file_ids": [sheets[2]]}
        for verdict in ("refuse", "confirm"):
            entry = self.desk.post(f"/decisions/{play.id}/visits", visited | {"file_ids": [sheets.pop()]})
            if entry.status_code >= 400:
                break
            found = done(entry)
            done(box.reviewer.post(f"/delivery-entries/{found['entry_id']}/content", {}))
            done(
                box.reviewer.post(
                    f"/delivery-entries/{found['entry_id']}/{verdict}",
                    {"reason": "没有签字"} if verdict == "refuse" else None,
                )
            )
        chapters.proofs(self, stage, play, ("1栋109", "1栋110", "1栋112"))
        self.counted(stage, [play, official])
        if self.to_the_end:
            chapters.second_round(self, stage)

    def counted(self, stage: Stage, plays: list[Any]) -> None:
        """Extended, closed, the authority's result entered, certified, filed."""
        play, official = plays
        closes_at = play.vote.row.closes_at
        longer = {"closes_at": clock.rfc3339(closes_at + timedelta(days=1)), "reason": "人数不够"}
        done(play.vote.go("extend", longer))
        stage.close(plays)
        weigh = lambda area, heads: {"area_centi": area, "heads": heads}  # noqa: E731
        result = {
            "roll": weigh(64_000, 4),
            "roll_reason": "未计入架空层",
            "motions": [
                {
                    "motion_id": official.motions[0],
                    "answers": {"for": weigh(50_000, 3), "against": weigh(10_000, 1)},
                }
            ],
            "reference": "渝表决〔2026〕77号",
            "file_ids": [stage.paper()],
        }
        done(self.desk.post(f"/decisions/{official.id}/official-result", result))
        done(stage.certify(official, stage.box.reviewer))
        self.desk.post(f"/decisions/{official.id}/file", {"number": "备2026-1"})

    def elected(self, stage: Stage) -> None:
        """Nominations, what is thought of them, and who steps back."""
        play = stage.play(*(10_000,) * 5)
        people = [stage.voter(flat) for flat in play.flats]
        play.vote = stage.box.draft(ELECTION, estate_id=ids.encode(Kind.ESTATE, play.estate), kind="election")
        until = clock.rfc3339(clock.now() + timedelta(days=3))
        done(self.desk.post(f"/decisions/{play.id}/nominations", {"until": until}))
        path = f"/decisions/{play.id}/candidates"
        body = {"motion_id": play.motions[0], "statement": "热心公益"}
        first = done(people[0].post(path, body | {"nominated_by": "self"}))["candidate_id"]
        joint = done(people[1].post(path, body | {"nominated_by": "joint", "name": "王五"}))["candidate_id"]
        done(people[2].post(f"{path}/{joint}/back"))
        owner = ids.encode(Kind.OWNER, ids.Ref(play.estate.community_id, stage.box.owner_of(play.flats[3])))
        party = done(self.desk.post(path, body | {"nominated_by": "party", "owner_id": owner}))[
            "candidate_id"
        ]
        for candidate in (first, party):
            done(self.desk.post(f"{path}/{candidate}/check", {"accepted": True, "reason": "符合条件"}))
        third = ids.encode(Kind.OWNER, ids.Ref(play.estate.community_id, stage.box.owner_of(play.flats[2])))
        done(self.desk.post(f"{path}/{joint}/check", {"accepted": True, "reason": "符合", "owner_id": third}))
        done(people[0].post(f"{path}/{first}/withdraw"))
        done(self.desk.post(f"{path}/{party}/withdraw", {"reason": "书面退出"}))
        done(
            people[4].post(
                f"/decisions/{play.id}/objections",
                {"about": "candidate", "text": "不合适", "candidate_id": joint},
            )
        )


@contextmanager
def told(
    house: House, town: Town, words: Callable[[str], str] | None = None, *, to_the_end: bool = False
) -> Iterator[Story]:
    """The story, told; the clock of its votes runs ahead until the end, and what all tests share is put back.

    `to_the_end`: with a second round of an election, weeks later, when files of imports are no longer kept.
    """
    with staged(house, town) as stage:
        story = Story(house, town, stage, words)
        story.to_the_end = to_the_end
        try:
            story.tell()
            yield story
        finally:
            with psycopg.connect(house.pg.url("owner", "house"), autocommit=True) as owner:
                for code in story.classes:
                    owner.execute("DELETE FROM category_terms WHERE code = %s", [code])
                    owner.execute("DELETE FROM categories WHERE code = %s", [code])
