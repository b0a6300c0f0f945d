"""Puts the sandbox together as one WSGI app, and serves it on the loopback interface."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox import control, hotline, wechat
from sandbox.config import Config
from sandbox.hotline import Hotline
from sandbox.media import MediaChecks
from sandbox.push import Pusher
from sandbox.state import State

# The sandbox hands out anybody's session to whoever asks: it is for this machine alone.
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Sandbox:
    """The parts of one sandbox, as `app.extensions["sandbox"]` holds them."""

    config: Config
    state: State
    pusher: Pusher
    media: MediaChecks
    hotline: Hotline


class _Quiet(WSGIRequestHandler):
    # Header and body leave as two writes; without this every call on a kept connection waits 40 ms.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of single requests: their queries hold secrets and tokens."""

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Say nothing of clients that hang up, which is what a time-out looks like from here."""


def create_app(config: Config) -> Flask:
    """The sandbox as a WSGI app; its parts are in `app.extensions["sandbox"]`."""
    app = Flask("sandbox")
    state = State(config)
    pusher = Pusher(config, state)
    app.extensions["sandbox"] = Sandbox(
        config, state, pusher, MediaChecks(config, state, pusher), hotline.init_app(app, config)
    )
    app.config["MAX_CONTENT_LENGTH"] = 4 * 1024 * 1024
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # the default provider has it
    wechat.init_app(app)
    control.init_app(app)
    return app


def bind(config: Config, port: int) -> BaseWSGIServer:
    """A server for the sandbox, bound to loopback but not yet running; port 0 takes any free one.

    Raises OSError when the port is taken.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    # Bound here: werkzeug, finding a port taken, prints advice of its own and exits.
    with socket.create_server((HOST, port), backlog=128) as bound:
        return make_server(
            HOST,
            bound.getsockname()[1],
            create_app(config),
            threaded=True,
            request_handler=_Quiet,
            fd=bound.fileno(),
        )


@contextmanager
def running(config: Config, port: int = 0) -> Iterator[tuple[str, Sandbox]]:
    """The sandbox served in a thread for as long as the block lasts: its base URL and its parts."""
    server = bind(config, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    sandbox = server.app.extensions["sandbox"]  # type: ignore[attr-defined]
    try:
        yield f"http://{HOST}:{server.port}/", sandbox
    finally:
        sandbox.state.release()
        sandbox.hotline.release()
        server.shutdown()
        thread.join()
        server.server_close()
        sandbox.state.close()
        sandbox.hotline.close()
