"""Who is on shift in the three communities, and the rules by which new tickets find them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from app import db
from app.duty import hours, service
from app.duty.choice import Method
from app.duty.models import Post
from app.duty.service import Week, WeeklyTurn
from app.ids import Ref
from app.places import queries as places
from app.tickets import rules
from app.tickets.routing_models import TimeKind
from tools.demo.cast import HOMES
from tools.demo.town import COMMUNITIES, ESTATES, Town, desk_of
from tools.demo.travel import Traveller

ROSTERS_BEGIN = timedelta(days=14)
"""The rosters are older than the rules: where the tickets so far went was decided without them."""
EVERY_DAY, WORKDAYS, WEEKEND = (1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 4, 5), (6, 7)
REPAIRS, DUTY_ROOM, GRIDS = "工程班", "值班室", "网格岗"


class Stands(NamedTuple):
    """Somebody by her account, on these days of the week, from when to when."""

    account: str
    weekdays: Sequence[int]
    start: str
    end: str


class Says(NamedTuple):
    """A rule: these classes, at these hours, go to this post. `of_keeper`: in the estates that its company keeps."""

    title: str
    categories: Sequence[str]
    time_kind: TimeKind
    post: str
    method: Method


RULES = (
    Says(
        "工作时间{}→物业工程班",
        ("water", "elevator", "fire"),
        TimeKind.WORKING_HOURS,
        REPAIRS,
        Method.LEAST_LOADED,
    ),
    Says(
        "下班后{}→社区值班室",
        ("water", "elevator", "fire", "noise"),
        TimeKind.OFF_HOURS,
        DUTY_ROOM,
        Method.LEAST_LOADED,
    ),
    Says("{}→网格", ("noise", "dogs"), TimeKind.ALWAYS, GRIDS, Method.LAST_HANDLER),
)
"""What no rule speaks of goes, as before, to who answers for its class and place."""
CALLED = {"water": "漏水", "elevator": "电梯", "fire": "消防", "noise": "噪音", "dogs": "养犬"}


def rosters_of(community: int, keeper: str) -> dict[str, tuple[str, list[Stands]]]:
    """The posts of a community by name: their unit and their week."""
    number = community - 100
    clerk, first, second = f"community{number}", f"grid{2 * number - 1}", f"grid{2 * number}"
    nights = [
        Stands(clerk, (1, 3, 5, 7), "18:00", "09:00"),
        Stands(first, (2, 4, 6), "18:00", "09:00"),
        Stands(second, (2, 4, 6), "18:00", "09:00"),
    ]
    noons = [Stands(clerk, WORKDAYS, "12:00", "14:00")]
    free_days = [Stands(clerk, WEEKEND, "09:00", "18:00")]
    worker = f"property{keeper.removeprefix('keeper')}"
    desk = desk_of(community)
    return {
        REPAIRS: (keeper, [Stands(worker, EVERY_DAY, "08:00", "20:00")]),
        DUTY_ROOM: (desk, [*nights, *noons, *free_days]),
        GRIDS: (desk, [Stands(grid, EVERY_DAY, "09:00", "18:00") for grid in (first, second)]),
    }


def keep(here: Town, hands: Traveller, now: datetime) -> None:
    """Posts with their rosters, two weeks old; from today on the rules that send new tickets there."""
    hands.to(now - ROSTERS_BEGIN)
    posts = {community: _posts(here, community) for community in COMMUNITIES}
    hands.to(now)
    for community, found in posts.items():
        for says in RULES:
            for category in says.categories:
                _rule(here, community, says, category, found[says.post])
                db.session().flush()  # the next rule is compared with it


def _kept(community: int) -> tuple[str, list[str]]:
    """The community's property company, and the estates that it keeps."""
    keepers = {
        key: plan.keeper for key, plan in ESTATES.items() if plan.community == community and plan.keeper
    }
    keeper = next(iter(keepers.values()))
    return keeper, list(keepers)


def _posts(here: Town, community: int) -> dict[str, Post]:
    keeper, kept = _kept(community)
    return {
        name: service.add_post(
            community_id=community,
            org_id=here.orgs[org],
            name=name,
            estates=[here.estates[key] for key in kept] if org == keeper else [],
            gap=service.GAP,
            week=Week(
                [
                    WeeklyTurn(here.staff[who.account].id, who.weekdays, hours.read(who.start, who.end))
                    for who in stand
                ],
                places.today(),
            ),
            days=[],
            acting_user=here.staff[f"community{community - 100}"],
        )
        for name, (org, stand) in rosters_of(community, keeper).items()
    }


def _rule(here: Town, community: int, says: Says, category: str, post: Post) -> None:
    keeper, kept = _kept(community)
    # Estates without a company are looked after by the desk, also in working hours.
    where: list[str | None] = [*kept] if post.org_id == here.orgs[keeper] else [None]
    title = says.title.format(CALLED[category])
    for key in where:
        rules.add_rule(
            rules.Says(
                name=f"{title}（{HOMES[key]}）" if key else title,
                org_id=post.org_id,
                category=category,
                estate=here.estates[key] if key else None,
                time_kind=says.time_kind,
                post=Ref(post.community_id, post.id),
                method=says.method,
            ),
            community_id=community,
            valid_from=places.today(),
            valid_to=None,
            acting_user=here.staff[f"community{community - 100}"],
        )
