"""The permissions: docs/permissions.md from the one table in `app.people.permissions` and the staff face's URLs.

`python -m tools.permissions` writes the page; `--check` fails when it is not up to date.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.people.models import Role
from app.people.permissions import ADMINISTRATORS, GRANTS, ROLE_NAMES, Permission, needs_totp
from app.people.scopes import BY_GRID, BY_REGION

PAGE = Path(__file__).resolve().parent.parent / "docs" / "permissions.md"
PREFIX = "/admin/api/v1"

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


def _endpoints() -> str:
    from tools.openapi import application

    rows = []
    app = application()
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(PREFIX):
            continue
        view = app.view_functions[rule.endpoint]
        needed = getattr(view, "_requires", None)
        asks = (
            "a right login" if needed is None else " or ".join(f"`{p}`" for p in needed) or "one's own login"
        )
        path = rule.rule.removeprefix(PREFIX)
        rows += [
            (path, method, f"| {method} | `{path}` | {asks} |\n")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        ]
    head = (
        "\n## Endpoint by permission\n\nThe service asks again for the very thing. Below `/admin/api/v1`:\n\n"
    )
    return head + "| Method | Path | Asks for |\n|---|---|---|\n" + "".join(row for _, _, row in sorted(rows))


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
