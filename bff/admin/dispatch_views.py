"""Why a ticket is where it is (为什么派到这里), in plain words, from what the event of the dispatch kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from app.ids import Ref
from app.people import queries as people
from app.people.permissions import Permission
from app.people.scopes import StaffActor
from app.tickets import queries as tickets
from app.tickets.models import Ticket, TicketEvent
from app.tickets.moves import Move

GIVING = frozenset({Move.DISPATCH, Move.ROTATE})

# Why this unit.
UNITS = {
    "estate_and_category": "没有匹配的规则，按本小区这类问题的责任单位派单",
    "category": "没有匹配的规则，按这类问题的责任单位派单",
    "estate": "没有匹配的规则，按本小区的责任单位派单",
    "desk": "没有匹配的规则和责任单位，由社区受理",
    "chosen": "派单人员指定单位",
}
# Why a rule was passed over.
PASSED = {
    "other_class": "类别不符",
    "other_place": "地点不符",
    "other_urgency": "紧急程度不符",
    "other_time": "不在规则的时间内",
    "unit_ended": "单位已停用",
    "unit_elsewhere": "单位不再负责这个社区",
    "dispute": "矛盾纠纷只派给调解室或社区",
    "other_unit": "派单人员指定了别的单位",
    "less_specific": "有更具体的规则",
}


def _because(code: str, who: str, holds: int) -> str:
    """The sentence about the person; `holds`: the tickets on her hands before this one."""
    return {
        "only_one": f"只有{who}可接，手上 {holds} 件",
        "least_loaded": f"{who}手上 {holds} 件最少",
        "longest_ago": f"{who}手上 {holds} 件，同样少的人里最久没有派到",
        "evened_out": f"手上最少的人今天已多派，轮到{who}（手上 {holds} 件）",
        "last_handler": f"{who}上次处理过这里的同类问题，手上 {holds} 件",
        "next_in_turn": f"按轮次轮到{who}，手上 {holds} 件",
        "to_grab": "由单位人员抢单",
        "nobody_on_shift": "现在没有可接单的人在岗，由单位人员抢单",
    }[code]


def staff_named(rows: Iterable[Mapping[str, Any]]) -> set[UUID]:
    """All members of staff whom the data of such events name."""
    named: set[UUID] = set()
    for data in rows:
        named |= {UUID(one["staff"]) for one in data.get("on_shift", ())}
        named |= {UUID(data[key]) for key in ("staff", "from_staff") if key in data}
    return named


def sentence(data: Mapping[str, Any], names: Mapping[UUID, str]) -> str:
    """What the event says, for a clerk: 规则「夜间漏水」；值班岗：工程班；在岗 4 人，张三手上 3 件最少."""
    said: list[str] = []
    rule = data.get("rule")
    if data.get("why") == "chosen":
        said.append(UNITS["chosen"])
    if rule is not None:
        said.append(f"规则「{rule['name']}」")
    elif data.get("why") in UNITS and data["why"] != "chosen":
        said.append(UNITS[data["why"]])
    if "from_staff" in data:
        said.append(f"由{names.get(UUID(data['from_staff']), '原处理人')}转出")
    who = names.get(UUID(data["staff"]), "—") if "staff" in data else ""
    if "post" in data:
        on_shift = data["on_shift"]
        holds = next((one["open"] for one in on_shift if one["staff"] == data.get("staff")), 0)
        words = _because(data["because"], who, holds)
        said.append(f"值班岗：{data['post']['name']}")
        said.append(f"在岗可接 {len(on_shift)} 人，{words}" if on_shift else words)
        if data.get("unable"):
            said.append(f"另有 {len(data['unable'])} 人在岗但不负责这里")
    elif who:
        said.append(f"指定处理人：{who}" + ("（现在不在班）" if data.get("off_shift") else ""))
    elif data.get("why") != "desk":
        said.append("由单位人员抢单")
    said += [f"跳过规则「{each['name']}」（{PASSED[each['why']]}）" for each in data.get("passed", ())]
    return "；".join(said)


def facts(data: Mapping[str, Any], names: Mapping[UUID, str], community_id: int) -> dict[str, Any]:
    """The same as fields."""
    rule, post = data.get("rule"), data.get("post")
    staff = UUID(data["staff"]) if "staff" in data else None
    return {
        "text": sentence(data, names),
        "rule_id": Ref(community_id, UUID(rule["id"])) if rule else None,
        "rule": rule["name"] if rule else None,
        "rule_version": rule["version"] if rule else None,
        "roster_id": Ref(community_id, UUID(post["id"])) if post else None,
        "roster": post["name"] if post else None,
        "method": data.get("method"),
        "because": data.get("because"),
        "staff_id": staff,
        "staff": names.get(staff) if staff else None,
        "off_shift": bool(data.get("off_shift")),
        "on_shift": [
            {
                "staff_id": UUID(one["staff"]),
                "staff": names.get(UUID(one["staff"])),
                "open": one["open"],
                "given": one["given"],
            }
            for one in data.get("on_shift", ())
        ],
    }


def may_read(row: TicketEvent, ticket: Ticket, asking: StaffActor) -> bool:
    """Who had how much on her hands is for the desk and for the unit itself, not for the next unit."""
    return row.org_id in asking.org_ids or tickets.may(asking, ticket, Permission.TICKET_DISPATCH)


def explained(
    events: Sequence[tickets.Event], ticket: Ticket, asking: StaffActor
) -> tuple[dict[UUID, str], dict[str, Any] | None]:
    """(a sentence by event for each time it was given to somebody, the last one as fields or None)."""
    rows = [e.row for e in events if e.row.kind in GIVING and may_read(e.row, ticket, asking)]
    names = people.staff_names(staff_named(row.data for row in rows))
    said = {row.id: sentence(row.data, names) for row in rows}
    last = next((e.row for e in reversed(events) if e.row.kind in GIVING), None)
    if last is None or last.id not in said:
        return said, None
    return said, facts(last.data, names, ticket.community_id) | {"at": last.at}
