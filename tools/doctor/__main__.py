"""`make doctor`: what is wrong with this installation, in plain words.

Of the installation that the environment names (DATABASE_URL, REDIS_URL and the rest), else of the `make run` that goes
on in this checkout. It reads, and writes nothing but a probe into the store. Exit codes: 0 nothing is wrong (maybe with
warnings), 1 something is, 2 it couldn't look.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Mapping

from sqlalchemy.exc import SQLAlchemyError

from app import boot
from app.settings import Settings, SettingsError, environment
from tools import development, servers
from tools.doctor import database, outside, work
from tools.doctor.finding import Finding, Level
from tools.processes import ServerError
from tools.run import VAR, going_on

_SIGNS = {Level.FINE: "  ok      ", Level.WARNING: "  warning ", Level.PROBLEM: "  PROBLEM "}


class NothingRuns(Exception):
    """There is nothing to look at; the text is one sentence."""


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the head of this file."""
    reader = argparse.ArgumentParser(
        prog="make doctor", description="Says what is wrong with this installation."
    )
    reader.add_argument("--quiet", action="store_true", help="only what is wrong")
    asked = reader.parse_args(arguments)
    try:
        chosen = Settings.from_env(_settings())
    except SettingsError as error:
        print(f"{_SIGNS[Level.PROBLEM]}settings    {error}")
        return 1
    except (NothingRuns, ServerError) as error:
        print(error, file=sys.stderr)
        return 2
    boot(chosen)
    logging.disable(logging.CRITICAL)  # what it finds it says itself
    problems = 0
    for finding in _all(chosen):
        problems += finding.level is Level.PROBLEM
        if finding.level is not Level.FINE or not asked.quiet:
            print(f"{_SIGNS[finding.level]}{finding.about:<12}{finding.sentence}", flush=True)
    print(
        "Nothing is wrong."
        if not problems
        else f"{problems} thing{'s are' if problems > 1 else ' is'} wrong."
    )
    return 1 if problems else 0


def _settings() -> Mapping[str, str]:
    given = environment()
    if given.get("DATABASE_URL"):
        return given
    port = going_on()
    if port is None:
        raise NothingRuns(f"Nothing runs: no DATABASE_URL is set, and no `make run` goes on in {VAR}.")
    # Both are adopted, and left running.
    postgres = servers.Postgres(VAR / "postgres").start()
    valkey = servers.Valkey(VAR / "valkey").start()
    return development.environment(
        VAR,
        port,
        database=postgres.url("app"),
        owner=postgres.url("owner"),
        redis=given.get("REDIS_URL") or valkey.url,
        retention=postgres.url("retention"),
    )


def _all(chosen: Settings) -> Iterator[Finding]:
    yield from outside.settings(chosen)
    found = list(database.look())
    yield from found
    yield from outside.disk(chosen)
    yield outside.store()
    yield outside.wechat()
    if any(
        finding.level is Level.PROBLEM and finding.about in {"database", "migrations"} for finding in found
    ):
        return  # the rest is asked of its tables
    try:
        yield from database.pooling(chosen)
        yield from work.look()
        yield from outside.sms()
        yield from outside.calendar()
        yield from outside.demo_accounts(chosen)
    except SQLAlchemyError as error:
        yield Finding(
            Level.PROBLEM, "database", f"The database stopped answering meanwhile ({type(error).__name__})."
        )


if __name__ == "__main__":
    sys.exit(main())
