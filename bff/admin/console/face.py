"""What every page of the console shares: its blueprint, the frame around it, its headers and its error pages.

Reads are drawn here on the server by the same queries and rows as the JSON face, in one read-only session. Writes go
from the page straight to the JSON face (`static/forms.js`): no write is written twice. See docs/adr/0038.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma
from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as HttpMethodNotAllowed
from werkzeug.exceptions import NotFound as HttpNotFound

from app import clock
from app.errors import AppError, Invalid, Unauthorized
from app.messaging import staff as messages
from app.people.errors import SetUpFirst
from app.people.permissions import ROLE_NAMES
from bff import errors, limits
from bff.admin.auth import authenticate
from bff.admin.console import areas, assets, clocks, devices, menu, words
from bff.admin.console.words import say
from bff.http import open_to_all

blp = Blueprint("console", __name__, url_prefix="/admin", template_folder="templates")
blp.before_request(authenticate)
blp.before_request(limits.by_staff)

THEME_COOKIE = "jiayuan_theme"


class BadQuery(Invalid):
    """A filter in the address is none of ours."""

    code = "bad_query"
    zh = "网址中的筛选条件不正确，请返回重新选择。"
    en = "The address names a filter that doesn't exist; go back and choose again."


def query(schema: type[ma.Schema]) -> dict[str, Any]:
    """What the address asks for, read as the JSON face reads it; what was left empty isn't asked. Raises BadQuery."""
    try:
        return dict(schema().load({name: value for name, value in request.args.items() if value.strip()}))
    except ma.ValidationError as e:
        raise BadQuery from e


def is_fragment() -> bool:
    """Does the page ask for a part of itself? Not when the browser goes back to it."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


def page(template: str, *, here: str, **values: Any) -> str:
    """A page in its frame. `here`: the key of its line in the menu. Needs the read-only session of its view."""
    reach = areas.mine()
    return render_template(
        f"console/{template}",
        here=here,
        staff=g.staff,
        menu=menu.entries_for(g.staff),
        areas=reach,
        area=areas.chosen(reach),
        area_options=areas.options(reach),
        unread=messages.unread(g.staff.id),
        role=ROLE_NAMES[g.staff.grants[0].role] if g.staff.grants else "",
        idle_s=current_app.config["SETTINGS"].staff_idle_s,
        **values,
    )


def fragment(template: str, **values: Any) -> str:
    """A part of a page, without the frame."""
    return render_template(f"console/{template}", **values)


# --- what goes wrong ---------------------------------------------------------------------------------------

_HEADINGS = {
    403: "您没有权限打开这个页面",
    404: "没有找到这个页面",
    405: "这个地址不能这样打开",
    422: "筛选条件不正确",
    429: "操作太频繁",
    500: "系统出了问题",
    503: "系统暂时无法使用",
}


def _problem(error: Exception) -> ResponseReturnValue:
    """The page of an error. A part that is asked for by the page's script gets the problem document: the script
    shows it where the part would be, or asks for the login again.
    """
    if isinstance(error, SetUpFirst) and not is_fragment():
        return redirect("/admin/setup", 303)
    if is_fragment():
        return errors.from_anything(error)
    if isinstance(error, Unauthorized):
        return Response(_bare("login.html", next=request.full_path.rstrip("?")), status=401)
    document = errors.from_anything(error)
    status = document.status_code
    if status == 405 and request.method == "POST":
        return _too_early(document)
    heading = _HEADINGS.get(status, _HEADINGS[500 if status >= 500 else 404])
    said = document.get_json(silent=True, force=True) or {}
    body = _bare(
        "error.html",
        status=status,
        heading=heading,
        detail=said.get("detail", ""),
        request_id=g.get("request_id"),
    )
    return _kept(make_response(body, status), document)


def _too_early(document: Response) -> Response:
    """A form that the browser sent by itself, because the script that sends forms had not come yet. What was typed is
    in the body of the request, which nobody reads: `method="post"` keeps it out of the address and so of every log.
    """
    again = request.full_path.rstrip("?")
    return _kept(make_response(_bare("early.html", again=again), document.status_code), document)


def _kept(response: Response, document: Response) -> Response:
    """The page with the headers of the problem document that say when and how to ask."""
    for name in ("Retry-After", "Allow"):
        if name in document.headers:
            response.headers[name] = document.headers[name]
    return response


def _bare(template: str, **values: Any) -> str:
    """A page without menu: nothing of it asks the database."""
    return render_template(f"console/{template}", **values)


def _reads_pages() -> bool:
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _no_such_page(error: HTTPException) -> ResponseReturnValue:
    """What no route fits: a page below /admin/, a problem document everywhere else."""
    path = request.path
    if path.startswith("/admin") and not path.startswith("/admin/api/") and _reads_pages():
        return _headers(make_response(_problem(error)))
    return errors.from_http(error)


# --- headers -----------------------------------------------------------------------------------------------


def _headers(response: Response) -> Response:
    """No script but our files, nobody's frame, nothing kept by a cache but the files with a digest in their name."""
    pictures = urlsplit(str(current_app.config["SETTINGS"].public_base_url))
    own = f"{pictures.scheme}://{pictures.netloc}"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
        f"img-src 'self' data: {own}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    if response.mimetype == "text/html":
        response.headers["Content-Language"] = "en" if words.language() == "en" else "zh-CN"
        response.headers["Vary"] = "HX-Request, Cookie"
    return response


@blp.route("/assets/<name>", methods=["GET"])
@open_to_all
def asset(name: str) -> Response:
    """A file that pages name."""
    return assets.answer(name)


def _as_it_is(chinese: str) -> str:
    return chinese


@blp.app_context_processor
def _given() -> dict[str, Any]:
    """What every template may use."""
    lang = words.language()
    return {
        "asset": assets.address,
        "assets_installed": assets.are_installed(),
        "t": say if lang == "en" else _as_it_is,  # asked hundreds of times a page
        "lang": lang,
        "theme": "dark" if request.cookies.get(THEME_COOKIE) == "dark" else "light",
        "moment": clocks.moment,
        "deadline": clocks.deadline,
        "left": clocks.left,
        "urgency": clocks.urgency,
        "device": devices.named,
        "now_iso": clock.rfc3339(clock.now()),
        "script_words": words.for_scripts(),
        "is_fragment": is_fragment(),
    }


def init_app(app: Flask) -> None:
    """Add the pages to the application."""
    app.register_blueprint(blp)
    app.register_error_handler(HttpNotFound, _no_such_page)
    app.register_error_handler(HttpMethodNotAllowed, _no_such_page)


blp.register_error_handler(Exception, _problem)
blp.register_error_handler(HTTPException, _problem)
blp.register_error_handler(AppError, _problem)
blp.after_request(_headers)
