"""A certified result as the street files it (备案): a workbook, or a table in CSV; by room as the rules allow."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import xlsxwriter

from app import clock
from app.places.import_sheets import harmless
from app.voting import disclosure, words
from app.voting.results import Published
from app.voting.verdicts import square_metres
from bff import results as views
from bff.admin import figure_csv

_ANSWERS = {"for": "同意", "against": "反对", "abstain": "弃权", "invalid": "无效", "chose": "已选举"}
_CHANNELS = {"online": "线上", "paper": "书面"}
_SHARES = {"1/2": "过半数", "2/3": "三分之二以上", "3/4": "四分之三以上"}


def summary(found: Published) -> list[Sequence[Any]]:
    """The result with its arithmetic, line by line."""
    row, result = found.row, found.result
    certified = clock.rfc3339(found.certified.certified_at) if found.certified else "—"
    lines: list[Sequence[Any]] = [
        (result["title"],),
        ("表决名称", row.title),
        ("效力", words.mode(row.legal_mode)),
        ("结果来源", "主管部门系统" if result["source"] == "official" else "本系统表决票"),
        ("认定时间", certified),
        ("业主总人数", result["totals"]["heads"]),
        ("专有部分总面积（平方米）", square_metres(result["totals"]["area_centi"])),
    ]
    if result.get("reference"):
        lines.append(("主管部门编号", result["reference"]))
    names = views.candidate_names(row)
    for motion in result["motions"]:
        lines += [(), *_of_motion(motion, names)]
    return lines


def _of_motion(
    motion: Mapping[str, Any], names: Mapping[str, tuple[int | None, str]]
) -> Iterable[Sequence[Any]]:
    yield f"议题{motion['number']}", motion["title"]
    yield "结果", motion["outcome_text"]
    if motion["law"]:
        yield "法律依据", motion["law"]["item"], motion["law"]["threshold"]
    yield "", "人数", "面积（平方米）"
    yield "参与表决", *_pair(motion["participating"])
    for word, weight in motion["answers"].items():
        yield _ANSWERS[word], *_pair(weight)
    yield "已送达未交回", *_pair(motion["unreturned"])
    for name, shares in (("参与比例", motion["quorum"]), ("同意比例", motion["approval"])):
        if shares:
            yield (
                f"{name}（要求{_SHARES[shares['heads']['needs']]}）",
                *(f"{s['part']}/{s['whole']}（{s['percent']}%）" for s in (shares["heads"], shares["area"])),
            )
    if motion["election"]:
        yield "候选人", "人数", "面积（平方米）", "结果"
        for c in motion["election"]["candidates"]:
            number, name = names[c["candidate_id"]]
            yield f"{number or ''} {name}".strip(), *_pair(c), c["place_text"]
    for sentence in motion["why"]:
        yield "", sentence


def _pair(weight: Mapping[str, int]) -> tuple[int, str]:
    return weight["heads"], square_metres(weight["area_centi"])


def by_room(found: Published) -> Iterable[Sequence[Any]]:
    """One line for each head: rooms, area, whether and how it took part; and its choices, where the rules show them."""
    motions = found.result["motions"]
    shown = disclosure.shows_choices(found.row)
    heading = ["序号", "房屋", "面积（平方米）", "是否参与", "方式"]
    yield [*heading, *(f"议题{m['number']}" for m in motions)] if shown else heading
    names = views.candidate_names(found.row)
    for number, room in enumerate(disclosure.every_room(found.row), 1):
        said = [
            number,
            room.label,
            square_metres(room.area_centi),
            "是" if room.has_cast else "否",
            _CHANNELS.get(room.channel or "", ""),
        ]
        choices = room.choices or {}
        yield [*said, *(_choice(choices.get(m["motion_id"]), names) for m in motions)] if shown else said


def _choice(answer: Any, names: Mapping[str, tuple[int | None, str]]) -> str:
    if isinstance(answer, list):
        return "、".join(names[c][1] for c in answer) or _ANSWERS["abstain"]
    return _ANSWERS[answer] if answer else ""


def as_csv(found: Published) -> bytes:
    """Everything in one table, the summary on top."""
    return figure_csv.write([*summary(found), (), *by_room(found)])


def as_xlsx(found: Published) -> bytes:
    """A workbook with the summary and a sheet by room. Rows go to a file as they come: a large estate has 100,000."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"constant_memory": True}) as book:
        bold = book.add_format({"bold": True, "bg_color": "#DDEBF7"})
        first, rooms = book.add_worksheet("结果"), book.add_worksheet("表决明细")
        first.set_column(0, 0, 26)
        first.set_column(1, 3, 22)
        rooms.set_column(1, 1, 30)
        rooms.freeze_panes(1, 0)
        # In this way of writing each sheet is written from top to bottom, one after the other.
        for sheet, lines in ((first, summary(found)), (rooms, by_room(found))):
            for at, line in enumerate(lines):
                for column, value in enumerate(line):
                    if isinstance(value, int):
                        sheet.write_number(at, column, value)
                    else:
                        sheet.write_string(at, column, harmless(str(value)), None if at else bold)
    return out.getvalue()
