"""Figures as a table for a spreadsheet: CSV in UTF-8 with a mark, so that Excel and WPS read Chinese rightly."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app import clock

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


MARK = b"\xef\xbb\xbf"  # the byte order mark


def safe(value: Any) -> str:
    """The value as a cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) or text.startswith(_FORMULA) else text


def write(rows: Iterable[Sequence[Any]]) -> bytes:
    """The table with the byte order mark."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([safe(cell) for cell in row])
    return MARK + out.getvalue().encode()


def of_figures(shown: Mapping[str, Any], *, filters: Sequence[tuple[str, str]]) -> bytes:
    """What `made_out` gives, one line for each group and metric, with what was asked for on top."""
    period = shown["period"]
    reasons = sorted(
        {
            left["name"]
            for figures in (shown["total"], *(row["figures"] for row in shown["rows"]))
            for figure in figures
            for left in figure["left_out"]
        }
    )
    head: list[Sequence[Any]] = [
        ("统计期", f"{period['first'].isoformat()} 至 {period['last'].isoformat()}"),
        ("筛选", "；".join(f"{name}：{value}" for name, value in filters) or "无"),
        ("截至", clock.rfc3339(shown["as_of"])),
        ("工作日历版本", shown["calendar_version"]),
        ("排名最小样本", shown["minimum_sample"]),
        ("说明", shown["rounding"]),
        (),
        ("分组", "指标", "分子", "分母", "结果", "算法", *(f"不计入：{name}" for name in reasons)),
    ]

    def lines(name: str, figures: Sequence[Mapping[str, Any]]) -> Iterable[Sequence[Any]]:
        for figure in figures:
            left = {one["name"]: one["count"] for one in figure["left_out"]}
            result = figure["percent"] or (f"{figure['days']} 天" if figure["days"] else "")
            unit = " 秒" if figure["metric"] in ("handling_time", "first_resolution") else ""
            yield (
                name,
                figure["name"],
                f"{figure['numerator']}{unit}",
                figure["denominator"],
                result,
                figure["definition"],
                *(left.get(reason, 0) for reason in reasons),
            )

    body = [line for row in shown["rows"] for line in lines(row["name"], row["figures"])]
    return write([*head, *lines("合计", shown["total"]), *body])
