"""What casting refuses, in words for the person who asked."""

from __future__ import annotations

from app.errors import Conflict, Invalid


class BadChoices(Invalid):
    """Something on the ballot names no motion or candidate of this decision, or isn't a choice."""

    code = "bad_choices"
    zh = "选票填写有误，请检查后再提交。"
    en = "Something on the ballot is not right; please check it."


class Incomplete(Invalid):
    """Every motion is answered; who doesn't want to says so (`abstain`, or no candidate)."""

    code = "incomplete"
    zh = "还有议题没有选择。每项都要表态，也可以选“弃权”。"
    en = "Every motion needs an answer; you may abstain."


class OverVote(Invalid):
    """More candidates than seats (差额选举: a ballot with more is void, so it isn't taken at all)."""

    code = "over_vote"
    zh = "最多选 {seats} 人，请减少后再提交。"
    en = "Choose at most {seats}."


class NotOpen(Conflict):
    """The vote hasn't begun."""

    code = "not_open"
    zh = "表决还没有开始。"
    en = "The vote is not open yet."


class Closed(Conflict):
    """The vote is over; what comes a millisecond later is later."""

    code = "closed"
    zh = "表决已经结束。"
    en = "The vote is closed."


class Cancelled(Conflict):
    """The vote was cancelled."""

    code = "cancelled"
    zh = "这次表决已取消。"
    en = "This vote was cancelled."


class CastElsewhere(Conflict):
    """The authority's own system takes the ballots of this decision."""

    code = "cast_elsewhere"
    zh = "这次表决在主管部门的系统“{system}”里投票，本程序不收选票。"
    en = "Ballots for this decision are cast in the authority's system: {system}."


class PaperOnly(Conflict):
    """The rules of procedure don't admit electronic ballots: only the signed sheet has effect in law."""

    code = "paper_only"
    zh = "本小区的议事规则没有认可电子表决，请填写并签署书面表决票。可以申请纸质选票或请人上门。"
    en = "The rules of procedure admit no electronic ballots; sign a paper ballot. You may ask for a sheet or a visit."


class NotTheVoter(Conflict):
    """Somebody else votes for this head (指导规则 24: co-owners are one head with one voter)."""

    code = "not_the_voter"
    zh = "这一户不是由您表决。"
    en = "You are not the one who votes for this."


class WeakIdentity(Conflict):
    """She may be the owner, but it isn't proven well enough for a vote, or is doubted at the moment."""

    code = "weak_identity"
    zh = "需要先核实您的业主身份才能投票，请联系社区。也可以申请纸质选票。"
    en = "Your ownership has to be verified before you vote; you may ask for a paper ballot."


class AlreadyVoted(Conflict):
    """One ballot a head; the rules of this vote allow no other."""

    code = "already_voted"
    zh = "这一户已经投过票，不能更改。"
    en = "A ballot was cast for this already; it can't be changed."


class ChooseHead(Conflict):
    """She votes for several heads: which one is meant?"""

    code = "choose_head"
    zh = "您可以为多户投票，请选择其中一户。"
    en = "You vote for several; name one of them."


class ProxyExists(Conflict):
    """The head has given an authorisation that is in force or waits for a decision."""

    code = "proxy_exists"
    zh = "这一户已经有委托，请先撤销。"
    en = "There is an authorisation for this already; revoke it first."


class TooManyProxies(Conflict):
    """潍坊: one person votes for at most three others."""

    code = "too_many_proxies"
    zh = "这位代理人接受的委托已满 {most} 户。"
    en = "This person acts for {most} others already."


class PropertyStaff(Conflict):
    """舟山: staff of the property company may not be proxies, unless the estate's rules say so."""

    code = "property_staff"
    zh = "物业服务人员不能担任代理人。"
    en = "Staff of the property company may not act as a proxy."


class PropertyStaffPerhaps(Conflict):
    """The proxy is called like somebody of the property company: whoever approves says that it is somebody else."""

    code = "property_staff_maybe"
    zh = "代理人与物业人员同名，请核实不是同一人后再确认。"
    en = "The proxy has the name of one of the property company's staff; confirm that it is somebody else."


class ProxyUnknown(Conflict):
    """Nobody has come to the mini-program with the proxy's number: who would cast?"""

    code = "proxy_unknown"
    zh = "代理人还没有用这个手机号登录小程序，请先登录，或使用纸质选票。"
    en = "Nobody has logged in with the proxy's phone; a paper ballot is possible."


class OwnProxy(Invalid):
    """Nobody authorises herself."""

    code = "own_proxy"
    zh = "不能委托自己。"
    en = "You can't authorise yourself."


class AgentForPerson(Invalid):
    """Companies act through an agent; a person authorises a proxy."""

    code = "not_a_body"
    zh = "只有单位业主才由经办人投票；个人请用委托代理。"
    en = "Only a body acts through an agent; a person authorises a proxy."


class PaperMissing(Invalid):
    """The sheet or the authorisation is shown: a photo or a PDF of it."""

    code = "paper_missing"
    zh = "请上传签字原件的照片或 PDF。"
    en = "Upload a photo or PDF of the signed paper."


class SheetWaits(Conflict):
    """A sheet of this head waits for its second person."""

    code = "sheet_waits"
    zh = "这一户已有一张纸质票等待复核。"
    en = "A sheet of this head is waiting to be confirmed."


class SecondPerson(Conflict):
    """Who entered a sheet doesn't confirm it."""

    code = "second_person"
    zh = "录入人不能审核自己录入的材料，请另一位同事办理。"
    en = "Who entered it can't decide on it; a colleague has to."


class Decided(Conflict):
    """Somebody has decided already."""

    code = "illegal_move"
    zh = "这件事已经处理过，请刷新。"
    en = "This was decided already; refresh."


class RequestOpen(Conflict):
    """A request of this head waits already."""

    code = "already_requested"
    zh = "已经登记，请等待工作人员联系。"
    en = "It was asked for already."


class NotFrozenYet(Conflict):
    """The roll isn't frozen: no head can be named."""

    code = "not_frozen"
    zh = "业主名册还没有确定，请在表决开始后再办理。"
    en = "The roll is not frozen yet."


class SheetDiffers(Conflict):
    """The second person reads something else than what was entered."""

    code = "sheet_differs"
    zh = "您读到的内容与录入的不一致，请退回重新录入。"
    en = "What you read differs from what was entered; refuse the sheet and have it entered again."


class UnknownProxy(Invalid):
    """The authorisation isn't one of this head that was approved."""

    code = "unknown_proxy"
    zh = "没有找到这一户已确认的委托。"
    en = "No approved authorisation of this head."


class BadSigningDay(Invalid):
    """A sheet that says it was signed before the vote was announced, or in the future."""

    code = "bad_signing_day"
    zh = "签字日期应在公告之后、今天或以前。"
    en = "A sheet is signed after the announcement and not in the future."
