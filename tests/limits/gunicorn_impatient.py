"""The web server's settings, but a silent client is let go after a second; started by test_pressure.py."""

import struct
from pathlib import Path

exec(compile(Path("deploy/gunicorn.py").read_text(encoding="utf-8"), "deploy/gunicorn.py", "exec"))
_SILENT = struct.pack("ll", 1, 0)
