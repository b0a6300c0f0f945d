"""Dashboard and alarms ask for labels that their metrics have: one that no metric has finds nothing, for ever."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bff import metrics
from tests.conftest import TOP, House

_SELECTED = re.compile(r"\b(jiayuan_[a-z_]+)(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"\b(?:by|without|on|ignoring) ?\(([^)]*)\)")
_SHOWN = re.compile(r"\{\{ *(?:\$labels\.)?(\w+) *\}\}")
_ADDED = re.compile(r"_(total|bucket|sum|count)$")
FROM_PROMETHEUS = {"le", "instance", "job"}


def labels_of_metrics() -> dict[str, set[str]]:
    """Metric → its labels, as the program declares them."""
    found = {}
    for family in [*metrics.Backlog().collect(), *metrics.Work().collect()]:
        found[family.name] = set(family._labelnames)  # type: ignore[attr-defined]
    for one in vars(metrics).values():
        if hasattr(one, "_labelnames") and hasattr(one, "collect"):
            found[next(iter(one.collect())).name] = set(one._labelnames)
    return found


def asked() -> Iterator[tuple[str, str, set[str]]]:
    """(where, expression, the labels shown with it) of each panel and each alarm."""
    for board in sorted((TOP / "deploy" / "grafana").glob("*.json")):
        for panel in json.loads(board.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                yield panel["title"], target["expr"], set(_SHOWN.findall(target.get("legendFormat", "")))
    rules = (TOP / "deploy" / "alerts.yml").read_text(encoding="utf-8")
    for rule in rules.split("- alert: ")[1:]:
        name, _, rest = rule.partition("\n")
        expression, _, others = rest.partition(" labels: ")
        yield name, expression, set(_SHOWN.findall(others))


def test_every_label_that_dashboard_and_alarms_name_is_one_of_the_metric(house: House) -> None:
    known = labels_of_metrics()
    assert "limit" in known["jiayuan_refused"]
    wrong, seen = [], 0
    for where, expression, shown in asked():
        has = set(FROM_PROMETHEUS)
        for metric, selector in _SELECTED.findall(expression):
            labels = known.get(metric, known.get(_ADDED.sub("", metric)))
            assert labels is not None, f"{where}: {metric} is none of ours"
            has |= labels
            wanted = set(re.findall(r"(\w+) ?(?:=~|!~|!=|=)", selector))
            wrong += [(where, metric, label) for label in wanted - labels - FROM_PROMETHEUS]
            seen += 1
        grouped = {word.strip() for group in _GROUPED.findall(expression) for word in group.split(",")}
        wrong += [(where, expression, label) for label in (grouped | shown) - has]
    assert seen > 30
    assert wrong == []
