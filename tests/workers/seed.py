"""A small town for real processes: `python -m tests.workers.seed` prints its names as JSON."""

from __future__ import annotations

import json
import sys

from app import boot, db
from app.audit import SYSTEM
from app.places import queries as places_queries
from app.places import service as places
from app.places.models import OrgKind, RegionKind
from app.settings import Settings
from tests.conftest import _community

STREET = 9_000_000


def main() -> None:
    boot(Settings.from_env())
    with db.transaction():
        places.add_region(
            region_id=STREET,
            kind=RegionKind.STREET,
            name="试验街道",
            parent_id=None,
            since=places_queries.today(),
            acting_user=SYSTEM,
        )
        office = places.add_org(
            kind=OrgKind.STREET_OFFICE, name="街道办", region_id=STREET, acting_user=SYSTEM
        )
        community = _community(STREET, office.id, 1, "甲社区")
    sys.stdout.write(json.dumps({"community": community.id, "estate_id": community.estate_id}) + "\n")


if __name__ == "__main__":
    main()
