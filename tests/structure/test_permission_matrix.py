"""Every permission × endpoint × role, allowed and refused, in two communities.

The endpoints come from the map of URLs and the answers expected from the one permission table, so nothing here
says who may do what. What is said here is how to ask: `CALLS` has a line for each endpoint that needs more than its
path, `Home.thing` a thing of each kind that the role asked about should see in her own community. A new endpoint
enters by itself where method and path are enough (or its last word stands in `BODIES`), and fails here until it
has its line, or its kind of thing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from werkzeug.test import TestResponse

from app import clock, crypto, db, ids
from app.audit import SYSTEM
from app.ids import OF_COMMUNITY, Kind, Ref
from app.people import queries as people
from app.people.models import Role
from app.people.permissions import GRANTS, Permission
from app.people.scopes import BY_GRID, BY_ORG
from app.places import queries as places
from app.queue import Queue
from app.revenue.contract_models import RevenueContractChange
from app.revenue.models import RevenueObjection
from app.voting import roll, verdicts
from app.voting.counting import Question, count
from app.voting.ledger_models import CertifiedResult
from app.voting.models import Candidate, Decision, Motion
from app.voting.rules import Rules
from bff.http import RefConverter
from tests.conftest import Caller, Community, House, Town, acting, small_jpeg
from tests.structure.test_routes import BODIES, Endpoint, staff_endpoints
from workers import jobs

# Two thousand requests; neighbours may be slow.
pytestmark = pytest.mark.timeout(600)
PREFIX = "/admin/api/v1"
# A version that no thing has: what is allowed gets as far as 412 and changes nothing.
NO_VERSION = {"If-Match": '"999999999"'}
PHONE = "13800000000"
REPORTERS = [role for role in Role if GRANTS[role] & {Permission.TICKET_INTAKE, Permission.PATROL_REPORT}]
WORKERS = {"keeper": Role.PROPERTY, "desk": Role.COMMUNITY}
MAKERS = (Role.COMMUNITY, Role.STREET, Role.AUDITOR)


@dataclass
class Home:
    """One community with a thing of every kind."""

    town: Town
    where: Community
    things: dict[tuple[Kind, str], str] = field(default_factory=dict)
    group: str = ""  # a focus group, by its code

    def caller(self, role: Role) -> Caller:
        return self.town.staff(role.value, self.where)

    def holder(self, role: Role) -> str:
        """Which organisation the role works for: tickets are held by one."""
        return "keeper" if role in BY_ORG else "street" if role is Role.STREET else "desk"

    def org(self, holder: str) -> str:
        org = {"keeper": self.where.keeper, "street": self.town.street_office, "desk": self.where.desk}[
            holder
        ]
        return ids.encode(Kind.ORG, org)

    def named(self) -> set[str]:
        """The ids of what lies here and nowhere else."""
        kinds = {*OF_COMMUNITY, Kind.STAFF, Kind.ROLE, Kind.SOURCE, Kind.DISPLAY}
        return {text for (kind, _), text in self.things.items() if kind in kinds}

    def kept_from(self, role: Role) -> set[str]:
        """What lies here and is not for the role's eyes: a phone in full for nobody; grid and property staff see
        neither each other's ways nor each other's rosters.
        """
        if role not in BY_GRID | BY_ORG:
            return {PHONE}
        own = self.things.get((Kind.PATROL_SHIFT, role.value))
        ways = {text for (kind, _), text in self.things.items() if kind is Kind.PATROL_SHIFT and text != own}
        other = "desk" if self.holder(role) == "keeper" else ""
        return {PHONE, self.things[Kind.DUTY_ROSTER, other]} | ways

    def thing(self, kind: Kind, role: Role) -> str:
        """A thing of this kind, which the role sees if it may see any."""
        for key in (role.value, self.holder(role), ""):
            if (found := self.things.get((kind, key))) is not None:
                return found
        raise AssertionError(f"say in `build_home` how to make a {kind.name}: an endpoint names one")


Make = Callable[[Home, Role], Any]


@dataclass(frozen=True)
class Call:
    """How to ask. `body`, `query`: made for a home and a role; `names`: they name a thing of the home, which is
    not found by those of another one.
    """

    body: Make | None = None
    query: Make | None = None
    names: bool = False
    upload: bool = False
    key: str = ""  # which of several things of a kind
    thing: Make | None = None  # another than `Home.thing` gives
    hidden: int = 404  # how what isn't hers is answered, which is how what doesn't exist is


def const(value: Any) -> Make:
    return lambda _home, _role: value


def estate(home: Home, _: Role) -> str:
    return home.where.estate_id


def other_ticket(home: Home, role: Role) -> str:
    """One that her organisation does not hold but assists in."""
    return home.things[Kind.TICKET, "desk" if home.holder(role) == "keeper" else "keeper"]


def own_file(home: Home, role: Role) -> str:
    """A paper that her role there has uploaded; a resident's for one that may not."""
    sent = home.caller(role).upload("/files", small_jpeg(), purpose="evidence")
    return str(sent.get_json().get("file_id") or home.thing(Kind.UPLOAD, role))


OUTLINE = {
    "type": "FeatureCollection",
    "features": [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": []}}],
}
NOTHING = Call(const({}))  # the schema refuses it, after the role was let in
TICKET = f"POST /tickets/<{Kind.TICKET}>"

ENTRY = f"POST /delivery-entries/<{Kind.DELIVERY_ENTRY}>"
SHEET, PROXY = f"POST /paper-ballots/<{Kind.PAPER_BALLOT}>", f"POST /proxies/<{Kind.PROXY}>"
DECISION = f"POST /decisions/<{Kind.DECISION}>"
NOTICE = f"/notices/<{Kind.NOTICE}>"


def of_head(**more: Any) -> Make:
    """About the head of the home's vote."""
    return lambda h, _: {"head_id": h.things[Kind.HEAD, ""]} | more


def with_paper(**more: Any) -> Make:
    """The same, with a paper (of somebody else: nothing comes of it)."""
    return lambda h, _: {"head_id": h.things[Kind.HEAD, ""], "file_ids": [h.things[Kind.UPLOAD, ""]]} | more


def to_heads() -> Make:
    """The head as told, with a paper."""
    return lambda h, _: {"head_ids": [h.things[Kind.HEAD, ""]], "file_ids": [h.things[Kind.UPLOAD, ""]]}


CALLS: dict[str, Call] = {
    "POST /sms-templates": Call(const({"name": "通知", "kind": "notice", "sign": "街道", "text": "您好"})),
    "PATCH /sms-templates/<tpl>": Call(const({"name": "通知"})),
    "POST /sms-templates/<tpl>/approve": Call(),
    "POST /sms-templates/<tpl>/retire": Call(),
    "PUT /sms-templates/<tpl>/mappings/<provider>": Call(
        const({"vendor_code": "SMS_1", "state": "approved"})
    ),
    "POST /queues/<name>/retry": NOTHING,
    "PATCH /providers/<code>": NOTHING,
    "GET /opt-outs": Call(query=const({"phone": PHONE})),
    "POST /opt-outs": Call(const({"phone": PHONE})),
    "POST /opt-outs/withdraw": Call(const({"phone": PHONE})),
    "POST /recipient-lists": Call(
        lambda h, _: {"name": "名单", "community_id": community_id(h), "rows": [{"phone": PHONE}]}, names=True
    ),
    "POST /recipient-lists/files": Call(upload=True),
    "POST /campaigns": Call(lambda h, r: campaign_body(h, estate(h, r)), names=True),
    "PATCH /campaigns/<cmp>": Call(const({"title": "停水通知"})),
    **{
        f"POST /campaigns/<cmp>/{move}": Call()
        for move in ("preview", "submit", "approve", "launch", "pause", "resume", "cancel", "retry-failed")
    },
    "POST /campaigns/<cmp>/reject": Call(const({"reason": "写错了"})),
    "POST /decisions": Call(
        lambda h, r: {
            "estate_id": estate(h, r),
            "kind": "poll",
            "title": "意见征询",
            "motions": [{"title": "门禁时间"}],
        },
        names=True,
    ),
    "PATCH /decisions/<dec>": Call(const({"title": "表决"})),
    f"{DECISION}/submit": Call(),
    f"{DECISION}/review": Call(const({"passed": True})),
    f"{DECISION}/announce": Call(const({})),
    f"{DECISION}/open": Call(),
    # Without a reason: who is let in gets as far as 422, and nothing is extended or cancelled.
    f"{DECISION}/extend": Call(const({"closes_at": "2099-01-01T00:00:00+08:00"})),
    f"{DECISION}/close": Call(),
    f"{DECISION}/certify": Call(),
    f"{DECISION}/cancel": Call(const({})),
    f"{DECISION}/file": Call(const({"number": "备2026-1"})),
    f"{DECISION}/reminders": Call(),
    f"{DECISION}/visits": Call(to_heads()),
    f"{DECISION}/posted-notices": Call(to_heads()),
    "POST /estates/<est>/procedure-rules": Call(const({"rules": {}})),
    "POST /estates/<est>/voting-mode": Call(const({"mode": "poll"})),
    f"{DECISION}/paper-ballots": Call(with_paper(choices={})),
    f"{DECISION}/proxies": Call(with_paper(name="赵六", phone="13900000001")),
    f"{DECISION}/paper-requests": Call(of_head(wants="visit")),
    f"{DECISION}/nominations": Call(lambda _h, _r: {"until": clock.rfc3339(clock.now())}),
    f"{DECISION}/candidates": Call(
        lambda h, _: {
            "motion_id": h.things[Kind.MOTION, ""],
            "nominated_by": "party",
            "owner_id": h.things[Kind.OWNER, ""],
        }
    ),
    f"{DECISION}/candidates/carry-over": Call(lambda h, _: {"motion_id": h.things[Kind.MOTION, ""]}),
    f"{DECISION}/candidates/<{Kind.CANDIDATE}>/check": Call(const({"accepted": True, "reason": "符合"})),
    f"{DECISION}/candidates/<{Kind.CANDIDATE}>/withdraw": Call(const({"reason": "书面退出"})),
    f"{DECISION}/official-result": Call(
        lambda h, _: {
            "roll": {"area_centi": 1, "heads": 1},
            "motions": [{"motion_id": h.things[Kind.MOTION, ""], "answers": {}}],
            "reference": "1号",
            "file_ids": [h.things[Kind.UPLOAD, ""]],
        }
    ),
    f"{SHEET}/confirm": Call(const({})),
    f"{SHEET}/refuse": Call(const({"reason": "看不清"})),
    f"{ENTRY}/confirm": Call(),
    f"{ENTRY}/refuse": Call(const({"reason": "没有签字"})),
    f"{ENTRY}/content": Call(const({})),
    f"{PROXY}/refuse": Call(const({"reason": "未签字"})),
    "GET /buildings": Call(query=lambda h, r: {"estate_id": estate(h, r)}, names=True),
    "POST /categories": NOTHING,
    "PATCH /categories/<code>": NOTHING,
    "POST /files": Call(upload=True),
    "GET /files/<upl>": Call(thing=own_file),
    "POST /tickets": Call(
        lambda h, r: {"estate_id": estate(h, r), "text": "路灯不亮", "channel": "patrol", "reporter": {}},
        names=True,
    ),
    f"{TICKET}/merge": Call(lambda h, _: {"into": h.things[Kind.TICKET, "spare"]}),
    f"{TICKET}/refer": Call(
        lambda h, _: {
            "community_id": ids.encode(Kind.COMMUNITY, UUID(int=h.town.b.id)),
            "reason": "属于邻社区",
        }
    ),
    f"{TICKET}/parts": Call(lambda h, _: {"org_id": h.org("street"), "task": "劝导"}),
    f"{TICKET}/parts/done": Call(
        lambda h, r: {"org_id": h.org("keeper" if h.holder(r) == "keeper" else "desk"), "note": "已劝导"},
        thing=other_ticket,
    ),
    "POST /unmask": Call(
        lambda h, r: {
            "object": h.thing(Kind.TICKET, r),
            "fields": ["contact_phone"],
            "purpose": "回访居民",
        },
        names=True,
    ),
    "POST /areas": Call(
        lambda h, _: {"community_id": community_id(h), "name": f"苑{uuid4().hex[:8]}", "location": centre(h)},
        names=True,
    ),
    "PATCH /areas/<est>": Call(const({"address": "一号"})),
    "POST /areas/<est>/outlines": Call(const(OUTLINE)),
    "POST /buildings": Call(lambda h, r: {"estate_id": estate(h, r), "name": uuid4().hex[:8]}, names=True),
    "PATCH /buildings/<bld>": Call(const({"name": "2栋"})),
    "POST /grids": Call(
        lambda h, _: {"community_id": community_id(h), "code": uuid4().hex[:8], "name": "网格"}, names=True
    ),
    "PATCH /grids/<grd>": Call(const({"name": "网格"})),
    "POST /orgs": Call(
        lambda h, _: {"kind": "property_company", "name": uuid4().hex[:8], "region_id": community_id(h)},
        names=True,
    ),
    "PATCH /orgs/<org>": Call(const({"phone": "02388888888"})),
    "POST /orgs/<org>/responsibilities": Call(lambda h, _: {"community_id": community_id(h)}),
    "POST /regions": NOTHING,
    "POST /regions/<com>/move": Call(
        lambda h, _: {"parent_id": ids.encode(Kind.COMMUNITY, UUID(int=h.town.street))}
    ),
    "POST /registry/imports": Call(upload=True),
    "PATCH /houses/<hou>": Call(const({"kind": "home"})),
    "PATCH /owners/<own>": Call(const({"name": "张三"})),
    "POST /owners/<own>/merge": Call(lambda h, _: {"into": h.things[Kind.OWNER, "other"]}),
    "POST /houses/<hou>/voter": Call(lambda h, _: {"owner_id": h.things[Kind.OWNER, ""]}),
    "POST /memberships": Call(
        lambda h, r: {
            "house_id": h.thing(Kind.HOUSE, r),
            "owner_id": h.thing(Kind.OWNER, r),
            "file_ids": [h.thing(Kind.UPLOAD, r)],
        },
        names=True,
    ),
    "POST /memberships/<mbr>/files/<upl>/content": Call(),
    "POST /estates/<est>/registration/reminders": NOTHING,
    "GET /focus-persons": Call(query=const({"purpose": "visit"})),
    "POST /focus-persons": Call(lambda h, _: focus_body(h, f"李{uuid4().hex[:6]}"), names=True),
    "GET /focus-persons/<foc>": Call(query=const({"purpose": "visit"})),
    "PATCH /focus-persons/<foc>": Call(const({"phone": None})),
    "POST /focus-persons/<foc>/end": Call(const({"reason": "moved", "kind": "another"})),
    "GET /focus-counts": Call(query=lambda h, _: {"kind": h.group}),
    "POST /focus-groups": NOTHING,
    "PATCH /focus-groups/<code>": NOTHING,
    "GET /calendar": Call(query=const({"year": 2026})),
    "POST /calendar": NOTHING,
    "POST /api-keys": Call(
        lambda h, _: {
            "source": f"m{uuid4().hex[:12]}",
            "name": "热线",
            "channel": "hotline",
            "scope_org_id": h.org("street"),
            "desk_org_id": h.org("desk"),
        },
        names=True,
        hidden=422,
    ),
    "POST /displays": Call(lambda h, r: {"name": "大厅", "area": estate(h, r)}, names=True),
    "POST /displays/<dsp>/revoke": Call(),
    "PATCH /api-keys/<src>": Call(const({"name": "热线"})),
    "POST /patrol/points": Call(lambda h, r: point_body(h, estate(h, r)), names=True),
    "PATCH /patrol/points/<pnt>": Call(const({"name": "点位"})),
    "POST /patrol/plans": Call(
        lambda h, r: {
            "name": "夜巡",
            "estate_id": estate(h, r),
            "points": [h.thing(Kind.PATROL_POINT, r)],
            "windows": [{"from": "00:00", "to": "24:00"}],
            "org_id": h.org("keeper"),
        },
        names=True,
    ),
    "PATCH /patrol/plans/<pln>": Call(const({"name": "夜巡"})),
    "POST /patrol/shifts": Call(lambda h, r: {"plan_id": h.thing(Kind.PATROL_PLAN, r)}, names=True),
    "PATCH /patrol/zones/<grd>": Call(const({"homes": 300})),
    "POST /patrol/zones/grade": Call(),
    "POST /patrol/settings": NOTHING,
    "POST /staff": Call(
        lambda h, _: {"account": f"m{uuid4().hex[:12]}", "name": "某某", "org_id": h.org("desk")}, names=True
    ),
    "PATCH /staff/<stf>": Call(const({"name": "某某"})),
    "POST /staff/<stf>/password": Call(),
    "DELETE /staff/<stf>/totp": Call(),
    "DELETE /staff/<stf>/sessions": Call(),
    "POST /roles": Call(
        lambda h, r: {"staff_id": h.thing(Kind.STAFF, r), "role": "community", "org_id": h.org("desk")},
        names=True,
    ),
    "PATCH /roles/<rol>": Call(const({"valid_to": None})),
    **{
        f"GET {path}/<tkt>": Call(
            thing=lambda h, r: h.things.get((Kind.TICKET, f"taken in by {r}")) or h.thing(Kind.TICKET, r)
        )
        for path in ("/reports", "/admin/reports")
    },
    "POST /tickets/matches/dismiss": Call(
        lambda h, _: {
            "ticket_id": h.things[Kind.TICKET, "keeper"],
            "other_id": h.things[Kind.TICKET, "spare"],
            "reason": "两回事",
        },
        names=True,
    ),
    "POST /duty-rosters": Call(lambda h, _: roster_body(h), names=True),
    "PATCH /duty-rosters/<dut>": Call(const({"name": "夜班"})),
    "POST /routing-rules": Call(lambda h, _: rule_body(h), names=True),
    "PATCH /routing-rules/<rul>": Call(const({"name": "物业"})),
    "POST /routing-rules/try": Call(lambda h, r: {"estate_id": estate(h, r)}, names=True),
    "POST /estates/<est>/revenue/settings": Call(lambda _h, _r: revenue_rules("2020-01-01")),
    "POST /estates/<est>/revenue/categories": Call(const({"kind": "cost", "name": uuid4().hex[:8]})),
    "PATCH /revenue/categories/<rct>": Call(const({"is_active": True})),
    "POST /estates/<est>/revenue/contracts": Call(lambda h, _: contract_body(h)),
    "PATCH /revenue/contracts/<rcn>": Call(const({"party": "某公司"})),
    "POST /revenue/contract-changes/<rcc>/review": Call(const({"passed": False})),
    "POST /estates/<est>/revenue/entries": Call(lambda h, _: entry_body(h)),
    "PATCH /revenue/entries/<rev>": Call(const({"note": "改"})),
    "DELETE /revenue/entries/<rev>": Call(),
    "POST /revenue/entries/<rev>/vouchers/<upl>/content": Call(key="line"),
    "GET /revenue/lines/<rev>": Call(key="line"),
    "GET /revenue/entries/<rev>/vouchers/<upl>/public": Call(key="line"),
    "POST /revenue/entries/<rev>/vouchers/<upl>/public": Call(const({"boxes": []}), key="draft"),
    "POST /revenue/lines/<rev>/vouchers/<upl>/public": Call(const({"boxes": []}), key="line"),
    "GET /revenue/contracts/<rcn>/scans/<upl>/public": Call(key="scan"),
    "POST /revenue/contracts/<rcn>/scans/<upl>/public": Call(const({"boxes": []}), key="scan"),
    "POST /revenue/contracts/<rcn>/scans/<upl>/content": Call(key="scan"),
    **{
        f"GET /admin/revenue/{kind}/<{name}>{paper}": Call(key=key)
        for kind, name, key, papers in (
            ("lines", "rev", "line", ("", "/detail", "/vouchers/<upl>", "/vouchers/<upl>/made")),
            ("entries", "rev", "draft", ("/vouchers/<upl>", "/vouchers/<upl>/made")),
            ("contracts", "rcn", "scan", ("/scans/<upl>", "/scans/<upl>/made")),
        )
        for paper in papers
    },
    "POST /estates/<est>/revenue/budgets": Call(lambda h, _: budget_body(h)),
    "DELETE /revenue/budgets/<rbg>": Call(),
    "GET /estates/<est>/revenue/expected": Call(query=const({"from": "2026-01-01", "to": "2026-12-31"})),
    "POST /estates/<est>/revenue/imports": Call(upload=True),
    "POST /estates/<est>/revenue/periods": Call(const({})),
    "PATCH /revenue/periods/<rpd>": Call(const({"opening_fen": 0})),
    "POST /revenue/periods/<rpd>/submit": Call(),
    "POST /revenue/periods/<rpd>/review": Call(const({"passed": False})),
    "POST /revenue/periods/<rpd>/publish": Call(),
    "POST /revenue/periods/<rpd>/correct": Call(
        lambda h, _: {"entry_id": h.things[Kind.REVENUE_ENTRY, "line"], "reason": "记错"}
    ),
    "POST /revenue/objections/<rob>/answer": Call(const({"text": "已说明"})),
    "POST /notices/preview": Call(lambda h, r: {"text": "停水", "area_ids": [estate(h, r)]}, names=True),
    "POST /notices": Call(lambda h, r: notice_body(estate(h, r)), names=True),
    f"PATCH {NOTICE}": Call(const({"title": "改过的通知"})),
    f"DELETE {NOTICE}": Call(),
    f"POST {NOTICE}/publish": Call(),
    f"POST {NOTICE}/withdraw": Call(const({"reason": "写错了"})),
    f"GET {NOTICE}/files/<{Kind.UPLOAD}>": Call(key="out"),
    **{
        f"GET {path}/items": Call(query=const({"metric": "closed_on_time", "share": "numerator"}))
        for path in ("/stats", "/admin/assessment")
    },
    "POST /stats/assessments": NOTHING,
}


def notice_body(estate_id: str) -> dict[str, Any]:
    return {"kind": "works", "title": "停水通知", "text": "周三停水。", "area_ids": [estate_id]}


def put_notice(home: Home, callers: dict[Role, Caller]) -> None:
    """A published notice with a file, and a draft of each who writes and doesn't publish."""

    def drafted(role: Role, **more: Any) -> str:
        answer = callers[role].post("/notices", notice_body(home.where.estate_id) | more)
        assert answer.status_code == 201, answer.text
        return str(answer.get_json()["notice_id"])

    desk = callers[Role.COMMUNITY]
    paper = desk.upload("/files", small_jpeg(), purpose="evidence").get_json()["file_id"]
    notice = drafted(Role.COMMUNITY, file_ids=[paper])
    out = desk.post(f"/notices/{notice}/publish", headers={"If-Match": "*"})
    assert out.status_code == 200, out.text
    for key in ("", "out"):
        home.things[Kind.NOTICE, key] = notice
    home.things[Kind.UPLOAD, "out"] = paper
    for role in (Role.GRID, Role.PROPERTY):
        home.things[Kind.NOTICE, role.value] = drafted(role)


def community_id(home: Home) -> str:
    return ids.encode(Kind.COMMUNITY, UUID(int=home.where.id))


def focus_body(home: Home, name: str) -> dict[str, Any]:
    consent = {"paper": "2026-01", "given_on": places.today().isoformat()}
    house = home.things[Kind.HOUSE, ""]
    return {"house_id": house, "kind": home.group, "name": name, "consent": consent}


def revenue_rules(since: str) -> dict[str, Any]:
    rules = {"valid_from": since, "split_bp": 7000, "rhythm": "year", "basis": "业主大会决定"}
    return rules | {"keeper": "committee", "keeper_name": "业委会专户"}


def open_books(home: Home, clerk: Caller, desk: Caller) -> None:
    """A published line with its voucher and a doubt about it, a draft, a contract, and the period that is open."""
    base = f"/estates/{home.where.estate_id}/revenue"

    def made(answer: TestResponse) -> dict[str, Any]:
        assert answer.status_code in {200, 201, 202}, answer.text
        return answer.get_json()

    put = home.things.__setitem__
    made(desk.post(f"{base}/settings", revenue_rules("2023-01-01")))
    category = made(clerk.post(f"{base}/categories", {"kind": "income", "name": "停车"}))["category_id"]
    put((Kind.REVENUE_CATEGORY, ""), category)
    contract = made(clerk.post(f"{base}/contracts", contract_body(home)))
    put((Kind.REVENUE_CONTRACT, ""), contract["contract_id"])
    paper, scan, other = (
        made(clerk.upload("/files", small_jpeg(), purpose="evidence"))["file_id"] for _ in range(3)
    )
    put((Kind.UPLOAD, "line"), paper)
    put((Kind.REVENUE_CONTRACT, "scan"), contract_with(home, made, clerk, base, scan))
    put((Kind.UPLOAD, "scan"), scan)
    entry = entry_body(home) | {"day": "2023-05-01", "file_ids": [paper]}
    line = made(clerk.post(f"{base}/entries", entry))["entry_id"]
    put((Kind.REVENUE_ENTRY, "line"), line)
    made(clerk.post(f"/revenue/entries/{line}/vouchers/{paper}/public", {"boxes": []}))
    jobs.drain(home.where.id, Queue.MEDIA)
    # Of a year that is published: nobody takes it away from who asks next.
    put((Kind.REVENUE_BUDGET, ""), made(clerk.post(f"{base}/budgets", budget_body(home, 2023)))["budget_id"])
    first = made(clerk.post(f"{base}/periods", {"first_day": "2023-01-01", "opening_fen": 0}))["period_id"]
    made(clerk.post(f"/revenue/periods/{first}/submit"))
    made(desk.post(f"/revenue/periods/{first}/review", {"passed": True}))
    made(desk.post(f"/revenue/periods/{first}/publish"))
    put((Kind.REVENUE_PERIOD, ""), made(clerk.post(f"{base}/periods", {}))["period_id"])
    put((Kind.REVENUE_ENTRY, ""), made(clerk.post(f"{base}/entries", entry_body(home)))["entry_id"])
    draft = made(clerk.post(f"{base}/entries", entry_body(home) | {"file_ids": [other]}))["entry_id"]
    put((Kind.REVENUE_ENTRY, "draft"), draft)
    put((Kind.UPLOAD, "draft"), other)
    ledger = clerk.upload(
        f"{base}/imports", "日期,类型,科目,金额\n2026-01-05,收入,停车,0\n".encode(), "台账.csv"
    )
    put((Kind.REVENUE_IMPORT, ""), made(ledger)["job_id"])
    jobs.drain(home.where.id, Queue.IMPORTS)
    doubt = RevenueObjection(
        community_id=home.where.id,
        id=ids.new_id(),
        estate_id=home.where.estate.id,
        line_id=ids.decode_ref(Kind.REVENUE_ENTRY, line).id,
        ticket_id=ids.decode_ref(Kind.TICKET, home.things[Kind.TICKET, "keeper"]).id,
        text="为什么",
        answer_by=places.today(),
        created_at=clock.now(),
    )
    with db.transaction() as session:
        session.add(doubt)
    put((Kind.REVENUE_OBJECTION, ""), ids.encode(Kind.REVENUE_OBJECTION, ids.Ref(home.where.id, doubt.id)))
    change = RevenueContractChange(
        community_id=home.where.id,
        id=ids.new_id(),
        estate_id=home.where.estate.id,
        contract_id=ids.decode_ref(Kind.REVENUE_CONTRACT, contract["contract_id"]).id,
        fields={"party": ["某公司", "乙公司"]},
        version=2,
        asked_by=ids.NOBODY,
        asked_at=clock.now(),
    )
    with db.transaction() as session:
        session.add(change)
    named = ids.encode(Kind.REVENUE_CONTRACT_CHANGE, ids.Ref(home.where.id, change.id))
    put((Kind.REVENUE_CONTRACT_CHANGE, ""), named)


def contract_with(
    home: Home, made: Callable[[TestResponse], dict[str, Any]], clerk: Caller, base: str, scan: str
) -> str:
    """A contract with a scan that everybody may see."""
    contract = made(clerk.post(f"{base}/contracts", contract_body(home) | {"file_ids": [scan]}))[
        "contract_id"
    ]
    made(clerk.post(f"/revenue/contracts/{contract}/scans/{scan}/public", {"boxes": []}))
    return str(contract)


def entry_body(home: Home) -> dict[str, Any]:
    category = home.things[Kind.REVENUE_CATEGORY, ""]
    return {"day": places.today().isoformat(), "kind": "income", "amount_fen": 100, "category_id": category}


def budget_body(home: Home, year: int = 2031) -> dict[str, Any]:
    lines = [{"category_id": home.things[Kind.REVENUE_CATEGORY, ""], "amount_fen": 100}]
    return {"year": year, "basis": "业主大会决定", "lines": lines}


def contract_body(home: Home) -> dict[str, Any]:
    return {
        "category_id": home.things[Kind.REVENUE_CATEGORY, ""],
        "number": "1",
        "party": "某公司",
        "subject": "电梯广告",
        "starts_on": "2026-01-01",
        "ends_on": "2026-12-31",
        "price_fen": 100,
        "rhythm": "year",
    }


def centre(home: Home) -> dict[str, Any]:
    return {"lng": home.where.centre.lng, "lat": home.where.centre.lat, "crs": "wgs84"}


def roster_body(home: Home, holder: str = "keeper") -> dict[str, Any]:
    body = {"community_id": community_id(home), "org_id": home.org(holder), "name": f"班{uuid4().hex[:8]}"}
    who = ids.encode(Kind.STAFF, acting(home.caller(WORKERS[holder])).id)
    return body | {"turns": [{"staff_id": who, "from": "08:00", "to": "18:00"}]}


def rule_body(home: Home) -> dict[str, Any]:
    return {
        "community_id": community_id(home),
        "name": f"物业{uuid4().hex[:8]}",
        "org_id": home.org("keeper"),
    }


def name_of(endpoint: Endpoint) -> str:
    """`GET /tickets/<tkt>`: the method and the path with the kinds of what it names."""
    text = endpoint.rule.rule.removeprefix(PREFIX)
    for argument, converter in endpoint.rule._converters.items():
        if isinstance(converter, RefConverter):
            text = text.replace(f"<ref({converter.kind}):{argument}>", f"<{converter.kind}>")
    return f"{endpoint.method} {text}"


def call_of(endpoint: Endpoint) -> Call:
    name = name_of(endpoint)
    if name in CALLS:
        return CALLS[name]
    last = name.rpartition("/")[2]
    if endpoint.method == "GET":
        return Call()
    if endpoint.method == "POST" and endpoint.rule.arguments and last in BODIES:
        return Call(const(BODIES[last]))
    raise AssertionError(
        f"{name} has no line in CALLS (tests/structure/test_permission_matrix.py): how is it asked?"
    )


def asked_with_a_permission(house: House) -> Iterator[Endpoint]:
    """Every staff endpoint that names a permission; the others are of one's own login."""
    for endpoint in staff_endpoints(house.app):
        if getattr(endpoint.view, "_requires", ()):
            yield endpoint


# --- two communities and a third far away -----------------------------------------------------------------


def point_body(home: Home, estate_id: str) -> dict[str, Any]:
    return {"name": "点位", "estate_id": estate_id, "location": centre(home)}


def build_home(house: House, town: Town, where: Community, *, whole: bool = False) -> Home:
    """A community with its things; `whole`: with a ticket held by each kind of organisation, and every role."""
    home = Home(town, where)
    put = home.things.__setitem__
    walkers = (Role.GRID, Role.PROPERTY, Role.PROPERTY_WORKER)
    callers = {role: home.caller(role) for role in Role if whole or role in {*walkers, *MAKERS}}
    desk, keeper = callers[Role.COMMUNITY], callers[Role.PROPERTY]
    client = house.app.test_client()
    wang = client.post("/bff/v1/session", json={"code": f"demo-{uuid4().hex[:12]}"}).get_json()
    resident = Caller(client, "/bff/v1", wang["access_token"])

    def made(answer: TestResponse, key: str) -> str:
        assert answer.status_code in {200, 201, 202}, answer.text
        return str(answer.get_json()[key])

    photo = made(resident.upload("/photos", small_jpeg()), "photo_id")
    for holder in ("keeper", "desk", "street", "spare") if whole else ("keeper",):
        report = {"estate_id": where.estate_id, "text": "灯坏了", "contact_phone": PHONE}
        photos = [photo] if holder == "keeper" else []
        sent = resident.post("/tickets", report | {"photo_ids": photos, "client_token": uuid4().hex})
        ticket = made(sent, "ticket_id")
        put((Kind.TICKET, holder), ticket)
        made(desk.post(f"/tickets/{ticket}/accept"), "ticket_id")
        if holder != "spare":
            made(desk.post(f"/tickets/{ticket}/dispatch", {"org_id": home.org(holder)}), "ticket_id")
            helper = "desk" if holder == "keeper" else "keeper"
            part = {"org_id": home.org(helper), "task": "协助"}
            made(desk.post(f"/tickets/{ticket}/parts", part), "ticket_id")
    if not whole:
        for holder in ("desk", "street", "spare"):
            put((Kind.TICKET, holder), home.things[Kind.TICKET, "keeper"])
    held = home.things[Kind.TICKET, "keeper"]
    put((Kind.PHOTO, ""), desk.get(f"/tickets/{held}").get_json()["photos"][0]["photo_ref"])
    asked = keeper.post(
        f"/tickets/{held}/extensions", BODIES["extensions"] | {"until": in_a_while(desk, held)}
    )
    put((Kind.EXTENSION, ""), made(asked, "extension_id"))

    point = made(desk.post("/patrol/points", point_body(home, where.estate_id)), "point_id")
    put((Kind.PATROL_POINT, ""), point)
    put((Kind.GRID, ""), ids.encode(Kind.GRID, where.grid))
    plan = CALLS["POST /patrol/plans"].body
    assert plan is not None
    by_org = plan(home, Role.PROPERTY)
    by_grid = by_org | {"org_id": None, "grid_id": home.things[Kind.GRID, ""]}
    put((Kind.PATROL_PLAN, "keeper"), made(desk.post("/patrol/plans", by_org), "plan_id"))
    put((Kind.PATROL_PLAN, ""), made(desk.post("/patrol/plans", by_grid), "plan_id"))
    for role in walkers:
        asked = callers[role].post("/patrol/shifts", {"plan_id": home.thing(Kind.PATROL_PLAN, role)})
        put((Kind.PATROL_SHIFT, role.value), made(asked, "shift_id"))
    put((Kind.PATROL_SHIFT, ""), home.things[Kind.PATROL_SHIFT, Role.GRID.value])

    for holder in ("keeper", "desk"):
        made_by = desk.post("/duty-rosters", roster_body(home, holder))
        put((Kind.DUTY_ROSTER, "" if holder == "keeper" else holder), made(made_by, "roster_id"))
    put((Kind.ROUTING_RULE, ""), made(desk.post("/routing-rules", rule_body(home)), "rule_id"))
    last = (places.today() - timedelta(days=1)).isoformat()
    period = {"title": "考核", "period": {"from": last, "to": last}}
    put((Kind.ASSESSMENT, ""), made(desk.post("/stats/assessments", period), "assessment_id"))
    for role in REPORTERS:
        taken_in = {"estate_id": where.estate_id, "text": "巡查发现", "channel": "patrol", "reporter": {}}
        if role in callers:
            made(asked := callers[role].post("/tickets", taken_in), "number")
            put((Kind.TICKET, f"taken in by {role}"), asked.get_json()["ticket_id"])
        else:
            put((Kind.TICKET, f"taken in by {role}"), home.things[Kind.TICKET, "keeper"])

    put((Kind.ESTATE, ""), where.estate_id)
    put((Kind.COMMUNITY, ""), community_id(home))
    own = {"kind": "property_company", "name": f"本社区物业{where.id}", "region_id": community_id(home)}
    put((Kind.ORG, ""), made(desk.post("/orgs", own), "org_id"))
    answers = desk.post(
        f"/orgs/{home.things[Kind.ORG, '']}/responsibilities", {"community_id": community_id(home)}
    )
    made(answers, "org_id")
    building = desk.post("/buildings", {"estate_id": where.estate_id, "name": "1栋"})
    put((Kind.BUILDING, ""), made(building, "building_id"))
    for number, key in (("101", ""), ("102", "other")):
        flat = {
            "building": "1栋",
            "number": number,
            "registered_area_centi": 9_000,
            "owners": [{"name": "张三", "phone": f"{PHONE[:-1]}{number[-1]}"}],
        }
        answer = desk.post(f"/estates/{where.estate_id}/houses", flat)
        put((Kind.HOUSE, key), made(answer, "house_id"))
        put((Kind.OWNER, key), answer.get_json()["owners"][0]["owner_id"])
    paper = made(resident.upload("/files", small_jpeg(), purpose="evidence"), "file_id")
    put((Kind.UPLOAD, ""), paper)
    claim = {"house_id": home.things[Kind.HOUSE, ""], "relation": "owner", "name": "张三"}
    claimed = resident.post("/memberships", claim | {"evidence_file_ids": [paper]})
    put((Kind.MEMBERSHIP, ""), made(claimed, "membership_id"))
    home.group = f"alone_{uuid4().hex[:8]}"
    group = {"code": home.group, "name": f"独居{home.group[-6:]}", "basis": "consent"}
    made(callers[Role.STREET].post("/focus-groups", group), "code")
    put((Kind.FOCUS_PERSON, ""), made(desk.post("/focus-persons", focus_body(home, "李奶奶")), "person_id"))
    register = (
        "楼栋,房号,业主姓名,联系电话\n1栋,103,李四,123\n".encode()
    )  # a phone that is none: there is an error sheet
    sent = desk.upload(
        "/registry/imports", register, "台账.csv", source="property", estate_id=where.estate_id
    )
    put((Kind.IMPORT, ""), made(sent, "job_id"))
    jobs.drain(where.id, Queue.IMPORTS)

    open_books(home, keeper, desk)
    put_vote(home, desk)
    put_notice(home, callers)
    put_campaign(home, callers[Role.STREET], desk)
    source = CALLS["POST /api-keys"].body
    assert source is not None
    answer = callers[Role.STREET].post("/api-keys", source(home, Role.STREET))
    put((Kind.SOURCE, ""), made(answer, "api_key_id"))
    hung = desk.post("/displays", {"name": "大厅", "area": where.estate_id})
    put((Kind.DISPLAY, ""), made(hung, "display_id"))
    colleague = town.hire("property_worker", where)
    put((Kind.STAFF, ""), str(colleague.get("/me").get_json()["id"]))
    auditor = callers[Role.AUDITOR]
    found = auditor.get(f"/roles?staff_id={home.things[Kind.STAFF, '']}").get_json()["items"]
    put((Kind.ROLE, ""), found[0]["role_id"])
    return home


def campaign_body(home: Home, estate_id: str) -> dict[str, Any]:
    return {
        "template_id": home.things[Kind.SMS_TEMPLATE, ""],
        "audience": {"type": "estates", "ids": [estate_id]},
    }


def put_campaign(home: Home, street: Caller, desk: Caller) -> None:
    """A template that two of the street have approved, a campaign with it, and a list of numbers."""
    text = {"name": "通知", "kind": "notice", "sign": "街道", "text": "您好"}
    path = "/sms-templates"
    template = street.post(path, text).get_json()["template_id"]
    approved = home.town.hire("street", home.where).post(f"{path}/{template}/approve")
    assert approved.status_code == 200, approved.text
    home.things[Kind.SMS_TEMPLATE, ""] = template
    made = desk.post("/campaigns", campaign_body(home, home.where.estate_id))
    assert made.status_code == 201, made.text
    home.things[Kind.CAMPAIGN, ""] = campaign = made.get_json()["campaign_id"]
    assert desk.post(f"/campaigns/{campaign}/preview").status_code == 202
    numbers = desk.post("/recipient-lists", {"name": "名单", "rows": [{"phone": PHONE}]})
    home.things[Kind.RECIPIENT_LIST, ""] = numbers.get_json()["job_id"]


def put_result(home: Home, vote: Ref, motion: Ref) -> None:
    """A candidate of the vote, and a result, so that who may read it finds one."""
    now, candidate_id = clock.now(), ids.new_id()
    asked = Question(id=ids.encode(Kind.MOTION, motion), number=1)
    written = verdicts.written(count([asked], [], {}, Rules()))
    with db.transaction() as session:
        session.add(
            Candidate(
                community_id=vote.community_id,
                id=candidate_id,
                decision_id=vote.id,
                motion_id=motion.id,
                name_sealed=crypto.keys().encrypt("赵六".encode(), f"candidate_name:{candidate_id}"),
                nominated_by="party",
                status="nominated",
                created_at=now,
                updated_at=now,
            )
        )
        session.add(
            CertifiedResult(
                community_id=vote.community_id,
                decision_id=vote.id,
                result=written | {"scope": "estate", "source": "ballots"},
                certified_by=ids.NOBODY,
                certified_at=now,
            )
        )
    home.things[Kind.MOTION, ""] = asked.id
    home.things[Kind.CANDIDATE, ""] = ids.encode(Kind.CANDIDATE, Ref(vote.community_id, candidate_id))


def put_vote(home: Home, desk: Caller) -> None:
    """A vote that is open, with a sheet and an authorisation that wait."""
    estate_ref, now = home.where.estate, clock.now()
    vote, motion = (Ref(estate_ref.community_id, ids.new_id()) for _ in range(2))
    with db.transaction() as session:
        session.add(
            Decision(
                community_id=vote.community_id,
                id=vote.id,
                estate_id=estate_ref.id,
                kind="meeting",
                title="表决",
                text="",
                legal_mode="poll",
                status="announced",
                rules=Rules().as_json(),
                texts_nonce="00" * 32,
                announced_at=now,
                opens_at=now,
                closes_at=now + timedelta(days=9),
                created_at=now,
                updated_at=now,
            )
        )
        session.flush()
        session.add(
            Motion(
                community_id=vote.community_id,
                id=motion.id,
                decision_id=vote.id,
                number=1,
                matter=9,
                title="议题",
                text="",
            )
        )
    with db.transaction():
        roll.freeze(vote, acting_user=SYSTEM)
        head = Ref(vote.community_id, roll.heads_on_roll(vote, limit=1)[0].id)
    put_result(home, vote, motion)
    home.things[Kind.DECISION, ""] = ids.encode(Kind.DECISION, vote)
    home.things[Kind.HEAD, ""] = head_id = ids.encode(Kind.HEAD, head)
    path, choices = f"/decisions/{home.things[Kind.DECISION, '']}", {ids.encode(Kind.MOTION, motion): "for"}
    more: dict[str, dict[str, Any]] = {
        "paper-ballots": {"choices": choices},
        "proxies": {"name": "赵六", "phone": "13900000002"},
    }
    for word, kind, key in (
        ("paper-ballots", Kind.PAPER_BALLOT, "paper_id"),
        ("proxies", Kind.PROXY, "proxy_id"),
    ):
        file = desk.upload("/files", small_jpeg(), purpose="evidence").get_json()["file_id"]
        answer = desk.post(f"{path}/{word}", {"head_id": head_id, "file_ids": [file]} | more[word])
        assert answer.status_code == 201, answer.text
        home.things[kind, ""] = str(answer.get_json()[key])
    file = desk.upload("/files", small_jpeg(), purpose="evidence").get_json()["file_id"]
    visit = desk.post(f"{path}/visits", {"head_ids": [head_id], "file_ids": [file]})
    assert visit.status_code == 201, visit.text
    home.things[Kind.DELIVERY_ENTRY, ""] = str(visit.get_json()["entry_id"])


def in_a_while(desk: Caller, ticket: str) -> str:
    """Ten days after the ticket's limit."""
    due = desk.get(f"/tickets/{ticket}").get_json()["clock"]["due_at"]
    return (datetime.fromisoformat(due) + timedelta(days=10)).isoformat()


@dataclass
class Homes:
    own: Home
    beside: Home
    far: Home

    def foreign_to(self, role: Role) -> Home:
        """A community that lies outside the role's reach: the street has both of its own."""
        return self.far if role is Role.STREET else self.beside


def build_homes(house: House, make_town: Callable[[], Town]) -> Homes:
    town, other = make_town(), make_town()
    return Homes(
        build_home(house, town, town.a, whole=True),
        build_home(house, town, town.b),
        build_home(house, other, other.a),
    )


def path_of(endpoint: Endpoint, role: Role, home_of: Callable[[str], Home]) -> str:
    """Its address, with a thing of `home_of(argument)` in the place of each id."""
    call = call_of(endpoint)
    path = endpoint.rule.rule.removeprefix(PREFIX)
    for argument, converter in endpoint.rule._converters.items():
        home = home_of(argument)
        if isinstance(converter, RefConverter):
            keyed = home.things.get((converter.kind, call.key)) if call.key else None
            named = call.thing(home, role) if call.thing is not None else keyed
            named = named or home.thing(converter.kind, role)
            path = path.replace(f"<ref({converter.kind}):{argument}>", named)
        else:
            word = home.group if "focus" in path else "aliyun" if "provider" in path else "lighting"
            word = "sms" if "/queues/" in path else word
            path = path.replace(f"<{argument}>", word)
    return path


def ask(caller: Caller, endpoint: Endpoint, home: Home, role: Role) -> TestResponse:
    call = call_of(endpoint)
    path = path_of(endpoint, role, lambda _: home)
    if not endpoint.rule.rule.startswith(PREFIX):  # a page of the console
        caller = Caller(caller.client, "", caller.token)
    more: dict[str, Any] = {"headers": dict(NO_VERSION)}
    if call.query is not None:
        more["query_string"] = call.query(home, role)
    if call.upload:
        return caller.upload(path, small_jpeg(), purpose="after_photo")
    if call.body is not None and (body := call.body(home, role)) is not None:
        more["json"] = body
    return caller.call(endpoint.method, path, **more)


# --- the matrix -------------------------------------------------------------------------------------------


def test_every_endpoint_of_the_staff_face_can_be_asked(house: House) -> None:
    names = {name_of(endpoint) for endpoint in staff_endpoints(house.app)}
    for endpoint in asked_with_a_permission(house):
        call_of(endpoint)
    assert set(CALLS) <= names, "lines for endpoints that are not there"


@pytest.fixture
def found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks is looked up once for each login; that it is done at every request is shown elsewhere."""
    monkeypatch.setattr(people, "staff_by_token", functools.cache(people.staff_by_token))


# What all its communities use.
OF_THE_STREET = {
    "GET /sms-templates/<tpl>",
    "GET /admin/sms-templates/<tpl>",
    "GET /admin/sms-templates/<tpl>/now",
    "GET /admin/sms-templates/<tpl>/edit",
}


@pytest.fixture(scope="module")
def homes(house: House, make_town: Callable[[], Town]) -> Homes:
    """The communities that all roles are asked about: what they are let into here changes nothing for the next."""
    return build_homes(house, make_town)


@pytest.mark.usefixtures("found_once")
@pytest.mark.parametrize("role", Role)
def test_each_role_does_what_the_table_says_at_home_and_finds_nothing_abroad(
    house: House, homes: Homes, role: Role
) -> None:
    endpoints = list(asked_with_a_permission(house))
    assert len(endpoints) > 80
    caller, foreign = homes.own.caller(role), homes.foreign_to(role)
    strange = foreign.named() | homes.own.kept_from(role)
    wrong: list[str] = []
    for endpoint in endpoints:
        allowed = any(p in GRANTS[role] for p in endpoint.view._requires)  # type: ignore[attr-defined]
        wrong += at_home(caller, endpoint, homes.own, role, allowed=allowed, strange=strange)
        if names_a_thing(endpoint) and not (
            name_of(endpoint) in OF_THE_STREET and foreign.town is homes.own.town
        ):
            wrong += abroad(caller, endpoint, foreign, role, allowed=allowed)
    assert not wrong, "\n".join(wrong)


def at_home(
    caller: Caller, endpoint: Endpoint, home: Home, role: Role, *, allowed: bool, strange: set[str]
) -> Iterator[str]:
    """What is wrong with the answer in her own community: let in or not, and nothing in it that isn't hers."""
    answer = ask(caller, endpoint, home, role)
    status = answer.status_code
    fits = status not in {401, 403, 404} and status < 500 if allowed else status in {403, 404}
    if not fits:
        yield f"{name_of(endpoint)}: {'allowed' if allowed else 'refused'}, but {status} {answer.text[:200]}"
    if endpoint.method == "GET":
        shown = answer.get_data().decode(errors="replace")
        yield from (f"{name_of(endpoint)} shows {thing}" for thing in strange if thing in shown)


def names_a_thing(endpoint: Endpoint) -> bool:
    converters = endpoint.rule._converters.values()
    return call_of(endpoint).names or any(isinstance(c, RefConverter) for c in converters)


def abroad(caller: Caller, endpoint: Endpoint, home: Home, role: Role, *, allowed: bool) -> Iterator[str]:
    """What is wrong with the answer about a thing of a community that isn't hers."""
    answer = ask(caller, endpoint, home, role)
    # A ticket that one may not see isn't there; for other things the role is asked first.
    hidden = allowed or f"<{Kind.TICKET}>" in name_of(endpoint)
    if answer.status_code != (call_of(endpoint).hidden if hidden else 403):
        yield f"{name_of(endpoint)} of another community: {answer.status_code} {answer.text[:200]}"
