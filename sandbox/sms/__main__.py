"""`python -m sandbox.sms --port N [--scenario FILE]`: the SMS gateways as a process of their own."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import orjson

from sandbox.config import ConfigError
from sandbox.sms.config import SmsConfig
from sandbox.sms.http import HOST, Server
from sandbox.sms.scenario import Mistake
from sandbox.sms.server import SmsSandbox


def _stop(*_: Any) -> NoReturn:
    raise SystemExit(0)


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; 0 after a regular end, 2 when it can't start."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.sms", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--scenario", type=Path, default=None, help='JSON: {"aliyun": {…}, "tencent": {…}}')
    args = parser.parse_args()
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(), format="%(levelname)s %(name)s %(message)s"
    )
    try:
        behaviour = orjson.loads(args.scenario.read_bytes()) if args.scenario else {}
        if not isinstance(behaviour, dict) or not set(behaviour) <= {"aliyun", "tencent"}:
            raise Mistake("a scenario names aliyun, tencent or both")
        sandbox = SmsSandbox(SmsConfig.from_env(os.environ), behaviour)
        server = Server(sandbox.answer, args.port)
    except ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return 2
    except (Mistake, orjson.JSONDecodeError, OSError) as e:
        sys.stderr.write(f"The SMS sandbox can't start on {HOST}:{args.port}: {e}.\n")
        return 2
    signal.signal(signal.SIGTERM, _stop)
    sandbox.pusher.start()
    logging.getLogger(__name__).info("sandbox SMS gateways on %s", server.url)
    try:
        server.serve()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        sandbox.pusher.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
