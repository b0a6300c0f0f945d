"""From the close to the result: who certifies it, when not, who reads it, what the street gets."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from app import db, ids
from app.people.models import StaffRole
from app.places import queries as places
from app.voting import tally, verify
from app.voting.ledger_models import PollResult
from app.voting.models import DecisionKind, LegalMode
from app.voting.rules import Unreturned
from app.voting.seats import Weight
from tests.conftest import House, Person, Town, acting
from tests.voting.conftest import owner
from tests.voting.staging import Play, Stage, staged

MOTION = {"title": "更换物业公司", "text": "解聘现有物业，选聘新物业。", "matter": 4}
FORMULA = {"title": '=HYPERLINK("http://x")', "text": "改建大门。", "matter": 7}


class Plays:
    """One meeting of each kind, played together: 3 of 4 heads for, the fourth silent."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        areas = (10_000, 20_000, 30_000, 5_000)
        self.plain = stage.announce(stage.play(*areas), MOTION, FORMULA)
        self.shown = stage.announce(stage.play(*areas, disclosure="by_room_to_owners"), MOTION)
        unbacked = stage.play(*areas, unreturned=Unreturned.TAKES_PART)
        stage.box.flat("105", owner(), owner(), area=7_000, estate=unbacked.estate)  # and no voter
        self.unbacked = stage.announce(unbacked, MOTION)
        self.poll = stage.announce(
            stage.play(*areas, mode=LegalMode.POLL),
            {"title": "建健身角吗", "text": "您的意见？"},
            kind=DecisionKind.POLL,
        )
        self.tampered = stage.announce(stage.play(*areas), MOTION)
        self.official = stage.announce(stage.play(*areas, mode=LegalMode.OFFICIAL), MOTION)
        self.all = [self.plain, self.shown, self.unbacked, self.poll, self.tampered, self.official]
        stage.open(self.all)
        self.early = {
            "result": stage.voter(self.plain.flats[0]).get(f"/decisions/{self.plain.id}/result"),
            "certify": stage.certify(self.plain),
            "export": stage.box.desk.get(f"/decisions/{self.plain.id}/export"),
            "turnout": stage.box.desk.get(f"/decisions/{self.plain.id}/turnout"),
        }
        for play in self.all[:-1]:
            who = stage.voter(*play.flats)
            for n in range(3):
                answer = play.cast(who, f"1栋{101 + n}", *["for"] * len(play.motions))
                assert answer.status_code == 201, answer.text
        self.visitor = stage.town.hire("community", stage.town.a)
        doors = [self.unbacked.head("1栋104"), self.unbacked.head("1栋105")]
        told = self.visitor.post(
            f"/decisions/{self.unbacked.id}/visits", {"head_ids": doors, "file_ids": [paper(self.visitor)]}
        )
        assert (told.status_code, told.json["heads"]) == (201, 2), told.text
        entry = f"/delivery-entries/{told.json['entry_id']}"
        self.by_herself = self.visitor.post(f"{entry}/confirm", {})
        self.reader = stage.town.hire("community", stage.town.a)
        self.reading_account = acting(self.reader).account
        confirmed = self.reader.post(f"{entry}/confirm", {})
        assert confirmed.status_code == 200, confirmed.text
        self.visiting_account = acting(self.visitor).account
        self.midway = stage.box.desk.get(f"/decisions/{self.plain.id}/turnout")
        stage.close(self.all)
        self.certified = {p.id: stage.certify(p) for p in (self.plain, self.shown)}

    def owner(self, play: Play) -> Person:
        """An owner of a house of the play."""
        return self.stage.voter(play.flats[0])


@pytest.fixture(scope="module")
def plays(house: House, make_town: Callable[[], Town]) -> Iterator[Plays]:
    with staged(house, make_town()) as stage:
        yield Plays(stage)


def test_before_the_close_nobody_learns_how_it_stands(plays: Plays) -> None:
    assert plays.early["result"].json["code"] == "not_certified"
    assert (plays.early["certify"].status_code, plays.early["certify"].json["code"]) == (409, "illegal_move")
    assert plays.early["export"].json["code"] == "not_certified"


def test_turnout_says_how_many_and_how_many_are_still_needed(plays: Plays) -> None:
    none, some = plays.early["turnout"].json, plays.midway.json

    assert none["heads"] == {"cast": 0, "total": 4, "needed": 3, "percent": "0.00"}
    assert none["area"]["needed"] == 43_334  # the least that makes two thirds of 650 m²
    assert some["heads"] == {"cast": 3, "total": 4, "needed": 0, "percent": "75.00"}
    assert some["quorum_reached"] is True
    assert [b["building"] for b in some["buildings"]] == ["1栋"]
    assert "for" not in plays.midway.text


def test_the_certified_result_shows_its_arithmetic(plays: Plays) -> None:
    answer = plays.certified[plays.plain.id]

    assert answer.status_code == 200, answer.text
    motion = answer.json["motions"][0]
    assert (motion["outcome"], motion["passed"]) == ("passed", True)
    assert answer.json["totals"] == {"area_centi": 65_000, "heads": 4}
    assert motion["participating"] == {"area_centi": 60_000, "heads": 3}
    assert motion["quorum"]["heads"]["part"] == 3
    assert motion["law"]["item"].startswith("《民法典》第二百七十八条第一款第（四）项")
    assert motion["why"][-1] == "两项都达到，通过。"
    assert (answer.json["source"], answer.json["legal_effect"]) == ("ballots", True)


def test_owners_read_the_result_and_strangers_do_not(plays: Plays) -> None:
    read = plays.owner(plays.plain).get(f"/decisions/{plays.plain.id}/result")
    stranger = plays.stage.log_in().get(f"/decisions/{plays.plain.id}/result")

    assert read.json["motions"] == plays.certified[plays.plain.id].json["motions"]
    assert stranger.status_code == 404
    tag = {"If-None-Match": read.headers["ETag"]}
    assert plays.owner(plays.plain).get(f"/decisions/{plays.plain.id}/result", headers=tag).status_code == 304


def test_who_announced_it_does_not_certify_it(plays: Plays) -> None:
    announcer = plays.stage.town.log_in(plays.stage.announcing_account)

    answer = plays.stage.certify(plays.unbacked, announcer)

    assert (answer.status_code, answer.json["code"]) == (403, "second_person")


def test_who_brought_or_read_a_proof_of_delivery_that_counts_does_not_certify(plays: Plays) -> None:
    for account in (plays.visiting_account, plays.reading_account):
        answer = plays.stage.certify(plays.unbacked, plays.stage.town.log_in(account))

        assert (answer.status_code, answer.json["code"]) == (403, "second_person")
    assert plays.by_herself.json["code"] == "second_person"


def test_a_head_without_a_voter_never_counts_as_one_that_returned_nothing(plays: Plays) -> None:
    assert plays.unbacked.vote is not None
    ref = plays.unbacked.vote.ref
    with db.reading():
        totals = tally.totals_of(ref)

    assert totals.roll == Weight(72_000, 5)
    assert totals.unreturned == Weight(5_000, 1)


def test_online_ballots_without_signed_sheets_need_rules_that_admit_them(plays: Plays, owner: Any) -> None:
    # Nobody casts online where they don't; a log from elsewhere, or a mistake in the rows, is still not certified.
    ref = plays.unbacked.vote.ref  # type: ignore[union-attr]
    owner.execute(
        "UPDATE decisions SET rules = rules || '{\"electronic_admitted\": false}' WHERE community_id = %s AND id = %s",
        ref,
    )

    answer = plays.stage.certify(plays.unbacked)

    assert (answer.status_code, answer.json["code"], answer.json["heads"]) == (409, "sheets_missing", 3)


def test_a_poll_is_published_as_what_it_is_and_never_certified(plays: Plays) -> None:
    refused = plays.stage.certify(plays.poll)
    shown = plays.owner(plays.poll).get(f"/decisions/{plays.poll.id}/result").json

    assert (refused.status_code, refused.json["code"]) == (409, "poll_not_certifiable")
    assert (shown["heading"], shown["legal_effect"], shown["certified_at"]) == ("意见征询结果", False, None)
    motion = shown["motions"][0]
    assert (motion["outcome"], motion["passed"], motion["quorum"]) == ("no_legal_effect", None, None)
    assert motion["answers"]["for"] == {"area_centi": 60_000, "heads": 3}
    assert "没有法律效力" in motion["why"][-1]


def test_what_does_not_agree_with_roll_and_ballots_is_not_certified(plays: Plays, owner: Any) -> None:
    ref = plays.tampered.vote.ref  # type: ignore[union-attr]
    owner.execute("ALTER TABLE openings DISABLE TRIGGER USER")
    try:
        owner.execute(
            "DELETE FROM openings WHERE ctid = (SELECT ctid FROM openings WHERE community_id = %s"
            " AND decision_id = %s LIMIT 1)",
            (ref.community_id, ref.id),
        )
    finally:
        owner.execute("ALTER TABLE openings ENABLE TRIGGER USER")

    answer = plays.stage.certify(plays.tampered)

    assert (answer.status_code, answer.json["code"]) == (409, "ballots_differ")


def test_a_result_is_certified_once(plays: Plays) -> None:
    assert plays.stage.certify(plays.plain).json["code"] == "illegal_move"


def test_an_older_version_is_not_certified(plays: Plays) -> None:
    answer = plays.stage.box.desk.post(f"/decisions/{plays.unbacked.id}/certify", headers={"If-Match": '"1"'})

    assert answer.status_code == 412


def test_certifying_is_on_the_timeline_and_starts_the_filing_clock(plays: Plays) -> None:
    seen = plays.plain.vote.see()  # type: ignore[union-attr]

    assert "certified" in [event["kind"] for event in seen["timeline"]]
    assert seen["filing_due_at"] is not None


# --- the authority's result ------------------------------------------------------------------------------------


def weight(area: int, heads: int) -> dict[str, int]:
    return {"area_centi": area, "heads": heads}


def official_body(play: Play, file_id: str, **answers: dict[str, int]) -> dict[str, Any]:
    said = answers or {"for": weight(50_000, 3), "against": weight(10_000, 1)}
    return {
        "roll": weight(65_000, 4),
        "motions": [{"motion_id": play.motions[0], "answers": said}],
        "reference": "渝表决〔2026〕77号",
        "file_ids": [file_id],
    }


def paper(desk: Any) -> str:
    pdf = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
    answer = desk.upload("/files", pdf, "result.pdf", purpose="evidence")
    assert answer.status_code == 201, answer.text
    return str(answer.json["file_id"])


def test_the_authoritys_result_comes_with_its_file_and_is_certified(plays: Plays) -> None:
    desk, play = plays.stage.box.desk, plays.official
    path = f"/decisions/{play.id}/official-result"
    missing = plays.stage.certify(play)
    without = desk.post(path, official_body(play, "x") | {"file_ids": []})
    too_many = desk.post(path, official_body(play, paper(desk), **{"for": weight(10, 5)}))
    foreign = desk.post(
        f"/decisions/{plays.unbacked.id}/official-result", official_body(plays.unbacked, paper(desk))
    )
    other = desk.post(path, official_body(play, paper(desk)) | {"roll": weight(64_000, 4)})
    stated = {"roll": weight(64_000, 4), "roll_reason": "主管部门未计入架空层"}
    entered = desk.post(path, official_body(play, paper(desk)))
    assert desk.post(path, official_body(play, paper(desk)) | stated).status_code == 201
    same_person = plays.stage.certify(play)
    certified = plays.stage.certify(play, plays.stage.box.reviewer)

    assert (other.status_code, other.json["code"], other.json["heads"]) == (422, "other_roll", 4)
    assert (same_person.status_code, same_person.json["code"]) == (403, "second_person")
    assert missing.json["code"] == "official_result_missing"
    assert without.status_code == 422
    assert too_many.json["code"] == "bad_official_result"
    assert foreign.json["code"] == "not_official"
    assert entered.status_code == 201, entered.text
    assert certified.status_code == 200, certified.text
    assert (certified.json["source"], certified.json["reference"]) == ("official", "渝表决〔2026〕77号")
    assert certified.json["motions"][0]["outcome"] == "passed"
    read = plays.owner(play).get(f"/decisions/{play.id}/result").json
    assert (read["roll_reason"], read["totals"]["area_centi"]) == ("主管部门未计入架空层", 64_000)
    # Nothing was cast here, and nothing here says that somebody still has to.
    turnout = plays.owner(play).get(f"/decisions/{play.id}").json["turnout"]
    assert turnout is None


# --- who sees rooms --------------------------------------------------------------------------------------------


def test_rooms_with_choices_are_shown_to_owners_where_the_rules_say_so(plays: Plays) -> None:
    mine = plays.owner(plays.shown)
    first = mine.get(f"/decisions/{plays.shown.id}/result/rooms", query_string={"limit": 3}).json
    rest = mine.get(
        f"/decisions/{plays.shown.id}/result/rooms", query_string={"cursor": first["next_cursor"]}
    ).json

    rooms = first["items"] + rest["items"]
    assert [(r["label"], r["cast"]) for r in rooms] == [
        ("1栋101", True),
        ("1栋102", True),
        ("1栋103", True),
        ("1栋104", False),
    ]
    assert rooms[0]["choices"] == {plays.shown.motions[0]: "for"}
    assert rooms[3]["choices"] is None


def test_an_owner_opens_every_ballot_by_room_where_the_rules_say_so_and_verifies_it(
    plays: Plays, tmp_path: Path
) -> None:
    mine = plays.owner(plays.shown)
    openings = mine.get(f"/decisions/{plays.shown.id}/openings")
    board = plays.stage.house.app.test_client().get(f"/public/v1/decisions/{plays.shown.id}/file")
    for name, answer in (("board", board), ("openings", openings)):
        assert answer.status_code == 200, answer.text
        (tmp_path / f"{name}.json").write_bytes(answer.get_data())

    report = verify.check(tmp_path / "board.json", openings=tmp_path / "openings.json")

    assert not report.faults
    assert {entry["rooms"] for entry in openings.json["roll"]} == {f"1栋{n}" for n in range(101, 105)}
    tenant = plays.stage.box.resident(plays.shown.flats[0], level=None)
    totals = plays.owner(plays.plain)
    for who, play in ((tenant, plays.shown), (totals, plays.plain), (plays.stage.log_in(), plays.shown)):
        assert who.get(f"/decisions/{play.id}/openings").status_code == 404


def test_nobody_sees_rooms_and_choices_also_not_one_after_the_other(plays: Plays) -> None:
    town, path = plays.stage.town, f"/decisions/{plays.shown.id}"
    auditor, clerk = town.hire("auditor", town.a), town.hire("community", town.a)
    assert auditor.get(f"{path}/roll").status_code == 403
    assert auditor.get(f"{path}/openings").status_code == 200
    before = {"auditor": acting(auditor), "clerk": acting(clerk)}
    with db.transaction() as session:
        for role in session.query(StaffRole).filter(StaffRole.staff_id.in_([a.id for a in before.values()])):
            # What she was until yesterday, she is no more: each has the other's office.
            role.role = "community" if role.staff_id == before["auditor"].id else "auditor"
            session.add(
                StaffRole(
                    id=ids.new_id(),
                    staff_id=role.staff_id,
                    role="auditor" if role.role == "community" else "community",
                    region_id=role.region_id,
                    org_id=role.org_id,
                    valid_from=role.valid_from,
                    valid_to=places.today() + timedelta(days=1),
                )
            )
    refused = [
        town.log_in(before["auditor"].account).get(f"{path}/roll"),
        town.log_in(before["clerk"].account).get(f"{path}/openings"),
    ]
    assert [(answer.status_code, answer.json["code"]) for answer in refused] == [
        (403, "separate_duties"),
        (403, "separate_duties"),
    ]


def test_a_polls_result_is_counted_once(plays: Plays) -> None:
    ref = plays.poll.vote.ref  # type: ignore[union-attr]
    with db.reading() as session:
        kept = session.get_one(PollResult, ref)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "answers_of", lambda _: pytest.fail("counted again"))
        read = plays.owner(plays.poll).get(f"/decisions/{plays.poll.id}/result").json
        board = plays.stage.house.app.test_client().get(f"/public/v1/decisions/{plays.poll.id}/board").json
    assert read["motions"][0]["answers"] == kept.result["motions"][0]["answers"]
    assert (board or {})["result"]["motions"][0]["answers"] == kept.result["motions"][0]["answers"]


def test_rooms_stay_hidden_where_only_totals_are_disclosed_and_from_tenants(plays: Plays) -> None:
    totals = plays.owner(plays.plain).get(f"/decisions/{plays.plain.id}/result/rooms")
    tenant = plays.stage.box.resident(plays.shown.flats[0], level=None)

    assert (totals.status_code, totals.json["code"]) == (404, "not_disclosed")
    assert tenant.get(f"/decisions/{plays.shown.id}/result/rooms").json["code"] == "not_disclosed"


# --- the export ------------------------------------------------------------------------------------------------


def exported(plays: Plays, play: Play, kind: str) -> bytes:
    answer = plays.stage.box.desk.get(f"/decisions/{play.id}/export", query_string={"format": kind})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_data()


def sheet(data: bytes, name: str) -> list[list[Any]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_name(name).to_python()


def test_the_export_holds_arithmetic_and_rooms_but_no_choices_where_only_totals_are_disclosed(
    plays: Plays,
) -> None:
    book = exported(plays, plays.plain, "xlsx")

    assert ["参与表决", 3, "600.00"] in [row[:3] for row in sheet(book, "结果")]
    rooms = sheet(book, "表决明细")
    assert rooms[0] == ["序号", "房屋", "面积（平方米）", "是否参与", "方式"]
    assert rooms[1] == [1, "1栋101", "100.00", "是", "线上"]
    assert rooms[4][3] == "否"


def test_the_export_shows_choices_by_room_where_the_rules_do(plays: Plays) -> None:
    table = list(csv.reader(io.StringIO(exported(plays, plays.shown, "csv").decode("utf-8-sig"))))

    assert ["1", "1栋101", "100.00", "是", "线上", "同意"] in table
    assert ["4", "1栋104", "50.00", "否", "", ""] in table


def test_no_cell_of_the_export_runs_as_a_formula(plays: Plays) -> None:
    text = exported(plays, plays.plain, "csv").decode("utf-8-sig")
    in_book = [str(c) for row in sheet(exported(plays, plays.plain, "xlsx"), "结果") for c in row]

    cells = [c for row in csv.reader(io.StringIO(text)) for c in row]
    for found in (cells, in_book):
        assert any(cell.startswith("'=HYPERLINK") for cell in found)
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in found)


def test_only_who_certifies_exports(plays: Plays) -> None:
    grid = plays.stage.town.hire("grid", plays.stage.town.a)

    assert grid.get(f"/decisions/{plays.plain.id}/export").status_code == 403
