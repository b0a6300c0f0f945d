"""What everybody may read of a decision without a login."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from app.voting import verify
from tests.conftest import Caller, Person, Town
from tests.voting import logs


def test_the_public_checks_an_open_log_and_sees_no_result(town: Town, visitor: Caller) -> None:
    log = logs.open_log(town, areas=[5000, 6000, 7000])
    log.cast(1)
    log.seal()
    visitor.prefix = f"/public/v1/decisions/{log.id}"
    first = visitor.get("/board").get_json()
    log.cast(2)
    log.cast(3)
    log.seal()
    answer = visitor.get("/board")
    board = answer.get_json()
    assert board["result"] is None
    assert board["totals"] == {"leaves": 4, "heads": 3, "area_centi": 18000}
    assert not board["is_final"]
    assert "室" not in answer.text
    assert "更换物业公司" not in answer.text
    again = visitor.get("/board", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304

    head = board["heads"][-1]
    leaves = visitor.get("/leaves?from=0&to=3").get_json()["items"]
    hashes = [verify.leaf_hash(text.encode()) for text in leaves]
    assert leaves[0] == board["opening"]
    assert verify.root_of(hashes).hex() == head["root"]
    proof = visitor.get("/proof?leaf=1").get_json()
    path = [bytes.fromhex(step) for step in proof["path"]]
    assert verify.is_included(hashes[1], 1, 4, path, bytes.fromhex(proof["head"]["root"]))
    grown = visitor.get(f"/consistency?from={first['heads'][-1]['size']}&to=4").get_json()
    steps = [bytes.fromhex(step) for step in grown["path"]]
    roots = [bytes.fromhex(grown[end]["root"]) for end in ("from", "to")]
    assert verify.is_consistent(2, 4, steps, roots[0], roots[1])


def test_what_is_not_there_is_refused(town: Town, visitor: Caller) -> None:
    log = logs.open_log(town, areas=[5000])
    visitor.prefix = f"/public/v1/decisions/{log.id}"
    for path, status, code in (
        ("/file", 409, "not_closed"),
        ("/leaves?from=0&to=1", 422, "no_such_leaves"),
        ("/leaves?from=0", 422, None),
        ("/leaves?from=0&to=1000", 422, "no_such_leaves"),
        ("/proof?leaf=1", 422, "no_such_leaves"),
        ("/proof?leaf=0&size=2", 404, "not_found"),
        ("/consistency?from=2", 404, "not_found"),
        ("/anchor.json?size=7", 404, "not_found"),
    ):
        answer = visitor.get(path)
        assert answer.status_code == status, path
        assert code in {None, answer.get_json()["code"]}
    visitor.prefix = f"/public/v1/decisions/{log.id[:-4]}aaaa"
    assert visitor.get("/board").status_code == 404


def test_the_printed_anchor_holds_what_the_verifier_reads(town: Town, visitor: Caller) -> None:
    log = logs.open_log(town, areas=[5000])
    visitor.prefix = f"/public/v1/decisions/{log.id}"
    anchor = visitor.get("/anchor.json").get_json()
    page = visitor.get("/anchor")
    assert page.content_type == "text/html; charset=utf-8"
    assert "<svg" in page.text
    for name in ("root", "signature", "public_key", "decision"):
        assert anchor[name] in page.text
    visitor.prefix = "/public/v1"
    keys = {key["key_id"]: key["public_key"] for key in visitor.get("/keys").get_json()["items"]}
    assert keys[anchor["key_id"]] == anchor["public_key"]
    assert not re.search(r"private|sealed", json.dumps(visitor.get("/keys").get_json()))


def test_openings_are_for_the_auditor_after_the_close(town: Town, resident: Callable[..., Person]) -> None:
    log = logs.open_log(town, areas=[5000, 6000])
    log.cast(1, "against")
    auditor, desk, someone = town.staff("auditor"), town.staff("community"), resident()
    path = f"/decisions/{log.id}/openings"
    assert auditor.get(path).get_json()["code"] == "not_opened"
    log.close()
    opened = auditor.get(path).get_json()
    assert [list(o["choices"].values()) for o in opened["openings"]] == [["against"]]
    assert [entry["number"] for entry in opened["roll"]] == [1, 2]
    assert "rooms" not in opened["roll"][0]
    assert desk.get(path).status_code == 403
    assert town.staff("property").get(path).status_code in {403, 404}
    assert someone.get(path).status_code == 404
    noted = auditor.get("/audit?action=ballots.read").get_json()["items"]
    assert noted[0]["action"] == "ballots.read"
