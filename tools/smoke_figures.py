"""Smoke step: figures with what they are made of, the tickets behind them, and the table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tools.smoke_contract import Count, Id, Int, Maybe, Text, Time, fits, page
from tools.smoke_desk import Desk
from tools.smoke_dispatch import Duty
from tools.smoke_http import Caller, check, same
from tools.smoke_patrol import SHANGHAI
from tools.smoke_world import World, pages, query, refuses

BOM = b"\xef\xbb\xbf"
PERIOD = {"from": Text, "to": Text}
LEFT_OUT = {"reason": Text, "name": Text, "count": Count}
FIGURE = {
    **dict.fromkeys(("metric", "name", "definition"), Text),
    **dict.fromkeys(("numerator", "denominator"), Count),
    "left_out": [LEFT_OUT],
    **dict.fromkeys(("percent", "days"), Maybe(Text)),
}
ROW = {"key": Text, "name": Text, "period": Maybe(PERIOD), "figures": [FIGURE]}
HEAD = {"period": PERIOD, "as_of": Time}
RULED = {**HEAD, "calendar_version": Int, "minimum_sample": Count, "rounding": Text}
SLA = {**RULED, "by": Maybe(Text), "total": [FIGURE], "rows": [ROW]}
COUNTED = {"key": Text, "name": Text, "count": Count}
TALLY = {
    "received": Count,
    **{name: [COUNTED] for name in ("by_status", "by_channel", "by_class")},
    "left_out": [LEFT_OUT],
}
COUNTS = {**HEAD, "total": TALLY, "rows": [{"key": Text, "name": Text, **TALLY}]}
RANKED = {"rank": Maybe(Count), "note": Maybe(Text), "key": Text, "name": Text, "figure": FIGURE}
RANKING = {**RULED, "metric": Text, "rows": [RANKED], "total": FIGURE}
ITEM = {
    "ticket_id": Id,
    "number": Text,
    "status": Text,
    "channel": Text,
    **dict.fromkeys(("unit", "person", "left_out"), Maybe(Text)),
    **dict.fromkeys(("received_at", "accepted_at", "dispatched_at", "due_at", "closed_at"), Maybe(Time)),
}
ITEMS = {**HEAD, **page(ITEM), "count": Count}
MONTHLY = {
    **FIGURE,
    "month_before": FIGURE,
    "year_before": FIGURE,
    **dict.fromkeys(("change_month", "change_year"), Maybe(Text)),
}
DASHBOARD = {
    "as_of": Time,
    "calendar_version": Int,
    "rounding": Text,
    "waiting": [
        {"status": Text, "name": Text, **dict.fromkeys(("count", "overdue", "standing", "warned"), Count)}
    ],
    "today": dict.fromkeys(("received", "accepted", "dispatched", "closed"), Count),
    "worst": [{"ticket_id": Id, "number": Text}],
    "month": {"period": PERIOD, "month_before": PERIOD, "year_before": PERIOD, "figures": [MONTHLY]},
}
DAY_S = 86_400


def holds(figure: dict[str, Any], where: str) -> None:
    """A figure is what its numerator and denominator give, rounded half up; of nothing there is no rate."""
    above, below = figure["numerator"], figure["denominator"]
    if below == 0:
        same((figure["percent"], figure["days"]), (None, None), f"{where}: nothing of nothing")
        return
    is_mean = figure["days"] is not None
    exact = Decimal(above) / (below * DAY_S) if is_mean else Decimal(100 * above) / below
    rounded = exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    shown = figure["days"] if is_mean else figure["percent"]
    same(shown, f"{rounded}" if is_mean else f"{rounded}%", f"{where}: {above} of {below}")


def _parts(figure: dict[str, Any]) -> Counter[str]:
    """What has to add up over the groups."""
    left = {one["reason"]: one["count"] for one in figure["left_out"]}
    return Counter({"numerator": figure["numerator"], "denominator": figure["denominator"], **left})


def adds_up(answer: dict[str, Any], where: str) -> None:
    """Every ticket is in one group, so the groups make the total: numerator, denominator, each kind left out."""
    for place, figure in enumerate(answer["total"]):
        holds(figure, f"{where} → {figure['metric']}")
        summed: Counter[str] = Counter()
        for row in answer["rows"]:
            holds(row["figures"][place], f"{where} → {row['name']} → {figure['metric']}")
            summed.update(_parts(row["figures"][place]))
        same(+summed, +_parts(figure), f"{where} → {figure['metric']}: the groups together")


def figures(_world: World, desk: Desk, duty: Duty) -> None:
    """今天的指标: they add up, the list behind a figure is as long as the figure, the export says the same."""
    who = desk.community
    today = datetime.now(SHANGHAI).date().isoformat()
    refuses(lambda caller: caller.get("/stats/sla?by=weather"), who, 422)
    refuses(lambda caller: caller.get("/stats/sla?from=2026-02-01&to=2026-01-01"), who, 422)
    answer = who.get(query("/stats/sla", by="estate"))
    sla = fits(answer.ok(), SLA, answer.where)
    adds_up(sla, answer.where)
    period = sla["period"]
    same((period["from"][8:], period["to"]), ("01", today), f"{answer.where}: this month until today")
    _drill_down(who, sla, duty)
    _counted(who)
    _ranked(who)
    _first_screen(who)
    _exported(who, sla)


def _drill_down(who: Caller, sla: dict[str, Any], duty: Duty) -> None:
    """As many tickets as the figure says; the one that was just closed is among them."""
    said = {figure["metric"]: figure for figure in sla["total"]}
    for metric in ("closed", "dispatch_on_time", "returned"):
        for share in ("numerator", "denominator"):
            path = query("/stats/items", metric=metric, share=share)
            answer = who.get(f"{path}&limit=20")
            listed = fits(answer.ok(), ITEMS, answer.where)
            same(listed["count"], said[metric][share], f"{answer.where}: as the figure says")
    left = sum(one["count"] for one in said["closed"]["left_out"])
    path = query("/stats/items", metric="closed", share="left_out", limit=20)
    same(who.get(path).ok()["count"], left, f"{path}: as many as were left out")
    path = query("/stats/items", metric="closed", share="numerator", category=duty.category)
    rows = pages(who, path, 50, lambda row: str(row["ticket_id"]))
    same(len(rows), who.get(path).ok()["count"], f"{path}: all pages together")
    check(duty.ticket_id in rows, path, "the ticket that was just closed", rows)


def _counted(who: Caller) -> None:
    """What came in: its states, channels and classes each make the whole, and so do the estates."""
    answer = who.get(query("/stats/tickets", by="estate"))
    counts = fits(answer.ok(), COUNTS, answer.where)
    for tally in (counts["total"], *counts["rows"]):
        for name in ("by_status", "by_channel", "by_class"):
            same(sum(one["count"] for one in tally[name]), tally["received"], f"{answer.where} → {name}")
    summed = sum(row["received"] for row in counts["rows"])
    same(summed, counts["total"]["received"], f"{answer.where}: the estates together")


def _ranked(who: Caller) -> None:
    """Units by rate; too small a sample has no rank but its figures, and a note that says so."""
    answer = who.get(query("/stats/units", metric="closed"))
    ranking = fits(answer.ok(), RANKING, answer.where)
    for row in ranking["rows"]:
        holds(row["figure"], f"{answer.where} → {row['name']}")
        is_ranked = row["figure"]["denominator"] >= ranking["minimum_sample"]
        same(
            (row["rank"] is not None, row["note"] is None),
            (is_ranked, is_ranked),
            f"{answer.where} → {row['name']}",
        )
    ranks = [row["rank"] for row in ranking["rows"] if row["rank"] is not None]
    same(ranks, sorted(ranks), f"{answer.where}: by rank")


def _first_screen(who: Caller) -> None:
    """The month on the first screen is the month of the figures."""
    answer = who.get("/dashboard")
    screen = fits(answer.ok(), DASHBOARD, answer.where)
    month = screen["month"]
    span = {"from": month["period"]["from"], "to": month["period"]["to"]}
    there = {
        figure["metric"]: _parts(figure) for figure in who.get(query("/stats/sla", **span)).ok()["total"]
    }
    same({figure["metric"]: _parts(figure) for figure in month["figures"]}, there, f"{answer.where} → month")
    for figure in month["figures"]:
        for one in (figure, figure["month_before"], figure["year_before"]):
            holds(one, f"{answer.where} → month → {figure['metric']}")
    for line in screen["waiting"]:
        inside = all(line[name] <= line["count"] for name in ("overdue", "standing", "warned"))
        check(inside, f"{answer.where} → waiting", "parts of the whole", line)


def _exported(who: Caller, sla: dict[str, Any]) -> None:
    """The table begins with the mark that spreadsheets want, names the period, and says what the screen says."""
    answer = who.get(query("/stats/export", by="estate"))
    check(answer.status == 200, answer.where, 200, answer.status)
    same(answer.body[:3], BOM, f"{answer.where}: the byte order mark")
    check(".csv" in answer.header("Content-Disposition"), answer.where, "a file name", answer.headers)
    table = list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig"))))
    span = f"{sla['period']['from']} 至 {sla['period']['to']}"
    same(table[0], ["统计期", span], f"{answer.where}: the period on top")
    closed = next(figure for figure in sla["total"] if figure["metric"] == "closed")
    line = next(row for row in table if row[:2] == ["合计", closed["name"]])
    same(
        (line[2], line[3], line[4]),
        (str(closed["numerator"]), str(closed["denominator"]), closed["percent"] or ""),
        f"{answer.where} → 合计 → {closed['name']}",
    )
