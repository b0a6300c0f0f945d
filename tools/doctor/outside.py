"""Settings, disk, store, vendors, calendar: what stands around database and queues."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import func, select

from app import adapters, clock, db
from app.adapters.sms import Lookup
from app.adapters.wechat import WeChatUnavailable
from app.messaging import providers
from app.people.models import Staff
from app.settings import Settings
from app.tickets.models import CalendarDay
from tools.doctor.finding import Finding, fine, problem, warning

LEAST_FREE, LEAST_FREE_BYTES = 0.10, 2 * 2**30
_PLACEHOLDER = "13800138000"  # the number of the examples everywhere; it is asked about, never written to


def settings(chosen: Settings) -> Iterator[Finding]:
    """What starts, and yet must not face the world."""
    away = not _is_near(chosen.public_base_url)
    found = list(_unfit(chosen)) if away else []
    yield from found
    if chosen.database_url == chosen.migration_database_url:
        yield warning("settings", "One role for everything: set MIGRATION_DATABASE_URL to the owner's.")
    if not chosen.retention_database_url:
        yield warning("settings", "RETENTION_DATABASE_URL isn't set: append-only tables only grow.")
    if not found:
        yield fine(
            "settings",
            "All settings can be read." if away else "All settings can be read; reached on loopback alone.",
        )


def _unfit(chosen: Settings) -> Iterator[Finding]:
    if chosen.demo:
        yield problem(
            "settings", "DEMO is on where the world can reach us: its accounts stand in the README."
        )
    if not chosen.public_base_url.startswith("https://"):
        yield problem("settings", "PUBLIC_BASE_URL isn't https: logins and photos travel in clear.")
    if _is_near(chosen.wechat_api_base):
        yield problem(
            "settings", "WECHAT_API_BASE is a stand-in on this machine: anybody logs in as anybody."
        )
    for vendor, endpoint in (
        ("ALIYUN", chosen.aliyun_sms_endpoint),
        ("TENCENT", chosen.tencent_sms_endpoint),
    ):
        if _is_near(endpoint):
            yield problem(
                "settings", f"{vendor}_SMS_ENDPOINT is a stand-in on this machine: no text message arrives."
            )


def _is_near(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "::1", "localhost"}


def demo_accounts(chosen: Settings) -> Iterator[Finding]:
    """Accounts of the demonstration in an installation that is none."""
    if chosen.demo:
        return
    with db.reading() as session:
        left = list(session.scalars(select(Staff.account).where(Staff.is_demo).order_by(Staff.account)))
    if left:
        yield problem(
            "demo",
            f"{len(left)} accounts of staff are the demonstration's ({', '.join(left[:3])}, …). Their password opens "
            "nothing here, but this database was made for a demonstration: start with a fresh one.",
        )


def disk(
    chosen: Settings, usage: Callable[[str], tuple[int, int, int]] = shutil.disk_usage
) -> Iterator[Finding]:
    """Room for photos and for what is written beside them."""
    places = {"/tmp": "temporary files"}  # noqa: S108 - where uploads are spooled
    if chosen.storage_url.startswith("folder:"):
        places[chosen.storage_url.removeprefix("folder:")] = "photos"
    sound = True
    for path, what in places.items():
        if not Path(path).exists():
            continue
        total, _, free = usage(path)
        if free < LEAST_FREE_BYTES or free < LEAST_FREE * total:
            sound = False
            yield problem(
                "disk", f"The disk of the {what} has {free / 2**30:.1f} GiB of {total / 2**30:.0f} left."
            )
    if sound:
        yield fine("disk", "There is room.")


def store() -> Finding:
    """Can a photo be written now?"""
    if adapters.storage().healthy():
        return fine("photos", "The store takes photos.")
    return problem(
        "photos", "The store takes no photo: is it mounted, writable, not full, and its key right?"
    )


def wechat() -> Finding:
    """Does WeChat take our AppID and secret? It gives the token that is in use anyway."""
    try:
        adapters.wechat().check_credentials()
    except WeChatUnavailable as error:
        if error.errcode is None:
            return problem("wechat", "WeChat doesn't answer: logins and notices wait.")
        return problem(
            "wechat",
            f"WeChat refuses us (errcode {error.errcode}): are WECHAT_APPID and WECHAT_SECRET right?",
        )
    return fine("wechat", "WeChat knows us.")


def sms(asked: Mapping[str, Lookup] | None = None) -> Iterator[Finding]:
    """Do the vendors in use have keys, and do they take them? Nothing is sent: the record of a number is asked for."""
    with db.reading():
        enabled = [row.code for row in providers.listed() if row.is_enabled]
    vendors = {vendor.value: way for vendor, way in adapters.sms().items()}
    if not vendors:
        yield warning("sms", "No SMS vendor has keys: no text message leaves.")
        return
    for code in enabled:
        if code not in vendors:
            yield warning("sms", f"{code} is switched on and has no keys: the others carry its share.")
            continue
        today = clock.in_shanghai(clock.now()).date()
        said = asked[code] if asked is not None else vendors[code].look_up(_PLACEHOLDER, day=today)
        if said.answered:
            yield fine("sms", f"{code} takes our keys.")
        else:
            yield problem("sms", f"{code} refuses us or doesn't answer ({said.code}).")


def calendar(today: date | None = None) -> Iterator[Finding]:
    """Limits are counted in working days: is this year announced, and from December on the next?"""
    day = today or clock.in_shanghai(clock.now()).date()
    years = [day.year, day.year + 1] if day.month == 12 else [day.year]
    for year in years:
        with db.reading() as session:
            days, confirmed = session.execute(
                select(func.count(), func.count().filter(CalendarDay.is_confirmed)).where(
                    CalendarDay.day.between(date(year, 1, 1), date(year, 12, 31))
                )
            ).one()
        if days and confirmed == days:
            yield fine("calendar", f"The working days of {year} are confirmed.")
        elif year == day.year:
            yield problem(
                "calendar",
                f"The working days of {year} aren't confirmed: limits are counted wrongly round holidays.",
            )
        else:
            yield warning("calendar", f"Load the working days of {year} before the year begins.")
