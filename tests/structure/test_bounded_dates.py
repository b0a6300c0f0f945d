"""No caller can hand in a date from which the next one can't be computed: all faces take 2000 to 2100."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# In another process: the schemas of all faces, whatever this one has booted.
LOOK = """
import importlib, inspect, json, pkgutil, sys
import marshmallow as ma
import bff
from bff.schemas import Date, Time

def within(field):
    yield field
    if isinstance(field, ma.fields.List):
        yield from within(field.inner)
    if isinstance(field, ma.fields.Dict):
        for inner in (field.key_field, field.value_field):
            if inner is not None:
                yield from within(inner)

wild, bounded = [], 0
for module in pkgutil.walk_packages(bff.__path__, "bff."):
    for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
        if not issubclass(found, ma.Schema):
            continue
        for name, field in found._declared_fields.items():
            for each in within(field):
                if isinstance(each, (Date, Time)):
                    bounded += 1
                elif isinstance(each, (ma.fields.DateTime, ma.fields.Time, ma.fields.TimeDelta)):
                    wild.append(f"{found.__module__}.{found.__name__}.{name}")
json.dump([sorted(set(wild)), bounded], sys.stdout)
"""


def test_no_schema_of_any_face_takes_an_unbounded_date_or_time() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    wild, bounded = json.loads(done.stdout)
    assert wild == []
    assert bounded > 50
