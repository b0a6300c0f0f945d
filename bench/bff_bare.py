"""What `bench.bff` compares with: views that do nothing with what they get, served as the application is."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

app = Flask("bare")


@app.get("/")
def nothing() -> dict[str, bool]:
    """The least that can be asked for."""
    return {"ok": True}


@app.post("/bff/v1/photos")
def take_photo() -> tuple[dict[str, Any], int]:
    """A photo that is received and forgotten."""
    return {"photo_id": "none", "bytes": len(request.files["file"].read())}, 201


@app.post("/bff/v1/tickets")
def take_report() -> tuple[dict[str, Any], int]:
    """A report that is received and forgotten."""
    return {"photos": len(request.get_json()["photo_ids"])}, 201
