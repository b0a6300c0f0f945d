"""Public revenue of two estates: rules, a contract, and the last quarters published, two of them with an invoice behind
each cost, so that residents find figures and what stands behind them.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from app import clock, db
from app.ids import Ref
from app.people.scopes import StaffActor
from app.revenue import contracts, periods, queries, service
from app.revenue.models import EntryKind, Keeper
from app.revenue.money import Rounding
from app.revenue.service import Facts, Rules
from app.revenue.spans import Rhythm, first_of, last_of, months_after
from tools.demo import vouchers
from tools.demo.town import ESTATES, Town
from tools.demo.travel import Traveller

if TYPE_CHECKING:
    from tools.demo.stage import Album

QUARTERS, WITH_INVOICES = 5, 2
KEPT = ("pearl", "garden")
"""Estates whose books are kept; the others are late, as the overview shows."""
OPENING = 4_825_030

# What a quarter brings and costs, in yuan, give or take a tenth.
INCOME = {
    "停车": 78_000,
    "电梯广告": 21_600,
    "道闸灯箱": 6_000,
    "场地租金": 18_000,
    "快递柜": 3_000,
    "充电桩": 4_200,
}
COST = {"停车管理人工": 24_000, "道闸维护": 2_900, "能耗": 3_800, "税金": 4_600, "管理费": 9_700}
USE = {"公共设施维修": 12_300, "业委会工作经费": 7_500, "邻里活动": 3_200}


def keep(here: Town, album: Album, hands: Traveller, now: datetime, seed: int) -> None:
    """The books of each estate, entered by its property company, reviewed by the community, published by the street."""
    hands.to(now - timedelta(days=3))
    for estate in KEPT:
        _estate(here, album, estate, random.Random(f"{seed} books {estate}"))


def _estate(here: Town, album: Album, key: str, rng: random.Random) -> None:
    estate, plan = here.estates[key], ESTATES[key]
    assert plan.keeper is not None
    clerk = here.staff[f"property{plan.keeper.removeprefix('keeper')}"]
    desk, street = here.staff[f"community{plan.community - 100}"], here.staff["street"]
    this_quarter = first_of(clock.in_shanghai(clock.now()).date(), Rhythm.QUARTER)
    first = months_after(this_quarter, -3 * QUARTERS)
    service.set_rules(
        estate,
        Rules(
            split_bp=7000,
            rounding=Rounding.HALF_EVEN,
            rhythm=Rhythm.QUARTER,
            posting_days=15,
            answer_days=7,
            keeper=Keeper.COMMITTEE,
            keeper_name="业委会公共收益专户",
            basis="业主大会议事规则第二十一条",
        ),
        valid_from=first,
        acting_user=street,
    )
    categories = {
        (kind, name): Ref(made.community_id, made.id)
        for kind, names in ((EntryKind.INCOME, INCOME), (EntryKind.COST, COST), (EntryKind.USE, USE))
        for name in names
        for made in [service.add_category(estate, kind=kind, name=name, acting_user=clerk)]
    }
    contract = contracts.add_contract(
        estate,
        category=categories[EntryKind.INCOME, "电梯广告"],
        facts={
            "number": f"GG-{first.year}-01",
            "party": "渝城传媒有限公司",
            "subject": "电梯轿厢广告",
            "starts_on": first,
            "ends_on": months_after(first, 36) - timedelta(days=1),
            "price_fen": INCOME["电梯广告"] * 100,
            "rhythm": Rhythm.QUARTER.value,
        },
        file_ids=(),
        acting_user=clerk,
    )
    advertising = Ref(contract.community_id, contract.id)
    for number in range(QUARTERS):
        begins = months_after(first, 3 * number)
        _quarter(estate, begins, categories, advertising, rng, clerk, is_first=number == 0)
        if number >= QUARTERS - WITH_INVOICES:
            _invoices(estate, album, clerk)
        _publish(estate, begins, clerk, desk, street, is_first=number == 0)


def _quarter(
    estate: Ref,
    begins: date,
    categories: dict[tuple[EntryKind, str], Ref],
    advertising: Ref,
    rng: random.Random,
    clerk: StaffActor,
    *,
    is_first: bool,
) -> None:
    amounts = ((EntryKind.INCOME, INCOME), (EntryKind.COST, COST), (EntryKind.USE, USE))
    for kind, names in amounts:
        for name, yuan in names.items():
            by_contract = name == "电梯广告"
            # The advertiser still owes the first instalment.
            if by_contract and is_first:
                continue
            fen = yuan * 100 if by_contract else round(yuan * rng.uniform(90, 110))
            day = months_after(begins, rng.randrange(3)) + timedelta(days=rng.randrange(27))
            service.add_draft(
                estate,
                Facts(
                    day=day,
                    kind=kind,
                    amount_fen=fen,
                    category=categories[kind, name],
                    counterparty="渝城传媒有限公司" if by_contract else None,
                    contract=advertising if by_contract else None,
                    note=f"{day.month}月{name}",
                ),
                file_ids=(),
                acting_user=clerk,
            )
    db.session().flush()  # the period is handed in from the table


def _invoices(estate: Ref, album: Album, clerk: StaffActor) -> None:
    """An invoice behind each cost of the quarter that isn't published yet."""
    for draft in queries.drafts_of(estate, limit=100):
        if draft.kind == EntryKind.COST:
            ref = Ref(draft.community_id, draft.id)
            scan = vouchers.invoice(draft.amount_fen, draft.amount_fen % 10**8)
            paper_id = vouchers.hand_in(album, clerk, scan)
            service.change_draft(ref, changes={}, file_ids=[paper_id], version=None, acting_user=clerk)
            vouchers.publish(album, ref, paper_id, scan, clerk)
    db.session().flush()


def _publish(
    estate: Ref, begins: date, clerk: StaffActor, desk: StaffActor, street: StaffActor, *, is_first: bool
) -> None:
    view = periods.begin(
        estate,
        first_day=begins if is_first else None,
        opening_fen=OPENING if is_first else None,
        opening_note="街道核定" if is_first else None,
        acting_user=clerk,
    )
    assert view.period.last_day == last_of(begins, Rhythm.QUARTER)
    ref = Ref(view.period.community_id, view.period.id)
    db.session().flush()  # each step reads the period anew
    periods.submit(ref, version=None, acting_user=clerk)
    db.session().flush()
    periods.review(ref, passed=True, remark=None, version=None, acting_user=desk)
    db.session().flush()
    periods.publish(ref, version=None, acting_user=street)
    db.session().flush()  # the next one opens as this one closed
