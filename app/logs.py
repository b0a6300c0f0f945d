"""JSON logs, one object a line, with the request's id and without personal data."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import orjson
import structlog

# The second wall: the first is not to write such things. Chinese mobile numbers, ID numbers and bearer
# tokens are cut out of whatever reaches a log line, so a careless exception text harms nobody.
_PERSONAL = (
    (re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)"), "[phone]"),
    (re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"), "[id-number]"),
    (re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"), "[token]"),
    (re.compile(r"(?<![\w-])o[A-Za-z0-9_-]{27}(?![\w-])"), "[openid]"),
)


_ANY = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in _PERSONAL))


def scrub(text: str) -> str:
    """The text with phone numbers, ID numbers, openids and tokens replaced by their kind."""
    if not _ANY.search(text):  # nearly always
        return text
    for pattern, word in _PERSONAL:
        text = pattern.sub(word, text)
    return text


def _scrub_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = scrub(value)
    return event


def as_json(event: Any, *, default: Any) -> str:
    """The line of an event, whatever is in it."""
    try:
        return orjson.dumps(event, default=default).decode()
    except TypeError:
        # Half a surrogate pair, a number of more than 64 bits: a line all the same, and scrubbed.
        return json.dumps(event, default=default)


def request_id() -> str | None:
    """The id of the request that this work goes back to, if it goes back to one."""
    found = structlog.contextvars.get_contextvars().get("request_id")
    return found if isinstance(found, str) else None


@contextmanager
def of_request(request_id: str | None) -> Iterator[None]:
    """Lines written meanwhile carry this request's id; without one, whatever they carry already."""
    if request_id is None:
        yield
        return
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        yield


def line(log: logging.Logger, said: str, **more: Any) -> None:
    """A line at INFO, made as it will be written (see `answered`); `more` are numbers and words of ours."""
    if not log.isEnabledFor(logging.INFO):
        return
    whole = {
        **more,
        "request_id": scrub(request_id() or "-"),
        "event": said,
        "level": "info",
        "logger": log.name,
        "timestamp": datetime.now().isoformat(),  # noqa: DTZ005  as the other lines: the machine's time
    }
    log.handle(
        logging.makeLogRecord(
            {"name": log.name, "levelno": logging.INFO, "levelname": "INFO", "msg": said, "whole": whole}
        )
    )


_access = logging.getLogger("access")


def answered(*, method: str, rule: str, endpoint: str, status: int, ms: float, request_id: str) -> None:
    """The line of a request that was answered, after `ms` milliseconds.

    `rule`, not the path: a path may hold a signed link or an id. The record is made here as it will be written: finding
    out who logs, and walking through the processors, would cost twenty times as much.
    """
    if not _access.isEnabledFor(logging.INFO):
        return
    said = f"{method} {rule} {status}"
    now = datetime.now()  # noqa: DTZ005  as the other lines: the machine's time
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__ = {
        **_BLANK,
        "created": now.timestamp(),
        "msecs": now.microsecond // 1000,
        "msg": said,
        "whole": {
            "endpoint": endpoint,
            "status": status,
            "ms": round(ms, 1),
            "request_id": scrub(request_id),
            "event": said,
            "level": "info",
            "logger": "access",
            "timestamp": now.isoformat(),
        },
    }
    _access.handle(record)


# What a record is besides, found out once: who logs, and from which process, isn't in the line.
_BLANK = logging.makeLogRecord(
    {
        **dict.fromkeys(("process", "processName", "thread", "threadName")),
        "name": "access",
        "levelno": logging.INFO,
        "levelname": "INFO",
    }
).__dict__


class _Lines(structlog.stdlib.ProcessorFormatter):
    """Every record through the processors, but for those that bring their line with them."""

    def format(self, record: logging.LogRecord) -> str:
        whole = record.__dict__.get("whole")
        return super().format(record) if whole is None else as_json(whole, default=repr)


def configure(level: str) -> None:
    """Send both structlog's and the standard library's records to stderr as JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=False),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # No line names a thread or a process: each record would look for them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Lines(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _scrub_event,
                structlog.processors.JSONRenderer(serializer=as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("urllib3", "botocore", "boto3", "PIL", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
