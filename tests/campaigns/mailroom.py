"""Who writes campaigns in tests: a street officer with templates, two clerks of a community, owners with phones."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app import db, ids
from app.audit import SYSTEM
from app.ids import Kind, Ref
from app.messaging import campaigns
from app.places import registry
from app.places.identity import Party
from app.places.registry_models import House
from tests.conftest import Caller, Community, Town

# Numbers carry caps by the day across the whole database: each is taken once.
_phones = itertools.count(random.SystemRandom().randrange(10**7) * 10)
_rooms = itertools.count(101)


def phone() -> str:
    """A mobile number that no other test has."""
    return f"17{next(_phones) % 10**9:09d}"


@dataclass
class Mailroom:
    """What a test does with campaigns in community a of its town."""

    town: Town
    work: Callable[..., int]

    @property
    def clerk(self) -> Caller:
        return self.town.staff("community")

    @property
    def second(self) -> Caller:
        staff = self.town.a.staff
        if "second" not in staff:
            staff["second"] = self.town.hire("community", self.town.a)
        return staff["second"]

    @property
    def street(self) -> Caller:
        return self.town.staff("street")

    @property
    def other_street(self) -> Caller:
        staff = self.town.a.staff
        if "street 2" not in staff:
            staff["street 2"] = self.town.hire("street", self.town.a)
        return staff["street 2"]

    def flat(
        self, *phones: str | None, where: Community | None = None, estate: Ref | None = None, **more: Any
    ) -> House:
        """A house whose owners have these phones."""
        home = where or self.town.a
        with db.transaction():
            return registry.add_house(
                estate=estate or home.estate,
                building=more.get("building", "1栋"),
                number=str(next(_rooms)),
                owners=[Party(f"业主{'甲乙丙丁'[n]}", one) for n, one in enumerate(phones)],
                acting_user=SYSTEM,
            )

    def flats(self, count: int, **more: Any) -> list[str]:
        """So many houses with an owner each; their phones."""
        phones = [phone() for _ in range(count)]
        for one in phones:
            self.flat(one, **more)
        return phones

    def template_body(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "停水通知",
            "kind": "notice",
            "sign": "寸滩街道",
            "text": "您好，{what}，请留意。",
            "parameters": [{"name": "what", "longest": 35}],
        } | more

    def template(self, *, providers: tuple[str, ...] = ("aliyun", "tencent"), **more: Any) -> str:
        """An approved template, known to these providers."""
        made = self.street.post("/sms-templates", self.template_body(**more))
        assert made.status_code == 201, made.text
        template_id = made.json["template_id"]
        names = [p["name"] for p in made.json["parameters"]]
        for provider in providers:
            body = {"vendor_code": f"SMS_{provider}", "parameters": names, "state": "approved"}
            mapped = self.street.call("PUT", f"/sms-templates/{template_id}/mappings/{provider}", json=body)
            assert mapped.status_code == 200, mapped.text
        approved = self.other_street.post(f"/sms-templates/{template_id}/approve")
        assert approved.status_code == 200, approved.text
        return str(template_id)

    def body(self, template_id: str | None = None, **more: Any) -> dict[str, Any]:
        """A campaign to the first estate."""
        return {
            "template_id": template_id or self.template(),
            "params": {"what": "明天停水"},
            "audience": {"type": "estates", "ids": [self.town.a.estate_id]},
        } | more

    def draft(self, template_id: str | None = None, *, by: Caller | None = None, **more: Any) -> str:
        made = (by or self.clerk).post("/campaigns", self.body(template_id, **more))
        assert made.status_code == 201, made.text
        return str(made.json["campaign_id"])

    def go(self, campaign: str, move: str, body: Any = None, *, by: Caller | None = None) -> dict[str, Any]:
        """A move that is allowed."""
        answer = (by or self.clerk).post(f"/campaigns/{campaign}/{move}", body)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def preview(self, campaign: str, *, by: Caller | None = None) -> dict[str, Any]:
        """What the preview finds."""
        asked = (by or self.clerk).post(f"/campaigns/{campaign}/preview")
        assert asked.status_code == 202, asked.text
        assert asked.headers["Location"] == asked.json["status_url"]
        self.work()
        shown = (by or self.clerk).get(f"/campaigns/{campaign}/preview").get_json()
        assert (shown["state"], shown["done"], shown["job_id"]) == ("done", 1, asked.json["job_id"])
        return shown["preview"]

    def launched(self, campaign: str, *, by: Caller | None = None) -> str:
        """Launched, and its messages written."""
        assert self.go(campaign, "launch", by=by)["state"] == "running"
        self.work()
        return campaign

    def progress(self, campaign: str, *, by: Caller | None = None) -> dict[str, Any]:
        found = (by or self.clerk).get(f"/campaigns/{campaign}/progress").get_json()
        assert sum(found["by_status"].values()) == found["total"]
        return found

    def messages(self, campaign: str, **query: Any) -> list[dict[str, Any]]:
        """All its messages, page by page."""
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = {"limit": 100, **query} | ({"cursor": cursor} if cursor else {})
            answer = self.clerk.get(f"/campaigns/{campaign}/messages", query_string=page).get_json()
            items += answer["items"]
            cursor = answer["next_cursor"]
            if cursor is None:
                return items

    def tick(self, campaign: str) -> dict[str, Any]:
        """What the periodic job does with it."""
        with db.transaction():
            campaigns.advance(ids.decode_ref(Kind.CAMPAIGN, campaign))
        self.work()
        return self.clerk.get(f"/campaigns/{campaign}").get_json()


def key_of(campaign: str) -> str:
    """Its uuid, for raw SQL."""
    return str(ids.decode_ref(Kind.CAMPAIGN, campaign).id)
