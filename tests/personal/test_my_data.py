"""My data: a copy of all of it, and an end to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from app import db, dossiers, ids, orphans
from app.ids import Kind
from app.tables import metadata
from tests.conftest import Caller, House, Person, Town, camera
from tests.personal.conftest import Life, mobile


def actions(owner: psycopg.Connection[Any], lane: int, object_id: Any) -> list[str]:
    rows = owner.execute(
        "SELECT action FROM audit_log WHERE community_id = %s AND object_id = %s ORDER BY id",
        (lane, object_id),
    )
    return [action for (action,) in rows]


def test_every_table_that_names_a_resident_belongs_to_a_section_of_her_data() -> None:
    named = {
        table.name
        for table in metadata().tables.values()
        for column in table.columns
        if column.info.get("soft") == "residents.id" or column.name == "resident_id"
    }
    listed = set().union(*(section.tables for section in dossiers.SECTIONS))
    assert named - listed == set()


def test_the_copy_holds_everything_of_hers_in_clear_and_nothing_of_others(
    life: Life, owner: psycopg.Connection[Any]
) -> None:
    answer = life.wang.get("/me/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Cache-Control"] == "no-store"
    sections = answer.json["sections"]
    assert set(sections) == {section.name for section in dossiers.SECTIONS}
    (profile,) = sections["profile"]
    assert (profile["nickname"], profile["phone"]) == (life.names[0], life.phones["wang"])
    assert [(c["key"], c["version"]) for c in sections["consents"]] == [("photo_position", 1)]
    assert len(sections["logins"]) == 1
    assert len(sections["waiting_photos"]) == 1
    assert len(sections["messages"]) > 3
    # Both of her reports, in two communities; not the one of the caller, and not the hotline's.
    assert {t["ticket_id"] for t in sections["tickets"]} == set(life.tickets[:2])
    first = next(t for t in sections["tickets"] if t["ticket_id"] == life.tickets[0])
    assert first["contact_phone"] == life.phones["left"]
    before = next(p for p in first["photos"] if p["stage"] == "before")
    after = next(p for p in first["photos"] if p["stage"] == "after")
    assert before["position"] is not None, "she agreed to have it kept"
    assert after["position"] is None, "it shows where a member of staff was"
    assert life.words[0] in [e["text"] for e in first["timeline"] if e["by_me"]]
    for secret in [*life.phones.values(), *life.names, *life.id_numbers, *life.hidden]:
        hers = secret in {life.phones["wang"], life.phones["left"], life.names[0], life.hidden[0]}
        assert (secret in answer.text) is hers, secret
    assert [t["ticket_id"] for t in life.li.get("/me/export").json["sections"]["joined_tickets"]] == [
        life.tickets[0]
    ]
    assert "resident.exported" in actions(owner, ids.lane_of(life.wang.id), life.wang.id)


def test_a_closed_account_leaves_no_person_behind(
    life: Life,
    town: Town,
    work: Callable[..., int],
    everywhere: Callable[[str], list[str]],
    owner: psycopg.Connection[Any],
    visitor: Caller,
) -> None:
    wang, desk = life.wang, town.staff("community")
    with db.reading():
        orphans_before = orphans.count()
    before = desk.get(f"/tickets/{life.tickets[0]}").json
    assert before["reporter"]["phone_masked"]

    closed = wang.delete("/me")
    assert closed.status_code == 204, closed.text
    work()

    # Her logins have ended, also the one that asks.
    assert wang.get("/me").status_code == 401
    body = {"refresh_token": wang.session["refresh_token"]}
    assert visitor.post("/bff/v1/session/refresh", body).status_code == 401
    # Her id stands only where nothing can be rewritten, and says nothing there without her row.
    assert set(everywhere(str(wang.id))) <= {
        "audit_log",
        "ticket_events",
        "outbox",
        "media_checks",
        "uploads",
    }
    # The ticket goes on without her.
    after = desk.get(f"/tickets/{life.tickets[0]}").json
    assert (after["reporter"]["name"], after["reporter"]["phone_masked"]) == (None, None)
    assert after["status"] == before["status"]
    assert [p["photo_ref"] if "photo_ref" in p else p["url"] for p in after["photos"]]
    assert len(after["timeline"]) == len(before["timeline"])
    assert life.words[0] in [e["text"] for e in before["timeline"]]
    assert life.words[0] not in [e["text"] for e in after["timeline"]]
    assert life.words[1] in [e["text"] for e in after["timeline"]], "what staff wrote in office stays"
    unmasked = desk.post(
        "/unmask", {"object": life.tickets[0], "fields": ["contact_phone"], "purpose": "回访核实"}
    )
    assert unmasked.json["contact_phone"] is None
    # The one who joined still hears of it.
    assert life.li.ticket(life.tickets[0])["status"] == before["status"]
    with db.reading():
        assert orphans.count() == orphans_before
    assert "resident.closed" in actions(owner, ids.lane_of(wang.id), wang.id)


def test_an_open_ticket_of_a_closed_account_is_worked_to_its_end(
    resident: Callable[..., Person], town: Town, work: Callable[..., int]
) -> None:
    wang = resident()
    number = mobile()
    ticket_id = wang.report(
        town.a.estate_id, category="noise", text=f"楼上太吵，打我电话{number}，谢谢", contact_phone=number
    )["ticket_id"]
    assert wang.delete("/me").status_code == 204
    done = town.bring(ticket_id, "accept", "dispatch", "start", "resolve", "verify", "close")
    work()
    assert done["status"] == "closed"
    desk = town.staff("community")
    assert desk.get(f"/tickets/{ticket_id}").json["text"] == "楼上太吵，打我电话［电话已删除］，谢谢"
    assert desk.get("/tickets", query_string={"q": number}).json["items"] == []
    found = desk.get("/tickets", query_string={"q": "楼上太吵"}).json["items"]
    assert [t["ticket_id"] for t in found] == [ticket_id]


def test_her_phone_is_free_and_who_comes_back_is_somebody_new(
    house: House, resident: Callable[..., Person]
) -> None:
    wang, li, number = resident("wang"), resident("li"), mobile()
    wang.post("/session/phone", {"code": f"phone-{number}"})
    assert wang.delete("/me").status_code == 204
    assert li.post("/session/phone", {"code": f"phone-{number}"}).status_code == 200
    again = resident("wang")
    assert again.id != wang.id
    assert again.get("/me").json["nickname"] is None
    assert again.get("/tickets").json["items"] == []
    assert again.get("/inbox").json["items"] == []


def test_closing_twice_is_harmless(resident: Callable[..., Person], owner: psycopg.Connection[Any]) -> None:
    from app.audit import Actor, ActorKind
    from app.people import dossier

    wang = resident()
    wang.photo(camera())
    assert wang.delete("/me").status_code == 204
    assert wang.delete("/me").status_code == 401
    with db.transaction():
        assert dossier.close(resident_id=wang.id, actor=Actor(ActorKind.RESIDENT, wang.id)) is False
    assert actions(owner, ids.lane_of(wang.id), wang.id).count("resident.closed") == 1


def test_the_pictures_that_hang_at_nothing_leave_the_store(
    house: House, resident: Callable[..., Person], work: Callable[..., int], visitor: Caller
) -> None:
    from app import adapters
    from app.adapters.storage import ObjectMissing
    from app.media import service as media

    wang = resident()
    upload_id = ids.decode_id(Kind.UPLOAD, wang.photo(camera()))
    work()
    assert adapters.storage().get(media.stored_key(upload_id, "full"))
    wang.delete("/me")
    work()
    for key in (media.stored_key(upload_id, "full"), media.stored_key(upload_id, "thumb")):
        try:
            adapters.storage().get(key)
        except ObjectMissing:
            continue
        raise AssertionError(f"still there: {key}")


def test_her_memberships_end_and_name_nobody_and_her_papers_leave_the_store(
    life: Life, town: Town, work: Callable[..., int], owner: psycopg.Connection[Any]
) -> None:
    from app import adapters
    from app.adapters.storage import ObjectMissing
    from app.media import papers

    copied = life.li.get("/me/export").json["sections"]
    (mine,) = copied["memberships"]
    assert (mine["membership_id"], mine["status"], mine["name"]) == (
        life.memberships[1],
        "pending",
        life.names[1],
    )
    assert len(mine["papers"]) == 1
    assert [o["text"] for o in copied["objections"]] == [life.words[0]]
    ((paper_id,),) = owner.execute(
        "SELECT id FROM attached_papers WHERE owner_id = %s", (life.li.id,)
    ).fetchall()
    assert adapters.storage().get(papers.key(paper_id))

    assert life.li.delete("/me").status_code == 204
    work()

    seen = town.staff("community").get(f"/memberships/{life.memberships[1]}").json
    assert seen["status"] == "ended"
    assert life.names[1] not in str(seen)
    with pytest.raises(ObjectMissing):
        adapters.storage().get(papers.key(paper_id))
    # What she objected to is still in review, without her words.
    other = town.staff("community").get(f"/memberships/{life.memberships[0]}")
    assert other.status_code == 200
    assert life.words[0] not in other.text
    assert life.wang.get(f"/memberships/{life.memberships[0]}").status_code == 200


def test_nobody_closes_or_copies_without_a_login(visitor: Caller) -> None:
    assert visitor.delete("/bff/v1/me").status_code == 401
    assert visitor.get("/bff/v1/me/export").status_code == 401
    assert (
        visitor.get("/bff/v1/me/export", headers={"Authorization": f"Bearer {uuid4().hex}"}).status_code
        == 401
    )
