"""The OpenAPI files of the faces: `python -m tools.openapi` writes them, `--check` fails when they differ."""

from __future__ import annotations

import argparse
import base64
import difflib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

FOLDER = Path(__file__).resolve().parent.parent / "openapi"
FACES = ("resident", "admin", "public")


def application() -> Flask:
    """The web application from the code alone: no server, no settings of a machine. Boots this process."""
    import bff
    from app import create_app
    from app.settings import Settings

    key = base64.b64encode(bytes(32)).decode()
    settings = Settings.from_env(
        {
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
            "MIGRATION_DATABASE_URL": "postgresql://owner@127.0.0.1:9/none",
            "REDIS_URL": "redis://127.0.0.1:9/0",
            "STORAGE_URL": "folder:/nonexistent",
            "SECRET_KEY": "x" * 32,
            "DATA_KEYS": f"1:{key}",
            "HASH_KEY": key,
            "PUBLIC_BASE_URL": "http://127.0.0.1",
            "WECHAT_APPID": "wx0000000000000000",
            "WECHAT_SECRET": "x",
            "WECHAT_PUSH_TOKEN": "x",
            "WECHAT_PUSH_AES_KEY": "A" * 43,
        }
    )
    app = create_app(settings)
    bff.init_app(app)
    return app


def documents() -> dict[str, str]:
    """The document of each face as text."""
    from bff.api import document

    app = application()
    return {
        name: json.dumps(document(face), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
        for name, face in app.extensions["faces"].items()
    }


def committed(face: str) -> dict[str, Any]:
    """The document of a face as it is committed."""
    found: dict[str, Any] = json.loads((FOLDER / f"{face}.json").read_text(encoding="utf-8"))
    return found


def main() -> int:
    """0 when written, or when nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    different = False
    for name, text in documents().items():
        path = FOLDER / f"{name}.json"
        if not check:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            continue
        committed = path.read_text(encoding="utf-8") if path.exists() else ""
        if committed != text:
            different = True
            diff = difflib.unified_diff(
                committed.splitlines(), text.splitlines(), str(path.name), "code", n=1, lineterm=""
            )
            print("\n".join(list(diff)[:40]))
    if different:
        print("openapi: the files differ from the code; `make openapi` writes them anew.", file=sys.stderr)
    elif check:
        print("openapi: the files are what the code says")
    return int(different)


if __name__ == "__main__":
    raise SystemExit(main())
