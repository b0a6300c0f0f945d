"""What certifying and counting refuse."""

from __future__ import annotations

from app.errors import Conflict, Forbidden, Invalid, NotFound


class NotCertified(NotFound):
    """There is no result yet; before the close nobody has one."""

    code = "not_certified"
    zh = "结果还没有认定，认定后会公布。"
    en = "There is no certified result yet."


class NotCounted(Conflict):
    """The ballots aren't opened yet."""

    code = "not_counted"
    zh = "表决票还在开启，请过一会儿再试。"
    en = "The ballots are still being opened; try again in a moment."


class OnlyPoll(Conflict):
    """A poll decides nothing and is never certified as a decision."""

    code = "poll_not_certifiable"
    zh = "意见征询没有法律效力，不能认定为业主大会决定；结束后直接公布征询结果。"
    en = "A poll has no legal effect and can't be certified as a decision; its result is published as it is."


class SheetsMissing(Conflict):
    """Online ballots without a signed sheet, where the rules of procedure don't admit electronic ones."""

    code = "sheets_missing"
    zh = "有 {heads} 户在线表决没有书面签字票，议事规则也没有认可电子表决，不能认定。请先补签书面票。"
    en = "{heads} heads voted online without a signed sheet, and the rules of procedure don't admit that."


class SameCertifier(Forbidden):
    """Whoever announced it, or entered what it is counted from, doesn't certify it."""

    code = "second_person"
    zh = "公告人、结果录入人和送达证明录入人不能自己认定结果，请另一位同事认定。"
    en = "Who announced it, or entered its result or its proofs of delivery, doesn't certify it; ask a colleague."


class BallotsDiffer(Conflict):
    """Roll, ballots and openings don't agree: nothing is certified on top of that."""

    code = "ballots_differ"
    zh = "名册、表决票和开票记录对不上，不能认定。请联系系统管理员核查。"
    en = "Roll, ballots and openings don't agree; nothing is certified before that is looked into."


class OfficialMissing(Conflict):
    """It was voted in the authority's system: its result has to be entered first."""

    code = "official_result_missing"
    zh = "请先录入主管部门系统的结果和文件。"
    en = "Enter the result of the authority's system first, with its file."


class NotOfficial(Conflict):
    """Only of a vote that takes place in the authority's system a result is entered."""

    code = "not_official"
    zh = "这次表决不在主管部门的系统中进行，不能录入结果。"
    en = "This vote doesn't take place in the authority's system; no result can be entered."


class BadOfficial(Invalid):
    """Numbers that can't be: a motion left out, or more than the roll has."""

    code = "bad_official_result"
    zh = "录入的数字不合理：每个议题都要填，参与不能超过总数。"
    en = "These numbers can't be: every motion is needed, and nobody beyond the roll takes part."


class OtherRoll(Invalid):
    """The authority counted other heads or another area than the roll that was frozen here."""

    code = "other_roll"
    zh = "总户数或总面积与已冻结的业主名册不一致，请核对；确实不同的，请填写原因。"
    en = "Heads or area differ from the frozen roll; check them, or give the reason."


class NotDisclosed(NotFound):
    """Rooms with their choices aren't shown, or not to her."""

    code = "not_disclosed"
    zh = "按公告的规则，只公布汇总结果，不公布每户的选择。"
    en = "By the announced rules only totals are published, not what each room chose."
