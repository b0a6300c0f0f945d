"""`python -m sandbox --port N --state DIR`: the sandbox as a process of its own."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any, NoReturn

from sandbox.config import Config, ConfigError
from sandbox.web import HOST, bind


def _stop(*_: Any) -> NoReturn:
    # Not server.shutdown(): that waits for the very loop this handler interrupts.
    raise SystemExit(0)


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; 0 after a regular end, 2 when it can't start."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, default=None, help="folder that keeps the state between runs")
    args = parser.parse_args()
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(), format="%(levelname)s %(name)s %(message)s"
    )
    try:
        server = bind(Config.from_env(os.environ, args.state), args.port)
    except ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return 2
    except (OSError, sqlite3.Error) as e:
        what = (
            f"{HOST}:{args.port}" if args.state is None else f"{HOST}:{args.port} with state in {args.state}"
        )
        sys.stderr.write(f"The sandbox can't start on {what}: {getattr(e, 'strerror', None) or e}.\n")
        return 2
    signal.signal(signal.SIGTERM, _stop)
    logging.getLogger(__name__).info("sandbox WeChat on http://%s:%s/", HOST, server.port)
    try:
        server.serve_forever()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        server.app.extensions["sandbox"].state.close()  # type: ignore[attr-defined]
        server.app.extensions["sandbox"].hotline.close()  # type: ignore[attr-defined]
    return 0


if __name__ == "__main__":
    sys.exit(main())
