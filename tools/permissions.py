"""The permissions: docs/permissions.md from the one table in `app.people.permissions` and the map of URLs.

`python -m tools.permissions` writes the page; `--check` fails when it is not up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from app.people.models import Role
from app.people.permissions import ADMINISTRATORS, GRANTS, ROLE_NAMES, Permission, needs_totp
from app.people.scopes import BY_GRID, BY_REGION

PAGE = Path(__file__).resolve().parent.parent / "docs" / "permissions.md"
PREFIX = "/admin/api/v1"
# Open to anybody, and why.
OPEN: Final = {
    "/bff/v1/session": "POST logs in",
    "/bff/v1/session/refresh": "the refresh token is the proof",
    "/admin/api/v1/session": "POST logs in",
    "/admin/login": "the page to log in on",
    "/admin/assets/<name>": "files without data",
    "/admin/screen": "how to authorise a display, and its figures for one that is",
    "/admin/api/v1/display-session": "POST brings the token of a display",
    "/public/v1/photos/<signed>": "the link is signed",
    "/public/v1/vouchers/<signed>": "the link is signed",
    "/public/consents/photo_position/1": "a text",
    "/public/v1/keys": "whoever checks a decision's log",
    "/public/v1/decisions/<ref(dec):ref>/board": "never a room, never a name",
    "/public/v1/decisions/<ref(dec):ref>/leaves": "as the board",
    "/public/v1/decisions/<ref(dec):ref>/proof": "as the board",
    "/public/v1/decisions/<ref(dec):ref>/consistency": "as the board",
    "/public/v1/decisions/<ref(dec):ref>/file": "as the board",
    "/public/v1/decisions/<ref(dec):ref>/anchor": "as the board",
    "/public/v1/decisions/<ref(dec):ref>/anchor.json": "as the board",
    "/callbacks/wechat/push": "WeChat signs",
    "/callbacks/sms/<any(aliyun, tencent):vendor>/<token>/<any(report, reply):kind>": "the secret in the address",
    "/healthz": "for load balancers",
    "/readyz": "for load balancers",
    "/docs": "documentation",
    "/docs/start.js": "documentation",
    "/docs/assets/<version>/<name>": "documentation",
    "/openapi/<name>.json": "documentation",
}
OPEN_METHODS: Final = {"/bff/v1/session": {"POST"}, "/admin/api/v1/session": {"POST"}}
Row = tuple[str, str, str]  # path, method, its line
# Who else is asked for, by the beginning of the address.
ASKED = (
    ("/bff/v1", "a resident's login"),
    ("/callbacks", "the key of a source, and its signature"),
)

HEAD = """# Permissions

Made by `python -m tools.permissions` from `app/people/permissions.py` and the map of URLs; not written by hand.
A role has these permissions within its reach and nowhere else; several roles of one account count each by its own
reach. What they mean in daily work stands in [guide/staff.md](guide/staff.md).

"""


def _roles() -> str:
    lines = ["## Roles\n\n", "| Role | | Reach | Second factor |\n|---|---|---|---|\n"]
    for role in Role:
        reach = (
            "a region" if role in BY_REGION else "a grid" if role in BY_GRID else "its organisation's work"
        )
        alone = ", no other role beside it" if role in ADMINISTRATORS else ""
        factor = "required" if needs_totp(role) else ""
        lines.append(f"| `{role}` | {ROLE_NAMES[role]} | {reach}{alone} | {factor} |\n")
    return "".join(lines)


def _table() -> str:
    lines = [
        "\n## Permission by role\n\n",
        f"| Permission | {' | '.join(Role)} |\n|---|{'---|' * len(Role)}\n",
    ]
    for permission in Permission:
        marks = ("yes" if permission in GRANTS[role] else "" for role in Role)
        lines.append(f"| `{permission}` | {' | '.join(marks)} |\n")
    return "".join(lines)


def _asks_for(rule: str, method: str, view: Callable[..., Any]) -> str:
    if rule in OPEN and method in OPEN_METHODS.get(rule, {method}):
        return f"no login: {OPEN[rule]}"
    if rule.startswith("/admin/"):
        needed = getattr(view, "_requires", ())
        return " or ".join(f"`{p}`" for p in needed) or "one's own login"
    return next(who for prefix, who in ASKED if rule.startswith(prefix))


def _endpoints() -> str:
    from tools.openapi import application

    app = application()
    of_staff: list[Row] = []
    of_pages: list[Row] = []
    of_others: list[Row] = []
    for rule in app.url_map.iter_rules():
        is_of_staff = rule.rule.startswith(PREFIX)
        rows = of_staff if is_of_staff else of_pages if rule.rule.startswith("/admin/") else of_others
        path = rule.rule.removeprefix(PREFIX) if is_of_staff else rule.rule
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            asks = _asks_for(rule.rule, method, app.view_functions[rule.endpoint])
            rows.append((path, method, f"| {method} | `{path}` | {asks} |\n"))

    def table(rows: list[Row]) -> str:
        return "| Method | Path | Asks for |\n|---|---|---|\n" + "".join(row for _, _, row in sorted(rows))

    return (
        "\n## Endpoint by permission\n\nThe service asks again for the very thing. Below `/admin/api/v1`:\n\n"
        f"{table(of_staff)}\n## Page of the console by permission\n\n{table(of_pages)}"
        f"\n## All else\n\nWhat of it is hers or his, the service decides.\n\n{table(of_others)}"
    )


def page() -> str:
    """The text of docs/permissions.md."""
    return HEAD + _roles() + _table() + _endpoints()


def main() -> int:
    """0 when written, or when the page is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        print(
            f"permissions: docs/{PAGE.name} is not what the code says; `python -m tools.permissions` writes it anew.",
            file=sys.stderr,
        )
        return 1
    print("permissions: docs/permissions.md is what the code says")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
