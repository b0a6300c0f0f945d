"""`make bench NAME=import`: a street's register of 49,800 houses, as property offices keep them, into the registry.

Preview, apply, the same file again (nothing may change), a changed file. Each round has its own database, so that each
applies to an empty registry. Time is that of the worker's own handlers with the real reader, store and database. Memory
is the most that this process, which does what a worker does, and its reader held together, looked at twenty times a
second; the workbooks are made by another process. `grown_mb` is what a worker at rest doesn't hold.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import xlsxwriter

from app import adapters, db, ids, outbox
from app.audit import SYSTEM, Actor, ActorKind
from app.ids import Ref
from app.people import service as people
from app.places import heads, imports, queries
from app.places import service as places
from app.places.coordinates import Point
from app.places.models import RegionKind
from app.places.registry_models import RegistryImport, Source
from app.queue import Queue
from app.settings import Settings
from bench.harness import ROUNDS, Report, Target, cpu_yardstick, rounds, scaled
from tools import servers
from tools.development import secrets_of
from workers import config
from workers.handlers import HANDLERS

HOUSES = 49_800
ESTATES, COMMUNITIES = 34, 10
SEED = 20261121
HEADINGS = [
    "小区名称",
    "楼栋",
    "单元",
    "房号",
    "房屋用途",
    "产权登记面积（㎡）",
    "实测面积",
    "业主姓名",
    "联系电话",
    "身份证号",
    "交付状态",
    "登记日期",
]
_SURNAMES = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林罗高郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志文红梅春燕晓东海波雪琴辉林"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _id_number(serial: int) -> str:
    # No two persons share one: the serial number decides year, month, day and sequence.
    days, sequence = divmod(serial, 1000)
    months, day = divmod(days, 28)
    years, month = divmod(months, 12)
    first = f"5001{serial % 19 + 1:02d}{1940 + years % 64}{month + 1:02d}{day + 1:02d}{sequence:03d}"
    return first + "10X98765432"[sum(int(c) * w for c, w in zip(first, _WEIGHTS, strict=True)) % 11]


def _person(dice: random.Random, serial: int) -> tuple[str, str, str]:
    name = dice.choice(_SURNAMES) + "".join(dice.choices(_GIVEN, k=dice.choice((1, 2, 2))))
    return name, f"1{dice.choice('35789')}{dice.randint(0, 9)}{serial:08d}", _id_number(serial)


def register(houses: int) -> list[list[Any]]:
    """The rows of a made-up street: homes with co-owners, shops, parking spaces of people who live there."""
    dice = random.Random(SEED)
    rows: list[list[Any]] = []
    people_: list[tuple[str, str, str]] = []
    while len(rows) < houses:
        at = len(rows)
        number = at * ESTATES // houses
        estate = f"演示小区{number + 1:02d}"
        if people_ and dice.random() < 0.12:
            who = dice.choice(people_[-400:])
            rows.append([estate, "", "", f"车位{at}", "车位", 12.5, "", *who, "已交付", "2019-06-01"])
            continue
        owners = [_person(dice, at * 3 + n) for n in range(dice.choice((1, 1, 1, 2)))]
        people_.append(owners[0])
        serial = at - -(-number * houses // ESTATES)  # from 0 in each estate
        building, unit, floor, door = (
            serial // 120 + 1,
            serial // 60 % 2 + 1,
            serial // 4 % 15 + 1,
            serial % 4 + 1,
        )
        area = dice.randint(4500, 16000) / 100
        rows.append(
            [
                estate,
                f"{building}栋",
                f"{unit}单元",
                f"{floor}{door:02d}",
                "商铺" if dice.random() < 0.03 else "住宅",
                area,
                area - 0.5 if dice.random() < 0.5 else "",
                "、".join(o[0] for o in owners),
                "、".join(o[1] for o in owners),
                "、".join(o[2] for o in owners) if dice.random() < 0.85 else "",
                "已交付",
                "2020-03-01" if dice.random() < 0.5 else "",
            ]
        )
    return rows


def changed(rows: list[list[Any]]) -> list[list[Any]]:
    """The same street some months later: 1 % sold, 1 % measured anew."""
    dice = random.Random(SEED + 1)
    later = [list(row) for row in rows]
    for at, row in enumerate(later):
        turn = dice.random()
        if turn < 0.01 and row[4] == "住宅":
            row[7:10] = _person(dice, 90_000_000 + at)
            row[11] = "2026-10-01"
        elif turn < 0.02:
            row[5] = row[5] + 0.25
    return later


def workbook(rows: list[list[Any]]) -> bytes:
    """As an office would send it: a title over the table, buildings as words, numbers as numbers."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"constant_memory": True, "tmpdir": tempfile.gettempdir()}) as book:
        page = book.add_worksheet("房屋台账")
        page.write_string(0, 0, "某街道房屋及业主信息台账")
        page.write_row(2, 0, HEADINGS)
        for at, row in enumerate(rows, 3):
            page.write_row(at, 0, row)
    return out.getvalue()


@contextmanager
def _house(pg: servers.Postgres, redis_url: str, name: str) -> Iterator[tuple[int, Any]]:
    """A booted process on a database of its own with the street's estates; the imports' home and who imports."""
    pg.create_database(name)
    with tempfile.TemporaryDirectory() as folder:
        environment = secrets_of(Path(folder) / "dev.env") | {
            "DATABASE_URL": pg.url("app", name),
            "MIGRATION_DATABASE_URL": pg.url("owner", name),
            "REDIS_URL": redis_url,
            "STORAGE_URL": f"folder:{folder}/store",
            "PUBLIC_BASE_URL": "http://127.0.0.1",
            "RING_BELLS": "0",
            "LOG_LEVEL": "WARNING",
        }
        _migrate(environment)
        config.use(Settings.from_env(environment))
        with db.transaction():
            staff = people.add_staff(
                account=f"bench-{name}", name="台账员", password="a long enough password", acting_user=SYSTEM
            )
            places.add_region(
                region_id=9000,
                kind=RegionKind.STREET,
                name="街道",
                parent_id=None,
                since=queries.today(),
                acting_user=SYSTEM,
            )
            for community in range(1, COMMUNITIES + 1):
                places.add_region(
                    region_id=community,
                    kind=RegionKind.COMMUNITY,
                    name=f"社区{community}",
                    parent_id=9000,
                    since=queries.today(),
                    acting_user=SYSTEM,
                )
            for estate in range(ESTATES):
                places.add_estate(
                    community_id=estate % COMMUNITIES + 1,
                    name=f"演示小区{estate + 1:02d}",
                    centre=Point(106.5 + estate * 0.01, 29.6),
                    since=queries.today(),
                    acting_user=SYSTEM,
                )
        yield 1, staff.id
        db.dispose()


def _migrate(environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        env=os.environ | environment,
        check=True,
        capture_output=True,
    )


class Desk:
    """Uploads, previews and applies as the admin face and its worker do."""

    def __init__(self, home: int, staff_id: Any) -> None:
        self.home, self.staff_id = home, staff_id
        self.actor = Actor(ActorKind.STAFF, staff_id)
        with db.reading():
            self.reach = frozenset(queries.governed_estates(range(1, COMMUNITIES + 1)))

    def preview(self, file: bytes) -> tuple[Ref, float]:
        """The import and the seconds that its preview took."""
        import_id = ids.new_id()
        adapters.storage().put(
            imports.file_key(import_id), imports.seal(file, import_id), "application/octet-stream"
        )
        with db.transaction():
            imports.begin(
                home=self.home,
                import_id=import_id,
                reach=self.reach,
                source=Source.PROPERTY,
                file_sha256=hashlib.sha256(file).digest(),
                file_bytes=len(file),
                file_kind="xlsx",
                estate=None,
                staff_id=self.staff_id,
                acting_user=self.actor,
            )
        return Ref(self.home, import_id), self._work(imports.PREVIEW)

    def apply(self, ref: Ref) -> float:
        """The seconds that it took."""
        with db.transaction():
            imported = imports.import_for(self.reach, ref, lock=True)
            imports.apply(
                imported,
                skip_bad=False,
                reach=self.reach,
                staff_id=self.staff_id,
                acting_user=self.actor,
            )
        return self._work(imports.APPLY)

    def look(self, ref: Ref) -> RegistryImport:
        """The import as it stands."""
        with db.reading():
            return imports.import_for(self.reach, ref)

    def _work(self, kind: str) -> float:
        with db.transaction():
            rows = outbox.lease(self.home, Queue.IMPORTS, limit=10, seconds=600)
        began = time.monotonic()
        for row in rows:
            if row.kind == kind:
                HANDLERS[row.kind](row)
                took = time.monotonic() - began
            with db.transaction():
                outbox.done(row)
        return took


class Memory(threading.Thread):
    """Looks at what this process and the readers it started hold."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._own = psutil.Process()
        self._ended = threading.Event()
        self.peak_mb = self.at_rest_mb = self._held()

    def run(self) -> None:
        """Until `stop`."""
        while not self._ended.wait(0.05):
            self.peak_mb = max(self.peak_mb, self._held())

    def stop(self) -> None:
        """No more looking."""
        self._ended.set()
        self.join()

    def _held(self) -> float:
        held = self._own.memory_info().rss
        for child in self._own.children():
            with suppress(psutil.NoSuchProcess):
                if "app.places.sheets" in child.cmdline():
                    held += child.memory_info().rss
        return held / 1e6


def files(houses: int) -> tuple[bytes, bytes]:
    """The register, and the same some months later."""
    rows = register(houses)
    return workbook(rows), workbook(changed(rows))


def main() -> int:
    """0 when every target is met."""
    report = Report("import")
    yardstick = cpu_yardstick()
    yardstick.show()
    houses = scaled(HOUSES)
    with multiprocessing.get_context("spawn").Pool(1) as apart:
        file, later = apart.apply(files, (houses,))
    print(f"{houses:,} houses, {len(file) / 1e6:.1f} MB")
    seen: dict[str, float] = {}

    memory = Memory()
    with servers.postgres(fast=True) as pg, servers.valkey() as valkey:
        turn = iter(range(1000))

        def whole() -> dict[str, float]:
            with _house(pg, valkey.url, f"import{next(turn)}") as (home, staff_id):
                desk = Desk(home, staff_id)
                ref, preview_s = desk.preview(file)
                counts = desk.look(ref).counts or {}
                apply_s = desk.apply(ref)
                assert desk.look(ref).state == "applied", desk.look(ref).problem
                again, again_s = desk.preview(file)
                same = desk.look(again).counts or {}
                third, _ = desk.preview(later)
                different = desk.look(third).counts or {}
                changed_s = desk.apply(third)
                began = time.monotonic()
                with db.reading():
                    counted = [heads.heads_of(estate, as_of=queries.today()) for estate in desk.reach]
                seen.update(rows=counts["new"], heads=sum(map(len, counted)), changed=different["changed"])
                seen["reimport_changes"] = max(
                    seen.get("reimport_changes", 0), same["new"] + same["changed"] + same["conflicting"]
                )
                return {
                    "preview_s": preview_s,
                    "apply_s": apply_s,
                    "again_s": again_s,
                    "changed_s": changed_s,
                    "heads_s": time.monotonic() - began,
                }

        memory.start()
        taken = rounds({"import": whole}, count=ROUNDS)["import"]
        memory.stop()
    middle = {name: sorted(values)[len(values) // 2] for name, values in taken.items()}
    report.figure("rows", seen["rows"], Target(">=", HOUSES) if houses >= HOUSES else None)
    report.figure("preview_s", middle["preview_s"], Target("<=", 30, yardstick.slowdown))
    report.figure("apply_s", middle["apply_s"], Target("<=", 60, yardstick.slowdown))
    report.figure("peak_mb", memory.peak_mb, Target("<=", 500))
    report.figure("grown_mb", memory.peak_mb - memory.at_rest_mb)
    report.figure("reimport_changes", seen["reimport_changes"], Target("=", 0))
    report.figure("preview_rows_per_s", houses / middle["preview_s"])
    report.figure("apply_rows_per_s", houses / middle["apply_s"])
    report.figure("changed_rows", seen["changed"])
    report.figure("changed_apply_s", middle["changed_s"])
    report.figure("heads", seen["heads"])
    report.figure("heads_of_all_estates_s", middle["heads_s"])
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
