"""The documentation pages: Swagger UI from our own disk, one choice for each face, no CDN."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import flask_swagger_ui
import orjson
from flask import Flask, Response, send_from_directory

from app.errors import NotFound
from bff.api import Face, document

_ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
_FILES = {
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
}

# Another version's files have other names, so that a browser may keep these for good.
_VERSION = metadata.version("flask-swagger-ui")

_PAGE = f"""<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>家园 Jiayuan · API</title>
<link rel="stylesheet" href="/docs/assets/{_VERSION}/swagger-ui.css">
<link rel="icon" href="/docs/assets/{_VERSION}/favicon-32x32.png"></head>
<body><div id="swagger-ui"></div>
<script src="/docs/assets/{_VERSION}/swagger-ui-bundle.js"></script>
<script src="/docs/assets/{_VERSION}/swagger-ui-standalone-preset.js"></script>
<script src="/docs/start.js"></script></body></html>
"""

_START = """window.ui = SwaggerUIBundle({
  urls: %s,
  dom_id: "#swagger-ui", deepLinking: true, layout: "StandaloneLayout", validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset]
});
"""


def init_app(app: Flask, faces: dict[str, Face]) -> None:
    """Add /docs and /openapi/<face>.json."""
    documents = {name: orjson.dumps(document(face)) for name, face in faces.items()}
    urls = orjson.dumps([{"name": name, "url": f"/openapi/{name}.json"} for name in faces]).decode()

    @app.get("/docs")
    def docs() -> Response:
        """The interactive documentation."""
        return Response(_PAGE, content_type="text/html; charset=utf-8")

    @app.get("/docs/start.js")
    def docs_start() -> Response:
        """Starts Swagger UI with the three faces."""
        return Response(_START % urls, content_type="text/javascript; charset=utf-8")

    @app.get("/docs/assets/<version>/<name>")
    def docs_asset(version: str, name: str) -> Response:
        """A file of Swagger UI, for a year. Raises NotFound for one of another version."""
        if version != _VERSION or name not in _FILES:
            raise NotFound
        response = send_from_directory(_ASSETS, name, max_age=365 * 86400)
        response.cache_control.immutable = True
        return response

    @app.get("/openapi/<name>.json")
    def openapi(name: str) -> Response:
        """The OpenAPI document of a face, the same as committed under openapi/."""
        if name not in documents:
            raise NotFound
        return Response(documents[name], content_type="application/json")
