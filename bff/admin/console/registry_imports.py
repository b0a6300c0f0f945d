"""Pages of the import of registers: the file, what its columns are, what it would change, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import request

from app.ids import Ref
from app.people.permissions import Permission as Allow
from app.places.headings import Field, plain
from app.places.registry_models import ImportState, Source
from bff.admin import registry_imports
from bff.admin import registry_schemas as s
from bff.admin.auth import requires
from bff.admin.console import areas
from bff.admin.console.face import blp, fragment, is_fragment, page, query
from bff.admin.console.registry_pages import estates_of
from bff.admin.console.registry_words import FIELDS, IMPORT_STATES, WORDS
from bff.http import reads
from bff.schemas import PageQuery

STEPS = ("上传文件", "对应列", "核对预览", "写入登记册")
_AT = {
    ImportState.READING: 1,
    ImportState.MAPPING: 1,
    ImportState.PREVIEWED: 2,
    ImportState.APPLYING: 3,
    ImportState.APPLIED: 4,
    ImportState.FAILED: 1,
}
MOST_SHOWN = 100

# Who keeps the file decides what it may overwrite; the strongest first.
GIVEN_BY = (
    (Source.REGISTRATION, "登记中心出具的资料，最可靠，可以改正其他来源的内容。"),
    (Source.COMMUNITY, "社区自己掌握的台账，不会覆盖登记中心和窗口核对过的内容。"),
    (Source.PROPERTY, "物业公司的收费台账，不会覆盖社区台账和更可靠的内容。"),
    (Source.DEVELOPER, "开发商的销售表，只补充没有的内容。"),
)


class ColumnChoice(NamedTuple):
    """A heading of the file and what it is taken for."""

    key: str
    heading: str
    where: str
    field: str | None


def _columns(headings: Sequence[dict[str, Any]]) -> list[ColumnChoice]:
    """Each heading once, however many sheets have it."""
    found: dict[str, ColumnChoice] = {}
    for one in headings:
        key = plain(one["heading"])[:59]
        key = f"*{key}" if key.isdecimal() else key  # a form would take a number for a place in a list
        if key and key not in found:
            found[key] = ColumnChoice(key, one["heading"], f"{one['sheet']} {one['column']}", one["field"])
    return list(found.values())


def _values(ref: Ref) -> dict[str, Any]:
    shown = s.ImportOut().dump(registry_imports.found(ref))
    columns = _columns(shown["headings"])
    return {
        **WORDS,
        "one": shown,
        "state_name": IMPORT_STATES[ImportState(shown["state"])],
        "steps": STEPS,
        "step": _AT[ImportState(shown["state"])],
        "is_busy": shown["state"] in {ImportState.READING, ImportState.APPLYING},
        "columns": columns,
        "fields": [(field.value, FIELDS[field]) for field in Field],
        "field_names": {field.value: name for field, name in FIELDS.items()},
        "missing": [FIELDS[Field(field)] for field in shown["missing"]],
    }


@blp.route("/registry/imports", methods=["GET"])
@requires(Allow.REGISTRY_IMPORT)
@reads
def import_list() -> str:
    """Every import of her estates, the newest first: who left the page finds hers again."""
    found = s.ImportList().dump(registry_imports.listed(query(PageQuery)))
    return page(
        "registry/imports.html",
        here="imports",
        list=found,
        is_later="cursor" in request.args,
        states={state.value: name for state, name in IMPORT_STATES.items()},
        is_busy=any(row["state"] in {ImportState.READING, ImportState.APPLYING} for row in found["items"]),
        sources=WORDS["sources"],
    )


@blp.route("/registry/imports/new", methods=["GET"])
@requires(Allow.REGISTRY_IMPORT)
@reads
def import_new() -> str:
    """The first step: the file, who keeps it, and of which estate it is."""
    mine = estates_of(Allow.REGISTRY_IMPORT)
    area = areas.chosen(areas.mine())
    return page(
        "registry/import_new.html",
        here="imports",
        estates=mine,
        chosen=area.value if area else mine[0][0] if len(mine) == 1 else "",
        given_by=GIVEN_BY,
        steps=STEPS,
        step=0,
        sources=WORDS["sources"],
    )


@blp.route("/registry/imports/<ref(imp):ref>", methods=["GET"])
@requires(Allow.REGISTRY_IMPORT)
@reads
def import_page(ref: Ref) -> str:
    """The step at which an import stands; the part of it is read anew while a worker is at it."""
    values = _values(ref)
    if is_fragment():
        return fragment("registry/_import.html", **values)
    return page("registry/import.html", here="imports", **values)


@blp.route("/registry/imports/<ref(imp):ref>/problems", methods=["GET"])
@requires(Allow.REGISTRY_IMPORT)
@reads
def import_problems(ref: Ref) -> str:
    """What is wrong, row by row, a page at a time."""
    asked = query(PageQuery) | {"limit": MOST_SHOWN}
    found = s.ProblemList().dump(registry_imports.problems_of(asked, ref))
    return page("registry/problems.html", here="imports", list=found, **_values(ref))
