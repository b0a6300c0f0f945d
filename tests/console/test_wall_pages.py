"""Pages of figures by the test client: what they show is what the JSON face says, and links lead to what is counted."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app import db, ids
from app.ids import Kind
from app.places import queries as places
from app.places.models import Grid
from bff.admin.figure_views import METRICS
from tests.conftest import Person, Town
from tests.console.clerk import Clerk

DONE = ("accept", "dispatch", "start", "resolve", "verify", "close")


def test_the_dashboard_shows_its_figures_with_what_they_are_counted_of(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]], later: Callable[..., Any]
) -> None:
    for _ in range(2):
        report(category="noise")
    desk = clerk("community")
    page = desk.get("/admin/dashboard").text
    late = re.search(r'href="([^"]+overdue=true[^"]*)" title="未办结 2 件中"', page)
    assert late is not None
    every = [html.unescape(link) for link in re.findall(r'href="(/admin/tickets\?[^"]+)"', page)]
    assert len(every) > 6
    for link in every:
        assert desk.get(link).status_code == 200, link
    items = [html.unescape(link) for link in re.findall(r'href="(/admin/assessment/items[^"]+)"', page)]
    for link in items:
        assert desk.get(link).status_code == 200, link
    part = desk.get("/admin/dashboard", part=True).text
    assert part.startswith("\n") or part.lstrip().startswith("<div")
    assert "<html" not in part


def test_the_heat_of_grids_is_a_plan_with_figures_and_what_they_are_counted_of(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    for _ in range(2):
        report(category="noise")
    desk = clerk("community")
    grid = ids.encode(Kind.GRID, town.a.grid)
    plain = desk.get("/admin/dashboard").text
    assert 'class="heat"' in plain
    assert "heat-plan" not in plain
    assert "heat-plan" not in desk.get("/admin/screens/preview").text
    west, south = town.a.centre.lng, town.a.centre.lat
    ring = [[west, south], [west + 0.01, south], [west, south + 0.01], [west, south]]
    with db.transaction() as session:
        found = session.get(Grid, town.a.grid)
        assert found is not None
        found.outline = {"type": "Polygon", "coordinates": [ring]}
        name = found.name
    drawn = desk.get("/admin/dashboard").text
    said = f"{name}：未办结 2 / 2，超期 0 / 2"
    assert f"<title>{said}</title>" in drawn
    link = re.search(rf'<a class="warm-4 "\s+href="([^"]+)"\s+aria-label="{re.escape(said)}"', drawn)
    assert link is not None
    assert f"area={grid}" in link[1]
    assert desk.get(html.unescape(link[1])).text.count("data-row=") == 2
    assert 'class="heat"' not in drawn
    wall = desk.get("/admin/screens/preview").text
    assert f"<title>{said}</title>" in wall
    assert 'title="已超期 0 · 共 2 件未办结"' in wall  # each figure says on hover what it is counted of
    assert f'title="{name}：超期 0 / 未办结 2"' in wall
    # Nobody reads a name within the plan from five metres: it stands beside it, as large as everything else.
    assert "heat-plan-name" in drawn
    assert "heat-plan-name" not in wall
    assert f'<span class="line-name">{name}</span><span class="line-n"><b class="">0</b> / 2</span>' in wall
    assert "<a" not in wall.partition('class="heat-plan"')[2].partition("</svg>")[0]


def test_a_rate_of_few_is_no_figure(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]], monkeypatch: Any
) -> None:
    for _ in range(2):
        town.bring(report(category="noise")["ticket_id"], *DONE)
    desk = clerk("community")
    page = desk.get("/admin/assessment").text
    assert "样本不足" in page
    assert "100.00%" not in page


def test_each_metric_of_the_assessment_leads_to_as_many_tickets(
    town: Town,
    clerk: Callable[..., Clerk],
    report: Callable[..., dict[str, Any]],
    resident: Callable[..., Person],
) -> None:
    town.bring(report(category="noise")["ticket_id"], *DONE)
    report(category="noise")
    town.bring(report(category="noise")["ticket_id"], "reject")
    desk = clerk("community")
    total = town.staff("community").get("/stats/sla").get_json()["total"]
    page = desk.get("/admin/assessment").text
    links = [html.unescape(link) for link in re.findall(r'href="(/admin/assessment/items[^"]+)"', page)]
    assert len(links) > len(METRICS)
    for one in total:
        if one["days"] is not None:
            continue
        for share in ("numerator", "denominator"):
            wanted = [
                link
                for link in links
                if f"metric={one['metric']}&share={share}" in link and "unit=" not in link
            ]
            listed = desk.get(wanted[0]).text
            count = re.search(r"data-count>(\d+)<", listed)
            assert count is not None
            assert int(count[1]) == one[share], (one["metric"], share)
    left = desk.get("/admin/assessment/items?metric=accept_on_time&share=left_out&reason=rejected").text
    assert "不予受理" in left


def test_the_tickets_that_a_rate_lacks_are_listed(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]]
) -> None:
    done, still = report(category="noise"), report(category="noise")
    town.bring(done["ticket_id"], *DONE)
    town.bring(still["ticket_id"], "accept")
    desk = clerk("community")
    page = desk.get("/admin/assessment").text
    links = [html.unescape(link) for link in re.findall(r'href="(/admin/assessment/items[^"]+)"', page)]
    lacking = next(link for link in links if "metric=closed&share=missed" in link)
    listed = desk.get(lacking).text
    assert "data-count>1<" in listed
    assert still["number"] in listed
    assert done["number"] not in listed
    assert "没做到的" in listed
    # A mean is made of all that it counts: nothing is missing from it, and no button says so.
    mean = desk.get("/admin/assessment/items?metric=handling_time&share=denominator").text
    assert "share=missed" not in mean
    assert "没做到的" not in mean


def test_units_are_ranked_as_the_face_ranks_them(
    town: Town, clerk: Callable[..., Clerk], report: Callable[..., dict[str, Any]], monkeypatch: Any
) -> None:
    town.bring(report(category="noise")["ticket_id"], *DONE)
    for module in ("app.tickets.figures", "bff.admin.figure_views"):
        monkeypatch.setattr(f"{module}.MIN_SAMPLE", 1)
    desk = clerk("community")
    page = desk.get("/admin/assessment?metric=dispatch_on_time").text
    assert "100.00%" in page
    assert "data-chart" in page
    assert re.search(r"<td>1</td><th scope=\"row\">", page)


def test_who_may_not_count_or_hang_screens_is_refused(clerk: Callable[..., Clerk]) -> None:
    for role, paths in {
        "committee": ("/admin/dashboard", "/admin/assessment", "/admin/screens"),
        "property": ("/admin/screens", "/admin/assessment/published"),
    }.items():
        who = clerk(role)
        for path in paths:
            assert who.get(path).status_code == 403, (role, path)


def test_a_period_that_is_over_can_be_published_and_is_shown_as_it_was(
    town: Town, clerk: Callable[..., Clerk]
) -> None:
    desk, who = town.staff("community"), clerk("community")
    day = (places.today() - timedelta(days=1)).isoformat()
    assert 'id="publish"' in who.get(f"/admin/assessment?from={day}&to={day}").text
    assert 'id="publish"' not in who.get("/admin/assessment").text
    body = {"title": "十月考核", "period": {"from": day, "to": day}}
    made = desk.post("/stats/assessments", body).get_json()
    page = who.get(f"/admin/assessment/published/{made['assessment_id']}").text
    assert "十月考核" in page
    assert "样本不足" in page
    assert made["assessment_id"] in who.get("/admin/assessment/published").text
