"""What a running system shows of itself: every metric that dashboard and alarms name, and one id from the request to
the call to WeChat.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conftest import TOP
from tests.workers.conftest import Plant, wait_for
from tools import processes

pytestmark = pytest.mark.long

NAME = re.compile(r"\bjiayuan_[a-z_]+")


def named() -> dict[str, str]:
    """Metric → the file that names it in an expression."""
    found: dict[str, str] = {}
    for board in sorted((TOP / "deploy" / "grafana").glob("*.json")):
        text = json.loads(board.read_text(encoding="utf-8"))
        for panel in text["panels"]:
            for target in panel["targets"]:
                found |= dict.fromkeys(NAME.findall(target["expr"]), board.name)
    rules = (TOP / "deploy" / "alerts.yml").read_text(encoding="utf-8")
    return found | dict.fromkeys(NAME.findall(rules), "alerts.yml")


@pytest.fixture
def shown(plant: Plant) -> Callable[[], str]:
    """`shown()`: the lines of /metrics of this plant."""
    port = processes.free_port()
    plant.web(METRICS_PORT=str(port))

    def read() -> str:
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
        assert answer.status_code == 200
        return answer.text

    return read


def series(text: str) -> set[str]:
    """The names that Prometheus would know after this scrape."""
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}
    # What has no value yet is announced by its type; counters show as name_total.
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
        names |= {name} | ({f"{name}_total"} if kind == "counter" else set())
    return names


def test_every_metric_that_dashboard_and_alarms_name_is_there(plant: Plant, shown: Any) -> None:
    wang = plant.resident()
    wang.report()
    wanted = named()
    assert len(wanted) > 20
    assert {name: file for name, file in wanted.items() if name not in series(shown())} == {}


def test_queues_workers_jobs_and_calls_are_counted_wherever_they_happen(plant: Plant, shown: Any) -> None:
    def value(line: str) -> float:
        found = re.search(rf"^{re.escape(line)} (\S+)$", shown(), re.MULTILINE)
        return float(found.group(1)) if found else -1.0

    wait_for(lambda: value("jiayuan_schedules") >= 1, within=70, of="the schedule is heard of")
    assert value("jiayuan_database_up") == value("jiayuan_redis_up") == 1
    assert value('jiayuan_queue_workers{queue="default"}') == 1
    jobs = 'jiayuan_jobs_total{job="drain",outcome="done",queue="default"}'
    logins = 'jiayuan_provider_calls_total{call="jscode2session",outcome="ok",provider="wechat"}'
    checks = 'jiayuan_provider_calls_total{call="msg_sec_check",outcome="ok",provider="wechat"}'
    before = [max(value(line), 0) for line in (jobs, logins, checks)]
    plant.resident().report()
    wait_for(
        lambda: all(value(line) > old for line, old in zip((jobs, logins, checks), before, strict=True)),
        within=30,
        of="a login in the web process and a check in a worker are counted",
    )
    plant.stop("workers")
    wait_for(lambda: value('jiayuan_queue_workers{queue="default"}') == 0, within=60, of="no worker is left")


def test_one_id_leads_from_the_request_through_the_job_to_the_call(plant: Plant) -> None:
    wang = plant.resident()
    given = "trace.of-this-one"
    answer = requests.post(
        f"{plant.url}/bff/v1/tickets",
        headers={"Authorization": f"Bearer {wang.token}", "X-Request-ID": given},
        json={"estate_id": plant.estate_id, "text": "楼道灯不亮", "client_token": "t" * 32},
        timeout=30,
    )
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (201, given)

    def lines(name: str) -> list[dict[str, Any]]:
        text = (plant.home / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return [json.loads(line) for line in text.splitlines() if given in line]

    assert [line["endpoint"] for line in lines("web") if "endpoint" in line] == ["tickets.open_ticket"]
    wait_for(
        lambda: any(line.get("call") == "msg_sec_check" for line in lines("workers")),
        within=30,
        of="the call to WeChat carries the request's id",
    )
