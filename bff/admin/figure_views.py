"""Figures as staff read them: names, percentages, and what each metric means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from app import ids
from app.ids import Kind, Ref
from app.people import queries as people
from app.people.scopes import StaffActor
from app.places import queries as places
from app.tickets import assessments, figures
from app.tickets import queries as tickets
from app.tickets.dashboard import Dashboard
from app.tickets.figure_counts import Tally
from app.tickets.figure_models import Assessment, Out, Stint
from app.tickets.figure_rules import MIN_SAMPLE, RULES, Metric, Part
from app.tickets.figures import PERIODS, By, Figure, Figures, Made, Wanted
from app.tickets.models import Channel, TicketStatus
from bff.admin.figure_schemas import NONE
from bff.admin.places import is_my_grid, my_estates, my_orgs
from bff.admin.views import rows_out

ROUNDING = "百分率和天数四舍五入到小数点后两位；排名按未舍入的数计算"
TOO_FEW = "样本不足"
DAY_S = 86_400

# Name and what it says on the screen: numerator ÷ denominator, and which moment puts a ticket into the period.
METRICS: Mapping[Metric, tuple[str, str]] = {
    Metric.ACCEPT_ON_TIME: ("受理及时率", "收到后 3 分钟内受理 ÷ 收到的工单（按收到时间）"),
    Metric.DISPATCH_ON_TIME: ("交办及时率", "受理、退回或重新办理后 5 分钟内派单 ÷ 全部派单（按派单时间）"),
    Metric.CLOSED_ON_TIME: (
        "按期办结率",
        "时限内办结 ÷ 时限已到的工单，超期未办结的也在分母内（按时限到期时间）",
    ),
    Metric.CLOSED: ("办结率", "现已办结 ÷ 受理的工单（按首次受理时间）"),
    Metric.SATISFIED: ("满意率", "满意和基本满意 ÷ 居民评价或回访过的办结（按最后一次评价或回访时间）"),
    Metric.RATED: ("评价率", "居民自己评价过的办结 ÷ 全部办结（按办结时间）"),
    Metric.CALLED_BACK: ("回访率", "回访过的办结 ÷ 全部办结（按办结时间）"),
    Metric.HANDLING_TIME: (
        "平均办理时长",
        "首次受理到办结的时间，含重新办理，÷ 未再重新办理的办结（按办结时间）",
    ),
    Metric.FIRST_RESOLUTION: (
        "首次处理时长",
        "首次受理到首次处理完毕的时间 ÷ 未再重新办理的办结（按办结时间）",
    ),
    Metric.REPEATED: (
        "重复投诉率",
        "同一人、同一地点、同一类别在办结后 30 天内再次上报（按收到时间）÷ 全部办结（按办结时间）",
    ),
    Metric.REWORK: ("返工率", "核实未通过 ÷ 全部核实（按核实时间）"),
    Metric.RETURNED: ("退单率", "被退回的派单 ÷ 全部派单（按派单时间）"),
    Metric.OVERDUE: ("超期率", "超期办结和超期未办结 ÷ 时限已到的工单（按时限到期时间）"),
    Metric.SUPERVISED: ("督办率", "被督办的派单 ÷ 全部派单（按派单时间）"),
}
REASONS = {
    "excluded": "不合理诉求，已剔除",
    "withdrawn": "居民撤回",
    "rejected": "不予受理",
    "merged": "已合并",
    "referred": "已转其他社区",
    "waiting": "收到不满 3 分钟，待受理",
    "not_yet_due": "时限未到",
    "standing": "暂停办理中",
    "reopened": "办结后又重新办理",
}
STATUSES = {
    TicketStatus.RECEIVED: "待受理",
    TicketStatus.ACCEPTED: "待派单",
    TicketStatus.DISPATCHED: "待处理",
    TicketStatus.IN_PROGRESS: "处理中",
    TicketStatus.RESOLVED: "待核实",
    TicketStatus.VERIFIED: "待办结",
    TicketStatus.CLOSED: "已办结",
    TicketStatus.RETURNED: "已退回",
    TicketStatus.REJECTED: "不予受理",
    TicketStatus.SUSPENDED: "已暂停",
    TicketStatus.WITHDRAWN: "已撤回",
    TicketStatus.MERGED: "已合并",
    TicketStatus.REFERRED: "已转办",
}
CHANNELS = {
    Channel.MINI_PROGRAM: "小程序",
    Channel.PHONE: "电话",
    Channel.VISIT: "来访",
    Channel.PATROL: "巡查",
    Channel.HOTLINE: "12345 热线",
    Channel.MAILBOX: "信箱",
    Channel.CAMERA: "摄像头",
    Channel.SENSOR: "传感器",
    Channel.DRONE: "无人机",
    Channel.OTHER: "其他",
}
_WITHOUT = {
    By.UNIT: "未派单",
    By.PERSON: "无经办人",
    By.CLASS: "未分类",
    By.TOP_CLASS: "未分类",
    By.ESTATE: "不在小区内",
    By.GRID: "不在网格内",
}


# --- numbers ----------------------------------------------------------------------------------------------


def _hundredths(numerator: int, denominator: int) -> int:
    """The fraction times 100, rounded half up; whole numbers only, so nothing is lost on the way."""
    return (200 * numerator + denominator) // (2 * denominator)


def _decimal(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _value(metric: Metric, figure: Figure) -> int | None:
    """Hundredths of a percent, or of a day; None without a denominator."""
    if figure.denominator == 0:
        return None
    if RULES[metric].seconds is not None:
        return _hundredths(figure.numerator, figure.denominator * DAY_S)
    return _hundredths(100 * figure.numerator, figure.denominator)


def _left_out(left: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"reason": reason, "name": name, "count": left[reason]}
        for reason, name in REASONS.items()
        if left.get(reason)
    ]


def figure_out(metric: Metric, figure: Figure) -> dict[str, Any]:
    """One metric with its numerator, denominator and what was left out."""
    name, definition = METRICS[metric]
    value, is_mean = _value(metric, figure), RULES[metric].seconds is not None
    return {
        "metric": metric.value,
        "name": name,
        "definition": definition,
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "left_out": _left_out(figure.left_out),
        "percent": f"{_decimal(value)}%" if value is not None and not is_mean else None,
        "days": _decimal(value) if value is not None and is_mean else None,
    }


def figures_out(figures: Figures) -> list[dict[str, Any]]:
    """All metrics in their order."""
    return [figure_out(metric, figures[metric]) for metric in Metric]


# --- groups -----------------------------------------------------------------------------------------------


def period_out(first: date, last: date) -> dict[str, date]:
    """From the first to the last day."""
    return {"first": first, "last": last}


def head(wanted: Wanted) -> dict[str, Any]:
    """Which days were asked for."""
    return {"period": period_out(wanted.first, wanted.last)}


def names_of(by: By, keys: Iterable[Any]) -> dict[Any, str]:
    """What the groups are called."""
    keys = [key for key in keys if key is not None]
    if by is By.UNIT:
        return dict(places.org_names(keys))
    if by is By.PERSON:
        return dict(people.staff_names(keys))
    if by in (By.CLASS, By.TOP_CLASS):
        return dict(tickets.category_names(keys))
    if by is By.COMMUNITY:
        return dict(places.region_names(keys))
    if by is By.ESTATE:
        return {ref: estate.name for ref, estate in places.estates(keys).items()}
    if by is By.GRID:
        return {
            Ref(grid.community_id, grid.id): grid.name
            for grid in places.grids_in({ref.community_id for ref in keys})
        }
    if by is By.CHANNEL:
        return {key: CHANNELS[Channel(key)] for key in keys}
    return {}


def _may_name(staff: StaffActor, by: By, key: Any) -> bool:
    """Classes and channels are the same for all; what else there is she reaches, or has had to do with."""
    if by not in {By.UNIT, By.PERSON, By.COMMUNITY, By.ESTATE, By.GRID}:
        return True
    is_hers = (
        (by is By.UNIT and key in my_orgs())
        or (by is By.ESTATE and key in my_estates())
        or (by is By.GRID and is_my_grid(key))
    )
    return is_hers or figures.reaches(staff, by, key)


def names_asked(staff: StaffActor, only: Mapping[By, Any]) -> dict[By, str]:
    """What figures were narrowed to is called, without what she doesn't reach: an id may come from anywhere."""
    return {
        by: name
        for by, key in only.items()
        if key is not None and _may_name(staff, by, key) and (name := names_of(by, [key]).get(key))
    }


def key_out(by: By, key: Any) -> str:
    """The group as the filter takes it."""
    if key is None:
        return NONE
    if by in PERIODS:
        return str(key[0].isoformat())
    if by is By.COMMUNITY:
        return ids.encode(Kind.COMMUNITY, UUID(int=key))
    kind = {By.UNIT: Kind.ORG, By.PERSON: Kind.STAFF, By.ESTATE: Kind.ESTATE, By.GRID: Kind.GRID}.get(by)
    return str(key) if kind is None else ids.encode(kind, key)


def _group(by: By, key: Any, names: Mapping[Any, str]) -> dict[str, Any]:
    if by in PERIODS:
        first, last = key
        name = first.isoformat() if first == last else f"{first.isoformat()} 至 {last.isoformat()}"
        return {"key": key_out(by, key), "name": name, "period": period_out(first, last)}
    name = _WITHOUT.get(by, "") if key is None else names.get(key) or str(key_out(by, key))
    return {"key": key_out(by, key), "name": name, "period": None}


def made_out(made: Made) -> dict[str, Any]:
    """Figures in total and by group, the groups by name."""
    rows: list[dict[str, Any]] = []
    if made.by is not None:
        names = names_of(made.by, (row.key for row in made.rows))
        rows = [_group(made.by, row.key, names) | {"figures": figures_out(row.figures)} for row in made.rows]
        if made.by not in PERIODS:
            rows.sort(key=lambda row: (row["key"] == NONE, row["name"], row["key"]))
    return {
        **head(made.wanted),
        "by": made.by.value if made.by is not None else None,
        "as_of": made.as_of,
        "calendar_version": made.calendar_version,
        "minimum_sample": MIN_SAMPLE,
        "rounding": ROUNDING,
        "total": figures_out(made.total),
        "rows": rows,
    }


def tally_out(tally: Tally, class_names: Mapping[str, str]) -> dict[str, Any]:
    """How many were received, by what they are now."""

    def counts(found: Mapping[Any, int], names: Mapping[Any, str]) -> list[dict[str, Any]]:
        return [
            {"key": NONE if key is None else str(key), "name": names.get(key, "未分类"), "count": found[key]}
            for key in sorted(found, key=lambda key: (-found[key], str(key)))
        ]

    return {
        "received": tally.received,
        "by_status": counts(tally.by_status, STATUSES),
        "by_channel": counts(tally.by_channel, CHANNELS),
        "by_class": counts(tally.by_class, class_names),
        "left_out": _left_out(tally.left_out),
    }


def tally_rows_out(by: By, rows: Mapping[Any, Tally], class_names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The groups of a count."""
    names = names_of(by, rows)
    found = [_group(by, key, names) | tally_out(tally, class_names) for key, tally in rows.items()]
    return found if by in PERIODS else sorted(found, key=lambda row: (row["key"] == NONE, row["name"]))


# --- the very tickets -------------------------------------------------------------------------------------


def items_out(
    found: Sequence[Stint], because: Mapping[Ref, str | None], asking: StaffActor
) -> list[dict[str, Any]]:
    """What a figure counts, one by one; nothing of who reported it.

    Of a ticket that the asker had and may no longer see: only what was hers.
    """
    refs = [Ref(stint.community_id, stint.ticket_id) for stint in found]
    hers = tickets.visible_among(asking, refs)
    numbers = {ref: ticket.number for ref, ticket in tickets.tickets_by_ref(refs).items()}
    classes = tickets.category_names(stint.category_code for stint in found)
    estates = places.estates(Ref(s.community_id, s.estate_id) for s in found if s.estate_id is not None)
    orgs = places.org_names(stint.org_id for stint in found)
    staff = people.staff_names(stint.handler_id for stint in found)
    items = []
    for stint, ref in zip(found, refs, strict=True):
        estate = estates.get(Ref(stint.community_id, stint.estate_id)) if stint.estate_id else None
        items.append(
            {
                "ticket_id": ref,
                "number": numbers[ref],
                "status": stint.status if ref in hers else None,
                "channel": stint.channel,
                "category": stint.category_code if ref in hers else None,
                "category_name": classes.get(stint.category_code or "") if ref in hers else None,
                "estate_name": estate.name if estate is not None else None,
                "unit": orgs.get(stint.org_id) if stint.org_id else None,
                "person": staff.get(stint.handler_id) if stint.handler_id else None,
                **{f"{part.value}_at": getattr(stint, f"{part.value}_at") for part in Part},
                "left_out": Out(stint.out).name.lower() if stint.out else None,
                "excluded_because": because.get(ref),
            }
        )
    return items


# --- assessments and the first screen ---------------------------------------------------------------------


def assessment_row_out(
    row: Assessment, *, regions: Mapping[int, str], staff: Mapping[UUID, str]
) -> dict[str, Any]:
    """One line of the list."""
    return {
        "assessment_id": row.id,
        "title": row.title,
        "period": period_out(row.first_day, row.last_day),
        "communities": [regions.get(community_id, "") for community_id in row.communities],
        "calendar_version": row.calendar_version,
        "as_of": row.published_at,
        "published_by": staff.get(row.published_by),
    }


def assessment_rows_out(rows: Sequence[Assessment]) -> list[dict[str, Any]]:
    """The lines of the list."""
    regions = places.region_names()
    staff = people.staff_names(row.published_by for row in rows)
    return [assessment_row_out(row, regions=regions, staff=staff) for row in rows]


def assessment_out(row: Assessment) -> dict[str, Any]:
    """The figures as they were published."""
    kept = row.figures
    units = []
    for unit in kept["units"]:
        key = UUID(unit["org_id"]) if unit["org_id"] else None
        names = {key: unit["name"]} if unit["name"] else {}
        figures = figures_out(assessments.read_figures(unit["figures"]))
        units.append(_group(By.UNIT, key, names) | {"figures": figures})
    units.sort(key=lambda unit: (unit["key"] == NONE, unit["name"]))
    return {
        **assessment_rows_out([row])[0],
        "minimum_sample": kept["minimum_sample"],
        "rounding": ROUNDING,
        "total": figures_out(assessments.read_figures(kept["total"])),
        "units": units,
    }


def _change(metric: Metric, now: Figure, before: Figure) -> str | None:
    mine, old = _value(metric, now), _value(metric, before)
    if mine is None or old is None:
        return None
    difference = mine - old
    return f"{'-' if difference < 0 else '+'}{_decimal(abs(difference))}"


def dashboard_out(found: Dashboard) -> dict[str, Any]:
    """The first screen."""
    month, before, year = found.month, found.month_before, found.year_before
    return {
        "as_of": found.as_of,
        "calendar_version": month.calendar_version,
        "rounding": ROUNDING,
        "waiting": [
            {
                "status": line.status,
                "name": STATUSES[TicketStatus(line.status)],
                "count": line.n,
                "overdue": line.overdue,
                "standing": line.standing,
                "warned": line.warned,
            }
            for line in found.waiting
        ],
        "today": {part.value: n for part, n in found.today.items()},
        "worst": rows_out(found.worst),
        "month": {
            **head(month.wanted),
            "month_before": period_out(before.wanted.first, before.wanted.last),
            "year_before": period_out(year.wanted.first, year.wanted.last),
            "figures": [
                figure_out(metric, month.total[metric])
                | {
                    "month_before": figure_out(metric, before.total[metric]),
                    "year_before": figure_out(metric, year.total[metric]),
                    "change_month": _change(metric, month.total[metric], before.total[metric]),
                    "change_year": _change(metric, month.total[metric], year.total[metric]),
                }
                for metric in Metric
            ],
        },
    }
