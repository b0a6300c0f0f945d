"""The forms of the moves of a ticket: what each asks for, and what can be chosen. The JSON face checks what comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from app import ids
from app.ids import Kind
from app.people import handlers
from app.places import queries as places
from app.tickets.grounds import WORDS as GROUNDS
from app.tickets.models import Ticket
from app.tickets.moves import Move
from bff.admin.places import my_orgs


class Option(NamedTuple):
    """Something that can be chosen."""

    value: str
    text: str


class Field(NamedTuple):
    """A field of a form. `kind`: text | area | choice | many | radio | number | time | photos | pick; `type`: what the
    JSON face wants of it (see static/forms.js).
    """

    name: str
    label: str
    kind: str = "text"
    required: bool = False
    type: str = "text"
    hint: str = ""
    options: Sequence[Option] = ()
    most: int = 500
    pick: str = ""


class MoveForm(NamedTuple):
    """A form. `path`: below the ticket in the JSON face; `is_main`: among the buttons that come first."""

    move: Move
    path: str
    button: str
    done: str
    fields: Sequence[Field]
    is_main: bool = False
    is_grave: bool = False


Options = Callable[[Ticket], Sequence[Option]]


def _orgs(_: Ticket) -> list[Option]:
    found = [Option(ids.encode(Kind.ORG, org.id), org.name) for org in places.orgs(my_orgs())]
    return sorted(found, key=lambda one: one.text)


def _colleagues(ticket: Ticket) -> list[Option]:
    return [] if ticket.org_id is None else _people(ticket, ticket.org_id)


def _people(ticket: Ticket, org_id: UUID) -> list[Option]:
    found = handlers.handlers_of(org_id, community_id=ticket.community_id, grid_id=ticket.grid_id)
    return [Option(ids.encode(Kind.STAFF, one.staff_id), one.name) for one in found]


def _neighbours(ticket: Ticket) -> list[Option]:
    return [
        Option(ids.encode(Kind.COMMUNITY, UUID(int=community)), name)
        for community, name in places.community_names().items()
        if community != ticket.community_id
    ]


def _grounds(_: Ticket) -> list[Option]:
    return [Option(ground.value, words) for ground, words in GROUNDS.items()]


_YES_NO = (Option("true", "是"), Option("false", "否"))
_REASON = Field("reason", "原因", "area", required=True)

# What can be chosen, by move and field; looked up when the form is opened.
_CHOICES: dict[tuple[Move, str], Options] = {
    (Move.DISPATCH, "org_id"): _orgs,
    (Move.DISPATCH, "co_orgs"): _orgs,
    (Move.ASSIGN, "staff_id"): _colleagues,
    (Move.PART, "org_id"): _orgs,
    (Move.MEETING, "orgs"): _orgs,
    (Move.REJECT, "ground"): _grounds,
    (Move.REFER, "community_id"): _neighbours,
}

FORMS: tuple[MoveForm, ...] = (
    MoveForm(Move.ACCEPT, "accept", "受理", "已受理", (), is_main=True),
    MoveForm(
        Move.DISPATCH,
        "dispatch",
        "派单",
        "已派单",
        (
            Field("org_id", "处理单位", "choice", hint="不选就按派单规则自动派给负责的单位。"),
            Field("co_orgs", "协办单位", "many", type="list", hint="没有就不选。"),
            Field("note", "给处理单位的话", "area"),
        ),
        is_main=True,
    ),
    MoveForm(Move.GRAB, "grab", "抢单", "已由您接下", (), is_main=True),
    MoveForm(Move.START, "start", "开始处理", "已开始处理", (), is_main=True),
    MoveForm(
        Move.RESOLVE,
        "resolve",
        "处理完毕",
        "已报处理完毕，等待核实",
        (
            Field("note", "怎么处理的", "area", required=True, hint="居民会看到这段话。", most=1000),
            Field("photo_ids", "处理后的照片", "photos", type="list", hint="最多 9 张。"),
        ),
        is_main=True,
    ),
    MoveForm(
        Move.VERIFY,
        "verify",
        "核实",
        "已记录核实结果",
        (
            Field(
                "passed",
                "问题解决了吗",
                "radio",
                required=True,
                type="bool",
                options=(Option("true", "解决了，可以结案"), Option("false", "没解决，退回重办")),
            ),
            Field("note", "核实说明", "area", most=1000),
        ),
        is_main=True,
    ),
    MoveForm(Move.CLOSE, "close", "结案", "已结案", (), is_main=True),
    MoveForm(Move.RESUME, "resume", "恢复办理", "已恢复办理", (), is_main=True),
    MoveForm(
        Move.CALLBACK,
        "callback",
        "回访",
        "已记录回访",
        (
            Field(
                "stars",
                "居民打几分",
                "choice",
                required=True,
                type="int",
                options=tuple(
                    Option(str(n), f"{n} 分 {word}")
                    for n, word in (
                        (5, "很满意"),
                        (4, "满意"),
                        (3, "基本满意"),
                        (2, "不满意"),
                        (1, "很不满意"),
                    )
                ),
            ),
            Field("solved", "问题解决了吗", "radio", required=True, type="bool", options=_YES_NO),
            Field("note", "居民怎么说", "area", most=1000),
        ),
        is_main=True,
    ),
    MoveForm(
        Move.CLASSIFY,
        "category",
        "改分类",
        "分类已改",
        (Field("category", "分类", "pick", required=True, pick="/admin/pick/categories"),),
    ),
    MoveForm(
        Move.ASSIGN,
        "assign",
        "指派给同事",
        "已指派",
        (Field("staff_id", "由谁办理", "choice", required=True),),
    ),
    MoveForm(Move.ROTATE, "rotate", "轮派给下一位", "已转给下一位值班人员", (_REASON,)),
    MoveForm(
        Move.COMMENT,
        "comment",
        "留言",
        "已留言",
        (
            Field("text", "内容", "area", required=True, most=1000),
            Field(
                "visibility",
                "给谁看",
                "radio",
                required=True,
                options=(Option("internal", "只给工作人员看"), Option("reporter", "上报人也能看到")),
            ),
        ),
    ),
    MoveForm(
        Move.SUSPEND,
        "suspend",
        "暂停计时",
        "已暂停",
        (
            Field("reason", "原因", "area", required=True, hint="居民会看到。"),
            Field(
                "days", "停几天", "number", type="int", hint="不填就停到还能停的最后一天，合计不超过 10 天。"
            ),
        ),
    ),
    MoveForm(
        Move.ASK_EXTENSION,
        "extensions",
        "申请延期",
        "已提交，等待审核",
        (Field("until", "延到什么时候", "time", required=True, type="time"), _REASON),
    ),
    MoveForm(
        Move.PART,
        "parts",
        "请单位协办",
        "已通知协办单位",
        (
            Field("org_id", "协办单位", "choice", required=True),
            Field("task", "要他们做什么", "area", required=True),
        ),
    ),
    MoveForm(
        Move.MEETING,
        "meetings",
        "记协调会",
        "协调会已记录",
        (
            Field("held_at", "开会时间", "time", required=True, type="time"),
            Field("orgs", "到会单位", "many", required=True, type="list"),
            Field("plan", "怎么分工", "area", required=True, most=2000),
            Field("deadline", "商定期限", "time", type="time"),
        ),
    ),
    MoveForm(
        Move.SUPERVISE, "supervise", "督办", "已督办", (Field("note", "督办意见", "area", required=True),)
    ),
    MoveForm(
        Move.MERGE,
        "merge",
        "合并到另一件",
        "已合并",
        (
            Field(
                "into",
                "合并到哪一件",
                "pick",
                required=True,
                pick="/admin/pick/tickets",
                hint="输入工单号或几个字。",
            ),
        ),
        is_grave=True,
    ),
    MoveForm(Move.UNMERGE, "unmerge", "取消合并", "已取消合并", ()),
    MoveForm(
        Move.REFER,
        "refer",
        "转给别的社区",
        "已转办",
        (Field("community_id", "转给哪个社区", "choice", required=True), _REASON),
        is_grave=True,
    ),
    MoveForm(Move.RETURN, "return", "退单", "已退回派单人", (_REASON,), is_grave=True),
    MoveForm(
        Move.REJECT,
        "reject",
        "不予受理",
        "已答复不予受理",
        (
            Field("ground", "属于哪种情形", "choice"),
            Field("reason", "给居民的说明", "area", required=True, hint="居民会看到这段话。"),
        ),
        is_grave=True,
    ),
    MoveForm(Move.REOPEN, "reopen", "重新办理", "已重新办理", (_REASON,), is_grave=True),
    MoveForm(
        Move.EXCLUDE,
        "exclude",
        "不计入考核",
        "已不计入考核",
        (Field("reason", "原因", "area", required=True, hint="居民看不到；考核中会列出。"),),
        is_grave=True,
    ),
)
_BY_MOVE = {form.move: form for form in FORMS}


def offered(moves: Sequence[Move], *, is_late: bool = False) -> list[MoveForm]:
    """The forms of these moves, in the order of the buttons.

    Where a late ticket waits for somebody else, what is left to do is to supervise it: that button comes first then.
    """
    wanted = set(moves)
    found = [form for form in FORMS if form.move in wanted]
    if not is_late or any(form.is_main for form in found):
        return found
    return [form._replace(is_main=True) if form.move is Move.SUPERVISE else form for form in found]


def button_of(move: Move) -> str:
    """What the move is called on its button."""
    return _BY_MOVE[move].button


def form_of(move: Move, ticket: Ticket) -> MoveForm:
    """The form of a move with what can be chosen for this ticket."""
    form = _BY_MOVE[move]
    fields = [
        field._replace(options=choices(ticket)) if (choices := _CHOICES.get((move, field.name))) else field
        for field in form.fields
    ]
    return form._replace(fields=fields)


def suggestion(move: Move, ticket_out: dict[str, object]) -> dict[str, str]:
    """What a form begins with, by field: the unit and the class that the software would choose."""
    begun: dict[str, str] = {}
    unit, category = ticket_out.get("suggested_org"), ticket_out.get("suggested_category")
    if move is Move.DISPATCH and isinstance(unit, dict):
        begun["org_id"] = str(unit["org_id"])
    if move is Move.CLASSIFY and isinstance(category, dict):
        begun["category"] = str(category["code"])
    if move is Move.COMMENT:
        begun["visibility"] = "internal"
    return begun
