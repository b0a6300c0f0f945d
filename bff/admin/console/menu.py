"""What the menu offers: only what exists, and to each only what her roles may open."""

from __future__ import annotations

from typing import NamedTuple

from app.people.permissions import Permission as Allow
from app.people.scopes import StaffActor


class Entry(NamedTuple):
    """A line of the menu. `needs`: one of these permissions somewhere; none: any member of staff."""

    key: str
    name: str
    address: str
    icon: str
    needs: frozenset[Allow] = frozenset()


ENTRIES = (
    Entry("workbench", "工作台", "/admin/", "home"),
    Entry("tickets", "工单", "/admin/tickets", "list", frozenset({Allow.TICKET_VIEW})),
    Entry("intake", "登记诉求", "/admin/tickets/new", "plus", frozenset({Allow.TICKET_INTAKE})),
    Entry("inbox", "消息", "/admin/inbox", "bell"),
    Entry("me", "我的账号", "/admin/me", "user"),
)


def entries_for(staff: StaffActor) -> list[Entry]:
    """The lines that this member of staff may open."""
    return [entry for entry in ENTRIES if not entry.needs or any(staff.may(p) for p in entry.needs)]
